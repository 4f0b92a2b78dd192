// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that a process does to its memory.
 *
 * An operation is called with solid pages and leaves them solid.  What the kernel
 * does below an address space without its owner's saying (paging, compaction,
 * merging, collapsing, write-protecting for a fork) changes no phase: nobody else
 * may notice it at all.
 */
#include "stress.h"

#include <sys/wait.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define RW (PROT_READ | PROT_WRITE)

static void *at(unsigned int first)
{
	return page_at(self.slot, first);
}

static __u64 reader_value(unsigned int page, unsigned int reader, enum path via)
{
	return get((__u64 *)at(page) + reader_word(reader, via));
}

/* Advice that may be declined for this or another reason that has to do with the moment. */
static void advise(unsigned int first, unsigned int n, int advice)
{
	if (!madvise(at(first), n * PAGE, advice) || short_of_memory())
		return;
	/* A collapse needs one mapping, and pages that nobody else uses just now. */
	if (advice != MADV_COLLAPSE || (errno != EBUSY && errno != EINVAL))
		actor_failed("madvise");
}

/* The contents have gone and zeroes are in their place: put stamps there. */
void refill(unsigned int first, unsigned int n)
{
	range_phase(first, n, PHASE_MAY_ZERO);
	dwell();
	source_restamp(first, n);
	range_wiped(first, n);
	range_phase(first, n, PHASE_SOLID);
}

static void op_write(unsigned int first, unsigned int n)
{
	unsigned int turns = 1 + rnd(4);

	/* Pages that are to be merged have to stay alike. */
	if (region_of(first) == REGION_KSM)
		source_restamp(extents[REGION_KSM].first, extents[REGION_KSM].pages);
	else
		while (turns--)
			source_restamp(first, n);
}

/* ---- Rights ---- */

/* Nothing may change by a window while the owner may not write. */
static void op_readonly(unsigned int first, unsigned int n)
{
	static __u64 before[MAX_RANGE][MAX_ACTORS];
	unsigned int i, r;
	__u64 now;

	range_phase(first, n, PHASE_MAY_REFUSE);
	MUST(mprotect(at(first), n * PAGE, PROT_READ));
	range_phase(first, n, PHASE_READONLY);
	for (i = 0; i < n; i++)
		for (r = 0; r < ledger->actors; r++)
			before[i][r] = reader_value(first + i, r, PATH_WINDOW);
	dwell();
	for (i = 0; i < n; i++) {
		for (r = 0; r < ledger->actors; r++) {
			now = reader_value(first + i, r, PATH_WINDOW);
			if (now != before[i][r])
				error_at(E_GHOST_STORE,
					 "actor %u.%llu page %u, read-only: %llx became %llx",
					 self.slot, self.inc, first + i, before[i][r], now);
		}
	}
	range_phase(first, n, PHASE_MAY_REFUSE);
	MUST(mprotect(at(first), n * PAGE, RW));
	range_phase(first, n, PHASE_SOLID);
}

static void op_none(unsigned int first, unsigned int n)
{
	range_phase(first, n, PHASE_MAY_MISS | PHASE_MAY_REFUSE);
	MUST(mprotect(at(first), n * PAGE, PROT_NONE));
	range_phase(first, n, PHASE_GONE);
	dwell();
	range_phase(first, n, PHASE_MAY_MISS | PHASE_MAY_REFUSE);
	MUST(mprotect(at(first), n * PAGE, RW));
	range_phase(first, n, PHASE_SOLID);
}

/* ---- Mappings ---- */

static void op_munmap(unsigned int first, unsigned int n)
{
	bool wipes = !region_keeps(region_of(first));

	range_phase(first, n, PHASE_CHANGING);
	if (wipes)
		range_wiping(first, n);
	MUST(munmap(at(first), n * PAGE));
	if (wipes)
		range_void(first, n);
	range_phase(first, n, PHASE_GONE);
	dwell();
	range_phase(first, n, PHASE_CHANGING);
	MUST(region_map(first, n));
	if (wipes)
		refill(first, n);
	else
		range_phase(first, n, PHASE_SOLID);
}

