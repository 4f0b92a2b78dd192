/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One call of each function that asks the kernel, with what it leaves behind checked. */
#ifndef XMAP_TESTS_CALLS_H
#define XMAP_TESTS_CALLS_H

#include "shim.h"
#include "tests.h"

/* A pointer that no function returns, to see that it stays. */
#define UNTOUCHED ((void *)&shim)

/* The target and the export that the calls are about. */
extern struct xmap_target *target;
extern struct xmap_export *offer;

int call_open(void);
int call_derive(void);
int call_maps(void);

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

#define NR_CALLS 20

extern const struct call calls[NR_CALLS];

/* Checked fixture: @dev, @target and @offer of the module that is made up. */
void calls_setup(void);
void calls_teardown(void);

#endif /* XMAP_TESTS_CALLS_H */
