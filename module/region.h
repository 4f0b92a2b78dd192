/* SPDX-License-Identifier: GPL-2.0-only */
/* What the region_*.c files share.  region_settle.c opens with the protocol. */
#ifndef XMAP_REGION_H
#define XMAP_REGION_H

#include "xmap.h"

#define XMAP_RIGHTS_REGION (XMAP_RIGHT_READ | XMAP_RIGHT_WRITE | XMAP_RIGHT_MANAGE)
/* Against those who write by system calls and by new mappings. */
#define XMAP_REGION_SEALS_WRITE (XMAP_REGION_SEAL_WRITE | XMAP_REGION_SEAL_FUTURE_WRITE)

/**
 * struct xmap_region - Memory that belongs to no process
 * @root: The top of its tree: the node of the handle that created it.  Constant; the
 *	region lives exactly as long, and holds no reference
 * @serial: Of the handle that created it.  Constant once published
 * @memory: The pages: an unlinked file of a tmpfs that nobody else can open.
 *	Constant; holds a reference
 * @flags: Set of enum xmap_region_flags.  Constant
 * @mutex: Held while it is changed as a whole: resized, given, sealed
 * @remaking: The extent of a huge page that is being made anew, or 0.  Locks: the inode's;
 *	set under the page's, too
 * @lost: Pages, by index, that a hardware error has taken, or empty.  Lock: the inode's
 * @replaced: Pages that were replaced because others held them
 * @forced: Were some since xmap_memory_pay()?
 * @lock: Innermost but for the lock of @root's queue
 * @length: Bytes; 0 if all of it was revoked from all.  Lock: @mutex, to change it
 * @seals: Set of enum xmap_region_seals.  Locks: @mutex and @lock, to change it
 * @writers: Mappings that can be, or become, writable.  Lock: @lock
 * @owner: Of a region with a single owner: the address space, or NULL; it holds a
 *	reference to mm_count.  Lock: @mutex, to change it
 * @payer: Memory cgroup of the owner, who may be gone when his pages are taken away; or
 *	NULL.  Holds a reference.  Lock: @mutex
 * @holding: The node of the handle by which @owner has it, which is there as long as
 *	it is here; or NULL.  Lock: @mutex
 * @events: How often something has happened.  Lock: @lock
 * @generation: How often it was rebound.  Lock: @mutex, to change it
 * @user: To whom its bytes are charged.  Constant; lives while they are
 * @place: Its fixed address, in the list of those.  Lock: xmap_places_lock
 * @address: Addresses that are its own, or empty.  Constant
 * @reserve: Of one with a fixed address: how long it can become; else 0.  Constant
 * @name: Its name, if it is published
 * @kept: Of a persistent one, as long as it has its name: that, in the registry
 */
struct xmap_region {
	struct xmap_node *root;
	u64 serial;
	struct file *memory;
	u32 flags;
	/* Outside of page locks; no mmap_lock under it, nor around it. */
	struct mutex mutex;
	unsigned long remaking;
	struct xmap_range lost;
	atomic64_t replaced;
	bool forced;
	/* Innermost but for that of the queue. */
	spinlock_t lock;
	u64 length;
	u32 seals;
	u32 writers;
	struct mm_struct *owner;
	struct mem_cgroup *payer;
	struct xmap_node *holding;
	u64 events;
	u64 generation;
	struct xmap_user *user;
	struct list_head place;
	struct xmap_range address;
	u64 reserve;
	struct xmap_name name;
	struct xmap_object kept;
};

/**
 * struct xmap_handle - Rights on a range of a region
 * @obj: Accounting, registry and tree
 * @refs: Its file, and those of its mappings
 * @region: The region.  Constant; @obj's node keeps it
 * @range: Offsets.  Constant
 * @rights: Set of enum xmap_rights.  Constant
 * @mappings: Files of its mappings
 * @seen: What of the region's events it was told.  Lock: the region's @lock
 */
struct xmap_handle {
	struct xmap_object obj;
	refcount_t refs;
	struct xmap_region *region;
	struct xmap_range range;
	u32 rights;
	atomic_t mappings;
	u64 seen;
};

static inline bool xmap_region_single(const struct xmap_region *region)
{
	return region->flags & XMAP_REGION_SINGLE_OWNER;
}

