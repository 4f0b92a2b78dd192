// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring on target fds: reads and writes are what pread and pwrite are, only
 * that nobody waits for them.
 */
#include <liburing.h>

#include "xmap_export_utils.h"

#define PAGES 16
#define SEED 5
#define DEPTH 64

FIXTURE(uring)
{
	int dev;
	long page;
	struct peer peer;
	unsigned long mem;
	int fd;
	struct io_uring ring;
};

/* At once if that can be done without waiting, or by a worker. */
FIXTURE_VARIANT(uring)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(uring, plain)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(uring, async)
{
	.flags = IOSQE_ASYNC,
};

FIXTURE_SETUP(uring)
{
	self->page = xmap_page_size();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->peer));
	self->mem = peer_map(&self->peer, PEER_ANON, PROT_READ | PROT_WRITE,
			     (PAGES + 1) * self->page, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->mem);
	ASSERT_EQ(0, peer_munmap(&self->peer, self->mem + PAGES * self->page,
				 self->page));
	test_target_open(self->dev, self->peer.pidfd, self->peer.pid,
			 XMAP_RIGHTS_RW, 0, 0, &self->fd);
	ASSERT_EQ(0, io_uring_queue_init(DEPTH, &self->ring, 0))
	{
		TH_LOG("this kernel gives no io_uring");
	}
}

FIXTURE_TEARDOWN(uring)
{
	io_uring_queue_exit(&self->ring);
	close(self->fd);
	peer_end(&self->peer);
	close(self->dev);
}

/* Submit what is queued and take one result; checks that it is this request's. */
static int result_of(struct io_uring *ring, __u64 tag)
{
	struct io_uring_cqe *cqe;
	int res;

	res = io_uring_submit(ring);
	if (res < 0)
		return -1000 + res;
	res = io_uring_wait_cqe(ring, &cqe);
	if (res)
		return -1000 + res;
	res = cqe->user_data == tag ? cqe->res : -2000;
	io_uring_cqe_seen(ring, cqe);
	return res;
}

static int uring_read(struct io_uring *ring, int fd, void *buf, unsigned int len,
		      __u64 addr, unsigned int flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_read(sqe, fd, buf, len, addr);
	io_uring_sqe_set_flags(sqe, flags);
	sqe->user_data = addr;
	return result_of(ring, addr);
}

static int uring_write(struct io_uring *ring, int fd, const void *buf,
		       unsigned int len, __u64 addr, unsigned int flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_write(sqe, fd, buf, len, addr);
	io_uring_sqe_set_flags(sqe, flags);
	sqe->user_data = addr;
	return result_of(ring, addr);
}

/* ---- Every operation ---- */

/* A revoked piece ends a read as it ends a pread, however the ring does it. */
TEST_F(uring, revoked)
{
	unsigned long start = self->mem + 2 * self->page + 16;
	char *buf = calloc(PAGES, self->page);
	__u64 word = 1;

	test_revoke(self->fd, start, 8);
	EXPECT_EQ(2 * self->page + 16, uring_read(&self->ring, self->fd, buf, PAGES * self->page,
						  self->mem, variant->flags));
	EXPECT_EQ(0, peer_check_here(buf, 2 * self->page + 16, SEED));
	EXPECT_EQ(0, *(__u64 *)(buf + 2 * self->page + 16));
	EXPECT_EQ(-ESTALE, uring_read(&self->ring, self->fd, &word, 8, start, variant->flags));
	EXPECT_EQ(-ESTALE, uring_write(&self->ring, self->fd, &word, 8, start, variant->flags));
	EXPECT_EQ(8, uring_read(&self->ring, self->fd, &word, 8, start + 8, variant->flags));
	EXPECT_EQ(peer_word(SEED, 2 * self->page + 24), word);
	test_revoke(self->fd, 0, 0);
	EXPECT_EQ(-ESTALE, uring_read(&self->ring, self->fd, &word, 8, start + 8, variant->flags));
	EXPECT_EQ(-ESTALE, uring_write(&self->ring, self->fd, &word, 8, self->mem,
				       variant->flags));
	EXPECT_EQ(0, peer_check(&self->peer, self->mem, PAGES * self->page, SEED));
	free(buf);
}

