// SPDX-License-Identifier: GPL-2.0-only
/*
 * Revocation while somebody waits for memory, and makes that last: it is not held
 * up, and nothing comes through afterwards.
 */
#include "xmap_secret.h"

#include <linux/userfaultfd.h>

/* The second of two pages is missing, and comes when the test says so. */
static int stall_new(char **mem)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	*mem = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (*mem == MAP_FAILED)
		return -1;
	peer_fill_here(*mem, PAGE, SEED);
	reg.range.start = (unsigned long)*mem + PAGE;
	reg.range.len = PAGE;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		return -1;
	return fd;
}

static bool stall_await(int uffd)
{
	struct uffd_msg msg;

	return read(uffd, &msg, sizeof(msg)) == sizeof(msg) && msg.event == UFFD_EVENT_PAGEFAULT;
}

/* With a page of this seed, or an empty one. */
static int stall_end(int uffd, unsigned long addr, __u64 seed)
{
	static __u64 page[512] __attribute__((aligned(4096)));
	struct uffdio_copy copy = { .dst = addr, .src = (unsigned long)page, .len = PAGE };

	memset(page, 0, sizeof(page));
	if (seed)
		peer_fill_here(page, PAGE, seed);
	return ioctl(uffd, UFFDIO_COPY, &copy);
}

struct stalled {
	int dev;
	int fd;
	bool write;
	bool transfer;
	unsigned long remote;
	char *local;
	size_t len;
	long ret;
};

static void *stalled_copy(void *arg)
{
	struct stalled *s = arg;
	struct xmap_transfer e = {
		.fd = s->fd,
		.flags = s->write ? XMAP_TRANSFER_WRITE : 0,
		.remote = s->remote,
		.local = (uintptr_t)s->local,
		.length = s->len,
	};
	__u32 done;

	if (s->transfer) {
		s->ret = _test_transfer(s->dev, &e, 1, &done) ? -errno : e.out_result;
		return NULL;
	}
	s->ret = s->write ? pwrite(s->fd, s->local, s->len, s->remote) :
			    pread(s->fd, s->local, s->len, s->remote);
	if (s->ret < 0)
		s->ret = -errno;
	return NULL;
}

/*
 * A copy waits for the caller's own memory.  The revocation does not wait for it,
 * and what was not copied before is not copied after.
 */
static void stall(struct __test_metadata *_metadata, OFFER *self, struct stalled s, size_t off,
		  bool forced)
{
	int uffd, export = -1;
	pthread_t thread;
	long theirs = -1;
	char *local;

	uffd = stall_new(&local);
	ASSERT_LE(0, uffd);
	s.dev = self->dev;
	s.local = local + off;
	s.remote = self->mem + off;
	if (forced) {
		ASSERT_EQ(0, peer_call(&self->owner, op_fill_read_only, self->mem, SEED));
		test_target_open_pid(self->dev, self->owner.pid, XMAP_RIGHTS_ALL, &s.fd);
	} else {
		ASSERT_EQ(0, peer_fill(&self->owner, self->mem, LEN, SEED));
		theirs = peer_call(&self->owner, op_export, self->dev, 3, self->mem, LEN);
		export = peer_take_fd(&self->owner, theirs);
		s.fd = accept_all(export, XMAP_RIGHTS_RW);
		ASSERT_LE(0, s.fd);
	}
	ASSERT_EQ(0, pthread_create(&thread, NULL, stalled_copy, &s));
	ASSERT_TRUE(stall_await(uffd));
	if (forced) {
		test_revoke(s.fd, 0, 0);
		ASSERT_EQ(0, peer_call(&self->owner, op_fill_read_only, self->mem, SECRET));
	} else {
		ASSERT_EQ(0, peer_call(&self->owner, op_revoke_and_fill, theirs, self->mem));
	}
	ASSERT_EQ(0, stall_end(uffd, (unsigned long)local + PAGE, s.write ? SEED : 0));
	ASSERT_EQ(0, pthread_join(thread, NULL));

	/* What the first page has was copied before, or nothing. */
	EXPECT_EQ(off < PAGE ? (long)(PAGE - off) : -ESTALE, s.ret) {
		TH_LOG("%s%s of %zu bytes at %zu", s.transfer ? "transfer, " : "",
		       s.write ? "write" : "read", s.len, off);
	}
	EXPECT_EQ(0, peer_check_here(local, PAGE, SEED));
	if (!s.write)
		EXPECT_EQ(0, *(__u64 *)(local + PAGE) | *(__u64 *)(local + 2 * PAGE - 8));
	EXPECT_EQ(0, peer_check(&self->owner, self->mem, LEN, SECRET));
	close(uffd);
	munmap(local, 2 * PAGE);
	close(s.fd);
	close(export);
	if (forced)
		ASSERT_EQ(0, peer_mprotect(&self->owner, self->mem, LEN, RW));
}

