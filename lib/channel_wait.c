// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Positions of a channel's rings: checking the peer's, moving ours, and waiting.
 *
 * Nothing is lost between who sleeps and who wakes: the sleeper stores its need and
 * then loads the peer's position, the peer stores its position and then loads the
 * need, all in one order for all, so at least one of them sees the other's store.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "channel.h"

/*
 * Nanoseconds to spin at most: about what it costs to be woken, and for a peer that
 * has just been woken also what that costs, or two that answer each other could never
 * again be awake at the same time.
 */
#define SPIN_MAX 40000
#define SPIN_RANG 200000
/*
 * Where the peer does not answer meanwhile that is time lost, of which one may lose a
 * budget: what is slept earns so much of it, and spinning that pays off refills it.
 */
#define SPIN_EARNS 64
#define SPIN_BUDGET (4 * SPIN_RANG)
/*
 * Looks between two looks at the clock: few, as in a virtual machine a pause can take
 * a microsecond.
 */
#define SPIN_LOOKS 4

/* Of so many calls that find nothing and do not wait, one asks whether the peer lives. */
#define MISSES 64

/*
 * Bells that an honest peer can leave over from former waits are two at most: it
 * rings once each time that it is asked to, and has then moved its position.
 */
#define IDLE_BELLS 256

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* ---- Waiting for a descriptor ---- */

static int64_t deadline_left(struct xmap_deadline *deadline)
{
	int64_t time;

	if (deadline->timeout <= 0)
		return deadline->timeout;
	time = now();
	if (!deadline->end)
		deadline->end = time + deadline->timeout * 1000000LL;
	return deadline->end > time ? deadline->end - time : 0;
}

/* Return: what poll() saw, -EAGAIN or -ETIMEDOUT when the time is over, or -errno. */
int xmap_deadline_poll(struct xmap_deadline *deadline, int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int64_t left = deadline_left(deadline);
	struct timespec ts = {
		.tv_sec = left / 1000000000,
		.tv_nsec = left % 1000000000,
	};
	int rc;

	rc = ppoll(&pfd, 1, left < 0 ? NULL : &ts, NULL);
	if (rc < 0)
		return -errno;
	if (!rc)
		return deadline->timeout ? -ETIMEDOUT : -EAGAIN;
	return pfd.revents;
}

/* ---- Positions ---- */

/*
 * Look where the peer is.  It has gone on, and no further than to where we are, or
 * it is lying.
 */
int xmap_lane_refresh(struct xmap_channel *ch, struct xmap_lane *lane)
{
	uint32_t theirs = __atomic_load_n(lane->their_pos, __ATOMIC_SEQ_CST);
	uint32_t avail = theirs + lane->base - lane->mine;

	if (avail < xmap_lane_avail(lane) || avail > lane->size || theirs % XMAP_RECORD_ALIGN)
		return xmap_channel_fail(ch, -EPROTO);
	lane->theirs = theirs;
	return 0;
}

