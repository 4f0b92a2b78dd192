// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the library asks the module for, and what it makes of one that answers in part. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls.h"

/* A kernel that stops early is asked again, until there is nothing more. */
START_TEST(short_copies_go_on)
{
	char a[100], b[PAGE];
	struct iovec iov[] = { { a, sizeof(a) }, { b, sizeof(b) } };

	shim.short_copy = 33;
	shim.interrupt = 2;
	ck_assert_int_eq(xmap_read(target, 0, b, sizeof(b)), sizeof(b));
	ck_assert_int_eq(b[0], 'O');
	ck_assert_int_eq(xmap_read(target, SHIM_BYTES - 50, b, sizeof(b)), 50);
	ck_assert_int_eq(b[49], 'O');
	assert_err(xmap_read(target, SHIM_BYTES, b, sizeof(b)), EFAULT);

	b[PAGE - 1] = 'b';
	shim.interrupt = 2;
	ck_assert_int_eq(xmap_readv(target, SHIM_BYTES - PAGE - 100, iov, 2), PAGE + 100);
	ck_assert_int_eq(b[PAGE - 1], 'O');
	ck_assert_int_eq(xmap_readv(target, SHIM_BYTES - 140, iov, 2), 140);
	ck_assert_int_eq(b[39], 'O');
	assert_err(xmap_readv(target, SHIM_BYTES, iov, 2), EFAULT);
}

START_TEST(transfer_ends_early)
{
	struct xmap_copy copies[300];

	for (int i = 0; i < 300; i++)
		copies[i] = (struct xmap_copy){ .target = target, .length = i, .result = -77 };
	shim.transfer_stop = 5;
	ck_assert_int_eq(xmap_transfer(dev, copies, 300), 5);
	ck_assert_int_eq(copies[4].result, 4);
	ck_assert_int_eq(copies[5].result, -77);

	/* The second call for the rest fails: the first one counts. */
	shim.transfer_stop = 0;
	shim.ioctl_error = EFAULT;
	shim.ioctl_skip = 1;
	ck_assert_int_eq(xmap_transfer(dev, copies, 300), 128);
	ck_assert_int_eq(copies[127].result, 127);
	ck_assert_int_eq(copies[128].result, -77);
	shim.ioctl_error = 0;
	ck_assert_int_eq(xmap_transfer(dev, copies, 300), 300);
	ck_assert_int_eq(copies[299].result, 299);
	assert_err(xmap_transfer(dev, copies, (size_t)-1), EINVAL);
}

START_TEST(window_of_a_forcing_target)
{
	XMAP_OPTS(struct xmap_map_opts, opts, .prot = PROT_READ | PROT_WRITE);
	struct xmap_window *win = UNTOUCHED;
	int fds = shim_open_fds();
	char c;

	assert_ok(xmap_map(target, 2 * PAGE, PAGE, &opts, &win));
	ck_assert_uint_eq(shim.derived, RW);
	ck_assert_int_eq(shim.mmap_prot, PROT_READ | PROT_WRITE);
	ck_assert_int_eq(shim.mmap_flags, MAP_SHARED);
	ck_assert_int_eq(shim.mmap_offset, 2 * PAGE);
	ck_assert_int_eq(xmap_window_prefault(win, 0, PAGE, 0), PAGE);
	ck_assert_int_eq(xmap_window_copy_from(win, PAGE - 1, &c, 1), 1);
	shim.ioctl_error = EFAULT;
	assert_err(xmap_window_prefault(win, 0, PAGE, 0), EFAULT);
	assert_err(xmap_window_prefault(win, 0, PAGE + 1, 0), EINVAL);
	assert_err(xmap_window_prefault(win, PAGE + 1, 0, 0), EINVAL);
	assert_err(xmap_window_prefault(win, 1, (size_t)-1, 0), EINVAL);
	xmap_unmap(win);
	ck_assert_int_eq(shim_open_fds(), fds);
}

START_TEST(window_fails)
{
	struct xmap_target *plain = target_open(dev, getpid(), XMAP_RIGHT_READ);
	struct xmap_window *win = UNTOUCHED;
	int fds = shim_open_fds();

	shim.mmap_error = ENODEV;
	assert_err(xmap_map(plain, 0, PAGE, NULL, &win), ENODEV);
	assert_err(xmap_map(target, 0, PAGE, NULL, &win), ENODEV);
	shim.mmap_error = 0;
	shim.dup_error = EMFILE;
	assert_err(xmap_map(plain, 0, PAGE, NULL, &win), EMFILE);
	shim.dup_error = 0;
	assert_err(xmap_map(plain, 1, PAGE, NULL, &win), EINVAL);
	assert_err(xmap_map(plain, 0, 1, NULL, &win), EINVAL);
	assert_err(xmap_map(plain, 0, 0, NULL, &win), EINVAL);
	ck_assert_ptr_eq(win, UNTOUCHED);
	shim.derived = 0;
	assert_ok(xmap_map(plain, 0, PAGE, NULL, &win));
	ck_assert_uint_eq(shim.derived, 0);
	ck_assert_int_eq(shim_open_fds(), fds + 1);
	xmap_unmap(win);
	ck_assert_int_eq(shim_open_fds(), fds);
	xmap_target_close(plain);
}

