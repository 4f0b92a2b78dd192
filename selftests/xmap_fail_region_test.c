// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions while the kernel runs out of memory or a user copy fails: what fails has
 * done nothing, or at least what can be done again; and what takes memory away never
 * fails for want of some.
 */
#include <sys/eventfd.h>

#include "xmap_fail_nth.h"
#include "xmap_region_utils.h"

#define SEED 3
#define NAME "xmap-fail.region"
#define HUGE (2UL << 20)
#define THP "/sys/kernel/mm/transparent_hugepage/"

FIXTURE(fail)
{
	struct nth nth;
	int dev;
	int fd;
	__u64 *map;
};

FIXTURE_SETUP(fail)
{
	struct xmap_cmd_region_create cmd = {
		.flags = XMAP_REGION_PUBLISH,
		.mode = 0600,
		.gid = -1,
		.length = LEN,
		.name = NAME,
	};

	touch_init();
	test_dev_open(&self->dev);
	test_region_create_cmd(self->dev, &cmd);
	self->fd = cmd.out_fd;
	test_region_map(self->fd, 0, LEN, RW, &self->map);
	peer_fill_here(self->map, LEN, SEED);
}

FIXTURE_TEARDOWN(fail)
{
	munmap(self->map, LEN);
	close(self->fd);
	close(self->dev);
}

/* ---- Making ---- */

TEST_F(fail, create)
{
	struct xmap_cmd_region_create cmd;
	int err, fd;

	nth_begin(&self->nth, self->dev, "region_create");
	while (nth_next(&self->nth)) {
		cmd = (struct xmap_cmd_region_create){
			.flags = XMAP_REGION_PUBLISH | XMAP_REGION_PERSISTENT |
				 XMAP_REGION_FIXED_ADDRESS | XMAP_REGION_SINGLE_OWNER,
			.gid = -1,
			.length = LEN,
			.addr = XMAP_REGION_ADDRESS_MIN + LEN,
			.name = "xmap-fail.other",
		};
		err = NTH_ERRNO(&self->nth, _test_region_create_cmd(self->dev, &cmd));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM, ENFILE);
		if (!err) {
			ASSERT_EQ(0, _test_region_unlink(cmd.out_fd));
			close(cmd.out_fd);
			continue;
		}
		EXPECT_EQ(XMAP_UNTOUCHED, cmd.out_fd);
		EXPECT_EQ((__u64)XMAP_UNTOUCHED, cmd.out_addr);
		/* Nor is the name taken, or the address. */
		EXPECT_ERRNO(ENOENT, _test_region_open(self->dev, 1, "xmap-fail.other", &fd));
		cmd.flags = XMAP_REGION_FIXED_ADDRESS;
		cmd.gid = 0;
		cmd.name[0] = '\0';
		memset(cmd.name, 0, sizeof(cmd.name));
		ASSERT_EQ(0, _test_region_create_cmd(self->dev, &cmd));
		close(cmd.out_fd);
	}
}

TEST_F(fail, open)
{
	int err, fd;

	nth_begin(&self->nth, self->dev, "region_open");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_region_open(self->dev, RIGHTS_RWM, NAME, &fd));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM, ENFILE);
		if (!err)
			close(fd);
		else
			EXPECT_EQ(XMAP_UNTOUCHED, fd);
	}
}

TEST_F(fail, derive)
{
	int err, fd;

	nth_begin(&self->nth, self->dev, "region_derive");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_region_derive(self->fd, 1, PAGE, PAGE, &fd));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM, ENFILE);
		if (!err)
			close(fd);
		else
			EXPECT_EQ(XMAP_UNTOUCHED, fd);
	}
}

/* Of huge pages it fails for want of one thing more: memory that can be committed. */
TEST_F(fail, create_huge)
{
	int err, fd;

	nth_begin(&self->nth, self->dev, "region_create_huge");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_region_create(self->dev, XMAP_REGION_HUGE, HUGE,
								&fd));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM, ENFILE);
		if (!err)
			close(fd);
		else
			EXPECT_EQ(XMAP_UNTOUCHED, fd);
	}
}

/* ---- Using ---- */

