// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * xmap watch: memory of a process again and again.
 *
 * With the module the samples come out of a window: one mapping, and each
 * sample is a plain load.  The loads are guarded, so that memory that goes away
 * is a reason to stop and not the end by SIGBUS.  While it waits for the next
 * sample the command sleeps in poll() on the target, and hears at once when the
 * target ends.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define LENGTH_MAX (64U << 10)
#define DUMP_DEFAULT 64

static bool json, changes;
static const char *type_name, *interval_text, *count_text;

static const struct opt opts[] = {
	{ "type", 't', "TYPE", "u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 ptr str", NULL, &type_name },
	{ "interval", 'i', "SECONDS", "time between samples (1; 0.001 and more)",
	  NULL, &interval_text },
	{ "count", 'n', "N", "stop after N samples", NULL, &count_text },
	{ "changes", 'c', NULL, "print a sample only if it differs from the last", &changes, NULL },
	{ "json", 'j', NULL, "one JSON object per line and sample", &json, NULL },
	{ 0 },
};

struct watch {
	struct session s;
	const struct value_type *type;
	struct xmap_window *win;
	uint64_t addr;
	uint64_t offset;
	uint64_t length;
	uint64_t count;
	/* Lines of the last sample on a terminal, to be drawn over. */
	unsigned int lines;
	int interval_ms;
};

static void put_sample_json(const struct watch *w, const uint8_t *buf, const struct timespec *now)
{
	size_t i;

	printf("{\"time\":%lld.%03ld,\"via\":\"%s\",\"address\":%" PRIu64 ",",
	       (long long)now->tv_sec, now->tv_nsec / 1000000, w->win ? "window" : "copy", w->addr);
	if (!w->type) {
		fputs("\"hex\":\"", stdout);
		json_hex(stdout, buf, w->length);
		fputs("\"}\n", stdout);
		return;
	}
	printf("\"type\":\"%s\",\"values\":[", w->type->name);
	if (w->type->kind == VALUE_STR)
		json_string(stdout, (const char *)buf, strnlen((const char *)buf, w->length));
	for (i = 0; w->type->kind != VALUE_STR && i < w->length; i += w->type->size) {
		if (i)
			putchar(',');
		value_put(stdout, w->type, buf + i, true);
	}
	fputs("]}\n", stdout);
}

static unsigned int put_sample_text(const struct watch *w, const uint8_t *buf)
{
	size_t i;

	if (!w->type) {
		putchar('\n');
		put_hexdump(stdout, w->addr, buf, w->length);
		return 1 + (w->length + 15) / 16;
	}
	fputs("  ", stdout);
	if (w->type->kind == VALUE_STR)
		put_text(stdout, (const char *)buf, strnlen((const char *)buf, w->length));
	for (i = 0; w->type->kind != VALUE_STR && i < w->length; i += w->type->size) {
		if (i)
			putchar(' ');
		value_put(stdout, w->type, buf + i, false);
	}
	putchar('\n');
	return 1;
}

static void put_sample(struct watch *w, const uint8_t *buf)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	if (json) {
		put_sample_json(w, buf, &now);
	} else {
		/* A live picture on a terminal, a log everywhere else. */
		if (w->lines && !changes && isatty(STDOUT_FILENO))
			printf("\033[%uA\033[J", w->lines);
		localtime_r(&now.tv_sec, &tm);
		printf("%02d:%02d:%02d.%03ld", tm.tm_hour, tm.tm_min, tm.tm_sec,
		       now.tv_nsec / 1000000);
		w->lines = put_sample_text(w, buf);
	}
	fflush(stdout);
}

