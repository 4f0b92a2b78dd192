// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may revoke what: who made it or what it was made from; of what comes from an
 * export, whose memory it is, and who administers his user namespace; of what was
 * opened, who administers the holder's.  On a descriptor as well as by a number of
 * XMAP_LIST, where what one cannot see does not exist.
 */
#include "xmap_offer.h"

#define UID_C 4711
#define OWNER_OPTION "--xmap-owner"

/* What can be revoked. */
enum thing {
	/* The owner's export. */
	EXPORTED,
	/* Accepted by the user. */
	ACCEPTED,
	/* Derived from that by the user, who gave it to the helper. */
	DERIVED,
	/* Derived from that by the helper. */
	NARROWED,
	/* Opened by the test, on the owner, by privilege. */
	OPENED,
	/* Derived from that by the helper. */
	OPENED_NARROWED,
	THINGS,
};

static const char *const thing_name[THINGS] = {
	"export", "accepted", "derived", "narrowed", "opened", "opened and narrowed",
};

struct things {
	/* In the test, and the numbers. */
	int fd[THINGS];
	__u64 serial[THINGS];
	/* What the makers have. */
	long users;
	long helpers;
	long owners;
};

static int keep(OFFER *self, struct things *t, enum thing which, struct peer *p, long theirs)
{
	__u32 kind = which == EXPORTED ? XMAP_LIST_EXPORT : XMAP_LIST_TARGET;

	t->fd[which] = p->sock < 0 ? (int)theirs : peer_take_fd(p, theirs);
	t->serial[which] = xmap_serial(self->dev, kind, p->pid);
	return t->fd[which] < 0 || !t->serial[which] ? -1 : 0;
}

static int things_new(OFFER *self, struct things *t, struct peer *helper)
{
	struct peer me = { .sock = -1, .pid = getpid() };
	long fd;

	t->owners = peer_call(&self->owner, op_export, self->dev, XMAP_RIGHTS_RW, self->mem, LEN);
	if (keep(self, t, EXPORTED, &self->owner, t->owners))
		return -1;
	fd = give(t->fd[EXPORTED]);
	fd = peer_call(&self->user, op_accept, fd, XMAP_RIGHTS_RW, 0, 0);
	if (keep(self, t, ACCEPTED, &self->user, fd))
		return -1;
	t->users = fd;
	fd = peer_call(&self->user, op_derive, fd, XMAP_RIGHTS_RW, 0, 0);
	if (keep(self, t, DERIVED, &self->user, fd))
		return -1;
	fd = peer_give_fd(helper, self->sv, t->fd[DERIVED]);
	t->helpers = peer_call(helper, op_derive, fd, XMAP_RIGHT_READ, 0, 0);
	if (keep(self, t, NARROWED, helper, t->helpers))
		return -1;
	fd = op_target((unsigned long[]){ self->dev, self->owner.pid, XMAP_RIGHTS_RW });
	if (keep(self, t, OPENED, &me, fd))
		return -1;
	fd = peer_give_fd(helper, self->sv, fd);
	fd = peer_call(helper, op_derive, fd, XMAP_RIGHT_READ, self->mem, LEN);
	return keep(self, t, OPENED_NARROWED, helper, fd);
}

/* Bits of what he may revoke, and of what he sees; it is one byte that nobody looks at. */
static void expect_may(struct __test_metadata *_metadata, OFFER *self, const struct things *t,
		       struct peer *p, unsigned int may, unsigned int sees, const char *who)
{
	int thing, allowed, expected;
	long theirs;

	for (thing = 0; thing < THINGS; thing++) {
		allowed = may & 1U << thing ? 0 : EPERM;
		expected = sees & 1U << thing ? allowed : ENOENT;
		EXPECT_EQ(expected, XMAP_ERRNO(peer_call(p, op_revoke, self->dev, t->serial[thing],
							 self->mem + LEN - 1, 1))) {
			TH_LOG("%s, %s by its number", who, thing_name[thing]);
		}
		theirs = p->sock < 0 ? t->fd[thing] : peer_give_fd(p, self->sv, t->fd[thing]);
		ASSERT_LE(0, theirs);
		EXPECT_EQ(allowed, XMAP_ERRNO(peer_call(p, op_revoke, theirs, 0,
							self->mem + LEN - 1, 1))) {
			TH_LOG("%s, %s", who, thing_name[thing]);
		}
	}
}

