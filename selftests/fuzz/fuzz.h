/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer: programs, what they are made of, and who runs them.
 *
 * A program is a short list of calls by three actors: two threads of one process
 * (MAIN, RACER) and a VICTIM process.  Each is run in a pid namespace of its
 * own, by an executor that is new for each program.  The actors have the same
 * things at the same addresses and numbers:
 *
 *	fd slots	a few files of every kind that is right or wrong somewhere,
 *			then room for what calls give
 *	WIN		addresses for windows
 *	ARENA		memory to be looked at, changed and torn down
 *	CANARY		right above it: no target that the fuzzer opens may write there,
 *			and what is there must never change
 *	scratch		the structures and buffers of calls, one area for each actor
 *
 * A number below SCRATCH_ROOM that is used as a pointer means that place in the
 * actor's own scratch.  So an argument is just a number, a program is text with
 * one call in a line, and it means the same in every run.
 */
#ifndef XMAP_FUZZ_H
#define XMAP_FUZZ_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <linux/xmap.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE 4096UL

#define MAX_CALLS 24
#define MAX_ARGS 13
#define MAX_WORKERS 8
#define MAX_CORPUS 1024
#define PROG_TEXT 12288
#define MAX_NODES 512
#define MAX_TAKEN 256

#define SCRATCH 0x10000000UL
#define SCRATCH_STRIDE 0x100000UL
#define SCRATCH_ROOM 0x10000UL
#define SCRATCH_STRUCT 0x800UL
#define SCRATCH_ENTRIES 0x2000UL
#define SCRATCH_BUF 0x4000UL
#define MAX_ENTRIES 40
/* A page that can be read only, one that cannot, one before a hole. */
#define ODD_RO 0x18000000UL
#define ODD_NONE (ODD_RO + PAGE)
#define ODD_EDGE (ODD_NONE + PAGE)
#define WIN 0x20000000UL
#define WIN_STRIDE 0x1000000UL
#define WINS 8
#define WIN_END (WIN + WINS * WIN_STRIDE)
#define ARENA 0x40000000UL
#define ARENA_SIZE 0x400000UL
#define ARENA_END (ARENA + ARENA_SIZE)
#define CANARY ARENA_END
#define CANARY_SIZE (4 * PAGE)
#define CANARY_END (CANARY + CANARY_SIZE)
/* Where regions have addresses of their own; each worker in a place of its own. */
#define FIXED XMAP_REGION_ADDRESS_MIN
#define FIXED_STRIDE 0x1000000UL
#define FIXED_END (FIXED + MAX_WORKERS * FIXED_STRIDE)
#define USER_END 0x7ffffffff000UL

/* In the pid namespace of a program the numbers are always these. */
#define PID_SELF 1
#define PID_DEAD 2
#define PID_VICTIM 3

enum slot {
	SLOT_DEV,
	SLOT_VICTIM,
	SLOT_SELF,
	SLOT_DEAD,
	SLOT_VICTIM_MEM,
	SLOT_SELF_MEM,
	SLOT_VICTIM_MEM_RO,
	SLOT_PIPE,
	SLOT_MEMFD,
	SLOT_EMPTY,
	SLOT_OUT,
	/* Where exports go that are asked for; all else goes before. */
	SLOT_EXPORT = SLOT_OUT + 4,
	/* And regions. */
	SLOT_REGION = SLOT_EXPORT + 3,
	SLOTS = 24,
};

/* What is not in a slot: no eventfd, and a new one. */
#define EVENTFD_NONE SLOTS
#define EVENTFD_NEW (SLOTS + 1)

enum slot_kind {
	KIND_NONE,
	KIND_DEV,
	KIND_TARGET,
	KIND_EXPORT,
	KIND_REGION,
	KIND_PIDFD,
	KIND_MEM,
	KIND_PIPE,
	KIND_MEMFD,
};

