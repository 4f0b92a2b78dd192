// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * xmap top: who maps whom, again and again.
 *
 * One row stands for all that one process has on another: its targets and its
 * windows; or for all that it has of one region: its handles and their mappings, of
 * which nobody counts the faults.  Those of an interval are counted window by window,
 * because the sum of a row falls when one of its windows goes.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

static bool json, once;
static const char *interval_text, *count_text;

static const struct opt opts[] = {
	{ "interval", 'i', "SECONDS", "time between two tables (1; 0.001 and more)",
	  NULL, &interval_text },
	{ "count", 'n', "N", "stop after N tables", NULL, &count_text },
	{ "once", 0, NULL, "one table, and no more", &once, NULL },
	{ "json", 'j', NULL, "one JSON object per line and table", &json, NULL },
	{ 0 },
};

/**
 * struct pair - All that one process has on another, or of a region
 * @holder: Who has it
 * @target: On whom
 * @region: Of which region, by its number; 0 if it is a process
 * @uid: Who is charged
 * @rights: Of all its targets or handles together
 * @targets: How many there are
 * @windows: How many there are, or mappings
 * @bytes: Memory that the windows show; or of the handles that are mapped, what they reach
 * @faults: That the windows served
 * @fresh: Of these, since the last table
 * @since: When the oldest was made, CLOCK_BOOTTIME in ns
 */
struct pair {
	pid_t holder;
	pid_t target;
	uint64_t region;
	uint32_t uid;
	uint32_t rights;
	uint32_t targets;
	uint64_t windows;
	uint64_t bytes;
	uint64_t faults;
	uint64_t fresh;
	uint64_t since;
};

struct table {
	struct pair *pairs;
	size_t n;
	uint64_t exports;
	uint64_t targets;
	uint64_t windows;
	uint64_t handles;
	uint64_t names;
	uint64_t bytes;
	/* When it was made, and how long the interval before it was. */
	uint64_t now;
	uint64_t elapsed;
};

static uint64_t boottime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

static struct pair *pair_of(struct table *t, const struct xmap_list_entry *e, uint64_t region)
{
	struct pair *p;

	for (p = t->pairs; p < t->pairs + t->n; p++) {
		if (p->holder == e->holder_pid && p->target == e->target_pid &&
		    p->uid == e->holder_uid && p->region == region)
			return p;
	}
	t->n++;
	*p = (struct pair){
		.holder = e->holder_pid,
		.target = e->target_pid,
		.region = region,
		.uid = e->holder_uid,
		.since = e->since,
	};
	return p;
}

static uint64_t fresh_faults(const struct xmap_list_entry *e, const struct entries *before)
{
	const struct xmap_list_entry *old = entries_find(before, e->serial);

	return old ? e->count - old->count : e->count;
}

static void count_handle(struct table *t, const struct xmap_list_entry *e, struct pair *p)
{
	p->targets++;
	p->windows += e->count;
	p->bytes += e->count ? e->length : 0;
	t->handles++;
}

static void count_entry(struct table *t, const struct xmap_list_entry *e,
			const struct entries *list, const struct entries *before)
{
	bool is_region = e->kind == XMAP_LIST_REGION;
	struct pair *p;

	if (e->kind == XMAP_LIST_EXPORT) {
		t->exports++;
		return;
	}
	if (e->kind == XMAP_LIST_NAME) {
		t->names++;
		return;
	}
	p = pair_of(t, e, is_region ? entries_region(list, e) : 0);
	p->rights |= e->rights;
	if (e->since < p->since)
		p->since = e->since;
	if (is_region) {
		count_handle(t, e, p);
		return;
	}
	if (e->kind != XMAP_LIST_WINDOW) {
		p->targets++;
		t->targets++;
		return;
	}
	p->windows++;
	p->bytes += e->length;
	p->faults += e->count;
	p->fresh += fresh_faults(e, before);
	t->windows++;
	t->bytes += e->length;
}

/* The busiest first. */
static int compare(const void *a, const void *b)
{
	const struct pair *p = a, *q = b;

	if (p->fresh != q->fresh)
		return p->fresh < q->fresh ? 1 : -1;
	if (p->faults != q->faults)
		return p->faults < q->faults ? 1 : -1;
	if (p->bytes != q->bytes)
		return p->bytes < q->bytes ? 1 : -1;
	return (p->since > q->since) - (p->since < q->since);
}

static int table_make(struct table *t, const struct entries *list, const struct entries *before)
{
	size_t i;

	t->pairs = calloc(list->n + 1, sizeof(*t->pairs));
	if (!t->pairs)
		return fail(XC_FAIL, "no memory for a table");
	for (i = 0; i < list->n; i++)
		count_entry(t, &list->v[i], list, before);
	qsort(t->pairs, t->n, sizeof(*t->pairs), compare);
	return XC_OK;
}

/* Per second; 0 in the first table, before which nobody counted. */
static uint64_t rate(const struct table *t, const struct pair *p)
{
	return t->elapsed ? (uint64_t)((double)p->fresh * 1e9 / t->elapsed + 0.5) : 0;
}

static void put_bytes(uint64_t bytes)
{
	static const char units[] = "KMGT";
	double n = bytes / 1024.0;
	size_t i = 0;

	while (n >= 1024 && units[i + 1]) {
		n /= 1024;
		i++;
	}
	printf("%*.*f%c", 8, n < 10 && i ? 1 : 0, n, units[i]);
}

