/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xmap: internal structures, and the rules that hold between them.
 *
 * Lock order, outermost first ("A" is the address space that holds a window,
 * "S" the one it shows):
 *
 *	xmap_node.forcing (of the root)	forced writes
 *	xmap_region.mutex		changes of a region as a whole
 *	  locks of its inode and pages	which A's mmap_lock is outside of, too
 *	A's mmap_lock
 *	  xmap_account_lock		registry and per-user counts
 *	  xmap_node.lock (of the root)	tree
 *	  any lock of S that is held while S's notifiers are called
 *	    xmap_window.zap_lock	mutex, never two of them
 *	      xmap_window.lock		spinlock
 *	        A's page table lock
 *	      xmap_zaps_lock		spinlock, innermost
 *
 * Two rules keep two processes that map each other alive:
 *
 *  - nobody waits for a second mmap_lock while holding one (a trylock is
 *    fine);
 *  - nothing under xmap_window.lock or .zap_lock allocates, faults, or waits
 *    for an mmap_lock, a page lock or an i_mmap lock.
 */
#ifndef XMAP_H
#define XMAP_H

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pid_namespace.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/user_namespace.h>
#include <linux/wait.h>
#include <uapi/linux/xmap.h>

#include "compat/compat.h"
#include "range.h"

#define XMAP_RIGHTS_ALL (XMAP_RIGHT_READ | XMAP_RIGHT_WRITE | XMAP_RIGHT_FORCE)
#define XMAP_RIGHTS_EXPORT (XMAP_RIGHT_READ | XMAP_RIGHT_WRITE)

struct xmap_region;
struct xmap_revoked;
struct xmap_user;
struct xmap_window;

/**
 * struct xmap_node - Place of an export, target or handle in the tree of what was made from what
 * @refs: References: of the export, target or handle, of the nodes below, of who
 *	revokes; of a region's root also of its name, if it is persistent
 * @mm: The address space.  Constant; holds a reference to mm_count.  NULL in the tree
 *	of a region
 * @maker: Thread group that made it.  Constant; holds a reference
 * @parent: What it was made from.  Constant; NULL or holds a reference
 * @root: Top of the tree, perhaps the node itself.  Constant; there through @parent
 * @depth: How far from the root.  Constant
 * @sibling: Entry in the parent's @children.  Lock: the root's @lock
 * @children: Nodes made from this one.  Lock: the root's @lock
 * @nr_children: Their number.  Lock: the root's @lock, to change it
 * @windows: Windows on this target, in the order of their @revocation.  Lock: the
 *	root's @lock
 * @span: Of the handle of a region: its offsets.  Constant once published
 * @manages: Of the handle of a region: it was made by the right to manage the region.
 *	Constant once published
 * @mapped: Of the handle of a region: it, or one below, has been mapped.  Set once
 * @revoked: What was revoked here, or NULL.  RCU; written under @publish
 * @publish: Innermost
 * @lock: Of the root: guards the tree
 * @consent: Of the root: it is an export.  Constant once published
 * @region: Of the root: the region, which ends with it, or NULL.  Constant
 * @revocations: Of the root: how many there were.  Counted after publishing
 * @forcing: Of the root: held for reading during a forced write
 * @wq: Of the root: pollers of everything in the tree
 * @life: Of the root: notifier on @mm.  It also makes sure that @mm has the
 *	machinery for interval notifiers, so that a window can be attached later
 *	without a lock of @mm
 * @dead: Of the root: the address space has ended.  Set once by the notifier
 *
 * node.c opens with how it works.
 */
struct xmap_node {
	refcount_t refs;
	struct mm_struct *mm;
	struct pid *maker;
	struct xmap_node *parent;
	struct xmap_node *root;
	u32 depth;
	struct list_head sibling;
	struct list_head children;
	u32 nr_children;
	struct list_head windows;
	struct xmap_range span;
	bool manages;
	bool mapped;
	struct xmap_revoked __rcu *revoked;
	/* Innermost. */
	spinlock_t publish;
	/* Inside any mmap_lock: nobody waits for one under it. */
	struct mutex lock;
	bool consent;
	struct xmap_region *region;
	atomic64_t revocations;
	/* Outside of any mmap_lock. */
	struct rw_semaphore forcing;
	wait_queue_head_t wq;
	struct mmu_interval_notifier life;
	bool dead;
};

