// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Channels of regions: memory that its maker takes back, while the peer does something
 * with it.  Children count what goes wrong instead of asserting.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pair.h"
#include "regions.h"
#include "shim.h"

/* How long it is taken from who is busy with it, again and again: milliseconds. */
#define REVOKE_TIME 3000

static void setup(void)
{
	shim_reset();
	dev = channel_dev;
}

/* ---- The peer that survives ---- */

static struct xmap_channel *guarded;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (xmap_channel_fault(guarded, info->si_addr) != 1)
		_exit(99);
}

static void guard(struct xmap_channel *ch)
{
	struct sigaction action = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };

	guarded = ch;
	sigaction(SIGBUS, &action, NULL);
}

/* 0, or which call does not say that it has been taken away. */
static int is_stale(struct xmap_channel *ch)
{
	struct xmap_channel_record record;
	void *to;

	if (xmap_channel_send(ch, "x", 1, -1) != -ESTALE)
		return 10;
	if (xmap_channel_recv(ch, NULL, 0, -1) != -ESTALE)
		return 11;
	if (xmap_channel_reserve(ch, 1, -1, &to) != -ESTALE ||
	    xmap_channel_commit(ch, 1, NULL, 0) != -ESTALE)
		return 12;
	if (xmap_channel_peek(ch, -1, &record) != -ESTALE ||
	    xmap_channel_take_fds(ch, NULL, 0) != -ESTALE ||
	    xmap_channel_release(ch) != -ESTALE)
		return 13;
	return xmap_channel_arm(ch, XMAP_CHANNEL_RECV, 0) == -ESTALE ? 0 : 14;
}

enum {
	WAITS,
	POLLS,
	READS_IN_PLACE,
	WRITES_IN_PLACE,
	SENDS,
	NR_STYLES,
};

struct peer_work {
	struct xmap_channel *ours;
	struct xmap_channel_fds fds;
	int style;
};

static int lose_it(struct xmap_channel *ch, int style)
{
	struct xmap_channel_record record;
	static char buf[500];
	void *to;
	int rc;

	switch (style) {
	case WAITS:
		return xmap_channel_recv(ch, buf, sizeof(buf), -1);
	case POLLS:
		do {
			rc = xmap_channel_recv(ch, buf, sizeof(buf), 0);
		} while (rc == -EAGAIN);
		return rc;
	case READS_IN_PLACE:
		rc = xmap_channel_peek(ch, -1, &record);
		while (!rc && *(const volatile char *)record.data)
			;
		return rc ? rc : xmap_channel_release(ch);
	case WRITES_IN_PLACE:
		rc = xmap_channel_reserve(ch, 1, -1, &to);
		while (!rc && !__atomic_load_n(&ch->state->error, __ATOMIC_RELAXED))
			*(volatile char *)to = 'w';
		return rc ? rc : xmap_channel_commit(ch, 1, NULL, 0);
	default:
		do {
			rc = xmap_channel_send(ch, buf, sizeof(buf), -1);
		} while (!rc);
		return rc;
	}
}

static int peer_main_guarded(void *data)
{
	struct peer_work *work = data;
	struct xmap_channel *ch;
	int bad;

	xmap_channel_close(work->ours);
	if (channel_from(&work->fds, 0, &ch))
		return 1;
	guard(ch);
	if (xmap_channel_send(ch, "ready", 5, -1))
		return 2;
	if (lose_it(ch, work->style) != -ESTALE)
		return 3;
	bad = is_stale(ch);
	xmap_channel_close(ch);
	return bad;
}

