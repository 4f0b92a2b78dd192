// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports: an owner's offer of its own memory.
 *
 * Why consent is enough.  The ptrace check protects a process from others.  Here
 * the process itself asks, about its own memory, in a system call that it makes;
 * nobody can make it offer anything, short of running code in it, who then
 * could as well copy the memory out.  What is offered is what the process can
 * access itself: every fault and every copy takes the page as its own mapping
 * allows it at that moment.  So dumpable, Yama and LSMs, which say who may look
 * at a process against its will, are not asked; and they lose nothing, because a
 * target that was accepted opens no other door.  A program that runs with more
 * privilege than its user (setuid) offers only what it means to; what ran before
 * execve() has offered another address space, which has ended.
 *
 * An export may have several files: its maker's, which is the offer, and those of
 * who opened it by its id or name, which are good for accepting as long as the
 * offer stands.  When the maker's is closed the offer ends, and with it the name,
 * the entry in the registry and the charge; the rest of the structure stays for
 * the others.  What was accepted lives on: the node of the tree stays, by which
 * it can be revoked.
 */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "trace.h"
#include "xmap.h"

/**
 * struct xmap_export - An offer
 * @obj: Accounting, registry and tree; the node is a root
 * @refs: Its files, and who is about to make one
 * @maker: The maker's file, to be compared only; NULL before it is there and from its
 *	release on, when another file can get its address
 * @closed: The offer has ended.  Set once
 * @pid: Thread group whose memory it is, for reports.  Constant; holds a reference
 * @range: Addresses.  Constant
 * @rights: Set of enum xmap_rights.  Constant
 * @receiver: Who alone may accept, or NULL for anybody.  Constant; holds a reference
 * @receiver_uid: Which user alone may accept, or invalid for any.  Constant
 * @expires: CLOCK_BOOTTIME in ns, or 0.  Constant
 * @max_accepts: How often it can be accepted, or 0 for any number.  Constant
 * @accepts: How often it was, or is about to be.  Lock: @lock
 * @events: How often it was.  Lock: @lock
 * @seen: What of @events the maker was told.  Lock: @lock
 * @lock: Innermost
 * @id: Random number, or 0 if it was never published.  Constant
 * @name: Its name, perhaps empty, its mode, and the entry in xmap_exports, if it is
 *	published.  Lock of the entry: xmap_exports_lock.  The rest is constant; the
 *	owner is the effective user id of who made it, published or not
 */
struct xmap_export {
	struct xmap_object obj;
	refcount_t refs;
	struct file *maker;
	bool closed;
	struct pid *pid;
	struct xmap_range range;
	u32 rights;
	struct pid *receiver;
	kuid_t receiver_uid;
	u64 expires;
	u32 max_accepts;
	u32 accepts;
	u32 events;
	u32 seen;
	/* Innermost. */
	spinlock_t lock;
	u64 id;
	struct xmap_name name;
};

/* Commands that a target has as well find it there. */
static_assert(!offsetof(struct xmap_export, obj));

static DEFINE_MUTEX(xmap_exports_lock);
/* By id. */
static DEFINE_HASHTABLE(xmap_exports, 8);

/* ---- Names ---- */

static struct xmap_export *xmap_export_by_name(const struct user_namespace *ns, const char *name)
{
	struct xmap_export *export;
	int i;

	lockdep_assert_held(&xmap_exports_lock);
	hash_for_each(xmap_exports, i, export, name.entry) {
		if (export->name.user_ns == ns && !strcmp(export->name.text, name))
			return export;
	}
	return NULL;
}

static struct xmap_export *xmap_export_by_id(u64 id)
{
	struct xmap_export *export;

	lockdep_assert_held(&xmap_exports_lock);
	hash_for_each_possible(xmap_exports, export, name.entry, id) {
		if (export->id == id)
			return export;
	}
	return NULL;
}

static bool xmap_export_expired(const struct xmap_export *export)
{
	return export->expires && ktime_get_boottime_ns() >= export->expires;
}

/* Can nobody accept it any more: expired, of an owner who has ended, all revoked? */
static bool xmap_export_over(const struct xmap_export *export)
{
	return xmap_export_expired(export) ||
	       xmap_state(export->obj.node, &export->range) != XMAP_TARGET_ALIVE;
}

