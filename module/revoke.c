// SPDX-License-Identifier: GPL-2.0-only
/* Taking back: who may, and what. */
#include <linux/cred.h>
#include <linux/pid.h>

#include "xmap.h"

/*
 * Who made it may take it back, from everybody that he gave it to.  Whoever offers
 * his memory may take it back however it was passed on, and so may those who
 * answer for the container that he runs in.  What was opened by privilege
 * neither can take back, or a container could stop a debugger of the machine:
 * XMAP_DENY is for that, and those who answer for who opened it.
 */
static bool xmap_revoke_allowed(const struct xmap_object *obj)
{
	if (obj->holder == task_tgid(current))
		return true;
	if (!obj->node->root->consent)
		return ns_capable(obj->cred->user_ns, CAP_SYS_ADMIN);
	return obj->node->mm == current->mm || ns_capable(obj->node->mm->user_ns, CAP_SYS_ADMIN);
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

/* On an export or a target: either's private data begins with the object. */
int xmap_ioctl_revoke(struct xmap_ucmd *ucmd)
{
	struct xmap_object *obj = ucmd->file->private_data;
	struct xmap_cmd_revoke *cmd = ucmd->cmd;
	struct xmap_range range;
	int rc;

	rc = xmap_revoke_range(cmd, &range);
	if (rc)
		return rc;
	if (cmd->serial)
		return -EINVAL;
	if (!xmap_revoke_allowed(obj))
		return -EPERM;
	return xmap_node_revoke(obj->node, &range);
}

/**
 * struct xmap_revoke_search - An object by its number
 * @serial: Number
 * @found: Is there one?
 */
struct xmap_revoke_search {
	u64 serial;
	bool *found;
};

static bool xmap_revoke_test(const struct xmap_object *obj, const void *data)
{
	const struct xmap_revoke_search *search = data;

	/* A window is its target's affair. */
	if (obj->serial != search->serial || obj->kind == XMAP_LIST_WINDOW)
		return false;
	*search->found = true;
	return xmap_revoke_allowed(obj);
}

/* On /dev/xmap: what XMAP_LIST has shown. */
int xmap_ioctl_dev_revoke(struct xmap_ucmd *ucmd)
{
	struct xmap_cmd_revoke *cmd = ucmd->cmd;
	struct xmap_revoke_search search;
	struct xmap_node *node;
	struct xmap_range range;
	bool found = false;
	int rc;

	rc = xmap_revoke_range(cmd, &range);
	if (rc)
		return rc;
	if (!cmd->serial)
		return -EINVAL;
	search.serial = cmd->serial;
	search.found = &found;
	node = xmap_account_find(xmap_revoke_test, &search);
	if (!node)
		return found ? -EPERM : -ENOENT;
	rc = xmap_node_revoke(node, &range);
	xmap_node_put(node);
	return rc;
}
