// SPDX-License-Identifier: GPL-2.0-only
/*
 * The differential permission test: see differ.h and ask.c.
 *
 *   xmap_differ_test [--seed N] [--case N]
 *
 * With --case that one case only, in detail.  A run ends after
 * XMAP_DIFFER_CASES cases, or when its time is up (XMAP_DIFFER_SECONDS) and
 * every value of every dimension has been seen with each verdict that it can
 * have: who only ever sees one of them is blind.
 */
#include <getopt.h>
#include <kselftest.h>
#include <sys/random.h>
#include <time.h>

#include "differ.h"

#define CASES 4000
/* Fewer than this are no test. */
#define CASES_MIN 200
/* How far to look for cases that show what has not been seen. */
#define DRAWN_MAX 1000000
#define SECONDS 30
/* A target that executes programs may be caught between two verdicts this often. */
#define TRIES_EXECING 200
/* Differences are all alike, mostly. */
#define SHOWN_MAX 20

static unsigned int count[DIMS][VALUES_MAX][OUTCOMES];
static unsigned int total[OUTCOMES];
static unsigned int cases, differences, broken, restarts;

static const char outcome_letter[OUTCOMES] = { 'A', 'D', 'G' };

static unsigned long setting(const char *name, unsigned long value)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : value;
}

/* ---- One case ---- */

static void report(const struct pair_case *c, const char *what)
{
	case_print(c);
	printf("\n");
	ask_print(world.answers);
	printf(": %s\n", what);
	fflush(stdout);
}

static void tally(const struct pair_case *c)
{
	enum outcome outcome = ask_outcome(world.answers);
	int i;

	total[outcome]++;
	for (i = 0; i < DIMS; i++)
		count[i][c->dim[i]][outcome]++;
}

/*
 * Ask until there is no difference, where the target moves; else once more, to
 * tell a difference that stays from one that was a race.  Both are failures.
 */
static int compare(struct pair *p, const struct pair_case *c, bool verbose)
{
	const char *what = NULL;
	int tries = c->dim[D_TARGET] == TG_EXECING ? TRIES_EXECING : 1;

	while (tries--) {
		if (pair_ask(p))
			return -1;
		what = ask_difference(c, p, world.answers);
		if (!what)
			break;
		restarts += tries > 0;
	}
	if (verbose || (what && differences < SHOWN_MAX))
		report(c, what ?: "no difference");
	if (!what) {
		tally(c);
		return 0;
	}
	differences++;
	if (pair_ask(p))
		return -1;
	what = ask_difference(c, p, world.answers);
	if (differences < SHOWN_MAX)
		report(c, what ?: "gone when asked again: a race");
	return 0;
}

static void run_case(const struct pair_case *c, bool verbose)
{
	struct pair p;

	cases++;
	if (pair_create(&p, c) || compare(&p, c, verbose)) {
		broken++;
		case_print(c);
		printf("\n#  broken: %s: %s\n", pair_step, strerror(errno));
	}
	pair_destroy(&p);
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

static bool all_seen(void)
{
	int dim, value;

	for (dim = 0; dim < DIMS; dim++)
		for (value = 0; value < VALUES_MAX && dim_values[dim][value].name; value++)
			if (!unavailable(dim, value) && !seen(dim, value))
				return false;
	return true;
}

/* This case may show what has not been seen yet. */
static bool wanted(const struct pair_case *c)
{
	int dim;

	for (dim = 0; dim < DIMS; dim++)
		if (!unavailable(dim, c->dim[dim]) && !seen(dim, c->dim[dim]))
			return true;
	return false;
}

static unsigned int number_of_results(void)
{
	unsigned int results = 3;
	int dim, value;

	for (dim = 0; dim < DIMS; dim++)
		for (value = 0; value < VALUES_MAX && dim_values[dim][value].name; value++)
			results++;
	return results;
}

static void report_all(void)
{
	int dim, value;

	ksft_print_msg("%u cases: %u allowed, %u denied, %u gone; asked again %u times\n",
		       cases, total[ALLOWED], total[DENIED], total[GONE], restarts);
	ksft_test_result(!differences, "no differences: %u\n", differences);
	ksft_test_result(!broken, "no broken cases: %u\n", broken);
	ksft_test_result(cases >= CASES_MIN, "enough cases: %u\n", cases);
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

static void run(__u64 seed)
{
	unsigned int limit = setting("XMAP_DIFFER_CASES", CASES);
	unsigned int seconds = setting("XMAP_DIFFER_SECONDS", SECONDS);
	struct timespec begin, now;
	struct pair_case c;
	unsigned int nr;
	bool late = false;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (nr = 0; nr < DRAWN_MAX && cases < limit && broken < SHOWN_MAX; nr++) {
		case_draw(&c, seed, nr);
		if (late && all_seen())
			break;
		if (late && !wanted(&c))
			continue;
		run_case(&c, false);
		clock_gettime(CLOCK_MONOTONIC, &now);
		late = cases >= CASES_MIN && now.tv_sec - begin.tv_sec >= seconds;
	}
	ksft_print_msg("--seed %llu: %ld seconds\n", seed, now.tv_sec - begin.tv_sec);
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
	struct pair_case c;
	__u64 seed;
	int opt;

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
		case_draw(&c, seed, only);
		run_case(&c, true);
		world_destroy();
		return differences || broken;
	}
	ksft_set_plan(number_of_results());
	run(seed);
	report_all();
	world_destroy();
	ksft_finished();
}
