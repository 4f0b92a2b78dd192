// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of regions.  The kernel does not say by which handle one was made; but
 * every process knows by which it has ever made one, of which part of which region.
 * What none of these handles is good for any more, it must not reach; nor a region
 * with a single owner that the process has given away, or never had.  And of all
 * processes one at most may reach such a region.
 */
#include <poll.h>
#include <sys/ioctl.h>

#include "actor.h"
#include "fuzz.h"

#define MAX_MAPPINGS 256
#define PAGES_LOOKED_AT 20

/* A call of mmap() that was about to be made: by a handle, or by one that is not known. */
struct mapping {
	__u32 node;
	__u64 start;
	__u64 end;
};

static struct mapping mappings[MAX_MAPPINGS];
static __u32 nr_mappings;

/* The handle that created the region of this one, or NULL. */
struct node *node_root(struct run *r, __u32 node)
{
	const struct node *n = node_of(r, node);

	while (n && n->parent)
		n = node_find(r, n->parent);
	return (struct node *)n;
}

static bool single(const struct node *root)
{
	return root->flags & XMAP_REGION_SINGLE_OWNER;
}

/* Before the call, so that no mapping is without. */
void region_mapping(struct ctx *x, __u32 node, __u64 offset, __u64 len)
{
	__u32 i = __atomic_fetch_add(&nr_mappings, 1, __ATOMIC_SEQ_CST);

	if (i < MAX_MAPPINGS)
		mappings[i] = (struct mapping){ node, offset, offset + len };
}

/* Has all of it been taken back from all, by one of the first @before revocations? */
bool region_gone(const struct run *r, const struct node *root, __u32 before)
{
	__u32 i;

	for (i = 0; root && i < before && i < MAX_TAKEN; i++) {
		const struct taken *t = &r->taken[i];

		if (__atomic_load_n(&t->serial, __ATOMIC_SEQ_CST) == root->serial && !t->start &&
		    t->end == ~0UL)
			return true;
	}
	return false;
}

/* ---- What /proc/self/maps says ---- */

struct vma {
	__u64 start;
	__u64 end;
	__u64 offset;
	__u64 inode;
	char prot[8];
};

static bool vma_parse(const char *line, struct vma *vma)
{
	unsigned long long start, end, offset, inode;

	if (!strstr(line, "xmap-region") ||
	    sscanf(line, "%llx-%llx %7s %llx %*s %llu", &start, &end, vma->prot, &offset,
		   &inode) != 5)
		return false;
	vma->start = start;
	vma->end = end;
	vma->offset = offset;
	vma->inode = inode;
	return true;
}

static void vmas_each(void (*fn)(struct ctx *x, const struct vma *vma, void *data), struct ctx *x,
		      void *data)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[256];
	struct vma vma;

	while (f && fgets(line, sizeof(line), f))
		if (vma_parse(line, &vma))
			fn(x, &vma, data);
	if (f)
		fclose(f);
}

struct mapped {
	__u64 addr;
	__u64 inode;
};

static void note_inode(struct ctx *x, const struct vma *vma, void *data)
{
	struct mapped *mapped = data;

	if (vma->start <= mapped->addr && vma->end > mapped->addr)
		mapped->inode = vma->inode;
}

/* It is at @addr, and no other thread has put anything else there. */
void region_mapped(struct ctx *x, __u32 node, __u64 addr)
{
	struct node *root = node_root(x->run, node);
	struct mapped mapped = { .addr = addr };

	if (!root || __atomic_load_n(&root->inode, __ATOMIC_SEQ_CST))
		return;
	vmas_each(note_inode, x, &mapped);
	__atomic_store_n(&root->inode, mapped.inode, __ATOMIC_SEQ_CST);
}

/* The caller has given it away; or may own it from now on. */
void region_given(struct ctx *x, __u32 node, bool away)
{
	struct node *root = node_root(x->run, node);
	__u32 i;

	if (root)
		__atomic_store_n(&root->owned[x->who == VICTIM], !away, __ATOMIC_SEQ_CST);
	/* Which one it may own is not known. */
	for (i = 0; !root && !away && i < MAX_NODES; i++)
		__atomic_store_n(&x->run->node[i].owned[x->who == VICTIM], 1, __ATOMIC_SEQ_CST);
}

/* The next one has other memory. */
void victim_owns_nothing(struct ctx *x)
{
	__u32 i;

	for (i = 0; i < MAX_NODES; i++)
		__atomic_store_n(&x->run->node[i].owned[1], 0, __ATOMIC_SEQ_CST);
}

/* ---- What must hold ---- */

/* The region that a mapping is of, if that is known for sure. */
static struct node *root_of_inode(struct run *r, __u64 inode)
{
	__u32 i;

	for (i = 0; i < MAX_NODES && i < r->nnodes; i++)
		if (r->node[i].serial && !r->node[i].parent && r->node[i].inode == inode)
			return &r->node[i];
	return NULL;
}

/* Why nobody reaches this page by a mapping of this process; NULL if somebody may. */
static const char *gone(struct ctx *x, struct node *root, __u64 offset)
{
	__u32 i, n = __atomic_load_n(&nr_mappings, __ATOMIC_SEQ_CST);

	if (single(root) && !root->owned[x->who == VICTIM])
		return "not owned";
	if (n > MAX_MAPPINGS)
		return NULL;
	for (i = 0; i < n; i++) {
		const struct mapping *m = &mappings[i];
		const struct node *handle = node_of(x->run, m->node);

		if (!handle)
			return NULL;
		if (node_root(x->run, m->node) == root && m->start < offset + PAGE &&
		    m->end > offset &&
		    !taken_from(x->run, handle->serial, offset, offset + PAGE))
			return NULL;
	}
	return "revoked";
}

