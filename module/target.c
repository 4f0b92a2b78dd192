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

bool xmap_target_dead(const struct xmap_target *target)
{
	return READ_ONCE(target->dead) || !xmap_mm_in_use(target->mm);
}

/*
 * Called for every change to the page at address 0, which next to nobody has,
 * and once for the end of the address space.  No lock: pollers read one flag.
 */
static bool xmap_target_invalidate(struct mmu_interval_notifier *mni,
				   const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	struct xmap_target *target = container_of(mni, struct xmap_target, life);

	mmu_interval_set_seq(mni, cur_seq);
	if (range->event == MMU_NOTIFY_RELEASE) {
		WRITE_ONCE(target->dead, true);
		wake_up_all(&target->wq);
	}
	return true;
}

static const struct mmu_interval_notifier_ops xmap_target_life_ops = {
	.invalidate = xmap_target_invalidate,
};

/*
 * The first interval notifier of an mm takes all its locks, which needs its
 * mmap_lock.  That is done here, killably, so that it need not be done under
 * another mm's mmap_lock when a window is made.
 */
static int xmap_target_watch(struct xmap_target *target)
{
	int rc;

	if (mmap_write_lock_killable(target->mm))
		return -EINTR;
	rc = mmu_interval_notifier_insert_locked(&target->life, target->mm, 0, PAGE_SIZE,
						 &xmap_target_life_ops);
	mmap_write_unlock(target->mm);
	/* Taking all locks gives way to any signal. */
	if (rc)
		return rc == -EINTR ? -ERESTARTSYS : rc;
	/*
	 * While a change of the mm is under way, the notifier only waits in a queue
	 * and would miss the end.  Wait until it is in the tree.
	 */
	mmu_interval_read_begin(&target->life);
	return 0;
}

static void xmap_target_free(struct xmap_target *target)
{
	if (target->life.mm)
		mmu_interval_notifier_remove(&target->life);
	if (target->mem)
		fput(target->mem);
	put_pid(target->pid);
	mmdrop(target->mm);
	kfree(target);
}

/*
 * Make a target's file, complete but for being published.  The caller holds
 * a reference to mm_users.
 */
static struct file *xmap_target_create(const struct xmap_grant *grant,
				       const struct xmap_range *range, u32 rights)
{
	struct xmap_target *target;
	struct file *file;
	int flags;
	int rc;

	target = kzalloc(sizeof(*target), GFP_KERNEL_ACCOUNT);
	if (!target)
		return ERR_PTR(-ENOMEM);
	mmgrab(grant->mm);
	target->mm = grant->mm;
	target->pid = get_pid(grant->pid);
	if (rights & XMAP_RIGHT_FORCE)
		target->mem = get_file(grant->mem);
	target->range = *range;
	target->rights = rights;
	init_waitqueue_head(&target->wq);

	rc = xmap_account_charge(&target->obj, XMAP_LIST_TARGET);
	if (rc)
		goto err_target;
	rc = xmap_target_watch(target);
	if (rc)
		goto err_charge;

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

	xmap_account_uncharge(&target->obj);
	xmap_target_free(target);
	return 0;
}

static int xmap_rights_check(u32 rights)
{
	if (rights & ~XMAP_RIGHTS_ALL)
		return -EOPNOTSUPP;
	if (!rights)
		return -EINVAL;
	if (rights & XMAP_RIGHT_FORCE && !(rights & XMAP_RIGHT_WRITE))
		return -EINVAL;
	return 0;
}

/* The range of a command: nothing at all stands for @whole. */
static int xmap_range_from_user(struct xmap_range *range, u64 addr, u64 length,
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

/*
 * Hand a new target's file to user space: what can fail first, then it is
 * visible.  Consumes @file.
 */
static int xmap_target_install(struct xmap_ucmd *ucmd, struct file *file, s32 *out_fd, size_t size)
{
	struct xmap_target *target = file->private_data;
	int fd;
	int rc;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		rc = fd;
		goto err_file;
	}
	*out_fd = fd;
	rc = xmap_ucmd_respond(ucmd, size);
	if (rc)
		goto err_fd;

	xmap_account_publish(&target->obj);
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
	rc = xmap_rights_check(cmd->rights);
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
	file = xmap_target_create(&grant, &range, cmd->rights);
	xmap_grant_drop(&grant);
	if (IS_ERR(file))
		return PTR_ERR(file);
	return xmap_target_install(ucmd, file, &cmd->out_fd, sizeof(*cmd));
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
	};
	struct xmap_range range;
	struct file *file;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	rc = xmap_rights_check(cmd->rights);
	if (rc)
		return rc;
	rc = xmap_range_from_user(&range, cmd->addr, cmd->length, &target->range);
	if (rc)
		return rc;
	if (cmd->rights & ~target->rights || !xmap_range_contains(&target->range, &range))
		return -EACCES;

	if (!xmap_mm_get(target->mm))
		return -ESRCH;
	file = xmap_target_create(&grant, &range, cmd->rights);
	mmput(target->mm);
	if (IS_ERR(file))
		return PTR_ERR(file);
	return xmap_target_install(ucmd, file, &cmd->out_fd, sizeof(*cmd));
}

int xmap_ioctl_target_info(struct xmap_ucmd *ucmd)
{
	struct xmap_target *target = ucmd->file->private_data;
	struct xmap_cmd_target_info *cmd = ucmd->cmd;

	if (cmd->flags)
		return -EOPNOTSUPP;

	cmd->out_rights = target->rights;
	cmd->out_state = xmap_target_dead(target) ? XMAP_TARGET_DEAD : XMAP_TARGET_ALIVE;
	cmd->out_pid = xmap_pid_nr(target->pid, task_active_pid_ns(current));
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

	poll_wait(file, &target->wq, wait);
	if (READ_ONCE(target->dead))
		mask |= EPOLLHUP;
	return mask;
}

static void xmap_target_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct pid_namespace *ns = proc_pid_ns(file_inode(m->file)->i_sb);
	struct xmap_target *target = file->private_data;

	seq_printf(m, "xmap-target-pid:\t%d\n", xmap_pid_nr(target->pid, ns));
	seq_printf(m, "xmap-range:\t%llx-%llx\n", target->range.start, target->range.end);
	seq_printf(m, "xmap-rights:\t%c%c%c\n",
		   target->rights & XMAP_RIGHT_READ ? 'r' : '-',
		   target->rights & XMAP_RIGHT_WRITE ? 'w' : '-',
		   target->rights & XMAP_RIGHT_FORCE ? 'f' : '-');
	seq_printf(m, "xmap-windows:\t%d\n", atomic_read(&target->windows));
	seq_printf(m, "xmap-state:\t%s\n", xmap_target_dead(target) ? "dead" : "alive");
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
