// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows: never pinned, never stale.
 *
 * A window is one VMA of a process A that shows memory of another process S
 * (or of A itself).  This file is about its life and about taking entries out;
 * fault.c puts them in.
 *
 * The entries of a window are special PTEs: bare frame numbers, with no
 * reference to the page and no part in its reverse map.  They are right because
 * of this protocol:
 *
 *  insert (fault.c)                      invalidate (S is about to change)
 *
 *  1 seq = mmu_interval_read_begin()     a lock: sequence := the new one,
 *  2 take the page as S has it now               drop staged results; unlock
 *  3 lock                                b zap_lock
 *  4 sequence still seq? else undo       c is any entry populated there?
 *  5 set the entries; unlock             d zap it, flush the TLBs
 *  6 drop the page                       e unlock
 *
 * If (a) comes before (4), the insertion sees another sequence and gives up.
 * If it comes after (5), (c) sees the entries.  A new read_begin waits until S
 * has finished its change.  The kernel calls the notifier before every change
 * of S's page tables that takes a page or a right away, so an entry never
 * outlives what S has, and a page that is freed, swapped, migrated or merged is
 * never reachable from a window any more.
 *
 * That there is no entry does not mean that nobody can reach the page: somebody
 * may have cleared it a moment ago and not have flushed the TLBs yet.  Core mm
 * is safe from this because every zapper holds a reference to the page until it
 * has flushed; we hold none.  So every zap of a window, whatever it is for, is
 * made under zap_lock from the first entry to the flush, and every callback
 * takes zap_lock before it says that S may go on.
 *
 * A's side.  (c) and (d) need A's page tables, and have no lock of A.  What keeps
 * them there is a second notifier, on A: when the kernel is about to tear the
 * VMA down (munmap, exec, exit), it zaps everything itself and clears @live,
 * under zap_lock.  From then on no callback of S looks at A; only then does the
 * kernel free the tables.  So the VMA must not change in any other way: it
 * cannot be split (->may_split), moved (->mremap), grown (VM_DONTEXPAND) or
 * inherited (VM_DONTCOPY, and VM_IO so that MADV_DOFORK cannot take that back).
 *
 * Why not unmap_mapping_range()?  It takes the i_mmap lock of the window's file.
 * mm_take_all_locks(A), which any first notifier of A means, holds that one and
 * waits for the i_mmap locks of A's other files, while reclaim of a page of one
 * of those holds its i_mmap lock and calls S's notifiers: a deadlock that nobody
 * can kill.  zap_lock is safe: its holder waits for A's page table locks, for TLB
 * flushes, and for what others do in notifiers of A, never for an mmap_lock.
 *
 * Our own zap.  Zapping a window calls A's notifiers, and through them the source
 * callbacks of windows whose source A is, also of those that reach over this
 * very VMA.  If they took their zap_lock, two windows over each other's VMAs
 * would deadlock, or one over itself.  They need not: GUP never gives out pages
 * of a window, so nothing is shown there, and what was there before was zapped
 * and flushed when it was unmapped.  So a zap says what it does in a list, and a
 * callback that finds its own call there returns before (b).  zap_locks never
 * nest.
 *
 * Callbacks allocate nothing.  A caller that may not sleep (the OOM reaper) is
 * told to come back if there is anything to zap or to wait for.
 */
#include <linux/anon_inodes.h>
#include <linux/slab.h>

#include "trace.h"
#include "window.h"

/* ---- Taking entries out ---- */

/**
 * struct xmap_zap - A zap in progress, on the stack of its task
 * @node: Entry in xmap_zaps
 * @task: Who zaps
 * @mm: Where
 * @start: First address
 * @end: Address after the last one
 */
struct xmap_zap {
	struct list_head node;
	struct task_struct *task;
	struct mm_struct *mm;
	unsigned long start;
	unsigned long end;
};

static DEFINE_SPINLOCK(xmap_zaps_lock);
static LIST_HEAD(xmap_zaps);

