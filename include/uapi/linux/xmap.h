/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * xmap - map, read and change the memory of another process.
 *
 * This header is the specification of the interface between /dev/xmap and
 * user space.  See Documentation/userspace-api/xmap.rst for a walk-through.
 */
#ifndef _UAPI_LINUX_XMAP_H
#define _UAPI_LINUX_XMAP_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: General ioctl format
 *
 * Every object is a file descriptor: /dev/xmap itself; a *target*, which
 * stands for (part of) one address space together with a set of rights; an
 * *export*, by which a process offers its own memory, so that others can have a
 * target on it without any privilege; and a handle of a *region*, which is memory
 * that belongs to no process.  A *window* is a mapping made by mmap() on a target.
 *
 * Every command takes a pointer to a structure that begins with
 *
 *  - size: sizeof() the structure as the caller knows it, in bytes.  The
 *    structure can grow at its tail.  A structure that is longer than the
 *    kernel knows is accepted when the unknown tail is zero and all of it is not
 *    longer than a page of 4096 bytes (else E2BIG).  One that is shorter than the
 *    first released version is EINVAL.
 *  - flags: a set of the flags of that command.  Unknown bits: EOPNOTSUPP.
 *
 * Reserved fields must be 0 (else EOPNOTSUPP).  Fields named ``out_*`` are
 * written by the kernel, all others are read only.  Nothing is written unless
 * the command succeeds, except where a field says so.
 *
 * All commands and file operations use one vocabulary of errors:
 *
 *  - ENOTTY: this kind of file descriptor has no such command.
 *  - E2BIG: the structure has a non-zero tail that the kernel does not know, or is
 *    longer than a page.
 *  - EOPNOTSUPP: a known field holds an unknown flag or reserved value, or asks for
 *    what this kernel does not have.
 *  - EINVAL: a wrong value, size or alignment.
 *  - EFAULT: a bad pointer of the caller, or no such memory in the target, or
 *    memory that the target itself may not access that way.
 *  - EPERM, EACCES: as the kernel's own ptrace access check says.  EPERM: only
 *    its maker, the memory's owner or an administrator may do that; or the caller is
 *    not in that group; or a region is sealed against it, or another's.
 *  - EACCES: a right, or a part of the address space or the region, that the handle
 *    lacks; the process refuses; the mode of an export or a region does not allow it,
 *    or it is offered to somebody else.
 *  - EBADF: not an open file descriptor.  EBADFD: one of the wrong kind.
 *  - EMFILE, ENFILE: no file descriptor is free, of the caller or at all.
 *  - ESRCH: there is no such process, or the address space has ended.
 *  - ESTALE: it has been revoked; or the offer has expired or was closed.
 *  - EEXIST, ENOENT: there is such a name already, or none.  EEXIST: the place of a
 *    region is another's, or something is mapped there.  ENOENT: there is no object of
 *    that number.
 *  - EBUSY: somebody has it: as the owner of a region, or mapped to write.
 *  - ENOSPC: there is no room: no address for a region, not so much at the one that it
 *    has, or a write at its end.
 *  - EFBIG: longer than RLIMIT_FSIZE allows, of a region with huge pages.
 *  - EIO: the hardware has lost that memory of a region.
 *  - EOVERFLOW: a range wraps around, or a number does not fit.
 *  - EDQUOT: one of the caller's limits is reached; or the object was accepted often
 *    enough, derived too deep, or revoked in too many pieces.
 *  - EINTR: a signal came before anything was done; call again.  (Commands on a region
 *    are only interrupted by one that kills.  XMAP_REVOKE and XMAP_DENY may have done
 *    something: see there.)
 *  - EAGAIN: the target kept changing its program; call again.  With RWF_NOWAIT: it
 *    would have to wait.
 *  - ENOMEM: no kernel memory; or no memory to commit for huge pages.
 */
#define XMAP_TYPE 0xB9

/* Version of the interface: XMAP_QUERY's out_abi. */
#define XMAP_ABI_VERSION 1

/* Command numbers: stable, never reused.  XMAP_QUERY tells which exist. */
enum {
	XMAP_CMD_BASE = 0x80,
	XMAP_CMD_QUERY = 0x80,
	XMAP_CMD_LIST = 0x81,
	XMAP_CMD_TRANSFER = 0x82,
	XMAP_CMD_TARGET_OPEN = 0x83,
	XMAP_CMD_TARGET_INFO = 0x84,
	XMAP_CMD_TARGET_DERIVE = 0x85,
	XMAP_CMD_TARGET_MAPS = 0x86,
	XMAP_CMD_TARGET_PREFAULT = 0x87,
	XMAP_CMD_REVOKE = 0x88,
	XMAP_CMD_EXPORT_CREATE = 0x89,
	XMAP_CMD_EXPORT_OPEN = 0x8a,
	XMAP_CMD_EXPORT_ACCEPT = 0x8b,
	XMAP_CMD_EXPORT_INFO = 0x8c,
	XMAP_CMD_DENY = 0x8d,
	XMAP_CMD_REGION_CREATE = 0x8e,
	XMAP_CMD_REGION_OPEN = 0x8f,
	XMAP_CMD_REGION_DERIVE = 0x90,
	XMAP_CMD_REGION_INFO = 0x91,
	XMAP_CMD_REGION_SEAL = 0x92,
	XMAP_CMD_REGION_RESIZE = 0x93,
	XMAP_CMD_REGION_GIVE = 0x94,
	XMAP_CMD_REGION_TAKE = 0x95,
	XMAP_CMD_REGION_REBIND = 0x96,
	XMAP_CMD_REGION_UNLINK = 0x97,
	XMAP_CMD_REGION_NOTIFY = 0x98,
	XMAP_CMD_EVENTFD = 0x99,
};

/**
 * enum xmap_rights - What a target or a handle of a region may be used for
 * @XMAP_RIGHT_READ: Read, map readable, list the mappings.
 * @XMAP_RIGHT_WRITE: Write, and map writable, what the target process itself
 *	may write.
 * @XMAP_RIGHT_FORCE: Write also what the target process maps read-only, as a
 *	debugger does to set a breakpoint: a private page is copied first, a
 *	shared one is refused.  Includes nothing else, needs XMAP_RIGHT_WRITE
 *	beside it, and is subject to the system's policy for forced writes
 *	through /proc/PID/mem.  Applies to write(2) and its kin on the target,
 *	and to XMAP_TRANSFER entries with XMAP_TRANSFER_FORCE; a window never
 *	forces.  A forced write for which there is no memory can end with EFAULT,
 *	and one that the policy forbids does, as /proc/PID/mem does not tell the
 *	one from the other.
 * @XMAP_RIGHT_MANAGE: Of a handle of a region: seal, resize, rebind and unlink
 *	it.  Targets and exports do not have it.
 */
enum xmap_rights {
	XMAP_RIGHT_READ = 1 << 0,
	XMAP_RIGHT_WRITE = 1 << 1,
	XMAP_RIGHT_FORCE = 1 << 2,
	XMAP_RIGHT_MANAGE = 1 << 3,
};

/**
 * enum xmap_features - Bits of out_features in struct xmap_cmd_query
 * @XMAP_FEATURE_WINDOW: mmap() on a target works.
 * @XMAP_FEATURE_MEMFD: XMAP_TARGET_OPEN accepts an open /proc/PID/mem.
 * @XMAP_FEATURE_NOWAIT: RWF_NOWAIT on a target reads and writes what is
 *	resident without blocking; io_uring completes such requests inline.
 * @XMAP_FEATURE_EXPORT: Exports, revocation and XMAP_DENY exist.
 * @XMAP_FEATURE_REGION: Regions exist.
 */
