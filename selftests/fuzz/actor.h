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

/*
 * The sockets between actors, where children find them to close them: those for
 * orders, and those by which the two processes give each other descriptors.
 */
enum {
	SOCK_VICTIM = 200, SOCK_PASS, SOCK_RACER, SOCK_OF_RACER, SOCK_OF_VICTIM, SOCK_OF_PASS,
};

/* One access that may fault. */
bool try_get(__u64 addr, __u8 *value);
bool try_put(__u64 addr, __u8 value);

/* Of call_xmap.c: commands, and targets that they give. */
#define UNTOUCHED 0x5ca1ab1eU
#define RIGHTS_REGION (XMAP_RIGHT_READ | XMAP_RIGHT_WRITE | XMAP_RIGHT_MANAGE)

long command(struct ctx *x, const __u64 *a, unsigned long nr, void *cmd, __u32 known, bool check);
void limit_range(__u32 rights, __u64 *addr, __u64 *len);
__u64 out_slot(__u64 slot);
bool alone(const struct ctx *x);

/* A new handle in place, unless nobody can read back for sure what it is. */
void handle_take(struct ctx *x, const __u64 *a, __u32 size, __s32 fd, __u64 out,
		 enum slot_kind kind, __u32 node);

/**
 * struct power - What a handle says that it is good for
 * @known: It says so
 * @rights: Set of enum xmap_rights
 * @addr: First address
 * @length: Bytes
 */
struct power {
	bool known;
	__u32 rights;
	__u64 addr;
	__u64 length;
};

void power_of(int fd, enum slot_kind kind, struct power *power);
void power_check(struct ctx *x, int fd, enum slot_kind kind, const struct node *asked,
		 const struct power *parent);

#endif /* XMAP_FUZZ_ACTOR_H */
