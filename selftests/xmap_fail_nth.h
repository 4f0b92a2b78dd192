/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Injected failures: have the n-th allocation or user copy of one operation fail.
 *
 * A sweep does the same thing again and again, and has the first, the second, ...
 * place fail that can.  It ends when there are no more places: then nothing
 * failed, and the operation must have succeeded.
 *
 *	nth_begin(&nth, "query");
 *	while (nth_next(&nth)) {
 *		err = NTH_ERRNO(&nth, _test_query(dev, &out));
 *		EXPECT_NTH(&nth, err, EFAULT);
 *	}
 *
 * After a pass that failed comes one without injection, which must succeed.
 * Between any two passes the process's descriptors, the user's objects and the
 * module's use count must be what they were before the sweep.
 */
#ifndef XMAP_FAIL_NTH_H
#define XMAP_FAIL_NTH_H

#include "xmap_reader.h"

#include <dirent.h>

#define NTH_DEBUGFS "/sys/kernel/debug/"
/* More places than any operation has: a sweep that gets there does not end. */
#define NTH_LIMIT 2000

/* What must not change from one pass to the next. */
struct nth_baseline {
	long files;
	long use_count;
	__u32 targets;
	__u32 windows;
	__u32 exports;
	__u32 regions;
	__u64 region_bytes;
	__u32 listed;
};

struct nth {
	const char *name;
	struct nth_baseline before;
	int dev;
	int fd;
	unsigned int n;
	unsigned int injected;
	unsigned int failed;
	/* There is no place that can fail. */
	bool infallible;
	/* From one place that fails to the next: 1 unless set. */
	unsigned int step;
	/* This pass is without injection. */
	bool plain;
	/* Was a failure injected into this pass, and how did the operation end? */
	bool hit;
	int err;
};

/* ---- The kernel's side -------------------------------------------------- */

static inline bool nth_set(const char *kind, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), NTH_DEBUGFS "%s/%s", kind, name);
	return !xmap_write_file(path, value);
}

/*
 * Let every allocation and user copy count, nothing fail but by fail-nth, and
 * have nothing said about it.  False if this kernel cannot inject failures.
 */
static inline bool nth_setup(void)
{
	static const char * const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	size_t i;

	if (access("/proc/thread-self/fail-nth", W_OK))
		return false;
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!nth_set(kinds[i], "probability", "0") ||
		    !nth_set(kinds[i], "task-filter", "N") ||
		    !nth_set(kinds[i], "times", "-1") || !nth_set(kinds[i], "verbose", "0"))
			return false;
	}
	return nth_set("failslab", "ignore-gfp-wait", "N") &&
	       nth_set("failslab", "cache-filter", "N") &&
	       nth_set("fail_page_alloc", "ignore-gfp-wait", "N") &&
	       nth_set("fail_page_alloc", "ignore-gfp-highmem", "N") &&
	       nth_set("fail_page_alloc", "min-order", "0");
}

/* Of the calling thread: whoever forks opens another one. */
static inline int nth_open(void)
{
	return open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
}

static inline void nth_arm(int fd, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fd, text, len, 0) != len)
		abort();
}

/*
 * Stop it; was a failure injected?  Asking and stopping copy from and to user
 * space and count themselves: what they run into was not hit before.
 */
static inline bool nth_disarm(int fd)
{
	char text[16] = "";
	bool hit = pread(fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);

	while (pwrite(fd, "0", 1, 0) != 1)
		;
	return hit;
}

/* ---- What must stay ----------------------------------------------------- */

static inline long nth_count_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	long n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline __u32 nth_count_listed(int dev)
{
	struct xmap_list_entry e[16];
	__u32 count, n = 0;
	__u64 cursor = 0;

	do {
		if (_test_list(dev, e, ARRAY_SIZE(e), cursor, &count, &cursor))
			return ~0U;
		n += count;
	} while (cursor);
	return n;
}

static inline struct nth_baseline nth_baseline(int dev)
{
	struct xmap_cmd_query q = {};

	_test_query(dev, &q);
	return (struct nth_baseline){
		.files = nth_count_files(),
		.use_count = xmap_read_long("/sys/module/xmap/refcnt"),
		.targets = q.out_targets,
		.windows = q.out_windows,
		.exports = q.out_exports,
		.regions = q.out_regions,
		.region_bytes = q.out_region_bytes,
		.listed = nth_count_listed(dev),
	};
}

