// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies while the kernel runs out of memory or a user copy fails, at every place
 * where that can happen: what is reported was copied, and nothing else was.
 */
#include <linux/io_uring.h>

#include "xmap_fail_nth.h"

/* More than one batch of pages that a copy pins on the stack. */
#define PAGES 20
#define LEN (PAGES * PAGE)
#define SEED 3
#define UNTOUCHED_BYTE 0x5a

FIXTURE(copying)
{
	struct nth nth;
	int dev;
	struct peer peer;
	/* Filled, of a file, so that pages can leave the tables and come back. */
	unsigned long mem;
	/* Private memory, without pages or read-only. */
	unsigned long anon;
	unsigned long text;
	int fd;
	char *buf;
	char *want;
};

FIXTURE_SETUP(copying)
{
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->peer));
	self->text = peer_map(&self->peer, PEER_ANON, PROT_READ, PAGE, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->text);
	self->anon = peer_map(&self->peer, PEER_ANON, PROT_READ | PROT_WRITE, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->anon);
	self->mem = peer_map(&self->peer, PEER_MEMFD, PROT_READ | PROT_WRITE, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->mem);
	test_target_open(self->dev, self->peer.pidfd, self->peer.pid, XMAP_RIGHTS_ALL, 0, 0,
			 &self->fd);
	self->buf = mmap(NULL, 2 * LEN, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->buf);
	self->want = self->buf + LEN;
}

FIXTURE_TEARDOWN(copying)
{
	close(self->fd);
	peer_end(&self->peer);
	close(self->dev);
}

/* Room for a few pages is on the kernel's stack, for more it is allocated. */
static const struct copy {
	const char *name;
	bool write;
	size_t len;
} copies[] = {
	{ "read few", false, 8 },
	{ "read many", false, LEN - 3 },
	{ "write few", true, 8 },
	{ "write many", true, LEN - 3 },
};

#define for_each_copy(c) for (c = copies; c < copies + ARRAY_SIZE(copies); c++)

/* Pages out of the tables, so that they have to come back; our side as it was. */
static void copy_prepare(struct __test_metadata *_metadata, FIXTURE_DATA(copying) *self,
			 const struct copy *c)
{
	ASSERT_EQ(0, peer_madvise(&self->peer, self->anon, LEN, MADV_DONTNEED));
	ASSERT_EQ(0, peer_madvise(&self->peer, self->mem, LEN, MADV_DONTNEED));
	memset(self->buf, c->write ? 'w' : UNTOUCHED_BYTE, LEN);
}

static unsigned long copy_remote(const FIXTURE_DATA(copying) *self, const struct copy *c)
{
	return c->write ? self->anon : self->mem;
}

/*
 * A copy gave @result: bytes, or a negative errno.  It may be short only if a
 * failure was injected.  What it copied is right, and nothing else was written.
 */
static void check_copied(struct __test_metadata *_metadata, FIXTURE_DATA(copying) *self, bool write,
			 const char *local, unsigned long remote, size_t len, __s64 result)
{
	size_t done = result > 0 ? result : 0;
	size_t i;

	EXPECT_NTH(&self->nth, result < 0 ? (int)-result : 0, EFAULT, ENOMEM);
	if (result >= 0 && !self->nth.hit)
		EXPECT_EQ((__s64)len, result);
	EXPECT_NE(0, result);
	ASSERT_GE((__s64)len, result);
	ASSERT_EQ((ssize_t)len, nth_peek(self->peer.pid, remote, self->want, len));
	EXPECT_EQ(0, memcmp(local, self->want, done));
	for (i = done; i < len; i++) {
		if (write ? self->want[i] : local[i] != UNTOUCHED_BYTE)
			break;
	}
	EXPECT_EQ(len, i)
	{
		TH_LOG("failure %u: %zu bytes were reported, but byte %zu was changed",
		       self->nth.n, done, i);
	}
}

