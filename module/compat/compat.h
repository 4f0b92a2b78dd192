/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place that knows that kernels differ.  module/ is written for
 * Linux 6.12; what an older kernel lacks is supplied here.  The XMAP_HAVE_*
 * macros come from compat/Kbuild.compat, which looks at the kernel's headers:
 * distributions move changes between versions, so a number proves nothing.  A
 * number is compared where no header tells: with the oldest kernel that will do,
 * and for what later ones do differently behind the same interface.
 */
#ifndef XMAP_COMPAT_H
#define XMAP_COMPAT_H

#include <linux/cred.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pid.h>
#include <linux/uio.h>
#include <linux/version.h>
#ifdef XMAP_HAVE_PIDFS
#include <uapi/linux/magic.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "xmap needs Linux 6.1 or later"
#endif
#ifndef CONFIG_X86_64
#error "xmap is for x86-64"
#endif
#ifndef CONFIG_MMU_NOTIFIER
#error "xmap needs a kernel with CONFIG_MMU_NOTIFIER"
#endif

/* vm_flags_set(), vm_flags_clear(): bc292ab00f6c ("mm: introduce vma->vm_flags wrapper"), 6.3 */
#ifndef XMAP_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* release_fault_lock(): 6.7, when more faults came to run under the VMA lock. */
#ifndef XMAP_HAVE_RELEASE_FAULT_LOCK
static inline void release_fault_lock(struct vm_fault *vmf)
{
	mmap_read_unlock(vmf->vma->vm_mm);
}
#endif

/* The vmas argument went with ca5e863233e8 and 0b295316b3a9 ("mm/gup: remove unused vmas"), 6.5 */
static inline long xmap_get_pages(struct mm_struct *mm, unsigned long start, unsigned long n,
				  unsigned int flags, struct page **pages, int *locked)
{
#ifdef XMAP_HAVE_GUP_VMAS
	return get_user_pages_remote(mm, start, n, flags, pages, NULL, locked);
#else
	return get_user_pages_remote(mm, start, n, flags, pages, locked);
#endif
}

/*
 * Before follow_hugetlb_page() was merged into the rest of GUP, 6.6, GUP faulted
 * in huge pages in spite of FOLL_NOFAULT.
 */
static inline bool xmap_nofault_works(const struct vm_area_struct *vma)
{
#ifdef XMAP_HAVE_FOLLOW_HUGETLB_PAGE
	return !(vma->vm_flags & VM_HUGETLB);
#else
	return true;
#endif
}

static inline long xmap_pin_pages(struct mm_struct *mm, unsigned long start, unsigned long n,
				  unsigned int flags, struct page **pages, int *locked)
{
#ifdef XMAP_HAVE_GUP_VMAS
	return pin_user_pages_remote(mm, start, n, flags, pages, NULL, locked);
#else
	return pin_user_pages_remote(mm, start, n, flags, pages, locked);
#endif
}

/*
 * The struct pid that a pidfd stands for, or NULL if the file is no pidfd.
 * The kernel's pidfd_pid() is not exported.  The result is for comparison
 * only: never dereference it, so that a kernel that stores something else
 * there makes xmap refuse, not crash.
 *
 * cb12fd8e0dab ("pidfd: add pidfs"), 6.9: pidfds became inodes of a file
 * system of their own; before, they were anonymous inodes named "[pidfd]".
 * Neither name can be had by another file: both are set by the kernel alone.
 */
static inline const void *xmap_pidfd_pid(const struct file *file)
{
#ifdef XMAP_HAVE_PIDFS
	if (file_inode(file)->i_sb->s_magic != PID_FS_MAGIC)
		return NULL;
	return file_inode(file)->i_private;
#else
	if (strcmp(file_inode(file)->i_sb->s_type->name, "anon_inodefs") ||
	    strcmp(file->f_path.dentry->d_name.name, "[pidfd]"))
		return NULL;
	return file->private_data;
#endif
}

