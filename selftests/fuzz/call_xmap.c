// SPDX-License-Identifier: GPL-2.0-only
/* The commands of /dev/xmap and of targets. */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "actor.h"
#include "fuzz.h"

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
long command(struct ctx *x, const __u64 *a, unsigned long nr, void *cmd, __u32 known, bool check)
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
	case ESTALE:
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
void limit_range(__u32 rights, __u64 *addr, __u64 *len)
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

void handle_take(struct ctx *x, const __u64 *a, __u32 size, __s32 fd, __u64 out,
		 enum slot_kind kind, __u32 node)
{
	if (!a[1] || a[1] >= SCRATCH_ENTRIES || a[2] < size)
		x->run->lost = 1;
	else
		slot_put(out % SLOTS < SLOT_OUT ? SLOT_OUT : out, fd, kind, node);
}

void power_of(int fd, enum slot_kind kind, struct power *power)
{
	struct xmap_cmd_export_info export = { .size = sizeof(export) };
	struct xmap_cmd_target_info target = { .size = sizeof(target) };
	struct xmap_cmd_region_info region = { .size = sizeof(region) };

	*power = (struct power){};
	if (kind == KIND_EXPORT && !ioctl(fd, XMAP_EXPORT_INFO, &export))
		*power = (struct power){ true, export.out_rights, export.out_addr,
					 export.out_length };
	if (kind == KIND_TARGET && !ioctl(fd, XMAP_TARGET_INFO, &target))
		*power = (struct power){ true, target.out_rights, target.out_addr,
					 target.out_length };
	if (kind == KIND_REGION && !ioctl(fd, XMAP_REGION_INFO, &region))
		*power = (struct power){ true, region.out_rights, region.out_offset,
					 region.out_length };
}

/* All of a region is as long as that is just now. */
static bool same_range(const struct power *power, enum slot_kind kind, const struct node *asked)
{
	if (kind == KIND_REGION)
		return power->addr == asked->start && power->length <= asked->end - asked->start;
	return power->addr == asked->start && power->length == asked->end - asked->start;
}

static bool within(const struct power *power, enum slot_kind kind, const struct power *parent)
{
	if (power->rights & ~parent->rights || power->addr < parent->addr)
		return false;
	return kind == KIND_REGION ||
	       power->addr + power->length <= parent->addr + parent->length;
}

/*
 * A new handle has the rights and the range that were asked for, and no more than
 * the one that it comes from.
 */
void power_check(struct ctx *x, int fd, enum slot_kind kind, const struct node *asked,
		 const struct power *parent)
{
	struct power power;
	bool right;

	if (!alone(x))
		return;
	power_of(fd, kind, &power);
	if (!power.known)
		return;
	right = power.rights == asked->rights;
	if (asked->end)
		right &= same_range(&power, kind, asked);
	if (parent && parent->known)
		right &= within(&power, kind, parent);
	if (!right)
		run_fail(x->run, BAD_RIGHTS, "%s of rights %#x on %#llx+%#llx, not as asked",
			 kind == KIND_EXPORT ? "export" : kind == KIND_REGION ? "region" : "target",
			 power.rights,
			 (unsigned long long)power.addr, (unsigned long long)power.length);
}

CALL(target_open)
{
	struct node held = { .kind = XMAP_LIST_TARGET, .rights = a[6] };
	struct xmap_cmd_target_open cmd = {
		.flags = a[3],
		.fd = slot_fd(a[4]),
		.pid = a[5] == PID_VICTIM ? victim_pid : (__s32)a[5],
		.rights = a[6],
		.out_fd = UNTOUCHED,
		.addr = a[7],
		.length = a[8],
	};
	__u32 denied[2], node, i;
	long ret;

	for (i = 0; i < ARRAY_SIZE(denied); i++)
		denied[i] = __atomic_load_n(&x->run->denied[i], __ATOMIC_SEQ_CST);
	limit_range(cmd.rights, (__u64 *)&cmd.addr, (__u64 *)&cmd.length);
	ret = command(x, a, XMAP_TARGET_OPEN, &cmd, sizeof(cmd), true);
	if (ret)
		return ret;
	held.start = cmd.addr;
	held.end = cmd.addr + cmd.length;
	power_check(x, cmd.out_fd, KIND_TARGET, &held, NULL);
	node = node_new(x, &held, 0);
	denial_check(x, node_of(x->run, node), denied);
	handle_take(x, a, sizeof(cmd), cmd.out_fd, a[9], KIND_TARGET, node);
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
	struct node held = { .kind = XMAP_LIST_TARGET, .rights = a[4] };
	struct slot_look look;
	struct power parent;
	__u32 node;
	long ret;

	power_of(slot_fd(a[0]), KIND_TARGET, &parent);
	slot_look(a[0], &look);
	ret = command(x, a, XMAP_TARGET_DERIVE, &cmd, sizeof(cmd), true);
	if (ret)
		return ret;
	held.start = cmd.addr;
	held.end = cmd.addr + cmd.length;
	power_check(x, cmd.out_fd, KIND_TARGET, &held, &parent);
	node = node_new(x, &held, slot_node(&look));
	handle_take(x, a, sizeof(cmd), cmd.out_fd, a[7], KIND_TARGET, node);
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

	/* Those that are, or can be: XMAP_QUERY has room for so many. */
	if (nr >= XMAP_QUERY && nr < XMAP_QUERY + 64)
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
