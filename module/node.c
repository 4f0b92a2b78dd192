// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree of what was made from what, and revocation.
 *
 * Every export, every target and every handle of a region has a node.  A target
 * that was derived from another, or accepted from an export, has its node below that
 * one's.  Revoking is done to a node, for a range of addresses, and holds for all below it:
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
 *  - A copy asks, and moves the bytes, within one read-side section of an SRCU
 *    domain, in which nobody waits for anything.  The revoker waits for a grace
 *    period.  (Forced writes wait, for the target's page, and have a lock of
 *    their own tree instead; exports never give that right.)
 *
 * (What is revoked of a region concerns neither; region_settle.c tells of that.)
 *
 * The cost is that of the nodes and windows below the node.  They are visited one
 * at a time, so that nobody keeps others from the tree for longer than one window
 * takes.
 *
 * The root's lock guards the shape of its tree.  A window is added under its
 * holder's mmap_lock, so nobody waits for an mmap_lock while holding it; zapping
 * does not: see window.c.
 */
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#include "trace.h"
#include "window.h"

/* How far things can be derived from each other: every fault looks at all above. */
#define XMAP_NODE_DEPTH 32
/* Pieces that can be revoked from one node: they are searched under a spinlock. */
#define XMAP_NODE_PIECES 64

/**
 * struct xmap_revoked - What was revoked from a node; never changes once published
 * @rcu: For its end
 * @n: Number of pieces
 * @piece: In order of address, apart from each other
 */
struct xmap_revoked {
	struct rcu_head rcu;
	unsigned int n;
	struct xmap_range piece[XMAP_NODE_PIECES];
};

/* Everything: to revoke it all needs no memory, and so cannot fail. */
static struct xmap_revoked xmap_revoked_all = {
	.n = 1,
	.piece[0] = { .start = 0, .end = ~(u64)0 },
};

DEFINE_STATIC_SRCU(xmap_copies);

static void xmap_revoked_free(struct xmap_revoked *revoked)
{
	if (revoked && revoked != &xmap_revoked_all)
		kfree_rcu(revoked, rcu);
}

/* ---- Asking ---- */

/* The first revoked address in [@start, @end) by this node alone, or @end. */
static u64 xmap_revoked_first(const struct xmap_revoked *revoked, u64 start, u64 end)
{
	unsigned int i;

	for (i = 0; i < revoked->n; i++) {
		if (revoked->piece[i].end > start)
			return clamp(revoked->piece[i].start, start, end);
	}
	return end;
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

	rcu_read_lock();
	for (; node; node = node->parent) {
		revoked = rcu_dereference(node->revoked);
		if (revoked)
			end = xmap_revoked_first(revoked, start, end);
	}
	rcu_read_unlock();
	return end;
}

/*
 * Has all of @range been revoked, be it piece by piece?  A node's pieces are in
 * order of address, and so is the search: no piece is looked at once it has been
 * passed, however the pieces of several nodes take turns.
 */
bool xmap_node_revoked(const struct xmap_node *node, const struct xmap_range *range)
{
	const struct xmap_revoked *above[XMAP_NODE_DEPTH + 1];
	u8 next[XMAP_NODE_DEPTH + 1] = {};
	u64 at = range->start, before;
	unsigned int i, n = 0;

	BUILD_BUG_ON(XMAP_NODE_PIECES > U8_MAX);
	rcu_read_lock();
	for (; node; node = node->parent) {
		above[n] = rcu_dereference(node->revoked);
		if (above[n])
			n++;
	}
	do {
		before = at;
		for (i = 0; i < n; i++) {
			const struct xmap_revoked *revoked = above[i];

			while (next[i] < revoked->n && revoked->piece[next[i]].end <= at)
				next[i]++;
			if (next[i] < revoked->n && revoked->piece[next[i]].start <= at)
				at = revoked->piece[next[i]].end;
		}
	} while (at < range->end && at != before);
	rcu_read_unlock();
	return at >= range->end;
}

/* Did the caller make this, or anything above it? */
bool xmap_node_made_by(const struct xmap_node *node, const struct pid *tgid)
{
	for (; node; node = node->parent) {
		if (node->maker == tgid)
			return true;
	}
	return false;
}

/* ---- The tree ---- */

/**
 * xmap_node_create - Make a node
 * @mm: The address space that it is about; the caller holds mm_users.  NULL for a
 *	region, which is about none
 * @parent: What it is made from, or NULL; the caller has a reference
 *
 * Return: the node, with one reference, or -EDQUOT (too deep), -EINTR,
 * -ERESTARTSYS or -ENOMEM.
 */
struct xmap_node *xmap_node_create(struct mm_struct *mm, struct xmap_node *parent)
{
	struct xmap_node *node;
	int rc;

