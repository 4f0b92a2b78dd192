// SPDX-License-Identifier: GPL-2.0-only
/* Memory of the actor's own process: windows, and what targets reach. */
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "actor.h"
#include "fuzz.h"

#define TOUCHED_PAGES 64

/* Pages are read, or written to at their beginning and their end. */
CALL(touch)
{
	static __u64 counter;
	__u64 len = a[1], addr = confine(a[0], &len), end, value;
	bool ok = true;

	if (!addr)
		return NOT_RUN;
	if (len > TOUCHED_PAGES * PAGE)
		len = TOUCHED_PAGES * PAGE;
	end = (addr + len) & ~(PAGE - 1);
	for (addr &= ~(PAGE - 1); addr < end; addr += PAGE) {
		if (!(a[2] & 1)) {
			ok &= try_load(addr, &value);
			continue;
		}
		value = ++counter << 8 | x->who;
		ok &= try_store(addr, value);
		try_store(addr + PAGE - 8, value);
	}
	errno = EFAULT;
	return ok ? 0 : -1;
}

CALL(store)
{
	__u64 len = 8, addr = confine(a[0] & ~7UL, &len);

	if (!addr)
		return NOT_RUN;
	errno = EFAULT;
	return try_store(addr, a[1]) ? 0 : -1;
}

/* Other parts of the kernel at that memory. */
CALL(through)
{
	__u64 len = a[1] % SCRATCH_ROOM, addr = confine(a[0], &len);
	void *mem = (void *)addr, *buf = (void *)(x->scratch + SCRATCH_BUF);
	struct iovec here = { buf, len % (SCRATCH_ROOM - SCRATCH_BUF) }, there = { mem, len };
	unsigned char vec[16];
	int fd;

	if (!addr)
		return NOT_RUN;
	switch (a[2] % 11) {
	case 0:
		return write(slot_fd(SLOT_PIPE), mem, len);
	case 1:
		return syscall(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 0);
	case 2:
		/* A window's own memory, by the way that debuggers take. */
		fd = slot_kind(SLOT_SELF_MEM) == KIND_MEM ? slot_fd(SLOT_SELF_MEM) : -1;
		return pread(fd, buf, here.iov_len, addr);
	case 3:
		fd = slot_kind(SLOT_SELF_MEM) == KIND_MEM ? slot_fd(SLOT_SELF_MEM) : -1;
		return addr < WIN_END ? pwrite(fd, buf, here.iov_len, addr) : NOT_RUN;
	case 4:
		return syscall(SYS_getrandom, mem, len % 256, 1);
	case 5:
		return mlock(mem, len);
	case 6:
		return msync((void *)(addr & ~(PAGE - 1)), len, MS_SYNC);
	case 7:
		return mincore((void *)(addr & ~(PAGE - 1)), len, vec);
	case 8:
		return munlock(mem, len);
	case 9:
		return syscall(SYS_vmsplice, slot_fd(SLOT_PIPE), &there, 1, 2);
	default:
		return syscall(SYS_mlock2, mem, len, 1);
	}
}

CALL(munmap)
{
	__u64 len = a[1], addr = confine(a[0], &len);

	return addr ? munmap((void *)addr, len) : NOT_RUN;
}

CALL(mremap)
{
	__u64 len = a[1], addr = confine(a[0], &len);
	__u64 wanted = a[2], to = confine(a[4], &wanted), room = a[2];
	int flags = a[3] & 7;
	void *got;

	if (!addr || !to)
		return NOT_RUN;
	/* It must not grow out of its area. */
	confine(addr, &room);
	if (!(flags & MREMAP_FIXED))
		wanted = room;
	got = mremap((void *)addr, len, wanted, flags, to);
	if (got == MAP_FAILED)
		return -1;
	/* Where it was put elsewhere, nobody would find it. */
	if (!confine((__u64)got, &wanted))
		munmap(got, room);
	return 0;
}

CALL(mprotect)
{
	__u64 len = a[1], addr = confine(a[0], &len);

	return addr ? mprotect((void *)addr, len, a[2]) : NOT_RUN;
}

/* From 100 on it does harm to pages as such, everybody's. */
CALL(madvise)
{
	__u64 len = a[1], addr = confine(a[0], &len);

	return addr ? madvise((void *)addr, len, a[2] % 30) : NOT_RUN;
}

static int secret_file(__u64 len)
{
	int fd = syscall(SYS_memfd_secret, O_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, len)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* New memory over what is there. */
CALL(mem)
{
	__u64 len = a[1], addr = confine(a[0], &len), offset = 0;
	int flags = MAP_FIXED, prot = a[2] & 7, fd = -1;
	void *got;

	if (!addr)
		return NOT_RUN;
	switch (a[3] % 11) {
	case 0:
	case 6:
	case 10:
		flags |= MAP_PRIVATE | MAP_ANONYMOUS;
		break;
	case 1:
		flags |= MAP_SHARED | MAP_ANONYMOUS;
		break;
	case 2:
	case 3:
		flags |= a[3] % 11 == 2 ? MAP_SHARED : MAP_PRIVATE;
		fd = slot_fd(SLOT_MEMFD);
		offset = addr % (8 * PAGE) & ~(PAGE - 1);
		break;
	case 4:
	case 5:
		flags |= a[3] % 11 == 4 ? MAP_PRIVATE : MAP_SHARED;
		fd = executor->exe;
		prot &= a[3] % 11 == 4 ? 7 : ~PROT_WRITE;
		break;
	case 7:
		flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
		break;
	case 8:
		flags |= MAP_SHARED;
		fd = secret_file(len);
		break;
	case 9:
		flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
		prot = PROT_NONE;
		break;
	}
	got = mmap((void *)addr, len, prot, flags, fd, offset);
	if (a[3] % 11 == 8 && fd >= 0)
		close(fd);
	if (got == MAP_FAILED)
		return -1;
	if (a[3] % 11 == 6)
		madvise(got, len, MADV_HUGEPAGE);
	return 0;
}

/* A private futex, and one that the kernel changes. */
CALL(futex)
{
	const struct timespec soon = { .tv_nsec = 1000000 };
	__u64 len = 8, addr = confine(a[0] & ~7UL, &len);

	if (!addr)
		return NOT_RUN;
	syscall(SYS_futex, addr, FUTEX_WAIT_PRIVATE, 0x1234567, &soon, NULL, 0);
	/* Add 1 to it, wake nobody. */
	return syscall(SYS_futex, addr, FUTEX_WAKE_OP_PRIVATE, 0, NULL, addr,
		       FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0x7ff));
}
