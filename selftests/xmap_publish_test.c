// SPDX-License-Identifier: GPL-2.0-only
/*
 * Published exports: who finds one by its id or its name, and whom the mode lets
 * open it.
 */
#include "xmap_offer.h"

#define NAME "xmap-test.name"
#define OTHER_NAME "xmap-test.other"

/* What ask is to say. */
static void ask_publish(OFFER *self, const char *name, __u32 mode)
{
	*self->ask = (struct xmap_cmd_export_create){
		.flags = XMAP_EXPORT_PUBLISH,
		.rights = XMAP_RIGHTS_RW,
		.addr = self->mem,
		.length = LEN,
		.mode = mode,
		.gid = -1,
	};
	memcpy(self->ask->name, name, strlen(name));
}

/* The owner's descriptor; the id stands in ask then. */
static long publish(OFFER *self, const char *name, __u32 mode)
{
	ask_publish(self, name, mode);
	return peer_call(&self->owner, op_export_cmd, self->dev, self->ask);
}

#define try_open(p, rights, id, name) peer_call(p, op_export_try, self->dev, rights, id, name)

TEST_F(offer, open_by_id_and_by_name)
{
	struct xmap_cmd_export_info info;
	long theirs = publish(self, NAME, 0666), fd[2], got;
	__u64 id = self->ask->out_id;
	int i, mine, more;
	char want[64];

	ASSERT_LE(0, theirs);
	EXPECT_NE(0, id);
	EXPECT_NE((__u64)XMAP_UNTOUCHED, id);
	fd[0] = peer_call(&self->user, op_export_open, self->dev, XMAP_RIGHTS_RW, id, NULL);
	fd[1] = peer_call(&self->user, op_export_open, self->dev, XMAP_RIGHT_READ, 0, NAME);
	for (i = 0; i < 2; i++) {
		ASSERT_LE(0, fd[i]);
		mine = peer_take_fd(&self->user, fd[i]);
		test_export_info(mine, &info);
		EXPECT_EQ(i ? XMAP_RIGHT_READ : XMAP_RIGHTS_RW, info.out_rights);
		EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);
		EXPECT_EQ(self->owner.pid, info.out_pid);
		EXPECT_EQ(self->mem, info.out_addr);
		EXPECT_EQ(LEN, info.out_length);
		EXPECT_EQ(id, info.out_id);
		EXPECT_EQ(2 * i, info.out_accepts);
		got = peer_call(&self->user, op_accept, fd[i], XMAP_RIGHT_READ, 0, 0);
		ASSERT_LE(0, got);
		EXPECT_EQ(peer_word(SEED, 0),
			  (__u64)peer_call(&self->user, op_read, got, self->mem));
		EXPECT_EQ(i ? EACCES : 0,
			  XMAP_ERRNO(_test_export_accept(mine, XMAP_RIGHT_WRITE, 0, 0, &more)));
		EXPECT_STREQ(i ? "r--" : "rw-", xmap_fdinfo(mine, "xmap-rights"));
		snprintf(want, sizeof(want), "%016llx", (unsigned long long)id);
		EXPECT_STREQ(want, xmap_fdinfo(mine, "xmap-id"));
		EXPECT_STREQ(NAME, xmap_fdinfo(mine, "xmap-name"));
		EXPECT_EQ(FD_CLOEXEC, peer_syscall(&self->user, SYS_fcntl, fd[i], F_GETFD));
		close(mine);
	}
}

/* It is one object, however often it has been opened. */
TEST_F(offer, opened_is_not_counted)
{
	ASSERT_LE(0, publish(self, NAME, 0666));
	ASSERT_LE(0, peer_call(&self->user, op_export_open, self->dev, 1, 0, NAME));
	EXPECT_EQ(0, peer_call(&self->user, op_list_last, self->dev, XMAP_LIST_EXPORT, 0,
			       self->seen));
	ASSERT_EQ(0, xmap_write_long(MAX_EXPORTS, 0));
	EXPECT_LE(0, peer_call(&self->user, op_export_open, self->dev, 1, 0, NAME));
}

