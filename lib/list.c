// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who has what on whom. */
#include <errno.h>

#include "internal.h"

ssize_t xmap_list(struct xmap_dev *dev, uint64_t *cursor, struct xmap_list_entry *entries,
		  size_t count)
{
	struct xmap_cmd_list cmd = {
		.size = sizeof(cmd),
		.entries = (uintptr_t)entries,
		.count = count < UINT32_MAX ? count : UINT32_MAX,
		.cursor = *cursor,
	};
	int rc;

	if (dev->backend != XMAP_BACKEND_MODULE)
		return -EOPNOTSUPP;
	rc = xmap_ioctl(dev->fd, XMAP_LIST, &cmd);
	if (rc < 0)
		return rc;
	*cursor = cmd.out_cursor;
	return cmd.out_count;
}
