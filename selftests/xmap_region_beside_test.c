// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who keeps his rights beside those who lose theirs, again and again: his futexes work, he
 * never finds a page empty or a write lost, by whatever way he comes, and nothing hangs.
 * And system calls beside changes of the length.
 */
#include <sched.h>

#include "xmap_region_utils.h"
#include "xmap_watch.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"
#define HUGE (2UL << 20)
#define STOP (&peer_ctl->stop)
#define WRONG (&peer_ctl->word[1])
#define ENDED (&peer_ctl->word[2])

static bool no_huge(void)
{
	return access(THP "shmem_enabled", F_OK);
}

/* Each of the threads tries as often as this from now on. */
static void await_all(int threads, int times)
{
	__u64 from[16];
	int i;

	for (i = 0; i < threads; i++)
		from[i] = count_of(i);
	for (i = 0; i < threads; i++)
		while (count_of(i) < from[i] + times)
			sched_yield();
}

static void wrong(void)
{
	__atomic_add_fetch(WRONG, 1, __ATOMIC_SEQ_CST);
}

static void ended(void)
{
	__atomic_add_fetch(ENDED, 1, __ATOMIC_SEQ_CST);
}

static void await_ended(__u32 n)
{
	while (__atomic_load_n(ENDED, __ATOMIC_SEQ_CST) != n)
		sched_yield();
}

static void stop(void)
{
	__atomic_store_n(STOP, 1, __ATOMIC_SEQ_CST);
}

/* ---- Futexes ---- */

FIXTURE_SETUP(region)
{
	ASSERT_EQ(0, region_begin(self, 0));
}

FIXTURE_TEARDOWN(region)
{
	region_end(self);
}

/*
 * A futex in the region.  Whoever has the page in hand for longer than it is waited for,
 * because his processor was taken from him, say, is told EFAULT, and asks again.
 */
static long futex(__u32 *word, int op, __u32 val)
{
	long ret;

	while ((ret = syscall(SYS_futex, word, op, val, NULL, NULL, 0)) < 0 && errno == EFAULT)
		wrong();
	return ret;
}

/*
 * Address of the word, which half of the turns is ours, who: turn by turn, waiting and
 * waking only by futex.  The number of turns, or -1 with what futex() has said.
 */
static long op_turns(const unsigned long *a)
{
	__u32 *word = (__u32 *)a[0], now;
	long n = 0;

	while (!peer_stopped()) {
		now = __atomic_load_n(word, __ATOMIC_SEQ_CST);
		if (now % 2 != a[1]) {
			if (futex(word, FUTEX_WAIT, now) && errno != EAGAIN && errno != EINTR)
				return -1;
			continue;
		}
		__atomic_store_n(word, now + 1, __ATOMIC_SEQ_CST);
		if (futex(word, FUTEX_WAKE, INT_MAX) < 0)
			return -1;
		count_up(a[1]);
		n++;
	}
	/* The other may wait for this turn. */
	futex(word, FUTEX_WAKE, INT_MAX);
	return n;
}

/* Two who share a lock do not notice that a third loses another handle. */
TEST_F(region, futex)
{
	__u64 end = test_now_ms() + 2 * test_short_seconds() * 1000;
	struct peer other;
	long fd, map[2];
	__u32 round = 0;
	int part;
	void *ours;

	ASSERT_EQ(0, peer_spawn(&other));
	fd = give(self->fd);
	map[0] = peer_call(&self->peer, op_region_map, fd, 0, LEN, RW);
	fd = peer_give_fd(&other, self->sv, self->fd);
	map[1] = peer_call(&other, op_region_map, fd, 0, LEN, RW);
	ASSERT_NE(-1, map[0]);
	ASSERT_NE(-1, map[1]);
	ASSERT_EQ(0, peer_start(&self->peer, op_turns, map[0], 0));
	ASSERT_EQ(0, peer_start(&other, op_turns, map[1], 1));
	while (test_now_ms() < end || round < 20) {
		round++;
		test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &part);
		test_region_map(part, 0, LEN, RW, &ours);
		EXPECT_EQ(0, touch(ours));
		test_revoke(part, 0, 0);
		EXPECT_EQ(SIGBUS, touch(ours));
		ASSERT_EQ(0, munmap(ours, LEN));
		close(part);
	}
	stop();
	EXPECT_LT(0, peer_finish(&self->peer))
	{
		TH_LOG("futex: %s", strerror(errno));
	}
	EXPECT_LT(0, peer_finish(&other))
	{
		TH_LOG("futex: %s", strerror(errno));
	}
	TH_LOG("%u revocations, %llu and %llu turns, %u times EFAULT", round,
	       (unsigned long long)count_of(0), (unsigned long long)count_of(1),
	       __atomic_load_n(WRONG, __ATOMIC_SEQ_CST));
	/* Seldom: what is in hand for a moment is waited for. */
	EXPECT_GE(1 + round / 10, __atomic_load_n(WRONG, __ATOMIC_SEQ_CST));
	peer_end(&other);
}

