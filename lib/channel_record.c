// SPDX-License-Identifier: LGPL-2.1-or-later
/* Channels: sending and receiving records. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"

/* May this handle be used at all? */
static int channel_ready(const struct xmap_channel *ch)
{
	if (!ch->state->alive)
		return -EBADFD;
	return __atomic_load_n(&ch->state->error, __ATOMIC_ACQUIRE);
}

/* All of the elements in bytes, or -errno. */
static ssize_t iov_length(const struct iovec *iov, int iovcnt)
{
	size_t length = 0;
	int i;

	if (iovcnt < 0 || iovcnt > IOV_MAX)
		return -EINVAL;
	for (i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len > SSIZE_MAX - length)
			return -EINVAL;
		length += iov[i].iov_len;
	}
	return length;
}

/* ---- Sending ---- */

static inline int lane_reserve(struct xmap_channel *ch, size_t length,
			       struct xmap_deadline *deadline)
{
	struct xmap_lane *lane = &ch->state->send;
	uint32_t size;
	int rc;

	rc = channel_ready(ch);
	if (rc)
		return rc;
	lane->held = 0;
	if (length > xmap_record_max(lane))
		return -EMSGSIZE;
	size = xmap_record_size(length);
	if (lane->ended || __atomic_load_n(&ch->state->gone, __ATOMIC_RELAXED))
		return -EPIPE;
	if (xmap_lane_avail(lane) < size) {
		rc = xmap_lane_wait(ch, lane, size, deadline);
		if (rc)
			return rc;
		/* There may be room, but nobody who would ever read it. */
		if (__atomic_load_n(&ch->state->gone, __ATOMIC_RELAXED))
			return -EPIPE;
	}
	lane->held = size;
	return 0;
}

static inline int lane_publish(struct xmap_channel *ch, uint32_t length, uint32_t nfds)
{
	struct xmap_lane *lane = &ch->state->send;
	struct xmap_record_head *head = (struct xmap_record_head *)xmap_lane_at(lane);

	head->length = length;
	head->nfds = nfds;
	lane->held = 0;
	lane->counts.records++;
	lane->counts.bytes += length;
	return xmap_lane_advance(ch, lane, xmap_record_size(length));
}

static int lane_commit(struct xmap_channel *ch, size_t length, const int *fds, unsigned int nfds,
		       struct xmap_deadline *deadline)
{
	int rc;

	if (nfds > XMAP_CHANNEL_FDS_MAX)
		return -EINVAL;
	if (nfds) {
		rc = xmap_channel_fds_send(ch, fds, nfds, deadline);
		if (rc)
			return rc;
	}
	return lane_publish(ch, length, nfds);
}

int xmap_channel_reserve(struct xmap_channel *ch, size_t length, int timeout, void **ret)
{
	struct xmap_deadline deadline = { .timeout = timeout };
	int rc;

	rc = lane_reserve(ch, length, &deadline);
	if (!rc)
		*ret = xmap_lane_at(&ch->state->send) + sizeof(struct xmap_record_head);
	return rc;
}

int xmap_channel_commit(struct xmap_channel *ch, size_t length, const int *fds, unsigned int nfds)
{
	struct xmap_lane *lane = &ch->state->send;
	struct xmap_deadline deadline = {};
	int rc;

	rc = channel_ready(ch);
	if (rc)
		return rc;
	if (!lane->held || length > xmap_record_max(lane) ||
	    xmap_record_size(length) > lane->held)
		return -EINVAL;
	return lane_commit(ch, length, fds, nfds, &deadline);
}

int xmap_channel_sendv(struct xmap_channel *ch, const struct iovec *iov, int iovcnt,
		       const int *fds, unsigned int nfds, int timeout)
{
	struct xmap_deadline deadline = { .timeout = timeout };
	ssize_t length = iov_length(iov, iovcnt);
	unsigned char *to;
	int rc;
	int i;

	if (length < 0)
		return length;
	rc = lane_reserve(ch, length, &deadline);
	if (rc)
		return rc;
	to = xmap_lane_at(&ch->state->send) + sizeof(struct xmap_record_head);
	for (i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len)
			memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	rc = lane_commit(ch, length, fds, nfds, &deadline);
	ch->state->send.held = 0;
	return rc;
}

/* As sendv would; but most records go this way, and it is short. */
int xmap_channel_send(struct xmap_channel *ch, const void *buf, size_t length, int timeout)
{
	struct xmap_deadline deadline = { .timeout = timeout };
	int rc;

	if (length > SSIZE_MAX)
		return -EINVAL;
	rc = lane_reserve(ch, length, &deadline);
	if (rc)
		return rc;
	if (length)
		memcpy(xmap_lane_at(&ch->state->send) + sizeof(struct xmap_record_head), buf,
		       length);
	return lane_publish(ch, length, 0);
}

/* ---- Receiving ---- */

/*
 * Hold the next record.  Its head is the peer's to scribble on: it is copied, and
 * what was copied is checked and used.
 */
