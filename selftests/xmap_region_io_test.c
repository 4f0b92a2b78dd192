// SPDX-License-Identifier: GPL-2.0-only
/* Regions are ordinary memory for the kernel, and go to swap like any. */
#include <liburing.h>
#include <sched.h>
#include <sys/ptrace.h>

#include "xmap_region_utils.h"
#include "xmap_zram.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

FIXTURE_SETUP(region)
{
	ASSERT_EQ(0, region_begin(self, 0));
}

FIXTURE_TEARDOWN(region)
{
	region_end(self);
}

/* Both have it: ours at map, the peer's at the result. */
static long map_both(REGION *self, void *map)
{
	*(void **)map = mmap(NULL, LEN, RW, MAP_SHARED, self->fd, 0);
	if (*(void **)map == MAP_FAILED)
		return -1;
	return peer_call(&self->peer, op_region_map, give(self->fd), 0, LEN, RW);
}

/* Wait until the word is 1, make it 2. */
static long op_ping(const unsigned long *a)
{
	__u32 *word = (__u32 *)a[0];

	peer_await(word, 1);
	peer_set(word, 2);
	return 0;
}

TEST_F(region, futex)
{
	__u32 *map;
	long theirs = map_both(self, &map);
	int i;

	ASSERT_NE(-1, theirs);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, peer_start(&self->peer, op_ping, theirs + PAGE));
		peer_set(map + PAGE / 4, 1);
		peer_await(map + PAGE / 4, 2);
		ASSERT_EQ(0, peer_finish(&self->peer));
	}
}

TEST_F(region, direct_io)
{
	char *dev = zram_new(1 << 20);
	void *map, *other;
	int fd;

	ASSERT_NE(NULL, dev);
	test_region_map(self->fd, 0, LEN, RW, &map);
	test_region_map(self->fd, 0, LEN, RW, &other);
	peer_fill_here(map, LEN, 1);
	fd = open(dev, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)LEN, pwrite(fd, map, LEN, 0));
	memset(map, 0, LEN);
	ASSERT_EQ((ssize_t)LEN, pread(fd, other, LEN, 0));
	EXPECT_EQ(0, peer_check_here(map, LEN, 1));
	/* Neither into what is read-only, nor beyond the end. */
	ASSERT_EQ(0, mprotect(other, LEN, PROT_READ));
	EXPECT_ERRNO(EFAULT, pread(fd, other, PAGE, 0));
	test_region_resize(self->fd, PAGE);
	EXPECT_ERRNO(EFAULT, pread(fd, (char *)map + PAGE, PAGE, 0));
	close(fd);
	EXPECT_EQ(0, zram_end(dev));
}

TEST_F(region, io_uring)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	struct iovec iov;
	char buf[8] = "uring!!";
	int pipefd[2], i;
	char *map;

	test_region_map(self->fd, 0, LEN, RW, &map);
	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_EQ(0, io_uring_queue_init(8, &ring, 0));
	iov = (struct iovec){ .iov_base = map, .iov_len = LEN };
	if (!region_registers()) {
		ASSERT_EQ(-EOPNOTSUPP, io_uring_register_buffers(&ring, &iov, 1));
	} else {
		ASSERT_EQ(0, io_uring_register_buffers(&ring, &iov, 1));
		ASSERT_EQ(8, write(pipefd[1], buf, 8));
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_read_fixed(sqe, pipefd[0], map + PAGE, 8, 0, 0);
		ASSERT_EQ(1, io_uring_submit(&ring));
		ASSERT_EQ(0, io_uring_wait_cqe(&ring, &cqe));
		EXPECT_EQ(8, cqe->res);
		io_uring_cqe_seen(&ring, cqe);
		EXPECT_STREQ(buf, map + PAGE);
	}
	/* And the region's own file, at once and by a worker. */
	for (i = 0; i < 4; i++) {
		memcpy(buf, "UxmapU!", 8);
		sqe = io_uring_get_sqe(&ring);
		if (i & 1)
			io_uring_prep_read(sqe, self->fd, buf, 8, PAGE);
		else
			io_uring_prep_write(sqe, self->fd, buf, 8, PAGE);
		if (i & 2)
			io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
		ASSERT_EQ(1, io_uring_submit(&ring));
		ASSERT_EQ(0, io_uring_wait_cqe(&ring, &cqe));
		EXPECT_EQ(8, cqe->res);
		io_uring_cqe_seen(&ring, cqe);
		EXPECT_STREQ(buf, map + PAGE);
	}
	io_uring_queue_exit(&ring);
}

