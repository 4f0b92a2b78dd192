// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports, revocation and denial while the kernel runs out of memory or a user
 * copy fails: what fails has done nothing, and can be done again.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "xmap_fail_nth.h"
#include "xmap_export_utils.h"

#define RW (PROT_READ | PROT_WRITE)
#define LEN (4 * PAGE)
#define SEED 3
#define NAME "xmap-fail.name"

FIXTURE(consent)
{
	struct nth nth;
	int dev;
	/* Whose memory it is, in passes of which each needs a process of its own. */
	struct peer peer;
	unsigned long mem;
	/* The test's own memory, offered by a name. */
	__u64 *own;
	int export;
	__u64 id;
};

FIXTURE_SETUP(consent)
{
	struct xmap_cmd_export_create cmd = {
		.flags = XMAP_EXPORT_PUBLISH,
		.rights = XMAP_RIGHTS_RW,
		.length = LEN,
		.mode = 0666,
		.gid = -1,
		.name = NAME,
	};

	touch_init();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->peer));
	self->mem = peer_map(&self->peer, PEER_ANON, RW, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->mem);
	self->own = xmap_shared(LEN);
	peer_fill_here(self->own, LEN, SEED);
	cmd.addr = (unsigned long)self->own;
	test_export_create_cmd(self->dev, &cmd);
	self->export = cmd.out_fd;
	self->id = cmd.out_id;
}

FIXTURE_TEARDOWN(consent)
{
	close(self->export);
	peer_end(&self->peer);
	close(self->dev);
}

/* ---- Offering and taking ---- */

TEST_F(consent, create)
{
	struct xmap_cmd_export_create cmd = {
		.flags = XMAP_EXPORT_PUBLISH | XMAP_EXPORT_FOR_PROCESS | XMAP_EXPORT_FOR_USER,
		.rights = XMAP_RIGHT_READ,
		.gid = -1,
		.receiver_pid = self->peer.pid,
		.receiver_fd = self->peer.pidfd,
		.name = "xmap-fail.other",
	};
	int err;

	nth_begin(&self->nth, self->dev, "export_create");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_export_create_cmd(self->dev, &cmd));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		if (err) {
			EXPECT_EQ(XMAP_UNTOUCHED, cmd.out_fd);
			EXPECT_EQ((__u64)XMAP_UNTOUCHED, cmd.out_id);
			/* Nor is the name taken. */
			test_err_export_open(ENOENT, self->dev, 1, 0, "xmap-fail.other");
		} else {
			close(cmd.out_fd);
		}
	}
}

/* In a process each time that nothing has watched yet. */
TEST_F(consent, create_the_first)
{
	struct peer p;
	int err;
	long fd;

	nth_begin(&self->nth, self->dev, "export_create_the_first");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, peer_spawn(&p));
		err = NTH_PEER_ERRNO(&self->nth, &fd, &p, op_export, self->dev, XMAP_RIGHT_READ,
				     0, 0);
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		peer_end(&p);
	}
}

TEST_F(consent, open)
{
	int err, fd;

	nth_begin(&self->nth, self->dev, "export_open");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_export_open(self->dev, XMAP_RIGHTS_RW, 0, NAME,
							      &fd));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		if (!err)
			close(fd);
		else
			EXPECT_EQ(XMAP_UNTOUCHED, fd);
	}
	test_export_open(self->dev, XMAP_RIGHT_READ, self->id, NULL, &fd);
}

TEST_F(consent, accept)
{
	struct xmap_cmd_export_info info;
	__u32 accepts = 0;
	int err, fd;

	nth_begin(&self->nth, self->dev, "export_accept");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_export_accept(self->export, XMAP_RIGHTS_RW, 0, 0,
								&fd));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		if (err) {
			EXPECT_EQ(XMAP_UNTOUCHED, fd);
		} else {
			accepts++;
			close(fd);
		}
		/* What failed does not count. */
		test_export_info(self->export, &info);
		EXPECT_EQ(accepts, info.out_accepts);
		EXPECT_EQ(0, info.out_targets);
	}
	nth_assert_limit(self->dev);
}

TEST_F(consent, info)
{
	struct xmap_cmd_export_info info;
	int err;

	nth_begin(&self->nth, self->dev, "export_info");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, _test_export_info(self->export, &info));
		EXPECT_NTH(&self->nth, err, EFAULT);
		EXPECT_EQ(err ? 0 : getpid(), info.out_pid);
	}
}

/* ---- Taking back ---- */

