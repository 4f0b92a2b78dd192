// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 32-bit process copies from and to 64-bit addresses, in every way that there
 * is, and has windows on them.
 */
#include "compat.h"

/* ---- read(2) and its kin ---- */

TEST_F(compat, pread_pwrite)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(twin_places); i++) {
		__u64 addr = twin_places[i].addr;

		EXPECT_EQ(TWIN_LENGTH, same_copy(&self->twin, false, SHARED_TARGET, TWIN_LENGTH,
						 addr));
		EXPECT_EQ(0, twin_check(arena_at(0), TWIN_LENGTH, twin_places[i].seed, 0));
		twin_fill(arena_at(0), TWIN_LENGTH, TWIN_SEED_OTHER + i);
		EXPECT_EQ(TWIN_LENGTH, same_copy(&self->twin, true, SHARED_TARGET, TWIN_LENGTH,
						 addr));
		EXPECT_EQ(0, twin_call(&self->twin, TWIN_CHECK, addr, TWIN_LENGTH,
				       TWIN_SEED_OTHER + i));
		/* At its end it is short, after it there is nothing. */
		EXPECT_EQ(100, same_copy(&self->twin, false, SHARED_TARGET, 8192,
					 addr + TWIN_LENGTH - 100));
		EXPECT_EQ(-EFAULT, same_copy(&self->twin, false, SHARED_TARGET, 8,
					     addr + TWIN_LENGTH));
		EXPECT_EQ(0, same_copy(&self->twin, false, SHARED_TARGET, 0, addr));
	}
}

TEST_F(compat, pread_errors)
{
	int fd;

	EXPECT_EQ(-EFAULT, same_copy(&self->twin, false, SHARED_TARGET, 8, 1ULL << 57));
	EXPECT_EQ(-EFAULT, same_copy(&self->twin, true, SHARED_TARGET, 8, 1ULL << 57));
	EXPECT_EQ(-EINVAL, same_copy(&self->twin, false, SHARED_TARGET, 8, 1ULL << 63));

	test_target_derive(SHARED_TARGET, XMAP_RIGHT_READ, TWIN_HIGH, TWIN_LENGTH, &fd);
	ASSERT_EQ(0, twin_share(&self->twin, fd, SHARED_TARGET2));
	EXPECT_EQ(8, same_copy(&self->twin, false, SHARED_TARGET2, 8, TWIN_HIGH));
	EXPECT_EQ(-EACCES, same_copy(&self->twin, false, SHARED_TARGET2, 8, TWIN_ALIAS));
	EXPECT_EQ(-EACCES, same_copy(&self->twin, false, SHARED_TARGET2, 8,
				     TWIN_HIGH + (1ULL << 32)));
	EXPECT_EQ(-EBADF, same_copy(&self->twin, true, SHARED_TARGET2, 8, TWIN_HIGH));

	/* Bad memory of the caller. */
	EXPECT_ERRNO(EFAULT, pread(SHARED_TARGET, (void *)4096, 8, TWIN_HIGH));
	EXPECT_ERRNO(EFAULT, pread(SHARED_TARGET, (void *)0xfffff000, 8, TWIN_HIGH));
	EXPECT_ERRNO(EFAULT, pwrite(SHARED_TARGET, (void *)0xfffff000, 8, TWIN_HIGH));
}