/* Sets of kinds; the last one is of those that have commands. */
#define ON(kind) (1U << KIND_##kind)
#define ON_COMMANDS (ON(DEV) | ON(TARGET) | ON(EXPORT) | ON(REGION))

enum actor { MAIN, RACER, VICTIM, ACTORS };

/* LOOP: with the calls before and after it that are the same actor's loop. */
enum mode { WAIT, ASYNC, LOOP, MODES };

struct call {
	__u8 nr;
	__u8 actor;
	__u8 mode;
	__u64 arg[MAX_ARGS];
};

struct prog {
	__u32 n;
	struct call call[MAX_CALLS];
};

/* ---- The table of calls: calls.c ---- */

enum arg_kind {
	ARG_NONE,
	ARG_DEV,
	ARG_TARGET,
	ARG_EXPORT,
	ARG_REGION,
	ARG_REVOCABLE,
	ARG_ANY_FD,
	ARG_PROCESS,
	ARG_PID,
	ARG_OUT,
	ARG_OUT_EXPORT,
	ARG_OUT_REGION,
	ARG_AT,
	ARG_BUF,
	ARG_ENTRIES,
	ARG_LOCAL,
	ARG_WINDOW,
	ARG_REMOTE,
	ARG_LENGTH,
	ARG_SIZE,
	ARG_FLAGS,
	ARG_RIGHTS,
	ARG_PROT,
	ARG_MAP,
	ARG_ADVICE,
	ARG_RWF,
	ARG_SMALL,
	ARG_CURSOR,
	ARG_VALUE,
	ARG_RESERVED,
	ARG_CMD,
	ARG_PAGES,
	ARG_OFFER,
	ARG_EXPIRES,
	ARG_MODE,
	ARG_NAME,
	ARG_RECENT,
	ARG_DENY,
	ARG_OFFSET,
	ARG_SEALS,
	ARG_REGION_FLAGS,
	ARG_REGION_RIGHTS,
	ARG_FIXED,
	ARG_EVENTFD,
};

struct ctx;

struct call_desc {
	const char *name;
	/* The system call's result, errno set if it is -1. */
	long (*run)(struct ctx *x, const __u64 *a);
	struct {
		const char *name;
		enum arg_kind kind;
	} arg[MAX_ARGS];
	/* What it may fail with on a file of these kinds, 0 at the end; NULL for anything. */
	const int *errors;
	__u32 on;
	__u32 size;
	/* How often, among others. */
	__u32 weight;
};

extern const struct call_desc calls[];
extern const unsigned int nr_calls;

int call_nargs(const struct call_desc *desc);

/* ---- Making programs: prog.c, seeds.c; as text: text.c ---- */

struct rng {
	__u64 s[2];
};

__u64 rng_next(struct rng *r);
void rng_seed(struct rng *r, __u64 seed);

static inline __u32 rng_below(struct rng *r, __u32 n)
{
	return (rng_next(r) >> 32) % n;
}

static inline bool rng_one_in(struct rng *r, __u32 n)
{
	return !rng_below(r, n);
}

void prog_generate(struct rng *r, struct prog *p);
void prog_mutate(struct rng *r, struct prog *p, const struct prog *other);
__u64 prog_plain_arg(const struct call *c, int i);
void prog_drop(struct prog *p, unsigned int i);

size_t prog_print(const struct prog *p, char *buf, size_t room);
int prog_parse(const char *text, struct prog *p, const char **next);

extern const char *const seeds[];
extern const unsigned int nr_seeds;

/* ---- Running one: exec.c, actor.c, check.c ---- */

enum verdict {
	FINE,
	BAD_ERRNO,
	BAD_OUTPUT,
	BAD_RIGHTS,
	BAD_CANARY,
	BAD_CONTENT,
	BAD_REVOKED,
	BAD_FD,
	BAD_OBJECTS,
	BAD_HANG,
	BAD_STUCK,
	BAD_EXIT,
	BAD_LOG,
	VERDICTS,
};

extern const char *const verdict_names[VERDICTS];

