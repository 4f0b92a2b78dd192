// SPDX-License-Identifier: GPL-2.0-only
/*
 * XMAP_DENY: a process that wants nobody to look at it, whom it can keep away and
 * whom not.
 */
#include "xmap_export_utils.h"
#include "xmap_hold.h"
#include "xmap_watch.h"

#define RW (PROT_READ | PROT_WRITE)
#define SEED 3
#define SECRET 9
#define PAGES 4
#define LEN (PAGES * PAGE)
#define UID_C 4711
#define SET XMAP_DENY_SET
#define CLEAR XMAP_DENY_CLEAR
#define FINAL XMAP_DENY_FINAL

/* Slots of the shared page: what must go on, then the errors. */
enum { ROUNDS, LOOKS, REFUSALS, COUNTERS, WRONG = 16, LAST_ERRNO };

FIXTURE(deny)
{
	int dev;
	int sv[2];
	long old_scope;
	/* Of the same user: nothing but a denial is between them. */
	struct peer victim;
	struct peer looker;
	unsigned long mem;
	/* What the victim sees, in memory that it shares. */
	struct xmap_list_entry *seen;
};

FIXTURE_SETUP(deny)
{
	touch_init();
	ASSERT_EQ(0, getuid());
	self->old_scope = xmap_read_long(YAMA_SCOPE);
	ASSERT_EQ(0, xmap_write_long(YAMA_SCOPE, 0));
	test_dev_open(&self->dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, self->sv));
	self->seen = xmap_shared(PAGE);
	ASSERT_EQ(0, peer_spawn_as(&self->victim, UID_A, UID_A, 0));
	ASSERT_EQ(0, peer_spawn_as(&self->looker, UID_A, UID_A, 0));
	self->mem = peer_map(&self->victim, PEER_ANON, RW, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->mem);
}

FIXTURE_TEARDOWN(deny)
{
	peer_end(&self->looker);
	peer_end(&self->victim);
	xmap_write_long(YAMA_SCOPE, self->old_scope);
	close(self->dev);
}

#define deny(flags) peer_call(&self->victim, op_deny, self->dev, flags)
#define look(p) peer_call(p, op_target, self->dev, self->victim.pid, XMAP_RIGHTS_RW)
#define look_read(p, fd) ((__u64)peer_call(p, op_read, fd, self->mem))

TEST_F(deny, flags)
{
	unsigned int bit;

	EXPECT_EQ(0, deny(0));
	EXPECT_EQ(0, deny(CLEAR));
	EXPECT_EQ(SET, deny(SET));
	EXPECT_EQ(SET, deny(0));
	EXPECT_EQ(SET, deny(SET));
	EXPECT_EQ(0, deny(CLEAR));
	EXPECT_EQ(0, deny(0));
	EXPECT_ERRNO(EINVAL, deny(SET | CLEAR));
	EXPECT_ERRNO(EINVAL, deny(FINAL));
	EXPECT_ERRNO(EINVAL, deny(CLEAR | FINAL));
	EXPECT_ERRNO(EINVAL, deny(SET | CLEAR | FINAL));
	for (bit = 3; bit < 32; bit++)
		EXPECT_ERRNO(EOPNOTSUPP, deny(SET | 1U << bit));
	EXPECT_EQ(0, deny(0));

	/* What is final can only be confirmed. */
	EXPECT_EQ(SET, deny(SET));
	EXPECT_EQ(SET | FINAL, deny(SET | FINAL));
	EXPECT_EQ(SET | FINAL, deny(0));
	EXPECT_EQ(SET | FINAL, deny(SET));
	EXPECT_ERRNO(EPERM, deny(CLEAR));
	EXPECT_EQ(SET | FINAL, deny(0));
	EXPECT_EQ(SET | FINAL, deny(SET | FINAL));

	/* It is one's own. */
	EXPECT_EQ(0, peer_call(&self->looker, op_deny, self->dev, 0));
	test_deny(0, self->dev, 0);
	test_err_deny(EINVAL, self->dev, SET | CLEAR);
	test_deny(SET | FINAL, self->dev, SET | FINAL);
	test_err_deny(EPERM, self->dev, CLEAR);
}

/* Process: an open /proc/PID/mem of it. */
static long op_open_mem(const unsigned long *a)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%lu/mem", a[0]);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* /dev/xmap, open /proc/PID/mem. */
static long op_target_mem(const unsigned long *a)
{
	int fd;

	return _test_target_open_mem(a[0], a[1], XMAP_RIGHTS_RW, 0, 0, &fd) ? -1 : fd;
}

