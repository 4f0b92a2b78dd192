// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Channels: a peer that writes what it likes to the shared memory and the sockets.
 *
 * It can send nonsense, and it can have the channel end.  It cannot have us crash,
 * read or write elsewhere, keep descriptors that nobody gave us, or never return.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pair.h"
#include "shim.h"

/* ---- One lie at a time ---- */

/* Every call says so, and the peer is told that it is over. */
static void is_dead(struct pair *pair)
{
	struct xmap_channel_record record;
	static char buf[SMALL_RING];
	void *to;

	assert_err(xmap_channel_send(pair->b, "x", 1, -1), EPROTO);
	assert_err(xmap_channel_recv(pair->b, NULL, 0, -1), EPROTO);
	assert_err(xmap_channel_reserve(pair->b, 1, -1, &to), EPROTO);
	assert_err(xmap_channel_commit(pair->b, 1, NULL, 0), EPROTO);
	assert_err(xmap_channel_peek(pair->b, -1, &record), EPROTO);
	assert_err(xmap_channel_take_fds(pair->b, NULL, 0), EPROTO);
	assert_err(xmap_channel_release(pair->b), EPROTO);
	assert_err(xmap_channel_arm(pair->b, XMAP_CHANNEL_RECV, 0), EPROTO);
	while (xmap_channel_recv(pair->a, buf, sizeof(buf), -1) >= 0)
		;
	assert_err(xmap_channel_recv(pair->a, buf, sizeof(buf), -1), EPIPE);
	pair_end(pair);
}

/* What cannot be added to a position: it goes back, ends within a word, or is too much. */
static const uint32_t steps[] = { -128, -8, -1, 1, 4, 7, SMALL_RING + 8, 1 << 20, 1U << 31 };

START_TEST(head_that_cannot_be)
{
	struct pair pair;
	uint32_t *head;
	char byte;

	pair_begin(&pair, SMALL_RING);
	for (int i = 0; i < 3; i++)
		assert_ok(xmap_channel_send(pair.a, "x", 1, 0));
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(xmap_channel_recv(pair.b, &byte, 1, 0), 1);
	head = &pair.a->map->ring[0].head.value;
	ck_assert_uint_eq(*head, 48);
	*head += steps[_i];
	assert_err(xmap_channel_recv(pair.b, &byte, 1, -1), EPROTO);
	is_dead(&pair);
}

START_TEST(tail_that_cannot_be)
{
	static char buf[SMALL_RING];
	struct pair pair;

	pair_begin(&pair, SMALL_RING);
	for (int i = 0; i < SMALL_RING / 128; i++)
		assert_ok(xmap_channel_send(pair.b, buf, 120, 0));
	pair.a->map->ring[1].tail.value += steps[_i];
	assert_err(xmap_channel_send(pair.b, "x", 1, -1), EPROTO);
	is_dead(&pair);
}

/* Room that there was once is not taken back. */
START_TEST(tail_that_goes_back)
{
	static char buf[SMALL_RING];
	struct pair pair;

	pair_begin(&pair, SMALL_RING);
	for (int i = 0; i < SMALL_RING / 128; i++)
		assert_ok(xmap_channel_send(pair.b, buf, 120, 0));
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(xmap_channel_recv(pair.a, buf, sizeof(buf), 0), 120);
	assert_ok(xmap_channel_send(pair.b, buf, 120, 0));
	assert_err(xmap_channel_send(pair.b, buf, 2000, 0), EAGAIN);
	pair.a->map->ring[1].tail.value -= 128;
	assert_err(xmap_channel_send(pair.b, buf, 2000, 0), EPROTO);
	is_dead(&pair);
}

static const struct xmap_record_head records[] = {
	{ 17, 0 }, { 24, 0 }, { 4096, 0 }, { -1, 0 }, { -8, 0 }, { 1U << 31, 0 },
	{ 16, XMAP_CHANNEL_FDS_MAX + 1 }, { 16, -1 }, { 16, 1U << 31 },
};

START_TEST(record_that_cannot_be)
{
	struct xmap_record_head *head;
	static char buf[SMALL_RING];
	struct pair pair;

	pair_begin(&pair, SMALL_RING);
	assert_ok(xmap_channel_send(pair.a, buf, 16, 0));
	head = (struct xmap_record_head *)shared_bytes(pair.a->map, 0);
	ck_assert_uint_eq(head->length, 16);
	*head = records[_i];
	assert_err(xmap_channel_recv(pair.b, buf, sizeof(buf), -1), EPROTO);
	is_dead(&pair);
}

