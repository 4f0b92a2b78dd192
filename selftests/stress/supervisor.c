// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who starts the actors, kills them, and makes the machine an unpleasant place.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "stress.h"

#define CPU1 "/sys/devices/system/cpu/cpu1/online"
#define TICK_NS 30000000
/* Seconds without a sign of life; a debug kernel in an emulator is slow. */
#define STALL 300
/* Seconds more than asked for, if something has not happened yet. */
#define GRACE 900
/* Things that all actors do together from one nuisance to the next, or how long that takes. */
#define HARASS_BEATS 5
#define HARASS_SECONDS 2

static struct {
	bool killed;
	__u64 beats;
	time_t since;
} seen[MAX_ACTORS];

static bool cpu_off;
static bool measured;

static time_t now(void)
{
	return test_now_ms() / 1000;
}

/* ---- Actors ---- */

static void spawn(unsigned int slot, int ledger_fd)
{
	struct actor *a = &ledger->actor[slot];
	pid_t parent = getpid(), pid;
	char adj[16];

	slot_renew(slot);
	seen[slot].killed = false;
	seen[slot].since = now();
	pid = fork();
	if (pid < 0) {
		error_at(E_CALL, "fork: %s", strerror(errno));
		return;
	}
	if (!pid) {
		peer_bind_to(parent);
		setpriority(PRIO_PROCESS, 0, 0);
		/*
		 * First: in a group that somebody has filled, without anyone who may be
		 * killed, all would wait for ever.
		 */
		snprintf(adj, sizeof(adj), "%u", rnd(500));
		xmap_write_file("/proc/self/oom_score_adj", adj);
		group_enter();
		close(self.dev);
		actor_run(slot, ledger_fd);
	}
	__atomic_store_n(&a->pid, pid, __ATOMIC_SEQ_CST);
}

/* How it ended, while it can still be asked about. */
static void judge(unsigned int slot, const siginfo_t *info)
{
	struct actor *a = &ledger->actor[slot];

	if (info->si_code == CLD_KILLED && info->si_status == SIGKILL) {
		if (seen[slot].killed)
			count(a->source ? C_KILL_SOURCE : C_KILL_READER);
		else
			count(a->source ? C_OOM_SOURCE : C_OOM_READER);
	} else if (info->si_code != CLD_EXITED || info->si_status ||
		   get(&a->leaving) != get(&a->inc)) {
		error_at(E_DEATH, "actor %u.%llu ended during %s: %s %d", slot, get(&a->inc),
			 a->doing, info->si_code == CLD_EXITED ? "exit" : "signal",
			 info->si_status);
	}
}

static unsigned int slot_of(pid_t pid)
{
	unsigned int slot;

	for (slot = 0; slot < ledger->actors; slot++)
		if (__atomic_load_n(&ledger->actor[slot].pid, __ATOMIC_SEQ_CST) == pid)
			break;
	return slot;
}

/*
 * The slot is renewed before the number of the process can be used again, and after
 * its memory was given up.
 */
static void reap(int ledger_fd, bool respawn)
{
	unsigned int slot;
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
			return;
		slot = slot_of(info.si_pid);
		if (slot < ledger->actors) {
			judge(slot, &info);
			slot_renew(slot);
			__atomic_store_n(&ledger->actor[slot].pid, 0, __ATOMIC_SEQ_CST);
		} else {
			group_press_ended(info.si_pid);
		}
		waitpid(info.si_pid, NULL, 0);
		if (slot < ledger->actors && respawn) {
			spawn(slot, ledger_fd);
			count(C_RESPAWN);
		}
	}
}

static void kill_one(void)
{
	unsigned int slot = rnd(ledger->actors);
	pid_t pid = ledger->actor[slot].pid;

	if (!pid)
		return;
	seen[slot].killed = true;
	kill(pid, SIGKILL);
}

/* Say where it hangs. */
static void report_stall(unsigned int slot)
{
	struct actor *a = &ledger->actor[slot];
	char path[48], text[2048], state[64] = "?";
	char *line;

	snprintf(path, sizeof(path), "/proc/%d/stat", a->pid);
	if (stat_text(path, text, sizeof(text)) && strrchr(text, ')'))
		snprintf(state, sizeof(state), "%.3s", strrchr(text, ')') + 1);
	error_at(E_STALL, "actor %u.%llu (%d) hangs in %s, state%s", slot, get(&a->inc), a->pid,
		 a->doing, state);
	snprintf(path, sizeof(path), "/proc/%d/stack", a->pid);
	if (!stat_text(path, text, sizeof(text)))
		return;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		printf("# %s\n", line);
}

static void watch(void)
{
	unsigned int slot;
	__u64 beats;

	for (slot = 0; slot < ledger->actors; slot++) {
		beats = get(&ledger->actor[slot].beats);
		if (beats != seen[slot].beats || !ledger->actor[slot].pid) {
			seen[slot].beats = beats;
			seen[slot].since = now();
		} else if (now() - seen[slot].since > STALL) {
			report_stall(slot);
			seen[slot].since = now();
			kill(ledger->actor[slot].pid, SIGKILL);
		}
	}
}

