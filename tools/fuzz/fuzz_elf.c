// SPDX-License-Identifier: LGPL-2.1-or-later
/* ELF files: the input is one.  The names are those of elf_seed.c. */
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "seed_function", "seed_data", "seed_tls", "none", "" };
	char path[64];
	size_t i;
	int fd;

	fd = fuzz_file(data, size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		uint64_t offset = 4711;
		int rc = elf_symbol(path, names[i], &offset);

		must(!rc || rc == XC_MEMORY || rc == XC_FAIL);
		must(!rc || offset == 4711);
	}
	close(fd);
	return 0;
}
