// SPDX-License-Identifier: GPL-2.0-only
/*
 * Things that happen at the same time.  Every call may fail in the ways that
 * its specification names and in no other; nobody hangs; what is read is of the
 * one address space that was opened.
 */
#include "xmap_uffd.h"
#include "xmap_watch.h"
#include "xmap_zram.h"

#include <sys/mount.h>

#define RW (PROT_READ | PROT_WRITE)
#define SEED 4
#define PAGES 16
#define LEN (PAGES * PAGE)

/* Slots of the shared page: first the ones that must rise, then the errors. */
enum { GOOD = 0, OTHER = 1, WRONG = 16, LAST_ERRNO };

static void wrong(int error)
{
	peer_ctl->count[LAST_ERRNO] = error;
	count_up(WRONG);
}

#define EXPECT_NOTHING_WRONG()							\
	({									\
		EXPECT_EQ(0, count_of(WRONG)) {					\
			TH_LOG("last of them: %llu", count_of(LAST_ERRNO));	\
		}								\
	})

FIXTURE(race)
{
	struct peer src;
	unsigned long addr;
	int dev;
	int target;
};

FIXTURE_SETUP(race)
{
	touch_init();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->src));
	self->addr = peer_map(&self->src, PEER_ANON, RW, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->addr);
	test_target_open(self->dev, self->src.pidfd, self->src.pid, XMAP_RIGHTS_RW, 0, 0,
			 &self->target);
}

FIXTURE_TEARDOWN(race)
{
	peer_end(&self->src);
}

/* What a set of threads works on, and how it ends. */
struct work {
	void *(*fn)(void *arg);
	int target;
	unsigned long addr;
	char *win;
};

static void run_threads(struct __test_metadata *_metadata, struct work *work, unsigned int n,
			unsigned int counters, unsigned int seconds)
{
	pthread_t thread[8];
	unsigned int i;
	int stuck;

	for (i = 0; i < n; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, work[i].fn, &work[i]));
	stuck = watch_progress(counters, seconds);
	EXPECT_EQ(-1, stuck);
	peer_set(&peer_ctl->stop, 1);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	EXPECT_NOTHING_WRONG();
}

/* ---- pages that the source frees ------------------------------------------- */

/* Every owner of a page has a number of its own in its first word. */
enum { FRESH, OF_READER, OF_SOURCE, OF_OTHERS };

/*
 * Only the first pages are used, enough of them that most are not held back by
 * some processor's list of new pages.  But the window goes on for so many page tables
 * of the reader.  To walk them takes long, and that is what a zap does between
 * the first entry and the flush of the TLBs.
 */
#define USED 64
#define USED_LEN (USED * PAGE)
#define TABLES 64
#define TABLE_LEN (2UL << 20)
#define WIDE_LEN (TABLES * TABLE_LEN)

/* Counter of the source's loop, behind GOOD and OTHER. */
enum { FREED = 2 };

static void make_tables(char *win)
{
	unsigned int i;

	for (i = 1; i < TABLES; i++)
		touch(win + i * TABLE_LEN);
}

/* Let the reader have the pages in its TLB. */
static void await_stamps(void)
{
	__u64 enough = count_of(GOOD) + 8 * USED;

	while (count_of(GOOD) < enough && !peer_stopped())
		;
}

static void *stamp_window(void *arg)
{
	__u64 rnd = (unsigned long)arg, value;
	struct work *w = arg;
	char *at;
	int sig;

	while (!peer_stopped()) {
		at = w->win + test_random(&rnd) % USED * PAGE;
		sig = touch_store(at, OF_READER);
		if (!sig)
			sig = touch_load(at, &value);
		if (!sig && value > OF_SOURCE)
			wrong(value);
		count_up(GOOD);
	}
	return NULL;
}

static void *stamp_and_unmap(void *arg)
{
	int flags = MAP_SHARED | MAP_FIXED;
	struct work *w = arg;

	while (!peer_stopped()) {
		if (mmap(w->win, WIDE_LEN, RW, flags, w->target, w->addr) != w->win)
			wrong(errno);
		make_tables(w->win);
		await_stamps();
		if (munmap(w->win, WIDE_LEN))
			wrong(errno);
		count_up(OTHER);
	}
	return NULL;
}

/* Whoever gets pages next, outside of the window, has them for itself. */
static void take_fresh(char *mem, size_t len)
{
	__u64 expected, *word;
	unsigned int step;
	size_t off;

	for (step = 0; step < 16; step++) {
		expected = step ? OF_OTHERS : FRESH;
		for (off = 0; off < len; off += PAGE) {
			word = (__u64 *)(mem + off);
			/* This is to get the page, not the first word. */
			__atomic_store_n(word + 1, 1, __ATOMIC_RELAXED);
			if (__atomic_exchange_n(word, OF_OTHERS, __ATOMIC_RELAXED) != expected)
				wrong(1000 + step);
		}
	}
	if (madvise(mem, len, MADV_DONTNEED))
		wrong(errno);
}

