// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends and beginnings: exec, exit, death and fork on either side at each point
 * in the life of a window, what may be done to a window as a mapping, and when
 * the module may go.
 */
#include "xmap_export_utils.h"

#include <sys/stat.h>
#include <sys/utsname.h>

#define SEED 3
#define RW (PROT_READ | PROT_WRITE)

/*
 * The kernel lets go of a mapping's file a little after the mapping, and of the
 * last of a target's files a little after that.
 */
static __u32 await_count(int dev, struct xmap_cmd_query *q, const __u32 *count, __u32 expected)
{
	do {
		sched_yield();
		if (_test_query(dev, q))
			return ~0U;
	} while (*count != expected);
	return *count;
}

static __u32 await_windows(int dev, __u32 expected)
{
	struct xmap_cmd_query q;

	return await_count(dev, &q, &q.out_windows, expected);
}

static __u32 await_targets(int dev, __u32 expected)
{
	struct xmap_cmd_query q;

	return await_count(dev, &q, &q.out_targets, expected);
}

/* ---- the source ends ------------------------------------------------------- */

enum end { END_EXEC, END_EXIT, END_KILL };

FIXTURE(source_end)
{
	struct peer src;
	unsigned long addr;
	size_t len;
	int dev;
	int target;
};

FIXTURE_VARIANT(source_end)
{
	enum end how;
};

FIXTURE_VARIANT_ADD(source_end, exec) { .how = END_EXEC };
FIXTURE_VARIANT_ADD(source_end, exit) { .how = END_EXIT };
FIXTURE_VARIANT_ADD(source_end, sigkill) { .how = END_KILL };

FIXTURE_SETUP(source_end)
{
	touch_init();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->src));
	self->len = 4 * PAGE;
	self->addr = peer_map(&self->src, PEER_ANON, RW, self->len, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->addr);
	test_target_open(self->dev, self->src.pidfd, self->src.pid, XMAP_RIGHTS_RW, 0, 0,
			 &self->target);
}

FIXTURE_TEARDOWN(source_end)
{
	peer_end(&self->src);
}

static int end_source(struct peer *src, enum end how)
{
	switch (how) {
	case END_EXEC:
		peer_start(src, peer_op_exec, 0);
		break;
	case END_EXIT:
		peer_start(src, peer_op_exit, 0);
		break;
	case END_KILL:
		kill(src->pid, SIGKILL);
		break;
	}
	return peer_await_gone(src);
}

TEST_F_TIMEOUT(source_end, before_window, PEER_TIMEOUT)
{
	struct pollfd pfd = { .fd = self->target, .events = POLLIN };
	struct xmap_cmd_target_info info;
	char buf[8];

	EXPECT_EQ(0, poll(&pfd, 1, 0) && pfd.revents & POLLHUP);
	ASSERT_EQ(0, end_source(&self->src, variant->how));
	test_err_window_map(ESRCH, self->target, self->addr, self->len, PROT_READ);
	test_err_window_map(ESRCH, self->target, self->addr, self->len, RW);
	EXPECT_ERRNO(ESRCH, pread(self->target, buf, 8, self->addr));
	test_err_target_derive(ESRCH, self->target, XMAP_RIGHT_READ, 0, 0);
	EXPECT_EQ(1, poll(&pfd, 1, -1));
	EXPECT_NE(0, pfd.revents & POLLHUP);
	test_target_info(self->target, &info);
	EXPECT_EQ(XMAP_TARGET_DEAD, info.out_state);
	EXPECT_EQ(0, info.out_windows);
}

TEST_F_TIMEOUT(source_end, untouched_window, PEER_TIMEOUT)
{
	__u64 *win;

	test_window_map(self->target, self->addr, self->len, RW, &win);
	ASSERT_EQ(0, end_source(&self->src, variant->how));
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_STORE_SIGNAL(SIGBUS, win + PAGE / 8);
	EXPECT_EQ(0, munmap(win, self->len));
}

