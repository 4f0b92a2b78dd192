// SPDX-License-Identifier: GPL-2.0-only
/* Taking back: who may, and what. */
#include <linux/cred.h>
#include <linux/pid.h>

#include "xmap.h"

/*
 * Who made it, or what it was made from, may take it back from everybody that it
 * was given to.  Whoever offers his memory may take it back however it was passed
 * on, and so may those who answer for the container that he runs in.  What was
 * opened by privilege neither can take back, or a container could stop a debugger
 * of the machine: XMAP_DENY is for that, and those who answer for who opened it.
 * Of an export @maker is not looked at.
 */
static bool xmap_revoke_allowed(const struct xmap_node *node, const struct cred *maker)
{
	if (xmap_node_made_by(node, task_tgid(current)))
		return true;
	if (!node->root->consent)
		return ns_capable(maker->user_ns, CAP_SYS_ADMIN);
	return node->mm == current->mm || ns_capable(node->mm->user_ns, CAP_SYS_ADMIN);
}

/*
 * What of @range is the object's.  It cannot use up pieces with the rest; and what
 * leaves nothing of it is everything, which needs no memory.
 */
static int xmap_revoke_clip(const struct xmap_range *own, struct xmap_range *range)
{
	if (!xmap_range_overlaps(own, range))
		return -EFAULT;
	if (xmap_range_contains(range, own))
		*range = (struct xmap_range){ .end = xmap_user_end() };
	else
		*range = xmap_range_clip(range, own);
	return 0;
}

/* What the name of a region stands for: all of it, whatever its length is. */
static const struct xmap_range xmap_all_offsets = { .end = ~(u64)0 };

static const struct xmap_range *xmap_revoke_own(const struct xmap_object *obj)
{
	if (obj->kind == XMAP_LIST_EXPORT)
		return xmap_export_range(obj);
	if (obj->kind == XMAP_LIST_REGION)
		return xmap_region_range(obj);
	if (obj->kind == XMAP_LIST_NAME)
		return &xmap_all_offsets;
	return &container_of(obj, struct xmap_target, obj)->range;
}

static int xmap_revoke_range(const struct xmap_cmd_revoke *cmd, struct xmap_range *range)
{
	const struct xmap_range whole = { .end = xmap_user_end() };
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	rc = xmap_range_from_user(range, cmd->addr, cmd->length, &whole);
	if (!rc && !xmap_range_contains(&whole, range))
		rc = -EFAULT;
	return rc;
}

/* On an export, a target or a region: the private data of each begins with the object. */
int xmap_ioctl_revoke(struct xmap_ucmd *ucmd)
{
	struct xmap_object *obj = ucmd->file->private_data;
	struct xmap_cmd_revoke *cmd = ucmd->cmd;
	struct xmap_range range;
	const struct cred *cred;
	int rc;

	BUILD_BUG_ON(offsetof(struct xmap_target, obj));
	rc = xmap_revoke_range(cmd, &range);
	if (rc)
		return rc;
	if (cmd->serial)
		return -EINVAL;
	/* That of an export whose maker has closed it is gone. */
	cred = obj->node->root->consent ? NULL : obj->cred;
	if (!xmap_revoke_allowed(obj->node, cred))
		return -EPERM;
	rc = xmap_revoke_clip(xmap_revoke_own(obj), &range);
	return rc ?: xmap_node_revoke(obj->node, &range, xmap_region_answers(obj->node));
}

/**
 * struct xmap_revoke_search - An object by its number
 * @serial: Number
 * @cred: Out: of who made it, with a reference
 * @own: Out: its range
 */
struct xmap_revoke_search {
	u64 serial;
	const struct cred *cred;
	struct xmap_range own;
};

static bool xmap_revoke_test(const struct xmap_object *obj, void *data)
{
	struct xmap_revoke_search *search = data;

	/* A window is its target's affair.  What one may not see does not exist. */
	if (obj->serial != search->serial || obj->kind == XMAP_LIST_WINDOW ||
	    !xmap_object_visible(obj))
		return false;
	search->cred = get_cred(obj->cred);
	search->own = *xmap_revoke_own(obj);
	return true;
}

/* On /dev/xmap: what XMAP_LIST has shown. */
int xmap_ioctl_dev_revoke(struct xmap_ucmd *ucmd)
{
	struct xmap_cmd_revoke *cmd = ucmd->cmd;
	struct xmap_revoke_search search = { .serial = cmd->serial };
	struct xmap_node *node;
	struct xmap_range range;
	int rc;

	rc = xmap_revoke_range(cmd, &range);
	if (rc)
		return rc;
	if (!cmd->serial)
		return -EINVAL;
	node = xmap_account_find(xmap_revoke_test, &search);
	if (!node)
		return -ENOENT;
	rc = -EPERM;
	if (xmap_revoke_allowed(node, search.cred))
		rc = xmap_revoke_clip(&search.own, &range) ?:
		     xmap_node_revoke(node, &range, xmap_region_answers(node));
	put_cred(search.cred);
	xmap_node_put(node);
	return rc;
}
