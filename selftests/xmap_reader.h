/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reading side of a test: guarded loads and stores that any number of
 * threads can do at a time, windows in one call, and what XMAP_LIST says about
 * a window.
 */
#ifndef XMAP_READER_H
#define XMAP_READER_H

#include "xmap_utils.h"
#include "xmap_peer.h"

#include <time.h>

#define PAGE 4096UL

static __thread sigjmp_buf touch_env;
static __thread sig_atomic_t touch_armed;

static inline void touch_handler(int sig)
{
	if (!touch_armed) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	touch_armed = 0;
	siglongjmp(touch_env, sig);
}

/* SA_NODEFER, because the jump out of the handler restores no signal mask. */
static inline void touch_init(void)
{
	struct sigaction sa = { .sa_handler = touch_handler, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
}

/* 0, or the signal that the access raised. */
static inline int touch_load(const void *addr, __u64 *value)
{
	int sig = sigsetjmp(touch_env, 0);

	if (sig)
		return sig;
	touch_armed = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*value = __atomic_load_n((const __u64 *)addr, __ATOMIC_ACQUIRE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	touch_armed = 0;
	return 0;
}

static inline int touch_store(void *addr, __u64 value)
{
	int sig = sigsetjmp(touch_env, 0);

	if (sig)
		return sig;
	touch_armed = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n((__u64 *)addr, value, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	touch_armed = 0;
	return 0;
}

static inline int touch(const void *addr)
{
	__u64 value;

	return touch_load(addr, &value);
}

#define EXPECT_LOAD(expected, addr)						\
	({									\
		__u64 __value = 0;						\
		EXPECT_EQ(0, touch_load(addr, &__value));			\
		EXPECT_EQ((__u64)(expected), __value);				\
	})
#define EXPECT_SIGNAL(expected, addr) EXPECT_EQ(expected, touch(addr))
#define EXPECT_STORE(value, addr) EXPECT_EQ(0, touch_store(addr, value))
#define EXPECT_STORE_SIGNAL(expected, addr)					\
	EXPECT_EQ(expected, touch_store(addr, ~0ULL))

/* All of a process, in one call; -1 with errno. */
static inline int reader_target(pid_t pid, __u32 rights)
{
	int dev = _test_dev_open();
	int fd = -1, err;

	if (dev < 0)
		return -1;
	if (_test_target_open_pid(dev, pid, rights, &fd))
		fd = -1;
	err = errno;
	close(dev);
	errno = err;
	return fd;
}

/* A window whose target is closed again; MAP_FAILED with errno. */
static inline void *reader_window(pid_t pid, unsigned long addr, size_t len, int prot)
{
	__u32 rights = XMAP_RIGHT_READ | (prot & PROT_WRITE ? XMAP_RIGHT_WRITE : 0);
	int fd = reader_target(pid, rights);
	void *mem;
	int err;

	if (fd < 0)
		return MAP_FAILED;
	mem = _test_window_map(fd, addr, len, prot);
	err = errno;
	close(fd);
	errno = err;
	return mem;
}

/* Orders for a peer that is the reader: arguments as for the functions above. */
static inline long reader_op_window(const unsigned long *a)
{
	touch_init();
	return (long)reader_window(a[0], a[1], a[2], a[3]);
}

#define peer_window(p, pid, addr, len, prot)					\
	((unsigned long)peer_call(p, reader_op_window, pid, addr, len, prot))

/* The signal of a touch, and the word that it found in *a[1]. */
static inline long reader_op_touch(const unsigned long *a)
{
	return touch((void *)a[0]);
}

#define peer_touch(p, addr) peer_call(p, reader_op_touch, addr)

/* The caller's window at this address, as XMAP_LIST has it; false if none. */
static inline bool reader_list(int dev, const void *local, struct xmap_list_entry *found)
{
	struct xmap_list_entry e[16];
	__u64 cursor = 0;
	__u32 count, i;

	do {
		if (_test_list(dev, e, ARRAY_SIZE(e), cursor, &count, &cursor))
			return false;
		for (i = 0; i < count; i++) {
			if (e[i].kind != XMAP_LIST_WINDOW || e[i].holder_pid != getpid() ||
			    e[i].local != (unsigned long)local)
				continue;
			*found = e[i];
			return true;
		}
	} while (cursor);
	return false;
}

static inline __u64 reader_faults(int dev, const void *local)
{
	struct xmap_list_entry e = { .count = ~0ULL };

	reader_list(dev, local, &e);
	return e.count;
}

/* How long a stress test goes on, and each of many short ones. */
static inline unsigned int test_seconds(void)
{
	const char *text = getenv("XMAP_TEST_SECONDS");
	int seconds = text ? atoi(text) : 0;

	return seconds > 0 ? seconds : 10;
}

static inline unsigned int test_short_seconds(void)
{
	return (test_seconds() + 4) / 5;
}

static inline __u64 test_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/* A cheap source of numbers, one state per thread. */
static inline __u32 test_random(__u64 *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static inline void count_up(int which)
{
	__atomic_add_fetch(&peer_ctl->count[which], 1, __ATOMIC_SEQ_CST);
}

static inline __u64 count_of(int which)
{
	return __atomic_load_n(&peer_ctl->count[which], __ATOMIC_SEQ_CST);
}

#endif /* XMAP_READER_H */
