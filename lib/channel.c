// SPDX-License-Identifier: LGPL-2.1-or-later
/* Channels: how they begin and end.  channel.h tells how they work. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"

#define CHANNEL_FLAGS XMAP_CHANNEL_NO_SPIN

/* Order of struct xmap_channel_fds. */
enum {
	FD_MEMORY,
	FD_BELL,
	FD_FDS = FD_BELL + 2,
};

_Static_assert(FD_FDS + 1 == XMAP_CHANNEL_NR_FDS, "the order");

static void close_all(int *fds, int count)
{
	while (count--)
		close(fds[count]);
}

static int channel_opts_get(const struct xmap_channel_opts *opts, struct xmap_channel_opts *known)
{
	int rc;

	rc = xmap_opts_copy(known, sizeof(*known), opts);
	if (rc)
		return rc;
	if (known->flags & ~(uint32_t)CHANNEL_FLAGS || known->__reserved)
		return -EOPNOTSUPP;
	return 0;
}

/*
 * Can the peer run while we spin?  Where each of us may run does not tell: a thread
 * that keeps to one processor may well have a peer on another.  What it costs if they
 * share one is little, since spinning that does not pay off is given up.
 */
static bool many_processors(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) != 1;
}

/* ---- Handles ---- */

/* @which: 0 for what who made the channel sends. */
static void lane_begin(struct xmap_channel *ch, struct xmap_lane *lane, int which, bool writer)
{
	struct xmap_ring *ring = &ch->map->ring[which];

	lane->bytes = xmap_channel_memory_bytes(ch->map, ch->ring, which);
	lane->size = ch->ring;
	lane->bell = ch->bells[which];
	lane->my_pos = writer ? &ring->head.value : &ring->tail.value;
	lane->their_pos = writer ? &ring->tail.value : &ring->head.value;
	lane->my_need = writer ? &ring->writer_need.value : &ring->reader_need.value;
	lane->their_need = writer ? &ring->reader_need.value : &ring->writer_need.value;
	lane->base = writer ? lane->size : 0;
}

static struct xmap_channel_state *state_new(void)
{
	struct xmap_channel_state *state;

	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	if (state == MAP_FAILED)
		return NULL;
	if (madvise(state, sizeof(*state), MADV_WIPEONFORK)) {
		munmap(state, sizeof(*state));
		return NULL;
	}
	return state;
}

/* @side: 0 for who made it.  The descriptors become the handle's on success. */
static int channel_new(const int *fds, int side, uint32_t ring, uint32_t flags,
		       struct xmap_channel **ret)
{
	struct xmap_channel *ch;
	int rc = -ENOMEM;

	ch = calloc(1, sizeof(*ch));
	if (!ch)
		return rc;
	ch->state = state_new();
	if (!ch->state)
		goto err_free;
	rc = xmap_channel_memory_map(fds[FD_MEMORY], ring, &ch->map);
	if (rc)
		goto err_state;
	ch->ring = ring;
	ch->bells[0] = fds[FD_BELL];
	ch->bells[1] = fds[FD_BELL + 1];
	ch->fds = fds[FD_FDS];
	lane_begin(ch, &ch->state->send, side, true);
	lane_begin(ch, &ch->state->recv, !side, false);
	ch->state->send.spins = !(flags & XMAP_CHANNEL_NO_SPIN) && many_processors();
	ch->state->recv.spins = ch->state->send.spins;
	ch->state->alive = 1;
	*ret = ch;
	return 0;

err_state:
	munmap(ch->state, sizeof(*ch->state));
err_free:
	free(ch);
	return rc;
}

static void channel_free(struct xmap_channel *ch)
{
	/* Not mapped in a child, where something else may be at that address by now. */
	if (ch->state->alive)
		xmap_channel_memory_unmap(ch->map, ch->ring);
	munmap(ch->state, sizeof(*ch->state));
	free(ch);
}

/* Two ends of each: @ours[FD_MEMORY] is not used. */
static int channel_sockets(int *ours, int *theirs)
{
	int pair[2];
	int type;
	int rc;
	int i;

	for (i = FD_BELL; i < XMAP_CHANNEL_NR_FDS; i++) {
		type = i == FD_FDS ? SOCK_SEQPACKET : SOCK_STREAM;
		if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair)) {
			rc = -errno;
			close_all(ours + FD_BELL, i - FD_BELL);
			close_all(theirs + FD_BELL, i - FD_BELL);
			return rc;
		}
		ours[i] = pair[0];
		theirs[i] = pair[1];
	}
	return 0;
}

static int memory_create(struct xmap_dev *dev, uint32_t ring, struct xmap_channel_memory *ret)
{
	int fd;

	if (dev)
		return xmap_channel_region_create(dev, ring, ret);
	fd = xmap_channel_memory_create(ring);
	if (fd < 0)
		return fd;
	*ret = (struct xmap_channel_memory){ .ours = fd, .theirs = fd };
	return 0;
}

int xmap_channel_create(const struct xmap_channel_opts *opts, struct xmap_channel_fds *peer,
			struct xmap_channel **ret)
{
	struct xmap_channel_memory mem;
	struct xmap_channel_opts known;
	int ours[XMAP_CHANNEL_NR_FDS];
	struct xmap_channel_fds fds;
	struct xmap_channel *ch;
	uint32_t ring;
	int rc;

	rc = channel_opts_get(opts, &known);
	if (rc)
		return rc;
	if (known.ring > XMAP_RING_MAX)
		return -EINVAL;
	for (ring = XMAP_RING_MIN; ring < (known.ring ? known.ring : XMAP_RING_DEFAULT); )
		ring *= 2;

