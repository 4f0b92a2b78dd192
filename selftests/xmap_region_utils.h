/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Regions for the selftests: the triplets of their commands, as in xmap_utils.h, and
 * orders with which a peer issues them.
 */
#ifndef XMAP_REGION_UTILS_H
#define XMAP_REGION_UTILS_H

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "xmap_export_utils.h"

#define RW (PROT_READ | PROT_WRITE)
#define RIGHTS_RWM (XMAP_RIGHTS_RW | XMAP_RIGHT_MANAGE)
#define MAX_REGIONS XMAP_PARAMS "max_regions"
#define MAX_REGION_BYTES XMAP_PARAMS "max_region_bytes"

/* ---- Commands that make a handle ---- */

/* The size and the outputs are set here, all else is the caller's. */
static inline int _test_region_create_cmd(int dev, struct xmap_cmd_region_create *cmd)
{
	cmd->size = sizeof(*cmd);
	cmd->out_fd = XMAP_UNTOUCHED;
	cmd->out_addr = (__u64)XMAP_UNTOUCHED;
	return ioctl(dev, XMAP_REGION_CREATE, cmd);
}

#define test_region_create_cmd(dev, cmd)					\
	({									\
		struct xmap_cmd_region_create *__cmd = (cmd);			\
		ASSERT_EQ(0, _test_region_create_cmd(dev, __cmd))		\
		{								\
			TH_LOG("XMAP_REGION_CREATE: %s", strerror(errno));	\
		}								\
		ASSERT_LE(0, __cmd->out_fd);					\
	})
#define test_err_region_create_cmd(err, dev, cmd)				\
	({									\
		struct xmap_cmd_region_create *__cmd = (cmd);			\
		EXPECT_ERRNO(err, _test_region_create_cmd(dev, __cmd));		\
		EXPECT_EQ(XMAP_UNTOUCHED, __cmd->out_fd);			\
		EXPECT_EQ((__u64)XMAP_UNTOUCHED, __cmd->out_addr);		\
	})

/* One without a name or a place. */
static inline int _test_region_create(int dev, __u32 flags, __u64 length, int *out_fd)
{
	struct xmap_cmd_region_create cmd = { .flags = flags, .length = length };
	int ret = _test_region_create_cmd(dev, &cmd);

	*out_fd = cmd.out_fd;
	return ret;
}

#define test_region_create(dev, flags, length, out)				\
	({									\
		int *__out = (out);						\
		ASSERT_EQ(0, _test_region_create(dev, flags, length, __out))	\
		{								\
			TH_LOG("XMAP_REGION_CREATE: %s", strerror(errno));	\
		}								\
		ASSERT_LE(0, *__out);						\
	})
#define test_err_region_create(err, dev, flags, length)				\
	({									\
		int __fd;							\
		EXPECT_ERRNO(err, _test_region_create(dev, flags, length,	\
						      &__fd));			\
		EXPECT_EQ(XMAP_UNTOUCHED, __fd);				\
	})

static inline int _test_region_open(int dev, __u32 rights, const char *name, int *out_fd)
{
	struct xmap_cmd_region_open cmd = {
		.size = sizeof(cmd),
		.rights = rights,
		.out_fd = XMAP_UNTOUCHED,
	};
	int ret;

	memcpy(cmd.name, name, strnlen(name, sizeof(cmd.name)));
	ret = ioctl(dev, XMAP_REGION_OPEN, &cmd);
	*out_fd = cmd.out_fd;
	return ret;
}

#define test_region_open(dev, rights, name, out)				\
	({									\
		int *__out = (out);						\
		ASSERT_EQ(0, _test_region_open(dev, rights, name, __out));	\
		ASSERT_LE(0, *__out);						\
	})
#define test_err_region_open(err, dev, rights, name)				\
	({									\
		int __fd;							\
		EXPECT_ERRNO(err, _test_region_open(dev, rights, name, &__fd));	\
		EXPECT_EQ(XMAP_UNTOUCHED, __fd);				\
	})

static inline int _test_region_derive(int fd, __u32 rights, __u64 offset, __u64 length, int *out_fd)
{
	struct xmap_cmd_region_derive cmd = {
		.size = sizeof(cmd),
		.rights = rights,
		.out_fd = XMAP_UNTOUCHED,
		.offset = offset,
		.length = length,
	};
	int ret = ioctl(fd, XMAP_REGION_DERIVE, &cmd);

	*out_fd = cmd.out_fd;
	return ret;
}

#define test_region_derive(fd, rights, offset, length, out)			\
	({									\
		int *__out = (out);						\
		ASSERT_EQ(0, _test_region_derive(fd, rights, offset, length,	\
						 __out));			\
		ASSERT_LE(0, *__out);						\
	})
