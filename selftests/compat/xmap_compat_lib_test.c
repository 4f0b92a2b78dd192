// SPDX-License-Identifier: GPL-2.0-only
/*
 * libxmap, compiled for 32 bits: addresses have 64 bits in every function, with
 * the module and without.
 */
#include "compat.h"

#include "xmap.h"

FIXTURE(lib)
{
	struct twin twin;
	struct xmap_dev *dev;
	struct xmap_target *target;
};

FIXTURE_VARIANT(lib)
{
	int backend;
};

FIXTURE_VARIANT_ADD(lib, module)
{
	.backend = XMAP_BACKEND_MODULE,
};

FIXTURE_VARIANT_ADD(lib, syscalls)
{
	.backend = XMAP_BACKEND_SYSCALLS,
};

FIXTURE_SETUP(lib)
{
	XMAP_OPTS(struct xmap_open_opts, open_opts, .backend = variant->backend);
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = XMAP_RIGHTS_RW);

	ASSERT_EQ(0, twin_spawn(&self->twin));
	ASSERT_EQ(0, xmap_open(&open_opts, &self->dev));
	ASSERT_EQ(variant->backend, xmap_backend(self->dev));
	ASSERT_EQ(0, xmap_target_open_pid(self->dev, self->twin.pid, &opts, &self->target));
}

FIXTURE_TEARDOWN(lib)
{
	xmap_target_close(self->target);
	xmap_close(self->dev);
	twin_end(&self->twin);
}

TEST_F(lib, read_write)
{
	char *buf = arena_at(0);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(twin_places); i++) {
		__u64 addr = twin_places[i].addr;

		EXPECT_EQ(TWIN_LENGTH, xmap_read(self->target, addr, buf, TWIN_LENGTH));
		EXPECT_EQ(0, twin_check(buf, TWIN_LENGTH, twin_places[i].seed, 0));
		twin_fill(buf, TWIN_LENGTH, TWIN_SEED_OTHER + i);
		EXPECT_EQ(TWIN_LENGTH, xmap_write(self->target, addr, buf, TWIN_LENGTH));
		EXPECT_EQ(0, twin_call(&self->twin, TWIN_CHECK, addr, TWIN_LENGTH,
				       TWIN_SEED_OTHER + i));
		EXPECT_EQ(100, xmap_read(self->target, addr + TWIN_LENGTH - 100, buf, 4096));
		EXPECT_EQ(-EFAULT, xmap_read(self->target, addr + TWIN_LENGTH, buf, 8));
	}
	EXPECT_EQ(-EFAULT, xmap_read(self->target, 1ULL << 60, buf, 8));
	EXPECT_EQ(-EFAULT, xmap_read(self->target, 1ULL << 63, buf, 8));
	EXPECT_EQ(-EOVERFLOW, xmap_read(self->target, -4ULL, buf, 8));
	EXPECT_EQ(-EINVAL, xmap_read(self->target, TWIN_HIGH, buf, 1U << 31));
}

/* What the target may not do itself is not done, far above 4 GiB. */
TEST_F(lib, protection)
{
	__u64 word = 1;

	ASSERT_EQ(0, twin_call(&self->twin, TWIN_PROTECT, TWIN_HIGH, TWIN_PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, xmap_write(self->target, TWIN_HIGH, &word, 8));
	EXPECT_EQ(8, xmap_read(self->target, TWIN_HIGH, &word, 8));
	EXPECT_EQ(twin_word(TWIN_SEED_HIGH, 0), word);
	ASSERT_EQ(0, twin_call(&self->twin, TWIN_PROTECT, TWIN_HIGH, TWIN_PAGE, PROT_NONE));
	EXPECT_EQ(-EFAULT, xmap_read(self->target, TWIN_HIGH, &word, 8));
	EXPECT_EQ(8, xmap_read(self->target, TWIN_HIGH + TWIN_PAGE, &word, 8));
	EXPECT_EQ(twin_word(TWIN_SEED_HIGH, TWIN_PAGE), word);
}

TEST_F(lib, vectors)
{
	struct iovec iov[] = { { arena_at(0), 8 }, { arena_at(8192), 8000 } };

	EXPECT_EQ(8008, xmap_readv(self->target, TWIN_FAR, iov, 2));
	EXPECT_EQ(0, twin_check(arena_at(0), 8, TWIN_SEED_FAR, 0));
	EXPECT_EQ(0, twin_check(arena_at(8192), 8000, TWIN_SEED_FAR, 8));
	EXPECT_EQ(8008, xmap_writev(self->target, TWIN_HIGH, iov, 2));
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_CHECK, TWIN_HIGH, 8008, TWIN_SEED_FAR));
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_CHECK, TWIN_ALIAS, 8008, TWIN_SEED_ALIAS));
}

