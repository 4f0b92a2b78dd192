// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions that 32-bit and 64-bit programs share: the same bytes at the same offsets, also
 * at those that have no 32-bit number, and the same answers.
 */
#include "compat.h"

#define NAME "xmap-compat"
#define RW (PROT_READ | PROT_WRITE)
#define RIGHTS_RWM (XMAP_RIGHTS_RW | XMAP_RIGHT_MANAGE)
/* Where the twin maps it, and an offset that a 32-bit number leads to the beginning. */
#define TWIN_MAPS 0x900000000ULL
#define FAR_OFFSET (1ULL << 32)

static int create(struct xmap_cmd_region_create *cmd)
{
	cmd->size = sizeof(*cmd);
	cmd->out_fd = XMAP_UNTOUCHED;
	cmd->out_addr = (__u64)XMAP_UNTOUCHED;
	return ioctl(SHARED_DEV, XMAP_REGION_CREATE, cmd);
}

/* A region of the 32-bit program: for both. */
static int region_share(struct twin *t, __u32 flags)
{
	struct xmap_cmd_region_create cmd = { .flags = flags, .length = TWIN_LENGTH };

	return create(&cmd) ? -1 : twin_share(t, cmd.out_fd, SHARED_REGION);
}

static int create_same(struct twin *t, struct xmap_cmd_region_create cmd, int *out)
{
	struct xmap_cmd_region_create *shared = arena_at(0);
	int err;

	*shared = cmd;
	shared->size = sizeof(cmd);
	shared->out_fd = XMAP_UNTOUCHED;
	err = same_ioctl_fd(t, SHARED_DEV, XMAP_REGION_CREATE, shared, &shared->out_fd);
	*out = shared->out_fd;
	return err;
}

static int derive_same(struct twin *t, __u32 rights, __u64 offset, __u64 length, int *out)
{
	struct xmap_cmd_region_derive *cmd = arena_at(0);
	int err;

	*cmd = (struct xmap_cmd_region_derive){
		.size = sizeof(*cmd),
		.rights = rights,
		.out_fd = XMAP_UNTOUCHED,
		.offset = offset,
		.length = length,
	};
	err = same_ioctl_fd(t, SHARED_REGION, XMAP_REGION_DERIVE, cmd, &cmd->out_fd);
	*out = cmd->out_fd;
	return err;
}

static int region_info_same(struct twin *t, int fd, struct xmap_cmd_region_info *out)
{
	struct xmap_cmd_region_info *cmd = arena_at(0);
	int err;

	*cmd = (struct xmap_cmd_region_info){ .size = sizeof(*cmd) };
	err = same_ioctl(t, fd, XMAP_REGION_INFO, cmd);
	*out = *cmd;
	return err;
}

static int resize_same(struct twin *t, __u64 length)
{
	struct xmap_cmd_region_resize *cmd = arena_at(0);

	*cmd = (struct xmap_cmd_region_resize){ .size = sizeof(*cmd), .length = length };
	return same_ioctl(t, SHARED_REGION, XMAP_REGION_RESIZE, cmd);
}

static int revoke_same(struct twin *t, int fd, __u64 offset, __u64 length)
{
	struct xmap_cmd_revoke *cmd = arena_at(0);

	*cmd = (struct xmap_cmd_revoke){ .size = sizeof(*cmd), .addr = offset, .length = length };
	return same_ioctl(t, fd, XMAP_REVOKE, cmd);
}

/* One without anything in or out: the errno of either. */
static int simple(unsigned int nr)
{
	struct xmap_cmd_region_give cmd = { .size = sizeof(cmd) };

	return XMAP_ERRNO(ioctl(SHARED_REGION, nr, &cmd));
}

static int simple_there(struct twin *t, unsigned int nr)
{
	struct xmap_cmd_region_give *cmd = arena_at(0);

	*cmd = (struct xmap_cmd_region_give){ .size = sizeof(*cmd) };
	return XMAP_ERRNO(twin_call(t, TWIN_IOCTL, SHARED_REGION, nr, TWIN_ARENA));
}

static int owner(int fd)
{
	struct xmap_cmd_region_info info = { .size = sizeof(info) };

	return ioctl(fd, XMAP_REGION_INFO, &info) ? -1 : (int)info.out_owner;
}

