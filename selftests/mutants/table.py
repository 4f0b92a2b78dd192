# SPDX-License-Identifier: GPL-2.0-only
"""Deliberate bugs, and the tests that have to notice them.

Each replaces one piece of text, which must be there exactly once, so that a mutant that no longer
fits the sources is an error and not a bug that is not made.
"""

import collections

# name, what a developer would have done; file, its text before and after; the kernel, the tests that
# are run (the first one is the one that is known to notice it), seconds that a test may take.
Mutant = collections.namedtuple("Mutant", "name what file old new kernel tests timeout",
                                defaults=("6.12", (), 900))

MUTANTS = [
    Mutant(
        "skip-zap", "a change of the source leaves the window's entries alone",
        "module/window.c",
        """\
			xmap_window_zap(win, start, end);
		} else if (start < end) {
""", """\
		} else if (start < end) {
""",
        tests=("window",)),

    Mutant(
        "skip-retry-check", "pages are inserted even if the source has changed since",
        "module/fault.c",
        """\
	if (!mmu_interval_read_retry(&win->source, seq)) {
		n = xmap_window_usable(""", """\
	if (true) {
		n = xmap_window_usable(""",
        tests=("coherence",)),

    Mutant(
        "drop-page-put", "a fault keeps its references to the pages around the address",
        "module/fault.c",
        """\
	xmap_put_pages(pages, taken_before);
""", "",
        tests=("coherence",)),

    Mutant(
        "drop-file-put", "a window never gives back its target",
        "module/window.c",
        """\
	fput(win->target_file);
	kfree(win);
""", """\
	kfree(win);
""",
        tests=("window",)),

    Mutant(
        "read-only-writable", "a page taken for reading gets a writable entry",
        "module/fault.c",
        """\
	if (!write)
		flags &= ~VM_WRITE;
	return vm_get_page_prot(flags);
""", """\
	return vm_get_page_prot(flags);
""",
        tests=("window",)),

    Mutant(
        "forget-exec-check", "the address space granted is not the one that was checked",
        "module/access.c",
        """\
		if (mem->private_data == mm) {
""", """\
		if (mem->private_data) {
""",
        tests=("exec",)),

    Mutant(
        "wait-second-lock", "a fault waits for the source's mmap_lock under its own",
        "module/fault.c",
        """\
	if (!mmap_read_trylock(source))
		return -EAGAIN;
	taken = xmap_take_present(source, xmap_window_to_remote(win, addr), after, write,
""", """\
	mmap_read_lock(source);
	taken = xmap_take_present(source, xmap_window_to_remote(win, addr), after, write,
""",
        tests=("mutual",), timeout=300),

    Mutant(
        "leak-on-error", "a target that cannot be handed out is forgotten",
        "module/target.c",
        """\
err_fd:
	put_unused_fd(fd);
err_file:
	fput(file);
	return rc;
""", """\
err_fd:
	put_unused_fd(fd);
err_file:
	return rc;
""",
        tests=("abi",)),

    Mutant(
        "wrong-range-end", "an invalidation misses the last page of its range",
        "module/window.c",
        """\
						      ALIGN(range->end, PAGE_SIZE),
""", """\
						      ALIGN_DOWN(range->end - 1, PAGE_SIZE),
""",
        tests=("window",)),

    Mutant(
        "wrong-rights-end", "a target gives one page more than it was narrowed to",
        "module/range.h",
        "inner->end <= outer->end &&",
        "inner->end <= outer->end + 4096 &&",
        tests=("target",)),

    Mutant(
        "no-limit", "nobody is ever over the limit",
        "module/account.c",
        """\
	if ((user ? user->count[kind] : 0) >= limit) {
""", """\
	if (limit == U32_MAX) {
""",
        tests=("list",)),

    Mutant(
        "no-charge-window", "a window's memory is charged to nobody",
        "module/window.c",
        "win = kzalloc(sizeof(*win), GFP_KERNEL_ACCOUNT);",
        "win = kzalloc(sizeof(*win), GFP_KERNEL);",
        tests=("charge",)),

    Mutant(
        "no-charge-target", "a target's memory is charged to nobody",
        "module/target.c",
        "target = kzalloc(sizeof(*target), GFP_KERNEL_ACCOUNT);",
        "target = kzalloc(sizeof(*target), GFP_KERNEL);",
        tests=("charge",)),

    Mutant(
        "no-dirty-mark", "the kernel makes a read-only entry writable, and the source's page stays clean",
        "module/window.c",
        """\
	.pfn_mkwrite = xmap_window_vm_pfn_mkwrite,
""", "",
        tests=("window",)),

    Mutant(
        "look-before-lock", "a callback that finds no entry does not wait for the flush of who took it out",
        "module/window.c",
        """\
	if (!live || xmap_zap_is_own(range))
		return true;
""", """\
	if (!live || xmap_zap_is_own(range))
		return true;
	if (xmap_window_populated(win, start, end, false) >= end)
		return true;
""",
        tests=("race",)),

    Mutant(
        "gate-real-ids", "the gate goes by real ids and permitted capabilities, as ptrace(2) does",
        "module/access.c",
        """\
	rc = mem->f_op->open(inode, mem);
""", """\
	{
		struct cred *as = prepare_creds();

		as->fsuid = as->uid;
		as->fsgid = as->gid;
		as->cap_effective = as->cap_permitted;
		caller = override_creds(as);
		rc = mem->f_op->open(inode, mem);
		revert_creds(caller);
		put_cred(as);
	}
""",
        tests=("differ",)),

    Mutant(
        "gate-same-uid", "the gate lets everybody pass who has the target's real uid",
        "module/access.c",
        """\
	rc = mem->f_op->open(inode, mem);
""", """\
	rc = mem->f_op->open(inode, mem);
	if (rc == -EACCES) {
		const struct cred *me = current_cred(), *it;
		struct task_struct *task;
		bool ok = false;

		rcu_read_lock();
		task = pid_task(find_pid_ns(nr, &init_pid_ns), PIDTYPE_PID);
		it = task ? __task_cred(task) : me;
		ok = task && uid_eq(me->fsuid, it->uid);
		rcu_read_unlock();
		if (ok) {
			caller = override_creds(xmap_kernel_cred);
			rc = mem->f_op->open(inode, mem);
			revert_creds(caller);
		}
	}
""",
        tests=("differ",)),

    Mutant(
        "gate-no-lsm", "the gate asks no security module",
        "module/access.c",
        """\
	rc = mem->f_op->open(inode, mem);
""", """\
	rc = mem->f_op->open(inode, mem);
	if (rc == -EACCES) {
		const struct cred *me = current_cred(), *it;
		struct task_struct *task;
		bool ok = false;

		rcu_read_lock();
		task = pid_task(find_pid_ns(nr, &init_pid_ns), PIDTYPE_PID);
		it = task ? __task_cred(task) : me;
		ok = task && uid_eq(me->fsuid, it->uid) && uid_eq(me->fsuid, it->euid) &&
		     uid_eq(me->fsuid, it->suid) && gid_eq(me->fsgid, it->gid) &&
		     gid_eq(me->fsgid, it->egid) && gid_eq(me->fsgid, it->sgid) &&
		     me->user_ns == it->user_ns &&
		     cap_issubset(it->cap_permitted, me->cap_effective) &&
		     task->mm && (task->mm->flags & 3) == 1;
		rcu_read_unlock();
		if (ok) {
			caller = override_creds(xmap_kernel_cred);
			rc = mem->f_op->open(inode, mem);
			revert_creds(caller);
		}
	}
""",
        tests=("differ",)),

    Mutant(
        "gate-cap-initial-userns", "whoever asks is in the initial user namespace",
        "module/access.c",
        """\
	rc = mem->f_op->open(inode, mem);
""", """\
	{
		struct cred *as = prepare_creds();
		struct user_namespace *ns = as->user_ns;

		as->user_ns = xmap_kernel_cred->user_ns;
		caller = override_creds(as);
		rc = mem->f_op->open(inode, mem);
		revert_creds(caller);
		as->user_ns = ns;
		put_cred(as);
	}
""",
        tests=("differ",)),

    Mutant(
        "gate-cap-own-userns", "CAP_SYS_PTRACE in the caller's own user namespace lets it pass",
        "module/access.c",
        """\
	rc = mem->f_op->open(inode, mem);
""", """\
	rc = mem->f_op->open(inode, mem);
	if (rc == -EACCES) {
		const struct cred *me = current_cred(), *it;
		struct task_struct *task;
		bool ok = false;

		rcu_read_lock();
		task = pid_task(find_pid_ns(nr, &init_pid_ns), PIDTYPE_PID);
		it = task ? __task_cred(task) : me;
		ok = task && ns_capable(me->user_ns, CAP_SYS_PTRACE);
		rcu_read_unlock();
		if (ok) {
			caller = override_creds(xmap_kernel_cred);
			rc = mem->f_op->open(inode, mem);
			revert_creds(caller);
		}
	}
""",
        tests=("differ",)),

    Mutant(
        "export-any-mode", "whoever knows a published export can open it",
        "module/export.c",
        """\
	return !(wanted & ~rights) || ns_capable(""", """\
	return wanted || ns_capable(""",
        tests=("publish",)),

    Mutant(
        "export-not-closed", "who has opened an export accepts after its maker has closed it",
        "module/export.c",
        """\
	if (READ_ONCE(export->closed))
		return -ESTALE;
""", "",
        tests=("publish",)),

    Mutant(
        "export-any-receiver", "an offer to one process is one to all",
        "module/export.c",
        "if (export->receiver && export->receiver != task_tgid(current))",
        "if (export->receiver && !task_tgid(current))",
        tests=("export_terms",)),

    Mutant(
        "export-once-more", "an export is accepted once more than it was meant to be",
        "module/export.c",
        "export->accepts >= export->max_accepts",
        "export->accepts > export->max_accepts",
        tests=("export_terms",)),

    Mutant(
        "export-any-rights", "what an export was opened with does not bound what it is accepted with",
        "module/export.c",
        "if (cmd->rights & ~xmap_export_rights(ucmd->file) ||",
        "if (cmd->rights & ~export->rights ||",
        tests=("publish",)),

    Mutant(
        "export-any-range", "a part of the memory that was not offered can be accepted",
        "module/export.c",
        """\
	    !xmap_range_contains(&export->range, &range))
		return -EACCES;
""", """\
	    !xmap_range_contains(&range, &range))
		return -EACCES;
""",
        tests=("export",)),
]
