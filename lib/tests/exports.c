// SPDX-License-Identifier: LGPL-2.1-or-later
/* What only the module does: memory that is offered, and taken back. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests.h"

/* What is offered: whole pages, for windows. */
static char room[4 * PAGE] __attribute__((aligned(PAGE)));

static void setup(void)
{
	dev = dev_open(XMAP_BACKEND_MODULE);
	memset(room, 'O', sizeof(room));
}

static void teardown(void)
{
	xmap_close(dev);
}

static struct xmap_export *offer_new(const struct xmap_export_opts *opts)
{
	struct xmap_export *offer = NULL;

	assert_ok(xmap_export_create(dev, room, sizeof(room), opts, &offer));
	return offer;
}

static struct xmap_target *accept_all(struct xmap_export *offer, uint32_t rights)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = rights);
	struct xmap_target *target = NULL;

	assert_ok(xmap_export_accept(offer, &opts, &target));
	return target;
}

/* It has a copy of our memory, and a target on the original. */
static int child_accepts(void *arg)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = RW);
	struct xmap_target *target;
	char c = 0;

	room[PAGE] = 'c';
	if (xmap_export_accept(arg, &opts, &target))
		return 1;
	if (xmap_read(target, (uintptr_t)&room[PAGE], &c, 1) != 1 || c != 'O')
		return 2;
	if (xmap_write(target, (uintptr_t)&room[PAGE + 1], "w", 1) != 1)
		return 3;
	return room[PAGE + 1] == 'O' ? 0 : 4;
}

START_TEST(offer_and_accept)
{
	XMAP_OPTS(struct xmap_export_opts, opts, .rights = RW, .max_accepts = 2);
	XMAP_OPTS(struct xmap_target_opts, part, .addr = (uintptr_t)room + 5, .length = 3);
	struct xmap_target *target = NULL, *none = (void *)&peer;
	struct xmap_cmd_export_info info;
	struct xmap_export *offer;
	char buf[8];

	offer = offer_new(&opts);
	in_a_child(child_accepts, offer);
	ck_assert_int_eq(__atomic_load_n(&room[PAGE + 1], __ATOMIC_RELAXED), 'w');
	ck_assert_int_eq(room[PAGE], 'O');

	part.rights = RWF;
	assert_err(xmap_export_accept(offer, &part, &none), EINVAL);
	part.rights = 0;
	part.length = sizeof(room);
	assert_err(xmap_export_accept(offer, &part, &none), EACCES);
	part.length = 3;
	assert_ok(xmap_export_accept(offer, &part, &target));
	assert_err(xmap_export_accept(offer, NULL, &none), EDQUOT);
	ck_assert_ptr_eq(none, &peer);
	assert_ok(xmap_export_info(offer, &info));
	ck_assert_uint_eq(info.out_rights, RW);
	ck_assert_uint_eq(info.out_state, XMAP_TARGET_ALIVE);
	ck_assert_int_eq(info.out_pid, getpid());
	ck_assert_uint_eq(info.out_accepts, 2);
	ck_assert_uint_eq(info.out_max_accepts, 2);
	ck_assert_uint_eq(info.out_addr, (uintptr_t)room);
	ck_assert_uint_eq(info.out_length, sizeof(room));
	ck_assert_uint_eq(info.out_id, 0);
	/* It outlives the offer. */
	xmap_export_close(offer);
	ck_assert_int_eq(xmap_read(target, (uintptr_t)room + 5, buf, 8), 3);
	assert_err(xmap_read(target, (uintptr_t)room, buf, 1), EACCES);
	assert_err(xmap_write(target, (uintptr_t)room + 5, buf, 1), EACCES);
	xmap_target_close(target);
}

static int child_opens(void *name)
{
	struct xmap_export *offer = (void *)&peer;

	if (xmap_export_open(dev, name, RW, &offer) != -EACCES || offer != (void *)&peer)
		return 1;
	return xmap_export_open(dev, name, XMAP_RIGHT_READ, &offer);
}