/* ---- Making, mapping and reading it ---- */

TEST_F(compat, region_create)
{
	const struct xmap_cmd_region_create good = { .length = TWIN_LENGTH };
	struct xmap_cmd_region_create cmd;
	struct xmap_cmd_region_info info;
	int fd;

	ASSERT_EQ(0, create_same(&self->twin, good, &fd));
	ASSERT_EQ(0, twin_share(&self->twin, fd, SHARED_REGION));
	ASSERT_EQ(0, region_info_same(&self->twin, SHARED_REGION, &info));
	EXPECT_EQ(RIGHTS_RWM, info.out_rights);
	EXPECT_EQ(TWIN_LENGTH, info.out_length);
	EXPECT_EQ(TWIN_LENGTH, info.out_region_length);
	EXPECT_EQ(0, info.out_addr);

#define EXPECT_CREATE_ERR(expected, change)						\
	({										\
		cmd = good;								\
		change;									\
		EXPECT_EQ(expected, create_same(&self->twin, cmd, &fd));		\
		EXPECT_EQ(XMAP_UNTOUCHED, fd);						\
	})
	EXPECT_CREATE_ERR(EOPNOTSUPP, cmd.flags = 1U << 31);
	EXPECT_CREATE_ERR(EINVAL, cmd.length = 0);
	EXPECT_CREATE_ERR(EINVAL, cmd.length = TWIN_LENGTH | 1ULL << 63);
	EXPECT_CREATE_ERR(EINVAL, cmd.addr = XMAP_REGION_ADDRESS_MIN);
	EXPECT_CREATE_ERR(EINVAL, {
		cmd.flags = XMAP_REGION_FIXED_ADDRESS;
		cmd.addr = XMAP_REGION_ADDRESS_MAX;
	});
	/* No place for it, if the high half counts. */
	EXPECT_CREATE_ERR(EINVAL, {
		cmd.flags = XMAP_REGION_FIXED_ADDRESS;
		cmd.addr = XMAP_REGION_ADDRESS_MIN | 1ULL << 46;
	});
}

TEST_F(compat, region_is_shared)
{
	__u64 *mem;

	ASSERT_EQ(0, region_share(&self->twin, 0));
	mem = _test_window_map(SHARED_REGION, 0, TWIN_LENGTH, RW);
	ASSERT_NE(MAP_FAILED, (void *)mem);
	ASSERT_EQ(0, twin_call(&self->twin, TWIN_MAP, TWIN_MAPS, TWIN_LENGTH, RW, SHARED_REGION,
			       0));
	twin_fill(mem, TWIN_LENGTH, 31);
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_CHECK, TWIN_MAPS, TWIN_LENGTH, 31));
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_FILL, TWIN_MAPS, TWIN_LENGTH, 32));
	EXPECT_EQ(0, twin_check(mem, TWIN_LENGTH, 32, 0));
	EXPECT_EQ(TWIN_LENGTH, same_copy(&self->twin, false, SHARED_REGION, TWIN_LENGTH, 0));
	EXPECT_EQ(0, twin_check(arena_at(0), TWIN_LENGTH, 32, 0));
	EXPECT_EQ(0, munmap(mem, TWIN_LENGTH));
}

