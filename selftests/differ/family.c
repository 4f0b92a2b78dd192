// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making a family what was drawn, step by step; each step at a time when the
 * one that it is done to may still do it.  In the end nothing moves any more
 * (but for those who execute programs all the time), they ask, and all are
 * killed.
 */
#include <dirent.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "differ.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

#define SUID_DUMPABLE "/proc/sys/fs/suid_dumpable"
#define YAMA "/proc/sys/kernel/yama/ptrace_scope"
#define KTHREADD 2

const char *family_step;
struct kin kin[TARGETS];

/* A step that fails is the test's fault: the whole set-up ends there. */
#define STEP(call) (family_step = #call, (call) < 0)
#define CALL(i, ...) STEP(peer_call(&kin[i].peer, __VA_ARGS__))

static const struct family *family(void)
{
	return &world.board->family;
}

/* Its first message tells the number that the test has for it. */
static int await_hello(int i)
{
	char control[CMSG_SPACE(sizeof(struct ucred))] = "";
	struct peer *peer = &kin[i].peer;
	struct peer_order hello;
	struct iovec iov = { .iov_base = &hello, .iov_len = sizeof(hello) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	if (recvmsg(peer->sock, &msg, MSG_CMSG_CLOEXEC) != sizeof(hello))
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_CREDENTIALS)
		return -1;
	peer->pid = ((struct ucred *)CMSG_DATA(cmsg))->pid;
	peer->pidfd = xmap_pidfd_open(peer->pid, 0);
	kin[i].tid = peer->pid;
	return peer->pidfd;
}

static int open_channels(void)
{
	int i, on = 1;

	if (pipe2(world.life, O_CLOEXEC))
		return -1;
	for (i = 0; i < MEMBERS; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, world.sock[i]))
			return -1;
		kin[i].peer.sock = world.sock[i][0];
		if (setsockopt(kin[i].peer.sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
			return -1;
	}
	return 0;
}

/* All of them are root in the initial user namespace, and free, at first. */
static int bear(void)
{
	int i;

	for (i = 0; i < MEMBERS; i++) {
		const struct member *m = &family()->member[i];

		if (m->parent == NOBODY ? STEP(subject_fork(i)) :
					  CALL(m->parent, op_subject_fork, i))
			return -1;
		if (STEP(await_hello(i)))
			return -1;
		if (m->early && CALL(i, op_subject_landlock, LANDLOCK_ACCESS_FS_MAKE_SYM))
			return -1;
	}
	return 0;
}

/* The task of this process that is not its first one. */
static pid_t second_thread(pid_t pid)
{
	char path[32];
	pid_t tid = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	for (struct dirent *d; (d = readdir(dir));)
		if (atoi(d->d_name) > 0 && atoi(d->d_name) != pid)
			tid = atoi(d->d_name);
	closedir(dir);
	return tid;
}

/* What a task is called, in the initial pid namespace and further in. */
static int read_numbers(struct kin *k)
{
	char path[32], line[256], *at, *save;
	FILE *f;
	int i;

	snprintf(path, sizeof(path), "/proc/%d/status", k->tid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "NSpid:", 6))
			continue;
		at = strtok_r(line + 6, " \t\n", &save);
		for (i = 0; at && i < PIDNS_DEPTH; i++) {
			k->nr[i] = atoi(at);
			at = strtok_r(NULL, " \t\n", &save);
		}
		break;
	}
	fclose(f);
	return k->nr[0] ? 0 : -1;
}

/* What a member is called by another one; 0 if it has no name there. */
static pid_t number_for(int i, int by)
{
	int of = i == KERNEL_THREAD ? 0 : family()->member[i].who.pidns;
	int in = family()->member[by].who.pidns;

	return ns_reaches(pidns_parent, in, of) ? kin[i].nr[ns_depth(pidns_parent, in)] : 0;
}

/* The files that stand for a target. */
static int name(struct kin *k, bool thread)
{
	char path[32];

	k->pidfd = xmap_pidfd_open(k->tid, thread ? PIDFD_THREAD : 0);
	if (k->pidfd < 0 && thread && errno == EINVAL) {
		/* Before Linux 6.9 a thread has no pidfd: then there is no way to name it. */
		k->pidfd = xmap_pidfd_open(k->peer.pid, 0);
		k->unnamed = true;
	}
	snprintf(path, sizeof(path), "/proc/%d/personality", k->tid);
	k->verdict = open(path, O_RDONLY | O_CLOEXEC);
	return k->pidfd < 0 || k->verdict < 0 ? -1 : read_numbers(k);
}

static int split(int i, bool end_leader)
{
	char path[32];

	if (CALL(i, op_subject_split, i, end_leader))
		return -1;
	if (!end_leader) {
		kin[i].tid = second_thread(kin[i].peer.pid);
		return kin[i].tid;
	}
	snprintf(path, sizeof(path), "/proc/%d/statm", kin[i].peer.pid);
	while (xmap_read_long(path) > 0)
		sched_yield();
	return 0;
}

/* One after the other, so that a tracer finds its tracees in their places. */
static int place(int i)
{
	unsigned long tracee[TRACEES_MAX] = {};
	const struct member *m = &family()->member[i];
	int j, n = 0;

	for (j = 0; j < i; j++)
		if (family()->member[j].tracer == i)
			tracee[n++] = number_for(j, i);
	if (CALL(i, op_subject_settle, i, tracee[0], tracee[1], tracee[2], tracee[3], tracee[4]))
		return -1;
	if ((m->kind == TG_THREAD || m->kind == TG_DEAD_LEADER) &&
	    STEP(split(i, m->kind == TG_DEAD_LEADER)))
		return -1;
	if (STEP(name(&kin[i], m->kind == TG_THREAD)))
		return -1;
	if (m->tracer == THE_TEST && STEP(ptrace(PTRACE_SEIZE, kin[i].tid, NULL, NULL)))
		return -1;
	return 0;
}

