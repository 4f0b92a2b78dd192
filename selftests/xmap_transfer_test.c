// SPDX-License-Identifier: GPL-2.0-only
/*
 * XMAP_TRANSFER: many copies in one call, each with a result of its own.
 */
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/time.h>

#include "xmap_watch.h"

#define PAGES 8
#define SEED 11

FIXTURE(transfer)
{
	int dev;
	long page;
	struct peer peer[2];
	unsigned long mem[2];
	int fd[2];
	/* Two pages, and nothing behind them. */
	char *local;
};

FIXTURE_SETUP(transfer)
{
	int i;

	self->page = xmap_page_size();
	test_dev_open(&self->dev);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peer_spawn(&self->peer[i]));
		self->mem[i] = peer_map(&self->peer[i], PEER_ANON,
					PROT_READ | PROT_WRITE,
					(PAGES + 1) * self->page, SEED + i);
		ASSERT_NE(PEER_MAP_FAILED, self->mem[i]);
		ASSERT_EQ(0, peer_munmap(&self->peer[i],
					 self->mem[i] + PAGES * self->page,
					 self->page));
		test_target_open(self->dev, self->peer[i].pidfd, self->peer[i].pid,
				 XMAP_RIGHTS_ALL, 0, 0, &self->fd[i]);
	}
	self->local = mmap(NULL, 3 * self->page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->local);
	ASSERT_EQ(0, mprotect(self->local + 2 * self->page, self->page, PROT_NONE));
}

FIXTURE_TEARDOWN(transfer)
{
	int i;

	for (i = 0; i < 2; i++) {
		close(self->fd[i]);
		peer_end(&self->peer[i]);
	}
	close(self->dev);
}

#define READ_ENTRY(f, r, l, len)                                               \
	{ .fd = (f), .remote = (r), .local = (uintptr_t)(l), .length = (len),  \
	  .out_result = XMAP_UNTOUCHED }
#define WRITE_ENTRY(f, r, l, len)                                              \
	{ .fd = (f), .flags = XMAP_TRANSFER_WRITE, .remote = (r),              \
	  .local = (uintptr_t)(l), .length = (len), .out_result = XMAP_UNTOUCHED }

TEST_F(transfer, both_directions_two_targets)
{
	__u64 in[4] = {}, out[2] = { 0x1111, 0x2222 };
	struct xmap_transfer e[] = {
		READ_ENTRY(self->fd[0], self->mem[0] + 8, &in[0], 8),
		READ_ENTRY(self->fd[1], self->mem[1] + 8, &in[1], 8),
		WRITE_ENTRY(self->fd[0], self->mem[0] + 16, &out[0], 8),
		WRITE_ENTRY(self->fd[1], self->mem[1] + 16, &out[1], 8),
		READ_ENTRY(self->fd[0], self->mem[0] + 16, &in[2], 8),
		READ_ENTRY(self->fd[1], self->mem[1] + 16, &in[3], 8),
		READ_ENTRY(self->fd[0], self->mem[0], self->local, 2 * self->page),
	};
	size_t i;

	test_transfer(self->dev, e, ARRAY_SIZE(e));
	for (i = 0; i < 6; i++)
		EXPECT_EQ(8, e[i].out_result);
	EXPECT_EQ(2 * self->page, e[6].out_result);
	EXPECT_EQ(peer_word(SEED, 8), in[0]);
	EXPECT_EQ(peer_word(SEED + 1, 8), in[1]);
	EXPECT_EQ(0x1111, in[2]);
	EXPECT_EQ(0x2222, in[3]);
	EXPECT_EQ(0x1111, ((__u64 *)self->local)[2]);
	EXPECT_EQ(0x1111, peer_load(&self->peer[0], self->mem[0] + 16));
	EXPECT_EQ(0x2222, peer_load(&self->peer[1], self->mem[1] + 16));
}

