// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processes of a family: how they are born, and the orders that make them
 * what was drawn.
 *
 * Who has threads must change one of them only.  So everything that belongs to
 * a thread is done by bare system calls, by the thread that serves the orders;
 * the C library would change all of them.
 */
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>

#include "differ.h"
#include "../xmap_access.h"

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

static const struct member *member_of(int i)
{
	return &world.board->family.member[i];
}

/* Once a member is born its end of the sockets, and its descendants', are its alone. */
static void close_ends(int i)
{
	int j;

	for (j = i; j < MEMBERS; j++)
		if (member_descends(&world.board->family, j, i))
			close(world.sock[j][1]);
}

static void subject_main(int i)
{
	const struct family *f = &world.board->family;
	struct peer_order hello = {};
	int j;

	close(world.life[1]);
	for (j = 0; j < MEMBERS; j++) {
		close(world.sock[j][0]);
		if (j > i && !member_descends(f, j, i))
			close(world.sock[j][1]);
	}
	send(world.sock[i][1], &hello, sizeof(hello), MSG_NOSIGNAL);
	subject_serve(world.sock[i][1]);
}

/* Between two in the family, and good for nothing else. */
static void subject_between(void)
{
	char byte;
	int j;

	close(world.life[1]);
	for (j = 0; j < MEMBERS; j++) {
		close(world.sock[j][0]);
		close(world.sock[j][1]);
	}
	while (read(world.life[0], &byte, 1) > 0)
		continue;
	_exit(0);
}

static int subject_shared(void *i)
{
	subject_main((long)i);
	return 0;
}

static pid_t subject_clone_vm(int i)
{
	size_t len = 256 << 10;
	char *stack = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED)
		return -1;
	return clone(subject_shared, stack + len, CLONE_VM | SIGCHLD, (void *)(long)i);
}

static pid_t subject_begin(int i)
{
	pid_t pid;

	fflush(NULL);
	if (member_of(i)->shares)
		return subject_clone_vm(i);
	pid = fork();
	if (pid)
		return pid;
	if (member_of(i)->between) {
		pid = fork();
		if (pid)
			subject_between();
	}
	subject_main(i);
	return -1;
}

static int subject_pidns(int ns)
{
	return setns(world.pidns[ns], CLONE_NEWPID);
}

/* By the test. */
pid_t subject_fork(int i)
{
	int ns = member_of(i)->who.pidns;
	pid_t pid;

	if (ns && subject_pidns(ns))
		return -1;
	pid = subject_begin(i);
	if (ns && subject_pidns(0))
		return -1;
	close_ends(i);
	return pid;
}

/* By its parent.  Argument: which one. */
long op_subject_fork(const unsigned long *a)
{
	int ns = member_of(a[0])->who.pidns, own = member_of(member_of(a[0])->parent)->who.pidns;
	pid_t pid;

	if (ns != own && subject_pidns(ns))
		return -1;
	pid = subject_begin(a[0]);
	/* Its threads must be in the namespace that it is in itself. */
	if (pid < 0 || (ns != own && subject_pidns(own)))
		return -1;
	close_ends(a[0]);
	return 0;
}

static void *subject_thread(void *sock)
{
	subject_serve((long)sock);
	return NULL;
}

/* From here on another thread takes the orders.  Arguments: who it is, end the first one. */
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

/*
 * While it may still do all: trace who is its to trace, and go to its user
 * namespace.  Arguments: who it is; the numbers of its tracees.
 */
long op_subject_settle(const unsigned long *a)
{
	int ns = member_of(a[0])->who.userns, i;

	for (i = 1; i <= TRACEES_MAX && a[i]; i++)
		if (ptrace(PTRACE_SEIZE, (pid_t)a[i], NULL, NULL))
			return -1;
	return ns ? setns(world.userns[ns], CLONE_NEWUSER) : 0;
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

static int subject_apparmor(int kind)
{
	char text[64];

	if (!kind)
		return 0;
	snprintf(text, sizeof(text), "changeprofile %s", apparmor_profile(kind));
	return xmap_write_file("/proc/thread-self/attr/apparmor/current", text);
}

/* Set of BOX_*.  The filter lets everything pass. */
static int subject_sandbox(int box)
{
	struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog filter = { .len = 1, .filter = &pass };

	if (box & BOX_NNP && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	if (box & BOX_SECCOMP && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
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

/*
 * Who has no file to open any more gets a domain that forbids just that: it
 * must make no difference.
 */
static int subject_late_domain(const struct member *m)
{
	unsigned long files = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;

	if (!m->late)
		return 0;
	return op_subject_landlock(&(unsigned long){
		m->no_files ? files : LANDLOCK_ACCESS_FS_MAKE_SYM });
}

/* Argument: who it is. */
long op_subject_make(const unsigned long *a)
{
	const struct member *m = member_of(a[0]);

	return subject_apparmor(m->apparmor) || subject_late_domain(m) ||
	       subject_sandbox(m->sandbox) || subject_ids(&m->who) ||
	       subject_caps(&m->who) ? -1 : 0;
}

/*
 * What it may change at any time.  Arguments: PR_SET_DUMPABLE or UNASKED,
 * PR_SET_PTRACER, is there Yama.
 */
long op_subject_epoch(const unsigned long *a)
{
	if ((int)a[0] != UNASKED && prctl(PR_SET_DUMPABLE, a[0], 0, 0, 0))
		return -1;
	return a[2] ? prctl(PR_SET_PTRACER, a[1], 0, 0, 0) : 0;
}

/* It is another program now.  Arguments: path, next path or NULL, who it is. */
long op_subject_exec(const unsigned long *a)
{
	peer_sock = world.sock[a[2]][1];
	return op_exec_helper(a);
}

/* Take the files that the test sends.  Argument: who it is. */
long op_subject_take(const unsigned long *a)
{
	int *fds = world.board->fds[a[0]];
	size_t len = sizeof(world.board->fds[0]);
	char control[CMSG_SPACE(sizeof(world.board->fds[0]))] = "", byte;
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
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS || cmsg->cmsg_len != CMSG_LEN(len)) {
		errno = EBADMSG;
		return -1;
	}
	memcpy(fds, CMSG_DATA(cmsg), len);
	return 0;
}