START_TEST(published)
{
	XMAP_OPTS(struct xmap_export_opts, opts, .flags = XMAP_EXPORT_PUBLISH, .rights = RW,
		  .mode = 0644);
	struct xmap_export *offer, *opened = (void *)&peer;
	struct xmap_cmd_export_info info;
	struct xmap_target *target;
	uint64_t id;
	char name[32];

	snprintf(name, sizeof(name), "xmap-test-%d", getpid());
	opts.name = name;
	assert_err(xmap_export_open(dev, name, 0, &opened), ENOENT);
	offer = offer_new(&opts);
	assert_err(xmap_export_create(dev, NULL, 0, &opts, &opened), EEXIST);
	assert_ok(xmap_export_info(offer, &info));
	id = info.out_id;
	ck_assert_uint_ne(id, 0);
	assert_err(xmap_export_open_id(dev, id ^ 1, 0, &opened), ENOENT);
	assert_err(xmap_export_open_id(dev, 0, 0, &opened), EINVAL);
	assert_err(xmap_export_open(dev, "", 0, &opened), EINVAL);
	assert_err(xmap_export_open(dev, NULL, 0, &opened), EINVAL);
	assert_err(xmap_export_open(dev, "a/b", 0, &opened), EINVAL);
	assert_err(xmap_export_open(dev, name, XMAP_RIGHT_FORCE, &opened), EINVAL);
	ck_assert_ptr_eq(opened, &peer);
	if (!getuid())
		in_a_child(child_opens, name);

	for (int by_id = 0; by_id < 2; by_id++) {
		if (by_id)
			assert_ok(xmap_export_open_id(dev, id, RW, &opened));
		else
			assert_ok(xmap_export_open(dev, name, 0, &opened));
		assert_ok(xmap_export_info(opened, &info));
		ck_assert_uint_eq(info.out_id, id);
		ck_assert_uint_eq(info.out_rights, by_id ? RW : XMAP_RIGHT_READ);
		target = accept_all(opened, XMAP_RIGHT_READ);
		xmap_target_close(target);
		if (!by_id)
			xmap_export_close(opened);
	}
	/* The offer is the maker's. */
	xmap_export_close(offer);
	assert_err(xmap_export_accept(opened, NULL, &target), ESTALE);
	xmap_export_close(opened);
	assert_err(xmap_export_open(dev, name, 0, &opened), ENOENT);
	assert_err(xmap_export_open_id(dev, id, 0, &opened), ENOENT);
}

START_TEST(wrong_options)
{
	struct xmap_export *offer = (void *)&peer;
	struct xmap_export_opts opts;

#define CREATE(...) \
	(opts = (struct xmap_export_opts){ .sz = sizeof(opts), __VA_ARGS__ }, \
	 xmap_export_create(dev, room, sizeof(room), &opts, &offer))
	assert_err(CREATE(.flags = 1U << 31), EOPNOTSUPP);
	assert_err(CREATE(.rights = 1U << 31), EOPNOTSUPP);
	assert_err(CREATE(.rights = RWF), EINVAL);
	assert_err(CREATE(.name = "name"), EINVAL);
	assert_err(CREATE(.mode = 0600), EINVAL);
	assert_err(CREATE(.gid = getegid() + 1), EINVAL);
	assert_err(CREATE(.receiver_uid = 1), EINVAL);
	assert_err(CREATE(.receiver_pidfd = xmap_dev_fd(dev)), EINVAL);
	assert_err(CREATE(.flags = XMAP_EXPORT_PUBLISH, .mode = 0700), EINVAL);
	assert_err(CREATE(.flags = XMAP_EXPORT_PUBLISH, .name = "a b"), EINVAL);
	assert_err(CREATE(.flags = XMAP_EXPORT_FOR_PROCESS, .receiver_pidfd = -1), EBADF);
	assert_err(CREATE(.flags = XMAP_EXPORT_FOR_PROCESS, .receiver_pidfd = xmap_dev_fd(dev)),
		   EBADFD);
#undef CREATE
	assert_err(xmap_export_create(dev, room, 0, NULL, &offer), EINVAL);
	assert_err(xmap_export_create(dev, room, ~0UL, NULL, &offer), EOVERFLOW);
	assert_err(xmap_export_create(dev, (void *)(1UL << 60), 1, NULL, &offer), EFAULT);
	ck_assert_ptr_eq(offer, &peer);
}

