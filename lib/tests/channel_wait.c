// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Channels: waiting, waking, the end, with threads and processes that are honest.
 *
 * Threads and children count what goes wrong instead of asserting.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "pair.h"
#include "shim.h"

#define RECORDS 4000
/* Milliseconds. */
#define RACE_TIME 2000

/* ---- Both directions at once ---- */

struct stream {
	struct xmap_channel *ch;
	size_t max;
	int timeout;
	uint32_t count;
	int bad;
};

static void *stream_send(void *data)
{
	static __thread unsigned char buf[SMALL_RING];
	struct stream *s = data;
	size_t length;
	int rc;

	for (uint32_t i = 0; i < s->count; i++) {
		length = record_make(buf, i, s->max);
		do {
			rc = xmap_channel_send(s->ch, buf, length, s->timeout);
		} while (rc == -ETIMEDOUT);
		s->bad += rc != 0;
	}
	return NULL;
}

static void *stream_recv(void *data)
{
	static __thread unsigned char buf[SMALL_RING];
	struct stream *s = data;
	ssize_t n;

	for (uint32_t i = 0; i < s->count; i++) {
		do {
			n = xmap_channel_recv(s->ch, buf, sizeof(buf), s->timeout);
		} while (n == -ETIMEDOUT);
		s->bad += !record_is(buf, n, i, s->max);
	}
	return NULL;
}

/* One thread sends and one receives, on this side. */
static int stream_both(struct stream s)
{
	struct stream other = s;
	pthread_t thread;

	if (pthread_create(&thread, NULL, stream_send, &other))
		return 1;
	stream_recv(&s);
	pthread_join(thread, NULL);
	return s.bad + other.bad;
}

struct other_side {
	struct xmap_channel *ours;
	struct xmap_channel_fds fds;
	uint32_t flags;
	struct stream stream;
};

static int stream_other_side(void *data)
{
	struct other_side *other = data;
	int bad;

	xmap_channel_close(other->ours);
	if (channel_from(&other->fds, other->flags, &other->stream.ch))
		return 2;
	bad = stream_both(other->stream) != 0;
	xmap_channel_close(other->stream.ch);
	return bad;
}

static const struct {
	size_t max;
	int timeout;
	uint32_t flags;
} streams[] = {
	{ SMALL_MAX, -1, 0 },
	{ SMALL_MAX, -1, XMAP_CHANNEL_NO_SPIN },
	{ SMALL_MAX, 1, 0 },
	{ 64, -1, 0 },
	{ 64, 20, XMAP_CHANNEL_NO_SPIN },
	{ 0, -1, 0 },
};

START_TEST(streams_between_processes)
{
	struct other_side other = {
		.flags = streams[_i].flags,
		.stream = {
			.max = streams[_i].max,
			.timeout = streams[_i].timeout,
			.count = RECORDS,
		},
	};
	unsigned char byte;
	pid_t pid;

	other.ours = channel_begin(&other.fds, SMALL_RING);
	pid = child_begin(stream_other_side, &other);
	fds_close(&other.fds);
	other.stream.ch = other.ours;
	ck_assert_int_eq(stream_both(other.stream), 0);
	ck_assert_int_eq(child_end(pid), 0);
	assert_err(xmap_channel_recv(other.ours, &byte, 1, -1), EPIPE);
	xmap_channel_close(other.ours);
}

START_TEST(streams_between_threads)
{
	struct stream a = { .max = SMALL_MAX, .timeout = -1, .count = RECORDS }, b = a;
	struct pair pair;
	pthread_t thread;

	pair_begin(&pair, SMALL_RING);
	a.ch = pair.a;
	b.ch = pair.b;
	ck_assert_int_eq(pthread_create(&thread, NULL, stream_send, &a), 0);
	stream_recv(&b);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(a.bad + b.bad, 0);
	pair_end(&pair);
}

/* ---- Waking ---- */

/* Wait until the other side sleeps; it does not move before we do something. */
static void wait_asleep(const uint32_t *need)
{
	while (!__atomic_load_n(need, __ATOMIC_ACQUIRE))
		poll(NULL, 0, 1);
}

