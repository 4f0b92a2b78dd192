/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differential permission test: random pairs of a caller and a target, and
 * for each of them the verdict of xmap next to the kernel's own.
 *
 * To make a process costs many times what it costs to ask a question.  So the
 * test makes a family of them, drawn from a seed and its number (draw.c), who
 * become what was drawn (subject.c, family.c) in namespaces and profiles that
 * the test prepares once (world.c).  Then each of them that can asks about each
 * (ask.c); then what can be changed at any time is changed, and they ask again.
 * A case is one caller and one target at one such time (case.c); reason.c says
 * which rule decides it.  main.c counts.
 */
#ifndef XMAP_DIFFER_H
#define XMAP_DIFFER_H

/* The harness, of which nothing is used here, is made for programs of one file. */
#pragma weak _fixture_global
#pragma weak __active_test
#pragma weak __run_test
#pragma weak __wait_for_test

#include "../xmap_utils.h"
#include "../xmap_peer.h"

enum side {
	CALLER,
	TARGET,
	SIDES,
};

/* Processes of a family; a kernel thread is asked about as well. */
#define MEMBERS 10
#define TARGETS (MEMBERS + 1)
#define KERNEL_THREAD MEMBERS
/* An order has room for their numbers. */
#define TRACEES_MAX 5
/* Times that they all ask. */
#define EPOCHS 3

/* What a case is made of, and what is counted. */
enum dim {
	D_TARGET,
	D_RELATION,
	D_ASKER,
	D_USERNS,
	D_PIDNS,
	D_IDS,
	D_FSIDS,
	D_CALLER_CAPS,
	D_TARGET_CAPS,
	D_SECUREBITS,
	D_DUMPABLE,
	D_SCOPE,
	D_PTRACER,
	D_TRACER,
	D_LANDLOCK,
	D_CALLER_APPARMOR,
	D_TARGET_APPARMOR,
	D_CALLER_SANDBOX,
	D_TARGET_SANDBOX,
	DIMS,
};

#define VALUES_MAX 10

enum { TG_PLAIN, TG_THREAD, TG_EXECED, TG_SETUID, TG_EXECONLY, TG_EXECING, TG_ZOMBIE,
	TG_DEAD_LEADER, TG_KTHREAD };
enum { REL_APART, REL_CHILD, REL_GRANDCHILD, REL_PARENT, REL_SHARED_MM, REL_SELF };
enum { ASK_PROCESS, ASK_THREAD };
enum { NS_SAME, NS_SAME_NESTED, NS_TARGET_BELOW, NS_TARGET_TWO_BELOW, NS_CALLER_BELOW, NS_APART };
enum { CAPS_NONE, CAPS_ALL, CAPS_SOME, CAPS_PTRACE, CAPS_SOME_PTRACE, CAPS_PERMITTED };
enum { DUMP_OFF, DUMP_ON, DUMP_LEFT_0, DUMP_LEFT_1, DUMP_LEFT_2 };
enum { PTRACER_NONE, PTRACER_ANY, PTRACER_CALLER, PTRACER_THREAD, PTRACER_OTHER };
enum { TRACER_NONE, TRACER_THIRD, TRACER_CALLER };
enum { LL_NONE, LL_CALLER, LL_TARGET, LL_APART, LL_SHARED, LL_TARGET_DEEPER, LL_CALLER_DEEPER };
enum { AA_NONE, AA_OPEN, AA_SHUT, AA_AMONG };
enum { BOX_NNP = 1, BOX_SECCOMP = 2 };

/* What became of a question. */
enum outcome {
	ALLOWED,
	DENIED,
	GONE,
	OUTCOMES,
};

/**
 * struct value - One value of a dimension
 * @name: Word for it
 * @weight: How often it is drawn, among the values of its dimension
 * @must: The outcomes, of 'A', 'D' and 'G', that must have come up with it
 */
struct value {
	const char *name;
	unsigned int weight;
	const char *must;
};

extern const char *const dim_names[DIMS];
extern const struct value dim_values[DIMS][VALUES_MAX];

enum { ID_REAL, ID_EFFECTIVE, ID_SAVED, ID_FS, IDS };

