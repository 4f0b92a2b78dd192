// SPDX-License-Identifier: GPL-2.0-only
/*
 * A worker: makes programs, runs them, keeps those that did something new, and
 * looks into those that found something.
 *
 * New is an instruction of the module that no program has reached, by KCOV; or
 * without it, a new pair of results of calls in a row.  A single worker goes by
 * neither, so that its programs depend on nothing but the seed.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "fuzz.h"

#define UNPRIVILEGED 65534
#define MINIMISE_SECONDS 30
#define MINIMISE_TRIES 4
#define SAVED_PER_VERDICT 3
/* Where it is known that something stays for ever. */
#define LATE_MS_AGAIN 300

struct shared *shared;

/* Where the module's text is as KCOV reports it; 0 without KCOV. */
static unsigned long text_base;

bool work_guided(void)
{
	return text_base;
}

/* Half of them are somebody who may do nothing special, each another one. */
uid_t worker_uid(unsigned int nr)
{
	return nr % 2 ? UNPRIVILEGED - nr / 2 : 0;
}

static unsigned long read_hex(const char *path)
{
	unsigned long value = 0;
	FILE *f = fopen(path, "r");

	if (!f)
		return 0;
	if (fscanf(f, "%lx", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

/* KCOV takes away what the kernel's base was moved by. */
static unsigned long kernel_moved_by(void)
{
	unsigned long addr, moved = 0;
	char type, name[256];
	FILE *f = fopen("/proc/kallsyms", "r");

	while (f && fscanf(f, "%lx %c %255s%*[^\n]", &addr, &type, name) == 3) {
		if (!strcmp(name, "_text")) {
			moved = addr - 0xffffffff81000000;
			break;
		}
	}
	if (f)
		fclose(f);
	return moved;
}

void work_setup(void)
{
	unsigned long text = read_hex("/sys/module/xmap/sections/.text");

	if (text && !access("/sys/kernel/debug/kcov", R_OK | W_OK))
		text_base = text - kernel_moved_by();
}

/* ---- What is new ---- */

static bool mark(__u8 *map, __u32 at, __u32 *count)
{
	if (map[at] || __atomic_exchange_n(&map[at], 1, __ATOMIC_RELAXED))
		return false;
	__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
	return true;
}

static bool new_cover(const struct executor *x)
{
	bool new = false;
	int i;

	for (i = 0; i < ACTORS; i++) {
		const unsigned long *area = x->kcov[i].area;
		unsigned long n = area ? __atomic_load_n(area, __ATOMIC_RELAXED) : 0;

		for (; n; n--) {
			unsigned long at = area[n] - text_base;

			if (at < COVER_ROOM)
				new |= mark(shared->cover, at, &shared->ncovered);
		}
	}
	return new;
}

static bool new_results(const struct run *r)
{
	__u32 before = 0, now, i;
	bool new = false;

	for (i = 0; i < r->prog.n; i++) {
		if (r->err[i] < 0)
			continue;
		now = r->prog.call[i].nr * 256 + (r->err[i] & 255) + 1;
		new |= mark(shared->results, (before * 31 + now * 7919) & 0xffff,
			    &shared->nresults);
		before = now;
	}
	return new;
}

static void lock(void)
{
	while (__atomic_exchange_n(&shared->lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void unlock(void)
{
	__atomic_store_n(&shared->lock, 0, __ATOMIC_RELEASE);
}

static void keep(struct rng *r, const struct prog *p)
{
	lock();
	if (shared->ncorpus < MAX_CORPUS)
		shared->corpus[shared->ncorpus++] = *p;
	else
		shared->corpus[rng_below(r, MAX_CORPUS)] = *p;
	unlock();
}

/* ---- Programs ---- */

static void next_program(struct rng *r, struct prog *p)
{
	struct prog other;

	if (!shared->ncorpus || rng_one_in(r, 3)) {
		prog_generate(r, p);
		return;
	}
	lock();
	*p = shared->corpus[rng_below(r, shared->ncorpus)];
	other = shared->corpus[rng_below(r, shared->ncorpus)];
	unlock();
	prog_mutate(r, p, &other);
}

static bool worth_keeping(struct rng *r, const struct executor *x)
{
	bool alone = opts.workers == 1, chance = alone && rng_one_in(r, 8);
	bool new = false;

	if (!x)
		return chance;
	if (text_base)
		new = new_cover(x);
	new |= new_results(x->run) && !text_base;
	return alone ? chance : new;
}

/* The first @n programs of a single worker, as it would run them. */
void work_print(unsigned int n)
{
	static char text[PROG_TEXT];
	struct prog p;
	struct rng r;
	unsigned int i;

	opts.workers = 1;
	rng_seed(&r, opts.seed);
	for (i = 0; i < n; i++) {
		next_program(&r, &p);
		prog_print(&p, text, sizeof(text));
		printf("=== program %u\n%s", i, text);
		if (worth_keeping(&r, NULL))
			keep(&r, &p);
	}
}

/* ---- What is found ---- */

struct again {
	struct executor *x;
	enum verdict verdict;
};

static bool happens_again(const struct prog *p, void *data)
{
	struct again *again = data;
	int i;

	for (i = 0; i < MINIMISE_TRIES && !shared->stop; i++)
		if (execute(again->x, p) == again->verdict)
			return true;
	return false;
}

static void found(struct executor *x, unsigned int nr, enum verdict verdict)
{
	struct again again = { .x = x, .verdict = verdict };
	struct prog p = x->run->prog;
	char name[64], why[sizeof(x->run->why)];
	unsigned int late_ms;
	__u32 count;

	__atomic_add_fetch(&shared->nfailed, 1, __ATOMIC_RELAXED);
	count = __atomic_add_fetch(&shared->failed[verdict], 1, __ATOMIC_RELAXED);
	if (count > SAVED_PER_VERDICT)
		return;
	memcpy(why, x->run->why, sizeof(why));
	snprintf(name, sizeof(name), "%s-%u", verdict_names[verdict], count);
	prog_save(name, &p, why, x->uid);
	if (count == 1)
		finding_keep(verdict, &p, why, x->uid);
	/* Each try of a hang takes its time, and what cannot be killed stays. */
	if (verdict == BAD_HANG || verdict == BAD_STUCK)
		return;
	late_ms = x->late_ms;
	x->late_ms = LATE_MS_AGAIN;
	if (happens_again(&p, &again)) {
		prog_minimise(&p, happens_again, &again, MINIMISE_SECONDS);
		snprintf(name, sizeof(name), "%s-%u-small", verdict_names[verdict], count);
		prog_save(name, &p, why, x->uid);
		if (count == 1)
			finding_keep(verdict, &p, why, x->uid);
	}
	x->late_ms = late_ms;
}

int worker_main(unsigned int nr)
{
	int ring = ring_open(nr);
	enum verdict verdict;
	struct executor x;
	struct prog p;
	struct rng r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	madvise(shared, sizeof(*shared), MADV_DONTFORK);
	executor_open(&x, nr, text_base);
	rng_seed(&r, opts.seed + nr * 0x10001);
	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		next_program(&r, &p);
		ring_write(ring, nr, shared->executions[nr], &p);
		verdict = execute(&x, &p);
		shared->executions[nr]++;
		shared->calls[nr] += x.run->calls;
		if (worth_keeping(&r, &x))
			keep(&r, &p);
		if (verdict != FINE)
			found(&x, nr, verdict);
		if (verdict == BAD_STUCK)
			return 1;
	}
	return 0;
}

/* Offsets in the module's text, for addr2line. */
void work_save_cover(void)
{
	char path[300];
	__u32 i;
	FILE *f;

	snprintf(path, sizeof(path), "%s/covered.txt", opts.dir);
	f = fopen(path, "w");
	if (!f)
		return;
	for (i = 0; i < COVER_ROOM; i++)
		if (shared->cover[i])
			fprintf(f, "%#x\n", i);
	fclose(f);
}
