// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions with a single owner: who has the memory has it alone.  And pages that the
 * kernel has in use for somebody when they are taken away, by giving, revoking or
 * sealing: what is under way ends in pages that are no longer the region's.
 */
#include <liburing.h>
#include <sys/ptrace.h>

#include "xmap_region_utils.h"

#define ALL XMAP_REGION_OWNER_ALL
#define SELF XMAP_REGION_OWNER_SELF
#define OTHER XMAP_REGION_OWNER_OTHER
#define NONE XMAP_REGION_OWNER_NONE

FIXTURE_SETUP(region)
{
	ASSERT_EQ(0, region_begin(self, XMAP_REGION_SINGLE_OWNER));
}

FIXTURE_TEARDOWN(region)
{
	region_end(self);
}

#define EXPECT_OWNER(expected, fd)						\
	EXPECT_EQ(expected, op_region_owner((unsigned long[]){ fd }))

/* ---- From one to the other ---- */

TEST_F(region, give_and_take)
{
	struct xmap_cmd_region_info info;
	char buf[8];
	void *map;
	long fd, theirs;

	EXPECT_OWNER(SELF, self->fd);
	test_region_info(self->fd, &info);
	EXPECT_EQ(XMAP_REGION_SINGLE_OWNER, info.out_flags);
	test_region_map(self->fd, 0, LEN, RW, &map);
	peer_fill_here(map, LEN, 1);
	fd = give(self->fd);
	ASSERT_LE(0, fd);
	EXPECT_EQ(OTHER, peer_call(&self->peer, op_region_owner, fd));
	/* He can map it, but has nothing of it. */
	theirs = peer_call(&self->peer, op_region_map, fd, 0, LEN, RW);
	ASSERT_NE(-1, theirs);
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, theirs));
	EXPECT_ERRNO(EPERM, peer_call(&self->peer, op_read, fd, 0));
	EXPECT_ERRNO(EPERM, peer_call(&self->peer, op_write, fd, 0, 1));
	EXPECT_ERRNO(EBUSY, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	EXPECT_ERRNO(EPERM, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_GIVE));
	EXPECT_EQ(0, peer_check_here(map, LEN, 1));

	test_region_give(self->fd);
	EXPECT_OWNER(NONE, self->fd);
	EXPECT_EQ(NONE, peer_call(&self->peer, op_region_owner, fd));
	EXPECT_SIGNAL(SIGBUS, map);
	EXPECT_STORE_SIGNAL(SIGBUS, (char *)map + LEN - 8);
	EXPECT_ERRNO(EPERM, pread(self->fd, buf, 8, 0));
	EXPECT_ERRNO(EPERM, pwrite(self->fd, buf, 8, 0));
	test_err_region_give(EPERM, self->fd);
	test_err_region_resize(EPERM, self->fd, PAGE);
	test_err_region_rebind(EPERM, self->fd);
	test_err_region_seal(EPERM, self->fd, XMAP_REGION_SEAL_WRITE);
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, theirs));

	EXPECT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	EXPECT_EQ(SELF, peer_call(&self->peer, op_region_owner, fd));
	EXPECT_OWNER(OTHER, self->fd);
	EXPECT_EQ(0, peer_check(&self->peer, theirs, LEN, 1));
	ASSERT_EQ(0, peer_fill(&self->peer, theirs, LEN, 2));
	EXPECT_SIGNAL(SIGBUS, map);
	test_err_region_take(EBUSY, self->fd);
	/* Who made it does not make it useless for whoever has it now. */
	test_err_region_seal(EPERM, self->fd, XMAP_REGION_SEAL_SEAL);

	/* And back: the old mapping shows it again. */
	EXPECT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_GIVE));
	test_region_take(self->fd);
	EXPECT_EQ(0, peer_check_here(map, LEN, 2));
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, theirs));
	test_err_region_take(EBUSY, self->fd);
}

TEST_F(region, wrong)
{
	int fd, part;

	test_region_create(self->dev, 0, LEN, &fd);
	EXPECT_OWNER(ALL, fd);
	test_err_region_give(EINVAL, fd);
	test_err_region_take(EINVAL, fd);
	EXPECT_ERRNO(EOPNOTSUPP, region_simple(self->fd, XMAP_REGION_GIVE, 1));
	EXPECT_ERRNO(EOPNOTSUPP, region_simple(self->fd, XMAP_REGION_TAKE, 1));
	/* Of all, or not at all; which rights it will be used with is no matter. */
	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, PAGE, &part);
	test_region_give(self->fd);
	test_err_region_take(EACCES, part);
	close(part);
	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &part);
	test_revoke(part, 0, PAGE);
	test_err_region_take(ESTALE, part);
	close(part);
	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &part);
	test_region_take(part);
	EXPECT_OWNER(SELF, self->fd);
}