#define BIT(thing) (1U << (thing))
#define ALL (BIT(THINGS) - 1)
#define CONSENTED (BIT(EXPORTED) | BIT(ACCEPTED) | BIT(DERIVED) | BIT(NARROWED))
/* What is charged to each user. */
#define OF_A BIT(EXPORTED)
#define OF_B (BIT(ACCEPTED) | BIT(DERIVED))
#define OF_C (BIT(NARROWED) | BIT(OPENED_NARROWED))

#define expect_peer_may(p, may, sees, who)					\
	expect_may(_metadata, self, &t, p, may, sees, who)

TEST_F(offer, matrix)
{
	struct peer helper, p;
	struct things t;

	ASSERT_EQ(0, peer_spawn_as(&helper, UID_C, UID_C, 0));
	ASSERT_EQ(0, things_new(self, &t, &helper));
	/* All is about the owner's memory, but what was opened he did not make. */
	expect_peer_may(&self->owner, CONSENTED, ALL, "owner");
	expect_peer_may(&self->user, OF_B | BIT(NARROWED), OF_B | BIT(NARROWED), "who accepted");
	expect_peer_may(&helper, OF_C, OF_C, "who narrowed");
	expect_peer_may(&((struct peer){ .sock = -1 }), ALL, ALL, "root, who opened");

	/* To be the same user is nothing. */
	ASSERT_EQ(0, peer_spawn_as(&p, UID_A, UID_A, 0));
	expect_peer_may(&p, 0, OF_A, "the owner's user");
	peer_end(&p);
	ASSERT_EQ(0, peer_spawn_as(&p, UID_B, UID_B, 0));
	expect_peer_may(&p, 0, OF_B, "the user of who accepted");
	peer_end(&p);
	ASSERT_EQ(0, peer_spawn_as(&p, 0, 0, caps_all() & ~CAP_BIT(CAP_SYS_ADMIN)));
	expect_peer_may(&p, 0, ALL, "root without CAP_SYS_ADMIN");
	peer_end(&p);
	ASSERT_EQ(0, peer_spawn_as(&p, UID_C, UID_C, CAP_BIT(CAP_SYS_ADMIN)));
	expect_peer_may(&p, ALL, OF_C, "CAP_SYS_ADMIN");
	/* The capability counts in the namespace of the memory, not in one's own. */
	ASSERT_EQ(0, peer_call(&p, op_userns, 0));
	expect_peer_may(&p, 0, OF_C, "root of a child user namespace");
	peer_end(&p);
	ASSERT_EQ(0, peer_spawn_as(&p, UID_A, UID_A, 0));
	ASSERT_EQ(0, peer_call(&p, op_userns, 0));
	expect_peer_may(&p, 0, OF_A, "the owner's user in a user namespace of his own");
	peer_end(&p);
	peer_end(&helper);
}

/* A descriptor that was opened by a name is the same object. */
TEST_F(offer, opened_export)
{
	long theirs, fd;

	*self->ask = (struct xmap_cmd_export_create){
		.flags = XMAP_EXPORT_PUBLISH, .rights = XMAP_RIGHTS_RW, .mode = 0666, .gid = -1,
	};
	theirs = peer_call(&self->owner, op_export_cmd, self->dev, self->ask);
	ASSERT_LE(0, theirs);
	fd = peer_call(&self->user, op_export_open, self->dev, 1, self->ask->out_id, NULL);
	ASSERT_LE(0, fd);
	EXPECT_ERRNO(EPERM, peer_call(&self->user, op_revoke, fd, 0, 0, 0));
	fd = peer_call(&self->owner, op_export_open, self->dev, 1, self->ask->out_id, NULL);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, peer_call(&self->owner, op_revoke, fd, 0, 0, 0));
	EXPECT_ERRNO(ESTALE, peer_call(&self->owner, op_accept, theirs, 1, 0, 0));
}

