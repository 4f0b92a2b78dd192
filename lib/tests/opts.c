// SPDX-License-Identifier: LGPL-2.1-or-later
/* Option structures: how they grow, and what is refused. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim.h"
#include "tests.h"

/* One function with options, called with a buffer of any size. */
struct opts_case {
	const char *name;
	size_t size;
	int (*call)(const void *opts);
};

static struct xmap_target *target;
static struct xmap_export *offer;

static int call_open(const void *opts)
{
	struct xmap_dev *ret = NULL;
	int rc = xmap_open(opts, &ret);

	ck_assert_int_eq(!rc, !!ret);
	xmap_close(ret);
	return rc;
}

static int call_target_open_pid(const void *opts)
{
	struct xmap_target *ret = NULL;
	int rc = xmap_target_open_pid(dev, getpid(), opts, &ret);

	ck_assert_int_eq(!rc, !!ret);
	xmap_target_close(ret);
	return rc;
}

static int call_target_open_mem(const void *opts)
{
	struct xmap_target *ret = NULL;
	int rc = xmap_target_open_mem(dev, 0, opts, &ret);

	ck_assert_int_eq(!rc, !!ret);
	xmap_target_close(ret);
	return rc;
}

static int call_target_derive(const void *opts)
{
	struct xmap_target *ret = NULL;
	int rc = xmap_target_derive(target, opts, &ret);

	ck_assert_int_eq(!rc, !!ret);
	xmap_target_close(ret);
	return rc;
}

static int call_map(const void *opts)
{
	struct xmap_window *ret = NULL;
	int rc = xmap_map(target, 0, PAGE, opts, &ret);

	ck_assert_int_eq(!rc, !!ret);
	xmap_unmap(ret);
	return rc;
}

static int call_export_create(const void *opts)
{
	struct xmap_export *ret = NULL;
	int rc = xmap_export_create(dev, NULL, 0, opts, &ret);

	ck_assert_int_eq(!rc, !!ret);
	xmap_export_close(ret);
	return rc;
}

static int call_export_accept(const void *opts)
{
	struct xmap_target *ret = NULL;
	int rc = xmap_export_accept(offer, opts, &ret);

	ck_assert_int_eq(!rc, !!ret);
	xmap_target_close(ret);
	return rc;
}

static int call_region_create(const void *opts)
{
	struct xmap_region *ret = NULL;
	int rc = xmap_region_create(dev, PAGE, opts, &ret);

	ck_assert_int_eq(!rc, !!ret);
	xmap_region_close(ret);
	return rc;
}

static const struct opts_case cases[] = {
	{ "open", sizeof(struct xmap_open_opts), call_open },
	{ "target_open_pid", sizeof(struct xmap_target_opts), call_target_open_pid },
	{ "target_open_mem", sizeof(struct xmap_target_opts), call_target_open_mem },
	{ "target_derive", sizeof(struct xmap_target_opts), call_target_derive },
	{ "export_accept", sizeof(struct xmap_target_opts), call_export_accept },
	{ "export_create", sizeof(struct xmap_export_opts), call_export_create },
	{ "map", sizeof(struct xmap_map_opts), call_map },
	{ "region_create", sizeof(struct xmap_region_opts), call_region_create },
};

#define NR_CASES ((int)(sizeof(cases) / sizeof(*cases)))

static void setup(void)
{
	shim_reset();
	shim.fake = true;
	dev = dev_open(XMAP_BACKEND_MODULE);
	target = target_open(dev, getpid(), XMAP_RIGHT_READ);
	assert_ok(xmap_export_create(dev, NULL, 0, NULL, &offer));
}

static void teardown(void)
{
	xmap_export_close(offer);
	xmap_target_close(target);
	xmap_close(dev);
	shim_reset();
}

/* All zero but for the size. */
START_TEST(sizes)
{
	const struct opts_case *c = &cases[_i];
	union {
		size_t sz;
		unsigned char bytes[8192];
	} opts;
	size_t sz;

	assert_ok(c->call(NULL));
	memset(&opts, 0, sizeof(opts));
	for (sz = 0; sz < sizeof(sz); sz++) {
		opts.sz = sz;
		assert_err(c->call(&opts), EINVAL);
	}
	for (; sz <= 4096; sz++) {
		opts.sz = sz;
		assert_ok(c->call(&opts));
	}
	for (; sz < 5000; sz++) {
		opts.sz = sz;
		assert_err(c->call(&opts), E2BIG);
	}
	opts.sz = (size_t)-1;
	assert_err(c->call(&opts), E2BIG);
}

START_TEST(unknown_tail)
{
	const struct opts_case *c = &cases[_i];
	union {
		size_t sz;
		unsigned char bytes[4096];
	} opts;
	size_t at;

	memset(&opts, 0, sizeof(opts));
	for (at = c->size; at < sizeof(opts); at += 61) {
		opts.bytes[at] = 1;
		opts.sz = sizeof(opts);
		assert_err(c->call(&opts), E2BIG);
		opts.sz = at + 1;
		assert_err(c->call(&opts), E2BIG);
		/* Behind the end: none of ours. */
		opts.sz = at;
		assert_ok(c->call(&opts));
		opts.bytes[at] = 0;
	}
}

