// SPDX-License-Identifier: LGPL-2.1-or-later
/* Taking what others offer: @NAME or @ID where a command takes a process. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tool.h"

static int fail_export(const char *ref, int err, uint32_t rights)
{
	switch (err) {
	case -ENOENT:
		return fail(XC_PROCESS, "no export %s: ask its owner for the name or the id", ref);
	case -EACCES:
	case -EPERM:
		return fail(XC_DENIED, "no right to export %s: its owner offers it to others%s",
			    ref, rights & XMAP_RIGHT_WRITE ? ", or for reading only" : "");
	case -ESTALE:
		return fail(XC_ENDED, "export %s has expired, was closed, or was revoked", ref);
	case -ESRCH:
		return fail(XC_ENDED, "the owner of export %s has ended", ref);
	case -EINVAL:
		return fail(XC_USAGE,
			    "export %s: a name has up to %d printable characters, no space, no slash",
			    ref, XMAP_NAME_SIZE - 1);
	case -ENOTTY:
		return fail(XC_FAIL, "the module knows no exports: it is of an older release");
	default:
		return fail(XC_FAIL, "cannot take export %s: %s", ref, strerror(-err));
	}
}

/* "0x" and a number is an id, all else a name. */
static int open_export(struct session *s, uint32_t rights, struct xmap_export **ret)
{
	const char *name = s->ref + 1;
	uint64_t id;
	int rc;

	if (!strncmp(name, "0x", 2)) {
		rc = number_parse(name, "export id", &id);
		if (rc)
			return rc;
		rc = xmap_export_open_id(s->dev, id, rights, ret);
	} else {
		rc = xmap_export_open(s->dev, name, rights, ret);
	}
	return rc ? fail_export(s->ref, rc, rights) : XC_OK;
}

/* Of two limits one is the owner's and one the caller's. */
static int fail_limit(struct session *s, const struct xmap_cmd_export_info *info)
{
	if (info->out_max_accepts && info->out_accepts >= info->out_max_accepts)
		return fail(XC_DENIED,
			    "export %s was accepted %" PRIu32 " times: its owner allows no more",
			    s->ref, info->out_accepts);
	return fail(XC_FAIL, "too many targets: see `xmap ps` and the limits in `xmap check`");
}

static int accept_export(struct session *s, struct xmap_export *export, uint32_t rights)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = rights);
	struct xmap_cmd_export_info info;
	struct proc_stat st;
	int rc;

	rc = xmap_export_accept(export, &opts, &s->target);
	if (rc && rc != -EDQUOT)
		return fail_export(s->ref, rc, rights);
	if (xmap_export_info(export, &info))
		return fail(XC_FAIL, "cannot tell what export %s is", s->ref);
	if (rc)
		return fail_limit(s, &info);
	s->pid = info.out_pid;
	s->start = info.out_addr;
	s->length = info.out_length;
	if (s->pid && !proc_stat(s->pid, &st))
		memcpy(s->name, st.comm, sizeof(s->name));
	return XC_OK;
}

int session_accept(struct session *s, const char *ref, uint32_t rights)
{
	struct xmap_export *export;
	int rc;

	if (rights & XMAP_RIGHT_FORCE)
		return fail(XC_USAGE, "--force is for processes: nobody can offer that right");
	if (strlen(ref) >= sizeof(s->ref))
		return fail_export(ref, -EINVAL, rights);
	s->is_export = true;
	strcpy(s->ref, ref);
	snprintf(s->who, sizeof(s->who), "export %s", ref);
	rc = module_open("has exports", &s->dev);
	if (rc)
		return rc;
	rc = open_export(s, rights, &export);
	if (rc)
		return rc;
	rc = accept_export(s, export, rights);
	xmap_export_close(export);
	return rc;
}

/* How much of an export is left at @addr. */
int session_length(const struct session *s, uint64_t addr, uint64_t *ret)
{
	if (addr < s->start || addr - s->start >= s->length)
		return fail(XC_MEMORY,
			    "address 0x%" PRIx64 " is not in %s, which is 0x%" PRIx64 "-0x%" PRIx64,
			    addr, s->who, s->start, s->start + s->length);
	*ret = s->length - (addr - s->start);
	return XC_OK;
}
