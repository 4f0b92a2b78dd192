// SPDX-License-Identifier: GPL-2.0-only
/*
 * Revocation: what it ends, at once, and what it leaves alone.  Who may is the
 * matter of another test.
 */
#include <sys/ptrace.h>

#include "xmap_offer.h"

#define DEPTH 32
#define PIECES 64

/* What the owner offers, and a target on it that the test has accepted. */
struct grant {
	long theirs;
	int fd;
	int target;
};

static int grant_range(OFFER *self, struct grant *g, __u64 addr, __u64 length)
{
	g->theirs = peer_call(&self->owner, op_export, self->dev, XMAP_RIGHTS_RW, addr, length);
	g->fd = peer_take_fd(&self->owner, g->theirs);
	g->target = accept_all(g->fd, XMAP_RIGHTS_RW);
	return g->target < 0 ? -1 : 0;
}

#define grant_new(self, g) grant_range(self, g, (self)->mem, LEN)

/* By the owner, on the export. */
#define owner_revokes(g, addr, length)						\
	ASSERT_EQ(0, peer_call(&self->owner, op_revoke, (g)->theirs, 0, addr, length))

static __s64 transfer_result(int dev, int fd, __u32 flags, __u64 remote, void *local, __u64 length)
{
	struct xmap_transfer entry = {
		.fd = fd,
		.flags = flags,
		.remote = remote,
		.local = (uintptr_t)local,
		.length = length,
		.out_result = -ENODATA,
	};
	__u32 done;

	return _test_transfer(dev, &entry, 1, &done) ? -ENOTTY : entry.out_result;
}

/* All of a target has been revoked: nothing can be done with it. */
static void expect_revoked(struct __test_metadata *_metadata, OFFER *self, int target)
{
	static __u8 maps[16384];
	static char buf[LEN];
	struct xmap_cmd_target_info info;
	struct iovec iov = { buf, 8 };

	EXPECT_ERRNO(ESTALE, pread(target, buf, 8, self->mem));
	EXPECT_ERRNO(ESTALE, pread(target, buf, LEN, self->mem));
	EXPECT_ERRNO(ESTALE, pread(target, buf, 1, self->mem + LEN - 1));
	EXPECT_ERRNO(ESTALE, preadv2(target, &iov, 1, self->mem, RWF_NOWAIT));
	EXPECT_ERRNO(ESTALE, pwrite(target, buf, 8, self->mem));
	EXPECT_EQ(-ESTALE, transfer_result(self->dev, target, 0, self->mem, buf, 8));
	EXPECT_EQ(-ESTALE, transfer_result(self->dev, target, 0, self->mem, buf, LEN));
	EXPECT_EQ(-ESTALE, transfer_result(self->dev, target, XMAP_TRANSFER_WRITE, self->mem, buf,
					   8));
	test_err_target_derive(ESTALE, target, XMAP_RIGHT_READ, 0, 0);
	test_err_target_derive(ESTALE, target, XMAP_RIGHT_READ, self->mem + 1, 1);
	test_err_window_map(ESTALE, target, self->mem, PAGE, PROT_READ);
	test_err_target_maps(ESTALE, target, 0, maps, sizeof(maps));
	test_target_info(target, &info);
	EXPECT_EQ(XMAP_TARGET_REVOKED, info.out_state);
	EXPECT_EQ(POLLHUP, xmap_poll_now(target) & POLLHUP);
	EXPECT_STREQ("revoked", xmap_fdinfo(target, "xmap-state"));
	/* What it never had it still says so. */
	EXPECT_ERRNO(EACCES, pread(target, buf, 1, self->mem + LEN));
	test_err_target_derive(EACCES, target, XMAP_RIGHTS_ALL, 0, 0);
}

static void expect_usable(struct __test_metadata *_metadata, OFFER *self, int target)
{
	static char buf[LEN];

	EXPECT_EQ((ssize_t)LEN, pread(target, buf, LEN, self->mem));
	EXPECT_EQ(0, peer_check_here(buf, LEN, SEED));
	EXPECT_EQ(0, xmap_poll_now(target) & POLLHUP);
	EXPECT_EQ(XMAP_TARGET_ALIVE, op_state((unsigned long[]){ target }));
}

static __u32 listed_state(OFFER *self, __u32 kind, pid_t holder)
{
	struct xmap_list_entry e = {};

	xmap_list_last(self->dev, kind, holder, &e);
	return e.state;
}

/* ---- All of it ---- */

