// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors that actors give each other, with what is known about them. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "stress.h"

static int inbox = -1;

static socklen_t inbox_address(struct sockaddr_un *sun, unsigned int slot, __u64 inc)
{
	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return offsetof(struct sockaddr_un, sun_path) + 1 +
	       snprintf(sun->sun_path + 1, sizeof(sun->sun_path) - 1, "xmap-stress-%u-%llu", slot,
			inc);
}

void inbox_setup(void)
{
	struct sockaddr_un sun;

	MUST(inbox = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	MUST(bind(inbox, (struct sockaddr *)&sun, inbox_address(&sun, self.slot, self.inc)));
}

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int))];
};

static void message_init(struct msghdr *msg, struct iovec *iov, struct parcel *parcel,
			 union control *control)
{
	*control = (union control){};
	*iov = (struct iovec){ parcel, sizeof(*parcel) };
	*msg = (struct msghdr){
		.msg_iov = iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(*control),
	};
}

bool parcel_send(struct parcel *parcel, int fd, unsigned int to)
{
	struct sockaddr_un sun;
	union control control;
	struct cmsghdr *cmsg;
	struct msghdr msg;
	struct iovec iov;

	message_init(&msg, &iov, parcel, &control);
	msg.msg_name = &sun;
	msg.msg_namelen = inbox_address(&sun, to, get(&ledger->actor[to].inc));
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(inbox, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*parcel);
}

/* In the place of one of its targets, or of its mappings of regions. */
void parcel_receive(void)
{
	struct target *t = &targets[rnd(MAX_TARGETS)];
	struct parcel parcel;
	union control control;
	struct msghdr msg;
	struct iovec iov;
	int fd;

	message_init(&msg, &iov, &parcel, &control);
	if (recvmsg(inbox, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof(parcel) ||
	    !CMSG_FIRSTHDR(&msg))
		return;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	/* Of somebody who is no more. */
	if (get(&ledger->actor[parcel.slot].inc) != parcel.inc) {
		close(fd);
		return;
	}
	if (parcel.region) {
		share_receive(fd, parcel.slot, parcel.inc, &parcel.chain);
		return;
	}
	target_close(t);
	*t = (struct target){
		.fd = fd, .slot = parcel.slot, .inc = parcel.inc, .depth = parcel.depth,
		.chain = parcel.chain,
	};
	count(C_RECEIVE);
}
