// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making programs: new ones, and variations of old ones.
 *
 * Most arguments are right, so that a program gets somewhere; the rest are at
 * the borders of what is right, and a few are anything.
 */
#include <sys/mman.h>

#include "fuzz.h"

void rng_seed(struct rng *r, __u64 seed)
{
	int i;

	for (i = 0; i < 2; i++) {
		seed += 0x9e3779b97f4a7c15;
		r->s[i] = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9;
		r->s[i] ^= r->s[i] >> 27;
	}
	if (!r->s[0])
		r->s[0] = 1;
}

__u64 rng_next(struct rng *r)
{
	__u64 a = r->s[0], b = r->s[1];

	r->s[0] = b;
	a ^= a << 23;
	r->s[1] = a ^ b ^ a >> 18 ^ b >> 5;
	return r->s[1] + b;
}

#define PICK(r, ...)						\
	({							\
		const __u64 __list[] = { __VA_ARGS__ };		\
		__list[rng_below(r, ARRAY_SIZE(__list))];	\
	})

static __u64 odd_pointer(struct rng *r)
{
	return PICK(r, 0, 1, SCRATCH_STRUCT + 1, SCRATCH_ROOM - 8, SCRATCH_ROOM - 32, ODD_RO,
		    ODD_RO + PAGE - 8, ODD_NONE, ODD_EDGE, ODD_EDGE + PAGE - 4,
		    ODD_EDGE + PAGE - 8, ODD_EDGE + PAGE - 24, ODD_EDGE + PAGE - 40, WIN,
		    WIN + PAGE - 16, WIN + WIN_STRIDE,
		    ARENA, ARENA + 20 * PAGE - 8, USER_END - 8, USER_END, 1UL << 47, 1UL << 63,
		    0xffff888000000000, ~0UL, ~7UL);
}

static __u64 page_number(struct rng *r)
{
	if (!rng_one_in(r, 4))
		return rng_below(r, 16);
	return PICK(r, 15, 16, 31, 63, 64, 65, 79, 80, 95, 96, 511, 512, 513, 767, 1022, 1023);
}

static __u64 window_address(struct rng *r)
{
	__u64 win = rng_one_in(r, 3) ? rng_below(r, WINS) : rng_below(r, 2);
	__u64 page = rng_one_in(r, 3) ? page_number(r) : 0;

	return WIN + win * WIN_STRIDE + page * PAGE;
}

static __u64 remote_address(struct rng *r)
{
	if (rng_one_in(r, 10))
		return PICK(r, 0, 1, PAGE, 0x400000, WIN, WIN + WIN_STRIDE, ARENA - 8, ARENA - PAGE,
			    CANARY - 1, CANARY - 8, CANARY, CANARY + 8, CANARY_END - 8, CANARY_END,
			    USER_END - PAGE, USER_END - 1, USER_END, USER_END + PAGE, 1UL << 63,
			    ~0UL, ~0UL - 7, ~0UL - PAGE + 1, ~0UL >> 1);
	if (rng_one_in(r, 12))
		return WIN + rng_below(r, 2) * WIN_STRIDE + rng_below(r, 16) * PAGE;
	return ARENA + page_number(r) * PAGE +
	       (rng_one_in(r, 3) ? PICK(r, 1, 7, 8, 64, 2048, PAGE - 8, PAGE - 1) : 0);
}

static __u64 length(struct rng *r)
{
	if (rng_one_in(r, 8))
		return PICK(r, 0, 2UL << 20, ARENA_SIZE, ARENA_SIZE + PAGE, 1UL << 31, 1UL << 32,
			    1UL << 47, USER_END, 1UL << 63, ~0UL >> 1, ~0UL, ~0UL - PAGE + 1);
	if (rng_one_in(r, 2))
		return PICK(r, 1, 2, 7, 8, 9, 64, 100, 512, 2048, PAGE - 1, PAGE + 1, 3 * PAGE - 5);
	return PICK(r, 1, 2, 3, 4, 8, 15, 16, 17, 32) * PAGE;
}

static __u64 slot_of_target(struct rng *r)
{
	return rng_one_in(r, 8) ? rng_below(r, SLOTS) : SLOT_OUT + rng_below(r, 4);
}

static __u64 slot_of_export(struct rng *r)
{
	return rng_one_in(r, 8) ? rng_below(r, SLOTS) : SLOT_EXPORT + rng_below(r, 3);
}