/* The source frees page by page and gets them back somewhere else: start, length. */
static long op_stamp_and_free(const unsigned long *a)
{
	unsigned long at;
	char *other;

	other = mmap(NULL, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (other == MAP_FAILED)
		return -1;
	while (!peer_stopped()) {
		for (at = a[0]; at < a[0] + a[1]; at += PAGE) {
			__atomic_store_n((__u64 *)at, OF_SOURCE, __ATOMIC_RELAXED);
			if (madvise((void *)at, PAGE, MADV_DONTNEED))
				wrong(errno);
			if ((at - a[0]) % LEN == LEN - PAGE)
				take_fresh(other, LEN);
		}
		count_up(FREED);
	}
	return 0;
}

/* The whole range leaves the window, but nothing is free yet: start, length. */
static long op_lazyfree(const unsigned long *a)
{
	while (!peer_stopped()) {
		if (madvise((void *)a[0], a[1], MADV_FREE))
			wrong(errno);
		await_stamps();
		count_up(OTHER);
	}
	return 0;
}

FIXTURE(free)
{
	struct peer src;
	unsigned long addr;
	struct work work;
};

FIXTURE_SETUP(free)
{
	touch_init();
	ASSERT_EQ(0, peer_spawn(&self->src));
	self->addr = peer_call(&self->src, peer_op_mmap, 0, WIDE_LEN, RW,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(PEER_MAP_FAILED, self->addr);
	self->work.fn = stamp_window;
	self->work.addr = self->addr;
	self->work.target = reader_target(self->src.pid, XMAP_RIGHTS_RW);
	test_window_map(self->work.target, self->addr, WIDE_LEN, RW, &self->work.win);
	make_tables(self->work.win);
	ASSERT_EQ(0, peer_thread(&self->src, op_stamp_and_free, self->addr, USED_LEN));
}

FIXTURE_TEARDOWN(free)
{
	peer_end(&self->src);
}

/*
 * One thread of the source takes the whole range out of the window.  Another
 * frees pages that are gone from there, but that the reader's processors may
 * still know: it must wait for the first one.
 */
TEST_F_TIMEOUT(free, out_of_reach_during_a_zap, PEER_TIMEOUT)
{
	ASSERT_EQ(0, peer_thread(&self->src, op_lazyfree, self->addr, WIDE_LEN));
	run_threads(_metadata, &self->work, 1, FREED + 1, test_seconds());
}

/* The same while the reader itself takes the window away. */
TEST_F_TIMEOUT(free, out_of_reach_during_munmap, PEER_TIMEOUT)
{
	struct work work[] = { self->work, self->work };

	work[1].fn = stamp_and_unmap;
	run_threads(_metadata, work, 2, FREED + 1, test_seconds());
}

/* ---- exec ------------------------------------------------------------------ */

#define EXEC_ARG "--exec-again"
#define EXEC_PAGE ((__u64 *)0x100000000)

/* Each program in the chain has a number of its own at a place that all have. */
static __attribute__((constructor)) void exec_again(int argc, char **argv)
{
	char next[32];
	int i;

	if (argc != 3 || strcmp(argv[1], EXEC_ARG))
		return;
	if (mmap(EXEC_PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) !=
	    EXEC_PAGE)
		_exit(1);
	EXEC_PAGE[0] = atol(argv[2]);
	/* Stay for a while, so that some opens find this program. */
	for (i = 0; i < 2000; i++)
		syscall(SYS_getppid);
	snprintf(next, sizeof(next), "%ld", atol(argv[2]) + 1);
	execl("/proc/self/exe", argv[0], EXEC_ARG, next, NULL);
	_exit(1);
}

static long op_exec_again(const unsigned long *a)
{
	(void)a;
	execl("/proc/self/exe", "xmap_race_test", EXEC_ARG, "1", NULL);
	return -1;
}

/* A target never changes over to the next program, whatever the moment. */
TEST_F_TIMEOUT(race, open_against_exec, PEER_TIMEOUT)
{
	__u64 until, value[3], opened = 0, read = 0, dead = 0, windows = 0, programs = 0, last = 0;
	int fd, ret, i;
	__u64 *win;

	ASSERT_EQ(0, peer_start(&self->src, op_exec_again, 0));
	ASSERT_EQ(0, peer_await_gone(&self->src));
	until = test_now_ms() + test_short_seconds() * 1000;
	while (test_now_ms() < until || programs < 3) {
		ret = _test_target_open(self->dev, self->src.pidfd, self->src.pid,
					XMAP_RIGHTS_RW, 0, 0, &fd);
		if (ret) {
			if (errno != EAGAIN && errno != ESRCH)
				wrong(errno);
			continue;
		}
		opened++;
		for (i = 0; i < 2; i++) {
			ret = pread(fd, &value[i], 8, (unsigned long)EXEC_PAGE);
			if (ret != 8)
				break;
		}
		if (ret != 8) {
			if (errno != EFAULT && errno != ESRCH)
				wrong(errno);
			dead++;
			close(fd);
			continue;
		}
		read++;
		programs += value[0] && value[0] != last;
		last = value[0];
		/* The page is new and the number is not there yet: 0 is right. */
		if (value[0] && value[1] != value[0])
			wrong(1000);
		win = _test_window_map(fd, (unsigned long)EXEC_PAGE, PAGE, RW);
		if (win == MAP_FAILED) {
			if (errno != ESRCH)
				wrong(errno);
		} else {
			ret = touch_load(win, &value[2]);
			windows += !ret;
			if (ret ? ret != SIGBUS : value[1] && value[2] != value[1])
				wrong(2000);
			munmap(win, PAGE);
		}
		close(fd);
	}
	EXPECT_NOTHING_WRONG();
	EXPECT_LT(1, programs);
	TH_LOG("%llu opened, %llu read, %llu through windows, %llu ended meanwhile, %llu programs",
	       opened, read, windows, dead, programs);
}

/* ---- the end of the source ------------------------------------------------- */

static void *map_touch_unmap(void *arg)
{
	struct work *w = arg;
	__u64 value;
	char *win;
	int sig;

	while (!peer_stopped()) {
		win = _test_window_map(w->target, w->addr, LEN, RW);
		if (win == MAP_FAILED) {
			if (errno != ESRCH)
				wrong(errno);
			break;
		}
		sig = touch_load(win + 8, &value);
		if (sig ? sig != SIGBUS : value != peer_word(SEED, 8))
			wrong(sig);
		sig = touch_store(win + PAGE, 1);
		if (sig && sig != SIGBUS)
			wrong(sig);
		if (munmap(win, LEN))
			wrong(errno);
		peer_set(&peer_ctl->word[0], 1);
	}
	return NULL;
}

static void *derive_loop(void *arg)
{
	struct work *w = arg;
	int fd;

	while (!peer_stopped()) {
		if (_test_target_derive(w->target, XMAP_RIGHT_READ, w->addr, PAGE, &fd)) {
			if (errno != ESRCH)
				wrong(errno);
			break;
		}
		close(fd);
		peer_set(&peer_ctl->word[0], 1);
	}
	return NULL;
}

static void *poll_once(void *arg)
{
	struct work *w = arg;
	struct pollfd pfd = { .fd = w->target };
	int ret;

	peer_set(&peer_ctl->word[0], 1);
	ret = poll(&pfd, 1, -1);
	if (ret != 1 || pfd.revents != POLLHUP)
		wrong(pfd.revents);
	return NULL;
}

static void *prefault_loop(void *arg)
{
	struct work *w = arg;
	__u64 done;
	char *win;

	win = _test_window_map(w->target, w->addr, LEN, RW);
	if (win == MAP_FAILED) {
		if (errno != ESRCH)
			wrong(errno);
		return NULL;
	}
	while (!peer_stopped()) {
		if (_test_target_prefault(w->target, XMAP_TARGET_PREFAULT_WRITE, win, LEN, &done)) {
			/* The pages go first, the address space a moment later. */
			if (errno != ESRCH && errno != EFAULT)
				wrong(errno);
			if (errno == ESRCH)
				break;
		}
		peer_set(&peer_ctl->word[0], 1);
	}
	munmap(win, LEN);
	return NULL;
}

/* One source after the other is killed under threads that all do fn. */
static void against_exit(struct __test_metadata *_metadata, void *(*fn)(void *arg))
{
	__u64 until = test_now_ms() + test_short_seconds() * 1000;
	unsigned int rounds = 0, i;
	struct work work;
	pthread_t t[3];
	struct peer p;

	touch_init();
	while (test_now_ms() < until || rounds < 3) {
		ASSERT_EQ(0, peer_spawn(&p));
		work.addr = peer_map(&p, PEER_ANON, RW, LEN, SEED);
		ASSERT_NE(PEER_MAP_FAILED, work.addr);
		work.target = reader_target(p.pid, XMAP_RIGHTS_RW);
		ASSERT_LE(0, work.target);
		peer_set(&peer_ctl->word[0], 0);
		for (i = 0; i < ARRAY_SIZE(t); i++)
			ASSERT_EQ(0, pthread_create(&t[i], NULL, fn, &work));
		peer_await(&peer_ctl->word[0], 1);
		ASSERT_EQ(0, kill(p.pid, SIGKILL));
		for (i = 0; i < ARRAY_SIZE(t); i++)
			ASSERT_EQ(0, pthread_join(t[i], NULL));
		close(work.target);
		peer_end(&p);
		rounds++;
	}
	EXPECT_NOTHING_WRONG();
}

TEST_F_TIMEOUT(race, map_against_exit, PEER_TIMEOUT)
{
	against_exit(_metadata, map_touch_unmap);
}

TEST_F_TIMEOUT(race, derive_against_exit, PEER_TIMEOUT)
{
	against_exit(_metadata, derive_loop);
}

TEST_F_TIMEOUT(race, poll_against_exit, PEER_TIMEOUT)
{
	against_exit(_metadata, poll_once);
}

TEST_F_TIMEOUT(race, prefault_against_exit, PEER_TIMEOUT)
{
	against_exit(_metadata, prefault_loop);
}

/* ---- threads of one reader against each other ------------------------------ */

static void *touch_window(void *arg)
{
	struct work *w = arg;
	__u64 rnd = (unsigned long)arg, value;
	size_t off;
	int sig;

	while (!peer_stopped()) {
		off = test_random(&rnd) % PAGES * PAGE;
		sig = touch_load(w->win + off, &value);
		if (sig == SIGSEGV)
			continue;
		if (sig || value != peer_word(SEED, off))
			wrong(sig);
		sig = touch_store(w->win + off + 8, peer_word(SEED, off + 8));
		if (sig && sig != SIGSEGV)
			wrong(sig);
		count_up(GOOD);
	}
	return NULL;
}

static void *mprotect_window(void *arg)
{
	static const int prot[] = { PROT_READ, RW, PROT_NONE, RW };
	struct work *w = arg;
	unsigned int i;

	for (i = 0; !peer_stopped(); i++) {
		if (mprotect(w->win, LEN, prot[i % 4]))
			wrong(errno);
		count_up(OTHER);
	}
	mprotect(w->win, LEN, RW);
	return NULL;
}

TEST_F_TIMEOUT(race, faults_against_mprotect, PEER_TIMEOUT)
{
	struct work work[3];
	char *win;

	test_window_map(self->target, self->addr, LEN, RW, &win);
	work[0] = (struct work){ .fn = touch_window, .win = win };
	work[1] = work[0];
	work[2] = (struct work){ .fn = mprotect_window, .win = win };
	run_threads(_metadata, work, 3, 2, test_short_seconds());
	EXPECT_EQ(0, peer_check_here(win, LEN, SEED));
	EXPECT_STORE(1, win);
	EXPECT_EQ(1, peer_load(&self->src, self->addr));
}

/* A window over a window, at the same place, again and again. */
static void *remap_window(void *arg)
{
	struct work *w = arg;
	void *win;

	while (!peer_stopped()) {
		win = mmap(w->win, LEN, RW, MAP_SHARED | MAP_FIXED, w->target, w->addr);
		if (win != w->win)
			wrong(errno);
		count_up(OTHER);
	}
	return NULL;
}

TEST_F_TIMEOUT(race, faults_against_remapping, PEER_TIMEOUT)
{
	struct work work[3];
	char *win;

	test_window_map(self->target, self->addr, LEN, RW, &win);
	work[0] = (struct work){ .fn = touch_window, .win = win };
	work[1] = work[0];
	work[2] = (struct work){ .fn = remap_window, .win = win, .addr = self->addr,
				 .target = self->target };
	run_threads(_metadata, work, 3, 2, test_short_seconds());
	EXPECT_EQ(0, peer_check_here(win, LEN, SEED));
	EXPECT_EQ(0, peer_check(&self->src, self->addr, LEN, SEED));
}

/* Now a window, now something else, now nothing. */
static void *unmap_window(void *arg)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	struct work *w = arg;
	void *win;

	while (!peer_stopped()) {
		if (munmap(w->win, LEN))
			wrong(errno);
		win = mmap(w->win, LEN, RW, MAP_SHARED | MAP_FIXED, w->target, w->addr);
		if (win != w->win)
			wrong(errno);
		sched_yield();
		win = mmap(w->win, LEN, PROT_NONE, flags, -1, 0);
		if (win != w->win)
			wrong(errno);
		count_up(OTHER);
	}
	return NULL;
}

static void *prefault_window(void *arg)
{
	struct work *w = arg;
	__u64 done;

	while (!peer_stopped()) {
		if (_test_target_prefault(w->target, XMAP_TARGET_PREFAULT_WRITE, w->win, LEN,
					  &done) && errno != EINVAL)
			wrong(errno);
		count_up(GOOD);
	}
	return NULL;
}

TEST_F_TIMEOUT(race, prefault_against_munmap, PEER_TIMEOUT)
{
	struct work work[3];
	char *win;

	test_window_map(self->target, self->addr, LEN, RW, &win);
	work[0] = (struct work){ .fn = prefault_window, .win = win, .addr = self->addr,
				 .target = self->target };
	work[1] = work[0];
	work[2] = work[0];
	work[2].fn = unmap_window;
	run_threads(_metadata, work, 3, 2, test_short_seconds());
	EXPECT_EQ(0, peer_check(&self->src, self->addr, LEN, SEED));
}

/* The last descriptor goes while threads fault in its window. */
TEST_F_TIMEOUT(race, faults_against_close, PEER_TIMEOUT)
{
	__u64 until = test_now_ms() + test_short_seconds() * 1000;
	struct work work = { .fn = touch_window };
	pthread_t thread;
	int fd;

	while (test_now_ms() < until) {
		test_target_open(self->dev, self->src.pidfd, self->src.pid, XMAP_RIGHTS_RW, 0, 0,
				 &fd);
		test_window_map(fd, self->addr, LEN, RW, &work.win);
		peer_set(&peer_ctl->stop, 0);
		ASSERT_EQ(0, pthread_create(&thread, NULL, touch_window, &work));
		ASSERT_EQ(0, close(fd));
		ASSERT_EQ(0, peer_madvise(&self->src, self->addr, LEN, MADV_COLD));
		peer_set(&peer_ctl->stop, 1);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		ASSERT_EQ(0, munmap(work.win, LEN));
	}
	EXPECT_NOTHING_WRONG();
	EXPECT_EQ(0, peer_check(&self->src, self->addr, LEN, SEED));
}

/* ---- several readers against the source ------------------------------------ */

/* Start, length, counter: there, with the pattern or not yet, or not there. */
static long op_come_and_go(const unsigned long *a)
{
	while (!peer_stopped()) {
		if (mmap((void *)a[0], a[1], RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
		    (void *)a[0])
			wrong(errno);
		peer_fill_here((void *)a[0], a[1], SEED);
		if (munmap((void *)a[0], a[1]))
			wrong(errno);
		count_up(a[2]);
	}
	return 0;
}

static long op_read_what_is_there(const unsigned long *a)
{
	__u64 rnd = a[2], value;
	size_t off;
	int sig;

	while (!peer_stopped()) {
		off = test_random(&rnd) % (a[1] / 8) * 8;
		sig = touch_load((void *)(a[0] + off), &value);
		if (sig ? sig != SIGBUS : value && value != peer_word(SEED, off))
			wrong(sig);
		count_up(a[2]);
	}
	return 0;
}

TEST_F_TIMEOUT(race, many_readers_against_munmap, PEER_TIMEOUT)
{
	enum { NR = 3 };
	struct peer reader[NR];
	unsigned long win;
	int i;

	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, peer_spawn(&reader[i]));
		win = peer_window(&reader[i], self->src.pid, self->addr, LEN, RW);
		ASSERT_NE(PEER_MAP_FAILED, win);
		ASSERT_EQ(0, peer_thread(&reader[i], op_read_what_is_there, win, LEN, 1 + i));
		ASSERT_EQ(0, peer_thread(&reader[i], op_read_what_is_there, win, LEN, 1 + i));
	}
	ASSERT_EQ(0, peer_thread(&self->src, op_come_and_go, self->addr, LEN, 0));
	EXPECT_EQ(-1, watch_progress(1 + NR, test_seconds()));
	EXPECT_NOTHING_WRONG();
	EXPECT_TRUE(watch_kill(&reader[0]));
	EXPECT_TRUE(watch_kill(&self->src));
	for (i = 0; i < NR; i++)
		peer_end(&reader[i]);
}

