// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the fuzzers share. */
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

char fuzz_message[8192];

char *fuzz_string(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

char *fuzz_line(char **text)
{
	char *line = *text;
	size_t len = strcspn(line, "\n");

	*text += len;
	if (**text)
		*(*text)++ = '\0';
	return line;
}

int fuzz_file(const void *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size && !lseek(fd, 0, SEEK_SET));
	return fd;
}

/* As in out.c, but nobody reads it: the sanitizers look at the arguments. */
__attribute__((weak))
int fail(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fuzz_message, sizeof(fuzz_message), fmt, ap);
	va_end(ap);
	must(status > XC_OK && status <= XC_VERIFY);
	return status;
}
