// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two processes of a pair: how they are born, and the orders that make
 * them what the case says.
 *
 * Who has threads must change one of them only.  So everything that belongs to
 * a thread is done by bare system calls, by the thread that serves the orders;
 * the C library would change all of them.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>

#include "differ.h"
#include "../xmap_access.h"

int subject_fds[2];

/* ---- Birth ---- */

static void subject_serve(int sock)
{
	struct peer_order order;

	while (recv(sock, &order, sizeof(order), 0) == sizeof(order)) {
		errno = 0;
		order.ret = order.fn(order.a);
		order.err = errno;
		if (send(sock, &order, sizeof(order), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

/* Only who will fork the other one keeps that one's end of the sockets. */
static void subject_main(enum side side, bool forks)
{
	struct peer_order hello = {};
	int sock = world.sock[side][1];

	close(world.sock[CALLER][0]);
	close(world.sock[TARGET][0]);
	close(world.life[1]);
	if (!forks)
		close(world.sock[!side][1]);
	send(sock, &hello, sizeof(hello), MSG_NOSIGNAL);
	subject_serve(sock);
}

/* Between the two in the family, and good for nothing else. */
static void subject_between(void)
{
	char byte;

	close(world.life[1]);
	close(world.sock[CALLER][0]);
	close(world.sock[TARGET][0]);
	close(world.sock[CALLER][1]);
	close(world.sock[TARGET][1]);
	while (read(world.life[0], &byte, 1) > 0)
		continue;
	_exit(0);
}

static int subject_shared(void *side)
{
	subject_main((long)side, false);
	return 0;
}

static pid_t subject_clone_vm(enum side side)
{
	size_t len = 256 << 10;
	char *stack = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED)
		return -1;
	return clone(subject_shared, stack + len, CLONE_VM | SIGCHLD, (void *)(long)side);
}

static pid_t subject_begin(enum side side, bool grandchild, bool shared_mm, bool forks)
{
	pid_t pid;

	fflush(NULL);
	if (shared_mm)
		return subject_clone_vm(side);
	pid = fork();
	if (pid)
		return pid;
	if (grandchild) {
		pid = fork();
		if (pid)
			subject_between();
	}
	subject_main(side, forks);
	return -1;
}

static int subject_pidns(int ns)
{
	return setns(world.pidns[ns], CLONE_NEWPID);
}

/* By the test: the first of the two, or both. */
pid_t subject_fork(enum side side, bool grandchild, bool shared_mm)
{
	const struct pair_case *c = world.current;
	int relation = c->dim[D_RELATION];
	pid_t pid;

	if (subject_pidns(c->who[side].pidns))
		return -1;
	pid = subject_begin(side, grandchild, shared_mm,
			    relation != REL_APART && relation != REL_SELF);
	return subject_pidns(0) ? -1 : pid;
}

/* By the first of the two: the other.  Arguments: side, grandchild, shared_mm. */
long op_subject_fork(const unsigned long *a)
{
	const struct pair_case *c = world.current;
	enum side side = a[0];
	pid_t pid;

	if (subject_pidns(c->who[side].pidns))
		return -1;
	pid = subject_begin(side, a[1], a[2], false);
	/* Its threads must be in the namespace that it is in itself. */
	if (pid < 0 || subject_pidns(c->who[!side].pidns))
		return -1;
	return close(world.sock[side][1]);
}

static void *subject_thread(void *sock)
{
	subject_serve((long)sock);
	return NULL;
}

/* From here on another thread takes the orders.  Arguments: side, end the first one. */
long op_subject_split(const unsigned long *a)
{
	struct peer_order order = {};
	int sock = world.sock[a[0]][1];
	pthread_t thread;

	errno = pthread_create(&thread, NULL, subject_thread, (void *)(long)sock);
	if (errno)
		return -1;
	send(sock, &order, sizeof(order), MSG_NOSIGNAL);
	if (a[1])
		syscall(SYS_exit, 0);
	for (;;)
		pause();
	return -1;
}

/* ---- What it is made ---- */

long op_subject_userns(const unsigned long *a)
{
	return setns(world.userns[a[0]], CLONE_NEWUSER);
}

/* Argument: what the domain forbids. */
long op_subject_landlock(const unsigned long *a)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = a[0] };
	int fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	long ret;

	if (fd < 0)
		return -1;
	ret = syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return ret;
}

long op_subject_apparmor(const unsigned long *a)
{
	char text[64];

	snprintf(text, sizeof(text), "changeprofile %s", apparmor_profile(a[0]));
	return xmap_write_file("/proc/self/attr/apparmor/current", text);
}

/* Argument: set of BOX_*.  The filter lets everything pass. */
long op_subject_sandbox(const unsigned long *a)
{
	struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog filter = { .len = 1, .filter = &pass };

	if (a[0] & BOX_NNP && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	if (a[0] & BOX_SECCOMP && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
		return -1;
	return 0;
}

static int caps_set_three(__u64 permitted, __u64 effective, __u64 inheritable)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .permitted = permitted, .effective = effective, .inheritable = inheritable },
		{ .permitted = permitted >> 32, .effective = effective >> 32,
		  .inheritable = inheritable >> 32 },
	};

	return syscall(SYS_capset, &head, data);
}

