// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an actor does with the memory of others, and its own: windows.
 */
#include "stress.h"

#define MAX_WINDOWS 8
#define GHOST_SECONDS 120

struct window {
	void *mem;
	unsigned int slot;
	__u64 inc;
	unsigned int first;
	unsigned int n;
	bool writable;
	int target;
	struct chain chain;
};

static struct window windows[MAX_WINDOWS];

/* ---- Windows ---- */

static bool current_inc(unsigned int slot, __u64 inc)
{
	return get(&ledger->actor[slot].inc) == inc;
}

static void window_unmap(struct window *w)
{
	if (!w->mem)
		return;
	if (munmap(w->mem, w->n * PAGE))
		error_at(E_CALL, "actor %u: munmap of a window: %s", self.slot, strerror(errno));
	w->mem = NULL;
	count(C_UNMAP);
}

/* A page of a region, the hot ones more often. */
unsigned int random_page(void)
{
	const struct extent *e = &extents[rnd(NR_REGIONS)];

	return e->first + (rnd(2) ? rnd(e->pages) : rnd(e->pages > 16 ? 16 : e->pages));
}

static void window_map(struct window *w, int target, enum region region)
{
	struct target *t = &targets[target];
	const struct extent *e = &extents[region];
	void *mem;

	window_unmap(w);
	if (t->fd < 0)
		return;
	*w = (struct window){
		.slot = t->slot, .inc = t->inc, .target = target, .chain = t->chain,
	};
	/* One page, a region, or all with the holes between. */
	switch (rnd(4)) {
	case 0:
		w->n = NR_PAGES;
		break;
	case 1:
		w->first = random_page();
		w->n = 1;
		break;
	default:
		w->first = e->first;
		w->n = e->pages;
	}
	w->writable = rnd(4);
	mem = _test_window_map(t->fd, (unsigned long)page_at(w->slot, w->first), w->n * PAGE,
			       PROT_READ | (w->writable ? PROT_WRITE : 0));
	if (mem == MAP_FAILED) {
		call_failed(t->slot, t->inc, &t->chain, "mapping");
		return;
	}
	w->mem = mem;
	count(C_MAP);
	if (ledger->actor[w->slot].source == ledger->actor[self.slot].source)
		count(C_MUTUAL);
}

/* Its owner is no more, so sooner or later all of it has to be gone. */
static void window_bury(struct window *w)
{
	__u64 until = test_now_ms() + GHOST_SECONDS * 1000ULL;
	struct look l;
	unsigned int i;
	__u64 value;

	for (i = 0; i < w->n; i++) {
		for (;;) {
			look_begin(&l, w->slot, w->inc, w->first + i, &w->chain);
			if (touch_load(w->mem + i * PAGE, &value))
				break;
			look_source_word(&l, value, "a window on the dead");
			if (stopping())
				return;
			if (test_now_ms() > until) {
				error_at(E_GHOST, "actor %u: page %u outlives actor %u.%llu: %llx",
					 self.slot, w->first + i, w->slot, w->inc, value);
				break;
			}
			answer();
			sched_yield();
		}
	}
	count(C_DEAD_WINDOWS);
	window_unmap(w);
}

/* What it was made of has been taken back: no page of it is there, and it is of no use. */
static void window_forget(struct window *w)
{
	struct look l;
	unsigned int i;
	__u64 value;

	for (i = 0; i < w->n; i++) {
		look_begin(&l, w->slot, w->inc, w->first + i, &w->chain);
		if (!touch_load(w->mem + i * PAGE, &value))
			look_source_word(&l, value, "a window on what was taken");
	}
	count(C_TAKEN_WINDOWS);
	window_unmap(w);
}

static unsigned int window_page(const struct window *w)
{
	unsigned int page;

	if (w->n == 1)
		return w->first;
	/* The ends of ranges are where mistakes are. */
	if (rnd(8) == 0)
		return w->first + (rnd(2) ? 0 : w->n - 1);
	do {
		page = w->n == NR_PAGES ? random_page() : w->first + rnd(w->n);
	} while (region_of(page) == NR_REGIONS);
	return page;
}

