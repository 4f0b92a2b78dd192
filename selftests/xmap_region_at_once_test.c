// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names and fixed addresses of regions that two want at the same time: one gets it, and
 * of the other's region nothing is left.  And names that are opened while they end, or
 * before who creates them knows of it.
 */
#include "xmap_region_utils.h"
#include "xmap_uffd.h"

#define NAME "xmap-test.at-once"
#define ROUNDS 60
#define ADDR (XMAP_REGION_ADDRESS_MIN + (1ULL << 40))

FIXTURE(names)
{
	int dev;
	struct peer p[2];
	/* What each of them creates; a name. */
	struct xmap_cmd_region_create *cmd;
	char *name;
};

#define NAMES FIXTURE_DATA(names)

FIXTURE_SETUP(names)
{
	int i;

	touch_init();
	test_dev_open(&self->dev);
	self->cmd = xmap_shared(PAGE);
	self->name = (char *)(self->cmd + 2);
	memcpy(self->name, NAME, sizeof(NAME));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, peer_spawn(&self->p[i]));
}

FIXTURE_TEARDOWN(names)
{
	peer_end(&self->p[0]);
	peer_end(&self->p[1]);
	close(self->dev);
}

/* ---- Two who create ---- */

/* /dev/xmap, the command, number of the round, how long to wait then. */
static long op_create_at_once(const unsigned long *a)
{
	peer_meet(a[2]);
	peer_spin(a[3]);
	return op_region_create_cmd(a);
}

/* A persistent one ends with its name. */
static int drop(NAMES *self, int i, long fd)
{
	if (self->cmd[i].flags & XMAP_REGION_PERSISTENT &&
	    peer_call(&self->p[i], op_region_simple, fd, XMAP_REGION_UNLINK))
		return -1;
	return peer_close(&self->p[i], fd);
}

static void set_cmd(NAMES *self, int i, __u32 flags, __u64 addr)
{
	struct xmap_cmd_region_create *cmd = &self->cmd[i];

	/* By its length it is known whose it is. */
	*cmd = (struct xmap_cmd_region_create){ .flags = flags, .length = (1 + i) * PAGE };
	if (flags & XMAP_REGION_FIXED_ADDRESS)
		cmd->addr = addr;
	if (flags & XMAP_REGION_PUBLISH) {
		cmd->gid = -1;
		memcpy(cmd->name, NAME, sizeof(NAME));
	}
}

#define expect_no_regions()							\
	({									\
		struct xmap_cmd_query __q;					\
		test_query(self->dev, &__q);					\
		ASSERT_EQ(0, __q.out_regions);					\
		ASSERT_EQ(0, __q.out_region_bytes);				\
	})

static void create_at_once(struct __test_metadata *_metadata, NAMES *self, __u32 flags,
			   const __u64 *addr)
{
	unsigned int round, first = 0;
	struct xmap_cmd_region_info info;
	int err[2], i, mine, winner;
	__u64 rnd = 1;
	long fd[2];

	peer_ctl->word[0] = 0;
	for (round = 1; round <= ROUNDS; round++) {
		for (i = 0; i < 2; i++) {
			set_cmd(self, i, flags, addr[i]);
			ASSERT_EQ(0, peer_start(&self->p[i], op_create_at_once, self->dev,
						&self->cmd[i], round, test_random(&rnd) % 64));
		}
		for (i = 0; i < 2; i++) {
			fd[i] = peer_finish(&self->p[i]);
			err[i] = fd[i] < 0 ? errno : 0;
		}
		winner = fd[0] < 0;
		first += !winner;
		ASSERT_EQ(0, err[winner]) {
			TH_LOG("round %u: neither, for %d and %d", round, err[0], err[1]);
		}
		ASSERT_EQ(EEXIST, err[!winner]);
		EXPECT_EQ(XMAP_UNTOUCHED, self->cmd[!winner].out_fd);
		if (flags & XMAP_REGION_PUBLISH) {
			test_region_open(self->dev, XMAP_RIGHT_READ, NAME, &mine);
			test_region_info(mine, &info);
			EXPECT_EQ((1 + winner) * PAGE, info.out_region_length);
			close(mine);
		}
		/* Then the other one can have it. */
		ASSERT_EQ(0, drop(self, winner, fd[winner]));
		expect_no_regions();
		fd[!winner] = peer_call(&self->p[!winner], op_region_create_cmd, self->dev,
					&self->cmd[!winner]);
		ASSERT_LE(0, fd[!winner]);
		ASSERT_EQ(0, drop(self, !winner, fd[!winner]));
	}
	expect_no_regions();
	TH_LOG("the first was first %u times of %u", first, ROUNDS);
}

#define test_create_at_once(flags, first, second)				\
	create_at_once(_metadata, self, flags, (const __u64[]){ first, second })

