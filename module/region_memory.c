// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages of a region.
 *
 * They are those of a tmpfs file that nobody can open.  So the kernel swaps, charges and
 * migrates them, and knows them in a page table, as any shared memory.  How they are
 * taken away from those who had them is told in region_settle.c.
 *
 * Who asked for huge pages (XMAP_REGION_HUGE) has them from a second mount.  Others have
 * none.  Their file system is mounted without; and the mappings are of a kind
 * (VM_DONTEXPAND) for which nobody collapses small pages to a huge one.  The one who can
 * force them on all of tmpfs (shmem_enabled, "force") gets no such regions: they have no
 * memory committed.
 */
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <uapi/linux/fcntl.h>

#include "region.h"

/* More than a cgroup has in stock for a processor, which needs no asking (MEMCG_CHARGE_BATCH). */
#define XMAP_PAY_PAGES 128

static struct vfsmount *xmap_memory_mnt;
/* With huge pages as far as they fit; NULL where the kernel has none. */
static struct vfsmount *xmap_memory_huge_mnt;
/* Where spare pages are made, each at an index of its own. */
static struct file *xmap_memory_stock;
static atomic_long_t xmap_memory_stocked;

static struct vfsmount *xmap_memory_mount_huge(struct file_system_type *type)
{
	/* It is taken apart as it is read. */
	char options[] = "huge=within_size";

	if (!xmap_huge_works())
		return NULL;
	return vfs_kern_mount(type, SB_KERNMOUNT, type->name, options);
}

/* What there is no room for in the kernel's memory is no lack of room elsewhere. */
static int xmap_memory_error(const void *made)
{
	int rc = PTR_ERR_OR_ZERO(made);

	return rc == -ENOSPC ? -ENOMEM : rc;
}

int xmap_memory_init(void)
{
	struct file_system_type *type = get_fs_type("tmpfs");
	int rc;

	if (!type)
		return -ENODEV;
	xmap_memory_mnt = kern_mount(type);
	rc = xmap_memory_error(xmap_memory_mnt);
	if (rc)
		goto out;
	xmap_memory_huge_mnt = xmap_memory_mount_huge(type);
	rc = xmap_memory_error(xmap_memory_huge_mnt);
	if (rc)
		goto err_small;
	xmap_memory_stock = shmem_file_setup_with_mnt(xmap_memory_mnt, "xmap-spare",
						      MAX_LFS_FILESIZE, VM_NORESERVE);
	rc = xmap_memory_error(xmap_memory_stock);
	if (rc)
		goto err_huge;
out:
	/* Built in: the reference to its module is none. */
	module_put(type->owner);
	return rc;

err_huge:
	kern_unmount(xmap_memory_huge_mnt);
err_small:
	kern_unmount(xmap_memory_mnt);
	goto out;
}

void xmap_memory_exit(void)
{
	fput(xmap_memory_stock);
	kern_unmount(xmap_memory_huge_mnt);
	kern_unmount(xmap_memory_mnt);
}

/* Can there be regions with huge pages? */
bool xmap_memory_has_huge(void)
{
	return xmap_memory_huge_mnt;
}

/**
 * xmap_memory_create - Make the pages of a region
 * @region: The region; gets @memory and @length
 * @length: Bytes
 * @anon: Any anonymous inode
 *
 * Return: 0 or -errno.
 */
int xmap_memory_create(struct xmap_region *region, u64 length, const struct inode *anon)
{
	bool huge = xmap_region_huge(region);
	struct inode *inode;
	struct file *file;

	file = shmem_file_setup_with_mnt(huge ? xmap_memory_huge_mnt : xmap_memory_mnt,
					 "xmap-region", length, huge ? 0 : VM_NORESERVE);
	if (IS_ERR(file))
		return xmap_memory_error(file);
	inode = file_inode(file);
	/*
	 * /proc/PID/map_files leads to the inode.  To open it is ENXIO, as with an
	 * anonymous one (the operations are the kernel's, and outlive this module); to
	 * truncate it is EPERM.
	 */
	inode->i_fop = anon->i_fop;
	/* Nobody's: else the kernel would tell those of the same user what is resident. */
	inode->i_mode = S_IFREG;
	inode->i_uid = GLOBAL_ROOT_UID;
	inode->i_gid = GLOBAL_ROOT_GID;
	SHMEM_I(inode)->seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	region->memory = file;
	region->length = length;
	return 0;
}

