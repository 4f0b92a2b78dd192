// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports, revocation, denial and eventfds between 32-bit and 64-bit programs: what
 * either of them offers the other has, and the answers are the same.
 */
#include "compat.h"

#include <sys/eventfd.h>

#define YAMA_SCOPE "/proc/sys/kernel/yama/ptrace_scope"
#define NAME "xmap-compat"
/* The longest that a user's address space can be. */
#define ALL_OF_IT (1ULL << 47)

/* What the twin offers of its memory that has no 32-bit address: for both. */
static int twin_offers(struct twin *t, struct xmap_cmd_export_create cmd)
{
	struct xmap_cmd_export_create *shared = arena_at(0);

	*shared = cmd;
	shared->size = sizeof(cmd);
	shared->out_fd = XMAP_UNTOUCHED;
	if (twin_call(t, TWIN_IOCTL, SHARED_DEV, XMAP_EXPORT_CREATE, (uintptr_t)shared))
		return -1;
	return twin_lend(t, shared->out_fd, SHARED_EXPORT);
}

static int twin_offers_high(struct twin *t)
{
	return twin_offers(t, (struct xmap_cmd_export_create){
		.rights = XMAP_RIGHTS_RW, .addr = TWIN_HIGH, .length = TWIN_LENGTH,
	});
}

static int create_same(struct twin *t, struct xmap_cmd_export_create cmd, int *out)
{
	struct xmap_cmd_export_create *shared = arena_at(0);
	int err;

	*shared = cmd;
	shared->size = sizeof(cmd);
	shared->out_fd = XMAP_UNTOUCHED;
	err = same_ioctl_fd(t, SHARED_DEV, XMAP_EXPORT_CREATE, shared, &shared->out_fd);
	*out = shared->out_fd;
	return err;
}

static int accept_same(struct twin *t, __u32 rights, __u64 addr, __u64 length, int *out)
{
	struct xmap_cmd_export_accept *cmd = arena_at(0);
	int err;

	*cmd = (struct xmap_cmd_export_accept){
		.size = sizeof(*cmd),
		.rights = rights,
		.out_fd = XMAP_UNTOUCHED,
		.addr = addr,
		.length = length,
	};
	err = same_ioctl_fd(t, SHARED_EXPORT, XMAP_EXPORT_ACCEPT, cmd, &cmd->out_fd);
	*out = cmd->out_fd;
	return err;
}

static int open_export_same(struct twin *t, __u64 id, const char *name, int *out)
{
	struct xmap_cmd_export_open *cmd = arena_at(0);
	int err;

	*cmd = (struct xmap_cmd_export_open){
		.size = sizeof(*cmd),
		.rights = XMAP_RIGHT_READ,
		.out_fd = XMAP_UNTOUCHED,
		.id = id,
	};
	strcpy(cmd->name, name);
	err = same_ioctl_fd(t, SHARED_DEV, XMAP_EXPORT_OPEN, cmd, &cmd->out_fd);
	*out = cmd->out_fd;
	return err;
}

static int revoke_same(struct twin *t, int fd, __u64 serial, __u64 addr, __u64 length)
{
	struct xmap_cmd_revoke *cmd = arena_at(0);

	*cmd = (struct xmap_cmd_revoke){
		.size = sizeof(*cmd), .serial = serial, .addr = addr, .length = length,
	};
	return same_ioctl(t, fd, XMAP_REVOKE, cmd);
}

/* ---- Exports ---- */

