// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that are killed at any point of what they do with memory that is somebody
 * else's too: the others have lost nothing, and nothing is left of those who are gone.
 */
#include <sched.h>

#include "xmap_region_utils.h"

#define NAME "xmap-test.killed"
#define SEED 3
#define WORKERS 2

FIXTURE(killed)
{
	int dev;
	int sv[2];
	/* Whose memory it is, and who is killed over it. */
	struct peer maker;
	struct peer user;
	struct xmap_cmd_query *query;
};

#define KILLED FIXTURE_DATA(killed)

FIXTURE_SETUP(killed)
{
	touch_init();
	ASSERT_EQ(0, getuid());
	test_dev_open(&self->dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, self->sv));
	self->query = xmap_shared(PAGE);
	ASSERT_EQ(0, peer_spawn_as(&self->maker, UID_A, UID_A, 0));
}

FIXTURE_TEARDOWN(killed)
{
	peer_end(&self->maker);
	close(self->sv[0]);
	close(self->sv[1]);
	close(self->dev);
}

/* ---- What they do, in threads that count how often they have done it ---- */

/* Handle. */
static long op_map_and_touch(const unsigned long *a)
{
	char *map;

	while (!peer_stopped()) {
		map = _test_region_map(a[0], 0, LEN, RW);
		if (map != MAP_FAILED) {
			touch_store(map, 1);
			touch(map + LEN - PAGE);
			munmap(map, LEN);
		}
		count_up(0);
	}
	return 0;
}

static long op_derive_and_map(const unsigned long *a)
{
	void *map;
	int fd;

	while (!peer_stopped()) {
		if (!_test_region_derive(a[0], XMAP_RIGHT_READ, 0, 0, &fd)) {
			map = _test_region_map(fd, 0, LEN, PROT_READ);
			touch(map);
			close(fd);
			if (map != MAP_FAILED)
				munmap(map, LEN);
		}
		count_up(0);
	}
	return 0;
}

static long op_copy(const unsigned long *a)
{
	static __thread char buf[LEN];

	while (!peer_stopped()) {
		if (pread(a[0], buf, LEN, 0) < 0 || pwrite(a[0], buf, LEN, 0) < 0)
			return -1;
		count_up(0);
	}
	return 0;
}

/* The first page stays. */
static long op_resize_and_rebind(const unsigned long *a)
{
	__u64 generation;

	while (!peer_stopped()) {
		_test_region_resize(a[0], PAGE);
		_test_region_resize(a[0], LEN);
		_test_region_rebind(a[0], &generation);
		count_up(0);
	}
	return 0;
}

/* It stays short, whenever he is killed. */
static long op_cut(const unsigned long *a)
{
	while (!peer_stopped()) {
		_test_region_resize(a[0], PAGE);
		count_up(0);
	}
	return 0;
}

static long op_take_and_give(const unsigned long *a)
{
	char *map = _test_region_map(a[0], 0, LEN, RW);

	while (!peer_stopped()) {
		_test_region_take(a[0]);
		touch_store(map, 1);
		_test_region_give(a[0]);
		count_up(0);
	}
	return 0;
}

static long op_derive_and_revoke(const unsigned long *a)
{
	void *map;
	int fd;

	while (!peer_stopped()) {
		if (!_test_region_derive(a[0], XMAP_RIGHTS_RW, 0, 0, &fd)) {
			map = _test_region_map(fd, 0, LEN, RW);
			touch_store(map, 1);
			_test_revoke(fd, 0, 0);
			touch(map);
			munmap(map, LEN);
			close(fd);
		}
		count_up(0);
	}
	return 0;
}

static const struct {
	peer_fn work;
	__u32 flags;
} works[] = {
	{ op_map_and_touch, 0 },
	{ op_derive_and_map, 0 },
	{ op_copy, 0 },
	{ op_resize_and_rebind, 0 },
	{ op_cut, 0 },
	{ op_derive_and_revoke, 0 },
	{ op_take_and_give, XMAP_REGION_SINGLE_OWNER },
	{ op_map_and_touch, XMAP_REGION_HUGE },
};