/* Is this notifier call made by a zap of ours? */
static bool xmap_zap_is_own(const struct mmu_notifier_range *range)
{
	struct xmap_zap *zap;
	bool own = false;

	spin_lock(&xmap_zaps_lock);
	list_for_each_entry(zap, &xmap_zaps, node) {
		if (zap->task == current && zap->mm == range->mm &&
		    zap->start <= range->start && range->end <= zap->end) {
			own = true;
			break;
		}
	}
	spin_unlock(&xmap_zaps_lock);
	return own;
}

/**
 * xmap_window_zap - Remove entries, and flush the TLBs
 * @win: The window; its zap_lock is held, its VMA is there
 * @start: First address in A
 * @end: Address after the last one
 *
 * This calls the notifiers of A, mostly from inside a notifier call of S.
 * lockdep knows one map for all notifier calls of all address spaces and takes
 * that for a recursion.  It is none: see "our own zap" above.
 */
void xmap_window_zap(struct xmap_window *win, unsigned long start, unsigned long end)
{
	struct xmap_zap zap = {
		.task = current,
		.mm = win->holder.mm,
		.start = start,
		.end = end,
	};

	lockdep_assert_held(&win->zap_lock);
	spin_lock(&xmap_zaps_lock);
	list_add(&zap.node, &xmap_zaps);
	spin_unlock(&xmap_zaps_lock);

	lockdep_off();
	zap_vma_ptes(win->vma, start, end - start);
	lockdep_on();

	spin_lock(&xmap_zaps_lock);
	list_del(&zap.node);
	spin_unlock(&xmap_zaps_lock);
}

/*
 * Is there an entry in this part of one page table?  Under the table's lock:
 * mprotect() takes each entry out for a moment, changes it and puts it back.
 */
static bool xmap_pmd_populated(struct mm_struct *mm, pmd_t *pmdp, unsigned long addr,
			       unsigned long end)
{
	pmd_t pmd = READ_ONCE(*pmdp);
	bool populated = false;
	/* Of the entries. */
	spinlock_t *ptl;
	pte_t *pte;

	if (pmd_none(pmd))
		return false;
	if (pmd_leaf(pmd))
		return true;
	ptl = pte_lockptr(mm, &pmd);
	spin_lock(ptl);
	for (pte = pte_offset_kernel(&pmd, addr); addr < end && !populated; addr += PAGE_SIZE)
		populated = !pte_none(ptep_get(pte++));
	spin_unlock(ptl);
	return populated;
}

/*
 * The first 2 MiB block of [@addr, @end) with an entry, or @end.  A's tables are
 * walked without A's mmap_lock: they stay while @live is found set under zap_lock,
 * and where S is changing something no entry is added meanwhile.  Each level ends
 * where the one above it does: a level that is folded knows no end of its own.
 */
static unsigned long xmap_window_populated(struct xmap_window *win, unsigned long addr,
					   unsigned long end, bool may_sleep)
{
	struct mm_struct *mm = win->holder.mm;
	unsigned long next;
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud;

	lockdep_assert_held(&win->zap_lock);
	for (; addr < end; addr = next) {
		if (may_sleep)
			cond_resched();
		pgd = pgd_offset(mm, addr);
		next = pgd_addr_end(addr, end);
		if (pgd_none(READ_ONCE(*pgd)))
			continue;
		p4d = p4d_offset(pgd, addr);
		next = p4d_addr_end(addr, next);
		if (p4d_none(READ_ONCE(*p4d)))
			continue;
		pud = pud_offset(p4d, addr);
		next = pud_addr_end(addr, next);
		if (pud_none(READ_ONCE(*pud)))
			continue;
		next = pmd_addr_end(addr, next);
		if (xmap_pmd_populated(mm, pmd_offset(pud, addr), addr, next))
			return addr;
	}
	return end;
}

/*
 * S is about to change something in @range.
 *
 * Context: any lock of S, a page lock, i_mmap and anon_vma locks, reclaim.
 */
