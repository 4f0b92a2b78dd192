// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may do what with a region: every command by every kind of handle, before and after
 * something of it has been revoked, for its maker, for another user, for one in a user
 * namespace of his own, and when its maker is no more.  And who may take it back.
 */
#include <sys/eventfd.h>

#include "xmap_region_utils.h"

#define UID_C 4711
#define NAME "xmap-test.who"

/* ---- Every command, by every handle ---- */

enum command {
	C_INFO, C_DERIVE, C_NOTIFY, C_SEAL, C_RESIZE, C_REBIND, C_UNLINK, C_GIVE, C_TAKE,
	C_EVENTFD, C_LOAD, C_STORE, C_MAP, C_MAP_RW, COMMANDS,
};

static const char *const command_name[COMMANDS] = {
	"INFO", "DERIVE", "NOTIFY", "SEAL", "RESIZE", "REBIND", "UNLINK", "GIVE", "TAKE",
	"EVENTFD", "pread", "pwrite", "mmap", "mmap to write",
};

/* Whose handle it is that is used; whether something of it has been revoked. */
enum state { GOOD, PIECE_REVOKED, REVOKED, STATES };

static const char *const state_name[STATES] = { "good", "a byte revoked", "revoked" };

/* Rights, and all of it or the first page. */
static const struct {
	__u32 rights;
	size_t length;
} kinds[] = {
	{ RIGHTS_RWM, 0 },
	{ XMAP_RIGHT_READ | XMAP_RIGHT_MANAGE, 0 },
	{ XMAP_RIGHT_WRITE | XMAP_RIGHT_MANAGE, 0 },
	{ XMAP_RIGHTS_RW, 0 },
	{ XMAP_RIGHT_READ, 0 },
	{ XMAP_RIGHT_WRITE, 0 },
	{ RIGHTS_RWM, PAGE },
};

static int command_map(int fd, int prot)
{
	void *map = _test_region_map(fd, 0, PAGE, prot);

	return map == MAP_FAILED ? -1 : munmap(map, PAGE);
}

static int command_eventfd(int fd)
{
	struct xmap_cmd_eventfd cmd = { .size = sizeof(cmd), .fd = eventfd(0, EFD_CLOEXEC) };
	int bell = cmd.fd, ret;

	if (bell < 0)
		return -1;
	ret = ioctl(fd, XMAP_EVENTFD, &cmd);
	cmd.fd = -1;
	ret = ret ?: ioctl(fd, XMAP_EVENTFD, &cmd);
	close(bell);
	return ret;
}

/* Handle, command, its rights; 0 or -1.  Nothing of what it does changes anything. */
static long op_command(const unsigned long *a)
{
	struct xmap_cmd_region_info info;
	int fd = a[0], more;
	__u64 generation;
	char byte = 0;
	__u32 seals;

	switch ((enum command)a[1]) {
	case C_INFO:
		return _test_region_info(fd, &info);
	case C_DERIVE:
		return _test_region_derive(fd, a[2], 0, 0, &more) ? -1 : close(more);
	case C_NOTIFY:
		return _test_region_notify(fd);
	case C_SEAL:
		return _test_region_seal(fd, XMAP_REGION_SEAL_SHRINK, &seals);
	case C_RESIZE:
		return _test_region_resize(fd, LEN);
	case C_REBIND:
		return _test_region_rebind(fd, &generation);
	case C_UNLINK:
		return _test_region_unlink(fd);
	case C_GIVE:
		return _test_region_give(fd);
	case C_TAKE:
		return _test_region_take(fd);
	case C_EVENTFD:
		return command_eventfd(fd);
	case C_LOAD:
		return pread(fd, &byte, 1, 0) == 1 ? 0 : -1;
	case C_STORE:
		return pwrite(fd, &byte, 1, 0) == 1 ? 0 : -1;
	case C_MAP:
		return command_map(fd, PROT_READ);
	default:
		return command_map(fd, RW);
	}
}

