// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions: memory that belongs to no process, and handles on it.
 *
 * A handle is a file: a range of the region and rights on it.  Handles form the same
 * kind of tree as targets do (node.c): one that is derived, or opened by name, has
 * its node below the one that it comes from, and what is revoked there is revoked
 * here.  The region itself is what the top of the tree is about, and ends with it.
 *
 * A mapping has a file of its own (region_map.c), which holds the handle.  So a
 * handle lives on, in the registry too, while something is mapped by it.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/memcontrol.h>
#include <linux/slab.h>

#include "region.h"
#include "trace.h"

/* ---- Life ---- */

/* The last thing that the root of its tree does.  It may be half built. */
void xmap_region_free(struct xmap_region *region)
{
	xmap_region_forget(region);
	xmap_place_free(region);
	if (region->memory)
		fput(region->memory);
	if (region->user)
		xmap_account_unregion(region->user, 1,
				      xmap_region_charged(region, region->length));
	if (region->owner)
		mmdrop(region->owner);
	mem_cgroup_put(region->payer);
	xmap_name_free(&region->name);
	kfree(region);
}

/* A region without anything, and the top of its tree.  End it with xmap_node_put(). */
static struct xmap_region *xmap_region_alloc(u32 flags)
{
	struct xmap_region *region;
	struct xmap_node *root;

	region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);
	if (!region)
		return ERR_PTR(-ENOMEM);
	root = xmap_node_create(NULL, NULL);
	if (IS_ERR(root)) {
		kfree(region);
		return ERR_CAST(root);
	}
	root->region = region;
	region->root = root;
	region->flags = flags;
	mutex_init(&region->mutex);
	spin_lock_init(&region->lock);
	INIT_LIST_HEAD(&region->place);
	xmap_name_init(&region->name);
	return region;
}

void xmap_handle_get(struct xmap_handle *handle)
{
	refcount_inc(&handle->refs);
}

void xmap_handle_put(struct xmap_handle *handle)
{
	struct xmap_region *region = handle->region;

	if (!refcount_dec_and_test(&handle->refs))
		return;
	if (xmap_region_single(region)) {
		mutex_lock(&region->mutex);
		if (region->holding == handle->obj.node) {
			xmap_region_disown(region);
			xmap_region_event(region, NULL);
		}
		mutex_unlock(&region->mutex);
		xmap_memory_pay(region);
	}
	xmap_account_uncharge(&handle->obj);
	/* Perhaps the region's last. */
	xmap_node_put(handle->obj.node);
	kfree(handle);
}

/**
 * xmap_handle_create - Make a handle's file, complete but for being published
 * @node: Its node; the file gets the caller's reference, also on failure
 * @range: Offsets
 * @rights: Set of enum xmap_rights
 * @parent: Serial number of what it comes from, or 0
 * @manages: Was it made by the right to manage the region?
 *
 * Return: the file; end it with fput() or xmap_handle_install().  Or -errno.
 */
static struct file *xmap_handle_create(struct xmap_node *node, const struct xmap_range *range,
				       u32 rights, u64 parent, bool manages)
{
	struct xmap_region *region = node->root->region;
	const struct file_operations *fops = &xmap_region_fops;
	struct xmap_handle *handle;
	struct file *file;
	int flags;
	int rc;

	rc = -ENOMEM;
	handle = kzalloc(sizeof(*handle), GFP_KERNEL_ACCOUNT);
	if (!handle)
		goto err_node;
	node->span = *range;
	node->manages = manages;
	refcount_set(&handle->refs, 1);
	handle->obj.node = node;
	handle->obj.parent = parent;
	handle->region = region;
	handle->range = *range;
	handle->rights = rights;
	spin_lock(&region->lock);
	handle->seen = region->events;
	spin_unlock(&region->lock);
	rc = xmap_account_charge(&handle->obj, XMAP_LIST_REGION);
	if (rc)
		goto err_handle;

	flags = O_RDONLY;
	if (rights & XMAP_RIGHT_WRITE)
		flags = rights & XMAP_RIGHT_READ ? O_RDWR : O_WRONLY;
	if (region->flags & XMAP_REGION_FIXED_ADDRESS)
		fops = &xmap_region_fixed_fops;
	else if (xmap_region_huge(region))
		fops = &xmap_region_huge_fops;
	file = anon_inode_getfile("[xmap-region]", fops, handle, flags);
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		goto err_charge;
	}
	/*
	 * From here on the file owns the handle.  NOWAIT: io_uring would have others wait
	 * until poll() says that there is something to read, which it never says.
	 */
	file->f_mode |= FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE | FMODE_NOWAIT;
	return file;

