/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Channels: what their files share, and the layout of the shared memory.
 *
 * A channel is two rings of records in one piece of memory, one ring for each
 * direction.  Each side of a ring owns one position, a count of bytes that only
 * grows and wraps at 2^32: the writer its head, the reader its tail.
 *
 * The peer is not trusted.  It can write all of the shared memory at any time, so
 * nothing there is believed: each side keeps its own positions in private memory
 * and only ever stores them to the ring; what it loads from there - the other
 * side's position, a record's length - is loaded once, and checked against what
 * the private positions allow, before use.  What cannot be ends the channel.
 *
 * A side that finds nothing to do spins for a moment if that may pay off, and then
 * sleeps: it stores what it needs in the ring, looks once more, and waits
 * in a socket for a bell, one byte from the other side.  Who moves a position looks
 * whether the other side sleeps, and only then makes a system call.  It is a socket
 * and not a futex because of death: nobody wakes a futex for a process that was
 * killed before it could, but the kernel closes its sockets whatever it was doing.
 * It is not an eventfd because the peer could make that block: what it does to its
 * own end of a socket cannot.
 *
 * The memory is a memfd, which nobody can take away, or where that is asked for a
 * region, which who made the channel can take back from the peer.  A load from what
 * has been taken back is SIGBUS, whatever was asked before it; so the peer has to ask
 * for it, too, and to have a handler that calls xmap_channel_fault().  Who made it has
 * nothing to fear: it is not the peer's to revoke, or to cut.
 */
#ifndef XMAP_CHANNEL_H
#define XMAP_CHANNEL_H

#include "internal.h"

#define XMAP_CHANNEL_MAGIC "xmapch1"

#define XMAP_RING_MIN 4096U
#define XMAP_RING_DEFAULT (256U * 1024)
#define XMAP_RING_MAX (1U << 30)

/* Records begin at multiples of this, and positions are multiples of it. */
#define XMAP_RECORD_ALIGN 8U

/* Where the peer looks lies far from where we do: two lines, since some fetch pairs. */
struct xmap_word {
	uint32_t value;
	uint32_t __unused[31];
};

/**
 * struct xmap_ring - What both sides see of one direction
 * @head: Position of the writer
 * @tail: Position of the reader
 * @writer_need: The bytes that the writer sleeps for, 0 if it does not
 * @reader_need: The bytes that the reader sleeps for, 0 if it does not
 */
struct xmap_ring {
	struct xmap_word head;
	struct xmap_word tail;
	struct xmap_word writer_need;
	struct xmap_word reader_need;
};

/**
 * struct xmap_shared - The first page of the memory; the rings' bytes follow
 * @magic: XMAP_CHANNEL_MAGIC
 * @ring: From who made the channel to the other, and the reverse
 */
struct xmap_shared {
	char magic[8];
	char __unused[120];
	struct xmap_ring ring[2];
};

/**
 * struct xmap_record_head - What stands before the bytes of a record
 * @length: Bytes of the record
 * @nfds: Descriptors that come with it, through the socket for those
 */
struct xmap_record_head {
	uint32_t length;
	uint32_t nfds;
};

/**
 * struct xmap_lane - A ring, as one of its sides sees it
 * @my_pos: Shared: where to store @mine
 * @their_pos: Shared: the other side's position
 * @my_need: Shared: what we sleep for
 * @their_need: Shared: what the other side sleeps for
 * @bytes: The ring, mapped twice in a row, so that no record is in two pieces
 * @size: Bytes of the ring
 * @base: Makes "@their_pos + @base - @mine" the bytes that we may move on:
 *	@size to the writer, 0 to the reader
 * @mine: Our position
 * @theirs: The other side's when we last looked, and found it good
 * @held: Bytes of the ring that are reserved, or peeked at; 0 for none
 * @record: Of what is peeked at: the copy that was checked
 * @took_fds: Its descriptors have been taken
 * @bell: Socket where the other side rings for us, and we for it
 * @misses: Calls without time to wait that found nothing
 * @ended: We have shut it down: no more records
 * @over: The peer has, or is gone
 * @spins: May spin at all
 * @budget: Nanoseconds that may be spun in vain until more is earned
 * @counts: What has been done
 */
struct xmap_lane {
	uint32_t *my_pos;
	uint32_t *their_pos;
	uint32_t *my_need;
	uint32_t *their_need;
	unsigned char *bytes;
	uint32_t size;
	uint32_t base;

	uint32_t mine;
	uint32_t theirs;
	uint32_t held;
	struct xmap_record_head record;
	bool took_fds;

	int bell;
	unsigned int misses;
	bool ended;
	bool over;
	bool spins;
	int64_t budget;
	struct xmap_channel_counts counts;
} __attribute__((aligned(128)));

/**
 * struct xmap_channel_state - What a forked child finds wiped: it is the parent's
 * @alive: 1; 0 in a child
 * @error: Why the channel is dead for good, -errno, or 0
 * @gone: The peer is gone
 * @rang: It was woken since we last spun
 * @send: The lane where we write
 * @recv: The lane where we read
 */
