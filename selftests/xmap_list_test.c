// SPDX-License-Identifier: GPL-2.0-only
/*
 * XMAP_LIST, the counts of XMAP_QUERY, and the limits per user.
 */
#include <grp.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include <linux/capability.h>

#include "xmap_utils.h"
#include "xmap_peer.h"

#define PAGES 4
#define UID_A 1000
#define UID_B 1001
#define ROOM 256

#define MAX_TARGETS XMAP_PARAMS "max_targets"
#define MAX_WINDOWS XMAP_PARAMS "max_windows"

/* What a peer saw, for the test to look at. */
struct seen {
	struct xmap_cmd_query query;
	__u32 count;
	struct xmap_list_entry e[ROOM];
};

static struct seen *seen;

FIXTURE(list)
{
	int dev;
	long page;
	struct peer source;
	struct peer a;
	struct peer b;
	unsigned long mem;
	long max_targets;
	long max_windows;
};

/* Arguments: user id, capabilities to keep. */
static long op_become(const unsigned long *a)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {
		{ .permitted = a[1], .effective = a[1] },
		{ .permitted = a[1] >> 32, .effective = a[1] >> 32 },
	};

	if (setgroups(0, NULL) || prctl(PR_SET_KEEPCAPS, 1) ||
	    setresgid(a[0], a[0], a[0]) || setresuid(a[0], a[0], a[0]) ||
	    syscall(SYS_capset, &head, data))
		return -1;
	return prctl(PR_SET_DUMPABLE, 1);
}

FIXTURE_SETUP(list)
{
	self->page = xmap_page_size();
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)seen);
	test_dev_open(&self->dev);
	ASSERT_EQ(0, getuid());
	ASSERT_EQ(0, peer_spawn(&self->source));
	self->mem = peer_map(&self->source, PEER_ANON, PROT_READ | PROT_WRITE,
			     PAGES * self->page, 1);
	ASSERT_NE(PEER_MAP_FAILED, self->mem);
	ASSERT_EQ(0, peer_spawn(&self->a));
	ASSERT_EQ(0, peer_spawn(&self->b));
	ASSERT_EQ(0, peer_call(&self->a, op_become, UID_A, 0));
	ASSERT_EQ(0, peer_call(&self->b, op_become, UID_B, 0));
	self->max_targets = xmap_read_long(MAX_TARGETS);
	self->max_windows = xmap_read_long(MAX_WINDOWS);
	ASSERT_LT(0, self->max_targets);
	ASSERT_LT(0, self->max_windows);
}

FIXTURE_TEARDOWN(list)
{
	xmap_write_long(MAX_TARGETS, self->max_targets);
	xmap_write_long(MAX_WINDOWS, self->max_windows);
	peer_end(&self->a);
	peer_end(&self->b);
	peer_end(&self->source);
	close(self->dev);
}

/* A target on oneself: fd, or -1 and errno. */
static long op_open(const unsigned long *a)
{
	int fd;

	return _test_target_open_pid(a[0], getpid(), a[1], &fd) ? -1 : fd;
}

static long op_derive(const unsigned long *a)
{
	int fd;

	return _test_target_derive(a[0], XMAP_RIGHT_READ, a[1], a[2], &fd) ? -1 : fd;
}

static long op_map(const unsigned long *a)
{
	void *win = _test_window_map(a[0], a[1], a[2], PROT_READ);

	return win == MAP_FAILED ? -1 : (long)win;
}

static long op_recv_fd(const unsigned long *a)
{
	return xmap_recv_fd(a[0]);
}

#define peer_close(p, fd) peer_syscall(p, SYS_close, fd)

