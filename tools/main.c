// SPDX-License-Identifier: LGPL-2.1-or-later
/* xmap(1): finds the subcommand and runs it. */
#include <signal.h>
#include <string.h>

#include "tool.h"

static const struct cmd *const commands[] = {
	&cmd_check, &cmd_maps, &cmd_read, &cmd_write, &cmd_watch, &cmd_ps, &cmd_top,
	&cmd_share, &cmd_revoke, &cmd_region,
};

static bool show_version;

static const struct opt main_opts[] = {
	{ "version", 'V', NULL, "print the version", &show_version, NULL },
	{ 0 },
};

static const char statuses[] =
	"Exit status:\n"
	"  0  done\n"
	"  1  another error (output, memory, limits, an unknown interface)\n"
	"  2  wrong use: an option, a number, a type, a length\n"
	"  3  no such process, export or region, or a name that several processes have\n"
	"  4  no right to the process, the export, the region or /dev/xmap\n"
	"  5  no such memory, or the process itself may not use it that way\n"
	"  6  needs the module\n"
	"  7  the process ended meanwhile, or runs another program; or it was revoked\n"
	"  8  write --verify read back something else\n";

static void help_main(FILE *f)
{
	size_t i;

	fprintf(f, "Usage: xmap [OPTION...] COMMAND [ARGUMENT...]\n\n"
		"See and change the memory of a running process; share memory and take it back.\n\n"
		"Commands (`xmap COMMAND --help` says more):\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %-6s %-27s %s\n", commands[i]->name, commands[i]->args,
			commands[i]->summary);
	fprintf(f, "\nPROCESS is a PID, a name, or @NAME or @ID of what somebody shares.\n"
		"\nOptions of every command:\n");
	opts_help(f, common_opts);
	opts_help(f, main_opts);
	fprintf(f, "\n%s", statuses);
}

static void help_cmd(FILE *f, const struct cmd *cmd)
{
	fprintf(f, "Usage: xmap %s [OPTION...]%s%s\n\n%s.\n", cmd->name, cmd->args[0] ? " " : "",
		cmd->args, cmd->summary);
	if (cmd->details)
		fprintf(f, "\n%s", cmd->details);
	fprintf(f, "\nOptions:\n");
	opts_help(f, cmd->opts);
	opts_help(f, common_opts);
	fprintf(f, "\n%s", statuses);
}

static int check_args(const struct cmd *cmd, int argc, char **argv)
{
	int least = cmd->whole_export && argc && argv[0][0] == '@' ? 1 : cmd->min_args;

	if (argc >= least && (cmd->max_args < 0 || argc <= cmd->max_args))
		return XC_OK;
	return fail(XC_USAGE, "too %s arguments; usage: xmap %s%s%s", argc < least ? "few" : "many",
		    cmd->name, cmd->args[0] ? " " : "", cmd->args);
}

static int run(int argc, char **argv)
{
	const struct cmd *cmd = NULL;
	bool help;
	size_t i;
	int rc;

	rc = opts_parse(main_opts, true, &argc, argv);
	if (rc)
		return rc;
	if (show_version) {
		printf("xmap %s (libxmap %s, interface %d)\n", TOOL_VERSION, xmap_version(),
		       XMAP_ABI_VERSION);
		return XC_OK;
	}
	help = common.help;
	if (argc && !strcmp(argv[0], "help")) {
		help = true;
		argc--;
		argv++;
	}
	if (!argc) {
		help_main(help ? stdout : stderr);
		return help ? XC_OK : XC_USAGE;
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(argv[0], commands[i]->name))
			cmd = commands[i];
	}
	if (!cmd)
		return fail(XC_USAGE, "no command `%s`; see `xmap --help`", argv[0]);
	argc--;
	argv++;
	rc = opts_parse(cmd->opts, false, &argc, argv);
	if (rc)
		return rc;
	if (help || common.help) {
		help_cmd(stdout, cmd);
		return XC_OK;
	}
	rc = check_args(cmd, argc, argv);
	if (rc)
		return rc;
	return cmd->run(argc, argv);
}

int main(int argc, char **argv)
{
	/*
	 * A reader that goes away ends this program as it ends any filter, also
	 * if the parent ignores the signal.
	 */
	signal(SIGPIPE, SIG_DFL);
	return out_finish(run(argc - 1, argv + 1));
}