/* What @command is to say; the byte that may have been revoked is the first one. */
static int expected_of(enum command command, __u32 rights, bool whole, enum state state,
		       bool single, bool owner)
{
	bool manages = rights & XMAP_RIGHT_MANAGE && whole;
	int stale = state == GOOD ? 0 : ESTALE;
	int foreign = single && !owner ? EPERM : 0;

	switch (command) {
	case C_INFO:
	case C_EVENTFD:
		/* Whoever has a handle may ask what has become of it, and be told when to. */
		return 0;
	case C_DERIVE:
		return state == REVOKED ? ESTALE : 0;
	case C_NOTIFY:
		return rights & XMAP_RIGHT_WRITE ? (state == REVOKED ? ESTALE : 0) : EACCES;
	case C_SEAL:
	case C_RESIZE:
		return manages ? stale ?: foreign : EACCES;
	case C_REBIND:
		return manages && rights & XMAP_RIGHT_WRITE ? stale ?: foreign : EACCES;
	case C_UNLINK:
		/* Also by who has lost a piece of it. */
		return manages ? (state == REVOKED ? ESTALE : ENOENT) : EACCES;
	case C_GIVE:
		/* An owner gives by any handle; and is asked no more when he gave. */
		return single ? foreign : EINVAL;
	case C_TAKE:
		return !single ? EINVAL : whole ? stale ?: EBUSY : EACCES;
	case C_LOAD:
		return rights & XMAP_RIGHT_READ ? stale ?: foreign : EBADF;
	case C_STORE:
		return rights & XMAP_RIGHT_WRITE ? stale ?: foreign : EBADF;
	case C_MAP:
		return rights & XMAP_RIGHT_READ ? stale : EACCES;
	default:
		return (rights & XMAP_RIGHTS_RW) == XMAP_RIGHTS_RW ? stale : EACCES;
	}
}

FIXTURE(who)
{
	int dev;
	int sv[2];
	__u32 flags;
	/* Commands, where all processes find them. */
	struct xmap_cmd_region_create *cmd;
	/* The one who makes regions, and the test's descriptor of the first handle. */
	struct peer maker;
	long theirs;
	int fd;
};

#define WHO FIXTURE_DATA(who)

FIXTURE_VARIANT(who)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(who, shared)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(who, single)
{
	.flags = XMAP_REGION_SINGLE_OWNER,
};

FIXTURE_SETUP(who)
{
	touch_init();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, self->sv));
	self->flags = variant->flags;
	self->cmd = xmap_shared(PAGE);
	ASSERT_EQ(0, peer_spawn_as(&self->maker, UID_A, UID_A, 0));
	self->theirs = peer_call(&self->maker, op_region_create, self->dev, self->flags, LEN);
	self->fd = peer_take_fd(&self->maker, self->theirs);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(who)
{
	peer_end(&self->maker);
	close(self->fd);
	close(self->sv[0]);
	close(self->sv[1]);
	close(self->dev);
}

/* All commands, by all handles in all states, in @p. */
static void try_all(struct __test_metadata *_metadata, WHO *self, struct peer *p, const char *who)
{
	bool single = self->flags, owner = p->pid == self->maker.pid;
	enum command command;
	enum state state;
	int expected, fd;
	long theirs;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds) * STATES; i++) {
		__u32 rights = kinds[i / STATES].rights;
		size_t length = kinds[i / STATES].length;

		state = i % STATES;
		test_region_derive(self->fd, rights, 0, length, &fd);
		if (state != GOOD)
			test_revoke(fd, 0, state == REVOKED ? 0 : 1);
		theirs = peer_give_fd(p, self->sv, fd);
		ASSERT_LE(0, theirs);
		for (command = 0; command < COMMANDS; command++) {
			if (command == C_GIVE && single && owner)
				continue;
			expected = expected_of(command, rights, !length, state, single, owner);
			EXPECT_EQ(expected, XMAP_ERRNO(peer_call(p, op_command, theirs, command,
								 rights))) {
				TH_LOG("%s: %s, rights %x, %s, %s", who, command_name[command],
				       rights, length ? "a page" : "all", state_name[state]);
			}
		}
		ASSERT_EQ(0, peer_close(p, theirs));
		close(fd);
	}
}

TEST_F(who, every_command)
{
	struct peer p;

	try_all(_metadata, self, &self->maker, "maker");
	ASSERT_EQ(0, peer_spawn_as(&p, UID_A, UID_A, 0));
	try_all(_metadata, self, &p, "another process of his user");
	peer_end(&p);
	ASSERT_EQ(0, peer_spawn_as(&p, UID_B, UID_B, 0));
	try_all(_metadata, self, &p, "another user");
	ASSERT_EQ(0, peer_call(&p, op_userns, 0));
	try_all(_metadata, self, &p, "another user, in a namespace of his own");
	peer_end(&p);
}

