// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * channel WORD... - a helper process turns words into capitals.  Each one goes to it
 * and comes back by a channel, without a system call as long as both are busy.
 * Needs neither the module nor a privilege.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmap.h>

static long check(const char *what, long rc)
{
	if (rc >= 0)
		return rc;
	fprintf(stderr, "channel: %s: %s\n", what, strerror(-rc));
	exit(1);
}

/* In place at both ends: nothing is copied but by toupper(). */
static void helper(const struct xmap_channel_fds *fds)
{
	struct xmap_channel_record word;
	struct xmap_channel *ch;
	void *to;
	int rc;

	check("helper", xmap_channel_from_fds(NULL, fds, &ch));
	while (!(rc = xmap_channel_peek(ch, -1, &word))) {
		check("room", xmap_channel_reserve(ch, word.length, -1, &to));
		for (size_t i = 0; i < word.length; i++)
			((char *)to)[i] = toupper(((const unsigned char *)word.data)[i]);
		check("answer", xmap_channel_commit(ch, word.length, NULL, 0));
		check("release", xmap_channel_release(ch));
	}
	/* There will be no more, or nobody is there any more. */
	if (rc != -EPIPE)
		check("word", rc);
	xmap_channel_close(ch);
}

int main(int argc, char **argv)
{
	struct xmap_channel_fds fds;
	struct xmap_channel *ch;
	char word[100];
	long n;

	check("create", xmap_channel_create(NULL, &fds, &ch));
	if (!fork()) {
		/* The child has inherited this end, which keeps it from seeing us die. */
		xmap_channel_close(ch);
		helper(&fds);
		return 0;
	}
	for (int i = 0; i < XMAP_CHANNEL_NR_FDS; i++)
		close(fds.fd[i]);

	for (int i = 1; i < argc; i++) {
		check("send", xmap_channel_send(ch, argv[i], strlen(argv[i]), -1));
		n = check("receive", xmap_channel_recv(ch, word, sizeof(word), -1));
		printf("%.*s%c", (int)n, word, i + 1 < argc ? ' ' : '\n');
	}
	xmap_channel_close(ch);
	wait(NULL);
	return 0;
}