static inline bool xmap_region_huge(const struct xmap_region *region)
{
	return region->flags & XMAP_REGION_HUGE;
}

/*
 * The bytes that its creator is charged for when it is @length long: what nobody else can
 * have costs what it would if it were used.
 */
static inline u64 xmap_region_charged(const struct xmap_region *region, u64 length)
{
	return max(length, region->reserve);
}

/* Has all of it been revoked from all? */
static inline bool xmap_region_retired(const struct xmap_region *region)
{
	return !READ_ONCE(region->length);
}

/* The part of a handle's range that the region has now. */
static inline struct xmap_range xmap_handle_clip(const struct xmap_handle *handle)
{
	struct xmap_range all = { .end = READ_ONCE(handle->region->length) };

	return xmap_range_clip(&handle->range, &all);
}

/* Is it for all of the region, whatever its length will be? */
static inline bool xmap_handle_whole(const struct xmap_handle *handle)
{
	return !handle->range.start && handle->range.end == xmap_user_end();
}

/* Which part of the size of a huge page a page is in; never 0. */
static inline unsigned long xmap_region_extent(pgoff_t index)
{
	return (index >> (PMD_SHIFT - PAGE_SHIFT)) + 1;
}

/**
 * enum xmap_settle - From whom pages are taken away
 * @XMAP_SETTLE_ASKED: Nobody; those who were told that they may have done what they may.
 * @XMAP_SETTLE_MAPPED: Those who have them mapped.
 * @XMAP_SETTLE_HELD: Also those who hold them by reference: they keep the page, and the
 *	region gets another one.
 */
enum xmap_settle {
	XMAP_SETTLE_ASKED,
	XMAP_SETTLE_MAPPED,
	XMAP_SETTLE_HELD,
};

/* region.c */
void xmap_handle_get(struct xmap_handle *handle);
void xmap_handle_put(struct xmap_handle *handle);
int xmap_handle_manage(const struct xmap_handle *handle, u32 rights);

/* region_control.c */
void xmap_region_disown(struct xmap_region *region);
bool xmap_region_check_owner(struct xmap_region *region);
void xmap_region_retire(struct xmap_region *region);

/* region_file.c */
extern const struct file_operations xmap_region_fops;
extern const struct file_operations xmap_region_fixed_fops;
extern const struct file_operations xmap_region_huge_fops;

bool xmap_handle_revoked(const struct xmap_handle *handle);
void xmap_region_event(struct xmap_region *region, struct xmap_handle *by);

/* region_map.c */
int xmap_handle_may(const struct xmap_handle *handle, u64 start, u64 end,
		    const struct mm_struct *mm);
int xmap_region_mmap(struct file *file, struct vm_area_struct *vma);
ssize_t xmap_region_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t xmap_region_write_iter(struct kiocb *iocb, struct iov_iter *from);

/* region_memory.c */
bool xmap_memory_has_huge(void);
int xmap_memory_create(struct xmap_region *region, u64 length, const struct inode *anon);
struct page *xmap_memory_page(struct xmap_region *region, pgoff_t index);
bool xmap_memory_lost(const struct xmap_region *region, pgoff_t index, long nr);
int xmap_memory_wait(struct xmap_region *region, pgoff_t index);
gfp_t xmap_memory_gfp(struct address_space *mapping);
struct page *xmap_memory_spare(void);
void xmap_memory_pay(struct xmap_region *region);
int xmap_memory_resize(struct xmap_region *region, u64 length);
void xmap_memory_renew(struct xmap_region *region);

/* region_settle.c */
bool xmap_memory_settle(struct xmap_region *region, const struct xmap_range *range,
			enum xmap_settle from);

/* region_name.c */
int xmap_region_publish(struct xmap_region *region);
int xmap_region_unlink(struct xmap_region *region);
bool xmap_region_linked(struct xmap_region *region);
void xmap_region_forget(struct xmap_region *region);
struct xmap_region *xmap_region_find(const char *name);

/* region_place.c */
int xmap_place_create(struct xmap_region *region, u64 addr, u64 length);
void xmap_place_free(struct xmap_region *region);
unsigned long xmap_place_get(struct file *file, unsigned long addr, unsigned long len,
			     unsigned long pgoff, unsigned long flags);

#endif /* XMAP_REGION_H */
