/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exports, revocation and denial for the selftests: the triplets of their
 * commands, as in xmap_utils.h, and orders with which a peer issues them.
 */
#ifndef XMAP_EXPORT_UTILS_H
#define XMAP_EXPORT_UTILS_H

#include "xmap_reader.h"
#include "xmap_access.h"

#define MAX_EXPORTS XMAP_PARAMS "max_exports"
#define USER_END 0x7ffffffff000UL

/* ---- XMAP_EXPORT_CREATE ---- */

/* The size and the outputs are set here, all else is the caller's. */
static inline int _test_export_create_cmd(int dev, struct xmap_cmd_export_create *cmd)
{
	cmd->size = sizeof(*cmd);
	cmd->out_fd = XMAP_UNTOUCHED;
	cmd->out_id = (__u64)XMAP_UNTOUCHED;
	return ioctl(dev, XMAP_EXPORT_CREATE, cmd);
}

#define test_export_create_cmd(dev, cmd)					\
	({									\
		struct xmap_cmd_export_create *__cmd = (cmd);			\
		ASSERT_EQ(0, _test_export_create_cmd(dev, __cmd))		\
		{								\
			TH_LOG("XMAP_EXPORT_CREATE: %s", strerror(errno));	\
		}								\
		ASSERT_LE(0, __cmd->out_fd);					\
	})
#define test_err_export_create_cmd(err, dev, cmd)				\
	({									\
		struct xmap_cmd_export_create *__cmd = (cmd);			\
		EXPECT_ERRNO(err, _test_export_create_cmd(dev, __cmd));		\
		EXPECT_EQ(XMAP_UNTOUCHED, __cmd->out_fd);			\
		EXPECT_EQ((__u64)XMAP_UNTOUCHED, __cmd->out_id);		\
	})

/* One that is not published and has no limits. */
static inline int _test_export_create(int dev, __u32 rights, __u64 addr, __u64 length, int *out_fd)
{
	struct xmap_cmd_export_create cmd = { .rights = rights, .addr = addr, .length = length };
	int ret = _test_export_create_cmd(dev, &cmd);

	*out_fd = cmd.out_fd;
	return ret;
}

#define test_export_create(dev, rights, addr, length, out)			\
	({									\
		int *__out = (out);						\
		ASSERT_EQ(0, _test_export_create(dev, rights, addr, length,	\
						 __out))			\
		{								\
			TH_LOG("XMAP_EXPORT_CREATE: %s", strerror(errno));	\
		}								\
		ASSERT_LE(0, *__out);						\
	})
#define test_err_export_create(err, dev, rights, addr, length)			\
	({									\
		int __fd;							\
		EXPECT_ERRNO(err, _test_export_create(dev, rights, addr,	\
						      length, &__fd));		\
		EXPECT_EQ(XMAP_UNTOUCHED, __fd);				\
	})

/* ---- XMAP_EXPORT_OPEN ---- */

static inline int _test_export_open(int dev, __u32 rights, __u64 id, const char *name, int *out_fd)
{
	struct xmap_cmd_export_open cmd = {
		.size = sizeof(cmd),
		.rights = rights,
		.out_fd = XMAP_UNTOUCHED,
		.id = id,
	};
	int ret;

	if (name)
		memcpy(cmd.name, name, strnlen(name, sizeof(cmd.name)));
	ret = ioctl(dev, XMAP_EXPORT_OPEN, &cmd);
	*out_fd = cmd.out_fd;
	return ret;
}

#define test_export_open(dev, rights, id, name, out)				\
	({									\
		int *__out = (out);						\
		ASSERT_EQ(0, _test_export_open(dev, rights, id, name, __out))	\
		{								\
			TH_LOG("XMAP_EXPORT_OPEN: %s", strerror(errno));	\
		}								\
		ASSERT_LE(0, *__out);						\
	})
#define test_err_export_open(err, dev, rights, id, name)			\
	({									\
		int __fd;							\
		EXPECT_ERRNO(err, _test_export_open(dev, rights, id, name,	\
						    &__fd));			\
		EXPECT_EQ(XMAP_UNTOUCHED, __fd);				\
	})

/* ---- XMAP_EXPORT_ACCEPT and XMAP_EXPORT_INFO ---- */

static inline int _test_export_accept(int fd, __u32 rights, __u64 addr, __u64 length, int *out_fd)
{
	struct xmap_cmd_export_accept cmd = {
		.size = sizeof(cmd),
		.rights = rights,
		.out_fd = XMAP_UNTOUCHED,
		.addr = addr,
		.length = length,
	};
	int ret = ioctl(fd, XMAP_EXPORT_ACCEPT, &cmd);

	*out_fd = cmd.out_fd;
	return ret;
}

