// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a window shows and what it refuses: every kind of source memory, the
 * rights of the handle and of the source's pages, and the ways by which other
 * parts of the kernel reach memory.
 */
#include "xmap_reader.h"
#include "xmap_zram.h"

#include <sys/auxv.h>
#include <sys/ptrace.h>

/* ---- every kind of source memory ----------------------------------------- */

#define SEED 5
#define SEED_NEW 6

FIXTURE(kind)
{
	struct peer src;
	unsigned long addr;
	size_t len;
	int dev;
	int target;
};

FIXTURE_VARIANT(kind)
{
	enum peer_kind kind;
	bool writable;
	bool self;
};

#define KIND(k, w, s) .kind = PEER_##k, .writable = (w), .self = (s)

FIXTURE_VARIANT_ADD(kind, anon_rw_self) { KIND(ANON, true, true) };
FIXTURE_VARIANT_ADD(kind, anon_rw_peer) { KIND(ANON, true, false) };
FIXTURE_VARIANT_ADD(kind, anon_ro_self) { KIND(ANON, false, true) };
FIXTURE_VARIANT_ADD(kind, anon_ro_peer) { KIND(ANON, false, false) };
FIXTURE_VARIANT_ADD(kind, shmem_rw_self) { KIND(SHMEM, true, true) };
FIXTURE_VARIANT_ADD(kind, shmem_rw_peer) { KIND(SHMEM, true, false) };
FIXTURE_VARIANT_ADD(kind, shmem_ro_self) { KIND(SHMEM, false, true) };
FIXTURE_VARIANT_ADD(kind, shmem_ro_peer) { KIND(SHMEM, false, false) };
FIXTURE_VARIANT_ADD(kind, memfd_rw_peer) { KIND(MEMFD, true, false) };
FIXTURE_VARIANT_ADD(kind, memfd_ro_peer) { KIND(MEMFD, false, false) };
FIXTURE_VARIANT_ADD(kind, hugetlb_rw_self) { KIND(HUGETLB, true, true) };
FIXTURE_VARIANT_ADD(kind, hugetlb_rw_peer) { KIND(HUGETLB, true, false) };
FIXTURE_VARIANT_ADD(kind, hugetlb_ro_self) { KIND(HUGETLB, false, true) };
FIXTURE_VARIANT_ADD(kind, hugetlb_ro_peer) { KIND(HUGETLB, false, false) };
FIXTURE_VARIANT_ADD(kind, hugetlb_shared_rw_peer) { KIND(HUGETLB_SHARED, true, false) };
FIXTURE_VARIANT_ADD(kind, hugetlb_shared_ro_peer) { KIND(HUGETLB_SHARED, false, false) };
FIXTURE_VARIANT_ADD(kind, file_shared_rw_self) { KIND(FILE_SHARED, true, true) };
FIXTURE_VARIANT_ADD(kind, file_shared_rw_peer) { KIND(FILE_SHARED, true, false) };
FIXTURE_VARIANT_ADD(kind, file_shared_ro_self) { KIND(FILE_SHARED, false, true) };
FIXTURE_VARIANT_ADD(kind, file_shared_ro_peer) { KIND(FILE_SHARED, false, false) };
FIXTURE_VARIANT_ADD(kind, file_readonly_self) { KIND(FILE_READONLY, false, true) };
FIXTURE_VARIANT_ADD(kind, file_readonly_peer) { KIND(FILE_READONLY, false, false) };
FIXTURE_VARIANT_ADD(kind, file_private_rw_self) { KIND(FILE_PRIVATE, true, true) };
FIXTURE_VARIANT_ADD(kind, file_private_rw_peer) { KIND(FILE_PRIVATE, true, false) };
FIXTURE_VARIANT_ADD(kind, file_private_ro_self) { KIND(FILE_PRIVATE, false, true) };
FIXTURE_VARIANT_ADD(kind, file_private_ro_peer) { KIND(FILE_PRIVATE, false, false) };

FIXTURE_SETUP(kind)
{
	int prot = PROT_READ | (variant->writable ? PROT_WRITE : 0);

	touch_init();
	test_dev_open(&self->dev);
	self->len = 4 * PAGE;
	if (variant->kind == PEER_HUGETLB || variant->kind == PEER_HUGETLB_SHARED) {
		self->len = 2 * PEER_HUGE_SIZE;
		if (!peer_want_hugetlb(8))
			SKIP(return, "no huge pages");
	}
	ASSERT_EQ(0, variant->self ? peer_self(&self->src) : peer_spawn(&self->src));
	self->addr = peer_map(&self->src, variant->kind, prot, self->len, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->addr);
	test_target_open(self->dev, self->src.pidfd, self->src.pid, XMAP_RIGHTS_RW, 0, 0,
			 &self->target);
}

FIXTURE_TEARDOWN(kind)
{
	peer_end(&self->src);
}