/* ---- Pages that are remade ---- */

/*
 * All of a region of huge pages is filled once.  Of each page one thread owns the first
 * eight words, which it alone changes; all else stays what it was.
 */
enum { BY_FAULT, BY_READ, BY_WRITE, BY_STORE, WAYS };

#define REMADE (2 * HUGE)
#define OWN_WORD(map, way, at) ((__u64 *)((char *)(map) + (at)) + (way))

/* What is found may be nothing only while nobody has it. */
static bool denied(int sig, ssize_t ret)
{
	return sig == SIGBUS || (ret < 0 && errno == EPERM);
}

/* Address, handle, offset, whether it can be somebody else's at the time. */
static void try_fault(char *map, __u64 at, bool single)
{
	__u64 value = 0;
	int sig;

	/* So that the next one comes by a fault. */
	madvise(map + at / HUGE * HUGE, HUGE, MADV_DONTNEED);
	sig = touch_load(map + at + 64, &value);
	if (sig ? !(single && denied(sig, 0)) : value != peer_word(1, at + 64))
		wrong();
}

static void try_read(int fd, __u64 at, bool single)
{
	__u64 value = 0;
	ssize_t n = pread(fd, &value, 8, at + 72);

	if (n == 8 ? value != peer_word(1, at + 72) : !(single && denied(0, n)))
		wrong();
}

/* What was written is there: it has not gone to a page that was the region's before. */
static void try_write(int fd, __u64 at, __u64 number, bool single)
{
	__u64 pos = at + BY_WRITE * 8, value = 0;
	ssize_t n = pwrite(fd, &number, 8, pos);

	if (n != 8) {
		if (!single || !denied(0, n))
			wrong();
		return;
	}
	n = pread(fd, &value, 8, pos);
	if (n == 8 ? value != number : !(single && denied(0, n)))
		wrong();
}

static void try_store(char *map, int fd, __u64 at, __u64 number, bool single)
{
	__u64 pos = at + BY_STORE * 8, value = 0;
	int sig = touch_store(map + pos, number);
	ssize_t n;

	if (sig) {
		if (!single)
			wrong();
		return;
	}
	n = pread(fd, &value, 8, pos);
	if (n == 8 ? value != number : !(single && denied(0, n)))
		wrong();
}

/* Address, handle, way, whether it has a single owner. */
static long op_go_on(const unsigned long *a)
{
	__u64 state = a[2], number = 1ULL << 60;
	char *map = (char *)a[0];
	__u64 at;

	while (!peer_stopped()) {
		at = test_random(&state) % (REMADE / PAGE) * PAGE;
		number++;
		switch (a[2]) {
		case BY_FAULT:
			try_fault(map, at, a[3]);
			break;
		case BY_READ:
			try_read(a[1], at, a[3]);
			break;
		case BY_WRITE:
			try_write(a[1], at, number, a[3]);
			break;
		default:
			try_store(map, a[1], at, number, a[3]);
		}
		count_up(a[2]);
	}
	ended();
	return 0;
}

/* Handle, whether it has a single owner: fill it, and start those who go on. */
static long op_start(const unsigned long *a)
{
	char *map = mmap(NULL, REMADE, RW, MAP_SHARED, a[0], 0);
	unsigned long way;

	if (map == MAP_FAILED)
		return -1;
	touch_init();
	peer_fill_here(map, REMADE, 1);
	for (way = 0; way < WAYS; way++)
		if (peer_op_thread((unsigned long[]){
			(unsigned long)op_go_on, (unsigned long)map, a[0], way, a[1], 0,
		}))
			return -1;
	return (long)map;
}

static int hold(const int *pipefd, char *map)
{
	struct iovec iov = { .iov_base = map, .iov_len = PAGE };

	return vmsplice(pipefd[1], &iov, 1, 0) == (ssize_t)PAGE ? 0 : -1;
}

static long op_give_and_take(const unsigned long *a)
{
	char *map = (char *)a[1];
	int pipefd[2];

	/* The same address space: both huge pages are in a pipe when it is given. */
	if (pipe(pipefd) || hold(pipefd, map) || hold(pipefd, map + HUGE))
		return -1;
	if (_test_region_give(a[0]) || _test_region_take(a[0]))
		return -1;
	close(pipefd[0]);
	close(pipefd[1]);
	return 0;
}