enum xmap_features {
	XMAP_FEATURE_WINDOW = 1 << 0,
	XMAP_FEATURE_MEMFD = 1 << 1,
	XMAP_FEATURE_NOWAIT = 1 << 2,
	XMAP_FEATURE_EXPORT = 1 << 3,
	XMAP_FEATURE_REGION = 1 << 4,
};

/**
 * struct xmap_cmd_query - ioctl(XMAP_QUERY) on /dev/xmap
 * @size: sizeof(struct xmap_cmd_query)
 * @flags: Must be 0
 * @out_abi: XMAP_ABI_VERSION of the module
 * @out_max_targets: Targets that one user may have at a time
 * @out_max_windows: Windows that one user may have at a time
 * @out_targets: Targets that the calling user has now
 * @out_windows: Windows that the calling user has now
 * @__reserved: Must be 0
 * @out_features: Set of enum xmap_features
 * @out_commands: Bit n is set if command XMAP_CMD_BASE + n exists
 * @out_errata: Bit n is set if erratum n of this ABI version is fixed
 * @out_max_exports: Exports that one user may have at a time
 * @out_exports: Exports that the calling user has now
 * @out_max_regions: Handles of regions that one user may have at a time; also how
 *	many regions of his there may be, and how many of them by their name alone
 * @out_regions: Handles of regions that the calling user has now
 * @out_max_region_bytes: How long the regions that one user has created may be
 *	together, in bytes; one with a fixed address counts with all that it has
 *	reserved
 * @out_region_bytes: How long those of the calling user are now, in the same way
 *
 * Ask what this module can do.  Needs no right.  The counts are those of the
 * caller's effective user id.
 */
struct xmap_cmd_query {
	__u32 size;
	__u32 flags;
	__u32 out_abi;
	__u32 out_max_targets;
	__u32 out_max_windows;
	__u32 out_targets;
	__u32 out_windows;
	__u32 __reserved;
	__aligned_u64 out_features;
	__aligned_u64 out_commands;
	__aligned_u64 out_errata;
	__u32 out_max_exports;
	__u32 out_exports;
	__u32 out_max_regions;
	__u32 out_regions;
	__aligned_u64 out_max_region_bytes;
	__aligned_u64 out_region_bytes;
};
#define XMAP_QUERY _IO(XMAP_TYPE, XMAP_CMD_QUERY)

/**
 * enum xmap_target_open_flags - Flags of XMAP_TARGET_OPEN
 * @XMAP_TARGET_OPEN_MEM: @fd is not a pidfd but an open /proc/PID/mem.
 */
enum xmap_target_open_flags {
	XMAP_TARGET_OPEN_MEM = 1 << 0,
};

/**
 * struct xmap_cmd_target_open - ioctl(XMAP_TARGET_OPEN) on /dev/xmap
 * @size: sizeof(struct xmap_cmd_target_open)
 * @flags: Set of enum xmap_target_open_flags
 * @fd: A pidfd, or with XMAP_TARGET_OPEN_MEM an open /proc/PID/mem
 * @pid: Number of the pidfd's process (or thread) in the caller's pid
 *	namespace.  Must be 0 with XMAP_TARGET_OPEN_MEM.
 * @rights: Set of enum xmap_rights, not empty
 * @out_fd: The new target, close-on-exec
 * @addr: First address of the target's address space to give access to, in
 *	bytes, any alignment
 * @length: Length of the range in bytes; 0 (with addr 0) for all
 *
 * Get access to the address space that the process has now.  With a pidfd the
 * caller needs exactly what ptrace(PTRACE_ATTACH) needs
 * (PTRACE_MODE_ATTACH_FSCREDS: user ids, dumpable, CAP_SYS_PTRACE in the
 * target's user namespace, Yama, every LSM).  With an open /proc/PID/mem that
 * check was made when the file was opened; the file's mode bounds the rights:
 * open for reading gives READ, open for writing WRITE and FORCE.
 *
 * The target is bound to this one address space.  When the process executes
 * another program or ends, the target answers ESRCH and poll() POLLHUP.
 *
 * Errors besides the general ones: EFAULT (the range leaves the user address
 * space), EACCES (the ptrace check said no, the mem file's mode lacks a right,
 * or the process refuses, see XMAP_DENY), ESRCH (no such process, a zombie, a kernel
 * thread, or @pid is not the number of @fd's process), EBADFD (@fd is not a
 * pidfd, or not a /proc/PID/mem), EDQUOT.
 */
struct xmap_cmd_target_open {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__s32 pid;
	__u32 rights;
	__s32 out_fd;
	__aligned_u64 addr;
	__aligned_u64 length;
};
#define XMAP_TARGET_OPEN _IO(XMAP_TYPE, XMAP_CMD_TARGET_OPEN)

/**
 * enum xmap_target_state - State of a target, an export or a handle of a region
 * @XMAP_TARGET_ALIVE: The address space exists.
 * @XMAP_TARGET_DEAD: The address space has ended: every use is ESRCH.
 * @XMAP_TARGET_REVOKED: All of it has been revoked, or its maker has closed the
 *	export: every use is ESTALE.  It stays so when the address space ends, and
 *	what is DEAD can still be revoked, and is this from then on.
 */
enum xmap_target_state {
	XMAP_TARGET_ALIVE = 1,
	XMAP_TARGET_DEAD = 2,
	XMAP_TARGET_REVOKED = 3,
};

/**
 * struct xmap_cmd_target_info - ioctl(XMAP_TARGET_INFO) on a target
 * @size: sizeof(struct xmap_cmd_target_info)
 * @flags: Must be 0
 * @out_rights: Set of enum xmap_rights
 * @out_state: enum xmap_target_state
 * @out_pid: Number of the process it was opened on, in the caller's pid
 *	namespace; 0 if it has ended, has another address space by now, is not
 *	visible there, or is not known
 * @out_windows: Windows that exist on this target
 * @out_addr: First address in bytes
 * @out_length: Length in bytes
 *
 * Before the caller can look at the process of @out_pid it may run another
 * program: that it has the memory holds for the moment of the call.
 *
 * poll() on a target says POLLHUP when the address space has ended, or all of the range
 * has been revoked.  It says POLLIN and POLLOUT at any time: who waits for POLLHUP asks
 * for no events.
 */
struct xmap_cmd_target_info {
	__u32 size;
	__u32 flags;
	__u32 out_rights;
	__u32 out_state;
	__s32 out_pid;
	__u32 out_windows;
	__aligned_u64 out_addr;
	__aligned_u64 out_length;
};
#define XMAP_TARGET_INFO _IO(XMAP_TYPE, XMAP_CMD_TARGET_INFO)

/**
 * struct xmap_cmd_target_derive - ioctl(XMAP_TARGET_DERIVE) on a target
 * @size: sizeof(struct xmap_cmd_target_derive)
 * @flags: Must be 0
 * @rights: Set of enum xmap_rights, not empty, subset of the target's
 * @out_fd: The new target, close-on-exec
 * @addr: First address in bytes, any alignment
 * @length: Length in bytes; 0 (with addr 0) for the target's whole range
 *
 * Make a target with fewer rights or a smaller range, to be kept or passed on
 * with SCM_RIGHTS.  It lives on when the first one is closed, but not when that
 * is revoked: see XMAP_REVOKE.
 *
 * Errors besides the general ones: EACCES (a right or a part of the range that
 * the target lacks), ESRCH, ESTALE (all of the range has been revoked), EDQUOT
 * (too many targets, or derived from each other more than 32 deep).
 */
