// SPDX-License-Identifier: GPL-2.0-only
/*
 * What was made of what, with which rights, and what of it was taken back.
 *
 * The actors keep account of that in the memory that they share.  An object is known
 * by its number in XMAP_LIST, which its maker looks up when it is there.  With two
 * threads at it, it can remain unknown which is whose; then nothing is expected of it.
 *
 * A revocation is noted when it has returned.  From then on must hold, in every
 * process, whoever made what and wherever it has been passed on:
 *
 *  - A window shows nothing of what was taken from what it was made of.
 *  - A target answers no copy there, and says of itself that it is revoked, to
 *    poll() too, if nothing is left of it.
 *
 * And always:
 *
 *  - Nothing has a right, or reaches an address, that what it was made of does not.
 *  - Who refuses is opened by nobody, and what there was is taken back.
 */
#include <poll.h>
#include <sys/ioctl.h>

#include "actor.h"
#include "fuzz.h"

#define LISTED 16
/* Pages of a window that are looked at, and windows of a process. */
#define PAGES_LOOKED_AT 20
#define MAX_WINDOWS 24

/* Calls @fn with each that the process sees, until it says false.  -1 if it cannot. */
int list_each(bool (*fn)(const struct xmap_list_entry *e, void *data), void *data)
{
	struct xmap_list_entry entries[LISTED];
	struct xmap_cmd_list cmd = {
		.size = sizeof(cmd),
		.entries = (uintptr_t)entries,
		.count = LISTED,
	};
	__u32 i;

	do {
		cmd.cursor = cmd.out_cursor;
		if (ioctl(executor->dev, XMAP_LIST, &cmd))
			return -1;
		for (i = 0; i < cmd.out_count; i++)
			if (!fn(&entries[i], data))
				return 0;
	} while (cmd.out_cursor);
	return 0;
}

/* ---- What was made ---- */

static __u32 nr_nodes(const struct run *r)
{
	__u32 n = __atomic_load_n(&r->nnodes, __ATOMIC_SEQ_CST);

	return n < MAX_NODES ? n : MAX_NODES;
}

static __u64 serial_of(const struct node *n)
{
	return __atomic_load_n(&n->serial, __ATOMIC_SEQ_CST);
}

/* @node is a place plus one, 0 for none. */
const struct node *node_of(const struct run *r, __u32 node)
{
	return node ? &r->node[node - 1] : NULL;
}

const struct node *node_find(const struct run *r, __u64 serial)
{
	__u32 i;

	for (i = 0; serial && i < nr_nodes(r); i++)
		if (serial_of(&r->node[i]) == serial)
			return &r->node[i];
	return NULL;
}

__u32 node_with_id(const struct run *r, __u64 id)
{
	__u32 i;

	for (i = 0; i < nr_nodes(r); i++)
		if (serial_of(&r->node[i]) && r->node[i].id == id)
			return i + 1;
	return 0;
}

/* The number, or the id, of what was made last (1), before that (2), ...; else @nth itself. */
__u64 node_recent(const struct run *r, __u64 nth, bool id)
{
	__u32 i = nr_nodes(r);
	__u64 left = nth;

	while (nth && i--) {
		if (!serial_of(&r->node[i]) || (id && !r->node[i].id))
			continue;
		if (!--left)
			return id ? r->node[i].id : r->node[i].serial;
	}
	return nth;
}

struct search {
	const struct run *run;
	const struct node *asked;
	struct xmap_list_entry found;
	__u32 n;
};

static bool is_new(const struct xmap_list_entry *e, void *data)
{
	struct search *s = data;

	if (e->kind == s->asked->kind && e->holder_pid == getpid() &&
	    !node_find(s->run, e->serial)) {
		s->found = *e;
		s->n++;
	}
	return true;
}

/*
 * Note what the caller has just made; his descriptor is in no slot yet.  Returns its
 * place plus one, or 0 if it is not sure which it is.  @parent is that of what it
 * was made from.
 */
