// SPDX-License-Identifier: GPL-2.0-only
/*
 * XMAP_TARGET_MAPS: what it lists is what /proc/PID/smaps says, field by field.
 */
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "xmap_utils.h"
#include "xmap_peer.h"

#define MIN_ROOM 8192
#define BIG_ROOM (1024 * 1024)
#define SEED 3

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

/* ---- The system's own list ---- */

struct mapping {
	__u64 start;
	__u64 end;
	__u64 offset;
	__u64 inode;
	__u32 flags;
	__u32 dev_major;
	__u32 dev_minor;
	__u32 page_size;
	char *name;
};

struct mappings {
	struct mapping *m;
	size_t count;
	size_t room;
};

/* A newline in a path is the only thing that the kernel writes in octal. */
static void unescape(char *name)
{
	char *to = name;

	while (*name) {
		if (!strncmp(name, "\\012", 4)) {
			*to++ = '\n';
			name += 4;
		} else {
			*to++ = *name++;
		}
	}
	*to = '\0';
}

static bool mapping_header(char *line, struct mapping *m)
{
	char perms[5];
	int name_at = 0;

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &m->start, &m->end,
		   perms, &m->offset, &m->dev_major, &m->dev_minor, &m->inode,
		   &name_at) < 7)
		return false;
	m->flags = (perms[0] == 'r' ? XMAP_VMA_READ : 0) |
		   (perms[1] == 'w' ? XMAP_VMA_WRITE : 0) |
		   (perms[2] == 'x' ? XMAP_VMA_EXEC : 0) |
		   (perms[3] == 's' ? XMAP_VMA_SHARED : 0);
	if (!m->dev_major && !m->dev_minor && !m->inode) {
		m->flags |= XMAP_VMA_ANON;
		m->offset = 0;
	}
	m->name = strdup(name_at ? line + name_at : "");
	unescape(m->name);
	return true;
}

static struct mapping *mapping_new(struct mappings *list)
{
	if (list->count == list->room) {
		list->room = list->room ? 2 * list->room : 64;
		list->m = realloc(list->m, list->room * sizeof(*list->m));
	}
	return &list->m[list->count];
}

/* From /proc/PID/smaps, or maps, which lacks what is in VmFlags. */
static struct mappings mappings_read(pid_t pid, const char *file)
{
	struct mappings list = {};
	char path[64], *line = NULL;
	struct mapping *last = NULL;
	size_t len = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "r");
	while (getline(&line, &len, f) > 0) {
		unsigned int kib;

		line[strcspn(line, "\n")] = '\0';
		if (mapping_header(line, mapping_new(&list))) {
			last = &list.m[list.count++];
			/* Of the machine, not of the process. */
			if (!strcmp(last->name, "[vsyscall]"))
				list.count--;
		} else if (sscanf(line, "KernelPageSize: %u kB", &kib) == 1) {
			last->page_size = kib << 10;
		} else if (!strncmp(line, "VmFlags:", 8)) {
			if (strstr(line, " ht"))
				last->flags |= XMAP_VMA_HUGETLB;
			if (strstr(last->name, "[xmap-window]"))
				last->flags |= XMAP_VMA_WINDOW;
			else if (strstr(line, " io") || strstr(line, " pf"))
				last->flags |= XMAP_VMA_IO;
		}
	}
	free(line);
	fclose(f);
	return list;
}

/* ---- Our list ---- */