#define test_err_region_derive(err, fd, rights, offset, length)			\
	({									\
		int __fd;							\
		EXPECT_ERRNO(err, _test_region_derive(fd, rights, offset,	\
						      length, &__fd));		\
		EXPECT_EQ(XMAP_UNTOUCHED, __fd);				\
	})

/* ---- Commands on a handle ---- */

static inline int _test_region_info(int fd, struct xmap_cmd_region_info *out)
{
	*out = (struct xmap_cmd_region_info){ .size = sizeof(*out) };
	return ioctl(fd, XMAP_REGION_INFO, out);
}

#define test_region_info(fd, out) ASSERT_EQ(0, _test_region_info(fd, out))
#define test_err_region_info(err, fd)						\
	({									\
		struct xmap_cmd_region_info __info;				\
		EXPECT_ERRNO(err, _test_region_info(fd, &__info));		\
		EXPECT_EQ(0, __info.out_state);					\
	})

static inline int _test_region_seal(int fd, __u32 seals, __u32 *out)
{
	struct xmap_cmd_region_seal cmd = {
		.size = sizeof(cmd),
		.seals = seals,
		.out_seals = (__u32)XMAP_UNTOUCHED,
	};
	int ret = ioctl(fd, XMAP_REGION_SEAL, &cmd);

	*out = cmd.out_seals;
	return ret;
}

#define test_region_seal(expected, fd, seals)					\
	({									\
		__u32 __seals;							\
		ASSERT_EQ(0, _test_region_seal(fd, seals, &__seals));		\
		EXPECT_EQ((__u32)(expected), __seals);				\
	})
#define test_err_region_seal(err, fd, seals)					\
	({									\
		__u32 __seals;							\
		EXPECT_ERRNO(err, _test_region_seal(fd, seals, &__seals));	\
		EXPECT_EQ((__u32)XMAP_UNTOUCHED, __seals);			\
	})

static inline int _test_region_resize(int fd, __u64 length)
{
	struct xmap_cmd_region_resize cmd = { .size = sizeof(cmd), .length = length };

	return ioctl(fd, XMAP_REGION_RESIZE, &cmd);
}

#define test_region_resize(fd, length) ASSERT_EQ(0, _test_region_resize(fd, length))
#define test_err_region_resize(err, fd, length)					\
	EXPECT_ERRNO(err, _test_region_resize(fd, length))

static inline int _test_region_rebind(int fd, __u64 *out)
{
	struct xmap_cmd_region_rebind cmd = {
		.size = sizeof(cmd),
		.out_generation = (__u64)XMAP_UNTOUCHED,
	};
	int ret = ioctl(fd, XMAP_REGION_REBIND, &cmd);

	*out = cmd.out_generation;
	return ret;
}

#define test_region_rebind(expected, fd)					\
	({									\
		__u64 __generation;						\
		ASSERT_EQ(0, _test_region_rebind(fd, &__generation));		\
		EXPECT_EQ((__u64)(expected), __generation);			\
	})
#define test_err_region_rebind(err, fd)						\
	({									\
		__u64 __generation;						\
		EXPECT_ERRNO(err, _test_region_rebind(fd, &__generation));	\
		EXPECT_EQ((__u64)XMAP_UNTOUCHED, __generation);			\
	})

/* Those without anything in or out. */
static inline int region_simple(int fd, unsigned long request, __u32 flags)
{
	struct xmap_cmd_region_give cmd = { .size = sizeof(cmd), .flags = flags };

	return ioctl(fd, request, &cmd);
}

#define _test_region_give(fd) region_simple(fd, XMAP_REGION_GIVE, 0)
#define test_region_give(fd) ASSERT_EQ(0, _test_region_give(fd))
#define test_err_region_give(err, fd) EXPECT_ERRNO(err, _test_region_give(fd))
#define _test_region_take(fd) region_simple(fd, XMAP_REGION_TAKE, 0)
#define test_region_take(fd) ASSERT_EQ(0, _test_region_take(fd))
#define test_err_region_take(err, fd) EXPECT_ERRNO(err, _test_region_take(fd))
#define _test_region_unlink(fd) region_simple(fd, XMAP_REGION_UNLINK, 0)
#define test_region_unlink(fd) ASSERT_EQ(0, _test_region_unlink(fd))
#define test_err_region_unlink(err, fd) EXPECT_ERRNO(err, _test_region_unlink(fd))
#define _test_region_notify(fd) region_simple(fd, XMAP_REGION_NOTIFY, 0)
#define test_region_notify(fd) ASSERT_EQ(0, _test_region_notify(fd))
#define test_err_region_notify(err, fd) EXPECT_ERRNO(err, _test_region_notify(fd))

