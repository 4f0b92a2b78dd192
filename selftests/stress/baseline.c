// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the system has before and after.
 *
 * Both times everything that can be given back is: caches are dropped, slabs shrunk.
 * The first time is after a short run, so that what is allocated once and kept (slab
 * pages of each processor, the page cache of the programs, the module of zram) is
 * part of the baseline, and the tolerances can be small.  What is freed in its own
 * time (by RCU, by a work queue, with a group that dies when its last page goes) gets
 * up to a minute; what has leaked does not go by waiting.
 */
#include <dirent.h>
#include <glob.h>

#include "stress.h"

enum item {
	B_USERS,
	B_OBJECTS,
	B_CHARGED,
	B_BLOCKED,
	B_ZOMBIES,
	B_PROCESSES,
	B_MOUNTS,
	B_FILES,
	B_INODES,
	B_FREE,
	B_SLAB,
	B_SLAB_FIRST,
	NR_SLABS = 8,
	NR_ITEMS = B_SLAB_FIRST + NR_SLABS,
};

/*
 * How much more there may be, or less of free memory.
 *
 * Open files: the counter is exact to one batch per processor.  Inodes: those of
 * /proc and /sys that the test itself has looked at.  Memory and slabs: caches that
 * those who use them just now keep from being dropped.  Objects: those of kernel
 * threads that came and went, and files on their way to be freed.
 */
static const struct {
	const char *name;
	long tolerance;
} items[NR_ITEMS] = {
	[B_USERS] = { "uses of the module", 0 },
	[B_OBJECTS] = { "entries of XMAP_LIST", 0 },
	[B_CHARGED] = { "objects charged, and pages of regions", 0 },
	[B_BLOCKED] = { "processes in D state", 0 },
	[B_ZOMBIES] = { "zombies", 0 },
	[B_PROCESSES] = { "processes of programs", 0 },
	[B_MOUNTS] = { "mounts", 0 },
	[B_FILES] = { "open files", 64 },
	[B_INODES] = { "inodes", 256 },
	[B_FREE] = { "kB of memory in use", 8 * 1024 },
	[B_SLAB] = { "kB of slabs", 4 * 1024 },
	[B_SLAB_FIRST] = { "mm_struct", 4 },
	{ "task_struct", 16 },
	{ "pid", 32 },
	{ "filp", 64 },
	{ "vm_area_struct", 128 },
	{ "anon_vma", 64 },
	{ "io_kiocb", 16 },
	{ "mmu_notifier_subscriptions", 0 },
};

static long first[NR_ITEMS];

char *stat_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t got = 0;
	ssize_t n;

	if (fd < 0)
		return NULL;
	while (got < size - 1 && (n = read(fd, buf + got, size - 1 - got)) > 0)
		got += n;
	close(fd);
	buf[got] = '\0';
	return buf;
}

/* The first number after this word at the beginning of a line; -1 if there is none. */
long stat_value(const char *path, const char *field)
{
	static char text[65536];
	const char *at = stat_text(path, text, sizeof(text));

	for (; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (!strncmp(at, field, strlen(field)))
			return strtol(at + strlen(field), NULL, 10);
	return -1;
}

static long count_lines(const char *path)
{
	static char text[65536];
	const char *at = stat_text(path, text, sizeof(text));
	long lines = 0;

	for (; at && *at; at++)
		lines += *at == '\n';
	return lines;
}

static long count_objects(void)
{
	struct xmap_list_entry entries[64];
	long objects = 0;
	__u64 cursor = 0;
	__u32 n;

	do {
		if (_test_list(self.dev, entries, ARRAY_SIZE(entries), cursor, &n, &cursor))
			return -1;
		objects += n;
	} while (cursor);
	return objects;
}

/* Of the user that everybody here is. */
static long count_charged(void)
{
	struct xmap_cmd_query cmd = { .size = sizeof(cmd) };

	if (ioctl(self.dev, XMAP_QUERY, &cmd))
		return -1;
	return cmd.out_targets + cmd.out_windows + cmd.out_exports + cmd.out_regions +
	       cmd.out_region_bytes / PAGE;
}

static void count_processes(long *values)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[300], text[512], *state;
	long memory;

	while (proc && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		if (atoi(entry->d_name) <= 0 || !stat_text(path, text, sizeof(text)))
			continue;
		state = strrchr(text, ')');
		if (!state)
			continue;
		values[B_ZOMBIES] += state[2] == 'Z';
		snprintf(path, sizeof(path), "/proc/%s/statm", entry->d_name);
		memory = xmap_read_long(path);
		/* Kernel threads have no memory; they come and go, and wait as they like. */
		values[B_PROCESSES] += memory > 0;
		values[B_BLOCKED] += memory > 0 && state[2] == 'D';
	}
	if (proc)
		closedir(proc);
}