/* A part of it by each of the ways, at an offset that has more than 32 bits. */
TEST_F(compat, region_beyond_4_gigabytes)
{
	struct xmap_cmd_region_info info;
	__u64 *mem;
	int fd;

	ASSERT_EQ(0, region_share(&self->twin, 0));
	ASSERT_EQ(0, resize_same(&self->twin, FAR_OFFSET + TWIN_LENGTH));
	ASSERT_EQ(0, region_info_same(&self->twin, SHARED_REGION, &info));
	EXPECT_EQ(FAR_OFFSET + TWIN_LENGTH, info.out_region_length);
	EXPECT_EQ(EINVAL, resize_same(&self->twin, 1ULL << 63));

	ASSERT_EQ(0, twin_call(&self->twin, TWIN_MAP, TWIN_MAPS, TWIN_LENGTH, RW, SHARED_REGION,
			       FAR_OFFSET));
	ASSERT_EQ(0, twin_call(&self->twin, TWIN_FILL, TWIN_MAPS, TWIN_LENGTH, 33));
	mem = _test_window_map(SHARED_REGION, FAR_OFFSET, TWIN_LENGTH, RW);
	ASSERT_NE(MAP_FAILED, (void *)mem);
	EXPECT_EQ(0, twin_check(mem, TWIN_LENGTH, 33, 0));
	EXPECT_EQ(0, munmap(mem, TWIN_LENGTH));
	EXPECT_EQ(TWIN_LENGTH, same_copy(&self->twin, false, SHARED_REGION, TWIN_LENGTH,
					 FAR_OFFSET));
	EXPECT_EQ(0, twin_check(arena_at(0), TWIN_LENGTH, 33, 0));
	/* At the beginning there is nothing yet. */
	EXPECT_EQ(8, same_copy(&self->twin, false, SHARED_REGION, 8, 0));
	EXPECT_EQ(0, *(__u64 *)arena_at(0));

	ASSERT_EQ(0, derive_same(&self->twin, XMAP_RIGHT_READ, FAR_OFFSET, TWIN_PAGE, &fd));
	ASSERT_EQ(0, twin_share(&self->twin, fd, SHARED_REGION2));
	ASSERT_EQ(0, region_info_same(&self->twin, SHARED_REGION2, &info));
	EXPECT_EQ(FAR_OFFSET, info.out_offset);
	EXPECT_EQ(TWIN_PAGE, info.out_length);
	EXPECT_EQ(8, same_copy(&self->twin, false, SHARED_REGION2, 8, FAR_OFFSET));
	EXPECT_EQ(-EACCES, same_copy(&self->twin, false, SHARED_REGION2, 8, 0));
	EXPECT_EQ(-EBADF, same_copy(&self->twin, true, SHARED_REGION2, 8, FAR_OFFSET));
	test_err_window_map(EACCES, SHARED_REGION2, 0, TWIN_PAGE, PROT_READ);
	test_err_window_map(EACCES, SHARED_REGION2, FAR_OFFSET, TWIN_PAGE, RW);
	EXPECT_EQ(EACCES, derive_same(&self->twin, 1, FAR_OFFSET << 1, TWIN_PAGE, &fd));
	EXPECT_EQ(EACCES, derive_same(&self->twin, 1, TWIN_PAGE, FAR_OFFSET + TWIN_LENGTH, &fd));
	EXPECT_EQ(EOVERFLOW, derive_same(&self->twin, 1, TWIN_PAGE, -1ULL, &fd));

	/* Taken back there, and only there. */
	EXPECT_EQ(EFAULT, revoke_same(&self->twin, SHARED_REGION2, 0, TWIN_PAGE));
	EXPECT_EQ(0, revoke_same(&self->twin, SHARED_REGION2, FAR_OFFSET, TWIN_PAGE));
	EXPECT_EQ(-ESTALE, same_copy(&self->twin, false, SHARED_REGION2, 8, FAR_OFFSET));
	EXPECT_EQ(0, revoke_same(&self->twin, SHARED_REGION, FAR_OFFSET, TWIN_PAGE));
	EXPECT_EQ(-ESTALE, same_copy(&self->twin, false, SHARED_REGION, 8, FAR_OFFSET));
	EXPECT_EQ(8, same_copy(&self->twin, false, SHARED_REGION, 8, 0));
	EXPECT_EQ(8, same_copy(&self->twin, false, SHARED_REGION, 8, FAR_OFFSET + TWIN_PAGE));
	test_err_window_map(ESTALE, SHARED_REGION, FAR_OFFSET, TWIN_PAGE, RW);
}

