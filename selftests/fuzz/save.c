// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files in the output directory, which outlives the machine: a ring of the last
 * programs of each worker, and those that found something.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "fuzz.h"

#define RING_SLOTS 4

/* Every slot is as long, so that a program is written by one system call. */
int ring_open(unsigned int worker)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/last-%u.txt", opts.dir, worker);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0) {
		fprintf(stderr, "fuzz: %s: %m\n", path);
		exit(1);
	}
	return fd;
}

/* Before it is run: if the kernel dies of it, this is what there is. */
void ring_write(int ring, unsigned int worker, __u64 nr, const struct prog *p)
{
	static char text[PROG_TEXT];
	size_t at;

	at = snprintf(text, sizeof(text), "=== program %llu of worker %u, uid %u\n",
		      (unsigned long long)nr, worker, worker_uid(worker));
	at += prog_print(p, text + at, sizeof(text) - at);
	memset(text + at, '\n', sizeof(text) - at);
	if (pwrite(ring, text, sizeof(text), nr % RING_SLOTS * sizeof(text)) != sizeof(text))
		perror("fuzz: ring");
}

void prog_save(const char *name, const struct prog *p, const char *why, uid_t uid)
{
	static char text[PROG_TEXT];
	char path[300];
	FILE *f;

	prog_print(p, text, sizeof(text));
	snprintf(path, sizeof(path), "%s/%s.txt", opts.dir, name);
	f = fopen(path, "w");
	if (!f) {
		fprintf(stderr, "fuzz: %s: %m\n", path);
		return;
	}
	fprintf(f, "# %s\n# as uid %u; run it again: xmap_fuzz_test --replay FILE\n%s", why, uid,
		text);
	fclose(f);
	printf("# %s: %s\n", path, why);
	fflush(stdout);
}

void finding_keep(enum verdict verdict, const struct prog *p, const char *why, uid_t uid)
{
	struct finding *f = &shared->first[verdict];

	f->prog = *p;
	f->uid = uid;
	snprintf(f->why, sizeof(f->why), "%s", why);
}

/* The whole program: of a machine that is lost this output may be all that remains. */
void finding_print(enum verdict verdict)
{
	const struct finding *f = &shared->first[verdict];
	static char text[PROG_TEXT];
	char *line, *next = text;

	printf("# verdict %s, %u times\n", verdict_names[verdict], shared->failed[verdict]);
	if (!f->prog.n)
		return;
	printf("# %s, as uid %u:\n", f->why, f->uid);
	prog_print(&f->prog, text, sizeof(text));
	while ((line = strsep(&next, "\n")))
		if (*line)
			printf("#   %s\n", line);
}
