// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * breakpoint - set a breakpoint in a running child and take it out again.
 * Program text is mapped read-only, so that takes XMAP_RIGHT_FORCE.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xmap.h>

static sig_atomic_t hits;

static void on_trap(int sig)
{
	hits += sig == SIGTRAP;
}

/* Begins with a byte that does nothing: int3 can take its place. */
__attribute__((naked, noinline)) static void work(void)
{
	__asm__("nop; ret");
}

/* Make @insn the first byte of the child's work() and let it work once. */
static int try(struct xmap_target *target, uint8_t insn, int fd)
{
	char c = 0;

	if (xmap_write(target, (uintptr_t)work, &insn, 1) != 1 || write(fd, &c, 1) != 1 ||
	    read(fd, &c, 1) != 1)
		return 1;
	return printf("first byte 0x%02x: the child was trapped %d times\n", insn, c) < 0;
}

int main(void)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = XMAP_RIGHT_READ | XMAP_RIGHT_WRITE |
							   XMAP_RIGHT_FORCE);
	struct xmap_target *target;
	struct xmap_dev *dev;
	int fds[2], pid;
	uint8_t insn;

	signal(SIGTRAP, on_trap);
	pid = socketpair(AF_UNIX, SOCK_STREAM, 0, fds) ? -1 : fork();
	if (!pid) {
		close(fds[0]);
		for (char c; read(fds[1], &c, 1) == 1; write(fds[1], &c, 1)) {
			work();
			c = __atomic_load_n(&hits, __ATOMIC_SEQ_CST);
		}
		return 0;
	}
	if (pid < 0 || xmap_open(NULL, &dev) || xmap_target_open_pid(dev, pid, &opts, &target) ||
	    xmap_read(target, (uintptr_t)work, &insn, 1) != 1)
		return 1;
	return try(target, insn, fds[0]) || try(target, 0xcc, fds[0]) || try(target, insn, fds[0]);
}
