// SPDX-License-Identifier: GPL-2.0-only
/*
 * Targets as files: ranges and rights, reading and writing by file position,
 * deriving, polling, passing on, and the end of the address space.
 */
#include "xmap_utils.h"
#include "xmap_peer.h"

#include <sys/stat.h>

#define PAGES 8
#define SEED 7

FIXTURE(target)
{
	int dev;
	long page;
	struct peer peer;
	/* In the peer: PAGES pages of a pattern between two unmapped ones. */
	unsigned long mem;
	int fd;
};

#define TARGET FIXTURE_DATA(target)

FIXTURE_SETUP(target)
{
	self->page = xmap_page_size();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->peer));
	self->mem = peer_map(&self->peer, PEER_ANON, PROT_READ | PROT_WRITE,
			     (PAGES + 2) * self->page, 0);
	ASSERT_NE(PEER_MAP_FAILED, self->mem);
	ASSERT_EQ(0, peer_munmap(&self->peer, self->mem, self->page));
	self->mem += self->page;
	ASSERT_EQ(0, peer_munmap(&self->peer, self->mem + PAGES * self->page,
				 self->page));
	ASSERT_EQ(0, peer_fill(&self->peer, self->mem, PAGES * self->page, SEED));
	test_target_open(self->dev, self->peer.pidfd, self->peer.pid,
			 XMAP_RIGHTS_RW, 0, 0, &self->fd);
}

FIXTURE_TEARDOWN(target)
{
	close(self->fd);
	peer_end(&self->peer);
	close(self->dev);
}

static int open_target(TARGET *self, __u32 rights, __u64 addr,
		       __u64 length)
{
	int fd;

	if (_test_target_open(self->dev, self->peer.pidfd, self->peer.pid,
			      rights, addr, length, &fd))
		return -1;
	return fd;
}

/* ---- Ranges and rights of open ---- */

TEST_F(target, open_rights)
{
	int pidfd = self->peer.pidfd;
	pid_t pid = self->peer.pid;
	struct xmap_cmd_target_info info;
	unsigned int bit;
	__u32 rights;
	int fd;

	for (rights = 0; rights <= XMAP_RIGHTS_ALL; rights++) {
		if (!rights || (rights & XMAP_RIGHT_FORCE &&
				!(rights & XMAP_RIGHT_WRITE))) {
			test_err_target_open(EINVAL, self->dev, pidfd, pid,
					     rights, 0, 0);
			continue;
		}
		test_target_open(self->dev, pidfd, pid, rights, 0, 0, &fd);
		test_target_info(fd, &info);
		EXPECT_EQ(rights, info.out_rights);
		EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
		EXPECT_EQ(rights & XMAP_RIGHT_WRITE ?
			  (rights & XMAP_RIGHT_READ ? O_RDWR : O_WRONLY) : O_RDONLY,
			  fcntl(fd, F_GETFL) & O_ACCMODE);
		close(fd);
	}
	for (bit = 3; bit < 32; bit++)
		test_err_target_open(EOPNOTSUPP, self->dev, pidfd, pid,
				     XMAP_RIGHT_READ | 1U << bit, 0, 0);
}

TEST_F(target, open_ranges)
{
	const struct {
		__u64 addr;
		__u64 length;
		int err;
	} wrong[] = {
		{ self->mem, 0, EINVAL },
		{ 1, 0, EINVAL },
		{ -1UL, 0, EINVAL },
		{ self->mem, -1UL, EOVERFLOW },
		{ -8UL, 9, EOVERFLOW },
		{ -1UL, -1UL, EOVERFLOW },
		{ 2, -1UL, EOVERFLOW },
		{ 0, -1UL, EFAULT },
		{ 0x8000000000000000UL, 4096, EFAULT },
		{ 0xffff888000000000UL, 4096, EFAULT },
		{ -8UL, 7, EFAULT },
		{ 0x7ffffffff000UL, 1, EFAULT },
		{ 0x7fffffffefffUL, 2, EFAULT },
	};
	struct xmap_cmd_target_info info;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		test_err_target_open(wrong[i].err, self->dev, self->peer.pidfd,
				     self->peer.pid, XMAP_RIGHT_READ,
				     wrong[i].addr, wrong[i].length);

	/* Any alignment, any user address, mapped or not. */
	fd = open_target(self, XMAP_RIGHT_READ, self->mem + 3, 7);
	ASSERT_LE(0, fd);
	test_target_info(fd, &info);
	EXPECT_EQ(self->mem + 3, info.out_addr);
	EXPECT_EQ(7, info.out_length);
	close(fd);
	fd = open_target(self, XMAP_RIGHT_READ, 0x7fffffffefffUL, 1);
	EXPECT_LE(0, fd);
	close(fd);
	fd = open_target(self, XMAP_RIGHT_READ, 0, 1);
	EXPECT_LE(0, fd);
	close(fd);

	test_target_info(self->fd, &info);
	EXPECT_EQ(0, info.out_addr);
	EXPECT_EQ(0x7ffffffff000UL, info.out_length);
}

