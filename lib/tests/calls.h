/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One call of each function that asks the kernel, with what it leaves behind checked. */
#ifndef XMAP_TESTS_CALLS_H
#define XMAP_TESTS_CALLS_H

#include "shim.h"
#include "tests.h"

/* What fails on demand is the library, not the test around it. */
#define LIBRARY(call) ({ __typeof__(call) __n = (call); shim.alloc_left = -1; __n; })

/* A pointer that no function returns, to see that it stays. */
#define UNTOUCHED ((void *)&shim)

/* The target, the export and the region that the calls are about. */
extern struct xmap_target *target;
extern struct xmap_export *offer;
extern struct xmap_region *room;

int call_open(void);
int call_derive(void);
int call_maps(void);

/* region_calls.c */
int call_region_create(void);
int call_region_open(void);
int call_region_from_fd(void);
int call_region_derive(void);
int call_region_info(void);
int call_region_revoke(void);
int call_region_seal(void);
int call_region_resize(void);
int call_region_give(void);
int call_region_take(void);
int call_region_rebind(void);
int call_region_unlink(void);
int call_region_notify(void);
int call_region_eventfd(void);

/**
 * struct call - A function to call
 * @command: What it asks the module
 * @call: Calls it; returns what it does, as 0 or -errno
 * @allocates: It needs memory
 */
struct call {
	unsigned long command;
	int (*call)(void);
	bool allocates;
};

#define NR_CALLS 36

extern const struct call calls[NR_CALLS];

/* Checked fixture: @dev, @target, @offer and @room of the module that is made up. */
void calls_setup(void);
void calls_teardown(void);

#endif /* XMAP_TESTS_CALLS_H */