err_charge:
	xmap_account_uncharge(&handle->obj);
err_handle:
	kfree(handle);
err_node:
	xmap_node_put(node);
	return ERR_PTR(rc);
}

/* Hand a new handle's file, in the registry, to user space.  Consumes @file. */
static int xmap_handle_install(struct xmap_ucmd *ucmd, struct file *file, s32 *out_fd,
			       size_t size)
{
	struct xmap_handle *handle = file->private_data;
	int fd;
	int rc;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		rc = fd;
		goto err_file;
	}
	*out_fd = fd;
	rc = xmap_ucmd_respond(ucmd, size);
	if (rc)
		goto err_fd;
	trace_xmap_region(handle);
	fd_install(fd, file);
	return 0;

err_fd:
	put_unused_fd(fd);
err_file:
	fput(file);
	return rc;
}

/* A set of rights from user space: of a region, and not without either of the first two. */
static int xmap_region_rights_check(u32 rights)
{
	if (rights & ~(XMAP_RIGHTS_ALL | XMAP_RIGHT_MANAGE))
		return -EOPNOTSUPP;
	if (rights & ~XMAP_RIGHTS_REGION || !(rights & (XMAP_RIGHT_READ | XMAP_RIGHT_WRITE)))
		return -EINVAL;
	return 0;
}

/* May the caller do with the handle what concerns all of the region? */
int xmap_handle_manage(const struct xmap_handle *handle, u32 rights)
{
	if (rights & ~handle->rights || !xmap_handle_whole(handle))
		return -EACCES;
	if (xmap_node_usable(handle->obj.node, 0, xmap_user_end()) < xmap_user_end())
		return -ESTALE;
	return 0;
}

/**
 * xmap_region_answers - Does the caller, who may take back, answer for the region?
 * @node: From what he takes it; of a region or not
 *
 * Who has made it, or what it comes from, by the right to manage the region does; and who
 * administers the user namespace of the region.  Not that of who made the handle:
 * anybody can have one made in a namespace of his own.
 *
 * Return: yes or no; of what is not a region's, no.
 */
bool xmap_region_answers(const struct xmap_node *node)
{
	const struct xmap_region *region = node->root->region;

	if (!region)
		return false;
	for (; node; node = node->parent) {
		if (node->manages && node->maker == task_tgid(current))
			return true;
	}
	return ns_capable(region->name.user_ns, CAP_SYS_ADMIN);
}

/**
 * xmap_region_revoke - Part of a region has been revoked from a handle
 * @node: The handle's
 * @range: Offsets; that they were taken is published
 * @held: Also from those who hold pages by reference, who may be others
 *
 * Context: no locks held; sleeps.
 */
void xmap_region_revoke(struct xmap_node *node, const struct xmap_range *range, bool held)
{
	/* What was all of the handle's has become everything. */
	const struct xmap_range own = xmap_range_clip(range, &node->span);
	struct xmap_region *region = node->root->region;
	enum xmap_settle from = XMAP_SETTLE_ASKED;
	bool event = false;

	if (xmap_region_single(region)) {
		mutex_lock(&region->mutex);
		event = xmap_region_check_owner(region);
		mutex_unlock(&region->mutex);
	}
	/* Set before a mapping asks for the first time; published before this. */
	smp_mb();
	if (READ_ONCE(node->mapped))
		from = held ? XMAP_SETTLE_HELD : XMAP_SETTLE_MAPPED;
	/* Who has registered a page somewhere, and keeps his rights, is to know. */
	if (xmap_memory_settle(region, &own, from) || event)
		xmap_region_event(region, NULL);
	if (node == region->root)
		xmap_region_retire(region);
	xmap_memory_pay(region);
}

