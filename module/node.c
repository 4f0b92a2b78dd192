// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree of what was made from what, and revocation.
 *
 * Every export and every target has a node.  A target that was derived from
 * another, or accepted from an export, has its node below that one's.  Revoking
 * is done to a node, for a range of addresses, and holds for all below it:
 * whoever asks "may I?" looks at his own node and at all above it, 32 at most.
 * So nothing needs to be written to what is below, and nothing that is made
 * below a moment later can be missed.
 *
 * A range once revoked stays so.  It is in force for whoever asks after it was
 * published.  Those who asked before are dealt with like this:
 *
 *  - A window's entries are set under the window's lock, where it asks.  The
 *    revoker takes that lock of each window once, after publishing: what was set
 *    before is there for him to zap, and what comes later is told no.
 *  - A copy asks under the tree's @copying, which it holds for reading until the
 *    bytes have been moved.  The revoker takes it for writing once.  A copy that
 *    has to wait for the caller's own memory, which the caller could make last
 *    for ever, lets go of it first.
 *
 * The cost is that of the nodes and windows below the node.
 *
 * The root's lock guards the shape of its tree.  A window is added under its
 * holder's mmap_lock, so nobody waits for an mmap_lock while holding it: zapping
 * does not (see window.c), and @copying, whose holders may, is taken outside.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "trace.h"
#include "window.h"

/* How far things can be derived from each other: every fault looks at all above. */
#define XMAP_NODE_DEPTH 32
/* Pieces that can be revoked from one node: they are searched under a spinlock. */
#define XMAP_NODE_PIECES 1024

/**
 * struct xmap_revoked - What was revoked from a node; never changes once published
 * @rcu: For its end
 * @n: Number of pieces
 * @piece: In order of address, apart from each other
 */
struct xmap_revoked {
	struct rcu_head rcu;
	unsigned int n;
	struct xmap_range piece[];
};

/* Everything: to revoke it all needs no memory, and so cannot fail. */
static struct xmap_revoked xmap_revoked_all = {
	.n = 1,
	.piece = { { .start = 0, .end = ~(u64)0 } },
};

static void xmap_revoked_free(struct xmap_revoked *revoked)
{
	if (revoked && revoked != &xmap_revoked_all)
		kfree_rcu(revoked, rcu);
}

