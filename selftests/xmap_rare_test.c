// SPDX-License-Identifier: GPL-2.0-only
/*
 * What hardly ever happens, made to happen: locks that stay taken, pages that
 * are poisoned or locked, faults that must not wait, results that nobody asks
 * for any more, and windows across the borders of page tables.
 */
#include "xmap_hold.h"
#include "xmap_uffd.h"

#define RW (PROT_READ | PROT_WRITE)
#define SEED 3
#define PAGES 4UL
#define LEN (PAGES * PAGE)

FIXTURE(rare)
{
	struct peer src;
	struct hold hold;
	unsigned long addr;
	int target;
	int dev;
};

FIXTURE_SETUP(rare)
{
	touch_init();
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->src));
	self->addr = peer_map(&self->src, PEER_ANON, RW, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->addr);
	self->target = reader_target(self->src.pid, XMAP_RIGHTS_RW);
	ASSERT_LE(0, self->target);
}

FIXTURE_TEARDOWN(rare)
{
	if (self->hold.mem)
		hold_end(&self->hold);
	peer_end(&self->src);
	close(self->target);
	close(self->dev);
}

/* ---- the source's lock stays taken ------------------------------------------ */

/* Arguments of all: device, target, address there, window. */
static long op_maps(const unsigned long *a)
{
	static char buf[8192];
	struct xmap_cmd_target_maps maps;

	return _test_target_maps(a[1], 0, buf, sizeof(buf), &maps);
}

static long op_pread(const unsigned long *a)
{
	__u64 word;

	return pread(a[1], &word, 8, a[2]);
}

static long op_transfer(const unsigned long *a)
{
	__u64 word[2];
	struct xmap_transfer e[] = {
		{ .fd = a[1], .remote = a[2], .local = (uintptr_t)&word[0], .length = 8 },
		{ .fd = a[1], .remote = a[2], .local = (uintptr_t)&word[1], .length = 8 },
	};
	__u32 done;

	return _test_transfer(a[0], e, ARRAY_SIZE(e), &done);
}

static long op_prefault(const unsigned long *a)
{
	__u64 done;

	return _test_target_prefault(a[1], 0, (void *)a[3], PAGE, &done);
}

static long op_touch(const unsigned long *a)
{
	return touch((void *)a[3]);
}

/* Whoever waits for a lock of the source can be killed, and leaves nothing behind. */
TEST_F_TIMEOUT(rare, killed_while_the_source_is_locked, PEER_TIMEOUT)
{
	static const struct {
		const char *name;
		peer_fn fn;
	} ops[] = {
		{ "maps", op_maps }, { "pread", op_pread }, { "transfer", op_transfer },
		{ "prefault", op_prefault }, { "touch", op_touch },
	};
	struct xmap_cmd_query before, after;
	struct peer victim;
	unsigned long win;
	unsigned int i;
	int derived;

	ASSERT_EQ(0, hold_setup(&self->hold, &self->src));
	test_query(self->dev, &before);
	ASSERT_EQ(0, hold_lock(&self->hold, &self->src));
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		ASSERT_EQ(0, peer_spawn(&victim));
		win = peer_call(&victim, peer_op_mmap, 0, LEN, RW, MAP_SHARED, self->target,
				self->addr);
		ASSERT_NE(PEER_MAP_FAILED, win);
		ASSERT_EQ(0, peer_start(&victim, ops[i].fn, self->dev, self->target, self->addr,
					win));
		ASSERT_TRUE(hold_await_blocked(victim.pid, victim.pid));
		ASSERT_TRUE(watch_kill(&victim))
		{
			TH_LOG("%s cannot be killed", ops[i].name);
		}
		peer_end(&victim);
	}
	/* To derive takes no lock of the source. */
	test_target_derive(self->target, XMAP_RIGHT_READ, 0, 0, &derived);
	close(derived);
	/* The one that waits to write is an XMAP_TARGET_OPEN. */
	EXPECT_TRUE(watch_kill(&self->hold.writer));
	EXPECT_EQ(8, hold_unlock(&self->hold));
	EXPECT_EQ(0, peer_check(&self->src, self->addr, LEN, SEED));
	test_query(self->dev, &after);
	EXPECT_EQ(before.out_targets, after.out_targets);
	EXPECT_EQ(before.out_windows, after.out_windows);
}

