// SPDX-License-Identifier: LGPL-2.1-or-later
/* Channels: regions with a single owner, which a record moves to the peer. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pair.h"
#include "regions.h"
#include "shim.h"

#define PROT_RW (PROT_READ | PROT_WRITE)

static struct pair pair;
static int open_fds;

static void setup(void)
{
	shim_reset();
	dev = channel_dev;
	open_fds = shim_open_fds();
	pair_begin(&pair, SMALL_RING);
}

static void teardown(void)
{
	pair_end(&pair);
	ck_assert_int_eq(shim_open_fds(), open_fds);
	shim_reset();
}

static struct xmap_region *single_new(void)
{
	XMAP_OPTS(struct xmap_region_opts, opts, .flags = XMAP_REGION_SINGLE_OWNER);

	return region_new(&opts);
}

/* ---- To another process ---- */

struct other_end {
	struct xmap_channel *ours;
	struct xmap_channel_fds fds;
	bool dies;
};

static int other_main(void *data)
{
	struct other_end *other = data;
	struct xmap_channel *ch;
	struct xmap_region *it;
	char buf[16];
	void *map;

	xmap_channel_close(other->ours);
	if (channel_from(&other->fds, 0, &ch))
		return 1;
	if (xmap_channel_recv_region(ch, buf, sizeof(buf), &it, -1) != 7 ||
	    memcmp(buf, "no copy", 7))
		return 2;
	if (region_info(it).out_owner != XMAP_REGION_OWNER_SELF ||
	    fcntl(xmap_region_fd(it), F_GETFD) != FD_CLOEXEC)
		return 3;
	if (xmap_region_map(it, 0, REGION_LENGTH, PROT_RW, &map) || strcmp(map, "from here"))
		return 4;
	strcpy(map, "from there");
	if (other->dies)
		raise(SIGKILL);
	if (xmap_channel_send_region(ch, "thanks", 6, it, -1) || reach(map) != -EFAULT)
		return 5;
	xmap_region_close(it);
	xmap_channel_close(ch);
	return 0;
}

START_TEST(there_and_back)
{
	struct xmap_region *it = single_new(), *back = NULL;
	char *map = region_map(it, 0, REGION_LENGTH, PROT_RW);
	struct other_end other = { .dies = _i };
	char buf[16];
	pid_t pid;

	strcpy(map, "from here");
	other.ours = channel_begin(&other.fds, SMALL_RING);
	pid = child_begin(other_main, &other);
	fds_close(&other.fds);
	assert_ok(xmap_channel_send_region(other.ours, "no copy", 7, it, -1));
	assert_err(reach(map), EFAULT);
	ck_assert_uint_ne(region_info(it).out_owner, XMAP_REGION_OWNER_SELF);
	if (other.dies) {
		/* What he has not sent back is ours to take. */
		assert_err(xmap_channel_recv_region(other.ours, buf, sizeof(buf), &back, -1),
			   EPIPE);
		ck_assert_int_eq(child_end(pid), -SIGKILL);
		assert_ok(xmap_region_take(it));
	} else {
		ck_assert_int_eq(xmap_channel_recv_region(other.ours, buf, sizeof(buf), &back, -1),
				 6);
		ck_assert_int_eq(child_end(pid), 0);
		ck_assert_uint_eq(region_info(back).out_owner, XMAP_REGION_OWNER_SELF);
		xmap_region_close(back);
	}
	/* It is where it was mapped. */
	ck_assert_str_eq(map, "from there");
	assert_ok(munmap(map, REGION_LENGTH));
	xmap_region_close(it);
	xmap_channel_close(other.ours);
}

/* It was sent, and is not lost with its sender. */
static int sends_and_dies(void *data)
{
	struct other_end *other = data;
	struct xmap_channel *ch;
	struct xmap_region *it;
	void *map;

	xmap_channel_close(other->ours);
	it = single_new();
	if (channel_from(&other->fds, 0, &ch) || xmap_region_map(it, 0, PAGE, PROT_RW, &map))
		return 1;
	strcpy(map, "an inheritance");
	if (xmap_channel_send_region(ch, "", 0, it, -1))
		return 2;
	raise(SIGKILL);
	return 3;
}

