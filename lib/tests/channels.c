// SPDX-License-Identifier: LGPL-2.1-or-later
/* Channels: records, their order and content, limits, options, handles. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pair.h"
#include "shim.h"

/* What one side sends at random, the other one gets, over many ends of the ring. */
START_TEST(random_records_in_order)
{
	static unsigned char buf[SMALL_RING];
	uint32_t sent = 0, received = 0, state = _i;
	struct xmap_channel *from, *to;
	struct pair pair;
	size_t length;
	ssize_t n;

	pair_begin(&pair, SMALL_RING);
	from = _i % 2 ? pair.a : pair.b;
	to = _i % 2 ? pair.b : pair.a;
	while (received < 3000) {
		if (next_random(&state) & 1) {
			length = record_make(buf, sent, SMALL_MAX);
			n = xmap_channel_send(from, buf, length, 0);
			if (!n)
				sent++;
			else
				assert_err(n, EAGAIN);
		} else {
			n = xmap_channel_recv(to, buf, sizeof(buf), 0);
			if (n == -EAGAIN)
				ck_assert_uint_eq(sent, received);
			else
				ck_assert(record_is(buf, n, received++, SMALL_MAX));
		}
	}
	pair_end(&pair);
}

/* Positions wrap at 2^32: begin right before. */
START_TEST(positions_wrap)
{
	unsigned char buf[256];
	struct xmap_ring *ring;
	struct pair pair;
	size_t length;

	pair_begin(&pair, SMALL_RING);
	ring = &pair.a->map->ring[0];
	ring->head.value = -800;
	ring->tail.value = -800;
	pair.a->state->send.mine = -800;
	pair.a->state->send.theirs = -800;
	pair.b->state->recv.mine = -800;
	pair.b->state->recv.theirs = -800;
	for (uint32_t i = 0; i < 200; i++) {
		length = record_make(buf, i, sizeof(buf));
		assert_ok(xmap_channel_send(pair.a, buf, length, 0));
		ck_assert(record_is(buf, xmap_channel_recv(pair.b, buf, sizeof(buf), 0), i,
				    sizeof(buf)));
	}
	ck_assert_uint_lt(ring->head.value, 1 << 20);
	pair_end(&pair);
}

START_TEST(full_and_empty)
{
	static unsigned char buf[SMALL_RING];
	struct pair pair;
	int i;

	pair_begin(&pair, SMALL_RING);
	assert_err(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), EAGAIN);
	/* 8 bytes each are the head's: 256 of 16 fill it to the last byte. */
	for (i = 0; i < SMALL_RING / 16; i++)
		assert_ok(xmap_channel_send(pair.a, buf, 8, 0));
	assert_err(xmap_channel_send(pair.a, buf, 0, 0), EAGAIN);
	ck_assert_int_eq(xmap_channel_recv(pair.b, buf, 8, 0), 8);
	assert_err(xmap_channel_send(pair.a, buf, 9, 0), EAGAIN);
	assert_ok(xmap_channel_send(pair.a, buf, 0, 0));
	assert_ok(xmap_channel_send(pair.a, buf, 0, 0));
	assert_err(xmap_channel_send(pair.a, buf, 0, 0), EAGAIN);
	for (i = 1; i < SMALL_RING / 16; i++)
		ck_assert_int_eq(xmap_channel_recv(pair.b, buf, 8, 0), 8);
	ck_assert_int_eq(xmap_channel_recv(pair.b, NULL, 0, 0), 0);
	ck_assert_int_eq(xmap_channel_recv(pair.b, NULL, 0, 0), 0);
	assert_err(xmap_channel_recv(pair.b, NULL, 0, 0), EAGAIN);
	/* The other direction has seen nothing of it. */
	assert_err(xmap_channel_recv(pair.a, buf, sizeof(buf), 0), EAGAIN);
	pair_end(&pair);
}

