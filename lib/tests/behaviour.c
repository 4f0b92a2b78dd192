// SPDX-License-Identifier: LGPL-2.1-or-later
/* What both backends do alike: targets, copies, lifetimes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests.h"

#define RW (XMAP_RIGHT_READ | XMAP_RIGHT_WRITE)
#define RWF (RW | XMAP_RIGHT_FORCE)

static struct peer peer;
static struct xmap_dev *dev;

static void begin(int backend)
{
	peer_start(&peer);
	dev = dev_open(backend);
}

static void finish(void)
{
	peer_stop(&peer);
	xmap_close(dev);
}

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

START_TEST(rights_of_handles)
{
	struct xmap_target *target;
	char c = 'w';

	begin(_i);
	target = target_open(dev, peer.pid, XMAP_RIGHT_READ);
	assert_err(xmap_write(target, PEER_ADDR, &c, 1), EACCES);
	xmap_target_close(target);
	target = target_open(dev, peer.pid, XMAP_RIGHT_WRITE);
	assert_err(xmap_read(target, PEER_ADDR, &c, 1), EACCES);
	ck_assert_int_eq(xmap_write(target, PEER_ADDR, &c, 1), 1);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR), 'w');
	xmap_target_close(target);
	target = target_open(dev, peer.pid, 0);
	ck_assert_int_eq(xmap_read(target, PEER_ADDR, &c, 1), 1);
	assert_err(xmap_write(target, PEER_ADDR, &c, 1), EACCES);
	xmap_target_close(target);
	finish();
}

START_TEST(range_of_handles)
{
	struct xmap_target_opts opts = { .sz = sizeof(opts), .rights = RW,
					 .addr = PEER_ADDR + 10, .length = PAGE };
	struct xmap_target *target = NULL;
	char buf[2 * PAGE];

	begin(_i);
	assert_ok(xmap_target_open(dev, peer.pidfd, &opts, &target));
	memset(buf, 'w', sizeof(buf));
	assert_err(xmap_read(target, PEER_ADDR + 9, buf, 2), EACCES);
	assert_err(xmap_read(target, PEER_ADDR + PAGE + 10, buf, 1), EACCES);
	assert_err(xmap_read(target, 0x7ffffffffffff000UL, buf, 1), EFAULT);
	assert_err(xmap_read(target, 1UL << 63, buf, 1), EFAULT);
	assert_err(xmap_read(target, ~0UL - 8, buf, 10), EOVERFLOW);
	/* Cut at its end. */
	ck_assert_int_eq(xmap_read(target, PEER_ADDR + PAGE, buf, PAGE), 10);
	memset(buf, 'w', sizeof(buf));
	ck_assert_int_eq(xmap_write(target, PEER_ADDR + PAGE, buf, PAGE), 10);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + PAGE + 9), 'w');
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + PAGE + 10), 'O');
	xmap_target_close(target);
	finish();
}

START_TEST(bad_options)
{
	struct xmap_target *target = (void *)&peer;
	struct xmap_target_opts opts;
	int fd;

	begin(_i);
#define OPEN(...) \
	(opts = (struct xmap_target_opts){ .sz = sizeof(opts), __VA_ARGS__ }, \
	 xmap_target_open(dev, peer.pidfd, &opts, &target))
	assert_err(OPEN(.rights = 8), EOPNOTSUPP);
	assert_err(OPEN(.__reserved = 1), EOPNOTSUPP);
	assert_err(OPEN(.rights = XMAP_RIGHT_FORCE), EINVAL);
	assert_err(OPEN(.rights = XMAP_RIGHT_FORCE | XMAP_RIGHT_READ), EINVAL);
	assert_err(OPEN(.addr = PAGE), EINVAL);
	assert_err(OPEN(.addr = PAGE, .length = ~0UL), EOVERFLOW);
	assert_err(OPEN(.addr = 1UL << 60, .length = PAGE), EFAULT);
#undef OPEN
	assert_err(xmap_target_open(dev, -1, NULL, &target), EBADF);
	assert_err(xmap_target_open(dev, 12345, NULL, &target), EBADF);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	assert_err(xmap_target_open(dev, fd, NULL, &target), EBADFD);
	close(fd);
	assert_err(xmap_target_open_pid(dev, -1, NULL, &target), EINVAL);
	assert_err(xmap_target_open_pid(dev, 0, NULL, &target), EINVAL);
	assert_err(xmap_target_open_pid(dev, INT_MAX, NULL, &target), ESRCH);
	ck_assert_ptr_eq(target, &peer);
	finish();
}

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
	char buf[8] = "--------";

	peer_start_shared(&peer);
	dev = dev_open(_i);
	target = target_open(dev, peer.pid, RW);
	ck_assert_int_eq(xmap_read(target, PEER_ADDR, buf, 8), 8);
	ck_assert_int_eq(buf[0], 'O');
	peer_exec(&peer);
	memset((void *)PEER_ADDR, 'o', 8);
	ck_assert_int_eq(xmap_read(target, PEER_ADDR, buf, 8), 8);
	ck_assert_mem_eq(buf, "oooooooo", 8);
	ck_assert_int_eq(xmap_write(target, PEER_ADDR, "written", 8), 8);
	ck_assert_mem_eq((void *)PEER_ADDR, "written", 8);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR), 'N');
	munmap((void *)PEER_ADDR, PEER_LENGTH);
	assert_err(xmap_read(target, PEER_ADDR, buf, 8), EFAULT);
	assert_err(xmap_write(target, PEER_ADDR, buf, 8), EFAULT);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR), 'N');
	xmap_target_close(target);
	finish();
}