/* ---- faults that take long ------------------------------------------------- */

#define SLOW 40
#define SLOW_LEN (SLOW * PAGE)

struct slow {
	pthread_t thread;
	char *at;
	__u64 value;
	int sig;
};

static void *slow_touch(void *arg)
{
	struct slow *s = arg;

	s->sig = touch_load(s->at, &s->value);
	return NULL;
}

/* So many faults wait at a time; each gets its own page in the end. */
TEST_F_TIMEOUT(race, many_slow_faults, PEER_TIMEOUT)
{
	static __u64 page[512];
	struct uffdio_copy copy = { .src = (unsigned long)page, .len = PAGE };
	static struct slow slow[SLOW];
	bool seen[SLOW] = {};
	struct uffd_msg msg;
	unsigned long addr;
	unsigned int i, n;
	char *win;
	int uffd;

	addr = peer_call(&self->src, peer_op_mmap, 0, SLOW_LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	uffd = peer_call(&self->src, peer_op_uffd, addr, SLOW_LEN);
	if (uffd < 0 && errno == EPERM)
		SKIP(return, "userfaultfd for the kernel's faults is not allowed");
	ASSERT_LE(0, uffd);
	uffd = syscall(SYS_pidfd_getfd, self->src.pidfd, uffd, 0);
	ASSERT_LE(0, uffd);

	test_window_map(self->target, addr, SLOW_LEN, RW, &win);
	for (i = 0; i < SLOW; i++) {
		slow[i] = (struct slow){ .at = win + i * PAGE };
		ASSERT_EQ(0, pthread_create(&slow[i].thread, NULL, slow_touch, &slow[i]));
	}
	/* None is answered before all have asked. */
	for (n = 0; n < SLOW;) {
		ASSERT_EQ((ssize_t)sizeof(msg), read(uffd, &msg, sizeof(msg)));
		ASSERT_EQ(UFFD_EVENT_PAGEFAULT, msg.event);
		i = (msg.arg.pagefault.address - addr) / PAGE;
		ASSERT_GT(SLOW, i);
		n += !seen[i];
		seen[i] = true;
	}
	for (i = 0; i < SLOW; i++) {
		page[0] = 1000 + i;
		copy.dst = addr + i * PAGE;
		ASSERT_EQ(0, ioctl(uffd, UFFDIO_COPY, &copy));
	}
	for (i = 0; i < SLOW; i++) {
		ASSERT_EQ(0, pthread_join(slow[i].thread, NULL));
		EXPECT_EQ(0, slow[i].sig);
		EXPECT_EQ(1000 + i, slow[i].value);
	}
}

/* The same with pages that are in swap space. */
TEST_F_TIMEOUT(race, many_faults_from_swap, PEER_TIMEOUT)
{
	static struct slow slow[SLOW];
	unsigned int i, round;
	unsigned long addr;
	char *win, *swap;

	swap = geteuid() ? NULL : zram_swap_new(64 << 20);
	if (!swap)
		SKIP(return, "no swap on zram here");
	addr = peer_map(&self->src, PEER_ANON, RW, SLOW_LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	test_window_map(self->target, addr, SLOW_LEN, RW, &win);
	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, peer_madvise(&self->src, addr, SLOW_LEN, MADV_PAGEOUT));
		for (i = 0; i < SLOW; i++) {
			slow[i] = (struct slow){ .at = win + i * PAGE };
			ASSERT_EQ(0, pthread_create(&slow[i].thread, NULL, slow_touch, &slow[i]));
		}
		for (i = 0; i < SLOW; i++) {
			ASSERT_EQ(0, pthread_join(slow[i].thread, NULL));
			EXPECT_EQ(0, slow[i].sig);
			EXPECT_EQ(peer_word(SEED, i * PAGE), slow[i].value);
		}
	}
	EXPECT_EQ(0, munmap(win, SLOW_LEN));
	peer_end(&self->src);
	EXPECT_EQ(0, zram_swap_end(swap));
}

