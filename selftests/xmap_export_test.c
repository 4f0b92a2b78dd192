// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports: what an owner offers, what those get who accept, and what both see of
 * it.  On which terms, and how offers are published, have tests of their own.
 */
#include "xmap_offer.h"

/* ---- What is offered ---- */

TEST_F(offer, give_accept_use)
{
	struct xmap_cmd_export_info info;
	struct xmap_cmd_target_info tinfo;
	int fd = offer_range(self, XMAP_RIGHTS_RW, self->mem, LEN), target;
	long theirs, got, win;

	ASSERT_LE(0, fd);
	test_export_info(fd, &info);
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_EQ(XMAP_RIGHTS_RW, info.out_rights);
	EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
	EXPECT_EQ(self->owner.pid, info.out_pid);
	EXPECT_EQ(0, info.out_accepts);
	EXPECT_EQ(0, info.out_max_accepts);
	EXPECT_EQ(0, info.out_targets);
	EXPECT_EQ(self->mem, info.out_addr);
	EXPECT_EQ(LEN, info.out_length);
	EXPECT_EQ(0, info.out_expires);
	EXPECT_EQ(0, info.out_id);
	EXPECT_EQ(UID_A, info.out_uid);
	EXPECT_EQ(0, info.__reserved);

	/* He who may not look at the owner at all. */
	EXPECT_ERRNO(EACCES, peer_call(&self->user, op_target, self->dev, self->owner.pid,
				       XMAP_RIGHT_READ));
	theirs = give(fd);
	ASSERT_LE(0, theirs);
	got = peer_call(&self->user, op_accept, theirs, XMAP_RIGHTS_RW, 0, 0);
	ASSERT_LE(0, got);
	EXPECT_EQ(peer_word(SEED, 8), (__u64)peer_call(&self->user, op_read, got, self->mem + 8));
	EXPECT_EQ(0, peer_call(&self->user, op_write, got, self->mem + 16, 77));
	EXPECT_EQ(77, peer_load(&self->owner, self->mem + 16));
	win = peer_call(&self->user, op_window, got, self->mem, LEN, RW);
	ASSERT_NE(-1, win);
	EXPECT_EQ(77, peer_load(&self->user, win + 16));
	EXPECT_EQ(0, peer_store(&self->user, win + PAGE, 78));
	EXPECT_EQ(78, peer_load(&self->owner, self->mem + PAGE));

	target = peer_take_fd(&self->user, got);
	ASSERT_LE(0, target);
	test_target_info(target, &tinfo);
	EXPECT_EQ(XMAP_RIGHTS_RW, tinfo.out_rights);
	EXPECT_EQ(XMAP_TARGET_ALIVE, tinfo.out_state);
	EXPECT_EQ(self->owner.pid, tinfo.out_pid);
	EXPECT_EQ(1, tinfo.out_windows);
	EXPECT_EQ(self->mem, tinfo.out_addr);
	EXPECT_EQ(LEN, tinfo.out_length);
	/* It is not /proc/PID/mem that he has got. */
	EXPECT_ERRNO(EACCES, peer_call(&self->user, op_target, self->dev, self->owner.pid,
				       XMAP_RIGHT_READ));
}

