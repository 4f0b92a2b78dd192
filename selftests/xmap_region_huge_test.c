// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions of huge pages: that they are mapped as such; that who may have only a part of
 * one gets no more; and that one which the kernel has in use is left to that use, as
 * small ones are.
 */
#include <liburing.h>
#include <sys/resource.h>

#include "xmap_hold.h"
#include "xmap_region_utils.h"
#include "xmap_zram.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"
#define HUGE (2UL << 20)
#define TWO (2 * HUGE)
#define SINGLE (XMAP_REGION_HUGE | XMAP_REGION_SINGLE_OWNER)

static bool no_huge(void)
{
	return access(THP "shmem_enabled", F_OK);
}

FIXTURE_SETUP(region)
{
	ASSERT_EQ(0, region_begin(self, 0));
	if (no_huge())
		SKIP(return, "no transparent huge pages here");
	/* There are some to be had. */
	ASSERT_EQ(0, xmap_write_file(THP "defrag", "always"));
	ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/drop_caches", "3"));
	ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/compact_memory", "1"));
}

FIXTURE_TEARDOWN(region)
{
	region_end(self);
	if (!no_huge())
		xmap_write_file(THP "defrag", "madvise");
}

/* Bytes of the mapping that begins at @map which are mapped by entries for huge pages. */
static long mapped_huge(const void *map)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	bool inside = false;
	unsigned long start;
	char line[512];
	long kb = -1;

	if (!file)
		return -1;
	while (kb < 0 && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%*x %*4c", &start) == 1 && strchr(line, '-'))
			inside = start == (unsigned long)map;
		if (inside)
			sscanf(line, "ShmemPmdMapped: %ld", &kb);
	}
	fclose(file);
	return kb < 0 ? -1 : kb << 10;
}

static long op_mapped_huge(const unsigned long *a)
{
	return mapped_huge((void *)a[0]);
}

/* A mapping of all of a region of whole huge pages, which it has. */
#define test_map_huge(fd, len, out)						\
	({									\
		void **__out = (void **)(out);					\
		test_region_map(fd, 0, len, RW, __out);				\
		EXPECT_EQ(0UL, (unsigned long)*__out % HUGE);			\
		peer_fill_here(*__out, len, 1);					\
		EXPECT_EQ((long)(len), mapped_huge(*__out));			\
	})

/* A page of @map in a new pipe. */
static int pipe_with(int pipefd[2], void *map)
{
	struct iovec iov = { .iov_base = map, .iov_len = PAGE };

	return pipe(pipefd) || vmsplice(pipefd[1], &iov, 1, 0) != (ssize_t)PAGE ? -1 : 0;
}

static void pipe_end(int pipefd[2])
{
	close(pipefd[0]);
	close(pipefd[1]);
}

/* ---- Huge where it can be ---- */

TEST(create)
{
	struct xmap_cmd_region_info info;
	int dev, fd;

	test_dev_open(&dev);
	if (no_huge()) {
		test_err_region_create(EOPNOTSUPP, dev, XMAP_REGION_HUGE, TWO);
		return;
	}
	test_region_create(dev, XMAP_REGION_HUGE, TWO, &fd);
	test_region_info(fd, &info);
	EXPECT_EQ(XMAP_REGION_HUGE, info.out_flags);
	EXPECT_EQ(TWO, info.out_length);
	close(fd);
	close(dev);
}

