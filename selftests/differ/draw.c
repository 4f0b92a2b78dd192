// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drawing a family.  Nothing here is more than a number out of the seed and the
 * number of the family: each one can be had alone.  The weights see to it that
 * pairs that may and pairs that may not are both frequent; a pair of all
 * independent persons would nearly always be refused, by the first rule.
 */
#include <linux/capability.h>
#include <linux/securebits.h>

#include "differ.h"

#define CAP_BIT(cap) (1ULL << (cap))
#define PTRACE_BIT CAP_BIT(CAP_SYS_PTRACE)

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

int draw_value(const struct value *values)
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
		ids[i] = chance(96) ? base : draw_id();
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
bool ns_reaches(const int *parent, int above, int ns)
{
	while (ns > above)
		ns = parent[ns];
	return ns == above;
}

/* ---- Who is what to whom ---- */

bool member_asks(const struct family *f, int i)
{
	return f->member[i].kind == TG_PLAIN || f->member[i].kind == TG_THREAD;
}

bool member_descends(const struct family *f, int i, int from)
{
	while (i != NOBODY && i != from)
		i = f->member[i].parent;
	return i == from;
}

static bool member_is_parent(const struct family *f, int i)
{
	int j;

	for (j = i + 1; j < MEMBERS; j++)
		if (f->member[j].parent == i)
			return true;
	return false;
}

static int memory_of(const struct family *f, int i)
{
	return f->member[i].shares ? f->member[i].parent : i;
}

bool members_share(const struct family *f, int i, int j)
{
	return memory_of(f, i) == memory_of(f, j) && f->member[i].kind == TG_PLAIN &&
	       f->member[j].kind == TG_PLAIN;
}

static bool member_lends(const struct family *f, int i)
{
	int j;

	for (j = i + 1; j < MEMBERS; j++)
		if (f->member[j].shares && f->member[j].parent == i)
			return true;
	return false;
}

/* What it inherits, and its own early one. */
static __u32 domain_early(const struct family *f, int i)
{
	__u32 layers = 0;

	for (; i != NOBODY; i = f->member[i].parent)
		layers |= (__u32)f->member[i].early << i;
	return layers;
}

__u32 member_domain(const struct family *f, int i)
{
	return domain_early(f, i) | (__u32)f->member[i].late << (MEMBERS + i);
}

/* ---- The family ---- */

static void draw_parent(struct family *f, int i)
{
	struct member *m = &f->member[i];
	int parent = i ? (int)below(i) : NOBODY;

	m->parent = NOBODY;
	if (parent == NOBODY || chance(40) || f->member[parent].shares)
		return;
	m->parent = parent;
	if (chance(25))
		m->shares = true;
	else
		m->between = chance(25);
}

static void draw_namespaces(struct family *f, int i, int userns)
{
	struct member *m = &f->member[i];
	int around = m->parent == NOBODY ? 0 : f->member[m->parent].who.pidns;

	m->who.userns = chance(60) ? userns : chance(50) ? 0 : (int)below(USERNS_MAX);
	m->who.pidns = chance(14) ? (int)below(PIDNS_MAX) : around;
	/* A child is born where its parent is, or below. */
	if (!ns_reaches(pidns_parent, around, m->who.pidns))
		m->who.pidns = around;
}

/* What does not go together, or not on this kernel. */
static void settle(struct family *f, int i)
{
	struct member *m = &f->member[i];

	/* Who shares memory shares the thread library's idea of who it is. */
	if (member_lends(f, i) ||
	    (m->shares && (m->kind == TG_THREAD || m->kind == TG_EXECING ||
			   m->kind == TG_DEAD_LEADER)))
		m->kind = TG_PLAIN;
	/* The children of who is dead are somebody else's. */
	if (m->kind == TG_ZOMBIE && member_is_parent(f, i))
		m->kind = TG_PLAIN;
	m->early &= world.landlock;
	m->late &= world.landlock;
	if (!world.apparmor)
		m->apparmor = AA_NONE;
	/* Programs have to be opened. */
	if (m->kind != TG_PLAIN && m->kind != TG_THREAD)
		m->no_files = false;
}

