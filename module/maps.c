// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target's list of mappings.
 *
 * Records are built in kernel memory under the target's mmap_lock, and copied
 * out after it is dropped: a fault on the caller's side must not happen under
 * a foreign mmap_lock.  What does not fit is left to the next call.
 */
#include <linux/dcache.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "xmap.h"

/* Any single record fits. */
#define XMAP_MAPS_MIN 8192
/* Room that is filled under one hold of the lock. */
#define XMAP_MAPS_CHUNK SZ_64K
/* Mappings that are looked at under one hold of the lock, if they are not shown. */
#define XMAP_MAPS_LOOK 64

/**
 * struct xmap_maps_fill - Where records go
 * @buf: Room for records
 * @room: Its size
 * @used: Bytes filled
 * @count: Records
 * @path: Scratch of PATH_MAX bytes
 */
struct xmap_maps_fill {
	char *buf;
	size_t room;
	size_t used;
	u32 count;
	char *path;
};

static const char *xmap_vma_file_name(struct vm_area_struct *vma, char *scratch, u32 *flags)
{
	const char *name = d_path(xmap_file_path(vma->vm_file), scratch, PATH_MAX);

	if (!IS_ERR(name))
		return name;
	*flags |= XMAP_VMA_TRUNCATED;
	return "";
}

/* The names that /proc/PID/maps uses, in the same order of preference. */
static const char *xmap_vma_name(struct vm_area_struct *vma, char *scratch, u32 *flags)
{
	const char *name = NULL;

	if (vma->vm_file)
		return xmap_vma_file_name(vma, scratch, flags);
	if (vma->vm_ops && vma->vm_ops->name)
		name = vma->vm_ops->name(vma);
	if (name)
		return name;
	if (xmap_vma_is_heap(vma))
		return "[heap]";
	if (xmap_vma_is_stack(vma))
		return "[stack]";
#ifdef CONFIG_ANON_VMA_NAME
	if (vma->anon_name) {
		snprintf(scratch, PATH_MAX, "[anon:%s]", vma->anon_name->name);
		return scratch;
	}
#endif
	return "";
}

static u32 xmap_vma_flags(const struct vm_area_struct *vma)
{
	u32 flags = 0;

	if (vma->vm_flags & VM_READ)
		flags |= XMAP_VMA_READ;
	if (vma->vm_flags & VM_WRITE)
		flags |= XMAP_VMA_WRITE;
	if (vma->vm_flags & VM_EXEC)
		flags |= XMAP_VMA_EXEC;
	if (vma->vm_flags & VM_MAYSHARE)
		flags |= XMAP_VMA_SHARED;
	if (!vma->vm_file)
		flags |= XMAP_VMA_ANON;
	if (vma->vm_flags & VM_HUGETLB)
		flags |= XMAP_VMA_HUGETLB;
	if (vma->vm_ops == &xmap_window_vm_ops)
		flags |= XMAP_VMA_WINDOW;
	else if (vma->vm_flags & (VM_IO | VM_PFNMAP))
		flags |= XMAP_VMA_IO;
	return flags;
}

/* Append one record.  Returns false if there is no room. */
static bool xmap_maps_add(struct xmap_maps_fill *fill, struct vm_area_struct *vma,
			  const struct xmap_range *range)
{
	const struct xmap_range whole = { .start = vma->vm_start, .end = vma->vm_end };
	struct xmap_range seen = xmap_range_clip(&whole, range);
	struct xmap_vma *record = (void *)(fill->buf + fill->used);
	u32 flags = xmap_vma_flags(vma);
	const char *name;
	size_t len, size;

	name = xmap_vma_name(vma, fill->path, &flags);
	len = strlen(name);
	size = ALIGN(sizeof(*record) + len + 1, 8);
	if (size > fill->room - fill->used)
		return false;

	memset(record, 0, size);
	record->size = size;
	record->flags = flags;
	record->start = seen.start;
	record->end = seen.end;
	if (vma->vm_file) {
		const struct inode *inode = xmap_file_inode(vma->vm_file);

		record->offset = ((u64)vma->vm_pgoff << PAGE_SHIFT) + seen.start - whole.start;
		record->inode = inode->i_ino;
		record->dev_major = MAJOR(inode->i_sb->s_dev);
		record->dev_minor = MINOR(inode->i_sb->s_dev);
	}
	record->page_size = vma_kernel_pagesize(vma);
	record->name_len = len;
	memcpy(record->name, name, len);
	fill->used += size;
	fill->count++;
	return true;
}

