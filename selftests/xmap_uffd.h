/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory whose pages come, or can be written to, only when somebody says so: of a source,
 * or of a caller, who waits there in the middle of a system call.
 */
#ifndef XMAP_UFFD_H
#define XMAP_UFFD_H

#include "xmap_peer.h"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

/* In the source.  Arguments: start, length.  Returns the userfaultfd, or -1. */
static inline long peer_op_uffd(const unsigned long *a)
{
	struct uffdio_register reg = {
		.range = { .start = a[0], .len = a[1] },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		return -1;
	return fd;
}

/* Somebody waits there now. */
static inline bool stall_await(int uffd)
{
	struct uffd_msg msg;

	return read(uffd, &msg, sizeof(msg)) == sizeof(msg) && msg.event == UFFD_EVENT_PAGEFAULT;
}

/* A page of ours that can be read, but not yet written to; the userfaultfd that says when. */
static inline int stall_writes(void *page)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	struct uffdio_register reg = {
		.range = { .start = (unsigned long)page, .len = 4096 },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = reg.range,
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg) ||
	    ioctl(fd, UFFDIO_WRITEPROTECT, &protect))
		return -1;
	return fd;
}

#endif /* XMAP_UFFD_H */
