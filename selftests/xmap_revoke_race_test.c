// SPDX-License-Identifier: GPL-2.0-only
/*
 * Revocation while windows are faulted, made and unmapped, while copies are under
 * way, and while those who hold or own the memory end.
 */
#include "xmap_secret.h"

/* What the threads work on; each ends when it is told that all has been revoked. */
struct work {
	int dev;
	int export;
	int target;
	unsigned long addr;
	char *win;
};

/* At most this many loops of nothing: a time that nobody can tell beforehand. */
static void dawdle(__u64 *rnd)
{
	unsigned int n = test_random(rnd) % 20000;

	while (n--)
		__asm__ volatile("" : : : "memory");
}

static void check_copy(const __u64 *buf, size_t len)
{
	if (peer_check_here(buf, len & -8UL, SEED))
		wrong(1000);
}

static void *load_all(void *arg)
{
	__u64 rnd = (unsigned long)&rnd, value;
	struct work *w = arg;
	size_t off;
	int sig;

	for (;;) {
		off = test_random(&rnd) % PAGES * PAGE;
		sig = touch_load(w->win + off, &value);
		if (sig == SIGBUS)
			return NULL;
		if (sig || value != peer_word(SEED, off))
			wrong(2000 + sig);
		count_up(GOOD);
	}
}

static void *store_all(void *arg)
{
	__u64 rnd = (unsigned long)&rnd;
	struct work *w = arg;
	size_t off;
	int sig;

	for (;;) {
		off = test_random(&rnd) % PAGES * PAGE;
		sig = touch_store(w->win + off, peer_word(SEED, off));
		if (sig == SIGBUS)
			return NULL;
		if (sig)
			wrong(3000 + sig);
		count_up(GOOD);
	}
}

static void *map_and_unmap(void *arg)
{
	struct work *w = arg;
	__u64 value;
	char *win;
	int sig;

	for (;;) {
		win = _test_window_map(w->target, w->addr, LEN, RW);
		if (win == MAP_FAILED) {
			if (errno != ESTALE)
				wrong(errno);
			return NULL;
		}
		sig = touch_load(win + PAGE, &value);
		if (sig ? sig != SIGBUS : value != peer_word(SEED, PAGE))
			wrong(4000 + sig);
		sig = touch_store(win, peer_word(SEED, 0));
		if (sig && sig != SIGBUS)
			wrong(5000 + sig);
		if (munmap(win, LEN))
			wrong(errno);
		count_up(GOOD);
	}
}

static void *prefault_all(void *arg)
{
	struct work *w = arg;
	__u64 done;

	while (!_test_target_prefault(w->target, XMAP_TARGET_PREFAULT_WRITE, w->win, LEN, &done))
		count_up(GOOD);
	if (errno != ESTALE)
		wrong(errno);
	return NULL;
}

static void *read_all(void *arg)
{
	struct work *w = arg;
	__u64 buf[LEN / 8];
	ssize_t ret;

	while ((ret = pread(w->target, buf, LEN, w->addr)) > 0) {
		check_copy(buf, ret);
		count_up(GOOD);
	}
	if (ret != -1 || errno != ESTALE)
		wrong(ret ? errno : 6000);
	return NULL;
}

static void *write_all(void *arg)
{
	struct work *w = arg;
	__u64 buf[LEN / 8];
	ssize_t ret;

	peer_fill_here(buf, LEN, SEED);
	while ((ret = pwrite(w->target, buf, LEN, w->addr)) > 0)
		count_up(GOOD);
	if (ret != -1 || errno != ESTALE)
		wrong(ret ? errno : 7000);
	return NULL;
}

