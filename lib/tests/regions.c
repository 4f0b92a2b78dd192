// SPDX-License-Identifier: LGPL-2.1-or-later
/* What only the module does: memory of its own; how it is made, found, mapped, passed on. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "regions.h"

struct xmap_region *region;

void regions_setup(void)
{
	dev = dev_open(XMAP_BACKEND_MODULE);
	region = region_new(NULL);
}

void regions_teardown(void)
{
	xmap_region_close(region);
	xmap_close(dev);
}

struct xmap_region *region_new(const struct xmap_region_opts *opts)
{
	struct xmap_region *it = NULL;

	assert_ok(xmap_region_create(dev, REGION_LENGTH, opts, &it));
	return it;
}

struct xmap_region *region_part(struct xmap_region *from, uint32_t rights, uint64_t offset,
				uint64_t length)
{
	struct xmap_region *it = NULL;

	assert_ok(xmap_region_derive(from, rights, offset, length, &it));
	return it;
}

char *region_map(struct xmap_region *it, uint64_t offset, size_t length, int prot)
{
	void *map = NULL;

	assert_ok(xmap_region_map(it, offset, length, prot, &map));
	return map;
}

struct xmap_cmd_region_info region_info(struct xmap_region *it)
{
	struct xmap_cmd_region_info info;

	assert_ok(xmap_region_info(it, &info));
	return info;
}

/* By the kernel's hand: the signal is an error of write(). */
int reach(const volatile void *addr)
{
	int ends[2];
	int rc;

	assert_ok(pipe(ends));
	rc = write(ends[1], (const void *)addr, 1) == 1 ? 0 : -errno;
	close(ends[0]);
	close(ends[1]);
	return rc;
}

int poll_now(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	ck_assert_int_ge(poll(&pfd, 1, 0), 0);
	return pfd.revents;
}

/* ---- What is made ---- */

START_TEST(create_and_map)
{
	struct xmap_cmd_region_info info = region_info(region);
	char *map, *other;
	char buf[8] = "";
	int fd;

	ck_assert_uint_eq(info.out_rights, RWM);
	ck_assert_uint_eq(info.out_state, XMAP_TARGET_ALIVE);
	ck_assert_uint_eq(info.out_flags, 0);
	ck_assert_uint_eq(info.out_owner, XMAP_REGION_OWNER_ALL);
	ck_assert_uint_eq(info.out_mappings, 0);
	ck_assert_uint_eq(info.out_offset, 0);
	ck_assert_uint_eq(info.out_length, REGION_LENGTH);
	ck_assert_uint_eq(info.out_region_length, REGION_LENGTH);
	ck_assert_uint_eq(info.out_addr, 0);

	map = region_map(region, 0, REGION_LENGTH, PROT_READ | PROT_WRITE);
	ck_assert_int_eq(map[REGION_LENGTH - 1], 0);
	map[PAGE] = 'm';
	other = region_map(region, PAGE, PAGE, PROT_READ);
	ck_assert_int_eq(*(volatile char *)other, 'm');
	ck_assert_uint_eq(region_info(region).out_mappings, 2);
	fd = xmap_region_fd(region);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, "rite", 4, PAGE + 1), 4);
	ck_assert_int_eq(memcmp(other, "mrite", 5), 0);
	ck_assert_int_eq(pread(fd, buf, 5, PAGE), 5);
	ck_assert_str_eq(buf, "mrite");
	assert_ok(munmap(other, PAGE));
	ck_assert_uint_eq(region_info(region).out_mappings, 1);
	/* What is mapped outlives the handle. */
	xmap_region_close(region);
	region = NULL;
	ck_assert_int_eq(map[PAGE], 'm');
	assert_ok(munmap(map, REGION_LENGTH));
}

