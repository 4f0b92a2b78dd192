/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stress: processes that read each other's memory while it changes.
 *
 * Every process is an *actor* with a number, its slot.  All actors have memory of
 * their own at the same kind of place, do things to it, and look at the memory of
 * the others (and at their own) through windows and copies.  Sources do mostly the
 * one, readers mostly the other.  The supervisor kills actors, and starts them
 * again as a new *incarnation*.
 *
 * They all share the *ledger*, by a memfd, which is how an actor tells the others
 * what its memory must look like now.  What a look must find follows from the order
 * of loads and stores alone, so nothing depends on how fast anybody is:
 *
 *  source words	Some words of each page hold a stamp: owner, incarnation, page
 *		and sequence number.  The owner raises @ceil, stores the stamp, then
 *		raises @floor.  A look reads @floor, the word, then @ceil: the stamp
 *		lies between.  After a change that took the contents away @floor is
 *		raised at once: from the moment that munmap() has returned the old
 *		stamps must not be seen by anybody who begins to look.
 *  @phase	What may be expected of the page.  The owner changes it before and
 *		after everything it does; each change has a number of its own.  If a
 *		look finds the same phase before and after, then it happened within
 *		it, and all that the phase says holds: SIGBUS is wrong on a solid
 *		page, and a value is wrong on one that is gone.
 *  reader words	Each actor has two words in each page of each other: one that it
 *		stores to through windows, one that it writes by copies.  It raises
 *		@tried, writes, and notes in @acked what was written and the @wipes
 *		that it read before.  If @wipes is even and the same after a later
 *		look, the page's contents have been there all the time, and the look
 *		must find this or a later value.  The owner checks the same.
 *
 *  leases	What can be taken back is a lease: an actor's export, a target that it
 *		has derived and passed on, and that others may open it at all, which
 *		it can refuse.  Each has a version.  Who takes back says so before the
 *		call, and after it.  A target carries what it depends on with it, from
 *		actor to actor.  If one of these said before a look that it had been
 *		taken back, the look must fail; and unless one of them says so after
 *		it, being taken back is no excuse for a look that has failed.
 *
 * SIGBUS is also right when the owner is dead, and the OOM killer does not say whom
 * it has chosen.  So who gets an unexpected SIGBUS asks the owner for an answer.  If
 * it comes, the owner was alive at the time, and the SIGBUS was wrong.
 */
#ifndef STRESS_H
#define STRESS_H

/* The harness is for programs of one file; the raw interface is all that is wanted. */
#define __KSELFTEST_HARNESS_H
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#include "../xmap_reader.h"

#define MAX_ACTORS 12
#define BIT64(n) (1ULL << (n))

/* ---- Memory of an actor ---- */

#define ARENA 0x200000000000UL
#define ARENA_STRIDE (16UL << 20)
#define SPARE (8UL << 20)
#define NR_PAGES 1024U

enum region {
	REGION_ANON,
	REGION_MEMFD,
	REGION_KSM,
	REGION_HUGE,
	REGION_SHARED,
	REGION_OWNED,
	NR_REGIONS,
};

struct extent {
	unsigned int first;
	unsigned int pages;
};

extern const struct extent extents[NR_REGIONS];

enum region region_of(unsigned int page);

static inline void *page_at(unsigned int slot, unsigned int page)
{
	return (void *)(ARENA + slot * ARENA_STRIDE + page * PAGE);
}

/* ---- The ledger ---- */

enum path {
	PATH_WINDOW,
	PATH_COPY,
	NR_PATHS,
};

/* Low bits of a phase. */
#define PHASE_MAY_MISS 0x01ULL
#define PHASE_MAY_REFUSE 0x02ULL
#define PHASE_MAY_ZERO 0x04ULL
#define PHASE_GONE 0x08ULL
#define PHASE_READONLY 0x10ULL
#define PHASE_SOLID 0x00ULL
#define PHASE_CHANGING (PHASE_MAY_MISS | PHASE_MAY_REFUSE | PHASE_MAY_ZERO)
#define PHASE_FLAGS 0xffULL
#define PHASE_STEP 0x100ULL
#define PHASE_INC_SHIFT 52

#define INC_MASK 0xfffULL
#define WIPES_MASK 0xffffffULL
#define SEQ_MASK 0xfffffffULL
#define ACK(inc, wipes, seq) ((inc) << 52 | ((wipes) & WIPES_MASK) << 28 | (seq))
#define ACK_INC(ack) ((ack) >> 52)
#define ACK_WIPES(ack) ((ack) >> 28 & WIPES_MASK)
#define ACK_SEQ(ack) ((ack) & SEQ_MASK)