/*
 * The threads that wait in the source's memory keep it for as long: the first
 * touches may find the zeroes that are there, and in the end there is nothing.
 */
static long op_touch_to_the_end(const unsigned long *a)
{
	__u64 value;
	int sig;

	while (!(sig = touch_load((void *)a[0], &value))) {
		if (value)
			wrong(0);
		sched_yield();
	}
	if (sig != SIGBUS)
		wrong(sig);
	count_up(a[1]);
	return 0;
}

/*
 * Wait until a fault has come to the descriptor; it is not read.  There is no
 * polling of one that blocks.
 */
static bool await_fault(int uffd)
{
	struct pollfd pfd = { .fd = uffd, .events = POLLIN };

	fcntl(uffd, F_SETFL, O_NONBLOCK);
	return poll(&pfd, 1, -1) == 1 && pfd.revents == POLLIN;
}

/* Nobody ever answers: the waiting reader and the source can both be killed. */
TEST_F_TIMEOUT(race, kill_during_slow_faults, PEER_TIMEOUT)
{
	unsigned long addr, win;
	struct peer reader;
	int uffd, i;

	ASSERT_EQ(0, peer_spawn(&reader));
	addr = peer_call(&self->src, peer_op_mmap, 0, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	uffd = peer_call(&self->src, peer_op_uffd, addr, LEN);
	if (uffd < 0 && errno == EPERM)
		SKIP(return, "userfaultfd for the kernel's faults is not allowed");
	ASSERT_LE(0, uffd);
	uffd = syscall(SYS_pidfd_getfd, self->src.pidfd, uffd, 0);
	ASSERT_LE(0, uffd);
	win = peer_window(&reader, self->src.pid, addr, LEN, RW);
	ASSERT_NE(PEER_MAP_FAILED, win);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, peer_thread(&reader, op_touch_to_the_end, win + i * PAGE, OTHER));
	ASSERT_TRUE(await_fault(uffd));

	/* The reader's other threads are not held up by it. */
	ASSERT_NE(-1, peer_call(&reader, peer_op_mmap, 0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS,
				-1, 0));
	ASSERT_NE(PEER_MAP_FAILED, peer_window(&reader, self->src.pid, addr, PAGE, PROT_READ));
	EXPECT_TRUE(watch_kill(&reader));
	EXPECT_TRUE(watch_kill(&self->src));
	close(uffd);
	peer_end(&reader);
}