struct xmap_cmd_target_derive {
	__u32 size;
	__u32 flags;
	__u32 rights;
	__s32 out_fd;
	__aligned_u64 addr;
	__aligned_u64 length;
};
#define XMAP_TARGET_DERIVE _IO(XMAP_TYPE, XMAP_CMD_TARGET_DERIVE)

/**
 * enum xmap_vma_flags - Flags of struct xmap_vma
 * @XMAP_VMA_READ: The target may read it.
 * @XMAP_VMA_WRITE: The target may write it.
 * @XMAP_VMA_EXEC: The target may execute it.
 * @XMAP_VMA_SHARED: Shared; a write reaches the file and other processes.
 * @XMAP_VMA_ANON: Memory without a file (offset, device and inode are 0).
 * @XMAP_VMA_HUGETLB: Explicit huge pages.
 * @XMAP_VMA_IO: Device memory or another raw mapping: neither transfers nor
 *	windows reach it.
 * @XMAP_VMA_WINDOW: It is an xmap window: neither transfers nor windows
 *	reach through it.
 * @XMAP_VMA_TRUNCATED: The name was longer than the kernel reports.
 */
enum xmap_vma_flags {
	XMAP_VMA_READ = 1 << 0,
	XMAP_VMA_WRITE = 1 << 1,
	XMAP_VMA_EXEC = 1 << 2,
	XMAP_VMA_SHARED = 1 << 3,
	XMAP_VMA_ANON = 1 << 4,
	XMAP_VMA_HUGETLB = 1 << 5,
	XMAP_VMA_IO = 1 << 6,
	XMAP_VMA_WINDOW = 1 << 7,
	XMAP_VMA_TRUNCATED = 1 << 8,
};

/**
 * struct xmap_vma - One mapping of the target, as XMAP_TARGET_MAPS reports it
 * @size: Size of this record with its name and padding, a multiple of 8
 * @flags: Set of enum xmap_vma_flags
 * @start: First address in bytes
 * @end: Address after the last one
 * @offset: Offset of @start in the file, in bytes
 * @inode: Inode number of the file
 * @dev_major: Major number of the file's device
 * @dev_minor: Minor number of the file's device
 * @page_size: Size of the pages that back it, in bytes
 * @name_len: Length of the name without the terminating NUL byte
 * @name: Path of the file, or "[heap]", "[stack]", "[vdso]", ..., or ""; ends
 *	in a NUL byte.  A path is as /proc/PID/maps shows it to the caller, but
 *	unescaped; it ends in " (deleted)" where the file has no name any more.
 */
struct xmap_vma {
	__u32 size;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 end;
	__aligned_u64 offset;
	__aligned_u64 inode;
	__u32 dev_major;
	__u32 dev_minor;
	__u32 page_size;
	__u32 name_len;
	char name[];
};

/**
 * struct xmap_cmd_target_maps - ioctl(XMAP_TARGET_MAPS) on a target
 * @size: sizeof(struct xmap_cmd_target_maps)
 * @flags: Must be 0
 * @addr: Report mappings that end after this address; 0 to begin
 * @buf: User pointer to room for struct xmap_vma records
 * @buf_size: Bytes of room at @buf, at least 8192
 * @out_count: Records written
 * @out_used: Bytes written
 * @__reserved: Must be 0
 * @out_next: Where to go on: the next call's @addr; 0 when all were reported
 *
 * List the mappings of the target's range, in order of address.  Mappings
 * that reach out of the range are reported cut to it.  A mapping of which all
 * has been revoked is not reported; one of which a part has been is reported as
 * if it had not.  Needs READ.  Each call is a consistent view of at least one
 * mapping; between calls the target may change.
 *
 * Errors besides the general ones: EACCES (no READ), ESRCH, ESTALE (all of the
 * range has been revoked), EINVAL (@buf_size too small).
 */
struct xmap_cmd_target_maps {
	__u32 size;
	__u32 flags;
	__aligned_u64 addr;
	__aligned_u64 buf;
	__u32 buf_size;
	__u32 out_count;
	__u32 out_used;
	__u32 __reserved;
	__aligned_u64 out_next;
};
#define XMAP_TARGET_MAPS _IO(XMAP_TYPE, XMAP_CMD_TARGET_MAPS)

/**
 * enum xmap_target_prefault_flags - Flags of XMAP_TARGET_PREFAULT
 * @XMAP_TARGET_PREFAULT_WRITE: Make the pages writable, which copies private
 *	pages in the target as a write would.
 */
enum xmap_target_prefault_flags {
	XMAP_TARGET_PREFAULT_WRITE = 1 << 0,
};

/**
 * struct xmap_cmd_target_prefault - ioctl(XMAP_TARGET_PREFAULT) on a target
 * @size: sizeof(struct xmap_cmd_target_prefault)
 * @flags: Set of enum xmap_target_prefault_flags
 * @addr: Address in one of the caller's windows on this target, page aligned
 * @length: Length in bytes, a multiple of the page size, within the window
 * @out_length: Bytes populated, from @addr on
 *
 * Populate part of a window now instead of by faults later.  Stops early,
 * with success, at the first page that the target does not have; if that is
 * the very first one the command fails with EFAULT.  Populated pages can go
 * again at any time, as they do in any window.
 *
 * Errors besides the general ones: EINVAL (no window of this target there),
 * ESTALE (the first page has been revoked), EACCES (WRITE on a window that is not
 * writable, or any on one that is mapped PROT_NONE), ESRCH.
 */
struct xmap_cmd_target_prefault {
	__u32 size;
	__u32 flags;
	__aligned_u64 addr;
	__aligned_u64 length;
	__aligned_u64 out_length;
};
#define XMAP_TARGET_PREFAULT _IO(XMAP_TYPE, XMAP_CMD_TARGET_PREFAULT)

/**
 * enum xmap_transfer_flags - Flags of struct xmap_transfer
 * @XMAP_TRANSFER_WRITE: Copy from the caller to the target; else to the caller.
 * @XMAP_TRANSFER_FORCE: With WRITE: use XMAP_RIGHT_FORCE.
 */
enum xmap_transfer_flags {
	XMAP_TRANSFER_WRITE = 1 << 0,
	XMAP_TRANSFER_FORCE = 1 << 1,
};

/**
 * struct xmap_transfer - One copy of XMAP_TRANSFER
 * @fd: A target
 * @flags: Set of enum xmap_transfer_flags
 * @remote: Address in the target in bytes, any alignment
 * @local: Address in the caller in bytes, any alignment
 * @length: Bytes to copy; 0 is allowed
 * @out_result: Bytes copied, or a negative errno if there were none
 */
struct xmap_transfer {
	__s32 fd;
	__u32 flags;
	__aligned_u64 remote;
	__aligned_u64 local;
	__aligned_u64 length;
	__s64 out_result;
};

