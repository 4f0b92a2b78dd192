// SPDX-License-Identifier: GPL-2.0-only
/*
 * The terms of an export: until when, how often, by whom it can be accepted, and
 * how many there can be.
 */
#include "xmap_offer.h"

#define NSEC_PER_SEC 1000000000ULL

/* In another user namespace his number is another one, or nobody's. */
TEST_F(offer, owner_in_other_user_namespaces)
{
	struct xmap_cmd_export_info *info = (void *)(self->ask + 1);
	long nobody = xmap_read_long("/proc/sys/kernel/overflowuid");
	const uid_t uid[] = { UID_A, UID_B };
	struct peer p;
	int fd, i;
	long got;

	ASSERT_LT(0, nobody);
	fd = offer_range(self, XMAP_RIGHT_READ, self->mem, LEN);
	ASSERT_LE(0, fd);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_spawn_as(&p, uid[i], uid[i], 0));
		got = peer_give_fd(&p, self->sv, fd);
		ASSERT_EQ(0, peer_call(&p, op_export_info, got, info));
		EXPECT_EQ(UID_A, info->out_uid);
		ASSERT_EQ(0, peer_call(&p, op_userns, 0));
		ASSERT_EQ(0, peer_call(&p, op_export_info, got, info));
		/* Of his own user he is root there; another user is not there at all. */
		EXPECT_EQ(i ? (__u32)nobody : 0, info->out_uid);
		EXPECT_EQ(self->owner.pid, info->out_pid);
		peer_end(&p);
	}
	test_export_info(fd, info);
	EXPECT_EQ(UID_A, info->out_uid);
}

/* ---- Terms ---- */

TEST_F_TIMEOUT(offer, expiry, PEER_TIMEOUT)
{
	struct xmap_cmd_export_info info;
	int fd, target, past;
	__u64 wait;

	*self->ask = (struct xmap_cmd_export_create){ .rights = XMAP_RIGHTS_RW, .expires = 1 };
	past = offer_ask(self);
	ASSERT_LE(0, past);
	test_err_export_accept(ESTALE, past, XMAP_RIGHT_READ, 0, 0);
	test_export_info(past, &info);
	EXPECT_EQ(1, info.out_expires);
	EXPECT_EQ(0, info.out_accepts);
	EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
	EXPECT_EQ(0, xmap_poll_now(past));
	self->ask->expires = xmap_boottime();
	past = offer_ask(self);
	ASSERT_LE(0, past);
	test_err_export_accept(ESTALE, past, XMAP_RIGHT_READ, 0, 0);
	self->ask->expires = ~0ULL;
	fd = offer_ask(self);
	test_export_accept(fd, XMAP_RIGHT_READ, 0, 0, &target);
	close(target);
	close(fd);

	/* However slow the machine: before its end it can be accepted. */
	for (wait = NSEC_PER_SEC / 10;; wait *= 2) {
		self->ask->expires = xmap_boottime() + wait;
		fd = offer_ask(self);
		ASSERT_LE(0, fd);
		target = accept_all(fd, XMAP_RIGHTS_RW);
		if (target >= 0)
			break;
		ASSERT_EQ(ESTALE, errno);
		close(fd);
	}
	while ((past = accept_all(fd, XMAP_RIGHT_READ)) >= 0)
		close(past);
	EXPECT_EQ(ESTALE, errno);
	EXPECT_LE(self->ask->expires, xmap_boottime());
	/* The offer has ended, what was accepted has not. */
	EXPECT_EQ(peer_word(SEED, 0), (__u64)op_read((unsigned long[]){ target, self->mem }));
}