TEST_F_TIMEOUT(kind, contents, PEER_TIMEOUT)
{
	__u64 *win;

	test_window_map(self->target, self->addr, self->len, PROT_READ, &win);
	EXPECT_EQ(0, peer_check_here(win, self->len, SEED));
	if (!variant->writable)
		return;

	/* What the source writes later is there as well. */
	EXPECT_EQ(0, peer_fill(&self->src, self->addr, self->len, SEED_NEW));
	EXPECT_EQ(0, peer_check_here(win, self->len, SEED_NEW));
}

TEST_F_TIMEOUT(kind, store_first, PEER_TIMEOUT)
{
	size_t last = self->len - 8;
	__u64 *win;

	test_window_map(self->target, self->addr, self->len, PROT_READ | PROT_WRITE, &win);
	if (variant->writable) {
		EXPECT_STORE(77, win);
		EXPECT_STORE(78, win + last / 8);
		EXPECT_EQ(77, peer_load(&self->src, self->addr));
		EXPECT_EQ(78, peer_load(&self->src, self->addr + last));
		EXPECT_LOAD(77, win);
		EXPECT_LOAD(78, win + last / 8);
	} else {
		EXPECT_STORE_SIGNAL(SIGBUS, win);
		EXPECT_STORE_SIGNAL(SIGBUS, win + last / 8);
		EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED));
		EXPECT_EQ(0, peer_check_here(win, self->len, SEED));
	}
}

/* The read fault must not leave an entry that a write goes through. */
TEST_F_TIMEOUT(kind, store_after_load, PEER_TIMEOUT)
{
	__u64 *win;

	test_window_map(self->target, self->addr, self->len, PROT_READ | PROT_WRITE, &win);
	EXPECT_EQ(0, peer_check_here(win, self->len, SEED));
	if (variant->writable) {
		peer_fill_here(win, self->len, SEED_NEW);
		EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED_NEW));
	} else {
		EXPECT_STORE_SIGNAL(SIGBUS, win);
		EXPECT_STORE_SIGNAL(SIGBUS, win + self->len / 16);
		EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED));
	}
	if (variant->kind == PEER_FILE_PRIVATE)
		EXPECT_EQ(peer_word(SEED, 0), peer_file_load(&self->src, 0));
	if (variant->kind == PEER_FILE_SHARED || variant->kind == PEER_MEMFD)
		EXPECT_EQ(peer_load(&self->src, self->addr), peer_file_load(&self->src, 0));
	if (variant->kind == PEER_FILE_READONLY)
		EXPECT_EQ(peer_word(SEED, 0), peer_file_load(&self->src, 0));
}

/* The source takes its own right away: the window loses it at once. */
TEST_F_TIMEOUT(kind, source_mprotect, PEER_TIMEOUT)
{
	__u64 *win;

	if (!variant->writable)
		return;
	test_window_map(self->target, self->addr, self->len, PROT_READ | PROT_WRITE, &win);
	EXPECT_STORE(77, win);
	ASSERT_EQ(0, peer_mprotect(&self->src, self->addr, self->len, PROT_READ));
	EXPECT_STORE_SIGNAL(SIGBUS, win);
	EXPECT_LOAD(77, win);
	ASSERT_EQ(0, peer_mprotect(&self->src, self->addr, self->len, PROT_NONE));
	EXPECT_SIGNAL(SIGBUS, win);
	ASSERT_EQ(0, peer_mprotect(&self->src, self->addr, self->len, PROT_READ | PROT_WRITE));
	EXPECT_LOAD(77, win);
	EXPECT_STORE(79, win);
	EXPECT_EQ(79, peer_load(&self->src, self->addr));
}

TEST_F_TIMEOUT(kind, source_munmap, PEER_TIMEOUT)
{
	__u64 *win;

	test_window_map(self->target, self->addr, self->len, PROT_READ, &win);
	EXPECT_EQ(0, peer_check_here(win, self->len, SEED));
	ASSERT_EQ(0, peer_munmap(&self->src, self->addr, self->len));
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_SIGNAL(SIGBUS, win + (self->len - 8) / 8);
}

TEST_F_TIMEOUT(kind, prefault, PEER_TIMEOUT)
{
	__u64 *win, faults, done;

	test_window_map(self->target, self->addr, self->len, PROT_READ | PROT_WRITE, &win);
	test_target_prefault(self->target, 0, win, self->len, &done);
	EXPECT_EQ(self->len, done);
	faults = reader_faults(self->dev, win);
	EXPECT_EQ(0, peer_check_here(win, self->len, SEED));
	EXPECT_EQ(faults, reader_faults(self->dev, win));

	if (!variant->writable) {
		test_err_target_prefault(EFAULT, self->target, XMAP_TARGET_PREFAULT_WRITE, win,
					 self->len);
		EXPECT_STORE_SIGNAL(SIGBUS, win);
		return;
	}
	test_target_prefault(self->target, XMAP_TARGET_PREFAULT_WRITE, win, self->len, &done);
	EXPECT_EQ(self->len, done);
	faults = reader_faults(self->dev, win);
	peer_fill_here(win, self->len, SEED_NEW);
	EXPECT_EQ(faults, reader_faults(self->dev, win));
	EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED_NEW));
}

