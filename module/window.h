/* SPDX-License-Identifier: GPL-2.0-only */
/* What window.c and fault.c share.  window.c opens with the protocol. */
#ifndef XMAP_WINDOW_H
#define XMAP_WINDOW_H

#include "xmap.h"

/**
 * struct xmap_stage - Result of the slow path, on its way to the fault's retry
 * @node: Entry in xmap_window.stages
 * @ready: Is there a result?  If not, the owner looks for it, with no lock of A
 * @write: May be inserted writable
 * @fault: VM_FAULT_* if there is no such page, else 0
 * @owner: Thread that it is for.  Constant; holds a reference
 * @remote: Address of the page in S.  Constant
 * @pfn: The page.  No reference is held: as long as no invalidation has come,
 *	S maps it
 *
 * All under xmap_window.lock.  Made by its owner; ended by the owner when its
 * fault comes back, by an invalidation of that very page, or, when it is ready
 * but never asked for because the owner was killed or jumped away, by another
 * thread that needs the place.
 */
struct xmap_stage {
	struct list_head node;
	bool ready;
	bool write;
	vm_fault_t fault;
	struct pid *owner;
	u64 remote;
	unsigned long pfn;
};

/* Results that a window keeps for threads that may never ask, at most. */
#define XMAP_STAGES 64

/**
 * struct xmap_window - One mapping of a target's memory in an address space A
 * @obj: Accounting and registry
 * @entry: Entry in the windows of @target's node.  Lock: the root's lock
 * @revocation: Number of the last revocation that it need not be visited for.  Lock:
 *	the root's lock
 * @target_file: File of @target.  Constant; holds a reference
 * @target: The target.  Constant
 * @vma: The mapping.  Constant, but only to be followed in a fault on it, or
 *	under @zap_lock with @live found set
 * @start: Address in A.  Constant
 * @remote: Addresses in S.  Constant
 * @writable: Can it be written?  Constant
 * @faults: Page faults that it served
 * @lock: Guards @stages, and @live when it is set; an entry is inserted under
 *	it, and the sequence of @source changes under it
 * @live: Can there be entries, or translations in a TLB?  Set with every
 *	insertion, which has A's mmap_lock, so that @vma is there; cleared, under
 *	@zap_lock, when all are gone and before @vma, or its page tables, can go
 * @stages: Results on their way, oldest first
 * @nr_stages: Their number
 * @zap_lock: Held while entries are removed, until the TLBs are flushed: whoever
 *	finds no entry under it knows that nobody can reach the page
 * @source: Notifier on S for @remote: zaps
 * @holder: Notifier on A for the whole of @vma: takes the window out of service
 *
 * Lives as long as its file, which the VMA holds: so it ends where no lock is
 * held, some time after the VMA.
 */
struct xmap_window {
	struct xmap_object obj;
	struct list_head entry;
	u64 revocation;
	struct file *target_file;
	struct xmap_target *target;
	struct vm_area_struct *vma;
	unsigned long start;
	struct xmap_range remote;
	bool writable;
	atomic64_t faults;
	/* Innermost but for A's page table lock. */
	spinlock_t lock;
	bool live;
	struct list_head stages;
	unsigned int nr_stages;
	/* Never nested: see "own zap" in window.c. */
	struct mutex zap_lock;
	struct mmu_interval_notifier source;
	struct mmu_interval_notifier holder;
};

static inline u64 xmap_window_length(const struct xmap_window *win)
{
	return xmap_range_length(&win->remote);
}

/* Address in A to address in S, and back. */
static inline u64 xmap_window_to_remote(const struct xmap_window *win, unsigned long addr)
{
	return win->remote.start + (addr - win->start);
}

static inline unsigned long xmap_window_to_local(const struct xmap_window *win, u64 remote)
{
	return win->start + (remote - win->remote.start);
}

/* fault.c */
vm_fault_t xmap_window_vm_fault(struct vm_fault *vmf);
vm_fault_t xmap_window_vm_pfn_mkwrite(struct vm_fault *vmf);
int xmap_window_vm_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len,
			  int write);

/* source.c */
long xmap_take_present(struct mm_struct *mm, u64 addr, long n, bool write, struct page **pages);
long xmap_take(struct mm_struct *mm, u64 addr, long n, bool write, struct page **pages);
void xmap_put_pages(struct page **pages, long n);

/* stage.c */
void xmap_stage_begin(struct xmap_window *win, u64 remote, bool write);
void xmap_stage_end(struct xmap_window *win, vm_fault_t fault, struct page *page);
void xmap_stage_cancel(struct xmap_window *win);
struct xmap_stage *xmap_stage_find(struct xmap_window *win);
void xmap_stage_drop(struct xmap_window *win, struct xmap_stage *stage);
void xmap_stage_invalidate(struct xmap_window *win, const struct xmap_range *remote);

/* window.c */
void xmap_window_zap(struct xmap_window *win, unsigned long start, unsigned long end);
void xmap_window_revoke(struct xmap_window *win);

#endif /* XMAP_WINDOW_H */