TEST_F(offer, number_of_acceptances)
{
	struct xmap_cmd_export_accept *cmd;
	struct xmap_cmd_export_info info;
	long theirs, first, second;
	int fd;

	*self->ask = (struct xmap_cmd_export_create){ .rights = XMAP_RIGHT_READ, .max_accepts = 2 };
	fd = offer_ask(self);
	ASSERT_LE(0, fd);
	theirs = give(fd);
	ASSERT_LE(0, theirs);

	/* What fails does not count. */
	test_err_export_accept(EACCES, fd, XMAP_RIGHT_WRITE, 0, 0);
	ASSERT_EQ(0, xmap_write_long(MAX_TARGETS, 0));
	EXPECT_ERRNO(EDQUOT, peer_call(&self->user, op_accept, theirs, XMAP_RIGHT_READ, 0, 0));
	EXPECT_ERRNO(EDQUOT, peer_call(&self->user, op_accept, theirs, XMAP_RIGHT_READ, 0, 0));
	ASSERT_EQ(0, xmap_write_long(MAX_TARGETS, self->max_targets));
	cmd = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*cmd = (struct xmap_cmd_export_accept){ .size = sizeof(*cmd), .rights = XMAP_RIGHT_READ };
	ASSERT_EQ(0, mprotect(cmd, PAGE, PROT_READ));
	EXPECT_ERRNO(EFAULT, ioctl(fd, XMAP_EXPORT_ACCEPT, cmd));
	test_export_info(fd, &info);
	EXPECT_EQ(0, info.out_accepts);
	EXPECT_EQ(2, info.out_max_accepts);
	EXPECT_EQ(0, info.out_targets);

	first = peer_call(&self->user, op_accept, theirs, XMAP_RIGHT_READ, 0, 0);
	second = peer_call(&self->user, op_accept, theirs, XMAP_RIGHT_READ, 0, 0);
	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	EXPECT_ERRNO(EDQUOT, peer_call(&self->user, op_accept, theirs, XMAP_RIGHT_READ, 0, 0));
	test_err_export_accept(EDQUOT, fd, XMAP_RIGHT_READ, 0, 0);
	test_export_info(fd, &info);
	EXPECT_EQ(2, info.out_accepts);
	EXPECT_EQ(2, info.out_targets);

	/* To close it is no way to get another one; what was derived uses it, too. */
	ASSERT_LE(0, peer_call(&self->user, op_derive, second, XMAP_RIGHT_READ, 0, 0));
	ASSERT_EQ(0, peer_close(&self->user, first));
	ASSERT_EQ(0, peer_close(&self->user, second));
	test_err_export_accept(EDQUOT, fd, XMAP_RIGHT_READ, 0, 0);
	test_export_info(fd, &info);
	EXPECT_EQ(2, info.out_accepts);
	EXPECT_EQ(1, info.out_targets);
}

/* A pidfd in the owner. */
#define owner_pidfd(pid) ((int)peer_syscall(&self->owner, SYS_pidfd_open, pid, 0))

#define EXPECT_CREATE_ERRNO(err)						\
	EXPECT_ERRNO(err, peer_call(&self->owner, op_export_cmd, self->dev, self->ask))

TEST_F_TIMEOUT(offer, for_one_process, PEER_TIMEOUT)
{
	struct xmap_cmd_export_create good = {
		.flags = XMAP_EXPORT_FOR_PROCESS,
		.rights = XMAP_RIGHTS_RW,
		.receiver_pid = self->user.pid,
	};
	struct peer gone;
	long theirs, got;
	int fd, null;

	/* Neither the same user, nor root, nor the owner himself. */
	ASSERT_EQ(0, peer_spawn_as(&gone, UID_B, UID_B, 0));
	good.receiver_fd = owner_pidfd(self->user.pid);
	ASSERT_LE(0, good.receiver_fd);
	*self->ask = good;
	fd = offer_ask(self);
	ASSERT_LE(0, fd);
	test_err_export_accept(EACCES, fd, XMAP_RIGHT_READ, 0, 0);
	theirs = peer_give_fd(&gone, self->sv, fd);
	ASSERT_LE(0, theirs);
	EXPECT_ERRNO(EACCES, peer_call(&gone, op_accept, theirs, XMAP_RIGHT_READ, 0, 0));
	theirs = peer_give_fd(&self->owner, self->sv, fd);
	EXPECT_ERRNO(EACCES, peer_call(&self->owner, op_accept, theirs, XMAP_RIGHT_READ, 0, 0));
	theirs = give(fd);
	got = peer_call(&self->user, op_accept, theirs, XMAP_RIGHT_READ, 0, 0);
	ASSERT_LE(0, got);
	/* What he has got he can pass on. */
	fd = peer_take_fd(&self->user, got);
	EXPECT_EQ(peer_word(SEED, 0), (__u64)op_read((unsigned long[]){ fd, self->mem }));

	*self->ask = good;
	self->ask->receiver_pid = gone.pid;
	EXPECT_CREATE_ERRNO(ESRCH);
	self->ask->receiver_pid = 0;
	EXPECT_CREATE_ERRNO(EINVAL);
	self->ask->receiver_pid = -1;
	EXPECT_CREATE_ERRNO(EINVAL);
	self->ask->receiver_pid = INT_MAX;
	EXPECT_CREATE_ERRNO(ESRCH);
	*self->ask = good;
	self->ask->flags = 0;
	EXPECT_CREATE_ERRNO(EINVAL);
	self->ask->receiver_fd = 0;
	EXPECT_CREATE_ERRNO(EINVAL);
	*self->ask = good;
	self->ask->receiver_fd = -1;
	EXPECT_CREATE_ERRNO(EBADF);
	null = open("/dev/null", O_RDONLY);
	self->ask->receiver_fd = peer_give_fd(&self->owner, self->sv, null);
	EXPECT_CREATE_ERRNO(EBADFD);
	self->ask->receiver_fd = self->dev;
	EXPECT_CREATE_ERRNO(EBADFD);

	/* Somebody who is no more. */
	*self->ask = good;
	self->ask->receiver_pid = gone.pid;
	self->ask->receiver_fd = owner_pidfd(gone.pid);
	peer_end(&gone);
	EXPECT_CREATE_ERRNO(ESRCH);
}