TEST_F(offer, export)
{
	struct xmap_cmd_export_info info;
	struct grant g, again;
	char *win, *empty;
	__u64 done;

	ASSERT_EQ(0, grant_new(self, &g));
	test_window_map(g.target, self->mem, LEN, RW, &win);
	test_window_map(g.target, self->mem, LEN, RW, &empty);
	EXPECT_EQ(0, peer_check_here(win, LEN, SEED));
	EXPECT_STORE(peer_word(SEED, 0), win);
	owner_revokes(&g, 0, 0);

	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_SIGNAL(SIGBUS, win + LEN - 8);
	EXPECT_STORE_SIGNAL(SIGBUS, win);
	EXPECT_SIGNAL(SIGBUS, empty);
	test_err_target_prefault(ESTALE, g.target, 0, win, LEN);
	test_err_target_prefault(ESTALE, g.target, XMAP_TARGET_PREFAULT_WRITE, win, PAGE);
	expect_revoked(_metadata, self, g.target);
	test_err_export_accept(ESTALE, g.fd, XMAP_RIGHT_READ, 0, 0);
	test_export_info(g.fd, &info);
	EXPECT_EQ(XMAP_TARGET_REVOKED, info.out_state);
	EXPECT_EQ(1, info.out_accepts);
	/* That its maker has not asked yet how often it was accepted is still news to him. */
	EXPECT_EQ(POLLIN | POLLHUP, xmap_poll_now(g.fd));
	EXPECT_STREQ("revoked", xmap_fdinfo(g.fd, "xmap-state"));
	EXPECT_EQ(XMAP_TARGET_REVOKED, listed_state(self, XMAP_LIST_EXPORT, self->owner.pid));
	EXPECT_EQ(XMAP_TARGET_REVOKED, listed_state(self, XMAP_LIST_TARGET, getpid()));
	EXPECT_EQ(XMAP_TARGET_REVOKED, listed_state(self, XMAP_LIST_WINDOW, getpid()));

	/* Once more changes nothing; and the owner has his memory and makes new offers. */
	owner_revokes(&g, 0, 0);
	owner_revokes(&g, self->mem, 1);
	EXPECT_EQ(0, peer_check(&self->owner, self->mem, LEN, SEED));
	ASSERT_EQ(0, grant_new(self, &again));
	expect_usable(_metadata, self, again.target);
	expect_revoked(_metadata, self, g.target);
	EXPECT_EQ(win, mmap(win, LEN, RW, MAP_SHARED | MAP_FIXED, again.target, self->mem));
	EXPECT_EQ(0, peer_check_here(win, LEN, SEED));
	test_target_prefault(again.target, 0, win, LEN, &done);
	EXPECT_EQ(LEN, done);
	EXPECT_SIGNAL(SIGBUS, empty);
	EXPECT_EQ(0, munmap(empty, LEN));
	EXPECT_EQ(0, munmap(win, LEN));

	/* It stays revoked when the owner has gone. */
	peer_end(&self->owner);
	expect_revoked(_metadata, self, g.target);
	test_err_export_accept(ESTALE, g.fd, XMAP_RIGHT_READ, 0, 0);
	test_export_info(g.fd, &info);
	EXPECT_EQ(XMAP_TARGET_REVOKED, info.out_state);
}

