// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions that are taken away while others write to them for all they are worth, by
 * stores, by references that the kernel takes, and by write(): when the call has
 * returned not one more byte arrives.
 */
#include <sched.h>

#include "xmap_region_utils.h"
#include "xmap_zram.h"

#define WRITERS 2
/* Writes to see before and after it is taken away. */
#define ENOUGH 40
#define STOP (&peer_ctl->word[1])
#define ENDED (&peer_ctl->word[2])
#define HUGE (2UL << 20)

FIXTURE(race)
{
	int dev;
	struct peer peer;
	int sv[2];
};

FIXTURE_VARIANT(race)
{
	peer_fn write;
	/* Of huge pages: only the first LEN bytes are written to. */
	__u32 flags;
	size_t length;
};

/* ---- The writers, threads of the peer ---- */

static void write_store(__u64 *addr, int fd, __u64 value)
{
	(void)fd;
	touch_store(addr, value);
}

/* By references to the pages: the kernel writes. */
static void write_vm(__u64 *addr, int fd, __u64 value)
{
	struct iovec local = { .iov_base = &value, .iov_len = sizeof(value) };
	struct iovec remote = { .iov_base = addr, .iov_len = sizeof(value) };

	(void)fd;
	process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
}

static void write_file(__u64 *addr, int fd, __u64 value)
{
	if (pwrite(fd, &value, sizeof(value), (uintptr_t)addr % LEN) < 0)
		return;
}