TEST_F(fail, map)
{
	struct xmap_cmd_region_info info;
	void *map;
	int err;

	nth_begin(&self->nth, self->dev, "region_mmap");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, (long)(map = _test_region_map(self->fd, 0, LEN, RW)));
		EXPECT_NTH(&self->nth, err, ENOMEM, ENFILE);
		if (!err)
			munmap(map, LEN);
		test_region_info(self->fd, &info);
		EXPECT_EQ(1, info.out_mappings);
	}
	/* None of those that failed is counted as one that writes. */
	munmap(self->map, LEN);
	test_region_seal(XMAP_REGION_SEAL_WRITE, self->fd, XMAP_REGION_SEAL_WRITE);
}

TEST_F(fail, fault)
{
	int err;

	nth_begin(&self->nth, self->dev, "region_fault");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, ioctl(self->fd, XMAP_REGION_REBIND, &(struct xmap_cmd_region_rebind){
			.size = sizeof(struct xmap_cmd_region_rebind),
		}));
		err = NTH_ERRNO(&self->nth, madvise(self->map, LEN, MADV_POPULATE_WRITE));
		EXPECT_NTH(&self->nth, err, ENOMEM, EFAULT);
		/* Then it is as if it had not been tried. */
		peer_fill_here(self->map, LEN, SEED);
		EXPECT_EQ(0, peer_check_here(self->map, LEN, SEED));
	}
}

TEST_F(fail, read_and_write)
{
	static __u64 buf[2 * PAGE / 8];
	ssize_t n;
	int err;

	nth_begin(&self->nth, self->dev, "region_pwrite");
	while (nth_next(&self->nth)) {
		test_region_resize(self->fd, PAGE);
		test_region_resize(self->fd, LEN);
		err = NTH_ERRNO(&self->nth, n = pwrite(self->fd, buf, sizeof(buf), PAGE));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_TRUE(err ? n == -1 : n > 0);
	}
	nth_begin(&self->nth, self->dev, "region_pread");
	while (nth_next(&self->nth)) {
		test_region_resize(self->fd, PAGE);
		test_region_resize(self->fd, LEN);
		err = NTH_ERRNO(&self->nth, n = pread(self->fd, buf, sizeof(buf), PAGE));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_TRUE(err ? n == -1 : n > 0);
	}
}

/* ---- Taking away ---- */

/* All of it never fails, however many pages have to be copied. */
static void sweep_revoke(struct __test_metadata *_metadata, FIXTURE_DATA(fail) *self, __u64 length,
			 bool by_number)
{
	struct iovec iov = { .iov_len = LEN };
	int err, fd, pipefd[2];
	__u64 serial = 0;
	void *map;

	ASSERT_EQ(0, pipe(pipefd));
	close(pipefd[0]);
	close(pipefd[1]);
	nth_begin(&self->nth, self->dev, length ? "region_revoke_part" : "region_revoke");
	while (nth_next(&self->nth)) {
		test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &fd);
		test_region_map(fd, 0, LEN, RW, &map);
		ASSERT_EQ(0, pipe(pipefd));
		iov.iov_base = map;
		ASSERT_EQ((ssize_t)LEN, vmsplice(pipefd[1], &iov, 1, 0));
		if (by_number)
			serial = xmap_serial(self->dev, XMAP_LIST_REGION, getpid());
		err = NTH_ERRNO(&self->nth, _test_revoke_serial(by_number ? self->dev : fd, serial,
								0, length));
		EXPECT_NTH(&self->nth, err, EFAULT, length ? ENOMEM : EFAULT);
		EXPECT_EQ(err ? 0 : SIGBUS, touch(map));
		EXPECT_EQ(length || err ? 0 : SIGBUS, touch((char *)map + PAGE));
		EXPECT_EQ(0, peer_check_here(self->map, LEN, SEED));
		munmap(map, LEN);
		close(pipefd[0]);
		close(pipefd[1]);
		close(fd);
	}
}

TEST_F(fail, revoke)
{
	sweep_revoke(_metadata, self, 0, false);
	sweep_revoke(_metadata, self, PAGE, false);
}

TEST_F(fail, revoke_by_number)
{
	sweep_revoke(_metadata, self, 0, true);
	sweep_revoke(_metadata, self, PAGE, true);
}

