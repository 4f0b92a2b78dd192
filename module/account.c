// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits and the registry: how many exports, targets, windows, and handles and names of
 * regions each user has, and who has what on whom.
 *
 * One mutex guards both.  It nests inside mmap_lock (a window is made there),
 * so nothing under it touches user memory.  The registry never dereferences an
 * object that is being freed: an object leaves the list, under the mutex,
 * before any part of it is torn down.
 */
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/moduleparam.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>

#include "xmap.h"

unsigned int xmap_max_targets = 4096;
module_param_named(max_targets, xmap_max_targets, uint, 0644);
MODULE_PARM_DESC(max_targets, "Targets that one user may have at a time");

unsigned int xmap_max_windows = 16384;
module_param_named(max_windows, xmap_max_windows, uint, 0644);
MODULE_PARM_DESC(max_windows, "Windows that one user may have at a time");

unsigned int xmap_max_exports = 1024;
module_param_named(max_exports, xmap_max_exports, uint, 0644);
MODULE_PARM_DESC(max_exports, "Exports that one user may have at a time");

unsigned int xmap_max_regions = 4096;
module_param_named(max_regions, xmap_max_regions, uint, 0644);
MODULE_PARM_DESC(max_regions,
		 "Regions, handles of regions, and names that keep one, of one user at a time");

unsigned long long xmap_max_region_bytes = 1ULL << 40;
module_param_named(max_region_bytes, xmap_max_region_bytes, ullong, 0644);
MODULE_PARM_DESC(max_region_bytes, "Bytes that the regions of one user may have, or reserve, together");

/* Entries that XMAP_LIST gathers under the mutex before it copies them out. */
#define XMAP_LIST_BATCH 32
/* Nodes that it looks at under one hold of it: an object's, and all above that. */
#define XMAP_LIST_NODES 128

/**
 * struct xmap_user - What one user has
 * @node: Entry in xmap_users
 * @uid: The user
 * @count: Number of objects by kind
 * @regions: Number of regions that he has created
 * @bytes: What those are charged for: their length, or what they have reserved
 *
 * All under xmap_account_lock.  Exists while a count, or @regions, is not 0.
 */
struct xmap_user {
	struct hlist_node node;
	kuid_t uid;
	u32 count[XMAP_LIST_NAME + 1];
	u32 regions;
	u64 bytes;
};

static DEFINE_MUTEX(xmap_account_lock);
static DEFINE_HASHTABLE(xmap_users, 6);
static LIST_HEAD(xmap_objects);
static u64 xmap_last_serial;

static struct xmap_user *xmap_user_find(kuid_t uid)
{
	struct xmap_user *user;

	lockdep_assert_held(&xmap_account_lock);
	hash_for_each_possible(xmap_users, user, node, __kuid_val(uid)) {
		if (uid_eq(user->uid, uid))
			return user;
	}
	return NULL;
}

static u32 xmap_limit(u32 kind)
{
	switch (kind) {
	case XMAP_LIST_TARGET:
		return READ_ONCE(xmap_max_targets);
	case XMAP_LIST_WINDOW:
		return READ_ONCE(xmap_max_windows);
	case XMAP_LIST_EXPORT:
		return READ_ONCE(xmap_max_exports);
	default:
		return READ_ONCE(xmap_max_regions);
	}
}

/* Forget a user who has nothing. */
static void xmap_user_settle(struct xmap_user *user)
{
	lockdep_assert_held(&xmap_account_lock);
	if (memchr_inv(user->count, 0, sizeof(user->count)) || user->regions)
		return;
	hash_del(&user->node);
	kfree(user);
}

static void xmap_user_uncount(struct xmap_user *user, u32 kind)
{
	lockdep_assert_held(&xmap_account_lock);
	WARN_ON_ONCE(!user->count[kind]);
	user->count[kind]--;
	xmap_user_settle(user);
}

/**
 * xmap_account_charge - Count a new object against the caller
 * @obj: The object; filled in, not yet visible to XMAP_LIST
 * @kind: What it is
 *
 * The effective user id is charged: the one that the access check is about.
 *
 * Return: 0, -EDQUOT or -ENOMEM.
 */
