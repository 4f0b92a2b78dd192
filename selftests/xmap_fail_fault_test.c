// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows while the kernel runs out of memory, at every place where it can: what
 * is mapped stays right, what faults is served in the end, and the source never
 * notices.
 */
#include "xmap_fail_nth.h"

#define PAGES 4
#define LEN (PAGES * PAGE)
#define SEED 4
/*
 * A place without neighbours: a window there needs page tables of all levels.  In
 * its middle ends the block that one fault, or one step of a prefault, fills.
 */
#define WINDOW_ADDR (0x200000000000UL + 62 * PAGE)
#define OTHER_ADDR 0x300000000000UL

FIXTURE(faults)
{
	struct nth nth;
	int dev;
	struct peer peer;
	/* Filled, of a file, so that pages can leave the tables and come back. */
	unsigned long mem;
	/* Private memory. */
	unsigned long anon;
	int fd;
	char *win;
};

FIXTURE_SETUP(faults)
{
	touch_init();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, peer_spawn(&self->peer));
	self->anon = peer_map(&self->peer, PEER_ANON, PROT_READ | PROT_WRITE, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->anon);
	self->mem = peer_map(&self->peer, PEER_MEMFD, PROT_READ | PROT_WRITE, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, self->mem);
	test_target_open(self->dev, self->peer.pidfd, self->peer.pid, XMAP_RIGHTS_RW, 0, 0,
			 &self->fd);
	self->win = (char *)WINDOW_ADDR;
}

FIXTURE_TEARDOWN(faults)
{
	close(self->fd);
	peer_end(&self->peer);
	close(self->dev);
}

static long op_map(const unsigned long *a)
{
	return (long)mmap((void *)WINDOW_ADDR, LEN, a[2], MAP_SHARED | a[3], a[0], a[1]);
}

/* A window of ours at its place: on this memory, with these flags more. */
static int window_map(int fd, unsigned long remote, int flags)
{
	const unsigned long a[] = { fd, remote, PROT_READ | PROT_WRITE, flags };

	return op_map(a) == WINDOW_ADDR ? 0 : -1;
}

#define window_new(remote) ASSERT_EQ(0, window_map(self->fd, remote, MAP_FIXED_NOREPLACE))
#define window_end() ASSERT_EQ(0, munmap(self->win, LEN))

/* The window shows what its source has: everywhere, also where that has nothing. */
static void expect_coherent(struct __test_metadata *_metadata, struct nth *nth, const char *win,
			    pid_t pid, unsigned long remote)
{
	size_t off;

	for (off = 0; off < LEN; off += PAGE) {
		__u64 there, here = 0;
		bool absent = nth_peek(pid, remote + off, &there, sizeof(there)) < 0;

		EXPECT_EQ(absent ? SIGBUS : 0, touch_load(win + off, &here));
		if (!absent)
			ASSERT_EQ(there, here)
			{
				TH_LOG("%s: failure %u: page %zu", nth->name, nth->n, off / PAGE);
			}
	}
}

#define expect_window(remote)                                                  \
	expect_coherent(_metadata, &self->nth, self->win, self->peer.pid, remote)

/* ---- The mapping ------------------------------------------------------------ */

/* By a process that has had no window: its address space gets its notifiers now. */
TEST_F(faults, map)
{
	struct peer reader;
	long ret;
	int err;

	nth_begin(&self->nth, self->dev, "map");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, peer_spawn(&reader));
		err = NTH_PEER_ERRNO(&self->nth, &ret, &reader, op_map, self->fd, self->mem,
				     PROT_READ, MAP_FIXED_NOREPLACE);
		EXPECT_NTH(&self->nth, err, ENOMEM);
		if (err) {
			EXPECT_EQ(SIGSEGV, peer_touch(&reader, WINDOW_ADDR));
			ret = peer_call(&reader, op_map, self->fd, self->mem, PROT_READ,
					MAP_FIXED_NOREPLACE);
		}
		EXPECT_EQ((long)WINDOW_ADDR, ret);
		EXPECT_EQ(0, peer_touch(&reader, WINDOW_ADDR));
		EXPECT_EQ(peer_word(SEED, PAGE), peer_load(&reader, WINDOW_ADDR + PAGE));
		peer_end(&reader);
	}
}