TEST_F_TIMEOUT(source_end, populated_window, PEER_TIMEOUT)
{
	struct xmap_cmd_target_info info;
	struct xmap_list_entry entry;
	size_t off;
	__u64 *win;

	test_window_map(self->target, self->addr, self->len, RW, &win);
	EXPECT_EQ(0, peer_check_here(win, self->len, SEED));
	EXPECT_STORE(7, win);
	ASSERT_EQ(0, end_source(&self->src, variant->how));
	for (off = 0; off < self->len; off += PAGE) {
		EXPECT_SIGNAL(SIGBUS, win + off / 8);
		EXPECT_STORE_SIGNAL(SIGBUS, win + off / 8);
	}
	test_err_target_prefault(ESRCH, self->target, 0, win, self->len);

	/* The dead window is still a window, until its holder takes it away. */
	test_target_info(self->target, &info);
	EXPECT_EQ(XMAP_TARGET_DEAD, info.out_state);
	EXPECT_EQ(1, info.out_windows);
	ASSERT_TRUE(reader_list(self->dev, win, &entry));
	EXPECT_EQ(XMAP_TARGET_DEAD, entry.state);
	EXPECT_EQ(0, munmap(win, self->len));
	EXPECT_EQ(0, await_windows(self->dev, 0));
}

static void *fault_loop(void *arg)
{
	__u64 **win = arg;
	__u64 value;

	while (!peer_stopped()) {
		if (touch_load(win[0], &value)) {
			__atomic_add_fetch(&peer_ctl->count[1], 1, __ATOMIC_SEQ_CST);
		} else {
			if (value != peer_word(SEED, 0))
				__atomic_add_fetch(&peer_ctl->count[2], 1, __ATOMIC_SEQ_CST);
			peer_set(&peer_ctl->word[0], 1);
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(source_end, during_faults, PEER_TIMEOUT)
{
	pthread_t thread;
	__u64 *win, seen;

	test_window_map(self->target, self->addr, self->len, PROT_READ, &win);
	ASSERT_EQ(0, pthread_create(&thread, NULL, fault_loop, &win));
	peer_await(&peer_ctl->word[0], 1);
	ASSERT_EQ(0, end_source(&self->src, variant->how));

	/* From here on there is nothing but SIGBUS. */
	EXPECT_SIGNAL(SIGBUS, win);
	seen = peer_ctl->count[1];
	while (__atomic_load_n(&peer_ctl->count[1], __ATOMIC_SEQ_CST) < seen + 10)
		sched_yield();
	EXPECT_SIGNAL(SIGBUS, win);
	peer_set(&peer_ctl->stop, 1);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, peer_ctl->count[2]);
}

/* ---- the reader ends ------------------------------------------------------- */

FIXTURE(reader_end)
{
	struct peer src;
	struct peer reader;
	unsigned long addr;
	unsigned long win;
	size_t len;
	int dev;
};

FIXTURE_VARIANT(reader_end)
{
	enum end how;
};

FIXTURE_VARIANT_ADD(reader_end, exec) { .how = END_EXEC };
FIXTURE_VARIANT_ADD(reader_end, exit) { .how = END_EXIT };
FIXTURE_VARIANT_ADD(reader_end, sigkill) { .how = END_KILL };

FIXTURE_SETUP(reader_end)
{
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->src));
	ASSERT_EQ(0, peer_spawn(&self->reader));
	self->len = 4 * PAGE;
	self->addr = peer_map(&self->src, PEER_ANON, RW, self->len, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->addr);
	self->win = peer_window(&self->reader, self->src.pid, self->addr, self->len, RW);
	ASSERT_NE(PEER_MAP_FAILED, self->win);
	ASSERT_EQ(1, await_windows(self->dev, 1));
}

FIXTURE_TEARDOWN(reader_end)
{
	peer_end(&self->reader);
	peer_end(&self->src);
}

TEST_F_TIMEOUT(reader_end, untouched_window, PEER_TIMEOUT)
{
	ASSERT_EQ(0, end_source(&self->reader, variant->how));
	EXPECT_EQ(0, await_windows(self->dev, 0));
	EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED));
}

TEST_F_TIMEOUT(reader_end, populated_window, PEER_TIMEOUT)
{
	EXPECT_EQ(0, peer_fill(&self->reader, self->win, self->len, SEED + 1));
	ASSERT_EQ(0, end_source(&self->reader, variant->how));
	EXPECT_EQ(0, await_windows(self->dev, 0));
	EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED + 1));
	EXPECT_EQ(0, peer_munmap(&self->src, self->addr, self->len));
	EXPECT_EQ(0, await_targets(self->dev, 0));
}