static void op_map_over(unsigned int first, unsigned int n)
{
	range_phase(first, n, PHASE_CHANGING);
	range_wiping(first, n);
	MUST(region_map(first, n));
	range_void(first, n);
	refill(first, n);
}

/* What was mapped in pieces may be several mappings, which only move one by one. */
static void move(char *from, char *to, unsigned int n)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	unsigned int i;

	while (mremap(from, n * PAGE, n * PAGE, flags, to) == MAP_FAILED) {
		if (errno != EFAULT || n == 1) {
			if (!short_of_memory())
				actor_failed("mremap");
			continue;
		}
		for (i = 0; i < n; i++)
			move(from + i * PAGE, to + i * PAGE, 1);
		return;
	}
}

static void op_mremap(unsigned int first, unsigned int n)
{
	char *spare = (char *)at(first) + SPARE;

	range_phase(first, n, PHASE_MAY_MISS | PHASE_MAY_REFUSE);
	move(at(first), spare, n);
	range_phase(first, n, PHASE_GONE);
	dwell();
	/* Written elsewhere: to be seen when the page is back. */
	source_stamp_at(spare, first, n);
	range_phase(first, n, PHASE_MAY_MISS | PHASE_MAY_REFUSE);
	move(spare, at(first), n);
	range_phase(first, n, PHASE_SOLID);
}

/* ---- Contents ---- */

static void op_dontneed(unsigned int first, unsigned int n)
{
	if (region_keeps(region_of(first))) {
		/* Only the entries go; the file keeps its pages. */
		advise(first, n, MADV_DONTNEED);
		return;
	}
	range_phase(first, n, PHASE_MAY_ZERO);
	range_wiping(first, n);
	MUST(madvise(at(first), n * PAGE, MADV_DONTNEED));
	range_void(first, n);
	refill(first, n);
}

/* It keeps what it has until the memory is needed, or until the page is written. */
static void op_free(unsigned int first, unsigned int n)
{
	range_phase(first, n, PHASE_MAY_ZERO);
	range_wiping(first, n);
	MUST(madvise(at(first), n * PAGE, MADV_FREE));
	dwell();
	refill(first, n);
}

