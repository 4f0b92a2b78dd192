// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that the kernel has in use for somebody at the moment when they are taken away:
 * for a write() that is under way, or by a reference that goes away at once.
 */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>

#include "xmap_region_utils.h"

#define ROUNDS 40
#define WRITES 300
/* Of these each takes a region of its own. */
#define SEALED 40

FIXTURE_SETUP(region)
{
	ASSERT_EQ(0, region_begin(self, 0));
}

FIXTURE_TEARDOWN(region)
{
	region_end(self);
}

/*
 * Two threads on one processor, of which the caller, from now on, is the first to run
 * whenever he can.
 */
static int run_before(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
	const struct sched_param first = { .sched_priority = 1 };
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu) || pthread_create(thread, NULL, fn, arg))
		return -1;
	return sched_setscheduler(0, SCHED_FIFO, &first);
}

static int run_as_all(void)
{
	const struct sched_param normal = {};

	return sched_setscheduler(0, SCHED_OTHER, &normal);
}

/* ---- A write ---- */

struct writer {
	/* A handle plus one, or what ends it; it is good for nothing any more. */
	int begin;
	int ended;
	int last;
};

static void *writer(void *arg)
{
	struct writer *writer = arg;
	static __u64 buf[PAGE / 8];
	unsigned int i;
	eventfd_t n;

	while (!eventfd_read(writer->begin, &n) && n < INT_MAX) {
		do {
			for (i = 0; i < PAGE / 8; i++)
				buf[i]++;
		} while (pwrite(n - 1, buf, PAGE, 0) == (ssize_t)PAGE);
		writer->last = errno;
		eventfd_write(writer->ended, 1);
	}
	return NULL;
}

/* What the writer has of @all is taken back; or, with @seals, all of it is sealed. */
static void written_until(struct __test_metadata *_metadata, struct writer *writes, int all,
			  void *map, __u32 seals, __u64 *state)
{
	static __u64 seen[PAGE / 8];
	eventfd_t n;
	int part;

	test_region_derive(all, XMAP_RIGHTS_RW, 0, 0, &part);
	ASSERT_EQ(0, eventfd_write(writes->begin, part + 1));
	usleep(100 + test_random(state) % 500);
	if (seals)
		test_region_seal(seals, all, seals);
	else
		test_revoke(part, 0, 0);
	memcpy(seen, map, PAGE);
	ASSERT_EQ(0, eventfd_read(writes->ended, &n));
	ASSERT_EQ(seals ? EPERM : ESTALE, writes->last);
	ASSERT_EQ(0, memcmp(seen, map, PAGE));
	close(part);
}

static void writer_begin(struct __test_metadata *_metadata, struct writer *writes,
			 pthread_t *thread)
{
	writes->begin = eventfd(0, EFD_CLOEXEC);
	writes->ended = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, writes->begin);
	ASSERT_LE(0, writes->ended);
	ASSERT_EQ(0, run_before(thread, writer, writes));
}

static void writer_end(struct __test_metadata *_metadata, struct writer *writes, pthread_t thread)
{
	ASSERT_EQ(0, run_as_all());
	ASSERT_EQ(0, eventfd_write(writes->begin, INT_MAX));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	close(writes->begin);
	close(writes->ended);
}

/*
 * Who takes the memory away comes in between at any time.  (A kernel that cannot be
 * preempted lets him only between one write and the next.)
 */
TEST_F(region, written)
{
	struct writer writes = {};
	pthread_t thread;
	__u64 state = 1;
	void *map;
	int i;

	/* By a load: a read() would wait for the page, too. */
	test_region_map(self->fd, 0, PAGE, RW, &map);
	EXPECT_STORE(1, map);
	writer_begin(_metadata, &writes, &thread);
	for (i = 0; i < WRITES; i++)
		written_until(_metadata, &writes, self->fd, map, 0, &state);
	writer_end(_metadata, &writes, thread);
	munmap(map, PAGE);
}

