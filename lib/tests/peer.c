// SPDX-License-Identifier: LGPL-2.1-or-later
/* The process that the tests look into. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests.h"

enum {
	PEER_GET,
	PEER_SET,
	PEER_UNMAP,
	PEER_PROTECT,
	PEER_SHARED,
	PEER_EXEC,
	PEER_EXIT,
};

/*
 * No sanitizer's checks: it knows neither the memory that the peer looks at, nor
 * the stack of a child that shares our memory.
 */
#define PEER_PLAIN __attribute__((no_sanitize("address", "undefined")))

struct peer_command {
	int op;
	int arg;
	uint64_t addr;
	uint64_t length;
};

static void peer_map(int byte)
{
	void *addr = mmap((void *)PEER_ADDR, PEER_LENGTH, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (addr != (void *)PEER_ADDR)
		_exit(101);
	memset(addr, byte, PEER_LENGTH);
}

/*
 * The pipes go on, as arguments: the next program answers when it is ready.  It
 * and those after it have everything at the same address.
 */
PEER_PLAIN
static void peer_do_exec(int in, int out)
{
	char in_arg[16];
	char out_arg[16];
	char *const argv[] = { "peer", PEER_ARG, in_arg, out_arg, NULL };

	personality(ADDR_NO_RANDOMIZE);
	snprintf(in_arg, sizeof(in_arg), "%d", in);
	snprintf(out_arg, sizeof(out_arg), "%d", out);
	execv("/proc/self/exe", argv);
	_exit(102);
}

PEER_PLAIN
static int peer_do(const struct peer_command *command, int in, int out)
{
	void *addr = (void *)command->addr;

	switch (command->op) {
	case PEER_GET:
		return *(unsigned char *)addr;
	case PEER_SET:
		memset(addr, command->arg, command->length);
		return 0;
	case PEER_UNMAP:
		return munmap(addr, command->length);
	case PEER_PROTECT:
		return mprotect(addr, command->length, command->arg);
	case PEER_SHARED:
		addr = mmap(addr, command->length, command->arg,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		return addr == MAP_FAILED ? -1 : 0;
	case PEER_EXEC:
		peer_do_exec(in, out);
		return -1;
	}
	_exit(0);
}

PEER_PLAIN
static void peer_loop(int in, int out)
{
	struct peer_command command;
	int result = 0;

	do {
		if (write(out, &result, sizeof(result)) != sizeof(result) ||
		    read(in, &command, sizeof(command)) != sizeof(command))
			_exit(103);
		result = peer_do(&command, in, out);
	} while (1);
}

int peer_main(int argc, char **argv)
{
	if (argc != 4 || strcmp(argv[1], PEER_ARG))
		return -1;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	peer_map('N');
	peer_loop(atoi(argv[2]), atoi(argv[3]));
	return 0;
}

static int peer_answer(struct peer *peer)
{
	int result;

	ck_assert_int_eq(read(peer->from, &result, sizeof(result)), sizeof(result));
	return result;
}

static int peer_call(struct peer *peer, int op, uint64_t addr, size_t length, int arg)
{
	struct peer_command command = { op, arg, addr, length };

	ck_assert_int_eq(write(peer->to, &command, sizeof(command)), sizeof(command));
	return peer_answer(peer);
}

/* What a child that shares our memory runs on. */
struct peer_child {
	char stack[64 * 1024];
	int in;
	int out;
};

PEER_PLAIN
static int peer_child_shared(void *data)
{
	struct peer_child *child = data;

	peer_loop(child->in, child->out);
	return 0;
}

static void peer_begin(struct peer *peer, bool shared)
{
	static struct peer_child child;
	uintptr_t top = (uintptr_t)(child.stack + sizeof(child.stack)) & ~15UL;
	int to[2];
	int from[2];

	ck_assert_int_eq(pipe(to), 0);
	ck_assert_int_eq(pipe(from), 0);
	child.in = to[0];
	child.out = from[1];
	if (shared) {
		peer_map('O');
		peer->pid = clone(peer_child_shared, (void *)top, CLONE_VM | SIGCHLD, &child);
	} else {
		peer->pid = fork();
	}
	ck_assert_int_ge(peer->pid, 0);
	if (!peer->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		close(from[0]);
		peer_map('O');
		peer_loop(to[0], from[1]);
	}
	peer->pidfd = syscall(SYS_pidfd_open, peer->pid, 0);
	ck_assert_int_ge(peer->pidfd, 0);
	peer->to = to[1];
	peer->from = from[0];
	close(to[0]);
	close(from[1]);
	ck_assert_int_eq(peer_answer(peer), 0);
}

void peer_start(struct peer *peer)
{
	peer_begin(peer, false);
}

/* A child in the address space of this process, as after vfork(). */
void peer_start_shared(struct peer *peer)
{
	peer_begin(peer, true);
}

int peer_get(struct peer *peer, uint64_t addr)
{
	return peer_call(peer, PEER_GET, addr, 1, 0);
}

void peer_set(struct peer *peer, uint64_t addr, size_t length, int byte)
{
	ck_assert_int_eq(peer_call(peer, PEER_SET, addr, length, byte), 0);
}

void peer_unmap(struct peer *peer, uint64_t addr, size_t length)
{
	ck_assert_int_eq(peer_call(peer, PEER_UNMAP, addr, length, 0), 0);
}

void peer_protect(struct peer *peer, uint64_t addr, size_t length, int prot)
{
	ck_assert_int_eq(peer_call(peer, PEER_PROTECT, addr, length, prot), 0);
}

void peer_map_shared(struct peer *peer, uint64_t addr, size_t length, int prot)
{
	ck_assert_int_eq(peer_call(peer, PEER_SHARED, addr, length, prot), 0);
}

void peer_exec(struct peer *peer)
{
	ck_assert_int_eq(peer_call(peer, PEER_EXEC, 0, 0, 0), 0);
}

static void peer_wait_zombie(struct peer *peer)
{
	siginfo_t info;

	ck_assert_int_eq(waitid(P_PID, peer->pid, &info, WEXITED | WNOWAIT), 0);
}

void peer_exit(struct peer *peer)
{
	struct peer_command command = { .op = PEER_EXIT };

	ck_assert_int_eq(write(peer->to, &command, sizeof(command)), sizeof(command));
	peer_wait_zombie(peer);
}

void peer_kill(struct peer *peer)
{
	kill(peer->pid, SIGKILL);
	peer_wait_zombie(peer);
}

void peer_reap(struct peer *peer)
{
	ck_assert_int_eq(waitpid(peer->pid, NULL, 0), peer->pid);
}

void peer_stop(struct peer *peer)
{
	peer_kill(peer);
	peer_reap(peer);
	close(peer->pidfd);
	close(peer->to);
	close(peer->from);
}

struct xmap_dev *dev_open(int backend)
{
	XMAP_OPTS(struct xmap_open_opts, opts, .backend = backend);
	struct xmap_dev *dev = NULL;

	assert_ok(xmap_open(&opts, &dev));
	ck_assert_int_eq(xmap_backend(dev), backend);
	return dev;
}

struct xmap_target *target_open(struct xmap_dev *dev, pid_t pid, uint32_t rights)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = rights);
	struct xmap_target *target = NULL;

	assert_ok(xmap_target_open_pid(dev, pid, &opts, &target));
	return target;
}
