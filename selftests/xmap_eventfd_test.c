// SPDX-License-Identifier: GPL-2.0-only
/*
 * XMAP_EVENTFD: what rings an eventfd, whose it is, and how long it is rung.
 */
#include <sys/eventfd.h>

#include "xmap_region_utils.h"

#define ROUNDS 3000

FIXTURE(eventfd)
{
	int dev;
	/* A region, and a handle of it that can only be read. */
	int fd;
	int part;
	int sv[2];
	int bell;
	struct peer peer;
};

FIXTURE_SETUP(eventfd)
{
	test_dev_open(&self->dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->sv));
	ASSERT_EQ(0, peer_spawn(&self->peer));
	test_region_create(self->dev, 0, LEN, &self->fd);
	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &self->part);
	self->bell = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->bell);
}

FIXTURE_TEARDOWN(eventfd)
{
	peer_end(&self->peer);
	close(self->bell);
	close(self->part);
	close(self->fd);
	close(self->sv[0]);
	close(self->sv[1]);
	close(self->dev);
}

static int ring_on(int fd, __u32 flags, int bell, __u32 reserved)
{
	struct xmap_cmd_eventfd cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.fd = bell,
		.__reserved = reserved,
	};

	return ioctl(fd, XMAP_EVENTFD, &cmd);
}

#define test_ring(fd, bell) ASSERT_EQ(0, ring_on(fd, 0, bell, 0))

/* Descriptor, eventfd. */
static long op_set(const unsigned long *a)
{
	return ring_on(a[0], 0, a[1], 0);
}

/* How often has it been rung since the last time that somebody asked? */
static __u64 rings(int bell)
{
	__u64 count;

	return read(bell, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static bool rung(int bell)
{
	return rings(bell);
}

TEST_F(eventfd, region)
{
	test_ring(self->part, self->bell);
	EXPECT_FALSE(rung(self->bell));
	test_region_notify(self->fd);
	EXPECT_TRUE(rung(self->bell));
	EXPECT_FALSE(rung(self->bell));
	test_region_resize(self->fd, 2 * LEN);
	EXPECT_TRUE(rung(self->bell));
	/* Of what one does oneself as well. */
	test_ring(self->fd, self->bell);
	test_region_notify(self->fd);
	EXPECT_TRUE(rung(self->bell));
	test_revoke(self->part, 0, 0);
	EXPECT_TRUE(rung(self->bell));
}

TEST_F(eventfd, export)
{
	static char memory[PAGE] __attribute__((aligned(PAGE)));
	struct xmap_cmd_export_create cmd = {
		.flags = XMAP_EXPORT_PUBLISH,
		.rights = XMAP_RIGHT_READ,
		.mode = 0600,
		.gid = -1,
		.addr = (__u64)memory,
		.length = PAGE,
	};
	int opened, target, other = eventfd(0, EFD_NONBLOCK);

	ASSERT_LE(0, other);
	test_export_create_cmd(self->dev, &cmd);
	test_export_open(self->dev, XMAP_RIGHT_READ, cmd.out_id, NULL, &opened);
	test_ring(cmd.out_fd, self->bell);
	/* Who has opened it has a descriptor of his own, and so an eventfd. */
	test_ring(opened, other);
	test_export_accept(opened, XMAP_RIGHT_READ, 0, 0, &target);
	EXPECT_TRUE(rung(self->bell));
	EXPECT_TRUE(rung(other));
	close(target);
	ASSERT_EQ(0, ring_on(opened, 0, -1, 0));
	test_export_accept(opened, XMAP_RIGHT_READ, 0, 0, &target);
	EXPECT_TRUE(rung(self->bell));
	EXPECT_FALSE(rung(other));
	test_ring(opened, other);
	test_ring(target, self->bell);
	close(cmd.out_fd);
	EXPECT_TRUE(rung(other));
	close(opened);
	test_revoke(target, 0, 0);
	EXPECT_TRUE(rung(self->bell));
	EXPECT_FALSE(rung(other));
	close(target);
	close(other);
}

/* The process that a target is of ends. */
TEST_F(eventfd, target)
{
	struct pollfd pfd = { .fd = self->bell, .events = POLLIN };
	struct peer victim;
	int pidfd, target;

	ASSERT_EQ(0, peer_spawn(&victim));
	pidfd = xmap_pidfd_open(victim.pid, 0);
	ASSERT_LE(0, pidfd);
	test_target_open(self->dev, pidfd, victim.pid, XMAP_RIGHT_READ, 0, 0, &target);
	test_ring(target, self->bell);
	EXPECT_FALSE(rung(self->bell));
	peer_end(&victim);
	ASSERT_EQ(1, poll(&pfd, 1, -1));
	EXPECT_TRUE(rung(self->bell));
	close(target);
	close(pidfd);
}

/* Each descriptor has one; several can have the same, which is rung once. */
TEST_F(eventfd, one_each)
{
	int other = eventfd(0, EFD_NONBLOCK), again = dup(self->part);

	ASSERT_LE(0, other);
	test_ring(self->part, self->bell);
	/* It is the same open file. */
	test_ring(again, other);
	test_region_notify(self->fd);
	EXPECT_FALSE(rung(self->bell));
	EXPECT_TRUE(rung(other));
	test_ring(self->part, -1);
	test_ring(self->part, -1);
	test_region_notify(self->fd);
	EXPECT_FALSE(rung(other));
	test_ring(self->part, other);
	test_ring(self->fd, other);
	test_region_notify(self->fd);
	EXPECT_EQ(1, rings(other));
	/* Until the last one has another one. */
	test_ring(self->fd, self->bell);
	test_region_notify(self->fd);
	EXPECT_EQ(1, rings(other));
	EXPECT_EQ(1, rings(self->bell));
	close(again);
	test_region_notify(self->fd);
	EXPECT_EQ(1, rings(other));
	close(self->part);
	test_region_notify(self->fd);
	EXPECT_EQ(0, rings(other));
	EXPECT_EQ(2, rings(self->bell));
	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &self->part);
	close(other);
}

/* As long as the descriptor is open, not for as long as there is a mapping. */
TEST_F(eventfd, closed)
{
	int again = dup(self->part);
	void *map;

	test_region_map(self->part, 0, LEN, PROT_READ, &map);
	test_ring(self->part, self->bell);
	close(self->part);
	test_region_notify(self->fd);
	EXPECT_TRUE(rung(self->bell));
	close(again);
	test_region_notify(self->fd);
	EXPECT_FALSE(rung(self->bell));
	ASSERT_EQ(0, munmap(map, LEN));
	/* That the eventfd is closed is nobody's concern. */
	test_ring(self->fd, self->bell);
	close(self->bell);
	test_region_notify(self->fd);
	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &self->part);
}