/* The same three buffers, described for 32 and for 64 bits. */
TEST_F(compat, vectors)
{
	struct iovec here[] = {
		{ arena_at(0), 3 }, { arena_at(4096), 0 }, { arena_at(8192), 5000 },
	};
	__u64 *there = arena_at(65536);
	char want[5003], got[5003];
	int i;

	for (i = 0; i < 3; i++) {
		there[2 * i] = (uintptr_t)here[i].iov_base;
		there[2 * i + 1] = here[i].iov_len;
	}
	ASSERT_EQ(sizeof(want), pread(SHARED_TARGET, want, sizeof(want), TWIN_AROUND_EDGE + 5));

	EXPECT_EQ(sizeof(want), preadv(SHARED_TARGET, here, 3, TWIN_AROUND_EDGE + 5));
	memcpy(got, arena_at(0), 3);
	memcpy(got + 3, arena_at(8192), 5000);
	EXPECT_EQ(0, memcmp(want, got, sizeof(want)));
	memset(arena_at(0), 0, 65536);
	EXPECT_EQ(sizeof(want), twin_call(&self->twin, TWIN_PREADV, SHARED_TARGET,
					  (uintptr_t)there, 3, TWIN_AROUND_EDGE + 5));
	memcpy(got, arena_at(0), 3);
	memcpy(got + 3, arena_at(8192), 5000);
	EXPECT_EQ(0, memcmp(want, got, sizeof(want)));

	/* Elsewhere it goes, and comes back from there by the other one. */
	EXPECT_EQ(sizeof(want), pwritev(SHARED_TARGET, here, 3, TWIN_FAR + 77));
	memset(arena_at(0), 0, 65536);
	EXPECT_EQ(sizeof(want), twin_call(&self->twin, TWIN_PREADV, SHARED_TARGET,
					  (uintptr_t)there, 3, TWIN_FAR + 77));
	memcpy(got, arena_at(0), 3);
	memcpy(got + 3, arena_at(8192), 5000);
	EXPECT_EQ(0, memcmp(want, got, sizeof(want)));

	/* What is there can be had without waiting; 64 bits of offset here, too. */
	EXPECT_EQ(sizeof(want), preadv2(SHARED_TARGET, here, 3, TWIN_FAR + 77, RWF_NOWAIT));
	here[1].iov_base = (void *)0xfffff000;
	here[1].iov_len = 8;
	EXPECT_EQ(3, preadv(SHARED_TARGET, here, 3, TWIN_FAR + 77));
	/* Lengths are signed, in 32 bits. */
	here[1].iov_len = 0x80000000;
	EXPECT_ERRNO(EINVAL, preadv(SHARED_TARGET, here, 3, TWIN_FAR + 77));
	EXPECT_ERRNO(EFAULT, preadv(SHARED_TARGET, (void *)0xfffff000, 3, TWIN_FAR + 77));
}

/* A position above 4 GiB, left and come back to. */
TEST_F(compat, seek)
{
	__u64 word;

	EXPECT_EQ((off_t)TWIN_FAR, lseek(SHARED_TARGET, TWIN_FAR, SEEK_SET));
	EXPECT_EQ(8, read(SHARED_TARGET, &word, 8));
	EXPECT_EQ(twin_word(TWIN_SEED_FAR, 0), word);
	EXPECT_EQ(8, read(SHARED_TARGET, &word, 8));
	EXPECT_EQ(twin_word(TWIN_SEED_FAR, 8), word);
	EXPECT_EQ((off_t)TWIN_FAR + 16, lseek(SHARED_TARGET, 0, SEEK_CUR));
	EXPECT_EQ(8, write(SHARED_TARGET, &word, 8));
	EXPECT_EQ((__s64)word, twin_call(&self->twin, TWIN_LOAD, TWIN_FAR + 16));
}

/* As a debugger sets a breakpoint: at a read-only page above 4 GiB. */
TEST_F(compat, force)
{
	int fd;

	ASSERT_EQ(0, twin_call(&self->twin, TWIN_PROTECT, TWIN_HIGH, TWIN_PAGE, PROT_READ));
	twin_fill(arena_at(0), 16, TWIN_SEED_OTHER);
	EXPECT_EQ(-EFAULT, same_copy(&self->twin, true, SHARED_TARGET, 16, TWIN_HIGH));

	test_target_open_mem(SHARED_DEV, SHARED_MEM, XMAP_RIGHTS_ALL, 0, 0, &fd);
	ASSERT_EQ(0, twin_share(&self->twin, fd, SHARED_TARGET2));
	if (force_policy() != FORCE_ALWAYS)
		SKIP(return, "this kernel was told to refuse forced writes");
	EXPECT_EQ(16, pwrite(SHARED_TARGET2, arena_at(0), 16, TWIN_HIGH));
	EXPECT_EQ((__s64)twin_word(TWIN_SEED_OTHER, 8),
		  twin_call(&self->twin, TWIN_LOAD, TWIN_HIGH + 8));
	EXPECT_EQ((__s64)twin_word(TWIN_SEED_ALIAS, 8),
		  twin_call(&self->twin, TWIN_LOAD, TWIN_ALIAS + 8));
}

/* ---- Windows ---- */

static void *window_at(__u64 remote, int prot)
{
	return _test_window_map(SHARED_TARGET, remote, TWIN_LENGTH, prot);
}