/* Address, descriptor, number of the round, who. */
static long writer(const unsigned long *a, void (*put)(__u64 *addr, int fd, __u64 value))
{
	__u64 state = a[3] + 1;
	__u64 *map = (__u64 *)a[0];

	while (__atomic_load_n(STOP, __ATOMIC_SEQ_CST) != a[2]) {
		put(map + test_random(&state) % (LEN / 8), a[1], 0xbad);
		count_up(a[3]);
	}
	__atomic_add_fetch(ENDED, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static long op_store(const unsigned long *a)
{
	return writer(a, write_store);
}

static long op_vm_write(const unsigned long *a)
{
	return writer(a, write_vm);
}

static long op_pwrite(const unsigned long *a)
{
	return writer(a, write_file);
}

FIXTURE_VARIANT_ADD(race, store)
{
	.write = op_store,
	.length = LEN,
};

FIXTURE_VARIANT_ADD(race, store_huge)
{
	.write = op_store,
	.flags = XMAP_REGION_HUGE,
	.length = HUGE,
};

FIXTURE_VARIANT_ADD(race, reference)
{
	.write = op_vm_write,
	.length = LEN,
};

FIXTURE_VARIANT_ADD(race, reference_huge)
{
	.write = op_vm_write,
	.flags = XMAP_REGION_HUGE,
	.length = HUGE,
};

FIXTURE_VARIANT_ADD(race, pwrite)
{
	.write = op_pwrite,
	.length = LEN,
};

FIXTURE_VARIANT_ADD(race, pwrite_huge)
{
	.write = op_pwrite,
	.flags = XMAP_REGION_HUGE,
	.length = HUGE,
};

/*
 * A mapping whose address is a multiple of its length: the offset is in the address.
 * Descriptor, length.
 */
static long op_map_aligned(const unsigned long *a)
{
	size_t len = a[1];
	char *room = mmap(NULL, 2 * len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at;

	if (room == MAP_FAILED)
		return -1;
	at = room + (len - (uintptr_t)room % len) % len;
	return (long)mmap(at, len, RW, MAP_SHARED | MAP_FIXED, a[0], 0);
}

FIXTURE_SETUP(race)
{
	touch_init();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->sv));
	ASSERT_EQ(0, peer_spawn(&self->peer));
	if (variant->flags && access("/sys/kernel/mm/transparent_hugepage", F_OK))
		SKIP(return, "no transparent huge pages here");
}

FIXTURE_TEARDOWN(race)
{
	peer_end(&self->peer);
	close(self->sv[0]);
	close(self->sv[1]);
	close(self->dev);
}

#define RACE FIXTURE_DATA(race)

/* Wait until each writer has tried often enough from now on. */
static void await_writers(void)
{
	__u64 from[WRITERS];
	int i;

	for (i = 0; i < WRITERS; i++)
		from[i] = count_of(i);
	for (i = 0; i < WRITERS; i++)
		while (count_of(i) < from[i] + ENOUGH)
			sched_yield();
}

/* Start the writers on the peer's descriptor; its mapping, or -1. */
static long start_writers(RACE *self, const FIXTURE_VARIANT(race) *variant, long fd, __u32 round)
{
	long map = peer_call(&self->peer, op_map_aligned, fd, variant->length);
	int i;

	if (map == -1)
		return -1;
	__atomic_store_n(ENDED, 0, __ATOMIC_SEQ_CST);
	for (i = 0; i < WRITERS; i++)
		if (peer_call(&self->peer, peer_op_thread, variant->write, map, fd, round, i))
			return -1;
	await_writers();
	return map;
}

static void stop_writers(RACE *self, const FIXTURE_VARIANT(race) *variant, long map, long fd,
			 __u32 round)
{
	__atomic_store_n(STOP, round, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(ENDED, __ATOMIC_SEQ_CST) != WRITERS)
		sched_yield();
	peer_munmap(&self->peer, map, variant->length);
	peer_close(&self->peer, fd);
}

TEST_F(race, revoke)
{
	__u64 end = test_now_ms() + test_short_seconds() * 1000;
	__u32 round = 0;
	long theirs, fd;
	int all, part;
	__u64 *map;

	test_region_create(self->dev, variant->flags, variant->length, &all);
	test_region_map(all, 0, variant->length, RW, &map);
	while (test_now_ms() < end || round < 5) {
		round++;
		test_region_derive(all, XMAP_RIGHTS_RW, 0, 0, &part);
		fd = peer_give_fd(&self->peer, self->sv, part);
		theirs = start_writers(self, variant, fd, round);
		ASSERT_NE(-1, theirs);
		/* Sometimes piece by piece. */
		if (round % 2)
			test_revoke(part, PAGE, LEN - 2 * PAGE);
		test_revoke(part, 0, 0);
		peer_fill_here(map, LEN, round);
		await_writers();
		ASSERT_EQ(0, peer_check_here(map, LEN, round));
		stop_writers(self, variant, theirs, fd, round);
		close(part);
	}
	TH_LOG("%u rounds", round);
}

TEST_F(race, give)
{
	__u64 end = test_now_ms() + test_short_seconds() * 1000;
	__u32 round = 0;
	long theirs, fd;
	__u64 *map;
	int all;

	while (test_now_ms() < end || round < 5) {
		round++;
		test_region_create(self->dev, variant->flags | XMAP_REGION_SINGLE_OWNER,
				   variant->length, &all);
		test_region_map(all, 0, variant->length, RW, &map);
		fd = peer_give_fd(&self->peer, self->sv, all);
		test_region_give(all);
		ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
		theirs = start_writers(self, variant, fd, round);
		ASSERT_NE(-1, theirs);
		/* In full flight. */
		ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_GIVE));
		test_region_take(all);
		peer_fill_here(map, LEN, round);
		await_writers();
		ASSERT_EQ(0, peer_check_here(map, LEN, round));
		stop_writers(self, variant, theirs, fd, round);
		ASSERT_EQ(0, munmap(map, variant->length));
		close(all);
	}
	TH_LOG("%u rounds", round);
}

/* New pages, cut and grown again, under those who go on writing: they stay alive. */
TEST_F(race, rebind_and_resize)
{
	__u64 end = test_now_ms() + test_short_seconds() * 1000, generation;
	__u32 round = 1, n = 0;
	long theirs, fd;
	int all;

	test_region_create(self->dev, variant->flags, variant->length, &all);
	fd = peer_give_fd(&self->peer, self->sv, all);
	theirs = start_writers(self, variant, fd, round);
	ASSERT_NE(-1, theirs);
	while (test_now_ms() < end || n < 5) {
		ASSERT_EQ(0, _test_region_rebind(all, &generation));
		test_region_resize(all, PAGE);
		test_region_resize(all, variant->length);
		EXPECT_EQ(++n, generation);
	}
	await_writers();
	stop_writers(self, variant, theirs, fd, round);
	close(all);
	TH_LOG("%u rounds", n);
}

/* ---- What is made of a handle while it is revoked ---- */