/* The window is there, the target's descriptor is not, and the export's neither. */
/* What has ended can be taken back all the same: who may do it may not know of the end. */
TEST_F(offer, owner_is_dead)
{
	struct xmap_cmd_export_info info;
	struct grant g, other;
	long fd, target;
	__u64 serial;
	__u8 *win;

	ASSERT_EQ(0, grant_new(self, &other));
	serial = xmap_serial(self->dev, XMAP_LIST_EXPORT, self->owner.pid);
	ASSERT_EQ(0, grant_new(self, &g));
	test_window_map(g.target, self->mem, LEN, RW, &win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	fd = give(g.fd);
	target = peer_call(&self->user, op_accept, fd, XMAP_RIGHT_READ, 0, 0);
	ASSERT_LE(0, target);
	peer_end(&self->owner);

	/* As before: by who made it, and by an administrator. */
	EXPECT_ERRNO(EPERM, peer_call(&self->user, op_revoke, fd, 0, 0, 0));
	EXPECT_ERRNO(EPERM, peer_call(&self->user, op_revoke, give(g.target), 0, 0, 0));
	EXPECT_ERRNO(ENOENT, peer_call(&self->user, op_revoke, self->dev, serial, 0, 0));
	EXPECT_EQ(XMAP_TARGET_DEAD, peer_call(&self->user, op_state, target));
	EXPECT_EQ(0, peer_call(&self->user, op_revoke, target, 0, 0, 0));
	EXPECT_EQ(XMAP_TARGET_REVOKED, peer_call(&self->user, op_state, target));
	EXPECT_ERRNO(ESTALE, peer_call(&self->user, op_read, target, self->mem));

	/* A part: the rest is dead as before. */
	test_revoke(g.target, self->mem, PAGE);
	EXPECT_EQ(XMAP_TARGET_DEAD, op_state((unsigned long[]){ g.target }));
	EXPECT_ERRNO(ESTALE, op_read((unsigned long[]){ g.target, self->mem }));
	EXPECT_ERRNO(ESRCH, op_read((unsigned long[]){ g.target, self->mem + PAGE }));
	test_revoke(g.target, 0, 0);
	expect_revoked(_metadata, self, g.target);
	EXPECT_SIGNAL(SIGBUS, win);

	/* The offers: by descriptor, by number, and once more. */
	test_export_info(g.fd, &info);
	EXPECT_EQ(XMAP_TARGET_DEAD, info.out_state);
	test_err_export_accept(ESRCH, g.fd, XMAP_RIGHT_READ, 0, 0);
	test_revoke(g.fd, 0, 0);
	test_revoke(g.fd, 0, 0);
	test_export_info(g.fd, &info);
	EXPECT_EQ(XMAP_TARGET_REVOKED, info.out_state);
	EXPECT_STREQ("revoked", xmap_fdinfo(g.fd, "xmap-state"));
	EXPECT_EQ(POLLHUP, xmap_poll_now(g.fd) & POLLHUP);
	test_err_export_accept(ESTALE, g.fd, XMAP_RIGHT_READ, 0, 0);
	EXPECT_EQ(XMAP_TARGET_DEAD, op_state((unsigned long[]){ other.target }));
	test_revoke_serial(self->dev, serial, 0, 0);
	test_export_info(other.fd, &info);
	EXPECT_EQ(XMAP_TARGET_REVOKED, info.out_state);
	expect_revoked(_metadata, self, other.target);
	munmap(win, LEN);
}

TEST_F(offer, window_without_descriptors)
{
	struct grant g;
	__u64 serial;
	char *win;

	ASSERT_EQ(0, grant_new(self, &g));
	serial = xmap_serial(self->dev, XMAP_LIST_TARGET, getpid());
	test_window_map(g.target, self->mem, LEN, RW, &win);
	close(g.target);
	close(g.fd);
	ASSERT_EQ(0, peer_close(&self->owner, g.theirs));
	EXPECT_EQ(0, peer_check_here(win, LEN, SEED));
	ASSERT_EQ(0, peer_call(&self->owner, op_revoke, self->dev, serial, 0, 0));
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_EQ(XMAP_TARGET_REVOKED, listed_state(self, XMAP_LIST_WINDOW, getpid()));
}

TEST_F(offer, pollers_are_woken)
{
	struct grant g;
	int derived;
	long theirs;

	ASSERT_EQ(0, grant_new(self, &g));
	test_target_derive(g.target, XMAP_RIGHT_READ, 0, 0, &derived);
	theirs = give(derived);
	ASSERT_LE(0, theirs);
	ASSERT_EQ(0, peer_start(&self->user, op_poll_for, theirs, 0));
	owner_revokes(&g, 0, 0);
	EXPECT_EQ(POLLHUP, peer_finish(&self->user));
}

TEST_F(offer, siblings_and_parents_stay)
{
	int sister, child, grandchild, cousin, late;
	struct grant g;
	char *win[4];

	ASSERT_EQ(0, grant_new(self, &g));
	sister = accept_all(g.fd, XMAP_RIGHTS_RW);
	ASSERT_LE(0, sister);
	test_target_derive(g.target, XMAP_RIGHTS_RW, 0, 0, &child);
	test_target_derive(child, XMAP_RIGHTS_RW, 0, 0, &grandchild);
	test_target_derive(g.target, XMAP_RIGHTS_RW, 0, 0, &cousin);
	test_window_map(g.target, self->mem, LEN, RW, &win[0]);
	test_window_map(child, self->mem, LEN, RW, &win[1]);
	test_window_map(grandchild, self->mem, LEN, RW, &win[2]);
	test_window_map(sister, self->mem, LEN, RW, &win[3]);
	EXPECT_EQ(0, peer_check_here(win[0], LEN, SEED));
	EXPECT_EQ(0, peer_check_here(win[1], LEN, SEED));
	EXPECT_EQ(0, peer_check_here(win[2], LEN, SEED));
	EXPECT_EQ(0, peer_check_here(win[3], LEN, SEED));

	test_revoke(child, 0, 0);
	expect_revoked(_metadata, self, child);
	expect_revoked(_metadata, self, grandchild);
	EXPECT_SIGNAL(SIGBUS, win[1]);
	EXPECT_SIGNAL(SIGBUS, win[2]);
	expect_usable(_metadata, self, g.target);
	expect_usable(_metadata, self, cousin);
	expect_usable(_metadata, self, sister);
	EXPECT_EQ(0, peer_check_here(win[0], LEN, SEED));
	EXPECT_EQ(0, peer_check_here(win[3], LEN, SEED));

	test_revoke(g.target, 0, 0);
	expect_revoked(_metadata, self, g.target);
	expect_revoked(_metadata, self, cousin);
	EXPECT_SIGNAL(SIGBUS, win[0]);
	expect_usable(_metadata, self, sister);
	EXPECT_EQ(0, peer_check_here(win[3], LEN, SEED));
	late = accept_all(g.fd, XMAP_RIGHTS_RW);
	ASSERT_LE(0, late);
	expect_usable(_metadata, self, late);

	owner_revokes(&g, 0, 0);
	expect_revoked(_metadata, self, sister);
	expect_revoked(_metadata, self, late);
	EXPECT_SIGNAL(SIGBUS, win[3]);
}

/* What is on its way is revoked as well. */
TEST_F(offer, passed_on)
{
	struct grant g;
	long theirs, win;
	int derived;

	ASSERT_EQ(0, grant_new(self, &g));
	test_target_derive(g.target, XMAP_RIGHTS_RW, 0, 0, &derived);
	theirs = give(derived);
	ASSERT_LE(0, theirs);
	win = peer_call(&self->user, op_window, theirs, self->mem, LEN, RW);
	ASSERT_NE(-1, win);
	EXPECT_EQ(0, peer_touch(&self->user, win));
	ASSERT_EQ(0, xmap_send_fd(self->sv[0], derived));
	close(derived);
	close(g.target);
	owner_revokes(&g, 0, 0);
	EXPECT_EQ(SIGBUS, peer_touch(&self->user, win));
	EXPECT_ERRNO(ESTALE, peer_call(&self->user, op_read, theirs, self->mem));
	theirs = peer_call(&self->user, op_recv_fd, self->sv[1]);
	ASSERT_LE(0, theirs);
	EXPECT_ERRNO(ESTALE, peer_call(&self->user, op_read, theirs, self->mem));
	EXPECT_ERRNO(ESTALE, peer_call(&self->user, op_derive, theirs, XMAP_RIGHT_READ, 0, 0));
}

/* Is there a page at this address of the owner? */
static bool present(OFFER *self, unsigned long addr)
{
	__u64 entry = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", self->owner.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (pread(fd, &entry, sizeof(entry), addr / PAGE * sizeof(entry)) != sizeof(entry))
		entry = ~0ULL;
	close(fd);
	return entry >> 63;
}

/* Nor does one who has been told no find out, or bring about, what is there. */
TEST_F(offer, nothing_is_touched)
{
	struct grant g;
	char *win;
	__u64 word;

	ASSERT_EQ(0, grant_new(self, &g));
	test_window_map(g.target, self->mem, LEN, RW, &win);
	owner_revokes(&g, self->mem, 2 * PAGE);
	ASSERT_EQ(0, peer_munmap(&self->owner, self->mem, PAGE));
	ASSERT_EQ(0, peer_madvise(&self->owner, self->mem + PAGE, PAGE, MADV_DONTNEED));
	EXPECT_ERRNO(ESTALE, pread(g.target, &word, 8, self->mem));
	EXPECT_ERRNO(ESTALE, pwrite(g.target, &word, 8, self->mem + PAGE));
	EXPECT_EQ(-ESTALE, transfer_result(self->dev, g.target, 0, self->mem, &word, 8));
	EXPECT_EQ(-ESTALE, transfer_result(self->dev, g.target, XMAP_TRANSFER_WRITE,
					   self->mem + PAGE, &word, 8));
	test_err_target_prefault(ESTALE, g.target, 0, win, PAGE);
	test_err_target_prefault(ESTALE, g.target, XMAP_TARGET_PREFAULT_WRITE, win + PAGE,
				 PAGE);
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_STORE_SIGNAL(SIGBUS, win + PAGE);
	EXPECT_FALSE(present(self, self->mem + PAGE));
	EXPECT_TRUE(present(self, self->mem + 2 * PAGE));
}

/* ---- A part of it ---- */

TEST_F(offer, pages)
{
	unsigned long start = self->mem + 2 * PAGE, end = self->mem + 4 * PAGE;
	static char buf[LEN];
	struct grant g;
	int part, whole;
	__u64 done;
	char *win;

	ASSERT_EQ(0, grant_new(self, &g));
	test_window_map(g.target, self->mem, LEN, RW, &win);
	EXPECT_EQ(0, peer_check_here(win, LEN, SEED));
	owner_revokes(&g, start, end - start);

	EXPECT_LOAD(peer_word(SEED, PAGE), win + PAGE);
	EXPECT_SIGNAL(SIGBUS, win + 2 * PAGE);
	EXPECT_SIGNAL(SIGBUS, win + 4 * PAGE - 8);
	EXPECT_STORE(peer_word(SEED, 4 * PAGE), win + 4 * PAGE);
	EXPECT_EQ(0, xmap_poll_now(g.target) & POLLHUP);
	EXPECT_EQ(0, xmap_poll_now(g.fd) & POLLHUP);
	EXPECT_EQ(XMAP_TARGET_ALIVE, op_state((unsigned long[]){ g.target }));
	EXPECT_EQ(XMAP_TARGET_ALIVE, listed_state(self, XMAP_LIST_WINDOW, getpid()));

	/* It ends what comes before it, as the end of the range does. */
	EXPECT_EQ(2 * PAGE, pread(g.target, buf, LEN, self->mem));
	EXPECT_EQ(0, peer_check_here(buf, 2 * PAGE, SEED));
	EXPECT_EQ(2 * PAGE, pwrite(g.target, buf, LEN, self->mem));
	EXPECT_EQ(1, pread(g.target, buf, 8, start - 1));
	EXPECT_ERRNO(ESTALE, pread(g.target, buf, 8, start));
	EXPECT_ERRNO(ESTALE, pread(g.target, buf, LEN, start + 1));
	EXPECT_ERRNO(ESTALE, pwrite(g.target, buf, 8, end - 1));
	EXPECT_EQ(LEN - 4 * PAGE, pread(g.target, buf, LEN, end));
	EXPECT_EQ(3, transfer_result(self->dev, g.target, 0, start - 3, buf, 8));
	EXPECT_EQ(2 * PAGE, transfer_result(self->dev, g.target, 0, self->mem, buf, LEN));
	EXPECT_EQ(-ESTALE, transfer_result(self->dev, g.target, 0, start, buf, 8));
	EXPECT_EQ(8, transfer_result(self->dev, g.target, 0, end, buf, 8));

	test_err_target_derive(ESTALE, g.target, XMAP_RIGHT_READ, start, end - start);
	test_err_target_derive(ESTALE, g.target, XMAP_RIGHT_READ, start + 5, 5);
	test_err_export_accept(ESTALE, g.fd, XMAP_RIGHT_READ, start, PAGE);
	test_target_derive(g.target, XMAP_RIGHT_READ, start - 1, end - start + 1, &part);
	EXPECT_EQ(1, pread(part, buf, LEN, start - 1));
	EXPECT_ERRNO(ESTALE, pread(part, buf, 1, start));
	test_export_accept(g.fd, XMAP_RIGHT_READ, 0, 0, &whole);
	EXPECT_EQ(2 * PAGE, pread(whole, buf, LEN, self->mem));

	test_err_window_map(ESTALE, g.target, self->mem, LEN, PROT_READ);
	test_err_window_map(ESTALE, g.target, start - PAGE, 2 * PAGE, PROT_READ);
	test_err_window_map(ESTALE, g.target, start, PAGE, PROT_READ);
	EXPECT_NE(MAP_FAILED, _test_window_map(g.target, self->mem, 2 * PAGE, RW));
	EXPECT_NE(MAP_FAILED, _test_window_map(g.target, end, PAGE, RW));
	test_target_prefault(g.target, 0, win, LEN, &done);
	EXPECT_EQ(2 * PAGE, done);
	test_err_target_prefault(ESTALE, g.target, 0, win + 2 * PAGE, LEN - 2 * PAGE);
	test_target_prefault(g.target, 0, win + 4 * PAGE, LEN - 4 * PAGE, &done);
	EXPECT_EQ(LEN - 4 * PAGE, done);

	/* Piece by piece, in the end it is all of it. */
	owner_revokes(&g, end, LEN - 4 * PAGE);
	EXPECT_EQ(XMAP_TARGET_ALIVE, op_state((unsigned long[]){ g.target }));
	owner_revokes(&g, self->mem, 2 * PAGE - 1);
	EXPECT_EQ(1, pread(g.target, buf, LEN, start - 1));
	EXPECT_EQ(0, xmap_poll_now(g.target) & POLLHUP);
	owner_revokes(&g, start - 1, 1);
	expect_revoked(_metadata, self, g.target);
	EXPECT_EQ(POLLIN | POLLHUP, xmap_poll_now(g.fd));
}

/* Transfers are about bytes, windows about pages. */
TEST_F(offer, bytes)
{
	unsigned long start = self->mem + PAGE + 100, end = start + 50;
	static char buf[LEN];
	struct grant g;
	char *win;

	ASSERT_EQ(0, grant_new(self, &g));
	test_window_map(g.target, self->mem, LEN, RW, &win);
	EXPECT_EQ(0, peer_check_here(win, LEN, SEED));
	test_revoke(g.target, start, end - start);

	EXPECT_LOAD(peer_word(SEED, PAGE - 8), win + PAGE - 8);
	EXPECT_SIGNAL(SIGBUS, win + PAGE);
	EXPECT_SIGNAL(SIGBUS, win + PAGE + 96);
	EXPECT_SIGNAL(SIGBUS, win + 2 * PAGE - 8);
	EXPECT_LOAD(peer_word(SEED, 2 * PAGE), win + 2 * PAGE);
	EXPECT_EQ(PAGE + 100, pread(g.target, buf, LEN, self->mem));
	EXPECT_ERRNO(ESTALE, pread(g.target, buf, 1, start));
	EXPECT_ERRNO(ESTALE, pread(g.target, buf, 1, end - 1));
	EXPECT_EQ(1, pread(g.target, buf, 1, start - 1));
	EXPECT_EQ((ssize_t)(self->mem + LEN - end), pread(g.target, buf, LEN, end));
	EXPECT_EQ(1, pwrite(g.target, buf, 1, end));
	test_err_window_map(ESTALE, g.target, self->mem + PAGE, PAGE, PROT_READ);
	test_err_window_map(ESTALE, g.target, self->mem, 2 * PAGE, PROT_READ);
	EXPECT_NE(MAP_FAILED, _test_window_map(g.target, self->mem, PAGE, RW));

	/* One byte in a page that a window has is enough. */
	test_revoke(g.target, self->mem + 4 * PAGE - 1, 2);
	EXPECT_LOAD(peer_word(SEED, 2 * PAGE), win + 2 * PAGE);
	EXPECT_SIGNAL(SIGBUS, win + 3 * PAGE);
	EXPECT_SIGNAL(SIGBUS, win + 4 * PAGE);
	EXPECT_LOAD(peer_word(SEED, 5 * PAGE), win + 5 * PAGE);
	/* What lies between two pieces can be had, and is cut at both. */
	EXPECT_EQ((ssize_t)(self->mem + 4 * PAGE - 1 - end), pread(g.target, buf, LEN, end));
}

/* The mappings that a target lists: their number, where the first begins, the last ends. */
static __u32 listed_maps(int target, __u64 *start, __u64 *end)
{
	static __u8 buf[16384] __attribute__((aligned(8)));
	struct xmap_cmd_target_maps maps = { .out_next = 0 };
	const struct xmap_vma *vma;
	__u32 n = 0, i, at;

	do {
		if (_test_target_maps(target, maps.out_next, buf, sizeof(buf), &maps))
			return -1;
		for (i = 0, at = 0; i < maps.out_count; i++, at += vma->size, n++) {
			vma = (void *)(buf + at);
			*start = n ? *start : vma->start;
			*end = vma->end;
		}
	} while (maps.out_next);
	return n;
}

/* What has been revoked is not listed either, be it much. */
TEST_F_TIMEOUT(offer, mappings, PEER_TIMEOUT)
{
	enum { MANY = 200 };
	unsigned long mem = peer_map(&self->owner, PEER_ANON, RW, MANY * PAGE, SEED);
	__u64 start, end;
	struct grant g;
	int i;

	ASSERT_NE(PEER_MAP_FAILED, mem);
	for (i = 1; i < MANY; i += 2)
		ASSERT_EQ(0, peer_mprotect(&self->owner, mem + i * PAGE, PAGE, PROT_READ));
	ASSERT_EQ(0, grant_range(self, &g, mem, MANY * PAGE));
	EXPECT_EQ(MANY, listed_maps(g.target, &start, &end));
	EXPECT_EQ(mem, start);
	EXPECT_EQ(mem + MANY * PAGE, end);

	/* Of one a part, and one of them all. */
	owner_revokes(&g, mem, PAGE - 1);
	EXPECT_EQ(MANY, listed_maps(g.target, &start, &end));
	owner_revokes(&g, mem + PAGE - 1, 1);
	EXPECT_EQ(MANY - 1, listed_maps(g.target, &start, &end));
	EXPECT_EQ(mem + PAGE, start);
	test_revoke(g.target, mem + PAGE, PAGE);
	owner_revokes(&g, mem + 10 * PAGE, PAGE);
	EXPECT_EQ(MANY - 3, listed_maps(g.target, &start, &end));
	EXPECT_EQ(mem + 2 * PAGE, start);

	/* All but the last byte. */
	owner_revokes(&g, mem, MANY * PAGE - 1);
	EXPECT_EQ(1, listed_maps(g.target, &start, &end));
	EXPECT_EQ(mem + (MANY - 1) * PAGE, start);
	EXPECT_EQ(mem + MANY * PAGE, end);
	/* All but the first mapping. */
	ASSERT_EQ(0, grant_range(self, &g, mem, MANY * PAGE));
	test_revoke(g.target, mem + PAGE, (MANY - 1) * PAGE);
	EXPECT_EQ(1, listed_maps(g.target, &start, &end));
	EXPECT_EQ(mem, start);
	EXPECT_EQ(mem + PAGE, end);
}

/* Pieces of a node and of those above it together. */
TEST_F(offer, pieces_of_several)
{
	static char buf[LEN];
	struct grant g;
	int derived;

	ASSERT_EQ(0, grant_new(self, &g));
	test_target_derive(g.target, XMAP_RIGHTS_RW, 0, 0, &derived);
	owner_revokes(&g, self->mem, 2 * PAGE);
	test_revoke(g.target, self->mem + 3 * PAGE, PAGE);
	test_revoke(derived, self->mem + 4 * PAGE, LEN - 4 * PAGE);
	EXPECT_ERRNO(ESTALE, pread(derived, buf, 8, self->mem));
	EXPECT_EQ(PAGE, pread(derived, buf, LEN, self->mem + 2 * PAGE));
	EXPECT_EQ(PAGE, pread(g.target, buf, LEN, self->mem + 2 * PAGE));
	EXPECT_EQ(LEN - 4 * PAGE, pread(g.target, buf, LEN, self->mem + 4 * PAGE));
	owner_revokes(&g, self->mem + 2 * PAGE, PAGE);
	expect_revoked(_metadata, self, derived);
	EXPECT_EQ(XMAP_TARGET_ALIVE, op_state((unsigned long[]){ g.target }));
	EXPECT_EQ(XMAP_TARGET_ALIVE, listed_state(self, XMAP_LIST_EXPORT, self->owner.pid));
}

/* As many pieces as can be, of as many nodes as can be, in turn: it is all of it. */
TEST_F_TIMEOUT(offer, pieces_of_all, PEER_TIMEOUT)
{
	enum { BYTES = PIECES * (DEPTH + 1) };
	int fd[DEPTH + 1], last = DEPTH, i;
	struct grant g;
	__u8 byte;

	ASSERT_EQ(0, grant_range(self, &g, self->mem, BYTES));
	fd[1] = g.target;
	for (i = 2; i <= DEPTH; i++)
		test_target_derive(fd[i - 1], XMAP_RIGHTS_RW, 0, 0, &fd[i]);
	/* Of the export, which is above all, the last one at the end. */
	for (i = BYTES - 1; i > 0; i--) {
		if (i % (DEPTH + 1) == 0) {
			owner_revokes(&g, self->mem + i, 1);
			continue;
		}
		test_revoke(fd[i % (DEPTH + 1)], self->mem + i, 1);
	}
	EXPECT_EQ(XMAP_TARGET_ALIVE, op_state((unsigned long[]){ fd[last] }));
	EXPECT_EQ(XMAP_TARGET_ALIVE, listed_state(self, XMAP_LIST_TARGET, getpid()));
	EXPECT_EQ(1, pread(fd[last], &byte, 1, self->mem));
	owner_revokes(&g, self->mem, 1);
	EXPECT_EQ(XMAP_TARGET_REVOKED, op_state((unsigned long[]){ fd[last] }));
	EXPECT_EQ(XMAP_TARGET_REVOKED, listed_state(self, XMAP_LIST_TARGET, getpid()));
	EXPECT_EQ(POLLHUP, xmap_poll_now(fd[last]) & POLLHUP);
	/* Each of the others lacks what those below it have lost. */
	EXPECT_EQ(XMAP_TARGET_ALIVE, op_state((unsigned long[]){ fd[last - 1] }));
	EXPECT_ERRNO(ESTALE, pread(fd[last - 1], &byte, 1, self->mem + 1));
	EXPECT_EQ(1, pread(fd[last - 1], &byte, 1, self->mem + last));
}

TEST_F(offer, ranges)
{
	static const struct {
		__u64 addr, length;
		int err;
	} c[] = {
		{ 1, 0, EINVAL },
		{ PAGE, 0, EINVAL },
		{ USER_END, 1, EFAULT },
		{ 0, USER_END + 1, EFAULT },
		{ 1, -1ULL, EOVERFLOW },
		{ -1ULL, 2, EOVERFLOW },
	};
	struct grant g;
	__u64 serial;
	size_t i;

	ASSERT_EQ(0, grant_new(self, &g));
	serial = xmap_serial(self->dev, XMAP_LIST_TARGET, getpid());
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		test_err_revoke(c[i].err, g.target, c[i].addr, c[i].length);
		test_err_revoke(c[i].err, g.fd, c[i].addr, c[i].length);
		test_err_revoke_serial(c[i].err, self->dev, serial, c[i].addr, c[i].length);
	}
	/* What a target never had it cannot lose. */
	test_err_revoke(EFAULT, g.target, self->mem + LEN, PAGE);
	test_err_revoke(EFAULT, g.target, 0, self->mem);
	test_err_revoke(EFAULT, g.fd, self->mem - 1, 1);
	test_err_revoke_serial(EFAULT, self->dev, serial, self->mem + LEN, PAGE);
	expect_usable(_metadata, self, g.target);
	/* One of the two ways to name it, not both. */
	test_err_revoke_serial(EINVAL, g.target, serial, 0, 0);
	test_err_revoke_serial(EINVAL, self->dev, 0, 0, 0);
	expect_usable(_metadata, self, g.target);
	test_revoke(g.target, 0, USER_END);
	expect_revoked(_metadata, self, g.target);
}

