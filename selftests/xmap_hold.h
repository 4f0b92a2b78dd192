/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holding a source's mmap_lock for as long as a test wants.
 *
 * The source maps a file whose file system is served by a process of the test.
 * Somebody who reads the mapping by /proc/PID/mem has the page read with the
 * source's lock held for reading, and waits for as long as the server does.
 * Behind it a writer queues: then nobody else gets the lock, not even by trylock.
 */
#ifndef XMAP_HOLD_H
#define XMAP_HOLD_H

#include "xmap_watch.h"

#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* Words of the shared page: the file is being read, may be read.  And the file's name. */
enum { HOLD_ASKED = 8, HOLD_ANSWER };
#define HOLD_PATH ((char *)&peer_ctl->count[56])

struct hold {
	struct peer server;
	struct peer writer;
	unsigned long addr;
	pthread_t reader;
	int mem;
};

/* ---- The file system: one file, at the root -------------------------------- */

static inline void hold_reply(int fd, const struct fuse_in_header *in, int error, void *data,
			      size_t len)
{
	struct fuse_out_header out = {
		.len = sizeof(out) + len,
		.error = -error,
		.unique = in->unique,
	};
	struct iovec iov[] = { { &out, sizeof(out) }, { data, len } };

	/* ENOENT: who asked has been killed. */
	if (writev(fd, iov, 2) < 0 && errno != ENOENT)
		_exit(1);
}

/* The descriptor to serve it by. */
static inline long hold_op_mount(const unsigned long *a)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[64];

	(void)a;
	snprintf(options, sizeof(options), "fd=%d,rootmode=100000,user_id=0,group_id=0", fd);
	if (fd < 0 || mount("xmap-test", HOLD_PATH, "fuse", 0, options))
		return -1;
	return fd;
}

/* Arguments: descriptor. */
static inline long hold_op_serve(const unsigned long *a)
{
	static struct {
		struct fuse_in_header in;
		char rest[FUSE_MIN_READ_BUFFER * 2];
	} request;
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = PAGE,
	};
	struct fuse_attr_out attr = {
		.attr_valid = 1000000,
		.attr = { .ino = 1, .size = PAGE, .mode = S_IFREG | 0644, .nlink = 1 },
	};
	struct fuse_open_out opened = {};
	static char page[PAGE];
	int fd = a[0];

	while (read(fd, &request, sizeof(request)) > 0) {
		switch (request.in.opcode) {
		case FUSE_INIT:
			hold_reply(fd, &request.in, 0, &init, sizeof(init));
			break;
		case FUSE_GETATTR:
			hold_reply(fd, &request.in, 0, &attr, sizeof(attr));
			break;
		case FUSE_OPEN:
			hold_reply(fd, &request.in, 0, &opened, sizeof(opened));
			break;
		case FUSE_READ:
			peer_set(&peer_ctl->word[HOLD_ASKED], 1);
			peer_await(&peer_ctl->word[HOLD_ANSWER], 1);
			hold_reply(fd, &request.in, 0, page, sizeof(page));
			break;
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
		case FUSE_INTERRUPT:
			break;
		default:
			hold_reply(fd, &request.in, ENOSYS, NULL, 0);
		}
	}
	_exit(0);
}

/* In the source: map the file. */
static inline long hold_op_map(const unsigned long *a)
{
	int fd = open(HOLD_PATH, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *mem;

	(void)a;
	/* The kernel asks for the size only if somebody wants to know it. */
	if (fd < 0 || fstat(fd, &st) || st.st_size != PAGE)
		return -1;
	mem = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return mem == MAP_FAILED ? -1 : (long)mem;
}

/* ---- Who waits --------------------------------------------------------------- */

/* What a thread does: R, S, D ..., or 0 if there is none. */
static inline char hold_state(pid_t pid, pid_t tid)
{
	char path[64], text[512] = "", *at;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	at = strrchr(text, ')');
	return at && at[1] ? at[2] : 0;
}

/* Wait until it waits for a lock; false if it ends instead. */
static inline bool hold_await_blocked(pid_t pid, pid_t tid)
{
	char state;

	while ((state = hold_state(pid, tid)) != 'D') {
		if (!state || state == 'Z' || state == 'X')
			return false;
		sched_yield();
	}
	return true;
}

static inline long hold_op_open(const unsigned long *a)
{
	return reader_target(a[0], XMAP_RIGHT_READ);
}

static inline void *hold_read(void *arg)
{
	const struct hold *hold = arg;
	__u64 word;

	return (void *)pread(hold->mem, &word, sizeof(word), hold->addr);
}

/* ---- For tests --------------------------------------------------------------- */

/* Mounts are seen by the test and its peers only, and go with the last of them. */
static inline int hold_setup(struct hold *hold, struct peer *src)
{
	int fd;

	*hold = (struct hold){ .mem = -1 };
	strcpy(HOLD_PATH, "/tmp/xmap-hold-XXXXXX");
	fd = mkstemp(HOLD_PATH);
	if (fd < 0 || peer_spawn(&hold->server) || peer_spawn(&hold->writer))
		return -1;
	close(fd);
	fd = peer_call(&hold->server, hold_op_mount, 0);
	if (fd < 0 || peer_start(&hold->server, hold_op_serve, fd))
		return -1;
	hold->addr = peer_call(src, hold_op_map, 0);
	if (hold->addr == PEER_MAP_FAILED)
		return -1;
	return 0;
}

/* From now on nobody gets the source's lock. */
static inline int hold_lock(struct hold *hold, struct peer *src)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", src->pid);
	hold->mem = open(path, O_RDONLY | O_CLOEXEC);
	if (hold->mem < 0 || pthread_create(&hold->reader, NULL, hold_read, hold))
		return -1;
	peer_await(&peer_ctl->word[HOLD_ASKED], 1);
	if (peer_start(&hold->writer, hold_op_open, src->pid))
		return -1;
	return hold_await_blocked(hold->writer.pid, hold->writer.pid) ? 0 : -1;
}

/* The number of bytes that the reader got. */
static inline long hold_unlock(struct hold *hold)
{
	void *got;

	peer_set(&peer_ctl->word[HOLD_ANSWER], 1);
	if (pthread_join(hold->reader, &got))
		return -1;
	close(hold->mem);
	return (long)got;
}

static inline void hold_end(struct hold *hold)
{
	peer_end(&hold->writer);
	peer_end(&hold->server);
	umount2(HOLD_PATH, MNT_DETACH);
	unlink(HOLD_PATH);
}

#endif /* XMAP_HOLD_H */
