// SPDX-License-Identifier: GPL-2.0-only
/* Published regions: names, who may open one, and how long it stays. */
#include "xmap_region_utils.h"

#define NAME "xmap-test.region"
#define OTHER_NAME "xmap-test.region-2"

FIXTURE_SETUP(region)
{
	ASSERT_EQ(0, region_begin(self, 0));
}

FIXTURE_TEARDOWN(region)
{
	region_end(self);
}

static int publish(int dev, const char *name, __u32 flags, __u32 mode, int *fd)
{
	struct xmap_cmd_region_create cmd = {
		.flags = XMAP_REGION_PUBLISH | flags,
		.mode = mode,
		.gid = -1,
		.length = LEN,
	};
	int ret;

	memcpy(cmd.name, name, strnlen(name, sizeof(cmd.name)));
	ret = _test_region_create_cmd(dev, &cmd);
	*fd = cmd.out_fd;
	return ret;
}

/* A name in memory that a peer has as well. */
static char *shared_name(const char *name)
{
	char *page = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	memcpy(page, name, strlen(name));
	return page;
}

TEST_F(region, open)
{
	struct xmap_cmd_region_info info;
	struct xmap_list_entry top, e;
	__u64 *map, *again;
	int fd, more;

	ASSERT_EQ(0, publish(self->dev, NAME, 0, 0600, &fd));
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_REGION, getpid(), &top));
	test_region_map(fd, 0, LEN, RW, &map);
	test_region_open(self->dev, XMAP_RIGHTS_RW, NAME, &more);
	EXPECT_EQ(FD_CLOEXEC, fcntl(more, F_GETFD));
	test_region_info(more, &info);
	EXPECT_EQ(XMAP_RIGHTS_RW, info.out_rights);
	EXPECT_EQ(XMAP_REGION_PUBLISH, info.out_flags);
	EXPECT_EQ(LEN, info.out_length);
	EXPECT_STREQ(NAME, xmap_fdinfo(more, "xmap-name"));
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_REGION, getpid(), &e));
	EXPECT_EQ(top.serial, e.parent);
	test_region_map(more, 0, LEN, RW, &again);
	map[1] = 5;
	EXPECT_EQ(5, again[1]);
	/* It grows with the region. */
	test_region_resize(fd, 2 * LEN);
	EXPECT_EQ(1, pwrite(more, "x", 1, 2 * LEN - 1));
	test_err_region_resize(EACCES, more, LEN);
	close(more);
	test_region_open(self->dev, RIGHTS_RWM, NAME, &more);
	test_region_resize(more, LEN);
	/* What comes from the first goes with the first. */
	test_revoke(fd, 0, 0);
	EXPECT_SIGNAL(SIGBUS, again);
	EXPECT_EQ(POLLIN | POLLHUP, region_poll(more) | POLLIN);
	test_err_region_open(ENOENT, self->dev, XMAP_RIGHT_READ, NAME);
}

TEST_F(region, names)
{
	char longest[XMAP_NAME_SIZE + 1];
	int fd[3], none;

	memset(longest, 'n', sizeof(longest));
	longest[XMAP_NAME_SIZE] = 0;
	EXPECT_ERRNO(EINVAL, publish(self->dev, longest, 0, 0600, &none));
	longest[XMAP_NAME_SIZE - 1] = 0;
	ASSERT_EQ(0, publish(self->dev, longest, 0, 0600, &fd[0]));
	EXPECT_ERRNO(EINVAL, publish(self->dev, "", 0, 0600, &none));
	EXPECT_ERRNO(EINVAL, publish(self->dev, "a/b", 0, 0600, &none));
	EXPECT_ERRNO(EINVAL, publish(self->dev, "a b", 0, 0600, &none));
	EXPECT_ERRNO(EINVAL, publish(self->dev, NAME, 0, 0601, &none));
	ASSERT_EQ(0, publish(self->dev, NAME, 0, 0600, &fd[1]));
	EXPECT_ERRNO(EEXIST, publish(self->dev, NAME, 0, 0600, &none));
	EXPECT_EQ(XMAP_UNTOUCHED, none);
	ASSERT_EQ(0, publish(self->dev, OTHER_NAME, 0, 0600, &fd[2]));
	test_err_region_open(ENOENT, self->dev, XMAP_RIGHT_READ, "xmap-test.none");
	test_err_region_open(EINVAL, self->dev, XMAP_RIGHT_READ, "");
	test_err_region_open(EINVAL, self->dev, 0, NAME);
	test_err_region_open(EINVAL, self->dev, XMAP_RIGHT_MANAGE, NAME);
	test_err_region_open(EOPNOTSUPP, self->dev, XMAP_RIGHT_READ | 1 << 4, NAME);
	/* An export can have the same name. */
	test_err_export_open(ENOENT, self->dev, XMAP_RIGHT_READ, 0, NAME);
	/* One that is of no use to anybody is in nobody's way. */
	test_revoke(fd[1], 0, 0);
	ASSERT_EQ(0, publish(self->dev, NAME, 0, 0600, &none));
	test_err_region_unlink(ESTALE, fd[1]);
	test_region_unlink(none);
}

