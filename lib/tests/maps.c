// SPDX-License-Identifier: LGPL-2.1-or-later
/* The list of mappings, compared with /proc/PID/maps. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests.h"

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

/* Directories below each other, and the process in the last one. */
#define DEEP_TEN "ten-chars-"
#define DEEP_FIFTY DEEP_TEN DEEP_TEN DEEP_TEN DEEP_TEN DEEP_TEN
#define DEEP_NAME DEEP_FIFTY DEEP_FIFTY DEEP_FIFTY DEEP_FIFTY DEEP_FIFTY

static void deep_enter(int levels)
{
	while (levels--) {
		ck_assert_int_eq(mkdir(DEEP_NAME, 0700), 0);
		ck_assert_int_eq(chdir(DEEP_NAME), 0);
	}
}

static void deep_leave(int levels)
{
	while (levels--) {
		ck_assert_int_eq(chdir(".."), 0);
		ck_assert_int_eq(rmdir(DEEP_NAME), 0);
	}
}

/* Map a file here, for the peer to inherit. */
static void map_file(const char *name, void *addr)
{
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, PAGE), 0);
	ck_assert_ptr_eq(mmap(addr, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0),
			 addr);
	close(fd);
}

/*
 * A path can be longer than PATH_MAX, and than the library's buffer (64 KiB): its
 * name is not told, but what comes after it in the list is as if it were short.
 */
START_TEST(path_too_long)
{
	static const int levels[] = { 20, 300 };
	uint64_t addr = PEER_ADDR - 2 * PAGE;
	const struct xmap_vma *vma = NULL;
	char top[] = "/tmp/xmap-deep-XXXXXX";
	struct xmap_target *target;
	struct xmap_maps *maps;

	ck_assert_ptr_nonnull(mkdtemp(top));
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(chdir(top), 0);
		deep_enter(levels[i]);
		map_file("file", (void *)addr);
		begin(_i);
		target = target_open(dev, peer.pid, RW);
		assert_ok(xmap_maps_open(target, &maps));
		do {
			ck_assert_int_eq(xmap_maps_next(maps, &vma), 1);
		} while (vma->start < addr);
		ck_assert_uint_eq(vma->start, addr);
		ck_assert_uint_eq(vma->end, addr + PAGE);
		ck_assert_uint_eq(vma->flags, XMAP_VMA_READ | XMAP_VMA_TRUNCATED);
		ck_assert_uint_ne(vma->inode, 0);
		ck_assert_uint_eq(vma->name_len, 0);
		ck_assert_str_eq(vma->name, "");
		ck_assert_int_eq(xmap_maps_next(maps, &vma), 1);
		ck_assert_uint_eq(vma->start, PEER_ADDR);
		xmap_maps_close(maps);
		ck_assert_int_eq(xmap_write(target, PEER_ADDR, "w", 1), 1);
		assert_err(xmap_write(target, addr, "w", 1), EFAULT);
		xmap_target_close(target);
		finish();
		munmap((void *)addr, PAGE);
		ck_assert_int_eq(unlink("file"), 0);
		deep_leave(levels[i]);
	}
	ck_assert_int_eq(rmdir(top), 0);
}

Suite *maps_suite(int backend)
{
	Suite *suite = suite_create("maps");
	TCase *tc = backend_case(suite, backend);

	tcase_add_loop_test(tc, same_as_proc, backend, backend + 1);
	tcase_add_loop_test(tc, cut_to_the_range, backend, backend + 1);
	tcase_add_loop_test(tc, nothing_there, backend, backend + 1);
	tcase_add_loop_test(tc, needs_read, backend, backend + 1);
	tcase_add_loop_test(tc, path_too_long, backend, backend + 1);
	return suite;
}
