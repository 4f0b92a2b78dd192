// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reaching the pages of a region: mmap(), page faults, read() and write().
 *
 * Every mmap() gets a file of its own on the region's inode, which the VMA holds
 * instead of the handle's.  So page tables, swapping and futexes see an ordinary
 * mapping of a tmpfs file; the VMA, however it is cut, moved or inherited, keeps the
 * handle, and the module; and nobody can get at this file, or do with it what a tmpfs
 * file could be used for.
 *
 * Pages come by ->fault alone.  Without ->map_pages the kernel calls it for every one,
 * never under a VMA's own lock, and the page is locked from the question to the entry.
 */
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/mount.h>
#include <linux/module.h>
#include <linux/uio.h>
#include <asm/pgalloc.h>

#include "region.h"

/**
 * xmap_handle_may - May a handle be used for a range of its region?
 * @handle: The handle
 * @start: First offset
 * @end: Offset after the last one
 * @mm: In which address space
 *
 * For the answer to hold, the caller has the page locked.
 *
 * Return: 0, -EPERM (another address space owns the memory) or -ESTALE (revoked).
 */
int xmap_handle_may(const struct xmap_handle *handle, u64 start, u64 end,
		    const struct mm_struct *mm)
{
	const struct xmap_region *region = handle->region;

	if (xmap_node_usable(handle->obj.node, start, end) < end)
		return -ESTALE;
	/* A kernel thread has no address space; nor has what nobody owns. */
	if (xmap_region_single(region) && (!mm || READ_ONCE(region->owner) != mm))
		return -EPERM;
	return 0;
}

/* ---- Faults ---- */

/* May a handle be used for all of the folio that a page of it is in?  It is locked. */
static bool xmap_handle_may_folio(const struct xmap_handle *handle, struct folio *folio,
				  const struct mm_struct *mm)
{
	u64 start = (u64)folio->index << PAGE_SHIFT;
	u64 end = start + folio_size(folio);

	/* Of what was lost nobody may have the empty page that is there now. */
	return end <= i_size_read(file_inode(handle->region->memory)) &&
	       !xmap_memory_lost(handle->region, folio->index, folio_nr_pages(folio)) &&
	       !xmap_handle_may(handle, start, end, mm);
}

/*
 * The kernel maps a huge page by one entry if there is nothing below that entry yet.
 * For those who may not have all of it there is: a page table, which the kernel has
 * allocated before it called us.  Nobody takes it away, and nobody else sets an entry
 * for all of the page while we have it locked.  Returns false if we have no page table.
 */
static bool xmap_region_vm_small(struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	bool there = true;
	/* The page table's. */
	spinlock_t *ptl;

	ptl = pmd_lock(mm, vmf->pmd);
	if (pmd_none(*vmf->pmd)) {
		there = vmf->prealloc_pte;
		if (there) {
			mm_inc_nr_ptes(mm);
			/* It is empty for whoever finds it. */
			smp_wmb();
			pmd_populate(mm, vmf->pmd, vmf->prealloc_pte);
			vmf->prealloc_pte = NULL;
		}
	}
	spin_unlock(ptl);
	return there;
}

/*
 * A page is being made anew.  That takes memory, for which others may have to wait: not
 * with the mmap_lock held, if there is another way.
 */
static vm_fault_t xmap_region_vm_wait(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct xmap_handle *handle = vma->vm_private_data;
	pgoff_t index = vmf->pgoff;
	struct file *file;
	int rc;

	if (fault_flag_allow_retry_first(vmf->flags)) {
		if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
			return VM_FAULT_RETRY;
		/* It keeps the handle.  The VMA may go. */
		file = get_file(vma->vm_file);
		release_fault_lock(vmf);
		/* Who is being killed finds out by himself. */
		xmap_memory_wait(handle->region, index);
		fput(file);
		return VM_FAULT_RETRY;
	}
	rc = xmap_memory_wait(handle->region, index);
	return rc ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

static vm_fault_t xmap_region_vm_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct xmap_handle *handle = vma->vm_private_data;
	u64 offset = (u64)vmf->pgoff << PAGE_SHIFT;
	vm_fault_t result = VM_FAULT_LOCKED;
	struct folio *folio;
	struct page *page;

	/* Not to make a page for those who may not have it. */
	if (xmap_handle_may(handle, offset, offset + PAGE_SIZE, vma->vm_mm))
		return VM_FAULT_SIGBUS;
	page = xmap_memory_page(handle->region, vmf->pgoff);
	if (page == ERR_PTR(-EAGAIN))
		return xmap_region_vm_wait(vmf);
	if (IS_ERR(page))
		return vmf_error(PTR_ERR(page));
	folio = page_folio(page);
	if (xmap_handle_may(handle, offset, offset + PAGE_SIZE, vma->vm_mm))
		result = VM_FAULT_SIGBUS;
	else if (folio_test_large(folio) && !xmap_handle_may_folio(handle, folio, vma->vm_mm) &&
		 !xmap_region_vm_small(vmf))
		result = VM_FAULT_NOPAGE;
	if (result == VM_FAULT_LOCKED) {
		vmf->page = page;
	} else {
		folio_unlock(folio);
		folio_put(folio);
	}
	return result;
}