TEST_F(region, looked_at)
{
	long theirs;
	void *map, *win;
	__u64 word = 0;
	char path[32];
	int fd;

	theirs = map_both(self, &map);
	ASSERT_NE(-1, theirs);
	peer_fill_here(map, LEN, 1);
	EXPECT_EQ(8, vm_read(self->peer.pid, theirs + PAGE, &word, 8));
	EXPECT_EQ(peer_word(1, PAGE), word);
	snprintf(path, sizeof(path), "/proc/%d/mem", self->peer.pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(8, pread(fd, &word, 8, theirs + 8));
	EXPECT_EQ(peer_word(1, 8), word);
	close(fd);
	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, self->peer.pid, 0, 0));
	ASSERT_EQ(self->peer.pid, waitpid(self->peer.pid, NULL, __WALL));
	errno = 0;
	EXPECT_EQ(peer_word(1, 16), (__u64)ptrace(PTRACE_PEEKDATA, self->peer.pid, theirs + 16, 0));
	EXPECT_EQ(0, ptrace(PTRACE_POKEDATA, self->peer.pid, theirs + 16, 99));
	EXPECT_LOAD(99, (char *)map + 16);
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, self->peer.pid, 0, 0));
	/* By this module, too; a window follows what becomes of the region. */
	test_target_open_pid(self->dev, self->peer.pid, XMAP_RIGHTS_RW, &fd);
	ASSERT_EQ(8, pread(fd, &word, 8, theirs + 24));
	EXPECT_EQ(peer_word(1, 24), word);
	test_window_map(fd, theirs, LEN, RW, &win);
	EXPECT_LOAD(99, (char *)win + 16);
	EXPECT_STORE(98, (char *)win + 16);
	EXPECT_LOAD(98, (char *)map + 16);
	test_region_rebind(1, self->fd);
	EXPECT_LOAD(0, (char *)win + 16);
	test_region_resize(self->fd, PAGE);
	EXPECT_SIGNAL(SIGBUS, (char *)win + PAGE);
	test_revoke(self->fd, 0, 0);
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_ERRNO(EFAULT, pread(fd, &word, 8, theirs));
	EXPECT_ERRNO(EFAULT, vm_read(self->peer.pid, theirs, &word, 8));
}

/* New pages wait on their processor's list, where only that one finds them to page them out. */
static int stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

/* Which pages are in memory. */
static int resident(void *map)
{
	unsigned char vec[PAGES];
	int i, n = 0;

	if (mincore(map, LEN, vec))
		return -1;
	for (i = 0; i < PAGES; i++)
		n += vec[i] & 1;
	return n;
}

TEST_F(region, swap)
{
	char *dev = zram_swap_new(64 << 20);
	void *map, *derived;
	int fd, i;

	ASSERT_NE(NULL, dev);
	ASSERT_EQ(0, stay_here());
	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_region_map(self->fd, 0, LEN, RW, &map);
	test_region_map(fd, 0, LEN, RW, &derived);
	for (i = 0; i < 3; i++) {
		peer_fill_here(map, LEN, i);
		ASSERT_EQ(0, munmap(derived, LEN));
		ASSERT_EQ(0, madvise(map, LEN, MADV_PAGEOUT));
		EXPECT_GT(PAGES, resident(map));
		test_region_map(fd, 0, LEN, RW, &derived);
		if (i == 1)
			ASSERT_EQ((ssize_t)PAGE, pwrite(fd, derived, PAGE, 0));
		if (i == 2)
			test_revoke(fd, 0, 4 * PAGE);
		EXPECT_EQ(i == 2 ? SIGBUS : 0, touch(derived));
		EXPECT_LOAD(peer_word(i, 4 * PAGE), (char *)derived + 4 * PAGE);
		EXPECT_EQ(0, peer_check_here(map, LEN, i));
	}
	ASSERT_EQ(0, munmap(derived, LEN));
	ASSERT_EQ(0, madvise(map, LEN, MADV_PAGEOUT));
	test_region_resize(self->fd, PAGE);
	test_region_resize(self->fd, LEN);
	EXPECT_EQ(0, peer_check_here(map, PAGE, 2));
	EXPECT_LOAD(0, (char *)map + PAGE);
	ASSERT_EQ(0, madvise(map, LEN, MADV_PAGEOUT));
	test_region_rebind(1, self->fd);
	EXPECT_LOAD(0, map);
	EXPECT_EQ(0, zram_swap_end(dev));
}

