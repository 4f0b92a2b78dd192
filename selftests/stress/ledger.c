// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ledger, and what it says about what was found.  The rules are explained in
 * stress.h.
 */
#include <stdarg.h>

#include "stress.h"

const struct extent extents[NR_REGIONS] = {
	[REGION_ANON] = { 0, 64 },
	[REGION_MEMFD] = { 64, 64 },
	[REGION_KSM] = { 128, 32 },
	[REGION_HUGE] = { 512, 512 },
	[REGION_SHARED] = { 192, 64 },
	[REGION_OWNED] = { 256, 64 },
};

/* From end to end, so that no half of an old page can hide. */
const unsigned int source_words[8] = { 0, 1, 127, 200, 256, 383, 510, 511 };

struct ledger *ledger;

enum region region_of(unsigned int page)
{
	enum region r;

	for (r = 0; r < NR_REGIONS; r++)
		if (page >= extents[r].first && page - extents[r].first < extents[r].pages)
			break;
	return r;
}

/* The descriptor stays open over exec: the next program attaches to the same. */
int ledger_create(void)
{
	int fd = memfd_create("xmap-stress", 0);

	if (fd < 0 || ftruncate(fd, sizeof(*ledger)) || ledger_attach(fd))
		return -1;
	/* All of it is there from now on, and charged to no group. */
	memset(ledger, 0, sizeof(*ledger));
	return fd;
}

int ledger_attach(int fd)
{
	ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return ledger == MAP_FAILED ? -1 : 0;
}

void error_at(enum error kind, const char *fmt, ...)
{
	__u32 record = __atomic_fetch_add(&ledger->records, 1, __ATOMIC_SEQ_CST);
	va_list ap;

	__atomic_add_fetch(&ledger->errors[kind], 1, __ATOMIC_SEQ_CST);
	if (record >= NR_RECORDS)
		return;
	va_start(ap, fmt);
	vsnprintf(ledger->record[record], sizeof(ledger->record[record]), fmt, ap);
	va_end(ap);
}

/* The slot goes to the next incarnation.  Only when the last one is no more. */
void slot_renew(unsigned int slot)
{
	struct actor *a = &ledger->actor[slot];
	unsigned int page;
	__u64 inc = (get(&a->inc) + 1) & INC_MASK ?: 1;

	put(&a->ready, 0);
	put(&a->hot, 0);
	put(&a->inc, inc);
	for (page = 0; page < NR_PAGES; page++) {
		struct page *p = &ledger->page[slot][page];
		__u64 step = (p->phase & ~(INC_MASK << PHASE_INC_SHIFT)) + PHASE_STEP;

		put(&p->wipes, p->wipes | 1);
		put(&p->phase, inc << PHASE_INC_SHIFT | (step & ~PHASE_FLAGS) | PHASE_CHANGING);
	}
}

/* ---- Is the owner alive? ---- */

/* Say so, if anybody asks. */
void answer(void)
{
	struct actor *me = &ledger->actor[self.slot];
	__u64 reply = get(&me->asked) | self.inc << PHASE_INC_SHIFT;

	if (get(&me->answered) != reply)
		put(&me->answered, reply);
}

/*
 * Wait for its answer, or for its end.  Only an answer to a question that was asked
 * after the event proves that it was alive at the event.
 */
bool owner_was_alive(unsigned int slot, __u64 inc)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct actor *a = &ledger->actor[slot];
	__u64 question = __atomic_add_fetch(&a->asked, 1, __ATOMIC_SEQ_CST);
	__u64 reply;

	count(C_QUESTIONS);
	for (;;) {
		if (get(&a->inc) != inc || get(&a->leaving) == inc)
			return false;
		reply = get(&a->answered);
		if (reply >> PHASE_INC_SHIFT == inc &&
		    (reply & (BIT64(PHASE_INC_SHIFT) - 1)) >= question)
			return true;
		/* It may be waiting for us. */
		answer();
		nanosleep(&pause, NULL);
	}
}

/* ---- Stamps ---- */

#define KIND_SOURCE 0x51ULL
#define KIND_READER 0x60ULL
#define SAME_FOR_ALL 0xfffULL

static __u64 stamp(__u64 kind, unsigned int slot, __u64 inc, __u64 page, __u64 seq)
{
	return kind << 56 | (__u64)slot << 52 | inc << 40 | page << 28 | seq;
}

/* Pages that are to be merged must be equal. */
__u64 source_stamp(unsigned int slot, __u64 inc, unsigned int page, __u64 seq)
{
	return stamp(KIND_SOURCE, slot, inc,
		     region_of(page) == REGION_KSM ? SAME_FOR_ALL : page, seq);
}

__u64 reader_stamp(unsigned int reader, enum path via, unsigned int slot, __u64 inc,
		   unsigned int page, __u64 seq)
{
	return stamp(KIND_READER + reader * NR_PATHS + via, slot, inc, page, seq);
}