/* Every wrong entry has its own result, and the right ones beside it are done. */
TEST_F(transfer, results)
{
	unsigned long mem = self->mem[0], end = mem + PAGES * self->page;
	int ro, narrow, closed, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct xmap_cmd_region_create region = {
		.size = sizeof(region),
		.length = self->page,
	};
	__u64 in = 0, out = 5;
	struct {
		struct xmap_transfer e;
		long long result;
	} c[48];
	struct xmap_transfer e[48];
	unsigned int n = 0, i;

	test_target_open(self->dev, self->peer[0].pidfd, self->peer[0].pid,
			 XMAP_RIGHT_READ, 0, 0, &ro);
	test_target_derive(self->fd[0], XMAP_RIGHTS_RW, mem + 8, 8, &narrow);
	ASSERT_EQ(0, ioctl(self->dev, XMAP_REGION_CREATE, &region));
	closed = dup(ro);
	close(closed);

#define CASE(res, ...)                                                         \
	do {                                                                   \
		c[n].e = (struct xmap_transfer)__VA_ARGS__;                    \
		c[n++].result = (res);                                         \
	} while (0)
#define FLAGS(fl, f, r, l, len)                                                \
	{ .fd = (f), .flags = (fl), .remote = (r), .local = (uintptr_t)(l),    \
	  .length = (len), .out_result = XMAP_UNTOUCHED }
	CASE(8, READ_ENTRY(self->fd[0], mem, &in, 8));
	CASE(-EBADF, READ_ENTRY(closed, mem, &in, 8));
	CASE(-EBADF, READ_ENTRY(-1, mem, &in, 8));
	CASE(-EBADF, READ_ENTRY(INT_MAX, mem, &in, 8));
	CASE(-EBADFD, READ_ENTRY(null, mem, &in, 8));
	CASE(-EBADFD, READ_ENTRY(self->dev, mem, &in, 8));
	CASE(-EBADFD, READ_ENTRY(self->peer[0].pidfd, mem, &in, 8));
	/* It has read(2) and write(2) of its own. */
	CASE(-EBADFD, READ_ENTRY(region.out_fd, 0, &in, 8));
	CASE(-EBADFD, WRITE_ENTRY(region.out_fd, 0, &out, 8));
	CASE(-EBADFD, READ_ENTRY(region.out_fd, mem, &in, 0));
	CASE(8, READ_ENTRY(self->fd[0], mem, &in, 8));
	CASE(0, READ_ENTRY(self->fd[0], mem, &in, 0));
	CASE(0, READ_ENTRY(self->fd[0], 0, NULL, 0));
	CASE(-EFAULT, READ_ENTRY(self->fd[0], end, &in, 8));
	CASE(-EFAULT, READ_ENTRY(self->fd[0], 0, &in, 8));
	CASE(3, READ_ENTRY(self->fd[0], end - 3, &in, 8));
	CASE(-EFAULT, READ_ENTRY(self->fd[0], 0x7ffffffff000, &in, 8));
	CASE(-EFAULT, READ_ENTRY(self->fd[0], 0xffff888000000000, &in, 8));
	CASE(-EFAULT, READ_ENTRY(self->fd[0], 0x8000000000000000, &in, 8));
	CASE(-EFAULT, READ_ENTRY(self->fd[0], -8UL, &in, 7));
	CASE(-EOVERFLOW, READ_ENTRY(self->fd[0], -8UL, &in, 16));
	CASE(-EOVERFLOW, READ_ENTRY(self->fd[0], -1UL, &in, 4096));
	CASE(-EFAULT, READ_ENTRY(self->fd[0], mem, 8, 8));
	CASE(-EFAULT, READ_ENTRY(self->fd[0], mem, self->local + 2 * self->page, 8));
	CASE(-EFAULT, READ_ENTRY(self->fd[0], mem, 0xffff888000000000, 8));
	CASE(-EFAULT, READ_ENTRY(self->fd[0], mem, -8UL, 8));
	CASE(-EFAULT, READ_ENTRY(self->fd[0], mem, -8UL, 64));
	CASE(-EFAULT, WRITE_ENTRY(self->fd[0], mem, self->local + 2 * self->page, 8));
	CASE(16, READ_ENTRY(self->fd[0], mem, self->local + 2 * self->page - 16, 64));
	CASE(-EACCES, WRITE_ENTRY(ro, mem, &out, 8));
	CASE(8, READ_ENTRY(ro, mem, &in, 8));
	CASE(-EACCES, READ_ENTRY(narrow, mem, &in, 8));
	CASE(8, READ_ENTRY(narrow, mem + 8, &in, 8));
	CASE(4, READ_ENTRY(narrow, mem + 12, &in, 8));
	CASE(-EACCES, READ_ENTRY(narrow, mem + 16, &in, 1));
	/* The right and the flag are both needed, and the flag only for writing. */
	CASE(-EACCES, FLAGS(XMAP_TRANSFER_WRITE | XMAP_TRANSFER_FORCE, narrow,
			    mem + 8, &out, 8));
	CASE(-EINVAL, FLAGS(XMAP_TRANSFER_FORCE, self->fd[0], mem, &in, 8));
	CASE(-EOPNOTSUPP, FLAGS(4, self->fd[0], mem, &in, 8));
	CASE(-EOPNOTSUPP, FLAGS(0x80000000 | XMAP_TRANSFER_WRITE, self->fd[0],
				mem, &out, 8));
	CASE(8, FLAGS(XMAP_TRANSFER_WRITE | XMAP_TRANSFER_FORCE, self->fd[0],
		      mem + 64, &out, 8));
	CASE(8, READ_ENTRY(self->fd[1], self->mem[1], &in, 8));
#undef CASE
#undef FLAGS

	ASSERT_LE(n, ARRAY_SIZE(e));
	for (i = 0; i < n; i++)
		e[i] = c[i].e;
	test_transfer(self->dev, e, n);
	for (i = 0; i < n; i++)
		EXPECT_EQ(c[i].result, e[i].out_result)
		{
			TH_LOG("entry %u", i);
		}
	EXPECT_EQ(5, peer_load(&self->peer[0], self->mem[0] + 64));
	EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->peer[0], self->mem[0]));

	/* Each of them alone has the same result: no entry leans on another. */
	for (i = 0; i < n; i++) {
		struct xmap_transfer one = c[i].e;

		test_transfer(self->dev, &one, 1);
		EXPECT_EQ(c[i].result, one.out_result)
		{
			TH_LOG("entry %u alone", i);
		}
	}
	/* Nor has anything been written to it. */
	EXPECT_EQ(8, pread(region.out_fd, &in, 8, 0));
	EXPECT_EQ(0, in);
	close(region.out_fd);
	close(null);
	close(narrow);
	close(ro);
}

