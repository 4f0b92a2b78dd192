// SPDX-License-Identifier: GPL-2.0-only
/* The target process and the mappings that the cases compare. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/xmap.h>

#include "bench.h"

#define TOTAL (BENCH_LENGTH + BENCH_SLACK)

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

void check_sum(const char *what, uint64_t got, uint64_t expected)
{
	if (got != expected)
		errx(1, "%s: wrong data (sum %#llx, expected %#llx)", what,
		     (unsigned long long)got, (unsigned long long)expected);
}

void check_length(const char *what, ssize_t got, size_t expected)
{
	if (got < 0)
		err(1, "%s", what);
	if ((size_t)got != expected)
		errx(1, "%s: %zd of %zu bytes", what, got, expected);
}

/* Sum of the words that @order names, when it starts @shift bytes into the payload. */
uint64_t sum_of(const uint32_t *order, size_t count, size_t shift)
{
	uint64_t words = 0;

	for (size_t i = 0; i < count; i++)
		words += order[i] + shift / sizeof(uint64_t);
	return bench_word(words);
}

static void fill(void *base)
{
	uint64_t *words = base;

	for (size_t i = 0; i < TOTAL / sizeof(*words); i++)
		words[i] = bench_word(i);
}

/* Keep to the n-th processor that we may use, so that runs do not migrate. */
void bench_pin(int n)
{
	/* Before the first of us was pinned; a child begins as its parent. */
	static cpu_set_t allowed;
	cpu_set_t one;

	if (!CPU_COUNT(&allowed) && sched_getaffinity(0, sizeof(allowed), &allowed))
		err(1, "sched_getaffinity");
	n %= CPU_COUNT(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || n--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one))
			err(1, "sched_setaffinity");
		return;
	}
}

/* What the target tells when it is ready. */
struct ready {
	void *memory;
	int export_fd;
};

/* Offer the payload, as the target that is asked for nothing else. */
static int offer(void *memory)
{
	struct xmap_cmd_export_create cmd = {
		.size = sizeof(cmd),
		.rights = XMAP_RIGHT_READ | XMAP_RIGHT_WRITE,
		.addr = (uintptr_t)memory,
		.length = TOTAL,
	};
	int dev = open("/dev/xmap", O_RDWR | O_CLOEXEC);

	if (dev < 0)
		return -1;
	if (ioctl(dev, XMAP_EXPORT_CREATE, &cmd))
		err(1, "XMAP_EXPORT_CREATE");
	close(dev);
	return cmd.out_fd;
}