/* A process that is killed has closed it; who has it, too, has not. */
TEST_F(eventfd, killed)
{
	long fd = give(self->part);

	ASSERT_LE(0, fd);
	test_ring(self->part, self->bell);
	peer_end(&self->peer);
	test_region_notify(self->fd);
	EXPECT_TRUE(rung(self->bell));
}

TEST_F(eventfd, wrong)
{
	int pipefd[2];

	ASSERT_EQ(0, pipe(pipefd));
	EXPECT_ERRNO(EBADF, ring_on(self->fd, 0, -2, 0));
	EXPECT_ERRNO(EBADF, ring_on(self->fd, 0, 999, 0));
	EXPECT_ERRNO(EINVAL, ring_on(self->fd, 0, pipefd[0], 0));
	EXPECT_ERRNO(EINVAL, ring_on(self->fd, 0, self->fd, 0));
	EXPECT_ERRNO(EOPNOTSUPP, ring_on(self->fd, 1, self->bell, 0));
	EXPECT_ERRNO(EOPNOTSUPP, ring_on(self->fd, 0, self->bell, 1));
	EXPECT_ERRNO(ENOTTY, ring_on(self->dev, 0, self->bell, 0));
	/* What failed has left no trace. */
	test_region_notify(self->fd);
	EXPECT_FALSE(rung(self->bell));
	close(pipefd[0]);
	close(pipefd[1]);
}

/* ---- When it is over ---- */

/* Memory of a process, offered by its name, opened, and accepted twice. */
struct offered {
	struct peer owner;
	long theirs;
	int opened;
	int target;
	int spare;
};

/* /dev/xmap, the command in shared memory. */
static long op_offer(const unsigned long *a)
{
	struct xmap_cmd_export_create *cmd = (void *)a[1];

	*cmd = (struct xmap_cmd_export_create){
		.flags = XMAP_EXPORT_PUBLISH,
		.rights = XMAP_RIGHT_READ,
		.mode = 0666,
		.gid = -1,
	};
	return op_export_cmd(a);
}

