// SPDX-License-Identifier: GPL-2.0-only
/*
 * Published regions: what has a name, and whom it keeps.
 *
 * A region of which the name is linked can be opened by it, as its mode allows (name.c).
 * The name of an ordinary region keeps nothing, and goes with it.  That of a persistent
 * one has a reference to the root of its tree, until it is unlinked; and an entry of its
 * own in the registry, as there may be no handle that would be seen there, nor anybody
 * who could open one: of a user namespace that has ended, say.
 */
#include "region.h"

/* Published regions.  Of a persistent one that is here the name is in the registry. */
static DEFINE_MUTEX(xmap_regions_lock);
static HLIST_HEAD(xmap_regions);

/* Count a name that keeps its region, and have it listed. */
static int xmap_region_keep(struct xmap_region *region)
{
	struct xmap_object *obj = &region->kept;
	int rc;

	lockdep_assert_held(&xmap_regions_lock);
	rc = xmap_account_charge(obj, XMAP_LIST_NAME);
	if (rc)
		return rc;
	obj->node = xmap_node_get(region->root);
	obj->parent = region->serial;
	/* Who finds and revokes it at once waits for the lock, to unlink it. */
	xmap_account_publish(obj);
	return 0;
}

/* The caller holds the lock, and puts the root if it says so after dropping it. */
static bool xmap_region_unlink_locked(struct xmap_region *region)
{
	lockdep_assert_held(&xmap_regions_lock);
	hlist_del_init(&region->name.entry);
	if (!(region->flags & XMAP_REGION_PERSISTENT))
		return false;
	xmap_account_uncharge(&region->kept);
	return true;
}

/* Take its name away.  Returns 0, or -ENOENT if it has none. */
int xmap_region_unlink(struct xmap_region *region)
{
	struct xmap_node *root = region->root;
	bool put;

	mutex_lock(&xmap_regions_lock);
	if (hlist_unhashed(&region->name.entry)) {
		mutex_unlock(&xmap_regions_lock);
		return -ENOENT;
	}
	put = xmap_region_unlink_locked(region);
	mutex_unlock(&xmap_regions_lock);
	if (put)
		xmap_node_put(root);
	return 0;
}

static struct xmap_region *xmap_region_by_name(const struct user_namespace *ns, const char *name)
{
	struct xmap_region *region;

	lockdep_assert_held(&xmap_regions_lock);
	hlist_for_each_entry(region, &xmap_regions, name.entry) {
		if (region->name.user_ns == ns && !strcmp(region->name.text, name))
			return region;
	}
	return NULL;
}

/* Can it be opened by its name? */
bool xmap_region_linked(struct xmap_region *region)
{
	bool linked;

	mutex_lock(&xmap_regions_lock);
	linked = !hlist_unhashed(&region->name.entry);
	mutex_unlock(&xmap_regions_lock);
	return linked;
}

/* The name of a region that ends.  A persistent one has none any more. */
void xmap_region_forget(struct xmap_region *region)
{
	mutex_lock(&xmap_regions_lock);
	hlist_del_init(&region->name.entry);
	mutex_unlock(&xmap_regions_lock);
}

/**
 * xmap_region_publish - Have others find a region by its name
 * @region: The region, complete; it ends not before this returns
 *
 * Return: 0, -EEXIST (the name is taken), -EDQUOT, -ENOMEM or -ESTALE (revoked already).
 */
int xmap_region_publish(struct xmap_region *region)
{
	const struct xmap_range all = { .end = xmap_user_end() };
	struct xmap_node *unlinked = NULL;
	struct xmap_region *other;
	int rc = 0;

	mutex_lock(&xmap_regions_lock);
	/* Revoked by its number already: who did that has been here for the name. */
	if (xmap_region_retired(region)) {
		mutex_unlock(&xmap_regions_lock);
		return -ESTALE;
	}
	other = xmap_region_by_name(region->name.user_ns, region->name.text);
	if (other && !xmap_node_revoked(other->root, &all)) {
		mutex_unlock(&xmap_regions_lock);
		return -EEXIST;
	}
	/* What nobody can use any more is in nobody's way. */
	if (other && xmap_region_unlink_locked(other))
		unlinked = other->root;
	if (region->flags & XMAP_REGION_PERSISTENT)
		rc = xmap_region_keep(region);
	if (!rc)
		hlist_add_head(&region->name.entry, &xmap_regions);
	mutex_unlock(&xmap_regions_lock);
	xmap_node_put(unlinked);
	return rc;
}

/*
 * The region of that name in the caller's user namespace, with a reference to its root;
 * or NULL.
 */
struct xmap_region *xmap_region_find(const char *name)
{
	struct xmap_region *region;

	mutex_lock(&xmap_regions_lock);
	region = xmap_region_by_name(current_user_ns(), name);
	if (region && !refcount_inc_not_zero(&region->root->refs))
		region = NULL;
	mutex_unlock(&xmap_regions_lock);
	return region;
}

void xmap_region_name_describe(struct xmap_object *obj, struct xmap_list_entry *entry)
{
	const struct xmap_region *region = container_of(obj, struct xmap_region, kept);
	const struct xmap_range all = { .end = READ_ONCE(region->length) };

	entry->state = xmap_node_revoked(obj->node, &all) ? XMAP_TARGET_REVOKED :
							    XMAP_TARGET_ALIVE;
	entry->length = all.end;
}

/* The module ends: what has no handle any more, or the module would be in use. */
void xmap_region_exit(void)
{
	struct xmap_region *region;
	struct hlist_node *next;

	hlist_for_each_entry_safe(region, next, &xmap_regions, name.entry)
		xmap_region_unlink(region);
}
