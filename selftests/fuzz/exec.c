// SPDX-License-Identifier: GPL-2.0-only
/*
 * The executor: the process of MAIN and RACER, first of a pid namespace of its
 * own, so that nothing of a program outlives it.
 */
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "actor.h"
#include "fuzz.h"

struct executor *executor;

static struct ctx main_ctx, racer_ctx, victim_ctx;

/* Tell the watchdog that MAIN gets on. */
static void beat(void)
{
	__atomic_add_fetch(&executor->run->beat, 1, __ATOMIC_RELAXED);
}

static void die(const char *what)
{
	fprintf(stderr, "# executor: %s: %m\n", what);
	_exit(102);
}

static void ctx_init(struct ctx *x, enum actor who)
{
	*x = (struct ctx){
		.who = who,
		.scratch = SCRATCH + who * SCRATCH_STRIDE,
		.run = executor->run,
	};
}

/* A pair of sockets at fixed numbers. */
static int sockets(int ours, int theirs)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return -1;
	if (dup3(sv[0], ours, O_CLOEXEC) < 0 || dup3(sv[1], theirs, O_CLOEXEC) < 0)
		return -1;
	close(sv[0]);
	close(sv[1]);
	return 0;
}

static void pidfd_set(enum slot slot, pid_t pid)
{
	slot_set(slot, syscall(SYS_pidfd_open, pid, 0), KIND_PIDFD);
}

/* ---- The victim ---- */

static void victim_main(void)
{
	struct ctx *x = &victim_ctx;
	struct order hello = {};
	char outer[16] = "";

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_others(SOCK_OF_VICTIM, SOCK_OF_PASS);
	ctx_init(x, VICTIM);
	victim_pid = getpid();
	pidfd_set(SLOT_VICTIM, victim_pid);
	slot_set(SLOT_VICTIM_MEM, open("/proc/self/mem", O_RDWR | O_CLOEXEC), KIND_MEM);
	actor_cover(executor, VICTIM);
	/* The number that it has where /proc was mounted. */
	if (readlink("/proc/self", outer, sizeof(outer) - 1) > 0)
		hello.value = atoi(outer);
	if (send(SOCK_OF_VICTIM, &hello, sizeof(hello), MSG_NOSIGNAL) == sizeof(hello))
		actor_serve(x, SOCK_OF_VICTIM);
	_exit(0);
}

/* Returns -1 if there is none, which is no fault if memory is short. */
int victim_spawn(struct ctx *x)
{
	struct order hello;
	char path[32];

	if (sockets(SOCK_VICTIM, SOCK_OF_VICTIM) || sockets(SOCK_PASS, SOCK_OF_PASS))
		return -1;
	victim_pid = fork();
	if (!victim_pid)
		victim_main();
	close(SOCK_OF_VICTIM);
	close(SOCK_OF_PASS);
	if (victim_pid < 0) {
		victim_pid = 0;
		return -1;
	}
	if (order_receive(SOCK_VICTIM, &hello))
		return -1;
	x->victim = 1;
	pidfd_set(SLOT_VICTIM, victim_pid);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)hello.value);
	slot_set(SLOT_VICTIM_MEM, open(path, O_RDWR | O_CLOEXEC), KIND_MEM);
	slot_set(SLOT_VICTIM_MEM_RO, open(path, O_RDONLY | O_CLOEXEC), KIND_MEM);
	return 0;
}

