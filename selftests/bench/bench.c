// SPDX-License-Identifier: GPL-2.0-only
/*
 * xmap_bench - what windows, copies and channels cost, beside the ways that Linux has.
 *
 * The ways of a case run in turn, round after round, so that whatever else the
 * machine does falls on all of them; what is reported are medians, and medians
 * of the ratios within each round.  A goal that is missed is shown and is not
 * an error: a timed test would fail on a busy machine.  Wrong data, a short
 * copy or a refused call is an error.
 */
#define _GNU_SOURCE
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "bench.h"

struct result {
	double ns[BENCH_MAX_ROUNDS];
};

struct ratio {
	bool valid;
	double value;
};

/* What the ways of a case are compared with, where that takes part in it. */
static const struct {
	const char *way;
	const char *heading;
	const char *key;
} bases[] = {
	{ "memfd", "/memfd", "ratio_to_memfd" },
	{ "process_vm_readv", "/procvm", "ratio_to_process_vm" },
	{ "unix_socket", "/socket", "ratio_to_unix_socket" },
	{ "pipe", "/pipe", "ratio_to_pipe" },
	{ "futex", "/futex", "ratio_to_futex" },
	{ "memcpy", "/memcpy", "ratio_to_memcpy" },
	{ "pipe_vmsplice", "/vmsplice", "ratio_to_pipe_vmsplice" },
};

#define NR_BASES (sizeof(bases) / sizeof(*bases))

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts @values. */
static double median(double *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), compare);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static int find_way(const struct bench_case *c, const char *name)
{
	for (int i = 0; c->ways[i].name; i++) {
		if (!strcmp(c->ways[i].name, name))
			return i;
	}
	return -1;
}

/* The median of this way's time over that one's, round by round. */
static struct ratio ratio_to(const struct bench_case *c, const struct result *results,
			     int way, const char *base)
{
	double values[BENCH_MAX_ROUNDS];
	int other = find_way(c, base);

	if (other < 0)
		return (struct ratio){ .valid = false };
	for (unsigned int r = 0; r < c->rounds; r++)
		values[r] = results[way].ns[r] / results[other].ns[r];
	return (struct ratio){ .valid = true, .value = median(values, c->rounds) };
}

/* A new order in each round, so that no way always follows the same other one. */
static void shuffle(int *order, int count)
{
	static uint32_t state = 1;

	for (int i = 0; i < count; i++)
		order[i] = i;
	for (int i = count - 1; i > 0; i--) {
		int other, swap = order[i];

		state = state * 1664525 + 1013904223;
		other = (state >> 16) % (i + 1);
		order[i] = order[other];
		order[other] = swap;
	}
}

static void run_case(struct bench *b, const struct bench_case *c, struct result *results)
{
	int order[BENCH_MAX_WAYS];
	int nways = 0;

	while (c->ways[nways].name)
		nways++;
	b->size = c->size;
	if (c->setup)
		c->setup(b);
	/* The first time round is not counted: it warms caches and page tables. */
	for (unsigned int r = 0; r <= c->rounds; r++) {
		shuffle(order, nways);
		for (int i = 0; i < nways; i++) {
			const struct bench_way *way = &c->ways[order[i]];
			double ns;

			if (way->needs_module && b->dev_fd < 0)
				continue;
			ns = way->run(b, way, r);
			if (r)
				results[way - c->ways].ns[r - 1] = ns;
		}
	}
	if (c->teardown)
		c->teardown(b);
}

static void print_ratio(struct ratio ratio)
{
	if (ratio.valid)
		printf(" %9.*f", ratio.value < 0.01 ? 5 : 3, ratio.value);
	else
		printf(" %9s", "-");
}

static void json_ratio(FILE *json, const char *name, struct ratio ratio)
{
	if (ratio.valid)
		fprintf(json, ", \"%s\": %.5f", name, ratio.value);
	else
		fprintf(json, ", \"%s\": null", name);
}

static void report_goal(const struct bench_case *c, const struct result *results)
{
	struct ratio ratio = ratio_to(c, results, find_way(c, c->goal.way), c->goal.base);
	bool met = ratio.value >= c->goal.low && ratio.value <= c->goal.high;

	if (c->goal.low > 0)
		printf("  %s to %s, goal %.2f..%.2f: %.2f %s\n", c->goal.way, c->goal.base,
		       c->goal.low, c->goal.high, ratio.value, met ? "ok" : "MISSED");
	else
		printf("  %s to %s, goal at most %.2f: %.4f %s\n", c->goal.way, c->goal.base,
		       c->goal.high, ratio.value, met ? "ok" : "MISSED");
}

static void report(const struct bench *b, const struct bench_case *c,
		   const struct result *results, FILE *json)
{
	static bool first = true;

	for (int i = 0; c->ways[i].name; i++) {
		double sorted[BENCH_MAX_ROUNDS], mid;

		if (c->ways[i].needs_module && b->dev_fd < 0)
			continue;
		memcpy(sorted, results[i].ns, sizeof(sorted));
		mid = median(sorted, c->rounds) / c->unit_ns;

		printf("%-27s %-17s %9zu %11.3f %11.3f %11.3f %-3s", c->name, c->ways[i].name,
		       c->size, mid, sorted[0] / c->unit_ns, sorted[c->rounds - 1] / c->unit_ns,
		       c->unit);
		fprintf(json, "%s\n  {\"case\": \"%s\", \"way\": \"%s\", \"size\": %zu, ",
			first ? "[" : ",", c->name, c->ways[i].name, c->size);
		fprintf(json, "\"unit\": \"%s\", \"median\": %.4f, \"min\": %.4f, \"max\": %.4f",
			c->unit, mid, sorted[0] / c->unit_ns, sorted[c->rounds - 1] / c->unit_ns);
		for (size_t n = 0; n < NR_BASES; n++) {
			struct ratio ratio = ratio_to(c, results, i, bases[n].way);

			print_ratio(ratio);
			json_ratio(json, bases[n].key, ratio);
		}
		printf("\n");
		fprintf(json, "}");
		first = false;
	}
	if (c->goal.way && (b->dev_fd >= 0 || !c->ways[find_way(c, c->goal.way)].needs_module))
		report_goal(c, results);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct result results[BENCH_MAX_WAYS];
	struct bench b = { 0 };
	struct utsname uts;
	FILE *json;

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: %s OUTPUT.json [CASE]\n", argv[0]);
		return 2;
	}
	json = fopen(argv[1], "we");
	if (!json)
		err(1, "%s", argv[1]);

	bench_start(&b);
	uname(&uts);
	printf("# xmap_bench on %s: %s\n", uts.release,
	       b.dev_fd >= 0 ? "with /dev/xmap" :
	       "no /dev/xmap, so only the other ways; load the module for all");
	printf("%-27s %-17s %9s %11s %11s %11s %-3s", "case", "way", "size", "median", "min",
	       "max", "");
	for (size_t n = 0; n < NR_BASES; n++)
		printf(" %9s", bases[n].heading);
	printf("\n");
	for (const struct bench_case *c = bench_cases; c->name; c++) {
		if (argc == 3 && strcmp(argv[2], c->name))
			continue;
		run_case(&b, c, results);
		report(&b, c, results, json);
	}
	fprintf(json, "\n]\n");
	if (fclose(json))
		err(1, "%s", argv[1]);
	bench_stop(&b);
	return 0;
}
