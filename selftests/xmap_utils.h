/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The raw interface of /dev/xmap for the selftests.
 *
 * Every command comes as a triplet:
 *
 *  - _test_x() issues it and returns what the system call returned, errno set,
 *  - test_x() asserts that it succeeds,
 *  - test_err_x() expects one errno, and that no output was touched.
 *
 * Outputs are handed to the kernel filled with XMAP_UNTOUCHED, so a command
 * that fails and writes all the same is found by every test_err_x().
 */
#ifndef XMAP_UTILS_H
#define XMAP_UTILS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/xmap.h>
#include <kselftest_harness.h>

/* The harness counts the seconds of a real machine; these run in an emulated one. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#define XMAP_DEV "/dev/xmap"
#define XMAP_PARAMS "/sys/module/xmap/parameters/"
#define XMAP_RIGHTS_RW (XMAP_RIGHT_READ | XMAP_RIGHT_WRITE)
#define XMAP_RIGHTS_ALL (XMAP_RIGHTS_RW | XMAP_RIGHT_FORCE)
#define XMAP_UNTOUCHED (-0x5ca1ab1e)

/* The errno of a system call that failed, 0 of one that did not. */
#define XMAP_ERRNO(call)                                                       \
	({                                                                     \
		errno = 0;                                                     \
		(long)(call) == -1 ? errno : 0;                                \
	})

/* A system call must have failed with just this errno. */
#define EXPECT_ERRNO(expected_errno, call)                                     \
	EXPECT_EQ(expected_errno, XMAP_ERRNO(call))
#define ASSERT_ERRNO(expected_errno, call)                                     \
	ASSERT_EQ(expected_errno, XMAP_ERRNO(call))

static inline long xmap_page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static inline int xmap_pidfd_open(pid_t pid, unsigned int flags)
{
	return syscall(SYS_pidfd_open, pid, flags);
}

/* ---- /dev/xmap ---- */

static inline int _test_dev_open(void)
{
	return open(XMAP_DEV, O_RDWR | O_CLOEXEC);
}

#define test_dev_open(out_dev)                                                 \
	({                                                                     \
		int __dev = _test_dev_open();                                  \
		*(out_dev) = __dev;                                            \
		ASSERT_LE(0, __dev)                                            \
		{                                                              \
			TH_LOG("%s: %s", XMAP_DEV, strerror(errno));           \
		}                                                              \
	})

static inline int _test_query(int dev, struct xmap_cmd_query *out)
{
	*out = (struct xmap_cmd_query){ .size = sizeof(*out) };
	return ioctl(dev, XMAP_QUERY, out);
}

#define test_query(dev, out) ASSERT_EQ(0, _test_query(dev, out))
#define test_err_query(err, dev)                                               \
	({                                                                     \
		struct xmap_cmd_query __q;                                     \
		EXPECT_ERRNO(err, _test_query(dev, &__q));                     \
		EXPECT_EQ(0, __q.out_abi);                                     \
	})

/* ---- XMAP_TARGET_OPEN ---- */

static inline int _test_target_open_flags(int dev, __u32 flags, int fd,
					  pid_t pid, __u32 rights, __u64 addr,
					  __u64 length, int *out_fd)
{
	struct xmap_cmd_target_open cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.fd = fd,
		.pid = pid,
		.rights = rights,
		.out_fd = XMAP_UNTOUCHED,
		.addr = addr,
		.length = length,
	};
	int ret = ioctl(dev, XMAP_TARGET_OPEN, &cmd);

	*out_fd = cmd.out_fd;
	return ret;
}

#define test_target_open_flags(dev, flags, fd, pid, rights, addr, length, out) \
	({                                                                     \
		int *__out = (out);                                            \
		ASSERT_EQ(0, _test_target_open_flags(dev, flags, fd, pid,      \
						     rights, addr, length,     \
						     __out))                   \
		{                                                              \
			TH_LOG("XMAP_TARGET_OPEN: %s", strerror(errno));       \
		}                                                              \
		ASSERT_LE(0, *__out);                                          \
	})
