// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows: putting entries in.
 *
 * The order of steps is in window.c.  This file is about not deadlocking on the
 * way.  A fault holds A's mmap_lock for reading.  If it waited for S's, two
 * processes that map each other, or one that maps itself, would hang as soon as
 * a writer queues on each lock.  The same goes for anything that S's page may
 * need: I/O, or a userfaultfd whose handler needs A.  So:
 *
 *  fast	S's mmap_lock by trylock, and only pages that S has present
 *	(FOLL_NOFAULT): nothing to wait for.  Takes the neighbours too.
 *  slow	Drop A's lock.  Look for the page with S's lock alone, waiting for
 *	whatever it takes.  Stage the result, and let the fault be retried.
 *  staged	The retried fault finds the result and needs no lock of S.  Without
 *	this step a writer that is always queued would keep fast and slow from
 *	ever meeting.
 *
 * source.c takes the pages, stage.c keeps the results.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "trace.h"
#include "window.h"

/* A fault takes what is present in the naturally aligned block around it. */
#define XMAP_FAULT_PAGES 64
#define XMAP_FAULT_BYTES (XMAP_FAULT_PAGES * PAGE_SIZE)
/* How often to try where waiting is not allowed. */
#define XMAP_TRIES 16

/* ---- Setting entries in A ---- */

/**
 * struct xmap_fill - What xmap_fill_pte() sets
 * @mm: A
 * @prot: Protection of the entries
 * @pages: Next page, or NULL for @pfn
 * @pfn: The frame, if there is just one
 */
struct xmap_fill {
	struct mm_struct *mm;
	pgprot_t prot;
	struct page **pages;
	unsigned long pfn;
};

/* Under A's page table lock and the window's lock. */
static int xmap_fill_pte(pte_t *ptep, unsigned long addr, void *data)
{
	struct xmap_fill *fill = data;
	unsigned long pfn = fill->pages ? page_to_pfn(*fill->pages++) : fill->pfn;
	pte_t pte = pte_mkspecial(pfn_pte(pfn, fill->prot));
	pte_t old = ptep_get(ptep);

	if (!pte_none(old)) {
		/* No entry of ours: a kernel that lets userfaultfd have a window leaves marks. */
		if (!pte_present(old))
			return -EFAULT;
		/*
		 * It is the same frame: another one would have been zapped before S
		 * got this one.  All there can be to do is to add the write right;
		 * a CPU that still knows the lesser entry faults once more.
		 */
		if (WARN_ON_ONCE(pte_pfn(old) != pfn))
			return -EAGAIN;
		if (pte_write(old) || !pte_write(pte))
			return 0;
	}
	set_pte_at(fill->mm, addr, ptep, pte);
	return 0;
}

/*
 * The protection of entries.  PROT_WRITE alone lets a program read as well: the
 * kernel takes its read fault to us, and must find an entry that can be read, or
 * the fault comes back for ever.
 */
static pgprot_t xmap_window_prot(const struct vm_area_struct *vma, bool write)
{
	vm_flags_t flags = vma->vm_flags;

	if (flags & VM_WRITE)
		flags |= VM_READ;
	if (!write)
		flags &= ~VM_WRITE;
	return vm_get_page_prot(flags);
}

/*
 * Set entries: the window's lock is held and its table is there, so no allocation.
 * A's mmap_lock is held and the VMA is in its tree, so its tables stay until the
 * notifier on A clears @live again.
 */
static int xmap_window_fill(struct xmap_window *win, struct vm_area_struct *vma,
			    unsigned long addr, long n, bool write, struct page **pages,
			    unsigned long pfn)
{
	struct xmap_fill fill = {
		.mm = vma->vm_mm,
		.prot = xmap_window_prot(vma, write),
		.pages = pages,
		.pfn = pfn,
	};

	lockdep_assert_held(&win->lock);
	mmap_assert_locked(vma->vm_mm);
	WRITE_ONCE(win->live, true);
	return apply_to_page_range(vma->vm_mm, addr, n << PAGE_SHIFT, xmap_fill_pte, &fill);
}

/*
 * How many of @n pages from @remote on have not been revoked.  To be relied upon
 * it is asked under the window's lock: see node.c.
 */
