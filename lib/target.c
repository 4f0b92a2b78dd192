// SPDX-License-Identifier: LGPL-2.1-or-later
/* Targets: access to (part of) one address space. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

/*
 * The number of a pidfd's process, as this process sees it.  The kernel has no
 * call for it, but tells it in fdinfo, where only a pidfd has a "Pid:" line.
 */
int xmap_pidfd_pid(int pidfd)
{
	char path[sizeof("/proc/self/fdinfo/") + 3 * sizeof(int)];
	char line[256];
	int pid = 0;
	bool found = false;
	FILE *file;

	if (fcntl(pidfd, F_GETFD) < 0)
		return -EBADF;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "Pid: %d", &pid) == 1;
	fclose(file);
	if (!found)
		return -EBADFD;

	/* -1: it has ended and was waited for; 0: not visible in this pid namespace. */
	return pid > 0 ? pid : -ESRCH;
}

int xmap_target_opts_get(const struct xmap_target_opts *opts, struct xmap_target_opts *known)
{
	int rc;

	rc = xmap_opts_copy(known, sizeof(*known), opts);
	if (rc)
		return rc;
	if (known->__reserved || known->rights & ~XMAP_RIGHTS_ALL)
		return -EOPNOTSUPP;
	if (!known->rights)
		known->rights = XMAP_RIGHT_READ;
	if (known->rights & XMAP_RIGHT_FORCE && !(known->rights & XMAP_RIGHT_WRITE))
		return -EINVAL;
	if (!known->length)
		return known->addr ? -EINVAL : 0;
	if (known->addr + known->length < known->addr)
		return -EOVERFLOW;
	return 0;
}

/* A handle without a target. */
struct xmap_target *xmap_target_alloc(void)
{
	struct xmap_target *target = calloc(1, sizeof(*target));

	if (target)
		target->fd = -1;
	return target;
}

/* @fd: A new target of the module, or -errno. */
int xmap_target_set(struct xmap_target *target, int fd, uint32_t rights)
{
	if (fd < 0)
		return fd;
	target->fd = fd;
	target->rights = rights;
	return 0;
}

/* Ask the module for a target.  @pid is 0 if @fd is an open /proc/PID/mem. */
static int xmap_target_open_module(struct xmap_dev *dev, int fd, int pid,
				   const struct xmap_target_opts *opts, struct xmap_target *target)
{
	struct xmap_cmd_target_open cmd = {
		.size = sizeof(cmd),
		.flags = pid ? 0 : XMAP_TARGET_OPEN_MEM,
		.fd = fd,
		.pid = pid,
		.rights = opts->rights,
		.addr = opts->addr,
		.length = opts->length,
	};
	int rc;

	rc = xmap_ioctl(dev->fd, XMAP_TARGET_OPEN, &cmd);
	return xmap_target_set(target, rc < 0 ? rc : cmd.out_fd, opts->rights);
}

int xmap_target_open(struct xmap_dev *dev, int pidfd, const struct xmap_target_opts *opts,
		     struct xmap_target **ret)
{
	struct xmap_target_opts known;
	struct xmap_target *target;
	int rc;

	rc = xmap_target_opts_get(opts, &known);
	if (rc)
		return rc;
	target = xmap_target_alloc();
	if (!target)
		return -ENOMEM;

	if (dev->backend == XMAP_BACKEND_MODULE) {
		rc = xmap_pidfd_pid(pidfd);
		if (rc > 0)
			rc = xmap_target_open_module(dev, pidfd, rc, &known, target);
	} else {
		rc = xmap_proc_open(pidfd, &known, target);
	}
	if (rc) {
		free(target);
		return rc;
	}
	*ret = target;
	return 0;
}

int xmap_target_open_pid(struct xmap_dev *dev, pid_t pid, const struct xmap_target_opts *opts,
			 struct xmap_target **ret)
{
	int pidfd;
	int rc;

	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return -errno;
	rc = xmap_target_open(dev, pidfd, opts, ret);
	close(pidfd);
	return rc;
}

int xmap_target_open_mem(struct xmap_dev *dev, int memfd, const struct xmap_target_opts *opts,
			 struct xmap_target **ret)
{
	struct xmap_target_opts known;
	struct xmap_target *target;
	int rc;

	rc = xmap_target_opts_get(opts, &known);
	if (rc)
		return rc;
	if (dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	target = xmap_target_alloc();
	if (!target)
		return -ENOMEM;
	rc = xmap_target_open_module(dev, memfd, 0, &known, target);
	if (rc) {
		free(target);
		return rc;
	}
	*ret = target;
	return 0;
}

static int xmap_fd_info(int fd, struct xmap_cmd_target_info *info)
{
	*info = (struct xmap_cmd_target_info){ .size = sizeof(*info) };
	return xmap_ioctl(fd, XMAP_TARGET_INFO, info);
}

int xmap_target_from_fd(struct xmap_dev *dev, int fd, struct xmap_target **ret)
{
	struct xmap_cmd_target_info info;
	struct xmap_target *target;
	int flags;
	int rc;

	if (dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	rc = xmap_fd_info(fd, &info);
	if (rc < 0)
		return rc == -ENOTTY ? -EBADFD : rc;

	/* recvmsg() without MSG_CMSG_CLOEXEC gives one that exec would pass on. */
	flags = fcntl(fd, F_GETFD);
	if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
		return -errno;
	target = xmap_target_alloc();
	if (!target)
		return -ENOMEM;
	target->fd = fd;
	target->rights = info.out_rights;
	*ret = target;
	return 0;
}

/* Ask the module for a target with less.  Return: its descriptor or -errno. */
int xmap_derive_fd(int fd, uint32_t rights, uint64_t addr, uint64_t length)
{
	struct xmap_cmd_target_derive cmd = {
		.size = sizeof(cmd),
		.rights = rights,
		.addr = addr,
		.length = length,
	};
	int rc;

	rc = xmap_ioctl(fd, XMAP_TARGET_DERIVE, &cmd);
	return rc < 0 ? rc : cmd.out_fd;
}

int xmap_target_derive(struct xmap_target *target, const struct xmap_target_opts *opts,
		       struct xmap_target **ret)
{
	struct xmap_target_opts known;
	struct xmap_target *child;
	int rc;

	rc = xmap_target_opts_get(opts, &known);
	if (rc)
		return rc;
	child = xmap_target_alloc();
	if (!child)
		return -ENOMEM;
	if (target->proc)
		rc = xmap_proc_derive(target, &known, child);
	else
		rc = xmap_target_set(child, xmap_derive_fd(target->fd, known.rights, known.addr,
							   known.length), known.rights);
	if (rc) {
		free(child);
		return rc;
	}
	*ret = child;
	return 0;
}

void xmap_target_close(struct xmap_target *target)
{
	if (!target)
		return;
	if (target->proc)
		xmap_proc_put(target->proc);
	else
		close(target->fd);
	free(target);
}

int xmap_target_fd(const struct xmap_target *target)
{
	return target->proc ? -EOPNOTSUPP : target->fd;
}

int xmap_target_info(struct xmap_target *target, struct xmap_cmd_target_info *ret)
{
	struct xmap_cmd_target_info info;
	int rc;

	if (target->proc) {
		xmap_proc_info(target, ret);
		return 0;
	}
	rc = xmap_fd_info(target->fd, &info);
	if (rc < 0)
		return rc;
	*ret = info;
	return 0;
}

int xmap_target_eventfd(struct xmap_target *target, int fd)
{
	return target->proc ? -EOPNOTSUPP : xmap_eventfd_set(target->fd, fd);
}