/* Let them get on with it, each time for another while. */
static void await_work(__u64 *rnd)
{
	__u64 until = count_of(0) + 1 + test_random(rnd) % 40;
	unsigned int spin = test_random(rnd) % 3000;

	while (count_of(0) < until)
		sched_yield();
	while (spin--)
		__asm__ volatile("pause");
}

static int start_work(struct peer *p, peer_fn work, long a0, long a1)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		if (peer_thread(p, work, a0, a1))
			return -1;
	return 0;
}

/* ---- What is left ---- */

static long op_query(const unsigned long *a)
{
	return _test_query(a[0], (void *)a[1]);
}

/* A user of whom nothing must be left. */
static void expect_nothing_of(struct __test_metadata *_metadata, KILLED *self, uid_t uid)
{
	struct peer p;

	ASSERT_EQ(0, peer_spawn_as(&p, uid, uid, 0));
	ASSERT_EQ(0, peer_call(&p, op_query, self->dev, self->query));
	EXPECT_EQ(0, self->query->out_targets);
	EXPECT_EQ(0, self->query->out_windows);
	EXPECT_EQ(0, self->query->out_exports);
	EXPECT_EQ(0, self->query->out_regions);
	EXPECT_EQ(0, self->query->out_region_bytes);
	peer_end(&p);
}

#define expect_nothing(uid) expect_nothing_of(_metadata, self, uid)

/* Is this kind of region to be had here? */
static bool flags_work(KILLED *self, __u32 flags)
{
	int fd;

	if (_test_region_create(self->dev, flags, LEN, &fd))
		return false;
	close(fd);
	return true;
}

/* ---- Regions ---- */

/*
 * Who was killed may have made it shorter, and not long again.  Then that is done here:
 * whoever has it mapped finds zeroes in what is new.  Was it so?
 */
static bool make_whole(struct __test_metadata *_metadata, int fd,
		       const struct xmap_cmd_region_info *info, struct peer *p, long map)
{
	size_t at;

	if (info->out_region_length == LEN)
		return false;
	EXPECT_EQ(PAGE, info->out_region_length);
	EXPECT_EQ(0, peer_touch(p, map));
	EXPECT_EQ(SIGBUS, peer_touch(p, map + PAGE));
	EXPECT_EQ(0, _test_region_resize(fd, LEN));
	for (at = PAGE; at < LEN; at += PAGE)
		EXPECT_EQ(0, peer_load(p, map + at));
	return true;
}

TEST_F(killed, user_of_a_region)
{
	__u64 until = test_now_ms() + test_short_seconds() * 1000, rnd = 1;
	struct xmap_cmd_region_info info;
	unsigned int round, n, shorter = 0;
	long theirs, fd, map;
	int mine;

	for (round = 0; test_now_ms() < until || round < 2 * ARRAY_SIZE(works); round++) {
		n = round % ARRAY_SIZE(works);
		if (works[n].flags && !flags_work(self, works[n].flags))
			continue;
		theirs = peer_call(&self->maker, op_region_create, self->dev, works[n].flags, LEN);
		mine = peer_take_fd(&self->maker, theirs);
		ASSERT_LE(0, mine);
		map = peer_call(&self->maker, op_region_map, theirs, 0, LEN, RW);
		ASSERT_NE(-1, map);
		ASSERT_EQ(0, peer_fill(&self->maker, map, LEN, SEED));
		if (works[n].flags == XMAP_REGION_SINGLE_OWNER)
			ASSERT_EQ(0, peer_call(&self->maker, op_region_simple, theirs,
					       XMAP_REGION_GIVE));
		ASSERT_EQ(0, peer_spawn_as(&self->user, UID_B, UID_B, 0));
		fd = peer_give_fd(&self->user, self->sv, mine);
		ASSERT_EQ(0, start_work(&self->user, works[n].work, fd, 0));
		await_work(&rnd);
		peer_end(&self->user);
		expect_nothing(UID_B);

		/* He goes on as if nobody had been there. */
		if (works[n].flags == XMAP_REGION_SINGLE_OWNER)
			ASSERT_EQ(0, peer_call(&self->maker, op_region_simple, theirs,
					       XMAP_REGION_TAKE));
		ASSERT_EQ(0, peer_call(&self->maker, op_region_simple, theirs,
				       XMAP_REGION_NOTIFY));
		test_region_info(mine, &info);
		EXPECT_EQ(1, info.out_mappings);
		EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
		shorter += make_whole(_metadata, mine, &info, &self->maker, map);
		ASSERT_EQ(0, peer_fill(&self->maker, map, LEN, round));
		ASSERT_EQ(0, peer_check(&self->maker, map, LEN, round));
		ASSERT_EQ(0, peer_munmap(&self->maker, map, LEN));
		/* Nor is anybody thought to have a mapping that writes. */
		if (works[n].flags != XMAP_REGION_SINGLE_OWNER)
			test_region_seal(XMAP_REGION_SEAL_WRITE, mine, XMAP_REGION_SEAL_WRITE);
		close(mine);
		ASSERT_EQ(0, peer_close(&self->maker, theirs));
		expect_nothing(UID_A);
	}
	EXPECT_LT(0, shorter);
	TH_LOG("%u rounds, in %u of which it was left short", round, shorter);
}