/* By the number of the name, which is all that keeps it. */
TEST_F(fail, revoke_by_name)
{
	struct xmap_cmd_region_create cmd = {
		.flags = XMAP_REGION_PUBLISH | XMAP_REGION_PERSISTENT,
		.mode = 0600,
		.gid = -1,
		.length = LEN,
		.name = "xmap-fail.persistent",
	};
	__u64 length, serial, word;
	int err, fd;

	for (length = 0; length <= PAGE; length += PAGE) {
		nth_begin(&self->nth, self->dev, length ? "name_revoke_part" : "name_revoke");
		while (nth_next(&self->nth)) {
			test_region_create_cmd(self->dev, &cmd);
			close(cmd.out_fd);
			serial = xmap_serial(self->dev, XMAP_LIST_NAME, getpid());
			test_region_open(self->dev, XMAP_RIGHT_READ, cmd.name, &fd);
			err = NTH_ERRNO(&self->nth, _test_revoke_serial(self->dev, serial, 0,
									length));
			EXPECT_NTH(&self->nth, err, EFAULT, length ? ENOMEM : EFAULT);
			EXPECT_EQ(err ? 0 : ESTALE, XMAP_ERRNO(pread(fd, &word, 8, 0)));
			EXPECT_EQ(length || err ? 0 : ESTALE,
				  XMAP_ERRNO(pread(fd, &word, 8, PAGE)));
			close(fd);
			if (length || err)
				test_revoke_serial(self->dev, serial, 0, 0);
			EXPECT_EQ(0, xmap_serial(self->dev, XMAP_LIST_NAME, getpid()));
		}
	}
}

/*
 * Of a huge page, all of which has to be made anew though a small part is held, or is
 * revoked.  Each time it is huge again before.
 */
static void sweep_revoke_huge(struct __test_metadata *_metadata, FIXTURE_DATA(fail) *self,
			      __u64 length)
{
	struct xmap_cmd_region_info info;
	struct iovec iov = { .iov_len = PAGE };
	__u64 generation, replaced = 0;
	int err, all, fd, pipefd[2];
	char *mine, *map;

	/* There are some to be had. */
	ASSERT_EQ(0, xmap_write_file(THP "defrag", "always"));
	ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/drop_caches", "3"));
	ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/compact_memory", "1"));
	test_region_create(self->dev, XMAP_REGION_HUGE, HUGE, &all);
	test_region_map(all, 0, HUGE, RW, &mine);
	nth_begin(&self->nth, self->dev, length ? "region_revoke_huge_part" : "region_revoke_huge");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, _test_region_rebind(all, &generation));
		peer_fill_here(mine, HUGE, SEED);
		test_region_derive(all, XMAP_RIGHTS_RW, 0, 0, &fd);
		test_region_map(fd, 0, HUGE, RW, &map);
		ASSERT_EQ(0, pipe(pipefd));
		iov.iov_base = map + 7 * PAGE;
		ASSERT_EQ((ssize_t)PAGE, vmsplice(pipefd[1], &iov, 1, 0));
		err = NTH_ERRNO(&self->nth, _test_revoke(fd, 0, length));
		EXPECT_NTH(&self->nth, err, EFAULT, length ? ENOMEM : EFAULT);
		EXPECT_EQ(err ? 0 : SIGBUS, touch(map));
		EXPECT_EQ(length || err ? 0 : SIGBUS, touch(map + PAGE));
		ASSERT_EQ(0, peer_check_here(mine, HUGE, SEED));
		test_region_info(all, &info);
		EXPECT_EQ(err ? 0 : HUGE / PAGE, info.out_replaced - replaced);
		replaced = info.out_replaced;
		munmap(map, HUGE);
		close(pipefd[0]);
		close(pipefd[1]);
		close(fd);
	}
	munmap(mine, HUGE);
	close(all);
	ASSERT_EQ(0, xmap_write_file(THP "defrag", "madvise"));
}

TEST_F(fail, revoke_huge)
{
	sweep_revoke_huge(_metadata, self, 0);
	sweep_revoke_huge(_metadata, self, PAGE);
}