static long xmap_window_usable(const struct xmap_window *win, u64 remote, long n)
{
	u64 end = remote + ((u64)n << PAGE_SHIFT);

	return (xmap_node_usable(win->obj.node, remote, end) - remote) >> PAGE_SHIFT;
}

/*
 * Set entries for pages that were taken after @seq.  Returns how many, at least
 * one; -EAGAIN if S has changed since, -ESTALE if the first has been revoked.
 */
static long xmap_window_insert(struct xmap_window *win, struct vm_area_struct *vma,
			       unsigned long addr, long n, bool write, struct page **pages,
			       unsigned long seq)
{
	long rc = -EAGAIN;

	spin_lock(&win->lock);
	if (!mmu_interval_read_retry(&win->source, seq)) {
		n = xmap_window_usable(win, xmap_window_to_remote(win, addr), n);
		rc = -ESTALE;
		if (n)
			rc = xmap_window_fill(win, vma, addr, n, write, pages, 0) ?: n;
	}
	spin_unlock(&win->lock);
	return rc;
}

/*
 * Allocate the page table of @addr now: under the window's lock, allocation
 * could enter reclaim, which calls our notifier, which wants that lock.  A's
 * mmap_lock keeps the table there.
 */
static int xmap_window_prepare(struct vm_area_struct *vma, unsigned long addr)
{
	return apply_to_page_range(vma->vm_mm, addr, PAGE_SIZE, NULL, NULL);
}

/*
 * Use the caller's staged result.  Returns 0 if it has none that fits.
 *
 * A page that was found is right for as long as it is staged.  That there was
 * none is only right now: nothing tells when one comes.  So it counts only for
 * the retry of the very fault that found out, not if that was left by a signal.
 */
static vm_fault_t xmap_window_fault_staged(struct xmap_window *win, struct vm_fault *vmf,
					   u64 remote, bool write)
{
	struct xmap_stage *stage;
	vm_fault_t fault = 0;

	spin_lock(&win->lock);
	stage = xmap_stage_find(win);
	if (!stage)
		goto unlock;
	if (stage->ready && stage->remote == remote && (stage->write || !write)) {
		if (!xmap_window_usable(win, remote, 1)) {
			fault = VM_FAULT_SIGBUS;
		} else if (!stage->fault) {
			if (!xmap_window_fill(win, vmf->vma, vmf->address, 1, stage->write, NULL,
					      stage->pfn))
				fault = VM_FAULT_NOPAGE;
		} else if (vmf->flags & FAULT_FLAG_TRIED) {
			fault = stage->fault;
		}
	}
	xmap_stage_drop(win, stage);
unlock:
	spin_unlock(&win->lock);
	return fault;
}

/* ---- The fault ---- */

/*
 * Insert what S has present, around the address.  A's mmap_lock is held.
 * Returns 0, -EAGAIN if the page itself was not to be had without waiting, or
 * -ESTALE if it has been revoked.
 */
static int xmap_window_fault_fast(struct xmap_window *win, struct vm_area_struct *vma,
				  unsigned long addr, bool write)
{
	struct mm_struct *source = win->target->mm;
	const struct xmap_range whole = { .start = vma->vm_start, .end = vma->vm_end };
	struct xmap_range around = xmap_range_around(addr, XMAP_FAULT_BYTES, &whole);
	struct page *pages[XMAP_FAULT_PAGES];
	long before = (addr - around.start) >> PAGE_SHIFT;
	long after = (around.end - addr) >> PAGE_SHIFT;
	long taken, taken_before = 0;
	unsigned long seq;
	long rc;

	/*
	 * This may wait for a change of S that has begun.  Nobody needs an
	 * mmap_lock to finish one.
	 */
	seq = mmu_interval_read_begin(&win->source);
	if (!mmap_read_trylock(source))
		return -EAGAIN;
	taken = xmap_take_present(source, xmap_window_to_remote(win, addr), after, write,
				  pages + before);
	if (taken && before)
		taken_before = xmap_take_present(source,
						 xmap_window_to_remote(win, around.start),
						 before, write, pages);
	mmap_read_unlock(source);
	if (!taken)
		return -EAGAIN;

	rc = xmap_window_insert(win, vma, addr, taken, write, pages + before, seq);
	if (rc > 0 && taken_before)
		/* A bonus: the fault is served either way. */
		xmap_window_insert(win, vma, around.start, taken_before, write, pages, seq);
	xmap_put_pages(pages + before, taken);
	xmap_put_pages(pages, taken_before);
	return rc < 0 ? rc : 0;
}