START_TEST(taken_back)
{
	struct peer_work work = { .style = _i };
	int open_fds = shim_open_fds();
	char buf[8];
	pid_t pid;

	work.ours = channel_begin(&work.fds, SMALL_RING);
	pid = child_begin(peer_main_guarded, &work);
	fds_close(&work.fds);
	if (_i == READS_IN_PLACE)
		assert_ok(xmap_channel_send(work.ours, "read this", 9, -1));
	ck_assert_int_eq(xmap_channel_recv(work.ours, buf, sizeof(buf), -1), 5);
	assert_ok(xmap_channel_revoke(work.ours));
	ck_assert_int_eq(is_stale(work.ours), 0);
	ck_assert_int_eq(child_end(pid), 0);
	assert_ok(xmap_channel_revoke(work.ours));
	xmap_channel_close(work.ours);
	ck_assert_int_eq(shim_open_fds(), open_fds);
}

/* Without a handler it is the end of the peer, and of nobody else. */
static int peer_main_careless(void *data)
{
	struct peer_work *work = data;
	struct xmap_channel *ch;

	xmap_channel_close(work->ours);
	if (channel_from(&work->fds, 0, &ch) || xmap_channel_send(ch, "ready", 5, -1))
		return 1;
	return lose_it(ch, work->style);
}

START_TEST(taken_from_who_is_careless)
{
	struct peer_work work = { .style = POLLS };
	char buf[8];
	pid_t pid;

	work.ours = channel_begin(&work.fds, SMALL_RING);
	pid = child_begin(peer_main_careless, &work);
	fds_close(&work.fds);
	ck_assert_int_eq(xmap_channel_recv(work.ours, buf, sizeof(buf), -1), 5);
	assert_ok(xmap_channel_revoke(work.ours));
	ck_assert_int_eq(child_end(pid), -SIGBUS);
	ck_assert_int_eq(is_stale(work.ours), 0);
	xmap_channel_close(work.ours);
}

/* By somebody who knows nothing of channels: the peer sees it, and we see the peer's end. */
START_TEST(taken_back_by_number)
{
	struct peer_work work = { .style = WAITS };
	char buf[8];
	pid_t pid;

	work.ours = channel_begin(&work.fds, SMALL_RING);
	pid = child_begin(peer_main_guarded, &work);
	fds_close(&work.fds);
	ck_assert_int_eq(xmap_channel_recv(work.ours, buf, sizeof(buf), -1), 5);
	assert_ok(xmap_revoke(channel_dev, serial_of(XMAP_LIST_REGION), 0, 0));
	assert_ok(xmap_channel_send(work.ours, "wake up", 7, -1));
	assert_err(xmap_channel_recv(work.ours, buf, sizeof(buf), -1), EPIPE);
	ck_assert_int_eq(child_end(pid), 0);
	xmap_channel_close(work.ours);
}

/* ---- While both are busy ---- */

static int echo_guarded(void *data)
{
	struct peer_work *work = data;
	static unsigned char buf[SMALL_RING];
	struct xmap_channel *ch;
	ssize_t n;

	xmap_channel_close(work->ours);
	n = channel_from(&work->fds, 0, &ch);
	/* So soon. */
	if (n)
		return n == -ESTALE ? 0 : 1;
	guard(ch);
	for (uint32_t i = 0; ; i++) {
		n = xmap_channel_recv(ch, buf, sizeof(buf), -1);
		if (n < 0)
			break;
		/* What is received is whole, or it is an error. */
		if (!record_is(buf, n, i, 2000))
			return 2;
		n = xmap_channel_send(ch, buf, n, -1);
		if (n < 0)
			break;
	}
	/* A bell that cannot be rung is seen without a look at the memory. */
	return n == -ESTALE || n == -EPIPE ? 0 : 3;
}