static int echo_child(void *data)
{
	struct other_side *other = data;
	unsigned char buf[64];
	struct xmap_channel *ch;
	ssize_t n;

	xmap_channel_close(other->ours);
	if (channel_from(&other->fds, other->flags, &ch))
		return 2;
	while ((n = xmap_channel_recv(ch, buf, sizeof(buf), -1)) >= 0) {
		if (xmap_channel_send(ch, buf, n, -1))
			return 3;
	}
	xmap_channel_close(ch);
	return n != -EPIPE;
}

/* Each time the peer is known to sleep: a bell that is lost is a test that hangs. */
START_TEST(sleepers_are_woken)
{
	XMAP_OPTS(struct xmap_channel_info, info);
	struct other_side other = { .flags = 0 };
	const uint32_t *need;
	uint32_t copy;
	pid_t pid;

	other.ours = channel_begin(&other.fds, SMALL_RING);
	pid = child_begin(echo_child, &other);
	fds_close(&other.fds);
	need = &other.ours->map->ring[0].reader_need.value;
	for (uint32_t i = 0; i < 100; i++) {
		wait_asleep(need);
		assert_ok(xmap_channel_send(other.ours, &i, sizeof(i), -1));
		ck_assert_int_eq(xmap_channel_recv(other.ours, &copy, sizeof(copy), -1), 4);
		ck_assert_uint_eq(copy, i);
	}
	assert_ok(xmap_channel_info(other.ours, &info));
	ck_assert_uint_eq(info.send.bells, 100);
	xmap_channel_close(other.ours);
	ck_assert_int_eq(child_end(pid), 0);
}

/*
 * Send at the moment when the other side goes to sleep, give or take some
 * nanoseconds: it must see the record, or we that it sleeps.
 */
START_TEST(no_bell_is_lost)
{
	struct other_side other = { .flags = XMAP_CHANNEL_NO_SPIN };
	int64_t end = clock_ms() + RACE_TIME;
	uint32_t state = 1;
	ssize_t n;
	pid_t pid;

	other.ours = channel_begin(&other.fds, SMALL_RING);
	pid = child_begin(echo_child, &other);
	fds_close(&other.fds);
	for (uint32_t copy, i = 0; i % 16 || clock_ms() < end; i++) {
		for (uint32_t pause = next_random(&state) % 64; pause; pause--)
			__builtin_ia32_pause();
		assert_ok(xmap_channel_send(other.ours, &i, sizeof(i), -1));
		/* Awake all the time, so that nothing but the delay decides. */
		do {
			n = xmap_channel_recv(other.ours, &copy, sizeof(copy), 0);
		} while (n == -EAGAIN);
		ck_assert_int_eq(n, sizeof(copy));
		ck_assert_uint_eq(copy, i);
	}
	xmap_channel_close(other.ours);
	ck_assert_int_eq(child_end(pid), 0);
}

struct sender {
	struct xmap_channel *ch;
	size_t length;
	int rc;
};

static void *send_one(void *data)
{
	static char buf[SMALL_RING];
	struct sender *sender = data;

	sender->rc = xmap_channel_send(sender->ch, buf, sender->length, -1);
	return NULL;
}

/* Who waits for much room is not woken by little. */
START_TEST(room_is_what_was_asked_for)
{
	struct sender sender = { .length = 2000 };
	XMAP_OPTS(struct xmap_channel_info, info);
	const uint32_t *need;
	struct pair pair;
	pthread_t thread;
	char buf[2000];

	pair_begin(&pair, SMALL_RING);
	sender.ch = pair.a;
	for (int i = 0; i < SMALL_RING / 64; i++)
		assert_ok(xmap_channel_send(pair.a, buf, 56, 0));
	need = &pair.a->map->ring[0].writer_need.value;
	ck_assert_int_eq(pthread_create(&thread, NULL, send_one, &sender), 0);
	wait_asleep(need);
	ck_assert_uint_eq(__atomic_load_n(need, __ATOMIC_ACQUIRE), 2008);
	for (int i = 0; i < 31; i++) {
		ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), 56);
		ck_assert_uint_eq(__atomic_load_n(need, __ATOMIC_ACQUIRE), 2008);
	}
	ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), 56);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	assert_ok(sender.rc);
	assert_ok(xmap_channel_info(pair.b, &info));
	ck_assert_uint_eq(info.recv.bells, 1);
	pair_end(&pair);
}

