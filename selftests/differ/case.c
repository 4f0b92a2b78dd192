// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drawing a case.  Nothing here is more than a number out of the seed and the
 * number of the case: each one can be had alone.  The weights see to it that
 * pairs that may and pairs that may not are both frequent; a pair of all
 * independent persons would nearly always be refused, by the first rule.
 */
#include <linux/capability.h>
#include <linux/securebits.h>

#include "differ.h"

#define CAP_BIT(cap) (1ULL << (cap))
#define PTRACE_BIT CAP_BIT(CAP_SYS_PTRACE)

const char *const dim_names[DIMS] = {
	[D_TARGET] = "target",
	[D_RELATION] = "relation",
	[D_ASKER] = "asker",
	[D_USERNS] = "userns",
	[D_PIDNS] = "pidns",
	[D_IDS] = "ids",
	[D_FSIDS] = "fsids",
	[D_CALLER_CAPS] = "caller-caps",
	[D_TARGET_CAPS] = "target-caps",
	[D_SECUREBITS] = "securebits",
	[D_DUMPABLE] = "dumpable",
	[D_SCOPE] = "yama-scope",
	[D_PTRACER] = "ptracer",
	[D_TRACER] = "traced-by",
	[D_LANDLOCK] = "landlock",
	[D_CALLER_APPARMOR] = "caller-apparmor",
	[D_TARGET_APPARMOR] = "target-apparmor",
	[D_CALLER_SANDBOX] = "caller-sandbox",
	[D_TARGET_SANDBOX] = "target-sandbox",
};