static inline void _nth_assert_baseline(struct __test_metadata *_metadata, const struct nth *nth)
{
	const struct nth_baseline now = nth_baseline(nth->dev);

	EXPECT_EQ(nth->before.files, now.files);
	EXPECT_EQ(nth->before.use_count, now.use_count);
	EXPECT_EQ(nth->before.targets, now.targets);
	EXPECT_EQ(nth->before.windows, now.windows);
	EXPECT_EQ(nth->before.exports, now.exports);
	EXPECT_EQ(nth->before.regions, now.regions);
	EXPECT_EQ(nth->before.region_bytes, now.region_bytes);
	ASSERT_EQ(nth->before.listed, now.listed)
	{
		TH_LOG("%s: something stayed behind after failure %u", nth->name, nth->n);
	}
}

#define nth_assert_baseline(nth) _nth_assert_baseline(_metadata, nth)

/* The counts are exact: a user can still have as many targets as the limit says. */
static inline void _nth_assert_limit(struct __test_metadata *_metadata, int dev)
{
	static const char param[] = XMAP_PARAMS "max_targets";
	long limit = xmap_read_long(param);
	struct xmap_cmd_query q;
	int err, err_over, fd;

	test_query(dev, &q);
	ASSERT_EQ(0, xmap_write_long(param, q.out_targets + 1));
	err = XMAP_ERRNO(_test_target_open_pid(dev, getpid(), XMAP_RIGHT_READ, &fd));
	err_over = XMAP_ERRNO(_test_target_open_pid(dev, getpid(), XMAP_RIGHT_READ, &(int){ 0 }));
	EXPECT_EQ(0, xmap_write_long(param, limit));
	EXPECT_EQ(0, err);
	EXPECT_EQ(EDQUOT, err_over);
	close(fd);
}

#define nth_assert_limit(dev) _nth_assert_limit(_metadata, dev)

/* ---- Sweeping ----------------------------------------------------------- */

static inline void _nth_begin(struct __test_metadata *_metadata, struct nth *nth, int dev,
			      const char *name)
{
	*nth = (struct nth){ .name = name, .dev = dev, .fd = nth_open(), .step = 1 };
	ASSERT_LE(0, nth->fd);
	/* The first use of a directory stream and the like is none of the sweep's. */
	nth_baseline(dev);
	nth->before = nth_baseline(dev);
}

/* The last pass was without failures, as there are no more places: what there were. */
static inline void _nth_end(struct __test_metadata *_metadata, struct nth *nth)
{
	ASSERT_EQ(nth->infallible, !nth->injected)
	{
		TH_LOG("%s: %u failures were injected", nth->name, nth->injected);
	}
	ksft_print_msg("%s: injected %u failures, %u were fatal\n", nth->name, nth->injected,
		       nth->failed);
	fflush(stdout);
	close(nth->fd);
}

/* Look back at the last pass; is there another one? */
static inline bool _nth_next(struct __test_metadata *_metadata, struct nth *nth)
{
	if (!nth->n) {
		nth->n = 1;
		return true;
	}
	_nth_assert_baseline(_metadata, nth);
	if (!nth->plain && !nth->hit) {
		_nth_end(_metadata, nth);
		return false;
	}
	if (nth->hit) {
		nth->injected++;
		nth->failed += !!nth->err;
	}
	nth->plain = nth->hit && nth->err;
	if (!nth->plain)
		nth->n += nth->step;
	ASSERT_GT(NTH_LIMIT, nth->n)
	{
		TH_LOG("%s: no end of places to fail", nth->name);
	}
	return true;
}

#define nth_begin(nth, dev, name) _nth_begin(_metadata, nth, dev, name)
#define nth_next(nth) _nth_next(_metadata, nth)

/* Do it; the errno, 0 if it succeeded. */
#define NTH_ERRNO(sweep, call)                                                   \
	({                                                                     \
		struct nth *__nth = (sweep);                                    \
		long __ret;                                                    \
									       \
		nth_arm(__nth->fd, __nth->plain ? 0 : __nth->n);               \
		errno = 0;                                                     \
		__ret = (long)(call);                                          \
		__nth->err = __ret == -1 ? errno : 0;                          \
		__nth->hit = nth_disarm(__nth->fd) && !__nth->plain;           \
		__nth->err;                                                    \
	})