TEST_F(compat, window)
{
	__u64 *win = window_at(TWIN_HIGH, PROT_READ | PROT_WRITE);
	__u8 byte;

	ASSERT_NE(MAP_FAILED, (void *)win);
	EXPECT_EQ(0, twin_check(win, TWIN_LENGTH, TWIN_SEED_HIGH, 0));
	/* Both ways, at once. */
	win[1] = 0x1122334455667788;
	EXPECT_EQ(0x1122334455667788, twin_call(&self->twin, TWIN_LOAD, TWIN_HIGH + 8));
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_STORE, TWIN_HIGH + 4096, 4711));
	EXPECT_EQ(4711, win[512]);
	EXPECT_EQ((__s64)twin_word(TWIN_SEED_ALIAS, 8),
		  twin_call(&self->twin, TWIN_LOAD, TWIN_ALIAS + 8));
	/* It follows what the 64-bit process does. */
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_PROTECT, TWIN_HIGH, TWIN_PAGE, PROT_READ));
	EXPECT_EQ(SIGBUS, xmap_try_store(win, 1));
	EXPECT_EQ(0, xmap_try_load(win, &byte));
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_UNMAP, TWIN_HIGH, TWIN_PAGE));
	EXPECT_EQ(SIGBUS, xmap_try_load(win, &byte));
	EXPECT_EQ(0, xmap_try_load(win + 512, &byte));
	EXPECT_EQ(0, munmap(win, TWIN_LENGTH));

	win = window_at(TWIN_ALIAS, PROT_READ);
	ASSERT_NE(MAP_FAILED, (void *)win);
	EXPECT_EQ(0, twin_check(win, TWIN_LENGTH, TWIN_SEED_ALIAS, 0));
	EXPECT_EQ(SIGSEGV, xmap_try_store(win, 1));
	EXPECT_EQ(0, munmap(win, TWIN_LENGTH));
}

/*
 * mmap2() counts pages in 32 bits: a window begins below 2^44, and may reach
 * beyond.  The C library refuses what it cannot say.
 */
TEST_F(compat, window_offsets)
{
	const int prot = PROT_READ | PROT_WRITE;
	const __u32 old[] = { 0, TWIN_PAGE, prot, MAP_SHARED, SHARED_TARGET, TWIN_ALIAS };
	__u64 *win;

	win = window_at(TWIN_AROUND_EDGE, prot);
	ASSERT_NE(MAP_FAILED, (void *)win);
	EXPECT_EQ(0, twin_check(win, TWIN_LENGTH, TWIN_SEED_AROUND_EDGE, 0));
	EXPECT_EQ(0, munmap(win, TWIN_LENGTH));

	/* The last page that has a number, and the one after it. */
	win = (void *)syscall(SYS_mmap2, NULL, 2 * TWIN_PAGE, prot, MAP_SHARED, SHARED_TARGET,
			      0xffffffff);
	ASSERT_NE(MAP_FAILED, (void *)win);
	EXPECT_EQ(0, twin_check(win, 2 * TWIN_PAGE, TWIN_SEED_AROUND_EDGE,
				TWIN_LENGTH / 2 - TWIN_PAGE));
	win[512] = 12345;
	EXPECT_EQ(12345, twin_call(&self->twin, TWIN_LOAD, TWIN_EDGE));
	EXPECT_EQ(0, munmap(win, 2 * TWIN_PAGE));

	test_err_window_map(EINVAL, SHARED_TARGET, TWIN_EDGE, TWIN_PAGE, prot);
	test_err_window_map(EINVAL, SHARED_TARGET, TWIN_FAR, TWIN_PAGE, prot);
	/* What there was before mmap2(): byte offsets of 32 bits. */
	win = (void *)syscall(SYS_mmap, old);
	ASSERT_NE(MAP_FAILED, (void *)win);
	EXPECT_EQ(0, twin_check(win, TWIN_PAGE, TWIN_SEED_ALIAS, 0));
	EXPECT_EQ(0, munmap(win, TWIN_PAGE));
}

TEST_F(compat, window_errors)
{
	void *win;
	int fd;

	EXPECT_ERRNO(EINVAL, mmap(NULL, TWIN_PAGE, PROT_READ, MAP_PRIVATE, SHARED_TARGET,
				  TWIN_HIGH));
	EXPECT_ERRNO(EACCES, mmap(NULL, TWIN_PAGE, PROT_READ | PROT_EXEC, MAP_SHARED,
				  SHARED_TARGET, TWIN_HIGH));
	test_target_derive(SHARED_TARGET, XMAP_RIGHT_READ, TWIN_HIGH, TWIN_LENGTH, &fd);
	test_err_window_map(EACCES, fd, TWIN_HIGH, TWIN_PAGE, PROT_READ | PROT_WRITE);
	test_err_window_map(EACCES, fd, TWIN_ALIAS, TWIN_PAGE, PROT_READ);
	test_err_window_map(EACCES, fd, TWIN_HIGH + (1ULL << 32), TWIN_PAGE, PROT_READ);
	test_err_window_map(EACCES, fd, TWIN_HIGH + TWIN_PAGE, TWIN_LENGTH, PROT_READ);
	win = _test_window_map(fd, TWIN_HIGH, TWIN_LENGTH, PROT_READ);
	ASSERT_NE(MAP_FAILED, win);
	EXPECT_ERRNO(EINVAL, (long)mremap(win, TWIN_LENGTH, TWIN_PAGE, 0));
	EXPECT_EQ(0, munmap(win, TWIN_LENGTH));
	EXPECT_EQ(0, close(fd));
}