/* Each of its own memory: both have the arena, and neither has all that it could offer. */
TEST_F(compat, export_create)
{
	const struct xmap_cmd_export_create good = {
		.rights = XMAP_RIGHTS_RW,
		.addr = TWIN_ARENA,
		.length = TWIN_ARENA_SIZE,
		.expires = ~0ULL,
		.max_accepts = 7,
	};
	struct xmap_cmd_export_create cmd = good;
	struct xmap_cmd_export_info *info = arena_at(0);
	int fd;

	ASSERT_EQ(0, create_same(&self->twin, cmd, &fd));
	*info = (struct xmap_cmd_export_info){ .size = sizeof(*info) };
	ASSERT_EQ(0, ioctl(fd, XMAP_EXPORT_INFO, info));
	EXPECT_EQ(getpid(), info->out_pid);
	EXPECT_EQ(TWIN_ARENA, info->out_addr);
	EXPECT_EQ(TWIN_ARENA_SIZE, info->out_length);
	EXPECT_EQ(~0ULL, info->out_expires);
	EXPECT_EQ(7, info->out_max_accepts);
	EXPECT_EQ(0, close(fd));

	cmd.addr = 0;
	cmd.length = 0;
	ASSERT_EQ(0, create_same(&self->twin, cmd, &fd));
	*info = (struct xmap_cmd_export_info){ .size = sizeof(*info) };
	ASSERT_EQ(0, ioctl(fd, XMAP_EXPORT_INFO, info));
	EXPECT_LT(ALL_OF_IT / 2, info->out_length);
	EXPECT_EQ(0, close(fd));

#define EXPECT_CREATE_ERR(expected, change)						\
	({										\
		cmd = good;								\
		change;									\
		EXPECT_EQ(expected, create_same(&self->twin, cmd, &fd));		\
		EXPECT_EQ(XMAP_UNTOUCHED, fd);						\
	})
	EXPECT_CREATE_ERR(EOPNOTSUPP, cmd.flags = 1U << 31);
	EXPECT_CREATE_ERR(EINVAL, cmd.rights = 0);
	EXPECT_CREATE_ERR(EINVAL, cmd.mode = 0600);
	EXPECT_CREATE_ERR(EFAULT, cmd.addr = 1ULL << 60);
	EXPECT_CREATE_ERR(EFAULT, cmd.length = ALL_OF_IT);
	EXPECT_CREATE_ERR(EOVERFLOW, cmd.length = -1ULL);
	EXPECT_CREATE_ERR(EBADFD, {
		cmd.flags = XMAP_EXPORT_FOR_PROCESS;
		cmd.receiver_fd = SHARED_DEVNULL;
		cmd.receiver_pid = getpid();
	});
}

/* The 64-bit program offers, both accept. */
TEST_F(compat, accept_from_64_bits)
{
	struct xmap_cmd_export_info *info = arena_at(0);
	struct xmap_cmd_target_info what;
	__u64 *win;
	int fd;

	ASSERT_EQ(0, twin_offers_high(&self->twin));
	ASSERT_EQ(0, accept_same(&self->twin, XMAP_RIGHTS_RW, 0, 0, &fd));
	ASSERT_EQ(0, twin_share(&self->twin, fd, SHARED_TARGET2));
	EXPECT_EQ(0, info_same(&self->twin, SHARED_TARGET2, &what));
	EXPECT_EQ(TWIN_HIGH, what.out_addr);
	EXPECT_EQ(TWIN_LENGTH, what.out_length);
	EXPECT_EQ(self->twin.pid, what.out_pid);
	EXPECT_EQ(TWIN_LENGTH, same_copy(&self->twin, false, SHARED_TARGET2, TWIN_LENGTH,
					 TWIN_HIGH));
	EXPECT_EQ(0, twin_check(arena_at(0), TWIN_LENGTH, TWIN_SEED_HIGH, 0));
	EXPECT_EQ(-EACCES, same_copy(&self->twin, false, SHARED_TARGET2, 8, TWIN_ALIAS));

	/* The twin, who has offered it, has been told of each. */
	*info = (struct xmap_cmd_export_info){ .size = sizeof(*info) };
	EXPECT_EQ(0, same_ioctl(&self->twin, SHARED_EXPORT, XMAP_EXPORT_INFO, info));
	EXPECT_EQ(2, info->out_accepts);
	EXPECT_EQ(1, info->out_targets);
	EXPECT_EQ(self->twin.pid, info->out_pid);
	EXPECT_EQ(TWIN_HIGH, info->out_addr);
	EXPECT_EQ(TWIN_LENGTH, info->out_length);

	win = _test_window_map(SHARED_TARGET2, TWIN_HIGH, TWIN_LENGTH, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, (void *)win);
	EXPECT_EQ(0, twin_check(win, TWIN_LENGTH, TWIN_SEED_HIGH, 0));
	win[1] = 0x1122334455667788;
	EXPECT_EQ(0x1122334455667788, twin_call(&self->twin, TWIN_LOAD, TWIN_HIGH + 8));
	EXPECT_EQ(0, munmap(win, TWIN_LENGTH));

	/* No bit of an address, or a length, is cut off. */
	EXPECT_EQ(EACCES, accept_same(&self->twin, 1, TWIN_ALIAS, 8, &fd));
	EXPECT_EQ(EACCES, accept_same(&self->twin, 1, TWIN_HIGH | 1ULL << 40, 8, &fd));
	EXPECT_EQ(EACCES, accept_same(&self->twin, 1, TWIN_HIGH, 8 | 1ULL << 32, &fd));
	EXPECT_EQ(EOVERFLOW, accept_same(&self->twin, 1, TWIN_HIGH, -8ULL, &fd));
	EXPECT_EQ(EACCES, accept_same(&self->twin, XMAP_RIGHT_READ, TWIN_HIGH, TWIN_LENGTH + 1,
				      &fd));
	EXPECT_EQ(XMAP_UNTOUCHED, fd);
}

