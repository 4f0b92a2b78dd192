// SPDX-License-Identifier: LGPL-2.1-or-later
/* Processes: finding them by name, and saying why one cannot be had. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define PF_EXITING 0x4
#define PF_KTHREAD 0x00200000
#define CAP_SYS_PTRACE 19
#define AMBIGUOUS_SHOWN 8

/* A small file of /proc as a string.  Length or -errno. */
static ssize_t read_file(const char *path, char *buf, size_t room)
{
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, room - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

int proc_stat(pid_t pid, struct proc_stat *ret)
{
	char path[64], buf[1024], *open_paren, *close_paren;
	struct proc_stat st = { 0 };
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	n = read_file(path, buf, sizeof(buf));
	if (n < 0)
		return n;
	/* The name may hold anything, parentheses too: the last one ends it. */
	open_paren = strchr(buf, '(');
	close_paren = strrchr(buf, ')');
	if (!open_paren || !close_paren ||
	    sscanf(close_paren + 1, " %c %*d %*d %*d %*d %*d %lu", &st.state, &st.flags) != 2)
		return -ESRCH;
	*close_paren = '\0';
	snprintf(st.comm, sizeof(st.comm), "%s", open_paren + 1);
	*ret = st;
	return 0;
}

bool proc_is_kernel_thread(const struct proc_stat *st)
{
	return st->flags & PF_KTHREAD;
}

/* The process is gone, a zombie or on its way: it does not merely run another program. */
bool proc_has_ended(pid_t pid)
{
	struct proc_stat st;

	return proc_stat(pid, &st) || st.state == 'Z' || st.state == 'X' ||
	       (st.flags & PF_EXITING);
}

/* A numeric line of /proc/PID/status; @pid 0 for oneself. */
static bool status_field(pid_t pid, const char *field, int base, unsigned long long *ret)
{
	char path[64], buf[8192], *line;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/status", pid);
	else
		snprintf(path, sizeof(path), "/proc/self/status");
	if (read_file(path, buf, sizeof(buf)) < 0)
		return false;
	line = strstr(buf, field);
	if (!line)
		return false;
	*ret = strtoull(line + strlen(field), NULL, base);
	return true;
}

static bool is_named(pid_t pid, const char *name)
{
	char path[64], exe[PATH_MAX], *cut;
	struct proc_stat st;
	ssize_t n;

	if (proc_stat(pid, &st) || st.state == 'Z' || st.state == 'X')
		return false;
	if (!strcmp(st.comm, name))
		return true;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n <= 0)
		return false;
	exe[n] = '\0';
	cut = strstr(exe, " (deleted)");
	if (cut)
		*cut = '\0';
	cut = strrchr(exe, '/');
	return !strcmp(cut ? cut + 1 : exe, name);
}

static int find_by_name(const char *name, pid_t *ret)
{
	char list[AMBIGUOUS_SHOWN * 12 + 8] = "";
	size_t used = 0, count = 0;
	struct dirent *de;
	pid_t pid, first = 0;
	DIR *dir;

	dir = opendir("/proc");
	if (!dir)
		return fail(XC_FAIL, "cannot open /proc: %s", strerror(errno));
	while ((de = readdir(dir))) {
		pid = isdigit((unsigned char)de->d_name[0]) ? atoi(de->d_name) : 0;
		if (pid <= 0 || pid == getpid() || !is_named(pid, name))
			continue;
		if (!count++)
			first = pid;
		if (count <= AMBIGUOUS_SHOWN)
			used += snprintf(list + used, sizeof(list) - used, "%s%d",
					 used ? ", " : "", pid);
	}
	closedir(dir);
	if (!count)
		return fail(XC_PROCESS, "no process is named `%s`", name);
	if (count > 1)
		return fail(XC_PROCESS, "%zu processes are named `%s`: give one of the PIDs %s%s",
			    count, name, list, count > AMBIGUOUS_SHOWN ? ", ..." : "");
	*ret = first;
	return XC_OK;
}

int proc_find(const char *who, pid_t *ret)
{
	uint64_t n;
	int rc;

	if (!who[0])
		return fail(XC_USAGE, "the process is empty: give a PID or a name");
	if (strspn(who, "0123456789") != strlen(who))
		return find_by_name(who, ret);
	rc = number_parse(who, "PID", &n);
	if (rc)
		return rc;
	if (!n || n > INT_MAX)
		return fail(XC_PROCESS, "process %s does not exist", who);
	*ret = n;
	return XC_OK;
}

/* -1 where the kernel has no Yama. */
int proc_yama_scope(void)
{
	char buf[16];

	if (read_file("/proc/sys/kernel/yama/ptrace_scope", buf, sizeof(buf)) <= 0)
		return -1;
	return atoi(buf);
}

bool proc_have_cap_ptrace(void)
{
	unsigned long long caps;

	return status_field(0, "\nCapEff:", 16, &caps) && (caps >> CAP_SYS_PTRACE & 1);
}

int proc_fail_denied(pid_t pid)
{
	bool cap = proc_have_cap_ptrace();
	int yama = proc_yama_scope();
	unsigned long long uid;

	if (yama >= 3)
		return fail(XC_DENIED,
			    "no right to process %d: Yama ptrace_scope is 3: nobody has it until the next boot",
			    pid);
	if (cap)
		return fail(XC_DENIED,
			    "no right to process %d: a security module, its user namespace or the process itself refuses",
			    pid);
	if (status_field(pid, "\nUid:", 10, &uid) && uid != geteuid())
		return fail(XC_DENIED,
			    "no right to process %d: it belongs to user %llu, you are %u: run as that user or as root",
			    pid, uid, geteuid());
	if (yama == 2)
		return fail(XC_DENIED,
			    "no right to process %d: Yama ptrace_scope is 2: run as root",
			    pid);
	if (yama == 1)
		return fail(XC_DENIED,
			    "no right to process %d: Yama ptrace_scope is 1: run as root or `sudo sysctl kernel.yama.ptrace_scope=0`",
			    pid);
	return fail(XC_DENIED,
		    "no right to process %d: it refuses, is not dumpable or has more privileges than you: run as root",
		    pid);
}

/* For ESRCH and its kin when a target is opened. */
int proc_fail_gone(pid_t pid)
{
	unsigned long long tgid;
	struct proc_stat st;

	if (proc_stat(pid, &st))
		return fail(XC_PROCESS, "process %d does not exist", pid);
	if (proc_is_kernel_thread(&st))
		return fail(XC_PROCESS,
			    "process %d is a kernel thread: it has no memory of its own",
			    pid);
	if (status_field(pid, "\nTgid:", 10, &tgid) && tgid != (unsigned long long)pid)
		return fail(XC_PROCESS, "%d is a thread: use its process %llu", pid, tgid);
	return fail(XC_PROCESS, "process %d has ended", pid);
}
