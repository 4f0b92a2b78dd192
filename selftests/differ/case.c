// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a case is: one caller, one target, at one time.  All of it follows from
 * what the two are in their family.
 */
#include "differ.h"

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

/* A weight of 0: not drawn, but found out from what was.  A caller's are drawn for every member. */
const struct value dim_values[DIMS][VALUES_MAX] = {
	[D_TARGET] = {
		[TG_PLAIN] = { "plain", 44, "AD" },
		[TG_THREAD] = { "thread", 22, "AD" },
		[TG_EXECED] = { "execed", 8, "AD" },
		[TG_SETUID] = { "setuid", 5, "AD" },
		[TG_EXECONLY] = { "exec-only", 5, "AD" },
		[TG_EXECING] = { "execing", 4, "AD" },
		[TG_ZOMBIE] = { "zombie", 3, "G" },
		[TG_DEAD_LEADER] = { "dead-leader", 3, "G" },
		[TG_KTHREAD] = { "kthread", 0, "G" },
	},
	[D_RELATION] = {
		[REL_APART] = { "apart", 0, "AD" },
		[REL_CHILD] = { "child", 0, "AD" },
		[REL_GRANDCHILD] = { "descendant", 0, "AD" },
		[REL_PARENT] = { "ancestor", 0, "AD" },
		[REL_SHARED_MM] = { "shared-mm", 0, "A" },
		[REL_SELF] = { "self", 0, "A" },
	},
	[D_ASKER] = {
		[ASK_PROCESS] = { "process", 0, "AD" },
		[ASK_THREAD] = { "thread", 0, "AD" },
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
		[CAPS_NONE] = { "none", 44, "AD" },
		[CAPS_ALL] = { "all", 12, "AD" },
		[CAPS_SOME] = { "some", 12, "AD" },
		[CAPS_PTRACE] = { "ptrace", 10, "AD" },
		[CAPS_SOME_PTRACE] = { "some+ptrace", 12, "AD" },
		[CAPS_PERMITTED] = { "permitted-only", 10, "AD" },
	},
	[D_TARGET_CAPS] = {
		[CAPS_NONE] = { "none", 0, "AD" },
		[CAPS_ALL] = { "all", 0, "AD" },
		[CAPS_SOME] = { "some", 0, "AD" },
		[CAPS_PTRACE] = { "ptrace", 0, "AD" },
		[CAPS_SOME_PTRACE] = { "some+ptrace", 0, "AD" },
		[CAPS_PERMITTED] = { "permitted-only", 0, "AD" },
	},
	[D_SECUREBITS] = { { "none", 0, "AD" }, { "some", 0, "AD" } },
	[D_DUMPABLE] = {
		[DUMP_OFF] = { "0", 17, "AD" },
		[DUMP_ON] = { "1", 58, "AD" },
		[DUMP_LEFT_0] = { "left-0", 25, "AD" },
		[DUMP_LEFT_1] = { "left-1", 0, "AD" },
		[DUMP_LEFT_2] = { "left-2", 0, "AD" },
	},
	[D_SCOPE] = { { "0", 42, "AD" }, { "1", 40, "AD" }, { "2", 18, "AD" } },
	[D_PTRACER] = {
		[PTRACER_NONE] = { "none", 30, "AD" },
		[PTRACER_ANY] = { "any", 15, "AD" },
		[PTRACER_CALLER] = { "caller", 45, "AD" },
		[PTRACER_THREAD] = { "caller-thread", 0, "AD" },
		[PTRACER_OTHER] = { "other", 10, "AD" },
	},
	[D_TRACER] = {
		[TRACER_NONE] = { "none", 55, "AD" },
		[TRACER_THIRD] = { "another", 12, "AD" },
		[TRACER_CALLER] = { "caller", 33, "AD" },
	},
	[D_LANDLOCK] = {
		[LL_NONE] = { "none", 0, "AD" },
		[LL_CALLER] = { "caller", 0, "D" },
		[LL_TARGET] = { "target", 0, "AD" },
		[LL_APART] = { "both-apart", 0, "D" },
		[LL_SHARED] = { "shared", 0, "AD" },
		[LL_TARGET_DEEPER] = { "target-deeper", 0, "AD" },
		[LL_CALLER_DEEPER] = { "caller-deeper", 0, "D" },
	},
	[D_CALLER_APPARMOR] = {
		[AA_NONE] = { "none", 74, "AD" },
		[AA_OPEN] = { "open", 9, "AD" },
		[AA_SHUT] = { "shut", 5, "D" },
		[AA_AMONG] = { "among", 12, "AD" },
	},
	[D_TARGET_APPARMOR] = {
		[AA_NONE] = { "none", 0, "AD" },
		[AA_OPEN] = { "open", 0, "AD" },
		[AA_SHUT] = { "shut", 0, "D" },
		[AA_AMONG] = { "among", 0, "AD" },
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

static int relation_of(const struct family *f, int caller, int target)
{
	const struct member *t = &f->member[target];

	if (caller == target)
		return REL_SELF;
	if (target == KERNEL_THREAD)
		return REL_APART;
	if (members_share(f, caller, target))
		return REL_SHARED_MM;
	if (member_descends(f, caller, target))
		return REL_PARENT;
	if (!member_descends(f, target, caller))
		return REL_APART;
	return t->parent == caller && !t->between ? REL_CHILD : REL_GRANDCHILD;
}

static int landlock_of(__u32 caller, __u32 target)
{
	if (caller == target)
		return caller ? LL_SHARED : LL_NONE;
	if (!caller)
		return LL_TARGET;
	if (!target)
		return LL_CALLER;
	if ((caller & target) == caller)
		return LL_TARGET_DEEPER;
	return (caller & target) == target ? LL_CALLER_DEEPER : LL_APART;
}

static int dumpable_of(const struct family *f, const struct epoch *e, int target)
{
	if (f->member[target].shares)
		target = f->member[target].parent;
	return e->dumpable[target] == DUMP_LEFT_0 ? DUMP_LEFT_0 + f->suid_dumpable :
						    e->dumpable[target];
}

static int ptracer_of(const struct family *f, const struct epoch *e, int caller, int target)
{
	int kind = e->ptracer[target];

	if (kind != PTRACER_CALLER)
		return kind;
	if (e->friend[target] != caller)
		return PTRACER_OTHER;
	return f->member[caller].kind == TG_THREAD ? PTRACER_THREAD : PTRACER_CALLER;
}

static void derive_target(struct pair_case *c)
{
	const struct family *f = c->family;
	int caller = c->index[CALLER], target = c->index[TARGET];
	const struct member *t = &f->member[target];
	int *d = c->dim;

	d[D_TARGET] = t->kind;
	d[D_TARGET_CAPS] = t->caps;
	d[D_DUMPABLE] = dumpable_of(f, &f->epoch[c->epoch], target);
	d[D_PTRACER] = ptracer_of(f, &f->epoch[c->epoch], caller, target);
	d[D_TRACER] = t->tracer == NOBODY ? TRACER_NONE :
		      t->tracer == caller ? TRACER_CALLER : TRACER_THIRD;
	d[D_LANDLOCK] = landlock_of(member_domain(f, caller), member_domain(f, target));
	d[D_TARGET_APPARMOR] = t->apparmor;
	d[D_TARGET_SANDBOX] = t->sandbox;
	c->who[TARGET] = t->who;
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

/* False if this one is none that can ask. */
bool case_of(struct pair_case *c, const struct family *f, int epoch, int caller, int target)
{
	const struct member *m = &f->member[caller];

	*c = (struct pair_case){
		.family = f,
		.epoch = epoch,
		.index = { caller, target },
		.nr = ((f->nr * EPOCHS + epoch) * MEMBERS + caller) * TARGETS + target,
	};
	c->who[CALLER] = m->who;
	c->dim[D_TARGET] = TG_KTHREAD;
	if (target != KERNEL_THREAD)
		derive_target(c);
	c->dim[D_RELATION] = relation_of(f, caller, target);
	c->dim[D_ASKER] = m->kind == TG_THREAD ? ASK_THREAD : ASK_PROCESS;
	c->dim[D_CALLER_CAPS] = m->caps;
	c->dim[D_SCOPE] = f->epoch[epoch].scope;
	c->dim[D_CALLER_APPARMOR] = m->apparmor;
	c->dim[D_CALLER_SANDBOX] = m->sandbox;
	derive(c);
	return member_asks(f, caller);
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

	printf("# --seed %llu --case %u:", c->family->seed, c->nr);
	for (i = 0; i < DIMS; i++)
		printf(" %s=%s", dim_names[i], dim_values[i][c->dim[i]].name);
	person_print("caller", &c->who[CALLER]);
	person_print("target", &c->who[TARGET]);
}
