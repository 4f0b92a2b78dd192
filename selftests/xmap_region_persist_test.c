// SPDX-License-Identifier: GPL-2.0-only
/*
 * Persistent regions without a handle: who sees that they are there, what they count, and
 * who can end one that nobody can open any more.
 */
#include "xmap_region_utils.h"

#define UID_C 4711
#define NAME "xmap-test.persist"
#define OTHER_NAME "xmap-test.persist-2"

FIXTURE_SETUP(region)
{
	ASSERT_EQ(0, region_begin(self, 0));
}

FIXTURE_TEARDOWN(region)
{
	region_end(self);
}

/* /dev/xmap, name and flags in shared memory: a handle, or -1. */
struct published {
	__u32 flags;
	char name[XMAP_NAME_SIZE];
};

static long op_publish(const unsigned long *a)
{
	const struct published *p = (void *)a[1];
	struct xmap_cmd_region_create cmd = {
		.flags = XMAP_REGION_PUBLISH | p->flags,
		.mode = 0600,
		.gid = -1,
		.length = LEN,
	};

	memcpy(cmd.name, p->name, sizeof(cmd.name));
	return _test_region_create_cmd(a[0], &cmd) ? -1 : cmd.out_fd;
}

static struct published *published_new(const char *name)
{
	struct published *p = xmap_shared(PAGE);

	p->flags = XMAP_REGION_PERSISTENT;
	memcpy(p->name, name, strlen(name));
	return p;
}

static long publish(int dev, const char *name)
{
	struct published *p = published_new(name);
	long fd = op_publish((unsigned long[]){ dev, (uintptr_t)p });

	munmap(p, PAGE);
	return fd;
}

static int try_open(int dev, const char *name)
{
	int fd;

	if (_test_region_open(dev, XMAP_RIGHT_READ, name, &fd))
		return errno;
	close(fd);
	return 0;
}

/* /dev/xmap: bytes that are charged to the peer's user. */
static long op_bytes(const unsigned long *a)
{
	struct xmap_cmd_query q;

	return _test_query(a[0], &q) ? -1 : (long)q.out_region_bytes;
}

/* ---- What is said of one ---- */

TEST_F(region, listed)
{
	struct xmap_list_entry handle, e = {};
	int again;
	long fd;

	EXPECT_FALSE(xmap_list_last(self->dev, XMAP_LIST_NAME, 0, &e));
	fd = publish(self->dev, NAME);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_REGION, getpid(), &handle));
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_NAME, getpid(), &e));
	EXPECT_LT(handle.serial, e.serial);
	EXPECT_EQ(handle.serial, e.parent);
	EXPECT_EQ(geteuid(), e.holder_uid);
	EXPECT_EQ(XMAP_TARGET_ALIVE, e.state);
	EXPECT_EQ(LEN, e.length);
	EXPECT_LE(handle.since, e.since);
	EXPECT_EQ(0, e.rights);
	EXPECT_EQ(0, e.target_pid);
	EXPECT_EQ(0, e.addr);
	EXPECT_EQ(0, e.local);
	EXPECT_EQ(0, e.count);
	test_region_resize(fd, 2 * LEN);
	close(fd);
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_REGION, getpid(), &handle));
	EXPECT_NE(handle.serial, e.parent);
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_NAME, getpid(), &e));
	EXPECT_EQ(2 * LEN, e.length);
	EXPECT_EQ(XMAP_TARGET_ALIVE, e.state);
	/* Who opens it has a handle of the same family. */
	test_region_open(self->dev, RIGHTS_RWM, NAME, &again);
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_REGION, getpid(), &handle));
	EXPECT_EQ(e.parent, handle.parent);
	test_region_unlink(again);
	EXPECT_FALSE(xmap_list_last(self->dev, XMAP_LIST_NAME, 0, &e));
	EXPECT_ERRNO(ENOENT, _test_revoke_serial(self->dev, e.serial, 0, 0));
	EXPECT_EQ(0, region_poll(again));
}

/* A name that keeps nothing is in no list. */
TEST_F(region, not_persistent)
{
	struct published *p = published_new(NAME);
	struct xmap_list_entry e = {};

	p->flags = 0;
	ASSERT_LE(0, op_publish((unsigned long[]){ self->dev, (uintptr_t)p }));
	EXPECT_FALSE(xmap_list_last(self->dev, XMAP_LIST_NAME, 0, &e));
	munmap(p, PAGE);
}

/* What fdinfo calls the name is one by which it can be opened. */
TEST_F(region, fdinfo)
{
	int other, fd = publish(self->dev, NAME);

	ASSERT_LE(0, fd);
	test_region_open(self->dev, XMAP_RIGHT_READ, NAME, &other);
	EXPECT_STREQ("", xmap_fdinfo(self->fd, "xmap-name"));
	EXPECT_STREQ(NAME, xmap_fdinfo(fd, "xmap-name"));
	EXPECT_STREQ(NAME, xmap_fdinfo(other, "xmap-name"));
	test_region_unlink(fd);
	EXPECT_STREQ("", xmap_fdinfo(fd, "xmap-name"));
	EXPECT_STREQ("", xmap_fdinfo(other, "xmap-name"));
}