TEST_F_TIMEOUT(offer, ids, PEER_TIMEOUT)
{
	enum { MANY = 64 };
	__u64 id[MANY];
	int i, j;

	for (i = 0; i < MANY; i++) {
		ASSERT_LE(0, publish(self, "", 0666));
		id[i] = self->ask->out_id;
		ASSERT_NE(0, id[i]);
		for (j = 0; j < i; j++) {
			ASSERT_NE(id[j], id[i]);
			/* No counter, and no address either. */
			ASSERT_NE(id[j] >> 16, id[i] >> 16);
		}
	}
	for (i = 0; i < MANY; i++)
		EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, id[i], NULL));
	EXPECT_ERRNO(ENOENT, try_open(&self->user, XMAP_RIGHT_READ, id[0] ^ 1, NULL));
	EXPECT_ERRNO(ENOENT, try_open(&self->user, XMAP_RIGHT_READ, id[0] ^ 1ULL << 63, NULL));
	EXPECT_ERRNO(EINVAL, try_open(&self->user, XMAP_RIGHT_READ, 0, NULL));
	EXPECT_ERRNO(EINVAL, try_open(&self->user, XMAP_RIGHT_READ, id[0], NAME));
	/* What is not published has none. */
	*self->ask = (struct xmap_cmd_export_create){ .rights = XMAP_RIGHT_READ };
	ASSERT_LE(0, peer_call(&self->owner, op_export_cmd, self->dev, self->ask));
	EXPECT_EQ(0, self->ask->out_id);
}

/* ---- The mode ---- */

/* User, group, one more group. */
static long op_become_in_group(const unsigned long *a)
{
	gid_t group = a[2];

	if (setgroups(1, &group) || setresgid(a[1], a[1], a[1]) || setresuid(a[0], a[0], a[0]))
		return -1;
	return prctl(PR_SET_DUMPABLE, 1);
}

/* /dev/xmap, id: the set of sets of rights with which it can be opened, -1 for an error. */
static long op_openable(const unsigned long *a)
{
	__u32 rights, can = 0;
	int fd;

	for (rights = 1; rights <= XMAP_RIGHTS_RW; rights++) {
		if (!_test_export_open(a[0], rights, a[1], NULL, &fd)) {
			can |= 1U << rights;
			close(fd);
		} else if (errno != EACCES) {
			return -1;
		}
	}
	return can;
}

/* The same by three bits of the mode. */
static long openable(__u32 bits)
{
	__u32 has = (bits & 4 ? XMAP_RIGHT_READ : 0) | (bits & 2 ? XMAP_RIGHT_WRITE : 0);
	__u32 rights, can = 0;

	for (rights = 1; rights <= XMAP_RIGHTS_RW; rights++)
		if (!(rights & ~has))
			can |= 1U << rights;
	return can;
}

TEST_F_TIMEOUT(offer, every_mode, PEER_TIMEOUT)
{
	struct peer same, group, more;
	unsigned int i;
	__u32 mode;
	long fd;

	ASSERT_EQ(0, peer_spawn_as(&same, UID_A, 4711, 0));
	ASSERT_EQ(0, peer_spawn_as(&group, 4711, UID_A, 0));
	ASSERT_EQ(0, peer_spawn(&more));
	ASSERT_EQ(0, peer_call(&more, op_become_in_group, 4711, 4711, UID_A));
	for (i = 0; i < 64; i++) {
		mode = (i >> 4 & 3) << 7 | (i >> 2 & 3) << 4 | (i & 3) << 1;
		fd = publish(self, "", mode);
		ASSERT_LE(0, fd);
		/* The first that fits decides, as for a file. */
		EXPECT_EQ(openable(mode >> 6),
			  peer_call(&same, op_openable, self->dev, self->ask->out_id)) {
			TH_LOG("mode %o", mode);
		}
		EXPECT_EQ(openable(mode >> 6),
			  peer_call(&self->owner, op_openable, self->dev, self->ask->out_id));
		EXPECT_EQ(openable(mode >> 3),
			  peer_call(&group, op_openable, self->dev, self->ask->out_id)) {
			TH_LOG("mode %o", mode);
		}
		EXPECT_EQ(openable(mode >> 3),
			  peer_call(&more, op_openable, self->dev, self->ask->out_id));
		EXPECT_EQ(openable(mode),
			  peer_call(&self->user, op_openable, self->dev, self->ask->out_id)) {
			TH_LOG("mode %o", mode);
		}
		/* Root has the capability. */
		EXPECT_EQ(openable(7),
			  op_openable((unsigned long[]){ self->dev, self->ask->out_id }));
		ASSERT_EQ(0, peer_close(&self->owner, fd));
	}
	peer_end(&same);
	peer_end(&group);
	peer_end(&more);
}

