// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 32-bit process and its 64-bit twin issue the same commands: the answers are
 * the same to the byte.
 */
#include "compat.h"

/* Pointers of 32 bits that a program made 64 bits wide in a wrong way. */
static const __u64 bad_bits[] = {
	/* Off by one 4 GiB. */
	1ULL << 32,
	/* The last part of any process. */
	0x7fffULL << 32,
	/* No address. */
	1ULL << 47,
	/* The kernel's half; the last one is what sign extension makes. */
	1ULL << 63,
	0xffff888000000000ULL,
	0xffffffffULL << 32,
};

/* ---- /dev/xmap ---- */

TEST_F(compat, query)
{
	struct xmap_cmd_query *cmd = arena_at(0);

	*cmd = (struct xmap_cmd_query){ .size = sizeof(*cmd) };
	EXPECT_EQ(0, same_ioctl(&self->twin, SHARED_DEV, XMAP_QUERY, cmd));
	EXPECT_EQ(XMAP_ABI_VERSION, cmd->out_abi);
	EXPECT_LT(0, cmd->out_max_targets);
	EXPECT_EQ(1, cmd->out_targets);
}

TEST_F(compat, list)
{
	struct xmap_list_entry *entries = arena_at(4096);
	struct xmap_cmd_list *cmd = arena_at(0);

	*cmd = (struct xmap_cmd_list){
		.size = sizeof(*cmd),
		.entries = (uintptr_t)entries,
		.count = 8,
	};
	ASSERT_EQ(0, same_ioctl(&self->twin, SHARED_DEV, XMAP_LIST, cmd));
	ASSERT_EQ(1, cmd->out_count);
	EXPECT_EQ(0, cmd->out_cursor);
	EXPECT_EQ(XMAP_LIST_TARGET, entries[0].kind);
	EXPECT_EQ(getpid(), entries[0].holder_pid);
	EXPECT_EQ(self->twin.pid, entries[0].target_pid);
	/* A length that has no 32-bit number. */
	EXPECT_LT(1ULL << 46, entries[0].length);

	cmd->count = 0;
	EXPECT_EQ(EINVAL, same_ioctl(&self->twin, SHARED_DEV, XMAP_LIST, cmd));
}

/* By pidfd and by /proc/PID/mem, with ranges that need more than 32 bits. */
TEST_F(compat, target_open)
{
	const struct xmap_cmd_target_open all = {
		.fd = SHARED_PIDFD,
		.pid = self->twin.pid,
		.rights = XMAP_RIGHT_READ,
	};
	struct xmap_cmd_target_open cmd = all;
	struct xmap_cmd_target_info info;
	int fd;

	cmd.addr = TWIN_HIGH;
	cmd.length = TWIN_LENGTH;
	ASSERT_EQ(0, open_same(&self->twin, cmd, &fd));
	ASSERT_EQ(0, twin_share(&self->twin, fd, SHARED_TARGET2));
	EXPECT_EQ(0, info_same(&self->twin, SHARED_TARGET2, &info));
	EXPECT_EQ(TWIN_HIGH, info.out_addr);
	EXPECT_EQ(TWIN_LENGTH, info.out_length);
	EXPECT_EQ(XMAP_RIGHT_READ, info.out_rights);
	EXPECT_EQ(self->twin.pid, info.out_pid);

	cmd.flags = XMAP_TARGET_OPEN_MEM;
	cmd.fd = SHARED_MEM;
	cmd.pid = 0;
	cmd.rights = XMAP_RIGHTS_ALL;
	ASSERT_EQ(0, open_same(&self->twin, cmd, &fd));
	ASSERT_EQ(0, twin_share(&self->twin, fd, SHARED_TARGET2));
	EXPECT_EQ(0, info_same(&self->twin, SHARED_TARGET2, &info));
	EXPECT_EQ(XMAP_RIGHTS_ALL, info.out_rights);
	EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
}

#define EXPECT_OPEN_ERR(expected, change)						\
	({										\
		struct xmap_cmd_target_open cmd = good;					\
		int fd;									\
		change;									\
		EXPECT_EQ(expected, open_same(&self->twin, cmd, &fd));			\
		EXPECT_EQ(XMAP_UNTOUCHED, fd);						\
	})