static long op_fault_forever(const unsigned long *a)
{
	unsigned long i;

	for (i = 0; !peer_stopped(); i++) {
		touch((void *)(a[0] + (i * 7 % a[1]) * PAGE));
		peer_set(&peer_ctl->word[0], 1);
	}
	return 0;
}

TEST_F_TIMEOUT(reader_end, during_faults, PEER_TIMEOUT)
{
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, peer_thread(&self->reader, op_fault_forever, self->win, 4));
	peer_await(&peer_ctl->word[0], 1);
	/* Give the faults something to do. */
	for (i = 0; i < 20; i++)
		EXPECT_EQ(0, peer_madvise(&self->src, self->addr, self->len, MADV_COLD));
	ASSERT_EQ(0, end_source(&self->reader, variant->how));
	EXPECT_EQ(0, await_windows(self->dev, 0));
	EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED));
}

/* ---- forks, descriptors, numbers ------------------------------------------- */

FIXTURE(life)
{
	struct peer src;
	unsigned long addr;
	size_t len;
	int dev;
	int target;
};

FIXTURE_SETUP(life)
{
	touch_init();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->src));
	self->len = 4 * PAGE;
	self->addr = peer_map(&self->src, PEER_ANON, RW, self->len, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->addr);
	test_target_open(self->dev, self->src.pidfd, self->src.pid, XMAP_RIGHTS_RW, 0, 0,
			 &self->target);
}

FIXTURE_TEARDOWN(life)
{
	peer_end(&self->src);
}