TEST_F(target, info)
{
	struct xmap_cmd_target_info info;
	void *win;

	test_target_info(self->fd, &info);
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_EQ(XMAP_RIGHTS_RW, info.out_rights);
	EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
	EXPECT_EQ(self->peer.pid, info.out_pid);
	EXPECT_EQ(0, info.out_windows);

	test_window_map(self->fd, self->mem, self->page, PROT_READ, &win);
	test_target_info(self->fd, &info);
	EXPECT_EQ(1, info.out_windows);
	ASSERT_EQ(0, munmap(win, self->page));
	test_target_info(self->fd, &info);
	EXPECT_EQ(0, info.out_windows);
}

/* ---- Reading and writing ---- */

TEST_F(target, pread_pwrite)
{
	__u64 word = 0, value = 0x1122334455667788;
	char text[16];

	EXPECT_EQ(8, pread(self->fd, &word, 8, self->mem + 24));
	EXPECT_EQ(peer_word(SEED, 24), word);
	EXPECT_EQ(8, pwrite(self->fd, &value, 8, self->mem + 24));
	EXPECT_EQ(value, peer_load(&self->peer, self->mem + 24));
	EXPECT_EQ(peer_word(SEED, 16), peer_load(&self->peer, self->mem + 16));
	EXPECT_EQ(peer_word(SEED, 32), peer_load(&self->peer, self->mem + 32));

	/* Odd sizes across a page boundary. */
	EXPECT_EQ(7, pwrite(self->fd, "seventy", 7, self->mem + self->page - 3));
	EXPECT_EQ(7, pread(self->fd, text, 7, self->mem + self->page - 3));
	EXPECT_EQ(0, memcmp(text, "seventy", 7));
	EXPECT_EQ(0, pread(self->fd, text, 0, self->mem));
	EXPECT_EQ(0, pwrite(self->fd, text, 0, self->mem));
}

TEST_F(target, whole_content)
{
	size_t len = PAGES * self->page;
	__u64 *buf = malloc(len);

	ASSERT_EQ(len, pread(self->fd, buf, len, self->mem));
	EXPECT_EQ(0, peer_check_here(buf, len, SEED));
	peer_fill_here(buf, len, SEED + 1);
	ASSERT_EQ(len, pwrite(self->fd, buf, len, self->mem));
	EXPECT_EQ(0, peer_check(&self->peer, self->mem, len, SEED + 1));
	free(buf);
}

TEST_F(target, vectored)
{
	char a[5], b[self->page], c[9], want[self->page + 14];
	struct iovec iov[] = {
		{ a, sizeof(a) }, { NULL, 0 }, { b, sizeof(b) }, { c, sizeof(c) },
	};
	ssize_t len = sizeof(want);
	unsigned long addr = self->mem + 100;

	ASSERT_EQ(len, pread(self->fd, want, len, addr));
	ASSERT_EQ(len, preadv(self->fd, iov, 4, addr));
	EXPECT_EQ(0, memcmp(a, want, 5));
	EXPECT_EQ(0, memcmp(b, want + 5, sizeof(b)));
	EXPECT_EQ(0, memcmp(c, want + 5 + sizeof(b), 9));

	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	memset(c, 'c', sizeof(c));
	ASSERT_EQ(len, pwritev(self->fd, iov, 4, addr));
	ASSERT_EQ(len, pread(self->fd, want, len, addr));
	EXPECT_EQ('a', want[4]);
	EXPECT_EQ('b', want[5]);
	EXPECT_EQ('b', want[4 + sizeof(b)]);
	EXPECT_EQ('c', want[5 + sizeof(b)]);
	EXPECT_EQ('c', want[len - 1]);
}

TEST_F(target, position)
{
	__u64 words[2], value = 42;

	/* A new target stands at address 0, where there is nothing. */
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_ERRNO(EFAULT, read(self->fd, words, 8));
	EXPECT_EQ(self->mem, lseek(self->fd, self->mem, SEEK_SET));
	EXPECT_EQ(16, read(self->fd, words, 16));
	EXPECT_EQ(peer_word(SEED, 8), words[1]);
	EXPECT_EQ(8, write(self->fd, &value, 8));
	EXPECT_EQ(42, peer_load(&self->peer, self->mem + 16));
	EXPECT_EQ(self->mem + 24, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(self->mem + 8, lseek(self->fd, -16, SEEK_CUR));
	EXPECT_EQ(0x7ffffffff000L, lseek(self->fd, 0, SEEK_END));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, -1, SEEK_SET));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, 0xffff888000000000, SEEK_SET));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, 0x7ffffffff001L, SEEK_SET));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, 1, SEEK_END));
	/* pread and pwrite leave the position alone. */
	EXPECT_EQ(self->mem, lseek(self->fd, self->mem, SEEK_SET));
	EXPECT_EQ(8, pread(self->fd, words, 8, self->mem + 64));
	EXPECT_EQ(self->mem, lseek(self->fd, 0, SEEK_CUR));
}

