// SPDX-License-Identifier: GPL-2.0-only
/*
 * No sequence of calls gives anybody a right on a region that the giver lacked.  Several
 * processes of several users make, open, derive, pass on, map, resize, rebind, seal, unlink,
 * give, take, revoke and close at random, and die.  A model says what each handle can do;
 * after each step all handles and all mappings are tried.
 *
 * XMAP_TEST_SEED repeats a run; the seed is printed.
 */
#include "xmap_region_tree.h"

#define STEPS 44

static int last_revoked;

FIXTURE_SETUP(tree)
{
	ASSERT_EQ(0, getuid());
	test_dev_open(&self->dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, self->sv));
	probes = xmap_shared(PROBES * sizeof(*probes));
	ask = xmap_shared(sizeof(*ask));
}

FIXTURE_TEARDOWN(tree)
{
	close(self->sv[0]);
	close(self->sv[1]);
	close(self->dev);
}

/* ---- Trying everything ---- */

/* Some bytes, often such that begin or end where a page or the handle does. */
static void some_range(const struct node *n, size_t *off, size_t *len)
{
	size_t a[2];
	int i;

	do {
		for (i = 0; i < 2; i++) {
			switch (below(4)) {
			case 0:
				a[i] = below(PAGES + 1) * PAGE;
				break;
			case 1:
				a[i] = n->start + below(3);
				break;
			case 2:
				a[i] = clip_end(n) - below(3);
				break;
			default:
				a[i] = below(MAX_LEN + 1);
			}
		}
	} while (a[0] == a[1] || a[0] > MAX_LEN || a[1] > MAX_LEN);
	*off = a[0] < a[1] ? a[0] : a[1];
	*len = a[0] < a[1] ? a[1] - a[0] : a[0] - a[1];
}

/* A set of rights of a handle; mostly without MANAGE. */
static __u32 some_rights(void)
{
	return (1 + below(XMAP_RIGHTS_RW)) | (below(3) ? 0 : XMAP_RIGHT_MANAGE);
}

static struct probe *probe_new(int kind, int i, int proc, size_t off, size_t len)
{
	struct probe *p = &probes[nr_probes++];

	*p = (struct probe){ .kind = kind, .node = i, .fd = node[i].fd[proc], .len = len,
			     .off = off, .seed = seed_of(node[i].region) };
	return p;
}

static void probe_node(int i, int proc)
{
	struct node *n = &node[i];
	struct probe *p;
	size_t off, len;
	int kind;

	probe_new(PROBE_INFO, i, proc, 0, 0)->expected = model_info(n, proc);
	probe_new(PROBE_NOTIFY, i, proc, 0, 0)->expected = model_notify(n);
	p = probe_new(PROBE_RESIZE, i, proc, 0, region[n->region].length ?: PAGE);
	p->expected = model_resize(n, proc, p->len);
	/* No more than it has, so that it does not lose what is to be tried. */
	p = probe_new(PROBE_SEAL, i, proc, 0, 0);
	p->rights = region[n->region].seals;
	p->expected = model_seal(n, proc, p->rights);
	some_range(n, &off, &len);
	if (below(4) == 0)
		len = 0;
	p = probe_new(PROBE_DERIVE, i, proc, len ? off : 0, len);
	p->rights = some_rights();
	p->expected = model_derive(n, p->rights, p->off, len);
	for (kind = PROBE_READ; kind <= PROBE_WRITE; kind++) {
		some_range(n, &off, &len);
		p = probe_new(kind, i, proc, off, len);
		p->expected = model_copy(n, proc, off, len, kind == PROBE_WRITE);
	}
	off = below(PAGES);
	len = 1 + below(PAGES - off);
	p = probe_new(PROBE_MAP, i, proc, off * PAGE, len * PAGE);
	p->prot = below(2) ? RW : PROT_READ;
	p->expected = model_map(n, proc, off * PAGE, len * PAGE, p->prot);
}

/* Everything that a process has; 0, or the number of the first probe that failed + 1. */
static long try_process(TREE *self, int proc)
{
	unsigned int i, due = 0;
	const struct mapping *m;
	struct probe *p;
	int n;

	nr_probes = 0;
	for (n = 0; n < nodes; n++) {
		if (node[n].fd[proc] < 0)
			continue;
		due += NODE_PROBES;
		probe_node(n, proc);
	}
	for (m = mapping; m < mapping + MAPPINGS; m++) {
		if (!m->at || m->proc != proc)
			continue;
		due++;
		p = probe_new(PROBE_MAPPING, m->node, proc, m->start, m->len);
		p->addr = (unsigned long)m->at;
		p->prot = m->prot;
		p->expected = model_pages(&node[m->node], proc, m->start, m->len, m->prot);
	}
	/* None was left out. */
	if (nr_probes != due || peer_call(&self->p[proc], op_probe, nr_probes))
		return -1;
	for (i = 0; i < nr_probes; i++)
		if (probes[i].result != probes[i].expected)
			return i + 1;
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
			TH_LOG("process %d, node %d, %zx-%zx, rights %x", proc, p->node,
			       node[p->node].start, node[p->node].end, node[p->node].rights);
			TH_LOG("probe %d, %zu bytes at %zx: %#lx, not %#lx", p->kind,
			       (size_t)p->len, p->off, p->result, p->expected);
		}
	}
}

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