START_TEST(wrong_options)
{
	struct xmap_region *none = (void *)&peer;
	struct xmap_cmd_query query;
	struct xmap_region_opts opts;

#define CREATE(...) \
	(opts = (struct xmap_region_opts){ .sz = sizeof(opts), __VA_ARGS__ }, \
	 xmap_region_create(dev, PAGE, &opts, &none))
	assert_err(CREATE(.flags = 1U << 31), EOPNOTSUPP);
	assert_err(CREATE(.__reserved = 1), EOPNOTSUPP);
	assert_err(CREATE(.mode = 0600), EINVAL);
	assert_err(CREATE(.gid = getegid() + 1), EINVAL);
	assert_err(CREATE(.name = "name"), EINVAL);
	assert_err(CREATE(.reserve = PAGE), EINVAL);
	assert_err(CREATE(.addr = XMAP_REGION_ADDRESS_MIN), EINVAL);
	assert_err(CREATE(.flags = XMAP_REGION_PERSISTENT), EINVAL);
	assert_err(CREATE(.flags = XMAP_REGION_PUBLISH), EINVAL);
	assert_err(CREATE(.flags = XMAP_REGION_PUBLISH, .name = "a b"), EINVAL);
	assert_err(CREATE(.flags = XMAP_REGION_PUBLISH, .name = "name", .mode = 0700), EINVAL);
	assert_err(CREATE(.flags = XMAP_REGION_FIXED_ADDRESS, .addr = PAGE), EINVAL);
	assert_err(CREATE(.flags = XMAP_REGION_FIXED_ADDRESS, .reserve = 1), EINVAL);
	opts.sz = 1;
	assert_err(xmap_region_create(dev, PAGE, &opts, &none), EINVAL);
#undef CREATE
	assert_err(xmap_region_create(dev, 0, NULL, &none), EINVAL);
	assert_err(xmap_region_create(dev, 1, NULL, &none), EINVAL);
	assert_err(xmap_region_create(dev, 1UL << 63, NULL, &none), EINVAL);
	assert_ok(xmap_query(dev, &query));
	if (query.out_max_region_bytes < 1ULL << 46)
		assert_err(xmap_region_create(dev, query.out_max_region_bytes + PAGE, NULL, &none),
			   EDQUOT);
	ck_assert_ptr_eq(none, &peer);
}

START_TEST(wrong_maps)
{
	void *none = &peer;

	assert_err(xmap_region_map(region, 0, 0, PROT_READ, &none), EINVAL);
	assert_err(xmap_region_map(region, 1, PAGE, PROT_READ, &none), EINVAL);
	assert_err(xmap_region_map(region, 0, REGION_LENGTH + 1, PROT_READ, &none), EACCES);
	assert_err(xmap_region_map(region, REGION_LENGTH, PAGE, PROT_READ, &none), EACCES);
	assert_err(xmap_region_map(region, 0, PAGE, PROT_READ | PROT_EXEC, &none), EACCES);
	ck_assert_ptr_eq(none, &peer);
}

/* ---- Names ---- */

static int child_opens(void *name)
{
	struct xmap_region *opened = (void *)&peer;

	if (xmap_region_open(dev, name, RW, &opened) != -EACCES ||
	    xmap_region_open(dev, name, XMAP_RIGHT_READ | XMAP_RIGHT_MANAGE, &opened) != -EACCES)
		return 1;
	if (opened != (void *)&peer)
		return 2;
	if (xmap_region_open(dev, name, 0, &opened))
		return 3;
	return xmap_region_unlink(opened) == -EACCES ? 0 : 4;
}

/* The fixture's may be there as well: names are this process's own. */
static void name_make(char name[XMAP_NAME_SIZE], const char *what)
{
	snprintf(name, XMAP_NAME_SIZE, "xmap-test-%s-%d", what, getpid());
}