static inline int lane_hold(struct xmap_channel *ch, int timeout)
{
	struct xmap_deadline deadline = { .timeout = timeout };
	struct xmap_lane *lane = &ch->state->recv;
	const volatile struct xmap_record_head *head;
	uint32_t max;
	int rc;

	rc = channel_ready(ch);
	if (rc || lane->held)
		return rc;
	if (xmap_lane_avail(lane) < XMAP_RECORD_ALIGN) {
		rc = xmap_lane_wait(ch, lane, XMAP_RECORD_ALIGN, &deadline);
		if (rc)
			return rc;
	}
	head = (const volatile struct xmap_record_head *)xmap_lane_at(lane);
	lane->record.length = head->length;
	lane->record.nfds = head->nfds;
	/* Positions are multiples of the alignment: there is room for a head. */
	max = xmap_lane_avail(lane) - sizeof(struct xmap_record_head);
	if (lane->record.length > max || lane->record.nfds > XMAP_CHANNEL_FDS_MAX)
		return xmap_channel_fail(ch, -EPROTO);
	lane->held = xmap_record_size(lane->record.length);
	lane->took_fds = !lane->record.nfds;
	return 0;
}

static const unsigned char *lane_held(const struct xmap_lane *lane)
{
	return xmap_lane_at(lane) + sizeof(struct xmap_record_head);
}

int xmap_channel_peek(struct xmap_channel *ch, int timeout, struct xmap_channel_record *ret)
{
	const struct xmap_lane *lane = &ch->state->recv;
	int rc;

	rc = lane_hold(ch, timeout);
	if (rc)
		return rc;
	ret->data = lane_held(lane);
	ret->length = lane->record.length;
	ret->nfds = lane->took_fds ? 0 : lane->record.nfds;
	ret->__reserved = 0;
	return 0;
}

int xmap_channel_take_fds(struct xmap_channel *ch, int *fds, unsigned int count)
{
	struct xmap_lane *lane = &ch->state->recv;
	int rc;

	rc = channel_ready(ch);
	if (rc)
		return rc;
	if (!lane->held)
		return -EINVAL;
	if (lane->took_fds)
		return 0;
	if (count < lane->record.nfds)
		return -EMSGSIZE;
	rc = xmap_channel_fds_recv(ch, fds);
	if (rc)
		return rc;
	lane->took_fds = true;
	return lane->record.nfds;
}

static inline void lane_release(struct xmap_channel *ch, uint32_t length)
{
	struct xmap_lane *lane = &ch->state->recv;

	lane->held = 0;
	lane->counts.records++;
	lane->counts.bytes += length;
	/* The record was received: that the peer cannot be woken is for the next call to say. */
	xmap_lane_advance(ch, lane, xmap_record_size(length));
}

int xmap_channel_release(struct xmap_channel *ch)
{
	struct xmap_lane *lane = &ch->state->recv;
	int rc;

	rc = channel_ready(ch);
	if (rc)
		return rc;
	if (!lane->held)
		return -EINVAL;
	if (!lane->took_fds) {
		rc = xmap_channel_fds_drop(ch);
		if (rc)
			return rc;
	}
	lane_release(ch, lane->record.length);
	return 0;
}

ssize_t xmap_channel_recvv(struct xmap_channel *ch, const struct iovec *iov, int iovcnt, int *fds,
			   unsigned int *nfds, int timeout)
{
	struct xmap_lane *lane = &ch->state->recv;
	ssize_t room = iov_length(iov, iovcnt);
	const unsigned char *from;
	size_t length, part;
	int taken;
	int rc;
	int i;

	if (room < 0)
		return room;
	rc = lane_hold(ch, timeout);
	if (rc)
		return rc;
	length = lane->record.length;
	if (length > (size_t)room || (!lane->took_fds && lane->record.nfds > (nfds ? *nfds : 0)))
		return -EMSGSIZE;
	taken = xmap_channel_take_fds(ch, fds, nfds ? *nfds : 0);
	if (taken < 0)
		return taken;
	from = lane_held(lane);
	for (i = 0; i < iovcnt && length; i++) {
		part = iov[i].iov_len < length ? iov[i].iov_len : length;
		if (part)
			memcpy(iov[i].iov_base, from, part);
		from += part;
		length -= part;
	}
	length = lane->record.length;
	/* Its descriptors are taken, so this cannot fail; but its bytes may have been, too. */
	if (xmap_channel_release(ch) == -ESTALE) {
		while (taken)
			close(fds[--taken]);
		return -ESTALE;
	}
	if (nfds)
		*nfds = taken;
	return length;
}

/* As recvv would; but most records come this way, and it is short. */
ssize_t xmap_channel_recv(struct xmap_channel *ch, void *buf, size_t length, int timeout)
{
	struct xmap_lane *lane = &ch->state->recv;
	uint32_t got;
	int rc;

	if (length > SSIZE_MAX)
		return -EINVAL;
	rc = lane_hold(ch, timeout);
	if (rc)
		return rc;
	got = lane->record.length;
	if (got > length || !lane->took_fds)
		return -EMSGSIZE;
	if (got)
		memcpy(buf, lane_held(lane), got);
	/* What was copied may have been taken back, and nothing but zeroes. */
	if (channel_ready(ch) == -ESTALE)
		return -ESTALE;
	lane_release(ch, got);
	return got;
}
