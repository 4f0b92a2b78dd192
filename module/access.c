// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate: may this caller have this address space?
 *
 * One function answers, everyone asks it.  The check is not ours: it is the
 * kernel's own PTRACE_MODE_ATTACH_FSCREDS check with every LSM, made by
 * opening /proc/PID/mem.  ptrace_may_access() and mm_access() are not exported;
 * the open method of that file calls them.
 *
 *  - The file is opened on a proc mount of our own, made in the initial pid
 *    namespace: neither the caller's view of /proc nor hidepid= matter, and
 *    every process has a number there.
 *  - Nothing but the ptrace check decides.  The walk to the file runs with the
 *    kernel's credentials, and the file's own open method is called on a file
 *    that we made: the mode of the file, and LSM hooks about opening files
 *    (Landlock's, for one), are not asked.  The ptrace check looks at current,
 *    whose credentials are the caller's again by then.
 *  - What is granted is the mm that the file got, and it is granted only if it
 *    is still the mm of the task that the pidfd named.  While a task has an
 *    mm, its number cannot be given to another; so the file that we opened by
 *    number is that task's.  An exec in between changes the mm: then we ask
 *    again, about the new one.
 *
 * After that the grant is bound to the mm.  Exec, setuid or not, and exit
 * replace the mm and leave the holder with nothing.  As with an open
 * /proc/PID/mem, a target that later drops its ids without exec keeps its
 * attachers.
 */
#include <linux/cred.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "trace.h"
#include "xmap.h"

/* An exec loop would have to win the race this often in a row. */
#define XMAP_ACCESS_TRIES 32

static struct vfsmount *xmap_proc;
static const struct cred *xmap_kernel_cred;
static const struct file_operations *xmap_mem_fops;

/* Open /proc/NR/mem as @current; NR counts in the initial pid namespace. */
static struct file *xmap_mem_open(pid_t nr)
{
	const struct cred *caller;
	struct inode *inode;
	struct path path;
	struct file *mem;
	char name[32];
	int rc;

	snprintf(name, sizeof(name), "%d/mem", nr);
	caller = override_creds(xmap_kernel_cred);
	rc = vfs_path_lookup(xmap_proc->mnt_root, xmap_proc, name, 0, &path);
	revert_creds(caller);
	if (rc)
		return ERR_PTR(rc);

	inode = d_inode(path.dentry);
	ihold(inode);
	mem = alloc_file_pseudo(inode, xmap_proc, "mem", O_RDWR | O_LARGEFILE, inode->i_fop);
	path_put(&path);
	if (IS_ERR(mem)) {
		iput(inode);
		return mem;
	}
	/* From here on the file owns the inode. */
	rc = mem->f_op->open(inode, mem);
	if (rc) {
		fput(mem);
		return ERR_PTR(rc);
	}
	return mem;
}

/* The check, for a task that the caller named.  Fills @grant but for ->pid. */
static int xmap_access_task(struct task_struct *task, struct xmap_grant *grant)
{
	struct mm_struct *mm;
	struct file *mem;
	pid_t nr;
	int i;

	for (i = 0; i < XMAP_ACCESS_TRIES; i++) {
		nr = task_pid_nr(task);
		mem = xmap_mem_open(nr);
		/* proc says so too if it has no memory for the entry. */
		if (mem == ERR_PTR(-ENOENT))
			return pid_alive(task) && task_pid_nr(task) == nr ? -ENOMEM : -ESRCH;
		if (IS_ERR(mem))
			return PTR_ERR(mem);

		mm = get_task_mm(task);
		if (!mm) {
			fput(mem);
			return -ESRCH;
		}
		if (mem->private_data == mm) {
			mmgrab(mm);
			grant->mm = mm;
			grant->mem = mem;
			grant->rights = XMAP_RIGHTS_ALL;
			return 0;
		}

		/* It ran another program meanwhile: ask about that one. */
		mmput(mm);
		fput(mem);
		if (signal_pending(current))
			return -ERESTARTSYS;
		cond_resched();
	}
	return -EAGAIN;
}

static int xmap_access_pidfd(struct file *pidfd, pid_t nr, struct xmap_grant *grant)
{
	struct task_struct *task;
	const void *named;
	struct pid *pid;
	int rc;

	named = xmap_pidfd_pid(pidfd);
	if (!named)
		return -EBADFD;

	rcu_read_lock();
	pid = find_vpid(nr);
	if (pid != named)
		pid = NULL;
	task = pid ? get_pid_task(pid, PIDTYPE_PID) : NULL;
	rcu_read_unlock();
	if (!task)
		return -ESRCH;

	rc = xmap_access_task(task, grant);
	if (!rc)
		grant->pid = get_task_pid(task, PIDTYPE_TGID);
	put_task_struct(task);
	return rc;
}

/*
 * The process of a /proc/PID/mem, for reports.  Its number is the name of the
 * directory, in the pid namespace of that proc mount; it is believed only if
 * that process has that very mm.
 */
static struct pid *xmap_mem_pid(struct file *mem, struct mm_struct *mm)
{
	struct pid_namespace *ns = proc_pid_ns(file_inode(mem)->i_sb);
	struct task_struct *task = NULL;
	struct pid *pid = NULL;
	struct dentry *dir;
	pid_t nr;
	int rc;

	dir = dget_parent(mem->f_path.dentry);
	spin_lock(&dir->d_lock);
	rc = kstrtoint(dir->d_name.name, 10, &nr);
	spin_unlock(&dir->d_lock);
	dput(dir);

	rcu_read_lock();
	if (!rc)
		task = get_pid_task(find_pid_ns(nr, ns), PIDTYPE_PID);
	rcu_read_unlock();
	if (!task)
		return NULL;

	task_lock(task);
	if (task->mm == mm)
		pid = get_pid(task_tgid(task));
	task_unlock(task);
	put_task_struct(task);
	return pid;
}

/* Delegation: whoever opened the file passed the check, and passed it on. */
static int xmap_access_mem(struct file *mem, struct xmap_grant *grant)
{
	struct mm_struct *mm;

	if (mem->f_op != xmap_mem_fops)
		return -EBADFD;

	/* The file holds mm_count.  xmap_access_init() made sure that it is an mm. */
	mm = mem->private_data;
	if (!mm || !xmap_mm_get(mm))
		return -ESRCH;

	mmgrab(mm);
	grant->mm = mm;
	grant->mem = get_file(mem);
	grant->pid = xmap_mem_pid(mem, mm);
	grant->rights = 0;
	if (mem->f_mode & FMODE_READ)
		grant->rights |= XMAP_RIGHT_READ;
	if (mem->f_mode & FMODE_WRITE)
		grant->rights |= XMAP_RIGHT_WRITE | XMAP_RIGHT_FORCE;
	return 0;
}

/**
 * xmap_access_grant - May the caller have this address space?
 * @cmd: What it asks for: @fd, @pid and the flags are looked at here
 * @grant: Out: what it may have; end it with xmap_grant_drop()
 *
 * Return: 0, or -EACCES, -EAGAIN, -EBADF, -EBADFD, -EINVAL, -ENOMEM, -ESRCH,
 * or whatever the LSMs of this kernel say.
 */
int xmap_access_grant(const struct xmap_cmd_target_open *cmd, struct xmap_grant *grant)
{
	struct file *file;
	int rc;

	memset(grant, 0, sizeof(*grant));
	if (cmd->flags & XMAP_TARGET_OPEN_MEM) {
		if (cmd->pid)
			return -EINVAL;
	} else if (cmd->pid <= 0) {
		return -EINVAL;
	}

	file = fget(cmd->fd);
	if (!file)
		return -EBADF;
	if (cmd->flags & XMAP_TARGET_OPEN_MEM)
		rc = xmap_access_mem(file, grant);
	else
		rc = xmap_access_pidfd(file, cmd->pid, grant);
	fput(file);

	if (!rc && cmd->rights & ~grant->rights) {
		xmap_grant_drop(grant);
		rc = -EACCES;
	}
	if (rc)
		trace_xmap_deny(cmd->fd, cmd->pid, cmd->rights, rc);
	return rc;
}

void xmap_grant_drop(struct xmap_grant *grant)
{
	fput(grant->mem);
	put_pid(grant->pid);
	mmput(grant->mm);
	mmdrop(grant->mm);
}

/*
 * The gate relies on what file->private_data of /proc/PID/mem is.  Try it on
 * ourselves: on a kernel where that is not so, refuse to load.
 */
static int xmap_access_selftest(void)
{
	struct file *mem;
	int rc = 0;

	mem = xmap_mem_open(task_pid_nr(current));
	/* We are there: if proc does not find us, it has no memory for the entry. */
	if (IS_ERR(mem))
		return mem == ERR_PTR(-ENOENT) ? -ENOMEM : PTR_ERR(mem);
	if (!current->mm || mem->private_data != current->mm || !mem->f_op->write) {
		pr_err("/proc/PID/mem of this kernel is not what xmap knows\n");
		rc = -ENODEV;
	} else {
		xmap_mem_fops = mem->f_op;
	}
	/* It may be closed after kern_unmount(): it holds the mount, and no code of ours. */
	fput(mem);
	return rc;
}

int xmap_access_init(void)
{
	struct file_system_type *type;
	int rc;

	if (task_active_pid_ns(current) != &init_pid_ns) {
		pr_err("load the module from the initial pid namespace\n");
		return -EPERM;
	}

	xmap_kernel_cred = prepare_kernel_cred(&init_task);
	if (!xmap_kernel_cred)
		return -ENOMEM;

	rc = -ENODEV;
	type = get_fs_type("proc");
	if (!type)
		goto err_cred;
	xmap_proc = kern_mount(type);
	/* get_fs_type() took a reference to the module of the type. */
	module_put(type->owner);
	if (IS_ERR(xmap_proc)) {
		rc = PTR_ERR(xmap_proc);
		goto err_cred;
	}

	rc = xmap_access_selftest();
	if (rc)
		goto err_mount;
	return 0;

err_mount:
	kern_unmount(xmap_proc);
err_cred:
	put_cred(xmap_kernel_cred);
	return rc;
}

void xmap_access_exit(void)
{
	kern_unmount(xmap_proc);
	put_cred(xmap_kernel_cred);
}