struct word {
	__u64 tried;
	__u64 acked;
};

struct page {
	__u64 phase;
	__u64 floor;
	__u64 ceil;
	__u64 wipes;
	struct word word[MAX_ACTORS][NR_PATHS];
};

/* ---- What can be taken back ---- */

#define NR_OFFERS 2U
#define NR_GRANTS 2U
#define NR_LOANS 2U

/* What there can be leases of: exports, passed targets and regions, being opened. */
enum {
	LEASE_OFFER = 0,
	LEASE_GRANT = NR_OFFERS,
	LEASE_LOAN = NR_OFFERS + NR_GRANTS,
	LEASE_OPEN = LEASE_LOAN + NR_LOANS,
	NR_LEASES,
};

/* Low bits of a lease's word; above them is the version. */
#define LEASE_LIVE 0x01ULL
#define LEASE_CLOSED 0x02ULL
#define LEASE_TAKING 0x03ULL
#define LEASE_TAKEN 0x04ULL
#define LEASE_STATE 0x0fULL
#define LEASE_PART_TAKING 0x10ULL
#define LEASE_PART_TAKEN 0x20ULL
#define LEASE_PART 0x30ULL
#define LEASE_STEP 0x100ULL
#define LEASE_VERSION (~(LEASE_STEP - 1))

/**
 * struct lease - Something that its actor can take back
 * @word: Version and state
 * @part: Pages of a part that was taken: first << 32 | number; once for each version
 */
struct lease {
	__u64 word;
	__u64 part;
};

struct lease_ref {
	unsigned int slot;
	unsigned int index;
	__u64 version;
};

#define MAX_CHAIN 4

/* What a target depends on. */
struct chain {
	unsigned int n;
	struct lease_ref ref[MAX_CHAIN];
};

/**
 * struct actor - One slot
 * @inc: Incarnation that has the slot, from before its start to after its end
 * @ready: Incarnation whose memory is there to be opened, or 0
 * @leaving: Incarnation that has begun to end or to execute another program
 * @asked: Questions whether it is alive
 * @answered: Number of the last one that this incarnation answered, with its number
 * @hot: Pages that it changes as fast as it can just now: first << 32 | number, or 0
 * @beats: Things it has done
 * @offers_of: Incarnation whose exports its leases are
 * @doing: Name of what it does, for those who look why it hangs
 */
struct actor {
	__u64 inc;
	__u64 ready;
	__u64 leaving;
	__u64 asked;
	__u64 answered;
	__u64 hot;
	__u64 beats;
	__u64 offers_of;
	pid_t pid;
	bool source;
	char doing[24];
	struct lease lease[NR_LEASES];
};

enum error {
	E_STALE,
	E_FOREIGN,
	E_ZERO,
	E_GHOST,
	E_LOST,
	E_GHOST_STORE,
	E_TAKEN,
	E_REFUSED,
	E_CHILD,
	E_SIGNAL,
	E_CALL,
	E_DEATH,
	E_STALL,
	E_UNLOAD,
	NR_ERRORS,
};

extern const char *const properties[NR_ERRORS];

#define NR_RECORDS 16

struct ledger {
	__u64 seed;
	unsigned int actors;
	__u32 stop;
	__u64 count[96];
	__u64 errors[NR_ERRORS];
	__u32 records;
	char record[NR_RECORDS][160];
	struct actor actor[MAX_ACTORS];
	struct page page[MAX_ACTORS][NR_PAGES];
};

extern struct ledger *ledger;

