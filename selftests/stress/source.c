// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of an actor: what it tells about it in the ledger, and its stamps.
 *
 * ops.c has what is done to it.  Whatever an operation does, it first says that
 * things may change, and says what holds again only after the system call that made
 * it so has returned.
 */
#include "stress.h"

static __u64 seqs[NR_PAGES];
static int memfd = -1;
static int region_fd[NR_REGIONS];
static bool huge_in_use;

static struct page *ledger_page(unsigned int page)
{
	return &ledger->page[self.slot][page];
}

/* ---- What the ledger says ---- */

void range_phase(unsigned int first, unsigned int n, __u64 flags)
{
	unsigned int i;

	for (i = first; i < first + n; i++) {
		struct page *p = ledger_page(i);

		put(&p->phase, ((p->phase + PHASE_STEP) & ~PHASE_FLAGS) | flags);
	}
}

/* From now on the contents can go: nobody counts on what is written. */
void range_wiping(unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		put(&ledger_page(i)->wipes, ledger_page(i)->wipes | 1);
}

/* The contents are gone: whoever looks from now on must not find the old ones. */
void range_void(unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++) {
		seqs[i]++;
		put(&ledger_page(i)->ceil, seqs[i]);
		put(&ledger_page(i)->floor, seqs[i]);
	}
}

/*
 * The pages may be copies of what they were.  A write by the kernel that was under way
 * then has gone to the old ones: nobody counts on what he has begun to write before.
 */
void range_moved(unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		put(&ledger_page(i)->wipes, ledger_page(i)->wipes + 2);
}

/* What is there now stays there. */
void range_wiped(unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		put(&ledger_page(i)->wipes, (ledger_page(i)->wipes | 1) + 1);
}

/* New stamps for pages that are mapped at @where. */
void source_stamp_at(void *where, unsigned int first, unsigned int n)
{
	unsigned int i, w;
	__u64 stamp;

	for (i = first; i < first + n; i++, where += PAGE) {
		seqs[i]++;
		stamp = source_stamp(self.slot, self.inc, i, seqs[i]);
		put(&ledger_page(i)->ceil, seqs[i]);
		for (w = 0; w < ARRAY_SIZE(source_words); w++)
			put((__u64 *)where + source_words[w], stamp);
		put(&ledger_page(i)->floor, seqs[i]);
	}
}

void source_restamp(unsigned int first, unsigned int n)
{
	source_stamp_at(page_at(self.slot, first), first, n);
}

/* ---- The owner's own look ---- */

static void check_reader_word(unsigned int page, unsigned int reader, enum path via)
{
	struct page *p = ledger_page(page);
	__u64 acked = get(&p->word[reader][via].acked);
	__u64 value = get((__u64 *)page_at(self.slot, page) + reader_word(reader, via));
	__u64 tried = get(&p->word[reader][via].tried);
	__u64 seq = value & SEQ_MASK;
	__u64 mine = reader_stamp(reader, via, self.slot, self.inc, page, 0);

	if (value && (value ^ mine) & ~SEQ_MASK)
		error_at(E_FOREIGN, "foreign word in actor %u.%llu page %u: %llx", self.slot,
			 self.inc, page, value);
	else if (seq > tried)
		error_at(E_FOREIGN, "never written: actor %u.%llu page %u: %llx", self.slot,
			 self.inc, page, value);
	else if (ACK_INC(acked) == self.inc && !(p->wipes & 1) &&
		 ACK_WIPES(acked) == (p->wipes & WIPES_MASK) && seq < ACK_SEQ(acked))
		error_at(E_LOST, "lost %s by actor %u to actor %u.%llu page %u: %llx, not %llx",
			 via == PATH_WINDOW ? "store" : "copy", reader, self.slot, self.inc, page,
			 value, ACK_SEQ(acked));
	else if (value)
		count(C_OWN_CHECKS);
}

/* A page that only this process stamps, and is not doing anything to. */
void source_check_page(unsigned int page)
{
	__u64 want = source_stamp(self.slot, self.inc, page, seqs[page]);
	unsigned int i;
	__u64 value;

	for (i = 0; i < ARRAY_SIZE(source_words); i++) {
		value = get((__u64 *)page_at(self.slot, page) + source_words[i]);
		if (value != want)
			error_at(E_FOREIGN, "actor %u.%llu page %u: own word is %llx, not %llx",
				 self.slot, self.inc, page, value, want);
	}
	for (i = 0; i < ledger->actors; i++) {
		check_reader_word(page, i, PATH_WINDOW);
		check_reader_word(page, i, PATH_COPY);
	}
}

/* ---- Mapping it ---- */

/* A kernel for real time has none. */
bool huge_pages_there(void)
{
	return !access("/sys/kernel/mm/transparent_hugepage", F_OK);
}

bool region_in_use(enum region region)
{
	return region != REGION_HUGE || huge_in_use;
}

/* Do its pages outlive their mapping? */
bool region_keeps(enum region region)
{
	return region == REGION_MEMFD || region == REGION_SHARED || region == REGION_OWNED;
}