#define MAKERS 4
/* How many of the things that he has made last each of them keeps. */
#define KEPT 4
#define WRONG (&peer_ctl->word[4])
#define REVOKED (&peer_ctl->word[5])

/* A mapping, and the handle that was derived for it, or -1. */
struct made {
	int fd;
	char *map;
};

static void drop_made(struct made *made)
{
	if (made->map)
		munmap(made->map, LEN);
	if (made->fd >= 0)
		close(made->fd);
	*made = (struct made){ .fd = -1 };
}

/* One more, by a handle or one that is derived from it first; and use it. */
static bool make_one(struct made *made, int from, bool derive, unsigned long page)
{
	__u64 word = 0xbad;
	void *map;

	if (derive && _test_region_derive(from, XMAP_RIGHTS_RW, 0, 0, &made->fd)) {
		made->fd = -1;
		return false;
	}
	map = _test_region_map(derive ? made->fd : from, 0, LEN, RW);
	if (map == MAP_FAILED)
		return false;
	made->map = map;
	touch_store(made->map + page * PAGE, word);
	if (derive && pwrite(made->fd, &word, sizeof(word), 0) < 0)
		return errno == ESTALE;
	return true;
}

/* Is it good for anything, by loads, stores, calls, or for making more? */
static bool made_is_good(const struct made *made)
{
	__u64 word = 0xbad;
	int i, more;

	for (i = 0; made->map && i < PAGES; i++)
		if (touch(made->map + i * PAGE) != SIGBUS ||
		    touch_store(made->map + i * PAGE, word) != SIGBUS)
			return true;
	if (made->fd < 0)
		return false;
	return XMAP_ERRNO(pread(made->fd, &word, sizeof(word), 0)) != ESTALE ||
	       XMAP_ERRNO(pwrite(made->fd, &word, sizeof(word), 0)) != ESTALE ||
	       XMAP_ERRNO(_test_region_map(made->fd, 0, LEN, RW)) != ESTALE ||
	       XMAP_ERRNO(_test_region_derive(made->fd, XMAP_RIGHT_READ, 0, 0, &more)) != ESTALE;
}