/* The name goes with the last handle, and with the last mapping. */
TEST_F(region, last_holder)
{
	void *map;
	int fd, more;

	ASSERT_EQ(0, publish(self->dev, NAME, 0, 0600, &fd));
	test_region_open(self->dev, XMAP_RIGHTS_RW, NAME, &more);
	close(fd);
	test_region_map(more, 0, LEN, RW, &map);
	close(more);
	EXPECT_STORE(3, map);
	test_region_open(self->dev, XMAP_RIGHTS_RW, NAME, &more);
	close(more);
	ASSERT_EQ(0, munmap(map, LEN));
	test_err_region_open(ENOENT, self->dev, XMAP_RIGHTS_RW, NAME);
}

TEST_F(region, unlink)
{
	int fd, more, again;
	__u64 word = 4;

	ASSERT_EQ(0, publish(self->dev, NAME, 0, 0600, &fd));
	test_region_open(self->dev, XMAP_RIGHTS_RW, NAME, &more);
	test_err_region_unlink(EACCES, more);
	test_region_unlink(fd);
	test_err_region_unlink(ENOENT, fd);
	test_err_region_open(ENOENT, self->dev, XMAP_RIGHT_READ, NAME);
	ASSERT_EQ(8, pwrite(fd, &word, 8, 0));
	word = 0;
	ASSERT_EQ(8, pread(more, &word, 8, 0));
	EXPECT_EQ(4, word);
	ASSERT_EQ(0, publish(self->dev, NAME, 0, 0600, &again));
	ASSERT_EQ(8, pread(again, &word, 8, 0));
	EXPECT_EQ(0, word);
}

TEST_F(region, persistent)
{
	struct xmap_cmd_query before, q;
	int fd, more;
	__u64 word = 4;
	void *map;

	test_query(self->dev, &before);
	ASSERT_EQ(0, publish(self->dev, NAME, XMAP_REGION_PERSISTENT, 0600, &fd));
	ASSERT_EQ(8, pwrite(fd, &word, 8, PAGE));
	close(fd);
	test_query(self->dev, &q);
	EXPECT_EQ(before.out_regions, q.out_regions);
	EXPECT_EQ(before.out_region_bytes + LEN, q.out_region_bytes);
	EXPECT_ERRNO(EEXIST, publish(self->dev, NAME, XMAP_REGION_PERSISTENT, 0600, &fd));
	test_region_open(self->dev, RIGHTS_RWM, NAME, &fd);
	word = 0;
	ASSERT_EQ(8, pread(fd, &word, 8, PAGE));
	EXPECT_EQ(4, word);
	test_region_map(fd, 0, LEN, RW, &map);
	/* Then it is as any. */
	test_region_unlink(fd);
	test_err_region_open(ENOENT, self->dev, XMAP_RIGHT_READ, NAME);
	close(fd);
	EXPECT_LOAD(4, (char *)map + PAGE);
	ASSERT_EQ(0, munmap(map, LEN));
	test_query(self->dev, &q);
	EXPECT_EQ(before.out_region_bytes, q.out_region_bytes);

	/* Revoked by its maker, it is gone at once, with its name and its bytes. */
	ASSERT_EQ(0, publish(self->dev, NAME, XMAP_REGION_PERSISTENT, 0600, &fd));
	test_revoke(fd, 0, 0);
	test_err_region_open(ENOENT, self->dev, XMAP_RIGHT_READ, NAME);
	test_query(self->dev, &q);
	EXPECT_EQ(before.out_region_bytes, q.out_region_bytes);
	ASSERT_EQ(0, publish(self->dev, NAME, 0, 0600, &more));
	test_query(self->dev, &q);
	EXPECT_EQ(before.out_region_bytes + LEN, q.out_region_bytes);
	close(fd);
}

