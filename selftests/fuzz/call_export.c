// SPDX-License-Identifier: GPL-2.0-only
/* Exports, revocation, denial and eventfds. */
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>

#include "actor.h"
#include "fuzz.h"

/* In the past, soon, later, or any time. */
static __u64 expiry(__u64 arg)
{
	struct timespec now;

	if (arg < 2 || arg > 3)
		return arg;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec + (arg == 2 ? 1000000 : 3600000000000);
}

/* Who alone may accept: by the slot of his pidfd; somebody else's number is for others. */
static void receiver_make(struct xmap_cmd_export_create *cmd, __u64 slot)
{
	if (cmd->flags & XMAP_EXPORT_FOR_PROCESS || slot >= SLOTS) {
		cmd->receiver_fd = slot_fd(slot);
		cmd->receiver_pid = slot == SLOT_VICTIM ? victim_pid :
				    slot == SLOT_SELF ? PID_SELF : PID_DEAD;
	}
	if (cmd->flags & XMAP_EXPORT_FOR_USER)
		cmd->receiver_uid = slot == SLOT_DEAD ? 4711 : executor->uid;
}

CALL(export_create)
{
	struct node held = { .kind = XMAP_LIST_EXPORT, .rights = a[4], .consent = true };
	struct xmap_cmd_export_create cmd = {
		.flags = a[3],
		.rights = a[4],
		.out_fd = UNTOUCHED,
		.addr = a[5],
		.length = a[6],
		.expires = expiry(a[7]),
		.max_accepts = a[8],
		.mode = a[9] & 0xffff,
		.out_id = UNTOUCHED,
	};
	long ret;

	limit_range(cmd.rights, (__u64 *)&cmd.addr, (__u64 *)&cmd.length);
	gid_make(&cmd.gid, a[3] & XMAP_EXPORT_PUBLISH, a[9]);
	receiver_make(&cmd, a[10]);
	name_make(cmd.name, a[11]);
	ret = command(x, a, XMAP_EXPORT_CREATE, &cmd, sizeof(cmd), true);
	if (ret)
		return ret;
	held.start = cmd.addr;
	held.end = cmd.addr + cmd.length;
	held.id = cmd.out_id;
	power_check(x, cmd.out_fd, KIND_EXPORT, &held, NULL);
	handle_take(x, a, sizeof(cmd), cmd.out_fd, a[12], KIND_EXPORT, node_new(x, &held, 0));
	return ret;
}

/* It is the same object, by a descriptor that can be good for less. */
CALL(export_open)
{
	struct node held = { .rights = a[4] };
	struct xmap_cmd_export_open cmd = {
		.flags = a[3],
		.rights = a[4],
		.out_fd = UNTOUCHED,
		.id = node_recent(x->run, a[5], true),
	};
	long ret;

	name_make(cmd.name, a[6]);
	ret = command(x, a, XMAP_EXPORT_OPEN, &cmd, sizeof(cmd), true);
	if (!ret) {
		power_check(x, cmd.out_fd, KIND_EXPORT, &held, NULL);
		handle_take(x, a, sizeof(cmd), cmd.out_fd, a[7], KIND_EXPORT,
			    cmd.id ? node_with_id(x->run, cmd.id) : 0);
	}
	return ret;
}

CALL(export_accept)
{
	struct node held = { .kind = XMAP_LIST_TARGET, .consent = true, .rights = a[4] };
	struct xmap_cmd_export_accept cmd = {
		.flags = a[3],
		.rights = a[4],
		.out_fd = UNTOUCHED,
		.addr = a[5],
		.length = a[6],
	};
	struct slot_look look;
	struct power parent;
	__u32 node;
	long ret;

	power_of(slot_fd(a[0]), KIND_EXPORT, &parent);
	slot_look(a[0], &look);
	ret = command(x, a, XMAP_EXPORT_ACCEPT, &cmd, sizeof(cmd), true);
	if (ret)
		return ret;
	held.start = cmd.addr;
	held.end = cmd.addr + cmd.length;
	power_check(x, cmd.out_fd, KIND_TARGET, &held, &parent);
	node = node_new(x, &held, slot_node(&look));
	handle_take(x, a, sizeof(cmd), cmd.out_fd, a[7], KIND_TARGET, node);
	return ret;
}

