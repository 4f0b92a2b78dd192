// SPDX-License-Identifier: LGPL-2.1-or-later
/* A target's mappings as an array. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static int append(struct maplist *list, size_t *room, const struct xmap_vma *vma)
{
	struct mapping *m;

	if (list->n == *room) {
		size_t more = *room ? *room * 2 : 64;

		m = reallocarray(list->v, more, sizeof(*m));
		if (!m)
			return -ENOMEM;
		list->v = m;
		*room = more;
	}
	m = &list->v[list->n];
	*m = (struct mapping){
		.start = vma->start,
		.end = vma->end,
		.offset = vma->offset,
		.inode = vma->inode,
		.dev_major = vma->dev_major,
		.dev_minor = vma->dev_minor,
		.page_size = vma->page_size,
		.flags = vma->flags,
		.name_len = vma->name_len,
		.name = strndup(vma->name, vma->name_len),
	};
	if (!m->name)
		return -ENOMEM;
	list->n++;
	return 0;
}

/* 0 or -errno: the caller knows whom to blame. */
int maplist_load(struct xmap_target *target, struct maplist *ret)
{
	struct maplist list = { 0 };
	const struct xmap_vma *vma;
	struct xmap_maps *maps;
	size_t room = 0;
	int rc;

	rc = xmap_maps_open(target, &maps);
	if (rc)
		return rc;
	while ((rc = xmap_maps_next(maps, &vma)) > 0) {
		rc = append(&list, &room, vma);
		if (rc)
			break;
	}
	xmap_maps_close(maps);
	if (rc)
		maplist_free(&list);
	else
		*ret = list;
	return rc;
}

void maplist_free(struct maplist *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		free(list->v[i].name);
	free(list->v);
	*list = (struct maplist){ 0 };
}

const struct mapping *maplist_find(const struct maplist *list, uint64_t addr)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (addr >= list->v[i].start && addr < list->v[i].end)
			return &list->v[i];
	}
	return NULL;
}
