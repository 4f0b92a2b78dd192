/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes with handles and mappings of regions, what a model says that each can do with
 * them, and how to try it.
 */
#ifndef XMAP_REGION_TREE_H
#define XMAP_REGION_TREE_H

#include "xmap_region_utils.h"

/* How long a region can become. */
#define MAX_LEN LEN
#define REGIONS 4
#define NAMES 2
#define NODES 48
#define MAPPINGS 8
#define NODE_PROBES 8
#define PROBES (NODES * NODE_PROBES + MAPPINGS)
#define NOBODY (-1)
#define SEALS_WRITE (XMAP_REGION_SEAL_WRITE | XMAP_REGION_SEAL_FUTURE_WRITE)

/* Two who make regions, a stranger, one of the first one's user, an administrator. */
enum { MAKER_A, MAKER_B, STRANGER, SAME_USER, ADMIN, PROCS, MAKERS = STRANGER };

static const struct {
	uid_t uid;
	__u64 caps;
} who[PROCS] = {
	{ UID_A, 0 }, { UID_B, 0 }, { 4711, 0 }, { UID_A, 0 },
	{ 4712, CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_PTRACE) },
};

struct region {
	bool single;
	int maker;
	__u32 mode;
	size_t length;
	/* The process, or NOBODY; and by which handle. */
	int owner;
	int holding;
	/* The test's own descriptor of the first handle. */
	int fd;
	/* Of NAMES, or NOBODY once it has none. */
	int name;
	__u32 seals;
	__u32 generation;
};

/* A handle, as the model has it; a number is never used twice in a case. */
struct node {
	int region;
	int maker;
	int parent;
	__u32 rights;
	/* All that the region ever is, else offsets. */
	bool whole;
	size_t start;
	size_t end;
	__u64 serial;
	/* Descriptors, or -1. */
	int fd[PROCS];
	/* Has all been revoked, and which bytes, here or above. */
	bool all;
	__u8 gone[MAX_LEN];
};

struct mapping {
	int node;
	int proc;
	int prot;
	size_t start;
	size_t len;
	char *at;
	/* Can become writable. */
	bool writer;
};

enum { PROBE_READ, PROBE_WRITE, PROBE_MAP, PROBE_DERIVE, PROBE_INFO, PROBE_NOTIFY, PROBE_RESIZE,
	PROBE_SEAL, PROBE_MAPPING };

/* One thing to try in a process, what the model expects, and what came of it. */
struct probe {
	int kind;
	int node;
	int fd;
	int prot;
	__u32 rights;
	__u64 addr;
	__u64 len;
	size_t off;
	__u64 seed;
	long expected;
	long result;
};

static struct probe *probes;
static unsigned int nr_probes;
static struct region region[REGIONS];
static int regions;
static struct node node[NODES];
static int nodes;
static struct mapping mapping[MAPPINGS];
static __u64 rnd;
/* A command that a process is to issue. */
static struct xmap_cmd_region_create *ask;

static const char *const names[NAMES] = { "xmap-tree.0", "xmap-tree.1" };

FIXTURE(tree)
{
	int dev;
	int sv[2];
	struct peer p[PROCS];
	bool dead[PROCS];
};

#define TREE FIXTURE_DATA(tree)

static unsigned int below(unsigned int n)
{
	return test_random(&rnd) % n;
}

static __u64 seed_of(int i)
{
	return 1 + i;
}

/* ---- In the processes ---- */

static __u8 pattern_byte(__u64 seed, size_t off)
{
	return peer_word(seed, off & -8UL) >> 8 * (off % 8);
}

/* Bytes or -errno; what was read must be the region's. */
static long probe_copy(const struct probe *p)
{
	static __u8 buf[MAX_LEN];
	ssize_t ret, i;

	if (p->kind == PROBE_WRITE) {
		for (i = 0; i < (ssize_t)p->len; i++)
			buf[i] = pattern_byte(p->seed, p->off + i);
		ret = pwrite(p->fd, buf, p->len, p->off);
		return ret < 0 ? -errno : ret;
	}
	memset(buf, 0, sizeof(buf));
	ret = pread(p->fd, buf, p->len, p->off);
	if (ret < 0)
		return -errno;
	for (i = 0; i < (ssize_t)p->len; i++)
		if (buf[i] != (i < ret ? pattern_byte(p->seed, p->off + i) : 0))
			return -ENODATA;
	return ret;
}