START_TEST(own_process)
{
	struct xmap_target *target;
	char text[] = "mine";
	char buf[8] = "";

	dev = dev_open(_i);
	target = target_open(dev, getpid(), RW);
	ck_assert_int_eq(xmap_read(target, (uintptr_t)text, buf, 5), 5);
	ck_assert_str_eq(buf, "mine");
	ck_assert_int_eq(xmap_write(target, (uintptr_t)text, "self", 4), 4);
	ck_assert_str_eq(text, "self");
	xmap_target_close(target);
	xmap_close(dev);
}

START_TEST(derive)
{
	struct xmap_cmd_target_info info;
	struct xmap_target *parent = NULL, *child = NULL, *none = (void *)&peer;
	struct xmap_target_opts opts = { .sz = sizeof(opts), .rights = RW, .addr = PEER_ADDR,
					 .length = 4 * PAGE };
	char buf[PAGE];

	begin(_i);
	assert_ok(xmap_target_open(dev, peer.pidfd, &opts, &parent));
	opts.rights = RWF;
	assert_err(xmap_target_derive(parent, &opts, &none), EACCES);
	opts.rights = XMAP_RIGHT_READ;
	opts.addr = PEER_ADDR + PAGE;
	assert_err(xmap_target_derive(parent, &opts, &none), EACCES);
	opts.addr = PEER_ADDR - 1;
	assert_err(xmap_target_derive(parent, &opts, &none), EACCES);
	opts.addr = PEER_ADDR + PAGE;
	opts.length = ~0UL;
	assert_err(xmap_target_derive(parent, &opts, &none), EOVERFLOW);
	ck_assert_ptr_eq(none, &peer);

	/* The whole range, read-only by default. */
	assert_ok(xmap_target_derive(parent, NULL, &child));
	assert_ok(xmap_target_info(child, &info));
	ck_assert_int_eq(info.out_rights, XMAP_RIGHT_READ);
	ck_assert_uint_eq(info.out_addr, PEER_ADDR);
	ck_assert_uint_eq(info.out_length, 4 * PAGE);
	xmap_target_close(child);

	opts.length = 8;
	assert_ok(xmap_target_derive(parent, &opts, &child));
	xmap_target_close(parent);
	ck_assert_int_eq(xmap_read(child, PEER_ADDR + PAGE, buf, PAGE), 8);
	assert_err(xmap_read(child, PEER_ADDR, buf, 1), EACCES);
	assert_err(xmap_write(child, PEER_ADDR + PAGE, buf, 1), EACCES);
	opts = (struct xmap_target_opts){ .sz = sizeof(opts), .rights = XMAP_RIGHT_WRITE };
	assert_err(xmap_target_derive(child, &opts, &none), EACCES);
	xmap_target_close(child);
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

	huge = mmap(NULL, huge_length, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(huge, MAP_FAILED);
	begin(_i);
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

/* The ptrace check's verdict, for a user who has no business there. */
START_TEST(refused)
{
	struct xmap_target *target = NULL;
	int status;
	pid_t pid;

	begin(_i);
	pid = fork();
	if (!pid) {
		int rc;

		/* Root's process if we are root, else init. */
		if (!getuid() && (syscall(SYS_setresgid, 65534, 65534, 65534) ||
				  syscall(SYS_setresuid, 65534, 65534, 65534)))
			_exit(100);
		rc = xmap_target_open_pid(dev, getuid() == 65534 ? peer.pid : 1, NULL, &target);
		_exit(rc == -EACCES && !target ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	finish();
}

struct hammer {
	struct xmap_target *target;
	int number;
	int bad;
};

static void *hammer(void *data)
{
	struct hammer *h = data;
	uint64_t addr = PEER_ADDR + h->number * PAGE;
	uint64_t value, copy;

	for (value = 1; value <= 200; value++) {
		copy = 0;
		if (xmap_write(h->target, addr, &value, 8) != 8 ||
		    xmap_read(h->target, addr, &copy, 8) != 8 || copy != value)
			h->bad++;
	}
	return NULL;
}

START_TEST(threads_share_a_target)
{
	struct hammer hammers[4];
	pthread_t threads[4];

	begin(_i);
	for (int i = 0; i < 4; i++) {
		hammers[i] = (struct hammer){ i ? hammers[0].target :
					      target_open(dev, peer.pid, RW), i, 0 };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, &hammers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_int_eq(hammers[i].bad, 0);
	}
	xmap_target_close(hammers[0].target);
	finish();
}

START_TEST(without_the_module)
{
	struct xmap_cmd_query query;
	struct xmap_list_entry entry;
	struct xmap_target *target, *none = (void *)&peer;
	struct xmap_window *win = (void *)&peer;
	uint64_t cursor = 7;

	begin(XMAP_BACKEND_SYSCALLS);
	target = target_open(dev, peer.pid, RW);
	ck_assert_int_eq(xmap_backend_error(dev), 0);
	assert_err(xmap_dev_fd(dev), EOPNOTSUPP);
	assert_err(xmap_query(dev, &query), EOPNOTSUPP);
	assert_err(xmap_list(dev, &cursor, &entry, 1), EOPNOTSUPP);
	ck_assert_uint_eq(cursor, 7);
	assert_err(xmap_target_fd(target), EOPNOTSUPP);
	assert_err(xmap_target_from_fd(dev, 0, &none), EOPNOTSUPP);
	assert_err(xmap_target_open_mem(dev, 0, NULL, &none), EOPNOTSUPP);
	assert_err(xmap_map(target, PEER_ADDR, PAGE, NULL, &win), EOPNOTSUPP);
	ck_assert_ptr_eq(none, &peer);
	ck_assert_ptr_eq(win, &peer);
	xmap_target_close(target);
	finish();
}

static TCase *behaviour_case(int backend)
{
	TCase *tc = tcase_create(backend_name(backend));
	int end = backend + 1;

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_loop_test(tc, read_and_write, backend, end);
	tcase_add_loop_test(tc, nothing_to_copy, backend, end);
	tcase_add_loop_test(tc, partial_at_a_hole, backend, end);
	tcase_add_loop_test(tc, vectors, backend, end);
	tcase_add_loop_test(tc, bad_buffer_of_the_caller, backend, end);
	tcase_add_loop_test(tc, rights_of_pages, backend, end);
	tcase_add_loop_test(tc, force, backend, end);
	tcase_add_loop_test(tc, rights_of_handles, backend, end);
	tcase_add_loop_test(tc, range_of_handles, backend, end);
	tcase_add_loop_test(tc, bad_options, backend, end);
	tcase_add_loop_test(tc, dead_process, backend, end);
	tcase_add_loop_test(tc, gone_by_exec, backend, end);
	tcase_add_loop_test(tc, gone_by_exec_of_the_same, backend, end);
	tcase_add_loop_test(tc, gone_by_exit, backend, end);
	tcase_add_loop_test(tc, gone_by_kill, backend, end);
	tcase_add_loop_test(tc, shared_address_space, backend, end);
	tcase_add_loop_test(tc, own_process, backend, end);
	tcase_add_loop_test(tc, derive, backend, end);
	tcase_add_loop_test(tc, transfer, backend, end);
	tcase_add_loop_test(tc, refused, backend, end);
	tcase_add_loop_test(tc, threads_share_a_target, backend, end);
	return tc;
}

Suite *behaviour_suite(int first_backend)
{
	Suite *suite = suite_create("behaviour");
	TCase *tc;
	int i;

	for (i = first_backend; i <= XMAP_BACKEND_SYSCALLS; i++)
		suite_add_tcase(suite, behaviour_case(i));
	tc = tcase_create("no module");
	tcase_add_test(tc, without_the_module);
	suite_add_tcase(suite, tc);
	return suite;
}