START_TEST(published)
{
	XMAP_OPTS(struct xmap_region_opts, opts, .flags = XMAP_REGION_PUBLISH, .mode = 0644);
	struct xmap_region *first, *opened = (void *)&peer;
	struct xmap_cmd_region_info info;
	char name[XMAP_NAME_SIZE];

	name_make(name, "published");
	opts.name = name;
	assert_err(xmap_region_open(dev, name, 0, &opened), ENOENT);
	first = region_new(&opts);
	assert_err(xmap_region_create(dev, PAGE, &opts, &opened), EEXIST);
	assert_err(xmap_region_open(dev, "", 0, &opened), EINVAL);
	assert_err(xmap_region_open(dev, NULL, 0, &opened), EINVAL);
	assert_err(xmap_region_open(dev, "a/b", 0, &opened), EINVAL);
	assert_err(xmap_region_open(dev, name, XMAP_RIGHT_MANAGE, &opened), EINVAL);
	assert_err(xmap_region_open(dev, name, XMAP_RIGHT_FORCE, &opened), EINVAL);
	assert_err(xmap_region_open(dev, name, 1U << 31, &opened), EOPNOTSUPP);
	ck_assert_ptr_eq(opened, &peer);
	if (!getuid())
		in_a_child(child_opens, name);

	assert_ok(xmap_region_open(dev, name, 0, &opened));
	info = region_info(opened);
	ck_assert_uint_eq(info.out_rights, XMAP_RIGHT_READ);
	ck_assert_uint_eq(info.out_flags, XMAP_REGION_PUBLISH);
	ck_assert_uint_eq(info.out_length, REGION_LENGTH);
	assert_err(xmap_region_unlink(opened), EACCES);
	xmap_region_close(opened);
	assert_ok(xmap_region_open(dev, name, RWM, &opened));
	ck_assert_uint_eq(region_info(opened).out_rights, RWM);
	/* The name is the region's, not its maker's: it goes with the last handle. */
	xmap_region_close(first);
	assert_ok(xmap_region_open(dev, name, 0, &first));
	xmap_region_close(first);
	assert_ok(xmap_region_unlink(opened));
	assert_err(xmap_region_unlink(opened), ENOENT);
	assert_err(xmap_region_open(dev, name, 0, &first), ENOENT);
	/* It is free for others, and what it was stays. */
	first = region_new(&opts);
	ck_assert_int_eq(pwrite(xmap_region_fd(opened), "old", 3, 0), 3);
	xmap_region_close(opened);
	xmap_region_close(first);
	assert_err(xmap_region_open(dev, name, 0, &opened), ENOENT);
	assert_err(xmap_region_unlink(region), ENOENT);
}

START_TEST(persistent)
{
	XMAP_OPTS(struct xmap_region_opts, opts, .mode = 0600,
		  .flags = XMAP_REGION_PUBLISH | XMAP_REGION_PERSISTENT);
	struct xmap_region *it = NULL;
	char name[XMAP_NAME_SIZE];
	char buf[4] = "";

	name_make(name, "persistent");
	opts.name = name;
	it = region_new(&opts);
	ck_assert_int_eq(pwrite(xmap_region_fd(it), "kept", 4, PAGE), 4);
	xmap_region_close(it);
	assert_ok(xmap_region_open(dev, name, RWM, &it));
	ck_assert_int_eq(pread(xmap_region_fd(it), buf, 4, PAGE), 4);
	ck_assert_mem_eq(buf, "kept", 4);
	assert_ok(xmap_region_unlink(it));
	xmap_region_close(it);
	assert_err(xmap_region_open(dev, name, 0, &it), ENOENT);
}

/* A name of what nobody can reach any more is in nobody's way. */
START_TEST(name_of_what_is_revoked)
{
	XMAP_OPTS(struct xmap_region_opts, opts, .flags = XMAP_REGION_PUBLISH, .mode = 0600);
	struct xmap_region *old, *it = (void *)&peer;
	char name[XMAP_NAME_SIZE];

	name_make(name, "revoked");
	opts.name = name;
	old = region_new(&opts);
	assert_ok(xmap_region_revoke(old, 0, 0));
	assert_err(xmap_region_open(dev, name, 0, &it), ENOENT);
	ck_assert_ptr_eq(it, &peer);
	it = region_new(&opts);
	xmap_region_close(old);
	xmap_region_close(it);
}