/* A copy that took the place of a page goes to swap, and comes back, as the page would. */
TEST_F(region, swap_after_replacing)
{
	char *dev = zram_swap_new(64 << 20);
	struct iovec iov = { .iov_len = LEN };
	void *map, *derived;
	int pipefd[2], fd;

	ASSERT_NE(NULL, dev);
	ASSERT_EQ(0, stay_here());
	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_region_map(self->fd, 0, LEN, RW, &map);
	test_region_map(fd, 0, LEN, RW, &derived);
	peer_fill_here(map, LEN, 1);
	ASSERT_EQ(0, pipe(pipefd));
	iov.iov_base = derived;
	ASSERT_EQ((ssize_t)LEN, vmsplice(pipefd[1], &iov, 1, 0));
	test_revoke(fd, 0, 0);
	EXPECT_EQ(0, peer_check_here(map, LEN, 1));
	ASSERT_EQ(0, madvise(map, LEN, MADV_PAGEOUT));
	EXPECT_GT(PAGES, resident(map));
	EXPECT_EQ(0, peer_check_here(map, LEN, 1));
	EXPECT_EQ(0, zram_swap_end(dev));
	EXPECT_EQ(0, peer_check_here(map, LEN, 1));
}

/* /dev/xmap: of a mapping whose rights are gone, how many pages are said to be resident. */
static long op_look_without_rights(const unsigned long *a)
{
	void *map, *derived;
	int fd, part;

	if (_test_region_create(a[0], 0, LEN, &fd) ||
	    _test_region_derive(fd, XMAP_RIGHT_READ, 0, 0, &part))
		return -1;
	map = mmap(NULL, LEN, RW, MAP_SHARED, fd, 0);
	derived = mmap(NULL, LEN, PROT_READ, MAP_SHARED, part, 0);
	if (map == MAP_FAILED || derived == MAP_FAILED)
		return -1;
	if (_test_revoke(part, 0, 0) || touch_store((char *)map + 3 * PAGE, 1))
		return -1;
	return resident(derived);
}

/* Who has lost it does not see by mincore() what others do with it, though they be himself. */
TEST_F(region, resident_without_rights)
{
	long n;

	ASSERT_EQ(0, peer_become(&self->peer, UID_B));
	n = peer_call(&self->peer, op_look_without_rights, self->dev);
	EXPECT_TRUE(!n || n == PAGES)
	{
		TH_LOG("%ld pages", n);
	}
}

/* ---- Huge pages ---- */

#define SHMEM_ENABLED "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define HUGE_LEN (4UL << 20)

/* They cannot be taken away page by page: where all tmpfs must have them there are no regions. */
TEST_F(region, forced_huge_pages)
{
	int fd, i, sig;
	__u64 value;
	void *map;

	if (access(SHMEM_ENABLED, F_OK))
		SKIP(return, "this kernel has no huge pages");
	ASSERT_EQ(0, xmap_write_file(SHMEM_ENABLED, "force"));
	test_region_create(self->dev, 0, HUGE_LEN, &fd);
	test_region_map(fd, 0, HUGE_LEN, RW, &map);
	for (i = 0; i < 2; i++) {
		/* Unless there was no huge page to be had. */
		value = 0;
		sig = touch_load((char *)map + i * (HUGE_LEN - 8), &value);
		EXPECT_EQ(sig ? EOPNOTSUPP : 0,
			  XMAP_ERRNO(pread(fd, &value, 8, i * (HUGE_LEN - 8))));
		EXPECT_EQ(0, value);
	}
	EXPECT_EQ(0, xmap_write_file(SHMEM_ENABLED, "never"));
	test_region_rebind(1, fd);
	EXPECT_STORE(5, map);
	/* Nor does anybody make them of small ones. */
	EXPECT_ERRNO(EINVAL, madvise(map, HUGE_LEN, MADV_COLLAPSE));
	EXPECT_LOAD(5, map);
	close(fd);
}

/* ---- Who pays ---- */

#define BYTES (4UL << 20)

TEST_F(region, memory_cgroup)
{
	long fd, theirs, before;
	void *map;
	int ours;

	ASSERT_EQ(0, region_cgroup_new());
	ASSERT_EQ(0, peer_call(&self->peer, op_cgroup_join, 0));
	test_region_create(self->dev, 0, BYTES, &ours);
	test_region_map(ours, 0, BYTES, RW, &map);
	fd = give(ours);
	theirs = peer_call(&self->peer, op_region_map, fd, 0, BYTES, RW);
	ASSERT_NE(-1, theirs);
	before = xmap_read_long(GROUP "/memory.current");
	/* Not who has created it, nor who touches it later, but who touches it first. */
	ASSERT_EQ(0, peer_fill(&self->peer, theirs, BYTES, 1));
	EXPECT_EQ(0, peer_check_here(map, BYTES, 1));
	EXPECT_LE((long)BYTES, xmap_read_long(GROUP "/memory.current") - before + (1 << 20));
	test_region_rebind(1, ours);
	peer_end(&self->peer);
	EXPECT_EQ(0, rmdir(GROUP));
}

TEST_HARNESS_MAIN