/* ---- Mappings ---- */

#define _test_region_map(fd, offset, length, prot) _test_window_map(fd, offset, length, prot)
#define test_region_map(fd, offset, length, prot, out)				\
	test_window_map(fd, offset, length, prot, out)
#define test_err_region_map(err, fd, offset, length, prot)			\
	test_err_window_map(err, fd, offset, length, prot)

/* What poll() says at once. */
static inline short region_poll(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) < 0 ? -1 : pfd.revents;
}

/*
 * Does io_uring register such memory as a buffer?  Before 6.5 ("io_uring/rsrc: delegate
 * VMA file-backed check to GUP") it looked for the operations of the kernel's own shared
 * memory, and refused all other mappings of files with EOPNOTSUPP.
 */
static inline bool region_registers(void)
{
	struct utsname uts;
	int major, minor;

	if (uname(&uts) || sscanf(uts.release, "%d.%d", &major, &minor) != 2)
		return true;
	return major > 6 || (major == 6 && minor >= 5);
}

/* ---- A memory cgroup for a peer ---- */

#define CGROUP "/sys/fs/cgroup"
#define GROUP CGROUP "/xmap-region-test"

static inline int region_cgroup_new(void)
{
	mkdir(CGROUP, 0755);
	if (access(CGROUP "/cgroup.procs", F_OK) &&
	    mount("cgroup2", CGROUP, "cgroup2", 0, NULL))
		return -1;
	if (xmap_write_file(CGROUP "/cgroup.subtree_control", "+memory"))
		return -1;
	/* A test that failed may have left it. */
	return mkdir(GROUP, 0755) && errno != EEXIST ? -1 : 0;
}

static inline long op_cgroup_join(const unsigned long *a)
{
	(void)a;
	return xmap_write_file(GROUP "/cgroup.procs", "0");
}

/* ---- Orders ---- */

/* Handle, offset, length, protection: the address, or -1. */
static inline long op_region_map(const unsigned long *a)
{
	void *addr = mmap(NULL, a[2], a[3], MAP_SHARED, a[0], a[1]);

	return addr == MAP_FAILED ? -1 : (long)addr;
}

/* Handle, command without anything in or out. */
static inline long op_region_simple(const unsigned long *a)
{
	return region_simple(a[0], a[1], 0);
}

/* Handle, rights, offset, length. */
static inline long op_region_derive(const unsigned long *a)
{
	int fd;

	return _test_region_derive(a[0], a[1], a[2], a[3], &fd) ? -1 : fd;
}

/* /dev/xmap, flags, length. */
static inline long op_region_create(const unsigned long *a)
{
	int fd;

	return _test_region_create(a[0], a[1], a[2], &fd) ? -1 : fd;
}

/* /dev/xmap, a command in shared memory. */
static inline long op_region_create_cmd(const unsigned long *a)
{
	struct xmap_cmd_region_create *cmd = (void *)a[1];

	return _test_region_create_cmd(a[0], cmd) ? -1 : cmd->out_fd;
}

/* /dev/xmap, rights, name in shared memory. */
static inline long op_region_open(const unsigned long *a)
{
	int fd;

	return _test_region_open(a[0], a[1], (const char *)a[2], &fd) ? -1 : fd;
}

/* Handle, enum xmap_region_owner. */
static inline long op_region_owner(const unsigned long *a)
{
	struct xmap_cmd_region_info info;

	return _test_region_info(a[0], &info) ? -1 : (long)info.out_owner;
}

/* Address, value. */
static inline long op_touch_store(const unsigned long *a)
{
	return touch_store((void *)a[0], a[1]);
}

/* A region, /dev/xmap, and another process that has what it is given. */
#define REGION FIXTURE_DATA(region)
#define PAGES 8
#define LEN (PAGES * PAGE)

FIXTURE(region)
{
	int dev;
	int fd;
	struct peer peer;
	int sv[2];
};

static inline int region_begin(REGION *self, __u32 flags)
{
	touch_init();
	self->dev = _test_dev_open();
	if (self->dev < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, self->sv) ||
	    peer_spawn(&self->peer))
		return -1;
	return _test_region_create(self->dev, flags, LEN, &self->fd);
}

static inline void region_end(REGION *self)
{
	peer_end(&self->peer);
	close(self->fd);
	close(self->sv[0]);
	close(self->sv[1]);
	close(self->dev);
}

/* The peer's number of a descriptor of ours. */
#define give(fd) peer_give_fd(&self->peer, self->sv, fd)

#endif /* XMAP_REGION_UTILS_H */