/**
 * struct person - Who one side of a pair is
 * @uid: The four user ids
 * @gid: The four group ids
 * @permitted: Capabilities
 * @effective: Subset of @permitted
 * @inheritable: Capabilities
 * @ambient: Subset of @permitted and @inheritable
 * @dropped: What its bounding set lacks
 * @securebits: SECBIT_*
 * @userns: Index of its user namespace
 * @pidns: Index of its pid namespace
 */
struct person {
	__u32 uid[IDS];
	__u32 gid[IDS];
	__u64 permitted;
	__u64 effective;
	__u64 inheritable;
	__u64 ambient;
	__u64 dropped;
	int securebits;
	int userns;
	int pidns;
};

/* Who is nobody's child, who nobody traces. */
#define NOBODY (-1)
#define THE_TEST (-2)

/**
 * struct member - One process of a family
 * @kind: TG_*
 * @parent: Its parent, an earlier member; or NOBODY
 * @between: There is another process between the two
 * @shares: Its parent's address space is its own as well
 * @early: It has a Landlock domain, which its children inherit
 * @late: It has a Landlock domain that they do not inherit
 * @no_files: That one forbids to open files
 * @apparmor: AA_*
 * @sandbox: BOX_*
 * @tracer: Another member, THE_TEST, or NOBODY
 * @caps: CAPS_*
 * @who: What it becomes
 */
struct member {
	int kind;
	int parent;
	bool between;
	bool shares;
	bool early;
	bool late;
	bool no_files;
	int apparmor;
	int sandbox;
	int tracer;
	int caps;
	struct person who;
};

/**
 * struct epoch - What can be changed while they live
 * @scope: Yama's
 * @dumpable: DUMP_* of each member
 * @ptracer: PTRACER_* of each member; PTRACER_CALLER stands for @friend, PTRACER_OTHER
 *           for the member itself
 * @friend: Another member
 */
struct epoch {
	int scope;
	int dumpable[MEMBERS];
	int ptracer[MEMBERS];
	int friend[MEMBERS];
};

/* All that the seed and a family's number stand for. */
struct family {
	__u64 seed;
	unsigned int nr;
	/* The sysctl, when they become what they are. */
	int suid_dumpable;
	struct member member[MEMBERS];
	struct epoch epoch[EPOCHS];
};

/* One case: a pair of them in one epoch. */
struct pair_case {
	const struct family *family;
	int epoch;
	int index[SIDES];
	unsigned int nr;
	int dim[DIMS];
	struct person who[SIDES];
};

/* The rules that a verdict may hang on; see reason.c. */
enum reason {
	R_IDS,
	R_FS_IDS,
	R_DUMPABLE,
	R_CAPABLE,
	R_CAPABLE_THERE,
	R_EFFECTIVE,
	R_SUBSET,
	R_SCOPE,
	R_DESCENT,
	R_PTRACER,
	R_TRACER,
	R_APPARMOR,
	R_LANDLOCK,
	REASONS,
};

/* By a pidfd that was handed in, and by one of the caller's own. */
#define ASKED_WAYS 2
/* No answer: the question does not apply. */
#define UNASKED (-1)

/**
 * struct answers - What one caller heard about one target, as errno or 0
 * @before: The kernel's ptrace access check, before everything else
 * @rights: What was asked for, each way
 * @xmap: XMAP_TARGET_OPEN
 * @read: Read of the target's mark through the first one that was opened
 * @vm: process_vm_readv() of the same byte
 * @mem: open(2) of /proc/PID/mem
 * @by_mem: XMAP_TARGET_OPEN_MEM with that file
 * @after: The kernel's ptrace access check again
 */
struct answers {
	int before;
	__u32 rights[ASKED_WAYS];
	int xmap[ASKED_WAYS];
	int read;
	int vm;
	int mem;
	int by_mem;
	int after;
};

/**
 * struct question - What a caller has to know about a target
 * @nr: Its number in the caller's pid namespace, 0 if it has none
 * @init_nr: Its number in the initial pid namespace
 * @rights: What to ask for besides all rights
 * @thread: It is a thread
 */
struct question {
	pid_t nr;
	pid_t init_nr;
	__u32 rights;
	bool thread;
};

/**
 * struct board - Memory that the test and all members share
 * @family: The family
 * @fds: Of each member: the files that it was given, a pidfd and the kernel's
 *       verdict of each target
 * @question: To the caller whose turn it is
 * @answer: By it
 */
