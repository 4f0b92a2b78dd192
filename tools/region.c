// SPDX-License-Identifier: LGPL-2.1-or-later
/* Regions by their names, what they are, and who has them. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "region.h"

int region_fail(const char *name, const char *what, int err)
{
	switch (err) {
	case -ENOENT:
		return fail(XC_PROCESS, "no region `%s` in this user namespace", name);
	case -EEXIST:
		return fail(XC_FAIL, "the name `%s` is taken: choose another", name);
	case -EACCES:
		return fail(XC_DENIED, "no right to %s region `%s`", what, name);
	case -EPERM:
		return fail(XC_DENIED, "no right to publish it for a group that you are not in");
	case -ESTALE:
		return fail(XC_ENDED, "region `%s` has been revoked", name);
	case -EDQUOT:
		return fail(XC_FAIL,
			    "too many regions, or bytes of them: see the limits in `xmap check`");
	case -ENOTTY:
		return fail(XC_FAIL, "the module knows no regions: it is of an older release");
	default:
		return fail(XC_FAIL, "cannot %s region `%s`: %s", what, name, strerror(-err));
	}
}

int region_open(struct region *r, const char *name, uint32_t rights)
{
	const char *what = rights & XMAP_RIGHT_MANAGE ? "remove" : "open";
	int rc;

	rc = name_parse(name, &r->name);
	if (!rc)
		rc = module_open("has regions", &r->dev);
	if (rc)
		return rc;
	rc = xmap_region_open(r->dev, name, rights | XMAP_RIGHT_READ, &r->handle);
	if (rc == -EACCES)
		rc = xmap_region_open(r->dev, name, rights | XMAP_RIGHT_WRITE, &r->handle);
	return rc ? region_fail(name, what, rc) : XC_OK;
}

int region_ask(struct region *r, struct entries *list)
{
	const struct xmap_list_entry *own;
	int rc;

	rc = xmap_region_info(r->handle, &r->info);
	if (!rc)
		rc = entries_load(r->dev, list);
	if (rc)
		return fail(XC_FAIL, "cannot tell what region `%s` is: %s", r->name,
			    strerror(-rc));
	own = entries_own_region(list);
	r->serial = own ? entries_region(list, own) : 0;
	return XC_OK;
}

void region_end(struct region *r)
{
	xmap_region_close(r->handle);
	xmap_close(r->dev);
}

/* ---- Who has it ---- */

static bool is_name(const struct xmap_list_entry *e)
{
	return e->kind == XMAP_LIST_NAME;
}

static bool wanted(const struct entries *list, const struct xmap_list_entry *e, uint64_t serial)
{
	if (e->kind != XMAP_LIST_REGION)
		return false;
	/* The handle that this command has opened to ask is nobody's business. */
	return !serial || (entries_region(list, e) == serial && e->holder_pid != getpid());
}

/* Or a name that keeps a region, of which the number is all that there is to say. */
static void put_handle(const struct entries *list, const struct xmap_list_entry *e, uint64_t now)
{
	char rights[RIGHTS_SIZE], parent[24] = "-";

	if (e->parent)
		snprintf(parent, sizeof(parent), "%llu", e->parent);
	printf("%6" PRIu64 " %6llu %6s ", entries_region(list, e), e->serial, parent);
	put_who(stdout, e->holder_pid);
	printf(" %6" PRIu32 " %-6s %-7s %12llx %12llx %8llu %6llus\n", e->holder_uid,
	       is_name(e) ? "name" : rights_text(e->rights, rights),
	       entry_state(e), e->addr, e->length, e->count,
	       now > e->since ? (now - e->since) / 1000000000 : 0);
}

bool has_handles(const struct entries *list, uint64_t serial)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (wanted(list, &list->v[i], serial))
			return true;
	}
	return false;
}

void put_handles(const struct entries *list, uint64_t serial)
{
	struct timespec now;
	size_t i;

	clock_gettime(CLOCK_BOOTTIME, &now);
	printf("%6s %6s %6s %7s %-15s %6s %-6s %-7s %12s %12s %8s %7s\n", "REGION", "SERIAL",
	       "PARENT", "HOLDER", "", "UID", "RIGHTS", "STATE", "OFFSET", "LENGTH", "MAPPINGS",
	       "AGE");
	for (i = 0; i < list->n; i++) {
		if (wanted(list, &list->v[i], serial) || (!serial && is_name(&list->v[i])))
			put_handle(list, &list->v[i],
				   now.tv_sec * UINT64_C(1000000000) + now.tv_nsec);
	}
}

