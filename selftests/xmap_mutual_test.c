// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that map each other.
 *
 * A fault in a window needs the memory of another process while it holds a
 * lock of its own.  Where two processes do that to each other, and threads that
 * want to change the mappings queue up on both sides, a wrong order of locks
 * ends in a deadlock within seconds, and a timid one in a livelock.  In all of
 * these tests every thread must get on all the time, and SIGKILL must work in
 * full flight.
 */
#include "xmap_uffd.h"
#include "xmap_watch.h"
#include "xmap_zram.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGES 16
#define LEN (PAGES * PAGE)

#define EXPECT_PROGRESS(counters, seconds)					\
	({									\
		int __stuck = watch_progress(counters, seconds);		\
		EXPECT_EQ(-1, __stuck) {					\
			TH_LOG("counter %d stands at %llu", __stuck, count_of(__stuck)); \
		}								\
	})

FIXTURE(mutual)
{
	struct peer p[2];
	unsigned long addr[2];
	unsigned long win[2];
	char *swap;
};

FIXTURE_SETUP(mutual)
{
	int i;

	touch_init();
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_spawn(&self->p[i]));
		self->addr[i] = peer_map(&self->p[i], PEER_ANON, RW, LEN, i);
		ASSERT_NE(PEER_MAP_FAILED, self->addr[i]);
	}
}

FIXTURE_TEARDOWN(mutual)
{
	peer_end(&self->p[0]);
	peer_end(&self->p[1]);
	if (self->swap)
		zram_swap_end(self->swap);
}

/* Four counters from base on: loads, stores, mappings, pages thrown away. */
static int start_load(struct peer *p, unsigned long win, unsigned int win_pages,
		      unsigned long own, size_t own_len, unsigned int base)
{
	return peer_thread(p, watch_op_touch, win, win_pages, base) ?:
	       peer_thread(p, watch_op_store, win, win_pages, base + 1) ?:
	       peer_thread(p, watch_op_mmap, base + 2) ?:
	       peer_thread(p, watch_op_dontneed, own, own_len, base + 3);
}

static void expect_killable(struct __test_metadata *_metadata, struct peer *p)
{
	EXPECT_TRUE(watch_kill(p)) {
		TH_LOG("%d is not dead %d s after SIGKILL", p->pid, WATCH_DEATH);
	}
}

TEST_F_TIMEOUT(mutual, two_processes, PEER_TIMEOUT + 2 * test_seconds())
{
	int i;

	for (i = 0; i < 2; i++) {
		self->win[i] = peer_window(&self->p[i], self->p[!i].pid, self->addr[!i], LEN, RW);
		ASSERT_NE(PEER_MAP_FAILED, self->win[i]);
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, start_load(&self->p[i], self->win[i], PAGES, self->addr[i], LEN,
					4 * i));
	EXPECT_PROGRESS(8, test_seconds());

	/* One dies in full flight, the other one goes on. */
	expect_killable(_metadata, &self->p[1]);
	EXPECT_PROGRESS(4, 2);
	expect_killable(_metadata, &self->p[0]);
}

/* Three of them in a circle would need three locks at a time. */
TEST_F_TIMEOUT(mutual, three_in_a_circle, PEER_TIMEOUT + 2 * test_seconds())
{
	unsigned long addr, win[3];
	struct peer third;

	ASSERT_EQ(0, peer_spawn(&third));
	addr = peer_map(&third, PEER_ANON, RW, LEN, 3);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	win[0] = peer_window(&self->p[0], self->p[1].pid, self->addr[1], LEN, RW);
	win[1] = peer_window(&self->p[1], third.pid, addr, LEN, RW);
	win[2] = peer_window(&third, self->p[0].pid, self->addr[0], LEN, RW);
	ASSERT_NE(PEER_MAP_FAILED, win[0]);
	ASSERT_NE(PEER_MAP_FAILED, win[1]);
	ASSERT_NE(PEER_MAP_FAILED, win[2]);
	ASSERT_EQ(0, start_load(&self->p[0], win[0], PAGES, self->addr[0], LEN, 0));
	ASSERT_EQ(0, start_load(&self->p[1], win[1], PAGES, self->addr[1], LEN, 4));
	ASSERT_EQ(0, start_load(&third, win[2], PAGES, addr, LEN, 8));
	EXPECT_PROGRESS(12, test_seconds());
	expect_killable(_metadata, &third);
	EXPECT_PROGRESS(8, 1);
	expect_killable(_metadata, &self->p[0]);
	expect_killable(_metadata, &self->p[1]);
	peer_end(&third);
}

TEST_F_TIMEOUT(mutual, own_memory, PEER_TIMEOUT + 2 * test_seconds())
{
	struct peer *p = &self->p[0];

	self->win[0] = peer_window(p, p->pid, self->addr[0], LEN, RW);
	ASSERT_NE(PEER_MAP_FAILED, self->win[0]);
	ASSERT_EQ(0, start_load(p, self->win[0], PAGES, self->addr[0], LEN, 0));
	EXPECT_PROGRESS(4, test_seconds());
	expect_killable(_metadata, p);
}