/* The source dies while a reader waits for it: that is SIGBUS for the reader. */
TEST_F_TIMEOUT(race, source_dies_during_slow_faults, PEER_TIMEOUT)
{
	unsigned long addr, win;
	struct peer reader;
	int uffd, fd, i;

	ASSERT_EQ(0, peer_spawn(&reader));
	addr = peer_call(&self->src, peer_op_mmap, 0, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	uffd = peer_call(&self->src, peer_op_uffd, addr, LEN);
	if (uffd < 0 && errno == EPERM)
		SKIP(return, "userfaultfd for the kernel's faults is not allowed");
	ASSERT_LE(0, uffd);
	win = peer_window(&reader, self->src.pid, addr, LEN, RW);
	ASSERT_NE(PEER_MAP_FAILED, win);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, peer_thread(&reader, op_touch_to_the_end, win + i * PAGE, OTHER));
	/* The source alone has the descriptor when it dies. */
	fd = syscall(SYS_pidfd_getfd, self->src.pidfd, uffd, 0);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(await_fault(fd));
	close(fd);
	EXPECT_TRUE(watch_kill(&self->src));
	while (count_of(OTHER) < 3)
		sched_yield();
	EXPECT_NOTHING_WRONG();
	peer_end(&reader);
}

/* Threads that wait for pages take nothing away from one that need not wait. */
TEST_F_TIMEOUT(race, hole_answers_while_many_wait, PEER_TIMEOUT)
{
	enum { WAITING = 24, HOLE = WAITING, PRESENT, NR };
	struct timespec until;
	struct slow slow[NR];
	unsigned long addr;
	struct uffd_msg msg;
	bool seen[WAITING] = {};
	unsigned int i, n;
	char *win;
	int uffd;

	addr = peer_call(&self->src, peer_op_mmap, 0, NR * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	ASSERT_EQ(0, peer_munmap(&self->src, addr + HOLE * PAGE, PAGE));
	ASSERT_EQ(0, peer_store(&self->src, addr + PRESENT * PAGE, 7));
	uffd = peer_call(&self->src, peer_op_uffd, addr, WAITING * PAGE);
	if (uffd < 0 && errno == EPERM)
		SKIP(return, "userfaultfd for the kernel's faults is not allowed");
	ASSERT_LE(0, uffd);
	uffd = syscall(SYS_pidfd_getfd, self->src.pidfd, uffd, 0);
	ASSERT_LE(0, uffd);

	test_window_map(self->target, addr, NR * PAGE, RW, &win);
	for (i = 0; i < NR; i++) {
		slow[i] = (struct slow){ .at = win + i * PAGE, .sig = -1, .value = ~0ULL };
		if (i < WAITING)
			ASSERT_EQ(0, pthread_create(&slow[i].thread, NULL, slow_touch, &slow[i]));
	}
	for (n = 0; n < WAITING;) {
		ASSERT_EQ((ssize_t)sizeof(msg), read(uffd, &msg, sizeof(msg)));
		i = (msg.arg.pagefault.address - addr) / PAGE;
		ASSERT_GT(WAITING, i);
		n += !seen[i];
		seen[i] = true;
	}
	for (i = HOLE; i < NR; i++)
		ASSERT_EQ(0, pthread_create(&slow[i].thread, NULL, slow_touch, &slow[i]));
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 4 * WATCH_PATIENCE;
	for (i = HOLE; i < NR; i++)
		ASSERT_EQ(0, pthread_timedjoin_np(slow[i].thread, NULL, &until));
	EXPECT_EQ(SIGBUS, slow[HOLE].sig);
	EXPECT_EQ(0, slow[PRESENT].sig);
	EXPECT_EQ(7, slow[PRESENT].value);

	/* Now nobody has to answer: new pages are empty. */
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_UNREGISTER,
			   &(struct uffdio_range){ .start = addr, .len = WAITING * PAGE }));
	for (i = 0; i < WAITING; i++) {
		ASSERT_EQ(0, pthread_join(slow[i].thread, NULL));
		EXPECT_EQ(0, slow[i].sig);
		EXPECT_EQ(0, slow[i].value);
	}
}

