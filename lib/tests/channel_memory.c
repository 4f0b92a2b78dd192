// SPDX-License-Identifier: LGPL-2.1-or-later
/* Channels: their options, and the memfds that they lie in. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pair.h"
#include "shim.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define UNTOUCHED_CHANNEL ((struct xmap_channel *)8)

/* Is a channel's memory mapped here? */
static bool is_mapped(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	bool found = false;
	char line[512];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		found |= !!strstr(line, "memfd:xmap_channel");
	fclose(file);
	return found;
}

START_TEST(options)
{
	static const struct { size_t ask, get; } rings[] = {
		{ 0, 256 * 1024 }, { 1, 4096 }, { 4096, 4096 }, { 4097, 8192 },
		{ 1 << 20, 1 << 20 }, { (1 << 20) + 1, 1 << 21 },
	};
	struct { struct xmap_channel_opts known; size_t more; } later = {
		.known = { .sz = sizeof(later) },
	};
	XMAP_OPTS(struct xmap_channel_opts, opts);
	struct xmap_channel *ret = UNTOUCHED_CHANNEL;
	XMAP_OPTS(struct xmap_channel_info, info);
	struct xmap_channel_fds fds = { { 77 } };

	for (size_t i = 0; i < sizeof(rings) / sizeof(*rings); i++) {
		ret = channel_begin(&fds, rings[i].ask);
		assert_ok(xmap_channel_info(ret, &info));
		ck_assert_uint_eq(info.max_length, rings[i].get - 8);
		ck_assert(is_mapped());
		xmap_channel_close(ret);
		fds_close(&fds);
		ck_assert(!is_mapped());
	}
	fds.fd[0] = 77;
	ret = UNTOUCHED_CHANNEL;
	opts.ring = (1UL << 30) + 1;
	assert_err(xmap_channel_create(&opts, &fds, &ret), EINVAL);
	opts.ring = 0;
	opts.flags = 2;
	assert_err(xmap_channel_create(&opts, &fds, &ret), EOPNOTSUPP);
	assert_err(xmap_channel_from_fds(&opts, &fds, &ret), EOPNOTSUPP);
	opts.flags = 0;
	opts.__reserved = 1;
	assert_err(xmap_channel_create(&opts, &fds, &ret), EOPNOTSUPP);
	later.more = 1;
	assert_err(xmap_channel_create(&later.known, &fds, &ret), E2BIG);
	assert_err(xmap_channel_from_fds(&later.known, &fds, &ret), E2BIG);
	ck_assert_ptr_eq(ret, UNTOUCHED_CHANNEL);
	ck_assert_int_eq(fds.fd[0], 77);
	xmap_channel_close(NULL);
}

