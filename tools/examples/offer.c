// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * offer NAME - offer a page of one's own memory to everybody, to read, and count
 * the visitors until standard input ends.  Then take it back.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xmap.h>

/* Windows show whole pages: there is to be nothing else in this one. */
static union {
	struct {
		uint64_t visitors;
		char sign[64];
	};
	char page[4096];
} board __attribute__((aligned(4096))) = { { 0, "Open all day" } };

static void check(const char *what, int rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "offer: %s: %s\n", what, strerror(-rc));
	exit(1);
}

int main(int argc, char **argv)
{
	XMAP_OPTS(struct xmap_export_opts, opts, .flags = XMAP_EXPORT_PUBLISH,
		  .rights = XMAP_RIGHT_READ, .mode = 0444);
	struct xmap_cmd_export_info info;
	struct xmap_export *export;
	struct pollfd fds[2];
	struct xmap_dev *dev;

	if (argc != 2)
		return 2;
	opts.name = argv[1];
	check("xmap", xmap_open(NULL, &dev));
	check("export", xmap_export_create(dev, &board, sizeof(board), &opts, &export));
	printf("the board is open as %s\n", argv[1]);
	fflush(stdout);

	/* An export says by POLLIN that somebody has accepted. */
	fds[0] = (struct pollfd){ .fd = xmap_export_fd(export), .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	while (poll(fds, 2, -1) > 0 && !fds[1].revents && !(fds[0].revents & POLLHUP)) {
		check("info", xmap_export_info(export, &info));
		board.visitors = info.out_accepts;
		printf("visitors: %u\n", info.out_accepts);
		fflush(stdout);
	}
	check("revoke", xmap_export_revoke(export, 0, 0));
	puts("the board is closed: nobody else reaches it");
	xmap_export_close(export);
	xmap_close(dev);
	return 0;
}
