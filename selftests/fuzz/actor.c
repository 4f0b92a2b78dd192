// SPDX-License-Identifier: GPL-2.0-only
/*
 * An actor: makes calls, looks at what they answer, and takes orders.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "actor.h"
#include "fuzz.h"

#define LOOP_MAX 200
#define LATE_MS 10000

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_TRACE_PC 0
#define KCOV_WORDS (32UL << 10)

/* Only the first one counts: what comes after it may come from it. */
void run_fail(struct run *r, enum verdict what, const char *fmt, ...)
{
	__u32 fine = FINE;
	va_list ap;

	if (!__atomic_compare_exchange_n(&r->verdict, &fine, what, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return;
	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
}

/* ---- Accesses that may fault ---- */

static __thread sigjmp_buf fault_env;
static __thread volatile bool fault_expected;

static void on_fault(int sig)
{
	if (!fault_expected) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	siglongjmp(fault_env, 1);
}

static void on_signal(int sig)
{
	(void)sig;
}

void actor_signals(void)
{
	/* Not masked in its handler, which is left by a jump that restores no mask. */
	struct sigaction fault = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	struct sigaction other = { .sa_handler = on_signal };

	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGUSR1, &other, NULL);
	signal(SIGPIPE, SIG_IGN);
}

#define TRY(access)						\
	({							\
		bool __ok = false;				\
								\
		fault_expected = true;				\
		if (!sigsetjmp(fault_env, 0)) {			\
			access;					\
			__atomic_signal_fence(__ATOMIC_SEQ_CST);	\
			__ok = true;				\
		}						\
		fault_expected = false;				\
		__ok;						\
	})

bool try_load(__u64 addr, __u64 *value)
{
	return TRY(*value = *(volatile __u64 *)addr);
}

bool try_store(__u64 addr, __u64 value)
{
	return TRY(*(volatile __u64 *)addr = value);
}

bool try_get(__u64 addr, __u8 *value)
{
	return TRY(*value = *(volatile __u8 *)addr);
}

bool try_put(__u64 addr, __u8 value)
{
	return TRY(*(volatile __u8 *)addr = value);
}

/* ---- Coverage ---- */

/* Once, by a worker: a buffer for each actor. */
void executor_open(struct executor *x, unsigned int nr, bool covered)
{
	uid_t uid = worker_uid(nr);
	int i;

	*x = (struct executor){
		.worker = getpid(),
		.nr = nr,
		.uid = uid,
		.alone = uid || opts.workers < 3,
		.hang = opts.hang,
		.late_ms = LATE_MS,
	};

	for (i = 0; i < ACTORS; i++) {
		struct kcov *k = &x->kcov[i];

		k->fd = covered ? open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC) : -1;
		if (k->fd < 0)
			continue;
		if (ioctl(k->fd, KCOV_INIT_TRACE, KCOV_WORDS)) {
			close(k->fd);
			k->fd = -1;
			continue;
		}
		k->area = mmap(NULL, KCOV_WORDS * sizeof(*k->area), PROT_READ | PROT_WRITE,
			       MAP_SHARED, k->fd, 0);
		if (k->area == MAP_FAILED)
			k->area = NULL;
		else
			/* The kernel needs no mapping to write there; forks are cheaper without. */
			madvise(k->area, KCOV_WORDS * sizeof(*k->area), MADV_DONTFORK);
	}
	x->exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	x->dev = open("/dev/xmap", O_RDWR | O_CLOEXEC);
	x->run = mmap(NULL, sizeof(*x->run), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (x->exe < 0 || x->run == MAP_FAILED) {
		perror("fuzz");
		exit(1);
	}
}

/* The calling thread's kernel code counts from now on.  An earlier victim may still have it. */
void actor_cover(struct executor *x, enum actor who)
{
	if (x->kcov[who].fd >= 0)
		ioctl(x->kcov[who].fd, KCOV_ENABLE, KCOV_TRACE_PC);
}

/* ---- Calls ---- */

/* Is no other thread of its process at the same slots and addresses? */
bool alone(const struct ctx *x)
{
	return x->who == VICTIM || !x->run->busy;
}

static bool documented(const struct call_desc *desc, enum slot_kind kind, int err)
{
	const int *e;

	if (!(desc->on & 1U << kind)) {
		/* Of the kinds of files that have commands, one that does not have this. */
		if (desc->size && ON_COMMANDS & 1U << kind)
			return err == ENOTTY;
		return true;
	}
	for (e = desc->errors; *e; e++)
		if (*e == err)
			return *e != ENOTTY;
	return false;
}

void actor_run(struct ctx *x, unsigned int i)
{
	const struct call *c = &x->run->prog.call[i];
	const struct call_desc *desc = &calls[c->nr];
	enum slot_kind kind = slot_kind(c->arg[0]);
	int err = 0;
	long ret;

	errno = 0;
	ret = desc->run(x, c->arg);
	if (ret == NOT_RUN)
		return;
	if (ret < 0)
		err = errno;
	__atomic_add_fetch(&x->run->calls, 1, __ATOMIC_RELAXED);
	x->run->err[i] = err;
	/* With two threads at the same slots, who knows what kind it was. */
	if (!err || !desc->errors || !alone(x))
		return;
	if (!documented(desc, kind, err))
		run_fail(x->run, BAD_ERRNO, "call %u, %s: errno %d (%s) is not documented", i + 1,
			 desc->name, err, strerrordesc_np(err) ?: "?");
}

/* ---- Orders ---- */

int actor_send(int sock, __u32 first, __u32 last)
{
	struct order order = { .first = first, .last = last };

	return send(sock, &order, sizeof(order), MSG_NOSIGNAL) == sizeof(order) ? 0 : -1;
}

int order_receive(int sock, struct order *order)
{
	ssize_t n;

	do {
		n = recv(sock, order, sizeof(*order), 0);
	} while (n < 0 && errno == EINTR);
	return n == sizeof(*order) ? 0 : -1;
}

/* Until the order is done; -1 if the actor has ended instead. */
int actor_await(int sock)
{
	struct order order;

	return order_receive(sock, &order);
}

static void obey(struct ctx *x, const struct order *order)
{
	const struct prog *p = &x->run->prog;
	__u32 i, rounds = p->call[order->first].mode == LOOP ? LOOP_MAX : 1;

	while (rounds--) {
		for (i = order->first; i < order->last; i++) {
			actor_run(x, i);
			if (__atomic_load_n(&x->run->stop[x->who], __ATOMIC_RELAXED))
				return;
		}
	}
}

/* Take orders until the other end is gone. */
void actor_serve(struct ctx *x, int sock)
{
	struct order order;

	while (!order_receive(sock, &order)) {
		switch (order.first) {
		case ORDER_PEEK:
			order.ok = try_load(order.addr, &order.value);
			break;
		case ORDER_CHECK:
			check_handles(x);
			check_taken(x);
			check_region_handles(x);
			check_regions(x, true);
			break;
		case ORDER_CANARY:
			order.ok = canary_intact();
			break;
		default:
			obey(x, &order);
		}
		if (send(sock, &order, sizeof(order), MSG_NOSIGNAL) != sizeof(order))
			break;
	}
}

/* The victim's answer; false if there is no victim. */
bool victim_ask(struct ctx *x, struct order *order)
{
	if (!x->victim)
		return false;
	if (send(SOCK_VICTIM, order, sizeof(*order), MSG_NOSIGNAL) != sizeof(*order) ||
	    order_receive(SOCK_VICTIM, order)) {
		x->victim = 0;
		return false;
	}
	return true;
}
