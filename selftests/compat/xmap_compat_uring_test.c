// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring of a 32-bit process on a target whose addresses have 64 bits.
 */
#include "compat.h"
#include "ring.h"

FIXTURE(uring)
{
	struct twin twin;
	struct ring ring;
};

FIXTURE_VARIANT(uring)
{
	__u8 flags;
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
	ASSERT_EQ(0, twin_spawn(&self->twin));
	ASSERT_EQ(0, compat_share_all(&self->twin));
	ASSERT_EQ(0, ring_open(&self->ring))
	{
		TH_LOG("io_uring: %s", strerror(errno));
	}
}

FIXTURE_TEARDOWN(uring)
{
	int i;

	ring_close(&self->ring);
	for (i = SHARED_DEV; i <= SHARED_DEVNULL; i++)
		close(i);
	twin_end(&self->twin);
}

static int ring_rw(struct ring *ring, __u8 flags, __u8 opcode, __u64 buf, __u32 len, __u64 addr)
{
	return ring_do(ring, (struct io_uring_sqe){
		.opcode = opcode,
		.flags = flags,
		.fd = SHARED_TARGET,
		.addr = buf,
		.len = len,
		.off = addr,
	});
}

TEST_F(uring, read_write)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(twin_places); i++) {
		__u64 addr = twin_places[i].addr;

		memset(arena_at(0), 0, TWIN_LENGTH);
		EXPECT_EQ(TWIN_LENGTH, ring_rw(&self->ring, variant->flags, IORING_OP_READ,
					       TWIN_ARENA, TWIN_LENGTH, addr));
		EXPECT_EQ(0, twin_check(arena_at(0), TWIN_LENGTH, twin_places[i].seed, 0));
		twin_fill(arena_at(0), TWIN_LENGTH, TWIN_SEED_OTHER + i);
		EXPECT_EQ(TWIN_LENGTH, ring_rw(&self->ring, variant->flags, IORING_OP_WRITE,
					       TWIN_ARENA, TWIN_LENGTH, addr));
		EXPECT_EQ(0, twin_call(&self->twin, TWIN_CHECK, addr, TWIN_LENGTH,
				       TWIN_SEED_OTHER + i));
	}
	EXPECT_EQ(-EFAULT, ring_rw(&self->ring, variant->flags, IORING_OP_READ, TWIN_ARENA, 8,
				   TWIN_HIGH + TWIN_LENGTH));
	/* The address of the buffer has 64 bits in every ring. */
	EXPECT_EQ(-EFAULT, ring_rw(&self->ring, variant->flags, IORING_OP_READ,
				   TWIN_ARENA | 1ULL << 32, 8, TWIN_HIGH));
	EXPECT_EQ(-EFAULT, ring_rw(&self->ring, variant->flags, IORING_OP_WRITE,
				   TWIN_ARENA | 0xffffffffULL << 32, 8, TWIN_HIGH));
}

/* Here the kernel has to know that an iovec has 32-bit words. */
TEST_F(uring, vectors)
{
	struct iovec iov[] = { { arena_at(0), 3 }, { arena_at(8192), 5000 } };
	struct iovec fixed = { arena_at(16384), TWIN_LENGTH };
	char want[5003];

	ASSERT_EQ(sizeof(want), pread(SHARED_TARGET, want, sizeof(want), TWIN_FAR + 5));
	EXPECT_EQ(sizeof(want), ring_rw(&self->ring, variant->flags, IORING_OP_READV,
					(uintptr_t)iov, 2, TWIN_FAR + 5));
	EXPECT_EQ(0, memcmp(want, arena_at(0), 3));
	EXPECT_EQ(0, memcmp(want + 3, arena_at(8192), 5000));
	EXPECT_EQ(sizeof(want), ring_rw(&self->ring, variant->flags, IORING_OP_WRITEV,
					(uintptr_t)iov, 2, TWIN_HIGH + 5));
	memset(arena_at(0), 0, sizeof(want));
	ASSERT_EQ(sizeof(want), pread(SHARED_TARGET, arena_at(0), sizeof(want), TWIN_HIGH + 5));
	EXPECT_EQ(0, memcmp(want, arena_at(0), sizeof(want)));

	ASSERT_EQ(0, ring_register(&self->ring, &fixed, 1));
	EXPECT_EQ(TWIN_LENGTH, ring_rw(&self->ring, variant->flags, IORING_OP_READ_FIXED,
				       (uintptr_t)fixed.iov_base, TWIN_LENGTH, TWIN_AROUND_EDGE));
	EXPECT_EQ(0, twin_check(fixed.iov_base, TWIN_LENGTH, TWIN_SEED_AROUND_EDGE, 0));
}

/* A target has no commands for io_uring; it is ready, and hangs up. */
TEST_F(uring, others)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_URING_CMD,
		.flags = variant->flags,
		.fd = SHARED_TARGET,
	};
	int status;

	EXPECT_EQ(-EOPNOTSUPP, ring_do(&self->ring, sqe));
	sqe.fd = SHARED_DEV;
	EXPECT_EQ(-EOPNOTSUPP, ring_do(&self->ring, sqe));
	sqe = (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD,
		.flags = variant->flags,
		.fd = SHARED_TARGET,
		.poll32_events = POLLIN,
	};
	EXPECT_EQ(POLLIN, ring_do(&self->ring, sqe));
	EXPECT_EQ(0, kill(self->twin.pid, SIGKILL));
	EXPECT_EQ(self->twin.pid, waitpid(self->twin.pid, &status, 0));
	self->twin.pid = 0;
	sqe.poll32_events = POLLHUP;
	EXPECT_EQ(POLLHUP, ring_do(&self->ring, sqe));
	EXPECT_EQ(-ESRCH, ring_rw(&self->ring, variant->flags, IORING_OP_READ, TWIN_ARENA, 8,
				  TWIN_HIGH));
}

TEST_HARNESS_MAIN
