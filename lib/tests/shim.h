/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The system calls and the allocator as the library sees them: with a module
 * that is made up, and with failures on demand.  The linker's --wrap option
 * puts it between.
 */
#ifndef XMAP_TESTS_SHIM_H
#define XMAP_TESTS_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <linux/xmap.h>

/**
 * struct shim - What to do, and what was done
 * @fake: There is a /dev/xmap.  Its targets and regions are files of SHIM_BYTES bytes
 * @open_error: errno of open("/dev/xmap"), or 0
 * @ioctl_error: errno of @ioctl_command (of any if that is 0), or 0
 * @ioctl_command: See @ioctl_error
 * @ioctl_skip: Calls that work before @ioctl_error strikes
 * @interrupt: So many calls fail with EINTR before one works
 * @short_copy: pread() and preadv() copy at most so many bytes, if not 0
 * @transfer_stop: XMAP_TRANSFER ends after so many entries, if not 0
 * @mmap_error: errno of mmap() of a fake target or region, or 0
 * @dup_error: errno of fcntl(F_DUPFD_CLOEXEC), or 0
 * @alloc_left: Allocations that work before one fails; negative: all work
 * @fds_left: Calls that make descriptors, of memfd_create() and socketpair(), that
 *	work before one fails with EMFILE; negative: all work
 * @fds_room: recvmsg() finds room for so many descriptors and loses the rest, as if
 *	there could be no more; negative: there is room
 * @process_vm_error: errno of process_vm_readv(), or 0
 * @clock: Tells what CLOCK_MONOTONIC shows, in nanoseconds; NULL: the real one
 * @on_openat: Called before each openat(), with the name
 * @ioctls: Number of calls on fake objects
 * @process_vms: Number of calls of process_vm_readv()
 * @derived: Rights of the last XMAP_TARGET_DERIVE
 * @created: The last XMAP_EXPORT_CREATE
 * @opened: The last XMAP_EXPORT_OPEN
 * @accepted: The last XMAP_EXPORT_ACCEPT
 * @revoked: The last XMAP_REVOKE
 * @revoked_fd: The descriptor that it was about
 * @rung: The last XMAP_EVENTFD
 * @rung_fd: The descriptor that it was about
 * @denied: The flags of the last XMAP_DENY, which hold now
 * @region: The last XMAP_REGION_CREATE
 * @region_opened: The last XMAP_REGION_OPEN
 * @region_derived: The last XMAP_REGION_DERIVE
 * @sealed: The seals of the last XMAP_REGION_SEAL, which hold now
 * @resized: The length of the last XMAP_REGION_RESIZE
 * @mmap_prot: Of the last mmap() of a fake target or region
 * @mmap_flags: Same
 * @mmap_offset: Same
 */
struct shim {
	bool fake;
	int open_error;
	int ioctl_error;
	unsigned long ioctl_command;
	int ioctl_skip;
	int interrupt;
	size_t short_copy;
	unsigned int transfer_stop;
	int mmap_error;
	int dup_error;
	int alloc_left;
	int fds_left;
	int fds_room;
	int process_vm_error;
	int64_t (*clock)(void);
	void (*on_openat)(const char *name);

	int ioctls;
	int process_vms;
	unsigned int derived;
	struct xmap_cmd_export_create created;
	struct xmap_cmd_export_open opened;
	struct xmap_cmd_export_accept accepted;
	struct xmap_cmd_revoke revoked;
	int revoked_fd;
	struct xmap_cmd_eventfd rung;
	int rung_fd;
	unsigned int denied;
	struct xmap_cmd_region_create region;
	struct xmap_cmd_region_open region_opened;
	struct xmap_cmd_region_derive region_derived;
	unsigned int sealed;
	unsigned long long resized;
	int mmap_prot;
	int mmap_flags;
	off_t mmap_offset;
};

#define SHIM_BYTES (16 * 4096)
/* Mappings that a fake target lists, of one page each, two records per call. */
#define SHIM_MAPS 5
/* The number of a fake export. */
#define SHIM_ID 4711
/* How often a fake region was rebound. */
#define SHIM_GENERATION 42

extern struct shim shim;

/* Neither a module nor failures. */
void shim_reset(void);

/* File descriptors that are open: a leak shows. */
int shim_open_fds(void);

/* What --wrap calls the real ones. */
int __real_open(const char *path, int flags, ...);
int __real_openat(int dir, const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long command, ...);
int __real_fcntl(int fd, int command, ...);
void *__real_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
ssize_t __real_pread(int fd, void *buf, size_t length, off_t offset);
ssize_t __real_preadv(int fd, const struct iovec *iov, int count, off_t offset);
ssize_t __real_process_vm_readv(pid_t pid, const struct iovec *local, unsigned long nr_local,
				const struct iovec *remote, unsigned long nr_remote,
				unsigned long flags);
int __real_memfd_create(const char *name, unsigned int flags);
int __real_socketpair(int domain, int type, int protocol, int *pair);
ssize_t __real_recvmsg(int fd, struct msghdr *msg, int flags);
int __real_clock_gettime(clockid_t clock, struct timespec *ts);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);

#endif /* XMAP_TESTS_SHIM_H */