TEST_F(uring, read_write)
{
	__u64 word = 0, value = 0xabcdef;
	char *buf = malloc(PAGES * self->page);

	EXPECT_EQ(8, uring_read(&self->ring, self->fd, &word, 8, self->mem + 8, variant->flags));
	EXPECT_EQ(peer_word(SEED, 8), word);
	EXPECT_EQ(8, uring_write(&self->ring, self->fd, &value, 8, self->mem + 8, variant->flags));
	EXPECT_EQ(value, peer_load(&self->peer, self->mem + 8));
	EXPECT_EQ(8, uring_write(&self->ring, self->fd, &word, 8, self->mem + 8, variant->flags));
	EXPECT_EQ(PAGES * self->page,
		  uring_read(&self->ring, self->fd, buf, PAGES * self->page, self->mem,
			     variant->flags));
	EXPECT_EQ(0, peer_check_here(buf, PAGES * self->page, SEED));
	EXPECT_EQ(0, uring_read(&self->ring, self->fd, buf, 0, self->mem, variant->flags));
	free(buf);
}

TEST_F(uring, vectored)
{
	char a[3], b[self->page], want[self->page + 3];
	struct iovec iov[] = { { a, 3 }, { b, sizeof(b) } };
	struct io_uring_sqe *sqe;

	ASSERT_EQ(sizeof(want), pread(self->fd, want, sizeof(want), self->mem + 5));
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_readv(sqe, self->fd, iov, 2, self->mem + 5);
	io_uring_sqe_set_flags(sqe, variant->flags);
	sqe->user_data = 1;
	EXPECT_EQ(sizeof(want), result_of(&self->ring, 1));
	EXPECT_EQ(0, memcmp(a, want, 3));
	EXPECT_EQ(0, memcmp(b, want + 3, sizeof(b)));

	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_writev(sqe, self->fd, iov, 2, self->mem + 5);
	io_uring_sqe_set_flags(sqe, variant->flags);
	sqe->user_data = 2;
	EXPECT_EQ(sizeof(want), result_of(&self->ring, 2));
	ASSERT_EQ(sizeof(want), pread(self->fd, want, sizeof(want), self->mem + 5));
	EXPECT_EQ('a', want[2]);
	EXPECT_EQ('b', want[3]);
	EXPECT_EQ('b', want[self->page + 2]);
}

TEST_F(uring, registered_buffers)
{
	size_t len = 4 * self->page;
	char *buf = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov = { buf, len };
	struct io_uring_sqe *sqe;

	ASSERT_NE(MAP_FAILED, (void *)buf);
	ASSERT_EQ(0, io_uring_register_buffers(&self->ring, &iov, 1));
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_read_fixed(sqe, self->fd, buf, len, self->mem, 0);
	io_uring_sqe_set_flags(sqe, variant->flags);
	sqe->user_data = 1;
	EXPECT_EQ(len, result_of(&self->ring, 1));
	EXPECT_EQ(0, peer_check_here(buf, len, SEED));

	peer_fill_here(buf, len, SEED + 1);
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_write_fixed(sqe, self->fd, buf, len, self->mem + self->page, 0);
	io_uring_sqe_set_flags(sqe, variant->flags);
	sqe->user_data = 2;
	EXPECT_EQ(len, result_of(&self->ring, 2));
	EXPECT_EQ(0, peer_check(&self->peer, self->mem + self->page, len, SEED + 1));
	EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->peer, self->mem));

	/* Part of a buffer, at odd places. */
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_read_fixed(sqe, self->fd, buf + 13, self->page,
				 self->mem + self->page + 7, 0);
	io_uring_sqe_set_flags(sqe, variant->flags);
	sqe->user_data = 3;
	EXPECT_EQ(self->page, result_of(&self->ring, 3));
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_write_fixed(sqe, self->fd, buf + 13, self->page,
				  self->mem + self->page + 7, 0);
	io_uring_sqe_set_flags(sqe, variant->flags);
	sqe->user_data = 4;
	EXPECT_EQ(self->page, result_of(&self->ring, 4));
	EXPECT_EQ(0, peer_check(&self->peer, self->mem + self->page, len, SEED + 1));
}

/*
 * A forced write goes by the system's own, which takes a user address.  A
 * registered buffer has none: then it is as if nothing could be forced.
 */
