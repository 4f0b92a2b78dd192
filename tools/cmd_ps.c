// SPDX-License-Identifier: LGPL-2.1-or-later
/* xmap ps: who has targets and windows on whom. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "tool.h"

#define BATCH 64

static bool json;

static const struct opt opts[] = {
	{ "json", 'j', NULL, "one JSON object", &json, NULL },
	{ 0 },
};

static const char *comm(pid_t pid, struct proc_stat *st)
{
	return pid && !proc_stat(pid, st) ? st->comm : "";
}

static void put_who(pid_t pid)
{
	struct proc_stat st;
	const char *name;

	if (!pid) {
		printf("%7s %-15s ", "-", "-");
		return;
	}
	name = comm(pid, &st);
	printf("%7d ", pid);
	put_text(stdout, name, strlen(name));
	printf("%*s ", strlen(name) < 15 ? 15 - (int)strlen(name) : 0, "");
}

static const char *rights_text(uint32_t rights, char *buf)
{
	buf[0] = rights & XMAP_RIGHT_READ ? 'r' : '-';
	buf[1] = rights & XMAP_RIGHT_WRITE ? 'w' : '-';
	buf[2] = rights & XMAP_RIGHT_FORCE ? 'f' : '-';
	buf[3] = '\0';
	return buf;
}

static void put_row(const struct xmap_list_entry *e, unsigned long long now)
{
	char rights[4];

	printf("%-6s ", e->kind == XMAP_LIST_WINDOW ? "window" : "target");
	put_who(e->holder_pid);
	printf("%6" PRIu32 " ", e->holder_uid);
	put_who(e->target_pid);
	printf("%-6s %-5s %12llx %12llx %8llu %6llus\n",
	       rights_text(e->rights, rights), e->state == XMAP_TARGET_ALIVE ? "alive" : "dead",
	       e->addr, e->length, e->count,
	       now > e->since ? (now - e->since) / 1000000000 : 0);
}

static void json_who(const char *key, pid_t pid)
{
	struct proc_stat st;
	const char *name = comm(pid, &st);

	printf("\"%s_pid\":%d,\"%s_name\":", key, pid, key);
	json_string(stdout, name, strlen(name));
	putchar(',');
}

static const char *json_bool(bool set)
{
	return set ? "true" : "false";
}

static void put_json(const struct xmap_list_entry *e)
{
	printf("{\"kind\":\"%s\",", e->kind == XMAP_LIST_WINDOW ? "window" : "target");
	json_who("holder", e->holder_pid);
	json_who("target", e->target_pid);
	printf("\"uid\":%" PRIu32 ",\"alive\":%s", e->holder_uid,
	       json_bool(e->state == XMAP_TARGET_ALIVE));
	printf(",\"read\":%s,\"write\":%s,\"force\":%s", json_bool(e->rights & XMAP_RIGHT_READ),
	       json_bool(e->rights & XMAP_RIGHT_WRITE), json_bool(e->rights & XMAP_RIGHT_FORCE));
	printf(",\"address\":%llu,\"length\":%llu,\"local\":%llu", e->addr, e->length, e->local);
	printf(",\"faults\":%llu,\"since_ns\":%llu}", e->count, e->since);
}

static void put_head(void)
{
	if (json)
		fputs("{\"entries\":[", stdout);
	else
		printf("%-6s %7s %-15s %6s %7s %-15s %-6s %-5s %12s %12s %8s %7s\n", "KIND",
		       "HOLDER", "", "UID", "TARGET", "", "RIGHTS", "STATE", "ADDRESS",
		       "LENGTH", "FAULTS", "AGE");
}

static int put_list(struct xmap_dev *dev)
{
	struct xmap_list_entry entries[BATCH];
	uint64_t cursor = 0, total = 0, ns;
	struct timespec now;
	ssize_t n, i;

	put_head();
	do {
		n = xmap_list(dev, &cursor, entries, BATCH);
		clock_gettime(CLOCK_BOOTTIME, &now);
		ns = now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
		for (i = 0; i < n; i++) {
			if (json) {
				fputs(total++ ? ",\n" : "\n", stdout);
				put_json(&entries[i]);
			} else {
				put_row(&entries[i], ns);
			}
		}
	} while (n >= 0 && cursor);
	if (json)
		fputs("\n]}\n", stdout);
	return n < 0 ? fail(XC_FAIL, "cannot list: %s", strerror(-n)) : XC_OK;
}

static int run(int argc, char **argv)
{
	struct xmap_dev *dev;
	int rc;

	(void)argc;
	(void)argv;
	/* There is nothing to fall back on: say so once, as the error. */
	if (!common.backend || !strcmp(common.backend, "auto"))
		common.backend = "module";
	rc = device_open(&dev);
	if (rc)
		return rc;
	if (xmap_backend(dev) == XMAP_BACKEND_MODULE)
		rc = put_list(dev);
	else
		rc = fail(XC_MODULE, "only the module knows who has targets: leave --backend out");
	xmap_close(dev);
	return rc;
}

const struct cmd cmd_ps = {
	.name = "ps",
	.args = "",
	.summary = "List who has targets and windows on whom",
	.details = "Your own, and with CAP_SYS_PTRACE everybody's.  Needs the module.\n",
	.opts = opts,
	.max_args = 0,
	.run = run,
};
