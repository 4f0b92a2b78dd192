// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Plain loads from a window that survive its memory going away.
 *
 * A load from a window raises SIGBUS where the target has no memory.  A program
 * may catch that; a library may not take the handler away from its program,
 * which is why libxmap has guarded copies by system call instead.
 */
#include <setjmp.h>
#include <signal.h>
#include <string.h>

#include "tool.h"

/**
 * struct guard - The copy under way
 * @back: Where a SIGBUS goes on
 * @to: Where to
 * @from: Where from, in a window
 * @length: Bytes; 0 if there is no copy
 */
static struct guard {
	sigjmp_buf back;
	uint8_t *to;
	uintptr_t from;
	size_t length;
} guard;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	uintptr_t addr = (uintptr_t)info->si_addr;

	(void)context;
	if (addr >= guard.from && addr - guard.from < guard.length)
		siglongjmp(guard.back, 1);
	/* Not ours: end as if there were no handler. */
	signal(sig, SIG_DFL);
	raise(sig);
}

/* One load per aligned word, so that a value that changes is never seen in halves. */
static void load_all(void)
{
	uintptr_t from = guard.from, end = from + guard.length;
	uint8_t *to = guard.to;
	uint64_t word;
	size_t n;

	for (; from < end; from += n, to += n) {
		n = 8;
		while (n > end - from || from % n)
			n /= 2;
		if (n == 8)
			word = __atomic_load_n((uint64_t *)from, __ATOMIC_RELAXED);
		else if (n == 4)
			word = __atomic_load_n((uint32_t *)from, __ATOMIC_RELAXED);
		else if (n == 2)
			word = __atomic_load_n((uint16_t *)from, __ATOMIC_RELAXED);
		else
			word = __atomic_load_n((uint8_t *)from, __ATOMIC_RELAXED);
		memcpy(to, &word, n);
	}
}

/* All of it, or false. */
bool guard_copy(void *to, const void *from, size_t length)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	bool whole = false;

	guard.to = to;
	guard.from = (uintptr_t)from;
	guard.length = length;
	sigaction(SIGBUS, &action, NULL);
	if (!sigsetjmp(guard.back, 1)) {
		load_all();
		whole = true;
	}
	guard.length = 0;
	return whole;
}