TEST_F(names, one_name)
{
	test_create_at_once(XMAP_REGION_PUBLISH, 0, 0);
	test_create_at_once(XMAP_REGION_PUBLISH | XMAP_REGION_PERSISTENT, 0, 0);
}

TEST_F(names, one_address)
{
	test_create_at_once(XMAP_REGION_FIXED_ADDRESS, ADDR, ADDR);
	/* The second one's second page is the first one's. */
	test_create_at_once(XMAP_REGION_FIXED_ADDRESS, ADDR, ADDR - PAGE);
}

TEST_F(names, name_and_address)
{
	test_create_at_once(XMAP_REGION_PUBLISH | XMAP_REGION_FIXED_ADDRESS, ADDR, ADDR);
	/* Each has his address, then only one has the name. */
	test_create_at_once(XMAP_REGION_PUBLISH | XMAP_REGION_FIXED_ADDRESS, ADDR,
			    ADDR + 2 * PAGE);
}

/* ---- Opened while it ends ---- */

/* /dev/xmap, name, what its first word is, whether it is revoked, who: how often. */
static long op_open_until_gone(const unsigned long *a)
{
	__u64 word;
	long n = 0;
	bool good;
	int fd;

	while (!_test_region_open(a[0], XMAP_RIGHTS_RW, (const char *)a[1], &fd)) {
		if (pread(fd, &word, sizeof(word), 0) == sizeof(word))
			good = word == a[2];
		else
			good = errno == ESTALE && a[3];
		close(fd);
		if (!good) {
			errno = ENODATA;
			return -1;
		}
		if (!n++)
			peer_set(&peer_ctl->word[1 + a[4]], a[2]);
	}
	/* What is revoked is so first, and then has no name any more. */
	return errno == ENOENT || (errno == ESTALE && a[3]) ? n : -1;
}

enum end { UNLINKED, CLOSED, REVOKED };

static int end_it(enum end end, int fd)
{
	switch (end) {
	case UNLINKED:
		return _test_region_unlink(fd);
	case CLOSED:
		return close(fd);
	default:
		return _test_revoke(fd, 0, 0);
	}
}

static void open_until_gone(struct __test_metadata *_metadata, NAMES *self, enum end end,
			    __u32 flags)
{
	int i, fd;
	/* Two would keep one that is closed from its end for as long as they like. */
	int openers = end == CLOSED ? 1 : 2;
	__u64 round;

	for (i = 0; i < openers; i++)
		peer_ctl->word[1 + i] = 0;
	for (round = 1; round <= ROUNDS; round++) {
		set_cmd(self, 0, XMAP_REGION_PUBLISH | flags, 0);
		test_region_create_cmd(self->dev, self->cmd);
		fd = self->cmd->out_fd;
		ASSERT_EQ(8, pwrite(fd, &round, 8, 0));
		for (i = 0; i < openers; i++)
			ASSERT_EQ(0, peer_start(&self->p[i], op_open_until_gone, self->dev,
						self->name, round, end == REVOKED, i));
		/* They are at it. */
		for (i = 0; i < openers; i++)
			peer_await(&peer_ctl->word[1 + i], round);
		ASSERT_EQ(0, end_it(end, fd));
		if (end != CLOSED)
			test_err_region_open(ENOENT, self->dev, XMAP_RIGHT_READ, NAME);
		for (i = 0; i < openers; i++)
			ASSERT_LE(1, peer_finish(&self->p[i]));
		if (end != CLOSED) {
			test_err_region_unlink(end == REVOKED ? ESTALE : ENOENT, fd);
			close(fd);
		}
		/* One that is of no use has its name until somebody else wants it. */
		if (end == REVOKED && flags & XMAP_REGION_PERSISTENT)
			continue;
		test_err_region_open(ENOENT, self->dev, XMAP_RIGHT_READ, NAME);
		expect_no_regions();
	}
}

#define test_open_until_gone(end, flags) open_until_gone(_metadata, self, end, flags)

TEST_F(names, opened_while_it_is_taken_away)
{
	test_open_until_gone(UNLINKED, 0);
	test_open_until_gone(UNLINKED, XMAP_REGION_PERSISTENT);
}

TEST_F(names, opened_while_it_is_closed)
{
	test_open_until_gone(CLOSED, 0);
}

TEST_F(names, opened_while_it_is_revoked)
{
	test_open_until_gone(REVOKED, 0);
	test_open_until_gone(REVOKED, XMAP_REGION_PERSISTENT);
	/* For who comes after the last of those. */
	set_cmd(self, 0, XMAP_REGION_PUBLISH, 0);
	test_region_create_cmd(self->dev, self->cmd);
	close(self->cmd->out_fd);
	expect_no_regions();
}

