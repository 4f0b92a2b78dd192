// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Run the tests.
 *
 * With XMAP_TEST_BACKEND (enum xmap_backend_kind) those of what the library
 * promises, on this backend and no other, as TAP.  Else all, with a final line
 * that counts: on the system calls, on the module where there is one, and on a
 * module that is made up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pair.h"
#include "pidfd.h"
#include "tests.h"

static void add_backend(SRunner *runner, int backend)
{
	srunner_add_suite(runner, copies_suite(backend));
	srunner_add_suite(runner, targets_suite(backend));
	srunner_add_suite(runner, lifetimes_suite(backend));
	srunner_add_suite(runner, threads_suite(backend));
	srunner_add_suite(runner, maps_suite(backend));
	if (backend == XMAP_BACKEND_MODULE) {
		srunner_add_suite(runner, windows_suite());
		srunner_add_suite(runner, exports_suite());
	}
}

#ifdef XMAP_TEST_BACKEND
static void run_all(SRunner *runner)
{
	add_backend(runner, XMAP_TEST_BACKEND);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
}
#else
static void run_all(SRunner *runner)
{
	add_backend(runner, XMAP_BACKEND_SYSCALLS);
	if (!access("/dev/xmap", R_OK | W_OK))
		add_backend(runner, XMAP_BACKEND_MODULE);
	srunner_add_suite(runner, opts_suite());
	srunner_add_suite(runner, errors_suite());
	srunner_add_suite(runner, answers_suite());
	srunner_add_suite(runner, syscalls_suite());
	srunner_add_suite(runner, range_suite());
	srunner_add_suite(runner, channel_suite());
	srunner_add_suite(runner, channel_fds_suite());
	srunner_add_suite(runner, channel_wait_suite());
	srunner_add_suite(runner, channel_death_suite());
	srunner_add_suite(runner, channel_garbage_suite());
	pidfd_begin();
	srunner_run_all(runner, CK_NORMAL);
	pidfd_end();
}
#endif

int main(int argc, char **argv)
{
	SRunner *runner;
	int failed;

	peer_main(argc, argv);
#ifndef XMAP_TEST_BACKEND
	pidfd_main(argc, argv);
#endif
	runner = srunner_create(NULL);
	run_all(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