START_TEST(sender_dies)
{
	struct other_end other = {};
	struct xmap_region *it;
	char *map;

	other.ours = channel_begin(&other.fds, SMALL_RING);
	ck_assert_int_eq(child_end(child_begin(sends_and_dies, &other)), -SIGKILL);
	fds_close(&other.fds);
	ck_assert_int_eq(xmap_channel_recv_region(other.ours, NULL, 0, &it, -1), 0);
	ck_assert_ptr_nonnull(it);
	map = region_map(it, 0, PAGE, PROT_RW);
	ck_assert_str_eq(map, "an inheritance");
	assert_err(xmap_channel_recv_region(other.ours, NULL, 0, &it, -1), EPIPE);
	assert_ok(munmap(map, PAGE));
	xmap_region_close(it);
	xmap_channel_close(other.ours);
}

/* ---- Both ends here ---- */

/* Nobody has received it, or will: it can be taken back. */
START_TEST(receiver_is_gone)
{
	struct xmap_region *it = single_new();
	char *map = region_map(it, 0, PAGE, PROT_RW);

	strcpy(map, "mine");
	assert_ok(xmap_channel_send_region(pair.a, "", 0, it, 0));
	assert_err(reach(map), EFAULT);
	xmap_channel_close(pair.b);
	pair.b = NULL;
	assert_ok(xmap_region_take(it));
	ck_assert_str_eq(map, "mine");
	fds_close(&pair.fds);
	/* Now it is seen that he is gone, and nothing is given away. */
	assert_err(xmap_channel_recv(pair.a, NULL, 0, -1), EPIPE);
	assert_err(xmap_channel_send_region(pair.a, "", 0, it, -1), EPIPE);
	ck_assert_str_eq(map, "mine");
	assert_ok(munmap(map, PAGE));
	xmap_region_close(it);
	for (int i = 0; i < XMAP_CHANNEL_NR_FDS; i++)
		pair.fds.fd[i] = dup(0);
}

START_TEST(not_to_be_sent)
{
	static char buf[SMALL_RING];
	struct xmap_region *shared = region_new(NULL), *it = single_new();
	struct xmap_region *part = region_part(it, RW, 0, PAGE);

	assert_err(xmap_channel_send_region(pair.a, "", 0, shared, 0), EINVAL);
	assert_err(xmap_channel_send_region(pair.a, buf, SMALL_RING, it, 0), EMSGSIZE);
	ck_assert_uint_eq(region_info(it).out_owner, XMAP_REGION_OWNER_SELF);
	assert_ok(xmap_channel_send(pair.a, buf, SMALL_MAX, 0));
	assert_err(xmap_channel_send_region(pair.a, "x", 1, it, 0), EAGAIN);
	assert_err(xmap_channel_send_region(pair.a, "x", 1, it, 10), ETIMEDOUT);
	ck_assert_uint_eq(region_info(it).out_owner, XMAP_REGION_OWNER_SELF);
	assert_ok(xmap_region_give(it));
	assert_err(xmap_channel_send_region(pair.a, "", 0, it, 0), EPERM);
	/* Nothing of it has come through. */
	ck_assert_int_eq(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), SMALL_MAX);
	assert_err(xmap_channel_recv(pair.b, buf, sizeof(buf), 0), EAGAIN);
	xmap_region_close(part);
	xmap_region_close(it);
	xmap_region_close(shared);
}

/* ---- What comes instead of one ---- */

static void send_fds(const char *text, const int *fds, unsigned int nfds)
{
	struct iovec iov = { (void *)text, strlen(text) };

	assert_ok(xmap_channel_sendv(pair.a, &iov, 1, fds, nfds, 0));
}

static void thrown_away(int fd)
{
	struct xmap_region *ret = (void *)&shim;
	int before = shim_open_fds();
	char buf[8];

	send_fds("bad", &fd, 1);
	assert_err(xmap_channel_recv_region(pair.b, buf, sizeof(buf), &ret, 0), EBADMSG);
	ck_assert_ptr_eq(ret, &shim);
	ck_assert_int_eq(shim_open_fds(), before);
}

