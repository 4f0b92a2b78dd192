// SPDX-License-Identifier: LGPL-2.1-or-later
/* Windows: a target's memory in the caller's address space. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

/**
 * struct xmap_window_own - What the library knows of a window
 * @pub: What the program sees
 * @fd: The target that the window is mapped from, without XMAP_RIGHT_FORCE: a
 *	window never forces, and neither do the copies through it
 * @rights: Rights of @fd
 */
struct xmap_window_own {
	struct xmap_window pub;
	int fd;
	uint32_t rights;
};

static struct xmap_window_own *xmap_window_own(struct xmap_window *win)
{
	return (struct xmap_window_own *)((char *)win - offsetof(struct xmap_window_own, pub));
}

/* The window's own descriptor: it outlives the target handle. */
static int xmap_window_fd(const struct xmap_target *target)
{
	int fd;

	/* Only the copies would force; but copies and window are to agree. */
	if (target->rights & XMAP_RIGHT_FORCE)
		return xmap_derive_fd(target->fd, target->rights & ~XMAP_RIGHT_FORCE, 0, 0);
	fd = fcntl(target->fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static int xmap_map_opts_get(const struct xmap_map_opts *opts, struct xmap_map_opts *known)
{
	int rc;

	rc = xmap_opts_copy(known, sizeof(*known), opts);
	if (rc)
		return rc;
	if (known->prot & ~(PROT_READ | PROT_WRITE))
		return -EOPNOTSUPP;
	if (known->flags & ~(MAP_FIXED | MAP_FIXED_NOREPLACE))
		return -EOPNOTSUPP;
	if (!known->prot)
		known->prot = PROT_READ;
	if (!(known->prot & PROT_READ))
		return -EINVAL;
	if (known->flags && !known->hint)
		return -EINVAL;
	return 0;
}

int xmap_map(struct xmap_target *target, uint64_t addr, size_t length,
	     const struct xmap_map_opts *opts, struct xmap_window **ret)
{
	struct xmap_map_opts known;
	struct xmap_window_own *own;
	int rc;

	rc = xmap_map_opts_get(opts, &known);
	if (rc)
		return rc;
	if (target->proc)
		return -EOPNOTSUPP;
	if (!length || length % XMAP_PAGE_SIZE || addr % XMAP_PAGE_SIZE)
		return -EINVAL;
	/* A 32-bit program tells mmap() a page by a number of 32 bits. */
	if (sizeof(long) == 4 && addr / XMAP_PAGE_SIZE > UINT32_MAX)
		return -EOVERFLOW;

	own = malloc(sizeof(*own));
	if (!own)
		return -ENOMEM;
	own->fd = xmap_window_fd(target);
	if (own->fd < 0) {
		rc = own->fd;
		goto err_free;
	}
	own->rights = target->rights & ~XMAP_RIGHT_FORCE;
	own->pub.addr = mmap(known.hint, length, known.prot, MAP_SHARED | known.flags, own->fd,
			     addr);
	if (own->pub.addr == MAP_FAILED) {
		rc = -errno;
		goto err_close;
	}
	own->pub.length = length;
	own->pub.remote = addr;
	own->pub.prot = known.prot;
	*ret = &own->pub;
	return 0;

err_close:
	close(own->fd);
err_free:
	free(own);
	return rc;
}

void xmap_unmap(struct xmap_window *win)
{
	struct xmap_window_own *own;

	if (!win)
		return;
	own = xmap_window_own(win);
	munmap(win->addr, win->length);
	close(own->fd);
	free(own);
}

ssize_t xmap_window_prefault(struct xmap_window *win, size_t offset, size_t length, uint32_t flags)
{
	struct xmap_cmd_target_prefault cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.addr = (uintptr_t)win->addr + offset,
		.length = length,
	};
	int rc;

	/* Or it would be about a neighbouring window. */
	if (offset > win->length || length > win->length - offset)
		return -EINVAL;
	rc = xmap_ioctl(xmap_window_own(win)->fd, XMAP_TARGET_PREFAULT, &cmd);
	return rc < 0 ? rc : (ssize_t)cmd.out_length;
}

/*
 * The kernel copies the memory that the window shows: where there is none,
 * that is an error code and not a signal.
 */
static ssize_t xmap_window_copy(struct xmap_window *win, size_t offset, void *buf, size_t length,
				bool write)
{
	struct xmap_window_own *own = xmap_window_own(win);
	struct xmap_target target = { .fd = own->fd, .rights = own->rights };

	if (offset > win->length)
		return -EINVAL;
	if (write && !(win->prot & PROT_WRITE))
		return -EACCES;
	if (length > win->length - offset)
		length = win->length - offset;
	if (write)
		return xmap_write(&target, win->remote + offset, buf, length);
	return xmap_read(&target, win->remote + offset, buf, length);
}

ssize_t xmap_window_copy_from(struct xmap_window *win, size_t offset, void *buf, size_t length)
{
	return xmap_window_copy(win, offset, buf, length, false);
}

ssize_t xmap_window_copy_to(struct xmap_window *win, size_t offset, const void *buf, size_t length)
{
	return xmap_window_copy(win, offset, (void *)buf, length, true);
}