/* The window stays with the parent, before and after the child has ended. */
TEST_F_TIMEOUT(life, source_forks, PEER_TIMEOUT)
{
	__u64 *win, *late;
	pid_t child;

	test_window_map(self->target, self->addr, self->len, RW, &win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	child = peer_fork(&self->src);
	ASSERT_LT(0, child);
	test_window_map(self->target, self->addr, self->len, RW, &late);
	ASSERT_EQ(0, peer_store(&self->src, self->addr, 71));
	EXPECT_LOAD(71, win);
	EXPECT_LOAD(71, late);
	EXPECT_STORE(72, win + PAGE / 8);
	EXPECT_EQ(72, peer_load(&self->src, self->addr + PAGE));
	EXPECT_LOAD(72, late + PAGE / 8);
	ASSERT_EQ(child, peer_reap(&self->src, child));
	EXPECT_LOAD(71, win);
	EXPECT_STORE(73, win);
	EXPECT_EQ(73, peer_load(&self->src, self->addr));
}

/* The parent ends, the child lives on: the window was on the parent. */
TEST_F_TIMEOUT(life, source_ends_child_stays, PEER_TIMEOUT)
{
	struct xmap_cmd_target_info info;
	__u64 *win;

	test_window_map(self->target, self->addr, self->len, RW, &win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	ASSERT_LT(0, peer_fork(&self->src));
	ASSERT_NE(-1, peer_kill(&self->src, SIGKILL));
	self->src.pid = 0;
	EXPECT_SIGNAL(SIGBUS, win);
	test_target_info(self->target, &info);
	EXPECT_EQ(XMAP_TARGET_DEAD, info.out_state);
}

/* A process that shares the memory keeps the window alive. */
TEST_F_TIMEOUT(life, vfork_sibling_keeps_memory, PEER_TIMEOUT)
{
	__u64 *win;
	pid_t child;

	test_window_map(self->target, self->addr, self->len, RW, &win);
	child = peer_clone_vm(&self->src, op_fault_forever, self->addr, 4);
	ASSERT_LT(0, child);
	peer_await(&peer_ctl->word[0], 1);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	ASSERT_EQ(child, peer_reap(&self->src, child));
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_STORE(5, win);
	EXPECT_EQ(5, peer_load(&self->src, self->addr));
}

static void check_not_inherited(struct __test_metadata *_metadata, const __u64 *win,
				struct peer *child)
{
	ASSERT_EQ(0, peer_spawn(child));
	EXPECT_EQ(SIGSEGV, peer_touch(child, win));
	EXPECT_EQ(SIGSEGV, peer_touch(child, win + PAGE / 8));
}

TEST_F_TIMEOUT(life, reader_forks, PEER_TIMEOUT)
{
	struct peer child;
	__u64 *win;

	test_window_map(self->target, self->addr, self->len, RW, &win);
	check_not_inherited(_metadata, win, &child);
	peer_end(&child);

	EXPECT_EQ(0, peer_check_here(win, self->len, SEED));
	EXPECT_STORE(5, win);
	check_not_inherited(_metadata, win, &child);
	EXPECT_STORE(6, win);
	EXPECT_EQ(6, peer_load(&self->src, self->addr));
	peer_end(&child);
	EXPECT_LOAD(6, win);
	EXPECT_EQ(1, await_windows(self->dev, 1));
}

/* No advice makes a window something that a child gets. */
TEST_F_TIMEOUT(life, err_dofork, PEER_TIMEOUT)
{
	struct peer child;
	__u64 *win;

	test_window_map(self->target, self->addr, self->len, RW, &win);
	EXPECT_EQ(0, peer_check_here(win, self->len, SEED));
	EXPECT_ERRNO(EINVAL, madvise(win, self->len, MADV_DOFORK));
	check_not_inherited(_metadata, win, &child);
	peer_end(&child);
	EXPECT_LOAD(peer_word(SEED, 0), win);
}

static long op_map_own(const unsigned long *a)
{
	__u64 *win;

	touch_init();
	win = _test_window_map(a[0], a[1], a[2], RW);
	return win == MAP_FAILED ? -1 : peer_check_here(win, a[2], SEED);
}

/* A target is a descriptor: the child may use it for windows of its own. */
TEST_F_TIMEOUT(life, target_is_inherited, PEER_TIMEOUT)
{
	struct peer child;

	ASSERT_EQ(0, peer_spawn(&child));
	EXPECT_EQ(0, peer_call(&child, op_map_own, self->target, self->addr, self->len));
	EXPECT_EQ(1, await_windows(self->dev, 1));
	peer_end(&child);
	EXPECT_EQ(0, await_windows(self->dev, 0));
}

static long op_receive_and_map(const unsigned long *a)
{
	int fd = xmap_recv_fd(a[0]);
	unsigned long args[] = { fd, a[1], a[2], 0, 0, 0 };

	return fd < 0 ? -1 : op_map_own(args);
}

TEST_F_TIMEOUT(life, target_is_passed, PEER_TIMEOUT)
{
	struct peer other;
	int sv[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv));
	ASSERT_EQ(0, peer_spawn(&other));
	/* Opened after the fork, so that it comes by the message alone. */
	test_target_derive(self->target, XMAP_RIGHTS_RW, self->addr, self->len, &fd);
	ASSERT_EQ(0, xmap_send_fd(sv[0], fd));
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(0, close(self->target));
	EXPECT_EQ(0, peer_call(&other, op_receive_and_map, sv[1], self->addr, self->len));
	peer_end(&other);
}

TEST_F_TIMEOUT(life, window_outlives_descriptors, PEER_TIMEOUT)
{
	struct xmap_list_entry entry;
	int dev = dup(self->dev);
	__u64 *win;

	test_window_map(self->target, self->addr, self->len, RW, &win);
	ASSERT_EQ(0, close(self->target));
	ASSERT_EQ(0, close(self->dev));
	EXPECT_EQ(0, peer_check_here(win, self->len, SEED));
	EXPECT_STORE(4, win);
	EXPECT_EQ(4, peer_load(&self->src, self->addr));
	ASSERT_EQ(0, peer_munmap(&self->src, self->addr, PAGE));
	EXPECT_SIGNAL(SIGBUS, win);
	ASSERT_TRUE(reader_list(dev, win, &entry));
	EXPECT_EQ(self->addr, entry.addr);
	EXPECT_EQ(self->len, entry.length);
	EXPECT_EQ(self->src.pid, entry.target_pid);
	EXPECT_EQ(XMAP_RIGHTS_RW, entry.rights);
	EXPECT_EQ(0, munmap(win, self->len));
	EXPECT_EQ(0, await_windows(dev, 0));
}

#define MANY 1000

TEST_F_TIMEOUT(life, many_windows, PEER_TIMEOUT)
{
	struct xmap_cmd_target_info info;
	static __u64 *win[MANY];
	int i;

	for (i = 0; i < MANY; i++)
		test_window_map(self->target, self->addr + i % 4 * PAGE, PAGE, RW, &win[i]);
	test_target_info(self->target, &info);
	EXPECT_EQ(MANY, info.out_windows);
	for (i = 0; i < MANY; i++)
		EXPECT_LOAD(peer_word(SEED, i % 4 * PAGE), win[i]);
	EXPECT_STORE(99, win[0]);
	for (i = 0; i < MANY; i += 4)
		EXPECT_LOAD(99, win[i]);
	for (i = 0; i < MANY; i += 2)
		EXPECT_EQ(0, munmap(win[i], PAGE));
	test_target_info(self->target, &info);
	EXPECT_EQ(MANY / 2, info.out_windows);
	ASSERT_EQ(0, peer_munmap(&self->src, self->addr, self->len));
	for (i = 1; i < MANY; i += 2)
		EXPECT_SIGNAL(SIGBUS, win[i]);
	for (i = 1; i < MANY; i += 2)
		EXPECT_EQ(0, munmap(win[i], PAGE));
	EXPECT_EQ(0, await_windows(self->dev, 0));
}

/* ---- a window is one piece ------------------------------------------------- */

FIXTURE(whole)
{
	struct peer src;
	unsigned long addr;
	size_t len;
	int target;
	char *area;
	char *win;
};

FIXTURE_VARIANT(whole)
{
	bool populated;
};

FIXTURE_VARIANT_ADD(whole, untouched) { .populated = false };
FIXTURE_VARIANT_ADD(whole, populated) { .populated = true };

/* The window lies in the middle of an area, pages 4 to 7 of 12. */
FIXTURE_SETUP(whole)
{
	touch_init();
	ASSERT_EQ(0, peer_spawn(&self->src));
	self->len = 4 * PAGE;
	self->addr = peer_map(&self->src, PEER_ANON, RW, self->len, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->addr);
	self->target = reader_target(self->src.pid, XMAP_RIGHTS_RW);
	ASSERT_LE(0, self->target);
	self->area = mmap(NULL, 3 * self->len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	self->win = mmap(self->area + self->len, self->len, RW, MAP_SHARED | MAP_FIXED,
			 self->target, self->addr);
	ASSERT_EQ(self->area + self->len, self->win);
	if (variant->populated)
		ASSERT_EQ(0, peer_check_here(self->win, self->len, SEED));
}

FIXTURE_TEARDOWN(whole)
{
	peer_end(&self->src);
}

/* Right contents, and still in touch with the source, in every page. */
static void check_whole(struct __test_metadata *_metadata, struct peer *src, char *win,
			unsigned long addr, size_t len)
{
	EXPECT_EQ(0, peer_check_here(win, len, SEED));
	EXPECT_EQ(0, peer_fill(src, addr, len, SEED + 1));
	EXPECT_EQ(0, peer_check_here(win, len, SEED + 1));
	EXPECT_EQ(0, peer_mprotect(src, addr, len, PROT_NONE));
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_SIGNAL(SIGBUS, win + len - PAGE);
	EXPECT_EQ(0, peer_mprotect(src, addr, len, RW));
	peer_fill_here(win, len, SEED);
	EXPECT_EQ(0, peer_check(src, addr, len, SEED));
}

#define CHECK_WHOLE() check_whole(_metadata, &self->src, self->win, self->addr, self->len)

TEST_F_TIMEOUT(whole, err_munmap_part, PEER_TIMEOUT)
{
	char *win = self->win;

	EXPECT_ERRNO(EINVAL, munmap(win, PAGE));
	EXPECT_ERRNO(EINVAL, munmap(win + PAGE, PAGE));
	EXPECT_ERRNO(EINVAL, munmap(win + 3 * PAGE, PAGE));
	EXPECT_ERRNO(EINVAL, munmap(win - PAGE, 2 * PAGE));
	EXPECT_ERRNO(EINVAL, munmap(win + 3 * PAGE, 2 * PAGE));
	CHECK_WHOLE();
}

TEST_F_TIMEOUT(whole, err_mprotect_part, PEER_TIMEOUT)
{
	char *win = self->win;

	EXPECT_ERRNO(EINVAL, mprotect(win, PAGE, PROT_READ));
	EXPECT_ERRNO(EINVAL, mprotect(win + PAGE, 2 * PAGE, PROT_NONE));
	EXPECT_ERRNO(EINVAL, mprotect(win + 3 * PAGE, PAGE, PROT_READ));
	CHECK_WHOLE();
}

TEST_F_TIMEOUT(whole, err_madvise_part, PEER_TIMEOUT)
{
	EXPECT_ERRNO(EINVAL, madvise(self->win + PAGE, PAGE, MADV_SEQUENTIAL));
	EXPECT_ERRNO(EINVAL, madvise(self->win, PAGE, MADV_RANDOM));
	CHECK_WHOLE();
}

/*
 * What this kernel's mmap() says when the mapping below cannot be split: the
 * real reason, or always ENOMEM in 6.1.  A huge page cannot be split either.
 */
static int err_no_split(void)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	char *huge;
	int err;

	huge = mmap(NULL, PEER_HUGE_SIZE, RW, flags | MAP_HUGETLB, -1, 0);
	if (huge == MAP_FAILED)
		return 0;
	err = mmap(huge, PAGE, RW, flags | MAP_FIXED, -1, 0) == MAP_FAILED ? errno : 0;
	munmap(huge, PEER_HUGE_SIZE);
	return err;
}

TEST_F_TIMEOUT(whole, err_map_over_part, PEER_TIMEOUT)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	char *win = self->win;
	int err;

	err = err_no_split();
	ASSERT_TRUE(err == EINVAL || err == ENOMEM);
	EXPECT_ERRNO(err, (long)mmap(win, PAGE, RW, flags, -1, 0));
	EXPECT_ERRNO(err, (long)mmap(win + PAGE, PAGE, RW, flags, -1, 0));
	EXPECT_ERRNO(err, (long)mmap(win + 3 * PAGE, 2 * PAGE, RW, flags, -1, 0));
	EXPECT_ERRNO(err, (long)mmap(win, PAGE, RW, MAP_SHARED | MAP_FIXED, self->target,
				     self->addr));
	EXPECT_ERRNO(EINVAL, mremap(self->area, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				    win + PAGE));
	CHECK_WHOLE();
}