/* A fault into memory of a source that has forked breaks the sharing there. */
TEST_F_TIMEOUT(kind, copy_on_write, PEER_TIMEOUT)
{
	bool private = variant->kind == PEER_ANON || variant->kind == PEER_FILE_PRIVATE ||
		       variant->kind == PEER_HUGETLB;
	struct iovec local = { .iov_len = 8 };
	struct iovec remote = { .iov_base = (void *)self->addr, .iov_len = 8 };
	__u64 *win, word = 0;
	pid_t child;

	if (!variant->writable)
		return;
	test_window_map(self->target, self->addr, self->len, PROT_READ | PROT_WRITE, &win);
	child = peer_fork(&self->src);
	ASSERT_LT(0, child);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_STORE(77, win);
	EXPECT_EQ(77, peer_load(&self->src, self->addr));

	local.iov_base = &word;
	ASSERT_EQ(8, process_vm_readv(child, &local, 1, &remote, 1, 0));
	EXPECT_EQ(private ? peer_word(SEED, 0) : 77, word);

	/* The same page was writable before this fork. */
	ASSERT_EQ(child, peer_reap(&self->src, child));
	EXPECT_STORE(80, win);
	child = peer_fork(&self->src);
	ASSERT_LT(0, child);
	EXPECT_STORE(81, win);
	EXPECT_EQ(81, peer_load(&self->src, self->addr));
	ASSERT_EQ(8, process_vm_readv(child, &local, 1, &remote, 1, 0));
	EXPECT_EQ(private ? 80 : 81, word);
	ASSERT_EQ(child, peer_reap(&self->src, child));
}

/* ---- one source with four anonymous pages -------------------------------- */

#define RW (PROT_READ | PROT_WRITE)

FIXTURE(window)
{
	struct peer src;
	unsigned long addr;
	size_t len;
	int dev;
	int target;
	int target_ro;
};

FIXTURE_SETUP(window)
{
	touch_init();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->src));
	self->len = 4 * PAGE;
	self->addr = peer_map(&self->src, PEER_ANON, RW, self->len, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->addr);
	test_target_open(self->dev, self->src.pidfd, self->src.pid, XMAP_RIGHTS_RW, 0, 0,
			 &self->target);
	test_target_derive(self->target, XMAP_RIGHT_READ, 0, 0, &self->target_ro);
}

FIXTURE_TEARDOWN(window)
{
	peer_end(&self->src);
}

TEST_F_TIMEOUT(window, err_flags, PEER_TIMEOUT)
{
	int flags, wo;

	flags = MAP_PRIVATE;
	EXPECT_ERRNO(EINVAL, (long)mmap(NULL, PAGE, PROT_READ, flags, self->target, self->addr));
	EXPECT_ERRNO(EINVAL, (long)mmap(NULL, PAGE, RW, flags, self->target, self->addr));
	test_err_window_map(EACCES, self->target, self->addr, PAGE, PROT_READ | PROT_EXEC);
	test_err_window_map(EACCES, self->target, self->addr, PAGE, PROT_EXEC);
	test_err_window_map(EACCES, self->target_ro, self->addr, PAGE, RW);
	test_err_window_map(EACCES, self->target_ro, self->addr, PAGE, PROT_WRITE);
	test_err_window_map(EINVAL, self->target, self->addr, 0, PROT_READ);
	test_err_window_map(EINVAL, self->target, self->addr + 8, PAGE, PROT_READ);

	/* The processor cannot map writable without readable. */
	test_target_derive(self->target, XMAP_RIGHT_WRITE, 0, 0, &wo);
	test_err_window_map(EACCES, wo, self->addr, PAGE, PROT_READ);
	test_err_window_map(EACCES, wo, self->addr, PAGE, RW);
	test_err_window_map(EACCES, wo, self->addr, PAGE, PROT_WRITE);
}

TEST_F_TIMEOUT(window, err_range, PEER_TIMEOUT)
{
	unsigned long top = 1UL << 47;
	__u64 *win;
	int part;

	/* Pages 1 and 2 only. */
	test_target_derive(self->target, XMAP_RIGHTS_RW, self->addr + PAGE, 2 * PAGE, &part);
	test_err_window_map(EACCES, part, self->addr, PAGE, PROT_READ);
	test_err_window_map(EACCES, part, self->addr, 2 * PAGE, PROT_READ);
	test_err_window_map(EACCES, part, self->addr + 2 * PAGE, 2 * PAGE, PROT_READ);
	test_err_window_map(EACCES, part, self->addr + 3 * PAGE, PAGE, PROT_READ);
	test_window_map(part, self->addr + PAGE, 2 * PAGE, PROT_READ, &win);
	EXPECT_LOAD(peer_word(SEED, PAGE), win);
	EXPECT_LOAD(peer_word(SEED, 3 * PAGE - 8), win + 2 * PAGE / 8 - 1);

	/* A window has whole pages: half a page of right is no page. */
	test_target_derive(self->target, XMAP_RIGHTS_RW, self->addr + 8, PAGE, &part);
	test_err_window_map(EACCES, part, self->addr, PAGE, PROT_READ);
	test_err_window_map(EACCES, part, self->addr + PAGE, PAGE, PROT_READ);

	test_err_window_map(EOVERFLOW, self->target, -PAGE, 2 * PAGE, PROT_READ);
	test_err_window_map(EFAULT, self->target, top, PAGE, PROT_READ);
	test_err_window_map(EFAULT, self->target, 1UL << 63, PAGE, PROT_READ);
	test_err_window_map(EFAULT, self->target, top - PAGE, 2 * PAGE, PROT_READ);
}

