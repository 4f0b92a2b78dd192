/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An owner of memory and somebody who gets at it by consent only: two users
 * without privilege that have nothing in common.  The test itself is root.
 */
#ifndef XMAP_OFFER_H
#define XMAP_OFFER_H

#include "xmap_export_utils.h"

#define RW (PROT_READ | PROT_WRITE)
#define SEED 3
#define PAGES 8
#define LEN (PAGES * PAGE)
#define MAX_TARGETS XMAP_PARAMS "max_targets"

FIXTURE(offer)
{
	int dev;
	int sv[2];
	struct peer owner;
	struct peer user;
	unsigned long mem;
	long old_scope;
	long max_exports;
	long max_targets;
	/* What the owner is asked to create, in memory that it shares. */
	struct xmap_cmd_export_create *ask;
	struct xmap_list_entry *seen;
};

#define OFFER FIXTURE_DATA(offer)

FIXTURE_SETUP(offer)
{
	touch_init();
	ASSERT_EQ(0, getuid());
	self->old_scope = xmap_read_long(YAMA_SCOPE);
	self->max_exports = xmap_read_long(MAX_EXPORTS);
	self->max_targets = xmap_read_long(MAX_TARGETS);
	ASSERT_LT(0, self->max_exports);
	ASSERT_LT(0, self->max_targets);
	test_dev_open(&self->dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, self->sv));
	self->ask = xmap_shared(PAGE);
	self->seen = (void *)(self->ask + 1);
	ASSERT_EQ(0, peer_spawn_as(&self->owner, UID_A, UID_A, 0));
	ASSERT_EQ(0, peer_spawn_as(&self->user, UID_B, UID_B, 0));
	self->mem = peer_map(&self->owner, PEER_ANON, RW, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->mem);
}

FIXTURE_TEARDOWN(offer)
{
	xmap_write_long(YAMA_SCOPE, self->old_scope);
	xmap_write_long(MAX_EXPORTS, self->max_exports);
	xmap_write_long(MAX_TARGETS, self->max_targets);
	peer_end(&self->user);
	peer_end(&self->owner);
	close(self->dev);
}

/* The owner offers this; a descriptor of the test, -1 with errno. */
static inline int offer_range(OFFER *self, __u32 rights, __u64 addr, __u64 length)
{
	long theirs = peer_call(&self->owner, op_export, self->dev, rights, addr, length);
	int fd = peer_take_fd(&self->owner, theirs);

	if (theirs >= 0)
		peer_close(&self->owner, theirs);
	return fd;
}

/* The same for what stands in ask; the owner keeps no descriptor. */
static inline int offer_ask(OFFER *self)
{
	long theirs = peer_call(&self->owner, op_export_cmd, self->dev, self->ask);
	int fd = peer_take_fd(&self->owner, theirs);

	if (theirs >= 0)
		peer_close(&self->owner, theirs);
	return fd;
}

#define give(fd) peer_give_fd(&self->user, self->sv, fd)

/* All of the offer, accepted by the test; -1 with errno. */
static inline int accept_all(int fd, __u32 rights)
{
	int target;

	return _test_export_accept(fd, rights, 0, 0, &target) ? -1 : target;
}

#endif /* XMAP_OFFER_H */
