// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fuzzer: starts workers, watches the kernel's log, and says what was found.
 *
 *	xmap_fuzz_test [--seconds N] [--workers N] [--seed N] [--dir DIR] [--hang SECONDS]
 *	xmap_fuzz_test --replay FILE [--repeat N]
 *	xmap_fuzz_test --print N [--seed N]
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "fuzz.h"

#define REFCNT "/sys/module/xmap/refcnt"
#define PATIENCE 150
#define LOG_TRIES 5
#define LOG_SECONDS 90

struct options opts = {
	.seconds = 20,
	.workers = 2,
	.hang = 60,
	.repeat = 20,
	.dir = "build/vm-out/fuzz",
};

static const char *log_report;
static bool patience_lost;

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static long refcnt(void)
{
	long value = -1;
	FILE *f = fopen(REFCNT, "r");

	if (f) {
		if (fscanf(f, "%ld", &value) != 1)
			value = -1;
		fclose(f);
	}
	return value;
}

static void make_dirs(const char *dir)
{
	char path[256];
	char *slash;

	snprintf(path, sizeof(path), "%s/", dir);
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
}

static bool log_reports(void)
{
	static char line[1024];
	const char *report = klog_read();

	if (report && !log_report) {
		snprintf(line, sizeof(line), "%s", report);
		log_report = line;
		printf("# kernel log: %s\n", line);
		fflush(stdout);
	}
	return report;
}

/* What is said once only may be said again. */
static void say_again(void)
{
	int fd = open("/sys/kernel/debug/clear_warn_once", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "1", 1) < 0)
			perror("clear_warn_once");
		close(fd);
	}
}

static bool stuck;

static bool reported_again(const struct prog *p, void *data)
{
	int i;

	for (i = 0; i < LOG_TRIES && !stuck; i++) {
		say_again();
		stuck = execute(data, p) == BAD_STUCK;
		if (log_reports())
			return true;
	}
	return false;
}

static char *read_all(const char *path)
{
	static char text[1 << 20];
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return NULL;
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

/* The kernel complained.  Which of the programs that ran last makes it do so again? */
static void find_culprit(void)
{
	unsigned int w, n = 0;
	char path[300], name[64];

	for (w = 0; w < opts.workers && !stuck; w++) {
		const char *next;
		struct executor x;
		struct prog p;

		executor_open(&x, w, false);
		snprintf(path, sizeof(path), "%s/last-%u.txt", opts.dir, w);
		for (next = read_all(path); next && !stuck;) {
			if (prog_parse(next, &p, &next) || !p.n)
				continue;
			snprintf(name, sizeof(name), "log-candidate-%u", n++);
			prog_save(name, &p, log_report, x.uid);
			if (!reported_again(&p, &x))
				continue;
			prog_minimise(&p, reported_again, &x, LOG_SECONDS);
			prog_save("log-small", &p, log_report, x.uid);
			shared->failed[BAD_LOG]++;
			finding_keep(BAD_LOG, &p, log_report, x.uid);
			return;
		}
	}
}

static void supervise(void)
{
	time_t end = now() + opts.seconds, last;
	unsigned int alive = 0, w;
	int status;

	fflush(NULL);
	for (w = 0; w < opts.workers; w++) {
		pid_t pid = fork();

		if (!pid)
			exit(worker_main(w));
		alive += pid > 0;
	}
	for (last = end; alive && now() < last + PATIENCE;) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid > 0) {
			alive--;
			if (status) {
				printf("# a worker ended with status %#x\n", status);
				shared->failed[BAD_STUCK]++;
			}
			continue;
		}
		if (!shared->stop && (now() >= end || log_reports())) {
			shared->stop = 1;
			last = now();
		}
		usleep(200000);
	}
	shared->stop = 1;
	patience_lost = alive;
}

/* ---- What is said ---- */

static unsigned int test_nr, tests_failed;

static void result(bool ok, const char *what)
{
	tests_failed += !ok;
	printf("%sok %u %s\n", ok ? "" : "not ", ++test_nr, what);
}

/* Says what there is of them. */
static bool none(enum verdict a, enum verdict b)
{
	if (shared->failed[a])
		finding_print(a);
	if (shared->failed[b] && a != b)
		finding_print(b);
	return !shared->failed[a] && !shared->failed[b];
}

/* References may go a little late. */
static bool settled(long before)
{
	int ms;

	for (ms = 0; refcnt() > before && ms < 10000; ms += 10)
		usleep(10000);
	return refcnt() == before;
}