	if (parent && parent->depth == XMAP_NODE_DEPTH)
		return ERR_PTR(-EDQUOT);
	node = kzalloc(sizeof(*node), GFP_KERNEL_ACCOUNT);
	if (!node)
		return ERR_PTR(-ENOMEM);
	refcount_set(&node->refs, 1);
	INIT_LIST_HEAD(&node->sibling);
	INIT_LIST_HEAD(&node->children);
	INIT_LIST_HEAD(&node->windows);
	mutex_init(&node->lock);
	spin_lock_init(&node->publish);
	init_rwsem(&node->forcing);
	init_waitqueue_head(&node->wq);
	if (mm)
		mmgrab(mm);
	node->mm = mm;
	node->maker = get_pid(task_tgid(current));
	node->root = node;
	if (!parent) {
		rc = mm ? xmap_life_watch(node) : 0;
		if (rc) {
			xmap_node_put(node);
			return ERR_PTR(rc);
		}
		return node;
	}

	node->depth = parent->depth + 1;
	node->root = parent->root;
	node->parent = xmap_node_get(parent);
	mutex_lock(&node->root->lock);
	/* In front, where a revocation that is among the children has been already. */
	list_add(&node->sibling, &parent->children);
	WRITE_ONCE(parent->nr_children, parent->nr_children + 1);
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
			WRITE_ONCE(parent->nr_children, parent->nr_children - 1);
			mutex_unlock(&node->root->lock);
		} else {
			xmap_life_end(node);
			if (node->region)
				xmap_region_free(node->region);
		}
		xmap_revoked_free(rcu_dereference_protected(node->revoked, true));
		put_pid(node->maker);
		if (node->mm)
			mmdrop(node->mm);
		kfree(node);
	}
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
	win->revocation = atomic64_read_acquire(&node->root->revocations);
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

/* ---- Copies ---- */

/*
 * Within this a copy asks whether it may, and moves the bytes.  Nobody waits in
 * there: not for a lock that others hold for long, and not for a page.
 */
int xmap_copying_begin(void)
	__acquires(&xmap_copies)
{
	return srcu_read_lock(&xmap_copies);
}

void xmap_copying_end(int idx)
	__releases(&xmap_copies)
{
	srcu_read_unlock(&xmap_copies, idx);
}

/* The same for forced writes, which wait for a page of the target. */
int xmap_forcing_begin(struct xmap_node *node)
{
	return down_read_killable(&node->root->forcing);
}

void xmap_forcing_end(struct xmap_node *node)
{
	up_read(&node->root->forcing);
}

/* ---- Revoking ---- */

/* Has all of @range been revoked, by this node alone?  Pieces that touch are one. */
static bool xmap_revoked_covers(const struct xmap_revoked *revoked, const struct xmap_range *range)
{
	unsigned int i;

	for (i = 0; i < revoked->n; i++) {
		if (xmap_range_contains(&revoked->piece[i], range))
			return true;
	}
	return false;
}

/* @old and @range together.  What touches becomes one piece; -EDQUOT if there are too many. */
static int xmap_revoked_merge(struct xmap_revoked *new, const struct xmap_revoked *old,
			      const struct xmap_range *range)
{
	struct xmap_range merged = *range;
	unsigned int first, last, n = old ? old->n : 0;

	/* Pieces [first, last) touch the new one, and become one with it. */
	for (first = 0; first < n && old->piece[first].end < range->start;)
		first++;
	for (last = first; last < n && old->piece[last].start <= range->end; last++) {
		merged.start = min(merged.start, old->piece[last].start);
		merged.end = max(merged.end, old->piece[last].end);
	}
	new->n = n - (last - first) + 1;
	if (new->n > XMAP_NODE_PIECES)
		return -EDQUOT;
	if (old) {
		memcpy(new->piece, old->piece, first * sizeof(merged));
		memcpy(new->piece + first + 1, old->piece + last, (n - last) * sizeof(merged));
	}
	new->piece[first] = merged;
	return 0;
}

/*
 * Publish that @range has been revoked.  Returns 1; 0 if that is so already; -EDQUOT or
 * -ENOMEM.
 */
static int xmap_node_publish(struct xmap_node *node, const struct xmap_range *range)
{
	struct xmap_revoked *new = &xmap_revoked_all, *old, *unused;
	int rc = 0;

	if (range->start || range->end < xmap_user_end()) {
		new = kmalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
		if (!new)
			return -ENOMEM;
	}
	spin_lock(&node->publish);
	old = rcu_dereference_protected(node->revoked, lockdep_is_held(&node->publish));
	unused = new;
	if (!old || !xmap_revoked_covers(old, range)) {
		if (new != &xmap_revoked_all)
			rc = xmap_revoked_merge(new, old, range);
		if (!rc) {
			rcu_assign_pointer(node->revoked, new);
			unused = old;
			rc = 1;
		}
	}
	spin_unlock(&node->publish);
	xmap_revoked_free(unused);
	return rc;
}

