/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differential permission test: random pairs of a caller and a target, and
 * for each of them the verdict of xmap next to the kernel's own.
 *
 * A case is drawn from a seed and its number (case.c), two processes are made
 * what it says (subject.c, pair.c) in namespaces and profiles that the test
 * prepares once (world.c), then the caller asks both (ask.c).  main.c counts.
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

/* One case: all that its number stands for. */
struct pair_case {
	__u64 seed;
	unsigned int nr;
	int dim[DIMS];
	struct person who[SIDES];
};

/* Rights that are asked for, one after the other. */
#define ASKED_RIGHTS 3
/* By a pidfd that was handed in, and by one of the caller's own. */
#define ASKED_WAYS 2
/* No answer: the question does not apply. */
#define UNASKED (-1)

/**
 * struct answers - What one caller heard about one target, as errno or 0
 * @before: The kernel's ptrace access check, before everything else
 * @xmap: XMAP_TARGET_OPEN
 * @read: Read of the target's mark through the first one that was opened
 * @vm: process_vm_readv() of the same byte
 * @mem: open(2) of /proc/PID/mem
 * @by_mem: XMAP_TARGET_OPEN_MEM with that file
 * @after: The kernel's ptrace access check again
 */
struct answers {
	int before;
	int xmap[ASKED_WAYS][ASKED_RIGHTS];
	int read;
	int vm;
	int mem;
	int by_mem;
	int after;
};

#define USERNS_MAX 8
#define PIDNS_MAX 4

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
 * @sock: Socket pairs of the case; [side][0] is the test's end
 * @life: Pipe of the case that ends with it
 * @current: The case, in shared memory
 * @answers: To it, in shared memory
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
	int sock[SIDES][2];
	int life[2];
	struct pair_case *current;
	struct answers *answers;
};

extern struct world world;

/**
 * struct pair - The two processes of a case; numbers are the test's
 * @peer: Their processes
 * @tid: Tasks that matter: who asks, who is asked about
 * @number: @tid of the target as the caller calls it, 0 if it has no name there
 * @pidfd: For the target, or for its leader where threads have none
 * @verdict: The target's file that answers for the kernel; see ask.c
 * @unnamed: @pidfd is not for @tid
 */
struct pair {
	struct peer peer[SIDES];
	pid_t tid[SIDES];
	pid_t number;
	int pidfd;
	int verdict;
	bool unnamed;
};

/* case.c */
void case_draw(struct pair_case *c, __u64 seed, unsigned int nr);
void case_print(const struct pair_case *c);

/* world.c */
extern const int userns_parent[USERNS_MAX];
extern const int pidns_parent[PIDNS_MAX];
int world_create(void);
void world_destroy(void);
int ns_relation(const int *parent, int caller, int target);
const char *apparmor_profile(int kind);

/* pair.c */
int pair_create(struct pair *p, const struct pair_case *c);
int pair_ask(struct pair *p);
void pair_destroy(struct pair *p);
/* The step that failed last, for reports. */
extern const char *pair_step;

/* subject.c: orders that the two processes of a pair understand */
pid_t subject_fork(enum side side, bool grandchild, bool shared_mm);
long op_subject_fork(const unsigned long *a);
long op_subject_split(const unsigned long *a);
long op_subject_userns(const unsigned long *a);
long op_subject_landlock(const unsigned long *a);
long op_subject_apparmor(const unsigned long *a);
long op_subject_sandbox(const unsigned long *a);
long op_subject_become(const unsigned long *a);
long op_subject_exec(const unsigned long *a);
long op_subject_take(const unsigned long *a);
long op_subject_seize(const unsigned long *a);
long op_subject_prctl(const unsigned long *a);

/* ask.c */
long op_ask(const unsigned long *a);
enum outcome ask_outcome(const struct answers *a);
const char *ask_difference(const struct pair_case *c, const struct pair *p,
			   const struct answers *a);
void ask_print(const struct answers *a);

#endif