/* Addresses above 4 GiB are for the 64-bit program; the other reads and writes. */
TEST_F(compat, region_at_a_fixed_address)
{
	struct xmap_cmd_region_create cmd = {
		.flags = XMAP_REGION_FIXED_ADDRESS,
		.length = TWIN_LENGTH,
		.addr = XMAP_REGION_ADDRESS_MIN + (1ULL << 40),
	};
	struct xmap_cmd_region_info info;
	int fd;

	ASSERT_EQ(0, create(&cmd));
	EXPECT_EQ(XMAP_REGION_ADDRESS_MIN + (1ULL << 40), cmd.out_addr);
	ASSERT_EQ(0, twin_share(&self->twin, cmd.out_fd, SHARED_REGION));
	ASSERT_EQ(0, region_info_same(&self->twin, SHARED_REGION, &info));
	EXPECT_EQ(cmd.out_addr, info.out_addr);
	EXPECT_EQ(EEXIST, create_same(&self->twin, cmd, &fd));

	test_err_window_map(ENOMEM, SHARED_REGION, 0, TWIN_LENGTH, RW);
	EXPECT_ERRNO(ENOMEM, mmap((void *)TWIN_WINDOW, TWIN_LENGTH, RW, MAP_SHARED, SHARED_REGION,
				  0));
	EXPECT_ERRNO(EINVAL, mmap((void *)TWIN_WINDOW, TWIN_LENGTH, RW, MAP_SHARED | MAP_FIXED,
				  SHARED_REGION, 0));
	ASSERT_EQ(0, twin_call(&self->twin, TWIN_MAP, cmd.out_addr, TWIN_LENGTH, RW,
			       SHARED_REGION, 0));
	ASSERT_EQ(0, twin_call(&self->twin, TWIN_FILL, cmd.out_addr, TWIN_LENGTH, 34));
	EXPECT_EQ(TWIN_LENGTH, same_copy(&self->twin, false, SHARED_REGION, TWIN_LENGTH, 0));
	EXPECT_EQ(0, twin_check(arena_at(0), TWIN_LENGTH, 34, 0));
	EXPECT_EQ(ENOSPC, resize_same(&self->twin, TWIN_LENGTH + TWIN_PAGE));
}

/* ---- What is done to it ---- */

TEST_F(compat, region_by_name)
{
	const struct xmap_cmd_region_create wanted = {
		.flags = XMAP_REGION_PUBLISH,
		.mode = 0600,
		.gid = -1,
		.length = TWIN_LENGTH,
		.name = NAME,
	};
	struct xmap_cmd_region_open *open = arena_at(0);
	struct xmap_cmd_region_create cmd = wanted;
	int fd;

	ASSERT_EQ(0, create(&cmd));
	ASSERT_EQ(0, twin_share(&self->twin, cmd.out_fd, SHARED_REGION));
	EXPECT_EQ(EEXIST, create_same(&self->twin, wanted, &fd));
	*open = (struct xmap_cmd_region_open){
		.size = sizeof(*open), .rights = RIGHTS_RWM, .name = NAME,
	};
	ASSERT_EQ(0, same_ioctl_fd(&self->twin, SHARED_DEV, XMAP_REGION_OPEN, open,
				   &open->out_fd));
	EXPECT_EQ(8, pwrite(open->out_fd, "together", 8, 0));
	EXPECT_EQ(0, close(open->out_fd));
	EXPECT_EQ(8, same_copy(&self->twin, false, SHARED_REGION, 8, 0));
	EXPECT_EQ(0, memcmp("together", arena_at(0), 8));

	EXPECT_EQ(0, simple(XMAP_REGION_UNLINK));
	EXPECT_EQ(ENOENT, simple_there(&self->twin, XMAP_REGION_UNLINK));
	*open = (struct xmap_cmd_region_open){
		.size = sizeof(*open), .rights = RIGHTS_RWM, .name = NAME,
	};
	EXPECT_EQ(ENOENT, same_ioctl_fd(&self->twin, SHARED_DEV, XMAP_REGION_OPEN, open,
					&open->out_fd));
}

