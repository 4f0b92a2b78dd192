// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows: taking pages from S, to show them in A.
 *
 * A page is taken for as long as it takes to insert it; the entry keeps no
 * reference.  Whether S has changed meanwhile is the caller's business.
 */
#include <linux/memremap.h>
#include <linux/mm.h>

#include "window.h"

/*
 * The VMA of @addr, if its memory may be shown in a window, else NULL.  What GUP
 * lets through but a window must not have: memory with a caching mode of its
 * own, of which a second, cached, mapping would be incoherent.
 */
static struct vm_area_struct *xmap_source_vma(struct mm_struct *mm, u64 addr)
{
	struct vm_area_struct *vma;

	mmap_assert_locked(mm);
	vma = vma_lookup(mm, addr);
	if (!vma || vma->vm_flags & (VM_IO | VM_PFNMAP) ||
	    pgprot_val(vma->vm_page_prot) & _PAGE_CACHE_MASK)
		return NULL;
	return vma;
}

/* @n pages from @addr on, cut at the end of the VMA. */
static long xmap_source_pages(const struct vm_area_struct *vma, u64 addr, long n)
{
	return min_t(u64, n, (vma->vm_end - addr) >> PAGE_SHIFT);
}

void xmap_put_pages(struct page **pages, long n)
{
	long i;

	for (i = 0; i < n; i++)
		put_page(pages[i]);
}

/*
 * Device memory that has pages must not be shown: it can go away without a
 * notifier.  Keep the pages before the first such one; returns their number.
 */
static long xmap_keep_usable(struct page **pages, long n)
{
	long i;

	for (i = 0; i < n; i++) {
		if (is_zone_device_page(pages[i])) {
			xmap_put_pages(pages + i, n - i);
			return i;
		}
	}
	return n;
}

/*
 * Take what S has present from @addr on, at most @n pages, without waiting.
 */
long xmap_take_present(struct mm_struct *mm, u64 addr, long n, bool write, struct page **pages)
{
	unsigned int gup = FOLL_NOFAULT | (write ? FOLL_WRITE : 0);
	struct vm_area_struct *vma = xmap_source_vma(mm, addr);
	long taken;

	if (!vma || !xmap_nofault_works(vma))
		return 0;
	taken = xmap_get_pages(mm, addr, xmap_source_pages(vma, addr, n), gup, pages, NULL);
	return taken > 0 ? xmap_keep_usable(pages, taken) : 0;
}

/* Take up to @n pages from @addr on, waiting for what it takes.  Never returns 0. */
long xmap_take(struct mm_struct *mm, u64 addr, long n, bool write, struct page **pages)
{
	unsigned int gup = FOLL_HWPOISON | (write ? FOLL_WRITE : 0);
	struct vm_area_struct *vma;
	long taken = -EFAULT;
	int locked = 1;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = xmap_source_vma(mm, addr);
	if (vma)
		taken = xmap_get_pages(mm, addr, xmap_source_pages(vma, addr, n), gup, pages,
				       &locked);
	if (locked)
		mmap_read_unlock(mm);
	if (taken < 0)
		return taken;
	taken = xmap_keep_usable(pages, taken);

	/*
	 * While GUP waited without the lock, the VMA may have become one that must
	 * not be shown.  If it has become another one since, an invalidation came,
	 * and the caller will see that.
	 */
	if (!locked) {
		if (mmap_read_lock_killable(mm)) {
			xmap_put_pages(pages, taken);
			return -EINTR;
		}
		vma = xmap_source_vma(mm, addr);
		n = vma ? xmap_source_pages(vma, addr, taken) : 0;
		mmap_read_unlock(mm);
		xmap_put_pages(pages + n, taken - n);
		taken = n;
	}
	return taken ? taken : -EFAULT;
}