/* ---- faults that are left by a signal -------------------------------------- */

/* About twice as long as a touch of a hole takes in an emulated machine. */
#define LEAVE_NS 200000

static void leave(int sig)
{
	if (touch_armed)
		touch_handler(sig);
}

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* What the words of the shared page say: the round that is wanted, on, over. */
enum { WANTED, ON, OVER };

/* One signal for each round, some time after it is on. */
static void *signal_rounds(void *arg)
{
	__u64 rnd = 1, until;
	__u32 round;

	for (round = 1;; round++) {
		peer_await(&peer_ctl->word[WANTED], round);
		if (peer_stopped())
			return NULL;
		until = now_ns() + test_random(&rnd) % LEAVE_NS;
		__atomic_store_n(&peer_ctl->word[ON], round, __ATOMIC_SEQ_CST);
		while (now_ns() < until)
			;
		if (pthread_kill(*(pthread_t *)arg, SIGUSR1))
			wrong(errno);
		peer_set(&peer_ctl->word[OVER], round);
	}
}

/*
 * A touch of a hole is left by a signal.  What it found out is no answer to the
 * next touch, when there is memory.
 */
TEST_F_TIMEOUT(race, error_is_not_remembered, PEER_TIMEOUT)
{
	struct sigaction sa = { .sa_handler = leave, .sa_flags = SA_NODEFER };
	__u64 until = test_now_ms() + test_short_seconds() * 1000;
	unsigned int round, left = 0, answered = 0;
	pthread_t self_thread = pthread_self(), thread;
	char *win;
	int sig;

	sigaction(SIGUSR1, &sa, NULL);
	test_window_map(self->target, self->addr, LEN, RW, &win);
	ASSERT_EQ(0, peer_munmap(&self->src, self->addr, PAGE));
	ASSERT_EQ(0, pthread_create(&thread, NULL, signal_rounds, &self_thread));
	for (round = 1; test_now_ms() < until || !left || !answered; round++) {
		peer_set(&peer_ctl->word[WANTED], round);
		while (__atomic_load_n(&peer_ctl->word[ON], __ATOMIC_SEQ_CST) != round)
			;
		sig = touch(win);
		left += sig == SIGUSR1;
		answered += sig == SIGBUS;
		ASSERT_TRUE(sig == SIGUSR1 || sig == SIGBUS);
		/* Once the signal has been sent, no system call returns without it. */
		peer_await(&peer_ctl->word[OVER], round);
		ASSERT_NE(-1, peer_mmap_over(&self->src, self->addr, PAGE, RW));
		ASSERT_EQ(0, touch(win)) {
			TH_LOG("round %u, %u of them left by the signal", round, left);
		}
		ASSERT_EQ(0, peer_munmap(&self->src, self->addr, PAGE));
	}
	peer_set(&peer_ctl->stop, 1);
	peer_set(&peer_ctl->word[WANTED], round);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_NOTHING_WRONG();
	TH_LOG("%u touches left by the signal, %u answered", left, answered);
}