TEST_F(target, holes)
{
	unsigned long end = self->mem + PAGES * self->page;
	char *buf = malloc((PAGES + 2) * self->page);
	size_t hole = self->mem + 3 * self->page;

	EXPECT_ERRNO(EFAULT, pread(self->fd, buf, 1, self->mem - 1));
	EXPECT_ERRNO(EFAULT, pwrite(self->fd, buf, 1, self->mem - 1));
	EXPECT_ERRNO(EFAULT, pread(self->fd, buf, 1, end));
	EXPECT_ERRNO(EFAULT, pread(self->fd, buf, 8, 0));
	/* What begins before a hole is cut there. */
	EXPECT_EQ(1, pread(self->fd, buf, 8, end - 1));
	EXPECT_EQ(PAGES * self->page,
		  pread(self->fd, buf, (PAGES + 2) * self->page, self->mem));
	EXPECT_EQ(5, pwrite(self->fd, "abcdefgh", 8, end - 5));

	ASSERT_EQ(0, peer_munmap(&self->peer, hole, self->page));
	EXPECT_EQ(3 * self->page, pread(self->fd, buf, PAGES * self->page, self->mem));
	EXPECT_ERRNO(EFAULT, pread(self->fd, buf, 1, hole));
	EXPECT_EQ(8, pread(self->fd, buf, 8, hole + self->page));

	/* No access for the target: none for us. */
	ASSERT_EQ(0, peer_mprotect(&self->peer, self->mem, self->page, PROT_NONE));
	EXPECT_ERRNO(EFAULT, pread(self->fd, buf, 1, self->mem));
	EXPECT_ERRNO(EFAULT, pwrite(self->fd, buf, 1, self->mem));
	free(buf);
}

TEST_F(target, addresses_beyond_user_space)
{
	char buf[16];

	EXPECT_ERRNO(EFAULT, pread(self->fd, buf, 1, 0x7ffffffff000));
	EXPECT_ERRNO(EFAULT, pread(self->fd, buf, 8, 0x7fffffffeffc));
	EXPECT_ERRNO(EFAULT, pread(self->fd, buf, 1, 0x7fffffffffffffff - 1));
	/* The kernel takes what reaches over the last offset for a mistake. */
	EXPECT_ERRNO(EINVAL, pread(self->fd, buf, 16, 0x7ffffffffffffff8));
	/* The kernel takes a negative offset for a mistake before we see it. */
	EXPECT_ERRNO(EINVAL, pread(self->fd, buf, 1, 0xffff888000000000));
	EXPECT_ERRNO(EINVAL, pwrite(self->fd, buf, 1, 0xffffffff81000000));
}

TEST_F(target, bad_local_buffers)
{
	char *mem = mmap(NULL, 2 * self->page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, (void *)mem);
	ASSERT_EQ(0, mprotect(mem + self->page, self->page, PROT_NONE));
	EXPECT_ERRNO(EFAULT, pread(self->fd, mem + self->page, 8, self->mem));
	EXPECT_ERRNO(EFAULT, pwrite(self->fd, mem + self->page, 8, self->mem));
	EXPECT_ERRNO(EFAULT, pread(self->fd, (void *)(self->page / 2), 8, self->mem));
	EXPECT_ERRNO(EFAULT, pread(self->fd, (void *)0xffff888000000000, 8, self->mem));
	/* What fitted is copied and counted. */
	EXPECT_EQ(16, pread(self->fd, mem + self->page - 16, 64, self->mem));
	EXPECT_EQ(peer_word(SEED, 8), *(__u64 *)(mem + self->page - 8));
	EXPECT_EQ(16, pwrite(self->fd, mem + self->page - 16, 64, self->mem + 64));
	EXPECT_EQ(peer_word(SEED, 8), peer_load(&self->peer, self->mem + 72));
	EXPECT_EQ(peer_word(SEED, 80), peer_load(&self->peer, self->mem + 80));
	ASSERT_EQ(0, mprotect(mem, self->page, PROT_READ));
	EXPECT_ERRNO(EFAULT, pread(self->fd, mem, 8, self->mem));
	EXPECT_EQ(8, pwrite(self->fd, mem, 8, self->mem));
	munmap(mem, 2 * self->page);
}

/* ---- What the handle lacks ---- */

TEST_F(target, narrowed_range)
{
	unsigned long addr = self->mem + self->page + 5;
	int fd = open_target(self, XMAP_RIGHTS_RW, addr, 100);
	char buf[200] = "x";

	ASSERT_LE(0, fd);
	EXPECT_EQ(100, pread(fd, buf, 100, addr));
	EXPECT_EQ(1, pread(fd, buf, 1, addr + 99));
	EXPECT_EQ(1, pwrite(fd, buf, 1, addr));
	/* Cut at the end of the range, as at the end of a file. */
	EXPECT_EQ(100, pread(fd, buf, 200, addr));
	EXPECT_EQ(1, pwrite(fd, buf, 8, addr + 99));
	EXPECT_EQ(peer_word(SEED, self->page + 112),
		  peer_load(&self->peer, self->mem + self->page + 112));
	EXPECT_ERRNO(EACCES, pread(fd, buf, 1, addr + 100));
	EXPECT_ERRNO(EACCES, pread(fd, buf, 1, addr - 1));
	EXPECT_ERRNO(EACCES, pread(fd, buf, 100, addr - 1));
	EXPECT_ERRNO(EACCES, pwrite(fd, buf, 1, addr - 1));
	EXPECT_ERRNO(EACCES, pwrite(fd, buf, 1, addr + 100));
	EXPECT_ERRNO(EACCES, pread(fd, buf, 1, 0));
	EXPECT_ERRNO(EFAULT, pread(fd, buf, 1, 0x7ffffffff000));
	EXPECT_EQ(addr + 100, lseek(fd, 0, SEEK_END));
	close(fd);
}

