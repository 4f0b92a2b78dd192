// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The memory of a channel, and how it is mapped.  It is a memfd (or a region, see
 * channel_region.c) that is sealed, so that nobody can cut off what the other has
 * mapped, which would be a SIGBUS.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "channel.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

_Static_assert(sizeof(struct xmap_shared) <= XMAP_PAGE_SIZE, "the rings' bytes follow");
_Static_assert(sizeof(struct xmap_word) == 128, "the layout is the same for all programs");

off_t xmap_channel_memory_size(uint32_t ring)
{
	return XMAP_PAGE_SIZE + 2 * (off_t)ring;
}

static int memory_new(void)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd;

	/* Before Linux 6.3 nothing could forbid to execute it. */
	fd = memfd_create("xmap_channel", flags | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("xmap_channel", flags);
	return fd < 0 ? -errno : fd;
}

int xmap_channel_memory_create(uint32_t ring)
{
	int fd = memory_new();
	int rc = 0;

	if (fd < 0)
		return fd;
	/* All of it now: what cannot be had must be an error here, and no signal later. */
	do {
		rc = fallocate(fd, 0, 0, xmap_channel_memory_size(ring));
	} while (rc && errno == EINTR);
	if (rc || pwrite(fd, XMAP_CHANNEL_MAGIC, sizeof(XMAP_CHANNEL_MAGIC), 0) < 0 ||
	    fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* 0 and the bytes of each ring, if that is how long the memory of a channel can be. */
int xmap_channel_memory_ring(off_t size, uint32_t *ring)
{
	off_t half = (size - (off_t)XMAP_PAGE_SIZE) / 2;

	if (half < XMAP_RING_MIN || half > XMAP_RING_MAX || half & (half - 1) ||
	    size != xmap_channel_memory_size(half))
		return -EINVAL;
	*ring = half;
	return 0;
}

/* Does it begin as the memory of a channel does? */
int xmap_channel_memory_magic(int fd)
{
	char magic[sizeof(XMAP_CHANNEL_MAGIC)];
	ssize_t n;

	n = pread(fd, magic, sizeof(magic), 0);
	if (n == sizeof(magic) && !memcmp(magic, XMAP_CHANNEL_MAGIC, sizeof(magic)))
		return 0;
	return n < 0 && errno == ESTALE ? -ESTALE : -EINVAL;
}

/*
 * Is it what the other side should have made?  Huge pages have seals too, but can
 * be missing when they are touched; files of a mounted tmpfs cannot have these.
 */
int xmap_channel_memory_check(int fd, uint32_t *ring)
{
	struct statfs fs;
	struct stat st;
	int seals;
	int rc;

	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return errno == EBADF ? -EBADF : -EBADFD;
	if (fstatfs(fd, &fs) || fstat(fd, &st))
		return -errno;
	if (fs.f_type != TMPFS_MAGIC || !S_ISREG(st.st_mode))
		return -EBADFD;
	if ((seals & SEALS) != SEALS)
		return -EINVAL;
	rc = xmap_channel_memory_ring(st.st_size, ring);
	return rc ? rc : xmap_channel_memory_magic(fd);
}

/* In our address space each ring is there twice. */
static size_t map_size(uint32_t ring)
{
	return XMAP_PAGE_SIZE + 4 * (size_t)ring;
}

static int map_part(unsigned char *addr, size_t length, int fd, off_t offset)
{
	void *p = mmap(addr, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, offset);

	return p == MAP_FAILED ? -errno : 0;
}

int xmap_channel_memory_map(int fd, uint32_t ring, struct xmap_shared **ret)
{
	unsigned char *map, *to;
	int rc;
	int i;

	/* More than a 32-bit program can have. */
	if (map_size(ring) != XMAP_PAGE_SIZE + 4 * (uint64_t)ring)
		return -ENOMEM;
	map = mmap(NULL, map_size(ring), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		   -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	rc = map_part(map, XMAP_PAGE_SIZE, fd, 0);
	for (i = 0; !rc && i < 4; i++) {
		to = map + XMAP_PAGE_SIZE + i * (size_t)ring;
		rc = map_part(to, ring, fd, XMAP_PAGE_SIZE + i / 2 * (off_t)ring);
	}
	if (!rc && madvise(map, map_size(ring), MADV_DONTFORK))
		rc = -errno;
	if (rc) {
		munmap(map, map_size(ring));
		return rc;
	}
	*ret = (struct xmap_shared *)map;
	return 0;
}

void xmap_channel_memory_unmap(struct xmap_shared *map, uint32_t ring)
{
	munmap(map, map_size(ring));
}

bool xmap_channel_memory_has(const struct xmap_shared *map, uint32_t ring, const void *addr)
{
	return (uintptr_t)addr - (uintptr_t)map < map_size(ring);
}

/* Zeroes that are nobody else's, in the place of all that can be a SIGBUS. */
int xmap_channel_memory_replace(struct xmap_shared *map, uint32_t ring)
{
	if (mmap(map, map_size(ring), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED ||
	    madvise(map, map_size(ring), MADV_DONTFORK))
		return -errno;
	return 0;
}

unsigned char *xmap_channel_memory_bytes(struct xmap_shared *map, uint32_t ring, int which)
{
	return (unsigned char *)map + XMAP_PAGE_SIZE + which * 2 * (size_t)ring;
}