static bool xmap_window_source_invalidate(struct mmu_interval_notifier *mni,
					  const struct mmu_notifier_range *range,
					  unsigned long cur_seq)
{
	struct xmap_window *win = container_of(mni, struct xmap_window, source);
	bool may_sleep = mmu_notifier_range_blockable(range);
	const struct xmap_range changed = {
		.start = ALIGN_DOWN(range->start, PAGE_SIZE),
		.end = range->end > xmap_user_end() ? xmap_user_end() :
						      ALIGN(range->end, PAGE_SIZE),
	};
	struct xmap_range remote = xmap_range_clip(&changed, &win->remote);
	unsigned long start = xmap_window_to_local(win, remote.start);
	unsigned long end = xmap_window_to_local(win, remote.end);
	bool done = true;
	bool live;

	spin_lock(&win->lock);
	mmu_interval_set_seq(mni, cur_seq);
	xmap_stage_invalidate(win, &remote);
	live = win->live;
	spin_unlock(&win->lock);

	/* Not live: nothing was inserted yet, or all is gone, flushes included. */
	if (!live || xmap_zap_is_own(range))
		return true;

	if (may_sleep)
		mutex_lock(&win->zap_lock);
	else if (!mutex_trylock(&win->zap_lock))
		return false;
	if (READ_ONCE(win->live)) {
		start = xmap_window_populated(win, start, end, may_sleep);
		if (start < end && may_sleep) {
			trace_xmap_invalidate(win, remote.start, remote.end, range->event);
			xmap_window_zap(win, start, end);
		} else if (start < end) {
			done = false;
		}
	}
	mutex_unlock(&win->zap_lock);
	return done;
}

/**
 * xmap_window_revoke - Take entries out that have been revoked
 * @win: The window; the root's lock of its tree is held, so it stays
 *
 * As when S changes something, but nobody needs to be told that it is over:
 * from now on who takes the window's lock to insert finds that he may not.
 * Everything from the first revoked page on goes; what may be seen comes back by
 * faults.
 */
void xmap_window_revoke(struct xmap_window *win)
{
	u64 usable = xmap_node_usable(win->obj.node, win->remote.start, win->remote.end);
	struct xmap_range remote = {
		.start = ALIGN_DOWN(usable, PAGE_SIZE),
		.end = win->remote.end,
	};
	unsigned long start = xmap_window_to_local(win, remote.start);
	unsigned long end = xmap_window_to_local(win, remote.end);
	bool live;

	if (usable == win->remote.end)
		return;
	spin_lock(&win->lock);
	xmap_stage_invalidate(win, &remote);
	live = win->live;
	spin_unlock(&win->lock);
	if (!live)
		return;

	mutex_lock(&win->zap_lock);
	if (READ_ONCE(win->live)) {
		start = xmap_window_populated(win, start, end, true);
		if (start < end)
			xmap_window_zap(win, start, end);
	}
	mutex_unlock(&win->zap_lock);
}

static const struct mmu_interval_notifier_ops xmap_window_source_ops = {
	.invalidate = xmap_window_source_invalidate,
};

/*
 * A is about to change something in the window's VMA.  Zapping entries is one
 * such change, and nothing to do; tearing it down is the other.
 */
static bool xmap_window_holder_invalidate(struct mmu_interval_notifier *mni,
					  const struct mmu_notifier_range *range,
					  unsigned long cur_seq)
{
	struct xmap_window *win = container_of(mni, struct xmap_window, holder);

	/* Nobody reads this notifier's sequence. */
	mmu_interval_set_seq(mni, cur_seq);
	if (range->event != MMU_NOTIFY_UNMAP && range->event != MMU_NOTIFY_RELEASE)
		return true;
	/* The OOM reaper leaves VM_PFNMAP alone; if that ever changes, it must wait. */
	if (!mmu_notifier_range_blockable(range))
		return false;

	/*
	 * No fault inserts entries meanwhile: the VMA has left the tree, or A's
	 * mmap_lock is held for writing, or A has no users any more.  Later calls
	 * find it done, and must not look at the VMA: this notifier stays until
	 * ->release, while others use its addresses.
	 */
	mutex_lock(&win->zap_lock);
	if (READ_ONCE(win->live)) {
		xmap_window_zap(win, win->start, win->start + xmap_window_length(win));
		spin_lock(&win->lock);
		WRITE_ONCE(win->live, false);
		xmap_stage_invalidate(win, &win->remote);
		spin_unlock(&win->lock);
	}
	mutex_unlock(&win->zap_lock);
	return true;
}

