// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of a region that somebody holds by reference, in a pipe or a registered buffer,
 * when a handle is revoked: which of them are replaced, and at whose wish; that everybody
 * is told; and that nobody else loses what he has under way.
 */
#include <liburing.h>

#include "xmap_region_utils.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"
#define HUGE (2UL << 20)
#define UNITS 2
#define NAME "xmap-test.pages"

/* A region of two units, each a page or a huge page; all of it mapped, and filled. */
FIXTURE(pages)
{
	int dev;
	int fd;
	int sv[2];
	struct peer peer;
	char *map;
	int pipefd[2];
	/* What a peer does is told here. */
	struct xmap_list_entry *entry;
	char *name;
};

FIXTURE_VARIANT(pages)
{
	__u32 flags;
	size_t unit;
};

FIXTURE_VARIANT_ADD(pages, small)
{
	.unit = PAGE,
};

FIXTURE_VARIANT_ADD(pages, huge)
{
	.flags = XMAP_REGION_HUGE,
	.unit = HUGE,
};

#define HELD FIXTURE_DATA(pages)
#define SIZE (UNITS * variant->unit)

static bool no_huge(void)
{
	return access(THP "shmem_enabled", F_OK);
}

FIXTURE_SETUP(pages)
{
	struct xmap_cmd_region_create cmd = {
		.flags = variant->flags | XMAP_REGION_PUBLISH,
		.mode = 0666,
		.gid = -1,
		.length = SIZE,
		.name = NAME,
	};

	if (variant->flags && no_huge())
		SKIP(return, "no transparent huge pages here");
	touch_init();
	test_dev_open(&self->dev);
	self->entry = xmap_shared(PAGE);
	self->name = xmap_shared(PAGE);
	strcpy(self->name, NAME);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->sv));
	ASSERT_EQ(0, peer_spawn(&self->peer));
	if (variant->flags) {
		/* There are some to be had. */
		ASSERT_EQ(0, xmap_write_file(THP "defrag", "always"));
		ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/drop_caches", "3"));
		ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/compact_memory", "1"));
	}
	test_region_create_cmd(self->dev, &cmd);
	self->fd = cmd.out_fd;
	test_region_map(self->fd, 0, SIZE, RW, &self->map);
	peer_fill_here(self->map, SIZE, 1);
	ASSERT_EQ(0, pipe(self->pipefd));
}

FIXTURE_TEARDOWN(pages)
{
	peer_end(&self->peer);
	close(self->pipefd[0]);
	close(self->pipefd[1]);
	munmap(self->map, SIZE);
	close(self->fd);
	close(self->sv[0]);
	close(self->sv[1]);
	close(self->dev);
	if (variant->flags && !no_huge())
		xmap_write_file(THP "defrag", "madvise");
}

/* ---- Holding ---- */

/* The page at @addr goes into a pipe as it is. */
static int hold(const int *pipefd, void *addr)
{
	struct iovec iov = { .iov_base = addr, .iov_len = PAGE };

	return vmsplice(pipefd[1], &iov, 1, 0) == (ssize_t)PAGE ? 0 : -1;
}

/* Is the page that is next in the pipe the one that is mapped at @addr?  Or -1. */
static int same(const int *pipefd, char *addr)
{
	static __u64 page[PAGE / 8];
	static __u64 mark = 1ULL << 62;

	__atomic_store_n((__u64 *)addr, ++mark, __ATOMIC_RELAXED);
	if (read(pipefd[0], page, PAGE) != (ssize_t)PAGE)
		return -1;
	return page[0] == mark;
}

static __u64 replaced(int fd)
{
	struct xmap_cmd_region_info info;

	return _test_region_info(fd, &info) ? ~0ULL : info.out_replaced;
}

/* Handle, offset, length: map it, and touch all of it by page. */
static long op_map_and_touch(const unsigned long *a)
{
	char *map = mmap(NULL, a[2], PROT_READ, MAP_SHARED, a[0], a[1]);
	size_t i;

	if (map == MAP_FAILED)
		return -1;
	touch_init();
	for (i = 0; i < a[2]; i += PAGE)
		if (touch(map + i))
			return -1;
	return (long)map;
}