static __u64 slot_of_region(struct rng *r)
{
	return rng_one_in(r, 8) ? rng_below(r, SLOTS) : SLOT_REGION + rng_below(r, 3);
}

static __u64 region_offset(struct rng *r)
{
	if (rng_one_in(r, 8))
		return PICK(r, 1, 8, PAGE - 1, ARENA_SIZE, 1UL << 40, USER_END, ~0UL,
			    ~0UL - PAGE + 1);
	return PICK(r, 0, 0, 0, 1, 2, 4, 8, 15, 16) * PAGE;
}

static __u64 arg_make(struct rng *r, enum arg_kind kind, const struct call_desc *desc)
{
	if (rng_one_in(r, 400))
		return rng_next(r);
	switch (kind) {
	case ARG_NONE:
		return 0;
	case ARG_DEV:
		return rng_one_in(r, 25) ? rng_below(r, SLOTS) : SLOT_DEV;
	case ARG_TARGET:
		return slot_of_target(r);
	case ARG_EXPORT:
		return slot_of_export(r);
	case ARG_REGION:
		return slot_of_region(r);
	case ARG_REVOCABLE:
		if (rng_one_in(r, 3))
			return rng_one_in(r, 6) ? rng_below(r, SLOTS) : SLOT_DEV;
		if (rng_one_in(r, 3))
			return slot_of_region(r);
		return rng_one_in(r, 2) ? slot_of_export(r) : slot_of_target(r);
	case ARG_ANY_FD:
		if (rng_one_in(r, 3))
			return rng_below(r, SLOTS);
		if (rng_one_in(r, 3))
			return slot_of_region(r);
		return rng_one_in(r, 3) ? slot_of_export(r) : slot_of_target(r);
	case ARG_PROCESS:
		if (rng_one_in(r, 12))
			return rng_below(r, SLOTS);
		return PICK(r, SLOT_VICTIM, SLOT_VICTIM, SLOT_VICTIM, SLOT_SELF, SLOT_VICTIM_MEM,
			    SLOT_SELF_MEM, SLOT_VICTIM_MEM_RO);
	case ARG_PID:
		return PICK(r, PID_VICTIM, PID_SELF, PID_DEAD, 0, 4, ~0UL, 1UL << 31, 99999);
	case ARG_OUT:
		return SLOT_OUT + rng_below(r, rng_one_in(r, 4) ? SLOTS - SLOT_OUT : 3);
	case ARG_OUT_EXPORT:
		return SLOT_EXPORT + rng_below(r, rng_one_in(r, 8) ? SLOTS - SLOT_EXPORT : 3);
	case ARG_OUT_REGION:
		return SLOT_REGION + rng_below(r, rng_one_in(r, 8) ? SLOTS - SLOT_REGION : 3);
	case ARG_AT:
		return rng_one_in(r, 14) ? odd_pointer(r) : SCRATCH_STRUCT;
	case ARG_ENTRIES:
		return rng_one_in(r, 12) ? odd_pointer(r) : SCRATCH_ENTRIES;
	case ARG_BUF:
		if (rng_one_in(r, 8))
			return odd_pointer(r);
		if (rng_one_in(r, 6))
			return window_address(r) + rng_below(r, 2) * 8;
		return SCRATCH_BUF + rng_below(r, 2048) * (rng_one_in(r, 3) ? 1 : 8);
	case ARG_LOCAL:
		if (rng_one_in(r, 16))
			return FIXED + rng_below(r, 16) * PAGE;
		return rng_one_in(r, 2) ? window_address(r) : ARENA + page_number(r) * PAGE;
	case ARG_WINDOW:
		return rng_one_in(r, 12) ? ARENA + page_number(r) * PAGE : window_address(r);
	case ARG_REMOTE:
		return remote_address(r);
	case ARG_LENGTH:
		return length(r);
	case ARG_PAGES:
		if (rng_one_in(r, 12))
			return length(r);
		return PICK(r, 1, 1, 2, 3, 4, 8, 16, 16, 16, 17, 32, 64, 256, 512, 1024) * PAGE;
	case ARG_SIZE:
		if (!rng_one_in(r, 10))
			return desc->size;
		return PICK(r, 0, 3, 4, 8, desc->size - 1, desc->size - 8, desc->size + 1,
			    desc->size + 8, PAGE, PAGE + 1, ~0U);
	case ARG_FLAGS:
		return rng_one_in(r, 3) ? PICK(r, 1, 1, 1, 2, 3, 4, 8, 1UL << 31, ~0U) : 0;
	case ARG_RIGHTS:
		if (rng_one_in(r, 8))
			return PICK(r, 0, 2, 4, 5, 6, 8, 1UL << 31, ~0U);
		return PICK(r, 1, 3, 3, 7);
	case ARG_PROT:
		if (rng_one_in(r, 4))
			return PICK(r, PROT_NONE, PROT_WRITE, PROT_EXEC, PROT_READ | PROT_EXEC, 7,
				    PROT_READ | PROT_GROWSDOWN, 8, ~0U);
		return PICK(r, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE);
	case ARG_MAP:
		if (!rng_one_in(r, 6))
			return MAP_SHARED;
		if (rng_one_in(r, 4))
			return MAP_PRIVATE;
		return MAP_SHARED |
		       PICK(r, MAP_PRIVATE, MAP_SHARED_VALIDATE, MAP_LOCKED, MAP_POPULATE,
			    MAP_NORESERVE, MAP_HUGETLB, MAP_GROWSDOWN, MAP_NONBLOCK, MAP_STACK,
			    MAP_SHARED_VALIDATE | MAP_SYNC);
	case ARG_ADVICE:
		/* The commonest that take pages away; else any number. */
		if (rng_one_in(r, 2))
			return PICK(r, MADV_DONTNEED, MADV_DONTNEED, MADV_FREE, MADV_PAGEOUT,
				    MADV_REMOVE, 25, MADV_HUGEPAGE, MADV_MERGEABLE);
		return rng_below(r, 28);
	case ARG_RWF:
		return rng_one_in(r, 3) ? 1UL << rng_below(r, 8) : PICK(r, 0, 8);
	case ARG_SMALL:
		return rng_below(r, rng_one_in(r, 8) ? 40 : 11);
	case ARG_CURSOR:
		return rng_one_in(r, 3) ? PICK(r, 1, 2, 1000, ~0UL, 1UL << 63) : 0;
	case ARG_VALUE:
		return rng_next(r);
	case ARG_RESERVED:
		return rng_one_in(r, 15);
	case ARG_CMD:
		return PICK(r, 0xb97f, 0xb9c0, 0xb98a, 0xb9ff, 0xb900, 0xba80, 0x8004b980,
			    0x4004b983, 0xc028b983, 0x5421, 0);
	case ARG_OFFER:
		/* Perhaps published, for a process, for a user. */
		if (rng_one_in(r, 12))
			return PICK(r, 8, 16, 1UL << 31, ~0U);
		return PICK(r, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 7);
	case ARG_EXPIRES:
		return rng_one_in(r, 6) ? PICK(r, 1, 2, 3, ~0UL, 1UL << 63) : 0;
	case ARG_MODE:
		return PICK(r, 0, 0, 0, 0666, 0666, 0400, 0600, 0606, 0004, 0777, 1UL << 16 | 0640);
	case ARG_NAME:
		if (rng_one_in(r, 12))
			return rng_next(r);
		return PICK(r, 0, 0, 0, 1, 1, 2);
	case ARG_RECENT:
		if (rng_one_in(r, 12))
			return rng_next(r);
		return PICK(r, 0, 0, 0, 1, 1, 2, 3);
	case ARG_DENY:
		return rng_one_in(r, 8) ? PICK(r, 3, 4, 6, 7, 8, ~0U) : PICK(r, 0, 1, 1, 1, 2, 5);
	case ARG_OFFSET:
		return region_offset(r);
	case ARG_SEALS:
		return rng_one_in(r, 8) ? PICK(r, 0, 32, 31, ~0U) : 1U << rng_below(r, 5);
	case ARG_REGION_FLAGS:
		if (rng_one_in(r, 12))
			return PICK(r, 32, 33, 48, 1UL << 31, ~0U, 8, 9, 24);
		return PICK(r, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 12, 13, 14, 16, 16, 17, 17, 18, 20, 21,
			    28);
	case ARG_REGION_RIGHTS:
		if (rng_one_in(r, 8))
			return PICK(r, 0, 4, 8, 16, ~0U);
		return PICK(r, 1, 2, 3, 3, 9, 11, 11);
	case ARG_FIXED:
		return rng_one_in(r, 3) ? 0 : FIXED + rng_below(r, 3) * 16 * PAGE;
	case ARG_EVENTFD:
		if (rng_one_in(r, 6))
			return rng_below(r, SLOTS);
		return PICK(r, EVENTFD_NONE, EVENTFD_NEW, EVENTFD_NEW, EVENTFD_NEW);
	}
	return 0;
}

