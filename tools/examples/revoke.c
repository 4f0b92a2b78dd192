// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * revoke - show a page to a child, and take it away while the child has a window
 * on it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmap.h>

static char page[4096] __attribute__((aligned(4096))) = "lent, not given";

static void check(const char *what, long rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "revoke: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static void look(struct xmap_window *win, struct xmap_target *target)
{
	char text[16];
	ssize_t n;

	n = xmap_window_copy_from(win, 0, text, sizeof(text));
	printf("child: through the window: %s\n", n == sizeof(text) ? text : strerror(-n));
	n = xmap_read(target, win->remote, text, sizeof(text));
	printf("child: by copy:            %s\n", n == sizeof(text) ? text : strerror(-n));
	fflush(stdout);
}

/* It has inherited the descriptor of the export, by which it can accept. */
static int child(struct xmap_export *export, int sock)
{
	struct xmap_target *target;
	struct xmap_window *win;
	char c = 0;

	check("accept", xmap_export_accept(export, NULL, &target));
	check("window", xmap_map(target, (uintptr_t)page, sizeof(page), NULL, &win));
	look(win, target);
	if (write(sock, &c, 1) != 1 || read(sock, &c, 1) != 1)
		return 1;
	look(win, target);
	return 0;
}

int main(void)
{
	struct xmap_export *export;
	int socks[2], pid, status;
	struct xmap_dev *dev;
	char c = 0;

	check("xmap", xmap_open(NULL, &dev));
	/* Nobody but who has the descriptor can accept. */
	check("export", xmap_export_create(dev, page, sizeof(page), NULL, &export));
	pid = socketpair(AF_UNIX, SOCK_STREAM, 0, socks) ? -1 : fork();
	if (pid <= 0) {
		close(socks[0]);
		return pid ? 1 : child(export, socks[1]);
	}
	close(socks[1]);
	if (read(socks[0], &c, 1) != 1)
		return 1;
	check("revoke", xmap_export_revoke(export, 0, 0));
	printf("parent: revoked; here it is still: %s\n", page);
	fflush(stdout);
	if (write(socks[0], &c, 1) != 1 || waitpid(pid, &status, 0) != pid)
		return 1;
	return status != 0;
}
