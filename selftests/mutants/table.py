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
        "answer-fails-export-stays", "who cannot be told what he has exported has exported it",
        "module/export.c",
        """\
	xmap_node_revoke(export->obj.node, &all, false);
""", """\
	(void)&all;
""",
        tests=("revoke_stall",)),

    Mutant(
        "open-any-mode", "a published export can be opened by everybody",
        "module/export.c",
        """\
	if (cmd->rights & ~export->rights || !xmap_name_allows(&export->name, cmd->rights))
		goto err_export;
""", """\
	if (cmd->rights & ~export->rights)
		goto err_export;
""",
        tests=("publish",)),

    Mutant(
        "open-any-namespace", "a name is found from every user namespace",
        "module/export.c",
        "if (export->name.user_ns == ns && !strcmp(export->name.text, name))",
        "if (ns && !strcmp(export->name.text, name))",
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
		xmap_node_take_back(node, &whole, false);
		xmap_node_put(node);
""", """\
		(void)whole;
		xmap_node_put(node);
""",
        tests=("deny",)),

    Mutant(
        "region-keep-held", "a page that others hold stays the region's",
        "module/region_settle.c",
        """\
	return folio_ref_count(folio) <= folio_nr_pages(folio) + 1;
""", """\
	return folio_ref_count(folio) <= folio_nr_pages(folio) + 1 || !folio_test_large(folio);
""",
        tests=("region_move",)),

    Mutant(
        "huge-keep-held", "the same for huge pages",
        "module/region_settle.c",
        """\
	return folio_ref_count(folio) <= folio_nr_pages(folio) + 1;
""", """\
	return folio_ref_count(folio) <= folio_nr_pages(folio) + 1 || folio_test_large(folio);
""",
        tests=("region_huge",)),

    Mutant(
        "huge-part-is-all", "who may have a part of a huge page gets all of it",
        "module/region_map.c",
        """\
		 !xmap_region_vm_small(vmf))
""", """\
		 !vmf->pmd)
""",
        tests=("region_huge",)),

    Mutant(
        "huge-not-refilled", "a huge page is remade without what was in it",
        "module/region_settle.c",
        """\
			if (!xmap_settle_refill(mapping, index + i, folio_page(old, i)))
				xmap_settle_lose(region, index + i);
			cond_resched();
""", """\
			cond_resched();
