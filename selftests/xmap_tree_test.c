// SPDX-License-Identifier: GPL-2.0-only
/*
 * No sequence of calls gives anybody a right that the giver lacked.  Several
 * processes of several users export and publish, find, accept, open, derive, pass on,
 * map, revoke and close at random, and die.  A model says what each handle can do; after
 * each step all handles and all windows are tried.
 *
 * XMAP_TEST_SEED repeats a run; the seed is printed.
 */
#include "xmap_tree.h"

#define STEPS 40

static int last_revoked;

/* ---- Steps ---- */

/* A number of something that a process has, -1 if there is none. */
static int some_node(int *proc)
{
	int tries, i;

	for (tries = 0; tries < 50 && nodes; tries++) {
		i = below(nodes);
		*proc = below(PROCS);
		if (node[i].fd[*proc] >= 0)
			return i;
	}
	return -1;
}

static struct node *node_add(int maker, int parent, int owner, __u32 rights, size_t off, size_t len)
{
	struct node *n = &node[nodes], *up = parent < 0 ? NULL : &node[parent];
	int i;

	*n = (struct node){ .owner = owner, .maker = maker, .parent = parent, .rights = rights };
	n->whole = len ? false : !up || up->whole;
	n->start = len ? off : up ? up->start : 0;
	n->end = len ? off + len : up ? up->end : LEN;
	if (up) {
		n->consent = up->consent;
		n->all = up->all;
		memcpy(n->gone, up->gone, LEN);
	}
	for (i = 0; i < PROCS; i++)
		n->fd[i] = -1;
	nodes++;
	return n;
}

/* One that has a number of its own. */
static bool node_new(TREE *self, bool export, int maker, int parent, int owner, long fd,
		     __u32 rights, size_t off, size_t len)
{
	struct node *n = node_add(maker, parent, owner, rights, off, len);
	struct xmap_list_entry e;

	n->export = export;
	n->consent |= export;
	n->fd[maker] = fd;
	/* The list has the same tree. */
	if (!xmap_list_last(self->dev, export ? XMAP_LIST_EXPORT : XMAP_LIST_TARGET,
			    self->p[maker].pid, &e))
		return false;
	n->serial = e.serial;
	return e.parent == (parent < 0 ? 0 : node[parent].serial) && e.rights == rights &&
	       e.target_pid == self->p[owner].pid;
}

/* One that lives; there always is. */
static int some_process(TREE *self)
{
	int proc;

	do {
		proc = below(PROCS);
	} while (self->dead[proc]);
	return proc;
}

/* Terms for an export, and the same in the command. */
static void some_terms(struct offer *o)
{
	static const __u32 modes[] = { 0666, 0666, 0644, 0606, 0600, 0004 };

	*o = (struct offer){ .name = NOBODY, .receiver = NOBODY };
	if (below(3)) {
		o->published = true;
		o->mode = modes[below(ARRAY_SIZE(modes))];
		o->name = below(3) ? (int)below(NAMES) : NOBODY;
		ask->flags |= XMAP_EXPORT_PUBLISH;
		ask->mode = o->mode;
		ask->gid = -1;
		if (o->name != NOBODY)
			strcpy(ask->name, names[o->name]);
	}
	if (!below(6)) {
		o->receiver = below(PROCS);
		ask->flags |= XMAP_EXPORT_FOR_USER;
		ask->receiver_uid = who[o->receiver].uid;
	}
	if (!below(3))
		o->max_accepts = 1 + below(40);
	ask->max_accepts = o->max_accepts;
}

/* Each step: true if it went as the model says. */
static bool step_export(TREE *self)
{
	struct offer *o = &offer[offers], *other;
	size_t off = 0, len = 0;
	int owner = below(OWNERS);
	long fd, expected = 0;

	if (offers == OFFERS || self->dead[owner])
		return true;
	*ask = (struct xmap_cmd_export_create){ .rights = 1 + below(XMAP_RIGHTS_RW) };
	if (below(4))
		some_range(NULL, &off, &len);
	ask->addr = len ? self->mem[owner] + off : 0;
	ask->length = len;
	some_terms(o);
	other = o->name == NOBODY ? NULL : model_named(o->name);
	if (other && !model_over(self, other))
		expected = -EEXIST;
	fd = peer_call(&self->p[owner], op_export_cmd, self->dev, ask);
	if (fd < 0)
		return -errno == expected;
	if (expected || !ask->out_id != !o->published)
		return false;
	/* Who cannot be accepted any more is not even found by his id then. */
	if (other)
		other->published = false;
	o->id = ask->out_id;
	o->node = nodes;
	if (!node_new(self, true, owner, -1, owner, fd, ask->rights, off, len))
		return false;
	node[o->node].offer = offers++;
	return true;
}