static const struct mmu_interval_notifier_ops xmap_window_holder_ops = {
	.invalidate = xmap_window_holder_invalidate,
};

/* ---- The VMA ---- */

static int xmap_window_vm_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

/*
 * mremap() wants to move the window, and asks only after it has tried.  Refuse,
 * so that it moves back.  To A's notifier the move looked like the end of the
 * VMA: the entries are gone, and the next one puts the window into service again.
 */
static int xmap_window_vm_mremap(struct vm_area_struct *new_vma)
{
	return -EINVAL;
}

const struct vm_operations_struct xmap_window_vm_ops = {
	.may_split = xmap_window_vm_may_split,
	.mremap = xmap_window_vm_mremap,
	.fault = xmap_window_vm_fault,
	.pfn_mkwrite = xmap_window_vm_pfn_mkwrite,
	.access = xmap_window_vm_access,
};

/* ---- Life ---- */

static int xmap_window_release(struct inode *inode, struct file *file)
{
	struct xmap_window *win = file->private_data;

	/*
	 * No VMA, so no fault; after the notifiers no callback.  What is staged
	 * belongs to threads that were killed on their way back.
	 */
	xmap_account_uncharge(&win->obj);
	xmap_node_remove_window(win->obj.node, win);
	if (win->source.mm)
		mmu_interval_notifier_remove(&win->source);
	if (win->holder.mm)
		mmu_interval_notifier_remove(&win->holder);
	spin_lock(&win->lock);
	xmap_stage_invalidate(win, &win->remote);
	spin_unlock(&win->lock);
	trace_xmap_unmap(win);
	atomic_dec(&win->target->windows);
	/* With it goes the target's reference to the node. */
	fput(win->target_file);
	kfree(win);
	return 0;
}

static const struct file_operations xmap_window_fops = {
	.owner = THIS_MODULE,
	.release = xmap_window_release,
};

/* A window's file, complete but for its notifiers and its VMA. */
static struct file *xmap_window_create(struct file *target_file, struct vm_area_struct *vma,
				       const struct xmap_range *remote)
{
	struct xmap_window *win;
	struct file *file;
	int rc;

	win = kzalloc(sizeof(*win), GFP_KERNEL_ACCOUNT);
	if (!win)
		return ERR_PTR(-ENOMEM);
	win->target = target_file->private_data;
	win->vma = vma;
	win->start = vma->vm_start;
	win->remote = *remote;
	win->writable = vma->vm_flags & VM_MAYWRITE;
	spin_lock_init(&win->lock);
	INIT_LIST_HEAD(&win->stages);
	INIT_LIST_HEAD(&win->entry);
	win->obj.node = win->target->obj.node;
	win->obj.parent = win->target->obj.serial;
	mutex_init(&win->zap_lock);

	rc = xmap_account_charge(&win->obj, XMAP_LIST_WINDOW);
	if (rc)
		goto err_win;
	file = anon_inode_getfile("[xmap-window]", &xmap_window_fops, win, O_RDWR);
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		goto err_charge;
	}
	/* From here on the file owns the window. */
	win->target_file = get_file(target_file);
	atomic_inc(&win->target->windows);
	return file;

err_charge:
	xmap_account_uncharge(&win->obj);
err_win:
	kfree(win);
	return ERR_PTR(rc);
}

