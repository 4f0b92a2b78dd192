// SPDX-License-Identifier: LGPL-2.1-or-later
/* The made-up module and the failures on demand. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim.h"
#include "tests.h"

struct shim shim = { .alloc_left = -1, .fds_left = -1, .fds_room = -1 };

void shim_reset(void)
{
	shim = (struct shim){ .alloc_left = -1, .fds_left = -1, .fds_room = -1 };
}

int shim_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static bool shim_interrupted(void)
{
	if (!shim.interrupt)
		return false;
	shim.interrupt--;
	errno = EINTR;
	return true;
}

int __wrap_open(const char *path, int flags, ...)
{
	if (strcmp(path, "/dev/xmap"))
		return __real_open(path, flags);
	if (shim_interrupted())
		return -1;
	if (shim.open_error) {
		errno = shim.open_error;
		return -1;
	}
	return shim.fake ? __real_open("/dev/null", flags) : __real_open(path, flags);
}

int __wrap_openat(int dir, const char *path, int flags, ...)
{
	if (shim.on_openat)
		shim.on_openat(path);
	return __real_openat(dir, path, flags);
}

/* ---- The made-up module ---- */

static int shim_new_target(void)
{
	char byte = 'O';
	int fd = memfd_create("shim", MFD_CLOEXEC);

	ftruncate(fd, SHIM_BYTES);
	pwrite(fd, &byte, 1, 0);
	pwrite(fd, &byte, 1, SHIM_BYTES - 1);
	return fd;
}

static bool shim_is_target(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size == SHIM_BYTES;
}

static void shim_maps(struct xmap_cmd_target_maps *cmd)
{
	struct xmap_vma *vma = (struct xmap_vma *)(uintptr_t)cmd->buf;
	int first = cmd->addr / PAGE;

	for (int i = first; i < SHIM_MAPS && i < first + 2; i++) {
		memset(vma, 0, sizeof(*vma) + 8);
		vma->size = sizeof(*vma) + 8;
		vma->start = i * PAGE;
		vma->end = vma->start + PAGE;
		vma->name_len = 1;
		vma->name[0] = 'a' + i;
		vma = (struct xmap_vma *)((char *)vma + vma->size);
		cmd->out_count++;
	}
	cmd->out_used = (uintptr_t)vma - cmd->buf;
	cmd->out_next = first + 2 < SHIM_MAPS ? (first + 2) * PAGE : 0;
}

static void shim_transfer(struct xmap_cmd_transfer *cmd)
{
	struct xmap_transfer *entry = (void *)(uintptr_t)cmd->entries;
	unsigned int i;

	for (i = 0; i < cmd->count && (!shim.transfer_stop || i < shim.transfer_stop); i++)
		entry[i].out_result = entry[i].length;
	cmd->out_done = i;
}

/* An export is a file of nothing. */
static int shim_new_export(void)
{
	return memfd_create("shim", MFD_CLOEXEC);
}

/* The commands of consent; false if it is none of them. */
static bool shim_consent(int fd, unsigned long command, void *arg)
{
	struct xmap_cmd_export_create *create = arg;
	struct xmap_cmd_export_open *open = arg;
	struct xmap_cmd_export_accept *accept = arg;
	struct xmap_cmd_export_info *info = arg;
	struct xmap_cmd_revoke *revoke = arg;
	struct xmap_cmd_eventfd *eventfd = arg;
	struct xmap_cmd_deny *deny = arg;

	switch (command) {
	case XMAP_EXPORT_CREATE:
		shim.created = *create;
		create->out_fd = shim_new_export();
		return true;
	case XMAP_EXPORT_OPEN:
		shim.opened = *open;
		open->out_fd = shim_new_export();
		return true;
	case XMAP_EXPORT_ACCEPT:
		shim.accepted = *accept;
		accept->out_fd = shim_new_target();
		return true;
	case XMAP_EXPORT_INFO:
		info->out_id = SHIM_ID;
		return true;
	case XMAP_REVOKE:
		shim.revoked = *revoke;
		shim.revoked_fd = fd;
		return true;
	case XMAP_EVENTFD:
		shim.rung = *eventfd;
		shim.rung_fd = fd;
		return true;
	case XMAP_DENY:
		shim.denied = deny->flags;
		deny->out_flags = deny->flags;
		return true;
	}
	return false;
}

/* The commands of regions; false if it is none of them. */
static bool shim_region(unsigned long command, void *arg)
{
	struct xmap_cmd_region_create *create = arg;
	struct xmap_cmd_region_open *open = arg;
	struct xmap_cmd_region_derive *derive = arg;
	struct xmap_cmd_region_info *info = arg;
	struct xmap_cmd_region_seal *seal = arg;
	struct xmap_cmd_region_resize *resize = arg;
	struct xmap_cmd_region_rebind *rebind = arg;

	switch (command) {
	case XMAP_REGION_CREATE:
		shim.region = *create;
		create->out_fd = shim_new_target();
		return true;
	case XMAP_REGION_OPEN:
		shim.region_opened = *open;
		open->out_fd = shim_new_target();
		return true;
	case XMAP_REGION_DERIVE:
		shim.region_derived = *derive;
		derive->out_fd = shim_new_target();
		return true;
	case XMAP_REGION_INFO:
		info->out_length = SHIM_BYTES;
		return true;
	case XMAP_REGION_SEAL:
		shim.sealed |= seal->seals;
		seal->out_seals = shim.sealed;
		return true;
	case XMAP_REGION_RESIZE:
		shim.resized = resize->length;
		return true;
	case XMAP_REGION_REBIND:
		rebind->out_generation = SHIM_GENERATION;
		return true;
	case XMAP_REGION_GIVE:
	case XMAP_REGION_TAKE:
	case XMAP_REGION_UNLINK:
	case XMAP_REGION_NOTIFY:
		return true;
	}
	return false;
}

