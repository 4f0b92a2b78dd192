// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What both backends do alike: several threads.
 *
 * The library promises that handles are independent, and that many threads may
 * read and write one target.  Threads count what goes wrong instead of asserting:
 * the check library belongs to the main thread.
 */
#include <pthread.h>
#include <string.h>

#include "tests.h"

#define THREADS 4
#define ROUNDS 20

/* One thread's part: the page @number of the peer is its own. */
struct worker {
	pthread_t thread;
	int number;
	int backend;
	struct xmap_target *target;
	int bad;
};

/* @workers: @target filled in where @work wants one. */
static void work_together(void *(*work)(void *), struct worker *workers, int backend)
{
	for (int i = 0; i < THREADS; i++) {
		workers[i].number = i;
		workers[i].backend = backend;
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
}

static void work_done(struct worker *workers)
{
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(workers[i].bad, 0);
}

/* What is written is what is read, in one piece and in two. */
static int copy_both_ways(struct xmap_target *target, uint64_t addr, uint64_t value)
{
	uint64_t copy = 0;
	struct iovec halves[] = { { &copy, 3 }, { (char *)&copy + 3, 5 } };
	int bad = 0;

	bad += xmap_write(target, addr, &value, 8) != 8;
	bad += xmap_read(target, addr, &copy, 8) != 8 || copy != value;
	copy = value + 1;
	bad += xmap_writev(target, addr, halves, 2) != 8;
	copy = 0;
	bad += xmap_readv(target, addr, halves, 2) != 8 || copy != value + 1;
	return bad;
}

static void *copy_work(void *data)
{
	struct worker *w = data;
	uint64_t addr = PEER_ADDR + w->number * PAGE;

	for (uint64_t i = 1; i <= 4 * ROUNDS; i++)
		w->bad += copy_both_ways(w->target, addr, i << 8 | w->number);
	return NULL;
}

START_TEST(threads_share_a_target)
{
	struct worker workers[THREADS] = { 0 };
	struct xmap_target *target;

	begin(_i);
	target = target_open(dev, peer.pid, RW);
	for (int i = 0; i < THREADS; i++)
		workers[i].target = target;
	work_together(copy_work, workers, _i);
	work_done(workers);
	xmap_target_close(target);
	finish();
}

/* The peer's memory as the list tells it: one mapping. */
static int list_it(struct xmap_target *target)
{
	const struct xmap_vma *vma;
	struct xmap_maps *maps;
	int bad = 1;

	if (xmap_maps_open(target, &maps))
		return 1;
	while (xmap_maps_next(maps, &vma) == 1)
		bad -= vma->start == PEER_ADDR && vma->end == PEER_ADDR + PEER_LENGTH;
	xmap_maps_close(maps);
	return bad;
}

static int look_at_info(struct xmap_target *target, uint32_t rights)
{
	struct xmap_cmd_target_info info;

	return xmap_target_info(target, &info) || info.out_rights != rights ||
	       info.out_state != XMAP_TARGET_ALIVE || info.out_pid != peer.pid;
}

static int look_through_a_window(struct xmap_target *target, uint64_t addr, char byte)
{
	struct xmap_window *win;
	char copy = 0;
	int bad;

	if (xmap_map(target, addr, PAGE, NULL, &win))
		return 1;
	bad = *(volatile char *)win->addr != byte;
	bad += xmap_window_copy_from(win, 0, &copy, 1) != 1 || copy != byte;
	xmap_unmap(win);
	return bad;
}

/* Everything that a program does with the library, from the beginning to the end. */
static int whole_life(struct worker *w, char byte)
{
	XMAP_OPTS(struct xmap_open_opts, open_opts, .backend = w->backend);
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = RW);
	uint64_t addr = PEER_ADDR + w->number * PAGE;
	struct xmap_copy copy = { .addr = addr, .buf = &byte, .length = 1,
				  .flags = XMAP_TRANSFER_WRITE };
	struct xmap_target *child;
	struct xmap_dev *own;
	int bad = 0;

	if (xmap_open(&open_opts, &own))
		return 1;
	if (xmap_target_open_pid(own, peer.pid, &opts, &copy.target)) {
		xmap_close(own);
		return 1;
	}
	bad += xmap_transfer(own, &copy, 1) != 1 || copy.result != 1;
	bad += look_at_info(copy.target, RW);
	bad += list_it(copy.target);
	if (w->backend == XMAP_BACKEND_MODULE)
		bad += look_through_a_window(copy.target, addr, byte);
	if (!xmap_target_derive(copy.target, NULL, &child)) {
		bad += look_at_info(child, XMAP_RIGHT_READ);
		xmap_target_close(child);
	} else {
		bad++;
	}
	bad += copy_both_ways(copy.target, addr, byte);
	xmap_target_close(copy.target);
	xmap_close(own);
	return bad;
}

static void *whole_life_work(void *data)
{
	struct worker *w = data;

	for (int i = 0; i < ROUNDS; i++)
		w->bad += whole_life(w, 'a' + i % 26);
	return NULL;
}

START_TEST(threads_have_handles_of_their_own)
{
	struct worker workers[THREADS] = { 0 };

	begin(_i);
	work_together(whole_life_work, workers, _i);
	work_done(workers);
	finish();
}

/* Handles are independent, whatever they are derived from: each thread closes its own. */
static void *derived_work(void *data)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = RW);
	struct worker *w = data;
	uint64_t addr = PEER_ADDR + w->number * PAGE;
	struct xmap_target *next;

	for (int i = 0; i < ROUNDS; i++) {
		w->bad += copy_both_ways(w->target, addr, i);
		w->bad += list_it(w->target);
		if (xmap_target_derive(w->target, &opts, &next)) {
			w->bad++;
			break;
		}
		xmap_target_close(w->target);
		w->target = next;
	}
	xmap_target_close(w->target);
	return NULL;
}

START_TEST(threads_have_handles_of_one_family)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = RW);
	struct worker workers[THREADS] = { 0 };
	struct xmap_target *parent;

	begin(_i);
	parent = target_open(dev, peer.pid, RW);
	for (int i = 0; i < THREADS; i++)
		assert_ok(xmap_target_derive(parent, &opts, &workers[i].target));
	work_together(derived_work, workers, _i);
	/* While they work. */
	xmap_target_close(parent);
	xmap_close(dev);
	work_done(workers);
	peer_stop(&peer);
}

Suite *threads_suite(int backend)
{
	Suite *suite = suite_create("threads");
	TCase *tc = backend_case(suite, backend);

	tcase_add_loop_test(tc, threads_share_a_target, backend, backend + 1);
	tcase_add_loop_test(tc, threads_have_handles_of_their_own, backend, backend + 1);
	tcase_add_loop_test(tc, threads_have_handles_of_one_family, backend, backend + 1);
	return suite;
}