static int ring_bell(struct xmap_channel *ch, struct xmap_lane *lane)
{
	ssize_t n;

	lane->counts.bells++;
	__atomic_store_n(&ch->state->rang, true, __ATOMIC_RELAXED);
	do {
		n = send(lane->bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	/* As many bells as the socket holds are waiting to be heard: that is enough. */
	if (n == 1 || errno == EAGAIN)
		return 0;
	if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
		__atomic_store_n(&ch->state->gone, true, __ATOMIC_RELAXED);
		return -EPIPE;
	}
	/* Who cannot be woken must not sleep for ever: end it all, which needs no memory. */
	return xmap_channel_fail(ch, -errno);
}

/* The peer sleeps: wake it if there is now what it sleeps for. */
int xmap_lane_wake(struct xmap_channel *ch, struct xmap_lane *lane, uint32_t need)
{
	int rc;

	/* What it may move on is what we may not. */
	rc = xmap_lane_refresh(ch, lane);
	if (rc || need > lane->size - xmap_lane_avail(lane))
		return rc;
	if (!__atomic_exchange_n(lane->their_need, 0, __ATOMIC_SEQ_CST))
		return 0;
	return ring_bell(ch, lane);
}

/* ---- Waiting for the peer ---- */

/* Has the peer moved?  Looks for a while. */
static bool spin_once(const struct xmap_lane *lane)
{
	int i;

	for (i = 0; i < SPIN_LOOKS; i++) {
		if (__atomic_load_n(lane->their_pos, __ATOMIC_RELAXED) != lane->theirs)
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

/*
 * Spin, if there is a budget for it: where the peer runs at the same time it answers
 * within the time that sleeping and waking would take.  Where it waits for our
 * processor, spinning keeps it from answering.
 */
static int lane_spin(struct xmap_channel *ch, struct xmap_lane *lane, uint32_t need)
{
	bool rang = __atomic_exchange_n(&ch->state->rang, false, __ATOMIC_RELAXED);
	int64_t limit = rang ? SPIN_RANG : SPIN_MAX;
	int64_t start, time;
	int rc;

	if (!lane->spins || lane->budget < limit)
		return 0;
	start = now();
	do {
		if (spin_once(lane)) {
			rc = xmap_lane_refresh(ch, lane);
			if (rc)
				return rc;
		}
		time = now() - start;
		/* Later than we would have looked, others had the processor: that is lost, too. */
		if (time <= limit && xmap_lane_avail(lane) >= need) {
			lane->counts.spins++;
			lane->budget = SPIN_BUDGET;
			return 0;
		}
	} while (time <= limit);
	lane->budget -= limit;
	return 0;
}

static void lane_earn(struct xmap_lane *lane, int64_t slept)
{
	lane->budget += slept / SPIN_EARNS;
	if (lane->budget > SPIN_BUDGET)
		lane->budget = SPIN_BUDGET;
}

/* Nothing comes any more by this lane: -EPIPE.  @events: what poll() has seen. */
static int lane_over(struct xmap_channel *ch, struct xmap_lane *lane, int events)
{
	lane->over = true;
	if (events & (POLLHUP | POLLERR | POLLNVAL))
		__atomic_store_n(&ch->state->gone, true, __ATOMIC_RELAXED);
	return -EPIPE;
}

/* Return: 0 for a bell, or -errno; -EPIPE at the end. */
static int lane_doze(struct xmap_channel *ch, struct xmap_lane *lane,
		     struct xmap_deadline *deadline)
{
	char bells[64];
	int events;

	if (deadline->timeout < 0) {
		if (recv(lane->bell, bells, sizeof(bells), 0) > 0)
			return 0;
		/* The end, a signal, or a socket that does not wait: the other way tells. */
	}
	events = xmap_deadline_poll(deadline, lane->bell, POLLIN | POLLRDHUP);
	if (events < 0)
		return events;
	if (events & (POLLHUP | POLLERR | POLLNVAL | POLLRDHUP))
		return lane_over(ch, lane, events);
	recv(lane->bell, bells, sizeof(bells), MSG_DONTWAIT);
	return 0;
}

static int lane_sleep(struct xmap_channel *ch, struct xmap_lane *lane, uint32_t need,
		      struct xmap_deadline *deadline)
{
	int64_t start = lane->spins ? now() : 0;
	uint32_t theirs = lane->theirs;
	int idle = 0;
	int rc, woken = 0;

	lane->counts.sleeps++;
	for (;;) {
		__atomic_store_n(lane->my_need, need, __ATOMIC_SEQ_CST);
		rc = xmap_lane_refresh(ch, lane);
		if (rc || xmap_lane_avail(lane) >= need)
			break;
		/* The peer may have moved on before it died, or as the time was over. */
		if (woken) {
			rc = woken;
			break;
		}
		idle = lane->theirs == theirs ? idle + 1 : 0;
		if (idle > IDLE_BELLS) {
			rc = xmap_channel_fail(ch, -EPROTO);
			break;
		}
		theirs = lane->theirs;
		do {
			woken = lane_doze(ch, lane, deadline);
		} while (woken == -EINTR);
	}
	__atomic_store_n(lane->my_need, 0, __ATOMIC_RELAXED);
	if (lane->spins)
		lane_earn(lane, now() - start);
	return rc;
}

/* Nothing is there and the caller does not wait: seldom look whether the peer lives. */
static int lane_miss(struct xmap_channel *ch, struct xmap_lane *lane, uint32_t need,
		     struct xmap_deadline *deadline)
{
	int events;
	int rc;

	if (!lane->over && !__atomic_load_n(&ch->state->gone, __ATOMIC_RELAXED) &&
	    ++lane->misses % MISSES)
		return -EAGAIN;
	events = xmap_deadline_poll(deadline, lane->bell, POLLRDHUP);
	if (events < 0)
		return events == -EINTR ? -EAGAIN : events;
	rc = xmap_lane_refresh(ch, lane);
	if (rc || xmap_lane_avail(lane) >= need)
		return rc;
	return lane_over(ch, lane, events);
}

/* Wait until we may move on by so many bytes, which as far as we know we may not. */
int xmap_lane_wait(struct xmap_channel *ch, struct xmap_lane *lane, uint32_t need,
		   struct xmap_deadline *deadline)
{
	int rc;

	rc = xmap_lane_refresh(ch, lane);
	if (rc || xmap_lane_avail(lane) >= need)
		return rc;
	if (!deadline->timeout)
		return lane_miss(ch, lane, need, deadline);
	rc = lane_spin(ch, lane, need);
	if (!rc && xmap_lane_avail(lane) < need)
		rc = lane_sleep(ch, lane, need, deadline);
	/* Another thread may have found the channel dead, and that is why it is over. */
	if (rc == -EPIPE)
		rc = __atomic_load_n(&ch->state->error, __ATOMIC_ACQUIRE) ?: rc;
	return rc;
}

/*
 * Have a bell rung when we may move on by so many bytes, or return 1 if we may.
 * Old bells first: the next one is to tell of something new.
 */
int xmap_lane_arm(struct xmap_channel *ch, struct xmap_lane *lane, uint32_t need)
{
	char bells[64];
	ssize_t n;
	int rc;

	do {
		n = recv(lane->bell, bells, sizeof(bells), MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (!n || (n < 0 && errno != EAGAIN))
		lane_over(ch, lane, 0);
	__atomic_store_n(lane->my_need, need, __ATOMIC_SEQ_CST);
	rc = xmap_lane_refresh(ch, lane);
	if (!rc && xmap_lane_avail(lane) < need)
		return lane->over ? -EPIPE : 0;
	__atomic_store_n(lane->my_need, 0, __ATOMIC_RELAXED);
	return rc ?: 1;
}