TEST_F(deny, who_is_refused)
{
	struct peer able, less;
	int delegated;
	long mem, fd;

	ASSERT_EQ(0, peer_spawn_as(&able, UID_C, UID_C, CAP_BIT(CAP_SYS_PTRACE)));
	ASSERT_EQ(0, peer_spawn_as(&less, 0, 0, caps_all() & ~CAP_BIT(CAP_SYS_PTRACE)));
	mem = peer_call(&self->looker, op_open_mem, self->victim.pid);
	ASSERT_LE(0, mem);
	EXPECT_LE(0, look(&self->looker));
	EXPECT_LE(0, peer_call(&self->looker, op_target_mem, self->dev, mem));

	ASSERT_EQ(SET, deny(SET));
	EXPECT_ERRNO(EACCES, look(&self->looker));
	EXPECT_ERRNO(EACCES, peer_call(&self->looker, op_target_mem, self->dev, mem));
	/* Who may look passes it on to one who may not. */
	delegated = op_open_mem((unsigned long[]){ self->victim.pid });
	ASSERT_LE(0, delegated);
	fd = peer_give_fd(&self->looker, self->sv, delegated);
	ASSERT_LE(0, fd);
	EXPECT_ERRNO(EACCES, peer_call(&self->looker, op_target_mem, self->dev, fd));
	fd = peer_give_fd(&less, self->sv, delegated);
	EXPECT_ERRNO(EACCES, peer_call(&less, op_target_mem, self->dev, fd));
	EXPECT_ERRNO(EACCES, look(&less));

	/* Nothing keeps those away who are capable in the initial namespace. */
	fd = look(&able);
	EXPECT_EQ(peer_word(SEED, 0), look_read(&able, fd));
	fd = op_target((unsigned long[]){ self->dev, self->victim.pid, XMAP_RIGHTS_ALL });
	EXPECT_EQ(peer_word(SEED, 0), (__u64)op_read((unsigned long[]){ fd, self->mem }));
	fd = op_target_mem((unsigned long[]){ self->dev, delegated });
	EXPECT_EQ(peer_word(SEED, 0), (__u64)op_read((unsigned long[]){ fd, self->mem }));

	/* It is about xmap, and about this one process. */
	EXPECT_LE(0, peer_call(&self->looker, op_open_mem, self->victim.pid));
	EXPECT_LE(0, peer_call(&self->looker, op_target, self->dev, self->looker.pid, 1));
	ASSERT_EQ(0, deny(CLEAR));
	EXPECT_LE(0, look(&self->looker));
	EXPECT_LE(0, peer_call(&self->looker, op_target_mem, self->dev, mem));
	peer_end(&able);
	peer_end(&less);
}

/* A capability in the victim's own user namespace is not enough. */
TEST_F(deny, capable_in_a_namespace)
{
	struct peer joined;
	long fd;

	ASSERT_EQ(0, peer_spawn(&joined));
	ASSERT_EQ(0, peer_call(&self->victim, op_userns, 0));
	ASSERT_EQ(0, peer_call(&joined, op_join_userns, self->victim.pid));
	fd = look(&joined);
	ASSERT_LE(0, fd);
	EXPECT_EQ(peer_word(SEED, 0), look_read(&joined, fd));
	ASSERT_EQ(SET, deny(SET));
	EXPECT_ERRNO(ESTALE, peer_call(&joined, op_read, fd, self->mem));
	EXPECT_ERRNO(EACCES, look(&joined));
	peer_end(&joined);
}

/* ---- What there is already ---- */