__u32 node_new(struct ctx *x, const struct node *asked, __u32 parent)
{
	const struct node *above = node_of(x->run, parent);
	struct search s = { .run = x->run, .asked = asked };
	struct node *n;
	__u32 i;

	if (list_each(is_new, &s) || s.n != 1)
		return 0;
	i = __atomic_fetch_add(&x->run->nnodes, 1, __ATOMIC_SEQ_CST);
	if (i >= MAX_NODES)
		return 0;
	n = &x->run->node[i];
	*n = *asked;
	n->serial = 0;
	n->start = s.found.addr;
	n->end = s.found.addr + s.found.length;
	/* All of a region means also what it will be. */
	if (n->kind == XMAP_LIST_REGION && !asked->end)
		n->end = above ? above->end : ~0UL;
	n->parent = s.found.parent;
	n->owner = s.found.target_pid;
	n->maker = getpid();
	/* A target that was derived comes from consent if what it is derived from does. */
	if (!above)
		above = node_find(x->run, n->parent);
	if (above)
		n->consent = above->consent;
	__atomic_store_n(&n->serial, s.found.serial, __ATOMIC_SEQ_CST);
	if (above && n->parent != above->serial)
		run_fail(x->run, BAD_RIGHTS, "%llu was made from %llu, and is listed below %llu",
			 (unsigned long long)n->serial, (unsigned long long)above->serial,
			 (unsigned long long)n->parent);
	return i + 1;
}

/* ---- What was taken back ---- */

void node_taken(struct run *r, __u64 serial, __u64 addr, __u64 len)
{
	__u32 i = __atomic_fetch_add(&r->ntaken, 1, __ATOMIC_SEQ_CST);

	if (i >= MAX_TAKEN)
		return;
	r->taken[i].start = addr;
	r->taken[i].end = addr || len ? addr + len : ~0UL;
	__atomic_store_n(&r->taken[i].serial, serial, __ATOMIC_SEQ_CST);
}

/* A revocation of the object or of what it was made from that meets the range, or NULL. */
const struct taken *taken_from(const struct run *r, __u64 serial, __u64 start, __u64 end)
{
	__u32 i, n = __atomic_load_n(&r->ntaken, __ATOMIC_SEQ_CST);
	const struct node *node;

	for (; serial; serial = node ? node->parent : 0) {
		for (i = 0; i < n && i < MAX_TAKEN; i++) {
			const struct taken *t = &r->taken[i];

			if (__atomic_load_n(&t->serial, __ATOMIC_SEQ_CST) == serial &&
			    t->start < end && t->end > start)
				return t;
		}
		node = node_find(r, serial);
	}
	return NULL;
}

/* ---- Denial ---- */

static __s32 pid_of(enum actor who)
{
	return who == VICTIM ? victim_pid : PID_SELF;
}