/* As many as regions, with or without handles. */
TEST_F(region, limit)
{
	long max = xmap_read_long(MAX_REGIONS);
	struct xmap_cmd_query before, q;
	struct xmap_list_entry e = {};
	long fd;
	int i;

	test_query(self->dev, &before);
	/* The fixture's, and two. */
	ASSERT_EQ(0, xmap_write_long(MAX_REGIONS, 3));
	fd = publish(self->dev, NAME);
	ASSERT_LE(0, fd);
	close(fd);
	fd = publish(self->dev, OTHER_NAME);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_ERRNO(EDQUOT, publish(self->dev, "xmap-test.persist-3"));
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_NAME, getpid(), &e));
	test_revoke_serial(self->dev, e.serial, 0, 0);
	fd = publish(self->dev, OTHER_NAME);
	ASSERT_LE(0, fd);
	test_query(self->dev, &q);
	EXPECT_EQ(before.out_regions + 1, q.out_regions);
	EXPECT_EQ(before.out_region_bytes + 2 * LEN, q.out_region_bytes);
	ASSERT_EQ(0, xmap_write_long(MAX_REGIONS, max));
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_NAME, getpid(), &e));
		test_revoke_serial(self->dev, e.serial, 0, 0);
	}
	EXPECT_FALSE(xmap_list_last(self->dev, XMAP_LIST_NAME, getpid(), &e));
	close(fd);
	test_query(self->dev, &q);
	EXPECT_EQ(before.out_regions, q.out_regions);
	EXPECT_EQ(before.out_region_bytes, q.out_region_bytes);
}

/* ---- Who ends it ---- */

/* Whoever has lost a piece of it can unlink it, and not who has lost it all. */
TEST_F(region, unlink_after_revoking)
{
	int fd = publish(self->dev, NAME);
	int opened, part;

	ASSERT_LE(0, fd);
	test_revoke(fd, 0, PAGE);
	test_err_region_seal(ESTALE, fd, XMAP_REGION_SEAL_SHRINK);
	EXPECT_EQ(0, try_open(self->dev, NAME));
	test_region_unlink(fd);
	test_err_region_unlink(ENOENT, fd);
	EXPECT_EQ(ENOENT, try_open(self->dev, NAME));
	close(fd);

	fd = publish(self->dev, NAME);
	ASSERT_LE(0, fd);
	test_region_open(self->dev, RIGHTS_RWM, NAME, &opened);
	test_revoke(fd, 0, PAGE);
	test_revoke(opened, PAGE, LEN - 2 * PAGE);
	test_region_derive(opened, RIGHTS_RWM, LEN - PAGE, PAGE, &part);
	test_err_region_unlink(EACCES, part);
	test_revoke(opened, LEN - PAGE, PAGE);
	test_err_region_unlink(ESTALE, opened);
	EXPECT_EQ(0, try_open(self->dev, NAME));
	/* The one who has it still can, although the other cannot. */
	test_region_unlink(fd);
	EXPECT_EQ(ENOENT, try_open(self->dev, NAME));
}

/* By the number of the name: what the first handle would take back, and a part of that. */
TEST_F(region, revoke_by_name)
{
	struct xmap_list_entry e = {};
	int opened;
	char *map;
	long fd;

	fd = publish(self->dev, NAME);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_NAME, getpid(), &e));
	close(fd);
	test_region_open(self->dev, XMAP_RIGHTS_RW, NAME, &opened);
	test_region_map(opened, 0, LEN, RW, &map);
	peer_fill_here(map, LEN, 1);
	test_revoke_serial(self->dev, e.serial, PAGE, PAGE);
	EXPECT_SIGNAL(SIGBUS, map + PAGE);
	EXPECT_LOAD(peer_word(1, 2 * PAGE), map + 2 * PAGE);
	EXPECT_EQ(0, try_open(self->dev, NAME));
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_NAME, getpid(), &e));
	EXPECT_EQ(XMAP_TARGET_ALIVE, e.state);
	test_revoke_serial(self->dev, e.serial, 0, 0);
	EXPECT_SIGNAL(SIGBUS, map + 2 * PAGE);
	EXPECT_EQ(POLLHUP, region_poll(opened) & POLLHUP);
	/* A name that leads nowhere is none. */
	EXPECT_EQ(ENOENT, try_open(self->dev, NAME));
	EXPECT_FALSE(xmap_list_last(self->dev, XMAP_LIST_NAME, 0, &e));
	EXPECT_ERRNO(ENOENT, _test_revoke_serial(self->dev, e.serial, 0, 0));
}