""",
        tests=("region_huge",)),

    Mutant(
        "huge-cut-stays", "who holds a huge page that was cut keeps what is beyond the end",
        "module/region_memory.c",
        """\
	if (shorter && length && xmap_region_huge(region)) {
""", """\
	if (shorter && length > old && xmap_region_huge(region)) {
""",
        tests=("region_huge",)),

    Mutant(
        "huge-uncommitted", "memory for huge pages is committed when they are made",
        "module/region_memory.c",
        "huge ? 0 : VM_NORESERVE",
        "VM_NORESERVE",
        tests=("region_huge",)),

    Mutant(
        "region-own-range", "of a handle of a region the range of a target is looked at",
        "module/revoke.c",
        """\
	if (obj->kind == XMAP_LIST_REGION)
		return xmap_region_range(obj);
""", "",
        tests=("region_control",)),

    Mutant(
        "region-no-settle", "a revocation of a region is published, and those who have it keep it",
        "module/region.c",
        """\
	if (xmap_memory_settle(region, &own, from) || event)
		xmap_region_event(region, NULL);
""", """\
	(void)own;
	(void)from;
	(void)event;
""",
        tests=("region_control",)),

    Mutant(
        "region-no-detach", "a revocation waits for who asks, and leaves what is mapped",
        "module/region.c",
        "from = held ? XMAP_SETTLE_HELD : XMAP_SETTLE_MAPPED;",
        "from = XMAP_SETTLE_ASKED;",
        tests=("region_control",)),

    Mutant(
        "region-mapped-here", "that something was mapped is noted of the handle alone",
        "module/region_map.c",
        """\
	for (node = handle->obj.node; node; node = node->parent)
		WRITE_ONCE(node->mapped, true);
""", """\
	node = handle->obj.node;
	WRITE_ONCE(node->mapped, true);
""",
        tests=("region_control",)),

    Mutant(
        "region-give-keeps", "who gives a region away keeps what he has mapped",
        "module/region_control.c",
        """\
	xmap_memory_settle(region, &xmap_all_offsets, XMAP_SETTLE_HELD);
	set_active_memcg(active);
""", """\
	xmap_memory_settle(region, &xmap_all_offsets, XMAP_SETTLE_ASKED);
	set_active_memcg(active);
""",
        tests=("region_move",)),

    Mutant(
        "region-ask-early", "who faults on a page is asked before he has it, not when it is locked",
        "module/region_map.c",
        """\
	if (xmap_handle_may(handle, offset, offset + PAGE_SIZE, vma->vm_mm))
		result = VM_FAULT_SIGBUS;
	else if (folio_test_large(folio) &&""", "	if (folio_test_large(folio) &&",
        tests=("region_race",)),

    Mutant(
        "huge-remade-alone", "others get pages while a huge page is remade",
        "module/region_memory.c",
        """\
	rc = -EAGAIN;
	if (xmap_memory_remade(region, index))
		goto err;
""", "",
        tests=("region_race",)),

    Mutant(
        "region-file-mode", "a handle's file can be written to whatever its rights are",
        "module/region.c",
        """\
	flags = O_RDONLY;
	if (rights & XMAP_RIGHT_WRITE)
		flags = rights & XMAP_RIGHT_READ ? O_RDWR : O_WRONLY;
""", """\
	flags = O_RDWR;
""",
        tests=("region",)),

    Mutant(
        "region-map-range", "what is mapped may be beyond what the handle has",
        "module/region_map.c",
        """\
	if (!xmap_range_contains(&clip, &range))
		return -EACCES;
	if (place->end""", "	if (place->end",
        tests=("region",)),

    Mutant(
        "region-read-range", "what is read may be beyond what the handle has",
        "module/region_map.c",
        """\
	if (pos < handle->range.start || pos > handle->range.end)
		return -EACCES;
""", "",
        tests=("region",)),

    Mutant(
        "region-derive-rights", "a handle can be derived with more rights",
        "module/region.c",
        """\
	if (cmd->rights & ~handle->rights ||
	    (cmd->length && !xmap_range_contains(&clip, &range)))
""", """\
	if (cmd->length && !xmap_range_contains(&clip, &range))
""",
        tests=("region",)),

    Mutant(
        "region-derive-range", "a handle can be derived with a larger range",
        "module/region.c",
        """\
	if (cmd->rights & ~handle->rights ||
	    (cmd->length && !xmap_range_contains(&clip, &range)))
""", """\
	if (cmd->rights & ~handle->rights)
""",
        tests=("region",)),

    Mutant(
        "region-seal-rights", "sealing needs no right",
        "module/region_control.c",
        """\
	rc = xmap_region_begin(handle, XMAP_RIGHT_MANAGE);
	if (rc)
		return rc;
	old = region->seals;
""", """\
	rc = xmap_region_begin(handle, 0);
	if (rc)
		return rc;
	old = region->seals;
""",
        tests=("region_control",)),

    Mutant(
        "region-resize-rights", "resizing needs no right",
        "module/region_control.c",
        """\
	rc = xmap_region_begin(handle, XMAP_RIGHT_MANAGE);
	if (rc)
		return rc;
	rc = xmap_region_resize(""", """\
	rc = xmap_region_begin(handle, 0);
	if (rc)
		return rc;
	rc = xmap_region_resize(""",
        tests=("region_control",)),

    Mutant(
        "region-rebind-rights", "new pages need no right to write",
        "module/region_control.c",
        "XMAP_RIGHT_MANAGE | XMAP_RIGHT_WRITE);",
        "XMAP_RIGHT_MANAGE);",
        tests=("region_control",)),

    Mutant(
        "region-unlink-rights", "to take the name away needs no right",
        "module/region_control.c",
        """\
	if (!(handle->rights & XMAP_RIGHT_MANAGE) || !xmap_handle_whole(handle))
		return -EACCES;
	/* Who""", """\
	if (!xmap_handle_whole(handle))
		return -EACCES;
	/* Who""",
        tests=("region_name",)),

    Mutant(
        "region-unlink-part", "who has a part of a region takes its name away",
        "module/region_control.c",
        """\
	if (!(handle->rights & XMAP_RIGHT_MANAGE) || !xmap_handle_whole(handle))
		return -EACCES;
	/* Who""", """\
	if (!(handle->rights & XMAP_RIGHT_MANAGE))
		return -EACCES;
	/* Who""",
        tests=("region_persist",)),

    Mutant(
        "region-unlink-all", "who has lost a piece of a region cannot take its name away",
        "module/region_control.c",
        """\
	if (xmap_handle_revoked(handle))
		return -ESTALE;
	return xmap_region_unlink(""", """\
	if (xmap_handle_manage(handle, 0))
		return -ESTALE;
	return xmap_region_unlink(""",
        tests=("region_persist",)),

    Mutant(
        "region-name-unlisted", "a region that only its name keeps is in no list",
        "module/region_name.c",
        """\
	xmap_account_publish(obj);
""", "",
        tests=("region_persist",)),

    Mutant(
        "region-reserve-free", "addresses that are kept from others cost nothing",
        "module/region.h",
        "return max(length, region->reserve);",
        "return length;",
        tests=("region_place",)),

    Mutant(
        "region-part-manages", "who has a part of a region may do what concerns all of it",
        "module/region.c",
        """\
	if (rights & ~handle->rights || !xmap_handle_whole(handle))
""", """\
	if (rights & ~handle->rights)
""",
        tests=("region_control",)),

    Mutant(
        "region-notify-rights", "who may only read can have others told that something has happened",
        "module/region_control.c",
        """\
	if (!(handle->rights & XMAP_RIGHT_WRITE))
		return -EACCES;
""", "",
        tests=("region",)),

    Mutant(
        "region-owner-not-asked", "a region with a single owner is for everybody",
        "module/region_map.c",
        """\
	if (xmap_region_single(region) && (!mm || READ_ONCE(region->owner) != mm))
		return -EPERM;
""", "",
        tests=("region_move",)),

    Mutant(
        "region-change-any", "who is not the owner may resize, seal and rebind",
        "module/region_control.c",
        """\
	if (!rc && xmap_region_single(region) && region->owner != current->mm)
		rc = -EPERM;
""", "",
        tests=("region_move",)),

    Mutant(
        "region-owner-looks", "an owner reaches his memory through another who has it mapped",
        "module/region_map.c",
        """\
	if (xmap_handle_may(handle, offset, offset + PAGE_SIZE, vma->vm_mm))
		return VM_FAULT_SIGBUS;
	page = xmap_memory_page(handle->region, vmf->pgoff);
	if (page == ERR_PTR(-EAGAIN))
		return xmap_region_vm_wait(vmf);
	if (IS_ERR(page))
		return vmf_error(PTR_ERR(page));
	folio = page_folio(page);
	if (xmap_handle_may(handle, offset, offset + PAGE_SIZE, vma->vm_mm))
""", """\
	if (xmap_handle_may(handle, offset, offset + PAGE_SIZE, current->mm))
		return VM_FAULT_SIGBUS;
	page = xmap_memory_page(handle->region, vmf->pgoff);
	if (page == ERR_PTR(-EAGAIN))
		return xmap_region_vm_wait(vmf);
	if (IS_ERR(page))
		return vmf_error(PTR_ERR(page));
	folio = page_folio(page);
	if (xmap_handle_may(handle, offset, offset + PAGE_SIZE, current->mm))
""",
        tests=("region_move",)),

    Mutant(
        "region-give-any", "anybody gives it away",
        "module/region_control.c",
        """\
	if (region->owner == current->mm)
""", """\
	if (region->owner)
""",
        tests=("region_move",)),

    Mutant(
        "region-take-any", "what has an owner can be taken",
        "module/region_control.c",
        """\
	if (!rc && region->owner && xmap_mm_in_use(region->owner))
		rc = -EBUSY;
""", "",
        tests=("region_move",)),

    Mutant(
        "region-owner-revoked", "who owns a region by a handle that was revoked keeps others from it",
        "module/region.c",
        """\
		event = xmap_region_check_owner(region);
""", "",
        tests=("region_move",)),

    Mutant(
        "region-inherited", "a child inherits what its parent alone may have",
        "module/region_map.c",
        """\
	if (xmap_region_single(handle->region))
		vm_flags_set(vma, VM_DONTCOPY);
""", "",
        tests=("region_move",)),

    Mutant(
        "region-any-mode", "a published region can be opened by everybody",
        "module/region.c",
        """\
	if (!xmap_name_allows(&region->name, cmd->rights))
		goto out_root;
""", "",
        tests=("region_name",)),

    Mutant(
        "region-any-namespace", "a region's name is found from every user namespace",
        "module/region_name.c",
        "if (region->name.user_ns == ns && !strcmp(region->name.text, name))",
        "if (ns && !strcmp(region->name.text, name))",
        tests=("region_name",)),

    Mutant(
        "region-two-of-a-name", "two regions can have the same name",
        "module/region_name.c",
        """\
	if (other && !xmap_node_revoked(other->root, &all)) {
""", """\
	if (other && xmap_node_revoked(other->root, &all)) {
""",
        tests=("region_name",)),

    Mutant(
        "region-unlimited", "the bytes of a region are counted, and may be any",
        "module/account.c",
        """\
	else if (bytes > limit || owner->bytes > limit - bytes)
		rc = -EDQUOT;
""", """\
	(void)limit;
""",
        tests=("region",)),

    Mutant(
        "region-grows-free", "a region that becomes longer is not charged",
        "module/region_control.c",
        """\
		rc = xmap_account_region(&region->user, 0, bytes - charged);
""", """\
		rc = xmap_account_region(&region->user, 0, 0);
""",
        tests=("region",)),

    Mutant(
        "region-seal-mapped", "what somebody has mapped to write can be sealed",
        "module/region_control.c",
        """\
	else if (seals & ~region->seals & XMAP_REGION_SEAL_WRITE && region->writers)
		rc = -EBUSY;
""", "",
        tests=("region_control",)),

    Mutant(
        "region-seal-forever", "a mapping that has gone still keeps others from sealing",
        "module/region_map.c",
        """\
		spin_lock(&region->lock);
		region->writers--;
		spin_unlock(&region->lock);
	}
	atomic_dec""", """\
	}
	atomic_dec""",
        tests=("region_control",)),

    Mutant(
        "region-seal-mprotect", "what is mapped when it is sealed can be made writable",
        "module/region_map.c",
        """\
	if (!(mapping->f_mode & FMODE_WRITE))
		vm_flags_clear(vma, VM_MAYWRITE);
""", "",
        tests=("region_control",)),

    Mutant(
        "region-seal-write", "write() does not ask for seals",
        "module/region_map.c",
        """\
	if (!rc && write && READ_ONCE(handle->region->seals) & XMAP_REGION_SEALS_WRITE)
		rc = -EPERM;
""", "",
        tests=("region_control",)),

    Mutant(
        "region-seal-held", "who holds pages that are sealed writes to them all the same",
        "module/region_control.c",
        """\
				   cmd->seals & ~old & XMAP_REGION_SEAL_WRITE ?
				   XMAP_SETTLE_HELD : XMAP_SETTLE_ASKED);
""", """\
				   XMAP_SETTLE_ASKED);
""",
        tests=("region_move",)),

    Mutant(
        "region-seal-hurries", "a seal against future writes does not wait for one that is under way",
        "module/region_control.c",
        """\
	if (!rc && cmd->seals & ~old & XMAP_REGION_SEALS_WRITE)
		xmap_memory_settle(""", """\
	if (!rc && cmd->seals & ~old & XMAP_REGION_SEAL_WRITE)
		xmap_memory_settle(""",
        kernel="6.12-rt", tests=("region_held",)),

    Mutant(
        "region-shrink-mapped", "what is cut off stays where it is mapped",
        "module/region_memory.c",
        """\
		unmap_mapping_range(inode->i_mapping, length, 0, 1);
		shmem_truncate_range(inode, length, (loff_t)-1);
""", """\
		(void)inode;
""",
        tests=("region_control",)),

    Mutant(
        "region-same-generation", "new pages, and the old number",
        "module/region_control.c",
        "smp_store_release(&region->generation, region->generation + 1);",
        "smp_store_release(&region->generation, region->generation);",
        tests=("region_control",)),

    Mutant(
        "region-old-pages", "a new number, and the old pages",
        "module/region_control.c",
        """\
	xmap_memory_renew(region);
""", "",
        tests=("region_control",)),

    Mutant(
        "region-place-shared", "two regions can have the same address",
        "module/region_place.c",
        """\
		if (xmap_place_limit(next) < addr + length)
			rc = -EEXIST;
""", "",
        tests=("region_place",)),

    Mutant(
        "region-place-replaces", "a region at its place replaces what is there, unasked",
        "module/region_place.c",
        """\
	return find_vma_intersection(current->mm, want, want + len) ? -EEXIST : want;
""", """\
	return want;
""",
        tests=("region_place",)),

    Mutant(
        "region-place-moved", "a region is moved away from its place",
        "module/region_map.c",
        """\
	return handle->region->flags & XMAP_REGION_FIXED_ADDRESS ? -EINVAL : 0;
""", """\
	return handle ? 0 : -EINVAL;
""",
        tests=("region_place",)),

    Mutant(
        "region-map-grows", "a mapping grows out of what its handle has",
        "module/region_map.c",
        """\
	vm_flags_set(vma, VM_DONTEXPAND);
""", "",
        tests=("region",)),

    Mutant(
        "region-map-files", "the tmpfs file behind a mapping can be opened through /proc",
        "module/region_memory.c",
        """\
	inode->i_fop = anon->i_fop;
""", "",
        tests=("region",)),

    Mutant(
        "region-map-files-cut", "... and truncated",
        "module/region_memory.c",
        """\
	SHMEM_I(inode)->seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
""", "",
        tests=("region",)),

    Mutant(
        "region-first-byte", "of each page and copy it is asked whether the first byte may be had",
        "module/region_map.c",
        """\
	if (xmap_node_usable(handle->obj.node, start, end) < end)
""", """\
	if (xmap_node_usable(handle->obj.node, start, start + 1) <= start)
""",
        tests=("region_tree",)),

    Mutant(
        "region-killed-writes", "who is killed counts as one who writes for ever",
        "module/region_map.c",
        """\
	if (file->f_mode & FMODE_WRITE) {
		spin_lock(&region->lock);
		region->writers--;
""", """\
	if (file->f_mode & FMODE_WRITE && !(current->flags & PF_EXITING)) {
		spin_lock(&region->lock);
		region->writers--;
""",
        tests=("killed",)),

    Mutant(
        "revoke-own-user", "what was made by a process of the same user can be revoked",
        "module/revoke.c",
        """\
	if (!node->root->consent)
		return ns_capable(maker->user_ns, CAP_SYS_ADMIN);
""", """\
	if (!node->root->consent)
		return uid_eq(maker->euid, current_euid()) ||
		       ns_capable(maker->user_ns, CAP_SYS_ADMIN);
""",
        tests=("region_who",)),

    Mutant(
        "region-name-twice", "a name is looked for, then somebody else can take it",
        "module/region_name.c",
        """\
	if (region->flags & XMAP_REGION_PERSISTENT)
		rc = xmap_region_keep(region);
""", """\
	mutex_unlock(&xmap_regions_lock);
	schedule_timeout_uninterruptible(1);
	mutex_lock(&xmap_regions_lock);
	if (region->flags & XMAP_REGION_PERSISTENT)
		rc = xmap_region_keep(region);
""",
        tests=("region_at_once",)),

    Mutant(
        "region-open-ending", "a name is opened whose region is about to end",
        "module/region_name.c",
        """\
	if (region && !refcount_inc_not_zero(&region->root->refs))
		region = NULL;
""", """\
	if (region)
		xmap_node_get(region->root);
""",
        tests=("region_at_once",)),

    Mutant(
        "node-charge", "the nodes of the tree are not charged to a memory cgroup",
        "module/node.c",
        """\
	node = kzalloc(sizeof(*node), GFP_KERNEL_ACCOUNT);
""", """\
	node = kzalloc(sizeof(*node), GFP_KERNEL);
""",
        tests=("charge",)),

    Mutant(
        "region-revoke-beyond", "a revocation of a handle concerns all pages of the region",
        "module/region.c",
        "own = xmap_range_clip(range, &node->span);",
        "own = *range;",
        tests=("region_pages",)),

    Mutant(
        "region-held-by-all", "whoever may revoke takes pages from those who hold them",
        "module/region.c",
        """\
		if (node->manages && node->maker == task_tgid(current))
			return true;
""", """\
		if (node->maker == task_tgid(current))
			return true;
""",
        tests=("region_pages",)),

    Mutant(
        "region-held-by-nobody", "who manages a region leaves pages to those who hold them",
        "module/region.c",
        """\
		if (node->manages && node->maker == task_tgid(current))
			return true;
""", """\
		if (!node->maker)
			return true;
""",
        tests=("region_pages",)),

    Mutant(
        "region-held-by-admin", "an administrator leaves pages to those who hold them",
        "module/region.c",
        """\
	return ns_capable(region->name.user_ns, CAP_SYS_ADMIN);
""", """\
	return !region;
""",
        tests=("region_pages",)),

    Mutant(
        "region-nobody-pays", "who ends pays for no copy of what he held",
        "module/region_control.c",
        """\
	active = set_active_memcg(payer);
""", """\
	active = set_active_memcg(NULL);
""",
        tests=("region_charge",)),

    Mutant(
        "region-manages-all", "who derives a handle answers for the region, whatever his rights",
        "module/region.c",
        """\
	node->manages = manages;
""", """\
	node->manages = true;
""",
        tests=("region_pages",)),

    Mutant(
        "region-not-told", "who keeps his rights is not told that pages were replaced",
        "module/region.c",
        """\
	if (xmap_memory_settle(region, &own, from) || event)
		xmap_region_event(region, NULL);
""", """\
	xmap_memory_settle(region, &own, from);
	if (event)
		xmap_region_event(region, NULL);
""",
        tests=("region_pages",)),

    Mutant(
        "region-not-counted", "replaced pages are not counted",
        "module/region_settle.c",
        """\
	atomic64_add(settling.replaced, &region->replaced);
""", "",
        tests=("region_pages",)),

    Mutant(
        "region-not-unmapped", "pages are taken from who holds them, and left to who has them mapped",
        "module/region_settle.c",
        """\
	if (from != XMAP_SETTLE_ASKED)
		unmap_mapping_pages(mapping, at, last - at + 1, false);
""", "",
        tests=("region_pages",)),

    Mutant(
        "region-asked-not-waited", "who has asked before a revocation is not waited for",
        "module/region_settle.c",
        """\
			folio_lock(batch.folios[i]);
			folio_unlock(batch.folios[i]);
""", """\
			cond_resched();
""",
        kernel="6.12-rt", tests=("region_held",)),

    Mutant(
        "region-impatient", "what is held for a moment only is replaced",
        "module/region_settle.c",
        """\
	if (!folio_test_lru(folio) || *tries == XMAP_SETTLE_TRIES || !settling->patience)
		return false;
""", """\
	if (!folio_test_lru(folio) || *tries < XMAP_SETTLE_TRIES)
		return false;
""",
        tests=("region_held",)),

    Mutant(
        "region-first-pays", "who had paid for a page pays for its copy",
        "module/region_settle.c",
        "settling->spare = xmap_memory_spare();",
        "settling->spare = alloc_page(GFP_HIGHUSER | __GFP_NOFAIL);",
        tests=("region_charge",)),

    Mutant(
        "answer-fails-region-stays", "who has opened a region that nobody was told of keeps it",
        "module/region.c",
        """\
		xmap_node_revoke(region->root, &all, true);
""", """\
		(void)rc;
""",
        tests=("region_at_once",)),

    Mutant(
        "region-not-retired", "what nobody can reach keeps its memory and its name",
        "module/region.c",
        """\
	if (node == region->root)
		xmap_region_retire(region);
""", "",
        tests=("region_name",)),

    Mutant(
        "region-retired-named", "... keeps its name",
        "module/region_control.c",
        """\
	if (gone)
		xmap_region_unlink(region);
""", "",
        tests=("region_name",)),

    Mutant(
        "region-owner-of-nothing", "who has lost all of a region piece by piece keeps others from it",
        "module/region_control.c",
        """\
	const struct xmap_range all = { .end = region->length };

	lockdep_assert_held(&region->mutex);
	if (!region->holding""", """\
	const struct xmap_range all = { .end = xmap_user_end() };

	lockdep_assert_held(&region->mutex);
	if (!region->holding""",
        tests=("region_lost",)),

    Mutant(
        "region-poison-copied", "a page that the hardware has spoilt is copied",
        "module/region_settle.c",
        """\
		if (!large && PageHWPoison(page))
			break;
""", "",
        tests=("region_poison",)),

    Mutant(
        "huge-poison-copied", "a part of a huge page that the hardware has spoilt is copied",
        "module/region_settle.c",
        """\
	if (PageHWPoison(from))
		return false;
""", "",
        tests=("region_poison_huge",)),

    Mutant(
        "huge-lost-shown", "what a huge page has lost reads as zeroes",
        "module/region_memory.c",
        """\
	rc = -EIO;
	if (xmap_memory_lost(region, index, 1))
		goto err;
""", "",
        tests=("region_poison_huge",)),

    Mutant(
        "huge-lost-mapped", "what is beside it is mapped together with what was lost",
        "module/region_map.c",
        """\
	       !xmap_memory_lost(handle->region, folio->index, folio_nr_pages(folio)) &&
""", "",
        tests=("region_held",)),

    Mutant(
        "huge-lost-forever", "what was lost is not there again after it was rebound",
        "module/region_memory.c",
        """\
	WRITE_ONCE(region->lost.end, 0);
	WRITE_ONCE(region->lost.start, 0);
""", "",
        tests=("region_poison_huge",)),

    Mutant(
        "bell-outlives", "an eventfd is rung after its descriptor was closed",
        "module/region_file.c",
        """\
	xmap_bell_end(file);
""", "",
        tests=("eventfd",)),

    Mutant(
        "bell-two", "a descriptor keeps the eventfd that it had beside the new one",
        "module/bell.c",
        """\
	last = xmap_rope_cut(file);
	spare = xmap_rope_tie(rope, bell);
""", """\
	last = NULL;
	spare = xmap_rope_tie(rope, bell);
""",
        tests=("eventfd",)),

    Mutant(
        "bell-each", "an eventfd is rung once for each descriptor that has it",
        "module/bell.c",
        """\
		if (at->root == bell->root && at->ctx == bell->ctx) {
""", """\
		if (false) {
""",
        tests=("eventfd",)),

    Mutant(
        "bell-first", "the first descriptor that is closed ends what others have",
        "module/bell.c",
        """\
		if (--bell->ropes)
			return NULL;
""", "",
        kernel="debug", tests=("eventfd",)),

    Mutant(
        "bell-leaks", "an eventfd is never given back",
        "module/bell.c",
        """\
	eventfd_ctx_put(bell->ctx);
	kfree(bell);
}
""", """\
	kfree(bell);
}
""",
        kernel="debug", tests=("eventfd",)),

    Mutant(
        "never-pays", "who has pages replaced never meets the limit of his cgroup",
        "module/region_memory.c",
        """\
	if (!READ_ONCE(region->forced) || !xchg(&region->forced, false))
		return;
""", """\
	return;
""",
        tests=("region_charge",)),

    Mutant(
        "owner-unheard", "that the owner has lost a region is told nobody",
        "module/region.c",
        """\
		event = xmap_region_check_owner(region);
""", """\
		xmap_region_check_owner(region);
""",
        tests=("region_move",)),
]
