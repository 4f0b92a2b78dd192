/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io_uring without liburing, which Debian has for 64 bits only: one request at a
 * time.
 */
#ifndef RING_H
#define RING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RING_ENTRIES 8

struct ring {
	int fd;
	size_t len;
	size_t sqes_len;
	char *mem;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
};

static inline int ring_open(struct ring *ring)
{
	const int prot = PROT_READ | PROT_WRITE;
	struct io_uring_params *p = &ring->p;
	size_t sq_len, cq_len;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, RING_ENTRIES, p);
	if (ring->fd < 0 || !(p->features & IORING_FEAT_SINGLE_MMAP))
		return -1;
	sq_len = p->sq_off.array + p->sq_entries * sizeof(__u32);
	cq_len = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	ring->len = sq_len > cq_len ? sq_len : cq_len;
	ring->sqes_len = p->sq_entries * sizeof(struct io_uring_sqe);
	ring->mem = mmap(NULL, ring->len, prot, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, ring->sqes_len, prot, MAP_SHARED, ring->fd, IORING_OFF_SQES);
	return ring->mem == MAP_FAILED || ring->sqes == MAP_FAILED ? -1 : 0;
}

static inline void ring_close(struct ring *ring)
{
	munmap(ring->mem, ring->len);
	munmap(ring->sqes, ring->sqes_len);
	close(ring->fd);
}

static inline __u32 *ring_word(struct ring *ring, __u32 off)
{
	return (__u32 *)(ring->mem + off);
}

/* Submit one request and wait for its result. */
static inline int ring_do(struct ring *ring, struct io_uring_sqe sqe)
{
	__u32 *tail = ring_word(ring, ring->p.sq_off.tail);
	__u32 *head = ring_word(ring, ring->p.cq_off.head);
	__u32 slot = *tail & (ring->p.sq_entries - 1);
	struct io_uring_cqe *cqes = (void *)(ring->mem + ring->p.cq_off.cqes);
	int res;

	ring->sqes[slot] = sqe;
	ring_word(ring, ring->p.sq_off.array)[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	do {
		res = syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	} while (res < 0 && errno == EINTR);
	if (res != 1)
		return -1000;
	if (__atomic_load_n(ring_word(ring, ring->p.cq_off.tail), __ATOMIC_ACQUIRE) == *head)
		return -1001;
	res = cqes[*head & (ring->p.cq_entries - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return res;
}

static inline int ring_register(struct ring *ring, const struct iovec *iov, unsigned int n)
{
	return syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, iov, n);
}

#endif /* RING_H */