/* Many small copies in one call, in both directions. */
static void *transfer_all(void *arg)
{
	struct xmap_transfer e[16] = {};
	struct work *w = arg;
	bool ended = false;
	__u64 word[16];
	__u32 done;
	int i;

	while (!ended) {
		for (i = 0; i < 16; i++) {
			word[i] = peer_word(SEED, i * 64);
			e[i] = (struct xmap_transfer){
				.fd = w->target,
				.flags = i % 8 < 4 ? 0 : XMAP_TRANSFER_WRITE,
				.remote = w->addr + i * 64,
				.local = (uintptr_t)&word[i],
				.length = 8,
			};
		}
		if (_test_transfer(w->dev, e, 16, &done) || done != 16)
			wrong(errno);
		for (i = 0; i < 16; i++) {
			if (word[i] != peer_word(SEED, i * 64))
				wrong(8000 + i);
			if (e[i].out_result == -ESTALE)
				ended = true;
			else if (e[i].out_result != 8 || ended)
				wrong(-e[i].out_result);
		}
		count_up(GOOD);
	}
	return NULL;
}

/* What comes to be while it is revoked is revoked as well. */
static bool read_new(int fd, unsigned long addr)
{
	__u64 buf[PAGE / 8];
	ssize_t ret = pread(fd, buf, PAGE, addr);

	if (ret > 0)
		check_copy(buf, ret);
	else if (ret != -1 || errno != ESTALE)
		wrong(ret ? errno : 9000);
	close(fd);
	return ret > 0;
}

static void *derive_all(void *arg)
{
	struct work *w = arg;
	int fd;

	while (!_test_target_derive(w->target, XMAP_RIGHT_READ, w->addr, PAGE, &fd)) {
		read_new(fd, w->addr);
		count_up(GOOD);
	}
	if (errno != ESTALE)
		wrong(errno);
	return NULL;
}

static void *accept_for_ever(void *arg)
{
	struct work *w = arg;
	int fd;

	while (!_test_export_accept(w->export, XMAP_RIGHT_READ, 0, 0, &fd)) {
		read_new(fd, w->addr);
		count_up(GOOD);
	}
	if (errno != ESTALE)
		wrong(errno);
	return NULL;
}

/* What is told is all there is, or that it has been revoked: never a part, or nothing. */
static void *list_all(void *arg)
{
	char buf[2 * PAGE] __attribute__((aligned(8)));
	struct xmap_vma *vma = (void *)buf;
	struct xmap_cmd_target_maps maps;
	struct work *w = arg;

	while (!_test_target_maps(w->target, 0, buf, sizeof(buf), &maps)) {
		if (maps.out_count != 1 || maps.out_next)
			wrong(10000 + maps.out_count);
		else if (vma->start != w->addr || vma->end != w->addr + LEN)
			wrong(11000);
		count_up(GOOD);
	}
	if (errno != ESTALE)
		wrong(errno);
	return NULL;
}

typedef void *(*work_fn)(void *arg);

/* Rounds in which some threads do these things until all is revoked. */
static void against(struct __test_metadata *_metadata, OFFER *self, const work_fn *fn,
		    unsigned int n)
{
	__u64 until = test_now_ms() + test_short_seconds() * 1000, rnd = 1, before;
	unsigned int rounds = 0, i;
	pthread_t thread[4];
	struct work w;
	long theirs;

	while (test_now_ms() < until || rounds < 3) {
		ASSERT_EQ(0, peer_fill(&self->owner, self->mem, LEN, SEED));
		theirs = peer_call(&self->owner, op_export, self->dev, XMAP_RIGHTS_RW, self->mem,
				   LEN);
		w = (struct work){ .dev = self->dev, .addr = self->mem };
		w.export = peer_take_fd(&self->owner, theirs);
		w.target = accept_all(w.export, XMAP_RIGHTS_RW);
		ASSERT_LE(0, w.target);
		test_window_map(w.target, self->mem, LEN, RW, &w.win);
		before = count_of(GOOD);
		for (i = 0; i < n; i++)
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, fn[i], &w));
		/* Every other time they have certainly begun. */
		while (rounds % 2 && count_of(GOOD) == before)
			sched_yield();
		dawdle(&rnd);
		ASSERT_EQ(0, peer_call(&self->owner, op_revoke_and_fill, theirs, self->mem));
		for (i = 0; i < n; i++)
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_SIGNAL(SIGBUS, w.win);
		EXPECT_EQ(0, peer_check(&self->owner, self->mem, LEN, SECRET));
		ASSERT_EQ(0, munmap(w.win, LEN));
		close(w.target);
		close(w.export);
		ASSERT_EQ(0, peer_close(&self->owner, theirs));
		ASSERT_EQ(0, count_of(WRONG)) {
			TH_LOG("last of them: %lld", (long long)count_of(LAST_ERRNO));
		}
		rounds++;
	}
	TH_LOG("%u rounds", rounds);
}

