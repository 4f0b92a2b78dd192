// SPDX-License-Identifier: GPL-2.0-only
/*
 * A window shows what the source has now.
 *
 * In the stress tests every page of the source begins with a stamp: owner,
 * page number and a sequence number.  The writer stores a stamp and after that
 * publishes its number on a board that both sides share by other means.  A
 * reader looks at the board first and at the window second, so what it finds
 * must be at least as new, and must be of the right owner and page:
 *
 *  - an older number is a stale page,
 *  - another owner or page is a foreign page,
 *  - a value where the source has nothing for the whole time is a ghost.
 *
 * SIGBUS and zeroes are right while the writer is taking the page away, and
 * wrong at any other time; begin[] and end[] tell which it is.
 *
 * The second word of each page belongs to the reader, who writes it through
 * the window: unless the source threw the page away it must stay.
 */
#include "xmap_reader.h"
#include "xmap_zram.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define RW (PROT_READ | PROT_WRITE)
#define OWNER 0xbeefULL
#define STAMP(page, seq) (OWNER << 48 | (__u64)(page) << 32 | (__u32)(seq))
#define THP "/sys/kernel/mm/transparent_hugepage"
#define SPAN PEER_HUGE_SIZE
#define MAX_PAGES (SPAN / PAGE)

enum { LOADS, STALE, FOREIGN, GHOST, BUS_WRONG, ZERO_WRONG, LOST, BUS_RIGHT, ROUNDS,
	CHILD_WRONG, OP_ERRNO };

struct board {
	unsigned long addr;
	unsigned long spare;
	unsigned int pages;
	int file;
	pid_t owner;
	__u64 seq[MAX_PAGES];
	__u64 done[MAX_PAGES];
	__u64 begin[MAX_PAGES];
	__u64 end[MAX_PAGES];
	__u64 gone[MAX_PAGES];
};

static struct board *board;