START_TEST(something_else_comes)
{
	struct xmap_region *shared = region_new(NULL), *it = single_new(), *part, *ret;
	int two[2] = { xmap_region_fd(it), xmap_region_fd(it) };
	char buf[8];

	/* Nothing, or too much. */
	send_fds("alone", NULL, 0);
	ret = (void *)&shim;
	ck_assert_int_eq(xmap_channel_recv_region(pair.b, buf, sizeof(buf), &ret, 0), 5);
	ck_assert_ptr_null(ret);
	send_fds("two", two, 2);
	ret = (void *)&shim;
	assert_err(xmap_channel_recv_region(pair.b, buf, sizeof(buf), &ret, 0), EMSGSIZE);
	assert_ok(xmap_channel_release(pair.b));
	send_fds("too long", two, 1);
	assert_err(xmap_channel_recv_region(pair.b, buf, 7, &ret, 0), EMSGSIZE);
	assert_ok(xmap_channel_release(pair.b));
	assert_err(xmap_channel_recv_region(pair.b, buf, sizeof(buf), &ret, 0), EAGAIN);
	ck_assert_ptr_eq(ret, &shim);

	thrown_away(0);
	thrown_away(xmap_dev_fd(dev));
	thrown_away(xmap_region_fd(shared));
	/* One that its owner has not given. */
	thrown_away(xmap_region_fd(it));
	ck_assert_uint_eq(region_info(it).out_owner, XMAP_REGION_OWNER_SELF);
	assert_ok(xmap_region_give(it));
	part = region_part(it, RW, 0, PAGE);
	thrown_away(xmap_region_fd(part));
	xmap_region_close(part);
	part = region_part(it, RW, 0, 0);
	assert_ok(xmap_region_revoke(part, 0, 0));
	thrown_away(xmap_region_fd(part));
	xmap_region_close(part);
	ck_assert_uint_eq(region_info(it).out_owner, XMAP_REGION_OWNER_NONE);

	/* And then a good one. */
	send_fds("good", two, 1);
	ck_assert_int_eq(xmap_channel_recv_region(pair.b, buf, sizeof(buf), &ret, 0), 4);
	ck_assert_uint_eq(region_info(ret).out_owner, XMAP_REGION_OWNER_SELF);
	xmap_region_close(ret);
	xmap_region_close(it);
	xmap_region_close(shared);
}

/* Neither the record nor the region is lost. */
START_TEST(no_memory_for_it)
{
	struct xmap_region *it = single_new(), *ret = (void *)&shim;

	assert_ok(xmap_channel_send_region(pair.a, "x", 1, it, 0));
	shim.alloc_left = 0;
	assert_err(xmap_channel_recv_region(pair.b, &(char){ 0 }, 1, &ret, 0), ENOMEM);
	shim.alloc_left = -1;
	shim.fds_room = 0;
	assert_err(xmap_channel_recv_region(pair.b, &(char){ 0 }, 1, &ret, 0), EMFILE);
	shim.fds_room = -1;
	ck_assert_ptr_eq(ret, &shim);
	ck_assert_int_eq(xmap_channel_recv_region(pair.b, &(char){ 0 }, 1, &ret, 0), 1);
	ck_assert_uint_eq(region_info(ret).out_owner, XMAP_REGION_OWNER_SELF);
	xmap_region_close(ret);
	xmap_region_close(it);
}

Suite *channel_move_suite(void)
{
	Suite *suite = suite_create("channel move");
	TCase *tc = tcase_create("channel move");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, there_and_back, 0, 2);
	tcase_add_test(tc, sender_dies);
	tcase_add_test(tc, receiver_is_gone);
	tcase_add_test(tc, not_to_be_sent);
	tcase_add_test(tc, something_else_comes);
	tcase_add_test(tc, no_memory_for_it);
	suite_add_tcase(suite, tc);
	return suite;
}
