// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages between two processes: libxmap's channel, and what Linux has.
 *
 * Each way has a peer of its own, on another processor, that waits while the other
 * ways have their turn.  A message is copied into whatever carries it and out of it
 * again, everywhere.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xmap.h>

#include "bench.h"

/* Room in a channel: for several messages of any size. */
#define RING (4 * MIB)

/* One message for each direction, and whether it is there: no more than futexes. */
struct mailbox {
	uint32_t full;
	uint8_t bytes[MIB];
};

struct wire {
	const char *name;
	void (*open)(struct wire *w);
	/* In the peer: take the other end. */
	void (*turn)(struct wire *w);
	void (*send)(struct wire *w, const void *buf, size_t length);
	void (*recv)(struct wire *w, void *buf, size_t length);
	void (*close)(struct wire *w);
	pid_t pid;
	struct xmap_channel *channel;
	struct xmap_channel_fds fds;
	/* What we write to and read from, then what the peer does. */
	int to[2];
	int from[2];
	struct mailbox *boxes;
	int box;
};

/* ---- A channel ---- */

static void channel_check(const char *what, ssize_t rc)
{
	if (rc < 0)
		errx(1, "%s: %s", what, strerror(-rc));
}

static void channel_open(struct wire *w)
{
	XMAP_OPTS(struct xmap_channel_opts, opts, .ring = RING);

	channel_check("xmap_channel_create", xmap_channel_create(&opts, &w->fds, &w->channel));
}

static void channel_turn(struct wire *w)
{
	xmap_channel_close(w->channel);
	channel_check("xmap_channel_from_fds", xmap_channel_from_fds(NULL, &w->fds, &w->channel));
}

static void channel_send(struct wire *w, const void *buf, size_t length)
{
	channel_check("xmap_channel_send", xmap_channel_send(w->channel, buf, length, -1));
}

static void channel_recv(struct wire *w, void *buf, size_t length)
{
	check_length("xmap_channel_recv", xmap_channel_recv(w->channel, buf, length, -1), length);
}

static void channel_close(struct wire *w)
{
	xmap_channel_close(w->channel);
	for (int i = 0; i < XMAP_CHANNEL_NR_FDS; i++)
		close(w->fds.fd[i]);
}

/* ---- Files ---- */

static void pipe_open(struct wire *w)
{
	int there[2], back[2];

	if (pipe2(there, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
		err(1, "pipe2");
	w->to[0] = there[1];
	w->from[1] = there[0];
	w->to[1] = back[1];
	w->from[0] = back[0];
}

static void socket_open(struct wire *w)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->to))
		err(1, "socketpair");
	w->from[0] = w->to[0];
	w->from[1] = w->to[1];
}

static void file_turn(struct wire *w)
{
	w->to[0] = w->to[1];
	w->from[0] = w->from[1];
}

static void file_send(struct wire *w, const void *buf, size_t length)
{
	size_t done = 0;
	ssize_t n;

	for (; done < length; done += n) {
		n = write(w->to[0], (const char *)buf + done, length - done);
		if (n <= 0)
			err(1, "write");
	}
}

static void file_recv(struct wire *w, void *buf, size_t length)
{
	size_t done = 0;
	ssize_t n;

	for (; done < length; done += n) {
		n = read(w->from[0], (char *)buf + done, length - done);
		if (n <= 0)
			err(1, "read");
	}
}

static void file_close(struct wire *w)
{
	for (int i = 0; i < 2; i++) {
		if (w->from[i] != w->to[i])
			close(w->from[i]);
		close(w->to[i]);
	}
}

/* ---- Futexes ---- */

static void futex_open(struct wire *w)
{
	w->boxes = mmap(NULL, 2 * sizeof(*w->boxes), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w->boxes == MAP_FAILED)
		err(1, "mmap");
	w->box = 0;
}

static void futex_turn(struct wire *w)
{
	w->box = 1;
}

static void futex_wait(uint32_t *word, uint32_t while_it_is)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == while_it_is)
		syscall(SYS_futex, word, FUTEX_WAIT, while_it_is, NULL, NULL, 0);
}