/* All of it, by calls with this much room; -1 and errno on failure. */
static int maps_collect(int fd, __u32 room, struct mappings *list)
{
	struct xmap_cmd_target_maps cmd;
	char *buf = malloc(room);
	__u64 next = 0;

	*list = (struct mappings){};
	do {
		char *at = buf;

		if (_test_target_maps(fd, next, buf, room, &cmd))
			return -1;
		next = cmd.out_next;
		while (cmd.out_count--) {
			struct xmap_vma *vma = (void *)at;
			struct mapping *m = mapping_new(list);

			*m = (struct mapping){
				.start = vma->start,
				.end = vma->end,
				.offset = vma->offset,
				.inode = vma->inode,
				.flags = vma->flags,
				.dev_major = vma->dev_major,
				.dev_minor = vma->dev_minor,
				.page_size = vma->page_size,
				.name = strdup(vma->name),
			};
			/* The record is as long as it says, and padded with zeros. */
			if (vma->size % 8 || strlen(vma->name) != vma->name_len ||
			    vma->size < sizeof(*vma) + vma->name_len + 1 ||
			    vma->size > sizeof(*vma) + vma->name_len + 8)
				errno = EPROTO;
			list->count++;
			at += vma->size;
		}
		if (at != buf + cmd.out_used || cmd.out_used > room || errno == EPROTO) {
			errno = EPROTO;
			return -1;
		}
	} while (next);
	free(buf);
	return 0;
}

#define maps_collect_ok(fd, room, list)                                        \
	({                                                                     \
		errno = 0;                                                     \
		ASSERT_EQ(0, maps_collect(fd, room, list))                     \
		{                                                              \
			TH_LOG("%s", strerror(errno));                         \
		}                                                              \
	})

static void expect_same(struct __test_metadata *_metadata,
			const struct mappings *want, const struct mappings *got)
{
	size_t i;

	ASSERT_EQ(want->count, got->count);
	for (i = 0; i < want->count; i++) {
		const struct mapping *w = &want->m[i], *g = &got->m[i];

		EXPECT_EQ(w->start, g->start);
		EXPECT_EQ(w->end, g->end);
		EXPECT_EQ(w->flags, g->flags);
		EXPECT_EQ(w->offset, g->offset);
		EXPECT_EQ(w->inode, g->inode);
		EXPECT_EQ(w->dev_major, g->dev_major);
		EXPECT_EQ(w->dev_minor, g->dev_minor);
		if (w->page_size)
			EXPECT_EQ(w->page_size, g->page_size);
		EXPECT_STREQ(w->name, g->name);
		if (_metadata->exit_code) {
			TH_LOG("mapping %zu: %llx-%llx %s", i, w->start, w->end,
			       w->name);
			return;
		}
	}
}

FIXTURE(maps)
{
	int dev;
	long page;
	struct peer peer;
	int fd;
};

FIXTURE_SETUP(maps)
{
	self->page = xmap_page_size();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->peer));
	test_target_open(self->dev, self->peer.pidfd, self->peer.pid,
			 XMAP_RIGHTS_RW, 0, 0, &self->fd);
}

FIXTURE_TEARDOWN(maps)
{
	close(self->fd);
	peer_end(&self->peer);
	close(self->dev);
}

static const struct mapping *mapping_find(const struct mappings *list,
					  const char *part)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (strstr(list->m[i].name, part))
			return &list->m[i];
	return NULL;
}

/* ---- Names and kinds ---- */

/* Map the third page of a new file of this name; leaves the file or removes it. */
static int map_named_file(const char *path, int prot, int flags, bool keep)
{
	long page = xmap_page_size();
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0755);
	void *mem;

	if (fd < 0 || ftruncate(fd, 16 * page))
		return -1;
	mem = mmap(NULL, page, prot, flags, fd, 2 * page);
	close(fd);
	if (!keep)
		unlink(path);
	return mem == MAP_FAILED ? -1 : 0;
}

/* As deep as a path may be long, in steps, since each call takes PATH_MAX. */
static int map_long_path(const char *dir)
{
	char part[201], path[4096];
	int i;

	memset(part, 'l', 200);
	part[200] = '\0';
	snprintf(path, sizeof(path), "%s", dir);
	for (i = 0; i < 18; i++) {
		strcat(strcat(path, "/"), part);
		if (mkdir(path, 0755))
			return -1;
	}
	strcat(path, "/long file");
	return map_named_file(path, PROT_READ, MAP_PRIVATE, true);
}

