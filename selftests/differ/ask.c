// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two questions, and what the kernel's answer means for xmap.
 *
 * xmap promises PTRACE_MODE_ATTACH_FSCREDS with every LSM.  No system call asks
 * just that.  process_vm_readv(2), pidfd_getfd(2) and ptrace(2) itself go by
 * the real ids and the permitted capabilities (PTRACE_MODE_ATTACH_REALCREDS;
 * kernel/ptrace.c:__ptrace_may_access(), security/commoncap.c:
 * cap_ptrace_access_check()), and the last one changes what it looks at.
 * /proc/PID/maps, kcmp(2) and process_madvise(2) ask for PTRACE_MODE_READ,
 * which Yama lets pass and AppArmor counts as another permission.  Opening
 * /proc/PID/mem is the right question (mm_access(task, PTRACE_MODE_ATTACH |
 * PTRACE_MODE_FSCREDS)) behind two others: the mode of the file, and whatever
 * LSMs say about opening files.
 *
 * But there are files in /proc where the check is made by read(2), not by
 * open(2).  The simplest is /proc/PID/personality: fs/proc/base.c:
 * proc_pid_personality() calls lock_trace(), which is down_read(
 * exec_update_lock) and ptrace_may_access(task, PTRACE_MODE_ATTACH_FSCREDS),
 * the check of mm_access() word for word, by the credentials of whoever reads.
 * So the test opens it as root, where every process has a number, and hands it
 * to the caller.  The caller's read is the kernel's verdict on this pair, now:
 * EPERM or not.  Modes of files, hidepid=, mounts and the namespace of the
 * caller have no part in it.  (AppArmor asks again about files that come from
 * elsewhere; the profiles of this test allow all files.)
 *
 * What mm_access() has besides the check is known from how the pair was made:
 * a target without memory (kernel thread, zombie, dead leader) is ESRCH before
 * anything else, and one's own address space is always granted.  And what
 * xmap has besides: a task needs a name in the caller's pid namespace.
 *
 * Where real ids are the ids for file access, and the permitted capabilities
 * the effective ones, process_vm_readv() has to agree as well; and an open of
 * /proc/PID/mem that succeeds has to be by somebody that xmap lets pass.
 */
#include <linux/capability.h>

#include "differ.h"
#include "../xmap_access.h"

static int ask_kernel(int verdict)
{
	char text[32];

	return XMAP_ERRNO(pread(verdict, text, sizeof(text), 0));
}

static void ask_xmap(struct answers *answers, int way, int pidfd, pid_t nr)
{
	char byte;
	int fd;

	answers->xmap[way] = XMAP_ERRNO(_test_target_open(world.dev, pidfd, nr,
							  answers->rights[way], 0, 0, &fd));
	if (answers->xmap[way])
		return;
	if (answers->rights[way] & XMAP_RIGHT_READ)
		answers->read = XMAP_ERRNO(pread(fd, &byte, 1, MARK_ADDR));
	close(fd);
}

static void ask_mem(struct answers *answers, pid_t init_nr)
{
	char path[32];
	int mem, fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", init_nr);
	mem = open(path, O_RDWR | O_CLOEXEC);
	answers->mem = mem < 0 ? errno : 0;
	if (mem < 0)
		return;
	answers->by_mem = XMAP_ERRNO(_test_target_open_mem(world.dev, mem, XMAP_RIGHTS_ALL,
							   0, 0, &fd));
	if (!answers->by_mem)
		close(fd);
	close(mem);
}

static void ask(struct answers *answers, const struct question *q, int given, int verdict)
{
	pid_t nr = q->nr;
	int own;

	memset(answers, UNASKED, sizeof(*answers));
	answers->rights[0] = XMAP_RIGHTS_ALL;
	answers->rights[1] = q->rights;
	own = nr ? xmap_pidfd_open(nr, q->thread ? PIDFD_THREAD : 0) : -1;
	answers->before = ask_kernel(verdict);
	ask_xmap(answers, 0, given, nr ?: q->init_nr);
	if (own >= 0)
		ask_xmap(answers, 1, own, nr);
	if (nr) {
		char byte;

		answers->vm = XMAP_ERRNO(vm_read(nr, MARK_ADDR, &byte, 1));
	}
	ask_mem(answers, q->init_nr);
	answers->after = ask_kernel(verdict);
	if (own >= 0)
		close(own);
}