static void json_handle(const struct entries *list, const struct xmap_list_entry *e)
{
	printf("{\"region\":%" PRIu64 ",\"serial\":%llu,\"parent\":%llu,",
	       entries_region(list, e), e->serial, e->parent);
	json_who(stdout, "holder", e->holder_pid);
	printf(",\"uid\":%" PRIu32 ",\"state\":\"%s\",", e->holder_uid, entry_state(e));
	json_rights(stdout, e->rights);
	printf(",\"offset\":%llu,\"length\":%llu,\"mappings\":%llu,\"since_ns\":%llu}", e->addr,
	       e->length, e->count, e->since);
}

void json_handles(const struct entries *list, uint64_t serial)
{
	bool first = true;
	size_t i;

	fputs("\"handles\":[", stdout);
	for (i = 0; i < list->n; i++) {
		if (!wanted(list, &list->v[i], serial))
			continue;
		fputs(first ? "\n" : ",\n", stdout);
		json_handle(list, &list->v[i]);
		first = false;
	}
	fputs("]", stdout);
}

static void json_name(const struct entries *list, const struct xmap_list_entry *e)
{
	printf("{\"region\":%" PRIu64 ",\"serial\":%llu,", entries_region(list, e), e->serial);
	json_who(stdout, "holder", e->holder_pid);
	printf(",\"uid\":%" PRIu32 ",\"state\":\"%s\",\"length\":%llu,\"since_ns\":%llu}",
	       e->holder_uid, entry_state(e), e->length, e->since);
}

void json_names(const struct entries *list)
{
	const char *comma = "";
	size_t i;

	fputs("\"names\":[", stdout);
	for (i = 0; i < list->n; i++) {
		if (!is_name(&list->v[i]))
			continue;
		printf("%s\n", comma);
		json_name(list, &list->v[i]);
		comma = ",";
	}
	fputs("]", stdout);
}

/* ---- What it is ---- */

static const char *const seals[] = { "seal", "shrink", "grow", "write", "future-write" };

static const char *owner_text(uint32_t owner)
{
	switch (owner) {
	case XMAP_REGION_OWNER_SELF:
		return "this process";
	case XMAP_REGION_OWNER_OTHER:
		return "a process";
	case XMAP_REGION_OWNER_NONE:
		return "nobody: it is there to be taken";
	default:
		return "all who have it";
	}
}

static const char *owner_word(uint32_t owner)
{
	switch (owner) {
	case XMAP_REGION_OWNER_SELF:
		return "self";
	case XMAP_REGION_OWNER_OTHER:
		return "other";
	case XMAP_REGION_OWNER_NONE:
		return "none";
	default:
		return "all";
	}
}

void put_region(const struct region *r)
{
	const struct xmap_cmd_region_info *info = &r->info;
	size_t i;

	printf("name        %s\n", r->name);
	printf("serial      %" PRIu64 "\n", r->serial);
	printf("length      %llu bytes\n", info->out_region_length);
	printf("owned by    %s\n", owner_text(info->out_owner));
	printf("lasts       %s\n", info->out_flags & XMAP_REGION_PERSISTENT ?
	       "until `xmap region rm`, or the end of the module" :
	       "as long as somebody has it");
	printf("pages       %s\n", info->out_flags & XMAP_REGION_HUGE ? "huge, where one fits" :
	       "small");
	if (info->out_addr)
		printf("address     0x%llx in every process\n", info->out_addr);
	fputs("sealed      ", stdout);
	for (i = 0; i < ARRAY_SIZE(seals); i++) {
		if (info->out_seals >> i & 1)
			printf("%s ", seals[i]);
	}
	puts(info->out_seals ? "" : "no");
	printf("generation  %llu\n", info->out_generation);
}

void json_region(const struct region *r)
{
	const struct xmap_cmd_region_info *info = &r->info;
	const char *comma = "";
	size_t i;

	fputs("\"name\":", stdout);
	json_string(stdout, r->name, strlen(r->name));
	printf(",\"serial\":%" PRIu64 ",\"length\":%llu,\"address\":%llu,\"owner\":\"%s\"",
	       r->serial, info->out_region_length, info->out_addr, owner_word(info->out_owner));
	printf(",\"single_owner\":%s,\"persistent\":%s,\"huge\":%s,\"seals\":[",
	       json_bool(info->out_flags & XMAP_REGION_SINGLE_OWNER),
	       json_bool(info->out_flags & XMAP_REGION_PERSISTENT),
	       json_bool(info->out_flags & XMAP_REGION_HUGE));
	for (i = 0; i < ARRAY_SIZE(seals); i++) {
		if (!(info->out_seals >> i & 1))
			continue;
		printf("%s\"%s\"", comma, seals[i]);
		comma = ",";
	}
	printf("],\"generation\":%llu,\"events\":%llu,\"replaced\":%llu", info->out_generation,
	       info->out_events, info->out_replaced);
}