/* The VFS looks at the file's mode: EBADF before we are asked. */
TEST_F(target, missing_rights)
{
	int ro = open_target(self, XMAP_RIGHT_READ, 0, 0);
	int wo = open_target(self, XMAP_RIGHT_WRITE, 0, 0);
	__u64 word = 5;

	EXPECT_EQ(8, pread(ro, &word, 8, self->mem));
	EXPECT_ERRNO(EBADF, pwrite(ro, &word, 8, self->mem));
	EXPECT_ERRNO(EBADF, write(ro, &word, 8));
	EXPECT_EQ(8, pwrite(wo, &word, 8, self->mem));
	EXPECT_ERRNO(EBADF, pread(wo, &word, 8, self->mem));
	test_err_window_map(EACCES, wo, self->mem, self->page, PROT_READ);
	test_err_window_map(EACCES, ro, self->mem, self->page, PROT_READ | PROT_WRITE);
	close(ro);
	close(wo);
}

/* To open the file anew through /proc is no way round. */
TEST_F(target, no_reopen)
{
	int ro = open_target(self, XMAP_RIGHT_READ, 0, 0);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", ro);
	EXPECT_ERRNO(ENXIO, open(path, O_RDWR));
	EXPECT_ERRNO(ENXIO, open(path, O_RDONLY));
	close(ro);
}

/* ---- Derived targets ---- */

TEST_F(target, derive_narrows)
{
	unsigned long addr = self->mem + self->page;
	int parent = open_target(self, XMAP_RIGHTS_RW, addr, 2 * self->page);
	struct xmap_cmd_target_info info;
	__u64 word;
	int fd, fd2;

	ASSERT_LE(0, parent);
	test_target_derive(parent, XMAP_RIGHT_READ, 0, 0, &fd);
	test_target_info(fd, &info);
	EXPECT_EQ(XMAP_RIGHT_READ, info.out_rights);
	EXPECT_EQ(addr, info.out_addr);
	EXPECT_EQ(2 * self->page, info.out_length);
	EXPECT_EQ(self->peer.pid, info.out_pid);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_ERRNO(EBADF, pwrite(fd, &word, 8, addr));
	close(fd);

	test_target_derive(parent, XMAP_RIGHTS_RW, addr + 8, 16, &fd);
	test_target_derive(fd, XMAP_RIGHT_READ, addr + 16, 8, &fd2);
	EXPECT_EQ(0, close(parent));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(8, pread(fd2, &word, 8, addr + 16));
	EXPECT_EQ(peer_word(SEED, self->page + 16), word);
	EXPECT_ERRNO(EACCES, pread(fd2, &word, 8, addr + 8));
	close(fd2);
}

TEST_F(target, derive_never_widens)
{
	unsigned long addr = self->mem + self->page;
	int fd = open_target(self, XMAP_RIGHT_READ, addr, self->page);
	int wo = open_target(self, XMAP_RIGHT_WRITE, 0, 0);
	unsigned int bit;

	ASSERT_LE(0, fd);
	test_err_target_derive(EACCES, fd, XMAP_RIGHTS_RW, 0, 0);
	test_err_target_derive(EACCES, fd, XMAP_RIGHT_WRITE, 0, 0);
	test_err_target_derive(EACCES, wo, XMAP_RIGHT_READ, 0, 0);
	test_err_target_derive(EACCES, wo, XMAP_RIGHT_WRITE | XMAP_RIGHT_FORCE, 0, 0);
	test_err_target_derive(EACCES, fd, XMAP_RIGHT_READ, addr - 1, self->page);
	test_err_target_derive(EACCES, fd, XMAP_RIGHT_READ, addr + 1, self->page);
	test_err_target_derive(EACCES, fd, XMAP_RIGHT_READ, addr, self->page + 1);
	test_err_target_derive(EACCES, fd, XMAP_RIGHT_READ, 0, addr + 1);
	test_err_target_derive(EACCES, fd, XMAP_RIGHT_READ, addr + self->page, 1);

	test_err_target_derive(EINVAL, fd, 0, 0, 0);
	test_err_target_derive(EINVAL, fd, XMAP_RIGHT_FORCE, 0, 0);
	test_err_target_derive(EINVAL, fd, XMAP_RIGHT_READ, addr, 0);
	test_err_target_derive(EOVERFLOW, fd, XMAP_RIGHT_READ, addr, -1UL);
	for (bit = 3; bit < 32; bit++)
		test_err_target_derive(EOPNOTSUPP, fd, XMAP_RIGHT_READ | 1U << bit, 0, 0);
	close(wo);
	close(fd);
}

/* ---- The end of the address space ---- */

static short poll_now(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&p, 1, timeout) < 0 ? -1 : p.revents;
}

/* Wait for POLLHUP alone, as long as it takes. */
static short poll_end(int fd)
{
	struct pollfd p = { .fd = fd };

	poll(&p, 1, -1);
	return p.revents;
}