START_TEST(terms)
{
	XMAP_OPTS(struct xmap_export_opts, opts, .expires = 1);
	struct xmap_target *target = (void *)&peer;
	struct xmap_export *offer;

	offer = offer_new(&opts);
	assert_err(xmap_export_accept(offer, NULL, &target), ESTALE);
	xmap_export_close(offer);

	opts.expires = 0;
	opts.flags = XMAP_EXPORT_FOR_PROCESS;
	peer_start(&peer);
	opts.receiver_pidfd = peer.pidfd;
	offer = offer_new(&opts);
	assert_err(xmap_export_accept(offer, NULL, &target), EACCES);
	xmap_export_close(offer);
	peer_kill(&peer);
	peer_reap(&peer);
	assert_err(xmap_export_create(dev, NULL, 0, &opts, &offer), ESRCH);

	opts.flags = XMAP_EXPORT_FOR_USER;
	opts.receiver_pidfd = 0;
	opts.receiver_uid = geteuid() + 1;
	offer = offer_new(&opts);
	assert_err(xmap_export_accept(offer, NULL, &target), EACCES);
	xmap_export_close(offer);
	ck_assert_ptr_eq(target, &peer);
	opts.receiver_uid = geteuid();
	offer = offer_new(&opts);
	xmap_target_close(accept_all(offer, XMAP_RIGHT_READ));
	xmap_export_close(offer);
}

START_TEST(descriptors)
{
	struct xmap_export *offer = offer_new(NULL), *second = NULL;
	struct xmap_cmd_export_info info;
	struct pollfd pfd = { .events = POLLIN };
	struct xmap_target *target;
	int fd;

	ck_assert_int_eq(fcntl(xmap_export_fd(offer), F_GETFD), FD_CLOEXEC);
	fd = dup(xmap_export_fd(offer));
	xmap_export_close(offer);
	assert_ok(xmap_export_from_fd(dev, fd, &second));
	ck_assert_int_eq(xmap_export_fd(second), fd);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	pfd.fd = fd;
	ck_assert_int_eq(poll(&pfd, 1, 0), 0);
	target = accept_all(second, XMAP_RIGHT_READ);
	ck_assert_int_eq(poll(&pfd, 1, 0), 1);
	ck_assert_int_eq(pfd.revents, POLLIN);
	assert_ok(xmap_export_info(second, &info));
	ck_assert_int_eq(poll(&pfd, 1, 0), 0);
	xmap_export_close(second);

	second = NULL;
	assert_err(xmap_export_from_fd(dev, fd, &second), EBADF);
	assert_err(xmap_export_from_fd(dev, xmap_dev_fd(dev), &second), EBADFD);
	assert_err(xmap_export_from_fd(dev, xmap_target_fd(target), &second), EBADFD);
	ck_assert_ptr_null(second);
	xmap_target_close(target);
}