/* There is room at last, and nobody any more who would read what is put there. */
START_TEST(room_of_the_dead)
{
	struct sender sender = { .length = 2000 };
	struct xmap_ring *ring;
	struct pair pair;
	pthread_t thread;
	static char buf[56];

	pair_begin(&pair, SMALL_RING);
	sender.ch = pair.a;
	for (int i = 0; i < SMALL_RING / 64; i++)
		assert_ok(xmap_channel_send(pair.a, buf, 56, 0));
	ring = &pair.a->map->ring[0];
	ck_assert_int_eq(pthread_create(&thread, NULL, send_one, &sender), 0);
	wait_asleep(&ring->writer_need.value);
	__atomic_store_n(&ring->tail.value, SMALL_RING, __ATOMIC_SEQ_CST);
	xmap_channel_close(pair.b);
	fds_close(&pair.fds);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	assert_err(sender.rc, EPIPE);
	xmap_channel_close(pair.a);
}

static void nothing(int number)
{
	(void)number;
}

/* Neither too early, nor interrupted by a signal. */
START_TEST(time_passes)
{
	struct itimerval often = { { 0, 3000 }, { 0, 3000 } }, never = {};
	struct sigaction action = { .sa_handler = nothing };
	static char buf[SMALL_RING];
	struct pair pair;
	int64_t start;

	sigaction(SIGALRM, &action, NULL);
	pair_begin(&pair, SMALL_RING);
	assert_ok(xmap_channel_send(pair.a, buf, SMALL_MAX, 0));
	setitimer(ITIMER_REAL, &often, NULL);
	start = clock_ms();
	assert_err(xmap_channel_recv(pair.a, buf, sizeof(buf), 50), ETIMEDOUT);
	ck_assert_int_ge(clock_ms() - start, 49);
	start = clock_ms();
	assert_err(xmap_channel_send(pair.a, buf, 0, 50), ETIMEDOUT);
	ck_assert_int_ge(clock_ms() - start, 49);
	setitimer(ITIMER_REAL, &never, NULL);
	pair_end(&pair);
}

/* ---- Event loops ---- */

static int ready(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLRDHUP };

	ck_assert_int_ge(poll(&pfd, 1, 0), 0);
	return pfd.revents;
}

START_TEST(event_loop)
{
	int recv_fd, send_fd;
	struct pair pair;
	char buf[100];

	pair_begin(&pair, SMALL_RING);
	recv_fd = xmap_channel_fd(pair.b, XMAP_CHANNEL_RECV);
	send_fd = xmap_channel_fd(pair.a, XMAP_CHANNEL_SEND);
	ck_assert_int_ge(recv_fd, 0);
	ck_assert_int_ge(send_fd, 0);
	assert_err(xmap_channel_fd(pair.a, 0), EINVAL);
	assert_err(xmap_channel_fd(pair.a, 3), EINVAL);
	assert_err(xmap_channel_arm(pair.a, 3, 0), EINVAL);
	assert_err(xmap_channel_arm(pair.a, XMAP_CHANNEL_RECV, 1), EINVAL);
	assert_err(xmap_channel_arm(pair.a, XMAP_CHANNEL_SEND, SMALL_MAX + 1), EMSGSIZE);

	/* Nobody asked: nobody is told. */
	assert_ok(xmap_channel_send(pair.a, buf, 1, 0));
	ck_assert_int_eq(ready(recv_fd), 0);
	ck_assert_int_eq(xmap_channel_arm(pair.b, XMAP_CHANNEL_RECV, 0), 1);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), 1);
		ck_assert_int_eq(xmap_channel_arm(pair.b, XMAP_CHANNEL_RECV, 0), 0);
		ck_assert_int_eq(ready(recv_fd), 0);
		assert_ok(xmap_channel_send(pair.a, buf, 1, 0));
		ck_assert_int_eq(ready(recv_fd), POLLIN);
	}
	ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), 1);

	while (!xmap_channel_send(pair.a, buf, 56, 0))
		;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(xmap_channel_arm(pair.a, XMAP_CHANNEL_SEND, 100), 0);
		ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), 56);
		ck_assert_int_eq(ready(send_fd), 0);
		ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), 56);
		ck_assert_int_eq(ready(send_fd), POLLIN);
		ck_assert_int_eq(xmap_channel_arm(pair.a, XMAP_CHANNEL_SEND, 100), 1);
		assert_ok(xmap_channel_send(pair.a, buf, 100, 0));
	}
	xmap_channel_close(pair.b);
	fds_close(&pair.fds);
	ck_assert_int_eq(ready(send_fd) & (POLLIN | POLLHUP), POLLIN | POLLHUP);
	assert_err(xmap_channel_arm(pair.a, XMAP_CHANNEL_SEND, 100), EPIPE);
	assert_err(xmap_channel_arm(pair.a, XMAP_CHANNEL_RECV, 0), EPIPE);
	xmap_channel_close(pair.a);
}