/* One with a place of its own is not moved. */
static int xmap_region_vm_mremap(struct vm_area_struct *vma)
{
	struct xmap_handle *handle = vma->vm_private_data;

	return handle->region->flags & XMAP_REGION_FIXED_ADDRESS ? -EINVAL : 0;
}

static const struct vm_operations_struct xmap_region_vm_ops = {
	.fault = xmap_region_vm_fault,
	.mremap = xmap_region_vm_mremap,
};

/* ---- mmap() ---- */

/* The last VMA that came from one mmap() has gone. */
static int xmap_mapping_release(struct inode *inode, struct file *file)
{
	struct xmap_handle *handle = file->private_data;
	struct xmap_region *region = handle->region;

	if (file->f_mode & FMODE_WRITE) {
		spin_lock(&region->lock);
		region->writers--;
		spin_unlock(&region->lock);
	}
	atomic_dec(&handle->mappings);
	xmap_handle_put(handle);
	return 0;
}

/* No mmap: remap_file_pages() is ENODEV.  No fallocate: MADV_REMOVE is EOPNOTSUPP. */
static const struct file_operations xmap_mapping_fops = {
	.owner = THIS_MODULE,
	.release = xmap_mapping_release,
	.fsync = noop_fsync,
};

/*
 * Count a mapping that can become writable.  Sealing looks at the count, and new
 * mappings at the seals, under the same lock.  Returns 0, 1 if it must not become so,
 * or -EPERM.
 */
static int xmap_mapping_admit(struct xmap_region *region, unsigned long vm_flags)
{
	int rc = 0;

	if (!(vm_flags & VM_MAYWRITE))
		return 1;
	spin_lock(&region->lock);
	if (!(region->seals & XMAP_REGION_SEALS_WRITE))
		region->writers++;
	else
		rc = vm_flags & VM_WRITE ? -EPERM : 1;
	spin_unlock(&region->lock);
	return rc;
}

/* A file for a VMA that is open for writing if the VMA can become writable. */
static struct file *xmap_mapping_create(struct xmap_handle *handle, unsigned long vm_flags)
{
	struct file *memory = handle->region->memory;
	struct xmap_node *node;
	struct file *file;
	int rc;

	rc = xmap_mapping_admit(handle->region, vm_flags);
	if (rc < 0)
		return ERR_PTR(rc);
	ihold(file_inode(memory));
	file = alloc_file_pseudo(file_inode(memory), memory->f_path.mnt, "xmap-region",
				 rc ? O_RDONLY : O_RDWR, &xmap_mapping_fops);
	if (IS_ERR(file)) {
		iput(file_inode(memory));
		if (!rc) {
			spin_lock(&handle->region->lock);
			handle->region->writers--;
			spin_unlock(&handle->region->lock);
		}
		return file;
	}
	/* Dropped when the file ends; the caller's descriptor has one. */
	__module_get(THIS_MODULE);
	xmap_handle_get(handle);
	atomic_inc(&handle->mappings);
	file->private_data = handle;
	/* Before the first page is asked for: see xmap_region_revoke(). */
	for (node = handle->obj.node; node; node = node->parent)
		WRITE_ONCE(node->mapped, true);
	return file;
}

/**
 * xmap_region_mmap - mmap() on a handle
 * @file: The handle's file
 * @vma: The new mapping
 *
 * Return: 0, or -EACCES (a right or a part of the region that the handle lacks),
 * -EINVAL (not MAP_SHARED, or not at its place), -ENOMEM, -EPERM (sealed), -ESTALE.
 */
