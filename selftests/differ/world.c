// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is prepared once: namespaces two deep, copies of this program, AppArmor
 * profiles, and the sysctls as they were.
 */
#include "differ.h"
#include "../xmap_access.h"

#define SUID_DUMPABLE "/proc/sys/fs/suid_dumpable"
#define CORE_PATTERN "/proc/sys/kernel/core_pattern"
#define APPARMOR_LOAD "/sys/kernel/security/apparmor/.load"
#define ROOM_FOR_PATH 96

/*
 * Two trees, each with the initial namespace at its root.  The owner of a user
 * namespace has all capabilities over it, so there are several owners.  All
 * ids are the same in all of them: the test is about who they are, not about
 * how they are written.
 */
const int userns_parent[USERNS_MAX] = { 0, 0, 0, 0, 1, 1, 2, 2 };
const __u32 userns_owner[USERNS_MAX] = { 0, 0, 1000, 1001, 0, 1000, 1000, 1001 };
const int pidns_parent[PIDNS_MAX] = { 0, 0, 1, 0 };

struct world world;

static struct helper helper;
static char exec_only[ROOM_FOR_PATH];
static pid_t pidns_keeper[PIDNS_MAX];
static long old_scope, old_suid_dumpable;
static char old_core_pattern[256];

int ns_depth(const int *parent, int ns)
{
	return ns ? 1 + ns_depth(parent, parent[ns]) : 0;
}

/* Where the target's namespace lies, seen from the caller's. */
int ns_relation(const int *parent, int caller, int target)
{
	int caller_depth = ns_depth(parent, caller), target_depth = ns_depth(parent, target);
	int ns;

	if (caller == target)
		return caller ? NS_SAME_NESTED : NS_SAME;
	for (ns = target; ns && ns != caller; ns = parent[ns])
		continue;
	if (ns == caller)
		return target_depth - caller_depth == 1 ? NS_TARGET_BELOW : NS_TARGET_TWO_BELOW;
	for (ns = caller; ns && ns != target; ns = parent[ns])
		continue;
	return ns == target ? NS_CALLER_BELOW : NS_APART;
}

/* ---- Namespaces ---- */

static long op_userns_map(const unsigned long *a)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%lu/uid_map", a[0]);
	if (xmap_write_file(path, "0 0 65536"))
		return -1;
	snprintf(path, sizeof(path), "/proc/%lu/gid_map", a[0]);
	return xmap_write_file(path, "0 0 65536");
}

/* Made by its owner, mapped by the root of the namespace around it. */
static int userns_create(int ns)
{
	struct peer owner, root;
	int parent = world.userns[userns_parent[ns]];
	char path[32];

	if (peer_spawn(&owner) || peer_spawn(&root))
		return -1;
	if (userns_parent[ns] && (peer_syscall(&owner, SYS_setns, parent, CLONE_NEWUSER) ||
				  peer_syscall(&root, SYS_setns, parent, CLONE_NEWUSER)))
		return -1;
	if (peer_syscall(&owner, SYS_setresuid, -1, userns_owner[ns], -1) ||
	    peer_syscall(&owner, SYS_unshare, CLONE_NEWUSER) ||
	    peer_call(&root, op_userns_map, owner.pid))
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", owner.pid);
	world.userns[ns] = open(path, O_RDONLY | O_CLOEXEC);
	peer_end(&owner);
	peer_end(&root);
	return world.userns[ns];
}

/* Its first process reaps what is left to it, and lives as long as its parent. */
static int pidns_keep(int told)
{
	char ready = 1;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWPID))
		_exit(1);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGCHLD, SIG_IGN);
	} else if (pid < 0 || write(told, &ready, 1) != 1) {
		_exit(1);
	}
	for (;;)
		pause();
}

static int pidns_create(int ns)
{
	char path[48], ready = 0;
	int told[2];

	if (pipe2(told, O_CLOEXEC) || setns(world.pidns[pidns_parent[ns]], CLONE_NEWPID))
		return -1;
	pidns_keeper[ns] = fork();
	if (!pidns_keeper[ns])
		pidns_keep(told[1]);
	close(told[1]);
	if (pidns_keeper[ns] < 0 || read(told[0], &ready, 1) != 1)
		return -1;
	close(told[0]);
	snprintf(path, sizeof(path), "/proc/%d/ns/pid_for_children", pidns_keeper[ns]);
	world.pidns[ns] = open(path, O_RDONLY | O_CLOEXEC);
	return world.pidns[ns] < 0 ? -1 : setns(world.pidns[0], CLONE_NEWPID);
}

