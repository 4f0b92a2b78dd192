// SPDX-License-Identifier: GPL-2.0-only
/* Regions, and names: those of exports too. */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "actor.h"
#include "fuzz.h"

/* Numbers of names from here on are the name itself. */
#define ODD_NAME 16
/* Those that a region can be left under. */
#define KEPT_NAMES 2
/* No larger ones, so that all of one can be there; but larger than there can be any. */
#define LONGEST ARENA_SIZE
#define TOO_LONG (1UL << 46)

/* ---- Names ---- */

/* Another program of this worker may have it, and nobody else. */
void name_make(char *name, __u64 arg)
{
	if (arg >= ODD_NAME)
		memcpy(name, &arg, sizeof(arg));
	else if (arg)
		snprintf(name, XMAP_NAME_SIZE, "fuzz-%d-%llu", executor->worker,
			 (unsigned long long)arg);
}

void gid_make(__u32 *gid, bool published, __u64 mode)
{
	*gid = (published ? ~0U : 0) ^ mode >> 16;
}

/* What a program has left under a name, by the worker, which is root. */
void names_remove(const struct executor *x)
{
	struct xmap_cmd_region_unlink unlink = { .size = sizeof(unlink) };
	unsigned int i;

	for (i = 1; i <= KEPT_NAMES; i++) {
		struct xmap_cmd_region_open open = {
			.size = sizeof(open),
			.rights = XMAP_RIGHT_READ | XMAP_RIGHT_MANAGE,
		};

		snprintf(open.name, sizeof(open.name), "fuzz-%d-%u", x->worker, i);
		if (ioctl(x->dev, XMAP_REGION_OPEN, &open))
			continue;
		ioctl(open.out_fd, XMAP_REGION_UNLINK, &unlink);
		close(open.out_fd);
	}
}

/* ---- Handles ---- */

static __u64 length_limit(__u64 len)
{
	return len > LONGEST && len < TOO_LONG ? len % LONGEST : len;
}

CALL(region_create)
{
	struct node held = {
		.kind = XMAP_LIST_REGION, .rights = RIGHTS_REGION, .consent = true, .flags = a[3],
		.manages = true,
	};
	struct xmap_cmd_region_create cmd = {
		.flags = a[3],
		.mode = a[4] & 0xffff,
		.length = length_limit(a[5]),
		.reserve = length_limit(a[6]),
		.addr = a[7],
		.out_addr = UNTOUCHED,
		.out_fd = UNTOUCHED,
		.__reserved = a[9],
	};
	__u32 node;
	long ret;

	/* What is not removed afterwards must not stay. */
	if (a[8] > KEPT_NAMES)
		cmd.flags &= ~XMAP_REGION_PERSISTENT;
	if (cmd.addr >= FIXED && cmd.addr < FIXED_END)
		cmd.addr = FIXED + executor->nr * FIXED_STRIDE + cmd.addr % FIXED_STRIDE;
	gid_make(&cmd.gid, cmd.flags & XMAP_REGION_PUBLISH, a[4]);
	name_make(cmd.name, a[8]);
	ret = command(x, a, XMAP_REGION_CREATE, &cmd, sizeof(cmd), true);
	if (ret)
		return ret;
	held.owned[x->who == VICTIM] = 1;
	power_check(x, cmd.out_fd, KIND_REGION, &held, NULL);
	node = node_new(x, &held, 0);
	handle_take(x, a, sizeof(cmd), cmd.out_fd, a[10], KIND_REGION, node);
	return ret;
}

CALL(region_open)
{
	struct node held = {
		.kind = XMAP_LIST_REGION, .rights = a[4], .consent = true,
		.manages = a[4] & XMAP_RIGHT_MANAGE,
	};
	struct xmap_cmd_region_open cmd = {
		.flags = a[3],
		.rights = a[4],
		.out_fd = UNTOUCHED,
	};
	__u32 node, taken = __atomic_load_n(&x->run->ntaken, __ATOMIC_SEQ_CST);
	long ret;

	name_make(cmd.name, a[5]);
	ret = command(x, a, XMAP_REGION_OPEN, &cmd, sizeof(cmd), true);
	if (ret)
		return ret;
	power_check(x, cmd.out_fd, KIND_REGION, &held, NULL);
	node = node_new(x, &held, 0);
	if (region_gone(x->run, node_root(x->run, node), taken))
		run_fail(x->run, BAD_REVOKED, "a region that was revoked has a name still");
	handle_take(x, a, sizeof(cmd), cmd.out_fd, a[6], KIND_REGION, node);
	return ret;
}

