// SPDX-License-Identifier: LGPL-2.1-or-later
/* The list of mappings, compared with /proc/PID/maps. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests.h"

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

static void check_line(const char *line, const struct xmap_vma *vma)
{
	unsigned long start, end, offset, inode;
	unsigned int major, minor;
	char perms[5];
	int name = 0;
	int fields;

	fields = sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %n", &start, &end, perms, &offset,
			&major, &minor, &inode, &name);
	ck_assert_int_eq(fields, 7);
	ck_assert_uint_eq(vma->start, start);
	ck_assert_uint_eq(vma->end, end);
	ck_assert_int_eq(!!(vma->flags & XMAP_VMA_READ), perms[0] == 'r');
	ck_assert_int_eq(!!(vma->flags & XMAP_VMA_WRITE), perms[1] == 'w');
	ck_assert_int_eq(!!(vma->flags & XMAP_VMA_EXEC), perms[2] == 'x');
	ck_assert_int_eq(!!(vma->flags & XMAP_VMA_SHARED), perms[3] == 's');
	ck_assert_int_eq(!!(vma->flags & XMAP_VMA_ANON), !inode && !major && !minor);
	ck_assert_uint_eq(vma->offset, inode ? offset : 0);
	ck_assert_uint_eq(vma->inode, inode);
	ck_assert_uint_eq(vma->dev_major, major);
	ck_assert_uint_eq(vma->dev_minor, minor);
	ck_assert_uint_eq(vma->page_size, PAGE);
	ck_assert_str_eq(vma->name, line + name);
	ck_assert_uint_eq(vma->name_len, strlen(vma->name));
	ck_assert_uint_eq(vma->size % 8, 0);
	ck_assert_uint_gt(vma->size, sizeof(*vma) + vma->name_len);
}

START_TEST(same_as_proc)
{
	const struct xmap_vma *vma = NULL;
	struct xmap_target *target;
	struct xmap_maps *maps = NULL;
	char path[64], line[8192];
	int seen = 0;
	FILE *file;

	begin(_i);
	/* Enough of them for more than one call to the module. */
	for (int i = 0; i < 600; i++)
		peer_map_shared(&peer, PEER_ADDR + PEER_LENGTH + 2 * i * PAGE, PAGE, PROT_READ);
	target = target_open(dev, peer.pid, XMAP_RIGHT_READ);
	assert_ok(xmap_maps_open(target, &maps));
	xmap_target_close(target);
	snprintf(path, sizeof(path), "/proc/%d/maps", peer.pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		/* Not a mapping of the process. */
		if (strstr(line, "[vsyscall]"))
			continue;
		ck_assert_int_eq(xmap_maps_next(maps, &vma), 1);
		check_line(line, vma);
		seen++;
	}
	fclose(file);
	assert_ok(xmap_maps_next(maps, &vma));
	assert_ok(xmap_maps_next(maps, &vma));
	ck_assert_int_gt(seen, 600);
	xmap_maps_close(maps);
	finish();
}

START_TEST(cut_to_the_range)
{
	struct xmap_target_opts opts = { .sz = sizeof(opts), .addr = PEER_ADDR + PAGE + 16,
					 .length = 3 * PAGE };
	const struct xmap_vma *vma = NULL;
	struct xmap_target *target = NULL;
	struct xmap_maps *maps = NULL;

	begin(_i);
	peer_protect(&peer, PEER_ADDR + 2 * PAGE, PAGE, PROT_READ);
	peer_unmap(&peer, PEER_ADDR + 3 * PAGE, PAGE);
	peer_map_shared(&peer, PEER_ADDR + 4 * PAGE, 2 * PAGE, PROT_READ);
	assert_ok(xmap_target_open(dev, peer.pidfd, &opts, &target));
	assert_ok(xmap_maps_open(target, &maps));

	ck_assert_int_eq(xmap_maps_next(maps, &vma), 1);
	ck_assert_uint_eq(vma->start, PEER_ADDR + PAGE + 16);
	ck_assert_uint_eq(vma->end, PEER_ADDR + 2 * PAGE);
	ck_assert_uint_eq(vma->flags, XMAP_VMA_READ | XMAP_VMA_WRITE | XMAP_VMA_ANON);
	ck_assert_int_eq(xmap_maps_next(maps, &vma), 1);
	ck_assert_uint_eq(vma->start, PEER_ADDR + 2 * PAGE);
	ck_assert_uint_eq(vma->end, PEER_ADDR + 3 * PAGE);
	ck_assert_uint_eq(vma->flags, XMAP_VMA_READ | XMAP_VMA_ANON);
	ck_assert_int_eq(xmap_maps_next(maps, &vma), 1);
	ck_assert_uint_eq(vma->start, PEER_ADDR + 4 * PAGE);
	ck_assert_uint_eq(vma->end, PEER_ADDR + 4 * PAGE + 16);
	ck_assert_uint_eq(vma->flags, XMAP_VMA_READ | XMAP_VMA_SHARED);
	assert_ok(xmap_maps_next(maps, &vma));
	xmap_maps_close(maps);
	xmap_target_close(target);
	finish();
}

START_TEST(nothing_there)
{
	struct xmap_target_opts opts = { .sz = sizeof(opts), .addr = PEER_ADDR - 2 * PAGE,
					 .length = PAGE };
	const struct xmap_vma *vma = (void *)&opts;
	struct xmap_target *target = NULL;
	struct xmap_maps *maps = NULL;

	begin(_i);
	assert_ok(xmap_target_open(dev, peer.pidfd, &opts, &target));
	assert_ok(xmap_maps_open(target, &maps));
	assert_ok(xmap_maps_next(maps, &vma));
	ck_assert_ptr_eq(vma, (void *)&opts);
	xmap_maps_close(maps);
	xmap_target_close(target);
	finish();
}

START_TEST(needs_read)
{
	struct xmap_target *target;
	struct xmap_maps *maps = (void *)&peer;

	begin(_i);
	target = target_open(dev, peer.pid, XMAP_RIGHT_WRITE);
	assert_err(xmap_maps_open(target, &maps), EACCES);
	ck_assert_ptr_eq(maps, &peer);
	xmap_target_close(target);
	xmap_maps_close(NULL);
	finish();
}

static TCase *maps_case(int backend)
{
	TCase *tc = tcase_create(backend_name(backend));
	int end = backend + 1;

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_loop_test(tc, same_as_proc, backend, end);
	tcase_add_loop_test(tc, cut_to_the_range, backend, end);
	tcase_add_loop_test(tc, nothing_there, backend, end);
	tcase_add_loop_test(tc, needs_read, backend, end);
	return tc;
}

Suite *maps_suite(int first_backend)
{
	Suite *suite = suite_create("maps");
	int i;

	for (i = first_backend; i <= XMAP_BACKEND_SYSCALLS; i++)
		suite_add_tcase(suite, maps_case(i));
	return suite;
}