/* One's own offer is as good as another's. */
TEST_F(offer, own)
{
	__u64 word = 5, *win;
	int fd, target;

	test_export_create(self->dev, XMAP_RIGHTS_RW, (uintptr_t)&word, sizeof(word), &fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	test_export_accept(fd, XMAP_RIGHTS_RW, 0, 0, &target);
	EXPECT_EQ(FD_CLOEXEC, fcntl(target, F_GETFD));
	EXPECT_EQ(5, op_read((unsigned long[]){ target, (uintptr_t)&word }));
	EXPECT_EQ(0, op_write((unsigned long[]){ target, (uintptr_t)&word, 6 }));
	EXPECT_EQ(6, __atomic_load_n(&word, __ATOMIC_RELAXED));
	test_err_window_map(EACCES, target, (uintptr_t)&word & -PAGE, PAGE, PROT_READ);
	close(target);
	close(fd);

	test_export_create(self->dev, XMAP_RIGHT_READ, 0, 0, &fd);
	test_export_accept(fd, XMAP_RIGHT_READ, 0, 0, &target);
	test_window_map(target, (uintptr_t)self->ask, PAGE, PROT_READ, &win);
	self->ask->size = 99;
	EXPECT_EQ(99, *(__u32 *)win);
}

TEST_F_TIMEOUT(offer, ranges_of_any_alignment, PEER_TIMEOUT)
{
	static const unsigned long starts[] = { 0, 1, 7, PAGE - 1, PAGE, PAGE + 13 };
	static const unsigned long lens[] = { 1, 8, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE };
	static char buf[3 * PAGE];
	unsigned long at, len;
	int fd, target, part;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(starts) * ARRAY_SIZE(lens); i++) {
		at = self->mem + starts[i % ARRAY_SIZE(starts)];
		len = lens[i / ARRAY_SIZE(starts)];
		fd = offer_range(self, XMAP_RIGHTS_RW, at, len);
		ASSERT_LE(0, fd);
		test_export_accept(fd, XMAP_RIGHTS_RW, 0, 0, &target);
		ASSERT_EQ((ssize_t)len, pread(target, buf, len, at));
		ASSERT_EQ((ssize_t)len, pread(target, buf, len + 1, at));
		for (j = 0; j + 8 <= len; j++)
			if ((at - self->mem + j) % 8 == 0)
				ASSERT_EQ(peer_word(SEED, at - self->mem + j), *(__u64 *)(buf + j));
		EXPECT_EQ(1, pread(target, buf, 1, at + len - 1));
		EXPECT_ERRNO(EACCES, pread(target, buf, 1, at + len));
		EXPECT_ERRNO(EACCES, pread(target, buf, 1, at - 1));
		EXPECT_ERRNO(EACCES, pwrite(target, buf, 1, at + len));
		/* A window is of whole pages, so it needs whole pages of the offer. */
		if (at % PAGE || len < PAGE)
			test_err_window_map(EACCES, target, at & -PAGE, PAGE, PROT_READ);
		close(target);

		test_export_accept(fd, XMAP_RIGHT_READ, at + len - 1, 1, &part);
		EXPECT_EQ(1, pread(part, buf, 2, at + len - 1));
		close(part);
		test_err_export_accept(EACCES, fd, XMAP_RIGHT_READ, at, len + 1);
		test_err_export_accept(EACCES, fd, XMAP_RIGHT_READ, at - 1, len);
		test_err_export_accept(EACCES, fd, XMAP_RIGHT_READ, at + len, 1);
		test_err_export_accept(EACCES, fd, XMAP_RIGHT_READ, 0, USER_END);
		close(fd);
	}
}

TEST_F(offer, wrong_ranges)
{
	static const struct {
		__u64 addr, length;
		int err;
	} c[] = {
		{ 1, 0, EINVAL },
		{ PAGE, 0, EINVAL },
		{ USER_END, 1, EFAULT },
		{ USER_END - 1, 2, EFAULT },
		{ 0, USER_END + 1, EFAULT },
		{ 0, -1ULL, EFAULT },
		{ 0xffff888000000000, PAGE, EFAULT },
		{ 1, -1ULL, EOVERFLOW },
		{ -1ULL, 2, EOVERFLOW },
	};
	int fd = offer_range(self, XMAP_RIGHT_READ, self->mem, LEN), target;
	size_t i;

	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		test_err_export_create(c[i].err, self->dev, XMAP_RIGHT_READ, c[i].addr,
				       c[i].length);
		test_err_export_accept(c[i].err == EFAULT ? EACCES : c[i].err, fd,
				       XMAP_RIGHT_READ, c[i].addr, c[i].length);
	}
	/* There is no need for memory to be there. */
	test_export_create(self->dev, XMAP_RIGHT_READ, USER_END - 1, 1, &fd);
	test_export_accept(fd, XMAP_RIGHT_READ, 0, 0, &target);
	EXPECT_ERRNO(EFAULT, pread(target, &i, 1, USER_END - 1));
	EXPECT_ERRNO(EFAULT, pread(target, &i, 1, USER_END));
}