/* Pieces are counted when they are apart; all of it can always be revoked. */
TEST_F(offer, many_pieces)
{
	unsigned long at = self->mem;
	struct grant g;
	__u64 word;
	int i;

	ASSERT_EQ(0, grant_new(self, &g));
	for (i = 0; i < PIECES && !_test_revoke(g.target, at + 8 * i + 4, 1);)
		i++;
	ASSERT_EQ(PIECES, i);
	test_err_revoke(EDQUOT, g.target, at + 8 * PIECES + 4, 1);
	EXPECT_EQ(8, pread(g.target, &word, 8, at + 8 * PIECES));
	EXPECT_EQ(0, _test_revoke(g.target, at + 8 * 17 + 4, 1));
	EXPECT_EQ(0, _test_revoke(g.target, at + 8 * 17 + 3, 1));
	EXPECT_EQ(0, _test_revoke(g.target, at + 8 * 17 + 5, 2));
	test_err_revoke(EDQUOT, g.target, at + 8 * PIECES + 4, 1);
	for (i = 0; i < PIECES; i++) {
		ASSERT_EQ(i == 17 ? 3 : 4, pread(g.target, &word, 8, at + 8 * i));
		ASSERT_EQ(ESTALE, XMAP_ERRNO(pread(g.target, &word, 1, at + 8 * i + 4)));
		ASSERT_EQ(1, pread(g.target, &word, 1, at + 8 * i + 7));
	}
	/* Two become one, and one more is possible. */
	EXPECT_EQ(0, _test_revoke(g.target, at + 8 * 30 + 4, 9));
	EXPECT_EQ(0, _test_revoke(g.target, at + 8 * PIECES + 4, 1));
	test_err_revoke(EDQUOT, g.target, at + 8 * PIECES + 12, 1);
	EXPECT_ERRNO(ESTALE, pread(g.target, &word, 8, at + 8 * 31));
	/* Many become one, that overlaps the first and ends where the last begins. */
	EXPECT_EQ(0, _test_revoke(g.target, at + 8 * 10 + 4, 8 * 40));
	EXPECT_EQ(0, _test_revoke(g.target, at + 8 * PIECES + 12, 1));
	EXPECT_EQ(4, pread(g.target, &word, 8, at + 8 * 10));
	EXPECT_ERRNO(ESTALE, pread(g.target, &word, 1, at + 8 * 50 + 4));
	EXPECT_EQ(7, pread(g.target, &word, 8, at + 8 * 50 + 5));
	EXPECT_EQ(4, pread(g.target, &word, 8, at + 8 * 51));
	/* The export has its own. */
	EXPECT_EQ(0, peer_call(&self->owner, op_revoke, g.theirs, 0, at + LEN - 1, 1));
	test_revoke(g.target, 0, 0);
	expect_revoked(_metadata, self, g.target);
}

