// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls that a program can have: their arguments, and what they may fail with
 * according to the documentation.
 */
#include "fuzz.h"

/* What every command may answer; see <linux/xmap.h>. */
#define COMMAND_ERRORS EBADF, ENOTTY, E2BIG, EOPNOTSUPP, EINVAL, EFAULT

static const int query_errors[] = { COMMAND_ERRORS, 0 };
static const int info_errors[] = { COMMAND_ERRORS, 0 };
static const int list_errors[] = { COMMAND_ERRORS, ENOMEM, EINTR, 0 };
static const int transfer_errors[] = { COMMAND_ERRORS, ENOMEM, EINTR, 0 };
static const int maps_errors[] = { COMMAND_ERRORS, EACCES, ESRCH, ESTALE, EINTR, ENOMEM, 0 };

static const int open_errors[] = {
	COMMAND_ERRORS, EACCES, EPERM, ESRCH, EBADFD, EDQUOT, EINTR, EAGAIN, ENOMEM, EOVERFLOW, 0
};

static const int derive_errors[] = {
	COMMAND_ERRORS, EACCES, ESRCH, ESTALE, EDQUOT, EINTR, ENOMEM, EOVERFLOW, 0
};

static const int prefault_errors[] = {
	COMMAND_ERRORS, EACCES, ESRCH, ESTALE, EINTR, ENOMEM, EOVERFLOW, 0
};

static const int create_errors[] = {
	COMMAND_ERRORS, EPERM, EEXIST, ESRCH, EBADFD, EDQUOT, EINTR, ENOMEM, EOVERFLOW, 0
};

static const int find_errors[] = {
	COMMAND_ERRORS, EACCES, ENOENT, ESRCH, ESTALE, ENOMEM, 0
};

static const int accept_errors[] = {
	COMMAND_ERRORS, EACCES, EDQUOT, ESTALE, ESRCH, EINTR, ENOMEM, EOVERFLOW, 0
};

static const int revoke_errors[] = {
	COMMAND_ERRORS, EPERM, ENOENT, EDQUOT, EINTR, ENOMEM, EOVERFLOW, 0
};

static const int deny_errors[] = { COMMAND_ERRORS, EPERM, EINTR, ENOMEM, 0 };

/* EBADF: the target lacks the right, so it is not open that way. */
static const int copy_errors[] = {
	EBADF, EACCES, EFAULT, EINVAL, ESRCH, ESTALE, EOVERFLOW, EINTR, ENOMEM, 0
};

static const int copyv_errors[] = {
	EBADF, EACCES, EFAULT, EINVAL, ESRCH, ESTALE, EOVERFLOW, EINTR, ENOMEM, EAGAIN, EOPNOTSUPP,
	0
};

/*
 * EAGAIN: too much locked memory.  EPERM, too, where none may be locked.  EEXIST: the
 * flags, which may be anything, have MAP_FIXED_NOREPLACE among them.
 */
static const int window_errors[] = {
	EACCES, EDQUOT, EFAULT, EINVAL, ENOMEM, ESRCH, ESTALE, EOVERFLOW, EOPNOTSUPP, EAGAIN,
	EPERM, EEXIST, EINTR, 0
};

/* The commands of regions. */
static const int region_create_errors[] = {
	COMMAND_ERRORS, EEXIST, EPERM, EDQUOT, ENOSPC, ESTALE, EINTR, ENOMEM, 0
};

static const int region_open_errors[] = {
	COMMAND_ERRORS, EACCES, ENOENT, EDQUOT, ESTALE, EINTR, ENOMEM, 0
};

static const int region_derive_errors[] = {
	COMMAND_ERRORS, EACCES, ESTALE, EDQUOT, EOVERFLOW, EINTR, ENOMEM, 0
};

static const int region_seal_errors[] = {
	COMMAND_ERRORS, EACCES, ESTALE, EPERM, EBUSY, EINTR, 0
};

static const int region_resize_errors[] = {
	COMMAND_ERRORS, EACCES, ESTALE, EPERM, ENOSPC, EDQUOT, EFBIG, EINTR, ENOMEM, 0
};

static const int region_give_errors[] = { COMMAND_ERRORS, EPERM, EINTR, 0 };
static const int region_take_errors[] = { COMMAND_ERRORS, EACCES, EBUSY, ESTALE, EINTR, 0 };
static const int region_rebind_errors[] = { COMMAND_ERRORS, EACCES, ESTALE, EPERM, EINTR, 0 };
static const int region_unlink_errors[] = { COMMAND_ERRORS, EACCES, ESTALE, ENOENT, 0 };
static const int region_notify_errors[] = { COMMAND_ERRORS, EACCES, ESTALE, 0 };

static const int eventfd_errors[] = { COMMAND_ERRORS, ENOMEM, 0 };

