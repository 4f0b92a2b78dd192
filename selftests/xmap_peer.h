/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A source process under remote control.
 *
 * A peer is a fork of the test that waits for orders on a socket.  An order is
 * a function of this program with up to six arguments: both processes have the
 * same code at the same addresses, so any function can be run over there, and
 * any system call.  What a peer maps, it maps in its own address space only.
 *
 * peer_self() gives a peer that is the calling process, so that a test can be
 * written once for both.
 *
 * Orders run outside the test's process and thus use no ASSERT or EXPECT: they
 * return a value, or -1 with errno set.
 */
#ifndef XMAP_PEER_H
#define XMAP_PEER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <linux/types.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The harness counts seconds of a real machine; an emulated one needs more. */
#define PEER_TIMEOUT 300

typedef long (*peer_fn)(const unsigned long *a);

struct peer {
	pid_t pid;
	int sock;
	int pidfd;
};

struct peer_order {
	peer_fn fn;
	unsigned long a[6];
	long ret;
	int err;
};

/* One shared page for what the test and all its peers do at the same time. */
struct peer_ctl {
	__u32 stop;
	__u32 word[15];
	__u64 count[64];
};

static struct peer_ctl *peer_ctl;

/* The end of the socket in a peer, and the file of the peer's last mapping. */
static int peer_sock = -1;
static int peer_file = -1;

/* ---- waiting on shared words ------------------------------------------- */