TEST_F(deny, revokes_what_there_is)
{
	enum { MANY = 50 };
	long fd[MANY], derived, passed, win, mem, by_mem;
	struct peer other;
	int taken, i;

	ASSERT_EQ(0, peer_spawn_as(&other, UID_C, UID_C, 0));
	for (i = 0; i < MANY; i++) {
		fd[i] = look(&self->looker);
		ASSERT_LE(0, fd[i]);
	}
	derived = peer_call(&self->looker, op_derive, fd[0], XMAP_RIGHT_READ, self->mem, LEN);
	ASSERT_LE(0, derived);
	taken = peer_take_fd(&self->looker, derived);
	passed = peer_give_fd(&other, self->sv, taken);
	passed = peer_call(&other, op_derive, passed, XMAP_RIGHT_READ, 0, 0);
	ASSERT_LE(0, passed);
	win = peer_call(&self->looker, op_window, fd[1], self->mem, LEN, RW);
	ASSERT_NE(-1, win);
	EXPECT_EQ(0, peer_check(&self->looker, win, LEN, SEED));
	mem = peer_call(&self->looker, op_open_mem, self->victim.pid);
	by_mem = peer_call(&self->looker, op_target_mem, self->dev, mem);
	EXPECT_EQ(peer_word(SEED, 0), look_read(&self->looker, by_mem));

	ASSERT_EQ(SET, deny(SET));
	for (i = 0; i < MANY; i++)
		EXPECT_ERRNO(ESTALE, peer_call(&self->looker, op_read, fd[i], self->mem));
	EXPECT_ERRNO(ESTALE, peer_call(&self->looker, op_read, by_mem, self->mem));
	EXPECT_ERRNO(ESTALE, peer_call(&self->looker, op_derive, fd[0], XMAP_RIGHT_READ, 0, 0));
	EXPECT_ERRNO(ESTALE, peer_call(&self->looker, op_window, fd[0], self->mem, PAGE,
				       PROT_READ));
	EXPECT_ERRNO(ESTALE, peer_call(&other, op_read, passed, self->mem));
	EXPECT_EQ(SIGBUS, peer_touch(&self->looker, win));
	EXPECT_EQ(XMAP_TARGET_REVOKED, op_state((unsigned long[]){ taken }));
	EXPECT_EQ(POLLHUP, xmap_poll_now(taken) & POLLHUP);

	/* What was revoked stays so. */
	ASSERT_EQ(0, deny(CLEAR));
	EXPECT_ERRNO(ESTALE, peer_call(&self->looker, op_read, fd[0], self->mem));
	EXPECT_EQ(SIGBUS, peer_touch(&self->looker, win));
	fd[0] = look(&self->looker);
	EXPECT_EQ(peer_word(SEED, 0), look_read(&self->looker, fd[0]));
	peer_end(&other);
}

/* Target, address: a forced write of one word. */
static void *force_word(void *arg)
{
	unsigned long *a = arg;
	__u64 word = SECRET;

	return (void *)(pwrite(a[0], &word, sizeof(word), a[1]) == sizeof(word) ? 0L : (long)errno);
}

/* One waits for a page of the victim, as long as he likes; the others end at once. */
TEST_F(deny, stalled_forced_write)
{
	__u64 caps = caps_all() & ~CAP_BIT(CAP_SYS_PTRACE);
	struct peer victim, looker;
	unsigned long force[2];
	int first, second;
	pthread_t thread;
	struct hold hold;
	void *err;

	if (force_policy() != FORCE_ALWAYS)
		SKIP(return, "forced writes are not allowed here");
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	/* The file is root's alone. */
	ASSERT_EQ(0, peer_spawn_as(&victim, 0, 0, caps));
	ASSERT_EQ(0, peer_spawn_as(&looker, 0, 0, caps));
	ASSERT_EQ(0, hold_setup(&hold, &victim));
	first = peer_take_fd(&looker, peer_call(&looker, op_target, self->dev, victim.pid,
						XMAP_RIGHTS_ALL));
	second = peer_take_fd(&looker, peer_call(&looker, op_target, self->dev, victim.pid,
						 XMAP_RIGHTS_RW));
	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	force[0] = first;
	force[1] = hold.addr;
	ASSERT_EQ(0, pthread_create(&thread, NULL, force_word, force));
	peer_await(&peer_ctl->word[HOLD_ASKED], 1);
	EXPECT_EQ(0, xmap_poll_now(second) & POLLHUP);
	ASSERT_EQ(0, peer_start(&victim, op_deny, self->dev, SET));
	EXPECT_EQ(POLLHUP, xmap_poll_for(second, 0));
	EXPECT_EQ(XMAP_TARGET_REVOKED, op_state((unsigned long[]){ second }));
	EXPECT_ERRNO(ESTALE, op_read((unsigned long[]){ second, self->mem }));
	EXPECT_EQ(POLLHUP, xmap_poll_for(first, 0));
	EXPECT_ERRNO(ESTALE, op_read((unsigned long[]){ first, self->mem }));
	peer_set(&peer_ctl->word[HOLD_ANSWER], 1);
	/* It had been let in before, and has been waited for. */
	ASSERT_EQ(0, pthread_join(thread, &err));
	EXPECT_EQ(NULL, err);
	EXPECT_EQ(SET, peer_finish(&victim));
	peer_end(&looker);
	peer_end(&victim);
	hold_end(&hold);
}

