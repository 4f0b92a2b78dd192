// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Descriptors that come with a channel's records.
 *
 * They have a socket of their own.  The writer sends them before it publishes the
 * record, in a message that says which record it is, so that who reads the record
 * finds them there.  Who does not read records takes no descriptors either, and the
 * kernel counts them as the writer's meanwhile.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"

/* As many as one message can have, whoever made it: what does not fit would be lost. */
#define SCM_FDS 253
/* What others may have made the socket pass on as well: credentials, label, pidfd. */
#define SCM_MORE 512

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(SCM_FDS * sizeof(int)) + SCM_MORE];
};

/* A peer that died with something unread leaves this, once. */
static bool again(ssize_t n)
{
	return n < 0 && (errno == EINTR || errno == ECONNRESET);
}

int xmap_channel_fds_send(struct xmap_channel *ch, const int *fds, unsigned int nfds,
			  struct xmap_deadline *deadline)
{
	uint32_t position = ch->state->send.mine;
	struct iovec iov = { &position, sizeof(position) };
	union control control = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(nfds * sizeof(int)),
	};
	struct cmsghdr *cmsg = &control.align;
	int rc = 0;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));
	for (;;) {
		if (sendmsg(ch->fds, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return -EPIPE;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		/* The socket is full of what the peer has not taken yet. */
		rc = xmap_deadline_poll(deadline, ch->fds, POLLOUT);
		if (rc < 0 && rc != -EINTR)
			return rc;
	}
}

static void close_all(const int *fds, unsigned int nfds)
{
	while (nfds--)
		close(fds[nfds]);
}

/*
 * Take every descriptor out of a message.  Return: how many were to be passed, of
 * which the first XMAP_CHANNEL_FDS_MAX are in @fds; what is more is closed.
 */
static unsigned int control_fds(struct msghdr *msg, int *fds)
{
	struct cmsghdr *cmsg;
	unsigned int nfds = 0;
	size_t i, count;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    (cmsg->cmsg_type != SCM_RIGHTS && cmsg->cmsg_type != SCM_PIDFD))
			continue;
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (fd < 0)
				continue;
			if (cmsg->cmsg_type == SCM_RIGHTS && nfds < XMAP_CHANNEL_FDS_MAX)
				fds[nfds] = fd;
			else
				close(fd);
			nfds += cmsg->cmsg_type == SCM_RIGHTS;
		}
	}
	return nfds;
}

/* Take the message of the record that is peeked at off the socket, whatever comes with it. */
int xmap_channel_fds_drop(struct xmap_channel *ch)
{
	uint32_t position;
	ssize_t n;

	do {
		n = recv(ch->fds, &position, sizeof(position), MSG_DONTWAIT | MSG_TRUNC);
	} while (again(n));
	if (n != sizeof(position) || position != ch->state->recv.mine)
		return xmap_channel_fail(ch, -EPROTO);
	return 0;
}

/*
 * The descriptors of the record that is peeked at.  They are looked at first, which
 * duplicates them: if there is no room for them all, the message is still there.
 */
int xmap_channel_fds_recv(struct xmap_channel *ch, int *fds)
{
	unsigned int nfds, want = ch->state->recv.record.nfds;
	int got[XMAP_CHANNEL_FDS_MAX];
	union control control;
	uint32_t position;
	struct iovec iov = { &position, sizeof(position) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;
	int rc;

	do {
		n = recvmsg(ch->fds, &msg, MSG_DONTWAIT | MSG_PEEK | MSG_CMSG_CLOEXEC);
	} while (again(n));
	if (n < 0)
		return xmap_channel_fail(ch, -EPROTO);
	nfds = control_fds(&msg, got);
	if (msg.msg_flags & MSG_CTRUNC)
		rc = -EMFILE;
	else if (nfds != want)
		rc = xmap_channel_fail(ch, -EPROTO);
	else
		rc = xmap_channel_fds_drop(ch);
	if (rc) {
		close_all(got, nfds < XMAP_CHANNEL_FDS_MAX ? nfds : XMAP_CHANNEL_FDS_MAX);
		return rc;
	}
	memcpy(fds, got, want * sizeof(int));
	return 0;
}
