// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Channels: a peer that is killed, at any instruction.  Who survives gets what was
 * sent, in order and whole, and then -EPIPE, and never waits for ever.
 *
 * Children count what goes wrong instead of asserting.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pair.h"
#include "shim.h"

/* As often as that, or for as long: milliseconds.  Valgrind and sanitizers are slow. */
#define KILLS 3000
#define KILLS_TIME 2500
#define STEPS_TIME 4000
#define STEPS_TIME_LONG 1500
/*
 * Of so many instructions at most, each one is tried if there is time, in an order
 * that is spread: a prime is between one and the next.
 */
#define STEPS_MAX 4000
#define STEPS_PRIME 7919

enum {
	ECHO,
	PEER_SENDS,
	PEER_SENDS_FDS,
	PEER_RECEIVES,
	NR_STYLES,
};

struct victim {
	struct xmap_channel *ours;
	struct xmap_channel_fds fds;
	int style;
	long delay;
	uint32_t state;
};

/* SIGKILL comes by a timer: wherever the process is then. */
static void die_later(long delay)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	struct itimerspec time = { .it_value = { 0, delay } };
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &time, NULL))
		_exit(2);
}

static int victim_work(void *data)
{
	static unsigned char buf[SMALL_RING];
	int fds[XMAP_CHANNEL_FDS_MAX] = {};
	struct victim *victim = data;
	struct xmap_channel *ch;
	struct iovec iov = { buf, 0 };
	ssize_t n;

	xmap_channel_close(victim->ours);
	if (channel_from(&victim->fds, 0, &ch))
		return 1;
	die_later(victim->delay);
	for (uint32_t i = 0; ; i++) {
		if (victim->style == ECHO || victim->style == PEER_RECEIVES) {
			n = xmap_channel_recv(ch, buf, sizeof(buf), -1);
			if (n < 0)
				return 3;
			iov.iov_len = n;
		} else {
			iov.iov_len = record_make(buf, i, 500);
		}
		if (victim->style != PEER_RECEIVES &&
		    xmap_channel_sendv(ch, &iov, 1, fds,
				       victim->style == PEER_SENDS_FDS ? i % 4 : 0, -1))
			return 4;
	}
}

/* Return: what ended it; 1 if something was wrong before. */
static int survive(struct xmap_channel *ch, int style)
{
	static unsigned char buf[SMALL_RING], copy[SMALL_RING];
	int fds[XMAP_CHANNEL_FDS_MAX];
	struct iovec iov = { copy, sizeof(copy) };
	unsigned int nfds;
	size_t length;
	ssize_t n = 0;

	for (uint32_t i = 0; ; i++) {
		if (style == ECHO || style == PEER_RECEIVES) {
			length = record_make(buf, i, 500);
			n = xmap_channel_send(ch, buf, length, -1);
		}
		if (n < 0)
			return n;
		if (style == PEER_RECEIVES)
			continue;
		nfds = XMAP_CHANNEL_FDS_MAX;
		n = xmap_channel_recvv(ch, &iov, 1, fds, &nfds, -1);
		if (n < 0)
			return n;
		if (!record_is(copy, n, i, 500) || nfds != (style == PEER_SENDS_FDS ? i % 4 : 0))
			return 1;
		while (nfds--)
			close(fds[nfds]);
		n = 0;
	}
}

START_TEST(peer_is_killed_anywhere)
{
	int64_t end = clock_ms() + KILLS_TIME;
	struct victim victim = { .style = _i, .state = _i + 1 };
	int open_fds = shim_open_fds();
	int kills;
	pid_t pid;

	for (kills = 0; kills < 10 || (kills < KILLS && clock_ms() < end); kills++) {
		victim.ours = channel_begin(&victim.fds, SMALL_RING);
		/* Half of them very soon. */
		victim.delay = 1 + next_random(&victim.state) % (kills % 2 ? 20000 : 400000);
		pid = child_begin(victim_work, &victim);
		fds_close(&victim.fds);
		assert_err(survive(victim.ours, victim.style), EPIPE);
		assert_err(xmap_channel_recv(victim.ours, NULL, 0, -1), EPIPE);
		assert_err(xmap_channel_send(victim.ours, NULL, 0, -1), EPIPE);
		ck_assert_int_eq(child_end(pid), -SIGKILL);
		xmap_channel_close(victim.ours);
	}
	ck_assert_int_eq(shim_open_fds(), open_fds);
}

/* ---- At each instruction ---- */

/*
 * The victim makes a channel, and a survivor that sleeps at its other end; stops;
 * wakes it; stops.  In between, we let it go some instructions or system calls far only,
 * and kill it.
 */
