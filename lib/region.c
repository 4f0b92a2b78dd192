// SPDX-License-Identifier: LGPL-2.1-or-later
/* Regions: memory that belongs to no process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

struct xmap_region {
	int fd;
};

/* As xmap_export_set(): the handle is allocated before the kernel is asked. */
static int xmap_region_set(struct xmap_region *region, int fd, struct xmap_region **ret)
{
	if (fd < 0) {
		free(region);
		return fd;
	}
	region->fd = fd;
	*ret = region;
	return 0;
}

int xmap_region_create(struct xmap_dev *dev, size_t length, const struct xmap_region_opts *opts,
		       struct xmap_region **ret)
{
	struct xmap_cmd_region_create cmd = {
		.size = sizeof(cmd),
		.length = length,
	};
	struct xmap_region_opts known;
	struct xmap_region *region;
	int rc;

	rc = xmap_opts_copy(&known, sizeof(known), opts);
	if (rc)
		return rc;
	if (known.__reserved || dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	cmd.flags = known.flags;
	cmd.mode = known.mode;
	cmd.gid = known.gid;
	cmd.reserve = known.reserve;
	cmd.addr = known.addr;
	if (known.flags & XMAP_REGION_PUBLISH && !known.gid)
		cmd.gid = (uint32_t)-1;
	rc = xmap_name_copy(cmd.name, known.name);
	if (rc)
		return rc;
	region = malloc(sizeof(*region));
	if (!region)
		return -ENOMEM;
	rc = xmap_ioctl(dev->fd, XMAP_REGION_CREATE, &cmd);
	return xmap_region_set(region, rc < 0 ? rc : cmd.out_fd, ret);
}

int xmap_region_open(struct xmap_dev *dev, const char *name, uint32_t rights,
		     struct xmap_region **ret)
{
	struct xmap_cmd_region_open cmd = {
		.size = sizeof(cmd),
		.rights = rights ? rights : XMAP_RIGHT_READ,
	};
	struct xmap_region *region;
	int rc;

	if (dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	rc = xmap_name_copy(cmd.name, name);
	if (rc)
		return rc;
	region = malloc(sizeof(*region));
	if (!region)
		return -ENOMEM;
	rc = xmap_ioctl(dev->fd, XMAP_REGION_OPEN, &cmd);
	return xmap_region_set(region, rc < 0 ? rc : cmd.out_fd, ret);
}

int xmap_region_info(struct xmap_region *region, struct xmap_cmd_region_info *ret)
{
	struct xmap_cmd_region_info info = { .size = sizeof(info) };
	int rc;

	rc = xmap_ioctl(region->fd, XMAP_REGION_INFO, &info);
	if (rc < 0)
		return rc;
	*ret = info;
	return 0;
}

int xmap_region_from_fd(struct xmap_dev *dev, int fd, struct xmap_region **ret)
{
	struct xmap_region probe = { .fd = fd }, *region;
	struct xmap_cmd_region_info info;
	int rc;

	if (dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	rc = xmap_region_info(&probe, &info);
	if (rc < 0)
		return rc == -ENOTTY ? -EBADFD : rc;
	region = malloc(sizeof(*region));
	if (!region)
		return -ENOMEM;
	rc = xmap_fd_cloexec(fd);
	return xmap_region_set(region, rc ? rc : fd, ret);
}

int xmap_region_derive(struct xmap_region *region, uint32_t rights, uint64_t offset,
		       uint64_t length, struct xmap_region **ret)
{
	struct xmap_cmd_region_derive cmd = {
		.size = sizeof(cmd),
		.rights = rights,
		.offset = offset,
		.length = length,
	};
	struct xmap_region *derived;
	int rc;

	derived = malloc(sizeof(*derived));
	if (!derived)
		return -ENOMEM;
	rc = xmap_ioctl(region->fd, XMAP_REGION_DERIVE, &cmd);
	return xmap_region_set(derived, rc < 0 ? rc : cmd.out_fd, ret);
}

int xmap_region_fd(const struct xmap_region *region)
{
	return region->fd;
}

void xmap_region_close(struct xmap_region *region)
{
	if (!region)
		return;
	close(region->fd);
	free(region);
}

int xmap_region_map(struct xmap_region *region, uint64_t offset, size_t length, int prot,
		    void **ret)
{
	void *addr = mmap(NULL, length, prot, MAP_SHARED, region->fd, (off_t)offset);

	if (addr == MAP_FAILED)
		return -errno;
	*ret = addr;
	return 0;
}

int xmap_region_revoke(struct xmap_region *region, uint64_t offset, uint64_t length)
{
	return xmap_revoke_fd(region->fd, 0, offset, length);
}

int xmap_region_seal(struct xmap_region *region, uint32_t seals)
{
	struct xmap_cmd_region_seal cmd = {
		.size = sizeof(cmd),
		.seals = seals,
	};
	int rc;

	rc = xmap_ioctl(region->fd, XMAP_REGION_SEAL, &cmd);
	return rc < 0 ? rc : (int)cmd.out_seals;
}

int xmap_region_resize(struct xmap_region *region, uint64_t length)
{
	struct xmap_cmd_region_resize cmd = {
		.size = sizeof(cmd),
		.length = length,
	};
	int rc;

	rc = xmap_ioctl(region->fd, XMAP_REGION_RESIZE, &cmd);
	return rc < 0 ? rc : 0;
}

int xmap_region_give(struct xmap_region *region)
{
	struct xmap_cmd_region_give cmd = { .size = sizeof(cmd) };
	int rc;

	rc = xmap_ioctl(region->fd, XMAP_REGION_GIVE, &cmd);
	return rc < 0 ? rc : 0;
}

int xmap_region_take(struct xmap_region *region)
{
	struct xmap_cmd_region_take cmd = { .size = sizeof(cmd) };
	int rc;

	rc = xmap_ioctl(region->fd, XMAP_REGION_TAKE, &cmd);
	return rc < 0 ? rc : 0;
}

int xmap_region_rebind(struct xmap_region *region, uint64_t *generation)
{
	struct xmap_cmd_region_rebind cmd = { .size = sizeof(cmd) };
	int rc;

	rc = xmap_ioctl(region->fd, XMAP_REGION_REBIND, &cmd);
	if (rc < 0)
		return rc;
	if (generation)
		*generation = cmd.out_generation;
	return 0;
}

int xmap_region_unlink(struct xmap_region *region)
{
	struct xmap_cmd_region_unlink cmd = { .size = sizeof(cmd) };
	int rc;

	rc = xmap_ioctl(region->fd, XMAP_REGION_UNLINK, &cmd);
	return rc < 0 ? rc : 0;
}

int xmap_region_notify(struct xmap_region *region)
{
	struct xmap_cmd_region_notify cmd = { .size = sizeof(cmd) };
	int rc;

	rc = xmap_ioctl(region->fd, XMAP_REGION_NOTIFY, &cmd);
	return rc < 0 ? rc : 0;
}

int xmap_region_eventfd(struct xmap_region *region, int fd)
{
	return xmap_eventfd_set(region->fd, fd);
}

/* ---- For those who must not fail any more once they have the descriptor ---- */

struct xmap_region *xmap_region_alloc(void)
{
	return malloc(sizeof(struct xmap_region));
}

void xmap_region_free(struct xmap_region *region)
{
	free(region);
}

void xmap_region_adopt(struct xmap_region *region, int fd)
{
	region->fd = fd;
}
