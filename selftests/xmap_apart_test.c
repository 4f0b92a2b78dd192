// SPDX-License-Identifier: GPL-2.0-only
/*
 * Consent between processes that are set apart: by user namespaces, by pid namespaces, by
 * Landlock.  All of these are about what one process can do to another.  What a process
 * gives of its own accord they do not stop; and to have it opens nothing else.
 */
#include "xmap_offer.h"

#define UID_C 4711

/* Target: the number of its mappings. */
static long op_maps(const unsigned long *a)
{
	static char buf[2 * PAGE] __attribute__((aligned(8)));
	struct xmap_cmd_target_maps maps;

	return _test_target_maps(a[0], 0, buf, sizeof(buf), &maps) ? -1 : (long)maps.out_count;
}

/* The memory of @owner is @p's to use by his target @fd, in every way there is. */
static void expect_use(struct __test_metadata *_metadata, OFFER *self, struct peer *owner,
		       struct peer *p, long fd, const char *who)
{
	unsigned long mem = self->mem;
	long win, more;

	ASSERT_LE(0, fd) {
		TH_LOG("%s", who);
	}
	EXPECT_EQ(XMAP_TARGET_ALIVE, peer_call(p, op_state, fd));
	EXPECT_EQ(peer_word(SEED, 8), (__u64)peer_call(p, op_read, fd, mem + 8)) {
		TH_LOG("%s", who);
	}
	EXPECT_EQ(0, peer_call(p, op_write, fd, mem, 76));
	EXPECT_EQ(76, peer_load(owner, mem));
	win = peer_call(p, op_window, fd, mem, LEN, RW);
	ASSERT_NE(-1, win);
	EXPECT_EQ(76, peer_load(p, win));
	EXPECT_EQ(0, peer_store(p, win + PAGE, 77));
	EXPECT_EQ(77, peer_load(owner, mem + PAGE));
	more = peer_call(p, op_derive, fd, XMAP_RIGHT_READ, mem, PAGE);
	ASSERT_LE(0, more);
	EXPECT_EQ(76, peer_call(p, op_read, more, mem));
	EXPECT_EQ(1, peer_call(p, op_maps, more)) {
		TH_LOG("%s", who);
	}
	ASSERT_EQ(0, peer_close(p, more));
	ASSERT_EQ(0, peer_munmap(p, win, LEN));
}

/* What @owner offers, @p accepts, uses, and loses when it is taken back. */
static void expect_consent(struct __test_metadata *_metadata, OFFER *self, struct peer *owner,
			   struct peer *p, const char *who)
{
	long theirs = peer_call(owner, op_export, self->dev, XMAP_RIGHTS_RW, self->mem, LEN), got;
	int fd = peer_take_fd(owner, theirs);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, peer_fill(owner, self->mem, LEN, SEED));
	got = peer_call(p, op_accept, peer_give_fd(p, self->sv, fd), XMAP_RIGHTS_RW, 0, 0);
	expect_use(_metadata, self, owner, p, got, who);
	/* No more than what is offered. */
	EXPECT_ERRNO(EACCES, peer_call(p, op_read, got, self->mem + LEN));
	EXPECT_ERRNO(EACCES, peer_call(p, op_derive, got, XMAP_RIGHT_READ, self->mem, LEN + 1));
	ASSERT_EQ(0, peer_call(owner, op_revoke, theirs, 0, 0, 0));
	EXPECT_ERRNO(ESTALE, peer_call(p, op_read, got, self->mem)) {
		TH_LOG("%s", who);
	}
	close(fd);
	ASSERT_EQ(0, peer_close(owner, theirs));
}

#define expect_peers_consent(owner, p, who) expect_consent(_metadata, self, owner, p, who)

/* ---- User namespaces ---- */

TEST_F(offer, user_namespaces)
{
	struct peer outside;

	expect_peers_consent(&self->owner, &self->user, "both outside");
	ASSERT_EQ(0, peer_call(&self->user, op_userns, 0));
	expect_peers_consent(&self->owner, &self->user, "from outside to inside");
	ASSERT_EQ(0, peer_call(&self->owner, op_userns, 0));
	expect_peers_consent(&self->owner, &self->user, "from one to another");
	ASSERT_EQ(0, peer_spawn_as(&outside, UID_B, UID_B, 0));
	expect_peers_consent(&self->owner, &outside, "from inside to outside");
	EXPECT_ERRNO(EACCES, peer_call(&outside, op_target, self->dev, self->owner.pid,
				       XMAP_RIGHT_READ));
	EXPECT_ERRNO(EACCES, peer_call(&self->user, op_target, self->dev, self->owner.pid,
				       XMAP_RIGHT_READ));
	peer_end(&outside);
}