enum {
	STEP_SENDS,
	STEP_RECEIVES,
	STEP_SENDS_FDS,
	STEP_COMMITS,
	/* These need the module, and are the last. */
	STEP_SENDS_REGION,
	STEP_RECEIVES_REGION,
	NR_STEP_STYLES,
};

#define STEP_LENGTH 64
#define STEP_FDS 2

/**
 * struct step - A victim and its survivor
 * @style: What the victim does
 * @it: A region that goes from one to the other, given to whom takes it first
 * @report: Pipe: what ended the survivor
 */
struct step {
	int style;
	struct xmap_region *it;
	int report[2];
};

static char step_record[SMALL_RING];

static bool survivor_sends(const struct step *step)
{
	return step->style == STEP_RECEIVES || step->style == STEP_RECEIVES_REGION;
}

static bool moves_a_region(const struct step *step)
{
	return step->style >= STEP_SENDS_REGION;
}

/* What it holds, to its owner. */
static bool region_is_whole(struct xmap_region *it)
{
	char text[6];

	return pread(xmap_region_fd(it), text, sizeof(text), PAGE) == sizeof(text) &&
	       !memcmp(text, "whole", sizeof(text));
}

/* Return: 0, what ended it, or 1 if a record was not whole, with all that comes with it. */
static ssize_t survivor_receives(const struct step *step, struct xmap_channel *ch)
{
	static char buf[SMALL_RING];
	unsigned int i, nfds = XMAP_CHANNEL_FDS_MAX;
	struct iovec iov = { buf, sizeof(buf) };
	struct xmap_region *it = NULL;
	int fds[XMAP_CHANNEL_FDS_MAX];
	bool good = true;
	ssize_t n;

	if (step->style == STEP_SENDS_REGION) {
		n = xmap_channel_recv_region(ch, buf, sizeof(buf), &it, -1);
		if (n < 0)
			return n;
		good = it && region_is_whole(it);
		xmap_region_close(it);
	} else {
		n = xmap_channel_recvv(ch, &iov, 1, fds, &nfds, -1);
		if (n < 0)
			return n;
		good = nfds == (step->style == STEP_SENDS_FDS ? STEP_FDS : 0);
		for (i = 0; i < nfds; i++)
			good = !close(fds[i]) && good;
	}
	return n != STEP_LENGTH || memcmp(buf, step_record, STEP_LENGTH) || !good;
}

static void survivor_main(const struct step *step, const struct xmap_channel_fds *fds)
{
	struct xmap_channel *ch;
	int rc;

	/* Whatever fails, it does not stay for ever. */
	alarm(TEST_TIMEOUT);
	rc = channel_from(fds, 0, &ch);
	if (!rc && step->style == STEP_RECEIVES_REGION) {
		rc = xmap_region_take(step->it);
		if (!rc)
			rc = xmap_channel_send_region(ch, step_record, STEP_LENGTH, step->it, -1);
	}
	while (!rc) {
		if (survivor_sends(step))
			rc = xmap_channel_send(ch, step_record, STEP_LENGTH, -1);
		else
			rc = survivor_receives(step, ch);
	}
	if (write(step->report[1], &rc, sizeof(rc)) != sizeof(rc))
		_exit(1);
	_exit(0);
}

/* What it returns is nobody's to see: it is killed here, or soon after. */
static void step_work(const struct step *step, struct xmap_channel *ch)
{
	static char buf[SMALL_RING];
	struct iovec iov = { step_record, STEP_LENGTH };
	const int fds[STEP_FDS] = {};
	struct xmap_region *it;
	void *to;

	switch (step->style) {
	case STEP_SENDS:
		xmap_channel_send(ch, step_record, STEP_LENGTH, -1);
		break;
	case STEP_RECEIVES:
		xmap_channel_recv(ch, buf, sizeof(buf), -1);
		break;
	case STEP_SENDS_FDS:
		xmap_channel_sendv(ch, &iov, 1, fds, STEP_FDS, -1);
		break;
	case STEP_COMMITS:
		if (!xmap_channel_reserve(ch, STEP_LENGTH, -1, &to)) {
			memcpy(to, step_record, STEP_LENGTH);
			xmap_channel_commit(ch, STEP_LENGTH, NULL, 0);
		}
		break;
	case STEP_SENDS_REGION:
		xmap_channel_send_region(ch, step_record, STEP_LENGTH, step->it, -1);
		break;
	case STEP_RECEIVES_REGION:
		xmap_channel_recv_region(ch, buf, sizeof(buf), &it, -1);
		break;
	}
}