/* Those who cannot be refused keep what they have, and what they gave others. */
TEST_F(deny, exempt_targets_stay)
{
	struct peer able;
	long fd, theirs, derived;
	int mine;
	char *win;

	ASSERT_EQ(0, peer_spawn_as(&able, UID_C, UID_C, CAP_BIT(CAP_SYS_PTRACE)));
	fd = look(&able);
	ASSERT_LE(0, fd);
	mine = op_target((unsigned long[]){ self->dev, self->victim.pid, XMAP_RIGHTS_RW });
	ASSERT_LE(0, mine);
	test_window_map(mine, self->mem, LEN, RW, &win);
	theirs = peer_give_fd(&self->looker, self->sv, mine);
	derived = peer_call(&self->looker, op_derive, theirs, XMAP_RIGHT_READ, 0, 0);
	ASSERT_LE(0, derived);
	ASSERT_EQ(SET | FINAL, deny(SET | FINAL));
	EXPECT_EQ(peer_word(SEED, 0), look_read(&able, fd));
	EXPECT_EQ(peer_word(SEED, 0), (__u64)op_read((unsigned long[]){ mine, self->mem }));
	EXPECT_EQ(0, peer_check_here(win, LEN, SEED));
	EXPECT_EQ(peer_word(SEED, 0), look_read(&self->looker, theirs));
	EXPECT_EQ(peer_word(SEED, 0), look_read(&self->looker, derived));
	EXPECT_LE(0, peer_call(&self->looker, op_derive, theirs, XMAP_RIGHT_READ, 0, 0));
	peer_end(&able);
}

TEST_F(deny, own_access)
{
	long before, after, win, fd;
	int taken;

	before = look(&self->victim);
	ASSERT_LE(0, before);
	ASSERT_EQ(SET, deny(SET));
	after = look(&self->victim);
	ASSERT_LE(0, after);
	EXPECT_EQ(peer_word(SEED, 0), look_read(&self->victim, before));
	EXPECT_EQ(peer_word(SEED, 0), look_read(&self->victim, after));
	EXPECT_LE(0, peer_call(&self->victim, op_derive, before, XMAP_RIGHT_READ, 0, 0));
	win = peer_call(&self->victim, op_window, before, self->mem, LEN, RW);
	ASSERT_NE(-1, win);
	EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->victim, win));
	fd = peer_call(&self->victim, op_open_mem, self->victim.pid);
	EXPECT_LE(0, peer_call(&self->victim, op_target_mem, self->dev, fd));

	/* To pass it on is the victim's own will. */
	taken = peer_take_fd(&self->victim, after);
	fd = peer_give_fd(&self->looker, self->sv, taken);
	EXPECT_EQ(peer_word(SEED, 0), look_read(&self->looker, fd));
	fd = peer_call(&self->looker, op_derive, fd, XMAP_RIGHT_READ, self->mem, LEN);
	EXPECT_EQ(peer_word(SEED, 0), look_read(&self->looker, fd));
	ASSERT_EQ(SET, deny(SET));
	EXPECT_EQ(peer_word(SEED, 0), look_read(&self->looker, fd));
	EXPECT_ERRNO(EACCES, look(&self->looker));
}

/* What the victim offers it offers, refusal or not. */
TEST_F(deny, exports_are_not_concerned)
{
	long theirs, fd, first, second, win;
	int taken;

	theirs = peer_call(&self->victim, op_export, self->dev, XMAP_RIGHTS_RW, self->mem, LEN);
	taken = peer_take_fd(&self->victim, theirs);
	fd = peer_give_fd(&self->looker, self->sv, taken);
	first = peer_call(&self->looker, op_accept, fd, XMAP_RIGHTS_RW, 0, 0);
	win = peer_call(&self->looker, op_window, first, self->mem, LEN, RW);
	ASSERT_NE(-1, win);
	EXPECT_EQ(0, peer_touch(&self->looker, win));
	ASSERT_EQ(SET | FINAL, deny(SET | FINAL));
	EXPECT_ERRNO(EACCES, look(&self->looker));
	EXPECT_EQ(peer_word(SEED, 0), look_read(&self->looker, first));
	EXPECT_EQ(0, peer_touch(&self->looker, win));
	EXPECT_LE(0, peer_call(&self->looker, op_derive, first, XMAP_RIGHT_READ, 0, 0));
	second = peer_call(&self->looker, op_accept, fd, XMAP_RIGHTS_RW, 0, 0);
	EXPECT_EQ(peer_word(SEED, 0), look_read(&self->looker, second));
	EXPECT_LE(0, peer_call(&self->victim, op_export, self->dev, XMAP_RIGHT_READ, 0, 0));
	/* That can be taken back by itself. */
	ASSERT_EQ(0, peer_call(&self->victim, op_revoke, theirs, 0, 0, 0));
	EXPECT_ERRNO(ESTALE, peer_call(&self->looker, op_read, second, self->mem));
}

