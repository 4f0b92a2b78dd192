// SPDX-License-Identifier: GPL-2.0-only
/* What else can be done with a file descriptor. */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "actor.h"
#include "fuzz.h"

/*
 * Where a write to this slot may go.  /proc/PID/mem writes wherever it is told to, so
 * only what lies behind a window may be written to through it.  Returns false if
 * it may not at all.
 */
static bool write_offset(__u64 slot, __u64 *offset)
{
	switch (slot_kind(slot)) {
	case KIND_MEM:
		return *offset >= WIN && *offset < WIN_END - WIN_STRIDE;
	case KIND_MEMFD:
	case KIND_REGION:
		*offset %= 1UL << 20;
		return true;
	default:
		*offset = safe_remote(*offset);
		return true;
	}
}

static __u64 write_length(__u64 slot, __u64 len)
{
	return slot_kind(slot) == KIND_TARGET ? len : len % SCRATCH_ROOM;
}

CALL(pread)
{
	return pread(slot_fd(a[0]), (void *)place(x, a[1]), a[2], a[3]);
}

CALL(pwrite)
{
	__u64 offset = a[3];

	if (!write_offset(a[0], &offset))
		return NOT_RUN;
	return pwrite(slot_fd(a[0]), (void *)place(x, a[1]), write_length(a[0], a[2]), offset);
}

CALL(preadv2)
{
	struct iovec iov[] = {
		{ (void *)place(x, a[1]), a[2] },
		{ (void *)place(x, a[3]), a[4] },
	};

	return syscall(SYS_preadv2, slot_fd(a[0]), iov, 2, a[5], 0, a[6]);
}

CALL(pwritev2)
{
	struct iovec iov[] = {
		{ (void *)place(x, a[1]), write_length(a[0], a[2]) },
		{ (void *)place(x, a[3]), write_length(a[0], a[4]) },
	};
	__u64 offset = a[5];

	if (!write_offset(a[0], &offset))
		return NOT_RUN;
	return syscall(SYS_pwritev2, slot_fd(a[0]), iov, 2, offset, 0, a[6]);
}

CALL(lseek)
{
	return lseek(slot_fd(a[0]), a[1], a[2] % 6);
}

CALL(poll)
{
	struct pollfd pfd = { .fd = slot_fd(a[0]), .events = POLLIN | POLLOUT | POLLHUP };

	return poll(&pfd, 1, 0) < 0 ? -1 : 0;
}

/* A second /proc/PID/mem could become something else's number at the wrong moment. */
static bool copyable(__u64 slot)
{
	return slot_kind(slot) != KIND_MEM && slot_kind(slot) != KIND_NONE;
}

__u64 out_slot(__u64 slot)
{
	return slot % SLOTS < SLOT_OUT ? SLOT_OUT : slot;
}

/* What goes with a descriptor, for those who receive it. */
struct parcel {
	enum slot_kind kind;
	__u32 node;
};

/*
 * Another descriptor for what is in a slot, or -1.  What another thread changes
 * meanwhile is nothing that one could say the kind of.
 */
static int slot_dup(__u64 slot, struct parcel *parcel)
{
	struct slot_look look;
	int fd;

	slot_look(slot, &look);
	if (!copyable(slot))
		return -1;
	fd = fcntl(slot_fd(slot), F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (!slot_unchanged(&look)) {
		close(fd);
		return -1;
	}
	*parcel = (struct parcel){ look.kind, look.node };
	return fd;
}

CALL(dup)
{
	struct parcel parcel;
	int fd = slot_dup(a[0], &parcel);

	if (fd < 0)
		return NOT_RUN;
	slot_put(out_slot(a[1]), fd, parcel.kind, parcel.node);
	return 0;
}

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int))];
};

static int parcel_send(int sock, int fd, const struct parcel *parcel)
{
	struct iovec iov = { (void *)parcel, sizeof(*parcel) };
	union control control = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(*parcel) ? 0 : -1;
}

/* Returns the descriptor, or -1. */
static int parcel_receive(int sock, struct parcel *parcel)
{
	struct iovec iov = { parcel, sizeof(*parcel) };
	union control control = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != sizeof(*parcel) ||
	    !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* Through a socket, and perhaps it is gone here while it is on its way. */
CALL(pass)
{
	struct parcel parcel;
	int sv[2], fd = slot_dup(a[0], &parcel);
	bool sent;

	if (fd < 0)
		return NOT_RUN;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sv)) {
		close(fd);
		return NOT_RUN;
	}
	sent = !parcel_send(sv[0], fd, &parcel);
	close(fd);
	fd = -1;
	if (sent && !(a[2] & 1))
		slot_set(a[0], -1, KIND_NONE);
	/* Left in the queue, it goes with the socket. */
	if (sent && !(a[2] & 4))
		fd = parcel_receive(sv[1], &parcel);
	if (fd >= 0)
		slot_put(out_slot(a[1]), fd, parcel.kind, parcel.node);
	close(sv[0]);
	close(sv[1]);
	return 0;
}

/* To the other process, which may receive it or not. */
CALL(send)
{
	struct parcel parcel;
	int fd = slot_dup(a[0], &parcel), err = 0;

	if (fd < 0)
		return NOT_RUN;
	if (parcel_send(x->who == VICTIM ? SOCK_OF_PASS : SOCK_PASS, fd, &parcel))
		err = errno;
	else if (!(a[1] & 1))
		slot_set(a[0], -1, KIND_NONE);
	close(fd);
	errno = err;
	return err ? -1 : 0;
}

