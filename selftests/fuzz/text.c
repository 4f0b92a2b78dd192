// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs as text.  One call in a line, as in C; before it, who makes it (Main,
 * Racer, Victim), and whether the others go on meanwhile: & once, * again and
 * again, together with the * lines of the same actor beside it.
 *
 *	V* touch(addr=0x40000000, length=0x1000, write=0x1);
 *
 * What follows a # is not read.
 */
#include "fuzz.h"

static const char actor_letters[ACTORS] = "MRV";
static const char mode_letters[MODES] = " &*";

static size_t call_print(const struct call *c, char *buf, size_t room)
{
	const struct call_desc *desc = &calls[c->nr];
	size_t at;
	int i;

	at = snprintf(buf, room, "%c%c %s(", actor_letters[c->actor], mode_letters[c->mode],
		      desc->name);
	for (i = 0; i < call_nargs(desc) && at < room; i++)
		at += snprintf(buf + at, room - at, "%s%s=%#llx", i ? ", " : "",
			       desc->arg[i].name, (unsigned long long)c->arg[i]);
	if (at < room)
		at += snprintf(buf + at, room - at, ");\n");
	return at;
}

/* Returns the length; what does not fit is left out, a line at a time. */
size_t prog_print(const struct prog *p, char *buf, size_t room)
{
	size_t at = 0, len;
	unsigned int i;

	*buf = '\0';
	for (i = 0; i < p->n; i++) {
		len = call_print(&p->call[i], buf + at, room - at);
		if (len >= room - at) {
			buf[at] = '\0';
			break;
		}
		at += len;
	}
	return at;
}

static int letter(const char *letters, unsigned int n, char c)
{
	const char *at = memchr(letters, c, n);

	return at && c ? at - letters : -1;
}

/* One line, which has something in it. */
static int call_parse(const char *line, struct call *c)
{
	char name[32], word[32];
	int actor, mode, n = 0, i;
	char *end;

	actor = letter(actor_letters, ACTORS, line[0]);
	mode = actor < 0 ? -1 : letter(mode_letters, MODES, line[1]);
	if (mode < 0 || sscanf(line + 2, " %31[a-z0-9_](%n", name, &n) != 1 || !n)
		return -1;
	line += 2 + n;
	memset(c, 0, sizeof(*c));
	c->actor = actor;
	c->mode = mode;
	while (c->nr < nr_calls && strcmp(calls[c->nr].name, name))
		c->nr++;
	if (c->nr == nr_calls)
		return -1;
	for (i = 0; i < call_nargs(&calls[c->nr]); i++) {
		n = 0;
		if (sscanf(line, "%31[a-z0-9_]=%n", word, &n) != 1 || !n ||
		    strcmp(word, calls[c->nr].arg[i].name))
			return -1;
		c->arg[i] = strtoull(line + n, &end, 0);
		if (end == line + n)
			return -1;
		line = end + strspn(end, ", ");
	}
	return strncmp(line, ");", 2) ? -1 : 0;
}

/*
 * Read lines up to the next one that begins with "===", or the end.  Returns -1 if
 * one of them is no call; @next is where to go on, NULL at the end.
 */
int prog_parse(const char *text, struct prog *p, const char **next)
{
	memset(p, 0, sizeof(*p));
	*next = NULL;
	while (*text) {
		const char *end = strchrnul(text, '\n');
		char line[768];
		size_t len = end - text;

		if (!strncmp(text, "===", 3)) {
			*next = *end ? end + 1 : NULL;
			return 0;
		}
		if (len >= sizeof(line))
			return -1;
		memcpy(line, text, len);
		line[len] = '\0';
		line[strcspn(line, "#")] = '\0';
		if (line[strspn(line, " \t")]) {
			if (p->n == MAX_CALLS || call_parse(line, &p->call[p->n])) {
				fprintf(stderr, "not a call: %s\n", line);
				return -1;
			}
			p->n++;
		}
		text = *end ? end + 1 : end;
	}
	return 0;
}