static void put(__u64 *word, __u64 value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static __u64 get(__u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/* ---- what the source does to its pages ------------------------------------- */

/* The old stamps are void from now on, and nothing may be seen until back(). */
static void gone(unsigned int first, unsigned int n, bool wiped)
{
	unsigned int i;

	for (i = first; i < first + n; i++) {
		if (wiped)
			put(&board->done[i], ++board->seq[i]);
		put(&board->gone[i], board->gone[i] + 1);
	}
}

static void back(unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		put(&board->gone[i], board->gone[i] + 1);
}

/* The old stamps are void, though zeroes may be seen. */
static void wiped(unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		put(&board->done[i], ++board->seq[i]);
}

static void *page_addr(unsigned int page)
{
	return (void *)(board->addr + page * PAGE);
}

static int op_none(unsigned int first, unsigned int n)
{
	(void)first;
	(void)n;
	return 0;
}

static int op_readonly(unsigned int first, unsigned int n)
{
	void *at = page_addr(first);

	return mprotect(at, n * PAGE, PROT_READ) ?: mprotect(at, n * PAGE, RW);
}

static int op_none_prot(unsigned int first, unsigned int n)
{
	void *at = page_addr(first);

	if (mprotect(at, n * PAGE, PROT_NONE))
		return -1;
	gone(first, n, false);
	back(first, n);
	return mprotect(at, n * PAGE, RW);
}

static int op_map_over(unsigned int first, unsigned int n)
{
	void *at = mmap(page_addr(first), n * PAGE, RW,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (at == MAP_FAILED)
		return -1;
	wiped(first, n);
	return 0;
}

static int op_munmap(unsigned int first, unsigned int n)
{
	if (munmap(page_addr(first), n * PAGE))
		return -1;
	gone(first, n, true);
	sched_yield();
	back(first, n);
	return op_map_over(first, n);
}

static int op_mremap(unsigned int first, unsigned int n)
{
	void *at = page_addr(first), *spare = (void *)board->spare;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	unsigned int i;

	if (mremap(at, n * PAGE, n * PAGE, flags, spare) != spare)
		return -1;
	gone(first, n, false);
	/* Written elsewhere: to be seen when the page is back. */
	for (i = 0; i < n; i++) {
		put(spare + i * PAGE, STAMP(first + i, ++board->seq[first + i]));
		put(&board->done[first + i], board->seq[first + i]);
	}
	back(first, n);
	return mremap(spare, n * PAGE, n * PAGE, flags, at) == at ? 0 : -1;
}

static int op_dontneed(unsigned int first, unsigned int n)
{
	if (madvise(page_addr(first), n * PAGE, MADV_DONTNEED))
		return -1;
	wiped(first, n);
	return 0;
}

/* The same, and what was there is put to another use at once. */
static int op_dontneed_reused(unsigned int first, unsigned int n)
{
	char *other = mmap((void *)board->spare, n * PAGE, RW,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (other == MAP_FAILED || op_dontneed(first, n))
		return -1;
	memset(other, 0xff, n * PAGE);
	return 0;
}

static int op_free(unsigned int first, unsigned int n)
{
	return madvise(page_addr(first), n * PAGE, MADV_FREE);
}

static int op_remove(unsigned int first, unsigned int n)
{
	if (madvise(page_addr(first), n * PAGE, MADV_REMOVE))
		return -1;
	wiped(first, n);
	return 0;
}

static int op_truncate(unsigned int first, unsigned int n)
{
	(void)n;
	if (ftruncate(board->file, first * PAGE))
		return -1;
	gone(first, board->pages - first, true);
	back(first, board->pages - first);
	return ftruncate(board->file, board->pages * PAGE);
}

static int op_pageout(unsigned int first, unsigned int n)
{
	return madvise(page_addr(first), n * PAGE, MADV_PAGEOUT);
}

static int op_cold(unsigned int first, unsigned int n)
{
	return madvise(page_addr(first), n * PAGE, MADV_COLD);
}

/* Into one huge page, and apart again. */
static int op_collapse(unsigned int first, unsigned int n)
{
	/* EAGAIN and its like: the pages were busy this time. */
	madvise(page_addr(0), SPAN, MADV_COLLAPSE);
	return op_readonly(first, n);
}

static int op_compact(unsigned int first, unsigned int n)
{
	(void)first;
	(void)n;
	return xmap_write_file("/proc/sys/vm/compact_memory", "1");
}

static int op_soft_dirty(unsigned int first, unsigned int n)
{
	(void)first;
	(void)n;
	return xmap_write_file("/proc/self/clear_refs", "4");
}

/* The child's copy of the reader's words must stand still. */
static int op_fork(unsigned int first, unsigned int n)
{
	__u64 old[MAX_PAGES];
	unsigned int i, turn;
	pid_t pid, parent = getpid();
	int status;

	(void)first;
	(void)n;
	pid = fork();
	if (pid) {
		for (turn = 0; turn < 4; turn++) {
			for (i = 0; i < board->pages; i++) {
				put(page_addr(i), STAMP(i, ++board->seq[i]));
				put(&board->done[i], board->seq[i]);
			}
		}
		peer_set(&peer_ctl->word[1], 1);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return -1;
		peer_set(&peer_ctl->word[1], 0);
		if (status)
			count_up(CHILD_WRONG);
		return 0;
	}
	peer_bind_to(parent);
	for (i = 0; i < board->pages; i++)
		old[i] = get(page_addr(i) + 8);
	peer_await(&peer_ctl->word[1], 1);
	for (i = 0; i < board->pages; i++)
		if (get(page_addr(i) + 8) != old[i])
			_exit(1);
	_exit(0);
}

struct op {
	int (*fn)(unsigned int first, unsigned int n);
	/* Pages may be read-only or missing for a while; contents may be lost. */
	bool protects, takes, wipes;
	/* From the first page of the range to the last one of all. */
	bool to_end;
};

/* One thing done to some pages, and fresh stamps for them. */
static void round_on(const struct op *op, int mem, __u64 *rnd)
{
	unsigned int first = test_random(rnd) % board->pages;
	unsigned int n = 1 + test_random(rnd) % 8;
	unsigned int i;
	__u64 stamp;

	if (n > board->pages - first || op->to_end)
		n = board->pages - first;
	for (i = first; i < first + n; i++)
		put(&board->begin[i], board->begin[i] + 1);
	if (op->fn(first, n) && !count_of(OP_ERRNO))
		peer_ctl->count[OP_ERRNO] = errno;
	for (i = first; i < first + n; i++) {
		stamp = STAMP(i, ++board->seq[i]);
		if (mem < 0)
			put(page_addr(i), stamp);
		else if (pwrite(mem, &stamp, 8, board->addr + i * PAGE) != 8)
			peer_ctl->count[OP_ERRNO] = errno;
		put(&board->done[i], board->seq[i]);
		put(&board->end[i], board->end[i] + 1);
	}
	count_up(ROUNDS);
}

static const struct op just_stamps = { .fn = op_none };

/* Arguments: the operation, or NULL to write only; "through /proc/PID/mem". */
static long op_write_loop(const unsigned long *a)
{
	const struct op *op = (void *)a[0];
	__u64 rnd = 42;
	char path[64];
	int mem = -1;

	if (a[1]) {
		snprintf(path, sizeof(path), "/proc/%d/mem", board->owner);
		mem = open(path, O_RDWR | O_CLOEXEC);
		if (mem < 0) {
			peer_ctl->count[OP_ERRNO] = errno;
			return -1;
		}
	}
	while (!peer_stopped())
		round_on(op ?: &just_stamps, mem, &rnd);
	peer_set(&peer_ctl->word[3], 1);
	return 0;
}

/* The operation alone, beside a writer that goes on. */
static long op_churn_loop(const unsigned long *a)
{
	const struct op *op = (void *)a[0];
	__u64 rnd = 43;
	unsigned int first;

	while (!peer_stopped()) {
		first = test_random(&rnd) % board->pages;
		if (op->fn(first, 1 + test_random(&rnd) % (board->pages - first)) &&
		    !count_of(OP_ERRNO))
			peer_ctl->count[OP_ERRNO] = errno;
		count_up(ROUNDS);
	}
	peer_set(&peer_ctl->word[2], 1);
	return 0;
}

/* ---- who looks ------------------------------------------------------------- */

struct reader {
	pthread_t thread;
	char *win;
	bool stores;
	const struct op *op;
	__u64 mine[MAX_PAGES];
};

static void look(struct reader *r, unsigned int i)
{
	__u64 gone0 = get(&board->gone[i]);
	__u64 end0 = get(&board->end[i]);
	__u64 done = get(&board->done[i]);
	__u64 value;
	bool allowed;
	int sig;

	sig = touch_load(r->win + i * PAGE, &value);
	allowed = r->op->takes && get(&board->begin[i]) > end0;
	count_up(LOADS);
	if (sig) {
		count_up(sig == SIGBUS && allowed ? BUS_RIGHT : BUS_WRONG);
		return;
	}
	if (gone0 % 2 && get(&board->gone[i]) == gone0)
		count_up(GHOST);
	if (!value) {
		if (!allowed || !r->op->wipes)
			count_up(ZERO_WRONG);
		return;
	}
	if (value >> 32 != STAMP(i, 0) >> 32)
		count_up(FOREIGN);
	else if ((__u32)value < done)
		count_up(STALE);
}

static void change(struct reader *r, unsigned int i)
{
	char *word = r->win + i * PAGE + 8;
	__u64 end0 = get(&board->end[i]);
	__u64 value;
	bool allowed;
	int sig;

	sig = touch_load(word, &value);
	if (!sig && value != r->mine[i] && !r->op->wipes)
		count_up(LOST);
	sig = touch_store(word, r->mine[i] + 1);
	allowed = (r->op->protects || r->op->takes) && get(&board->begin[i]) > end0;
	if (!sig)
		r->mine[i]++;
	else if (sig == SIGBUS && allowed)
		count_up(BUS_RIGHT);
	else
		count_up(BUS_WRONG);
}

static void *reader_thread(void *arg)
{
	struct reader *r = arg;
	__u64 rnd = (unsigned long)arg;
	unsigned int i;

	while (!peer_stopped()) {
		i = test_random(&rnd) % board->pages;
		look(r, i);
		if (r->stores && test_random(&rnd) % 4 == 0)
			change(r, i);
	}
	return NULL;
}

/*
 * The kernel takes each entry out for a moment.  PROT_WRITE lets one read as well:
 * nobody else notices.
 */
static void *reprotect_thread(void *win)
{
	while (!peer_stopped()) {
		if ((mprotect(win, board->pages * PAGE, PROT_WRITE) ||
		     mprotect(win, board->pages * PAGE, RW)) && !count_of(OP_ERRNO))
			peer_ctl->count[OP_ERRNO] = errno;
	}
	return NULL;
}

/* ---- the stress tests ------------------------------------------------------ */

enum who {
	/* The writer does it between its stores. */
	BY_WRITER,
	/* A process that shares the memory is the writer and does it. */
	BY_SIBLING,
	/* Another thread does it while the writer writes. */
	BY_THREAD,
	/* Another process writes through /proc/PID/mem; a thread does it. */
	BY_OUTSIDER,
};

FIXTURE(stress)
{
	struct peer src;
	struct peer outsider;
	char *swap;
	int target;
	char *win;
};

FIXTURE_VARIANT(stress)
{
	enum peer_kind kind;
	enum who who;
	struct op op;
	bool swap;
	bool huge;
	/* The window has one page, and its holder keeps changing its protection. */
	bool reprotects;
};

#define STRESS(k, w) .kind = PEER_##k, .who = BY_##w
#define KEEPS(f) .op = { .fn = op_##f }
#define PROTECTS(f) .op = { .fn = op_##f, .protects = true }
#define TAKES(f) .op = { .fn = op_##f, .takes = true }
#define TRUNCATES(f) .op = { .fn = op_##f, .takes = true, .wipes = true, .to_end = true }
#define WIPES(f) .op = { .fn = op_##f, .takes = true, .wipes = true }

FIXTURE_VARIANT_ADD(stress, write) { STRESS(ANON, WRITER), KEEPS(none) };
FIXTURE_VARIANT_ADD(stress, write_sibling) { STRESS(ANON, SIBLING), KEEPS(none) };
FIXTURE_VARIANT_ADD(stress, write_outsider) { STRESS(ANON, OUTSIDER), KEEPS(none) };
FIXTURE_VARIANT_ADD(stress, write_memfd) { STRESS(MEMFD, WRITER), KEEPS(none) };
FIXTURE_VARIANT_ADD(stress, write_file) { STRESS(FILE_SHARED, WRITER), KEEPS(none) };
FIXTURE_VARIANT_ADD(stress, readonly) { STRESS(ANON, WRITER), PROTECTS(readonly) };
FIXTURE_VARIANT_ADD(stress, readonly_sibling) { STRESS(ANON, SIBLING), PROTECTS(readonly) };
FIXTURE_VARIANT_ADD(stress, prot_none) { STRESS(ANON, WRITER), TAKES(none_prot) };
FIXTURE_VARIANT_ADD(stress, prot_none_sibling) { STRESS(ANON, SIBLING), TAKES(none_prot) };
FIXTURE_VARIANT_ADD(stress, prot_none_memfd) { STRESS(MEMFD, WRITER), TAKES(none_prot) };
FIXTURE_VARIANT_ADD(stress, munmap) { STRESS(ANON, WRITER), WIPES(munmap) };
FIXTURE_VARIANT_ADD(stress, munmap_sibling) { STRESS(ANON, SIBLING), WIPES(munmap) };
FIXTURE_VARIANT_ADD(stress, map_over) { STRESS(ANON, WRITER), WIPES(map_over) };
FIXTURE_VARIANT_ADD(stress, map_over_sibling) { STRESS(ANON, SIBLING), WIPES(map_over) };
FIXTURE_VARIANT_ADD(stress, mremap) { STRESS(ANON, WRITER), TAKES(mremap) };
FIXTURE_VARIANT_ADD(stress, mremap_sibling) { STRESS(ANON, SIBLING), TAKES(mremap) };
FIXTURE_VARIANT_ADD(stress, mremap_memfd) { STRESS(MEMFD, WRITER), TAKES(mremap) };
FIXTURE_VARIANT_ADD(stress, dontneed) { STRESS(ANON, WRITER), WIPES(dontneed) };
FIXTURE_VARIANT_ADD(stress, dontneed_sibling) { STRESS(ANON, SIBLING), WIPES(dontneed) };

FIXTURE_VARIANT_ADD(stress, dontneed_reprotected) {
	STRESS(ANON, WRITER), WIPES(dontneed_reused), .reprotects = true
};

FIXTURE_VARIANT_ADD(stress, free) { STRESS(ANON, WRITER), WIPES(free), .swap = true };
FIXTURE_VARIANT_ADD(stress, remove_memfd) { STRESS(MEMFD, WRITER), WIPES(remove) };
FIXTURE_VARIANT_ADD(stress, truncate_memfd) { STRESS(MEMFD, WRITER), TRUNCATES(truncate) };
FIXTURE_VARIANT_ADD(stress, cold) { STRESS(ANON, THREAD), KEEPS(cold) };
FIXTURE_VARIANT_ADD(stress, cold_outsider) { STRESS(ANON, OUTSIDER), KEEPS(cold) };
FIXTURE_VARIANT_ADD(stress, pageout) { STRESS(ANON, THREAD), KEEPS(pageout), .swap = true };
FIXTURE_VARIANT_ADD(stress, pageout_writer) { STRESS(ANON, WRITER), KEEPS(pageout), .swap = true };

FIXTURE_VARIANT_ADD(stress, pageout_outsider) {
	STRESS(ANON, OUTSIDER), KEEPS(pageout), .swap = true
};

FIXTURE_VARIANT_ADD(stress, pageout_memfd) { STRESS(MEMFD, THREAD), KEEPS(pageout), .swap = true };

FIXTURE_VARIANT_ADD(stress, pageout_file) {
	STRESS(FILE_SHARED, THREAD), KEEPS(pageout), .swap = true
};

FIXTURE_VARIANT_ADD(stress, collapse) { STRESS(ANON, WRITER), PROTECTS(collapse), .huge = true };
FIXTURE_VARIANT_ADD(stress, fork) { STRESS(ANON, WRITER), KEEPS(fork) };
FIXTURE_VARIANT_ADD(stress, soft_dirty_outsider) { STRESS(ANON, OUTSIDER), KEEPS(soft_dirty) };
FIXTURE_VARIANT_ADD(stress, compact) { STRESS(ANON, THREAD), KEEPS(compact) };
FIXTURE_VARIANT_ADD(stress, compact_memfd) { STRESS(MEMFD, THREAD), KEEPS(compact) };
FIXTURE_VARIANT_ADD(stress, soft_dirty) { STRESS(ANON, THREAD), KEEPS(soft_dirty) };

static long op_setup(const unsigned long *a)
{
	unsigned long map[] = { a[0], RW, SPAN, 0, a[1], 0 };
	unsigned int i;

	/* Read in all contexts by address, so it must be in shared memory. */
	if (peer_op_map(map) != (long)a[1])
		return -1;
	if (a[2] && madvise((void *)a[1], SPAN, MADV_HUGEPAGE))
		return -1;
	board->file = peer_file;
	board->owner = getpid();
	memset((void *)a[1], 0, SPAN);
	for (i = 0; i < board->pages; i++)
		put(page_addr(i), STAMP(i, 0));
	return 0;
}

FIXTURE_SETUP(stress)
{
	char *area;

	touch_init();
	if (variant->huge && access(THP, F_OK))
		SKIP(return, "no transparent huge pages here");
	if (variant->swap) {
		self->swap = zram_swap_new(64 << 20);
		if (!self->swap)
			SKIP(return, "no swap on zram here");
	}
	board = mmap(NULL, sizeof(*board), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, board);
	/* An aligned range that is free in all processes. */
	area = mmap(NULL, 4 * SPAN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	board->addr = ((unsigned long)area + SPAN - 1) & -SPAN;
	board->spare = board->addr + SPAN;
	board->pages = variant->huge ? MAX_PAGES : variant->reprotects ? 1 : 64;
	ASSERT_EQ(0, peer_spawn(&self->src));
	ASSERT_EQ(0, peer_spawn(&self->outsider));
	ASSERT_EQ(0, peer_call(&self->src, op_setup, variant->kind, board->addr, variant->huge));
	self->target = reader_target(self->src.pid, XMAP_RIGHTS_RW);
	ASSERT_LE(0, self->target);
	test_window_map(self->target, board->addr, board->pages * PAGE, RW, &self->win);
}

FIXTURE_TEARDOWN(stress)
{
	peer_end(&self->src);
	peer_end(&self->outsider);
	if (self->swap)
		zram_swap_end(self->swap);
}

TEST_F_TIMEOUT(stress, never_old_never_foreign, PEER_TIMEOUT)
{
	static struct reader readers[2];
	struct timespec time = { .tv_sec = test_short_seconds() };
	const struct op *op = &variant->op;
	bool beside = variant->who == BY_THREAD || variant->who == BY_OUTSIDER;
	pthread_t reprotector;
	unsigned int i;
	int ret;

	if (beside)
		ASSERT_EQ(0, peer_thread(&self->src, op_churn_loop, op));
	if (variant->who == BY_SIBLING)
		ret = peer_clone_vm(&self->src, op_write_loop, op, 0) < 0;
	else if (variant->who == BY_OUTSIDER)
		ret = peer_start(&self->outsider, op_write_loop, NULL, 1);
	else
		ret = peer_start(&self->src, op_write_loop, beside ? NULL : op, 0);
	ASSERT_EQ(0, ret);

	for (i = 0; i < 2; i++) {
		readers[i] = (struct reader){ .win = self->win, .stores = i == 0, .op = op };
		/* A store through a stale entry would break the kernel, and not the test. */
		if (variant->reprotects)
			readers[i].stores = false;
		ASSERT_EQ(0, pthread_create(&readers[i].thread, NULL, reader_thread, &readers[i]));
	}
	if (variant->reprotects)
		ASSERT_EQ(0, pthread_create(&reprotector, NULL, reprotect_thread, self->win));
	/* A slow kernel takes longer for the same. */
	do {
		nanosleep(&time, NULL);
	} while (count_of(LOADS) <= 20 || count_of(ROUNDS) <= 1);
	peer_set(&peer_ctl->stop, 1);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(readers[i].thread, NULL));
	if (variant->reprotects)
		ASSERT_EQ(0, pthread_join(reprotector, NULL));
	peer_await(&peer_ctl->word[3], 1);
	if (beside)
		peer_await(&peer_ctl->word[2], 1);

	TH_LOG("%llu loads, %llu rounds, %llu SIGBUS in time", count_of(LOADS),
	       count_of(ROUNDS), count_of(BUS_RIGHT));
	EXPECT_EQ(0, count_of(OP_ERRNO));
	EXPECT_LT(20, count_of(LOADS));
	EXPECT_LT(1, count_of(ROUNDS));
	EXPECT_EQ(0, count_of(STALE));
	EXPECT_EQ(0, count_of(FOREIGN));
	EXPECT_EQ(0, count_of(GHOST));
	EXPECT_EQ(0, count_of(BUS_WRONG));
	EXPECT_EQ(0, count_of(ZERO_WRONG));
	EXPECT_EQ(0, count_of(LOST));
	EXPECT_EQ(0, count_of(CHILD_WRONG));

	/* At rest both sides have the same, the reader's own words included. */
	if (variant->who != BY_SIBLING && variant->who != BY_OUTSIDER)
		ASSERT_EQ(0, peer_finish(&self->src));
	for (i = 0; i < board->pages; i++) {
		__u64 value = peer_load(&self->src, board->addr + i * PAGE + 8);

		if (!op->wipes)
			EXPECT_EQ(readers[0].mine[i], value);
		EXPECT_LOAD(value, self->win + i * PAGE + 8);
		EXPECT_LOAD(STAMP(i, board->seq[i]), self->win + i * PAGE);
	}
}

/* ---- one step at a time ---------------------------------------------------- */

FIXTURE(step)
{
	struct peer src;
	unsigned long addr;
	size_t len;
	int dev;
	int target;
	char *win;
	char *swap;
};

FIXTURE_VARIANT(step)
{
	enum peer_kind kind;
};

FIXTURE_VARIANT_ADD(step, anon) { .kind = PEER_ANON };
FIXTURE_VARIANT_ADD(step, memfd) { .kind = PEER_MEMFD };

#define SEED 9

FIXTURE_SETUP(step)
{
	touch_init();
	test_dev_open(&self->dev);
	self->swap = geteuid() ? NULL : zram_swap_new(64 << 20);
	ASSERT_EQ(0, peer_spawn(&self->src));
	self->len = 16 * PAGE;
	self->addr = peer_map(&self->src, variant->kind, RW, self->len, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->addr);
	test_target_open(self->dev, self->src.pidfd, self->src.pid, XMAP_RIGHTS_RW, 0, 0,
			 &self->target);
	test_window_map(self->target, self->addr, self->len, RW, &self->win);
}

FIXTURE_TEARDOWN(step)
{
	peer_end(&self->src);
	if (self->swap)
		zram_swap_end(self->swap);
}

static void *touch_loop(void *arg)
{
	while (!peer_stopped())
		touch(arg);
	return NULL;
}

/* Once munmap() has returned over there nothing is left here. */
TEST_F_TIMEOUT(step, munmap_is_seen_at_once, PEER_TIMEOUT)
{
	int flags = variant->kind == PEER_ANON ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	int rounds = 200 * test_seconds(), i;
	int file = -1, wrong = 0, missed = 0;
	pthread_t racer;
	__u64 value;

	if (variant->kind == PEER_MEMFD) {
		/* The number of the peer's file, which is open over there. */
		file = peer_syscall(&self->src, SYS_memfd_create, "", 0);
		ASSERT_LE(0, file);
		ASSERT_EQ(0, peer_syscall(&self->src, SYS_ftruncate, file, PAGE));
	}
	ASSERT_EQ(0, pthread_create(&racer, NULL, touch_loop, self->win));
	for (i = 1; i <= rounds; i++) {
		ASSERT_EQ((long)self->addr, peer_call(&self->src, peer_op_mmap, self->addr, PAGE,
						      RW, flags | MAP_FIXED, file, 0));
		ASSERT_EQ(0, peer_store(&self->src, self->addr, i));
		missed += touch_load(self->win, &value) || value != (__u64)i;
		ASSERT_EQ(0, peer_munmap(&self->src, self->addr, PAGE));
		wrong += touch(self->win) != SIGBUS;
	}
	peer_set(&peer_ctl->stop, 1);
	ASSERT_EQ(0, pthread_join(racer, NULL));
	EXPECT_EQ(0, missed);
	EXPECT_EQ(0, wrong);
}

/* ---- nothing is pinned ----------------------------------------------------- */

static long status_field(pid_t pid, const char *field)
{
	char path[64], line[256];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, field, strlen(field)))
			value = atol(line + strlen(field));
	fclose(f);
	return value;
}

#define PM_PRESENT 0x8000000000000000ULL
#define PM_PFN 0x007fffffffffffffULL

static __u64 pagemap_entry(pid_t pid, unsigned long addr)
{
	__u64 entry = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (pread(fd, &entry, 8, addr / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return entry;
}

/* How much of the mapping at addr is in swap space, in bytes. */
static long swapped_out(pid_t pid, unsigned long addr)
{
	unsigned long start, end, at = 0;
	char path[64], line[512];
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			at = start;
		if (at == addr && sscanf(line, "Swap: %ld kB", &kb) == 1)
			break;
	}
	fclose(f);
	return kb * 1024;
}

/* Of /proc/kpagecount (mappings) or kpageflags; ~0 without root. */
static __u64 page_info(const char *file, __u64 pfn)
{
	__u64 value = ~0ULL;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return value;
	if (pread(fd, &value, 8, pfn * 8) != 8)
		value = ~0ULL;
	close(fd);
	return value;
}

TEST_F_TIMEOUT(step, counts_stay, PEER_TIMEOUT)
{
	static const char * const fields[] = { "VmPin:", "VmLck:" };
	long pinned[2][2];
	__u64 entry, done;
	size_t i;

	for (i = 0; i < 2; i++) {
		pinned[i][0] = status_field(self->src.pid, fields[i]);
		pinned[i][1] = status_field(getpid(), fields[i]);
	}
	test_target_prefault(self->target, XMAP_TARGET_PREFAULT_WRITE, self->win, self->len, &done);
	EXPECT_EQ(self->len, done);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(pinned[i][0], status_field(self->src.pid, fields[i]));
		EXPECT_EQ(pinned[i][1], status_field(getpid(), fields[i]));
	}
	if (geteuid())
		SKIP(return, "page counts are for root");
	for (i = 0; i < self->len; i += PAGE) {
		entry = pagemap_entry(self->src.pid, self->addr + i);
		ASSERT_NE(0, entry & PM_PRESENT);
		EXPECT_EQ(1, page_info("/proc/kpagecount", entry & PM_PFN));
	}
}

/*
 * A page in a processor's queue for the LRU lists has a reference from there
 * and is not swapped out.  move_pages() empties the queues of all processors
 * first, whatever it then finds to move.
 */
static int drain_queues(void)
{
	void *page = &(int){ 0 };
	int status, node = 0;

	return syscall(SYS_move_pages, 0, 1UL, &page, &node, &status, 0);
}

/* A page with a reference too many cannot be swapped out. */
TEST_F_TIMEOUT(step, swapped_out_under_window, PEER_TIMEOUT)
{
	struct xmap_cmd_target_info info;
	unsigned int round;

	if (!self->swap)
		SKIP(return, "no swap on zram here");
	for (round = 0; round < 5; round++) {
		EXPECT_EQ(0, peer_check_here(self->win, self->len, SEED + round));
		peer_fill_here(self->win, self->len, SEED + round + 1);
		test_target_info(self->target, &info);
		ASSERT_EQ(1, info.out_windows);

		ASSERT_EQ(0, drain_queues());
		ASSERT_EQ(0, peer_madvise(&self->src, self->addr, self->len, MADV_PAGEOUT));
		EXPECT_EQ(self->len, swapped_out(self->src.pid, self->addr));
		/* Half of it comes back by the window, half by the source. */
		EXPECT_EQ(0, peer_check_here(self->win, self->len / 2, SEED + round + 1));
		EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED + round + 1));
	}
}