/* Both have the same window at the same address: what is said of it is the same. */
TEST_F(compat, prefault)
{
	void *want = (void *)TWIN_WINDOW;
	struct xmap_cmd_target_prefault *cmd = arena_at(0);
	const struct xmap_cmd_target_prefault good = {
		.size = sizeof(*cmd),
		.addr = TWIN_WINDOW,
		.length = TWIN_LENGTH,
	};
	void *win = mmap(want, TWIN_LENGTH, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE,
			 SHARED_TARGET, TWIN_HIGH);

	ASSERT_EQ(want, win);
	ASSERT_EQ(0, twin_call(&self->twin, TWIN_MAP, TWIN_WINDOW, TWIN_LENGTH, PROT_READ,
			       SHARED_TARGET, TWIN_HIGH));
	*cmd = good;
	EXPECT_EQ(0, same_ioctl(&self->twin, SHARED_TARGET, XMAP_TARGET_PREFAULT, cmd));
	EXPECT_EQ(TWIN_LENGTH, cmd->out_length);

	*cmd = good;
	cmd->flags = XMAP_TARGET_PREFAULT_WRITE;
	EXPECT_EQ(EACCES, same_ioctl(&self->twin, SHARED_TARGET, XMAP_TARGET_PREFAULT, cmd));
	*cmd = good;
	cmd->length++;
	EXPECT_EQ(EINVAL, same_ioctl(&self->twin, SHARED_TARGET, XMAP_TARGET_PREFAULT, cmd));
	*cmd = good;
	cmd->length += TWIN_PAGE;
	EXPECT_EQ(EINVAL, same_ioctl(&self->twin, SHARED_TARGET, XMAP_TARGET_PREFAULT, cmd));
	/* No bit is cut off: no window there. */
	*cmd = good;
	cmd->addr |= 1ULL << 32;
	EXPECT_EQ(EINVAL, same_ioctl(&self->twin, SHARED_TARGET, XMAP_TARGET_PREFAULT, cmd));
	*cmd = good;
	cmd->addr |= 0xffffffffULL << 32;
	EXPECT_EQ(EINVAL, same_ioctl(&self->twin, SHARED_TARGET, XMAP_TARGET_PREFAULT, cmd));
	*cmd = good;
	cmd->length |= 1ULL << 32;
	EXPECT_EQ(EINVAL, same_ioctl(&self->twin, SHARED_TARGET, XMAP_TARGET_PREFAULT, cmd));

	EXPECT_EQ(0, twin_call(&self->twin, TWIN_UNMAP, TWIN_HIGH + TWIN_PAGE, TWIN_PAGE));
	*cmd = good;
	EXPECT_EQ(0, same_ioctl(&self->twin, SHARED_TARGET, XMAP_TARGET_PREFAULT, cmd));
	EXPECT_EQ(TWIN_PAGE, cmd->out_length);
	EXPECT_EQ(0, munmap(win, TWIN_LENGTH));
}

/* What is local and what is remote in a list, each above or below 4 GiB. */
TEST_F(compat, window_list)
{
	const __u64 its = 0x900000000ULL;
	struct xmap_list_entry *entries = arena_at(4096);
	struct xmap_cmd_list *cmd = arena_at(0);
	void *win = window_at(TWIN_HIGH, PROT_READ | PROT_WRITE);

	ASSERT_NE(MAP_FAILED, win);
	ASSERT_EQ(0, twin_call(&self->twin, TWIN_MAP, its, TWIN_LENGTH, PROT_READ, SHARED_TARGET,
			       TWIN_ALIAS));
	*cmd = (struct xmap_cmd_list){
		.size = sizeof(*cmd),
		.entries = (uintptr_t)entries,
		.count = 8,
	};
	ASSERT_EQ(0, same_ioctl(&self->twin, SHARED_DEV, XMAP_LIST, cmd));
	ASSERT_EQ(3, cmd->out_count);
	EXPECT_EQ(getpid(), entries[1].holder_pid);
	EXPECT_EQ((uintptr_t)win, entries[1].local);
	EXPECT_EQ(TWIN_HIGH, entries[1].addr);
	EXPECT_EQ(XMAP_RIGHTS_RW, entries[1].rights);
	EXPECT_EQ(self->twin.pid, entries[2].holder_pid);
	EXPECT_EQ(its, entries[2].local);
	EXPECT_EQ(TWIN_ALIAS, entries[2].addr);
	EXPECT_EQ(0, munmap(win, TWIN_LENGTH));
}

TEST_HARNESS_MAIN
