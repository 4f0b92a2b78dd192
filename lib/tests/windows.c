// SPDX-License-Identifier: LGPL-2.1-or-later
/* What only the module does: windows, descriptors, the list. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests.h"

static struct xmap_window *window_open(struct xmap_target *target, size_t length, int prot)
{
	XMAP_OPTS(struct xmap_map_opts, opts, .prot = prot);
	struct xmap_window *win = NULL;

	assert_ok(xmap_map(target, PEER_ADDR, length, &opts, &win));
	ck_assert_uint_eq(win->length, length);
	ck_assert_uint_eq(win->remote, PEER_ADDR);
	ck_assert_int_eq(win->prot, prot);
	return win;
}

/* The window does not need the handle that it was made from. */
START_TEST(loads_and_stores)
{
	struct xmap_target *target;
	struct xmap_window *win;
	char *bytes;

	begin(XMAP_BACKEND_MODULE);
	target = target_open(dev, peer.pid, RW);
	win = window_open(target, PEER_LENGTH, PROT_READ | PROT_WRITE);
	xmap_target_close(target);
	bytes = win->addr;
	ck_assert_int_eq(bytes[5 * PAGE], 'O');
	peer_set(&peer, PEER_ADDR + 5 * PAGE, 1, 'x');
	/* The compiler cannot know that peer_set() changes it: ask the memory. */
	ck_assert_int_eq(__atomic_load_n(&bytes[5 * PAGE], __ATOMIC_RELAXED), 'x');
	__atomic_store_n(&bytes[5 * PAGE], 'y', __ATOMIC_RELAXED);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + 5 * PAGE), 'y');
	xmap_unmap(win);
	xmap_unmap(NULL);
	finish();
}

START_TEST(safe_copies)
{
	struct xmap_target *target;
	struct xmap_window *win;
	char buf[PEER_LENGTH];

	begin(XMAP_BACKEND_MODULE);
	target = target_open(dev, peer.pid, RW);
	win = window_open(target, PEER_LENGTH, PROT_READ | PROT_WRITE);
	xmap_target_close(target);
	ck_assert_int_eq(xmap_window_copy_from(win, 1, buf, 2 * PAGE), 2 * PAGE);
	ck_assert_int_eq(buf[2 * PAGE - 1], 'O');
	/* Cut at the end of the window. */
	ck_assert_int_eq(xmap_window_copy_from(win, PEER_LENGTH - 3, buf, PAGE), 3);
	ck_assert_int_eq(xmap_window_copy_from(win, PEER_LENGTH, buf, PAGE), 0);
	assert_err(xmap_window_copy_from(win, PEER_LENGTH + 1, buf, 1), EINVAL);
	assert_err(xmap_window_copy_to(win, PEER_LENGTH + 1, buf, 1), EINVAL);

	peer_unmap(&peer, PEER_ADDR + 2 * PAGE, PAGE);
	memset(buf, 'w', sizeof(buf));
	ck_assert_int_eq(xmap_window_copy_to(win, PAGE, buf, 3 * PAGE), PAGE);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + 2 * PAGE - 1), 'w');
	assert_err(xmap_window_copy_from(win, 2 * PAGE, buf, 1), EFAULT);
	assert_err(xmap_window_copy_to(win, 2 * PAGE, buf, 1), EFAULT);

	peer_kill(&peer);
	assert_err(xmap_window_copy_from(win, 0, buf, 1), ESRCH);
	assert_err(xmap_window_copy_to(win, 0, buf, 1), ESRCH);
	xmap_unmap(win);
	finish();
}

START_TEST(read_only_window)
{
	struct xmap_target *target;
	struct xmap_window *win;
	char c = 'w';

	begin(XMAP_BACKEND_MODULE);
	target = target_open(dev, peer.pid, RW);
	win = window_open(target, PAGE, PROT_READ);
	assert_err(xmap_window_copy_to(win, 0, &c, 1), EACCES);
	assert_err(xmap_window_prefault(win, 0, PAGE, XMAP_TARGET_PREFAULT_WRITE), EACCES);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR), 'O');
	xmap_unmap(win);
	xmap_target_close(target);
	finish();
}

