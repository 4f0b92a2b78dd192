/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes with exports, targets and windows on each other's memory, what a model
 * says that each can do with them, and how to try it.
 *
 * An export that was opened by its name or id is a node of its own below that of its
 * maker: it has fewer rights perhaps, but is the same object, with one number.
 */
#ifndef XMAP_TREE_H
#define XMAP_TREE_H

#include "xmap_export_utils.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGES 6
#define LEN (PAGES * PAGE)
/* The owner may only read the one, and not even that the other. */
#define READ_ONLY_PAGE 3
#define NO_PAGE 4
#define NODES 48
#define WINDOWS 8
#define OFFERS 16
#define NAMES 2
/* Of an export, and of a target. */
#define EXPORT_PROBES 3
#define TARGET_PROBES 6
#define PROBES (NODES * TARGET_PROBES + WINDOWS)
#define NOBODY (-1)

/* The processes: two owners, a stranger, one of the first owner's user, and an administrator. */
enum { OWNER_A, OWNER_B, STRANGER, SAME_USER, ADMIN, PROCS, OWNERS = STRANGER };

static const struct {
	uid_t uid;
	__u64 caps;
} who[PROCS] = {
	{ UID_A, 0 }, { UID_B, 0 }, { 4711, 0 }, { UID_A, 0 },
	{ 4712, CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_PTRACE) },
};

/* An export or a target, as the model has it; a number is never used twice in a case. */
struct node {
	bool export;
	/* Of an export, its terms. */
	int offer;
	/* Of what an owner exported, not of what was opened on him. */
	bool consent;
	int owner;
	int maker;
	int parent;
	__u32 rights;
	/* All of the address space, else offsets in the owner's memory. */
	bool whole;
	size_t start;
	size_t end;
	__u64 serial;
	/* Descriptors, or -1. */
	int fd[PROCS];
	/* Has all been revoked, and which bytes, here or above. */
	bool all;
	__u8 gone[LEN];
};

/* The terms of an export.  It stands for as long as its maker's file is open anywhere. */
struct offer {
	int node;
	/* Can be found, with this mode, by its id or a name: of NAMES, or NOBODY. */
	bool published;
	__u32 mode;
	__u64 id;
	int name;
	/* Only for the user of this process, or NOBODY. */
	int receiver;
	__u32 max_accepts;
	__u32 accepts;
};

static const char *const names[NAMES] = { "xmap-tree.0", "xmap-tree.1" };

struct window {
	int node;
	int proc;
	int prot;
	size_t start;
	size_t len;
	char *at;
};

enum { PROBE_READ, PROBE_WRITE, PROBE_TRANSFER, PROBE_MAP, PROBE_DERIVE, PROBE_ACCEPT, PROBE_STATE,
	PROBE_WINDOW };

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
static struct node node[NODES];
static int nodes;
static struct offer offer[OFFERS];
static int offers;
static struct window window[WINDOWS];
static __u64 rnd;
/* A command that a process is to issue. */
static struct xmap_cmd_export_create *ask;

FIXTURE(tree)
{
	int dev;
	int sv[2];
	struct peer p[PROCS];
	unsigned long mem[OWNERS];
	long old_scope;
	bool dead[PROCS];
};

#define TREE FIXTURE_DATA(tree)

FIXTURE_SETUP(tree)
{
	ASSERT_EQ(0, getuid());
	self->old_scope = xmap_read_long(YAMA_SCOPE);
	ASSERT_EQ(0, xmap_write_long(YAMA_SCOPE, 0));
	test_dev_open(&self->dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, self->sv));
	probes = xmap_shared(PROBES * sizeof(*probes));
	ask = xmap_shared(sizeof(*ask));
}

FIXTURE_TEARDOWN(tree)
{
	xmap_write_long(YAMA_SCOPE, self->old_scope);
	close(self->dev);
}

static unsigned int below(unsigned int n)
{
	return test_random(&rnd) % n;
}

static __u64 seed_of(int owner)
{
	return 1 + owner;
}

/* ---- In the processes ---- */

static __u8 pattern_byte(__u64 seed, size_t off)
{
	return peer_word(seed, off & -8UL) >> 8 * (off % 8);
}

/* One copy by XMAP_TRANSFER: bytes or -errno. */
static long probe_transfer(const struct probe *p, int dev, void *buf, bool write)
{
	struct xmap_transfer entry = {
		.fd = p->fd,
		.flags = write ? XMAP_TRANSFER_WRITE : 0,
		.remote = p->addr,
		.local = (unsigned long)buf,
		.length = p->len,
	};
	__u32 done;

	return _test_transfer(dev, &entry, 1, &done) ? -errno : entry.out_result;
}