/* ---- The end ---- */

START_TEST(shut_down)
{
	struct pair pair;
	char buf[8];

	pair_begin(&pair, SMALL_RING);
	assert_ok(xmap_channel_send(pair.a, "last", 5, 0));
	assert_ok(xmap_channel_shutdown(pair.a));
	assert_ok(xmap_channel_shutdown(pair.a));
	assert_err(xmap_channel_send(pair.a, "x", 1, 0), EPIPE);
	/* The other one reads what there is, then its end; and still sends. */
	ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), -1), 5);
	assert_err(xmap_channel_recv(pair.b, buf, sizeof(buf), -1), EPIPE);
	assert_err(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), EPIPE);
	assert_err(xmap_channel_arm(pair.b, XMAP_CHANNEL_RECV, 0), EPIPE);
	for (int i = 0; i < 1000; i++) {
		assert_ok(xmap_channel_send(pair.b, "more", 5, -1));
		ck_assert_int_eq(xmap_channel_recv(pair.a, buf, sizeof(buf), -1), 5);
	}
	assert_ok(xmap_channel_shutdown(pair.b));
	assert_err(xmap_channel_recv(pair.a, buf, sizeof(buf), -1), EPIPE);
	pair_end(&pair);
}

/* What was sent before the end is received; without waiting, it is soon known too. */
START_TEST(closed)
{
	struct pair pair;
	char buf[8];
	int rc, n;

	pair_begin(&pair, SMALL_RING);
	assert_ok(xmap_channel_send(pair.a, "one", 4, 0));
	assert_ok(xmap_channel_send(pair.a, "two", 4, 0));
	xmap_channel_close(pair.a);
	ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), 4);
	ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), -1), 4);
	ck_assert_str_eq(buf, "two");
	if (_i == 0) {
		assert_err(xmap_channel_recv(pair.b, buf, sizeof(buf), -1), EPIPE);
	} else if (_i == 1) {
		assert_err(xmap_channel_recv(pair.b, buf, sizeof(buf), 60000), EPIPE);
	} else if (_i == 2) {
		for (n = 1; (rc = xmap_channel_recv(pair.b, buf, sizeof(buf), 0)) == -EAGAIN; n++)
			;
		assert_err(rc, EPIPE);
		ck_assert_int_le(n, 64);
	} else if (_i == 3) {
		while (!(rc = xmap_channel_send(pair.b, buf, sizeof(buf), -1)))
			;
		assert_err(rc, EPIPE);
	} else {
		for (n = 1; !(rc = xmap_channel_send(pair.b, buf, sizeof(buf), 0)) ||
		     rc == -EAGAIN; n++)
			;
		assert_err(rc, EPIPE);
		ck_assert_int_le(n, SMALL_RING / 16 + 64);
	}
	/* From then on everybody knows. */
	assert_err(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), EPIPE);
	assert_err(xmap_channel_send(pair.b, "x", 1, 0), EPIPE);
	xmap_channel_close(pair.b);
	fds_close(&pair.fds);
}

Suite *channel_wait_suite(void)
{
	Suite *suite = suite_create("channel wait");
	TCase *tc = tcase_create("channel wait");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, shim_reset, shim_reset);
	tcase_add_loop_test(tc, streams_between_processes, 0, sizeof(streams) / sizeof(*streams));
	tcase_add_test(tc, streams_between_threads);
	tcase_add_test(tc, sleepers_are_woken);
	tcase_add_test(tc, no_bell_is_lost);
	tcase_add_test(tc, room_is_what_was_asked_for);
	tcase_add_test(tc, room_of_the_dead);
	tcase_add_test(tc, time_passes);
	tcase_add_test(tc, event_loop);
	tcase_add_test(tc, shut_down);
	tcase_add_loop_test(tc, closed, 0, 5);
	suite_add_tcase(suite, tc);
	return suite;
}
