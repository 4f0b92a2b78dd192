// SPDX-License-Identifier: LGPL-2.1-or-later
/* A channel with both ends here, and records. */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pair.h"

struct xmap_dev *channel_dev;

struct xmap_channel *channel_begin(struct xmap_channel_fds *fds, size_t ring)
{
	XMAP_OPTS(struct xmap_channel_opts, opts, .ring = ring, .dev = channel_dev);
	struct xmap_channel *ch = NULL;

	assert_ok(xmap_channel_create(&opts, fds, &ch));
	return ch;
}

struct xmap_channel *channel_other(const struct xmap_channel_fds *fds, uint32_t flags)
{
	struct xmap_channel *ch = NULL;

	assert_ok(channel_from(fds, flags, &ch));
	return ch;
}

int channel_from(const struct xmap_channel_fds *fds, uint32_t flags, struct xmap_channel **ret)
{
	XMAP_OPTS(struct xmap_channel_opts, opts, .flags = flags, .dev = channel_dev);

	return xmap_channel_from_fds(&opts, fds, ret);
}

void fds_close(const struct xmap_channel_fds *fds)
{
	for (int i = 0; i < XMAP_CHANNEL_NR_FDS; i++)
		assert_ok(close(fds->fd[i]));
}

void pair_begin(struct pair *pair, size_t ring)
{
	struct xmap_channel_fds fds;

	pair->a = channel_begin(&fds, ring);
	for (int i = 0; i < XMAP_CHANNEL_NR_FDS; i++) {
		pair->fds.fd[i] = dup(fds.fd[i]);
		ck_assert_int_ge(pair->fds.fd[i], 0);
	}
	pair->b = channel_other(&fds, 0);
}

void pair_end(struct pair *pair)
{
	xmap_channel_close(pair->a);
	xmap_channel_close(pair->b);
	fds_close(&pair->fds);
}

struct xmap_shared *shared_map(const struct xmap_channel_fds *fds)
{
	off_t size = lseek(fds->fd[0], 0, SEEK_END);
	void *p;

	if (size < 0)
		return NULL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fds->fd[0], 0);
	return p == MAP_FAILED ? NULL : p;
}

unsigned char *shared_bytes(struct xmap_shared *shared, int which)
{
	return (unsigned char *)shared + PAGE + which * SMALL_RING;
}

uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Half of them are short: most lengths and alignments come about soon. */
static size_t record_length(uint32_t number, size_t max)
{
	uint32_t state = number;
	uint32_t random = next_random(&state);

	return random % ((next_random(&state) & 1 ? max : max / 64) + 1);
}

size_t record_make(unsigned char *buf, uint32_t number, size_t max)
{
	size_t length = record_length(number, max);

	for (size_t i = 0; i < length; i++)
		buf[i] = number * 31 + i * 7 + (i >> 8);
	return length;
}

bool record_is(const unsigned char *buf, ssize_t length, uint32_t number, size_t max)
{
	if (length < 0 || (size_t)length != record_length(number, max))
		return false;
	for (ssize_t i = 0; i < length; i++) {
		if (buf[i] != (unsigned char)(number * 31 + i * 7 + (i >> 8)))
			return false;
	}
	return true;
}

pid_t child_begin(int (*work)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(work(arg));
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

int child_end(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}