static inline void peer_set(__u32 *word, __u32 value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static inline void peer_await(__u32 *word, __u32 value)
{
	__u32 now;

	while ((now = __atomic_load_n(word, __ATOMIC_SEQ_CST)) != value)
		syscall(SYS_futex, word, FUTEX_WAIT, now, NULL, NULL, 0);
}

static inline void peer_spin(unsigned long n)
{
	while (n--)
		__asm__ volatile("pause");
}

/* Go on when the other one of two is here, too; no futex, which wakes one after the other. */
static inline void peer_meet(__u32 round)
{
	__u32 *met = &peer_ctl->word[0];
	unsigned int tries;

	__atomic_add_fetch(met, 1, __ATOMIC_SEQ_CST);
	for (tries = 1; __atomic_load_n(met, __ATOMIC_SEQ_CST) < 2 * round; tries++) {
		/* There may be one processor for both. */
		if (tries % 4096)
			peer_spin(1);
		else
			sched_yield();
	}
}

static inline bool peer_stopped(void)
{
	return __atomic_load_n(&peer_ctl->stop, __ATOMIC_RELAXED);
}

/* ---- starting, ordering and ending ------------------------------------- */

static inline void peer_ctl_new(void)
{
	if (peer_ctl)
		return;
	peer_ctl = mmap(NULL, sizeof(*peer_ctl), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (peer_ctl == MAP_FAILED)
		abort();
}

/* Die with the parent, even if it died before this was called. */
static inline void peer_bind_to(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

static inline void peer_serve(void)
{
	struct peer_order order;

	while (recv(peer_sock, &order, sizeof(order), 0) == sizeof(order)) {
		errno = 0;
		order.ret = order.fn(order.a);
		order.err = errno;
		if (send(peer_sock, &order, sizeof(order), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

static inline int peer_spawn(struct peer *p)
{
	pid_t parent = getpid();
	int sv[2];

	*p = (struct peer){ .sock = -1, .pidfd = -1 };
	peer_ctl_new();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return -1;
	fflush(NULL);
	p->pid = fork();
	if (p->pid < 0)
		return -1;
	if (!p->pid) {
		peer_bind_to(parent);
		close(sv[0]);
		peer_sock = sv[1];
		peer_serve();
	}
	close(sv[1]);
	p->sock = sv[0];
	p->pidfd = syscall(SYS_pidfd_open, p->pid, 0);
	return p->pidfd < 0 ? -1 : 0;
}

static inline int peer_self(struct peer *p)
{
	peer_ctl_new();
	p->pid = getpid();
	p->sock = -1;
	p->pidfd = syscall(SYS_pidfd_open, p->pid, 0);
	return p->pidfd < 0 ? -1 : 0;
}

static inline int peer_start_order(struct peer *p, struct peer_order order)
{
	if (send(p->sock, &order, sizeof(order), MSG_NOSIGNAL) == sizeof(order))
		return 0;
	return -1;
}

/* Answer of the order under way; ESRCH if the peer ended instead. */
static inline long peer_finish(struct peer *p)
{
	struct peer_order order;

	if (recv(p->sock, &order, sizeof(order), 0) != sizeof(order)) {
		errno = ESRCH;
		return -1;
	}
	errno = order.err;
	return order.ret;
}

static inline long peer_do_order(struct peer *p, struct peer_order order)
{
	if (p->sock < 0) {
		errno = 0;
		return order.fn(order.a);
	}
	if (peer_start_order(p, order)) {
		errno = ESRCH;
		return -1;
	}
	return peer_finish(p);
}

#define PEER_ARG(x) ((unsigned long)(x))
#define PEER_ARGS6(a, b, c, d, e, f, ...)					\
	{ PEER_ARG(a), PEER_ARG(b), PEER_ARG(c), PEER_ARG(d), PEER_ARG(e), PEER_ARG(f) }
#define PEER_ORDER(f, ...)							\
	((struct peer_order){ .fn = (f), .a = PEER_ARGS6(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0) })

/* Run fn(args) in the peer and wait for it, or only start it. */
#define peer_call(p, f, ...) peer_do_order(p, PEER_ORDER(f, __VA_ARGS__))
#define peer_start(p, f, ...) peer_start_order(p, PEER_ORDER(f, __VA_ARGS__))

/*
 * Wait until the peer's address space is gone, by exec or by death: both close
 * the socket, and both after they have dropped the address space.
 */
static inline int peer_await_gone(struct peer *p)
{
	char c;

	return recv(p->sock, &c, 1, 0) == 0 ? 0 : -1;
}

/* Kill and reap; the wait status, or -1. */
static inline int peer_kill(struct peer *p, int sig)
{
	int status = -1;

	kill(p->pid, sig);
	if (waitpid(p->pid, &status, 0) != p->pid)
		return -1;
	return status;
}

static inline void peer_end(struct peer *p)
{
	if (p->sock >= 0) {
		close(p->sock);
		if (p->pid > 0)
			peer_kill(p, SIGKILL);
	}
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->sock = -1;
	p->pidfd = -1;
	p->pid = 0;
}

/* ---- orders: system calls, memory, processes ---------------------------- */

static inline long peer_op_syscall(const unsigned long *a)
{
	return syscall(a[0], a[1], a[2], a[3], a[4], a[5], 0UL);
}

/* mmap() is the one with six arguments besides its number. */
static inline long peer_op_mmap(const unsigned long *a)
{
	return syscall(SYS_mmap, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#define peer_syscall(p, nr, ...) peer_call(p, peer_op_syscall, nr, __VA_ARGS__)
#define peer_munmap(p, addr, len) peer_syscall(p, SYS_munmap, addr, len)
#define peer_mprotect(p, addr, len, prot) peer_syscall(p, SYS_mprotect, addr, len, prot)
#define peer_madvise(p, addr, len, how) peer_syscall(p, SYS_madvise, addr, len, how)

/* New zeroed private memory over whatever is at addr. */
#define peer_mmap_over(p, addr, len, prot)					\
	peer_call(p, peer_op_mmap, addr, len, prot,				\
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)

static inline long peer_op_load(const unsigned long *a)
{
	return __atomic_load_n((__u64 *)a[0], __ATOMIC_RELAXED);
}

static inline long peer_op_store(const unsigned long *a)
{
	__atomic_store_n((__u64 *)a[0], a[1], __ATOMIC_RELAXED);
	return 0;
}

#define peer_load(p, addr) ((__u64)peer_call(p, peer_op_load, addr))
#define peer_store(p, addr, value) peer_call(p, peer_op_store, addr, value)

/* What the word at offset off of a pattern with this seed is. */
static inline __u64 peer_word(__u64 seed, size_t off)
{
	return (seed << 40) + off + 1;
}

static inline void peer_fill_here(void *mem, size_t len, __u64 seed)
{
	__u64 *word = mem;
	size_t i;

	for (i = 0; i < len / 8; i++)
		__atomic_store_n(word + i, peer_word(seed, i * 8), __ATOMIC_RELAXED);
}

/* 0 if the memory holds the pattern, else 1 + the offset of the first error. */
static inline long peer_check_here(const void *mem, size_t len, __u64 seed)
{
	const __u64 *word = mem;
	size_t i;

	for (i = 0; i < len / 8; i++)
		if (__atomic_load_n(word + i, __ATOMIC_RELAXED) != peer_word(seed, i * 8))
			return 1 + i * 8;
	return 0;
}

static inline long peer_op_fill(const unsigned long *a)
{
	peer_fill_here((void *)a[0], a[1], a[2]);
	return 0;
}

static inline long peer_op_check(const unsigned long *a)
{
	return peer_check_here((void *)a[0], a[1], a[2]);
}

#define peer_fill(p, addr, len, seed) peer_call(p, peer_op_fill, addr, len, seed)
#define peer_check(p, addr, len, seed) peer_call(p, peer_op_check, addr, len, seed)

/* The word at an offset of the file that the peer mapped last. */
static inline long peer_op_file_load(const unsigned long *a)
{
	__u64 value = 0;

	if (pread(peer_file, &value, sizeof(value), a[0]) != sizeof(value))
		return -1;
	return value;
}

#define peer_file_load(p, off) ((__u64)peer_call(p, peer_op_file_load, off))

/* A child of the peer that only keeps its memory; its pid. */
static inline long peer_op_fork(const unsigned long *a)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	(void)a;
	if (pid)
		return pid;
	peer_bind_to(parent);
	if (peer_sock >= 0)
		close(peer_sock);
	for (;;)
		pause();
}

#define peer_fork(p) ((pid_t)peer_call(p, peer_op_fork, 0))

static inline long peer_op_reap(const unsigned long *a)
{
	kill(a[0], SIGKILL);
	return waitpid(a[0], NULL, 0);
}

/* Kill a child of the peer. */
#define peer_reap(p, child) peer_call(p, peer_op_reap, child)

/* Become another program; peer_await_gone() tells when it happened. */
static inline long peer_op_exec(const unsigned long *a)
{
	(void)a;
	execl("/bin/sleep", "sleep", "100000", NULL);
	return -1;
}

static inline long peer_op_exit(const unsigned long *a)
{
	_exit(a[0]);
}

/* ---- orders that go on beside others ------------------------------------ */

struct peer_job {
	peer_fn fn;
	unsigned long a[5];
};

static inline void *peer_job_thread(void *arg)
{
	struct peer_job job = *(struct peer_job *)arg;

	free(arg);
	job.fn(job.a);
	return NULL;
}

static inline int peer_job_vm(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	peer_job_thread(arg);
	_exit(0);
}

static inline struct peer_job *peer_job_new(const unsigned long *a)
{
	struct peer_job *job = malloc(sizeof(*job));

	if (!job)
		return NULL;
	job->fn = (peer_fn)a[0];
	memcpy(job->a, a + 1, sizeof(job->a));
	return job;
}

static inline long peer_op_thread(const unsigned long *a)
{
	struct peer_job *job = peer_job_new(a);
	pthread_t thread;

	if (!job)
		return -1;
	errno = pthread_create(&thread, NULL, peer_job_thread, job);
	if (errno)
		return -1;
	return pthread_detach(thread);
}

static inline long peer_op_clone_vm(const unsigned long *a)
{
	size_t len = 256 << 10;
	struct peer_job *job = peer_job_new(a);
	char *stack;

	if (!job)
		return -1;
	stack = mmap(NULL, len, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		return -1;
	return clone(peer_job_vm, stack + len, CLONE_VM | SIGCHLD, job);
}

/* Run fn(args) in a thread of the peer, or in a process that shares its memory. */
#define peer_thread(p, f, ...) peer_call(p, peer_op_thread, f, __VA_ARGS__)
#define peer_clone_vm(p, f, ...) ((pid_t)peer_call(p, peer_op_clone_vm, f, __VA_ARGS__))

/* ---- mappings of every kind ---------------------------------------------- */

enum peer_kind {
	PEER_ANON,
	PEER_SHMEM,
	PEER_MEMFD,
	PEER_FILE_PRIVATE,
	PEER_FILE_SHARED,
	/* Shared, of a file that is open for reading only. */
	PEER_FILE_READONLY,
	PEER_HUGETLB,
	PEER_HUGETLB_SHARED,
	PEER_SECRET,
};

#define PEER_HUGE_SIZE (2UL << 20)

/* An unlinked file of this length that holds the pattern. */
static inline int peer_new_file(size_t len, __u64 seed)
{
	const char *dir = getenv("XMAP_TEST_DIR");
	char path[PATH_MAX];
	__u64 page[512];
	size_t off, i;
	int fd;

	snprintf(path, sizeof(path), "%s/xmap-XXXXXX", dir ?: "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -1;
	unlink(path);
	for (off = 0; off < len; off += sizeof(page)) {
		for (i = 0; i < 512; i++)
			page[i] = peer_word(seed, off + i * 8);
		if (pwrite(fd, page, sizeof(page), off) != sizeof(page))
			return -1;
	}
	return fd;
}

static inline int peer_reopen(int fd, int flags)
{
	char path[32];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = open(path, flags | O_CLOEXEC);
	close(fd);
	return ret;
}

/* Arguments: kind, prot, length, seed, wanted address or 0. */
static inline long peer_op_map(const unsigned long *a)
{
	enum peer_kind kind = a[0];
	int first_prot = PROT_READ | PROT_WRITE;
	int flags = a[4] ? MAP_FIXED : 0;
	int prot = a[1], fd = -1;
	size_t len = a[2];
	bool filled = false;
	void *mem;

	switch (kind) {
	case PEER_ANON:
		flags |= MAP_PRIVATE | MAP_ANONYMOUS;
		break;
	case PEER_SHMEM:
		flags |= MAP_SHARED | MAP_ANONYMOUS;
		break;
	case PEER_HUGETLB:
		flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
		break;
	case PEER_HUGETLB_SHARED:
		flags |= MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB;
		break;
	case PEER_MEMFD:
		flags |= MAP_SHARED;
		fd = memfd_create("xmap-test", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, len))
			return -1;
		break;
	case PEER_SECRET:
		flags |= MAP_SHARED;
		fd = syscall(SYS_memfd_secret, O_CLOEXEC);
		if (fd < 0 || ftruncate(fd, len))
			return -1;
		break;
	case PEER_FILE_PRIVATE:
	case PEER_FILE_SHARED:
	case PEER_FILE_READONLY:
		flags |= kind == PEER_FILE_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
		filled = true;
		fd = peer_new_file(len, a[3]);
		if (fd >= 0 && kind == PEER_FILE_READONLY) {
			fd = peer_reopen(fd, O_RDONLY);
			first_prot = PROT_READ;
		}
		if (fd < 0)
			return -1;
		break;
	}
	peer_file = fd;
	mem = mmap((void *)a[4], len, first_prot, flags, fd, 0);
	if (mem == MAP_FAILED)
		return -1;
	if (!filled)
		peer_fill_here(mem, len, a[3]);
	if (prot != first_prot && mprotect(mem, len, prot))
		return -1;
	return (long)mem;
}

/* Memory of that kind in the peer, filled with the pattern; -1 is an error. */
#define peer_map(p, kind, prot, len, seed)					\
	((unsigned long)peer_call(p, peer_op_map, kind, prot, len, seed, 0))
#define PEER_MAP_FAILED (~0UL)

/* Have this many free huge pages; false if this machine gives none. */
static inline bool peer_want_hugetlb(unsigned int pages)
{
	char line[128];
	long have = 0;
	FILE *f;

	f = fopen("/proc/sys/vm/nr_hugepages", "r+");
	if (f) {
		fprintf(f, "%u\n", pages);
		fclose(f);
	}
	f = fopen("/proc/meminfo", "r");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "HugePages_Free: %ld", &have) == 1)
			break;
	fclose(f);
	return have >= (long)pages;
}

#endif