/* A weight of 0: not drawn, but found out from the rest of the case. */
const struct value dim_values[DIMS][VALUES_MAX] = {
	[D_TARGET] = {
		[TG_PLAIN] = { "plain", 36, "AD" },
		[TG_THREAD] = { "thread", 15, "AD" },
		[TG_EXECED] = { "execed", 12, "AD" },
		[TG_SETUID] = { "setuid", 7, "AD" },
		[TG_EXECONLY] = { "exec-only", 7, "AD" },
		[TG_EXECING] = { "execing", 7, "AD" },
		[TG_ZOMBIE] = { "zombie", 6, "G" },
		[TG_DEAD_LEADER] = { "dead-leader", 5, "G" },
		[TG_KTHREAD] = { "kthread", 5, "G" },
	},
	[D_RELATION] = {
		[REL_APART] = { "apart", 40, "AD" },
		[REL_CHILD] = { "child", 17, "AD" },
		[REL_GRANDCHILD] = { "grandchild", 12, "AD" },
		[REL_PARENT] = { "parent", 17, "AD" },
		[REL_SHARED_MM] = { "shared-mm", 8, "A" },
		[REL_SELF] = { "self", 6, "A" },
	},
	[D_ASKER] = {
		[ASK_PROCESS] = { "process", 70, "AD" },
		[ASK_THREAD] = { "thread", 30, "AD" },
	},
	[D_USERNS] = {
		[NS_SAME] = { "initial", 0, "AD" },
		[NS_SAME_NESTED] = { "same", 0, "AD" },
		[NS_TARGET_BELOW] = { "target-below", 0, "AD" },
		[NS_TARGET_TWO_BELOW] = { "target-two-below", 0, "AD" },
		[NS_CALLER_BELOW] = { "caller-below", 0, "D" },
		[NS_APART] = { "apart", 0, "D" },
	},
	[D_PIDNS] = {
		[NS_SAME] = { "initial", 0, "ADG" },
		[NS_SAME_NESTED] = { "same", 0, "AD" },
		[NS_TARGET_BELOW] = { "target-below", 0, "AD" },
		[NS_TARGET_TWO_BELOW] = { "target-two-below", 0, "AD" },
		[NS_CALLER_BELOW] = { "caller-below", 0, "G" },
		[NS_APART] = { "apart", 0, "G" },
	},
	[D_IDS] = { { "equal", 0, "AD" }, { "different", 0, "AD" } },
	[D_FSIDS] = { { "real", 0, "AD" }, { "own", 0, "AD" } },
	[D_CALLER_CAPS] = {
		[CAPS_NONE] = { "none", 34, "AD" },
		[CAPS_ALL] = { "all", 16, "AD" },
		[CAPS_SOME] = { "some", 16, "AD" },
		[CAPS_PTRACE] = { "ptrace", 10, "AD" },
		[CAPS_SOME_PTRACE] = { "some+ptrace", 14, "AD" },
		[CAPS_PERMITTED] = { "permitted-only", 10, "AD" },
	},
	[D_TARGET_CAPS] = {
		[CAPS_NONE] = { "none", 60, "AD" },
		[CAPS_ALL] = { "all", 15, "AD" },
		[CAPS_SOME] = { "some", 25, "AD" },
	},
	[D_SECUREBITS] = { { "none", 0, "AD" }, { "some", 0, "AD" } },
	[D_DUMPABLE] = {
		[DUMP_OFF] = { "0", 12, "AD" },
		[DUMP_ON] = { "1", 58, "AD" },
		[DUMP_LEFT_0] = { "left-0", 10, "AD" },
		[DUMP_LEFT_1] = { "left-1", 10, "AD" },
		[DUMP_LEFT_2] = { "left-2", 10, "AD" },
	},
	[D_SCOPE] = { { "0", 50, "AD" }, { "1", 32, "AD" }, { "2", 18, "AD" } },
	[D_PTRACER] = {
		[PTRACER_NONE] = { "none", 40, "AD" },
		[PTRACER_ANY] = { "any", 18, "AD" },
		[PTRACER_CALLER] = { "caller", 18, "AD" },
		[PTRACER_THREAD] = { "caller-thread", 12, "AD" },
		[PTRACER_OTHER] = { "other", 12, "AD" },
	},
	[D_TRACER] = {
		[TRACER_NONE] = { "none", 70, "AD" },
		[TRACER_THIRD] = { "third", 15, "AD" },
		[TRACER_CALLER] = { "caller", 15, "AD" },
	},
	[D_LANDLOCK] = {
		[LL_NONE] = { "none", 60, "AD" },
		[LL_CALLER] = { "caller", 6, "D" },
		[LL_TARGET] = { "target", 8, "AD" },
		[LL_APART] = { "both-apart", 5, "D" },
		[LL_SHARED] = { "shared", 8, "AD" },
		[LL_TARGET_DEEPER] = { "target-deeper", 8, "AD" },
		[LL_CALLER_DEEPER] = { "caller-deeper", 5, "D" },
	},
	[D_CALLER_APPARMOR] = {
		[AA_NONE] = { "none", 70, "AD" },
		[AA_OPEN] = { "open", 12, "AD" },
		[AA_SHUT] = { "shut", 6, "D" },
		[AA_AMONG] = { "among", 12, "AD" },
	},
	[D_TARGET_APPARMOR] = {
		[AA_NONE] = { "none", 66, "AD" },
		[AA_OPEN] = { "open", 14, "AD" },
		[AA_SHUT] = { "shut", 6, "D" },
		[AA_AMONG] = { "among", 14, "AD" },
	},
	[D_CALLER_SANDBOX] = {
		{ "none", 70, "AD" }, { "no-new-privs", 10, "AD" },
		{ "seccomp", 10, "AD" }, { "both", 10, "AD" },
	},
	[D_TARGET_SANDBOX] = {
		{ "none", 70, "AD" }, { "no-new-privs", 10, "AD" },
		{ "seccomp", 10, "AD" }, { "both", 10, "AD" },
	},
};

static __u64 rng_state;

/* Steele, Lea and Flood's SplitMix64. */
static __u64 rng(void)
{
	__u64 z = rng_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static unsigned int below(unsigned int n)
{
	return rng() % n;
}

static bool chance(unsigned int percent)
{
	return below(100) < percent;
}

static int draw_value(const struct value *values)
{
	unsigned int sum = 0, at;
	int i;

	for (i = 0; i < VALUES_MAX; i++)
		sum += values[i].weight;
	if (!sum)
		return 0;
	at = below(sum);
	for (i = 0; at >= values[i].weight; i++)
		at -= values[i].weight;
	return i;
}

static __u32 draw_id(void)
{
	static const __u32 ids[] = { 0, 1000, 1001 };

	return ids[below(3)];
}

static void draw_ids(__u32 *ids, __u32 base)
{
	int i;

	for (i = 0; i < IDS; i++)
		ids[i] = chance(95) ? base : draw_id();
	/* The ids for file access are those of the effective user, mostly. */
	if (chance(90))
		ids[ID_FS] = ids[ID_EFFECTIVE];
}

static __u64 draw_caps(void)
{
	static const int caps[] = {
		CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_KILL, CAP_SETUID, CAP_NET_RAW,
		CAP_SYS_ADMIN, CAP_PERFMON, CAP_CHECKPOINT_RESTORE,
	};
	__u64 bits = rng(), set = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(caps); i++)
		if (bits >> i & 1)
			set |= CAP_BIT(caps[i]);
	return set & world.caps;
}

