// SPDX-License-Identifier: GPL-2.0-only
/* Regions: sealing, resizing, new pages, taking back. */
#include "xmap_region_utils.h"

#define S_SEAL XMAP_REGION_SEAL_SEAL
#define S_SHRINK XMAP_REGION_SEAL_SHRINK
#define S_GROW XMAP_REGION_SEAL_GROW
#define S_WRITE XMAP_REGION_SEAL_WRITE
#define S_FUTURE XMAP_REGION_SEAL_FUTURE_WRITE

FIXTURE_SETUP(region)
{
	ASSERT_EQ(0, region_begin(self, 0));
}

FIXTURE_TEARDOWN(region)
{
	region_end(self);
}

/* ---- Seals: each as with memfd ---- */

TEST_F(region, seal_shrink_and_grow)
{
	struct xmap_cmd_region_info info;
	void *map;

	test_region_map(self->fd, 0, LEN, RW, &map);
	test_region_seal(S_SHRINK, self->fd, S_SHRINK);
	test_err_region_resize(EPERM, self->fd, LEN - PAGE);
	test_region_resize(self->fd, LEN + PAGE);
	test_region_seal(S_SHRINK | S_GROW, self->fd, S_GROW | S_SHRINK);
	test_err_region_resize(EPERM, self->fd, LEN + 2 * PAGE);
	test_err_region_resize(EPERM, self->fd, LEN);
	test_region_resize(self->fd, LEN + PAGE);
	EXPECT_STORE(1, map);
	test_region_info(self->fd, &info);
	EXPECT_EQ(S_SHRINK | S_GROW, info.out_seals);
	EXPECT_EQ(LEN + PAGE, info.out_region_length);
}

TEST_F(region, seal_write)
{
	void *map, *ro;
	__u64 word;
	int fd;

	test_region_map(self->fd, 0, LEN, RW, &map);
	EXPECT_STORE(5, map);
	test_err_region_seal(EBUSY, self->fd, S_WRITE);
	/* One that could be made writable counts. */
	ASSERT_EQ(0, mprotect(map, LEN, PROT_READ));
	test_err_region_seal(EBUSY, self->fd, S_WRITE | S_SHRINK);
	ASSERT_EQ(0, munmap(map, LEN - PAGE));
	test_err_region_seal(EBUSY, self->fd, S_WRITE);
	ASSERT_EQ(0, munmap((char *)map + LEN - PAGE, PAGE));
	/* And if it never was so far. */
	test_region_map(self->fd, 0, PAGE, PROT_READ, &map);
	EXPECT_LOAD(5, map);
	test_err_region_seal(EBUSY, self->fd, S_WRITE);
	ASSERT_EQ(0, munmap(map, PAGE));
	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_region_map(fd, 0, PAGE, PROT_READ, &map);
	close(fd);
	test_err_region_seal(EBUSY, self->fd, S_WRITE);
	ASSERT_EQ(0, munmap(map, PAGE));
	/* One that cannot does not. */
	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &fd);
	test_region_map(fd, 0, LEN, PROT_READ, &ro);
	test_region_seal(S_WRITE, self->fd, S_WRITE);
	EXPECT_LOAD(5, ro);
	test_err_region_map(EPERM, self->fd, 0, PAGE, RW);
	EXPECT_ERRNO(EPERM, pwrite(self->fd, "x", 1, 0));
	test_err_region_rebind(EPERM, self->fd);
	test_region_map(self->fd, 0, LEN, PROT_READ, &map);
	EXPECT_LOAD(5, map);
	EXPECT_ERRNO(EACCES, mprotect(map, PAGE, RW));
	EXPECT_EQ(8, pread(self->fd, &word, 8, 0));
	EXPECT_EQ(5, word);
	/* The size is another matter. */
	test_region_resize(self->fd, LEN + PAGE);
}

TEST_F(region, seal_future_write)
{
	void *map, *more;
	long fd;

	test_region_map(self->fd, 0, LEN, RW, &map);
	test_region_seal(S_FUTURE, self->fd, S_FUTURE);
	EXPECT_STORE(5, map);
	ASSERT_EQ(0, mprotect(map, PAGE, PROT_READ));
	ASSERT_EQ(0, mprotect(map, PAGE, RW));
	EXPECT_STORE(6, map);
	EXPECT_ERRNO(EPERM, pwrite(self->fd, "x", 1, 0));
	test_err_region_map(EPERM, self->fd, 0, PAGE, RW);
	test_err_region_rebind(EPERM, self->fd);
	test_region_map(self->fd, 0, LEN, PROT_READ, &more);
	EXPECT_ERRNO(EACCES, mprotect(more, PAGE, RW));
	EXPECT_LOAD(6, more);
	fd = give(self->fd);
	EXPECT_ERRNO(EPERM, peer_call(&self->peer, op_region_map, fd, 0, LEN, RW));
	/* The one that may not become writable does not stand in the way. */
	test_err_region_seal(EBUSY, self->fd, S_WRITE);
	ASSERT_EQ(0, munmap(map, LEN));
	test_region_seal(S_FUTURE | S_WRITE, self->fd, S_WRITE);
	EXPECT_LOAD(6, more);
}