static void expect_dead(struct __test_metadata *_metadata, TARGET *self, int fd)
{
	struct xmap_cmd_target_info info;
	__u64 word = 0;

	EXPECT_EQ(POLLHUP, poll_end(fd));
	EXPECT_EQ(POLLHUP, poll_now(fd, 0) & POLLHUP);
	EXPECT_ERRNO(ESRCH, pread(fd, &word, 8, self->mem));
	EXPECT_ERRNO(ESRCH, pwrite(fd, &word, 8, self->mem));
	test_err_target_derive(ESRCH, fd, XMAP_RIGHT_READ, 0, 0);
	test_err_window_map(ESRCH, fd, self->mem, self->page, PROT_READ);
	test_target_info(fd, &info);
	EXPECT_EQ(XMAP_TARGET_DEAD, info.out_state);
	EXPECT_EQ(XMAP_RIGHTS_RW, info.out_rights);
}

TEST_F(target, poll_while_alive)
{
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, 0));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, -1));
}

TEST_F(target, ends_with_exit)
{
	struct xmap_cmd_target_info info;

	ASSERT_EQ(0, peer_start(&self->peer, peer_op_exit, 0));
	expect_dead(_metadata, self, self->fd);
	ASSERT_EQ(0, waitid(P_PID, self->peer.pid, NULL, WEXITED));
	test_target_info(self->fd, &info);
	EXPECT_EQ(0, info.out_pid);
	self->peer.pid = 0;
}

TEST_F(target, ends_with_kill)
{
	ASSERT_EQ(0, kill(self->peer.pid, SIGKILL));
	expect_dead(_metadata, self, self->fd);
}

TEST_F(target, ends_with_exec)
{
	struct xmap_cmd_target_info info;

	ASSERT_EQ(0, peer_start(&self->peer, peer_op_exec, 0));
	expect_dead(_metadata, self, self->fd);
	/* The process lives on, with another address space. */
	ASSERT_EQ(0, kill(self->peer.pid, 0));
	test_target_info(self->fd, &info);
	EXPECT_EQ(0, info.out_pid);
}

/* A poller that is asleep is woken. */
static void *poller(void *arg)
{
	return (void *)(long)poll_end(*(int *)arg);
}

TEST_F(target, end_wakes_pollers)
{
	pthread_t threads[4];
	void *revents;
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, poller, &self->fd));
	ASSERT_EQ(0, kill(self->peer.pid, SIGKILL));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &revents));
		EXPECT_EQ(POLLHUP, (long)revents);
	}
}

/* Arguments: the ends of a pipe.  A process that shares the peer's memory and
 * lives until nobody can write to the pipe any more.
 */
static int share_until_eof(void *arg)
{
	const int *ends = arg;
	char byte;

	close(ends[1]);
	close(peer_sock);
	while (read(ends[0], &byte, 1) > 0)
		continue;
	_exit(0);
}

static long op_share_memory(const unsigned long *a)
{
	size_t size = 65536;
	static int ends[2];
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED)
		return -1;
	ends[0] = a[0];
	ends[1] = a[1];
	return clone(share_until_eof, stack + size, CLONE_VM | SIGCHLD, ends);
}

/* The memory belongs to the processes that share it, not to the one named. */
TEST_F(target, lives_with_its_last_user)
{
	struct peer peer;
	int ends[2], fd;
	__u64 word;

	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, peer_spawn(&peer));
	ASSERT_LT(0, peer_call(&peer, op_share_memory, ends[0], ends[1]));
	test_target_open(self->dev, peer.pidfd, peer.pid, XMAP_RIGHTS_RW, 0, 0, &fd);
	self->mem = (unsigned long)&xmap_try_env & ~(self->page - 1);
	ASSERT_EQ(8, pread(fd, &word, 8, self->mem));

	ASSERT_EQ(0, peer_start(&peer, peer_op_exit, 0));
	ASSERT_EQ(0, waitid(P_PID, peer.pid, NULL, WEXITED));
	peer.pid = 0;
	EXPECT_EQ(8, pread(fd, &word, 8, self->mem));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(fd, 0));
	close(ends[1]);
	expect_dead(_metadata, self, fd);
	close(fd);
	close(ends[0]);
	peer_end(&peer);
}

/* Opened by an open /proc/PID/mem, it has no number when that process has gone. */
TEST_F(target, memory_without_its_process)
{
	struct xmap_cmd_target_info info;
	char path[64];
	struct peer peer;
	int ends[2], mem, fd;
	__u64 word;

	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, peer_spawn(&peer));
	ASSERT_LT(0, peer_call(&peer, op_share_memory, ends[0], ends[1]));
	snprintf(path, sizeof(path), "/proc/%d/mem", peer.pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, mem);
	test_target_open_mem(self->dev, mem, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_target_info(fd, &info);
	EXPECT_EQ(peer.pid, info.out_pid);
	close(fd);

	ASSERT_EQ(0, peer_start(&peer, peer_op_exit, 0));
	ASSERT_EQ(0, waitid(P_PID, peer.pid, NULL, WEXITED));
	peer.pid = 0;
	test_target_open_mem(self->dev, mem, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_target_info(fd, &info);
	EXPECT_EQ(0, info.out_pid);
	EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
	self->mem = (unsigned long)&xmap_try_env & ~(self->page - 1);
	EXPECT_EQ(8, pread(fd, &word, 8, self->mem));
	close(ends[1]);
	expect_dead(_metadata, self, fd);
	test_err_target_open_mem(ESRCH, self->dev, mem, XMAP_RIGHT_READ, 0, 0);
	close(fd);
	close(mem);
	close(ends[0]);
	peer_end(&peer);
}

/* Nothing of a child is shown through its parent's target. */
TEST_F(target, fork_is_another_address_space)
{
	pid_t child = peer_fork(&self->peer);
	__u64 value = 99, word;
	int fd;

	ASSERT_LT(0, child);
	test_target_open_pid(self->dev, child, XMAP_RIGHTS_RW, &fd);
	EXPECT_EQ(8, pwrite(fd, &value, 8, self->mem));
	EXPECT_EQ(8, pread(self->fd, &word, 8, self->mem));
	EXPECT_EQ(peer_word(SEED, 0), word);
	EXPECT_EQ(8, pread(fd, &word, 8, self->mem));
	EXPECT_EQ(99, word);
	ASSERT_EQ(child, peer_reap(&self->peer, child));
	EXPECT_EQ(POLLHUP, poll_end(fd));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, 0));
	close(fd);
}

