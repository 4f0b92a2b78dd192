// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows: results of the slow path on their way to the fault's retry.
 *
 * A thread that looks for a page of S holds no lock of A, and must leave by
 * VM_FAULT_RETRY.  What it found waits here until the fault comes back.  A page
 * is staged as a frame number without a reference, which is as good as an
 * entry: from before the search on, an invalidation of that page drops it.
 */
#include <linux/pid.h>
#include <linux/slab.h>

#include "window.h"

void xmap_stage_drop(struct xmap_window *win, struct xmap_stage *stage)
{
	lockdep_assert_held(&win->lock);
	list_del(&stage->node);
	win->nr_stages--;
	put_pid(stage->owner);
	kfree(stage);
}

/* Drop what is staged for @remote. */
void xmap_stage_invalidate(struct xmap_window *win, const struct xmap_range *remote)
{
	struct xmap_stage *stage, *next;

	list_for_each_entry_safe(stage, next, &win->stages, node) {
		if (stage->remote >= remote->start && stage->remote < remote->end)
			xmap_stage_drop(win, stage);
	}
}

/* The caller's one, or NULL. */
struct xmap_stage *xmap_stage_find(struct xmap_window *win)
{
	struct xmap_stage *stage;

	lockdep_assert_held(&win->lock);
	list_for_each_entry(stage, &win->stages, node) {
		if (stage->owner == task_pid(current))
			return stage;
	}
	return NULL;
}

/* Keep what was never asked for within bounds: drop the oldest such result. */
static void xmap_stage_trim(struct xmap_window *win)
{
	struct xmap_stage *stage;

	lockdep_assert_held(&win->lock);
	if (win->nr_stages <= XMAP_STAGES)
		return;
	list_for_each_entry(stage, &win->stages, node) {
		if (stage->ready) {
			xmap_stage_drop(win, stage);
			return;
		}
	}
}

/*
 * Announce that the caller looks for @remote.  From now on an invalidation of
 * it is seen.  If S is changing it right now, or without memory, the result
 * will not be staged, and the fault comes back for another turn.
 */
void xmap_stage_begin(struct xmap_window *win, u64 remote, bool write)
{
	struct xmap_stage *stage, *old;
	unsigned long seq;

	stage = kzalloc(sizeof(*stage), GFP_KERNEL_ACCOUNT);
	if (!stage)
		return;
	stage->owner = get_pid(task_pid(current));
	stage->remote = remote;
	stage->write = write;

	seq = mmu_interval_read_begin(&win->source);
	spin_lock(&win->lock);
	old = xmap_stage_find(win);
	if (old)
		xmap_stage_drop(win, old);
	list_add_tail(&stage->node, &win->stages);
	win->nr_stages++;
	if (mmu_interval_read_retry(&win->source, seq))
		xmap_stage_drop(win, stage);
	else
		xmap_stage_trim(win);
	spin_unlock(&win->lock);
}

/* Stage the result, unless an invalidation came. */
void xmap_stage_end(struct xmap_window *win, vm_fault_t fault, struct page *page)
{
	struct xmap_stage *stage;

	spin_lock(&win->lock);
	stage = xmap_stage_find(win);
	if (stage) {
		stage->ready = true;
		stage->fault = fault;
		stage->pfn = page ? page_to_pfn(page) : 0;
	}
	spin_unlock(&win->lock);
}

void xmap_stage_cancel(struct xmap_window *win)
{
	struct xmap_stage *stage;

	spin_lock(&win->lock);
	stage = xmap_stage_find(win);
	if (stage)
		xmap_stage_drop(win, stage);
	spin_unlock(&win->lock);
}
