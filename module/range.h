/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pure arithmetic on address ranges.  Nothing here touches the kernel, so the
 * same lines are unit-tested in user space.
 *
 * A range is [start, end): end is exclusive, and never wraps.
 */
#ifndef XMAP_RANGE_H
#define XMAP_RANGE_H

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/types.h>
#else
#include <errno.h>
#include <stdbool.h>
#include <linux/types.h>
typedef __u64 u64;
#endif

struct xmap_range {
	u64 start;
	u64 end;
};

/**
 * xmap_range_init - Make a range from an address and a length
 * @range: Out: the range; untouched on failure
 * @addr: First address
 * @length: Length in bytes, may be 0
 *
 * Return: 0, or -EOVERFLOW if the range wraps around.
 */
static inline int xmap_range_init(struct xmap_range *range, u64 addr, u64 length)
{
	if (addr + length < addr)
		return -EOVERFLOW;
	range->start = addr;
	range->end = addr + length;
	return 0;
}

static inline u64 xmap_range_length(const struct xmap_range *range)
{
	return range->end - range->start;
}

static inline bool xmap_range_empty(const struct xmap_range *range)
{
	return range->start >= range->end;
}

/* Is all of @inner in @outer?  An empty range is, if its place is. */
static inline bool xmap_range_contains(const struct xmap_range *outer,
				       const struct xmap_range *inner)
{
	return inner->start >= outer->start && inner->end <= outer->end &&
	       inner->start <= inner->end;
}

static inline bool xmap_range_overlaps(const struct xmap_range *a, const struct xmap_range *b)
{
	return a->start < b->end && b->start < a->end;
}

/* What @a and @b have in common; empty if that is nothing. */
static inline struct xmap_range xmap_range_clip(const struct xmap_range *a,
						const struct xmap_range *b)
{
	struct xmap_range clip = {
		.start = a->start > b->start ? a->start : b->start,
		.end = a->end < b->end ? a->end : b->end,
	};

	if (clip.end < clip.start)
		clip.end = clip.start;
	return clip;
}

/**
 * xmap_range_access - How much of an access lies within a handle's range?
 * @range: Range of the handle, within [0, @limit)
 * @limit: End of every user address space
 * @addr: First address of the access
 * @length: Length in bytes, not 0
 *
 * An access that begins inside the range and leaves it is cut there, as a
 * read at the end of a file is.
 *
 * Return: the length that may be accessed, not 0; -EFAULT if @addr is no user
 * address at all; -EACCES if it lies outside the handle's range.
 */
static inline long xmap_range_access(const struct xmap_range *range, u64 limit, u64 addr,
				     u64 length)
{
	if (addr >= limit)
		return -EFAULT;
	if (addr < range->start || addr >= range->end)
		return -EACCES;
	return length < range->end - addr ? (long)length : (long)(range->end - addr);
}

/**
 * xmap_range_around - The block of a size that surrounds an address
 * @addr: Address
 * @block: Size of the block, a power of 2
 * @limits: Where the block is cut
 *
 * Return: the part of the naturally aligned block that lies in @limits.
 */
static inline struct xmap_range xmap_range_around(u64 addr, u64 block,
						  const struct xmap_range *limits)
{
	struct xmap_range around = { .start = addr & ~(block - 1) };

	around.end = around.start + block;
	/* The block at the very top: there is no address after it. */
	if (around.end < around.start)
		around.end = ~(u64)0;
	return xmap_range_clip(&around, limits);
}

#endif /* XMAP_RANGE_H */