/**
 * struct xmap_cmd_transfer - ioctl(XMAP_TRANSFER) on /dev/xmap
 * @size: sizeof(struct xmap_cmd_transfer)
 * @flags: Must be 0
 * @entries: User pointer to an array of struct xmap_transfer
 * @count: Entries of the array, 1 or more
 * @out_done: Entries whose @out_result was written, from the first on
 *
 * Many copies in one call, in order, between any targets.  (An entry whose
 * local memory is a window must not count on what it changes there being seen
 * by the entries after it.)  An entry that fails does not stop the others: look
 * at each @out_result.  @out_result of the
 * first @out_done entries is written.  The command fails only if no entry
 * was done, or with EFAULT if this struct itself cannot be written back; a
 * signal or a bad pointer after the first entry ends it early with success and
 * @out_done < @count.
 */
struct xmap_cmd_transfer {
	__u32 size;
	__u32 flags;
	__aligned_u64 entries;
	__u32 count;
	__u32 out_done;
};
#define XMAP_TRANSFER _IO(XMAP_TYPE, XMAP_CMD_TRANSFER)

/**
 * enum xmap_list_kind - Kind of object in struct xmap_list_entry
 * @XMAP_LIST_TARGET: A target
 * @XMAP_LIST_WINDOW: A window
 * @XMAP_LIST_EXPORT: An export
 * @XMAP_LIST_REGION: A handle of a region
 * @XMAP_LIST_NAME: The name of a persistent region, as long as it can be opened by it.
 *	Charged to who created the region, and listed, whether it has handles or not
 */
enum xmap_list_kind {
	XMAP_LIST_TARGET = 1,
	XMAP_LIST_WINDOW = 2,
	XMAP_LIST_EXPORT = 3,
	XMAP_LIST_REGION = 4,
	XMAP_LIST_NAME = 5,
};

/**
 * struct xmap_list_entry - One object that XMAP_LIST reports
 * @kind: enum xmap_list_kind
 * @rights: Set of enum xmap_rights: of the target, or that the window can use; 0 for
 *	a name, of which the mode says who may what
 * @holder_pid: Process that opened the target or made the window, in the
 *	caller's pid namespace; 0 if it has ended or is not visible there.  A
 *	target may have been passed on since.
 * @holder_uid: User to whom the object is charged, in the caller's user
 *	namespace (or the overflow uid)
 * @target_pid: As out_pid of struct xmap_cmd_target_info
 * @state: enum xmap_target_state
 * @addr: First address in the target, or offset in the region, in bytes; 0
 *	unless the caller is the holder, or the memory is the caller's own, or the
 *	caller has CAP_SYS_PTRACE in the holder's user namespace
 * @length: Length in bytes; of a name, the region's
 * @local: Address of a window in its holder, for the holder and that
 *	CAP_SYS_PTRACE only; else 0
 * @count: Page faults that a window served; times that an export was accepted;
 *	mappings of a region by this handle; 0 for a target and a name
 * @since: When it was made: CLOCK_BOOTTIME in nanoseconds
 * @serial: Number of the object, never used again
 * @parent: Number of the object that it was made from: a window's target, what
 *	a target was derived or accepted from; of a handle that was opened by name, and
 *	of the name, the handle that created the region; 0 if there is none
 */
struct xmap_list_entry {
	__u32 kind;
	__u32 rights;
	__s32 holder_pid;
	__u32 holder_uid;
	__s32 target_pid;
	__u32 state;
	__aligned_u64 addr;
	__aligned_u64 length;
	__aligned_u64 local;
	__aligned_u64 count;
	__aligned_u64 since;
	__aligned_u64 serial;
	__aligned_u64 parent;
};

/**
 * struct xmap_cmd_list - ioctl(XMAP_LIST) on /dev/xmap
 * @size: sizeof(struct xmap_cmd_list)
 * @flags: Must be 0
 * @entries: User pointer to an array of struct xmap_list_entry
 * @count: Room at @entries, in entries, 1 or more
 * @out_count: Entries written
 * @cursor: 0 to begin, else the last call's @out_cursor
 * @out_cursor: Where to go on; 0 when all were reported
 *
 * Who has exports, targets and windows on whom, and what of regions: those charged to
 * the caller's effective user id, those on the caller's own memory, those made from what the
 * caller made, and those of users in whose user namespace the caller has
 * CAP_SYS_PTRACE.  In order of creation; objects that come or go between calls
 * may or may not be seen, others are seen exactly once.
 */
struct xmap_cmd_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 entries;
	__u32 count;
	__u32 out_count;
	__aligned_u64 cursor;
	__aligned_u64 out_cursor;
};
#define XMAP_LIST _IO(XMAP_TYPE, XMAP_CMD_LIST)

/* The longest name of an export or a region, with its NUL byte. */
#define XMAP_NAME_SIZE 64

/**
 * enum xmap_export_create_flags - Flags of XMAP_EXPORT_CREATE
 * @XMAP_EXPORT_PUBLISH: Others can open it by @out_id, and by @name if it has
 *	one, as @mode allows.
 * @XMAP_EXPORT_FOR_PROCESS: Only the process of @receiver_fd, of which
 *	@receiver_pid is the number, may accept.
 * @XMAP_EXPORT_FOR_USER: Only a process whose effective user id is
 *	@receiver_uid may accept.
 */
enum xmap_export_create_flags {
	XMAP_EXPORT_PUBLISH = 1 << 0,
	XMAP_EXPORT_FOR_PROCESS = 1 << 1,
	XMAP_EXPORT_FOR_USER = 1 << 2,
};

/**
 * struct xmap_cmd_export_create - ioctl(XMAP_EXPORT_CREATE) on /dev/xmap
 * @size: sizeof(struct xmap_cmd_export_create)
 * @flags: Set of enum xmap_export_create_flags
 * @rights: XMAP_RIGHT_READ or XMAP_RIGHT_WRITE or both
 * @out_fd: The new export, close-on-exec
 * @addr: First address of the caller's memory to offer, in bytes, any alignment
 * @length: Length in bytes; 0 (with addr 0) for the whole address space with
 *	all that it will ever have
 * @expires: When the offer ends: CLOCK_BOOTTIME in nanoseconds; 0 for never
 * @max_accepts: How often it can be accepted; 0 for any number
 * @mode: With PUBLISH: who may open it, as the mode of a file: bits of 0666,
 *	read for READ, write for WRITE; else 0
 * @gid: With PUBLISH: the group of @mode, one that the caller is in (or
 *	CAP_CHOWN), or (__u32)-1 for the caller's effective one; else 0
 * @receiver_fd: With FOR_PROCESS: a pidfd; else 0
 * @receiver_pid: With FOR_PROCESS: the number of its process in the caller's
 *	pid namespace; else 0
 * @receiver_uid: With FOR_USER: a user id in the caller's user namespace; else 0
 * @out_id: With PUBLISH: a random number, not 0, that nobody can guess; else 0
 * @name: With PUBLISH: a name, seen by those in the caller's user namespace;
 *	empty for none.  Printable ASCII without space and slash, NUL to the end.
 *
 * Offer memory of the calling process.  Whoever gets the descriptor, or may open
 * the published export, can accept: the target that he gets has no more than
 * @rights and that range, and no more than the pages themselves allow the
 * caller.  Nobody is asked but the caller, who owns the memory.
 *
 * It is for this address space: after execve() it is dead.  The name of one that is
 * dead, revoked or expired is free for others.  Closing the descriptor,
 * with all its duplicates, ends the offer and frees the name, but takes nothing
 * back from those who have accepted; XMAP_REVOKE does.  An acceptance that was
 * under way is in XMAP_LIST by then, or fails.
 *
 * Errors besides the general ones: EFAULT (the range leaves the user address
 * space), EPERM (a foreign group), EEXIST (the name is taken), ESRCH
 * (@receiver_pid is not @receiver_fd), EBADFD (no pidfd), EDQUOT.
 */
