// SPDX-License-Identifier: GPL-2.0-only
/*
 * What somebody has lost he does not keep from others: not the memory of a region of which
 * all has been revoked, nor its name, nor what was committed for it; not the ownership of
 * one of which he has nothing left.
 */
#include "xmap_region_utils.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"
#define NAME "xmap-test.lost"
#define MUCH (8UL << 20)
#define COMMITTED (256UL << 20)
/* What a memory cgroup keeps in stock on each processor, and what else a process needs. */
#define SLACK (1L << 20)
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

static int publish(int dev, __u32 flags, __u64 length, int *fd)
{
	struct xmap_cmd_region_create cmd = {
		.flags = XMAP_REGION_PUBLISH | flags,
		.mode = 0600,
		.gid = -1,
		.length = length,
		.name = NAME,
	};
	int ret = _test_region_create_cmd(dev, &cmd);

	*fd = cmd.out_fd;
	return ret;
}

/* ---- Nobody has anything of it any more ---- */

/* Everything that can be done with a handle of all of it says that it is revoked. */
static void expect_stale(struct __test_metadata *_metadata, int fd)
{
	struct xmap_cmd_region_info info;
	char byte = 0;

	EXPECT_EQ(POLLHUP, region_poll(fd) & ~POLLIN);
	test_region_info(fd, &info);
	EXPECT_EQ(XMAP_TARGET_REVOKED, info.out_state);
	EXPECT_EQ(0, info.out_length);
	EXPECT_EQ(0, info.out_region_length);
	EXPECT_STREQ("revoked", xmap_fdinfo(fd, "xmap-state"));
	EXPECT_ERRNO(ESTALE, pread(fd, &byte, 1, 0));
	EXPECT_ERRNO(ESTALE, pread(fd, &byte, 1, LEN));
	EXPECT_ERRNO(ESTALE, pwrite(fd, &byte, 1, 0));
	EXPECT_ERRNO(ESTALE, pwrite(fd, &byte, 1, LEN - 1));
	test_err_region_map(ESTALE, fd, 0, PAGE, RW);
	test_err_region_map(ESTALE, fd, PAGE, LEN, PROT_READ);
	test_err_region_derive(ESTALE, fd, XMAP_RIGHT_READ, 0, 0);
	test_err_region_derive(ESTALE, fd, XMAP_RIGHT_READ, 0, PAGE);
	test_err_region_derive(ESTALE, fd, XMAP_RIGHTS_RW, LEN, PAGE);
	test_err_region_notify(ESTALE, fd);
	test_err_region_seal(ESTALE, fd, XMAP_REGION_SEAL_GROW);
	test_err_region_resize(ESTALE, fd, LEN);
	test_err_region_rebind(ESTALE, fd);
	test_err_region_unlink(ESTALE, fd);
}

