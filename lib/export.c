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

static int xmap_export_make(int fd, struct xmap_export **ret)
{
	struct xmap_export *export = malloc(sizeof(*export));

	if (!export) {
		close(fd);
		return -ENOMEM;
	}
	export->fd = fd;
	*ret = export;
	return 0;
}

static int xmap_name_copy(char *to, const char *from)
{
	size_t len = from ? strlen(from) : 0;

	if (len >= XMAP_NAME_SIZE)
		return -EINVAL;
	if (len)
		memcpy(to, from, len);
	return 0;
}

/* Who alone may accept: kept in the command as the module wants it. */
static int xmap_export_receiver(const struct xmap_export_opts *opts,
				struct xmap_cmd_export_create *cmd)
{
	int pid;

	if (opts->flags & XMAP_EXPORT_FOR_USER)
		cmd->receiver_uid = opts->receiver_uid;
	if (!(opts->flags & XMAP_EXPORT_FOR_PROCESS))
		return 0;
	pid = xmap_pidfd_pid(opts->receiver_pidfd);
	if (pid < 0)
		return pid;
	cmd->receiver_fd = opts->receiver_pidfd;
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
	if (known.flags & XMAP_EXPORT_PUBLISH)
		cmd.gid = known.gid ? known.gid : (uint32_t)-1;
	rc = xmap_name_copy(cmd.name, known.name);
	if (!rc)
		rc = xmap_export_receiver(&known, &cmd);
	if (!rc)
		rc = xmap_ioctl(dev->fd, XMAP_EXPORT_CREATE, &cmd);
	return rc < 0 ? rc : xmap_export_make(cmd.out_fd, ret);
}

static int xmap_export_open_cmd(struct xmap_dev *dev, struct xmap_cmd_export_open *cmd,
				uint32_t rights, struct xmap_export **ret)
{
	int rc;

	if (dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	cmd->size = sizeof(*cmd);
	cmd->rights = rights ? rights : XMAP_RIGHT_READ;
	rc = xmap_ioctl(dev->fd, XMAP_EXPORT_OPEN, cmd);
	return rc < 0 ? rc : xmap_export_make(cmd->out_fd, ret);
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

int xmap_export_info(struct xmap_export *export, struct xmap_cmd_export_info *ret)
{
	struct xmap_cmd_export_info info = { .size = sizeof(info) };
	int rc;

	rc = xmap_ioctl(export->fd, XMAP_EXPORT_INFO, &info);
	if (rc < 0)
		return rc;
	*ret = info;
	return 0;
}

int xmap_export_from_fd(struct xmap_dev *dev, int fd, struct xmap_export **ret)
{
	struct xmap_export probe = { .fd = fd }, *export;
	struct xmap_cmd_export_info info;
	int flags;
	int rc;

	if (dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	rc = xmap_export_info(&probe, &info);
	if (rc < 0)
		return rc == -ENOTTY ? -EBADFD : rc;
	/* recvmsg() without MSG_CMSG_CLOEXEC gives one that exec would pass on. */
	flags = fcntl(fd, F_GETFD);
	if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
		return -errno;
	export = malloc(sizeof(*export));
	if (!export)
		return -ENOMEM;
	export->fd = fd;
	*ret = export;
	return 0;
}

int xmap_export_accept(struct xmap_export *export, const struct xmap_target_opts *opts,
		       struct xmap_target **ret)
{
	struct xmap_cmd_export_accept cmd = { .size = sizeof(cmd) };
	struct xmap_target_opts known;
	int rc;

	rc = xmap_target_opts_get(opts, &known);
	if (rc)
		return rc;
	cmd.rights = known.rights;
	cmd.addr = known.addr;
	cmd.length = known.length;
	rc = xmap_ioctl(export->fd, XMAP_EXPORT_ACCEPT, &cmd);
	return rc < 0 ? rc : xmap_target_make(cmd.out_fd, known.rights, ret);
}

int xmap_export_fd(const struct xmap_export *export)
{
	return export->fd;
}

void xmap_export_close(struct xmap_export *export)
{
	if (!export)
		return;
	close(export->fd);
	free(export);
}

static int xmap_revoke_fd(int fd, uint64_t serial, uint64_t addr, uint64_t length)
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

int xmap_export_revoke(struct xmap_export *export, uint64_t addr, uint64_t length)
{
	return xmap_revoke_fd(export->fd, 0, addr, length);
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