/* Whoever opens it gets no more than is offered, and no more than he asks for. */
TEST_F(offer, rights_on_opening)
{
	unsigned int bit;
	__u64 id;

	ask_publish(self, NAME, 0666);
	self->ask->rights = XMAP_RIGHT_READ;
	ASSERT_LE(0, peer_call(&self->owner, op_export_cmd, self->dev, self->ask));
	id = self->ask->out_id;
	EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, id, NULL));
	EXPECT_ERRNO(EACCES, try_open(&self->user, XMAP_RIGHT_WRITE, id, NULL));
	EXPECT_ERRNO(EACCES, try_open(&self->user, XMAP_RIGHTS_RW, id, NULL));
	test_err_export_open(EACCES, self->dev, XMAP_RIGHTS_RW, id, NULL);
	test_err_export_open(EINVAL, self->dev, 0, id, NULL);
	test_err_export_open(EINVAL, self->dev, XMAP_RIGHT_FORCE, id, NULL);
	test_err_export_open(EINVAL, self->dev, XMAP_RIGHTS_ALL, id, NULL);
	for (bit = 3; bit < 32; bit++)
		test_err_export_open(EOPNOTSUPP, self->dev, XMAP_RIGHT_READ | 1U << bit, id, NULL);
}

TEST_F(offer, capability)
{
	__u64 caps = CAP_BIT(CAP_IPC_OWNER);
	struct peer able, root;

	ASSERT_EQ(0, peer_spawn_as(&able, 4711, 4711, caps));
	ASSERT_EQ(0, peer_spawn_as(&root, 0, 0, caps_all() & ~caps));
	ASSERT_LE(0, publish(self, NAME, 0));
	EXPECT_EQ(0, try_open(&able, XMAP_RIGHTS_RW, 0, NAME));
	EXPECT_ERRNO(EACCES, try_open(&root, XMAP_RIGHT_READ, 0, NAME));
	EXPECT_ERRNO(EACCES, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
	EXPECT_ERRNO(EACCES, try_open(&self->owner, XMAP_RIGHT_READ, 0, NAME));
	peer_end(&able);
	peer_end(&root);
}

TEST_F(offer, group_of_the_mode)
{
	struct peer member, able, third;

	ASSERT_EQ(0, peer_spawn(&member));
	ASSERT_EQ(0, peer_call(&member, op_become_in_group, UID_A, UID_A, 4712));
	ASSERT_EQ(0, peer_spawn_as(&able, UID_A, UID_A, CAP_BIT(CAP_CHOWN)));
	ASSERT_EQ(0, peer_spawn_as(&third, 4711, 4712, 0));

	ask_publish(self, NAME, 0060);
	self->ask->gid = 4712;
	EXPECT_ERRNO(EPERM, peer_call(&self->owner, op_export_cmd, self->dev, self->ask));
	EXPECT_EQ(XMAP_UNTOUCHED, self->ask->out_fd);
	self->ask->gid = UID_A;
	EXPECT_LE(0, peer_call(&self->owner, op_export_cmd, self->dev, self->ask));
	EXPECT_ERRNO(EACCES, try_open(&third, XMAP_RIGHT_READ, 0, NAME));

	ask_publish(self, OTHER_NAME, 0060);
	self->ask->gid = 4712;
	EXPECT_LE(0, peer_call(&member, op_export_cmd, self->dev, self->ask));
	EXPECT_EQ(0, try_open(&third, XMAP_RIGHTS_RW, 0, OTHER_NAME));
	peer_end(&member);
	EXPECT_LE(0, peer_call(&able, op_export_cmd, self->dev, self->ask));
	EXPECT_EQ(0, try_open(&third, XMAP_RIGHTS_RW, 0, OTHER_NAME));
	peer_end(&able);
	peer_end(&third);
}

/* The mode lets him, but it is not he who is meant. */
TEST_F(offer, published_for_one_user)
{
	__u64 id;
	long fd;

	ask_publish(self, NAME, 0666);
	self->ask->flags |= XMAP_EXPORT_FOR_USER;
	self->ask->receiver_uid = UID_A;
	ASSERT_LE(0, peer_call(&self->owner, op_export_cmd, self->dev, self->ask));
	id = self->ask->out_id;
	EXPECT_ERRNO(EACCES, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
	EXPECT_ERRNO(EACCES, try_open(&self->user, XMAP_RIGHT_READ, id, NULL));
	test_err_export_open(EACCES, self->dev, XMAP_RIGHT_READ, 0, NAME);
	fd = peer_call(&self->owner, op_export_open, self->dev, XMAP_RIGHTS_RW, 0, NAME);
	ASSERT_LE(0, fd);
	EXPECT_LE(0, peer_call(&self->owner, op_accept, fd, XMAP_RIGHT_READ, 0, 0));
	/* Nor does it help to have it opened by another. */
	EXPECT_ERRNO(EACCES, peer_call(&self->user, op_accept,
				       give(peer_take_fd(&self->owner, fd)), XMAP_RIGHT_READ,
				       0, 0));
}

/* ---- Names ---- */

TEST_F(offer, wrong_names)
{
	char longest[XMAP_NAME_SIZE + 1];
	static const char *const wrong[] = { "/", "a/b", " ", "a b", "\t", "\n", "a\x7f", "\x80",
					     "caf\xc3\xa9", "\x01" };
	struct xmap_cmd_export_open open_cmd = { .size = sizeof(open_cmd), .rights = 1 };
	size_t i;
	int fd;

	memset(longest, 'x', sizeof(longest));
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		ask_publish(self, wrong[i], 0666);
		test_err_export_create_cmd(EINVAL, self->dev, self->ask);
		test_err_export_open(EINVAL, self->dev, XMAP_RIGHT_READ, 0, wrong[i]);
	}
	/* NUL to the end, and NUL at the end. */
	ask_publish(self, "ab", 0666);
	self->ask->name[XMAP_NAME_SIZE - 1] = 'c';
	test_err_export_create_cmd(EINVAL, self->dev, self->ask);
	memcpy(open_cmd.name, self->ask->name, XMAP_NAME_SIZE);
	EXPECT_ERRNO(EINVAL, ioctl(self->dev, XMAP_EXPORT_OPEN, &open_cmd));
	ask_publish(self, "", 0666);
	self->ask->name[1] = 'c';
	test_err_export_create_cmd(EINVAL, self->dev, self->ask);
	memcpy(self->ask->name, longest, XMAP_NAME_SIZE);
	test_err_export_create_cmd(EINVAL, self->dev, self->ask);
	test_err_export_open(EINVAL, self->dev, XMAP_RIGHT_READ, 0, longest);

	self->ask->name[XMAP_NAME_SIZE - 1] = '\0';
	longest[XMAP_NAME_SIZE - 1] = '\0';
	ASSERT_LE(0, peer_call(&self->owner, op_export_cmd, self->dev, self->ask));
	test_export_open(self->dev, XMAP_RIGHT_READ, 0, longest, &fd);
	ASSERT_LE(0, publish(self, "!~+-_.:a", 0666));
	EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, 0, "!~+-_.:a"));
	EXPECT_ERRNO(ENOENT, try_open(&self->user, XMAP_RIGHT_READ, 0, "!~+-_.:A"));
	EXPECT_ERRNO(ENOENT, try_open(&self->user, XMAP_RIGHT_READ, 0, "!~+-_.:"));
}