/* To revoke all of it needs no memory; a part needs some, or is not revoked. */
static void sweep_revoke(struct __test_metadata *_metadata, FIXTURE_DATA(consent) *self,
			 __u64 length, bool by_number)
{
	__u64 addr = length ? (unsigned long)self->own : 0, serial = 0, word;
	int err, target;
	char *win;

	nth_begin(&self->nth, self->dev, length ? "revoke_part" : "revoke_all");
	while (nth_next(&self->nth)) {
		test_export_accept(self->export, XMAP_RIGHTS_RW, 0, 0, &target);
		test_window_map(target, (unsigned long)self->own, LEN, RW, &win);
		EXPECT_LOAD(peer_word(SEED, 0), win);
		if (by_number)
			serial = xmap_serial(self->dev, XMAP_LIST_TARGET, getpid());
		err = NTH_ERRNO(&self->nth, _test_revoke_serial(by_number ? self->dev : target,
								serial, addr, length));
		EXPECT_NTH(&self->nth, err, EFAULT, length ? ENOMEM : EFAULT);
		EXPECT_EQ(err ? 0 : SIGBUS, touch(win));
		EXPECT_EQ(err ? 0 : ESTALE, XMAP_ERRNO(pread(target, &word, 8,
							     (unsigned long)self->own)));
		EXPECT_EQ(length || err ? 0 : SIGBUS, touch(win + PAGE));
		munmap(win, LEN);
		close(target);
	}
}

TEST_F(consent, revoke_all)
{
	sweep_revoke(_metadata, self, 0, false);
}

TEST_F(consent, revoke_part)
{
	sweep_revoke(_metadata, self, PAGE, false);
}

TEST_F(consent, revoke_by_number)
{
	sweep_revoke(_metadata, self, 16, true);
}

TEST_F(consent, revoke_all_by_number)
{
	sweep_revoke(_metadata, self, 0, true);
}

/* The same for all that was accepted from an export, and for what nobody has accepted yet. */
static void sweep_revoke_export(struct __test_metadata *_metadata, FIXTURE_DATA(consent) *self,
				__u64 length, bool by_number)
{
	__u64 own = (unsigned long)self->own, serial = 0, word;
	int err, export, target, more;
	char *win;

	nth_begin(&self->nth, self->dev, length ? "revoke_export_part" : "revoke_export");
	while (nth_next(&self->nth)) {
		test_export_create(self->dev, XMAP_RIGHTS_RW, own, LEN, &export);
		if (by_number)
			serial = xmap_serial(self->dev, XMAP_LIST_EXPORT, getpid());
		test_export_accept(export, XMAP_RIGHTS_RW, 0, 0, &target);
		test_window_map(target, own, LEN, RW, &win);
		EXPECT_LOAD(peer_word(SEED, 0), win);
		err = NTH_ERRNO(&self->nth, _test_revoke_serial(by_number ? self->dev : export,
								serial, length ? own : 0, length));
		EXPECT_NTH(&self->nth, err, EFAULT, length ? ENOMEM : EFAULT);
		EXPECT_EQ(err ? 0 : SIGBUS, touch(win));
		EXPECT_EQ(length || err ? 0 : SIGBUS, touch(win + PAGE));
		EXPECT_EQ(err ? 0 : ESTALE, XMAP_ERRNO(pread(target, &word, 8, own)));
		EXPECT_EQ(length || err ? 0 : ESTALE,
			  XMAP_ERRNO(_test_export_accept(export, XMAP_RIGHT_READ, 0, 0, &more)));
		if (more >= 0)
			close(more);
		munmap(win, LEN);
		close(target);
		close(export);
	}
}

TEST_F(consent, revoke_export)
{
	sweep_revoke_export(_metadata, self, 0, false);
	sweep_revoke_export(_metadata, self, PAGE, false);
}

TEST_F(consent, revoke_export_by_number)
{
	sweep_revoke_export(_metadata, self, 0, true);
	sweep_revoke_export(_metadata, self, PAGE, true);
}

/* ---- Being told ---- */

TEST_F(consent, poll)
{
	struct pollfd p = { .fd = self->export, .events = POLLIN };
	int err, target;

	test_export_accept(self->export, XMAP_RIGHT_READ, 0, 0, &target);
	nth_begin(&self->nth, self->dev, "export_poll");
	while (nth_next(&self->nth)) {
		p.revents = 0;
		err = NTH_ERRNO(&self->nth, poll(&p, 1, 0));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_EQ(err ? 0 : POLLIN, p.revents);
	}
	close(target);
}

TEST_F(consent, epoll)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC), target;
	int err;

	ASSERT_LE(0, ep);
	test_export_accept(self->export, XMAP_RIGHT_READ, 0, 0, &target);
	nth_begin(&self->nth, self->dev, "export_epoll");
	while (nth_next(&self->nth)) {
		err = NTH_ERRNO(&self->nth, epoll_ctl(ep, EPOLL_CTL_ADD, self->export, &event));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_EQ(err ? 0 : 1, epoll_wait(ep, &event, 1, 0));
		EXPECT_EQ(err ? -1 : 0, epoll_ctl(ep, EPOLL_CTL_DEL, self->export, NULL));
	}
	close(target);
	close(ep);
}