TEST_F(lib, transfer)
{
	struct xmap_copy copies[8] = {};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(copies); i++) {
		copies[i].target = self->target;
		copies[i].addr = twin_places[i % 4].addr + i / 4 * TWIN_LENGTH;
		copies[i].buf = arena_at(i * TWIN_PAGE);
		copies[i].length = TWIN_PAGE;
	}
	EXPECT_EQ(8, xmap_transfer(self->dev, copies, 8));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(TWIN_PAGE, copies[i].result);
		EXPECT_EQ(0, twin_check(copies[i].buf, TWIN_PAGE, twin_places[i].seed, 0));
		EXPECT_EQ(-EFAULT, copies[4 + i].result);
	}
}

TEST_F(lib, range)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .addr = TWIN_HIGH, .length = TWIN_LENGTH);
	struct xmap_cmd_target_info info;
	struct xmap_target *part;
	__u64 word;

	ASSERT_EQ(0, xmap_target_derive(self->target, &opts, &part));
	EXPECT_EQ(0, xmap_target_info(part, &info));
	EXPECT_EQ(TWIN_HIGH, info.out_addr);
	EXPECT_EQ(TWIN_LENGTH, info.out_length);
	EXPECT_EQ(8, xmap_read(part, TWIN_HIGH + 8, &word, 8));
	EXPECT_EQ(twin_word(TWIN_SEED_HIGH, 8), word);
	EXPECT_EQ(-EACCES, xmap_read(part, TWIN_ALIAS, &word, 8));
	EXPECT_EQ(-EACCES, xmap_read(part, TWIN_HIGH + (1ULL << 32), &word, 8));
	EXPECT_EQ(-EACCES, xmap_write(part, TWIN_HIGH, &word, 8));
	xmap_target_close(part);
	EXPECT_EQ(0, xmap_target_info(self->target, &info));
	EXPECT_LT(1ULL << 46, info.out_length);
}

TEST_F(lib, maps)
{
	const struct xmap_vma *vma;
	struct xmap_maps *maps;
	size_t i, found = 0;
	int rc;

	ASSERT_EQ(0, xmap_maps_open(self->target, &maps));
	while ((rc = xmap_maps_next(maps, &vma)) == 1) {
		for (i = 0; i < ARRAY_SIZE(twin_places); i++)
			found += vma->start == twin_places[i].addr &&
				 vma->end == twin_places[i].addr + TWIN_LENGTH;
	}
	EXPECT_EQ(0, rc);
	EXPECT_EQ(ARRAY_SIZE(twin_places), found);
	xmap_maps_close(maps);
}