/* What does not report by errno: 0, or why it is not as it should be. */
#define NTH_RESULT(sweep, call)                                                \
	({                                                                     \
		int __result = 0;                                              \
									       \
		NTH_ERRNO(sweep, (__result = (call), 0));                      \
		(sweep)->err = __result;                                       \
	})

static inline bool nth_allows(const struct nth *nth, int err, const int *allowed)
{
	if (!err)
		return true;
	while (nth->hit && *allowed) {
		if (*allowed++ == err)
			return true;
	}
	return false;
}

/* Success, or if a failure was injected one of these. */
#define EXPECT_NTH(nth, err, ...)                                              \
	EXPECT_TRUE(nth_allows(nth, err, (const int[]){ __VA_ARGS__, 0 }))     \
	{                                                                      \
		TH_LOG("%s: failure %u%s gave %d (%s)", (nth)->name, (nth)->n, \
		       (nth)->plain ? ", afterwards," : "", err, strerror(err)); \
	}

/* ---- In another process ------------------------------------------------- */

/* Arguments: the place to fail, the order, its arguments. */
static inline long nth_op_order(const unsigned long *a)
{
	peer_fn fn = (peer_fn)a[1];
	int fd = nth_open();
	int err;
	long ret;

	if (fd < 0)
		abort();
	nth_arm(fd, a[0]);
	errno = 0;
	ret = fn(a + 2);
	err = errno;
	peer_ctl->word[0] = nth_disarm(fd);
	close(fd);
	errno = err;
	return ret;
}

/* An order of up to four arguments, injected where it is carried out; the errno. */
#define NTH_PEER_ERRNO(sweep, ret, p, fn, ...)                                 \
	({                                                                     \
		struct nth *__nth = (sweep);                                    \
									       \
		*(ret) = peer_call(p, nth_op_order,                            \
				   __nth->plain ? 0 : __nth->n, fn, __VA_ARGS__); \
		__nth->err = *(ret) == -1 ? errno : 0;                         \
		__nth->hit = peer_ctl->word[0] && !__nth->plain;               \
		__nth->err;                                                    \
	})

/* Memory of another process, by the system's own means. */
static inline ssize_t nth_peek(pid_t pid, unsigned long addr, void *buf, size_t len)
{
	struct iovec local = { buf, len }, remote = { (void *)addr, len };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

/* Objects of xmap that nobody can reach, as kmemleak reports them; -1 if it is off. */
static inline long nth_leaks(void)
{
	static const char path[] = NTH_DEBUGFS "kmemleak";
	char *line = NULL;
	bool ours = false;
	size_t room = 0;
	long leaks = 0;
	FILE *f;

	/* What looks unreachable counts if the second scan finds it unchanged. */
	if (xmap_write_file(path, "scan") || xmap_write_file(path, "scan"))
		return -1;
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (getline(&line, &room, f) > 0) {
		if (!strncmp(line, "unreferenced object", 19))
			ours = false;
		if (!ours && strstr(line, "xmap")) {
			ours = true;
			leaks++;
		}
		printf("# %s", line);
	}
	free(line);
	fclose(f);
	return leaks;
}

/*
 * Instead of TEST_HARNESS_MAIN.  What the tests are made of is locked in memory:
 * else a failure could hit a read of their own code, which is a SIGBUS for them.
 * And they have no area of restartable sequences: the kernel stores there after it
 * has switched to another task, and if the copy that this takes after fork() fails,
 * sends SIGSEGV (__rseq_handle_notify_resume()).
 */
static inline int nth_main(int argc, char **argv)
{
	static const char tunables[] = "GLIBC_TUNABLES";

	if (!getenv(tunables)) {
		setenv(tunables, "glibc.pthread.rseq=0", 1);
		execv("/proc/self/exe", argv);
		ksft_exit_fail_msg("exec: %s\n", strerror(errno));
	}
	if (!nth_setup()) {
		printf("1..0 # SKIP this kernel injects no failures\n");
		return KSFT_SKIP;
	}
	if (mlockall(MCL_CURRENT))
		ksft_exit_fail_msg("mlockall: %s\n", strerror(errno));
	return test_harness_run(argc, argv);
}

#endif /* XMAP_FAIL_NTH_H */
