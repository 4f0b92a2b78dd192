// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target: access to a range of one address space, as a file.
 */
#include <linux/anon_inodes.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "trace.h"
#include "xmap.h"

static void xmap_target_free(struct xmap_target *target)
{
	if (target->mem)
		fput(target->mem);
	put_pid(target->pid);
	xmap_node_put(target->obj.node);
	kfree(target);
}

/**
 * xmap_target_create - Make a target's file, complete but for being published
 * @grant: What may be had; the caller holds a reference to mm_users
 * @range: Addresses
 * @rights: Set of enum xmap_rights
 * @parent: What it is derived or accepted from, or NULL
 *
 * Return: the file; end it with fput() or xmap_target_install().  Or -errno.
 */
struct file *xmap_target_create(const struct xmap_grant *grant, const struct xmap_range *range,
				u32 rights, const struct xmap_object *parent)
{
	struct xmap_node *node;
	struct xmap_target *target;
	struct file *file;
	int flags;
	int rc;

	target = kzalloc(sizeof(*target), GFP_KERNEL_ACCOUNT);
	if (!target)
		return ERR_PTR(-ENOMEM);
	node = xmap_node_create(grant->mm, parent ? parent->node : NULL);
	if (IS_ERR(node)) {
		kfree(target);
		return ERR_CAST(node);
	}
	target->obj.node = node;
	target->obj.parent = parent ? parent->serial : 0;
	target->mm = grant->mm;
	target->pid = get_pid(grant->pid);
	if (rights & XMAP_RIGHT_FORCE)
		target->mem = get_file(grant->mem);
	target->range = *range;
	target->rights = rights;
	/* Of who opened the first one, however often it was derived. */
	target->exempt = grant->exempt;

	rc = xmap_account_charge(&target->obj, XMAP_LIST_TARGET);
	if (rc)
		goto err_target;

	flags = O_RDONLY;
	if (rights & XMAP_RIGHT_WRITE)
		flags = rights & XMAP_RIGHT_READ ? O_RDWR : O_WRONLY;
	file = anon_inode_getfile("[xmap-target]", &xmap_target_fops, target, flags);
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		goto err_charge;
	}
	/* From here on the file owns the target. */
	file->f_mode |= FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE | FMODE_NOWAIT;
	return file;

err_charge:
	xmap_account_uncharge(&target->obj);
err_target:
	xmap_target_free(target);
	return ERR_PTR(rc);
}

static int xmap_target_release(struct inode *inode, struct file *file)
{
	struct xmap_target *target = file->private_data;

	xmap_bell_end(file);
	xmap_account_uncharge(&target->obj);
	xmap_target_free(target);
	return 0;
}

/* A set of rights from user space. */
int xmap_rights_check(u32 rights, u32 allowed)
{
	if (rights & ~XMAP_RIGHTS_ALL)
		return -EOPNOTSUPP;
	if (rights & ~allowed)
		return -EINVAL;
	if (!rights)
		return -EINVAL;
	if (rights & XMAP_RIGHT_FORCE && !(rights & XMAP_RIGHT_WRITE))
		return -EINVAL;
	return 0;
}

/* The range of a command: nothing at all stands for @whole. */
int xmap_range_from_user(struct xmap_range *range, u64 addr, u64 length,
			 const struct xmap_range *whole)
{
	if (!addr && !length) {
		*range = *whole;
		return 0;
	}
	if (!length)
		return -EINVAL;
	return xmap_range_init(range, addr, length);
}

/* Does the process refuse this?  What it has exported is not concerned. */
static bool xmap_target_denied(const struct xmap_target *target)
{
	return !target->exempt && !target->obj.node->root->consent && xmap_denied(target->mm);
}

/*
 * Hand a new target's file to user space: what can fail first, then it is
 * visible.  @closed, or NULL, is set when the offer ends that it was accepted
 * from.  Consumes @file.
 */