static void offer_new(struct __test_metadata *_metadata, int dev, struct offered *o)
{
	struct xmap_cmd_export_create *cmd = xmap_shared(PAGE);

	ASSERT_EQ(0, peer_spawn(&o->owner));
	o->theirs = peer_call(&o->owner, op_offer, dev, cmd);
	ASSERT_LE(0, o->theirs);
	test_export_open(dev, XMAP_RIGHT_READ, cmd->out_id, NULL, &o->opened);
	test_export_accept(o->opened, XMAP_RIGHT_READ, 0, 0, &o->target);
	test_export_accept(o->opened, XMAP_RIGHT_READ, 0, 0, &o->spare);
	munmap(cmd, PAGE);
}

static void offer_end(struct offered *o)
{
	close(o->opened);
	close(o->target);
	close(o->spare);
	peer_end(&o->owner);
}

/*
 * Whoever has a descriptor may have poll() tell him when to look, also when all there is to
 * see is that it is of no use any more; and an eventfd tells no more than poll().
 */
TEST_F(eventfd, set_on_what_was_revoked)
{
	struct offered o;

	test_revoke(self->part, 0, 0);
	test_ring(self->part, self->bell);
	EXPECT_FALSE(rung(self->bell));
	test_region_notify(self->fd);
	EXPECT_TRUE(rung(self->bell));
	test_revoke(self->fd, 0, 0);
	EXPECT_TRUE(rung(self->bell));
	test_ring(self->fd, self->bell);
	test_ring(self->fd, -1);

	offer_new(_metadata, self->dev, &o);
	test_revoke(o.target, 0, 0);
	test_ring(o.target, self->bell);
	EXPECT_FALSE(rung(self->bell));
	/* That all of the offer goes is told to those who have lost theirs, too. */
	ASSERT_EQ(0, peer_call(&o.owner, op_revoke, o.theirs, 0, 0, 0));
	EXPECT_TRUE(rung(self->bell));
	test_ring(o.target, -1);
	test_ring(o.opened, self->bell);
	EXPECT_FALSE(rung(self->bell));
	/* It can end in other ways still. */
	ASSERT_EQ(0, peer_close(&o.owner, o.theirs));
	EXPECT_TRUE(rung(self->bell));
	peer_end(&o.owner);
	EXPECT_TRUE(rung(self->bell));
	offer_end(&o);
}

TEST_F(eventfd, set_on_what_was_closed)
{
	struct offered o;

	offer_new(_metadata, self->dev, &o);
	ASSERT_EQ(0, peer_close(&o.owner, o.theirs));
	test_ring(o.opened, self->bell);
	EXPECT_FALSE(rung(self->bell));
	/* What was accepted lives on, and what becomes of that is told here as well. */
	test_revoke(o.target, 0, 0);
	EXPECT_TRUE(rung(self->bell));
	close(o.target);
	EXPECT_FALSE(rung(self->bell));
	peer_end(&o.owner);
	EXPECT_TRUE(rung(self->bell));
	offer_end(&o);
}

TEST_F(eventfd, set_on_what_is_dead)
{
	struct offered o;

	offer_new(_metadata, self->dev, &o);
	peer_end(&o.owner);
	EXPECT_EQ(POLLHUP, xmap_poll_now(o.target) & POLLHUP);
	test_ring(o.target, self->bell);
	test_ring(o.opened, self->bell);
	EXPECT_FALSE(rung(self->bell));
	/* Revoking is not impossible for that. */
	test_revoke(o.spare, 0, 0);
	EXPECT_TRUE(rung(self->bell));
	test_ring(o.opened, -1);
	test_revoke(o.target, 0, 0);
	EXPECT_TRUE(rung(self->bell));
	offer_end(&o);
}

/* ---- Whose it is ---- */

/* The peer's eventfd becomes that of this descriptor; one of the test's for it, or -1. */
static int bell_of_peer(FIXTURE_DATA(eventfd) *self, int fd)
{
	long bell = peer_syscall(&self->peer, SYS_eventfd2, 0, EFD_NONBLOCK);

	if (bell < 0 || peer_call(&self->peer, op_set, give(fd), bell))
		return -1;
	return peer_take_fd(&self->peer, bell);
}

/*
 * Neither a right is needed, nor to be anybody: the descriptor is enough.  It is one open
 * file that has been passed on, so the one who has it last has the eventfd.
 */