CALL(region_derive)
{
	struct node held = { .kind = XMAP_LIST_REGION, .rights = a[4], .consent = true };
	struct xmap_cmd_region_derive cmd = {
		.flags = a[3],
		.rights = a[4],
		.out_fd = UNTOUCHED,
		.offset = a[5],
		.length = a[6],
	};
	struct slot_look look;
	struct power parent;
	__u32 node;
	long ret;

	slot_look(a[0], &look);
	power_of(slot_fd(a[0]), KIND_REGION, &parent);
	ret = command(x, a, XMAP_REGION_DERIVE, &cmd, sizeof(cmd), true);
	if (ret)
		return ret;
	held.start = cmd.offset;
	held.end = cmd.offset + cmd.length;
	power_check(x, cmd.out_fd, KIND_REGION, &held, &parent);
	held.manages = !slot_unchanged(&look) || !parent.known ||
		       parent.rights & XMAP_RIGHT_MANAGE;
	node = node_new(x, &held, slot_node(&look));
	handle_take(x, a, sizeof(cmd), cmd.out_fd, a[7], KIND_REGION, node);
	return ret;
}

CALL(region_info)
{
	struct xmap_cmd_region_info cmd = {
		.flags = a[3],
		.out_rights = UNTOUCHED,
		.out_events = UNTOUCHED,
		.out_replaced = UNTOUCHED,
	};

	return command(x, a, XMAP_REGION_INFO, &cmd, sizeof(cmd), true);
}

/* ---- All of it ---- */

CALL(region_seal)
{
	struct xmap_cmd_region_seal cmd = {
		.flags = a[3],
		.seals = a[4],
		.out_seals = UNTOUCHED,
	};
	struct replaced replaced;
	long ret;

	replacing_begin(x, -1, KIND_REGION, &replaced);
	ret = command(x, a, XMAP_REGION_SEAL, &cmd, sizeof(cmd), true);
	replacing_end(x, -1, NULL, &replaced);
	return ret;
}

CALL(region_resize)
{
	struct xmap_cmd_region_resize cmd = { .flags = a[3], .length = length_limit(a[4]) };
	struct replaced replaced;
	long ret;

	replacing_begin(x, -1, KIND_REGION, &replaced);
	ret = command(x, a, XMAP_REGION_RESIZE, &cmd, sizeof(cmd), true);
	replacing_end(x, -1, NULL, &replaced);
	return ret;
}

CALL(region_rebind)
{
	struct xmap_cmd_region_rebind cmd = { .flags = a[3], .out_generation = UNTOUCHED };

	return command(x, a, XMAP_REGION_REBIND, &cmd, sizeof(cmd), true);
}

/* When it has returned, the caller's mappings show nothing. */
CALL(region_give)
{
	struct xmap_cmd_region_give cmd = { .flags = a[3] };
	struct slot_look look;
	long ret;

	slot_look(a[0], &look);
	ret = command(x, a, XMAP_REGION_GIVE, &cmd, sizeof(cmd), true);
	if (!ret && alone(x)) {
		region_given(x, slot_node(&look), true);
		check_regions(x, false);
	}
	return ret;
}

/* The caller may own it from the moment on that he asks. */
CALL(region_take)
{
	struct xmap_cmd_region_take cmd = { .flags = a[3] };
	struct slot_look look;

	slot_look(a[0], &look);
	region_given(x, look.node, false);
	return command(x, a, XMAP_REGION_TAKE, &cmd, sizeof(cmd), true);
}

CALL(region_unlink)
{
	struct xmap_cmd_region_unlink cmd = { .flags = a[3] };

	return command(x, a, XMAP_REGION_UNLINK, &cmd, sizeof(cmd), true);
}

CALL(region_notify)
{
	struct xmap_cmd_region_notify cmd = { .flags = a[3] };

	return command(x, a, XMAP_REGION_NOTIFY, &cmd, sizeof(cmd), true);
}

/* Where one has an address of its own, that is the only one. */
static __u64 place_of(int fd, __u64 addr, __u64 offset)
{
	struct xmap_cmd_region_info info = { .size = sizeof(info) };

	if (addr < FIXED || ioctl(fd, XMAP_REGION_INFO, &info) || !info.out_addr)
		return addr;
	return info.out_addr + offset;
}

CALL(region_map)
{
	__u64 len = a[2], addr = place_of(slot_fd(a[0]), a[1], a[5]);
	struct slot_look look;
	__u32 node;

	addr = confine(addr, &len);
	if (!addr || slot_kind(a[0]) != KIND_REGION)
		return NOT_RUN;
	slot_look(a[0], &look);
	region_mapping(x, slot_node(&look), a[5], len);
	if (mmap((void *)addr, len, a[3], (__u32)a[4] | MAP_FIXED, slot_fd(a[0]), a[5]) ==
	    MAP_FAILED)
		return -1;
	node = slot_node(&look);
	if (!node)
		region_mapping(x, 0, a[5], len);
	else if (alone(x))
		region_mapped(x, node, addr);
	return 0;
}