START_TEST(maps_in_several_calls)
{
	const struct xmap_vma *vma = UNTOUCHED;
	struct xmap_maps *maps = NULL;
	char name[2] = "a";

	assert_ok(xmap_maps_open(target, &maps));
	for (int i = 0; i < SHIM_MAPS; i++) {
		ck_assert_int_eq(xmap_maps_next(maps, &vma), 1);
		name[0] = 'a' + i;
		ck_assert_str_eq(vma->name, name);
		ck_assert_uint_eq(vma->start, i * PAGE);
	}
	assert_ok(xmap_maps_next(maps, &vma));
	ck_assert_str_eq(vma->name, name);
	xmap_maps_close(maps);

	assert_ok(xmap_maps_open(target, &maps));
	ck_assert_int_eq(xmap_maps_next(maps, &vma), 1);
	ck_assert_int_eq(xmap_maps_next(maps, &vma), 1);
	shim.ioctl_error = ESRCH;
	assert_err(xmap_maps_next(maps, &vma), ESRCH);
	xmap_maps_close(maps);
	shim.ioctl_error = 0;
	shim.dup_error = EMFILE;
	maps = UNTOUCHED;
	assert_err(xmap_maps_open(target, &maps), EMFILE);
	ck_assert_ptr_eq(maps, UNTOUCHED);
}

/* What the module is asked for: what the options say, and what they leave open. */
START_TEST(what_is_offered)
{
	struct xmap_export_opts opts = { .sz = sizeof(opts), .rights = RW, .max_accepts = 3,
					 .expires = 5 };
	struct xmap_export *ret = NULL;

	assert_ok(xmap_export_create(dev, NULL, 0, NULL, &ret));
	ck_assert_uint_eq(shim.created.rights, XMAP_RIGHT_READ);
	ck_assert_uint_eq(shim.created.flags, 0);
	ck_assert_uint_eq(shim.created.gid, 0);
	xmap_export_close(ret);
	assert_ok(xmap_export_create(dev, &opts, 7, &opts, &ret));
	ck_assert_uint_eq(shim.created.rights, RW);
	ck_assert_uint_eq(shim.created.addr, (uintptr_t)&opts);
	ck_assert_uint_eq(shim.created.length, 7);
	ck_assert_uint_eq(shim.created.max_accepts, 3);
	ck_assert_uint_eq(shim.created.expires, 5);
	xmap_export_close(ret);

	/* What goes with a flag is passed on without it as well: to be refused. */
	opts.mode = 0640;
	opts.gid = 8;
	opts.receiver_uid = 9;
	opts.receiver_pidfd = 10;
	for (int publish = 0; publish < 2; publish++) {
		opts.flags = publish ? XMAP_EXPORT_PUBLISH | XMAP_EXPORT_FOR_USER : 0;
		assert_ok(xmap_export_create(dev, NULL, 0, &opts, &ret));
		ck_assert_uint_eq(shim.created.flags, opts.flags);
		ck_assert_uint_eq(shim.created.mode, 0640);
		ck_assert_uint_eq(shim.created.gid, 8);
		ck_assert_uint_eq(shim.created.receiver_uid, 9);
		ck_assert_int_eq(shim.created.receiver_fd, 10);
		ck_assert_int_eq(shim.created.receiver_pid, 0);
		xmap_export_close(ret);
	}
	opts.gid = 0;
	assert_ok(xmap_export_create(dev, NULL, 0, &opts, &ret));
	ck_assert_uint_eq(shim.created.gid, (uint32_t)-1);
	xmap_export_close(ret);
}

START_TEST(who_receives)
{
	struct xmap_export_opts opts = { .sz = sizeof(opts), .flags = XMAP_EXPORT_FOR_PROCESS };
	struct xmap_export *ret = UNTOUCHED;

	shim.created.flags = 77;
	opts.receiver_pidfd = -1;
	assert_err(xmap_export_create(dev, NULL, 0, &opts, &ret), EBADF);
	opts.receiver_pidfd = xmap_dev_fd(dev);
	assert_err(xmap_export_create(dev, NULL, 0, &opts, &ret), EBADFD);
	ck_assert_ptr_eq(ret, UNTOUCHED);
	ck_assert_uint_eq(shim.created.flags, 77);
	opts.receiver_pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	ck_assert_int_ge(opts.receiver_pidfd, 0);
	assert_ok(xmap_export_create(dev, NULL, 0, &opts, &ret));
	ck_assert_int_eq(shim.created.receiver_fd, opts.receiver_pidfd);
	ck_assert_int_eq(shim.created.receiver_pid, getpid());
	/* It stays the caller's. */
	assert_ok(close(opts.receiver_pidfd));
	xmap_export_close(ret);
}

