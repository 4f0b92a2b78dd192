// SPDX-License-Identifier: GPL-2.0-only
/* What it costs to be let in, and to be shut out again. */
#define _GNU_SOURCE
#include <err.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/xmap.h>

#include "bench.h"

#define ACCEPT_TIMES 16

/* ---- One page, by a descriptor that comes through a socket ---- */

static int sock[2] = { -1, -1 };

void bench_consent_start(struct bench *b)
{
	if (sock[0] < 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		err(1, "socketpair");
}

/* Pass @fd through the socket, to ourselves: what comes out is another descriptor. */
static int pass(int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = {
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	if (sendmsg(sock[0], &msg, 0) != 1)
		err(1, "sendmsg");
	if (recvmsg(sock[1], &msg, MSG_CMSG_CLOEXEC) != 1 || !msg.msg_controllen)
		err(1, "recvmsg");
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

static int accept_export(int fd)
{
	struct xmap_cmd_export_accept cmd = {
		.size = sizeof(cmd),
		.rights = XMAP_RIGHT_READ | XMAP_RIGHT_WRITE,
	};

	if (ioctl(fd, XMAP_EXPORT_ACCEPT, &cmd))
		err(1, "XMAP_EXPORT_ACCEPT");
	return cmd.out_fd;
}

static void use_page(struct bench *b, int fd, uint64_t offset)
{
	uint8_t *p = mmap(b->fresh, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE,
			  fd, offset);

	if (p == MAP_FAILED)
		err(1, "mmap of what was passed");
	check_sum("passed page", load_word(p), bench_word(0));
	if (munmap(p, PAGE))
		err(1, "munmap");
}

double run_accept(struct bench *b, const struct bench_way *way, unsigned int round)
{
	double start = now();

	for (int i = 0; i < ACCEPT_TIMES; i++) {
		int fd = pass(way->needs_module ? b->export_fd : b->memfd);

		if (way->needs_module) {
			int target = accept_export(fd);

			use_page(b, target, b->remote);
			close(target);
		} else {
			use_page(b, fd, 0);
		}
		close(fd);
	}
	return (now() - start) / ACCEPT_TIMES;
}

/* ---- Taking back ---- */

static int derive(int from)
{
	struct xmap_cmd_target_derive cmd = {
		.size = sizeof(cmd),
		.rights = XMAP_RIGHT_READ | XMAP_RIGHT_WRITE,
	};

	if (ioctl(from, XMAP_TARGET_DERIVE, &cmd))
		err(1, "XMAP_TARGET_DERIVE");
	return cmd.out_fd;
}

/* Mappings of a page each, all of them touched; neighbours do not become one. */
static void map_many(struct bench *b, size_t count, int fd, uint64_t offset)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t *at = b->fresh + 2 * i * PAGE;

		if (mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
			 offset + i * PAGE) == MAP_FAILED)
			err(1, "mmap number %zu", i);
		load_word(at);
	}
}

static void unmap_many(struct bench *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (munmap(b->fresh + 2 * i * PAGE, PAGE))
			err(1, "munmap number %zu", i);
	}
}

static double take_back(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	struct xmap_cmd_revoke cmd = { .size = sizeof(cmd) };
	double start = now();

	if (ioctl(fd, XMAP_REVOKE, &cmd))
		err(1, "XMAP_REVOKE");
	start = now() - start;
	if (poll(&poller, 1, 0) != 1 || !(poller.revents & POLLHUP))
		errx(1, "it was revoked, and poll() does not say so");
	return start;
}

/* All windows are revoked. */
double run_revoke(struct bench *b, const struct bench_way *way, unsigned int round)
{
	int fd = derive(b->target_fd);
	double ns;

	map_many(b, b->size, fd, b->remote);
	ns = take_back(fd);
	unmap_many(b, b->size);
	close(fd);
	return ns;
}

/* One is, of as many. */
double run_revoke_one(struct bench *b, const struct bench_way *way, unsigned int round)
{
	int others = derive(b->target_fd), fd = derive(b->target_fd);
	uint8_t *last = b->fresh + 2 * b->size * PAGE;
	double ns;

	map_many(b, b->size, others, b->remote);
	if (mmap(last, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, b->remote) ==
	    MAP_FAILED)
		err(1, "mmap of the one window");
	load_word(last);
	ns = take_back(fd);
	if (munmap(last, PAGE))
		err(1, "munmap");
	unmap_many(b, b->size);
	close(fd);
	close(others);
	return ns;
}

/* What nobody can be made to do: he gives his memfd mappings back himself. */
double run_unmap_memfd(struct bench *b, const struct bench_way *way, unsigned int round)
{
	double start;

	map_many(b, b->size, b->memfd, 0);
	start = now();
	unmap_many(b, b->size);
	return now() - start;
}
