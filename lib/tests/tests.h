/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the library's tests share. */
#ifndef XMAP_TESTS_H
#define XMAP_TESTS_H

#include <check.h>
#include <stdbool.h>
#include <sys/types.h>

#include "../xmap.h"

#define PAGE 4096UL

#define RW (XMAP_RIGHT_READ | XMAP_RIGHT_WRITE)
#define RWF (RW | XMAP_RIGHT_FORCE)

/* Seconds for one test: emulated machines, sanitizers and valgrind are slow. */
#define TEST_TIMEOUT 120

#define assert_err(call, error) ck_assert_int_eq((call), -(error))
#define assert_ok(call) ck_assert_int_eq((call), 0)

/*
 * Suites.  Those with a backend are the same for each: they promise what the
 * library promises.  Their tests get it (enum xmap_backend_kind) as _i.
 */
Suite *copies_suite(int backend);
Suite *targets_suite(int backend);
Suite *lifetimes_suite(int backend);
Suite *threads_suite(int backend);
Suite *maps_suite(int backend);
Suite *windows_suite(void);
Suite *exports_suite(void);
Suite *regions_suite(void);
Suite *region_changes_suite(void);
Suite *opts_suite(void);
Suite *errors_suite(void);
Suite *answers_suite(void);
Suite *syscalls_suite(void);
Suite *range_suite(void);

/* A case of that suite, named after the backend. */
TCase *backend_case(Suite *suite, int backend);

/* ---- What most tests have: fixture.c ---- */

extern struct peer peer;
extern struct xmap_dev *dev;

/* Start the peer and open the library; and the reverse. */
void begin(int backend);
void finish(void);

/* Open the library with one backend, and a target on a process. */
struct xmap_dev *dev_open(int backend);
struct xmap_target *target_open(struct xmap_dev *dev, pid_t pid, uint32_t rights);

/* A child without privilege; what the function returns is its exit status: 0 for success. */
void in_a_child(int (*fn)(void *), void *arg);

/* The number of the last object of this process of a kind, or 0. */
uint64_t serial_of(uint32_t kind);

/* ---- The target process: peer.c ---- */

/*
 * A process that does what it is told, one command at a time: when a peer_*()
 * function returns, it has been done.
 */
struct peer {
	pid_t pid;
	int pidfd;
	int to;
	int from;
};

/* Where the peer maps its memory; nothing else is there, a sanitizer neither. */
#define PEER_ADDR 0x60000000UL
#define PEER_PAGES 8
#define PEER_LENGTH (PEER_PAGES * PAGE)

/* Call first: the program may be a peer's, and then does not return. */
void peer_main(int argc, char **argv);

void peer_start(struct peer *peer);
/* Two processes in one address space, as after vfork(). */
void peer_start_twins(struct peer *peer, struct peer *twin);
/* Byte that the peer has at an address. */
int peer_get(struct peer *peer, uint64_t addr);
void peer_set(struct peer *peer, uint64_t addr, size_t length, int byte);
void peer_unmap(struct peer *peer, uint64_t addr, size_t length);
void peer_protect(struct peer *peer, uint64_t addr, size_t length, int prot);
/* Replace by a shared mapping of nothing but zeroes. */
void peer_map_shared(struct peer *peer, uint64_t addr, size_t length, int prot);
/* Another program, with 'N' all over its memory at PEER_ADDR. */
void peer_exec(struct peer *peer);
/* End; a zombie remains. */
void peer_exit(struct peer *peer);
void peer_kill(struct peer *peer);
void peer_reap(struct peer *peer);
void peer_stop(struct peer *peer);

#endif /* XMAP_TESTS_H */