/* ---- The machine ---- */

bool cpu_can_go(void)
{
	return !access(CPU1, W_OK);
}

static void cpu_toggle(void)
{
	if (!cpu_can_go())
		return;
	if (!xmap_write_file(CPU1, cpu_off ? "1" : "0"))
		cpu_off = !cpu_off;
	else if (errno != EBUSY)
		error_at(E_CALL, "CPU 1: %s", strerror(errno));
	if (!cpu_off)
		count(C_CPU);
}

/* Nobody can take the module away from under those who use it. */
static void try_unload(void)
{
	if (!syscall(SYS_delete_module, "xmap", O_NONBLOCK))
		error_at(E_UNLOAD, "the module was unloaded while in use");
	else if (errno != EWOULDBLOCK)
		error_at(E_UNLOAD, "unloading while in use: %s", strerror(errno));
	count(C_UNLOAD);
}

/*
 * At the pace of what the actors do, and not of the clock: where all is slow they would
 * be killed before they have done anything that lasts.
 */
static bool time_to_harass(void)
{
	static time_t last;
	static __u64 before;
	unsigned int slot;
	__u64 beats = 0;

	for (slot = 0; slot < ledger->actors; slot++)
		beats += get(&ledger->actor[slot].beats);
	if (beats - before < HARASS_BEATS && now() - last < HARASS_SECONDS)
		return false;
	before = beats;
	last = now();
	return true;
}

static void harass(void)
{
	unsigned int what = rnd(100);

	/* Not for long with one processor. */
	if (cpu_off && rnd(4) == 0)
		cpu_toggle();
	if (what < 8)
		kill_one();
	else if (what < 14)
		group_vary();
	else if (what < 17 && !xmap_write_file("/proc/sys/vm/compact_memory", "1"))
		count(C_COMPACT);
	else if (what < 19 && !xmap_write_file("/proc/sys/vm/drop_caches", rnd(2) ? "1" : "3"))
		count(C_DROP_CACHES);
	else if (what < 22)
		cpu_toggle();
	else if (what < 26)
		try_unload();
	else if (what < 28)
		group_press();
}

static bool all_at_work(void)
{
	unsigned int slot;

	for (slot = 0; slot < ledger->actors; slot++)
		if (get(&ledger->actor[slot].ready) != get(&ledger->actor[slot].inc) ||
		    get(&ledger->actor[slot].beats) < 30)
			return false;
	return true;
}

bool action_is_missing(enum count which)
{
	if (which == C_CPU && !cpu_can_go())
		return false;
	if ((which == C_OP_COLLAPSE || which == C_OP_SPLIT) && !huge_pages_there())
		return false;
	return counters[which].needed && !get(&ledger->count[which]);
}

bool everything_happened(void)
{
	enum count c;

	ledger->count[C_OOM_KILLS] = group_oom_kills();
	for (c = 0; c < NR_COUNTS; c++)
		if (action_is_missing(c))
			return false;
	return true;
}

static bool any_left(void)
{
	unsigned int slot;

	for (slot = 0; slot < ledger->actors; slot++)
		if (ledger->actor[slot].pid)
			return true;
	return false;
}

/*
 * They end by themselves, each when it has done what it is doing.  Who hangs is killed,
 * and who does not even die of that must not keep the rest from being reported.
 */
static void finish(int ledger_fd)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	time_t end = now() + 2 * STALL;

	if (cpu_off)
		cpu_toggle();
	__atomic_store_n(&ledger->stop, 1, __ATOMIC_SEQ_CST);
	group_press_end();
	/* Until there are no children, those of dead actors included. */
	while (now() < end && (waitid(P_ALL, 0, NULL, WEXITED | WNOHANG | WNOWAIT) == 0)) {
		reap(ledger_fd, false);
		watch();
		nanosleep(&tick, NULL);
	}
	if (any_left())
		error_at(E_STALL, "some actors do not die");
}

void supervise(const struct options *opts, unsigned int seconds, bool to_the_full)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	time_t end = now() + seconds;
	unsigned int slot;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ledger->actors = opts->sources + opts->readers;
	ledger->stop = 0;
	measured = false;
	for (slot = 0; slot < ledger->actors; slot++) {
		ledger->actor[slot].source = slot < opts->sources;
		spawn(slot, self.ledger_fd);
	}
	while (now() < end || (to_the_full && !everything_happened() && now() < end + GRACE)) {
		nanosleep(&tick, NULL);
		reap(self.ledger_fd, true);
		watch();
		if (!measured && all_at_work()) {
			group_measure();
			measured = true;
		}
		if (measured && time_to_harass())
			harass();
		if (ledger->records >= NR_RECORDS)
			break;
	}
	finish(self.ledger_fd);
	everything_happened();
}