TEST_F(region, events)
{
	long fd = give(self->fd);
	int mine;

	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &mine);
	EXPECT_EQ(0, region_poll(mine));
	test_region_give(self->fd);
	EXPECT_EQ(POLLIN, region_poll(mine));
	EXPECT_OWNER(NONE, mine);
	EXPECT_EQ(0, region_poll(mine));
	EXPECT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	EXPECT_EQ(POLLIN, region_poll(mine));
}

/* Nobody holds on to it by having it twice. */
TEST_F(region, second_mapping)
{
	void *map[3];
	int fd, i;

	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &fd);
	test_region_map(self->fd, 0, LEN, RW, &map[0]);
	test_region_map(self->fd, 0, LEN, RW, &map[1]);
	test_region_map(fd, 0, LEN, PROT_READ, &map[2]);
	EXPECT_STORE(1, map[0]);
	for (i = 0; i < 3; i++)
		EXPECT_LOAD(1, map[i]);
	test_region_give(self->fd);
	for (i = 0; i < 3; i++)
		EXPECT_SIGNAL(SIGBUS, map[i]);
}

/* 0, or which of the things went wrong that a child must find. */
static int child_has_nothing(int fd, void *map, int expected)
{
	void *again;

	if (touch(map) != expected)
		return 1;
	again = mmap(NULL, LEN, RW, MAP_SHARED, fd, 0);
	if (again == MAP_FAILED)
		return 2;
	if (touch(again) != SIGBUS)
		return 3;
	return op_region_owner((unsigned long[]){ fd }) == OTHER ? 0 : 4;
}

/* Nor by a child: not even by one that was to inherit the mapping. */
TEST_F(region, fork)
{
	void *map;
	pid_t child;
	int i, status;

	test_region_map(self->fd, 0, LEN, RW, &map);
	EXPECT_STORE(1, map);
	for (i = 0; i < 2; i++) {
		fflush(NULL);
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			_exit(child_has_nothing(self->fd, map, i ? SIGBUS : SIGSEGV));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_LOAD(1, map);
		ASSERT_EQ(0, madvise(map, LEN, MADV_DOFORK));
	}
}

/* What an owner has who is no more is there to be taken. */
TEST_F(region, dead_owner)
{
	void *map;
	long fd, theirs;

	test_region_map(self->fd, 0, LEN, RW, &map);
	test_region_give(self->fd);
	fd = give(self->fd);
	theirs = peer_call(&self->peer, op_region_map, fd, 0, LEN, RW);
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	ASSERT_EQ(0, peer_fill(&self->peer, theirs, LEN, 4));
	test_err_region_take(EBUSY, self->fd);
	peer_end(&self->peer);
	EXPECT_OWNER(OTHER, self->fd);
	EXPECT_SIGNAL(SIGBUS, map);
	test_region_take(self->fd);
	EXPECT_EQ(0, peer_check_here(map, LEN, 4));
}

TEST_F(region, owner_becomes_another_program)
{
	void *map;
	long fd;

	test_region_map(self->fd, 0, LEN, RW, &map);
	test_region_give(self->fd);
	fd = give(self->fd);
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	test_err_region_take(EBUSY, self->fd);
	ASSERT_EQ(0, peer_start(&self->peer, peer_op_exec, 0));
	ASSERT_EQ(0, peer_await_gone(&self->peer));
	test_region_take(self->fd);
	EXPECT_LOAD(0, map);
}