static void huge_pages(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, xmap_write_file(THP "defrag", "always"));
	ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/drop_caches", "3"));
	ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/compact_memory", "1"));
}

/* Another has each huge page in a pipe when he loses his handle. */
TEST_F(region, remade_by_revoking)
{
	__u64 end = test_now_ms() + 2 * test_short_seconds() * 1000;
	int all, part, pipefd[2];
	__u32 round = 0;
	char *map;

	if (no_huge())
		SKIP(return, "no transparent huge pages here");
	huge_pages(_metadata);
	test_region_create(self->dev, XMAP_REGION_HUGE, REMADE, &all);
	ASSERT_NE(-1, peer_call(&self->peer, op_start, give(all), false));
	await_all(WAYS, 10);
	while (test_now_ms() < end || round < 5) {
		round++;
		test_region_derive(all, XMAP_RIGHT_READ, 0, 0, &part);
		test_region_map(part, 0, REMADE, PROT_READ, &map);
		ASSERT_EQ(0, pipe(pipefd));
		ASSERT_EQ(0, hold(pipefd, map));
		ASSERT_EQ(0, hold(pipefd, map + HUGE + round % 512 * PAGE));
		test_revoke(part, 0, 0);
		await_all(WAYS, 2);
		close(pipefd[0]);
		close(pipefd[1]);
		ASSERT_EQ(0, munmap(map, REMADE));
		close(part);
	}
	await_all(WAYS, 10);
	stop();
	await_ended(WAYS);
	EXPECT_EQ(0, *WRONG);
	TH_LOG("%u rounds", round);
	close(all);
}

/* The owner gives it away and takes it again, while his other threads go on. */
TEST_F(region, remade_by_giving)
{
	__u64 end = test_now_ms() + 2 * test_short_seconds() * 1000;
	__u32 round = 0;
	long fd, map;
	int all;

	if (no_huge())
		SKIP(return, "no transparent huge pages here");
	huge_pages(_metadata);
	test_region_create(self->dev, XMAP_REGION_HUGE | XMAP_REGION_SINGLE_OWNER, REMADE, &all);
	fd = give(all);
	test_region_give(all);
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	map = peer_call(&self->peer, op_start, fd, true);
	ASSERT_NE(-1, map);
	await_all(WAYS, 10);
	while (test_now_ms() < end || round < 5) {
		round++;
		ASSERT_EQ(0, peer_call(&self->peer, op_give_and_take, fd, map));
		await_all(WAYS, 2);
	}
	await_all(WAYS, 10);
	stop();
	await_ended(WAYS);
	EXPECT_EQ(0, *WRONG);
	TH_LOG("%u rounds", round);
	close(all);
}

/* ---- System calls beside changes of the length ---- */

/* Handle, writing: what read() and write() say but success, the end, and no room. */
static long op_at_the_end(const unsigned long *a)
{
	static __thread char buf[4 * PAGE];
	ssize_t n;

	while (!peer_stopped()) {
		if (a[1])
			n = pwrite(a[0], buf, sizeof(buf), PAGE);
		else
			n = pread(a[0], buf, sizeof(buf), PAGE);
		if (n % (ssize_t)PAGE && n != -1)
			wrong();
		if (n == -1 && !(a[1] && errno == ENOSPC))
			wrong();
		count_up(a[1]);
	}
	ended();
	return 0;
}

static void resize_beside_calls(struct __test_metadata *_metadata, REGION *self, __u32 flags)
{
	__u64 end = test_now_ms() + test_short_seconds() * 1000;
	__u32 round = 0;
	long fd;
	int all;

	test_region_create(self->dev, flags, LEN, &all);
	fd = give(all);
	ASSERT_EQ(0, peer_thread(&self->peer, op_at_the_end, fd, 0));
	ASSERT_EQ(0, peer_thread(&self->peer, op_at_the_end, fd, 1));
	await_all(2, 10);
	while (test_now_ms() < end || round < 100) {
		round++;
		test_region_resize(all, PAGE);
		test_region_resize(all, LEN);
		if (round % 32 == 0)
			await_all(2, 1);
	}
	stop();
	await_ended(2);
	EXPECT_EQ(0, *WRONG);
	TH_LOG("%u rounds", round);
	close(all);
}

TEST_F(region, resize_beside_calls)
{
	resize_beside_calls(_metadata, self, 0);
}

TEST_F(region, resize_beside_calls_huge)
{
	if (no_huge())
		SKIP(return, "no transparent huge pages here");
	resize_beside_calls(_metadata, self, XMAP_REGION_HUGE);
}

TEST_HARNESS_MAIN
