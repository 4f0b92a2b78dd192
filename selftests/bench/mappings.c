// SPDX-License-Identifier: GPL-2.0-only
/* Work done by loads and stores: through warm mappings, and through fresh ones. */
#define _GNU_SOURCE
#include <err.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define RANDOM_READS (64 * BENCH_INDEXES)
#define SEQUENTIAL_PIECES 16
#define SEQUENTIAL_LENGTH (BENCH_LENGTH / SEQUENTIAL_PIECES)
#define TOUCH_PAGES 4096UL
#define ATTACH_TIMES 32

/* ---- Loads through a warm mapping: one loop for all mappings ---- */

static noinline uint64_t load_random(const uint8_t *base, const uint32_t *order,
				     size_t count, size_t times)
{
	uint64_t sum = 0;

	for (size_t t = 0; t < times; t++) {
		for (size_t i = 0; i < count; i++)
			sum += load_word(base + order[i] * sizeof(uint64_t));
	}
	return sum;
}

static noinline uint64_t load_all(const uint8_t *base, size_t length)
{
	uint64_t sum = 0;

	for (const uint8_t *p = base; p < base + length; p += 64)
		sum += load_word(p) + load_word(p + 8) + load_word(p + 16) + load_word(p + 24) +
		       load_word(p + 32) + load_word(p + 40) + load_word(p + 48) +
		       load_word(p + 56);
	return sum;
}

static const uint8_t *mapping_of(struct bench *b, const struct bench_way *way)
{
	return way->needs_module ? b->window : b->shared;
}

double run_random_read(struct bench *b, const struct bench_way *way, unsigned int round)
{
	const uint8_t *base = mapping_of(b, way);
	size_t shift = round % 4 * BENCH_TLB_PAGES * PAGE;
	size_t times = RANDOM_READS / BENCH_INDEXES;
	double start, ns;
	uint64_t sum;

	/* Warm is warm: the way that ran before this one must not matter. */
	load_random(base + shift, b->index, BENCH_INDEXES, 1);
	start = now();
	sum = load_random(base + shift, b->index, BENCH_INDEXES, times);
	ns = now() - start;
	check_sum("random reads", sum, times * sum_of(b->index, BENCH_INDEXES, shift));
	return ns / RANDOM_READS;
}

/*
 * One piece of the whole in each round, so that the ways take turns after each
 * piece and what else the machine does falls on both.  Returns what the whole
 * would take.
 */
double run_sequential_read(struct bench *b, const struct bench_way *way, unsigned int round)
{
	const uint8_t *base = mapping_of(b, way);
	size_t piece = round % SEQUENTIAL_PIECES * SEQUENTIAL_LENGTH;
	uint64_t count = SEQUENTIAL_LENGTH / sizeof(uint64_t);
	uint64_t first = piece / sizeof(uint64_t);
	double start, ns;
	uint64_t sum;

	start = now();
	sum = load_all(base + piece, SEQUENTIAL_LENGTH);
	ns = now() - start;
	check_sum("sequential read", sum, bench_word(count * first + count * (count - 1) / 2));
	return ns * SEQUENTIAL_PIECES;
}

double run_scattered_mapping(struct bench *b, const struct bench_way *way, unsigned int round)
{
	const uint8_t *base = mapping_of(b, way);
	double start, ns;
	uint64_t sum;

	load_random(base, b->scattered, BENCH_SCATTERED, 1);
	start = now();
	sum = load_random(base, b->scattered, BENCH_SCATTERED, 1);
	ns = now() - start;
	check_sum("scattered words", sum, sum_of(b->scattered, BENCH_SCATTERED, 0));
	return ns;
}

/* ---- First touch of fresh mappings ---- */

static void *map_fresh(struct bench *b, int fd, uint64_t offset, size_t length)
{
	void *p = mmap(b->fresh, length, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED_NOREPLACE, fd, offset);

	if (p == MAP_FAILED)
		err(1, "mmap of a fresh mapping");
	return p;
}

static void unmap_fresh(void *p, size_t length)
{
	if (munmap(p, length))
		err(1, "munmap");
}

static noinline void touch_read(uint8_t *base, size_t length)
{
	for (size_t i = 0; i < length; i += PAGE)
		load_word(base + i);
}

/* Writes what is there, so that the payload stays as the other cases expect it. */
static noinline void touch_write(uint8_t *base, size_t length)
{
	for (size_t i = 0; i < length; i += PAGE)
		store_word(base + i, bench_word(i / sizeof(uint64_t)));
}

static double touch(struct bench *b, int fd, uint64_t offset, void (*fn)(uint8_t *, size_t))
{
	size_t length = TOUCH_PAGES * PAGE;
	double start, ns;
	uint8_t *p;

	p = map_fresh(b, fd, offset, length);
	start = now();
	fn(p, length);
	ns = now() - start;
	unmap_fresh(p, length);
	return ns / TOUCH_PAGES;
}

/* In the target or in the memfd: pages that exist. */
static double touch_existing(struct bench *b, void (*fn)(uint8_t *, size_t), bool window)
{
	if (window)
		return touch(b, b->target_fd, b->remote, fn);
	return touch(b, b->memfd, 0, fn);
}

double run_first_read(struct bench *b, const struct bench_way *way, unsigned int round)
{
	return touch_existing(b, touch_read, way->needs_module);
}

static int new_memfd(size_t length)
{
	int fd = memfd_create("xmap_bench_fresh", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, length))
		err(1, "memfd_create");
	return fd;
}

/* The window's pages exist; a program that makes shared memory writes to pages that do not. */
double run_first_write(struct bench *b, const struct bench_way *way, unsigned int round)
{
	double ns;
	int fd;

	if (way->needs_module)
		return touch_existing(b, touch_write, true);
	fd = new_memfd(TOUCH_PAGES * PAGE);
	ns = touch(b, fd, 0, touch_write);
	close(fd);
	return ns;
}

/* ---- From nothing to one page and back ---- */

static void map_touch_unmap(struct bench *b, int fd, uint64_t offset)
{
	void *p = map_fresh(b, fd, offset, PAGE);

	touch_read(p, PAGE);
	unmap_fresh(p, PAGE);
}

double run_attach(struct bench *b, const struct bench_way *way, unsigned int round)
{
	double start = now();

	for (int i = 0; i < ATTACH_TIMES; i++) {
		int fd = way->needs_module ? bench_open_target(b) : new_memfd(PAGE);

		map_touch_unmap(b, fd, way->needs_module ? b->remote : 0);
		close(fd);
	}
	return (now() - start) / ATTACH_TIMES;
}

double run_remap(struct bench *b, const struct bench_way *way, unsigned int round)
{
	double start = now();

	for (int i = 0; i < ATTACH_TIMES; i++) {
		if (way->needs_module)
			map_touch_unmap(b, b->target_fd, b->remote);
		else
			map_touch_unmap(b, b->memfd, 0);
	}
	return (now() - start) / ATTACH_TIMES;
}
