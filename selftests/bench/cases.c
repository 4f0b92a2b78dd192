// SPDX-License-Identifier: GPL-2.0-only
/* The cases of xmap_bench: what is compared with what, and the goals. */
#include "bench.h"

/* What is equal differs by this much from run to run. */
#define SAME_LOW 0.95
#define SAME_HIGH 1.05

static const struct bench_way copy_ways[] = {
	{ "window", run_copy, copy_window, true },
	{ "target_pread", run_copy, copy_pread, true },
	{ "transfer", run_copy, copy_transfer, true },
	{ "memfd", run_copy, copy_memfd, false },
	{ "process_vm_readv", run_copy, copy_process_vm, false },
	{ "proc_mem", run_copy, copy_proc_mem, false },
	{ NULL },
};

/* A tracer moves words, so it takes part only here. */
static const struct bench_way copy_word_ways[] = {
	{ "window", run_copy, copy_window, true },
	{ "target_pread", run_copy, copy_pread, true },
	{ "transfer", run_copy, copy_transfer, true },
	{ "memfd", run_copy, copy_memfd, false },
	{ "process_vm_readv", run_copy, copy_process_vm, false },
	{ "proc_mem", run_copy, copy_proc_mem, false },
	{ "ptrace_peek", run_copy, copy_ptrace, false },
	{ NULL },
};

static const struct bench_way scattered_ways[] = {
	{ "window", run_scattered_mapping, NULL, true },
	{ "transfer", run_scattered_transfer, NULL, true },
	{ "target_pread", run_scattered_each, copy_pread, true },
	{ "memfd", run_scattered_mapping, NULL, false },
	{ "process_vm_readv", run_scattered_process_vm, NULL, false },
	{ "proc_mem", run_scattered_each, copy_proc_mem, false },
	{ NULL },
};

static const struct bench_way random_read_ways[] = {
	{ "window", run_random_read, NULL, true },
	{ "memfd", run_random_read, NULL, false },
	{ NULL },
};

static const struct bench_way sequential_read_ways[] = {
	{ "window", run_sequential_read, NULL, true },
	{ "memfd", run_sequential_read, NULL, false },
	{ NULL },
};

static const struct bench_way first_read_ways[] = {
	{ "window", run_first_read, NULL, true },
	{ "memfd", run_first_read, NULL, false },
	{ NULL },
};

static const struct bench_way first_write_ways[] = {
	{ "window", run_first_write, NULL, true },
	{ "memfd", run_first_write, NULL, false },
	{ NULL },
};

static const struct bench_way attach_ways[] = {
	{ "window", run_attach, NULL, true },
	{ "memfd", run_attach, NULL, false },
	{ NULL },
};

static const struct bench_way remap_ways[] = {
	{ "window", run_remap, NULL, true },
	{ "memfd", run_remap, NULL, false },
	{ NULL },
};

static const struct bench_way accept_ways[] = {
	{ "export", run_accept, NULL, true },
	{ "memfd", run_accept, NULL, false },
	{ NULL },
};

static const struct bench_way revoke_ways[] = {
	{ "all-windows", run_revoke, NULL, true },
	{ "one-window-more", run_revoke_one, NULL, true },
	{ "memfd", run_unmap_memfd, NULL, false },
	{ NULL },
};

static const struct bench_way round_trip_ways[] = {
	{ "channel", run_round_trip, NULL, false },
	{ "unix_socket", run_round_trip, NULL, false },
	{ "pipe", run_round_trip, NULL, false },
	{ "futex", run_round_trip, NULL, false },
	{ NULL },
};

static const struct bench_way throughput_ways[] = {
	{ "channel", run_throughput, NULL, false },
	{ "unix_socket", run_throughput, NULL, false },
	{ "pipe", run_throughput, NULL, false },
	{ "futex", run_throughput, NULL, false },
	{ NULL },
};

/* Too short to have a huge page. */
static const struct bench_way move_page_ways[] = {
	{ "region_4k_move", run_move_small, NULL, true },
	{ "memcpy", run_move_memcpy, NULL, true },
	{ "pipe_vmsplice", run_move_pipe, NULL, true },
	{ NULL },
};

static const struct bench_way move_ways[] = {
	{ "region_2m_move", run_move_huge, NULL, true },
	{ "region_2m_map", run_move_huge_map, NULL, true },
	{ "region_2m_read", run_move_huge_read, NULL, true },
	{ "region_4k_move", run_move_small, NULL, true },
	{ "region_4k_read", run_move_small_read, NULL, true },
	{ "memcpy", run_move_memcpy, NULL, true },
	{ "pipe_vmsplice", run_move_pipe, NULL, true },
	{ NULL },
};