/* Give it an id, and see to it that others can find it. */
static int xmap_export_publish(struct xmap_export *export)
{
	struct xmap_export *other;
	int rc = 0;

	mutex_lock(&xmap_exports_lock);
	if (export->name.text[0]) {
		other = xmap_export_by_name(export->name.user_ns, export->name.text);
		/* One that nobody can accept any more is in nobody's way. */
		if (other && !xmap_export_over(other))
			rc = -EEXIST;
		else if (other)
			hash_del(&other->name.entry);
	}
	if (!rc) {
		do {
			export->id = get_random_u64();
		} while (!export->id || xmap_export_by_id(export->id));
		hash_add(xmap_exports, &export->name.entry, export->id);
	}
	mutex_unlock(&xmap_exports_lock);
	return rc;
}

/* ---- Life ---- */

static void xmap_export_put(struct xmap_export *export)
{
	if (!refcount_dec_and_test(&export->refs))
		return;
	put_pid(export->receiver);
	put_pid(export->pid);
	xmap_name_free(&export->name);
	xmap_node_put(export->obj.node);
	kfree(export);
}

/* The offer ends.  Consumes a reference. */
static void xmap_export_close(struct xmap_export *export)
{
	mutex_lock(&xmap_exports_lock);
	if (!hlist_unhashed(&export->name.entry))
		hash_del(&export->name.entry);
	mutex_unlock(&xmap_exports_lock);
	/* Before xmap_account_lock is taken: see xmap_target_install(). */
	WRITE_ONCE(export->closed, true);
	wake_up_all(&export->obj.node->wq);
	xmap_account_uncharge(&export->obj);
	xmap_export_put(export);
}

static int xmap_export_release(struct inode *inode, struct file *file)
{
	struct xmap_export *export = file->private_data;

	xmap_bell_end(file);
	if (file == READ_ONCE(export->maker)) {
		WRITE_ONCE(export->maker, NULL);
		xmap_export_close(export);
	} else {
		xmap_export_put(export);
	}
	return 0;
}

/* Who alone may accept. */
static int xmap_export_receiver(struct xmap_export *export,
				const struct xmap_cmd_export_create *cmd)
{
	struct file *pidfd;
	int rc = 0;

	if (cmd->flags & XMAP_EXPORT_FOR_USER) {
		export->receiver_uid = make_kuid(current_user_ns(), cmd->receiver_uid);
		if (!uid_valid(export->receiver_uid))
			return -EINVAL;
	}
	if (!(cmd->flags & XMAP_EXPORT_FOR_PROCESS))
		return 0;
	if (cmd->receiver_pid <= 0)
		return -EINVAL;
	pidfd = fget(cmd->receiver_fd);
	if (!pidfd)
		return -EBADF;
	rcu_read_lock();
	export->receiver = get_pid(find_vpid(cmd->receiver_pid));
	rcu_read_unlock();
	if (!xmap_pidfd_pid(pidfd))
		rc = -EBADFD;
	else if (export->receiver != xmap_pidfd_pid(pidfd) ||
		 !pid_has_task(export->receiver, PIDTYPE_TGID))
		rc = -ESRCH;
	fput(pidfd);
	return rc;
}

static int xmap_export_check(const struct xmap_cmd_export_create *cmd)
{
	const u32 all = XMAP_EXPORT_PUBLISH | XMAP_EXPORT_FOR_PROCESS | XMAP_EXPORT_FOR_USER;
	int rc;

	if (cmd->flags & ~all)
		return -EOPNOTSUPP;
	rc = xmap_rights_check(cmd->rights, XMAP_RIGHTS_EXPORT);
	if (rc)
		return rc;
	rc = xmap_name_check(cmd->name);
	if (rc)
		return rc;
	if (cmd->mode & ~0666)
		return -EINVAL;
	if (!(cmd->flags & XMAP_EXPORT_PUBLISH) && (cmd->mode || cmd->gid || cmd->name[0]))
		return -EINVAL;
	if (!(cmd->flags & XMAP_EXPORT_FOR_PROCESS) && (cmd->receiver_fd || cmd->receiver_pid))
		return -EINVAL;
	if (!(cmd->flags & XMAP_EXPORT_FOR_USER) && cmd->receiver_uid)
		return -EINVAL;
	return 0;
}