/* Four bits for a page: can be read, what it says is right, can be written. */
static long probe_pages(const struct probe *p, char *map)
{
	__u64 value, right;
	long seen = 0;
	size_t off;

	for (off = 0; off < p->len; off += PAGE) {
		right = peer_word(p->seed, p->off + off);
		if (!touch_load(map + off, &value))
			seen |= (value == right ? 3L : 1L) << off / PAGE * 4;
		if (p->prot & PROT_WRITE && !touch_store(map + off, right))
			seen |= 4L << off / PAGE * 4;
	}
	return seen;
}

static long probe_run(const struct probe *p)
{
	struct xmap_cmd_region_info info;
	__u32 seals;
	char *map;
	long ret;
	int fd;

	switch (p->kind) {
	case PROBE_READ:
	case PROBE_WRITE:
		return probe_copy(p);
	case PROBE_MAP:
		map = _test_region_map(p->fd, p->off, p->len, p->prot);
		if (map == MAP_FAILED)
			return -errno;
		ret = probe_pages(p, map);
		munmap(map, p->len);
		return ret;
	case PROBE_MAPPING:
		return probe_pages(p, (char *)p->addr);
	case PROBE_DERIVE:
		ret = _test_region_derive(p->fd, p->rights, p->off, p->len, &fd);
		return ret ? -errno : close(fd);
	case PROBE_NOTIFY:
		return _test_region_notify(p->fd) ? -errno : 0;
	case PROBE_RESIZE:
		return _test_region_resize(p->fd, p->len) ? -errno : 0;
	case PROBE_SEAL:
		return _test_region_seal(p->fd, p->rights, &seals) ? -errno : (long)seals;
	default:
		if (_test_region_info(p->fd, &info))
			return -errno;
		return info.out_state | info.out_rights << 4 | info.out_owner << 8 |
		       info.out_region_length << 12 | (long)info.out_seals << 32 |
		       (long)info.out_generation << 40;
	}
}

/* How many. */
static long op_probe(const unsigned long *a)
{
	unsigned long i;

	touch_init();
	for (i = 0; i < a[0]; i++)
		probes[i].result = probe_run(&probes[i]);
	return 0;
}

/* ---- The model ---- */

static size_t clip_end(const struct node *n)
{
	size_t length = region[n->region].length;

	return n->whole || n->end > length ? length : n->end;
}

static bool any_gone(const struct node *n)
{
	return n->all || memchr(n->gone, 1, MAX_LEN);
}

/* Has all of the region been revoked from all? */
static bool retired(const struct node *n)
{
	return !region[n->region].length;
}

/* Of what is there now; of what has been cut off, if nothing is. */
static bool all_gone(const struct node *n)
{
	size_t end = clip_end(n);

	if (n->all || retired(n))
		return true;
	if (end <= n->start)
		end = n->end;
	return !memchr(n->gone + n->start, 0, end - n->start);
}

static bool model_reaches(const struct node *n, int proc)
{
	return !region[n->region].single || region[n->region].owner == proc;
}

static long model_info(const struct node *n, int proc)
{
	const struct region *r = &region[n->region];
	long owner = XMAP_REGION_OWNER_ALL;

	if (r->single)
		owner = r->owner == NOBODY ? XMAP_REGION_OWNER_NONE :
			r->owner == proc ? XMAP_REGION_OWNER_SELF : XMAP_REGION_OWNER_OTHER;
	return (all_gone(n) ? XMAP_TARGET_REVOKED : XMAP_TARGET_ALIVE) | n->rights << 4 |
	       owner << 8 | (long)r->length << 12 | (long)r->seals << 32 |
	       (long)r->generation << 40;
}

static bool model_within(const struct node *n, size_t off, size_t len)
{
	return off >= n->start && off + len <= clip_end(n);
}