/* Its tracer would have to let it go on when it is told that a child has died. */
static bool member_mourns(const struct family *f, int i)
{
	int j;

	for (j = i + 1; j < MEMBERS; j++)
		if (f->member[j].parent == i && f->member[j].kind == TG_ZOMBIE)
			return true;
	return false;
}

/* Nobody can trace what he does not see, or what his domain forbids; or too many. */
static bool may_trace(const struct family *f, int i, int who)
{
	int j, tracees = 0;

	for (j = 0; j < i; j++)
		tracees += f->member[j].tracer == who;
	return tracees < TRACEES_MAX && member_asks(f, i) && member_asks(f, who) &&
	       ns_reaches(pidns_parent, f->member[who].who.pidns, f->member[i].who.pidns) &&
	       !(domain_early(f, who) & ~domain_early(f, i));
}

/* Members take their places one after the other, and trace those who have one. */
static void draw_tracer(struct family *f, int i)
{
	struct member *m = &f->member[i];
	int by = draw_value(dim_values[D_TRACER]);
	int who = i + 1 + (int)below(MEMBERS - i);

	m->tracer = NOBODY;
	if (by == TRACER_NONE || m->kind == TG_DEAD_LEADER || member_mourns(f, i))
		return;
	while (who < MEMBERS && !may_trace(f, i, who))
		who++;
	m->tracer = by == TRACER_CALLER && who < MEMBERS ? who : THE_TEST;
	/* AppArmor wants a tracer to keep its right over whoever changes profile or program. */
	m->apparmor = AA_NONE;
}

static void draw_epoch(struct family *f, struct epoch *e, bool first)
{
	int i;

	e->scope = world.yama ? draw_value(dim_values[D_SCOPE]) : 0;
	for (i = 0; i < MEMBERS; i++) {
		do
			e->dumpable[i] = draw_value(dim_values[D_DUMPABLE]);
		while (!first && e->dumpable[i] == DUMP_LEFT_0);
		e->ptracer[i] = world.yama ? draw_value(dim_values[D_PTRACER]) : PTRACER_NONE;
		do
			e->friend[i] = below(MEMBERS);
		while (e->friend[i] == i);
		/* It knows no number for somebody whom it does not see. */
		if (e->ptracer[i] == PTRACER_CALLER &&
		    !ns_reaches(pidns_parent, f->member[i].who.pidns,
				f->member[e->friend[i]].who.pidns))
			e->ptracer[i] = PTRACER_ANY;
	}
}

void family_draw(struct family *f, __u64 seed, unsigned int nr)
{
	int i, userns;
	__u32 uid, gid;

	*f = (struct family){ .seed = seed, .nr = nr };
	rng_state = seed;
	rng_state = rng() ^ nr;
	f->suid_dumpable = below(3);
	uid = chance(75) ? 1000 : draw_id();
	gid = chance(90) ? 1000 : draw_id();
	userns = chance(55) ? 0 : (int)below(USERNS_MAX);
	for (i = 0; i < MEMBERS; i++) {
		struct member *m = &f->member[i];

		m->kind = draw_value(dim_values[D_TARGET]);
		m->caps = draw_value(dim_values[D_CALLER_CAPS]);
		m->apparmor = draw_value(dim_values[D_CALLER_APPARMOR]);
		m->sandbox = draw_value(dim_values[D_CALLER_SANDBOX]);
		m->early = chance(12);
		m->late = chance(12);
		m->no_files = chance(40);
		draw_parent(f, i);
		draw_namespaces(f, i, userns);
		draw_ids(m->who.uid, chance(80) ? uid : draw_id());
		draw_ids(m->who.gid, chance(92) ? gid : draw_id());
		draw_person_caps(&m->who, m->caps);
		if (chance(30))
			m->who.securebits = draw_securebits();
	}
	for (i = 0; i < MEMBERS; i++)
		settle(f, i);
	for (i = 0; i < MEMBERS; i++)
		draw_tracer(f, i);
	for (i = 0; i < EPOCHS; i++)
		draw_epoch(f, &f->epoch[i], !i);
}