/*
 * Look for the page of S at @remote, waiting for what it takes, and stage it.
 * No lock is held.
 */
static void xmap_window_stage(struct xmap_window *win, u64 remote, bool write)
{
	vm_fault_t fault = VM_FAULT_SIGBUS;
	struct page *page;
	long taken;

	/* Even if it cannot be staged: once present, the fast path may get it. */
	xmap_stage_begin(win, remote, write);
	taken = xmap_take(win->target->mm, remote, 1, write, &page);
	switch (taken) {
	case 1:
		xmap_stage_end(win, 0, page);
		put_page(page);
		return;
	case -EINTR:
	case -ERESTARTSYS:
		xmap_stage_cancel(win);
		return;
	case -EHWPOISON:
		fault = VM_FAULT_HWPOISON;
		break;
	case -ENOMEM:
		fault = VM_FAULT_OOM;
		break;
	}
	xmap_stage_end(win, fault, NULL);
}

/*
 * Sets *@held to the window's file if A's lock was dropped: then the VMA may be
 * gone, and only the file keeps the window.
 */
static vm_fault_t xmap_window_fault_slow(struct xmap_window *win, struct vm_fault *vmf,
					 u64 remote, bool write, struct file **held)
{
	int i;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	if (!(vmf->flags & FAULT_FLAG_ALLOW_RETRY)) {
		/* A private futex.  The lock must not be dropped, and not be waited under. */
		for (i = 0; i < XMAP_TRIES; i++) {
			int rc = xmap_window_fault_fast(win, vmf->vma, vmf->address, write);

			if (rc != -EAGAIN)
				return rc ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
			cond_resched();
		}
		return VM_FAULT_SIGBUS;
	}

	*held = get_file(vmf->vma->vm_file);
	release_fault_lock(vmf);
	xmap_window_stage(win, remote, write);
	return VM_FAULT_RETRY;
}

vm_fault_t xmap_window_vm_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct xmap_window *win = vma->vm_private_data;
	struct mm_struct *source = win->target->mm;
	u64 remote = xmap_window_to_remote(win, vmf->address);
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	struct file *held = NULL;
	vm_fault_t fault;
	int rc;

	/* Holding mm_users of S also keeps its notifiers from ending under us. */
	if (!xmap_window_usable(win, remote, 1) || !xmap_mm_get(source)) {
		trace_xmap_fault(win, remote, write, VM_FAULT_SIGBUS);
		return VM_FAULT_SIGBUS;
	}
	atomic64_inc(&win->faults);

	fault = VM_FAULT_OOM;
	if (pmd_none(*vmf->pmd) && xmap_window_prepare(vma, vmf->address))
		goto out;
	fault = xmap_window_fault_staged(win, vmf, remote, write);
	if (fault)
		goto out;
	rc = xmap_window_fault_fast(win, vma, vmf->address, write);
	fault = rc ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
	if (rc != -EAGAIN)
		goto out;
	fault = xmap_window_fault_slow(win, vmf, remote, write, &held);

out:
	trace_xmap_fault(win, remote, write, fault);
	/* If it is the last user, tearing S down has no place under A's lock. */
	mmput_async(source);
	/*
	 * Now nothing may hold the module any more, if another thread unmaps the
	 * window.  xmap_exit() waits for those who are still between here and the
	 * end of this function.
	 */
	if (held)
		fput(held);
	return fault;
}

/*
 * A write to an entry that is there but read-only.  Without this method the
 * kernel would simply make it writable.  The lock must not be dropped here, and
 * "go on" cannot be said, because the entry may have changed and changed back
 * meanwhile.  So upgrade it if that needs no waiting, else take it out: the
 * access comes back as an ordinary fault.
 */