START_TEST(taken_back_while_busy)
{
	static unsigned char buf[SMALL_RING], copy[SMALL_RING];
	int64_t end = clock_ms() + REVOKE_TIME;
	int open_fds = shim_open_fds();
	struct peer_work work = {};
	uint32_t state = 1, i, rounds;
	ssize_t n;
	pid_t pid;

	do {
		work.ours = channel_begin(&work.fds, SMALL_RING);
		pid = child_begin(echo_guarded, &work);
		fds_close(&work.fds);
		rounds = next_random(&state) % 50;
		for (i = 0; i < rounds; i++) {
			n = record_make(buf, i, 2000);
			assert_ok(xmap_channel_send(work.ours, buf, n, -1));
			ck_assert_int_eq(xmap_channel_recv(work.ours, copy, sizeof(copy), -1), n);
		}
		n = record_make(buf, i, 2000);
		assert_ok(xmap_channel_send(work.ours, buf, n, -1));
		for (n = next_random(&state) % 2000; n; n--)
			__builtin_ia32_pause();
		assert_ok(xmap_channel_revoke(work.ours));
		ck_assert_int_eq(child_end(pid), 0);
		xmap_channel_close(work.ours);
	} while (clock_ms() < end);
	ck_assert_int_eq(shim_open_fds(), open_fds);
}

/* ---- What the peer cannot do ---- */

static int hostile_peer(void *data)
{
	struct peer_work *work = data;
	struct xmap_region *it;
	int fd = work->fds.fd[0];

	if (xmap_region_from_fd(channel_dev, fd, &it))
		return 1;
	if (xmap_region_revoke(it, 0, 0) != -EPERM)
		return 2;
	if (xmap_region_resize(it, PAGE) != -EACCES || xmap_region_rebind(it, NULL) != -EACCES)
		return 3;
	if (xmap_region_seal(it, XMAP_REGION_SEAL_WRITE) != -EACCES)
		return 4;
	if (!ftruncate(fd, 0) ||
	    !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE))
		return 5;
	return xmap_channel_revoke(work->ours) == -EBADFD ? 0 : 6;
}

START_TEST(not_the_peers_to_take)
{
	struct peer_work work = {};
	struct xmap_channel *other;
	char buf[8];

	work.ours = channel_begin(&work.fds, SMALL_RING);
	in_a_child(hostile_peer, &work);
	other = channel_other(&work.fds, 0);
	assert_err(xmap_channel_revoke(other), EOPNOTSUPP);
	assert_ok(xmap_channel_send(other, "still", 5, 0));
	ck_assert_int_eq(xmap_channel_recv(work.ours, buf, sizeof(buf), 0), 5);
	xmap_channel_close(other);
	xmap_channel_close(work.ours);
}

/* ---- What is no region of a channel ---- */

#define SEALS (XMAP_REGION_SEAL_SHRINK | XMAP_REGION_SEAL_GROW)

static struct xmap_region *region_with(uint32_t flags, size_t length, uint32_t seals,
				       const char *magic)
{
	XMAP_OPTS(struct xmap_region_opts, opts, .flags = flags);
	struct xmap_region *it = NULL;

	assert_ok(xmap_region_create(channel_dev, length, &opts, &it));
	ck_assert_int_eq(pwrite(xmap_region_fd(it), magic, 8, 0), 8);
	if (seals)
		ck_assert_int_ge(xmap_region_seal(it, seals), 0);
	return it;
}

/* It stays the caller's: closed here. */
static void refused(struct xmap_channel_fds fds, struct xmap_region *it, int error)
{
	XMAP_OPTS(struct xmap_channel_opts, opts, .dev = channel_dev);
	struct xmap_channel *ret = (void *)&shim;

	fds.fd[0] = xmap_region_fd(it);
	assert_err(xmap_channel_from_fds(&opts, &fds, &ret), error);
	ck_assert_ptr_eq(ret, &shim);
	xmap_region_close(it);
}

