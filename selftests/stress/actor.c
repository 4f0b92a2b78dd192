// SPDX-License-Identifier: GPL-2.0-only
/* One actor: its start, what it does in turn, and its end. */
#include <sys/prctl.h>

#include "stress.h"

struct self self = { .ledger_fd = -1 };

void actor_failed(const char *what)
{
	error_at(E_CALL, "actor %u.%llu: %s: %s", self.slot, self.inc, what, strerror(errno));
	_exit(1);
}

/* The group has little memory: what the kernel says about that is not of interest. */
bool short_of_memory(void)
{
	if (errno != ENOMEM && errno != EAGAIN)
		return false;
	count(C_NO_MEMORY);
	answer();
	sched_yield();
	return true;
}

void actor_beat(const char *doing)
{
	struct actor *me = &ledger->actor[self.slot];

	answer();
	put(&me->beats, me->beats + 1);
	snprintf(me->doing, sizeof(me->doing), "%s", doing);
}

/*
 * The memory of all actors is at addresses where nothing else is, so nobody ever has
 * to look for a place, and each one's is free in all others.
 */
static void actor_begin(unsigned int slot, int ledger_fd)
{
	struct actor *me = &ledger->actor[slot];

	self.slot = slot;
	self.ledger_fd = ledger_fd;
	self.inc = get(&me->inc);
	self.rnd = ledger->seed * 0x9e3779b97f4a7c15ULL + slot * 1000003 + self.inc * 7919;
	MUST(self.dev = _test_dev_open());
	reader_setup();
	__atomic_store_n(&me->pid, getpid(), __ATOMIC_SEQ_CST);
	actor_beat("setup");
	source_setup();
}

/* A source does mostly things to its memory, a reader mostly looks. */
void actor_run(unsigned int slot, int ledger_fd)
{
	unsigned int share;

	actor_begin(slot, ledger_fd);
	share = ledger->actor[slot].source ? 80 : 12;
	while (!stopping()) {
		if (rnd(100) < share)
			source_step();
		else
			reader_step();
	}
	put(&ledger->actor[slot].leaving, self.inc);
	_exit(0);
}
