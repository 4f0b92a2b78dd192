// SPDX-License-Identifier: GPL-2.0-only
/* Regions: what one gets, what a handle allows, and what is told of it. */
#include "xmap_region_utils.h"

#include <stdarg.h>

FIXTURE_SETUP(region)
{
	ASSERT_EQ(0, region_begin(self, 0));
}

FIXTURE_TEARDOWN(region)
{
	region_end(self);
}

/* ---- What is made ---- */

TEST_F(region, create)
{
	struct xmap_cmd_region_info info;
	__u64 *map;
	size_t i;

	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
	test_region_info(self->fd, &info);
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_EQ(RIGHTS_RWM, info.out_rights);
	EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
	EXPECT_EQ(0, info.out_flags);
	EXPECT_EQ(0, info.out_seals);
	EXPECT_EQ(XMAP_REGION_OWNER_ALL, info.out_owner);
	EXPECT_EQ(0, info.out_mappings);
	EXPECT_EQ(0, info.out_offset);
	EXPECT_EQ(LEN, info.out_length);
	EXPECT_EQ(LEN, info.out_region_length);
	EXPECT_EQ(0, info.out_addr);
	EXPECT_EQ(0, info.out_generation);
	EXPECT_EQ(0, info.out_events);

	test_region_map(self->fd, 0, LEN, RW, &map);
	for (i = 0; i < LEN / 8; i++)
		ASSERT_EQ(0, map[i]);
	peer_fill_here(map, LEN, 1);
	test_region_info(self->fd, &info);
	EXPECT_EQ(1, info.out_mappings);
	ASSERT_EQ(0, munmap(map, LEN));
	test_region_info(self->fd, &info);
	EXPECT_EQ(0, info.out_mappings);
	/* It is not the mapping that has it. */
	test_region_map(self->fd, 0, LEN, PROT_READ, &map);
	EXPECT_EQ(0, peer_check_here(map, LEN, 1));
}

TEST_F(region, create_wrong)
{
	struct xmap_cmd_region_create cmd = { .length = PAGE };

	test_err_region_create(EINVAL, self->dev, 0, 0);
	test_err_region_create(EINVAL, self->dev, 0, PAGE + 1);
	test_err_region_create(EINVAL, self->dev, 0, PAGE - 1);
	test_err_region_create(EINVAL, self->dev, 0, 1ULL << 63);
	test_err_region_create(EINVAL, self->dev, 0, USER_END + PAGE);
	test_err_region_create(EOPNOTSUPP, self->dev, 1 << 5, PAGE);
	test_err_region_create(EOPNOTSUPP, self->dev, 1U << 31, PAGE);
	test_err_region_create(EINVAL, self->dev, XMAP_REGION_PERSISTENT, PAGE);
	test_err_region_create(EINVAL, self->dev, XMAP_REGION_PUBLISH, PAGE);
	cmd.__reserved = 1;
	test_err_region_create_cmd(EOPNOTSUPP, self->dev, &cmd);
	cmd = (struct xmap_cmd_region_create){ .length = PAGE, .mode = 0600 };
	test_err_region_create_cmd(EINVAL, self->dev, &cmd);
	cmd = (struct xmap_cmd_region_create){ .length = PAGE, .gid = -1 };
	test_err_region_create_cmd(EINVAL, self->dev, &cmd);
	cmd = (struct xmap_cmd_region_create){ .length = PAGE, .name = "n" };
	test_err_region_create_cmd(EINVAL, self->dev, &cmd);
	cmd = (struct xmap_cmd_region_create){ .length = PAGE, .addr = XMAP_REGION_ADDRESS_MIN };
	test_err_region_create_cmd(EINVAL, self->dev, &cmd);
	cmd = (struct xmap_cmd_region_create){ .length = PAGE, .reserve = PAGE };
	test_err_region_create_cmd(EINVAL, self->dev, &cmd);
}