TEST_F_TIMEOUT(window, hole_in_source, PEER_TIMEOUT)
{
	__u64 *win;

	ASSERT_EQ(0, peer_munmap(&self->src, self->addr + PAGE, PAGE));
	test_window_map(self->target, self->addr, self->len, RW, &win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_SIGNAL(SIGBUS, win + PAGE / 8);
	EXPECT_STORE_SIGNAL(SIGBUS, win + PAGE / 8);
	EXPECT_LOAD(peer_word(SEED, 2 * PAGE), win + 2 * PAGE / 8);

	/* What comes there later is seen. */
	ASSERT_NE(-1, peer_mmap_over(&self->src, self->addr + PAGE, PAGE, RW));
	EXPECT_LOAD(0, win + PAGE / 8);
	EXPECT_STORE(9, win + PAGE / 8);
	EXPECT_EQ(9, peer_load(&self->src, self->addr + PAGE));
}

TEST_F_TIMEOUT(window, zero_page, PEER_TIMEOUT)
{
	__u64 *win, *fresh;
	unsigned long addr;

	fresh = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, fresh);
	addr = peer_call(&self->src, peer_op_mmap, 0, 2 * PAGE, RW,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	EXPECT_EQ(0, peer_load(&self->src, addr));
	EXPECT_EQ(0, peer_load(&self->src, addr + PAGE));
	test_window_map(self->target, addr, 2 * PAGE, RW, &win);
	EXPECT_LOAD(0, win);
	EXPECT_LOAD(0, win + PAGE / 8);

	/* Writable: the source gets a page of its own. */
	EXPECT_STORE(77, win);
	EXPECT_EQ(77, peer_load(&self->src, addr));
	EXPECT_LOAD(0, fresh);
	EXPECT_LOAD(0, win + PAGE / 8);

	/* Read-only: refused. */
	ASSERT_EQ(0, peer_mprotect(&self->src, addr, 2 * PAGE, PROT_READ));
	EXPECT_STORE_SIGNAL(SIGBUS, win + PAGE / 8);
	EXPECT_EQ(0, peer_load(&self->src, addr + PAGE));
	EXPECT_LOAD(0, fresh);
}

TEST_F_TIMEOUT(window, prot_none, PEER_TIMEOUT)
{
	__u64 *win;

	ASSERT_EQ(0, peer_mprotect(&self->src, self->addr, self->len, PROT_NONE));
	test_window_map(self->target, self->addr, self->len, RW, &win);
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_STORE_SIGNAL(SIGBUS, win);
	ASSERT_EQ(0, peer_mprotect(&self->src, self->addr, self->len, RW));
	EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED));
}

static bool secretmem_enabled(void)
{
	int fd = open("/sys/module/secretmem/parameters/enable", O_RDONLY | O_CLOEXEC);
	char c = 'N';

	if (fd >= 0 && read(fd, &c, 1) != 1)
		c = 'N';
	close(fd);
	return c == 'Y';
}

TEST_F_TIMEOUT(window, memfd_secret, PEER_TIMEOUT)
{
	unsigned long addr;
	__u64 *win;

	if (!secretmem_enabled())
		SKIP(return, "no memfd_secret(): needs secretmem.enable=1");
	addr = peer_map(&self->src, PEER_SECRET, RW, PAGE, SEED);
	ASSERT_NE(PEER_MAP_FAILED, addr);
	test_window_map(self->target, addr, PAGE, RW, &win);
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_STORE_SIGNAL(SIGBUS, win);
	EXPECT_EQ(0, peer_check(&self->src, addr, PAGE, SEED));
	test_err_target_prefault(EFAULT, self->target, 0, win, PAGE);
}

static unsigned long find_mapping(pid_t pid, const char *name)
{
	unsigned long start, found = 0;
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	while (!found && fgets(line, sizeof(line), f))
		if (strstr(line, name) && sscanf(line, "%lx-", &start) == 1)
			found = start;
	fclose(f);
	return found;
}

TEST_F_TIMEOUT(window, vdso_and_vvar, PEER_TIMEOUT)
{
	unsigned long vdso = find_mapping(self->src.pid, "[vdso]");
	unsigned long vvar = find_mapping(self->src.pid, "[vvar]");
	__u64 before;
	__u64 *win;

	ASSERT_NE(0, vdso);
	ASSERT_NE(0, vvar);
	before = peer_load(&self->src, vdso);
	test_window_map(self->target, vdso, PAGE, RW, &win);
	EXPECT_LOAD(before, win);
	EXPECT_STORE_SIGNAL(SIGBUS, win);
	EXPECT_EQ(before, peer_load(&self->src, vdso));

	test_window_map(self->target, vvar, PAGE, RW, &win);
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_STORE_SIGNAL(SIGBUS, win);
	test_err_target_prefault(EFAULT, self->target, 0, win, PAGE);
}

