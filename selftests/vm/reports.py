# SPDX-License-Identifier: GPL-2.0-only
"""The lines by which a kernel says that something went wrong."""

import re

REPORT = re.compile(
    r"WARNING:|BUG:|Oops|Kernel panic|possible recursive locking|possible circular"
    r"|inconsistent lock state|INFO: task .* blocked|INFO: lockdep|KASAN|KCSAN|UBSAN|KFENCE"
    r"|kmemleak: .*suspected memory leak|rcu.*stall|general protection|Call Trace|[Bb]ad rss"
    r"|page_table_check|Bad page|soft lockup|hard LOCKUP|refcount_t:|list_(add|del) corruption"
    r"|unregister_netdevice: waiting|invalid opcode|scheduling while atomic")

# A program that dies of a signal is reported in the same words, and is no fault of the kernel.
USER = re.compile(r"traps: \S+\[\d+\] ")

# Nor is it one to run out of the memory that a test allows: one trace says who asked for more.
OOM = "invoked oom-killer:"


# Nor that somebody who is to die for it is still busy, with his mmap_lock held, when his memory is
# to be taken: then a trace says with what.
UNREAPED = "oom_reaper: unable to reap"

# A race between two places of the kernel that are none of ours; the report ends with this line.
KCSAN = "BUG: KCSAN:"
KCSAN_END = re.compile(r"={30}")


def without_foreign_races(lines):
    """Leave out reports of data races in which the module has no part."""
    kept = []
    report = None
    for line in lines:
        if report is None:
            if KCSAN not in line:
                kept.append(line)
                continue
            report = []
        report.append(line)
        if KCSAN_END.search(line):
            if any("[xmap]" in part for part in report):
                kept += report
            report = None
    return kept + (report if report and any("[xmap]" in part for part in report) else [])


def without_unreaped(lines):
    """Leave out where somebody was who did not die at once, unless that is in the module."""
    kept = []
    trace = None
    for line in lines:
        if trace is None:
            kept.append(line)
            if UNREAPED in line:
                trace = []
            continue
        other = REPORT.search(line) and "Call Trace" not in line
        trace.append(line)
        if other or "</TASK>" in line:
            if other or any("[xmap]" in part for part in trace):
                kept += trace
            trace = None
    return kept + (trace or [])


def excerpts(lines, after=10):
    """The reports of faults of the kernel, each a list of its line and some that follow it."""
    found = []
    oom = False
    for line in without_unreaped(without_foreign_races(lines)):
        oom_trace = oom and "Call Trace" in line
        oom = OOM in line or (oom and not oom_trace)
        if REPORT.search(line) and not USER.search(line) and OOM not in line and not oom_trace:
            found.append([line])
        elif found and len(found[-1]) <= after:
            found[-1].append(line)
    return found


def scan(lines):
    """Those lines that report a fault of the kernel."""
    return [excerpt[0] for excerpt in excerpts(lines)]