#define revoke_against(...)							\
	({									\
		static const work_fn __fn[] = { __VA_ARGS__ };			\
		against(_metadata, self, __fn, ARRAY_SIZE(__fn));		\
	})

TEST_F(offer, faults)
{
	revoke_against(load_all, store_all, load_all);
}

TEST_F(offer, windows_that_come_and_go)
{
	revoke_against(map_and_unmap, map_and_unmap, load_all);
}

TEST_F(offer, prefault)
{
	revoke_against(prefault_all, prefault_all, store_all);
}

TEST_F(offer, copies)
{
	revoke_against(read_all, write_all, transfer_all);
}

TEST_F(offer, mappings_listed)
{
	revoke_against(list_all, list_all, load_all);
}

TEST_F(offer, what_is_made)
{
	revoke_against(derive_all, accept_for_ever, map_and_unmap, read_all);
}

/* ---- Closing an offer ---- */

/* Targets that an acceptor keeps: the last ones that he got. */
#define KEPT 4

struct acceptor {
	int export;
	int fd[KEPT];
};

static void *accept_until_closed(void *arg)
{
	struct acceptor *a = arg;
	unsigned int n;
	int fd;

	for (n = 0; !_test_export_accept(a->export, XMAP_RIGHT_READ, 0, 0, &fd); n++) {
		close(a->fd[n % KEPT]);
		a->fd[n % KEPT] = fd;
		count_up(GOOD);
	}
	if (errno != ESTALE)
		wrong(errno);
	return NULL;
}

/* /dev/xmap, export: end the offer, and take back what has been accepted by then. */
static long op_close_and_revoke(const unsigned long *a)
{
	struct xmap_list_entry e[64];
	__u64 cursor = 0;
	__u32 count, i;

	if (close(a[1]))
		return -1;
	do {
		if (_test_list(a[0], e, ARRAY_SIZE(e), cursor, &count, &cursor))
			return -1;
		for (i = 0; i < count; i++) {
			if (e[i].kind != XMAP_LIST_TARGET || !e[i].parent)
				continue;
			/* Its holder may have closed it meanwhile. */
			if (_test_revoke_serial(a[0], e[i].serial, 0, 0) && errno != ENOENT)
				return -1;
		}
	} while (cursor);
	return 0;
}