#define copy_check(c, result)                                                  \
	check_copied(_metadata, self, (c)->write, self->buf, copy_remote(self, c), (c)->len, \
		     result)

TEST_F(copying, read_write)
{
	const struct copy *c;
	ssize_t ret;

	for_each_copy(c) {
		nth_begin(&self->nth, self->dev, c->name);
		while (nth_next(&self->nth)) {
			copy_prepare(_metadata, self, c);
			NTH_ERRNO(&self->nth, ret = c->write ?
				  pwrite(self->fd, self->buf, c->len, self->anon) :
				  pread(self->fd, self->buf, c->len, self->mem));
			copy_check(c, ret < 0 ? -self->nth.err : ret);
		}
	}
}

/* Too many segments for the kernel's stack. */
TEST_F(copying, vectored)
{
	struct iovec iov[12];
	const struct copy *c;
	ssize_t ret;
	size_t i;

	for_each_copy(c) {
		size_t last = c->len - c->len / ARRAY_SIZE(iov) * (ARRAY_SIZE(iov) - 1);

		for (i = 0; i < ARRAY_SIZE(iov); i++)
			iov[i] = (struct iovec){ self->buf + i * (c->len / ARRAY_SIZE(iov)),
						 c->len / ARRAY_SIZE(iov) };
		iov[i - 1].iov_len = last;
		nth_begin(&self->nth, self->dev, c->name);
		while (nth_next(&self->nth)) {
			copy_prepare(_metadata, self, c);
			NTH_ERRNO(&self->nth, ret = c->write ?
				  pwritev(self->fd, iov, ARRAY_SIZE(iov), self->anon) :
				  preadv(self->fd, iov, ARRAY_SIZE(iov), self->mem));
			copy_check(c, ret < 0 ? -self->nth.err : ret);
		}
	}
}

/* Each copy as one entry, and as many small ones that share a hold of the lock. */
static void transfer(struct __test_metadata *_metadata, FIXTURE_DATA(copying) *self,
		     const struct copy *c, const char *name, __u32 count, size_t piece)
{
	struct xmap_transfer e[PAGES];
	__u32 done, i;
	int err;

	nth_begin(&self->nth, self->dev, name);
	while (nth_next(&self->nth)) {
		copy_prepare(_metadata, self, c);
		for (i = 0; i < count; i++)
			e[i] = (struct xmap_transfer){
				.fd = self->fd,
				.flags = c->write ? XMAP_TRANSFER_WRITE : 0,
				.remote = copy_remote(self, c) + i * PAGE,
				.local = (uintptr_t)self->buf + i * PAGE,
				.length = piece,
				.out_result = XMAP_UNTOUCHED,
			};
		err = NTH_ERRNO(&self->nth, _test_transfer(self->dev, e, count, &done));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_EQ(err ? (__u32)XMAP_UNTOUCHED : count, done);
		/* That the answer could not be written does not undo the copies. */
		for (i = 0; i < count; i++) {
			if (e[i].out_result != XMAP_UNTOUCHED)
				check_copied(_metadata, self, c->write, self->buf + i * PAGE,
					     e[i].remote, piece, e[i].out_result);
		}
	}
}

TEST_F(copying, transfer)
{
	const struct copy *c;

	for_each_copy(c) {
		transfer(_metadata, self, c, c->name, 1, c->len);
		if (c->len == 8)
			transfer(_metadata, self, c, "small entries", PAGES, 8);
	}
}