/* A window never forces, whatever the handle may. */
START_TEST(window_never_forces)
{
	struct xmap_target *target;
	struct xmap_window *win;
	char c = 'w';

	begin(XMAP_BACKEND_MODULE);
	peer_protect(&peer, PEER_ADDR, PAGE, PROT_READ);
	target = target_open(dev, peer.pid, RWF);
	win = window_open(target, 2 * PAGE, PROT_READ | PROT_WRITE);
	assert_err(xmap_window_copy_to(win, 0, &c, 1), EFAULT);
	ck_assert_int_eq(xmap_window_copy_to(win, PAGE, &c, 1), 1);
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR), 'O');
	ck_assert_int_eq(peer_get(&peer, PEER_ADDR + PAGE), 'w');
	ck_assert_int_eq(xmap_window_prefault(win, 0, PAGE, 0), PAGE);
	xmap_unmap(win);
	xmap_target_close(target);
	finish();
}

START_TEST(prefault)
{
	struct xmap_target *target;
	struct xmap_window *win;

	begin(XMAP_BACKEND_MODULE);
	peer_unmap(&peer, PEER_ADDR + 3 * PAGE, PAGE);
	target = target_open(dev, peer.pid, RW);
	win = window_open(target, PEER_LENGTH, PROT_READ | PROT_WRITE);
	ck_assert_int_eq(xmap_window_prefault(win, 0, PEER_LENGTH, 0), 3 * PAGE);
	ck_assert_int_eq(xmap_window_prefault(win, 4 * PAGE, PAGE, XMAP_TARGET_PREFAULT_WRITE),
			 PAGE);
	assert_err(xmap_window_prefault(win, 3 * PAGE, PAGE, 0), EFAULT);
	assert_err(xmap_window_prefault(win, 1, PAGE, 0), EINVAL);
	assert_err(xmap_window_prefault(win, PAGE, PEER_LENGTH, 0), EINVAL);
	assert_err(xmap_window_prefault(win, PEER_LENGTH + PAGE, 0, 0), EINVAL);
	assert_err(xmap_window_prefault(win, 0, PAGE, 1U << 31), EOPNOTSUPP);
	xmap_unmap(win);
	xmap_target_close(target);
	finish();
}

START_TEST(map_errors)
{
	struct xmap_target_opts range = { .sz = sizeof(range), .addr = PEER_ADDR,
					  .length = 2 * PAGE };
	struct xmap_target *target = NULL;
	struct xmap_window *win = (void *)&peer;
	struct xmap_map_opts opts;
	char *room;

	begin(XMAP_BACKEND_MODULE);
	assert_ok(xmap_target_open(dev, peer.pidfd, &range, &target));
	room = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(room, MAP_FAILED);
#define MAP(...) \
	(opts = (struct xmap_map_opts){ .sz = sizeof(opts), __VA_ARGS__ }, \
	 xmap_map(target, PEER_ADDR, PAGE, &opts, &win))
	assert_err(MAP(.prot = PROT_READ | PROT_WRITE), EACCES);
	assert_err(MAP(.prot = PROT_WRITE), EINVAL);
	assert_err(MAP(.prot = PROT_READ | PROT_EXEC), EOPNOTSUPP);
	assert_err(MAP(.flags = MAP_POPULATE), EOPNOTSUPP);
	assert_err(MAP(.flags = MAP_FIXED), EINVAL);
	assert_err(MAP(.flags = MAP_FIXED_NOREPLACE, .hint = room), EEXIST);
	assert_err(xmap_map(target, PEER_ADDR + 1, PAGE, NULL, &win), EINVAL);
	assert_err(xmap_map(target, PEER_ADDR, PAGE + 1, NULL, &win), EINVAL);
	assert_err(xmap_map(target, PEER_ADDR, 0, NULL, &win), EINVAL);
	assert_err(xmap_map(target, PEER_ADDR + PAGE, 2 * PAGE, NULL, &win), EACCES);
	ck_assert_ptr_eq(win, &peer);
	assert_ok(MAP(.flags = MAP_FIXED, .hint = room + PAGE));
#undef MAP
	ck_assert_ptr_eq(win->addr, room + PAGE);
	ck_assert_int_eq(room[PAGE], 'O');
	xmap_unmap(win);
	munmap(room, 4 * PAGE);
	xmap_target_close(target);
	finish();
}