#define test_export_accept(fd, rights, addr, length, out)			\
	({									\
		int *__out = (out);						\
		ASSERT_EQ(0, _test_export_accept(fd, rights, addr, length,	\
						 __out))			\
		{								\
			TH_LOG("XMAP_EXPORT_ACCEPT: %s", strerror(errno));	\
		}								\
		ASSERT_LE(0, *__out);						\
	})
#define test_err_export_accept(err, fd, rights, addr, length)			\
	({									\
		int __fd;							\
		EXPECT_ERRNO(err, _test_export_accept(fd, rights, addr,		\
						      length, &__fd));		\
		EXPECT_EQ(XMAP_UNTOUCHED, __fd);				\
	})

static inline int _test_export_info(int fd, struct xmap_cmd_export_info *out)
{
	*out = (struct xmap_cmd_export_info){ .size = sizeof(*out) };
	return ioctl(fd, XMAP_EXPORT_INFO, out);
}

#define test_export_info(fd, out) ASSERT_EQ(0, _test_export_info(fd, out))
#define test_err_export_info(err, fd)						\
	({									\
		struct xmap_cmd_export_info __info;				\
		EXPECT_ERRNO(err, _test_export_info(fd, &__info));		\
		EXPECT_EQ(0, __info.out_state);					\
	})

/* ---- XMAP_REVOKE, which has no outputs ---- */

static inline int _test_revoke_serial(int fd, __u64 serial, __u64 addr, __u64 length)
{
	struct xmap_cmd_revoke cmd = {
		.size = sizeof(cmd),
		.serial = serial,
		.addr = addr,
		.length = length,
	};

	return ioctl(fd, XMAP_REVOKE, &cmd);
}

#define test_revoke_serial(dev, serial, addr, length)				\
	ASSERT_EQ(0, _test_revoke_serial(dev, serial, addr, length))
#define test_err_revoke_serial(err, dev, serial, addr, length)			\
	EXPECT_ERRNO(err, _test_revoke_serial(dev, serial, addr, length))

#define _test_revoke(fd, addr, length) _test_revoke_serial(fd, 0, addr, length)
#define test_revoke(fd, addr, length) test_revoke_serial(fd, 0, addr, length)
#define test_err_revoke(err, fd, addr, length)					\
	test_err_revoke_serial(err, fd, 0, addr, length)

/* ---- XMAP_DENY ---- */

static inline int _test_deny(int dev, __u32 flags, __u32 *out_flags)
{
	struct xmap_cmd_deny cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.out_flags = (__u32)XMAP_UNTOUCHED,
	};
	int ret = ioctl(dev, XMAP_DENY, &cmd);

	*out_flags = cmd.out_flags;
	return ret;
}

/* It succeeds, and then this holds. */
#define test_deny(expected, dev, flags)						\
	({									\
		__u32 __now;							\
		ASSERT_EQ(0, _test_deny(dev, flags, &__now));			\
		EXPECT_EQ((__u32)(expected), __now);				\
	})
#define test_err_deny(err, dev, flags)						\
	({									\
		__u32 __now;							\
		EXPECT_ERRNO(err, _test_deny(dev, flags, &__now));		\
		EXPECT_EQ((__u32)XMAP_UNTOUCHED, __now);			\
	})

/* ---- What is said about an object elsewhere ---- */

/* The last object of this kind that this process made, 0 for any; false if there is none. */
static inline bool xmap_list_last(int dev, __u32 kind, pid_t holder, struct xmap_list_entry *out)
{
	struct xmap_list_entry e[16];
	bool found = false;
	__u64 cursor = 0;
	__u32 count, i;

	do {
		if (_test_list(dev, e, ARRAY_SIZE(e), cursor, &count, &cursor))
			return false;
		for (i = 0; i < count; i++) {
			if (e[i].kind != kind || (holder && e[i].holder_pid != holder))
				continue;
			*out = e[i];
			found = true;
		}
	} while (cursor);
	return found;
}

/* The number of that object, or 0. */
static inline __u64 xmap_serial(int dev, __u32 kind, pid_t holder)
{
	struct xmap_list_entry e = {};

	return xmap_list_last(dev, kind, holder, &e) ? e.serial : 0;
}

/* What the events of a descriptor are at this moment. */
static inline int xmap_poll_now(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) < 0 ? -1 : pfd.revents;
}

/* Wait for events, which may be POLLHUP. */
static inline int xmap_poll_for(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, -1) < 0 ? -1 : pfd.revents;
}

/* A line of a descriptor's fdinfo, without its name; "" if there is none. */
static inline const char *xmap_fdinfo(int fd, const char *name)
{
	static char line[256];
	const char *found = "";
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	if (!f)
		return "";
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, name, strlen(name)) || line[strlen(name)] != ':')
			continue;
		found = line + strlen(name) + 1;
		found += strspn(found, " \t");
		break;
	}
	fclose(f);
	return found;
}