TEST_F(region, mapped_as_huge)
{
	void *map, *part, *tail;
	int fd;

	test_region_create(self->dev, XMAP_REGION_HUGE, TWO + 4 * PAGE, &fd);
	test_map_huge(fd, TWO, &map);
	/* One touch is enough, wherever it is. */
	ASSERT_EQ(0, munmap(map, TWO));
	test_region_map(fd, 0, TWO + 4 * PAGE, RW, &map);
	EXPECT_LOAD(peer_word(1, 3 * PAGE), (char *)map + 3 * PAGE);
	EXPECT_EQ((long)HUGE, mapped_huge(map));
	EXPECT_EQ(0, peer_check_here(map, TWO, 1));
	EXPECT_EQ((long)TWO, mapped_huge(map));
	/* What does not fill one has small ones; and so has who maps only some of one. */
	EXPECT_STORE(7, (char *)map + TWO);
	EXPECT_EQ((long)TWO, mapped_huge(map));
	test_region_map(fd, TWO, 4 * PAGE, RW, &tail);
	EXPECT_LOAD(7, tail);
	test_region_map(fd, PAGE, HUGE, RW, &part);
	EXPECT_LOAD(peer_word(1, PAGE), part);
	EXPECT_EQ(0, mapped_huge(part));
	EXPECT_EQ((ssize_t)PAGE, pread(fd, part, PAGE, HUGE));
	EXPECT_EQ(0, memcmp(part, (char *)map + HUGE, PAGE));
	close(fd);
}

TEST_F(region, mapping_cut)
{
	pid_t child;
	int status, fd;
	char *map;

	test_region_create(self->dev, XMAP_REGION_HUGE, TWO, &fd);
	test_map_huge(fd, TWO, &map);
	ASSERT_EQ(0, mprotect(map + PAGE, PAGE, PROT_READ));
	EXPECT_STORE_SIGNAL(SIGSEGV, map + PAGE);
	EXPECT_EQ(0, peer_check_here(map, TWO, 1));
	ASSERT_EQ(0, mprotect(map + PAGE, PAGE, RW));
	ASSERT_EQ(0, munmap(map + HUGE + PAGE, PAGE));
	EXPECT_EQ(0, peer_check_here(map, HUGE, 1));
	fflush(NULL);
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(peer_check_here(map, HUGE, 1) ? 1 : 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	close(fd);
}

TEST_F(region, fixed_address)
{
	struct xmap_cmd_region_create cmd = {
		.flags = XMAP_REGION_HUGE | XMAP_REGION_FIXED_ADDRESS,
		.length = TWO,
	};
	void *map;

	test_region_create_cmd(self->dev, &cmd);
	test_map_huge(cmd.out_fd, TWO, &map);
	EXPECT_EQ(cmd.out_addr, (__u64)(unsigned long)map);
	close(cmd.out_fd);
}

/* ---- A part is revoked ---- */

TEST_F(region, revoke_part)
{
	char *map, *derived;
	unsigned long at;
	int fd, part;

	test_region_create(self->dev, XMAP_REGION_HUGE, TWO, &fd);
	test_region_derive(fd, XMAP_RIGHTS_RW, 0, 0, &part);
	test_map_huge(fd, TWO, &map);
	test_region_map(part, 0, TWO, RW, &derived);
	EXPECT_EQ(0, peer_check_here(derived, TWO, 1));
	EXPECT_EQ((long)TWO, mapped_huge(derived));
	test_revoke(part, HUGE + 2 * PAGE, PAGE);
	for (at = 0; at < TWO; at += PAGE)
		ASSERT_EQ(at == HUGE + 2 * PAGE ? SIGBUS : 0, touch(derived + at));
	/* One by an entry for all of it, the other not; and nobody else has lost anything. */
	EXPECT_EQ((long)HUGE, mapped_huge(derived));
	EXPECT_EQ(0, peer_check_here(map, TWO, 1));
	EXPECT_EQ((long)TWO, mapped_huge(map));
	EXPECT_STORE(1, derived + HUGE);
	EXPECT_LOAD(1, map + HUGE);
	test_revoke(part, 0, 0);
	EXPECT_SIGNAL(SIGBUS, derived);
	EXPECT_SIGNAL(SIGBUS, derived + HUGE);
	EXPECT_LOAD(1, map + HUGE);
	close(part);
	close(fd);
}

/* The first who comes has a part of it alone; then comes one who has all. */
TEST_F(region, derived_part)
{
	char *map, *derived;
	int fd, part;

	test_region_create(self->dev, XMAP_REGION_HUGE, HUGE, &fd);
	test_region_derive(fd, XMAP_RIGHTS_RW, 4 * PAGE, 2 * PAGE, &part);
	test_region_map(part, 4 * PAGE, 2 * PAGE, RW, &derived);
	peer_fill_here(derived, 2 * PAGE, 3);
	EXPECT_EQ(0, mapped_huge(derived));
	test_region_map(fd, 0, HUGE, RW, &map);
	EXPECT_EQ(0, peer_check_here(map + 4 * PAGE, 2 * PAGE, 3));
	EXPECT_EQ((long)HUGE, mapped_huge(map));
	EXPECT_LOAD(0, map + 6 * PAGE);
	test_revoke(part, 0, 0);
	EXPECT_SIGNAL(SIGBUS, derived);
	EXPECT_EQ(0, peer_check_here(map + 4 * PAGE, 2 * PAGE, 3));
	close(part);
	close(fd);
}

/* ---- It is in use when it is taken away ---- */

TEST_F(region, give_while_in_a_pipe)
{
	static char buf[PAGE];
	long theirs, peers;
	int fd, pipefd[2];
	char *map;

	test_region_create(self->dev, SINGLE, TWO, &fd);
	test_map_huge(fd, TWO, &map);
	peers = give(fd);
	theirs = peer_call(&self->peer, op_region_map, peers, 0, TWO, RW);
	ASSERT_NE(-1, theirs);
	ASSERT_EQ(0, pipe_with(pipefd, map + HUGE + 5 * PAGE));
	test_region_give(fd);
	EXPECT_SIGNAL(SIGBUS, map);
	EXPECT_SIGNAL(SIGBUS, map + HUGE);
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, peers, XMAP_REGION_TAKE));
	EXPECT_EQ(0, peer_check(&self->peer, theirs, TWO, 1));
	EXPECT_LE((long)HUGE, peer_call(&self->peer, op_mapped_huge, theirs));
	ASSERT_EQ(0, peer_fill(&self->peer, theirs, TWO, 2));
	/* What is in the pipe is what it was when it was given. */
	ASSERT_EQ((ssize_t)PAGE, read(pipefd[0], buf, PAGE));
	EXPECT_EQ(peer_word(1, HUGE + 5 * PAGE), *(__u64 *)buf);
	EXPECT_EQ(0, peer_check(&self->peer, theirs, TWO, 2));
	pipe_end(pipefd);
	/* The next time nobody holds it: it stays what it is. */
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, peers, XMAP_REGION_GIVE));
	test_region_take(fd);
	EXPECT_EQ(0, peer_check_here(map, TWO, 2));
	close(fd);
}