/* That a process, its number and the flags fit together is too much for chance. */
static void call_reconcile(struct rng *r, struct call *c)
{
	if (rng_one_in(r, 8))
		return;
	/* Only what is published has a mode and a name; the number is that of no descriptor. */
	if (calls[c->nr].run == call_export_create && !(c->arg[3] & XMAP_EXPORT_PUBLISH))
		memset(&c->arg[9], 0, sizeof(c->arg[9]));
	if (calls[c->nr].run == call_revoke)
		c->arg[4] = c->arg[0] != SLOT_DEV ? 0 : c->arg[4] ?: 1;
	if (calls[c->nr].run == call_revoke && rng_one_in(r, 2))
		memset(&c->arg[5], 0, 2 * sizeof(c->arg[5]));
	if (calls[c->nr].run == call_region_create) {
		/* A name, a mode and an address only where they belong. */
		if (!(c->arg[3] & XMAP_REGION_PUBLISH)) {
			c->arg[4] = 0;
			c->arg[8] = 0;
		} else if (!c->arg[8]) {
			c->arg[8] = 1;
		}
		if (!(c->arg[3] & XMAP_REGION_FIXED_ADDRESS))
			memset(&c->arg[6], 0, 2 * sizeof(c->arg[6]));
		/* A huge page, one and a bit, and two. */
		if (c->arg[3] & XMAP_REGION_HUGE && !rng_one_in(r, 4))
			c->arg[5] = PICK(r, 512, 513, 1024, 1024) * PAGE;
	}
	if (calls[c->nr].run == call_region_derive && rng_one_in(r, 2))
		memset(&c->arg[5], 0, 2 * sizeof(c->arg[5]));
	if (calls[c->nr].run != call_target_open)
		return;
	switch (c->arg[4]) {
	case SLOT_VICTIM_MEM:
	case SLOT_SELF_MEM:
	case SLOT_VICTIM_MEM_RO:
		c->arg[3] = XMAP_TARGET_OPEN_MEM;
		c->arg[5] = 0;
		break;
	case SLOT_VICTIM:
	case SLOT_SELF:
	case SLOT_DEAD:
		c->arg[3] = 0;
		c->arg[5] = c->arg[4] == SLOT_VICTIM ? PID_VICTIM :
			    c->arg[4] == SLOT_SELF ? PID_SELF : PID_DEAD;
		break;
	}
	if (rng_one_in(r, 2))
		memset(&c->arg[7], 0, 2 * sizeof(c->arg[7]));
}