/* Over another window.  If that fails, the old one is whole, or all of it is gone. */
TEST_F(faults, map_over)
{
	int err, gone;
	size_t off;

	nth_begin(&self->nth, self->dev, "map_over");
	while (nth_next(&self->nth)) {
		window_new(self->anon);
		expect_window(self->anon);
		err = NTH_ERRNO(&self->nth, window_map(self->fd, self->mem, MAP_FIXED));
		EXPECT_NTH(&self->nth, err, ENOMEM);
		if (!err) {
			expect_window(self->mem);
			window_end();
			continue;
		}
		gone = touch(self->win);
		for (off = 0; off < LEN; off += PAGE)
			EXPECT_EQ(gone, touch(self->win + off));
		if (!gone) {
			expect_window(self->anon);
			window_end();
		} else {
			EXPECT_EQ(SIGSEGV, gone);
		}
	}
}

TEST_F(faults, unmap)
{
	int err;

	nth_begin(&self->nth, self->dev, "unmap");
	while (nth_next(&self->nth)) {
		window_new(self->mem);
		expect_window(self->mem);
		err = NTH_ERRNO(&self->nth, munmap(self->win, LEN));
		EXPECT_NTH(&self->nth, err, ENOMEM);
		if (err) {
			expect_window(self->mem);
			window_end();
		}
	}
}

/* It is refused, after it was moved and back: 0 for that, else the errno. */
static int moved(void *from, void *to)
{
	if (mremap(from, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED)
		return EBADE;
	return errno == EINVAL ? 0 : errno;
}

/* A window does not move: whether it was moved and back, or not at all, it works. */
TEST_F(faults, move)
{
	int err;

	window_new(self->mem);
	nth_begin(&self->nth, self->dev, "move");
	while (nth_next(&self->nth)) {
		expect_window(self->mem);
		err = NTH_RESULT(&self->nth, moved(self->win, (void *)OTHER_ADDR));
		EXPECT_NTH(&self->nth, err, ENOMEM);
		expect_window(self->mem);
		EXPECT_SIGNAL(SIGSEGV, (void *)OTHER_ADDR);
	}
	window_end();
}

/* ---- Faults ------------------------------------------------------------------- */

enum source {
	/* The pages are in the source's tables ... */
	PRESENT,
	/* ... or are not, */
	ABSENT,
	/* or are, but a child has them too. */
	FORKED,
};

static const struct fault {
	const char *name;
	enum source source;
	bool anon;
	/* It is read before, without failures; the fault is a write. */
	bool read_before;
	bool write;
	/* It needs no memory at all. */
	bool infallible;
} faults[] = {
	{ "read what is present", PRESENT, false, false, false, false },
	{ "read what is absent", ABSENT, false, false, false, false },
	{ "read anonymous memory", ABSENT, true, false, false, false },
	{ "write what is present", PRESENT, false, false, true, false },
	{ "write what is absent", ABSENT, false, false, true, false },
	{ "write anonymous memory", ABSENT, true, false, true, false },
	{ "write what a child shares", FORKED, true, false, true, false },
	{ "write what was read", PRESENT, true, true, true, true },
	{ "write what was read and a child shares", FORKED, true, true, true, false },
};

#define for_each_fault(f) for (f = faults; f < faults + ARRAY_SIZE(faults); f++)

/* Bring the source there; the child, or 0. */
static pid_t fault_prepare(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self,
			   const struct fault *f)
{
	ASSERT_EQ(0, peer_fill(&self->peer, self->anon, LEN, SEED));
	ASSERT_EQ(0, peer_check(&self->peer, self->anon, LEN, SEED));
	ASSERT_EQ(0, peer_check(&self->peer, self->mem, LEN, SEED));
	if (f->source == ABSENT) {
		ASSERT_EQ(0, peer_madvise(&self->peer, self->anon, LEN, MADV_DONTNEED));
		ASSERT_EQ(0, peer_madvise(&self->peer, self->mem, LEN, MADV_DONTNEED));
	}
	return f->source == FORKED ? peer_fork(&self->peer) : 0;
}

/* A fault that cannot get memory is done again until it can: it is never a signal. */
TEST_F(faults, touch)
{
	const struct fault *f;

	for_each_fault(f) {
		unsigned long remote = f->anon ? self->anon : self->mem;
		bool zero = f->anon && f->source == ABSENT;

		nth_begin(&self->nth, self->dev, f->name);
		self->nth.infallible = f->infallible;
		while (nth_next(&self->nth)) {
			__u64 value = zero ? 0 : peer_word(SEED, PAGE);
			__u64 before = value, there = 0;
			pid_t child = fault_prepare(_metadata, self, f);
			int sig;

			window_new(remote);
			if (f->read_before)
				EXPECT_LOAD(value, self->win + PAGE);
			if (f->write) {
				value = peer_word(SEED, PAGE) + 1;
				sig = NTH_RESULT(&self->nth, touch_store(self->win + PAGE, value));
			} else {
				sig = NTH_RESULT(&self->nth, touch_load(self->win + PAGE, &there));
				EXPECT_EQ(value, there);
			}
			EXPECT_EQ(0, sig);
			EXPECT_EQ(value, peer_load(&self->peer, remote + PAGE));
			expect_window(remote);
			if (child) {
				ASSERT_EQ(8, nth_peek(child, remote + PAGE, &there, sizeof(there)));
				EXPECT_EQ(before, there);
				EXPECT_EQ(child, (pid_t)peer_reap(&self->peer, child));
			}
			/* The file keeps what is written. */
			peer_store(&self->peer, self->mem + PAGE, peer_word(SEED, PAGE));
			window_end();
		}
	}
}

/* The kernel's own accesses do not come back: they say that they could not. */
TEST_F(faults, kernel_access)
{
	__u64 value;
	int err, p[2];

	nth_begin(&self->nth, self->dev, "read(2) into a window");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, pipe2(p, O_CLOEXEC));
		ASSERT_EQ(8, write(p[1], &(__u64){ 77 }, 8));
		ASSERT_EQ(0, peer_madvise(&self->peer, self->anon, LEN, MADV_DONTNEED));
		window_new(self->anon);
		err = NTH_ERRNO(&self->nth, read(p[0], self->win, 8));
		EXPECT_NTH(&self->nth, err, EFAULT);
		EXPECT_EQ(err ? 0 : 77, peer_load(&self->peer, self->anon));
		window_end();
		close(p[0]);
		close(p[1]);
	}

	nth_begin(&self->nth, self->dev, "write(2) from a window");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, pipe2(p, O_CLOEXEC));
		ASSERT_EQ(0, peer_madvise(&self->peer, self->mem, LEN, MADV_DONTNEED));
		window_new(self->mem);
		err = NTH_ERRNO(&self->nth, write(p[1], self->win, 8));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		close(p[1]);
		value = 0;
		EXPECT_EQ(err ? 0 : 8, read(p[0], &value, 8));
		EXPECT_EQ(err ? 0 : peer_word(SEED, 0), value);
		window_end();
		close(p[0]);
	}
}