/* ---- results that nobody asks for ------------------------------------------- */

/* The module keeps this many for threads that jumped away from their fault. */
#define KEPT 64
#define LEAVERS (KEPT + 2)

struct leaver {
	pthread_t thread;
	char *at;
	pid_t tid;
	int left_by;
	int sig;
	__u64 value;
	__u32 left;
	__u32 again;
	__u32 done;
};

static void leave(int sig)
{
	if (touch_armed)
		touch_handler(sig);
}

static void *leaver_thread(void *arg)
{
	struct leaver *l = arg;

	l->tid = gettid();
	l->left_by = touch_load(l->at, &l->value);
	peer_set(&l->left, 1);
	peer_await(&l->again, 1);
	l->sig = touch_load(l->at, &l->value);
	peer_set(&l->done, 1);
	return NULL;
}

/*
 * Each thread's page is found when a signal is pending for it: it jumps away
 * from its fault and leaves the result.  The last ones left are kept, and are
 * used when they come back, even with the source locked; the first ones have
 * been dropped, and those threads have to look again.
 */
TEST_F_TIMEOUT(rare, results_left_behind_are_bounded, PEER_TIMEOUT)
{
	struct sigaction sa = { .sa_handler = leave, .sa_flags = SA_NODEFER };
	static struct leaver leaver[LEAVERS];
	static __u64 page[512];
	struct uffdio_copy copy = { .src = (unsigned long)page, .len = PAGE };
	struct timespec until;
	struct uffd_msg msg;
	unsigned long addr;
	char *win;
	int uffd, i;

	sigaction(SIGUSR1, &sa, NULL);
	addr = peer_call(&self->src, peer_op_mmap, 0, LEAVERS * PAGE, RW,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	ASSERT_EQ(0, hold_setup(&self->hold, &self->src));
	uffd = peer_call(&self->src, peer_op_uffd, addr, LEAVERS * PAGE);
	ASSERT_LE(0, uffd);
	uffd = syscall(SYS_pidfd_getfd, self->src.pidfd, uffd, 0);
	ASSERT_LE(0, uffd);
	test_window_map(self->target, addr, LEAVERS * PAGE, RW, &win);
	for (i = 0; i < LEAVERS; i++) {
		leaver[i] = (struct leaver){ .at = win + i * PAGE };
		ASSERT_EQ(0, pthread_create(&leaver[i].thread, NULL, leaver_thread, &leaver[i]));
		ASSERT_EQ((ssize_t)sizeof(msg), read(uffd, &msg, sizeof(msg)));
		ASSERT_EQ(addr + i * PAGE, msg.arg.pagefault.address & -PAGE);
		/* It waits for the page, and the signal waits with it. */
		ASSERT_EQ(0, pthread_kill(leaver[i].thread, SIGUSR1));
		page[0] = 1000 + i;
		copy.dst = addr + i * PAGE;
		ASSERT_EQ(0, ioctl(uffd, UFFDIO_COPY, &copy));
		peer_await(&leaver[i].left, 1);
		ASSERT_EQ(SIGUSR1, leaver[i].left_by);
	}

	ASSERT_EQ(0, hold_lock(&self->hold, &self->src));
	for (i = LEAVERS - KEPT; i < LEAVERS; i++)
		peer_set(&leaver[i].again, 1);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WATCH_PATIENCE;
	for (i = LEAVERS - KEPT; i < LEAVERS; i++) {
		ASSERT_EQ(0, pthread_timedjoin_np(leaver[i].thread, NULL, &until))
		{
			TH_LOG("the result for thread %d of %d was not kept", i, LEAVERS);
		}
	}
	for (i = 0; i < LEAVERS - KEPT; i++) {
		peer_set(&leaver[i].again, 1);
		while (!__atomic_load_n(&leaver[i].done, __ATOMIC_SEQ_CST) &&
		       hold_state(getpid(), leaver[i].tid) != 'D')
			sched_yield();
		EXPECT_EQ(0, leaver[i].done);
	}
	EXPECT_EQ(8, hold_unlock(&self->hold));
	for (i = 0; i < LEAVERS - KEPT; i++)
		ASSERT_EQ(0, pthread_join(leaver[i].thread, NULL));
	for (i = 0; i < LEAVERS; i++) {
		EXPECT_EQ(0, leaver[i].sig);
		EXPECT_EQ(1000 + i, leaver[i].value);
	}
	EXPECT_LE(0, peer_finish(&self->hold.writer));
	EXPECT_EQ(0, munmap(win, LEAVERS * PAGE));
}

/* ---- faults that must not wait ---------------------------------------------- */

/* Adds 5 to the word at @at, in the kernel, and returns what it said before. */
static long futex_add(void *at, unsigned int before)
{
	__u32 other = 0;

	return syscall(SYS_futex, &other, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0, at,
		       FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, before));
}