TEST_F(compat, target_open_errors)
{
	const struct xmap_cmd_target_open good = {
		.fd = SHARED_PIDFD,
		.pid = self->twin.pid,
		.rights = XMAP_RIGHT_READ,
	};

	EXPECT_OPEN_ERR(EOPNOTSUPP, cmd.flags = 1U << 31);
	EXPECT_OPEN_ERR(EOPNOTSUPP, cmd.rights = 1U << 31);
	EXPECT_OPEN_ERR(EINVAL, cmd.rights = 0);
	EXPECT_OPEN_ERR(EINVAL, cmd.addr = TWIN_HIGH);
	EXPECT_OPEN_ERR(EBADF, cmd.fd = -1);
	EXPECT_OPEN_ERR(EBADFD, cmd.fd = SHARED_DEVNULL);
	EXPECT_OPEN_ERR(ESRCH, cmd.pid = getpid());
	EXPECT_OPEN_ERR(EFAULT, { cmd.addr = 1ULL << 60; cmd.length = 1; });
	EXPECT_OPEN_ERR(EOVERFLOW, { cmd.addr = TWIN_HIGH; cmd.length = -TWIN_HIGH; });
}

TEST_F(compat, derive)
{
	struct xmap_cmd_target_derive *cmd = arena_at(0);
	const struct xmap_cmd_target_derive good = {
		.size = sizeof(*cmd),
		.rights = XMAP_RIGHT_READ,
		.out_fd = XMAP_UNTOUCHED,
		.addr = TWIN_FAR,
		.length = TWIN_LENGTH,
	};
	struct xmap_cmd_target_info info;

	*cmd = good;
	ASSERT_EQ(0, same_ioctl_fd(&self->twin, SHARED_TARGET, XMAP_TARGET_DERIVE, cmd,
				   &cmd->out_fd));
	ASSERT_EQ(0, twin_share(&self->twin, cmd->out_fd, SHARED_TARGET2));
	EXPECT_EQ(0, info_same(&self->twin, SHARED_TARGET2, &info));
	EXPECT_EQ(TWIN_FAR, info.out_addr);
	EXPECT_EQ(TWIN_LENGTH, info.out_length);

	*cmd = good;
	cmd->rights = XMAP_RIGHTS_RW;
	EXPECT_EQ(EACCES, same_ioctl_fd(&self->twin, SHARED_TARGET2, XMAP_TARGET_DERIVE, cmd,
					&cmd->out_fd));
	EXPECT_EQ(XMAP_UNTOUCHED, cmd->out_fd);
	/* The same low 32 bits, but not in the range. */
	*cmd = good;
	cmd->addr = (__u32)TWIN_FAR + 4096;
	EXPECT_EQ(EACCES, same_ioctl_fd(&self->twin, SHARED_TARGET2, XMAP_TARGET_DERIVE, cmd,
					&cmd->out_fd));
}

/* ---- The general format ---- */

/* Sizes, tails, numbers: for every command on both kinds of files. */
TEST_F(compat, format)
{
	static const struct {
		int fd;
		unsigned int nr;
		__u32 size;
	} commands[] = {
		{ SHARED_DEV, XMAP_QUERY, sizeof(struct xmap_cmd_query) },
		{ SHARED_DEV, XMAP_LIST, sizeof(struct xmap_cmd_list) },
		{ SHARED_DEV, XMAP_TRANSFER, sizeof(struct xmap_cmd_transfer) },
		{ SHARED_DEV, XMAP_TARGET_OPEN, sizeof(struct xmap_cmd_target_open) },
		{ SHARED_TARGET, XMAP_TARGET_INFO, sizeof(struct xmap_cmd_target_info) },
		{ SHARED_TARGET, XMAP_TARGET_DERIVE, sizeof(struct xmap_cmd_target_derive) },
		{ SHARED_TARGET, XMAP_TARGET_MAPS, sizeof(struct xmap_cmd_target_maps) },
		{ SHARED_TARGET, XMAP_TARGET_PREFAULT, sizeof(struct xmap_cmd_target_prefault) },
	};
	__u32 *words = arena_at(0);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		int fd = commands[i].fd, nr = commands[i].nr;
		__u32 size = commands[i].size;
		int other = fd == SHARED_DEV ? SHARED_TARGET : SHARED_DEV;

		memset(words, 0, 4096);
		words[0] = size - 1;
		EXPECT_EQ(EINVAL, same_ioctl(&self->twin, fd, nr, words));
		words[0] = 4097;
		EXPECT_EQ(E2BIG, same_ioctl(&self->twin, fd, nr, words));
		words[0] = size + 8;
		words[size / 4] = 1;
		EXPECT_EQ(E2BIG, same_ioctl(&self->twin, fd, nr, words));
		words[size / 4] = 0;
		words[1] = 1U << 31;
		EXPECT_EQ(EOPNOTSUPP, same_ioctl(&self->twin, fd, nr, words));
		EXPECT_EQ(ENOTTY, same_ioctl(&self->twin, other, nr, words));
		EXPECT_EQ(EFAULT, same_ioctl(&self->twin, fd, nr, NULL));
		/* The last bytes of the arena, and on where there is nothing. */
		EXPECT_EQ(EFAULT, same_ioctl(&self->twin, fd, nr, arena_at(TWIN_ARENA_SIZE - 2)));
	}
	EXPECT_EQ(ENOTTY, same_ioctl(&self->twin, SHARED_DEV, _IO(XMAP_TYPE, 0xff), words));
}

