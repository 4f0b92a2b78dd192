// SPDX-License-Identifier: LGPL-2.1-or-later
/* The text of other files of /proc: every file that is opened is the input. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../../lib/internal.h"
#include "fuzz.h"
#include "wrap.h"

static const uint8_t *bytes;
static size_t length;

/* libFuzzer opens files, too. */
static bool is_proc(const char *path)
{
	return bytes && !strncmp(path, "/proc/", 6);
}

int __wrap_open(const char *path, int flags, ...)
{
	return is_proc(path) ? fuzz_file(bytes, length) : __real_open(path, flags, 0600);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	return is_proc(path) ? fdopen(fuzz_file(bytes, length), "r") : __real_fopen(path, mode);
}

/* Any number is an open descriptor. */
int __wrap_fcntl(int fd, int command, ...)
{
	must(command == F_GETFD);
	return bytes ? 0 : __real_fcntl(fd, command);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proc_stat st, untouched;
	int rc;

	if (!size)
		return 0;
	bytes = data;
	length = size;
	memset(&st, 0x5a, sizeof(st));
	untouched = st;
	rc = proc_stat(1, &st);
	must(!rc || !memcmp(&st, &untouched, sizeof(st)));
	must(rc || strnlen(st.comm, sizeof(st.comm)) < sizeof(st.comm));
	proc_has_ended(1);
	proc_have_cap_ptrace();
	proc_yama_scope();
	rc = proc_fail_denied(1);
	must(rc == XC_DENIED);
	rc = proc_fail_gone(1);
	must(rc == XC_PROCESS);
	rc = xmap_pidfd_pid(3);
	must(rc > 0 || rc == -EBADFD || rc == -ESRCH);
	bytes = NULL;
	return 0;
}
