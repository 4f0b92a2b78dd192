// SPDX-License-Identifier: LGPL-2.1-or-later
/* What most tests have: a peer, the library, a case for each backend. */
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests.h"

#define NOBODY 65534

struct peer peer;
struct xmap_dev *dev;

void begin(int backend)
{
	peer_start(&peer);
	dev = dev_open(backend);
}

void finish(void)
{
	peer_stop(&peer);
	xmap_close(dev);
}

struct xmap_dev *dev_open(int backend)
{
	XMAP_OPTS(struct xmap_open_opts, opts, .backend = backend);
	struct xmap_dev *ret = NULL;

	assert_ok(xmap_open(&opts, &ret));
	ck_assert_int_eq(xmap_backend(ret), backend);
	return ret;
}

struct xmap_target *target_open(struct xmap_dev *from, pid_t pid, uint32_t rights)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = rights);
	struct xmap_target *target = NULL;

	assert_ok(xmap_target_open_pid(from, pid, &opts, &target));
	return target;
}

void in_a_child(int (*fn)(void *), void *arg)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (!getuid() && (syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) ||
				  syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY)))
			_exit(100);
		_exit(fn(arg));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

uint64_t serial_of(uint32_t kind)
{
	struct xmap_list_entry entry;
	uint64_t cursor = 0, serial = 0;

	do {
		ssize_t n = xmap_list(dev, &cursor, &entry, 1);

		ck_assert_int_ge(n, 0);
		if (n && entry.kind == kind && entry.holder_pid == getpid())
			serial = entry.serial;
	} while (cursor);
	return serial;
}

TCase *backend_case(Suite *suite, int backend)
{
	TCase *tc = tcase_create(backend == XMAP_BACKEND_MODULE ? "module" : "syscalls");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	suite_add_tcase(suite, tc);
	return tc;
}