/* Reads that a registered buffer of the old owner is for do not reach the new one. */
TEST_F(region, give_while_registered)
{
	static char buf[PAGE];
	struct iovec iov = { .iov_len = TWO };
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	long theirs, peers;
	int fd, pipefd[2];
	char *map;

	test_region_create(self->dev, SINGLE, TWO, &fd);
	test_map_huge(fd, TWO, &map);
	iov.iov_base = map;
	ASSERT_EQ(0, io_uring_queue_init(8, &ring, 0));
	ASSERT_EQ(region_registers() ? 0 : -EOPNOTSUPP, io_uring_register_buffers(&ring, &iov, 1));
	if (!region_registers())
		return;
	peers = give(fd);
	theirs = peer_call(&self->peer, op_region_map, peers, 0, TWO, RW);
	ASSERT_NE(-1, theirs);
	test_region_give(fd);
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, peers, XMAP_REGION_TAKE));
	EXPECT_EQ(0, peer_check(&self->peer, theirs, TWO, 1));
	ASSERT_EQ(0, pipe(pipefd));
	memset(buf, 'r', PAGE);
	ASSERT_EQ((ssize_t)PAGE, write(pipefd[1], buf, PAGE));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read_fixed(sqe, pipefd[0], map + HUGE, PAGE, 0, 0);
	ASSERT_EQ(1, io_uring_submit(&ring));
	ASSERT_EQ(0, io_uring_wait_cqe(&ring, &cqe));
	EXPECT_EQ((int)PAGE, cqe->res);
	io_uring_cqe_seen(&ring, cqe);
	EXPECT_EQ(0, peer_check(&self->peer, theirs, TWO, 1));
	io_uring_queue_exit(&ring);
	pipe_end(pipefd);
	close(fd);
}