TEST_F_TIMEOUT(window, window_of_window, PEER_TIMEOUT)
{
	unsigned long remote;
	struct peer mid;
	int target;
	__u64 *win;

	ASSERT_EQ(0, peer_spawn(&mid));
	remote = peer_window(&mid, self->src.pid, self->addr, self->len, RW);
	ASSERT_NE(PEER_MAP_FAILED, remote);
	EXPECT_EQ(0, peer_check(&mid, remote, self->len, SEED));

	test_target_open(self->dev, mid.pidfd, mid.pid, XMAP_RIGHTS_RW, 0, 0, &target);
	test_window_map(target, remote, self->len, RW, &win);
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_STORE_SIGNAL(SIGBUS, win);
	test_err_target_prefault(EFAULT, target, 0, win, self->len);
	EXPECT_EQ(0, peer_check(&mid, remote, self->len, SEED));
	EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED));
	peer_end(&mid);
}

TEST_F_TIMEOUT(window, window_on_itself, PEER_TIMEOUT)
{
	int target = reader_target(getpid(), XMAP_RIGHTS_RW);
	__u64 *spot, *win;

	ASSERT_LE(0, target);
	spot = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, spot);
	/* The window lies exactly on the range that it shows. */
	win = mmap(spot, PAGE, RW, MAP_SHARED | MAP_FIXED, target, (off_t)(unsigned long)spot);
	ASSERT_EQ(spot, win);
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_STORE_SIGNAL(SIGBUS, win);
	EXPECT_EQ(0, munmap(win, PAGE));
}

/* Forced writes are for transfers: a handle with the right maps no better. */
TEST_F_TIMEOUT(window, never_forces, PEER_TIMEOUT)
{
	__u64 *win;
	int force;

	test_target_open(self->dev, self->src.pidfd, self->src.pid, XMAP_RIGHTS_ALL, 0, 0, &force);
	ASSERT_EQ(0, peer_mprotect(&self->src, self->addr, self->len, PROT_READ));
	test_window_map(force, self->addr, self->len, RW, &win);
	EXPECT_STORE_SIGNAL(SIGBUS, win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_STORE_SIGNAL(SIGBUS, win);
	test_err_target_prefault(EFAULT, force, XMAP_TARGET_PREFAULT_WRITE, win, self->len);
	EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED));
}

TEST_F_TIMEOUT(window, mprotect_raises_nothing, PEER_TIMEOUT)
{
	__u64 *win;

	test_window_map(self->target_ro, self->addr, self->len, PROT_READ, &win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_STORE_SIGNAL(SIGSEGV, win);
	EXPECT_ERRNO(EACCES, mprotect(win, self->len, RW));
	EXPECT_ERRNO(EACCES, mprotect(win, self->len, PROT_WRITE));
	EXPECT_ERRNO(EACCES, mprotect(win, self->len, PROT_READ | PROT_EXEC));
	EXPECT_ERRNO(EACCES, mprotect(win, self->len, PROT_EXEC));
	EXPECT_STORE_SIGNAL(SIGSEGV, win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_EQ(0, munmap(win, self->len));

	test_window_map(self->target, self->addr, self->len, RW, &win);
	EXPECT_ERRNO(EACCES, mprotect(win, self->len, RW | PROT_EXEC));

	/* Less is the holder's own affair, and so is the way back. */
	EXPECT_EQ(0, mprotect(win, self->len, PROT_READ));
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_STORE_SIGNAL(SIGSEGV, win);
	EXPECT_EQ(0, mprotect(win, self->len, PROT_NONE));
	EXPECT_SIGNAL(SIGSEGV, win);
	EXPECT_EQ(0, mprotect(win, self->len, RW));
	EXPECT_STORE(77, win);
	EXPECT_EQ(77, peer_load(&self->src, self->addr));
}

/*
 * Who may write may read, on this machine: the entry of a read fault must say so, or the fault
 * comes back for ever, and if it is the kernel that reads, nobody can kill the reader.
 */
TEST_F_TIMEOUT(window, write_only_window_faults_for_ever, PEER_TIMEOUT)
{
	__u64 *win;
	int ends[2];

	test_window_map(self->target, self->addr, self->len, RW, &win);
	ASSERT_EQ(0, mprotect(win, self->len, PROT_WRITE));
	EXPECT_ERRNO(EAGAIN, syscall(SYS_futex, win, FUTEX_WAIT_PRIVATE,
				     ~(__u32)peer_word(SEED, 0), NULL, NULL, 0));
	EXPECT_LOAD(peer_word(SEED, PAGE), win + PAGE / 8);
	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(8, write(ends[1], win + 2 * PAGE / 8, 8));
	EXPECT_STORE(77, win);
	EXPECT_EQ(77, peer_load(&self->src, self->addr));

	/* And where nothing may be done, nothing is put. */
	ASSERT_EQ(0, mprotect(win, self->len, PROT_NONE));
	test_err_target_prefault(EACCES, self->target, 0, win, self->len);
	EXPECT_SIGNAL(SIGSEGV, win);
}

/* After mprotect up again a read-only page is still a read-only page. */
TEST_F_TIMEOUT(window, mprotect_keeps_page_rights, PEER_TIMEOUT)
{
	__u64 *win;
	pid_t child;

	ASSERT_EQ(0, peer_mprotect(&self->src, self->addr, PAGE, PROT_READ));
	child = peer_fork(&self->src);
	ASSERT_LT(0, child);
	test_window_map(self->target, self->addr, self->len, RW, &win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_LOAD(peer_word(SEED, PAGE), win + PAGE / 8);
	EXPECT_EQ(0, mprotect(win, self->len, PROT_READ));
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_LOAD(peer_word(SEED, PAGE), win + PAGE / 8);
	EXPECT_EQ(0, mprotect(win, self->len, RW));
	EXPECT_STORE_SIGNAL(SIGBUS, win);
	EXPECT_STORE(77, win + PAGE / 8);
	EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->src, self->addr));
	EXPECT_EQ(77, peer_load(&self->src, self->addr + PAGE));
	ASSERT_EQ(child, peer_reap(&self->src, child));
}

TEST_F_TIMEOUT(window, err_madvise, PEER_TIMEOUT)
{
	static const int refused[] = {
		MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT, MADV_DOFORK, MADV_DODUMP,
		MADV_WIPEONFORK, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
	};
	__u64 *win;
	size_t i;

	test_window_map(self->target, self->addr, self->len, RW, &win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		EXPECT_ERRNO(EINVAL, madvise(win, self->len, refused[i])) {
			TH_LOG("advice %d", refused[i]);
		}
	}
	EXPECT_EQ(0, peer_check_here(win, self->len, SEED));
	EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED));
}