/* ---- As a file ---- */

static bool fdinfo_has(int fd, const char *line)
{
	char path[64], text[4096];
	ssize_t len;
	int info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	len = read(info, text, sizeof(text) - 1);
	close(info);
	text[len > 0 ? len : 0] = '\0';
	return strstr(text, line);
}

TEST_F(target, fdinfo)
{
	int fd = open_target(self, XMAP_RIGHTS_ALL, self->mem, self->page);
	char line[64];
	void *win;

	snprintf(line, sizeof(line), "\nxmap-target-pid:\t%d\n", self->peer.pid);
	EXPECT_TRUE(fdinfo_has(fd, line));
	snprintf(line, sizeof(line), "\nxmap-range:\t%lx-%lx\n", self->mem,
		 self->mem + self->page);
	EXPECT_TRUE(fdinfo_has(fd, line));
	EXPECT_TRUE(fdinfo_has(fd, "\nxmap-rights:\trwf\n"));
	EXPECT_TRUE(fdinfo_has(self->fd, "\nxmap-rights:\trw-\n"));
	EXPECT_TRUE(fdinfo_has(fd, "\nxmap-windows:\t0\n"));
	EXPECT_TRUE(fdinfo_has(fd, "\nxmap-state:\talive\n"));
	test_window_map(fd, self->mem, self->page, PROT_READ, &win);
	EXPECT_TRUE(fdinfo_has(fd, "\nxmap-windows:\t1\n"));
	munmap(win, self->page);

	kill(self->peer.pid, SIGKILL);
	EXPECT_EQ(POLLHUP, poll_end(fd));
	ASSERT_EQ(0, waitid(P_PID, self->peer.pid, NULL, WEXITED));
	self->peer.pid = 0;
	EXPECT_TRUE(fdinfo_has(fd, "\nxmap-state:\tdead\n"));
	EXPECT_TRUE(fdinfo_has(fd, "\nxmap-target-pid:\t0\n"));
	close(fd);
}

static long op_drop_and_receive(const unsigned long *a)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return -1;
	return xmap_recv_fd(a[0]);
}

static long op_read_word(const unsigned long *a)
{
	__u64 word;

	return pread(a[0], &word, 8, a[1]) == 8 ? (long)word : -1;
}

/* Whoever holds the file has the access, and can open nothing else by it. */
TEST_F(target, passed_to_an_unprivileged_process)
{
	int narrow, theirs, sv[2];
	struct peer user;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv));
	ASSERT_EQ(0, peer_spawn(&user));
	test_target_derive(self->fd, XMAP_RIGHT_READ, self->mem, 16, &narrow);
	ASSERT_EQ(0, xmap_send_fd(sv[0], narrow));
	close(narrow);
	theirs = peer_call(&user, op_drop_and_receive, sv[1]);
	ASSERT_LE(0, theirs);
	EXPECT_EQ(peer_word(SEED, 8),
		  peer_call(&user, op_read_word, theirs, self->mem + 8));
	EXPECT_EQ(-1, peer_call(&user, op_read_word, theirs, self->mem + 16));
	EXPECT_EQ(EACCES, errno);
	peer_end(&user);
	close(sv[0]);
	close(sv[1]);
}

/* ---- Writes that the target itself could not make ---- */

/* The same write through the system's own way, as the judge. */
static int mem_write_errno(pid_t pid, unsigned long addr, const void *buf, size_t len)
{
	char path[64];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	err = XMAP_ERRNO(pwrite(fd, buf, len, addr));
	close(fd);
	return err;
}