TEST_F(transfer, entries_are_read_only_but_for_the_result)
{
	__u64 in;
	struct xmap_transfer before = READ_ENTRY(self->fd[0], self->mem[0], &in, 8);
	struct xmap_transfer e = before;

	test_transfer(self->dev, &e, 1);
	EXPECT_EQ(0, memcmp(&before, &e, offsetof(struct xmap_transfer, out_result)));
}

TEST_F(transfer, one_after_another)
{
	__u64 *chain = mmap(NULL, 64 * self->page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t step = self->page / 8;
	struct xmap_transfer e[63];
	int fd, i;

	/* On oneself: each entry reads what the one before it wrote. */
	ASSERT_NE(MAP_FAILED, (void *)chain);
	test_target_open_pid(self->dev, getpid(), XMAP_RIGHTS_RW, &fd);
	chain[0] = 0xc0ffee;
	for (i = 0; i < 63; i++)
		e[i] = (struct xmap_transfer)READ_ENTRY(fd, (long)(chain + i * step),
							chain + (i + 1) * step, 8);
	test_transfer(self->dev, e, 63);
	for (i = 0; i < 63; i++) {
		ASSERT_EQ(8, e[i].out_result);
		ASSERT_EQ(0xc0ffee, chain[(i + 1) * step])
		{
			TH_LOG("link %d", i);
		}
	}

	memset(chain, 0, 64 * self->page);
	chain[0] = 0xbeef;
	for (i = 0; i < 63; i++)
		e[i] = (struct xmap_transfer)WRITE_ENTRY(fd,
							 (long)(chain + (i + 1) * step),
							 chain + i * step, 8);
	test_transfer(self->dev, e, 63);
	EXPECT_EQ(0xbeef, chain[63 * step]);
	close(fd);
	munmap(chain, 64 * self->page);
}

/* The two sides of a copy on oneself may overlap; nothing else may suffer. */
TEST_F(transfer, overlapping_on_oneself)
{
	size_t len = 16 * self->page;
	char *mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct xmap_transfer e[2];
	int fd;

	ASSERT_NE(MAP_FAILED, (void *)mem);
	memset(mem, 'm', len);
	mem[0] = 'A';
	mem[len - 1] = 'Z';
	test_target_open_pid(self->dev, getpid(), XMAP_RIGHTS_RW, &fd);
	e[0] = (struct xmap_transfer)READ_ENTRY(fd, (long)mem + 1, mem + 3, len - 4);
	e[1] = (struct xmap_transfer)WRITE_ENTRY(fd, (long)mem + 1, mem + 3, len - 4);
	test_transfer(self->dev, e, 2);
	EXPECT_EQ(len - 4, e[0].out_result);
	EXPECT_EQ(len - 4, e[1].out_result);
	EXPECT_EQ('A', mem[0]);
	EXPECT_EQ('Z', mem[len - 1]);
	EXPECT_EQ('m', mem[len / 2]);
	/* Onto itself. */
	e[0] = (struct xmap_transfer)READ_ENTRY(fd, (long)mem, mem, len);
	test_transfer(self->dev, e, 1);
	EXPECT_EQ(len, e[0].out_result);
	EXPECT_EQ('A', mem[0]);
	close(fd);
	munmap(mem, len);
}

/* A write whose source is not there, or ends early, changes nothing else. */
TEST_F(transfer, failed_writes_change_nothing)
{
	unsigned long mem = self->mem[0], at;
	char *end = self->local + 2 * self->page;
	struct xmap_transfer e[] = {
		WRITE_ENTRY(self->fd[0], mem, end, 64),
		WRITE_ENTRY(self->fd[0], mem + 64, end, 64),
		WRITE_ENTRY(self->fd[0], mem + 128, end - 8, 64),
		WRITE_ENTRY(self->fd[0], mem + 192, NULL, 64),
		WRITE_ENTRY(self->fd[0], mem + self->page, end, 2 * self->page),
		WRITE_ENTRY(self->fd[0], mem + 3 * self->page, end - 8, 2 * self->page),
	};
	struct xmap_transfer one;
	size_t i;

	memset(end - 8, 'z', 8);
	test_transfer(self->dev, e, ARRAY_SIZE(e));
	for (i = 0; i < ARRAY_SIZE(e); i++) {
		EXPECT_EQ(i == 2 || i == 5 ? 8 : -EFAULT, e[i].out_result);
		one = e[i];
		test_transfer(self->dev, &one, 1);
		EXPECT_EQ(e[i].out_result, one.out_result);
	}
	for (at = 0; at < (unsigned long)(PAGES * self->page); at += 8) {
		__u64 want = peer_word(SEED, at);

		if (at == 128 || at == (unsigned long)(3 * self->page))
			memset(&want, 'z', 8);
		ASSERT_EQ(want, peer_load(&self->peer[0], mem + at))
		{
			TH_LOG("offset %#lx", at);
		}
	}
}

/* ---- Arrays ---- */

TEST_F(transfer, array_ends_in_unmapped_memory)
{
	struct xmap_transfer *end = (void *)(self->local + 2 * self->page);
	const unsigned int there[] = { 1, 2, 31, 32, 33, 64, 65, 100 };
	const __u32 more[] = { 1, 1000, 0xffffff00 };
	__u32 done;
	size_t i, j, k;
	__u64 in;

	/* Nothing of the array, and not even all of its first entry. */
	test_err_transfer(EFAULT, self->dev, end, 1);
	test_err_transfer(EFAULT, self->dev, (void *)((char *)end - 39), 1);
	test_err_transfer(EFAULT, self->dev, NULL, 1);
	test_err_transfer(EFAULT, self->dev, (void *)0xffff888000000000, 1);
	test_err_transfer(EFAULT, self->dev, (void *)-40L, 1);
	test_err_transfer(EFAULT, self->dev, (void *)-40L, 0xffffffff);

	for (i = 0; i < ARRAY_SIZE(there); i++) {
		for (j = 0; j < ARRAY_SIZE(more); j++) {
			struct xmap_transfer *e = end - there[i];

			for (k = 0; k < there[i]; k++)
				e[k] = (struct xmap_transfer)
				       READ_ENTRY(self->fd[0], self->mem[0], &in, 8);
			ASSERT_EQ(0, _test_transfer(self->dev, e,
						    there[i] + more[j], &done));
			ASSERT_EQ(there[i], done);
			for (k = 0; k < there[i]; k++)
				ASSERT_EQ(8, e[k].out_result);
		}
	}
}

/* Results that cannot be written end the call; what was done stays done. */
TEST_F(transfer, read_only_array)
{
	size_t per_page = self->page / sizeof(struct xmap_transfer);
	struct xmap_transfer *e = (void *)self->local;
	size_t i, n = per_page + 2;
	__u32 done;
	__u64 in;

	for (i = 0; i < n; i++)
		e[i] = (struct xmap_transfer)READ_ENTRY(self->fd[0], self->mem[0], &in, 8);
	ASSERT_EQ(0, mprotect(self->local, 2 * self->page, PROT_READ));
	test_err_transfer(EFAULT, self->dev, e, n);
	ASSERT_EQ(0, mprotect(self->local, self->page, PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, _test_transfer(self->dev, e, n, &done));
	/* The entry astride the pages has its result in the second one. */
	EXPECT_EQ(per_page, done);
	for (i = 0; i < per_page; i++)
		ASSERT_EQ(8, e[i].out_result);
}

TEST_F(transfer, hundred_thousand_entries)
{
	/* The last word of each target is written, all others are read. */
	const unsigned int n = 100000, last = PAGES * self->page / 8 - 1;
	struct xmap_transfer *e = malloc(n * sizeof(*e));
	__u64 *local = calloc(n, 8);
	unsigned int i;

	ASSERT_NE(NULL, e);
	ASSERT_NE(NULL, local);
	for (i = 0; i < n; i++) {
		unsigned int t = i / 3 & 1;

		e[i] = (struct xmap_transfer)
		       READ_ENTRY(self->fd[t], self->mem[t] + i * 7 % last * 8,
				  &local[i], 8);
		if (i % 1000 == 999) {
			local[i] = i;
			e[i].flags = XMAP_TRANSFER_WRITE;
			e[i].remote = self->mem[t] + last * 8;
		}
	}
	test_transfer(self->dev, e, n);
	for (i = 0; i < n; i++) {
		unsigned int t = i / 3 & 1;

		ASSERT_EQ(8, e[i].out_result);
		if (i % 1000 != 999)
			ASSERT_EQ(peer_word(SEED + t, i * 7 % last * 8), local[i])
			{
				TH_LOG("entry %u", i);
			}
	}
	EXPECT_EQ(97999, peer_load(&self->peer[0], self->mem[0] + last * 8));
	EXPECT_EQ(99999, peer_load(&self->peer[1], self->mem[1] + last * 8));
	free(local);
	free(e);
}

/* ---- Interruption ---- */

#define ENDLESS_PIECES 2048

/* An array of millions of entries: one piece of memory mapped again and again. */
static struct xmap_transfer *endless_array(size_t piece)
{
	int memfd = memfd_create("entries", MFD_CLOEXEC), i;
	char *area;

	if (ftruncate(memfd, piece))
		abort();
	area = mmap(NULL, piece * ENDLESS_PIECES, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (i = 0; i < ENDLESS_PIECES; i++)
		if (mmap(area + i * piece, piece, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, memfd, 0) == MAP_FAILED)
			abort();
	close(memfd);
	return (void *)area;
}

static void nothing(int sig)
{
	(void)sig;
}

/* An endless list of work ends at a signal, with what was done until then. */
TEST_F(transfer, interrupted_by_a_signal)
{
	size_t i, piece = 40 * self->page, n = piece / sizeof(struct xmap_transfer);
	struct itimerval it = { .it_value.tv_usec = 300000 };
	struct xmap_transfer *e = endless_array(piece);
	struct sigaction sa = { .sa_handler = nothing };
	__u32 done;
	__u64 in;
	int err;

	for (i = 0; i < n; i++)
		e[i] = (struct xmap_transfer)
		       READ_ENTRY(self->fd[i & 1], self->mem[i & 1], &in, 8);
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &it, NULL));
	err = XMAP_ERRNO(_test_transfer(self->dev, e, n * ENDLESS_PIECES, &done));
	if (err) {
		EXPECT_EQ(EINTR, err);
	} else {
		EXPECT_LT(0, done);
		EXPECT_LT(done, n * ENDLESS_PIECES);
	}
}

static long op_huge_transfer(const unsigned long *a)
{
	__u32 done;

	return _test_transfer(a[0], (void *)a[1], 0xffffffff, &done);
}

/* A count that no array has costs no memory and can be killed. */
TEST_F(transfer, killed_in_the_middle)
{
	size_t i, piece = 40 * self->page, n = piece / sizeof(struct xmap_transfer);
	struct xmap_transfer *e = endless_array(piece);
	struct peer worker;
	int status;

	for (i = 0; i < n; i++)
		e[i] = (struct xmap_transfer)
		       READ_ENTRY(self->fd[0], self->mem[0], NULL, 0);
	ASSERT_EQ(0, peer_spawn(&worker));
	ASSERT_EQ(0, peer_start(&worker, op_huge_transfer, self->dev, e));
	/* It is in the middle of it when the first result is there. */
	while (__atomic_load_n(&e[0].out_result, __ATOMIC_RELAXED) == XMAP_UNTOUCHED)
		sched_yield();
	status = peer_kill(&worker, SIGKILL);
	EXPECT_TRUE(WIFSIGNALED(status));
	worker.pid = 0;
	peer_end(&worker);
}

/* ---- Content ---- */

TEST_F(transfer, large_copy)
{
	size_t len = 64UL << 20;
	unsigned long mem = peer_map(&self->peer[0], PEER_ANON,
				     PROT_READ | PROT_WRITE, len, SEED);
	char *buf = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct xmap_transfer e;

	ASSERT_NE(PEER_MAP_FAILED, mem);
	ASSERT_NE(MAP_FAILED, (void *)buf);
	e = (struct xmap_transfer)READ_ENTRY(self->fd[0], mem, buf, len);
	test_transfer(self->dev, &e, 1);
	ASSERT_EQ(len, e.out_result);
	EXPECT_EQ(0, peer_check_here(buf, len, SEED));
	peer_fill_here(buf, len, SEED + 5);
	e = (struct xmap_transfer)WRITE_ENTRY(self->fd[0], mem, buf, len);
	test_transfer(self->dev, &e, 1);
	ASSERT_EQ(len, e.out_result);
	EXPECT_EQ(0, peer_check(&self->peer[0], mem, len, SEED + 5));
	munmap(buf, len);
}

/* Every combination of offsets round a page boundary, and not a byte more. */
TEST_F(transfer, alignments)
{
	const long offsets[] = { -9, -8, -1, 0, 1, 7, 8 };
	const size_t lengths[] = { 1, 2, 7, 8, 9, 16, 17, 4095, 4096, 4097 };
	unsigned long mid = self->mem[0] + 4 * self->page;
	char *image = malloc(PAGES * self->page), *local = malloc(4 * self->page);
	size_t i, j, k, b, total = PAGES * self->page;
	struct xmap_transfer e;

	ASSERT_EQ(total, pread(self->fd[0], image, total, self->mem[0]));
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		for (j = 0; j < ARRAY_SIZE(offsets); j++) {
			for (k = 0; k < ARRAY_SIZE(lengths); k++) {
				size_t len = lengths[k];
				char *at = local + self->page + offsets[j];
				char *want = image + 4 * self->page + offsets[i];

				memset(local, '.', 4 * self->page);
				e = (struct xmap_transfer)
				    READ_ENTRY(self->fd[0], mid + offsets[i], at, len);
				test_transfer(self->dev, &e, 1);
				ASSERT_EQ(len, e.out_result);
				ASSERT_EQ(0, memcmp(at, want, len));
				ASSERT_EQ('.', at[-1]);
				ASSERT_EQ('.', at[len]);

				for (b = 0; b < len; b++)
					at[b] = image[b] + i + j + k;
				memcpy(want, at, len);
				e.flags = XMAP_TRANSFER_WRITE;
				test_transfer(self->dev, &e, 1);
				ASSERT_EQ(len, e.out_result);
			}
		}
	}
	/* The peer has what we think it has. */
	local = realloc(local, total);
	ASSERT_EQ(total, pread(self->fd[0], local, total, self->mem[0]));
	EXPECT_EQ(0, memcmp(local, image, total));
	free(local);
	free(image);
}

