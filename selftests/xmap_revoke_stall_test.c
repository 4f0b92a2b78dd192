// SPDX-License-Identifier: GPL-2.0-only
/*
 * Revocation while somebody waits for memory, and makes that last: it is not held
 * up, and nothing comes through afterwards.
 */
#include "xmap_secret.h"
#include "xmap_uffd.h"

#define NAME "xmap-test.stall"

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
	uffd = peer_take_fd(&slow, peer_call(&slow, peer_op_uffd, mem, 2 * PAGE));
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

/* ---- The owner's end, of which others are told while one of them waits ---- */

/* The owner ends, and who has a target that nobody uses is told so. */
static void expect_told(struct __test_metadata *_metadata, struct peer *owner, int witness)
{
	EXPECT_EQ(0, xmap_poll_now(witness) & POLLHUP);
	ASSERT_TRUE(watch_kill(owner));
	EXPECT_EQ(POLLHUP, xmap_poll_for(witness, 0));
}

static void stall_end_of_owner(struct __test_metadata *_metadata, OFFER *self, struct stalled s)
{
	pthread_t thread;
	struct peer mortal;
	int uffd, witness;
	long theirs;
	char *local;

	ASSERT_EQ(0, peer_spawn(&mortal));
	s.remote = peer_map(&mortal, PEER_ANON, RW, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, s.remote);
	theirs = peer_call(&mortal, op_export, self->dev, XMAP_RIGHTS_RW, s.remote, LEN);
	witness = accept_all(peer_take_fd(&mortal, theirs), XMAP_RIGHT_READ);
	s.fd = accept_all(peer_take_fd(&mortal, theirs), XMAP_RIGHTS_RW);
	ASSERT_LE(0, witness);
	ASSERT_LE(0, s.fd);
	uffd = stall_new(&local);
	ASSERT_LE(0, uffd);
	s.dev = self->dev;
	s.local = local + PAGE;
	ASSERT_EQ(0, pthread_create(&thread, NULL, stalled_copy, &s));
	ASSERT_TRUE(stall_await(uffd));
	expect_told(_metadata, &mortal, witness);
	ASSERT_EQ(0, stall_end(uffd, (unsigned long)local + PAGE, 0));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-ESRCH, s.ret);
	close(uffd);
	munmap(local, 2 * PAGE);
	close(s.fd);
	close(witness);
	peer_end(&mortal);
}

#define stall_end_of(...)							\
	stall_end_of_owner(_metadata, self, (struct stalled){ __VA_ARGS__ })

TEST_F(offer, stalled_copies_and_the_end_of_the_owner)
{
	stall_end_of(.len = 8);
	stall_end_of(.len = PAGE);
	stall_end_of(.len = 8, .write = true);
	stall_end_of(.len = PAGE, .write = true);
	stall_end_of(.len = 8, .transfer = true);
	stall_end_of(.len = 8, .write = true, .transfer = true);
}

TEST_F(offer, stalled_forced_write_and_the_end_of_the_owner)
{
	struct stalled s = { .dev = self->dev, .len = 8, .write = true };
	pthread_t thread;
	struct peer mortal;
	int uffd, witness;
	char *local;

	if (force_policy() != FORCE_ALWAYS)
		SKIP(return, "forced writes are not allowed here");
	ASSERT_EQ(0, peer_spawn(&mortal));
	s.remote = peer_map(&mortal, PEER_ANON, RW, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, s.remote);
	ASSERT_EQ(0, peer_mprotect(&mortal, s.remote, LEN, PROT_READ));
	test_target_open_pid(self->dev, mortal.pid, XMAP_RIGHT_READ, &witness);
	test_target_open_pid(self->dev, mortal.pid, XMAP_RIGHTS_ALL, &s.fd);
	uffd = stall_new(&local);
	ASSERT_LE(0, uffd);
	s.local = local + PAGE;
	ASSERT_EQ(0, pthread_create(&thread, NULL, stalled_copy, &s));
	ASSERT_TRUE(stall_await(uffd));
	expect_told(_metadata, &mortal, witness);
	ASSERT_EQ(0, stall_end(uffd, (unsigned long)local + PAGE, 0));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-ESRCH, s.ret);
	peer_end(&mortal);
}

/* ---- An answer that its caller cannot get, or is slow to ---- */

static void *stalled_accept(void *arg)
{
	struct stalled *s = arg;

	s->ret = ioctl(s->fd, XMAP_EXPORT_ACCEPT, s->local) ? -errno : 0;
	return NULL;
}