struct kcov {
	int fd;
	unsigned long *area;
};

/**
 * struct node - An export, a target or a handle of a region, as the program made it
 * @serial: Its number; 0 until the rest is there
 * @parent: Of what it was made from, or 0
 * @start: First address that was asked for
 * @end: Address after the last one
 * @rights: What was asked for
 * @kind: enum xmap_list_kind
 * @owner: Process whose memory it is, as the kernel says
 * @maker: Process that made it
 * @consent: It comes from an export
 * @id: Of a published export
 * @inode: Of the handle that created a region: its inode number, when that is known
 * @flags: Of that handle: enum xmap_region_flags
 * @manages: Of the handle of a region: it was made by the right to manage it, or that
 *	is not known
 * @owned: Of that handle: the executor and the victim may own the region
 * @reached: Of that handle: which of the two has reached it in the end
 */
struct node {
	__u64 serial;
	__u64 parent;
	__u64 start;
	__u64 end;
	__u32 rights;
	__u32 kind;
	__s32 owner;
	__s32 maker;
	bool consent;
	__u64 id;
	__u64 inode;
	__u32 flags;
	bool manages;
	__u32 owned[2];
	__u32 reached;
};

/* A revocation that has returned: of this object, and what comes from it. */
struct taken {
	__u64 serial;
	__u64 start;
	__u64 end;
};

/**
 * struct run - One execution; shared between worker and actors
 * @prog: What to run
 * @err: Last errno of each call, 0 for success, -1 if it was not run
 * @stop: To an actor in a loop
 * @busy: RACER has something to do beside MAIN
 * @beat: How far MAIN is, for the watchdog
 * @lost: A new descriptor could not be read back
 * @calls: Calls that were made
 * @denied: Of the executor and of the victim: odd while it refuses to be opened
 * @replacing: Calls by which pages of regions can be replaced: 1 for each that is under
 *	way, 1 << 32 for each that has begun
 * @nnodes: Of @node that have been given out, perhaps more than there are
 * @ntaken: The same of @taken
 * @node: What was made, for those who check
 * @taken: What was taken back
 * @verdict: What is wrong, an enum verdict
 * @why: The same in words
 */
struct run {
	struct prog prog;
	__s32 err[MAX_CALLS];
	__u32 stop[ACTORS];
	__u32 busy;
	__u32 beat;
	__u32 lost;
	__u64 calls;
	__u32 denied[2];
	__u64 replacing;
	__u32 nnodes;
	__u32 ntaken;
	struct node node[MAX_NODES];
	struct taken taken[MAX_TAKEN];
	__u32 verdict;
	char why[256];
};

/**
 * struct executor - How to run programs
 * @run: The one that is run
 * @kcov: Coverage by actor
 * @worker: The worker
 * @nr: Its number
 * @exe: This program
 * @dev: /dev/xmap, for those who look at what is left
 * @uid: Whose programs they are
 * @alone: Nobody else has targets as this user
 * @hang: Seconds that MAIN may take for one step
 * @late_ms: How late the last references to an object may go
 */
struct executor {
	struct run *run;
	struct kcov kcov[ACTORS];
	pid_t worker;
	unsigned int nr;
	int exe;
	int dev;
	uid_t uid;
	bool alone;
	unsigned int hang;
	unsigned int late_ms;
};

/* Of the actor that calls; the slots are its process's. */
struct ctx {
	enum actor who;
	__u64 scratch;
	struct run *run;
	int racer;
	int victim;
	int children;
	int served;
};

/**
 * struct slot_entry - A place for a descriptor
 * @fd: It, plus one
 * @kind: What it is
 * @node: Its place in the run's @node plus one, or 0 if that is not known
 * @begun: How often somebody has begun to change this
 * @done: And how often it was done
 */
struct slot_entry {
	int fd;
	enum slot_kind kind;
	__u32 node;
	__u32 begun;
	__u32 done;
};

