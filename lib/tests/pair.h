/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of channels share: a channel with both ends here, and records. */
#ifndef XMAP_TESTS_PAIR_H
#define XMAP_TESTS_PAIR_H

#include "../channel.h"
#include "tests.h"

/* Both ends, and what the second one was made of, as duplicates. */
struct pair {
	struct xmap_channel *a;
	struct xmap_channel *b;
	struct xmap_channel_fds fds;
};

/* The smallest ring: everything is full and empty and at its end all the time. */
#define SMALL_RING 4096
#define SMALL_MAX (SMALL_RING - 8)

/* With it channels are made of regions, else of memfds: main.c. */
extern struct xmap_dev *channel_dev;

struct xmap_channel *channel_begin(struct xmap_channel_fds *fds, size_t ring);
struct xmap_channel *channel_other(const struct xmap_channel_fds *fds, uint32_t flags);
int channel_from(const struct xmap_channel_fds *fds, uint32_t flags, struct xmap_channel **ret);
void fds_close(const struct xmap_channel_fds *fds);
void pair_begin(struct pair *pair, size_t ring);
void pair_end(struct pair *pair);

/* The shared memory, for who does not keep to the rules; and the ring's bytes in it. */
struct xmap_shared *shared_map(const struct xmap_channel_fds *fds);
unsigned char *shared_bytes(struct xmap_shared *shared, int which);

/* Records whose length and content follow from a number. */
uint32_t next_random(uint32_t *state);
size_t record_make(unsigned char *buf, uint32_t number, size_t max);
bool record_is(const unsigned char *buf, ssize_t length, uint32_t number, size_t max);

/*
 * Run a function in another process, which ends with its result and dies with us;
 * wait for the result.
 */
pid_t child_begin(int (*work)(void *arg), void *arg);
int child_end(pid_t pid);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_ms(void);

Suite *channel_suite(void);
Suite *channel_fds_suite(void);
Suite *channel_wait_suite(void);
Suite *channel_spin_suite(void);
Suite *channel_death_suite(void);
Suite *channel_garbage_suite(void);
Suite *channel_memory_suite(void);
Suite *channel_region_suite(void);
Suite *channel_move_suite(void);

#endif /* XMAP_TESTS_PAIR_H */
