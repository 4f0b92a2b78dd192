// SPDX-License-Identifier: LGPL-2.1-or-later
/* Exports: memory that its owner offers; taking it back; refusing to be looked at. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

struct xmap_export {
	int fd;
};

/*
 * Handles are allocated before the kernel is asked: nothing is offered, and no
 * acceptance used up, for want of memory.  @fd: A new export, or -errno.
 */
static int xmap_export_set(struct xmap_export *offer, int fd, struct xmap_export **ret)
{
	if (fd < 0) {
		free(offer);
		return fd;
	}
	offer->fd = fd;
	*ret = offer;
	return 0;
}

int xmap_name_copy(char *to, const char *from)
{
	size_t len = from ? strlen(from) : 0;

	if (len >= XMAP_NAME_SIZE)
		return -EINVAL;
	if (len)
		memcpy(to, from, len);
	return 0;
}

/* Who alone may accept, as the module wants it.  It refuses what has no flag. */
static int xmap_export_receiver(const struct xmap_export_opts *opts,
				struct xmap_cmd_export_create *cmd)
{
	int pid;

	cmd->receiver_uid = opts->receiver_uid;
	cmd->receiver_fd = opts->receiver_pidfd;
	if (!(opts->flags & XMAP_EXPORT_FOR_PROCESS))
		return 0;
	pid = xmap_pidfd_pid(opts->receiver_pidfd);
	if (pid < 0)
		return pid;
	cmd->receiver_pid = pid;
	return 0;
}