START_TEST(longest_record)
{
	XMAP_OPTS(struct xmap_channel_info, info);
	struct iovec wild[] = { { NULL, SSIZE_MAX }, { NULL, 1 } };
	static unsigned char buf[SMALL_RING], copy[SMALL_RING];
	struct pair pair;

	memset(buf, 'x', sizeof(buf));
	pair_begin(&pair, SMALL_RING);
	assert_ok(xmap_channel_info(pair.a, &info));
	ck_assert_uint_eq(info.max_length, SMALL_MAX);
	/* At several places of the ring. */
	for (int i = 0; i < 5; i++) {
		assert_ok(xmap_channel_send(pair.a, buf, SMALL_MAX, 0));
		assert_err(xmap_channel_recv(pair.b, copy, SMALL_MAX - 1, 0), EMSGSIZE);
		ck_assert_int_eq(xmap_channel_recv(pair.b, copy, SMALL_MAX, 0), SMALL_MAX);
		ck_assert_mem_eq(buf, copy, SMALL_MAX);
		assert_ok(xmap_channel_send(pair.a, buf, 100, 0));
		ck_assert_int_eq(xmap_channel_recv(pair.b, copy, 100, 0), 100);
	}
	assert_err(xmap_channel_send(pair.a, buf, SMALL_MAX + 1, 0), EMSGSIZE);
	assert_err(xmap_channel_send(pair.a, buf, SSIZE_MAX, -1), EMSGSIZE);
	assert_err(xmap_channel_send(pair.a, buf, SIZE_MAX, -1), EINVAL);
	assert_err(xmap_channel_sendv(pair.a, wild, 2, NULL, 0, -1), EINVAL);
	assert_err(xmap_channel_sendv(pair.a, wild, -1, NULL, 0, -1), EINVAL);
	assert_err(xmap_channel_sendv(pair.a, wild, IOV_MAX + 1, NULL, 0, -1), EINVAL);
	assert_err(xmap_channel_recvv(pair.a, wild, 2, NULL, NULL, -1), EINVAL);
	assert_err(xmap_channel_recvv(pair.a, wild, -1, NULL, NULL, -1), EINVAL);
	assert_err(xmap_channel_recv(pair.a, copy, SIZE_MAX, 0), EINVAL);
	pair_end(&pair);
}

START_TEST(several_pieces)
{
	struct iovec out[] = { { "ab", 2 }, { NULL, 0 }, { "cdefg", 5 }, { "h", 1 } };
	char first[3], second[4], third[9] = "........";
	struct iovec in[] = { { first, 3 }, { NULL, 0 }, { second, 4 }, { third, 8 } };
	struct pair pair;

	pair_begin(&pair, SMALL_RING);
	assert_ok(xmap_channel_sendv(pair.a, out, 4, NULL, 0, 0));
	ck_assert_int_eq(xmap_channel_recvv(pair.b, in, 4, NULL, NULL, 0), 8);
	ck_assert_mem_eq(first, "abc", 3);
	ck_assert_mem_eq(second, "defg", 4);
	ck_assert_str_eq(third, "h.......");
	assert_ok(xmap_channel_sendv(pair.a, NULL, 0, NULL, 0, 0));
	ck_assert_int_eq(xmap_channel_recvv(pair.b, NULL, 0, NULL, NULL, 0), 0);
	pair_end(&pair);
}

START_TEST(in_place)
{
	struct xmap_channel_record record, same;
	static unsigned char buf[SMALL_RING];
	struct pair pair;
	size_t length;
	void *to;

	pair_begin(&pair, SMALL_RING);
	assert_err(xmap_channel_commit(pair.a, 0, NULL, 0), EINVAL);
	assert_err(xmap_channel_release(pair.b), EINVAL);
	for (uint32_t i = 0; i < 100; i++) {
		/* More than is needed, and more than fits. */
		assert_ok(xmap_channel_reserve(pair.a, 7, 0, &to));
		assert_ok(xmap_channel_reserve(pair.a, SMALL_MAX, 0, &to));
		ck_assert_uint_eq((uintptr_t)to % 8, 0);
		assert_err(xmap_channel_peek(pair.b, 0, &record), EAGAIN);
		length = record_make(to, i, SMALL_MAX);
		assert_err(xmap_channel_commit(pair.a, SMALL_MAX + 1, NULL, 0), EINVAL);
		assert_err(xmap_channel_commit(pair.a, SIZE_MAX, NULL, 0), EINVAL);
		assert_ok(xmap_channel_commit(pair.a, length, NULL, 0));
		assert_err(xmap_channel_commit(pair.a, length, NULL, 0), EINVAL);

		assert_ok(xmap_channel_peek(pair.b, 0, &record));
		ck_assert_uint_eq(record.nfds, 0);
		ck_assert_uint_eq((uintptr_t)record.data % 8, 0);
		ck_assert(record_is(record.data, record.length, i, SMALL_MAX));
		assert_ok(xmap_channel_peek(pair.b, 0, &same));
		ck_assert_ptr_eq(record.data, same.data);
		/* Room is what was released. */
		assert_err(xmap_channel_reserve(pair.a, SMALL_MAX, 0, &to), EAGAIN);
		if (i % 2)
			assert_ok(xmap_channel_release(pair.b));
		else
			ck_assert(record_is(buf, xmap_channel_recv(pair.b, buf, sizeof(buf), 0), i,
					    SMALL_MAX));
		assert_err(xmap_channel_release(pair.b), EINVAL);
	}
	assert_err(xmap_channel_reserve(pair.a, SMALL_MAX + 1, 0, &to), EMSGSIZE);
	/* A reservation that failed leaves nothing to commit. */
	assert_err(xmap_channel_commit(pair.a, 0, NULL, 0), EINVAL);
	/* What is sent takes the room that was reserved. */
	assert_ok(xmap_channel_reserve(pair.a, 7, 0, &to));
	assert_ok(xmap_channel_send(pair.a, "x", 1, 0));
	assert_err(xmap_channel_commit(pair.a, 7, NULL, 0), EINVAL);
	pair_end(&pair);
}

