// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The text of /proc/PID/maps.  The first line of the input has, in hexadecimal,
 * first address and length of the target's range and how much one read() returns;
 * the others are the file, with 5000 letters in the place of each tilde.
 */
#include <limits.h>
#include <string.h>

#include "../../lib/internal.h"
#include "fuzz.h"

#define TILDE 5000
#define TILDES 16
/* So that one input takes no longer than a moment. */
#define READS 32

static char *expand(const char *from)
{
	char *text, *to;
	int tildes = 0;

	text = malloc(strlen(from) + TILDES * TILDE + 1);
	must(text);
	for (to = text; *from; from++) {
		if (*from == '~' && tildes++ < TILDES) {
			memset(to, 'n', TILDE);
			to += TILDE;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return text;
}

static void check_records(struct xmap_target *target)
{
	const struct xmap_vma *vma;
	struct xmap_maps *maps;
	int rc;

	must(!xmap_maps_open(target, &maps));
	while ((rc = xmap_maps_next(maps, &vma)) == 1) {
		must(vma->size % 8 == 0 && vma->size > sizeof(*vma) + vma->name_len);
		must(vma->name_len < PATH_MAX && strlen(vma->name) == vma->name_len);
		must(!(vma->flags & XMAP_VMA_TRUNCATED) || !vma->name_len);
		must(vma->start >= target->addr && vma->end <= target->addr + target->length);
	}
	must(!rc);
	xmap_maps_close(maps);
}

static void check_list(struct xmap_target *target)
{
	struct maplist list = { 0 };
	const struct mapping *m;
	size_t i;

	must(!maplist_load(target, &list));
	for (i = 0; i < list.n; i++) {
		must(strlen(list.v[i].name) == list.v[i].name_len);
		if (list.v[i].start >= list.v[i].end)
			continue;
		m = maplist_find(&list, list.v[i].start);
		must(m && m <= &list.v[i]);
	}
	maplist_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_string(data, size), *rest = text, *maps, *end;
	struct xmap_target *target;
	uint64_t addr, length;
	ssize_t n;

	addr = strtoull(fuzz_line(&rest), &end, 16);
	length = strtoull(end, &end, 16);
	fuzz_read_max = strtoull(end, NULL, 16);
	if (addr + length < addr)
		length = UINT64_MAX - addr;
	maps = expand(rest);
	if (fuzz_read_max && fuzz_read_max < strlen(maps) / READS)
		fuzz_read_max = strlen(maps) / READS;
	target = fuzz_target(maps);
	n = fuzz_allowed(addr, length & SSIZE_MAX, 'r');
	must(n >= 0 && n <= (ssize_t)(length & SSIZE_MAX));
	n = fuzz_allowed(addr, length & SSIZE_MAX, 'w');
	must(n >= 0 && n <= (ssize_t)(length & SSIZE_MAX));
	if (length) {
		target->addr = addr;
		target->length = length;
	}
	check_records(target);
	check_list(target);
	fuzz_read_max = 0;
	free(maps);
	free(text);
	return 0;
}
