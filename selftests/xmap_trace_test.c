// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints: what an administrator reads of who did what to whom.
 */
#include "xmap_region_utils.h"

#include <stdarg.h>

#define SEED 9
#define MEM (2 * PAGE)
#define TRACEFS "/sys/kernel/tracing"
#define INSTANCE TRACEFS "/instances/xmap-test"

FIXTURE(trace)
{
	struct peer src;
	unsigned long addr;
	char *text;
	int dev;
};

FIXTURE_SETUP(trace)
{
	touch_init();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->src));
	self->addr = peer_map(&self->src, PEER_ANON, RW, MEM, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->addr);
	if (access(TRACEFS "/instances", F_OK))
		ASSERT_EQ(0, mount("tracefs", TRACEFS, "tracefs", 0, NULL));
	rmdir(INSTANCE);
	ASSERT_EQ(0, mkdir(INSTANCE, 0755));
	ASSERT_EQ(0, xmap_write_file(INSTANCE "/events/xmap/enable", "1"));
}

FIXTURE_TEARDOWN(trace)
{
	xmap_write_file(INSTANCE "/events/xmap/enable", "0");
	EXPECT_EQ(0, rmdir(INSTANCE));
	peer_end(&self->src);
	close(self->dev);
	free(self->text);
}

/* All that has been traced until now. */
static void trace_read(FIXTURE_DATA(trace) *self)
{
	size_t room = 1 << 20, used = 0;
	int fd = open(INSTANCE "/trace", O_RDONLY | O_CLOEXEC);
	ssize_t got;

	free(self->text);
	self->text = calloc(1, room + 1);
	while (used < room && (got = read(fd, self->text + used, room - used)) > 0)
		used += got;
	close(fd);
}

/* Is there a line of that process with just this text after its time? */
__attribute__((format(printf, 3, 4)))
static bool trace_has(const FIXTURE_DATA(trace) *self, pid_t pid, const char *format, ...)
{
	char want[256], who[32], *text = strdup(self->text), *line, *next;
	bool found = false;
	va_list args;

	va_start(args, format);
	vsnprintf(want, sizeof(want), format, args);
	va_end(args);
	snprintf(who, sizeof(who), "-%d ", pid);
	for (line = text; line && !found; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		found = line[0] != '#' && strstr(line, who) && strstr(line, ": xmap_") &&
			!strcmp(strstr(line, ": xmap_") + 2, want);
	}
	free(text);
	return found;
}

#define EXPECT_TRACE(who, ...)                                                 \
	EXPECT_TRUE(trace_has(self, who, __VA_ARGS__))                             \
	{                                                                      \
		TH_LOG(__VA_ARGS__);                                           \
		TH_LOG("is not in:\n%s", self->text);                          \
	}