#define test_err_target_open_flags(err, dev, flags, fd, pid, rights, addr, len) \
	({                                                                     \
		int __fd;                                                      \
		EXPECT_ERRNO(err, _test_target_open_flags(dev, flags, fd, pid, \
							  rights, addr, len,   \
							  &__fd));             \
		EXPECT_EQ(XMAP_UNTOUCHED, __fd);                               \
	})

/* On a pidfd with its number. */
#define _test_target_open(dev, pidfd, pid, rights, addr, length, out)          \
	_test_target_open_flags(dev, 0, pidfd, pid, rights, addr, length, out)
#define test_target_open(dev, pidfd, pid, rights, addr, length, out)           \
	test_target_open_flags(dev, 0, pidfd, pid, rights, addr, length, out)
#define test_err_target_open(err, dev, pidfd, pid, rights, addr, length)       \
	test_err_target_open_flags(err, dev, 0, pidfd, pid, rights, addr, length)

/* On an open /proc/PID/mem. */
#define _test_target_open_mem(dev, memfd, rights, addr, length, out)           \
	_test_target_open_flags(dev, XMAP_TARGET_OPEN_MEM, memfd, 0, rights,   \
				addr, length, out)
#define test_target_open_mem(dev, memfd, rights, addr, length, out)            \
	test_target_open_flags(dev, XMAP_TARGET_OPEN_MEM, memfd, 0, rights,    \
			       addr, length, out)
#define test_err_target_open_mem(err, dev, memfd, rights, addr, length)        \
	test_err_target_open_flags(err, dev, XMAP_TARGET_OPEN_MEM, memfd, 0,   \
				   rights, addr, length)

/* On all of a process by its number, with a pidfd of its own. */
static inline int _test_target_open_pid(int dev, pid_t pid, __u32 rights,
					int *out_fd)
{
	int pidfd = xmap_pidfd_open(pid, 0);
	int err, ret;

	*out_fd = XMAP_UNTOUCHED;
	if (pidfd < 0)
		return -1;
	ret = _test_target_open(dev, pidfd, pid, rights, 0, 0, out_fd);
	err = errno;
	close(pidfd);
	errno = err;
	return ret;
}

#define test_target_open_pid(dev, pid, rights, out)                            \
	({                                                                     \
		int *__out = (out);                                            \
		ASSERT_EQ(0, _test_target_open_pid(dev, pid, rights, __out))   \
		{                                                              \
			TH_LOG("XMAP_TARGET_OPEN: %s", strerror(errno));       \
		}                                                              \
		ASSERT_LE(0, *__out);                                          \
	})
#define test_err_target_open_pid(err, dev, pid, rights)                        \
	({                                                                     \
		int __fd;                                                      \
		EXPECT_ERRNO(err, _test_target_open_pid(dev, pid, rights,      \
							&__fd));               \
		EXPECT_EQ(XMAP_UNTOUCHED, __fd);                               \
	})

/* ---- Commands of a target ---- */

static inline int _test_target_info(int fd, struct xmap_cmd_target_info *out)
{
	*out = (struct xmap_cmd_target_info){ .size = sizeof(*out) };
	return ioctl(fd, XMAP_TARGET_INFO, out);
}

#define test_target_info(fd, out) ASSERT_EQ(0, _test_target_info(fd, out))
#define test_err_target_info(err, fd)                                          \
	({                                                                     \
		struct xmap_cmd_target_info __info;                            \
		EXPECT_ERRNO(err, _test_target_info(fd, &__info));             \
		EXPECT_EQ(0, __info.out_state);                                \
	})

static inline int _test_target_derive(int fd, __u32 rights, __u64 addr,
				      __u64 length, int *out_fd)
{
	struct xmap_cmd_target_derive cmd = {
		.size = sizeof(cmd),
		.rights = rights,
		.out_fd = XMAP_UNTOUCHED,
		.addr = addr,
		.length = length,
	};
	int ret = ioctl(fd, XMAP_TARGET_DERIVE, &cmd);

	*out_fd = cmd.out_fd;
	return ret;
}

#define test_target_derive(fd, rights, addr, length, out)                      \
	({                                                                     \
		int *__out = (out);                                            \
		ASSERT_EQ(0, _test_target_derive(fd, rights, addr, length,     \
						 __out));                      \
		ASSERT_LE(0, *__out);                                          \
	})
