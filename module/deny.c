// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that wants nobody to look at it.
 *
 * A denial belongs to an address space.  A notifier on that ends it, so that
 * neither the module nor a descriptor needs to be held for it, and nothing
 * stays of a process that has ended.  Whoever takes a denial out of the table
 * also puts its notifier; it is freed when no callback runs any more.
 *
 * Order: the denial is in the table before the registry is searched for those
 * who are there already, and a new target is in the registry before it is asked
 * whether it is denied.  So one of them sees the other.
 */
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "xmap.h"

/**
 * struct xmap_denial - One address space that refuses
 * @mn: Notifier on it; frees this
 * @entry: In xmap_denials.  Lock: xmap_denials_lock
 * @mm: The address space, to be compared only.  Constant
 * @final: Cannot be taken back.  Lock: xmap_denials_lock
 */
struct xmap_denial {
	struct mmu_notifier mn;
	struct hlist_node entry;
	struct mm_struct *mm;
	bool final;
};

static DEFINE_HASHTABLE(xmap_denials, 6);
static DEFINE_SPINLOCK(xmap_denials_lock);
/* Those that have not been freed. */
static atomic_t xmap_nr_denials;

static struct xmap_denial *xmap_denial_find(const struct mm_struct *mm)
{
	struct xmap_denial *denial;

	lockdep_assert_held(&xmap_denials_lock);
	hash_for_each_possible(xmap_denials, denial, entry, (unsigned long)mm) {
		if (denial->mm == mm)
			return denial;
	}
	return NULL;
}

/* Does this address space refuse? */
bool xmap_denied(struct mm_struct *mm)
{
	bool denied;

	spin_lock(&xmap_denials_lock);
	denied = xmap_denial_find(mm);
	spin_unlock(&xmap_denials_lock);
	return denied;
}

/* Take it out of the table; false if somebody else has. */
static bool xmap_denial_unhash(struct xmap_denial *denial)
{
	bool mine;

	spin_lock(&xmap_denials_lock);
	mine = !hlist_unhashed(&denial->entry);
	if (mine)
		hash_del(&denial->entry);
	spin_unlock(&xmap_denials_lock);
	return mine;
}

static struct mmu_notifier *xmap_denial_alloc(struct mm_struct *mm)
{
	struct xmap_denial *denial = kzalloc(sizeof(*denial), GFP_KERNEL_ACCOUNT);

	if (!denial)
		return ERR_PTR(-ENOMEM);
	denial->mm = mm;
	atomic_inc(&xmap_nr_denials);
	return &denial->mn;
}

static void xmap_denial_free(struct mmu_notifier *mn)
{
	kfree(container_of(mn, struct xmap_denial, mn));
	if (atomic_dec_and_test(&xmap_nr_denials))
		wake_up_var(&xmap_nr_denials);
}

/* The address space ends. */
static void xmap_denial_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct xmap_denial *denial = container_of(mn, struct xmap_denial, mn);

	if (xmap_denial_unhash(denial))
		mmu_notifier_put(mn);
}

static const struct mmu_notifier_ops xmap_denial_ops = {
	.alloc_notifier = xmap_denial_alloc,
	.free_notifier = xmap_denial_free,
	.release = xmap_denial_release,
};

/*
 * A target on the caller that he refuses, after the one with the number @data.
 * Who comes later than this search asks xmap_denied().
 */
static bool xmap_deny_test(const struct xmap_object *obj, void *data)
{
	u64 *after = data;

	if (obj->serial <= *after || obj->kind != XMAP_LIST_TARGET ||
	    obj->node->mm != current->mm || obj->node->root->consent ||
	    container_of(obj, struct xmap_target, obj)->exempt)
		return false;
	*after = obj->serial;
	return true;
}

/* From all of them, before anybody is waited for: that can last. */
static void xmap_deny_take_back(void)
{
	const struct xmap_range whole = { .end = xmap_user_end() };
	struct xmap_node *node;
	u64 after = 0;

	while ((node = xmap_account_find(xmap_deny_test, &after))) {
		/* Of all of it: that cannot fail. */
		xmap_node_take_back(node, &whole, false);
		xmap_node_put(node);
	}
}