/*
 * Growth of such a mapping is refused by the kernel before it asks anybody,
 * with its own errno; a size of 0 would duplicate the window and counts as
 * growth.
 */
TEST_F_TIMEOUT(whole, err_mremap, PEER_TIMEOUT)
{
	int fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
	char *win = self->win;
	size_t len = self->len;
	char *elsewhere;

	elsewhere = mmap(NULL, 2 * len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, elsewhere);
	EXPECT_ERRNO(EINVAL, (long)mremap(win, len, PAGE, 0));
	EXPECT_ERRNO(EINVAL, (long)mremap(win, len, PAGE, MREMAP_MAYMOVE));
	EXPECT_ERRNO(EINVAL, (long)mremap(win, len, len, fixed, elsewhere));
	EXPECT_ERRNO(EINVAL, (long)mremap(win, PAGE, PAGE, fixed, elsewhere));
	EXPECT_ERRNO(EINVAL, (long)mremap(win + PAGE, PAGE, PAGE, fixed, elsewhere));
	EXPECT_ERRNO(EINVAL, (long)mremap(win, len, len, MREMAP_MAYMOVE | MREMAP_DONTUNMAP));
	EXPECT_ERRNO(EINVAL, (long)mremap(win, len, len, fixed | MREMAP_DONTUNMAP, elsewhere));
	EXPECT_ERRNO(EFAULT, (long)mremap(win, len, 2 * len, 0));
	EXPECT_ERRNO(EFAULT, (long)mremap(win, len, 2 * len, MREMAP_MAYMOVE));
	EXPECT_ERRNO(EFAULT, (long)mremap(win, 0, len, MREMAP_MAYMOVE));
	EXPECT_ERRNO(EFAULT, (long)mremap(win, 0, PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(win, mremap(win, len, len, 0));
	CHECK_WHOLE();
}

TEST_F_TIMEOUT(whole, munmap_all, PEER_TIMEOUT)
{
	EXPECT_EQ(0, munmap(self->win, self->len));
	EXPECT_SIGNAL(SIGSEGV, self->win);
	EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED));
	EXPECT_STORE(1, self->area);
	EXPECT_STORE(1, self->area + 2 * self->len);
}