CALL(export_info)
{
	struct xmap_cmd_export_info cmd = {
		.flags = a[3],
		.out_rights = UNTOUCHED,
		.out_id = UNTOUCHED,
		.__reserved = a[4],
	};

	return command(x, a, XMAP_EXPORT_INFO, &cmd, sizeof(cmd), true);
}

/* All of what the caller has made, and said in the way that is never wrong. */
static bool cannot_fail(const __u64 *a, const struct node *made)
{
	return made && made->maker == getpid() && a[1] == SCRATCH_STRUCT &&
	       a[2] == sizeof(struct xmap_cmd_revoke) && !a[3] && !a[4] && !a[5] && !a[6];
}

/* When it has returned, what was taken back is out of reach: at once, and for good. */
CALL(revoke)
{
	struct xmap_cmd_revoke cmd = {
		.flags = a[3],
		.serial = node_recent(x->run, a[4], false),
		.addr = a[5],
		.length = a[6],
	};
	__u64 serial = cmd.serial;
	struct replaced replaced;
	const struct node *node;
	struct slot_look look;
	long ret;
	int err;

	slot_look(a[0], &look);
	replacing_begin(x, slot_fd(a[0]), look.kind, &replaced);
	ret = command(x, a, XMAP_REVOKE, &cmd, sizeof(cmd), true);
	err = errno;
	replacing_end(x, slot_fd(a[0]), &look, &replaced);
	node = node_of(x->run, slot_node(&look));
	if (ret && cannot_fail(a, node))
		run_fail(x->run, BAD_ERRNO, "its maker cannot revoke %llu: %s",
			 (unsigned long long)node->serial, strerror(err));
	errno = err;
	if (ret)
		return ret;
	if (look.kind != KIND_DEV)
		serial = node ? node->serial : 0;
	if (!serial)
		return ret;
	node_taken(x->run, serial, a[5], a[6]);
	if (alone(x)) {
		check_taken(x);
		check_regions(x, false);
	}
	return ret;
}

/* A new one is closed at once, so that the module alone has it, and writes to it. */
CALL(eventfd)
{
	struct xmap_cmd_eventfd cmd = { .flags = a[3], .fd = -1, .__reserved = a[5] };
	int new = -1, err;
	long ret;

	if (a[4] == EVENTFD_NEW) {
		new = eventfd(0, EFD_CLOEXEC);
		if (new < 0)
			return NOT_RUN;
		cmd.fd = new;
	} else if (a[4] != EVENTFD_NONE) {
		cmd.fd = slot_fd(a[4]);
	}
	ret = command(x, a, XMAP_EVENTFD, &cmd, sizeof(cmd), true);
	err = errno;
	if (new >= 0)
		close(new);
	errno = err;
	return ret;
}

/* Who looks at what is left must be let to: only the victim refuses for good. */
CALL(deny)
{
	struct xmap_cmd_deny cmd = {
		.flags = a[3],
		.out_flags = UNTOUCHED,
		.__reserved = a[4],
	};
	long ret;

	if (x->who != VICTIM)
		cmd.flags &= ~XMAP_DENY_FINAL;
	if (cmd.flags == XMAP_DENY_CLEAR)
		denial_clear(x, x->who);
	ret = command(x, a, XMAP_DENY, &cmd, sizeof(cmd), true);
	if (ret)
		return ret;
	if (cmd.flags & XMAP_DENY_SET)
		denial_set(x);
	if (cmd.flags & XMAP_DENY_SET && alone(x))
		check_taken(x);
	return ret;
}
