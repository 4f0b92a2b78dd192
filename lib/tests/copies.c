// SPDX-License-Identifier: LGPL-2.1-or-later
/* What both backends do alike: copies, up to the byte where they end. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests.h"

START_TEST(read_and_write)
{
	struct xmap_target *target;
	char buf[3 * PAGE];

	begin(_i);
	target = target_open(dev, peer.pid, RW);
	memset(buf, 0, sizeof(buf));
	ck_assert_int_eq(xmap_read(target, PEER_ADDR + 100, buf, 2 * PAGE), 2 * PAGE);
	ck_assert_int_eq(buf[0], 'O');
	ck_assert_int_eq(buf[2 * PAGE - 1], 'O');
	ck_assert_int_eq(buf[2 * PAGE], 0);

	memset(buf, 'w', sizeof(buf));
	ck_assert_int_eq(xmap_write(target, PEER_ADDR + PAGE - 3, buf, PAGE + 5), PAGE + 5);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + PAGE - 4), 'O');
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + PAGE - 3), 'w');
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + 2 * PAGE + 1), 'w');
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + 2 * PAGE + 2), 'O');

	/* What it changes by itself is seen. */
	peer_set(&peer, PEER_ADDR, 1, 'z');
	ck_assert_int_eq(xmap_read(target, PEER_ADDR, buf, 2), 2);
	ck_assert_int_eq(buf[0], 'z');
	ck_assert_int_eq(buf[1], 'O');
	xmap_target_close(target);
	finish();
}

START_TEST(nothing_to_copy)
{
	struct xmap_target *target;
	char c = 'c';

	begin(_i);
	target = target_open(dev, peer.pid, RW);
	ck_assert_int_eq(xmap_read(target, PEER_ADDR, &c, 0), 0);
	ck_assert_int_eq(xmap_write(target, PEER_ADDR, &c, 0), 0);
	ck_assert_int_eq(xmap_readv(target, PEER_ADDR, NULL, 0), 0);
	ck_assert_int_eq(xmap_transfer(dev, NULL, 0), 0);
	ck_assert_int_eq(c, 'c');
	xmap_target_close(target);
	finish();
}

/* Copies go up to the first hole, to the byte. */
START_TEST(partial_at_a_hole)
{
	struct xmap_target *target;
	char buf[6 * PAGE];

	begin(_i);
	peer_unmap(&peer, PEER_ADDR + 3 * PAGE, PAGE);
	target = target_open(dev, peer.pid, RW);
	memset(buf, 'w', sizeof(buf));
	ck_assert_int_eq(xmap_read(target, PEER_ADDR + 7, buf, 5 * PAGE), 3 * PAGE - 7);
	ck_assert_int_eq(buf[3 * PAGE - 8], 'O');
	ck_assert_int_eq(buf[3 * PAGE - 7], 'w');
	memset(buf, 'w', sizeof(buf));
	ck_assert_int_eq(xmap_write(target, PEER_ADDR + 7, buf, 5 * PAGE), 3 * PAGE - 7);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + 3 * PAGE - 1), 'w');
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + 4 * PAGE), 'O');

	assert_err(xmap_read(target, PEER_ADDR + 3 * PAGE, buf, 2 * PAGE), EFAULT);
	assert_err(xmap_write(target, PEER_ADDR + 4 * PAGE - 1, buf, 2 * PAGE), EFAULT);
	assert_err(xmap_read(target, 0, buf, 1), EFAULT);
	xmap_target_close(target);
	finish();
}