/* List all with room for step entries a call, and query. */
static long op_list(const unsigned long *a)
{
	__u32 count, step = a[1];
	__u64 cursor = 0;

	if (_test_query(a[0], &seen->query))
		return -1;
	seen->count = 0;
	do {
		if (seen->count + step > ROOM)
			step = ROOM - seen->count;
		if (_test_list(a[0], &seen->e[seen->count], step, cursor, &count,
			       &cursor))
			return -1;
		if (count > step || (cursor && count != step))
			return -2;
		seen->count += count;
	} while (cursor);
	return 0;
}

#define see(peer, step)                                                        \
	ASSERT_EQ(0, peer_call(peer, op_list, self->dev, step))
#define see_self(step) see(&(struct peer){ .sock = -1 }, step)

/* Number of entries that this process made. */
static unsigned int entries_of(pid_t holder)
{
	unsigned int i, n = 0;

	for (i = 0; i < seen->count; i++)
		n += seen->e[i].holder_pid == holder;
	return n;
}

static const struct xmap_list_entry *last_of(pid_t holder, __u32 kind)
{
	int i;

	for (i = seen->count - 1; i >= 0; i--)
		if (seen->e[i].holder_pid == holder && seen->e[i].kind == kind)
			return &seen->e[i];
	return NULL;
}

static __u64 boottime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* ---- What is reported ---- */

TEST_F(list, target_entry)
{
	__u64 before = boottime(), after;
	const struct xmap_list_entry *e;
	int fd;

	test_target_open(self->dev, self->source.pidfd, self->source.pid,
			 XMAP_RIGHTS_RW, self->mem + 1, 99, &fd);
	after = boottime();
	see_self(ROOM);
	e = last_of(getpid(), XMAP_LIST_TARGET);
	ASSERT_NE(NULL, e);
	EXPECT_EQ(XMAP_RIGHTS_RW, e->rights);
	EXPECT_EQ(0, e->holder_uid);
	EXPECT_EQ(self->source.pid, e->target_pid);
	EXPECT_EQ(XMAP_TARGET_ALIVE, e->state);
	EXPECT_EQ(self->mem + 1, e->addr);
	EXPECT_EQ(99, e->length);
	EXPECT_EQ(0, e->local);
	EXPECT_EQ(0, e->count);
	EXPECT_LE(before, e->since);
	EXPECT_LE(e->since, after);

	close(fd);
	see_self(ROOM);
	EXPECT_EQ(NULL, last_of(getpid(), XMAP_LIST_TARGET));
}

TEST_F(list, window_entry)
{
	const struct xmap_list_entry *e;
	__u64 *ro, *rw;
	__u64 faults;
	int fd;

	test_target_open(self->dev, self->source.pidfd, self->source.pid,
			 XMAP_RIGHTS_RW, 0, 0, &fd);
	test_window_map(fd, self->mem + self->page, 2 * self->page, PROT_READ, &ro);
	see_self(ROOM);
	EXPECT_EQ(2, entries_of(getpid()));
	e = last_of(getpid(), XMAP_LIST_WINDOW);
	ASSERT_NE(NULL, e);
	EXPECT_EQ(0, e->holder_uid);
	EXPECT_EQ(self->source.pid, e->target_pid);
	EXPECT_EQ(XMAP_TARGET_ALIVE, e->state);
	EXPECT_EQ(self->mem + self->page, e->addr);
	EXPECT_EQ(2 * self->page, e->length);
	EXPECT_EQ((unsigned long)ro, e->local);
	EXPECT_EQ(0, e->count);

	EXPECT_EQ(peer_word(1, self->page), __atomic_load_n(ro, __ATOMIC_RELAXED));
	see_self(ROOM);
	faults = last_of(getpid(), XMAP_LIST_WINDOW)->count;
	EXPECT_LT(0, faults);
	EXPECT_EQ(peer_word(1, self->page), __atomic_load_n(ro, __ATOMIC_RELAXED));
	see_self(ROOM);
	EXPECT_EQ(faults, last_of(getpid(), XMAP_LIST_WINDOW)->count);

	test_window_map(fd, self->mem, self->page, PROT_READ | PROT_WRITE, &rw);
	see_self(ROOM);
	e = last_of(getpid(), XMAP_LIST_WINDOW);
	EXPECT_EQ((unsigned long)rw, e->local);
	EXPECT_EQ(XMAP_RIGHTS_RW, e->rights);

	/* The window is there without the target's fd; the target stays with it. */
	close(fd);
	see_self(ROOM);
	EXPECT_EQ(3, entries_of(getpid()));
	munmap(rw, self->page);
	see_self(ROOM);
	EXPECT_EQ(2, entries_of(getpid()));
	munmap(ro, 2 * self->page);
	see_self(ROOM);
	EXPECT_EQ(0, entries_of(getpid()));
}