/* The 32-bit program offers all that it has. */
TEST_F(compat, accept_from_32_bits)
{
	struct xmap_cmd_export_create *cmd = arena_at(0);
	__u64 *mem = mmap(NULL, TWIN_LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	int fd;

	ASSERT_NE(MAP_FAILED, (void *)mem);
	twin_fill(mem, TWIN_LENGTH, 21);
	*cmd = (struct xmap_cmd_export_create){ .size = sizeof(*cmd), .rights = XMAP_RIGHTS_RW };
	ASSERT_EQ(0, ioctl(SHARED_DEV, XMAP_EXPORT_CREATE, cmd));
	EXPECT_EQ(0, cmd->out_id);
	ASSERT_EQ(0, twin_share(&self->twin, cmd->out_fd, SHARED_EXPORT));
	ASSERT_EQ(0, accept_same(&self->twin, XMAP_RIGHTS_RW, 0, 0, &fd));
	ASSERT_EQ(0, twin_share(&self->twin, fd, SHARED_TARGET2));

	EXPECT_EQ(TWIN_LENGTH, same_copy(&self->twin, false, SHARED_TARGET2, TWIN_LENGTH,
					 (uintptr_t)mem));
	EXPECT_EQ(0, twin_check(arena_at(0), TWIN_LENGTH, 21, 0));
	/* It has nothing there. */
	EXPECT_EQ(-EFAULT, same_copy(&self->twin, false, SHARED_TARGET2, 8,
				     (uintptr_t)mem | 1ULL << 32));
	ASSERT_EQ(0, twin_call(&self->twin, TWIN_MAP, 0x900000000ULL, TWIN_LENGTH,
			       PROT_READ | PROT_WRITE, SHARED_TARGET2, (uintptr_t)mem));
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_CHECK, 0x900000000ULL, TWIN_LENGTH, 21));
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_STORE, 0x900000000ULL + 8, 4711));
	EXPECT_EQ(4711, mem[1]);
	EXPECT_EQ(0, munmap(mem, TWIN_LENGTH));
}

