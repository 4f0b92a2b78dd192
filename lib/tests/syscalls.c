// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the library makes of system calls that fail, and of programs that change meanwhile. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "calls.h"

static void setup(void)
{
	shim_reset();
	begin(XMAP_BACKEND_SYSCALLS);
}

static void teardown(void)
{
	shim_reset();
	finish();
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
	struct peer keeper;
	char c;

	if (_i >= 3) {
		/* The address space lives on: only its contents tell. */
		peer_stop(&peer);
		peer_start_twins(&keeper, &peer);
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
		peer_stop(&keeper);
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

Suite *syscalls_suite(void)
{
	Suite *suite = suite_create("syscalls");
	TCase *tc = tcase_create("syscalls");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, fast_and_slow_reads);
	tcase_add_test(tc, stamp_changed);
	tcase_add_test(tc, syscalls_out_of_memory);
	tcase_add_loop_test(tc, exec_during_open, 0, 6);
	tcase_add_test(tc, exec_forever);
	tcase_add_loop_test(tc, exit_during_open, 0, 6);
	suite_add_tcase(suite, tc);
	return suite;
}
