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
#define MAX_ARGS 10
#define MAX_WORKERS 8
#define MAX_CORPUS 1024
#define PROG_TEXT 8192

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
	SLOTS = 24,
};

enum slot_kind {
	KIND_NONE,
	KIND_DEV,
	KIND_TARGET,
	KIND_PIDFD,
	KIND_MEM,
	KIND_PIPE,
	KIND_MEMFD,
};

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
	ARG_ANY_FD,
	ARG_PROCESS,
	ARG_PID,
	ARG_OUT,
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
	/* What it may fail with on a file of this kind, 0 at the end; NULL for anything. */
	const int *errors;
	enum slot_kind on;
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
 * struct run - One execution; shared between worker and actors
 * @prog: What to run
 * @err: Last errno of each call, 0 for success, -1 if it was not run
 * @stop: To an actor in a loop
 * @busy: RACER has something to do beside MAIN
 * @beat: How far MAIN is, for the watchdog
 * @lost: A new descriptor could not be read back
 * @calls: Calls that were made
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
	__u32 verdict;
	char why[256];
};

/**
 * struct executor - How to run programs
 * @run: The one that is run
 * @kcov: Coverage by actor
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

struct slot_entry {
	int fd;
	enum slot_kind kind;
};

extern struct slot_entry slots[SLOTS];
extern __u64 executor_fds;
extern struct executor *executor;

void executor_open(struct executor *x, uid_t uid, bool covered);
/* The verdict; r->why says more. */
enum verdict execute(struct executor *x, const struct prog *p);
void executor_main(struct executor *x) __attribute__((noreturn));

void run_fail(struct run *r, enum verdict what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Orders to the victim besides calls. */
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
void close_others(int keep);
void rings_close(void);

/* What calls need: memory.c */
void memory_setup(void);
__u64 place(struct ctx *x, __u64 arg);
__u64 confine(__u64 addr, __u64 *len);
__u64 safe_remote(__u64 addr);
void slot_set(__u64 slot, int fd, enum slot_kind kind);
int slot_fd(__u64 slot);
enum slot_kind slot_kind(__u64 slot);

/* The calls themselves: call_xmap.c, call_file.c, call_mem.c, call_proc.c */
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
CALL(window);
CALL(pread);
CALL(pwrite);
CALL(preadv2);
CALL(pwritev2);
CALL(lseek);
CALL(poll);
CALL(dup);
CALL(pass);
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