/* What was checked is what is used, whatever becomes of it in the ring. */
START_TEST(record_changes_later)
{
	struct xmap_channel_record record;
	struct xmap_record_head *head;
	struct pair pair;
	char buf[16];

	pair_begin(&pair, SMALL_RING);
	assert_ok(xmap_channel_send(pair.a, "0123456789", 10, 0));
	assert_ok(xmap_channel_send(pair.a, "next", 4, 0));
	assert_ok(xmap_channel_peek(pair.b, 0, &record));
	head = (struct xmap_record_head *)shared_bytes(pair.a->map, 0);
	head->length = -1;
	head->nfds = -1;
	assert_ok(xmap_channel_peek(pair.b, 0, &record));
	ck_assert_uint_eq(record.length, 10);
	ck_assert_uint_eq(record.nfds, 0);
	ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), 10);
	ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), 4);
	/* So it is with our own position, which the peer may write as well. */
	pair.a->map->ring[0].tail.value = 4444;
	pair.a->map->ring[0].head.value = 12345;
	assert_ok(xmap_channel_send(pair.a, "more", 4, 0));
	ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), 4);
	pair_end(&pair);
}

static int ring_for_ever(void *data)
{
	struct pair *pair = data;

	while (send(pair->a->bells[0], "", 1, MSG_NOSIGNAL) == 1)
		;
	return errno != EPIPE && errno != ECONNRESET;
}

/* Bells without anything to do: not for ever. */
START_TEST(endless_bells)
{
	struct pair pair;
	pid_t pid;

	pair_begin(&pair, SMALL_RING);
	pid = child_begin(ring_for_ever, &pair);
	assert_err(xmap_channel_recv(pair.b, NULL, 0, _i ? -1 : 60000), EPROTO);
	ck_assert_int_eq(child_end(pid), 0);
	is_dead(&pair);
}

/* Nobody is told a thing by a socket that is full of bells, and nothing stops. */
START_TEST(bells_that_nobody_hears)
{
	struct pair pair;
	char buf[8];

	pair_begin(&pair, SMALL_RING);
	while (send(pair.a->bells[0], "", 1, MSG_DONTWAIT) == 1)
		;
	ck_assert_int_eq(errno, EAGAIN);
	for (int i = 0; i < 10; i++) {
		pair.a->map->ring[0].reader_need.value = 8;
		assert_ok(xmap_channel_send(pair.a, "full", 4, -1));
	}
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), -1), 4);
	pair_end(&pair);
}

/* ---- All of them at once, for seconds ---- */

/* How long the peer goes on, in rounds of a new channel, milliseconds. */
#define GARBAGE_TIME 2000
#define ROUND_TIME 10

enum {
	EVERYWHERE,
	POSITIONS,
	NEEDS,
	RECORDS,
	SOCKETS,
	NR_GARBAGE,
};

struct scribbler {
	struct xmap_channel *ours;
	struct xmap_channel_fds fds;
	int style;
	uint32_t seed;
};

static void lie_with_fds(int fd, uint32_t position, unsigned int nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(20 * sizeof(int))];
	} control = {};
	struct iovec iov = { &position, sizeof(position) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(nfds * sizeof(int));
	}
	sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* An honest step, so that there is something to be spoilt, and the spoiling of it. */
static void scribble(const struct scribbler *s, struct xmap_channel *ch,
		     struct xmap_shared *shared, uint32_t *state)
{
	static const char text[1000];
	static char buf[SMALL_RING];
	uint32_t r = next_random(state);
	struct xmap_ring *ring = &shared->ring[r & 1];
	struct xmap_word *words = &ring->head;
	uint32_t position = ch->state->send.mine;
	uint32_t *whole = (uint32_t *)shared;

	xmap_channel_recv(ch, buf, sizeof(buf), 0);
	if (s->style == SOCKETS && r % 4)
		lie_with_fds(ch->fds, r % 8 ? position : r, r % 20);
	xmap_channel_send(ch, text, r % sizeof(text), 0);
	switch (s->style) {
	case EVERYWHERE:
		whole[r % ((PAGE + 2 * SMALL_RING) / 4)] = next_random(state) << 4 ^ r;
		break;
	case POSITIONS:
		/* Mostly such as could be. */
		if (r % 64 == 0)
			words[r / 64 % 4].value += (next_random(state) % 1024 - 512) * 8;
		break;
	case NEEDS:
		words[2 + r % 2].value = next_random(state) % (2 * SMALL_RING);
		break;
	case RECORDS:
		whole = (uint32_t *)shared_bytes(shared, r & 1);
		whole[next_random(state) % (SMALL_RING / 4)] = next_random(state) % 1024;
		break;
	case SOCKETS:
		send(ch->bells[r & 1], text, r % 50, MSG_DONTWAIT | MSG_NOSIGNAL);
		whole = (uint32_t *)(shared_bytes(shared, 1) + position % SMALL_RING);
		whole[1] = r % 20;
		break;
	}
}

/* It starts anew with its own view when that is spoilt, too, as far as it can. */
static int scribbler_main(void *data)
{
	struct scribbler *s = data;
	struct xmap_shared *shared = shared_map(&s->fds);
	uint32_t state = s->seed;
	struct xmap_channel *ch;

	xmap_channel_close(s->ours);
	if (!shared || channel_from(&s->fds, 0, &ch))
		return 1;
	for (;;) {
		scribble(s, ch, shared, &state);
		/* Our own check has found our own garbage: the other one's goes on. */
		ch->state->error = 0;
		ch->state->gone = false;
	}
}

