// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Targets without the module.
 *
 * A target is bound to the address space that the process has when it is
 * opened; what the process executes later is none of its business.  Two files
 * of /proc give that: /proc/PID/mem and /proc/PID/maps hold the address space
 * that they were opened on, and answer "end of file" once it has ended.  The
 * system calls process_vm_readv() and process_vm_writev() do not: they take
 * whatever the process runs at that moment.  On the other hand they respect
 * the rights of pages, while /proc/PID/mem forces its way as a debugger does.
 *
 * So there are two ways to copy:
 *
 *  - fast, reads only: one process_vm_readv() that fetches, before the data,
 *    the 16 random bytes that the kernel gives each program at exec (AT_RANDOM).
 *    The call looks at one address space only.  If the bytes are those seen at
 *    open, the data is of the right one; else nothing of it is used.
 *  - slow: look up the rights of the pages in maps, then copy through mem.  It
 *    is how every write goes, so that no write can ever reach another program.
 *    What remains: if the target takes away a right between the two steps, the
 *    copy is done as if it had come first; a page that the target made
 *    read-only at that moment is copied privately, as a debugger would.
 *
 * The permission check is that of opening /proc/PID/mem.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "internal.h"

/* End of user memory with four and with five levels of page tables. */
#define XMAP_USER_END4 ((1ULL << 47) - XMAP_PAGE_SIZE)
#define XMAP_USER_END5 ((1ULL << 56) - XMAP_PAGE_SIZE)

/* How often to start again if the process executes programs meanwhile. */
#define XMAP_OPEN_TRIES 8

/* AT_RANDOM: where it is, and what is there. */
struct xmap_stamp {
	uint64_t addr;
	unsigned char bytes[16];
};

/**
 * struct xmap_proc - An address space, by system calls
 * @refs: Targets that share it
 * @pid: Number of the process
 * @pidfd: The process
 * @memfd: /proc/PID/mem; for reading, and for writing if a right needs it
 * @maps: /proc/PID/maps of the same address space
 * @user_end: End of every user address space
 * @stamp: What recognizes this address space; @stamp.addr is 0 if nothing does
 */
struct xmap_proc {
	unsigned int refs;
	int pid;
	int pidfd;
	int memfd;
	struct xmap_procmaps maps;
	uint64_t user_end;
	struct xmap_stamp stamp;
};

/*
 * An address above 47 bits can be mapped only if the kernel has five levels; else
 * the hint is as good as none.  (MAP_FIXED_NOREPLACE would say it more directly,
 * but ThreadSanitizer, which knows nothing up there, makes address 0 of it.)
 */
