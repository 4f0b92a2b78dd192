// SPDX-License-Identifier: LGPL-2.1-or-later
/* Regions: taken back, sealed, made longer and shorter, moved, and put in a place. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "regions.h"

#define PROT_RW (PROT_READ | PROT_WRITE)

static long rc_of(ssize_t n)
{
	return n < 0 ? -errno : n;
}

/* ---- Taken back ---- */

static int child_revokes(void *arg)
{
	if (xmap_region_revoke(arg, 0, 0) != -EPERM)
		return 1;
	return xmap_region_revoke(arg, PAGE, PAGE) == -EPERM ? 0 : 2;
}

START_TEST(taken_back)
{
	struct xmap_region *given = region_part(region, RW, 0, 0);
	struct xmap_region *passed = region_part(given, XMAP_RIGHT_READ, 0, 0);
	char *mine, *theirs, *narrow;
	void *unmapped = &peer;
	char c;

	mine = region_map(region, 0, REGION_LENGTH, PROT_RW);
	theirs = region_map(given, 0, REGION_LENGTH, PROT_RW);
	narrow = region_map(passed, 0, REGION_LENGTH, PROT_READ);
	memset(mine, 'r', REGION_LENGTH);
	in_a_child(child_revokes, given);
	ck_assert_int_eq(narrow[PAGE], 'r');

	assert_ok(xmap_region_revoke(given, PAGE, PAGE));
	assert_err(reach(theirs + PAGE), EFAULT);
	assert_err(reach(narrow + PAGE), EFAULT);
	assert_ok(reach(theirs));
	assert_ok(reach(narrow + 2 * PAGE));
	assert_err(rc_of(pread(xmap_region_fd(passed), &c, 1, PAGE)), ESTALE);
	ck_assert_int_eq(pread(xmap_region_fd(passed), &c, 1, 0), 1);
	assert_err(xmap_region_map(passed, PAGE, PAGE, PROT_READ, &unmapped), ESTALE);
	ck_assert_ptr_eq(unmapped, &peer);
	ck_assert_uint_eq(region_info(passed).out_state, XMAP_TARGET_ALIVE);
	ck_assert_int_eq(mine[PAGE], 'r');

	assert_ok(xmap_region_revoke(given, 0, 0));
	assert_err(reach(theirs), EFAULT);
	assert_err(reach(narrow + 2 * PAGE), EFAULT);
	assert_err(rc_of(pread(xmap_region_fd(given), &c, 1, 0)), ESTALE);
	assert_err(rc_of(pwrite(xmap_region_fd(given), &c, 1, 0)), ESTALE);
	assert_err(xmap_region_derive(given, RW, 0, 0, &passed), ESTALE);
	ck_assert_uint_eq(region_info(passed).out_state, XMAP_TARGET_REVOKED);
	ck_assert_int_eq(poll_now(xmap_region_fd(passed)) & POLLHUP, POLLHUP);
	ck_assert_uint_eq(region_info(region).out_state, XMAP_TARGET_ALIVE);
	ck_assert_int_eq(mine[PAGE], 'r');

	assert_err(xmap_region_revoke(region, PAGE, 0), EINVAL);
	assert_err(xmap_region_revoke(region, PAGE, ~0ULL), EOVERFLOW);
	assert_err(xmap_region_revoke(region, 1ULL << 60, 1), EFAULT);
	ck_assert_int_eq(mine[PAGE], 'r');
	assert_ok(munmap(narrow, REGION_LENGTH));
	assert_ok(munmap(theirs, REGION_LENGTH));
	assert_ok(munmap(mine, REGION_LENGTH));
	xmap_region_close(passed);
	xmap_region_close(given);
}