TEST_F(lib, window)
{
	XMAP_OPTS(struct xmap_map_opts, opts, .prot = PROT_READ | PROT_WRITE);
	struct xmap_window *win;
	__u64 word = 4711;
	__u64 *there;

	if (variant->backend != XMAP_BACKEND_MODULE) {
		EXPECT_EQ(-EOPNOTSUPP, xmap_map(self->target, TWIN_HIGH, TWIN_LENGTH, &opts, &win));
		return;
	}
	ASSERT_EQ(0, xmap_map(self->target, TWIN_HIGH, TWIN_LENGTH, &opts, &win));
	EXPECT_EQ(TWIN_HIGH, win->remote);
	EXPECT_EQ(TWIN_LENGTH, xmap_window_prefault(win, 0, TWIN_LENGTH, 0));
	EXPECT_EQ(0, twin_check(win->addr, TWIN_LENGTH, TWIN_SEED_HIGH, 0));
	there = win->addr;
	there[1] = word;
	EXPECT_EQ((__s64)word, twin_call(&self->twin, TWIN_LOAD, TWIN_HIGH + 8));
	EXPECT_EQ(8, xmap_window_copy_to(win, 16, &word, 8));
	EXPECT_EQ((__s64)word, twin_call(&self->twin, TWIN_LOAD, TWIN_HIGH + 16));
	EXPECT_EQ(8, xmap_window_copy_from(win, 24, &word, 8));
	EXPECT_EQ(twin_word(TWIN_SEED_HIGH, 24), word);
	xmap_unmap(win);

	/* The last page that mmap2() has a number for; those after it have none. */
	ASSERT_EQ(0, xmap_map(self->target, TWIN_EDGE - TWIN_PAGE, TWIN_PAGE, NULL, &win));
	EXPECT_EQ(0, twin_check(win->addr, TWIN_PAGE, TWIN_SEED_AROUND_EDGE,
				TWIN_LENGTH / 2 - TWIN_PAGE));
	xmap_unmap(win);
	EXPECT_EQ(-EOVERFLOW, xmap_map(self->target, TWIN_EDGE, TWIN_PAGE, NULL, &win));
	EXPECT_EQ(-EOVERFLOW, xmap_map(self->target, TWIN_FAR, TWIN_PAGE, NULL, &win));
}

TEST_F(lib, list)
{
	struct xmap_list_entry entries[4];
	struct xmap_cmd_query query;
	uint64_t cursor = 0;

	if (variant->backend != XMAP_BACKEND_MODULE) {
		EXPECT_EQ(-EOPNOTSUPP, xmap_list(self->dev, &cursor, entries, 4));
		return;
	}
	EXPECT_EQ(1, xmap_list(self->dev, &cursor, entries, 4));
	EXPECT_EQ(0, cursor);
	EXPECT_EQ(self->twin.pid, entries[0].target_pid);
	EXPECT_LT(1ULL << 46, entries[0].length);
	EXPECT_EQ(0, xmap_query(self->dev, &query));
	EXPECT_EQ(XMAP_ABI_VERSION, query.out_abi);
}

/* A target as narrow as we are; the 64-bit twin has no part in this. */
TEST_F(lib, narrow_target)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = XMAP_RIGHTS_RW);
	char *buf = arena_at(0);
	struct xmap_target *target;
	struct peer peer;
	unsigned long mem;

	ASSERT_EQ(0, peer_spawn(&peer));
	mem = peer_map(&peer, PEER_ANON, PROT_READ | PROT_WRITE, TWIN_LENGTH, 7);
	ASSERT_NE(PEER_MAP_FAILED, mem);
	ASSERT_EQ(0, xmap_target_open_pid(self->dev, peer.pid, &opts, &target));
	EXPECT_EQ(TWIN_LENGTH, xmap_read(target, mem, buf, TWIN_LENGTH));
	EXPECT_EQ(0, peer_check_here(buf, TWIN_LENGTH, 7));
	peer_fill_here(buf, TWIN_LENGTH, 9);
	EXPECT_EQ(TWIN_LENGTH, xmap_write(target, mem, buf, TWIN_LENGTH));
	EXPECT_EQ(0, peer_check(&peer, mem, TWIN_LENGTH, 9));
	EXPECT_EQ(-EFAULT, xmap_read(target, mem | 1ULL << 32, buf, 8));
	EXPECT_EQ(-EFAULT, xmap_read(target, TWIN_HIGH, buf, 8));
	xmap_target_close(target);
	peer_end(&peer);
}

/* It ends, and the library says so, not the program that has its number next. */
TEST_F(lib, end)
{
	__u64 word;
	int status;

	ASSERT_EQ(0, kill(self->twin.pid, SIGKILL));
	ASSERT_EQ(self->twin.pid, waitpid(self->twin.pid, &status, 0));
	self->twin.pid = 0;
	EXPECT_EQ(-ESRCH, xmap_read(self->target, TWIN_HIGH, &word, 8));
}

TEST_HARNESS_MAIN