/* By a number of 64 bits, and by name; for one process, which of the two it may be. */
TEST_F(compat, published)
{
	const struct xmap_cmd_export_create offer = {
		.flags = XMAP_EXPORT_PUBLISH,
		.rights = XMAP_RIGHT_READ,
		.addr = TWIN_FAR,
		.length = TWIN_LENGTH,
		.mode = 0600,
		.gid = -1,
		.name = NAME,
	};
	struct xmap_cmd_export_create *cmd = arena_at(0);
	__u64 id;
	int fd;

	ASSERT_EQ(0, twin_offers(&self->twin, offer));
	id = cmd->out_id;
	EXPECT_NE(0, id);
	EXPECT_EQ(EEXIST, create_same(&self->twin, offer, &fd));
	EXPECT_EQ(0, open_export_same(&self->twin, id, "", &fd));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, open_export_same(&self->twin, 0, NAME, &fd));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(ENOENT, open_export_same(&self->twin, id ^ 1ULL << 63, "", &fd));
	EXPECT_EQ(ENOENT, open_export_same(&self->twin, (__u32)id ?: 1, "", &fd));
	EXPECT_EQ(EINVAL, open_export_same(&self->twin, id, NAME, &fd));
	EXPECT_EQ(ENOENT, open_export_same(&self->twin, 0, NAME "2", &fd));

	ASSERT_EQ(0, twin_share(&self->twin, xmap_pidfd_open(getpid(), 0), SHARED_EVENT));
	ASSERT_EQ(0, twin_offers(&self->twin, (struct xmap_cmd_export_create){
		.flags = XMAP_EXPORT_FOR_PROCESS,
		.rights = XMAP_RIGHT_READ,
		.addr = TWIN_FAR,
		.length = TWIN_LENGTH,
		.receiver_fd = SHARED_EVENT,
		.receiver_pid = getpid(),
	}));
	*(struct xmap_cmd_export_accept *)cmd = (struct xmap_cmd_export_accept){
		.size = sizeof(struct xmap_cmd_export_accept),
		.rights = XMAP_RIGHT_READ,
	};
	EXPECT_EQ(-1, twin_call(&self->twin, TWIN_IOCTL, SHARED_EXPORT, XMAP_EXPORT_ACCEPT,
				TWIN_ARENA));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, ioctl(SHARED_EXPORT, XMAP_EXPORT_ACCEPT, cmd));
	fd = ((struct xmap_cmd_export_accept *)cmd)->out_fd;
	EXPECT_EQ(8, pread(fd, arena_at(0), 8, TWIN_FAR));
	EXPECT_EQ(0, twin_check(arena_at(0), 8, TWIN_SEED_FAR, 0));
	EXPECT_EQ(0, close(fd));
}

/* ---- Revocation ---- */