/* iter_iov_addr(): 95e49cf8f9ca ("iov_iter: add iter_iov_addr() and iter_iov_len()"), 6.4 */
static inline void __user *xmap_iter_addr(const struct iov_iter *iter)
{
	if (iter_is_ubuf(iter))
		return iter->ubuf + iter->iov_offset;
#ifdef XMAP_HAVE_ITER_IOV_ADDR
	return iter_iov_addr(iter);
#else
	return iov_iter_iovec(iter).iov_base;
#endif
}

/*
 * What a mapped file is called: with overlayfs, the file that was opened, not
 * the one below.  file_user_path(): def3ae83da02 ("fs: store real path instead
 * of fake path in backing file f_path"), 6.7; before, f_path was the user's.
 */
static inline const struct path *xmap_file_path(const struct file *file)
{
#ifdef XMAP_HAVE_FILE_USER_PATH
	return file_user_path(file);
#else
	return &file->f_path;
#endif
}

/* file_user_inode(): came a little later, for /proc/PID/maps */
static inline const struct inode *xmap_file_inode(const struct file *file)
{
#ifdef XMAP_HAVE_FILE_USER_INODE
	return file_user_inode(file);
#else
	return file_inode(file);
#endif
}

/*
 * vfs_path_lookup() has long been exported, but before 6.5 its prototype was
 * private to fs/.
 */
#ifndef XMAP_HAVE_VFS_PATH_LOOKUP
int vfs_path_lookup(struct dentry *dentry, struct vfsmount *mnt, const char *name,
		    unsigned int flags, struct path *path);
#endif

/*
 * vma_is_initial_heap() and vma_is_initial_stack(): 11250fd12eb8 ("mm: factor
 * out VMA stack and heap checks"), 6.6
 */
static inline bool xmap_vma_is_heap(const struct vm_area_struct *vma)
{
#ifdef XMAP_HAVE_VMA_IS_INITIAL_HEAP
	return vma_is_initial_heap(vma);
#else
	return vma->vm_start <= vma->vm_mm->brk && vma->vm_end >= vma->vm_mm->start_brk;
#endif
}

static inline bool xmap_vma_is_stack(const struct vm_area_struct *vma)
{
#ifdef XMAP_HAVE_VMA_IS_INITIAL_HEAP
	return vma_is_initial_stack(vma);
#else
	return vma->vm_start <= vma->vm_mm->start_stack &&
	       vma->vm_end >= vma->vm_mm->start_stack;
#endif
}

/* replace_page_cache_page() became one for folios in 3720dd6dca86, 6.3. */
static inline void xmap_replace_cached(struct page *old, struct page *new)
{
#ifdef XMAP_HAVE_REPLACE_FOLIO
	replace_page_cache_folio(page_folio(old), page_folio(new));
#else
	replace_page_cache_page(old, new);
#endif
}

/* eventfd_signal() always adds 1 since 3652117f8548, 6.8. */
static inline void xmap_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef XMAP_HAVE_EVENTFD_SIGNAL_ONE
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/* What truncates a file, without asking who may: 6.3 replaced the user namespace of a mount. */
static inline int xmap_setattr(struct file *file, struct iattr *attr)
{
	const struct inode_operations *ops = file_inode(file)->i_op;

#ifdef XMAP_HAVE_MNT_IDMAP
	return ops->setattr(file_mnt_idmap(file), file->f_path.dentry, attr);
#else
	return ops->setattr(file_mnt_user_ns(file), file->f_path.dentry, attr);
#endif
}

/*
 * Can a mapping be kept from having a huge page by one entry, as region_map.c does it?
 * From 6.14 on the kernel takes empty page tables away (CONFIG_PT_RECLAIM), and later
 * maps neighbours as well.
 */
static inline bool xmap_huge_works(void)
{
	return IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) && has_transparent_hugepage() &&
	       !IS_ENABLED(CONFIG_PT_RECLAIM) && LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0);
}

#endif /* XMAP_COMPAT_H */