/* ---- Memory that is special ---- */

TEST_F(transfer, protection)
{
	unsigned long mem = self->mem[0];
	__u64 in, out = 3;
	struct xmap_transfer e[] = {
		READ_ENTRY(self->fd[0], mem, &in, 8),
		WRITE_ENTRY(self->fd[0], mem, &out, 8),
		READ_ENTRY(self->fd[0], mem + self->page, &in, 8),
		WRITE_ENTRY(self->fd[0], mem + self->page, &out, 8),
		/* The first of them fails, the second one is still done. */
		WRITE_ENTRY(self->fd[0], mem + 2 * self->page - 4, &out, 8),
		WRITE_ENTRY(self->fd[0], mem + 2 * self->page, &out, 8),
	};

	ASSERT_EQ(0, peer_mprotect(&self->peer[0], mem, self->page, PROT_NONE));
	ASSERT_EQ(0, peer_mprotect(&self->peer[0], mem + self->page, self->page,
				   PROT_READ));
	test_transfer(self->dev, e, ARRAY_SIZE(e));
	EXPECT_EQ(-EFAULT, e[0].out_result);
	EXPECT_EQ(-EFAULT, e[1].out_result);
	EXPECT_EQ(8, e[2].out_result);
	EXPECT_EQ(-EFAULT, e[3].out_result);
	EXPECT_EQ(-EFAULT, e[4].out_result);
	EXPECT_EQ(8, e[5].out_result);
	EXPECT_EQ(peer_word(SEED, self->page), in);
	EXPECT_EQ(peer_word(SEED, self->page),
		  peer_load(&self->peer[0], mem + self->page));
	EXPECT_EQ(3, peer_load(&self->peer[0], mem + 2 * self->page));
}