/* The target: ordinary 4 KiB anonymous pages, then wait until we hang up. */
static noreturn void target_main(int ready_fd, int stop_fd)
{
	struct ready ready;
	void *memory;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(1);
	memory = mmap(NULL, TOTAL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap of the target's memory");
	madvise(memory, TOTAL, MADV_NOHUGEPAGE);
	fill(memory);
	ready = (struct ready){ .memory = memory, .export_fd = offer(memory) };
	if (write(ready_fd, &ready, sizeof(ready)) != sizeof(ready))
		err(1, "write");
	while (read(stop_fd, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static void start_target(struct bench *b)
{
	int ready[2], stop[2];
	struct ready what;
	char path[32];

	if (pipe2(ready, O_CLOEXEC) || pipe2(stop, O_CLOEXEC))
		err(1, "pipe2");
	b->pid = fork();
	if (b->pid < 0)
		err(1, "fork");
	if (!b->pid) {
		close(stop[1]);
		target_main(ready[1], stop[0]);
	}
	close(ready[1]);
	close(stop[0]);
	b->stop_fd = stop[1];
	if (read(ready[0], &what, sizeof(what)) != sizeof(what))
		errx(1, "the target process did not start");
	close(ready[0]);
	b->remote = (uintptr_t)what.memory;

	b->pidfd = syscall(SYS_pidfd_open, b->pid, 0);
	if (b->pidfd < 0)
		err(1, "pidfd_open");
	b->export_fd = -1;
	if (what.export_fd >= 0) {
		b->export_fd = syscall(SYS_pidfd_getfd, b->pidfd, what.export_fd, 0);
		if (b->export_fd < 0)
			err(1, "pidfd_getfd");
	}
	snprintf(path, sizeof(path), "/proc/%d/mem", b->pid);
	b->mem_fd = open(path, O_RDWR | O_CLOEXEC);
	if (b->mem_fd < 0)
		err(1, "%s", path);
}

int bench_open_target(struct bench *b)
{
	struct xmap_cmd_target_open cmd = {
		.size = sizeof(cmd),
		.fd = b->pidfd,
		.pid = b->pid,
		.rights = XMAP_RIGHT_READ | XMAP_RIGHT_WRITE,
	};

	if (ioctl(b->dev_fd, XMAP_TARGET_OPEN, &cmd))
		err(1, "XMAP_TARGET_OPEN");
	return cmd.out_fd;
}

/* Room for mappings, beginning at a multiple of BENCH_STRIDE. */
static uint8_t *reserve(size_t length)
{
	uint8_t *p;

	p = mmap(NULL, length + BENCH_STRIDE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		err(1, "mmap of address space");
	return (uint8_t *)(((uintptr_t)p + BENCH_STRIDE - 1) & ~(BENCH_STRIDE - 1));
}

static void *map_at(void *addr, int prot, int fd, uint64_t offset, const char *what)
{
	void *p = mmap(addr, TOTAL, prot, MAP_SHARED | MAP_FIXED, fd, offset);

	if (p == MAP_FAILED)
		err(1, "mmap of %s", what);
	return p;
}

/*
 * A warm mapping for reading.  Not writable: translations of pages that are
 * dirty cost an emulator more, and a window that is only read has none.
 */
static void *map_warm(void *addr, int fd, uint64_t offset, const char *what)
{
	uint8_t *p = map_at(addr, PROT_READ, fd, offset, what);

	for (size_t i = 0; i < TOTAL; i += PAGE)
		load_word(p + i);
	return p;
}

/* The same random numbers every time: a run can be compared with the next. */
static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static uint32_t *make_order(void *at, size_t count, size_t range, uint64_t seed)
{
	uint32_t *order = mmap(at, count * sizeof(*order), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (order == MAP_FAILED)
		err(1, "mmap of an order");
	for (size_t i = 0; i < count; i++)
		order[i] = next_random(&seed) % (range / sizeof(uint64_t));
	return order;
}

void bench_start(struct bench *b)
{
	uint8_t *room;

	start_target(b);
	bench_pin(0);

	room = reserve(4 * BENCH_STRIDE);
	b->memfd = memfd_create("xmap_bench", MFD_CLOEXEC);
	if (b->memfd < 0 || ftruncate(b->memfd, TOTAL))
		err(1, "memfd_create");
	fill(map_at(room, PROT_READ | PROT_WRITE, b->memfd, 0, "the memfd"));
	b->shared = map_warm(room, b->memfd, 0, "the memfd");

	b->target_fd = -1;
	b->dev_fd = open("/dev/xmap", O_RDWR | O_CLOEXEC);
	if (b->dev_fd < 0 && errno != ENOENT && errno != ENODEV && errno != ENXIO)
		err(1, "/dev/xmap");
	if (b->dev_fd >= 0) {
		b->target_fd = bench_open_target(b);
		b->window = map_warm(room + BENCH_STRIDE, b->target_fd, b->remote, "the target");
	}

	/* An odd place: copies must not land on low page numbers that their source has. */
	b->local = room + 3 * BENCH_STRIDE + 3 * MIB + 5 * PAGE;
	if (mmap(b->local, 2 * MIB + BENCH_SLACK, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		err(1, "mmap of a buffer");
	madvise(b->local, 2 * MIB + BENCH_SLACK, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 2 * MIB + BENCH_SLACK; i += PAGE)
		b->local[i] = 1;

	b->index = make_order(room + 3 * BENCH_STRIDE + BENCH_INDEX_PAGE * PAGE, BENCH_INDEXES,
			      BENCH_RANDOM_RANGE, 1);
	b->scattered = make_order(room + 3 * BENCH_STRIDE + MIB, BENCH_SCATTERED, BENCH_LENGTH, 2);

	/* Last: nothing may be placed in the gap but the mappings that are meant for it. */
	b->fresh = room + 2 * BENCH_STRIDE;
	if (munmap(b->fresh, BENCH_STRIDE))
		err(1, "munmap");
}

void bench_stop(struct bench *b)
{
	int status;

	close(b->stop_fd);
	if (waitpid(b->pid, &status, 0) != b->pid || status)
		errx(1, "the target process did not end as it should: status %#x", status);
}