/* All of it or an error: half a value is none. */
static int sample(struct watch *w, uint8_t *buf)
{
	uint64_t done = 0;
	ssize_t n;

	if (w->win && guard_copy(buf, (char *)w->win->addr + w->offset, w->length))
		return XC_OK;
	/* Without a window, or to say exactly where the memory ends. */
	while (done < w->length) {
		n = xmap_read(w->s.target, w->addr + done, buf + done, w->length - done);
		if (n <= 0)
			return session_fail(&w->s, n ? n : -EFAULT, w->addr + done, false);
		done += n;
	}
	return XC_OK;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Sleep until @until, or until the target ends. */
static int wait_until(struct watch *w, int64_t until)
{
	struct pollfd pfd = { .fd = w->s.pidfd, .events = POLLIN };
	int64_t left;
	int rc;

	/* A target of the module tells when its address space has ended, or it was revoked. */
	if (session_has_window(&w->s))
		pfd = (struct pollfd){ .fd = xmap_target_fd(w->s.target) };
	do {
		left = until - now_ms();
		rc = poll(&pfd, 1, left > 0 ? (int)left : 0);
		if (rc > 0)
			return session_fail_ended(&w->s);
	} while (left > 0 && (!rc || errno == EINTR));
	return XC_OK;
}

static int loop(struct watch *w)
{
	uint8_t *buf, *last, *swap;
	int64_t next = now_ms();
	uint64_t i;
	int rc;

	buf = malloc(w->length);
	last = malloc(w->length);
	rc = buf && last ? XC_OK : fail(XC_FAIL, "no memory for a buffer");
	for (i = 0; !rc && (!w->count || i < w->count) && !ferror(stdout); ) {
		rc = sample(w, buf);
		if (rc)
			break;
		if (!changes || !i || memcmp(buf, last, w->length)) {
			put_sample(w, buf);
			i++;
			swap = last;
			last = buf;
			buf = swap;
		}
		if (i == w->count && w->count)
			break;
		/* A stopped terminal does not get a burst afterwards. */
		next += w->interval_ms;
		if (next < now_ms())
			next = now_ms();
		rc = wait_until(w, next);
	}
	free(buf);
	free(last);
	return rc;
}

static int map_window(struct watch *w)
{
	uint64_t page = sysconf(_SC_PAGESIZE), first, end;
	int rc;

	if (!session_has_window(&w->s))
		return XC_OK;
	first = w->addr & ~(page - 1);
	end = (w->addr + w->length + page - 1) & ~(page - 1);
	w->offset = w->addr - first;
	rc = xmap_map(w->s.target, first, end - first, NULL, &w->win);
	if (rc == -EDQUOT) {
		notice("too many windows: see `xmap ps`; using copies");
		return XC_OK;
	}
	/* An export may begin or end within a page, of which a window cannot show a part. */
	if (rc == -EACCES && w->s.is_export)
		return XC_OK;
	return rc ? session_fail(&w->s, rc, w->addr, false) : XC_OK;
}

static int parse_args(struct watch *w, const char *length)
{
	int rc = XC_OK;

	if (type_name)
		rc = value_type_find(type_name, &w->type);
	if (!rc && count_text)
		rc = size_parse(count_text, "count", &w->count);
	if (!rc)
		rc = interval_parse(interval_text, &w->interval_ms);
	w->length = DUMP_DEFAULT;
	if (w->type && w->type->kind != VALUE_STR)
		w->length = w->type->size;
	if (!rc && length)
		rc = size_parse(length, "length", &w->length);
	if (rc)
		return rc;
	if (w->length > LENGTH_MAX)
		return fail(XC_USAGE, "length %s is too large to watch: at most 64K", length);
	if (w->type && w->length % w->type->size)
		return fail(XC_USAGE, "length %s is not a multiple of the %zu bytes of %s", length,
			    w->type->size, w->type->name);
	return XC_OK;
}

static int run(int argc, char **argv)
{
	struct watch w = { 0 };
	uint64_t rest;
	int rc;

	rc = parse_args(&w, argc > 2 ? argv[2] : NULL);
	if (rc)
		return rc;
	rc = session_open(&w.s, argv[0], XMAP_RIGHT_READ);
	if (rc)
		return rc;
	rc = session_addr(&w.s, argc > 1 ? argv[1] : NULL, &w.addr);
	if (!rc && w.s.is_export && argc < 3 && !type_name) {
		rc = session_length(&w.s, w.addr, &rest);
		w.length = !rc && rest < w.length ? rest : w.length;
	}
	if (!rc && w.addr + (w.length - 1) < w.addr)
		rc = fail(XC_USAGE, "0x%" PRIx64 " plus a length of %" PRIu64 " wraps around",
			  w.addr, w.length);
	if (!rc)
		rc = map_window(&w);
	if (!rc)
		rc = loop(&w);
	xmap_unmap(w.win);
	session_close(&w.s);
	return rc;
}

const struct cmd cmd_watch = {
	.name = "watch",
	.args = "PROCESS ADDRESS [LENGTH]",
	.summary = "Show memory of a process as it changes",
	.details =
		"Reads through a window, or by copies without the module.  Runs until it is\n"
		"interrupted, --count samples are printed, or the memory or its process ends.\n"
		"ADDRESS: see `xmap read --help`.\n",
	.opts = opts,
	.min_args = 2,
	.max_args = 3,
	.whole_export = true,
	.run = run,
};
