// SPDX-License-Identifier: LGPL-2.1-or-later
/* Copies between the caller and targets. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "internal.h"

/* Entries of one XMAP_TRANSFER; they live on the stack. */
#define XMAP_TRANSFER_BATCH 128

/* @flags: enum xmap_transfer_flags. */
static ssize_t xmap_copy_some(struct xmap_target *target, uint64_t addr, void *buf,
			      size_t length, uint32_t flags)
{
	bool write = flags & XMAP_TRANSFER_WRITE;
	ssize_t n;

	if (target->proc && write)
		return xmap_proc_write(target, addr, buf, length, flags & XMAP_TRANSFER_FORCE);
	if (target->proc)
		return xmap_proc_read(target, addr, buf, length);
	do {
		n = write ? pwrite(target->fd, buf, length, addr) :
			    pread(target->fd, buf, length, addr);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Said here, because the file's mode and its offset would say EBADF and EINVAL. */
static int xmap_copy_check(const struct xmap_target *target, uint64_t addr, size_t length,
			   uint32_t flags)
{
	uint32_t right = flags & XMAP_TRANSFER_WRITE ? XMAP_RIGHT_WRITE : XMAP_RIGHT_READ;

	if (!(target->rights & right))
		return -EACCES;
	if (length > SSIZE_MAX)
		return -EINVAL;
	if (addr + length < addr)
		return -EOVERFLOW;
	return length && addr > INT64_MAX ? -EFAULT : 0;
}

/*
 * The kernel may stop early for its own reasons: at 2 GiB, or for a signal.
 * Go on until there is an error, so that a short count always means that the
 * memory (or the handle's range) ends there.
 */
static ssize_t xmap_copy_all(struct xmap_target *target, uint64_t addr, void *buf, size_t length,
			     uint32_t flags)
{
	size_t done = 0;
	ssize_t n;

	n = xmap_copy_check(target, addr, length, flags);
	if (n || !length)
		return n;
	do {
		n = xmap_copy_some(target, addr + done, (char *)buf + done, length - done, flags);
		if (n < 0)
			return done ? (ssize_t)done : n;
		done += n;
	} while (n && done < length);
	return done;
}

/* As write(2) on a target: forced if the handle has that right. */
static uint32_t xmap_write_flags(const struct xmap_target *target)
{
	return XMAP_TRANSFER_WRITE |
	       (target->rights & XMAP_RIGHT_FORCE ? XMAP_TRANSFER_FORCE : 0);
}

ssize_t xmap_read(struct xmap_target *target, uint64_t addr, void *buf, size_t length)
{
	return xmap_copy_all(target, addr, buf, length, 0);
}

ssize_t xmap_write(struct xmap_target *target, uint64_t addr, const void *buf, size_t length)
{
	return xmap_copy_all(target, addr, (void *)buf, length, xmap_write_flags(target));
}

/* One call for all buffers, where there is one to make; else 0. */
static ssize_t xmap_copyv_some(struct xmap_target *target, uint64_t addr,
			       const struct iovec *iov, int iovcnt, uint32_t flags)
{
	bool write = flags & XMAP_TRANSFER_WRITE;
	ssize_t n;

	if (target->proc)
		return 0;
	do {
		n = write ? pwritev(target->fd, iov, iovcnt, addr) :
			    preadv(target->fd, iov, iovcnt, addr);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t xmap_copyv(struct xmap_target *target, uint64_t addr, const struct iovec *iov,
			  int iovcnt, uint32_t flags)
{
	size_t total = 0;
	size_t skip;
	ssize_t n;
	int i;

	if (iovcnt < 0 || iovcnt > IOV_MAX)
		return -EINVAL;
	for (i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len > SSIZE_MAX - total)
			return -EINVAL;
		total += iov[i].iov_len;
	}
	n = xmap_copy_check(target, addr, total, flags);
	if (n || !total)
		return n;
	n = xmap_copyv_some(target, addr, iov, iovcnt, flags);
	if (n < 0 || (size_t)n == total)
		return n;

	/* The rest, buffer by buffer. */
	skip = n;
	total = n;
	for (i = 0; i < iovcnt; i++) {
		size_t length = iov[i].iov_len;

		if (skip >= length) {
			skip -= length;
			continue;
		}
		length -= skip;
		n = xmap_copy_all(target, addr + total, (char *)iov[i].iov_base + skip, length,
				  flags);
		if (n < 0)
			return total ? (ssize_t)total : n;
		total += n;
		if ((size_t)n < length)
			break;
		skip = 0;
	}
	return total;
}

ssize_t xmap_readv(struct xmap_target *target, uint64_t addr, const struct iovec *iov, int iovcnt)
{
	return xmap_copyv(target, addr, iov, iovcnt, 0);
}

ssize_t xmap_writev(struct xmap_target *target, uint64_t addr, const struct iovec *iov, int iovcnt)
{
	return xmap_copyv(target, addr, iov, iovcnt, xmap_write_flags(target));
}

/* Return: entries done, or -errno if there were none. */
static ssize_t xmap_transfer_module(struct xmap_dev *dev, struct xmap_copy *copies, size_t count)
{
	struct xmap_transfer entries[XMAP_TRANSFER_BATCH];
	struct xmap_cmd_transfer cmd = {
		.size = sizeof(cmd),
		.entries = (uintptr_t)entries,
		.count = count,
	};
	size_t i;
	int rc;

	for (i = 0; i < count; i++) {
		entries[i] = (struct xmap_transfer){
			.fd = copies[i].target->fd,
			.flags = copies[i].flags,
			.remote = copies[i].addr,
			.local = (uintptr_t)copies[i].buf,
			.length = copies[i].length,
		};
	}
	rc = xmap_ioctl(dev->fd, XMAP_TRANSFER, &cmd);
	if (rc < 0)
		return rc;
	for (i = 0; i < cmd.out_done; i++)
		copies[i].result = entries[i].out_result;
	return cmd.out_done;
}

static ssize_t xmap_transfer_one(const struct xmap_copy *copy)
{
	if (copy->flags & ~(XMAP_TRANSFER_WRITE | XMAP_TRANSFER_FORCE))
		return -EOPNOTSUPP;
	if (copy->flags == XMAP_TRANSFER_FORCE)
		return -EINVAL;
	return xmap_copy_all(copy->target, copy->addr, copy->buf, copy->length, copy->flags);
}

ssize_t xmap_transfer(struct xmap_dev *dev, struct xmap_copy *copies, size_t count)
{
	bool module = dev->backend == XMAP_BACKEND_MODULE;
	size_t done = 0;
	size_t i;

	if (count > SSIZE_MAX / sizeof(*copies))
		return -EINVAL;
	for (i = 0; i < count; i++) {
		if (copies[i].__reserved)
			return -EOPNOTSUPP;
		/* A handle of the other backend. */
		if (module != !copies[i].target->proc)
			return -EBADFD;
	}
	while (done < count) {
		size_t batch = count - done;
		ssize_t n;

		if (!module) {
			copies[done].result = xmap_transfer_one(&copies[done]);
			done++;
			continue;
		}
		if (batch > XMAP_TRANSFER_BATCH)
			batch = XMAP_TRANSFER_BATCH;
		n = xmap_transfer_module(dev, copies + done, batch);
		if (n < 0)
			return done ? (ssize_t)done : n;
		done += n;
		if ((size_t)n < batch)
			break;
	}
	return done;
}
