// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is published, and who may find it: names, groups, modes. */
#include <grp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

bool is_digits(const char *text)
{
	return text[0] && strspn(text, "0123456789") == strlen(text);
}

int u32_parse(const char *text, const char *what, uint32_t least, uint32_t *ret)
{
	uint64_t n;
	int rc;

	rc = number_parse(text, what, &n);
	if (rc)
		return rc;
	if (n < least || n >= UINT32_MAX)
		return fail(XC_USAGE, "%s `%s` is not a number from %" PRIu32 " to %" PRIu32, what,
			    text, least, UINT32_MAX - 1);
	*ret = n;
	return XC_OK;
}

int group_parse(const char *text, uint32_t *ret)
{
	struct group *gr = NULL;
	int rc = XC_OK;

	if (is_digits(text)) {
		rc = u32_parse(text, "group", 0, ret);
	} else {
		gr = getgrnam(text);
		if (!gr)
			return fail(XC_USAGE, "no group `%s`", text);
		*ret = gr->gr_gid;
	}
	/* For the library 0 is the effective group. */
	if (!rc && !*ret && getegid())
		rc = fail(XC_USAGE, "group 0 can be named only by who runs as it");
	return rc;
}

int mode_parse(const char *text, uint32_t *ret)
{
	unsigned long mode;
	char *end;

	mode = strtoul(text, &end, 8);
	if (!is_digits(text) || *end || mode & ~0666UL)
		return fail(XC_USAGE, "mode `%s` is not octal, of the bits of 666", text);
	*ret = mode;
	return XC_OK;
}

int name_parse(const char *text, const char **ret)
{
	size_t len = strlen(text), i;

	for (i = 0; i < len && text[i] > ' ' && text[i] < 0x7f && text[i] != '/'; i++)
		;
	if (!len || len >= XMAP_NAME_SIZE || i < len)
		return fail(XC_USAGE,
			    "name `%s`: up to %d printable characters, no space, no slash", text,
			    XMAP_NAME_SIZE - 1);
	*ret = text;
	return XC_OK;
}