TEST_F(region, seal_seal)
{
	__u32 seals;
	int fd;

	test_region_seal(S_SEAL | S_GROW, self->fd, S_SEAL | S_GROW);
	test_err_region_seal(EPERM, self->fd, S_SHRINK);
	test_err_region_seal(EPERM, self->fd, S_GROW);
	test_region_resize(self->fd, PAGE);
	test_err_region_seal(EINVAL, self->fd, 0);
	test_err_region_seal(EOPNOTSUPP, self->fd, 1 << 5);
	/* By a handle that may not. */
	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_err_region_seal(EACCES, fd, S_SHRINK);
	close(fd);
	test_region_derive(self->fd, RIGHTS_RWM, 0, PAGE, &fd);
	test_err_region_seal(EACCES, fd, S_SHRINK);
	test_err_region_resize(EACCES, fd, 2 * PAGE);
	test_err_region_rebind(EACCES, fd);
	test_err_region_unlink(EACCES, fd);
	close(fd);
	test_region_derive(self->fd, RIGHTS_RWM, 0, 0, &fd);
	EXPECT_ERRNO(EPERM, _test_region_seal(fd, S_SHRINK, &seals));
}

/* Who maps and who seals meet in some order: never both. */
static long op_map_and_drop(const unsigned long *a)
{
	void *addr;
	long n = 0;

	while (!peer_stopped()) {
		addr = mmap(NULL, PAGE, RW, MAP_SHARED, a[0], 0);
		if (addr == MAP_FAILED)
			return errno == EPERM ? n : -1;
		__atomic_store_n((__u64 *)addr, n++, __ATOMIC_RELAXED);
		munmap(addr, PAGE);
	}
	return n;
}

TEST_F(region, seal_write_race)
{
	__u64 before, after;
	__u32 seals;
	int i, fd;

	for (i = 0; i < 50; i++) {
		test_region_create(self->dev, 0, PAGE, &fd);
		ASSERT_EQ(0, peer_start(&self->peer, op_map_and_drop, give(fd)));
		while (_test_region_seal(fd, S_WRITE, &seals))
			ASSERT_EQ(EBUSY, errno);
		ASSERT_EQ(8, pread(fd, &before, 8, 0));
		EXPECT_NE(-1, peer_finish(&self->peer));
		ASSERT_EQ(8, pread(fd, &after, 8, 0));
		EXPECT_EQ(before, after);
		close(fd);
	}
}

/* ---- Length ---- */

TEST_F(region, resize)
{
	struct xmap_cmd_region_info info;
	int fd, part;
	void *map, *longer;
	char byte;

	test_region_map(self->fd, 0, LEN, RW, &map);
	peer_fill_here(map, LEN, 1);
	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_region_derive(self->fd, XMAP_RIGHTS_RW, LEN - PAGE, PAGE, &part);
	test_region_resize(self->fd, 2 * PAGE);
	EXPECT_EQ(POLLIN, region_poll(fd));
	EXPECT_EQ(0, region_poll(self->fd));
	EXPECT_EQ(0, peer_check_here(map, 2 * PAGE, 1));
	EXPECT_SIGNAL(SIGBUS, (char *)map + 2 * PAGE);
	EXPECT_EQ(0, pread(self->fd, &byte, 1, 2 * PAGE));
	test_err_region_map(EACCES, fd, 0, LEN, RW);
	test_region_info(fd, &info);
	EXPECT_EQ(2 * PAGE, info.out_length);
	test_region_info(part, &info);
	EXPECT_EQ(0, info.out_length);
	EXPECT_EQ(LEN - PAGE, info.out_offset);
	EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
	EXPECT_EQ(0, region_poll(part));
	EXPECT_EQ(0, pread(part, &byte, 1, LEN - PAGE));
	EXPECT_ERRNO(ENOSPC, pwrite(part, &byte, 1, LEN - PAGE));

	test_region_resize(self->fd, 2 * LEN);
	EXPECT_EQ(0, peer_check_here(map, 2 * PAGE, 1));
	EXPECT_LOAD(0, (char *)map + 2 * PAGE);
	EXPECT_LOAD(0, (char *)map + LEN - 8);
	test_region_info(part, &info);
	EXPECT_EQ(PAGE, info.out_length);
	EXPECT_EQ(1, pread(part, &byte, 1, LEN - PAGE));
	/* Whoever has it all has what is new as well. */
	test_region_map(fd, 0, 2 * LEN, RW, &longer);
	EXPECT_STORE(4, (char *)longer + 2 * LEN - 8);
	test_err_region_map(EACCES, part, LEN, PAGE, RW);

	test_err_region_resize(EINVAL, self->fd, 0);
	test_err_region_resize(EINVAL, self->fd, PAGE + 1);
	test_err_region_resize(EINVAL, self->fd, 1ULL << 63);
	test_err_region_resize(EACCES, fd, PAGE);
}