TEST_F(killed, maker_of_a_region)
{
	__u64 until = test_now_ms() + test_short_seconds() * 1000, rnd = 2;
	struct xmap_cmd_region_info info;
	unsigned int round, n, shorter = 0;
	long theirs, fd, map;
	int mine;

	ASSERT_EQ(0, peer_spawn_as(&self->user, UID_B, UID_B, 0));
	for (round = 0; test_now_ms() < until || round < 2 * ARRAY_SIZE(works); round++) {
		n = round % ARRAY_SIZE(works);
		if (works[n].flags && !flags_work(self, works[n].flags))
			continue;
		theirs = peer_call(&self->maker, op_region_create, self->dev, works[n].flags, LEN);
		mine = peer_take_fd(&self->maker, theirs);
		fd = peer_give_fd(&self->user, self->sv, mine);
		map = peer_call(&self->user, op_region_map, fd, 0, LEN, RW);
		ASSERT_NE(-1, map);
		if (works[n].flags != XMAP_REGION_SINGLE_OWNER)
			ASSERT_EQ(0, peer_fill(&self->user, map, LEN, SEED));
		ASSERT_EQ(0, start_work(&self->maker, works[n].work, theirs, 0));
		await_work(&rnd);
		peer_end(&self->maker);

		if (works[n].flags == XMAP_REGION_SINGLE_OWNER)
			ASSERT_EQ(0, peer_call(&self->user, op_region_simple, fd,
					       XMAP_REGION_TAKE));
		test_region_info(mine, &info);
		EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
		EXPECT_EQ(1, info.out_mappings);
		shorter += make_whole(_metadata, mine, &info, &self->user, map);
		ASSERT_EQ(0, peer_fill(&self->user, map, LEN, round));
		ASSERT_EQ(0, peer_check(&self->user, map, LEN, round));
		/* His it is that the handle is charged to, as long as there is one. */
		close(mine);
		ASSERT_EQ(0, peer_close(&self->user, fd));
		ASSERT_EQ(0, peer_munmap(&self->user, map, LEN));
		expect_nothing(UID_A);
		ASSERT_EQ(0, peer_spawn_as(&self->maker, UID_A, UID_A, 0));
	}
	peer_end(&self->user);
	EXPECT_LT(0, shorter);
	TH_LOG("%u rounds, in %u of which it was left short", round, shorter);
}

/* ---- Names ---- */

/* /dev/xmap, the name in shared memory. */
static long op_open_and_map(const unsigned long *a)
{
	void *map;
	int fd;

	while (!peer_stopped()) {
		if (!_test_region_open(a[0], XMAP_RIGHTS_RW, (const char *)a[1], &fd)) {
			map = _test_region_map(fd, 0, LEN, RW);
			close(fd);
			touch_store(map, 1);
			munmap(map, LEN);
		}
		count_up(0);
	}
	return 0;
}

