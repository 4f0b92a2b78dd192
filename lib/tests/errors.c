// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the library makes of failures, interruptions and races. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim.h"
#include "tests.h"

#define RW (XMAP_RIGHT_READ | XMAP_RIGHT_WRITE)
#define RWF (RW | XMAP_RIGHT_FORCE)

static struct xmap_dev *dev;
static struct xmap_target *target;
static struct peer peer;

/* A pointer that no function returns, to see that it stays. */
#define UNTOUCHED ((void *)&shim)

static void setup(void)
{
	shim_reset();
	shim.fake = true;
	dev = dev_open(XMAP_BACKEND_MODULE);
	target = target_open(dev, getpid(), RWF);
}

static void teardown(void)
{
	shim_reset();
	xmap_target_close(target);
	xmap_close(dev);
}

/* ---- Opening the library ---- */

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
}

/* ---- What the module says ---- */

/* What fails on demand is the library, not the test around it. */
#define LIBRARY(call) ({ __typeof__(call) __n = (call); shim.alloc_left = -1; __n; })

static int call_query(void)
{
	struct xmap_cmd_query ret = { .flags = 77 };
	int rc = LIBRARY(xmap_query(dev, &ret));

	ck_assert_uint_eq(ret.flags, rc ? 77 : 0);
	return rc;
}

static int call_open(void)
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

static int call_derive(void)
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

static int call_maps(void)
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

struct call {
	unsigned long command;
	int (*call)(void);
	bool allocates;
};

static const struct call calls[] = {
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

#define NR_CALLS ((int)(sizeof(calls) / sizeof(*calls)))

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

/* ---- Copies ---- */

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

/* ---- Windows ---- */

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

/* ---- Maps ---- */

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

/* ---- The system calls ---- */

static void setup_syscalls(void)
{
	shim_reset();
	peer_start(&peer);
	dev = dev_open(XMAP_BACKEND_SYSCALLS);
}

static void teardown_syscalls(void)
{
	shim_reset();
	peer_stop(&peer);
	xmap_close(dev);
}

/* Both ways to read give the same; the fast one is what is used. */
START_TEST(fast_and_slow_reads)
{
	static const int errors[] = { 0, EPERM, EINVAL, ESRCH };
	char buf[3 * PAGE];

	peer_protect(&peer, PEER_ADDR + 2 * PAGE, PAGE, PROT_NONE);
	target = target_open(dev, peer.pid, RW);
	for (int i = 0; i < 4; i++) {
		shim.process_vm_error = errors[i];
		shim.process_vms = 0;
		memset(buf, 0, sizeof(buf));
		ck_assert_int_eq(xmap_read(target, PEER_ADDR + 5, buf, 100), 100);
		ck_assert_int_eq(shim.process_vms, 1);
		ck_assert_int_eq(buf[99], 'O');
		ck_assert_int_eq(buf[100], 0);
		ck_assert_int_eq(xmap_read(target, PEER_ADDR + 5, buf, 3 * PAGE), 2 * PAGE - 5);
		ck_assert_int_eq(buf[2 * PAGE - 6], 'O');
		assert_err(xmap_read(target, PEER_ADDR + 2 * PAGE, buf, 1), EFAULT);
		assert_err(xmap_read(target, PEER_ADDR, (void *)16, 1), EFAULT);
	}
	xmap_target_close(target);
}

/* A program that overwrites its AT_RANDOM is still read, more slowly. */
START_TEST(stamp_changed)
{
	uint64_t aux[2], stamp = 0;
	char path[64];
	char c = 0;
	FILE *file;

	target = target_open(dev, peer.pid, RW);
	snprintf(path, sizeof(path), "/proc/%d/auxv", peer.pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	while (!stamp && fread(aux, sizeof(aux), 1, file) == 1)
		stamp = aux[0] == 25 ? aux[1] : 0;
	fclose(file);
	ck_assert_uint_ne(stamp, 0);
	ck_assert_int_eq(xmap_write(target, stamp, "sixteen changed", 16), 16);
	ck_assert_int_eq(xmap_read(target, PEER_ADDR, &c, 1), 1);
	ck_assert_int_eq(c, 'O');
	xmap_target_close(target);
}

START_TEST(syscalls_out_of_memory)
{
	static int (*const tries[])(void) = { call_open, call_derive, call_maps };
	int fds;

	target = target_open(dev, peer.pid, RW);
	fds = shim_open_fds();
	for (int i = 0; i < 3; i++) {
		int rc = -ENOMEM;
		int n;

		for (n = 0; rc; n++) {
			shim.alloc_left = n;
			rc = tries[i]();
			if (rc)
				assert_err(rc, ENOMEM);
		}
		ck_assert_int_gt(n, 1);
		ck_assert_int_eq(shim_open_fds(), fds);
	}
	/* The slow ways need memory, too. */
	shim.process_vm_error = EPERM;
	shim.alloc_left = 0;
	assert_err(xmap_read(target, PEER_ADDR, &fds, 1), ENOMEM);
	shim.alloc_left = 0;
	assert_err(xmap_write(target, PEER_ADDR, &fds, 1), ENOMEM);
	shim.alloc_left = -1;
	shim.dup_error = EMFILE;
	assert_err(call_open(), EMFILE);
	xmap_target_close(target);
}

static int execs;
static int execs_wanted;
static const char *exec_before;

static void exec_at(const char *name)
{
	if (strcmp(name, exec_before) || execs >= execs_wanted)
		return;
	execs++;
	peer_exec(&peer);
}

/* The process executes programs while its files are opened. */
START_TEST(exec_during_open)
{
	static const char *const names[] = { "mem", "maps", "auxv" };
	struct xmap_target *ret = UNTOUCHED;
	int fds = shim_open_fds();
	char c;

	if (_i >= 3) {
		/* The address space lives on: only its contents tell. */
		peer_stop(&peer);
		peer_start_shared(&peer);
	}
	exec_before = names[_i % 3];
	execs = 0;
	execs_wanted = 1;
	shim.on_openat = exec_at;
	ret = target_open(dev, peer.pid, RW);
	ck_assert_int_eq(execs, 1);
	for (int slow = 0; slow < 2; slow++) {
		shim.process_vm_error = slow ? EPERM : 0;
		ck_assert_int_eq(xmap_read(ret, PEER_ADDR, &c, 1), 1);
		ck_assert_int_eq(c, 'N');
	}
	ck_assert_int_eq(xmap_write(ret, PEER_ADDR, "w", 1), 1);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR), 'w');
	xmap_target_close(ret);
	if (_i >= 3)
		munmap((void *)PEER_ADDR, PEER_LENGTH);
	else
		ck_assert_int_eq(shim_open_fds(), fds);
}

