// SPDX-License-Identifier: LGPL-2.1-or-later
/* What `xmap share` offers: the memory itself, and the terms. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "offer.h"

#define FIRST_ROOM (64U << 10)

/* ---- Memory ---- */

static int map_memory(struct offer *o, uint64_t length, int flags, int fd)
{
	int prot = PROT_READ | (fd < 0 || o->terms.rights & XMAP_RIGHT_WRITE ? PROT_WRITE : 0);
	void *addr = MAP_FAILED;

	errno = EFBIG;
	if (length <= SIZE_MAX)
		addr = mmap(NULL, length, prot, flags, fd, 0);
	if (addr == MAP_FAILED)
		return fail(XC_FAIL, "cannot map %" PRIu64 " bytes: %s", length, strerror(errno));
	o->addr = addr;
	o->length = length;
	return XC_OK;
}

static int map_file(struct offer *o, const char *path)
{
	bool write = o->terms.rights & XMAP_RIGHT_WRITE;
	struct stat st;
	int fd, rc;

	fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return fail(XC_FAIL, "cannot open %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		rc = fail(XC_USAGE, "%s is not a regular file; `-` takes standard input", path);
	else if (!st.st_size)
		rc = fail(XC_USAGE, "%s is empty: there is nothing to share", path);
	else
		rc = map_memory(o, st.st_size, MAP_SHARED, fd);
	close(fd);
	return rc;
}

/* Room for more: pages that begin at a page, with nothing else in them. */
static int grow(struct offer *o, size_t *room)
{
	void *addr;

	addr = mremap(o->addr, *room, *room * 2, MREMAP_MAYMOVE);
	if (addr == MAP_FAILED)
		return fail(XC_FAIL, "no memory for %zu bytes of standard input", *room * 2);
	o->addr = addr;
	*room *= 2;
	return XC_OK;
}

static int map_stdin(struct offer *o)
{
	size_t room = FIRST_ROOM, used = 0;
	ssize_t n = 1;
	int rc;

	rc = map_memory(o, room, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	while (!rc && n) {
		if (used == room)
			rc = grow(o, &room);
		if (rc)
			break;
		n = read(STDIN_FILENO, o->addr + used, room - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(XC_FAIL, "cannot read standard input: %s", strerror(errno));
		used += n;
	}
	if (!rc && !used)
		rc = fail(XC_USAGE, "standard input is empty: there is nothing to share");
	o->length = used;
	return rc;
}

int offer_memory(struct offer *o, const char *path, const char *size_text)
{
	uint64_t length;
	int rc;

	if (path)
		return strcmp(path, "-") ? map_file(o, path) : map_stdin(o);
	rc = size_parse(size_text, "size", &length);
	return rc ? rc : map_memory(o, length, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* ---- Terms ---- */

static int parse_user(const char *text, uint32_t *ret)
{
	struct passwd *pw;

	if (is_digits(text))
		return u32_parse(text, "user", 0, ret);
	pw = getpwnam(text);
	if (!pw)
		return fail(XC_USAGE, "no user `%s`", text);
	*ret = pw->pw_uid;
	return XC_OK;
}

static int parse_expiry(const char *text, uint64_t *ret)
{
	struct timespec now;
	uint32_t seconds;
	int rc;

	rc = u32_parse(text, "expiry", 1, &seconds);
	if (rc)
		return rc;
	clock_gettime(CLOCK_BOOTTIME, &now);
	*ret = (now.tv_sec + (uint64_t)seconds) * 1000000000 + now.tv_nsec;
	return XC_OK;
}

static int parse_receiver(struct offer *o, const char *who)
{
	int rc;

	rc = proc_find(who, &o->receiver);
	if (rc)
		return rc;
	o->pidfd = syscall(SYS_pidfd_open, o->receiver, 0);
	if (o->pidfd < 0)
		return proc_fail_gone(o->receiver);
	o->terms.receiver_pidfd = o->pidfd;
	o->terms.flags |= XMAP_EXPORT_FOR_PROCESS;
	return XC_OK;
}

static int parse_name(const char *text, const char **ret)
{
	if (!strncmp(text, "0x", 2))
		return fail(XC_USAGE, "name `%s`: with 0x begin ids", text);
	return name_parse(text, ret);
}

int offer_terms(struct offer *o, const struct offer_args *args)
{
	struct xmap_export_opts *t = &o->terms;
	int rc = XC_OK;

	t->sz = sizeof(*t);
	t->flags = XMAP_EXPORT_PUBLISH;
	t->rights = XMAP_RIGHT_READ | (args->write ? XMAP_RIGHT_WRITE : 0);
	/* Who alone may accept needs no mode to keep the others out. */
	t->mode = args->process || args->user ? 0666 : args->group ? 0660 : 0600;
	if (args->name)
		rc = parse_name(args->name, &t->name);
	if (!rc && args->mode)
		rc = mode_parse(args->mode, &t->mode);
	if (!rc && args->group)
		rc = group_parse(args->group, &t->gid);
	if (!rc && args->max)
		rc = u32_parse(args->max, "--max", 1, &t->max_accepts);
	if (!rc && args->expires)
		rc = parse_expiry(args->expires, &t->expires);
	if (!rc && args->user) {
		t->flags |= XMAP_EXPORT_FOR_USER;
		rc = parse_user(args->user, &t->receiver_uid);
	}
	if (!rc && args->process)
		rc = parse_receiver(o, args->process);
	return rc;
}

static int fail_offer(const struct offer *o, int err)
{
	switch (err) {
	case -EEXIST:
		return fail(XC_FAIL, "the name `%s` is taken: choose another", o->terms.name);
	case -EPERM:
		return fail(XC_DENIED, "no right to offer to a group that you are not in");
	case -ESRCH:
		return proc_fail_gone(o->receiver);
	case -EDQUOT:
		return fail(XC_FAIL,
			    "too many exports: see `xmap ps` and the limits in `xmap check`");
	case -ENOTTY:
		return fail(XC_FAIL, "the module knows no exports: it is of an older release");
	default:
		return fail(XC_FAIL, "cannot share it: %s", strerror(-err));
	}
}

/* The kernel numbers it; there is one of this process. */
static int find_serial(struct offer *o)
{
	struct entries list;
	size_t i;
	int rc;

	rc = entries_load(o->dev, &list);
	if (rc)
		return fail(XC_FAIL, "cannot list: %s", strerror(-rc));
	for (i = 0; i < list.n; i++) {
		if (list.v[i].kind == XMAP_LIST_EXPORT && list.v[i].holder_pid == getpid())
			o->serial = list.v[i].serial;
	}
	entries_free(&list);
	return XC_OK;
}

int offer_make(struct offer *o)
{
	struct xmap_cmd_export_info info;
	int rc;

	rc = xmap_export_create(o->dev, o->addr, o->length, &o->terms, &o->export);
	if (rc)
		return fail_offer(o, rc);
	rc = xmap_export_info(o->export, &info);
	if (rc)
		return fail(XC_FAIL, "cannot tell what is shared: %s", strerror(-rc));
	o->id = info.out_id;
	return find_serial(o);
}

void offer_end(struct offer *o)
{
	xmap_export_close(o->export);
	if (o->pidfd >= 0)
		close(o->pidfd);
	xmap_close(o->dev);
}
