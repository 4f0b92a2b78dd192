/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of regions share. */
#ifndef XMAP_TESTS_REGIONS_H
#define XMAP_TESTS_REGIONS_H

#include "tests.h"

#define RWM (RW | XMAP_RIGHT_MANAGE)
#define REGION_LENGTH (4 * PAGE)

/* Checked fixture: the library, and a region of REGION_LENGTH bytes without a flag. */
extern struct xmap_region *region;

void regions_setup(void);
void regions_teardown(void);

struct xmap_region *region_new(const struct xmap_region_opts *opts);
struct xmap_region *region_part(struct xmap_region *from, uint32_t rights, uint64_t offset,
				uint64_t length);
char *region_map(struct xmap_region *it, uint64_t offset, size_t length, int prot);
struct xmap_cmd_region_info region_info(struct xmap_region *it);

/* 0, or -EFAULT where a load would raise a signal. */
int reach(const volatile void *addr);

/* What poll() says now. */
int poll_now(int fd);

#endif /* XMAP_TESTS_REGIONS_H */