/* Whoever wants to refuse can see whom, though it be another user. */
TEST_F(deny, the_victim_sees_who_looks)
{
	struct xmap_list_entry *e = self->seen;
	struct peer able;
	long fd;

	ASSERT_EQ(0, peer_spawn_as(&able, UID_C, UID_C, CAP_BIT(CAP_SYS_PTRACE)));
	EXPECT_EQ(0, peer_call(&self->victim, op_list_last, self->dev, XMAP_LIST_TARGET, 0, e));
	fd = look(&able);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, peer_call(&self->victim, op_list_last, self->dev, XMAP_LIST_TARGET, able.pid,
			       e));
	EXPECT_EQ(UID_C, e->holder_uid);
	EXPECT_EQ(self->victim.pid, e->target_pid);
	EXPECT_EQ(XMAP_TARGET_ALIVE, e->state);
	fd = look(&self->looker);
	ASSERT_LE(0, fd);
	ASSERT_EQ(SET, deny(SET));
	ASSERT_EQ(1, peer_call(&self->victim, op_list_last, self->dev, XMAP_LIST_TARGET, able.pid,
			       e));
	EXPECT_EQ(XMAP_TARGET_ALIVE, e->state);
	ASSERT_EQ(1, peer_call(&self->victim, op_list_last, self->dev, XMAP_LIST_TARGET,
			       self->looker.pid, e));
	EXPECT_EQ(XMAP_TARGET_REVOKED, e->state);
	peer_end(&able);
}

/* ---- How long it lasts ---- */

