// SPDX-License-Identifier: LGPL-2.1-or-later
/* What both backends do alike: the end of an address space. */
#include <errno.h>
#include <string.h>

#include "tests.h"

START_TEST(dead_process)
{
	struct xmap_target *target = (void *)&peer;

	begin(_i);
	peer_exit(&peer);
	/* A zombie has no memory. */
	assert_err(xmap_target_open(dev, peer.pidfd, NULL, &target), ESRCH);
	assert_err(xmap_target_open_pid(dev, peer.pid, NULL, &target), ESRCH);
	peer_reap(&peer);
	assert_err(xmap_target_open(dev, peer.pidfd, NULL, &target), ESRCH);
	assert_err(xmap_target_open_pid(dev, peer.pid, NULL, &target), ESRCH);
	ck_assert_ptr_eq(target, &peer);
	xmap_close(dev);
}

/* Everything that a handle on an ended address space answers. */
static void check_gone(struct xmap_target *target)
{
	struct xmap_cmd_target_info info;
	struct xmap_target *child = (void *)&peer;
	struct xmap_copy copy = { .target = target, .addr = PEER_ADDR, .length = 8 };
	struct xmap_maps *maps = NULL;
	char buf[2 * PAGE];

	memset(buf, 'w', sizeof(buf));
	copy.buf = buf;
	assert_err(xmap_write(target, PEER_ADDR + 1, buf, sizeof(buf)), ESRCH);
	assert_err(xmap_read(target, PEER_ADDR + 1, buf, sizeof(buf)), ESRCH);
	ck_assert_ptr_null(memchr(buf, 'N', sizeof(buf)));
	assert_err(xmap_read(target, 0, buf, 1), ESRCH);
	ck_assert_int_eq(xmap_transfer(dev, &copy, 1), 1);
	ck_assert_int_eq(copy.result, -ESRCH);
	copy.flags = XMAP_TRANSFER_WRITE | XMAP_TRANSFER_FORCE;
	ck_assert_int_eq(xmap_transfer(dev, &copy, 1), 1);
	ck_assert_int_eq(copy.result, -ESRCH);
	assert_err(xmap_target_derive(target, NULL, &child), ESRCH);
	assert_err(xmap_maps_open(target, &maps), ESRCH);
	assert_ok(xmap_target_info(target, &info));
	ck_assert_int_eq(info.out_state, XMAP_TARGET_DEAD);
}

START_TEST(gone_by_exec)
{
	struct xmap_target *target;
	struct xmap_target *again;
	char buf[2];

	begin(_i);
	target = target_open(dev, peer.pid, RWF);
	ck_assert_int_eq(xmap_read(target, PEER_ADDR, buf, 2), 2);
	peer_exec(&peer);
	check_gone(target);
	/* Nothing of the new program was written, and it can be opened anew. */
	again = target_open(dev, peer.pid, RW);
	for (int i = 0; i < PEER_PAGES; i++) {
		ck_assert_int_eq(xmap_read(again, PEER_ADDR + i * PAGE, buf, 2), 2);
		ck_assert_int_eq(buf[0], 'N');
		ck_assert_int_eq(buf[1], 'N');
	}
	xmap_target_close(again);
	xmap_target_close(target);
	finish();
}

/* The new program has the same things at the same addresses as the old one. */
START_TEST(gone_by_exec_of_the_same)
{
	struct xmap_target *target;
	char buf[2];

	begin(_i);
	peer_exec(&peer);
	target = target_open(dev, peer.pid, RWF);
	ck_assert_int_eq(xmap_read(target, PEER_ADDR, buf, 2), 2);
	ck_assert_int_eq(buf[0], 'N');
	peer_exec(&peer);
	check_gone(target);
	for (int i = 0; i < PEER_PAGES; i++)
		ck_assert_int_eq(peer_get(&peer, PEER_ADDR + i * PAGE + 1), 'N');
	xmap_target_close(target);
	finish();
}

START_TEST(gone_by_exit)
{
	struct xmap_cmd_target_info info;
	struct xmap_target *target;

	begin(_i);
	target = target_open(dev, peer.pid, RWF);
	assert_ok(xmap_target_info(target, &info));
	ck_assert_int_eq(info.out_pid, peer.pid);
	ck_assert_int_eq(info.out_state, XMAP_TARGET_ALIVE);
	ck_assert_int_eq(info.out_rights, RWF);
	ck_assert_int_eq(info.out_windows, 0);
	ck_assert_uint_eq(info.out_addr, 0);
	ck_assert_uint_ge(info.out_length, 0x7ffffffff000);
	peer_exit(&peer);
	check_gone(target);
	peer_reap(&peer);
	check_gone(target);
	assert_ok(xmap_target_info(target, &info));
	ck_assert_int_eq(info.out_pid, 0);
	xmap_target_close(target);
	xmap_close(dev);
}

START_TEST(gone_by_kill)
{
	struct xmap_target *target;

	begin(_i);
	target = target_open(dev, peer.pid, RWF);
	peer_kill(&peer);
	check_gone(target);
	xmap_target_close(target);
	finish();
}

/*
 * The process leaves an address space that lives on in another one: the handle
 * stays with the address space, and sees nothing of the new program.
 */
START_TEST(shared_address_space)
{
	struct xmap_target *target;
	struct peer twin;
	char buf[8];

	peer_start_twins(&peer, &twin);
	dev = dev_open(_i);
	target = target_open(dev, twin.pid, RW);
	ck_assert_int_eq(xmap_read(target, PEER_ADDR, buf, 8), 8);
	ck_assert_mem_eq(buf, "OOOOOOOO", 8);
	peer_exec(&twin);
	peer_set(&peer, PEER_ADDR, 8, 'o');
	ck_assert_int_eq(xmap_read(target, PEER_ADDR, buf, 8), 8);
	ck_assert_mem_eq(buf, "oooooooo", 8);
	ck_assert_int_eq(xmap_write(target, PEER_ADDR, "wwwwwww", 7), 7);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + 6), 'w');
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + 7), 'o');
	ck_assert_int_eq(peer_get(&twin, PEER_ADDR), 'N');
	peer_unmap(&peer, PEER_ADDR, PEER_LENGTH);
	assert_err(xmap_read(target, PEER_ADDR, buf, 8), EFAULT);
	assert_err(xmap_write(target, PEER_ADDR, buf, 8), EFAULT);
	ck_assert_int_eq(peer_get(&twin, PEER_ADDR), 'N');
	xmap_target_close(target);
	peer_stop(&twin);
	finish();
}

Suite *lifetimes_suite(int backend)
{
	Suite *suite = suite_create("lifetimes");
	TCase *tc = backend_case(suite, backend);

	tcase_add_loop_test(tc, dead_process, backend, backend + 1);
	tcase_add_loop_test(tc, gone_by_exec, backend, backend + 1);
	tcase_add_loop_test(tc, gone_by_exec_of_the_same, backend, backend + 1);
	tcase_add_loop_test(tc, gone_by_exit, backend, backend + 1);
	tcase_add_loop_test(tc, gone_by_kill, backend, backend + 1);
	tcase_add_loop_test(tc, shared_address_space, backend, backend + 1);
	return suite;
}