static inline void put(__u64 *word, __u64 value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static inline __u64 get(const __u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline bool stopping(void)
{
	return __atomic_load_n(&ledger->stop, __ATOMIC_SEQ_CST);
}

/* ---- What was done, for the report ---- */

enum count {
	C_PAGES,
	C_BULK,
	C_STORES,
	C_COPIES_OUT,
	C_OWN_CHECKS,
	C_BUS_RIGHT,
	C_QUESTIONS,
	C_NO_MEMORY,
	C_DEAD_WINDOWS,
	C_OPEN_PIDFD,
	C_OPEN_MEM,
	C_OPEN_DERIVED,
	C_MAP,
	C_UNMAP,
	C_UNMAP_PART,
	C_PREFAULT,
	C_PREAD,
	C_PWRITE,
	C_TRANSFER,
	C_URING,
	C_POLL,
	C_LIST,
	C_MUTUAL,
	C_CHASE,
	C_OP_WRITE,
	C_OP_READONLY,
	C_OP_NONE,
	C_OP_FORK,
	C_OP_FORK_EXIT,
	C_OP_PAGEOUT,
	C_OP_PAGEOUT_ALL,
	C_OP_DONTNEED,
	C_OP_FREE,
	C_OP_COLD,
	C_OP_MREMAP,
	C_OP_MUNMAP,
	C_OP_MAP_OVER,
	C_OP_MERGE,
	C_OP_UNMERGE,
	C_OP_COLLAPSE,
	C_OP_SPLIT,
	C_OP_SOFT_DIRTY,
	C_OP_PUNCH,
	C_OP_TRUNCATE,
	C_OP_MLOCK,
	C_OP_HAMMER,
	C_OP_EXEC,
	C_KILL_SOURCE,
	C_KILL_READER,
	C_OOM_KILLS,
	C_OOM_SOURCE,
	C_OOM_READER,
	C_RESPAWN,
	C_COMPACT,
	C_DROP_CACHES,
	C_CPU,
	C_UNLOAD,
	C_LIMIT,
	C_OFFER,
	C_OFFER_CLOSED,
	C_ACCEPT,
	C_PASS,
	C_RECEIVE,
	C_TAKE_OFFER,
	C_TAKE_NUMBER,
	C_TAKE_PART,
	C_TAKE_GRANT,
	C_TAKEN_LOOKS,
	C_TAKEN_WINDOWS,
	C_REFUSE,
	C_REFUSED,
	C_ADMIT,
	C_OP_LEND,
	C_OP_RESIZE,
	C_OP_REBIND,
	C_OP_GIVE,
	C_LOAN,
	C_LOAN_RECEIVED,
	C_LOAN_LOOKS,
	C_TAKE_LOAN,
	C_TAKEN_LOANS,
	C_BORROW_BUSY,
	C_BORROWED,
	NR_COUNTS,
};

/**
 * struct counter - What one count is of
 * @name: In words
 * @needed: It must not stay zero
 */
struct counter {
	const char *name;
	bool needed;
};

extern const struct counter counters[NR_COUNTS];

static inline void count(enum count which)
{
	__atomic_add_fetch(&ledger->count[which], 1, __ATOMIC_RELAXED);
}

/* ---- ledger.c ---- */

int ledger_create(void);
int ledger_attach(int fd);
void error_at(enum error kind, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void slot_renew(unsigned int slot);
void answer(void);
bool owner_was_alive(unsigned int slot, __u64 inc);

/**
 * struct look - One look at a page of an incarnation
 * @slot: Whose page
 * @inc: Of which incarnation
 * @page: Which page
 * @floor: Read before
 * @phase: Read after @floor and before the look
 * @acked: Own words, read before
 * @chain: What the look depends on
 * @taken: That had been taken back before
 */
struct look {
	unsigned int slot;
	__u64 inc;
	unsigned int page;
	__u64 floor;
	__u64 phase;
	__u64 acked[NR_PATHS];
	const struct chain *chain;
	bool taken;
};

extern const unsigned int source_words[8];

unsigned int reader_word(unsigned int reader, enum path via);
__u64 source_stamp(unsigned int slot, __u64 inc, unsigned int page, __u64 seq);
__u64 reader_stamp(unsigned int reader, enum path via, unsigned int slot, __u64 inc,
		   unsigned int page, __u64 seq);
bool page_writable_by_readers(unsigned int page);

void look_begin(struct look *l, unsigned int slot, __u64 inc, unsigned int page,
		const struct chain *chain);
void look_source_word(const struct look *l, __u64 value, const char *how);
void look_content(const struct look *l, __u64 wipes, __u64 value, const char *how);
void look_own_word(const struct look *l, enum path via, __u64 value, const char *how);
void look_missing(const struct look *l, bool store, const char *how);
__u64 write_begin(struct look *l, enum path via, __u64 *wipes);
void write_done(const struct look *l, enum path via, __u64 wipes, __u64 seq, const char *how);

bool chain_taken(const struct chain *chain, unsigned int page);
bool chain_all_taken(const struct chain *chain);
bool chain_may_miss(const struct chain *chain, unsigned int page);
bool chain_excuses(const struct chain *chain);

/* ---- actor.c: who this process is ---- */

struct self {
	unsigned int slot;
	__u64 inc;
	__u64 rnd;
	int dev;
	int ledger_fd;
};

extern struct self self;

static inline unsigned int rnd(unsigned int below)
{
	return test_random(&self.rnd) % below;
}

void actor_run(unsigned int slot, int ledger_fd);
void actor_beat(const char *doing);
void actor_failed(const char *what) __attribute__((noreturn));
bool short_of_memory(void);

/* A call that must succeed at last. */
#define MUST(call)                                                             \
	do {                                                                   \
		while ((long)(call) == -1)                                     \
			if (!short_of_memory())                                \
				actor_failed(#call);                           \
	} while (0)

/* ---- source.c, ops.c: what an actor does to its memory ---- */

void source_setup(void);
void source_step(void);
void source_check_page(unsigned int page);
void source_restamp(unsigned int first, unsigned int n);
void source_stamp_at(void *where, unsigned int first, unsigned int n);
int source_file(void);
int source_region(enum region region);
bool region_keeps(enum region region);
void region_name(char *name, unsigned int slot, __u64 inc);
void range_phase(unsigned int first, unsigned int n, __u64 flags);
void range_wiping(unsigned int first, unsigned int n);
void range_void(unsigned int first, unsigned int n);
void range_moved(unsigned int first, unsigned int n);
void range_wiped(unsigned int first, unsigned int n);
void dwell(void);
void source_hurry(unsigned int first, unsigned int n);
void source_take_time(void);
int region_map(unsigned int first, unsigned int n);
bool region_in_use(enum region region);
bool huge_pages_there(void);

/* An operation is for at most this many pages. */
#define MAX_RANGE 64

struct op {
	const char *name;
	enum count count;
	unsigned int weight;
	unsigned int regions;
	void (*fn)(unsigned int first, unsigned int n);
};

void refill(unsigned int first, unsigned int n);
void op_lend(unsigned int first, unsigned int n);
void op_resize(unsigned int first, unsigned int n);
void op_rebind(unsigned int first, unsigned int n);
void op_give(unsigned int first, unsigned int n);

extern const struct op ops[];
extern const unsigned int nr_ops;

/* ---- reader.c, target.c, copies.c: what it does with the memory of others ---- */

struct target {
	int fd;
	unsigned int slot;
	__u64 inc;
	unsigned int depth;
	struct chain chain;
};

#define MAX_TARGETS 4
/* They can be derived from each other not much deeper than this. */
#define MAX_DEPTH 24

extern struct target targets[MAX_TARGETS];

void reader_setup(void);
void reader_step(void);
bool reader_window_is_absent(void);
void copies_step(struct target *t);
unsigned int random_page(void);

void target_close(struct target *t);
void target_open(struct target *t);
void target_derive(struct target *t);
void target_poll(struct target *t);
void target_list(struct target *t);
void call_failed(unsigned int slot, __u64 inc, const struct chain *chain, const char *what);

/* ---- lease.c: what it lets others have, and what it gets from them ---- */

void lease_setup(void);
void lease_step(void);
bool lease_accept(struct target *t, unsigned int slot, __u64 inc);
__u64 lease_open_begin(unsigned int slot);
bool lease_opened(struct target *t, __u64 word);
bool lease_not_opened(unsigned int slot, __u64 word, int err);

/* ---- share.c: regions of others ---- */

void share_receive(int fd, unsigned int slot, __u64 inc, const struct chain *chain);
void share_step(void);
int guarded_load(const void *addr, __u64 *value);

/* ---- parcel.c ---- */

/**
 * struct parcel - What is known of a descriptor that is passed on
 * @region: It is a handle of a region, and no target
 * @slot: Of whose memory it is a target
 * @inc: Of which incarnation
 * @depth: How far it has been derived
 * @chain: What it depends on
 */
struct parcel {
	bool region;
	unsigned int slot;
	__u64 inc;
	unsigned int depth;
	struct chain chain;
};

void inbox_setup(void);
bool parcel_send(struct parcel *parcel, int fd, unsigned int to);
void parcel_receive(void);

/* ---- supervisor.c, group.c, baseline.c ---- */

struct options {
	unsigned int sources;
	unsigned int readers;
	unsigned int seconds;
};

void supervise(const struct options *opts, unsigned int seconds, bool to_the_full);
bool everything_happened(void);
bool action_is_missing(enum count which);
bool cpu_can_go(void);
char *stat_text(const char *path, char *buf, size_t size);
long stat_value(const char *path, const char *field);

int group_create(void);
void group_enter(void);
void group_measure(void);
void group_vary(void);
void group_press(void);
void group_press_ended(pid_t pid);
void group_press_end(void);
long group_oom_kills(void);
int group_destroy(void);

void baseline_take(void);
void baseline_report(void);

/* ---- main.c: TAP ---- */

void result(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void result_skip(const char *what, const char *why);

#endif /* STRESS_H */