TEST_F_TIMEOUT(whole, munmap_with_neighbours, PEER_TIMEOUT)
{
	EXPECT_EQ(0, munmap(self->area + PAGE, 3 * self->len - 2 * PAGE));
	EXPECT_SIGNAL(SIGSEGV, self->win);
	EXPECT_STORE(1, self->area);
	EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED));
}

TEST_F_TIMEOUT(whole, map_over_all, PEER_TIMEOUT)
{
	char *new = mmap(self->win, self->len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	EXPECT_EQ(self->win, new);
	EXPECT_LOAD(0, new);
	EXPECT_STORE(1, new);
	EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED));

	/* And a window over a window. */
	new = mmap(self->win, self->len, RW, MAP_SHARED | MAP_FIXED, self->target, self->addr);
	EXPECT_EQ(self->win, new);
	CHECK_WHOLE();
	new = mmap(self->win, self->len, RW, MAP_SHARED | MAP_FIXED, self->target, self->addr);
	EXPECT_EQ(self->win, new);
	CHECK_WHOLE();
}

/* ---- the module ------------------------------------------------------------ */

static int module_remove(void)
{
	return syscall(SYS_delete_module, "xmap", O_NONBLOCK);
}

static const char *module_path(void)
{
	static char own[256];
	struct utsname uts;

	uname(&uts);
	snprintf(own, sizeof(own), "build/%s/xmap.ko", uts.release);
	return getenv("XMAP_MODULE") ?: own;
}

