/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xmap(1) - what `xmap region` is made of. */
#ifndef XMAP_TOOL_REGION_H
#define XMAP_TOOL_REGION_H

#include "tool.h"

/**
 * struct region - A region, by its name
 * @dev: The library handle
 * @handle: A handle of all of it
 * @name: Its name
 * @info: What the kernel tells of it
 * @serial: Its number: that of the handle that created it
 */
struct region {
	struct xmap_dev *dev;
	struct xmap_region *handle;
	const char *name;
	struct xmap_cmd_region_info info;
	uint64_t serial;
};

/* Says what is wrong.  @err: -errno of what was to be done, "open" and the like. */
int region_fail(const char *name, const char *what, int err);

/* With these rights; XMAP_RIGHT_READ will do as XMAP_RIGHT_WRITE where one of them is wanted. */
int region_open(struct region *r, const char *name, uint32_t rights);

/* Fill in @info and @serial. */
int region_ask(struct region *r, struct entries *list);

void region_end(struct region *r);

bool has_handles(const struct entries *list, uint64_t serial);
/*
 * The handles, as a table and as a JSON array; of one region, or with 0 of all.  The table of
 * all has also the names that keep one.
 */
void put_handles(const struct entries *list, uint64_t serial);
void json_handles(const struct entries *list, uint64_t serial);
void json_names(const struct entries *list);

void put_region(const struct region *r);
/* The members of an object, without the brackets. */
void json_region(const struct region *r);

#endif /* XMAP_TOOL_REGION_H */
