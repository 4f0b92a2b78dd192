// SPDX-License-Identifier: LGPL-2.1-or-later
/* xmap check: is this machine set up? */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tool.h"

static bool json;

static const struct opt opts[] = {
	{ "json", 'j', NULL, "one JSON object", &json, NULL },
	{ 0 },
};

struct facts {
	struct utsname uts;
	struct xmap_cmd_query query;
	const char *module;
	const char *device;
	/* What to do about it, or NULL. */
	const char *advice;
	bool fallback;
	bool have_query;
	int yama;
	int status;
};

static const char *const features[] = { "window", "memfd", "nowait", "export",
					 "region" };

static bool fallback_works(void)
{
	char from = 'x', to = 0;
	struct iovec local = { &to, 1 }, remote = { &from, 1 };

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1 && to == 'x';
}

static bool no_more_modules(void)
{
	bool disabled;
	FILE *f;

	f = fopen("/proc/sys/kernel/modules_disabled", "re");
	if (!f)
		return false;
	disabled = fgetc(f) == '1';
	fclose(f);
	return disabled;
}

static void advise(struct facts *f, int status, const char *device, const char *advice)
{
	f->status = status;
	f->device = device;
	f->advice = advice;
}

static void look_without_device(struct facts *f)
{
	if (no_more_modules())
		advise(f, XC_MODULE, "absent",
		       "this kernel loads no more modules until the next boot");
	else if (!access("/sys/module/xmap", F_OK))
		advise(f, XC_MODULE, "absent",
		       "the module is loaded but has no /dev/xmap: is /dev that of a container?");
	else if (module_installed())
		advise(f, XC_MODULE, "absent", "run `sudo modprobe xmap`");
	else
		advise(f, XC_MODULE,
		       "absent", "run `sudo make install`, then `sudo modprobe xmap`");
}

static void look_at_device(struct facts *f)
{
	XMAP_OPTS(struct xmap_open_opts, open_opts, .backend = XMAP_BACKEND_MODULE);
	struct xmap_dev *dev;
	int rc;

	f->device = "usable";
	rc = xmap_open(&open_opts, &dev);
	if (!rc) {
		rc = xmap_query(dev, &f->query);
		xmap_close(dev);
	}
	if (!rc) {
		f->have_query = true;
		if (f->query.out_abi != XMAP_ABI_VERSION)
			advise(f, XC_FAIL, "of another release",
			       "install the module and this command from one release");
	} else if (rc == -ENOENT || rc == -ENODEV || rc == -ENXIO) {
		look_without_device(f);
	} else if (rc == -EACCES || rc == -EPERM) {
		advise(f, XC_DENIED, "no right to open it", "see `ls -l /dev/xmap`");
	} else {
		advise(f, XC_FAIL, strerror(-rc),
		       "is /dev/xmap this module's device, and are both of one release?");
	}
}

static void look(struct facts *f)
{
	*f = (struct facts){ .yama = proc_yama_scope(), .fallback = fallback_works() };
	uname(&f->uts);
	look_at_device(f);
	if (!access("/sys/module/xmap", F_OK))
		f->module = "loaded";
	else
		f->module = module_installed() ? "installed, not loaded" : "not installed";
}

static const char *yama_text(int scope)
{
	switch (scope) {
	case -1:
		return "this kernel has no Yama: same user, or CAP_SYS_PTRACE";
	case 0:
		return "same user, or CAP_SYS_PTRACE";
	case 1:
		return "own descendants and who allows it (PR_SET_PTRACER), or CAP_SYS_PTRACE";
	case 2:
		return "only with CAP_SYS_PTRACE";
	default:
		return "nobody, until the next boot";
	}
}

static void put_features(const struct facts *f)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		if (f->query.out_features >> i & 1)
			printf(" %s", features[i]);
	}
	putchar('\n');
}