/* ---- other ways into the holder's memory --------------------------------- */

TEST_F_TIMEOUT(window, read_and_write_buffers, PEER_TIMEOUT)
{
	__u64 *win, buf[512];
	int p[2];

	ASSERT_EQ(0, pipe(p));
	test_window_map(self->target, self->addr, self->len, RW, &win);
	ASSERT_EQ(PAGE, write(p[1], win, PAGE));
	ASSERT_EQ(PAGE, read(p[0], buf, PAGE));
	EXPECT_EQ(0, peer_check_here(buf, PAGE, SEED));

	peer_fill_here(buf, PAGE, SEED_NEW);
	ASSERT_EQ(PAGE, write(p[1], buf, PAGE));
	ASSERT_EQ(PAGE, read(p[0], win + 512, PAGE));
	EXPECT_EQ(0, peer_check(&self->src, self->addr + PAGE, PAGE, SEED_NEW));

	/* Where the source has nothing the call fails, and nobody dies. */
	ASSERT_EQ(0, peer_munmap(&self->src, self->addr, PAGE));
	EXPECT_ERRNO(EFAULT, write(p[1], win, PAGE));
	ASSERT_EQ(PAGE, write(p[1], buf, PAGE));
	EXPECT_ERRNO(EFAULT, read(p[0], win, PAGE));
}

TEST_F_TIMEOUT(window, err_page_references, PEER_TIMEOUT)
{
	struct iovec local, remote;
	__u64 *win, word = 0;
	int p[2], fd;
	char *path;

	test_window_map(self->target, self->addr, self->len, RW, &win);
	EXPECT_LOAD(peer_word(SEED, 0), win);
	EXPECT_STORE(peer_word(SEED, 0), win);

	local = (struct iovec){ .iov_base = &word, .iov_len = 8 };
	remote = (struct iovec){ .iov_base = win, .iov_len = 8 };
	EXPECT_ERRNO(EFAULT, process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_ERRNO(EFAULT, process_vm_writev(getpid(), &local, 1, &remote, 1, 0));

	ASSERT_EQ(0, pipe(p));
	remote.iov_len = PAGE;
	EXPECT_ERRNO(EFAULT, vmsplice(p[1], &remote, 1, 0));

	/* A shared futex is keyed by its page. */
	EXPECT_ERRNO(EFAULT, syscall(SYS_futex, win, FUTEX_WAKE, 1, NULL, NULL, 0));
	EXPECT_EQ(0, syscall(SYS_futex, win, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));

	path = zram_new(1 << 20);
	if (!path)
		SKIP(return, "no zram for O_DIRECT");
	fd = open(path, O_RDWR | O_DIRECT);
	ASSERT_LE(0, fd);
	EXPECT_ERRNO(EFAULT, pread(fd, win, PAGE, 0));
	EXPECT_ERRNO(EFAULT, pwrite(fd, win, PAGE, 0));
	close(fd);
	zram_end(path);
	EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED));
}

