/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of xmap_bench share. */
#ifndef XMAP_BENCH_H
#define XMAP_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KIB 1024UL
#define MIB (1024UL * KIB)
#define PAGE 4096UL

#define noinline __attribute__((noinline))

/* Payload of the target, and room behind it so that runs can start at several offsets. */
#define BENCH_LENGTH (64 * MIB)
#define BENCH_SLACK (1 * MIB)
/*
 * The long mappings begin at multiples of this, so that the emulator's
 * direct-mapped TLB treats the compared mappings alike.
 */
#define BENCH_STRIDE (128 * MIB)

/*
 * Random reads stay within what an emulator's translation cache always holds
 * (64 pages, direct-mapped, with QEMU), or its misses are all that is seen:
 * pages 0 to 31 for the data, and from 40 on for the order, of each 64.
 */
#define BENCH_TLB_PAGES 64
#define BENCH_RANDOM_RANGE (32 * PAGE)
#define BENCH_INDEX_PAGE 40
#define BENCH_INDEXES (4 * PAGE / sizeof(uint32_t))
#define BENCH_SCATTERED 1024
#define BENCH_MAX_WAYS 8
#define BENCH_MAX_ROUNDS 160

struct bench {
	/* The target process and its memory. */
	pid_t pid;
	int pidfd;
	int stop_fd;
	uint64_t remote;
	/* Open files; -1 without the module. */
	int dev_fd;
	int target_fd;
	int export_fd;
	int mem_fd;
	int memfd;
	/* Warm mappings of the whole payload: window is NULL without the module. */
	uint8_t *window;
	uint8_t *shared;
	/* Where fresh mappings go, and where copies land (2 MiB + BENCH_SLACK). */
	uint8_t *fresh;
	uint8_t *local;
	/* Precomputed orders: words of the random range, words of the payload. */
	uint32_t *index;
	uint32_t *scattered;
	/* As in the running case. */
	size_t size;
};

/**
 * struct bench_way - One way to do the work of a case
 * @name: As it stands in the table and the JSON file
 * @run: Do the work once; returns nanoseconds per operation
 * @copy: For @run: copy @length bytes from payload offset @offset
 * @needs_module: Skip it without /dev/xmap; of two mappings it is the window
 */
struct bench_way {
	const char *name;
	double (*run)(struct bench *b, const struct bench_way *way, unsigned int round);
	void (*copy)(struct bench *b, void *to, size_t offset, size_t length);
	bool needs_module;
};

/**
 * struct bench_goal - A ratio that a case should reach
 * @way: The way that has the goal
 * @base: The way that it is compared with
 * @low: Smallest ratio, 0 for none
 * @high: Greatest ratio
 */
struct bench_goal {
	const char *way;
	const char *base;
	double low;
	double high;
};

/**
 * struct bench_case - Work that can be done in several ways
 * @name: As it stands in the table and the JSON file
 * @size: Bytes of one operation; of the revoke cases, the number of mappings
 * @unit: Of the times reported
 * @unit_ns: Nanoseconds in one @unit
 * @rounds: How often each way runs
 * @ways: Ends with a NULL name
 * @setup: Called before the rounds, or NULL
 * @teardown: Called after them, or NULL
 * @goal: way is NULL if there is none
 */
struct bench_case {
	const char *name;
	size_t size;
	const char *unit;
	double unit_ns;
	unsigned int rounds;
	const struct bench_way *ways;
	void (*setup)(struct bench *b);
	void (*teardown)(struct bench *b);
	struct bench_goal goal;
};

/* Ends with a NULL name. */
extern const struct bench_case bench_cases[];

/* setup.c; all of them end the program when something fails. */
void bench_start(struct bench *b);
void bench_stop(struct bench *b);
int bench_open_target(struct bench *b);
double now(void);
void bench_pin(int n);
void check_sum(const char *what, uint64_t got, uint64_t expected);
void check_length(const char *what, ssize_t got, size_t expected);
uint64_t sum_of(const uint32_t *order, size_t count, size_t shift);

