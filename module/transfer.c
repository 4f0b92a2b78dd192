// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies between the caller and a target.
 *
 * The target's pages are pinned a batch at a time under its mmap_lock, and
 * copied after the lock is dropped: nobody waits for a second mmap_lock while
 * holding one.  A pin lasts as long as one batch takes to copy.  What GUP
 * refuses we refuse: device memory, memfd_secret, windows, and what the target
 * itself may not access.
 *
 * The caller is never waited for with pages pinned.  He could make that last for
 * ever, until the memory holds what was never to be seen, or is somebody else's:
 * the target's, elsewhere, outside of what may be reached.  So bytes are moved
 * with page faults disabled, within xmap_copying_begin(), where it is asked
 * whether they have been revoked; and what he has not present is faulted in when
 * nothing is held: no pin, and no hold on the target's address space (mm_users),
 * which is taken for as long as it takes to pin.  Else he could keep the memory
 * of a target that has ended, and all others from being told so.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "trace.h"
#include "xmap.h"

/* Pages pinned at a time: few on the stack, or as many as one page describes. */
#define XMAP_COPY_FEW 16
#define XMAP_COPY_MANY (PAGE_SIZE / sizeof(struct page *))

/* Entries of XMAP_TRANSFER that are fetched, and perhaps served, together. */
#define XMAP_TRANSFER_BATCH 32
#define XMAP_TRANSFER_FEW 4

/*
 * Pin up to @n pages of @mm at @addr.  Stays within one VMA: below a stack GUP
 * complains in the kernel log about those who rely on it to grow.  @locked is
 * GUP's, NULL to not wait.  Returns how many, never 0, or -errno.
 */
static long xmap_pin_locked(struct mm_struct *mm, u64 addr, unsigned long n, unsigned int flags,
			    struct page **pages, int *locked)
{
	unsigned int gup = flags & XMAP_COPY_WRITE ? FOLL_WRITE : 0;
	struct vm_area_struct *vma;
	long pinned;

	addr &= PAGE_MASK;
	vma = vma_lookup(mm, addr);
	if (!vma)
		return -EFAULT;
	n = min(n, (vma->vm_end - addr) >> PAGE_SHIFT);
	if (!locked) {
		if (!xmap_nofault_works(vma))
			return -EAGAIN;
		gup |= FOLL_NOFAULT;
	}
	pinned = xmap_pin_pages(mm, addr, n, gup, pages, locked);
	return pinned ? pinned : -EFAULT;
}

static long xmap_pin_mm(struct mm_struct *mm, u64 addr, unsigned long n, unsigned int flags,
			struct page **pages)
{
	int locked = 1;
	long pinned;

	if (flags & XMAP_COPY_NOWAIT) {
		/* Only what is resident, and only if nobody changes the address space. */
		if (!mmap_read_trylock(mm))
			return -EAGAIN;
		pinned = xmap_pin_locked(mm, addr, n, flags, pages, NULL);
		mmap_read_unlock(mm);
		return pinned > 0 ? pinned : -EAGAIN;
	}

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	pinned = xmap_pin_locked(mm, addr, n, flags, pages, &locked);
	if (locked)
		mmap_read_unlock(mm);
	return pinned;
}

/* The same for whom nothing else keeps @mm alive; -ESRCH if it has ended. */
static long xmap_pin(struct mm_struct *mm, u64 addr, unsigned long n, unsigned int flags,
		     struct page **pages)
{
	long pinned;

	if (!xmap_mm_get(mm))
		return -ESRCH;
	pinned = xmap_pin_mm(mm, addr, n, flags, pages);
	mmput(mm);
	return pinned;
}

static void xmap_unpin(struct page **pages, unsigned long n, unsigned int flags)
{
	if (flags & XMAP_COPY_WRITE)
		unpin_user_pages_dirty_lock(pages, n, true);
	else
		unpin_user_pages(pages, n);
}

/* Copy @len bytes from byte @off of the pages on.  Returns how many. */
static size_t xmap_copy_pages(struct page **pages, size_t off, size_t len,
			      struct iov_iter *iter, unsigned int flags)
{
	size_t done = 0;