struct xmap_cmd_export_create {
	__u32 size;
	__u32 flags;
	__u32 rights;
	__s32 out_fd;
	__aligned_u64 addr;
	__aligned_u64 length;
	__aligned_u64 expires;
	__u32 max_accepts;
	__u32 mode;
	__u32 gid;
	__s32 receiver_fd;
	__s32 receiver_pid;
	__u32 receiver_uid;
	__aligned_u64 out_id;
	char name[XMAP_NAME_SIZE];
};
#define XMAP_EXPORT_CREATE _IO(XMAP_TYPE, XMAP_CMD_EXPORT_CREATE)

/**
 * struct xmap_cmd_export_open - ioctl(XMAP_EXPORT_OPEN) on /dev/xmap
 * @size: sizeof(struct xmap_cmd_export_open)
 * @flags: Must be 0
 * @rights: What it is to be accepted with at most: READ, WRITE or both
 * @out_fd: An export, close-on-exec
 * @id: @out_id of XMAP_EXPORT_CREATE, or 0 to go by @name
 * @name: Its name, or empty to go by @id
 *
 * Open a published export.  By name only those are found that were published in
 * the caller's user namespace.  The mode decides, as for a file, with the
 * caller's effective ids; CAP_IPC_OWNER in the user namespace of the creator
 * overrides it.  The descriptor is good for accepting while the offer stands, not
 * for revoking.
 *
 * Errors besides the general ones: EACCES (the mode, a right that is not offered,
 * or offered to somebody else), ENOENT, ESRCH, ESTALE (expired, or revoked).
 */
struct xmap_cmd_export_open {
	__u32 size;
	__u32 flags;
	__u32 rights;
	__s32 out_fd;
	__aligned_u64 id;
	char name[XMAP_NAME_SIZE];
};
#define XMAP_EXPORT_OPEN _IO(XMAP_TYPE, XMAP_CMD_EXPORT_OPEN)

/**
 * struct xmap_cmd_export_accept - ioctl(XMAP_EXPORT_ACCEPT) on an export
 * @size: sizeof(struct xmap_cmd_export_accept)
 * @flags: Must be 0
 * @rights: Set of enum xmap_rights, not empty, subset of the export's
 * @out_fd: The new target, close-on-exec
 * @addr: First address in the owner's memory in bytes, any alignment
 * @length: Length in bytes; 0 (with addr 0) for all that is offered
 *
 * Take what is offered.  Needs no right but the descriptor, unless the offer
 * names its receiver.  The target can be passed on, as any.
 *
 * Errors besides the general ones: EACCES (a right or a part of the range that
 * is not offered, or offered to somebody else), EDQUOT (accepted often enough,
 * or too many targets), ESTALE (expired, closed or revoked), ESRCH (the owner is
 * gone).
 */
struct xmap_cmd_export_accept {
	__u32 size;
	__u32 flags;
	__u32 rights;
	__s32 out_fd;
	__aligned_u64 addr;
	__aligned_u64 length;
};
#define XMAP_EXPORT_ACCEPT _IO(XMAP_TYPE, XMAP_CMD_EXPORT_ACCEPT)

/**
 * struct xmap_cmd_export_info - ioctl(XMAP_EXPORT_INFO) on an export
 * @size: sizeof(struct xmap_cmd_export_info)
 * @flags: Must be 0
 * @out_rights: Rights that it can be accepted with through this descriptor
 * @out_state: enum xmap_target_state
 * @out_pid: Number of the owner in the caller's pid namespace, 0 as for a target
 * @out_accepts: How often it was accepted
 * @out_max_accepts: How often it can be; 0 for any number
 * @out_targets: Of those accepted, how many are still in use
 * @out_addr: First address in bytes
 * @out_length: Length in bytes
 * @out_expires: As given
 * @out_id: As given out; 0 if it is not published
 * @out_uid: Effective user id of its maker when it was made, in the caller's user
 *	namespace (or the overflow uid)
 * @__reserved: Must be 0
 *
 * poll() on an export says POLLIN when it was accepted since its maker last asked
 * this, and POLLHUP when it is closed, dead or revoked; not when it has expired.
 */
struct xmap_cmd_export_info {
	__u32 size;
	__u32 flags;
	__u32 out_rights;
	__u32 out_state;
	__s32 out_pid;
	__u32 out_accepts;
	__u32 out_max_accepts;
	__u32 out_targets;
	__aligned_u64 out_addr;
	__aligned_u64 out_length;
	__aligned_u64 out_expires;
	__aligned_u64 out_id;
	__u32 out_uid;
	__u32 __reserved;
};
#define XMAP_EXPORT_INFO _IO(XMAP_TYPE, XMAP_CMD_EXPORT_INFO)

/**
 * struct xmap_cmd_revoke - ioctl(XMAP_REVOKE) on an export, a target or a region, or /dev/xmap
 * @size: sizeof(struct xmap_cmd_revoke)
 * @flags: Must be 0
 * @serial: On /dev/xmap: the number of such an object in XMAP_LIST; else 0
 * @addr: First address in bytes; of a region, first offset
 * @length: Length in bytes; 0 (with addr 0) for everything
 *
 * Take it back: from this export or target, and from everything that was
 * accepted or derived from it, however far it has been passed on.  When the call
 * returns, nobody reaches the memory by them any more: to touch it in a window
 * is SIGBUS, a transfer is ESTALE, and where all of a target is revoked poll()
 * says POLLHUP.  What is left of a page of which a part is revoked can still be
 * transferred, but not be seen in a window.  It cannot be undone; the owner can
 * make another export.
 *
 * On a handle of a region it takes the range from this handle, and from those that
 * were derived from it.  (From the one that created the region, those that were
 * opened by name come too.)  Pages that are under I/O, see XMAP_REGION_CREATE, are taken
 * away with it if the caller answers for the region: he made this handle, or one that it
 * comes from, by a handle with MANAGE (or with the region, or opened it by name with
 * MANAGE), or has CAP_SYS_ADMIN in the user namespace in which the region was made.
 * If not, what is under I/O goes on, for who loses the handle as for others: who may
 * only read memory, and has passed that on, cannot disturb it by taking that back.
 *
 * The number of a name (XMAP_LIST_NAME) stands for the handle that created the region:
 * also when that has been closed, and when nobody can open the region any more, as its
 * user namespace has ended.
 *
 * Allowed to the process that made the object, or what it was made from.  For what
 * comes from an export, also to the process whose memory it is, and to
 * CAP_SYS_ADMIN in the user namespace of that memory; for what was opened by
 * privilege, and for a handle of a region, to CAP_SYS_ADMIN in the user namespace of
 * who made it.  (A handle that was opened by name is made from the one that created
 * the region.)
 *
 * The process means all programs that it runs one after another: what it made before
 * execve() it can revoke after it.
 *
 * Errors besides the general ones: EPERM, EFAULT (the range leaves the user address
 * space, or has nothing of the object's), ENOENT (no such @serial, or not one that
 * the caller can see), EDQUOT (more than 64 pieces that do not touch: revoke all of
 * it), EINTR (a signal that kills; it is revoked, but a forced write that was under
 * way may not have ended).
 */