int xmap_account_charge(struct xmap_object *obj, u32 kind)
{
	u32 limit = xmap_limit(kind);
	struct xmap_user *new, *user;
	int rc = 0;

	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	new->uid = current_euid();

	mutex_lock(&xmap_account_lock);
	user = xmap_user_find(new->uid);
	if ((user ? user->count[kind] : 0) >= limit) {
		rc = -EDQUOT;
	} else {
		if (!user) {
			user = new;
			new = NULL;
			hash_add(xmap_users, &user->node, __kuid_val(user->uid));
		}
		user->count[kind]++;
	}
	mutex_unlock(&xmap_account_lock);
	kfree(new);
	if (rc)
		return rc;

	INIT_LIST_HEAD(&obj->entry);
	obj->kind = kind;
	obj->user = user;
	obj->cred = get_current_cred();
	obj->holder = get_pid(task_tgid(current));
	obj->since = ktime_get_boottime_ns();
	return 0;
}

/* From now on XMAP_LIST sees the object: it must be complete. */
void xmap_account_publish(struct xmap_object *obj)
{
	mutex_lock(&xmap_account_lock);
	obj->serial = ++xmap_last_serial;
	list_add_tail(&obj->entry, &xmap_objects);
	mutex_unlock(&xmap_account_lock);
}

/* Undo xmap_account_charge(), and xmap_account_publish() if it was called. */
void xmap_account_uncharge(struct xmap_object *obj)
{
	mutex_lock(&xmap_account_lock);
	list_del_init(&obj->entry);
	xmap_user_uncount(obj->user, obj->kind);
	mutex_unlock(&xmap_account_lock);
	put_pid(obj->holder);
	put_cred(obj->cred);
}

/**
 * xmap_account_region - Count a new region, or that one becomes longer
 * @user: In and out: whose it is; NULL for the caller, who must have a handle of a
 *	region charged to him
 * @regions: 1 for a new one, else 0
 * @bytes: How much longer
 *
 * Return: 0 or -EDQUOT.
 */
int xmap_account_region(struct xmap_user **user, u32 regions, u64 bytes)
{
	u64 limit = READ_ONCE(xmap_max_region_bytes);
	struct xmap_user *owner;
	int rc = 0;

	mutex_lock(&xmap_account_lock);
	owner = *user ? *user : xmap_user_find(current_euid());
	if (regions && owner->regions >= READ_ONCE(xmap_max_regions))
		rc = -EDQUOT;
	else if (bytes > limit || owner->bytes > limit - bytes)
		rc = -EDQUOT;
	if (!rc) {
		owner->regions += regions;
		owner->bytes += bytes;
		*user = owner;
	}
	mutex_unlock(&xmap_account_lock);
	return rc;
}

void xmap_account_unregion(struct xmap_user *user, u32 regions, u64 bytes)
{
	mutex_lock(&xmap_account_lock);
	user->regions -= regions;
	user->bytes -= bytes;
	xmap_user_settle(user);
	mutex_unlock(&xmap_account_lock);
}

/* What the caller's effective user id has now. */
void xmap_account_usage(struct xmap_cmd_query *cmd)
{
	struct xmap_user *user;

	mutex_lock(&xmap_account_lock);
	user = xmap_user_find(current_euid());
	cmd->out_targets = user ? user->count[XMAP_LIST_TARGET] : 0;
	cmd->out_windows = user ? user->count[XMAP_LIST_WINDOW] : 0;
	cmd->out_exports = user ? user->count[XMAP_LIST_EXPORT] : 0;
	cmd->out_regions = user ? user->count[XMAP_LIST_REGION] : 0;
	cmd->out_region_bytes = user ? user->bytes : 0;
	mutex_unlock(&xmap_account_lock);
}

/*
 * The first object, in order of serial numbers, that passes @test.  Returns its
 * node, with a reference, or NULL.  @test must be quick: everybody waits.
 */
struct xmap_node *xmap_account_find(bool (*test)(const struct xmap_object *obj, void *data),
				    void *data)
{
	struct xmap_node *node = NULL;
	struct xmap_object *obj;

	mutex_lock(&xmap_account_lock);
	list_for_each_entry(obj, &xmap_objects, entry) {
		if (test(obj, data)) {
			node = xmap_node_get(obj->node);
			break;
		}
	}
	mutex_unlock(&xmap_account_lock);
	return node;
}