TEST_F(offer, wrong_modes)
{
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		ask_publish(self, "", 1U << bit);
		if (0666 & 1U << bit)
			continue;
		test_err_export_create_cmd(EINVAL, self->dev, self->ask);
	}
	/* All that is about publishing is for what is published. */
	ask_publish(self, "", 0);
	self->ask->flags = 0;
	test_err_export_create_cmd(EINVAL, self->dev, self->ask);
	self->ask->gid = 0;
	self->ask->mode = 0600;
	test_err_export_create_cmd(EINVAL, self->dev, self->ask);
	self->ask->mode = 0;
	self->ask->name[0] = 'a';
	test_err_export_create_cmd(EINVAL, self->dev, self->ask);
	self->ask->name[0] = '\0';
	test_export_create_cmd(self->dev, self->ask);
}

TEST_F(offer, one_name_one_export)
{
	long fd = publish(self, NAME, 0666);
	__u64 id = self->ask->out_id;

	ASSERT_LE(0, fd);
	ask_publish(self, NAME, 0);
	EXPECT_ERRNO(EEXIST, peer_call(&self->owner, op_export_cmd, self->dev, self->ask));
	EXPECT_ERRNO(EEXIST, peer_call(&self->user, op_export_cmd, self->dev, self->ask));
	test_err_export_create_cmd(EEXIST, self->dev, self->ask);
	EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, id, NULL));

	ASSERT_EQ(0, peer_close(&self->owner, fd));
	EXPECT_ERRNO(ENOENT, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
	EXPECT_ERRNO(ENOENT, try_open(&self->user, XMAP_RIGHT_READ, id, NULL));
	ASSERT_LE(0, publish(self, NAME, 0666));
	EXPECT_NE(id, self->ask->out_id);
	EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
	EXPECT_ERRNO(ENOENT, try_open(&self->user, XMAP_RIGHT_READ, id, NULL));
}

