// SPDX-License-Identifier: GPL-2.0-only
/* Targets on the memory of others: got in every way, narrowed, asked, listed. */
#include "stress.h"

struct target targets[MAX_TARGETS] = { [0 ... MAX_TARGETS - 1] = { .fd = -1 } };

/* A call on a target failed: was that right? */
void call_failed(unsigned int slot, __u64 inc, const struct chain *chain, const char *what)
{
	int err = errno;

	if (err == ENOMEM) {
		count(C_NO_MEMORY);
		return;
	}
	if (err == ESTALE && chain && chain_excuses(chain)) {
		count(C_TAKEN_LOOKS);
		return;
	}
	/* The call can have found the end of it; nothing else is an excuse. */
	if ((err == ESRCH || err == EAGAIN) && !owner_was_alive(slot, inc))
		return;
	error_at(E_CALL, "actor %u: %s of actor %u.%llu: %s", self.slot, what, slot, inc,
		 strerror(err));
}

static int open_by_mem(pid_t pid)
{
	char path[32];
	int mem, fd, err;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	if (mem < 0) {
		/* No such directory: the process has ended. */
		if (errno == ENOENT)
			errno = ESRCH;
		return -1;
	}
	err = _test_target_open_mem(self.dev, mem, XMAP_RIGHTS_RW, 0, 0, &fd) ? errno : 0;
	close(mem);
	errno = err;
	return err ? -1 : fd;
}

void target_close(struct target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

/* Put a target into the slot, on an incarnation that was ready before and after. */
void target_open(struct target *t)
{
	unsigned int slot = rnd(ledger->actors);
	struct actor *a = &ledger->actor[slot];
	__u64 inc = get(&a->ready);
	bool by_mem = rnd(2);
	pid_t pid = __atomic_load_n(&a->pid, __ATOMIC_SEQ_CST);
	int fd = -1;
	__u64 word;

	target_close(t);
	if (!inc || !pid)
		return;
	/* With its consent, or without. */
	if (rnd(2) && lease_accept(t, slot, inc))
		return;
	word = lease_open_begin(slot);
	if (by_mem)
		fd = open_by_mem(pid);
	else if (_test_target_open_pid(self.dev, pid, XMAP_RIGHTS_RW, &fd))
		fd = -1;
	if (fd < 0) {
		if (get(&a->ready) == inc && get(&a->leaving) != inc &&
		    !lease_not_opened(slot, word, errno))
			call_failed(slot, inc, NULL, "opening");
		return;
	}
	if (get(&a->ready) != inc) {
		/* It may be a later one, or another process of that number. */
		close(fd);
		return;
	}
	count(by_mem ? C_OPEN_MEM : C_OPEN_PIDFD);
	*t = (struct target){ .fd = fd, .slot = slot, .inc = inc };
	if (!lease_opened(t, word))
		target_close(t);
}

/* Replace a target by what it gives away: this part, these rights. */
void target_derive(struct target *t)
{
	int fd;

	if (t->fd < 0 || t->depth == MAX_DEPTH)
		return;
	if (_test_target_derive(t->fd, XMAP_RIGHTS_RW, (unsigned long)page_at(t->slot, 0),
				NR_PAGES * PAGE, &fd)) {
		call_failed(t->slot, t->inc, &t->chain, "deriving");
		return;
	}
	close(t->fd);
	t->fd = fd;
	t->depth++;
	count(C_OPEN_DERIVED);
}

/* POLLHUP is for the dead, and they get it. */
void target_poll(struct target *t)
{
	struct pollfd p = { .fd = t->fd, .events = 0 };
	struct xmap_cmd_target_info info;
	bool taken;

	if (t->fd < 0)
		return;
	taken = chain_all_taken(&t->chain);
	count(C_POLL);
	if (poll(&p, 1, 0) < 0 || _test_target_info(t->fd, &info)) {
		error_at(E_CALL, "actor %u: poll or info: %s", self.slot, strerror(errno));
		return;
	}
	if (taken) {
		if (!(p.revents & POLLHUP) || info.out_state != XMAP_TARGET_REVOKED)
			error_at(E_TAKEN, "actor %u: a target on actor %u.%llu: poll %#x, state %u",
				 self.slot, t->slot, t->inc, p.revents, info.out_state);
		target_close(t);
		return;
	}
	if (chain_excuses(&t->chain))
		return;
	if ((p.revents & POLLHUP || info.out_state != XMAP_TARGET_ALIVE) &&
	    owner_was_alive(t->slot, t->inc))
		error_at(E_CALL, "actor %u: actor %u.%llu is said to be dead", self.slot, t->slot,
			 t->inc);
}

void target_list(struct target *t)
{
	struct xmap_list_entry entries[8];
	struct xmap_cmd_target_maps maps;
	static char buf[8192];
	__u64 cursor = 0;
	__u32 n;

	if (_test_list(self.dev, entries, ARRAY_SIZE(entries), 0, &n, &cursor))
		error_at(E_CALL, "actor %u: list: %s", self.slot, strerror(errno));
	else
		count(C_LIST);
	if (t->fd >= 0 && _test_target_maps(t->fd, 0, buf, sizeof(buf), &maps))
		call_failed(t->slot, t->inc, &t->chain, "maps");
}
