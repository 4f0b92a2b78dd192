/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Callers and targets of every kind, and the comparison of two verdicts.
 *
 * What is right is what process_vm_readv() does on the same pair at the same
 * moment: both ask for PTRACE_MODE_ATTACH.  There is no table of expectations.
 */
#ifndef XMAP_ACCESS_H
#define XMAP_ACCESS_H

#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "xmap_utils.h"
#include "xmap_peer.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

#define YAMA_SCOPE "/proc/sys/kernel/yama/ptrace_scope"

/* Every process of the test has these two pages; they say whose image it is. */
#define MARK_ADDR 0x200000000UL
#define MARK_PLAIN 'p'
#define MARK_SECRET 's'

#define HELPER_OPTION "--xmap-helper"

/* ---- The helper: this program, executed anew, possibly setuid root ---- */

static inline void mark_map(__u8 value)
{
	__u8 *mark = mmap((void *)MARK_ADDR, 2 * xmap_page_size(),
			     PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (mark == MAP_FAILED)
		abort();
	memset(mark, value, 2 * xmap_page_size());
}

/*
 * Arguments: socket, path of the next program or "".  Reports by an order's
 * answer that it runs, then waits for the end of the socket; or becomes the
 * next program, which becomes this one, until the socket ends.
 */
static inline void helper_main(char **argv)
{
	struct peer_order order = {};
	int sock = atoi(argv[2]);
	char *next = argv[3];
	char *const args[] = { next, HELPER_OPTION, argv[2], argv[0], NULL };
	char byte;

	mark_map(getuid() != geteuid() ? MARK_SECRET : MARK_PLAIN);
	if (!*next) {
		send(sock, &order, sizeof(order), MSG_NOSIGNAL);
		while (recv(sock, &byte, 1, 0) > 0)
			continue;
		_exit(0);
	}
	if (recv(sock, &byte, 1, MSG_DONTWAIT) == 0)
		_exit(0);
	sched_yield();
	if (setresuid(getuid(), getuid(), getuid()))
		_exit(1);
	execv(next, args);
	_exit(1);
}

static void __attribute__((constructor(101)))
access_start(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], HELPER_OPTION))
		helper_main(argv);
	mark_map(MARK_PLAIN);
}

static inline long op_exec_helper(const unsigned long *a)
{
	char *path = (char *)a[0], *next = (char *)a[1];
	char sock[16];

	snprintf(sock, sizeof(sock), "%d", peer_sock);
	fcntl(peer_sock, F_SETFD, 0);
	execl(path, path, HELPER_OPTION, sock, next ?: "", NULL);
	return -1;
}

/* Copies of this program on a file system of their own that honours setuid. */
struct helper {
	char dir[64];
	char plain[80];
	char setuid[80];
};

static inline int helper_copy(const char *path, mode_t mode)
{
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	char buf[65536];
	ssize_t n;

	if (in < 0 || out < 0)
		return -1;
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, n) != n)
			return -1;
	if (n || fchmod(out, mode))
		return -1;
	close(in);
	return close(out);
}

static inline int helper_install(struct helper *h)
{
	snprintf(h->dir, sizeof(h->dir), "/tmp/xmap-helper-XXXXXX");
	if (!mkdtemp(h->dir))
		return -1;
	if (mount("xmap-helper", h->dir, "tmpfs", 0, "mode=0755"))
		return -1;
	snprintf(h->plain, sizeof(h->plain), "%s/plain", h->dir);
	snprintf(h->setuid, sizeof(h->setuid), "%s/setuid", h->dir);
	return helper_copy(h->plain, 0755) ?: helper_copy(h->setuid, 04755);
}

static inline void helper_remove(struct helper *h)
{
	umount2(h->dir, MNT_DETACH);
	rmdir(h->dir);
}

/* ---- Becoming somebody ---- */

#define UID_A 1000
#define UID_B 1001

#define CAP_BIT(cap) (1ULL << (cap))