	while (done < len) {
		size_t piece = min_t(size_t, len - done, PAGE_SIZE - off);
		size_t copied;

		if (flags & XMAP_COPY_WRITE)
			copied = copy_page_from_iter(*pages++, off, piece, iter);
		else
			copied = copy_page_to_iter(*pages++, off, piece, iter);
		done += copied;
		if (copied < piece)
			break;
		off = 0;
	}
	return done;
}

/* Caller's memory that is faulted in at a time, and how often in vain. */
#define XMAP_FAULT_IN SZ_64K
#define XMAP_FAULT_IN_TRIES 16

/*
 * Have the caller's side present.  No lock is held and nothing is pinned.  @idle
 * counts the calls since bytes were last moved.  Returns 0 or -errno.
 */
static int xmap_fault_in(struct iov_iter *iter, size_t len, unsigned int flags,
			 unsigned int *idle)
{
	bool write = flags & XMAP_COPY_WRITE;

	if (!user_backed_iter(iter) || *idle >= XMAP_FAULT_IN_TRIES)
		return -EFAULT;
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	/* If nothing came of much, just what is needed next: it may not all stay. */
	len = (*idle)++ ? 1 : min_t(size_t, len, XMAP_FAULT_IN);
	if (write)
		return fault_in_iov_iter_readable(iter, len) < len ? 0 : -EFAULT;
	/* A real access first: it grows a stack, which GUP does not. */
	if (fault_in_iov_iter_readable(iter, 1))
		return -EFAULT;
	return fault_in_iov_iter_writeable(iter, len) < len ? 0 : -EFAULT;
}

/*
 * Copy @len bytes at @addr, whose pages are pinned.  Returns how much; 0 if the
 * caller's side is not present; or -ESTALE.
 */
static ssize_t xmap_copy_pinned(struct xmap_target *target, u64 addr, size_t len,
				struct page **pages, struct iov_iter *iter, unsigned int flags)
{
	size_t usable;
	ssize_t done = -ESTALE;
	int idx;

	idx = xmap_copying_begin();
	usable = xmap_node_usable(target->obj.node, addr, addr + len) - addr;
	if (usable) {
		pagefault_disable();
		done = xmap_copy_pages(pages, offset_in_page(addr), usable, iter, flags);
		pagefault_enable();
	}
	xmap_copying_end(idx);
	return done;
}

/*
 * /proc/PID/mem also reaches what GUP refuses, such as a window of the target's
 * own, by its VMA's ->access.  We do not.  A target that changes the mapping
 * after this has its own memory, by its own rights, written to.  Returns 0 or
 * -errno.
 */
static int xmap_copy_may_force(struct mm_struct *mm, u64 addr)
{
	struct vm_area_struct *vma;
	int rc = -EINTR;

	if (!xmap_mm_get(mm))
		return -ESRCH;
	if (mmap_read_lock_killable(mm))
		goto out;
	vma = vma_lookup(mm, addr);
	rc = vma && !(vma->vm_flags & (VM_IO | VM_PFNMAP)) ? 0 : -EFAULT;
	mmap_read_unlock(mm);
out:
	mmput(mm);
	return rc;
}

/*
 * One write to /proc/PID/mem, from one piece of user memory.  It looks at that
 * before it waits for the target, so that with page faults disabled it fails
 * instead of waiting for the caller.  Then it takes all or nothing.
 */
