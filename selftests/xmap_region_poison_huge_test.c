// SPDX-License-Identifier: GPL-2.0-only
/*
 * A huge page of a region of which a part fails while somebody holds it, so that nobody
 * can take it apart.  The kernel then frees it with the bad page in it, and whoever gets
 * that memory next has it: so this is done in a machine of its own.
 */
#include "xmap_region_utils.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"
#define HUGE (2UL << 20)
/* Which page fails. */
#define AT (5 * PAGE)

FIXTURE_SETUP(region)
{
	ASSERT_EQ(0, region_begin(self, 0));
}

FIXTURE_TEARDOWN(region)
{
	region_end(self);
}

/* A handle of all of it is revoked by who manages it.  How many pages that replaced. */
static long replaced_by_revoking(int fd, size_t length)
{
	struct xmap_cmd_region_info before, after;
	void *map;
	int part;

	if (_test_region_info(fd, &before) ||
	    _test_region_derive(fd, XMAP_RIGHTS_RW, 0, 0, &part))
		return -1;
	map = mmap(NULL, length, RW, MAP_SHARED, part, 0);
	if (map == MAP_FAILED || _test_revoke(part, 0, 0) || _test_region_info(fd, &after))
		return -1;
	munmap(map, length);
	close(part);
	return after.out_replaced - before.out_replaced;
}

static void nothing(int sig)
{
	(void)sig;
}

/* Address.  Who has it mapped is told by a signal. */
static long op_poison(const unsigned long *a)
{
	long ret, err;

	signal(SIGBUS, nothing);
	ret = madvise((void *)a[0], PAGE, MADV_HWPOISON);
	err = errno;
	touch_init();
	errno = err;
	return ret;
}

static bool no_huge(void)
{
	return access(THP "shmem_enabled", F_OK);
}

static int pipe_with(int pipefd[2], void *map)
{
	struct iovec iov = { .iov_base = map, .iov_len = 1 };

	return pipe(pipefd) || vmsplice(pipefd[1], &iov, 1, 0) != 1 ? -1 : 0;
}

/* What was copied for the region is what could be read; the rest is nothing else. */
TEST_F(region, huge_page_that_fails)
{
	static char buf[2 * PAGE];
	int fd, pipefd[2];
	long theirs, at;
	__u64 word;
	size_t i;
	char *map;

	if (no_huge())
		SKIP(return, "no transparent huge pages here");
	ASSERT_EQ(0, xmap_write_file(THP "defrag", "always"));
	ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/drop_caches", "3"));
	ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/compact_memory", "1"));
	test_region_create(self->dev, XMAP_REGION_HUGE, HUGE, &fd);
	test_region_map(fd, 0, HUGE, RW, &map);
	peer_fill_here(map, HUGE, 1);
	EXPECT_EQ(0, xmap_write_file(THP "defrag", "madvise"));
	theirs = peer_give_fd(&self->peer, self->sv, fd);
	at = peer_call(&self->peer, op_region_map, theirs, 0, HUGE, RW);
	ASSERT_NE(-1, at);
	EXPECT_EQ(0, peer_check(&self->peer, at, HUGE, 1));

	ASSERT_EQ(0, pipe_with(pipefd, map));
	/* The kernel says that it could not take it apart. */
	ASSERT_EQ(-1, peer_call(&self->peer, op_poison, at + AT));
	if (errno == EINVAL)
		SKIP(return, "this kernel does not know memory failures");
	ASSERT_TRUE(errno == EHWPOISON || errno == EBUSY);
	EXPECT_EQ((long)(HUGE / PAGE), replaced_by_revoking(fd, HUGE));

	for (i = 0; i < HUGE; i += PAGE) {
		if (i == AT)
			continue;
		ASSERT_EQ(8, pread(fd, &word, 8, i));
		ASSERT_EQ(peer_word(1, i), word);
		ASSERT_EQ(0, touch_load(map + i + 8, &word));
		ASSERT_EQ(peer_word(1, i + 8), word);
	}
	EXPECT_ERRNO(EIO, pread(fd, buf, 1, AT));
	EXPECT_ERRNO(EIO, pwrite(fd, buf, 1, AT + PAGE - 1));
	EXPECT_EQ((ssize_t)PAGE, pread(fd, buf, sizeof(buf), AT - PAGE));
	EXPECT_SIGNAL(SIGBUS, map + AT);
	EXPECT_EQ(SIGBUS, peer_call(&self->peer, op_touch_store, at + AT, 1));
	/* Nobody holds anything any more: it stays lost. */
	close(pipefd[0]);
	close(pipefd[1]);
	EXPECT_LE(0, replaced_by_revoking(fd, HUGE));
	EXPECT_ERRNO(EIO, pread(fd, buf, 1, AT));

	test_region_rebind(1, fd);
	EXPECT_EQ(1, pread(fd, buf, 1, AT));
	EXPECT_EQ(0, buf[0]);
	peer_fill_here(map, HUGE, 2);
	EXPECT_EQ(0, peer_check(&self->peer, at, HUGE, 2));
	munmap(map, HUGE);
	close(fd);
}

TEST_HARNESS_MAIN
