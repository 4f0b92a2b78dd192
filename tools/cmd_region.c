// SPDX-License-Identifier: LGPL-2.1-or-later
/* xmap region: make memory that others find by its name, look at it, remove it. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "region.h"

static bool json, persistent, single_owner, fixed_address, huge;
static const char *mode_text, *group_text;

static const struct opt opts[] = {
	{ "mode", 'm', "MODE", "create: who may open it, as a file's mode (600)",
	  NULL, &mode_text },
	{ "group", 'g', "GROUP", "create: group of the mode (your own); the mode is then 660",
	  NULL, &group_text },
	{ "persistent", 'p', NULL, "create: it stays until it is removed", &persistent, NULL },
	{ "single-owner", 'o', NULL, "create: one process at a time can reach the memory",
	  &single_owner, NULL },
	{ "fixed-address", 'a', NULL, "create: it has one address, the same in every process",
	  &fixed_address, NULL },
	{ "huge", 0, NULL, "create: of huge pages, where the kernel has them to give",
	  &huge, NULL },
	{ "json", 'j', NULL, "JSON", &json, NULL },
	{ 0 },
};

/* ---- create ---- */

static int parse(struct region *r, char **argv, struct xmap_region_opts *o, uint64_t *length)
{
	int rc;

	*o = (struct xmap_region_opts){
		.sz = sizeof(*o),
		.flags = XMAP_REGION_PUBLISH | (persistent ? XMAP_REGION_PERSISTENT : 0) |
			 (single_owner ? XMAP_REGION_SINGLE_OWNER : 0) |
			 (fixed_address ? XMAP_REGION_FIXED_ADDRESS : 0) |
			 (huge ? XMAP_REGION_HUGE : 0),
		.mode = group_text ? 0660 : 0600,
	};
	rc = name_parse(argv[0], &r->name);
	if (!rc)
		rc = size_parse(argv[1], "size", length);
	if (!rc && (*length % sysconf(_SC_PAGESIZE) || *length > SIZE_MAX))
		rc = fail(XC_USAGE, "size `%s` is not a number of whole pages, of %ld bytes each",
			  argv[1], sysconf(_SC_PAGESIZE));
	if (!rc && mode_text)
		rc = mode_parse(mode_text, &o->mode);
	if (!rc && group_text)
		rc = group_parse(group_text, &o->gid);
	o->name = r->name;
	return rc;
}

static int make(struct region *r, uint64_t length, const struct xmap_region_opts *o)
{
	struct entries list;
	int rc;

	rc = xmap_region_create(r->dev, length, o, &r->handle);
	if (rc == -EINVAL)
		return fail(XC_USAGE, "%" PRIu64 " bytes are more than an address space has",
			    length);
	if (rc == -EOPNOTSUPP && huge)
		return fail(XC_FAIL, "this kernel has no huge pages, or the module knows of none");
	/* This command does nothing with it: whoever opens it is to own it. */
	if (!rc && single_owner)
		rc = xmap_region_give(r->handle);
	if (rc)
		return region_fail(r->name, "create", rc);
	rc = region_ask(r, &list);
	if (!rc)
		entries_free(&list);
	return rc;
}

static void put_created(const struct region *r)
{
	if (json) {
		fputs("{\"event\":\"created\",", stdout);
		json_region(r);
		puts("}");
	} else {
		printf("created region %s of %llu bytes, serial %" PRIu64, r->name,
		       r->info.out_region_length, r->serial);
		if (r->info.out_addr)
			printf(", at 0x%llx", r->info.out_addr);
		putchar('\n');
		if (!persistent)
			notice("it lasts as long as somebody has it; interrupt (^C) lets it go");
	}
	fflush(stdout);
}

/* It is there as long as this command is, and as others have it. */
static int hold(struct region *r, int signals)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = xmap_region_fd(r->handle) },
	};

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
		if (errno != EINTR)
			return fail(XC_FAIL, "cannot wait: %s", strerror(errno));
	}
	if (fds[1].revents)
		return fail(XC_ENDED, "somebody else revoked it");
	if (json)
		puts("{\"event\":\"closed\"}");
	else
		printf("closed: who has region %s keeps it\n", r->name);
	return XC_OK;
}