/* The node after @node in the tree below @top, parents before children; NULL at the end. */
static struct xmap_node *xmap_node_next(struct xmap_node *node, struct xmap_node *top)
{
	lockdep_assert_held(&top->root->lock);
	if (!list_empty(&node->children))
		return list_first_entry(&node->children, struct xmap_node, sibling);
	for (; node != top; node = node->parent) {
		if (!list_is_last(&node->sibling, &node->parent->children))
			return list_next_entry(node, sibling);
	}
	return NULL;
}

/*
 * Visit a window of a node.  Revocations of a tree are numbered, after each
 * has published; a window remembers the last number that there was when it was
 * made or visited, which no earlier one has to visit again.  Windows are in the
 * order of these numbers, so the first that needs no visit ends it.  One at a
 * time: who holds a large one can make it last, and others wait for the lock.
 * Returns false if none needs it.
 */
static bool xmap_node_visit(struct xmap_node *node, u64 nr)
{
	struct xmap_window *win;
	u64 now;

	lockdep_assert_held(&node->root->lock);
	win = list_first_entry_or_null(&node->windows, struct xmap_window, entry);
	if (!win || win->revocation >= nr)
		return false;
	/* Who has taken a number by now has published. */
	now = atomic64_read_acquire(&node->root->revocations);
	xmap_window_revoke(win);
	win->revocation = now;
	list_move_tail(&win->entry, &node->windows);
	return true;
}

/* Zap what has been revoked in the windows of @top and all below.  Returns their number. */
static u32 xmap_node_zap(struct xmap_node *top, u64 nr)
{
	struct xmap_node *root = top->root, *node, *next;
	u32 windows = 0;

	for (node = xmap_node_get(top); node; node = next) {
		mutex_lock(&root->lock);
		next = node;
		if (xmap_node_visit(node, nr)) {
			windows++;
		} else {
			/* One whose last reference has gone waits for the lock, to leave it. */
			do {
				next = xmap_node_next(next, top);
			} while (next && !refcount_inc_not_zero(&next->refs));
		}
		mutex_unlock(&root->lock);
		if (next != node)
			xmap_node_put(node);
		cond_resched();
	}
	return windows;
}

/**
 * xmap_node_take_back - Take a range back from a node and all below it
 * @node: The node; the caller has a reference
 * @range: Addresses
 * @held: Of a region: also from those who hold its pages by reference
 *
 * Who asks from now on is told no, windows show nothing any more, and pollers
 * know.  What is being copied is not waited for: xmap_node_wait_copies() and
 * xmap_node_wait_forced() do.
 *
 * Context: no locks held; sleeps.
 * Return: 0; -EDQUOT or -ENOMEM, and nothing was done.
 */
int xmap_node_take_back(struct xmap_node *node, const struct xmap_range *range, bool held)
{
	struct xmap_node *root = node->root;
	u32 windows = 0;
	int rc;

	rc = xmap_node_publish(node, range);
	if (rc < 0)
		return rc;
	/* If it is nothing new, who was first may not be through yet; but he wakes. */
	if (root->region)
		xmap_region_revoke(node, range, held);
	else
		windows = xmap_node_zap(node, atomic64_inc_return(&root->revocations));
	if (rc)
		wake_up_all(&root->wq);
	trace_xmap_revoke(node, range, windows);
	return 0;
}

/* Wait for the copies that have asked before something was taken back. */
void xmap_node_wait_copies(void)
{
	synchronize_srcu_expedited(&xmap_copies);
}

/* The same for forced writes.  Returns 0, or -EINTR if the caller is being killed. */
int xmap_node_wait_forced(struct xmap_node *node)
{
	struct xmap_node *root = node->root;

	if (root->consent)
		return 0;
	if (down_write_killable(&root->forcing))
		return -EINTR;
	up_write(&root->forcing);
	return 0;
}

/**
 * xmap_node_revoke - Take a range back, and wait until nobody reaches it
 * @node: The node; the caller has a reference
 * @range: Addresses
 * @held: Of a region: also from those who hold its pages by reference
 *
 * Context: no locks held; sleeps.
 * Return: as xmap_node_take_back(); or -EINTR if the caller is being killed: all
 * is revoked, but a forced write may be under way still.
 */
int xmap_node_revoke(struct xmap_node *node, const struct xmap_range *range, bool held)
{
	int rc = xmap_node_take_back(node, range, held);

	if (rc)
		return rc;
	/* The copies of a region are told no in another way, and done by now. */
	if (node->root->region)
		return 0;
	xmap_node_wait_copies();
	return xmap_node_wait_forced(node);
}
