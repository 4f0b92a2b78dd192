// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where things are, and what keeps a program from hurting those who run it: its
 * numbers are confined to the places that are there to be hurt.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "fuzz.h"

#define ANON_PAGES 64
#define FILLED_PAGES 8
#define FILE_PAGES 16

struct slot_entry slots[SLOTS];

/* What the executor was started with. */
__u64 executor_fds;

static void map(__u64 addr, size_t len, int prot, int flags, int fd)
{
	void *want = (void *)addr;

	if (mmap(want, len, prot, flags | MAP_FIXED_NOREPLACE, fd, 0) != want)
		_exit(101);
}

static __u64 canary_word(__u64 addr)
{
	return addr * 0x9e3779b97f4a7c15 + 0x5ca1ab1e;
}

void canary_fill(void)
{
	__u64 addr;

	for (addr = CANARY; addr < CANARY_END; addr += 8)
		*(__u64 *)addr = canary_word(addr);
}

bool canary_intact(void)
{
	__u64 addr;

	for (addr = CANARY; addr < CANARY_END; addr += 8)
		if (*(volatile __u64 *)addr != canary_word(addr))
			return false;
	return true;
}

void memory_setup(void)
{
	int anon = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;
	int memfd = memfd_create("xmap-fuzz", MFD_CLOEXEC);
	__u64 addr = ARENA;
	int i;

	if (memfd < 0 || ftruncate(memfd, FILE_PAGES * PAGE))
		_exit(101);
	slot_set(SLOT_MEMFD, memfd, KIND_MEMFD);
	for (i = 0; i < ACTORS; i++)
		map(SCRATCH + i * SCRATCH_STRIDE, SCRATCH_ROOM, rw, anon, -1);
	map(ODD_RO, PAGE, PROT_READ, anon, -1);
	map(ODD_NONE, PAGE, PROT_NONE, anon, -1);
	map(ODD_EDGE, PAGE, rw, anon, -1);

	map(addr, ANON_PAGES * PAGE, rw, anon, -1);
	for (i = 0; i < FILLED_PAGES; i++)
		*(__u64 *)(addr + i * PAGE) = 0xa0000 + i;
	addr += ANON_PAGES * PAGE;
	map(addr, FILE_PAGES * PAGE, rw, MAP_SHARED, memfd);
	*(__u64 *)addr = 0xf11e;
	addr += FILE_PAGES * PAGE;
	map(addr, FILE_PAGES * PAGE, PROT_READ, MAP_PRIVATE, executor->exe);
	map(CANARY, CANARY_SIZE, rw, anon, -1);
	canary_fill();
}

/*
 * An address that the kernel may be given to copy from or to: in the caller's
 * scratch, a window, odd, or not the caller's at all.
 */
__u64 place(struct ctx *x, __u64 arg)
{
	if (!arg)
		return 0;
	if (arg < SCRATCH_ROOM)
		return x->scratch + arg;
	if (arg >= ODD_RO && arg < ODD_EDGE + 2 * PAGE)
		return arg;
	if ((arg >= WIN && arg < WIN_END) || (arg >= FIXED && arg < FIXED_END))
		return arg;
	/* Not there: from it one could run into the canary. */
	if (arg >= ARENA && arg < CANARY_END)
		return WIN + arg % WIN_STRIDE;
	return arg >= USER_END - 8 ? arg : 0;
}

/* Memory to be changed by system calls: within one area.  Returns 0 if it is in none. */
__u64 confine(__u64 addr, __u64 *len)
{
	__u64 end;

	if (addr >= WIN && addr < WIN_END)
		end = WIN_END;
	else if (addr >= ARENA && addr < ARENA_END)
		end = ARENA_END;
	else if (addr >= FIXED && addr < FIXED_END)
		end = FIXED_END;
	else
		return 0;
	if (*len > end - addr)
		*len = end - addr;
	return addr;
}

/*
 * Memory in a target to be written to.  What has no right to it may try the
 * canary; what everybody needs, such as code and stack, is out of reach.
 */