/* ---- memory taken from the dying ------------------------------------------- */

#define BIG (16UL << 20)

TEST_F_TIMEOUT(race, process_mrelease, PEER_TIMEOUT)
{
	int round, ret, reaped = 0;
	unsigned long addr;
	struct peer p;
	char *win;

	for (round = 0; round < 10; round++) {
		ASSERT_EQ(0, peer_spawn(&p));
		addr = peer_map(&p, PEER_ANON, RW, BIG, SEED);
		ASSERT_NE(PEER_MAP_FAILED, addr);
		win = reader_window(p.pid, addr, BIG, RW);
		ASSERT_NE(MAP_FAILED, win);
		/* Populated all over in every second round. */
		if (round % 2)
			EXPECT_EQ(0, peer_check_here(win, BIG, SEED));
		ASSERT_EQ(0, kill(p.pid, SIGKILL));
		ret = syscall(SYS_process_mrelease, p.pidfd, 0);
		reaped += !ret;
		if (ret && errno != EAGAIN && errno != ESRCH)
			EXPECT_EQ(0, errno);
		ASSERT_EQ(0, peer_await_gone(&p));
		EXPECT_SIGNAL(SIGBUS, win);
		EXPECT_SIGNAL(SIGBUS, win + BIG - PAGE);
		EXPECT_EQ(0, munmap(win, BIG));
		peer_end(&p);
	}
	TH_LOG("%d of %d were reaped", reaped, round);
}