/**
 * struct xmap_name - By what something is published, and who may open it
 * @entry: Entry in the names of its kind, under their lock
 * @text: The name in @user_ns, or empty.  Constant
 * @user_ns: Of the creator.  Constant; holds a reference
 * @owner: Of the mode.  Constant
 * @group: Of the mode.  Constant
 * @mode: Bits of 0666.  Constant
 */
struct xmap_name {
	struct hlist_node entry;
	char text[XMAP_NAME_SIZE];
	struct user_namespace *user_ns;
	kuid_t owner;
	kgid_t group;
	u32 mode;
};

/**
 * struct xmap_object - What all that XMAP_LIST shows has in common
 * @entry: Entry in the registry.  Lock: xmap_account_lock
 * @serial: Place in the registry, ever increasing.  Constant
 * @kind: enum xmap_list_kind.  Constant
 * @user: Whose limit it counts against.  Constant; holds a reference
 * @cred: Of who made it.  Constant; holds a reference
 * @holder: Thread group that made it.  Constant; holds a reference
 * @since: CLOCK_BOOTTIME in ns.  Constant
 * @parent: @serial of what it was made from, or 0.  Constant
 * @node: Its place in the tree; of a window, its target's; of the name of a region, the
 *	root.  Constant; a window holds its target, all others a reference
 *
 * Lives in its export, target, window, handle or region: xmap_account_charge() to
 * xmap_account_uncharge().
 */
struct xmap_object {
	struct list_head entry;
	u64 serial;
	u32 kind;
	struct xmap_user *user;
	const struct cred *cred;
	struct pid *holder;
	u64 since;
	u64 parent;
	struct xmap_node *node;
};

/**
 * struct xmap_grant - What the gate decided: access to one address space
 * @mm: The address space.  Holds a reference to mm_count and one to mm_users
 * @pid: The thread group, or NULL if not known.  Holds a reference
 * @mem: /proc/PID/mem, bound to @mm.  Holds a reference
 * @rights: Rights that may be given at most
 * @exempt: XMAP_DENY does not concern whom it is given to
 */
struct xmap_grant {
	struct mm_struct *mm;
	struct pid *pid;
	struct file *mem;
	u32 rights;
	bool exempt;
};

/**
 * struct xmap_target - Access to a range of one address space
 * @obj: Accounting, registry and tree
 * @mm: The address space.  Constant; @obj's node has a reference to mm_count,
 *	which keeps the structure, not the pages: every use takes xmap_mm_get()
 * @pid: Thread group it was opened on, for reports only.  Constant; NULL or
 *	holds a reference
 * @mem: /proc/PID/mem, the way by which a forced write passes the system's
 *	policy.  Constant; NULL without XMAP_RIGHT_FORCE, else holds a reference
 * @range: Addresses.  Constant
 * @rights: Set of enum xmap_rights.  Constant
 * @exempt: Opened with CAP_SYS_PTRACE in the initial user namespace, or by a
 *	process on its own memory: not touched by XMAP_DENY.  Constant
 * @windows: Number of windows
 *
 * Lives as long as its file.  A window holds the file.
 */
struct xmap_target {
	struct xmap_object obj;
	struct mm_struct *mm;
	struct pid *pid;
	struct file *mem;
	struct xmap_range range;
	u32 rights;
	bool exempt;
	atomic_t windows;
};

/* main.c */
struct xmap_ucmd {
	struct file *file;
	void __user *ubuf;
	u32 user_size;
	void *cmd;
};

struct xmap_ioctl_op {
	u32 size;
	u32 min_size;
	u32 number;
	int (*execute)(struct xmap_ucmd *ucmd);
};

long xmap_ioctl_dispatch(struct file *file, unsigned int cmd, unsigned long arg,
			 const struct xmap_ioctl_op *ops, size_t nr_ops);
int xmap_ucmd_respond(struct xmap_ucmd *ucmd, size_t size);

/* access.c: the gate */
int xmap_access_init(void);
void xmap_access_exit(void);
int xmap_access_grant(const struct xmap_cmd_target_open *cmd, struct xmap_grant *grant);
void xmap_grant_drop(struct xmap_grant *grant);