static bool is_expected(int rc)
{
	return rc >= 0 || rc == -EAGAIN || rc == -ETIMEDOUT || rc == -EMSGSIZE || rc == -EINVAL ||
	       rc == -EPIPE || rc == -EPROTO;
}

static int call_anything(struct xmap_channel *ch, uint32_t *state)
{
	static unsigned char buf[SMALL_RING];
	int fds[XMAP_CHANNEL_FDS_MAX] = {};
	struct xmap_channel_record record;
	struct iovec iov = { buf, 0 };
	unsigned int nfds = XMAP_CHANNEL_FDS_MAX;
	uint32_t r = next_random(state);
	int timeout = r / 16 % 8 ? 0 : 1;
	volatile unsigned char byte = 0;
	void *to;
	int rc;

	switch (r % 16) {
	case 0 ... 3:
		return xmap_channel_send(ch, buf, next_random(state) % 1000, timeout);
	case 4 ... 7:
		return xmap_channel_recv(ch, buf, sizeof(buf), timeout);
	case 8 ... 9:
		iov.iov_len = sizeof(buf);
		rc = xmap_channel_recvv(ch, &iov, 1, fds, &nfds, timeout);
		while (rc >= 0 && nfds)
			close(fds[--nfds]);
		return rc;
	case 10:
		return xmap_channel_sendv(ch, &iov, 1, fds, r / 256 % 4, timeout);
	case 11:
		rc = xmap_channel_reserve(ch, r / 256 % SMALL_MAX, timeout, &to);
		if (rc)
			return rc;
		memset(to, 'r', r / 256 % SMALL_MAX);
		return xmap_channel_commit(ch, r / 256 % SMALL_MAX, NULL, 0);
	case 12 ... 13:
		rc = xmap_channel_peek(ch, timeout, &record);
		if (rc)
			return rc;
		ck_assert_uint_le(record.length, SMALL_MAX);
		ck_assert_uint_le(record.nfds, XMAP_CHANNEL_FDS_MAX);
		for (size_t i = 0; i < record.length; i++)
			byte ^= ((const volatile unsigned char *)record.data)[i];
		return xmap_channel_release(ch);
	case 14:
		return xmap_channel_arm(ch, XMAP_CHANNEL_RECV, 0);
	default:
		return xmap_channel_arm(ch, XMAP_CHANNEL_SEND, r / 256 % SMALL_MAX);
	}
}

START_TEST(garbage_for_seconds)
{
	int64_t round_end, end = clock_ms() + GARBAGE_TIME;
	struct scribbler s = { .style = _i };
	int open_fds = shim_open_fds();
	uint32_t state = _i;
	int rc, last;
	pid_t pid;

	while (clock_ms() < end) {
		s.ours = channel_begin(&s.fds, SMALL_RING);
		s.seed = next_random(&state);
		pid = child_begin(scribbler_main, &s);
		fds_close(&s.fds);
		round_end = clock_ms() + ROUND_TIME;
		do {
			rc = call_anything(s.ours, &state);
			ck_assert_msg(is_expected(rc), "%d", rc);
		} while (rc != -EPROTO && rc != -EPIPE && clock_ms() < round_end);
		kill(pid, SIGKILL);
		ck_assert_int_eq(child_end(pid), -SIGKILL);
		/* However it stands, it has an end: a ring holds so many records at most. */
		last = 0;
		for (int i = 0; i <= SMALL_RING / 8 && last != -EPIPE && last != -EPROTO; i++) {
			last = xmap_channel_peek(s.ours, -1, &(struct xmap_channel_record){});
			if (!last)
				last = xmap_channel_release(s.ours);
		}
		ck_assert_msg(last == -EPIPE || last == -EPROTO, "%d", last);
		if (rc == -EPROTO)
			assert_err(last, EPROTO);
		xmap_channel_close(s.ours);
	}
	ck_assert_int_eq(shim_open_fds(), open_fds);
}

Suite *channel_garbage_suite(void)
{
	Suite *suite = suite_create("channel garbage");
	TCase *tc = tcase_create("channel garbage");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, shim_reset, shim_reset);
	tcase_add_loop_test(tc, head_that_cannot_be, 0, sizeof(steps) / sizeof(*steps));
	tcase_add_loop_test(tc, tail_that_cannot_be, 0, sizeof(steps) / sizeof(*steps));
	tcase_add_test(tc, tail_that_goes_back);
	tcase_add_loop_test(tc, record_that_cannot_be, 0, sizeof(records) / sizeof(*records));
	tcase_add_test(tc, record_changes_later);
	tcase_add_loop_test(tc, endless_bells, 0, 2);
	tcase_add_test(tc, bells_that_nobody_hears);
	tcase_add_loop_test(tc, garbage_for_seconds, 0, NR_GARBAGE);
	suite_add_tcase(suite, tc);
	return suite;
}