/* One bell for both; who has heard it looks what it was. */
START_TEST(rung)
{
	int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct xmap_export *offer = offer_new(NULL);
	struct pollfd pfd = { .events = POLLIN };
	struct xmap_target *target;
	eventfd_t n;

	ck_assert_int_ge(bell, 0);
	assert_err(xmap_export_eventfd(offer, -2), EBADF);
	assert_err(xmap_export_eventfd(offer, xmap_dev_fd(dev)), EINVAL);
	assert_ok(xmap_export_eventfd(offer, bell));
	assert_err(eventfd_read(bell, &n), 1);
	target = accept_all(offer, XMAP_RIGHT_READ);
	assert_ok(eventfd_read(bell, &n));
	ck_assert_uint_ge(n, 1);
	pfd.fd = xmap_export_fd(offer);
	ck_assert_int_eq(poll(&pfd, 1, 0), 1);
	ck_assert_int_eq(pfd.revents, POLLIN);

	assert_ok(xmap_export_eventfd(offer, -1));
	assert_err(xmap_target_eventfd(target, -2), EBADF);
	assert_err(xmap_target_eventfd(target, xmap_dev_fd(dev)), EINVAL);
	assert_ok(xmap_target_eventfd(target, bell));
	assert_err(eventfd_read(bell, &n), 1);
	assert_ok(xmap_target_revoke(target, 0, 0));
	assert_ok(eventfd_read(bell, &n));
	ck_assert_uint_ge(n, 1);
	pfd.fd = xmap_target_fd(target);
	ck_assert_int_eq(poll(&pfd, 1, 0), 1);
	ck_assert_int_eq(pfd.revents & POLLHUP, POLLHUP);
	xmap_target_close(target);
	xmap_export_close(offer);
	assert_ok(close(bell));
}

START_TEST(taken_back)
{
	struct xmap_target *first, *second, *derived = NULL;
	struct xmap_export *offer = offer_new(NULL);
	struct xmap_target *none = (void *)&peer;
	struct xmap_cmd_target_info info;
	struct xmap_window *win = NULL;
	uint64_t addr = (uintptr_t)room;
	char c;

	first = accept_all(offer, XMAP_RIGHT_READ);
	second = accept_all(offer, XMAP_RIGHT_READ);
	assert_ok(xmap_target_derive(first, NULL, &derived));
	assert_ok(xmap_map(derived, addr, 2 * PAGE, NULL, &win));
	ck_assert_int_eq(((volatile char *)win->addr)[PAGE], 'O');

	assert_ok(xmap_target_revoke(first, addr, 1));
	assert_err(xmap_read(derived, addr, &c, 1), ESTALE);
	ck_assert_int_eq(xmap_read(derived, addr + 1, &c, 1), 1);
	ck_assert_int_eq(xmap_read(second, addr, &c, 1), 1);
	assert_err(xmap_window_copy_from(win, 0, &c, 1), ESTALE);
	ck_assert_int_eq(xmap_window_copy_from(win, PAGE, &c, 1), 1);
	assert_err(xmap_window_prefault(win, 0, PAGE, 0), ESTALE);
	ck_assert_int_eq(((volatile char *)win->addr)[PAGE], 'O');
	assert_ok(xmap_target_revoke(first, 0, 0));
	assert_err(xmap_window_copy_from(win, PAGE, &c, 1), ESTALE);
	assert_err(xmap_target_derive(derived, NULL, &none), ESTALE);
	assert_ok(xmap_target_info(derived, &info));
	ck_assert_uint_eq(info.out_state, XMAP_TARGET_REVOKED);
	xmap_unmap(win);

	ck_assert_int_eq(xmap_read(second, addr, &c, 1), 1);
	assert_ok(xmap_export_revoke(offer, addr + PAGE, PAGE));
	assert_err(xmap_read(second, addr + PAGE, &c, 1), ESTALE);
	ck_assert_int_eq(xmap_read(second, addr, &c, 1), 1);
	assert_ok(xmap_export_revoke(offer, 0, 0));
	assert_err(xmap_read(second, addr, &c, 1), ESTALE);
	assert_err(xmap_export_accept(offer, NULL, &none), ESTALE);
	assert_err(xmap_export_revoke(offer, addr, 0), EINVAL);
	assert_err(xmap_export_revoke(offer, addr, ~0UL), EOVERFLOW);
	assert_err(xmap_export_revoke(offer, 1UL << 60, 1), EFAULT);
	ck_assert_ptr_eq(none, &peer);
	xmap_target_close(derived);
	xmap_target_close(second);
	xmap_target_close(first);
	xmap_export_close(offer);
}