struct xmap_channel_state {
	int alive;
	int error;
	bool gone;
	bool rang;
	struct xmap_lane send;
	struct xmap_lane recv;
};

/**
 * struct xmap_channel - A channel's handle
 * @state: In memory of its own
 * @map: First page of the mapping, struct xmap_shared
 * @ring: Bytes of one ring
 * @bells: Sockets of the two rings, in their order
 * @fds: Socket for descriptors
 * @lease: A region's handle by which the peer has the memory; NULL if it is not ours to
 *	take back
 */
struct xmap_channel {
	struct xmap_channel_state *state;
	struct xmap_shared *map;
	uint32_t ring;
	int bells[2];
	int fds;
	struct xmap_region *lease;
};

/**
 * struct xmap_channel_memory - What a new channel is to lie in
 * @ours: Descriptor to be mapped here
 * @theirs: Descriptor for the peer: the same one if it is a memfd
 * @whole: Region: what @ours is the descriptor of, not needed once it is mapped
 * @lease: Region: what @theirs is a duplicate of
 */
struct xmap_channel_memory {
	int ours;
	int theirs;
	struct xmap_region *whole;
	struct xmap_region *lease;
};

/**
 * struct xmap_deadline - When a call is to end
 * @timeout: What the caller said: milliseconds, 0 not to wait, negative for ever
 * @end: CLOCK_MONOTONIC in nanoseconds, once that has been asked for, else 0
 */
struct xmap_deadline {
	int timeout;
	int64_t end;
};

/* Bytes of the ring that a record takes. */
static inline uint32_t xmap_record_size(uint32_t length)
{
	return sizeof(struct xmap_record_head) +
	       ((length + XMAP_RECORD_ALIGN - 1) & ~(XMAP_RECORD_ALIGN - 1));
}

/* The longest record that fits. */
static inline uint32_t xmap_record_max(const struct xmap_lane *lane)
{
	return lane->size - sizeof(struct xmap_record_head);
}

/* Where our position is in the mapping. */
static inline unsigned char *xmap_lane_at(const struct xmap_lane *lane)
{
	return lane->bytes + (lane->mine & (lane->size - 1));
}

/* Bytes that we may move on: room to the writer, records to the reader. */
static inline uint32_t xmap_lane_avail(const struct xmap_lane *lane)
{
	return lane->theirs + lane->base - lane->mine;
}

/* channel.c */
int xmap_channel_fail(struct xmap_channel *ch, int error);

/* channel_memory.c: what the rings lie in */
off_t xmap_channel_memory_size(uint32_t ring);
int xmap_channel_memory_create(uint32_t ring);
int xmap_channel_memory_check(int fd, uint32_t *ring);
int xmap_channel_memory_ring(off_t size, uint32_t *ring);
int xmap_channel_memory_magic(int fd);
int xmap_channel_memory_map(int fd, uint32_t ring, struct xmap_shared **ret);
void xmap_channel_memory_unmap(struct xmap_shared *map, uint32_t ring);
bool xmap_channel_memory_has(const struct xmap_shared *map, uint32_t ring, const void *addr);
int xmap_channel_memory_replace(struct xmap_shared *map, uint32_t ring);
unsigned char *xmap_channel_memory_bytes(struct xmap_shared *map, uint32_t ring, int which);

/* channel_region.c: the same in a region */
int xmap_channel_region_create(struct xmap_dev *dev, uint32_t ring,
			       struct xmap_channel_memory *ret);
int xmap_channel_region_check(struct xmap_dev *dev, int fd, uint32_t *ring);
int xmap_channel_region_populate(struct xmap_shared *map, uint32_t ring);

/* channel_wait.c: positions, sleeping and waking */
int xmap_lane_refresh(struct xmap_channel *ch, struct xmap_lane *lane);
int xmap_lane_wait(struct xmap_channel *ch, struct xmap_lane *lane, uint32_t need,
		   struct xmap_deadline *deadline);
int xmap_lane_wake(struct xmap_channel *ch, struct xmap_lane *lane, uint32_t need);
int xmap_lane_arm(struct xmap_channel *ch, struct xmap_lane *lane, uint32_t need);
int xmap_deadline_poll(struct xmap_deadline *deadline, int fd, short events);

/* Move our position, and wake the peer if it sleeps and that is what it sleeps for. */
static inline int xmap_lane_advance(struct xmap_channel *ch, struct xmap_lane *lane,
				    uint32_t bytes)
{
	uint32_t need;

	lane->mine += bytes;
	__atomic_store_n(lane->my_pos, lane->mine, __ATOMIC_SEQ_CST);
	need = __atomic_load_n(lane->their_need, __ATOMIC_SEQ_CST);
	return need ? xmap_lane_wake(ch, lane, need) : 0;
}

/* channel_fds.c: descriptors that come with records */
int xmap_channel_fds_send(struct xmap_channel *ch, const int *fds, unsigned int nfds,
			  struct xmap_deadline *deadline);
int xmap_channel_fds_recv(struct xmap_channel *ch, int *fds);
int xmap_channel_fds_drop(struct xmap_channel *ch);

#endif /* XMAP_CHANNEL_H */