TEST_F(fail, give_and_take)
{
	struct iovec iov = { .iov_len = LEN };
	int err, fd, pipefd[2];
	void *map;

	test_region_create(self->dev, XMAP_REGION_SINGLE_OWNER, LEN, &fd);
	test_region_map(fd, 0, LEN, RW, &map);
	peer_fill_here(map, LEN, SEED);
	nth_begin(&self->nth, self->dev, "region_give");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, pipe(pipefd));
		iov.iov_base = map;
		ASSERT_EQ((ssize_t)LEN, vmsplice(pipefd[1], &iov, 1, 0));
		err = NTH_ERRNO(&self->nth, _test_region_give(fd));
		EXPECT_NTH(&self->nth, err, EFAULT);
		if (err)
			test_region_give(fd);
		EXPECT_SIGNAL(SIGBUS, map);
		test_region_take(fd);
		EXPECT_EQ(0, peer_check_here(map, LEN, SEED));
		close(pipefd[0]);
		close(pipefd[1]);
	}
	test_region_give(fd);
	nth_begin(&self->nth, self->dev, "region_take");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_region_take(fd));
		EXPECT_NTH(&self->nth, err, EFAULT);
		if (!err)
			test_region_give(fd);
	}
}

/* Handle, pipe: take it, have all of its pages held, and keep it. */
static long op_take_and_hold(const unsigned long *a)
{
	struct iovec iov = { .iov_len = LEN };

	if (_test_region_take(a[0]))
		return -1;
	iov.iov_base = _test_region_map(a[0], 0, LEN, RW);
	if (iov.iov_base == MAP_FAILED)
		return -1;
	peer_fill_here(iov.iov_base, LEN, SEED);
	return vmsplice(a[1], &iov, 1, 0) == (ssize_t)LEN ? 0 : -1;
}

/* From an owner who has ended: then it is taking that has to copy. */
TEST_F(fail, take_from_the_dead)
{
	struct xmap_cmd_region_info info;
	int err, fd, pipefd[2];
	__u64 replaced;
	struct peer p;
	void *map;

	test_region_create(self->dev, XMAP_REGION_SINGLE_OWNER, LEN, &fd);
	test_region_map(fd, 0, LEN, RW, &map);
	nth_begin(&self->nth, self->dev, "region_take_from_the_dead");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, pipe(pipefd));
		test_region_give(fd);
		ASSERT_EQ(0, peer_spawn(&p));
		ASSERT_EQ(0, peer_call(&p, op_take_and_hold, fd, pipefd[1]));
		peer_end(&p);
		/* Giving replaces a page that the kernel has yet to put on its lists. */
		test_region_info(fd, &info);
		replaced = info.out_replaced;
		err = NTH_ERRNO(&self->nth, _test_region_take(fd));
		EXPECT_NTH(&self->nth, err, EFAULT);
		test_region_info(fd, &info);
		EXPECT_EQ(err ? XMAP_REGION_OWNER_OTHER : XMAP_REGION_OWNER_SELF, info.out_owner);
		EXPECT_EQ(err ? 0 : PAGES, info.out_replaced - replaced);
		if (err)
			test_region_take(fd);
		test_region_info(fd, &info);
		EXPECT_EQ(PAGES, info.out_replaced - replaced);
		EXPECT_EQ(0, peer_check_here(map, LEN, SEED));
		close(pipefd[0]);
		close(pipefd[1]);
	}
	munmap(map, LEN);
	close(fd);
}

/* What cannot become longer is as long as it was, and is charged as that. */
static void sweep_grow(struct __test_metadata *_metadata, FIXTURE_DATA(fail) *self, int fd,
		       char *map, __u64 length)
{
	struct xmap_cmd_region_info info;
	struct xmap_cmd_query query;
	int err;

	while (nth_next(&self->nth)) {
		EXPECT_STORE(1, map + PAGE);
		test_region_resize(fd, PAGE);
		err = NTH_ERRNO(&self->nth, _test_region_resize(fd, length));
		EXPECT_NTH(&self->nth, err, EFAULT);
		test_region_info(fd, &info);
		EXPECT_EQ(err ? PAGE : length, info.out_region_length);
		test_query(self->dev, &query);
		EXPECT_EQ(err ? length - PAGE : 0,
			  self->nth.before.region_bytes - query.out_region_bytes);
		EXPECT_EQ(err ? SIGBUS : 0, touch(map + PAGE));
		test_region_resize(fd, length);
		EXPECT_LOAD(0, map + PAGE);
	}
}