/* It is owned by a handle: when that is revoked or ends, it is there to be taken. */
TEST_F(region, handle_of_the_owner)
{
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN };
	long fd, theirs;
	int part, more;
	void *map;

	test_region_map(self->fd, 0, LEN, RW, &map);
	peer_fill_here(map, LEN, 1);
	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &part);
	test_region_derive(part, XMAP_RIGHTS_RW, 0, 0, &more);
	fd = give(more);
	test_region_give(self->fd);
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	theirs = peer_call(&self->peer, op_region_map, fd, 0, LEN, RW);
	EXPECT_EQ(0, peer_check(&self->peer, theirs, LEN, 1));
	test_err_region_take(EBUSY, self->fd);
	/* A piece is not all. */
	test_revoke(part, 0, PAGE);
	test_err_region_take(EBUSY, self->fd);
	EXPECT_OWNER(OTHER, self->fd);
	/* That is an event: somebody may wait to take it. */
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	test_revoke(part, 0, 0);
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN, pfd.revents);
	EXPECT_OWNER(NONE, self->fd);
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, theirs + PAGE));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	test_region_take(self->fd);
	EXPECT_EQ(0, peer_check_here(map, LEN, 1));
	close(more);
	close(part);

	/* Closed, but mapped; then unmapped. */
	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &part);
	fd = give(part);
	close(part);
	test_region_give(self->fd);
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	theirs = peer_call(&self->peer, op_region_map, fd, 0, LEN, RW);
	ASSERT_EQ(0, peer_close(&self->peer, fd));
	test_err_region_take(EBUSY, self->fd);
	ASSERT_EQ(0, peer_fill(&self->peer, theirs, LEN, 2));
	ASSERT_EQ(0, peer_munmap(&self->peer, theirs, LEN));
	EXPECT_OWNER(NONE, self->fd);
	test_region_take(self->fd);
	EXPECT_EQ(0, peer_check_here(map, LEN, 2));
}

/* ---- By way of a process that has it mapped ---- */

/* All that a debugger has of a mapping in another process. */
struct look {
	struct peer *p;
	unsigned long addr;
	int target;
	int mem;
	char *win;
};

static int look_begin(struct look *look, int dev, struct peer *p, unsigned long addr)
{
	char path[32];

	*look = (struct look){ .p = p, .addr = addr };
	snprintf(path, sizeof(path), "/proc/%d/mem", p->pid);
	look->mem = open(path, O_RDWR | O_CLOEXEC);
	if (look->mem < 0 || _test_target_open_pid(dev, p->pid, XMAP_RIGHTS_ALL, &look->target))
		return -1;
	look->win = _test_window_map(look->target, addr, LEN, RW);
	return look->win == MAP_FAILED ? -1 : 0;
}

static ssize_t vm_write(pid_t pid, unsigned long addr, void *buf, size_t len)
{
	struct iovec local = { .iov_base = buf, .iov_len = len };
	struct iovec remote = { .iov_base = (void *)addr, .iov_len = len };

	return process_vm_writev(pid, &local, 1, &remote, 1, 0);
}

static int look_attach(const struct look *look)
{
	if (ptrace(PTRACE_ATTACH, look->p->pid, 0, 0))
		return -1;
	return waitpid(look->p->pid, NULL, __WALL) == look->p->pid ? 0 : -1;
}

#define PEEK(look, off) ptrace(PTRACE_PEEKDATA, (look)->p->pid, (look)->addr + (off), 0)
#define POKE(look, off, value) ptrace(PTRACE_POKEDATA, (look)->p->pid, (look)->addr + (off), value)

/* Its owner: it is there by every way, to be read and to be written. */
static void expect_seen(struct __test_metadata *_metadata, const struct look *look, __u64 seed)
{
	__u64 word = peer_word(seed, 0);

	EXPECT_LOAD(peer_word(seed, LEN - 8), look->win + LEN - 8);
	EXPECT_STORE(word, look->win);
	EXPECT_EQ(8, pwrite(look->target, &word, 8, look->addr));
	EXPECT_EQ(8, vm_write(look->p->pid, look->addr, &word, 8));
	EXPECT_EQ(8, pwrite(look->mem, &word, 8, look->addr));
	EXPECT_EQ(8, pread(look->target, &word, 8, look->addr + 8));
	EXPECT_EQ(peer_word(seed, 8), word);
	EXPECT_EQ(8, vm_read(look->p->pid, look->addr + 16, &word, 8));
	EXPECT_EQ(peer_word(seed, 16), word);
	EXPECT_EQ(8, pread(look->mem, &word, 8, look->addr + 24));
	EXPECT_EQ(peer_word(seed, 24), word);
	ASSERT_EQ(0, look_attach(look));
	EXPECT_EQ(peer_word(seed, 32), (__u64)PEEK(look, 32));
	EXPECT_EQ(0, POKE(look, 40, peer_word(seed, 40)));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, look->p->pid, 0, 0));
}