/* Bytes or -errno; what was read must be the owner's. */
static long probe_copy(const struct probe *p, int dev)
{
	bool write = p->kind == PROBE_WRITE || (p->kind == PROBE_TRANSFER && p->prot & PROT_WRITE);
	static __u8 buf[LEN];
	ssize_t ret, i;

	memset(buf, 0, sizeof(buf));
	for (i = 0; write && i < (ssize_t)p->len; i++)
		buf[i] = pattern_byte(p->seed, p->off + i);
	if (p->kind == PROBE_TRANSFER) {
		ret = probe_transfer(p, dev, buf, write);
	} else {
		ret = write ? pwrite(p->fd, buf, p->len, p->addr) :
			      pread(p->fd, buf, p->len, p->addr);
		if (ret < 0)
			ret = -errno;
	}
	if (write || ret < 0)
		return ret;
	for (i = 0; i < (ssize_t)p->len; i++)
		if (buf[i] != (i < ret ? pattern_byte(p->seed, p->off + i) : 0))
			return -ENODATA;
	return ret;
}

/* Four bits for a page: can be read, what it says is right, can be written. */
static long probe_pages(const struct probe *p, char *win)
{
	__u64 value, right;
	long seen = 0;
	size_t off;

	for (off = 0; off < p->len; off += PAGE) {
		right = peer_word(p->seed, p->off + off);
		if (!touch_load(win + off, &value))
			seen |= (value == right ? 3L : 1L) << off / PAGE * 4;
		if (p->prot & PROT_WRITE && !touch_store(win + off, right))
			seen |= 4L << off / PAGE * 4;
	}
	return seen;
}

static long probe_run(const struct probe *p, int dev)
{
	struct xmap_cmd_export_info einfo;
	struct xmap_cmd_target_info info;
	char *win;
	long ret;
	int fd;

	switch (p->kind) {
	case PROBE_READ:
	case PROBE_WRITE:
	case PROBE_TRANSFER:
		return probe_copy(p, dev);
	case PROBE_MAP:
		win = _test_window_map(p->fd, p->addr, p->len, p->prot);
		if (win == MAP_FAILED)
			return -errno;
		ret = probe_pages(p, win);
		munmap(win, p->len);
		return ret;
	case PROBE_WINDOW:
		return probe_pages(p, (char *)p->addr);
	case PROBE_DERIVE:
	case PROBE_ACCEPT:
		ret = p->kind == PROBE_DERIVE ?
		      _test_target_derive(p->fd, p->rights, p->addr, p->len, &fd) :
		      _test_export_accept(p->fd, p->rights, p->addr, p->len, &fd);
		return ret ? -errno : close(fd);
	default:
		/* Which kind of file it is the other command tells. */
		if (!_test_target_info(p->fd, &info))
			return info.out_state | info.out_rights << 4;
		if (!_test_export_info(p->fd, &einfo))
			return einfo.out_state | einfo.out_rights << 4 | 0x100 |
			       einfo.out_accepts << 12;
		return -errno;
	}
}

/* How many, /dev/xmap. */
static long op_probe(const unsigned long *a)
{
	unsigned long i;

	touch_init();
	for (i = 0; i < a[0]; i++)
		probes[i].result = probe_run(&probes[i], a[1]);
	return 0;
}

/* ---- The model ---- */

static bool page_allows(size_t off, bool write)
{
	size_t page = off / PAGE;

	return page != NO_PAGE && !(write && page == READ_ONLY_PAGE);
}

static bool all_gone(const struct node *n)
{
	return n->all || (!n->whole && !memchr(n->gone + n->start, 0, n->end - n->start));
}

/* Is it open anywhere, and so in the list? */
static bool node_is_open(int i)
{
	int proc;

	for (proc = 0; proc < PROCS; proc++)
		if (node[i].fd[proc] >= 0)
			return true;
	return false;
}

/* An export however it was opened: the maker's. */
static int object_of(int i)
{
	return node[i].export ? offer[node[i].offer].node : i;
}

static bool model_closed(const struct node *n)
{
	return n->export && !node_is_open(offer[n->offer].node);
}

static long model_state(TREE *self, const struct node *n)
{
	if (model_closed(n) || all_gone(n))
		return XMAP_TARGET_REVOKED;
	return self->dead[n->owner] ? XMAP_TARGET_DEAD : XMAP_TARGET_ALIVE;
}

static bool model_within(const struct node *n, size_t off, size_t len)
{
	return n->whole || (off >= n->start && off + len <= n->end);
}

/* What a copy of len bytes at off does: bytes, or -errno. */
static long model_copy(TREE *self, const struct node *n, size_t off, size_t len, bool write)
{
	const __u8 *gone;
	size_t done;

	if (!(n->rights & (write ? XMAP_RIGHT_WRITE : XMAP_RIGHT_READ)))
		return -EBADF;
	if (!model_within(n, off, 1))
		return -EACCES;
	if (!n->whole && off + len > n->end)
		len = n->end - off;
	gone = memchr(n->gone + off, 1, len);
	if (gone)
		len = gone - (n->gone + off);
	if (!len)
		return -ESTALE;
	if (self->dead[n->owner])
		return -ESRCH;
	for (done = 0; done < len && page_allows(off + done, write);)
		done += PAGE - (off + done) % PAGE;
	if (!done)
		return -EFAULT;
	return done < len ? done : len;
}