/* node.c */
struct xmap_node *xmap_node_create(struct mm_struct *mm, struct xmap_node *parent);
struct xmap_node *xmap_node_get(struct xmap_node *node);
void xmap_node_put(struct xmap_node *node);
u64 xmap_node_usable(const struct xmap_node *node, u64 start, u64 end);
bool xmap_node_revoked(const struct xmap_node *node, const struct xmap_range *range);
bool xmap_node_made_by(const struct xmap_node *node, const struct pid *tgid);
int xmap_node_add_window(struct xmap_node *node, struct xmap_window *win);
void xmap_node_remove_window(struct xmap_node *node, struct xmap_window *win);
int xmap_node_take_back(struct xmap_node *node, const struct xmap_range *range, bool held);
void xmap_node_wait_copies(void);
int xmap_node_wait_forced(struct xmap_node *node);
int xmap_node_revoke(struct xmap_node *node, const struct xmap_range *range, bool held);
int xmap_copying_begin(void);
void xmap_copying_end(int idx);
int xmap_forcing_begin(struct xmap_node *node);
void xmap_forcing_end(struct xmap_node *node);

/* life.c */
int xmap_life_watch(struct xmap_node *root);
void xmap_life_end(struct xmap_node *root);
u32 xmap_state(const struct xmap_node *node, const struct xmap_range *range);
s32 xmap_owner_nr(struct pid *pid, const struct mm_struct *mm, struct pid_namespace *ns);
const char *xmap_state_name(u32 state);

/* revoke.c */
int xmap_ioctl_revoke(struct xmap_ucmd *ucmd);
int xmap_ioctl_dev_revoke(struct xmap_ucmd *ucmd);

/* deny.c */
bool xmap_denied(struct mm_struct *mm);
int xmap_ioctl_deny(struct xmap_ucmd *ucmd);
void xmap_deny_exit(void);

/* export.c */
extern const struct file_operations xmap_export_fops;
extern const struct xmap_ioctl_op xmap_export_ops[];
extern const size_t xmap_export_nr_ops;

int xmap_ioctl_export_create(struct xmap_ucmd *ucmd);
int xmap_ioctl_export_open(struct xmap_ucmd *ucmd);
int xmap_ioctl_export_accept(struct xmap_ucmd *ucmd);
int xmap_ioctl_export_info(struct xmap_ucmd *ucmd);
const struct xmap_range *xmap_export_range(const struct xmap_object *obj);
void xmap_export_describe(struct xmap_object *obj, struct xmap_list_entry *entry);

/* name.c */
int xmap_name_check(const char *name);
void xmap_name_init(struct xmap_name *name);
void xmap_name_free(struct xmap_name *name);
int xmap_name_set(struct xmap_name *name, const char *text, u32 mode, u32 gid);
bool xmap_name_allows(const struct xmap_name *name, u32 wanted);

/* bell.c */
int xmap_ioctl_eventfd(struct xmap_ucmd *ucmd);
void xmap_bell_end(const struct file *file);

/* region.c, region_control.c, region_file.c, region_memory.c, region_name.c */
extern const struct xmap_ioctl_op xmap_region_ops[];
extern const size_t xmap_region_nr_ops;

int xmap_memory_init(void);
void xmap_memory_exit(void);
void xmap_region_exit(void);
int xmap_ioctl_region_create(struct xmap_ucmd *ucmd);
int xmap_ioctl_region_open(struct xmap_ucmd *ucmd);
int xmap_ioctl_region_derive(struct xmap_ucmd *ucmd);
int xmap_ioctl_region_info(struct xmap_ucmd *ucmd);
int xmap_ioctl_region_seal(struct xmap_ucmd *ucmd);
int xmap_ioctl_region_resize(struct xmap_ucmd *ucmd);
int xmap_ioctl_region_give(struct xmap_ucmd *ucmd);
int xmap_ioctl_region_take(struct xmap_ucmd *ucmd);
int xmap_ioctl_region_rebind(struct xmap_ucmd *ucmd);
int xmap_ioctl_region_unlink(struct xmap_ucmd *ucmd);
int xmap_ioctl_region_notify(struct xmap_ucmd *ucmd);
const struct xmap_range *xmap_region_range(const struct xmap_object *obj);
void xmap_region_describe(struct xmap_object *obj, struct xmap_list_entry *entry);
void xmap_region_name_describe(struct xmap_object *obj, struct xmap_list_entry *entry);
void xmap_region_free(struct xmap_region *region);
bool xmap_region_answers(const struct xmap_node *node);
void xmap_region_revoke(struct xmap_node *node, const struct xmap_range *range, bool held);