TEST_F(target, read_only_memory)
{
	int force = open_target(self, XMAP_RIGHTS_ALL, 0, 0);
	__u64 value = 77;

	ASSERT_LE(0, force);
	ASSERT_EQ(0, peer_mprotect(&self->peer, self->mem, self->page, PROT_READ));
	EXPECT_ERRNO(EFAULT, pwrite(self->fd, &value, 8, self->mem));
	EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->peer, self->mem));
	/* It stops where the writable memory ends. */
	EXPECT_ERRNO(EFAULT, pwrite(self->fd, &value, 8, self->mem + self->page - 4));

	if (force_policy() == FORCE_ALWAYS) {
		EXPECT_EQ(8, pwrite(force, &value, 8, self->mem));
		EXPECT_EQ(77, peer_load(&self->peer, self->mem));
		EXPECT_EQ(8, pwrite(force, &value, 8, self->mem + self->page - 4));
	} else {
		EXPECT_EQ(EIO, mem_write_errno(self->peer.pid, self->mem, &value, 8));
		EXPECT_ERRNO(EFAULT, pwrite(force, &value, 8, self->mem));
		EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->peer, self->mem));
	}
	/* Memory that is not there cannot be forced into being. */
	EXPECT_ERRNO(EFAULT, pwrite(force, &value, 8, self->mem - self->page));
	close(force);
}

/* Each segment of a vectored write is forced, empty ones too, across a page border. */
TEST_F(target, force_vectored)
{
	unsigned long at = self->mem + self->page - 12;
	int force = open_target(self, XMAP_RIGHTS_ALL, 0, 0);
	char text[] = "written through it all", got[24] = "";
	struct iovec iov[] = { { text, 5 }, { NULL, 0 }, { text + 5, 14 }, { text + 19, 4 } };

	ASSERT_LE(0, force);
	ASSERT_EQ(0, peer_mprotect(&self->peer, self->mem, 2 * self->page, PROT_READ));
	if (force_policy() == FORCE_ALWAYS) {
		EXPECT_EQ(sizeof(text), pwritev(force, iov, ARRAY_SIZE(iov), at));
		EXPECT_EQ(sizeof(text), pread(self->fd, got, sizeof(text), at));
		EXPECT_STREQ(text, got);
	} else {
		EXPECT_ERRNO(EFAULT, pwritev(force, iov, ARRAY_SIZE(iov), at));
		EXPECT_EQ(peer_word(SEED, self->page), peer_load(&self->peer,
								 self->mem + self->page));
	}
	close(force);
}

/* The right is bound to the handle, also after deriving. */
TEST_F(target, force_is_a_right_of_its_own)
{
	int force = open_target(self, XMAP_RIGHTS_ALL, 0, 0), fd;
	__u64 value = 78;

	ASSERT_EQ(0, peer_mprotect(&self->peer, self->mem, self->page, PROT_READ));
	test_target_derive(force, XMAP_RIGHTS_RW, 0, 0, &fd);
	EXPECT_ERRNO(EFAULT, pwrite(fd, &value, 8, self->mem));
	test_err_target_derive(EACCES, fd, XMAP_RIGHTS_ALL, 0, 0);
	close(fd);
	test_target_derive(force, XMAP_RIGHT_WRITE | XMAP_RIGHT_FORCE, self->mem,
			   self->page, &fd);
	EXPECT_ERRNO(EACCES, pwrite(fd, &value, 8, self->mem + self->page));
	if (force_policy() == FORCE_ALWAYS) {
		EXPECT_EQ(8, pwrite(fd, &value, 8, self->mem));
		EXPECT_EQ(78, peer_load(&self->peer, self->mem));
	}
	close(fd);
	close(force);
}

TEST_F(target, force_never_writes_shared_memory)
{
	int force = open_target(self, XMAP_RIGHTS_ALL, 0, 0);
	const enum peer_kind kinds[] = { PEER_SHMEM, PEER_MEMFD, PEER_FILE_SHARED,
					 PEER_FILE_READONLY };
	unsigned long mem;
	__u64 value = 79;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		mem = peer_map(&self->peer, kinds[i], PROT_READ, self->page, SEED);
		ASSERT_NE(PEER_MAP_FAILED, mem);
		EXPECT_ERRNO(EFAULT, pwrite(self->fd, &value, 8, mem));
		EXPECT_ERRNO(EFAULT, pwrite(force, &value, 8, mem))
		{
			TH_LOG("kind %d", kinds[i]);
		}
		EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->peer, mem));
	}
	close(force);
}

/* The function that gets a breakpoint; both processes run the same file. */
static long breakpoint_here(const unsigned long *a)
{
	__asm__ volatile("nop; nop; nop; nop");
	return a[0] + 1;
}

static long op_trap_handler_result;

static void trap_handler(int sig)
{
	(void)sig;
	op_trap_handler_result = 1;
}

static long op_run_with_trap(const unsigned long *a)
{
	signal(SIGTRAP, trap_handler);
	op_trap_handler_result = 0;
	((long (*)(const unsigned long *))a[0])(a + 1);
	return op_trap_handler_result;
}

