// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is done to a region as a whole: sealing, resizing, moving from owner to owner,
 * new pages, the end of its name.
 *
 * The mutex keeps these apart.  Nobody who faults, maps, reads or writes takes it.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "region.h"

static const struct xmap_range xmap_all_offsets = { .end = ~(u64)0 };

/* Begin a change that MANAGE allows, and if there is an owner to him alone. */
static int xmap_region_begin(struct xmap_handle *handle, u32 rights)
{
	struct xmap_region *region = handle->region;
	int rc;

	/* Who has not got the right does not wait to be told so. */
	if (rights & ~handle->rights || !xmap_handle_whole(handle))
		return -EACCES;
	if (mutex_lock_killable(&region->mutex))
		return -EINTR;
	/* Who revokes publishes first, then comes here: one of us sees the other. */
	rc = xmap_handle_manage(handle, rights);
	if (!rc && xmap_region_single(region) && region->owner != current->mm)
		rc = -EPERM;
	if (rc)
		mutex_unlock(&region->mutex);
	return rc;
}

static int xmap_region_add_seals(struct xmap_region *region, u32 seals)
{
	int rc = 0;

	spin_lock(&region->lock);
	if (region->seals & XMAP_REGION_SEAL_SEAL)
		rc = -EPERM;
	else if (seals & ~region->seals & XMAP_REGION_SEAL_WRITE && region->writers)
		rc = -EBUSY;
	else
		WRITE_ONCE(region->seals, region->seals | seals);
	spin_unlock(&region->lock);
	return rc;
}

int xmap_ioctl_region_seal(struct xmap_ucmd *ucmd)
{
	const u32 all = XMAP_REGION_SEAL_SEAL | XMAP_REGION_SEAL_SHRINK | XMAP_REGION_SEAL_GROW |
			XMAP_REGION_SEAL_WRITE | XMAP_REGION_SEAL_FUTURE_WRITE;
	struct xmap_handle *handle = ucmd->file->private_data;
	struct xmap_region *region = handle->region;
	struct xmap_cmd_region_seal *cmd = ucmd->cmd;
	u32 old;
	int rc;

	if (cmd->flags || cmd->seals & ~all)
		return -EOPNOTSUPP;
	if (!cmd->seals)
		return -EINVAL;
	rc = xmap_region_begin(handle, XMAP_RIGHT_MANAGE);
	if (rc)
		return rc;
	old = region->seals;
	rc = xmap_region_add_seals(region, cmd->seals);
	cmd->out_seals = region->seals;
	/*
	 * Nobody has a writable mapping, or will.  Writes of system calls that had
	 * asked before end, and those that are under way by reference go elsewhere.
	 */
	if (!rc && cmd->seals & ~old & XMAP_REGION_SEALS_WRITE)
		xmap_memory_settle(region, &xmap_all_offsets,
				   cmd->seals & ~old & XMAP_REGION_SEAL_WRITE ?
				   XMAP_SETTLE_HELD : XMAP_SETTLE_ASKED);
	mutex_unlock(&region->mutex);
	xmap_memory_pay(region);
	if (rc)
		return rc;
	xmap_region_event(region, handle);
	return xmap_ucmd_respond(ucmd, sizeof(*cmd));
}

/* Under the mutex. */
static int xmap_region_resize(struct xmap_region *region, u64 length)
{
	u64 old = region->length;
	u64 charged = xmap_region_charged(region, old);
	u64 bytes = xmap_region_charged(region, length);
	int rc;

	if (length < old && region->seals & XMAP_REGION_SEAL_SHRINK)
		return -EPERM;
	if (length > old && region->seals & XMAP_REGION_SEAL_GROW)
		return -EPERM;
	if (region->address.end && length > xmap_range_length(&region->address))
		return -ENOSPC;
	if (bytes > charged) {
		rc = xmap_account_region(&region->user, 0, bytes - charged);
		if (rc)
			return rc;
	}
	rc = xmap_memory_resize(region, length);
	/* What it has no more, or has not got. */
	xmap_account_unregion(region->user, 0, max(bytes, charged) -
			      xmap_region_charged(region, region->length));
	return rc;
}

/**
 * xmap_region_retire - End a region if nobody can ever reach it again
 * @region: The region; from its top something has been revoked, and that is settled
 *
 * Then its memory and its name do not wait for the last descriptor of a handle that is good
 * for nothing.
 */
void xmap_region_retire(struct xmap_region *region)
{
	struct xmap_range all = {};
	u64 charged;
	bool gone;

	mutex_lock(&region->mutex);
	/* Who makes it longer asks when he has the mutex: one of us sees the other. */
	all.end = region->length;
	gone = xmap_node_revoked(region->root, &all);
	charged = xmap_region_charged(region, region->length);
	/* To shorten it cannot fail. */
	if (gone && !WARN_ON_ONCE(xmap_memory_resize(region, 0)))
		xmap_account_unregion(region->user, 0, charged - xmap_region_charged(region, 0));
	mutex_unlock(&region->mutex);
	if (gone)
		xmap_region_unlink(region);
}