TEST_F(transfer, secret_memory)
{
	unsigned long mem = peer_map(&self->peer[0], PEER_SECRET,
				     PROT_READ | PROT_WRITE, self->page, SEED);
	__u64 word = 9;
	struct xmap_transfer e[] = {
		READ_ENTRY(self->fd[0], mem, &word, 8),
		WRITE_ENTRY(self->fd[0], mem, &word, 8),
		READ_ENTRY(self->fd[0], self->mem[0], &word, 8),
	};

	/* An unknown flag is EINVAL only where the call exists. */
	if (XMAP_ERRNO(syscall(SYS_memfd_secret, ~0U)) != EINVAL)
		SKIP(return, "memfd_secret is off on this kernel");
	ASSERT_NE(PEER_MAP_FAILED, mem);
	test_transfer(self->dev, e, 3);
	EXPECT_EQ(-EFAULT, e[0].out_result);
	EXPECT_EQ(-EFAULT, e[1].out_result);
	EXPECT_EQ(8, e[2].out_result);
	EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->peer[0], mem));
}

/* The start of [vvar] or another mapping of this name in this process. */
static unsigned long mapping(const char *name)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long start = 0;
	char line[512];

	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, name)) {
			start = strtoul(line, NULL, 16);
			break;
		}
	}
	fclose(f);
	return start;
}