struct direct_read {
	int fd;
	void *to;
};

static void *direct_read(void *arg)
{
	const struct direct_read *what = arg;

	return (void *)pread(what->fd, what->to, PAGE, 0);
}

/* A direct read that is under way from a file system which answers when we say so. */
static void direct_io_during_give(struct __test_metadata *_metadata, REGION *self, __u32 flags,
				  size_t len)
{
	struct direct_read what;
	struct hold hold;
	long theirs, fd;
	pthread_t thread;
	char *map;
	void *got;
	int ours;

	test_region_create(self->dev, flags | XMAP_REGION_SINGLE_OWNER, len, &ours);
	test_region_map(ours, 0, len, RW, &map);
	peer_fill_here(map, len, 1);
	fd = give(ours);
	theirs = peer_call(&self->peer, op_region_map, fd, 0, len, RW);
	ASSERT_NE(-1, theirs);
	ASSERT_EQ(0, hold_setup(&hold, &self->peer));
	what = (struct direct_read){
		.fd = open(HOLD_PATH, O_RDONLY | O_DIRECT | O_CLOEXEC),
		.to = map + len - PAGE,
	};
	ASSERT_LE(0, what.fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, direct_read, &what));
	peer_await(&peer_ctl->word[HOLD_ASKED], 1);
	/* It is not waited for. */
	test_region_give(ours);
	ASSERT_EQ(0, peer_call(&self->peer, op_region_simple, fd, XMAP_REGION_TAKE));
	EXPECT_EQ(0, peer_check(&self->peer, theirs, len, 1));
	peer_set(&peer_ctl->word[HOLD_ANSWER], 1);
	ASSERT_EQ(0, pthread_join(thread, &got));
	/* It was read, but to where nobody has the region any more. */
	EXPECT_EQ((long)PAGE, (long)got);
	EXPECT_EQ(0, peer_check(&self->peer, theirs, len, 1));
	close(what.fd);
	hold_end(&hold);
	close(ours);
}

TEST_F(region, give_under_direct_io)
{
	direct_io_during_give(_metadata, self, XMAP_REGION_HUGE, TWO);
}

TEST(give_under_direct_io)
{
	REGION self;

	ASSERT_EQ(0, region_begin(&self, 0));
	direct_io_during_give(_metadata, &self, 0, LEN);
	region_end(&self);
}

/* Of a handle that is revoked in part: who has the rest keeps it, and the content. */
TEST_F(region, revoke_while_in_a_pipe)
{
	static char buf[PAGE];
	int fd, part, pipefd[2];
	char *map, *derived;

	test_region_create(self->dev, XMAP_REGION_HUGE, TWO, &fd);
	test_region_derive(fd, XMAP_RIGHTS_RW, 0, 0, &part);
	test_map_huge(fd, TWO, &map);
	test_region_map(part, 0, TWO, RW, &derived);
	EXPECT_LOAD(peer_word(1, 0), derived);
	ASSERT_EQ(0, pipe_with(pipefd, derived + 7 * PAGE));
	test_revoke(part, PAGE, PAGE);
	EXPECT_EQ(0, peer_check_here(map, TWO, 1));
	peer_fill_here(map, TWO, 2);
	EXPECT_LOAD(peer_word(2, 0), derived);
	EXPECT_SIGNAL(SIGBUS, derived + PAGE);
	EXPECT_LOAD(peer_word(2, 2 * PAGE), derived + 2 * PAGE);
	ASSERT_EQ((ssize_t)PAGE, read(pipefd[0], buf, PAGE));
	EXPECT_EQ(peer_word(1, 7 * PAGE), *(__u64 *)buf);
	pipe_end(pipefd);
	close(part);
	close(fd);
}