struct board {
	struct family family;
	int fds[MEMBERS][2 * TARGETS];
	struct question question[TARGETS];
	struct answers answer[TARGETS];
};

#define USERNS_MAX 8
#define PIDNS_MAX 4
#define PIDNS_DEPTH 3

/**
 * struct world - What all cases share
 * @dev: /dev/xmap
 * @caps: All capabilities of this kernel
 * @userns: User namespaces; the first is the initial one
 * @pidns: Pid namespaces; the first is the initial one
 * @yama: This kernel has Yama
 * @landlock: This kernel has Landlock
 * @thread_pidfd: This kernel has pidfds of threads
 * @apparmor: The profiles are loaded; else why not
 * @no_apparmor: Why there is no AppArmor
 * @helper: Path of this program's copies: plain, setuid root, execute only
 * @sock: Socket pairs of the family; [member][0] is the test's end
 * @life: Pipe of the family that ends with it
 * @board: Memory that is shared
 */
struct world {
	int dev;
	__u64 caps;
	int userns[USERNS_MAX];
	int pidns[PIDNS_MAX];
	bool yama;
	bool landlock;
	bool thread_pidfd;
	bool apparmor;
	const char *no_apparmor;
	const char *helper[3];
	int sock[MEMBERS][2];
	int life[2];
	struct board *board;
};

extern struct world world;

/**
 * struct kin - A target as the test knows it
 * @peer: Its process
 * @tid: The task that is asked about, and that asks
 * @nr: @tid in each pid namespace that it is in, from the initial one inwards
 * @pidfd: For the task, or for its leader where threads have none
 * @verdict: The file that answers for the kernel; see ask.c
 * @unnamed: @pidfd is not for @tid
 */
struct kin {
	struct peer peer;
	pid_t tid;
	pid_t nr[PIDNS_DEPTH];
	int pidfd;
	int verdict;
	bool unnamed;
};

/* draw.c */
void family_draw(struct family *f, __u64 seed, unsigned int nr);
int draw_value(const struct value *values);
/* Is it one that can ask? */
bool member_asks(const struct family *f, int i);
bool member_descends(const struct family *f, int i, int from);
/* Both tasks have one address space. */
bool members_share(const struct family *f, int i, int j);
/* A member's Landlock domain: a bit for each layer, of those that it inherited as well. */
__u32 member_domain(const struct family *f, int i);
bool ns_reaches(const int *parent, int above, int ns);

/* case.c */
bool case_of(struct pair_case *c, const struct family *f, int epoch, int caller, int target);
void case_print(const struct pair_case *c);

/* reason.c */
extern const char *const reason_names[REASONS];
/* Does it know what this target has become? */
bool reason_knows(const struct pair_case *c);
/* What all rules together say; and whether that hangs on this one. */
bool reason_allows(const struct pair_case *c);
bool reason_decides(const struct pair_case *c, enum reason reason);

/* world.c */
extern const int userns_parent[USERNS_MAX];
extern const __u32 userns_owner[USERNS_MAX];
extern const int pidns_parent[PIDNS_MAX];
int world_create(void);
void world_destroy(void);
int ns_relation(const int *parent, int caller, int target);
int ns_depth(const int *parent, int ns);
const char *apparmor_profile(int kind);

/* family.c */
extern struct kin kin[TARGETS];
int family_create(void);
int family_epoch(int epoch);
int family_ask(int caller, int first, int last);
void family_destroy(void);
/* The step that failed last, for reports. */
extern const char *family_step;

/* subject.c: orders that the processes of a family understand */
pid_t subject_fork(int i);
long op_subject_fork(const unsigned long *a);
long op_subject_settle(const unsigned long *a);
long op_subject_split(const unsigned long *a);
long op_subject_landlock(const unsigned long *a);
long op_subject_make(const unsigned long *a);
long op_subject_exec(const unsigned long *a);
long op_subject_take(const unsigned long *a);
long op_subject_epoch(const unsigned long *a);

/* ask.c */
long op_ask(const unsigned long *a);
enum outcome ask_outcome(const struct answers *a);
const char *ask_difference(const struct pair_case *c, const struct answers *a);
void ask_print(const struct answers *a);

#endif