vm_fault_t xmap_window_vm_pfn_mkwrite(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct xmap_window *win = vma->vm_private_data;
	struct mm_struct *source = win->target->mm;

	if (xmap_mm_get(source)) {
		int rc = xmap_window_fault_fast(win, vma, vmf->address, true);

		mmput_async(source);
		if (!rc) {
			atomic64_inc(&win->faults);
			return VM_FAULT_NOPAGE;
		}
	}
	mutex_lock(&win->zap_lock);
	xmap_window_zap(win, vmf->address, vmf->address + PAGE_SIZE);
	mutex_unlock(&win->zap_lock);
	return VM_FAULT_NOPAGE;
}

/* ---- Others that look through a window ---- */

/* Copy within one page, without waiting for S.  Returns @len, or 0. */
static int xmap_window_access_page(struct xmap_window *win, u64 remote, void *buf, int len,
				   bool write)
{
	struct mm_struct *source = win->target->mm;
	struct page *page;
	int done = 0;
	void *at;
	int idx;

	idx = xmap_copying_begin();
	if (!xmap_window_usable(win, remote & PAGE_MASK, 1))
		goto out_copying;
	if (!mmap_read_trylock(source))
		goto out_copying;
	if (!xmap_take_present(source, remote & PAGE_MASK, 1, write, &page))
		goto out_unlock;
	/* Under the page lock nobody cleans it between the write and the dirty mark. */
	if (write && !trylock_page(page))
		goto out_page;

	/* Still under S's lock: a fork would share the page with a child. */
	at = kmap_local_page(page) + offset_in_page(remote);
	if (write) {
		memcpy(at, buf, len);
		set_page_dirty(page);
		unlock_page(page);
	} else {
		memcpy(buf, at, len);
	}
	kunmap_local(at);
	done = len;
out_page:
	put_page(page);
out_unlock:
	mmap_read_unlock(source);
out_copying:
	xmap_copying_end(idx);
	return done;
}

/*
 * ptrace() and /proc/PID/mem on A.  A's mmap_lock is held, so S's is only tried
 * for: what S has not present, or holds its lock too long for, reads as absent.
 */
