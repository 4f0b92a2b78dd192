// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Run the tests.
 *
 * With XMAP_TEST_BACKEND (enum xmap_backend_kind) those of what the library
 * promises, on this backend and no other, as TAP.  With XMAP_TEST_CHANNELS those
 * of channels, as TAP: 0 in memfds, 1 in regions.  Else all, with a final line
 * that counts: on the system calls, on the module where there is one, and on a
 * module that is made up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pair.h"
#include "pidfd.h"
#include "tests.h"

#ifndef XMAP_TEST_CHANNELS
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
		srunner_add_suite(runner, regions_suite());
		srunner_add_suite(runner, region_changes_suite());
	}
}
#endif

#ifndef XMAP_TEST_BACKEND
/* What holds whatever they lie in. */
static void add_channels(SRunner *runner)
{
	srunner_add_suite(runner, channel_suite());
	srunner_add_suite(runner, channel_fds_suite());
	srunner_add_suite(runner, channel_wait_suite());
	srunner_add_suite(runner, channel_spin_suite());
	srunner_add_suite(runner, channel_death_suite());
	srunner_add_suite(runner, channel_garbage_suite());
}
#endif

#if defined(XMAP_TEST_BACKEND)
static void run_all(SRunner *runner)
{
	add_backend(runner, XMAP_TEST_BACKEND);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
}
#elif defined(XMAP_TEST_CHANNELS)
static void run_all(SRunner *runner)
{
	XMAP_OPTS(struct xmap_open_opts, opts, .backend = XMAP_BACKEND_MODULE);

	if (XMAP_TEST_CHANNELS) {
		/* No test is running yet, whose failure it could be. */
		if (xmap_open(&opts, &channel_dev)) {
			fprintf(stderr, "these tests need the module\n");
			exit(EXIT_FAILURE);
		}
		srunner_add_suite(runner, channel_region_suite());
		srunner_add_suite(runner, channel_move_suite());
	} else {
		srunner_add_suite(runner, channel_memory_suite());
	}
	add_channels(runner);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	xmap_close(channel_dev);
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
	srunner_add_suite(runner, channel_memory_suite());
	add_channels(runner);
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
#if !defined(XMAP_TEST_BACKEND) && !defined(XMAP_TEST_CHANNELS)
	pidfd_main(argc, argv);
#endif
	runner = srunner_create(NULL);
	run_all(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
