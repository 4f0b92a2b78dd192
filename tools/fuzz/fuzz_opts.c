// SPDX-License-Identifier: LGPL-2.1-or-later
/* Command lines.  Each line of the input is one argument. */
#include <string.h>

#include "fuzz.h"

#define ARGS_MAX 32

static bool flag, other_flag;
static const char *value, *other_value;

static const struct opt opts[] = {
	{ "json", 'j', NULL, "a flag", &flag, NULL },
	{ "type", 't', "TYPE", "an argument", NULL, &value },
	{ "no-letter", 0, NULL, "a flag without a letter", &other_flag, NULL },
	{ "type-long", 0, "N", "an argument without a letter", NULL, &other_value },
	{ 0 },
};

/* One of the arguments, or the end of one. */
static bool is_part_of(const char *text, char *const *args, int argc)
{
	int i;

	for (i = 0; i < argc; i++) {
		if (text >= args[i] && text <= args[i] + strlen(args[i]))
			return true;
	}
	return false;
}

static void check(char *const *args, int argc, bool stop_at_arg)
{
	const char *const *values[] = { &value, &other_value, &common.backend };
	char *argv[ARGS_MAX];
	int i, k, n = argc, at = -1;
	int rc;

	flag = false;
	other_flag = false;
	value = NULL;
	other_value = NULL;
	common = (struct common){ 0 };
	memcpy(argv, args, argc * sizeof(*argv));
	rc = opts_parse(opts, stop_at_arg, &n, argv);
	must(!rc || rc == XC_USAGE);
	for (i = 0; i < (int)ARRAY_SIZE(values); i++)
		must(!*values[i] || is_part_of(*values[i], args, argc));
	if (rc)
		return;
	must(n >= 0 && n <= argc);
	/* What is left is some of the arguments, in their order. */
	for (i = 0; i < n; i++) {
		for (k = at + 1; k < argc && args[k] != argv[i]; k++)
			;
		must(k < argc);
		at = k;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_string(data, size), *rest = text;
	char *args[ARGS_MAX];
	int argc = 0;

	while (*rest && argc < ARGS_MAX)
		args[argc++] = fuzz_line(&rest);
	check(args, argc, false);
	check(args, argc, true);
	free(text);
	return 0;
}
