/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxmap - map, read and change the memory of another process.
 *
 * Conventions: functions return 0 (or a count) on success and -errno on
 * failure, and touch their outputs only on success; the result pointer comes
 * last.  Handles are opaque, and a handle may be used by one thread at a time
 * (reads and writes of one target by several threads are fine, and so are a thread
 * that sends and one that receives on one channel).  Nothing here prints, starts
 * threads, installs signal handlers or keeps global state.
 * Every file descriptor is close-on-exec.  See xmap(7).
 */
#ifndef XMAP_H
#define XMAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <linux/xmap.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XMAP_API __attribute__((visibility("default")))

struct xmap_dev;
struct xmap_export;
struct xmap_region;
struct xmap_target;
struct xmap_maps;
struct xmap_channel;

/*
 * Option structures start with their own size so that they can grow: a newer
 * program with an older library gets -E2BIG if it sets what the library does
 * not know.  XMAP_OPTS(struct xmap_target_opts, o, .rights = XMAP_RIGHT_READ);
 */
#ifdef __cplusplus
/* What is left out is zero on purpose, which g++ -Wextra asks about. */
#define XMAP_OPTS(type, name, ...)                                             \
	_Pragma("GCC diagnostic push")                                         \
	_Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"")     \
	type name = { .sz = sizeof(type), ##__VA_ARGS__ };                     \
	_Pragma("GCC diagnostic pop") static_assert(true, "")
#else
#define XMAP_OPTS(type, name, ...)                                             \
	type name = { .sz = sizeof(type), ##__VA_ARGS__ }
#endif

/* ---- The library and its backend: xmap_open(3) ---- */

/**
 * enum xmap_backend_kind - How the kernel is reached
 * @XMAP_BACKEND_MODULE: /dev/xmap: everything works.
 * @XMAP_BACKEND_SYSCALLS: process_vm_readv(2) and /proc/PID/mem: targets by PID or
 *	pidfd can be opened, derived, read, written, listed (maps) and transferred,
 *	and tell what they are (info); everything else is -EOPNOTSUPP.  Channels
 *	need no backend, if not of a region.
 */
enum xmap_backend_kind {
	XMAP_BACKEND_MODULE = 1,
	XMAP_BACKEND_SYSCALLS = 2,
};

/**
 * struct xmap_open_opts - Options of xmap_open()
 * @sz: sizeof(struct xmap_open_opts)
 * @backend: 0 (module, else system calls) or one enum xmap_backend_kind
 * @__reserved: Must be 0
 */
struct xmap_open_opts {
	size_t sz;
	int backend;
	int __reserved;
};

/**
 * xmap_open - Begin to use the library
 * @opts: Options, or NULL
 * @ret: Out: the handle; end it with xmap_close()
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_open(const struct xmap_open_opts *opts, struct xmap_dev **ret);

/**
 * xmap_close - End a library handle
 * @dev: The handle, or NULL.  Targets made with it live on
 */
XMAP_API void xmap_close(struct xmap_dev *dev);

/**
 * xmap_backend - How the kernel is reached
 * @dev: The library handle
 *
 * Return: enum xmap_backend_kind.
 */
XMAP_API int xmap_backend(const struct xmap_dev *dev);

/**
 * xmap_backend_error - Why a default xmap_open() fell back
 * @dev: The library handle
 *
 * Return: 0 with the module, or if the system calls were asked for; else
 * -errno of opening /dev/xmap.
 */
XMAP_API int xmap_backend_error(const struct xmap_dev *dev);

/**
 * xmap_dev_fd - The descriptor of /dev/xmap, for ioctls of one's own
 * @dev: The library handle, whose descriptor it stays
 *
 * Return: the descriptor, or -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_dev_fd(const struct xmap_dev *dev);

/**
 * xmap_query - What the module can do, and the limits in force
 * @dev: The library handle
 * @ret: Out: the answer
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_query(struct xmap_dev *dev, struct xmap_cmd_query *ret);

/**
 * xmap_version - Version of the library
 *
 * Return: "MAJOR.MINOR.PATCH".
 */
XMAP_API const char *xmap_version(void);

/* ---- Targets: xmap_target_open(3) ---- */

/**
 * struct xmap_target_opts - Options of the functions that make a target
 * @sz: sizeof(struct xmap_target_opts)
 * @rights: Set of enum xmap_rights; 0 for XMAP_RIGHT_READ
 * @__reserved: Must be 0
 * @addr: First address, bytes
 * @length: Length, bytes; 0 (with addr 0) for all
 */
struct xmap_target_opts {
	size_t sz;
	uint32_t rights;
	uint32_t __reserved;
	uint64_t addr;
	uint64_t length;
};

/**
 * xmap_target_open - Get access to the address space that a process has now
 * @dev: The library handle
 * @pidfd: The process, see pidfd_open(2); stays the caller's
 * @opts: Options, or NULL to read all of it
 * @ret: Out: the target; end it with xmap_target_close()
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_target_open(struct xmap_dev *dev, int pidfd,
			      const struct xmap_target_opts *opts, struct xmap_target **ret);

/**
 * xmap_target_open_pid - xmap_target_open() by number
 * @dev: The library handle
 * @pid: The process
 * @opts: Options, or NULL to read all of it
 * @ret: Out: the target; end it with xmap_target_close()
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_target_open_pid(struct xmap_dev *dev, pid_t pid,
				  const struct xmap_target_opts *opts, struct xmap_target **ret);

/**
 * xmap_target_open_mem - Get access by an open /proc/PID/mem
 * @dev: The library handle
 * @memfd: The file, whose mode bounds the rights; stays the caller's
 * @opts: Options, or NULL to read all of it
 * @ret: Out: the target; end it with xmap_target_close()
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_target_open_mem(struct xmap_dev *dev, int memfd,
				  const struct xmap_target_opts *opts, struct xmap_target **ret);

/**
 * xmap_target_from_fd - Make a handle of a target's descriptor
 * @dev: The library handle
 * @fd: The descriptor, for instance one received by SCM_RIGHTS; the handle's on
 *	success, still the caller's on failure
 * @ret: Out: the target; end it with xmap_target_close()
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_target_from_fd(struct xmap_dev *dev, int fd, struct xmap_target **ret);

/**
 * xmap_target_derive - Make a target with fewer rights or a smaller range
 * @target: The target, which may be closed afterwards
 * @opts: Options, or NULL to read the whole range of @target
 * @ret: Out: the new target; end it with xmap_target_close()
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_target_derive(struct xmap_target *target, const struct xmap_target_opts *opts,
				struct xmap_target **ret);

/**
 * xmap_target_close - End a target handle
 * @target: The handle, or NULL.  Windows and lists made with it live on
 */
XMAP_API void xmap_target_close(struct xmap_target *target);

/**
 * xmap_target_fd - The target's descriptor, for poll(2), SCM_RIGHTS and io_uring
 * @target: The target, whose descriptor it stays
 *
 * Return: the descriptor, or -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_target_fd(const struct xmap_target *target);

/**
 * xmap_target_eventfd - Have 1 added to an eventfd when poll(2) may say something new
 * @target: The target
 * @fd: See eventfd(2), in the place of the one before; -1 for none any more.  Stays the
 *	caller's, who may close it
 *
 * What happened before is not told of: poll(2) afterwards.
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_target_eventfd(struct xmap_target *target, int fd);

/**
 * xmap_target_info - Rights, range, process and state of a target
 * @target: The target
 * @ret: Out: the answer
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_target_info(struct xmap_target *target, struct xmap_cmd_target_info *ret);

/* ---- Exports: xmap_export_create(3) ---- */

/**
 * struct xmap_export_opts - Options of xmap_export_create()
 * @sz: sizeof(struct xmap_export_opts)
 * @flags: Set of enum xmap_export_create_flags
 * @rights: XMAP_RIGHT_READ, XMAP_RIGHT_WRITE or both; 0 for XMAP_RIGHT_READ
 * @name: With XMAP_EXPORT_PUBLISH: a name of at most XMAP_NAME_SIZE - 1 printable
 *	characters without slash, or NULL
 * @mode: With XMAP_EXPORT_PUBLISH: who may open it, bits of 0666
 * @gid: With XMAP_EXPORT_PUBLISH: group of @mode; 0 for the effective one
 * @receiver_pidfd: With XMAP_EXPORT_FOR_PROCESS: who alone may accept; stays the
 *	caller's
 * @receiver_uid: With XMAP_EXPORT_FOR_USER: which user alone may accept
 * @max_accepts: How often it can be accepted; 0 for any number
 * @__reserved: Must be 0
 * @expires: When the offer ends, CLOCK_BOOTTIME in nanoseconds; 0 for never
 */
struct xmap_export_opts {
	size_t sz;
	uint32_t flags;
	uint32_t rights;
	const char *name;
	uint32_t mode;
	uint32_t gid;
	int receiver_pidfd;
	uint32_t receiver_uid;
	uint32_t max_accepts;
	uint32_t __reserved;
	uint64_t expires;
};

/**
 * xmap_export_create - Offer memory of this process to others
 * @dev: The library handle
 * @addr: First address
 * @length: Bytes; 0 (with @addr NULL) for all there is and will be
 * @opts: Options, or NULL to let whoever gets the descriptor read
 * @ret: Out: the export; end it with xmap_export_close()
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_export_create(struct xmap_dev *dev, const void *addr, size_t length,
				const struct xmap_export_opts *opts, struct xmap_export **ret);

/**
 * xmap_export_open - Open a published export by its name
 * @dev: The library handle
 * @name: Its name, as published in this user namespace
 * @rights: What it is to be accepted with at most; 0 for XMAP_RIGHT_READ
 * @ret: Out: the export; end it with xmap_export_close()
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_export_open(struct xmap_dev *dev, const char *name, uint32_t rights,
			      struct xmap_export **ret);

/**
 * xmap_export_open_id - Open a published export by its number
 * @dev: The library handle
 * @id: out_id of struct xmap_cmd_export_info
 * @rights: What it is to be accepted with at most; 0 for XMAP_RIGHT_READ
 * @ret: Out: the export; end it with xmap_export_close()
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_export_open_id(struct xmap_dev *dev, uint64_t id, uint32_t rights,
				 struct xmap_export **ret);

/**
 * xmap_export_from_fd - Make a handle of an export's descriptor
 * @dev: The library handle
 * @fd: The descriptor, for instance one received by SCM_RIGHTS; the handle's on
 *	success, still the caller's on failure
 * @ret: Out: the export; end it with xmap_export_close()
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_export_from_fd(struct xmap_dev *dev, int fd, struct xmap_export **ret);

/**
 * xmap_export_accept - Take what is offered
 * @offer: The export, which may be closed afterwards
 * @opts: Options, or NULL to read all that is offered
 * @ret: Out: the target; end it with xmap_target_close()
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_export_accept(struct xmap_export *offer, const struct xmap_target_opts *opts,
				struct xmap_target **ret);

/**
 * xmap_export_info - What is offered, and how often it was accepted
 * @offer: The export
 * @ret: Out: the answer
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_export_info(struct xmap_export *offer, struct xmap_cmd_export_info *ret);

/**
 * xmap_export_fd - The export's descriptor, for poll(2) and SCM_RIGHTS
 * @offer: The export, whose descriptor it stays
 *
 * Return: the descriptor.
 */
XMAP_API int xmap_export_fd(const struct xmap_export *offer);

/**
 * xmap_export_eventfd - Have 1 added to an eventfd when poll(2) may say something new
 * @offer: The export
 * @fd: See eventfd(2), in the place of the one before; -1 for none any more.  Stays the
 *	caller's, who may close it
 *
 * What happened before is not told of: poll(2) afterwards.
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_export_eventfd(struct xmap_export *offer, int fd);

/**
 * xmap_export_close - End an export handle
 * @offer: The handle, or NULL.  What was accepted lives on
 */
XMAP_API void xmap_export_close(struct xmap_export *offer);

/**
 * xmap_export_revoke - Take memory back from all who have accepted
 * @offer: An export of this process
 * @addr: First address
 * @length: Bytes; 0 (with @addr 0) for everything
 *
 * When this returns nobody reaches it any more by what was accepted.
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_export_revoke(struct xmap_export *offer, uint64_t addr, uint64_t length);

/**
 * xmap_target_revoke - Take a target back, and all that was derived from it
 * @target: A target that this process has made, or on memory that it exports
 * @addr: First address
 * @length: Bytes; 0 (with @addr 0) for everything
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_target_revoke(struct xmap_target *target, uint64_t addr, uint64_t length);

/**
 * xmap_revoke - Take back by number
 * @dev: The library handle
 * @serial: Number of an export, a target, a handle of a region or the name of a
 *	persistent one, as xmap_list() shows it
 * @addr: First address
 * @length: Bytes; 0 (with @addr 0) for everything
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_revoke(struct xmap_dev *dev, uint64_t serial, uint64_t addr, uint64_t length);

/**
 * xmap_self_deny - Refuse to be looked at by others
 * @dev: The library handle
 * @flags: Set of enum xmap_deny_flags; 0 to ask
 *
 * Return: what holds now, a set of enum xmap_deny_flags; or -errno, -EOPNOTSUPP
 * without the module.
 */
XMAP_API int xmap_self_deny(struct xmap_dev *dev, uint32_t flags);

/* ---- Regions: xmap_region_create(3) ---- */

/**
 * struct xmap_region_opts - Options of xmap_region_create()
 * @sz: sizeof(struct xmap_region_opts)
 * @flags: Set of enum xmap_region_flags
 * @mode: With XMAP_REGION_PUBLISH: who may open it, bits of 0666
 * @name: With XMAP_REGION_PUBLISH: a name of at most XMAP_NAME_SIZE - 1 printable
 *	characters without slash; else NULL
 * @gid: With XMAP_REGION_PUBLISH: group of @mode; 0 for the effective one, so that
 *	group 0 can only be had by those who have it for that
 * @__reserved: Must be 0
 * @reserve: With XMAP_REGION_FIXED_ADDRESS: how long it can become; 0 for its length.
 *	Counts against the limit of bytes
 * @addr: With XMAP_REGION_FIXED_ADDRESS: its address, or 0 for any
 */
struct xmap_region_opts {
	size_t sz;
	uint32_t flags;
	uint32_t mode;
	const char *name;
	uint32_t gid;
	uint32_t __reserved;
	uint64_t reserve;
	uint64_t addr;
};

/**
 * xmap_region_create - Make a region
 * @dev: The library handle
 * @length: Bytes, a multiple of the page size
 * @opts: Options, or NULL for a plain one
 * @ret: Out: a handle of all of it; end it with xmap_region_close()
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_region_create(struct xmap_dev *dev, size_t length,
				const struct xmap_region_opts *opts, struct xmap_region **ret);

/**
 * xmap_region_open - Open a published region by its name
 * @dev: The library handle
 * @name: Its name, as published in this user namespace
 * @rights: Rights that the handle is to have; 0 for XMAP_RIGHT_READ
 * @ret: Out: a handle of all of it; end it with xmap_region_close()
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_region_open(struct xmap_dev *dev, const char *name, uint32_t rights,
			      struct xmap_region **ret);

/**
 * xmap_region_from_fd - Make a handle of a region's descriptor
 * @dev: The library handle
 * @fd: The descriptor, for instance one received by SCM_RIGHTS; the handle's on
 *	success, still the caller's on failure
 * @ret: Out: the handle; end it with xmap_region_close()
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API int xmap_region_from_fd(struct xmap_dev *dev, int fd, struct xmap_region **ret);

/**
 * xmap_region_derive - Make a handle with fewer rights or a smaller range
 * @region: The handle, which may be closed afterwards
 * @rights: A subset of its rights, with XMAP_RIGHT_READ, XMAP_RIGHT_WRITE or both
 * @offset: First offset
 * @length: Bytes; 0 (with @offset 0) for its whole range, with what comes there later
 * @ret: Out: the handle; end it with xmap_region_close()
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_region_derive(struct xmap_region *region, uint32_t rights, uint64_t offset,
				uint64_t length, struct xmap_region **ret);

/**
 * xmap_region_info - What a region and a handle are
 * @region: The handle
 * @ret: Out: the answer
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_region_info(struct xmap_region *region, struct xmap_cmd_region_info *ret);

/**
 * xmap_region_fd - The handle's descriptor, for poll(2), read(2), write(2) and SCM_RIGHTS
 * @region: The handle, whose descriptor it stays
 *
 * Return: the descriptor.
 */
XMAP_API int xmap_region_fd(const struct xmap_region *region);

/**
 * xmap_region_close - End a handle
 * @region: The handle, or NULL.  What was mapped by it, or derived from it, lives on
 */
XMAP_API void xmap_region_close(struct xmap_region *region);

/**
 * xmap_region_map - Map a part of a region
 * @region: The handle, which may be closed afterwards
 * @offset: First offset, a multiple of the page size
 * @length: Bytes
 * @prot: PROT_READ, PROT_WRITE
 * @ret: Out: the address; end the mapping with munmap(2)
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_region_map(struct xmap_region *region, uint64_t offset, size_t length, int prot,
			     void **ret);

/**
 * xmap_region_revoke - Take a range back from a handle and all that was derived from it
 * @region: The handle
 * @offset: First offset
 * @length: Bytes; 0 (with @offset 0) for everything
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_region_revoke(struct xmap_region *region, uint64_t offset, uint64_t length);

/**
 * xmap_region_seal - Say what cannot be done to a region any more
 * @region: The handle
 * @seals: Set of enum xmap_region_seals to add
 *
 * Return: the seals that there are now, or -errno.
 */
XMAP_API int xmap_region_seal(struct xmap_region *region, uint32_t seals);

/**
 * xmap_region_resize - Change the length of a region
 * @region: The handle
 * @length: Bytes, a multiple of the page size
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_region_resize(struct xmap_region *region, uint64_t length);

/**
 * xmap_region_give - Give a region with a single owner away
 * @region: The handle
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_region_give(struct xmap_region *region);

/**
 * xmap_region_take - Become the owner of a region that was given away
 * @region: The handle
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_region_take(struct xmap_region *region);

/**
 * xmap_region_rebind - Put new pages in the place of all that a region has
 * @region: The handle
 * @generation: Out: how often this was done now; or NULL
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_region_rebind(struct xmap_region *region, uint64_t *generation);

/**
 * xmap_region_unlink - Take a region's name away
 * @region: The handle
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_region_unlink(struct xmap_region *region);

/**
 * xmap_region_notify - Have poll(2) on the other handles of a region say POLLIN
 * @region: The handle
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_region_notify(struct xmap_region *region);

/**
 * xmap_region_eventfd - Have 1 added to an eventfd when poll(2) may say something new
 * @region: The handle
 * @fd: See eventfd(2), in the place of the one before; -1 for none any more.  Stays the
 *	caller's, who may close it
 *
 * What happened before is not told of: poll(2) afterwards.
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_region_eventfd(struct xmap_region *region, int fd);

/* ---- Copies: xmap_read(3) ---- */

/**
 * xmap_read - Copy from a target
 * @target: The target
 * @addr: Address in the target, bytes
 * @buf: The caller's memory
 * @length: Bytes to copy
 *
 * Return: bytes copied, fewer where the target's memory or the handle's range
 * ends; or -errno if there were none.
 */
XMAP_API ssize_t xmap_read(struct xmap_target *target, uint64_t addr, void *buf, size_t length);

/**
 * xmap_write - Copy to a target
 * @target: The target
 * @addr: Address in the target, bytes
 * @buf: The caller's memory
 * @length: Bytes to copy
 *
 * Return: bytes copied, fewer where the target's memory or the handle's range
 * ends; or -errno if there were none.
 */
XMAP_API ssize_t xmap_write(struct xmap_target *target, uint64_t addr, const void *buf,
			    size_t length);

/**
 * xmap_readv - Copy from a target to several buffers
 * @target: The target
 * @addr: Address in the target, bytes
 * @iov: The caller's memory
 * @iovcnt: Elements of @iov, at most IOV_MAX
 *
 * Return: bytes copied, fewer where the target's memory or the handle's range
 * ends; or -errno if there were none.
 */
XMAP_API ssize_t xmap_readv(struct xmap_target *target, uint64_t addr, const struct iovec *iov,
			    int iovcnt);

/**
 * xmap_writev - Copy from several buffers to a target
 * @target: The target
 * @addr: Address in the target, bytes
 * @iov: The caller's memory
 * @iovcnt: Elements of @iov, at most IOV_MAX
 *
 * Return: bytes copied, fewer where the target's memory or the handle's range
 * ends; or -errno if there were none.
 */
XMAP_API ssize_t xmap_writev(struct xmap_target *target, uint64_t addr, const struct iovec *iov,
			     int iovcnt);

/**
 * struct xmap_copy - One copy of xmap_transfer()
 * @target: The target
 * @flags: Set of enum xmap_transfer_flags
 * @__reserved: Must be 0
 * @addr: Address in the target, bytes
 * @buf: The caller's memory
 * @length: Bytes to copy
 * @result: Out: bytes copied, or -errno if there were none
 */
struct xmap_copy {
	struct xmap_target *target;
	uint32_t flags;
	uint32_t __reserved;
	uint64_t addr;
	void *buf;
	size_t length;
	ssize_t result;
};

/**
 * xmap_transfer - Make many copies
 * @dev: The library handle
 * @copies: What to copy, in order, between any targets; one that fails does not
 *	stop the others
 * @count: Elements of @copies
 *
 * Return: number of copies whose @result was set (all of them unless
 * interrupted), or -errno.
 */
XMAP_API ssize_t xmap_transfer(struct xmap_dev *dev, struct xmap_copy *copies, size_t count);

/* ---- Windows: xmap_map(3) ---- */

/**
 * struct xmap_window - A mapping of a target's memory in the caller
 * @addr: Where it is; plain loads and stores work, and raise SIGBUS where the
 *	target has no memory (any more) or its right is gone
 * @length: Bytes
 * @remote: Address in the target that @addr shows
 * @prot: PROT_READ, or PROT_READ | PROT_WRITE
 *
 * Made by xmap_map(), ended by xmap_unmap(); read-only for the program.
 */
struct xmap_window {
	void *addr;
	size_t length;
	uint64_t remote;
	int prot;
};

/**
 * struct xmap_map_opts - Options of xmap_map()
 * @sz: sizeof(struct xmap_map_opts)
 * @prot: 0 for PROT_READ, or PROT_READ | PROT_WRITE
 * @flags: 0, MAP_FIXED or MAP_FIXED_NOREPLACE (with @hint)
 * @hint: Address in the caller, or NULL
 */
struct xmap_map_opts {
	size_t sz;
	int prot;
	int flags;
	void *hint;
};

/**
 * xmap_map - Make a window
 * @target: The target, which may be closed afterwards
 * @addr: Address in the target, a multiple of the page size
 * @length: Bytes, a multiple of the page size
 * @opts: Options, or NULL for a window to read anywhere
 * @ret: Out: the window; end it with xmap_unmap()
 *
 * Return: 0 or -errno; -EOPNOTSUPP without the module; -EOVERFLOW if the range wraps
 * around, and in a 32-bit program if @addr is 2^44 or more.
 */
XMAP_API int xmap_map(struct xmap_target *target, uint64_t addr, size_t length,
		      const struct xmap_map_opts *opts, struct xmap_window **ret);

/**
 * xmap_unmap - End a window
 * @win: The window, or NULL.  Its memory is not to be touched any more
 */
XMAP_API void xmap_unmap(struct xmap_window *win);

/**
 * xmap_window_prefault - Populate part of a window now
 * @win: The window
 * @offset: Where to begin, a multiple of the page size
 * @length: Bytes, a multiple of the page size, within the window
 * @flags: Set of enum xmap_target_prefault_flags
 *
 * Return: bytes populated from @offset on, or -errno.
 */
XMAP_API ssize_t xmap_window_prefault(struct xmap_window *win, size_t offset, size_t length,
				      uint32_t flags);

/**
 * xmap_window_copy_from - Read a window without any danger of a signal
 * @win: The window
 * @offset: Where to begin, at most the window's length
 * @buf: The caller's memory
 * @length: Bytes to copy; cut at the end of the window
 *
 * Return: the bytes that were there, or -errno (-EFAULT) if there were none.
 */
XMAP_API ssize_t xmap_window_copy_from(struct xmap_window *win, size_t offset, void *buf,
				       size_t length);

/**
 * xmap_window_copy_to - Write a window without any danger of a signal
 * @win: The window
 * @offset: Where to begin, at most the window's length
 * @buf: The caller's memory
 * @length: Bytes to copy; cut at the end of the window
 *
 * Return: the bytes that were there, or -errno (-EFAULT) if there were none.
 */
XMAP_API ssize_t xmap_window_copy_to(struct xmap_window *win, size_t offset, const void *buf,
				     size_t length);

/* ---- The target's mappings: xmap_maps_open(3) ---- */

/**
 * xmap_maps_open - Begin to list a target's mappings
 * @target: The target, which may be closed afterwards
 * @ret: Out: the list; end it with xmap_maps_close()
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_maps_open(struct xmap_target *target, struct xmap_maps **ret);

/**
 * xmap_maps_next - The next mapping, in order of address
 * @maps: The list
 * @ret: Out: the mapping, valid until the next call or xmap_maps_close()
 *
 * Return: 1 and *@ret, 0 at the end, or -errno.
 */
XMAP_API int xmap_maps_next(struct xmap_maps *maps, const struct xmap_vma **ret);

/**
 * xmap_maps_close - End a list of mappings
 * @maps: The list, or NULL
 */
XMAP_API void xmap_maps_close(struct xmap_maps *maps);

/* ---- Who has what on whom: xmap_list(3) ---- */

/**
 * xmap_list - Who has targets and windows on whom, and what of regions
 * @dev: The library handle
 * @cursor: 0 to begin; moved to where to go on, 0 at the end
 * @entries: Room for entries
 * @count: How many, 1 or more
 *
 * Return: number of entries, or -errno; -EOPNOTSUPP without the module.
 */
XMAP_API ssize_t xmap_list(struct xmap_dev *dev, uint64_t *cursor,
			   struct xmap_list_entry *entries, size_t count);

/* ---- Channels: xmap_channel_create(3), xmap_channel_send(3) ---- */

/* Descriptors that one record can bring along. */
#define XMAP_CHANNEL_FDS_MAX 16

/* Descriptors that one end of a channel is made of. */
#define XMAP_CHANNEL_NR_FDS 4

/**
 * enum xmap_channel_flags - How a channel's end behaves
 * @XMAP_CHANNEL_NO_SPIN: Go to sleep at once when there is nothing to do, even
 *	where the peer answers sooner than sleeping takes
 */
enum xmap_channel_flags {
	XMAP_CHANNEL_NO_SPIN = 1,
};

/**
 * enum xmap_channel_way - One of a channel's two directions
 * @XMAP_CHANNEL_SEND: From here to the peer
 * @XMAP_CHANNEL_RECV: From the peer to here
 */
enum xmap_channel_way {
	XMAP_CHANNEL_SEND = 1,
	XMAP_CHANNEL_RECV = 2,
};

/**
 * struct xmap_channel_opts - Options of a channel's end
 * @sz: sizeof(struct xmap_channel_opts)
 * @ring: xmap_channel_create(): bytes of memory for each direction, rounded up to
 *	a power of two from 4096 to 2^30; 0 for 256 KiB.  Else 0
 * @flags: Set of enum xmap_channel_flags
 * @__reserved: Must be 0
 * @dev: NULL; or, with the module: xmap_channel_create() takes the memory from a region,
 *	so that xmap_channel_revoke() can take it back from the peer, and
 *	xmap_channel_from_fds() accepts such memory
 */
struct xmap_channel_opts {
	size_t sz;
	size_t ring;
	uint32_t flags;
	uint32_t __reserved;
	struct xmap_dev *dev;
};

/**
 * struct xmap_channel_fds - One end of a channel, to be given to another process
 * @fd: To be passed on in this order
 */
struct xmap_channel_fds {
	int fd[XMAP_CHANNEL_NR_FDS];
};

/**
 * xmap_channel_create - Make a channel to another process
 * @opts: Options, or NULL
 * @peer: Out: the other end, all close-on-exec, for xmap_channel_from_fds() in the
 *	other process; to be closed here once it has them
 * @ret: Out: this end; end it with xmap_channel_close()
 *
 * A privilege is not needed, nor the module without @opts->dev.
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_channel_create(const struct xmap_channel_opts *opts,
				 struct xmap_channel_fds *peer, struct xmap_channel **ret);

/**
 * xmap_channel_from_fds - Make a handle of the other end
 * @opts: Options, or NULL
 * @fds: As the other side made them; the handle's on success, still the caller's
 *	on failure
 * @ret: Out: this end; end it with xmap_channel_close()
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_channel_from_fds(const struct xmap_channel_opts *opts,
				   const struct xmap_channel_fds *fds, struct xmap_channel **ret);

/**
 * xmap_channel_close - End a channel's handle
 * @ch: The handle, or NULL
 *
 * The peer reads what was sent, and then gets -EPIPE.
 */
XMAP_API void xmap_channel_close(struct xmap_channel *ch);

/**
 * xmap_channel_shutdown - Say that no more records will follow
 * @ch: The channel, which still receives
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_channel_shutdown(struct xmap_channel *ch);

/**
 * xmap_channel_revoke - Take the channel's memory back from the peer
 * @ch: A channel of a region, and the end that created it
 *
 * When this returns the peer does not reach it any more, and the channel is dead for
 * both.
 *
 * Return: 0 or -errno; -EOPNOTSUPP if it cannot be taken back.
 */
XMAP_API int xmap_channel_revoke(struct xmap_channel *ch);

/**
 * xmap_channel_fault - For a handler of SIGBUS: was it this channel's memory?
 * @ch: The channel
 * @addr: si_addr of the signal
 *
 * If it was, nothing raises SIGBUS there any more, and the channel is dead.  May be
 * called in a signal handler, while another call works on the channel.
 *
 * Return: 1 if it was, so that the handler can return; 0 if it was not; or -errno.
 */
XMAP_API int xmap_channel_fault(struct xmap_channel *ch, const void *addr);

/**
 * xmap_channel_send - Send a record
 * @ch: The channel
 * @buf: The caller's memory
 * @length: Bytes, 0 or more
 * @timeout: Milliseconds to wait for room; 0 not to wait, negative for ever
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_channel_send(struct xmap_channel *ch, const void *buf, size_t length,
			       int timeout);

/**
 * xmap_channel_sendv - Send a record of several pieces, with descriptors
 * @ch: The channel
 * @iov: The caller's memory
 * @iovcnt: Elements of @iov, at most IOV_MAX
 * @fds: Descriptors, of which the peer gets duplicates
 * @nfds: How many, at most XMAP_CHANNEL_FDS_MAX
 * @timeout: Milliseconds to wait for room; 0 not to wait, negative for ever
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_channel_sendv(struct xmap_channel *ch, const struct iovec *iov, int iovcnt,
				const int *fds, unsigned int nfds, int timeout);

/**
 * xmap_channel_recv - Receive a record
 * @ch: The channel
 * @buf: The caller's memory
 * @length: Bytes of it
 * @timeout: Milliseconds to wait for a record; 0 not to wait, negative for ever
 *
 * Return: the record's bytes, or -errno; -EMSGSIZE leaves it where it is.
 */
XMAP_API ssize_t xmap_channel_recv(struct xmap_channel *ch, void *buf, size_t length,
				   int timeout);

/**
 * xmap_channel_recvv - Receive a record into several pieces, with descriptors
 * @ch: The channel
 * @iov: The caller's memory
 * @iovcnt: Elements of @iov, at most IOV_MAX
 * @fds: Out: close-on-exec descriptors, the caller's now
 * @nfds: In: room at @fds.  Out: how many there are.  NULL for no room
 * @timeout: Milliseconds to wait for a record; 0 not to wait, negative for ever
 *
 * Return: the record's bytes, or -errno; -EMSGSIZE leaves it where it is.
 */
XMAP_API ssize_t xmap_channel_recvv(struct xmap_channel *ch, const struct iovec *iov, int iovcnt,
				    int *fds, unsigned int *nfds, int timeout);

/**
 * xmap_channel_send_region - Send a record, and with it the memory of a region
 * @ch: The channel
 * @buf: The caller's memory
 * @length: Bytes, 0 or more
 * @region: A handle of all of a region with a single owner, which is the caller; stays
 *	the caller's to close
 * @timeout: Milliseconds to wait for room; 0 not to wait, negative for ever
 *
 * The memory is given away, not copied, and until the peer takes it is there for whoever
 * has a handle of all of it.  On failure it is the caller's again, unless such a one has
 * taken it meanwhile.
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_channel_send_region(struct xmap_channel *ch, const void *buf, size_t length,
				      struct xmap_region *region, int timeout);

/**
 * xmap_channel_recv_region - Receive a record, and take the region that comes with it
 * @ch: The channel
 * @buf: The caller's memory
 * @length: Bytes of it
 * @ret: Out: the region, owned by the caller, to be ended with xmap_region_close(); NULL
 *	if the record came without
 * @timeout: Milliseconds to wait for a record; 0 not to wait, negative for ever
 *
 * Return: the record's bytes, or -errno.  -EMSGSIZE leaves it where it is.  -EBADMSG:
 * what came with it is not a region that can be taken; both were thrown away.
 */
XMAP_API ssize_t xmap_channel_recv_region(struct xmap_channel *ch, void *buf, size_t length,
					  struct xmap_region **ret, int timeout);

/**
 * xmap_channel_reserve - Get room for a record, to write it in place
 * @ch: The channel
 * @length: Bytes
 * @timeout: Milliseconds to wait for room; 0 not to wait, negative for ever
 * @ret: Out: the room, 8-byte aligned, until the next send, reserve or commit.  The
 *	peer can see and change it
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_channel_reserve(struct xmap_channel *ch, size_t length, int timeout, void **ret);

/**
 * xmap_channel_commit - Send what was written in place
 * @ch: The channel
 * @length: Bytes, at most those reserved
 * @fds: Descriptors, of which the peer gets duplicates
 * @nfds: How many, at most XMAP_CHANNEL_FDS_MAX
 *
 * Return: 0 or -errno.  -EAGAIN: the peer has to take other descriptors first; the
 * room is still reserved.
 */
XMAP_API int xmap_channel_commit(struct xmap_channel *ch, size_t length, const int *fds,
				 unsigned int nfds);

/**
 * struct xmap_channel_record - A record that is read in place
 * @data: Its bytes, 8-byte aligned.  The peer can change them at any time
 * @length: How many
 * @nfds: Descriptors that come with it, for xmap_channel_take_fds()
 * @__reserved: 0
 */
struct xmap_channel_record {
	const void *data;
	size_t length;
	unsigned int nfds;
	unsigned int __reserved;
};

/**
 * xmap_channel_peek - Look at the next record in place
 * @ch: The channel
 * @timeout: Milliseconds to wait for a record; 0 not to wait, negative for ever
 * @ret: Out: the record, until it is released or received
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_channel_peek(struct xmap_channel *ch, int timeout,
			       struct xmap_channel_record *ret);

/**
 * xmap_channel_take_fds - Take the descriptors of the record that is looked at
 * @ch: The channel
 * @fds: Out: close-on-exec descriptors, the caller's now
 * @count: Room at @fds
 *
 * Return: how many there are, or -errno.
 */
XMAP_API int xmap_channel_take_fds(struct xmap_channel *ch, int *fds, unsigned int count);

/**
 * xmap_channel_release - Be done with the record that was looked at
 * @ch: The channel
 *
 * Descriptors that were not taken are closed.
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_channel_release(struct xmap_channel *ch);

/**
 * xmap_channel_fd - A descriptor for poll(2) and its like
 * @ch: The channel, whose descriptor it stays
 * @way: enum xmap_channel_way: to wait for room, or for a record
 *
 * It is not to be read from or written to.
 *
 * Return: the descriptor, or -errno.
 */
XMAP_API int xmap_channel_fd(struct xmap_channel *ch, int way);

/**
 * xmap_channel_arm - Ask for POLLIN on the descriptor of xmap_channel_fd()
 * @ch: The channel
 * @way: enum xmap_channel_way: to wait for room, or for a record
 * @length: XMAP_CHANNEL_SEND: for a record of so many bytes.  Else 0
 *
 * Return: 0 if the descriptor will be readable when there is something to do; 1 if
 * there is already, and nothing was asked for; or -errno.
 */
XMAP_API int xmap_channel_arm(struct xmap_channel *ch, int way, size_t length);

/**
 * struct xmap_channel_counts - What was done in one direction
 * @records: Records sent, or received
 * @bytes: Bytes in them
 * @sleeps: Times that this side went to sleep
 * @spins: Times that it did not have to, since spinning was enough
 * @bells: Times that it woke the other side, by a system call
 */
struct xmap_channel_counts {
	uint64_t records;
	uint64_t bytes;
	uint64_t sleeps;
	uint64_t spins;
	uint64_t bells;
};

/**
 * struct xmap_channel_info - What xmap_channel_info() tells
 * @sz: In: sizeof(struct xmap_channel_info)
 * @max_length: Bytes of the longest record that can be sent
 * @send: What was sent
 * @recv: What was received
 */
struct xmap_channel_info {
	size_t sz;
	size_t max_length;
	struct xmap_channel_counts send;
	struct xmap_channel_counts recv;
};

/**
 * xmap_channel_info - Limits of a channel, and what this end has done
 * @ch: The channel, used by no other thread meanwhile
 * @ret: Out: the answer, as much of it as its sz says
 *
 * Return: 0 or -errno.
 */
XMAP_API int xmap_channel_info(struct xmap_channel *ch, struct xmap_channel_info *ret);

#ifdef __cplusplus
}
#endif

#endif /* XMAP_H */