/* A user namespace for @p, with this map of its numbers to those outside. */
static int peer_userns(struct peer *p, const char *map)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", p->pid);
	return peer_syscall(p, SYS_unshare, CLONE_NEWUSER) || xmap_write_file(path, map) ? -1 : 0;
}

/* Process whose user namespace it is, number of a user there. */
static long op_become_inside(const unsigned long *a)
{
	if (op_join_userns(a) || setresuid(a[1], a[1], a[1]))
		return -1;
	return prctl(PR_SET_DUMPABLE, 1);
}

enum where { OUTSIDE, INSIDE, ELSEWHERE };

/* User ids outside, and the number that he has where he is. */
static const struct {
	const char *who;
	uid_t uid;
	uid_t number;
	enum where where;
} acceptors[] = {
	{ "root", 0, 0, OUTSIDE },
	{ "A", UID_A, UID_A, OUTSIDE },
	{ "B", UID_B, UID_B, OUTSIDE },
	{ "C", UID_C, UID_C, OUTSIDE },
	{ "A, who is 0", UID_A, 0, INSIDE },
	{ "B, who is A's number", UID_B, UID_A, INSIDE },
	{ "A, who is 0 elsewhere", UID_A, 0, ELSEWHERE },
	{ "B, who is 0 elsewhere", UID_B, 0, ELSEWHERE },
	{ "B, who is A's number elsewhere", UID_B, UID_A, ELSEWHERE },
	{ "C, who is 0 elsewhere", UID_C, 0, ELSEWHERE },
	{ "C, who is A's number elsewhere", UID_C, UID_A, ELSEWHERE },
	{ "C, who is B's number elsewhere", UID_C, UID_B, ELSEWHERE },
};

static int acceptor_new(OFFER *self, struct peer *p, unsigned int i)
{
	char map[64];

	if (acceptors[i].where == INSIDE)
		return peer_spawn(p) ?: (int)peer_call(p, op_become_inside, self->owner.pid,
						       acceptors[i].number);
	if (peer_spawn_as(p, acceptors[i].uid, acceptors[i].uid, 0))
		return -1;
	snprintf(map, sizeof(map), "%d %d 1", acceptors[i].number, acceptors[i].uid);
	return acceptors[i].where == OUTSIDE ? 0 : peer_userns(p, map);
}

/*
 * The number of a receiver is one of the maker's namespace, and means a user, whatever his
 * number is where he is.  (Inside, A is 0, and B has the number that A has outside.)
 */
TEST_F_TIMEOUT(offer, number_of_the_receiver, PEER_TIMEOUT)
{
	const struct {
		uid_t number;
		uid_t uid;
	} receivers[] = { { 0, UID_A }, { UID_A, UID_B } };
	unsigned int i, r;
	struct peer p;
	char map[64];
	int fd, err;
	long theirs;

	snprintf(map, sizeof(map), "0 %d 1\n%d %d 1", UID_A, UID_A, UID_B);
	ASSERT_EQ(0, peer_userns(&self->owner, map));
	for (r = 0; r < ARRAY_SIZE(receivers); r++) {
		*self->ask = (struct xmap_cmd_export_create){
			.flags = XMAP_EXPORT_FOR_USER | XMAP_EXPORT_PUBLISH,
			.rights = XMAP_RIGHT_READ,
			.mode = 0666,
			.gid = -1,
			.receiver_uid = receivers[r].number,
		};
		theirs = peer_call(&self->owner, op_export_cmd, self->dev, self->ask);
		fd = peer_take_fd(&self->owner, theirs);
		ASSERT_LE(0, fd);
		for (i = 0; i < ARRAY_SIZE(acceptors); i++) {
			ASSERT_EQ(0, acceptor_new(self, &p, i)) {
				TH_LOG("%s: %s", acceptors[i].who, strerror(errno));
			}
			ASSERT_EQ(acceptors[i].number, peer_syscall(&p, SYS_geteuid, 0));
			theirs = peer_give_fd(&p, self->sv, fd);
			ASSERT_LE(0, theirs);
			err = acceptors[i].uid == receivers[r].uid ? 0 : EACCES;
			EXPECT_EQ(err, XMAP_ERRNO(peer_call(&p, op_accept, theirs, XMAP_RIGHT_READ,
							    0, 0))) {
				TH_LOG("for %u: %s", receivers[r].number, acceptors[i].who);
			}
			EXPECT_EQ(err, XMAP_ERRNO(peer_call(&p, op_export_try, self->dev,
							    XMAP_RIGHT_READ, self->ask->out_id,
							    NULL))) {
				TH_LOG("for %u, by its id: %s", receivers[r].number,
				       acceptors[i].who);
			}
			peer_end(&p);
		}
		close(fd);
	}
	/* B has this number outside only. */
	self->ask->receiver_uid = UID_B;
	EXPECT_ERRNO(EINVAL, peer_call(&self->owner, op_export_cmd, self->dev, self->ask));
}