TEST_F(eventfd, anybody)
{
	struct offered o;
	int bell, i;

	offer_new(_metadata, self->dev, &o);
	ASSERT_EQ(0, peer_call(&self->peer, op_become, UID_B, UID_B, 0, 0));
	for (i = 0; i < 2; i++) {
		if (i)
			ASSERT_EQ(0, peer_call(&self->peer, op_userns, 0));
		test_ring(self->part, self->bell);
		bell = bell_of_peer(self, self->part);
		ASSERT_LE(0, bell);
		test_region_notify(self->fd);
		EXPECT_TRUE(rung(bell));
		EXPECT_FALSE(rung(self->bell));
		close(bell);

		test_ring(o.opened, self->bell);
		bell = bell_of_peer(self, o.opened);
		ASSERT_LE(0, bell);
		close(o.spare);
		test_export_accept(o.opened, XMAP_RIGHT_READ, 0, 0, &o.spare);
		EXPECT_TRUE(rung(bell));
		EXPECT_FALSE(rung(self->bell));
		close(bell);

		test_ring(o.target, self->bell);
		bell = bell_of_peer(self, o.target);
		ASSERT_LE(0, bell);
		test_revoke(o.spare, 0, 0);
		EXPECT_TRUE(rung(bell));
		EXPECT_FALSE(rung(self->bell));
		close(bell);
	}
	offer_end(&o);
}

/* ---- At the same time ---- */

enum kind { OF_REGION, OF_EXPORT, OF_TARGET };

FIXTURE(bells)
{
	int dev;
	enum kind kind;
	/* What is about to ring, and another descriptor of the same. */
	int fd;
	int part;
	int sv[2];
	int bell;
	__u64 id;
	struct peer peer;
};

#define BELLS FIXTURE_DATA(bells)

FIXTURE_VARIANT(bells)
{
	enum kind kind;
	int rounds;
};

FIXTURE_VARIANT_ADD(bells, region)
{
	.kind = OF_REGION,
	.rounds = ROUNDS,
};

FIXTURE_VARIANT_ADD(bells, export)
{
	.kind = OF_EXPORT,
	.rounds = ROUNDS / 10,
};

FIXTURE_VARIANT_ADD(bells, target)
{
	.kind = OF_TARGET,
	.rounds = ROUNDS / 10,
};

/* One more descriptor, which is a file of its own; -1 with errno. */
static int bells_more(int dev, enum kind kind, int fd, __u64 id)
{
	int more;

	switch (kind) {
	case OF_REGION:
		return _test_region_derive(fd, XMAP_RIGHT_READ, 0, 0, &more) ? -1 : more;
	case OF_EXPORT:
		return _test_export_open(dev, XMAP_RIGHT_READ, id, NULL, &more) ? -1 : more;
	default:
		return _test_target_derive(fd, XMAP_RIGHT_READ, 0, 0, &more) ? -1 : more;
	}
}

/* Something that all of them hear of. */
static int bells_ring(enum kind kind, int fd)
{
	int more, ret;

	switch (kind) {
	case OF_REGION:
		return _test_region_notify(fd);
	case OF_EXPORT:
		return _test_export_accept(fd, XMAP_RIGHT_READ, 0, 0, &more) ? -1 : close(more);
	default:
		if (_test_target_derive(fd, XMAP_RIGHT_READ, 0, 0, &more))
			return -1;
		ret = _test_revoke(more, 0, 0);
		return close(more) ?: ret;
	}
}

FIXTURE_SETUP(bells)
{
	struct xmap_cmd_export_create cmd = {
		.flags = XMAP_EXPORT_PUBLISH,
		.rights = XMAP_RIGHT_READ,
		.mode = 0600,
		.gid = -1,
	};

	self->kind = variant->kind;
	test_dev_open(&self->dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->sv));
	ASSERT_EQ(0, peer_spawn(&self->peer));
	switch (self->kind) {
	case OF_REGION:
		test_region_create(self->dev, 0, LEN, &self->fd);
		break;
	case OF_EXPORT:
		test_export_create_cmd(self->dev, &cmd);
		self->fd = cmd.out_fd;
		self->id = cmd.out_id;
		break;
	case OF_TARGET:
		test_target_open_pid(self->dev, getpid(), XMAP_RIGHT_READ, &self->fd);
		break;
	}
	self->part = bells_more(self->dev, self->kind, self->fd, self->id);
	ASSERT_LE(0, self->part);
	self->bell = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->bell);
}

