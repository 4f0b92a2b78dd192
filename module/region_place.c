// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fixed addresses: every region that has one has it for itself, in all processes.
 *
 * The addresses are far from where the kernel puts a program, its heap, its libraries
 * or its stack; so nothing is there unless somebody asked for it.  In a process where
 * something is, the region cannot be mapped.
 */
#include <linux/mm.h>
#include <linux/mman.h>

#include "region.h"

/* Keeps page tables of neighbours apart, and a stray access from one to the next. */
#define XMAP_PLACE_ALIGN PMD_SIZE

static DEFINE_MUTEX(xmap_places_lock);
/* In order of address. */
static LIST_HEAD(xmap_places);

/*
 * The first region that is, with the space after it, above @addr; the head of the list
 * if there is none.
 */
static struct list_head *xmap_place_after(u64 addr)
{
	struct xmap_region *region;

	lockdep_assert_held(&xmap_places_lock);
	list_for_each_entry(region, &xmap_places, place) {
		if (region->address.end > addr)
			return &region->place;
	}
	return &xmap_places;
}

/* How far from the place before @next on is it free? */
static u64 xmap_place_limit(const struct list_head *next)
{
	if (next == &xmap_places)
		return XMAP_REGION_ADDRESS_MAX;
	return list_entry(next, struct xmap_region, place)->address.start;
}

/* The lowest address where @length bytes are free, with @next after them; or -ENOSPC. */
static int xmap_place_search(u64 length, u64 *addr, struct list_head **next)
{
	struct list_head *pos = xmap_places.next;
	u64 at = XMAP_REGION_ADDRESS_MIN;

	lockdep_assert_held(&xmap_places_lock);
	for (;;) {
		if (xmap_place_limit(pos) >= at && xmap_place_limit(pos) - at >= length)
			break;
		if (pos == &xmap_places)
			return -ENOSPC;
		at = round_up(list_entry(pos, struct xmap_region, place)->address.end,
			      XMAP_PLACE_ALIGN);
		pos = pos->next;
	}
	*addr = at;
	*next = pos;
	return 0;
}

/**
 * xmap_place_create - Give a region an address of its own
 * @region: The region
 * @addr: Which, or 0 for any
 * @length: How much room it needs: whole pages
 *
 * Return: 0, -EEXIST (taken), -EINVAL (not one of those that can be had) or -ENOSPC.
 */
int xmap_place_create(struct xmap_region *region, u64 addr, u64 length)
{
	const struct xmap_range all = {
		.start = XMAP_REGION_ADDRESS_MIN,
		.end = XMAP_REGION_ADDRESS_MAX,
	};
	struct list_head *next;
	struct xmap_range range;
	int rc = 0;

	if (!PAGE_ALIGNED(addr))
		return -EINVAL;
	if (addr && (xmap_range_init(&range, addr, length) || !xmap_range_contains(&all, &range)))
		return -EINVAL;

	mutex_lock(&xmap_places_lock);
	if (addr) {
		next = xmap_place_after(addr);
		if (xmap_place_limit(next) < addr + length)
			rc = -EEXIST;
	} else {
		rc = xmap_place_search(length, &addr, &next);
	}
	if (!rc) {
		region->address.start = addr;
		region->address.end = addr + length;
		list_add_tail(&region->place, next);
	}
	mutex_unlock(&xmap_places_lock);
	return rc;
}

void xmap_place_free(struct xmap_region *region)
{
	mutex_lock(&xmap_places_lock);
	list_del_init(&region->place);
	mutex_unlock(&xmap_places_lock);
}

/*
 * Where mmap() puts a part of such a region.  Only who says MAP_FIXED gives up what he
 * has there.
 */
unsigned long xmap_place_get(struct file *file, unsigned long addr, unsigned long len,
			     unsigned long pgoff, unsigned long flags)
{
	struct xmap_handle *handle = file->private_data;
	const struct xmap_range *place = &handle->region->address;
	u64 want;

	if ((u64)pgoff > xmap_range_length(place) >> PAGE_SHIFT ||
	    len > xmap_range_length(place) - ((u64)pgoff << PAGE_SHIFT))
		return -EACCES;
	want = place->start + ((u64)pgoff << PAGE_SHIFT);
	if (flags & MAP_FIXED)
		return addr == want ? addr : -EINVAL;
	/* A program of 32 bits has no such addresses. */
	if (want > TASK_SIZE - len)
		return -ENOMEM;
	return find_vma_intersection(current->mm, want, want + len) ? -EEXIST : want;
}
