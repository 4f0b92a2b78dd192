// SPDX-License-Identifier: LGPL-2.1-or-later
/* Channels: descriptors that come with records. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pair.h"
#include "shim.h"

static bool same_file(int fd, int other)
{
	struct stat a, b;

	return !fstat(fd, &a) && !fstat(other, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static int send_with(struct xmap_channel *ch, const char *text, const int *fds, unsigned int nfds)
{
	struct iovec iov = { (void *)text, strlen(text) };

	return xmap_channel_sendv(ch, &iov, 1, fds, nfds, 0);
}

static ssize_t recv_with(struct xmap_channel *ch, char *buf, size_t length, int *fds,
			 unsigned int *nfds)
{
	struct iovec iov = { buf, length };

	return xmap_channel_recvv(ch, &iov, 1, fds, nfds, 0);
}

START_TEST(descriptors_come_with_their_record)
{
	unsigned int nfds;
	int open_fds, ends[2], got[XMAP_CHANNEL_FDS_MAX];
	struct pair pair;
	char buf[8];

	pair_begin(&pair, SMALL_RING);
	open_fds = shim_open_fds();
	assert_ok(pipe(ends));
	for (int i = 0; i < 300; i++) {
		assert_ok(send_with(pair.a, "none", NULL, 0));
		assert_ok(send_with(pair.a, "two", ends, 2));
		assert_ok(send_with(pair.a, "one", ends + 1, 1));

		nfds = 5;
		ck_assert_int_eq(recv_with(pair.b, buf, sizeof(buf), got, &nfds), 4);
		ck_assert_uint_eq(nfds, 0);
		nfds = 1;
		assert_err(recv_with(pair.b, buf, sizeof(buf), got, &nfds), EMSGSIZE);
		assert_err(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), EMSGSIZE);
		nfds = 2;
		assert_err(recv_with(pair.b, buf, 2, got, &nfds), EMSGSIZE);
		ck_assert_int_eq(recv_with(pair.b, buf, sizeof(buf), got, &nfds), 3);
		ck_assert_uint_eq(nfds, 2);
		ck_assert(same_file(got[0], ends[0]) && same_file(got[1], ends[1]));
		ck_assert_int_eq(fcntl(got[0], F_GETFD), FD_CLOEXEC);
		close(got[0]);
		close(got[1]);
		nfds = XMAP_CHANNEL_FDS_MAX;
		ck_assert_int_eq(recv_with(pair.b, buf, sizeof(buf), got, &nfds), 3);
		ck_assert_uint_eq(nfds, 1);
		ck_assert_int_eq(write(got[0], "!", 1), 1);
		ck_assert_int_eq(read(ends[0], buf, 1), 1);
		close(got[0]);
	}
	close(ends[0]);
	close(ends[1]);
	ck_assert_int_eq(shim_open_fds(), open_fds);
	pair_end(&pair);
}

/* A peer that ends with something unread leaves an error on the socket, and the rest. */
START_TEST(descriptors_outlive_their_sender)
{
	unsigned int nfds = 1;
	struct pair pair;
	int zero = 0, got;
	char buf[8];

	pair_begin(&pair, SMALL_RING);
	assert_ok(send_with(pair.a, "unread", &zero, 1));
	for (int i = 0; i < 2; i++)
		assert_ok(send_with(pair.b, "last", &zero, 1));
	xmap_channel_close(pair.b);
	fds_close(&pair.fds);
	if (_i)
		ck_assert_int_eq(recv_with(pair.a, buf, sizeof(buf), &got, &nfds), 4);
	else
		assert_ok(xmap_channel_peek(pair.a, 0, &(struct xmap_channel_record){}));
	if (!_i)
		assert_ok(xmap_channel_release(pair.a));
	ck_assert_int_eq(recv_with(pair.a, buf, sizeof(buf), &got, &nfds), 4);
	ck_assert_uint_eq(nfds, 1);
	ck_assert(same_file(got, zero));
	assert_err(recv_with(pair.a, buf, sizeof(buf), &got, &nfds), EAGAIN);
	assert_err(xmap_channel_recv(pair.a, buf, sizeof(buf), -1), EPIPE);
	xmap_channel_close(pair.a);
}

