// SPDX-License-Identifier: GPL-2.0-only
/* Regions with an address of their own, the same in every process. */
#include "xmap_region_utils.h"

#define FIXED XMAP_REGION_FIXED_ADDRESS
#define MIN_ADDR XMAP_REGION_ADDRESS_MIN
#define MAX_ADDR XMAP_REGION_ADDRESS_MAX

FIXTURE_SETUP(region)
{
	ASSERT_EQ(0, region_begin(self, FIXED));
}

FIXTURE_TEARDOWN(region)
{
	region_end(self);
}

static __u64 address(int fd)
{
	struct xmap_cmd_region_info info;

	return _test_region_info(fd, &info) ? 0 : info.out_addr;
}

TEST_F(region, everywhere)
{
	__u64 at = address(self->fd), **map, *part;
	char want[32];
	long fd;

	EXPECT_LE(MIN_ADDR, at);
	EXPECT_GT(MAX_ADDR, at);
	EXPECT_EQ(0, at % PAGE);
	test_region_map(self->fd, 0, LEN, RW, &map);
	ASSERT_EQ((void *)at, map);
	/* A pointer inside is good for all. */
	map[0] = (__u64 *)at + PAGE / 8 + 1;
	*map[0] = 77;
	fd = give(self->fd);
	ASSERT_EQ((long)at, peer_call(&self->peer, op_region_map, fd, 0, LEN, RW));
	EXPECT_EQ(77, peer_load(&self->peer, peer_load(&self->peer, at)));
	/* A part is where it is in the whole; and only one of it is there. */
	test_err_region_map(EEXIST, self->fd, 0, LEN, RW);
	test_err_region_map(EEXIST, self->fd, PAGE, PAGE, RW);
	ASSERT_EQ(0, munmap((void *)(at + PAGE), PAGE));
	test_region_map(self->fd, PAGE, PAGE, RW, &part);
	EXPECT_EQ((void *)(at + PAGE), part);
	EXPECT_EQ(77, part[1]);
	snprintf(want, sizeof(want), "%llx", (unsigned long long)at);
	EXPECT_STREQ(want, xmap_fdinfo(self->fd, "xmap-address"));
}