/* Anybody else: nothing of it by any way, neither where it was before nor elsewhere. */
static void expect_hidden(struct __test_metadata *_metadata, const struct look *look)
{
	__u64 word = 0xbad;
	unsigned long at;
	char *win;

	test_window_map(look->target, look->addr, LEN, RW, &win);
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_STORE_SIGNAL(SIGBUS, win + PAGE);
	ASSERT_EQ(0, munmap(win, LEN));
	EXPECT_SIGNAL(SIGBUS, look->win + LEN - 8);
	EXPECT_STORE_SIGNAL(SIGBUS, look->win);
	ASSERT_EQ(0, look_attach(look));
	for (at = look->addr; at < look->addr + LEN; at += PAGE) {
		EXPECT_ERRNO(EFAULT, pread(look->target, &word, 8, at));
		EXPECT_ERRNO(EFAULT, pwrite(look->target, &word, 8, at));
		EXPECT_ERRNO(EFAULT, vm_read(look->p->pid, at, &word, 8));
		EXPECT_ERRNO(EFAULT, vm_write(look->p->pid, at, &word, 8));
		EXPECT_ERRNO(EIO, pread(look->mem, &word, 8, at));
		EXPECT_ERRNO(EIO, pwrite(look->mem, &word, 8, at));
		EXPECT_ERRNO(EIO, PEEK(look, at - look->addr));
		EXPECT_ERRNO(EIO, POKE(look, at - look->addr, 0xbad));
	}
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, look->p->pid, 0, 0));
	EXPECT_EQ(0xbad, word);
}

/*
 * Who debugs a process reaches by way of its mapping what that process does.  So nobody
 * keeps the memory by having another look at who has given it away; nor does its owner
 * reach it by way of who has it not, which would be a second address space with it.
 */
TEST_F(region, looked_at)
{
	/* Whose turn it is.  The first two are looked at, by the test. */
	enum { GIVER, OTHER_ONE, MYSELF, NOBODY };
	static const int turn[] = { NOBODY, GIVER, NOBODY, MYSELF, OTHER_ONE, NOBODY, GIVER };
	struct peer other, myself, *p[] = { &self->peer, &other, &myself };
	struct look look[2];
	long fd[3], map[3];
	int owner = MYSELF, n;
	unsigned int i;

	ASSERT_EQ(0, peer_spawn(&other));
	ASSERT_EQ(0, peer_self(&myself));
	fd[GIVER] = give(self->fd);
	fd[OTHER_ONE] = peer_give_fd(&other, self->sv, self->fd);
	fd[MYSELF] = self->fd;
	for (n = 0; n < 3; n++) {
		map[n] = peer_call(p[n], op_region_map, fd[n], 0, LEN, RW);
		ASSERT_NE(-1, map[n]);
	}
	for (n = 0; n < 2; n++)
		ASSERT_EQ(0, look_begin(&look[n], self->dev, p[n], map[n]));
	ASSERT_EQ(0, peer_fill(&myself, map[MYSELF], LEN, 1));

	for (i = 0; i < ARRAY_SIZE(turn); i++) {
		if (owner != NOBODY)
			ASSERT_EQ(0, peer_call(p[owner], op_region_simple, fd[owner],
					       XMAP_REGION_GIVE));
		owner = turn[i];
		if (owner != NOBODY)
			ASSERT_EQ(0, peer_call(p[owner], op_region_simple, fd[owner],
					       XMAP_REGION_TAKE));
		for (n = 0; n < 2; n++) {
			if (n == owner)
				expect_seen(_metadata, &look[n], 1);
			else
				expect_hidden(_metadata, &look[n]);
		}
		/* What was tried has not arrived. */
		if (owner != NOBODY)
			EXPECT_EQ(0, peer_check(p[owner], map[owner], LEN, 1));
	}
	for (n = 0; n < 2; n++) {
		ASSERT_EQ(0, munmap(look[n].win, LEN));
		close(look[n].target);
		close(look[n].mem);
	}
	peer_end(&myself);
	peer_end(&other);
}

/* ---- Pages that are in use ---- */

