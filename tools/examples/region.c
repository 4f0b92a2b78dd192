// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * region NAME - a notice board that programs find by its name.  Who comes first makes
 * it, writes each line of standard input on it, and takes it from all at the end; who
 * comes later reads it until then.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xmap.h>

/* Nothing is ever changed but @used: whoever reads up to there reads whole lines. */
struct board {
	uint64_t used;
	char text[64 * 1024 - 8];
};

static long check(const char *what, long rc)
{
	if (rc >= 0)
		return rc;
	fprintf(stderr, "region: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static void write_board(struct xmap_region *region)
{
	struct board *board;
	char line[256];
	size_t length;
	void *map;

	check("map", xmap_region_map(region, 0, sizeof(*board), PROT_READ | PROT_WRITE, &map));
	board = map;
	while (fgets(line, sizeof(line), stdin)) {
		length = strlen(line);
		if (length > sizeof(board->text) - board->used)
			break;
		memcpy(board->text + board->used, line, length);
		__atomic_store_n(&board->used, board->used + length, __ATOMIC_RELEASE);
		/* Have poll() on the readers' handles return. */
		check("notify", xmap_region_notify(region));
	}
	check("revoke", xmap_region_revoke(region, 0, 0));
	printf("nobody reads the board any more\n");
}

/* By pread(): a load from a mapping would be a signal when the board is taken away. */
static void read_board(struct xmap_region *region)
{
	struct pollfd pfd = { .fd = xmap_region_fd(region), .events = POLLIN };
	struct xmap_cmd_region_info info;
	uint64_t used = 0, at = 0;
	static struct board board;

	do {
		/* First: what happens from now on wakes poll() again. */
		check("info", xmap_region_info(region, &info));
		if (pread(pfd.fd, &used, sizeof(used), 0) != sizeof(used) ||
		    used > sizeof(board.text) ||
		    pread(pfd.fd, board.text, used, sizeof(used)) != (ssize_t)used)
			break;
		fwrite(board.text + at, 1, used - at, stdout);
		fflush(stdout);
		at = used;
	} while (poll(&pfd, 1, -1) > 0 && !(pfd.revents & POLLHUP));
	printf("the board was taken away\n");
}

int main(int argc, char **argv)
{
	XMAP_OPTS(struct xmap_region_opts, opts, .flags = XMAP_REGION_PUBLISH, .mode = 0644);
	struct xmap_region *region;
	struct xmap_dev *dev;
	int rc;

	if (argc != 2)
		return 2;
	opts.name = argv[1];
	check("xmap", xmap_open(NULL, &dev));
	rc = xmap_region_create(dev, sizeof(struct board), &opts, &region);
	if (rc == -EEXIST) {
		check("open", xmap_region_open(dev, argv[1], XMAP_RIGHT_READ, &region));
		read_board(region);
	} else {
		check("create", rc);
		printf("the board is there\n");
		fflush(stdout);
		write_board(region);
	}
	xmap_region_close(region);
	xmap_close(dev);
	return 0;
}