int xmap_target_install(struct xmap_ucmd *ucmd, struct file *file, const bool *closed,
			s32 *out_fd, size_t size)
{
	struct xmap_target *target = file->private_data;
	int fd;
	int rc;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		rc = fd;
		goto err_file;
	}
	xmap_account_publish(&target->obj);
	/* Who has closed his offer, and lists what there is then: sees us, or we see that. */
	rc = -ESTALE;
	if (closed && READ_ONCE(*closed))
		goto err_fd;
	/* XMAP_DENY refuses first, then looks who is there: one of us sees the other. */
	rc = -EACCES;
	if (xmap_target_denied(target))
		goto err_fd;
	*out_fd = fd;
	rc = xmap_ucmd_respond(ucmd, size);
	if (rc)
		goto err_fd;

	trace_xmap_open(target);
	fd_install(fd, file);
	return 0;

err_fd:
	put_unused_fd(fd);
err_file:
	fput(file);
	return rc;
}

int xmap_ioctl_target_open(struct xmap_ucmd *ucmd)
{
	const struct xmap_range whole = { .end = xmap_user_end() };
	struct xmap_cmd_target_open *cmd = ucmd->cmd;
	struct xmap_range range;
	struct xmap_grant grant;
	struct file *file;
	int rc;

	if (cmd->flags & ~XMAP_TARGET_OPEN_MEM)
		return -EOPNOTSUPP;
	rc = xmap_rights_check(cmd->rights, XMAP_RIGHTS_ALL);
	if (rc)
		return rc;
	rc = xmap_range_from_user(&range, cmd->addr, cmd->length, &whole);
	if (rc)
		return rc;
	if (!xmap_range_contains(&whole, &range))
		return -EFAULT;

	rc = xmap_access_grant(cmd, &grant);
	if (rc)
		return rc;
	/* What it opens on itself, and may then give away, it does not refuse. */
	grant.exempt = grant.mm == current->mm || xmap_may_all();
	file = xmap_target_create(&grant, &range, cmd->rights, NULL);
	xmap_grant_drop(&grant);
	if (IS_ERR(file))
		return PTR_ERR(file);
	rc = xmap_target_install(ucmd, file, NULL, &cmd->out_fd, sizeof(*cmd));
	/* The process refuses; the gate has traced its own denials. */
	if (rc == -EACCES)
		trace_xmap_deny(cmd->fd, cmd->pid, cmd->rights, rc);
	return rc;
}

int xmap_ioctl_target_derive(struct xmap_ucmd *ucmd)
{
	struct xmap_target *target = ucmd->file->private_data;
	struct xmap_cmd_target_derive *cmd = ucmd->cmd;
	struct xmap_grant grant = {
		.mm = target->mm,
		.pid = target->pid,
		.mem = target->mem,
		.rights = target->rights,
		.exempt = target->exempt,
	};
	struct xmap_range range;
	struct file *file;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	rc = xmap_rights_check(cmd->rights, XMAP_RIGHTS_ALL);
	if (rc)
		return rc;
	rc = xmap_range_from_user(&range, cmd->addr, cmd->length, &target->range);
	if (rc)
		return rc;
	if (cmd->rights & ~target->rights || !xmap_range_contains(&target->range, &range))
		return -EACCES;
	if (xmap_node_revoked(target->obj.node, &range))
		return -ESTALE;

	if (!xmap_mm_get(target->mm))
		return -ESRCH;
	file = xmap_target_create(&grant, &range, cmd->rights, &target->obj);
	mmput(target->mm);
	if (IS_ERR(file))
		return PTR_ERR(file);
	return xmap_target_install(ucmd, file, NULL, &cmd->out_fd, sizeof(*cmd));
}