TEST_F(offer, closed_while_it_is_accepted)
{
	__u64 until = test_now_ms() + test_short_seconds() * 1000, rnd = 6, before, word;
	unsigned int rounds, i, j;
	struct acceptor a[3];
	pthread_t thread[3];
	long theirs;

	for (rounds = 0; test_now_ms() < until || rounds < 3; rounds++) {
		*self->ask = (struct xmap_cmd_export_create){
			.flags = XMAP_EXPORT_PUBLISH,
			.rights = XMAP_RIGHT_READ,
			.addr = self->mem,
			.length = LEN,
			.mode = 0444,
			.gid = -1,
		};
		theirs = peer_call(&self->owner, op_export_cmd, self->dev, self->ask);
		ASSERT_LE(0, theirs);
		before = count_of(GOOD);
		for (i = 0; i < ARRAY_SIZE(a); i++) {
			memset(a[i].fd, -1, sizeof(a[i].fd));
			/* The owner's descriptor is to be the only one of its file. */
			test_export_open(self->dev, XMAP_RIGHT_READ, self->ask->out_id, NULL,
					 &a[i].export);
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, accept_until_closed, &a[i]));
		}
		while (count_of(GOOD) == before)
			sched_yield();
		dawdle(&rnd);
		ASSERT_EQ(0, peer_call(&self->owner, op_close_and_revoke, self->dev, theirs));
		for (i = 0; i < ARRAY_SIZE(a); i++) {
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
			for (j = 0; j < KEPT; j++) {
				if (a[i].fd[j] < 0)
					continue;
				ASSERT_EQ(ESTALE, XMAP_ERRNO(pread(a[i].fd[j], &word, 8,
								   self->mem))) {
					TH_LOG("round %u", rounds);
				}
				close(a[i].fd[j]);
			}
			close(a[i].export);
		}
	}
	EXPECT_NOTHING_WRONG();
	TH_LOG("%u rounds", rounds);
}

/* ---- Forced writes ---- */

static void *force_all(void *arg)
{
	struct work *w = arg;
	__u64 buf[LEN / 8];
	ssize_t ret;

	peer_fill_here(buf, LEN, SEED);
	while ((ret = pwrite(w->target, buf, LEN, w->addr)) > 0)
		count_up(GOOD);
	if (ret != -1 || errno != ESTALE)
		wrong(ret ? errno : 7000);
	return NULL;
}

TEST_F(offer, forced_writes)
{
	__u64 until = test_now_ms() + test_short_seconds() * 1000, rnd = 2;
	struct work w = { .addr = self->mem };
	pthread_t thread[2];
	int rounds, i;

	if (force_policy() != FORCE_ALWAYS)
		SKIP(return, "forced writes are not allowed here");
	for (rounds = 0; test_now_ms() < until || rounds < 3; rounds++) {
		ASSERT_EQ(0, peer_call(&self->owner, op_fill_read_only, self->mem, SEED));
		test_target_open_pid(self->dev, self->owner.pid, XMAP_RIGHTS_ALL, &w.target);
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, force_all, &w));
		dawdle(&rnd);
		test_revoke(w.target, 0, 0);
		ASSERT_EQ(0, peer_call(&self->owner, op_fill_read_only, self->mem, SECRET));
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_EQ(0, peer_check(&self->owner, self->mem, LEN, SECRET));
		close(w.target);
	}
	EXPECT_NOTHING_WRONG();
}

/* ---- Page after page ---- */

/* Loads from pages of which more and more are gone, until it is told to stop. */
static void *load_what_is_left(void *arg)
{
	__u64 rnd = (unsigned long)&rnd, value;
	struct work *w = arg;
	bool revoked;
	size_t page;
	int sig;

	while (!peer_stopped()) {
		page = test_random(&rnd) % PAGES;
		revoked = __atomic_load_n(&peer_ctl->word[page], __ATOMIC_SEQ_CST);
		sig = touch_load(w->win + page * PAGE, &value);
		if (sig ? sig != SIGBUS : revoked || value != peer_word(SEED, page * PAGE))
			wrong(2000 + sig);
		if (pread(w->target, &value, 8, w->addr + page * PAGE) == 8) {
			if (revoked || value != peer_word(SEED, page * PAGE))
				wrong(3000);
		} else if (errno != ESTALE) {
			wrong(errno);
		}
		count_up(GOOD);
	}
	return NULL;
}

/* Export, number, address of the page: take one back and fill it anew. */
static long op_revoke_page(const unsigned long *a)
{
	if (_test_revoke(a[0], a[2], PAGE))
		return -1;
	peer_fill_here((void *)a[2], PAGE, SECRET);
	peer_set(&peer_ctl->word[a[1]], 1);
	return 0;
}