START_TEST(counts)
{
	struct { struct xmap_channel_info known; char more[8]; } later = {
		.known = { .sz = sizeof(later) },
		.more = "unknown",
	};
	XMAP_OPTS(struct xmap_channel_info, info);
	struct pair pair;
	char buf[10];

	pair_begin(&pair, SMALL_RING);
	for (int i = 1; i <= 10; i++)
		assert_ok(xmap_channel_send(pair.a, buf, i, 0));
	for (int i = 1; i <= 4; i++)
		ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), i);
	assert_err(xmap_channel_recv(pair.a, buf, sizeof(buf), 1), ETIMEDOUT);
	assert_ok(xmap_channel_info(pair.a, &info));
	ck_assert_uint_eq(info.send.records, 10);
	ck_assert_uint_eq(info.send.bytes, 55);
	ck_assert_uint_eq(info.send.bells, 0);
	ck_assert_uint_eq(info.send.sleeps, 0);
	ck_assert_uint_eq(info.recv.records, 0);
	ck_assert_uint_eq(info.recv.sleeps, 1);
	assert_ok(xmap_channel_info(pair.b, &later.known));
	ck_assert_uint_eq(later.known.recv.records, 4);
	ck_assert_uint_eq(later.known.recv.bytes, 10);
	ck_assert_uint_eq(later.known.sz, sizeof(later));
	ck_assert_str_eq(later.more, "unknown");
	info.sz = sizeof(info.sz) - 1;
	assert_err(xmap_channel_info(pair.a, &info), EINVAL);
	/* An older program's: no more than it has room for. */
	memset(&info, 0x55, sizeof(info));
	info.sz = 2 * sizeof(size_t);
	assert_ok(xmap_channel_info(pair.a, &info));
	ck_assert_uint_eq(info.max_length, SMALL_MAX);
	ck_assert_uint_eq(info.send.records, 0x5555555555555555);
	pair_end(&pair);
}

static struct xmap_channel *trapped;
static char *trap;

/* While a record is being copied out: its memory goes. */
static void on_trap(int sig)
{
	(void)sig;
	if (mprotect(trap, PAGE, PROT_READ | PROT_WRITE) ||
	    xmap_channel_fault(trapped, trapped->map) != 1)
		_exit(99);
}

/* What has been replaced meanwhile is not returned. */
START_TEST(fault_while_receiving)
{
	unsigned int nfds = 1;
	struct pair pair;
	struct iovec iov;
	int open_fds, zero = 0, got = -1;

	pair_begin(&pair, SMALL_RING);
	open_fds = shim_open_fds();
	trap = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(trap, MAP_FAILED);
	trapped = pair.b;
	signal(SIGSEGV, on_trap);
	iov = (struct iovec){ "lost", 5 };
	assert_ok(xmap_channel_sendv(pair.a, &iov, 1, &zero, 1, 0));
	iov = (struct iovec){ trap, PAGE };
	assert_err(xmap_channel_recvv(pair.b, &iov, 1, &got, &nfds, 0), ESTALE);
	signal(SIGSEGV, SIG_DFL);
	ck_assert_int_eq(shim_open_fds(), open_fds);
	assert_ok(munmap(trap, PAGE));
	pair_end(&pair);
}

