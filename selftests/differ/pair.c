// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making the two processes of a case what it says, step by step; each step at
 * a time when the one that it is done to may still do it.  In the end nothing
 * moves any more (but for a target that executes programs all the time), the
 * caller asks, and both are killed.
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

const char *pair_step;

/* A step that fails is the test's fault: the whole set-up ends there. */
#define STEP(call) (pair_step = #call, (call) < 0)
#define CALL(side, ...) STEP(peer_call(&p->peer[side], __VA_ARGS__))

/* Its first message tells the number that the test has for it. */
static int await_hello(struct pair *p, enum side which)
{
	char control[CMSG_SPACE(sizeof(struct ucred))] = "";
	struct peer_order hello;
	struct iovec iov = { .iov_base = &hello, .iov_len = sizeof(hello) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	close(world.sock[which][1]);
	world.sock[which][1] = -1;
	if (recvmsg(p->peer[which].sock, &msg, MSG_CMSG_CLOEXEC) != sizeof(hello))
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_CREDENTIALS)
		return -1;
	p->peer[which].pid = ((struct ucred *)CMSG_DATA(cmsg))->pid;
	p->peer[which].pidfd = xmap_pidfd_open(p->peer[which].pid, 0);
	p->tid[which] = p->peer[which].pid;
	return p->peer[which].pidfd;
}

static int open_channels(struct pair *p)
{
	int side, on = 1;

	if (pipe2(world.life, O_CLOEXEC))
		return -1;
	for (side = 0; side < SIDES; side++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, world.sock[side]))
			return -1;
		p->peer[side].sock = world.sock[side][0];
		if (setsockopt(p->peer[side].sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
			return -1;
	}
	return 0;
}

/*
 * Who has no file to open any more gets a domain that forbids just that: it
 * must make no difference.
 */
static int landlock(struct pair *p, enum side which, bool no_files)
{
	unsigned long files = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;

	return peer_call(&p->peer[which], op_subject_landlock,
			 no_files ? files : LANDLOCK_ACCESS_FS_MAKE_SYM);
}

static int spawn(struct pair *p, const struct pair_case *c)
{
	int relation = c->dim[D_RELATION];
	enum side first = relation == REL_PARENT || relation == REL_SHARED_MM ? TARGET : CALLER;

	if (STEP(open_channels(p)) || STEP(subject_fork(first, false, false)) ||
	    STEP(await_hello(p, first)))
		return -1;
	if (c->dim[D_LANDLOCK] >= LL_SHARED && STEP(landlock(p, first, false)))
		return -1;
	if (relation == REL_SELF) {
		p->tid[TARGET] = p->tid[CALLER];
		return 0;
	}
	if (relation == REL_APART) {
		if (STEP(subject_fork(!first, false, false)))
			return -1;
	} else if (CALL(first, op_subject_fork, !first, relation == REL_GRANDCHILD,
			relation == REL_SHARED_MM)) {
		return -1;
	}
	if (STEP(await_hello(p, !first)))
		return -1;
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

/* What a task is called in this pid namespace; 0 if it has no name there. */
static pid_t number_in(pid_t tid, int of, int in)
{
	int depth = 0, ns, relation = ns_relation(pidns_parent, in, of);
	char path[32], line[256], *at, *save;
	pid_t nr = 0;
	FILE *f;

	if (relation == NS_CALLER_BELOW || relation == NS_APART)
		return 0;
	for (ns = in; ns; ns = pidns_parent[ns])
		depth++;
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "NSpid:", 6))
			continue;
		at = strtok_r(line + 6, " \t\n", &save);
		while (at && depth--)
			at = strtok_r(NULL, " \t\n", &save);
		nr = at ? atoi(at) : 0;
	}
	fclose(f);
	return nr;
}

