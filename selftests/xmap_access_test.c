// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate: who may open a target.  The matrix of callers and targets compares
 * with process_vm_readv(); after it come the things that have no such twin:
 * file credentials, delegation, and programs that change under one's hands.
 */
#include <sys/eventfd.h>

#include "xmap_matrix.h"

FIXTURE_VARIANT_ADD(matrix, yama0)
{
	.scope = 0,
};

FIXTURE_VARIANT_ADD(matrix, yama1)
{
	.scope = 1,
};

FIXTURE_VARIANT_ADD(matrix, yama2)
{
	.scope = 2,
};

/* ---- One target, one caller, no Yama ---- */

FIXTURE(pair)
{
	int dev;
	long old_scope;
	struct helper helper;
	struct peer target;
	struct peer caller;
};

FIXTURE_SETUP(pair)
{
	verdict_new();
	test_dev_open(&self->dev);
	ASSERT_EQ(0, getuid());
	ASSERT_EQ(0, helper_install(&self->helper));
	self->old_scope = xmap_read_long(YAMA_SCOPE);
	ASSERT_EQ(0, xmap_write_long(YAMA_SCOPE, 0));
	ASSERT_EQ(0, peer_spawn(&self->target));
	ASSERT_EQ(0, peer_spawn(&self->caller));
}

FIXTURE_TEARDOWN(pair)
{
	peer_end(&self->caller);
	peer_end(&self->target);
	xmap_write_long(YAMA_SCOPE, self->old_scope);
	helper_remove(&self->helper);
	close(self->dev);
}

/* Both verdicts, and that of opening /proc/PID/mem, which has file credentials too. */
struct three {
	int vm;
	int mem;
	int xmap;
};

static long op_three(const unsigned long *a)
{
	struct three *three = (void *)verdict;
	char path[64], byte;
	int fd;

	snprintf(path, sizeof(path), "/proc/%lu/mem", a[2]);
	three->vm = XMAP_ERRNO(vm_read(a[2], MARK_ADDR, &byte, 1));
	fd = open(path, O_RDWR | O_CLOEXEC);
	three->mem = fd < 0 ? errno : 0;
	three->xmap = XMAP_ERRNO(_test_target_open(a[0], a[1], a[2],
						   XMAP_RIGHTS_ALL, 0, 0, &fd));
	return 0;
}

static long op_setfsid(const unsigned long *a)
{
	setfsgid(a[0]);
	setfsuid(a[0]);
	if (prctl(PR_SET_DUMPABLE, 1))
		return -1;
	return setfsuid(-1) == (int)a[0] && setfsgid(-1) == (int)a[0] ? 0 : -1;
}

/*
 * process_vm_readv() looks at the real ids, xmap at the ids for file access, as
 * the open of /proc/PID/mem does.  For whoever never calls setfsuid() they are
 * those that count anyway.
 */
TEST_F(pair, setfsuid_to_the_target)
{
	struct three *three = (void *)verdict;
	__u64 caps = CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID);

	ASSERT_EQ(0, peer_become(&self->target, UID_A));
	ASSERT_EQ(0, peer_call(&self->caller, op_become, UID_B, UID_B, caps, caps));
	ASSERT_EQ(0, peer_call(&self->caller, op_three, self->dev,
			       self->target.pidfd, self->target.pid));
	EXPECT_EQ(EPERM, three->vm);
	EXPECT_EQ(EACCES, three->xmap);

	ASSERT_EQ(0, peer_call(&self->caller, op_setfsid, UID_A));
	ASSERT_EQ(0, peer_call(&self->caller, op_three, self->dev,
			       self->target.pidfd, self->target.pid));
	EXPECT_EQ(EPERM, three->vm);
	EXPECT_EQ(0, three->mem);
	EXPECT_EQ(0, three->xmap);
}