/* What a handle is good for does not depend on whether he lives who made the region. */
TEST_F(who, maker_is_no_more)
{
	struct peer p;
	long fd;

	if (variant->flags) {
		/* It is there to be taken; by whom it was made is no matter. */
		ASSERT_EQ(0, peer_spawn_as(&p, UID_B, UID_B, 0));
		fd = peer_give_fd(&p, self->sv, self->fd);
		EXPECT_ERRNO(EBUSY, peer_call(&p, op_command, fd, C_TAKE));
		peer_end(&self->maker);
		EXPECT_ERRNO(EPERM, peer_call(&p, op_command, fd, C_LOAD));
		EXPECT_ERRNO(EPERM, peer_call(&p, op_command, fd, C_SEAL));
		EXPECT_EQ(0, peer_call(&p, op_command, fd, C_TAKE));
		EXPECT_EQ(0, peer_call(&p, op_command, fd, C_LOAD));
		EXPECT_EQ(0, peer_call(&p, op_command, fd, C_SEAL));
		EXPECT_EQ(0, peer_call(&p, op_command, fd, C_GIVE));
		EXPECT_ERRNO(EPERM, peer_call(&p, op_command, fd, C_GIVE));
		EXPECT_EQ(0, peer_call(&p, op_command, fd, C_TAKE));
	} else {
		peer_end(&self->maker);
		ASSERT_EQ(0, peer_spawn_as(&p, UID_B, UID_B, 0));
		try_all(_metadata, self, &p, "another user, without the maker");
	}
	peer_end(&p);
}

/* ---- Who may take back ---- */

/* The first handle; what its maker derived; what the user derived from that; what he opened. */
enum thing { FIRST, DERIVED, NARROWED, OPENED, THINGS };

static const char *const thing_name[THINGS] = { "first", "derived", "narrowed", "opened" };

struct things {
	int fd[THINGS];
	__u64 serial[THINGS];
};

#define BIT(thing) (1U << (thing))
#define ALL (BIT(THINGS) - 1)
#define OF_A (BIT(FIRST) | BIT(DERIVED))
#define OF_B (BIT(NARROWED) | BIT(OPENED))

/* Offset of a byte that nobody looks at. */
#define UNUSED (LEN - 1)

static int keep(WHO *self, struct things *t, enum thing which, struct peer *p, long theirs)
{
	t->fd[which] = peer_take_fd(p, theirs);
	t->serial[which] = xmap_serial(self->dev, XMAP_LIST_REGION, p->pid);
	return t->fd[which] < 0 || !t->serial[which] ? -1 : 0;
}

static int things_new(WHO *self, struct things *t, struct peer *user)
{
	struct xmap_cmd_region_create *cmd = self->cmd;
	char *name = (char *)(cmd + 1);
	long fd;

	memcpy(name, NAME, sizeof(NAME));
	*cmd = (struct xmap_cmd_region_create){ .flags = XMAP_REGION_PUBLISH | self->flags,
						.mode = 0666, .gid = -1, .length = LEN,
						.name = NAME };
	fd = peer_call(&self->maker, op_region_create_cmd, self->dev, cmd);
	if (keep(self, t, FIRST, &self->maker, fd))
		return -1;
	fd = peer_call(&self->maker, op_region_derive, fd, XMAP_RIGHTS_RW, 0, 0);
	if (keep(self, t, DERIVED, &self->maker, fd))
		return -1;
	fd = peer_give_fd(user, self->sv, t->fd[DERIVED]);
	fd = peer_call(user, op_region_derive, fd, XMAP_RIGHT_READ, 0, 0);
	if (keep(self, t, NARROWED, user, fd))
		return -1;
	fd = peer_call(user, op_region_open, self->dev, XMAP_RIGHTS_RW, name);
	return keep(self, t, OPENED, user, fd);
}

static void expect_may(struct __test_metadata *_metadata, WHO *self, const struct things *t,
		       struct peer *p, unsigned int may, unsigned int sees, const char *who)
{
	int thing, allowed, expected;
	long theirs;