/* Open a published one. */
static bool step_find(TREE *self)
{
	__u32 rights = 1 + below(XMAP_RIGHTS_RW);
	int proc = some_process(self);
	const char *name = NULL;
	struct offer *o;
	struct node *n;
	long expected, fd;
	__u64 id = 0;

	if (!offers)
		return true;
	o = &offer[below(offers)];
	if (!o->id)
		return true;
	if (o->name != NOBODY && below(2)) {
		name = names[o->name];
		o = model_named(o->name);
	} else {
		id = o->id;
	}
	expected = model_open(self, o, proc, rights);
	fd = peer_call(&self->p[proc], op_export_open, self->dev, rights, id, name);
	if (fd < 0)
		return -errno == expected;
	if (expected)
		return false;
	n = node_add(node[o->node].maker, o->node, node[o->node].owner, rights, 0, 0);
	n->export = true;
	n->offer = o - offer;
	n->serial = node[o->node].serial;
	n->fd[proc] = fd;
	return true;
}

/* /dev/xmap, process, rights, address, length. */
static long op_open_range(const unsigned long *a)
{
	int pidfd = xmap_pidfd_open(a[1], 0), fd, ret;

	ret = _test_target_open(a[0], pidfd, a[1], a[2], a[3], a[4], &fd);
	close(pidfd);
	return ret ? -1 : fd;
}

static bool step_open(TREE *self)
{
	__u32 rights = 1 + below(XMAP_RIGHTS_RW);
	int owner = below(OWNERS);
	size_t off, len;
	long fd;

	if (self->dead[owner] || self->dead[ADMIN])
		return true;
	some_range(NULL, &off, &len);
	fd = peer_call(&self->p[ADMIN], op_open_range, self->dev, self->p[owner].pid, rights,
		       self->mem[owner] + off, len);
	if (fd < 0)
		return false;
	if (!node_new(self, false, ADMIN, -1, owner, fd, rights, off, len))
		return false;
	/* Somebody else, who may not, is told so. */
	return self->dead[STRANGER] ||
	       (peer_call(&self->p[STRANGER], op_open_range, self->dev, self->p[owner].pid, rights,
			  0, 0) == -1 && errno == EACCES);
}

static bool step_make(TREE *self)
{
	__u32 rights = 1 + below(XMAP_RIGHTS_RW);
	int proc, i = some_node(&proc);
	size_t off = 0, len = 0;
	long expected, fd;
	__u64 addr;

	if (i < 0)
		return true;
	if (below(3))
		some_range(&node[i], &off, &len);
	addr = len ? self->mem[node[i].owner] + off : 0;
	expected = model_make(self, &node[i], proc, rights, off, len);
	fd = peer_call(&self->p[proc], node[i].export ? op_accept : op_derive, node[i].fd[proc],
		       rights, addr, len);
	if (fd < 0)
		return -errno == expected;
	if (node[i].export)
		offer[node[i].offer].accepts++;
	return !expected && node_new(self, false, proc, i, node[i].owner, fd, rights, off, len);
}

static bool step_pass(TREE *self)
{
	int from, to = some_process(self), i = some_node(&from), fd;

	if (i < 0 || node[i].fd[to] >= 0)
		return true;
	fd = peer_take_fd(&self->p[from], node[i].fd[from]);
	node[i].fd[to] = peer_give_fd(&self->p[to], self->sv, fd);
	close(fd);
	return node[i].fd[to] >= 0;
}

static bool step_close(TREE *self)
{
	int proc, i = some_node(&proc), fd;

	if (i < 0)
		return true;
	fd = node[i].fd[proc];
	node[i].fd[proc] = -1;
	return !peer_close(&self->p[proc], fd);
}