TEST_F(pair, setfsuid_away_from_the_target)
{
	struct three *three = (void *)verdict;
	__u64 caps = CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID);

	ASSERT_EQ(0, peer_become(&self->target, UID_A));
	ASSERT_EQ(0, peer_call(&self->caller, op_become, UID_A, UID_A, caps, caps));
	ASSERT_EQ(0, peer_call(&self->caller, op_three, self->dev,
			       self->target.pidfd, self->target.pid));
	EXPECT_EQ(0, three->vm);
	EXPECT_EQ(0, three->xmap);

	ASSERT_EQ(0, peer_call(&self->caller, op_setfsid, UID_B));
	ASSERT_EQ(0, peer_call(&self->caller, op_three, self->dev,
			       self->target.pidfd, self->target.pid));
	EXPECT_EQ(0, three->vm);
	EXPECT_EQ(EACCES, three->mem);
	EXPECT_EQ(EACCES, three->xmap);
}

/* The same distinction in capabilities: real means permitted, file effective. */
TEST_F(pair, capability_permitted_not_effective)
{
	struct three *three = (void *)verdict;
	__u64 raw = CAP_BIT(CAP_NET_RAW);

	ASSERT_EQ(0, peer_call(&self->target, op_become, UID_A, UID_A, raw, raw));
	ASSERT_EQ(0, peer_call(&self->caller, op_become, UID_A, UID_A, raw, 0));
	ASSERT_EQ(0, peer_call(&self->caller, op_three, self->dev,
			       self->target.pidfd, self->target.pid));
	EXPECT_EQ(0, three->vm);
	EXPECT_EQ(EACCES, three->mem);
	EXPECT_EQ(EACCES, three->xmap);
}

/* A thread has the memory of its process, and a pidfd of its own from 6.9 on. */
TEST_F(pair, threads)
{
	int pidfd, fd;
	pid_t tid;

	ASSERT_EQ(0, peer_become(&self->target, UID_A));
	ASSERT_EQ(0, peer_become(&self->caller, UID_A));
	tid = peer_call(&self->target, op_start_thread, 0);
	ASSERT_LT(0, tid);
	ASSERT_NE(self->target.pid, tid);

	/* The pidfd of the process does not go with the number of the thread. */
	test_err_target_open(ESRCH, self->dev, self->target.pidfd, tid,
			     XMAP_RIGHT_READ, 0, 0);
	pidfd = xmap_pidfd_open(tid, PIDFD_THREAD);
	if (pidfd < 0) {
		ASSERT_EQ(EINVAL, errno);
		return;
	}
	test_target_open(self->dev, pidfd, tid, XMAP_RIGHT_READ, 0, 0, &fd);
	close(fd);
	test_err_target_open(ESRCH, self->dev, pidfd, self->target.pid,
			     XMAP_RIGHT_READ, 0, 0);
	close(pidfd);
	ASSERT_EQ(0, peer_call(&self->caller, op_compare, self->dev, -1, tid,
			       PIDFD_THREAD));
	expect_same_verdict("thread");
	EXPECT_EQ(0, verdict->before);
}