START_TEST(vectors)
{
	struct xmap_target *target;
	char a[10], b[PAGE], c[2 * PAGE];
	struct iovec iov[] = { { a, sizeof(a) }, { NULL, 0 }, { b, sizeof(b) }, { c, sizeof(c) } };
	struct iovec huge[] = { { a, SSIZE_MAX }, { b, 1 } };

	begin(_i);
	peer_set(&peer, PEER_ADDR + 10, 1, 'p');
	peer_unmap(&peer, PEER_ADDR + 3 * PAGE, PAGE);
	target = target_open(dev, peer.pid, RW);
	ck_assert_int_eq(xmap_readv(target, PEER_ADDR, iov, 3), 10 + PAGE);
	ck_assert_int_eq(a[9], 'O');
	ck_assert_int_eq(b[0], 'p');
	ck_assert_int_eq(xmap_readv(target, PEER_ADDR + PAGE, iov, 4), 2 * PAGE);
	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	ck_assert_int_eq(xmap_writev(target, PEER_ADDR + 3 * PAGE - 11, iov, 4), 11);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + 3 * PAGE - 2), 'a');
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + 3 * PAGE - 1), 'b');
	assert_err(xmap_readv(target, PEER_ADDR + 3 * PAGE, iov, 4), EFAULT);
	assert_err(xmap_readv(target, PEER_ADDR, iov, -1), EINVAL);
	assert_err(xmap_readv(target, PEER_ADDR, iov, IOV_MAX + 1), EINVAL);
	assert_err(xmap_writev(target, PEER_ADDR, huge, 2), EINVAL);
	xmap_target_close(target);
	finish();
}

START_TEST(bad_buffer_of_the_caller)
{
	struct xmap_target *target;

	begin(_i);
	target = target_open(dev, peer.pid, RW);
	assert_err(xmap_read(target, PEER_ADDR, (void *)16, 100), EFAULT);
	assert_err(xmap_write(target, PEER_ADDR, (void *)16, 100), EFAULT);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR), 'O');
	assert_err(xmap_read(target, PEER_ADDR, &peer, (size_t)SSIZE_MAX + 1), EINVAL);
	xmap_target_close(target);
	finish();
}

/* What the target may not do with its own pages, nobody does without FORCE. */
START_TEST(rights_of_pages)
{
	struct xmap_target *target;
	char buf[2 * PAGE];

	begin(_i);
	peer_protect(&peer, PEER_ADDR, PAGE, PROT_NONE);
	peer_protect(&peer, PEER_ADDR + 2 * PAGE, PAGE, PROT_READ);
	peer_map_shared(&peer, PEER_ADDR + 4 * PAGE, PAGE, PROT_READ);
	target = target_open(dev, peer.pid, RW);
	memset(buf, 'w', sizeof(buf));
	assert_err(xmap_read(target, PEER_ADDR, buf, 1), EFAULT);
	assert_err(xmap_write(target, PEER_ADDR, buf, 1), EFAULT);
	assert_err(xmap_write(target, PEER_ADDR + 2 * PAGE, buf, 1), EFAULT);
	ck_assert_int_eq(xmap_write(target, PEER_ADDR + 2 * PAGE - 1, buf, 2), 1);
	assert_err(xmap_write(target, PEER_ADDR + 4 * PAGE, buf, 1), EFAULT);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + 2 * PAGE), 'O');
	ck_assert_int_eq(xmap_read(target, PEER_ADDR + 2 * PAGE, buf, PAGE), PAGE);
	xmap_target_close(target);
	finish();
}

START_TEST(force)
{
	struct xmap_target *target;
	char buf[2] = "ww";

	begin(_i);
	peer_protect(&peer, PEER_ADDR, PAGE, PROT_READ);
	peer_map_shared(&peer, PEER_ADDR + 4 * PAGE, PAGE, PROT_READ);
	target = target_open(dev, peer.pid, RWF);
	ck_assert_int_eq(xmap_write(target, PEER_ADDR + 1, buf, 2), 2);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR), 'O');
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + 2), 'w');
	assert_err(xmap_write(target, PEER_ADDR + 4 * PAGE, buf, 2), EFAULT);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + 4 * PAGE), 0);
	/* There is nothing to force where there is no memory. */
	assert_err(xmap_write(target, PEER_ADDR + PEER_LENGTH, buf, 2), EFAULT);
	xmap_target_close(target);
	finish();
}