static void draw_person_caps(struct person *who, int kind)
{
	switch (kind) {
	case CAPS_NONE:
		break;
	case CAPS_ALL:
		who->permitted = world.caps;
		break;
	case CAPS_SOME:
		who->permitted = draw_caps();
		break;
	default:
		who->permitted = PTRACE_BIT;
		if (kind != CAPS_PTRACE)
			who->permitted |= draw_caps();
	}
	who->effective = who->permitted;
	if (kind == CAPS_PERMITTED)
		who->effective &= draw_caps();
	else if ((kind == CAPS_SOME || kind == CAPS_SOME_PTRACE) && chance(40))
		who->effective &= draw_caps() | PTRACE_BIT;

	if (chance(30))
		who->inheritable = draw_caps() | (chance(30) ? PTRACE_BIT : 0);
	if (chance(50))
		who->ambient = who->permitted & who->inheritable;
	if (chance(30))
		who->dropped = draw_caps() | (chance(30) ? PTRACE_BIT : 0);
}

static int draw_securebits(void)
{
	static const int bits[] = {
		SECBIT_NOROOT, SECBIT_NO_SETUID_FIXUP, SECBIT_KEEP_CAPS,
		SECBIT_NO_CAP_AMBIENT_RAISE, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED,
	};
	int set = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bits); i++)
		if (chance(35))
			set |= bits[i];
	return set;
}

/* A namespace at or below another one of the same tree. */
static bool ns_reaches(const int *parent, int above, int ns)
{
	while (ns > above)
		ns = parent[ns];
	return ns == above;
}

static void draw_namespaces(struct pair_case *c)
{
	int relation = c->dim[D_RELATION];
	struct person *caller = &c->who[CALLER];
	struct person *target = &c->who[TARGET];

	if (chance(45)) {
		caller->userns = below(USERNS_MAX);
		target->userns = chance(45) ? caller->userns : (int)below(USERNS_MAX);
	} else if (chance(30)) {
		target->userns = below(USERNS_MAX);
	}

	if (chance(35)) {
		caller->pidns = below(PIDNS_MAX);
		target->pidns = chance(40) ? caller->pidns : (int)below(PIDNS_MAX);
	}
	/* A child is born where its parent is, or below. */
	if ((relation == REL_CHILD || relation == REL_GRANDCHILD) &&
	    !ns_reaches(pidns_parent, caller->pidns, target->pidns))
		target->pidns = caller->pidns;
	if ((relation == REL_PARENT || relation == REL_SHARED_MM) &&
	    !ns_reaches(pidns_parent, target->pidns, caller->pidns))
		caller->pidns = target->pidns;
}

