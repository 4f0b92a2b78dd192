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
static const int maps_errors[] = { COMMAND_ERRORS, EACCES, ESRCH, EINTR, ENOMEM, 0 };

static const int open_errors[] = {
	COMMAND_ERRORS, EACCES, EPERM, ESRCH, EBADFD, EDQUOT, EINTR, EAGAIN, ENOMEM, EOVERFLOW, 0
};

static const int derive_errors[] = {
	COMMAND_ERRORS, EACCES, ESRCH, EDQUOT, EINTR, ENOMEM, EOVERFLOW, 0
};

static const int prefault_errors[] = {
	COMMAND_ERRORS, EACCES, ESRCH, EINTR, ENOMEM, EOVERFLOW, 0
};

/* EBADF: the target lacks the right, so it is not open that way. */
static const int copy_errors[] = {
	EBADF, EACCES, EFAULT, EINVAL, ESRCH, EOVERFLOW, EINTR, ENOMEM, 0
};

static const int copyv_errors[] = {
	EBADF, EACCES, EFAULT, EINVAL, ESRCH, EOVERFLOW, EINTR, ENOMEM, EAGAIN, EOPNOTSUPP, 0
};

/*
 * EAGAIN: too much locked memory.  EPERM, too, where none may be locked.  EEXIST: the
 * flags, which may be anything, have MAP_FIXED_NOREPLACE among them.
 */
static const int window_errors[] = {
	EACCES, EDQUOT, EFAULT, EINVAL, ENOMEM, ESRCH, EOVERFLOW, EOPNOTSUPP, EAGAIN, EPERM,
	EEXIST, EINTR, 0
};

#define AT { "at", ARG_AT }, { "size", ARG_SIZE }, { "flags", ARG_FLAGS }

