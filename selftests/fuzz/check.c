// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must hold at the end of every program, when nobody does anything any more.
 *
 *  - Each canary is what it was.
 *  - What a window shows is what its target has at that address, page by page, and
 *    where the target has nothing, there is nothing in the window.
 *  - A window on an address space that has ended shows nothing.
 *  - What has been taken back is out of reach: tree.c.
 */
#include "actor.h"
#include "fuzz.h"

#define MAX_WINDOWS 24
#define PAGES_COMPARED 6

/* What the target has; false if nothing, or nobody there to ask. */
static bool remote_load(struct ctx *x, bool self, __u64 addr, __u64 *value)
{
	struct order order = { .first = ORDER_PEEK, .addr = addr };

	if (self)
		return try_load(addr, value);
	if (!victim_ask(x, &order))
		return false;
	*value = order.value;
	return order.ok;
}

static void compare_page(struct ctx *x, const struct xmap_list_entry *e, __u64 off)
{
	bool self = e->target_pid == PID_SELF;
	__u64 shown, there = 0;
	bool has = false;
	int i;

	/* Once more if they differ: the kernel itself may take a page that was given up. */
	for (i = 0; i < 2; i++) {
		if (!try_load(e->local + off, &shown))
			return;
		if (e->state == XMAP_TARGET_DEAD) {
			run_fail(x->run, BAD_CONTENT, "window %#llx shows memory of a dead target",
				 (unsigned long long)(e->local + off));
			return;
		}
		has = remote_load(x, self, e->addr + off, &there);
		if (!self && !x->victim)
			return;
		if (has && there == shown)
			return;
	}
	run_fail(x->run, BAD_CONTENT, "window %#llx shows %#llx, where %s has %s%#llx, at %#llx",
		 (unsigned long long)(e->local + off), (unsigned long long)shown,
		 self ? "the process itself" : "the victim", has ? "" : "no memory, not ",
		 (unsigned long long)there, (unsigned long long)(e->addr + off));
}

static void compare_window(struct ctx *x, const struct xmap_list_entry *e)
{
	__u64 npages = e->length / PAGE, step = npages / PAGES_COMPARED + 1, i;

	for (i = 0; i < npages; i += step)
		compare_page(x, e, i * PAGE);
	if (npages)
		compare_page(x, e, (npages - 1) * PAGE);
}

struct checked {
	struct ctx *x;
	__u32 seen;
};

static bool check_window(const struct xmap_list_entry *e, void *data)
{
	struct checked *checked = data;
	struct ctx *x = checked->x;

	/* Numbers from outside of the namespace are 0. */
	if (e->kind != XMAP_LIST_WINDOW || e->holder_pid != getpid())
		return true;
	if (e->state == XMAP_TARGET_DEAD || e->target_pid == PID_SELF ||
	    (x->victim && e->target_pid == victim_pid)) {
		compare_window(x, e);
		checked->seen++;
	}
	return checked->seen < MAX_WINDOWS;
}

void check_end(struct ctx *x)
{
	struct order order = { .first = ORDER_CANARY }, tree = { .first = ORDER_CHECK };
	struct checked checked = { .x = x };

	if (!canary_intact())
		run_fail(x->run, BAD_CANARY, "the canary of the executor has changed");
	if (victim_ask(x, &order) && !order.ok)
		run_fail(x->run, BAD_CANARY, "the canary of the victim has changed");
	list_each(check_window, &checked);
	check_handles(x);
	check_taken(x);
	check_region_handles(x);
	check_regions(x, true);
	victim_ask(x, &tree);
	check_single(x);
}