static void op_punch(unsigned int first, unsigned int n)
{
	off_t off = (first - extents[REGION_MEMFD].first) * PAGE;

	range_phase(first, n, PHASE_MAY_ZERO);
	range_wiping(first, n);
	if (rnd(2))
		MUST(fallocate(source_file(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off,
			       n * PAGE));
	else
		MUST(madvise(at(first), n * PAGE, MADV_REMOVE));
	range_void(first, n);
	refill(first, n);
}

static void op_truncate(unsigned int first, unsigned int n)
{
	const struct extent *e = &extents[REGION_MEMFD];

	n = e->first + e->pages - first;
	range_phase(first, n, PHASE_CHANGING);
	range_wiping(first, n);
	MUST(ftruncate(source_file(), (first - e->first) * PAGE));
	range_void(first, n);
	range_phase(first, n, PHASE_GONE);
	dwell();
	range_phase(first, n, PHASE_CHANGING);
	MUST(ftruncate(source_file(), e->pages * PAGE));
	refill(first, n);
}

/* ---- What nobody may notice ---- */

static void op_pageout(unsigned int first, unsigned int n)
{
	advise(first, n, MADV_PAGEOUT);
}

static void op_pageout_all(unsigned int first, unsigned int n)
{
	enum region region;

	(void)first;
	(void)n;
	for (region = 0; region < NR_REGIONS; region++)
		if (region_in_use(region))
			advise(extents[region].first, extents[region].pages, MADV_PAGEOUT);
}

static void op_cold(unsigned int first, unsigned int n)
{
	advise(first, n, MADV_COLD);
}

static void op_mlock(unsigned int first, unsigned int n)
{
	if (mlock(at(first), n * PAGE) && !short_of_memory())
		actor_failed("mlock");
	dwell();
	MUST(munlock(at(first), n * PAGE));
}

static void op_merge(unsigned int first, unsigned int n)
{
	(void)first;
	(void)n;
	advise(extents[REGION_KSM].first, extents[REGION_KSM].pages, MADV_MERGEABLE);
}

static void op_unmerge(unsigned int first, unsigned int n)
{
	advise(first, n, MADV_UNMERGEABLE);
}

static void op_collapse(unsigned int first, unsigned int n)
{
	(void)n;
	(void)first;
	advise(extents[REGION_HUGE].first, extents[REGION_HUGE].pages, MADV_COLLAPSE);
}

/* Different rights in the middle of a huge page make it a table of small ones. */
static void op_split(unsigned int first, unsigned int n)
{
	op_collapse(first, n);
	op_readonly(first, n);
}

static void op_soft_dirty(unsigned int first, unsigned int n)
{
	(void)first;
	(void)n;
	if (xmap_write_file("/proc/self/clear_refs", "4") && !short_of_memory())
		actor_failed("clear_refs");
}

/* ---- The same few pages, as fast as it goes ---- */

static void op_hammer(unsigned int first, unsigned int n)
{
	static void (*const private[])(unsigned int first, unsigned int n) = {
		op_dontneed, op_map_over, op_munmap, op_none, op_readonly, op_pageout, op_mremap,
	};
	static void (*const shared[])(unsigned int first, unsigned int n) = {
		op_punch, op_munmap, op_none, op_readonly, op_pageout, op_mremap, op_dontneed,
	};
	static void (*const ours[])(unsigned int first, unsigned int n) = {
		op_lend, op_munmap, op_none, op_readonly, op_pageout, op_mremap, op_dontneed,
	};
	unsigned int turns = 50 + rnd(200), which = rnd(ARRAY_SIZE(shared));
	bool keeps = region_keeps(region_of(first));

	n = n > 4 ? 4 : n;
	source_hurry(first, n);
	while (turns-- && !stopping()) {
		if (region_of(first) == REGION_MEMFD)
			shared[which](first, n);
		else if (keeps)
			ours[which](first, n);
		else
			private[which](first, n);
		answer();
	}
	source_take_time();
}

/* ---- Processes ---- */

/* In the child: its private copy stands still, whatever is written to the parent's. */
static void child_looks(unsigned int first, unsigned int n)
{
	static __u64 before[MAX_RANGE][MAX_ACTORS][NR_PATHS];
	unsigned int i, r, p;
	__u64 now;

	for (i = 0; i < n; i++)
		for (r = 0; r < ledger->actors; r++)
			for (p = 0; p < NR_PATHS; p++)
				before[i][r][p] = reader_value(first + i, r, p);
	if (!reader_window_is_absent())
		error_at(E_CHILD, "child of actor %u.%llu has its windows", self.slot, self.inc);
	for (i = 0; i < 20; i++)
		sched_yield();
	for (i = 0; i < n; i++) {
		for (r = 0; r < ledger->actors; r++) {
			for (p = 0; p < NR_PATHS; p++) {
				now = reader_value(first + i, r, p);
				if (now != before[i][r][p])
					error_at(E_CHILD, "child of actor %u.%llu: page %u: %llx",
						 self.slot, self.inc, first + i, now);
			}
		}
	}
	/* What it writes itself must be seen by nobody: it is nobody's stamp. */
	for (i = 0; i < n; i++)
		for (r = 0; r < ARRAY_SIZE(source_words); r++)
			put((__u64 *)at(first + i) + source_words[r], ~0ULL);
}

static void fork_child(unsigned int first, unsigned int n, bool looks)
{
	pid_t parent = getpid();
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0) {
		if (!short_of_memory())
			actor_failed("fork");
		return;
	}
	if (!pid) {
		peer_bind_to(parent);
		if (looks)
			child_looks(first, n);
		_exit(0);
	}
	/* Copies on write, on this side. */
	source_restamp(first, n);
	dwell();
	source_restamp(first, n);
	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			actor_failed("waitpid");
	if (status && (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL))
		error_at(E_DEATH, "child of actor %u.%llu ended with %x", self.slot, self.inc,
			 status);
}