static inline __u64 xmap_boottime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Memory that peers of later on share. */
static inline void *xmap_shared(size_t len)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		abort();
	return mem;
}

/* ---- Orders: all return a descriptor, a value or 0, or -1 with errno ---- */

/* /dev/xmap, rights, address, length. */
static inline long op_export(const unsigned long *a)
{
	int fd;

	return _test_export_create(a[0], a[1], a[2], a[3], &fd) ? -1 : fd;
}

/* /dev/xmap, the command in shared memory. */
static inline long op_export_cmd(const unsigned long *a)
{
	struct xmap_cmd_export_create *cmd = (void *)a[1];

	return _test_export_create_cmd(a[0], cmd) ? -1 : cmd->out_fd;
}

/* /dev/xmap, rights, id, name that was there before the fork. */
static inline long op_export_open(const unsigned long *a)
{
	int fd;

	return _test_export_open(a[0], a[1], a[2], (const char *)a[3], &fd) ? -1 : fd;
}

/* The same, but nothing stays open. */
static inline long op_export_try(const unsigned long *a)
{
	int fd;

	if (_test_export_open(a[0], a[1], a[2], (const char *)a[3], &fd))
		return -1;
	return close(fd);
}

/* Export, rights, address, length. */
static inline long op_accept(const unsigned long *a)
{
	int fd;

	return _test_export_accept(a[0], a[1], a[2], a[3], &fd) ? -1 : fd;
}

/* Export, what it says in shared memory. */
static inline long op_export_info(const unsigned long *a)
{
	return _test_export_info(a[0], (void *)a[1]);
}

/* Descriptor, events: those that come. */
static inline long op_poll_for(const unsigned long *a)
{
	return xmap_poll_for(a[0], a[1]);
}

/* Target, rights, address, length. */
static inline long op_derive(const unsigned long *a)
{
	int fd;

	return _test_target_derive(a[0], a[1], a[2], a[3], &fd) ? -1 : fd;
}

/* /dev/xmap, number of a process, rights. */
static inline long op_target(const unsigned long *a)
{
	int fd;

	return _test_target_open_pid(a[0], a[1], a[2], &fd) ? -1 : fd;
}

/* Target, address, length, protection. */
static inline long op_window(const unsigned long *a)
{
	touch_init();
	return (long)_test_window_map(a[0], a[1], a[2], a[3]);
}

/* Descriptor, number, address, length. */
static inline long op_revoke(const unsigned long *a)
{
	return _test_revoke_serial(a[0], a[1], a[2], a[3]);
}

/* /dev/xmap, flags; what holds then. */
static inline long op_deny(const unsigned long *a)
{
	__u32 now;

	return _test_deny(a[0], a[1], &now) ? -1 : (long)now;
}

/* Target, address; the word there. */
static inline long op_read(const unsigned long *a)
{
	__u64 word;
	ssize_t ret = pread(a[0], &word, sizeof(word), a[1]);

	if (ret == sizeof(word))
		return word;
	if (ret >= 0)
		errno = ENODATA;
	return -1;
}

/* Target, address, word. */
static inline long op_write(const unsigned long *a)
{
	__u64 word = a[2];

	return pwrite(a[0], &word, sizeof(word), a[1]) == sizeof(word) ? 0 : -1;
}

static inline long op_state(const unsigned long *a)
{
	struct xmap_cmd_target_info info;

	return _test_target_info(a[0], &info) ? -1 : (long)info.out_state;
}

/* /dev/xmap, kind, process that made it, entry in shared memory: is there one? */
static inline long op_list_last(const unsigned long *a)
{
	return xmap_list_last(a[0], a[1], a[2], (void *)a[3]);
}

static inline long op_recv_fd(const unsigned long *a)
{
	return xmap_recv_fd(a[0]);
}

static inline long op_send_fd(const unsigned long *a)
{
	return xmap_send_fd(a[0], a[1]);
}

#define peer_close(p, fd) peer_syscall(p, SYS_close, fd)

/* A descriptor of the peer becomes one of the test as well. */
static inline int peer_take_fd(struct peer *p, long fd)
{
	return fd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, p->pidfd, fd, 0);
}

/*
 * Give a peer a descriptor: through a socket pair that was there before the
 * peer.  Returns the peer's number of it.
 */
static inline int peer_give_fd(struct peer *p, const int *sv, int fd)
{
	return xmap_send_fd(sv[0], fd) ? -1 : (int)peer_call(p, op_recv_fd, sv[1]);
}

/* A new peer of this user, and perhaps some capabilities. */
static inline int peer_spawn_as(struct peer *p, uid_t uid, gid_t gid, __u64 caps)
{
	return peer_spawn(p) ?: (int)peer_call(p, op_become, uid, gid, caps, caps);
}

#endif /* XMAP_EXPORT_UTILS_H */