/* ---- Pointers inside of structures ---- */

/*
 * The fields are 64 bits wide, and all 64 count.  A 32-bit process has nothing
 * above 4 GiB: what is not zero there is a bad pointer, and nothing is cut off.
 */
TEST_F(compat, wide_pointers)
{
	struct xmap_cmd_transfer *transfer = arena_at(0);
	struct xmap_transfer *entry = arena_at(4096);
	struct xmap_cmd_list *list = arena_at(0);
	__u64 low = TWIN_ARENA + 8192;
	char *mark = arena_at(8192);
	size_t i, j;

	/* Only here: what the 64-bit twin has at such addresses is its own affair. */
	memset(mark, 0xa5, 65536);
	for (i = 0; i < ARRAY_SIZE(bad_bits); i++) {
		__u64 bad = low | bad_bits[i];

		EXPECT_ERRNO(EFAULT, ioctl(SHARED_TARGET, XMAP_TARGET_MAPS, maps_command(bad)));

		*list = (struct xmap_cmd_list){ .size = sizeof(*list), .entries = bad, .count = 8 };
		EXPECT_ERRNO(EFAULT, ioctl(SHARED_DEV, XMAP_LIST, list));

		*transfer = (struct xmap_cmd_transfer){
			.size = sizeof(*transfer),
			.entries = bad,
			.count = 1,
		};
		EXPECT_ERRNO(EFAULT, ioctl(SHARED_DEV, XMAP_TRANSFER, transfer));

		/* One that lies in a page of the target, one that does not: two ways. */
		for (j = 0; j < 4; j++) {
			*entry = (struct xmap_transfer){
				.fd = SHARED_TARGET,
				.flags = j & 1 ? XMAP_TRANSFER_WRITE : 0,
				.remote = TWIN_HIGH,
				.local = bad,
				.length = j & 2 ? 8 : 8192,
			};
			transfer->entries = (uintptr_t)entry;
			EXPECT_EQ(0, ioctl(SHARED_DEV, XMAP_TRANSFER, transfer));
			EXPECT_EQ(-EFAULT, entry->out_result);
		}
	}
	for (i = 0; i < 65536 && mark[i] == (char)0xa5;)
		i++;
	EXPECT_EQ(65536, i);
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_CHECK, TWIN_HIGH, TWIN_LENGTH, TWIN_SEED_HIGH));
}