START_TEST(exec_forever)
{
	struct xmap_target *ret = UNTOUCHED;
	int fds = shim_open_fds();

	exec_before = "maps";
	execs = 0;
	execs_wanted = 100;
	shim.on_openat = exec_at;
	assert_err(xmap_target_open(dev, peer.pidfd, NULL, &ret), EAGAIN);
	ck_assert_int_gt(execs, 1);
	ck_assert_int_lt(execs, 100);
	ck_assert_ptr_eq(ret, UNTOUCHED);
	ck_assert_int_eq(shim_open_fds(), fds);
}

static void exit_at(const char *name)
{
	if (strcmp(name, exec_before) || execs++)
		return;
	peer_exit(&peer);
	if (execs_wanted)
		peer_reap(&peer);
}

START_TEST(exit_during_open)
{
	static const char *const names[] = { "mem", "maps", "auxv" };
	struct xmap_target *ret = UNTOUCHED;
	int fds = shim_open_fds();

	exec_before = names[_i % 3];
	execs = 0;
	execs_wanted = _i >= 3;
	shim.on_openat = exit_at;
	assert_err(xmap_target_open(dev, peer.pidfd, NULL, &ret), ESRCH);
	ck_assert_ptr_eq(ret, UNTOUCHED);
	ck_assert_int_eq(shim_open_fds(), fds);
	if (execs_wanted)
		peer_start(&peer);
}

Suite *errors_suite(void)
{
	Suite *suite = suite_create("errors");
	TCase *tc = tcase_create("module");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, no_device);
	tcase_add_test(tc, foreign_device);
	tcase_add_test(tc, default_is_the_module);
	tcase_add_test(tc, close_nothing);
	tcase_add_loop_test(tc, errors_pass_through, 0, NR_CALLS);
	tcase_add_loop_test(tc, interruptions_are_not_seen, 0, NR_CALLS);
	tcase_add_loop_test(tc, out_of_memory, 0, NR_CALLS);
	tcase_add_test(tc, open_out_of_memory);
	tcase_add_test(tc, not_a_target);
	tcase_add_test(tc, short_copies_go_on);
	tcase_add_test(tc, transfer_ends_early);
	tcase_add_test(tc, window_of_a_forcing_target);
	tcase_add_test(tc, window_fails);
	tcase_add_test(tc, maps_in_several_calls);
	suite_add_tcase(suite, tc);

	tc = tcase_create("syscalls");
	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, setup_syscalls, teardown_syscalls);
	tcase_add_test(tc, fast_and_slow_reads);
	tcase_add_test(tc, stamp_changed);
	tcase_add_test(tc, syscalls_out_of_memory);
	tcase_add_loop_test(tc, exec_during_open, 0, 6);
	tcase_add_test(tc, exec_forever);
	tcase_add_loop_test(tc, exit_during_open, 0, 6);
	suite_add_tcase(suite, tc);
	return suite;
}