/* Handle, whether to derive, number of the round, who: until it is revoked. */
static long op_make(const unsigned long *a)
{
	struct made made[KEPT];
	unsigned int i, n = 0;

	for (i = 0; i < KEPT; i++)
		made[i] = (struct made){ .fd = -1 };
	while (make_one(&made[n % KEPT], a[0], a[1], n % PAGES)) {
		count_up(a[3]);
		drop_made(&made[++n % KEPT]);
	}
	if (errno != ESTALE)
		__atomic_add_fetch(WRONG, 1, __ATOMIC_SEQ_CST);
	/* Who revokes may not have returned yet. */
	peer_await(REVOKED, a[2]);
	for (i = 0; i < KEPT; i++) {
		if (made_is_good(&made[i]))
			__atomic_add_fetch(WRONG, 1, __ATOMIC_SEQ_CST);
		drop_made(&made[i]);
	}
	__atomic_add_fetch(ENDED, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* By one that was made before it or while it was under way nobody reaches the memory. */
TEST(made_meanwhile)
{
	__u64 end = test_now_ms() + 2 * test_short_seconds() * 1000, rnd = 1, before[MAKERS];
	unsigned int i, spin;
	struct peer peer;
	int dev, all, part, sv[2];
	__u32 round = 0;
	__u64 *map;
	long fd;

	touch_init();
	test_dev_open(&dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	ASSERT_EQ(0, peer_spawn(&peer));
	test_region_create(dev, 0, LEN, &all);
	test_region_map(all, 0, LEN, RW, &map);
	while (test_now_ms() < end || round < 6) {
		round++;
		test_region_derive(all, XMAP_RIGHTS_RW, 0, 0, &part);
		fd = peer_give_fd(&peer, sv, part);
		__atomic_store_n(ENDED, 0, __ATOMIC_SEQ_CST);
		for (i = 0; i < MAKERS; i++) {
			before[i] = count_of(i);
			/* Sometimes nobody maps by the very handle that is revoked. */
			ASSERT_EQ(0, peer_call(&peer, peer_op_thread, op_make, fd,
					       round % 3 ? i % 2 : 1, round, i));
		}
		/* Every other time they have certainly begun. */
		for (i = 0; round % 2 && i < MAKERS; i++)
			while (count_of(i) == before[i])
				sched_yield();
		for (spin = test_random(&rnd) % 20000; spin; spin--)
			__asm__ volatile("" : : : "memory");
		test_revoke(part, 0, 0);
		peer_fill_here(map, LEN, round);
		peer_set(REVOKED, round);
		while (__atomic_load_n(ENDED, __ATOMIC_SEQ_CST) != MAKERS)
			sched_yield();
		ASSERT_EQ(0, __atomic_load_n(WRONG, __ATOMIC_SEQ_CST));
		ASSERT_EQ(0, peer_check_here(map, LEN, round));
		peer_close(&peer, fd);
		close(part);
	}
	TH_LOG("%u rounds", round);
	peer_end(&peer);
	close(all);
	close(dev);
}

/* ---- Pages that are just coming into being ---- */

#define MANY 4096
/*
 * Whoever makes room takes pages off their list in tens: with many at it, few pages were
 * left there, and the kernel killed them all for want of memory.
 */
#define TOUCHERS 4
/* Not room for all of them: who touches one waits until another has gone to swap. */
#define MEMORY "12M"

/* Address, first page: touch page after page until there are none any more. */
static long op_first_touch(const unsigned long *a)
{
	unsigned long i, n = a[1];

	for (i = 0; i < MANY; i++, n++) {
		if (touch_store((void *)(a[0] + n % MANY * PAGE), 1))
			break;
		count_up(0);
	}
	__atomic_add_fetch(ENDED, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* How many pages there are that can be touched. */
static long op_count_pages(const unsigned long *a)
{
	long n = 0, i;

	for (i = 0; i < MANY; i++)
		n += !touch((void *)(a[0] + i * PAGE));
	return n;
}

/* Who was told that he may, and then took long to get his page, does not keep it. */
TEST(first_touch)
{
	__u64 end, before;
	struct peer peer;
	int dev, all, part, sv[2], i;
	__u32 round = 0;
	long fd, map;
	char *swap;

	touch_init();
	test_dev_open(&dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	swap = zram_swap_new(128 << 20);
	ASSERT_NE(NULL, swap);
	ASSERT_EQ(0, region_cgroup_new());
	ASSERT_EQ(0, xmap_write_file(GROUP "/memory.max", MEMORY));
	ASSERT_EQ(0, peer_spawn(&peer));
	ASSERT_EQ(0, peer_call(&peer, op_cgroup_join, 0));
	test_region_create(dev, 0, MANY * PAGE, &all);
	end = test_now_ms() + 2 * test_short_seconds() * 1000;
	while (test_now_ms() < end || round < 5) {
		round++;
		test_region_rebind(round, all);
		test_region_derive(all, XMAP_RIGHTS_RW, 0, 0, &part);
		fd = peer_give_fd(&peer, sv, part);
		map = peer_call(&peer, op_region_map, fd, 0, MANY * PAGE, RW);
		ASSERT_NE(-1, map);
		__atomic_store_n(ENDED, 0, __ATOMIC_SEQ_CST);
		before = count_of(0);
		for (i = 0; i < TOUCHERS; i++) {
			ASSERT_EQ(0, peer_call(&peer, peer_op_thread, op_first_touch, map,
					       i * MANY / TOUCHERS));
		}
		while (count_of(0) < before + MANY / 2 + round * 37 % (MANY / 4))
			sched_yield();
		test_revoke(part, 0, 0);
		while (__atomic_load_n(ENDED, __ATOMIC_SEQ_CST) != TOUCHERS)
			sched_yield();
		ASSERT_EQ(0, peer_call(&peer, op_count_pages, map));
		peer_munmap(&peer, map, MANY * PAGE);
		peer_close(&peer, fd);
		close(part);
	}
	TH_LOG("%u rounds", round);
	peer_end(&peer);
	close(all);
	EXPECT_EQ(0, rmdir(GROUP));
	EXPECT_EQ(0, zram_swap_end(swap));
}

/* ---- A huge page that is remade ---- */

/* Address, number of the round: words that are not what has been there all the time. */
static long op_look(const unsigned long *a)
{
	const __u64 *map = (const __u64 *)a[0];
	size_t i = 0;
	long n = 0;

	while (__atomic_load_n(STOP, __ATOMIC_SEQ_CST) != a[1]) {
		n += __atomic_load_n(map + i / 8, __ATOMIC_RELAXED) != peer_word(1, i);
		i = (i + PAGE) % HUGE;
		count_up(0);
	}
	return n;
}

/* Who may go on never finds it empty, however busily he looks. */
TEST(remade)
{
	__u64 end = test_now_ms() + test_short_seconds() * 1000, from;
	struct iovec iov = { .iov_len = PAGE };
	int dev, all, part, sv[2], pipefd[2];
	void *map, *derived;
	struct peer peer;
	__u32 round = 0;
	long fd, theirs;

	if (access("/sys/kernel/mm/transparent_hugepage", F_OK))
		SKIP(return, "no transparent huge pages here");
	test_dev_open(&dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	ASSERT_EQ(0, peer_spawn(&peer));
	while (test_now_ms() < end || round < 5) {
		round++;
		test_region_create(dev, XMAP_REGION_HUGE, HUGE, &all);
		test_region_derive(all, XMAP_RIGHTS_RW, 0, 0, &part);
		test_region_map(all, 0, HUGE, RW, &map);
		test_region_map(part, 0, HUGE, RW, &derived);
		peer_fill_here(map, HUGE, 1);
		fd = peer_give_fd(&peer, sv, all);
		theirs = peer_call(&peer, op_region_map, fd, 0, HUGE, PROT_READ);
		ASSERT_NE(-1, theirs);
		from = count_of(0);
		ASSERT_EQ(0, peer_start(&peer, op_look, theirs, round));
		while (count_of(0) < from + ENOUGH)
			sched_yield();
		ASSERT_EQ(0, pipe(pipefd));
		iov.iov_base = derived;
		ASSERT_EQ((ssize_t)PAGE, vmsplice(pipefd[1], &iov, 1, 0));
		test_revoke(part, 0, 0);
		from = count_of(0);
		while (count_of(0) < from + ENOUGH)
			sched_yield();
		__atomic_store_n(STOP, round, __ATOMIC_SEQ_CST);
		ASSERT_EQ(0, peer_finish(&peer));
		EXPECT_EQ(0, peer_check_here(map, HUGE, 1));
		peer_munmap(&peer, theirs, HUGE);
		peer_close(&peer, fd);
		munmap(map, HUGE);
		munmap(derived, HUGE);
		close(pipefd[0]);
		close(pipefd[1]);
		close(part);
		close(all);
	}
	TH_LOG("%u rounds", round);
	peer_end(&peer);
	close(dev);
}

/* ---- Back and forth ---- */

/* Take, find what the other has left, leave something, give; n times. */
static long op_pass(const unsigned long *a)
{
	__u64 *map = (__u64 *)a[1], turn = a[3];
	long n;

	for (n = 0; n < (long)a[2]; turn += 2) {
		peer_await(&peer_ctl->word[3], turn);
		if (_test_region_take(a[0]))
			return -1;
		if (turn && peer_check_here(map, LEN, turn))
			return -2;
		peer_fill_here(map, LEN, turn + 1);
		if (_test_region_give(a[0]))
			return -3;
		peer_set(&peer_ctl->word[3], turn + 1);
		n++;
	}
	return n;
}

TEST(back_and_forth)
{
	enum { TURNS = 100 };
	struct peer peer;
	int dev, fd, sv[2];
	long theirs;
	void *map;

	test_dev_open(&dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	ASSERT_EQ(0, peer_spawn(&peer));
	test_region_create(dev, XMAP_REGION_SINGLE_OWNER, LEN, &fd);
	test_region_map(fd, 0, LEN, RW, &map);
	test_region_give(fd);
	theirs = peer_give_fd(&peer, sv, fd);
	ASSERT_EQ(0, peer_start(&peer, op_pass, theirs,
				peer_call(&peer, op_region_map, theirs, 0, LEN, RW), TURNS, 1));
	EXPECT_EQ(TURNS, op_pass((unsigned long[]){ fd, (unsigned long)map, TURNS, 0 }));
	EXPECT_EQ(TURNS, peer_finish(&peer));
	test_region_take(fd);
	EXPECT_EQ(0, peer_check_here(map, LEN, 2 * TURNS));
	peer_end(&peer);
}

TEST_HARNESS_MAIN