struct not_mine {
	struct xmap_target *target;
	struct xmap_export *offer;
	uint64_t serial;
};

static int child_revokes(void *arg)
{
	struct not_mine *it = arg;

	if (xmap_export_revoke(it->offer, 0, 0) != -EPERM ||
	    xmap_target_revoke(it->target, 0, 0) != -EPERM)
		return 1;
	return xmap_revoke(dev, it->serial, 0, 0) == -ENOENT ? 0 : 2;
}

START_TEST(revoke_by_number)
{
	struct not_mine it = {};
	struct xmap_export *offer = offer_new(NULL);
	struct xmap_target *target = accept_all(offer, XMAP_RIGHT_READ);
	uint64_t addr = (uintptr_t)room, serial;
	char c;

	serial = serial_of(XMAP_LIST_TARGET);
	ck_assert_uint_ne(serial, 0);
	assert_err(xmap_revoke(dev, 0, 0, 0), EINVAL);
	assert_err(xmap_revoke(dev, ~0ULL, 0, 0), ENOENT);
	if (!getuid()) {
		it = (struct not_mine){ target, offer, serial };
		in_a_child(child_revokes, &it);
	}
	ck_assert_int_eq(xmap_read(target, addr, &c, 1), 1);
	assert_ok(xmap_revoke(dev, serial, addr, PAGE));
	assert_err(xmap_read(target, addr, &c, 1), ESTALE);
	ck_assert_int_eq(xmap_read(target, addr + PAGE, &c, 1), 1);
	assert_ok(xmap_revoke(dev, serial_of(XMAP_LIST_EXPORT), 0, 0));
	assert_err(xmap_read(target, addr + PAGE, &c, 1), ESTALE);
	xmap_target_close(target);
	assert_err(xmap_revoke(dev, serial, 0, 0), ENOENT);
	xmap_export_close(offer);
}

/* This test has a process of its own, which it leaves like that. */
START_TEST(self_deny)
{
	ck_assert_int_eq(xmap_self_deny(dev, 0), 0);
	ck_assert_int_eq(xmap_self_deny(dev, XMAP_DENY_SET), XMAP_DENY_SET);
	ck_assert_int_eq(xmap_self_deny(dev, 0), XMAP_DENY_SET);
	ck_assert_int_eq(xmap_self_deny(dev, XMAP_DENY_CLEAR), 0);
	assert_err(xmap_self_deny(dev, XMAP_DENY_FINAL), EINVAL);
	assert_err(xmap_self_deny(dev, 1U << 31), EOPNOTSUPP);
	ck_assert_int_eq(xmap_self_deny(dev, XMAP_DENY_SET | XMAP_DENY_FINAL),
			 XMAP_DENY_SET | XMAP_DENY_FINAL);
	assert_err(xmap_self_deny(dev, XMAP_DENY_CLEAR), EPERM);
	ck_assert_int_eq(xmap_self_deny(dev, 0), XMAP_DENY_SET | XMAP_DENY_FINAL);
}

Suite *exports_suite(void)
{
	Suite *suite = suite_create("exports");
	TCase *tc = tcase_create("exports");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, offer_and_accept);
	tcase_add_test(tc, published);
	tcase_add_test(tc, wrong_options);
	tcase_add_test(tc, terms);
	tcase_add_test(tc, descriptors);
	tcase_add_test(tc, rung);
	tcase_add_test(tc, taken_back);
	tcase_add_test(tc, revoke_by_number);
	tcase_add_test(tc, self_deny);
	suite_add_tcase(suite, tc);
	return suite;
}
