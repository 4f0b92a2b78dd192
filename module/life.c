// SPDX-License-Identifier: GPL-2.0-only
/* Learning of the end of an address space, and what state things are in. */
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>

#include "xmap.h"

/*
 * Called for every change to the page at address 0, which next to nobody has,
 * and once for the end of the address space.  No lock but the queue's: pollers read one flag.
 */
static bool xmap_life_invalidate(struct mmu_interval_notifier *mni,
				 const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	struct xmap_node *root = container_of(mni, struct xmap_node, life);

	mmu_interval_set_seq(mni, cur_seq);
	if (range->event == MMU_NOTIFY_RELEASE) {
		WRITE_ONCE(root->dead, true);
		wake_up_all(&root->wq);
	}
	return true;
}

static const struct mmu_interval_notifier_ops xmap_life_ops = {
	.invalidate = xmap_life_invalidate,
};

/**
 * xmap_life_watch - Have a root learn of the end of its address space
 * @root: The root; the caller holds mm_users of its mm
 *
 * The first interval notifier of an mm takes all its locks, which needs its
 * mmap_lock.  That is done here, killably, so that it need not be done under
 * another mm's mmap_lock when a window is made; and for a root only, so that
 * strangers who accept an export do not hold up its owner.
 *
 * Return: 0, -EINTR, -ERESTARTSYS or -ENOMEM.
 */
int xmap_life_watch(struct xmap_node *root)
{
	int rc;

	if (mmap_write_lock_killable(root->mm))
		return -EINTR;
	rc = mmu_interval_notifier_insert_locked(&root->life, root->mm, 0, PAGE_SIZE,
						 &xmap_life_ops);
	mmap_write_unlock(root->mm);
	/* Taking all locks gives way to any signal. */
	if (rc)
		return rc == -EINTR ? -ERESTARTSYS : rc;
	/*
	 * While a change of the mm is under way, the notifier only waits in a queue
	 * and would miss the end.  Wait until it is in the tree.
	 */
	mmu_interval_read_begin(&root->life);
	return 0;
}

/* Also after a failed xmap_life_watch(). */
void xmap_life_end(struct xmap_node *root)
{
	if (root->life.mm)
		mmu_interval_notifier_remove(&root->life);
}

/* enum xmap_target_state of @range of a node. */
u32 xmap_state(const struct xmap_node *node, const struct xmap_range *range)
{
	if (xmap_node_revoked(node, range))
		return XMAP_TARGET_REVOKED;
	/* A region does not depend on any. */
	return !node->mm || xmap_mm_in_use(node->mm) ? XMAP_TARGET_ALIVE : XMAP_TARGET_DEAD;
}

/* Threads of a process that may have ended, and are still there, before one that lives. */
#define XMAP_OWNER_LOOK 64

/*
 * Number of the thread group that @mm is reported to belong to; 0 as for
 * xmap_pid_nr(), or if it has another one by now.  Somebody else may have kept
 * @mm alive (CLONE_VM), and should not pass for what that process has become.
 * Threads that have ended stay while they are traced, any number of them, and
 * XMAP_LIST asks for many objects with a lock held: so look at a few only.
 */
s32 xmap_owner_nr(struct pid *pid, const struct mm_struct *mm, struct pid_namespace *ns)
{
	const struct mm_struct *has = NULL;
	struct task_struct *leader, *task;
	unsigned int looked = 0;

	rcu_read_lock();
	leader = pid ? pid_task(pid, PIDTYPE_TGID) : NULL;
	/* Its threads have one in common; those that have ended, as the leader may, none. */
	if (leader) {
		for_each_thread(leader, task) {
			has = READ_ONCE(task->mm);
			if (has || ++looked == XMAP_OWNER_LOOK)
				break;
		}
	}
	rcu_read_unlock();
	return has == mm ? pid_nr_ns(pid, ns) : 0;
}

const char *xmap_state_name(u32 state)
{
	switch (state) {
	case XMAP_TARGET_ALIVE:
		return "alive";
	case XMAP_TARGET_DEAD:
		return "dead";
	default:
		return "revoked";
	}
}