static struct xmap_export *xmap_export_create(const struct xmap_cmd_export_create *cmd,
					      const struct xmap_range *range)
{
	struct xmap_export *export;
	struct xmap_node *node;
	int rc;

	export = kzalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);
	if (!export)
		return ERR_PTR(-ENOMEM);
	node = xmap_node_create(current->mm, NULL);
	if (IS_ERR(node)) {
		kfree(export);
		return ERR_CAST(node);
	}
	node->consent = true;
	export->obj.node = node;
	refcount_set(&export->refs, 1);
	spin_lock_init(&export->lock);
	xmap_name_init(&export->name);
	export->pid = get_pid(task_tgid(current));
	export->range = *range;
	export->rights = cmd->rights;
	export->receiver_uid = INVALID_UID;
	export->expires = cmd->expires;
	export->max_accepts = cmd->max_accepts;

	rc = xmap_account_charge(&export->obj, XMAP_LIST_EXPORT);
	if (rc) {
		xmap_export_put(export);
		return ERR_PTR(rc);
	}
	rc = xmap_export_receiver(export, cmd);
	if (!rc && cmd->flags & XMAP_EXPORT_PUBLISH)
		rc = xmap_name_set(&export->name, cmd->name, cmd->mode, cmd->gid);
	if (rc) {
		xmap_export_close(export);
		return ERR_PTR(rc);
	}
	return export;
}

/* A file that may accept with @rights.  On success it owns the caller's reference. */
static struct file *xmap_export_file(struct xmap_export *export, u32 rights)
{
	int flags = O_RDONLY;

	if (rights & XMAP_RIGHT_WRITE)
		flags = rights & XMAP_RIGHT_READ ? O_RDWR : O_WRONLY;
	return anon_inode_getfile("[xmap-export]", &xmap_export_fops, export, flags);
}

/* The rights that come with a file. */
static u32 xmap_export_rights(const struct file *file)
{
	struct xmap_export *export = file->private_data;
	u32 rights = 0;

	if (file->f_mode & FMODE_READ)
		rights |= XMAP_RIGHT_READ;
	if (file->f_mode & FMODE_WRITE)
		rights |= XMAP_RIGHT_WRITE;
	return rights & export->rights;
}

/*
 * Hand a new export's file, complete and with a name perhaps, to user space.  What can
 * fail without anybody knowing of it comes first.  Consumes @file.
 */
static int xmap_export_install(struct xmap_ucmd *ucmd, struct file *file)
{
	const struct xmap_range all = { .end = xmap_user_end() };
	struct xmap_export *export = file->private_data;
	struct xmap_cmd_export_create *cmd = ucmd->cmd;
	int fd;
	int rc;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		rc = fd;
		goto err_file;
	}
	/* It is in the registry before anybody can accept: his target names it. */
	xmap_account_publish(&export->obj);
	if (cmd->flags & XMAP_EXPORT_PUBLISH) {
		rc = xmap_export_publish(export);
		if (rc)
			goto err_fd;
	}
	cmd->out_fd = fd;
	cmd->out_id = export->id;
	rc = xmap_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_published;
	trace_xmap_export(export->rights, &export->range, export->id);
	fd_install(fd, file);
	return 0;

err_published:
	/* Who has opened it meanwhile keeps nothing: the owner does not know that he offers. */
	xmap_node_revoke(export->obj.node, &all, false);
err_fd:
	put_unused_fd(fd);
err_file:
	fput(file);
	return rc;
}

int xmap_ioctl_export_create(struct xmap_ucmd *ucmd)
{
	const struct xmap_range whole = { .end = xmap_user_end() };
	struct xmap_cmd_export_create *cmd = ucmd->cmd;
	struct xmap_export *export;
	struct xmap_range range;
	struct file *file;
	int rc;

	rc = xmap_export_check(cmd);
	if (rc)
		return rc;
	rc = xmap_range_from_user(&range, cmd->addr, cmd->length, &whole);
	if (rc)
		return rc;
	if (!xmap_range_contains(&whole, &range))
		return -EFAULT;

	export = xmap_export_create(cmd, &range);
	if (IS_ERR(export))
		return PTR_ERR(export);
	file = xmap_export_file(export, export->rights);
	if (IS_ERR(file)) {
		xmap_export_close(export);
		return PTR_ERR(file);
	}
	/* From here on the file owns the offer. */
	WRITE_ONCE(export->maker, file);
	return xmap_export_install(ucmd, file);
}

/* ---- Opening a published one ---- */

static struct xmap_export *xmap_export_find(const struct xmap_cmd_export_open *cmd)
{
	struct xmap_export *export;