/* Nor does it matter that there is no more memory to be committed: that has been. */
TEST_F(region, give_with_all_memory_committed)
{
	int fd, pipefd[2];
	char *map;

	test_region_create(self->dev, SINGLE, TWO, &fd);
	test_map_huge(fd, TWO, &map);
	ASSERT_EQ(0, pipe_with(pipefd, map));
	ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/overcommit_kbytes", "1"));
	ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/overcommit_memory", "2"));
	EXPECT_EQ(0, _test_region_give(fd));
	test_err_region_create(ENOMEM, self->dev, XMAP_REGION_HUGE, HUGE);
	ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/overcommit_memory", "0"));
	ASSERT_EQ(0, xmap_write_file("/proc/sys/vm/overcommit_ratio", "50"));
	test_region_take(fd);
	EXPECT_EQ(0, peer_check_here(map, TWO, 1));
	pipe_end(pipefd);
	close(fd);
}

/* ---- Its length changes ---- */

TEST_F(region, resize)
{
	static char buf[PAGE];
	int fd, kept[2], cut[2];
	char *map;

	test_region_create(self->dev, XMAP_REGION_HUGE, TWO, &fd);
	test_map_huge(fd, TWO, &map);
	ASSERT_EQ(0, pipe_with(kept, map + HUGE + PAGE));
	ASSERT_EQ(0, pipe_with(cut, map + HUGE + 9 * PAGE));
	/* In the middle of a huge page that is held. */
	test_region_resize(fd, HUGE + 3 * PAGE);
	EXPECT_EQ(0, peer_check_here(map, HUGE + 3 * PAGE, 1));
	EXPECT_SIGNAL(SIGBUS, map + HUGE + 3 * PAGE);
	EXPECT_SIGNAL(SIGBUS, map + TWO - PAGE);
	test_region_resize(fd, TWO);
	EXPECT_EQ(0, peer_check_here(map, HUGE + 3 * PAGE, 1));
	EXPECT_LOAD(0, map + HUGE + 3 * PAGE);
	EXPECT_LOAD(0, map + HUGE + 9 * PAGE);
	EXPECT_STORE(5, map + HUGE + 9 * PAGE);
	ASSERT_EQ((ssize_t)PAGE, read(cut[0], buf, PAGE));
	EXPECT_NE(5, *(__u64 *)buf);
	pipe_end(kept);
	pipe_end(cut);
	/* And of one that nobody holds; then on a border. */
	ASSERT_EQ(0, munmap(map, TWO));
	test_region_rebind(1, fd);
	test_map_huge(fd, TWO, &map);
	test_region_resize(fd, PAGE);
	EXPECT_SIGNAL(SIGBUS, map + PAGE);
	EXPECT_SIGNAL(SIGBUS, map + HUGE);
	test_region_resize(fd, HUGE);
	EXPECT_LOAD(peer_word(1, 8), map + 8);
	EXPECT_LOAD(0, map + PAGE);
	EXPECT_SIGNAL(SIGBUS, map + HUGE);
	close(fd);
}

TEST_F(region, length_limits)
{
	struct rlimit old, limit = { .rlim_cur = TWO };
	struct xmap_cmd_region_info info;
	struct xmap_cmd_query q;
	int fd;

	/* More than there can be; nothing of it is charged. */
	test_err_region_create(ENOMEM, self->dev, XMAP_REGION_HUGE, 1UL << 39);
	test_region_create(self->dev, XMAP_REGION_HUGE, HUGE, &fd);
	test_err_region_resize(ENOMEM, fd, 1UL << 39);
	test_query(self->dev, &q);
	EXPECT_EQ(LEN + HUGE, q.out_region_bytes);
	ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &old));
	limit.rlim_max = old.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	ASSERT_NE(SIG_ERR, signal(SIGXFSZ, SIG_IGN));
	test_err_region_resize(EFBIG, fd, TWO + PAGE);
	test_region_resize(fd, TWO);
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &old));
	test_region_info(fd, &info);
	EXPECT_EQ(TWO, info.out_length);
	test_query(self->dev, &q);
	EXPECT_EQ(LEN + TWO, q.out_region_bytes);
	test_region_resize(fd, PAGE);
	test_query(self->dev, &q);
	EXPECT_EQ(LEN + PAGE, q.out_region_bytes);
	close(fd);
}