/* Everybody sees who looks at him, and what became of what he has given away. */
bool xmap_object_visible(const struct xmap_object *obj)
{
	return uid_eq(obj->user->uid, current_euid()) || obj->node->mm == current->mm ||
	       xmap_node_made_by(obj->node, task_tgid(current)) ||
	       ns_capable_noaudit(obj->cred->user_ns, CAP_SYS_PTRACE);
}

/*
 * Addresses in other processes are worth hiding: that one has the same user id
 * does not mean that one may look at its /proc/PID/maps.
 */
static bool xmap_object_reveals_holder(const struct xmap_object *obj)
{
	return obj->holder == task_tgid(current) ||
	       ns_capable_noaudit(obj->cred->user_ns, CAP_SYS_PTRACE);
}

static void xmap_object_describe(struct xmap_object *obj, struct xmap_list_entry *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->kind = obj->kind;
	entry->holder_pid = xmap_pid_nr(obj->holder, task_active_pid_ns(current));
	entry->holder_uid = from_kuid_munged(current_user_ns(), obj->user->uid);
	entry->since = obj->since;
	entry->serial = obj->serial;
	entry->parent = obj->parent;
	switch (obj->kind) {
	case XMAP_LIST_TARGET:
		xmap_target_describe(obj, entry);
		break;
	case XMAP_LIST_WINDOW:
		xmap_window_describe(obj, entry);
		break;
	case XMAP_LIST_EXPORT:
		xmap_export_describe(obj, entry);
		break;
	case XMAP_LIST_REGION:
		xmap_region_describe(obj, entry);
		break;
	case XMAP_LIST_NAME:
		xmap_region_name_describe(obj, entry);
		break;
	}
	if (!xmap_object_reveals_holder(obj)) {
		entry->local = 0;
		if (obj->node->mm != current->mm)
			entry->addr = 0;
	}
}

enum xmap_list_why {
	XMAP_LIST_END,
	XMAP_LIST_FULL,
	XMAP_LIST_PAUSE,
};

/*
 * Gather up to @room visible objects after *@cursor, and move the cursor.  *@why
 * tells why it ended: there are no more, there is one more than there is room, or
 * others have waited long enough.  Returns how many.
 */
static u32 xmap_list_gather(struct xmap_list_entry *entries, u32 room, u64 *cursor,
			    enum xmap_list_why *why)
{
	struct xmap_object *obj;
	u32 nodes = 0;
	u32 n = 0;

	*why = XMAP_LIST_END;
	mutex_lock(&xmap_account_lock);
	list_for_each_entry(obj, &xmap_objects, entry) {
		if (obj->serial <= *cursor)
			continue;
		if (nodes >= XMAP_LIST_NODES) {
			*why = XMAP_LIST_PAUSE;
			break;
		}
		nodes += obj->node->depth + 1;
		if (xmap_object_visible(obj)) {
			if (n == room) {
				*why = XMAP_LIST_FULL;
				break;
			}
			xmap_object_describe(obj, &entries[n++]);
		}
		*cursor = obj->serial;
	}
	mutex_unlock(&xmap_account_lock);
	return n;
}

int xmap_ioctl_list(struct xmap_ucmd *ucmd)
{
	struct xmap_cmd_list *cmd = ucmd->cmd;
	struct xmap_list_entry *entries;
	enum xmap_list_why why;
	u64 cursor = cmd->cursor;
	u32 done = 0;
	int rc = 0;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!cmd->count)
		return -EINVAL;

	entries = kmalloc_array(XMAP_LIST_BATCH, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return -ENOMEM;

	do {
		u32 n = min_t(u32, cmd->count - done, XMAP_LIST_BATCH);

		n = xmap_list_gather(entries, n, &cursor, &why);
		if (copy_to_user(u64_to_user_ptr(cmd->entries + (u64)done * sizeof(*entries)),
				 entries, n * sizeof(*entries))) {
			rc = -EFAULT;
			goto out_free;
		}
		done += n;
		if (fatal_signal_pending(current)) {
			rc = -EINTR;
			goto out_free;
		}
		cond_resched();
		/* With no room left, see whether there is another one. */
	} while (why == XMAP_LIST_PAUSE || (why == XMAP_LIST_FULL && done < cmd->count));
	cmd->out_count = done;
	cmd->out_cursor = why == XMAP_LIST_END ? 0 : cursor;
	rc = xmap_ucmd_respond(ucmd, sizeof(*cmd));

out_free:
	kfree(entries);
	return rc;
}
