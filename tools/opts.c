// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Options: long and short, before or after the arguments.
 *
 * getopt_long() would take the value in `xmap write PID ADDR -1` for an
 * option; here what begins with a dash and a digit is an argument.
 */
#include <ctype.h>
#include <string.h>

#include "tool.h"

struct common common;

const struct opt common_opts[] = {
	{ "backend", 0, "NAME", "module, syscalls, or auto (the default)", NULL, &common.backend },
	{ "quiet", 'q', NULL, "no notices", &common.quiet, NULL },
	{ "help", 'h', NULL, "this text", &common.help, NULL },
	{ 0 },
};

static const struct opt *find(const struct opt *opts, const char *name, size_t len, char letter)
{
	for (; opts && opts->name; opts++) {
		if (letter ? opts->letter == letter :
			     strlen(opts->name) == len && !memcmp(opts->name, name, len))
			return opts;
	}
	return NULL;
}

static bool is_option(const char *arg)
{
	return arg[0] == '-' && arg[1] && !isdigit((unsigned char)arg[1]) && arg[1] != '.';
}

static int parse_one(const struct opt *own, int argc, char **argv, int *i)
{
	const char *arg = argv[*i], *value = NULL;
	const struct opt *opt;
	bool is_long;
	size_t len;

	is_long = arg[1] == '-';
	if (is_long) {
		len = strcspn(arg + 2, "=");
		value = arg[2 + len] ? arg + 2 + len + 1 : NULL;
		opt = find(own, arg + 2, len, 0);
		if (!opt)
			opt = find(common_opts, arg + 2, len, 0);
	} else {
		opt = find(own, NULL, 0, arg[1]);
		if (!opt)
			opt = find(common_opts, NULL, 0, arg[1]);
		value = arg[2] ? arg + 2 : NULL;
	}
	if (!opt)
		return fail(XC_USAGE, "unknown option `%s`; see --help", arg);
	if (!opt->arg) {
		if (value)
			return fail(XC_USAGE,
				    "`%s`: option --%s takes no argument", arg, opt->name);
		*opt->flag = true;
		return XC_OK;
	}
	if (!value) {
		if (*i + 1 >= argc)
			return fail(XC_USAGE, "option --%s needs an argument (%s)",
				    opt->name, opt->arg);
		value = argv[++*i];
	}
	*opt->value = value;
	return XC_OK;
}

/*
 * Take the options out of @argv and leave the arguments, and their number in
 * @argc.  @stop_at_arg: what follows the first argument is left alone.
 */
int opts_parse(const struct opt *own, bool stop_at_arg, int *argc, char **argv)
{
	int i, rc, n = 0;

	for (i = 0; i < *argc; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		if (!is_option(argv[i])) {
			if (stop_at_arg)
				break;
			argv[n++] = argv[i];
			continue;
		}
		rc = parse_one(own, *argc, argv, &i);
		if (rc)
			return rc;
	}
	while (i < *argc)
		argv[n++] = argv[i++];
	*argc = n;
	return XC_OK;
}

void opts_help(FILE *f, const struct opt *opts)
{
	char left[64];

	for (; opts && opts->name; opts++) {
		snprintf(left, sizeof(left), "%c%c%s--%s%s%s",
			 opts->letter ? '-' : ' ', opts->letter ? opts->letter : ' ',
			 opts->letter ? ", " : "  ", opts->name, opts->arg ? "=" : "",
			 opts->arg ? opts->arg : "");
		fprintf(f, "  %-26s %s\n", left, opts->help);
	}
}
