// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions of others: mapped by a handle that they have lent, or taken over for a
 * moment by who finds that their owner has given them away.
 */
#include "stress.h"

#define MAX_SHARES 2
#define LOOKS 24

static struct share {
	void *mem;
	unsigned int slot;
	__u64 inc;
	struct chain chain;
} shares[MAX_SHARES];

static void *region_look_map(int fd, enum region region)
{
	return mmap(NULL, extents[region].pages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
}

static void share_drop(struct share *s)
{
	if (s->mem)
		munmap(s->mem, extents[REGION_SHARED].pages * PAGE);
	s->mem = NULL;
}

/* The mapping is all that is kept; there may be no more to be mapped by now. */
void share_receive(int fd, unsigned int slot, __u64 inc, const struct chain *chain)
{
	struct share *s = &shares[rnd(MAX_SHARES)];
	unsigned int i;
	void *mem;

	for (i = 0; s->mem && i < MAX_SHARES; i++)
		s = &shares[i];
	share_drop(s);
	mem = region_look_map(fd, REGION_SHARED);
	if (mem != MAP_FAILED) {
		*s = (struct share){ mem, slot, inc, *chain };
		count(C_LOAN_RECEIVED);
	} else if (errno == ENOMEM) {
		count(C_NO_MEMORY);
	} else if (errno != EACCES && !(errno == ESTALE && chain_excuses(chain))) {
		/* EACCES: it was shorter just then. */
		error_at(E_CALL, "actor %u: mapping the region of actor %u.%llu: %s", self.slot,
			 slot, inc, strerror(errno));
	}
	close(fd);
}

/* One word of one page; returns the signal. */
static int region_look(struct look *l, void *mem, unsigned int i, const char *how)
{
	const __u64 *page = mem + i * PAGE;
	__u64 wipes = get(&ledger->page[l->slot][l->page].wipes), value;
	int sig = guarded_load(page + source_words[rnd(ARRAY_SIZE(source_words))], &value);

	if (!sig)
		look_content(l, wipes, value, how);
	else if (sig != SIGBUS)
		error_at(E_SIGNAL, "actor %u: signal %d at a region of actor %u.%llu", self.slot,
			 sig, l->slot, l->inc);
	return sig;
}

static void share_look(struct share *s, unsigned int i)
{
	struct look l;

	look_begin(&l, s->slot, s->inc, extents[REGION_SHARED].first + i, &s->chain);
	if (region_look(&l, s->mem, i, "region") == SIGBUS)
		look_missing(&l, false, "region");
	count(C_LOAN_LOOKS);
}

static void share_use(struct share *s)
{
	unsigned int pages = extents[REGION_SHARED].pages, i;

	if (!chain_all_taken(&s->chain)) {
		actor_beat("look at a region");
		for (i = 0; i < LOOKS; i++)
			share_look(s, rnd(pages));
		return;
	}
	actor_beat("forget a region");
	for (i = 0; i < pages; i++)
		share_look(s, i);
	count(C_TAKEN_LOANS);
	share_drop(s);
}

/* ---- Regions with a single owner ---- */

/* All that is not this process's must not be there. */
static void nothing_there(void *mem, unsigned int slot, const char *when)
{
	unsigned int i;
	__u64 value;

	for (i = 0; i < extents[REGION_OWNED].pages; i += 1 + rnd(8))
		if (!guarded_load(mem + i * PAGE, &value))
			error_at(E_TAKEN, "actor %u sees %llx of what actor %u owns, %s",
				 self.slot, value, slot, when);
}

/* It is: all pages are there, as they were last written. */
static void all_there(void *mem, unsigned int slot, __u64 inc)
{
	const struct chain none = {};
	struct look l;
	unsigned int i;

	for (i = 0; i < extents[REGION_OWNED].pages; i += 1 + rnd(8)) {
		look_begin(&l, slot, inc, extents[REGION_OWNED].first + i, &none);
		if (region_look(&l, mem, i, "taken region"))
			error_at(E_SIGNAL, "actor %u: no page %u in what it took from actor %u",
				 self.slot, i, slot);
	}
}

static int region_open(unsigned int slot, __u64 inc)
{
	struct xmap_cmd_region_open cmd = { .size = sizeof(cmd), .rights = XMAP_RIGHT_READ };
	int err;

	region_name(cmd.name, slot, inc);
	if (!ioctl(self.dev, XMAP_REGION_OPEN, &cmd))
		return cmd.out_fd;
	err = errno;
	if (err == ENOMEM)
		count(C_NO_MEMORY);
	else if (owner_was_alive(slot, inc))
		error_at(E_CALL, "actor %u: opening the region of actor %u.%llu: %s", self.slot,
			 slot, inc, strerror(err));
	return -1;
}

static void region_borrow(int fd, void *mem, unsigned int slot, __u64 inc)
{
	struct xmap_cmd_region_give give = { .size = sizeof(give) };
	struct xmap_cmd_region_take take = { .size = sizeof(take) };
	unsigned int turns = rnd(200);
	int err = 0;

	nothing_there(mem, slot, "never had");
	while ((err = ioctl(fd, XMAP_REGION_TAKE, &take) ? errno : 0) == EBUSY && turns--) {
		answer();
		sched_yield();
	}
	if (err == EBUSY) {
		count(C_BORROW_BUSY);
		nothing_there(mem, slot, "not taken");
		return;
	}
	if (err) {
		error_at(E_CALL, "actor %u: taking the region of actor %u.%llu: %s", self.slot,
			 slot, inc, strerror(err));
		return;
	}
	all_there(mem, slot, inc);
	if (ioctl(fd, XMAP_REGION_GIVE, &give))
		error_at(E_CALL, "actor %u: giving back the region of actor %u.%llu: %s",
			 self.slot, slot, inc, strerror(errno));
	nothing_there(mem, slot, "given back");
	count(C_BORROWED);
}

static void borrow(void)
{
	unsigned int slot = rnd(ledger->actors);
	__u64 inc = get(&ledger->actor[slot].ready);
	void *mem;
	int fd;

	if (!inc || slot == self.slot)
		return;
	actor_beat("borrow");
	fd = region_open(slot, inc);
	if (fd < 0)
		return;
	mem = region_look_map(fd, REGION_OWNED);
	if (mem != MAP_FAILED) {
		region_borrow(fd, mem, slot, inc);
		munmap(mem, extents[REGION_OWNED].pages * PAGE);
	} else if (errno == ENOMEM) {
		count(C_NO_MEMORY);
	} else {
		error_at(E_CALL, "actor %u: mapping an owned region: %s", self.slot,
			 strerror(errno));
	}
	close(fd);
}

/* What has been taken back is looked at first, while there is somebody to look. */
void share_step(void)
{
	struct share *s = &shares[rnd(MAX_SHARES)];
	bool taken = s->mem && chain_all_taken(&s->chain);

	if (!taken && rnd(8))
		return;
	if (taken || (s->mem && rnd(3)))
		share_use(s);
	else
		borrow();
}