static void window_signal(const struct look *l, int sig, bool store)
{
	if (sig == SIGBUS)
		look_missing(l, store, store ? "store" : "load");
	else
		error_at(E_SIGNAL, "actor %u: signal %d at actor %u.%llu page %u", self.slot, sig,
			 l->slot, l->inc, l->page);
}

static void window_load(struct window *w, unsigned int page)
{
	__u64 *mem = w->mem + (page - w->first) * PAGE;
	struct look l;
	__u64 value;
	int sig;

	look_begin(&l, w->slot, w->inc, page, &w->chain);
	sig = touch_load(mem + source_words[rnd(ARRAY_SIZE(source_words))], &value);
	if (sig)
		window_signal(&l, sig, false);
	else
		look_source_word(&l, value, "load");
	count(C_PAGES);
}

static void window_load_own(struct window *w, unsigned int page)
{
	__u64 *mem = w->mem + (page - w->first) * PAGE;
	enum path via = rnd(NR_PATHS);
	struct look l;
	__u64 value;
	int sig;

	look_begin(&l, w->slot, w->inc, page, &w->chain);
	sig = touch_load(mem + reader_word(self.slot, via), &value);
	if (sig)
		window_signal(&l, sig, false);
	else
		look_own_word(&l, via, value, "load");
}

static void window_store(struct window *w, unsigned int page)
{
	__u64 *mem = w->mem + (page - w->first) * PAGE;
	__u64 seq, wipes;
	struct look l;
	int sig;

	if (!w->writable || !page_writable_by_readers(page) || region_of(page) == NR_REGIONS)
		return;
	look_begin(&l, w->slot, w->inc, page, &w->chain);
	seq = write_begin(&l, PATH_WINDOW, &wipes);
	sig = touch_store(mem + reader_word(self.slot, PATH_WINDOW),
			  reader_stamp(self.slot, PATH_WINDOW, w->slot, w->inc, page, seq));
	if (sig) {
		window_signal(&l, sig, true);
		return;
	}
	write_done(&l, PATH_WINDOW, wipes, seq, "store");
	count(C_STORES);
}

static void window_use(struct window *w)
{
	unsigned int turns = 8 + rnd(64), page = window_page(w);

	while (turns--) {
		if (rnd(3) == 0)
			page = window_page(w);
		window_load(w, page);
		switch (rnd(4)) {
		case 0:
			window_store(w, page);
			break;
		case 1:
			window_load_own(w, page);
			break;
		}
	}
}

static struct window *find_window(unsigned int slot, unsigned int page)
{
	unsigned int i;

	for (i = 0; i < MAX_WINDOWS; i++) {
		struct window *w = &windows[i];

		if (w->mem && w->slot == slot && current_inc(slot, w->inc) && page >= w->first &&
		    page < w->first + w->n)
			return w;
	}
	return NULL;
}

/* A target on what a slot has now, or -1. */
static int find_target(unsigned int slot)
{
	unsigned int i;

	for (i = 0; i < MAX_TARGETS; i++) {
		struct target *t = &targets[i];

		if (t->fd >= 0 && t->slot == slot && current_inc(slot, t->inc))
			return i;
	}
	return -1;
}