TEST_F(killed, all_who_have_a_name)
{
	struct xmap_cmd_region_create *cmd = (void *)(self->query + 1);
	char *name = (char *)(cmd + 1);
	unsigned int round;
	bool persistent;
	__u64 rnd = 3;
	long theirs;
	int fd;

	memcpy(name, NAME, sizeof(NAME));
	for (round = 0; round < 20; round++) {
		persistent = round % 4 == 3;
		*cmd = (struct xmap_cmd_region_create){
			.flags = XMAP_REGION_PUBLISH | (persistent ? XMAP_REGION_PERSISTENT : 0),
			.mode = 0666,
			.gid = -1,
			.length = LEN,
			.name = NAME,
		};
		theirs = peer_call(&self->maker, op_region_create_cmd, self->dev, cmd);
		ASSERT_LE(0, theirs);
		ASSERT_EQ(0, peer_spawn_as(&self->user, UID_B, UID_B, 0));
		ASSERT_EQ(0, start_work(&self->user, op_open_and_map, self->dev, (long)name));
		await_work(&rnd);
		/* In one order or the other. */
		if (round % 2)
			peer_end(&self->user);
		peer_end(&self->maker);
		if (!(round % 2))
			peer_end(&self->user);
		if (persistent) {
			test_region_open(self->dev, RIGHTS_RWM, NAME, &fd);
			test_region_unlink(fd);
			close(fd);
		}
		test_err_region_open(ENOENT, self->dev, XMAP_RIGHT_READ, NAME);
		expect_nothing(UID_A);
		expect_nothing(UID_B);
		ASSERT_EQ(0, peer_spawn_as(&self->maker, UID_A, UID_A, 0));
	}
}

/* ---- Exports ---- */

/* Export, address. */
static long op_accept_and_use(const unsigned long *a)
{
	int fd, more;
	__u64 word;
	void *win;

	while (!peer_stopped()) {
		if (!_test_export_accept(a[0], XMAP_RIGHTS_RW, 0, 0, &fd)) {
			win = _test_window_map(fd, a[1], LEN, RW);
			touch(win);
			if (pread(fd, &word, 8, a[1]) == 8 &&
			    !_test_target_derive(fd, XMAP_RIGHT_READ, 0, 0, &more))
				close(more);
			close(fd);
			munmap(win, LEN);
		}
		count_up(0);
	}
	return 0;
}

TEST_F(killed, who_accepts)
{
	__u64 until = test_now_ms() + test_short_seconds() * 1000, rnd = 4;
	unsigned long mem = peer_map(&self->maker, PEER_ANON, RW, LEN, SEED);
	struct xmap_cmd_export_info info;
	unsigned int round;
	long theirs, fd;
	int mine;

	ASSERT_NE(PEER_MAP_FAILED, mem);
	theirs = peer_call(&self->maker, op_export, self->dev, XMAP_RIGHTS_RW, mem, LEN);
	mine = peer_take_fd(&self->maker, theirs);
	ASSERT_LE(0, mine);
	for (round = 0; test_now_ms() < until || round < 10; round++) {
		ASSERT_EQ(0, peer_spawn_as(&self->user, UID_B, UID_B, 0));
		fd = peer_give_fd(&self->user, self->sv, mine);
		ASSERT_EQ(0, start_work(&self->user, op_accept_and_use, fd, mem));
		await_work(&rnd);
		peer_end(&self->user);
		expect_nothing(UID_B);
		test_export_info(mine, &info);
		EXPECT_EQ(0, info.out_targets);
		EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
		ASSERT_EQ(0, peer_check(&self->maker, mem, LEN, SEED));
	}
	ASSERT_EQ(0, peer_call(&self->maker, op_revoke, theirs, 0, 0, 0));
	close(mine);
	ASSERT_EQ(0, peer_close(&self->maker, theirs));
	expect_nothing(UID_A);
	TH_LOG("%u rounds", round);
}

#define OFFER_NAME "xmap-test.killed-offer"

/* How an offer ends. */
enum end { CLOSED, REVOKED, REVOKED_IN_PARTS, REVOKED_BY_NUMBER, ENDS };

/* What is counted: what the owner does, what was read, what each receiver has tried, errors. */
enum { OFFERED = 0, READ, TRIED, WRONG = TRIED + WORKERS };

/* Also while one is being looked at for which nobody was asked. */
static void end_offer(int dev, int fd, unsigned long addr, enum end end)
{
	__u32 flags;

	_test_deny(dev, XMAP_DENY_SET, &flags);
	switch (end) {
	case CLOSED:
		break;
	case REVOKED:
		_test_revoke(fd, 0, 0);
		break;
	case REVOKED_IN_PARTS:
		_test_revoke(fd, addr + PAGE, PAGE);
		_test_revoke(fd, addr, LEN);
		break;
	default:
		_test_revoke_serial(dev, xmap_serial(dev, XMAP_LIST_EXPORT, getpid()), 0, 0);
	}
	_test_deny(dev, XMAP_DENY_CLEAR, &flags);
	close(fd);
}