/* ---- windows over windows -------------------------------------------------- */

/*
 * In each process half of the range is memory, and the other half is the
 * beginning of the window on the other process's whole range.  Every change of
 * the memory here is a change of the other's window, which lies in a range that
 * a window here shows.
 */
static long op_window_at(const unsigned long *a)
{
	int fd = reader_target(a[0], XMAP_RIGHTS_RW);
	char *win;

	touch_init();
	if (fd < 0)
		return -1;
	win = mmap((void *)a[3], a[2], RW, MAP_SHARED | MAP_FIXED, fd, a[1]);
	close(fd);
	return win == (char *)a[3] ? 0 : -1;
}

TEST_F_TIMEOUT(mutual, windows_over_windows, PEER_TIMEOUT + 2 * test_seconds())
{
	size_t half = LEN / 2;
	int i;

	for (i = 0; i < 2; i++) {
		/* Room for half a range of memory and one window behind it. */
		self->addr[i] = peer_call(&self->p[i], peer_op_mmap, 0, half + LEN, RW,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(PEER_MAP_FAILED, self->addr[i]);
	}
	for (i = 0; i < 2; i++) {
		self->win[i] = self->addr[i] + half;
		ASSERT_EQ(0, peer_call(&self->p[i], op_window_at, self->p[!i].pid, self->addr[!i],
				       LEN, self->win[i]));
	}
	for (i = 0; i < 2; i++) {
		/* The memory is reached, the other's window is not. */
		EXPECT_EQ(0, peer_touch(&self->p[i], self->win[i]));
		EXPECT_EQ(SIGBUS, peer_touch(&self->p[i], self->win[i] + half));
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, start_load(&self->p[i], self->win[i], PAGES, self->addr[i], half,
					4 * i));
	EXPECT_PROGRESS(8, test_seconds());
	expect_killable(_metadata, &self->p[1]);
	EXPECT_PROGRESS(4, 1);
	expect_killable(_metadata, &self->p[0]);
}

/* The same in one process: a window behind the memory that it shows, and more. */
TEST_F_TIMEOUT(mutual, own_window_over_itself, PEER_TIMEOUT + 2 * test_seconds())
{
	struct peer *p = &self->p[0];
	size_t half = LEN / 2;
	unsigned long addr;

	addr = peer_call(p, peer_op_mmap, 0, half + LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	ASSERT_EQ(0, peer_call(p, op_window_at, p->pid, addr, LEN, addr + half));
	EXPECT_EQ(0, peer_touch(p, addr + half));
	EXPECT_EQ(SIGBUS, peer_touch(p, addr + LEN));
	ASSERT_EQ(0, start_load(p, addr + half, PAGES, addr, half, 0));
	EXPECT_PROGRESS(4, test_seconds());
	expect_killable(_metadata, p);
}

/* ---- userfaultfd of the source, served by the reader ------------------------ */

/*
 * Arguments: descriptor, counter.  Before it can help, the handler asks for
 * the mmap_lock of its own process as a writer, as malloc() in it might.
 */
static long op_uffd_handler(const unsigned long *a)
{
	struct uffdio_copy copy = { .len = PAGE };
	struct uffd_msg msg;
	__u64 *page;

	for (;;) {
		if (read(a[0], &msg, sizeof(msg)) != sizeof(msg))
			return -1;
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		page = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED)
			return -1;
		copy.dst = msg.arg.pagefault.address & -PAGE;
		copy.src = (unsigned long)page;
		page[0] = copy.dst;
		/* EEXIST: two faults on one page. */
		ioctl(a[0], UFFDIO_COPY, &copy);
		munmap(page, PAGE);
		count_up(a[1]);
	}
}

/* Start, pages, counter, counter of wrong values, source address of start. */
static long op_uffd_touch(const unsigned long *a)
{
	__u64 rnd = a[2], value;
	size_t off;

	while (!peer_stopped()) {
		off = test_random(&rnd) % a[1] * PAGE;
		if (touch_load((void *)(a[0] + off), &value) || value != a[4] + off)
			count_up(a[3]);
		count_up(a[2]);
	}
	return 0;
}

static long op_fetch_fd(const unsigned long *a)
{
	int pidfd = syscall(SYS_pidfd_open, a[0], 0);
	int fd = syscall(SYS_pidfd_getfd, pidfd, a[1], 0);

	close(pidfd);
	return fd;
}

TEST_F_TIMEOUT(mutual, userfaultfd_in_the_reader, PEER_TIMEOUT + 2 * test_seconds())
{
	enum { TOUCH, HANDLED, MAPPED, DROPPED, NR, WRONG };
	struct peer *src = &self->p[0], *reader = &self->p[1];
	unsigned long addr, win;
	int uffd, i;

	addr = peer_call(src, peer_op_mmap, 0, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	uffd = peer_call(src, peer_op_uffd, addr, LEN);
	if (uffd < 0 && errno == EPERM)
		SKIP(return, "userfaultfd for the kernel's faults is not allowed");
	ASSERT_LE(0, uffd);
	uffd = peer_call(reader, op_fetch_fd, src->pid, uffd);
	ASSERT_LE(0, uffd);
	win = peer_window(reader, src->pid, addr, LEN, RW);
	ASSERT_NE(PEER_MAP_FAILED, win);

	ASSERT_EQ(0, peer_thread(reader, op_uffd_handler, uffd, HANDLED));
	ASSERT_EQ(0, peer_thread(reader, watch_op_mmap, MAPPED));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, peer_thread(reader, op_uffd_touch, win, PAGES, TOUCH, WRONG, addr));
	ASSERT_EQ(0, peer_thread(src, watch_op_mmap, MAPPED));
	ASSERT_EQ(0, peer_thread(src, watch_op_dontneed, addr, LEN, DROPPED));
	EXPECT_PROGRESS(NR, test_seconds());
	EXPECT_EQ(0, count_of(WRONG));

	/* With the handler gone too, faults of the source hang, and can be killed. */
	expect_killable(_metadata, reader);
	expect_killable(_metadata, src);
}

/* ---- first registrations against reclaim of common file pages --------------- */

#define FILE_PAGES 64

/*
 * The first window of a process, and all that comes with it, again and again:
 * a child that has the file mapped too opens, maps, touches and ends.
 * Arguments: source, address there, own mapping of the file, counter, counter
 * of failures.
 */
static long op_first_windows(const unsigned long *a)
{
	pid_t pid, parent = getpid();
	int status, i;

	while (!peer_stopped()) {
		pid = fork();
		if (pid < 0)
			return -1;
		if (!pid) {
			char *win;

			peer_bind_to(parent);
			touch_init();
			win = reader_window(a[0], a[1], FILE_PAGES * PAGE, RW);
			if (win == MAP_FAILED)
				_exit(1);
			for (i = 0; i < FILE_PAGES; i += 4)
				if (touch((char *)a[2] + i * PAGE) || touch(win + i * PAGE))
					_exit(2);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid)
			return -1;
		if (status)
			count_up(a[4]);
		count_up(a[3]);
	}
	return 0;
}

/* Start, length, counter: reclaim the pages, with the file's locks held. */
static long op_reclaim(const unsigned long *a)
{
	unsigned long off;

	while (!peer_stopped()) {
		/* Dirty again, or there is nothing to do. */
		for (off = 0; off < a[1]; off += PAGE)
			__atomic_add_fetch((__u64 *)(a[0] + off), 1, __ATOMIC_SEQ_CST);
		if (madvise((void *)a[0], a[1], MADV_PAGEOUT))
			return -1;
		count_up(a[2]);
	}
	return 0;
}

static long op_map_fd(const unsigned long *a)
{
	return (long)mmap(NULL, a[1], RW, MAP_SHARED, a[0], 0);
}

TEST_F_TIMEOUT(mutual, first_windows_against_reclaim, PEER_TIMEOUT + 2 * test_seconds())
{
	enum { WINDOWS0, WINDOWS1, RECLAIM0, RECLAIM1, NR, FAILED };
	size_t len = FILE_PAGES * PAGE;
	unsigned long addr[2];
	struct peer p[3];
	int fd, i;

	self->swap = zram_swap_new(64 << 20);
	if (!self->swap)
		SKIP(return, "no swap on zram here");
	fd = peer_new_file(len, 1);
	ASSERT_LE(0, fd);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, peer_spawn(&p[i]));
	for (i = 0; i < 2; i++) {
		addr[i] = peer_call(&p[i], op_map_fd, fd, len);
		ASSERT_NE(PEER_MAP_FAILED, addr[i]);
	}
	/* The source reclaims, and so does a bystander with the same file. */
	ASSERT_EQ(0, peer_thread(&p[0], op_reclaim, addr[0], len, RECLAIM0));
	ASSERT_EQ(0, peer_thread(&p[1], op_reclaim, addr[1], len, RECLAIM1));
	for (i = 0; i < 2; i++) {
		struct peer *boss = i ? &p[2] : &p[1];
		unsigned long own = i ? (unsigned long)peer_call(boss, op_map_fd, fd, len) :
					addr[1];

		ASSERT_NE(PEER_MAP_FAILED, own);
		ASSERT_EQ(0, peer_thread(boss, op_first_windows, p[0].pid, addr[0], own,
					 WINDOWS0 + i, FAILED));
	}
	EXPECT_PROGRESS(NR, test_seconds());
	EXPECT_EQ(0, count_of(FAILED));
	TH_LOG("%llu first windows, %llu reclaims", count_of(WINDOWS0) + count_of(WINDOWS1),
	       count_of(RECLAIM0) + count_of(RECLAIM1));
	for (i = 2; i >= 0; i--)
		expect_killable(_metadata, &p[i]);
	close(fd);
}

TEST_HARNESS_MAIN