/* ---- New pages ---- */

TEST_F(region, rebind)
{
	struct xmap_cmd_region_info info;
	long theirs;
	void *map;
	int fd;

	test_region_map(self->fd, 0, LEN, RW, &map);
	theirs = peer_call(&self->peer, op_region_map, give(self->fd), 0, LEN, RW);
	ASSERT_NE(-1, theirs);
	peer_fill_here(map, LEN, 1);
	EXPECT_EQ(0, peer_check(&self->peer, theirs, LEN, 1));
	test_region_rebind(1, self->fd);
	EXPECT_EQ(0, peer_load(&self->peer, theirs));
	EXPECT_LOAD(0, (char *)map + LEN - 8);
	ASSERT_EQ(0, peer_store(&self->peer, theirs, 6));
	EXPECT_LOAD(6, map);
	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_region_rebind(2, self->fd);
	EXPECT_EQ(POLLIN, region_poll(fd));
	test_region_info(fd, &info);
	EXPECT_EQ(2, info.out_generation);
	EXPECT_LOAD(0, map);
	test_err_region_rebind(EACCES, fd);
	close(fd);
	test_region_derive(self->fd, XMAP_RIGHT_READ | XMAP_RIGHT_MANAGE, 0, 0, &fd);
	test_err_region_rebind(EACCES, fd);
}

/* ---- Taking back ---- */

TEST_F(region, revoke_derived)
{
	struct xmap_cmd_region_info info;
	long fd, theirs, theirs2, below;
	void *map;
	int ours;

	ASSERT_EQ(0, peer_become(&self->peer, UID_B));
	test_region_map(self->fd, 0, LEN, RW, &map);
	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &ours);
	fd = give(ours);
	ASSERT_LE(0, fd);
	theirs = peer_call(&self->peer, op_region_map, fd, 0, LEN, RW);
	ASSERT_NE(-1, theirs);
	below = peer_call(&self->peer, op_region_derive, fd, XMAP_RIGHT_READ, PAGE, 2 * PAGE);
	ASSERT_LE(0, below);
	theirs2 = peer_call(&self->peer, op_region_map, below, PAGE, PAGE, PROT_READ);
	ASSERT_NE(-1, theirs2);
	ASSERT_EQ(0, peer_fill(&self->peer, theirs, LEN, 1));
	EXPECT_EQ(peer_word(1, PAGE), peer_load(&self->peer, theirs2));
	/* He who was given it may not take it from others. */
	EXPECT_ERRNO(EPERM, peer_call(&self->peer, op_revoke, give(self->fd), 0, 0));

	test_revoke(ours, 0, 0);
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, theirs));
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, theirs + LEN - 8));
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, theirs2));
	EXPECT_EQ(SIGBUS, peer_call(&self->peer, op_touch_store, theirs, 1));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_region_map, fd, 0, PAGE, RW));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_region_derive, fd, 1, 0, 0));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_region_derive, below, 1, 0, 0));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_read, fd, 0));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_write, fd, 0, 1));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_read, below, PAGE));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_NOTIFY));
	EXPECT_EQ(POLLHUP, region_poll(ours) & POLLHUP);
	EXPECT_EQ(0, region_poll(self->fd) & POLLHUP);
	test_region_info(ours, &info);
	EXPECT_EQ(XMAP_TARGET_REVOKED, info.out_state);
	EXPECT_STREQ("revoked", xmap_fdinfo(ours, "xmap-state"));

	/* The region itself has lost nothing. */
	EXPECT_EQ(0, peer_check_here(map, LEN, 1));
	EXPECT_STORE(2, map);
	test_region_info(self->fd, &info);
	EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
	EXPECT_EQ(1, info.out_mappings);
}