static int create(char **argv)
{
	struct xmap_region_opts o;
	struct region r = { 0 };
	int signals = -1;
	uint64_t length;
	int rc;

	rc = parse(&r, argv, &o, &length);
	if (!rc)
		rc = module_open("has regions", &r.dev);
	if (!rc && !persistent)
		rc = signals_catch(&signals);
	if (!rc)
		rc = make(&r, length, &o);
	if (!rc) {
		put_created(&r);
		if (!persistent)
			rc = hold(&r, signals);
	}
	if (signals >= 0)
		close(signals);
	region_end(&r);
	return rc;
}

/* ---- list, show, rm ---- */

static int list_all(char **argv)
{
	struct xmap_dev *dev;
	struct entries list;
	int rc;

	(void)argv;
	rc = module_open("has regions", &dev);
	if (rc)
		return rc;
	rc = entries_load(dev, &list);
	xmap_close(dev);
	if (rc)
		return fail(XC_FAIL, "cannot list: %s", strerror(-rc));
	if (json) {
		putchar('{');
		json_handles(&list, 0);
		putchar(',');
		json_names(&list);
		puts("}");
	} else {
		put_handles(&list, 0);
	}
	entries_free(&list);
	return XC_OK;
}

static int show(char **argv)
{
	struct region r = { 0 };
	struct entries list;
	int rc;

	rc = region_open(&r, argv[0], 0);
	if (!rc)
		rc = region_ask(&r, &list);
	if (!rc && json) {
		putchar('{');
		json_region(&r);
		putchar(',');
		json_handles(&list, r.serial);
		puts("}");
	} else if (!rc) {
		put_region(&r);
		if (has_handles(&list, r.serial)) {
			putchar('\n');
			put_handles(&list, r.serial);
		} else {
			puts("held by     nobody that you can see");
		}
	}
	if (!rc)
		entries_free(&list);
	region_end(&r);
	return rc;
}

static int rm(char **argv)
{
	struct region r = { 0 };
	int rc;

	rc = region_open(&r, argv[0], XMAP_RIGHT_MANAGE);
	if (!rc) {
		rc = xmap_region_unlink(r.handle);
		if (rc)
			rc = region_fail(argv[0], "remove", rc);
		else if (json)
			puts("{\"removed\":true}");
		else if (!common.quiet)
			printf("removed the name %s: who has the region keeps it\n", argv[0]);
	}
	region_end(&r);
	return rc;
}

static const struct action {
	const char *name;
	int args;
	int (*run)(char **argv);
} actions[] = {
	{ "create", 2, create },
	{ "list", 0, list_all },
	{ "show", 1, show },
	{ "rm", 1, rm },
};

static int run(int argc, char **argv)
{
	const struct action *a = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(actions); i++) {
		if (!strcmp(argv[0], actions[i].name))
			a = &actions[i];
	}
	if (!a)
		return fail(XC_USAGE, "no `region %s`: create, list, show or rm", argv[0]);
	if (argc - 1 != a->args)
		return fail(XC_USAGE, "`region %s` takes %s", a->name,
			    a->args == 2 ? "a name and a size" : a->args ? "a name" : "nothing");
	if (a->run != create &&
	    (mode_text || group_text || persistent || single_owner || fixed_address ||
	     huge))
		return fail(XC_USAGE, "`region %s` has no options but --json", a->name);
	return a->run(argv + 1);
}

const struct cmd cmd_region = {
	.name = "region",
	.args = "ACTION [NAME [SIZE]]",
	.summary = "Memory of its own, found by name",
	.details =
		"  xmap region create NAME SIZE   make one, which programs then open by its name\n"
		"  xmap region list               who has a handle of which region; `name`: its\n"
		"                                 name keeps it, with or without handles\n"
		"  xmap region show NAME          what it is, and who has it\n"
		"  xmap region rm NAME            take its name away; who has it keeps it\n"
		"A region is memory that belongs to no process.  It lasts until the last program\n"
		"has closed it, and `create`, which waits to be interrupted; with --persistent,\n"
		"until its name is removed.  `xmap revoke SERIAL` takes the memory from who has it;\n"
		"that of a name ends a region which nobody can open any more.\n"
		"Needs the module.\n",
	.opts = opts,
	.min_args = 1,
	.max_args = 3,
	.run = run,
};
