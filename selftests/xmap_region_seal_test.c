// SPDX-License-Identifier: GPL-2.0-only
/* The seals of regions mean what those of a memfd do: the kernel's own says what that is. */
#include "xmap_region_utils.h"

#define S_SEAL XMAP_REGION_SEAL_SEAL
#define S_SHRINK XMAP_REGION_SEAL_SHRINK
#define S_GROW XMAP_REGION_SEAL_GROW
#define S_WRITE XMAP_REGION_SEAL_WRITE
#define S_FUTURE XMAP_REGION_SEAL_FUTURE_WRITE

FIXTURE_SETUP(region)
{
	ASSERT_EQ(0, region_begin(self, 0));
}

FIXTURE_TEARDOWN(region)
{
	region_end(self);
}

/* A descriptor with all rights, one for reading only, and a mapping, or NULL. */
struct sealed {
	bool memfd;
	int fd;
	int ro;
	void *map;
};

/* By the one descriptor, and by the other. */
enum mapping { NO_MAPPING, MAP_WRITABLE, MAP_READABLE, MAP_READ_ONLY, MAPPINGS };

static int sealed_resize(const struct sealed *s, size_t len)
{
	return s->memfd ? ftruncate(s->fd, len) : _test_region_resize(s->fd, len);
}

static int sealed_seal(const struct sealed *s, __u32 seals)
{
	__u32 now;

	return s->memfd ? fcntl(s->fd, F_ADD_SEALS, seals) : _test_region_seal(s->fd, seals, &now);
}

static __u32 sealed_seals(const struct sealed *s)
{
	struct xmap_cmd_region_info info;

	return s->memfd ? (__u32)fcntl(s->fd, F_GET_SEALS) :
	       _test_region_info(s->fd, &info) ? ~0U : info.out_seals;
}

static size_t sealed_length(const struct sealed *s)
{
	struct xmap_cmd_region_info info;
	struct stat st;

	if (s->memfd)
		return fstat(s->fd, &st) ? 0 : st.st_size;
	return _test_region_info(s->fd, &info) ? 0 : info.out_region_length;
}

/* A mapping of the first page, of one of the kinds above. */
static void *sealed_map(const struct sealed *s, enum mapping kind)
{
	return mmap(NULL, PAGE, kind == MAP_WRITABLE ? RW : PROT_READ, MAP_SHARED,
		    kind == MAP_READ_ONLY ? s->ro : s->fd, 0);
}

/* What there is to try.  Each is an errno, a signal or 0, and leaves no mapping behind. */

static int try_shorter(struct sealed *s)
{
	return XMAP_ERRNO(sealed_resize(s, sealed_length(s) - PAGE));
}

static int try_longer(struct sealed *s)
{
	return XMAP_ERRNO(sealed_resize(s, sealed_length(s) + PAGE));
}

static int try_same(struct sealed *s)
{
	return XMAP_ERRNO(sealed_resize(s, sealed_length(s)));
}

static int try_pread(struct sealed *s)
{
	__u64 word;

	return XMAP_ERRNO(pread(s->fd, &word, sizeof(word), 0));
}

static int try_pwrite(struct sealed *s)
{
	__u64 word = 1;

	return XMAP_ERRNO(pwrite(s->fd, &word, sizeof(word), 8));
}

static int try_pwrite_ro(struct sealed *s)
{
	__u64 word = 1;

	return XMAP_ERRNO(pwrite(s->ro, &word, sizeof(word), 8));
}

/* It is made, and then made writable, as errno * 1000 + errno. */
static int try_map(const struct sealed *s, enum mapping kind)
{
	void *map = sealed_map(s, kind);
	int err;

	if (map == MAP_FAILED)
		return errno * 1000;
	err = XMAP_ERRNO(mprotect(map, PAGE, RW));
	munmap(map, PAGE);
	return err;
}

static int try_map_writable(struct sealed *s)
{
	return try_map(s, MAP_WRITABLE);
}

static int try_map_readable(struct sealed *s)
{
	return try_map(s, MAP_READABLE);
}