int xmap_window_vm_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len,
			  int write)
{
	struct xmap_window *win = vma->vm_private_data;
	struct mm_struct *source = win->target->mm;
	int done = 0;
	int tries = XMAP_TRIES;

	/* The caller may force its way into A, but not through A into S. */
	if (!(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
		return -EACCES;
	len = min_t(unsigned long, len, vma->vm_end - addr);
	if (!xmap_mm_get(source))
		return -ESRCH;
	while (done < len && tries) {
		int piece = min_t(int, len - done, PAGE_SIZE - offset_in_page(addr + done));
		u64 remote = xmap_window_to_remote(win, addr + done);

		if (xmap_window_access_page(win, remote, buf + done, piece, write)) {
			done += piece;
			tries = XMAP_TRIES;
		} else {
			tries--;
			cond_resched();
		}
	}
	mmput_async(source);
	return done ? done : -EFAULT;
}

/* ---- XMAP_TARGET_PREFAULT ---- */

/* The caller's window of @target at @addr, with its file held, or NULL. */
static struct file *xmap_prefault_find(struct xmap_target *target, unsigned long addr,
				       unsigned long end)
{
	struct vm_area_struct *vma;
	struct file *file = NULL;

	vma = vma_lookup(current->mm, addr);
	if (vma && vma->vm_ops == &xmap_window_vm_ops && end <= vma->vm_end) {
		struct xmap_window *win = vma->vm_private_data;

		if (win->target == target)
			file = get_file(vma->vm_file);
	}
	return file;
}

/* Insert pages that were taken after @seq, if the window is still there.  Returns how many. */
static long xmap_prefault_insert(struct xmap_window *win, unsigned long addr, long n, bool write,
				 struct page **pages, unsigned long seq)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	long rc = -EINVAL;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = vma_lookup(mm, addr);
	/* win->vma is compared, not followed; win is held by its file. */
	if (vma && vma == win->vma && vma->vm_private_data == win &&
	    vma->vm_ops == &xmap_window_vm_ops) {
		rc = -EACCES;
		if (vma->vm_flags & (write ? VM_WRITE : VM_READ | VM_WRITE))
			rc = xmap_window_prepare(vma, addr);
		if (!rc)
			rc = xmap_window_insert(win, vma, addr, n, write, pages, seq);
	}
	mmap_read_unlock(mm);
	return rc;
}

/* Populate up to the end of the block of @addr.  Returns bytes, or -errno. */
static long xmap_prefault_block(struct xmap_window *win, unsigned long addr, unsigned long end,
				bool write, struct page **pages)
{
	const struct xmap_range todo = { .start = addr, .end = end };
	struct xmap_range block = xmap_range_around(addr, XMAP_FAULT_BYTES, &todo);
	long n = xmap_range_length(&block) >> PAGE_SHIFT;
	long taken = 0, rc = -EAGAIN;
	unsigned long seq;
	int i;

	/* S may keep changing: then give up on this block, as if it had been zapped since. */
	for (i = 0; i < XMAP_TRIES && rc == -EAGAIN; i++) {
		/* Ask before S has to do anything for it. */
		n = xmap_window_usable(win, xmap_window_to_remote(win, addr), n);
		if (!n)
			return -ESTALE;
		seq = mmu_interval_read_begin(&win->source);
		/* Not longer than that: who waits for A's lock has no hold on S. */
		if (!xmap_mm_get(win->target->mm))
			return -ESRCH;
		taken = xmap_take(win->target->mm, xmap_window_to_remote(win, addr), n, write,
				  pages);
		mmput(win->target->mm);
		if (taken < 0)
			return taken == -EHWPOISON ? -EFAULT : taken;
		rc = xmap_prefault_insert(win, addr, taken, write, pages, seq);
		xmap_put_pages(pages, taken);
		cond_resched();
	}
	if (rc == -EAGAIN)
		rc = taken;
	return rc < 0 ? rc : rc << PAGE_SHIFT;
}

static long xmap_prefault(struct xmap_window *win, unsigned long addr, unsigned long length,
			  bool write)
{
	unsigned long done = 0;
	struct page **pages;
	long rc = 0;

	pages = kmalloc_array(XMAP_FAULT_PAGES, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	rc = -ESTALE;
	if (!xmap_window_usable(win, xmap_window_to_remote(win, addr), 1))
		goto out_free;
	while (done < length) {
		rc = xmap_prefault_block(win, addr + done, addr + length, write, pages);
		if (rc < 0)
			break;
		done += rc;
		if (signal_pending(current)) {
			rc = -ERESTARTSYS;
			break;
		}
	}
out_free:
	kfree(pages);
	return done ? done : rc;
}

int xmap_ioctl_target_prefault(struct xmap_ucmd *ucmd)
{
	struct xmap_target *target = ucmd->file->private_data;
	struct xmap_cmd_target_prefault *cmd = ucmd->cmd;
	struct xmap_window *win;
	struct xmap_range range;
	struct file *win_file;
	long done;
	int rc;

	if (cmd->flags & ~XMAP_TARGET_PREFAULT_WRITE)
		return -EOPNOTSUPP;
	if (!cmd->length || (cmd->addr | cmd->length) & ~PAGE_MASK)
		return -EINVAL;
	rc = xmap_range_init(&range, cmd->addr, cmd->length);
	if (rc)
		return rc;
	if (!current->mm || range.end > xmap_user_end())
		return -EINVAL;

	if (mmap_read_lock_killable(current->mm))
		return -EINTR;
	win_file = xmap_prefault_find(target, range.start, range.end);
	mmap_read_unlock(current->mm);
	if (!win_file)
		return -EINVAL;
	win = win_file->private_data;

	done = -EACCES;
	if (!(cmd->flags & XMAP_TARGET_PREFAULT_WRITE) || win->writable)
		done = xmap_prefault(win, range.start, cmd->length,
				     cmd->flags & XMAP_TARGET_PREFAULT_WRITE);
	fput(win_file);
	if (done < 0)
		return done;
	cmd->out_length = done;
	return xmap_ucmd_respond(ucmd, sizeof(*cmd));
}
