/* SPDX-License-Identifier: GPL-2.0-only */
/* What the calls and the actors that make them share. */
#ifndef XMAP_FUZZ_ACTOR_H
#define XMAP_FUZZ_ACTOR_H

#include "fuzz.h"

/* From a call that does not apply to its arguments. */
#define NOT_RUN (-2L)

/* The victim's number in the executor's pid namespace, and RACER's thread. */
extern pid_t victim_pid;
extern pid_t racer_tid;

/* The sockets between actors, where children find them to close them. */
enum { SOCK_VICTIM = 200, SOCK_OF_VICTIM, SOCK_RACER, SOCK_OF_RACER };

/* One access that may fault. */
bool try_get(__u64 addr, __u8 *value);
bool try_put(__u64 addr, __u8 value);

#endif /* XMAP_FUZZ_ACTOR_H */