TEST_F(offer, page_by_page)
{
	__u64 until = test_now_ms() + test_short_seconds() * 1000, rnd = 3;
	struct work w = { .addr = self->mem };
	int rounds, i, page;
	pthread_t thread[3];
	long theirs;

	for (rounds = 0; test_now_ms() < until || rounds < 3; rounds++) {
		ASSERT_EQ(0, peer_fill(&self->owner, self->mem, LEN, SEED));
		theirs = peer_call(&self->owner, op_export, self->dev, 3, self->mem, LEN);
		w.export = peer_take_fd(&self->owner, theirs);
		w.target = accept_all(w.export, XMAP_RIGHTS_RW);
		ASSERT_LE(0, w.target);
		test_window_map(w.target, self->mem, LEN, RW, &w.win);
		for (i = 0; i < PAGES; i++)
			peer_set(&peer_ctl->word[i], 0);
		peer_set(&peer_ctl->stop, 0);
		for (i = 0; i < 3; i++)
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, load_what_is_left, &w));
		page = test_random(&rnd) % PAGES;
		/* An odd step goes round all of them. */
		for (i = 0; i < PAGES; i++, page = (page + 3) % PAGES) {
			dawdle(&rnd);
			ASSERT_EQ(0, peer_call(&self->owner, op_revoke_page, theirs, page,
					       self->mem + page * PAGE));
		}
		peer_set(&peer_ctl->stop, 1);
		for (i = 0; i < 3; i++)
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
		for (i = 0; i < PAGES; i++)
			EXPECT_SIGNAL(SIGBUS, w.win + i * PAGE);
		EXPECT_EQ(XMAP_TARGET_REVOKED, op_state((unsigned long[]){ w.target }));
		ASSERT_EQ(0, munmap(w.win, LEN));
		close(w.target);
		close(w.export);
		ASSERT_EQ(0, peer_close(&self->owner, theirs));
	}
	EXPECT_NOTHING_WRONG();
}

/* ---- The end of a reader, and of the owner ---- */

/* Counter: children that end at once. */
static long op_fork_loop(const unsigned long *a)
{
	pid_t child;

	while (!peer_stopped()) {
		child = fork();
		if (!child)
			_exit(0);
		if (child < 0 || waitpid(child, NULL, 0) != child)
			wrong(errno);
		count_up(a[0]);
	}
	return 0;
}

enum reader_end { KILLED, EXECUTES, FORKS, EXITS, READER_ENDS };

TEST_F(offer, end_of_a_reader)
{
	__u64 until = test_now_ms() + test_short_seconds() * 1000, rnd = 4, before;
	struct peer reader;
	int round, how, mine;
	long theirs, fd, win;

	for (round = 0; test_now_ms() < until || round < 2 * READER_ENDS; round++) {
		how = round % READER_ENDS;
		ASSERT_EQ(0, peer_spawn(&reader));
		ASSERT_EQ(0, peer_fill(&self->owner, self->mem, LEN, SEED));
		theirs = peer_call(&self->owner, op_export, self->dev, 3, self->mem, LEN);
		mine = peer_take_fd(&self->owner, theirs);
		fd = peer_give_fd(&reader, self->sv, mine);
		close(mine);
		fd = peer_call(&reader, op_accept, fd, XMAP_RIGHTS_RW, 0, 0);
		win = peer_call(&reader, op_window, fd, self->mem, LEN, RW);
		ASSERT_NE(-1, win);
		before = count_of(GOOD);
		peer_set(&peer_ctl->stop, 0);
		ASSERT_EQ(0, peer_thread(&reader, watch_op_touch, win, PAGES, GOOD));
		ASSERT_EQ(0, peer_thread(&reader, watch_op_touch, win, PAGES, GOOD));
		if (how == FORKS)
			ASSERT_EQ(0, peer_thread(&reader, op_fork_loop, GOOD + 1));
		while (count_of(GOOD) == before)
			sched_yield();

		ASSERT_EQ(0, peer_start(&self->owner, op_revoke_and_fill, theirs, self->mem));
		dawdle(&rnd);
		if (how == KILLED)
			ASSERT_EQ(0, kill(reader.pid, SIGKILL));
		if (how == EXECUTES)
			ASSERT_EQ(0, peer_start(&reader, peer_op_exec, 0));
		if (how == EXITS)
			ASSERT_EQ(0, peer_start(&reader, peer_op_exit, 0));
		ASSERT_EQ(0, peer_finish(&self->owner));
		if (how == FORKS) {
			EXPECT_EQ(SIGBUS, peer_touch(&reader, win));
			EXPECT_ERRNO(ESTALE, peer_call(&reader, op_read, fd, self->mem));
		}
		EXPECT_EQ(0, peer_check(&self->owner, self->mem, LEN, SECRET));
		peer_set(&peer_ctl->stop, 1);
		EXPECT_TRUE(watch_kill(&reader));
		peer_end(&reader);
		ASSERT_EQ(0, peer_close(&self->owner, theirs));
	}
	EXPECT_NOTHING_WRONG();
}