/* Two who have it see each other's stores; whoever comes later sees them, too. */
TEST_F(region, shared)
{
	__u64 *map, *again;
	long fd, theirs;

	test_region_map(self->fd, 0, LEN, RW, &map);
	fd = give(self->fd);
	ASSERT_LE(0, fd);
	theirs = peer_call(&self->peer, op_region_map, fd, 0, LEN, RW);
	ASSERT_NE(-1, theirs);
	ASSERT_EQ(0, peer_store(&self->peer, theirs + PAGE, 7));
	EXPECT_EQ(7, map[PAGE / 8]);
	map[2] = 8;
	EXPECT_EQ(8, peer_load(&self->peer, theirs + 16));
	/* At another place, of a part. */
	test_region_map(self->fd, PAGE, PAGE, PROT_READ, &again);
	EXPECT_EQ(7, again[0]);
	ASSERT_EQ(0, peer_store(&self->peer, theirs + PAGE, 9));
	EXPECT_EQ(9, again[0]);
	/* The memory lives without its descriptors. */
	close(self->fd);
	ASSERT_EQ(0, peer_close(&self->peer, fd));
	ASSERT_EQ(0, munmap(map, LEN));
	ASSERT_EQ(0, munmap(again, PAGE));
	EXPECT_EQ(9, peer_load(&self->peer, theirs + PAGE));
}

/* ---- What a mapping may be ---- */

TEST_F(region, map_wrong)
{
	void *addr;
	int fd;

	test_err_region_map(EACCES, self->fd, 0, LEN, PROT_READ | PROT_EXEC);
	test_err_region_map(EACCES, self->fd, 0, LEN + PAGE, PROT_READ);
	test_err_region_map(EACCES, self->fd, LEN, PAGE, PROT_READ);
	test_err_region_map(EACCES, self->fd, 1ULL << 50, PAGE, PROT_READ);
	addr = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, self->fd, 0);
	EXPECT_EQ(MAP_FAILED, addr);
	EXPECT_EQ(EINVAL, errno);
	test_region_derive(self->fd, XMAP_RIGHT_WRITE, 0, 0, &fd);
	test_err_region_map(EACCES, fd, 0, PAGE, PROT_WRITE);
}

TEST_F(region, mprotect)
{
	void *map, *ro;
	int fd;

	test_region_map(self->fd, 0, LEN, PROT_READ, &map);
	EXPECT_ERRNO(EACCES, mprotect(map, LEN, PROT_READ | PROT_EXEC));
	EXPECT_STORE_SIGNAL(SIGSEGV, map);
	ASSERT_EQ(0, mprotect(map, PAGE, RW));
	EXPECT_STORE(3, map);
	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &fd);
	test_err_region_map(EACCES, fd, 0, LEN, RW);
	test_region_map(fd, 0, LEN, PROT_READ, &ro);
	EXPECT_ERRNO(EACCES, mprotect(ro, PAGE, RW));
	EXPECT_LOAD(3, ro);
	EXPECT_STORE_SIGNAL(SIGSEGV, ro);
	/* Nor by who may write what is read-only. */
	EXPECT_ERRNO(EIO, pwrite(open("/proc/self/mem", O_RDWR), "x", 1, (off_t)ro));
}