/* ---- The tree ---- */

TEST_F(offer, depth)
{
	int fd[DEPTH + 1], opened, i;
	struct grant g;
	char *win;

	ASSERT_EQ(0, grant_new(self, &g));
	fd[1] = g.target;
	for (i = 2; i <= DEPTH; i++)
		test_target_derive(fd[i - 1], XMAP_RIGHTS_RW, 0, 0, &fd[i]);
	test_err_target_derive(EDQUOT, fd[DEPTH], XMAP_RIGHTS_RW, 0, 0);
	test_window_map(fd[DEPTH], self->mem, LEN, RW, &win);
	EXPECT_EQ(0, peer_check_here(win, LEN, SEED));
	expect_usable(_metadata, self, fd[DEPTH]);
	/* What it was derived from is closed, and stands for it all the same. */
	for (i = 1; i < DEPTH; i++)
		if (i != DEPTH / 2)
			close(fd[i]);
	expect_usable(_metadata, self, fd[DEPTH]);
	test_err_target_derive(EDQUOT, fd[DEPTH], XMAP_RIGHTS_RW, 0, 0);
	test_revoke(fd[DEPTH / 2], self->mem, PAGE);
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_LOAD(peer_word(SEED, PAGE), win + PAGE);
	owner_revokes(&g, 0, 0);
	EXPECT_SIGNAL(SIGBUS, win + PAGE);
	expect_revoked(_metadata, self, fd[DEPTH]);

	/* What was opened stands where an export does. */
	test_target_open_pid(self->dev, self->owner.pid, XMAP_RIGHTS_RW, &opened);
	for (i = 1; i <= DEPTH; i++) {
		test_target_derive(opened, XMAP_RIGHTS_RW, 0, 0, &fd[i]);
		close(opened);
		opened = fd[i];
	}
	test_err_target_derive(EDQUOT, opened, XMAP_RIGHTS_RW, 0, 0);
}