const struct bench_case bench_cases[] = {
	{
		.name = "random-read",
		.size = 8,
		.unit = "ns",
		.unit_ns = 1,
		.rounds = 101,
		.ways = random_read_ways,
		.goal = { "window", "memfd", SAME_LOW, SAME_HIGH },
	}, {
		.name = "sequential-read",
		.size = BENCH_LENGTH,
		.unit = "ms",
		.unit_ns = 1e6,
		.rounds = 160,
		.ways = sequential_read_ways,
		.goal = { "window", "memfd", SAME_LOW, SAME_HIGH },
	}, {
		.name = "copy",
		.size = 8,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 101,
		.ways = copy_word_ways,
		.setup = bench_trace,
		.teardown = bench_untrace,
		.goal = { "target_pread", "process_vm_readv", 0, 1 },
	}, {
		.name = "copy",
		.size = 4 * KIB,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 101,
		.ways = copy_ways,
		.goal = { "target_pread", "process_vm_readv", 0, 1 },
	}, {
		.name = "copy",
		.size = 2 * MIB,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 101,
		.ways = copy_ways,
		.goal = { "target_pread", "process_vm_readv", 0, 1 },
	}, {
		.name = "scattered-1024-words",
		.size = 8 * BENCH_SCATTERED,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 101,
		.ways = scattered_ways,
	}, {
		.name = "first-read-per-page",
		.size = PAGE,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = first_read_ways,
		.goal = { "window", "memfd", 0, 3 },
	}, {
		.name = "first-write-per-page",
		.size = PAGE,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = first_write_ways,
		.goal = { "window", "memfd", 0, 1 },
	}, {
		.name = "open-map-touch-unmap",
		.size = PAGE,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = attach_ways,
	}, {
		.name = "map-touch-unmap",
		.size = PAGE,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = remap_ways,
	}, {
		.name = "pass-accept-map-touch-unmap",
		.size = PAGE,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = accept_ways,
		.setup = bench_consent_start,
	}, {
		.name = "revoke",
		.size = 1,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = revoke_ways,
	}, {
		.name = "revoke",
		.size = 10,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = revoke_ways,
	}, {
		.name = "revoke",
		.size = 100,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = revoke_ways,
	}, {
		.name = "revoke",
		.size = 1000,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 11,
		.ways = revoke_ways,
	}, {
		.name = "revoke",
		.size = 10000,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 3,
		.ways = revoke_ways,
	}, {
		.name = "message-round-trip",
		.size = 64,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = round_trip_ways,
		.setup = bench_start_echo,
		.teardown = bench_stop_peers,
		.goal = { "channel", "unix_socket", 0, 0.2 },
	}, {
		.name = "message-round-trip",
		.size = 4 * KIB,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = round_trip_ways,
		.setup = bench_start_echo,
		.teardown = bench_stop_peers,
	}, {
		.name = "message-round-trip",
		.size = MIB,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = round_trip_ways,
		.setup = bench_start_echo,
		.teardown = bench_stop_peers,
	}, {
		.name = "message-throughput",
		.size = 64,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = throughput_ways,
		.setup = bench_start_sink,
		.teardown = bench_stop_peers,
		.goal = { "channel", "unix_socket", 0, 0.2 },
	}, {
		.name = "message-throughput",
		.size = 4 * KIB,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = throughput_ways,
		.setup = bench_start_sink,
		.teardown = bench_stop_peers,
	}, {
		.name = "message-throughput",
		.size = MIB,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = throughput_ways,
		.setup = bench_start_sink,
		.teardown = bench_stop_peers,
	}, {
		.name = "move",
		.size = 4 * KIB,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = move_page_ways,
		.setup = bench_start_mover,
		.teardown = bench_stop_mover,
	}, {
		.name = "move",
		.size = 2 * MIB,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 31,
		.ways = move_ways,
		.setup = bench_start_mover,
		.teardown = bench_stop_mover,
	}, {
		.name = "move",
		.size = 256 * MIB,
		.unit = "us",
		.unit_ns = 1e3,
		.rounds = 9,
		.ways = move_ways,
		.setup = bench_start_mover,
		.teardown = bench_stop_mover,
		.goal = { "region_2m_move", "memcpy", 0, 0.01 },
	},
	{ .name = NULL },
};
