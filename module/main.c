// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/xmap: the device, the table of its commands, and the module's life.
 */
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/uaccess.h>

#define CREATE_TRACE_POINTS
#include "trace.h"
#include "xmap.h"

#define XMAP_FEATURES                                                          \
	(XMAP_FEATURE_WINDOW | XMAP_FEATURE_MEMFD | XMAP_FEATURE_NOWAIT |      \
	 XMAP_FEATURE_EXPORT | XMAP_FEATURE_REGION)
#define XMAP_CMD_BIT(cmd) BIT_ULL(XMAP_CMD_##cmd - XMAP_CMD_BASE)
#define XMAP_COMMANDS                                                          \
	(XMAP_CMD_BIT(QUERY) | XMAP_CMD_BIT(LIST) | XMAP_CMD_BIT(TRANSFER) |   \
	 XMAP_CMD_BIT(TARGET_OPEN) | XMAP_CMD_BIT(TARGET_INFO) |               \
	 XMAP_CMD_BIT(TARGET_DERIVE) | XMAP_CMD_BIT(TARGET_MAPS) |             \
	 XMAP_CMD_BIT(TARGET_PREFAULT) | XMAP_CMD_BIT(REVOKE) |                \
	 XMAP_CMD_BIT(EXPORT_CREATE) | XMAP_CMD_BIT(EXPORT_OPEN) |             \
	 XMAP_CMD_BIT(EXPORT_ACCEPT) | XMAP_CMD_BIT(EXPORT_INFO) |             \
	 XMAP_CMD_BIT(DENY) | XMAP_CMD_BIT(REGION_CREATE) |                    \
	 XMAP_CMD_BIT(REGION_OPEN) | XMAP_CMD_BIT(REGION_DERIVE) |             \
	 XMAP_CMD_BIT(REGION_INFO) | XMAP_CMD_BIT(REGION_SEAL) |               \
	 XMAP_CMD_BIT(REGION_RESIZE) | XMAP_CMD_BIT(REGION_GIVE) |             \
	 XMAP_CMD_BIT(REGION_TAKE) | XMAP_CMD_BIT(REGION_REBIND) |             \
	 XMAP_CMD_BIT(REGION_UNLINK) | XMAP_CMD_BIT(REGION_NOTIFY) |           \
	 XMAP_CMD_BIT(EVENTFD))

union xmap_ucmd_buffer {
	struct xmap_cmd_query query;
	struct xmap_cmd_list list;
	struct xmap_cmd_transfer transfer;
	struct xmap_cmd_target_open open;
	struct xmap_cmd_target_info info;
	struct xmap_cmd_target_derive derive;
	struct xmap_cmd_target_maps maps;
	struct xmap_cmd_target_prefault prefault;
	struct xmap_cmd_revoke revoke;
	struct xmap_cmd_export_create export_create;
	struct xmap_cmd_export_open export_open;
	struct xmap_cmd_export_accept export_accept;
	struct xmap_cmd_export_info export_info;
	struct xmap_cmd_deny deny;
	struct xmap_cmd_region_create region_create;
	struct xmap_cmd_region_open region_open;
	struct xmap_cmd_region_derive region_derive;
	struct xmap_cmd_region_info region_info;
	struct xmap_cmd_region_seal region_seal;
	struct xmap_cmd_region_resize region_resize;
	struct xmap_cmd_region_give region_give;
	struct xmap_cmd_region_take region_take;
	struct xmap_cmd_region_rebind region_rebind;
	struct xmap_cmd_region_unlink region_unlink;
	struct xmap_cmd_region_notify region_notify;
	struct xmap_cmd_eventfd eventfd;
};

/**
 * xmap_ioctl_dispatch - Look up a command, fetch its structure, run it
 * @file: What it was called on
 * @cmd: Number from user space
 * @arg: User pointer to the structure
 * @ops: Commands that this kind of file has
 * @nr_ops: Their number
 *
 * The one place where a command's structure is copied in.  A handler sees the
 * fields that it knows, zero where the caller's structure is shorter, and the
 * caller cannot change them any more.
 *
 * Return: what the handler returns, or -ENOTTY, -EFAULT, -EINVAL, -E2BIG.
 */
long xmap_ioctl_dispatch(struct file *file, unsigned int cmd, unsigned long arg,
			 const struct xmap_ioctl_op *ops, size_t nr_ops)
{
	const struct xmap_ioctl_op *op = NULL;
	union xmap_ucmd_buffer buffer;
	struct xmap_ucmd ucmd = {
		.file = file,
		.ubuf = (void __user *)arg,
		.cmd = &buffer,
	};
	size_t i;
	int rc;

	for (i = 0; i < nr_ops; i++) {
		if (ops[i].number == cmd) {
			op = &ops[i];
			break;
		}
	}
	if (!op)
		return -ENOTTY;

	if (get_user(ucmd.user_size, (u32 __user *)ucmd.ubuf))
		return -EFAULT;
	if (ucmd.user_size < op->min_size)
		return -EINVAL;
	if (ucmd.user_size > PAGE_SIZE)
		return -E2BIG;
	rc = copy_struct_from_user(ucmd.cmd, op->size, ucmd.ubuf, ucmd.user_size);
	if (rc)
		return rc;
	return op->execute(&ucmd);
}