int xmap_ioctl_region_resize(struct xmap_ucmd *ucmd)
{
	struct xmap_handle *handle = ucmd->file->private_data;
	struct xmap_cmd_region_resize *cmd = ucmd->cmd;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!cmd->length || !PAGE_ALIGNED(cmd->length) || cmd->length > xmap_user_end())
		return -EINVAL;
	rc = xmap_region_begin(handle, XMAP_RIGHT_MANAGE);
	if (rc)
		return rc;
	rc = xmap_region_resize(handle->region, cmd->length);
	xmap_region_check_owner(handle->region);
	mutex_unlock(&handle->region->mutex);
	xmap_memory_pay(handle->region);
	if (!rc)
		xmap_region_event(handle->region, handle);
	return rc;
}

int xmap_ioctl_region_rebind(struct xmap_ucmd *ucmd)
{
	struct xmap_handle *handle = ucmd->file->private_data;
	struct xmap_cmd_region_rebind *cmd = ucmd->cmd;
	struct xmap_region *region = handle->region;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	rc = xmap_region_begin(handle, XMAP_RIGHT_MANAGE | XMAP_RIGHT_WRITE);
	if (rc)
		return rc;
	if (region->seals & XMAP_REGION_SEALS_WRITE) {
		mutex_unlock(&region->mutex);
		return -EPERM;
	}
	xmap_memory_renew(region);
	/* Who sees the new number sees the new pages. */
	smp_store_release(&region->generation, region->generation + 1);
	cmd->out_generation = region->generation;
	mutex_unlock(&region->mutex);
	xmap_region_event(region, handle);
	return xmap_ucmd_respond(ucmd, sizeof(*cmd));
}

/* Under the mutex: from now on nobody reaches the memory. */
void xmap_region_disown(struct xmap_region *region)
{
	struct mem_cgroup *payer = region->payer, *active;
	struct mm_struct *owner = region->owner;

	lockdep_assert_held(&region->mutex);
	if (!owner)
		return;
	region->holding = NULL;
	region->payer = NULL;
	WRITE_ONCE(region->owner, NULL);
	/*
	 * Who has had it is the only one who can hold pages of it.  The caller can be
	 * anybody, even one who has no address space any more, and so no memory cgroup.
	 */
	active = set_active_memcg(payer);
	xmap_memory_settle(region, &xmap_all_offsets, XMAP_SETTLE_HELD);
	set_active_memcg(active);
	mem_cgroup_put(payer);
	mmdrop(owner);
}

/*
 * Under the mutex: who has nothing of it any more does not keep it from others.  Returns
 * whether somebody did: that is an event.
 */
bool xmap_region_check_owner(struct xmap_region *region)
{
	const struct xmap_range all = { .end = region->length };

	lockdep_assert_held(&region->mutex);
	if (!region->holding || !xmap_node_revoked(region->holding, &all))
		return false;
	xmap_region_disown(region);
	return true;
}

int xmap_ioctl_region_give(struct xmap_ucmd *ucmd)
{
	struct xmap_handle *handle = ucmd->file->private_data;
	struct xmap_cmd_region_give *cmd = ucmd->cmd;
	struct xmap_region *region = handle->region;
	int rc = 0;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!xmap_region_single(region))
		return -EINVAL;
	if (mutex_lock_killable(&region->mutex))
		return -EINTR;
	if (region->owner == current->mm)
		xmap_region_disown(region);
	else
		rc = -EPERM;
	mutex_unlock(&region->mutex);
	xmap_memory_pay(region);
	if (!rc)
		xmap_region_event(region, handle);
	return rc;
}

int xmap_ioctl_region_take(struct xmap_ucmd *ucmd)
{
	struct xmap_handle *handle = ucmd->file->private_data;
	struct xmap_cmd_region_take *cmd = ucmd->cmd;
	struct xmap_region *region = handle->region;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!xmap_region_single(region))
		return -EINVAL;
	if (mutex_lock_killable(&region->mutex))
		return -EINTR;
	/*
	 * It is taken as a whole; with which rights is no matter.  Who revokes publishes
	 * first, then looks by which handle it was taken: one of us sees the other.
	 */
	rc = xmap_handle_manage(handle, 0);
	if (!rc && region->owner && xmap_mm_in_use(region->owner))
		rc = -EBUSY;
	if (!rc) {
		/* Whoever still had hold of an owner's memory that has ended loses it. */
		xmap_region_disown(region);
		mmgrab(current->mm);
		region->payer = get_mem_cgroup_from_mm(current->mm);
		region->holding = handle->obj.node;
		WRITE_ONCE(region->owner, current->mm);
	}
	mutex_unlock(&region->mutex);
	xmap_memory_pay(region);
	if (!rc)
		xmap_region_event(region, handle);
	return rc;
}

int xmap_ioctl_region_unlink(struct xmap_ucmd *ucmd)
{
	struct xmap_handle *handle = ucmd->file->private_data;
	struct xmap_cmd_region_unlink *cmd = ucmd->cmd;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!(handle->rights & XMAP_RIGHT_MANAGE) || !xmap_handle_whole(handle))
		return -EACCES;
	/* Who has lost a piece of it can still end what he keeps for others. */
	if (xmap_handle_revoked(handle))
		return -ESTALE;
	return xmap_region_unlink(handle->region);
}

int xmap_ioctl_region_notify(struct xmap_ucmd *ucmd)
{
	struct xmap_handle *handle = ucmd->file->private_data;
	struct xmap_cmd_region_notify *cmd = ucmd->cmd;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!(handle->rights & XMAP_RIGHT_WRITE))
		return -EACCES;
	if (xmap_handle_revoked(handle))
		return -ESTALE;
	xmap_region_event(handle->region, handle);
	return 0;
}