/* The same by XMAP_TRANSFER, which looks at the rights itself, and at the kind of file. */
static long model_transfer(TREE *self, const struct node *n, size_t off, size_t len, bool write)
{
	if (n->export)
		return -EBADFD;
	if (!(n->rights & (write ? XMAP_RIGHT_WRITE : XMAP_RIGHT_READ)))
		return -EACCES;
	return model_copy(self, n, off, len, write);
}

/* What can be seen in a window, as probe_pages() says it. */
static long model_pages(TREE *self, const struct node *n, size_t off, size_t len, int prot)
{
	long seen = 0;
	size_t at;

	for (at = 0; at < len; at += PAGE) {
		if (self->dead[n->owner] || memchr(n->gone + off + at, 1, PAGE))
			continue;
		if (page_allows(off + at, false))
			seen |= 3L << at / PAGE * 4;
		if (prot & PROT_WRITE && page_allows(off + at, true))
			seen |= 4L << at / PAGE * 4;
	}
	return seen;
}

static long model_map(TREE *self, const struct node *n, size_t off, size_t len, int prot)
{
	__u32 rights = XMAP_RIGHT_READ | (prot & PROT_WRITE ? XMAP_RIGHT_WRITE : 0);

	if (rights & ~n->rights || !model_within(n, off, len))
		return -EACCES;
	if (memchr(n->gone + off, 1, len))
		return -ESTALE;
	if (self->dead[n->owner])
		return -ESRCH;
	return model_pages(self, n, off, len, prot);
}

/* Is the offer, if it is one, made to this process? */
static bool model_offered(const struct offer *o, int proc)
{
	return o->receiver == NOBODY || who[o->receiver].uid == who[proc].uid;
}

/* Of a command that makes a target of this one: 0 or -errno. */
static long model_make(TREE *self, const struct node *n, int proc, __u32 rights, size_t off,
		       size_t len)
{
	const struct offer *o = n->export ? &offer[n->offer] : NULL;

	if (rights & ~n->rights || (len && !model_within(n, off, len)) ||
	    (o && !model_offered(o, proc)))
		return -EACCES;
	if (model_closed(n) || (len ? !memchr(n->gone + off, 0, len) : all_gone(n)))
		return -ESTALE;
	if (self->dead[n->owner])
		return -ESRCH;
	return o && o->max_accepts && o->accepts == o->max_accepts ? -EDQUOT : 0;
}

/* Can nobody accept it any more?  Then its name is in nobody's way. */
static bool model_over(TREE *self, const struct offer *o)
{
	return model_state(self, &node[o->node]) != XMAP_TARGET_ALIVE;
}

/* What is found by this name, or NULL. */
static struct offer *model_named(int name)
{
	int i;

	for (i = 0; i < offers; i++)
		if (offer[i].published && offer[i].name == name && node_is_open(offer[i].node))
			return &offer[i];
	return NULL;
}

/* Of opening it, if there is one: 0 or -errno. */
static long model_open(TREE *self, const struct offer *o, int proc, __u32 rights)
{
	const struct node *n = o ? &node[o->node] : NULL;
	__u32 mode, may;

	if (!o || !o->published || !node_is_open(o->node))
		return -ENOENT;
	mode = who[proc].uid == who[n->maker].uid ? o->mode >> 6 : o->mode;
	may = (mode & 4 ? XMAP_RIGHT_READ : 0) | (mode & 2 ? XMAP_RIGHT_WRITE : 0);
	if (rights & ~(may & n->rights) || !model_offered(o, proc))
		return -EACCES;
	if (all_gone(n))
		return -ESTALE;
	return self->dead[n->owner] ? -ESRCH : 0;
}

static bool is_below(int i, int top)
{
	while (i >= 0 && i != top)
		i = node[i].parent;
	return i == top;
}

static void model_revoke(int top, size_t off, size_t len)
{
	int i;

	for (i = 0; i < nodes; i++) {
		if (!is_below(i, top))
			continue;
		node[i].all |= !len;
		memset(node[i].gone + off, 1, len ?: LEN);
	}
}

/* Did the process make it, or what it was made from? */
static bool model_made_by(int i, int proc)
{
	while (i >= 0 && node[i].maker != proc)
		i = node[i].parent;
	return i >= 0;
}

