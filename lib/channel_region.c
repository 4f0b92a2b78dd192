// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Channels and regions: memory of a channel that can be taken back from the peer, and
 * memory that is moved by a record.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "channel.h"

#define SEALS (XMAP_REGION_SEAL_SHRINK | XMAP_REGION_SEAL_GROW)
#define RIGHTS (XMAP_RIGHT_READ | XMAP_RIGHT_WRITE)

/* ---- The memory of a channel ---- */

/*
 * The peer gets a handle of its own, derived from ours: what is revoked there leaves
 * us what we have.
 */
int xmap_channel_region_create(struct xmap_dev *dev, uint32_t ring,
			       struct xmap_channel_memory *ret)
{
	struct xmap_channel_memory mem = {};
	int rc;

	rc = xmap_region_create(dev, xmap_channel_memory_size(ring), NULL, &mem.whole);
	if (rc)
		return rc;
	mem.ours = xmap_region_fd(mem.whole);
	if (pwrite(mem.ours, XMAP_CHANNEL_MAGIC, sizeof(XMAP_CHANNEL_MAGIC), 0) < 0) {
		rc = -errno;
		goto err_whole;
	}
	rc = xmap_region_seal(mem.whole, SEALS | XMAP_REGION_SEAL_SEAL);
	if (rc < 0)
		goto err_whole;
	rc = xmap_region_derive(mem.whole, RIGHTS, 0, 0, &mem.lease);
	if (rc)
		goto err_whole;
	mem.theirs = fcntl(xmap_region_fd(mem.lease), F_DUPFD_CLOEXEC, 0);
	if (mem.theirs < 0) {
		rc = -errno;
		goto err_lease;
	}
	*ret = mem;
	return 0;

err_lease:
	xmap_region_close(mem.lease);
err_whole:
	xmap_region_close(mem.whole);
	return rc;
}

/* Is it a region that the other side should have made?  -EBADFD if it is none. */
int xmap_channel_region_check(struct xmap_dev *dev, int fd, uint32_t *ring)
{
	struct xmap_cmd_region_info info = { .size = sizeof(info) };
	int rc;

	if (dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	rc = xmap_ioctl(fd, XMAP_REGION_INFO, &info);
	if (rc < 0)
		return rc == -ENOTTY ? -EBADFD : rc;
	if (info.out_state != XMAP_TARGET_ALIVE)
		return -ESTALE;
	/* Its rings are mapped twice, wherever there is room, and by both of us. */
	if (info.out_owner != XMAP_REGION_OWNER_ALL || info.out_addr || info.out_offset ||
	    info.out_length != info.out_region_length ||
	    (info.out_rights & RIGHTS) != RIGHTS || (info.out_seals & SEALS) != SEALS)
		return -EINVAL;
	if (info.out_length > INT64_MAX)
		return -EINVAL;
	rc = xmap_channel_memory_ring(info.out_length, ring);
	return rc ? rc : xmap_channel_memory_magic(fd);
}

/* All of it now: what cannot be had must be an error here, and no signal later. */
int xmap_channel_region_populate(struct xmap_shared *map, uint32_t ring)
{
	unsigned char *first = xmap_channel_memory_bytes(map, ring, 0);
	unsigned char *second = xmap_channel_memory_bytes(map, ring, 1);

	if (madvise(map, XMAP_PAGE_SIZE, MADV_POPULATE_WRITE) ||
	    madvise(first, ring, MADV_POPULATE_WRITE) ||
	    madvise(second, ring, MADV_POPULATE_WRITE))
		return errno == EFAULT ? -ENOMEM : -errno;
	return 0;
}

int xmap_channel_revoke(struct xmap_channel *ch)
{
	int rc;

	if (!ch->state->alive)
		return -EBADFD;
	if (!ch->lease)
		return -EOPNOTSUPP;
	rc = xmap_region_revoke(ch->lease, 0, 0);
	if (rc)
		return rc;
	xmap_channel_fail(ch, -ESTALE);
	return 0;
}

/* What it calls may be called in a handler, and what is read here does not change. */
int xmap_channel_fault(struct xmap_channel *ch, const void *addr)
{
	int error = errno;
	int rc;

	if (!ch->state->alive || !xmap_channel_memory_has(ch->map, ch->ring, addr))
		return 0;
	/* First: who reads zeroes is to find the channel dead when he has. */
	xmap_channel_fail(ch, -ESTALE);
	rc = xmap_channel_memory_replace(ch->map, ch->ring);
	errno = error;
	return rc ? rc : 1;
}

/* ---- Regions as payload ---- */

int xmap_channel_send_region(struct xmap_channel *ch, const void *buf, size_t length,
			     struct xmap_region *region, int timeout)
{
	struct iovec iov = { (void *)buf, length };
	int fd = xmap_region_fd(region);
	int rc;

	rc = xmap_region_give(region);
	if (rc)
		return rc;
	rc = xmap_channel_sendv(ch, &iov, 1, &fd, 1, timeout);
	if (rc)
		xmap_region_take(region);
	return rc;
}

/* The handle is made first: what has been received must not be lost for want of memory. */
ssize_t xmap_channel_recv_region(struct xmap_channel *ch, void *buf, size_t length,
				 struct xmap_region **ret, int timeout)
{
	struct iovec iov = { buf, length };
	struct xmap_region *region;
	unsigned int nfds = 1;
	ssize_t n;
	int fd;

	region = xmap_region_alloc();
	if (!region)
		return -ENOMEM;
	n = xmap_channel_recvv(ch, &iov, 1, &fd, &nfds, timeout);
	if (n < 0 || !nfds) {
		xmap_region_free(region);
		if (n >= 0)
			*ret = NULL;
		return n;
	}
	xmap_region_adopt(region, fd);
	/* It may be anything: a file, a region of another kind, one that is somebody's. */
	if (xmap_region_take(region)) {
		xmap_region_close(region);
		return -EBADMSG;
	}
	*ret = region;
	return n;
}