/* Into what the target maps read-only: the kernel's own /proc/PID/mem does it. */
TEST_F(copying, forced_write)
{
	static const __u64 value = ~0ULL;
	__u64 now;
	ssize_t ret;
	int err;

	if (force_policy() != FORCE_ALWAYS)
		SKIP(return, "this kernel was told not to force writes");
	nth_begin(&self->nth, self->dev, "forced_write");
	while (nth_next(&self->nth)) {
		/* A new page, so that the write has to copy it again. */
		ASSERT_EQ(self->text, (unsigned long)peer_mmap_over(&self->peer, self->text, PAGE,
								    PROT_READ));
		err = NTH_ERRNO(&self->nth, ret = pwrite(self->fd, &value, sizeof(value),
							 self->text));
		/* It does not tell running out of memory from memory that is not there. */
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_EQ(err ? -1 : (ssize_t)sizeof(value), ret);
		ASSERT_EQ((ssize_t)sizeof(now),
			  nth_peek(self->peer.pid, self->text, &now, sizeof(now)));
		EXPECT_EQ(err ? 0 : value, now);
	}
}

/* ---- io_uring ------------------------------------------------------------- */

struct ring {
	int fd;
	char *rings;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
};

static int ring_open(struct ring *r)
{
	*r = (struct ring){ .fd = -1 };
	r->fd = syscall(SYS_io_uring_setup, 1, &r->p);
	if (r->fd < 0)
		return -1;
	r->rings = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
			IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		       IORING_OFF_SQES);
	return r->rings == MAP_FAILED || (void *)r->sqes == MAP_FAILED ? -1 : 0;
}

static __u32 *ring_word(struct ring *r, __u32 offset)
{
	return (__u32 *)(r->rings + offset);
}

/* Submit the one request that is queued, if it still is, and wait for it. */
static int ring_enter(struct ring *r)
{
	__u32 queued = *ring_word(r, r->p.sq_off.tail) -
		       __atomic_load_n(ring_word(r, r->p.sq_off.head), __ATOMIC_ACQUIRE);

	return syscall(SYS_io_uring_enter, r->fd, queued, 1, IORING_ENTER_GETEVENTS, NULL, 0);
}

/* One request at a time: its result. */
static int ring_do(struct nth *nth, struct ring *r, const struct io_uring_sqe *sqe)
{
	__u32 *tail = ring_word(r, r->p.sq_off.tail);
	__u32 *head = ring_word(r, r->p.cq_off.head);
	struct io_uring_cqe *cqe;
	bool hit;

	r->sqes[0] = *sqe;
	*ring_word(r, r->p.sq_off.array) = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	/* What happens before there is a request is nothing of ours: submit again. */
	NTH_ERRNO(nth, ring_enter(r));
	hit = nth->hit;
	while (__atomic_load_n(ring_word(r, r->p.cq_off.tail), __ATOMIC_ACQUIRE) == *head)
		ring_enter(r);
	nth->hit = hit;
	cqe = (struct io_uring_cqe *)(r->rings + r->p.cq_off.cqes) +
	      (*head & (r->p.cq_entries - 1));
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	nth->err = cqe->res < 0 ? -cqe->res : 0;
	return cqe->res;
}

static long op_clear(const unsigned long *a)
{
	memset((void *)a[0], 0, a[1]);
	return 0;
}

/* All pages are there, so that it is done at once, in the system call. */
TEST_F(copying, uring)
{
	const struct copy *c;
	struct ring ring;
	int res;

	ASSERT_EQ(0, ring_open(&ring));
	for_each_copy(c) {
		struct io_uring_sqe sqe = {
			.opcode = c->write ? IORING_OP_WRITE : IORING_OP_READ,
			.fd = self->fd,
			.off = copy_remote(self, c),
			.addr = (uintptr_t)self->buf,
			.len = c->len,
		};

		nth_begin(&self->nth, self->dev, c->name);
		while (nth_next(&self->nth)) {
			copy_prepare(_metadata, self, c);
			peer_call(&self->peer, op_clear, self->anon, LEN);
			ASSERT_EQ(0, peer_check(&self->peer, self->mem, LEN, SEED));
			res = ring_do(&self->nth, &ring, &sqe);
			copy_check(c, res);
		}
	}
	close(ring.fd);
}

int main(int argc, char **argv)
{
	return nth_main(argc, argv);
}