/* Attach both notifiers.  A's mmap_lock is held for writing, mm_users of S is. */
static int xmap_window_watch(struct xmap_window *win)
{
	struct mm_struct *holder = win->vma->vm_mm;
	u64 length = xmap_window_length(win);
	int rc;

	rc = mmu_interval_notifier_insert_locked(&win->holder, holder, win->start, length,
						 &xmap_window_holder_ops);
	/* Taking all of A's locks gives way to any signal; mmap() never fails so. */
	if (rc)
		return rc == -EINTR ? -ERESTARTNOINTR : rc;
	/*
	 * While another change of A is under way, the notifier only waits in a queue
	 * and would not be called for munmap().  Wait until it is in the tree.
	 */
	mmu_interval_read_begin(&win->holder);

	/*
	 * This would take S's mmap_lock, if it were the first interval notifier of
	 * S.  It is not: the target has one.  lockdep cannot know.
	 */
	lockdep_off();
	rc = mmu_interval_notifier_insert(&win->source, win->target->mm, win->remote.start, length,
					  &xmap_window_source_ops);
	lockdep_on();
	return rc;
}

/**
 * xmap_window_mmap - mmap() on a target
 * @file: The target's file
 * @vma: The new mapping
 *
 * Return: 0, or -EACCES (a right or address that the target does not give),
 * -EDQUOT, -EFAULT (no user address), -EINVAL (not MAP_SHARED), -ENOMEM,
 * -ESRCH, -ESTALE (some of it has been revoked).
 */
int xmap_window_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct xmap_target *target = file->private_data;
	struct xmap_range remote;
	struct xmap_window *win;
	struct file *win_file;
	int rc;

	/* A private mapping of bare frames cannot be copied on write. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	/*
	 * Without the write right the file is not open for writing: the kernel has
	 * refused PROT_WRITE, and cleared VM_MAYWRITE.
	 */
	if (WARN_ON_ONCE(vma->vm_flags & VM_MAYWRITE && !(target->rights & XMAP_RIGHT_WRITE)))
		return -EACCES;
	rc = xmap_range_init(&remote, (u64)vma->vm_pgoff << PAGE_SHIFT,
			     vma->vm_end - vma->vm_start);
	if (rc)
		return rc;
	if (remote.end > xmap_user_end())
		return -EFAULT;
	if (!xmap_range_contains(&target->range, &remote))
		return -EACCES;
	if (xmap_node_usable(target->obj.node, remote.start, remote.end) < remote.end)
		return -ESTALE;

	if (!xmap_mm_get(target->mm))
		return -ESRCH;
	win_file = xmap_window_create(file, vma, &remote);
	if (IS_ERR(win_file)) {
		rc = PTR_ERR(win_file);
		goto out_mm;
	}
	win = win_file->private_data;
	rc = xmap_window_watch(win);
	if (!rc)
		rc = xmap_node_add_window(target->obj.node, win);
	if (rc)
		goto out_file;

	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP);
	vm_flags_clear(vma, VM_MAYEXEC);
	vma->vm_ops = &xmap_window_vm_ops;
	vma->vm_private_data = win;
	vma_set_file(vma, win_file);
	xmap_account_publish(&win->obj);
	trace_xmap_map(win);

out_file:
	/* On failure the last reference: ->release runs when no lock is held. */
	fput(win_file);
out_mm:
	/* If it is the last user, tearing S down has no place under A's lock. */
	mmput_async(target->mm);
	return rc;
}

void xmap_window_describe(struct xmap_object *obj, struct xmap_list_entry *entry)
{
	struct xmap_window *win = container_of(obj, struct xmap_window, obj);

	entry->rights = XMAP_RIGHT_READ | (win->writable ? XMAP_RIGHT_WRITE : 0);
	entry->target_pid = xmap_owner_nr(win->target->pid, win->target->mm,
					  task_active_pid_ns(current));
	entry->state = xmap_state(obj->node, &win->remote);
	entry->addr = win->remote.start;
	entry->length = xmap_window_length(win);
	entry->local = win->start;
	entry->count = atomic64_read(&win->faults);
}