struct xmap_cmd_revoke {
	__u32 size;
	__u32 flags;
	__aligned_u64 serial;
	__aligned_u64 addr;
	__aligned_u64 length;
};
#define XMAP_REVOKE _IO(XMAP_TYPE, XMAP_CMD_REVOKE)

/**
 * enum xmap_deny_flags - Flags of XMAP_DENY
 * @XMAP_DENY_SET: Refuse from now on, and revoke what there is.
 * @XMAP_DENY_CLEAR: Refuse no longer.
 * @XMAP_DENY_FINAL: With SET: CLEAR is EPERM from now on.
 */
enum xmap_deny_flags {
	XMAP_DENY_SET = 1 << 0,
	XMAP_DENY_CLEAR = 1 << 1,
	XMAP_DENY_FINAL = 1 << 2,
};

/**
 * struct xmap_cmd_deny - ioctl(XMAP_DENY) on /dev/xmap
 * @size: sizeof(struct xmap_cmd_deny)
 * @flags: SET or CLEAR, or neither to ask
 * @out_flags: What holds now: SET, SET and FINAL, or nothing
 * @__reserved: Must be 0
 *
 * Refuse XMAP_TARGET_OPEN on the caller's own address space: EACCES to everybody
 * but the caller himself and those with CAP_SYS_PTRACE in the initial user
 * namespace.  Targets that others have opened on it without that capability are
 * revoked.  What the caller exports, or has opened on itself and given away, is
 * not concerned.
 *
 * It ends with the address space, that is with execve(), and a child begins
 * without it.
 *
 * Errors besides the general ones: EPERM (CLEAR after FINAL).  If SET fails, targets
 * may have been revoked all the same; with EINTR, if the signal kills, a forced write
 * may be under way still.
 */
struct xmap_cmd_deny {
	__u32 size;
	__u32 flags;
	__u32 out_flags;
	__u32 __reserved;
};
#define XMAP_DENY _IO(XMAP_TYPE, XMAP_CMD_DENY)

/**
 * enum xmap_region_flags - Flags of XMAP_REGION_CREATE, and of a region
 * @XMAP_REGION_SINGLE_OWNER: One address space at a time can reach the memory; the
 *	caller's at first.  See XMAP_REGION_GIVE.
 * @XMAP_REGION_FIXED_ADDRESS: It has one address, the same in every process that
 *	maps it.
 * @XMAP_REGION_PUBLISH: Others can open it by @name, as @mode allows.
 * @XMAP_REGION_PERSISTENT: With PUBLISH: it stays when the last handle is closed,
 *	until XMAP_REGION_UNLINK or the end of the module.  XMAP_LIST shows it, see
 *	XMAP_LIST_NAME, and XMAP_REVOKE takes the number.
 * @XMAP_REGION_HUGE: Of huge pages, where a whole one fits and the kernel has it to
 *	give; else of small ones.
 */
enum xmap_region_flags {
	XMAP_REGION_SINGLE_OWNER = 1 << 0,
	XMAP_REGION_FIXED_ADDRESS = 1 << 1,
	XMAP_REGION_PUBLISH = 1 << 2,
	XMAP_REGION_PERSISTENT = 1 << 3,
	XMAP_REGION_HUGE = 1 << 4,
};

/**
 * struct xmap_cmd_region_create - ioctl(XMAP_REGION_CREATE) on /dev/xmap
 * @size: sizeof(struct xmap_cmd_region_create)
 * @flags: Set of enum xmap_region_flags
 * @mode: With PUBLISH: who may open it, as the mode of a file: bits of 0666,
 *	read for READ, write for WRITE; else 0
 * @gid: With PUBLISH: the group of @mode, one that the caller is in (or
 *	CAP_CHOWN), or (__u32)-1 for the caller's effective one; else 0
 * @length: Length in bytes, a multiple of the page size, not 0
 * @reserve: With FIXED_ADDRESS: how long it can become, in bytes, a multiple of
 *	the page size and not less than @length; 0 for @length; else 0.  It counts
 *	against the limit of bytes as if it were that long
 * @addr: With FIXED_ADDRESS: the address that it is to have, page aligned and from
 *	XMAP_REGION_ADDRESS_MIN to XMAP_REGION_ADDRESS_MAX, or 0 to be given one;
 *	else 0
 * @out_addr: With FIXED_ADDRESS: the address; else 0
 * @out_fd: A handle with READ, WRITE and MANAGE of all of it, close-on-exec
 * @__reserved: Must be 0
 * @name: With PUBLISH: its name, seen by those in the caller's user namespace, and
 *	by nobody else; else empty.  Printable ASCII without space and slash, NUL to the
 *	end.  Containers that have no user namespace of their own share names (and user
 *	ids) with the host: neither mount nor IPC namespaces separate them
 *
 * Make memory that belongs to no process: zeroed, taken when it is touched, charged
 * to the memory cgroup of who touches it first, swapped as any.  It ends with the last
 * handle and the last mapping.  For the kernel it is ordinary memory: system calls,
 * direct I/O, io_uring, futexes and ptrace work on a mapping of it.
 *
 * Not only a store is a touch: read(2) of what nobody has written takes pages as well
 * (other than of a file), and if one process reaches into another's mapping (ptrace,
 * process_vm_writev(2)) it is the one who reaches that pays.  mbind(2) on a mapping does
 * nothing, and does not fail: pages are taken by the policy of the task that touches.
 *
 * A handle is used with mmap() (MAP_SHARED, never PROT_EXEC, offset from the
 * beginning of the region, also of a handle for a part of it; PROT_WRITE needs
 * WRITE, and without it mprotect() cannot raise it; EACCES without READ, as of any
 * file, and in a program for which all that is readable is executable), read(2) and
 * write(2) and their kin, poll() and the commands below.  A mapping can be moved and cut, but not
 * grow.  To touch it where the handle has been revoked, beyond the end of the region,
 * where it has one owner and that is another address space or none, or where the
 * hardware has lost it, is SIGBUS.  poll() says POLLIN when something has happened since
 * this handle's last XMAP_REGION_INFO: resized, rebound, given, taken, sealed, pages
 * replaced, or XMAP_REGION_NOTIFY; and POLLHUP when all of it has been revoked.
 *
 * RWF_NOWAIT is accepted and can wait all the same, for a page to come from swap or for
 * the caller's buffer: io_uring, which asks for it first, does so where it submits.  (Were
 * it refused, io_uring would wait for poll() to say POLLIN, which is about something
 * else.)  IOSQE_ASYNC has a worker do it.
 *
 * XMAP_REGION_GIVE, sealing against writes, and XMAP_REVOKE by who answers for the
 * region (see there) take pages away also from I/O that somebody has begun on a
 * mapping.  A page that the kernel has in use for anybody at that moment, be it for a
 * registered buffer of io_uring or a pipe, is left to that use; the region continues
 * with a copy of it, which is charged to who has taken the page away, or to the owner who
 * has had it.  That a page has
 * been replaced is an event for all: who has buffers registered there, and keeps his
 * rights, must register them again.  A use that ends at once, as that of futex(), is
 * waited for; if it did not end, futex() is EFAULT, and is to be repeated.
 *
 * When all of the first handle has been revoked nobody can ever reach the region: its
 * memory is gone then, its name too, and its length is 0.
 *
 * With HUGE the first touch of any 2 MiB that are all within the region takes a huge
 * page, if there is one (transparent_hugepage/shmem_enabled "deny" says never), and a
 * mapping that is aligned to it has it by one entry; mmap() chooses such an address, if
 * the region has no fixed one.  A huge page is replaced by its copy as a whole, also
 * if only a part of it is revoked: who keeps the rest must register it again.  The
 * length is committed (vm.overcommit_memory) when such a region is made or grows.
 *
 * Errors besides the general ones: EEXIST (the name is taken, or the address), EPERM
 * (a foreign group), EDQUOT, ENOSPC (no address is free), EOPNOTSUPP (HUGE: the kernel
 * has no huge pages), ENOMEM (HUGE: it cannot be committed), ESTALE
 * (its number was revoked meanwhile).
 *
 * Errors of read(2), write(2) and their kin on a handle, if nothing was copied: EBADF
 * (it lacks the right), EACCES (the offset is before or behind the handle's range),
 * ENOSPC (a write at the end of that range, or at or behind that of the region, where a
 * read is 0), EFAULT (the caller's memory), ESTALE (what is to be copied has been
 * revoked, or all that the handle has), EPERM (the caller's address space is not the
 * owner; or it is a write, and the region is sealed against writes), EIO (the hardware
 * has lost that page), EOPNOTSUPP (transparent_hugepage/shmem_enabled is "force", and
 * it is not HUGE), ENOMEM, EINTR (a signal that kills).
 *
 * Errors of mmap(2) on a handle: EACCES (see above; or a part of the range that the
 * handle or the region does not have), EINVAL (not MAP_SHARED; or MAP_FIXED at another
 * address than the region's fixed one), EEXIST (something is mapped at the fixed
 * address, and it is not MAP_FIXED), EPERM (PROT_WRITE, and it is sealed against
 * writes), ESTALE (some of that range has been revoked), EOVERFLOW, ENOMEM (also if a
 * program of 32 bits has no such address).
 */