TEST_F(list, state_of_a_dead_target)
{
	const struct xmap_list_entry *e;
	int fd;

	test_target_open(self->dev, self->source.pidfd, self->source.pid,
			 XMAP_RIGHT_READ, 0, 0, &fd);
	kill(self->source.pid, SIGKILL);
	ASSERT_EQ(0, waitid(P_PID, self->source.pid, NULL, WEXITED));
	self->source.pid = 0;
	see_self(ROOM);
	e = last_of(getpid(), XMAP_LIST_TARGET);
	ASSERT_NE(NULL, e);
	EXPECT_EQ(XMAP_TARGET_DEAD, e->state);
	EXPECT_EQ(0, e->target_pid);
	close(fd);
}

/* The holder can end while somebody else has the file. */
TEST_F(list, holder_that_ended)
{
	int sv[2], fd, theirs;
	struct peer c;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv));
	ASSERT_EQ(0, peer_spawn(&c));
	ASSERT_EQ(0, peer_call(&c, op_become, UID_A, 0));
	theirs = peer_call(&c, op_open, self->dev, XMAP_RIGHT_READ);
	ASSERT_LE(0, theirs);
	see(&self->a, ROOM);
	EXPECT_EQ(1, entries_of(c.pid));
	EXPECT_EQ(1, seen->query.out_targets);
	fd = syscall(SYS_pidfd_getfd, c.pidfd, theirs, 0);
	ASSERT_LE(0, fd);
	peer_end(&c);
	/* Charged to the user who made it, for as long as it is there. */
	see(&self->a, ROOM);
	ASSERT_EQ(1, seen->count);
	EXPECT_EQ(0, seen->e[0].holder_pid);
	EXPECT_EQ(UID_A, seen->e[0].holder_uid);
	EXPECT_EQ(1, seen->query.out_targets);
	close(fd);
	see(&self->a, ROOM);
	EXPECT_EQ(0, seen->count);
	EXPECT_EQ(0, seen->query.out_targets);
	close(sv[0]);
	close(sv[1]);
}

/* ---- Who sees it ---- */

TEST_F(list, own_entries_only)
{
	int fd;

	test_target_open_pid(self->dev, getpid(), XMAP_RIGHT_READ, &fd);
	ASSERT_LE(0, peer_call(&self->a, op_open, self->dev, XMAP_RIGHT_READ));
	ASSERT_LE(0, peer_call(&self->a, op_open, self->dev, XMAP_RIGHTS_RW));
	ASSERT_LE(0, peer_call(&self->b, op_open, self->dev, XMAP_RIGHT_READ));

	see(&self->a, ROOM);
	EXPECT_EQ(2, seen->count);
	EXPECT_EQ(2, entries_of(self->a.pid));
	EXPECT_EQ(UID_A, seen->e[0].holder_uid);
	EXPECT_EQ(2, seen->query.out_targets);
	see(&self->b, ROOM);
	EXPECT_EQ(1, seen->count);
	EXPECT_EQ(1, entries_of(self->b.pid));
	EXPECT_EQ(1, seen->query.out_targets);

	/* With the capability: all, but the count is of one's own. */
	see_self(ROOM);
	EXPECT_EQ(2, entries_of(self->a.pid));
	EXPECT_EQ(1, entries_of(self->b.pid));
	EXPECT_EQ(1, entries_of(getpid()));
	close(fd);
}