TEST_F(region, revoke_part)
{
	struct xmap_cmd_region_info info;
	static char buf[LEN];
	char *map, *mine;
	int fd, i, more;

	test_region_map(self->fd, 0, LEN, RW, &mine);
	peer_fill_here(mine, LEN, 1);
	test_region_derive(self->fd, RIGHTS_RWM, 0, 0, &fd);
	test_region_map(fd, 0, LEN, RW, &map);
	EXPECT_EQ(0, peer_check_here(map, LEN, 1));
	/* Page 2, and a few bytes of page 5. */
	test_revoke(fd, 2 * PAGE, PAGE);
	test_revoke(fd, 5 * PAGE + 100, 10);
	for (i = 0; i < PAGES; i++)
		EXPECT_SIGNAL(i == 2 || i == 5 ? SIGBUS : 0, map + i * PAGE);
	EXPECT_EQ(0, peer_check_here(mine, LEN, 1));
	EXPECT_EQ((ssize_t)(2 * PAGE), pread(fd, buf, LEN, 0));
	EXPECT_ERRNO(ESTALE, pread(fd, buf, 1, 2 * PAGE));
	EXPECT_EQ(100, pread(fd, buf, 100, 5 * PAGE));
	EXPECT_ERRNO(ESTALE, pread(fd, buf, 1, 5 * PAGE + 100));
	EXPECT_ERRNO(ESTALE, pwrite(fd, buf, 1, 5 * PAGE + 109));
	EXPECT_EQ(1, pwrite(fd, buf, 1, 5 * PAGE + 110));
	test_err_region_map(ESTALE, fd, 0, LEN, RW);
	test_region_info(fd, &info);
	EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
	/* What concerns all of it is no longer for this one. */
	test_err_region_resize(ESTALE, fd, LEN);
	test_err_region_seal(ESTALE, fd, S_GROW);
	test_region_derive(fd, XMAP_RIGHT_READ, 2 * PAGE - 1, PAGE, &more);
	EXPECT_EQ(1, pread(more, buf, 8, 2 * PAGE - 1));
	test_err_region_derive(ESTALE, fd, XMAP_RIGHT_READ, 2 * PAGE, 10);
	/* Until nothing is left. */
	test_revoke(fd, 0, 0);
	EXPECT_EQ(POLLHUP, region_poll(fd) & POLLHUP);
	EXPECT_SIGNAL(SIGBUS, map);
	EXPECT_EQ(0, peer_check_here(mine, PAGE, 1));
}

/* From the first handle: nobody has it any more. */
TEST_F(region, revoke_root)
{
	void *map;
	int fd;

	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_region_map(fd, 0, LEN, RW, &map);
	EXPECT_STORE(1, map);
	test_revoke(self->fd, 0, 0);
	EXPECT_SIGNAL(SIGBUS, map);
	EXPECT_EQ(POLLHUP, region_poll(fd) & POLLHUP);
	EXPECT_EQ(POLLHUP, region_poll(self->fd) & POLLHUP);
	test_err_region_resize(ESTALE, self->fd, PAGE);
	test_err_region_derive(ESTALE, self->fd, XMAP_RIGHT_READ, 0, 0);
	EXPECT_ERRNO(ESTALE, pwrite(self->fd, "x", 1, 0));
}

/* By number, without a descriptor; and when the handle is closed but mapped. */
TEST_F(region, revoke_serial)
{
	struct xmap_list_entry e;
	void *map;
	int fd;

	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_region_map(fd, 0, LEN, RW, &map);
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_REGION, getpid(), &e));
	close(fd);
	EXPECT_STORE(1, map);
	EXPECT_ERRNO(EINVAL, _test_revoke_serial(self->fd, e.serial, 0, 0));
	ASSERT_EQ(0, _test_revoke_serial(self->dev, e.serial, 0, 0));
	EXPECT_SIGNAL(SIGBUS, map);
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_REGION, getpid(), &e));
	EXPECT_EQ(XMAP_TARGET_REVOKED, e.state);
	ASSERT_EQ(0, munmap(map, LEN));
	EXPECT_ERRNO(ENOENT, _test_revoke_serial(self->dev, e.serial, 0, 0));
}

/* A child's mapping is as much gone as its parent's. */
TEST_F(region, revoke_after_fork)
{
	void *map;
	int fd;

	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_region_map(fd, 0, LEN, RW, &map);
	EXPECT_STORE(1, map);
	peer_end(&self->peer);
	ASSERT_EQ(0, peer_spawn(&self->peer));
	EXPECT_EQ(1, peer_load(&self->peer, map));
	test_revoke(fd, 0, 0);
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, map));
}

TEST_HARNESS_MAIN