	for (thing = 0; thing < THINGS; thing++) {
		allowed = may & BIT(thing) ? 0 : EPERM;
		expected = sees & BIT(thing) ? allowed : ENOENT;
		EXPECT_EQ(expected, XMAP_ERRNO(peer_call(p, op_revoke, self->dev, t->serial[thing],
							 UNUSED, 1))) {
			TH_LOG("%s, %s by its number", who, thing_name[thing]);
		}
		theirs = peer_give_fd(p, self->sv, t->fd[thing]);
		ASSERT_LE(0, theirs);
		EXPECT_EQ(allowed, XMAP_ERRNO(peer_call(p, op_revoke, theirs, 0, UNUSED, 1))) {
			TH_LOG("%s, %s", who, thing_name[thing]);
		}
	}
}

#define expect_peer_may(p, may, sees, who)					\
	expect_may(_metadata, self, &t, p, may, sees, who)

TEST_F(who, may_revoke)
{
	struct peer user, p;
	struct things t;
	long fd;

	ASSERT_EQ(0, peer_spawn_as(&user, UID_B, UID_B, 0));
	ASSERT_EQ(0, things_new(self, &t, &user));
	/* All comes from what he made. */
	expect_peer_may(&self->maker, ALL, ALL, "maker");
	expect_peer_may(&user, OF_B, OF_B, "who derived and opened");
	ASSERT_EQ(0, peer_spawn_as(&p, UID_A, UID_A, 0));
	expect_peer_may(&p, 0, OF_A, "the maker's user");
	ASSERT_EQ(0, peer_call(&p, op_userns, 0));
	expect_peer_may(&p, 0, OF_A, "the maker's user in a user namespace of his own");
	peer_end(&p);
	ASSERT_EQ(0, peer_spawn_as(&p, UID_C, UID_C, 0));
	expect_peer_may(&p, 0, 0, "somebody else");
	peer_end(&p);
	ASSERT_EQ(0, peer_spawn_as(&p, 0, 0, caps_all() & ~CAP_BIT(CAP_SYS_ADMIN)));
	expect_peer_may(&p, 0, ALL, "root without CAP_SYS_ADMIN");
	peer_end(&p);
	ASSERT_EQ(0, peer_spawn_as(&p, UID_C, UID_C, CAP_BIT(CAP_SYS_ADMIN)));
	expect_peer_may(&p, ALL, 0, "CAP_SYS_ADMIN");
	ASSERT_EQ(0, peer_call(&p, op_userns, 0));
	expect_peer_may(&p, 0, 0, "root of a child user namespace");
	peer_end(&p);

	/* When those who may are gone only an administrator is left. */
	peer_end(&self->maker);
	expect_peer_may(&user, OF_B, OF_B, "who derived and opened, without the maker");
	fd = peer_give_fd(&user, self->sv, t.fd[FIRST]);
	EXPECT_ERRNO(EPERM, peer_call(&user, op_revoke, fd, 0, 0, 0));
	test_revoke(t.fd[FIRST], 0, 0);
	EXPECT_ERRNO(ESTALE, peer_call(&user, op_command, fd, C_LOAD));
	EXPECT_EQ(POLLHUP, region_poll(t.fd[OPENED]) & POLLHUP);
	EXPECT_EQ(POLLHUP, region_poll(t.fd[NARROWED]) & POLLHUP);
	peer_end(&user);
}

/* More pieces than are kept apart; and what is not the handle's. */
TEST_F(who, pieces)
{
	int fd, i;

	test_region_derive(self->fd, XMAP_RIGHTS_RW, PAGE, PAGE, &fd);
	test_err_revoke(EFAULT, fd, 0, PAGE);
	test_err_revoke(EFAULT, fd, 2 * PAGE, PAGE);
	test_err_revoke(EFAULT, fd, USER_END, PAGE);
	test_err_revoke(EINVAL, fd, PAGE, 0);
	test_err_revoke(EOVERFLOW, fd, PAGE, ~0ULL);
	test_err_revoke_serial(EINVAL, fd, 1, PAGE, PAGE);
	for (i = 0; i < 64; i++)
		test_revoke(fd, PAGE + 8 * i, 1);
	test_err_revoke(EDQUOT, fd, PAGE + 8 * 64, 1);
	EXPECT_EQ(0, region_poll(fd) & POLLHUP);
	/* All of it needs none. */
	test_revoke(fd, 0, 2 * LEN);
	EXPECT_EQ(POLLHUP, region_poll(fd) & POLLHUP);
}

TEST_HARNESS_MAIN