TEST_F(list, capability_sees_all)
{
	struct peer c, d;

	ASSERT_LE(0, peer_call(&self->a, op_open, self->dev, XMAP_RIGHT_READ));
	ASSERT_LE(0, peer_call(&self->b, op_open, self->dev, XMAP_RIGHT_READ));
	ASSERT_EQ(0, peer_spawn(&c));
	ASSERT_EQ(0, peer_call(&c, op_become, 4711, 1UL << CAP_SYS_PTRACE));
	see(&c, ROOM);
	EXPECT_EQ(1, entries_of(self->a.pid));
	EXPECT_EQ(1, entries_of(self->b.pid));
	EXPECT_EQ(0, seen->query.out_targets);

	/* Root's id without the capability is a user like others. */
	ASSERT_EQ(0, peer_spawn(&d));
	ASSERT_EQ(0, peer_call(&d, op_become, 0, 1UL << CAP_SYS_ADMIN));
	see(&d, ROOM);
	EXPECT_EQ(0, entries_of(self->a.pid));
	EXPECT_EQ(0, entries_of(self->b.pid));
	peer_end(&c);
	peer_end(&d);
}

/* What one's other processes have where is no more to be seen than in their maps. */
TEST_F(list, addresses_of_another_process_are_hidden)
{
	unsigned long mem = self->mem + self->page;
	const struct xmap_list_entry *e;
	size_t len = 2 * self->page;
	struct peer same, able;
	struct {
		struct peer *by;
		bool shown;
	} c[] = { { &self->a, true }, { &same, false }, { &able, true } };
	long fd, win;
	size_t i;

	ASSERT_EQ(0, peer_spawn(&same));
	ASSERT_EQ(0, peer_call(&same, op_become, UID_A, 0));
	ASSERT_EQ(0, peer_spawn(&able));
	ASSERT_EQ(0, peer_call(&able, op_become, UID_A, 1UL << CAP_SYS_PTRACE));
	fd = peer_call(&self->a, op_open, self->dev, XMAP_RIGHT_READ);
	ASSERT_LE(0, fd);
	win = peer_call(&self->a, op_map, fd, mem, len);
	ASSERT_NE(-1, win);
	ASSERT_LE(0, peer_call(&self->a, op_derive, fd, mem, len));

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		see(c[i].by, ROOM);
		ASSERT_EQ(3, entries_of(self->a.pid));
		e = last_of(self->a.pid, XMAP_LIST_TARGET);
		EXPECT_EQ(c[i].shown ? mem : 0, e->addr);
		EXPECT_EQ(0, e->local);
		EXPECT_EQ(len, e->length);
		e = last_of(self->a.pid, XMAP_LIST_WINDOW);
		EXPECT_EQ(c[i].shown ? mem : 0, e->addr);
		EXPECT_EQ(c[i].shown ? win : 0, e->local);
		EXPECT_EQ(len, e->length);
		EXPECT_EQ(self->a.pid, e->target_pid);
	}
	peer_end(&same);
	peer_end(&able);
}

static long op_userns(const unsigned long *a)
{
	char uids[32];

	(void)a;
	snprintf(uids, sizeof(uids), "0 %d 1", geteuid());
	if (unshare(CLONE_NEWUSER) || prctl(PR_SET_DUMPABLE, 1))
		return -1;
	return xmap_write_file("/proc/self/uid_map", uids);
}

/* All capabilities in a user namespace of one's own show nobody else's. */
TEST_F(list, user_namespace)
{
	ASSERT_LE(0, peer_call(&self->a, op_open, self->dev, XMAP_RIGHT_READ));
	ASSERT_LE(0, peer_call(&self->b, op_open, self->dev, XMAP_RIGHT_READ));
	ASSERT_EQ(0, peer_call(&self->a, op_userns, 0));
	see(&self->a, ROOM);
	EXPECT_EQ(1, seen->count);
	EXPECT_EQ(1, entries_of(self->a.pid));
	EXPECT_EQ(0, seen->e[0].holder_uid);
}

