// SPDX-License-Identifier: LGPL-2.1-or-later
/* Channels: records, their order and content, limits, options, handles. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pair.h"
#include "shim.h"

#define UNTOUCHED_CHANNEL ((struct xmap_channel *)8)

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

/* Is a channel's memory mapped here? */
static bool is_mapped(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	bool found = false;
	char line[512];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		found |= !!strstr(line, "memfd:xmap_channel");
	fclose(file);
	return found;
}

START_TEST(options)
{
	static const struct { size_t ask, get; } rings[] = {
		{ 0, 256 * 1024 }, { 1, 4096 }, { 4096, 4096 }, { 4097, 8192 },
		{ 1 << 20, 1 << 20 }, { (1 << 20) + 1, 1 << 21 },
	};
	struct { struct xmap_channel_opts known; size_t more; } later = {
		.known = { .sz = sizeof(later) },
	};
	XMAP_OPTS(struct xmap_channel_opts, opts);
	struct xmap_channel *ret = UNTOUCHED_CHANNEL;
	XMAP_OPTS(struct xmap_channel_info, info);
	struct xmap_channel_fds fds = { { 77 } };

	for (size_t i = 0; i < sizeof(rings) / sizeof(*rings); i++) {
		ret = channel_begin(&fds, rings[i].ask);
		assert_ok(xmap_channel_info(ret, &info));
		ck_assert_uint_eq(info.max_length, rings[i].get - 8);
		ck_assert(is_mapped());
		xmap_channel_close(ret);
		fds_close(&fds);
		ck_assert(!is_mapped());
	}
	fds.fd[0] = 77;
	ret = UNTOUCHED_CHANNEL;
	opts.ring = (1UL << 30) + 1;
	assert_err(xmap_channel_create(&opts, &fds, &ret), EINVAL);
	opts.ring = 0;
	opts.flags = 2;
	assert_err(xmap_channel_create(&opts, &fds, &ret), EOPNOTSUPP);
	assert_err(xmap_channel_from_fds(&opts, &fds, &ret), EOPNOTSUPP);
	opts.flags = 0;
	opts.__reserved = 1;
	assert_err(xmap_channel_create(&opts, &fds, &ret), EOPNOTSUPP);
	later.more = 1;
	assert_err(xmap_channel_create(&later.known, &fds, &ret), E2BIG);
	assert_err(xmap_channel_from_fds(&later.known, &fds, &ret), E2BIG);
	ck_assert_ptr_eq(ret, UNTOUCHED_CHANNEL);
	ck_assert_int_eq(fds.fd[0], 77);
	xmap_channel_close(NULL);
}