static uint64_t xmap_user_end(void)
{
	void *hint = (void *)(uintptr_t)(1ULL << 47);
	void *addr;

	/* A 32-bit program cannot try; few processes have such addresses. */
	if (!hint)
		return XMAP_USER_END4;
	addr = mmap(hint, XMAP_PAGE_SIZE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (addr == MAP_FAILED)
		return XMAP_USER_END4;
	munmap(addr, XMAP_PAGE_SIZE);
	return addr >= hint ? XMAP_USER_END5 : XMAP_USER_END4;
}

/* Where there is no memory this is an error; only where there is no mm it is 0. */
static bool xmap_mem_alive(int memfd)
{
	char byte;

	return pread(memfd, &byte, 1, 0) != 0;
}

static int xmap_open_at(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ESRCH : -errno;
}

/* Where AT_RANDOM points to; 0 if it is not told (a 32-bit process). */
static uint64_t xmap_stamp_addr(int dir)
{
	uint64_t aux[2];
	uint64_t addr = 0;
	int fd;

	fd = xmap_open_at(dir, "auxv", O_RDONLY);
	if (fd < 0)
		return 0;
	while (read(fd, aux, sizeof(aux)) == sizeof(aux) && aux[0] != AT_NULL) {
		if (aux[0] == AT_RANDOM)
			addr = aux[1];
	}
	close(fd);
	return addr;
}

static bool xmap_stamp_read(int memfd, struct xmap_stamp *stamp)
{
	return stamp->addr && pread(memfd, stamp->bytes, sizeof(stamp->bytes), stamp->addr) ==
	       (ssize_t)sizeof(stamp->bytes);
}

/*
 * Open the files of one address space.  An exec in between would give us maps
 * of one and mem of another: look at mem before and after.
 *
 * Return: 0, -EAGAIN if there was an exec, or another error.
 */
static int xmap_proc_open_files(struct xmap_proc *proc, int dir, int mode)
{
	struct xmap_stamp after;
	bool known, same;
	int memfd;

	proc->memfd = xmap_open_at(dir, "mem", mode);
	if (proc->memfd < 0)
		return proc->memfd;
	proc->maps.fd = xmap_open_at(dir, "maps", O_RDONLY);
	if (proc->maps.fd < 0)
		return proc->maps.fd;

	proc->stamp.addr = xmap_stamp_addr(dir);
	after.addr = proc->stamp.addr;
	memfd = xmap_open_at(dir, "mem", mode);
	if (memfd < 0)
		return memfd;
	/* A mem file without an address space: a zombie, or a kernel thread. */
	if (!xmap_mem_alive(memfd)) {
		close(memfd);
		return -ESRCH;
	}
	known = xmap_stamp_read(memfd, &after);
	same = xmap_mem_alive(proc->memfd) && xmap_stamp_read(proc->memfd, &proc->stamp) == known;
	if (known && same)
		same = !memcmp(proc->stamp.bytes, after.bytes, sizeof(after.bytes));
	if (!known)
		proc->stamp.addr = 0;
	close(memfd);
	return same ? 0 : -EAGAIN;
}

static void xmap_proc_close_files(struct xmap_proc *proc)
{
	if (proc->memfd >= 0)
		close(proc->memfd);
	if (proc->maps.fd >= 0)
		close(proc->maps.fd);
	proc->memfd = -1;
	proc->maps.fd = -1;
}

static int xmap_proc_bind(struct xmap_proc *proc, int mode)
{
	char path[sizeof("/proc/") + 3 * sizeof(int)];
	int tries = 0;
	int dir;
	int rc;

	snprintf(path, sizeof(path), "/proc/%d", proc->pid);
	dir = xmap_open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY);
	if (dir < 0)
		return dir;

	/* The directory is of our process only if it still has its number now. */
	rc = xmap_pidfd_pid(proc->pidfd);
	if (rc < 0)
		goto out_dir;
	do {
		rc = xmap_proc_open_files(proc, dir, mode);
		if (rc)
			xmap_proc_close_files(proc);
	} while (rc == -EAGAIN && ++tries < XMAP_OPEN_TRIES);
out_dir:
	close(dir);
	return rc;
}

void xmap_proc_put(struct xmap_proc *proc)
{
	if (__atomic_sub_fetch(&proc->refs, 1, __ATOMIC_ACQ_REL))
		return;
	xmap_proc_close_files(proc);
	close(proc->pidfd);
	pthread_mutex_destroy(&proc->maps.lock);
	free(proc);
}

/* The range of a new handle: [addr, addr + length), or all of [start, end). */
static int xmap_proc_range(const struct xmap_target_opts *opts, uint64_t start, uint64_t end,
			   struct xmap_target *target)
{
	target->addr = opts->length ? opts->addr : start;
	target->length = opts->length ? opts->length : end - start;
	if (target->addr < start || target->addr + target->length > end)
		return -EACCES;
	return 0;
}

int xmap_proc_open(int pidfd, const struct xmap_target_opts *opts, struct xmap_target *target)
{
	struct xmap_proc *proc;
	int rc;

	rc = xmap_pidfd_pid(pidfd);
	if (rc < 0)
		return rc;
	proc = calloc(1, sizeof(*proc));
	if (!proc)
		return -ENOMEM;
	proc->refs = 1;
	proc->pid = rc;
	proc->memfd = -1;
	proc->maps.fd = -1;
	proc->user_end = xmap_user_end();
	pthread_mutex_init(&proc->maps.lock, NULL);

	if (xmap_proc_range(opts, 0, proc->user_end, target)) {
		rc = -EFAULT;
		goto err_free;
	}
	proc->pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 0);
	if (proc->pidfd < 0) {
		rc = -errno;
		goto err_free;
	}
	rc = xmap_proc_bind(proc, opts->rights & XMAP_RIGHT_WRITE ? O_RDWR : O_RDONLY);
	if (rc)
		goto err_put;
	target->rights = opts->rights;
	target->proc = proc;
	return 0;

err_put:
	xmap_proc_put(proc);
	return rc;
err_free:
	pthread_mutex_destroy(&proc->maps.lock);
	free(proc);
	return rc;
}

int xmap_proc_derive(const struct xmap_target *parent, const struct xmap_target_opts *opts,
		     struct xmap_target *target)
{
	int rc;

	if (opts->rights & ~parent->rights)
		return -EACCES;
	rc = xmap_proc_range(opts, parent->addr, parent->addr + parent->length, target);
	if (rc)
		return rc;
	if (!xmap_mem_alive(parent->proc->memfd))
		return -ESRCH;
	__atomic_add_fetch(&parent->proc->refs, 1, __ATOMIC_RELAXED);
	target->rights = opts->rights;
	target->proc = parent->proc;
	return 0;
}