/* ---- Other ways to the memory ---- */

/* A debugger of him who has the window does not see more than he. */
TEST_F(offer, debugger_of_the_holder)
{
	pid_t pid = self->user.pid;
	struct grant g;
	char path[64];
	int status, fd;
	__u64 word = 0;
	long win;

	ASSERT_EQ(0, grant_new(self, &g));
	win = peer_call(&self->user, op_window, give(g.target), self->mem, LEN, RW);
	ASSERT_NE(-1, win);
	EXPECT_EQ(0, peer_touch(&self->user, win));
	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(peer_word(SEED, 8), ptrace(PTRACE_PEEKDATA, pid, win + 8, NULL));

	owner_revokes(&g, self->mem + PAGE + 64, 8);
	EXPECT_EQ(peer_word(SEED, 8), ptrace(PTRACE_PEEKDATA, pid, win + 8, NULL));
	EXPECT_ERRNO(EIO, ptrace(PTRACE_PEEKDATA, pid, win + PAGE, NULL));
	EXPECT_ERRNO(EIO, pread(fd, &word, 8, win + PAGE + 64));
	EXPECT_ERRNO(EIO, pwrite(fd, &word, 8, win + PAGE));
	owner_revokes(&g, 0, 0);
	EXPECT_ERRNO(EIO, ptrace(PTRACE_PEEKDATA, pid, win + 8, NULL));
	EXPECT_ERRNO(EIO, ptrace(PTRACE_POKEDATA, pid, win + 8, 1));
	EXPECT_ERRNO(EIO, pread(fd, &word, 8, win));
	EXPECT_ERRNO(EIO, pwrite(fd, &word, 8, win));
	EXPECT_EQ(0, word);
	EXPECT_EQ(0, ptrace(PTRACE_DETACH, pid, NULL, NULL));
	EXPECT_EQ(0, peer_check(&self->owner, self->mem, LEN, SEED));
}

