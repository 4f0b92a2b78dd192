// SPDX-License-Identifier: LGPL-2.1-or-later
/* What XMAP_LIST says: who has exports, targets, windows and regions, as an array and as text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define BATCH 64

/* 0 or -errno: the caller knows whom to blame. */
int entries_load(struct xmap_dev *dev, struct entries *ret)
{
	struct entries list = { 0 };
	size_t room = 0;
	uint64_t cursor = 0;
	ssize_t n;
	void *more;

	do {
		if (room - list.n < BATCH) {
			room = room * 2 + BATCH;
			more = reallocarray(list.v, room, sizeof(*list.v));
			if (!more) {
				entries_free(&list);
				return -ENOMEM;
			}
			list.v = more;
		}
		n = xmap_list(dev, &cursor, list.v + list.n, room - list.n);
		if (n < 0) {
			entries_free(&list);
			return n;
		}
		list.n += n;
	} while (cursor);
	*ret = list;
	return 0;
}

void entries_free(struct entries *list)
{
	free(list->v);
	*list = (struct entries){ 0 };
}

/* They come in the order of their numbers.  NULL if there is none with this one. */
const struct xmap_list_entry *entries_find(const struct entries *list, uint64_t serial)
{
	size_t low = 0, high = list->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (list->v[mid].serial < serial)
			low = mid + 1;
		else
			high = mid;
	}
	return low < list->n && list->v[low].serial == serial ? &list->v[low] : NULL;
}

uint64_t entries_region(const struct entries *list, const struct xmap_list_entry *e)
{
	uint64_t serial = e->serial;

	/* What is made from another has the greater number: this ends. */
	while (e && e->parent && e->parent < serial) {
		serial = e->parent;
		e = entries_find(list, serial);
	}
	return serial;
}

const struct xmap_list_entry *entries_own_region(const struct entries *list)
{
	const struct xmap_list_entry *own = NULL;
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (list->v[i].kind == XMAP_LIST_REGION && list->v[i].holder_pid == getpid())
			own = &list->v[i];
	}
	return own;
}

const char *entry_kind(const struct xmap_list_entry *e)
{
	switch (e->kind) {
	case XMAP_LIST_TARGET:
		return "target";
	case XMAP_LIST_WINDOW:
		return "window";
	case XMAP_LIST_EXPORT:
		return "export";
	case XMAP_LIST_REGION:
		return "region";
	case XMAP_LIST_NAME:
		return "name";
	default:
		return "other";
	}
}

const char *entry_state(const struct xmap_list_entry *e)
{
	switch (e->state) {
	case XMAP_TARGET_ALIVE:
		return "alive";
	case XMAP_TARGET_REVOKED:
		return "revoked";
	default:
		return "dead";
	}
}

const char *rights_text(uint32_t rights, char buf[RIGHTS_SIZE])
{
	buf[0] = rights & XMAP_RIGHT_READ ? 'r' : '-';
	buf[1] = rights & XMAP_RIGHT_WRITE ? 'w' : '-';
	/* No object has both of these. */
	buf[2] = rights & XMAP_RIGHT_FORCE ? 'f' : rights & XMAP_RIGHT_MANAGE ? 'm' : '-';
	buf[3] = '\0';
	return buf;
}

void json_rights(FILE *f, uint32_t rights)
{
	fprintf(f, "\"read\":%s,\"write\":%s,\"force\":%s,\"manage\":%s",
		json_bool(rights & XMAP_RIGHT_READ), json_bool(rights & XMAP_RIGHT_WRITE),
		json_bool(rights & XMAP_RIGHT_FORCE), json_bool(rights & XMAP_RIGHT_MANAGE));
}

static const char *comm(pid_t pid, struct proc_stat *st)
{
	return pid && !proc_stat(pid, st) ? st->comm : "";
}

/* A PID and a name, 23 columns wide. */
void put_who(FILE *f, pid_t pid)
{
	struct proc_stat st;
	const char *name;

	if (!pid) {
		fprintf(f, "%7s %-15s", "-", "-");
		return;
	}
	name = comm(pid, &st);
	fprintf(f, "%7d ", pid);
	put_text(f, name, strlen(name));
	fprintf(f, "%*s", strlen(name) < 15 ? 15 - (int)strlen(name) : 0, "");
}

void json_who(FILE *f, const char *key, pid_t pid)
{
	struct proc_stat st;
	const char *name = comm(pid, &st);

	fprintf(f, "\"%s_pid\":%d,\"%s_name\":", key, pid, key);
	json_string(f, name, strlen(name));
}