/* The target of the question, and the files that stand for it. */
static int name_target(struct pair *p, const struct pair_case *c)
{
	char path[32];

	if (c->dim[D_TARGET] == TG_THREAD)
		p->tid[TARGET] = second_thread(p->tid[TARGET]);
	if (c->dim[D_TARGET] == TG_KTHREAD)
		p->tid[TARGET] = KTHREADD;
	p->number = number_in(p->tid[TARGET],
			      c->dim[D_TARGET] == TG_KTHREAD ? 0 : c->who[TARGET].pidns,
			      c->who[CALLER].pidns);
	p->pidfd = xmap_pidfd_open(p->tid[TARGET],
				   c->dim[D_TARGET] == TG_THREAD ? PIDFD_THREAD : 0);
	if (p->pidfd < 0 && c->dim[D_TARGET] == TG_THREAD && errno == EINVAL) {
		/* Before Linux 6.9 a thread has no pidfd: then there is no way to name it. */
		p->pidfd = xmap_pidfd_open(p->peer[TARGET].pid, 0);
		p->unnamed = true;
	}
	if (STEP(p->tid[TARGET]) || STEP(p->pidfd))
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/personality", p->tid[TARGET]);
	p->verdict = open(path, O_RDONLY | O_CLOEXEC);
	if (STEP(p->verdict))
		return -1;
	return 0;
}

static int send_files(struct pair *p)
{
	int fds[2] = { p->pidfd, p->verdict };
	char control[CMSG_SPACE(sizeof(fds))] = "", byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(cmsg), fds, sizeof(fds));
	return sendmsg(p->peer[CALLER].sock, &msg, MSG_NOSIGNAL);
}

static int split(struct pair *p, enum side which, bool end_leader)
{
	char path[32];

	if (CALL(which, op_subject_split, which, end_leader))
		return -1;
	if (!end_leader)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/statm", p->peer[which].pid);
	while (xmap_read_long(path) > 0)
		sched_yield();
	return 0;
}

/* While both are root in the initial user namespace, and free. */
static int bind_together(struct pair *p, const struct pair_case *c)
{
	const int *d = c->dim;

	if (d[D_TARGET_APPARMOR] && CALL(TARGET, op_subject_apparmor, d[D_TARGET_APPARMOR]))
		return -1;
	if (d[D_RELATION] != REL_SELF && c->who[TARGET].userns &&
	    CALL(TARGET, op_subject_userns, c->who[TARGET].userns))
		return -1;
	if ((d[D_TARGET] == TG_THREAD || d[D_TARGET] == TG_DEAD_LEADER) &&
	    STEP(split(p, TARGET, d[D_TARGET] == TG_DEAD_LEADER)))
		return -1;
	if (STEP(name_target(p, c)))
		return -1;

	if (STEP(peer_start(&p->peer[CALLER], op_subject_take, CALLER)) ||
	    STEP(send_files(p)) || STEP(peer_finish(&p->peer[CALLER])))
		return -1;
	if (d[D_TRACER] == TRACER_CALLER && CALL(CALLER, op_subject_seize, p->number))
		return -1;
	if (d[D_TRACER] == TRACER_THIRD && STEP(ptrace(PTRACE_SEIZE, p->tid[TARGET], NULL, NULL)))
		return -1;
	if (d[D_CALLER_APPARMOR] && CALL(CALLER, op_subject_apparmor, d[D_CALLER_APPARMOR]))
		return -1;
	if (c->who[CALLER].userns && CALL(CALLER, op_subject_userns, c->who[CALLER].userns))
		return -1;
	if (d[D_ASKER] == ASK_THREAD) {
		if (STEP(split(p, CALLER, false)))
			return -1;
		p->tid[CALLER] = second_thread(p->peer[CALLER].pid);
		if (STEP(p->tid[CALLER]))
			return -1;
	}
	return 0;
}

static int let_trace(struct pair *p, const struct pair_case *c)
{
	pid_t pid = p->peer[CALLER].pid;
	unsigned long tracer = 0;

	switch (c->dim[D_PTRACER]) {
	case PTRACER_NONE:
		return 0;
	case PTRACER_ANY:
		tracer = PR_SET_PTRACER_ANY;
		break;
	case PTRACER_OTHER:
		/* Somebody whom every pid namespace has. */
		tracer = 1;
		break;
	case PTRACER_THREAD:
		pid = p->tid[CALLER];
		__attribute__((fallthrough));
	case PTRACER_CALLER:
		tracer = number_in(pid, c->who[CALLER].pidns, c->who[TARGET].pidns);
	}
	return peer_call(&p->peer[TARGET], op_subject_prctl, PR_SET_PTRACER, tracer);
}

static int await_death(int pidfd)
{
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	return poll(&poll_fd, 1, -1) == 1 ? 0 : -1;
}