static void written_until_sealed(struct __test_metadata *_metadata, int dev, __u32 seals)
{
	struct writer writes = {};
	int i, all, look;
	pthread_t thread;
	__u64 state = 1;
	void *map;

	writer_begin(_metadata, &writes, &thread);
	for (i = 0; i < SEALED; i++) {
		test_region_create(dev, 0, PAGE, &all);
		/* One that can become writable would keep others from sealing. */
		test_region_derive(all, XMAP_RIGHT_READ, 0, 0, &look);
		test_region_map(look, 0, PAGE, PROT_READ, &map);
		EXPECT_LOAD(0, map);
		written_until(_metadata, &writes, all, map, seals, &state);
		munmap(map, PAGE);
		close(look);
		close(all);
	}
	writer_end(_metadata, &writes, thread);
}

/* And who seals it has it as it is from then on. */
TEST_F(region, written_until_sealed)
{
	written_until_sealed(_metadata, self->dev, XMAP_REGION_SEAL_WRITE);
}

/* Which does not wait for those who have it mapped, but for a write just the same. */
TEST_F(region, written_until_sealed_for_the_future)
{
	written_until_sealed(_metadata, self->dev, XMAP_REGION_SEAL_FUTURE_WRITE);
}

/* ---- A reference for a moment ---- */

struct holder {
	void *map;
	/* He is to hold the page; he does. */
	int hold;
	int held;
	bool failed;
};

static void *holder(void *arg)
{
	struct holder *holder = arg;
	struct iovec iov = { .iov_base = holder->map, .iov_len = 1 };
	int pipefd[2];
	eventfd_t n;
	char byte;

	if (pipe(pipefd))
		holder->failed = true;
	while (!holder->failed && !eventfd_read(holder->hold, &n) && n == 1) {
		/*
		 * Who takes it away has this processor from the second call on, until he
		 * waits for something: then comes the third.
		 */
		if (vmsplice(pipefd[1], &iov, 1, 0) != 1 || eventfd_write(holder->held, 1) ||
		    read(pipefd[0], &byte, 1) != 1)
			holder->failed = true;
	}
	close(pipefd[0]);
	close(pipefd[1]);
	if (holder->failed)
		eventfd_write(holder->held, 1);
	return NULL;
}

/* A handle of all of it is revoked by who manages it.  How many pages that replaced. */
static long replaced_by_revoking(int fd, size_t length)
{
	struct xmap_cmd_region_info before, after;
	void *map;
	int part;

	if (_test_region_info(fd, &before) ||
	    _test_region_derive(fd, XMAP_RIGHTS_RW, 0, 0, &part))
		return -1;
	map = mmap(NULL, length, RW, MAP_SHARED, part, 0);
	if (map == MAP_FAILED || _test_revoke(part, 0, 0) || _test_region_info(fd, &after))
		return -1;
	munmap(map, length);
	close(part);
	return after.out_replaced - before.out_replaced;
}

/* It is waited for, and stays the region's. */
TEST_F(region, for_a_moment)
{
	struct holder state = {};
	int rounds, waited = 0;
	pthread_t thread;
	eventfd_t n;
	long replaced;

	state.hold = eventfd(0, EFD_CLOEXEC);
	state.held = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, state.hold);
	ASSERT_LE(0, state.held);
	test_region_map(self->fd, 0, LEN, RW, &state.map);
	peer_fill_here(state.map, LEN, 1);
	ASSERT_EQ(0, run_before(&thread, holder, &state));

	for (rounds = 0; rounds < ROUNDS && !waited; rounds++) {
		/* Pages that are on their way to the lists of reclaim arrive there. */
		ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/compact_memory", "1"));
		ASSERT_EQ(0, eventfd_write(state.hold, 1));
		ASSERT_EQ(0, eventfd_read(state.held, &n));
		ASSERT_FALSE(state.failed);
		replaced = replaced_by_revoking(self->fd, LEN);
		ASSERT_LE(0, replaced);
		/* On a slow machine a moment can be too short: but not always. */
		waited += !replaced;
	}
	EXPECT_LT(0, waited);
	ASSERT_EQ(0, run_as_all());
	ASSERT_EQ(0, eventfd_write(state.hold, 2));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_FALSE(state.failed);
	EXPECT_EQ(0, peer_check_here(state.map, LEN, 1));
	munmap(state.map, LEN);
	close(state.hold);
	close(state.held);
}

TEST_HARNESS_MAIN