CALL(receive)
{
	__u64 out = out_slot(a[0]);
	struct parcel parcel = {};
	int fd = parcel_receive(x->who == VICTIM ? SOCK_OF_PASS : SOCK_PASS, &parcel);

	if (fd < 0)
		return -1;
	/* Where others look for one of its kind. */
	if (parcel.kind == KIND_EXPORT && out < SLOT_EXPORT)
		out += SLOT_EXPORT - SLOT_OUT;
	if (parcel.kind == KIND_REGION && out < SLOT_REGION)
		out += SLOT_REGION - SLOT_OUT;
	slot_put(out, fd, parcel.kind, parcel.node);
	return 0;
}

CALL(fdinfo)
{
	char path[40], text[512];
	long ret;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", slot_fd(a[0]));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = read(fd, text, sizeof(text));
	close(fd);
	return ret < 0 ? -1 : 0;
}

CALL(close)
{
	slot_set(a[0], -1, KIND_NONE);
	return 0;
}

/* Take memory away from whoever has the file mapped. */
CALL(truncate)
{
	__u64 len = a[0] % (1UL << 20);
	int fd = slot_fd(SLOT_MEMFD);

	if (slot_kind(SLOT_MEMFD) != KIND_MEMFD)
		return NOT_RUN;
	if (a[1] & 1)
		return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, len ?: PAGE);
	return ftruncate(fd, len);
}

/* ---- io_uring, without a library: one request at a time ---- */

#define RING_ENTRIES 4

struct ring {
	int fd;
	char *rings;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
};

/* One for each actor of a process; the victim inherits none. */
static struct ring rings[ACTORS];

static void ring_open_for(struct ring *ring)
{
	struct io_uring_params *p = &ring->p;
	size_t len;

	memset(p, 0, sizeof(*p));
	ring->fd = syscall(SYS_io_uring_setup, RING_ENTRIES, p);
	if (ring->fd < 0)
		return;
	fcntl(ring->fd, F_SETFD, FD_CLOEXEC);
	len = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	ring->rings = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			   IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, p->sq_entries * sizeof(*ring->sqes), PROT_READ | PROT_WRITE,
			  MAP_SHARED, ring->fd, IORING_OFF_SQES);
	if (ring->rings == MAP_FAILED || ring->sqes == MAP_FAILED ||
	    !(p->features & IORING_FEAT_SINGLE_MMAP)) {
		close(ring->fd);
		ring->fd = -1;
	}
}

void rings_close(void)
{
	int i;

	for (i = 0; i < ACTORS; i++) {
		if (rings[i].fd > 0)
			close(rings[i].fd);
		rings[i].fd = 0;
	}
}

static __u32 *ring_word(struct ring *ring, __u32 offset)
{
	return (__u32 *)(ring->rings + offset);
}

/* Submit what is in the first entry, and wait for its answer. */
static long ring_do(struct ring *ring)
{
	__u32 *head = ring_word(ring, ring->p.cq_off.head);
	__u32 *tail = ring_word(ring, ring->p.sq_off.tail);
	__u32 mask = *ring_word(ring, ring->p.cq_off.ring_mask);
	struct io_uring_cqe *cqes = (void *)(ring->rings + ring->p.cq_off.cqes);
	__u32 slot = *tail & *ring_word(ring, ring->p.sq_off.ring_mask);
	long submitted = 0;
	int res;

	ring_word(ring, ring->p.sq_off.array)[slot] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(ring_word(ring, ring->p.cq_off.tail), __ATOMIC_ACQUIRE) == *head) {
		long rc = syscall(SYS_io_uring_enter, ring->fd, !submitted, 1,
				  IORING_ENTER_GETEVENTS, NULL, 0);

		if (rc < 0 && errno != EINTR)
			return -1;
		if (rc > 0)
			submitted = rc;
	}
	res = cqes[*head & mask].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	if (res >= 0)
		return 0;
	errno = -res;
	return -1;
}

CALL(uring)
{
	const __u8 ops[] = { IORING_OP_READ, IORING_OP_WRITE, IORING_OP_READ, IORING_OP_WRITE,
			     IORING_OP_POLL_ADD, IORING_OP_FSYNC, IORING_OP_URING_CMD };
	__u8 op = ops[a[1] % sizeof(ops)];
	struct ring *ring = &rings[x->who];
	enum slot_kind kind = slot_kind(a[0]);
	__u64 offset = a[4];

	/* What is no target could make it wait for ever. */
	if (kind != KIND_TARGET && kind != KIND_REGION && kind != KIND_DEV && kind != KIND_MEMFD)
		return NOT_RUN;
	if (op == IORING_OP_WRITE && !write_offset(a[0], &offset))
		return NOT_RUN;
	if (op == IORING_OP_POLL_ADD && kind != KIND_TARGET)
		return NOT_RUN;
	if (!ring->fd)
		ring_open_for(ring);
	if (ring->fd < 0)
		return NOT_RUN;
	memset(ring->sqes, 0, sizeof(*ring->sqes));
	ring->sqes->opcode = op;
	ring->sqes->flags = a[5] & 1 ? IOSQE_ASYNC : 0;
	ring->sqes->fd = slot_fd(a[0]);
	if (op == IORING_OP_POLL_ADD) {
		/* Always ready. */
		ring->sqes->poll32_events = POLLIN | POLLOUT;
	} else if (op != IORING_OP_FSYNC) {
		ring->sqes->off = offset;
		ring->sqes->addr = place(x, a[2]);
		ring->sqes->len = write_length(a[0], a[3]);
	}
	return ring_do(ring);
}
