/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pidfd_open() for the tests where what they run in does not know it: valgrind
 * 3.19 does not.  Another process, which runs outside, makes the descriptors.
 */
#ifndef XMAP_TESTS_PIDFD_H
#define XMAP_TESTS_PIDFD_H

/* Call first: this may be that process, and then it does not return. */
void pidfd_main(int argc, char **argv);

/* Start it if it is needed; and end it. */
void pidfd_begin(void);
void pidfd_end(void);

/* What --wrap calls the real one. */
long __real_syscall(long number, ...);

#endif /* XMAP_TESTS_PIDFD_H */