/* What others find the one by that has one owner. */
void region_name(char *name, unsigned int slot, __u64 inc)
{
	snprintf(name, XMAP_NAME_SIZE, "stress-owned-%u-%llu", slot, inc);
}

static void region_create(enum region region)
{
	struct xmap_cmd_region_create cmd = {
		.size = sizeof(cmd),
		.length = extents[region].pages * PAGE,
	};

	if (region == REGION_OWNED) {
		cmd.flags = XMAP_REGION_SINGLE_OWNER | XMAP_REGION_PUBLISH;
		cmd.mode = 0600;
		cmd.gid = -1;
		region_name(cmd.name, self.slot, self.inc);
	}
	MUST(ioctl(self.dev, XMAP_REGION_CREATE, &cmd));
	region_fd[region] = cmd.out_fd;
}

/* The handle that created it. */
int source_region(enum region region)
{
	return region_fd[region];
}

/* Map these pages where they belong.  They lie in one region. */
int region_map(unsigned int first, unsigned int n)
{
	enum region region = region_of(first);
	int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS;
	int fd = -1;
	off_t off = 0;

	if (region_keeps(region)) {
		flags = MAP_FIXED | MAP_SHARED;
		fd = region == REGION_MEMFD ? memfd : region_fd[region];
		off = (first - extents[region].first) * PAGE;
	}
	if (mmap(page_at(self.slot, first), n * PAGE, PROT_READ | PROT_WRITE, flags, fd, off) ==
	    MAP_FAILED)
		return -1;
	if (region == REGION_HUGE)
		return madvise(page_at(self.slot, first), n * PAGE, MADV_HUGEPAGE);
	return 0;
}

/* The file under the shared part. */
int source_file(void)
{
	return memfd;
}

static void region_setup(enum region region)
{
	const struct extent *e = &extents[region];

	if (!region_in_use(region)) {
		range_phase(e->first, e->pages, PHASE_GONE);
		return;
	}
	MUST(region_map(e->first, e->pages));
	range_phase(e->first, e->pages, PHASE_MAY_ZERO);
	source_restamp(e->first, e->pages);
	range_wiped(e->first, e->pages);
	range_phase(e->first, e->pages, PHASE_SOLID);
}

void source_setup(void)
{
	const struct extent *ksm = &extents[REGION_KSM];
	enum region region;
	unsigned int i;

	/* Some carry a huge page and some do not. */
	huge_in_use = huge_pages_there() && ledger->actor[self.slot].source && rnd(2);
	MUST(memfd = memfd_create("xmap-stress-source", MFD_CLOEXEC));
	MUST(ftruncate(memfd, extents[REGION_MEMFD].pages * PAGE));
	region_create(REGION_SHARED);
	region_create(REGION_OWNED);
	for (i = 0; i < NR_PAGES; i++)
		seqs[i] = ledger_page(i)->ceil;
	/* Those that are to be merged go in step. */
	for (i = ksm->first; i < ksm->first + ksm->pages; i++)
		seqs[i] = seqs[ksm->first];
	for (i = extents[REGION_KSM].first; i < NR_PAGES; i++)
		if (region_of(i) == NR_REGIONS)
			range_phase(i, 1, PHASE_GONE);
	for (region = 0; region < NR_REGIONS; region++)
		region_setup(region);
	put(&ledger->actor[self.slot].ready, self.inc);
}

/* ---- Doing things ---- */

/* Changes that follow one another as fast as they can meet others halfway. */
void source_hurry(unsigned int first, unsigned int n)
{
	put(&ledger->actor[self.slot].hot, (__u64)first << 32 | n);
}

void source_take_time(void)
{
	put(&ledger->actor[self.slot].hot, 0);
}

/* Let others look. */
void dwell(void)
{
	unsigned int turns = ledger->actor[self.slot].hot ? 0 : rnd(12);

	answer();
	while (turns--)
		sched_yield();
	answer();
}

/* Some pages of one region; huge ones in larger pieces. */
static void pick_range(enum region region, unsigned int *first, unsigned int *n)
{
	const struct extent *e = &extents[region];
	unsigned int most = region == REGION_HUGE ? MAX_RANGE : 12;

	*n = 1 + rnd(most);
	*first = e->first + rnd(e->pages);
	if (*first + *n > e->first + e->pages)
		*n = e->first + e->pages - *first;
}

static const struct op *pick_op(void)
{
	unsigned int i, total = 0, at;

	for (i = 0; i < nr_ops; i++)
		total += ops[i].weight;
	at = rnd(total);
	for (i = 0; at >= ops[i].weight; i++)
		at -= ops[i].weight;
	return &ops[i];
}

void source_step(void)
{
	unsigned int first, n, i;
	const struct op *op;
	enum region region;

	if (rnd(4) == 0)
		lease_step();
	do {
		op = pick_op();
		region = rnd(NR_REGIONS);
	} while (!(op->regions & BIT64(region)) || !region_in_use(region));
	pick_range(region, &first, &n);
	actor_beat(op->name);
	op->fn(first, n);
	count(op->count);
	for (i = 0; i < 4; i++)
		source_check_page(first + rnd(n));
}