/* The end of a 32-bit process, behind which a 64-bit one would go on. */
TEST_F(compat, end_of_memory)
{
	char *last = (char *)(0xffffe000UL - TWIN_PAGE);
	struct xmap_transfer entries[] = {
		{
			.fd = SHARED_TARGET,
			.remote = TWIN_HIGH,
			.local = (uintptr_t)last,
			.length = 2 * TWIN_PAGE,
		},
		{
			.fd = SHARED_TARGET,
			.remote = TWIN_HIGH,
			.local = (uintptr_t)last + TWIN_PAGE,
			.length = 8,
		},
	};
	void *mem = mmap(last, TWIN_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	ASSERT_EQ(last, mem);
	test_transfer(SHARED_DEV, entries, 2);
	EXPECT_EQ(TWIN_PAGE, entries[0].out_result);
	EXPECT_EQ(-EFAULT, entries[1].out_result);
	EXPECT_EQ(0, twin_check(last, TWIN_PAGE, TWIN_SEED_HIGH, 0));
	EXPECT_EQ(TWIN_PAGE, pread(SHARED_TARGET, last, 2 * TWIN_PAGE, TWIN_HIGH));
	EXPECT_ERRNO(EFAULT, ioctl(SHARED_DEV, XMAP_QUERY, last + TWIN_PAGE - 4));
}

/*
 * A 64-bit process can issue 32-bit system calls.  It has memory above 4 GiB, and
 * reaches it: whose address space it is counts, not which way it came.
 */
TEST_F(compat, int80)
{
	struct xmap_cmd_target_maps *cmd = maps_command(TWIN_FAR);
	struct xmap_cmd_query *query;
	char *copy = arena_at(16384);
	__u32 used;

	ASSERT_EQ(0, twin_call(&self->twin, TWIN_IOCTL_INT80, SHARED_TARGET, XMAP_TARGET_MAPS,
			       (uintptr_t)cmd));
	EXPECT_LT(4, cmd->out_count);
	used = cmd->out_used;
	/* What it wrote there, against what it writes to the arena. */
	ASSERT_GE(TWIN_LENGTH, used);
	ASSERT_EQ(used, pread(SHARED_TARGET, copy, used, TWIN_FAR));
	cmd->buf = TWIN_ARENA + 65536;
	cmd->out_count = 0;
	ASSERT_EQ(0, same_ioctl(&self->twin, SHARED_TARGET, XMAP_TARGET_MAPS, cmd));
	ASSERT_EQ(used, cmd->out_used);
	EXPECT_EQ(0, memcmp(copy, arena_at(65536), used));

	/* The pointer itself has 32 bits: what is above is not even looked at. */
	query = arena_at(0);
	*query = (struct xmap_cmd_query){ .size = sizeof(*query) };
	ASSERT_EQ(0, twin_call(&self->twin, TWIN_IOCTL_INT80, SHARED_DEV, XMAP_QUERY,
			       TWIN_ARENA | 1ULL << 32));
	EXPECT_EQ(XMAP_ABI_VERSION, query->out_abi);
}

/* ---- XMAP_TRANSFER ---- */

TEST_F(compat, transfer)
{
	static const __u64 remotes[] = {
		TWIN_HIGH, TWIN_ALIAS + 8, TWIN_AROUND_EDGE + TWIN_PAGE * 3 + 5, TWIN_FAR + 4091,
		TWIN_HIGH + TWIN_LENGTH - 100, TWIN_HIGH + TWIN_LENGTH, 1ULL << 60, -8ULL,
	};
	struct xmap_cmd_transfer *cmd = arena_at(0);
	struct xmap_transfer *e = arena_at(4096);
	__u64 *words = arena_at(65536);
	__u32 i;

	for (i = 0; i < 40; i++) {
		e[i] = (struct xmap_transfer){
			.fd = SHARED_TARGET,
			.remote = remotes[i % ARRAY_SIZE(remotes)],
			.local = TWIN_ARENA + 65536 + i * 2048,
			.length = i % 3 ? 2000 : 64,
			.out_result = XMAP_UNTOUCHED,
		};
	}
	e[9].fd = SHARED_DEVNULL;
	e[17].fd = -1;
	e[25].flags = 1U << 31;
	e[33].flags = XMAP_TRANSFER_FORCE;
	*cmd = (struct xmap_cmd_transfer){
		.size = sizeof(*cmd),
		.entries = (uintptr_t)e,
		.count = 40,
	};
	ASSERT_EQ(0, same_ioctl(&self->twin, SHARED_DEV, XMAP_TRANSFER, cmd));
	EXPECT_EQ(40, cmd->out_done);
	EXPECT_EQ(64, e[0].out_result);
	EXPECT_EQ(twin_word(TWIN_SEED_HIGH, 0), words[0]);
	EXPECT_EQ(twin_word(TWIN_SEED_ALIAS, 8), words[256]);
	EXPECT_EQ(100, e[4].out_result);
	EXPECT_EQ(-EFAULT, e[5].out_result);
	EXPECT_EQ(-EFAULT, e[6].out_result);
	EXPECT_EQ(-EOVERFLOW, e[7].out_result);
	EXPECT_EQ(-EBADFD, e[9].out_result);
	EXPECT_EQ(-EBADF, e[17].out_result);
	EXPECT_EQ(-EOPNOTSUPP, e[25].out_result);
	EXPECT_EQ(-EINVAL, e[33].out_result);

	/* Into the target: what is there afterwards is what was sent. */
	for (i = 0; i < 4; i++) {
		twin_fill(arena_at(65536), TWIN_LENGTH, TWIN_SEED_OTHER);
		e[i] = (struct xmap_transfer){
			.fd = SHARED_TARGET,
			.flags = XMAP_TRANSFER_WRITE,
			.remote = TWIN_FAR + i * 2 * TWIN_PAGE,
			.local = TWIN_ARENA + 65536 + i * 2 * TWIN_PAGE,
			.length = 2 * TWIN_PAGE,
		};
	}
	cmd->count = 4;
	ASSERT_EQ(0, same_ioctl(&self->twin, SHARED_DEV, XMAP_TRANSFER, cmd));
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_CHECK, TWIN_FAR, TWIN_LENGTH, TWIN_SEED_OTHER));
	cmd->count = 0;
	EXPECT_EQ(EINVAL, same_ioctl(&self->twin, SHARED_DEV, XMAP_TRANSFER, cmd));
}

TEST_HARNESS_MAIN