START_TEST(transfer)
{
	struct xmap_target *target, *self, *other;
	struct xmap_dev *other_dev = NULL;
	struct xmap_copy copies[300];
	char buf[300];
	char mine[] = "mine";
	size_t huge_length = 5UL << 30;
	char *huge;

	begin(_i);
	/* Not before: it may be where the peer maps its memory. */
	huge = mmap(NULL, huge_length, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(huge, MAP_FAILED);
	peer_protect(&peer, PEER_ADDR + PAGE, PAGE, PROT_READ);
	target = target_open(dev, peer.pid, RWF);
	self = target_open(dev, getpid(), XMAP_RIGHT_READ);
	for (int i = 0; i < 300; i++)
		copies[i] = (struct xmap_copy){ .target = target, .addr = PEER_ADDR + i,
						.buf = buf + i, .length = 1, .result = 99 };
	/* Errors of one do not stop the others. */
	copies[1].addr = 0;
	copies[2].flags = XMAP_TRANSFER_WRITE;
	copies[2].addr = PEER_ADDR + PAGE;
	copies[3].flags = XMAP_TRANSFER_WRITE | XMAP_TRANSFER_FORCE;
	copies[3].addr = PEER_ADDR + PAGE + 1;
	copies[4].target = self;
	copies[4].addr = (uintptr_t)mine;
	copies[5].target = self;
	copies[5].flags = XMAP_TRANSFER_WRITE;
	copies[6].flags = 1U << 31;
	copies[7].length = 0;
	copies[9].flags = XMAP_TRANSFER_FORCE;
	copies[10].addr = PEER_ADDR + PEER_LENGTH - 3;
	copies[10].buf = huge;
	copies[10].length = huge_length;
	copies[11].addr = ~0UL - 8;
	copies[11].length = 10;
	copies[8].addr = PEER_ADDR + PEER_LENGTH - 2;
	copies[8].length = 4;
	buf[3] = 'F';
	ck_assert_int_eq(xmap_transfer(dev, copies, 300), 300);
	ck_assert_int_eq(copies[0].result, 1);
	ck_assert_int_eq(buf[0], 'O');
	ck_assert_int_eq(copies[1].result, -EFAULT);
	ck_assert_int_eq(copies[2].result, -EFAULT);
	ck_assert_int_eq(copies[3].result, 1);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + PAGE + 1), 'F');
	ck_assert_int_eq(copies[4].result, 1);
	ck_assert_int_eq(buf[4], 'm');
	ck_assert_int_eq(copies[5].result, -EACCES);
	ck_assert_int_eq(copies[6].result, -EOPNOTSUPP);
	ck_assert_int_eq(copies[7].result, 0);
	ck_assert_int_eq(copies[8].result, 2);
	ck_assert_int_eq(copies[9].result, -EINVAL);
	ck_assert_int_eq(copies[10].result, 3);
	ck_assert_int_eq(copies[11].result, -EOVERFLOW);
	for (int i = 12; i < 300; i++) {
		ck_assert_int_eq(copies[i].result, 1);
		ck_assert_int_eq(buf[i], 'O');
	}
	copies[0].result = 99;
	copies[1].__reserved = 1;
	assert_err(xmap_transfer(dev, copies, 2), EOPNOTSUPP);
	ck_assert_int_eq(copies[0].result, 99);

	/* A handle of another backend. */
	if (_i == XMAP_BACKEND_MODULE) {
		other_dev = dev_open(XMAP_BACKEND_SYSCALLS);
		other = target_open(other_dev, peer.pid, 0);
		copies[0].target = other;
		assert_err(xmap_transfer(dev, copies, 1), EBADFD);
		copies[0].target = target;
		assert_err(xmap_transfer(other_dev, copies, 1), EBADFD);
		xmap_target_close(other);
		xmap_close(other_dev);
	}
	munmap(huge, huge_length);
	xmap_target_close(self);
	xmap_target_close(target);
	finish();
}

Suite *copies_suite(int backend)
{
	Suite *suite = suite_create("copies");
	TCase *tc = backend_case(suite, backend);

	tcase_add_loop_test(tc, read_and_write, backend, backend + 1);
	tcase_add_loop_test(tc, nothing_to_copy, backend, backend + 1);
	tcase_add_loop_test(tc, partial_at_a_hole, backend, backend + 1);
	tcase_add_loop_test(tc, vectors, backend, backend + 1);
	tcase_add_loop_test(tc, bad_buffer_of_the_caller, backend, backend + 1);
	tcase_add_loop_test(tc, rights_of_pages, backend, backend + 1);
	tcase_add_loop_test(tc, force, backend, backend + 1);
	tcase_add_loop_test(tc, transfer, backend, backend + 1);
	return suite;
}