/* The first piece that ends after @addr; its number may be @n. */
static unsigned int xmap_revoked_find(const struct xmap_revoked *revoked, u64 addr)
{
	unsigned int low = 0, high = revoked->n;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (revoked->piece[mid].end > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/**
 * xmap_node_usable - How far from an address on has nothing been revoked?
 * @node: The node; the caller has a reference
 * @start: The address
 * @end: How far to look
 *
 * Context: any.
 * Return: @end, or the first address that was revoked, from this node or above.
 */
u64 xmap_node_usable(const struct xmap_node *node, u64 start, u64 end)
{
	const struct xmap_revoked *revoked;
	unsigned int i;

	rcu_read_lock();
	for (; node; node = node->parent) {
		revoked = rcu_dereference(node->revoked);
		if (!revoked)
			continue;
		i = xmap_revoked_find(revoked, start);
		if (i < revoked->n && revoked->piece[i].start < end)
			end = max(start, revoked->piece[i].start);
	}
	rcu_read_unlock();
	return end;
}

/* Has all of @range been revoked, be it piece by piece? */
bool xmap_node_revoked(const struct xmap_node *node, const struct xmap_range *range)
{
	const struct xmap_revoked *revoked;
	const struct xmap_node *n;
	u64 at = range->start;
	u64 before;
	unsigned int i;

	rcu_read_lock();
	do {
		before = at;
		for (n = node; n; n = n->parent) {
			revoked = rcu_dereference(n->revoked);
			if (!revoked)
				continue;
			i = xmap_revoked_find(revoked, at);
			if (i < revoked->n && revoked->piece[i].start <= at)
				at = revoked->piece[i].end;
		}
	} while (at < range->end && at != before);
	rcu_read_unlock();
	return at >= range->end;
}

/**
 * xmap_node_create - Make a node
 * @mm: The address space that it is about
 * @parent: What it is made from, or NULL; the caller has a reference
 *
 * Return: the node, with one reference, or -EDQUOT (too deep) or -ENOMEM.
 */
struct xmap_node *xmap_node_create(struct mm_struct *mm, struct xmap_node *parent)
{
	struct xmap_node *node;

	if (parent && parent->depth == XMAP_NODE_DEPTH)
		return ERR_PTR(-EDQUOT);
	node = kzalloc(sizeof(*node), GFP_KERNEL_ACCOUNT);
	if (!node)
		return ERR_PTR(-ENOMEM);
	refcount_set(&node->refs, 1);
	mmgrab(mm);
	node->mm = mm;
	INIT_LIST_HEAD(&node->children);
	INIT_LIST_HEAD(&node->windows);
	init_waitqueue_head(&node->wq);
	mutex_init(&node->lock);
	init_rwsem(&node->copying);
	mutex_init(&node->drain);
	node->root = node;
	if (!parent) {
		INIT_LIST_HEAD(&node->sibling);
		return node;
	}

	node->depth = parent->depth + 1;
	node->root = parent->root;
	node->parent = xmap_node_get(parent);
	mutex_lock(&node->root->lock);
	list_add_tail(&node->sibling, &parent->children);
	mutex_unlock(&node->root->lock);
	return node;
}

struct xmap_node *xmap_node_get(struct xmap_node *node)
{
	refcount_inc(&node->refs);
	return node;
}

void xmap_node_put(struct xmap_node *node)
{
	struct xmap_node *parent;

	/* Its reference to the parent goes with it, and so on upwards. */
	for (; node && refcount_dec_and_test(&node->refs); node = parent) {
		parent = node->parent;
		if (parent) {
			mutex_lock(&node->root->lock);
			list_del(&node->sibling);
			mutex_unlock(&node->root->lock);
		}
		xmap_revoked_free(rcu_dereference_protected(node->revoked, true));
		mmdrop(node->mm);
		kfree(node);
	}
}

/* How many were made directly from this one, and still are there. */
u32 xmap_node_children(struct xmap_node *node)
{
	struct list_head *at;
	u32 n = 0;

	mutex_lock(&node->root->lock);
	list_for_each(at, &node->children)
		n++;
	mutex_unlock(&node->root->lock);
	return n;
}

/**
 * xmap_node_add_window - Have revocation find a new window
 * @node: Its target's
 * @win: The window; no fault on it comes before this returns
 *
 * Return: 0, or -ESTALE if something of it has been revoked.
 */
int xmap_node_add_window(struct xmap_node *node, struct xmap_window *win)
{
	int rc = 0;

	mutex_lock(&node->root->lock);
	if (xmap_node_usable(node, win->remote.start, win->remote.end) < win->remote.end)
		rc = -ESTALE;
	else
		list_add_tail(&win->entry, &node->windows);
	mutex_unlock(&node->root->lock);
	return rc;
}

void xmap_node_remove_window(struct xmap_node *node, struct xmap_window *win)
{
	mutex_lock(&node->root->lock);
	list_del_init(&win->entry);
	mutex_unlock(&node->root->lock);
}

/* What is revoked when @range is as well. */
static struct xmap_revoked *xmap_revoked_add(const struct xmap_revoked *old,
					     const struct xmap_range *range)
{
	struct xmap_revoked *new;
	struct xmap_range merged = *range;
	unsigned int n = old ? old->n : 0;
	unsigned int first = 0, last = 0;

	if (old == &xmap_revoked_all || (!range->start && range->end >= xmap_user_end()))
		return &xmap_revoked_all;

	/* Pieces [first, last) touch the new one, and become one with it. */
	while (first < n && old->piece[first].end < range->start)
		first++;
	for (last = first; last < n && old->piece[last].start <= range->end; last++) {
		merged.start = min(merged.start, old->piece[last].start);
		merged.end = max(merged.end, old->piece[last].end);
	}
	n -= last - first;
	if (n >= XMAP_NODE_PIECES)
		return ERR_PTR(-EDQUOT);
	new = kmalloc(struct_size(new, piece, n + 1), GFP_KERNEL_ACCOUNT);
	if (!new)
		return ERR_PTR(-ENOMEM);
	new->n = n + 1;
	if (old) {
		memcpy(new->piece, old->piece, first * sizeof(merged));
		memcpy(new->piece + first + 1, old->piece + last,
		       (n - first) * sizeof(merged));
	}
	new->piece[first] = merged;
	return new;
}

/* The node after @node in the tree below @top, parents before children; NULL at the end. */
static struct xmap_node *xmap_node_next(struct xmap_node *node, struct xmap_node *top)
{
	if (!list_empty(&node->children))
		return list_first_entry(&node->children, struct xmap_node, sibling);
	for (; node != top; node = node->parent) {
		if (!list_is_last(&node->sibling, &node->parent->children))
			return list_next_entry(node, sibling);
	}
	return NULL;
}

/* ---- Copies under way ---- */

/*
 * Begin to move bytes, after which it is asked whether one may.  Returns 0;
 * -EAGAIN if the caller may not wait, or -EINTR if he is being killed.
 */
int xmap_copying_begin(struct xmap_node *node, bool may_wait)
{
	struct xmap_node *root = node->root;

	if (!may_wait)
		return !READ_ONCE(root->draining) && down_read_trylock(&root->copying) ? 0 : -EAGAIN;
	/*
	 * With PREEMPT_RT readers that never leave all at once keep a writer waiting
	 * for ever.  So who comes now waits for him.
	 */
	if (READ_ONCE(root->draining)) {
		if (mutex_lock_killable(&root->drain))
			return -EINTR;
		mutex_unlock(&root->drain);
	}
	return down_read_killable(&root->copying);
}

void xmap_copying_end(struct xmap_node *node)
{
	up_read(&node->root->copying);
}

/* Wait until everybody has left who may have asked before now. */
static int xmap_copying_drain(struct xmap_node *root)
{
	int rc;

	if (mutex_lock_killable(&root->drain))
		return -EINTR;
	WRITE_ONCE(root->draining, true);
	rc = down_write_killable(&root->copying);
	if (!rc)
		up_write(&root->copying);
	WRITE_ONCE(root->draining, false);
	mutex_unlock(&root->drain);
	return rc;
}

/**
 * xmap_node_revoke - Take a range back from a node and all below it
 * @node: The node; the caller has a reference
 * @range: Addresses
 *
 * Context: no locks held; sleeps.
 * Return: 0; -EDQUOT or -ENOMEM, and nothing was done; or -EINTR if the caller
 * is being killed: all is revoked, but a copy may be under way still.
 */
int xmap_node_revoke(struct xmap_node *node, const struct xmap_range *range)
{
	struct xmap_node *root = node->root, *n;
	struct xmap_revoked *old, *new;
	struct xmap_window *win;
	u32 windows = 0;

	mutex_lock(&root->lock);
	old = rcu_dereference_protected(node->revoked, lockdep_is_held(&root->lock));
	new = xmap_revoked_add(old, range);
	if (IS_ERR(new)) {
		mutex_unlock(&root->lock);
		return PTR_ERR(new);
	}
	rcu_assign_pointer(node->revoked, new);
	if (old != new)
		xmap_revoked_free(old);

	for (n = node; n; n = xmap_node_next(n, node)) {
		list_for_each_entry(win, &n->windows, entry) {
			xmap_window_revoke(win, range);
			windows++;
			cond_resched();
		}
		wake_up_all(&n->wq);
	}
	mutex_unlock(&root->lock);
	trace_xmap_revoke(node, range, windows);

	return xmap_copying_drain(root);
}