FIXTURE_TEARDOWN(bells)
{
	peer_end(&self->peer);
	close(self->bell);
	close(self->part);
	close(self->fd);
	close(self->sv[0]);
	close(self->sv[1]);
	close(self->dev);
}

/* In memory that the peer shares. */
struct bells_job {
	int dev;
	enum kind kind;
	int fd;
	int bell;
	int rounds;
	__u64 id;
};

/* Set it, take it away, close what has it.  How often. */
static long op_bells(const unsigned long *a)
{
	const struct bells_job *job = (void *)a[0];
	int i, fd;

	for (i = 0; i < job->rounds; i++) {
		if (ring_on(job->fd, 0, i & 1 ? -1 : job->bell, 0))
			return -1;
		fd = bells_more(job->dev, job->kind, job->fd, job->id);
		if (fd < 0 || ring_on(fd, 0, job->bell, 0) || close(fd))
			return -1;
		count_up(0);
	}
	return i;
}

/* While it is rung, and while the same descriptor gets another one. */
TEST_F_TIMEOUT(bells, race, PEER_TIMEOUT)
{
	struct bells_job *job = xmap_shared(PAGE);
	int i;

	peer_end(&self->peer);
	ASSERT_EQ(0, peer_spawn(&self->peer));
	*job = (struct bells_job){
		.dev = self->dev, .kind = self->kind, .fd = give(self->part),
		.bell = give(self->bell), .rounds = variant->rounds, .id = self->id,
	};
	ASSERT_LE(0, job->fd);
	ASSERT_LE(0, job->bell);
	ASSERT_EQ(0, peer_start(&self->peer, op_bells, job));
	for (i = 0; i < variant->rounds; i++) {
		ASSERT_EQ(0, bells_ring(self->kind, self->fd));
		ASSERT_EQ(0, ring_on(self->part, 0, self->bell, 0));
	}
	EXPECT_EQ(variant->rounds, peer_finish(&self->peer));
	ASSERT_EQ(0, ring_on(self->part, 0, self->bell, 0));
	rung(self->bell);
	ASSERT_EQ(0, bells_ring(self->kind, self->fd));
	EXPECT_TRUE(rung(self->bell));
}

/* Target, eventfd: the same until the process has ended that it is of; how often. */
static long op_until_it_ends(const unsigned long *a)
{
	long n = 0;
	int fd;

	while (!_test_target_derive(a[0], XMAP_RIGHT_READ, 0, 0, &fd)) {
		if (ring_on(fd, 0, a[1], 0) || ring_on(a[0], 0, n & 1 ? -1 : (int)a[1], 0) ||
		    close(fd))
			return -1;
		n++;
		count_up(0);
	}
	return errno == ESRCH && !ring_on(a[0], 0, a[1], 0) ? n : -1;
}

/* The end of a process rings for all that others have on it, while these come and go. */
TEST_F_TIMEOUT(eventfd, race_with_the_end, PEER_TIMEOUT)
{
	struct pollfd pfd = { .fd = self->bell, .events = POLLIN };
	int round, kept, other = eventfd(0, EFD_NONBLOCK);
	long theirs = give(other), target;
	struct offered o;
	__u64 before;

	ASSERT_LE(0, theirs);
	for (round = 0; round < 20; round++) {
		offer_new(_metadata, self->dev, &o);
		/* That he closes his offer is not what is to be heard. */
		kept = peer_take_fd(&o.owner, o.theirs);
		ASSERT_LE(0, kept);
		target = give(o.target);
		ASSERT_LE(0, target);
		/* The test's is set all the time, on the offer and on a target in turn. */
		test_ring(round % 2 ? o.opened : o.spare, self->bell);
		rung(self->bell);
		before = count_of(0);
		ASSERT_EQ(0, peer_start(&self->peer, op_until_it_ends, target, theirs));
		while (count_of(0) < before + round)
			sched_yield();
		peer_end(&o.owner);
		EXPECT_LE(round, peer_finish(&self->peer));
		ASSERT_EQ(1, poll(&pfd, 1, -1));
		EXPECT_TRUE(rung(self->bell));
		ASSERT_EQ(0, peer_close(&self->peer, target));
		offer_end(&o);
		close(kept);
	}
	close(other);
}

TEST_HARNESS_MAIN