static int subject_ids(const struct person *who)
{
	const __u32 *uid = who->uid, *gid = who->gid;

	if (prctl(PR_SET_KEEPCAPS, 1) ||
	    syscall(SYS_setresgid, gid[ID_REAL], gid[ID_EFFECTIVE], gid[ID_SAVED]) ||
	    syscall(SYS_setresuid, uid[ID_REAL], uid[ID_EFFECTIVE], uid[ID_SAVED]) ||
	    caps_set_three(world.caps, world.caps, 0))
		return -1;
	/* One change at least: it makes dumpable what the sysctl says. */
	syscall(SYS_setfsgid, gid[ID_FS] + 1);
	syscall(SYS_setfsgid, gid[ID_FS]);
	syscall(SYS_setfsuid, uid[ID_FS]);
	errno = EPERM;
	return syscall(SYS_setfsgid, -1) == gid[ID_FS] &&
	       syscall(SYS_setfsuid, -1) == uid[ID_FS] ? 0 : -1;
}

static int subject_caps(const struct person *who)
{
	int cap;

	if (caps_set_three(world.caps, world.caps, who->inheritable))
		return -1;
	for (cap = 0; cap < 64; cap++) {
		if (who->dropped >> cap & 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			return -1;
		if (who->ambient >> cap & 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0))
			return -1;
	}
	if (prctl(PR_SET_SECUREBITS, who->securebits, 0, 0, 0))
		return -1;
	return caps_set_three(who->permitted, who->effective, who->inheritable);
}

/* Argument: side. */
long op_subject_become(const unsigned long *a)
{
	const struct pair_case *c = world.current;

	if (subject_ids(&c->who[a[0]]) || subject_caps(&c->who[a[0]]))
		return -1;
	if (a[0] == TARGET && c->dim[D_DUMPABLE] <= DUMP_ON)
		return prctl(PR_SET_DUMPABLE, c->dim[D_DUMPABLE] == DUMP_ON, 0, 0, 0);
	return 0;
}

/* The target is another program now.  Arguments: path, next path or NULL. */
long op_subject_exec(const unsigned long *a)
{
	peer_sock = world.sock[TARGET][1];
	return op_exec_helper(a);
}

/* Take two files that the test sends: a pidfd, and the kernel's verdict. */
long op_subject_take(const unsigned long *a)
{
	char control[CMSG_SPACE(sizeof(subject_fds))] = "", byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	if (recvmsg(world.sock[a[0]][1], &msg, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(subject_fds))) {
		errno = EBADMSG;
		return -1;
	}
	memcpy(subject_fds, CMSG_DATA(cmsg), sizeof(subject_fds));
	return 0;
}

long op_subject_seize(const unsigned long *a)
{
	return ptrace(PTRACE_SEIZE, (pid_t)a[0], NULL, NULL);
}

long op_subject_prctl(const unsigned long *a)
{
	return prctl(a[0], a[1], 0, 0, 0);
}
