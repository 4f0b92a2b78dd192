// SPDX-License-Identifier: LGPL-2.1-or-later
/* The target process: one that does what it is told. */
#include <errno.h>
#include <limits.h>
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

/* argv[1] of this program when it is a peer's next program, or the twins. */
#define PEER_ARG "--peer"
#define TWINS_ARG "--twins"

enum {
	PEER_GET,
	PEER_SET,
	PEER_UNMAP,
	PEER_PROTECT,
	PEER_SHARED,
	PEER_EXEC,
	PEER_EXIT,
};

struct peer_command {
	int op;
	int arg;
	uint64_t addr;
	uint64_t length;
};

/* A peer's side of its pipes, also as what its next program gets as arguments. */
struct peer_ends {
	int in;
	int out;
	char *in_arg;
	char *out_arg;
};

static char program[PATH_MAX];

/*
 * What runs in a peer is left alone by sanitizers, and calls neither the C library
 * nor their versions of it: they know nothing of the memory that the peer looks at,
 * and twins would be one thread to them.
 */
#define PEER_PLAIN __attribute__((no_sanitize("address", "undefined", "thread")))

PEER_PLAIN
static long peer_syscall(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = -1;
	register long r9 __asm__("r9") = 0;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

PEER_PLAIN
static void peer_fill(uint64_t addr, size_t length, int byte)
{
	volatile char *to = (volatile char *)addr;

	while (length--)
		*to++ = byte;
}

PEER_PLAIN
static void peer_map(int byte)
{
	long addr = peer_syscall(SYS_mmap, PEER_ADDR, PEER_LENGTH, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE);

	if (addr != PEER_ADDR)
		peer_syscall(SYS_exit_group, 101, 0, 0, 0);
	peer_fill(PEER_ADDR, PEER_LENGTH, byte);
}

/*
 * The pipes go on, as arguments: the next program answers when it is ready.  It
 * and those after it have everything at the same address.
 */
PEER_PLAIN
static long peer_do_exec(const struct peer_ends *ends)
{
	char *const argv[] = { "peer", PEER_ARG, ends->in_arg, ends->out_arg, NULL };

	peer_syscall(SYS_personality, ADDR_NO_RANDOMIZE, 0, 0, 0);
	return peer_syscall(SYS_execve, (long)program, (long)argv, (long)environ, 0);
}

PEER_PLAIN
static int peer_do(const struct peer_command *command, const struct peer_ends *ends)
{
	switch (command->op) {
	case PEER_GET:
		return *(volatile unsigned char *)command->addr;
	case PEER_SET:
		peer_fill(command->addr, command->length, command->arg);
		return 0;
	case PEER_UNMAP:
		return peer_syscall(SYS_munmap, command->addr, command->length, 0, 0);
	case PEER_PROTECT:
		return peer_syscall(SYS_mprotect, command->addr, command->length, command->arg, 0);
	case PEER_SHARED:
		return peer_syscall(SYS_mmap, command->addr, command->length, command->arg,
				    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED) < 0;
	case PEER_EXEC:
		return peer_do_exec(ends);
	}
	return peer_syscall(SYS_exit_group, 0, 0, 0, 0);
}

/* @result: The first answer, to no command. */
PEER_PLAIN
static int peer_loop(const struct peer_ends *ends, int result)
{
	struct peer_command command;

	peer_syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
	while (peer_syscall(SYS_write, ends->out, (long)&result, sizeof(result), 0) ==
			(long)sizeof(result) &&
	       peer_syscall(SYS_read, ends->in, (long)&command, sizeof(command), 0) ==
			(long)sizeof(command))
		result = peer_do(&command, ends);
	return peer_syscall(SYS_exit_group, 103, 0, 0, 0);
}

static struct peer_ends peer_ends_of(char *in_arg, char *out_arg)
{
	return (struct peer_ends){ atoi(in_arg), atoi(out_arg), in_arg, out_arg };
}

PEER_PLAIN
static int peer_twin(void *ends)
{
	return peer_loop(ends, 0);
}

/*
 * A second process in this address space: a sibling, so that whoever started us
 * can wait for it.  Our first answer is its number.
 */
static void peer_twins_main(struct peer_ends *ends, struct peer_ends *twin)
{
	static char stack[64 * 1024];
	uintptr_t top = (uintptr_t)(stack + sizeof(stack)) & ~15UL;
	int pid;

	peer_map('O');
	pid = clone(peer_twin, (void *)top, CLONE_VM | CLONE_PARENT | SIGCHLD, twin);
	peer_loop(ends, pid);
}

void peer_main(int argc, char **argv)
{
	struct peer_ends ends, twin;

	/* Not /proc/self/exe later on: in valgrind that would be valgrind. */
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		abort();
	if (argc == 4 && !strcmp(argv[1], PEER_ARG)) {
		ends = peer_ends_of(argv[2], argv[3]);
		peer_map('N');
		peer_loop(&ends, 0);
	}
	if (argc == 6 && !strcmp(argv[1], TWINS_ARG)) {
		ends = peer_ends_of(argv[2], argv[3]);
		twin = peer_ends_of(argv[4], argv[5]);
		peer_twins_main(&ends, &twin);
	}
}

/* ---- Our side of it ---- */

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

/* Make the pipes.  @args: room for the numbers of the peer's ends. */
static struct peer_ends peer_pipes(struct peer *peer, char args[2][16])
{
	int to[2];
	int from[2];

	ck_assert_int_eq(pipe(to), 0);
	ck_assert_int_eq(pipe(from), 0);
	snprintf(args[0], sizeof(args[0]), "%d", to[0]);
	snprintf(args[1], sizeof(args[1]), "%d", from[1]);
	peer->to = to[1];
	peer->from = from[0];
	return peer_ends_of(args[0], args[1]);
}

/* The peer has its ends now; ours go to no other. */
static void peer_started(struct peer *peer, pid_t pid, const struct peer_ends *ends)
{
	ck_assert_int_gt(pid, 0);
	peer->pid = pid;
	peer->pidfd = syscall(SYS_pidfd_open, pid, 0);
	ck_assert_int_ge(peer->pidfd, 0);
	close(ends->in);
	close(ends->out);
}

void peer_start(struct peer *peer)
{
	static char args[2][16];
	struct peer_ends ends = peer_pipes(peer, args);
	pid_t pid;

	pid = fork();
	if (!pid) {
		close(peer->to);
		close(peer->from);
		peer_map('O');
		peer_loop(&ends, 0);
	}
	peer_started(peer, pid, &ends);
	ck_assert_int_eq(peer_answer(peer), 0);
}

void peer_start_twins(struct peer *peer, struct peer *twin)
{
	char args[4][16];
	struct peer_ends ends = peer_pipes(peer, args);
	struct peer_ends twin_ends = peer_pipes(twin, args + 2);
	pid_t pid;

	pid = fork();
	if (!pid) {
		close(peer->to);
		close(peer->from);
		close(twin->to);
		close(twin->from);
		execl(program, "twins", TWINS_ARG, args[0], args[1], args[2], args[3], NULL);
		_exit(102);
	}
	peer_started(peer, pid, &ends);
	peer_started(twin, peer_answer(peer), &twin_ends);
	ck_assert_int_eq(peer_answer(twin), 0);
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
