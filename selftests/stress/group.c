// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory cgroup that the actors live in: too small for them, so that they swap,
 * and now and then much too small, so that one of them is killed.
 */
#include "stress.h"

#include <sys/stat.h>
#include <sys/wait.h>

#define CGROUP "/sys/fs/cgroup"
#define GROUP CGROUP "/xmap-stress"
#define CONTROL CGROUP "/cgroup.subtree_control"
#define MIB (1L << 20)

static long need;
static long most = 64 * MIB;
static pid_t presser;
static bool enabled;

int group_create(void)
{
	char text[256] = "";

	if (access(CGROUP "/cgroup.controllers", F_OK))
		return -1;
	stat_text(CONTROL, text, sizeof(text));
	enabled = !strstr(text, "memory");
	if (xmap_write_file(CONTROL, "+memory"))
		return -1;
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		return -1;
	return xmap_write_file(GROUP "/memory.oom.group", "0");
}

void group_enter(void)
{
	if (xmap_write_file(GROUP "/cgroup.procs", "0"))
		_exit(1);
}

/*
 * How much they need when they have all that they want depends on the kernel: what is
 * left to them is a part of it.
 */
void group_measure(void)
{
	long now = xmap_read_long(GROUP "/memory.current");

	if (now > need)
		need = now;
	most = need + 8 * MIB;
	xmap_write_long(GROUP "/memory.swap.max", need / 2 + 4 * MIB);
}

/* From two thirds of it to all. */
void group_vary(void)
{
	if (!need)
		return;
	/* Reclaim goes on in here, and kills if that does not help: then it may be refused. */
	xmap_write_long(GROUP "/memory.max", need / 100 * (66 + rnd(35)));
	count(C_LIMIT);
}

long group_oom_kills(void)
{
	return stat_value(GROUP "/memory.events", "oom_kill ");
}

/*
 * Take memory and swap space, a little at a time, until somebody had to die for it, or
 * there is nobody left to die: then a store would fault, and have the kernel look for a
 * victim in vain, again and again.
 */
static void __attribute__((noreturn)) press(pid_t parent)
{
	long kills = group_oom_kills();
	long len = 4 * most, step = 16 * PAGE, at;
	char *mem;

	peer_bind_to(parent);
	xmap_write_long("/proc/self/oom_score_adj", -1000);
	group_enter();
	mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		   -1, 0);
	if (mem == MAP_FAILED)
		_exit(1);
	madvise(mem, len, MADV_NOHUGEPAGE);
	for (at = 0; at < len && group_oom_kills() == kills; at += step)
		if (madvise(mem + at, step, MADV_POPULATE_WRITE))
			break;
	_exit(0);
}

/* The victim is to be an actor, not the one who presses. */
void group_press(void)
{
	pid_t parent = getpid();

	if (presser)
		return;
	presser = fork();
	if (presser < 0)
		presser = 0;
	else if (!presser)
		press(parent);
}

/* A child has ended; it may be the one who presses. */
void group_press_ended(pid_t pid)
{
	if (pid == presser)
		presser = 0;
}

void group_press_end(void)
{
	if (presser)
		kill(presser, SIGKILL);
}

int group_destroy(void)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int tries;

	/* What the dead had is given back a moment later than they are reaped. */
	for (tries = 0; tries < 1000 && rmdir(GROUP); tries++) {
		if (errno != EBUSY)
			return -1;
		nanosleep(&pause, NULL);
	}
	if (!access(GROUP, F_OK))
		return -1;
	return enabled ? xmap_write_file(CONTROL, "-memory") : 0;
}
