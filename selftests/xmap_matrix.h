/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The access matrix: every caller against every target, at one Yama scope per
 * variant.  Scope 3 cannot be left again, so it has a program of its own.
 */
#ifndef XMAP_MATRIX_H
#define XMAP_MATRIX_H

#include "xmap_access.h"

FIXTURE(matrix)
{
	int dev;
	long old_scope;
	struct helper helper;
	struct peer caller;
	struct peer targets[T_COUNT];
	unsigned int allowed;
	unsigned int denied;
	unsigned int gone;
};

#define MATRIX FIXTURE_DATA(matrix)

FIXTURE_VARIANT(matrix)
{
	long scope;
};

FIXTURE_SETUP(matrix)
{
	int kind;

	verdict_new();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, getuid());
	ASSERT_EQ(0, helper_install(&self->helper));
	for (kind = 0; kind < T_COUNT; kind++)
		ASSERT_EQ(0, target_start(kind, &self->targets[kind],
					  &self->helper))
		{
			TH_LOG("target \"%s\": %s", target_names[kind],
			       strerror(errno));
		}
	self->old_scope = xmap_read_long(YAMA_SCOPE);
	ASSERT_LE(0, self->old_scope)
	{
		TH_LOG("this kernel has no Yama");
	}
	ASSERT_EQ(0, xmap_write_long(YAMA_SCOPE, variant->scope));
}

FIXTURE_TEARDOWN(matrix)
{
	int kind;

	peer_end(&self->caller);
	for (kind = 0; kind < T_COUNT; kind++)
		peer_end(&self->targets[kind]);
	helper_remove(&self->helper);
	if (variant->scope < 3)
		xmap_write_long(YAMA_SCOPE, self->old_scope);
	close(self->dev);
}

static void compare(struct __test_metadata *_metadata,
		    MATRIX *self, const char *what, int pidfd,
		    pid_t nr)
{
	ASSERT_EQ(0, peer_call(&self->caller, op_compare, self->dev, pidfd, nr, 0));
	expect_same_verdict(what);
	if (!verdict_expected())
		self->allowed++;
	else if (verdict->before == EPERM)
		self->denied++;
	else
		self->gone++;
}

/* The caller is ready: one row of the matrix. */
static void compare_row(struct __test_metadata *_metadata,
			MATRIX *self)
{
	/* Stands in where the number is nobody's, so that there is no pidfd. */
	int any = self->targets[T_PLAIN].pidfd;
	struct peer *caller = &self->caller;
	pid_t child;
	int kind;

	ASSERT_EQ(0, peer_call(&self->targets[T_PTRACER_CALLER], op_prctl,
			       PR_SET_PTRACER, caller->pid));
	for (kind = 0; kind < T_COUNT; kind++)
		compare(_metadata, self, target_names[kind],
			self->targets[kind].pidfd, self->targets[kind].pid);

	compare(_metadata, self, "self", any, 0);
	compare(_metadata, self, "kernel thread", any, 2);
	compare(_metadata, self, "init", any, 1);

	child = peer_fork(caller);
	ASSERT_LT(0, child);
	compare(_metadata, self, "own child", any, child);
	ASSERT_EQ(child, peer_reap(caller, child));
	compare(_metadata, self, "reaped child", any, child);

	/* Oneself is always allowed; a zombie and a kernel thread never. */
	EXPECT_LE(1, self->allowed);
	EXPECT_LE(2, self->gone);
	TH_LOG("allowed %u, denied %u, no such process %u", self->allowed,
	       self->denied, self->gone);
}

TEST_F(matrix, same_uid)
{
	ASSERT_EQ(0, peer_spawn(&self->caller));
	ASSERT_EQ(0, peer_become(&self->caller, UID_A));
	compare_row(_metadata, self);
	EXPECT_LT(1, self->denied);
}

TEST_F(matrix, other_uid)
{
	ASSERT_EQ(0, peer_spawn(&self->caller));
	ASSERT_EQ(0, peer_become(&self->caller, UID_B));
	compare_row(_metadata, self);
	EXPECT_LT(1, self->denied);
}

TEST_F(matrix, root)
{
	ASSERT_EQ(0, peer_spawn(&self->caller));
	compare_row(_metadata, self);
}

TEST_F(matrix, root_without_ptrace)
{
	__u64 caps = caps_all() & ~CAP_BIT(CAP_SYS_PTRACE);

	ASSERT_EQ(0, peer_spawn(&self->caller));
	ASSERT_EQ(0, peer_call(&self->caller, op_become, 0, 0, caps, caps));
	compare_row(_metadata, self);
	EXPECT_LT(1, self->denied);
}

TEST_F(matrix, root_without_capabilities)
{
	ASSERT_EQ(0, peer_spawn(&self->caller));
	ASSERT_EQ(0, peer_become(&self->caller, 0));
	compare_row(_metadata, self);
	EXPECT_LT(1, self->denied);
}

/* No id in common with any target, and nothing that overrides file modes. */
TEST_F(matrix, ptrace_capability_only)
{
	__u64 caps = CAP_BIT(CAP_SYS_PTRACE);

	ASSERT_EQ(0, peer_spawn(&self->caller));
	ASSERT_EQ(0, peer_call(&self->caller, op_become, 4711, 4711, caps, caps));
	compare_row(_metadata, self);
	if (variant->scope < 3)
		EXPECT_EQ(0, self->denied);
}

TEST_F(matrix, root_of_user_namespace)
{
	ASSERT_EQ(0, peer_spawn(&self->caller));
	ASSERT_EQ(0, peer_become(&self->caller, UID_A));
	ASSERT_EQ(0, peer_call(&self->caller, op_userns, 0));
	compare_row(_metadata, self);
	EXPECT_LT(1, self->denied);
}

/* It cannot name anything outside of its namespace. */
TEST_F(matrix, in_pid_namespace)
{
	ASSERT_EQ(0, peer_spawn_pidns(&self->caller));
	ASSERT_EQ(0, peer_become(&self->caller, UID_A));
	compare_row(_metadata, self);
	EXPECT_LT(T_COUNT / 2, self->gone);
}

TEST_F(matrix, root_in_pid_namespace)
{
	ASSERT_EQ(0, peer_spawn_pidns(&self->caller));
	compare_row(_metadata, self);
	EXPECT_LT(T_COUNT / 2, self->gone);
}

/* A sandbox that has nothing to do with files, and one that denies them all. */
TEST_F(matrix, landlocked)
{
	if (!landlock_there())
		SKIP(return, "this kernel has no Landlock");
	ASSERT_EQ(0, peer_spawn(&self->caller));
	ASSERT_EQ(0, peer_become(&self->caller, UID_A));
	ASSERT_EQ(0, peer_call(&self->caller, op_landlock,
			       LANDLOCK_ACCESS_FS_MAKE_SYM));
	compare_row(_metadata, self);
	EXPECT_LT(T_COUNT / 2, self->denied);
}

TEST_F(matrix, landlocked_root_without_files)
{
	if (!landlock_there())
		SKIP(return, "this kernel has no Landlock");
	ASSERT_EQ(0, peer_spawn(&self->caller));
	ASSERT_EQ(0, peer_call(&self->caller, op_landlock,
			       LANDLOCK_ACCESS_FS_READ_FILE |
			       LANDLOCK_ACCESS_FS_WRITE_FILE |
			       LANDLOCK_ACCESS_FS_READ_DIR));
	compare_row(_metadata, self);
	EXPECT_LT(T_COUNT / 2, self->denied);
}

#endif /* XMAP_MATRIX_H */
