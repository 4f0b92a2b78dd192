/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: who (the current task, as in every trace line), whom, range,
 * rights, result.  /sys/kernel/tracing/events/xmap/
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xmap

#if !defined(XMAP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define XMAP_TRACE_H

#include <linux/tracepoint.h>

#include "region.h"
#include "window.h"

#ifndef XMAP_TRACE_PID
#define XMAP_TRACE_PID(target) ((target)->pid ? pid_nr((target)->pid) : 0)
#endif

TRACE_EVENT(xmap_open,
	TP_PROTO(const struct xmap_target *target),
	TP_ARGS(target),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u32, rights)
		__field(u64, start)
		__field(u64, end)
	),
	TP_fast_assign(
		__entry->pid = XMAP_TRACE_PID(target);
		__entry->rights = target->rights;
		__entry->start = target->range.start;
		__entry->end = target->range.end;
	),
	TP_printk("target=%d range=%llx-%llx rights=%#x", __entry->pid, __entry->start,
		  __entry->end, __entry->rights)
);

TRACE_EVENT(xmap_deny,
	TP_PROTO(int fd, pid_t pid, u32 rights, int error),
	TP_ARGS(fd, pid, rights, error),
	TP_STRUCT__entry(
		__field(int, fd)
		__field(pid_t, pid)
		__field(u32, rights)
		__field(uid_t, uid)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->fd = fd;
		__entry->pid = pid;
		__entry->rights = rights;
		__entry->uid = from_kuid(&init_user_ns, current_euid());
		__entry->error = error;
	),
	TP_printk("uid=%u target=%d fd=%d rights=%#x error=%d", __entry->uid, __entry->pid,
		  __entry->fd, __entry->rights, __entry->error)
);

DECLARE_EVENT_CLASS(xmap_window,
	TP_PROTO(const struct xmap_window *win),
	TP_ARGS(win),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(bool, writable)
		__field(unsigned long, local)
		__field(u64, start)
		__field(u64, end)
	),
	TP_fast_assign(
		__entry->pid = XMAP_TRACE_PID(win->target);
		__entry->writable = win->writable;
		__entry->local = win->start;
		__entry->start = win->remote.start;
		__entry->end = win->remote.end;
	),
	TP_printk("target=%d range=%llx-%llx local=%lx writable=%d", __entry->pid,
		  __entry->start, __entry->end, __entry->local, __entry->writable)
);

DEFINE_EVENT(xmap_window, xmap_map,
	TP_PROTO(const struct xmap_window *win),
	TP_ARGS(win)
);

DEFINE_EVENT(xmap_window, xmap_unmap,
	TP_PROTO(const struct xmap_window *win),
	TP_ARGS(win)
);

TRACE_EVENT(xmap_fault,
	TP_PROTO(const struct xmap_window *win, u64 addr, bool write, vm_fault_t result),
	TP_ARGS(win, addr, write, result),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u64, addr)
		__field(bool, write)
		__field(unsigned int, result)
	),
	TP_fast_assign(
		__entry->pid = XMAP_TRACE_PID(win->target);
		__entry->addr = addr;
		__entry->write = write;
		__entry->result = (__force unsigned int)result;
	),
	TP_printk("target=%d addr=%llx write=%d result=%#x", __entry->pid, __entry->addr,
		  __entry->write, __entry->result)
);

TRACE_EVENT(xmap_invalidate,
	TP_PROTO(const struct xmap_window *win, u64 start, u64 end, unsigned int event),
	TP_ARGS(win, start, end, event),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u64, start)
		__field(u64, end)
		__field(unsigned int, event)
	),
	TP_fast_assign(
		__entry->pid = XMAP_TRACE_PID(win->target);
		__entry->start = start;
		__entry->end = end;
		__entry->event = event;
	),
	TP_printk("target=%d range=%llx-%llx event=%u", __entry->pid, __entry->start,
		  __entry->end, __entry->event)
);

TRACE_EVENT(xmap_transfer,
	TP_PROTO(const struct xmap_target *target, u64 addr, u64 length, unsigned int flags,
		 long result),
	TP_ARGS(target, addr, length, flags, result),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u64, addr)
		__field(u64, length)
		__field(unsigned int, flags)
		__field(long, result)
	),
	TP_fast_assign(
		__entry->pid = XMAP_TRACE_PID(target);
		__entry->addr = addr;
		__entry->length = length;
		__entry->flags = flags;
		__entry->result = result;
	),
	TP_printk("target=%d addr=%llx length=%llu flags=%#x result=%ld", __entry->pid,
		  __entry->addr, __entry->length, __entry->flags, __entry->result)
);

TRACE_EVENT(xmap_export,
	TP_PROTO(u32 rights, const struct xmap_range *range, bool published),
	TP_ARGS(rights, range, published),
	TP_STRUCT__entry(
		__field(u32, rights)
		__field(u64, start)
		__field(u64, end)
		__field(bool, published)
	),
	TP_fast_assign(
		__entry->rights = rights;
		__entry->start = range->start;
		__entry->end = range->end;
		__entry->published = published;
	),
	TP_printk("range=%llx-%llx rights=%#x published=%d", __entry->start, __entry->end,
		  __entry->rights, __entry->published)
);

TRACE_EVENT(xmap_region,
	TP_PROTO(const struct xmap_handle *handle),
	TP_ARGS(handle),
	TP_STRUCT__entry(
		__field(u64, region)
		__field(u64, length)
		__field(u64, start)
		__field(u64, end)
		__field(u32, rights)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->region = handle->region->serial;
		__entry->length = handle->region->length;
		__entry->start = handle->range.start;
		__entry->end = handle->range.end;
		__entry->rights = handle->rights;
		__entry->flags = handle->region->flags;
	),
	TP_printk("region=%llu length=%llx flags=%#x range=%llx-%llx rights=%#x",
		  __entry->region, __entry->length, __entry->flags, __entry->start,
		  __entry->end, __entry->rights)
);

TRACE_EVENT(xmap_revoke,
	TP_PROTO(const struct xmap_node *node, const struct xmap_range *range, u32 windows),
	TP_ARGS(node, range, windows),
	TP_STRUCT__entry(
		__field(u32, depth)
		__field(u32, windows)
		__field(u64, start)
		__field(u64, end)
	),
	TP_fast_assign(
		__entry->depth = node->depth;
		__entry->windows = windows;
		__entry->start = range->start;
		__entry->end = range->end;
	),
	TP_printk("range=%llx-%llx depth=%u windows=%u", __entry->start, __entry->end,
		  __entry->depth, __entry->windows)
);

#endif /* XMAP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