/* It is no more that nobody can open this process. */
void denial_clear(struct ctx *x, enum actor who)
{
	__u32 *denied = &x->run->denied[who == VICTIM];
	__u32 was = __atomic_load_n(denied, __ATOMIC_SEQ_CST);

	if (was & 1)
		__atomic_compare_exchange_n(denied, &was, was + 1, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
}

/*
 * The caller refuses from now on, and what others have opened without privilege is
 * taken back.  (Of two threads, the other may have said the contrary since.)
 */
void denial_set(struct ctx *x)
{
	__u32 *denied = &x->run->denied[x->who == VICTIM];
	__u32 i, was = __atomic_load_n(denied, __ATOMIC_SEQ_CST);

	if (executor->uid == 0 || !alone(x))
		return;
	if (!(was & 1))
		__atomic_compare_exchange_n(denied, &was, was + 1, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
	for (i = 0; i < nr_nodes(x->run); i++) {
		const struct node *n = &x->run->node[i];

		if (serial_of(n) && !n->consent && !n->parent && n->owner == pid_of(x->who) &&
		    n->maker != n->owner)
			node_taken(x->run, n->serial, 0, 0);
	}
}

/* @opened is new, and before it was asked for @before was so. */
void denial_check(struct ctx *x, const struct node *opened, const __u32 *before)
{
	int i;

	for (i = 0; opened && i < 2; i++) {
		if (opened->owner != pid_of(i ? VICTIM : MAIN) || opened->maker == opened->owner)
			continue;
		if (before[i] & 1 &&
		    __atomic_load_n(&x->run->denied[i], __ATOMIC_SEQ_CST) == before[i])
			run_fail(x->run, BAD_RIGHTS, "process %d was opened, which refuses",
				 opened->owner);
	}
}

/* ---- What must hold ---- */

static void check_page(struct ctx *x, const struct xmap_list_entry *e, __u64 off)
{
	const struct taken *t = taken_from(x->run, e->parent, e->addr + off, e->addr + off + PAGE);
	__u64 shown;

	if (t && try_load(e->local + off, &shown))
		run_fail(x->run, BAD_REVOKED, "window %#llx shows %#llx, revoked from %llu",
			 (unsigned long long)(e->local + off), (unsigned long long)shown,
			 (unsigned long long)t->serial);
}

struct looker {
	struct ctx *x;
	__u32 windows;
};

static bool check_window(const struct xmap_list_entry *e, void *data)
{
	struct looker *looker = data;
	__u64 npages = e->length / PAGE, step = npages / PAGES_LOOKED_AT + 1, i;

	if (e->kind != XMAP_LIST_WINDOW || e->holder_pid != getpid() || !npages ||
	    looker->windows == MAX_WINDOWS)
		return true;
	looker->windows++;
	for (i = 0; i < npages; i += step)
		check_page(looker->x, e, i * PAGE);
	check_page(looker->x, e, (npages - 1) * PAGE);
	return true;
}

static void check_power(struct ctx *x, const struct xmap_list_entry *e, __u64 serial)
{
	const struct node *n;

	for (n = node_find(x->run, serial); n; n = node_find(x->run, n->parent)) {
		if (!(e->rights & ~n->rights) && (!e->addr || e->addr >= n->start) &&
		    e->addr + e->length <= n->end)
			continue;
		run_fail(x->run, BAD_RIGHTS, "%llu has %#x on %#llx+%#llx, %llu %#x to %#llx",
			 (unsigned long long)e->serial, e->rights, (unsigned long long)e->addr,
			 (unsigned long long)e->length, (unsigned long long)n->serial, n->rights,
			 (unsigned long long)n->end);
	}
}

/* What is listed as its own reveals addresses; those of others are not compared. */
static bool check_listed(const struct xmap_list_entry *e, void *data)
{
	struct ctx *x = data;

	if (e->holder_pid == getpid())
		check_power(x, e, e->kind == XMAP_LIST_WINDOW ? e->parent : e->serial);
	return true;
}

/* The calling process's windows, after somebody has taken something back. */
void check_taken(struct ctx *x)
{
	struct looker looker = { .x = x };

	if (__atomic_load_n(&x->run->ntaken, __ATOMIC_SEQ_CST))
		list_each(check_window, &looker);
}

static void check_target(struct ctx *x, int fd, const struct node *n)
{
	struct xmap_cmd_target_info info = { .size = sizeof(info) };
	struct pollfd pfd = { .fd = fd, .events = POLLHUP };
	const struct taken *t = taken_from(x->run, n->serial, n->start, n->end);
	__u64 at;
	char byte;

	if (!t || ioctl(fd, XMAP_TARGET_INFO, &info))
		return;
	at = t->start > n->start ? t->start : n->start;
	if (pread(fd, &byte, 1, at) == 1)
		run_fail(x->run, BAD_REVOKED, "target %llu reads %#llx, revoked from %llu",
			 (unsigned long long)n->serial, (unsigned long long)at,
			 (unsigned long long)t->serial);
	if (t->start > n->start || t->end < n->end)
		return;
	if (info.out_state != XMAP_TARGET_REVOKED || poll(&pfd, 1, 0) < 0 ||
	    !(pfd.revents & POLLHUP))
		run_fail(x->run, BAD_REVOKED, "target %llu: state %u, poll %#x, revoked from %llu",
			 (unsigned long long)n->serial, info.out_state, pfd.revents,
			 (unsigned long long)t->serial);
}

/* Everything that the calling process has a descriptor of, or has listed. */
void check_handles(struct ctx *x)
{
	const struct node *n;
	int i;

	list_each(check_listed, x);
	for (i = 0; i < SLOTS; i++) {
		n = node_of(x->run, slots[i].node);
		if (n && slot_kind(i) == KIND_TARGET)
			check_target(x, slot_fd(i), n);
	}
}