/* Words on both sides of the middle, and away from those of the source. */
unsigned int reader_word(unsigned int reader, enum path via)
{
	return via == PATH_WINDOW ? 16 + reader : 300 + reader;
}

/* What is written to by a reader equals no other page: leave some that can merge. */
bool page_writable_by_readers(unsigned int page)
{
	const struct extent *e = &extents[REGION_KSM];

	return region_of(page) != REGION_KSM || page - e->first < e->pages / 2;
}

/* ---- Leases ---- */

static __u64 lease_word(const struct lease_ref *ref)
{
	return get(&ledger->actor[ref->slot].lease[ref->index].word);
}

/* Is this page in the part that a lease of this version was taken of? */
static bool lease_in_part(const struct lease_ref *ref, unsigned int page)
{
	__u64 part = get(&ledger->actor[ref->slot].lease[ref->index].part);

	return page >= part >> 32 && page - (part >> 32) < (__u32)part;
}

/* A version that is no more tells nothing; nor does the part of one. */
static bool lease_taken(const struct lease_ref *ref, unsigned int page)
{
	__u64 word = lease_word(ref);

	if ((word & LEASE_VERSION) != ref->version)
		return false;
	if ((word & LEASE_STATE) == LEASE_TAKEN)
		return true;
	return (word & LEASE_PART) == LEASE_PART_TAKEN && lease_in_part(ref, page) &&
	       (lease_word(ref) & LEASE_VERSION) == ref->version;
}

static bool lease_may_miss(const struct lease_ref *ref, unsigned int page)
{
	__u64 word = lease_word(ref);

	if ((word & LEASE_VERSION) != ref->version || (word & LEASE_STATE) > LEASE_CLOSED)
		return true;
	return word & LEASE_PART && (lease_in_part(ref, page) ||
				     (lease_word(ref) & LEASE_VERSION) != ref->version);
}

/* Has somebody already taken back what this page depends on? */
bool chain_taken(const struct chain *chain, unsigned int page)
{
	unsigned int i;

	for (i = 0; i < chain->n; i++)
		if (lease_taken(&chain->ref[i], page))
			return true;
	return false;
}

/* All of it, not just a part? */
bool chain_all_taken(const struct chain *chain)
{
	unsigned int i;

	for (i = 0; i < chain->n; i++) {
		__u64 word = lease_word(&chain->ref[i]);

		if ((word & LEASE_VERSION) == chain->ref[i].version &&
		    (word & LEASE_STATE) == LEASE_TAKEN)
			return true;
	}
	return false;
}

/* Can somebody have taken it back by now? */
bool chain_may_miss(const struct chain *chain, unsigned int page)
{
	unsigned int i;

	for (i = 0; i < chain->n; i++)
		if (lease_may_miss(&chain->ref[i], page))
			return true;
	return false;
}

/* All or a part of it, wherever? */
bool chain_excuses(const struct chain *chain)
{
	unsigned int i;

	for (i = 0; i < chain->n; i++) {
		__u64 word = lease_word(&chain->ref[i]);

		if ((word & LEASE_VERSION) != chain->ref[i].version || word & LEASE_PART ||
		    (word & LEASE_STATE) > LEASE_CLOSED)
			return true;
	}
	return false;
}

/* ---- Looking ---- */

void look_begin(struct look *l, unsigned int slot, __u64 inc, unsigned int page,
		const struct chain *chain)
{
	const struct page *p = &ledger->page[slot][page];
	enum path via;

	*l = (struct look){ .slot = slot, .inc = inc, .page = page, .chain = chain };
	l->taken = chain_taken(chain, page);
	for (via = 0; via < NR_PATHS; via++)
		l->acked[via] = get(&p->word[self.slot][via].acked);
	/* In this order: a phase of this incarnation means a floor that is not newer. */
	l->floor = get(&p->floor);
	l->phase = get(&p->phase);
}

static bool look_is_current(const struct look *l)
{
	return l->phase >> PHASE_INC_SHIFT == l->inc;
}

/* Did all of it happen in one phase? */
static bool look_in_phase(const struct look *l)
{
	return look_is_current(l) && get(&ledger->page[l->slot][l->page].phase) == l->phase;
}

static void look_error(const struct look *l, enum error kind, const char *what, const char *how,
		       __u64 value)
{
	error_at(kind, "%s: actor %u by %s: actor %u.%llu page %u: %llx, floor %llx, phase %llx",
		 what, self.slot, how, l->slot, l->inc, l->page, value, l->floor, l->phase);
}