/* A private futex in a window is served if the source has the page, else it is EFAULT. */
TEST_F_TIMEOUT(rare, private_futex, PEER_TIMEOUT)
{
	char *win;

	ASSERT_EQ(0, peer_store(&self->src, self->addr, 7));
	ASSERT_EQ(0, peer_madvise(&self->src, self->addr + PAGE, PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, peer_munmap(&self->src, self->addr + 2 * PAGE, PAGE));
	test_window_map(self->target, self->addr, LEN, RW, &win);
	EXPECT_EQ(0, futex_add(win, 7));
	EXPECT_EQ(12, peer_load(&self->src, self->addr));

	EXPECT_ERRNO(EFAULT, futex_add(win + PAGE, 0));
	EXPECT_ERRNO(EFAULT, futex_add(win + 2 * PAGE, 0));
	/* What is not there did not come into being, but may come. */
	EXPECT_EQ(0, peer_load(&self->src, self->addr + PAGE));
	EXPECT_ERRNO(EFAULT, futex_add(win + 2 * PAGE, 0));
	ASSERT_EQ(0, peer_store(&self->src, self->addr + PAGE, 20));
	EXPECT_EQ(0, futex_add(win + PAGE, 20));
	EXPECT_EQ(25, peer_load(&self->src, self->addr + PAGE));
	EXPECT_EQ(0, munmap(win, LEN));
}

/* ---- pages that are out of order -------------------------------------------- */

static volatile sig_atomic_t bus_code;
static void *volatile bus_addr;

static void bus(int sig, siginfo_t *info, void *context)
{
	(void)context;
	bus_code = info->si_code;
	bus_addr = info->si_addr;
	touch_handler(sig);
}

static void nothing(int sig)
{
	(void)sig;
}

/* Arguments: start, length.  Newer kernels tell who asked for it, by a signal, too. */
static long op_poison(const unsigned long *a)
{
	signal(SIGBUS, nothing);
	return madvise((void *)a[0], a[1], MADV_HWPOISON);
}

/* The machine's memory fails under a page of the source. */
TEST_F_TIMEOUT(rare, poisoned_page, PEER_TIMEOUT)
{
	struct sigaction sa = { .sa_sigaction = bus, .sa_flags = SA_NODEFER | SA_SIGINFO };
	__u64 word, done;
	char *win;

	test_window_map(self->target, self->addr, LEN, RW, &win);
	EXPECT_LOAD(peer_word(SEED, PAGE), win + PAGE);
	if (peer_call(&self->src, op_poison, self->addr + PAGE, PAGE)) {
		ASSERT_EQ(EINVAL, errno);
		SKIP(return, "this kernel does not know memory failures");
	}
	ASSERT_EQ(0, sigaction(SIGBUS, &sa, NULL));

	/* As an access by the source itself would be told. */
	EXPECT_SIGNAL(SIGBUS, win + PAGE + 8);
	EXPECT_EQ(BUS_MCEERR_AR, bus_code);
	EXPECT_EQ((void *)(win + PAGE), (void *)((unsigned long)bus_addr & -PAGE));
	EXPECT_STORE_SIGNAL(SIGBUS, win + PAGE);
	EXPECT_EQ(BUS_MCEERR_AR, bus_code);
	test_err_target_prefault(EFAULT, self->target, 0, win + PAGE, PAGE);
	test_target_prefault(self->target, 0, win, LEN, &done);
	EXPECT_EQ(PAGE, done);
	EXPECT_ERRNO(EFAULT, pread(self->target, &word, 8, self->addr + PAGE));
	EXPECT_ERRNO(EFAULT, pwrite(self->target, &word, 8, self->addr + PAGE));

	/* Its neighbours are whole, and so is what comes after it. */
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_LOAD(peer_word(SEED, 2 * PAGE), win + 2 * PAGE);
	ASSERT_NE(-1, peer_mmap_over(&self->src, self->addr + PAGE, PAGE, RW));
	EXPECT_LOAD(0, win + PAGE);
	EXPECT_EQ(0, munmap(win, LEN));
}

/* Arguments: descriptor.  Writes all of the page but its last word, which locks it. */
static long op_write_page(const unsigned long *a)
{
	static char page[PAGE - 8];

	while (!peer_stopped()) {
		if (pwrite(a[0], page, sizeof(page), 0) != sizeof(page))
			return -1;
		count_up(0);
	}
	return 0;
}

static long op_map_fd(const unsigned long *a)
{
	return (long)mmap(NULL, PAGE, RW, MAP_SHARED, a[0], 0);
}

/* A debugger of the reader pokes into a page that others have locked all the time. */
TEST_F_TIMEOUT(rare, poke_into_a_locked_page, PEER_TIMEOUT)
{
	__u64 n, until, done = 0, refused = 0;
	struct peer reader, writer;
	unsigned long addr, win;
	char path[64];
	int file, fd;

	file = memfd_create("xmap-test", 0);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, PAGE));
	ASSERT_EQ(0, peer_spawn(&reader));
	ASSERT_EQ(0, peer_spawn(&writer));
	peer_end(&self->src);
	ASSERT_EQ(0, peer_spawn(&self->src));
	addr = peer_call(&self->src, op_map_fd, file);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	EXPECT_EQ(0, peer_store(&self->src, addr, 0));
	win = peer_window(&reader, self->src.pid, addr, PAGE, RW);
	ASSERT_NE(PEER_MAP_FAILED, win);
	snprintf(path, sizeof(path), "/proc/%d/mem", reader.pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, peer_start(&writer, op_write_page, file));

	until = test_now_ms() + test_short_seconds() * 1000;
	for (n = 1; test_now_ms() < until || !done || !count_of(0); n++) {
		/* It does not wait for the page: it tries a few times, and fails. */
		if (pwrite(fd, &n, 8, win + PAGE - 8) != 8) {
			ASSERT_EQ(EIO, errno);
			refused++;
			continue;
		}
		ASSERT_EQ(n, peer_load(&self->src, addr + PAGE - 8));
		done++;
	}
	peer_set(&peer_ctl->stop, 1);
	EXPECT_EQ(0, peer_finish(&writer));
	TH_LOG("%llu pokes done, %llu refused", done, refused);
	close(fd);
	close(file);
	peer_end(&writer);
	peer_end(&reader);
}