/* A pipe with a page of the region in it. */
TEST_F(region, vmsplice)
{
	struct iovec iov = { .iov_len = PAGE };
	long fd = give(self->fd), theirs;
	static char buf[PAGE];
	int pipefd[2];
	void *map;

	test_region_map(self->fd, 0, LEN, RW, &map);
	peer_fill_here(map, LEN, 1);
	ASSERT_EQ(0, pipe(pipefd));
	iov.iov_base = map;
	ASSERT_EQ((ssize_t)PAGE, vmsplice(pipefd[1], &iov, 1, 0));
	theirs = peer_call(&self->peer, op_region_map, fd, 0, LEN, RW);
	ASSERT_NE(-1, theirs);
	test_region_give(self->fd);
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	EXPECT_EQ(0, peer_check(&self->peer, theirs, LEN, 1));
	ASSERT_EQ(0, peer_fill(&self->peer, theirs, LEN, 2));
	/* What is in the pipe is what it was when it was given. */
	ASSERT_EQ((ssize_t)PAGE, read(pipefd[0], buf, PAGE));
	EXPECT_EQ(0, peer_check_here(buf, PAGE, 1));
	EXPECT_EQ(0, peer_check(&self->peer, theirs, LEN, 2));
}

/* A ring with all of a mapping as a registered buffer. */
static int ring_with(struct io_uring *ring, void *map)
{
	struct iovec iov = { .iov_base = map, .iov_len = LEN };

	return io_uring_queue_init(8, ring, 0) ?: io_uring_register_buffers(ring, &iov, 1);
}

/* Where the kernel registers no such buffer there is none to be taken away. */
static bool ring_ready(struct __test_metadata *_metadata, struct io_uring *ring, void *map)
{
	EXPECT_EQ(region_registers() ? 0 : -EOPNOTSUPP, ring_with(ring, map));
	return region_registers();
}

/* Read @fd's next bytes into the registered buffer, or write from there: submitted only. */
static void ring_start(struct io_uring *ring, bool write, int fd, void *addr, size_t len)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (write)
		io_uring_prep_write_fixed(sqe, fd, addr, len, 0, 0);
	else
		io_uring_prep_read_fixed(sqe, fd, addr, len, 0, 0);
	io_uring_submit(ring);
}

static long ring_result(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	long res;

	if (io_uring_wait_cqe(ring, &cqe))
		return -1000;
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return res;
}

TEST_F(region, registered_buffer)
{
	long fd = give(self->fd), theirs;
	static char buf[2 * PAGE];
	struct io_uring ring;
	int pipefd[2];
	void *map;

	test_region_map(self->fd, 0, LEN, RW, &map);
	peer_fill_here(map, LEN, 1);
	if (!ring_ready(_metadata, &ring, map))
		return;
	ASSERT_EQ(0, pipe(pipefd));
	/* It works as on any memory. */
	memset(buf, 'r', 8);
	ASSERT_EQ(8, write(pipefd[1], buf, 8));
	ring_start(&ring, false, pipefd[0], map, 8);
	ASSERT_EQ(8, ring_result(&ring));
	EXPECT_EQ(0, memcmp(map, buf, 8));
	peer_fill_here(map, LEN, 1);
	/* One that waits for its bytes. */
	ring_start(&ring, false, pipefd[0], (char *)map + PAGE, 8);

	theirs = peer_call(&self->peer, op_region_map, fd, 0, LEN, RW);
	ASSERT_NE(-1, theirs);
	test_region_give(self->fd);
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	EXPECT_EQ(0, peer_check(&self->peer, theirs, LEN, 1));
	ASSERT_EQ(8, write(pipefd[1], buf, 8));
	ASSERT_EQ(8, ring_result(&ring));
	EXPECT_EQ(0, peer_check(&self->peer, theirs, LEN, 1));
	ASSERT_EQ(0, peer_fill(&self->peer, theirs, LEN, 2));
	/* Nor does the ring see what the new owner does. */
	ring_start(&ring, true, pipefd[1], map, 2 * PAGE);
	ASSERT_EQ((long)(2 * PAGE), ring_result(&ring));
	ASSERT_EQ((ssize_t)(2 * PAGE), read(pipefd[0], buf, 2 * PAGE));
	EXPECT_EQ(0, peer_check_here(buf, PAGE, 1));
	EXPECT_EQ(0, memcmp(buf + PAGE, "rrrrrrrr", 8));
	EXPECT_EQ(0, peer_check(&self->peer, theirs, LEN, 2));
	io_uring_queue_exit(&ring);
}