TEST_F(transfer, vdso_and_vvar)
{
	unsigned long vdso = getauxval(AT_SYSINFO_EHDR), vvar = mapping("[vvar]");
	char magic[4] = "", byte = 1;
	struct xmap_transfer e[] = {
		READ_ENTRY(self->fd[0], vdso, magic, 4),
		WRITE_ENTRY(self->fd[0], vdso, magic, 4),
		READ_ENTRY(self->fd[0], vvar, &byte, 1),
		WRITE_ENTRY(self->fd[0], vvar, &byte, 1),
	};

	ASSERT_NE(0, vdso);
	ASSERT_NE(0, vvar);
	test_transfer(self->dev, e, 4);
	EXPECT_EQ(4, e[0].out_result);
	EXPECT_EQ(0, memcmp(magic, "\177ELF", 4));
	EXPECT_EQ(-EFAULT, e[1].out_result);
	EXPECT_EQ(-EFAULT, e[2].out_result);
	EXPECT_EQ(-EFAULT, e[3].out_result);
}

/* ---- Targets that end ---- */

TEST_F(transfer, target_ends)
{
	__u64 in = 0;
	struct xmap_transfer e[] = {
		READ_ENTRY(self->fd[0], self->mem[0], &in, 8),
		READ_ENTRY(self->fd[0], self->mem[0] + 8, &in, 8),
		READ_ENTRY(self->fd[1], self->mem[1], &in, 8),
		WRITE_ENTRY(self->fd[0], self->mem[0], &in, 8),
		READ_ENTRY(self->fd[0], self->mem[0], self->local, self->page + 1),
		READ_ENTRY(self->fd[0], self->mem[0], &in, 0),
	};
	struct pollfd p = { .fd = self->fd[0] };

	kill(self->peer[0].pid, SIGKILL);
	ASSERT_EQ(1, poll(&p, 1, -1));
	test_transfer(self->dev, e, ARRAY_SIZE(e));
	EXPECT_EQ(-ESRCH, e[0].out_result);
	EXPECT_EQ(-ESRCH, e[1].out_result);
	EXPECT_EQ(8, e[2].out_result);
	EXPECT_EQ(-ESRCH, e[3].out_result);
	EXPECT_EQ(-ESRCH, e[4].out_result);
	EXPECT_EQ(0, e[5].out_result);
	EXPECT_EQ(peer_word(SEED + 1, 0), in);
}