/* Descriptor: what a child says, and what another thread says. */
static long op_child_revokes(const unsigned long *a)
{
	int status;
	pid_t child = fork();

	if (!child)
		_exit(XMAP_ERRNO(_test_revoke(a[0], a[1], 1)));
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void *revoke_thread(void *arg)
{
	const unsigned long *a = arg;

	return (void *)(long)XMAP_ERRNO(_test_revoke(a[0], a[1], 1));
}

static long op_thread_revokes(const unsigned long *a)
{
	pthread_t thread;
	void *err;

	if (pthread_create(&thread, NULL, revoke_thread, (void *)a) ||
	    pthread_join(thread, &err))
		return -1;
	return (long)err;
}

TEST_F(offer, threads_and_children)
{
	struct peer helper;
	struct things t;

	ASSERT_EQ(0, peer_spawn_as(&helper, UID_C, UID_C, 0));
	ASSERT_EQ(0, things_new(self, &t, &helper));
	EXPECT_EQ(0, peer_call(&self->owner, op_thread_revokes, t.owners, self->mem));
	EXPECT_EQ(0, peer_call(&self->user, op_thread_revokes, t.users, self->mem));
	EXPECT_EQ(EPERM, peer_call(&self->owner, op_child_revokes, t.owners, self->mem));
	EXPECT_EQ(EPERM, peer_call(&self->user, op_child_revokes, t.users, self->mem));
	peer_end(&helper);
}

/* Privileges are dropped, and the right to take back with them; who made it keeps it. */
TEST_F(offer, dropped_privileges)
{
	struct peer helper, p;
	struct things t;
	long fd;

	ASSERT_EQ(0, peer_spawn(&p));
	ASSERT_EQ(0, peer_spawn_as(&helper, UID_C, UID_C, 0));
	ASSERT_EQ(0, things_new(self, &t, &helper));
	fd = peer_call(&p, op_target, self->dev, self->owner.pid, XMAP_RIGHTS_RW);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, peer_call(&p, op_revoke, self->dev, t.serial[EXPORTED],
			       self->mem + LEN - 1, 1));
	ASSERT_EQ(0, peer_become(&p, UID_C));
	EXPECT_ERRNO(ENOENT, peer_call(&p, op_revoke, self->dev, t.serial[EXPORTED],
				       self->mem + LEN - 1, 1));
	EXPECT_ERRNO(EPERM, peer_call(&p, op_revoke, self->dev, t.serial[NARROWED],
				      self->mem + LEN - 1, 1));
	EXPECT_EQ(0, peer_call(&p, op_revoke, fd, 0, 0, 0));
	EXPECT_ERRNO(ESTALE, peer_call(&p, op_read, fd, self->mem));
	peer_end(&p);
	peer_end(&helper);
}

/* ---- By number ---- */

TEST_F(offer, numbers)
{
	struct peer helper;
	struct things t, later;
	__u64 window;
	char *win;
	int i;

	ASSERT_EQ(0, peer_spawn_as(&helper, UID_C, UID_C, 0));
	ASSERT_EQ(0, things_new(self, &t, &helper));
	test_err_revoke_serial(EINVAL, self->dev, 0, 0, 0);
	test_err_revoke_serial(ENOENT, self->dev, ~0ULL, 0, 0);
	EXPECT_ERRNO(ENOENT, peer_call(&self->user, op_revoke, self->dev, ~0UL, 0, 0));
	/* A window is its target's affair. */
	test_window_map(t.fd[ACCEPTED], self->mem, LEN, RW, &win);
	window = xmap_serial(self->dev, XMAP_LIST_WINDOW, getpid());
	ASSERT_NE(0, window);
	test_err_revoke_serial(ENOENT, self->dev, window, 0, 0);
	EXPECT_EQ(0, peer_check_here(win, LEN, SEED));

	/* Numbers only go up, and are not used again. */
	for (i = 1; i < THINGS; i++)
		EXPECT_LT(t.serial[i - 1], t.serial[i]);
	EXPECT_LT(t.serial[OPENED_NARROWED], window);
	close(t.fd[OPENED]);
	test_revoke_serial(self->dev, t.serial[OPENED_NARROWED], self->mem, PAGE);
	test_err_revoke_serial(ENOENT, self->dev, t.serial[OPENED] + 1000000, 0, 0);
	ASSERT_EQ(0, things_new(self, &later, &helper));
	EXPECT_LT(window, later.serial[0]);
	peer_end(&helper);
	close(t.fd[NARROWED]);
	close(t.fd[OPENED_NARROWED]);
	test_err_revoke_serial(ENOENT, self->dev, t.serial[NARROWED], 0, 0);
	test_err_revoke_serial(ENOENT, self->dev, t.serial[OPENED_NARROWED], 0, 0);

	/* It is what the number says, and no other. */
	test_revoke_serial(self->dev, t.serial[ACCEPTED], 0, 0);
	EXPECT_SIGNAL(SIGBUS, win);
	EXPECT_EQ(XMAP_TARGET_REVOKED, op_state((unsigned long[]){ t.fd[ACCEPTED] }));
	EXPECT_EQ(XMAP_TARGET_REVOKED, op_state((unsigned long[]){ t.fd[DERIVED] }));
	EXPECT_EQ(XMAP_TARGET_ALIVE, op_state((unsigned long[]){ later.fd[ACCEPTED] }));
	EXPECT_EQ(XMAP_TARGET_ALIVE, op_state((unsigned long[]){ later.fd[DERIVED] }));
	test_revoke_serial(self->dev, later.serial[EXPORTED], 0, 0);
	EXPECT_EQ(XMAP_TARGET_REVOKED, op_state((unsigned long[]){ later.fd[NARROWED] }));
	EXPECT_EQ(XMAP_TARGET_ALIVE, op_state((unsigned long[]){ later.fd[OPENED] }));
}