static void futex_post(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void futex_send(struct wire *w, const void *buf, size_t length)
{
	struct mailbox *box = &w->boxes[w->box];

	futex_wait(&box->full, 1);
	memcpy(box->bytes, buf, length);
	futex_post(&box->full, 1);
}

static void futex_recv(struct wire *w, void *buf, size_t length)
{
	struct mailbox *box = &w->boxes[!w->box];

	futex_wait(&box->full, 0);
	memcpy(buf, box->bytes, length);
	futex_post(&box->full, 0);
}

static void futex_close(struct wire *w)
{
	munmap(w->boxes, 2 * sizeof(*w->boxes));
}

/* ---- All of them ---- */

static struct wire wires[] = {
	{
		.name = "channel",
		.open = channel_open,
		.turn = channel_turn,
		.send = channel_send,
		.recv = channel_recv,
		.close = channel_close,
	}, {
		.name = "unix_socket",
		.open = socket_open,
		.turn = file_turn,
		.send = file_send,
		.recv = file_recv,
		.close = file_close,
	}, {
		.name = "pipe",
		.open = pipe_open,
		.turn = file_turn,
		.send = file_send,
		.recv = file_recv,
		.close = file_close,
	}, {
		.name = "futex",
		.open = futex_open,
		.turn = futex_turn,
		.send = futex_send,
		.recv = futex_recv,
		.close = futex_close,
	},
};

#define NR_WIRES (sizeof(wires) / sizeof(*wires))

static uint8_t message[MIB];

/*
 * Messages of one run.  Without answers that is enough of them for what it takes to wake
 * the peer at its beginning not to matter; where each message wakes somebody, fewer do.
 */
static unsigned int run_length(const struct bench *b, const struct wire *w, bool answered)
{
	unsigned int one = b->size >= MIB ? 4 : b->size >= PAGE ? 100 : 250;

	if (answered)
		return one;
	return w->send == futex_send || b->size >= MIB ? 4 * one : 16 * one;
}

static noreturn void peer_main(struct bench *b, struct wire *w, bool echo)
{
	unsigned int count = run_length(b, w, false);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(1);
	w->turn(w);
	for (;;) {
		for (unsigned int i = 0; i < (echo ? 1 : count); i++)
			w->recv(w, message, b->size);
		w->send(w, message, echo ? b->size : sizeof(uint64_t));
	}
}

static void start_peers(struct bench *b, bool echo)
{
	for (size_t i = 0; i < NR_WIRES; i++) {
		wires[i].open(&wires[i]);
		wires[i].pid = fork();
		if (wires[i].pid < 0)
			err(1, "fork");
		if (!wires[i].pid)
			peer_main(b, &wires[i], echo);
	}
}

void bench_start_echo(struct bench *b)
{
	start_peers(b, true);
}

void bench_start_sink(struct bench *b)
{
	start_peers(b, false);
}

void bench_stop_peers(struct bench *b)
{
	for (size_t i = 0; i < NR_WIRES; i++) {
		kill(wires[i].pid, SIGKILL);
		waitpid(wires[i].pid, NULL, 0);
		wires[i].close(&wires[i]);
	}
}

static struct wire *find_wire(const struct bench_way *way)
{
	for (size_t i = 0; i < NR_WIRES; i++) {
		if (!strcmp(wires[i].name, way->name))
			return &wires[i];
	}
	errx(1, "no way %s", way->name);
}

static void message_write(struct bench *b, uint64_t number)
{
	store_word(message, bench_word(number));
	store_word(message + b->size - sizeof(number), bench_word(number));
}

double run_round_trip(struct bench *b, const struct bench_way *way, unsigned int round)
{
	struct wire *w = find_wire(way);
	unsigned int count = run_length(b, w, true);
	double start = now();
	uint64_t number;

	for (unsigned int i = 0; i < count; i++) {
		number = round * count + i;
		message_write(b, number);
		w->send(w, message, b->size);
		w->recv(w, message, b->size);
		check_sum(way->name, load_word(message), bench_word(number));
		check_sum(way->name, load_word(message + b->size - sizeof(number)),
			  bench_word(number));
	}
	return (now() - start) / count;
}

/* Until the peer has the last one, and says so with a part of it. */
double run_throughput(struct bench *b, const struct bench_way *way, unsigned int round)
{
	struct wire *w = find_wire(way);
	unsigned int count = run_length(b, w, false);
	double start = now();
	uint64_t word;

	for (unsigned int i = 0; i < count; i++) {
		message_write(b, round * count + i);
		w->send(w, message, b->size);
	}
	w->recv(w, &word, sizeof(word));
	check_sum(way->name, word, bench_word(round * count + count - 1));
	return (now() - start) / count;
}