static void put_text_facts(const struct facts *f)
{
	printf("kernel      %s\n", f->uts.release);
	printf("module      %s\n", f->module);
	printf("/dev/xmap   %s\n", f->device);
	if (f->have_query) {
		printf("interface   %" PRIu32 " (this command: %d)\n", f->query.out_abi,
		       XMAP_ABI_VERSION);
		fputs("features   ", stdout);
		put_features(f);
		printf("targets     %" PRIu32 " of at most %" PRIu32 " per user\n",
		       f->query.out_targets, f->query.out_max_targets);
		printf("windows     %" PRIu32 " of at most %" PRIu32 " per user\n",
		       f->query.out_windows, f->query.out_max_windows);
		printf("exports     %" PRIu32 " of at most %" PRIu32 " per user\n",
		       f->query.out_exports, f->query.out_max_exports);
		printf("regions     %" PRIu32 " of at most %" PRIu32 " handles per user, %" PRIu64
		       " of at most %" PRIu64 " bytes\n", f->query.out_regions,
		       f->query.out_max_regions, (uint64_t)f->query.out_region_bytes,
		       (uint64_t)f->query.out_max_region_bytes);
	}
	if (f->yama >= 0)
		printf("Yama        ptrace_scope %d\n", f->yama);
	printf("who may     %s\n", yama_text(f->yama));
	printf("you         user %u, %s CAP_SYS_PTRACE\n", geteuid(),
	       proc_have_cap_ptrace() ? "with" : "without");
	printf("fall-back   process_vm_readv %s\n",
	       f->fallback ? "works: maps, read, write, watch" : "is not allowed here");
	if (f->status)
		printf("verdict     not fully usable: %s\n", f->advice);
	else
		puts("verdict     fully usable");
}

static void put_json_facts(const struct facts *f)
{
	size_t i;
	bool first = true;

	fputs("{\"kernel\":", stdout);
	json_string(stdout, f->uts.release, strlen(f->uts.release));
	printf(",\"module\":\"%s\",\"device\":", f->module);
	json_string(stdout, f->device, strlen(f->device));
	if (f->have_query) {
		printf(",\"abi\":%" PRIu32 ",\"max_targets\":%" PRIu32 ",\"max_windows\":%" PRIu32
		       ",\"targets\":%" PRIu32 ",\"windows\":%" PRIu32 ",\"max_exports\":%" PRIu32
		       ",\"exports\":%" PRIu32,
		       f->query.out_abi, f->query.out_max_targets, f->query.out_max_windows,
		       f->query.out_targets, f->query.out_windows, f->query.out_max_exports,
		       f->query.out_exports);
		printf(",\"max_regions\":%" PRIu32 ",\"regions\":%" PRIu32
		       ",\"max_region_bytes\":%" PRIu64 ",\"region_bytes\":%" PRIu64
		       ",\"features\":[", f->query.out_max_regions, f->query.out_regions,
		       (uint64_t)f->query.out_max_region_bytes,
		       (uint64_t)f->query.out_region_bytes);
		for (i = 0; i < ARRAY_SIZE(features); i++) {
			if (!(f->query.out_features >> i & 1))
				continue;
			printf("%s\"%s\"", first ? "" : ",", features[i]);
			first = false;
		}
		putchar(']');
	}
	if (f->yama >= 0)
		printf(",\"yama_ptrace_scope\":%d", f->yama);
	printf(",\"uid\":%u,\"cap_sys_ptrace\":%s,\"fallback\":%s,\"usable\":%s,\"advice\":",
	       geteuid(), proc_have_cap_ptrace() ? "true" : "false",
	       f->fallback ? "true" : "false", f->status ? "false" : "true");
	if (f->advice)
		json_string(stdout, f->advice, strlen(f->advice));
	else
		fputs("null", stdout);
	fputs("}\n", stdout);
}

static int run(int argc, char **argv)
{
	struct facts f;

	(void)argc;
	(void)argv;
	look(&f);
	if (json)
		put_json_facts(&f);
	else
		put_text_facts(&f);
	return f.status;
}

const struct cmd cmd_check = {
	.name = "check",
	.args = "",
	.summary = "Is this machine set up for xmap?",
	.details =
		"Exits with 0 if everything works; 6 without the module, 4 without the right\n"
		"to open /dev/xmap, 1 if module and command do not fit together.\n",
	.opts = opts,
	.max_args = 0,
	.run = run,
};
