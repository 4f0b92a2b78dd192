/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a 32-bit test and its 64-bit twin tell each other.
 *
 * Both map the same memory at the same address below 4 GiB, the arena.  A
 * command that lies there, with pointers that lead there, can be issued by both
 * as it is: what comes back must be the same to the byte.
 *
 * No type in here has a width that depends on who is asking.
 */
#ifndef TWIN_H
#define TWIN_H

#include <linux/types.h>

#define TWIN_ARENA 0x20000000U
#define TWIN_ARENA_SIZE (256U << 10)

/* Where the twin is spoken to, out of the way of descriptors that are given to it. */
#define TWIN_SOCK 900

/*
 * Memory of the twin.  A 32-bit number that takes the place of an address leads
 * from HIGH to ALIAS, which holds something else.  EDGE is where mmap2() of a
 * 32-bit process ends: it counts pages, in 32 bits.
 */
#define TWIN_PAGE 4096U
#define TWIN_PAGES 8U
#define TWIN_LENGTH (TWIN_PAGES * TWIN_PAGE)
#define TWIN_HIGH 0x740000000ULL
#define TWIN_ALIAS 0x40000000ULL
#define TWIN_EDGE (1ULL << 44)
#define TWIN_AROUND_EDGE (TWIN_EDGE - TWIN_LENGTH / 2)
#define TWIN_FAR 0x700000000000ULL
/* Both put windows there if the answers tell where they are. */
#define TWIN_WINDOW 0x30000000U

/* The word at each offset of a place. */
enum twin_seed {
	TWIN_SEED_HIGH = 1,
	TWIN_SEED_ALIAS,
	TWIN_SEED_AROUND_EDGE,
	TWIN_SEED_FAR,
	TWIN_SEED_OTHER,
};

enum twin_op {
	/* Number; the descriptor comes in the next message. */
	TWIN_TAKE_FD,
	/* Descriptor. */
	TWIN_CLOSE,
	/* Descriptor, command, argument. */
	TWIN_IOCTL,
	/* As above, as a 32-bit program does it: the compat path of a 64-bit process. */
	TWIN_IOCTL_INT80,
	/* Descriptor, buffer, length, offset. */
	TWIN_PREAD,
	TWIN_PWRITE,
	/* Descriptor, array of pairs of 64-bit words, their number, offset. */
	TWIN_PREADV,
	TWIN_PWRITEV,
	/* Address, length, protection, descriptor or -1, offset. */
	TWIN_MAP,
	/* Address, length. */
	TWIN_UNMAP,
	/* Address, length, seed. */
	TWIN_FILL,
	TWIN_CHECK,
	/* Address, and a value to store. */
	TWIN_LOAD,
	TWIN_STORE,
	/* Address, length, protection. */
	TWIN_PROTECT,
	/* Descriptor: what poll() reports. */
	TWIN_POLL,
	/* Descriptor, buffer, its size. */
	TWIN_FDINFO,
};

struct twin_order {
	__u32 op;
	__u32 pad;
	__u64 a[5];
};

struct twin_answer {
	__s64 ret;
	__s32 err;
	__u32 pad;
};

static inline __u64 twin_word(__u64 seed, __u64 off)
{
	return (seed << 40) + off + 1;
}

static inline void twin_fill(void *mem, __u64 len, __u64 seed)
{
	__u64 *word = mem;
	__u64 i;

	for (i = 0; i < len / 8; i++)
		word[i] = twin_word(seed, i * 8);
}

/* 0 if the memory holds the pattern from an offset on, else 1 + the first wrong offset. */
static inline __s64 twin_check(const void *mem, __u64 len, __u64 seed, __u64 from)
{
	const volatile __u64 *word = mem;
	__u64 i;

	for (i = 0; i < len / 8; i++) {
		if (word[i] != twin_word(seed, from + i * 8))
			return 1 + i * 8;
	}
	return 0;
}

#endif /* TWIN_H */