static unsigned int pick_call(struct rng *r)
{
	unsigned int i, total = 0, at;

	for (i = 0; i < nr_calls; i++)
		total += calls[i].weight;
	at = rng_below(r, total);
	for (i = 0; at >= calls[i].weight; i++)
		at -= calls[i].weight;
	return i;
}

/* The victim mostly changes its memory; the others mostly look. */
static bool suits(struct rng *r, unsigned int nr, enum actor actor)
{
	bool memory = calls[nr].arg[0].kind == ARG_LOCAL;

	if (actor == VICTIM)
		return memory || rng_one_in(r, 5);
	return !memory || rng_one_in(r, 2);
}

static void call_make(struct rng *r, struct call *c)
{
	const struct call_desc *desc;
	int i;

	memset(c, 0, sizeof(*c));
	c->actor = PICK(r, MAIN, MAIN, MAIN, MAIN, RACER, VICTIM, VICTIM);
	do {
		c->nr = pick_call(r);
	} while (!suits(r, c->nr, c->actor));
	desc = &calls[c->nr];
	if (c->actor == RACER)
		c->mode = PICK(r, WAIT, ASYNC, LOOP, LOOP);
	else if (c->actor == VICTIM)
		c->mode = PICK(r, WAIT, WAIT, ASYNC, LOOP);
	for (i = 0; i < call_nargs(desc); i++)
		c->arg[i] = arg_make(r, desc->arg[i].kind, desc);
	/* In the victim, what it is about is mostly the memory that others look at. */
	if (c->actor == VICTIM && desc->arg[0].kind == ARG_LOCAL && !rng_one_in(r, 6))
		c->arg[0] = ARENA + page_number(r) * PAGE;
	call_reconcile(r, c);
}

