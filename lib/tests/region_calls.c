// SPDX-License-Identifier: LGPL-2.1-or-later
/* One call of each function of regions that asks the kernel. */
#include <unistd.h>

#include "calls.h"

static int check_region(int rc, struct xmap_region *ret)
{
	if (rc)
		ck_assert_ptr_eq(ret, UNTOUCHED);
	else
		xmap_region_close(ret);
	return rc;
}

int call_region_create(void)
{
	struct xmap_region *ret = UNTOUCHED;
	int rc = LIBRARY(xmap_region_create(dev, PAGE, NULL, &ret));

	return check_region(rc, ret);
}

int call_region_open(void)
{
	struct xmap_region *ret = UNTOUCHED;
	int rc = LIBRARY(xmap_region_open(dev, "name", 0, &ret));

	return check_region(rc, ret);
}

int call_region_from_fd(void)
{
	struct xmap_region *ret = UNTOUCHED;
	int fd = dup(xmap_region_fd(room));
	int rc = LIBRARY(xmap_region_from_fd(dev, fd, &ret));

	check_region(rc, ret);
	/* Still the caller's, or no more. */
	ck_assert_int_eq(close(fd), rc ? 0 : -1);
	return rc;
}

int call_region_derive(void)
{
	struct xmap_region *ret = UNTOUCHED;
	int rc = LIBRARY(xmap_region_derive(room, XMAP_RIGHT_READ, 0, 0, &ret));

	return check_region(rc, ret);
}

int call_region_info(void)
{
	struct xmap_cmd_region_info ret = { .flags = 77 };
	int rc = LIBRARY(xmap_region_info(room, &ret));

	ck_assert_uint_eq(ret.flags, rc ? 77 : 0);
	return rc;
}

int call_region_revoke(void)
{
	return LIBRARY(xmap_region_revoke(room, 0, 0));
}

int call_region_seal(void)
{
	int rc = LIBRARY(xmap_region_seal(room, XMAP_REGION_SEAL_GROW));

	return rc == XMAP_REGION_SEAL_GROW ? 0 : rc;
}

int call_region_resize(void)
{
	return LIBRARY(xmap_region_resize(room, PAGE));
}

int call_region_give(void)
{
	return LIBRARY(xmap_region_give(room));
}

int call_region_take(void)
{
	return LIBRARY(xmap_region_take(room));
}

int call_region_rebind(void)
{
	uint64_t generation = 7;
	int rc = LIBRARY(xmap_region_rebind(room, &generation));

	ck_assert_uint_eq(generation, rc ? 7 : SHIM_GENERATION);
	return rc;
}

int call_region_unlink(void)
{
	return LIBRARY(xmap_region_unlink(room));
}

int call_region_notify(void)
{
	return LIBRARY(xmap_region_notify(room));
}

int call_region_eventfd(void)
{
	return LIBRARY(xmap_region_eventfd(room, -1));
}
