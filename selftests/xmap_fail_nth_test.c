// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands and files while the kernel runs out of memory or a user copy fails, at
 * every place where that can happen: the right errno, no output, and nothing left
 * behind.
 */
#include <sys/epoll.h>

#include "xmap_fail_nth.h"

#define LEN (4 * PAGE)
#define SEED 3

FIXTURE(commands)
{
	struct nth nth;
	int dev;
	struct peer peer;
	/* Filled, of a file, so that pages can leave the tables and come back. */
	unsigned long mem;
	int fd;
};

FIXTURE_SETUP(commands)
{
	touch_init();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->peer));
	self->mem = peer_map(&self->peer, PEER_MEMFD, PROT_READ | PROT_WRITE, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->mem);
	test_target_open(self->dev, self->peer.pidfd, self->peer.pid, XMAP_RIGHTS_ALL, 0, 0,
			 &self->fd);
}

FIXTURE_TEARDOWN(commands)
{
	close(self->fd);
	peer_end(&self->peer);
	close(self->dev);
}

/* ---- Commands that give an answer --------------------------------------- */

TEST_F(commands, query)
{
	struct xmap_cmd_query q;
	int err;

	nth_begin(&self->nth, self->dev, "query");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_query(self->dev, &q));
		EXPECT_NTH(&self->nth, err, EFAULT);
		EXPECT_EQ(err ? 0 : XMAP_ABI_VERSION, q.out_abi);
	}
}

TEST_F(commands, list)
{
	struct xmap_list_entry e[8];
	__u64 cursor;
	__u32 count;
	int err;

	nth_begin(&self->nth, self->dev, "list");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_list(self->dev, e, ARRAY_SIZE(e), 0, &count,
						       &cursor));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_EQ(err ? (__u32)XMAP_UNTOUCHED : 1, count);
		EXPECT_EQ(err ? (__u64)XMAP_UNTOUCHED : 0, cursor);
	}
}

TEST_F(commands, target_info)
{
	struct xmap_cmd_target_info info;
	int err;

	nth_begin(&self->nth, self->dev, "target_info");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_target_info(self->fd, &info));
		EXPECT_NTH(&self->nth, err, EFAULT);
		EXPECT_EQ(err ? 0 : self->peer.pid, info.out_pid);
	}
}

TEST_F(commands, target_maps)
{
	/* As large as the kernel fills at a time: its own buffer is as large. */
	__u32 size = 64 << 10;
	struct xmap_cmd_target_maps maps;
	char *buf = malloc(size);
	int err;

	nth_begin(&self->nth, self->dev, "target_maps");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_target_maps(self->fd, 0, buf, size, &maps));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_EQ(err != 0, maps.out_count == (__u32)XMAP_UNTOUCHED);
		EXPECT_EQ(err != 0, maps.out_used == (__u32)XMAP_UNTOUCHED);
		EXPECT_EQ(err ? (__u64)XMAP_UNTOUCHED : 0, maps.out_next);
	}
	free(buf);
}

/* A buffer is asked for in two ways: here both fail, but not what comes before. */
TEST_F(commands, target_maps_without_a_buffer)
{
	struct xmap_cmd_target_maps maps;
	static char buf[8192];
	int fd = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
	int err;

	ASSERT_LE(0, fd);
	/* From here on, what this thread allocates beyond one page fails. */
	ASSERT_TRUE(nth_set("failslab", "task-filter", "Y"));
	ASSERT_TRUE(nth_set("failslab", "space", "4097"));
	ASSERT_TRUE(nth_set("failslab", "probability", "100"));
	ASSERT_EQ(1, pwrite(fd, "1", 1, 0));
	err = XMAP_ERRNO(_test_target_maps(self->fd, 0, buf, sizeof(buf), &maps));
	ASSERT_EQ(1, pwrite(fd, "0", 1, 0));
	ASSERT_TRUE(nth_setup());
	ASSERT_TRUE(nth_set("failslab", "space", "0"));
	close(fd);
	EXPECT_EQ(ENOMEM, err);
	EXPECT_EQ((__u32)XMAP_UNTOUCHED, maps.out_count);
	EXPECT_EQ((__u32)XMAP_UNTOUCHED, maps.out_used);
	EXPECT_EQ((__u64)XMAP_UNTOUCHED, maps.out_next);
	EXPECT_EQ(0, XMAP_ERRNO(_test_target_maps(self->fd, 0, buf, sizeof(buf), &maps)));
}