/* /dev/xmap, the command, number of the round, how long to wait then. */
static long op_create_at_once(const unsigned long *a)
{
	peer_meet(a[2]);
	peer_spin(a[3]);
	return op_export_cmd(a);
}

/* One of them has it, and of the other's nothing is left. */
TEST_F_TIMEOUT(offer, two_want_one_name, PEER_TIMEOUT)
{
	struct xmap_cmd_export_create *cmd[2] = { self->ask, (void *)(self->seen + 1) };
	struct peer *p[2] = { &self->owner, &self->user };
	unsigned int round, first = 0;
	struct xmap_cmd_export_info info;
	int err[2], i, fd, old, winner;
	__u64 rnd = 1;
	long got[2];

	for (round = 1; round <= 60; round++) {
		/* Every other time both find one that is in nobody's way. */
		old = -1;
		if (round % 2) {
			ask_publish(self, NAME, 0666);
			self->ask->expires = 1;
			test_export_create_cmd(self->dev, self->ask);
			old = self->ask->out_fd;
		}
		ask_publish(self, NAME, 0666);
		*cmd[1] = *cmd[0];
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, peer_start(p[i], op_create_at_once, self->dev, cmd[i], round,
						test_random(&rnd) % 64));
		for (i = 0; i < 2; i++) {
			got[i] = peer_finish(p[i]);
			err[i] = got[i] < 0 ? errno : 0;
		}
		winner = got[0] < 0;
		first += !winner;
		ASSERT_EQ(0, err[winner]) {
			TH_LOG("round %u: neither, for %d and %d", round, err[0], err[1]);
		}
		ASSERT_EQ(EEXIST, err[!winner]);
		EXPECT_EQ(XMAP_UNTOUCHED, cmd[!winner]->out_fd);
		EXPECT_EQ((__u64)XMAP_UNTOUCHED, cmd[!winner]->out_id);
		EXPECT_EQ(0, xmap_serial(self->dev, XMAP_LIST_EXPORT, p[!winner]->pid));
		if (old >= 0)
			ASSERT_EQ(0, close(old));
		test_export_open(self->dev, XMAP_RIGHT_READ, 0, NAME, &fd);
		test_export_info(fd, &info);
		EXPECT_EQ(cmd[winner]->out_id, info.out_id);
		EXPECT_EQ(p[winner]->pid, info.out_pid);
		close(fd);

		/* The other one can have it afterwards. */
		EXPECT_ERRNO(EEXIST, peer_call(p[!winner], op_export_cmd, self->dev, cmd[!winner]));
		ASSERT_EQ(0, peer_close(p[winner], got[winner]));
		test_err_export_open(ENOENT, self->dev, XMAP_RIGHT_READ, 0, NAME);
		test_err_export_open(ENOENT, self->dev, XMAP_RIGHT_READ, info.out_id, NULL);
		got[!winner] = peer_call(p[!winner], op_export_cmd, self->dev, cmd[!winner]);
		ASSERT_LE(0, got[!winner]);
		ASSERT_EQ(0, peer_close(p[!winner], got[!winner]));
	}
	TH_LOG("the owner was first %u times of %u", first, round - 1);
}