static void op_fork(unsigned int first, unsigned int n)
{
	fork_child(first, n, true);
}

static void op_fork_exit(unsigned int first, unsigned int n)
{
	fork_child(first, n, false);
}

static void op_exec(unsigned int first, unsigned int n)
{
	char slot[16], fd[16];

	(void)first;
	(void)n;
	count(C_OP_EXEC);
	snprintf(slot, sizeof(slot), "%u", self.slot);
	snprintf(fd, sizeof(fd), "%d", self.ledger_fd);
	put(&ledger->actor[self.slot].ready, 0);
	put(&ledger->actor[self.slot].leaving, self.inc);
	execl("/proc/self/exe", "xmap_stress_test", "--actor", slot, fd, NULL);
	/* Killed for want of memory, or told so. */
	if (!short_of_memory())
		actor_failed("exec");
	_exit(0);
}

#define R(region) BIT64(REGION_##region)
#define OURS (R(SHARED) | R(OWNED))
#define ANY (R(ANON) | R(MEMFD) | R(KSM) | R(HUGE) | OURS)
#define MOST (R(ANON) | R(MEMFD) | R(HUGE) | OURS)
#define PRIVATE (R(ANON) | R(HUGE))

const struct op ops[] = {
	{ "write", C_OP_WRITE, 24, ANY, op_write },
	{ "mprotect read-only", C_OP_READONLY, 8, MOST, op_readonly },
	{ "mprotect none", C_OP_NONE, 8, ANY, op_none },
	{ "fork", C_OP_FORK, 3, PRIVATE, op_fork },
	{ "fork and exit", C_OP_FORK_EXIT, 2, PRIVATE, op_fork_exit },
	{ "pageout", C_OP_PAGEOUT, 8, ANY, op_pageout },
	{ "pageout all", C_OP_PAGEOUT_ALL, 1, ANY, op_pageout_all },
	{ "dontneed", C_OP_DONTNEED, 8, MOST, op_dontneed },
	{ "free", C_OP_FREE, 4, PRIVATE, op_free },
	{ "cold", C_OP_COLD, 4, ANY, op_cold },
	{ "mremap", C_OP_MREMAP, 6, MOST, op_mremap },
	{ "munmap", C_OP_MUNMAP, 10, MOST, op_munmap },
	{ "map over", C_OP_MAP_OVER, 6, PRIVATE, op_map_over },
	{ "mergeable", C_OP_MERGE, 4, R(KSM), op_merge },
	{ "unmergeable", C_OP_UNMERGE, 1, R(KSM), op_unmerge },
	{ "collapse", C_OP_COLLAPSE, 3, R(HUGE), op_collapse },
	{ "split", C_OP_SPLIT, 3, R(HUGE), op_split },
	{ "clear_refs", C_OP_SOFT_DIRTY, 2, ANY, op_soft_dirty },
	{ "punch hole", C_OP_PUNCH, 4, R(MEMFD), op_punch },
	{ "truncate", C_OP_TRUNCATE, 3, R(MEMFD), op_truncate },
	{ "lend", C_OP_LEND, 6, OURS, op_lend },
	{ "resize", C_OP_RESIZE, 3, R(SHARED), op_resize },
	{ "rebind", C_OP_REBIND, 3, R(SHARED), op_rebind },
	{ "give", C_OP_GIVE, 6, R(OWNED), op_give },
	{ "hammer", C_OP_HAMMER, 10, MOST, op_hammer },
	{ "mlock", C_OP_MLOCK, 3, ANY, op_mlock },
	{ "exec", C_OP_EXEC, 1, ANY, op_exec },
};

const unsigned int nr_ops = ARRAY_SIZE(ops);