START_TEST(descriptors)
{
	struct xmap_cmd_query query;
	struct xmap_cmd_target_info info;
	struct xmap_target *target, *second = NULL;
	char c = 0;
	int fd;

	begin(XMAP_BACKEND_MODULE);
	ck_assert_int_eq(xmap_backend_error(dev), 0);
	ck_assert_int_ge(xmap_dev_fd(dev), 0);
	assert_ok(xmap_query(dev, &query));
	ck_assert_uint_eq(query.out_abi, XMAP_ABI_VERSION);
	target = target_open(dev, peer.pid, RWF);
	fd = dup(xmap_target_fd(target));
	xmap_target_close(target);
	assert_ok(xmap_target_from_fd(dev, fd, &second));
	ck_assert_int_eq(xmap_target_fd(second), fd);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_ok(xmap_target_info(second, &info));
	ck_assert_int_eq(info.out_rights, RWF);
	ck_assert_int_eq(xmap_read(second, PEER_ADDR, &c, 1), 1);
	ck_assert_int_eq(c, 'O');
	xmap_target_close(second);
	second = NULL;
	assert_err(xmap_target_from_fd(dev, fd, &second), EBADF);
	assert_err(xmap_target_from_fd(dev, xmap_dev_fd(dev), &second), EBADFD);
	ck_assert_ptr_null(second);
	finish();
}

START_TEST(open_by_mem_file)
{
	struct xmap_target_opts opts = { .sz = sizeof(opts), .rights = RW };
	struct xmap_target *target = NULL;
	char path[64], c = 0;
	int fd;

	begin(XMAP_BACKEND_MODULE);
	snprintf(path, sizeof(path), "/proc/%d/mem", peer.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	assert_err(xmap_target_open_mem(dev, fd, &opts, &target), EACCES);
	assert_err(xmap_target_open_mem(dev, peer.pidfd, NULL, &target), EBADFD);
	assert_err(xmap_target_open_mem(dev, -1, NULL, &target), EBADF);
	ck_assert_ptr_null(target);
	assert_ok(xmap_target_open_mem(dev, fd, NULL, &target));
	close(fd);
	ck_assert_int_eq(xmap_read(target, PEER_ADDR, &c, 1), 1);
	ck_assert_int_eq(c, 'O');
	xmap_target_close(target);
	finish();
}

START_TEST(list)
{
	struct xmap_list_entry entries[2];
	struct xmap_target *target;
	struct xmap_window *win;
	uint64_t cursor = 0;
	int targets = 0, windows = 0;

	begin(XMAP_BACKEND_MODULE);
	target = target_open(dev, peer.pid, RW);
	win = window_open(target, 3 * PAGE, PROT_READ);
	do {
		ssize_t n = xmap_list(dev, &cursor, entries, 2);

		ck_assert_int_ge(n, 0);
		while (n--) {
			if (entries[n].target_pid != peer.pid || entries[n].holder_pid != getpid())
				continue;
			targets += entries[n].kind == XMAP_LIST_TARGET;
			windows += entries[n].kind == XMAP_LIST_WINDOW &&
				   entries[n].local == (uintptr_t)win->addr &&
				   entries[n].addr == PEER_ADDR && entries[n].length == 3 * PAGE;
		}
	} while (cursor);
	ck_assert_int_eq(targets, 1);
	ck_assert_int_eq(windows, 1);
	assert_err(xmap_list(dev, &cursor, entries, 0), EINVAL);
	xmap_unmap(win);
	xmap_target_close(target);
	finish();
}

Suite *windows_suite(void)
{
	Suite *suite = suite_create("windows");
	TCase *tc = tcase_create("windows");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, loads_and_stores);
	tcase_add_test(tc, safe_copies);
	tcase_add_test(tc, read_only_window);
	tcase_add_test(tc, window_never_forces);
	tcase_add_test(tc, prefault);
	tcase_add_test(tc, map_errors);
	tcase_add_test(tc, descriptors);
	tcase_add_test(tc, open_by_mem_file);
	tcase_add_test(tc, list);
	suite_add_tcase(suite, tc);
	return suite;
}
