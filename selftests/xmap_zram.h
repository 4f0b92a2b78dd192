/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory-backed block devices for tests that need swap or direct I/O. */
#ifndef XMAP_ZRAM_H
#define XMAP_ZRAM_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "xmap_utils.h"

#define ZRAM_CONTROL "/sys/class/zram-control/"

/* The device file of a new device of this size; NULL if there is none. */
static inline char *zram_new(size_t size)
{
	static char path[32];
	char attr[64];
	long id;

	if (access(ZRAM_CONTROL, F_OK) && system("modprobe zram num_devices=1 2>/dev/null"))
		return NULL;
	id = xmap_read_long(ZRAM_CONTROL "hot_add");
	if (id < 0)
		return NULL;
	snprintf(attr, sizeof(attr), "/sys/block/zram%ld/disksize", id);
	if (xmap_write_long(attr, size))
		return NULL;
	snprintf(path, sizeof(path), "/dev/zram%ld", id);
	return path;
}

static inline int zram_end(const char *path)
{
	return xmap_write_file(ZRAM_CONTROL "hot_remove", path + sizeof("/dev/zram") - 1);
}

/* The same as swap space, with the header that mkswap would write. */
static inline char *zram_swap_new(size_t size)
{
	char *path = zram_new(size);
	char page[4096] = "";
	__u32 *info = (void *)(page + 1024);
	int fd;

	if (!path)
		return NULL;
	info[0] = 1;
	info[1] = size / sizeof(page) - 1;
	memcpy(page + sizeof(page) - 10, "SWAPSPACE2", 10);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (write(fd, page, sizeof(page)) != sizeof(page) || fsync(fd)) {
		close(fd);
		return NULL;
	}
	close(fd);
	return swapon(path, 0) ? NULL : path;
}

static inline int zram_swap_end(const char *path)
{
	return swapoff(path) ? -1 : zram_end(path);
}

#endif /* XMAP_ZRAM_H */
