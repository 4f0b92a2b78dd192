// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running one program from outside: in a pid namespace of its own, with a time
 * limit, and looking at what it leaves behind.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fuzz.h"

/* How long what is killed may take to be gone. */
#define DEATH_SECONDS 60

const char *const verdict_names[VERDICTS] = {
	[FINE] = "fine",
	[BAD_ERRNO] = "errno",
	[BAD_OUTPUT] = "output",
	[BAD_RIGHTS] = "rights",
	[BAD_CANARY] = "canary",
	[BAD_CONTENT] = "content",
	[BAD_REVOKED] = "revoked",
	[BAD_FD] = "descriptor",
	[BAD_OBJECTS] = "objects",
	[BAD_HANG] = "hang",
	[BAD_STUCK] = "stuck",
	[BAD_EXIT] = "exit",
	[BAD_LOG] = "log",
};

/* Ends when so many seconds have passed without a beat; true if the process has ended before. */
static bool await_end(int pidfd, unsigned int seconds, const __u32 *beat)
{
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	unsigned int quiet, all;
	__u32 before = 0, now;

	/* On a machine that is slow for other reasons, small steps are progress. */
	for (quiet = 0, all = 0; quiet < seconds && all < 10 * seconds; quiet++, all++) {
		if (poll(&pfd, 1, 1000) == 1)
			return true;
		now = __atomic_load_n(beat, __ATOMIC_RELAXED);
		if (now != before)
			quiet = 0;
		before = now;
	}
	return false;
}

static void copy_file(FILE *to, const char *path)
{
	char buf[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	fprintf(to, "%s\n", path);
	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, n, to);
	if (fd >= 0)
		close(fd);
}

/* Where in the kernel everybody is who is part of this. */
static void save_stacks(void)
{
	char path[300], comm[32] = "", own[32] = "";
	struct dirent *e;
	FILE *out, *f;
	DIR *proc;

	snprintf(path, sizeof(path), "%s/stacks-%d.txt", opts.dir, getpid());
	out = fopen(path, "w");
	proc = opendir("/proc");
	f = fopen("/proc/self/comm", "r");
	if (!out || !proc || !f || !fgets(own, sizeof(own), f))
		goto out;
	while ((e = readdir(proc))) {
		FILE *c;

		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		c = fopen(path, "r");
		if (!c)
			continue;
		if (fgets(comm, sizeof(comm), c) && !strcmp(comm, own)) {
			DIR *tasks;
			struct dirent *t;

			snprintf(path, sizeof(path), "/proc/%s/task", e->d_name);
			tasks = opendir(path);
			while (tasks && (t = readdir(tasks))) {
				if (t->d_name[0] == '.')
					continue;
				snprintf(path, sizeof(path), "/proc/%.10s/task/%.10s/stack",
					 e->d_name, t->d_name);
				copy_file(out, path);
			}
			if (tasks)
				closedir(tasks);
		}
		fclose(c);
	}
out:
	if (out)
		fclose(out);
	if (proc)
		closedir(proc);
	if (f)
		fclose(f);
}

/* What this user has, or -1. */
static long objects_of(struct executor *x)
{
	struct xmap_cmd_query cmd = { .size = sizeof(cmd) };
	long n = -1;

	if (seteuid(x->uid))
		return -1;
	if (!ioctl(x->dev, XMAP_QUERY, &cmd))
		n = cmd.out_targets + cmd.out_windows + cmd.out_exports + cmd.out_regions +
		    cmd.out_region_bytes / PAGE;
	if (seteuid(0))
		return -1;
	return n;
}

/* The last references go late: by io_uring's workers, for one. */
static void check_objects(struct executor *x, long before)
{
	unsigned int ms;
	long n;

	for (ms = 0; (n = objects_of(x)) > before && ms < x->late_ms; ms++)
		usleep(1000);
	if (n > before)
		run_fail(x->run, BAD_OBJECTS, "%ld objects are left", n - before);
}

static pid_t spawn(struct executor *x, int *pidfd)
{
	unsigned long flags = CLONE_NEWPID | CLONE_PIDFD | SIGCHLD;
	pid_t pid;

	fflush(NULL);
	pid = syscall(SYS_clone, flags, 0, pidfd, 0, 0);
	if (!pid)
		executor_main(x);
	return pid;
}

/*
 * Returns FINE too where it could not be run for want of memory.  After BAD_STUCK
 * nothing more can be run.
 */
enum verdict execute(struct executor *x, const struct prog *p)
{
	struct run *r = x->run;
	int pidfd = -1, status = 0, i;
	long objects = objects_of(x);
	pid_t pid;

	memset(r, 0, sizeof(*r));
	r->prog = *p;
	memset(r->err, 0xff, sizeof(r->err));
	for (i = 0; i < ACTORS; i++)
		if (x->kcov[i].area)
			__atomic_store_n(x->kcov[i].area, 0, __ATOMIC_RELAXED);
	pid = spawn(x, &pidfd);
	if (pid < 0)
		return FINE;
	if (!await_end(pidfd, x->hang, &r->beat)) {
		save_stacks();
		run_fail(r, BAD_HANG, "no progress for %u s", x->hang);
	}
	kill(pid, SIGKILL);
	if (!await_end(pidfd, DEATH_SECONDS, &r->beat)) {
		save_stacks();
		r->verdict = FINE;
		run_fail(r, BAD_STUCK, "it cannot be killed");
		close(pidfd);
		return BAD_STUCK;
	}
	close(pidfd);
	waitpid(pid, &status, 0);
	if (status && r->verdict == FINE)
		run_fail(r, BAD_EXIT, "the executor ended with status %#x", status);
	names_remove(x);
	if (x->alone)
		check_objects(x, objects);
	return r->verdict;
}