/* Nothing else does, not even for who asks. */
TEST_F(region, nowhere_else)
{
	__u64 at = address(self->fd);
	void *map, *to;

	to = mmap(NULL, LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, to);
	EXPECT_EQ(MAP_FAILED, mmap(to, LEN, RW, MAP_SHARED | MAP_FIXED, self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap((void *)(at + PAGE), LEN, RW, MAP_SHARED | MAP_FIXED,
				   self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
	/* A hint is no more than that. */
	map = mmap(to, LEN, RW, MAP_SHARED, self->fd, 0);
	ASSERT_EQ((void *)at, map);
	EXPECT_STORE(5, map);
	EXPECT_EQ(MAP_FAILED, mremap(map, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_LOAD(5, map);
	ASSERT_EQ(0, munmap(map, LEN));
	EXPECT_EQ((void *)at, mmap((void *)at, LEN, RW, MAP_SHARED | MAP_FIXED, self->fd, 0));
	EXPECT_LOAD(5, map);
	EXPECT_EQ(MAP_FAILED, mmap((void *)at, LEN, RW, MAP_SHARED | MAP_FIXED_NOREPLACE,
				   self->fd, 0));
	EXPECT_EQ(EEXIST, errno);
	test_err_region_map(EACCES, self->fd, 0, LEN + PAGE, RW);
	test_err_region_map(EACCES, self->fd, LEN, PAGE, RW);
	test_err_region_map(EACCES, self->fd, 1ULL << 40, PAGE, RW);
}

TEST_F(region, taken_by_other_memory)
{
	__u64 at = address(self->fd);
	void *map;

	map = mmap((void *)(at + LEN - PAGE), PAGE, RW,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	test_err_region_map(EEXIST, self->fd, 0, LEN, RW);
	/* Who says so gives up what he has there. */
	EXPECT_EQ((void *)at, mmap((void *)at, LEN, RW, MAP_SHARED | MAP_FIXED, self->fd, 0));
}

TEST_F(region, addresses)
{
	struct xmap_cmd_region_create cmd = { .flags = FIXED, .length = PAGE };
	long bytes;
	const __u64 at = MIN_ADDR + (1ULL << 40);
	__u64 seen[8];
	int fd[8], i, j;

	/* Each has its own. */
	for (i = 0; i < 8; i++) {
		cmd = (struct xmap_cmd_region_create){ .flags = FIXED, .length = (i + 1) * PAGE };
		test_region_create_cmd(self->dev, &cmd);
		fd[i] = cmd.out_fd;
		seen[i] = cmd.out_addr;
		EXPECT_EQ(seen[i], address(fd[i]));
		EXPECT_NE(seen[i], address(self->fd));
		for (j = 0; j < i; j++)
			EXPECT_NE(seen[i], seen[j]);
	}
	/* What has become free is had again. */
	close(fd[3]);
	cmd = (struct xmap_cmd_region_create){ .flags = FIXED, .length = PAGE };
	test_region_create_cmd(self->dev, &cmd);
	EXPECT_EQ(seen[3], cmd.out_addr);

	/* The one that is asked for. */
	cmd = (struct xmap_cmd_region_create){ .flags = FIXED, .length = 2 * PAGE, .addr = at };
	test_region_create_cmd(self->dev, &cmd);
	EXPECT_EQ(at, cmd.out_addr);
	test_err_region_create_cmd(EEXIST, self->dev, &cmd);
	cmd.addr = at + PAGE;
	test_err_region_create_cmd(EEXIST, self->dev, &cmd);
	cmd.addr = at - PAGE;
	test_err_region_create_cmd(EEXIST, self->dev, &cmd);
	cmd.addr = at + 2 * PAGE;
	test_region_create_cmd(self->dev, &cmd);
	cmd.addr = at - 2 * PAGE;
	test_region_create_cmd(self->dev, &cmd);

	cmd.addr = at + 1;
	test_err_region_create_cmd(EINVAL, self->dev, &cmd);
	cmd.addr = PAGE;
	test_err_region_create_cmd(EINVAL, self->dev, &cmd);
	cmd.addr = MIN_ADDR - PAGE;
	test_err_region_create_cmd(EINVAL, self->dev, &cmd);
	cmd.addr = MAX_ADDR - PAGE;
	test_err_region_create_cmd(EINVAL, self->dev, &cmd);
	cmd.addr = -2 * PAGE;
	test_err_region_create_cmd(EINVAL, self->dev, &cmd);
	cmd.addr = MAX_ADDR - 2 * PAGE;
	test_region_create_cmd(self->dev, &cmd);
	cmd.addr = 0;
	cmd.reserve = 2 * PAGE + 1;
	test_err_region_create_cmd(EINVAL, self->dev, &cmd);
	cmd.reserve = PAGE;
	test_err_region_create_cmd(EINVAL, self->dev, &cmd);
	/* More than there is, for who may have as much. */
	cmd.reserve = MAX_ADDR;
	test_err_region_create_cmd(EDQUOT, self->dev, &cmd);
	bytes = xmap_read_long(MAX_REGION_BYTES);
	ASSERT_EQ(0, xmap_write_long(MAX_REGION_BYTES, LONG_MAX));
	test_err_region_create_cmd(ENOSPC, self->dev, &cmd);
	ASSERT_EQ(0, xmap_write_long(MAX_REGION_BYTES, bytes));
}

/* It grows where it is, as far as was said. */
TEST_F(region, reserve)
{
	struct xmap_cmd_region_create cmd = {
		.flags = FIXED,
		.length = PAGE,
		.reserve = 4 * PAGE,
	};
	void *map, *more;
	int fd;

	test_err_region_resize(ENOSPC, self->fd, LEN + PAGE);
	test_region_resize(self->fd, PAGE);
	test_region_resize(self->fd, LEN);
	test_region_create_cmd(self->dev, &cmd);
	fd = cmd.out_fd;
	test_region_map(fd, 0, PAGE, RW, &map);
	EXPECT_STORE(1, map);
	test_err_region_resize(ENOSPC, fd, 5 * PAGE);
	test_region_resize(fd, 4 * PAGE);
	test_region_map(fd, PAGE, 3 * PAGE, RW, &more);
	EXPECT_EQ((char *)map + PAGE, more);
	EXPECT_STORE(2, (char *)more + 2 * PAGE);
	EXPECT_LOAD(1, map);
	/* Nobody is given what was reserved. */
	cmd = (struct xmap_cmd_region_create){
		.flags = FIXED,
		.length = PAGE,
		.addr = address(fd) + 3 * PAGE,
	};
	test_err_region_create_cmd(EEXIST, self->dev, &cmd);
}

/* /dev/xmap: bytes that are charged to the caller's user. */
static long op_bytes(const unsigned long *a)
{
	struct xmap_cmd_query q;

	return _test_query(a[0], &q) ? -1 : (long)q.out_region_bytes;
}

#define EXPECT_BYTES(expected)							\
	EXPECT_EQ(expected, op_bytes((unsigned long[]){ self->dev }))

/* What is kept from others counts, be it used or not. */
TEST_F(region, reserve_is_charged)
{
	struct xmap_cmd_region_create cmd = {
		.flags = FIXED,
		.length = PAGE,
		.reserve = 4 * PAGE,
	};
	long bytes = xmap_read_long(MAX_REGION_BYTES);
	int fd;

	EXPECT_BYTES(LEN);
	/* One without a reserve has the address for its length, also when it is shorter. */
	test_region_resize(self->fd, PAGE);
	EXPECT_BYTES(LEN);
	ASSERT_EQ(0, xmap_write_long(MAX_REGION_BYTES, LEN + 4 * PAGE));
	cmd.reserve = 5 * PAGE;
	test_err_region_create_cmd(EDQUOT, self->dev, &cmd);
	cmd.reserve = 4 * PAGE;
	test_region_create_cmd(self->dev, &cmd);
	fd = cmd.out_fd;
	EXPECT_BYTES(LEN + 4 * PAGE);
	/* The limit is reached, and this needs no more. */
	test_region_resize(fd, 4 * PAGE);
	EXPECT_BYTES(LEN + 4 * PAGE);
	test_err_region_resize(ENOSPC, fd, 5 * PAGE);
	EXPECT_BYTES(LEN + 4 * PAGE);
	test_region_resize(fd, 2 * PAGE);
	test_region_resize(self->fd, LEN);
	EXPECT_BYTES(LEN + 4 * PAGE);
	close(fd);
	EXPECT_BYTES(LEN);
	/* A place that is taken costs nothing. */
	cmd.addr = address(self->fd);
	test_err_region_create_cmd(EEXIST, self->dev, &cmd);
	EXPECT_BYTES(LEN);
	ASSERT_EQ(0, xmap_write_long(MAX_REGION_BYTES, bytes));
}

/* Nobody has all addresses for a page. */
TEST_F(region, reserve_all)
{
	struct xmap_cmd_region_create *cmd = xmap_shared(PAGE);
	struct peer user;
	long fd;

	ASSERT_EQ(0, peer_spawn_as(&user, UID_A, UID_A, 0));
	*cmd = (struct xmap_cmd_region_create){
		.flags = FIXED,
		.length = PAGE,
		.reserve = MAX_ADDR - MIN_ADDR,
	};
	EXPECT_ERRNO(EDQUOT, peer_call(&user, op_region_create_cmd, self->dev, cmd));
	EXPECT_EQ(0, peer_call(&user, op_bytes, self->dev));
	/* As much as he may have: then not even a page more. */
	cmd->reserve = xmap_read_long(MAX_REGION_BYTES);
	fd = peer_call(&user, op_region_create_cmd, self->dev, cmd);
	ASSERT_LE(0, fd);
	cmd->reserve = 0;
	EXPECT_ERRNO(EDQUOT, peer_call(&user, op_region_create_cmd, self->dev, cmd));
	EXPECT_ERRNO(EDQUOT, peer_call(&user, op_region_create, self->dev, 0, PAGE));
	cmd->length = LEN;
	test_region_create_cmd(self->dev, cmd);
	ASSERT_EQ(0, peer_close(&user, fd));
	EXPECT_LE(0, peer_call(&user, op_region_create, self->dev, 0, PAGE));
	peer_end(&user);
	munmap(cmd, PAGE);
}

/* New pages at the old address, which everybody sees. */
TEST_F(region, rebind)
{
	struct xmap_cmd_region_info info;
	__u64 at = address(self->fd);
	void *map;

	test_region_map(self->fd, 0, LEN, RW, &map);
	ASSERT_EQ((long)at, peer_call(&self->peer, op_region_map, give(self->fd), 0, LEN, RW));
	peer_fill_here(map, LEN, 1);
	EXPECT_EQ(0, peer_check(&self->peer, at, LEN, 1));
	test_region_rebind(1, self->fd);
	EXPECT_EQ(0, peer_load(&self->peer, at));
	EXPECT_LOAD(0, map);
	test_region_info(self->fd, &info);
	EXPECT_EQ(1, info.out_generation);
	EXPECT_EQ(at, info.out_addr);
}

/* Inherited, it is where it was. */
TEST_F(region, fork)
{
	void *map;
	struct peer child;

	test_region_map(self->fd, 0, LEN, RW, &map);
	EXPECT_STORE(6, map);
	ASSERT_EQ(0, peer_spawn(&child));
	EXPECT_EQ(6, peer_load(&child, map));
	ASSERT_EQ(0, peer_store(&child, map, 7));
	EXPECT_LOAD(7, map);
	peer_end(&child);
}

TEST_HARNESS_MAIN
