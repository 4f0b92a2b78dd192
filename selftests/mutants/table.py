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
        "revoke-no-publish", "a revocation looks at the windows, but does not say what was revoked",
        "module/node.c",
        """\
			rcu_assign_pointer(node->revoked, new);
			unused = old;
""", """\
			unused = new;
""",
        tests=("revoke",)),

    Mutant(
        "revoke-no-zap", "a revocation leaves the entries of windows alone",
        "module/node.c",
        """\
	xmap_window_revoke(win);
""", "",
        tests=("revoke",)),

    Mutant(
        "revoke-self-only", "a revocation forgets the windows on what was made of it",
        "module/node.c",
        """\
	if (!list_empty(&node->children))
		return list_first_entry""", """\
	if (false)
		return list_first_entry""",
        tests=("revoke",)),

    Mutant(
        "revoke-last-piece", "pieces that become one are as long as the last of them",
        "module/node.c",
        """\
	new->piece[first] = merged;
""", """\
	new->piece[first] = *range;
""",
        tests=("revoke",)),

    Mutant(
        "revoke-touching-pieces", "pieces that touch are counted as two",
        "module/node.c",
        "first < n && old->piece[first].end < range->start;",
        "first < n && old->piece[first].end <= range->start;",
        tests=("revoke",)),

    Mutant(
        "revoke-wakes-nobody", "who waits for the end of a target is not told of a revocation",
        "module/node.c",
        """\
	if (rc)
		wake_up_all(&root->wq);
""", "",
        tests=("revoke",), timeout=400),

    Mutant(
        "revoke-waits-for-no-copy", "a revocation returns while bytes are on their way",
        "module/node.c",
        """\
	synchronize_srcu_expedited(&xmap_copies);
""", "",
        tests=("revoke_race",)),

    Mutant(
        "revoke-waits-for-no-forced-write", "a revocation returns while a forced write is under way",
        "module/node.c",
        """\
	if (root->consent)
		return 0;
""", """\
	if (root)
		return 0;
""",
        tests=("revoke_race",)),

    Mutant(
        "copy-no-ask", "a copy asks before it waits for its pages, and not again",
        "module/transfer.c",
        """\
	usable = xmap_node_usable(target->obj.node, addr, addr + len) - addr;
	if (usable) {
""", """\
	usable = len;
	if (usable) {
""",
        tests=("revoke_stall",)),

    Mutant(
        "fault-no-ask", "a fault asks for its own page, and not for those around it",
        "module/fault.c",
        """\
		n = xmap_window_usable(win, xmap_window_to_remote(win, addr), n);
		rc = -ESTALE;
		if (n)
""", """\
		rc = -ESTALE;
		if (n)
""",
        tests=("revoke",)),

    Mutant(
        "derive-no-link", "what is derived stands for itself",
        "module/target.c",
        """\
	node = xmap_node_create(grant->mm, parent ? parent->node : NULL);
""", """\
	node = xmap_node_create(grant->mm, parent && parent->kind == XMAP_LIST_EXPORT ?
					   parent->node : NULL);
""",
        tests=("tree",)),

    Mutant(
        "revoke-by-anybody", "whoever has a descriptor or a number may revoke",
        "module/revoke.c",
        """\
	if (xmap_node_made_by(node, task_tgid(current)))
		return true;
""", """\
	if (node)
		return true;
""",
        tests=("revoke_who",)),

    Mutant(
        "revoke-own-userns", "CAP_SYS_ADMIN in the caller's own user namespace is enough to revoke",
        "module/revoke.c",
        "ns_capable(node->mm->user_ns, CAP_SYS_ADMIN)",
        "ns_capable(current_user_ns(), CAP_SYS_ADMIN)",
        tests=("revoke_who",)),

    Mutant(
        "revoke-maker-only", "who made what something was made from may not revoke it",
        "module/node.c",
        """\
	for (; node; node = node->parent) {
		if (node->maker == tgid)
			return true;
	}
	return false;
""", """\
	return node->maker == tgid;
""",
        tests=("revoke_who",)),

    Mutant(
        "revoke-unseen", "a number can be told from none by those who cannot see it",
        "module/revoke.c",
        """\
	if (obj->serial != search->serial || obj->kind == XMAP_LIST_WINDOW ||
	    !xmap_object_visible(obj))
		return false;
""", """\
	if (obj->serial != search->serial || obj->kind == XMAP_LIST_WINDOW)
		return false;
""",
        tests=("revoke_who",)),

    Mutant(
        "accept-any-range", "an export can be accepted for more than its range",
        "module/export.c",
        """\
	if (cmd->rights & ~xmap_export_rights(ucmd->file) ||
	    !xmap_range_contains(&export->range, &range))
		return -EACCES;
""", """\
	if (cmd->rights & ~xmap_export_rights(ucmd->file))
		return -EACCES;
""",
        tests=("tree",)),

    Mutant(
        "accept-any-right", "an export can be accepted with rights that it does not offer",
        "module/export.c",
        """\
	if (cmd->rights & ~xmap_export_rights(ucmd->file) ||
	    !xmap_range_contains(&export->range, &range))
		return -EACCES;
""", """\
	if (!xmap_range_contains(&export->range, &range))
		return -EACCES;
""",
        tests=("tree",)),

    Mutant(
        "accept-no-limit", "an export can be accepted any number of times",
        "module/export.c",
        """\
	if (export->max_accepts && export->accepts >= export->max_accepts)
		rc = -EDQUOT;
	else
		export->accepts++;
""", """\
	export->accepts++;
""",
        tests=("export_terms",)),

    Mutant(
        "accept-no-receiver", "an export for one process can be accepted by others",
        "module/export.c",
        """\
	if (export->receiver && export->receiver != task_tgid(current))
		return -EACCES;
""", "",
        tests=("export_terms",)),

    Mutant(
        "accept-no-user", "an export for one user can be accepted by others",
        "module/export.c",
        """\
	if (uid_valid(export->receiver_uid) && !uid_eq(export->receiver_uid, current_euid()))
		return -EACCES;
""", "",
        tests=("export_terms",)),

    Mutant(
        "accept-expired", "an export can be accepted after its time",
        "module/export.c",
        """\
	if (xmap_export_expired(export))
		return -ESTALE;
""", "",
        tests=("export_terms",), timeout=400),

    Mutant(
        "accept-closed", "an offer stands after its maker has closed it",
        "module/export.c",
        """\
	WRITE_ONCE(export->closed, true);
""", "",
        tests=("publish",)),

    Mutant(
        "open-any-mode", "a published export can be opened by everybody",
        "module/export.c",
        """\
	if (cmd->rights & ~export->rights || !xmap_export_allows(export, cmd->rights))
		goto err_export;
""", """\
	if (cmd->rights & ~export->rights)
		goto err_export;
""",
        tests=("publish",)),

    Mutant(
        "open-any-namespace", "a name is found from every user namespace",
        "module/export.c",
        "if (export->user_ns == ns && !strcmp(export->name, name))",
        "if (ns && !strcmp(export->name, name))",
        tests=("publish",)),

    Mutant(
        "deny-not-asked", "a denial is kept, but nobody asks for it",
        "module/target.c",
        """\
	return !target->exempt && !target->obj.node->root->consent && xmap_denied(target->mm);
""", """\
	return !target->mm;
""",
        tests=("deny",)),

    Mutant(
        "deny-own-maker", "who has opened a target is taken for the process itself",
        "module/target.c",
        """\
	return !target->exempt && !target->obj.node->root->consent && xmap_denied(target->mm);
""", """\
	return !target->exempt && !target->obj.node->root->consent &&
	       target->obj.node->root->maker != task_tgid(current) && xmap_denied(target->mm);
""",
        tests=("deny",)),

    Mutant(
        "deny-keeps-targets", "a denial keeps out who comes, and lets stay who is there",
        "module/deny.c",
        """\
		xmap_node_take_back(node, &whole);
		xmap_node_put(node);
""", """\
		(void)whole;
		xmap_node_put(node);
""",
        tests=("deny",)),

]
