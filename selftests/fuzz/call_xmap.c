// SPDX-License-Identifier: GPL-2.0-only
/* The commands of /dev/xmap and of targets. */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "actor.h"
#include "fuzz.h"

#define UNTOUCHED 0x5ca1ab1eU

/* Put a structure where the program wants it, as far as that can be written to. */
static void command_put(__u64 at, const void *cmd, __u32 known, __u32 size)
{
	/* An odd size has something in its unknown tail. */
	const __u8 tail = size & 1;
	__u32 i;

	if (at < SCRATCH || at >= WIN_END)
		return;
	for (i = 0; i < known; i++)
		if (!try_put(at + i, ((const __u8 *)cmd)[i]))
			return;
	for (; i < size && i < PAGE; i++)
		if (!try_put(at + i, tail))
			return;
}

/*
 * Issue a command.  @cmd has it as it is to be written, and as it is afterwards if
 * it succeeded.  @check: it must be as it was if it failed.
 */
static long command(struct ctx *x, const __u64 *a, unsigned long nr, void *cmd, __u32 known,
		    bool check)
{
	__u64 at = place(x, a[1]);
	__u32 size = a[2], i;
	int err;
	long ret;
	__u8 now;

	memcpy(cmd, &size, sizeof(size));
	command_put(at, cmd, known, size);
	ret = ioctl(slot_fd(a[0]), nr, at);
	err = errno;
	/* Elsewhere, others may have written to it. */
	check = check && ret && a[1] >= SCRATCH_STRUCT && a[1] + known < SCRATCH_ENTRIES;
	for (i = 0; i < known && i < size && (check || !ret); i++) {
		if (!try_get(at + i, &now))
			break;
		if (check && now != ((__u8 *)cmd)[i])
			run_fail(x->run, BAD_OUTPUT, "ioctl %#lx: errno %d, and byte %u changed",
				 nr, err, i);
		if (!ret)
			((__u8 *)cmd)[i] = now;
	}
	errno = err;
	return ret;
}

CALL(query)
{
	struct xmap_cmd_query cmd = {
		.flags = a[3],
		.out_abi = UNTOUCHED,
		.__reserved = a[4],
		.out_features = UNTOUCHED,
	};

	return command(x, a, XMAP_QUERY, &cmd, sizeof(cmd), true);
}

CALL(list)
{
	struct xmap_cmd_list cmd = {
		.flags = a[3],
		.entries = place(x, a[4]),
		.count = a[5],
		.out_count = UNTOUCHED,
		.cursor = a[6],
		.out_cursor = UNTOUCHED,
	};

	return command(x, a, XMAP_LIST, &cmd, sizeof(cmd), false);
}

/* One entry of the actor's array; a transfer goes through the whole of it. */
CALL(entry)
{
	struct xmap_transfer *e = (void *)(x->scratch + SCRATCH_ENTRIES);
	__u32 flags = a[2];

	*(e + a[0] % MAX_ENTRIES) = (struct xmap_transfer){
		.fd = slot_fd(a[1]),
		.flags = flags,
		.remote = flags & XMAP_TRANSFER_WRITE ? safe_remote(a[3]) : a[3],
		.local = place(x, a[4]),
		.length = a[5],
		.out_result = UNTOUCHED,
	};
	return 0;
}

static bool result_documented(__s64 result)
{
	switch (-result) {
	case EACCES:
	case EBADF:
	case EBADFD:
	case EFAULT:
	case EINTR:
	case EINVAL:
	case ENOMEM:
	case EOPNOTSUPP:
	case EOVERFLOW:
	case EPERM:
	case ESRCH:
		return true;
	}
	return result >= 0 && result != UNTOUCHED;
}

CALL(transfer)
{
	struct xmap_cmd_transfer cmd = {
		.flags = a[3],
		.entries = place(x, a[4]),
		.count = a[5],
		.out_done = UNTOUCHED,
	};
	struct xmap_transfer *e = (void *)(x->scratch + SCRATCH_ENTRIES);
	long ret = command(x, a, XMAP_TRANSFER, &cmd, sizeof(cmd), false);
	__u32 i;

	if (ret || a[4] != SCRATCH_ENTRIES || a[1] != SCRATCH_STRUCT || a[2] < sizeof(cmd))
		return ret;
	for (i = 0; i < cmd.out_done && i < MAX_ENTRIES; i++) {
		/* It may have been copied over by the entries themselves. */
		if (e[i].local < x->scratch + SCRATCH_BUF && e[i].local >= x->scratch)
			return ret;
		if (!result_documented(e[i].out_result) && e[i].out_result != UNTOUCHED)
			run_fail(x->run, BAD_ERRNO, "transfer: entry %u: result %lld", i,
				 (long long)e[i].out_result);
	}
	return ret;
}

/*
 * Nobody gets a target that may write to the canary: what reaches into it by
 * right ends before it.
 */
static void limit_range(__u32 rights, __u64 *addr, __u64 *len)
{
	__u64 end = *addr + *len;

	if (!(rights & (XMAP_RIGHT_WRITE | XMAP_RIGHT_FORCE)))
		return;
	if (!*addr && !*len)
		*len = CANARY;
	else if (end < *addr || end <= CANARY || *addr >= CANARY_END)
		return;
	else if (*addr < CANARY)
		*len = CANARY - *addr;
	else
		*addr = CANARY_END;
}

