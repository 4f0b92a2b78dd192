// SPDX-License-Identifier: GPL-2.0-only
/* Work done by calls that copy. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/xmap.h>

#include "bench.h"

/* ---- Copies of one range ---- */

void copy_window(struct bench *b, void *to, size_t offset, size_t length)
{
	memcpy(to, b->window + offset, length);
}

void copy_memfd(struct bench *b, void *to, size_t offset, size_t length)
{
	memcpy(to, b->shared + offset, length);
}

void copy_pread(struct bench *b, void *to, size_t offset, size_t length)
{
	check_length("pread of the target", pread(b->target_fd, to, length, b->remote + offset),
		     length);
}

void copy_proc_mem(struct bench *b, void *to, size_t offset, size_t length)
{
	check_length("pread of /proc/PID/mem", pread(b->mem_fd, to, length, b->remote + offset),
		     length);
}

void copy_process_vm(struct bench *b, void *to, size_t offset, size_t length)
{
	struct iovec local = { .iov_base = to, .iov_len = length };
	struct iovec remote = { .iov_base = (void *)(b->remote + offset), .iov_len = length };

	check_length("process_vm_readv", process_vm_readv(b->pid, &local, 1, &remote, 1, 0),
		     length);
}

void copy_transfer(struct bench *b, void *to, size_t offset, size_t length)
{
	struct xmap_transfer entry = {
		.fd = b->target_fd,
		.remote = b->remote + offset,
		.local = (uintptr_t)to,
		.length = length,
	};
	struct xmap_cmd_transfer cmd = {
		.size = sizeof(cmd),
		.entries = (uintptr_t)&entry,
		.count = 1,
	};

	if (ioctl(b->dev_fd, XMAP_TRANSFER, &cmd))
		err(1, "XMAP_TRANSFER");
	check_length("XMAP_TRANSFER", entry.out_result, length);
}

/* A tracer reads a word, whatever the length: used for 8 bytes only. */
void copy_ptrace(struct bench *b, void *to, size_t offset, size_t length)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, b->pid, (void *)(b->remote + offset), NULL);
	if (errno)
		err(1, "PTRACE_PEEKDATA");
	memcpy(to, &word, length);
}

double run_copy(struct bench *b, const struct bench_way *way, unsigned int round)
{
	size_t count = b->size >= MIB ? 1 : b->size >= PAGE ? 128 : 256;
	uint8_t *to = b->local + bench_shift(round);
	size_t range = BENCH_LENGTH - b->size;
	size_t offsets[256];
	double start, ns;
	uint64_t word;

	/* Small copies stay where every way's TLB is warm; whole pages start at a page. */
	if (b->size < PAGE)
		range = BENCH_RANDOM_RANGE - b->size;
	for (size_t i = 0; i < count; i++) {
		offsets[i] = b->index[(round * count + i) % BENCH_INDEXES] * 4099UL * sizeof(word);
		offsets[i] %= range;
		offsets[i] &= ~((b->size < PAGE ? sizeof(word) : PAGE) - 1);
	}
	/* Warm is warm: the way that ran before this one must not matter. */
	for (size_t i = 0; i < count; i++)
		way->copy(b, to, offsets[i], b->size);
	start = now();
	for (size_t i = 0; i < count; i++)
		way->copy(b, to, offsets[i], b->size);
	ns = now() - start;
	for (size_t i = 0; i < b->size; i += PAGE) {
		memcpy(&word, to + i, sizeof(word));
		check_sum("copy", word, bench_word((offsets[count - 1] + i) / sizeof(word)));
	}
	return ns / count;
}

void bench_trace(struct bench *b)
{
	if (ptrace(PTRACE_SEIZE, b->pid, NULL, NULL) ||
	    ptrace(PTRACE_INTERRUPT, b->pid, NULL, NULL) ||
	    waitpid(b->pid, NULL, __WALL) != b->pid)
		err(1, "ptrace");
}

void bench_untrace(struct bench *b)
{
	if (ptrace(PTRACE_DETACH, b->pid, NULL, NULL))
		err(1, "PTRACE_DETACH");
}

/* ---- Scattered words: all of them in one operation ---- */

static double scattered_done(struct bench *b, double ns, uint64_t sum)
{
	check_sum("scattered words", sum, sum_of(b->scattered, BENCH_SCATTERED, 0));
	return ns;
}

static uint64_t sum_words(const uint64_t *words)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < BENCH_SCATTERED; i++)
		sum += words[i];
	return sum;
}

double run_scattered_transfer(struct bench *b, const struct bench_way *way, unsigned int round)
{
	static struct xmap_transfer entries[BENCH_SCATTERED];
	struct xmap_cmd_transfer cmd = {
		.size = sizeof(cmd),
		.entries = (uintptr_t)entries,
		.count = BENCH_SCATTERED,
	};
	uint64_t *words = (void *)(b->local + bench_shift(round));
	double start = now();

	for (size_t i = 0; i < BENCH_SCATTERED; i++)
		entries[i] = (struct xmap_transfer){
			.fd = b->target_fd,
			.remote = b->remote + b->scattered[i] * sizeof(*words),
			.local = (uintptr_t)&words[i],
			.length = sizeof(*words),
		};
	if (ioctl(b->dev_fd, XMAP_TRANSFER, &cmd))
		err(1, "XMAP_TRANSFER");
	if (cmd.out_done != BENCH_SCATTERED)
		errx(1, "XMAP_TRANSFER: %u entries done", cmd.out_done);
	return scattered_done(b, now() - start, sum_words(words));
}

double run_scattered_process_vm(struct bench *b, const struct bench_way *way,
				unsigned int round)
{
	static struct iovec remote[BENCH_SCATTERED];
	uint64_t *words = (void *)(b->local + bench_shift(round));
	struct iovec local = { .iov_base = words, .iov_len = BENCH_SCATTERED * sizeof(*words) };
	double start = now();

	for (size_t i = 0; i < BENCH_SCATTERED; i++) {
		remote[i].iov_base = (void *)(b->remote + b->scattered[i] * sizeof(*words));
		remote[i].iov_len = sizeof(*words);
	}
	check_length("process_vm_readv",
		     process_vm_readv(b->pid, &local, 1, remote, BENCH_SCATTERED, 0),
		     local.iov_len);
	return scattered_done(b, now() - start, sum_words(words));
}

double run_scattered_each(struct bench *b, const struct bench_way *way, unsigned int round)
{
	uint64_t *words = (void *)(b->local + bench_shift(round));
	double start = now();

	for (size_t i = 0; i < BENCH_SCATTERED; i++)
		way->copy(b, &words[i], b->scattered[i] * sizeof(*words), sizeof(*words));
	return scattered_done(b, now() - start, sum_words(words));
}
