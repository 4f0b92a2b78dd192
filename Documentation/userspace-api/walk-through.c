// SPDX-License-Identifier: GPL-2.0-only
/*
 * A walk through the interface, without the library: shows a word of another
 * process in three ways, and waits for the process to end.
 *
 * Usage: walk-through PID ADDRESS
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/xmap.h>

#define PAGE 4096ULL

int main(int argc, char **argv)
{
	pid_t pid = argc == 3 ? atoi(argv[1]) : 0;
	__u64 addr = argc == 3 ? strtoull(argv[2], NULL, 0) : 0;
	volatile unsigned long *word;
	unsigned long value, old;
	int dev, pidfd;
	char *window;

	if (!pid || addr % sizeof(value))
		errx(2, "usage: walk-through PID ADDRESS (of a word)");

	/* 1. The device, and a name for the process that cannot be reused. */
	dev = open("/dev/xmap", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		err(1, "/dev/xmap");
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		err(1, "pidfd_open");

	/* 2. The kernel decides: may we debug this process?  Only reading is asked for. */
	struct xmap_cmd_target_open target = {
		.size = sizeof(target),
		.fd = pidfd,
		.pid = pid,
		.rights = XMAP_RIGHT_READ,
	};
	if (ioctl(dev, XMAP_TARGET_OPEN, &target))
		err(1, "XMAP_TARGET_OPEN");

	/* 3. A copy: the file position is the address. */
	if (pread(target.out_fd, &value, sizeof(value), addr) != sizeof(value))
		err(1, "pread");
	printf("copied:        %#lx\n", value);

	/* 4. Many copies in one call, each with a result of its own. */
	struct xmap_transfer entry = {
		.fd = target.out_fd,
		.remote = addr,
		.local = (__u64)&old,
		.length = sizeof(old),
	};
	struct xmap_cmd_transfer transfer = {
		.size = sizeof(transfer),
		.entries = (__u64)&entry,
		.count = 1,
	};
	if (ioctl(dev, XMAP_TRANSFER, &transfer))
		err(1, "XMAP_TRANSFER");
	if (entry.out_result != sizeof(old))
		errx(1, "XMAP_TRANSFER: result %lld", (long long)entry.out_result);
	printf("transferred:   %#lx\n", old);

	/* 5. A window: the process's page itself, as it is now and as it will be. */
	window = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, target.out_fd, addr & ~(PAGE - 1));
	if (window == MAP_FAILED)
		err(1, "mmap");
	word = (volatile unsigned long *)(window + addr % PAGE);
	printf("in the window: %#lx\n", *word);

	/* 6. The target says when the process ends, or executes another program. */
	struct pollfd pollfd = { .fd = target.out_fd };

	while (!poll(&pollfd, 1, 100)) {
		value = *word;
		if (value != old)
			printf("now:           %#lx\n", value);
		old = value;
	}
	printf("the address space has ended\n");
	return 0;
}
