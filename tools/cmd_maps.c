// SPDX-License-Identifier: LGPL-2.1-or-later
/* xmap maps: the mappings of a process. */
#include <inttypes.h>
#include <string.h>

#include "tool.h"

static bool json;

static const struct opt opts[] = {
	{ "json", 'j', NULL, "one JSON object", &json, NULL },
	{ 0 },
};

/* JSON has them all; the table shows the first five as the mode and the name. */
static const struct {
	uint32_t flag;
	const char *name;
} notes[] = {
	{ XMAP_VMA_READ, "read" },
	{ XMAP_VMA_WRITE, "write" },
	{ XMAP_VMA_EXEC, "exec" },
	{ XMAP_VMA_SHARED, "shared" },
	{ XMAP_VMA_ANON, "anonymous" },
	{ XMAP_VMA_HUGETLB, "hugetlb" },
	{ XMAP_VMA_IO, "io" },
	{ XMAP_VMA_WINDOW, "window" },
	{ XMAP_VMA_TRUNCATED, "truncated" },
};

static void put_row(const struct mapping *m)
{
	size_t i;

	printf("%012" PRIx64 "-%012" PRIx64 " %c%c%c%c %9" PRIu64 "K %9" PRIx64 " ",
	       m->start, m->end,
	       m->flags & XMAP_VMA_READ ? 'r' : '-', m->flags & XMAP_VMA_WRITE ? 'w' : '-',
	       m->flags & XMAP_VMA_EXEC ? 'x' : '-', m->flags & XMAP_VMA_SHARED ? 's' : 'p',
	       (m->end - m->start) >> 10, m->offset);
	put_text(stdout, m->name, strlen(m->name));
	for (i = 0; i < ARRAY_SIZE(notes); i++) {
		if (notes[i].flag >= XMAP_VMA_HUGETLB && m->flags & notes[i].flag)
			printf(" <%s>", notes[i].name);
	}
	putchar('\n');
}

static void put_json(const struct mapping *m)
{
	size_t i;

	printf("{\"start\":%" PRIu64 ",\"end\":%" PRIu64 ",\"offset\":%" PRIu64,
	       m->start, m->end, m->offset);
	printf(",\"dev_major\":%" PRIu32 ",\"dev_minor\":%" PRIu32 ",\"inode\":%" PRIu64,
	       m->dev_major, m->dev_minor, m->inode);
	printf(",\"page_size\":%" PRIu32, m->page_size);
	for (i = 0; i < ARRAY_SIZE(notes); i++)
		printf(",\"%s\":%s", notes[i].name,
		       m->flags & notes[i].flag ? "true" : "false");
	fputs(",\"name\":", stdout);
	json_string(stdout, m->name, strlen(m->name));
	putchar('}');
}

static int run(int argc, char **argv)
{
	const struct maplist *maps;
	struct session s;
	size_t i;
	int rc;

	(void)argc;
	rc = session_open(&s, argv[0], XMAP_RIGHT_READ);
	if (rc)
		return rc;
	rc = session_maps(&s, &maps);
	if (rc)
		goto out;
	if (json) {
		printf("{\"pid\":%d,\"name\":", s.pid);
		json_string(stdout, s.name, strlen(s.name));
		fputs(",\"mappings\":[", stdout);
	} else {
		printf("%-25s %4s %10s %9s %s\n", "ADDRESSES", "MODE", "SIZE", "OFFSET", "NAME");
	}
	for (i = 0; i < maps->n; i++) {
		if (!json) {
			put_row(&maps->v[i]);
			continue;
		}
		fputs(i ? ",\n" : "\n", stdout);
		put_json(&maps->v[i]);
	}
	if (json)
		fputs("\n]}\n", stdout);
out:
	session_close(&s);
	return rc;
}

const struct cmd cmd_maps = {
	.name = "maps",
	.args = "PROCESS",
	.summary = "List the mappings of a process",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