/* ---- Making targets ------------------------------------------------------ */

/* Of a new process each time, which nobody has looked up or watches. */
TEST_F(commands, target_open)
{
	struct peer peer;
	int err, fd;

	nth_begin(&self->nth, self->dev, "target_open");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, peer_spawn(&peer));
		err = NTH_ERRNO(&self->nth, _test_target_open(self->dev, peer.pidfd, peer.pid,
							      XMAP_RIGHTS_ALL, 0, 0, &fd));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		if (err) {
			EXPECT_EQ(XMAP_UNTOUCHED, fd);
			/* It can be opened all the same, now. */
			test_target_open(self->dev, peer.pidfd, peer.pid, XMAP_RIGHTS_ALL, 0, 0,
					 &fd);
		}
		close(fd);
		peer_end(&peer);
	}
	nth_assert_limit(self->dev);
}

TEST_F(commands, target_open_mem)
{
	struct peer peer;
	char path[32];
	int err, fd, mem;

	nth_begin(&self->nth, self->dev, "target_open_mem");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, peer_spawn(&peer));
		snprintf(path, sizeof(path), "/proc/%d/mem", peer.pid);
		mem = open(path, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, mem);
		err = NTH_ERRNO(&self->nth, _test_target_open_mem(self->dev, mem, XMAP_RIGHTS_ALL,
								  0, 0, &fd));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		if (!err)
			close(fd);
		else
			EXPECT_EQ(XMAP_UNTOUCHED, fd);
		close(mem);
		peer_end(&peer);
	}
	nth_assert_limit(self->dev);
}

/* A target whose descriptor does not fit into the process's table of 64. */
static long op_derive_table_full(const unsigned long *a)
{
	int fd;

	do {
		fd = dup(a[0]);
	} while (fd >= 0 && fd < 63);
	if (_test_target_derive(a[0], XMAP_RIGHT_READ, 0, 0, &fd))
		return fd == XMAP_UNTOUCHED ? -1 : -2;
	return fd;
}

TEST_F(commands, target_derive_table_full)
{
	struct peer peer;
	long fd;
	int err;

	nth_begin(&self->nth, self->dev, "target_derive_table_full");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, peer_spawn(&peer));
		err = NTH_PEER_ERRNO(&self->nth, &fd, &peer, op_derive_table_full, self->fd);
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_EQ(err ? -1 : 64, fd);
		peer_end(&peer);
	}
	nth_assert_limit(self->dev);
}

TEST_F(commands, target_derive)
{
	int err, fd;

	nth_begin(&self->nth, self->dev, "target_derive");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_target_derive(self->fd, XMAP_RIGHT_READ,
								self->mem, PAGE, &fd));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		if (!err)
			close(fd);
		else
			EXPECT_EQ(XMAP_UNTOUCHED, fd);
	}
	nth_assert_limit(self->dev);
}

/* ---- Files ------------------------------------------------------------------ */

TEST_F(commands, poll)
{
	struct pollfd p = { .fd = self->fd, .events = POLLIN };
	int err;

	nth_begin(&self->nth, self->dev, "poll");
	while (nth_next(&self->nth)) {
		p.revents = 0;
		err = NTH_ERRNO(&self->nth, poll(&p, 1, 0));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_EQ(err ? 0 : POLLIN, p.revents);
	}
}

TEST_F(commands, epoll)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	int err;

	ASSERT_LE(0, ep);
	nth_begin(&self->nth, self->dev, "epoll");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &event));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_EQ(err ? 0 : 1, epoll_wait(ep, &event, 1, 0));
		EXPECT_EQ(err ? -1 : 0, epoll_ctl(ep, EPOLL_CTL_DEL, self->fd, NULL));
	}
	close(ep);
}

