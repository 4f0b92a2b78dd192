// SPDX-License-Identifier: GPL-2.0-only
/*
 * The access matrix at Yama scope 3: nobody may attach, not even root.  Needs a
 * machine of its own, since the scope cannot be lowered again.
 */
#include "xmap_matrix.h"
#include "xmap_export_utils.h"

FIXTURE_VARIANT_ADD(matrix, yama3)
{
	.scope = 3,
};

/* Delegation is no attach: a file that was opened before stays good. */
TEST(delegation_outlives_the_scope)
{
	int dev, memfd, target;
	char path[64], byte;
	struct peer p;

	test_dev_open(&dev);
	ASSERT_EQ(0, peer_spawn(&p));
	ASSERT_EQ(0, xmap_write_long(YAMA_SCOPE, 3));
	snprintf(path, sizeof(path), "/proc/%d/mem", p.pid);
	EXPECT_ERRNO(EACCES, open(path, O_RDONLY));
	test_err_target_open(EACCES, dev, p.pidfd, p.pid, XMAP_RIGHT_READ, 0, 0);

	/* Of oneself it can be opened; the peer's copy of the fd shows us. */
	memfd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, memfd);
	test_target_open_mem(dev, memfd, XMAP_RIGHT_READ, 0, 0, &target);
	EXPECT_EQ(1, pread(target, &byte, 1, MARK_ADDR));
	EXPECT_EQ(MARK_PLAIN, byte);
	close(target);
	close(memfd);
	peer_end(&p);
	close(dev);
}

/* Consent is no attach either. */
TEST(consent_outlives_the_scope)
{
	int dev, sv[2], export, fd;
	struct peer owner;
	long theirs;

	test_dev_open(&dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv));
	ASSERT_EQ(0, peer_spawn_as(&owner, UID_A, UID_A, 0));
	ASSERT_EQ(0, xmap_write_long(YAMA_SCOPE, 3));
	theirs = peer_call(&owner, op_export, dev, XMAP_RIGHT_READ, MARK_ADDR, 1);
	ASSERT_LE(0, theirs);
	ASSERT_EQ(0, peer_call(&owner, op_send_fd, sv[0], theirs));
	export = xmap_recv_fd(sv[1]);
	ASSERT_LE(0, export);
	test_err_target_open(EACCES, dev, owner.pidfd, owner.pid, XMAP_RIGHT_READ, 0, 0);
	test_export_accept(export, XMAP_RIGHT_READ, 0, 0, &fd);
	EXPECT_EQ(1, pread(fd, &theirs, 1, MARK_ADDR));
	EXPECT_EQ(MARK_PLAIN, (char)theirs);
	ASSERT_EQ(0, peer_call(&owner, op_revoke, dev,
			       xmap_serial(dev, XMAP_LIST_TARGET, getpid()), 0, 0));
	EXPECT_ERRNO(ESTALE, pread(fd, &theirs, 1, MARK_ADDR));
	peer_end(&owner);
	close(dev);
}

TEST_HARNESS_MAIN