/* While somebody still has a handle, and a mapping, it ends for all and as a whole. */
static void revoked_at_the_top(struct __test_metadata *_metadata, REGION *self, __u32 flags,
			       bool pieces)
{
	struct xmap_cmd_query before, q;
	int fd, whole, part, again;
	long theirs, fd2;
	void *map;

	test_query(self->dev, &before);
	ASSERT_EQ(0, publish(self->dev, flags, LEN, &fd));
	test_query(self->dev, &q);
	EXPECT_EQ(before.out_region_bytes + LEN, q.out_region_bytes);
	test_region_derive(fd, RIGHTS_RWM, 0, 0, &whole);
	test_region_derive(fd, XMAP_RIGHTS_RW, PAGE, PAGE, &part);
	fd2 = give(part);
	theirs = peer_call(&self->peer, op_region_map, fd2, PAGE, PAGE, RW);
	ASSERT_NE(-1, theirs);
	EXPECT_EQ(0, peer_touch(&self->peer, theirs));
	test_region_map(fd, 0, LEN, RW, &map);
	peer_fill_here(map, LEN, 1);

	if (pieces) {
		test_revoke(fd, LEN / 2, LEN / 2);
		test_region_open(self->dev, XMAP_RIGHT_READ, NAME, &again);
		close(again);
		test_query(self->dev, &q);
		EXPECT_EQ(before.out_region_bytes + LEN, q.out_region_bytes);
		EXPECT_EQ(0, peer_check_here(map, LEN / 2, 1));
	}
	test_revoke(fd, 0, pieces ? LEN / 2 : 0);
	test_query(self->dev, &q);
	EXPECT_EQ(before.out_region_bytes, q.out_region_bytes);
	test_err_region_open(ENOENT, self->dev, XMAP_RIGHT_READ, NAME);
	expect_stale(_metadata, fd);
	expect_stale(_metadata, whole);
	EXPECT_EQ(POLLHUP, region_poll(part) & ~POLLIN);
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_read, fd2, PAGE));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_region_map, fd2, PAGE, PAGE, RW));
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, theirs));
	EXPECT_SIGNAL(SIGBUS, map);
	EXPECT_SIGNAL(SIGBUS, (char *)map + LEN - 8);
	/* The name is free. */
	ASSERT_EQ(0, publish(self->dev, 0, PAGE, &again));
	close(again);
	/* To do it again changes nothing; nor does the end of what is left. */
	ASSERT_EQ(0, _test_revoke(fd, 0, 0));
	ASSERT_EQ(0, munmap(map, LEN));
	close(whole);
	close(part);
	close(fd);
	ASSERT_EQ(0, peer_munmap(&self->peer, theirs, PAGE));
	ASSERT_EQ(0, peer_close(&self->peer, fd2));
	test_query(self->dev, &q);
	EXPECT_EQ(before.out_region_bytes, q.out_region_bytes);
	EXPECT_EQ(before.out_regions, q.out_regions);
}

TEST_F(region, revoked_at_the_top)
{
	revoked_at_the_top(_metadata, self, 0, false);
	revoked_at_the_top(_metadata, self, XMAP_REGION_PERSISTENT, false);
}

TEST_F(region, revoked_at_the_top_in_pieces)
{
	revoked_at_the_top(_metadata, self, 0, true);
	revoked_at_the_top(_metadata, self, XMAP_REGION_PERSISTENT, true);
}

TEST_F(region, revoked_at_the_top_huge)
{
	if (access(THP "shmem_enabled", F_OK))
		SKIP(return, "no transparent huge pages here");
	revoked_at_the_top(_metadata, self, XMAP_REGION_HUGE, false);
	revoked_at_the_top(_metadata, self, XMAP_REGION_HUGE | XMAP_REGION_PERSISTENT, true);
}

/* With a single owner nobody owns it, nor can. */
TEST_F(region, revoked_at_the_top_with_an_owner)
{
	struct xmap_cmd_region_info info;
	long fd = give(self->fd);

	test_region_give(self->fd);
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	test_revoke(self->fd, 0, 0);
	test_region_info(self->fd, &info);
	EXPECT_EQ(NONE, info.out_owner);
	EXPECT_EQ(0, info.out_region_length);
	test_err_region_take(ESTALE, self->fd);
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	EXPECT_ERRNO(EPERM, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_GIVE));
}

/* Who had paid for its pages has paid for the last time. */
TEST_F(region, pages_go_at_once)
{
	long fd, theirs, before, with;
	int ours;

	ASSERT_EQ(0, region_cgroup_new());
	ASSERT_EQ(0, peer_call(&self->peer, op_cgroup_join, 0));
	test_region_create(self->dev, 0, MUCH, &ours);
	fd = give(ours);
	theirs = peer_call(&self->peer, op_region_map, fd, 0, MUCH, RW);
	ASSERT_NE(-1, theirs);
	before = xmap_read_long(GROUP "/memory.current");
	ASSERT_EQ(0, peer_fill(&self->peer, theirs, MUCH, 1));
	with = xmap_read_long(GROUP "/memory.current");
	EXPECT_LE((long)MUCH, with - before + SLACK);
	/* The peer's descriptor and his mapping stay. */
	test_revoke(ours, 0, 0);
	EXPECT_GE(SLACK, xmap_read_long(GROUP "/memory.current") - before);
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, theirs));
	close(ours);
	peer_end(&self->peer);
	EXPECT_EQ(0, rmdir(GROUP));
}