TEST_F(uring, forced)
{
	char *buf = mmap(NULL, self->page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov = { buf, self->page };
	struct io_uring_sqe *sqe;
	__u64 value = 31, before = peer_word(SEED, 0);
	int fd;

	test_target_open_pid(self->dev, self->peer.pid, XMAP_RIGHTS_ALL, &fd);
	ASSERT_EQ(0, peer_mprotect(&self->peer, self->mem, self->page, PROT_READ));
	EXPECT_EQ(-EFAULT, uring_write(&self->ring, self->fd, &value, 8, self->mem,
				       variant->flags));
	if (force_policy() == FORCE_ALWAYS)
		before = value;
	EXPECT_EQ(before == value ? 8 : -EFAULT,
		  uring_write(&self->ring, fd, &value, 8, self->mem, variant->flags));
	EXPECT_EQ(before, peer_load(&self->peer, self->mem));

	ASSERT_EQ(0, io_uring_register_buffers(&self->ring, &iov, 1));
	*(__u64 *)buf = 32;
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_write_fixed(sqe, fd, buf, 8, self->mem, 0);
	io_uring_sqe_set_flags(sqe, variant->flags);
	sqe->user_data = 1;
	EXPECT_EQ(-EFAULT, result_of(&self->ring, 1));
	EXPECT_EQ(before, peer_load(&self->peer, self->mem));
	close(fd);
}

TEST_F(uring, registered_files)
{
	int files[] = { -1, self->fd };
	__u64 word = 0;

	ASSERT_EQ(0, io_uring_register_files(&self->ring, files, 2));
	/* The ring holds the file when its number is gone. */
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(8, uring_read(&self->ring, 1, &word, 8, self->mem + 16,
				variant->flags | IOSQE_FIXED_FILE));
	EXPECT_EQ(peer_word(SEED, 16), word);
	EXPECT_EQ(8, uring_write(&self->ring, 1, &word, 8, self->mem + 24,
				 variant->flags | IOSQE_FIXED_FILE));
	EXPECT_EQ(word, peer_load(&self->peer, self->mem + 24));
	EXPECT_EQ(-EBADF, uring_read(&self->ring, 0, &word, 8, self->mem,
				     variant->flags | IOSQE_FIXED_FILE));
}

TEST_F(uring, errors)
{
	unsigned long end = self->mem + PAGES * self->page;
	__u64 word = 1;
	int ro, narrow;

	test_target_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &ro);
	test_target_derive(self->fd, XMAP_RIGHTS_RW, self->mem, 8, &narrow);
	EXPECT_EQ(-EFAULT, uring_read(&self->ring, self->fd, &word, 8, end, variant->flags));
	EXPECT_EQ(-EFAULT, uring_write(&self->ring, self->fd, &word, 8, end, variant->flags));
	EXPECT_EQ(-EFAULT, uring_read(&self->ring, self->fd, &word, 8, 64, variant->flags));
	EXPECT_EQ(-EFAULT, uring_read(&self->ring, self->fd, (void *)64, 8, self->mem,
				      variant->flags));
	EXPECT_EQ(-EFAULT, uring_write(&self->ring, self->fd, (void *)64, 8, self->mem,
				       variant->flags));
	EXPECT_EQ(-EBADF, uring_write(&self->ring, ro, &word, 8, self->mem, variant->flags));
	EXPECT_EQ(-EACCES, uring_read(&self->ring, narrow, &word, 8, self->mem + 8,
				      variant->flags));
	EXPECT_EQ(8, uring_read(&self->ring, narrow, &word, 8, self->mem, variant->flags));
	/* What begins before the end is cut there. */
	EXPECT_EQ(3, uring_read(&self->ring, self->fd, &word, 8, end - 3, variant->flags));
	EXPECT_EQ(4, uring_read(&self->ring, narrow, &word, 8, self->mem + 4, variant->flags));
	EXPECT_EQ(-EOPNOTSUPP, ({
		struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);

		io_uring_prep_rw(46, sqe, self->fd, NULL, 0, 0);
		sqe->user_data = 9;
		result_of(&self->ring, 9);
	}));
	close(narrow);
	close(ro);
}

/* ---- Chains ---- */