TEST_F(commands, fdinfo)
{
	char path[48], text[1024];
	int err, info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	nth_begin(&self->nth, self->dev, "fdinfo");
	while (nth_next(&self->nth)) {
		info = open(path, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, info);
		memset(text, 0, sizeof(text));
		err = NTH_ERRNO(&self->nth, read(info, text, sizeof(text) - 1));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_EQ(!err, !!strstr(text, "xmap-rights:\trwf\n"));
		close(info);
	}
}

/* ---- All in a row ------------------------------------------------------------ */

struct sequence {
	int dev, fd, derived;
	char *win;
};

/*
 * Returns 0 or the number of the step that failed, errno set.  The touch and the
 * end of things cannot fail: what it was for is not told, it is done again.
 */
static int sequence_steps(struct sequence *s, int pidfd, pid_t pid, unsigned long mem)
{
	struct xmap_transfer e = { .remote = mem + PAGE, .length = 8 };
	struct xmap_cmd_query q;
	__u64 length, value;
	__u32 done;

	s->dev = _test_dev_open();
	if (s->dev < 0)
		return 1;
	if (_test_query(s->dev, &q))
		return 2;
	if (_test_target_open(s->dev, pidfd, pid, XMAP_RIGHTS_ALL, 0, 0, &s->fd))
		return 3;
	if (_test_target_derive(s->fd, XMAP_RIGHTS_RW, mem, LEN, &s->derived))
		return 4;
	s->win = _test_window_map(s->derived, mem, LEN, PROT_READ | PROT_WRITE);
	if (s->win == MAP_FAILED)
		return 5;
	if (touch_store(s->win, 1))
		return 6;
	if (_test_target_prefault(s->derived, 0, s->win, LEN, &length))
		return 7;
	e.fd = s->derived;
	e.local = (uintptr_t)&value;
	if (_test_transfer(s->dev, &e, 1, &done))
		return 8;
	if (e.out_result < 0) {
		errno = -e.out_result;
		return 9;
	}
	return value == peer_word(SEED, PAGE) ? 0 : 10;
}

/* Arguments: pidfd, pid, memory.  Ends what was begun, whatever it was. */
static long op_sequence(const unsigned long *a)
{
	struct sequence s = { .dev = -1, .fd = -1, .derived = -1, .win = MAP_FAILED };
	int step, err;

	step = sequence_steps(&s, a[0], a[1], a[2]);
	err = errno;
	/* munmap() may have to be asked twice, as the kernel allocates for it. */
	while (s.win != MAP_FAILED && munmap(s.win, LEN))
		;
	if (s.derived >= 0)
		close(s.derived);
	if (s.fd >= 0)
		close(s.fd);
	if (s.dev >= 0)
		close(s.dev);
	errno = err;
	peer_ctl->word[1] = step;
	return step ? -1 : 0;
}

TEST_F(commands, sequence)
{
	struct peer peer;
	long ret;
	int err;

	nth_begin(&self->nth, self->dev, "sequence");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, peer_spawn(&peer));
		ASSERT_EQ(0, peer_madvise(&self->peer, self->mem, LEN, MADV_DONTNEED));
		err = NTH_PEER_ERRNO(&self->nth, &ret, &peer, op_sequence, self->peer.pidfd,
				     self->peer.pid, self->mem);
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_NE(6, peer_ctl->word[1]);
		EXPECT_NE(10, peer_ctl->word[1]);
		peer_end(&peer);
	}
	nth_assert_limit(self->dev);
}

/* ---- After all of it: this is the last of the programs that inject failures ---- */

FIXTURE(leaks) {};
FIXTURE_SETUP(leaks) {}
FIXTURE_TEARDOWN(leaks) {}

TEST_F(leaks, none)
{
	long leaks = nth_leaks();

	if (leaks < 0)
		SKIP(return, "kmemleak is off");
	EXPECT_EQ(0, leaks);
}

int main(int argc, char **argv)
{
	return nth_main(argc, argv);
}
