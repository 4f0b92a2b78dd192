// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a region that the hardware has spoilt: it is never read, whatever is done to
 * the region, and nobody is shown anything else in its place, until the region gets new
 * pages.
 */
#include "xmap_region_utils.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"
#define HUGE (2UL << 20)
/* The page that is spoilt. */
#define AT (5 * PAGE)

FIXTURE(poison)
{
	int dev;
	int fd;
	int sv[2];
	struct peer peer;
	long theirs;
	char *map;
};

FIXTURE_VARIANT(poison)
{
	__u32 flags;
	size_t length;
};

FIXTURE_VARIANT_ADD(poison, small)
{
	.length = LEN,
};

FIXTURE_VARIANT_ADD(poison, huge)
{
	.flags = XMAP_REGION_HUGE,
	.length = HUGE,
};

#define POISON FIXTURE_DATA(poison)

static void nothing(int sig)
{
	(void)sig;
}

/* Start, length.  Who has it mapped is told by a signal. */
static long op_poison(const unsigned long *a)
{
	long ret, err;

	signal(SIGBUS, nothing);
	ret = madvise((void *)a[0], a[1], MADV_HWPOISON);
	err = errno;
	touch_init();
	errno = err;
	return ret;
}

/* The page fails under a mapping of the peer; EINVAL where the kernel knows no such thing. */
FIXTURE_SETUP(poison)
{
	long theirs;

	if (variant->flags && access(THP "shmem_enabled", F_OK))
		SKIP(return, "no transparent huge pages here");
	touch_init();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->sv));
	ASSERT_EQ(0, peer_spawn(&self->peer));
	if (variant->flags) {
		/* There are some to be had. */
		ASSERT_EQ(0, xmap_write_file(THP "defrag", "always"));
		ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/drop_caches", "3"));
		ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/compact_memory", "1"));
	}
	test_region_create(self->dev, variant->flags | XMAP_REGION_SINGLE_OWNER, variant->length,
			   &self->fd);
	test_region_map(self->fd, 0, variant->length, RW, &self->map);
	peer_fill_here(self->map, variant->length, 1);
	self->theirs = give(self->fd);
	ASSERT_LE(0, self->theirs);
	theirs = peer_call(&self->peer, op_region_map, self->theirs, 0, variant->length, RW);
	ASSERT_NE(-1, theirs);
	test_region_give(self->fd);
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, self->theirs, XMAP_REGION_TAKE));
	EXPECT_EQ(0, peer_check(&self->peer, theirs, variant->length, 1));
	if (peer_call(&self->peer, op_poison, theirs + AT, PAGE)) {
		ASSERT_EQ(EINVAL, errno);
		SKIP(return, "this kernel does not know memory failures");
	}
	/* What the processes have of it now is not to keep it from anybody. */
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, self->theirs, XMAP_REGION_GIVE));
	test_region_take(self->fd);
}

FIXTURE_TEARDOWN(poison)
{
	peer_end(&self->peer);
	munmap(self->map, variant->length);
	close(self->fd);
	close(self->sv[0]);
	close(self->sv[1]);
	close(self->dev);
	if (variant->flags && !access(THP "shmem_enabled", F_OK))
		xmap_write_file(THP "defrag", "madvise");
}

/* The rest is whole; what is lost is lost, by every way. */
static void expect_lost(struct __test_metadata *_metadata, POISON *self, size_t length)
{
	static char buf[PAGE];
	__u64 word;
	size_t i;

	for (i = 0; i < length; i += PAGE) {
		if (i == AT)
			continue;
		ASSERT_EQ(8, pread(self->fd, &word, 8, i));
		ASSERT_EQ(peer_word(1, i), word);
		ASSERT_EQ(0, touch_load(self->map + i + 8, &word));
		ASSERT_EQ(peer_word(1, i + 8), word);
	}
	EXPECT_ERRNO(EIO, pread(self->fd, buf, 1, AT));
	EXPECT_ERRNO(EIO, pread(self->fd, buf, PAGE, AT));
	EXPECT_ERRNO(EIO, pwrite(self->fd, buf, 1, AT + PAGE - 1));
	EXPECT_SIGNAL(SIGBUS, self->map + AT);
	EXPECT_STORE_SIGNAL(SIGBUS, self->map + AT + PAGE - 8);
	/* Up to there. */
	EXPECT_EQ((ssize_t)PAGE, pread(self->fd, buf, sizeof(buf), AT - PAGE));
}

static int revoke_another(int fd, size_t length)
{
	int part, ret;
	void *map;

	if (_test_region_derive(fd, XMAP_RIGHT_READ, 0, 0, &part))
		return -1;
	map = mmap(NULL, length, PROT_READ, MAP_SHARED, part, 0);
	if (map == MAP_FAILED)
		return -1;
	ret = touch(map) ?: touch((char *)map + AT - PAGE) ?: _test_revoke(part, 0, 0);
	munmap(map, length);
	close(part);
	return ret;
}

TEST_F(poison, stays)
{
	expect_lost(_metadata, self, variant->length);
	ASSERT_EQ(0, revoke_another(self->fd, variant->length));
	expect_lost(_metadata, self, variant->length);
	test_region_give(self->fd);
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, self->theirs, XMAP_REGION_TAKE));
	EXPECT_ERRNO(EIO, peer_call(&self->peer, op_read, self->theirs, AT));
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, self->theirs, XMAP_REGION_GIVE));
	test_region_take(self->fd);
	expect_lost(_metadata, self, variant->length);
}

/* New pages are good ones. */
TEST_F(poison, until_rebound)
{
	ASSERT_EQ(0, revoke_another(self->fd, variant->length));
	test_region_rebind(1, self->fd);
	peer_fill_here(self->map, variant->length, 2);
	EXPECT_EQ(0, peer_check_here(self->map, variant->length, 2));
	ASSERT_EQ(0, revoke_another(self->fd, variant->length));
	EXPECT_EQ(0, peer_check_here(self->map, variant->length, 2));
}

/* Sealing takes pages away, too. */
TEST_F(poison, sealed)
{
	static char buf[8];

	ASSERT_EQ(0, munmap(self->map, variant->length));
	peer_end(&self->peer);
	test_region_seal(XMAP_REGION_SEAL_WRITE, self->fd, XMAP_REGION_SEAL_WRITE);
	EXPECT_ERRNO(EIO, pread(self->fd, buf, 8, AT));
	EXPECT_EQ(8, pread(self->fd, buf, 8, AT + PAGE));
	EXPECT_EQ(peer_word(1, AT + PAGE), *(__u64 *)buf);
	/* The fixture's end unmaps it. */
	self->map = mmap(NULL, variant->length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

TEST_HARNESS_MAIN
