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
 * Every object is a file descriptor: /dev/xmap itself, and a *target*, which
 * stands for (part of) one address space together with a set of rights.  A
 * *window* is a mapping made by mmap() on a target.
 *
 * Every command takes a pointer to a structure that begins with
 *
 *  - size: sizeof() the structure as the caller knows it, in bytes.  The
 *    structure can grow at its tail.  A structure that is longer than the
 *    kernel knows is accepted when the unknown tail is zero (else E2BIG).  One
 *    that is shorter than the first released version is EINVAL.
 *  - flags: a set of the flags of that command.  Unknown bits: EOPNOTSUPP.
 *
 * Reserved fields must be 0 (else EOPNOTSUPP).  Fields named ``out_*`` are
 * written by the kernel, all others are read only.  Nothing is written unless
 * the command succeeds, except where a field says so.
 *
 * All commands and file operations use one vocabulary of errors:
 *
 *  - ENOTTY: this kind of file descriptor has no such command.
 *  - E2BIG: the structure has a non-zero tail that the kernel does not know.
 *  - EOPNOTSUPP: a known field holds an unknown flag or reserved value.
 *  - EINVAL: a wrong value, size or alignment.
 *  - EFAULT: a bad pointer of the caller, or no such memory in the target, or
 *    memory that the target itself may not access that way.
 *  - EPERM, EACCES: as the kernel's own ptrace access check says.
 *  - EACCES: a right, or a part of the address space, that the handle lacks.
 *  - EBADF: not an open file descriptor.  EBADFD: one of the wrong kind.
 *  - ESRCH: there is no such process, or the address space has ended.
 *  - EOVERFLOW: a range wraps around, or a number does not fit.
 *  - EDQUOT: one of the caller's limits is reached.
 *  - EINTR: a signal came before anything was done; call again.
 *  - EAGAIN: the target kept changing its program; call again.
 *  - ENOMEM: no kernel memory.
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
};

/**
 * enum xmap_rights - What a target may be used for
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
 *	as /proc/PID/mem does not tell the one from the other.
 */
enum xmap_rights {
	XMAP_RIGHT_READ = 1 << 0,
	XMAP_RIGHT_WRITE = 1 << 1,
	XMAP_RIGHT_FORCE = 1 << 2,
};

/**
 * enum xmap_features - Bits of out_features in struct xmap_cmd_query
 * @XMAP_FEATURE_WINDOW: mmap() on a target works.
 * @XMAP_FEATURE_MEMFD: XMAP_TARGET_OPEN accepts an open /proc/PID/mem.
 * @XMAP_FEATURE_NOWAIT: RWF_NOWAIT on a target reads and writes what is
 *	resident without blocking; io_uring completes such requests inline.
 */
enum xmap_features {
	XMAP_FEATURE_WINDOW = 1 << 0,
	XMAP_FEATURE_MEMFD = 1 << 1,
	XMAP_FEATURE_NOWAIT = 1 << 2,
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
 * space), EACCES (the ptrace check said no, or the mem file's mode lacks a
 * right), ESRCH (no such process, a zombie, a kernel
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
 * enum xmap_target_state - State of a target
 * @XMAP_TARGET_ALIVE: The address space exists.
 * @XMAP_TARGET_DEAD: The address space has ended: every use is ESRCH.
 */
enum xmap_target_state {
	XMAP_TARGET_ALIVE = 1,
	XMAP_TARGET_DEAD = 2,
};

/**
 * struct xmap_cmd_target_info - ioctl(XMAP_TARGET_INFO) on a target
 * @size: sizeof(struct xmap_cmd_target_info)
 * @flags: Must be 0
 * @out_rights: Set of enum xmap_rights
 * @out_state: enum xmap_target_state
 * @out_pid: Number of the process it was opened on, in the caller's pid
 *	namespace; 0 if it has ended, is not visible there, or is not known
 * @out_windows: Windows that exist on this target
 * @out_addr: First address in bytes
 * @out_length: Length in bytes
 *
 * The process of @out_pid may by now run another program: see @out_state.
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
 * with SCM_RIGHTS.  It lives on when the first one is closed.
 *
 * Errors besides the general ones: EACCES (a right or a part of the range that
 * the target lacks), ESRCH, EDQUOT.
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
 * that reach out of the range are reported cut to it.  Needs READ.  Each call
 * is a consistent view of at least one mapping; between calls the target may
 * change.
 *
 * Errors besides the general ones: EACCES (no READ), ESRCH, EINVAL (@buf_size
 * too small).
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
 * EACCES (WRITE on a window that is not writable, or any on one that is mapped
 * PROT_NONE), ESRCH.
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
 */
enum xmap_list_kind {
	XMAP_LIST_TARGET = 1,
	XMAP_LIST_WINDOW = 2,
};

/**
 * struct xmap_list_entry - One object that XMAP_LIST reports
 * @kind: enum xmap_list_kind
 * @rights: Set of enum xmap_rights: of the target, or that the window can use
 * @holder_pid: Process that opened the target or made the window, in the
 *	caller's pid namespace; 0 if it has ended or is not visible there.  A
 *	target may have been passed on since.
 * @holder_uid: User to whom the object is charged, in the caller's user
 *	namespace (or the overflow uid)
 * @target_pid: As out_pid of struct xmap_cmd_target_info
 * @state: enum xmap_target_state
 * @addr: First address in the target in bytes; 0 unless the caller is the
 *	holder or has CAP_SYS_PTRACE in the holder's user namespace
 * @length: Length in bytes
 * @local: Address of a window in its holder; 0 for a target, or as @addr
 * @faults: Page faults that a window served; 0 for a target
 * @since: When it was made: CLOCK_BOOTTIME in nanoseconds
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
	__aligned_u64 faults;
	__aligned_u64 since;
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
 * Who has targets and windows on whom: those charged to the caller's effective
 * user id, and those of users in whose user namespace the caller has
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

#endif /* _UAPI_LINUX_XMAP_H */