#define CGROUP "/sys/fs/cgroup"
#define GROUP CGROUP "/xmap-test"

static bool cgroup_make(void)
{
	if (access(CGROUP "/cgroup.controllers", F_OK) &&
	    mount("cgroup2", CGROUP, "cgroup2", 0, NULL))
		return false;
	xmap_write_file(CGROUP "/cgroup.subtree_control", "+memory");
	rmdir(GROUP);
	return !mkdir(GROUP, 0755) && !xmap_write_file(GROUP "/memory.max", "33554432") &&
	       !xmap_write_file(GROUP "/memory.oom.group", "0");
}

static long op_join_group(const unsigned long *a)
{
	(void)a;
	return xmap_write_file(GROUP "/cgroup.procs", "0");
}

static long op_eat(const unsigned long *a)
{
	char *mem;

	(void)a;
	for (;;) {
		mem = mmap(NULL, BIG, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (mem == MAP_FAILED)
			return -1;
	}
}

TEST_F_TIMEOUT(race, out_of_memory, PEER_TIMEOUT)
{
	unsigned long addr;
	int status, round;
	struct work work;
	pthread_t thread;
	struct peer p;

	if (geteuid() || !cgroup_make())
		SKIP(return, "no memory control group of one's own");
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, peer_spawn(&p));
		ASSERT_EQ(0, peer_call(&p, op_join_group, 0));
		addr = peer_map(&p, PEER_ANON, RW, LEN, SEED);
		ASSERT_NE(PEER_MAP_FAILED, addr);
		work.win = reader_window(p.pid, addr, LEN, RW);
		ASSERT_NE(MAP_FAILED, work.win);
		EXPECT_EQ(0, peer_check_here(work.win, LEN, SEED));
		peer_set(&peer_ctl->stop, 0);
		ASSERT_EQ(0, pthread_create(&thread, NULL, touch_window, &work));

		ASSERT_EQ(0, peer_start(&p, op_eat, 0));
		ASSERT_EQ(p.pid, waitpid(p.pid, &status, 0));
		p.pid = 0;
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_EQ(SIGKILL, WTERMSIG(status));
		EXPECT_SIGNAL(SIGBUS, work.win);
		peer_set(&peer_ctl->stop, 1);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(0, munmap(work.win, LEN));
		peer_end(&p);
	}
	EXPECT_EQ(0, rmdir(GROUP));
}

TEST_HARNESS_MAIN