/* ---- Which pages ---- */

/* What a handle was never for nobody loses with it, not even by reference. */
TEST_F(pages, only_those_of_the_handle)
{
	size_t unit = variant->unit;
	long theirs;
	int part;

	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, unit, &part);
	theirs = peer_call(&self->peer, op_map_and_touch, give(part), 0, unit);
	ASSERT_NE(-1, theirs);
	ASSERT_EQ(0, hold(self->pipefd, self->map));
	ASSERT_EQ(0, hold(self->pipefd, self->map + unit));
	test_revoke(part, 0, 0);
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, theirs));
	EXPECT_EQ(0, same(self->pipefd, self->map));
	EXPECT_EQ(1, same(self->pipefd, self->map + unit));
	EXPECT_EQ(unit / PAGE, replaced(self->fd));
	close(part);
}

/* The same by number, with a handle for what comes last, of which a piece has gone before. */
TEST_F(pages, only_those_of_the_handle_by_number)
{
	size_t unit = variant->unit;
	__u64 serial;
	int part;

	test_region_derive(self->fd, XMAP_RIGHTS_RW, unit, unit, &part);
	serial = xmap_serial(self->dev, XMAP_LIST_REGION, getpid());
	ASSERT_NE(-1, peer_call(&self->peer, op_map_and_touch, give(part), unit, unit));
	test_revoke(part, unit, 8);
	ASSERT_EQ(0, hold(self->pipefd, self->map));
	ASSERT_EQ(0, hold(self->pipefd, self->map + unit));
	test_revoke_serial(self->dev, serial, 0, USER_END);
	EXPECT_EQ(1, same(self->pipefd, self->map));
	EXPECT_EQ(0, same(self->pipefd, self->map + unit));
	EXPECT_LOAD(peer_word(1, unit + 8), self->map + unit + 8);
	close(part);
}

/* Of a handle for all of it the range that is revoked decides. */
TEST_F(pages, only_those_that_are_revoked)
{
	size_t unit = variant->unit;
	int part;

	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &part);
	ASSERT_NE(-1, peer_call(&self->peer, op_map_and_touch, give(part), 0, SIZE));
	ASSERT_EQ(0, hold(self->pipefd, self->map));
	ASSERT_EQ(0, hold(self->pipefd, self->map + unit));
	test_revoke(part, unit, PAGE);
	EXPECT_EQ(1, same(self->pipefd, self->map));
	EXPECT_EQ(0, same(self->pipefd, self->map + unit));
	EXPECT_EQ(unit / PAGE, replaced(self->fd));
	close(part);
}

/* ---- At whose wish ---- */

/*
 * Revoke something while the maker of the region has a page of it in a pipe, and see
 * whether it is replaced, and whether that is told.
 */
#define expect_of_revoke(is_replaced, revoke)					\
	({									\
		__u64 __before = replaced(self->fd);				\
		ASSERT_EQ(0, hold(self->pipefd, self->map));			\
		ASSERT_EQ(0, revoke);						\
		EXPECT_EQ(!(is_replaced), same(self->pipefd, self->map));	\
		EXPECT_EQ((is_replaced) ? POLLIN : 0, region_poll(self->fd));	\
		EXPECT_EQ(is_replaced, replaced(self->fd) > __before);		\
	})

/* The peer makes another handle of one that it has, and maps it: that handle. */
static long child_of(HELD *self, long fd, __u32 rights, size_t length)
{
	long child = peer_call(&self->peer, op_region_derive, fd, rights, 0, 0);

	if (child < 0 || peer_call(&self->peer, op_map_and_touch, child, 0, length) == -1)
		return -1;
	return child;
}

#define peer_revoke(fd) peer_call(&self->peer, op_revoke, fd, 0, 0, 0)