#define stall_copy(off, forced, ...)						\
	stall(_metadata, self, (struct stalled){ __VA_ARGS__ }, off, forced)

TEST_F(offer, stalled_reads)
{
	stall_copy(0, false, .len = 2 * PAGE);
	stall_copy(PAGE - 8, false, .len = 16);
	stall_copy(PAGE, false, .len = 8);
	stall_copy(0, false, .len = 2 * PAGE, .transfer = true);
	stall_copy(PAGE, false, .len = 8, .transfer = true);
	stall_copy(PAGE, false, .len = PAGE, .transfer = true);
}

TEST_F(offer, stalled_writes)
{
	stall_copy(0, false, .len = 2 * PAGE, .write = true);
	stall_copy(PAGE - 8, false, .len = 16, .write = true);
	stall_copy(PAGE, false, .len = 8, .write = true);
	stall_copy(0, false, .len = 2 * PAGE, .write = true, .transfer = true);
	stall_copy(PAGE, false, .len = 8, .write = true, .transfer = true);
}

TEST_F(offer, stalled_forced_writes)
{
	if (force_policy() != FORCE_ALWAYS)
		SKIP(return, "forced writes are not allowed here");
	stall_copy(PAGE, true, .len = 8, .write = true);
	stall_copy(PAGE, true, .len = PAGE, .write = true);
}

/* The same with memory that the owner is slow to have. */
static long op_uffd(const unsigned long *a)
{
	struct uffdio_register reg = {
		.range = { .start = a[0], .len = a[1] },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		return -1;
	return fd;
}

static void *stalled_touch(void *arg)
{
	struct stalled *s = arg;
	__u64 value = 0;

	s->ret = touch_load(s->local, &value);
	if (value)
		wrong(1000);
	return NULL;
}

TEST_F(offer, slow_owner)
{
	struct stalled s = { .dev = self->dev, .len = 8 }, t = s;
	pthread_t copier, toucher;
	unsigned long mem;
	struct peer slow;
	__u64 word = 1;
	long theirs;
	char *win;
	int uffd;

	ASSERT_EQ(0, peer_spawn(&slow));
	mem = peer_call(&slow, peer_op_mmap, 0, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(PEER_MAP_FAILED, mem);
	uffd = peer_take_fd(&slow, peer_call(&slow, op_uffd, mem, 2 * PAGE));
	ASSERT_LE(0, uffd);
	theirs = peer_call(&slow, op_export, self->dev, XMAP_RIGHTS_RW, mem, 2 * PAGE);
	s.fd = accept_all(peer_take_fd(&slow, theirs), XMAP_RIGHTS_RW);
	ASSERT_LE(0, s.fd);
	test_window_map(s.fd, mem, 2 * PAGE, RW, &win);
	s.remote = mem;
	s.local = (char *)&word;
	t.local = win + PAGE;
	ASSERT_EQ(0, pthread_create(&copier, NULL, stalled_copy, &s));
	ASSERT_TRUE(stall_await(uffd));
	ASSERT_EQ(0, pthread_create(&toucher, NULL, stalled_touch, &t));
	ASSERT_TRUE(stall_await(uffd));
	ASSERT_EQ(0, peer_call(&slow, op_revoke, theirs, 0, 0, 0));
	/* What they waited for comes, with what is not for them. */
	ASSERT_EQ(0, stall_end(uffd, mem, SECRET));
	ASSERT_EQ(0, stall_end(uffd, mem + PAGE, SECRET));
	ASSERT_EQ(0, pthread_join(copier, NULL));
	ASSERT_EQ(0, pthread_join(toucher, NULL));
	EXPECT_EQ(-ESTALE, s.ret);
	EXPECT_EQ(SIGBUS, t.ret);
	EXPECT_EQ(1, word);
	EXPECT_NOTHING_WRONG();
	peer_end(&slow);
}

TEST_HARNESS_MAIN