/* Have others opened it, as what is published? */
static bool opened_by_others(int i)
{
	int n;

	for (n = 0; n < nodes; n++)
		if (n != i && node[n].export && object_of(n) == i && node_is_open(n))
			return true;
	return false;
}

/* An offer is closed wherever it is open; most often one that others have opened. */
static bool step_withdraw(TREE *self)
{
	struct node *n;
	int proc, i, fd;

	if (!offers)
		return true;
	do {
		i = offer[below(offers)].node;
	} while (below(20) && !(node_is_open(i) && opened_by_others(i)));
	n = &node[i];
	for (proc = 0; proc < PROCS; proc++) {
		fd = n->fd[proc];
		n->fd[proc] = -1;
		if (fd >= 0 && peer_close(&self->p[proc], fd))
			return false;
	}
	return true;
}

static bool step_map(TREE *self)
{
	size_t off = below(PAGES), len = 1 + below(PAGES - off);
	struct window *w = &window[below(WINDOWS)];
	int proc, i = some_node(&proc);
	long expected, at;

	if (i < 0 || node[i].export)
		return true;
	if (w->at && peer_munmap(&self->p[w->proc], w->at, w->len))
		return false;
	*w = (struct window){ .node = i, .proc = proc, .prot = below(2) ? RW : PROT_READ,
			      .start = off * PAGE, .len = len * PAGE };
	expected = model_map(self, &node[i], w->start, w->len, w->prot);
	at = peer_call(&self->p[proc], op_window, node[i].fd[proc],
		       self->mem[node[i].owner] + w->start, w->len, w->prot);
	if (at == -1)
		return -errno == expected;
	w->at = (char *)at;
	return expected >= 0;
}

/* Often what much was made from, or what something was revoked from already. */
static int some_node_by_number(int i)
{
	if (last_revoked >= 0 && below(2) && node_is_open(last_revoked))
		return last_revoked;
	while (node[i].parent >= 0 && below(3) && node_is_open(node[i].parent))
		i = node[i].parent;
	return object_of(i);
}

static bool step_revoke(TREE *self)
{
	int proc, i = some_node(&proc), by = some_process(self), fd = self->dev, ret;
	bool by_number = below(2);
	size_t off = 0, len = 0;
	__u64 serial = 0;
	long expected;

	if (i < 0)
		return true;
	if (by_number) {
		i = some_node_by_number(i);
		serial = node[i].serial;
	} else {
		by = proc;
		fd = node[i].fd[proc];
		i = object_of(i);
	}
	if (below(8))
		some_range(&node[i], &off, &len);
	expected = model_may_revoke(i, by, by_number);
	if (!expected && len && !node[i].whole &&
	    (off >= node[i].end || off + len <= node[i].start))
		expected = -EFAULT;
	ret = peer_call(&self->p[by], op_revoke, fd, serial,
			len ? self->mem[node[i].owner] + off : 0, len);
	if (ret)
		return -errno == expected;
	if (!expected) {
		model_revoke(i, off, len);
		last_revoked = i;
	}
	return !expected;
}

/* A process ends.  All that it has let others do to its memory was done with the pattern. */
static bool process_end(TREE *self, int proc)
{
	int i;

	if (proc < OWNERS && peer_check(&self->p[proc], self->mem[proc], NO_PAGE * PAGE,
					seed_of(proc)))
		return false;
	peer_end(&self->p[proc]);
	self->dead[proc] = true;
	for (i = 0; i < nodes; i++)
		node[i].fd[proc] = -1;
	for (i = 0; i < WINDOWS; i++)
		if (window[i].proc == proc)
			window[i].at = NULL;
	return true;
}

static bool step_end(TREE *self)
{
	int proc, left = 0;

	for (proc = 0; proc < PROCS; proc++)
		left += !self->dead[proc];
	return left <= 3 || process_end(self, some_process(self));
}