/* Free pages that processors keep for themselves, in kB: MemFree does not count them. */
static long kept_free(void)
{
	static char text[65536];
	const char *at = stat_text("/proc/zoneinfo", text, sizeof(text));
	long pages = 0;

	while (at && (at = strstr(at, " count: "))) {
		at += sizeof(" count: ") - 1;
		pages += strtol(at, NULL, 10);
	}
	return pages * (PAGE / 1024);
}

/* Everything that is kept only in case it is needed again. */
static void give_back(void)
{
	glob_t slabs = {};
	size_t i;

	sync();
	xmap_write_file("/proc/sys/vm/drop_caches", "3");
	if (!glob("/sys/kernel/slab/*/shrink", 0, NULL, &slabs))
		for (i = 0; i < slabs.gl_pathc; i++)
			xmap_write_file(slabs.gl_pathv[i], "1");
	globfree(&slabs);
	xmap_write_file("/proc/sys/vm/drop_caches", "3");
}

static void take(long *values)
{
	char field[40];
	int i;

	give_back();
	memset(values, 0, NR_ITEMS * sizeof(*values));
	/* Before everything that opens more files. */
	values[B_INODES] = xmap_read_long("/proc/sys/fs/inode-nr");
	count_processes(values);
	/* This process has the device open, and that is all. */
	values[B_USERS] = xmap_read_long("/sys/module/xmap/refcnt") - 1;
	values[B_OBJECTS] = count_objects();
	values[B_CHARGED] = count_charged();
	values[B_MOUNTS] = count_lines("/proc/self/mounts");
	values[B_FILES] = xmap_read_long("/proc/sys/fs/file-nr");
	values[B_FREE] = -stat_value("/proc/meminfo", "MemFree:") - kept_free();
	values[B_SLAB] = stat_value("/proc/meminfo", "Slab:");
	for (i = 0; i < NR_SLABS; i++) {
		snprintf(field, sizeof(field), "%s ", items[B_SLAB_FIRST + i].name);
		values[B_SLAB_FIRST + i] = stat_value("/proc/slabinfo", field);
	}
}

/* ---- What the memory is used for, for those who look where it went ---- */

#define NR_LINES 64

static long meminfo_before[NR_LINES];

static void memory_by_use(bool report)
{
	static char text[4096];
	char *line, *save;
	long value, more;
	int i = 0;

	if (!stat_text("/proc/meminfo", text, sizeof(text)))
		return;
	for (line = strtok_r(text, "\n", &save); line && i < NR_LINES;
	     line = strtok_r(NULL, "\n", &save), i++) {
		value = strtol(line + strcspn(line, ":") + 1, NULL, 10);
		more = value - meminfo_before[i];
		meminfo_before[i] = value;
		if (report && labs(more) >= 1024)
			printf("# %.*s: %+ld kB\n", (int)strcspn(line, ":"), line, more);
	}
}

/* Until nothing is less any more than a moment ago. */
void baseline_take(void)
{
	const struct timespec pause = { .tv_nsec = 500000000 };
	long values[NR_ITEMS];
	bool less = true;
	int i, turns;

	take(first);
	for (turns = 0; less && turns < 20; turns++) {
		nanosleep(&pause, NULL);
		take(values);
		less = false;
		for (i = 0; i < NR_ITEMS; i++) {
			if (first[i] - values[i] > items[i].tolerance / 8)
				less = true;
			first[i] = values[i];
		}
	}
	memory_by_use(false);
}

static bool within(const long *values)
{
	int i;

	for (i = 0; i < NR_ITEMS; i++) {
		if (items[i].tolerance ? values[i] - first[i] > items[i].tolerance :
					 values[i] != first[i])
			return false;
	}
	return !values[B_USERS] && !values[B_OBJECTS] && !values[B_CHARGED] &&
	       !values[B_BLOCKED] && !values[B_ZOMBIES];
}

void baseline_report(void)
{
	const struct timespec pause = { .tv_nsec = 500000000 };
	__u64 until = test_now_ms() + 60000;
	long values[NR_ITEMS], more;
	bool good;
	int i;

	take(values);
	while (!within(values) && test_now_ms() < until) {
		nanosleep(&pause, NULL);
		take(values);
	}
	memory_by_use(true);
	for (i = 0; i < NR_ITEMS; i++) {
		more = values[i] - first[i];
		if (values[i] == -1 && i > B_SLAB) {
			/* Merged with others of its size here. */
			continue;
		}
		good = items[i].tolerance ? more <= items[i].tolerance : !more;
		if (i <= B_ZOMBIES)
			good = !values[i];
		printf("# %s: %+ld (%ld before)\n", items[i].name, more, labs(first[i]));
		result(good, "baseline: %s", items[i].name);
	}
}