/* A target that was opened is revoked by who opened it; its forced writes as well. */
TEST_F(offer, forced_writes)
{
	static char buf[2 * PAGE];
	int target;

	if (force_policy() != FORCE_ALWAYS)
		SKIP(return, "forced writes are not allowed here");
	test_target_open_pid(self->dev, self->owner.pid, XMAP_RIGHTS_ALL, &target);
	ASSERT_EQ(0, peer_mprotect(&self->owner, self->mem, LEN, PROT_READ));
	EXPECT_EQ(8, pwrite(target, buf, 8, self->mem + PAGE));
	EXPECT_EQ(0, peer_load(&self->owner, self->mem + PAGE));
	test_revoke(target, self->mem + 2 * PAGE + 16, 8);
	EXPECT_EQ(2 * PAGE, pwrite(target, buf, 2 * PAGE, self->mem + 16));
	EXPECT_EQ(PAGE, pwrite(target, buf, 2 * PAGE, self->mem + PAGE + 16));
	EXPECT_ERRNO(ESTALE, pwrite(target, buf, 8, self->mem + 2 * PAGE + 16));
	EXPECT_EQ(-ESTALE, transfer_result(self->dev, target,
					   XMAP_TRANSFER_WRITE | XMAP_TRANSFER_FORCE,
					   self->mem + 2 * PAGE + 16, buf, 8));
	EXPECT_EQ(8, pwrite(target, buf, 8, self->mem + 2 * PAGE + 24));
	EXPECT_EQ(peer_word(SEED, 2 * PAGE + 16),
		  peer_load(&self->owner, self->mem + 2 * PAGE + 16));
}

/* Several small copies share their way; each has its own answer. */
TEST_F(offer, transfers_together)
{
	enum { NR = 40 };
	struct xmap_transfer e[NR] = {};
	__u64 words[NR] = {};
	struct grant g;
	unsigned int i;

	ASSERT_EQ(0, grant_new(self, &g));
	for (i = 0; i < NR; i += 2)
		test_revoke(g.target, self->mem + 64 * i + 4, 1 + i % 3);
	for (i = 0; i < NR; i += 4)
		test_revoke(g.target, self->mem + 64 * i, 1);
	for (i = 0; i < NR; i++) {
		e[i].fd = g.target;
		e[i].remote = self->mem + 64 * i;
		e[i].local = (uintptr_t)&words[i];
		e[i].length = 8;
	}
	test_transfer(self->dev, e, NR);
	for (i = 0; i < NR; i++) {
		EXPECT_EQ(i % 2 ? 8 : i % 4 ? 4 : -ESTALE, e[i].out_result);
		EXPECT_EQ(i % 2 ? peer_word(SEED, 64 * i) :
			  i % 4 ? (__u32)peer_word(SEED, 64 * i) : 0, words[i]);
	}
}

TEST_HARNESS_MAIN