/* The offer is its maker's: with his last descriptor it ends, whoever has opened it. */
TEST_F(offer, closed_by_its_maker)
{
	long theirs = publish(self, NAME, 0666), opened, first, second;
	int duplicate = peer_take_fd(&self->owner, theirs), mine;
	__u64 id = self->ask->out_id;
	struct xmap_cmd_export_info info;

	ASSERT_LE(0, duplicate);
	opened = peer_call(&self->user, op_export_open, self->dev, XMAP_RIGHTS_RW, 0, NAME);
	mine = peer_take_fd(&self->user, opened);
	ASSERT_LE(0, mine);
	first = peer_call(&self->user, op_accept, opened, XMAP_RIGHTS_RW, 0, 0);
	ASSERT_LE(0, first);
	ASSERT_EQ(0, peer_close(&self->owner, theirs));
	EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
	second = peer_call(&self->user, op_accept, opened, XMAP_RIGHT_READ, 0, 0);
	ASSERT_LE(0, second);
	EXPECT_EQ(POLLIN, xmap_poll_now(mine));
	test_export_info(mine, &info);
	EXPECT_EQ(XMAP_TARGET_ALIVE, info.out_state);

	ASSERT_EQ(0, peer_start(&self->user, op_poll_for, opened, 0));
	ASSERT_EQ(0, close(duplicate));
	EXPECT_EQ(POLLHUP, peer_finish(&self->user));
	EXPECT_EQ(POLLIN | POLLHUP, xmap_poll_now(mine));
	EXPECT_ERRNO(ESTALE, peer_call(&self->user, op_accept, opened, XMAP_RIGHT_READ, 0, 0));
	test_err_export_accept(ESTALE, mine, XMAP_RIGHT_READ, 0, 0);
	test_export_info(mine, &info);
	EXPECT_EQ(XMAP_TARGET_REVOKED, info.out_state);
	EXPECT_STREQ("revoked", xmap_fdinfo(mine, "xmap-state"));
	EXPECT_EQ(id, info.out_id);
	EXPECT_EQ(2, info.out_accepts);
	EXPECT_EQ(2, info.out_targets);
	EXPECT_EQ(self->owner.pid, info.out_pid);
	EXPECT_ERRNO(ENOENT, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
	EXPECT_ERRNO(ENOENT, try_open(&self->user, XMAP_RIGHT_READ, id, NULL));
	EXPECT_EQ(0, peer_call(&self->owner, op_list_last, self->dev, XMAP_LIST_EXPORT, 0,
			       self->seen));
	/* What was accepted lives on, and so can be taken back. */
	EXPECT_EQ(peer_word(SEED, 0), (__u64)peer_call(&self->user, op_read, second, self->mem));
	ASSERT_EQ(1, peer_call(&self->owner, op_list_last, self->dev, XMAP_LIST_TARGET,
			       self->user.pid, self->seen));
	EXPECT_EQ(0, peer_call(&self->owner, op_revoke, self->dev, self->seen->serial, 0, 0));
	EXPECT_ERRNO(ESTALE, peer_call(&self->user, op_read, second, self->mem));
	EXPECT_EQ(peer_word(SEED, 0), (__u64)peer_call(&self->user, op_read, first, self->mem));

	/* Nothing of it is in the way of a new one. */
	ASSERT_LE(0, publish(self, NAME, 0666));
	ASSERT_EQ(0, peer_close(&self->user, opened));
	close(mine);
	EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
}

/* /dev/xmap, name: open it again and again while it comes and goes. */
static long op_open_in_a_loop(const unsigned long *a)
{
	int fd, target;

	while (!peer_stopped()) {
		if (!_test_export_open(a[0], XMAP_RIGHT_READ, 0, (const char *)a[1], &fd)) {
			count_up(0);
			if (!_test_export_accept(fd, XMAP_RIGHT_READ, 0, 0, &target))
				close(target);
			else if (errno != ESTALE)
				return -1;
			close(fd);
		} else if (errno != ENOENT && errno != ESTALE) {
			return -1;
		}
	}
	return 0;
}

/* Whoever opens it just when it ends has nothing that ends once more. */
TEST_F_TIMEOUT(offer, opened_while_it_ends, PEER_TIMEOUT)
{
	struct xmap_cmd_query before, after;
	__u64 opened;
	int i;

	test_query(self->dev, &before);
	ASSERT_EQ(0, peer_start(&self->user, op_open_in_a_loop, self->dev, NAME));
	for (i = 0; i < 200; i++) {
		opened = count_of(0);
		ask_publish(self, NAME, 0666);
		ASSERT_EQ(0, _test_export_create_cmd(self->dev, self->ask));
		while (count_of(0) == opened)
			sched_yield();
		ASSERT_EQ(0, close(self->ask->out_fd));
	}
	peer_set(&peer_ctl->stop, 1);
	EXPECT_EQ(0, peer_finish(&self->user));
	test_query(self->dev, &after);
	EXPECT_EQ(before.out_exports, after.out_exports);
}

/* To have opened it is no reason for the name to be kept, nor to be charged. */
TEST_F(offer, closed_without_having_accepted)
{
	long theirs = publish(self, NAME, 0666), opened;

	ASSERT_LE(0, theirs);
	opened = peer_call(&self->user, op_export_open, self->dev, XMAP_RIGHT_READ, 0, NAME);
	ASSERT_LE(0, opened);
	ASSERT_EQ(0, peer_close(&self->user, opened));
	EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
	ASSERT_EQ(1, peer_call(&self->owner, op_list_last, self->dev, XMAP_LIST_EXPORT, 0,
			       self->seen));
	EXPECT_EQ(0, self->seen->count);
}

/* Nobody can keep a name by keeping the descriptor of somebody who is no more. */
TEST_F_TIMEOUT(offer, name_of_one_who_has_ended, PEER_TIMEOUT)
{
	struct xmap_cmd_export_info info;
	int exec, fd, kept;
	__u64 old, id;
	struct peer p;

	for (exec = 0; exec <= 1; exec++) {
		kept = peer_take_fd(&self->owner, publish(self, NAME, 0666));
		ASSERT_LE(0, kept);
		old = self->ask->out_id;
		if (exec) {
			ASSERT_EQ(0, peer_start(&self->owner, peer_op_exec, 0));
			ASSERT_EQ(0, peer_await_gone(&self->owner));
		} else {
			peer_end(&self->owner);
		}
		EXPECT_ERRNO(ESRCH, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
		EXPECT_ERRNO(ESRCH, try_open(&self->user, XMAP_RIGHT_READ, old, NULL));

		ASSERT_EQ(0, peer_spawn_as(&p, UID_A, UID_A, 0));
		ASSERT_EQ(0, peer_close(&p, kept));
		ask_publish(self, NAME, 0666);
		ASSERT_LE(0, peer_call(&p, op_export_cmd, self->dev, self->ask));
		id = self->ask->out_id;
		EXPECT_NE(old, id);
		test_export_open(self->dev, XMAP_RIGHT_READ, 0, NAME, &fd);
		test_export_info(fd, &info);
		EXPECT_EQ(id, info.out_id);
		EXPECT_EQ(p.pid, info.out_pid);
		close(fd);
		EXPECT_ERRNO(ENOENT, try_open(&self->user, XMAP_RIGHT_READ, old, NULL));
		/* The end of the old one does not take the new one's name. */
		ASSERT_EQ(0, close(kept));
		EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
		EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, id, NULL));
		EXPECT_ERRNO(ENOENT, try_open(&self->user, XMAP_RIGHT_READ, old, NULL));
		peer_end(&self->owner);
		self->owner = p;
		self->mem = peer_map(&self->owner, PEER_ANON, RW, LEN, SEED);
		ASSERT_NE(PEER_MAP_FAILED, self->mem);
		/* Its own name has gone with it when the next round begins. */
		ASSERT_EQ(0, peer_close(&self->owner, self->ask->out_fd));
	}
}

