// SPDX-License-Identifier: LGPL-2.1-or-later
/* xmap revoke: take back an export, a target, a region or a handle of one, by `xmap ps`' number. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tool.h"

static bool json;

static const struct opt opts[] = {
	{ "json", 'j', NULL, "one JSON object", &json, NULL },
	{ 0 },
};

struct order {
	struct xmap_dev *dev;
	uint64_t serial;
	uint64_t addr;
	uint64_t length;
};

/* One that is there all the same is a window: it goes with its target. */
static int fail_serial(const struct order *o)
{
	const struct xmap_list_entry *e = NULL;
	struct entries list;
	uint64_t parent = 0;

	if (!entries_load(o->dev, &list)) {
		e = entries_find(&list, o->serial);
		parent = e && e->kind == XMAP_LIST_WINDOW ? e->parent : 0;
		entries_free(&list);
	}
	if (parent)
		return fail(XC_USAGE,
			    "%" PRIu64 " is a window: revoke its target, `xmap revoke %" PRIu64 "`",
			    o->serial, parent);
	return fail(XC_PROCESS,
		    "no export, target or region %" PRIu64 " that you can see; see `xmap ps`",
		    o->serial);
}

static int fail_revoke(const struct order *o, int err)
{
	switch (err) {
	case -ENOENT:
		return fail_serial(o);
	case -EPERM:
	case -EACCES:
		return fail(XC_DENIED,
			    "no right to revoke %" PRIu64
			    ": its maker, the memory's owner and root may", o->serial);
	case -EDQUOT:
		return fail(XC_FAIL,
			    "%" PRIu64 " was revoked in too many pieces: revoke all of it",
			    o->serial);
	case -EFAULT:
		return fail(XC_USAGE,
			    "0x%" PRIx64 " and a length of %" PRIu64
			    " is no range of user memory, or nothing of it is part of %" PRIu64,
			    o->addr, o->length, o->serial);
	case -EINVAL:
	case -EOVERFLOW:
		return fail(XC_USAGE,
			    "0x%" PRIx64 " and a length of %" PRIu64 " is no range of user memory",
			    o->addr, o->length);
	case -ENOTTY:
		return fail(XC_FAIL, "the module cannot revoke: it is of an older release");
	default:
		return fail(XC_FAIL, "cannot revoke %" PRIu64 ": %s", o->serial, strerror(-err));
	}
}

static int parse(struct order *o, int argc, char **argv)
{
	int rc;

	rc = number_parse(argv[0], "serial", &o->serial);
	if (rc)
		return rc;
	if (!o->serial)
		return fail(XC_USAGE, "serial 0: they begin at 1; see `xmap ps`");
	if (argc == 1)
		return XC_OK;
	if (argc == 2)
		return fail(XC_USAGE, "an address needs a length behind it");
	rc = number_parse(argv[1], "address", &o->addr);
	return rc ? rc : size_parse(argv[2], "length", &o->length);
}

static int run(int argc, char **argv)
{
	struct order o = { 0 };
	int rc;

	rc = parse(&o, argc, argv);
	if (!rc)
		rc = module_open("revokes", &o.dev);
	if (rc)
		return rc;
	rc = xmap_revoke(o.dev, o.serial, o.addr, o.length);
	if (rc)
		rc = fail_revoke(&o, rc);
	else if (json)
		printf("{\"serial\":%" PRIu64 ",\"address\":%" PRIu64 ",\"length\":%" PRIu64
		       ",\"revoked\":true}\n", o.serial, o.addr, o.length);
	else if (!common.quiet)
		printf("revoked %s%" PRIu64 ": nobody reaches it by that any more\n",
		       o.length ? "a part of " : "", o.serial);
	xmap_close(o.dev);
	return rc;
}

const struct cmd cmd_revoke = {
	.name = "revoke",
	.args = "SERIAL [ADDRESS LENGTH]",
	.summary = "Take back an export, a target, a region's handle",
	.details =
		"SERIAL is that of `xmap ps`.  All that was accepted or derived from it loses the\n"
		"memory, for good: all of it, or LENGTH bytes from ADDRESS of the owner's memory,\n"
		"or from that offset of the region.  SERIAL of a persistent region's name: from all\n"
		"who have it; the region ends.  For who made it, for the owner of what is\n"
		"offered, and for root (CAP_SYS_ADMIN).\n",
	.opts = opts,
	.min_args = 1,
	.max_args = 3,
	.run = run,
};