/* The number of the handle is in the list, as is what it is. */
START_TEST(taken_back_by_number)
{
	struct xmap_region *given = region_part(region, XMAP_RIGHT_READ, PAGE, PAGE);
	char *map = region_map(given, PAGE, PAGE, PROT_READ);
	uint64_t serial = serial_of(XMAP_LIST_REGION);
	struct xmap_list_entry entry = {};
	uint64_t cursor = serial - 1;

	ck_assert_int_eq(xmap_list(dev, &cursor, &entry, 1), 1);
	ck_assert_uint_eq(entry.serial, serial);
	ck_assert_uint_eq(entry.kind, XMAP_LIST_REGION);
	ck_assert_uint_eq(entry.rights, XMAP_RIGHT_READ);
	ck_assert_int_eq(entry.holder_pid, getpid());
	ck_assert_uint_eq(entry.addr, PAGE);
	ck_assert_uint_eq(entry.length, PAGE);
	ck_assert_uint_eq(entry.count, 1);
	ck_assert_uint_eq(entry.state, XMAP_TARGET_ALIVE);
	assert_ok(reach(map));
	assert_ok(xmap_revoke(dev, serial, 0, 0));
	assert_err(reach(map), EFAULT);
	assert_ok(munmap(map, PAGE));
	xmap_region_close(given);
	assert_err(xmap_revoke(dev, serial, 0, 0), ENOENT);
}

/* ---- Seals and lengths ---- */

START_TEST(sealed)
{
	struct xmap_region *reader = region_part(region, XMAP_RIGHT_READ, 0, 0);
	struct xmap_region *half = region_part(region, RWM, 0, 2 * PAGE);
	int fd = xmap_region_fd(region);
	void *unmapped = &peer;
	char *map;

	assert_err(xmap_region_seal(region, 0), EINVAL);
	assert_err(xmap_region_seal(region, 1U << 31), EOPNOTSUPP);
	assert_err(xmap_region_seal(reader, XMAP_REGION_SEAL_GROW), EACCES);
	assert_err(xmap_region_seal(half, XMAP_REGION_SEAL_GROW), EACCES);
	ck_assert_int_eq(xmap_region_seal(region, XMAP_REGION_SEAL_GROW), XMAP_REGION_SEAL_GROW);
	assert_err(xmap_region_resize(region, 2 * REGION_LENGTH), EPERM);
	assert_ok(xmap_region_resize(region, PAGE));
	ck_assert_int_eq(xmap_region_seal(region, XMAP_REGION_SEAL_SHRINK),
			 XMAP_REGION_SEAL_GROW | XMAP_REGION_SEAL_SHRINK);
	ck_assert_int_eq(pwrite(fd, "data", 4, 0), 4);

	map = region_map(region, 0, PAGE, PROT_RW);
	assert_err(xmap_region_seal(region, XMAP_REGION_SEAL_WRITE), EBUSY);
	ck_assert_int_ge(xmap_region_seal(region, XMAP_REGION_SEAL_FUTURE_WRITE), 0);
	map[0] = 'D';
	assert_err(rc_of(pwrite(fd, "x", 1, 0)), EPERM);
	assert_err(xmap_region_map(region, 0, PAGE, PROT_RW, &unmapped), EPERM);
	assert_ok(munmap(map, PAGE));
	ck_assert_int_ge(xmap_region_seal(region, XMAP_REGION_SEAL_WRITE |
						  XMAP_REGION_SEAL_SEAL), 0);
	assert_err(xmap_region_rebind(region, NULL), EPERM);
	assert_err(xmap_region_seal(region, XMAP_REGION_SEAL_GROW), EPERM);
	ck_assert_uint_eq(region_info(reader).out_seals, 0x1f);
	ck_assert_ptr_eq(unmapped, &peer);
	map = region_map(reader, 0, PAGE, PROT_READ);
	ck_assert_mem_eq(map, "Data", 4);
	assert_ok(munmap(map, PAGE));
	xmap_region_close(half);
	xmap_region_close(reader);
}

