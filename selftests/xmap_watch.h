/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Watching processes that must neither hang nor run on the spot: threads count
 * what they do on the shared page, the test sees to it that every counter goes
 * on rising, and that whoever is killed is gone soon.
 */
#ifndef XMAP_WATCH_H
#define XMAP_WATCH_H

#include "xmap_reader.h"

/* Seconds without progress that make a hang; seconds that death may take. */
#define WATCH_PATIENCE 30
#define WATCH_DEATH 30

/*
 * Watch n counters for so many seconds: -1, or the one that stood still.  It is
 * the guest's clock that counts, so a busy host is no hang by itself.
 */
static inline int watch_progress(unsigned int n, unsigned int seconds)
{
	__u64 seen[ARRAY_SIZE(peer_ctl->count)], moved[ARRAY_SIZE(peer_ctl->count)];
	struct timespec tick = { .tv_nsec = 250000000 };
	__u64 start = test_now_ms(), now = start;
	bool all_moved = false;
	unsigned int i;

	for (i = 0; i < n; i++) {
		seen[i] = count_of(i);
		moved[i] = start;
	}
	/* However slow the machine: until each of them has moved. */
	while (now < start + seconds * 1000 || !all_moved) {
		nanosleep(&tick, NULL);
		now = test_now_ms();
		all_moved = true;
		for (i = 0; i < n; i++) {
			if (count_of(i) != seen[i]) {
				seen[i] = count_of(i);
				moved[i] = now;
			} else if (now > moved[i] + WATCH_PATIENCE * 1000) {
				return i;
			}
			all_moved &= count_of(i) > 0;
		}
	}
	return -1;
}

/* SIGKILL in full flight; false if it is not dead in time. */
static inline bool watch_kill(struct peer *p)
{
	struct pollfd pfd = { .fd = p->pidfd, .events = POLLIN };

	if (kill(p->pid, SIGKILL) || poll(&pfd, 1, WATCH_DEATH * 1000) != 1)
		return false;
	if (waitpid(p->pid, NULL, 0) != p->pid)
		return false;
	p->pid = 0;
	return true;
}

/* ---- loops for threads of peers -------------------------------------------- */

/* Touch pages at random: start, pages, counter; SIGBUS is fine. */
static inline long watch_op_touch(const unsigned long *a)
{
	__u64 rnd = a[2];

	while (!peer_stopped()) {
		touch((void *)(a[0] + test_random(&rnd) % a[1] * PAGE));
		count_up(a[2]);
	}
	return 0;
}

/* The same with stores. */
static inline long watch_op_store(const unsigned long *a)
{
	__u64 rnd = a[2];

	while (!peer_stopped()) {
		touch_store((void *)(a[0] + test_random(&rnd) % a[1] * PAGE), rnd);
		count_up(a[2]);
	}
	return 0;
}

/* Ask for the mmap_lock as a writer, again and again: counter. */
static inline long watch_op_mmap(const unsigned long *a)
{
	char *mem;

	while (!peer_stopped()) {
		mem = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mem == MAP_FAILED)
			return -1;
		mem[0] = 1;
		munmap(mem, 4 * PAGE);
		count_up(a[0]);
	}
	return 0;
}

/* Throw the pages away, so that every touch is a fault: start, length, counter. */
static inline long watch_op_dontneed(const unsigned long *a)
{
	while (!peer_stopped()) {
		if (madvise((void *)a[0], a[1], MADV_DONTNEED))
			return -1;
		count_up(a[2]);
	}
	return 0;
}

#endif /* XMAP_WATCH_H */