TEST_F(uring, linked)
{
	struct io_uring_cqe *cqe;
	__u64 word = 0;
	int i;

	/* Read, write it elsewhere, read it there: each after the one before. */
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);

	io_uring_prep_read(sqe, self->fd, &word, 8, self->mem + 8);
	sqe->flags |= IOSQE_IO_LINK | variant->flags;
	sqe->user_data = 0;
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_write(sqe, self->fd, &word, 8, self->mem + 800);
	sqe->flags |= IOSQE_IO_LINK | variant->flags;
	sqe->user_data = 1;
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_read(sqe, self->fd, &word, 8, self->mem + 800);
	sqe->user_data = 2;
	ASSERT_EQ(3, io_uring_submit(&self->ring));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
		EXPECT_EQ(i, cqe->user_data);
		EXPECT_EQ(8, cqe->res);
		io_uring_cqe_seen(&self->ring, cqe);
	}
	EXPECT_EQ(peer_word(SEED, 8), word);
	EXPECT_EQ(word, peer_load(&self->peer, self->mem + 800));
}

TEST_F(uring, link_breaks_at_an_error)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
	struct io_uring_cqe *cqe;
	__u64 word = 7;
	int i;

	io_uring_prep_read(sqe, self->fd, &word, 8, self->mem + PAGES * self->page);
	sqe->flags |= IOSQE_IO_LINK | variant->flags;
	sqe->user_data = 0;
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_write(sqe, self->fd, &word, 8, self->mem);
	sqe->user_data = 1;
	ASSERT_EQ(2, io_uring_submit(&self->ring));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
		EXPECT_EQ(cqe->user_data ? -ECANCELED : -EFAULT, cqe->res);
		io_uring_cqe_seen(&self->ring, cqe);
	}
	EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->peer, self->mem));
}

/* ---- Memory that is not there yet ---- */

/* Everything that makes a page non-resident; a read brings it back. */
TEST_F(uring, non_resident_memory)
{
	const enum peer_kind kinds[] = { PEER_ANON, PEER_SHMEM, PEER_FILE_PRIVATE,
					 PEER_FILE_SHARED };
	size_t len = 8 * self->page, i;
	char *buf = malloc(len);
	unsigned long mem;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		mem = peer_map(&self->peer, kinds[i], PROT_READ | PROT_WRITE, len, SEED);
		ASSERT_NE(PEER_MAP_FAILED, mem);
		ASSERT_EQ(0, peer_madvise(&self->peer, mem, len, MADV_PAGEOUT));
		EXPECT_EQ(len, uring_read(&self->ring, self->fd, buf, len, mem, variant->flags));
		EXPECT_EQ(0, peer_check_here(buf, len, SEED));
		ASSERT_EQ(0, peer_madvise(&self->peer, mem, len, MADV_PAGEOUT));
		peer_fill_here(buf, len, SEED + 1);
		EXPECT_EQ(len, uring_write(&self->ring, self->fd, buf, len, mem, variant->flags));
		EXPECT_EQ(0, peer_check(&self->peer, mem, len, SEED + 1));
	}

	/* Never touched at all: partly there, partly not. */
	mem = peer_call(&self->peer, peer_op_mmap, 0, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(0, peer_store(&self->peer, mem + self->page, 99));
	EXPECT_EQ(len, uring_read(&self->ring, self->fd, buf, len, mem, variant->flags));
	EXPECT_EQ(99, *(__u64 *)(buf + self->page));
	for (i = 0; i < len / 8; i++)
		if (i != (size_t)self->page / 8)
			ASSERT_EQ(0, ((__u64 *)buf)[i]);
	free(buf);
}

/* Our own buffer can be away as well. */
TEST_F(uring, non_resident_buffer)
{
	size_t len = 8 * self->page;
	char *buf = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, (void *)buf);
	EXPECT_EQ(len, uring_read(&self->ring, self->fd, buf, len, self->mem,
				  variant->flags));
	EXPECT_EQ(0, peer_check_here(buf, len, SEED));
	peer_fill_here(buf, len, SEED + 1);
	madvise(buf, len, MADV_PAGEOUT);
	EXPECT_EQ(len, uring_write(&self->ring, self->fd, buf, len, self->mem,
				   variant->flags));
	EXPECT_EQ(0, peer_check(&self->peer, self->mem, len, SEED + 1));
}