static int try_map_read_only(struct sealed *s)
{
	return try_map(s, MAP_READ_ONLY);
}

/* By the mapping that was there before the seals. */
static int try_old_load(struct sealed *s)
{
	return s->map ? touch(s->map) : 0;
}

static int try_old_store(struct sealed *s)
{
	return s->map ? touch_store(s->map, 1) : 0;
}

static int try_old_protect(struct sealed *s)
{
	int err = 0;

	if (!s->map)
		return 0;
	err = XMAP_ERRNO(mprotect(s->map, PAGE, PROT_READ));
	return err ? err * 1000 : XMAP_ERRNO(mprotect(s->map, PAGE, RW));
}

static int (* const tries[])(struct sealed *s) = {
	try_pread, try_pwrite, try_pwrite_ro, try_longer, try_shorter, try_same, try_map_writable,
	try_map_readable, try_map_read_only, try_old_load, try_old_store, try_old_protect,
};

static int sealed_begin(struct sealed *s, int dev, bool memfd, enum mapping mapping)
{
	*s = (struct sealed){ .memfd = memfd };
	if (memfd) {
		s->fd = memfd_create("xmap-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (s->fd < 0 || ftruncate(s->fd, LEN))
			return -1;
		s->ro = peer_reopen(dup(s->fd), O_RDONLY);
	} else if (_test_region_create(dev, 0, LEN, &s->fd) ||
		   _test_region_derive(s->fd, XMAP_RIGHT_READ, 0, 0, &s->ro)) {
		return -1;
	}
	if (mapping != NO_MAPPING)
		s->map = sealed_map(s, mapping);
	return s->ro < 0 || s->map == MAP_FAILED ? -1 : 0;
}

static void sealed_end(struct sealed *s)
{
	if (s->map)
		munmap(s->map, PAGE);
	close(s->ro);
	close(s->fd);
}

/*
 * Before 6.7 ("mm: perform the mapping_map_writable() check after call_mmap()") nobody
 * could map a memfd that is sealed against writes, not even to read it, by a descriptor
 * that can write.  Regions have what came then.
 */
static bool memfd_maps_sealed(void)
{
	struct sealed s;
	int ret;

	if (sealed_begin(&s, -1, true, NO_MAPPING) || sealed_seal(&s, S_WRITE))
		return false;
	ret = try_map_readable(&s);
	sealed_end(&s);
	return ret != EPERM * 1000;
}

/* What is done to both, and what both have to show for it. */
struct both {
	struct sealed memfd;
	struct sealed region;
	enum mapping mapping;
	__u32 first;
	__u32 second;
};

static void seal_both(struct __test_metadata *_metadata, struct both *both, __u32 seals)
{
	int theirs = XMAP_ERRNO(sealed_seal(&both->memfd, seals));
	int ours = XMAP_ERRNO(sealed_seal(&both->region, seals));

	ASSERT_EQ(theirs, ours)
	{
		TH_LOG("mapping %d, seals %#x, then %#x", both->mapping, both->first,
		       both->second);
	}
}

static void expect_as_memfd(struct __test_metadata *_metadata, struct both *both, bool maps_sealed)
{
	__u32 seals = sealed_seals(&both->memfd);
	int theirs, ours;
	size_t i;

	EXPECT_EQ(seals, sealed_seals(&both->region));
	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		theirs = tries[i](&both->memfd);
		ours = tries[i](&both->region);
		if (tries[i] == try_map_readable && !maps_sealed && seals & S_WRITE) {
			EXPECT_EQ(EPERM * 1000, theirs);
			theirs = EACCES;
		}
		ASSERT_EQ(theirs, ours)
		{
			TH_LOG("mapping %d, seals %#x, then %#x: attempt %zu", both->mapping,
			       both->first, both->second, i);
		}
	}
	EXPECT_EQ(sealed_length(&both->memfd), sealed_length(&both->region));
}