/* The number must be that of the pidfd's process. */
TEST_F(pair, numbers)
{
	int pidfd = self->target.pidfd, status;
	pid_t pid = self->target.pid;

	test_err_target_open(ESRCH, self->dev, pidfd, self->caller.pid,
			     XMAP_RIGHT_READ, 0, 0);
	test_err_target_open(ESRCH, self->dev, pidfd, getpid(),
			     XMAP_RIGHT_READ, 0, 0);
	test_err_target_open(ESRCH, self->dev, pidfd, 0x3fffffff,
			     XMAP_RIGHT_READ, 0, 0);
	test_err_target_open(ESRCH, self->dev, pidfd, INT_MAX,
			     XMAP_RIGHT_READ, 0, 0);
	test_err_target_open(EINVAL, self->dev, pidfd, 0, XMAP_RIGHT_READ, 0, 0);
	test_err_target_open(EINVAL, self->dev, pidfd, -pid, XMAP_RIGHT_READ, 0, 0);
	test_err_target_open(EINVAL, self->dev, pidfd, INT_MIN,
			     XMAP_RIGHT_READ, 0, 0);

	/* A zombie, then nothing at all. */
	kill(pid, SIGKILL);
	ASSERT_EQ(0, waitid(P_PID, pid, NULL, WEXITED | WNOWAIT));
	test_err_target_open(ESRCH, self->dev, pidfd, pid, XMAP_RIGHT_READ, 0, 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	test_err_target_open(ESRCH, self->dev, pidfd, pid, XMAP_RIGHT_READ, 0, 0);
	self->target.pid = 0;
}

TEST_F(pair, wrong_kinds_of_pidfd)
{
	const char *const paths[] = { "/dev/null", "/proc/self/exe", "/proc/self",
				      "/proc/self/mem", "/proc/self/maps", XMAP_DEV };
	int target, fd;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		test_err_target_open(EBADFD, self->dev, fd, getpid(),
				     XMAP_RIGHT_READ, 0, 0);
		close(fd);
		test_err_target_open(EBADF, self->dev, fd, getpid(),
				     XMAP_RIGHT_READ, 0, 0);
	}
	fd = eventfd(0, EFD_CLOEXEC);
	test_err_target_open(EBADFD, self->dev, fd, getpid(), XMAP_RIGHT_READ, 0, 0);
	close(fd);
	test_target_open_pid(self->dev, getpid(), XMAP_RIGHT_READ, &target);
	test_err_target_open(EBADFD, self->dev, target, getpid(),
			     XMAP_RIGHT_READ, 0, 0);
	test_err_target_open(EBADFD, self->dev, self->target.sock, getpid(),
			     XMAP_RIGHT_READ, 0, 0);
	close(target);
	test_err_target_open(EBADF, self->dev, -1, getpid(), XMAP_RIGHT_READ, 0, 0);
	test_err_target_open(EBADF, self->dev, INT_MAX, getpid(),
			     XMAP_RIGHT_READ, 0, 0);
	test_err_target_open(EBADF, self->dev, AT_FDCWD, getpid(),
			     XMAP_RIGHT_READ, 0, 0);
	fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	test_err_target_open(EBADF, self->dev, fd, getpid(), XMAP_RIGHT_READ, 0, 0);
	close(fd);
}

static int open_mem(pid_t pid, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, flags | O_CLOEXEC);
}

TEST_F(pair, wrong_kinds_of_mem)
{
	const char *const paths[] = { "/dev/null", "/dev/mem", "/proc/self/exe",
				      "/proc/self", "/proc/self/maps",
				      "/proc/self/environ", "/proc/self/pagemap",
				      "/proc/self/clear_refs", XMAP_DEV };
	int target, fd;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			fd = open(paths[i], O_WRONLY | O_CLOEXEC);
		if (fd < 0 && !strcmp(paths[i], "/dev/mem"))
			continue;
		ASSERT_LE(0, fd);
		test_err_target_open_mem(EBADFD, self->dev, fd, XMAP_RIGHT_READ, 0, 0);
		close(fd);
		test_err_target_open_mem(EBADF, self->dev, fd, XMAP_RIGHT_READ, 0, 0);
	}
	test_err_target_open_mem(EBADFD, self->dev, self->target.pidfd,
				 XMAP_RIGHT_READ, 0, 0);
	test_target_open_pid(self->dev, getpid(), XMAP_RIGHT_READ, &target);
	test_err_target_open_mem(EBADFD, self->dev, target, XMAP_RIGHT_READ, 0, 0);
	close(target);
	test_err_target_open_mem(EBADF, self->dev, -1, XMAP_RIGHT_READ, 0, 0);

	fd = open_mem(self->target.pid, O_RDWR);
	ASSERT_LE(0, fd);
	test_err_target_open_flags(EINVAL, self->dev, XMAP_TARGET_OPEN_MEM, fd,
				   self->target.pid, XMAP_RIGHT_READ, 0, 0);
	close(fd);
	fd = open_mem(self->target.pid, O_PATH);
	test_err_target_open_mem(EBADF, self->dev, fd, XMAP_RIGHT_READ, 0, 0);
	close(fd);
}

/* ---- Delegation ---- */

static long op_recv_fd(const unsigned long *a)
{
	return xmap_recv_fd(a[0]);
}

/* Arguments: /dev/xmap, mem file, rights. */
static long op_open_mem(const unsigned long *a)
{
	int fd;

	if (_test_target_open_mem(a[0], a[1], a[2], 0, 0, &fd))
		return -1;
	return fd;
}

static long op_pread_byte(const unsigned long *a)
{
	__u8 byte;

	return pread(a[0], &byte, 1, a[1]) == 1 ? byte : -1;
}