/* mappings.c: for the run member of struct bench_way. */
double run_random_read(struct bench *b, const struct bench_way *way, unsigned int round);
double run_sequential_read(struct bench *b, const struct bench_way *way, unsigned int round);
double run_scattered_mapping(struct bench *b, const struct bench_way *way, unsigned int round);
double run_first_read(struct bench *b, const struct bench_way *way, unsigned int round);
double run_first_write(struct bench *b, const struct bench_way *way, unsigned int round);
double run_attach(struct bench *b, const struct bench_way *way, unsigned int round);
double run_remap(struct bench *b, const struct bench_way *way, unsigned int round);

/* copies.c: the same, the copies that they make, and tracing for copy_ptrace(). */
double run_copy(struct bench *b, const struct bench_way *way, unsigned int round);
double run_scattered_each(struct bench *b, const struct bench_way *way, unsigned int round);
double run_scattered_transfer(struct bench *b, const struct bench_way *way, unsigned int round);
double run_scattered_process_vm(struct bench *b, const struct bench_way *way, unsigned int round);
void copy_window(struct bench *b, void *to, size_t offset, size_t length);
void copy_memfd(struct bench *b, void *to, size_t offset, size_t length);
void copy_pread(struct bench *b, void *to, size_t offset, size_t length);
void copy_transfer(struct bench *b, void *to, size_t offset, size_t length);
void copy_process_vm(struct bench *b, void *to, size_t offset, size_t length);
void copy_proc_mem(struct bench *b, void *to, size_t offset, size_t length);
void copy_ptrace(struct bench *b, void *to, size_t offset, size_t length);
void bench_trace(struct bench *b);
void bench_untrace(struct bench *b);

/* consent.c: the same; what the first needs. */
double run_accept(struct bench *b, const struct bench_way *way, unsigned int round);
double run_revoke(struct bench *b, const struct bench_way *way, unsigned int round);
double run_revoke_one(struct bench *b, const struct bench_way *way, unsigned int round);
double run_unmap_memfd(struct bench *b, const struct bench_way *way, unsigned int round);
void bench_consent_start(struct bench *b);

/* channels.c: the same, between two processes, which the other two start and end. */
double run_round_trip(struct bench *b, const struct bench_way *way, unsigned int round);
double run_throughput(struct bench *b, const struct bench_way *way, unsigned int round);
void bench_start_echo(struct bench *b);
void bench_start_sink(struct bench *b);
void bench_stop_peers(struct bench *b);

/* moves.c: the same, between this process and another, which the other two start and end. */
double run_move_small(struct bench *b, const struct bench_way *way, unsigned int round);
double run_move_huge(struct bench *b, const struct bench_way *way, unsigned int round);
double run_move_small_read(struct bench *b, const struct bench_way *way, unsigned int round);
double run_move_huge_map(struct bench *b, const struct bench_way *way, unsigned int round);
double run_move_huge_read(struct bench *b, const struct bench_way *way, unsigned int round);
double run_move_memcpy(struct bench *b, const struct bench_way *way, unsigned int round);
double run_move_pipe(struct bench *b, const struct bench_way *way, unsigned int round);
void bench_start_mover(struct bench *b);
void bench_stop_mover(struct bench *b);

/* Loads and stores that the compiler leaves alone: they are what is measured. */
static inline uint64_t load_word(const void *p)
{
	return *(const volatile uint64_t *)p;
}

static inline void store_word(void *p, uint64_t value)
{
	*(volatile uint64_t *)p = value;
}

/* The word that the target keeps at word number @word of its payload. */
static inline uint64_t bench_word(uint64_t word)
{
	return word * 0x9E3779B97F4A7C15ULL;
}

/* Where round @round starts in the payload: several page offsets, word aligned. */
static inline size_t bench_shift(unsigned int round)
{
	return (round % 8) * 17 * PAGE;
}

#endif /* XMAP_BENCH_H */
