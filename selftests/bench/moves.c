// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handing memory to another process so that one has it no more.
 *
 * A region is given here, where all of it is mapped and written, and taken there, where
 * a word of it is loaded, or so many that all of it is mapped.  The time is that of both
 * together, without that in which the one wakes the other.  It is compared with a copy
 * within one process, from and to memory that is there; and with a pipe into which the
 * pages are put by vmsplice() and from which the other copies them, 2 MiB after 2 MiB
 * into the same buffer: that includes the waking, as both have to work at the same time.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/xmap.h>

#include "bench.h"

#define HUGE (2 * MIB)
/* What a pipe takes without privilege. */
#define PIPE_SIZE MIB

enum { SMALL, LARGE, NR_REGIONS };
enum { ORDER_TAKE, ORDER_GIVE, ORDER_READ };

struct order {
	int what;
	int region;
	/* Touch one word in each so many bytes. */
	size_t step;
};

struct answer {
	double ns;
	uint64_t sum;
};

static struct {
	int fd[NR_REGIONS];
	uint8_t *map[NR_REGIONS];
	int sock[2];
	int pipe[2];
	pid_t pid;
} mover;

/* ---- Both processes ---- */

static void region_do(int which, unsigned long request, const char *what)
{
	struct xmap_cmd_region_give cmd = { .size = sizeof(cmd) };

	if (ioctl(mover.fd[which], request, &cmd))
		err(1, "%s", what);
}

/* An odd place for small pages: with an emulator, not where the large ones are. */
static uint8_t *map_region(int which, size_t length)
{
	size_t odd = which == SMALL ? 37 * PAGE : 0;
	uint8_t *room, *at;

	room = mmap(NULL, length + 2 * HUGE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		err(1, "mmap of address space");
	at = (uint8_t *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1)) + odd;
	if (mmap(at, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, mover.fd[which],
		 0) == MAP_FAILED)
		err(1, "mmap of a region");
	return at;
}

static uint64_t touch(const uint8_t *map, size_t length, size_t step)
{
	uint64_t sum = 0;

	for (size_t at = 0; at < length; at += step)
		sum += load_word(map + at);
	return sum;
}

/*
 * An emulator's own translation cache grows with what is touched, takes up to a
 * millisecond to be flushed when it is large, which is as long as the rest of a move
 * takes, and shrinks if it has been used little for a tenth of a second and is flushed
 * then.  So have it flushed a few times that long after much was touched.
 */
static void calm(size_t length)
{
	size_t some = MIB;
	uint8_t *map;

	if (length <= HUGE)
		return;
	map = mmap(NULL, some, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		err(1, "mmap");
	for (int i = 0; i < 3; i++) {
		usleep(110000);
		memset(map, 1, some);
		if (madvise(map, some, MADV_DONTNEED))
			err(1, "madvise");
	}
	munmap(map, some);
}

static void mark(uint8_t *map, size_t length)
{
	for (size_t at = 0; at < length; at += PAGE)
		store_word(map + at, bench_word(at / PAGE));
}

static uint64_t marked(size_t length, size_t step)
{
	uint64_t pages = 0;

	for (size_t at = 0; at < length; at += step)
		pages += at / PAGE;
	return bench_word(pages);
}

/* ---- The other one ---- */

static uint64_t read_pipe(uint8_t *buf, size_t length)
{
	uint64_t sum = 0;

	while (length) {
		size_t n = length < HUGE ? length : HUGE;

		for (size_t got = 0; got < n;) {
			ssize_t rc = read(mover.pipe[0], buf + got, n - got);

			if (rc <= 0)
				err(1, "read of a pipe");
			got += rc;
		}
		sum += touch(buf, n, PAGE);
		length -= n;
	}
	return sum;
}

static noreturn void mover_main(size_t length)
{
	uint8_t *buf = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct answer answer;
	struct order order;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(1);
	if (buf == MAP_FAILED)
		err(1, "mmap of a buffer");
	for (int i = 0; i < NR_REGIONS; i++)
		mover.map[i] = map_region(i, length);
	while (recv(mover.sock[1], &order, sizeof(order), 0) == sizeof(order)) {
		double start = now();

		answer.sum = 0;
		switch (order.what) {
		case ORDER_TAKE:
			region_do(order.region, XMAP_REGION_TAKE, "XMAP_REGION_TAKE");
			answer.sum = touch(mover.map[order.region], length, order.step);
			break;
		case ORDER_GIVE:
			region_do(order.region, XMAP_REGION_GIVE, "XMAP_REGION_GIVE");
			break;
		case ORDER_READ:
			answer.sum = read_pipe(buf, length);
			break;
		}
		answer.ns = now() - start;
		if (send(mover.sock[1], &answer, sizeof(answer), 0) != sizeof(answer))
			err(1, "send");
	}
	_exit(0);
}

static void tell(const struct order *order)
{
	if (send(mover.sock[0], order, sizeof(*order), 0) != sizeof(*order))
		err(1, "send");
}

static struct answer hear(void)
{
	struct answer answer;

	if (recv(mover.sock[0], &answer, sizeof(answer), 0) != sizeof(answer))
		errx(1, "the other process has ended");
	return answer;
}

/* ---- Setting up ---- */

static int create(struct bench *b, int which)
{
	struct xmap_cmd_region_create cmd = {
		.size = sizeof(cmd),
		.flags = XMAP_REGION_SINGLE_OWNER | (which == LARGE ? XMAP_REGION_HUGE : 0),
		.length = b->size,
	};

	if (ioctl(b->dev_fd, XMAP_REGION_CREATE, &cmd)) {
		/* A kernel without huge pages. */
		cmd.flags = XMAP_REGION_SINGLE_OWNER;
		if (ioctl(b->dev_fd, XMAP_REGION_CREATE, &cmd))
			err(1, "XMAP_REGION_CREATE");
	}
	return cmd.out_fd;
}

void bench_start_mover(struct bench *b)
{
	if (b->dev_fd < 0)
		return;
	for (int i = 0; i < NR_REGIONS; i++)
		mover.fd[i] = create(b, i);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, mover.sock) ||
	    pipe2(mover.pipe, O_CLOEXEC) || fcntl(mover.pipe[1], F_SETPIPE_SZ, PIPE_SIZE) < 0)
		err(1, "pipe of moves");
	mover.pid = fork();
	if (mover.pid < 0)
		err(1, "fork");
	if (!mover.pid) {
		close(mover.sock[0]);
		close(mover.pipe[1]);
		mover_main(b->size);
	}
	close(mover.sock[1]);
	close(mover.pipe[0]);
	for (int i = 0; i < NR_REGIONS; i++) {
		mover.map[i] = map_region(i, b->size);
		mark(mover.map[i], b->size);
	}
}