/* A new target.  Where it cannot be read back for sure, nobody counts descriptors. */
static void target_take(struct ctx *x, const __u64 *a, __u32 size, __s32 fd, __u64 out)
{
	if (!a[1] || a[1] >= SCRATCH_ENTRIES || a[2] < size)
		x->run->lost = 1;
	else
		slot_set(out % SLOTS < SLOT_OUT ? SLOT_OUT : out, fd, KIND_TARGET);
}

/*
 * A new target has the rights and the range that were asked for, and no more than
 * the one that it is derived from.
 */
static void target_check(struct ctx *x, int fd, __u32 rights, __u64 addr, __u64 len,
			 const struct xmap_cmd_target_info *parent)
{
	struct xmap_cmd_target_info info = { .size = sizeof(info) };
	bool right;

	if ((x->who != VICTIM && x->run->busy) || ioctl(fd, XMAP_TARGET_INFO, &info))
		return;
	right = info.out_rights == rights;
	if (addr || len)
		right &= info.out_addr == addr && info.out_length == len;
	if (parent->size)
		right &= !(info.out_rights & ~parent->out_rights) &&
			 info.out_addr >= parent->out_addr &&
			 info.out_addr + info.out_length <= parent->out_addr + parent->out_length;
	if (!right)
		run_fail(x->run, BAD_RIGHTS, "target of rights %#x on %#llx+%#llx, not as asked",
			 info.out_rights, (unsigned long long)info.out_addr,
			 (unsigned long long)info.out_length);
}

CALL(target_open)
{
	const struct xmap_cmd_target_info none = {};
	struct xmap_cmd_target_open cmd = {
		.flags = a[3],
		.fd = slot_fd(a[4]),
		.pid = a[5] == PID_VICTIM ? victim_pid : (__s32)a[5],
		.rights = a[6],
		.out_fd = UNTOUCHED,
		.addr = a[7],
		.length = a[8],
	};
	long ret;

	limit_range(cmd.rights, (__u64 *)&cmd.addr, (__u64 *)&cmd.length);
	ret = command(x, a, XMAP_TARGET_OPEN, &cmd, sizeof(cmd), true);
	if (!ret) {
		target_check(x, cmd.out_fd, a[6], cmd.addr, cmd.length, &none);
		target_take(x, a, sizeof(cmd), cmd.out_fd, a[9]);
	}
	return ret;
}

CALL(target_info)
{
	struct xmap_cmd_target_info cmd = {
		.flags = a[3],
		.out_rights = UNTOUCHED,
		.out_length = UNTOUCHED,
	};

	return command(x, a, XMAP_TARGET_INFO, &cmd, sizeof(cmd), true);
}

CALL(target_derive)
{
	struct xmap_cmd_target_derive cmd = {
		.flags = a[3],
		.rights = a[4],
		.out_fd = UNTOUCHED,
		.addr = a[5],
		.length = a[6],
	};
	struct xmap_cmd_target_info parent = { .size = sizeof(parent) };
	long ret;

	if (ioctl(slot_fd(a[0]), XMAP_TARGET_INFO, &parent))
		parent.size = 0;
	ret = command(x, a, XMAP_TARGET_DERIVE, &cmd, sizeof(cmd), true);
	if (!ret) {
		target_check(x, cmd.out_fd, a[4], cmd.addr, cmd.length, &parent);
		target_take(x, a, sizeof(cmd), cmd.out_fd, a[7]);
	}
	return ret;
}

CALL(target_maps)
{
	struct xmap_cmd_target_maps cmd = {
		.flags = a[3],
		.addr = a[4],
		.buf = place(x, a[5]),
		/* Often just what it takes. */
		.buf_size = a[6] > PAGE && a[6] < SCRATCH_ROOM ? a[6] * 2 : a[6],
		.out_count = UNTOUCHED,
		.__reserved = a[7],
		.out_next = UNTOUCHED,
	};

	return command(x, a, XMAP_TARGET_MAPS, &cmd, sizeof(cmd), a[5] >= SCRATCH_BUF);
}

CALL(target_prefault)
{
	struct xmap_cmd_target_prefault cmd = {
		.flags = a[3],
		.addr = a[4],
		.length = a[5],
		.out_length = UNTOUCHED,
	};

	return command(x, a, XMAP_TARGET_PREFAULT, &cmd, sizeof(cmd), true);
}

/* Numbers that are no command. */
CALL(ioctl)
{
	__u32 nr = a[1];

	if (nr >= XMAP_QUERY && nr <= XMAP_TARGET_PREFAULT)
		nr += 0x100;
	return ioctl(slot_fd(a[0]), nr, place(x, a[2]));
}

CALL(window)
{
	__u64 len = a[2], addr = confine(a[1], &len);

	if (!addr)
		return NOT_RUN;
	return mmap((void *)addr, len, a[3], (__u32)a[4] | MAP_FIXED, slot_fd(a[0]),
		    safe_remote(a[5])) == MAP_FAILED ? -1 : 0;
}