/* ---- Pid namespaces ---- */

/* Who is to accept, as the maker says it: a pidfd of his and a number. */
static long offer_to(OFFER *self, struct peer *maker, int pidfd, pid_t pid)
{
	*self->ask = (struct xmap_cmd_export_create){
		.flags = XMAP_EXPORT_FOR_PROCESS,
		.rights = XMAP_RIGHT_READ,
		.receiver_fd = pidfd,
		.receiver_pid = pid,
	};
	return peer_call(maker, op_export_cmd, self->dev, self->ask);
}

#define accept_by(p, fd)							\
	peer_call(p, op_accept, peer_give_fd(p, self->sv, fd), XMAP_RIGHT_READ, 0, 0)

TEST_F(offer, receiver_in_a_pid_namespace)
{
	struct peer first, second;
	int pidfd, fd;

	ASSERT_EQ(0, peer_spawn_pidns(&first));
	ASSERT_EQ(0, peer_spawn_beside(&second, &first));
	ASSERT_EQ(1, peer_syscall(&first, SYS_getpid, 0));
	ASSERT_EQ(2, peer_syscall(&second, SYS_getpid, 0));
	ASSERT_EQ(0, peer_call(&first, op_become, UID_A, UID_A, 0, 0));
	ASSERT_EQ(0, peer_call(&second, op_become, UID_B, UID_B, 0, 0));

	/* Inside: by the number that is good there. */
	pidfd = peer_syscall(&first, SYS_pidfd_open, 2, 0);
	fd = peer_take_fd(&first, offer_to(self, &first, pidfd, 2));
	ASSERT_LE(0, fd);
	EXPECT_LE(0, accept_by(&second, fd));
	EXPECT_ERRNO(EACCES, accept_by(&first, fd));
	EXPECT_ERRNO(EACCES, accept_by(&self->user, fd));
	test_err_export_accept(EACCES, fd, XMAP_RIGHT_READ, 0, 0);
	close(fd);
	EXPECT_ERRNO(ESRCH, offer_to(self, &first, pidfd, 1));
	EXPECT_ERRNO(ESRCH, offer_to(self, &first, pidfd, second.pid));

	/* Who is outside has no number there, and so cannot be named. */
	pidfd = peer_give_fd(&first, self->sv, self->user.pidfd);
	ASSERT_LE(0, pidfd);
	EXPECT_ERRNO(ESRCH, offer_to(self, &first, pidfd, self->user.pid));
	EXPECT_ERRNO(ESRCH, offer_to(self, &first, pidfd, 1));
	EXPECT_ERRNO(ESRCH, offer_to(self, &first, pidfd, 2));
	EXPECT_ERRNO(EINVAL, offer_to(self, &first, pidfd, 0));

	/* From outside: by the number that is good outside. */
	pidfd = peer_syscall(&self->owner, SYS_pidfd_open, second.pid, 0);
	fd = peer_take_fd(&self->owner, offer_to(self, &self->owner, pidfd, second.pid));
	ASSERT_LE(0, fd);
	EXPECT_LE(0, accept_by(&second, fd));
	EXPECT_ERRNO(EACCES, accept_by(&first, fd));
	EXPECT_ERRNO(EACCES, accept_by(&self->user, fd));
	close(fd);
	EXPECT_ERRNO(ESRCH, offer_to(self, &self->owner, pidfd, 2));
	peer_end(&second);
	peer_end(&first);
}