void bench_stop_mover(struct bench *b)
{
	int status;

	if (b->dev_fd < 0)
		return;
	close(mover.sock[0]);
	close(mover.pipe[1]);
	if (waitpid(mover.pid, &status, 0) != mover.pid || status)
		errx(1, "the other process did not end as it should: status %#x", status);
	for (int i = 0; i < NR_REGIONS; i++) {
		if (munmap(mover.map[i], b->size))
			err(1, "munmap");
		close(mover.fd[i]);
	}
}

/* ---- Moving ---- */

static double move(struct bench *b, int which, size_t step)
{
	struct order order = { .what = ORDER_TAKE, .region = which, .step = step };
	struct answer answer;
	double ns;

	calm(b->size);
	ns = now();
	region_do(which, XMAP_REGION_GIVE, "XMAP_REGION_GIVE");
	ns = now() - ns;
	tell(&order);
	answer = hear();
	check_sum("what was moved", answer.sum, marked(b->size, step));
	/* And back, so that it is all here, and mapped, for the next round. */
	order.what = ORDER_GIVE;
	tell(&order);
	hear();
	region_do(which, XMAP_REGION_TAKE, "XMAP_REGION_TAKE");
	/* What he has not changed is still marked: only have each page mapped. */
	for (size_t at = 0; at < b->size; at += which == LARGE ? HUGE : PAGE)
		store_word(mover.map[which] + at, bench_word(at / PAGE));
	return ns + answer.ns;
}

/* One load: what he does with the rest is his affair, and costs when he does it. */
double run_move_small(struct bench *b, const struct bench_way *way, unsigned int round)
{
	return move(b, SMALL, b->size);
}

double run_move_huge(struct bench *b, const struct bench_way *way, unsigned int round)
{
	return move(b, LARGE, b->size);
}

/* A load from each page, so that all are mapped. */
double run_move_small_read(struct bench *b, const struct bench_way *way, unsigned int round)
{
	return move(b, SMALL, PAGE);
}

double run_move_huge_map(struct bench *b, const struct bench_way *way, unsigned int round)
{
	return move(b, LARGE, HUGE);
}

/* A load from each 4 KiB, as from small pages. */
double run_move_huge_read(struct bench *b, const struct bench_way *way, unsigned int round)
{
	return move(b, LARGE, PAGE);
}

double run_move_memcpy(struct bench *b, const struct bench_way *way, unsigned int round)
{
	double start = now();

	memcpy(mover.map[SMALL], mover.map[LARGE], b->size);
	start = now() - start;
	check_sum("what was copied", touch(mover.map[SMALL], b->size, PAGE),
		  marked(b->size, PAGE));
	return start;
}

double run_move_pipe(struct bench *b, const struct bench_way *way, unsigned int round)
{
	struct iovec iov = { .iov_base = mover.map[SMALL], .iov_len = b->size };
	struct order order = { .what = ORDER_READ };
	struct answer answer;
	double start = now();

	tell(&order);
	while (iov.iov_len) {
		ssize_t n = vmsplice(mover.pipe[1], &iov, 1, 0);

		if (n <= 0)
			err(1, "vmsplice");
		iov.iov_base = (uint8_t *)iov.iov_base + n;
		iov.iov_len -= n;
	}
	answer = hear();
	start = now() - start;
	check_sum("what came by the pipe", answer.sum, marked(b->size, PAGE));
	return start;
}