static inline int caps_set(__u64 permitted, __u64 effective)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {
		{ .permitted = permitted, .effective = effective },
		{ .permitted = permitted >> 32, .effective = effective >> 32 },
	};

	return syscall(SYS_capset, &head, data);
}

static inline __u64 caps_all(void)
{
	__u64 all = 0;
	int cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap) == 1; cap++)
		all |= CAP_BIT(cap);
	return all;
}

/*
 * Change all ids, keep just these capabilities.  The kernel makes a process
 * that does so non-dumpable; what else is tested needs it dumpable.
 */
static inline int become(uid_t uid, gid_t gid, __u64 permitted, __u64 effective)
{
	if (setgroups(0, NULL) || prctl(PR_SET_KEEPCAPS, 1) ||
	    setresgid(gid, gid, gid) || setresuid(uid, uid, uid) ||
	    caps_set(permitted, effective))
		return -1;
	return prctl(PR_SET_DUMPABLE, 1);
}

static inline long op_become(const unsigned long *a)
{
	return become(a[0], a[1], a[2], a[3]);
}

static inline int peer_become(struct peer *p, uid_t id)
{
	return peer_call(p, op_become, id, id, 0, 0);
}

static inline long op_prctl(const unsigned long *a)
{
	return prctl(a[0], a[1], a[2], a[3], a[4]);
}

/* A user namespace of one's own, with one's own id as its root. */
static inline long op_userns(const unsigned long *a)
{
	char uids[32], gids[32];

	(void)a;
	snprintf(uids, sizeof(uids), "0 %d 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %d 1", getegid());
	if (unshare(CLONE_NEWUSER) || prctl(PR_SET_DUMPABLE, 1))
		return -1;
	if (xmap_write_file("/proc/self/setgroups", "deny") ||
	    xmap_write_file("/proc/self/uid_map", uids) ||
	    xmap_write_file("/proc/self/gid_map", gids))
		return -1;
	return prctl(PR_SET_DUMPABLE, 1);
}

static inline long op_landlock(const unsigned long *a)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = a[0] };
	int fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (fd < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return syscall(SYS_landlock_restrict_self, fd, 0);
}

static inline bool landlock_there(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
		       LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

/* The user namespace of another process. */
static inline long op_join_userns(const unsigned long *a)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%lu/ns/user", a[0]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ret = fd < 0 ? -1 : setns(fd, CLONE_NEWUSER);
	close(fd);
	return ret;
}

/* A peer in the pid namespace in which the test's children are at the moment. */
static inline int peer_spawn_unbound(struct peer *p)
{
	int sv[2];

	*p = (struct peer){ .sock = -1, .pidfd = -1 };
	peer_ctl_new();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return -1;
	fflush(NULL);
	p->pid = fork();
	if (!p->pid) {
		close(sv[0]);
		peer_sock = sv[1];
		peer_serve();
	}
	close(sv[1]);
	if (p->pid < 0)
		return -1;
	p->sock = sv[0];
	p->pidfd = xmap_pidfd_open(p->pid, 0);
	return p->pidfd < 0 ? -1 : 0;
}

/* A peer in a pid namespace of its own, as its process 1; or in that of another one. */
static inline int peer_spawn_in_pidns(struct peer *p, const struct peer *other)
{
	int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	int ret;

	if (own < 0 || (other ? setns(other->pidfd, CLONE_NEWPID) : unshare(CLONE_NEWPID)))
		return -1;
	ret = peer_spawn_unbound(p);
	if (setns(own, CLONE_NEWPID))
		return -1;
	close(own);
	return ret;
}

#define peer_spawn_pidns(p) peer_spawn_in_pidns(p, NULL)
#define peer_spawn_beside(p, other) peer_spawn_in_pidns(p, other)

/* ---- Odd processes ---- */

static __u32 odd_ready;
static pid_t odd_tid;

static inline void *odd_thread(void *arg)
{
	odd_tid = gettid();
	peer_set(&odd_ready, 1);
	if (arg)
		peer_serve();
	for (;;)
		pause();
	return NULL;
}

