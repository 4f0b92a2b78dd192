// SPDX-License-Identifier: LGPL-2.1-or-later
/* What both backends do alike: handles, their rights and their ranges. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests.h"

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

START_TEST(without_the_module)
{
	struct xmap_cmd_query query;
	struct xmap_list_entry entry;
	struct xmap_target *target, *none = (void *)&peer;
	struct xmap_window *win = (void *)&peer;
	struct xmap_export *export = (void *)&peer;
	struct xmap_region *region = (void *)&peer;
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
	assert_err(xmap_export_create(dev, NULL, 0, NULL, &export), EOPNOTSUPP);
	assert_err(xmap_export_open(dev, "name", 0, &export), EOPNOTSUPP);
	assert_err(xmap_export_open_id(dev, 1, 0, &export), EOPNOTSUPP);
	assert_err(xmap_export_from_fd(dev, 0, &export), EOPNOTSUPP);
	assert_err(xmap_region_create(dev, PAGE, NULL, &region), EOPNOTSUPP);
	assert_err(xmap_region_open(dev, "name", 0, &region), EOPNOTSUPP);
	assert_err(xmap_region_from_fd(dev, 0, &region), EOPNOTSUPP);
	assert_err(xmap_target_revoke(target, 0, 0), EOPNOTSUPP);
	assert_err(xmap_target_eventfd(target, -1), EOPNOTSUPP);
	assert_err(xmap_revoke(dev, 1, 0, 0), EOPNOTSUPP);
	assert_err(xmap_self_deny(dev, 0), EOPNOTSUPP);
	ck_assert_ptr_eq(none, &peer);
	ck_assert_ptr_eq(win, &peer);
	ck_assert_ptr_eq(export, &peer);
	ck_assert_ptr_eq(region, &peer);
	xmap_target_close(target);
	finish();
}

Suite *targets_suite(int backend)
{
	Suite *suite = suite_create("targets");
	TCase *tc = backend_case(suite, backend);

	tcase_add_loop_test(tc, rights_of_handles, backend, backend + 1);
	tcase_add_loop_test(tc, range_of_handles, backend, backend + 1);
	tcase_add_loop_test(tc, bad_options, backend, backend + 1);
	tcase_add_loop_test(tc, own_process, backend, backend + 1);
	tcase_add_loop_test(tc, derive, backend, backend + 1);
	tcase_add_loop_test(tc, refused, backend, backend + 1);
	if (backend == XMAP_BACKEND_SYSCALLS)
		tcase_add_test(tc, without_the_module);
	return suite;
}