/* However much has to be made anew: without fail what was there is there after. */
TEST_F(fail, huge)
{
	struct iovec iov = { .iov_len = PAGE };
	int err, fd, pipefd[2];
	char *map;

	test_region_create(self->dev, XMAP_REGION_SINGLE_OWNER | XMAP_REGION_HUGE, HUGE, &fd);
	test_region_map(fd, 0, HUGE, RW, &map);
	peer_fill_here(map, HUGE, SEED);
	iov.iov_base = map + PAGE;
	nth_begin(&self->nth, self->dev, "region_give_huge");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, pipe(pipefd));
		ASSERT_EQ((ssize_t)PAGE, vmsplice(pipefd[1], &iov, 1, 0));
		err = NTH_ERRNO(&self->nth, _test_region_give(fd));
		EXPECT_NTH(&self->nth, err, EFAULT);
		if (err)
			test_region_give(fd);
		EXPECT_SIGNAL(SIGBUS, map);
		test_region_take(fd);
		ASSERT_EQ(0, peer_check_here(map, HUGE, SEED));
		close(pipefd[0]);
		close(pipefd[1]);
	}
	nth_begin(&self->nth, self->dev, "region_fault_huge");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, ioctl(fd, XMAP_REGION_REBIND, &(struct xmap_cmd_region_rebind){
			.size = sizeof(struct xmap_cmd_region_rebind),
		}));
		err = NTH_ERRNO(&self->nth, madvise(map, PAGE, MADV_POPULATE_WRITE));
		EXPECT_NTH(&self->nth, err, ENOMEM, EFAULT);
		EXPECT_STORE(1, map);
	}
	nth_begin(&self->nth, self->dev, "region_resize_huge");
	while (nth_next(&self->nth)) {
		EXPECT_STORE(1, map + HUGE - PAGE);
		err = NTH_ERRNO(&self->nth, _test_region_resize(fd, PAGE));
		EXPECT_NTH(&self->nth, err, EFAULT);
		EXPECT_EQ(err ? 0 : SIGBUS, touch(map + PAGE));
		test_region_resize(fd, HUGE);
	}
	nth_begin(&self->nth, self->dev, "region_grow_huge");
	sweep_grow(_metadata, self, fd, map, HUGE);
}

TEST_F(fail, change)
{
	__u64 generation;
	__u32 seals;
	int err;

	nth_begin(&self->nth, self->dev, "region_resize");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_region_resize(self->fd, PAGE));
		EXPECT_NTH(&self->nth, err, EFAULT);
		EXPECT_EQ(err ? 0 : SIGBUS, touch(self->map + PAGE / 8));
		test_region_resize(self->fd, LEN);
	}
	nth_begin(&self->nth, self->dev, "region_grow");
	sweep_grow(_metadata, self, self->fd, (char *)self->map, LEN);
	nth_begin(&self->nth, self->dev, "region_rebind");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_region_rebind(self->fd, &generation));
		EXPECT_NTH(&self->nth, err, EFAULT);
	}
	nth_begin(&self->nth, self->dev, "region_seal");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_region_seal(self->fd, XMAP_REGION_SEAL_GROW,
							      &seals));
		EXPECT_NTH(&self->nth, err, EFAULT);
	}
}