TEST_F(offer, for_a_thread)
{
	pid_t tid = peer_call(&self->user, op_start_thread, 0);
	int pidfd;

	ASSERT_LT(0, tid);
	pidfd = peer_syscall(&self->owner, SYS_pidfd_open, tid, PIDFD_THREAD);
	if (pidfd < 0) {
		ASSERT_EQ(EINVAL, errno);
		return;
	}
	/* It is processes that receive. */
	*self->ask = (struct xmap_cmd_export_create){
		.flags = XMAP_EXPORT_FOR_PROCESS,
		.rights = XMAP_RIGHT_READ,
		.receiver_fd = pidfd,
		.receiver_pid = tid,
	};
	EXPECT_CREATE_ERRNO(ESRCH);
}

TEST_F(offer, for_one_user)
{
	struct peer same;
	long theirs;
	int fd;

	ASSERT_EQ(0, peer_spawn_as(&same, UID_B, UID_A, 0));
	*self->ask = (struct xmap_cmd_export_create){
		.flags = XMAP_EXPORT_FOR_USER,
		.rights = XMAP_RIGHT_READ,
		.receiver_uid = UID_B,
	};
	fd = offer_ask(self);
	ASSERT_LE(0, fd);
	test_err_export_accept(EACCES, fd, XMAP_RIGHT_READ, 0, 0);
	theirs = peer_give_fd(&self->owner, self->sv, fd);
	EXPECT_ERRNO(EACCES, peer_call(&self->owner, op_accept, theirs, XMAP_RIGHT_READ, 0, 0));
	EXPECT_LE(0, peer_call(&self->user, op_accept, give(fd), XMAP_RIGHT_READ, 0, 0));
	theirs = peer_give_fd(&same, self->sv, fd);
	EXPECT_LE(0, peer_call(&same, op_accept, theirs, XMAP_RIGHT_READ, 0, 0));

	/* Both: then both count. */
	self->ask->flags |= XMAP_EXPORT_FOR_PROCESS;
	self->ask->receiver_pid = self->user.pid;
	self->ask->receiver_fd = owner_pidfd(self->user.pid);
	fd = offer_ask(self);
	ASSERT_LE(0, fd);
	theirs = peer_give_fd(&same, self->sv, fd);
	EXPECT_ERRNO(EACCES, peer_call(&same, op_accept, theirs, XMAP_RIGHT_READ, 0, 0));
	EXPECT_LE(0, peer_call(&self->user, op_accept, give(fd), XMAP_RIGHT_READ, 0, 0));
	self->ask->receiver_uid = UID_A;
	fd = offer_ask(self);
	ASSERT_LE(0, fd);
	EXPECT_ERRNO(EACCES, peer_call(&self->user, op_accept, give(fd), XMAP_RIGHT_READ, 0, 0));

	*self->ask = (struct xmap_cmd_export_create){ .rights = 1, .receiver_uid = UID_B };
	EXPECT_CREATE_ERRNO(EINVAL);
	self->ask->flags = XMAP_EXPORT_FOR_USER;
	self->ask->receiver_uid = -1;
	EXPECT_CREATE_ERRNO(EINVAL);
	peer_end(&same);
}

/* ---- What does not matter ---- */