/*
 * To have a page charged by force.  To wait until the cgroup has room for it would be for
 * as long as somebody likes, who has a say there; and others wait for us.  It can fail.
 */
gfp_t xmap_memory_gfp(struct address_space *mapping)
{
	return (mapping_gfp_mask(mapping) & ~__GFP_DIRECT_RECLAIM) | __GFP_HIGH | __GFP_NOWARN;
}

/**
 * xmap_memory_spare - Have a page to put in the place of another
 *
 * It is one of a file, taken out of it: so it is charged to the caller, as a page of
 * his own would not be.
 *
 * Return: a page that is in no file, with a reference.  Never fails.
 */
struct page *xmap_memory_spare(void)
{
	struct address_space *mapping = xmap_memory_stock->f_mapping;
	pgoff_t index = atomic_long_inc_return(&xmap_memory_stocked);
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	struct page *page;

	page = shmem_read_mapping_page_gfp(mapping, index, xmap_memory_gfp(mapping));
	if (!IS_ERR(page) && !PageCompound(page)) {
		shmem_truncate_range(mapping->host, pos, pos + PAGE_SIZE - 1);
		return page;
	}
	if (!IS_ERR(page)) {
		put_page(page);
		pos = round_down(pos, PMD_SIZE);
		shmem_truncate_range(mapping->host, pos, pos + PMD_SIZE - 1);
	}
	/* There is none at hand: then it is charged to who had the other one. */
	return alloc_page(mapping_gfp_mask(mapping) | __GFP_NOFAIL);
}

/**
 * xmap_memory_pay - Make up for pages that were charged by force
 * @region: Of whose pages some may have been replaced
 *
 * The caller is charged for a little memory as anybody is, and lets it go.  If his cgroup
 * has more than it may, the kernel does here what it does about that: else somebody who
 * only ever has pages replaced, and holds the old ones, would never meet his limit.
 * Nothing waits for him meanwhile, and what he did is done.
 *
 * Context: no locks held; sleeps.
 */
void xmap_memory_pay(struct xmap_region *region)
{
	struct page *page, *next;
	LIST_HEAD(pages);
	int i;

	if (!READ_ONCE(region->forced) || !xchg(&region->forced, false))
		return;
	for (i = 0; i < XMAP_PAY_PAGES; i++) {
		page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (!page)
			break;
		list_add(&page->lru, &pages);
	}
	list_for_each_entry_safe(page, next, &pages, lru)
		__free_page(page);
}

/* Is page @index being made anew?  For no to hold, the caller has it locked. */
static bool xmap_memory_remade(const struct xmap_region *region, pgoff_t index)
{
	/* Pairs with xmap_settle_remake(): what was made there is seen. */
	return smp_load_acquire(&region->remaking) == xmap_region_extent(index);
}

/**
 * xmap_memory_wait - Wait until a page is not being made anew
 * @region: The region
 * @index: Which page
 *
 * Return: 0, or -EINTR if the caller is being killed.
 */
int xmap_memory_wait(struct xmap_region *region, pgoff_t index)
{
	return wait_event_killable(region->root->wq, !xmap_memory_remade(region, index)) ?
	       -EINTR : 0;
}

/* Is one of @nr pages lost?  They are one folio, and locked. */
bool xmap_memory_lost(const struct xmap_region *region, pgoff_t index, long nr)
{
	return index + nr > READ_ONCE(region->lost.start) && index < READ_ONCE(region->lost.end);
}

/**
 * xmap_memory_page - Have a page of a region, locked
 * @region: The region
 * @index: Which page
 *
 * Makes it, or gets it from swap.  As long as it is locked it stays in its place.
 *
 * Return: the page with a reference, or -EINVAL (beyond the end), -EIO (lost), -ENOMEM,
 * ..., or -EAGAIN: it is being made anew, see xmap_memory_wait().
 */