/* By addresses of 64 bits, by either of them, and by number. */
TEST_F(compat, revoke)
{
	__u64 serial;
	__u8 *win, byte;
	int fd;

	ASSERT_EQ(0, twin_offers_high(&self->twin));
	serial = last_serial(XMAP_LIST_EXPORT);
	EXPECT_NE(0, serial);
	ASSERT_EQ(0, accept_same(&self->twin, XMAP_RIGHTS_RW, 0, 0, &fd));
	ASSERT_EQ(0, twin_share(&self->twin, fd, SHARED_TARGET2));
	win = _test_window_map(SHARED_TARGET2, TWIN_HIGH, TWIN_LENGTH, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, (void *)win);
	EXPECT_EQ(0, twin_check(win, TWIN_LENGTH, TWIN_SEED_HIGH, 0));

	/* Nothing of it is there, whatever the low bits are. */
	EXPECT_EQ(EFAULT, revoke_same(&self->twin, SHARED_EXPORT, 0, TWIN_ALIAS, TWIN_LENGTH));
	EXPECT_EQ(EFAULT, revoke_same(&self->twin, SHARED_EXPORT, 0, TWIN_HIGH | 1ULL << 40, 8));
	EXPECT_EQ(EFAULT, revoke_same(&self->twin, SHARED_EXPORT, 0, TWIN_HIGH, 1ULL << 60));
	EXPECT_EQ(EOVERFLOW, revoke_same(&self->twin, SHARED_EXPORT, 0, TWIN_HIGH, -8ULL));
	EXPECT_EQ(0, xmap_try_load(win, &byte));

	/* By the 32-bit program, who is an administrator; then by both. */
	ASSERT_EQ(0, ioctl(SHARED_EXPORT, XMAP_REVOKE, &(struct xmap_cmd_revoke){
		.size = sizeof(struct xmap_cmd_revoke), .addr = TWIN_HIGH + TWIN_PAGE,
		.length = TWIN_PAGE,
	}));
	EXPECT_EQ(SIGBUS, xmap_try_load(win + TWIN_PAGE, &byte));
	EXPECT_EQ(0, xmap_try_load(win + 2 * TWIN_PAGE, &byte));
	EXPECT_EQ(-ESTALE, same_copy(&self->twin, false, SHARED_TARGET2, 8,
				     TWIN_HIGH + TWIN_PAGE));
	EXPECT_EQ(0, revoke_same(&self->twin, SHARED_EXPORT, 0, TWIN_HIGH + TWIN_PAGE, TWIN_PAGE));

	EXPECT_EQ(EINVAL, revoke_same(&self->twin, SHARED_EXPORT, serial, 0, 0));
	EXPECT_EQ(ENOENT, revoke_same(&self->twin, SHARED_DEV, serial | 1ULL << 32, 0, 0));
	EXPECT_EQ(0, revoke_same(&self->twin, SHARED_DEV, serial, TWIN_HIGH, TWIN_PAGE));
	EXPECT_EQ(SIGBUS, xmap_try_load(win, &byte));
	EXPECT_EQ(0, xmap_try_load(win + 2 * TWIN_PAGE, &byte));

	/* All of it, with a length that only 64 bits have. */
	EXPECT_EQ(0, revoke_same(&self->twin, SHARED_EXPORT, 0, 0, ALL_OF_IT - TWIN_PAGE));
	EXPECT_EQ(SIGBUS, xmap_try_load(win + 2 * TWIN_PAGE, &byte));
	EXPECT_EQ(-ESTALE, same_copy(&self->twin, false, SHARED_TARGET2, 8, TWIN_HIGH));
	EXPECT_EQ(ESTALE, accept_same(&self->twin, XMAP_RIGHT_READ, 0, 0, &fd));
	EXPECT_EQ(POLLHUP, twin_call(&self->twin, TWIN_POLL, SHARED_TARGET2) & POLLHUP);
	EXPECT_EQ(0, munmap(win, TWIN_LENGTH));
}

/* ---- Denial ---- */

static int deny_same(struct twin *t, __u32 flags)
{
	struct xmap_cmd_deny *cmd = arena_at(0);

	*cmd = (struct xmap_cmd_deny){ .size = sizeof(*cmd), .flags = flags };
	return same_ioctl(t, SHARED_DEV, XMAP_DENY, cmd);
}

/* Become an ordinary user who can be looked at by others like him. */
static long op_ordinary(const unsigned long *a)
{
	if (setresgid(a[0], a[0], a[0]) || setresuid(a[0], a[0], a[0]))
		return -1;
	return prctl(PR_SET_DUMPABLE, 1);
}

static long op_deny(const unsigned long *a)
{
	return ioctl(SHARED_DEV, XMAP_DENY, &(struct xmap_cmd_deny){
		.size = sizeof(struct xmap_cmd_deny), .flags = a[0],
	});
}

/* Process: whether it can be opened. */
static long op_look(const unsigned long *a)
{
	int fd;

	return _test_target_open_pid(SHARED_DEV, a[0], XMAP_RIGHT_READ, &fd) ? -1 : close(fd);
}

