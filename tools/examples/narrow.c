// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * narrow NAME - accept what is offered under a name, and give the first 8 bytes of
 * it, and no more, to a helper that is not trusted; then take them back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xmap.h>

static void check(const char *what, long rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "narrow: %s: %s\n", what, strerror(-rc));
	exit(1);
}

/* Send a descriptor, or with -1 a byte alone. */
static void send_fd(int sock, int fd)
{
	union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control = {
		.head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec byte = { "", 1 };
	struct msghdr msg = { .msg_iov = &byte, .msg_iovlen = 1 };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_LEN(sizeof(int));
	}
	check("send", sendmsg(sock, &msg, 0));
}

static int receive_fd(int sock)
{
	union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control;
	char c;
	struct iovec byte = { &c, 1 };
	struct msghdr msg = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		exit(1);
	if (msg.msg_controllen)
		memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

static void try(struct xmap_target *target, const char *what, uint64_t addr)
{
	uint64_t word;
	ssize_t n;

	n = xmap_read(target, addr, &word, sizeof(word));
	if (n == sizeof(word))
		printf("helper: %s: %lu\n", what, word);
	else
		printf("helper: %s: %s\n", what, strerror(-n));
	fflush(stdout);
}

/* It was there before anything was accepted, so it has what it is sent, and no more. */
static int help(int sock)
{
	struct xmap_cmd_target_info info;
	struct xmap_target *target;
	struct xmap_dev *dev;

	check("xmap", xmap_open(NULL, &dev));
	check("target", xmap_target_from_fd(dev, receive_fd(sock), &target));
	check("info", xmap_target_info(target, &info));
	try(target, "its 8 bytes", info.out_addr);
	try(target, "what is behind them", info.out_addr + 8);
	send_fd(sock, -1);
	receive_fd(sock);
	try(target, "its 8 bytes, revoked", info.out_addr);
	return 0;
}

int main(int argc, char **argv)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = XMAP_RIGHT_READ, .length = 8);
	struct xmap_target *whole, *narrow;
	struct xmap_cmd_target_info info;
	struct xmap_export *export;
	struct xmap_dev *dev;
	int socks[2], pid;
	uint64_t word;

	if (argc != 2)
		return 2;
	pid = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks) ? -1 : fork();
	if (pid <= 0) {
		close(socks[0]);
		return pid ? 1 : help(socks[1]);
	}
	close(socks[1]);
	check("xmap", xmap_open(NULL, &dev));
	check("export", xmap_export_open(dev, argv[1], XMAP_RIGHT_READ, &export));
	check("accept", xmap_export_accept(export, NULL, &whole));
	check("info", xmap_target_info(whole, &info));
	printf("accepted %llu bytes, give away 8\n", info.out_length);
	fflush(stdout);

	opts.addr = info.out_addr;
	check("derive", xmap_target_derive(whole, &opts, &narrow));
	send_fd(socks[0], xmap_target_fd(narrow));
	receive_fd(socks[0]);
	check("revoke", xmap_target_revoke(narrow, 0, 0));
	check("read", xmap_read(whole, info.out_addr, &word, sizeof(word)));
	printf("taken back; the whole is still here: %lu\n", word);
	fflush(stdout);
	send_fd(socks[0], -1);
	/* The helper closes its end when it is done. */
	return read(socks[0], &word, 1) != 0;
}