static struct call *prog_insert(struct prog *p, unsigned int at)
{
	if (p->n == MAX_CALLS)
		return NULL;
	memmove(&p->call[at + 1], &p->call[at], (p->n - at) * sizeof(*p->call));
	p->n++;
	return &p->call[at];
}

void prog_drop(struct prog *p, unsigned int i)
{
	p->n--;
	memmove(&p->call[i], &p->call[i + 1], (p->n - i) * sizeof(*p->call));
	memset(&p->call[p->n], 0, sizeof(*p->call));
}

void prog_generate(struct rng *r, struct prog *p)
{
	unsigned int n = 3 + rng_below(r, MAX_CALLS - 6);
	const char *next = seeds[rng_below(r, nr_seeds)];

	memset(p, 0, sizeof(*p));
	if (!rng_one_in(r, 6))
		prog_parse(next, p, &next);
	while (p->n < n)
		call_make(r, prog_insert(p, p->n));
}

static void arg_mutate(struct rng *r, struct call *c)
{
	const struct call_desc *desc = &calls[c->nr];
	int nargs = call_nargs(desc);
	__u64 *arg;
	int i;

	if (!nargs)
		return;
	i = rng_below(r, nargs);
	arg = &c->arg[i];
	switch (rng_below(r, 6)) {
	case 0:
		*arg += PICK(r, 1, -1UL, 8, -8UL, PAGE, -PAGE);
		break;
	case 1:
		*arg ^= 1UL << rng_below(r, 64);
		break;
	default:
		*arg = arg_make(r, desc->arg[i].kind, desc);
		call_reconcile(r, c);
	}
}

void prog_mutate(struct rng *r, struct prog *p, const struct prog *other)
{
	unsigned int i, n, rounds = 1 + rng_below(r, 4);
	struct call *c;

	while (rounds--) {
		i = rng_below(r, p->n);
		switch (rng_below(r, 10)) {
		case 0:
		case 1:
		case 2:
			c = prog_insert(p, rng_below(r, p->n + 1));
			if (c)
				call_make(r, c);
			break;
		case 3:
			if (p->n > 1)
				prog_drop(p, i);
			break;
		case 4:
			/* The head of this one and the tail of the other. */
			if (!other->n)
				break;
			n = rng_below(r, other->n);
			while (i < MAX_CALLS && n < other->n)
				p->call[i++] = other->call[n++];
			if (p->n < i)
				p->n = i;
			break;
		case 5:
			p->call[i].actor = rng_below(r, ACTORS);
			p->call[i].mode = rng_below(r, MODES);
			break;
		default:
			arg_mutate(r, &p->call[i]);
		}
	}
}

/* The plainest value of an argument, for programs that are to be read. */
__u64 prog_plain_arg(const struct call *c, int i)
{
	const struct call_desc *desc = &calls[c->nr];

	switch (desc->arg[i].kind) {
	case ARG_AT:
		return SCRATCH_STRUCT;
	case ARG_SIZE:
		return desc->size;
	case ARG_BUF:
		return SCRATCH_BUF;
	case ARG_ENTRIES:
		return SCRATCH_ENTRIES;
	case ARG_OUT:
	case ARG_TARGET:
	case ARG_ANY_FD:
		return SLOT_OUT;
	case ARG_EXPORT:
	case ARG_REVOCABLE:
	case ARG_OUT_EXPORT:
		return SLOT_EXPORT;
	case ARG_REGION:
	case ARG_OUT_REGION:
		return SLOT_REGION;
	case ARG_PROCESS:
		return SLOT_VICTIM;
	case ARG_PID:
		return PID_VICTIM;
	case ARG_EVENTFD:
		return EVENTFD_NEW;
	case ARG_RIGHTS:
	case ARG_REGION_RIGHTS:
	case ARG_PROT:
		return 3;
	case ARG_MAP:
		return MAP_SHARED;
	case ARG_LOCAL:
	case ARG_WINDOW:
		return c->actor == VICTIM ? ARENA : WIN;
	case ARG_REMOTE:
		return ARENA;
	case ARG_LENGTH:
	case ARG_PAGES:
		return PAGE;
	default:
		return 0;
	}
}
