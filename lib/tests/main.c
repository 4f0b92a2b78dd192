// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Run the tests.  With XMAP_TEST_TAP only those of behaviour, as TAP; else all,
 * with a final line that counts.  They run on each backend that there is;
 * XMAP_TEST_BACKEND=module insists on the module.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests.h"

static int first_backend(void)
{
	const char *want = getenv("XMAP_TEST_BACKEND");
	int fd;

	if (want && !strcmp(want, "syscalls"))
		return XMAP_BACKEND_SYSCALLS;
	if (want && !strcmp(want, "module"))
		return XMAP_BACKEND_MODULE;
	fd = open("/dev/xmap", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return XMAP_BACKEND_SYSCALLS;
	close(fd);
	return XMAP_BACKEND_MODULE;
}

int main(int argc, char **argv)
{
	int backend = first_backend();
	SRunner *runner;
	int failed;
	int run;

	if (argc > 1)
		return peer_main(argc, argv);

	runner = srunner_create(behaviour_suite(backend));
	srunner_add_suite(runner, maps_suite(backend));
	if (backend == XMAP_BACKEND_MODULE)
		srunner_add_suite(runner, windows_suite());
#ifdef XMAP_TEST_TAP
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
#else
	srunner_add_suite(runner, opts_suite());
	srunner_add_suite(runner, errors_suite());
	srunner_add_suite(runner, range_suite());
	srunner_run_all(runner, CK_NORMAL);
#endif
	failed = srunner_ntests_failed(runner);
	run = srunner_ntests_run(runner);
	srunner_free(runner);
#ifndef XMAP_TEST_TAP
	printf("%d passed, %d failed, 0 skipped\n", run - failed, failed);
#else
	(void)run;
#endif
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