static long op_pwrite_byte(const unsigned long *a)
{
	__u8 byte = a[2];

	return pwrite(a[0], &byte, 1, a[1]);
}

/* Somebody who may attach opens the file; somebody who may not uses it. */
TEST_F(pair, delegation)
{
	int sv[2], memfd, theirs, fd;
	struct peer user;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv));
	ASSERT_EQ(0, peer_spawn(&user));
	ASSERT_EQ(0, peer_become(&self->target, UID_A));
	ASSERT_EQ(0, peer_become(&user, UID_B));
	ASSERT_EQ(0, peer_call(&user, op_compare, self->dev, self->target.pidfd,
			       self->target.pid, 0));
	expect_same_verdict("without delegation");
	ASSERT_EQ(EACCES, verdict->xmap);

	memfd = open_mem(self->target.pid, O_RDWR);
	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, xmap_send_fd(sv[0], memfd));
	theirs = peer_call(&user, op_recv_fd, sv[1]);
	ASSERT_LE(0, theirs);
	fd = peer_call(&user, op_open_mem, self->dev, theirs, XMAP_RIGHTS_ALL);
	ASSERT_LE(0, fd)
	{
		TH_LOG("%s", strerror(errno));
	}
	EXPECT_EQ(MARK_PLAIN, peer_call(&user, op_pread_byte, fd, MARK_ADDR));
	EXPECT_EQ(1, peer_call(&user, op_pwrite_byte, fd, MARK_ADDR, '!'));
	EXPECT_EQ('!', peer_load(&self->target, MARK_ADDR) & 0xff);
	/* Only the target's memory changed. */
	EXPECT_EQ(MARK_PLAIN, *(__u8 *)MARK_ADDR);
	peer_end(&user);
	close(memfd);
	close(sv[0]);
	close(sv[1]);
}

/* The mode of the file bounds the rights. */
TEST_F(pair, delegation_rights)
{
	const struct {
		int mode;
		__u32 rights;
	} modes[] = {
		{ O_RDONLY, XMAP_RIGHT_READ },
		{ O_WRONLY, XMAP_RIGHT_WRITE | XMAP_RIGHT_FORCE },
		{ O_RDWR, XMAP_RIGHTS_ALL },
	};
	struct xmap_cmd_target_info info;
	__u32 rights;
	int memfd, fd;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		memfd = open_mem(self->target.pid, modes[i].mode);
		ASSERT_LE(0, memfd);
		for (rights = 1; rights <= XMAP_RIGHTS_ALL; rights++) {
			if (rights & XMAP_RIGHT_FORCE && !(rights & XMAP_RIGHT_WRITE))
				continue;
			if (rights & ~modes[i].rights) {
				test_err_target_open_mem(EACCES, self->dev, memfd,
							 rights, 0, 0);
				continue;
			}
			test_target_open_mem(self->dev, memfd, rights, 0, 0, &fd);
			test_target_info(fd, &info);
			EXPECT_EQ(rights, info.out_rights);
			EXPECT_EQ(self->target.pid, info.out_pid);
			close(fd);
		}
		close(memfd);
	}
}

/* Neither the file nor a target that came of it shows another program. */
TEST_F(pair, delegation_ends_with_the_program)
{
	int memfd = open_mem(self->target.pid, O_RDWR), fd;
	char byte;

	ASSERT_LE(0, memfd);
	test_target_open_mem(self->dev, memfd, XMAP_RIGHTS_RW, 0, 0, &fd);
	EXPECT_EQ(1, pread(fd, &byte, 1, MARK_ADDR));
	ASSERT_EQ(0, peer_call(&self->target, op_exec_helper, self->helper.plain, 0));
	EXPECT_ERRNO(ESRCH, pread(fd, &byte, 1, MARK_ADDR));
	test_err_target_open_mem(ESRCH, self->dev, memfd, XMAP_RIGHT_READ, 0, 0);
	close(fd);
	close(memfd);

	memfd = open_mem(self->target.pid, O_RDWR);
	test_target_open_mem(self->dev, memfd, XMAP_RIGHTS_RW, 0, 0, &fd);
	EXPECT_EQ(1, pread(fd, &byte, 1, MARK_ADDR));
	peer_end(&self->target);
	EXPECT_ERRNO(ESRCH, pread(fd, &byte, 1, MARK_ADDR));
	test_err_target_open_mem(ESRCH, self->dev, memfd, XMAP_RIGHT_READ, 0, 0);
	close(fd);
	close(memfd);
}