/* target.c */
extern const struct file_operations xmap_target_fops;
extern const struct xmap_ioctl_op xmap_target_ops[];
extern const size_t xmap_target_nr_ops;

int xmap_ioctl_target_open(struct xmap_ucmd *ucmd);
int xmap_ioctl_target_info(struct xmap_ucmd *ucmd);
int xmap_ioctl_target_derive(struct xmap_ucmd *ucmd);
int xmap_rights_check(u32 rights, u32 allowed);
int xmap_range_from_user(struct xmap_range *range, u64 addr, u64 length,
			 const struct xmap_range *whole);
struct file *xmap_target_create(const struct xmap_grant *grant, const struct xmap_range *range,
				u32 rights, const struct xmap_object *parent);
int xmap_target_install(struct xmap_ucmd *ucmd, struct file *file, const bool *closed,
			s32 *out_fd, size_t size);
void xmap_target_describe(struct xmap_object *obj, struct xmap_list_entry *entry);

/* transfer.c */
#define XMAP_COPY_WRITE BIT(0)
#define XMAP_COPY_FORCE BIT(1)
#define XMAP_COPY_NOWAIT BIT(2)

ssize_t xmap_copy(struct xmap_target *target, u64 addr, struct iov_iter *iter,
		  unsigned int flags);
int xmap_ioctl_transfer(struct xmap_ucmd *ucmd);

/* window.c and fault.c */
extern const struct vm_operations_struct xmap_window_vm_ops;

int xmap_window_mmap(struct file *file, struct vm_area_struct *vma);
int xmap_ioctl_target_prefault(struct xmap_ucmd *ucmd);
void xmap_window_describe(struct xmap_object *obj, struct xmap_list_entry *entry);

/* maps.c */
int xmap_ioctl_target_maps(struct xmap_ucmd *ucmd);

/* account.c */
extern unsigned int xmap_max_targets;
extern unsigned int xmap_max_windows;
extern unsigned int xmap_max_exports;
extern unsigned int xmap_max_regions;
extern unsigned long long xmap_max_region_bytes;

int xmap_account_charge(struct xmap_object *obj, u32 kind);
void xmap_account_publish(struct xmap_object *obj);
void xmap_account_uncharge(struct xmap_object *obj);
int xmap_account_region(struct xmap_user **user, u32 regions, u64 bytes);
void xmap_account_unregion(struct xmap_user *user, u32 regions, u64 bytes);
void xmap_account_usage(struct xmap_cmd_query *cmd);
struct xmap_node *xmap_account_find(bool (*test)(const struct xmap_object *obj, void *data),
				    void *data);
bool xmap_object_visible(const struct xmap_object *obj);
int xmap_ioctl_list(struct xmap_ucmd *ucmd);

/*
 * Does a task still live in @mm?  mm_users alone does not tell: whoever is just
 * using the target counts there too, and a flood of uses that overlap would keep
 * the memory of a dead process for ever.
 */
static inline bool xmap_mm_in_use(struct mm_struct *mm)
{
#ifdef CONFIG_MEMCG
	/* Cleared when the last task leaves: mm_update_next_owner(). */
	if (!rcu_access_pointer(mm->owner))
		return false;
#endif
	return atomic_read(&mm->mm_users);
}

/* Begin a use of a target's @mm; false if it has ended.  End it with mmput(). */
static inline bool xmap_mm_get(struct mm_struct *mm)
{
	return xmap_mm_in_use(mm) && mmget_not_zero(mm);
}

/* Whether a process may be looked at in spite of XMAP_DENY. */
static inline bool xmap_may_all(void)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYS_PTRACE);
}

/*
 * Number of a thread group in a pid namespace.  0 if there is none, if it is
 * gone (a struct pid that is held keeps its number), or not visible there.
 */
static inline s32 xmap_pid_nr(struct pid *pid, struct pid_namespace *ns)
{
	return pid && pid_has_task(pid, PIDTYPE_TGID) ? pid_nr_ns(pid, ns) : 0;
}

/* The address after the last one that user space can have. */
static inline u64 xmap_user_end(void)
{
	return TASK_SIZE_MAX;
}

#endif /* XMAP_H */
