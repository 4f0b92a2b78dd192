// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eventfds that are rung when what poll() says of a descriptor may have changed.
 *
 * A bell waits where the pollers of the tree do, at its root, and so hears of all that
 * they hear of.  It has a reference to the eventfd, and none to anything of ours: it is
 * there while a descriptor of the tree has it.  A descriptor has one, and ends that; the
 * object, which several can have open, does not.  So its file is its name here.
 *
 * Whoever may open what somebody has published can have as many descriptors as he likes,
 * and whoever has an eventfd, as many that wait for it.  So a tree has one bell for an
 * eventfd, however many of its descriptors have it: else each event would cost the
 * product of the two, with interrupts disabled.  For the same reason nothing is looked
 * for under a lock of the tree, and a queue's lock is not taken inside of ours: its
 * owner need not wait for strangers, nor they for him.
 *
 * Whoever rings holds the queue's lock, and the eventfd's inside it.  Nothing of ours is
 * called from there, so nobody comes back.
 */
#include <linux/eventfd.h>
#include <linux/hashtable.h>
#include <linux/slab.h>

#include "xmap.h"

/**
 * struct xmap_bell - An eventfd that is rung for a tree
 * @entry: Entry in xmap_bells
 * @wait: Entry in the root's queue: from before to after @entry is
 * @root: The root, kept by who has the bell
 * @ctx: The eventfd; holds a reference
 * @ropes: How many descriptors have it.  Lock: xmap_bells_lock
 */
struct xmap_bell {
	struct hlist_node entry;
	wait_queue_entry_t wait;
	struct xmap_node *root;
	struct eventfd_ctx *ctx;
	unsigned long ropes;
};

/**
 * struct xmap_rope - That a descriptor has a bell
 * @entry: Entry in xmap_ropes
 * @file: The descriptor's file, which is open
 * @bell: The bell
 */
struct xmap_rope {
	struct hlist_node entry;
	const struct file *file;
	struct xmap_bell *bell;
};

static DEFINE_MUTEX(xmap_bells_lock);
/* By the addresses of root and eventfd, and of the file. */
static DEFINE_HASHTABLE(xmap_bells, 10);
static DEFINE_HASHTABLE(xmap_ropes, 10);

static unsigned long xmap_bell_key(const struct xmap_bell *bell)
{
	return (unsigned long)bell->root + (unsigned long)bell->ctx;
}

static int xmap_bell_ring(wait_queue_entry_t *wait, unsigned int mode, int flags, void *key)
{
	xmap_eventfd_signal(container_of(wait, struct xmap_bell, wait)->ctx);
	return 0;
}

/* It rings at once, though nobody has it yet. */
static struct xmap_bell *xmap_bell_create(struct xmap_node *root, int fd)
{
	struct xmap_bell *bell;

	bell = kzalloc(sizeof(*bell), GFP_KERNEL_ACCOUNT);
	if (!bell)
		return ERR_PTR(-ENOMEM);
	bell->ctx = eventfd_ctx_fdget(fd);
	if (IS_ERR(bell->ctx)) {
		struct xmap_bell *err = ERR_CAST(bell->ctx);

		kfree(bell);
		return err;
	}
	bell->root = root;
	init_waitqueue_func_entry(&bell->wait, xmap_bell_ring);
	add_wait_queue(&root->wq, &bell->wait);
	return bell;
}

/* Nobody has it, or finds it. */
static void xmap_bell_free(struct xmap_bell *bell)
{
	if (!bell)
		return;
	remove_wait_queue(&bell->root->wq, &bell->wait);
	eventfd_ctx_put(bell->ctx);
	kfree(bell);
}

/* Take the rope of @file away; the bell, if that was the last one. */
static struct xmap_bell *xmap_rope_cut(const struct file *file)
{
	struct xmap_bell *bell;
	struct xmap_rope *rope;

	lockdep_assert_held(&xmap_bells_lock);
	hash_for_each_possible(xmap_ropes, rope, entry, (unsigned long)file) {
		if (rope->file != file)
			continue;
		bell = rope->bell;
		hash_del(&rope->entry);
		kfree(rope);
		if (--bell->ropes)
			return NULL;
		hash_del(&bell->entry);
		return bell;
	}
	return NULL;
}

/* Give @rope @bell, or the same that is there already; what is then left over. */
static struct xmap_bell *xmap_rope_tie(struct xmap_rope *rope, struct xmap_bell *bell)
{
	struct xmap_bell *spare = NULL, *at;

	lockdep_assert_held(&xmap_bells_lock);
	hash_for_each_possible(xmap_bells, at, entry, xmap_bell_key(bell)) {
		if (at->root == bell->root && at->ctx == bell->ctx) {
			spare = bell;
			bell = at;
			break;
		}
	}
	if (!spare)
		hash_add(xmap_bells, &bell->entry, xmap_bell_key(bell));
	bell->ropes++;
	rope->bell = bell;
	hash_add(xmap_ropes, &rope->entry, (unsigned long)rope->file);
	return spare;
}

static void xmap_bell_unset(const struct file *file)
{
	struct xmap_bell *last;

	mutex_lock(&xmap_bells_lock);
	last = xmap_rope_cut(file);
	mutex_unlock(&xmap_bells_lock);
	xmap_bell_free(last);
}

static int xmap_bell_set(struct xmap_node *root, const struct file *file, int fd)
{
	struct xmap_bell *bell, *last, *spare;
	struct xmap_rope *rope;

	rope = kzalloc(sizeof(*rope), GFP_KERNEL_ACCOUNT);
	if (!rope)
		return -ENOMEM;
	bell = xmap_bell_create(root, fd);
	if (IS_ERR(bell)) {
		kfree(rope);
		return PTR_ERR(bell);
	}
	rope->file = file;
	mutex_lock(&xmap_bells_lock);
	last = xmap_rope_cut(file);
	spare = xmap_rope_tie(rope, bell);
	mutex_unlock(&xmap_bells_lock);
	xmap_bell_free(last);
	xmap_bell_free(spare);
	return 0;
}

/**
 * xmap_bell_end - A descriptor is closed
 * @file: Its file; nobody else uses it any more.  Its object is still there
 */
void xmap_bell_end(const struct file *file)
{
	unsigned int bucket = hash_min((unsigned long)file, HASH_BITS(xmap_ropes));

	/* Only who has the file open adds one for it. */
	if (!hlist_empty(&xmap_ropes[bucket]))
		xmap_bell_unset(file);
}

/* On an export, a target or a region: the private data of each begins with the object. */
int xmap_ioctl_eventfd(struct xmap_ucmd *ucmd)
{
	struct xmap_object *obj = ucmd->file->private_data;
	struct xmap_cmd_eventfd *cmd = ucmd->cmd;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->fd != -1)
		return xmap_bell_set(obj->node->root, ucmd->file, cmd->fd);
	xmap_bell_unset(ucmd->file);
	return 0;
}