/* They count as long as they are there, with or without a handle. */
TEST_F(region, persistent_limit)
{
	long max = xmap_read_long(MAX_REGIONS);
	int fd;

	ASSERT_EQ(0, xmap_write_long(MAX_REGIONS, 2));
	ASSERT_EQ(0, publish(self->dev, NAME, XMAP_REGION_PERSISTENT, 0600, &fd));
	close(fd);
	EXPECT_ERRNO(EDQUOT, publish(self->dev, OTHER_NAME, 0, 0600, &fd));
	test_region_open(self->dev, RIGHTS_RWM, NAME, &fd);
	test_region_unlink(fd);
	ASSERT_EQ(0, xmap_write_long(MAX_REGIONS, max));
}

/* ---- Modes ---- */

static long op_become_in_group(const unsigned long *a)
{
	gid_t group = a[2];

	if (setgroups(1, &group) || setresgid(a[1], a[1], a[1]) || setresuid(a[0], a[0], a[0]))
		return -1;
	return 0;
}

/* Opens and closes: errno, or 0. */
static long op_try(const unsigned long *a)
{
	long fd = op_region_open(a);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

/* A handle is a handle, however it was come by: it counts, against who opens. */
TEST_F(region, limit)
{
	long max = xmap_read_long(MAX_REGIONS);
	char *name = shared_name(NAME);
	struct xmap_cmd_query q;
	struct peer other;
	int fd, more, err;
	long ret;

	ASSERT_EQ(0, publish(self->dev, NAME, 0, 0666, &fd));
	ASSERT_EQ(0, peer_spawn_as(&other, UID_B, UID_B, 0));
	test_query(self->dev, &q);
	ASSERT_EQ(0, xmap_write_long(MAX_REGIONS, q.out_regions));
	test_err_region_open(EDQUOT, self->dev, XMAP_RIGHT_READ, NAME);
	/* Rights and names come first: it tells nobody anything. */
	test_err_region_open(ENOENT, self->dev, XMAP_RIGHT_READ, OTHER_NAME);
	EXPECT_EQ(0, peer_call(&other, op_try, self->dev, XMAP_RIGHT_READ, name));
	ASSERT_EQ(0, xmap_write_long(MAX_REGIONS, q.out_regions + 1));
	err = XMAP_ERRNO(_test_region_open(self->dev, XMAP_RIGHT_READ, NAME, &more));
	EXPECT_EQ(0, err);
	test_err_region_open(EDQUOT, self->dev, XMAP_RIGHT_READ, NAME);
	close(more);
	test_region_open(self->dev, XMAP_RIGHT_READ, NAME, &more);
	/* Nothing of those that failed is left. */
	ASSERT_EQ(0, xmap_write_long(MAX_REGIONS, 1));
	ret = peer_call(&other, op_region_open, self->dev, XMAP_RIGHT_READ, name);
	EXPECT_LE(0, ret);
	EXPECT_ERRNO(EDQUOT, peer_call(&other, op_try, self->dev, XMAP_RIGHT_READ, name));
	ASSERT_EQ(0, peer_close(&other, ret));
	EXPECT_EQ(0, peer_call(&other, op_try, self->dev, XMAP_RIGHT_READ, name));
	ASSERT_EQ(0, xmap_write_long(MAX_REGIONS, max));
	test_query(self->dev, &q);
	EXPECT_EQ(3, q.out_regions);
	peer_end(&other);
}

TEST_F(region, mode)
{
	/* Creator's, one of the group's, anybody's: with which rights. */
	static const struct {
		__u32 mode;
		__u32 allowed[3];
	} cases[] = {
		{ 0600, { RIGHTS_RWM, 0, 0 } },
		{ 0640, { RIGHTS_RWM, 1, 0 } },
		{ 0664, { RIGHTS_RWM, 3, 1 } },
		{ 0004, { XMAP_RIGHT_MANAGE, 0, 1 } },
		{ 0060, { XMAP_RIGHT_MANAGE, 3, 0 } },
		{ 0606, { RIGHTS_RWM, 0, 3 } },
		{ 0400, { 1 | XMAP_RIGHT_MANAGE, 0, 0 } },
	};
	static const __u32 rights[] = { 1, 2, 3, 1 | XMAP_RIGHT_MANAGE, RIGHTS_RWM };
	struct xmap_cmd_region_create *cmd;
	struct peer who[3];
	char *name;
	size_t i, r;
	long fd;
	int w;

	name = shared_name(NAME);
	cmd = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (w = 0; w < 3; w++)
		ASSERT_EQ(0, peer_spawn(&who[w]));
	/* The second is in the creator's group besides his own. */
	ASSERT_EQ(0, peer_call(&who[0], op_become_in_group, UID_A, 2000, 2000));
	ASSERT_EQ(0, peer_call(&who[1], op_become_in_group, UID_B, 2001, 2000));
	ASSERT_EQ(0, peer_call(&who[2], op_become_in_group, UID_B, 2001, 2001));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		*cmd = (struct xmap_cmd_region_create){
			.flags = XMAP_REGION_PUBLISH,
			.mode = cases[i].mode,
			.gid = -1,
			.length = PAGE,
			.name = NAME,
		};
		fd = peer_call(&who[0], op_region_create_cmd, self->dev, cmd);
		ASSERT_LE(0, fd);
		for (w = 0; w < 3; w++) {
			for (r = 0; r < ARRAY_SIZE(rights); r++) {
				bool may = !(rights[r] & ~cases[i].allowed[w]);
				long err = XMAP_ERRNO(peer_call(&who[w], op_try, self->dev,
								rights[r], name));

				EXPECT_EQ(may ? 0 : EACCES, err)
				{
					TH_LOG("mode %o, who %d, rights %u", cases[i].mode, w,
					       rights[r]);
				}
			}
		}
		/* Root has CAP_IPC_OWNER. */
		EXPECT_EQ(0, op_try((unsigned long[]){ self->dev, RIGHTS_RWM, (uintptr_t)name }));
		ASSERT_EQ(0, peer_close(&who[0], fd));
	}
	/* A group that is not one's own. */
	cmd->gid = 2001;
	EXPECT_ERRNO(EPERM, peer_call(&who[0], op_region_create_cmd, self->dev, cmd));
	cmd->gid = 2000;
	EXPECT_LE(0, peer_call(&who[1], op_region_create_cmd, self->dev, cmd));
	for (w = 0; w < 3; w++)
		peer_end(&who[w]);
}

