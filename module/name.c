// SPDX-License-Identifier: GPL-2.0-only
/* Names that things are published by, and who may open them. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/uidgid.h>

#include "xmap.h"

/* Printable ASCII, NUL to the end.  Empty is none. */
int xmap_name_check(const char *name)
{
	size_t len = strnlen(name, XMAP_NAME_SIZE);
	size_t i;

	if (len == XMAP_NAME_SIZE || memchr_inv(name + len, 0, XMAP_NAME_SIZE - len))
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (!isascii(name[i]) || !isgraph(name[i]) || name[i] == '/')
			return -EINVAL;
	}
	return 0;
}

/* Of what is not published, perhaps: it has an owner all the same. */
void xmap_name_init(struct xmap_name *name)
{
	INIT_HLIST_NODE(&name->entry);
	name->user_ns = get_user_ns(current_user_ns());
	name->owner = current_euid();
	name->group = current_egid();
}

void xmap_name_free(struct xmap_name *name)
{
	put_user_ns(name->user_ns);
}

/**
 * xmap_name_set - The caller is about to publish something
 * @name: Out: its text, mode and group
 * @text: The name, checked
 * @mode: Who may open it
 * @gid: The group of @mode, or -1 for the caller's
 *
 * Return: 0, -EINVAL (no such group) or -EPERM (not one of the caller's).
 */
int xmap_name_set(struct xmap_name *name, const char *text, u32 mode, u32 gid)
{
	strscpy(name->text, text, sizeof(name->text));
	name->mode = mode;
	if (gid == (u32)-1)
		return 0;
	name->group = make_kgid(current_user_ns(), gid);
	if (!gid_valid(name->group))
		return -EINVAL;
	if (!in_egroup_p(name->group) && !ns_capable(current_user_ns(), CAP_CHOWN))
		return -EPERM;
	return 0;
}

/* May the caller open it with the rights @wanted?  See the uapi. */
bool xmap_name_allows(const struct xmap_name *name, u32 wanted)
{
	u32 mode = name->mode;
	u32 rights = 0;

	if (uid_eq(name->owner, current_euid())) {
		rights |= XMAP_RIGHT_MANAGE;
		mode >>= 6;
	} else if (in_egroup_p(name->group)) {
		mode >>= 3;
	}
	if (mode & 4)
		rights |= XMAP_RIGHT_READ;
	if (mode & 2)
		rights |= XMAP_RIGHT_WRITE;
	/* As System V shared memory has it, which has no directories either. */
	return !(wanted & ~rights) || ns_capable(name->user_ns, CAP_IPC_OWNER);
}
