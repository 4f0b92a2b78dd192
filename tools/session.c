// SPDX-License-Identifier: LGPL-2.1-or-later
/* The process or export that a command works on, and what to say when that fails. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tool.h"

bool module_installed(void)
{
	char path[256], *line = NULL, *colon;
	struct utsname uts;
	bool found = false;
	size_t room = 0;
	FILE *f;

	if (uname(&uts))
		return false;
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", uts.release);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && getline(&line, &room, f) > 0) {
		colon = strchr(line, ':');
		if (colon)
			*colon = '\0';
		found = strstr(line, "/xmap.ko");
	}
	free(line);
	fclose(f);
	return found;
}

static const char *how_to_get_device(void)
{
	return module_installed() ? "run `sudo modprobe xmap`" :
				    "run `sudo make install`, then `sudo modprobe xmap`";
}

static int fail_device(int err)
{
	if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
		return fail(XC_MODULE, "no /dev/xmap: %s", how_to_get_device());
	if (err == -EACCES || err == -EPERM)
		return fail(XC_DENIED,
			    "no right to open /dev/xmap: see its mode and group with `ls -l /dev/xmap`");
	return fail(XC_FAIL, "cannot open /dev/xmap: %s", strerror(-err));
}

int device_open(struct xmap_dev **ret)
{
	XMAP_OPTS(struct xmap_open_opts, opts);
	const char *name = common.backend ? common.backend : "auto";
	struct xmap_dev *dev;
	int rc;

	if (!strcmp(name, "module"))
		opts.backend = XMAP_BACKEND_MODULE;
	else if (!strcmp(name, "syscalls"))
		opts.backend = XMAP_BACKEND_SYSCALLS;
	else if (strcmp(name, "auto"))
		return fail(XC_USAGE, "no backend `%s`; there are module, syscalls, auto", name);
	rc = xmap_open(&opts, &dev);
	if (rc)
		return opts.backend == XMAP_BACKEND_SYSCALLS ?
			fail(XC_FAIL, "no system calls to fall back on: %s", strerror(-rc)) :
			fail_device(rc);
	rc = xmap_backend_error(dev);
	if (rc == -ENOENT || rc == -ENODEV || rc == -ENXIO)
		notice("no /dev/xmap: %s; using process_vm_readv", how_to_get_device());
	else if (rc == -EACCES || rc == -EPERM)
		notice("no right to open /dev/xmap: see `ls -l /dev/xmap`; using process_vm_readv");
	else if (rc)
		notice("cannot open /dev/xmap: %s; using process_vm_readv", strerror(-rc));
	*ret = dev;
	return XC_OK;
}

int module_open(const char *what, struct xmap_dev **ret)
{
	int rc;

	/* There is nothing to fall back on: say so once, as the error. */
	if (!common.backend || !strcmp(common.backend, "auto"))
		common.backend = "module";
	rc = device_open(ret);
	if (!rc && xmap_backend(*ret) != XMAP_BACKEND_MODULE) {
		xmap_close(*ret);
		*ret = NULL;
		rc = fail(XC_MODULE, "only the module %s: leave --backend out", what);
	}
	return rc;
}

static int fail_open(struct session *s, int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		return proc_fail_denied(s->pid);
	case -ESRCH:
	case -EINVAL:
	case -ENOENT:
		return proc_fail_gone(s->pid);
	case -EDQUOT:
		return fail(XC_FAIL,
			    "too many targets: see `xmap ps` and the limits in `xmap check`");
	default:
		return fail(XC_FAIL, "cannot open process %d: %s", s->pid, strerror(-err));
	}
}

static int find_process(struct session *s, const char *who)
{
	struct proc_stat st;
	int rc;

	rc = proc_find(who, &s->pid);
	if (rc)
		return rc;
	/* From here on the number may be reused: the pidfd still means this process. */
	s->pidfd = syscall(SYS_pidfd_open, s->pid, 0);
	if (s->pidfd < 0)
		return fail_open(s, -errno);
	if (!proc_stat(s->pid, &st))
		memcpy(s->name, st.comm, sizeof(s->name));
	snprintf(s->who, sizeof(s->who), "process %d", s->pid);
	snprintf(s->ref, sizeof(s->ref), "%d", s->pid);
	return XC_OK;
}

static int open_process(struct session *s, const char *who, uint32_t rights)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = rights);
	int rc;

	/* The process first: a wrong name needs no word about the module. */
	rc = find_process(s, who);
	if (!rc)
		rc = device_open(&s->dev);
	if (!rc) {
		rc = xmap_target_open(s->dev, s->pidfd, &opts, &s->target);
		if (rc)
			rc = fail_open(s, rc);
	}
	return rc;
}

int session_open(struct session *s, const char *who, uint32_t rights)
{
	int rc;

	*s = (struct session){ .pidfd = -1 };
	rc = who[0] == '@' ? session_accept(s, who, rights) : open_process(s, who, rights);
	if (rc)
		session_close(s);
	return rc;
}

void session_close(struct session *s)
{
	maplist_free(&s->maps);
	xmap_target_close(s->target);
	if (s->pidfd >= 0)
		close(s->pidfd);
	xmap_close(s->dev);
}