const struct call_desc calls[] = {
	{ "query", call_query, { { "fd", ARG_DEV }, AT, { "reserved", ARG_RESERVED } },
	  query_errors, KIND_DEV, sizeof(struct xmap_cmd_query), 2 },
	{ "list", call_list, { { "fd", ARG_DEV }, AT, { "entries", ARG_BUF },
	  { "count", ARG_SMALL }, { "cursor", ARG_CURSOR } },
	  list_errors, KIND_DEV, sizeof(struct xmap_cmd_list), 4 },
	{ "entry", call_entry, { { "index", ARG_SMALL }, { "fd", ARG_TARGET },
	  { "flags", ARG_FLAGS }, { "remote", ARG_REMOTE }, { "local", ARG_BUF },
	  { "length", ARG_LENGTH } }, NULL, KIND_NONE, 0, 8 },
	{ "transfer", call_transfer, { { "fd", ARG_DEV }, AT, { "entries", ARG_ENTRIES },
	  { "count", ARG_SMALL } },
	  transfer_errors, KIND_DEV, sizeof(struct xmap_cmd_transfer), 6 },
	{ "target_open", call_target_open, { { "fd", ARG_DEV }, AT, { "what", ARG_PROCESS },
	  { "pid", ARG_PID }, { "rights", ARG_RIGHTS }, { "addr", ARG_REMOTE },
	  { "length", ARG_LENGTH }, { "out", ARG_OUT } },
	  open_errors, KIND_DEV, sizeof(struct xmap_cmd_target_open), 10 },
	{ "target_info", call_target_info, { { "fd", ARG_TARGET }, AT },
	  info_errors, KIND_TARGET, sizeof(struct xmap_cmd_target_info), 3 },
	{ "target_derive", call_target_derive, { { "fd", ARG_TARGET }, AT,
	  { "rights", ARG_RIGHTS }, { "addr", ARG_REMOTE }, { "length", ARG_LENGTH },
	  { "out", ARG_OUT } },
	  derive_errors, KIND_TARGET, sizeof(struct xmap_cmd_target_derive), 6 },
	{ "target_maps", call_target_maps, { { "fd", ARG_TARGET }, AT, { "addr", ARG_REMOTE },
	  { "buf", ARG_BUF }, { "buf_size", ARG_LENGTH }, { "reserved", ARG_RESERVED } },
	  maps_errors, KIND_TARGET, sizeof(struct xmap_cmd_target_maps), 4 },
	{ "target_prefault", call_target_prefault, { { "fd", ARG_TARGET }, AT,
	  { "addr", ARG_WINDOW }, { "length", ARG_PAGES } },
	  prefault_errors, KIND_TARGET, sizeof(struct xmap_cmd_target_prefault), 6 },
	{ "ioctl", call_ioctl, { { "fd", ARG_ANY_FD }, { "cmd", ARG_CMD }, { "at", ARG_AT } },
	  NULL, KIND_NONE, 0, 2 },
	{ "window", call_window, { { "fd", ARG_TARGET }, { "addr", ARG_WINDOW },
	  { "length", ARG_PAGES }, { "prot", ARG_PROT }, { "flags", ARG_MAP },
	  { "offset", ARG_REMOTE } }, window_errors, KIND_TARGET, 0, 14 },
	{ "pread", call_pread, { { "fd", ARG_TARGET }, { "buf", ARG_BUF },
	  { "length", ARG_LENGTH }, { "offset", ARG_REMOTE } },
	  copy_errors, KIND_TARGET, 0, 6 },
	{ "pwrite", call_pwrite, { { "fd", ARG_TARGET }, { "buf", ARG_BUF },
	  { "length", ARG_LENGTH }, { "offset", ARG_REMOTE } },
	  copy_errors, KIND_TARGET, 0, 8 },
	{ "preadv2", call_preadv2, { { "fd", ARG_TARGET }, { "buf", ARG_BUF },
	  { "length", ARG_LENGTH }, { "buf2", ARG_BUF }, { "length2", ARG_LENGTH },
	  { "offset", ARG_REMOTE }, { "flags", ARG_RWF } },
	  copyv_errors, KIND_TARGET, 0, 4 },
	{ "pwritev2", call_pwritev2, { { "fd", ARG_TARGET }, { "buf", ARG_BUF },
	  { "length", ARG_LENGTH }, { "buf2", ARG_BUF }, { "length2", ARG_LENGTH },
	  { "offset", ARG_REMOTE }, { "flags", ARG_RWF } },
	  copyv_errors, KIND_TARGET, 0, 4 },
	{ "lseek", call_lseek, { { "fd", ARG_TARGET }, { "offset", ARG_REMOTE },
	  { "whence", ARG_SMALL } }, NULL, KIND_NONE, 0, 1 },
	{ "poll", call_poll, { { "fd", ARG_TARGET } }, NULL, KIND_NONE, 0, 2 },
	{ "dup", call_dup, { { "fd", ARG_ANY_FD }, { "out", ARG_OUT } }, NULL, KIND_NONE, 0, 2 },
	{ "pass", call_pass, { { "fd", ARG_ANY_FD }, { "out", ARG_OUT }, { "keep", ARG_SMALL } },
	  NULL, KIND_NONE, 0, 2 },
	{ "fdinfo", call_fdinfo, { { "fd", ARG_TARGET } }, NULL, KIND_NONE, 0, 2 },
	{ "close", call_close, { { "fd", ARG_ANY_FD } }, NULL, KIND_NONE, 0, 4 },
	{ "truncate", call_truncate, { { "length", ARG_PAGES }, { "how", ARG_SMALL } },
	  NULL, KIND_NONE, 0, 2 },
	{ "touch", call_touch, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES },
	  { "write", ARG_SMALL } }, NULL, KIND_NONE, 0, 16 },
	{ "store", call_store, { { "addr", ARG_LOCAL }, { "value", ARG_VALUE } },
	  NULL, KIND_NONE, 0, 6 },
	{ "through", call_through, { { "addr", ARG_LOCAL }, { "length", ARG_LENGTH },
	  { "how", ARG_SMALL } }, NULL, KIND_NONE, 0, 5 },
	{ "munmap", call_munmap, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES } },
	  NULL, KIND_NONE, 0, 8 },
	{ "mremap", call_mremap, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES },
	  { "wanted", ARG_PAGES }, { "flags", ARG_SMALL }, { "to", ARG_LOCAL } },
	  NULL, KIND_NONE, 0, 6 },
	{ "mprotect", call_mprotect, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES },
	  { "prot", ARG_PROT } }, NULL, KIND_NONE, 0, 6 },
	{ "madvise", call_madvise, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES },
	  { "advice", ARG_ADVICE } }, NULL, KIND_NONE, 0, 10 },
	{ "mem", call_mem, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES },
	  { "prot", ARG_PROT }, { "kind", ARG_SMALL } }, NULL, KIND_NONE, 0, 10 },
	{ "futex", call_futex, { { "addr", ARG_WINDOW } }, NULL, KIND_NONE, 0, 2 },
	{ "uffd", call_uffd, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES } },
	  NULL, KIND_NONE, 0, 2 },
	{ "fork", call_fork, { { "addr", ARG_LOCAL }, { "length", ARG_PAGES },
	  { "how", ARG_SMALL } }, NULL, KIND_NONE, 0, 3 },
	{ "exec", call_exec, { }, NULL, KIND_NONE, 0, 1 },
	{ "exit", call_exit, { }, NULL, KIND_NONE, 0, 1 },
	{ "kill", call_kill, { }, NULL, KIND_NONE, 0, 2 },
	{ "signal", call_signal, { { "whom", ARG_SMALL } }, NULL, KIND_NONE, 0, 2 },
	{ "spawn", call_spawn, { }, NULL, KIND_NONE, 0, 2 },
	{ "uring", call_uring, { { "fd", ARG_TARGET }, { "op", ARG_SMALL }, { "buf", ARG_BUF },
	  { "length", ARG_LENGTH }, { "offset", ARG_REMOTE }, { "flags", ARG_SMALL } },
	  NULL, KIND_NONE, 0, 3 },
};

const unsigned int nr_calls = ARRAY_SIZE(calls);

int call_nargs(const struct call_desc *desc)
{
	int n = 0;

	while (n < MAX_ARGS && desc->arg[n].kind != ARG_NONE)
		n++;
	return n;
}