/* A store by the window is a store: reclaim must not take the page as clean. */
TEST_F_TIMEOUT(step, store_after_free_is_kept, PEER_TIMEOUT)
{
	int round;

	if (variant->kind != PEER_ANON)
		return;
	if (!self->swap)
		SKIP(return, "no swap on zram here");
	for (round = 0; round < 20; round++) {
		/* Populated and writable, then declared free, then stored to. */
		peer_fill_here(self->win, self->len, SEED);
		ASSERT_EQ(0, peer_madvise(&self->src, self->addr, self->len, MADV_FREE));
		peer_fill_here(self->win, self->len, SEED + 1);
		ASSERT_EQ(0, peer_madvise(&self->src, self->addr, self->len, MADV_PAGEOUT));
		EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED + 1));
		EXPECT_EQ(0, peer_check_here(self->win, self->len, SEED + 1));

		/* Loaded from in between: the entry for it must not take stores. */
		ASSERT_EQ(0, peer_madvise(&self->src, self->addr, self->len, MADV_FREE));
		EXPECT_EQ(0, touch(self->win));
		peer_fill_here(self->win, self->len, SEED + 2);
		ASSERT_EQ(0, peer_madvise(&self->src, self->addr, self->len, MADV_PAGEOUT));
		EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED + 2));
	}
}

