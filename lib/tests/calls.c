// SPDX-License-Identifier: LGPL-2.1-or-later
/* One call of each function that asks the kernel. */
#include <unistd.h>

#include "calls.h"

struct xmap_target *target;
struct xmap_export *offer;
struct xmap_region *room;

void calls_setup(void)
{
	shim_reset();
	shim.fake = true;
	dev = dev_open(XMAP_BACKEND_MODULE);
	target = target_open(dev, getpid(), RWF);
	assert_ok(xmap_export_create(dev, NULL, 0, NULL, &offer));
	assert_ok(xmap_region_create(dev, SHIM_BYTES, NULL, &room));
}

void calls_teardown(void)
{
	shim_reset();
	xmap_region_close(room);
	xmap_export_close(offer);
	xmap_target_close(target);
	xmap_close(dev);
}

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

static int check_export(int rc, struct xmap_export *ret)
{
	if (rc)
		ck_assert_ptr_eq(ret, UNTOUCHED);
	else
		xmap_export_close(ret);
	return rc;
}

static int call_export_create(void)
{
	struct xmap_export *ret = UNTOUCHED;
	int rc = LIBRARY(xmap_export_create(dev, NULL, 0, NULL, &ret));

	return check_export(rc, ret);
}

static int call_export_open(void)
{
	struct xmap_export *ret = UNTOUCHED;
	int rc = LIBRARY(xmap_export_open(dev, "name", 0, &ret));

	return check_export(rc, ret);
}

static int call_export_open_id(void)
{
	struct xmap_export *ret = UNTOUCHED;
	int rc = LIBRARY(xmap_export_open_id(dev, SHIM_ID, 0, &ret));

	return check_export(rc, ret);
}

static int call_export_from_fd(void)
{
	struct xmap_export *ret = UNTOUCHED;
	int fd = dup(xmap_export_fd(offer));
	int rc = LIBRARY(xmap_export_from_fd(dev, fd, &ret));

	check_export(rc, ret);
	/* Still the caller's, or no more. */
	ck_assert_int_eq(close(fd), rc ? 0 : -1);
	return rc;
}

static int call_export_accept(void)
{
	struct xmap_target *ret = UNTOUCHED;
	int rc = LIBRARY(xmap_export_accept(offer, NULL, &ret));

	if (rc)
		ck_assert_ptr_eq(ret, UNTOUCHED);
	else
		xmap_target_close(ret);
	return rc;
}

static int call_export_info(void)
{
	struct xmap_cmd_export_info ret = { .flags = 77 };
	int rc = LIBRARY(xmap_export_info(offer, &ret));

	ck_assert_uint_eq(ret.flags, rc ? 77 : 0);
	return rc;
}

static int call_export_revoke(void)
{
	return LIBRARY(xmap_export_revoke(offer, 0, 0));
}

static int call_target_revoke(void)
{
	return LIBRARY(xmap_target_revoke(target, 0, 0));
}

static int call_export_eventfd(void)
{
	return LIBRARY(xmap_export_eventfd(offer, -1));
}

static int call_target_eventfd(void)
{
	return LIBRARY(xmap_target_eventfd(target, -1));
}

static int call_revoke(void)
{
	return LIBRARY(xmap_revoke(dev, 1, 0, 0));
}

static int call_self_deny(void)
{
	return LIBRARY(xmap_self_deny(dev, 0));
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
	{ XMAP_EXPORT_CREATE, call_export_create, true },
	{ XMAP_EXPORT_OPEN, call_export_open, true },
	{ XMAP_EXPORT_OPEN, call_export_open_id, true },
	{ XMAP_EXPORT_INFO, call_export_from_fd, true },
	{ XMAP_EXPORT_ACCEPT, call_export_accept, true },
	{ XMAP_EXPORT_INFO, call_export_info, false },
	{ XMAP_REVOKE, call_export_revoke, false },
	{ XMAP_REVOKE, call_target_revoke, false },
	{ XMAP_REVOKE, call_revoke, false },
	{ XMAP_EVENTFD, call_export_eventfd, false },
	{ XMAP_EVENTFD, call_target_eventfd, false },
	{ XMAP_DENY, call_self_deny, false },
	{ XMAP_REGION_CREATE, call_region_create, true },
	{ XMAP_REGION_OPEN, call_region_open, true },
	{ XMAP_REGION_INFO, call_region_from_fd, true },
	{ XMAP_REGION_DERIVE, call_region_derive, true },
	{ XMAP_REGION_INFO, call_region_info, false },
	{ XMAP_REVOKE, call_region_revoke, false },
	{ XMAP_REGION_SEAL, call_region_seal, false },
	{ XMAP_REGION_RESIZE, call_region_resize, false },
	{ XMAP_REGION_GIVE, call_region_give, false },
	{ XMAP_REGION_TAKE, call_region_take, false },
	{ XMAP_REGION_REBIND, call_region_rebind, false },
	{ XMAP_REGION_UNLINK, call_region_unlink, false },
	{ XMAP_REGION_NOTIFY, call_region_notify, false },
	{ XMAP_EVENTFD, call_region_eventfd, false },
};