/* Start a thread and return its number. */
static inline long op_start_thread(const unsigned long *a)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, odd_thread, (void *)a[0]))
		return -1;
	peer_await(&odd_ready, 1);
	return odd_tid;
}

/* The first thread ends; another goes on with the orders. */
static inline long op_end_leader(const unsigned long *a)
{
	struct peer_order order = {};

	(void)a;
	op_start_thread(&(unsigned long){ 1 });
	send(peer_sock, &order, sizeof(order), MSG_NOSIGNAL);
	syscall(SYS_exit, 0);
	return -1;
}

static inline ssize_t vm_read(pid_t pid, unsigned long addr, void *buf, size_t len)
{
	struct iovec local = { .iov_base = buf, .iov_len = len };
	struct iovec remote = { .iov_base = (void *)addr, .iov_len = len };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

/* The end of a leader is complete when its memory is gone from it. */
static inline int await_no_memory(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	while (xmap_read_long(path) > 0)
		sched_yield();
	return xmap_read_long(path);
}

/* ---- The comparison ---- */

/**
 * struct verdict - What the two calls said about one pair
 * @before: errno of process_vm_readv() before, or 0
 * @xmap: errno of XMAP_TARGET_OPEN, or 0
 * @weaker: The same for READ only
 * @read: errno of the read of the target that was opened, or 0
 * @after: errno of process_vm_readv() after, or 0
 * @same_byte: Both read the same byte
 */
struct verdict {
	int before;
	int xmap;
	int weaker;
	int read;
	int after;
	bool same_byte;
};

static struct verdict *verdict;

/* Arguments: /dev/xmap, inherited pidfd, number (0: self), flags of pidfd_open. */
static inline long op_compare(const unsigned long *a)
{
	pid_t nr = a[2] ? (pid_t)a[2] : getpid();
	int pidfd = xmap_pidfd_open(nr, a[3]);
	char there = 0, byte = 1;
	int fd;

	if (pidfd < 0)
		pidfd = dup(a[1]);
	*verdict = (struct verdict){};
	verdict->before = XMAP_ERRNO(vm_read(nr, MARK_ADDR, &there, 1));
	verdict->xmap = XMAP_ERRNO(_test_target_open(a[0], pidfd, nr,
						     XMAP_RIGHTS_ALL, 0, 0, &fd));
	if (!verdict->xmap) {
		verdict->read = XMAP_ERRNO(pread(fd, &byte, 1, MARK_ADDR));
		verdict->same_byte = verdict->read || byte == there;
		close(fd);
	}
	verdict->weaker = XMAP_ERRNO(_test_target_open(a[0], pidfd, nr,
						       XMAP_RIGHT_READ, 0, 0, &fd));
	if (!verdict->weaker)
		close(fd);
	verdict->after = XMAP_ERRNO(vm_read(nr, MARK_ADDR, &there, 1));
	close(pidfd);
	return 0;
}

static inline void verdict_new(void)
{
	verdict = mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (verdict == MAP_FAILED)
		abort();
}

/*
 * process_vm_readv() turns the check's EACCES into EPERM; xmap does not.  Who
 * gets as far as to have no memory there has passed the check.
 */
static inline int verdict_expected(void)
{
	if (verdict->before == EFAULT)
		return 0;
	return verdict->before == EPERM ? EACCES : verdict->before;
}

static inline void verdict_expect_same(struct __test_metadata *_metadata,
				       const char *what)
{
	EXPECT_EQ(verdict->before, verdict->after)
	{
		TH_LOG("%s: the pair was not at rest", what);
	}
	EXPECT_TRUE(!verdict_expected() || verdict->before == EPERM ||
		    verdict->before == ESRCH)
	{
		TH_LOG("%s: %s", what, strerror(verdict->before));
	}
	EXPECT_EQ(verdict_expected(), verdict->xmap)
	{
		TH_LOG("%s: process_vm_readv: %s, xmap: %s", what,
		       strerror(verdict->before),
		       strerror(verdict->xmap));
	}
	EXPECT_EQ(verdict->xmap, verdict->weaker)
	{
		TH_LOG("%s: with READ only", what);
	}
	if (!verdict->xmap) {
		EXPECT_EQ(verdict->before, verdict->read);
		EXPECT_TRUE(verdict->same_byte);
	}
}

#define expect_same_verdict(what) verdict_expect_same(_metadata, what)

/* ---- All the targets of the matrix ---- */

enum target_kind {
	T_PLAIN,
	T_OTHER_UID,
	T_OTHER_GID,
	T_ROOT,
	T_NON_DUMPABLE,
	T_MORE_CAPS,
	T_SETUID,
	T_EXECED,
	T_PTRACER_ANY,
	T_PTRACER_CALLER,
	T_PTRACER_OTHER,
	T_USERNS,
	T_USERNS_EXECED,
	T_PIDNS,
	T_PIDNS_ROOT,
	T_DEAD_LEADER,
	T_ZOMBIE,
	T_COUNT,
};

static const char *const target_names[T_COUNT] = {
	[T_PLAIN] = "same uid",
	[T_OTHER_UID] = "other uid",
	[T_OTHER_GID] = "same uid, other gid",
	[T_ROOT] = "root",
	[T_NON_DUMPABLE] = "non-dumpable",
	[T_MORE_CAPS] = "same uid with a capability",
	[T_SETUID] = "setuid program",
	[T_EXECED] = "executed program",
	[T_PTRACER_ANY] = "PR_SET_PTRACER_ANY",
	[T_PTRACER_CALLER] = "PR_SET_PTRACER to the caller",
	[T_PTRACER_OTHER] = "PR_SET_PTRACER to another",
	[T_USERNS] = "child user namespace",
	[T_USERNS_EXECED] = "program in a child user namespace",
	[T_PIDNS] = "child pid namespace",
	[T_PIDNS_ROOT] = "root of a child pid namespace",
	[T_DEAD_LEADER] = "dead leader",
	[T_ZOMBIE] = "zombie",
};

static inline int target_start(enum target_kind kind, struct peer *p,
			       struct helper *helper)
{
	__u64 raw = CAP_BIT(CAP_NET_RAW);
	siginfo_t info;

	if (kind == T_PIDNS || kind == T_PIDNS_ROOT) {
		if (peer_spawn_pidns(p))
			return -1;
		return kind == T_PIDNS ? peer_become(p, UID_A) : 0;
	}
	if (peer_spawn(p))
		return -1;

	switch (kind) {
	case T_ROOT:
		return 0;
	case T_OTHER_UID:
		return peer_become(p, UID_B);
	case T_OTHER_GID:
		return peer_call(p, op_become, UID_A, UID_B, 0, 0);
	case T_MORE_CAPS:
		return peer_call(p, op_become, UID_A, UID_A, raw, raw);
	default:
		if (peer_become(p, UID_A))
			return -1;
	}

	switch (kind) {
	case T_NON_DUMPABLE:
		return peer_call(p, op_prctl, PR_SET_DUMPABLE, 0);
	case T_SETUID:
		return peer_call(p, op_exec_helper, helper->setuid, 0);
	case T_EXECED:
		return peer_call(p, op_exec_helper, helper->plain, 0);
	case T_PTRACER_ANY:
		return peer_call(p, op_prctl, PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	case T_PTRACER_OTHER:
		return peer_call(p, op_prctl, PR_SET_PTRACER, getppid());
	case T_USERNS:
		return peer_call(p, op_userns, 0);
	case T_USERNS_EXECED:
		return peer_call(p, op_userns, 0) ?:
		       peer_call(p, op_exec_helper, helper->plain, 0);
	case T_DEAD_LEADER:
		return peer_call(p, op_end_leader, 0) ?: await_no_memory(p->pid);
	case T_ZOMBIE:
		kill(p->pid, SIGKILL);
		return waitid(P_PID, p->pid, &info, WEXITED | WNOWAIT);
	default:
		return 0;
	}
}

#endif /* XMAP_ACCESS_H */