/* A huge page whose memory is given back while the window stands. */
TEST(hugetlb_is_given_back)
{
	unsigned long addr;
	struct peer src;
	__u64 *win;
	long before;

	touch_init();
	if (!peer_want_hugetlb(2))
		SKIP(return, "no huge pages");
	before = xmap_read_long("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
	ASSERT_EQ(0, peer_spawn(&src));
	addr = peer_map(&src, PEER_HUGETLB, RW, PEER_HUGE_SIZE, SEED);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	win = reader_window(src.pid, addr, PEER_HUGE_SIZE, RW);
	ASSERT_NE(MAP_FAILED, win);
	EXPECT_EQ(0, peer_check_here(win, PEER_HUGE_SIZE, SEED));
	EXPECT_STORE(1, win);
	ASSERT_EQ(0, peer_munmap(&src, addr, PEER_HUGE_SIZE));
	EXPECT_EQ(before,
		  xmap_read_long("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"));
	EXPECT_SIGNAL(SIGBUS, win);
	peer_end(&src);
}

/* Pages with extra references cannot be collapsed into a huge one. */
TEST(collapse_under_window)
{
	unsigned long area, addr;
	struct peer src;
	char *win;

	touch_init();
	if (access(THP, F_OK))
		SKIP(return, "no transparent huge pages here");
	ASSERT_EQ(0, peer_spawn(&src));
	area = peer_call(&src, peer_op_mmap, 0, 2 * SPAN, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(PEER_MAP_FAILED, area);
	addr = (area + SPAN - 1) & -SPAN;
	ASSERT_EQ(0, peer_madvise(&src, addr, SPAN, MADV_NOHUGEPAGE));
	ASSERT_EQ(0, peer_fill(&src, addr, SPAN, SEED));
	ASSERT_EQ(0, peer_madvise(&src, addr, SPAN, MADV_HUGEPAGE));
	win = reader_window(src.pid, addr, SPAN, RW);
	ASSERT_NE(MAP_FAILED, win);
	EXPECT_EQ(0, peer_check_here(win, SPAN, SEED));
	peer_fill_here(win, SPAN, SEED + 1);
	ASSERT_EQ(0, peer_madvise(&src, addr, SPAN, MADV_COLLAPSE)) {
		TH_LOG("MADV_COLLAPSE: %s", strerror(errno));
	}
	EXPECT_EQ(0, peer_check_here(win, SPAN, SEED + 1));
	EXPECT_EQ(0, peer_check(&src, addr, SPAN, SEED + 1));
	/* And apart again, with one page taken away. */
	ASSERT_EQ(0, peer_munmap(&src, addr + PAGE, PAGE));
	EXPECT_SIGNAL(SIGBUS, win + PAGE);
	EXPECT_LOAD(peer_word(SEED + 1, 2 * PAGE), win + 2 * PAGE);
	EXPECT_STORE(7, win + 2 * PAGE);
	EXPECT_EQ(7, peer_load(&src, addr + 2 * PAGE));
	peer_end(&src);
}

/* ---- merged pages ---------------------------------------------------------- */

#define KSM "/sys/kernel/mm/ksm/"
#define MERGE_PAGES 32

static bool ksm_start(void)
{
	/*
	 * Since Linux 6.7 a page that was not merged is passed over for up to eight
	 * scans, and more often the longer the stores to it take.
	 */
	if (!access(KSM "smart_scan", F_OK) && xmap_write_long(KSM "smart_scan", 0))
		return false;
	return !xmap_write_long(KSM "pages_to_scan", 1000) &&
	       !xmap_write_long(KSM "sleep_millisecs", 1) && !xmap_write_long(KSM "run", 1);
}

/* Give it a few whole rounds over all memory. */
static void ksm_await_scans(int scans)
{
	long until = xmap_read_long(KSM "full_scans") + scans;

	while (xmap_read_long(KSM "full_scans") < until)
		sched_yield();
}

TEST(merged_by_ksm)
{
	size_t len = MERGE_PAGES * PAGE;
	unsigned long addr, i;
	struct peer src;
	__u64 value;
	char *win;
	int round;

	touch_init();
	if (geteuid() || access(KSM "run", W_OK))
		SKIP(return, "no KSM here");
	ASSERT_EQ(0, peer_spawn(&src));
	addr = peer_map(&src, PEER_ANON, RW, len, SEED);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	win = reader_window(src.pid, addr, len, RW);
	ASSERT_NE(MAP_FAILED, win);
	ASSERT_EQ(0, peer_madvise(&src, addr, len, MADV_MERGEABLE));
	ASSERT_TRUE(ksm_start());
	for (round = 1; round <= 3; round++) {
		/* All pages alike, written through a populated window. */
		for (i = 0; i < len; i += 8)
			EXPECT_STORE(round + i % PAGE, win + i);
		ksm_await_scans(5);
		EXPECT_LT(0, xmap_read_long(KSM "pages_sharing"));
		for (i = 0; i < len; i += PAGE)
			EXPECT_LOAD(round, win + i);

		/* A store into a merged page changes that page and no other. */
		EXPECT_STORE(100 + round, win + 3 * PAGE);
		EXPECT_EQ(100 + round, peer_load(&src, addr + 3 * PAGE));
		ASSERT_EQ(0, peer_store(&src, addr + 5 * PAGE, 200 + round));
		EXPECT_LOAD(200 + round, win + 5 * PAGE);
		for (i = 0; i < MERGE_PAGES; i++) {
			if (i == 3 || i == 5)
				continue;
			value = peer_load(&src, addr + i * PAGE);
			EXPECT_EQ(round, value);
			EXPECT_LOAD(round, win + i * PAGE);
		}
	}
	xmap_write_long(KSM "run", 2);
	for (i = 0; i < MERGE_PAGES; i++)
		EXPECT_EQ(peer_load(&src, addr + i * PAGE), *(__u64 *)(win + i * PAGE));
	xmap_write_long(KSM "run", 0);
	peer_end(&src);
}

TEST_HARNESS_MAIN