/* ---- Opened before who creates it has his answer ---- */

struct creator {
	int dev;
	struct xmap_cmd_region_create *cmd;
	int err;
};

static void *creator(void *arg)
{
	struct creator *c = arg;

	c->err = XMAP_ERRNO(ioctl(c->dev, XMAP_REGION_CREATE, c->cmd));
	return NULL;
}

/*
 * If he never gets it he does not know that there is a region, which is charged to him:
 * who has opened it keeps nothing.
 */
static void opened_before_the_answer_fails(struct __test_metadata *_metadata, NAMES *self,
					   __u32 flags)
{
	struct creator c = { .dev = self->dev };
	struct peer *user = &self->p[0];
	struct xmap_cmd_region_info info;
	long fd, part, map, part_map;
	pthread_t thread;
	int uffd, mine;

	c.cmd = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, c.cmd);
	set_cmd(self, 0, XMAP_REGION_PUBLISH | flags, 0);
	*c.cmd = *self->cmd;
	c.cmd->size = sizeof(*c.cmd);
	c.cmd->mode = 0666;
	c.cmd->length = LEN;
	/* He can read his command, but not yet write to it. */
	uffd = stall_writes(c.cmd);
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, creator, &c));
	ASSERT_TRUE(stall_await(uffd));
	fd = peer_call(user, op_region_open, self->dev, XMAP_RIGHTS_RW, self->name);
	ASSERT_LE(0, fd);
	part = peer_call(user, op_region_derive, fd, XMAP_RIGHT_READ, PAGE, PAGE);
	ASSERT_LE(0, part);
	map = peer_call(user, op_region_map, fd, 0, LEN, RW);
	ASSERT_NE(-1, map);
	part_map = peer_call(user, op_region_map, part, PAGE, PAGE, PROT_READ);
	ASSERT_NE(-1, part_map);
	ASSERT_EQ(0, peer_fill(user, map, LEN, 1));
	EXPECT_EQ(peer_word(1, PAGE), peer_load(user, part_map));

	/* What he would write to is not for writing any more. */
	ASSERT_EQ(0, mprotect(c.cmd, PAGE, PROT_READ));
	close(uffd);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(EFAULT, c.err);
	EXPECT_EQ(0, c.cmd->out_fd);
	ASSERT_EQ(0, munmap(c.cmd, PAGE));
	EXPECT_EQ(SIGBUS, peer_touch(user, map));
	EXPECT_EQ(SIGBUS, peer_call(user, op_touch_store, map + PAGE, 2));
	EXPECT_EQ(SIGBUS, peer_touch(user, part_map));
	EXPECT_ERRNO(ESTALE, peer_call(user, op_read, fd, 0));
	EXPECT_ERRNO(ESTALE, peer_call(user, op_write, fd, 0, 2));
	EXPECT_ERRNO(ESTALE, peer_call(user, op_read, part, PAGE));
	EXPECT_ERRNO(ESTALE, peer_call(user, op_region_map, fd, 0, PAGE, RW));
	EXPECT_ERRNO(ESTALE, peer_call(user, op_region_derive, fd, XMAP_RIGHT_READ, 0, 0));
	EXPECT_ERRNO(ESTALE, peer_call(user, op_region_derive, part, XMAP_RIGHT_READ, 0, 0));
	EXPECT_ERRNO(ESTALE, peer_call(user, op_region_simple, fd, XMAP_REGION_NOTIFY));
	/* Nor is anything of it left that somebody pays for, or a name. */
	expect_no_regions();
	mine = peer_take_fd(user, fd);
	ASSERT_LE(0, mine);
	test_region_info(mine, &info);
	EXPECT_EQ(XMAP_TARGET_REVOKED, info.out_state);
	EXPECT_EQ(0, info.out_region_length);
	close(mine);
	test_err_region_open(ENOENT, self->dev, XMAP_RIGHT_READ, NAME);
	test_region_create_cmd(self->dev, self->cmd);
	test_region_unlink(self->cmd->out_fd);
	close(self->cmd->out_fd);
	ASSERT_EQ(0, peer_munmap(user, map, LEN));
	ASSERT_EQ(0, peer_munmap(user, part_map, PAGE));
	ASSERT_EQ(0, peer_close(user, part));
	ASSERT_EQ(0, peer_close(user, fd));
}

TEST_F(names, opened_before_the_answer_fails)
{
	/* Another user, to whom his own handles are charged. */
	ASSERT_EQ(0, peer_become(&self->p[0], UID_B));
	opened_before_the_answer_fails(_metadata, self, 0);
	opened_before_the_answer_fails(_metadata, self, XMAP_REGION_PERSISTENT);
}

TEST_HARNESS_MAIN