/* The new device file is as open to others as the old one was. */
static int module_insert(mode_t mode)
{
	int fd = open(module_path(), O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -1;
	ret = syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	return ret ?: chmod(XMAP_DEV, mode);
}

static int lines_with(const char *path, const char *word)
{
	char line[1024];
	int found = 0;
	FILE *f;

	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		found += !!strstr(line, word);
	fclose(f);
	return found;
}

/* Windows and targets go a little after the system call that ended them. */
static int module_remove_idle(void)
{
	int ret;

	do {
		sched_yield();
		ret = module_remove();
	} while (ret && errno == EWOULDBLOCK);
	return ret;
}

FIXTURE(module)
{
	struct peer src;
	unsigned long addr;
	mode_t mode;
};

FIXTURE_SETUP(module)
{
	struct stat st;

	touch_init();
	if (geteuid())
		SKIP(return, "needs root");
	if (access(module_path(), R_OK))
		SKIP(return, "no xmap.ko of this kernel to load again: set XMAP_MODULE");
	ASSERT_EQ(0, stat(XMAP_DEV, &st));
	self->mode = st.st_mode & 07777;
	ASSERT_EQ(0, peer_spawn(&self->src));
	self->addr = peer_map(&self->src, PEER_ANON, RW, 4 * PAGE, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->addr);
}

FIXTURE_TEARDOWN(module)
{
	peer_end(&self->src);
}

TEST_F_TIMEOUT(module, err_remove_busy, PEER_TIMEOUT)
{
	int dev, target;
	__u64 *win;

	test_dev_open(&dev);
	EXPECT_ERRNO(EWOULDBLOCK, module_remove());
	test_target_open_pid(dev, self->src.pid, XMAP_RIGHTS_RW, &target);
	ASSERT_EQ(0, close(dev));
	EXPECT_ERRNO(EWOULDBLOCK, module_remove());
	test_window_map(target, self->addr, 4 * PAGE, RW, &win);
	ASSERT_EQ(0, close(target));
	EXPECT_ERRNO(EWOULDBLOCK, module_remove());
	EXPECT_EQ(0, peer_check_here(win, 4 * PAGE, SEED));
	EXPECT_ERRNO(EWOULDBLOCK, module_remove());
	EXPECT_EQ(0, munmap(win, 4 * PAGE));
}

TEST_F_TIMEOUT(module, remove_and_reload, PEER_TIMEOUT)
{
	__u64 *win, *again;
	int mounts;

	win = reader_window(self->src.pid, self->addr, 4 * PAGE, RW);
	ASSERT_NE(MAP_FAILED, win);
	EXPECT_EQ(0, peer_check_here(win, 4 * PAGE, SEED));
	EXPECT_EQ(0, munmap(win, 4 * PAGE));
	mounts = lines_with("/proc/self/mounts", "");

	ASSERT_EQ(0, module_remove_idle());
	EXPECT_EQ(0, lines_with("/proc/modules", "xmap "));
	EXPECT_EQ(0, lines_with("/proc/misc", "xmap"));
	EXPECT_EQ(0, lines_with("/proc/slabinfo", "xmap"));
	EXPECT_EQ(0, lines_with("/proc/self/mounts", "xmap"));
	EXPECT_EQ(mounts, lines_with("/proc/self/mounts", ""));
	EXPECT_ERRNO(ENOENT, access(XMAP_DEV, F_OK));
	EXPECT_ERRNO(ENOENT, access("/sys/module/xmap", F_OK));

	/* The processes that it had to do with go on. */
	EXPECT_EQ(0, peer_fill(&self->src, self->addr, 4 * PAGE, SEED + 1));
	EXPECT_EQ(0, peer_madvise(&self->src, self->addr, 4 * PAGE, MADV_COLD));
	EXPECT_EQ(0, peer_mprotect(&self->src, self->addr, 4 * PAGE, PROT_READ));

	ASSERT_EQ(0, module_insert(self->mode));
	again = reader_window(self->src.pid, self->addr, 4 * PAGE, PROT_READ);
	ASSERT_NE(MAP_FAILED, again);
	EXPECT_EQ(0, peer_check_here(again, 4 * PAGE, SEED + 1));
	EXPECT_EQ(0, peer_munmap(&self->src, self->addr, 4 * PAGE));
	EXPECT_SIGNAL(SIGBUS, again);
}

/* The denials of processes that live on go with the module, and come back with nobody. */
TEST_F_TIMEOUT(module, remove_with_denials, PEER_TIMEOUT)
{
	struct peer other;
	int dev, fd;

	test_dev_open(&dev);
	ASSERT_EQ(0, peer_spawn(&other));
	ASSERT_EQ(XMAP_DENY_SET | XMAP_DENY_FINAL,
		  peer_call(&other, op_deny, dev, XMAP_DENY_SET | XMAP_DENY_FINAL));
	ASSERT_EQ(0, peer_close(&other, dev));
	/* This one is older than the descriptor here, and opens one of its own. */
	fd = peer_syscall(&self->src, SYS_open, XMAP_DEV, O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(XMAP_DENY_SET, peer_call(&self->src, op_deny, fd, XMAP_DENY_SET));
	ASSERT_EQ(0, peer_close(&self->src, fd));
	ASSERT_EQ(0, close(dev));

	ASSERT_EQ(0, module_remove_idle());
	/* One ends without the module, the other goes on with it. */
	peer_end(&other);
	ASSERT_EQ(0, module_insert(self->mode));
	fd = peer_syscall(&self->src, SYS_open, XMAP_DEV, O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, peer_call(&self->src, op_deny, fd, 0));
	EXPECT_EQ(XMAP_DENY_SET, peer_call(&self->src, op_deny, fd, XMAP_DENY_SET));
	EXPECT_EQ(0, peer_call(&self->src, op_deny, fd, XMAP_DENY_CLEAR));
	ASSERT_EQ(0, peer_close(&self->src, fd));
}

/* Source and reader live on through twenty rounds of load and unload. */
TEST_F_TIMEOUT(module, reload_again_and_again, PEER_TIMEOUT)
{
	__u64 *win;
	int i;

	for (i = 0; i < 20; i++) {
		win = reader_window(self->src.pid, self->addr, 4 * PAGE, RW);
		ASSERT_NE(MAP_FAILED, win);
		EXPECT_STORE(i, win);
		EXPECT_EQ(i, peer_load(&self->src, self->addr));
		EXPECT_EQ(0, munmap(win, 4 * PAGE));
		ASSERT_EQ(0, module_remove_idle());
		ASSERT_EQ(0, module_insert(self->mode));
	}
}

TEST_HARNESS_MAIN
