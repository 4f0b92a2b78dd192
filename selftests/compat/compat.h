/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 32-bit side: starts a 64-bit twin, has it do things, and has both ask the
 * kernel the same.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include "../xmap_utils.h"
#include "../xmap_peer.h"
#include "twin.h"

#include <libgen.h>
#include <sys/sysmacros.h>

_Static_assert(sizeof(void *) == 4, "this is the 32-bit side");
_Static_assert(sizeof(off_t) == 8, "addresses are file offsets");

/* Descriptors that both have, under one number. */
enum {
	SHARED_DEV = 100,
	SHARED_PIDFD,
	SHARED_MEM,
	SHARED_TARGET,
	SHARED_TARGET2,
	SHARED_DEVNULL,
	SHARED_EXPORT,
	SHARED_REGION,
	SHARED_REGION2,
	SHARED_EVENT,
	SHARED_END,
};

struct twin {
	pid_t pid;
	int sock;
};

/* ---- Starting it, and having it do things ---- */

static inline void *arena_at(__u32 off)
{
	return (void *)(uintptr_t)(TWIN_ARENA + off);
}

/* The memory that both have; its file. */
static inline int arena_map(void)
{
	int fd = memfd_create("xmap-arena", 0);
	void *mem;

	if (fd < 0 || ftruncate(fd, TWIN_ARENA_SIZE))
		return -1;
	mem = mmap(arena_at(0), TWIN_ARENA_SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	return mem == arena_at(0) ? fd : -1;
}

static inline void twin_exec(int sock, int arena)
{
	char path[PATH_MAX] = "", name[PATH_MAX + 32], number[16];

	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		_exit(1);
	snprintf(name, sizeof(name), "%s/xmap_compat_twin", dirname(path));
	snprintf(number, sizeof(number), "%d", arena);
	if (dup2(sock, TWIN_SOCK) != TWIN_SOCK)
		_exit(1);
	execl(name, name, number, NULL);
	_exit(1);
}

static inline int twin_answer_get(struct twin *t, __s64 *ret)
{
	struct twin_answer answer;

	if (recv(t->sock, &answer, sizeof(answer), 0) != sizeof(answer)) {
		errno = ESRCH;
		return -1;
	}
	*ret = answer.ret;
	errno = answer.err;
	return 0;
}

static inline int twin_spawn(struct twin *t)
{
	int arena = arena_map();
	__s64 ready;
	int sv[2];

	*t = (struct twin){ .sock = -1 };
	if (arena < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return -1;
	t->pid = fork();
	if (!t->pid)
		twin_exec(sv[1], arena);
	close(sv[1]);
	close(arena);
	t->sock = sv[0];
	if (t->pid < 0 || twin_answer_get(t, &ready))
		return -1;
	return ready;
}

static inline void twin_end(struct twin *t)
{
	if (t->sock >= 0)
		close(t->sock);
	if (t->pid > 0) {
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
	}
	munmap(arena_at(0), TWIN_ARENA_SIZE);
	t->sock = -1;
	t->pid = 0;
}

static inline __s64 twin_do(struct twin *t, struct twin_order order)
{
	__s64 ret;

	if (send(t->sock, &order, sizeof(order), MSG_NOSIGNAL) != sizeof(order)) {
		errno = ESRCH;
		return -1;
	}
	return twin_answer_get(t, &ret) ? -1 : ret;
}

#define twin_call(t, code, ...)							\
	twin_do(t, (struct twin_order){ .op = (code), .a = { __VA_ARGS__ } })

/* Give a descriptor to both under one number. */
static inline int twin_share(struct twin *t, int fd, int number)
{
	struct twin_order order = { .op = TWIN_TAKE_FD, .a = { number } };
	__s64 ret;

	if (fd < 0 || send(t->sock, &order, sizeof(order), MSG_NOSIGNAL) != sizeof(order) ||
	    xmap_send_fd(t->sock, fd) || twin_answer_get(t, &ret) || ret != number)
		return -1;
	if (fd == number)
		return 0;
	if (dup3(fd, number, O_CLOEXEC) != number)
		return -1;
	close(fd);
	return 0;
}

/* A descriptor that the twin alone has becomes one of both. */
static inline int twin_lend(struct twin *t, int fd, int number)
{
	int mine = fd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, SHARED_PIDFD, fd, 0);

	if (mine < 0 || twin_call(t, TWIN_CLOSE, fd))
		return -1;
	return twin_share(t, mine, number);
}

/* ---- Both ask ---- */

/* What one of them got. */
struct asked {
	__s64 ret;
	int err;
	char *arena;
};

static inline void asked_done(struct asked *asked, __s64 ret)
{
	asked->ret = ret;
	asked->err = ret < 0 ? errno : 0;
	memcpy(asked->arena, arena_at(0), TWIN_ARENA_SIZE);
}

/* The first byte in which they differ, or -1. */
static inline long asked_compare(const struct asked *a, const struct asked *b)
{
	long i;

	if (!memcmp(a->arena, b->arena, TWIN_ARENA_SIZE))
		return -1;
	for (i = 0; a->arena[i] == b->arena[i];)
		i++;
	return i;
}

static inline bool asked_same(const struct asked *a, const struct asked *b)
{
	long at = asked_compare(a, b);

	if (a->ret != b->ret || a->err != b->err)
		printf("# 32-bit: %lld (%s), 64-bit: %lld (%s)\n", a->ret, strerror(a->err),
		       b->ret, strerror(b->err));
	else if (at >= 0)
		printf("# answers differ at byte %ld of the arena\n", at);
	else
		return true;
	return false;
}

/* Room for what the arena holds before, and after each of them has asked. */
static char arena_before[TWIN_ARENA_SIZE];
static char arena_here[TWIN_ARENA_SIZE], arena_there[TWIN_ARENA_SIZE];

#define DIFFERENT (-1)

/*
 * Both issue the command at @cmd in the arena: 0 or the errno that both got, or
 * DIFFERENT.  The arena is as the twin left it.
 */
static inline int same_ioctl(struct twin *t, int fd, unsigned int nr, void *cmd)
{
	struct asked here = { .arena = arena_here }, there = { .arena = arena_there };

	memcpy(arena_before, arena_at(0), TWIN_ARENA_SIZE);
	asked_done(&here, ioctl(fd, nr, cmd));
	memcpy(arena_at(0), arena_before, TWIN_ARENA_SIZE);
	asked_done(&there, twin_call(t, TWIN_IOCTL, fd, nr, (uintptr_t)cmd));
	return asked_same(&here, &there) ? there.err : DIFFERENT;
}

/*
 * The same for a command that makes a target: the numbers of the descriptors may
 * differ.  *out_fd is the 32-bit side's, the twin's own is closed.
 */
static inline int same_ioctl_fd(struct twin *t, int fd, unsigned int nr, void *cmd, __s32 *out_fd)
{
	struct asked here = { .arena = arena_here }, there = { .arena = arena_there };
	__s32 mine, its;

	memcpy(arena_before, arena_at(0), TWIN_ARENA_SIZE);
	here.ret = ioctl(fd, nr, cmd);
	here.err = here.ret < 0 ? errno : 0;
	mine = *out_fd;
	if (!here.ret)
		*out_fd = 0;
	errno = here.err;
	asked_done(&here, here.ret);

	memcpy(arena_at(0), arena_before, TWIN_ARENA_SIZE);
	there.ret = twin_call(t, TWIN_IOCTL, fd, nr, (uintptr_t)cmd);
	there.err = there.ret < 0 ? errno : 0;
	its = *out_fd;
	if (!there.ret) {
		*out_fd = 0;
		twin_call(t, TWIN_CLOSE, its);
	}
	errno = there.err;
	asked_done(&there, there.ret);
	*out_fd = mine;
	return asked_same(&here, &there) ? there.err : DIFFERENT;
}

/*
 * Both copy between the start of the arena and a target: the count, minus the
 * errno, or DIFFERENT_COUNT.
 */
#define DIFFERENT_COUNT (-1000)

static inline __s64 same_copy(struct twin *t, bool write, int fd, __u32 len, __u64 addr)
{
	struct asked here = { .arena = arena_here }, there = { .arena = arena_there };

	memcpy(arena_before, arena_at(0), TWIN_ARENA_SIZE);
	asked_done(&here, write ? pwrite(fd, arena_at(0), len, addr) :
				  pread(fd, arena_at(0), len, addr));
	memcpy(arena_at(0), arena_before, TWIN_ARENA_SIZE);
	asked_done(&there, twin_call(t, write ? TWIN_PWRITE : TWIN_PREAD, fd, TWIN_ARENA, len,
				     addr));
	if (!asked_same(&here, &there))
		return DIFFERENT_COUNT;
	return there.err ? -there.err : there.ret;
}

/* ---- Commands that several tests issue; they lie at the start of the arena ---- */

static inline int open_same(struct twin *t, struct xmap_cmd_target_open cmd, int *out)
{
	struct xmap_cmd_target_open *shared = arena_at(0);
	int err;

	*shared = cmd;
	shared->size = sizeof(cmd);
	shared->out_fd = XMAP_UNTOUCHED;
	err = same_ioctl_fd(t, SHARED_DEV, XMAP_TARGET_OPEN, shared, &shared->out_fd);
	*out = shared->out_fd;
	return err;
}

static inline int info_same(struct twin *t, int fd, struct xmap_cmd_target_info *out)
{
	struct xmap_cmd_target_info *cmd = arena_at(0);
	int err;

	*cmd = (struct xmap_cmd_target_info){ .size = sizeof(*cmd) };
	err = same_ioctl(t, fd, XMAP_TARGET_INFO, cmd);
	*out = *cmd;
	return err;
}

/* The number of the last object of a kind, 0 if there is none. */
static inline __u64 last_serial(__u32 kind)
{
	struct xmap_list_entry e[8];
	__u64 cursor = 0, serial = 0;
	__u32 count, i;

	do {
		if (_test_list(SHARED_DEV, e, ARRAY_SIZE(e), cursor, &count, &cursor))
			return 0;
		for (i = 0; i < count; i++)
			serial = e[i].kind == kind ? e[i].serial : serial;
	} while (cursor);
	return serial;
}

static inline struct xmap_cmd_target_maps *maps_command(__u64 buf)
{
	struct xmap_cmd_target_maps *cmd = arena_at(0);

	*cmd = (struct xmap_cmd_target_maps){ .size = sizeof(*cmd), .buf = buf, .buf_size = 65536 };
	return cmd;
}

/* ---- Setting up ---- */

/* Memory of the twin. */
static const struct {
	__u64 addr;
	__u64 seed;
} twin_places[] = {
	{ TWIN_HIGH, TWIN_SEED_HIGH },
	{ TWIN_ALIAS, TWIN_SEED_ALIAS },
	{ TWIN_AROUND_EDGE, TWIN_SEED_AROUND_EDGE },
	{ TWIN_FAR, TWIN_SEED_FAR },
};

/* /dev/xmap, the twin's pidfd, and all rights on all of the twin: for both. */
static inline int compat_share_all(struct twin *t)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", t->pid);
	if (twin_share(t, _test_dev_open(), SHARED_DEV) ||
	    twin_share(t, xmap_pidfd_open(t->pid, 0), SHARED_PIDFD) ||
	    twin_share(t, open(path, O_RDWR | O_CLOEXEC), SHARED_MEM) ||
	    twin_share(t, open("/dev/null", O_RDWR | O_CLOEXEC), SHARED_DEVNULL) ||
	    _test_target_open(SHARED_DEV, SHARED_PIDFD, t->pid, XMAP_RIGHTS_RW, 0, 0, &fd))
		return -1;
	return twin_share(t, fd, SHARED_TARGET);
}

FIXTURE(compat)
{
	struct twin twin;
};

FIXTURE_SETUP(compat)
{
	ASSERT_EQ(0, twin_spawn(&self->twin));
	ASSERT_EQ(0, compat_share_all(&self->twin));
}

FIXTURE_TEARDOWN(compat)
{
	int i;

	for (i = SHARED_DEV; i < SHARED_END; i++)
		close(i);
	twin_end(&self->twin);
}

#endif /* COMPAT_H */