/* The whole address space, with what it did not have when it was offered. */
TEST_F_TIMEOUT(offer, whole_address_space, PEER_TIMEOUT)
{
	int fd = offer_range(self, XMAP_RIGHTS_RW, 0, 0), target;
	struct xmap_cmd_export_info info;
	unsigned long later;
	__u64 *win;

	ASSERT_LE(0, fd);
	test_export_info(fd, &info);
	EXPECT_EQ(0, info.out_addr);
	EXPECT_EQ(USER_END, info.out_length);
	target = accept_all(fd, XMAP_RIGHTS_RW);
	ASSERT_LE(0, target);
	EXPECT_EQ(peer_word(SEED, 0), (__u64)op_read((unsigned long[]){ target, self->mem }));

	later = peer_map(&self->owner, PEER_ANON, RW, LEN, SEED + 1);
	ASSERT_NE(PEER_MAP_FAILED, later);
	EXPECT_EQ(peer_word(SEED + 1, 8), (__u64)op_read((unsigned long[]){ target, later + 8 }));
	test_window_map(target, later, LEN, RW, &win);
	EXPECT_EQ(0, peer_check_here(win, LEN, SEED + 1));
	EXPECT_STORE(9, win);
	EXPECT_EQ(9, peer_load(&self->owner, later));

	ASSERT_EQ(0, peer_munmap(&self->owner, later, LEN));
	EXPECT_ERRNO(EFAULT, op_read((unsigned long[]){ target, later }));
	EXPECT_SIGNAL(SIGBUS, win);
	ASSERT_EQ((long)later, peer_mmap_over(&self->owner, later, LEN, RW));
	ASSERT_EQ(0, peer_fill(&self->owner, later, LEN, SEED + 2));
	EXPECT_EQ(0, peer_check_here(win, LEN, SEED + 2));
}

/* ---- Rights ---- */

TEST_F(offer, rights)
{
	__u32 offered, asked;
	int fd, target;
	__u64 word = 1;

	for (offered = 1; offered <= XMAP_RIGHTS_RW; offered++) {
		fd = offer_range(self, offered, self->mem, LEN);
		ASSERT_LE(0, fd);
		for (asked = 1; asked <= XMAP_RIGHTS_RW; asked++) {
			if (asked & ~offered) {
				test_err_export_accept(EACCES, fd, asked, 0, 0);
				continue;
			}
			test_export_accept(fd, asked, 0, 0, &target);
			EXPECT_EQ(asked & XMAP_RIGHT_READ ? 0 : EBADF,
				  XMAP_ERRNO(pread(target, &word, 8, self->mem)));
			EXPECT_EQ(asked & XMAP_RIGHT_WRITE ? 0 : EBADF,
				  XMAP_ERRNO(pwrite(target, &word, 8, self->mem)));
			test_err_target_derive(EACCES, target, XMAP_RIGHTS_ALL, 0, 0);
			test_err_target_derive(EACCES, target,
					       XMAP_RIGHT_WRITE | XMAP_RIGHT_FORCE, 0, 0);
			if (asked != XMAP_RIGHTS_RW)
				test_err_target_derive(EACCES, target, XMAP_RIGHTS_RW, 0, 0);
			close(target);
		}
		close(fd);
	}
}