/* /dev/xmap, address: all threads want the same name. */
static long op_offer_and_end(const unsigned long *a)
{
	struct xmap_cmd_export_create cmd = {
		.flags = XMAP_EXPORT_PUBLISH,
		.rights = XMAP_RIGHTS_RW,
		.addr = a[1],
		.length = LEN,
		.mode = 0666,
		.gid = -1,
		.name = OFFER_NAME,
	};
	unsigned int n;
	__u64 before;

	for (n = 0; !peer_stopped(); n++) {
		before = count_of(READ);
		if (!_test_export_create_cmd(a[0], &cmd)) {
			/* Every other one is used before it ends. */
			while (n % 2 && count_of(READ) == before)
				sched_yield();
			end_offer(a[0], cmd.out_fd, a[1], peer_ctl->word[1]);
		}
		count_up(OFFERED);
	}
	return 0;
}

/* Nothing else may ever be said to who accepts from somebody who takes back, or ends. */
static void expect_gone(bool named)
{
	if (errno != ESTALE && errno != ESRCH && !(named && errno == ENOENT)) {
		peer_ctl->count[WRONG + 1] = errno;
		count_up(WRONG);
	}
}

/* Target, address: all of it, or nothing because it has gone. */
static void use_offer(int fd, unsigned long addr)
{
	__u64 value, word;
	char *win;
	int sig;

	win = _test_window_map(fd, addr, LEN, PROT_READ);
	if (win == MAP_FAILED) {
		expect_gone(false);
	} else {
		sig = touch_load(win + PAGE, &value);
		if (sig ? sig != SIGBUS : value != peer_word(SEED, PAGE))
			count_up(WRONG);
		munmap(win, LEN);
	}
	if (pread(fd, &word, 8, addr) != 8)
		expect_gone(false);
	else if (word != peer_word(SEED, 0))
		count_up(WRONG);
	else
		count_up(READ);
}

/* /dev/xmap, address. */
static long op_accept_by_name(const unsigned long *a)
{
	unsigned int me = __atomic_fetch_add(&peer_ctl->word[2], 1, __ATOMIC_SEQ_CST);
	int fd, target;

	while (!peer_stopped()) {
		if (_test_export_open(a[0], XMAP_RIGHT_READ, 0, OFFER_NAME, &fd)) {
			expect_gone(true);
		} else {
			if (_test_export_accept(fd, XMAP_RIGHT_READ, 0, 0, &target)) {
				expect_gone(false);
			} else {
				use_offer(target, a[1]);
				close(target);
			}
			close(fd);
		}
		count_up(TRIED + me);
	}
	return 0;
}

static void await_more(int which, __u64 more)
{
	__u64 until = count_of(which) + more;

	while (count_of(which) < until)
		sched_yield();
}