/* Accesses that must neither wait nor be done again. */
TEST_F(faults, atomic_access)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	__u32 other = 0;
	__u64 value;
	int err;

	ASSERT_LE(0, mem);
	nth_begin(&self->nth, self->dev, "futex");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, peer_check(&self->peer, self->mem, LEN, SEED));
		window_new(self->mem);
		/* Adds 0 to the window's word. */
		err = NTH_ERRNO(&self->nth,
				syscall(SYS_futex, &other, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0,
					self->win, FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 1)));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
		expect_window(self->mem);
		window_end();
	}

	nth_begin(&self->nth, self->dev, "/proc/self/mem");
	while (nth_next(&self->nth)) {
		ASSERT_EQ(0, peer_check(&self->peer, self->mem, LEN, SEED));
		window_new(self->mem);
		value = 0;
		err = NTH_ERRNO(&self->nth, pread(mem, &value, 8, WINDOW_ADDR));
		EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM, EIO);
		EXPECT_EQ(err ? 0 : peer_word(SEED, 0), value);
		window_end();
	}
	close(mem);
}

/* ---- Prefaulting ---------------------------------------------------------------- */

TEST_F(faults, prefault)
{
	__u64 faults, length, off;
	__u32 flags;
	int err;

	for (flags = 0; flags <= XMAP_TARGET_PREFAULT_WRITE; flags++) {
		unsigned long remote = flags ? self->anon : self->mem;

		nth_begin(&self->nth, self->dev, flags ? "prefault for writing" : "prefault");
		while (nth_next(&self->nth)) {
			ASSERT_EQ(0, peer_madvise(&self->peer, remote, LEN, MADV_DONTNEED));
			window_new(remote);
			err = NTH_ERRNO(&self->nth, _test_target_prefault(self->fd, flags,
									  self->win, LEN,
									  &length));
			EXPECT_NTH(&self->nth, err, EFAULT, ENOMEM);
			if (!err && !self->nth.hit)
				EXPECT_EQ(LEN, length);
			if (err) {
				EXPECT_EQ((__u64)XMAP_UNTOUCHED, length);
				length = 0;
			}
			/* What it said is there is there. */
			ASSERT_GE(LEN, length);
			faults = reader_faults(self->dev, self->win);
			for (off = 0; off < length; off += PAGE)
				EXPECT_EQ(0, touch(self->win + off));
			EXPECT_EQ(faults, reader_faults(self->dev, self->win));
			expect_window(remote);
			window_end();
		}
	}
}

/* ---- The source's own changes ---------------------------------------------------- */

/* Changes of one page, whose address is the argument. */
static long op_unmap(const unsigned long *a)
{
	return munmap((void *)a[0], PAGE);
}