TEST_F(offer, revoked_export)
{
	long fd = publish(self, NAME, 0644);
	__u64 id = self->ask->out_id;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, peer_call(&self->owner, op_revoke, fd, 0, self->mem, PAGE));
	EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
	ask_publish(self, NAME, 0644);
	EXPECT_ERRNO(EEXIST, peer_call(&self->owner, op_export_cmd, self->dev, self->ask));
	ASSERT_EQ(0, peer_call(&self->owner, op_revoke, fd, 0, 0, 0));
	EXPECT_ERRNO(ESTALE, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
	EXPECT_ERRNO(ESTALE, try_open(&self->user, XMAP_RIGHT_READ, id, NULL));
	/* Who may not open it learns nothing. */
	EXPECT_ERRNO(EACCES, try_open(&self->user, XMAP_RIGHT_WRITE, 0, NAME));
	/* Nobody has anything of it any more: its name is free. */
	EXPECT_LE(0, peer_call(&self->owner, op_export_cmd, self->dev, self->ask));
	EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
	EXPECT_ERRNO(ENOENT, try_open(&self->user, XMAP_RIGHT_READ, id, NULL));
	ASSERT_EQ(0, peer_close(&self->owner, fd));
	EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
}

TEST_F(offer, expired_export)
{
	long fd;

	ask_publish(self, NAME, 0644);
	self->ask->expires = 1;
	fd = peer_call(&self->owner, op_export_cmd, self->dev, self->ask);
	ASSERT_LE(0, fd);
	EXPECT_ERRNO(ESTALE, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
	EXPECT_ERRNO(ESTALE, try_open(&self->user, XMAP_RIGHT_READ, self->ask->out_id, NULL));
	EXPECT_ERRNO(EACCES, try_open(&self->user, XMAP_RIGHT_WRITE, 0, NAME));
	/* Its name is free, and it does not take it with it when it is closed. */
	ASSERT_LE(0, publish(self, NAME, 0644));
	EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
	ASSERT_EQ(0, peer_close(&self->owner, fd));
	EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
}

/* ---- Namespaces ---- */

TEST_F_TIMEOUT(offer, user_namespaces, PEER_TIMEOUT)
{
	long outer = publish(self, NAME, 0666), inner, fd;
	__u64 outer_id = self->ask->out_id, inner_id;
	struct xmap_cmd_export_info info;
	struct peer joined;
	int mine;

	ASSERT_LE(0, outer);
	ASSERT_EQ(0, peer_spawn(&joined));
	ASSERT_EQ(0, peer_call(&self->user, op_userns, 0));
	ASSERT_EQ(0, peer_call(&joined, op_join_userns, self->user.pid));

	/* By its name it is not there, by its id it is for others as for any. */
	EXPECT_ERRNO(ENOENT, try_open(&self->user, XMAP_RIGHT_READ, 0, NAME));
	EXPECT_EQ(0, try_open(&self->user, XMAP_RIGHT_READ, outer_id, NULL));

	/* The name is free, and everybody finds the one of his own namespace. */
	ask_publish(self, NAME, 0);
	inner = peer_call(&self->user, op_export_cmd, self->dev, self->ask);
	ASSERT_LE(0, inner);
	inner_id = self->ask->out_id;
	fd = peer_call(&joined, op_export_open, self->dev, XMAP_RIGHTS_RW, 0, NAME);
	mine = peer_take_fd(&joined, fd);
	ASSERT_LE(0, mine);
	test_export_info(mine, &info);
	EXPECT_EQ(inner_id, info.out_id);
	close(mine);
	ASSERT_EQ(0, peer_close(&joined, fd));
	test_export_open(self->dev, XMAP_RIGHTS_RW, 0, NAME, &mine);
	test_export_info(mine, &info);
	EXPECT_EQ(outer_id, info.out_id);
	close(mine);
	ask_publish(self, NAME, 0);
	EXPECT_ERRNO(EEXIST, peer_call(&joined, op_export_cmd, self->dev, self->ask));

	/* The capability counts in the namespace of who made it, and in those around. */
	EXPECT_EQ(0, try_open(&(struct peer){ .sock = -1 }, XMAP_RIGHTS_RW, inner_id, NULL));
	EXPECT_ERRNO(EACCES, try_open(&self->owner, XMAP_RIGHT_READ, inner_id, NULL));
	ASSERT_EQ(0, peer_close(&self->owner, outer));
	EXPECT_ERRNO(ENOENT, try_open(&self->owner, XMAP_RIGHT_READ, 0, NAME));
	test_err_export_open(ENOENT, self->dev, XMAP_RIGHT_READ, 0, NAME);
	ASSERT_LE(0, publish(self, NAME, 0));
	EXPECT_ERRNO(EACCES, try_open(&self->user, XMAP_RIGHT_READ, self->ask->out_id, NULL));
	EXPECT_ERRNO(EACCES, try_open(&joined, XMAP_RIGHT_READ, self->ask->out_id, NULL));
	EXPECT_EQ(0, try_open(&joined, XMAP_RIGHT_READ, 0, NAME));

	/* Ids are those of one's namespace. */
	ask_publish(self, OTHER_NAME, 0);
	self->ask->gid = 4711;
	EXPECT_ERRNO(EINVAL, peer_call(&self->user, op_export_cmd, self->dev, self->ask));
	self->ask->gid = 0;
	self->ask->flags |= XMAP_EXPORT_FOR_USER;
	self->ask->receiver_uid = 4711;
	EXPECT_ERRNO(EINVAL, peer_call(&self->user, op_export_cmd, self->dev, self->ask));
	self->ask->receiver_uid = 0;
	EXPECT_LE(0, peer_call(&self->user, op_export_cmd, self->dev, self->ask));
	peer_end(&joined);
}

TEST_HARNESS_MAIN