struct page *xmap_memory_page(struct xmap_region *region, pgoff_t index)
{
	struct address_space *mapping = region->memory->f_mapping;
	struct folio *folio;
	struct page *page;
	int rc;

	for (;;) {
		page = shmem_read_mapping_page(mapping, index);
		if (IS_ERR(page))
			return page;
		lock_page(page);
		/* With a reference it stays what it is. */
		folio = page_folio(page);
		rc = -EOPNOTSUPP;
		if (folio_test_large(folio) && !xmap_region_huge(region)) {
			pr_warn_once("xmap: no regions while shmem_enabled is \"force\"\n");
			goto err;
		}
		/* It may have been truncated, replaced or swapped out. */
		if (folio->mapping == mapping)
			break;
		unlock_page(page);
		put_page(page);
	}
	rc = -EAGAIN;
	if (xmap_memory_remade(region, index))
		goto err;
	rc = -EIO;
	if (xmap_memory_lost(region, index, 1))
		goto err;
	/* It is in the cache: now ask.  Pairs with xmap_memory_settle(). */
	smp_mb();
	return page;

err:
	unlock_page(page);
	put_page(page);
	return ERR_PTR(rc);
}

/* The kernel commits, or gives back, what has no reservation; and cuts off. */
static int xmap_memory_set_size(struct xmap_region *region, u64 length)
{
	struct inode *inode = file_inode(region->memory);
	struct iattr attr = { .ia_valid = ATTR_SIZE, .ia_size = length };
	unsigned int seals = SHMEM_I(inode)->seals;
	int rc;

	/* It looks at them under the lock that we have. */
	SHMEM_I(inode)->seals = 0;
	rc = xmap_setattr(region->memory, &attr);
	SHMEM_I(inode)->seals = seals;
	return rc;
}

/* Cut off what is beyond @length of one that has committed nothing. */
static void xmap_memory_cut(struct xmap_region *region, u64 length, bool shorter)
{
	struct inode *inode = file_inode(region->memory);

	/* First nobody gets pages beyond the end any more, then those there are go. */
	i_size_write(inode, length);
	if (shorter) {
		unmap_mapping_range(inode->i_mapping, length, 0, 1);
		shmem_truncate_range(inode, length, (loff_t)-1);
	}
}

/**
 * xmap_memory_resize - Change the length of a region
 * @region: The region
 * @length: Bytes
 *
 * Context: under the region's mutex.
 * Return: 0; of a region with huge pages that becomes longer also -ENOMEM, or -EFBIG
 * (RLIMIT_FSIZE).
 */
int xmap_memory_resize(struct xmap_region *region, u64 length)
{
	struct xmap_range last = { .start = length, .end = length };
	struct inode *inode = file_inode(region->memory);
	u64 old = region->length;
	bool shorter = length < old;
	int rc = 0;

	lockdep_assert_held(&region->mutex);
	inode_lock(inode);
	/* Who finds nothing beyond the end finds out that it is the end. */
	if (shorter)
		WRITE_ONCE(region->length, length);
	if (xmap_region_huge(region))
		rc = xmap_memory_set_size(region, length);
	else
		xmap_memory_cut(region, length, shorter);
	WRITE_ONCE(region->length, rc ? old : length);
	inode_unlock(inode);
	/* Who has hold of a huge page that now ends beyond the end has what is not the region's. */
	if (shorter && length && xmap_region_huge(region)) {
		last.start -= PAGE_SIZE;
		xmap_memory_settle(region, &last, XMAP_SETTLE_HELD);
	}
	return rc;
}

/* New pages of zeroes.  Up to its end: else it would go on while somebody makes new ones. */
void xmap_memory_renew(struct xmap_region *region)
{
	struct inode *inode = file_inode(region->memory);

	lockdep_assert_held(&region->mutex);
	inode_lock(inode);
	unmap_mapping_range(inode->i_mapping, 0, 0, 1);
	shmem_truncate_range(inode, 0, round_up(region->length, PMD_SIZE) - 1);
	/* The other way round an index between them would be lost for a moment. */
	WRITE_ONCE(region->lost.end, 0);
	WRITE_ONCE(region->lost.start, 0);
	inode_unlock(inode);
}