/* The same, most often of what may do it: by chance that is seldom so. */
#define some_node_that_may(i, proc, refused)					\
	do {									\
		i = some_node(&(proc));						\
	} while (i >= 0 && below(20) && (refused))

static bool node_new(TREE *self, int r, int maker, int parent, long fd, __u32 rights, size_t off,
		     size_t len)
{
	struct node *n = &node[nodes], *up = parent < 0 ? NULL : &node[parent];
	struct xmap_list_entry e;
	int i;

	*n = (struct node){ .region = r, .maker = maker, .parent = parent, .rights = rights };
	n->whole = len ? false : !up || up->whole;
	n->start = len ? off : up ? up->start : 0;
	n->end = len ? off + len : up ? up->end : MAX_LEN;
	if (up) {
		n->all = up->all;
		memcpy(n->gone, up->gone, MAX_LEN);
	}
	for (i = 0; i < PROCS; i++)
		n->fd[i] = -1;
	n->fd[maker] = fd;
	nodes++;
	/* The list has the same tree. */
	if (!xmap_list_last(self->dev, XMAP_LIST_REGION, self->p[maker].pid, &e))
		return false;
	n->serial = e.serial;
	return e.parent == (up ? up->serial : 0) && e.rights == rights;
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

/* What is new in a region: the pattern.  Handle, length, seed. */
static long op_write_all(const unsigned long *a)
{
	static __u64 buf[MAX_LEN / 8];

	peer_fill_here(buf, a[1], a[2]);
	return pwrite(a[0], buf, a[1], 0) == (ssize_t)a[1] ? 0 : -1;
}

/* The same by a mapping: handle, length, seed. */
static long op_fill(const unsigned long *a)
{
	void *map = _test_region_map(a[0], 0, a[1], RW);

	if (map == MAP_FAILED)
		return -1;
	peer_fill_here(map, a[1], a[2]);
	return munmap(map, a[1]);
}

static int region_root(int r)
{
	int i = 0;

	while (node[i].region != r || node[i].parent >= 0)
		i++;
	return i;
}

/* Each step: true if it went as the model says. */
static bool step_region(TREE *self)
{
	static const __u32 modes[] = { 0600, 0644, 0666, 0444, 0006 };
	struct region *r = &region[regions];
	long fd;

	if (regions == REGIONS)
		return true;
	*r = (struct region){ .single = regions % 2, .maker = below(MAKERS),
			      .mode = modes[below(ARRAY_SIZE(modes))], .length = MAX_LEN - PAGE,
			      .holding = nodes, .name = regions < NAMES ? regions :
								  (int)below(NAMES) };
	if (self->dead[r->maker])
		return true;
	r->owner = r->single ? r->maker : NOBODY;
	*ask = (struct xmap_cmd_region_create){ .flags = XMAP_REGION_PUBLISH, .mode = r->mode,
						.gid = -1, .length = r->length };
	if (r->single)
		ask->flags |= XMAP_REGION_SINGLE_OWNER;
	strcpy(ask->name, names[r->name]);
	fd = peer_call(&self->p[r->maker], op_region_create_cmd, self->dev, ask);
	if (fd < 0)
		return errno == EEXIST && model_named(r->name) != NOBODY;
	if (model_named(r->name) != NOBODY)
		return false;
	r->fd = peer_take_fd(&self->p[r->maker], fd);
	regions++;
	return r->fd >= 0 && node_new(self, regions - 1, r->maker, -1, fd, RIGHTS_RWM, 0, 0) &&
	       !peer_call(&self->p[r->maker], op_fill, fd, r->length, seed_of(regions - 1));
}

static bool step_open(TREE *self)
{
	int name = below(NAMES), proc = some_process(self), r = model_named(name);
	__u32 rights = some_rights();
	long expected, fd;

	expected = r == NOBODY ? -ENOENT : model_open(&region[r], proc, rights);
	fd = peer_call(&self->p[proc], op_region_open, self->dev, rights, names[name]);
	if (fd < 0)
		return -errno == expected;
	return !expected && node_new(self, r, proc, region_root(r), fd, rights, 0, 0);
}

static bool step_derive(TREE *self)
{
	int proc, i = some_node(&proc);
	__u32 rights = some_rights();
	size_t off = 0, len = 0;
	long expected, fd;

	if (i < 0)
		return true;
	if (below(3))
		some_range(&node[i], &off, &len);
	expected = model_derive(&node[i], rights, off, len);
	fd = peer_call(&self->p[proc], op_region_derive, node[i].fd[proc], rights, off, len);
	if (fd < 0)
		return -errno == expected;
	return !expected && node_new(self, node[i].region, proc, i, fd, rights, off, len);
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
	model_dropped(i);
	return !peer_close(&self->p[proc], fd);
}

static bool step_map(TREE *self)
{
	size_t off = below(PAGES), len = 1 + below(PAGES - off);
	struct mapping *m = &mapping[below(MAPPINGS)];
	int proc, i = some_node(&proc);
	long expected, at;

	if (i < 0)
		return true;
	if (m->at) {
		if (peer_munmap(&self->p[m->proc], m->at, m->len))
			return false;
		m->at = NULL;
		model_dropped(m->node);
	}
	*m = (struct mapping){ .node = i, .proc = proc, .prot = below(2) ? RW : PROT_READ,
			       .start = off * PAGE, .len = len * PAGE };
	expected = model_map(&node[i], proc, m->start, m->len, m->prot);
	m->writer = model_maps_writer(&node[i]);
	at = peer_call(&self->p[proc], op_region_map, node[i].fd[proc], m->start, m->len, m->prot);
	if (at == -1)
		return -errno == expected;
	m->at = (char *)at;
	return expected >= 0;
}

/* Handle, length. */
static long op_resize(const unsigned long *a)
{
	return _test_region_resize(a[0], a[1]);
}

static bool step_resize(TREE *self)
{
	size_t length = (1 + below(PAGES)) * PAGE;
	struct region *r;
	long expected;
	int proc, i;

	some_node_that_may(i, proc, model_change(&node[i], proc, XMAP_RIGHT_MANAGE));
	if (i < 0)
		return true;
	r = &region[node[i].region];
	/* What is new is to be filled, by who has made it longer. */
	if (length > r->length && (r->seals & SEALS_WRITE || !(node[i].rights & XMAP_RIGHT_WRITE)))
		return true;
	expected = model_resize(&node[i], proc, length);
	if (peer_call(&self->p[proc], op_resize, node[i].fd[proc], length))
		return -errno == expected;
	if (expected)
		return false;
	if (length > r->length && peer_call(&self->p[proc], op_write_all, node[i].fd[proc], length,
					    seed_of(node[i].region)))
		return false;
	r->length = length;
	return true;
}

/* Handle. */
static long op_rebind(const unsigned long *a)
{
	__u64 generation;

	return _test_region_rebind(a[0], &generation) ? -1 : (long)generation;
}

static bool step_rebind(TREE *self)
{
	long expected, generation;
	struct region *r;
	int proc, i;

	some_node_that_may(i, proc, model_rebind(&node[i], proc));
	if (i < 0)
		return true;
	r = &region[node[i].region];
	expected = model_rebind(&node[i], proc);
	generation = peer_call(&self->p[proc], op_rebind, node[i].fd[proc]);
	if (generation < 0)
		return -errno == expected;
	r->generation++;
	return !expected && generation == r->generation &&
	       !peer_call(&self->p[proc], op_write_all, node[i].fd[proc], r->length,
			  seed_of(node[i].region));
}

/* Handle, seals. */
static long op_seal(const unsigned long *a)
{
	__u32 seals;

	return _test_region_seal(a[0], a[1], &seals) ? -1 : (long)seals;
}

static bool step_seal(TREE *self)
{
	static const __u32 all[] = {
		XMAP_REGION_SEAL_WRITE, XMAP_REGION_SEAL_WRITE, XMAP_REGION_SEAL_FUTURE_WRITE,
		XMAP_REGION_SEAL_FUTURE_WRITE, XMAP_REGION_SEAL_SHRINK, XMAP_REGION_SEAL_GROW,
		XMAP_REGION_SEAL_SEAL | XMAP_REGION_SEAL_WRITE,
	};
	__u32 seals = all[below(ARRAY_SIZE(all))];
	long expected, now;
	int proc, i;

	some_node_that_may(i, proc, model_change(&node[i], proc, XMAP_RIGHT_MANAGE));
	if (i < 0)
		return true;
	expected = model_seal(&node[i], proc, seals);
	now = peer_call(&self->p[proc], op_seal, node[i].fd[proc], seals);
	if (now < 0)
		return -errno == expected;
	region[node[i].region].seals |= seals;
	return now == expected;
}

static bool step_unlink(TREE *self)
{
	long expected;
	int proc, i;

	some_node_that_may(i, proc, model_unlink(&node[i]));
	if (i < 0)
		return true;
	expected = model_unlink(&node[i]);
	if (peer_call(&self->p[proc], op_region_simple, node[i].fd[proc], XMAP_REGION_UNLINK))
		return -errno == expected;
	region[node[i].region].name = NOBODY;
	return !expected;
}

static bool step_give(TREE *self)
{
	struct region *r;
	long expected;
	int proc, i;

	some_node_that_may(i, proc, model_give(&node[i], proc));
	if (i < 0)
		return true;
	r = &region[node[i].region];
	expected = model_give(&node[i], proc);
	if (peer_call(&self->p[proc], op_region_simple, node[i].fd[proc], XMAP_REGION_GIVE))
		return -errno == expected;
	r->owner = NOBODY;
	return !expected;
}

static bool step_take(TREE *self)
{
	struct region *r;
	long expected;
	int proc, i;

	some_node_that_may(i, proc, model_take(self, &node[i]));
	if (i < 0)
		return true;
	r = &region[node[i].region];
	expected = model_take(self, &node[i]);
	if (peer_call(&self->p[proc], op_region_simple, node[i].fd[proc], XMAP_REGION_TAKE))
		return -errno == expected;
	r->owner = proc;
	r->holding = i;
	return !expected;
}

/* Often what much was made from, or what something was revoked from already. */
static int some_node_by_number(int i)
{
	if (last_revoked >= 0 && below(2) && node_is_there(last_revoked))
		return last_revoked;
	while (node[i].parent >= 0 && below(4) && node_is_there(node[i].parent))
		i = node[i].parent;
	return i;
}

static bool step_revoke(TREE *self)
{
	int proc, i = some_node(&proc), by = some_process(self), fd = self->dev;
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
	}
	/* The first handle seldom as a whole: nothing is left then. */
	if (below(node[i].parent < 0 ? 30 : 6))
		some_range(&node[i], &off, &len);
	expected = model_may_revoke(i, by, by_number);
	if (!expected && len && !node[i].whole &&
	    (off >= node[i].end || off + len <= node[i].start))
		expected = -EFAULT;
	if (peer_call(&self->p[by], op_revoke, fd, serial, off, len))
		return -errno == expected;
	if (!expected) {
		model_revoke(i, off, len);
		last_revoked = i;
	}
	return !expected;
}