	mutex_lock(&xmap_exports_lock);
	if (cmd->id)
		export = xmap_export_by_id(cmd->id);
	else
		export = xmap_export_by_name(current_user_ns(), cmd->name);
	if (export && !refcount_inc_not_zero(&export->refs))
		export = NULL;
	mutex_unlock(&xmap_exports_lock);
	return export;
}

/* Does the offer stand, and is the caller among those that it is made to? */
static int xmap_export_stands(const struct xmap_export *export, const struct xmap_range *range)
{
	if (export->receiver && export->receiver != task_tgid(current))
		return -EACCES;
	if (uid_valid(export->receiver_uid) && !uid_eq(export->receiver_uid, current_euid()))
		return -EACCES;
	if (READ_ONCE(export->closed))
		return -ESTALE;
	if (xmap_export_expired(export))
		return -ESTALE;
	switch (xmap_state(export->obj.node, range)) {
	case XMAP_TARGET_REVOKED:
		return -ESTALE;
	case XMAP_TARGET_DEAD:
		return -ESRCH;
	}
	return 0;
}

int xmap_ioctl_export_open(struct xmap_ucmd *ucmd)
{
	struct xmap_cmd_export_open *cmd = ucmd->cmd;
	struct xmap_export *export;
	struct file *file;
	int fd;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	rc = xmap_rights_check(cmd->rights, XMAP_RIGHTS_EXPORT);
	if (rc)
		return rc;
	rc = xmap_name_check(cmd->name);
	if (rc)
		return rc;
	if (!cmd->id == !cmd->name[0])
		return -EINVAL;

	export = xmap_export_find(cmd);
	if (!export)
		return -ENOENT;
	rc = -EACCES;
	if (cmd->rights & ~export->rights || !xmap_name_allows(&export->name, cmd->rights))
		goto err_export;
	rc = xmap_export_stands(export, &export->range);
	if (rc)
		goto err_export;
	file = xmap_export_file(export, cmd->rights);
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		goto err_export;
	}

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		rc = fd;
		goto err_file;
	}
	cmd->out_fd = fd;
	rc = xmap_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_fd;
	fd_install(fd, file);
	return 0;

err_fd:
	put_unused_fd(fd);
err_file:
	/* It owns our reference. */
	fput(file);
	return rc;
err_export:
	xmap_export_put(export);
	return rc;
}

/* ---- Accepting ---- */

/* Count one acceptance, if there is one left. */
static int xmap_export_take(struct xmap_export *export)
{
	int rc = 0;

	spin_lock(&export->lock);
	if (export->max_accepts && export->accepts >= export->max_accepts)
		rc = -EDQUOT;
	else
		export->accepts++;
	spin_unlock(&export->lock);
	return rc;
}

/* It was accepted, or was not after all. */
static void xmap_export_taken(struct xmap_export *export, bool accepted)
{
	spin_lock(&export->lock);
	if (accepted)
		WRITE_ONCE(export->events, export->events + 1);
	else
		export->accepts--;
	spin_unlock(&export->lock);
	if (accepted)
		wake_up_all(&export->obj.node->wq);
}

int xmap_ioctl_export_accept(struct xmap_ucmd *ucmd)
{
	struct xmap_export *export = ucmd->file->private_data;
	struct xmap_cmd_export_accept *cmd = ucmd->cmd;
	struct xmap_grant grant = {
		.mm = export->obj.node->mm,
		.pid = export->pid,
		.rights = export->rights,
	};
	struct xmap_range range;
	struct file *file;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	rc = xmap_rights_check(cmd->rights, XMAP_RIGHTS_EXPORT);
	if (rc)
		return rc;
	rc = xmap_range_from_user(&range, cmd->addr, cmd->length, &export->range);
	if (rc)
		return rc;
	if (cmd->rights & ~xmap_export_rights(ucmd->file) ||
	    !xmap_range_contains(&export->range, &range))
		return -EACCES;
	rc = xmap_export_stands(export, &range);
	if (rc)
		return rc;

	rc = xmap_export_take(export);
	if (rc)
		return rc;
	file = ERR_PTR(-ESRCH);
	if (xmap_mm_get(grant.mm)) {
		file = xmap_target_create(&grant, &range, cmd->rights, &export->obj);
		/* Not longer: the caller's memory, which comes next, can make us wait. */
		mmput(grant.mm);
	}
	rc = PTR_ERR_OR_ZERO(file);
	if (!rc)
		rc = xmap_target_install(ucmd, file, &export->closed, &cmd->out_fd, sizeof(*cmd));
	xmap_export_taken(export, !rc);
	return rc;
}