/* Until the owner is no more; who revokes meanwhile may come first. */
static void *accept_until_gone(void *arg)
{
	struct work *w = arg;
	__u64 word;
	int fd;

	while (!_test_export_accept(w->export, XMAP_RIGHT_READ, 0, 0, &fd)) {
		if (pread(fd, &word, 8, w->addr) == 8) {
			if (word != peer_word(SEED, 0))
				wrong(1000);
		} else if (errno != ESRCH && errno != ESTALE) {
			wrong(errno);
		}
		close(fd);
		peer_set(&peer_ctl->word[0], 1);
	}
	if (errno != ESRCH && errno != ESTALE)
		wrong(errno);
	peer_set(&peer_ctl->word[0], 1);
	return NULL;
}

TEST_F(offer, end_of_the_owner)
{
	__u64 until = test_now_ms() + test_short_seconds() * 1000, rnd = 5;
	struct xmap_cmd_export_info info;
	pthread_t thread[2];
	struct peer p;
	struct work w;
	int round, i;
	long theirs;

	for (round = 0; test_now_ms() < until || round < 6; round++) {
		ASSERT_EQ(0, peer_spawn_as(&p, UID_A, UID_A, 0));
		w.addr = peer_map(&p, PEER_ANON, RW, LEN, SEED);
		ASSERT_NE(PEER_MAP_FAILED, w.addr);
		theirs = peer_call(&p, op_export, self->dev, XMAP_RIGHTS_RW, w.addr, LEN);
		w.export = peer_take_fd(&p, theirs);
		ASSERT_LE(0, w.export);
		peer_set(&peer_ctl->word[0], 0);
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, accept_until_gone, &w));
		peer_await(&peer_ctl->word[0], 1);
		dawdle(&rnd);
		ASSERT_EQ(0, round % 2 ? peer_start(&p, peer_op_exec, 0) : kill(p.pid, SIGKILL));
		/* In every third round root takes it back while its owner ends. */
		if (round % 3 == 0)
			test_revoke(w.export, 0, 0);
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
		ASSERT_EQ(0, peer_await_gone(&p));
		test_export_info(w.export, &info);
		EXPECT_EQ(round % 3 ? XMAP_TARGET_DEAD : XMAP_TARGET_REVOKED, info.out_state);
		test_err_export_accept(round % 3 ? ESRCH : ESTALE, w.export, XMAP_RIGHT_READ, 0, 0);
		EXPECT_EQ(0, info.out_targets);
		close(w.export);
		peer_end(&p);
	}
	EXPECT_NOTHING_WRONG();
}

TEST_HARNESS_MAIN
