// SPDX-License-Identifier: LGPL-2.1-or-later
/* The target's mappings. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define XMAP_MAPS_BUF (64 * 1024)

/**
 * struct xmap_maps - An iterator over mappings
 * @fd: Module: own descriptor of the target, else -1
 * @next: Module: where the next XMAP_TARGET_MAPS goes on, 0 at the end
 * @buf: Module: records; system calls: room for one record
 * @pos: Module: offset of the next record
 * @used: Module: bytes of records
 * @text: System calls: the lines of /proc/PID/maps, NUL after each
 * @line: System calls: the next one
 * @start: System calls: first address of the target's range
 * @end: System calls: end of the target's range
 */
struct xmap_maps {
	int fd;
	uint64_t next;
	char *buf;
	size_t pos;
	size_t used;
	char *text;
	char *line;
	uint64_t start;
	uint64_t end;
};

static int xmap_maps_fill(struct xmap_maps *maps)
{
	struct xmap_cmd_target_maps cmd = {
		.size = sizeof(cmd),
		.addr = maps->next,
		.buf = (uintptr_t)maps->buf,
		.buf_size = XMAP_MAPS_BUF,
	};
	int rc;

	rc = xmap_ioctl(maps->fd, XMAP_TARGET_MAPS, &cmd);
	if (rc < 0)
		return rc;
	maps->pos = 0;
	maps->used = cmd.out_used;
	maps->next = cmd.out_next;
	return 0;
}

/* Both backends look at the target now, so that errors come here. */
int xmap_maps_open(struct xmap_target *target, struct xmap_maps **ret)
{
	struct xmap_maps *maps;
	int rc;

	maps = calloc(1, sizeof(*maps));
	if (!maps)
		return -ENOMEM;
	maps->fd = -1;
	maps->buf = malloc(XMAP_MAPS_BUF);
	if (!maps->buf) {
		rc = -ENOMEM;
		goto err;
	}
	if (target->proc) {
		maps->start = target->addr;
		maps->end = target->addr + target->length;
		rc = xmap_proc_maps(target, &maps->text);
		maps->line = maps->text;
	} else {
		maps->fd = fcntl(target->fd, F_DUPFD_CLOEXEC, 0);
		rc = maps->fd < 0 ? -errno : xmap_maps_fill(maps);
	}
	if (rc)
		goto err;
	*ret = maps;
	return 0;

err:
	xmap_maps_close(maps);
	return rc;
}

void xmap_maps_close(struct xmap_maps *maps)
{
	if (!maps)
		return;
	if (maps->fd >= 0)
		close(maps->fd);
	free(maps->text);
	free(maps->buf);
	free(maps);
}

/*
 * /proc writes a newline in a name as \012.
 *
 * Return: length of the name; @room if it does not fit, and then @to is empty.
 */
static size_t xmap_unescape(char *to, size_t room, const char *from)
{
	size_t n;

	for (n = 0; *from && n < room; n++) {
		bool newline = !strncmp(from, "\\012", 4);

		to[n] = newline ? '\n' : *from;
		from += newline ? 4 : 1;
	}
	to[n < room ? n : 0] = '\0';
	return n;
}

static uint32_t xmap_vma_flags(const char *perms, const struct xmap_vma *vma)
{
	uint32_t flags = 0;

	if (perms[0] == 'r')
		flags |= XMAP_VMA_READ;
	if (perms[1] == 'w')
		flags |= XMAP_VMA_WRITE;
	if (perms[2] == 'x')
		flags |= XMAP_VMA_EXEC;
	if (perms[3] == 's')
		flags |= XMAP_VMA_SHARED;
	if (!vma->inode && !vma->dev_major && !vma->dev_minor)
		flags |= XMAP_VMA_ANON;
	if (!strncmp(vma->name, "[vvar", 5))
		flags |= XMAP_VMA_IO;
	if (!strcmp(vma->name, "/anon_hugepage (deleted)"))
		flags |= XMAP_VMA_HUGETLB;
	return flags;
}

/* Return: whether the line is about the range; if so, the record is in @maps->buf. */
static bool xmap_maps_parse(struct xmap_maps *maps, const char *line)
{
	struct xmap_vma *vma = (struct xmap_vma *)maps->buf;
	unsigned long long start, end, offset, inode;
	unsigned int major, minor;
	char perms[5] = "";
	int name = 0;
	size_t len;

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end, perms, &offset, &major,
		   &minor, &inode, &name) != 7)
		return false;
	if (end <= maps->start || start >= maps->end)
		return false;
	memset(vma, 0, sizeof(*vma));
	vma->start = start > maps->start ? start : maps->start;
	vma->end = end < maps->end ? end : maps->end;
	vma->inode = inode;
	vma->dev_major = major;
	vma->dev_minor = minor;
	vma->page_size = XMAP_PAGE_SIZE;
	len = xmap_unescape(vma->name, PATH_MAX, line + name);
	vma->flags = xmap_vma_flags(perms, vma);
	if (len < PATH_MAX)
		vma->name_len = len;
	else
		vma->flags |= XMAP_VMA_TRUNCATED;
	if (!(vma->flags & XMAP_VMA_ANON))
		vma->offset = offset + (vma->start - start);
	vma->size = (sizeof(*vma) + vma->name_len + 1 + 7) & ~7U;
	return true;
}

int xmap_maps_next(struct xmap_maps *maps, const struct xmap_vma **ret)
{
	const struct xmap_vma *vma;
	int rc;

	while (maps->text && *maps->line) {
		const char *line = maps->line;

		maps->line += strlen(line) + 1;
		if (!xmap_maps_parse(maps, line))
			continue;
		*ret = (const struct xmap_vma *)maps->buf;
		return 1;
	}
	if (maps->text)
		return 0;

	while (maps->pos >= maps->used) {
		if (!maps->next)
			return 0;
		rc = xmap_maps_fill(maps);
		if (rc)
			return rc;
	}
	vma = (const struct xmap_vma *)(maps->buf + maps->pos);
	maps->pos += vma->size;
	*ret = vma;
	return 1;
}