/* Who may only use it takes back what he gave away, but nothing that others have in hand. */
TEST_F(pages, reader_revokes_his_own)
{
	long fd, child, below;
	int read_only;

	ASSERT_EQ(0, peer_become(&self->peer, UID_B));
	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &read_only);
	fd = give(read_only);
	child = child_of(self, fd, XMAP_RIGHT_READ, SIZE);
	ASSERT_LE(0, child);
	expect_of_revoke(false, peer_revoke(child));
	/* Further down, and from above. */
	child = child_of(self, fd, XMAP_RIGHT_READ, SIZE);
	below = child_of(self, child, XMAP_RIGHT_READ, SIZE);
	ASSERT_LE(0, below);
	expect_of_revoke(false, peer_revoke(below));
	below = child_of(self, child, XMAP_RIGHT_READ, SIZE);
	ASSERT_LE(0, below);
	expect_of_revoke(false, peer_revoke(child));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_read, below, 0));
	EXPECT_EQ(0, replaced(self->fd));
	close(read_only);
}

/* Nor does WRITE make him somebody who may. */
TEST_F(pages, writer_revokes_his_own)
{
	long child;
	int rw;

	ASSERT_EQ(0, peer_become(&self->peer, UID_B));
	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &rw);
	child = child_of(self, give(rw), XMAP_RIGHTS_RW, SIZE);
	ASSERT_LE(0, child);
	expect_of_revoke(false, peer_revoke(child));
	/* But it is taken from page tables. */
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_read, child, 0));
	close(rw);
}

/* Page tables and system calls, at once, although the page stays. */
TEST_F(pages, reader_revokes_what_is_mapped)
{
	long fd, child, theirs;
	int read_only;

	ASSERT_EQ(0, peer_become(&self->peer, UID_B));
	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &read_only);
	fd = give(read_only);
	child = peer_call(&self->peer, op_region_derive, fd, XMAP_RIGHT_READ, 0, 0);
	theirs = peer_call(&self->peer, op_map_and_touch, child, 0, SIZE);
	ASSERT_NE(-1, theirs);
	expect_of_revoke(false, peer_revoke(child));
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, theirs));
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, theirs + SIZE - 8));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_read, child, 0));
	EXPECT_LOAD(peer_word(1, 8), self->map + 8);
	EXPECT_LOAD(peer_word(1, SIZE - 8), self->map + SIZE - 8);
	/* Then the maker does the same, to whom it belongs. */
	theirs = peer_call(&self->peer, op_map_and_touch, fd, 0, SIZE);
	ASSERT_NE(-1, theirs);
	expect_of_revoke(true, _test_revoke(read_only, 0, 0));
	EXPECT_EQ(SIGBUS, peer_touch(&self->peer, theirs));
	close(read_only);
}

/* The maker of the region, of what others have made of it. */
TEST_F(pages, maker_revokes)
{
	long fd, child;
	int rw;

	ASSERT_EQ(0, peer_become(&self->peer, UID_B));
	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &rw);
	fd = give(rw);
	child = child_of(self, fd, XMAP_RIGHT_READ, SIZE);
	ASSERT_LE(0, child);
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_REGION, self->peer.pid, self->entry));
	expect_of_revoke(true, _test_revoke_serial(self->dev, self->entry->serial, 0, 0));
	ASSERT_LE(0, child_of(self, fd, XMAP_RIGHT_READ, SIZE));
	expect_of_revoke(true, _test_revoke(rw, 0, PAGE));
	close(rw);
}

/* Who was made a manager, of what he has made himself. */
TEST_F(pages, manager_revokes)
{
	long fd, child, below;
	int rwm;

	ASSERT_EQ(0, peer_become(&self->peer, UID_B));
	test_region_derive(self->fd, RIGHTS_RWM, 0, 0, &rwm);
	fd = give(rwm);
	child = child_of(self, fd, XMAP_RIGHT_READ, SIZE);
	ASSERT_LE(0, child);
	expect_of_revoke(true, peer_revoke(child));
	/* One that he has made of one without; but that one of his. */
	child = child_of(self, fd, XMAP_RIGHT_READ, SIZE);
	below = child_of(self, child, XMAP_RIGHT_READ, SIZE);
	ASSERT_LE(0, below);
	expect_of_revoke(true, peer_revoke(below));
	close(rwm);
}

