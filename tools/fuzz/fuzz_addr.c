// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Symbolic addresses.  The first line of the input is the expression, the second
 * one the path of the program; the others are the target's maps.
 */
#include <string.h>

#include "fuzz.h"

static int get_maps(void *arg, const struct maplist **ret)
{
	*ret = arg;
	return XC_OK;
}

/* Only names without digits are symbols, at their length. */
static int get_symbol(void *arg, const struct mapping *file, const char *symbol, uint64_t *ret)
{
	const struct maplist *list = arg;

	must(file >= list->v && file < list->v + list->n);
	must(symbol[0] && !strpbrk(symbol, "+-"));
	if (strpbrk(symbol, "0123456789"))
		return fail(XC_MEMORY, "%s has no symbol `%s`", file->name, symbol);
	*ret = strlen(symbol);
	return XC_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_string(data, size), *rest = text;
	const char *expression = fuzz_line(&rest);
	const char *exe = fuzz_line(&rest);
	struct maplist list = { 0 };
	static const uint64_t start = 0x12345;
	struct addr_env env = {
		.arg = &list,
		.who = "process 1",
		.exe = exe[0] ? exe : NULL,
		.export = exe[0] ? NULL : &start,
		.maps = get_maps,
		.symbol = get_symbol,
	};
	uint64_t addr = 4711;
	int rc;

	must(!maplist_load(fuzz_target(rest), &list));
	rc = addr_parse(expression, &env, &addr);
	must(!rc || rc == XC_USAGE || rc == XC_MEMORY);
	must(!rc || addr == 4711);
	/* Digits alone never need the maps. */
	if (!rc && strspn(expression, "0123456789") == strlen(expression))
		must(addr == strtoull(expression, NULL, 10));
	maplist_free(&list);
	free(text);
	return 0;
}