/* ---- Going on ---- */

TEST_F(list, steps)
{
	struct xmap_list_entry *all;
	unsigned int i, step, count;

	for (i = 0; i < 70; i++)
		ASSERT_LE(0, peer_call(&self->a, op_open, self->dev, XMAP_RIGHT_READ));
	see(&self->a, ROOM);
	count = seen->count;
	ASSERT_EQ(70, count);
	all = malloc(sizeof(seen->e));
	memcpy(all, seen->e, sizeof(seen->e));
	for (i = 1; i < count; i++)
		ASSERT_LE(all[i - 1].since, all[i].since);
	for (step = 1; step <= 71; step += step < 5 ? 1 : 11) {
		memset(seen->e, 0, sizeof(seen->e));
		see(&self->a, step);
		ASSERT_EQ(count, seen->count);
		EXPECT_EQ(0, memcmp(all, seen->e, count * sizeof(*all)));
	}
	free(all);
}

/* One call; arguments: /dev/xmap, room, cursor.  The next cursor, or -1. */
static long op_list_once(const unsigned long *a)
{
	__u64 cursor;

	if (_test_list(a[0], seen->e, a[1], a[2], &seen->count, &cursor))
		return -1;
	return cursor;
}

TEST_F(list, steps_over_what_has_gone)
{
	struct peer *a = &self->a;
	long fds[5], cursor;
	int i;

	for (i = 0; i < 5; i++) {
		fds[i] = peer_call(a, op_open, self->dev,
				   i % 2 ? XMAP_RIGHT_WRITE : XMAP_RIGHT_READ);
		ASSERT_LE(0, fds[i]);
	}
	cursor = peer_call(a, op_list_once, self->dev, 2, 0);
	EXPECT_EQ(2, seen->count);
	ASSERT_LT(0, cursor);
	/* The last one that was reported, and the next one. */
	ASSERT_EQ(0, peer_close(a, fds[1]));
	ASSERT_EQ(0, peer_close(a, fds[2]));
	EXPECT_EQ(0, peer_call(a, op_list_once, self->dev, 2, cursor));
	EXPECT_EQ(2, seen->count);
	EXPECT_EQ(XMAP_RIGHT_WRITE, seen->e[0].rights);
	EXPECT_EQ(XMAP_RIGHT_READ, seen->e[1].rights);
	/* A cursor behind everything. */
	EXPECT_EQ(0, peer_call(a, op_list_once, self->dev, 2, -1UL));
	EXPECT_EQ(0, seen->count);
}

/* /dev/xmap: make things and let them go, which others see in their lists. */
static long op_come_and_go(const unsigned long *a)
{
	long page = xmap_page_size();
	int fd, derived;
	void *win;

	while (!peer_stopped()) {
		if (_test_target_open_pid(a[0], getpid(), XMAP_RIGHT_READ, &fd) ||
		    _test_target_derive(fd, XMAP_RIGHT_READ, 0, 0, &derived))
			return -1;
		win = _test_window_map(derived, (unsigned long)seen, page, PROT_READ);
		if (close(fd) || close(derived) || munmap(win, page))
			return -1;
		__atomic_add_fetch(&peer_ctl->count[0], 1, __ATOMIC_SEQ_CST);
	}
	return 0;
}

#define STAY 6