/* Whoever had something of him sees that he has ended, and is himself none the worse. */
TEST_F(killed, who_offers)
{
	__u64 until = test_now_ms() + test_short_seconds() * 1000, rnd = 5;
	unsigned long mem = (unsigned long)xmap_shared(LEN);
	struct xmap_cmd_export_create *cmd = (void *)(self->query + 1);
	unsigned int round, i;
	long theirs, got, win;
	int mine;

	for (round = 0; test_now_ms() < until || round < 2 * ENDS; round++) {
		/* Memory of his own, at the same address each time. */
		ASSERT_EQ(mem, (unsigned long)peer_call(&self->maker, peer_op_map, PEER_ANON, RW,
							LEN, SEED, mem));
		ASSERT_EQ(0, peer_spawn_as(&self->user, UID_B, UID_B, 0));
		theirs = peer_call(&self->maker, op_export, self->dev, XMAP_RIGHTS_RW, mem, LEN);
		mine = peer_take_fd(&self->maker, theirs);
		got = peer_call(&self->user, op_accept, peer_give_fd(&self->user, self->sv, mine),
				XMAP_RIGHTS_RW, 0, 0);
		ASSERT_LE(0, got);
		close(mine);
		win = peer_call(&self->user, op_window, got, mem, LEN, RW);
		ASSERT_NE(-1, win);
		EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->user, win));

		peer_ctl->word[1] = round % ENDS;
		peer_ctl->word[2] = 0;
		ASSERT_EQ(0, start_work(&self->user, op_accept_by_name, self->dev, mem));
		ASSERT_EQ(0, start_work(&self->maker, op_offer_and_end, self->dev, mem));
		await_more(READ, 1);
		await_work(&rnd);
		peer_end(&self->maker);

		/* The name goes with him.  The other offer is one that the user has open, too. */
		test_err_export_open(ENOENT, self->dev, XMAP_RIGHT_READ, 0, OFFER_NAME);
		/*
		 * They go on.  What they were about to read when he was killed is let go at the end
		 * of that, and not earlier.
		 */
		for (i = 0; i < WORKERS; i++)
			await_more(TRIED + i, 2);
		EXPECT_EQ(XMAP_TARGET_DEAD, peer_call(&self->user, op_state, got));
		EXPECT_ERRNO(ESRCH, peer_call(&self->user, op_read, got, mem));
		EXPECT_EQ(SIGBUS, peer_touch(&self->user, win));

		/* And another one can offer by the same name, and be read. */
		ASSERT_EQ(0, peer_spawn_as(&self->maker, UID_A, UID_A, 0));
		ASSERT_EQ(mem, (unsigned long)peer_call(&self->maker, peer_op_map, PEER_ANON, RW,
							LEN, SEED, mem));
		*cmd = (struct xmap_cmd_export_create){
			.flags = XMAP_EXPORT_PUBLISH, .rights = XMAP_RIGHT_READ, .addr = mem,
			.length = LEN, .mode = 0666, .gid = -1, .name = OFFER_NAME,
		};
		ASSERT_LE(0, peer_call(&self->maker, op_export_cmd, self->dev, cmd));
		await_more(READ, 1);
		peer_end(&self->maker);
		peer_end(&self->user);
		ASSERT_EQ(0, count_of(WRONG)) {
			TH_LOG("round %u, last of them: %lld", round,
			       (long long)peer_ctl->count[WRONG + 1]);
		}
		expect_nothing(UID_A);
		expect_nothing(UID_B);
		ASSERT_EQ(0, peer_spawn_as(&self->maker, UID_A, UID_A, 0));
	}
	TH_LOG("%u rounds", round);
}

/* ---- At the same time ---- */

/* Handle: 1 if it was taken, 0 if somebody else was first. */
static long op_take_at_once(const unsigned long *a)
{
	peer_await(&peer_ctl->word[0], a[1]);
	if (!_test_region_take(a[0]))
		return 1;
	return errno == EBUSY ? 0 : -1;
}

TEST_F(killed, two_who_take)
{
	long fd[2], got[2];
	struct peer p[2];
	int mine, i, round;

	test_region_create(self->dev, XMAP_REGION_SINGLE_OWNER, LEN, &mine);
	test_region_give(mine);
	for (round = 1; round <= 200; round++) {
		for (i = 0; i < 2 && round % 10 == 1; i++) {
			ASSERT_EQ(0, peer_spawn(&p[i]));
			fd[i] = peer_give_fd(&p[i], self->sv, mine);
		}
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, peer_start(&p[i], op_take_at_once, fd[i], round));
		peer_set(&peer_ctl->word[0], round);
		for (i = 0; i < 2; i++) {
			got[i] = peer_finish(&p[i]);
			ASSERT_LE(0, got[i]);
		}
		ASSERT_EQ(1, got[0] + got[1]);
		i = got[1];
		if (round % 10) {
			ASSERT_EQ(0, peer_call(&p[i], op_region_simple, fd[i], XMAP_REGION_GIVE));
			continue;
		}
		/* He who has it ends with it. */
		test_err_region_take(EBUSY, mine);
		peer_end(&p[!i]);
		test_err_region_take(EBUSY, mine);
		peer_end(&p[i]);
		test_region_take(mine);
		test_region_give(mine);
	}
	close(mine);
}

TEST_HARNESS_MAIN