#define test_err_target_derive(err, fd, rights, addr, length)                  \
	({                                                                     \
		int __fd;                                                      \
		EXPECT_ERRNO(err, _test_target_derive(fd, rights, addr,        \
						      length, &__fd));         \
		EXPECT_EQ(XMAP_UNTOUCHED, __fd);                               \
	})

static inline int _test_target_maps(int fd, __u64 addr, void *buf,
				    __u32 buf_size,
				    struct xmap_cmd_target_maps *out)
{
	*out = (struct xmap_cmd_target_maps){
		.size = sizeof(*out),
		.addr = addr,
		.buf = (uintptr_t)buf,
		.buf_size = buf_size,
		.out_count = (__u32)XMAP_UNTOUCHED,
		.out_used = (__u32)XMAP_UNTOUCHED,
		.out_next = (__u64)XMAP_UNTOUCHED,
	};
	return ioctl(fd, XMAP_TARGET_MAPS, out);
}

#define test_target_maps(fd, addr, buf, buf_size, out)                         \
	ASSERT_EQ(0, _test_target_maps(fd, addr, buf, buf_size, out))
#define test_err_target_maps(err, fd, addr, buf, buf_size)                     \
	({                                                                     \
		struct xmap_cmd_target_maps __maps;                            \
		EXPECT_ERRNO(err, _test_target_maps(fd, addr, buf, buf_size,   \
						    &__maps));                 \
		EXPECT_EQ((__u32)XMAP_UNTOUCHED, __maps.out_count);            \
		EXPECT_EQ((__u32)XMAP_UNTOUCHED, __maps.out_used);             \
		EXPECT_EQ((__u64)XMAP_UNTOUCHED, __maps.out_next);             \
	})

static inline int _test_target_prefault(int fd, __u32 flags, const void *addr,
					__u64 length, __u64 *out_length)
{
	struct xmap_cmd_target_prefault cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.addr = (uintptr_t)addr,
		.length = length,
		.out_length = (__u64)XMAP_UNTOUCHED,
	};
	int ret = ioctl(fd, XMAP_TARGET_PREFAULT, &cmd);

	*out_length = cmd.out_length;
	return ret;
}

#define test_target_prefault(fd, flags, addr, length, out)                     \
	ASSERT_EQ(0, _test_target_prefault(fd, flags, addr, length, out))
#define test_err_target_prefault(err, fd, flags, addr, length)                 \
	({                                                                     \
		__u64 __length;                                                \
		EXPECT_ERRNO(err, _test_target_prefault(fd, flags, addr,       \
							length, &__length));   \
		EXPECT_EQ((__u64)XMAP_UNTOUCHED, __length);                    \
	})

/* ---- XMAP_TRANSFER ---- */

static inline int _test_transfer(int dev, struct xmap_transfer *entries,
				 __u32 count, __u32 *out_done)
{
	struct xmap_cmd_transfer cmd = {
		.size = sizeof(cmd),
		.entries = (uintptr_t)entries,
		.count = count,
		.out_done = (__u32)XMAP_UNTOUCHED,
	};
	int ret = ioctl(dev, XMAP_TRANSFER, &cmd);

	*out_done = cmd.out_done;
	return ret;
}

#define test_transfer(dev, entries, count)                                     \
	({                                                                     \
		__u32 __count = (count), __done;                               \
		ASSERT_EQ(0, _test_transfer(dev, entries, __count, &__done))   \
		{                                                              \
			TH_LOG("XMAP_TRANSFER: %s", strerror(errno));          \
		}                                                              \
		ASSERT_EQ(__count, __done);                                    \
	})
#define test_err_transfer(err, dev, entries, count)                            \
	({                                                                     \
		__u32 __done;                                                  \
		EXPECT_ERRNO(err, _test_transfer(dev, entries, count,          \
						 &__done));                    \
		EXPECT_EQ((__u32)XMAP_UNTOUCHED, __done);                      \
	})

/* ---- XMAP_LIST ---- */