/* What a copy of len bytes at off does: bytes, or -errno.  It goes page by page. */
static long model_copy(const struct node *n, int proc, size_t off, size_t len, bool write)
{
	size_t end = clip_end(n), chunk;
	long done = 0, rc = 0;

	if (!(n->rights & (write ? XMAP_RIGHT_WRITE : XMAP_RIGHT_READ)))
		return -EBADF;
	if (all_gone(n))
		return -ESTALE;
	for (; len; off += chunk, len -= chunk, done += chunk) {
		if (off < n->start || (!n->whole && off > n->end))
			rc = -EACCES;
		else if (off >= end)
			rc = write ? -ENOSPC : 0;
		if (rc || off >= end)
			break;
		chunk = PAGE - off % PAGE;
		chunk = chunk < end - off ? chunk : end - off;
		chunk = chunk < len ? chunk : len;
		if (memchr(n->gone + off, 1, chunk))
			rc = -ESTALE;
		else if (!model_reaches(n, proc) ||
			 (write && region[n->region].seals & SEALS_WRITE))
			rc = -EPERM;
		if (rc)
			break;
	}
	return done ?: rc;
}

/* What can be seen in a mapping, as probe_pages() says it. */
static long model_pages(const struct node *n, int proc, size_t off, size_t len, int prot)
{
	long seen = 0;
	size_t at;

	for (at = 0; at < len; at += PAGE) {
		if (!model_reaches(n, proc) || off + at >= region[n->region].length ||
		    memchr(n->gone + off + at, 1, PAGE))
			continue;
		seen |= (prot & PROT_WRITE ? 7L : 3L) << at / PAGE * 4;
	}
	return seen;
}

static long model_map(const struct node *n, int proc, size_t off, size_t len, int prot)
{
	__u32 rights = XMAP_RIGHT_READ | (prot & PROT_WRITE ? XMAP_RIGHT_WRITE : 0);

	if (rights & ~n->rights)
		return -EACCES;
	if (retired(n))
		return -ESTALE;
	if (!model_within(n, off, len))
		return -EACCES;
	if (memchr(n->gone + off, 1, len))
		return -ESTALE;
	if (prot & PROT_WRITE && region[n->region].seals & SEALS_WRITE)
		return -EPERM;
	return model_pages(n, proc, off, len, prot);
}

/* Has a mapping of it that is not writable yet the right to become so? */
static bool model_maps_writer(const struct node *n)
{
	return n->rights & XMAP_RIGHT_WRITE && !(region[n->region].seals & SEALS_WRITE);
}

static long model_derive(const struct node *n, __u32 rights, size_t off, size_t len)
{
	if (retired(n))
		return -ESTALE;
	if (rights & ~n->rights || (len && !model_within(n, off, len)))
		return -EACCES;
	return (len ? !memchr(n->gone + off, 0, len) : all_gone(n)) ? -ESTALE : 0;
}

/* Of what concerns all of the region. */
static long model_manage(const struct node *n, __u32 rights)
{
	if (rights & ~n->rights || !n->whole)
		return -EACCES;
	return any_gone(n) ? -ESTALE : 0;
}

static long model_notify(const struct node *n)
{
	if (!(n->rights & XMAP_RIGHT_WRITE))
		return -EACCES;
	return all_gone(n) ? -ESTALE : 0;
}

/* The same of what only an owner, if it has one, may do. */
static long model_change(const struct node *n, int proc, __u32 rights)
{
	return model_manage(n, rights) ?: model_reaches(n, proc) ? 0 : -EPERM;
}

static long model_resize(const struct node *n, int proc, size_t length)
{
	const struct region *r = &region[n->region];
	long rc = model_change(n, proc, XMAP_RIGHT_MANAGE);

	if (!rc && ((length < r->length && r->seals & XMAP_REGION_SEAL_SHRINK) ||
		    (length > r->length && r->seals & XMAP_REGION_SEAL_GROW)))
		rc = -EPERM;
	return rc;
}

/* Is there a mapping that is, or can become, writable? */
static bool model_writers(int r)
{
	int i;

	for (i = 0; i < MAPPINGS; i++)
		if (mapping[i].at && mapping[i].writer && node[mapping[i].node].region == r)
			return true;
	return false;
}