/* The same when a handle is revoked: of the part that is revoked. */
TEST_F(region, registered_buffer_revoked)
{
	struct io_uring ring;
	int all, middle, fd;
	__u64 *mine, *map;
	static char buf[8];
	int pipefd[2];

	test_region_create(self->dev, 0, LEN, &all);
	test_region_derive(all, XMAP_RIGHTS_RW, 0, 0, &middle);
	test_region_derive(middle, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_region_map(all, 0, LEN, RW, &mine);
	test_region_map(fd, 0, LEN, RW, &map);
	peer_fill_here(mine, LEN, 1);
	if (!ring_ready(_metadata, &ring, map))
		return;
	ASSERT_EQ(0, pipe(pipefd));
	memset(buf, 'r', 8);
	/* Of the handle nothing is left but the buffer: what it came from is revoked. */
	ASSERT_EQ(0, munmap(map, LEN));
	close(fd);
	test_revoke(middle, PAGE, PAGE);
	ASSERT_EQ(8, write(pipefd[1], buf, 8));
	ring_start(&ring, false, pipefd[0], (char *)map + PAGE, 8);
	ASSERT_EQ(8, ring_result(&ring));
	EXPECT_EQ(0, peer_check_here(mine, LEN, 1));
	ASSERT_EQ(8, write(pipefd[1], buf, 8));
	ring_start(&ring, false, pipefd[0], (char *)map + 2 * PAGE, 8);
	ASSERT_EQ(8, ring_result(&ring));
	EXPECT_EQ(0, memcmp((char *)mine + 2 * PAGE, buf, 8));
	io_uring_queue_exit(&ring);
}

/* The owner goes on with the content, others with what they had in hand. */
TEST_F(region, registered_buffer_of_a_derived_handle)
{
	static char buf[PAGE];
	struct io_uring ring;
	__u64 *mine, *map;
	int pipefd[2];
	int all, fd;

	test_region_create(self->dev, 0, LEN, &all);
	test_region_derive(all, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_region_map(all, 0, LEN, RW, &mine);
	test_region_map(fd, 0, LEN, RW, &map);
	peer_fill_here(mine, LEN, 1);
	if (!ring_ready(_metadata, &ring, map))
		return;
	ASSERT_EQ(0, pipe(pipefd));
	memset(buf, 'r', PAGE);
	test_revoke(fd, 0, 0);
	EXPECT_EQ(0, peer_check_here(mine, LEN, 1));
	ASSERT_EQ((ssize_t)PAGE, write(pipefd[1], buf, PAGE));
	ring_start(&ring, false, pipefd[0], map, PAGE);
	ASSERT_EQ((long)PAGE, ring_result(&ring));
	EXPECT_EQ(0, peer_check_here(mine, LEN, 1));
	peer_fill_here(mine, LEN, 2);
	ring_start(&ring, true, pipefd[1], (char *)map + PAGE, PAGE);
	ASSERT_EQ((long)PAGE, ring_result(&ring));
	ASSERT_EQ((ssize_t)PAGE, read(pipefd[0], buf, PAGE));
	EXPECT_NE(0, peer_check_here(buf, PAGE, 2));
	io_uring_queue_exit(&ring);
}

/* And when it is sealed against writes: by whom it was mapped is no matter. */
TEST_F(region, registered_buffer_sealed)
{
	static char buf[8] = "sealed!";
	struct io_uring ring;
	int pipefd[2];
	__u64 *map;
	int fd;

	test_region_create(self->dev, 0, LEN, &fd);
	test_region_map(fd, 0, LEN, RW, &map);
	peer_fill_here(map, LEN, 1);
	if (!ring_ready(_metadata, &ring, map))
		return;
	ASSERT_EQ(0, pipe(pipefd));
	test_err_region_seal(EBUSY, fd, XMAP_REGION_SEAL_WRITE);
	ASSERT_EQ(0, munmap(map, LEN));
	test_region_seal(XMAP_REGION_SEAL_WRITE, fd, XMAP_REGION_SEAL_WRITE);
	ASSERT_EQ(8, write(pipefd[1], buf, 8));
	ring_start(&ring, false, pipefd[0], map, 8);
	ASSERT_EQ(8, ring_result(&ring));
	io_uring_queue_exit(&ring);
	test_region_map(fd, 0, LEN, PROT_READ, &map);
	EXPECT_EQ(0, peer_check_here(map, LEN, 1));
}

TEST_HARNESS_MAIN