TEST_F(target, breakpoint)
{
	int force = open_target(self, XMAP_RIGHTS_ALL, 0, 0), exe;
	unsigned char *text = (void *)breakpoint_here;
	unsigned char before[16], code[16], int3 = 0xcc;
	struct peer other;
	struct stat st, st2;
	long at;

	ASSERT_LE(0, force);
	ASSERT_EQ(0, peer_spawn(&other));
	exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, fstat(exe, &st));
	ASSERT_EQ(16, pread(force, before, 16, (long)text));
	EXPECT_EQ(0, memcmp(before, text, 16));
	EXPECT_EQ(0, peer_call(&self->peer, op_run_with_trap, breakpoint_here, 1));

	/* On the first of the four one-byte instructions. */
	for (at = 0; at < 12 && memcmp(before + at, "\x90\x90\x90\x90", 4); at++)
		continue;
	ASSERT_LT(at, 12);
	EXPECT_ERRNO(EFAULT, pwrite(self->fd, &int3, 1, (long)text + at));
	if (force_policy() != FORCE_ALWAYS) {
		EXPECT_ERRNO(EFAULT, pwrite(force, &int3, 1, (long)text + at));
		peer_end(&other);
		return;
	}
	ASSERT_EQ(1, pwrite(force, &int3, 1, (long)text + at));
	EXPECT_EQ(1, peer_call(&self->peer, op_run_with_trap, breakpoint_here, 1));

	/* Nobody else runs into it: not we, not another, not the file. */
	EXPECT_EQ(0, memcmp(before, text, 16));
	EXPECT_EQ(0, peer_call(&other, op_run_with_trap, breakpoint_here, 1));
	ASSERT_EQ(0, fstat(exe, &st2));
	EXPECT_EQ(st.st_mtim.tv_sec, st2.st_mtim.tv_sec);
	EXPECT_EQ(st.st_mtim.tv_nsec, st2.st_mtim.tv_nsec);

	ASSERT_EQ(1, pwrite(force, before + at, 1, (long)text + at));
	EXPECT_EQ(0, peer_call(&self->peer, op_run_with_trap, breakpoint_here, 1));
	ASSERT_EQ(16, pread(force, code, 16, (long)text));
	EXPECT_EQ(0, memcmp(before, code, 16));
	close(exe);
	close(force);
	peer_end(&other);
}

/* ---- Memory of special kinds ---- */

TEST_F(target, secret_memory)
{
	unsigned long mem = peer_map(&self->peer, PEER_SECRET,
				     PROT_READ | PROT_WRITE, self->page, SEED);
	int force = open_target(self, XMAP_RIGHTS_ALL, 0, 0);
	__u64 word = 1;

	/* An unknown flag is EINVAL only where the call exists. */
	if (XMAP_ERRNO(syscall(SYS_memfd_secret, ~0U)) != EINVAL)
		SKIP(return, "memfd_secret is off on this kernel");
	ASSERT_NE(PEER_MAP_FAILED, mem);
	EXPECT_ERRNO(EFAULT, pread(self->fd, &word, 8, mem));
	EXPECT_ERRNO(EFAULT, pwrite(self->fd, &word, 8, mem));
	EXPECT_ERRNO(EFAULT, pwrite(force, &word, 8, mem));
	EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->peer, mem));
	close(force);
}

TEST_F(target, shared_and_file_memory)
{
	const enum peer_kind kinds[] = { PEER_SHMEM, PEER_MEMFD,
					 PEER_FILE_PRIVATE, PEER_FILE_SHARED };
	__u64 value = 80, word;
	unsigned long mem;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		mem = peer_map(&self->peer, kinds[i], PROT_READ | PROT_WRITE,
			       2 * self->page, SEED);
		ASSERT_NE(PEER_MAP_FAILED, mem);
		EXPECT_EQ(8, pread(self->fd, &word, 8, mem + self->page));
		EXPECT_EQ(peer_word(SEED, self->page), word);
		EXPECT_EQ(8, pwrite(self->fd, &value, 8, mem + 8));
		EXPECT_EQ(80, peer_load(&self->peer, mem + 8));
		if (kinds[i] == PEER_SHMEM)
			continue;
		/* A private write stays in the process, a shared one is in the file. */
		word = kinds[i] == PEER_FILE_PRIVATE ? peer_word(SEED, 8) : 80;
		EXPECT_EQ(word, peer_file_load(&self->peer, 8));
	}
}

/* Memory that was never touched reads as zeros and does not come into being twice. */
TEST_F(target, untouched_memory)
{
	unsigned long mem;
	__u64 word = 1;

	mem = peer_call(&self->peer, peer_op_mmap, 0, 4 * self->page,
			PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(PEER_MAP_FAILED, mem);
	EXPECT_EQ(8, pread(self->fd, &word, 8, mem));
	EXPECT_EQ(0, word);
	word = 5;
	EXPECT_EQ(8, pwrite(self->fd, &word, 8, mem + self->page));
	EXPECT_EQ(5, peer_load(&self->peer, mem + self->page));
	EXPECT_EQ(0, peer_load(&self->peer, mem + self->page + 8));
	EXPECT_EQ(0, peer_load(&self->peer, mem));
}

/* A window is no memory of its holder's: no target shows it on. */
TEST_F(target, window_of_the_target)
{
	__u64 word = 3, *win;
	int fd;

	test_window_map(self->fd, self->mem, self->page, PROT_READ | PROT_WRITE, &win);
	EXPECT_EQ(peer_word(SEED, 0), *win);
	test_target_open_pid(self->dev, getpid(), XMAP_RIGHTS_ALL, &fd);
	EXPECT_ERRNO(EFAULT, pread(fd, &word, 8, (long)win));
	EXPECT_ERRNO(EFAULT, pwrite(fd, &word, 8, (long)win));
	EXPECT_EQ(peer_word(SEED, 0), *win);
	close(fd);
	munmap(win, self->page);
}

TEST_HARNESS_MAIN