static long op_protect(const unsigned long *a)
{
	return mprotect((void *)a[0], PAGE, PROT_READ);
}

static long op_discard(const unsigned long *a)
{
	return madvise((void *)a[0], PAGE, MADV_DONTNEED);
}

static long op_move(const unsigned long *a)
{
	return (long)mremap((void *)a[0], PAGE, 2 * PAGE, MREMAP_MAYMOVE);
}

/* A child that fork() made is there to be reaped: -2 if not. */
static long op_fork(const unsigned long *a)
{
	pid_t child = peer_op_fork(a);
	unsigned long reap[] = { child };

	if (child < 0)
		return -1;
	return peer_op_reap(reap) == child ? 0 : -2;
}

static const struct change {
	const char *name;
	peer_fn fn;
	/* It needs no memory at all. */
	bool infallible;
	/* It has hundreds of places to fail, most far from here: take samples. */
	unsigned int step;
} changes[] = {
	{ "munmap", op_unmap, false, 1 },
	{ "mprotect", op_protect, false, 1 },
	{ "madvise", op_discard, true, 1 },
	{ "mremap", op_move, false, 1 },
	{ "fork", op_fork, false, 13 },
};

#define for_each_change(c) for (c = changes; c < changes + ARRAY_SIZE(changes); c++)

/*
 * A change fails as it would without a window, never in another way, and whether it
 * does or not the window shows what there is.  The callbacks themselves allocate
 * nothing: what needs no memory without a window needs none with it.
 */
TEST_F(faults, source)
{
	const struct change *c;
	long ret;
	int err;

	window_new(self->anon);
	for_each_change(c) {
		nth_begin(&self->nth, self->dev, c->name);
		self->nth.infallible = c->infallible;
		self->nth.step = c->step;
		while (nth_next(&self->nth)) {
			ASSERT_EQ(self->anon,
				  (unsigned long)peer_mmap_over(&self->peer, self->anon, LEN,
								PROT_READ | PROT_WRITE));
			ASSERT_EQ(0, peer_fill(&self->peer, self->anon, LEN, SEED));
			expect_window(self->anon);
			err = NTH_PEER_ERRNO(&self->nth, &ret, &self->peer, c->fn,
					     self->anon + PAGE);
			EXPECT_NTH(&self->nth, err, ENOMEM);
			EXPECT_NE(-2, ret);
			expect_window(self->anon);
		}
	}
	window_end();
}

/* Arguments: the place to fail; another program, or the end. */
static long op_armed_end(const unsigned long *a)
{
	int fd = nth_open();

	nth_arm(fd, a[0]);
	if (!a[1])
		_exit(0);
	peer_op_exec(a);
	nth_disarm(fd);
	close(fd);
	return -1;
}

/* Nobody can tell when this was without failures: it is the end, in one way or another. */
static void end(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self, unsigned int n,
		bool exec)
{
	struct pollfd p = { .events = POLLHUP };
	unsigned long mem;
	struct peer peer;
	__u64 value;

	ASSERT_EQ(0, peer_spawn(&peer));
	mem = peer_map(&peer, PEER_ANON, PROT_READ | PROT_WRITE, LEN, SEED);
	ASSERT_NE(PEER_MAP_FAILED, mem);
	test_target_open(self->dev, peer.pidfd, peer.pid, XMAP_RIGHTS_RW, 0, 0, &p.fd);
	ASSERT_EQ(0, window_map(p.fd, mem, MAP_FIXED_NOREPLACE));
	EXPECT_LOAD(peer_word(SEED, 0), self->win);
	ASSERT_EQ(0, peer_start(&peer, op_armed_end, n, exec));
	if (peer_finish(&peer) == -1 && errno == ESRCH) {
		EXPECT_EQ(1, poll(&p, 1, -1));
		EXPECT_SIGNAL(SIGBUS, self->win);
	} else {
		/* exec() failed while it could. */
		EXPECT_TRUE(exec);
		EXPECT_EQ(0, poll(&p, 1, 0));
		EXPECT_EQ(0, touch_load(self->win, &value));
		EXPECT_EQ(peer_word(SEED, 0), value);
	}
	window_end();
	close(p.fd);
	peer_end(&peer);
}

TEST_F(faults, source_end)
{
	unsigned int n;

	nth_begin(&self->nth, self->dev, "source_end");
	for (n = 1; n <= 40; n += 2) {
		end(_metadata, self, n, true);
		if (n <= 8)
			end(_metadata, self, n, false);
		nth_assert_baseline(&self->nth);
	}
	close(self->nth.fd);
}

int main(int argc, char **argv)
{
	return nth_main(argc, argv);
}