TEST_F(compat, deny)
{
	struct xmap_cmd_deny *cmd = arena_at(0);
	long scope = xmap_read_long(YAMA_SCOPE);
	struct peer shy, curious;

	EXPECT_EQ(0, deny_same(&self->twin, 0));
	EXPECT_EQ(0, cmd->out_flags);
	EXPECT_EQ(0, deny_same(&self->twin, XMAP_DENY_SET));
	EXPECT_EQ(XMAP_DENY_SET, cmd->out_flags);
	EXPECT_EQ(0, deny_same(&self->twin, XMAP_DENY_CLEAR));
	EXPECT_EQ(0, cmd->out_flags);
	EXPECT_EQ(EINVAL, deny_same(&self->twin, XMAP_DENY_SET | XMAP_DENY_CLEAR));
	EXPECT_EQ(EOPNOTSUPP, deny_same(&self->twin, 1U << 31));
	EXPECT_EQ(0, deny_same(&self->twin, XMAP_DENY_SET | XMAP_DENY_FINAL));
	EXPECT_EQ(XMAP_DENY_SET | XMAP_DENY_FINAL, cmd->out_flags);
	EXPECT_EQ(EPERM, deny_same(&self->twin, XMAP_DENY_CLEAR));

	/* Children of the 32-bit program begin without it. */
	xmap_write_long(YAMA_SCOPE, 0);
	ASSERT_EQ(0, peer_spawn(&shy));
	ASSERT_EQ(0, peer_spawn(&curious));
	ASSERT_EQ(0, peer_call(&shy, op_ordinary, 4711));
	ASSERT_EQ(0, peer_call(&curious, op_ordinary, 4711));
	EXPECT_EQ(0, peer_call(&curious, op_look, shy.pid));
	ASSERT_EQ(0, peer_call(&shy, op_deny, XMAP_DENY_SET));
	EXPECT_ERRNO(EACCES, peer_call(&curious, op_look, shy.pid));
	ASSERT_EQ(0, peer_call(&shy, op_deny, XMAP_DENY_CLEAR));
	EXPECT_EQ(0, peer_call(&curious, op_look, shy.pid));
	peer_end(&shy);
	peer_end(&curious);
	xmap_write_long(YAMA_SCOPE, scope);
}

/* ---- Eventfds ---- */

static int eventfd_same(struct twin *t, int fd, int event)
{
	struct xmap_cmd_eventfd *cmd = arena_at(0);

	*cmd = (struct xmap_cmd_eventfd){ .size = sizeof(*cmd), .fd = event };
	return same_ioctl(t, fd, XMAP_EVENTFD, cmd);
}

/* How often it was rung since. */
static __u64 rung(void)
{
	__u64 count;

	return read(SHARED_EVENT, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

TEST_F(compat, eventfd)
{
	struct xmap_cmd_eventfd cmd = { .size = sizeof(cmd), .fd = SHARED_EVENT };
	int fd;

	ASSERT_EQ(0, twin_offers_high(&self->twin));
	ASSERT_EQ(0, twin_share(&self->twin, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
				SHARED_EVENT));
	/* The 32-bit program's, on the offer and on what is accepted. */
	ASSERT_EQ(0, ioctl(SHARED_EXPORT, XMAP_EVENTFD, &cmd));
	ASSERT_EQ(0, accept_same(&self->twin, XMAP_RIGHT_READ, 0, 0, &fd));
	EXPECT_EQ(2, rung());
	ASSERT_EQ(0, twin_share(&self->twin, fd, SHARED_TARGET2));
	EXPECT_EQ(0, eventfd_same(&self->twin, SHARED_EXPORT, -1));
	EXPECT_EQ(0, eventfd_same(&self->twin, SHARED_TARGET2, SHARED_EVENT));
	EXPECT_EQ(0, revoke_same(&self->twin, SHARED_EXPORT, 0, 0, 0));
	/* The second of them has taken nothing more. */
	EXPECT_EQ(1, rung());

	EXPECT_EQ(EBADF, eventfd_same(&self->twin, SHARED_TARGET2, -2));
	EXPECT_EQ(EBADF, eventfd_same(&self->twin, SHARED_TARGET2, 1 << 30));
	EXPECT_EQ(EINVAL, eventfd_same(&self->twin, SHARED_TARGET2, SHARED_DEVNULL));
	EXPECT_EQ(ENOTTY, eventfd_same(&self->twin, SHARED_DEV, SHARED_EVENT));
	EXPECT_EQ(0, eventfd_same(&self->twin, SHARED_TARGET2, -1));
}

TEST_HARNESS_MAIN