TEST_F(offer, wrong_rights)
{
	int fd = offer_range(self, XMAP_RIGHTS_RW, self->mem, LEN);
	unsigned int bit;

	ASSERT_LE(0, fd);
	test_err_export_create(EINVAL, self->dev, 0, self->mem, LEN);
	test_err_export_create(EINVAL, self->dev, XMAP_RIGHT_FORCE, self->mem, LEN);
	test_err_export_create(EINVAL, self->dev, XMAP_RIGHTS_ALL, self->mem, LEN);
	test_err_export_accept(EINVAL, fd, 0, 0, 0);
	test_err_export_accept(EINVAL, fd, XMAP_RIGHT_FORCE, 0, 0);
	test_err_export_accept(EINVAL, fd, XMAP_RIGHTS_ALL, 0, 0);
	for (bit = 3; bit < 32; bit++) {
		test_err_export_create(EOPNOTSUPP, self->dev, XMAP_RIGHT_READ | 1U << bit, 0, 0);
		test_err_export_accept(EOPNOTSUPP, fd, XMAP_RIGHT_READ | 1U << bit, 0, 0);
	}
}

/* What the owner cannot write, nobody writes for whom he has opened it. */
TEST_F(offer, rights_of_the_pages)
{
	int fd = offer_range(self, XMAP_RIGHTS_RW, 0, 0), target;
	struct xmap_transfer entry = { .flags = XMAP_TRANSFER_WRITE, .length = 8 };
	unsigned long file;
	__u64 word = 1;
	char *win;

	ASSERT_LE(0, fd);
	target = accept_all(fd, XMAP_RIGHTS_RW);
	ASSERT_LE(0, target);
	ASSERT_EQ(0, peer_mprotect(&self->owner, self->mem, PAGE, PROT_READ));
	ASSERT_EQ(0, peer_mprotect(&self->owner, self->mem + PAGE, PAGE, PROT_NONE));
	file = peer_map(&self->owner, PEER_FILE_READONLY, PROT_READ, PAGE, SEED);
	ASSERT_NE(PEER_MAP_FAILED, file);

	test_window_map(target, self->mem, LEN, RW, &win);
	EXPECT_EQ(8, pread(target, &word, 8, self->mem));
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_ERRNO(EFAULT, pwrite(target, &word, 8, self->mem));
	EXPECT_STORE_SIGNAL(SIGBUS, win);
	EXPECT_ERRNO(EFAULT, pread(target, &word, 8, self->mem + PAGE));
	EXPECT_ERRNO(EFAULT, pwrite(target, &word, 8, self->mem + PAGE));
	EXPECT_SIGNAL(SIGBUS, win + PAGE);
	EXPECT_ERRNO(EFAULT, pwrite(target, &word, 8, file));
	entry.fd = target;
	entry.remote = self->mem;
	entry.local = (uintptr_t)&word;
	test_transfer(self->dev, &entry, 1);
	EXPECT_EQ(-EFAULT, entry.out_result);
	entry.flags |= XMAP_TRANSFER_FORCE;
	test_transfer(self->dev, &entry, 1);
	EXPECT_EQ(-EACCES, entry.out_result);
	EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->owner, self->mem));
	EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->owner, file));

	ASSERT_EQ(0, peer_mprotect(&self->owner, self->mem, 2 * PAGE, RW));
	EXPECT_STORE(8, win);
	EXPECT_EQ(8, pwrite(target, &word, 8, self->mem + PAGE));
	EXPECT_EQ(8, peer_load(&self->owner, self->mem));
}

/* ---- The end of the owner ---- */

static void expect_ended(struct __test_metadata *_metadata, OFFER *self, int fd, int target,
			 char *win)
{
	struct xmap_cmd_export_info info;

	EXPECT_EQ(POLLHUP, xmap_poll_for(fd, 0));
	test_export_info(fd, &info);
	EXPECT_EQ(XMAP_TARGET_DEAD, info.out_state);
	EXPECT_EQ(1, info.out_accepts);
	test_err_export_accept(ESRCH, fd, XMAP_RIGHT_READ, 0, 0);
	EXPECT_ERRNO(ESRCH, op_read((unsigned long[]){ target, self->mem }));
	EXPECT_EQ(XMAP_TARGET_DEAD, op_state((unsigned long[]){ target }));
	EXPECT_EQ(POLLHUP, xmap_poll_for(target, 0));
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_STREQ("dead", xmap_fdinfo(fd, "xmap-state"));
}