static int send_files(int i)
{
	int fds[2 * TARGETS], j;
	char control[CMSG_SPACE(sizeof(fds))] = "", byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	for (j = 0; j < TARGETS; j++) {
		fds[2 * j] = kin[j].pidfd;
		fds[2 * j + 1] = kin[j].verdict;
	}
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(cmsg), fds, sizeof(fds));
	return sendmsg(kin[i].peer.sock, &msg, MSG_NOSIGNAL);
}

static int give_files(int i)
{
	if (STEP(peer_start(&kin[i].peer, op_subject_take, i)) || STEP(send_files(i)) ||
	    STEP(peer_finish(&kin[i].peer)))
		return -1;
	return 0;
}

static int await_death(int pidfd)
{
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	return poll(&poll_fd, 1, -1) == 1 ? 0 : -1;
}

/* Those who are what they shall be run what they shall run. */
static int send_off(int i)
{
	const struct peer *peer = &kin[i].peer;
	int kind = family()->member[i].kind;
	const char *path;

	switch (kind) {
	case TG_EXECED:
	case TG_SETUID:
	case TG_EXECONLY:
		path = world.helper[kind - TG_EXECED];
		if (CALL(i, op_subject_exec, path, 0, i))
			return -1;
		break;
	case TG_EXECING:
		path = world.helper[0];
		if (STEP(peer_start(&kin[i].peer, op_subject_exec, path, path, i)))
			return -1;
		break;
	case TG_ZOMBIE:
		if (STEP(kill(peer->pid, SIGKILL)) || STEP(await_death(peer->pidfd)))
			return -1;
	}
	return 0;
}

/* 0, or -1: family_step and errno say what failed.  End it in both cases. */
int family_create(void)
{
	int i;

	memset(kin, 0, sizeof(kin));
	for (i = 0; i < TARGETS; i++)
		kin[i] = (struct kin){ .peer = { .sock = -1, .pidfd = -1 }, .pidfd = -1,
				       .verdict = -1 };
	kin[KERNEL_THREAD].tid = KTHREADD;
	if (STEP(open_channels()) || STEP(name(&kin[KERNEL_THREAD], false)) || bear() ||
	    STEP(xmap_write_long(SUID_DUMPABLE, family()->suid_dumpable)))
		return -1;
	for (i = 0; i < MEMBERS; i++)
		if (place(i))
			return -1;
	for (i = 0; i < MEMBERS; i++)
		if (member_asks(family(), i) && give_files(i))
			return -1;
	for (i = 0; i < MEMBERS; i++)
		if (CALL(i, op_subject_make, i))
			return -1;
	for (i = 0; i < MEMBERS; i++)
		if (send_off(i))
			return -1;
	return 0;
}

static unsigned long ptracer(const struct epoch *e, int i)
{
	switch (e->ptracer[i]) {
	case PTRACER_ANY:
		return PR_SET_PTRACER_ANY;
	case PTRACER_OTHER:
		return number_for(i, i);
	case PTRACER_CALLER:
		return number_for(e->friend[i], i);
	default:
		return 0;
	}
}

int family_epoch(int nr)
{
	const struct epoch *e = &family()->epoch[nr];
	int i, dumpable;

	for (i = 0; i < MEMBERS; i++) {
		if (!member_asks(family(), i))
			continue;
		dumpable = e->dumpable[i];
		if (family()->member[i].shares || dumpable > DUMP_ON)
			dumpable = UNASKED;
		if (CALL(i, op_subject_epoch, dumpable, ptracer(e, i), world.yama))
			return -1;
	}
	family_step = "xmap_write_long(YAMA)";
	return world.yama ? xmap_write_long(YAMA, e->scope) : 0;
}

/* Have one of them ask about some. */
int family_ask(int caller, int first, int last)
{
	static const __u32 rights[] = { XMAP_RIGHTS_ALL, XMAP_RIGHT_READ, XMAP_RIGHT_WRITE };
	int i;

	for (i = first; i <= last; i++)
		world.board->question[i] = (struct question){
			.nr = number_for(i, caller),
			.init_nr = kin[i].tid,
			.rights = rights[(caller + i) % ARRAY_SIZE(rights)],
			.thread = i != KERNEL_THREAD && family()->member[i].kind == TG_THREAD,
		};
	family_step = "asking";
	return peer_call(&kin[caller].peer, op_ask, caller, first, last);
}

static void close_there(int fd)
{
	if (fd >= 0)
		close(fd);
}

void family_destroy(void)
{
	int i, status;

	for (i = 0; i < MEMBERS; i++)
		if (kin[i].peer.pidfd >= 0)
			kill(kin[i].peer.pid, SIGKILL);
	/* A traced thread keeps its process from ending until its tracer has seen that. */
	for (i = 0; i < MEMBERS; i++)
		if (family()->member[i].tracer == THE_TEST && kin[i].tid > 0)
			while (waitpid(kin[i].tid, &status, __WALL) > 0 && WIFSTOPPED(status))
				continue;
	for (i = 0; i < MEMBERS; i++) {
		if (kin[i].peer.pidfd >= 0)
			await_death(kin[i].peer.pidfd);
		close_there(kin[i].peer.pidfd);
		close_there(kin[i].peer.sock);
	}
	for (i = 0; i < TARGETS; i++) {
		close_there(kin[i].pidfd);
		close_there(kin[i].verdict);
	}
	close(world.life[0]);
	close(world.life[1]);
	/* Of all, of those between them, and of what was left to us by them. */
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		continue;
}
