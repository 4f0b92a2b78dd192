// SPDX-License-Identifier: LGPL-2.1-or-later
/* The module's arithmetic on ranges, in user space. */
#include <errno.h>
#include <limits.h>

#include "range.h"
#include "tests.h"

#define TOP (~0ULL)
#define LIMIT 0x7ffffffff000ULL

static struct xmap_range range(u64 start, u64 end)
{
	return (struct xmap_range){ .start = start, .end = end };
}

START_TEST(init)
{
	struct xmap_range r = range(1, 2);

	assert_ok(xmap_range_init(&r, 0, 0));
	ck_assert_uint_eq(r.start, 0);
	ck_assert_uint_eq(r.end, 0);
	assert_ok(xmap_range_init(&r, 5, TOP - 5));
	ck_assert_uint_eq(r.start, 5);
	ck_assert_uint_eq(r.end, TOP);
	assert_ok(xmap_range_init(&r, TOP, 0));
	ck_assert_uint_eq(r.end, TOP);
	r = range(1, 2);
	assert_err(xmap_range_init(&r, TOP, 1), EOVERFLOW);
	assert_err(xmap_range_init(&r, 1, TOP), EOVERFLOW);
	assert_err(xmap_range_init(&r, TOP, TOP), EOVERFLOW);
	ck_assert_uint_eq(r.start, 1);
	ck_assert_uint_eq(r.end, 2);
}

START_TEST(length_and_empty)
{
	struct xmap_range r = range(10, 30);

	ck_assert_uint_eq(xmap_range_length(&r), 20);
	ck_assert(!xmap_range_empty(&r));
	r = range(10, 11);
	ck_assert(!xmap_range_empty(&r));
	r = range(10, 10);
	ck_assert_uint_eq(xmap_range_length(&r), 0);
	ck_assert(xmap_range_empty(&r));
	r = range(0, TOP);
	ck_assert_uint_eq(xmap_range_length(&r), TOP);
}

static bool contains(u64 start, u64 end)
{
	struct xmap_range outer = range(10, 20);
	struct xmap_range inner = range(start, end);

	return xmap_range_contains(&outer, &inner);
}

START_TEST(contained)
{
	ck_assert(contains(10, 20));
	ck_assert(contains(11, 19));
	ck_assert(contains(10, 10));
	ck_assert(contains(20, 20));
	ck_assert(!contains(9, 9));
	ck_assert(!contains(21, 21));
	ck_assert(!contains(9, 20));
	ck_assert(!contains(10, 21));
	ck_assert(!contains(0, TOP));
	ck_assert(!contains(20, 10));
}

/* Every pair of small ranges, against a count of common addresses. */
START_TEST(overlap_and_clip)
{
	for (u64 n = 0; n < 6 * 6 * 6 * 6; n++) {
		struct xmap_range x = range(n % 6, n / 6 % 6);
		struct xmap_range y = range(n / 36 % 6, n / 216);
		struct xmap_range clip = xmap_range_clip(&x, &y);
		unsigned int common = 0;

		if (x.start > x.end || y.start > y.end)
			continue;
		for (u64 i = 0; i < 6; i++)
			common += i >= x.start && i < x.end && i >= y.start && i < y.end;
		ck_assert_uint_eq(xmap_range_length(&clip), common);
		ck_assert_int_eq(xmap_range_empty(&clip), !common);
		if (xmap_range_empty(&x) || xmap_range_empty(&y))
			continue;
		ck_assert_int_eq(xmap_range_overlaps(&x, &y), !!common);
		ck_assert_int_eq(xmap_range_overlaps(&y, &x), !!common);
		ck_assert_int_eq(common && xmap_range_contains(&x, &clip), !!common);
		ck_assert_int_eq(common && xmap_range_contains(&y, &clip), !!common);
	}
}

START_TEST(access)
{
	struct xmap_range r = range(1000, 2000);
	struct xmap_range whole = range(0, LIMIT);

	ck_assert_int_eq(xmap_range_access(&r, LIMIT, 1000, 1000), 1000);
	ck_assert_int_eq(xmap_range_access(&r, LIMIT, 1000, 1001), 1000);
	ck_assert_int_eq(xmap_range_access(&r, LIMIT, 1999, 5), 1);
	ck_assert_int_eq(xmap_range_access(&r, LIMIT, 1500, TOP), 500);
	ck_assert_int_eq(xmap_range_access(&r, LIMIT, 1500, LONG_MAX), 500);
	assert_err(xmap_range_access(&r, LIMIT, 999, 1), EACCES);
	assert_err(xmap_range_access(&r, LIMIT, 2000, 1), EACCES);
	assert_err(xmap_range_access(&r, LIMIT, LIMIT - 1, 1), EACCES);
	assert_err(xmap_range_access(&r, LIMIT, LIMIT, 1), EFAULT);
	assert_err(xmap_range_access(&r, LIMIT, TOP, 1), EFAULT);
	ck_assert_int_eq(xmap_range_access(&whole, LIMIT, 0, 1), 1);
	ck_assert_int_eq(xmap_range_access(&whole, LIMIT, LIMIT - 8, 16), 8);
	ck_assert_int_eq(xmap_range_access(&whole, LIMIT, 0, TOP), LIMIT);
	assert_err(xmap_range_access(&whole, LIMIT, LIMIT, 1), EFAULT);
	/* A handle on nothing. */
	r = range(1000, 1000);
	assert_err(xmap_range_access(&r, LIMIT, 1000, 1), EACCES);
}

START_TEST(around)
{
	struct xmap_range limits = range(0x3000, 0x9000);
	struct xmap_range all = range(0, TOP);
	struct xmap_range r;

	r = xmap_range_around(0x4abc, 0x4000, &limits);
	ck_assert_uint_eq(r.start, 0x4000);
	ck_assert_uint_eq(r.end, 0x8000);
	r = xmap_range_around(0x3000, 0x4000, &limits);
	ck_assert_uint_eq(r.start, 0x3000);
	ck_assert_uint_eq(r.end, 0x4000);
	r = xmap_range_around(0x8fff, 0x4000, &limits);
	ck_assert_uint_eq(r.start, 0x8000);
	ck_assert_uint_eq(r.end, 0x9000);
	r = xmap_range_around(0x4abc, 0x1000, &limits);
	ck_assert_uint_eq(r.start, 0x4000);
	ck_assert_uint_eq(r.end, 0x5000);
	/* A block wider than the limits, and one outside them. */
	r = xmap_range_around(0x5000, 0x100000, &limits);
	ck_assert_uint_eq(r.start, 0x3000);
	ck_assert_uint_eq(r.end, 0x9000);
	r = xmap_range_around(0xc000, 0x1000, &limits);
	ck_assert(xmap_range_empty(&r));
	/* The last block. */
	r = xmap_range_around(TOP, 0x1000, &all);
	ck_assert_uint_eq(r.start, TOP - 0xfff);
	ck_assert_uint_eq(r.end, TOP);
}

Suite *range_suite(void)
{
	Suite *suite = suite_create("range");
	TCase *tc = tcase_create("range");

	tcase_add_test(tc, init);
	tcase_add_test(tc, length_and_empty);
	tcase_add_test(tc, contained);
	tcase_add_test(tc, overlap_and_clip);
	tcase_add_test(tc, access);
	tcase_add_test(tc, around);
	suite_add_tcase(suite, tc);
	return suite;
}
