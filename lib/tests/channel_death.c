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
	if (xmap_channel_from_fds(NULL, &victim->fds, &ch))
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
 * wakes it; stops.  In between, we let it do some instructions only, and kill it.
 */
struct step {
	bool survivor_sends;
	int report[2];
};

static void survivor_main(const struct step *step, const struct xmap_channel_fds *fds)
{
	static char buf[SMALL_RING];
	struct xmap_channel *ch;
	int rc;

	/* Whatever fails, it does not stay for ever. */
	alarm(TEST_TIMEOUT);
	rc = xmap_channel_from_fds(NULL, fds, &ch);
	while (rc >= 0) {
		if (step->survivor_sends)
			rc = xmap_channel_send(ch, buf, 64, -1);
		else
			rc = xmap_channel_recv(ch, buf, sizeof(buf), -1);
	}
	if (write(step->report[1], &rc, sizeof(rc)) != sizeof(rc))
		_exit(1);
	_exit(0);
}

static int step_victim(void *data)
{
	XMAP_OPTS(struct xmap_channel_opts, opts, .ring = SMALL_RING);
	static char buf[SMALL_RING];
	const struct step *step = data;
	struct xmap_channel_fds fds;
	struct xmap_channel *ch;
	const uint32_t *need;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || xmap_channel_create(&opts, &fds, &ch))
		return 1;
	if (!fork()) {
		xmap_channel_close(ch);
		survivor_main(step, &fds);
	}
	for (int i = 0; i < XMAP_CHANNEL_NR_FDS; i++)
		close(fds.fd[i]);
	close(step->report[1]);
	need = step->survivor_sends ? &ch->map->ring[1].writer_need.value :
				      &ch->map->ring[0].reader_need.value;
	while (!__atomic_load_n(need, __ATOMIC_ACQUIRE))
		poll(NULL, 0, 1);
	raise(SIGSTOP);
	if (step->survivor_sends)
		xmap_channel_recv(ch, buf, sizeof(buf), -1);
	else
		xmap_channel_send(ch, buf, 64, -1);
	raise(SIGSTOP);
	return 0;
}

/* Return: instructions done, at most @count, before the victim was killed. */
static int step_once(struct step *step, int count)
{
	int status, rc, n;
	pid_t pid;

	ck_assert_int_eq(pipe(step->report), 0);
	pid = child_begin(step_victim, step);
	close(step->report[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	for (n = 0; n < count; n++) {
		ck_assert_int_eq(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
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
	return n;
}

START_TEST(peer_is_killed_at_each_instruction)
{
	struct step step = { .survivor_sends = _i };
	int64_t end = clock_ms() + STEPS_TIME;
	int all, n;

	assert_ok(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	all = step_once(&step, STEPS_MAX);
	ck_assert_int_gt(all, 50);
	for (n = 0; n < all && (n < 3 || clock_ms() < end); n++)
		step_once(&step, n * STEPS_PRIME % all);
}

Suite *channel_death_suite(void)
{
	Suite *suite = suite_create("channel death");
	TCase *tc = tcase_create("channel death");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, shim_reset, shim_reset);
	tcase_add_loop_test(tc, peer_is_killed_anywhere, 0, NR_STYLES);
	tcase_add_loop_test(tc, peer_is_killed_at_each_instruction, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