/* Who made it, who owns what was exported, who administers: 0 or -errno. */
static long model_may_revoke(int i, int proc, bool by_number)
{
	const struct node *n = &node[i];
	bool made = model_made_by(i, proc), admin = proc == ADMIN, owns = n->owner == proc;

	/* Others can still have opened an offer that its maker has closed. */
	if (by_number && n->export && !node_is_open(i))
		return -ENOENT;
	/* It is the maker's user to whom it is charged. */
	if (by_number && !made && !admin && !owns && who[n->maker].uid != who[proc].uid)
		return -ENOENT;
	return made || admin || (owns && n->consent) ? 0 : -EPERM;
}

/* ---- Trying everything ---- */

static struct probe *probe_new(TREE *self, int kind, int i, int proc, size_t off, size_t len)
{
	struct probe *p = &probes[nr_probes++];

	*p = (struct probe){
		.kind = kind,
		.node = i,
		.fd = node[i].fd[proc],
		.addr = len ? self->mem[node[i].owner] + off : 0,
		.len = len,
		.off = off,
		.seed = seed_of(node[i].owner),
	};
	return p;
}

/* Some bytes, often such that begin or end where a page or the handle does. */
static void some_range(const struct node *n, size_t *off, size_t *len)
{
	size_t a[2];
	int i;

	do {
		for (i = 0; i < 2; i++) {
			switch (below(4)) {
			case 0:
				a[i] = below(PAGES + 1) * PAGE;
				break;
			case 1:
				a[i] = n ? n->start + below(3) : below(3);
				break;
			case 2:
				a[i] = n ? n->end - below(3) : LEN - below(3);
				break;
			default:
				a[i] = below(LEN + 1);
			}
		}
	} while (a[0] == a[1] || a[0] > LEN || a[1] > LEN);
	*off = a[0] < a[1] ? a[0] : a[1];
	*len = a[0] < a[1] ? a[1] - a[0] : a[0] - a[1];
}

static void probe_node(TREE *self, int i, int proc)
{
	struct node *n = &node[i];
	struct probe *p;
	size_t off, len;
	int kind;

	p = probe_new(self, PROBE_STATE, i, proc, 0, 0);
	p->expected = model_state(self, n) | n->rights << 4;
	if (n->export)
		p->expected |= 0x100 | (long)offer[n->offer].accepts << 12;

	some_range(n, &off, &len);
	p = probe_new(self, PROBE_TRANSFER, i, proc, off, len);
	p->prot = below(2) ? RW : PROT_READ;
	p->expected = model_transfer(self, n, off, len, p->prot & PROT_WRITE);

	some_range(n, &off, &len);
	kind = n->export ? PROBE_ACCEPT : PROBE_DERIVE;
	if (below(4) == 0) {
		off = 0;
		len = 0;
	}
	p = probe_new(self, kind, i, proc, off, len);
	p->rights = 1 + below(XMAP_RIGHTS_RW);
	p->expected = model_make(self, n, proc, p->rights, off, len);
	if (n->export) {
		/* Closed at once, but that counts. */
		offer[n->offer].accepts += !p->expected;
		return;
	}

	for (kind = PROBE_READ; kind <= PROBE_WRITE; kind++) {
		some_range(n, &off, &len);
		p = probe_new(self, kind, i, proc, off, len);
		p->expected = model_copy(self, n, off, len, kind == PROBE_WRITE);
	}
	off = below(PAGES);
	len = 1 + below(PAGES - off);
	p = probe_new(self, PROBE_MAP, i, proc, off * PAGE, len * PAGE);
	p->prot = below(2) ? RW : PROT_READ;
	p->expected = model_map(self, n, off * PAGE, len * PAGE, p->prot);
}

static void probe_window(TREE *self, const struct window *w)
{
	struct probe *p = probe_new(self, PROBE_WINDOW, w->node, w->proc, w->start, w->len);

	p->addr = (unsigned long)w->at;
	p->prot = w->prot;
	p->expected = model_pages(self, &node[w->node], w->start, w->len, w->prot);
}

/* Everything that a process has; 0, or the number of the first probe that failed + 1. */
static long try_process(TREE *self, int proc)
{
	unsigned int i, due = 0;
	int n;

	nr_probes = 0;
	for (n = 0; n < nodes; n++) {
		if (node[n].fd[proc] < 0)
			continue;
		due += node[n].export ? EXPORT_PROBES : TARGET_PROBES;
		probe_node(self, n, proc);
	}
	for (i = 0; i < WINDOWS; i++) {
		if (!window[i].at || window[i].proc != proc)
			continue;
		due++;
		probe_window(self, &window[i]);
	}
	/* None was left out. */
	if (nr_probes != due || peer_call(&self->p[proc], op_probe, nr_probes, self->dev))
		return -1;
	for (i = 0; i < nr_probes; i++)
		if (probes[i].result != probes[i].expected)
			return i + 1;
	return 0;
}

#endif /* XMAP_TREE_H */