static int use_in_child(void *data)
{
	struct pair *pair = data;
	struct xmap_channel_record record;
	XMAP_OPTS(struct xmap_channel_info, info);
	int bad = 0;
	void *to;

	bad |= xmap_channel_send(pair->a, "x", 1, -1) != -EBADFD;
	bad |= xmap_channel_recv(pair->b, NULL, 0, -1) != -EBADFD;
	bad |= xmap_channel_reserve(pair->a, 1, -1, &to) != -EBADFD;
	bad |= xmap_channel_commit(pair->a, 1, NULL, 0) != -EBADFD;
	bad |= xmap_channel_peek(pair->b, -1, &record) != -EBADFD;
	bad |= xmap_channel_take_fds(pair->b, NULL, 0) != -EBADFD;
	bad |= xmap_channel_release(pair->b) != -EBADFD;
	bad |= xmap_channel_shutdown(pair->a) != -EBADFD;
	bad |= xmap_channel_fd(pair->a, XMAP_CHANNEL_RECV) != -EBADFD;
	bad |= xmap_channel_arm(pair->a, XMAP_CHANNEL_RECV, 0) != -EBADFD;
	bad |= xmap_channel_info(pair->a, &info) != -EBADFD;
	bad |= xmap_channel_revoke(pair->a) != -EBADFD;
	bad |= xmap_channel_fault(pair->a, pair->a->map) != 0;
	xmap_channel_close(pair->a);
	xmap_channel_close(pair->b);
	return bad;
}

/* A forked child can close what it has inherited, and nothing else. */
START_TEST(handles_are_not_inherited)
{
	struct pair pair;
	char buf[8];

	pair_begin(&pair, SMALL_RING);
	assert_ok(xmap_channel_send(pair.a, "before", 7, 0));
	ck_assert_int_eq(child_end(child_begin(use_in_child, &pair)), 0);
	assert_ok(xmap_channel_send(pair.a, "after", 6, 0));
	ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), 7);
	ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), 6);
	ck_assert_str_eq(buf, "after");
	pair_end(&pair);
}

/* As if the memory had gone, wherever a handler says that it has. */
START_TEST(faults)
{
	struct xmap_channel_record record;
	struct pair pair;
	char *first, *last;
	char buf[8];

	pair_begin(&pair, SMALL_RING);
	first = (char *)pair.b->map;
	last = first + PAGE + 4 * SMALL_RING - 1;
	ck_assert_int_eq(xmap_channel_fault(pair.b, NULL), 0);
	ck_assert_int_eq(xmap_channel_fault(pair.b, buf), 0);
	ck_assert_int_eq(xmap_channel_fault(pair.b, first - 1), 0);
	ck_assert_int_eq(xmap_channel_fault(pair.b, last + 1), 0);
	ck_assert_int_eq(xmap_channel_fault(pair.b, pair.a->map), 0);
	assert_ok(xmap_channel_send(pair.a, "here", 4, 0));
	assert_ok(xmap_channel_peek(pair.b, 0, &record));

	errno = 77;
	ck_assert_int_eq(xmap_channel_fault(pair.b, _i ? last : first), 1);
	ck_assert_int_eq(errno, 77);
	ck_assert_mem_eq(record.data, "\0\0\0", 4);
	memset(first, 'x', last - first + 1);
	assert_err(xmap_channel_release(pair.b), ESTALE);
	assert_err(xmap_channel_recv(pair.b, buf, sizeof(buf), -1), ESTALE);
	assert_err(xmap_channel_send(pair.b, "x", 1, -1), ESTALE);
	/* Again, as another thread can: it is dead already. */
	ck_assert_int_eq(xmap_channel_fault(pair.b, first), 1);
	/* The other side sees a peer that is gone, and nothing of what was written there. */
	assert_err(xmap_channel_recv(pair.a, buf, sizeof(buf), -1), EPIPE);
	pair_end(&pair);
}

Suite *channel_suite(void)
{
	Suite *suite = suite_create("channel");
	TCase *tc = tcase_create("channel");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, shim_reset, shim_reset);
	tcase_add_loop_test(tc, random_records_in_order, 0, 4);
	tcase_add_test(tc, positions_wrap);
	tcase_add_test(tc, full_and_empty);
	tcase_add_test(tc, longest_record);
	tcase_add_test(tc, several_pieces);
	tcase_add_test(tc, in_place);
	tcase_add_test(tc, counts);
	tcase_add_loop_test(tc, faults, 0, 2);
	tcase_add_test(tc, fault_while_receiving);
	tcase_add_test(tc, handles_are_not_inherited);
	suite_add_tcase(suite, tc);
	return suite;
}
