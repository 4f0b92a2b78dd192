/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the linker's --wrap puts in the place of the C library's, and what that calls. */
#ifndef XMAP_FUZZ_WRAP_H
#define XMAP_FUZZ_WRAP_H

#include <stdio.h>
#include <sys/types.h>

int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__real_fopen(const char *path, const char *mode);
int __wrap_fcntl(int fd, int command, ...);
int __real_fcntl(int fd, int command, ...);
ssize_t __wrap_read(int fd, void *buf, size_t length);
ssize_t __real_read(int fd, void *buf, size_t length);

#endif /* XMAP_FUZZ_WRAP_H */