/* ---- Handles ---- */

START_TEST(derived)
{
	struct xmap_region *part, *more, *none = (void *)&peer;
	struct xmap_cmd_region_info info;
	void *unmapped = &peer;
	char buf[8];
	char *map;

	part = region_part(region, XMAP_RIGHT_READ, PAGE, 2 * PAGE);
	info = region_info(part);
	ck_assert_uint_eq(info.out_rights, XMAP_RIGHT_READ);
	ck_assert_uint_eq(info.out_offset, PAGE);
	ck_assert_uint_eq(info.out_length, 2 * PAGE);
	ck_assert_uint_eq(info.out_region_length, REGION_LENGTH);
	ck_assert_int_eq(fcntl(xmap_region_fd(part), F_GETFD), FD_CLOEXEC);
	assert_err(xmap_region_derive(part, RW, 0, 0, &none), EACCES);
	assert_err(xmap_region_derive(part, XMAP_RIGHT_READ, 0, PAGE, &none), EACCES);
	assert_err(xmap_region_derive(part, XMAP_RIGHT_READ, PAGE, 3 * PAGE, &none), EACCES);
	assert_err(xmap_region_derive(part, 0, 0, 0, &none), EINVAL);
	assert_err(xmap_region_derive(region, XMAP_RIGHT_MANAGE, 0, 0, &none), EINVAL);
	assert_err(xmap_region_derive(region, RWF, 0, 0, &none), EINVAL);
	assert_err(xmap_region_derive(region, 1U << 31, 0, 0, &none), EOPNOTSUPP);
	assert_err(xmap_region_derive(region, RW, PAGE, 0, &none), EINVAL);
	assert_err(xmap_region_derive(region, RW, PAGE, ~0ULL, &none), EOVERFLOW);
	ck_assert_ptr_eq(none, &peer);

	more = region_part(part, XMAP_RIGHT_READ, PAGE + 1, 2);
	/* Handles live on when what they were made from is closed. */
	xmap_region_close(part);
	ck_assert_int_eq(pwrite(xmap_region_fd(region), "abcd", 4, PAGE), 4);
	ck_assert_int_eq(pread(xmap_region_fd(more), buf, 8, PAGE + 1), 2);
	ck_assert_mem_eq(buf, "bc", 2);
	assert_err(pread(xmap_region_fd(more), buf, 1, PAGE) < 0 ? -errno : 0, EACCES);
	assert_err(pwrite(xmap_region_fd(more), buf, 1, PAGE + 1) < 0 ? -errno : 0, EBADF);
	assert_err(xmap_region_map(more, PAGE, PAGE, PROT_READ, &unmapped), EACCES);
	xmap_region_close(more);

	part = region_part(region, XMAP_RIGHT_READ, PAGE, PAGE);
	assert_err(xmap_region_map(part, PAGE, PAGE, PROT_READ | PROT_WRITE, &unmapped), EACCES);
	assert_err(xmap_region_map(part, 0, PAGE, PROT_READ, &unmapped), EACCES);
	ck_assert_ptr_eq(unmapped, &peer);
	map = region_map(part, PAGE, PAGE, PROT_READ);
	ck_assert_mem_eq(map, "abcd", 4);
	assert_err(mprotect(map, PAGE, PROT_READ | PROT_WRITE) ? -errno : 0, EACCES);
	assert_ok(munmap(map, PAGE));
	xmap_region_close(part);
}

