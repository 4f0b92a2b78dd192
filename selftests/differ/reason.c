// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which rule decides a case.
 *
 * The kernel's verdict needs no explanation to be compared with.  But a test
 * whose cases are all decided by the ids, say, would not see what becomes of
 * the capabilities.  So the rules are here once more, in our own words, and a
 * rule decides a case if the verdict were another one without it: without the
 * exception that it makes, or with the one that it does not make.  That is only
 * worth something if these rules are the kernel's: the test fails if they
 * explain a verdict that the kernel did not give.
 */
#include <linux/capability.h>

#include "differ.h"

const char *const reason_names[REASONS] = {
	[R_IDS] = "ids are equal",
	[R_FS_IDS] = "ids for file access, not the real ones",
	[R_DUMPABLE] = "dumpable",
	[R_CAPABLE] = "CAP_SYS_PTRACE over the target",
	[R_CAPABLE_THERE] = "in the target's user namespace, not the caller's",
	[R_EFFECTIVE] = "effective capabilities, not permitted ones",
	[R_SUBSET] = "capabilities no less than the target's",
	[R_SCOPE] = "Yama's scope",
	[R_DESCENT] = "Yama: descendant",
	[R_PTRACER] = "Yama: PR_SET_PTRACER",
	[R_TRACER] = "Yama: traced by the caller",
	[R_APPARMOR] = "AppArmor",
	[R_LANDLOCK] = "Landlock",
};

/* What the rules look at. */
struct view {
	bool flip[REASONS];
	const struct pair_case *c;
};

static __u64 caller_caps(const struct view *v)
{
	const struct person *who = &v->c->who[CALLER];

	return v->flip[R_EFFECTIVE] ? who->permitted : who->effective;
}

/* As cap_capable(): by capability, or as the owner of a namespace below. */
static bool capable(const struct view *v, int userns)
{
	const struct person *who = &v->c->who[CALLER];

	if (v->flip[R_CAPABLE_THERE])
		userns = who->userns;
	for (;; userns = userns_parent[userns]) {
		if (userns == who->userns)
			return caller_caps(v) >> CAP_SYS_PTRACE & 1;
		if (ns_depth(userns_parent, userns) <= ns_depth(userns_parent, who->userns))
			return false;
		if (userns_parent[userns] == who->userns &&
		    userns_owner[userns] == who->uid[ID_EFFECTIVE])
			return true;
	}
}

static bool capable_over_target(const struct view *v)
{
	return capable(v, v->c->who[TARGET].userns) != v->flip[R_CAPABLE];
}

static bool ids_equal(const struct view *v)
{
	const struct person *caller = &v->c->who[CALLER], *target = &v->c->who[TARGET];
	int by = v->flip[R_FS_IDS] ? ID_REAL : ID_FS, i;
	bool equal = true;

	for (i = ID_REAL; i <= ID_SAVED; i++)
		equal &= caller->uid[by] == target->uid[i] && caller->gid[by] == target->gid[i];
	return equal != v->flip[R_IDS];
}

/* Whose memory was made in the initial user namespace, by a fork of the test. */
static bool dumpable(const struct view *v)
{
	int value = v->c->dim[D_DUMPABLE];

	return (value == DUMP_ON || value == DUMP_LEFT_1) != v->flip[R_DUMPABLE] ||
	       capable(v, 0);
}

static bool capabilities(const struct view *v)
{
	const struct person *caller = &v->c->who[CALLER], *target = &v->c->who[TARGET];
	bool subset = caller->userns == target->userns &&
		      !(target->permitted & ~caller_caps(v));

	return subset != v->flip[R_SUBSET] || capable_over_target(v);
}

/* Whom the target lets trace it, and that one's descendants. */
static bool let_trace(const struct pair_case *c)
{
	const struct epoch *e = &c->family->epoch[c->epoch];
	int caller = c->index[CALLER], target = c->index[TARGET];

	switch (e->ptracer[target]) {
	case PTRACER_ANY:
		return true;
	case PTRACER_CALLER:
		return member_descends(c->family, caller, e->friend[target]);
	case PTRACER_OTHER:
		return member_descends(c->family, caller, target);
	default:
		return false;
	}
}

static bool yama(const struct view *v)
{
	const int *d = v->c->dim;
	bool descends = d[D_RELATION] == REL_CHILD || d[D_RELATION] == REL_GRANDCHILD;
	bool traced = d[D_TRACER] == TRACER_CALLER;
	int scope = v->flip[R_SCOPE] ? !d[D_SCOPE] : d[D_SCOPE];

	if (!scope)
		return true;
	if (scope == 2)
		return capable_over_target(v);
	return descends != v->flip[R_DESCENT] || let_trace(v->c) != v->flip[R_PTRACER] ||
	       traced != v->flip[R_TRACER] || capable_over_target(v);
}

/* A caller without a profile is nobody's peer, whatever the target's profile says. */
static bool apparmor(const struct view *v)
{
	int caller = v->c->dim[D_CALLER_APPARMOR], target = v->c->dim[D_TARGET_APPARMOR];
	bool pass = caller == AA_NONE ||
		    (caller != AA_SHUT && target != AA_SHUT &&
		     (caller == AA_AMONG) == (target == AA_AMONG));

	return pass != v->flip[R_APPARMOR];
}

static bool landlock(const struct view *v)
{
	int domains = v->c->dim[D_LANDLOCK];
	bool pass = domains == LL_NONE || domains == LL_TARGET || domains == LL_SHARED ||
		    domains == LL_TARGET_DEEPER;

	return pass != v->flip[R_LANDLOCK];
}

static bool allows(const struct view *v)
{
	return (ids_equal(v) || capable_over_target(v)) && dumpable(v) && capabilities(v) &&
	       yama(v) && apparmor(v) && landlock(v);
}

/* A program that is executed changes who one is, and one's own memory needs no rules. */
bool reason_knows(const struct pair_case *c)
{
	return (c->dim[D_TARGET] == TG_PLAIN || c->dim[D_TARGET] == TG_THREAD) &&
	       c->dim[D_RELATION] != REL_SELF && c->dim[D_RELATION] != REL_SHARED_MM;
}

bool reason_allows(const struct pair_case *c)
{
	struct view v = { .c = c };

	return allows(&v);
}

bool reason_decides(const struct pair_case *c, enum reason reason)
{
	struct view v = { .c = c };

	v.flip[reason] = true;
	return allows(&v) != reason_allows(c);
}