/* ---- An owner in a user namespace ---- */

/* This program, executed in a user namespace: it offers all, and waits for its end. */
static __attribute__((constructor)) void owner_start(int argc, char **argv)
{
	int sock, dev, fd;
	char byte;

	if (argc != 3 || strcmp(argv[1], OWNER_OPTION))
		return;
	sock = atoi(argv[2]);
	dev = _test_dev_open();
	if (_test_export_create(dev, XMAP_RIGHTS_RW, 0, 0, &fd) || xmap_send_fd(sock, fd))
		_exit(1);
	while (recv(sock, &byte, 1, 0) > 0)
		continue;
	_exit(0);
}

static long op_exec_owner(const unsigned long *a)
{
	char sock[16];

	(void)a;
	snprintf(sock, sizeof(sock), "%d", peer_sock);
	fcntl(peer_sock, F_SETFD, 0);
	execl("/proc/self/exe", "xmap_revoke_who_test", OWNER_OPTION, sock, NULL);
	return -1;
}

static void expect_revoking(struct __test_metadata *_metadata, OFFER *self, struct peer *p, int fd,
			    int expected, const char *who)
{
	long theirs = peer_give_fd(p, self->sv, fd);

	ASSERT_LE(0, theirs);
	EXPECT_EQ(expected, XMAP_ERRNO(peer_call(p, op_revoke, theirs, 0,
						 self->mem + LEN - 1, 1))) {
		TH_LOG("%s", who);
	}
}

#define expect_peer_revoking(p, fd, err, who)					\
	expect_revoking(_metadata, self, p, fd, err, who)

TEST_F(offer, administrator_of_the_namespace)
{
	struct peer child, root, creator, other, stranger;
	__u64 outside;
	int fd;

	ASSERT_EQ(0, peer_spawn_as(&child, UID_A, UID_A, 0));
	ASSERT_EQ(0, peer_spawn(&root));
	ASSERT_EQ(0, peer_spawn_as(&creator, UID_A, UID_A, 0));
	ASSERT_EQ(0, peer_spawn_as(&other, UID_B, UID_B, 0));
	ASSERT_EQ(0, peer_spawn_as(&stranger, UID_A, UID_A, 0));
	ASSERT_EQ(0, peer_call(&child, op_userns, 0));
	ASSERT_EQ(0, peer_call(&root, op_join_userns, child.pid));
	ASSERT_EQ(0, peer_call(&stranger, op_userns, 0));
	ASSERT_EQ(0, peer_start(&child, op_exec_owner, 0));
	fd = xmap_recv_fd(child.sock);
	ASSERT_LE(0, fd);

	expect_peer_revoking(&root, fd, 0, "capable in the owner's namespace");
	expect_peer_revoking(&creator, fd, 0, "creator of the namespace, outside of it");
	expect_peer_revoking(&other, fd, EPERM, "another user");
	expect_peer_revoking(&stranger, fd, EPERM, "capable in another namespace of that user");
	test_revoke(fd, self->mem + LEN - 1, 1);
	/* He is no administrator outside, and sees nothing there. */
	ASSERT_LE(0, peer_call(&self->owner, op_export, self->dev, XMAP_RIGHT_READ, 0, 0));
	outside = xmap_serial(self->dev, XMAP_LIST_EXPORT, self->owner.pid);
	ASSERT_NE(0, outside);
	EXPECT_ERRNO(ENOENT, peer_call(&root, op_revoke, self->dev, outside, 0, 0));
	ASSERT_EQ(0, peer_call(&root, op_revoke, self->dev,
			       xmap_serial(self->dev, XMAP_LIST_EXPORT, child.pid), 0, 0));
	test_err_export_accept(ESTALE, fd, XMAP_RIGHT_READ, 0, 0);
	peer_end(&child);
	peer_end(&root);
	peer_end(&creator);
	peer_end(&other);
	peer_end(&stranger);
}

TEST_HARNESS_MAIN
