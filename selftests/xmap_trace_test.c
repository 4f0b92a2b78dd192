// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints: what an administrator reads of who did what to whom.
 */
#include "xmap_reader.h"

#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define RW (PROT_READ | PROT_WRITE)
#define SEED 9
#define LEN (2 * PAGE)
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
	self->addr = peer_map(&self->src, PEER_ANON, RW, LEN, SEED);
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
	unsigned long addr = self->addr, end = self->addr + LEN;
	pid_t pid = self->src.pid, me = getpid();
	int fd, ro, pidfd;
	__u64 word;
	char *win, *buf;

	/* A handle with a range, and one that is refused. */
	test_target_open(self->dev, self->src.pidfd, pid, XMAP_RIGHTS_RW, addr, LEN, &fd);
	test_target_derive(fd, XMAP_RIGHT_READ, addr + 16, 32, &ro);
	pidfd = self->src.pidfd;
	test_err_target_open(ESRCH, self->dev, pidfd, me, XMAP_RIGHT_READ, 0, 0);

	/* A window, a fault that is served, one that is not, a change of the source. */
	test_window_map(fd, addr, LEN, RW, &win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_LOAD(peer_word(SEED, PAGE), win + PAGE);
	ASSERT_EQ(0, peer_munmap(&self->src, addr + PAGE, PAGE));
	EXPECT_STORE_SIGNAL(SIGBUS, win + PAGE);
	EXPECT_EQ(0, munmap(win, LEN));

	/* Copies. */
	EXPECT_EQ(8, pread(ro, &word, 8, addr + 16));
	EXPECT_ERRNO(EACCES, pread(ro, &word, 8, addr + 8));
	buf = calloc(1, LEN);
	EXPECT_EQ(PAGE - 8, pwrite(fd, buf, LEN - 8, addr + 8));
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
		     addr + 8, LEN - 8, PAGE - 8);
	close(ro);
	close(fd);
}

TEST_HARNESS_MAIN
