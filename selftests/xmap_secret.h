/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was revoked must not be reached any more.  As soon as a revocation has
 * returned, the owner fills the memory anew: who reads any of that has read too
 * late, and what is written over it was written too late.
 */
#ifndef XMAP_SECRET_H
#define XMAP_SECRET_H

#include "xmap_offer.h"
#include "xmap_watch.h"

/* What the owner has after a revocation. */
#define SECRET 9

/* Slots of the shared page. */
enum { GOOD = 0, WRONG = 16, LAST_ERRNO };

static inline void wrong(int error)
{
	peer_ctl->count[LAST_ERRNO] = error;
	count_up(WRONG);
}

#define EXPECT_NOTHING_WRONG()							\
	({									\
		EXPECT_EQ(0, count_of(WRONG)) {					\
			TH_LOG("last of them: %lld",				\
			       (long long)count_of(LAST_ERRNO));		\
		}								\
	})

/* Export, or target of one's own, address: take it all back, and fill it anew. */
static inline long op_revoke_and_fill(const unsigned long *a)
{
	long ret = _test_revoke(a[0], 0, 0);

	peer_fill_here((void *)a[1], LEN, SECRET);
	return ret;
}

/* Address, seed: fill what others see as read-only memory. */
static inline long op_fill_read_only(const unsigned long *a)
{
	if (mprotect((void *)a[0], LEN, RW))
		return -1;
	peer_fill_here((void *)a[0], LEN, a[1]);
	return mprotect((void *)a[0], LEN, PROT_READ);
}

#endif /* XMAP_SECRET_H */
