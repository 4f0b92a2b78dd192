// SPDX-License-Identifier: GPL-2.0-only
/*
 * The differential permission test: see differ.h and ask.c.
 *
 *   xmap_differ_test [--seed N] [--case N]
 *
 * With --case that one case only, in detail.  A run judges XMAP_DIFFER_CASES
 * cases, or on a slow machine half of them, and goes on for XMAP_DIFFER_SECONDS.
 * Then it looks for families that show what is missing, until every value of
 * every dimension has been seen with each verdict that it can have, and every
 * rule has decided: who only ever sees one of them is blind.
 */
#include <getopt.h>
#include <kselftest.h>
#include <sys/random.h>
#include <time.h>

#include "differ.h"

#define CASES 2000
#define SECONDS 20
/* Half of the cases will do where so much time has passed. */
#define SECONDS_SLOW 90
/* How far to look for families that show what has not been seen. */
#define DRAWN_MAX 100000
/* So many cases of such families show all there is, or it is not to be seen. */
#define SOUGHT_MAX 8000
/* A target that executes programs may be caught between two verdicts this often. */
#define TRIES_EXECING 200
/* Differences are all alike, mostly. */
#define SHOWN_MAX 20

static unsigned int count[DIMS][VALUES_MAX][OUTCOMES];
static unsigned int total[OUTCOMES];
static unsigned int decided[REASONS][OUTCOMES];
static unsigned int cases, families, explained, unexplained, differences, broken, restarts;

static const char outcome_letter[OUTCOMES] = { 'A', 'D', 'G' };

static unsigned long setting(const char *name, unsigned long value)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : value;
}

/* ---- One case ---- */

static const struct answers *answer_to(const struct pair_case *c)
{
	return &world.board->answer[c->index[TARGET]];
}

static void report(const struct pair_case *c, const char *what)
{
	case_print(c);
	printf("\n");
	ask_print(answer_to(c));
	printf(": %s\n", what);
	fflush(stdout);
}

static void tally(const struct pair_case *c)
{
	enum outcome outcome = ask_outcome(answer_to(c));
	int i;

	total[outcome]++;
	for (i = 0; i < DIMS; i++)
		count[i][c->dim[i]][outcome]++;
	if (!reason_knows(c))
		return;
	if (reason_allows(c) != !answer_to(c)->before) {
		if (unexplained++ < SHOWN_MAX)
			report(c, "the rules of this test say otherwise");
		return;
	}
	explained++;
	for (i = 0; i < REASONS; i++)
		if (outcome != GONE && reason_decides(c, i))
			decided[i][outcome]++;
}

/*
 * Ask until there is no difference, where the target moves; else once more, to
 * tell a difference that stays from one that was a race.  Both are failures.
 */
static int judge(const struct pair_case *c, bool verbose)
{
	const char *what = ask_difference(c, answer_to(c));
	int caller = c->index[CALLER], target = c->index[TARGET];
	int tries = c->dim[D_TARGET] == TG_EXECING ? TRIES_EXECING : 0;

	cases++;
	while (what && tries--) {
		restarts++;
		if (family_ask(caller, target, target))
			return -1;
		what = ask_difference(c, answer_to(c));
	}
	if (verbose || (what && differences < SHOWN_MAX))
		report(c, what ?: "no difference");
	if (!what) {
		tally(c);
		return 0;
	}
	differences++;
	if (family_ask(caller, target, target))
		return -1;
	what = ask_difference(c, answer_to(c));
	if (differences < SHOWN_MAX)
		report(c, what ?: "gone when asked again: a race");
	return 0;
}

static int run_epoch(const struct family *f, int epoch)
{
	struct pair_case c;
	int caller, target, last;

	if (family_epoch(epoch))
		return -1;
	for (caller = 0; caller < MEMBERS; caller++) {
		if (!member_asks(f, caller))
			continue;
		/* Nothing about a kernel thread changes, or about who runs new programs. */
		last = epoch ? MEMBERS - 1 : KERNEL_THREAD;
		if (family_ask(caller, 0, last))
			return -1;
		for (target = 0; target <= last; target++) {
			if (epoch && f->member[target].kind == TG_EXECING)
				continue;
			case_of(&c, f, epoch, caller, target);
			if (judge(&c, false))
				return -1;
		}
	}
	return 0;
}

