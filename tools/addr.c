// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Symbolic addresses.
 *
 *	expression = term { ("+" | "-") term }
 *	term = number | "export" | name | name ":" symbol
 *	name = path of a mapped file | its last part | "[heap]" | ... | "exe"
 *
 * Names hold plus and minus signs themselves (libstdc++.so.6,
 * ld-linux-x86-64.so.2), so a name is not cut out of the text by its
 * characters: it is the longest name of a mapping that the text goes on with.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define SYMBOL_MAX 512

static bool ends_term(char c)
{
	return c == '\0' || c == '+' || c == '-';
}

/* The text goes on with these @len characters as a whole name. */
static bool goes_on_with(const char *text, const char *name, size_t len)
{
	return len && !strncmp(text, name, len) && (ends_term(text[len]) || text[len] == ':');
}

/* Length of @m's name without the kernel's mark for files that have no name any more. */
static size_t plain_len(const struct mapping *m)
{
	static const char mark[] = " (deleted)";
	size_t len = strlen(m->name), cut = sizeof(mark) - 1;

	if (len > cut && m->name[0] == '/' && !strcmp(m->name + len - cut, mark))
		return len - cut;
	return len;
}

static size_t match(const char *text, const struct mapping *m)
{
	size_t len = plain_len(m), last;

	if (goes_on_with(text, m->name, len))
		return len;
	if (m->name[0] != '/')
		return 0;
	for (last = len; m->name[last - 1] != '/'; last--)
		;
	return goes_on_with(text, m->name + last, len - last) ? len - last : 0;
}

static const struct mapping *find_exe(const struct maplist *maps, const char *exe)
{
	size_t i;

	for (i = 0; exe && i < maps->n; i++) {
		if (!strcmp(maps->v[i].name, exe))
			return &maps->v[i];
	}
	return NULL;
}

static int find_name(const char *text, const struct addr_env *env, const struct mapping **ret,
		     size_t *ret_len)
{
	const struct mapping *best = NULL, *other = NULL;
	const struct maplist *maps;
	size_t i, len, best_len = 0;
	int rc;

	rc = env->maps(env->arg, &maps);
	if (rc)
		return rc;
	for (i = 0; i < maps->n; i++) {
		len = match(text, &maps->v[i]);
		if (len > best_len) {
			best = &maps->v[i];
			best_len = len;
			other = NULL;
		} else if (len && len == best_len && strcmp(best->name, maps->v[i].name)) {
			other = &maps->v[i];
		}
	}
	if (!best && goes_on_with(text, "exe", 3)) {
		best = find_exe(maps, env->exe);
		best_len = 3;
		if (!best)
			return fail(XC_MEMORY, "cannot tell which mapping is the program of %s",
				    env->who);
	}
	if (!best)
		return fail(XC_MEMORY,
			    "`%s` is neither a number (decimal or 0x...) nor a mapping of %s",
			    text, env->who);
	if (other)
		return fail(XC_USAGE, "`%.*s` is several files (%s, %s): give the whole path",
			    (int)best_len, text, best->name, other->name);
	*ret = best;
	*ret_len = best_len;
	return XC_OK;
}

/* Where offset 0 of the file is: mappings come in order of address. */
static uint64_t base_of(const struct mapping *m)
{
	return m->name[0] == '/' && m->start >= m->offset ? m->start - m->offset : m->start;
}

static int parse_name(const char **text, const struct addr_env *env, uint64_t *ret)
{
	const struct mapping *m = NULL;
	char symbol[SYMBOL_MAX];
	uint64_t value = 0;
	const char *p;
	size_t len = 0;
	int rc;

	rc = find_name(*text, env, &m, &len);
	if (rc)
		return rc;
	p = *text + len;
	if (*p == ':') {
		len = strcspn(++p, "+-");
		if (!len || len >= sizeof(symbol))
			return fail(XC_USAGE, "`%s`: a symbol follows the colon", *text);
		memcpy(symbol, p, len);
		symbol[len] = '\0';
		p += len;
		rc = env->symbol(env->arg, m, symbol, &value);
		if (rc)
			return rc;
	}
	*text = p;
	*ret = base_of(m) + value;
	return XC_OK;
}

/* Returns false if this is not a number, for instance the name 7z.so. */
static bool parse_number(const char **text, int *rc, uint64_t *ret)
{
	const char *p = *text;
	bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
	char *end;

	if (!isdigit((unsigned char)p[0]) || (hex && !isxdigit((unsigned char)p[2])))
		return false;
	errno = 0;
	*ret = strtoull(p, &end, hex ? 16 : 10);
	if (!ends_term(*end))
		return false;
	*rc = errno ? fail(XC_USAGE, "the number in `%s` is too large", p) : XC_OK;
	*text = end;
	return true;
}

/* Where an export begins: what is given away there need not be a mapping with a name. */
static bool parse_export(const char **text, const struct addr_env *env, uint64_t *ret)
{
	static const char word[] = "export";
	size_t len = sizeof(word) - 1;

	if (!env->export || strncmp(*text, word, len) || !ends_term((*text)[len]))
		return false;
	*text += len;
	*ret = *env->export;
	return true;
}

int addr_parse(const char *text, const struct addr_env *env, uint64_t *ret)
{
	const char *p = text;
	uint64_t sum = 0, term;
	bool minus = false;
	int rc;

	for (;;) {
		if (ends_term(*p))
			return fail(XC_USAGE, "address `%s` lacks a number or a name%s", text,
				    *p ? " before its sign" : " at its end");
		rc = XC_OK;
		if (!parse_number(&p, &rc, &term) && !parse_export(&p, env, &term))
			rc = parse_name(&p, env, &term);
		if (rc)
			return rc;
		if (minus ? term > sum : sum + term < sum)
			return fail(XC_USAGE, "address `%s` is outside of 64 bits", text);
		sum = minus ? sum - term : sum + term;
		if (!*p)
			break;
		minus = *p++ == '-';
	}
	*ret = sum;
	return XC_OK;
}
