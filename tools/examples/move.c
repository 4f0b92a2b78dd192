// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * move - 16 MiB of memory go to another process and come back, as the payload of two
 * short records.  Nothing is copied, and only one of the two reaches it at a time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmap.h>

#define LENGTH (16UL << 20)

static long check(const char *what, long rc)
{
	if (rc >= 0)
		return rc;
	fprintf(stderr, "move: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static char *map(struct xmap_region *region)
{
	void *addr;

	check("map", xmap_region_map(region, 0, LENGTH, PROT_READ | PROT_WRITE, &addr));
	return addr;
}

/* What a load would find, as an error instead of a signal. */
static const char *look(struct xmap_region *region)
{
	static char text[32];

	if (pread(xmap_region_fd(region), text, sizeof(text) - 1, 0) < 0)
		return strerror(errno);
	return text;
}

static void serve(const struct xmap_channel_fds *fds)
{
	struct xmap_region *letter;
	struct xmap_channel *ch;
	char word[8], *text;
	size_t i = 0;

	check("join", xmap_channel_from_fds(NULL, fds, &ch));
	check("receive", xmap_channel_recv_region(ch, word, sizeof(word), &letter, -1));
	if (!letter)
		check("letter", -EBADMSG);
	check("wait", xmap_channel_recv(ch, word, sizeof(word), -1));
	text = map(letter);
	while (i < LENGTH && text[i])
		i++;
	printf("child:  received %zu bytes: %.11s...\n", i, text);
	memcpy(text, "Dear parent", 11);
	check("answer", xmap_channel_send_region(ch, "", 0, letter, -1));
	xmap_region_close(letter);
	xmap_channel_close(ch);
}

int main(void)
{
	XMAP_OPTS(struct xmap_region_opts, opts, .flags = XMAP_REGION_SINGLE_OWNER);
	struct xmap_region *letter, *answer;
	struct xmap_channel_fds fds;
	struct xmap_channel *ch;
	struct xmap_dev *dev;
	char *text;

	setvbuf(stdout, NULL, _IOLBF, 0);
	check("xmap", xmap_open(NULL, &dev));
	check("region", xmap_region_create(dev, LENGTH, &opts, &letter));
	check("channel", xmap_channel_create(NULL, &fds, &ch));
	if (!fork()) {
		xmap_channel_close(ch);
		serve(&fds);
		return 0;
	}
	for (int i = 0; i < XMAP_CHANNEL_NR_FDS; i++)
		close(fds.fd[i]);

	text = map(letter);
	memset(text, '.', LENGTH);
	memcpy(text, "Dear child,", 11);
	printf("parent: wrote %lu bytes: %.11s...\n", LENGTH, text);
	check("send", xmap_channel_send_region(ch, "letter", 6, letter, -1));
	printf("parent: sent them, and looks: %s\n", look(letter));
	check("go on", xmap_channel_send(ch, "", 0, -1));
	check("answer", xmap_channel_recv_region(ch, NULL, 0, &answer, -1));
	/* They are where they were. */
	printf("parent: has them back: %.11s...\n", text);
	wait(NULL);
	return 0;
}