struct xmap_cmd_region_create {
	__u32 size;
	__u32 flags;
	__u32 mode;
	__u32 gid;
	__aligned_u64 length;
	__aligned_u64 reserve;
	__aligned_u64 addr;
	__aligned_u64 out_addr;
	__s32 out_fd;
	__u32 __reserved;
	char name[XMAP_NAME_SIZE];
};
#define XMAP_REGION_CREATE _IO(XMAP_TYPE, XMAP_CMD_REGION_CREATE)

/* Where regions with a fixed address are: the kernel puts nothing there unasked. */
#define XMAP_REGION_ADDRESS_MIN 0x300000000000ULL
#define XMAP_REGION_ADDRESS_MAX 0x400000000000ULL

/**
 * struct xmap_cmd_region_open - ioctl(XMAP_REGION_OPEN) on /dev/xmap
 * @size: sizeof(struct xmap_cmd_region_open)
 * @flags: Must be 0
 * @rights: READ or WRITE or both, and MANAGE
 * @out_fd: A handle of all of it, close-on-exec
 * @name: Its name
 *
 * Open a published region.  The mode decides, as for a file, with the caller's
 * effective ids; MANAGE is for its owner.  CAP_IPC_OWNER in the user namespace of the
 * creator overrides both.  The region is that of this name in the caller's user
 * namespace.
 *
 * Errors besides the general ones: EACCES, ENOENT, EDQUOT, ESTALE (all of it has been
 * revoked).
 */
struct xmap_cmd_region_open {
	__u32 size;
	__u32 flags;
	__u32 rights;
	__s32 out_fd;
	char name[XMAP_NAME_SIZE];
};
#define XMAP_REGION_OPEN _IO(XMAP_TYPE, XMAP_CMD_REGION_OPEN)

/**
 * struct xmap_cmd_region_derive - ioctl(XMAP_REGION_DERIVE) on a region
 * @size: sizeof(struct xmap_cmd_region_derive)
 * @flags: Must be 0
 * @rights: READ or WRITE or both, and MANAGE: a subset of the handle's
 * @out_fd: The new handle, close-on-exec
 * @offset: First offset in bytes, any alignment
 * @length: Length in bytes; 0 (with offset 0) for the handle's whole range, with all
 *	that the region may get there by XMAP_REGION_RESIZE
 *
 * Make a handle with fewer rights or a smaller range, to be kept or passed on.
 *
 * Errors besides the general ones: EACCES (a right or a part of the range that the
 * handle lacks, or beyond the end of the region), ESTALE, EDQUOT (too many handles,
 * or derived from each other more than 32 deep).
 */
struct xmap_cmd_region_derive {
	__u32 size;
	__u32 flags;
	__u32 rights;
	__s32 out_fd;
	__aligned_u64 offset;
	__aligned_u64 length;
};
#define XMAP_REGION_DERIVE _IO(XMAP_TYPE, XMAP_CMD_REGION_DERIVE)

/**
 * enum xmap_region_owner - Who owns the memory of a region
 * @XMAP_REGION_OWNER_ALL: Whoever maps it: it has no single owner.
 * @XMAP_REGION_OWNER_SELF: The calling process.
 * @XMAP_REGION_OWNER_OTHER: Another process.
 * @XMAP_REGION_OWNER_NONE: It was given, and is there to be taken.
 */
enum xmap_region_owner {
	XMAP_REGION_OWNER_ALL = 1,
	XMAP_REGION_OWNER_SELF = 2,
	XMAP_REGION_OWNER_OTHER = 3,
	XMAP_REGION_OWNER_NONE = 4,
};

/**
 * struct xmap_cmd_region_info - ioctl(XMAP_REGION_INFO) on a region
 * @size: sizeof(struct xmap_cmd_region_info)
 * @flags: Must be 0
 * @out_rights: Set of enum xmap_rights of the handle
 * @out_state: enum xmap_target_state: ALIVE or REVOKED
 * @out_flags: Set of enum xmap_region_flags
 * @out_seals: Set of enum xmap_region_seals
 * @out_owner: enum xmap_region_owner
 * @out_mappings: Calls of mmap() on this handle of which something is left
 * @out_offset: First offset of the handle in bytes
 * @out_length: Length of the handle's part of the region in bytes
 * @out_region_length: Length of the region in bytes
 * @out_addr: Fixed address of the region, or 0
 * @out_generation: How often it was rebound
 * @out_events: How often something has happened to it
 * @out_replaced: Pages of 4 KiB that others held by reference when they were taken away, so
 *	that the region got others in their place
 *
 * Afterwards poll() says POLLIN when something else has happened.
 */
struct xmap_cmd_region_info {
	__u32 size;
	__u32 flags;
	__u32 out_rights;
	__u32 out_state;
	__u32 out_flags;
	__u32 out_seals;
	__u32 out_owner;
	__u32 out_mappings;
	__aligned_u64 out_offset;
	__aligned_u64 out_length;
	__aligned_u64 out_region_length;
	__aligned_u64 out_addr;
	__aligned_u64 out_generation;
	__aligned_u64 out_events;
	__aligned_u64 out_replaced;
};
#define XMAP_REGION_INFO _IO(XMAP_TYPE, XMAP_CMD_REGION_INFO)

/**
 * enum xmap_region_seals - What cannot be done to a region any more, as F_SEAL_*
 * @XMAP_REGION_SEAL_SEAL: No more seals.
 * @XMAP_REGION_SEAL_SHRINK: It does not become shorter.
 * @XMAP_REGION_SEAL_GROW: It does not become longer.
 * @XMAP_REGION_SEAL_WRITE: Nobody writes to it, nor rebinds it.  EBUSY while there
 *	are mappings that can be, or can be made, writable.
 * @XMAP_REGION_SEAL_FUTURE_WRITE: Nobody writes to it but by a mapping that there is
 *	already, nor rebinds it.
 */
