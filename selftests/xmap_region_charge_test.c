// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays for the copies that take the place of pages which somebody holds: the one who
 * takes away, by whatever command; not the one who had paid for the pages, however often
 * that is done to him.  And he meets the limit of his cgroup.
 */
#include "xmap_region_utils.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"
#define HUGE (2UL << 20)
#define BYTES (2 * HUGE)
#define ROUNDS 4
/* What a memory cgroup keeps in stock on each processor, and what else a process needs. */
#define SLACK (1L << 20)
/* A second cgroup, beside the one of xmap_region_utils.h. */
#define TAKERS CGROUP "/xmap-region-takers"

FIXTURE(charge)
{
	int dev;
	int sv[2];
	/* Who pays for the pages at first, and has them filled. */
	struct peer payer;
	/* Who takes away. */
	struct peer taker;
};

/* The one step that is repeated: everything of the region is held, then taken away. */
typedef long (*take_fn)(int fd, int pipe);

FIXTURE_VARIANT(charge)
{
	__u32 flags;
	take_fn take;
	int rounds;
};

#define CHARGE FIXTURE_DATA(charge)

/* ---- In the taker ---- */

/* All of a mapping into a pipe: of huge pages a small one each. */
static int hold_all(int pipe, char *map, size_t step)
{
	struct iovec iov = { .iov_len = PAGE };
	size_t i;

	for (i = 0; i < BYTES; i += step) {
		iov.iov_base = map + i;
		if (vmsplice(pipe, &iov, 1, 0) != (ssize_t)PAGE)
			return -1;
	}
	return 0;
}

/* Map all of it, have it held, unmap it. */
static int map_and_hold(int fd, int pipe)
{
	struct xmap_cmd_region_info info;
	char *map;
	int ret;

	if (_test_region_info(fd, &info))
		return -1;
	map = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -1;
	ret = hold_all(pipe, map, info.out_flags & XMAP_REGION_HUGE ? HUGE : PAGE);
	munmap(map, BYTES);
	return ret;
}

static long take_by_give(int fd, int pipe)
{
	if (_test_region_take(fd) || map_and_hold(fd, pipe))
		return -1;
	return _test_region_give(fd);
}

/* By an owner who ends, and with him the handle by which he has it: he is past having a cgroup. */
static long take_by_exit(int fd, int pipe)
{
	pid_t child = fork();
	int status, own;

	if (child < 0)
		return -1;
	if (!child)
		_exit(_test_region_derive(fd, XMAP_RIGHT_READ, 0, 0, &own) ||
		      _test_region_take(own) || map_and_hold(own, pipe));
	return waitpid(child, &status, 0) == child && !status ? 0 : -1;
}

/* From an owner who is dead when it is taken. */
static long take_by_take(int fd, int pipe)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return -1;
	if (!child)
		_exit(_test_region_take(fd) || map_and_hold(fd, pipe));
	if (waitpid(child, &status, 0) != child || status)
		return -1;
	return _test_region_take(fd) ?: _test_region_give(fd);
}

static long take_by_revoke(int fd, int pipe)
{
	int part, ret;

	if (_test_region_derive(fd, XMAP_RIGHT_READ, 0, 0, &part))
		return -1;
	ret = map_and_hold(part, pipe);
	ret = ret ?: _test_revoke(part, 0, 0);
	close(part);
	return ret;
}

static long take_by_seal(int fd, int pipe)
{
	__u32 seals;

	return map_and_hold(fd, pipe) ?: _test_region_seal(fd, XMAP_REGION_SEAL_WRITE, &seals);
}

/* Handle, what to do, how often: the pipes stay open, and full. */
static long op_take(const unsigned long *a)
{
	take_fn take = (take_fn)a[1];
	int pipefd[2];
	long i;

	for (i = 0; i < (long)a[2]; i++) {
		if (pipe(pipefd) || fcntl(pipefd[1], F_SETPIPE_SZ, BYTES) < (int)BYTES)
			return -1;
		if (take(a[0], pipefd[1]))
			return -1;
	}
	return i;
}

