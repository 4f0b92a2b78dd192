// SPDX-License-Identifier: GPL-2.0-only
/* Processes: their children, other programs, their end, and memory that is served by a thread. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "actor.h"
#include "fuzz.h"

/* Those that stay; they go with their pid namespace. */
#define MAX_CHILDREN 6

pid_t victim_pid;
pid_t racer_tid;

static void become_another(void)
{
	static char *const args[] = { "xmap_fuzz_test", "--pause", NULL };

	syscall(SYS_execveat, executor->exe, "", args, NULL, AT_EMPTY_PATH);
	_exit(1);
}

static void child_main(struct ctx *x, const __u64 *a, int ready)
{
	const __u64 touched[] = { a[0], a[1], a[2] >> 1 };

	close_others(ready, ready);
	call_touch(x, touched);
	if (a[2] % 4 == 2)
		become_another();
	if (a[2] % 4 != 3)
		_exit(0);
	close(ready);
	for (;;)
		pause();
}

/* A child that uses what it has inherited, then ends (0, 1), runs another program, or stays. */
CALL(fork)
{
	bool stays = a[2] % 4 == 3;
	int ready[2];
	pid_t pid;
	char c;

	if ((stays && x->children == MAX_CHILDREN) || pipe2(ready, O_CLOEXEC))
		return NOT_RUN;
	x->children += stays;
	pid = fork();
	if (!pid) {
		close(ready[0]);
		child_main(x, a, ready[1]);
	}
	close(ready[1]);
	/* At its end, or when it runs another program, or when it has done its work. */
	while (read(ready[0], &c, 1) < 0 && errno == EINTR)
		continue;
	close(ready[0]);
	if (pid < 0)
		return -1;
	if (a[2] % 4 == 2)
		kill(pid, SIGKILL);
	while (!stays && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	return 0;
}

/* The victim becomes another program.  Others have a child do it. */
CALL(exec)
{
	const __u64 in_child[] = { WIN, PAGE, 2 };

	if (x->who == VICTIM) {
		denial_clear(x, VICTIM);
		become_another();
	}
	return call_fork(x, in_child);
}

CALL(exit)
{
	if (x->who == VICTIM) {
		denial_clear(x, VICTIM);
		_exit(0);
	}
	return NOT_RUN;
}

CALL(kill)
{
	if (x->who != MAIN)
		return NOT_RUN;
	victim_kill(x);
	return 0;
}

CALL(spawn)
{
	if (x->who != MAIN)
		return NOT_RUN;
	victim_kill(x);
	return victim_spawn(x);
}

CALL(signal)
{
	if (a[0] % 3 == VICTIM)
		return victim_pid ? kill(victim_pid, SIGUSR1) : NOT_RUN;
	if (x->who == VICTIM)
		return kill(PID_SELF, SIGUSR1);
	return syscall(SYS_tgkill, getpid(), a[0] % 3 == MAIN ? PID_SELF : racer_tid, SIGUSR1);
}

/* ---- Memory whose pages come from a thread when they are missed ---- */

/* Where it is not taken for one that a program has left open. */
#define UFFD_MIN 100

/* What cannot be served ends the service, which lets everybody go on. */
static void *uffd_serve(void *arg)
{
	int fd = (int)(uintptr_t)arg;
	struct uffd_msg msg;

	while (read(fd, &msg, sizeof(msg)) == sizeof(msg)) {
		struct uffdio_zeropage page = {
			.range = { .start = msg.arg.pagefault.address & ~(PAGE - 1), .len = PAGE },
		};

		if (msg.event != UFFD_EVENT_PAGEFAULT)
			break;
		if (!ioctl(fd, UFFDIO_ZEROPAGE, &page))
			continue;
		if (errno != EEXIST && errno != EAGAIN)
			break;
		ioctl(fd, UFFDIO_WAKE, &page.range);
	}
	close(fd);
	return NULL;
}

/* Without privilege, faults that the kernel takes, as a window's, are not served but fail. */
static int uffd_open(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int low = syscall(SYS_userfaultfd, O_CLOEXEC), fd;

	if (low < 0)
		low = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (low < 0)
		return -1;
	fd = fcntl(low, F_DUPFD_CLOEXEC, UFFD_MIN);
	close(low);
	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

CALL(uffd)
{
	__u64 len = a[1], addr = confine(a[0], &len);
	struct uffdio_register reg = {
		.range = { .start = addr, .len = len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	pthread_t thread;
	int fd;

	if (!addr || x->served)
		return NOT_RUN;
	fd = uffd_open();
	if (fd < 0)
		return NOT_RUN;
	if (ioctl(fd, UFFDIO_REGISTER, &reg) ||
	    pthread_create(&thread, NULL, uffd_serve, (void *)(uintptr_t)fd)) {
		close(fd);
		return -1;
	}
	x->served = 1;
	return pthread_detach(thread);
}