/* New pages, whoever has hold of the old. */
TEST_F(region, rebind)
{
	static char buf[PAGE];
	int fd, pipefd[2];
	char *map;

	test_region_create(self->dev, XMAP_REGION_HUGE, TWO, &fd);
	test_map_huge(fd, TWO, &map);
	ASSERT_EQ(0, pipe_with(pipefd, map + PAGE));
	test_region_rebind(1, fd);
	EXPECT_LOAD(0, map + PAGE);
	EXPECT_STORE(5, map + PAGE);
	ASSERT_EQ((ssize_t)PAGE, read(pipefd[0], buf, PAGE));
	EXPECT_EQ(peer_word(1, PAGE), *(__u64 *)buf);
	pipe_end(pipefd);
	close(fd);
}

/* ---- Swap, and who pays ---- */

TEST_F(region, swap)
{
	char *dev = zram_swap_new(64 << 20), *map, *derived;
	unsigned char vec[TWO / PAGE];
	int fd, part, i, out = 0;

	ASSERT_NE(NULL, dev);
	test_region_create(self->dev, XMAP_REGION_HUGE, TWO, &fd);
	test_region_derive(fd, XMAP_RIGHTS_RW, 0, 0, &part);
	test_map_huge(fd, TWO, &map);
	ASSERT_EQ(0, madvise(map, TWO, MADV_PAGEOUT));
	ASSERT_EQ(0, mincore(map, TWO, vec));
	for (i = 0; i < (int)(TWO / PAGE); i++)
		out += !(vec[i] & 1);
	EXPECT_LT(0, out);
	test_region_map(part, 0, TWO, RW, &derived);
	test_revoke(part, PAGE, PAGE);
	EXPECT_SIGNAL(SIGBUS, derived + PAGE);
	EXPECT_LOAD(peer_word(1, 2 * PAGE), derived + 2 * PAGE);
	EXPECT_EQ(0, peer_check_here(map, TWO, 1));
	EXPECT_EQ(0, zram_swap_end(dev));
	EXPECT_EQ(0, peer_check_here(map, TWO, 1));
	close(part);
	close(fd);
}

/* Who takes pages away pays for the copies, whoever had paid for the pages. */
TEST_F(region, memory_cgroup)
{
	long fd, theirs, before, with, pipes;
	int ours, part, i;
	char *map;

	ASSERT_EQ(0, region_cgroup_new());
	ASSERT_EQ(0, peer_call(&self->peer, op_cgroup_join, 0));
	test_region_create(self->dev, XMAP_REGION_HUGE, TWO, &ours);
	test_region_derive(ours, XMAP_RIGHTS_RW, 0, 0, &part);
	fd = give(part);
	theirs = peer_call(&self->peer, op_region_map, fd, 0, TWO, RW);
	ASSERT_NE(-1, theirs);
	before = xmap_read_long(GROUP "/memory.current");
	ASSERT_EQ(0, peer_fill(&self->peer, theirs, TWO, 1));
	with = xmap_read_long(GROUP "/memory.current");
	EXPECT_LE((long)TWO, with - before + (256 << 10));
	test_region_map(ours, 0, TWO, RW, &map);
	for (i = 0; i < 2; i++) {
		int pipefd[2];

		ASSERT_EQ(0, pipe_with(pipefd, map + i * HUGE));
		test_revoke(part, i * HUGE, PAGE);
		pipe_end(pipefd);
	}
	pipes = xmap_read_long(GROUP "/memory.current");
	EXPECT_GE(256 << 10, pipes - before);
	EXPECT_EQ(0, peer_check_here(map, TWO, 1));
	close(part);
	close(ours);
	ASSERT_EQ(0, munmap(map, TWO));
	peer_end(&self->peer);
	EXPECT_EQ(0, rmdir(GROUP));
}

TEST_HARNESS_MAIN