/* Copy the structure back, as far as the caller knows it; size stays as it was. */
int xmap_ucmd_respond(struct xmap_ucmd *ucmd, size_t size)
{
	*(u32 *)ucmd->cmd = ucmd->user_size;
	if (copy_to_user(ucmd->ubuf, ucmd->cmd, min_t(size_t, ucmd->user_size, size)))
		return -EFAULT;
	return 0;
}

static int xmap_ioctl_query(struct xmap_ucmd *ucmd)
{
	struct xmap_cmd_query *cmd = ucmd->cmd;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;

	cmd->out_abi = XMAP_ABI_VERSION;
	cmd->out_max_targets = READ_ONCE(xmap_max_targets);
	cmd->out_max_windows = READ_ONCE(xmap_max_windows);
	cmd->out_max_exports = READ_ONCE(xmap_max_exports);
	cmd->out_max_regions = READ_ONCE(xmap_max_regions);
	cmd->out_max_region_bytes = READ_ONCE(xmap_max_region_bytes);
	xmap_account_usage(cmd);
	cmd->out_features = XMAP_FEATURES;
	cmd->out_commands = XMAP_COMMANDS;
	cmd->out_errata = 0;
	return xmap_ucmd_respond(ucmd, sizeof(*cmd));
}

#define XMAP_IOCTL_OP(_number, _fn, _struct, _last)                            \
	{                                                                      \
		.size = sizeof(_struct),                                       \
		.min_size = offsetofend(_struct, _last),                       \
		.number = _number,                                             \
		.execute = _fn,                                                \
	}

static const struct xmap_ioctl_op xmap_dev_ops[] = {
	XMAP_IOCTL_OP(XMAP_QUERY, xmap_ioctl_query, struct xmap_cmd_query,
		      out_region_bytes),
	XMAP_IOCTL_OP(XMAP_LIST, xmap_ioctl_list, struct xmap_cmd_list, out_cursor),
	XMAP_IOCTL_OP(XMAP_TRANSFER, xmap_ioctl_transfer, struct xmap_cmd_transfer, out_done),
	XMAP_IOCTL_OP(XMAP_TARGET_OPEN, xmap_ioctl_target_open, struct xmap_cmd_target_open,
		      length),
	XMAP_IOCTL_OP(XMAP_EXPORT_CREATE, xmap_ioctl_export_create,
		      struct xmap_cmd_export_create, name),
	XMAP_IOCTL_OP(XMAP_EXPORT_OPEN, xmap_ioctl_export_open, struct xmap_cmd_export_open,
		      name),
	XMAP_IOCTL_OP(XMAP_REVOKE, xmap_ioctl_dev_revoke, struct xmap_cmd_revoke, length),
	XMAP_IOCTL_OP(XMAP_DENY, xmap_ioctl_deny, struct xmap_cmd_deny, __reserved),
	XMAP_IOCTL_OP(XMAP_REGION_CREATE, xmap_ioctl_region_create,
		      struct xmap_cmd_region_create, name),
	XMAP_IOCTL_OP(XMAP_REGION_OPEN, xmap_ioctl_region_open, struct xmap_cmd_region_open,
		      name),
};

const struct xmap_ioctl_op xmap_target_ops[] = {
	XMAP_IOCTL_OP(XMAP_TARGET_INFO, xmap_ioctl_target_info, struct xmap_cmd_target_info,
		      out_length),
	XMAP_IOCTL_OP(XMAP_TARGET_DERIVE, xmap_ioctl_target_derive,
		      struct xmap_cmd_target_derive, length),
	XMAP_IOCTL_OP(XMAP_TARGET_MAPS, xmap_ioctl_target_maps, struct xmap_cmd_target_maps,
		      out_next),
	XMAP_IOCTL_OP(XMAP_TARGET_PREFAULT, xmap_ioctl_target_prefault,
		      struct xmap_cmd_target_prefault, out_length),
	XMAP_IOCTL_OP(XMAP_REVOKE, xmap_ioctl_revoke, struct xmap_cmd_revoke, length),
	XMAP_IOCTL_OP(XMAP_EVENTFD, xmap_ioctl_eventfd, struct xmap_cmd_eventfd, __reserved),
};

const size_t xmap_target_nr_ops = ARRAY_SIZE(xmap_target_ops);

const struct xmap_ioctl_op xmap_export_ops[] = {
	XMAP_IOCTL_OP(XMAP_EXPORT_ACCEPT, xmap_ioctl_export_accept,
		      struct xmap_cmd_export_accept, length),
	XMAP_IOCTL_OP(XMAP_EXPORT_INFO, xmap_ioctl_export_info, struct xmap_cmd_export_info,
		      __reserved),
	XMAP_IOCTL_OP(XMAP_REVOKE, xmap_ioctl_revoke, struct xmap_cmd_revoke, length),
	XMAP_IOCTL_OP(XMAP_EVENTFD, xmap_ioctl_eventfd, struct xmap_cmd_eventfd, __reserved),
};