START_TEST(what_is_opened_and_accepted)
{
	struct xmap_target_opts opts = { .sz = sizeof(opts), .rights = XMAP_RIGHT_WRITE,
					 .addr = 11, .length = 12 };
	struct xmap_target *accepted = NULL;
	struct xmap_export *ret = UNTOUCHED;
	char longest[XMAP_NAME_SIZE + 1] = "";

	memset(longest, 'x', XMAP_NAME_SIZE);
	assert_err(xmap_export_open(dev, longest, 0, &ret), EINVAL);
	ck_assert_ptr_eq(ret, UNTOUCHED);
	longest[XMAP_NAME_SIZE - 1] = '\0';
	assert_ok(xmap_export_open(dev, longest, 0, &ret));
	ck_assert_str_eq(shim.opened.name, longest);
	ck_assert_uint_eq(shim.opened.id, 0);
	ck_assert_uint_eq(shim.opened.rights, XMAP_RIGHT_READ);
	xmap_export_close(ret);
	assert_ok(xmap_export_open_id(dev, SHIM_ID, RW, &ret));
	ck_assert_str_eq(shim.opened.name, "");
	ck_assert_uint_eq(shim.opened.id, SHIM_ID);
	ck_assert_uint_eq(shim.opened.rights, RW);

	assert_ok(xmap_export_accept(ret, NULL, &accepted));
	ck_assert_uint_eq(shim.accepted.rights, XMAP_RIGHT_READ);
	ck_assert_uint_eq(shim.accepted.length, 0);
	xmap_target_close(accepted);
	assert_ok(xmap_export_accept(ret, &opts, &accepted));
	ck_assert_uint_eq(shim.accepted.rights, XMAP_RIGHT_WRITE);
	ck_assert_uint_eq(shim.accepted.addr, 11);
	ck_assert_uint_eq(shim.accepted.length, 12);
	xmap_export_close(ret);
	ck_assert_int_ge(xmap_target_fd(accepted), 0);
	xmap_target_close(accepted);
}

START_TEST(what_is_revoked)
{
	assert_ok(xmap_export_revoke(offer, 1, 2));
	ck_assert_int_eq(shim.revoked_fd, xmap_export_fd(offer));
	ck_assert_uint_eq(shim.revoked.serial, 0);
	ck_assert_uint_eq(shim.revoked.addr, 1);
	ck_assert_uint_eq(shim.revoked.length, 2);
	assert_ok(xmap_target_revoke(target, 3, 4));
	ck_assert_int_eq(shim.revoked_fd, xmap_target_fd(target));
	ck_assert_uint_eq(shim.revoked.addr, 3);
	assert_ok(xmap_revoke(dev, 5, 6, 7));
	ck_assert_int_eq(shim.revoked_fd, xmap_dev_fd(dev));
	ck_assert_uint_eq(shim.revoked.serial, 5);
	ck_assert_uint_eq(shim.revoked.length, 7);
	ck_assert_int_eq(xmap_self_deny(dev, XMAP_DENY_SET | XMAP_DENY_FINAL),
			 XMAP_DENY_SET | XMAP_DENY_FINAL);
	ck_assert_uint_eq(shim.denied, XMAP_DENY_SET | XMAP_DENY_FINAL);
}

START_TEST(what_is_rung)
{
	assert_ok(xmap_export_eventfd(offer, 11));
	ck_assert_int_eq(shim.rung_fd, xmap_export_fd(offer));
	ck_assert_int_eq(shim.rung.fd, 11);
	ck_assert_uint_eq(shim.rung.size, sizeof(shim.rung));
	ck_assert_uint_eq(shim.rung.flags, 0);
	assert_ok(xmap_target_eventfd(target, -1));
	ck_assert_int_eq(shim.rung_fd, xmap_target_fd(target));
	ck_assert_int_eq(shim.rung.fd, -1);
	assert_ok(xmap_region_eventfd(room, 12));
	ck_assert_int_eq(shim.rung_fd, xmap_region_fd(room));
	ck_assert_int_eq(shim.rung.fd, 12);
}