/* A debugger of the reader looks through the reader's window. */
TEST_F_TIMEOUT(window, debugger_of_the_reader, PEER_TIMEOUT)
{
	unsigned long ro, rw;
	struct peer reader;
	char path[64];
	int status, fd;
	__u64 word;

	ASSERT_EQ(0, peer_spawn(&reader));
	ro = peer_window(&reader, self->src.pid, self->addr, self->len, PROT_READ);
	rw = peer_window(&reader, self->src.pid, self->addr, self->len, RW);
	ASSERT_NE(PEER_MAP_FAILED, ro);
	ASSERT_NE(PEER_MAP_FAILED, rw);

	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, reader.pid, NULL, NULL));
	ASSERT_EQ(reader.pid, waitpid(reader.pid, &status, 0));
	EXPECT_EQ(peer_word(SEED, 8), ptrace(PTRACE_PEEKDATA, reader.pid, ro + 8, NULL));
	EXPECT_EQ(peer_word(SEED, 8), ptrace(PTRACE_PEEKDATA, reader.pid, rw + 8, NULL));
	/* Across a page border, unaligned. */
	EXPECT_EQ(peer_load(&self->src, self->addr + PAGE - 3),
		  ptrace(PTRACE_PEEKDATA, reader.pid, rw + PAGE - 3, NULL));
	EXPECT_EQ(0, ptrace(PTRACE_POKEDATA, reader.pid, rw + 8, 77));
	EXPECT_EQ(77, peer_load(&self->src, self->addr + 8));
	EXPECT_ERRNO(EIO, ptrace(PTRACE_POKEDATA, reader.pid, ro + 8, 78));
	EXPECT_EQ(77, peer_load(&self->src, self->addr + 8));

	snprintf(path, sizeof(path), "/proc/%d/mem", reader.pid);
	fd = open(path, O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(8, pread(fd, &word, 8, ro + 8));
	EXPECT_EQ(77, word);
	word = 79;
	ASSERT_EQ(8, pwrite(fd, &word, 8, rw + 8));
	EXPECT_EQ(79, peer_load(&self->src, self->addr + 8));
	EXPECT_ERRNO(EIO, pwrite(fd, &word, 8, ro));
	EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->src, self->addr));

	/* The page's own right counts as in a fault. */
	ASSERT_EQ(0, peer_mprotect(&self->src, self->addr, self->len, PROT_READ));
	EXPECT_ERRNO(EIO, pwrite(fd, &word, 8, rw));
	EXPECT_ERRNO(EIO, ptrace(PTRACE_POKEDATA, reader.pid, rw, 78));
	EXPECT_EQ(peer_word(SEED, 0), peer_load(&self->src, self->addr));
	ASSERT_EQ(0, peer_munmap(&self->src, self->addr, self->len));
	EXPECT_ERRNO(EIO, pread(fd, &word, 8, rw));
	EXPECT_ERRNO(EIO, ptrace(PTRACE_PEEKDATA, reader.pid, rw, NULL));
	close(fd);
	EXPECT_EQ(0, ptrace(PTRACE_DETACH, reader.pid, NULL, NULL));
	peer_end(&reader);
}

/*
 * Forks of which each looks whether its memory changes, while the page is the
 * parent's own again at once: first word, second word, counter of forks, of
 * changes.
 */
static long op_fork_and_look(const unsigned long *a)
{
	__u64 *word = (__u64 *)a[0], before;
	pid_t child;
	int i;

	while (!peer_stopped()) {
		child = fork();
		if (child < 0)
			return -1;
		if (!child) {
			before = __atomic_load_n(word, __ATOMIC_RELAXED);
			for (i = 0; i < 2000; i++)
				if (__atomic_load_n(word, __ATOMIC_RELAXED) != before)
					_exit(1);
			_exit(0);
		}
		__atomic_add_fetch(word + 1, 1, __ATOMIC_RELAXED);
		if (waitpid(child, &i, 0) != child || i)
			count_up(1);
		count_up(0);
	}
	return 0;
}