int xmap_region_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct xmap_handle *handle = file->private_data;
	const struct xmap_range *place = &handle->region->address;
	struct xmap_range clip = xmap_handle_clip(handle);
	struct xmap_range range;
	struct file *mapping;
	int rc;

	if (xmap_region_retired(handle->region))
		return -ESTALE;
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	/* As for a window: see there. */
	if (WARN_ON_ONCE(vma->vm_flags & VM_MAYWRITE && !(handle->rights & XMAP_RIGHT_WRITE)))
		return -EACCES;
	rc = xmap_range_init(&range, (u64)vma->vm_pgoff << PAGE_SHIFT,
			     vma->vm_end - vma->vm_start);
	if (rc)
		return rc;
	if (!xmap_range_contains(&clip, &range))
		return -EACCES;
	if (place->end && vma->vm_start != place->start + range.start)
		return -EINVAL;
	if (xmap_node_usable(handle->obj.node, range.start, range.end) < range.end)
		return -ESTALE;

	mapping = xmap_mapping_create(handle, vma->vm_flags);
	if (IS_ERR(mapping))
		return PTR_ERR(mapping);
	vm_flags_clear(vma, VM_MAYEXEC);
	if (!(mapping->f_mode & FMODE_WRITE))
		vm_flags_clear(vma, VM_MAYWRITE);
	/* It does not grow out of its handle's range, and nobody makes huge pages of it. */
	vm_flags_set(vma, VM_DONTEXPAND);
	if (xmap_region_single(handle->region))
		vm_flags_set(vma, VM_DONTCOPY);
	vma->vm_ops = &xmap_region_vm_ops;
	vma->vm_private_data = handle;
	vma_set_file(vma, mapping);
	/* The VMA has taken a reference of its own. */
	fput(mapping);
	return 0;
}

/* ---- read() and write() ---- */

/*
 * Move up to a page of bytes between @buf and the region.  The user's memory is
 * touched elsewhere: it can keep us waiting, here nobody must.
 */
static int xmap_handle_move(struct xmap_handle *handle, u64 pos, void *buf, size_t n, bool write)
{
	pgoff_t index = pos >> PAGE_SHIFT;
	struct page *page;
	int rc;

	rc = xmap_handle_may(handle, pos, pos + n, current->mm);
	if (rc)
		return rc;
	while ((page = xmap_memory_page(handle->region, index)) == ERR_PTR(-EAGAIN)) {
		rc = xmap_memory_wait(handle->region, index);
		if (rc)
			return rc;
	}
	if (IS_ERR(page))
		return PTR_ERR(page);
	rc = xmap_handle_may(handle, pos, pos + n, current->mm);
	if (!rc && write && READ_ONCE(handle->region->seals) & XMAP_REGION_SEALS_WRITE)
		rc = -EPERM;
	if (!rc && write) {
		memcpy_to_page(page, offset_in_page(pos), buf, n);
		set_page_dirty(page);
	} else if (!rc) {
		memcpy_from_page(buf, page, offset_in_page(pos), n);
	}
	unlock_page(page);
	put_page(page);
	return rc;
}

/* How much there is at @pos: 0 at the end, for a write -ENOSPC. */
static long xmap_handle_room(const struct xmap_handle *handle, u64 pos, bool write)
{
	struct xmap_range clip = xmap_handle_clip(handle);

	if (pos < handle->range.start || pos > handle->range.end)
		return -EACCES;
	if (pos >= clip.end)
		return write ? -ENOSPC : 0;
	return min_t(u64, clip.end - pos, PAGE_SIZE - offset_in_page(pos));
}

static ssize_t xmap_handle_rw(struct kiocb *iocb, struct iov_iter *iter, bool write)
{
	struct xmap_handle *handle = iocb->ki_filp->private_data;
	ssize_t done = 0;
	long rc = 0;
	size_t n;
	void *buf;

	if (xmap_handle_revoked(handle))
		return -ESTALE;
	buf = (void *)__get_free_page(GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	while (iov_iter_count(iter)) {
		rc = xmap_handle_room(handle, iocb->ki_pos, write);
		if (rc <= 0)
			break;
		n = min_t(size_t, rc, iov_iter_count(iter));
		if (write)
			n = copy_from_iter(buf, n, iter);
		rc = n ? xmap_handle_move(handle, iocb->ki_pos, buf, n, write) : -EFAULT;
		if (rc && write)
			iov_iter_revert(iter, n);
		/* It has become shorter: how much is there now? */
		if (rc == -EINVAL && !fatal_signal_pending(current)) {
			cond_resched();
			continue;
		}
		if (rc)
			break;
		if (!write)
			n = copy_to_iter(buf, n, iter);
		rc = n ? 0 : -EFAULT;
		iocb->ki_pos += n;
		done += n;
		if (!rc && fatal_signal_pending(current))
			rc = -EINTR;
		if (rc)
			break;
		cond_resched();
	}
	/* Where nothing is left of the region that is not its end. */
	if (!done && rc != -EINTR && xmap_handle_revoked(handle))
		rc = -ESTALE;
	/* It held what is somebody's, who may take it back. */
	memzero_explicit(buf, PAGE_SIZE);
	free_page((unsigned long)buf);
	return done ? done : rc;
}

ssize_t xmap_region_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	return xmap_handle_rw(iocb, to, false);
}

ssize_t xmap_region_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	return xmap_handle_rw(iocb, from, true);
}