static void complain(const struct family *f)
{
	broken++;
	printf("# broken: --seed %llu, family %u: %s: %s\n", f->seed, f->nr, family_step,
	       strerror(errno));
	fflush(stdout);
}

static void run_family(const struct family *f)
{
	int epoch, rc;

	families++;
	rc = family_create();
	for (epoch = 0; !rc && epoch < EPOCHS; epoch++)
		rc = run_epoch(f, epoch);
	if (rc)
		complain(f);
	family_destroy();
}

static int run_case(unsigned int epoch, int caller, int target)
{
	const struct family *f = &world.board->family;
	struct pair_case c;

	if (!case_of(&c, f, epoch, caller, target)) {
		printf("# there is no such case\n");
		return 2;
	}
	if (family_create() || family_epoch(epoch) || family_ask(caller, target, target) ||
	    judge(&c, true))
		complain(f);
	family_destroy();
	return differences || broken || unexplained;
}

/* ---- All of them ---- */

/* Values that need something that this machine lacks. */
static const char *unavailable(enum dim dim, int value)
{
	if ((dim == D_SCOPE || dim == D_PTRACER) && value && !world.yama)
		return "this kernel has no Yama";
	if (dim == D_LANDLOCK && value && !world.landlock)
		return "this kernel has no Landlock";
	if (dim == D_TARGET && value == TG_THREAD && !world.thread_pidfd)
		return "before Linux 6.9 a thread has no pidfd";
	if ((dim == D_CALLER_APPARMOR || dim == D_TARGET_APPARMOR) && value)
		return world.no_apparmor;
	return NULL;
}

static bool seen(enum dim dim, int value)
{
	const char *must = dim_values[dim][value].must;
	int i;

	for (i = 0; i < OUTCOMES; i++)
		if (strchr(must, outcome_letter[i]) && !count[dim][value][i])
			return false;
	return true;
}

static const char *undecidable(enum reason reason)
{
	if (reason >= R_SCOPE && reason <= R_TRACER && !world.yama)
		return "this kernel has no Yama";
	if (reason == R_LANDLOCK && !world.landlock)
		return "this kernel has no Landlock";
	return reason == R_APPARMOR ? world.no_apparmor : NULL;
}

/* Permitted ones instead of the effective ones could only allow more. */
static bool has_decided(enum reason reason)
{
	return decided[reason][DENIED] && (decided[reason][ALLOWED] || reason == R_EFFECTIVE);
}

static bool all_decided(void)
{
	int i;

	for (i = 0; i < REASONS; i++)
		if (!undecidable(i) && !has_decided(i))
			return false;
	return true;
}

static bool all_seen(void)
{
	int dim, value;

	for (dim = 0; dim < DIMS; dim++)
		for (value = 0; value < VALUES_MAX && dim_values[dim][value].name; value++)
			if (!unavailable(dim, value) && !seen(dim, value))
				return false;
	return true;
}

/*
 * What is missed: first the rules that have not decided both ways, for the
 * outcome of their cases is known before.  With it comes most of the rest; then
 * whatever may still show a value's outcomes.
 */
static bool case_wanted(const struct pair_case *c)
{
	enum outcome outcome = reason_allows(c) ? ALLOWED : DENIED;
	bool named = ns_reaches(pidns_parent, c->who[CALLER].pidns, c->who[TARGET].pidns) &&
		     (world.thread_pidfd || c->dim[D_TARGET] != TG_THREAD);
	bool known = named && reason_knows(c);
	int i;

	if (!all_decided()) {
		for (i = 0; known && i < REASONS; i++)
			if (!has_decided(i) && !decided[i][outcome] && reason_decides(c, i))
				return true;
		return false;
	}
	for (i = 0; i < DIMS; i++)
		if (!unavailable(i, c->dim[i]) && !seen(i, c->dim[i]) &&
		    !(known && count[i][c->dim[i]][outcome]))
			return true;
	return false;
}