/* What a debugger of the reader writes is the source's, and no child's of it. */
TEST_F_TIMEOUT(window, poke_against_fork, PEER_TIMEOUT)
{
	struct iovec remote = { .iov_base = (void *)self->addr, .iov_len = 8 };
	__u64 n, value = 0, done = 0, lost = 0, until;
	struct iovec local = { .iov_base = &value, .iov_len = 8 };
	struct peer reader;
	unsigned long win;
	char path[64];
	int status, fd;

	ASSERT_EQ(0, peer_spawn(&reader));
	win = peer_window(&reader, self->src.pid, self->addr, self->len, RW);
	ASSERT_NE(PEER_MAP_FAILED, win);
	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, reader.pid, NULL, NULL));
	ASSERT_EQ(reader.pid, waitpid(reader.pid, &status, 0));
	snprintf(path, sizeof(path), "/proc/%d/mem", reader.pid);
	fd = open(path, O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, peer_start(&self->src, op_fork_and_look, self->addr));

	until = test_now_ms() + test_seconds() * 1000;
	for (n = 1; test_now_ms() < until || done < 10 || count_of(0) < 10; n++) {
		/* A poke does not wait for a fork: it fails. */
		if (n % 2 ? ptrace(PTRACE_POKEDATA, reader.pid, win, n) :
			    pwrite(fd, &n, 8, win) != 8) {
			ASSERT_EQ(EIO, errno);
			continue;
		}
		ASSERT_EQ(8, process_vm_readv(self->src.pid, &local, 1, &remote, 1, 0));
		lost += value != n;
		done++;
	}
	peer_set(&peer_ctl->stop, 1);
	EXPECT_EQ(0, peer_finish(&self->src));
	EXPECT_EQ(0, lost);
	EXPECT_EQ(0, count_of(1));
	TH_LOG("%llu of %llu pokes done, %llu forks", done, n - 1, count_of(0));
	close(fd);
	EXPECT_EQ(0, ptrace(PTRACE_DETACH, reader.pid, NULL, NULL));
	peer_end(&reader);
}

/* ---- prefault -------------------------------------------------------------- */

TEST_F_TIMEOUT(window, prefault_stops_at_hole, PEER_TIMEOUT)
{
	__u64 *win, done;

	ASSERT_EQ(0, peer_munmap(&self->src, self->addr + 2 * PAGE, PAGE));
	test_window_map(self->target, self->addr, self->len, RW, &win);
	test_target_prefault(self->target, 0, win, self->len, &done);
	EXPECT_EQ(2 * PAGE, done);
	test_target_prefault(self->target, XMAP_TARGET_PREFAULT_WRITE, win, self->len, &done);
	EXPECT_EQ(2 * PAGE, done);
	test_err_target_prefault(EFAULT, self->target, 0, win + 1024, 2 * PAGE);
	test_target_prefault(self->target, 0, win + 1536, PAGE, &done);
	EXPECT_EQ(PAGE, done);
}

/* A prefault for writing copies a private page, one for reading does not. */
TEST_F_TIMEOUT(window, prefault_copies, PEER_TIMEOUT)
{
	struct iovec local, remote;
	__u64 *win, done, word;
	pid_t child;

	test_window_map(self->target, self->addr, self->len, RW, &win);
	child = peer_fork(&self->src);
	ASSERT_LT(0, child);
	test_target_prefault(self->target, 0, win, self->len, &done);
	test_target_prefault(self->target, XMAP_TARGET_PREFAULT_WRITE, win, self->len, &done);
	peer_fill_here(win, self->len, SEED_NEW);
	local = (struct iovec){ .iov_base = &word, .iov_len = 8 };
	remote = (struct iovec){ .iov_base = (void *)self->addr, .iov_len = 8 };
	ASSERT_EQ(8, process_vm_readv(child, &local, 1, &remote, 1, 0));
	EXPECT_EQ(peer_word(SEED, 0), word);
	EXPECT_EQ(0, peer_check(&self->src, self->addr, self->len, SEED_NEW));
	ASSERT_EQ(child, peer_reap(&self->src, child));
}

TEST_F_TIMEOUT(window, err_prefault, PEER_TIMEOUT)
{
	__u64 *win, *ro, *other, *plain;
	int other_target;

	test_window_map(self->target, self->addr, self->len, RW, &win);
	test_window_map(self->target_ro, self->addr, self->len, PROT_READ, &ro);
	other_target = reader_target(getpid(), XMAP_RIGHT_READ);
	ASSERT_LE(0, other_target);
	plain = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, plain);
	test_window_map(other_target, (unsigned long)plain, PAGE, PROT_READ, &other);

	test_err_target_prefault(EINVAL, self->target, 0, plain, PAGE);
	test_err_target_prefault(EINVAL, self->target, 0, NULL, PAGE);
	test_err_target_prefault(EINVAL, self->target, 0, other, PAGE);
	test_err_target_prefault(EINVAL, self->target, 0, ro, PAGE);
	test_err_target_prefault(EINVAL, self->target, 0, win + 1, PAGE);
	test_err_target_prefault(EINVAL, self->target, 0, win, PAGE + 8);
	test_err_target_prefault(EINVAL, self->target, 0, win, 0);
	test_err_target_prefault(EINVAL, self->target, 0, win + 512, self->len);
	test_err_target_prefault(EOVERFLOW, self->target, 0, win, -PAGE);
	test_err_target_prefault(EOPNOTSUPP, self->target, 1U << 31, win, PAGE);
	test_err_target_prefault(EACCES, self->target_ro, XMAP_TARGET_PREFAULT_WRITE, ro, PAGE);
	EXPECT_EQ(0, mprotect(win, self->len, PROT_READ));
	test_err_target_prefault(EACCES, self->target, XMAP_TARGET_PREFAULT_WRITE, win, PAGE);

	peer_kill(&self->src, SIGKILL);
	self->src.pid = 0;
	test_err_target_prefault(ESRCH, self->target, 0, win, PAGE);
}

TEST_HARNESS_MAIN