/* Who has the memory cannot make it shorter under the other's feet. */
START_TEST(sealed)
{
	struct pair pair;
	int memory;

	pair_begin(&pair, SMALL_RING);
	memory = pair.fds.fd[0];
	ck_assert_int_eq(ftruncate(memory, 0), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(ftruncate(memory, 1 << 20), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(fcntl(memory, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	ck_assert_int_eq(errno, EPERM);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(fcntl(pair.a->bells[i], F_GETFD), FD_CLOEXEC);
		ck_assert_int_eq(fcntl(pair.b->bells[i], F_GETFD), FD_CLOEXEC);
	}
	/* Holes can be made: they read as zeroes, and nothing falls over. */
	assert_ok(xmap_channel_send(pair.a, "xyz", 3, 0));
	assert_ok(fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE,
			    2 * SMALL_RING));
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(xmap_channel_recv(pair.b, NULL, 0, 0), 0);
	assert_ok(fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	assert_err(xmap_channel_recv(pair.b, NULL, 0, 0), EPROTO);
	pair_end(&pair);
}

static int memory_with(off_t size, int seals, const char *magic)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	assert_ok(ftruncate(fd, size));
	ck_assert_int_eq(pwrite(fd, magic, 8, 0), 8);
	assert_ok(fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

static void refused(struct xmap_channel_fds fds, int which, int fd, int error)
{
	struct xmap_channel *ret = UNTOUCHED_CHANNEL;

	fds.fd[which] = fd;
	assert_err(xmap_channel_from_fds(NULL, &fds, &ret), error);
	ck_assert_ptr_eq(ret, UNTOUCHED_CHANNEL);
	/* Still the caller's. */
	if (fd >= 0)
		assert_ok(close(fd));
}

START_TEST(wrong_descriptors)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW;
	struct xmap_channel_fds fds;
	struct xmap_channel *a, *b;
	int open_fds = shim_open_fds();
	int huge;

	a = channel_begin(&fds, SMALL_RING);
	refused(fds, 0, -1, EBADF);
	refused(fds, 0, dup(fds.fd[1]), EBADFD);
	refused(fds, 0, open("/dev/null", O_RDWR), EBADFD);
	refused(fds, 0, memory_with(3 * PAGE, 0, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(3 * PAGE, F_SEAL_SHRINK, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(3 * PAGE, F_SEAL_GROW, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(3 * PAGE, seals, "another"), EINVAL);
	refused(fds, 0, memory_with(3 * PAGE + 1, seals, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(PAGE, seals, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(8, seals, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(7 * PAGE, seals, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(PAGE + (4UL << 30), seals, XMAP_CHANNEL_MAGIC), EINVAL);
	/* Huge pages that nobody has reserved: sealed, but a touch would be a SIGBUS. */
	huge = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
	if (huge >= 0) {
		assert_ok(fcntl(huge, F_ADD_SEALS, seals));
		refused(fds, 0, huge, EBADFD);
	}
	for (int i = 1; i < XMAP_CHANNEL_NR_FDS; i++) {
		refused(fds, i, -1, EBADF);
		refused(fds, i, dup(fds.fd[0]), EBADFD);
		refused(fds, i, socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), EBADFD);
		refused(fds, i, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), EBADFD);
		refused(fds, i, dup(fds.fd[i == 3 ? 1 : 3]), EBADFD);
	}
	/* Sockets that lead nowhere are sockets of a peer that is gone. */
	close(fds.fd[1]);
	fds.fd[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	b = channel_other(&fds, 0);
	assert_err(xmap_channel_recv(b, NULL, 0, -1), EPIPE);
	xmap_channel_close(b);
	xmap_channel_close(a);
	ck_assert_int_eq(shim_open_fds(), open_fds);
}

/* Let each allocation fail in turn. */
START_TEST(channel_out_of_memory)
{
	struct xmap_channel *ret = UNTOUCHED_CHANNEL;
	struct xmap_channel_fds fds = { { 77 } };
	int open_fds = shim_open_fds();

	shim.alloc_left = 0;
	assert_err(xmap_channel_create(NULL, &fds, &ret), ENOMEM);
	shim.alloc_left = -1;
	ck_assert_ptr_eq(ret, UNTOUCHED_CHANNEL);
	ck_assert_int_eq(fds.fd[0], 77);
	ck_assert_int_eq(shim_open_fds(), open_fds);
}

/* Descriptors run out at each of them: nothing stays open. */
START_TEST(channel_out_of_descriptors)
{
	struct xmap_channel *ret = UNTOUCHED_CHANNEL;
	struct xmap_channel_fds fds = { { 77 } };
	int open_fds = shim_open_fds();
	int rc, n;

	for (n = 0; ; n++) {
		shim.fds_left = n;
		rc = xmap_channel_create(NULL, &fds, &ret);
		if (!rc)
			break;
		assert_err(rc, EMFILE);
		ck_assert_ptr_eq(ret, UNTOUCHED_CHANNEL);
		ck_assert_int_eq(fds.fd[0], 77);
		ck_assert_int_eq(shim_open_fds(), open_fds);
	}
	/* The memory, and three pairs of sockets. */
	ck_assert_int_eq(n, 4);
	xmap_channel_close(ret);
	fds_close(&fds);
	ck_assert_int_eq(shim_open_fds(), open_fds);
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
	tcase_add_test(tc, options);
	tcase_add_test(tc, sealed);
	tcase_add_test(tc, wrong_descriptors);
	tcase_add_test(tc, channel_out_of_memory);
	tcase_add_test(tc, channel_out_of_descriptors);
	tcase_add_test(tc, handles_are_not_inherited);
	suite_add_tcase(suite, tc);
	return suite;
}