/* Cut and moved, it stays what it was; it never grows. */
TEST_F(region, mremap)
{
	struct xmap_cmd_region_info info;
	void *map, *moved, *to;

	test_region_map(self->fd, 0, LEN, RW, &map);
	peer_fill_here(map, LEN, 2);
	EXPECT_EQ(MAP_FAILED, mremap(map, LEN, LEN + PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	/* The way to have a second mapping of the same. */
	EXPECT_EQ(MAP_FAILED, mremap(map, 0, LEN, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(map, LEN, LEN, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, munmap((char *)map + 2 * PAGE, PAGE));
	to = mmap(NULL, LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, to);
	moved = mremap((char *)map + 3 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	ASSERT_EQ(to, moved);
	EXPECT_LOAD(peer_word(2, 3 * PAGE), moved);
	EXPECT_SIGNAL(SIGSEGV, (char *)map + 3 * PAGE);
	EXPECT_EQ(0, peer_check_here(map, 2 * PAGE, 2));
	test_region_info(self->fd, &info);
	EXPECT_EQ(1, info.out_mappings);
	ASSERT_EQ(0, munmap(map, LEN));
	test_region_info(self->fd, &info);
	EXPECT_EQ(1, info.out_mappings);
	ASSERT_EQ(0, munmap(to, PAGE));
	test_region_info(self->fd, &info);
	EXPECT_EQ(0, info.out_mappings);
}

/* What a tmpfs file could be asked through a mapping of it. */
TEST_F(region, other_ways)
{
	char path[64];
	void *map;
	int fd;

	test_region_map(self->fd, 0, LEN, RW, &map);
	peer_fill_here(map, LEN, 2);
	EXPECT_ERRNO(ENODEV, remap_file_pages(map, PAGE, 0, 1, 0));
	EXPECT_NE(0, madvise(map, PAGE, MADV_REMOVE));
	EXPECT_EQ(0, msync(map, LEN, MS_SYNC));
	EXPECT_EQ(0, madvise(map, LEN, MADV_DONTNEED));
	EXPECT_EQ(0, peer_check_here(map, LEN, 2));
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)map,
		 (unsigned long)map + LEN);
	EXPECT_ERRNO(ENXIO, open(path, O_RDWR));
	EXPECT_ERRNO(ENXIO, open(path, O_RDONLY));
	EXPECT_ERRNO(EPERM, truncate(path, 0));
	EXPECT_ERRNO(EPERM, truncate(path, 2 * LEN));
	fd = open(path, O_PATH);
	EXPECT_LE(0, fd);
	close(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	EXPECT_ERRNO(ENXIO, open(path, O_RDWR));
	EXPECT_NE(0, ftruncate(self->fd, 0));
	EXPECT_NE(0, fallocate(self->fd, 0, 0, PAGE));
	EXPECT_NE(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	EXPECT_ERRNO(EINVAL, fcntl(self->fd, F_GET_SEALS));
	EXPECT_ERRNO(EINVAL, fcntl(self->fd, F_ADD_SEALS, F_SEAL_WRITE));
	EXPECT_EQ(0, peer_check_here(map, LEN, 2));
}

/* A child inherits what is mapped. */
TEST_F(region, fork)
{
	__u64 *map;
	pid_t child;
	int status;

	test_region_map(self->fd, 0, LEN, RW, &map);
	map[0] = 1;
	fflush(NULL);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		map[1] = map[0] + 1;
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(2, map[1]);
}

/* ---- Narrower handles ---- */

TEST_F(region, derive)
{
	struct xmap_cmd_region_info info;
	void *map;
	int fd, more;

	test_region_derive(self->fd, XMAP_RIGHT_READ, PAGE, 2 * PAGE, &fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	test_region_info(fd, &info);
	EXPECT_EQ(XMAP_RIGHT_READ, info.out_rights);
	EXPECT_EQ(PAGE, info.out_offset);
	EXPECT_EQ(2 * PAGE, info.out_length);
	EXPECT_EQ(LEN, info.out_region_length);
	test_region_map(fd, PAGE, 2 * PAGE, PROT_READ, &map);
	EXPECT_LOAD(0, map);
	test_err_region_map(EACCES, fd, 0, PAGE, PROT_READ);
	test_err_region_map(EACCES, fd, PAGE, 3 * PAGE, PROT_READ);
	test_err_region_map(EACCES, fd, 3 * PAGE, PAGE, PROT_READ);

	test_err_region_derive(EACCES, fd, XMAP_RIGHT_WRITE, 0, 0);
	test_err_region_derive(EACCES, fd, XMAP_RIGHT_READ | XMAP_RIGHT_MANAGE, 0, 0);
	test_err_region_derive(EACCES, fd, XMAP_RIGHT_READ, 0, PAGE);
	test_err_region_derive(EACCES, fd, XMAP_RIGHT_READ, PAGE, 2 * PAGE + 1);
	test_err_region_derive(EACCES, self->fd, XMAP_RIGHT_READ, LEN, 1);
	test_err_region_derive(EOVERFLOW, self->fd, XMAP_RIGHT_READ, PAGE, ~0ULL);
	test_err_region_derive(EINVAL, self->fd, XMAP_RIGHT_READ, PAGE, 0);
	test_err_region_derive(EINVAL, self->fd, 0, 0, 0);
	test_err_region_derive(EINVAL, self->fd, XMAP_RIGHT_MANAGE, 0, 0);
	test_err_region_derive(EINVAL, self->fd, XMAP_RIGHTS_ALL, 0, 0);
	test_err_region_derive(EOPNOTSUPP, self->fd, XMAP_RIGHT_READ | 1 << 4, 0, 0);
	test_region_derive(fd, XMAP_RIGHT_READ, 2 * PAGE, PAGE, &more);
	close(fd);
	test_region_map(more, 2 * PAGE, PAGE, PROT_READ, &map);
	EXPECT_LOAD(0, map);
}

TEST_F(region, derive_depth)
{
	int fd = self->fd, more, i;

	for (i = 0; i < 32; i++) {
		test_region_derive(fd, XMAP_RIGHTS_RW, 0, 0, &more);
		close(fd);
		fd = more;
	}
	test_err_region_derive(EDQUOT, fd, XMAP_RIGHTS_RW, 0, 0);
	self->fd = fd;
}

/* ---- read() and write() ---- */

TEST_F(region, read_and_write)
{
	static char buf[LEN + 64], in[LEN + 64];
	char *nowhere = (char *)PAGE;
	__u64 *map;
	int fd;

	memset(buf, 'b', sizeof(buf));
	peer_fill_here(in, LEN, 3);
	ASSERT_EQ((ssize_t)LEN, pwrite(self->fd, in, LEN, 0));
	test_region_map(self->fd, 0, LEN, RW, &map);
	EXPECT_EQ(0, peer_check_here(map, LEN, 3));
	map[1] = 5;
	EXPECT_EQ((ssize_t)LEN, pread(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(5, ((__u64 *)buf)[1]);
	EXPECT_EQ('b', buf[LEN]);
	EXPECT_EQ(0, pread(self->fd, buf, 8, LEN));
	EXPECT_EQ(0, pread(self->fd, buf, 8, LEN + 100 * PAGE));
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd, buf, 8, LEN));
	EXPECT_EQ(4, pwrite(self->fd, "wxyz....", 8, LEN - 4));
	EXPECT_EQ(4, pread(self->fd, buf, 8, LEN - 4));
	EXPECT_EQ(0, memcmp(buf, "wxyz", 4));
	/* The position. */
	EXPECT_EQ((off_t)LEN, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(8, lseek(self->fd, 8, SEEK_SET));
	EXPECT_EQ(8, read(self->fd, buf, 8));
	EXPECT_EQ(5, *(__u64 *)buf);
	EXPECT_EQ(16, lseek(self->fd, 0, SEEK_CUR));
	/* Bad memory of the caller, at once and after a page. */
	EXPECT_ERRNO(EFAULT, pread(self->fd, nowhere, 8, 0));
	EXPECT_ERRNO(EFAULT, pwrite(self->fd, nowhere, 8, 0));
	EXPECT_EQ(0, pread(self->fd, nowhere, 0, 0));
	/* Of a part, and without the right. */
	test_region_derive(self->fd, XMAP_RIGHT_READ, PAGE + 3, 10, &fd);
	EXPECT_EQ(10, pread(fd, buf, 64, PAGE + 3));
	EXPECT_EQ(0, memcmp(buf, (char *)map + PAGE + 3, 10));
	EXPECT_ERRNO(EACCES, pread(fd, buf, 1, PAGE + 2));
	EXPECT_EQ(0, pread(fd, buf, 1, PAGE + 13));
	EXPECT_ERRNO(EACCES, pread(fd, buf, 1, PAGE + 14));
	EXPECT_ERRNO(EBADF, pwrite(fd, buf, 1, PAGE + 3));
	test_err_region_map(EACCES, fd, PAGE, PAGE, PROT_READ);
	close(fd);
	test_region_derive(self->fd, XMAP_RIGHT_WRITE, 0, 0, &fd);
	EXPECT_ERRNO(EBADF, pread(fd, buf, 1, 0));
	EXPECT_EQ(1, pwrite(fd, "q", 1, 0));
	EXPECT_EQ('q', *(char *)map);
}

/* It ends where the caller's memory does, and has done what it says. */
TEST_F(region, partial_copies)
{
	char *hole, *map;

	hole = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, hole);
	ASSERT_EQ(0, munmap(hole + PAGE, PAGE));
	memset(hole, 'h', PAGE);
	test_region_map(self->fd, 0, LEN, RW, &map);
	EXPECT_EQ(100, pwrite(self->fd, hole + PAGE - 100, 200, PAGE));
	EXPECT_EQ('h', map[PAGE + 99]);
	EXPECT_EQ(0, map[PAGE + 100]);
	map[2 * PAGE] = 'i';
	EXPECT_EQ((ssize_t)PAGE, pread(self->fd, hole, 2 * PAGE, 2 * PAGE));
	EXPECT_EQ('i', hole[0]);
}

/* ---- Events ---- */

TEST_F(region, notify)
{
	struct xmap_cmd_region_info info;
	struct pollfd pfd;
	int fd, ro;

	test_region_derive(self->fd, XMAP_RIGHTS_RW, 0, 0, &fd);
	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &ro);
	EXPECT_EQ(0, region_poll(self->fd));
	test_region_notify(fd);
	EXPECT_EQ(POLLIN, region_poll(self->fd));
	EXPECT_EQ(POLLIN, region_poll(ro));
	EXPECT_EQ(0, region_poll(fd));
	test_region_info(self->fd, &info);
	EXPECT_EQ(1, info.out_events);
	EXPECT_EQ(0, region_poll(self->fd));
	EXPECT_EQ(POLLIN, region_poll(ro));
	test_region_notify(self->fd);
	EXPECT_EQ(POLLIN, region_poll(fd));
	/* One that has something to be told of is not told by what it does itself. */
	test_region_notify(fd);
	EXPECT_EQ(POLLIN, region_poll(fd));
	test_err_region_notify(EACCES, ro);
	test_region_info(fd, &info);
	EXPECT_EQ(3, info.out_events);
	EXPECT_ERRNO(EOPNOTSUPP, region_simple(fd, XMAP_REGION_NOTIFY, 1));
	/* Who waits is woken. */
	ASSERT_EQ(0, peer_start(&self->peer, op_region_simple, fd = give(fd), XMAP_REGION_NOTIFY));
	pfd = (struct pollfd){ .fd = self->fd, .events = POLLIN };
	test_region_info(self->fd, &info);
	if (info.out_events == 3)
		EXPECT_EQ(1, poll(&pfd, 1, -1));
	EXPECT_EQ(0, peer_finish(&self->peer));
}

/* ---- Limits, and who has what ---- */

TEST_F(region, limits)
{
	long max = xmap_read_long(MAX_REGIONS), bytes = xmap_read_long(MAX_REGION_BYTES);
	struct xmap_cmd_query q;
	int fd, more;

	test_query(self->dev, &q);
	EXPECT_EQ(max, q.out_max_regions);
	EXPECT_EQ(bytes, (long)q.out_max_region_bytes);
	EXPECT_EQ(1, q.out_regions);
	EXPECT_EQ(LEN, q.out_region_bytes);
	EXPECT_NE(0, q.out_features & XMAP_FEATURE_REGION);
	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &fd);
	test_query(self->dev, &q);
	EXPECT_EQ(2, q.out_regions);
	EXPECT_EQ(LEN, q.out_region_bytes);

	ASSERT_EQ(0, xmap_write_long(MAX_REGIONS, 2));
	test_err_region_derive(EDQUOT, self->fd, XMAP_RIGHT_READ, 0, 0);
	test_err_region_create(EDQUOT, self->dev, 0, PAGE);
	close(fd);
	test_region_derive(self->fd, XMAP_RIGHT_READ, 0, 0, &fd);
	ASSERT_EQ(0, xmap_write_long(MAX_REGIONS, max));

	ASSERT_EQ(0, xmap_write_long(MAX_REGION_BYTES, LEN + PAGE));
	test_err_region_create(EDQUOT, self->dev, 0, 2 * PAGE);
	test_err_region_resize(EDQUOT, self->fd, LEN + 2 * PAGE);
	test_region_create(self->dev, 0, PAGE, &more);
	test_err_region_resize(EDQUOT, self->fd, LEN + PAGE);
	test_query(self->dev, &q);
	EXPECT_EQ(LEN + PAGE, q.out_region_bytes);
	close(more);
	test_region_resize(self->fd, LEN + PAGE);
	test_query(self->dev, &q);
	EXPECT_EQ(LEN + PAGE, q.out_region_bytes);
	test_region_resize(self->fd, PAGE);
	test_query(self->dev, &q);
	EXPECT_EQ(PAGE, q.out_region_bytes);
	ASSERT_EQ(0, xmap_write_long(MAX_REGION_BYTES, bytes));
	close(fd);
	close(self->fd);
	test_query(self->dev, &q);
	EXPECT_EQ(0, q.out_regions);
	EXPECT_EQ(0, q.out_region_bytes);
}

TEST_F(region, list)
{
	struct xmap_list_entry top, e;
	void *map;
	int fd;

	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_REGION, getpid(), &top));
	EXPECT_EQ(RIGHTS_RWM, top.rights);
	EXPECT_EQ(LEN, top.length);
	EXPECT_EQ(0, top.parent);
	EXPECT_EQ(0, top.target_pid);
	EXPECT_EQ(XMAP_TARGET_ALIVE, top.state);
	test_region_derive(self->fd, XMAP_RIGHT_READ, PAGE, PAGE, &fd);
	test_region_map(fd, PAGE, PAGE, PROT_READ, &map);
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_REGION, getpid(), &e));
	EXPECT_EQ(XMAP_RIGHT_READ, e.rights);
	EXPECT_EQ(PAGE, e.addr);
	EXPECT_EQ(PAGE, e.length);
	EXPECT_EQ(1, e.count);
	EXPECT_EQ(top.serial, e.parent);
	/* It is there as long as something is mapped. */
	close(fd);
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_REGION, getpid(), &e));
	EXPECT_EQ(top.serial, e.parent);
	ASSERT_EQ(0, munmap(map, PAGE));
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_REGION, getpid(), &e));
	EXPECT_EQ(top.serial, e.serial);
	EXPECT_STREQ("rwm", xmap_fdinfo(self->fd, "xmap-rights"));
	EXPECT_STREQ("0-8000", xmap_fdinfo(self->fd, "xmap-range"));
	EXPECT_STREQ("32768", xmap_fdinfo(self->fd, "xmap-length"));
	EXPECT_STREQ("alive", xmap_fdinfo(self->fd, "xmap-state"));
}