static void summary(long before, time_t seconds)
{
	__u64 executions = 0, made = 0;
	unsigned int w;
	bool ends;

	for (w = 0; w < opts.workers; w++) {
		executions += shared->executions[w];
		made += shared->calls[w];
	}
	printf("# executions %llu, calls %llu, in %ld s, corpus %u, ",
	       (unsigned long long)executions, (unsigned long long)made, (long)seconds,
	       shared->ncorpus);
	if (work_guided())
		printf("covered PCs %u\n", shared->ncovered);
	else
		printf("pairs of results %u\n", shared->nresults);
	printf("1..9\n");
	result(executions, "programs were run");
	result(none(BAD_ERRNO, BAD_OUTPUT), "every call answers as documented");
	result(none(BAD_RIGHTS, BAD_CANARY), "nobody gets or writes what he may not");
	result(none(BAD_CONTENT, BAD_CONTENT), "windows show what their targets have");
	result(none(BAD_REVOKED, BAD_REVOKED), "nobody reaches what has been taken back");
	result(none(BAD_FD, BAD_OBJECTS), "no descriptor and no object is left behind");
	ends = none(BAD_HANG, BAD_STUCK) & none(BAD_EXIT, BAD_EXIT);
	if (patience_lost || stuck)
		printf("# %s\n", stuck ? "one cannot be killed" : "a worker does not end");
	result(ends && !patience_lost && !stuck, "every program ends");
	log_reports();
	if (log_report)
		printf("# kernel log: %s\n", log_report);
	result(none(BAD_LOG, BAD_LOG) && !log_report, "kernel log is clean");
	result(settled(before), "objects back to zero");
}

static int fuzz(void)
{
	long before = refcnt();
	time_t begin = now();

	work_setup();
	printf("TAP version 13\n# seed %llu, %u workers, %u s, files in %s\n",
	       (unsigned long long)opts.seed, opts.workers, opts.seconds, opts.dir);
	if (!work_guided())
		printf("# this kernel has no KCOV: guided by results only\n");
	if (opts.workers == 1)
		printf("# one worker: its programs depend on the seed only\n");
	supervise();
	if (log_report && !patience_lost)
		find_culprit();
	if (work_guided())
		work_save_cover();
	summary(before, now() - begin);
	return tests_failed ? 1 : 0;
}

/* ---- Replaying ---- */

static int replay(void)
{
	const char *next = read_all(opts.replay);
	unsigned int i, n = 0, bad = 0;
	struct executor x[2];
	struct prog p;

	if (!next) {
		perror(opts.replay);
		return 1;
	}
	for (i = 0; i < 2; i++)
		executor_open(&x[i], i, false);
	while (next) {
		if (prog_parse(next, &p, &next))
			return 1;
		for (i = 0; p.n && i < opts.repeat && !stuck; i++) {
			/* As root and as nobody in turn. */
			struct executor *as = &x[i % 2];

			stuck = execute(as, &p) == BAD_STUCK;
			if (log_reports() || as->run->verdict != FINE) {
				printf("# program %u, run %u, uid %u: %s: %s\n", n, i, as->uid,
				       verdict_names[as->run->verdict], as->run->why);
				bad++;
			}
		}
		n += p.n > 0;
	}
	printf("1..1\n");
	result(!bad && !log_report, "nothing is found");
	return bad || log_report ? 1 : 0;
}

static unsigned long long to_number(const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 0);

	if (*end || end == text) {
		fprintf(stderr, "fuzz: what number is %s?\n", text);
		exit(2);
	}
	return value;
}

static unsigned long long setting(const char *name, unsigned long long otherwise)
{
	const char *text = getenv(name);

	return text ? to_number(text) : otherwise;
}

static void options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seconds", 1, NULL, 's' }, { "workers", 1, NULL, 'w' }, { "seed", 1, NULL, 'e' },
		{ "dir", 1, NULL, 'd' }, { "hang", 1, NULL, 'h' }, { "replay", 1, NULL, 'r' },
		{ "repeat", 1, NULL, 'n' }, { "print", 1, NULL, 'p' }, { NULL, 0, NULL, 0 },
	};
	int c;

	opts.seed = setting("XMAP_FUZZ_SEED", time(NULL));
	opts.seconds = setting("XMAP_FUZZ_SECONDS", opts.seconds);
	opts.workers = setting("XMAP_FUZZ_WORKERS", opts.workers);
	opts.hang = setting("XMAP_FUZZ_HANG", opts.hang);
	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		switch (c) {
		case 's':
			opts.seconds = to_number(optarg);
			break;
		case 'w':
			opts.workers = to_number(optarg);
			break;
		case 'e':
			opts.seed = to_number(optarg);
			break;
		case 'd':
			opts.dir = optarg;
			break;
		case 'h':
			opts.hang = to_number(optarg);
			break;
		case 'r':
			opts.replay = optarg;
			break;
		case 'n':
			opts.repeat = to_number(optarg);
			break;
		case 'p':
			opts.print = to_number(optarg);
			break;
		default:
			exit(2);
		}
	}
	if (!opts.workers || opts.workers > MAX_WORKERS) {
		fprintf(stderr, "fuzz: 1 to %u workers\n", MAX_WORKERS);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	/* The other program that programs run. */
	if (argc == 2 && !strcmp(argv[1], "--pause"))
		for (;;)
			pause();
	options(argc, argv);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED) {
		perror("fuzz");
		return 1;
	}
	if (opts.print) {
		work_print(opts.print);
		return 0;
	}
	if (geteuid()) {
		fprintf(stderr, "fuzz: needs root, in a machine that can be lost\n");
		return 1;
	}
	make_dirs(opts.dir);
	klog_open();
	return opts.replay ? replay() : fuzz();
}