START_TEST(descriptors_in_place)
{
	struct xmap_channel_record record;
	int got[XMAP_CHANNEL_FDS_MAX], many[XMAP_CHANNEL_FDS_MAX + 1];
	struct pair pair;
	int open_fds;
	void *to;

	pair_begin(&pair, SMALL_RING);
	open_fds = shim_open_fds();
	for (int i = 0; i <= XMAP_CHANNEL_FDS_MAX; i++)
		many[i] = i % 3;
	assert_err(xmap_channel_take_fds(pair.b, got, 1), EINVAL);
	for (int i = 0; i < 3; i++) {
		assert_ok(xmap_channel_reserve(pair.a, 0, 0, &to));
		assert_err(xmap_channel_commit(pair.a, 0, many, XMAP_CHANNEL_FDS_MAX + 1), EINVAL);
		assert_ok(xmap_channel_commit(pair.a, 0, many, XMAP_CHANNEL_FDS_MAX));
	}
	/* Taken, and the record received without. */
	assert_ok(xmap_channel_peek(pair.b, 0, &record));
	ck_assert_uint_eq(record.nfds, XMAP_CHANNEL_FDS_MAX);
	assert_err(xmap_channel_take_fds(pair.b, got, XMAP_CHANNEL_FDS_MAX - 1), EMSGSIZE);
	ck_assert_int_eq(xmap_channel_take_fds(pair.b, got, XMAP_CHANNEL_FDS_MAX),
			 XMAP_CHANNEL_FDS_MAX);
	ck_assert_int_eq(xmap_channel_take_fds(pair.b, got, 0), 0);
	assert_ok(xmap_channel_peek(pair.b, 0, &record));
	ck_assert_uint_eq(record.nfds, 0);
	ck_assert_int_eq(xmap_channel_recv(pair.b, NULL, 0, 0), 0);
	for (int i = 0; i < XMAP_CHANNEL_FDS_MAX; i++) {
		ck_assert(same_file(got[i], many[i]));
		close(got[i]);
	}
	/* Not taken. */
	assert_ok(xmap_channel_peek(pair.b, 0, &record));
	assert_ok(xmap_channel_release(pair.b));
	/* Not even looked at: the channel is closed with it. */
	ck_assert_int_eq(shim_open_fds(), open_fds);
	pair_end(&pair);
}

START_TEST(bad_descriptors_send_nothing)
{
	int bad[2] = { 0, -1 };
	struct pair pair;

	pair_begin(&pair, SMALL_RING);
	assert_err(send_with(pair.a, "bad", bad, 2), EBADF);
	assert_err(send_with(pair.a, "bad", bad, XMAP_CHANNEL_FDS_MAX + 1), EINVAL);
	assert_err(xmap_channel_recv(pair.b, NULL, 0, 0), EAGAIN);
	assert_err(xmap_channel_commit(pair.a, 0, NULL, 0), EINVAL);
	assert_ok(send_with(pair.a, "", bad, 1));
	assert_err(xmap_channel_recv(pair.b, NULL, 0, 0), EMSGSIZE);
	pair_end(&pair);
}

/* The record stays until there is room for its descriptors. */
START_TEST(no_room_for_descriptors)
{
	int got[3], sent[] = { 0, 1, 2 };
	unsigned int nfds = 3;
	struct pair pair;
	int open_fds;
	char buf[8];

	pair_begin(&pair, SMALL_RING);
	open_fds = shim_open_fds();
	assert_ok(send_with(pair.a, "three", sent, 3));
	for (int i = 0; i < 3; i++) {
		shim.fds_room = i;
		assert_err(recv_with(pair.b, buf, sizeof(buf), got, &nfds), EMFILE);
		ck_assert_uint_eq(nfds, 3);
		ck_assert_int_eq(shim_open_fds(), open_fds);
	}
	shim.fds_room = -1;
	ck_assert_int_eq(recv_with(pair.b, buf, sizeof(buf), got, &nfds), 5);
	ck_assert_uint_eq(nfds, 3);
	for (int i = 0; i < 3; i++) {
		ck_assert(same_file(got[i], i));
		close(got[i]);
	}
	pair_end(&pair);
}

