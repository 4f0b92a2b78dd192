// SPDX-License-Identifier: LGPL-2.1-or-later
/* The connection to the kernel: which backend, and how it is called. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

#define XMAP_DEVICE "/dev/xmap"

/* An option structure larger than this is not one, but a wild size. */
#define XMAP_OPTS_MAX 4096

/*
 * EINTR means that nothing was done, or (XMAP_DENY) what can be done once more, so that
 * calling again is always right and callers need not think of signals.  Who is told
 * anything else (XMAP_REVOKE) is being killed.
 */
int xmap_ioctl(int fd, unsigned long command, void *arg)
{
	int rc;

	do {
		rc = ioctl(fd, command, arg);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : rc;
}

/*
 * The user-space side of copy_struct_from_user(): what the caller does not know
 * is zero; what the library does not know must be zero.
 */
int xmap_opts_copy(void *known, size_t known_size, const void *opts)
{
	const unsigned char *bytes = opts;
	size_t sz;
	size_t i;

	memset(known, 0, known_size);
	if (!opts)
		return 0;
	memcpy(&sz, opts, sizeof(sz));
	if (sz < sizeof(sz))
		return -EINVAL;
	if (sz > XMAP_OPTS_MAX)
		return -E2BIG;
	for (i = known_size; i < sz; i++) {
		if (bytes[i])
			return -E2BIG;
	}
	memcpy(known, opts, sz < known_size ? sz : known_size);
	return 0;
}

static int xmap_device_open(void)
{
	struct xmap_cmd_query query = { .size = sizeof(query) };
	int fd;
	int rc;

	do {
		fd = open(XMAP_DEVICE, O_RDWR | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;

	/* A node of that name can be anything: only xmap answers this. */
	rc = xmap_ioctl(fd, XMAP_QUERY, &query);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

int xmap_open(const struct xmap_open_opts *opts, struct xmap_dev **ret)
{
	struct xmap_open_opts known;
	struct xmap_dev *dev;
	int rc;

	rc = xmap_opts_copy(&known, sizeof(known), opts);
	if (rc)
		return rc;
	if (known.__reserved)
		return -EOPNOTSUPP;
	if (known.backend && known.backend != XMAP_BACKEND_MODULE &&
	    known.backend != XMAP_BACKEND_SYSCALLS)
		return -EOPNOTSUPP;

	dev = malloc(sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	dev->fd = -ENODEV;
	dev->error = 0;
	dev->backend = XMAP_BACKEND_SYSCALLS;

	if (known.backend != XMAP_BACKEND_SYSCALLS)
		dev->fd = xmap_device_open();
	if (dev->fd >= 0) {
		dev->backend = XMAP_BACKEND_MODULE;
	} else if (known.backend != XMAP_BACKEND_SYSCALLS) {
		dev->error = dev->fd;
		/* Being short of resources says nothing about the module. */
		if (known.backend == XMAP_BACKEND_MODULE || dev->error == -EMFILE ||
		    dev->error == -ENFILE || dev->error == -ENOMEM) {
			rc = dev->error;
			free(dev);
			return rc;
		}
	}
	*ret = dev;
	return 0;
}

void xmap_close(struct xmap_dev *dev)
{
	if (!dev)
		return;
	if (dev->backend == XMAP_BACKEND_MODULE)
		close(dev->fd);
	free(dev);
}

int xmap_backend(const struct xmap_dev *dev)
{
	return dev->backend;
}

int xmap_backend_error(const struct xmap_dev *dev)
{
	return dev->error;
}

int xmap_dev_fd(const struct xmap_dev *dev)
{
	return dev->backend == XMAP_BACKEND_MODULE ? dev->fd : -EOPNOTSUPP;
}

int xmap_query(struct xmap_dev *dev, struct xmap_cmd_query *ret)
{
	struct xmap_cmd_query query = { .size = sizeof(query) };
	int rc;

	if (dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	rc = xmap_ioctl(dev->fd, XMAP_QUERY, &query);
	if (rc < 0)
		return rc;
	*ret = query;
	return 0;
}

const char *xmap_version(void)
{
	return XMAP_VERSION_STRING;
}