static long op_make_mappings(const unsigned long *a)
{
	const char *dir = (const char *)a[0];
	long page = xmap_page_size();
	char path[4096];
	void *mem;
	int fd;

	/* A heap, and memory of every protection. */
	if (sbrk(16 * page) == (void *)-1)
		return -1;
	if (mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ||
	    mmap(NULL, page, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ||
	    mmap(NULL, page, PROT_READ | PROT_WRITE | PROT_EXEC,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ||
	    mmap(NULL, page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		return -2;
	mem = mmap(NULL, page, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, mem, page, "named one");
	mem = mmap(NULL, page, PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, mem, page, "named shared");

	snprintf(path, sizeof(path), "%s/with space", dir);
	if (map_named_file(path, PROT_READ, MAP_SHARED, true))
		return -3;
	snprintf(path, sizeof(path), "%s/with\nnewline\n", dir);
	if (map_named_file(path, PROT_READ | PROT_EXEC, MAP_PRIVATE, true))
		return -4;
	snprintf(path, sizeof(path), "%s/back\\slash\t\"quote\" \xff", dir);
	if (map_named_file(path, PROT_WRITE, MAP_PRIVATE, true))
		return -5;
	snprintf(path, sizeof(path), "%s/gone", dir);
	if (map_named_file(path, PROT_READ, MAP_PRIVATE, false))
		return -6;
	if (map_long_path(dir))
		return -7;

	fd = memfd_create("a memfd", 0);
	if (ftruncate(fd, page) ||
	    mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
		return -8;
	close(fd);
	/* A window of the peer on us. */
	if (a[1] && mmap(NULL, page, PROT_READ, MAP_SHARED, a[1], a[2]) == MAP_FAILED)
		return -9;
	if (a[3] && mmap(NULL, PEER_HUGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) == MAP_FAILED)
		return -10;
	return 0;
}

static void remove_tree(const char *dir)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	if (system(cmd))
		abort();
}

TEST_F(maps, every_kind)
{
	char dir[] = "/tmp/xmap-maps-XXXXXX";
	struct mappings want, got, after;
	bool huge = peer_want_hugetlb(1);
	int self_fd;
	void *shown;
	long ret;

	ASSERT_NE(NULL, mkdtemp(dir));
	shown = mmap(NULL, self->page, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shown);
	test_target_open_pid(self->dev, getpid(), XMAP_RIGHT_READ, &self_fd);
	/* The peer has our files' numbers only if it is forked after them. */
	peer_end(&self->peer);
	close(self->fd);
	ASSERT_EQ(0, peer_spawn(&self->peer));
	test_target_open(self->dev, self->peer.pidfd, self->peer.pid,
			 XMAP_RIGHT_READ, 0, 0, &self->fd);
	ret = peer_call(&self->peer, op_make_mappings, dir, self_fd, shown, huge);
	ASSERT_EQ(0, ret)
	{
		TH_LOG("%s", strerror(errno));
	}

	want = mappings_read(self->peer.pid, "smaps");
	maps_collect_ok(self->fd, BIG_ROOM, &got);
	after = mappings_read(self->peer.pid, "smaps");
	expect_same(_metadata, &want, &after);
	expect_same(_metadata, &want, &got);
	maps_collect_ok(self->fd, MIN_ROOM, &got);
	expect_same(_metadata, &want, &got);
	maps_collect_ok(self->fd, MIN_ROOM + 1, &got);
	expect_same(_metadata, &want, &got);

	/* What was to be there was there. */
	EXPECT_NE(NULL, mapping_find(&got, "[heap]"));
	EXPECT_NE(NULL, mapping_find(&got, "[stack]"));
	EXPECT_NE(NULL, mapping_find(&got, "[vdso]"));
	EXPECT_NE(NULL, mapping_find(&got, "[vvar]"));
	EXPECT_NE(NULL, mapping_find(&got, "/with space"));
	EXPECT_NE(NULL, mapping_find(&got, "/with\nnewline\n"));
	EXPECT_NE(NULL, mapping_find(&got, "/back\\slash\t\"quote\" \xff"));
	EXPECT_NE(NULL, mapping_find(&got, "/gone (deleted)"));
	EXPECT_NE(NULL, mapping_find(&got, "lll/long file"));
	EXPECT_NE(NULL, mapping_find(&got, "memfd:a memfd (deleted)"));
	ASSERT_NE(NULL, mapping_find(&got, "[xmap-window]"));
	EXPECT_EQ(XMAP_VMA_WINDOW, mapping_find(&got, "[xmap-window]")->flags &
				   (XMAP_VMA_WINDOW | XMAP_VMA_IO));
	EXPECT_EQ(XMAP_VMA_IO, mapping_find(&got, "[vvar]")->flags & XMAP_VMA_IO);
	EXPECT_TRUE(huge);
	EXPECT_NE(NULL, mapping_find(&got, "anon_hugepage"));
	EXPECT_EQ(PEER_HUGE_SIZE, mapping_find(&got, "anon_hugepage")->page_size);
	remove_tree(dir);
}

/* Another program, not a fork of ours. */
TEST_F(maps, after_exec)
{
	struct mappings want, got;
	char room[MIN_ROOM];
	int fd;

	ASSERT_EQ(0, peer_start(&self->peer, peer_op_exec, 0));
	ASSERT_EQ(0, peer_await_gone(&self->peer));
	test_err_target_maps(ESRCH, self->fd, 0, room, sizeof(room));
	/* It maps until it sleeps: list it when it does. */
	do {
		char path[64], text[8] = "";
		int call;

		snprintf(path, sizeof(path), "/proc/%d/syscall", self->peer.pid);
		call = open(path, O_RDONLY | O_CLOEXEC);
		if (read(call, text, 3) < 0)
			text[0] = '\0';
		close(call);
		if (atoi(text) == SYS_clock_nanosleep)
			break;
	} while (!sched_yield());
	test_target_open(self->dev, self->peer.pidfd, self->peer.pid,
			 XMAP_RIGHT_READ, 0, 0, &fd);
	want = mappings_read(self->peer.pid, "smaps");
	maps_collect_ok(fd, BIG_ROOM, &got);
	expect_same(_metadata, &want, &got);
	EXPECT_NE(NULL, mapping_find(&got, "/sleep"));
	close(fd);
}

/* Every second page of an area has another protection. */
static long op_checkerboard(const unsigned long *a)
{
	size_t i, page = xmap_page_size();
	char *mem = mmap(NULL, a[0] * page, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mem == MAP_FAILED)
		return -1;
	for (i = 1; i < a[0]; i += 2)
		if (mprotect(mem + i * page, page, PROT_READ | PROT_WRITE))
			return -1;
	return (long)mem;
}

TEST_F(maps, twenty_thousand)
{
	struct mappings want, got;
	size_t i;

	ASSERT_NE(-1, peer_call(&self->peer, op_checkerboard, 20000));
	want = mappings_read(self->peer.pid, "maps");
	ASSERT_LE(20000, want.count);
	/* maps does not tell special mappings from others. */
	maps_collect_ok(self->fd, BIG_ROOM, &got);
	for (i = 0; i < got.count; i++)
		got.m[i].flags &= ~XMAP_VMA_IO;
	expect_same(_metadata, &want, &got);
	maps_collect_ok(self->fd, MIN_ROOM, &got);
	for (i = 0; i < got.count; i++)
		got.m[i].flags &= ~XMAP_VMA_IO;
	expect_same(_metadata, &want, &got);
}

/* ---- Where a call begins and ends ---- */

static __u32 count_from(int fd, __u64 addr, __u64 *first)
{
	static char buf[MIN_ROOM * 8];
	struct xmap_cmd_target_maps cmd;

	if (_test_target_maps(fd, addr, buf, sizeof(buf), &cmd))
		return -1;
	*first = cmd.out_count ? ((struct xmap_vma *)buf)->start : 0;
	return cmd.out_count;
}

TEST_F(maps, start_address)
{
	struct mappings all;
	__u64 first;
	size_t i;

	maps_collect_ok(self->fd, BIG_ROOM, &all);
	for (i = 0; i < all.count; i++) {
		EXPECT_EQ(all.count - i, count_from(self->fd, all.m[i].start, &first));
		EXPECT_EQ(all.m[i].start, first);
		EXPECT_EQ(all.count - i, count_from(self->fd, all.m[i].end - 1, &first));
		EXPECT_EQ(all.m[i].start, first);
		EXPECT_EQ(all.count - i - 1, count_from(self->fd, all.m[i].end, &first));
	}
	EXPECT_EQ(0, count_from(self->fd, 0x7ffffffff000, &first));
	EXPECT_EQ(0, count_from(self->fd, -1UL, &first));
	EXPECT_EQ(0, count_from(self->fd, 0xffff888000000000, &first));
	EXPECT_EQ(0, count_from(self->fd, 0x8000000000000000, &first));
}

TEST_F(maps, buffer)
{
	struct xmap_cmd_target_maps cmd;
	char *mem = mmap(NULL, 4 * MIN_ROOM, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u32 used, i;

	ASSERT_NE(MAP_FAILED, (void *)mem);
	ASSERT_EQ(0, mprotect(mem + 2 * MIN_ROOM, 2 * MIN_ROOM, PROT_NONE));
	memset(mem, 0x5a, 2 * MIN_ROOM);
	test_target_maps(self->fd, 0, mem, 2 * MIN_ROOM, &cmd);
	used = cmd.out_used;
	ASSERT_LT(0, used);
	ASSERT_EQ(0, cmd.out_next);
	/* Not a byte after what it says. */
	for (i = used; i < 2 * MIN_ROOM; i++)
		ASSERT_EQ(0x5a, mem[i]);

	/* Only what is used must be there, at any alignment. */
	test_target_maps(self->fd, 0, mem + 2 * MIN_ROOM - used, 0xffffffff, &cmd);
	EXPECT_EQ(used, cmd.out_used);
	test_target_maps(self->fd, 0, mem + 1, MIN_ROOM, &cmd);
	test_err_target_maps(EFAULT, self->fd, 0, mem + 2 * MIN_ROOM - used + 1, MIN_ROOM);
	test_err_target_maps(EFAULT, self->fd, 0, mem + 2 * MIN_ROOM, MIN_ROOM);
	test_err_target_maps(EFAULT, self->fd, 0, NULL, MIN_ROOM);
	test_err_target_maps(EINVAL, self->fd, 0, mem, MIN_ROOM - 1);
	test_err_target_maps(EINVAL, self->fd, 0, mem, 0);
	munmap(mem, 4 * MIN_ROOM);
}

/* ---- What the handle lacks ---- */

TEST_F(maps, narrowed_target)
{
	unsigned long mem = peer_map(&self->peer, PEER_FILE_PRIVATE, PROT_READ,
				     8 * self->page, SEED);
	struct mappings all, got;
	const struct mapping *whole = NULL;
	size_t i;
	int fd;

	ASSERT_NE(PEER_MAP_FAILED, mem);
	maps_collect_ok(self->fd, BIG_ROOM, &all);
	for (i = 0; i < all.count; i++)
		if (all.m[i].start == mem)
			whole = &all.m[i];
	ASSERT_NE(NULL, whole);
	ASSERT_EQ(mem + 8 * self->page, whole->end);

	/* From the middle of a page to the middle of another. */
	test_target_derive(self->fd, XMAP_RIGHT_READ, mem + self->page + 5,
			   3 * self->page, &fd);
	maps_collect_ok(fd, MIN_ROOM, &got);
	ASSERT_EQ(1, got.count);
	EXPECT_EQ(mem + self->page + 5, got.m[0].start);
	EXPECT_EQ(mem + 4 * self->page + 5, got.m[0].end);
	EXPECT_EQ(self->page + 5, got.m[0].offset);
	EXPECT_EQ(whole->inode, got.m[0].inode);
	EXPECT_STREQ(whole->name, got.m[0].name);
	close(fd);

	/* Just beside it there may be others, but never it. */
	test_target_derive(self->fd, XMAP_RIGHT_READ, mem + 8 * self->page, 1, &fd);
	maps_collect_ok(fd, MIN_ROOM, &got);
	for (i = 0; i < got.count; i++) {
		EXPECT_EQ(mem + 8 * self->page, got.m[i].start);
		EXPECT_EQ(mem + 8 * self->page + 1, got.m[i].end);
	}
	close(fd);
	test_target_derive(self->fd, XMAP_RIGHT_READ, 0, 1, &fd);
	maps_collect_ok(fd, MIN_ROOM, &got);
	EXPECT_EQ(0, got.count);
	close(fd);
}

TEST_F(maps, needs_read)
{
	char buf[MIN_ROOM];
	int fd;

	test_target_derive(self->fd, XMAP_RIGHT_WRITE, 0, 0, &fd);
	test_err_target_maps(EACCES, fd, 0, buf, sizeof(buf));
	close(fd);
}

TEST_F(maps, target_ended)
{
	char buf[MIN_ROOM];

	kill(self->peer.pid, SIGKILL);
	ASSERT_EQ(0, peer_await_gone(&self->peer));
	test_err_target_maps(ESRCH, self->fd, 0, buf, sizeof(buf));
}

/* ---- While the target maps and unmaps ---- */

static long op_churn(const unsigned long *a)
{
	size_t page = xmap_page_size(), i = 0;
	char *area = (char *)a[0];

	while (!peer_stopped()) {
		char *at = area + (i * 7 % a[1]) * 2 * page;

		munmap(at, page);
		mmap(at, page, i % 3 ? PROT_READ : PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		peer_ctl->count[0]++;
		i++;
	}
	return 0;
}

/*
 * Of an area of 512 pages every second one stays, the others come and go.  Each
 * listing has every stable one exactly once, in order, nothing overlapping.
 */
TEST_F(maps, concurrent_changes)
{
	const size_t n = 256;
	unsigned long area;
	size_t i, round, next;
	struct mappings got;
	__u64 churned;

	area = peer_call(&self->peer, op_checkerboard, 2 * n);
	ASSERT_NE(PEER_MAP_FAILED, area);
	ASSERT_EQ(0, peer_thread(&self->peer, op_churn, area, n));
	churned = peer_ctl->count[0];
	for (round = 0; round < 300; round++) {
		maps_collect_ok(self->fd, round % 2 ? MIN_ROOM : BIG_ROOM, &got);
		next = 0;
		for (i = 0; i < got.count; i++) {
			struct mapping *m = &got.m[i];

			ASSERT_LT(m->start, m->end);
			if (i)
				ASSERT_LE(got.m[i - 1].end, m->start);
			/* The stable ones are those that can be written. */
			if (m->start >= area && m->end <= area + 2 * n * self->page &&
			    m->flags & XMAP_VMA_WRITE) {
				ASSERT_EQ(area + (2 * next + 1) * self->page, m->start);
				ASSERT_EQ(m->start + self->page, m->end);
				next++;
			}
			free(m->name);
		}
		ASSERT_EQ(n, next);
		free(got.m);
	}
	EXPECT_LT(churned, peer_ctl->count[0]);
	peer_ctl->stop = 1;
}

TEST_HARNESS_MAIN