/* Somebody changes a few pages all the time: be there while it does. */
static bool pursue(void)
{
	unsigned int tries = ledger->actors, turns = 400, page;
	unsigned int slot = rnd(ledger->actors);
	struct window *w;
	__u64 hot;
	int t;

	do {
		slot = (slot + 1) % ledger->actors;
		hot = get(&ledger->actor[slot].hot);
	} while (!hot && --tries);
	if (!hot)
		return false;
	page = hot >> 32;
	w = find_window(slot, page);
	if (!w) {
		t = find_target(slot);
		w = &windows[rnd(MAX_WINDOWS)];
		if (t < 0 || (w->mem && !current_inc(w->slot, w->inc)))
			return false;
		actor_beat("map to chase");
		window_map(w, t, region_of(page));
		if (!w->mem || page < w->first || page >= w->first + w->n)
			return true;
	}
	if (page + (__u32)hot > w->first + w->n)
		return false;
	actor_beat("chase pages");
	while (turns-- && get(&ledger->actor[slot].hot) == hot) {
		window_load(w, page + rnd((__u32)hot));
		if (rnd(16) == 0)
			window_store(w, page + rnd((__u32)hot));
		answer();
	}
	count(C_CHASE);
	return true;
}

static void window_prefault(struct window *w)
{
	struct target *t = &targets[w->target];
	unsigned int page = window_page(w), n;
	struct look l;
	__u64 done;
	bool write;

	if (t->fd < 0 || t->slot != w->slot || t->inc != w->inc)
		return;
	n = 1 + rnd(w->first + w->n - page);
	write = w->writable && rnd(2);
	look_begin(&l, w->slot, w->inc, page, &w->chain);
	count(C_PREFAULT);
	if (!_test_target_prefault(t->fd, write ? XMAP_TARGET_PREFAULT_WRITE : 0,
				   w->mem + (page - w->first) * PAGE, n * PAGE, &done))
		return;
	if (errno == EFAULT)
		look_missing(&l, write, "prefault");
	/* The target was closed and opened again since: it is not that of the window. */
	else if (errno != EINVAL)
		call_failed(w->slot, w->inc, &w->chain, "prefault");
}

/* A window is one piece. */
static void window_cut(struct window *w)
{
	if (w->n < 2)
		return;
	if (!munmap(w->mem + PAGE, (w->n - 1) * PAGE) || errno != EINVAL)
		error_at(E_CALL, "actor %u: partial munmap: %s", self.slot, strerror(errno));
	count(C_UNMAP_PART);
}

/* In a child: windows are not inherited. */
bool reader_window_is_absent(void)
{
	struct window *w = &windows[rnd(MAX_WINDOWS)];

	return !w->mem || touch(w->mem) == SIGSEGV;
}

/* For other files: the guard of a load belongs to the file that loads. */
int guarded_load(const void *addr, __u64 *value)
{
	return touch_load(addr, value);
}

/* ---- One thing ---- */

/* Here, because the guard of a load belongs to the file that loads. */
void reader_setup(void)
{
	touch_init();
	lease_setup();
}

void reader_step(void)
{
	struct window *w = &windows[rnd(MAX_WINDOWS)];
	struct target *t = &targets[rnd(MAX_TARGETS)];
	unsigned int what = rnd(100);

	parcel_receive();
	share_step();
	if (what >= 40 && pursue())
		return;
	if (w->mem && !current_inc(w->slot, w->inc)) {
		actor_beat("bury");
		window_bury(w);
	} else if (w->mem && chain_all_taken(&w->chain)) {
		actor_beat("forget");
		window_forget(w);
	} else if (t->fd < 0 || what < 2) {
		actor_beat("open");
		target_open(t);
	} else if (what < 5) {
		actor_beat("derive");
		target_derive(t);
	} else if (!w->mem || what < 9) {
		actor_beat("map");
		window_map(w, t - targets, rnd(NR_REGIONS));
	} else if (what < 11) {
		actor_beat("unmap");
		window_unmap(w);
	} else if (what < 13) {
		actor_beat("cut");
		window_cut(w);
	} else if (what < 17) {
		actor_beat("prefault");
		window_prefault(w);
	} else if (what < 20) {
		actor_beat("poll");
		target_poll(t);
	} else if (what < 22) {
		actor_beat("list");
		target_list(t);
	} else if (what < 40) {
		actor_beat("copy");
		copies_step(t);
	} else {
		actor_beat("look");
		window_use(w);
	}
}