/* ---- The rest of its file ---- */

/* To whoever has opened it, closed by its maker is as good as revoked. */
static u32 xmap_export_state(const struct xmap_export *export)
{
	return READ_ONCE(export->closed) ? XMAP_TARGET_REVOKED :
					   xmap_state(export->obj.node, &export->range);
}

int xmap_ioctl_export_info(struct xmap_ucmd *ucmd)
{
	struct xmap_export *export = ucmd->file->private_data;
	struct xmap_cmd_export_info *cmd = ucmd->cmd;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;

	cmd->out_rights = xmap_export_rights(ucmd->file);
	cmd->out_state = xmap_export_state(export);
	cmd->out_pid = xmap_owner_nr(export->pid, export->obj.node->mm,
				     task_active_pid_ns(current));
	cmd->out_max_accepts = export->max_accepts;
	cmd->out_targets = READ_ONCE(export->obj.node->nr_children);
	cmd->out_addr = export->range.start;
	cmd->out_length = xmap_range_length(&export->range);
	cmd->out_expires = export->expires;
	cmd->out_id = export->id;
	/* A pid is no identity: see xmap_owner_nr(). */
	cmd->out_uid = from_kuid_munged(current_user_ns(), export->name.owner);
	spin_lock(&export->lock);
	cmd->out_accepts = export->events;
	if (export->obj.node->maker == task_tgid(current))
		WRITE_ONCE(export->seen, export->events);
	spin_unlock(&export->lock);
	return xmap_ucmd_respond(ucmd, sizeof(*cmd));
}

static long xmap_export_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return xmap_ioctl_dispatch(file, cmd, arg, xmap_export_ops, xmap_export_nr_ops);
}

static __poll_t xmap_export_poll(struct file *file, struct poll_table_struct *wait)
{
	struct xmap_export *export = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &export->obj.node->wq, wait);
	if (READ_ONCE(export->events) != READ_ONCE(export->seen))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(export->closed) || READ_ONCE(export->obj.node->dead) ||
	    xmap_node_revoked(export->obj.node, &export->range))
		mask |= EPOLLHUP;
	return mask;
}

static void xmap_export_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct pid_namespace *ns = proc_pid_ns(file_inode(m->file)->i_sb);
	struct xmap_export *export = file->private_data;
	u32 rights = xmap_export_rights(file);

	seq_printf(m, "xmap-export-pid:\t%d\n",
		   xmap_owner_nr(export->pid, export->obj.node->mm, ns));
	seq_printf(m, "xmap-range:\t%llx-%llx\n", export->range.start, export->range.end);
	seq_printf(m, "xmap-rights:\t%c%c-\n", rights & XMAP_RIGHT_READ ? 'r' : '-',
		   rights & XMAP_RIGHT_WRITE ? 'w' : '-');
	seq_printf(m, "xmap-accepts:\t%u\n", READ_ONCE(export->events));
	if (export->id)
		seq_printf(m, "xmap-id:\t%016llx\n", export->id);
	if (export->name.text[0])
		seq_printf(m, "xmap-name:\t%s\n", export->name.text);
	seq_printf(m, "xmap-state:\t%s\n", xmap_state_name(xmap_export_state(export)));
}

const struct xmap_range *xmap_export_range(const struct xmap_object *obj)
{
	return &container_of(obj, struct xmap_export, obj)->range;
}

void xmap_export_describe(struct xmap_object *obj, struct xmap_list_entry *entry)
{
	struct xmap_export *export = container_of(obj, struct xmap_export, obj);

	entry->rights = export->rights;
	entry->target_pid = xmap_owner_nr(export->pid, obj->node->mm, task_active_pid_ns(current));
	entry->state = xmap_state(obj->node, &export->range);
	entry->addr = export->range.start;
	entry->length = xmap_range_length(&export->range);
	entry->count = READ_ONCE(export->events);
}

const struct file_operations xmap_export_fops = {
	.owner = THIS_MODULE,
	.release = xmap_export_release,
	.poll = xmap_export_poll,
	.unlocked_ioctl = xmap_export_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = xmap_export_show_fdinfo,
	.llseek = noop_llseek,
};
