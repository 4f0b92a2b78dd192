// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * deny - a child that holds a secret refuses to be looked at; what its parent, who may
 * otherwise, can do before that, and after.  To be run by an ordinary user: who is
 * privileged (CAP_SYS_PTRACE) may look all the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmap.h>

static char secret[32] = "not known here";

static long check(const char *what, long rc)
{
	if (rc >= 0)
		return rc;
	fprintf(stderr, "deny: %s: %s\n", what, strerror(-rc));
	exit(1);
}

/* One lets the other go on, and waits to be let go on itself. */
static void hand_over(int sock)
{
	char c = 0;

	if (write(sock, &c, 1) != 1 || read(sock, &c, 1) != 1)
		exit(1);
}

/*
 * It ends with the program: execve(2) and fork(2) begin without it.  It is about xmap
 * alone: of ptrace(2) and /proc, see PR_SET_DUMPABLE in prctl(2).
 */
static int keep_secret(int sock)
{
	struct xmap_dev *dev;
	char c;

	strcpy(secret, "the cake is in the cellar");
	hand_over(sock);
	check("xmap", xmap_open(NULL, &dev));
	check("deny", xmap_self_deny(dev, XMAP_DENY_SET | XMAP_DENY_FINAL));
	printf("child:  refuses from now on, and cannot be talked out of it: %s\n",
	       strerror(-xmap_self_deny(dev, XMAP_DENY_CLEAR)));
	return write(sock, "", 1) != 1 || read(sock, &c, 1) != 0;
}

static void look(struct xmap_target *target)
{
	char text[sizeof(secret)];
	ssize_t n;

	/* It is where ours is: the child is a fork. */
	n = xmap_read(target, (uintptr_t)secret, text, sizeof(text));
	printf("parent: reads: %s\n", n == sizeof(text) ? text : strerror(-n));
}

int main(void)
{
	struct xmap_target *target, *again;
	int socks[2], pid, status;
	struct xmap_dev *dev;
	char c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	pid = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks) ? -1 : fork();
	if (pid <= 0) {
		close(socks[0]);
		return pid ? 1 : keep_secret(socks[1]);
	}
	close(socks[1]);
	check("xmap", xmap_open(NULL, &dev));
	if (read(socks[0], &c, 1) != 1)
		return 1;
	check("open", xmap_target_open_pid(dev, pid, NULL, &target));
	look(target);
	hand_over(socks[0]);
	/* What was open is revoked, and nothing new is to be had. */
	look(target);
	printf("parent: opens it again: %s\n",
	       strerror(-xmap_target_open_pid(dev, pid, NULL, &again)));
	close(socks[0]);
	return waitpid(pid, &status, 0) != pid || status;
}