/* One or two seals at a time, then one more, whatever mapping there was before. */
TEST_F(region, seals_as_memfd)
{
	bool maps_sealed = memfd_maps_sealed();
	unsigned int n = 0;
	struct both b;

	EXPECT_EQ(F_SEAL_SEAL, S_SEAL);
	EXPECT_EQ(F_SEAL_SHRINK, S_SHRINK);
	EXPECT_EQ(F_SEAL_GROW, S_GROW);
	EXPECT_EQ(F_SEAL_WRITE, S_WRITE);
	EXPECT_EQ(F_SEAL_FUTURE_WRITE, S_FUTURE);
	for (b.mapping = NO_MAPPING; b.mapping < MAPPINGS; b.mapping++) {
		for (b.first = 1; b.first < 32; b.first++) {
			if (__builtin_popcount(b.first) > 2)
				continue;
			b.second = 1 << (n++ % 5);
			ASSERT_EQ(0, sealed_begin(&b.memfd, -1, true, b.mapping));
			ASSERT_EQ(0, sealed_begin(&b.region, self->dev, false, b.mapping));
			seal_both(_metadata, &b, b.first);
			expect_as_memfd(_metadata, &b, maps_sealed);
			seal_both(_metadata, &b, b.second);
			expect_as_memfd(_metadata, &b, maps_sealed);
			sealed_end(&b.region);
			sealed_end(&b.memfd);
		}
	}
}

/* What is not the same is meant not to be, and is this. */
TEST_F(region, seals_unlike_memfd)
{
	struct iovec iov = { .iov_len = PAGE };
	struct sealed memfd, region;
	struct sealed *both[] = { &memfd, &region };
	int pipefd[2], i;
	__u64 word = 1;

	ASSERT_EQ(0, sealed_begin(&memfd, -1, true, MAP_READ_ONLY));
	ASSERT_EQ(0, sealed_begin(&region, self->dev, false, MAP_READ_ONLY));
	/* To ask for none is to ask for nothing; a seal that there is not. */
	EXPECT_EQ(0, sealed_seal(&memfd, 0));
	EXPECT_ERRNO(EINVAL, sealed_seal(&region, 0));
	EXPECT_ERRNO(EINVAL, sealed_seal(&memfd, 1 << 30));
	EXPECT_ERRNO(EOPNOTSUPP, sealed_seal(&region, 1 << 30));
	/* It takes a right of its own, not that to write. */
	EXPECT_ERRNO(EPERM, fcntl(memfd.ro, F_ADD_SEALS, S_GROW));
	test_err_region_seal(EACCES, region.ro, S_GROW);
	/* A region consists of whole pages, and is longer if somebody says so only. */
	EXPECT_EQ(0, sealed_resize(&memfd, LEN + 1));
	EXPECT_ERRNO(EINVAL, sealed_resize(&region, LEN + 1));
	EXPECT_EQ(0, sealed_resize(&memfd, 0));
	EXPECT_ERRNO(EINVAL, sealed_resize(&region, 0));
	EXPECT_EQ(8, pwrite(memfd.fd, &word, 8, LEN - 8));
	EXPECT_ERRNO(ENOSPC, pwrite(region.fd, &word, 8, LEN));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, sealed_seal(both[i], S_GROW));
	EXPECT_ERRNO(EPERM, pwrite(memfd.fd, &word, 8, LEN));
	EXPECT_ERRNO(ENOSPC, pwrite(region.fd, &word, 8, LEN));
	/* Pages that somebody has in use are in the way of the one, not of the other. */
	ASSERT_EQ(0, pipe(pipefd));
	for (i = 0; i < 2; i++) {
		iov.iov_base = both[i]->map;
		ASSERT_EQ((ssize_t)PAGE, vmsplice(pipefd[1], &iov, 1, 0));
	}
	EXPECT_ERRNO(EBUSY, sealed_seal(&memfd, S_WRITE));
	EXPECT_EQ(0, sealed_seal(&region, S_WRITE));
	close(pipefd[0]);
	close(pipefd[1]);
	EXPECT_EQ(0, sealed_seal(&memfd, S_WRITE));
	sealed_end(&region);
	sealed_end(&memfd);
}

TEST_HARNESS_MAIN
