// SPDX-License-Identifier: LGPL-2.1-or-later
/* /proc/PID/maps: line by line, for those who look for something and for all of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define XMAP_MAPS_CHUNK (64 * 1024)

/**
 * struct xmap_walk - Lines of maps on their way to a visitor
 * @visit: Gets one line at a time, without its newline; ends the walk by
 *	returning non-zero
 * @data: For @visit
 * @buf: What was read, XMAP_MAPS_CHUNK bytes of room
 * @used: Bytes of it that were not visited yet
 * @skip: They are the rest of a line that was visited already
 */
struct xmap_walk {
	int (*visit)(char *line, void *data);
	void *data;
	char *buf;
	size_t used;
	bool skip;
};

/* Visit the lines that are complete. */
static int xmap_walk_lines(struct xmap_walk *walk)
{
	char *line = walk->buf;
	char *end;
	int rc = 0;

	while (!rc && (end = memchr(line, '\n', walk->used))) {
		*end = '\0';
		if (!walk->skip)
			rc = walk->visit(line, walk->data);
		walk->skip = false;
		walk->used -= end + 1 - line;
		line = end + 1;
	}
	if (line != walk->buf)
		memmove(walk->buf, line, walk->used);

	/*
	 * The path of a file can have any length, since directories can be nested
	 * without end: its beginning must do.
	 */
	if (!rc && walk->used == XMAP_MAPS_CHUNK && !walk->skip) {
		walk->buf[XMAP_MAPS_CHUNK - 1] = '\0';
		rc = walk->visit(walk->buf, walk->data);
		walk->skip = true;
	}
	if (walk->skip)
		walk->used = 0;
	return rc;
}

/* Read maps from its beginning until @visit has seen enough or it ends. */
static int xmap_procmaps_walk(struct xmap_procmaps *maps, int (*visit)(char *line, void *data),
			      void *data)
{
	struct xmap_walk walk = { .visit = visit, .data = data };
	ssize_t n = 0;
	int rc = 0;

	walk.buf = malloc(XMAP_MAPS_CHUNK);
	if (!walk.buf)
		return -ENOMEM;
	pthread_mutex_lock(&maps->lock);
	if (lseek(maps->fd, 0, SEEK_SET) < 0)
		rc = -errno;
	while (!rc) {
		n = read(maps->fd, walk.buf + walk.used, XMAP_MAPS_CHUNK - walk.used);
		if (n <= 0)
			break;
		walk.used += n;
		rc = xmap_walk_lines(&walk);
	}
	if (n < 0)
		rc = -errno;
	pthread_mutex_unlock(&maps->lock);
	free(walk.buf);
	return rc;
}

struct xmap_allowed {
	uint64_t addr;
	uint64_t end;
	char right;
};

static int xmap_allowed_visit(char *line, void *data)
{
	struct xmap_allowed *allowed = data;
	unsigned long long start;
	unsigned long long end;
	char perms[5] = "";

	if (sscanf(line, "%llx-%llx %4s", &start, &end, perms) != 3)
		return 0;
	if (end <= allowed->addr)
		return 0;
	if (start > allowed->addr || !memchr(perms, allowed->right, 2))
		return 1;
	allowed->addr = end;
	return end >= allowed->end;
}

/* How many bytes from @addr on may the target itself read ('r') or write ('w')? */
ssize_t xmap_procmaps_allowed(struct xmap_procmaps *maps, uint64_t addr, size_t length,
			      char right)
{
	struct xmap_allowed allowed = { .addr = addr, .end = addr + length, .right = right };
	int rc;

	rc = xmap_procmaps_walk(maps, xmap_allowed_visit, &allowed);
	if (rc < 0)
		return rc;
	if (allowed.addr >= allowed.end)
		return length;
	return allowed.addr - addr;
}

struct xmap_text {
	char *text;
	size_t used;
	size_t room;
};

static int xmap_text_visit(char *line, void *data)
{
	struct xmap_text *text = data;
	size_t length = strlen(line) + 1;

	if (text->room - text->used < length + 1) {
		size_t room = 2 * text->room + length + 1;
		char *grown = realloc(text->text, room);

		if (!grown)
			return -ENOMEM;
		text->text = grown;
		text->room = room;
	}
	memcpy(text->text + text->used, line, length);
	text->used += length;
	text->text[text->used] = '\0';
	return 0;
}

/* All lines, each ended by a NUL byte, the last one by two; free() them. */
int xmap_procmaps_text(struct xmap_procmaps *maps, char **ret)
{
	struct xmap_text text = { 0 };
	int rc;

	rc = xmap_procmaps_walk(maps, xmap_text_visit, &text);
	if (!rc && !text.text)
		rc = xmap_text_visit("", &text);
	if (rc) {
		free(text.text);
		return rc;
	}
	*ret = text.text;
	return 0;
}