/* In order of creation; what stays is seen once, whatever comes and goes around it. */
TEST_F(list, while_things_come_and_go)
{
	struct peer *p[] = { &self->a, &self->b, &self->source };
	__u64 cursor, last, stays[STAY], from;
	struct xmap_list_entry e[7];
	unsigned int i, pass, found;
	__u32 count, room, others = 0;
	int fd[STAY];

	from = __atomic_load_n(&peer_ctl->count[0], __ATOMIC_SEQ_CST);
	for (i = 0; i < STAY; i++) {
		/* Half of them are in the middle of what comes and goes. */
		if (i == STAY / 2) {
			for (pass = 0; pass < ARRAY_SIZE(p); pass++)
				ASSERT_EQ(0, peer_start(p[pass], op_come_and_go, self->dev));
		}
		while (i >= STAY / 2 &&
		       __atomic_load_n(&peer_ctl->count[0], __ATOMIC_SEQ_CST) < from + 10 * i)
			sched_yield();
		test_target_open_pid(self->dev, getpid(), XMAP_RIGHT_WRITE, &fd[i]);
	}
	for (pass = 0; pass < 300; pass++) {
		room = 1 + pass % ARRAY_SIZE(e);
		cursor = 0;
		last = 0;
		found = 0;
		do {
			test_list(self->dev, e, room, cursor, &count, &cursor);
			ASSERT_GE(room, count);
			for (i = 0; i < count; i++) {
				ASSERT_LT(last, e[i].serial);
				last = e[i].serial;
				ASSERT_TRUE(e[i].kind == XMAP_LIST_TARGET ||
					    e[i].kind == XMAP_LIST_WINDOW);
				ASSERT_EQ(XMAP_TARGET_ALIVE, e[i].state);
				if (e[i].holder_pid != getpid()) {
					others++;
					continue;
				}
				ASSERT_GT(STAY, found);
				if (!pass)
					stays[found] = e[i].serial;
				ASSERT_EQ(stays[found], e[i].serial);
				found++;
			}
		} while (cursor);
		ASSERT_EQ(STAY, found);
	}
	EXPECT_LT(0, others);
	peer_set(&peer_ctl->stop, 1);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		EXPECT_EQ(0, peer_finish(p[i]));
	see_self(ROOM);
	EXPECT_EQ(STAY, seen->count);
	for (i = 0; i < STAY; i++)
		close(fd[i]);
}

TEST_F(list, buffer)
{
	struct xmap_list_entry *mem = mmap(NULL, 2 * self->page, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *end = (char *)mem + self->page;
	__u64 cursor;
	__u32 count;
	int fd, fd2;

	ASSERT_NE(MAP_FAILED, (void *)mem);
	ASSERT_EQ(0, mprotect(end, self->page, PROT_NONE));
	test_target_open_pid(self->dev, getpid(), XMAP_RIGHT_READ, &fd);
	test_target_open_pid(self->dev, getpid(), XMAP_RIGHT_READ, &fd2);
	see_self(ROOM);

	/* Room is only needed for what there is, however much is offered. */
	mem = (void *)(end - seen->count * sizeof(*mem));
	test_list(self->dev, mem, 0xffffffff, 0, &count, &cursor);
	EXPECT_EQ(seen->count, count);
	EXPECT_EQ(0, cursor);
	test_err_list(EFAULT, self->dev, mem + 1, 0xffffffff, 0);
	test_err_list(EFAULT, self->dev, (void *)end, 1, 0);
	test_err_list(EINVAL, self->dev, mem, 0, 0);
	close(fd);
	close(fd2);
}

/* ---- Limits ---- */

#define MANY 2000

/* Arguments: device, room for MANY entries. */
static long op_list_many(const unsigned long *a)
{
	__u64 cursor;
	__u32 count;

	return _test_list(a[0], (void *)a[1], MANY, 0, &count, &cursor);
}

/*
 * A long list ends where the caller is killed.  How far it was by then depends on
 * the machine: it is tried until a kill came in the middle.
 */
TEST_F(list, killed_in_the_middle)
{
	struct rlimit files = { .rlim_cur = MANY + 100, .rlim_max = MANY + 100 };
	size_t size = MANY * sizeof(struct xmap_list_entry);
	unsigned int i, cut = 0, rounds = 0;
	struct xmap_list_entry *e;
	struct peer lister;
	int first, fd;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	test_target_open_pid(self->dev, self->source.pid, XMAP_RIGHT_READ, &first);
	for (i = 1; i < MANY; i++)
		test_target_derive(first, XMAP_RIGHT_READ, 0, 0, &fd);
	e = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE,
		 -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)e);
	while (!cut) {
		ASSERT_GT(1000, rounds++);
		memset(e, 0, size);
		ASSERT_EQ(0, peer_spawn(&lister));
		ASSERT_EQ(0, peer_start(&lister, op_list_many, self->dev, e));
		while (!__atomic_load_n(&e[0].kind, __ATOMIC_RELAXED))
			continue;
		EXPECT_TRUE(WIFSIGNALED(peer_kill(&lister, SIGKILL)));
		lister.pid = 0;
		peer_end(&lister);
		cut += !e[MANY - 1].kind;
	}
}