/* Who has the memory cannot make it shorter under the other's feet. */
START_TEST(sealed)
{
	struct pair pair;
	int memory;

	pair_begin(&pair, SMALL_RING);
	memory = pair.fds.fd[0];
	ck_assert_int_eq(ftruncate(memory, 0), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(ftruncate(memory, 1 << 20), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(fcntl(memory, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	ck_assert_int_eq(errno, EPERM);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(fcntl(pair.a->bells[i], F_GETFD), FD_CLOEXEC);
		ck_assert_int_eq(fcntl(pair.b->bells[i], F_GETFD), FD_CLOEXEC);
	}
	/* Holes can be made: they read as zeroes, and nothing falls over. */
	assert_ok(xmap_channel_send(pair.a, "xyz", 3, 0));
	assert_ok(fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE,
			    2 * SMALL_RING));
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(xmap_channel_recv(pair.b, NULL, 0, 0), 0);
	assert_ok(fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	assert_err(xmap_channel_recv(pair.b, NULL, 0, 0), EPROTO);
	pair_end(&pair);
}

static int memory_with(off_t size, int seals, const char *magic)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	assert_ok(ftruncate(fd, size));
	ck_assert_int_eq(pwrite(fd, magic, 8, 0), 8);
	assert_ok(fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

static void refused(struct xmap_channel_fds fds, int which, int fd, int error)
{
	struct xmap_channel *ret = UNTOUCHED_CHANNEL;

	fds.fd[which] = fd;
	assert_err(xmap_channel_from_fds(NULL, &fds, &ret), error);
	ck_assert_ptr_eq(ret, UNTOUCHED_CHANNEL);
	/* Still the caller's. */
	if (fd >= 0)
		assert_ok(close(fd));
}

START_TEST(wrong_descriptors)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW;
	struct xmap_channel_fds fds;
	struct xmap_channel *a, *b;
	int open_fds = shim_open_fds();
	int huge;

	a = channel_begin(&fds, SMALL_RING);
	refused(fds, 0, -1, EBADF);
	refused(fds, 0, dup(fds.fd[1]), EBADFD);
	refused(fds, 0, open("/dev/null", O_RDWR), EBADFD);
	refused(fds, 0, memory_with(3 * PAGE, 0, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(3 * PAGE, F_SEAL_SHRINK, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(3 * PAGE, F_SEAL_GROW, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(3 * PAGE, seals, "another"), EINVAL);
	refused(fds, 0, memory_with(3 * PAGE + 1, seals, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(PAGE, seals, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(8, seals, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(7 * PAGE, seals, XMAP_CHANNEL_MAGIC), EINVAL);
	refused(fds, 0, memory_with(PAGE + (4UL << 30), seals, XMAP_CHANNEL_MAGIC), EINVAL);
	/* Huge pages that nobody has reserved: sealed, but a touch would be a SIGBUS. */
	huge = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
	if (huge >= 0) {
		assert_ok(fcntl(huge, F_ADD_SEALS, seals));
		refused(fds, 0, huge, EBADFD);
	}
	for (int i = 1; i < XMAP_CHANNEL_NR_FDS; i++) {
		refused(fds, i, -1, EBADF);
		refused(fds, i, dup(fds.fd[0]), EBADFD);
		refused(fds, i, socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), EBADFD);
		refused(fds, i, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), EBADFD);
		refused(fds, i, dup(fds.fd[i == 3 ? 1 : 3]), EBADFD);
	}
	/* Sockets that lead nowhere are sockets of a peer that is gone. */
	close(fds.fd[1]);
	fds.fd[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	b = channel_other(&fds, 0);
	assert_err(xmap_channel_recv(b, NULL, 0, -1), EPIPE);
	xmap_channel_close(b);
	xmap_channel_close(a);
	ck_assert_int_eq(shim_open_fds(), open_fds);
}

/* Let each allocation fail in turn. */
START_TEST(channel_out_of_memory)
{
	struct xmap_channel *ret = UNTOUCHED_CHANNEL;
	struct xmap_channel_fds fds = { { 77 } };
	int open_fds = shim_open_fds();

	shim.alloc_left = 0;
	assert_err(xmap_channel_create(NULL, &fds, &ret), ENOMEM);
	shim.alloc_left = -1;
	ck_assert_ptr_eq(ret, UNTOUCHED_CHANNEL);
	ck_assert_int_eq(fds.fd[0], 77);
	ck_assert_int_eq(shim_open_fds(), open_fds);
}

/* Since Linux 6.3. */
static bool knows_noexec_seal(void)
{
	int fd = __real_memfd_create("test", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Descriptors run out at each of them: nothing stays open. */
START_TEST(channel_out_of_descriptors)
{
	struct xmap_channel *ret = UNTOUCHED_CHANNEL;
	struct xmap_channel_fds fds = { { 77 } };
	int open_fds = shim_open_fds();
	int rc, n;

	for (n = 0; ; n++) {
		shim.fds_left = n;
		rc = xmap_channel_create(NULL, &fds, &ret);
		if (!rc)
			break;
		assert_err(rc, EMFILE);
		ck_assert_ptr_eq(ret, UNTOUCHED_CHANNEL);
		ck_assert_int_eq(fds.fd[0], 77);
		ck_assert_int_eq(shim_open_fds(), open_fds);
	}
	/* The memory, twice where the kernel does not know the flag, and three pairs of sockets. */
	ck_assert_int_eq(n, knows_noexec_seal() ? 4 : 5);
	xmap_channel_close(ret);
	fds_close(&fds);
	ck_assert_int_eq(shim_open_fds(), open_fds);
}

START_TEST(not_to_be_taken_back)
{
	XMAP_OPTS(struct xmap_channel_opts, opts);
	struct xmap_channel *ret = UNTOUCHED_CHANNEL;
	struct xmap_channel_fds fds = { { 77 } };
	struct pair pair;

	opts.dev = dev_open(XMAP_BACKEND_SYSCALLS);
	assert_err(xmap_channel_create(&opts, &fds, &ret), EOPNOTSUPP);
	ck_assert_ptr_eq(ret, UNTOUCHED_CHANNEL);
	ck_assert_int_eq(fds.fd[0], 77);
	xmap_close(opts.dev);
	pair_begin(&pair, SMALL_RING);
	assert_err(xmap_channel_revoke(pair.a), EOPNOTSUPP);
	assert_err(xmap_channel_revoke(pair.b), EOPNOTSUPP);
	assert_ok(xmap_channel_send(pair.a, "x", 1, 0));
	pair_end(&pair);
}

/* What is said of memfds only. */
Suite *channel_memory_suite(void)
{
	Suite *suite = suite_create("channel memory");
	TCase *tc = tcase_create("channel memory");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, shim_reset, shim_reset);
	tcase_add_test(tc, options);
	tcase_add_test(tc, sealed);
	tcase_add_test(tc, not_to_be_taken_back);
	tcase_add_test(tc, wrong_descriptors);
	tcase_add_test(tc, channel_out_of_memory);
	tcase_add_test(tc, channel_out_of_descriptors);
	suite_add_tcase(suite, tc);
	return suite;
}