/* A number of /proc/meminfo, in bytes. */
static long number_of(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	long kb = -1;

	if (!file)
		return -1;
	while (kb < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			kb = strtol(strchr(line, ':') + 1, NULL, 10);
	fclose(file);
	return kb < 0 ? -1 : kb << 10;
}

TEST_F(region, commitment_goes_at_once)
{
	long before, with;
	int fd, part;

	if (access(THP "shmem_enabled", F_OK))
		SKIP(return, "no transparent huge pages here");
	before = number_of("Committed_AS");
	test_region_create(self->dev, XMAP_REGION_HUGE, COMMITTED, &fd);
	test_region_derive(fd, XMAP_RIGHT_READ, 0, 0, &part);
	with = number_of("Committed_AS");
	EXPECT_LT((long)COMMITTED / 2, with - before);
	test_revoke(fd, 0, 0);
	EXPECT_LT((long)COMMITTED / 2, with - number_of("Committed_AS"));
	close(fd);
	close(part);
	EXPECT_LT((long)COMMITTED / 2, with - number_of("Committed_AS"));
}

/* ---- Its name ---- */

/* Who may remove it can do so although a piece of it has been revoked. */
TEST_F(region, unlink_after_a_piece)
{
	struct xmap_cmd_query before, q;
	int fd, more, part;

	test_query(self->dev, &before);
	ASSERT_EQ(0, publish(self->dev, XMAP_REGION_PERSISTENT, LEN, &fd));
	test_revoke(fd, 0, PAGE);
	test_err_region_resize(ESTALE, fd, LEN);
	/* It must be all of it, and by MANAGE, as ever. */
	test_region_derive(fd, XMAP_RIGHTS_RW, 0, 0, &more);
	test_err_region_unlink(EACCES, more);
	close(more);
	test_region_derive(fd, RIGHTS_RWM, PAGE, LEN - PAGE, &part);
	test_err_region_unlink(EACCES, part);
	close(part);
	EXPECT_EQ(0, _test_region_unlink(fd));
	EXPECT_ERRNO(ENOENT, _test_region_unlink(fd));
	test_err_region_open(ENOENT, self->dev, XMAP_RIGHT_READ, NAME);
	close(fd);
	test_query(self->dev, &q);
	EXPECT_EQ(before.out_region_bytes, q.out_region_bytes);

	/* Also by a handle that was opened, and when the first one is closed. */
	ASSERT_EQ(0, publish(self->dev, XMAP_REGION_PERSISTENT, LEN, &fd));
	test_revoke(fd, LEN - PAGE, PAGE);
	close(fd);
	test_region_open(self->dev, RIGHTS_RWM, NAME, &fd);
	EXPECT_EQ(0, _test_region_unlink(fd));
	close(fd);
	test_query(self->dev, &q);
	EXPECT_EQ(before.out_region_bytes, q.out_region_bytes);

	/* But not by one of which nothing is left, while others have the region. */
	ASSERT_EQ(0, publish(self->dev, 0, LEN, &fd));
	test_region_derive(fd, RIGHTS_RWM, 0, 0, &more);
	test_revoke(more, 0, 0);
	test_err_region_unlink(ESTALE, more);
	test_region_unlink(fd);
	close(more);
	close(fd);
}

/* ---- Its owner ---- */

#define EXPECT_OWNER(expected, fd)						\
	EXPECT_EQ(expected, op_region_owner((unsigned long[]){ fd }))

/* Two handles, one below the other; by the second one the peer owns the region, and has it. */
struct owned {
	int above;
	int part;
	long fd;
	long map;
};

static int owned_new(REGION *self, struct owned *o)
{
	if (_test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &o->above) ||
	    _test_region_derive(o->above, XMAP_RIGHTS_RW, 0, 0, &o->part) ||
	    _test_region_give(self->fd))
		return -1;
	o->fd = give(o->part);
	if (peer_call(&self->peer, op_region_simple, o->fd, XMAP_REGION_TAKE))
		return -1;
	o->map = peer_call(&self->peer, op_region_map, o->fd, 0, LEN, RW);
	return o->map == -1 ? -1 : (int)peer_fill(&self->peer, o->map, LEN, 1);
}