/* Consent is about one's own memory: whether others may look without it is nothing to it. */
TEST_F_TIMEOUT(offer, dumpable_and_yama, PEER_TIMEOUT)
{
	int fd, dumpable, scope;
	long got;

	for (scope = 0; scope <= 2; scope++) {
		ASSERT_EQ(0, xmap_write_long(YAMA_SCOPE, scope));
		for (dumpable = 0; dumpable <= 1; dumpable++) {
			ASSERT_EQ(0, peer_call(&self->owner, op_prctl, PR_SET_DUMPABLE, dumpable));
			fd = offer_range(self, XMAP_RIGHTS_RW, self->mem, LEN);
			ASSERT_LE(0, fd);
			got = peer_call(&self->user, op_accept, give(fd), XMAP_RIGHTS_RW, 0, 0);
			ASSERT_LE(0, got);
			EXPECT_EQ(peer_word(SEED, 0),
				  (__u64)peer_call(&self->user, op_read, got, self->mem));
			EXPECT_NE(-1, peer_call(&self->user, op_window, got, self->mem, LEN, RW));
			EXPECT_ERRNO(EACCES, peer_call(&self->user, op_target, self->dev,
						       self->owner.pid, XMAP_RIGHT_READ));
			close(fd);
		}
	}
}

/* ---- Limits ---- */

/* /dev/xmap: wait until no process of this user has an export, as those of tests before had. */
static long op_await_no_exports(const unsigned long *a)
{
	struct xmap_cmd_query q;

	do {
		sched_yield();
		if (_test_query(a[0], &q))
			return -1;
	} while (q.out_exports);
	return 0;
}

TEST_F_TIMEOUT(offer, limit, PEER_TIMEOUT)
{
	struct xmap_cmd_query query;
	long fd[2], fresh;
	int taken;

	ASSERT_EQ(0, op_await_no_exports((unsigned long[]){ self->dev }));
	ASSERT_EQ(0, peer_call(&self->owner, op_await_no_exports, self->dev));
	ASSERT_EQ(0, peer_call(&self->user, op_await_no_exports, self->dev));
	ASSERT_EQ(0, xmap_write_long(MAX_EXPORTS, 2));
	test_query(self->dev, &query);
	EXPECT_EQ(2, query.out_max_exports);
	EXPECT_EQ(0, query.out_exports);
	fd[0] = peer_call(&self->owner, op_export, self->dev, XMAP_RIGHT_READ, 0, 0);
	fd[1] = peer_call(&self->owner, op_export, self->dev, XMAP_RIGHT_READ, 0, 0);
	ASSERT_LE(0, fd[0]);
	ASSERT_LE(0, fd[1]);
	EXPECT_ERRNO(EDQUOT, peer_call(&self->owner, op_export, self->dev, XMAP_RIGHT_READ, 0, 0));
	/* Nobody else feels it. */
	EXPECT_LE(0, peer_call(&self->user, op_export, self->dev, XMAP_RIGHT_READ, 0, 0));
	ASSERT_EQ(0, peer_close(&self->owner, fd[1]));
	fresh = peer_call(&self->owner, op_export, self->dev, XMAP_RIGHT_READ, 0, 0);
	EXPECT_LE(0, fresh);
	EXPECT_ERRNO(EDQUOT, peer_call(&self->owner, op_export, self->dev, XMAP_RIGHT_READ, 0, 0));
	/* What there is stays, and works, when the limit falls below it. */
	ASSERT_EQ(0, xmap_write_long(MAX_EXPORTS, 0));
	taken = peer_take_fd(&self->owner, fd[0]);
	EXPECT_LE(0, accept_all(taken, XMAP_RIGHT_READ));
	test_err_export_create(EDQUOT, self->dev, XMAP_RIGHT_READ, 0, 0);

	/* Somebody holds the offer of one who has ended: it counts on. */
	ASSERT_EQ(0, xmap_write_long(MAX_EXPORTS, 1));
	peer_end(&self->owner);
	ASSERT_EQ(0, peer_spawn_as(&self->owner, UID_A, UID_A, 0));
	ASSERT_EQ(0, peer_close(&self->owner, taken));
	EXPECT_ERRNO(EDQUOT, peer_call(&self->owner, op_export, self->dev, XMAP_RIGHT_READ, 0, 0));
	close(taken);
	EXPECT_LE(0, peer_call(&self->owner, op_export, self->dev, XMAP_RIGHT_READ, 0, 0));
}

TEST_HARNESS_MAIN
