// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 64-bit twin of a 32-bit test: asks the kernel the same, and is a target
 * with memory that has no 32-bit address.
 *
 * usage: xmap_compat_twin ARENA_FD, orders come on descriptor TWIN_SOCK
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "twin.h"

_Static_assert(sizeof(void *) == 8, "the twin is the 64-bit one");
_Static_assert(sizeof(struct iovec) == 16, "an iovec is a pair of 64-bit words");

#define I386_NR_IOCTL 54
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The system call of 32-bit programs works in every process. */
static long int80(long nr, unsigned long a, unsigned long b, unsigned long c)
{
	long ret;

	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "a"(nr), "b"(a), "c"(b), "d"(c)
		     : "r8", "r9", "r10", "r11", "memory", "cc");
	if ((unsigned int)ret < -4095U)
		return ret;
	errno = -(int)ret;
	return -1;
}

static long take_fd(int number)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg;
	long ret = number;
	int fd;

	if (recvmsg(TWIN_SOCK, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	if (fd != number) {
		ret = dup3(fd, number, O_CLOEXEC);
		close(fd);
	}
	return ret;
}

static long map(const __u64 *a)
{
	int flags = (int)a[3] < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *mem = mmap((void *)a[0], a[1], a[2], flags | MAP_FIXED_NOREPLACE, a[3], a[4]);

	return mem == MAP_FAILED ? -1 : 0;
}

static long poll_now(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static long read_fdinfo(int number, void *buf, size_t size)
{
	char path[64];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", number);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	len = read(fd, buf, size);
	close(fd);
	return len;
}

static __s64 execute(enum twin_op op, const __u64 *a)
{
	void *mem = (void *)a[0], *buf = (void *)a[1];

	switch (op) {
	case TWIN_TAKE_FD:
		return take_fd(a[0]);
	case TWIN_CLOSE:
		return close(a[0]);
	case TWIN_IOCTL:
		return ioctl(a[0], a[1], a[2]);
	case TWIN_IOCTL_INT80:
		return int80(I386_NR_IOCTL, a[0], a[1], a[2]);
	case TWIN_PREAD:
		return pread(a[0], buf, a[2], a[3]);
	case TWIN_PWRITE:
		return pwrite(a[0], buf, a[2], a[3]);
	case TWIN_PREADV:
		return preadv(a[0], buf, a[2], a[3]);
	case TWIN_PWRITEV:
		return pwritev(a[0], buf, a[2], a[3]);
	case TWIN_MAP:
		return map(a);
	case TWIN_UNMAP:
		return munmap(mem, a[1]);
	case TWIN_FILL:
		twin_fill(mem, a[1], a[2]);
		return 0;
	case TWIN_CHECK:
		return twin_check(mem, a[1], a[2], 0);
	case TWIN_LOAD:
		return *(volatile __s64 *)mem;
	case TWIN_STORE:
		*(volatile __u64 *)mem = a[1];
		return 0;
	case TWIN_PROTECT:
		return mprotect(mem, a[1], a[2]);
	case TWIN_POLL:
		return poll_now(a[0]);
	case TWIN_FDINFO:
		return read_fdinfo(a[0], buf, a[2]);
	}
	errno = ENOSYS;
	return -1;
}

static int map_arena(int fd)
{
	void *want = (void *)(unsigned long)TWIN_ARENA;
	void *mem = mmap(want, TWIN_ARENA_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);

	close(fd);
	return mem == want ? 0 : -1;
}

int main(int argc, char **argv)
{
	static const struct { __u64 addr, seed; } places[] = {
		{ TWIN_HIGH, TWIN_SEED_HIGH },
		{ TWIN_ALIAS, TWIN_SEED_ALIAS },
		{ TWIN_AROUND_EDGE, TWIN_SEED_AROUND_EDGE },
		{ TWIN_FAR, TWIN_SEED_FAR },
	};
	struct twin_answer answer = {};
	struct twin_order order;
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc != 2 || map_arena(atoi(argv[1])))
		return 1;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		const __u64 a[5] = { places[i].addr, TWIN_LENGTH, PROT_READ | PROT_WRITE, -1ULL };

		if (map(a))
			return 2;
		twin_fill((void *)places[i].addr, TWIN_LENGTH, places[i].seed);
	}
	/* Ready. */
	if (send(TWIN_SOCK, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
		return 3;
	while (recv(TWIN_SOCK, &order, sizeof(order), 0) == sizeof(order)) {
		errno = 0;
		answer.ret = execute(order.op, order.a);
		answer.err = errno;
		if (send(TWIN_SOCK, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
			return 3;
	}
	return 0;
}