/* /dev/xmap, number of an object, entry in shared memory. */
static long op_list_serial(const unsigned long *a)
{
	struct xmap_list_entry e[16], *out = (void *)a[2];
	__u64 cursor = 0;
	__u32 count, i;

	do {
		if (_test_list(a[0], e, ARRAY_SIZE(e), cursor, &count, &cursor))
			return -1;
		for (i = 0; i < count; i++) {
			if (e[i].serial == a[1]) {
				*out = e[i];
				return 0;
			}
		}
	} while (cursor);
	errno = ENOENT;
	return -1;
}

/* A /proc of this process's own pid namespace. */
static long op_mount_proc(const unsigned long *a)
{
	(void)a;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	return mount("proc", "/proc", "proc", 0, NULL);
}

/* Descriptor, line of its fdinfo, in the test's memory before the fork: the number there. */
static long op_fdinfo_nr(const unsigned long *a)
{
	const char *text = xmap_fdinfo(a[0], (const char *)a[1]);

	return *text ? atol(text) : -1;
}

static long op_target_pid(const unsigned long *a)
{
	struct xmap_cmd_target_info info;

	return _test_target_info(a[0], &info) ? -1 : info.out_pid;
}

/* An export that has been accepted and mapped, and by whom. */
struct shown {
	struct peer *owner;
	struct peer *user;
	int export;
	int target;
	__u64 serial[3];
};

static void show(struct __test_metadata *_metadata, OFFER *self, struct shown *s,
		 struct peer *owner, struct peer *user)
{
	static const __u32 kind[] = { XMAP_LIST_EXPORT, XMAP_LIST_TARGET, XMAP_LIST_WINDOW };
	long theirs;
	int i;

	*s = (struct shown){ .owner = owner, .user = user };
	s->export = peer_take_fd(owner, peer_call(owner, op_export, self->dev, XMAP_RIGHT_READ,
						  self->mem, LEN));
	ASSERT_LE(0, s->export);
	theirs = peer_call(user, op_accept, peer_give_fd(user, self->sv, s->export),
			   XMAP_RIGHT_READ, 0, 0);
	s->target = peer_take_fd(user, theirs);
	ASSERT_LE(0, s->target);
	ASSERT_NE(-1, peer_call(user, op_window, theirs, self->mem, LEN, PROT_READ));
	for (i = 0; i < 3; i++) {
		s->serial[i] = xmap_serial(self->dev, kind[i], i ? user->pid : owner->pid);
		ASSERT_NE(0, s->serial[i]);
	}
}

/* To @viewer the owner has one number, and who has accepted another one. */
static void expect_shown(struct __test_metadata *_metadata, OFFER *self, const struct shown *s,
			 struct peer *viewer, pid_t owner, pid_t user)
{
	struct xmap_cmd_export_info *einfo = (void *)(self->seen + 1);
	struct xmap_list_entry *e = self->seen;
	long fd;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, peer_call(viewer, op_list_serial, self->dev, s->serial[i], e));
		EXPECT_EQ(owner, e->target_pid);
		EXPECT_EQ(i ? user : owner, e->holder_pid);
		EXPECT_EQ(XMAP_TARGET_ALIVE, e->state);
	}
	fd = peer_give_fd(viewer, self->sv, s->export);
	ASSERT_EQ(0, peer_call(viewer, op_export_info, fd, einfo));
	EXPECT_EQ(owner, einfo->out_pid);
	EXPECT_EQ(owner, peer_call(viewer, op_fdinfo_nr, fd, "xmap-export-pid"));
	ASSERT_EQ(0, peer_close(viewer, fd));
	fd = peer_give_fd(viewer, self->sv, s->target);
	EXPECT_EQ(owner, peer_call(viewer, op_target_pid, fd));
	EXPECT_EQ(owner, peer_call(viewer, op_fdinfo_nr, fd, "xmap-target-pid"));
	ASSERT_EQ(0, peer_close(viewer, fd));
}

