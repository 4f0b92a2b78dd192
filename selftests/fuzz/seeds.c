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

/* The victim offers memory; the others get the export by a socket, and accept. */
#define EXPORT(rights, addr, length)						\
	"V  export_create(fd=0, at=0x800, size=136, flags=0, rights=" #rights		\
	", addr=" #addr ", length=" #length ", expires=0, accepts=0, mode=0"		\
	", receiver=0, name=0, out=14);\n"						\
	"V  send(fd=14, keep=1);\n"							\
	"M  receive(out=14);\n"
#define PUBLISH(rights, mode, name)						\
	"V  export_create(fd=0, at=0x800, size=136, flags=1, rights=" #rights		\
	", addr=0x40000000, length=0x20000, expires=0, accepts=2, mode=" #mode		\
	", receiver=0, name=" #name ", out=14);\n"
#define FIND(rights, id, name, out)						\
	"M  export_open(fd=0, at=0x800, size=88, flags=0, rights=" #rights		\
	", id=" #id ", name=" #name ", out=" #out ");\n"
#define ACCEPT(rights, addr, length, out)					\
	"M  export_accept(fd=14, at=0x800, size=32, flags=0, rights=" #rights		\
	", addr=" #addr ", length=" #length ", out=" #out ");\n"
#define TOUCH(actor, addr)							\
	actor " touch(addr=" #addr ", length=0x10000, write=1);\n"
#define REVOKE(actor, fd, serial, addr, length)					\
	actor " revoke(fd=" #fd ", at=0x800, size=32, flags=0, serial=" #serial	\
	", addr=" #addr ", length=" #length ");\n"
#define CREATE_LONG(flags, mode, length, addr, name)				\
	"M  region_create(fd=0, at=0x800, size=120, flags=" #flags ", mode=" #mode	\
	", length=" #length ", reserve=0, addr=" #addr ", name=" #name			\
	", reserved=0, out=17);\n"
#define CREATE(flags, mode, addr, name) CREATE_LONG(flags, mode, 0x20000, addr, name)
/* A handle to the victim. */
#define LEND(fd)								\
	"M  send(fd=" #fd ", keep=1);\n"						\
	"V  receive(out=17);\n"
#define MAP_LONG(actor, fd, addr, length)					\
	actor " region_map(fd=" #fd ", addr=" #addr					\
	", length=" #length ", prot=3, flags=1, offset=0);\n"
#define MAP(actor, fd, addr) MAP_LONG(actor, fd, addr, 0x10000)
#define NARROW(rights, offset, length, out)					\
	"M  region_derive(fd=17, at=0x800, size=32, flags=0, rights=" #rights		\
	", offset=" #offset ", length=" #length ", out=" #out ");\n"
#define WHOLE(actor, what, size)						\
	actor " region_" #what "(fd=17, at=0x800, size=" #size ", flags=0);\n"
#define RESIZE(actor, length)							\
	actor " region_resize(fd=17, at=0x800, size=16, flags=0, length=" #length ");\n"
#define SEAL(seals)								\
	"M  region_seal(fd=17, at=0x800, size=16, flags=0, seals=" #seals ");\n"
#define DENY(flags)								\
	"V  deny(fd=0, at=0x800, size=16, flags=" #flags ", reserved=0);\n"

