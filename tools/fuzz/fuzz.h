/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the fuzzers share: each gives one parser whatever libFuzzer thinks of, and
 * checks what must hold for any input.
 */
#ifndef XMAP_FUZZ_H
#define XMAP_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../tool.h"

/* One input, by libFuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(), which NDEBUG takes away. */
#define must(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* The input as a string; free() it. */
char *fuzz_string(const uint8_t *data, size_t size);
/* Cut off and return the first line of a string. */
char *fuzz_line(char **text);

/* The last message of fail(), which fuzz.c has instead of out.c. */
extern char fuzz_message[8192];

/* A descriptor of these bytes, to be read from the first one on. */
int fuzz_file(const void *data, size_t size);

/* ---- maps.c: a target whose /proc/PID/maps has any content ---- */

/* How much read() returns at most, if not 0. */
extern size_t fuzz_read_max;
/* A target of the system-call backend whose maps are @text. */
struct xmap_target *fuzz_target(const char *text);
/* What the target's maps say about what may be done with its memory ('r', 'w'). */
ssize_t fuzz_allowed(uint64_t addr, size_t length, char right);

#endif /* XMAP_FUZZ_H */