/* RWF_NOWAIT gives what is resident, or EAGAIN and nothing. */
TEST_F(uring, nowait)
{
	struct xmap_cmd_query query;
	__u64 word = 0;
	struct iovec iov = { &word, 8 };
	unsigned long fresh;

	test_query(self->dev, &query);
	ASSERT_TRUE(query.out_features & XMAP_FEATURE_NOWAIT);
	EXPECT_EQ(8, preadv2(self->fd, &iov, 1, self->mem, RWF_NOWAIT));
	EXPECT_EQ(peer_word(SEED, 0), word);
	EXPECT_EQ(8, pwritev2(self->fd, &iov, 1, self->mem + 8, RWF_NOWAIT));
	EXPECT_EQ(word, peer_load(&self->peer, self->mem + 8));
	fresh = peer_call(&self->peer, peer_op_mmap, 0, self->page,
			  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_ERRNO(EAGAIN, preadv2(self->fd, &iov, 1, fresh, RWF_NOWAIT));
	EXPECT_ERRNO(EAGAIN, pwritev2(self->fd, &iov, 1, fresh, RWF_NOWAIT));
	EXPECT_EQ(8, preadv2(self->fd, &iov, 1, fresh, 0));
	EXPECT_EQ(0, word);
}

/* ---- Many at a time, and the end ---- */

TEST_F(uring, many_in_flight)
{
	__u64 words[DEPTH];
	struct io_uring_cqe *cqe;
	int round, i;

	for (round = 0; round < 200; round++) {
		memset(words, 0, sizeof(words));
		for (i = 0; i < DEPTH; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);

			io_uring_prep_read(sqe, self->fd, &words[i], 8,
					   self->mem + (i * 9 + round) * 8);
			sqe->user_data = i;
			if (i % 5 == round % 5)
				sqe->flags |= variant->flags;
		}
		ASSERT_EQ(DEPTH, io_uring_submit(&self->ring));
		for (i = 0; i < DEPTH; i++) {
			ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
			ASSERT_EQ(8, cqe->res);
			io_uring_cqe_seen(&self->ring, cqe);
		}
		for (i = 0; i < DEPTH; i++)
			ASSERT_EQ(peer_word(SEED, (i * 9 + round) * 8), words[i]);
	}
}

TEST_F(uring, killed_during_a_flood)
{
	size_t len = 1 << 20, in_flight = 0, ok = 0, ended = 0;
	char *buf = malloc(len);
	struct io_uring_cqe *cqe;
	unsigned long mem;
	bool killed = false;

	mem = peer_map(&self->peer, PEER_ANON, PROT_READ | PROT_WRITE, len, SEED);
	ASSERT_NE(PEER_MAP_FAILED, mem);
	while (!ended || in_flight) {
		while (!ended && in_flight < DEPTH) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);

			io_uring_prep_read(sqe, self->fd, buf, len, mem);
			if (in_flight % 2)
				sqe->flags |= variant->flags;
			in_flight++;
		}
		ASSERT_LE(0, io_uring_submit(&self->ring));
		ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
		in_flight--;
		if (cqe->res > 0) {
			ok++;
		} else {
			ASSERT_EQ(-ESRCH, cqe->res);
			ended++;
		}
		io_uring_cqe_seen(&self->ring, cqe);
		if (ok == 2 * DEPTH && !killed) {
			killed = true;
			ASSERT_EQ(0, kill(self->peer.pid, SIGKILL));
		}
	}
	EXPECT_LE(2 * DEPTH, ok);
	free(buf);
}

TEST_F(uring, poll_gets_the_end)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
	__u64 word;

	/* With no event asked for, only the end counts. */
	io_uring_prep_poll_add(sqe, self->fd, 0);
	sqe->user_data = 1;
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_EQ(8, uring_read(&self->ring, self->fd, &word, 8, self->mem, 0));
	kill(self->peer.pid, SIGKILL);
	EXPECT_EQ(POLLHUP, result_of(&self->ring, 1) & POLLHUP);
}

TEST_F(uring, poll_while_alive)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);

	io_uring_prep_poll_add(sqe, self->fd, POLLIN | POLLOUT);
	sqe->user_data = 1;
	EXPECT_EQ(POLLIN | POLLOUT, result_of(&self->ring, 1));
}

TEST_HARNESS_MAIN