TEST_F(offer, owner_executes)
{
	int fd = offer_range(self, XMAP_RIGHTS_RW, self->mem, LEN);
	int target = accept_all(fd, XMAP_RIGHTS_RW);
	struct xmap_cmd_export_info info;
	char *win;

	ASSERT_LE(0, target);
	test_window_map(target, self->mem, LEN, RW, &win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	ASSERT_EQ(0, peer_start(&self->owner, peer_op_exec, 0));
	ASSERT_EQ(0, peer_await_gone(&self->owner));
	expect_ended(_metadata, self, fd, target, win);
	/* The process is still there, but that memory is not its own. */
	test_export_info(fd, &info);
	ASSERT_EQ(0, kill(self->owner.pid, 0));
	EXPECT_EQ(0, info.out_pid);
	EXPECT_EQ(UID_A, info.out_uid);
}

static int stay(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	peer_set(arg, 1);
	while (pause() < 0)
		;
	return 0;
}

/* Somebody else has the same memory, and keeps it. */
static long op_leave_behind(const unsigned long *a)
{
	char *stack = mmap(NULL, 16 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)a;
	if (stack == MAP_FAILED)
		return -1;
	if (clone(stay, stack + 16 * PAGE, CLONE_VM, &peer_ctl->word[0]) < 0)
		return -1;
	peer_await(&peer_ctl->word[0], 1);
	return 0;
}

/* Whom does /proc name as the program of this process? */
static bool still_this_program(pid_t pid)
{
	char path[64], mine[256] = "", theirs[256] = "";

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return readlink("/proc/self/exe", mine, sizeof(mine) - 1) > 0 &&
	       readlink(path, theirs, sizeof(theirs) - 1) > 0 && !strcmp(mine, theirs);
}

/* Its memory lives on without the owner, who must not be taken for its owner any more. */
TEST_F(offer, owner_leaves_his_memory_behind)
{
	int fd = offer_range(self, XMAP_RIGHTS_RW, self->mem, LEN);
	int target = accept_all(fd, XMAP_RIGHTS_RW);
	struct xmap_cmd_export_info info;
	struct xmap_cmd_target_info tinfo;
	__u64 word = 0;

	ASSERT_LE(0, target);
	peer_set(&peer_ctl->word[0], 0);
	ASSERT_EQ(0, peer_call(&self->owner, op_leave_behind, 0));
	test_export_info(fd, &info);
	EXPECT_EQ(self->owner.pid, info.out_pid);
	ASSERT_EQ(0, peer_start(&self->owner, peer_op_exec, 0));
	while (still_this_program(self->owner.pid))
		sched_yield();
	EXPECT_EQ(8, pread(target, &word, 8, self->mem));
	EXPECT_EQ(peer_word(SEED, 0), word);
	test_export_info(fd, &info);
	EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
	EXPECT_EQ(0, info.out_pid);
	EXPECT_EQ(UID_A, info.out_uid);
	test_target_info(target, &tinfo);
	EXPECT_EQ(XMAP_TARGET_ALIVE, tinfo.out_state);
	EXPECT_EQ(0, tinfo.out_pid);
	EXPECT_STREQ("0", xmap_fdinfo(fd, "xmap-export-pid"));
	EXPECT_STREQ("0", xmap_fdinfo(target, "xmap-target-pid"));
	ASSERT_TRUE(xmap_list_last(self->dev, XMAP_LIST_TARGET, getpid(), self->seen));
	EXPECT_EQ(0, self->seen->target_pid);
}

TEST_F(offer, owner_exits)
{
	int fd = offer_range(self, XMAP_RIGHTS_RW, self->mem, LEN);
	int target = accept_all(fd, XMAP_RIGHTS_RW);
	struct xmap_cmd_export_info info;
	char *win;

	ASSERT_LE(0, target);
	test_window_map(target, self->mem, LEN, RW, &win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	peer_end(&self->owner);
	expect_ended(_metadata, self, fd, target, win);
	test_export_info(fd, &info);
	EXPECT_EQ(0, info.out_pid);
}

/* Export, address: a child accepts what its parent offers, and not its own memory. */
static long op_child_accepts(const unsigned long *a)
{
	__u64 parents = *(__u64 *)a[1];
	int status, target;
	pid_t child;

	child = fork();
	if (!child) {
		*(__u64 *)a[1] = 1;
		target = accept_all(a[0], XMAP_RIGHTS_RW);
		if ((__u64)op_read((unsigned long[]){ target, a[1] }) != parents ||
		    op_write((unsigned long[]){ target, a[1], 2 }) || *(__u64 *)a[1] != 1)
			_exit(1);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status)
		return -1;
	return *(__u64 *)a[1];
}

TEST_F(offer, owner_forks)
{
	long theirs = peer_call(&self->owner, op_export, self->dev, XMAP_RIGHTS_RW, self->mem, LEN);
	int fd = peer_take_fd(&self->owner, theirs), target = accept_all(fd, XMAP_RIGHTS_RW);
	char *win;

	ASSERT_LE(0, target);
	test_window_map(target, self->mem, LEN, RW, &win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_EQ(2, peer_call(&self->owner, op_child_accepts, theirs, self->mem));
	EXPECT_LOAD(2, win);
	/* A child that has a copy of the memory does not keep the offer. */
	ASSERT_LT(0, peer_fork(&self->owner));
	EXPECT_EQ(0, peer_store(&self->owner, self->mem, 3));
	EXPECT_LOAD(3, win);
	peer_end(&self->owner);
	EXPECT_EQ(POLLHUP, xmap_poll_for(fd, 0));
	EXPECT_EQ(POLLIN | POLLHUP, xmap_poll_now(fd));
	test_err_export_accept(ESRCH, fd, XMAP_RIGHT_READ, 0, 0);
	EXPECT_SIGNAL(SIGBUS, win);
}

/* A target outlives the offer. */
TEST_F(offer, offer_is_closed)
{
	int fd = offer_range(self, XMAP_RIGHTS_RW, self->mem, LEN);
	int target = accept_all(fd, XMAP_RIGHTS_RW);

	ASSERT_LE(0, target);
	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(peer_word(SEED, 0), (__u64)op_read((unsigned long[]){ target, self->mem }));
	EXPECT_FALSE(xmap_list_last(self->dev, XMAP_LIST_EXPORT, self->owner.pid, self->seen));
}

/* ---- What is seen ---- */

/* Who offers is told of each acceptance once, however often others ask. */
TEST_F(offer, poll)
{
	long made = peer_call(&self->owner, op_export, self->dev, XMAP_RIGHTS_RW, self->mem, LEN);
	int fd = peer_take_fd(&self->owner, made), target;
	struct xmap_cmd_export_info info, *told = (void *)self->ask;
	long theirs = give(fd);

	ASSERT_LE(0, theirs);
	EXPECT_EQ(0, xmap_poll_now(fd));
	test_err_export_accept(EACCES, fd, XMAP_RIGHTS_RW, 0, PAGE);
	EXPECT_EQ(0, xmap_poll_now(fd));
	ASSERT_EQ(0, peer_start(&self->user, op_poll_for, theirs, POLLIN));
	target = accept_all(fd, XMAP_RIGHT_READ);
	ASSERT_LE(0, target);
	EXPECT_EQ(POLLIN, peer_finish(&self->user));
	EXPECT_EQ(POLLIN, xmap_poll_now(fd));
	test_export_info(fd, &info);
	EXPECT_EQ(1, info.out_accepts);
	EXPECT_EQ(POLLIN, xmap_poll_now(fd));
	ASSERT_EQ(0, peer_call(&self->owner, op_export_info, made, told));
	EXPECT_EQ(1, told->out_accepts);
	EXPECT_EQ(0, xmap_poll_now(fd));
	/* The end of a target is no news, the next one is. */
	close(target);
	EXPECT_EQ(0, xmap_poll_now(fd));
	ASSERT_LE(0, accept_all(fd, XMAP_RIGHT_READ));
	EXPECT_EQ(POLLIN, xmap_poll_now(fd));
	ASSERT_EQ(0, peer_call(&self->owner, op_export_info, made, told));
	EXPECT_EQ(2, told->out_accepts);

	ASSERT_EQ(0, peer_start(&self->user, op_poll_for, theirs, 0));
	peer_end(&self->owner);
	EXPECT_EQ(POLLHUP, peer_finish(&self->user));
	EXPECT_EQ(POLLHUP, xmap_poll_now(fd));
}

TEST_F(offer, fdinfo)
{
	int fd = offer_range(self, XMAP_RIGHT_READ, self->mem + 1, 5), target;
	char want[64];

	ASSERT_LE(0, fd);
	snprintf(want, sizeof(want), "%d", self->owner.pid);
	EXPECT_STREQ(want, xmap_fdinfo(fd, "xmap-export-pid"));
	snprintf(want, sizeof(want), "%lx-%lx", self->mem + 1, self->mem + 6);
	EXPECT_STREQ(want, xmap_fdinfo(fd, "xmap-range"));
	EXPECT_STREQ("r--", xmap_fdinfo(fd, "xmap-rights"));
	EXPECT_STREQ("0", xmap_fdinfo(fd, "xmap-accepts"));
	EXPECT_STREQ("alive", xmap_fdinfo(fd, "xmap-state"));
	EXPECT_STREQ("", xmap_fdinfo(fd, "xmap-id"));
	EXPECT_STREQ("", xmap_fdinfo(fd, "xmap-name"));
	test_export_accept(fd, XMAP_RIGHT_READ, 0, 0, &target);
	EXPECT_STREQ("1", xmap_fdinfo(fd, "xmap-accepts"));
}

/* The owner sees who accepted, and what he does with it. */
TEST_F_TIMEOUT(offer, list, PEER_TIMEOUT)
{
	int fd = offer_range(self, XMAP_RIGHTS_RW, self->mem, LEN);
	struct xmap_list_entry *e = self->seen;
	struct peer third;
	__u64 serial, parent;
	long got, kept;

	ASSERT_EQ(0, peer_spawn_as(&third, 4711, 4711, 0));
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, peer_call(&self->owner, op_list_last, self->dev, XMAP_LIST_EXPORT, 0, e));
	EXPECT_EQ(XMAP_RIGHTS_RW, e->rights);
	EXPECT_EQ(self->owner.pid, e->holder_pid);
	EXPECT_EQ(UID_A, e->holder_uid);
	EXPECT_EQ(self->owner.pid, e->target_pid);
	EXPECT_EQ(XMAP_TARGET_ALIVE, e->state);
	EXPECT_EQ(self->mem, e->addr);
	EXPECT_EQ(LEN, e->length);
	EXPECT_EQ(0, e->local);
	EXPECT_EQ(0, e->count);
	EXPECT_NE(0, e->serial);
	EXPECT_EQ(0, e->parent);
	serial = e->serial;

	kept = give(fd);
	got = peer_call(&self->user, op_accept, kept, XMAP_RIGHT_READ, self->mem + 8, PAGE * 3);
	ASSERT_LE(0, got);
	ASSERT_NE(-1, peer_call(&self->user, op_window, got, self->mem + PAGE, PAGE, PROT_READ));
	ASSERT_EQ(1, peer_call(&self->owner, op_list_last, self->dev, XMAP_LIST_EXPORT, 0, e));
	EXPECT_EQ(1, e->count);
	EXPECT_EQ(serial, e->serial);
	ASSERT_EQ(1, peer_call(&self->owner, op_list_last, self->dev, XMAP_LIST_TARGET, 0, e));
	EXPECT_EQ(XMAP_RIGHT_READ, e->rights);
	EXPECT_EQ(self->user.pid, e->holder_pid);
	EXPECT_EQ(UID_B, e->holder_uid);
	EXPECT_EQ(self->owner.pid, e->target_pid);
	EXPECT_EQ(self->mem + 8, e->addr);
	EXPECT_EQ(PAGE * 3, e->length);
	EXPECT_EQ(0, e->count);
	EXPECT_LT(serial, e->serial);
	EXPECT_EQ(serial, e->parent);
	parent = e->serial;
	ASSERT_EQ(1, peer_call(&self->owner, op_list_last, self->dev, XMAP_LIST_WINDOW, 0, e));
	EXPECT_EQ(self->mem + PAGE, e->addr);
	EXPECT_EQ(0, e->local);
	EXPECT_EQ(parent, e->parent);

	/* What was derived has what it was derived from as its parent. */
	got = peer_call(&self->user, op_derive, got, XMAP_RIGHT_READ, 0, 0);
	ASSERT_LE(0, got);
	ASSERT_EQ(1, peer_call(&self->user, op_list_last, self->dev, XMAP_LIST_TARGET, 0, e));
	EXPECT_EQ(parent, e->parent);
	EXPECT_EQ(self->mem + 8, e->addr);
	/* Who accepts sees the target, not the offer; others see neither. */
	EXPECT_EQ(0, peer_call(&self->user, op_list_last, self->dev, XMAP_LIST_EXPORT, 0, e));
	EXPECT_EQ(0, peer_call(&third, op_list_last, self->dev, XMAP_LIST_EXPORT, 0, e));
	EXPECT_EQ(0, peer_call(&third, op_list_last, self->dev, XMAP_LIST_TARGET, 0, e));
	peer_end(&third);
}

/* ---- What it is not ---- */

TEST_F(offer, other_operations)
{
	int fd = offer_range(self, XMAP_RIGHTS_RW, 0, 0);
	struct xmap_transfer entry = { .fd = fd, .length = 1, .local = (uintptr_t)&entry };
	struct xmap_cmd_target_info info;
	char path[64], byte = 0;

	ASSERT_LE(0, fd);
	EXPECT_ERRNO(EINVAL, read(fd, &byte, 1));
	EXPECT_ERRNO(EINVAL, write(fd, &byte, 1));
	EXPECT_ERRNO(ENODEV, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	test_err_target_info(ENOTTY, fd);
	test_err_target_derive(ENOTTY, fd, XMAP_RIGHT_READ, 0, 0);
	test_err_export_create(ENOTTY, fd, XMAP_RIGHT_READ, 0, 0);
	test_err_export_open(ENOTTY, fd, XMAP_RIGHT_READ, 1, NULL);
	test_err_deny(ENOTTY, fd, 0);
	test_transfer(self->dev, &entry, 1);
	EXPECT_EQ(-EBADFD, entry.out_result);
	test_err_target_open(EBADFD, self->dev, fd, getpid(), XMAP_RIGHT_READ, 0, 0);
	test_err_target_open_mem(EBADFD, self->dev, fd, XMAP_RIGHT_READ, 0, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EXPECT_ERRNO(ENXIO, open(path, O_RDWR));

	/* And the other way round. */
	test_err_export_accept(ENOTTY, self->dev, XMAP_RIGHT_READ, 0, 0);
	test_err_export_info(ENOTTY, self->dev);
	fd = accept_all(fd, XMAP_RIGHT_READ);
	ASSERT_EQ(0, _test_target_info(fd, &info));
	test_err_export_accept(ENOTTY, fd, XMAP_RIGHT_READ, 0, 0);
	test_err_export_info(ENOTTY, fd);
	test_err_export_create(ENOTTY, fd, XMAP_RIGHT_READ, 0, 0);
	test_err_deny(ENOTTY, fd, 0);
}

TEST_HARNESS_MAIN