enum xmap_region_seals {
	XMAP_REGION_SEAL_SEAL = 1 << 0,
	XMAP_REGION_SEAL_SHRINK = 1 << 1,
	XMAP_REGION_SEAL_GROW = 1 << 2,
	XMAP_REGION_SEAL_WRITE = 1 << 3,
	XMAP_REGION_SEAL_FUTURE_WRITE = 1 << 4,
};

/**
 * struct xmap_cmd_region_seal - ioctl(XMAP_REGION_SEAL) on a region
 * @size: sizeof(struct xmap_cmd_region_seal)
 * @flags: Must be 0
 * @seals: Set of enum xmap_region_seals to add
 * @out_seals: Those that there are now
 *
 * Needs MANAGE and a handle of all of the region.
 *
 * Errors besides the general ones: EACCES, ESTALE, EPERM (sealed against more
 * seals, or owned by somebody else), EBUSY.
 */
struct xmap_cmd_region_seal {
	__u32 size;
	__u32 flags;
	__u32 seals;
	__u32 out_seals;
};
#define XMAP_REGION_SEAL _IO(XMAP_TYPE, XMAP_CMD_REGION_SEAL)

/**
 * struct xmap_cmd_region_resize - ioctl(XMAP_REGION_RESIZE) on a region
 * @size: sizeof(struct xmap_cmd_region_resize)
 * @flags: Must be 0
 * @length: Length in bytes, a multiple of the page size, not 0
 *
 * What is cut off is gone when the call returns, and is zero if it comes back.  What is
 * new is zero.  Needs MANAGE and a handle of all of the region.
 *
 * Errors besides the general ones: EACCES, ESTALE, EPERM (sealed, or owned by somebody
 * else), ENOSPC (longer than its fixed address has room), EDQUOT; of a region with huge
 * pages ENOMEM (it cannot be committed), EFBIG (RLIMIT_FSIZE, as for a file).
 */
struct xmap_cmd_region_resize {
	__u32 size;
	__u32 flags;
	__aligned_u64 length;
};
#define XMAP_REGION_RESIZE _IO(XMAP_TYPE, XMAP_CMD_REGION_RESIZE)

/**
 * struct xmap_cmd_region_give - ioctl(XMAP_REGION_GIVE) on a region
 * @size: sizeof(struct xmap_cmd_region_give)
 * @flags: Must be 0
 *
 * Give a region with a single owner away, for somebody else to take.  When the call
 * returns, nobody reaches its memory: the caller's mappings stay, but to touch them is
 * SIGBUS.  No copy is made but of pages under I/O, see XMAP_REGION_CREATE.  A child of
 * fork() does not inherit mappings of such a region.
 *
 * Errors besides the general ones: EINVAL (it has no single owner), EPERM (it is not
 * the caller's).
 */
struct xmap_cmd_region_give {
	__u32 size;
	__u32 flags;
};
#define XMAP_REGION_GIVE _IO(XMAP_TYPE, XMAP_CMD_REGION_GIVE)

/**
 * struct xmap_cmd_region_take - ioctl(XMAP_REGION_TAKE) on a region
 * @size: sizeof(struct xmap_cmd_region_take)
 * @flags: Must be 0
 *
 * Become the owner of a region that was given away, or whose owner's address space
 * has ended, by a handle of all of the region.  The caller reaches what the handles and
 * mappings that he has allow.  He no longer owns it when the handle by which he took it
 * (or created it) is revoked, or closed and none of its mappings left: then somebody
 * else can take it.
 *
 * No right is needed: of all who have a whole handle, also to read only, the first to
 * ask has it.  So whoever gives lets nobody else have one but the one it is meant for.
 *
 * Errors besides the general ones: EINVAL (it has no single owner), EACCES (not a handle
 * of all of it), EBUSY (somebody owns it), ESTALE.
 */
struct xmap_cmd_region_take {
	__u32 size;
	__u32 flags;
};
#define XMAP_REGION_TAKE _IO(XMAP_TYPE, XMAP_CMD_REGION_TAKE)

/**
 * struct xmap_cmd_region_rebind - ioctl(XMAP_REGION_REBIND) on a region
 * @size: sizeof(struct xmap_cmd_region_rebind)
 * @flags: Must be 0
 * @out_generation: How often this was done now
 *
 * Put new pages, of zeroes, in the place of all that there are.  When the call
 * returns, every mapping shows the new ones; while it runs, some old and some new.
 * Needs MANAGE and WRITE and a handle of all of the region.
 *
 * Errors besides the general ones: EACCES, ESTALE, EPERM (sealed against writes, or
 * owned by somebody else).
 */
struct xmap_cmd_region_rebind {
	__u32 size;
	__u32 flags;
	__aligned_u64 out_generation;
};
#define XMAP_REGION_REBIND _IO(XMAP_TYPE, XMAP_CMD_REGION_REBIND)

/**
 * struct xmap_cmd_region_unlink - ioctl(XMAP_REGION_UNLINK) on a region
 * @size: sizeof(struct xmap_cmd_region_unlink)
 * @flags: Must be 0
 *
 * Take the name away.  Handles stay good; a persistent region ends with the last of
 * them.  Needs MANAGE and a handle of all of the region, of which not all has been
 * revoked.
 *
 * Errors besides the general ones: EACCES, ESTALE (all of it has been), ENOENT (it has no
 * name).
 */
struct xmap_cmd_region_unlink {
	__u32 size;
	__u32 flags;
};
#define XMAP_REGION_UNLINK _IO(XMAP_TYPE, XMAP_CMD_REGION_UNLINK)

/**
 * struct xmap_cmd_region_notify - ioctl(XMAP_REGION_NOTIFY) on a region
 * @size: sizeof(struct xmap_cmd_region_notify)
 * @flags: Must be 0
 *
 * Have poll() on all other handles of the region say POLLIN.  Needs WRITE.
 *
 * Errors besides the general ones: EACCES, ESTALE.
 */
struct xmap_cmd_region_notify {
	__u32 size;
	__u32 flags;
};
#define XMAP_REGION_NOTIFY _IO(XMAP_TYPE, XMAP_CMD_REGION_NOTIFY)

/**
 * struct xmap_cmd_eventfd - ioctl(XMAP_EVENTFD) on an export, a target or a region
 * @size: sizeof(struct xmap_cmd_eventfd)
 * @flags: Must be 0
 * @fd: An eventfd, or -1 for none any more
 * @__reserved: Must be 0
 *
 * Have 1 added to the eventfd whenever what poll() says of this descriptor may have
 * changed, whoever has caused it.  It may also be that nothing has: poll(), or the INFO
 * command, tells.  Each descriptor has one eventfd at most, a new one takes the place
 * of the old one, and several descriptors can have the same.  It stays until then, or
 * until the descriptor is closed (in all processes that have it), and is not kept
 * open by that: when it is closed itself, nobody is told any more.
 *
 * What happened before the call is not told of: look after it.
 *
 * Errors besides the general ones: EBADF (@fd is not open), EINVAL (@fd is not an
 * eventfd).
 */
struct xmap_cmd_eventfd {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 __reserved;
};
#define XMAP_EVENTFD _IO(XMAP_TYPE, XMAP_CMD_EVENTFD)

#endif /* _UAPI_LINUX_XMAP_H */