static bool family_wanted(const struct family *f)
{
	int epoch, caller, target;
	struct pair_case c;

	for (epoch = 0; epoch < EPOCHS; epoch++)
		for (caller = 0; caller < MEMBERS; caller++)
			for (target = 0; target < TARGETS; target++)
				if (case_of(&c, f, epoch, caller, target) && case_wanted(&c))
					return true;
	return false;
}

static unsigned int number_of_results(void)
{
	unsigned int results = 4 + REASONS;
	int dim, value;

	for (dim = 0; dim < DIMS; dim++)
		for (value = 0; value < VALUES_MAX && dim_values[dim][value].name; value++)
			results++;
	return results;
}

static void report_all(unsigned int limit)
{
	int dim, value, i;

	ksft_print_msg("%u cases in %u families: %u allowed, %u denied, %u gone; asked again: %u\n",
		       cases, families, total[ALLOWED], total[DENIED], total[GONE], restarts);
	ksft_test_result(!differences, "no differences: %u\n", differences);
	ksft_test_result(!broken, "no broken cases: %u\n", broken);
	ksft_test_result(cases >= limit / 2, "enough cases: %u\n", cases);
	ksft_test_result(explained && !unexplained, "verdicts that the rules explain: %u, not %u\n",
			 explained, unexplained);
	for (i = 0; i < REASONS; i++) {
		if (undecidable(i))
			ksft_test_result_skip("%s: %s\n", reason_names[i], undecidable(i));
		else
			ksft_test_result(has_decided(i),
					 "decided by: %s: allowed %u, denied %u\n", reason_names[i],
					 decided[i][ALLOWED], decided[i][DENIED]);
	}
	for (dim = 0; dim < DIMS; dim++) {
		for (value = 0; value < VALUES_MAX && dim_values[dim][value].name; value++) {
			unsigned int *n = count[dim][value];

			if (unavailable(dim, value))
				ksft_test_result_skip("%s=%s: %s\n", dim_names[dim],
						      dim_values[dim][value].name,
						      unavailable(dim, value));
			else
				ksft_test_result(seen(dim, value),
						 "%s=%s: allowed %u, denied %u, gone %u\n",
						 dim_names[dim], dim_values[dim][value].name,
						 n[ALLOWED], n[DENIED], n[GONE]);
		}
	}
}

static bool enough(unsigned int limit, unsigned int passed, unsigned int seconds)
{
	return passed >= seconds &&
	       (cases >= limit || (passed >= SECONDS_SLOW && cases >= limit / 2));
}

static void run(__u64 seed)
{
	unsigned int limit = setting("XMAP_DIFFER_CASES", CASES);
	unsigned int seconds = setting("XMAP_DIFFER_SECONDS", SECONDS);
	unsigned int nr, judged = 0;
	struct timespec begin, now;
	bool late = false;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (nr = 0; nr < DRAWN_MAX && broken < SHOWN_MAX; nr++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (!late) {
			late = enough(limit, now.tv_sec - begin.tv_sec, seconds);
			judged = cases;
		}
		if (late && ((all_decided() && all_seen()) || cases >= judged + SOUGHT_MAX))
			break;
		family_draw(&world.board->family, seed, nr);
		if (!late || family_wanted(&world.board->family))
			run_family(&world.board->family);
	}
	ksft_print_msg("--seed %llu: %ld seconds\n", seed, now.tv_sec - begin.tv_sec);
	report_all(limit);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "case", required_argument, NULL, 'c' },
		{}
	};
	__u32 random = 1;
	long only = -1;
	int opt, failed;
	__u64 seed;

	getrandom(&random, sizeof(random), 0);
	seed = setting("XMAP_DIFFER_SEED", random);
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (opt == 'c')
			only = strtol(optarg, NULL, 0);
		else
			return 2;
	}

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	if (world_create())
		ksft_exit_fail_msg("no namespaces, profiles or helpers: %s\n", strerror(errno));
	if (only >= 0) {
		family_draw(&world.board->family, seed, only / (EPOCHS * MEMBERS * TARGETS));
		failed = run_case(only / (MEMBERS * TARGETS) % EPOCHS, only / TARGETS % MEMBERS,
				  only % TARGETS);
		world_destroy();
		return failed;
	}
	ksft_set_plan(number_of_results());
	run(seed);
	world_destroy();
	ksft_finished();
}