/* One process ends: what it had is gone, and what it owned is so only if it had it alone. */
static void process_end(TREE *self, int proc)
{
	int i;

	peer_end(&self->p[proc]);
	self->dead[proc] = true;
	for (i = 0; i < MAPPINGS; i++)
		if (mapping[i].proc == proc)
			mapping[i].at = NULL;
	for (i = 0; i < nodes; i++)
		node[i].fd[proc] = -1;
	for (i = 0; i < nodes; i++)
		model_dropped(i);
}

static bool step_end(TREE *self)
{
	int proc, left = 0;

	for (proc = 0; proc < PROCS; proc++)
		left += !self->dead[proc];
	if (left > 3)
		process_end(self, some_process(self));
	return true;
}

static const struct {
	const char *name;
	bool (*fn)(TREE *self);
	unsigned int weight;
} steps[] = {
	{ "region", step_region, 2 }, { "open", step_open, 5 }, { "derive", step_derive, 10 },
	{ "pass", step_pass, 9 }, { "close", step_close, 2 }, { "map", step_map, 7 },
	{ "resize", step_resize, 2 }, { "rebind", step_rebind, 2 }, { "seal", step_seal, 2 },
	{ "unlink", step_unlink, 1 }, { "give", step_give, 2 }, { "take", step_take, 4 },
	{ "revoke", step_revoke, 8 }, { "end", step_end, 2 },
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

	regions = 0;
	nodes = 0;
	last_revoked = -1;
	memset(mapping, 0, sizeof(mapping));
	for (i = 0; i < PROCS; i++) {
		self->dead[i] = false;
		if (peer_spawn_as(&self->p[i], who[i].uid, who[i].uid, who[i].caps))
			return -1;
	}
	return 0;
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
	for (proc = 0; proc < PROCS; proc++) {
		if (self->dead[proc])
			continue;
		process_end(self, proc);
		try_all(_metadata, self, seed, "the end of one");
	}
	for (i = 0; i < (unsigned int)regions; i++)
		close(region[i].fd);
	/* Nothing is left, not even for who sees all. */
	ASSERT_EQ(0, xmap_serial(self->dev, XMAP_LIST_REGION, 0)) {
		TH_LOG("seed %llu", (unsigned long long)seed);
	}
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