TEST_F(trace, every_event)
{
	unsigned long addr = self->addr, end = self->addr + MEM;
	pid_t pid = self->src.pid, me = getpid();
	int fd, ro, pidfd;
	__u64 word;
	char *win, *buf;

	/* A handle with a range, and one that is refused. */
	test_target_open(self->dev, self->src.pidfd, pid, XMAP_RIGHTS_RW, addr, MEM, &fd);
	test_target_derive(fd, XMAP_RIGHT_READ, addr + 16, 32, &ro);
	pidfd = self->src.pidfd;
	test_err_target_open(ESRCH, self->dev, pidfd, me, XMAP_RIGHT_READ, 0, 0);

	/* A window, a fault that is served, one that is not, a change of the source. */
	test_window_map(fd, addr, MEM, RW, &win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_LOAD(peer_word(SEED, PAGE), win + PAGE);
	ASSERT_EQ(0, peer_munmap(&self->src, addr + PAGE, PAGE));
	EXPECT_STORE_SIGNAL(SIGBUS, win + PAGE);
	EXPECT_EQ(0, munmap(win, MEM));

	/* Copies. */
	EXPECT_EQ(8, pread(ro, &word, 8, addr + 16));
	EXPECT_ERRNO(EACCES, pread(ro, &word, 8, addr + 8));
	buf = calloc(1, MEM);
	EXPECT_EQ(PAGE - 8, pwrite(fd, buf, MEM - 8, addr + 8));
	free(buf);

	trace_read(self);
	EXPECT_TRACE(me, "xmap_open: target=%d range=%lx-%lx rights=0x3", pid, addr, end);
	EXPECT_TRACE(me, "xmap_open: target=%d range=%lx-%lx rights=0x1", pid, addr + 16,
		     addr + 48);
	EXPECT_TRACE(me, "xmap_deny: uid=0 target=%d fd=%d rights=0x1 error=-3", me, pidfd);
	EXPECT_TRACE(me, "xmap_map: target=%d range=%lx-%lx local=%lx writable=1", pid, addr, end,
		     (unsigned long)win);
	EXPECT_TRACE(me, "xmap_unmap: target=%d range=%lx-%lx local=%lx writable=1", pid, addr, end,
		     (unsigned long)win);
	/* VM_FAULT_NOPAGE, VM_FAULT_SIGBUS. */
	EXPECT_TRACE(me, "xmap_fault: target=%d addr=%lx write=0 result=0x100", pid, addr);
	EXPECT_TRACE(me, "xmap_fault: target=%d addr=%lx write=1 result=0x2", pid, addr + PAGE);
	/* MMU_NOTIFY_UNMAP, by the source itself. */
	EXPECT_TRACE(pid, "xmap_invalidate: target=%d range=%lx-%lx event=0", pid, addr + PAGE,
		     end);
	EXPECT_TRACE(me, "xmap_transfer: target=%d addr=%lx length=8 flags=0x0 result=8", pid,
		     addr + 16);
	EXPECT_TRACE(me, "xmap_transfer: target=%d addr=%lx length=8 flags=0x0 result=-13", pid,
		     addr + 8);
	EXPECT_TRACE(me, "xmap_transfer: target=%d addr=%lx length=%lu flags=0x1 result=%lu", pid,
		     addr + 8, MEM - 8, PAGE - 8);
	close(ro);
	close(fd);
}

/* What is offered, and taken back: from all, from one, from a region. */
TEST_F(trace, exports_and_revocations)
{
	struct xmap_cmd_export_create cmd = {
		.flags = XMAP_EXPORT_PUBLISH, .rights = XMAP_RIGHT_READ, .mode = 0600, .gid = -1,
	};
	unsigned long addr = self->addr, end = addr + MEM;
	pid_t pid = self->src.pid, me = getpid();
	long fd, target, ro;
	int mine;
	char *win;

	/* Of the source's memory, then of all of ours. */
	fd = peer_call(&self->src, op_export, self->dev, XMAP_RIGHTS_RW, addr, MEM);
	ASSERT_LE(0, fd);
	target = peer_call(&self->src, op_accept, fd, XMAP_RIGHTS_RW, 0, 0);
	ASSERT_LE(0, target);
	ro = peer_call(&self->src, op_derive, target, XMAP_RIGHT_READ, 0, 0);
	ASSERT_LE(0, ro);
	mine = peer_take_fd(&self->src, target);
	ASSERT_LE(0, mine);
	test_window_map(mine, addr, MEM, RW, &win);
	EXPECT_EQ(0, peer_call(&self->src, op_revoke, ro, 0, addr, PAGE));
	EXPECT_EQ(0, peer_call(&self->src, op_revoke, target, 0, addr, PAGE));
	EXPECT_EQ(0, peer_call(&self->src, op_revoke, fd, 0, 0, 0));
	test_export_create_cmd(self->dev, &cmd);

	trace_read(self);
	EXPECT_TRACE(pid, "xmap_export: range=%lx-%lx rights=0x3 published=0", addr, end);
	EXPECT_TRACE(me, "xmap_export: range=0-%lx rights=0x1 published=1", USER_END);
	EXPECT_TRACE(pid, "xmap_revoke: range=%lx-%lx depth=2 windows=0", addr, addr + PAGE);
	EXPECT_TRACE(pid, "xmap_revoke: range=%lx-%lx depth=1 windows=1", addr, addr + PAGE);
	EXPECT_TRACE(pid, "xmap_revoke: range=0-%lx depth=0 windows=1", USER_END);
	EXPECT_EQ(0, munmap(win, MEM));
	close(mine);
	close(cmd.out_fd);
}

/* Each handle of a region, however it is made. */
TEST_F(trace, regions)
{
	struct xmap_cmd_region_create cmd = {
		.flags = XMAP_REGION_PUBLISH | XMAP_REGION_SINGLE_OWNER, .mode = 0600, .gid = -1,
		.length = MEM, .name = "xmap-trace",
	};
	unsigned long long serial;
	pid_t me = getpid();
	int part, opened;

	test_region_create_cmd(self->dev, &cmd);
	serial = xmap_serial(self->dev, XMAP_LIST_REGION, me);
	test_region_derive(cmd.out_fd, XMAP_RIGHT_READ, 16, PAGE, &part);
	test_region_open(self->dev, XMAP_RIGHTS_RW, cmd.name, &opened);
	test_revoke(part, 16, 8);
	test_revoke(cmd.out_fd, 0, 0);

	trace_read(self);
	EXPECT_TRACE(me, "xmap_region: region=%llu length=%lx flags=0x5 range=0-%lx rights=0xb",
		     serial, MEM, USER_END);
	EXPECT_TRACE(me, "xmap_region: region=%llu length=%lx flags=0x5 range=10-%lx rights=0x1",
		     serial, MEM, PAGE + 16);
	EXPECT_TRACE(me, "xmap_region: region=%llu length=%lx flags=0x5 range=0-%lx rights=0x3",
		     serial, MEM, USER_END);
	EXPECT_TRACE(me, "xmap_revoke: range=10-18 depth=1 windows=0");
	EXPECT_TRACE(me, "xmap_revoke: range=0-%lx depth=0 windows=0", USER_END);
	close(opened);
	close(part);
	close(cmd.out_fd);
}

TEST_HARNESS_MAIN
