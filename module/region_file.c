// SPDX-License-Identifier: GPL-2.0-only
/* The file that a handle of a region is, and what is told of it. */
#include <linux/poll.h>
#include <linux/seq_file.h>

#include "region.h"

bool xmap_handle_revoked(const struct xmap_handle *handle)
{
	struct xmap_range clip = xmap_handle_clip(handle);

	/* Nothing is left: all was revoked from all. */
	if (xmap_region_retired(handle->region))
		return true;
	/* What has been cut off has not been revoked. */
	return xmap_node_revoked(handle->obj.node,
				 xmap_range_empty(&clip) ? &handle->range : &clip);
}

/* Something has happened; all but @by are told. */
void xmap_region_event(struct xmap_region *region, struct xmap_handle *by)
{
	spin_lock(&region->lock);
	if (by && by->seen == region->events)
		WRITE_ONCE(by->seen, by->seen + 1);
	WRITE_ONCE(region->events, region->events + 1);
	spin_unlock(&region->lock);
	wake_up_all(&region->root->wq);
}

static int xmap_region_release(struct inode *inode, struct file *file)
{
	struct xmap_handle *handle = file->private_data;

	xmap_bell_end(file);
	xmap_handle_put(handle);
	return 0;
}

static u32 xmap_region_owner(const struct xmap_region *region)
{
	const struct mm_struct *owner = READ_ONCE(region->owner);

	if (!xmap_region_single(region))
		return XMAP_REGION_OWNER_ALL;
	if (!owner)
		return XMAP_REGION_OWNER_NONE;
	return owner == current->mm ? XMAP_REGION_OWNER_SELF : XMAP_REGION_OWNER_OTHER;
}

static u32 xmap_handle_state(const struct xmap_handle *handle)
{
	return xmap_handle_revoked(handle) ? XMAP_TARGET_REVOKED : XMAP_TARGET_ALIVE;
}

int xmap_ioctl_region_info(struct xmap_ucmd *ucmd)
{
	struct xmap_handle *handle = ucmd->file->private_data;
	struct xmap_cmd_region_info *cmd = ucmd->cmd;
	struct xmap_region *region = handle->region;
	struct xmap_range clip;

	if (cmd->flags)
		return -EOPNOTSUPP;

	/* First, so that what happens now is told of again. */
	spin_lock(&region->lock);
	cmd->out_events = region->events;
	cmd->out_seals = region->seals;
	WRITE_ONCE(handle->seen, region->events);
	spin_unlock(&region->lock);
	clip = xmap_handle_clip(handle);
	cmd->out_rights = handle->rights;
	cmd->out_state = xmap_handle_state(handle);
	cmd->out_flags = region->flags;
	cmd->out_owner = xmap_region_owner(region);
	cmd->out_mappings = atomic_read(&handle->mappings);
	cmd->out_offset = handle->range.start;
	cmd->out_length = xmap_range_length(&clip);
	cmd->out_region_length = READ_ONCE(region->length);
	cmd->out_addr = region->address.start;
	/* Who sees the new number sees the new pages. */
	cmd->out_generation = smp_load_acquire(&region->generation);
	cmd->out_replaced = atomic64_read(&region->replaced);
	return xmap_ucmd_respond(ucmd, sizeof(*cmd));
}

static long xmap_region_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return xmap_ioctl_dispatch(file, cmd, arg, xmap_region_ops, xmap_region_nr_ops);
}

static loff_t xmap_region_llseek(struct file *file, loff_t offset, int whence)
{
	struct xmap_handle *handle = file->private_data;

	return fixed_size_llseek(file, offset, whence, xmap_handle_clip(handle).end);
}

static __poll_t xmap_region_poll(struct file *file, struct poll_table_struct *wait)
{
	struct xmap_handle *handle = file->private_data;
	struct xmap_region *region = handle->region;
	__poll_t mask = 0;

	poll_wait(file, &region->root->wq, wait);
	if (READ_ONCE(region->events) != READ_ONCE(handle->seen))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (xmap_handle_revoked(handle))
		mask |= EPOLLHUP;
	return mask;
}

static void xmap_region_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct xmap_handle *handle = file->private_data;
	struct xmap_region *region = handle->region;
	struct xmap_range clip = xmap_handle_clip(handle);

	seq_printf(m, "xmap-region:\t%llu\n", region->serial);
	seq_printf(m, "xmap-range:\t%llx-%llx\n", clip.start, clip.end);
	seq_printf(m, "xmap-rights:\t%c%c%c\n", handle->rights & XMAP_RIGHT_READ ? 'r' : '-',
		   handle->rights & XMAP_RIGHT_WRITE ? 'w' : '-',
		   handle->rights & XMAP_RIGHT_MANAGE ? 'm' : '-');
	seq_printf(m, "xmap-length:\t%llu\n", READ_ONCE(region->length));
	seq_printf(m, "xmap-mappings:\t%d\n", atomic_read(&handle->mappings));
	seq_printf(m, "xmap-seals:\t%x\n", READ_ONCE(region->seals));
	seq_printf(m, "xmap-generation:\t%llu\n", READ_ONCE(region->generation));
	if (region->address.end)
		seq_printf(m, "xmap-address:\t%llx\n", region->address.start);
	if (xmap_region_linked(region))
		seq_printf(m, "xmap-name:\t%s\n", region->name.text);
	seq_printf(m, "xmap-state:\t%s\n", xmap_state_name(xmap_handle_state(handle)));
}

/* The offsets that a handle is for. */
const struct xmap_range *xmap_region_range(const struct xmap_object *obj)
{
	BUILD_BUG_ON(offsetof(struct xmap_handle, obj));
	return &container_of(obj, struct xmap_handle, obj)->range;
}

void xmap_region_describe(struct xmap_object *obj, struct xmap_list_entry *entry)
{
	struct xmap_handle *handle = container_of(obj, struct xmap_handle, obj);
	struct xmap_range clip = xmap_handle_clip(handle);

	entry->rights = handle->rights;
	entry->state = xmap_handle_state(handle);
	entry->addr = handle->range.start;
	entry->length = xmap_range_length(&clip);
	entry->count = atomic_read(&handle->mappings);
}

#define XMAP_REGION_FOPS							\
	.owner = THIS_MODULE,							\
	.release = xmap_region_release,						\
	.llseek = xmap_region_llseek,						\
	.read_iter = xmap_region_read_iter,					\
	.write_iter = xmap_region_write_iter,					\
	.poll = xmap_region_poll,						\
	.mmap = xmap_region_mmap,						\
	.unlocked_ioctl = xmap_region_ioctl,					\
	.compat_ioctl = compat_ptr_ioctl,					\
	.show_fdinfo = xmap_region_show_fdinfo

const struct file_operations xmap_region_fops = {
	XMAP_REGION_FOPS,
};

const struct file_operations xmap_region_fixed_fops = {
	XMAP_REGION_FOPS,
	.get_unmapped_area = xmap_place_get,
};

/* Where huge pages can be mapped as such, unless somebody wants it elsewhere. */
const struct file_operations xmap_region_huge_fops = {
	XMAP_REGION_FOPS,
	.get_unmapped_area = thp_get_unmapped_area,
};
