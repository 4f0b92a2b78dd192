// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * follow PID ADDRESS - print a 64-bit counter of a running process each time it
 * changes, until the process ends.  Needs the module.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmap.h>

static void check(const char *what, long rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "follow: %s: %s\n", what, strerror(-rc));
	exit(1);
}

int main(int argc, char **argv)
{
	struct xmap_target *target;
	struct xmap_window *win;
	struct xmap_dev *dev;
	uint64_t addr, word, last = 0;
	struct pollfd pfd;

	if (argc < 3)
		return 2;
	addr = strtoull(argv[2], NULL, 0) & ~7UL;
	check("xmap", xmap_open(NULL, &dev));
	check("process", xmap_target_open_pid(dev, atoi(argv[1]), NULL, &target));
	check("window", xmap_map(target, addr & ~4095UL, 4096, NULL, &win));

	/* A target says by POLLHUP that its address space has ended. */
	pfd = (struct pollfd){ .fd = xmap_target_fd(target) };
	do {
		/* As good as *(uint64_t *)((char *)win->addr + addr % 4096), but never a SIGBUS. */
		if (xmap_window_copy_from(win, addr % 4096, &word, sizeof(word)) < 0)
			break;
		if (word != last) {
			printf("%lu\n", word);
			fflush(stdout);
		}
		last = word;
	} while (!poll(&pfd, 1, 10));
	puts("the memory is gone");

	xmap_unmap(win);
	xmap_target_close(target);
	xmap_close(dev);
	return 0;
}