static int holders[4 * ROUNDS][2];
static char *held;

/* The handle: map all of it, touch each page, and have pipes at hand. */
static long op_prepare(const unsigned long *a)
{
	size_t i;

	if (_test_region_take(a[0]))
		return -1;
	held = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, a[0], 0);
	if (held == MAP_FAILED)
		return -1;
	for (i = 0; i < BYTES; i += PAGE)
		(void)*(volatile char *)(held + i);
	for (i = 0; i < ARRAY_SIZE(holders); i++) {
		if (pipe(holders[i]) || fcntl(holders[i][1], F_SETPIPE_SZ, BYTES) < (int)BYTES)
			return -1;
	}
	return _test_region_give(a[0]);
}

/* The handle, the size of its pages. */
static long op_hold_and_give(const unsigned long *a)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(holders); i++) {
		if (_test_region_take(a[0]) || hold_all(holders[i][1], held, a[1]) ||
		    _test_region_give(a[0]))
			return -2;
	}
	return i;
}

FIXTURE_VARIANT_ADD(charge, give)
{
	.flags = XMAP_REGION_SINGLE_OWNER,
	.take = take_by_give,
	.rounds = ROUNDS,
};

FIXTURE_VARIANT_ADD(charge, give_huge)
{
	.flags = XMAP_REGION_SINGLE_OWNER | XMAP_REGION_HUGE,
	.take = take_by_give,
	.rounds = ROUNDS,
};

FIXTURE_VARIANT_ADD(charge, exit)
{
	.flags = XMAP_REGION_SINGLE_OWNER,
	.take = take_by_exit,
	.rounds = ROUNDS,
};

FIXTURE_VARIANT_ADD(charge, exit_huge)
{
	.flags = XMAP_REGION_SINGLE_OWNER | XMAP_REGION_HUGE,
	.take = take_by_exit,
	.rounds = ROUNDS,
};

FIXTURE_VARIANT_ADD(charge, take)
{
	.flags = XMAP_REGION_SINGLE_OWNER,
	.take = take_by_take,
	.rounds = ROUNDS,
};

FIXTURE_VARIANT_ADD(charge, take_huge)
{
	.flags = XMAP_REGION_SINGLE_OWNER | XMAP_REGION_HUGE,
	.take = take_by_take,
	.rounds = ROUNDS,
};

FIXTURE_VARIANT_ADD(charge, revoke)
{
	.take = take_by_revoke,
	.rounds = ROUNDS,
};

FIXTURE_VARIANT_ADD(charge, revoke_huge)
{
	.flags = XMAP_REGION_HUGE,
	.take = take_by_revoke,
	.rounds = ROUNDS,
};

/* That can be done only once. */
FIXTURE_VARIANT_ADD(charge, seal)
{
	.take = take_by_seal,
	.rounds = 1,
};

FIXTURE_VARIANT_ADD(charge, seal_huge)
{
	.flags = XMAP_REGION_HUGE,
	.take = take_by_seal,
	.rounds = 1,
};

/* ---- Groups ---- */

static long op_join_takers(const unsigned long *a)
{
	(void)a;
	return xmap_write_file(TAKERS "/cgroup.procs", "0");
}

static long charged(const char *group)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/memory.current", group);
	return xmap_read_long(path);
}

static int groups_new(void)
{
	if (region_cgroup_new())
		return -1;
	return mkdir(TAKERS, 0755) && errno != EEXIST ? -1 : 0;
}

static bool no_huge(void)
{
	return access(THP "shmem_enabled", F_OK);
}