START_TEST(wrong_regions)
{
	XMAP_OPTS(struct xmap_channel_opts, opts);
	struct xmap_channel *ret = (void *)&shim, *ours;
	int open_fds = shim_open_fds();
	struct xmap_channel_fds fds;
	struct xmap_region *it;
	const char *magic = XMAP_CHANNEL_MAGIC;

	ours = channel_begin(&fds, SMALL_RING);
	/* Who does not ask for memory that can be taken from him does not get it. */
	assert_err(xmap_channel_from_fds(&opts, &fds, &ret), EBADFD);
	opts.dev = dev_open(XMAP_BACKEND_SYSCALLS);
	assert_err(xmap_channel_from_fds(&opts, &fds, &ret), EOPNOTSUPP);
	xmap_close(opts.dev);
	ck_assert_ptr_eq(ret, &shim);

	refused(fds, region_with(0, 3 * PAGE, 0, magic), EINVAL);
	refused(fds, region_with(0, 3 * PAGE, XMAP_REGION_SEAL_SHRINK, magic), EINVAL);
	refused(fds, region_with(0, 3 * PAGE, XMAP_REGION_SEAL_GROW, magic), EINVAL);
	refused(fds, region_with(0, 3 * PAGE, SEALS, "another"), EINVAL);
	refused(fds, region_with(0, PAGE, SEALS, magic), EINVAL);
	refused(fds, region_with(0, 4 * PAGE, SEALS, magic), EINVAL);
	refused(fds, region_with(0, 7 * PAGE, SEALS, magic), EINVAL);
	refused(fds, region_with(XMAP_REGION_SINGLE_OWNER, 3 * PAGE, SEALS, magic), EINVAL);
	refused(fds, region_with(XMAP_REGION_FIXED_ADDRESS, 3 * PAGE, SEALS, magic), EINVAL);
	it = region_with(0, 3 * PAGE, SEALS, magic);
	refused(fds, region_part(it, XMAP_RIGHT_READ, 0, 0), EINVAL);
	refused(fds, region_part(it, XMAP_RIGHT_WRITE, 0, 0), EINVAL);
	refused(fds, region_part(it, RW, PAGE, 2 * PAGE), EINVAL);
	refused(fds, region_part(it, RW, 0, 2 * PAGE), EINVAL);
	assert_ok(xmap_region_revoke(it, 0, 0));
	refused(fds, it, ESTALE);
	/* What is left of the others' has not suffered. */
	ret = channel_other(&fds, 0);
	assert_ok(xmap_channel_send(ret, "x", 1, 0));
	xmap_channel_close(ret);
	xmap_channel_close(ours);
	ck_assert_int_eq(shim_open_fds(), open_fds);
}

/* A descriptor for the memory here, one for the peer's, one to take that back; sockets. */
START_TEST(out_of_descriptors)
{
	XMAP_OPTS(struct xmap_channel_opts, opts, .dev = channel_dev);
	struct xmap_channel *ret = (void *)&shim;
	struct xmap_channel_fds fds = { { 77 } };
	int open_fds = shim_open_fds();

	for (int n = 0; n < 3; n++) {
		shim.fds_left = n;
		assert_err(xmap_channel_create(&opts, &fds, &ret), EMFILE);
		ck_assert_int_eq(shim_open_fds(), open_fds);
	}
	shim.fds_left = -1;
	shim.dup_error = EMFILE;
	assert_err(xmap_channel_create(&opts, &fds, &ret), EMFILE);
	shim.dup_error = 0;
	for (int n = 0; n < 3; n++) {
		shim.alloc_left = n;
		assert_err(xmap_channel_create(&opts, &fds, &ret), ENOMEM);
	}
	shim.alloc_left = -1;
	ck_assert_ptr_eq(ret, &shim);
	ck_assert_int_eq(fds.fd[0], 77);
	ck_assert_int_eq(shim_open_fds(), open_fds);
}

Suite *channel_region_suite(void)
{
	Suite *suite = suite_create("channel region");
	TCase *tc = tcase_create("channel region");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, setup, shim_reset);
	tcase_add_loop_test(tc, taken_back, 0, NR_STYLES);
	tcase_add_test(tc, taken_from_who_is_careless);
	tcase_add_test(tc, taken_back_by_number);
	tcase_add_test(tc, taken_back_while_busy);
	tcase_add_test(tc, not_the_peers_to_take);
	tcase_add_test(tc, wrong_regions);
	tcase_add_test(tc, out_of_descriptors);
	suite_add_tcase(suite, tc);
	return suite;
}