/* ---- Commands that make handles ---- */

static int xmap_region_check(const struct xmap_cmd_region_create *cmd)
{
	const u32 all = XMAP_REGION_SINGLE_OWNER | XMAP_REGION_FIXED_ADDRESS |
			XMAP_REGION_PUBLISH | XMAP_REGION_PERSISTENT | XMAP_REGION_HUGE;
	bool publish = cmd->flags & XMAP_REGION_PUBLISH;
	int rc;

	if (cmd->flags & ~all || cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->flags & XMAP_REGION_HUGE && !xmap_memory_has_huge())
		return -EOPNOTSUPP;
	if (!cmd->length || !PAGE_ALIGNED(cmd->length) || cmd->length > xmap_user_end())
		return -EINVAL;
	if (!(cmd->flags & XMAP_REGION_FIXED_ADDRESS) && (cmd->addr || cmd->reserve))
		return -EINVAL;
	if (cmd->reserve && (!PAGE_ALIGNED(cmd->reserve) || cmd->reserve < cmd->length))
		return -EINVAL;
	if (!publish && (cmd->mode || cmd->gid || cmd->flags & XMAP_REGION_PERSISTENT))
		return -EINVAL;
	rc = xmap_name_check(cmd->name);
	if (rc)
		return rc;
	return publish == !cmd->name[0] || cmd->mode & ~0666 ? -EINVAL : 0;
}

/* What a region needs besides a handle.  On failure what there is goes with its root. */
static int xmap_region_build(struct xmap_region *region, const struct xmap_cmd_region_create *cmd,
			     const struct inode *anon)
{
	u64 bytes;
	int rc;

	if (cmd->flags & XMAP_REGION_FIXED_ADDRESS)
		region->reserve = max(cmd->reserve, cmd->length);
	bytes = xmap_region_charged(region, cmd->length);
	rc = xmap_account_region(&region->user, 1, bytes);
	if (rc)
		return rc;
	rc = xmap_memory_create(region, cmd->length, anon);
	if (rc) {
		xmap_account_unregion(region->user, 1, bytes);
		region->user = NULL;
		return rc;
	}
	/* Nobody knows it yet.  An owner is somebody from whom pages can be taken. */
	if (xmap_region_single(region)) {
		mmgrab(current->mm);
		region->owner = current->mm;
		region->payer = get_mem_cgroup_from_mm(current->mm);
		region->holding = region->root;
	}
	if (cmd->flags & XMAP_REGION_FIXED_ADDRESS) {
		rc = xmap_place_create(region, cmd->addr, region->reserve);
		if (rc)
			return rc;
	}
	if (cmd->flags & XMAP_REGION_PUBLISH)
		return xmap_name_set(&region->name, cmd->name, cmd->mode, cmd->gid);
	return 0;
}