static void put_row(const struct table *t, const struct pair *p)
{
	char rights[RIGHTS_SIZE];

	put_who(stdout, p->holder);
	printf(" %6" PRIu32 " ", p->uid);
	if (p->region)
		printf("%7" PRIu64 " %-15s", p->region, "(region)");
	else
		put_who(stdout, p->target);
	printf(" %-6s %7" PRIu32 " %7" PRIu64 " ", rights_text(p->rights, rights), p->targets,
	       p->windows);
	put_bytes(p->bytes);
	if (p->region)
		printf(" %9s %9s", "-", "-");
	else
		printf(" %9" PRIu64 " %9" PRIu64, p->faults, rate(t, p));
	printf(" %7" PRIu64 "s\n", t->now > p->since ? (t->now - p->since) / 1000000000 : 0);
}

/* How many rows a terminal has room for below the head. */
static size_t room(bool live)
{
	struct winsize size;

	if (!live || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 4)
		return SIZE_MAX;
	return size.ws_row - 3;
}

static void put_table(const struct table *t, bool live)
{
	size_t i, rows = room(live);

	/* All of a screen in one write; rows that are too long are cut, not wrapped. */
	if (live)
		fputs("\033[H\033[J\033[?7l", stdout);
	printf("exports %" PRIu64 ", targets %" PRIu64 ", windows %" PRIu64 ", regions' handles %"
	       PRIu64 ", names %" PRIu64 ", mapped ", t->exports, t->targets, t->windows,
	       t->handles, t->names);
	put_bytes(t->bytes);
	printf("\n%7s %-15s %6s %7s %-15s %-6s %7s %7s %9s %9s %9s %8s\n", "HOLDER", "", "UID",
	       "TARGET", "", "RIGHTS", "TARGETS", "WINDOWS", "BYTES", "FAULTS", "FAULTS/S",
	       "SINCE");
	for (i = 0; i < t->n && i < rows; i++)
		put_row(t, &t->pairs[i]);
	if (live)
		fputs("\033[?7h", stdout);
	else if (!once)
		putchar('\n');
}

static void put_json_pair(const struct table *t, const struct pair *p)
{
	json_who(stdout, "target", p->target);
	printf(",\"targets\":%" PRIu32 ",\"windows\":%" PRIu64 ",\"faults\":%" PRIu64
	       ",\"faults_per_second\":%" PRIu64, p->targets, p->windows, p->faults, rate(t, p));
}

static void put_json_region(const struct pair *p)
{
	printf("\"region\":%" PRIu64 ",\"handles\":%" PRIu32 ",\"mappings\":%" PRIu64, p->region,
	       p->targets, p->windows);
}

static void put_json_rows(const struct table *t, bool regions)
{
	const struct pair *p;
	const char *comma = "";

	for (p = t->pairs; p < t->pairs + t->n; p++) {
		if (!p->region == regions)
			continue;
		printf("%s{", comma);
		comma = ",";
		json_who(stdout, "holder", p->holder);
		printf(",\"uid\":%" PRIu32 ",", p->uid);
		json_rights(stdout, p->rights);
		putchar(',');
		if (regions)
			put_json_region(p);
		else
			put_json_pair(t, p);
		printf(",\"bytes\":%" PRIu64 ",\"since_ns\":%" PRIu64 "}", p->bytes, p->since);
	}
}

static void put_json(const struct table *t)
{
	printf("{\"exports\":%" PRIu64 ",\"targets\":%" PRIu64 ",\"windows\":%" PRIu64
	       ",\"handles\":%" PRIu64 ",\"names\":%" PRIu64 ",\"bytes\":%" PRIu64
	       ",\"now_ns\":%" PRIu64 ",\"pairs\":[", t->exports, t->targets, t->windows,
	       t->handles, t->names, t->bytes, t->now);
	put_json_rows(t, false);
	fputs("],\"regions\":[", stdout);
	put_json_rows(t, true);
	fputs("]}\n", stdout);
}

/* One table.  @before: what there was at the last one, and is now. */
static int show(struct xmap_dev *dev, struct entries *before, uint64_t *last)
{
	struct table t = { .now = boottime() };
	struct entries list;
	int rc;

	rc = entries_load(dev, &list);
	if (rc)
		return fail(XC_FAIL, "cannot list: %s", strerror(-rc));
	t.elapsed = *last ? t.now - *last : 0;
	rc = table_make(&t, &list, before);
	if (!rc && json)
		put_json(&t);
	else if (!rc)
		put_table(&t, !once && isatty(STDOUT_FILENO));
	fflush(stdout);
	free(t.pairs);
	entries_free(before);
	*before = list;
	*last = t.now;
	return rc;
}

static int run(int argc, char **argv)
{
	struct entries before = { 0 };
	uint64_t count = 0, last = 0, i;
	struct xmap_dev *dev;
	int interval, rc;

	(void)argc;
	(void)argv;
	if (once && count_text)
		return fail(XC_USAGE, "give --once or --count, not both");
	rc = interval_parse(interval_text, &interval);
	if (!rc && count_text)
		rc = size_parse(count_text, "count", &count);
	if (!rc)
		rc = module_open("knows who maps whom", &dev);
	if (rc)
		return rc;
	count = once ? 1 : count;
	for (i = 1; !(rc = show(dev, &before, &last)); i++) {
		if (i == count || ferror(stdout))
			break;
		poll(NULL, 0, interval);
	}
	entries_free(&before);
	xmap_close(dev);
	return rc;
}

const struct cmd cmd_top = {
	.name = "top",
	.args = "",
	.summary = "Show who maps whom, and how busily",
	.details =
		"A row for each process that has targets or windows on another, the busiest first:\n"
		"its rights, how many bytes it maps, how many page faults that took, and since\n"
		"when.  A row also for each that has handles of a region: there WINDOWS counts its\n"
		"mappings.  Whose are shown: see `xmap ps --help`.  Needs the module.\n",
	.opts = opts,
	.max_args = 0,
	.run = run,
};