int xmap_export_create(struct xmap_dev *dev, const void *addr, size_t length,
		       const struct xmap_export_opts *opts, struct xmap_export **ret)
{
	struct xmap_cmd_export_create cmd = {
		.size = sizeof(cmd),
		.addr = (uintptr_t)addr,
		.length = length,
	};
	struct xmap_export_opts known;
	struct xmap_export *offer;
	int rc;

	rc = xmap_opts_copy(&known, sizeof(known), opts);
	if (rc)
		return rc;
	if (known.__reserved || dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	cmd.flags = known.flags;
	cmd.rights = known.rights ? known.rights : XMAP_RIGHT_READ;
	cmd.expires = known.expires;
	cmd.max_accepts = known.max_accepts;
	cmd.mode = known.mode;
	cmd.gid = known.gid;
	if (known.flags & XMAP_EXPORT_PUBLISH && !known.gid)
		cmd.gid = (uint32_t)-1;
	rc = xmap_name_copy(cmd.name, known.name);
	if (!rc)
		rc = xmap_export_receiver(&known, &cmd);
	if (rc)
		return rc;
	offer = malloc(sizeof(*offer));
	if (!offer)
		return -ENOMEM;
	rc = xmap_ioctl(dev->fd, XMAP_EXPORT_CREATE, &cmd);
	return xmap_export_set(offer, rc < 0 ? rc : cmd.out_fd, ret);
}

static int xmap_export_open_cmd(struct xmap_dev *dev, struct xmap_cmd_export_open *cmd,
				uint32_t rights, struct xmap_export **ret)
{
	struct xmap_export *offer;
	int rc;

	if (dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	offer = malloc(sizeof(*offer));
	if (!offer)
		return -ENOMEM;
	cmd->size = sizeof(*cmd);
	cmd->rights = rights ? rights : XMAP_RIGHT_READ;
	rc = xmap_ioctl(dev->fd, XMAP_EXPORT_OPEN, cmd);
	return xmap_export_set(offer, rc < 0 ? rc : cmd->out_fd, ret);
}

int xmap_export_open(struct xmap_dev *dev, const char *name, uint32_t rights,
		     struct xmap_export **ret)
{
	struct xmap_cmd_export_open cmd = {};
	int rc;

	rc = xmap_name_copy(cmd.name, name);
	return rc ? rc : xmap_export_open_cmd(dev, &cmd, rights, ret);
}

int xmap_export_open_id(struct xmap_dev *dev, uint64_t id, uint32_t rights,
			struct xmap_export **ret)
{
	struct xmap_cmd_export_open cmd = { .id = id };

	return xmap_export_open_cmd(dev, &cmd, rights, ret);
}

int xmap_export_info(struct xmap_export *offer, struct xmap_cmd_export_info *ret)
{
	struct xmap_cmd_export_info info = { .size = sizeof(info) };
	int rc;

	rc = xmap_ioctl(offer->fd, XMAP_EXPORT_INFO, &info);
	if (rc < 0)
		return rc;
	*ret = info;
	return 0;
}

/* recvmsg() without MSG_CMSG_CLOEXEC gives a descriptor that exec would pass on. */
int xmap_fd_cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0 ? -errno : 0;
}

int xmap_export_from_fd(struct xmap_dev *dev, int fd, struct xmap_export **ret)
{
	struct xmap_export probe = { .fd = fd }, *offer;
	struct xmap_cmd_export_info info;
	int rc;

	if (dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	rc = xmap_export_info(&probe, &info);
	if (rc < 0)
		return rc == -ENOTTY ? -EBADFD : rc;
	rc = xmap_fd_cloexec(fd);
	if (rc)
		return rc;
	offer = malloc(sizeof(*offer));
	return offer ? xmap_export_set(offer, fd, ret) : -ENOMEM;
}

int xmap_export_accept(struct xmap_export *offer, const struct xmap_target_opts *opts,
		       struct xmap_target **ret)
{
	struct xmap_cmd_export_accept cmd = { .size = sizeof(cmd) };
	struct xmap_target_opts known;
	struct xmap_target *target;
	int rc;

	rc = xmap_target_opts_get(opts, &known);
	if (rc)
		return rc;
	target = xmap_target_alloc();
	if (!target)
		return -ENOMEM;
	cmd.rights = known.rights;
	cmd.addr = known.addr;
	cmd.length = known.length;
	rc = xmap_ioctl(offer->fd, XMAP_EXPORT_ACCEPT, &cmd);
	rc = xmap_target_set(target, rc < 0 ? rc : cmd.out_fd, known.rights);
	if (rc) {
		free(target);
		return rc;
	}
	*ret = target;
	return 0;
}

int xmap_export_fd(const struct xmap_export *offer)
{
	return offer->fd;
}

void xmap_export_close(struct xmap_export *offer)
{
	if (!offer)
		return;
	close(offer->fd);
	free(offer);
}

int xmap_revoke_fd(int fd, uint64_t serial, uint64_t addr, uint64_t length)
{
	struct xmap_cmd_revoke cmd = {
		.size = sizeof(cmd),
		.serial = serial,
		.addr = addr,
		.length = length,
	};
	int rc;

	rc = xmap_ioctl(fd, XMAP_REVOKE, &cmd);
	return rc < 0 ? rc : 0;
}

int xmap_export_revoke(struct xmap_export *offer, uint64_t addr, uint64_t length)
{
	return xmap_revoke_fd(offer->fd, 0, addr, length);
}

int xmap_target_revoke(struct xmap_target *target, uint64_t addr, uint64_t length)
{
	return target->proc ? -EOPNOTSUPP : xmap_revoke_fd(target->fd, 0, addr, length);
}

int xmap_revoke(struct xmap_dev *dev, uint64_t serial, uint64_t addr, uint64_t length)
{
	if (dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	return xmap_revoke_fd(dev->fd, serial, addr, length);
}

int xmap_eventfd_set(int fd, int eventfd)
{
	struct xmap_cmd_eventfd cmd = {
		.size = sizeof(cmd),
		.fd = eventfd,
	};
	int rc;

	rc = xmap_ioctl(fd, XMAP_EVENTFD, &cmd);
	return rc < 0 ? rc : 0;
}

int xmap_export_eventfd(struct xmap_export *offer, int fd)
{
	return xmap_eventfd_set(offer->fd, fd);
}

int xmap_self_deny(struct xmap_dev *dev, uint32_t flags)
{
	struct xmap_cmd_deny cmd = {
		.size = sizeof(cmd),
		.flags = flags,
	};
	int rc;

	if (dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	rc = xmap_ioctl(dev->fd, XMAP_DENY, &cmd);
	return rc < 0 ? rc : (int)cmd.out_flags;
}