/* Who has opened it by its name: with MANAGE, or without. */
TEST_F(pages, opener_revokes)
{
	long fd, child;

	fd = peer_call(&self->peer, op_region_open, self->dev, RIGHTS_RWM, self->name);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, peer_become(&self->peer, UID_B));
	child = child_of(self, fd, XMAP_RIGHT_READ, SIZE);
	ASSERT_LE(0, child);
	expect_of_revoke(true, peer_revoke(child));
	ASSERT_NE(-1, peer_call(&self->peer, op_map_and_touch, fd, 0, SIZE));
	expect_of_revoke(true, peer_revoke(fd));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_read, fd, 0));

	fd = peer_call(&self->peer, op_region_open, self->dev, XMAP_RIGHTS_RW, self->name);
	ASSERT_LE(0, fd);
	child = child_of(self, fd, XMAP_RIGHT_READ, SIZE);
	ASSERT_LE(0, child);
	expect_of_revoke(false, peer_revoke(child));
	ASSERT_NE(-1, peer_call(&self->peer, op_map_and_touch, fd, 0, SIZE));
	expect_of_revoke(false, peer_revoke(fd));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_read, fd, 0));
}

/* An administrator, of what he has no part in. */
TEST_F(pages, administrator_revokes)
{
	struct peer other;
	long fd, child;
	int rw;

	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &rw);
	fd = give(rw);
	child = child_of(self, fd, XMAP_RIGHT_READ, SIZE);
	ASSERT_LE(0, child);
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_REGION, self->peer.pid, self->entry));
	ASSERT_EQ(0, peer_spawn(&other));
	expect_of_revoke(true, peer_call(&other, op_revoke, self->dev, self->entry->serial, 0, 0));
	EXPECT_ERRNO(ESTALE, peer_call(&self->peer, op_read, child, 0));
	peer_end(&other);
	close(rw);
}

static long op_new_namespace(const unsigned long *a)
{
	(void)a;
	return unshare(CLONE_NEWUSER);
}

/* Not one of a namespace of his own, in which somebody has made the handle for him. */
TEST_F(pages, administrator_elsewhere)
{
	struct peer other;
	int read_only, ours;
	long fd, child;

	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &read_only);
	ASSERT_EQ(0, peer_spawn(&other));
	fd = peer_give_fd(&other, self->sv, read_only);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, peer_become(&other, UID_B));
	ASSERT_EQ(0, peer_become(&self->peer, UID_B));
	ASSERT_EQ(0, peer_call(&other, op_new_namespace, 0));
	child = peer_call(&other, op_region_derive, fd, XMAP_RIGHT_READ, 0, 0);
	ASSERT_LE(0, child);
	ASSERT_NE(-1, peer_call(&other, op_map_and_touch, child, 0, SIZE));
	ours = peer_take_fd(&other, child);
	ASSERT_LE(0, ours);
	expect_of_revoke(false, peer_revoke(give(ours)));
	EXPECT_ERRNO(ESTALE, peer_call(&other, op_read, child, 0));
	peer_end(&other);
	close(ours);
	close(read_only);
}

/* ---- Telling ---- */

