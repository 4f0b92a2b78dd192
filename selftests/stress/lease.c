// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an actor lets others have and takes back: exports of its memory, targets that
 * it passes on, and that it can be opened.  And what it gets from others that way.
 *
 * Actors are root without CAP_SYS_PTRACE, so that they may open each other, and may
 * not where one of them refuses.
 */
#include <linux/capability.h>
#include <sys/prctl.h>

#include "stress.h"

#define ARENA_LENGTH (NR_PAGES * PAGE)

/* ---- Commands ---- */

static int take_back(int fd, __u64 serial, __u64 addr, __u64 length)
{
	struct xmap_cmd_revoke cmd = {
		.size = sizeof(cmd), .serial = serial, .addr = addr, .length = length,
	};

	return ioctl(fd, XMAP_REVOKE, &cmd);
}

static int deny(__u32 flags)
{
	struct xmap_cmd_deny cmd = { .size = sizeof(cmd), .flags = flags };

	return ioctl(self.dev, XMAP_DENY, &cmd);
}

/* The number of this process's last export, or 0. */
static __u64 last_export(void)
{
	struct xmap_list_entry entries[16];
	__u64 cursor = 0, serial = 0;
	__u32 i, n;

	do {
		if (_test_list(self.dev, entries, ARRAY_SIZE(entries), cursor, &n, &cursor))
			return 0;
		for (i = 0; i < n; i++)
			if (entries[i].kind == XMAP_LIST_EXPORT &&
			    entries[i].holder_pid == getpid())
				serial = entries[i].serial;
	} while (cursor);
	return serial;
}

/* By index; of exports and of targets that were passed on.  -1 if there is none. */
static int lease_fd[NR_LEASES];
static __u64 lease_serial[NR_LEASES];

static struct lease *lease_of(unsigned int index)
{
	return &ledger->actor[self.slot].lease[index];
}

static void lease_say(unsigned int index, __u64 state)
{
	struct lease *lease = lease_of(index);

	put(&lease->word, (lease->word & ~LEASE_STATE) | state);
}

/* A new version, of which nothing has been taken. */
static __u64 lease_renew(unsigned int index)
{
	struct lease *lease = lease_of(index);
	__u64 version = (lease->word & LEASE_VERSION) + LEASE_STEP;

	put(&lease->word, version | LEASE_LIVE);
	return version;
}

/* ---- Who this is ---- */

/* For good, also for what is executed. */
static int drop_ptrace(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (prctl(PR_CAPBSET_READ, CAP_SYS_PTRACE, 0, 0, 0) == 1 &&
	    prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0))
		return -1;
	if (syscall(SYS_capget, &header, data))
		return -1;
	data[0].effective &= ~(1U << CAP_SYS_PTRACE);
	data[0].permitted &= ~(1U << CAP_SYS_PTRACE);
	data[0].inheritable &= ~(1U << CAP_SYS_PTRACE);
	return syscall(SYS_capset, &header, data);
}