/* A name is seen in the user namespace that it was made in, and there only. */
TEST_F(region, user_namespace)
{
	char *name = shared_name(NAME);
	struct xmap_cmd_region_create *cmd;
	int fd;

	cmd = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* One that has both of these. */
	peer_end(&self->peer);
	ASSERT_EQ(0, peer_spawn(&self->peer));
	ASSERT_EQ(0, publish(self->dev, NAME, 0, 0666, &fd));
	EXPECT_EQ(0, peer_call(&self->peer, op_try, self->dev, 1, name));
	ASSERT_EQ(0, peer_call(&self->peer, op_userns, 0));
	EXPECT_ERRNO(ENOENT, peer_call(&self->peer, op_try, self->dev, 1, name));
	*cmd = (struct xmap_cmd_region_create){
		.flags = XMAP_REGION_PUBLISH,
		.mode = 0666,
		.gid = -1,
		.length = PAGE,
		.name = NAME,
	};
	EXPECT_LE(0, peer_call(&self->peer, op_region_create_cmd, self->dev, cmd));
	EXPECT_EQ(0, peer_call(&self->peer, op_try, self->dev, 1, name));
	/* What is passed is good everywhere. */
	EXPECT_NE(-1, peer_call(&self->peer, op_region_map, give(fd), 0, LEN, RW));
}

TEST_HARNESS_MAIN