/* ---- Programs that change ---- */

/* What the caller may have of the pidfd's process after a setuid exec. */
TEST_F(pair, setuid_exec_after_pidfd)
{
	ASSERT_EQ(0, peer_become(&self->target, UID_A));
	ASSERT_EQ(0, peer_become(&self->caller, UID_A));
	ASSERT_EQ(0, peer_call(&self->caller, op_compare, self->dev,
			       self->target.pidfd, self->target.pid, 0));
	expect_same_verdict("before the exec");
	ASSERT_EQ(0, verdict->xmap);

	ASSERT_EQ(0, peer_call(&self->target, op_exec_helper,
			       self->helper.setuid, 0));
	ASSERT_EQ(0, peer_call(&self->caller, op_compare, self->dev,
			       self->target.pidfd, self->target.pid, 0));
	expect_same_verdict("after the exec");
	EXPECT_EQ(EACCES, verdict->xmap);
}

struct after_exec {
	int read;
	int write;
	int map;
	int derive;
	int prefault;
	int window_touched;
	int window_untouched;
};

/* Arguments: target, window whose first page was touched. */
static long op_use_target(const unsigned long *a)
{
	struct after_exec *res = (void *)verdict;
	long page = xmap_page_size();
	__u8 byte = 0;
	__u64 length;
	int fd;

	res->read = XMAP_ERRNO(pread(a[0], &byte, 1, MARK_ADDR));
	res->write = XMAP_ERRNO(pwrite(a[0], &byte, 1, MARK_ADDR));
	res->map = XMAP_ERRNO(_test_window_map(a[0], MARK_ADDR, page, PROT_READ));
	res->derive = XMAP_ERRNO(_test_target_derive(a[0], XMAP_RIGHT_READ, 0, 0, &fd));
	res->prefault = XMAP_ERRNO(_test_target_prefault(a[0], 0, (void *)a[1],
							 page, &length));
	res->window_touched = xmap_try_load((void *)a[1], &byte);
	res->window_untouched = xmap_try_load((void *)(a[1] + page), &byte);
	return 0;
}

static long op_open_target(const unsigned long *a)
{
	int fd;

	return _test_target_open(a[0], a[1], a[2], a[3], 0, 0, &fd) ? -1 : fd;
}

static long op_map_window(const unsigned long *a)
{
	__u8 *win = _test_window_map(a[0], MARK_ADDR, 2 * xmap_page_size(),
					PROT_READ | PROT_WRITE);
	__u8 byte = 0;

	if (win == MAP_FAILED || xmap_try_load(win, &byte) || byte != MARK_PLAIN)
		return -1;
	return (long)win;
}

/* A target and windows made before a setuid exec give nothing of the new image. */
TEST_F(pair, setuid_exec_after_open)
{
	struct after_exec *res = (void *)verdict;
	long fd, win;

	ASSERT_EQ(0, peer_become(&self->target, UID_A));
	ASSERT_EQ(0, peer_become(&self->caller, UID_A));
	fd = peer_call(&self->caller, op_open_target, self->dev,
		       self->target.pidfd, self->target.pid, XMAP_RIGHTS_ALL);
	ASSERT_LE(0, fd);
	win = peer_call(&self->caller, op_map_window, fd);
	ASSERT_NE(-1, win);

	ASSERT_EQ(0, peer_call(&self->target, op_exec_helper,
			       self->helper.setuid, 0));
	ASSERT_EQ(0, peer_call(&self->caller, op_use_target, fd, win));
	EXPECT_EQ(ESRCH, res->read);
	EXPECT_EQ(ESRCH, res->write);
	EXPECT_EQ(ESRCH, res->map);
	EXPECT_EQ(ESRCH, res->derive);
	EXPECT_EQ(ESRCH, res->prefault);
	EXPECT_EQ(SIGBUS, res->window_touched);
	EXPECT_EQ(SIGBUS, res->window_untouched);
}

struct race_result {
	unsigned int plain;
	unsigned int denied;
	unsigned int ended;
	unsigned int secret;
	int other;
};