/* What lies beyond a smaller size is not looked at. */
START_TEST(smaller_is_zero)
{
	struct xmap_open_opts open_opts = { sizeof(size_t), 77, 77 };
	struct xmap_target_opts target_opts = { sizeof(size_t), 0xff, 1, 1, 1 };
	struct xmap_map_opts map_opts = { sizeof(size_t), 0xff, 0xff, NULL };
	struct xmap_export_opts export_opts = { .sz = sizeof(size_t), .flags = 0xff,
						.name = "name", .__reserved = 1 };
	struct xmap_region_opts region_opts = { .sz = sizeof(size_t), .flags = 0xff,
						.name = "name", .__reserved = 1, .gid = 1 };

	assert_ok(call_open(&open_opts));
	assert_ok(call_target_open_pid(&target_opts));
	assert_ok(call_map(&map_opts));
	assert_ok(call_export_create(&export_opts));
	ck_assert_uint_eq(shim.created.flags, 0);
	ck_assert_str_eq(shim.created.name, "");
	assert_ok(call_region_create(&region_opts));
	ck_assert_uint_eq(shim.region.flags, 0);
	ck_assert_uint_eq(shim.region.gid, 0);
	ck_assert_str_eq(shim.region.name, "");
}

START_TEST(unknown_values)
{
	struct xmap_open_opts open_opts = { .sz = sizeof(open_opts), .backend = 3 };
	struct xmap_target_opts target_opts = { .sz = sizeof(target_opts) };
	struct xmap_map_opts map_opts = { .sz = sizeof(map_opts), .prot = PROT_EXEC };
	struct xmap_export_opts export_opts = { .sz = sizeof(export_opts), .__reserved = 1 };
	struct xmap_region_opts region_opts = { .sz = sizeof(region_opts), .__reserved = 1 };

	assert_err(call_open(&open_opts), EOPNOTSUPP);
	open_opts.backend = -1;
	assert_err(call_open(&open_opts), EOPNOTSUPP);
	open_opts.backend = 0;
	open_opts.__reserved = 1;
	assert_err(call_open(&open_opts), EOPNOTSUPP);

	for (int i = 1; i <= 4; i++) {
		target_opts.rights = 1U << 31;
		assert_err(cases[i].call(&target_opts), EOPNOTSUPP);
		target_opts.rights = XMAP_RIGHT_FORCE;
		assert_err(cases[i].call(&target_opts), EINVAL);
		target_opts.rights = 0;
		target_opts.__reserved = 1;
		assert_err(cases[i].call(&target_opts), EOPNOTSUPP);
		target_opts.__reserved = 0;
		target_opts.addr = 1;
		assert_err(cases[i].call(&target_opts), EINVAL);
		target_opts.length = ~0UL;
		assert_err(cases[i].call(&target_opts), EOVERFLOW);
		target_opts.addr = 0;
		target_opts.length = 0;
	}

	assert_err(call_map(&map_opts), EOPNOTSUPP);
	map_opts.prot = PROT_WRITE;
	assert_err(call_map(&map_opts), EINVAL);
	map_opts.prot = 0;
	map_opts.flags = MAP_LOCKED;
	assert_err(call_map(&map_opts), EOPNOTSUPP);
	map_opts.flags = MAP_FIXED;
	assert_err(call_map(&map_opts), EINVAL);
	map_opts.flags = MAP_FIXED_NOREPLACE;
	assert_err(call_map(&map_opts), EINVAL);

	assert_err(call_export_create(&export_opts), EOPNOTSUPP);
	export_opts.__reserved = 0;
	export_opts.name = "a name of sixty-four characters, which is one too many for a name";
	assert_err(call_export_create(&export_opts), EINVAL);
	export_opts.name++;
	ck_assert_uint_eq(strlen(export_opts.name), XMAP_NAME_SIZE);
	assert_err(call_export_create(&export_opts), EINVAL);
	export_opts.name++;
	assert_ok(call_export_create(&export_opts));
	ck_assert_str_eq(shim.created.name, export_opts.name);

	assert_err(call_region_create(&region_opts), EOPNOTSUPP);
	region_opts.__reserved = 0;
	region_opts.name = export_opts.name - 1;
	assert_err(call_region_create(&region_opts), EINVAL);
	region_opts.name++;
	assert_ok(call_region_create(&region_opts));
	ck_assert_str_eq(shim.region.name, region_opts.name);
}

Suite *opts_suite(void)
{
	Suite *suite = suite_create("opts");
	TCase *tc = tcase_create("opts");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, sizes, 0, NR_CASES);
	tcase_add_loop_test(tc, unknown_tail, 0, NR_CASES);
	tcase_add_test(tc, smaller_is_zero);
	tcase_add_test(tc, unknown_values);
	suite_add_tcase(suite, tc);
	return suite;
}