START_TEST(resized)
{
	struct xmap_region *reader = region_part(region, XMAP_RIGHT_READ, 0, 0);
	char *map = region_map(region, 0, REGION_LENGTH, PROT_RW);
	struct xmap_cmd_query query;

	memset(map, 's', REGION_LENGTH);
	assert_err(xmap_region_resize(region, 0), EINVAL);
	assert_err(xmap_region_resize(region, PAGE + 1), EINVAL);
	assert_err(xmap_region_resize(reader, PAGE), EACCES);
	assert_ok(xmap_query(dev, &query));
	if (query.out_max_region_bytes < 1ULL << 46)
		assert_err(xmap_region_resize(region, query.out_max_region_bytes + PAGE), EDQUOT);
	assert_ok(xmap_region_resize(region, PAGE));
	assert_ok(reach(map));
	assert_err(reach(map + PAGE), EFAULT);
	ck_assert_uint_eq(region_info(reader).out_length, PAGE);
	assert_ok(xmap_region_resize(region, 8 * PAGE));
	ck_assert_uint_eq(region_info(reader).out_region_length, 8 * PAGE);
	ck_assert_uint_eq(region_info(reader).out_length, 8 * PAGE);
	ck_assert_int_eq(map[0], 's');
	/* What was cut off does not come back. */
	ck_assert_int_eq(map[PAGE], 0);
	assert_ok(munmap(map, REGION_LENGTH));
	xmap_region_close(reader);
}

START_TEST(rebound)
{
	struct xmap_region *writer = region_part(region, RW, 0, 0);
	char *map = region_map(region, 0, REGION_LENGTH, PROT_RW);
	uint64_t generation = 0;

	memset(map, 'g', REGION_LENGTH);
	assert_err(xmap_region_rebind(writer, &generation), EACCES);
	ck_assert_uint_eq(generation, 0);
	assert_ok(xmap_region_rebind(region, &generation));
	ck_assert_uint_eq(generation, 1);
	ck_assert_int_eq(*(volatile char *)map, 0);
	ck_assert_int_eq(map[REGION_LENGTH - 1], 0);
	assert_ok(xmap_region_rebind(region, NULL));
	ck_assert_uint_eq(region_info(writer).out_generation, 2);
	assert_ok(munmap(map, REGION_LENGTH));
	xmap_region_close(writer);
}

/* ---- Moved ---- */

/* What a child does with a region that its parent owns, or has given away. */
static int child_may_not(void *arg)
{
	void *map;
	char c;

	if (region_info(arg).out_owner != XMAP_REGION_OWNER_OTHER)
		return 1;
	if (xmap_region_take(arg) != -EBUSY || xmap_region_give(arg) != -EPERM)
		return 2;
	if (xmap_region_map(arg, 0, PAGE, PROT_RW, &map) || reach(map) != -EFAULT)
		return 3;
	return rc_of(pread(xmap_region_fd(arg), &c, 1, 0)) == -EPERM ? 0 : 4;
}

static int child_takes(void *arg)
{
	void *map;

	if (region_info(arg).out_owner != XMAP_REGION_OWNER_NONE || xmap_region_take(arg))
		return 1;
	if (xmap_region_map(arg, 0, PAGE, PROT_RW, &map) || memcmp(map, "from above", 11))
		return 2;
	strcpy(map, "from below");
	return region_info(arg).out_owner == XMAP_REGION_OWNER_SELF ? 0 : 3;
}

static int child_gives_back(void *arg)
{
	return child_takes(arg) ?: -xmap_region_give(arg);
}

START_TEST(moved)
{
	XMAP_OPTS(struct xmap_region_opts, opts, .flags = XMAP_REGION_SINGLE_OWNER);
	struct xmap_region *it = region_new(&opts), *part;
	char *map = region_map(it, 0, REGION_LENGTH, PROT_RW);
	char c;

	ck_assert_uint_eq(region_info(it).out_owner, XMAP_REGION_OWNER_SELF);
	strcpy(map, "from above");
	in_a_child(child_may_not, it);
	assert_err(xmap_region_take(it), EBUSY);
	part = region_part(it, RW, 0, PAGE);

	/* It comes back as a gift, or with the taker's death. */
	assert_ok(xmap_region_give(it));
	ck_assert_uint_eq(region_info(it).out_owner, XMAP_REGION_OWNER_NONE);
	assert_err(reach(map), EFAULT);
	assert_err(rc_of(pread(xmap_region_fd(it), &c, 1, 0)), EPERM);
	assert_err(xmap_region_give(it), EPERM);
	assert_err(xmap_region_resize(it, PAGE), EPERM);
	assert_err(xmap_region_rebind(it, NULL), EPERM);
	assert_err(xmap_region_take(part), EACCES);
	in_a_child(_i ? child_gives_back : child_takes, it);
	assert_err(reach(map), EFAULT);
	assert_ok(xmap_region_take(it));
	ck_assert_str_eq(map, "from below");
	ck_assert_uint_eq(region_info(it).out_owner, XMAP_REGION_OWNER_SELF);
	assert_ok(xmap_region_give(it));
	assert_ok(xmap_region_revoke(it, 0, 0));
	assert_err(xmap_region_take(it), ESTALE);
	assert_ok(munmap(map, REGION_LENGTH));
	xmap_region_close(part);
	xmap_region_close(it);

	assert_err(xmap_region_give(region), EINVAL);
	assert_err(xmap_region_take(region), EINVAL);
}