void victim_kill(struct ctx *x)
{
	if (!victim_pid)
		return;
	kill(victim_pid, SIGKILL);
	while (waitpid(victim_pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	victim_pid = 0;
	x->victim = 0;
	x->run->stop[VICTIM] = 0;
	denial_clear(x, VICTIM);
	victim_owns_nothing(x);
	close(SOCK_VICTIM);
	close(SOCK_PASS);
}

/* ---- The racer ---- */

static void *racer_main(void *arg)
{
	(void)arg;
	racer_tid = syscall(SYS_gettid);
	actor_cover(executor, RACER);
	actor_serve(&racer_ctx, SOCK_OF_RACER);
	return NULL;
}

/* ---- The program ---- */

/* Have another actor stop what it does, if it does anything. */
static void quiesce(struct ctx *x, enum actor who, bool *pending)
{
	struct run *r = x->run;

	if (*pending) {
		__atomic_store_n(&r->stop[who], 1, __ATOMIC_RELAXED);
		if (actor_await(who == VICTIM ? SOCK_VICTIM : SOCK_RACER) && who == VICTIM)
			x->victim = 0;
		__atomic_store_n(&r->stop[who], 0, __ATOMIC_RELAXED);
	}
	*pending = false;
	if (who == RACER)
		r->busy = 0;
}

static void program_run(struct ctx *x)
{
	const struct prog *p = &x->run->prog;
	bool pending[ACTORS] = {};
	unsigned int i, last;

	for (i = 0; i < p->n; i = last) {
		const struct call *c = &p->call[i];

		last = i + 1;
		beat();
		if (c->actor == MAIN) {
			/* The victim's end is awaited by whoever ends it. */
			if (calls[c->nr].run == call_kill || calls[c->nr].run == call_spawn)
				pending[VICTIM] = false;
			actor_run(x, i);
			continue;
		}
		while (c->mode == LOOP && last < p->n && p->call[last].actor == c->actor &&
		       p->call[last].mode == LOOP)
			last++;
		quiesce(x, c->actor, &pending[c->actor]);
		if (c->actor == VICTIM && !x->victim)
			continue;
		if (c->actor == RACER)
			x->run->busy = c->mode != WAIT;
		if (actor_send(c->actor == VICTIM ? SOCK_VICTIM : SOCK_RACER, i, last)) {
			if (c->actor == VICTIM)
				x->victim = 0;
			continue;
		}
		pending[c->actor] = true;
		if (c->mode == WAIT && c->actor == VICTIM) {
			pending[VICTIM] = false;
			if (actor_await(SOCK_VICTIM))
				x->victim = 0;
		} else if (c->mode == WAIT) {
			pending[RACER] = false;
			actor_await(SOCK_RACER);
		}
	}
	quiesce(x, RACER, &pending[RACER]);
	quiesce(x, VICTIM, &pending[VICTIM]);
}

/* Everything that a program finds, in an order that gives the same numbers each time. */
static void pool_setup(void)
{
	int fds[2];
	pid_t dead;

	dead = vfork();
	if (!dead)
		_exit(0);
	pidfd_set(SLOT_DEAD, dead);
	waitpid(dead, NULL, 0);
	slot_set(SLOT_DEV, open("/dev/xmap", O_RDWR | O_CLOEXEC), KIND_DEV);
	if (slot_fd(SLOT_DEV) < 0)
		die("/dev/xmap");
	pidfd_set(SLOT_SELF, getpid());
	slot_set(SLOT_SELF_MEM, open("/proc/self/mem", O_RDWR | O_CLOEXEC), KIND_MEM);
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		die("pipe");
	/* Only the end for writing: it fills up, and nobody waits. */
	close(fds[0]);
	slot_set(SLOT_PIPE, fds[1], KIND_PIPE);
}

void executor_main(struct executor *ex)
{
	struct ctx *x = &main_ctx;
	pthread_t thread;

	executor = ex;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ex->uid && (setgroups(0, NULL) || setresgid(ex->uid, ex->uid, ex->uid) ||
			setresuid(ex->uid, ex->uid, ex->uid) || prctl(PR_SET_DUMPABLE, 1)))
		die("setresuid");
	actor_signals();
	executor_fds = open_fds();
	beat();
	memory_setup();
	beat();
	pool_setup();
	beat();
	ctx_init(x, MAIN);
	ctx_init(&racer_ctx, RACER);
	if (victim_spawn(x) || sockets(SOCK_RACER, SOCK_OF_RACER))
		die("victim");
	if (pthread_create(&thread, NULL, racer_main, NULL))
		die("racer");
	actor_cover(ex, MAIN);
	program_run(x);
	beat();
	check_end(x);
	beat();
	rings_close();
	munmap((void *)WIN, WIN_END - WIN);
	munmap((void *)FIXED, FIXED_END - FIXED);
	for (int i = 0; i < SLOTS; i++)
		slot_set(i, -1, KIND_NONE);
	if (!ex->run->lost && open_fds() != executor_fds)
		run_fail(ex->run, BAD_FD, "descriptors open: %#llx before, %#llx after",
			 (unsigned long long)executor_fds, (unsigned long long)open_fds());
	/* Its children, and those of the victim, go with the namespace. */
	_exit(0);
}