/* Has all of a mapping that is in @range been revoked? */
static bool xmap_maps_revoked(const struct xmap_node *node, const struct vm_area_struct *vma,
			      const struct xmap_range *range)
{
	const struct xmap_range whole = { .start = vma->vm_start, .end = vma->vm_end };
	struct xmap_range seen = xmap_range_clip(&whole, range);

	return xmap_node_revoked(node, &seen);
}

/*
 * Fill in the mappings of @range that end after @addr, but those that have been
 * revoked.  Returns where to go on, 0 at the end, or -errno.
 */
static s64 xmap_maps_fill(const struct xmap_node *node, const struct xmap_range *range, u64 addr,
			  struct xmap_maps_fill *fill)
{
	struct mm_struct *mm = node->mm;
	struct vm_area_struct *vma;
	unsigned int looked = 0;
	s64 next = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for (addr = max(addr, range->start); addr < range->end; addr = vma->vm_end) {
		vma = find_vma(mm, addr);
		if (!vma || vma->vm_start >= range->end)
			break;
		if (xmap_maps_revoked(node, vma, range)) {
			if (++looked < XMAP_MAPS_LOOK)
				continue;
			/* The owner is not to wait for long. */
			next = vma->vm_end;
			break;
		}
		if (!xmap_maps_add(fill, vma, range)) {
			next = max_t(u64, addr, vma->vm_start);
			break;
		}
	}
	mmap_read_unlock(mm);
	return next;
}

int xmap_ioctl_target_maps(struct xmap_ucmd *ucmd)
{
	struct xmap_target *target = ucmd->file->private_data;
	struct xmap_cmd_target_maps *cmd = ucmd->cmd;
	struct xmap_maps_fill fill = {};
	s64 next;
	int rc;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->buf_size < XMAP_MAPS_MIN)
		return -EINVAL;
	if (!(target->rights & XMAP_RIGHT_READ))
		return -EACCES;

	fill.room = min_t(size_t, cmd->buf_size, XMAP_MAPS_CHUNK);
	rc = -ENOMEM;
	fill.path = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!fill.path)
		return rc;
	/* The caller learns that there was none; the log need not. */
	fill.buf = kvmalloc(fill.room, GFP_KERNEL | __GFP_NOWARN);
	if (!fill.buf)
		goto out_path;

	rc = -ESTALE;
	if (xmap_node_revoked(target->obj.node, &target->range))
		goto out_buf;
	rc = -ESRCH;
	if (!xmap_mm_get(target->mm))
		goto out_buf;
	next = cmd->addr;
	do {
		next = xmap_maps_fill(target->obj.node, &target->range, next, &fill);
		if (next > 0 && fatal_signal_pending(current))
			next = -EINTR;
		cond_resched();
	} while (next > 0 && !fill.count);
	mmput(target->mm);
	rc = next < 0 ? next : 0;
	/* If all has been revoked meanwhile, there is nothing to tell. */
	if (!rc && xmap_node_revoked(target->obj.node, &target->range))
		rc = -ESTALE;
	if (rc)
		goto out_buf;

	rc = -EFAULT;
	if (copy_to_user(u64_to_user_ptr(cmd->buf), fill.buf, fill.used))
		goto out_buf;
	cmd->out_count = fill.count;
	cmd->out_used = fill.used;
	cmd->out_next = next;
	rc = xmap_ucmd_respond(ucmd, sizeof(*cmd));

out_buf:
	kvfree(fill.buf);
out_path:
	kfree(fill.path);
	return rc;
}
