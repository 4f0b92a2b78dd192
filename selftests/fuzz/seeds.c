// SPDX-License-Identifier: GPL-2.0-only
/* Where programs begin: the shortest ways to something that can go wrong. */
#include "fuzz.h"

#define OPEN_AS(actor, what, pid, rights, out)					\
	#actor "  target_open(fd=0, at=0x800, size=40, flags=0, what=" #what		\
	", pid=" #pid ", rights=" #rights ", addr=0, length=0, out=" #out ");\n"
#define OPEN(rights, out) OPEN_AS(M, 1, 3, rights, out)
#define OPEN_SELF(out) OPEN_AS(M, 2, 1, 3, out)
#define DERIVE(fd, rights, addr, length, out)					\
	"M  target_derive(fd=" #fd ", at=0x800, size=32, flags=0, rights=" #rights	\
	", addr=" #addr ", length=" #length ", out=" #out ");\n"
#define WINDOW(fd, addr, prot)							\
	"M  window(fd=" #fd ", addr=" #addr ", length=0x10000, prot=" #prot	\
	", flags=1, offset=0x40000000);\n"

const char *const seeds[] = {
	OPEN(3, 10)
	WINDOW(10, 0x20000000, 3),
	OPEN(1, 10)
	WINDOW(10, 0x20000000, 1),
	OPEN(7, 10)
	"M  pwrite(fd=10, buf=0x4000, length=0x3000, offset=0x40000800);\n",
	OPEN(3, 10)
	DERIVE(10, 3, 0x40000000, 0x20000, 11)
	WINDOW(11, 0x21000000, 3),
	/* The borders of a range, and beyond them. */
	OPEN(3, 10)
	DERIVE(10, 3, 0x40000000, 0x20000, 11)
	DERIVE(11, 3, 0x40010000, 0x10000, 12)
	DERIVE(11, 1, 0x40010000, 0x10001, 13),
	OPEN(3, 10)
	"M  entry(index=0, fd=10, flags=0, remote=0x40000008, local=0x4000, length=8);\n"
	"M  entry(index=1, fd=10, flags=1, remote=0x40001000, local=0x4100, length=64);\n"
	"M  transfer(fd=0, at=0x800, size=24, flags=0, entries=0x2000, count=2);\n",
	/* Its memory comes and goes while the window is looked at. */
	OPEN(3, 10)
	WINDOW(10, 0x20000000, 3)
	"V* madvise(addr=0x40000000, length=0x10000, advice=4);\n"
	"V* touch(addr=0x40000000, length=0x10000, write=1);\n"
	"M  touch(addr=0x20000000, length=0x10000, write=1);\n",
	OPEN(3, 10)
	WINDOW(10, 0x20000000, 3)
	"V* mem(addr=0x40000000, length=0x8000, prot=3, kind=0);\n"
	"V* touch(addr=0x40000000, length=0x8000, write=1);\n"
	"R* touch(addr=0x20000000, length=0x10000, write=0);\n"
	"M  touch(addr=0x20000000, length=0x10000, write=0);\n",
	/* The window comes and goes while it is looked at. */
	OPEN(3, 10)
	"R* window(fd=10, addr=0x20000000, length=0x10000, prot=3, flags=1, offset=0x40000000);\n"
	"R* munmap(addr=0x20000000, length=0x10000);\n"
	"V* touch(addr=0x40000000, length=0x10000, write=1);\n"
	"M  touch(addr=0x20000000, length=0x10000, write=1);\n",
	/* Each maps the other. */
	OPEN(3, 10)
	WINDOW(10, 0x20000000, 3)
	OPEN_AS(V, 2, 1, 3, 10)
	"V  window(fd=10, addr=0x20000000, length=0x10000, prot=3, flags=1, offset=0x40000000);\n"
	"V* touch(addr=0x20000000, length=0x10000, write=1);\n",
	/* Itself, windows over windows included. */
	OPEN_SELF(10)
	WINDOW(10, 0x20000000, 3)
	"M  window(fd=10, addr=0x21000000, length=0x10000, prot=3, flags=1, offset=0x20000000);\n",
	/* The end of the victim. */
	OPEN(3, 10)
	WINDOW(10, 0x20000000, 3)
	"M  touch(addr=0x20000000, length=0x10000, write=1);\n"
	"V  exec();\n",
	OPEN(3, 10)
	WINDOW(10, 0x20000000, 3)
	"R* touch(addr=0x20000000, length=0x10000, write=1);\n"
	"M  kill();\n"
	"M  spawn();\n",
	OPEN(3, 10)
	WINDOW(10, 0x20000000, 3)
	"M  target_prefault(fd=10, at=0x800, size=32, flags=1, addr=0x20000000, length=0x10000);\n"
	"V  fork(addr=0x40000000, length=0x10000, how=3);\n",
	/* Missed pages come late. */
	OPEN(3, 10)
	WINDOW(10, 0x20000000, 3)
	"V  madvise(addr=0x40000000, length=0x10000, advice=4);\n"
	"V  uffd(addr=0x40000000, length=0x10000);\n"
	"M  touch(addr=0x20000000, length=0x10000, write=1);\n",
	OPEN(3, 10)
	"M  uring(fd=10, op=0, buf=0x4000, length=0x2000, offset=0x40000000, flags=0);\n",
};

const unsigned int nr_seeds = ARRAY_SIZE(seeds);