/* He has nothing of it, and others can have it. */
#define expect_disowned(o)							\
	({									\
		struct owned *__o = (o);					\
		void *__map;							\
		EXPECT_OWNER(NONE, self->fd);					\
		EXPECT_EQ(SIGBUS, peer_touch(&self->peer, __o->map));		\
		EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_region_simple,	\
					       __o->fd, XMAP_REGION_TAKE));	\
		EXPECT_EQ(0, _test_region_take(self->fd));			\
		EXPECT_OWNER(SELF, self->fd);					\
		test_region_map(self->fd, 0, LEN, RW, &__map);			\
		EXPECT_EQ(0, touch(__map) ?: peer_check_here(__map, LEN, 1));	\
		ASSERT_EQ(0, munmap(__map, LEN));				\
		ASSERT_EQ(0, peer_munmap(&self->peer, __o->map, LEN));		\
		ASSERT_EQ(0, peer_close(&self->peer, __o->fd));			\
		close(__o->part);						\
		close(__o->above);						\
	})

TEST_F(region, owner_of_nothing)
{
	struct owned o;

	/* As long as it is now. */
	ASSERT_EQ(0, owned_new(self, &o));
	test_revoke(o.part, 0, LEN);
	expect_disowned(&o);

	/* In pieces; all but one byte is not all. */
	ASSERT_EQ(0, owned_new(self, &o));
	test_revoke(o.part, LEN / 2, LEN / 2);
	EXPECT_OWNER(OTHER, self->fd);
	test_revoke(o.part, 0, LEN / 2 - 1);
	EXPECT_OWNER(OTHER, self->fd);
	test_err_region_take(EBUSY, self->fd);
	test_revoke(o.part, LEN / 2 - 1, 1);
	expect_disowned(&o);
}

TEST_F(region, owner_of_nothing_from_above)
{
	struct owned o;
	__u64 serial;

	ASSERT_EQ(0, owned_new(self, &o));
	test_revoke(o.above, 0, LEN);
	expect_disowned(&o);

	/* A half here and a half there, in either order. */
	ASSERT_EQ(0, owned_new(self, &o));
	test_revoke(o.part, 0, LEN / 2);
	EXPECT_OWNER(OTHER, self->fd);
	test_revoke(o.above, LEN / 2, LEN / 2);
	expect_disowned(&o);
	ASSERT_EQ(0, owned_new(self, &o));
	test_revoke(o.above, 0, LEN / 2);
	EXPECT_OWNER(OTHER, self->fd);
	serial = xmap_serial(self->dev, XMAP_LIST_REGION, getpid());
	test_revoke_serial(self->dev, serial, LEN / 2, USER_END - LEN / 2);
	expect_disowned(&o);
}

/* Handle, length. */
static long op_resize(const unsigned long *a)
{
	return _test_region_resize(a[0], a[1]);
}

/* It becomes so short that he has nothing of what is left. */
TEST_F(region, owner_of_what_is_cut_off)
{
	struct owned o;
	long more;
	int rwm;

	test_region_derive(self->fd, RIGHTS_RWM, 0, 0, &rwm);
	more = give(rwm);
	ASSERT_EQ(0, owned_new(self, &o));
	test_revoke(o.part, 0, PAGE);
	EXPECT_OWNER(OTHER, self->fd);
	ASSERT_EQ(0, peer_call(&self->peer, op_resize, more, PAGE));
	EXPECT_OWNER(NONE, self->fd);
	EXPECT_EQ(0, _test_region_take(self->fd));
	close(rwm);
}

TEST_HARNESS_MAIN