/* Who accepts can read his command, but not yet write to it. */
TEST_F(offer, stalled_acceptance_and_the_end_of_the_owner)
{
	struct uffdio_writeprotect allow = { .range.len = PAGE };
	struct xmap_cmd_export_accept *cmd;
	struct stalled s = {};
	struct peer mortal;
	int uffd, witness;
	pthread_t thread;
	__u64 word;
	long theirs;

	ASSERT_EQ(0, peer_spawn(&mortal));
	s.remote = peer_map(&mortal, PEER_ANON, RW, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, s.remote);
	theirs = peer_call(&mortal, op_export, self->dev, XMAP_RIGHTS_RW, s.remote, LEN);
	s.fd = peer_take_fd(&mortal, theirs);
	witness = accept_all(s.fd, XMAP_RIGHT_READ);
	ASSERT_LE(0, witness);

	cmd = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, cmd);
	*cmd = (struct xmap_cmd_export_accept){ .size = sizeof(*cmd), .rights = XMAP_RIGHT_READ };
	uffd = stall_writes(cmd);
	ASSERT_LE(0, uffd);
	s.local = (char *)cmd;
	ASSERT_EQ(0, pthread_create(&thread, NULL, stalled_accept, &s));
	ASSERT_TRUE(stall_await(uffd));
	expect_told(_metadata, &mortal, witness);
	allow.range.start = (unsigned long)cmd;
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_WRITEPROTECT, &allow));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	/* The offer stood when it was accepted. */
	ASSERT_EQ(0, s.ret);
	EXPECT_ERRNO(ESRCH, pread(cmd->out_fd, &word, 8, s.remote));
	peer_end(&mortal);
}

static void *stalled_offer(void *arg)
{
	struct stalled *s = arg;

	s->ret = ioctl(s->dev, XMAP_EXPORT_CREATE, s->local) ? -errno : 0;
	return NULL;
}

/*
 * Others open an offer by its name, and accept, before its owner has his answer.  If he
 * never gets that, he does not know what he has offered, and nobody keeps any of it.
 */
TEST_F(offer, accepted_before_the_answer_fails)
{
	struct stalled s = { .dev = self->dev };
	struct xmap_cmd_export_create *cmd;
	struct xmap_cmd_query before, now;
	long opened, accepted, derived;
	__u64 *own = xmap_shared(PAGE);
	pthread_t thread;
	void *win;
	int uffd;

	*own = SEED;
	cmd = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, cmd);
	*cmd = (struct xmap_cmd_export_create){ .size = sizeof(*cmd), .mode = 0666, .gid = -1,
						.flags = XMAP_EXPORT_PUBLISH,
						.rights = XMAP_RIGHTS_RW,
						.addr = (unsigned long)own, .length = PAGE,
						.name = NAME };
	test_query(self->dev, &before);
	uffd = stall_writes(cmd);
	ASSERT_LE(0, uffd);
	s.local = (char *)cmd;
	ASSERT_EQ(0, pthread_create(&thread, NULL, stalled_offer, &s));
	ASSERT_TRUE(stall_await(uffd));
	opened = peer_call(&self->user, op_export_open, self->dev, XMAP_RIGHTS_RW, 0, NAME);
	ASSERT_LE(0, opened);
	accepted = peer_call(&self->user, op_accept, opened, XMAP_RIGHTS_RW, 0, 0);
	ASSERT_LE(0, accepted);
	derived = peer_call(&self->user, op_derive, accepted, XMAP_RIGHT_READ, 0, 0);
	ASSERT_LE(0, derived);
	win = (void *)peer_call(&self->user, op_window, accepted, own, PAGE, RW);
	ASSERT_NE(MAP_FAILED, win);
	EXPECT_EQ(SEED, peer_call(&self->user, op_read, derived, own));
	EXPECT_EQ(SEED, peer_load(&self->user, win));

	/* What he would write to is not for writing any more. */
	ASSERT_EQ(0, mprotect(cmd, PAGE, PROT_READ));
	close(uffd);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-EFAULT, s.ret);
	*own = SECRET;
	EXPECT_ERRNO(ESTALE, peer_call(&self->user, op_read, accepted, own));
	EXPECT_ERRNO(ESTALE, peer_call(&self->user, op_read, derived, own));
	EXPECT_ERRNO(ESTALE, peer_call(&self->user, op_write, accepted, own, SEED));
	EXPECT_EQ(SIGBUS, peer_touch(&self->user, win));
	EXPECT_EQ(XMAP_TARGET_REVOKED, peer_call(&self->user, op_state, accepted));
	EXPECT_ERRNO(ESTALE, peer_call(&self->user, op_accept, opened, XMAP_RIGHT_READ, 0, 0));
	test_err_export_open(ENOENT, self->dev, XMAP_RIGHT_READ, 0, NAME);
	EXPECT_EQ(SECRET, *own);
	test_query(self->dev, &now);
	EXPECT_EQ(before.out_exports, now.out_exports);
}

TEST_HARNESS_MAIN