/* A socket holds so many that are not taken: then it is as full as a ring can be. */
START_TEST(full_of_descriptors)
{
	struct pair pair;
	int zero = 0, sent = 0;
	int rc, n;
	void *to;

	pair_begin(&pair, 1 << 20);
	while (!(rc = send_with(pair.a, "x", &zero, 1)))
		sent++;
	/* Other users' descriptors in flight count as well, as ours do. */
	ck_assert(rc == -EAGAIN || rc == -ETOOMANYREFS);
	ck_assert_int_gt(sent, 10);
	assert_ok(xmap_channel_reserve(pair.a, 1, 0, &to));
	ck_assert_int_eq(xmap_channel_commit(pair.a, 1, &zero, 1), rc);
	/* Records without go on, and the room is still there. */
	memcpy(to, "y", 1);
	assert_ok(xmap_channel_commit(pair.a, 1, NULL, 0));
	for (n = 0; n < sent; n++) {
		struct xmap_channel_record record;

		assert_ok(xmap_channel_peek(pair.b, 0, &record));
		ck_assert_uint_eq(record.nfds, 1);
		ck_assert_mem_eq(record.data, "x", 1);
		assert_ok(xmap_channel_release(pair.b));
	}
	ck_assert_int_eq(xmap_channel_recv(pair.b, &n, 1, 0), 1);
	assert_ok(send_with(pair.a, "x", &zero, 1));
	pair_end(&pair);
}

/* ---- A peer that lies about them ---- */

static void lie(const struct pair *pair, const int *fds, int nfds, size_t length, uint32_t position)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control = {};
	uint32_t payload[4] = { position, };
	struct iovec iov = { payload, length };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, nfds * sizeof(int));
	}
	ck_assert_int_eq(sendmsg(pair->a->fds, &msg, 0), length);
}

enum {
	LIE_NONE,
	LIE_FEWER,
	LIE_MORE,
	LIE_MANY,
	LIE_POSITION,
	LIE_SHORT,
	LIE_LONG,
	LIE_WITHOUT,
	NR_LIES,
};

START_TEST(descriptors_are_not_as_promised)
{
	int fds[64] = {}, got[XMAP_CHANNEL_FDS_MAX];
	struct xmap_channel_record record;
	struct xmap_record_head *head;
	unsigned int nfds = 16;
	struct pair pair;
	int open_fds;
	char buf[8];

	pair_begin(&pair, SMALL_RING);
	open_fds = shim_open_fds();
	if (_i / 2 == LIE_FEWER)
		lie(&pair, fds, 1, 4, 0);
	else if (_i / 2 == LIE_MORE)
		lie(&pair, fds, 3, 4, 0);
	else if (_i / 2 == LIE_MANY)
		lie(&pair, fds, 64, 4, 0);
	else if (_i / 2 == LIE_POSITION)
		lie(&pair, fds, 2, 4, 8);
	else if (_i / 2 == LIE_SHORT)
		lie(&pair, fds, 2, 3, 0);
	else if (_i / 2 == LIE_LONG)
		lie(&pair, fds, 2, 8, 0);
	else if (_i / 2 == LIE_WITHOUT)
		lie(&pair, fds, 0, 4, 0);
	head = (struct xmap_record_head *)pair.a->state->send.bytes;
	assert_ok(xmap_channel_send(pair.a, "lie", 3, 0));
	head->nfds = 2;
	assert_ok(xmap_channel_peek(pair.b, 0, &record));
	ck_assert_uint_eq(record.nfds, 2);
	if (_i % 2)
		assert_err(recv_with(pair.b, buf, sizeof(buf), got, &nfds), EPROTO);
	else if (_i / 2 == LIE_FEWER || _i / 2 == LIE_MORE || _i / 2 == LIE_MANY ||
		 _i / 2 == LIE_WITHOUT)
		assert_ok(xmap_channel_release(pair.b));
	else
		assert_err(xmap_channel_release(pair.b), EPROTO);
	ck_assert_int_eq(shim_open_fds(), open_fds);
	pair_end(&pair);
}

Suite *channel_fds_suite(void)
{
	Suite *suite = suite_create("channel fds");
	TCase *tc = tcase_create("channel fds");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, shim_reset, shim_reset);
	tcase_add_test(tc, descriptors_come_with_their_record);
	tcase_add_loop_test(tc, descriptors_outlive_their_sender, 0, 2);
	tcase_add_test(tc, descriptors_in_place);
	tcase_add_test(tc, bad_descriptors_send_nothing);
	tcase_add_test(tc, no_room_for_descriptors);
	tcase_add_test(tc, full_of_descriptors);
	tcase_add_loop_test(tc, descriptors_are_not_as_promised, 0, 2 * NR_LIES);
	suite_add_tcase(suite, tc);
	return suite;
}