__u64 safe_remote(__u64 addr)
{
	if (addr >= WIN && addr < WIN_END)
		return addr;
	if (addr >= ARENA - 16 * PAGE && addr < CANARY_END + 16 * PAGE)
		return addr;
	if (addr >= USER_END - PAGE)
		return addr;
	return ARENA + addr % ARENA_SIZE;
}

/* ---- Slots ---- */

/* What was there is closed.  The two threads may do this at the same time. */
void slot_put(__u64 slot, int fd, enum slot_kind kind, __u32 node)
{
	struct slot_entry *e = &slots[slot % SLOTS];
	int old;

	__atomic_add_fetch(&e->begun, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&e->kind, KIND_NONE, __ATOMIC_SEQ_CST);
	old = __atomic_exchange_n(&e->fd, fd + 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&e->node, node, __ATOMIC_SEQ_CST);
	__atomic_store_n(&e->kind, fd < 0 ? KIND_NONE : kind, __ATOMIC_SEQ_CST);
	if (old > 0)
		close(old - 1);
	__atomic_add_fetch(&e->done, 1, __ATOMIC_SEQ_CST);
}

void slot_set(__u64 slot, int fd, enum slot_kind kind)
{
	slot_put(slot, fd, kind, 0);
}

/* Before a call that uses the slot. */
void slot_look(__u64 slot, struct slot_look *look)
{
	struct slot_entry *e = &slots[slot % SLOTS];
	__u32 done = __atomic_load_n(&e->done, __ATOMIC_SEQ_CST);

	look->slot = e;
	look->begun = __atomic_load_n(&e->begun, __ATOMIC_SEQ_CST);
	look->still = slot < SLOTS && look->begun == done;
	look->node = __atomic_load_n(&e->node, __ATOMIC_SEQ_CST);
	look->kind = slot_kind(slot);
}

/* After it: was that in the slot all the time, whatever another thread does? */
bool slot_unchanged(const struct slot_look *look)
{
	return look->still &&
	       __atomic_load_n(&look->slot->begun, __ATOMIC_SEQ_CST) == look->begun;
}

/* What the call was about, or 0. */
__u32 slot_node(const struct slot_look *look)
{
	return slot_unchanged(look) ? look->node : 0;
}

int slot_fd(__u64 slot)
{
	/* Far from what is open. */
	if (slot >= SLOTS)
		return (int)slot | 1 << 20;
	return __atomic_load_n(&slots[slot].fd, __ATOMIC_SEQ_CST) - 1;
}

enum slot_kind slot_kind(__u64 slot)
{
	return slot < SLOTS ? __atomic_load_n(&slots[slot].kind, __ATOMIC_SEQ_CST) : KIND_NONE;
}

/* The descriptors below 64 that are open, as a set. */
__u64 open_fds(void)
{
	struct pollfd fds[64];
	__u64 open = 0;
	int i;

	for (i = 0; i < 64; i++)
		fds[i] = (struct pollfd){ .fd = i };
	poll(fds, 64, 0);
	for (i = 0; i < 64; i++)
		if (!(fds[i].revents & POLLNVAL))
			open |= 1UL << i;
	return open;
}

/*
 * For a new child: close what it has only because another thread had it open for
 * a moment when the process forked, such as the end of a pipe whose other end
 * somebody waits at.  It keeps @keep to @last, the slots, and what the executor was
 * started with.
 */
void close_others(int keep, int last)
{
	__u64 open = open_fds() & ~executor_fds;
	int i;

	for (i = 0; i < SLOTS; i++)
		if (slots[i].fd > 0 && slots[i].fd <= 64)
			open &= ~(1UL << (slots[i].fd - 1));
	for (i = 0; i < 64; i++)
		if ((i < keep || i > last) && open & 1UL << i)
			close(i);
	if (keep < 64) {
		close_range(64, ~0U, 0);
	} else {
		close_range(64, keep - 1, 0);
		close_range(last + 1, ~0U, 0);
	}
}