/* The target is what it shall be; then what it shall run. */
static int make_target(struct pair *p, const struct pair_case *c)
{
	const int *d = c->dim;
	pid_t pid = p->peer[TARGET].pid;
	const char *path;

	if ((d[D_LANDLOCK] == LL_TARGET || d[D_LANDLOCK] == LL_APART ||
	     d[D_LANDLOCK] == LL_TARGET_DEEPER) && STEP(landlock(p, TARGET, false)))
		return -1;
	if (CALL(TARGET, op_subject_sandbox, d[D_TARGET_SANDBOX]) || STEP(let_trace(p, c)) ||
	    CALL(TARGET, op_subject_become, TARGET))
		return -1;

	switch (d[D_TARGET]) {
	case TG_EXECED:
	case TG_SETUID:
	case TG_EXECONLY:
		path = world.helper[d[D_TARGET] - TG_EXECED];
		if (CALL(TARGET, op_subject_exec, path, 0))
			return -1;
		break;
	case TG_EXECING:
		path = world.helper[0];
		if (STEP(peer_start(&p->peer[TARGET], op_subject_exec, path, path)))
			return -1;
		break;
	case TG_ZOMBIE:
		if (STEP(kill(pid, SIGKILL)) || STEP(await_death(p->peer[TARGET].pidfd)))
			return -1;
	}
	return 0;
}

static int make_caller(struct pair *p, const struct pair_case *c)
{
	const int *d = c->dim;

	if ((d[D_LANDLOCK] == LL_CALLER || d[D_LANDLOCK] == LL_APART ||
	     d[D_LANDLOCK] == LL_CALLER_DEEPER) && STEP(landlock(p, CALLER, c->nr % 2)))
		return -1;
	if (CALL(CALLER, op_subject_sandbox, d[D_CALLER_SANDBOX]) ||
	    CALL(CALLER, op_subject_become, CALLER))
		return -1;
	return 0;
}

/* 0, or -1: pair_step and errno say what failed.  End it in both cases. */
int pair_create(struct pair *p, const struct pair_case *c)
{
	int dumpable = c->dim[D_DUMPABLE], left = 0;

	if (dumpable >= DUMP_LEFT_0)
		left = dumpable - DUMP_LEFT_0;
	*p = (struct pair){ .pidfd = -1, .verdict = -1 };
	p->peer[CALLER] = (struct peer){ .sock = -1, .pidfd = -1 };
	p->peer[TARGET] = p->peer[CALLER];
	*world.current = *c;
	if (STEP(xmap_write_long(SUID_DUMPABLE, left)) || STEP(spawn(p, c)) ||
	    STEP(bind_together(p, c)))
		return -1;
	if (c->dim[D_RELATION] != REL_SELF && STEP(make_target(p, c)))
		return -1;
	if (STEP(make_caller(p, c)))
		return -1;
	pair_step = "xmap_write_long(YAMA)";
	return world.yama ? xmap_write_long(YAMA, c->dim[D_SCOPE]) : 0;
}

int pair_ask(struct pair *p)
{
	bool thread = world.current->dim[D_TARGET] == TG_THREAD;

	pair_step = "asking";
	return peer_call(&p->peer[CALLER], op_ask, p->number, p->tid[TARGET],
			 thread ? PIDFD_THREAD : 0);
}

void pair_destroy(struct pair *p)
{
	int side, status;

	for (side = 0; side < SIDES; side++)
		if (p->peer[side].pidfd >= 0)
			kill(p->peer[side].pid, SIGKILL);
	/* A traced thread keeps its process from ending until its tracer has seen that. */
	if (world.current->dim[D_TRACER] == TRACER_THIRD && p->tid[TARGET])
		while (waitpid(p->tid[TARGET], &status, __WALL) > 0 && WIFSTOPPED(status))
			continue;
	for (side = 0; side < SIDES; side++) {
		if (p->peer[side].pidfd >= 0) {
			await_death(p->peer[side].pidfd);
			close(p->peer[side].pidfd);
		}
		close(world.sock[side][0]);
		if (world.sock[side][1] >= 0)
			close(world.sock[side][1]);
	}
	close(world.life[0]);
	close(world.life[1]);
	if (p->pidfd >= 0)
		close(p->pidfd);
	if (p->verdict >= 0)
		close(p->verdict);
	/* Of both, of those between them, and of what was left to us by them. */
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		continue;
}
