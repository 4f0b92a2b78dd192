// SPDX-License-Identifier: GPL-2.0-only
/*
 * The access matrix at Yama scope 3: nobody may attach, not even root.  Needs a
 * machine of its own, since the scope cannot be lowered again.
 */
#include "xmap_matrix.h"

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

TEST_HARNESS_MAIN