/* Numbers are those of who asks; who is not there for him has none. */
TEST_F(offer, numbers_of_processes)
{
	struct peer first, second, third, self_peer = { .sock = -1 };
	struct peer *viewer[] = { &second, &third };
	struct shown out, in;
	unsigned int i;

	ASSERT_EQ(0, peer_spawn_pidns(&first));
	ASSERT_EQ(0, peer_spawn_beside(&second, &first));
	ASSERT_EQ(0, peer_spawn_pidns(&third));
	ASSERT_EQ(self->mem, (unsigned long)peer_call(&first, peer_op_map, PEER_ANON, RW, LEN,
						      SEED, self->mem));
	for (i = 0; i < ARRAY_SIZE(viewer); i++)
		ASSERT_EQ(0, peer_call(viewer[i], op_mount_proc, 0));
	show(_metadata, self, &out, &self->owner, &self->user);
	show(_metadata, self, &in, &first, &second);

	expect_shown(_metadata, self, &out, &self_peer, self->owner.pid, self->user.pid);
	expect_shown(_metadata, self, &in, &self_peer, first.pid, second.pid);
	expect_shown(_metadata, self, &out, &second, 0, 0);
	expect_shown(_metadata, self, &in, &second, 1, 2);
	expect_shown(_metadata, self, &out, &third, 0, 0);
	expect_shown(_metadata, self, &in, &third, 0, 0);
	peer_end(&third);
	peer_end(&second);
	peer_end(&first);
}

/* ---- Landlock ---- */

/* May @p open @owner without being asked?  As the kernel says; 0 or an errno. */
static int may_open(struct __test_metadata *_metadata, OFFER *self, struct peer *p,
		    struct peer *owner, const char *who)
{
	EXPECT_EQ(0, peer_call(p, op_compare, self->dev, owner->pidfd, owner->pid, 0));
	expect_same_verdict(who);
	return verdict->xmap;
}

/* Who may look at whom is one thing, and what was offered another: neither changes the other. */
static void with_landlock(struct __test_metadata *_metadata, OFFER *self, bool of_owner,
			  bool of_user, __u64 access, const char *who)
{
	struct peer owner, user;
	unsigned long mem;
	int expected;
	int fd;

	/* One user, and no Yama: without Landlock each may look at the other. */
	ASSERT_EQ(0, peer_spawn_as(&owner, UID_A, UID_A, 0));
	ASSERT_EQ(0, peer_spawn_as(&user, UID_A, UID_A, 0));
	mem = peer_call(&owner, peer_op_map, PEER_ANON, RW, LEN, SEED, self->mem);
	ASSERT_EQ(self->mem, mem);
	EXPECT_EQ(0, may_open(_metadata, self, &user, &owner, who));
	if (of_owner)
		ASSERT_EQ(0, peer_call(&owner, op_landlock, access));
	if (of_user)
		ASSERT_EQ(0, peer_call(&user, op_landlock, access));
	/* Who is in no domain may look into any; of two, none is within the other. */
	expected = of_user ? EACCES : 0;
	EXPECT_EQ(expected, may_open(_metadata, self, &user, &owner, who));

	expect_peers_consent(&owner, &user, who);
	*self->ask = (struct xmap_cmd_export_create){
		.flags = XMAP_EXPORT_PUBLISH, .rights = XMAP_RIGHTS_RW, .addr = mem,
		.length = LEN, .mode = 0600, .gid = -1,
	};
	ASSERT_LE(0, peer_call(&owner, op_export_cmd, self->dev, self->ask));
	ASSERT_EQ(0, peer_fill(&owner, mem, LEN, SEED));
	fd = peer_call(&user, op_export_open, self->dev, XMAP_RIGHTS_RW, self->ask->out_id, NULL);
	ASSERT_LE(0, fd) {
		TH_LOG("%s: %s", who, strerror(errno));
	}
	fd = peer_call(&user, op_accept, fd, XMAP_RIGHTS_RW, 0, 0);
	expect_use(_metadata, self, &owner, &user, fd, who);
	/* Also while he has it. */
	EXPECT_EQ(expected, may_open(_metadata, self, &user, &owner, who));
	peer_end(&user);
	peer_end(&owner);
}

TEST_F_TIMEOUT(offer, landlock, PEER_TIMEOUT)
{
	const __u64 access[] = {
		LANDLOCK_ACCESS_FS_MAKE_SYM,
		LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
			LANDLOCK_ACCESS_FS_READ_DIR,
	};
	unsigned int i;

	if (!landlock_there())
		SKIP(return, "this kernel has no Landlock");
	verdict_new();
	ASSERT_EQ(0, xmap_write_long(YAMA_SCOPE, 0));
	for (i = 0; i < ARRAY_SIZE(access); i++) {
		with_landlock(_metadata, self, true, false, access[i], "the owner's");
		with_landlock(_metadata, self, false, true, access[i], "the receiver's");
		with_landlock(_metadata, self, true, true, access[i], "one each");
	}
}

TEST_HARNESS_MAIN