void look_source_word(const struct look *l, __u64 value, const char *how)
{
	const struct page *p = &ledger->page[l->slot][l->page];
	bool in_phase = look_in_phase(l);

	if (l->taken) {
		look_error(l, E_TAKEN, "taken back", how, value);
		return;
	}
	if (in_phase && l->phase & PHASE_GONE) {
		look_error(l, E_GHOST, "memory that is gone", how, value);
		return;
	}
	if (!value) {
		if (in_phase && !(l->phase & PHASE_MAY_ZERO))
			look_error(l, E_ZERO, "zero", how, value);
		return;
	}
	if ((value ^ source_stamp(l->slot, l->inc, l->page, 0)) & ~SEQ_MASK)
		look_error(l, E_FOREIGN, "foreign page", how, value);
	else if (look_is_current(l) && (value & SEQ_MASK) < l->floor)
		look_error(l, E_STALE, "stale page", how, value);
	else if ((value & SEQ_MASK) > get(&p->ceil))
		look_error(l, E_FOREIGN, "never written", how, value);
}

/*
 * A look at a region itself, not at its owner's mapping of it, which may come and go.
 * @wipes was read before.
 */
void look_content(const struct look *l, __u64 wipes, __u64 value, const char *how)
{
	const struct page *p = &ledger->page[l->slot][l->page];

	if (l->taken)
		look_error(l, E_TAKEN, "taken back", how, value);
	else if (!value && look_is_current(l) && !(wipes & 1) && get(&p->wipes) == wipes)
		look_error(l, E_ZERO, "zero", how, value);
	else if (value && (value ^ source_stamp(l->slot, l->inc, l->page, 0)) & ~SEQ_MASK)
		look_error(l, E_FOREIGN, "foreign page", how, value);
	else if (value && look_is_current(l) && (value & SEQ_MASK) < l->floor)
		look_error(l, E_STALE, "stale page", how, value);
	else if ((value & SEQ_MASK) > get(&p->ceil))
		look_error(l, E_FOREIGN, "never written", how, value);
}

/*
 * Once something was written and acknowledged, older values are stale for ever;
 * zero is right if the contents have been wiped since.
 */
void look_own_word(const struct look *l, enum path via, __u64 value, const char *how)
{
	const struct page *p = &ledger->page[l->slot][l->page];
	const struct word *w = &p->word[self.slot][via];
	__u64 acked = l->acked[via];
	__u64 wipes = get(&p->wipes);
	__u64 mine = reader_stamp(self.slot, via, l->slot, l->inc, l->page, 0);
	__u64 seq = value & SEQ_MASK;

	if (l->taken) {
		look_error(l, E_TAKEN, "taken back", how, value);
		return;
	}
	if (look_in_phase(l) && l->phase & PHASE_GONE) {
		look_error(l, E_GHOST, "memory that is gone", how, value);
		return;
	}
	if (value && (value ^ mine) & ~SEQ_MASK) {
		look_error(l, E_FOREIGN, "foreign word", how, value);
		return;
	}
	if (seq > get(&w->tried)) {
		look_error(l, E_FOREIGN, "never written", how, value);
		return;
	}
	if (!look_is_current(l) || ACK_INC(acked) != l->inc || seq >= ACK_SEQ(acked))
		return;
	if (value)
		look_error(l, E_STALE, "stale word", how, value);
	else if (!(wipes & 1) && (wipes & WIPES_MASK) == ACK_WIPES(acked))
		look_error(l, E_LOST, "lost write", how, ACK_SEQ(acked));
}

/* No memory was found there. */
void look_missing(const struct look *l, bool store, const char *how)
{
	__u64 excuses = PHASE_GONE | PHASE_MAY_MISS;

	count(C_BUS_RIGHT);
	if (store)
		excuses |= PHASE_READONLY | PHASE_MAY_REFUSE;
	if (!look_in_phase(l) || l->phase & excuses)
		return;
	if (chain_may_miss(l->chain, l->page)) {
		count(C_TAKEN_LOOKS);
		return;
	}
	if (owner_was_alive(l->slot, l->inc))
		look_error(l, E_SIGNAL, store ? "refused store" : "missing memory", how, 0);
}

/* ---- Writing ---- */

__u64 write_begin(struct look *l, enum path via, __u64 *wipes)
{
	struct page *p = &ledger->page[l->slot][l->page];
	struct word *w = &p->word[self.slot][via];

	put(&w->tried, w->tried + 1);
	l->phase = get(&p->phase);
	*wipes = get(&p->wipes);
	return w->tried;
}

void write_done(const struct look *l, enum path via, __u64 wipes, __u64 seq, const char *how)
{
	struct page *p = &ledger->page[l->slot][l->page];

	if (l->taken)
		look_error(l, E_TAKEN, "store to what was taken back", how, seq);
	if (look_in_phase(l) && l->phase & (PHASE_GONE | PHASE_READONLY))
		look_error(l, E_GHOST_STORE, "store that must not be", how, seq);
	if (look_is_current(l))
		put(&p->word[self.slot][via].acked, ACK(l->inc, wipes, seq));
}