	rc = memory_create(known.dev, ring, &mem);
	if (rc)
		return rc;
	rc = channel_sockets(ours, fds.fd);
	if (rc)
		goto err_memory;
	ours[FD_MEMORY] = mem.ours;
	fds.fd[FD_MEMORY] = mem.theirs;
	rc = channel_new(ours, 0, ring, known.flags, &ch);
	if (rc)
		goto err_sockets;
	if (mem.lease) {
		rc = xmap_channel_region_populate(ch->map, ring);
		if (rc)
			goto err_channel;
		xmap_region_close(mem.whole);
		ch->lease = mem.lease;
	}
	*peer = fds;
	*ret = ch;
	return 0;

err_channel:
	channel_free(ch);
err_sockets:
	close_all(ours + FD_BELL, XMAP_CHANNEL_NR_FDS - FD_BELL);
	close_all(fds.fd + FD_BELL, XMAP_CHANNEL_NR_FDS - FD_BELL);
err_memory:
	close(mem.theirs);
	xmap_region_close(mem.lease);
	xmap_region_close(mem.whole);
	return rc;
}

static int socket_check(int fd, int type)
{
	socklen_t length = sizeof(int);
	int domain, got;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &got, &length))
		return errno == EBADF ? -EBADF : -EBADFD;
	return domain == AF_UNIX && got == type ? 0 : -EBADFD;
}

int xmap_channel_from_fds(const struct xmap_channel_opts *opts, const struct xmap_channel_fds *fds,
			  struct xmap_channel **ret)
{
	struct xmap_channel_opts known;
	uint32_t ring;
	int rc;
	int i;

	rc = channel_opts_get(opts, &known);
	if (rc)
		return rc;
	if (known.ring)
		return -EINVAL;
	rc = -EBADFD;
	if (known.dev)
		rc = xmap_channel_region_check(known.dev, fds->fd[FD_MEMORY], &ring);
	if (rc == -EBADFD)
		rc = xmap_channel_memory_check(fds->fd[FD_MEMORY], &ring);
	if (rc)
		return rc;
	for (i = FD_BELL; i < XMAP_CHANNEL_NR_FDS; i++) {
		rc = socket_check(fds->fd[i], i == FD_FDS ? SOCK_SEQPACKET : SOCK_STREAM);
		if (rc)
			return rc;
		/* recvmsg() without MSG_CMSG_CLOEXEC gives some that exec would pass on. */
		if (fcntl(fds->fd[i], F_SETFD, FD_CLOEXEC) < 0)
			return -errno;
	}
	rc = channel_new(fds->fd, 1, ring, known.flags, ret);
	if (!rc)
		close(fds->fd[FD_MEMORY]);
	return rc;
}

/* A forked child ends its copies only: nothing is said to the peer. */
void xmap_channel_close(struct xmap_channel *ch)
{
	if (!ch)
		return;
	close_all(ch->bells, 2);
	close(ch->fds);
	xmap_region_close(ch->lease);
	channel_free(ch);
}

/* ---- Its end ---- */

/*
 * The channel is dead for good, for both sides: the peer must not wait for us.
 * Return: why it is, which may have been found before.
 */
int xmap_channel_fail(struct xmap_channel *ch, int error)
{
	int old = 0;

	if (!__atomic_compare_exchange_n(&ch->state->error, &old, error, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		error = old;
	shutdown(ch->bells[0], SHUT_RDWR);
	shutdown(ch->bells[1], SHUT_RDWR);
	shutdown(ch->fds, SHUT_RDWR);
	return error;
}

int xmap_channel_shutdown(struct xmap_channel *ch)
{
	struct xmap_channel_state *state = ch->state;

	if (!state->alive)
		return -EBADFD;
	state->send.ended = true;
	state->send.held = 0;
	/* It fails if the peer is gone, or was never there: no records, too. */
	shutdown(state->send.bell, SHUT_WR);
	return 0;
}

/* ---- For event loops, and for people ---- */

static struct xmap_lane *channel_lane(struct xmap_channel *ch, int which)
{
	if (which == XMAP_CHANNEL_SEND)
		return &ch->state->send;
	return which == XMAP_CHANNEL_RECV ? &ch->state->recv : NULL;
}

int xmap_channel_fd(struct xmap_channel *ch, int which)
{
	struct xmap_lane *lane = channel_lane(ch, which);

	if (!ch->state->alive)
		return -EBADFD;
	return lane ? lane->bell : -EINVAL;
}

int xmap_channel_arm(struct xmap_channel *ch, int which, size_t length)
{
	struct xmap_lane *lane = channel_lane(ch, which);
	uint32_t need = XMAP_RECORD_ALIGN;
	int rc;

	if (!ch->state->alive)
		return -EBADFD;
	if (!lane || (which == XMAP_CHANNEL_RECV && length))
		return -EINVAL;
	rc = __atomic_load_n(&ch->state->error, __ATOMIC_ACQUIRE);
	if (rc)
		return rc;
	if (length > xmap_record_max(lane))
		return -EMSGSIZE;
	if (which == XMAP_CHANNEL_SEND)
		need = xmap_record_size(length);
	return xmap_lane_arm(ch, lane, need);
}

int xmap_channel_info(struct xmap_channel *ch, struct xmap_channel_info *ret)
{
	const struct xmap_channel_state *state = ch->state;
	struct xmap_channel_info info = { .sz = ret->sz };

	if (!state->alive)
		return -EBADFD;
	if (ret->sz < sizeof(info.sz))
		return -EINVAL;
	info.max_length = xmap_record_max(&state->send);
	info.send = state->send.counts;
	info.recv = state->recv.counts;
	memcpy(ret, &info, ret->sz < sizeof(info) ? ret->sz : sizeof(info));
	return 0;
}