static const struct {
	const char *name;
	bool (*fn)(TREE *self);
	unsigned int weight;
} steps[] = {
	{ "export", step_export, 3 }, { "find", step_find, 5 }, { "open", step_open, 1 },
	{ "make", step_make, 7 }, { "pass", step_pass, 6 }, { "close", step_close, 1 },
	{ "withdraw", step_withdraw, 2 }, { "map", step_map, 4 }, { "revoke", step_revoke, 7 },
	{ "end", step_end, 1 },
};

static unsigned int some_step(void)
{
	unsigned int sum = 0, i;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		sum += steps[i].weight;
	sum = below(sum);
	for (i = 0; sum >= steps[i].weight; i++)
		sum -= steps[i].weight;
	return i;
}

/* ---- Cases ---- */

static int case_begin(TREE *self)
{
	int i;

	nodes = 0;
	offers = 0;
	last_revoked = -1;
	memset(window, 0, sizeof(window));
	for (i = 0; i < PROCS; i++) {
		self->dead[i] = false;
		if (peer_spawn_as(&self->p[i], who[i].uid, who[i].uid, who[i].caps))
			return -1;
	}
	for (i = 0; i < OWNERS; i++) {
		self->mem[i] = peer_map(&self->p[i], PEER_ANON, RW, LEN, seed_of(i));
		if (self->mem[i] == PEER_MAP_FAILED ||
		    peer_mprotect(&self->p[i], self->mem[i] + READ_ONLY_PAGE * PAGE, PAGE,
				  PROT_READ) ||
		    peer_mprotect(&self->p[i], self->mem[i] + NO_PAGE * PAGE, PAGE, PROT_NONE))
			return -1;
	}
	return 0;
}

static void try_all(struct __test_metadata *_metadata, TREE *self, __u64 seed, const char *after)
{
	const struct probe *p;
	long failed;
	int proc;

	for (proc = 0; proc < PROCS; proc++) {
		if (self->dead[proc])
			continue;
		failed = try_process(self, proc);
		p = &probes[failed > 0 ? failed - 1 : 0];
		ASSERT_EQ(0, failed) {
			TH_LOG("seed %llu, after %s", (unsigned long long)seed, after);
			TH_LOG("process %d, node %d, %zx-%zx, rights %u", proc, p->node,
			       node[p->node].start, node[p->node].end, node[p->node].rights);
			TH_LOG("probe %d, %zu bytes at %zx: %#lx, not %#lx", p->kind,
			       (size_t)p->len, p->off, p->result, p->expected);
		}
	}
}

static void run_case(struct __test_metadata *_metadata, TREE *self, __u64 seed)
{
	unsigned int i, step;
	int proc;

	rnd = seed;
	ASSERT_EQ(0, case_begin(self));
	for (i = 0; i < STEPS && nodes < NODES; i++) {
		step = i < 2 ? 0 : some_step();
		ASSERT_TRUE(steps[step].fn(self)) {
			TH_LOG("seed %llu, step %u: %s: %s", (unsigned long long)seed, i,
			       steps[step].name, strerror(errno));
		}
		try_all(_metadata, self, seed, steps[step].name);
	}
	for (proc = 0; proc < OWNERS; proc++) {
		if (self->dead[proc])
			continue;
		ASSERT_TRUE(process_end(self, proc)) {
			TH_LOG("seed %llu: other than the pattern", (unsigned long long)seed);
		}
		try_all(_metadata, self, seed, "the owner's end");
	}
	for (proc = OWNERS; proc < PROCS; proc++)
		if (!self->dead[proc])
			peer_end(&self->p[proc]);
}

TEST_F(tree, random)
{
	__u64 until = test_now_ms() + test_short_seconds() * 1000, seed;
	const char *text = getenv("XMAP_TEST_SEED");
	unsigned int cases = 0;

	seed = text ? strtoull(text, NULL, 0) : xmap_boottime() / 1000;
	TH_LOG("seed %llu", (unsigned long long)seed);
	do {
		run_case(_metadata, self, seed + cases);
		cases++;
	} while (!text && test_now_ms() < until);
	TH_LOG("%u cases", cases);
}

/* The same ones every time. */
TEST_F(tree, fixed_seeds)
{
	__u64 seed;

	for (seed = 1; seed <= 6; seed++)
		run_case(_metadata, self, seed);
}

TEST_HARNESS_MAIN