static int shim_ioctl(int fd, unsigned long command, void *arg)
{
	struct xmap_cmd_query *query = arg;
	struct xmap_cmd_list *list = arg;

	switch (command) {
	case XMAP_QUERY:
		query->out_abi = XMAP_ABI_VERSION;
		break;
	case XMAP_LIST:
		list->out_count = 1;
		list->out_cursor = list->cursor + 1;
		break;
	case XMAP_TRANSFER:
		shim_transfer(arg);
		break;
	case XMAP_TARGET_OPEN:
		((struct xmap_cmd_target_open *)arg)->out_fd = shim_new_target();
		break;
	case XMAP_TARGET_DERIVE:
		shim.derived = ((struct xmap_cmd_target_derive *)arg)->rights;
		((struct xmap_cmd_target_derive *)arg)->out_fd = shim_new_target();
		break;
	case XMAP_TARGET_INFO:
		((struct xmap_cmd_target_info *)arg)->out_rights = XMAP_RIGHT_READ;
		break;
	case XMAP_TARGET_MAPS:
		shim_maps(arg);
		break;
	case XMAP_TARGET_PREFAULT:
		((struct xmap_cmd_target_prefault *)arg)->out_length = PAGE;
		break;
	default:
		if (shim_consent(fd, command, arg) || shim_region(command, arg))
			break;
		errno = ENOTTY;
		return -1;
	}
	return 0;
}

int __wrap_ioctl(int fd, unsigned long command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	if (!shim.fake)
		return __real_ioctl(fd, command, arg);
	shim.ioctls++;
	if (shim_interrupted())
		return -1;
	if (shim.ioctl_error && (!shim.ioctl_command || shim.ioctl_command == command) &&
	    shim.ioctl_skip-- <= 0) {
		errno = shim.ioctl_error;
		return -1;
	}
	return shim_ioctl(fd, command, arg);
}

/* ---- Failures on demand ---- */

int __wrap_fcntl(int fd, int command, ...)
{
	va_list args;
	long arg;

	va_start(args, command);
	arg = va_arg(args, long);
	va_end(args);
	if (command == F_DUPFD_CLOEXEC && shim.dup_error) {
		errno = shim.dup_error;
		return -1;
	}
	return __real_fcntl(fd, command, arg);
}

void *__wrap_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	if (fd >= 0 && shim_is_target(fd)) {
		shim.mmap_prot = prot;
		shim.mmap_flags = flags;
		shim.mmap_offset = offset;
		if (shim.mmap_error) {
			errno = shim.mmap_error;
			return MAP_FAILED;
		}
	}
	return __real_mmap(addr, length, prot, flags, fd, offset);
}

/* Past its end a fake target has no memory. */
ssize_t __wrap_pread(int fd, void *buf, size_t length, off_t offset)
{
	if (!shim_is_target(fd))
		return __real_pread(fd, buf, length, offset);
	if (shim_interrupted())
		return -1;
	if (offset >= SHIM_BYTES) {
		errno = EFAULT;
		return -1;
	}
	if (shim.short_copy && length > shim.short_copy)
		length = shim.short_copy;
	return __real_pread(fd, buf, length, offset);
}

ssize_t __wrap_preadv(int fd, const struct iovec *iov, int count, off_t offset)
{
	if (!shim_is_target(fd) || !shim.short_copy)
		return __real_preadv(fd, iov, count, offset);
	if (shim_interrupted())
		return -1;
	return __wrap_pread(fd, iov->iov_base, iov->iov_len, offset);
}

ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *local, unsigned long nr_local,
				const struct iovec *remote, unsigned long nr_remote,
				unsigned long flags)
{
	/* Several threads read at the same time. */
	__atomic_add_fetch(&shim.process_vms, 1, __ATOMIC_RELAXED);
	if (shim.process_vm_error) {
		errno = shim.process_vm_error;
		return -1;
	}
	return __real_process_vm_readv(pid, local, nr_local, remote, nr_remote, flags);
}

static bool shim_out_of_memory(void)
{
	if (shim.alloc_left < 0)
		return false;
	if (shim.alloc_left--)
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return shim_out_of_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return shim_out_of_memory() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return shim_out_of_memory() ? NULL : __real_realloc(old, size);
}

static bool shim_out_of_fds(void)
{
	if (shim.fds_left < 0)
		return false;
	if (shim.fds_left--)
		return false;
	errno = EMFILE;
	return true;
}

int __wrap_memfd_create(const char *name, unsigned int flags)
{
	return shim_out_of_fds() ? -1 : __real_memfd_create(name, flags);
}

int __wrap_socketpair(int domain, int type, int protocol, int *pair)
{
	return shim_out_of_fds() ? -1 : __real_socketpair(domain, type, protocol, pair);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
	if (shim.fds_room >= 0)
		msg->msg_controllen = shim.fds_room ? CMSG_LEN(shim.fds_room * sizeof(int)) : 0;
	return __real_recvmsg(fd, msg, flags);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	int64_t time;

	if (!shim.clock || clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, ts);
	time = shim.clock();
	ts->tv_sec = time / 1000000000;
	ts->tv_nsec = time % 1000000000;
	return 0;
}