static ssize_t xmap_force(struct xmap_target *target, u64 addr, size_t len, struct iov_iter *iter)
{
	struct xmap_node *node = target->obj.node;
	unsigned int idle = 0;
	loff_t pos = addr;
	size_t missing;
	ssize_t rc;

	for (;;) {
		rc = xmap_forcing_begin(node);
		if (rc)
			return rc;
		rc = -ESTALE;
		if (xmap_node_usable(node, addr, addr + len) == addr + len) {
			pagefault_disable();
			rc = target->mem->f_op->write(target->mem, xmap_iter_addr(iter), len, &pos);
			pagefault_enable();
		}
		xmap_forcing_end(node);
		if (rc != -EFAULT || idle++ == XMAP_FAULT_IN_TRIES)
			return rc;
		missing = fault_in_iov_iter_readable(iter, len);
		if (missing == len)
			return rc;
		len -= missing;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
}

/*
 * Write to what the target maps read-only.  /proc/PID/mem does it, because only
 * it knows the system's policy for such writes; it is bound to the same mm.
 * Writes up to the end of the page.  Returns how much, never 0, or -errno.
 */
static ssize_t xmap_copy_force(struct xmap_target *target, u64 addr, size_t len,
			       struct iov_iter *iter)
{
	size_t done = 0;
	ssize_t rc = 0;

	/* It writes from user addresses only: not from io_uring's registered buffers. */
	if (!user_backed_iter(iter))
		return -EFAULT;
	rc = xmap_copy_may_force(target->mm, addr);
	if (rc)
		return rc;
	len = min_t(size_t, len, PAGE_SIZE - offset_in_page(addr));
	while (done < len) {
		size_t piece;

		/* Step over empty segments. */
		iov_iter_advance(iter, 0);
		piece = min_t(size_t, len - done, iov_iter_single_seg_count(iter));
		rc = xmap_force(target, addr + done, piece, iter);
		if (rc <= 0)
			break;
		iov_iter_advance(iter, rc);
		done += rc;
	}
	if (done)
		return done;
	/* Nothing written: its mm has ended, or it says EIO for no such memory. */
	if (!rc)
		return -ESRCH;
	return rc == -EIO ? -EFAULT : rc;
}

/* Copy one batch.  Returns how much; 0 if the caller's side is not present; or -errno. */
static ssize_t xmap_copy_batch(struct xmap_target *target, u64 addr, size_t len,
			       struct iov_iter *iter, unsigned int flags,
			       struct page **pages, unsigned long room)
{
	size_t off = offset_in_page(addr);
	ssize_t copied;
	long pinned;

	pinned = xmap_pin(target->mm, addr, min(room, DIV_ROUND_UP(off + len, PAGE_SIZE)), flags,
			  pages);
	if (pinned == -EFAULT && flags & XMAP_COPY_FORCE)
		return xmap_copy_force(target, addr, len, iter);
	if (pinned < 0)
		return pinned;

	copied = xmap_copy_pinned(target, addr, min_t(size_t, len, pinned * PAGE_SIZE - off),
				  pages, iter, flags);
	xmap_unpin(pages, pinned, copied > 0 ? flags : 0);
	return copied;
}

static int xmap_copy_check(const struct xmap_target *target, unsigned int flags)
{
	u32 rights = flags & XMAP_COPY_WRITE ? XMAP_RIGHT_WRITE : XMAP_RIGHT_READ;

	if (flags & XMAP_COPY_FORCE)
		rights |= XMAP_RIGHT_FORCE;
	return rights & ~target->rights ? -EACCES : 0;
}

/**
 * xmap_copy - Copy between the caller and a target
 * @target: The target
 * @addr: Address in it
 * @iter: The caller's side; advanced by what was copied
 * @flags: XMAP_COPY_WRITE, _FORCE, _NOWAIT
 *
 * Ends early where the target's memory or its range ends.  With NOWAIT it is
 * all or -EAGAIN: io_uring takes a short result for the end of the memory.
 *
 * Context: no locks held; sleeps.
 * Return: bytes copied; 0 only if that was asked for; or -errno if nothing was.
 */
ssize_t xmap_copy(struct xmap_target *target, u64 addr, struct iov_iter *iter,
		  unsigned int flags)
{
	struct page *few[XMAP_COPY_FEW], **pages = few;
	unsigned long room = ARRAY_SIZE(few);
	size_t asked = iov_iter_count(iter);
	unsigned int idle = 0;
	size_t done = 0;
	ssize_t rc;
	long len;

	rc = xmap_copy_check(target, flags);
	if (rc || !asked)
		goto out;
	len = xmap_range_access(&target->range, xmap_user_end(), addr, asked);
	if (len < 0) {
		rc = len;
		goto out;
	}
	/* What has been revoked ends it, as the end of the range does. */
	rc = -ESTALE;
	len = xmap_node_usable(target->obj.node, addr, addr + len) - addr;
	if (!len)
		goto out;
	if (offset_in_page(addr) + (size_t)len > sizeof(few) / sizeof(*few) * PAGE_SIZE) {
		pages = kmalloc(PAGE_SIZE, GFP_KERNEL);
		if (pages) {
			room = XMAP_COPY_MANY;
		} else {
			/* Slower, but it works. */
			pages = few;
		}
	}

	while (done < len) {
		rc = xmap_copy_batch(target, addr + done, len - done, iter, flags, pages, room);
		if (rc > 0)
			idle = 0;
		else if (!rc)
			rc = xmap_fault_in(iter, len - done, flags, &idle);
		if (rc < 0)
			break;
		done += rc;
		if (fatal_signal_pending(current)) {
			rc = -EINTR;
			break;
		}
		cond_resched();
	}
	if (flags & XMAP_COPY_NOWAIT && rc == -EAGAIN && done) {
		iov_iter_revert(iter, done);
		done = 0;
	}

	if (pages != few)
		kfree(pages);
out:
	trace_xmap_transfer(target, addr, asked, flags, done ? done : rc);
	return done ? done : rc;
}

/* ---- XMAP_TRANSFER ---- */

static const u32 xmap_transfer_flags = XMAP_TRANSFER_WRITE | XMAP_TRANSFER_FORCE;

static ssize_t xmap_transfer_one(struct xmap_target *target, const struct xmap_transfer *e)
{
	void __user *local = u64_to_user_ptr(e->local);
	unsigned int flags = 0;
	struct iov_iter iter;

	if (e->flags & ~xmap_transfer_flags)
		return -EOPNOTSUPP;
	if (e->flags & XMAP_TRANSFER_FORCE && !(e->flags & XMAP_TRANSFER_WRITE))
		return -EINVAL;
	if (e->remote + e->length < e->remote)
		return -EOVERFLOW;
	if (!access_ok(local, e->length))
		return -EFAULT;

	if (e->flags & XMAP_TRANSFER_WRITE)
		flags |= XMAP_COPY_WRITE;
	if (e->flags & XMAP_TRANSFER_FORCE)
		flags |= XMAP_COPY_FORCE;
	iov_iter_ubuf(&iter, flags & XMAP_COPY_WRITE ? ITER_SOURCE : ITER_DEST, local, e->length);
	return xmap_copy(target, e->remote, &iter, flags);
}

/* Can this entry share one hold of the lock with its neighbours? */
static bool xmap_transfer_is_small(const struct xmap_target *target,
				   const struct xmap_transfer *e)
{
	return e->length && offset_in_page(e->remote) + e->length <= PAGE_SIZE &&
	       !(e->flags & ~XMAP_TRANSFER_WRITE) &&
	       !xmap_copy_check(target, e->flags & XMAP_TRANSFER_WRITE ? XMAP_COPY_WRITE : 0) &&
	       xmap_range_access(&target->range, xmap_user_end(), e->remote, e->length) ==
		       (long)e->length &&
	       xmap_node_usable(target->obj.node, e->remote, e->remote + e->length) ==
		       e->remote + e->length;
}

/* Pin the pages of @n small entries under one hold of the lock, as far as that goes. */
static void xmap_transfer_pin(struct mm_struct *mm, struct xmap_transfer *e, u32 n,
			      struct page **pages, unsigned int flags)
{
	int locked = 0;
	u32 i;

	for (i = 0; i < n; i++) {
		long pinned;

		pages[i] = NULL;
		if (!locked && mmap_read_lock_killable(mm)) {
			e[i].out_result = -EINTR;
			continue;
		}
		locked = 1;
		pinned = xmap_pin_locked(mm, e[i].remote, 1, flags, &pages[i], &locked);
		if (pinned == 1)
			continue;
		pages[i] = NULL;
		e[i].out_result = pinned;
	}
	if (locked)
		mmap_read_unlock(mm);
}

/*
 * Serve up to @n small entries of one direction.  Returns how many; the next one
 * is not straight: something of the caller's side is not present, for which
 * nobody waits with pages pinned.
 */
static u32 xmap_transfer_small(struct xmap_target *target, struct xmap_transfer *e, u32 n)
{
	bool write = e->flags & XMAP_TRANSFER_WRITE;
	unsigned int flags = write ? XMAP_COPY_WRITE : 0;
	struct page *pages[XMAP_TRANSFER_BATCH];
	u32 served, i;

	if (!xmap_mm_get(target->mm)) {
		for (i = 0; i < n; i++)
			e[i].out_result = -ESRCH;
		return n;
	}
	xmap_transfer_pin(target->mm, e, n, pages, flags);
	for (served = 0; served < n; served++) {
		struct xmap_transfer *at = &e[served];
		void __user *local = u64_to_user_ptr(at->local);
		ssize_t copied = -EFAULT;
		struct iov_iter iter;

		if (pages[served]) {
			/* Not copy_from_user(): it would clear what it cannot fill. */
			iov_iter_ubuf(&iter, write ? ITER_SOURCE : ITER_DEST, local, at->length);
			if (access_ok(local, at->length))
				copied = xmap_copy_pinned(target, at->remote, at->length,
							  &pages[served], &iter, flags);
			xmap_unpin(&pages[served], 1, copied > 0 ? flags : 0);
			if (copied >= 0 && copied < at->length)
				break;
			at->out_result = copied;
		}
		trace_xmap_transfer(target, at->remote, at->length, flags, at->out_result);
	}
	for (i = served + 1; i < n; i++) {
		if (pages[i])
			xmap_unpin(&pages[i], 1, 0);
	}
	mmput(target->mm);
	return served;
}

/* Serve @n entries, all results set. */
static void xmap_transfer_entries(struct xmap_transfer *e, u32 n)
{
	struct xmap_target *target;
	struct file *file = NULL;
	u32 i, small;

	for (i = 0; i < n; i += small) {
		small = 1;
		if (!i || e[i].fd != e[i - 1].fd) {
			if (file)
				fput(file);
			file = fget(e[i].fd);
		}
		if (!file || file->f_op != &xmap_target_fops) {
			e[i].out_result = file ? -EBADFD : -EBADF;
			continue;
		}
		target = file->private_data;
		for (small = 0; i + small < n; small++) {
			if (e[i + small].fd != e[i].fd || e[i + small].flags != e[i].flags ||
			    !xmap_transfer_is_small(target, &e[i + small]))
				break;
			/* On itself, one copy can read what the one before it wrote. */
			if (small && target->mm == current->mm)
				break;
		}
		if (small)
			small = xmap_transfer_small(target, &e[i], small);
		if (!small) {
			e[i].out_result = xmap_transfer_one(target, &e[i]);
			small = 1;
		}
	}
	if (file)
		fput(file);
}

/* Fetch, serve and answer up to a batch.  Returns how many were answered, or -EFAULT. */
static int xmap_transfer_batch(struct xmap_transfer __user *uentries, u32 n,
			       struct xmap_transfer *e)
{
	u32 fetched = n;
	u32 i;

	/* A bad pointer further on must not keep the entries before it from being done. */
	if (copy_from_user(e, uentries, n * sizeof(*e))) {
		for (fetched = 0; fetched < n; fetched++) {
			if (copy_from_user(&e[fetched], &uentries[fetched], sizeof(*e)))
				break;
		}
	}
	xmap_transfer_entries(e, fetched);
	for (i = 0; i < fetched; i++) {
		if (put_user(e[i].out_result, &uentries[i].out_result))
			break;
	}
	return i ? i : -EFAULT;
}

int xmap_ioctl_transfer(struct xmap_ucmd *ucmd)
{
	struct xmap_cmd_transfer *cmd = ucmd->cmd;
	struct xmap_transfer __user *uentries = u64_to_user_ptr(cmd->entries);
	struct xmap_transfer few[XMAP_TRANSFER_FEW], *e = few;
	u32 room = XMAP_TRANSFER_FEW;
	u32 done = 0;
	int rc = 0;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!cmd->count)
		return -EINVAL;

	if (cmd->count > room) {
		room = XMAP_TRANSFER_BATCH;
		e = kmalloc_array(room, sizeof(*e), GFP_KERNEL_ACCOUNT);
		if (!e)
			return -ENOMEM;
	}
	while (done < cmd->count) {
		u32 n = min(cmd->count - done, room);

		rc = xmap_transfer_batch(uentries + done, n, e);
		if (rc < 0)
			break;
		done += rc;
		if (rc < n || signal_pending(current))
			break;
		cond_resched();
	}
	if (e != few)
		kfree(e);
	if (!done)
		return rc;
	cmd->out_done = done;
	return xmap_ucmd_respond(ucmd, sizeof(*cmd));
}