static long model_seal(const struct node *n, int proc, __u32 seals)
{
	const struct region *r = &region[n->region];
	long rc = seals ? model_change(n, proc, XMAP_RIGHT_MANAGE) : -EINVAL;

	if (!rc && r->seals & XMAP_REGION_SEAL_SEAL)
		rc = -EPERM;
	if (!rc && seals & ~r->seals & XMAP_REGION_SEAL_WRITE && model_writers(n->region))
		rc = -EBUSY;
	return rc ?: (long)(r->seals | seals);
}

static long model_rebind(const struct node *n, int proc)
{
	return model_change(n, proc, XMAP_RIGHT_MANAGE | XMAP_RIGHT_WRITE) ?:
	       region[n->region].seals & SEALS_WRITE ? -EPERM : 0;
}

/* A part of it may be gone. */
static long model_unlink(const struct node *n)
{
	if (!(n->rights & XMAP_RIGHT_MANAGE) || !n->whole)
		return -EACCES;
	if (all_gone(n))
		return -ESTALE;
	return region[n->region].name == NOBODY ? -ENOENT : 0;
}

static long model_give(const struct node *n, int proc)
{
	const struct region *r = &region[n->region];

	if (!r->single)
		return -EINVAL;
	return r->owner == proc ? 0 : -EPERM;
}

static long model_take(TREE *self, const struct node *n)
{
	const struct region *r = &region[n->region];

	if (!r->single)
		return -EINVAL;
	return model_manage(n, 0) ?: r->owner == NOBODY || self->dead[r->owner] ? 0 : -EBUSY;
}

/* Which region is found by this name, or NOBODY. */
static int model_named(int name)
{
	int r;

	for (r = 0; r < regions; r++)
		if (region[r].name == name)
			return r;
	return NOBODY;
}

static long model_open(const struct region *r, int proc, __u32 rights)
{
	__u32 allowed = who[proc].uid == who[r->maker].uid ? r->mode >> 6 : r->mode;
	__u32 may = (allowed & 4 ? XMAP_RIGHT_READ : 0) | (allowed & 2 ? XMAP_RIGHT_WRITE : 0);

	if (who[proc].uid == who[r->maker].uid)
		may |= XMAP_RIGHT_MANAGE;
	return rights & ~may ? -EACCES : 0;
}

static bool is_below(int i, int top)
{
	while (i >= 0 && i != top)
		i = node[i].parent;
	return i == top;
}

static void model_revoke(int top, size_t off, size_t len)
{
	struct region *r = &region[node[top].region];
	int i;

	for (i = 0; i < nodes; i++) {
		if (!is_below(i, top))
			continue;
		node[i].all |= !len;
		memset(node[i].gone + off, 1, len ?: MAX_LEN);
	}
	if (r->single && r->owner != NOBODY && all_gone(&node[r->holding]))
		r->owner = NOBODY;
	/* Nobody can ever reach it: its memory is gone. */
	if (node[top].parent < 0 && all_gone(&node[top])) {
		r->length = 0;
		r->name = NOBODY;
	}
}

/* Is the handle there, as a descriptor or by a mapping? */
static bool node_is_there(int i)
{
	int n;

	/* The first one of a region, which has no parent, the test has as well. */
	if (node[i].parent < 0)
		return true;
	for (n = 0; n < PROCS; n++)
		if (node[i].fd[n] >= 0)
			return true;
	for (n = 0; n < MAPPINGS; n++)
		if (mapping[n].at && mapping[n].node == i)
			return true;
	return false;
}

/* A descriptor was closed, or a mapping dropped: perhaps the one by which it is owned. */
static void model_dropped(int i)
{
	struct region *r = &region[node[i].region];

	if (r->single && r->owner != NOBODY && r->holding == i && !node_is_there(i))
		r->owner = NOBODY;
}

/* Who made it, or what it was made from; who administers: 0 or -errno. */
static long model_may_revoke(int i, int proc, bool by_number)
{
	int top = i;

	if (proc == ADMIN)
		return 0;
	while (top >= 0 && node[top].maker != proc)
		top = node[top].parent;
	if (top >= 0)
		return 0;
	return by_number && who[node[i].maker].uid != who[proc].uid ? -ENOENT : -EPERM;
}

#endif /* XMAP_REGION_TREE_H */