/* ---- In its place ---- */

/* ThreadSanitizer has data of its own at these addresses. */
#ifndef __SANITIZE_THREAD__
static int child_has_the_same_address(void *arg)
{
	uint64_t place = region_info(arg).out_addr;
	char *map;
	void *p;

	/* It has inherited the mapping. */
	if (xmap_region_map(arg, 0, PAGE, PROT_READ, &p) != -EEXIST)
		return 1;
	if (munmap((void *)place, PAGE) || xmap_region_map(arg, 0, PAGE, PROT_READ, &p))
		return 2;
	map = p;
	return (uintptr_t)p == place && *(char **)map == map ? 0 : 3;
}

START_TEST(fixed_address)
{
	XMAP_OPTS(struct xmap_region_opts, opts, .flags = XMAP_REGION_FIXED_ADDRESS,
		  .reserve = 8 * PAGE, .addr = XMAP_REGION_ADDRESS_MAX - (1UL << 30));
	struct xmap_region *none = (void *)&peer, *it = region_new(&opts);
	uint64_t place = region_info(it).out_addr;
	void *p;

	ck_assert_uint_eq(place, opts.addr);
	assert_err(xmap_region_create(dev, PAGE, &opts, &none), EEXIST);
	opts.addr = 0;
	assert_ok(xmap_region_create(dev, PAGE, &opts, &none));
	ck_assert_uint_ge(region_info(none).out_addr, XMAP_REGION_ADDRESS_MIN);
	ck_assert_uint_lt(region_info(none).out_addr, XMAP_REGION_ADDRESS_MAX);
	ck_assert_uint_ne(region_info(none).out_addr, place);
	xmap_region_close(none);

	assert_ok(xmap_region_map(it, 0, PAGE, PROT_RW, &p));
	ck_assert_uint_eq((uintptr_t)p, place);
	*(void **)p = p;
	assert_ok(xmap_region_map(it, 2 * PAGE, PAGE, PROT_READ, &p));
	ck_assert_uint_eq((uintptr_t)p, place + 2 * PAGE);
	assert_err(xmap_region_map(it, PAGE, 2 * PAGE, PROT_READ, &p), EEXIST);
	in_a_child(child_has_the_same_address, it);
	assert_err(xmap_region_resize(it, 9 * PAGE), ENOSPC);
	assert_ok(xmap_region_resize(it, 8 * PAGE));
	assert_ok(munmap((void *)place, 3 * PAGE));
	xmap_region_close(it);
}
#endif

Suite *region_changes_suite(void)
{
	Suite *suite = suite_create("region changes");
	TCase *tc = tcase_create("region changes");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, regions_setup, regions_teardown);
	tcase_add_test(tc, taken_back);
	tcase_add_test(tc, taken_back_by_number);
	tcase_add_test(tc, sealed);
	tcase_add_test(tc, resized);
	tcase_add_test(tc, rebound);
	tcase_add_loop_test(tc, moved, 0, 2);
#ifndef __SANITIZE_THREAD__
	tcase_add_test(tc, fixed_address);
#endif
	suite_add_tcase(suite, tc);
	return suite;
}