/* Open and read over and over; arguments: /dev/xmap, pidfd, number, rounds. */
static long op_race_exec(const unsigned long *a)
{
	struct race_result *res = (void *)verdict;
	unsigned long i;
	__u8 byte;
	int err, fd;

	memset(res, 0, sizeof(*res));
	for (i = 0; i < a[3]; i++) {
		err = XMAP_ERRNO(_test_target_open(a[0], a[1], a[2],
						   XMAP_RIGHT_READ, 0, 0, &fd));
		if (!err) {
			byte = 0;
			err = XMAP_ERRNO(pread(fd, &byte, 1, MARK_ADDR));
			close(fd);
		}
		/* A zero is a page that the program has not yet marked. */
		if (!err && byte == MARK_SECRET)
			res->secret++;
		else if (!err && byte == MARK_PLAIN)
			res->plain++;
		else if (!err)
			res->ended += !byte;
		else if (err == EACCES)
			res->denied++;
		else if (err == ESRCH || err == EFAULT || err == EAGAIN)
			res->ended++;
		else
			res->other = err;
	}
	return 0;
}

static long op_exec_flip(const unsigned long *a)
{
	struct peer_order order = {};

	send(peer_sock, &order, sizeof(order), MSG_NOSIGNAL);
	return op_exec_helper(a);
}

/*
 * The process changes between a program that the caller may see and one that it
 * may not, as fast as it can: no open may ever give the second one's memory.
 */
TEST_F(pair, setuid_exec_race)
{
	struct race_result *res = (void *)verdict;
	int tries;

	ASSERT_EQ(0, peer_become(&self->target, UID_A));
	ASSERT_EQ(0, peer_become(&self->caller, UID_A));
	ASSERT_EQ(0, peer_call(&self->target, op_exec_flip, self->helper.plain,
			       self->helper.setuid));
	for (tries = 0; tries < 100; tries++) {
		ASSERT_EQ(0, peer_call(&self->caller, op_race_exec, self->dev,
				       self->target.pidfd, self->target.pid, 500));
		ASSERT_EQ(0, res->secret);
		ASSERT_EQ(0, res->other)
		{
			TH_LOG("%s", strerror(res->other));
		}
		if (tries >= 4 && res->plain && res->denied)
			break;
	}
	/* Both programs were met, or this proved nothing. */
	EXPECT_LT(0, res->plain);
	EXPECT_LT(0, res->denied);
	TH_LOG("plain %u, denied %u, between %u", res->plain, res->denied,
	       res->ended);
}

/* The check is made at open; what was opened stays, as with /proc/PID/mem. */
TEST_F(pair, grant_outlives_the_check)
{
	long fd;

	ASSERT_EQ(0, peer_become(&self->target, UID_A));
	ASSERT_EQ(0, peer_become(&self->caller, UID_A));
	fd = peer_call(&self->caller, op_open_target, self->dev,
		       self->target.pidfd, self->target.pid, XMAP_RIGHT_READ);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, peer_call(&self->target, op_prctl, PR_SET_DUMPABLE, 0));
	ASSERT_EQ(0, peer_call(&self->caller, op_compare, self->dev,
			       self->target.pidfd, self->target.pid, 0));
	expect_same_verdict("now non-dumpable");
	EXPECT_EQ(EACCES, verdict->xmap);
	EXPECT_EQ(MARK_PLAIN, peer_call(&self->caller, op_pread_byte, fd, MARK_ADDR));
}

/* What the caller sees of /proc does not matter, and neither does its own root. */
static long op_hide_proc(const unsigned long *a)
{
	(void)a;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	if (mount("none", "/proc", "tmpfs", 0, NULL))
		return -1;
	return become(UID_A, UID_A, 0, 0);
}

TEST_F(pair, no_proc_mount)
{
	ASSERT_EQ(0, peer_become(&self->target, UID_A));
	ASSERT_EQ(0, peer_call(&self->caller, op_hide_proc, 0));
	ASSERT_EQ(0, peer_call(&self->caller, op_compare, self->dev,
			       self->target.pidfd, self->target.pid, 0));
	expect_same_verdict("no /proc");
	EXPECT_EQ(0, verdict->xmap);
}

TEST_HARNESS_MAIN