int session_maps(struct session *s, const struct maplist **ret)
{
	int rc;

	if (!s->have_maps) {
		rc = maplist_load(s->target, &s->maps);
		if (rc)
			return session_fail(s, rc, 0, false);
		s->have_maps = true;
	}
	*ret = &s->maps;
	return XC_OK;
}

static int addr_maps(void *arg, const struct maplist **ret)
{
	return session_maps(arg, ret);
}

static int addr_symbol(void *arg, const struct mapping *file, const char *symbol, uint64_t *ret)
{
	char path[PATH_MAX + 32];
	struct session *s = arg;

	if (file->name[0] != '/')
		return fail(XC_USAGE, "%s is not a file: it has no symbols", file->name);
	if (strstr(file->name, " (deleted)"))
		return fail(XC_MEMORY, "%s: its symbols are gone with it", file->name);
	/* As the process sees it: it may live in a container. */
	snprintf(path, sizeof(path), "/proc/%d/root%s", s->pid, file->name);
	return elf_symbol(access(path, F_OK) ? file->name : path, symbol, ret);
}

int session_addr(struct session *s, const char *text, uint64_t *ret)
{
	struct addr_env env = {
		.arg = s,
		.who = s->who,
		.maps = addr_maps,
		.symbol = addr_symbol,
	};
	char path[64], exe[PATH_MAX];
	ssize_t n;

	if (s->is_export)
		env.export = &s->start;
	if (!text) {
		*ret = s->start;
		return XC_OK;
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", s->pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n > 0) {
		exe[n] = '\0';
		env.exe = exe;
	}
	return addr_parse(text, &env, ret);
}

bool session_has_window(const struct session *s)
{
	return xmap_backend(s->dev) == XMAP_BACKEND_MODULE;
}

/* What became of it: enum xmap_target_state. */
static uint32_t session_state(struct session *s)
{
	struct xmap_cmd_target_info info;

	return xmap_target_info(s->target, &info) ? XMAP_TARGET_ALIVE : info.out_state;
}

/*
 * The address space is gone, or out of reach.  The process may still exist: with
 * another program after execve(), or for a moment on its way out.
 */
int session_fail_ended(struct session *s)
{
	if (session_state(s) == XMAP_TARGET_REVOKED)
		return fail(XC_ENDED, "%s: it was revoked", s->who);
	if (s->is_export)
		return fail(XC_ENDED, "the owner of %s ended", s->who);
	if (proc_has_ended(s->pid))
		return fail(XC_ENDED, "%s ended", s->who);
	return fail(XC_ENDED, "%s runs another program now", s->who);
}

/* Say why memory at @addr could not be used. */
static int fail_memory(struct session *s, uint64_t addr, bool write)
{
	struct maplist maps = { 0 };
	const struct mapping *m;
	int rc;

	/* As it is now, not as it was when an address was looked up. */
	rc = maplist_load(s->target, &maps);
	m = rc ? NULL : maplist_find(&maps, addr);
	if (!m)
		rc = fail(XC_MEMORY, "address 0x%" PRIx64 " is not mapped; see `xmap maps %s`",
			  addr, s->ref);
	else if (m->flags & (XMAP_VMA_IO | XMAP_VMA_WINDOW))
		rc = fail(XC_MEMORY, "address 0x%" PRIx64 " is %s: its memory cannot be reached",
			  addr, m->flags & XMAP_VMA_WINDOW ? "a window" : "device memory");
	else if (write && !(m->flags & XMAP_VMA_WRITE))
		rc = fail(XC_MEMORY,
			  "%s may not write address 0x%" PRIx64 " itself%s", s->who, addr,
			  s->is_export ? "" : m->flags & XMAP_VMA_SHARED ?
			  ", and it is shared" : "; --force writes it");
	else if (!(m->flags & XMAP_VMA_READ))
		rc = fail(XC_MEMORY, "%s may not read address 0x%" PRIx64 " itself", s->who, addr);
	else
		rc = fail(XC_MEMORY,
			  "address 0x%" PRIx64 " has no memory: the file ends before it",
			  addr);
	maplist_free(&maps);
	return rc;
}

int session_fail(struct session *s, long err, uint64_t addr, bool write)
{
	uint64_t rest;

	if (err == -ESRCH || session_state(s) != XMAP_TARGET_ALIVE)
		return session_fail_ended(s);
	/* Addresses in the upper half are negative offsets to pread(2) and mmap(2). */
	if (addr >> 63 && (err == -EINVAL || err == -EOVERFLOW))
		err = -EFAULT;
	if (s->is_export && session_length(s, addr, &rest))
		return XC_MEMORY;
	switch (err) {
	case -ESTALE:
		return fail(XC_ENDED, "address 0x%" PRIx64 " of %s was revoked", addr, s->who);
	case -EFAULT:
		return fail_memory(s, addr, write);
	case -EACCES:
	case -EPERM:
		return proc_fail_denied(s->pid);
	default:
		return fail(XC_FAIL, "%s at 0x%" PRIx64 ": %s", s->who, addr, strerror(-err));
	}
}