int xmap_ioctl_region_create(struct xmap_ucmd *ucmd)
{
	const struct xmap_range all = { .end = xmap_user_end() };
	struct xmap_cmd_region_create *cmd = ucmd->cmd;
	struct xmap_region *region;
	struct xmap_handle *handle;
	struct file *file;
	int rc;

	rc = xmap_region_check(cmd);
	if (rc)
		return rc;
	region = xmap_region_alloc(cmd->flags);
	if (IS_ERR(region))
		return PTR_ERR(region);
	file = xmap_handle_create(region->root, &all, XMAP_RIGHTS_REGION, 0, true);
	if (IS_ERR(file))
		return PTR_ERR(file);
	rc = xmap_region_build(region, cmd, file_inode(file));
	if (rc)
		goto err_file;
	/* It is in the registry before anybody can open it: his handle names it. */
	handle = file->private_data;
	xmap_account_publish(&handle->obj);
	region->serial = handle->obj.serial;
	if (cmd->flags & XMAP_REGION_PUBLISH) {
		rc = xmap_region_publish(region);
		if (rc)
			goto err_file;
	}
	cmd->out_addr = region->address.start;
	/* The file is about to be out of our hands, and with it perhaps the region. */
	xmap_node_get(region->root);
	rc = xmap_handle_install(ucmd, file, &cmd->out_fd, sizeof(*cmd));
	/* Who has opened it meanwhile keeps nothing that is charged to who knows nothing of it. */
	if (rc)
		xmap_node_revoke(region->root, &all, true);
	xmap_node_put(region->root);
	return rc;

err_file:
	fput(file);
	return rc;
}

int xmap_ioctl_region_open(struct xmap_ucmd *ucmd)
{
	const struct xmap_range all = { .end = xmap_user_end() };
	struct xmap_cmd_region_open *cmd = ucmd->cmd;
	struct xmap_region *region;
	struct xmap_node *node;
	struct file *file;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	rc = xmap_region_rights_check(cmd->rights);
	if (rc)
		return rc;
	rc = xmap_name_check(cmd->name);
	if (rc)
		return rc;
	if (!cmd->name[0])
		return -EINVAL;

	region = xmap_region_find(cmd->name);
	if (!region)
		return -ENOENT;
	rc = -EACCES;
	if (!xmap_name_allows(&region->name, cmd->rights))
		goto out_root;
	rc = -ESTALE;
	if (xmap_node_revoked(region->root, &all))
		goto out_root;
	node = xmap_node_create(NULL, region->root);
	rc = PTR_ERR_OR_ZERO(node);
	if (rc)
		goto out_root;
	file = xmap_handle_create(node, &all, cmd->rights, region->serial,
				  cmd->rights & XMAP_RIGHT_MANAGE);
	rc = PTR_ERR_OR_ZERO(file);
	if (rc)
		goto out_root;
	xmap_account_publish(&((struct xmap_handle *)file->private_data)->obj);
	rc = xmap_handle_install(ucmd, file, &cmd->out_fd, sizeof(*cmd));
out_root:
	xmap_node_put(region->root);
	return rc;
}

int xmap_ioctl_region_derive(struct xmap_ucmd *ucmd)
{
	struct xmap_handle *handle = ucmd->file->private_data;
	struct xmap_cmd_region_derive *cmd = ucmd->cmd;
	struct xmap_range clip = xmap_handle_clip(handle);
	struct xmap_range range;
	struct xmap_node *node;
	struct file *file;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	rc = xmap_region_rights_check(cmd->rights);
	if (rc)
		return rc;
	rc = xmap_range_from_user(&range, cmd->offset, cmd->length, &handle->range);
	if (rc)
		return rc;
	if (xmap_region_retired(handle->region))
		return -ESTALE;
	if (cmd->rights & ~handle->rights ||
	    (cmd->length && !xmap_range_contains(&clip, &range)))
		return -EACCES;
	if (xmap_node_revoked(handle->obj.node, cmd->length || xmap_range_empty(&clip) ?
			      &range : &clip))
		return -ESTALE;

	node = xmap_node_create(NULL, handle->obj.node);
	if (IS_ERR(node))
		return PTR_ERR(node);
	file = xmap_handle_create(node, &range, cmd->rights, handle->obj.serial,
				  handle->rights & XMAP_RIGHT_MANAGE);
	if (IS_ERR(file))
		return PTR_ERR(file);
	xmap_account_publish(&((struct xmap_handle *)file->private_data)->obj);
	return xmap_handle_install(ucmd, file, &cmd->out_fd, sizeof(*cmd));
}
