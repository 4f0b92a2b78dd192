// SPDX-License-Identifier: LGPL-2.1-or-later
/* pidfd_open() by a process that can. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pidfd.h"

/* argv[1] of this program when it is that process; then its socket. */
#define PIDFD_ARG "--pidfd"

static pthread_mutex_t pidfd_lock = PTHREAD_MUTEX_INITIALIZER;
static int pidfd_socket = -1;
static pid_t pidfd_pid;

union pidfd_control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* @fd: The descriptor, or -errno. */
static void pidfd_send(int to, int fd)
{
	union pidfd_control control = { 0 };
	struct iovec iov = { &fd, sizeof(fd) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	if (sendmsg(to, &msg, 0) < 0)
		abort();
}

static int pidfd_receive(int from)
{
	union pidfd_control control = { 0 };
	int fd = -1;
	struct iovec iov = { &fd, sizeof(fd) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };

	if (recvmsg(from, &msg, MSG_CMSG_CLOEXEC) != sizeof(fd))
		abort();
	if (fd >= 0)
		memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

void pidfd_main(int argc, char **argv)
{
	pid_t pid;
	int fd;

	if (argc != 3 || strcmp(argv[1], PIDFD_ARG))
		return;
	while (recv(atoi(argv[2]), &pid, sizeof(pid), 0) == sizeof(pid)) {
		fd = __real_syscall(SYS_pidfd_open, pid, 0);
		pidfd_send(atoi(argv[2]), fd < 0 ? -errno : fd);
		if (fd >= 0)
			close(fd);
	}
	exit(0);
}

void pidfd_begin(void)
{
	char program[PATH_MAX] = "";
	char arg[16];
	int ends[2];
	int fd;

	fd = __real_syscall(SYS_pidfd_open, getpid(), 0);
	if (fd >= 0) {
		close(fd);
		return;
	}
	if (errno != ENOSYS || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) ||
	    readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		abort();
	snprintf(arg, sizeof(arg), "%d", ends[1]);
	pidfd_pid = fork();
	if (pidfd_pid < 0)
		abort();
	if (!pidfd_pid) {
		close(ends[0]);
		execl(program, "pidfd", PIDFD_ARG, arg, NULL);
		_exit(1);
	}
	close(ends[1]);
	pidfd_socket = ends[0];
}

void pidfd_end(void)
{
	if (pidfd_socket < 0)
		return;
	close(pidfd_socket);
	waitpid(pidfd_pid, NULL, 0);
}

static long pidfd_ask(pid_t pid)
{
	int fd;

	pthread_mutex_lock(&pidfd_lock);
	if (send(pidfd_socket, &pid, sizeof(pid), 0) != sizeof(pid))
		abort();
	fd = pidfd_receive(pidfd_socket);
	pthread_mutex_unlock(&pidfd_lock);
	if (fd >= 0)
		return fd;
	errno = -fd;
	return -1;
}

long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	long arg[6];
	va_list args;

	/* Those that a call does not have are whatever there is, as for syscall(). */
	va_start(args, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_pidfd_open && pidfd_socket >= 0)
		return pidfd_ask(arg[0]);
	return __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}
