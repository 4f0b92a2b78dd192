// SPDX-License-Identifier: GPL-2.0-only
/*
 * xmap_stress_test [--seconds N] [--seed N] [--sources N] [--readers N]
 *
 * Without --seconds it goes on for XMAP_STRESS_SECONDS, or 20.  What is random comes
 * from the seed; the order in which processes run does not.
 */
#include <getopt.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "stress.h"
#include "../xmap_zram.h"

#define KSM "/sys/kernel/mm/ksm/"
#define KSFT_SKIP 4
#define SWAP_SIZE (192UL << 20)
#define WARM_UP 3

static unsigned int results, failures;

void result(bool good, const char *fmt, ...)
{
	va_list ap;

	results++;
	failures += !good;
	printf("%sok %u ", good ? "" : "not ", results);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

void result_skip(const char *what, const char *why)
{
	printf("ok %u %s # SKIP %s\n", ++results, what, why);
}

/* ---- The machine ---- */

static char *swap_path;

static const struct {
	const char *path;
	const char *value;
	long saved;
} settings_wanted[] = {
	{ KSM "pages_to_scan", "500", 0 },
	{ KSM "sleep_millisecs", "20", 0 },
	{ KSM "run", "1", 0 },
};

static long saved[ARRAY_SIZE(settings_wanted)];

static bool machine_up(void)
{
	size_t i;

	swap_path = zram_swap_new(SWAP_SIZE);
	if (!swap_path || group_create())
		return false;
	for (i = 0; i < ARRAY_SIZE(settings_wanted); i++) {
		saved[i] = xmap_read_long(settings_wanted[i].path);
		if (xmap_write_file(settings_wanted[i].path, settings_wanted[i].value))
			return false;
	}
	return true;
}

static bool machine_down(void)
{
	size_t i = ARRAY_SIZE(settings_wanted);

	/* Take apart what is merged, then as it was. */
	xmap_write_file(KSM "run", "2");
	while (i--)
		xmap_write_long(settings_wanted[i].path, saved[i]);
	if (group_destroy())
		return false;
	return !zram_swap_end(swap_path);
}

/* ---- Figures ---- */

static const char *const events[] = {
	"pswpin", "pswpout", "pgmigrate_success", "compact_success", "thp_fault_alloc",
	"thp_collapse_alloc", "thp_split_page", "thp_split_pmd", "cow_ksm", "ksm_swpin_copy",
	"pgfault",
};

static long events_before[ARRAY_SIZE(events)];

static long event(size_t i)
{
	char field[40];

	snprintf(field, sizeof(field), "%s ", events[i]);
	return stat_value("/proc/vmstat", field);
}

static void figures_begin(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(events); i++)
		events_before[i] = event(i);
}

static void figures_print(__u64 ms)
{
	size_t i;

	printf("# figures of %llu.%03llu s:\n", ms / 1000, ms % 1000);
	for (i = 0; i < NR_COUNTS; i++)
		printf("# %s: %llu\n", counters[i].name, get(&ledger->count[i]));
	for (i = 0; i < ARRAY_SIZE(events); i++)
		if (events_before[i] >= 0)
			printf("# %s: %ld\n", events[i], event(i) - events_before[i]);
}

static void report(void)
{
	__u32 i, n = ledger->records;
	enum count c;

	for (i = 0; i < n && i < NR_RECORDS; i++)
		printf("# %s\n", ledger->record[i]);
	for (i = 0; i < NR_ERRORS; i++)
		result(!ledger->errors[i], "%s", properties[i]);
	for (c = 0; c < NR_COUNTS; c++) {
		if (action_is_missing(c))
			printf("# never happened: %s\n", counters[c].name);
	}
	result(everything_happened(), "everything happened that was to happen");
	if (!cpu_can_go())
		result_skip("CPU 1 goes and comes", "it cannot here");
	if (!huge_pages_there())
		result_skip("huge pages come and go", "no transparent huge pages here");
	result(event(0) > events_before[0] && event(1) > events_before[1],
	       "pages went to swap space and came back");
	result(get(&ledger->count[C_OOM_SOURCE]) + get(&ledger->count[C_OOM_READER]) <=
		       get(&ledger->count[C_OOM_KILLS]),
	       "nobody was killed but by the supervisor and for want of memory");
}

/* ---- The test ---- */

static int skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	return KSFT_SKIP;
}

static void options_parse(int argc, char **argv, struct options *opts)
{
	static const struct option names[] = {
		{ "seconds", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "sources", required_argument, NULL, 'n' },
		{ "readers", required_argument, NULL, 'm' },
		{},
	};
	const char *text = getenv("XMAP_STRESS_SECONDS");
	int c;

	*opts = (struct options){ .sources = 3, .readers = 3, .seconds = text ? atoi(text) : 20 };
	ledger->seed = time(NULL);
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 't':
			opts->seconds = atoi(optarg);
			break;
		case 's':
			ledger->seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			opts->sources = atoi(optarg);
			break;
		case 'm':
			opts->readers = atoi(optarg);
			break;
		default:
			exit(2);
		}
	}
	if (opts->sources < 1 || opts->readers < 1 || opts->sources + opts->readers > MAX_ACTORS) {
		fprintf(stderr, "1 to %d actors of both kinds\n", MAX_ACTORS);
		exit(2);
	}
}

/* What was executed by an actor: go on as its next incarnation. */
static void actor_again(char **argv)
{
	unsigned int slot = atoi(argv[2]);
	int fd = atoi(argv[3]);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ledger_attach(fd))
		_exit(1);
	slot_renew(slot);
	actor_run(slot, fd);
}

int main(int argc, char **argv)
{
	struct options opts;
	struct utsname uts;
	__u64 begin;

	if (argc == 4 && !strcmp(argv[1], "--actor"))
		actor_again(argv);
	if (geteuid())
		return skip_all("only root can do what this does to the machine");
	self.ledger_fd = ledger_create();
	self.dev = _test_dev_open();
	if (self.ledger_fd < 0 || self.dev < 0) {
		perror(self.dev < 0 ? XMAP_DEV : "memfd");
		return 1;
	}
	options_parse(argc, argv, &opts);
	self.rnd = ledger->seed;
	/* Who watches must live, and not wait for a turn among so many. */
	xmap_write_long("/proc/self/oom_score_adj", -1000);
	setpriority(PRIO_PROCESS, 0, -15);
	uname(&uts);
	printf("TAP version 13\n# %s, seed %llu, %u sources, %u readers\n", uts.release,
	       ledger->seed, opts.sources, opts.readers);
	fflush(stdout);

	if (!machine_up())
		return skip_all("no swap on zram, memory cgroup or KSM here");
	supervise(&opts, WARM_UP, false);
	result(machine_down(), "the machine is as it was after a short run");
	baseline_take();

	memset(ledger->count, 0, sizeof(ledger->count));
	result(machine_up(), "the machine can be set up again");
	figures_begin();
	begin = test_now_ms();
	supervise(&opts, opts.seconds, true);
	report();
	figures_print(test_now_ms() - begin);
	result(machine_down(), "the machine is as it was");
	baseline_report();
	printf("1..%u\n", results);
	return failures ? 1 : 0;
}