START_TEST(descriptors)
{
	struct xmap_export *export = NULL;
	struct xmap_region *it = NULL;
	struct xmap_target *target;
	int fd = dup(xmap_region_fd(region));

	assert_ok(xmap_region_from_fd(dev, fd, &it));
	ck_assert_int_eq(xmap_region_fd(it), fd);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_uint_eq(region_info(it).out_rights, RWM);
	xmap_region_close(it);
	it = (void *)&peer;
	assert_err(xmap_region_from_fd(dev, fd, &it), EBADF);

	target = target_open(dev, getpid(), XMAP_RIGHT_READ);
	assert_ok(xmap_export_create(dev, NULL, 0, NULL, &export));
	assert_err(xmap_region_from_fd(dev, -1, &it), EBADF);
	assert_err(xmap_region_from_fd(dev, xmap_dev_fd(dev), &it), EBADFD);
	assert_err(xmap_region_from_fd(dev, xmap_target_fd(target), &it), EBADFD);
	assert_err(xmap_region_from_fd(dev, xmap_export_fd(export), &it), EBADFD);
	assert_err(xmap_target_from_fd(dev, xmap_region_fd(region), &target), EBADFD);
	assert_err(xmap_export_from_fd(dev, xmap_region_fd(region), &export), EBADFD);
	ck_assert_ptr_eq(it, &peer);
	xmap_export_close(export);
	xmap_target_close(target);
}

START_TEST(notified)
{
	struct xmap_region *reader = region_part(region, XMAP_RIGHT_READ, 0, 0);
	int fd = xmap_region_fd(reader);

	ck_assert_int_eq(poll_now(fd), 0);
	assert_ok(xmap_region_notify(region));
	ck_assert_int_eq(poll_now(fd), POLLIN);
	ck_assert_int_eq(poll_now(xmap_region_fd(region)), 0);
	ck_assert_uint_eq(region_info(reader).out_events, 1);
	ck_assert_int_eq(poll_now(fd), 0);
	assert_err(xmap_region_notify(reader), EACCES);
	assert_ok(xmap_region_resize(region, PAGE));
	ck_assert_int_eq(poll_now(fd), POLLIN);
	assert_ok(xmap_region_revoke(reader, 0, 0));
	ck_assert_int_eq(poll_now(fd) & POLLHUP, POLLHUP);
	assert_ok(xmap_region_revoke(region, 0, 0));
	assert_err(xmap_region_notify(region), ESTALE);
	xmap_region_close(reader);
}

START_TEST(rung)
{
	struct xmap_region *reader = region_part(region, XMAP_RIGHT_READ, 0, 0);
	int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	eventfd_t n;

	ck_assert_int_ge(bell, 0);
	assert_err(xmap_region_eventfd(reader, -2), EBADF);
	assert_err(xmap_region_eventfd(reader, xmap_region_fd(region)), EINVAL);
	assert_ok(xmap_region_eventfd(reader, bell));
	ck_assert_int_eq(poll_now(bell), 0);
	assert_ok(xmap_region_notify(region));
	assert_ok(eventfd_read(bell, &n));
	ck_assert_uint_ge(n, 1);
	ck_assert_int_eq(poll_now(xmap_region_fd(reader)), POLLIN);
	ck_assert_int_eq(poll_now(bell), 0);
	assert_ok(xmap_region_eventfd(reader, -1));
	assert_ok(xmap_region_notify(region));
	ck_assert_int_eq(poll_now(bell), 0);
	xmap_region_close(reader);
	assert_ok(close(bell));
}

Suite *regions_suite(void)
{
	Suite *suite = suite_create("regions");
	TCase *tc = tcase_create("regions");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, regions_setup, regions_teardown);
	tcase_add_test(tc, create_and_map);
	tcase_add_test(tc, wrong_options);
	tcase_add_test(tc, wrong_maps);
	tcase_add_test(tc, published);
	tcase_add_test(tc, persistent);
	tcase_add_test(tc, name_of_what_is_revoked);
	tcase_add_test(tc, derived);
	tcase_add_test(tc, descriptors);
	tcase_add_test(tc, notified);
	tcase_add_test(tc, rung);
	suite_add_tcase(suite, tc);
	return suite;
}