/* From the one to the other, and back. */
TEST_F(compat, region_moves)
{
	__u8 *mem, byte;

	ASSERT_EQ(0, region_share(&self->twin, XMAP_REGION_SINGLE_OWNER));
	mem = _test_window_map(SHARED_REGION, 0, TWIN_LENGTH, RW);
	ASSERT_NE(MAP_FAILED, (void *)mem);
	ASSERT_EQ(0, twin_call(&self->twin, TWIN_MAP, TWIN_MAPS, TWIN_LENGTH, RW, SHARED_REGION,
			       0));
	twin_fill(mem, TWIN_LENGTH, 35);
	EXPECT_EQ(XMAP_REGION_OWNER_SELF, owner(SHARED_REGION));
	EXPECT_EQ(EPERM, simple_there(&self->twin, XMAP_REGION_GIVE));
	EXPECT_EQ(EBUSY, simple_there(&self->twin, XMAP_REGION_TAKE));
	EXPECT_EQ(0, simple(XMAP_REGION_GIVE));
	EXPECT_EQ(XMAP_REGION_OWNER_NONE, owner(SHARED_REGION));
	EXPECT_EQ(SIGBUS, xmap_try_load(mem, &byte));
	EXPECT_EQ(0, simple_there(&self->twin, XMAP_REGION_TAKE));
	EXPECT_EQ(XMAP_REGION_OWNER_OTHER, owner(SHARED_REGION));
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_CHECK, TWIN_MAPS, TWIN_LENGTH, 35));
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_FILL, TWIN_MAPS, TWIN_LENGTH, 36));
	EXPECT_EQ(SIGBUS, xmap_try_load(mem, &byte));
	EXPECT_ERRNO(EPERM, pread(SHARED_REGION, &byte, 1, 0));
	EXPECT_EQ(EBUSY, simple(XMAP_REGION_TAKE));
	EXPECT_EQ(0, simple_there(&self->twin, XMAP_REGION_GIVE));
	EXPECT_EQ(0, simple(XMAP_REGION_TAKE));
	EXPECT_EQ(0, twin_check(mem, TWIN_LENGTH, 36, 0));
	EXPECT_EQ(0, munmap(mem, TWIN_LENGTH));
}

TEST_F(compat, region_seal_rebind_notify)
{
	struct xmap_cmd_region_seal *seal = arena_at(0);
	struct xmap_cmd_region_rebind *rebind = arena_at(0);
	struct xmap_cmd_region_info info;

	ASSERT_EQ(0, region_share(&self->twin, 0));
	EXPECT_EQ(8, pwrite(SHARED_REGION, "together", 8, 0));
	*rebind = (struct xmap_cmd_region_rebind){ .size = sizeof(*rebind) };
	EXPECT_EQ(0, ioctl(SHARED_REGION, XMAP_REGION_REBIND, rebind));
	EXPECT_EQ(1, rebind->out_generation);
	EXPECT_EQ(8, same_copy(&self->twin, false, SHARED_REGION, 8, 0));
	EXPECT_EQ(0, *(__u64 *)arena_at(0));
	*rebind = (struct xmap_cmd_region_rebind){ .size = sizeof(*rebind) };
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_IOCTL, SHARED_REGION, XMAP_REGION_REBIND,
			       TWIN_ARENA));
	EXPECT_EQ(2, rebind->out_generation);
	ASSERT_EQ(0, region_info_same(&self->twin, SHARED_REGION, &info));
	EXPECT_EQ(2, info.out_generation);

	/* What the same handle does to it is no news to who has it. */
	EXPECT_EQ(0, simple(XMAP_REGION_NOTIFY));
	EXPECT_EQ(0, simple_there(&self->twin, XMAP_REGION_NOTIFY));
	ASSERT_EQ(0, region_info_same(&self->twin, SHARED_REGION, &info));
	EXPECT_EQ(4, info.out_events);

	*seal = (struct xmap_cmd_region_seal){
		.size = sizeof(*seal), .seals = XMAP_REGION_SEAL_GROW | XMAP_REGION_SEAL_WRITE,
	};
	EXPECT_EQ(0, same_ioctl(&self->twin, SHARED_REGION, XMAP_REGION_SEAL, seal));
	EXPECT_EQ(XMAP_REGION_SEAL_GROW | XMAP_REGION_SEAL_WRITE, seal->out_seals);
	EXPECT_EQ(-EPERM, same_copy(&self->twin, true, SHARED_REGION, 8, 0));
	EXPECT_EQ(EPERM, resize_same(&self->twin, TWIN_LENGTH + FAR_OFFSET));
	test_err_window_map(EPERM, SHARED_REGION, 0, TWIN_LENGTH, RW);
	*seal = (struct xmap_cmd_region_seal){ .size = sizeof(*seal), .seals = 1U << 31 };
	EXPECT_EQ(EOPNOTSUPP, same_ioctl(&self->twin, SHARED_REGION, XMAP_REGION_SEAL, seal));
}

TEST_HARNESS_MAIN