/* ---- changes that never stop ------------------------------------------------ */

#define WIDE (16UL << 20)

/* Arguments: start, length, counter.  Gives all away, again and again. */
static long op_store_and_drop(const unsigned long *a)
{
	while (!peer_stopped()) {
		__atomic_store_n((__u64 *)a[0], SEED, __ATOMIC_SEQ_CST);
		if (madvise((void *)a[0], a[1], MADV_DONTNEED))
			return -1;
		count_up(a[2]);
	}
	return 0;
}

/* Arguments: window, counter, counter of wrong values. */
static long op_look(const unsigned long *a)
{
	__u64 value;

	while (!peer_stopped()) {
		if (touch_load((void *)a[0], &value) || (value && value != SEED))
			count_up(a[2]);
		count_up(a[1]);
	}
	return 0;
}

/*
 * The change that a fault waits for is long, and the next one begins before the
 * fault goes on.  It is served all the same, with what the source has.
 */
TEST_F_TIMEOUT(rare, changes_one_after_the_other, PEER_TIMEOUT)
{
	enum { DROPPED, LOOKED0, LOOKED1, NR, WRONG };
	struct peer reader;
	unsigned long addr, win;
	int i;

	/* Page tables that stay make a change long. */
	addr = peer_map(&self->src, PEER_ANON, RW, WIDE, SEED);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	/* Whoever looks before the first change sees this. */
	ASSERT_EQ(0, peer_store(&self->src, addr, SEED));
	ASSERT_EQ(0, peer_spawn(&reader));
	win = peer_window(&reader, self->src.pid, addr, PAGE, RW);
	ASSERT_NE(PEER_MAP_FAILED, win);
	ASSERT_EQ(0, peer_thread(&self->src, op_store_and_drop, addr, WIDE, DROPPED));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, peer_thread(&reader, op_look, win, LOOKED0 + i, WRONG));
	EXPECT_EQ(-1, watch_progress(NR, test_short_seconds()));
	EXPECT_EQ(0, count_of(WRONG));
	TH_LOG("%llu changes, %llu looks", count_of(DROPPED), count_of(LOOKED0) +
	       count_of(LOOKED1));
	EXPECT_TRUE(watch_kill(&reader));
	EXPECT_TRUE(watch_kill(&self->src));
	peer_end(&reader);
}