TEST_F(list, target_limit)
{
	long fd[3];

	ASSERT_EQ(0, xmap_write_long(MAX_TARGETS, 3));
	fd[0] = peer_call(&self->a, op_open, self->dev, XMAP_RIGHT_READ);
	fd[1] = peer_call(&self->a, op_open, self->dev, XMAP_RIGHT_READ);
	fd[2] = peer_call(&self->a, op_derive, fd[0]);
	ASSERT_LE(0, fd[0]);
	ASSERT_LE(0, fd[1]);
	ASSERT_LE(0, fd[2]);
	EXPECT_ERRNO(EDQUOT, peer_call(&self->a, op_open, self->dev, XMAP_RIGHT_READ));
	EXPECT_ERRNO(EDQUOT, peer_call(&self->a, op_derive, fd[0]));
	see(&self->a, ROOM);
	EXPECT_EQ(3, seen->query.out_max_targets);
	EXPECT_EQ(3, seen->query.out_targets);
	EXPECT_EQ(3, seen->count);

	/* Nobody else feels it. */
	EXPECT_LE(0, peer_call(&self->b, op_open, self->dev, XMAP_RIGHT_READ));

	/* One less, one more. */
	EXPECT_EQ(0, peer_close(&self->a, fd[1]));
	EXPECT_LE(0, peer_call(&self->a, op_derive, fd[0]));
	EXPECT_ERRNO(EDQUOT, peer_call(&self->a, op_derive, fd[0]));

	/* What is there stays when the limit falls below it. */
	ASSERT_EQ(0, xmap_write_long(MAX_TARGETS, 1));
	see(&self->a, ROOM);
	EXPECT_EQ(3, seen->query.out_targets);
	EXPECT_EQ(0, peer_close(&self->a, fd[0]));
	EXPECT_ERRNO(EDQUOT, peer_call(&self->a, op_open, self->dev, XMAP_RIGHT_READ));
	ASSERT_EQ(0, xmap_write_long(MAX_TARGETS, 0));
	EXPECT_ERRNO(EDQUOT, peer_call(&self->b, op_open, self->dev, XMAP_RIGHT_READ));
}