START_TEST(what_region_is_made)
{
	struct xmap_region_opts opts = { .sz = sizeof(opts), .mode = 0640, .gid = 8, .reserve = 9,
					 .addr = 10 };
	struct xmap_region *ret = NULL;

	assert_ok(xmap_region_create(dev, 11, NULL, &ret));
	ck_assert_uint_eq(shim.region.length, 11);
	ck_assert_uint_eq(shim.region.flags, 0);
	ck_assert_uint_eq(shim.region.gid, 0);
	xmap_region_close(ret);
	/* What goes with a flag is passed on without it as well: to be refused. */
	for (int publish = 0; publish < 2; publish++) {
		opts.flags = publish ? XMAP_REGION_PUBLISH | XMAP_REGION_PERSISTENT : 0;
		assert_ok(xmap_region_create(dev, 12, &opts, &ret));
		ck_assert_uint_eq(shim.region.flags, opts.flags);
		ck_assert_uint_eq(shim.region.mode, 0640);
		ck_assert_uint_eq(shim.region.gid, 8);
		ck_assert_uint_eq(shim.region.reserve, 9);
		ck_assert_uint_eq(shim.region.addr, 10);
		xmap_region_close(ret);
	}
	opts.gid = 0;
	assert_ok(xmap_region_create(dev, 12, &opts, &ret));
	ck_assert_uint_eq(shim.region.gid, (uint32_t)-1);
	xmap_region_close(ret);
}

START_TEST(what_regions_are_asked)
{
	struct xmap_region *ret = NULL;
	void *map = UNTOUCHED;
	uint64_t generation;

	assert_ok(xmap_region_open(dev, "there", 0, &ret));
	ck_assert_str_eq(shim.region_opened.name, "there");
	ck_assert_uint_eq(shim.region_opened.rights, XMAP_RIGHT_READ);
	xmap_region_close(ret);
	assert_ok(xmap_region_open(dev, "there", RW, &ret));
	ck_assert_uint_eq(shim.region_opened.rights, RW);
	xmap_region_close(ret);
	assert_ok(xmap_region_derive(room, XMAP_RIGHT_WRITE, 3, 4, &ret));
	ck_assert_uint_eq(shim.region_derived.rights, XMAP_RIGHT_WRITE);
	ck_assert_uint_eq(shim.region_derived.offset, 3);
	ck_assert_uint_eq(shim.region_derived.length, 4);
	xmap_region_close(ret);

	assert_ok(xmap_region_map(room, 2 * PAGE, PAGE, PROT_READ, &map));
	ck_assert_int_eq(shim.mmap_prot, PROT_READ);
	ck_assert_int_eq(shim.mmap_flags, MAP_SHARED);
	ck_assert_int_eq(shim.mmap_offset, 2 * PAGE);
	assert_ok(munmap(map, PAGE));
	shim.mmap_error = EACCES;
	map = UNTOUCHED;
	assert_err(xmap_region_map(room, 0, PAGE, PROT_READ, &map), EACCES);
	ck_assert_ptr_eq(map, UNTOUCHED);

	assert_ok(xmap_region_revoke(room, 5, 6));
	ck_assert_int_eq(shim.revoked_fd, xmap_region_fd(room));
	ck_assert_uint_eq(shim.revoked.addr, 5);
	ck_assert_uint_eq(shim.revoked.length, 6);
	ck_assert_uint_eq(shim.revoked.serial, 0);
	assert_ok(xmap_region_resize(room, 7));
	ck_assert_uint_eq(shim.resized, 7);
	ck_assert_int_eq(xmap_region_seal(room, XMAP_REGION_SEAL_WRITE), XMAP_REGION_SEAL_WRITE);
	ck_assert_int_eq(xmap_region_seal(room, XMAP_REGION_SEAL_GROW),
			 XMAP_REGION_SEAL_WRITE | XMAP_REGION_SEAL_GROW);
	assert_ok(xmap_region_rebind(room, &generation));
	ck_assert_uint_eq(generation, SHIM_GENERATION);
	assert_ok(xmap_region_rebind(room, NULL));
}

Suite *answers_suite(void)
{
	Suite *suite = suite_create("answers");
	TCase *tc = tcase_create("answers");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, calls_setup, calls_teardown);
	tcase_add_test(tc, short_copies_go_on);
	tcase_add_test(tc, transfer_ends_early);
	tcase_add_test(tc, window_of_a_forcing_target);
	tcase_add_test(tc, window_fails);
	tcase_add_test(tc, maps_in_several_calls);
	tcase_add_test(tc, what_is_offered);
	tcase_add_test(tc, who_receives);
	tcase_add_test(tc, what_is_opened_and_accepted);
	tcase_add_test(tc, what_is_revoked);
	tcase_add_test(tc, what_is_rung);
	tcase_add_test(tc, what_region_is_made);
	tcase_add_test(tc, what_regions_are_asked);
	suite_add_tcase(suite, tc);
	return suite;
}