TEST_F(consent, fdinfo)
{
	char path[48], text[1024];
	int err, info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->export);
	nth_begin(&self->nth, self->dev, "export_fdinfo");
	while (nth_next(&self->nth)) {
		info = open(path, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, info);
		memset(text, 0, sizeof(text));
		err = NTH_ERRNO(&self->nth, read(info, text, sizeof(text) - 1));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_EQ(!err, !!strstr(text, "xmap-name:\t" NAME "\nxmap-state:\talive\n"));
		close(info);
	}
}

static int set_bell(int fd, int bell)
{
	struct xmap_cmd_eventfd cmd = { .size = sizeof(cmd), .fd = bell };

	return ioctl(fd, XMAP_EVENTFD, &cmd);
}

/* A descriptor that could not be given another eventfd has the one that it had. */
TEST_F(consent, eventfd)
{
	int first = eventfd(0, EFD_NONBLOCK), second = eventfd(0, EFD_NONBLOCK);
	int err, i, fd, target, more;
	__u64 count;

	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	test_export_accept(self->export, XMAP_RIGHT_READ, 0, 0, &target);
	for (i = 0; i < 2; i++) {
		fd = i ? target : self->export;
		nth_begin(&self->nth, self->dev, i ? "target_eventfd" : "export_eventfd");
		while (nth_next(&self->nth)) {
			ASSERT_EQ(0, set_bell(fd, first));
			err = NTH_ERRNO(&self->nth, set_bell(fd, second));
			EXPECT_NTH(&self->nth, err, ENOMEM, EFAULT);
			/* Both are told of this. */
			test_export_accept(self->export, XMAP_RIGHT_READ, 0, 0, &more);
			close(more);
			EXPECT_EQ(err ? 8 : -1, read(first, &count, sizeof(count)));
			EXPECT_EQ(err ? -1 : 8, read(second, &count, sizeof(count)));
			/* Taking it away needs nothing but to be asked. */
			ASSERT_EQ(0, set_bell(fd, -1));
		}
		nth_begin(&self->nth, self->dev, i ? "target_no_eventfd" : "export_no_eventfd");
		while (nth_next(&self->nth)) {
			ASSERT_EQ(0, set_bell(fd, first));
			err = NTH_ERRNO(&self->nth, set_bell(fd, -1));
			EXPECT_NTH(&self->nth, err, EFAULT);
			test_export_accept(self->export, XMAP_RIGHT_READ, 0, 0, &more);
			close(more);
			EXPECT_EQ(err ? 8 : -1, read(first, &count, sizeof(count)));
		}
	}
	close(target);
	close(first);
	close(second);
}

/* ---- Refusing ---- */

/* In a new process each time, with one who looks at it: the answer can get lost. */
TEST_F(consent, deny)
{
	unsigned long at = (unsigned long)self->own;
	long old_scope = xmap_read_long(YAMA_SCOPE);
	struct peer looker, p;
	long now, fd;
	int err;

	ASSERT_EQ(0, xmap_write_long(YAMA_SCOPE, 0));
	ASSERT_EQ(0, peer_spawn_as(&looker, UID_A, UID_A, 0));
	nth_begin(&self->nth, self->dev, "deny");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, peer_spawn_as(&p, UID_A, UID_A, 0));
		fd = peer_call(&looker, op_target, self->dev, p.pid, XMAP_RIGHT_READ);
		EXPECT_EQ(peer_word(SEED, 0), (__u64)peer_call(&looker, op_read, fd, at));
		err = NTH_PEER_ERRNO(&self->nth, &now, &p, op_deny, self->dev, XMAP_DENY_SET);
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		EXPECT_EQ(err ? -1 : XMAP_DENY_SET, now);
		/* It has revoked before it tried to refuse. */
		now = peer_call(&p, op_deny, self->dev, 0);
		if (err != EFAULT)
			EXPECT_EQ(err ? 0 : XMAP_DENY_SET, now);
		EXPECT_EQ(err == EFAULT && !now ? 0 : ESTALE,
			  XMAP_ERRNO(peer_call(&looker, op_read, fd, at)));
		EXPECT_EQ(XMAP_DENY_SET, peer_call(&p, op_deny, self->dev, XMAP_DENY_SET));
		EXPECT_EQ(0, peer_call(&p, op_deny, self->dev, XMAP_DENY_CLEAR));
		ASSERT_EQ(0, peer_close(&looker, fd));
		peer_end(&p);
	}
	peer_end(&looker);
	xmap_write_long(YAMA_SCOPE, old_scope);
}

int main(int argc, char **argv)
{
	return nth_main(argc, argv);
}