static int namespaces_create(void)
{
	int ns;

	world.userns[0] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	world.pidns[0] = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	for (ns = 1; ns < USERNS_MAX; ns++)
		if (userns_create(ns) < 0)
			return -1;
	for (ns = 1; ns < PIDNS_MAX; ns++)
		if (pidns_create(ns) < 0)
			return -1;
	return 0;
}

/* ---- AppArmor ---- */

#define PROFILE(name, ptrace)							\
	"profile " name " flags=(attach_disconnected,mediate_deleted) {\n"	\
	"  file, capability, network, unix, signal, mount, " ptrace "\n"	\
	"}\n"

/* They differ in ptrace only.  What is denied in so many words is not logged. */
static const char profiles[] =
	PROFILE("xmap-differ-open", "ptrace,")
	PROFILE("xmap-differ-shut", "deny ptrace,")
	PROFILE("xmap-differ-among", "ptrace peer=xmap-differ-among,\n"
				     "  deny ptrace peer=unconfined,\n"
				     "  deny ptrace peer=xmap-differ-open,\n");

const char *apparmor_profile(int kind)
{
	static const char *const names[] = {
		[AA_OPEN] = "xmap-differ-open",
		[AA_SHUT] = "xmap-differ-shut",
		[AA_AMONG] = "xmap-differ-among",
	};

	return names[kind];
}

#define PARSER "apparmor_parser -K -q"

/* 'r' to load or replace, 'R' to remove. */
static int apparmor_policy(char action)
{
	FILE *input;

	input = popen(action == 'r' ? PARSER " -r" : PARSER " -R", "w");
	if (!input)
		return -1;
	fputs(profiles, input);
	return pclose(input);
}

static void apparmor_create(void)
{
	if (access(APPARMOR_LOAD, W_OK))
		world.no_apparmor = "this kernel has no AppArmor";
	else if (system("apparmor_parser --version >/dev/null 2>&1"))
		world.no_apparmor = "there is no apparmor_parser";
	else
		world.apparmor = true;
}

/* ---- All of it ---- */

static void *shared_new(size_t len)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

static int helpers_create(void)
{
	if (helper_install(&helper))
		return -1;
	snprintf(exec_only, sizeof(exec_only), "%s/exec-only", helper.dir);
	world.helper[TG_EXECED - TG_EXECED] = helper.plain;
	world.helper[TG_SETUID - TG_EXECED] = helper.setuid;
	world.helper[TG_EXECONLY - TG_EXECED] = exec_only;
	return helper_copy(exec_only, 0711);
}

/* suid_dumpable=2 wants a core pattern that no user can steer. */
static int sysctls_save(void)
{
	int fd = open(CORE_PATTERN, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, old_core_pattern, sizeof(old_core_pattern) - 1);

	close(fd);
	old_suid_dumpable = xmap_read_long(SUID_DUMPABLE);
	old_scope = xmap_read_long(YAMA_SCOPE);
	world.yama = old_scope >= 0;
	return len < 0 ? -1 : xmap_write_file(CORE_PATTERN, "|/bin/false");
}

static bool thread_pidfd_there(void)
{
	int fd = xmap_pidfd_open(getpid(), PIDFD_THREAD);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int world_create(void)
{
	world.dev = _test_dev_open();
	world.thread_pidfd = thread_pidfd_there();
	world.caps = caps_all();
	world.landlock = landlock_there();
	world.board = shared_new(sizeof(*world.board));
	if (world.dev < 0 || !world.board || prctl(PR_SET_CHILD_SUBREAPER, 1) ||
	    sysctls_save() || helpers_create() || namespaces_create())
		return -1;
	apparmor_create();
	return world.apparmor ? apparmor_policy('r') : 0;
}

void world_destroy(void)
{
	int ns;

	if (world.apparmor)
		apparmor_policy('R');
	for (ns = 1; ns < PIDNS_MAX; ns++)
		kill(pidns_keeper[ns], SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0)
		continue;
	helper_remove(&helper);
	xmap_write_file(CORE_PATTERN, old_core_pattern);
	xmap_write_long(SUID_DUMPABLE, old_suid_dumpable);
	if (world.yama)
		xmap_write_long(YAMA_SCOPE, old_scope);
	close(world.dev);
}