static inline int _test_list(int dev, struct xmap_list_entry *entries,
			     __u32 count, __u64 cursor, __u32 *out_count,
			     __u64 *out_cursor)
{
	struct xmap_cmd_list cmd = {
		.size = sizeof(cmd),
		.entries = (uintptr_t)entries,
		.count = count,
		.out_count = (__u32)XMAP_UNTOUCHED,
		.cursor = cursor,
		.out_cursor = (__u64)XMAP_UNTOUCHED,
	};
	int ret = ioctl(dev, XMAP_LIST, &cmd);

	*out_count = cmd.out_count;
	*out_cursor = cmd.out_cursor;
	return ret;
}

#define test_list(dev, entries, count, cursor, out_count, out_cursor)          \
	ASSERT_EQ(0, _test_list(dev, entries, count, cursor, out_count,        \
				out_cursor))
#define test_err_list(err, dev, entries, count, cursor)                        \
	({                                                                     \
		__u64 __cursor;                                                \
		__u32 __count;                                                 \
		EXPECT_ERRNO(err, _test_list(dev, entries, count, cursor,      \
					     &__count, &__cursor));            \
		EXPECT_EQ((__u32)XMAP_UNTOUCHED, __count);                     \
		EXPECT_EQ((__u64)XMAP_UNTOUCHED, __cursor);                    \
	})

/* ---- Windows ---- */

static inline void *_test_window_map(int fd, __u64 remote, size_t length,
				     int prot)
{
	return mmap(NULL, length, prot, MAP_SHARED, fd, (off_t)remote);
}

#define test_window_map(fd, remote, length, prot, out)                         \
	({                                                                     \
		void *__win = _test_window_map(fd, remote, length, prot);      \
		*(out) = __win;                                                \
		ASSERT_NE(MAP_FAILED, __win)                                   \
		{                                                              \
			TH_LOG("mmap: %s", strerror(errno));                   \
		}                                                              \
	})
#define test_err_window_map(err, fd, remote, length, prot)                     \
	EXPECT_ERRNO(err, _test_window_map(fd, remote, length, prot))

/*
 * One load or store that may raise SIGBUS or SIGSEGV: 0, or the number of the
 * signal.  For one thread at a time.
 */
static sigjmp_buf xmap_try_env;

static void xmap_try_handler(int sig)
{
	siglongjmp(xmap_try_env, sig);
}

static inline int xmap_try(__u8 *addr, __u8 *load, bool store)
{
	struct sigaction sa = { .sa_handler = xmap_try_handler };
	struct sigaction bus, segv;
	int sig;

	sigaction(SIGBUS, &sa, &bus);
	sigaction(SIGSEGV, &sa, &segv);
	sig = sigsetjmp(xmap_try_env, 1);
	if (!sig) {
		if (store)
			__atomic_store_n(addr, *load, __ATOMIC_SEQ_CST);
		else
			*load = __atomic_load_n(addr, __ATOMIC_SEQ_CST);
	}
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return sig;
}

static inline int xmap_try_load(const void *addr, __u8 *out)
{
	return xmap_try((__u8 *)addr, out, false);
}

static inline int xmap_try_store(void *addr, __u8 value)
{
	return xmap_try(addr, &value, true);
}

/* ---- Things around ---- */

static inline int xmap_send_fd(int sock, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -1;
}

static inline int xmap_recv_fd(int sock)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}

/* Write a short text into a file of /proc or /sys. */
static inline int xmap_write_file(const char *path, const char *text)
{
	ssize_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t ret;

	if (fd < 0)
		return -1;
	ret = write(fd, text, len);
	close(fd);
	return ret == len ? 0 : -1;
}

static inline long xmap_read_long(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtol(text, NULL, 0);
}

static inline int xmap_write_long(const char *path, long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", value);
	return xmap_write_file(path, text);
}

enum force_policy {
	FORCE_ALWAYS,
	FORCE_PTRACE,
	FORCE_NEVER,
};

/* What this kernel was told at boot about forced writes by /proc/PID/mem. */
static inline enum force_policy force_policy(void)
{
	char line[4096] = "";
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);

	if (read(fd, line, sizeof(line) - 1) < 0)
		line[0] = '\0';
	close(fd);
	if (strstr(line, "proc_mem.force_override=never"))
		return FORCE_NEVER;
	if (strstr(line, "proc_mem.force_override=ptrace"))
		return FORCE_PTRACE;
	return FORCE_ALWAYS;
}

#endif /* XMAP_UTILS_H */
