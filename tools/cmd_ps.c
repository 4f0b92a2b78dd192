// SPDX-License-Identifier: LGPL-2.1-or-later
/* xmap ps: who has exports, targets and windows on whom, and handles of regions. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "tool.h"

static bool json;

static const struct opt opts[] = {
	{ "json", 'j', NULL, "one JSON object", &json, NULL },
	{ 0 },
};

static void put_row(const struct xmap_list_entry *e, unsigned long long now)
{
	char rights[RIGHTS_SIZE], parent[24] = "-";

	if (e->parent)
		snprintf(parent, sizeof(parent), "%llu", e->parent);
	printf("%6llu %6s %-6s ", e->serial, parent, entry_kind(e));
	put_who(stdout, e->holder_pid);
	printf(" %6" PRIu32 " ", e->holder_uid);
	put_who(stdout, e->target_pid);
	printf(" %-6s %-7s %12llx %12llx %8llu %6llus\n", rights_text(e->rights, rights),
	       entry_state(e), e->addr, e->length, e->count,
	       now > e->since ? (now - e->since) / 1000000000 : 0);
}

static void put_json(const struct xmap_list_entry *e)
{
	printf("{\"serial\":%llu,\"parent\":%llu,\"kind\":\"%s\",", e->serial, e->parent,
	       entry_kind(e));
	json_who(stdout, "holder", e->holder_pid);
	putchar(',');
	json_who(stdout, "target", e->target_pid);
	printf(",\"uid\":%" PRIu32 ",\"state\":\"%s\",\"alive\":%s,", e->holder_uid,
	       entry_state(e), json_bool(e->state == XMAP_TARGET_ALIVE));
	json_rights(stdout, e->rights);
	printf(",\"address\":%llu,\"length\":%llu,\"local\":%llu", e->addr, e->length, e->local);
	printf(",\"faults\":%llu,\"accepts\":%llu,\"mappings\":%llu,\"since_ns\":%llu}",
	       e->kind == XMAP_LIST_WINDOW ? e->count : 0,
	       e->kind == XMAP_LIST_EXPORT ? e->count : 0,
	       e->kind == XMAP_LIST_REGION ? e->count : 0, e->since);
}

static void put_table(const struct entries *list)
{
	struct timespec now;
	size_t i;

	clock_gettime(CLOCK_BOOTTIME, &now);
	printf("%6s %6s %-6s %7s %-15s %6s %7s %-15s %-6s %-7s %12s %12s %8s %7s\n", "SERIAL",
	       "PARENT", "KIND", "HOLDER", "", "UID", "TARGET", "", "RIGHTS", "STATE", "ADDRESS",
	       "LENGTH", "COUNT", "AGE");
	for (i = 0; i < list->n; i++)
		put_row(&list->v[i], now.tv_sec * 1000000000ULL + now.tv_nsec);
}

static void put_json_table(const struct entries *list)
{
	size_t i;

	fputs("{\"entries\":[", stdout);
	for (i = 0; i < list->n; i++) {
		fputs(i ? ",\n" : "\n", stdout);
		put_json(&list->v[i]);
	}
	fputs("\n]}\n", stdout);
}

static int run(int argc, char **argv)
{
	struct entries list;
	struct xmap_dev *dev;
	int rc;

	(void)argc;
	(void)argv;
	rc = module_open("knows who has targets", &dev);
	if (rc)
		return rc;
	rc = entries_load(dev, &list);
	xmap_close(dev);
	if (rc)
		return fail(XC_FAIL, "cannot list: %s", strerror(-rc));
	if (json)
		put_json_table(&list);
	else
		put_table(&list);
	entries_free(&list);
	return XC_OK;
}

const struct cmd cmd_ps = {
	.name = "ps",
	.args = "",
	.summary = "List who has exports, targets, windows, regions",
	.details =
		"Your own, those on your memory, and with CAP_SYS_PTRACE everybody's.  PARENT is\n"
		"the SERIAL of what it was made from; `xmap revoke SERIAL` takes back an export, a\n"
		"target or a handle of a region.  KIND `name`: a persistent region, which it keeps,\n"
		"and `xmap revoke` ends.  COUNT: page faults that a window served; how\n"
		"often an export was accepted; mappings of a region by that handle, of which\n"
		"ADDRESS is the offset.  Needs the module.\n",
	.opts = opts,
	.max_args = 0,
	.run = run,
};
