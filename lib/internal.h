/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of libxmap share.  Nothing here is exported.
 *
 * There are two backends.  A target has @fd with the module; without it, it has
 * @proc (see fallback.c) and the library itself keeps the handle to its rights
 * and its range.
 */
#ifndef XMAP_INTERNAL_H
#define XMAP_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include "xmap.h"

#define XMAP_PAGE_SIZE 4096UL

#define XMAP_RIGHTS_ALL (XMAP_RIGHT_READ | XMAP_RIGHT_WRITE | XMAP_RIGHT_FORCE)

struct xmap_proc;

/* A build for 32 bits needs -D_FILE_OFFSET_BITS=64 in CFLAGS. */
_Static_assert(sizeof(off_t) == 8, "addresses of targets are file offsets");

/**
 * struct xmap_dev - The library's connection to the kernel
 * @fd: /dev/xmap, or -1 with the system-call backend
 * @backend: enum xmap_backend_kind
 * @error: Why the system-call backend was chosen, -errno or 0
 */
struct xmap_dev {
	int fd;
	int backend;
	int error;
};

/**
 * struct xmap_target - A target handle
 * @fd: The kernel's target, or -1 with the system-call backend
 * @rights: Set of enum xmap_rights that the handle has
 * @proc: System-call backend: the address space, else NULL
 * @addr: System-call backend: first address
 * @length: System-call backend: bytes
 */
struct xmap_target {
	int fd;
	uint32_t rights;
	struct xmap_proc *proc;
	uint64_t addr;
	uint64_t length;
};

/**
 * struct xmap_procmaps - An open /proc/PID/maps
 * @fd: The file
 * @lock: Guards @fd, which remembers where a reader stopped
 */
struct xmap_procmaps {
	int fd;
	pthread_mutex_t lock;
};

/* dev.c */
#define XMAP_VERSION_STRING "0.1.0"

int xmap_ioctl(int fd, unsigned long command, void *arg);
int xmap_opts_copy(void *known, size_t known_size, const void *opts);

/* export.c */
int xmap_name_copy(char *to, const char *from);
int xmap_fd_cloexec(int fd);
int xmap_revoke_fd(int fd, uint64_t serial, uint64_t addr, uint64_t length);
int xmap_eventfd_set(int fd, int eventfd);

/* region.c */
struct xmap_region *xmap_region_alloc(void);
void xmap_region_free(struct xmap_region *region);
void xmap_region_adopt(struct xmap_region *region, int fd);

/* target.c */
int xmap_target_opts_get(const struct xmap_target_opts *opts, struct xmap_target_opts *known);
struct xmap_target *xmap_target_alloc(void);
int xmap_target_set(struct xmap_target *target, int fd, uint32_t rights);
int xmap_pidfd_pid(int pidfd);
int xmap_derive_fd(int fd, uint32_t rights, uint64_t addr, uint64_t length);

/* procmaps.c */
ssize_t xmap_procmaps_allowed(struct xmap_procmaps *maps, uint64_t addr, size_t length,
			      char right);
int xmap_procmaps_text(struct xmap_procmaps *maps, char **ret);

/* fallback.c */
int xmap_proc_open(int pidfd, const struct xmap_target_opts *opts, struct xmap_target *target);
int xmap_proc_derive(const struct xmap_target *parent, const struct xmap_target_opts *opts,
		     struct xmap_target *target);
void xmap_proc_put(struct xmap_proc *proc);
void xmap_proc_info(const struct xmap_target *target, struct xmap_cmd_target_info *info);
ssize_t xmap_proc_read(const struct xmap_target *target, uint64_t addr, void *buf, size_t length);
ssize_t xmap_proc_write(const struct xmap_target *target, uint64_t addr, const void *buf,
			size_t length, bool force);
int xmap_proc_maps(const struct xmap_target *target, char **ret);

#endif /* XMAP_INTERNAL_H */
