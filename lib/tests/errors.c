// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the library makes of a module that fails, and of memory that runs out. */
#include <errno.h>
#include <unistd.h>

#include "calls.h"

START_TEST(no_device)
{
	struct xmap_open_opts module = { .sz = sizeof(module), .backend = XMAP_BACKEND_MODULE };
	static const int falls_back[] = { ENOENT, EACCES, ENXIO, EPERM, ENODEV };
	static const int fails[] = { EMFILE, ENFILE, ENOMEM };
	struct xmap_dev *ret;
	size_t i;

	for (i = 0; i < sizeof(falls_back) / sizeof(*falls_back); i++) {
		shim.open_error = falls_back[i];
		ret = UNTOUCHED;
		assert_err(xmap_open(&module, &ret), falls_back[i]);
		ck_assert_ptr_eq(ret, UNTOUCHED);
		assert_ok(xmap_open(NULL, &ret));
		ck_assert_int_eq(xmap_backend(ret), XMAP_BACKEND_SYSCALLS);
		assert_err(xmap_backend_error(ret), falls_back[i]);
		assert_err(xmap_dev_fd(ret), EOPNOTSUPP);
		xmap_close(ret);
	}
	for (i = 0; i < sizeof(fails) / sizeof(*fails); i++) {
		shim.open_error = fails[i];
		ret = UNTOUCHED;
		assert_err(xmap_open(NULL, &ret), fails[i]);
		ck_assert_ptr_eq(ret, UNTOUCHED);
	}
}

/* A device node that is something else. */
START_TEST(foreign_device)
{
	XMAP_OPTS(struct xmap_open_opts, module, .backend = XMAP_BACKEND_MODULE);
	struct xmap_dev *ret = UNTOUCHED;
	int fds = shim_open_fds();

	shim.ioctl_error = ENOTTY;
	assert_err(xmap_open(&module, &ret), ENOTTY);
	ck_assert_ptr_eq(ret, UNTOUCHED);
	assert_ok(xmap_open(NULL, &ret));
	ck_assert_int_eq(xmap_backend(ret), XMAP_BACKEND_SYSCALLS);
	assert_err(xmap_backend_error(ret), ENOTTY);
	xmap_close(ret);
	ck_assert_int_eq(shim_open_fds(), fds);
}

START_TEST(default_is_the_module)
{
	struct xmap_dev *ret = NULL;

	shim.interrupt = 3;
	assert_ok(xmap_open(NULL, &ret));
	ck_assert_int_eq(xmap_backend(ret), XMAP_BACKEND_MODULE);
	ck_assert_int_eq(xmap_backend_error(ret), 0);
	ck_assert_int_ge(xmap_dev_fd(ret), 0);
	xmap_close(ret);
	ck_assert_str_eq(xmap_version(), "0.1.0");
}

START_TEST(close_nothing)
{
	xmap_close(NULL);
	xmap_target_close(NULL);
	xmap_unmap(NULL);
	xmap_maps_close(NULL);
	xmap_export_close(NULL);
	xmap_region_close(NULL);
}

START_TEST(errors_pass_through)
{
	static const int errors[] = { EPERM, EACCES, ESRCH, EFAULT, EOVERFLOW, EDQUOT, EAGAIN,
				      ENOMEM, E2BIG, EOPNOTSUPP, EINVAL, EBADFD };
	int fds = shim_open_fds();
	size_t i;

	shim.ioctl_command = calls[_i].command;
	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		shim.ioctl_error = errors[i];
		assert_err(calls[_i].call(), errors[i]);
	}
	shim.ioctl_error = 0;
	assert_ok(calls[_i].call());
	ck_assert_int_eq(shim_open_fds(), fds);
}

START_TEST(interruptions_are_not_seen)
{
	shim.ioctls = 0;
	shim.interrupt = 5;
	assert_ok(calls[_i].call());
	ck_assert_int_eq(shim.interrupt, 0);
	ck_assert_int_eq(shim.ioctls, 6);
}

/* Let each allocation fail in turn. */
START_TEST(out_of_memory)
{
	int fds = shim_open_fds();
	int rc = -ENOMEM;
	int n;

	for (n = 0; rc; n++) {
		shim.alloc_left = n;
		rc = calls[_i].call();
		if (rc)
			assert_err(rc, ENOMEM);
	}
	ck_assert_int_eq(n > 1, calls[_i].allocates);
	ck_assert_int_eq(shim_open_fds(), fds);
}

START_TEST(open_out_of_memory)
{
	struct xmap_dev *ret = UNTOUCHED;

	shim.alloc_left = 0;
	assert_err(xmap_open(NULL, &ret), ENOMEM);
	ck_assert_ptr_eq(ret, UNTOUCHED);
}

START_TEST(not_a_target)
{
	struct xmap_target *ret = UNTOUCHED;
	int fd = dup(0);

	shim.ioctl_error = ENOTTY;
	assert_err(xmap_target_from_fd(dev, fd, &ret), EBADFD);
	ck_assert_ptr_eq(ret, UNTOUCHED);
	assert_ok(close(fd));
}

START_TEST(not_an_export)
{
	struct xmap_export *ret = UNTOUCHED;
	int fd = dup(0);

	shim.ioctl_error = ENOTTY;
	assert_err(xmap_export_from_fd(dev, fd, &ret), EBADFD);
	ck_assert_ptr_eq(ret, UNTOUCHED);
	assert_ok(close(fd));
}

START_TEST(not_a_region)
{
	struct xmap_region *ret = UNTOUCHED;
	int fd = dup(0);

	shim.ioctl_error = ENOTTY;
	assert_err(xmap_region_from_fd(dev, fd, &ret), EBADFD);
	ck_assert_ptr_eq(ret, UNTOUCHED);
	assert_ok(close(fd));
}

/* What would be used up, or seen by others, has not been asked for. */
START_TEST(nothing_is_done_without_memory)
{
	struct xmap_target *accepted = UNTOUCHED;
	struct xmap_export *ret = UNTOUCHED;

	shim.ioctls = 0;
	shim.alloc_left = 0;
	assert_err(xmap_export_create(dev, NULL, 0, NULL, &ret), ENOMEM);
	shim.alloc_left = 0;
	assert_err(xmap_export_open(dev, "name", 0, &ret), ENOMEM);
	shim.alloc_left = 0;
	assert_err(xmap_export_accept(offer, NULL, &accepted), ENOMEM);
	ck_assert_int_eq(shim.ioctls, 0);
	ck_assert_ptr_eq(ret, UNTOUCHED);
	ck_assert_ptr_eq(accepted, UNTOUCHED);
}

Suite *errors_suite(void)
{
	Suite *suite = suite_create("errors");
	TCase *tc = tcase_create("errors");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, calls_setup, calls_teardown);
	tcase_add_test(tc, no_device);
	tcase_add_test(tc, foreign_device);
	tcase_add_test(tc, default_is_the_module);
	tcase_add_test(tc, close_nothing);
	tcase_add_loop_test(tc, errors_pass_through, 0, NR_CALLS);
	tcase_add_loop_test(tc, interruptions_are_not_seen, 0, NR_CALLS);
	tcase_add_loop_test(tc, out_of_memory, 0, NR_CALLS);
	tcase_add_test(tc, open_out_of_memory);
	tcase_add_test(tc, not_a_target);
	tcase_add_test(tc, not_an_export);
	tcase_add_test(tc, not_a_region);
	tcase_add_test(tc, nothing_is_done_without_memory);
	suite_add_tcase(suite, tc);
	return suite;
}