/* Killed while copies run: each ends with what there was, or ESRCH or EFAULT. */
TEST_F(transfer, target_killed_under_way)
{
	size_t len = 16UL << 20;
	unsigned long mem = peer_map(&self->peer[0], PEER_ANON,
				     PROT_READ | PROT_WRITE, len, SEED);
	char *buf = malloc(len);
	struct xmap_transfer e;
	int rounds = 0;

	ASSERT_NE(PEER_MAP_FAILED, mem);
	for (;;) {
		e = (struct xmap_transfer)READ_ENTRY(self->fd[0], mem, buf, len);
		test_transfer(self->dev, &e, 1);
		if (rounds++ == 2)
			kill(self->peer[0].pid, SIGKILL);
		if (e.out_result < 0)
			break;
		ASSERT_EQ(0, peer_check_here(buf, e.out_result & ~7UL, SEED));
	}
	EXPECT_EQ(-ESRCH, e.out_result);
	free(buf);
}

#define FLOOD_LEN (1UL << 20)
#define FLOOD_THREADS 8

/* How often each thread of the flood got its memory, and how often ESRCH. */
enum { FLOOD_READ = 0, FLOOD_DEAD = FLOOD_THREADS, FLOOD_WRONG = 2 * FLOOD_THREADS };

struct flood {
	pthread_t thread;
	int fd;
	unsigned long addr;
	int nr;
};