/* Commands of others. */
/* Is this all that is told of a handle without asking it, line by line? */
__attribute__((format(printf, 2, 3)))
static bool fdinfo_is(int fd, const char *format, ...)
{
	char path[64], want[512], text[512] = "", *from;
	va_list args;
	int info;

	va_start(args, format);
	vsnprintf(want, sizeof(want), format, args);
	va_end(args);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0 || read(info, text, sizeof(text) - 1) < 0)
		return false;
	close(info);
	/* Every file has the lines before. */
	from = strstr(text, "xmap-");
	if (from && !strcmp(from, want))
		return true;
	printf("# not\n%s# but\n%s", want, text);
	return false;
}

#define FDINFO "xmap-region:\t%llu\nxmap-range:\t%s\nxmap-rights:\t%s\n"		\
	"xmap-length:\t%lu\nxmap-mappings:\t%u\nxmap-seals:\t%x\n"			\
	"xmap-generation:\t%u\n%sxmap-state:\t%s\n"

TEST_F(region, fdinfo)
{
	const __u32 seals = XMAP_REGION_SEAL_FUTURE_WRITE | XMAP_REGION_SEAL_GROW;
	struct xmap_cmd_region_create cmd = {
		.flags = XMAP_REGION_FIXED_ADDRESS | XMAP_REGION_PUBLISH, .mode = 0600, .gid = -1,
		.length = 2 * PAGE, .reserve = 4 * PAGE, .name = "xmap-fdinfo",
		.addr = XMAP_REGION_ADDRESS_MIN + (1ULL << 32),
	};
	unsigned long long nr = xmap_serial(self->dev, XMAP_LIST_REGION, 0);
	char *map, *other;
	int part, opened;

	EXPECT_TRUE(fdinfo_is(self->fd, FDINFO, nr, "0-8000", "rwm", LEN, 0, 0, 0, "", "alive"));
	/* A part of it, mapped twice, of which one is cut: the number is the region's. */
	test_region_derive(self->fd, XMAP_RIGHT_READ, PAGE + 8, 3 * PAGE, &part);
	test_region_map(part, 2 * PAGE, 2 * PAGE, PROT_READ, &map);
	test_region_map(part, 2 * PAGE, PAGE, PROT_READ, &other);
	ASSERT_EQ(0, munmap(map, PAGE));
	EXPECT_TRUE(fdinfo_is(part, FDINFO, nr, "1008-4008", "r--", LEN, 2, 0, 0, "", "alive"));
	ASSERT_EQ(0, munmap(other, PAGE));

	/* What happens to the region all of its handles tell, each of its own part. */
	test_region_rebind(1, self->fd);
	test_region_rebind(2, self->fd);
	test_region_resize(self->fd, 4 * PAGE);
	test_region_seal(seals, self->fd, seals);
	EXPECT_TRUE(fdinfo_is(part, FDINFO, nr, "1008-4000", "r--", 4 * PAGE, 1, 0x14, 2, "",
			      "alive"));
	ASSERT_EQ(0, munmap(map + PAGE, PAGE));
	test_revoke(part, 0, 0);
	EXPECT_TRUE(fdinfo_is(part, FDINFO, nr, "1008-4000", "r--", 4 * PAGE, 0, 0x14, 2, "",
			      "revoked"));
	test_revoke(self->fd, 0, 0);
	EXPECT_TRUE(fdinfo_is(self->fd, FDINFO, nr, "0-0", "rwm", 0UL, 0, 0x14, 2, "", "revoked"));
	close(part);

	/* With an address and a name; the name can be taken away. */
	test_region_create_cmd(self->dev, &cmd);
	nr = xmap_serial(self->dev, XMAP_LIST_REGION, 0);
	test_region_open(self->dev, XMAP_RIGHT_WRITE, cmd.name, &opened);
	EXPECT_TRUE(fdinfo_is(opened, FDINFO, nr, "0-2000", "-w-", 2 * PAGE, 0, 0, 0,
			      "xmap-address:\t300100000000\nxmap-name:\txmap-fdinfo\n", "alive"));
	test_region_unlink(cmd.out_fd);
	EXPECT_TRUE(fdinfo_is(opened, FDINFO, nr, "0-2000", "-w-", 2 * PAGE, 0, 0, 0,
			      "xmap-address:\t300100000000\n", "alive"));
	close(opened);
	close(cmd.out_fd);
}

TEST_F(region, wrong_kind)
{
	struct xmap_cmd_region_info info;
	int target;

	test_target_open_pid(self->dev, getpid(), XMAP_RIGHT_READ, &target);
	EXPECT_ERRNO(ENOTTY, _test_region_info(target, &info));
	EXPECT_ERRNO(ENOTTY, _test_region_info(self->dev, &info));
	EXPECT_ERRNO(ENOTTY, _test_region_take(target));
	test_err_target_info(ENOTTY, self->fd);
	test_err_export_info(ENOTTY, self->fd);
	EXPECT_ERRNO(EOPNOTSUPP, region_simple(self->fd, XMAP_REGION_UNLINK, 1));
	test_err_region_unlink(ENOENT, self->fd);
	/* A region is nobody's address space. */
	EXPECT_ERRNO(EBADFD, _test_target_open_mem(self->dev, self->fd, 1, 0, 0, &target));
}

TEST_HARNESS_MAIN
