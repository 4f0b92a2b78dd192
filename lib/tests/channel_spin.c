// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Channels: spinning before going to sleep, and what may be lost by it.
 *
 * The clock is made up: it goes on as often as the library looks at it, and the peer,
 * which is this thread as well, answers at one of these looks.  So nothing here depends
 * on how fast the machine is.
 */
#include <errno.h>

#include "pair.h"
#include "shim.h"

/* Nanoseconds, as the manual page says. */
#define SPIN 40000
#define SPIN_RANG 200000
#define BUDGET (4 * SPIN_RANG)
#define EARNS 64

/* Looks at the clock of a call that sleeps: before, when its time is over, and after. */
#define SLEEP_LOOKS 3

static struct {
	struct pair pair;
	int64_t time;
	/* What it goes on by at each look. */
	int64_t step;
	int looks;
	/* At this look the peer sends a record; never if 0. */
	int answer_at;
} fake;

static int64_t fake_clock(void)
{
	if (++fake.looks == fake.answer_at)
		assert_ok(xmap_channel_send(fake.pair.a, "", 1, 0));
	fake.time += fake.step;
	return fake.time;
}

static struct xmap_lane *lane(void)
{
	return &fake.pair.b->state->recv;
}

/*
 * Wait for a record, at most a millisecond.  The peer sends one at look @answer_at.
 * Return: how often the library has looked at the clock.
 */
static int wait_once(int64_t step, int answer_at, ssize_t result)
{
	char byte;

	fake.step = step;
	fake.looks = 0;
	fake.answer_at = answer_at;
	ck_assert_int_eq(xmap_channel_recv(fake.pair.b, &byte, 1, 1), result);
	return fake.looks;
}

static void assert_counts(unsigned int sleeps, unsigned int spins)
{
	XMAP_OPTS(struct xmap_channel_info, info);

	assert_ok(xmap_channel_info(fake.pair.b, &info));
	ck_assert_uint_eq(info.recv.sleeps, sleeps);
	ck_assert_uint_eq(info.recv.spins, spins);
}

static void fake_begin(void)
{
	shim_reset();
	pair_begin(&fake.pair, SMALL_RING);
	/* Whatever this machine has. */
	lane()->spins = true;
	fake.time = 1;
	shim.clock = fake_clock;
}

static void fake_end(void)
{
	shim_reset();
	pair_end(&fake.pair);
}

/* Who has not slept yet does not spin; who has, does, and need not sleep. */
START_TEST(spinning_is_earned)
{
	/* From the first to the last look are two steps. */
	ck_assert_int_eq(wait_once(SPIN * EARNS / 2 - EARNS, 0, -ETIMEDOUT), SLEEP_LOOKS);
	ck_assert_int_lt(lane()->budget, SPIN);
	ck_assert_int_eq(wait_once(EARNS, 0, -ETIMEDOUT), SLEEP_LOOKS);
	ck_assert_int_eq(lane()->budget, SPIN);
	assert_counts(2, 0);
	/* The record is seen after the third look, and there is a fourth. */
	ck_assert_int_eq(wait_once(SPIN / 10, 3, 1), 4);
	assert_counts(2, 1);
	ck_assert_int_eq(lane()->budget, BUDGET);
}

/* Nobody answers: what was saved up is lost, and then it is over. */
START_TEST(spinning_in_vain)
{
	lane()->budget = BUDGET;
	/* Where it begins, four times in between, and where it is over. */
	for (int i = 0; i < BUDGET / SPIN; i++)
		ck_assert_int_eq(wait_once(SPIN / 4, 0, -ETIMEDOUT), 6 + SLEEP_LOOKS);
	/* Sleeping has earned next to nothing meanwhile. */
	ck_assert_int_eq(wait_once(SPIN / 4, 0, -ETIMEDOUT), SLEEP_LOOKS);
	assert_counts(BUDGET / SPIN + 1, 0);
	/* However long it sleeps. */
	ck_assert_int_eq(wait_once((int64_t)BUDGET * EARNS, 0, -ETIMEDOUT), SLEEP_LOOKS);
	ck_assert_int_eq(lane()->budget, BUDGET);
}

/* The answer is there, but we were not: others had the processor, maybe the peer. */
START_TEST(spinning_too_long)
{
	lane()->budget = BUDGET;
	ck_assert_int_eq(wait_once(SPIN + 1, 1, 1), 2);
	assert_counts(0, 0);
	ck_assert_int_eq(lane()->budget, BUDGET - SPIN);
}

/* Who has just been woken is waited for longer, once. */
START_TEST(spinning_after_waking)
{
	struct pair *pair = &fake.pair;
	char byte;

	lane()->budget = BUDGET;
	ck_assert_int_eq(xmap_channel_arm(pair->a, XMAP_CHANNEL_RECV, 0), 0);
	assert_ok(xmap_channel_send(pair->b, "", 1, 0));
	ck_assert_int_eq(xmap_channel_recv(pair->a, &byte, 1, 0), 1);
	/* In time, for that. */
	ck_assert_int_eq(wait_once(SPIN, 4, 1), 5);
	assert_counts(0, 1);
	ck_assert_int_eq(wait_once(SPIN, 0, -ETIMEDOUT), 3 + SLEEP_LOOKS);
	assert_counts(1, 1);

	/* In vain. */
	ck_assert_int_eq(xmap_channel_arm(pair->a, XMAP_CHANNEL_RECV, 0), 0);
	assert_ok(xmap_channel_send(pair->b, "", 1, 0));
	lane()->budget = BUDGET;
	ck_assert_int_eq(wait_once(0, 3, 1), 4);
	ck_assert_int_eq(xmap_channel_recv(pair->a, &byte, 1, 0), 1);
	ck_assert_int_eq(xmap_channel_arm(pair->a, XMAP_CHANNEL_RECV, 0), 0);
	assert_ok(xmap_channel_send(pair->b, "", 1, 0));
	ck_assert_int_eq(wait_once(SPIN, 0, -ETIMEDOUT), 7 + SLEEP_LOOKS);
	ck_assert_int_eq(lane()->budget, BUDGET - SPIN_RANG + 2 * SPIN / EARNS);
}

/* Who is not to spin does not look at the clock for it either. */
START_TEST(no_spinning)
{
	lane()->spins = false;
	lane()->budget = BUDGET;
	ck_assert_int_eq(wait_once(SPIN, 0, -ETIMEDOUT), 1);
	ck_assert_int_eq(lane()->budget, BUDGET);
	assert_counts(1, 0);
}

Suite *channel_spin_suite(void)
{
	Suite *suite = suite_create("channel spin");
	TCase *tc = tcase_create("channel spin");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, fake_begin, fake_end);
	tcase_add_test(tc, spinning_is_earned);
	tcase_add_test(tc, spinning_in_vain);
	tcase_add_test(tc, spinning_too_long);
	tcase_add_test(tc, spinning_after_waking);
	tcase_add_test(tc, no_spinning);
	suite_add_tcase(suite, tc);
	return suite;
}