int xmap_ioctl_target_info(struct xmap_ucmd *ucmd)
{
	struct xmap_target *target = ucmd->file->private_data;
	struct xmap_cmd_target_info *cmd = ucmd->cmd;

	if (cmd->flags)
		return -EOPNOTSUPP;

	cmd->out_rights = target->rights;
	cmd->out_state = xmap_state(target->obj.node, &target->range);
	cmd->out_pid = xmap_owner_nr(target->pid, target->mm, task_active_pid_ns(current));
	cmd->out_windows = atomic_read(&target->windows);
	cmd->out_addr = target->range.start;
	cmd->out_length = xmap_range_length(&target->range);
	return xmap_ucmd_respond(ucmd, sizeof(*cmd));
}

static long xmap_target_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return xmap_ioctl_dispatch(file, cmd, arg, xmap_target_ops, xmap_target_nr_ops);
}

static ssize_t xmap_target_rw(struct kiocb *iocb, struct iov_iter *iter, unsigned int flags)
{
	struct xmap_target *target = iocb->ki_filp->private_data;
	ssize_t copied;

	if (iocb->ki_flags & IOCB_NOWAIT)
		flags |= XMAP_COPY_NOWAIT;
	copied = xmap_copy(target, iocb->ki_pos, iter, flags);
	if (copied > 0)
		iocb->ki_pos += copied;
	return copied;
}

static ssize_t xmap_target_read_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	return xmap_target_rw(iocb, iter, 0);
}

static ssize_t xmap_target_write_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct xmap_target *target = iocb->ki_filp->private_data;
	unsigned int flags = XMAP_COPY_WRITE;

	if (target->rights & XMAP_RIGHT_FORCE)
		flags |= XMAP_COPY_FORCE;
	return xmap_target_rw(iocb, iter, flags);
}

/* The file is as long as the target's range reaches. */
static loff_t xmap_target_llseek(struct file *file, loff_t offset, int whence)
{
	struct xmap_target *target = file->private_data;

	return fixed_size_llseek(file, offset, whence, target->range.end);
}

static __poll_t xmap_target_poll(struct file *file, struct poll_table_struct *wait)
{
	struct xmap_target *target = file->private_data;
	__poll_t mask = EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &target->obj.node->root->wq, wait);
	if (READ_ONCE(target->obj.node->root->dead) ||
	    xmap_node_revoked(target->obj.node, &target->range))
		mask |= EPOLLHUP;
	return mask;
}

static void xmap_target_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct pid_namespace *ns = proc_pid_ns(file_inode(m->file)->i_sb);
	struct xmap_target *target = file->private_data;

	seq_printf(m, "xmap-target-pid:\t%d\n", xmap_owner_nr(target->pid, target->mm, ns));
	seq_printf(m, "xmap-range:\t%llx-%llx\n", target->range.start, target->range.end);
	seq_printf(m, "xmap-rights:\t%c%c%c\n",
		   target->rights & XMAP_RIGHT_READ ? 'r' : '-',
		   target->rights & XMAP_RIGHT_WRITE ? 'w' : '-',
		   target->rights & XMAP_RIGHT_FORCE ? 'f' : '-');
	seq_printf(m, "xmap-windows:\t%d\n", atomic_read(&target->windows));
	seq_printf(m, "xmap-state:\t%s\n",
		   xmap_state_name(xmap_state(target->obj.node, &target->range)));
}

void xmap_target_describe(struct xmap_object *obj, struct xmap_list_entry *entry)
{
	struct xmap_target *target = container_of(obj, struct xmap_target, obj);

	entry->rights = target->rights;
	entry->target_pid = xmap_owner_nr(target->pid, target->mm, task_active_pid_ns(current));
	entry->state = xmap_state(obj->node, &target->range);
	entry->addr = target->range.start;
	entry->length = xmap_range_length(&target->range);
}

const struct file_operations xmap_target_fops = {
	.owner = THIS_MODULE,
	.release = xmap_target_release,
	.llseek = xmap_target_llseek,
	.read_iter = xmap_target_read_iter,
	.write_iter = xmap_target_write_iter,
	.poll = xmap_target_poll,
	.mmap = xmap_window_mmap,
	.unlocked_ioctl = xmap_target_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = xmap_target_show_fdinfo,
};