void xmap_proc_info(const struct xmap_target *target, struct xmap_cmd_target_info *info)
{
	int pid = xmap_pidfd_pid(target->proc->pidfd);

	*info = (struct xmap_cmd_target_info){
		.size = sizeof(*info),
		.out_rights = target->rights,
		.out_state = xmap_mem_alive(target->proc->memfd) ? XMAP_TARGET_ALIVE :
								   XMAP_TARGET_DEAD,
		.out_pid = pid > 0 ? pid : 0,
		.out_addr = target->addr,
		.out_length = target->length,
	};
}

/*
 * What a handle admits: the length cut to its range.  As with the module, an
 * access that begins inside and leaves the range is cut there.
 */
static ssize_t xmap_proc_admit(const struct xmap_target *target, uint64_t addr, size_t length,
			       uint32_t rights)
{
	if (rights & ~target->rights)
		return -EACCES;
	if (addr >= target->proc->user_end)
		return -EFAULT;
	if (addr < target->addr || addr - target->addr >= target->length)
		return -EACCES;
	if (length > target->length - (addr - target->addr))
		length = target->length - (addr - target->addr);
	return length;
}

/* What pread() and pwrite() on mem say, in the words of xmap. */
static ssize_t xmap_mem_result(ssize_t n)
{
	if (n > 0)
		return n;
	if (!n)
		return -ESRCH;
	return errno == EIO ? -EFAULT : -errno;
}

/*
 * The fast way.  Return: bytes, or 0 if it cannot tell.
 */
static ssize_t xmap_read_fast(struct xmap_proc *proc, uint64_t addr, void *buf, size_t length)
{
	unsigned char bytes[sizeof(proc->stamp.bytes)];
	struct iovec local[] = { { bytes, sizeof(bytes) }, { buf, length } };
	struct iovec remote[] = {
		{ (void *)(uintptr_t)proc->stamp.addr, sizeof(bytes) },
		{ (void *)(uintptr_t)addr, length },
	};
	ssize_t n;

	/* The call has addresses as wide as ours: 32 bits in a 32-bit program. */
	if (!proc->stamp.addr ||
	    (sizeof(long) == 4 && (proc->stamp.addr | (addr + length)) >> 32))
		return 0;
	n = process_vm_readv(proc->pid, local, 2, remote, 2, 0) - (ssize_t)sizeof(bytes);
	if (n <= 0)
		return 0;
	if (memcmp(bytes, proc->stamp.bytes, sizeof(bytes))) {
		/* The caller is not to see even a byte of another program. */
		memset(buf, 0, n);
		return 0;
	}
	return n;
}

ssize_t xmap_proc_read(const struct xmap_target *target, uint64_t addr, void *buf, size_t length)
{
	struct xmap_proc *proc = target->proc;
	ssize_t n;

	n = xmap_proc_admit(target, addr, length, XMAP_RIGHT_READ);
	if (n <= 0)
		return n;
	length = n;
	n = xmap_read_fast(proc, addr, buf, length);
	if (n > 0)
		return n;
	n = xmap_procmaps_allowed(&proc->maps, addr, length, 'r');
	if (n < 0)
		return n;
	if (!n)
		return xmap_mem_alive(proc->memfd) ? -EFAULT : -ESRCH;
	return xmap_mem_result(pread(proc->memfd, buf, n, addr));
}

ssize_t xmap_proc_write(const struct xmap_target *target, uint64_t addr, const void *buf,
			size_t length, bool force)
{
	struct xmap_proc *proc = target->proc;
	ssize_t n;

	n = xmap_proc_admit(target, addr, length,
			    XMAP_RIGHT_WRITE | (force ? XMAP_RIGHT_FORCE : 0));
	if (n <= 0)
		return n;
	length = n;
	if (!force) {
		n = xmap_procmaps_allowed(&proc->maps, addr, length, 'w');
		if (n < 0)
			return n;
		if (!n)
			return xmap_mem_alive(proc->memfd) ? -EFAULT : -ESRCH;
	}
	return xmap_mem_result(pwrite(proc->memfd, buf, n, addr));
}

/* All lines of maps, each ended by a NUL byte, the last one by two. */
int xmap_proc_maps(const struct xmap_target *target, char **ret)
{
	char *text;
	int rc;

	if (!(target->rights & XMAP_RIGHT_READ))
		return -EACCES;
	rc = xmap_procmaps_text(&target->proc->maps, &text);
	if (rc)
		return rc;
	if (!xmap_mem_alive(target->proc->memfd)) {
		free(text);
		return -ESRCH;
	}
	*ret = text;
	return 0;
}