/* A region that @p has published and has no handle of any more: the number of its name. */
static __u64 left_by(REGION *self, struct peer *p, const struct published *published)
{
	long fd = peer_call(p, op_publish, self->dev, published);

	if (fd < 0 || peer_close(p, fd))
		return 0;
	return xmap_serial(self->dev, XMAP_LIST_NAME, p->pid);
}

/* Does @p see it, and may he take it back?  Only a byte that nobody looks at. */
#define EXPECT_REVOKING(expected, p, serial)					\
	EXPECT_EQ(expected, XMAP_ERRNO(peer_call(p, op_revoke, self->dev, serial, LEN - 1, 1)))

TEST_F(region, who_may)
{
	struct peer maker, same, foreign, looker, admin, blind;
	struct published *p = published_new(NAME);
	__u64 serial;

	ASSERT_EQ(0, peer_spawn_as(&maker, UID_A, UID_A, 0));
	ASSERT_EQ(0, peer_spawn_as(&same, UID_A, UID_A, 0));
	ASSERT_EQ(0, peer_spawn_as(&foreign, UID_B, UID_B, 0));
	ASSERT_EQ(0, peer_spawn_as(&looker, UID_C, UID_C, CAP_BIT(CAP_SYS_PTRACE)));
	ASSERT_EQ(0, peer_spawn_as(&admin, UID_C, UID_C,
				   CAP_BIT(CAP_SYS_PTRACE) | CAP_BIT(CAP_SYS_ADMIN)));
	ASSERT_EQ(0, peer_spawn_as(&blind, UID_C, UID_C, CAP_BIT(CAP_SYS_ADMIN)));
	serial = left_by(self, &maker, p);
	ASSERT_NE(0, serial);
	EXPECT_REVOKING(0, &maker, serial);
	EXPECT_REVOKING(EPERM, &same, serial);
	EXPECT_REVOKING(ENOENT, &foreign, serial);
	EXPECT_REVOKING(EPERM, &looker, serial);
	EXPECT_REVOKING(0, &admin, serial);
	/* One who cannot look does not know what to revoke. */
	EXPECT_REVOKING(ENOENT, &blind, serial);
	/* And to be root of some namespace is nothing. */
	ASSERT_EQ(0, peer_call(&foreign, op_userns, 0));
	EXPECT_REVOKING(ENOENT, &foreign, serial);

	EXPECT_EQ(LEN, peer_call(&same, op_bytes, self->dev));
	peer_end(&maker);
	EXPECT_REVOKING(EPERM, &same, serial);
	test_revoke_serial(self->dev, serial, 0, 0);
	EXPECT_EQ(0, peer_call(&same, op_bytes, self->dev));
	EXPECT_REVOKING(ENOENT, &same, serial);
	peer_end(&same);
	peer_end(&foreign);
	peer_end(&looker);
	peer_end(&admin);
	peer_end(&blind);
	munmap(p, PAGE);
}

/* Left behind in a user namespace that has ended: nobody can open it, nor unlink it. */
TEST_F(region, namespace_is_no_more)
{
	struct peer maker, outside, stranger;
	struct published *p = published_new(NAME);
	struct xmap_list_entry e = {};
	__u64 serial;
	long fd;

	ASSERT_EQ(0, peer_spawn_as(&maker, UID_A, UID_A, 0));
	ASSERT_EQ(0, peer_call(&maker, op_userns, 0));
	ASSERT_EQ(0, peer_spawn_as(&outside, UID_A, UID_A, 0));
	ASSERT_EQ(0, peer_spawn_as(&stranger, UID_B, UID_B, 0));
	ASSERT_EQ(0, peer_call(&stranger, op_userns, 0));
	serial = left_by(self, &maker, p);
	ASSERT_NE(0, serial);
	/* His own processes in that namespace are gone; and he is here. */
	peer_end(&maker);
	EXPECT_EQ(ENOENT, try_open(self->dev, NAME));
	EXPECT_REVOKING(ENOENT, &stranger, serial);
	/* Who has made a namespace is its administrator. */
	EXPECT_REVOKING(0, &outside, serial);
	EXPECT_EQ(LEN, peer_call(&outside, op_bytes, self->dev));
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_NAME, 0, &e));
	EXPECT_EQ(serial, e.serial);
	EXPECT_EQ(0, e.holder_pid);
	EXPECT_EQ(UID_A, e.holder_uid);
	EXPECT_EQ(LEN, e.length);
	test_revoke_serial(self->dev, serial, 0, 0);
	EXPECT_FALSE(xmap_list_last(self->dev, XMAP_LIST_NAME, 0, &e));
	EXPECT_EQ(0, peer_call(&outside, op_bytes, self->dev));
	/* The name is free, where it is the same name. */
	fd = peer_call(&outside, op_publish, self->dev, p);
	EXPECT_LE(0, fd);
	serial = xmap_serial(self->dev, XMAP_LIST_NAME, outside.pid);
	peer_end(&outside);
	test_revoke_serial(self->dev, serial, 0, 0);
	peer_end(&stranger);
	munmap(p, PAGE);
}

TEST_HARNESS_MAIN