/* ---- borders of page tables ------------------------------------------------- */

/* One side of a border is populated, nothing else for as far as the table goes. */
TEST_F_TIMEOUT(rare, borders_of_page_tables, PEER_TIMEOUT)
{
	static const struct {
		unsigned long at;
		bool optional;
	} border[] = {
		{ 0x100000200000, false },
		{ 0x100040000000, false },
		{ 0x100000000000, false },
		/* Only with five levels of page tables. */
		{ 0x2000000000000, true },
	};
	unsigned int i;
	char *win, *at;
	int side;

	for (i = 0; i < ARRAY_SIZE(border); i++) {
		at = (char *)border[i].at - PAGE;
		win = mmap(at, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, self->target,
			   self->addr);
		if (win == MAP_FAILED && border[i].optional) {
			EXPECT_EQ(ENOMEM, errno);
			continue;
		}
		ASSERT_EQ(at, win);
		for (side = 0; side < 2; side++) {
			ASSERT_EQ(0, peer_fill(&self->src, self->addr, LEN, SEED));
			EXPECT_LOAD(peer_word(SEED, side * PAGE), win + side * PAGE);
			ASSERT_EQ(0, peer_madvise(&self->src, self->addr, LEN, MADV_DONTNEED));
			EXPECT_LOAD(0, win + side * PAGE);
			/* The tables of the one side go with the window. */
			EXPECT_EQ(0, munmap(win, 2 * PAGE));
			win = mmap(at, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED_NOREPLACE,
				   self->target, self->addr);
			ASSERT_EQ(at, win);
		}
		EXPECT_EQ(0, munmap(win, 2 * PAGE));
	}
}

TEST_HARNESS_MAIN