/* It goes on after the end as before, and the dead stay dead. */
static void *flood_read(void *arg)
{
	struct flood *f = arg;
	char *buf = malloc(FLOOD_LEN);
	ssize_t ret;

	while (!peer_stopped()) {
		ret = pread(f->fd, buf, FLOOD_LEN, f->addr);
		if (ret == (ssize_t)FLOOD_LEN && !count_of(FLOOD_DEAD + f->nr))
			count_up(FLOOD_READ + f->nr);
		else if (ret == -1 && errno == ESRCH)
			count_up(FLOOD_DEAD + f->nr);
		else
			count_up(FLOOD_WRONG);
	}
	free(buf);
	return NULL;
}

static bool all_rise(int first)
{
	__u64 until = test_now_ms() + WATCH_DEATH * 1000;
	int i;

	for (i = 0; i < FLOOD_THREADS; i++) {
		while (!count_of(first + i)) {
			if (test_now_ms() > until)
				return false;
			sched_yield();
		}
	}
	return true;
}

/* Somebody reads at any moment, and all the same the killed process ends at once. */
TEST_F(transfer, overlapping_reads_do_not_keep_a_dead_process)
{
	struct pollfd pfd = { .fd = self->fd[0] };
	struct flood f[FLOOD_THREADS];
	unsigned long mem;
	int i;

	mem = peer_map(&self->peer[0], PEER_ANON, PROT_READ | PROT_WRITE, FLOOD_LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, mem);
	for (i = 0; i < FLOOD_THREADS; i++) {
		f[i] = (struct flood){ .fd = self->fd[0], .addr = mem, .nr = i };
		ASSERT_EQ(0, pthread_create(&f[i].thread, NULL, flood_read, &f[i]));
	}
	EXPECT_TRUE(all_rise(FLOOD_READ));
	ASSERT_EQ(0, kill(self->peer[0].pid, SIGKILL));
	EXPECT_EQ(1, poll(&pfd, 1, WATCH_DEATH * 1000));
	EXPECT_EQ(POLLHUP, pfd.revents);
	EXPECT_TRUE(all_rise(FLOOD_DEAD));
	peer_set(&peer_ctl->stop, 1);
	for (i = 0; i < FLOOD_THREADS; i++)
		ASSERT_EQ(0, pthread_join(f[i].thread, NULL));
	EXPECT_EQ(0, count_of(FLOOD_WRONG));
}

TEST_HARNESS_MAIN
