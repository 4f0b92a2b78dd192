/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory of a source whose pages come only when somebody puts them there. */
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

#endif /* XMAP_UFFD_H */