static const int region_map_errors[] = {
	EACCES, EINVAL, ENOMEM, ESTALE, EOVERFLOW, EOPNOTSUPP, EAGAIN, EPERM, EINTR, 0
};

#define AT_OFFER { "at", ARG_AT }, { "size", ARG_SIZE }, { "flags", ARG_OFFER }
#define AT { "at", ARG_AT }, { "size", ARG_SIZE }, { "flags", ARG_FLAGS }

const struct call_desc calls[] = {
	{ "query", call_query, { { "fd", ARG_DEV }, AT, { "reserved", ARG_RESERVED } },
	  query_errors, ON(DEV), sizeof(struct xmap_cmd_query), 2 },
	{ "list", call_list, { { "fd", ARG_DEV }, AT, { "entries", ARG_BUF },
	  { "count", ARG_SMALL }, { "cursor", ARG_CURSOR } },
	  list_errors, ON(DEV), sizeof(struct xmap_cmd_list), 4 },
	{ "entry", call_entry, { { "index", ARG_SMALL }, { "fd", ARG_TARGET },
	  { "flags", ARG_FLAGS }, { "remote", ARG_REMOTE }, { "local", ARG_BUF },
	  { "length", ARG_LENGTH } }, NULL, 0, 0, 8 },
	{ "transfer", call_transfer, { { "fd", ARG_DEV }, AT, { "entries", ARG_ENTRIES },
	  { "count", ARG_SMALL } },
	  transfer_errors, ON(DEV), sizeof(struct xmap_cmd_transfer), 6 },
	{ "target_open", call_target_open, { { "fd", ARG_DEV }, AT, { "what", ARG_PROCESS },
	  { "pid", ARG_PID }, { "rights", ARG_RIGHTS }, { "addr", ARG_REMOTE },
	  { "length", ARG_LENGTH }, { "out", ARG_OUT } },
	  open_errors, ON(DEV), sizeof(struct xmap_cmd_target_open), 10 },
	{ "target_info", call_target_info, { { "fd", ARG_TARGET }, AT },
	  info_errors, ON(TARGET), sizeof(struct xmap_cmd_target_info), 3 },
	{ "target_derive", call_target_derive, { { "fd", ARG_TARGET }, AT,
	  { "rights", ARG_RIGHTS }, { "addr", ARG_REMOTE }, { "length", ARG_LENGTH },
	  { "out", ARG_OUT } },
	  derive_errors, ON(TARGET), sizeof(struct xmap_cmd_target_derive), 6 },
	{ "target_maps", call_target_maps, { { "fd", ARG_TARGET }, AT, { "addr", ARG_REMOTE },
	  { "buf", ARG_BUF }, { "buf_size", ARG_LENGTH }, { "reserved", ARG_RESERVED } },
	  maps_errors, ON(TARGET), sizeof(struct xmap_cmd_target_maps), 4 },
	{ "target_prefault", call_target_prefault, { { "fd", ARG_TARGET }, AT,
	  { "addr", ARG_WINDOW }, { "length", ARG_PAGES } },
	  prefault_errors, ON(TARGET), sizeof(struct xmap_cmd_target_prefault), 6 },
	{ "ioctl", call_ioctl, { { "fd", ARG_ANY_FD }, { "cmd", ARG_CMD }, { "at", ARG_AT } },
	  NULL, 0, 0, 2 },
	{ "export_create", call_export_create, { { "fd", ARG_DEV }, AT_OFFER,
	  { "rights", ARG_RIGHTS }, { "addr", ARG_REMOTE }, { "length", ARG_LENGTH },
	  { "expires", ARG_EXPIRES }, { "accepts", ARG_SMALL }, { "mode", ARG_MODE },
	  { "receiver", ARG_PROCESS }, { "name", ARG_NAME }, { "out", ARG_OUT_EXPORT } },
	  create_errors, ON(DEV), sizeof(struct xmap_cmd_export_create), 8 },
	{ "export_open", call_export_open, { { "fd", ARG_DEV }, AT, { "rights", ARG_RIGHTS },
	  { "id", ARG_RECENT }, { "name", ARG_NAME }, { "out", ARG_OUT_EXPORT } },
	  find_errors, ON(DEV), sizeof(struct xmap_cmd_export_open), 4 },
	{ "export_accept", call_export_accept, { { "fd", ARG_EXPORT }, AT,
	  { "rights", ARG_RIGHTS }, { "addr", ARG_REMOTE }, { "length", ARG_LENGTH },
	  { "out", ARG_OUT } },
	  accept_errors, ON(EXPORT), sizeof(struct xmap_cmd_export_accept), 8 },
	{ "export_info", call_export_info, { { "fd", ARG_EXPORT }, AT,
	  { "reserved", ARG_RESERVED } },
	  info_errors, ON(EXPORT), sizeof(struct xmap_cmd_export_info), 2 },
	{ "revoke", call_revoke, { { "fd", ARG_REVOCABLE }, AT, { "serial", ARG_RECENT },
	  { "addr", ARG_REMOTE }, { "length", ARG_LENGTH } },
	  revoke_errors, ON_COMMANDS, sizeof(struct xmap_cmd_revoke), 8 },
	{ "deny", call_deny, { { "fd", ARG_DEV }, { "at", ARG_AT }, { "size", ARG_SIZE },
	  { "flags", ARG_DENY }, { "reserved", ARG_RESERVED } },
	  deny_errors, ON(DEV), sizeof(struct xmap_cmd_deny), 3 },
	{ "region_create", call_region_create, { { "fd", ARG_DEV }, { "at", ARG_AT },
	  { "size", ARG_SIZE }, { "flags", ARG_REGION_FLAGS }, { "mode", ARG_MODE },
	  { "length", ARG_PAGES }, { "reserve", ARG_PAGES }, { "addr", ARG_FIXED },
	  { "name", ARG_NAME }, { "reserved", ARG_RESERVED }, { "out", ARG_OUT_REGION } },
	  region_create_errors, ON(DEV), sizeof(struct xmap_cmd_region_create), 8 },
	{ "region_open", call_region_open, { { "fd", ARG_DEV }, AT,
	  { "rights", ARG_REGION_RIGHTS }, { "name", ARG_NAME }, { "out", ARG_OUT_REGION } },
	  region_open_errors, ON(DEV), sizeof(struct xmap_cmd_region_open), 4 },
	{ "region_derive", call_region_derive, { { "fd", ARG_REGION }, AT,
	  { "rights", ARG_REGION_RIGHTS }, { "offset", ARG_OFFSET }, { "length", ARG_PAGES },
	  { "out", ARG_OUT_REGION } },
	  region_derive_errors, ON(REGION), sizeof(struct xmap_cmd_region_derive), 6 },
	{ "region_info", call_region_info, { { "fd", ARG_REGION }, AT },
	  info_errors, ON(REGION), sizeof(struct xmap_cmd_region_info), 2 },
	{ "region_seal", call_region_seal, { { "fd", ARG_REGION }, AT, { "seals", ARG_SEALS } },
	  region_seal_errors, ON(REGION), sizeof(struct xmap_cmd_region_seal), 3 },
	{ "region_resize", call_region_resize, { { "fd", ARG_REGION }, AT,
	  { "length", ARG_PAGES } },
	  region_resize_errors, ON(REGION), sizeof(struct xmap_cmd_region_resize), 4 },
	{ "region_give", call_region_give, { { "fd", ARG_REGION }, AT },
	  region_give_errors, ON(REGION), sizeof(struct xmap_cmd_region_give), 5 },
	{ "region_take", call_region_take, { { "fd", ARG_REGION }, AT },
	  region_take_errors, ON(REGION), sizeof(struct xmap_cmd_region_take), 5 },
	{ "region_rebind", call_region_rebind, { { "fd", ARG_REGION }, AT },
	  region_rebind_errors, ON(REGION), sizeof(struct xmap_cmd_region_rebind), 3 },
	{ "region_unlink", call_region_unlink, { { "fd", ARG_REGION }, AT },
	  region_unlink_errors, ON(REGION), sizeof(struct xmap_cmd_region_unlink), 2 },
	{ "region_notify", call_region_notify, { { "fd", ARG_REGION }, AT },
	  region_notify_errors, ON(REGION), sizeof(struct xmap_cmd_region_notify), 2 },
	{ "eventfd", call_eventfd, { { "fd", ARG_REVOCABLE }, AT, { "eventfd", ARG_EVENTFD },
	  { "reserved", ARG_RESERVED } },
	  eventfd_errors, ON(TARGET) | ON(EXPORT) | ON(REGION),
	  sizeof(struct xmap_cmd_eventfd), 4 },
	{ "region_map", call_region_map, { { "fd", ARG_REGION }, { "addr", ARG_LOCAL },
	  { "length", ARG_PAGES }, { "prot", ARG_PROT }, { "flags", ARG_MAP },
	  { "offset", ARG_OFFSET } }, region_map_errors, ON(REGION), 0, 12 },
	{ "window", call_window, { { "fd", ARG_TARGET }, { "addr", ARG_WINDOW },
	  { "length", ARG_PAGES }, { "prot", ARG_PROT }, { "flags", ARG_MAP },
	  { "offset", ARG_REMOTE } }, window_errors, ON(TARGET), 0, 14 },
	{ "pread", call_pread, { { "fd", ARG_TARGET }, { "buf", ARG_BUF },
	  { "length", ARG_LENGTH }, { "offset", ARG_REMOTE } },
	  copy_errors, ON(TARGET), 0, 6 },
	{ "pwrite", call_pwrite, { { "fd", ARG_TARGET }, { "buf", ARG_BUF },
	  { "length", ARG_LENGTH }, { "offset", ARG_REMOTE } },
	  copy_errors, ON(TARGET), 0, 8 },
	{ "preadv2", call_preadv2, { { "fd", ARG_TARGET }, { "buf", ARG_BUF },
	  { "length", ARG_LENGTH }, { "buf2", ARG_BUF }, { "length2", ARG_LENGTH },
	  { "offset", ARG_REMOTE }, { "flags", ARG_RWF } },
	  copyv_errors, ON(TARGET), 0, 4 },
	{ "pwritev2", call_pwritev2, { { "fd", ARG_TARGET }, { "buf", ARG_BUF },
	  { "length", ARG_LENGTH }, { "buf2", ARG_BUF }, { "length2", ARG_LENGTH },
	  { "offset", ARG_REMOTE }, { "flags", ARG_RWF } },
	  copyv_errors, ON(TARGET), 0, 4 },
	{ "lseek", call_lseek, { { "fd", ARG_TARGET }, { "offset", ARG_REMOTE },
	  { "whence", ARG_SMALL } }, NULL, 0, 0, 1 },
	{ "poll", call_poll, { { "fd", ARG_ANY_FD } }, NULL, 0, 0, 2 },
	{ "dup", call_dup, { { "fd", ARG_ANY_FD }, { "out", ARG_OUT } }, NULL, 0, 0, 2 },
	{ "pass", call_pass, { { "fd", ARG_ANY_FD }, { "out", ARG_OUT }, { "keep", ARG_SMALL } },
	  NULL, 0, 0, 2 },
	{ "send", call_send, { { "fd", ARG_ANY_FD }, { "keep", ARG_SMALL } }, NULL, 0, 0, 4 },
	{ "receive", call_receive, { { "out", ARG_OUT } }, NULL, 0, 0, 4 },
	{ "fdinfo", call_fdinfo, { { "fd", ARG_ANY_FD } }, NULL, 0, 0, 2 },
	{ "close", call_close, { { "fd", ARG_ANY_FD } }, NULL, 0, 0, 4 },
	{ "truncate", call_truncate, { { "length", ARG_PAGES }, { "how", ARG_SMALL } },
	  NULL, 0, 0, 2 },
	{ "touch", call_touch, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES },
	  { "write", ARG_SMALL } }, NULL, 0, 0, 16 },
	{ "store", call_store, { { "addr", ARG_LOCAL }, { "value", ARG_VALUE } },
	  NULL, 0, 0, 6 },
	{ "through", call_through, { { "addr", ARG_LOCAL }, { "length", ARG_LENGTH },
	  { "how", ARG_SMALL } }, NULL, 0, 0, 5 },
	{ "munmap", call_munmap, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES } },
	  NULL, 0, 0, 8 },
	{ "mremap", call_mremap, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES },
	  { "wanted", ARG_PAGES }, { "flags", ARG_SMALL }, { "to", ARG_LOCAL } },
	  NULL, 0, 0, 6 },
	{ "mprotect", call_mprotect, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES },
	  { "prot", ARG_PROT } }, NULL, 0, 0, 6 },
	{ "madvise", call_madvise, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES },
	  { "advice", ARG_ADVICE } }, NULL, 0, 0, 10 },
	{ "mem", call_mem, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES },
	  { "prot", ARG_PROT }, { "kind", ARG_SMALL } }, NULL, 0, 0, 10 },
	{ "futex", call_futex, { { "addr", ARG_WINDOW } }, NULL, 0, 0, 2 },
	{ "uffd", call_uffd, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES } },
	  NULL, 0, 0, 2 },
	{ "fork", call_fork, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES },
	  { "how", ARG_SMALL } }, NULL, 0, 0, 3 },
	{ "exec", call_exec, { }, NULL, 0, 0, 1 },
	{ "exit", call_exit, { }, NULL, 0, 0, 1 },
	{ "kill", call_kill, { }, NULL, 0, 0, 2 },
	{ "signal", call_signal, { { "whom", ARG_SMALL } }, NULL, 0, 0, 2 },
	{ "spawn", call_spawn, { }, NULL, 0, 0, 2 },
	{ "uring", call_uring, { { "fd", ARG_TARGET }, { "op", ARG_SMALL }, { "buf", ARG_BUF },
	  { "length", ARG_LENGTH }, { "offset", ARG_REMOTE }, { "flags", ARG_SMALL } },
	  NULL, 0, 0, 3 },
};

const unsigned int nr_calls = ARRAY_SIZE(calls);

int call_nargs(const struct call_desc *desc)
{
	int n = 0;

	while (n < MAX_ARGS && desc->arg[n].kind != ARG_NONE)
		n++;
	return n;
}
