// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * peek PID ADDRESS [VALUE] - a debugger in 20 lines: read a 64-bit word of a
 * running process through a window and by copy, and change it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmap.h>

static void check(const char *what, long rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "peek: %s: %s\n", what, strerror(-rc));
	exit(1);
}

int main(int argc, char **argv)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = XMAP_RIGHT_READ | XMAP_RIGHT_WRITE);
	struct xmap_target *target;
	struct xmap_window *win;
	struct xmap_dev *dev;
	uint64_t addr, word;

	if (argc < 3)
		return 2;
	addr = strtoull(argv[2], NULL, 0);
	check("xmap", xmap_open(NULL, &dev));
	check("process", xmap_target_open_pid(dev, atoi(argv[1]), &opts, &target));

	check("read", xmap_read(target, addr, &word, sizeof(word)));
	printf("by copy:          %lu\n", word);

	if (!xmap_map(target, addr & ~4095UL, 4096, NULL, &win)) {
		check("window", xmap_window_copy_from(win, addr % 4096, &word, sizeof(word)));
		printf("through a window: %lu\n", word);
		xmap_unmap(win);
	}
	if (argc > 3) {
		word = strtoull(argv[3], NULL, 0);
		check("write", xmap_write(target, addr, &word, sizeof(word)));
		printf("written:          %lu\n", word);
	}
	xmap_target_close(target);
	xmap_close(dev);
	return 0;
}