static int xmap_deny_revoke(void)
{
	struct xmap_node *node;
	u64 after = 0;
	int rc = 0;

	xmap_deny_take_back();
	xmap_node_wait_copies();
	/* Who is writing has his target, so that it is found again. */
	while (!rc && (node = xmap_account_find(xmap_deny_test, &after))) {
		rc = xmap_node_wait_forced(node);
		xmap_node_put(node);
	}
	return rc;
}

/* Two threads may do this at a time: they get the same denial, and each a reference. */
static int xmap_deny_set(bool final)
{
	struct xmap_denial *denial;
	struct mmu_notifier *mn;
	bool there;

	/*
	 * A forced write that waits for a page holds that lock: what there is ends
	 * before it is waited for.  To open another target also needs the lock.
	 */
	xmap_deny_take_back();
	if (mmap_write_lock_killable(current->mm))
		return -EINTR;
	mn = mmu_notifier_get_locked(&xmap_denial_ops, current->mm);
	mmap_write_unlock(current->mm);
	if (IS_ERR(mn))
		return mn == ERR_PTR(-EINTR) ? -ERESTARTSYS : PTR_ERR(mn);
	denial = container_of(mn, struct xmap_denial, mn);

	spin_lock(&xmap_denials_lock);
	there = !hlist_unhashed(&denial->entry);
	if (!there)
		hash_add(xmap_denials, &denial->entry, (unsigned long)denial->mm);
	denial->final |= final;
	spin_unlock(&xmap_denials_lock);
	/* The table has one reference, whoever brought it. */
	if (there)
		mmu_notifier_put(mn);
	return 0;
}

static int xmap_deny_clear(void)
{
	struct xmap_denial *denial;
	int rc = 0;

	spin_lock(&xmap_denials_lock);
	denial = xmap_denial_find(current->mm);
	if (denial && denial->final)
		rc = -EPERM;
	else if (denial)
		hash_del(&denial->entry);
	spin_unlock(&xmap_denials_lock);
	if (denial && !rc)
		mmu_notifier_put(&denial->mn);
	return rc;
}

int xmap_ioctl_deny(struct xmap_ucmd *ucmd)
{
	struct xmap_cmd_deny *cmd = ucmd->cmd;
	struct xmap_denial *denial;
	int rc = 0;

	if (cmd->flags & ~(XMAP_DENY_SET | XMAP_DENY_CLEAR | XMAP_DENY_FINAL) || cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->flags & XMAP_DENY_CLEAR && cmd->flags != XMAP_DENY_CLEAR)
		return -EINVAL;
	if (cmd->flags == XMAP_DENY_FINAL)
		return -EINVAL;

	if (cmd->flags & XMAP_DENY_SET) {
		rc = xmap_deny_set(cmd->flags & XMAP_DENY_FINAL);
		if (!rc)
			rc = xmap_deny_revoke();
	} else if (cmd->flags) {
		rc = xmap_deny_clear();
	}
	if (rc)
		return rc;

	cmd->out_flags = 0;
	spin_lock(&xmap_denials_lock);
	denial = xmap_denial_find(current->mm);
	if (denial)
		cmd->out_flags = XMAP_DENY_SET | (denial->final ? XMAP_DENY_FINAL : 0);
	spin_unlock(&xmap_denials_lock);
	return xmap_ucmd_respond(ucmd, sizeof(*cmd));
}

/* Take any denial out of the table. */
static struct xmap_denial *xmap_denial_pop(void)
{
	struct xmap_denial *denial, *found = NULL;
	int i;

	spin_lock(&xmap_denials_lock);
	hash_for_each(xmap_denials, i, denial, entry) {
		found = denial;
		break;
	}
	if (found)
		hash_del(&found->entry);
	spin_unlock(&xmap_denials_lock);
	return found;
}

/* No command runs any more, but processes may be ending. */
void xmap_deny_exit(void)
{
	struct xmap_denial *denial;

	while ((denial = xmap_denial_pop()))
		mmu_notifier_put(&denial->mn);
	/*
	 * No ->release runs when this is over.  It does not wait for what frees the
	 * denials on other processors: they do it in a callback, with bottom halves
	 * disabled, whose last instructions are waited for as well.
	 */
	mmu_notifier_synchronize();
	wait_var_event(&xmap_nr_denials, !atomic_read(&xmap_nr_denials));
	synchronize_rcu();
}