/* What does not go together, or not on this kernel. */
static void settle(struct pair_case *c)
{
	int *d = c->dim;

	/* Who shares memory shares the thread library's idea of who it is. */
	if (d[D_RELATION] == REL_SHARED_MM) {
		d[D_ASKER] = ASK_PROCESS;
		if (d[D_TARGET] == TG_THREAD || d[D_TARGET] == TG_EXECING ||
		    d[D_TARGET] == TG_DEAD_LEADER)
			d[D_TARGET] = TG_PLAIN;
	}
	if (d[D_RELATION] == REL_SELF) {
		c->who[TARGET] = c->who[CALLER];
		d[D_TARGET] = TG_PLAIN;
		d[D_TRACER] = TRACER_NONE;
		d[D_TARGET_CAPS] = CAPS_NONE;
		d[D_TARGET_APPARMOR] = AA_NONE;
		d[D_TARGET_SANDBOX] = 0;
	}
	if (!world.landlock)
		d[D_LANDLOCK] = LL_NONE;
	/* Only a parent's domain is its child's as well. */
	if (d[D_LANDLOCK] >= LL_SHARED &&
	    (d[D_RELATION] == REL_APART || d[D_RELATION] == REL_SELF))
		d[D_LANDLOCK] = d[D_LANDLOCK] == LL_SHARED ? LL_NONE : LL_TARGET;
	if (!world.yama) {
		d[D_SCOPE] = 0;
		d[D_PTRACER] = PTRACER_NONE;
	}
	if (d[D_PTRACER] == PTRACER_THREAD && d[D_ASKER] == ASK_PROCESS)
		d[D_PTRACER] = PTRACER_CALLER;
	/* It knows no number for a caller that it does not see. */
	if ((d[D_PTRACER] == PTRACER_CALLER || d[D_PTRACER] == PTRACER_THREAD) &&
	    !ns_reaches(pidns_parent, c->who[TARGET].pidns, c->who[CALLER].pidns))
		d[D_PTRACER] = PTRACER_ANY;
	/* Nobody can trace what he does not see, or what has ended. */
	if (d[D_TRACER] == TRACER_CALLER &&
	    (!ns_reaches(pidns_parent, c->who[CALLER].pidns, c->who[TARGET].pidns) ||
	     d[D_TARGET] == TG_KTHREAD))
		d[D_TRACER] = TRACER_THIRD;
	if (d[D_TARGET] == TG_DEAD_LEADER || d[D_TARGET] == TG_KTHREAD)
		d[D_TRACER] = TRACER_NONE;
	/* AppArmor wants a tracer to keep its right over whoever changes profile or program. */
	if (!world.apparmor || d[D_TRACER] != TRACER_NONE)
		d[D_TARGET_APPARMOR] = AA_NONE;
	if (!world.apparmor ||
	    (d[D_TRACER] == TRACER_CALLER && d[D_TARGET] >= TG_EXECED &&
	     d[D_TARGET] <= TG_EXECING))
		d[D_CALLER_APPARMOR] = AA_NONE;
}

static void derive(struct pair_case *c)
{
	const struct person *caller = &c->who[CALLER];
	const struct person *target = &c->who[TARGET];
	bool equal = true;
	int i;

	for (i = ID_REAL; i <= ID_SAVED; i++)
		equal &= caller->uid[ID_FS] == target->uid[i] &&
			 caller->gid[ID_FS] == target->gid[i];
	c->dim[D_IDS] = !equal;
	c->dim[D_FSIDS] = caller->uid[ID_FS] != caller->uid[ID_REAL] ||
			  caller->gid[ID_FS] != caller->gid[ID_REAL];
	c->dim[D_SECUREBITS] = caller->securebits || target->securebits;
	c->dim[D_USERNS] = ns_relation(userns_parent, caller->userns, target->userns);
	c->dim[D_PIDNS] = ns_relation(pidns_parent, caller->pidns, target->pidns);
}

void case_draw(struct pair_case *c, __u64 seed, unsigned int nr)
{
	__u32 uid, gid;
	int i;

	*c = (struct pair_case){ .seed = seed, .nr = nr };
	rng_state = seed;
	rng_state = rng() ^ nr;
	for (i = 0; i < DIMS; i++)
		c->dim[i] = draw_value(dim_values[i]);

	uid = chance(65) ? 1000 : draw_id();
	gid = chance(90) ? 1000 : draw_id();
	for (i = 0; i < SIDES; i++) {
		if (i == TARGET && chance(30))
			uid = draw_id();
		if (i == TARGET && chance(10))
			gid = draw_id();
		draw_ids(c->who[i].uid, uid);
		draw_ids(c->who[i].gid, gid);
		draw_person_caps(&c->who[i], c->dim[i == CALLER ? D_CALLER_CAPS : D_TARGET_CAPS]);
		if (chance(30))
			c->who[i].securebits = draw_securebits();
	}
	draw_namespaces(c);
	settle(c);
	derive(c);
}

static void person_print(const char *name, const struct person *who)
{
	printf(" %s(uid=%u/%u/%u/%u gid=%u/%u/%u/%u", name, who->uid[0], who->uid[1],
	       who->uid[2], who->uid[3], who->gid[0], who->gid[1], who->gid[2], who->gid[3]);
	printf(" P=%llx E=%llx I=%llx A=%llx dropped=%llx securebits=%x userns=%d pidns=%d)",
	       who->permitted, who->effective, who->inheritable, who->ambient, who->dropped,
	       who->securebits, who->userns, who->pidns);
}

/* One line, without its end. */
void case_print(const struct pair_case *c)
{
	int i;

	printf("# --seed %llu --case %u:", c->seed, c->nr);
	for (i = 0; i < DIMS; i++)
		printf(" %s=%s", dim_names[i], dim_values[i][c->dim[i]].name);
	person_print("caller", &c->who[CALLER]);
	person_print("target", &c->who[TARGET]);
}