const size_t xmap_export_nr_ops = ARRAY_SIZE(xmap_export_ops);

const struct xmap_ioctl_op xmap_region_ops[] = {
	XMAP_IOCTL_OP(XMAP_REGION_DERIVE, xmap_ioctl_region_derive,
		      struct xmap_cmd_region_derive, length),
	XMAP_IOCTL_OP(XMAP_REGION_INFO, xmap_ioctl_region_info,
		      struct xmap_cmd_region_info, out_replaced),
	XMAP_IOCTL_OP(XMAP_REGION_SEAL, xmap_ioctl_region_seal,
		      struct xmap_cmd_region_seal, out_seals),
	XMAP_IOCTL_OP(XMAP_REGION_RESIZE, xmap_ioctl_region_resize,
		      struct xmap_cmd_region_resize, length),
	XMAP_IOCTL_OP(XMAP_REGION_GIVE, xmap_ioctl_region_give,
		      struct xmap_cmd_region_give, flags),
	XMAP_IOCTL_OP(XMAP_REGION_TAKE, xmap_ioctl_region_take,
		      struct xmap_cmd_region_take, flags),
	XMAP_IOCTL_OP(XMAP_REGION_REBIND, xmap_ioctl_region_rebind,
		      struct xmap_cmd_region_rebind, out_generation),
	XMAP_IOCTL_OP(XMAP_REGION_UNLINK, xmap_ioctl_region_unlink,
		      struct xmap_cmd_region_unlink, flags),
	XMAP_IOCTL_OP(XMAP_REGION_NOTIFY, xmap_ioctl_region_notify,
		      struct xmap_cmd_region_notify, flags),
	XMAP_IOCTL_OP(XMAP_REVOKE, xmap_ioctl_revoke, struct xmap_cmd_revoke, length),
	XMAP_IOCTL_OP(XMAP_EVENTFD, xmap_ioctl_eventfd, struct xmap_cmd_eventfd, __reserved),
};

const size_t xmap_region_nr_ops = ARRAY_SIZE(xmap_region_ops);

/* The layout of a command is for ever: a literal size, and no holes in it. */
static void xmap_build_check_abi(void)
{
	BUILD_BUG_ON(sizeof(struct xmap_cmd_query) != 88);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_list) != 40);
	BUILD_BUG_ON(sizeof(struct xmap_list_entry) != 80);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_transfer) != 24);
	BUILD_BUG_ON(sizeof(struct xmap_transfer) != 40);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_target_open) != 40);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_target_info) != 40);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_target_derive) != 32);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_target_maps) != 48);
	BUILD_BUG_ON(sizeof(struct xmap_vma) != 56);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_target_prefault) != 32);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_revoke) != 32);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_export_create) != 136);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_export_open) != 88);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_export_accept) != 32);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_export_info) != 72);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_deny) != 16);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_region_create) != 120);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_region_open) != 80);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_region_derive) != 32);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_region_info) != 88);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_region_seal) != 16);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_region_resize) != 16);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_region_give) != 8);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_region_take) != 8);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_region_rebind) != 16);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_region_unlink) != 8);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_region_notify) != 8);
	BUILD_BUG_ON(sizeof(struct xmap_cmd_eventfd) != 16);
}

static long xmap_dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return xmap_ioctl_dispatch(file, cmd, arg, xmap_dev_ops, ARRAY_SIZE(xmap_dev_ops));
}

static int xmap_dev_open(struct inode *inode, struct file *file)
{
	/* The device has no state: every object is a file of its own. */
	return nonseekable_open(inode, file);
}

static const struct file_operations xmap_dev_fops = {
	.owner = THIS_MODULE,
	.open = xmap_dev_open,
	.unlocked_ioctl = xmap_dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice xmap_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "xmap",
	.fops = &xmap_dev_fops,
	/* Whoever opens it can do nothing that the kernel's checks do not allow. */
	.mode = 0666,
};

static int __init xmap_init(void)
{
	int rc;

	xmap_build_check_abi();

	rc = xmap_access_init();
	if (rc)
		return rc;
	rc = xmap_memory_init();
	if (rc)
		goto err_access;
	rc = misc_register(&xmap_misc);
	if (rc)
		goto err_memory;
	return 0;

err_memory:
	xmap_memory_exit();
err_access:
	xmap_access_exit();
	return rc;
}

/* All objects are files of this module: none exists any more, but persistent regions. */
static void __exit xmap_exit(void)
{
	misc_deregister(&xmap_misc);
	/*
	 * But a thread may be in the last lines of a fault on a window that another
	 * thread has unmapped.  It does not sleep there: wait until it has left.
	 */
	synchronize_rcu_tasks();
	xmap_deny_exit();
	xmap_region_exit();
	xmap_memory_exit();
	xmap_access_exit();
}

module_init(xmap_init);
module_exit(xmap_exit);

MODULE_DESCRIPTION("Map, read and change the memory of another process");
MODULE_AUTHOR("xmap contributors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