FIXTURE_SETUP(charge)
{
	if (variant->flags & XMAP_REGION_HUGE && no_huge())
		SKIP(return, "no transparent huge pages here");
	test_dev_open(&self->dev);
	ASSERT_EQ(0, groups_new());
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->sv));
	ASSERT_EQ(0, peer_spawn(&self->payer));
	ASSERT_EQ(0, peer_spawn(&self->taker));
	ASSERT_EQ(0, peer_call(&self->payer, op_cgroup_join, 0));
	ASSERT_EQ(0, peer_call(&self->taker, op_join_takers, 0));
	if (variant->flags & XMAP_REGION_HUGE) {
		/* There are some to be had. */
		ASSERT_EQ(0, xmap_write_file(THP "defrag", "always"));
		ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/drop_caches", "3"));
		ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/compact_memory", "1"));
	}
}

FIXTURE_TEARDOWN(charge)
{
	peer_end(&self->payer);
	peer_end(&self->taker);
	close(self->sv[0]);
	close(self->sv[1]);
	close(self->dev);
	EXPECT_EQ(0, rmdir(GROUP));
	EXPECT_EQ(0, rmdir(TAKERS));
	if (variant->flags & XMAP_REGION_HUGE && !no_huge())
		xmap_write_file(THP "defrag", "madvise");
}

/* The payer makes a region, and has filled it; single owner or not, it is there to be taken. */
static long payer_region(CHARGE *self, __u32 flags)
{
	long fd = peer_call(&self->payer, op_region_create, self->dev, flags, BYTES);
	long map = peer_call(&self->payer, op_region_map, fd, 0, BYTES, RW);

	if (fd < 0 || map == -1 || peer_fill(&self->payer, map, BYTES, 1) ||
	    peer_munmap(&self->payer, map, BYTES))
		return -1;
	if (flags & XMAP_REGION_SINGLE_OWNER &&
	    peer_call(&self->payer, op_region_simple, fd, XMAP_REGION_GIVE))
		return -1;
	return fd;
}

TEST_F(charge, taker_pays)
{
	long fd, empty, before, takers, rounds = variant->rounds;
	struct xmap_cmd_region_info info;
	int ours;

	empty = charged(GROUP);
	fd = payer_region(self, variant->flags);
	ASSERT_LE(0, fd);
	ours = peer_take_fd(&self->payer, fd);
	ASSERT_LE(0, ours);
	before = charged(GROUP);
	takers = charged(TAKERS);
	EXPECT_LE((long)BYTES, before - empty + SLACK);
	ASSERT_EQ(rounds, peer_call(&self->taker, op_take,
				    peer_give_fd(&self->taker, self->sv, ours), variant->take,
				    rounds));
	EXPECT_GE(SLACK, charged(GROUP) - before);
	EXPECT_LE(rounds * (long)BYTES, charged(TAKERS) - takers + SLACK);
	test_region_info(ours, &info);
	EXPECT_LE(rounds * BYTES / PAGE, info.out_replaced);
	close(ours);
}

/*
 * The old pages stay his as long as he holds them, and nothing that he does here asks for
 * memory but the copies: still there is an end to it.
 */
TEST_F(charge, taker_has_a_limit)
{
	long fd, start;
	int ours;

	if (variant->take != take_by_give)
		return;
	fd = payer_region(self, variant->flags);
	ASSERT_LE(0, fd);
	ours = peer_take_fd(&self->payer, fd);
	ASSERT_LE(0, ours);
	fd = peer_give_fd(&self->taker, self->sv, ours);
	ASSERT_EQ(0, peer_call(&self->taker, op_prepare, fd));
	start = charged(TAKERS);
	ASSERT_EQ(0, xmap_write_long(TAKERS "/memory.max", start + 4 * (long)BYTES));
	/* He is killed. */
	EXPECT_ERRNO(ESRCH, peer_call(&self->taker, op_hold_and_give, fd,
				      variant->flags & XMAP_REGION_HUGE ? HUGE : PAGE));
	/* One round too many. */
	EXPECT_GE(5 * (long)BYTES + SLACK, xmap_read_long(TAKERS "/memory.peak") - start);
	close(ours);
}

TEST_HARNESS_MAIN