static int step_victim(void *data)
{
	XMAP_OPTS(struct xmap_channel_opts, opts, .ring = SMALL_RING, .dev = channel_dev);
	const struct step *step = data;
	struct xmap_channel_fds fds;
	struct xmap_channel *ch;
	const uint32_t *need;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || xmap_channel_create(&opts, &fds, &ch))
		return 1;
	if (step->style == STEP_SENDS_REGION && xmap_region_take(step->it))
		return 2;
	if (!fork()) {
		xmap_channel_close(ch);
		survivor_main(step, &fds);
	}
	for (int i = 0; i < XMAP_CHANNEL_NR_FDS; i++)
		close(fds.fd[i]);
	close(step->report[1]);
	need = survivor_sends(step) ? &ch->map->ring[1].writer_need.value :
				      &ch->map->ring[0].reader_need.value;
	while (!__atomic_load_n(need, __ATOMIC_ACQUIRE))
		poll(NULL, 0, 1);
	raise(SIGSTOP);
	step_work(step, ch);
	raise(SIGSTOP);
	return 0;
}

/*
 * @request: PTRACE_SINGLESTEP, or PTRACE_SYSCALL, which stops before and after each.
 * Return: stops, at most @count, before the victim was killed.
 */
static int step_once(struct step *step, int request, int count)
{
	int status, rc, n;
	pid_t pid;

	if (moves_a_region(step))
		assert_ok(xmap_region_give(step->it));
	ck_assert_int_eq(pipe(step->report), 0);
	pid = child_begin(step_victim, step);
	close(step->report[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	for (n = 0; n < count; n++) {
		ck_assert_int_eq(ptrace(request, pid, NULL, NULL), 0);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSTOPPED(status));
		if (WSTOPSIG(status) == SIGSTOP)
			break;
	}
	assert_ok(kill(pid, SIGKILL));
	ck_assert_int_eq(child_end(pid), -SIGKILL);
	ck_assert_int_eq(read(step->report[0], &rc, sizeof(rc)), sizeof(rc));
	assert_err(rc, EPIPE);
	close(step->report[0]);
	/* The survivor has become ours. */
	ck_assert_int_gt(waitpid(-1, &status, 0), 0);
	ck_assert_int_eq(status, 0);
	/* On its way, there, or neither: it is not lost. */
	if (moves_a_region(step)) {
		assert_ok(xmap_region_take(step->it));
		ck_assert(region_is_whole(step->it));
	}
	return n;
}

static void step_begin(struct step *step)
{
	XMAP_OPTS(struct xmap_region_opts, opts, .flags = XMAP_REGION_SINGLE_OWNER);

	memset(step_record, 'r', STEP_LENGTH);
	assert_ok(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	if (!moves_a_region(step))
		return;
	assert_ok(xmap_region_create(channel_dev, 2 * PAGE, &opts, &step->it));
	ck_assert_int_eq(pwrite(xmap_region_fd(step->it), "whole", 6, PAGE), 6);
}

static void step_end(struct step *step)
{
	if (moves_a_region(step))
		xmap_region_close(step->it);
}

/*
 * Each time the victim is stepped from the beginning of the call, so in the time that there
 * is it dies at some instructions only of a long one.  But before and after each of its
 * system calls it does so always: there others have to do with it.
 */
START_TEST(peer_is_killed_at_each_system_call)
{
	struct step step = { .style = _i };
	int open_fds = shim_open_fds();
	int all, n;

	step_begin(&step);
	all = step_once(&step, PTRACE_SYSCALL, STEPS_MAX);
	/* One at least wakes the survivor. */
	ck_assert_int_gt(all, 2);
	for (n = 0; n < all; n++)
		step_once(&step, PTRACE_SYSCALL, n);
	step_end(&step);
	ck_assert_int_eq(shim_open_fds(), open_fds);
}

START_TEST(peer_is_killed_at_each_instruction)
{
	struct step step = { .style = _i };
	int64_t end = clock_ms() + (_i < STEP_SENDS_FDS ? STEPS_TIME : STEPS_TIME_LONG);
	int open_fds = shim_open_fds();
	int all, n;

	step_begin(&step);
	all = step_once(&step, PTRACE_SINGLESTEP, STEPS_MAX);
	ck_assert_int_gt(all, 50);
	for (n = 0; n < all && (n < 3 || clock_ms() < end); n++)
		step_once(&step, PTRACE_SINGLESTEP, n * STEPS_PRIME % all);
	step_end(&step);
	ck_assert_int_eq(shim_open_fds(), open_fds);
}

Suite *channel_death_suite(void)
{
	int styles = channel_dev ? NR_STEP_STYLES : STEP_SENDS_REGION;
	Suite *suite = suite_create("channel death");
	TCase *tc = tcase_create("channel death");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, shim_reset, shim_reset);
	tcase_add_loop_test(tc, peer_is_killed_anywhere, 0, NR_STYLES);
	tcase_add_loop_test(tc, peer_is_killed_at_each_system_call, 0, styles);
	tcase_add_loop_test(tc, peer_is_killed_at_each_instruction, 0, styles);
	suite_add_tcase(suite, tc);
	return suite;
}