void lease_setup(void)
{
	unsigned int i;

	/* What the last one had is gone, or nobody's to take back; what it took stays taken. */
	for (i = 0; i < NR_LEASES; i++) {
		lease_fd[i] = -1;
		if ((lease_of(i)->word & LEASE_STATE) == LEASE_LIVE)
			lease_say(i, LEASE_CLOSED);
	}
	put(&ledger->actor[self.slot].offers_of, self.inc);
	MUST(drop_ptrace());
	/* Where there is Yama. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	inbox_setup();
	lease_renew(LEASE_OPEN);
}

static void lease_error(unsigned int index, const char *what)
{
	if (errno == ENOMEM)
		count(C_NO_MEMORY);
	else
		error_at(E_CALL, "actor %u: %s of lease %u: %s", self.slot, what, index,
			 strerror(errno));
}

/* Who has it keeps it. */
static void lease_close(unsigned int index)
{
	if ((lease_of(index)->word & LEASE_STATE) == LEASE_LIVE)
		lease_say(index, LEASE_CLOSED);
	close(lease_fd[index]);
	lease_fd[index] = -1;
}

/* ---- Taking back ---- */

static bool taken_by_number(unsigned int index)
{
	return lease_serial[index] && rnd(2);
}

static void lease_take(unsigned int index)
{
	bool number = taken_by_number(index);

	lease_say(index, LEASE_TAKING);
	if (take_back(number ? self.dev : lease_fd[index], number ? lease_serial[index] : 0, 0,
		      0)) {
		lease_error(index, "revocation");
		return;
	}
	lease_say(index, LEASE_TAKEN);
	if (number)
		count(C_TAKE_NUMBER);
	count(index < LEASE_GRANT ? C_TAKE_OFFER :
	      index < LEASE_LOAN ? C_TAKE_GRANT : C_TAKE_LOAN);
	lease_close(index);
}

/* Once for each version: nobody is told of a second part. */
static void lease_take_part(unsigned int index)
{
	struct lease *lease = lease_of(index);
	unsigned int first = random_page(), n = 1 + rnd(32);

	if (lease->word & LEASE_PART)
		return;
	if (first + n > NR_PAGES)
		n = NR_PAGES - first;
	put(&lease->part, (__u64)first << 32 | n);
	put(&lease->word, lease->word | LEASE_PART_TAKING);
	if (take_back(lease_fd[index], 0, (unsigned long)page_at(self.slot, first), n * PAGE)) {
		lease_error(index, "partial revocation");
		return;
	}
	put(&lease->word, (lease->word & ~LEASE_PART) | LEASE_PART_TAKEN);
	count(C_TAKE_PART);
}

/* ---- Exports ---- */

static void offer_name(char *name, unsigned int slot, unsigned int index, __u64 version)
{
	snprintf(name, XMAP_NAME_SIZE, "stress-%u-%u-%llx", slot, index, version);
}

static void offer(unsigned int index)
{
	struct xmap_cmd_export_create cmd = {
		.size = sizeof(cmd),
		.flags = XMAP_EXPORT_PUBLISH,
		.rights = XMAP_RIGHTS_RW,
		.addr = (unsigned long)page_at(self.slot, 0),
		.length = ARENA_LENGTH,
		.mode = 0600,
		.gid = -1,
	};
	__u64 version = (lease_of(index)->word & LEASE_VERSION) + LEASE_STEP;

	offer_name(cmd.name, self.slot, index, version);
	if (ioctl(self.dev, XMAP_EXPORT_CREATE, &cmd)) {
		lease_error(index, "export");
		return;
	}
	lease_fd[index] = cmd.out_fd;
	lease_serial[index] = last_export();
	lease_renew(index);
	count(C_OFFER);
}

/* Open and accept an export; -1 and errno. */
static int accept_by_name(unsigned int slot, unsigned int index, __u64 version)
{
	struct xmap_cmd_export_accept accept = { .size = sizeof(accept) };
	struct xmap_cmd_export_open open = { .size = sizeof(open) };
	int err;

	open.rights = XMAP_RIGHTS_RW;
	accept.rights = XMAP_RIGHTS_RW;
	offer_name(open.name, slot, index, version);
	if (ioctl(self.dev, XMAP_EXPORT_OPEN, &open))
		return -1;
	err = ioctl(open.out_fd, XMAP_EXPORT_ACCEPT, &accept) ? errno : 0;
	close(open.out_fd);
	errno = err;
	return err ? -1 : accept.out_fd;
}

/* Get a target by an export of this incarnation; false if it has none to be accepted. */
bool lease_accept(struct target *t, unsigned int slot, __u64 inc)
{
	unsigned int index = rnd(NR_OFFERS);
	const __u64 *place = &ledger->actor[slot].lease[index].word;
	__u64 word = get(place);
	int fd, err;

	/* An offer that an earlier one has left is not there any more. */
	if ((word & LEASE_STATE) != LEASE_LIVE || get(&ledger->actor[slot].offers_of) != inc)
		return false;
	actor_beat("accept");
	fd = accept_by_name(slot, index, word & LEASE_VERSION);
	if (fd < 0) {
		err = errno;
		if (err == ENOMEM)
			count(C_NO_MEMORY);
		else if (get(place) == word && owner_was_alive(slot, inc) && get(place) == word)
			error_at(E_CALL, "actor %u: accepting offer %u of actor %u.%llu: %s",
				 self.slot, index, slot, inc, strerror(err));
		return true;
	}
	count(C_ACCEPT);
	*t = (struct target){ .fd = fd, .slot = slot, .inc = inc };
	t->chain.ref[t->chain.n++] = (struct lease_ref){ slot, index, word & LEASE_VERSION };
	return true;
}

/* ---- Targets that go from one to the other ---- */

/* A target of its own for somebody, to be taken back some time. */
static void grant(unsigned int index, const struct target *t)
{
	struct parcel parcel = {
		.slot = t->slot, .inc = t->inc, .depth = t->depth + 1, .chain = t->chain,
	};
	unsigned int to = rnd(ledger->actors);

	if (t->fd < 0 || t->chain.n == MAX_CHAIN || t->depth == MAX_DEPTH || to == self.slot)
		return;
	if (_test_target_derive(t->fd, XMAP_RIGHTS_RW, (unsigned long)page_at(t->slot, 0),
				ARENA_LENGTH, &lease_fd[index])) {
		lease_fd[index] = -1;
		call_failed(t->slot, t->inc, &t->chain, "deriving to pass on");
		return;
	}
	lease_serial[index] = 0;
	parcel.chain.ref[parcel.chain.n++] =
		(struct lease_ref){ self.slot, index, lease_renew(index) };
	/* He may be full, or not there. */
	if (parcel_send(&parcel, lease_fd[index], to))
		count(C_PASS);
	else
		lease_close(index);
}

/* A handle of this one's region for somebody, to be taken back some time. */
static void lend(unsigned int index)
{
	struct parcel parcel = { .region = true, .slot = self.slot, .inc = self.inc };
	struct xmap_cmd_region_derive cmd = { .size = sizeof(cmd), .rights = XMAP_RIGHT_READ };
	unsigned int to = rnd(ledger->actors);

	if (to == self.slot)
		return;
	if (ioctl(source_region(REGION_SHARED), XMAP_REGION_DERIVE, &cmd)) {
		lease_error(index, "deriving");
		return;
	}
	lease_fd[index] = cmd.out_fd;
	lease_serial[index] = 0;
	parcel.chain.ref[parcel.chain.n++] =
		(struct lease_ref){ self.slot, index, lease_renew(index) };
	if (parcel_send(&parcel, lease_fd[index], to))
		count(C_LOAN);
	else
		lease_close(index);
}

/* ---- Denial ---- */

static void refuse(void)
{
	lease_say(LEASE_OPEN, LEASE_TAKING);
	if (deny(XMAP_DENY_SET)) {
		lease_error(LEASE_OPEN, "denial");
		return;
	}
	lease_say(LEASE_OPEN, LEASE_TAKEN);
	count(C_REFUSE);
	dwell();
}

static void admit(void)
{
	lease_say(LEASE_OPEN, LEASE_TAKING);
	if (deny(XMAP_DENY_CLEAR)) {
		lease_error(LEASE_OPEN, "end of a denial");
		return;
	}
	lease_renew(LEASE_OPEN);
	count(C_ADMIT);
}

/* Before another is opened without consent. */
__u64 lease_open_begin(unsigned int slot)
{
	return get(&ledger->actor[slot].lease[LEASE_OPEN].word);
}

/* It was opened; true if it is known whether it has been taken back since. */
bool lease_opened(struct target *t, __u64 word)
{
	if (t->slot == self.slot)
		return true;
	if (get(&ledger->actor[t->slot].lease[LEASE_OPEN].word) != word)
		return false;
	if ((word & LEASE_STATE) == LEASE_TAKEN)
		error_at(E_REFUSED, "actor %u opened actor %u.%llu, which refuses", self.slot,
			 t->slot, t->inc);
	if ((word & LEASE_STATE) != LEASE_LIVE)
		return false;
	t->chain.ref[t->chain.n++] =
		(struct lease_ref){ t->slot, LEASE_OPEN, word & LEASE_VERSION };
	return true;
}

/* It was not; true if that can be because it refuses. */
bool lease_not_opened(unsigned int slot, __u64 word, int err)
{
	if (err != EACCES || slot == self.slot)
		return false;
	if ((word & LEASE_STATE) == LEASE_LIVE &&
	    get(&ledger->actor[slot].lease[LEASE_OPEN].word) == word)
		return false;
	count(C_REFUSED);
	return true;
}

/* ---- One thing ---- */

static void offer_step(unsigned int index)
{
	if (lease_fd[index] < 0) {
		actor_beat("offer");
		offer(index);
		return;
	}
	switch (rnd(8)) {
	case 0:
		actor_beat("close an offer");
		lease_close(index);
		count(C_OFFER_CLOSED);
		break;
	case 1:
	case 2:
		actor_beat("revoke a part");
		lease_take_part(index);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		actor_beat("revoke");
		lease_take(index);
		break;
	}
}

static void grant_step(unsigned int index)
{
	if (lease_fd[index] < 0) {
		actor_beat("pass on");
		grant(index, &targets[rnd(MAX_TARGETS)]);
	} else if (rnd(3) == 0) {
		actor_beat("revoke what was passed");
		lease_take(index);
	}
}

static void loan_step(unsigned int index)
{
	if (lease_fd[index] < 0) {
		actor_beat("lend");
		lend(index);
	} else if (rnd(2)) {
		actor_beat("revoke what was lent");
		lease_take(index);
	}
}

/* It refuses for a part of the time, or nobody would look at it. */
static void denial_step(void)
{
	bool refuses = (lease_of(LEASE_OPEN)->word & LEASE_STATE) == LEASE_TAKEN;

	if (!refuses && rnd(3))
		return;
	actor_beat(refuses ? "admit" : "refuse");
	if (refuses)
		admit();
	else
		refuse();
}

void lease_step(void)
{
	unsigned int what = rnd(13);

	if (what < 2)
		denial_step();
	else if (what < 6)
		offer_step(LEASE_OFFER + rnd(NR_OFFERS));
	else if (what < 9)
		loan_step(LEASE_LOAN + rnd(NR_LOANS));
	else
		grant_step(LEASE_GRANT + rnd(NR_GRANTS));
}