TEST_F(list, window_limit)
{
	struct peer *a = &self->a;
	long fd, win[2];

	/* On its own memory: shared with nobody, at the same address as here. */
	fd = peer_call(a, op_open, self->dev, XMAP_RIGHT_READ);
	ASSERT_LE(0, fd);
	self->mem = peer_map(a, PEER_ANON, PROT_READ | PROT_WRITE, 4 * self->page, 1);
	ASSERT_EQ(0, xmap_write_long(MAX_WINDOWS, 2));
	win[0] = peer_call(a, op_map, fd, self->mem, self->page);
	win[1] = peer_call(a, op_map, fd, self->mem, 4 * self->page);
	ASSERT_NE(-1, win[0]);
	ASSERT_NE(-1, win[1]);
	EXPECT_ERRNO(EDQUOT, peer_call(a, op_map, fd, self->mem, self->page));
	see(a, ROOM);
	EXPECT_EQ(2, seen->query.out_max_windows);
	EXPECT_EQ(2, seen->query.out_windows);
	EXPECT_EQ(1, seen->query.out_targets);
	EXPECT_EQ(3, seen->count);

	EXPECT_EQ(0, peer_munmap(a, win[0], self->page));
	win[0] = peer_call(a, op_map, fd, self->mem, self->page);
	EXPECT_NE(-1, win[0]);
	EXPECT_ERRNO(EDQUOT, peer_call(a, op_map, fd, self->mem, self->page));

	/* The windows that there are work on at a limit of none. */
	ASSERT_EQ(0, xmap_write_long(MAX_WINDOWS, 0));
	EXPECT_EQ(peer_word(1, 0), peer_load(a, win[0]));
	EXPECT_EQ(0, peer_munmap(a, win[0], self->page));
	EXPECT_EQ(0, peer_munmap(a, win[1], 4 * self->page));
	EXPECT_ERRNO(EDQUOT, peer_call(a, op_map, fd, self->mem, self->page));
	see(a, ROOM);
	EXPECT_EQ(0, seen->query.out_windows);
}

/* A target passed on still counts for the user who opened it. */
TEST_F(list, charge_stays_with_the_opener)
{
	int sv[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv));
	/* Only a peer that is forked now has the socket. */
	peer_end(&self->b);
	ASSERT_EQ(0, peer_spawn(&self->b));
	ASSERT_EQ(0, peer_call(&self->b, op_become, UID_B, 0));
	test_target_open_pid(self->dev, getpid(), XMAP_RIGHT_READ, &fd);
	ASSERT_EQ(0, xmap_send_fd(sv[0], fd));
	close(fd);
	fd = peer_call(&self->b, op_recv_fd, sv[1]);
	ASSERT_LE(0, fd);
	see(&self->b, ROOM);
	EXPECT_EQ(0, seen->query.out_targets);
	EXPECT_EQ(0, seen->count);
	see_self(ROOM);
	EXPECT_EQ(1, seen->query.out_targets);
	/* A window of it is the other's. */
	ASSERT_NE(-1, peer_call(&self->b, op_map, fd, self->mem & ~0xfffUL, self->page));
	see(&self->b, ROOM);
	EXPECT_EQ(1, seen->query.out_windows);
	EXPECT_EQ(1, seen->count);
	EXPECT_EQ(UID_B, seen->e[0].holder_uid);
	close(sv[0]);
	close(sv[1]);
}

/* A user's counts come back to nothing, however the objects end. */
TEST_F(list, counts_return_to_zero)
{
	struct peer c;
	long fd;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, peer_spawn(&c));
		ASSERT_EQ(0, peer_call(&c, op_become, 4713, 0));
		fd = peer_call(&c, op_open, self->dev, XMAP_RIGHTS_RW);
		ASSERT_LE(0, fd);
		ASSERT_LE(0, peer_call(&c, op_derive, fd));
		ASSERT_NE(-1, peer_call(&c, op_map, fd, (unsigned long)seen, self->page));
		see(&c, ROOM);
		EXPECT_EQ(3, seen->count);
		if (i == 1)
			ASSERT_EQ(0, peer_call(&c, peer_op_exec, 0) + 1);
		peer_end(&c);
		ASSERT_EQ(0, peer_spawn(&c));
		ASSERT_EQ(0, peer_call(&c, op_become, 4713, 0));
		see(&c, ROOM);
		EXPECT_EQ(0, seen->query.out_targets);
		EXPECT_EQ(0, seen->query.out_windows);
		EXPECT_EQ(0, seen->count);
		peer_end(&c);
	}
}

TEST_HARNESS_MAIN