/* What was in a slot, for who wants to know later whether it has been there all the time. */
struct slot_look {
	struct slot_entry *slot;
	enum slot_kind kind;
	__u32 node;
	__u32 begun;
	bool still;
};

extern struct slot_entry slots[SLOTS];
extern __u64 executor_fds;
extern struct executor *executor;

void executor_open(struct executor *x, unsigned int nr, bool covered);
/* The verdict; r->why says more. */
enum verdict execute(struct executor *x, const struct prog *p);
void executor_main(struct executor *x) __attribute__((noreturn));

void run_fail(struct run *r, enum verdict what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Orders to the victim besides calls. */
#define ORDER_CHECK 0xfffffffdU
#define ORDER_PEEK 0xfffffffeU
#define ORDER_CANARY 0xffffffffU

struct order {
	__u32 first;
	__u32 last;
	__u64 addr;
	__u64 value;
	__u32 ok;
};

void actor_signals(void);
void actor_run(struct ctx *x, unsigned int i);
void actor_serve(struct ctx *x, int sock);
int actor_send(int sock, __u32 first, __u32 last);
int actor_await(int sock);
int order_receive(int sock, struct order *order);
void actor_cover(struct executor *x, enum actor who);
bool try_load(__u64 addr, __u64 *value);
bool try_store(__u64 addr, __u64 value);

bool victim_ask(struct ctx *x, struct order *order);
int victim_spawn(struct ctx *x);
void victim_kill(struct ctx *x);

void canary_fill(void);
bool canary_intact(void);
void check_end(struct ctx *x);
__u64 open_fds(void);
void close_others(int keep, int last);
void rings_close(void);

/* What calls need: memory.c */
void memory_setup(void);
__u64 place(struct ctx *x, __u64 arg);
__u64 confine(__u64 addr, __u64 *len);
__u64 safe_remote(__u64 addr);
void slot_set(__u64 slot, int fd, enum slot_kind kind);
void slot_put(__u64 slot, int fd, enum slot_kind kind, __u32 node);
void slot_look(__u64 slot, struct slot_look *look);
bool slot_unchanged(const struct slot_look *look);
__u32 slot_node(const struct slot_look *look);
int slot_fd(__u64 slot);
enum slot_kind slot_kind(__u64 slot);

/* What was made of what, and taken back: tree.c */
__u32 node_new(struct ctx *x, const struct node *asked, __u32 parent);
const struct node *node_of(const struct run *r, __u32 node);
const struct node *node_find(const struct run *r, __u64 serial);
__u32 node_with_id(const struct run *r, __u64 id);
__u64 node_recent(const struct run *r, __u64 nth, bool id);
void node_taken(struct run *r, __u64 serial, __u64 addr, __u64 len);
void denial_set(struct ctx *x);
void denial_clear(struct ctx *x, enum actor who);
void denial_check(struct ctx *x, const struct node *opened, const __u32 *before);
int list_each(bool (*fn)(const struct xmap_list_entry *e, void *data), void *data);
void check_taken(struct ctx *x);
void check_handles(struct ctx *x);

/* Mappings of regions: check_region.c */
struct node *node_root(struct run *r, __u32 node);
void region_mapping(struct ctx *x, __u32 node, __u64 offset, __u64 len);
void region_mapped(struct ctx *x, __u32 node, __u64 addr);
void region_given(struct ctx *x, __u32 node, bool away);
void victim_owns_nothing(struct ctx *x);
void check_regions(struct ctx *x, bool end);
void check_region_handles(struct ctx *x);
void check_single(struct ctx *x);
bool region_gone(const struct run *r, const struct node *root, __u32 before);

/* How many pages of a region were replaced: replaced.c */
struct replaced {
	__u64 began;
	__u64 pages;
	bool known;
};

void replacing_begin(struct ctx *x, int fd, enum slot_kind kind, struct replaced *before);
void replacing_end(struct ctx *x, int fd, const struct slot_look *look,
		   const struct replaced *before);
const struct taken *taken_from(const struct run *r, __u64 serial, __u64 start, __u64 end);

/* call_region.c: those that programs leave on purpose */
void names_remove(const struct executor *x);
void name_make(char *name, __u64 arg);
void gid_make(__u32 *gid, bool published, __u64 mode);

/* The calls themselves: call_*.c */
#define CALL(name) long call_##name(struct ctx *x, const __u64 *a)
CALL(query);
CALL(list);
CALL(entry);
CALL(transfer);
CALL(target_open);
CALL(target_info);
CALL(target_derive);
CALL(target_maps);
CALL(target_prefault);
CALL(ioctl);
CALL(export_create);
CALL(export_open);
CALL(export_accept);
CALL(export_info);
CALL(revoke);
CALL(deny);
CALL(region_create);
CALL(region_open);
CALL(region_derive);
CALL(region_info);
CALL(region_seal);
CALL(region_resize);
CALL(region_give);
CALL(region_take);
CALL(region_rebind);
CALL(region_unlink);
CALL(region_notify);
CALL(eventfd);
CALL(region_map);
CALL(window);
CALL(pread);
CALL(pwrite);
CALL(preadv2);
CALL(pwritev2);
CALL(lseek);
CALL(poll);
CALL(dup);
CALL(pass);
CALL(send);
CALL(receive);
CALL(fdinfo);
CALL(close);
CALL(truncate);
CALL(touch);
CALL(store);
CALL(through);
CALL(munmap);
CALL(mremap);
CALL(mprotect);
CALL(madvise);
CALL(mem);
CALL(futex);
CALL(fork);
CALL(exec);
CALL(exit);
CALL(kill);
CALL(signal);
CALL(spawn);
CALL(uring);
CALL(uffd);

/* ---- Shared by all workers: work.c ---- */

#define COVER_ROOM (1 << 20)

/**
 * struct finding - What is shown of all that got one verdict: the first, made small
 * @prog: The program
 * @uid: Who ran it
 * @why: What was wrong
 */
struct finding {
	struct prog prog;
	uid_t uid;
	char why[256];
};

/**
 * struct shared - What workers and supervisor share
 * @stop: Everybody is to end
 * @lock: A robust enough spinlock: nobody is killed under it
 * @corpus: Programs that did something new
 * @cover: A byte for each address of the module's text
 */
struct shared {
	__u32 stop;
	__u32 lock;
	__u32 ncorpus;
	__u32 ncovered;
	__u32 nresults;
	__u32 nfailed;
	__u64 executions[MAX_WORKERS];
	__u64 calls[MAX_WORKERS];
	__u32 failed[VERDICTS];
	struct finding first[VERDICTS];
	struct prog corpus[MAX_CORPUS];
	__u8 cover[COVER_ROOM];
	__u8 results[1 << 16];
};

struct options {
	unsigned int seconds;
	unsigned int workers;
	unsigned int hang;
	unsigned int repeat;
	unsigned int print;
	__u64 seed;
	const char *dir;
	const char *replay;
};

extern struct options opts;
extern struct shared *shared;

int worker_main(unsigned int nr);
bool work_guided(void);
void work_setup(void);
uid_t worker_uid(unsigned int nr);
void work_print(unsigned int n);
void work_save_cover(void);

/* save.c: files in opts.dir */
int ring_open(unsigned int worker);
void ring_write(int ring, unsigned int worker, __u64 nr, const struct prog *p);
void prog_save(const char *name, const struct prog *p, const char *why, uid_t uid);
void finding_keep(enum verdict verdict, const struct prog *p, const char *why, uid_t uid);
void finding_print(enum verdict verdict);

/* minimise.c: smaller while test(p, data) */
typedef bool (*prog_test)(const struct prog *p, void *data);
void prog_minimise(struct prog *p, prog_test test, void *data, unsigned int seconds);

/* klog.c */
void klog_open(void);
/* The first new report, or NULL. */
const char *klog_read(void);

#endif /* XMAP_FUZZ_H */
