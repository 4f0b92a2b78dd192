// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the library makes of a module that answers in part. */
#include <errno.h>
#include <sys/mman.h>
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
	suite_add_tcase(suite, tc);
	return suite;
}
