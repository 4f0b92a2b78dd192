// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory for targets, windows and handles of regions is charged to who makes them: a memory
 * cgroup that limits a program limits this, too.
 *
 * Compared with objects that the kernel has without xmap, because a file and a
 * mapping are charged by themselves; what is left is the module's own.
 */
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "xmap_utils.h"

#define CGROUP "/sys/fs/cgroup"
#define GROUP CGROUP "/xmap-charge-test"
#define MAX_TARGETS XMAP_PARAMS "max_targets"
#define MAX_REGIONS XMAP_PARAMS "max_regions"

/*
 * The kernel takes charges in advance, up to 256 KiB for each processor.  On one
 * processor that makes 32 bytes for each of so many, and twice that for the
 * difference of two kinds.
 */
#define MANY 8000
/* Bigger ones are not that many: 131 bytes for each will do, and they are slow to check. */
#define FEWER (MANY / 2)
/* Bytes that an object of the module has at the very least. */
#define TARGET_BYTES 160
#define WINDOW_BYTES 256
/* More than a handle without its node. */
#define HANDLE_BYTES 384

/* What the objects are made of. */
static int target, memfd, region;
static void *memory;
static long page;
static int fds[MANY];
static void *maps[MANY];

FIXTURE(charge)
{
	long max_targets;
	long max_regions;
};

/* ---- One object of each kind ---- */

static bool make_eventfd(int i)
{
	fds[i] = eventfd(0, EFD_CLOEXEC);
	return fds[i] >= 0;
}

static bool make_target(int i)
{
	return !_test_target_derive(target, XMAP_RIGHT_READ, 0, 0, &fds[i]);
}

static bool make_handle(int i)
{
	struct xmap_cmd_region_derive cmd = { .size = sizeof(cmd), .rights = XMAP_RIGHT_READ };

	fds[i] = ioctl(region, XMAP_REGION_DERIVE, &cmd) ? -1 : cmd.out_fd;
	return fds[i] >= 0;
}

static void close_fd(int i)
{
	close(fds[i]);
}

/* A window has a file of its own. */
static bool make_mapping_and_file(int i)
{
	maps[i] = mmap(NULL, page, PROT_READ, MAP_SHARED, memfd, 0);
	return maps[i] != MAP_FAILED && make_eventfd(i);
}

static void drop_mapping_and_file(int i)
{
	munmap(maps[i], page);
	close(fds[i]);
}

static bool make_window(int i)
{
	maps[i] = mmap(NULL, page, PROT_READ, MAP_SHARED, target, (unsigned long)memory);
	return maps[i] != MAP_FAILED;
}

static void drop_window(int i)
{
	munmap(maps[i], page);
}

/* ---- The group ---- */

static bool group_join(void)
{
	if (access(CGROUP "/cgroup.controllers", F_OK) &&
	    mount("cgroup2", CGROUP, "cgroup2", 0, NULL))
		return false;
	xmap_write_file(CGROUP "/cgroup.subtree_control", "+memory");
	rmdir(GROUP);
	if (mkdir(GROUP, 0755) || access(GROUP "/memory.current", F_OK))
		return false;
	return !xmap_write_file(GROUP "/cgroup.procs", "0");
}

/* What many of a kind cost, in bytes for each; -1 if they cannot be made. */
static long cost(int many, bool (*make)(int i), void (*drop)(int i))
{
	long before = xmap_read_long(GROUP "/memory.current");
	long after;
	int i, made;

	for (made = 0; made < many && make(made); made++)
		;
	after = xmap_read_long(GROUP "/memory.current");
	for (i = 0; i < made; i++)
		drop(i);
	return made == many ? (after - before) / many : -1;
}

FIXTURE_SETUP(charge)
{
	const struct rlimit files = { .rlim_cur = 2 * MANY, .rlim_max = 2 * MANY };
	struct xmap_cmd_region_create cmd = { .size = sizeof(cmd) };
	cpu_set_t cpus;
	int dev, cpu;

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, sched_getaffinity(0, sizeof(cpus), &cpus));
	for (cpu = 0; !CPU_ISSET(cpu, &cpus); cpu++)
		;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(cpus), &cpus));
	page = xmap_page_size();
	self->max_targets = xmap_read_long(MAX_TARGETS);
	self->max_regions = xmap_read_long(MAX_REGIONS);
	test_dev_open(&dev);
	test_target_open_pid(dev, getpid(), XMAP_RIGHT_READ, &target);
	memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, memory);
	memfd = memfd_create("charge", MFD_CLOEXEC);
	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, page));
	cmd.length = page;
	ASSERT_EQ(0, ioctl(dev, XMAP_REGION_CREATE, &cmd));
	region = cmd.out_fd;

	/* The table of descriptors grows before anything is measured. */
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	ASSERT_EQ(2 * MANY - 1, dup2(dev, 2 * MANY - 1));
	close(2 * MANY - 1);
	close(dev);
	ASSERT_EQ(0, xmap_write_long(MAX_TARGETS, self->max_targets + MANY));
	ASSERT_EQ(0, xmap_write_long(MAX_REGIONS, self->max_regions + MANY));
	if (!group_join())
		SKIP(return, "no memory control group of one's own");
}

FIXTURE_TEARDOWN(charge)
{
	if (geteuid())
		return;
	EXPECT_EQ(0, xmap_write_long(MAX_TARGETS, self->max_targets));
	EXPECT_EQ(0, xmap_write_long(MAX_REGIONS, self->max_regions));
	xmap_write_file(CGROUP "/cgroup.procs", "0");
	rmdir(GROUP);
}

TEST_F(charge, targets)
{
	long files = cost(MANY, make_eventfd, close_fd);
	long targets = cost(MANY, make_target, close_fd);

	TH_LOG("%ld bytes for a file, %ld for a target", files, targets);
	ASSERT_LT(0, files);
	EXPECT_LE(files + TARGET_BYTES, targets);
}

TEST_F(charge, handles_of_regions)
{
	long files = cost(FEWER, make_eventfd, close_fd);
	long handles = cost(FEWER, make_handle, close_fd);

	TH_LOG("%ld bytes for a file, %ld for a handle", files, handles);
	ASSERT_LT(0, files);
	EXPECT_LE(files + HANDLE_BYTES, handles);
}

TEST_F(charge, windows)
{
	long mappings = cost(FEWER, make_mapping_and_file, drop_mapping_and_file);
	long windows = cost(FEWER, make_window, drop_window);

	TH_LOG("%ld bytes for a mapping and a file, %ld for a window", mappings, windows);
	ASSERT_LT(0, mappings);
	EXPECT_LE(mappings + WINDOW_BYTES, windows);
}

TEST_HARNESS_MAIN