/* Everybody is told, by whatever handle; and it is counted from the beginning. */
TEST_F(pages, told)
{
	struct xmap_cmd_region_info info;
	size_t unit = variant->unit;
	int part, read_only, i;
	__u64 events;

	test_region_derive(self->fd, XMAP_RIGHT_READ, unit, unit, &read_only);
	test_region_info(self->fd, &info);
	EXPECT_EQ(0, info.out_replaced);
	events = info.out_events;
	for (i = 1; i <= 3; i++) {
		test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, unit, &part);
		ASSERT_NE(-1, peer_call(&self->peer, op_map_and_touch, give(part), 0, unit));
		ASSERT_EQ(0, hold(self->pipefd, self->map));
		EXPECT_EQ(0, region_poll(self->fd));
		test_revoke(part, 0, 0);
		EXPECT_EQ(0, same(self->pipefd, self->map));
		EXPECT_EQ(POLLIN, region_poll(self->fd));
		EXPECT_EQ(POLLIN, region_poll(read_only));
		EXPECT_EQ(POLLIN | POLLHUP, region_poll(part));
		test_region_info(self->fd, &info);
		EXPECT_EQ(i * unit / PAGE, info.out_replaced);
		EXPECT_EQ(events + i, info.out_events);
		EXPECT_EQ(0, region_poll(self->fd));
		EXPECT_EQ(i * unit / PAGE, replaced(read_only));
		EXPECT_EQ(0, region_poll(read_only));
		close(part);
	}
	close(read_only);
}

/* ---- What is under way ---- */

static long ring_read(struct io_uring *ring, int fd, void *addr, size_t len)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	long res;

	io_uring_prep_read_fixed(sqe, fd, addr, len, 0, 0);
	if (io_uring_submit(ring) != 1 || io_uring_wait_cqe(ring, &cqe))
		return -1000;
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return res;
}

/* A buffer that somebody has registered goes on to be the region's, whatever readers do. */
TEST_F(pages, registered_buffer)
{
	struct iovec iov = { .iov_base = self->map, .iov_len = SIZE };
	long fd, child;
	struct io_uring ring;
	int read_only, i;
	__u64 word;

	ASSERT_EQ(0, io_uring_queue_init(8, &ring, 0));
	ASSERT_EQ(region_registers() ? 0 : -EOPNOTSUPP, io_uring_register_buffers(&ring, &iov, 1));
	if (!region_registers())
		return;
	ASSERT_EQ(0, peer_become(&self->peer, UID_B));
	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &read_only);
	fd = give(read_only);
	for (i = 1; i <= 3; i++) {
		child = child_of(self, fd, XMAP_RIGHT_READ, SIZE);
		ASSERT_LE(0, child);
		ASSERT_EQ(0, peer_revoke(child));
		word = i << 8;
		ASSERT_EQ(8, write(self->pipefd[1], &word, 8));
		ASSERT_EQ(8, ring_read(&ring, self->pipefd[0], self->map + variant->unit, 8));
		EXPECT_LOAD(word, self->map + variant->unit);
	}
	EXPECT_EQ(0, region_poll(self->fd));
	EXPECT_EQ(0, replaced(self->fd));
	/* When it has been taken away all the same there is a word about it. */
	ASSERT_NE(-1, peer_call(&self->peer, op_map_and_touch, fd, 0, SIZE));
	test_revoke(read_only, 0, 0);
	EXPECT_EQ(POLLIN, region_poll(self->fd));
	EXPECT_EQ(SIZE / PAGE, replaced(self->fd));
	word = 4711;
	ASSERT_EQ(8, write(self->pipefd[1], &word, 8));
	ASSERT_EQ(8, ring_read(&ring, self->pipefd[0], self->map + variant->unit, 8));
	EXPECT_LOAD(3 << 8, self->map + variant->unit);
	/* Registered anew it works again. */
	ASSERT_EQ(0, io_uring_unregister_buffers(&ring));
	ASSERT_EQ(0, io_uring_register_buffers(&ring, &iov, 1));
	ASSERT_EQ(8, write(self->pipefd[1], &word, 8));
	ASSERT_EQ(8, ring_read(&ring, self->pipefd[0], self->map + variant->unit, 8));
	EXPECT_LOAD(word, self->map + variant->unit);
	io_uring_queue_exit(&ring);
	close(read_only);
}

TEST_HARNESS_MAIN