/* /dev/xmap: what holds in a child. */
static long op_child_deny(const unsigned long *a)
{
	int status;
	pid_t child = fork();

	if (!child)
		_exit(op_deny((unsigned long[]){ a[0], 0 }));
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void *deny_thread(void *arg)
{
	return (void *)op_deny(arg);
}

/* The same in a thread. */
static long op_thread_deny(const unsigned long *a)
{
	unsigned long args[] = { a[0], 0 };
	pthread_t thread;
	void *ret;

	if (pthread_create(&thread, NULL, deny_thread, args) || pthread_join(thread, &ret))
		return -1;
	return (long)ret;
}

TEST_F(deny, threads_and_children)
{
	pid_t child;

	ASSERT_EQ(SET | FINAL, deny(SET | FINAL));
	EXPECT_EQ(SET | FINAL, peer_call(&self->victim, op_thread_deny, self->dev));
	EXPECT_EQ(0, peer_call(&self->victim, op_child_deny, self->dev));
	child = peer_fork(&self->victim);
	ASSERT_LT(0, child);
	EXPECT_LE(0, peer_call(&self->looker, op_target, self->dev, child, XMAP_RIGHT_READ));
	EXPECT_ERRNO(EACCES, look(&self->looker));
}

TEST_F(deny, ends_with_the_program)
{
	ASSERT_EQ(SET | FINAL, deny(SET | FINAL));
	EXPECT_ERRNO(EACCES, look(&self->looker));
	ASSERT_EQ(0, peer_start(&self->victim, peer_op_exec, 0));
	ASSERT_EQ(0, peer_await_gone(&self->victim));
	EXPECT_LE(0, look(&self->looker));
}

/* Many come and go, and nothing is left of them. */
TEST_F(deny, many_processes)
{
	struct peer p[8];
	int round, i;

	for (round = 0; round < 8; round++) {
		for (i = 0; i < 8; i++) {
			ASSERT_EQ(0, peer_spawn_as(&p[i], UID_A, UID_A, 0));
			ASSERT_EQ(0, peer_call(&p[i], op_deny, self->dev, 0));
			ASSERT_EQ(SET, peer_call(&p[i], op_deny, self->dev, SET));
		}
		for (i = 0; i < 8; i++) {
			EXPECT_ERRNO(EACCES, peer_call(&self->looker, op_target, self->dev,
						       p[i].pid, XMAP_RIGHT_READ));
			if (i % 2)
				EXPECT_EQ(0, peer_call(&p[i], op_deny, self->dev, CLEAR));
			EXPECT_EQ(i % 2 ? 0 : EACCES,
				  XMAP_ERRNO(peer_call(&self->looker, op_target, self->dev,
						       p[i].pid, XMAP_RIGHT_READ)));
			peer_end(&p[i]);
		}
	}
}

/* ---- Races ---- */

static void wrong(int error)
{
	peer_ctl->count[LAST_ERRNO] = error;
	count_up(WRONG);
}

/* /dev/xmap, address: refuse, have a secret meanwhile, and refuse no longer. */
static long op_deny_loop(const unsigned long *a)
{
	__u32 now;

	while (!peer_stopped()) {
		if (_test_deny(a[0], SET, &now) || now != SET)
			wrong(errno);
		peer_fill_here((void *)a[1], LEN, SECRET);
		sched_yield();
		peer_fill_here((void *)a[1], LEN, SEED);
		if (_test_deny(a[0], CLEAR, &now) || now)
			wrong(errno);
		sched_yield();
		count_up(ROUNDS);
	}
	return 0;
}

/* /dev/xmap, process, address: open it, and look what can be seen. */
static long op_look_loop(const unsigned long *a)
{
	__u64 value;
	char *win;
	int fd, i;

	touch_init();
	while (!peer_stopped()) {
		if (_test_target_open_pid(a[0], a[1], XMAP_RIGHTS_RW, &fd)) {
			if (errno != EACCES)
				wrong(errno);
			count_up(REFUSALS);
			continue;
		}
		win = _test_window_map(fd, a[2], LEN, RW);
		if (win == MAP_FAILED && errno != ESTALE)
			wrong(errno);
		for (i = 0; i < 8; i++) {
			if (pread(fd, &value, 8, a[2] + i * 8) == 8) {
				if (value != peer_word(SEED, i * 8))
					wrong(1000);
			} else if (errno != ESTALE) {
				wrong(errno);
			}
			if (win != MAP_FAILED && !touch_load(win + i * 8, &value) &&
			    value != peer_word(SEED, i * 8))
				wrong(2000);
		}
		if (win != MAP_FAILED)
			munmap(win, LEN);
		close(fd);
		count_up(LOOKS);
	}
	return 0;
}

TEST_F(deny, against_opening)
{
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, peer_thread(&self->looker, op_look_loop, self->dev, self->victim.pid,
					 self->mem));
	ASSERT_EQ(0, peer_thread(&self->victim, op_deny_loop, self->dev, self->mem));
	EXPECT_EQ(-1, watch_progress(COUNTERS, test_short_seconds()));
	peer_set(&peer_ctl->stop, 1);
	EXPECT_EQ(0, count_of(WRONG)) {
		TH_LOG("last of them: %llu", count_of(LAST_ERRNO));
	}
	TH_LOG("%llu denials, %llu looks, %llu refused", count_of(ROUNDS), count_of(LOOKS),
	       count_of(REFUSALS));
	EXPECT_TRUE(watch_kill(&self->looker));
	EXPECT_TRUE(watch_kill(&self->victim));
}

/* /dev/xmap, counter: threads of one process that want different things. */
static long op_toggle_loop(const unsigned long *a)
{
	__u32 now, flags = SET;

	while (!peer_stopped()) {
		if (_test_deny(a[0], flags, &now) || now & ~SET)
			wrong(errno);
		flags ^= SET | CLEAR;
		count_up(a[1]);
	}
	return 0;
}

TEST_F(deny, against_itself)
{
	unsigned int i;

	for (i = 0; i < COUNTERS; i++)
		ASSERT_EQ(0, peer_thread(&self->victim, op_toggle_loop, self->dev, i));
	EXPECT_EQ(-1, watch_progress(COUNTERS, test_short_seconds()));
	EXPECT_EQ(0, count_of(WRONG)) {
		TH_LOG("last of them: %llu", count_of(LAST_ERRNO));
	}
	/* It is killed in the middle of it. */
	EXPECT_TRUE(watch_kill(&self->victim));
}

TEST_HARNESS_MAIN