/* By the caller.  Arguments: who it is, first and last target. */
long op_ask(const unsigned long *a)
{
	struct board *board = world.board;
	const int *fds = board->fds[a[0]];
	unsigned long i;

	for (i = a[1]; i <= a[2]; i++)
		ask(&board->answer[i], &board->question[i], fds[2 * i], fds[2 * i + 1]);
	return 0;
}

/* ---- What the answers mean ---- */

static bool without_memory(const struct pair_case *c)
{
	return c->dim[D_TARGET] == TG_ZOMBIE || c->dim[D_TARGET] == TG_DEAD_LEADER ||
	       c->dim[D_TARGET] == TG_KTHREAD;
}

static bool own_memory(const struct pair_case *c)
{
	return c->dim[D_RELATION] == REL_SELF || c->dim[D_RELATION] == REL_SHARED_MM;
}

/* What mm_access() would return, by the kernel's verdict. */
static int mm_access_errno(const struct pair_case *c, const struct answers *a)
{
	if (without_memory(c))
		return ESRCH;
	return own_memory(c) || !a->before ? 0 : EACCES;
}

/* process_vm_readv() looks at the same things about this caller. */
static bool vm_is_exact(const struct pair_case *c)
{
	const struct person *who = &c->who[CALLER];

	return who->uid[ID_FS] == who->uid[ID_REAL] && who->gid[ID_FS] == who->gid[ID_REAL] &&
	       who->effective == who->permitted;
}

/* And it says EPERM for EACCES, and EFAULT after the check. */
static int vm_errno(int err)
{
	return err == EPERM ? EACCES : err == EFAULT ? 0 : err;
}

const char *ask_difference(const struct pair_case *c, const struct answers *a)
{
	bool named = world.board->question[c->index[TARGET]].nr && !kin[c->index[TARGET]].unnamed;
	bool numbered = world.board->question[c->index[TARGET]].nr;
	int wanted = mm_access_errno(c, a), opened = wanted;
	int way;

	if (a->before != a->after)
		return "the pair was not at rest";
	if (a->before && a->before != EPERM)
		return "the kernel has no verdict";
	if (!named)
		opened = ESRCH;

	for (way = 0; way < ASKED_WAYS; way++)
		if (a->xmap[way] != UNASKED && a->xmap[way] != opened)
			return "xmap and the kernel differ";
	if (named && a->xmap[1] == UNASKED)
		return "the caller has no pidfd of its own";
	if (!opened && a->read)
		return "a target that cannot be read";
	if (numbered && vm_is_exact(c) && vm_errno(a->vm) != wanted)
		return "process_vm_readv() and the kernel's verdict differ";
	if (!without_memory(c) && a->mem != EACCES && (a->mem || wanted))
		return "/proc/PID/mem and the kernel's verdict differ";
	if (!a->mem && a->by_mem != (without_memory(c) ? ESRCH : 0))
		return "an open /proc/PID/mem, and no target for it";
	return NULL;
}

enum outcome ask_outcome(const struct answers *a)
{
	if (!a->xmap[0])
		return ALLOWED;
	return a->xmap[0] == ESRCH ? GONE : DENIED;
}

static void answer_print(const char *name, int err)
{
	if (err == UNASKED)
		printf(" %s -", name);
	else
		printf(" %s %s", name, err ? strerrorname_np(err) ?: "?" : "ok");
}

/* One line, without its end. */
void ask_print(const struct answers *a)
{
	printf("#  ");
	answer_print("kernel", a->before);
	answer_print("xmap", a->xmap[0]);
	answer_print("xmap(own)", a->xmap[1]);
	answer_print("read", a->read);
	answer_print("process_vm_readv", a->vm);
	answer_print("mem", a->mem);
	answer_print("xmap(mem)", a->by_mem);
	answer_print("kernel", a->after);
}