static void check_vma(struct ctx *x, const struct vma *vma, void *data)
{
	struct node *root = root_of_inode(x->run, vma->inode);
	__u64 npages = (vma->end - vma->start) / PAGE, step = npages / PAGES_LOOKED_AT + 1, i;
	const bool *end = data;
	const char *why;
	__u64 shown;

	if (!root || vma->prot[0] != 'r')
		return;
	for (i = 0; i < npages; i += step) {
		why = gone(x, root, vma->offset + i * PAGE);
		/* Where it may, it is only to be known whether it does. */
		if ((!why && !(*end && single(root))) ||
		    !try_load(vma->start + i * PAGE, &shown))
			continue;
		if (why)
			run_fail(x->run, BAD_REVOKED, "region %llu: %#llx shows %#llx, %s",
				 (unsigned long long)root->serial,
				 (unsigned long long)(vma->start + i * PAGE),
				 (unsigned long long)shown, why);
		__atomic_or_fetch(&root->reached, 1U << (x->who == VICTIM), __ATOMIC_SEQ_CST);
	}
}

/* The calling process's mappings.  At the end also who reaches what one alone may. */
void check_regions(struct ctx *x, bool end)
{
	if (__atomic_load_n(&nr_mappings, __ATOMIC_SEQ_CST))
		vmas_each(check_vma, x, &end);
}

/* When both processes have looked. */
void check_single(struct ctx *x)
{
	__u32 i;

	for (i = 0; i < MAX_NODES && i < x->run->nnodes; i++) {
		const struct node *n = &x->run->node[i];

		if (n->serial && single(n) && n->reached == 3)
			run_fail(x->run, BAD_RIGHTS, "both processes reach region %llu",
				 (unsigned long long)n->serial);
	}
}

/* Of what nobody can ever reach again nothing is left. */
static void check_gone(struct ctx *x, int fd, const struct node *n,
		       const struct xmap_cmd_region_info *info)
{
	struct xmap_cmd_region_derive derive = {
		.size = sizeof(derive), .rights = XMAP_RIGHT_READ,
	};

	if (info->out_region_length || info->out_length)
		run_fail(x->run, BAD_REVOKED, "handle %llu has %#llx of %#llx, all was revoked",
			 (unsigned long long)n->serial, (unsigned long long)info->out_length,
			 (unsigned long long)info->out_region_length);
	if (ioctl(fd, XMAP_REGION_DERIVE, &derive) != -1 || errno != ESTALE)
		run_fail(x->run, BAD_REVOKED, "from handle %llu one can be derived, or %s",
			 (unsigned long long)n->serial, strerror(errno));
}

static void check_handle(struct ctx *x, int fd, __u32 node)
{
	const struct node *n = node_of(x->run, node);
	struct node *root = node_root(x->run, node);
	const struct taken *t = taken_from(x->run, n->serial, n->start, n->end);
	struct xmap_cmd_region_info info = { .size = sizeof(info) };
	struct pollfd pfd = { .fd = fd };
	char byte = 0;
	__u64 at;

	if (root && single(root) && !root->owned[x->who == VICTIM] &&
	    pread(fd, &byte, 1, n->start) == 1)
		run_fail(x->run, BAD_REVOKED, "handle %llu reads what others own",
			 (unsigned long long)n->serial);
	if (ioctl(fd, XMAP_REGION_INFO, &info))
		return;
	if (info.out_rights & ~n->rights)
		run_fail(x->run, BAD_RIGHTS, "handle %llu has rights %#x, not %#x",
			 (unsigned long long)n->serial, info.out_rights, n->rights);
	if (info.out_seals & (XMAP_REGION_SEAL_WRITE | XMAP_REGION_SEAL_FUTURE_WRITE) &&
	    pwrite(fd, &byte, 1, n->start) == 1)
		run_fail(x->run, BAD_RIGHTS, "handle %llu writes to what is sealed",
			 (unsigned long long)n->serial);
	if (region_gone(x->run, root, MAX_TAKEN))
		check_gone(x, fd, n, &info);
	if (!t)
		return;
	at = t->start > n->start ? t->start : n->start;
	if (pread(fd, &byte, 1, at) == 1)
		run_fail(x->run, BAD_REVOKED, "handle %llu reads %#llx, revoked from %llu",
			 (unsigned long long)n->serial, (unsigned long long)at,
			 (unsigned long long)t->serial);
	if (t->start > n->start || t->end < n->end)
		return;
	if (info.out_state != XMAP_TARGET_REVOKED || poll(&pfd, 1, 0) < 0 ||
	    !(pfd.revents & POLLHUP))
		run_fail(x->run, BAD_REVOKED, "handle %llu: state %u, poll %#x, revoked from %llu",
			 (unsigned long long)n->serial, info.out_state, pfd.revents,
			 (unsigned long long)t->serial);
}

/* Those that the calling process has in a slot. */
void check_region_handles(struct ctx *x)
{
	__u32 node;
	int i;

	for (i = 0; i < SLOTS; i++) {
		node = slots[i].node;
		if (node && slot_kind(i) == KIND_REGION)
			check_handle(x, slot_fd(i), node);
	}
}