#define RING(actor, fd)								\
	actor " eventfd(fd=" #fd ", at=0x800, size=16, flags=0, eventfd=25, reserved=0);\n"

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
	OPEN(1, 10)
	DERIVE(10, 3, 0x40000000, 0x20000, 11)
	DERIVE(10, 7, 0, 0, 11)
	WINDOW(11, 0x20000000, 3),
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
	/* Offered, accepted, narrowed, looked at, taken back: all of it, a part, by number. */
	EXPORT(3, 0x40000000, 0x20000)
	ACCEPT(3, 0, 0, 10)
	WINDOW(10, 0x20000000, 3)
	TOUCH("M ", 0x20000000)
	REVOKE("V ", 14, 0, 0, 0),
	EXPORT(3, 0x40000000, 0x20000)
	ACCEPT(3, 0, 0, 10)
	DERIVE(10, 3, 0x40000000, 0x10000, 11)
	WINDOW(11, 0x20000000, 3)
	WINDOW(10, 0x21000000, 3)
	TOUCH("M ", 0x20000000)
	TOUCH("M ", 0x21000000)
	REVOKE("V ", 14, 0, 0x40004000, 0x3000),
	EXPORT(3, 0x40000000, 0x20000)
	ACCEPT(3, 0x40000000, 0x10000, 10)
	WINDOW(10, 0x20000000, 3)
	TOUCH("R*", 0x20000000)
	REVOKE("V ", 0, 2, 0, 0)
	TOUCH("M ", 0x20000000),
	/* More than one window on the same target. */
	EXPORT(3, 0x40000000, 0x20000)
	ACCEPT(3, 0, 0, 10)
	WINDOW(10, 0x20000000, 3)
	WINDOW(10, 0x21000000, 1)
	WINDOW(10, 0x22000000, 3)
	TOUCH("M ", 0x20000000)
	"M  touch(addr=0x21000000, length=0x10000, write=0);\n"
	TOUCH("M ", 0x22000000)
	REVOKE("V ", 14, 0, 0, 0),
	/* Rights that were not offered, and a range. */
	EXPORT(1, 0x40000000, 0x20000)
	ACCEPT(3, 0x40000000, 0x20000, 10)
	ACCEPT(1, 0x40000000, 0x20001, 11)
	ACCEPT(1, 0x40000000, 0x10000, 12)
	WINDOW(12, 0x20000000, 3),
	/* By name. */
	PUBLISH(3, 0600, 1)
	FIND(1, 0, 1, 14)
	FIND(3, 1, 0, 15)
	ACCEPT(1, 0, 0, 10)
	"V  close(fd=14);\n",
	/* The holder gives it back to whose memory it is, and takes it from him. */
	OPEN(3, 10)
	WINDOW(10, 0x20000000, 3)
	TOUCH("M ", 0x20000000)
	DERIVE(10, 3, 0x40000000, 0x20000, 11)
	"M  send(fd=11, keep=1);\n"
	"V  receive(out=11);\n"
	"V  window(fd=11, addr=0x21000000, length=0x10000, prot=3, flags=1, offset=0x40000000);\n"
	TOUCH("V ", 0x21000000)
	REVOKE("M ", 11, 0, 0, 0),
	/* The victim refuses, and no longer. */
	OPEN(3, 10)
	WINDOW(10, 0x20000000, 3)
	TOUCH("M ", 0x20000000)
	DENY(1)
	OPEN(3, 11)
	DENY(2)
	OPEN(3, 11),
	EXPORT(3, 0x40000000, 0x20000)
	ACCEPT(3, 0, 0, 10)
	WINDOW(10, 0x20000000, 3)
	TOUCH("V*", 0x40000000)
	TOUCH("R*", 0x20000000)
	REVOKE("M ", 10, 0, 0x40000000, 0x8000),
	/* Regions: shared and taken back, all of it and in part. */
	CREATE(0, 0, 0, 0)
	NARROW(3, 0, 0, 18)
	LEND(18)
	MAP("V ", 17, 0x20000000)
	TOUCH("V ", 0x20000000)
	MAP("M ", 17, 0x20000000)
	TOUCH("M ", 0x20000000)
	REVOKE("M ", 18, 0, 0, 0),
	CREATE(0, 0, 0, 0)
	LEND(17)
	MAP("V ", 17, 0x20000000)
	MAP("M ", 17, 0x21000000)
	TOUCH("V ", 0x20000000)
	TOUCH("M ", 0x21000000)
	REVOKE("M ", 0, 1, 0x4000, 0x3000),
	/* Who has not got it by the right to manage it takes back what he has made of it. */
	CREATE(0, 0, 0, 0)
	NARROW(3, 0, 0, 18)
	LEND(18)
	"V  region_derive(fd=17, at=0x800, size=32, flags=0, rights=3, offset=0, length=0, out=18);\n"
	MAP("V ", 18, 0x20000000)
	TOUCH("V ", 0x20000000)
	REVOKE("V ", 18, 0, 0, 0),
	/* Read-only, and a part. */
	CREATE(0, 0, 0, 0)
	NARROW(1, 0, 0x10000, 18)
	LEND(18)
	"V  region_derive(fd=17, at=0x800, size=32, flags=0, rights=3, offset=0, length=0, out=18);\n"
	MAP("V ", 17, 0x20000000),
	/* From one owner to the other, and back. */
	CREATE(1, 0, 0, 0)
	LEND(17)
	MAP("M ", 17, 0x20000000)
	TOUCH("M ", 0x20000000)
	WHOLE("M ", give, 8)
	WHOLE("V ", take, 8)
	MAP("V ", 17, 0x20000000)
	TOUCH("V ", 0x20000000)
	WHOLE("M ", take, 8)
	WHOLE("V ", give, 8),
	CREATE(1, 0, 0, 0)
	LEND(17)
	MAP("V ", 17, 0x20000000)
	"V* touch(addr=0x20000000, length=0x10000, write=1);\n"
	WHOLE("V*", take, 8)
	WHOLE("V*", give, 8)
	MAP("R*", 17, 0x20000000)
	TOUCH("R*", 0x20000000)
	WHOLE("M ", give, 8)
	WHOLE("M ", take, 8),
	/* Huge pages: shared and taken back in part, given, cut, looked at by a window. */
	CREATE_LONG(16, 0, 0x400000, 0, 0)
	NARROW(3, 0, 0, 18)
	LEND(18)
	MAP_LONG("V ", 17, 0x20000000, 0x400000)
	MAP_LONG("M ", 17, 0x21000000, 0x400000)
	TOUCH("V ", 0x20000000)
	TOUCH("M ", 0x21200000)
	TOUCH("V ", 0x20200000)
	REVOKE("M ", 18, 0, 0x201000, 0x3000)
	TOUCH("V ", 0x20200000)
	RESIZE("M ", 0x201000)
	RESIZE("M ", 0x400000)
	TOUCH("M ", 0x21200000)
	REVOKE("M ", 18, 0, 0, 0),
	CREATE_LONG(17, 0, 0x400000, 0, 0)
	LEND(17)
	MAP_LONG("M ", 17, 0x20000000, 0x400000)
	TOUCH("M ", 0x20000000)
	WHOLE("M ", give, 8)
	WHOLE("V ", take, 8)
	MAP_LONG("V ", 17, 0x40000000, 0x400000)
	TOUCH("V ", 0x40000000)
	OPEN(3, 10)
	WINDOW(10, 0x21000000, 3)
	TOUCH("M ", 0x21000000)
	WHOLE("V ", rebind, 16)
	WHOLE("V ", give, 8),
	/* By name; what stays; the same address for both. */
	CREATE(12, 0600, 0, 1)
	"V  region_open(fd=0, at=0x800, size=80, flags=0, rights=11, name=1, out=17);\n"
	MAP("V ", 17, 0x20000000)
	WHOLE("V ", unlink, 8)
	REVOKE("M ", 17, 0, 0, 0),
	CREATE(12, 0600, 0, 1)
	"V  region_open(fd=0, at=0x800, size=80, flags=0, rights=11, name=1, out=17);\n"
	MAP("V ", 17, 0x20000000)
	TOUCH("V ", 0x20000000)
	REVOKE("M ", 17, 0, 0, 0)
	"V  region_open(fd=0, at=0x800, size=80, flags=0, rights=11, name=1, out=18);\n"
	CREATE(12, 0600, 0, 1),
	CREATE(2, 0, 0x300000000000, 0)
	LEND(17)
	MAP("M ", 17, 0x300000000000)
	MAP("V ", 17, 0x300000000000)
	TOUCH("M ", 0x300000000000)
	TOUCH("V ", 0x300000000000),
	/* Pages come and go, with a window on one that maps it. */
	CREATE(0, 0, 0, 0)
	LEND(17)
	MAP("V ", 17, 0x40000000)
	OPEN(3, 10)
	WINDOW(10, 0x20000000, 3)
	"V* touch(addr=0x40000000, length=0x10000, write=1);\n"
	TOUCH("R*", 0x20000000)
	WHOLE("M ", rebind, 16)
	RESIZE("M ", 0x4000)
	RESIZE("M ", 0x10000)
	REVOKE("M ", 17, 0, 0, 0),
	CREATE(0, 0, 0, 0)
	MAP("M ", 17, 0x20000000)
	SEAL(8)
	"M  munmap(addr=0x20000000, length=0x10000);\n"
	SEAL(8)
	"M  pwrite(fd=17, buf=0x4000, length=8, offset=0);\n"
	WHOLE("M ", notify, 8),
	/* Eventfds are rung, replaced, and go with their descriptor. */
	EXPORT(3, 0x40000000, 0x20000)
	RING("V ", 14)
	ACCEPT(3, 0, 0, 10)
	RING("M ", 10)
	RING("R*", 10)
	REVOKE("V ", 14, 0, 0x40000000, 0x1000)
	REVOKE("V ", 14, 0, 0, 0)
	"M  close(fd=10);\n",
	CREATE(0, 0, 0, 0)
	LEND(17)
	RING("V*", 17)
	WHOLE("R*", notify, 8)
	NARROW(1, 0, 0x10000, 18)
	RING("M ", 18)
	"M  close(fd=18);\n"
	WHOLE("M ", notify, 8),
	OPEN(3, 10)
	"M  uring(fd=10, op=0, buf=0x4000, length=0x2000, offset=0x40000000, flags=0);\n",
};

const unsigned int nr_seeds = ARRAY_SIZE(seeds);
