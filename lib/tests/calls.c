// SPDX-License-Identifier: LGPL-2.1-or-later
/* One call of each function that asks the kernel. */
#include <unistd.h>

#include "calls.h"

struct xmap_target *target;

void calls_setup(void)
{
	shim_reset();
	shim.fake = true;
	dev = dev_open(XMAP_BACKEND_MODULE);
	target = target_open(dev, getpid(), RWF);
}

void calls_teardown(void)
{
	shim_reset();
	xmap_target_close(target);
	xmap_close(dev);
}

/* What fails on demand is the library, not the test around it. */
#define LIBRARY(call) ({ __typeof__(call) __n = (call); shim.alloc_left = -1; __n; })

static int call_query(void)
{
	struct xmap_cmd_query ret = { .flags = 77 };
	int rc = LIBRARY(xmap_query(dev, &ret));

	ck_assert_uint_eq(ret.flags, rc ? 77 : 0);
	return rc;
}

int call_open(void)
{
	struct xmap_target *ret = UNTOUCHED;
	int rc = LIBRARY(xmap_target_open_pid(dev, getpid(), NULL, &ret));

	if (rc)
		ck_assert_ptr_eq(ret, UNTOUCHED);
	else
		xmap_target_close(ret);
	return rc;
}

static int call_open_mem(void)
{
	struct xmap_target *ret = UNTOUCHED;
	int rc = LIBRARY(xmap_target_open_mem(dev, 0, NULL, &ret));

	if (rc)
		ck_assert_ptr_eq(ret, UNTOUCHED);
	else
		xmap_target_close(ret);
	return rc;
}

static int call_from_fd(void)
{
	struct xmap_target *ret = UNTOUCHED;
	int fd = dup(xmap_target_fd(target));
	int rc = LIBRARY(xmap_target_from_fd(dev, fd, &ret));

	if (rc) {
		/* Still the caller's. */
		ck_assert_ptr_eq(ret, UNTOUCHED);
		assert_ok(close(fd));
	} else {
		xmap_target_close(ret);
		assert_err(close(fd), 1);
	}
	return rc;
}

int call_derive(void)
{
	struct xmap_target *ret = UNTOUCHED;
	int rc = LIBRARY(xmap_target_derive(target, NULL, &ret));

	if (rc)
		ck_assert_ptr_eq(ret, UNTOUCHED);
	else
		xmap_target_close(ret);
	return rc;
}

static int call_info(void)
{
	struct xmap_cmd_target_info ret = { .flags = 77 };
	int rc = LIBRARY(xmap_target_info(target, &ret));

	ck_assert_uint_eq(ret.flags, rc ? 77 : 0);
	return rc;
}

static int call_transfer(void)
{
	struct xmap_copy copy = { .target = target, .length = 7, .result = 77 };
	ssize_t n = LIBRARY(xmap_transfer(dev, &copy, 1));

	ck_assert_int_eq(copy.result, n < 0 ? 77 : 7);
	return n < 0 ? n : 0;
}

/* A target with FORCE: the window needs one without. */
static int call_map(void)
{
	struct xmap_window *ret = UNTOUCHED;
	int rc = LIBRARY(xmap_map(target, PAGE, PAGE, NULL, &ret));

	if (rc)
		ck_assert_ptr_eq(ret, UNTOUCHED);
	else
		xmap_unmap(ret);
	return rc;
}

int call_maps(void)
{
	struct xmap_maps *ret = UNTOUCHED;
	int rc = LIBRARY(xmap_maps_open(target, &ret));

	if (rc)
		ck_assert_ptr_eq(ret, UNTOUCHED);
	else
		xmap_maps_close(ret);
	return rc;
}

static int call_list(void)
{
	struct xmap_list_entry entry;
	uint64_t cursor = 7;
	ssize_t n = LIBRARY(xmap_list(dev, &cursor, &entry, 1));

	ck_assert_uint_eq(cursor, n < 0 ? 7 : 8);
	return n < 0 ? n : 0;
}

const struct call calls[NR_CALLS] = {
	{ XMAP_QUERY, call_query, false },
	{ XMAP_TARGET_OPEN, call_open, true },
	{ XMAP_TARGET_OPEN, call_open_mem, true },
	{ XMAP_TARGET_INFO, call_from_fd, true },
	{ XMAP_TARGET_DERIVE, call_derive, true },
	{ XMAP_TARGET_INFO, call_info, false },
	{ XMAP_TRANSFER, call_transfer, false },
	{ XMAP_TARGET_DERIVE, call_map, true },
	{ XMAP_TARGET_MAPS, call_maps, true },
	{ XMAP_LIST, call_list, false },
};