/* With pages that are held: against any write they are replaced, else they stay. */
static void sweep_seal(struct __test_metadata *_metadata, FIXTURE_DATA(fail) *self, __u32 seal)
{
	struct iovec iov = { .iov_len = LEN };
	struct xmap_cmd_region_info info;
	int err, fd, look, pipefd[2];
	__u32 seals;
	void *map;

	while (nth_next(&self->nth)) {
		test_region_create(self->dev, 0, LEN, &fd);
		ASSERT_EQ((ssize_t)LEN, pwrite(fd, self->map, LEN, 0));
		/* By a mapping that cannot be made writable. */
		test_region_derive(fd, XMAP_RIGHT_READ, 0, 0, &look);
		test_region_map(look, 0, LEN, PROT_READ, &map);
		ASSERT_EQ(0, pipe(pipefd));
		iov.iov_base = map;
		ASSERT_EQ((ssize_t)LEN, vmsplice(pipefd[1], &iov, 1, 0));
		err = NTH_ERRNO(&self->nth, _test_region_seal(fd, seal, &seals));
		EXPECT_NTH(&self->nth, err, EFAULT);
		EXPECT_EQ(err ? (__u32)XMAP_UNTOUCHED : seal, seals);
		/* It was not asked for, or what was done could not be said; nothing between. */
		test_region_info(fd, &info);
		EXPECT_TRUE(info.out_seals == seal || (err && !info.out_seals));
		EXPECT_EQ(info.out_seals & XMAP_REGION_SEAL_WRITE ? PAGES : 0, info.out_replaced);
		EXPECT_EQ(info.out_seals ? EPERM : 0, XMAP_ERRNO(pwrite(fd, self->map, PAGE, 0)));
		EXPECT_EQ(0, peer_check_here(map, LEN, SEED));
		munmap(map, LEN);
		close(pipefd[0]);
		close(pipefd[1]);
		close(look);
		close(fd);
	}
}

TEST_F(fail, seal)
{
	nth_begin(&self->nth, self->dev, "region_seal_write");
	sweep_seal(_metadata, self, XMAP_REGION_SEAL_WRITE);
	nth_begin(&self->nth, self->dev, "region_seal_future_write");
	sweep_seal(_metadata, self, XMAP_REGION_SEAL_FUTURE_WRITE);
}

/* A name that could not be taken away is there; what was told nobody is told again. */
TEST_F(fail, tell)
{
	struct xmap_cmd_region_info info;
	int err, fd;

	nth_begin(&self->nth, self->dev, "region_info");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_region_info(self->fd, &info));
		EXPECT_NTH(&self->nth, err, EFAULT);
	}
	nth_begin(&self->nth, self->dev, "region_notify");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_region_notify(self->fd));
		EXPECT_NTH(&self->nth, err, EFAULT);
	}
	nth_begin(&self->nth, self->dev, "region_unlink");
	while (nth_next(&self->nth)) {
		struct xmap_cmd_region_create cmd = {
			.flags = XMAP_REGION_PUBLISH,
			.gid = -1,
			.length = PAGE,
			.name = "xmap-fail.unlink",
		};

		test_region_create_cmd(self->dev, &cmd);
		err = NTH_ERRNO(&self->nth, _test_region_unlink(cmd.out_fd));
		EXPECT_NTH(&self->nth, err, EFAULT);
		if (err) {
			test_region_open(self->dev, RIGHTS_RWM, cmd.name, &fd);
			close(fd);
			test_region_unlink(cmd.out_fd);
		}
		test_err_region_open(ENOENT, self->dev, RIGHTS_RWM, cmd.name);
		close(cmd.out_fd);
	}
}

/* A descriptor that could not be given another eventfd has the one that it had. */
TEST_F(fail, eventfd)
{
	int first = eventfd(0, EFD_NONBLOCK), second = eventfd(0, EFD_NONBLOCK), err;
	struct xmap_cmd_eventfd cmd = { .size = sizeof(cmd) };
	__u64 count;

	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	nth_begin(&self->nth, self->dev, "eventfd");
	while (nth_next(&self->nth)) {
		cmd.fd = first;
		ASSERT_EQ(0, ioctl(self->fd, XMAP_EVENTFD, &cmd));
		cmd.fd = second;
		err = NTH_ERRNO(&self->nth, ioctl(self->fd, XMAP_EVENTFD, &cmd));
		EXPECT_NTH(&self->nth, err, ENOMEM, EFAULT);
		test_region_notify(self->fd);
		EXPECT_EQ(err ? 8 : -1, read(first, &count, sizeof(count)));
		EXPECT_EQ(err ? -1 : 8, read(second, &count, sizeof(count)));
	}
	close(first);
	close(second);
}

int main(int argc, char **argv)
{
	return nth_main(argc, argv);
}
