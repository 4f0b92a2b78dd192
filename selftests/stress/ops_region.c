// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process does to its regions.  As in ops.c: it is called with solid pages,
 * and leaves them solid.
 */
#include "stress.h"

/* As long as nobody may do more with it than the handle that was revoked. */
void op_lend(unsigned int first, unsigned int n)
{
	const struct extent *e = &extents[region_of(first)];
	struct xmap_cmd_region_derive cmd = {
		.size = sizeof(cmd),
		.rights = XMAP_RIGHTS_RW,
		.offset = (first - e->first) * PAGE,
		.length = n * PAGE,
	};
	struct xmap_cmd_revoke revoke = { .size = sizeof(revoke) };

	MUST(ioctl(source_region(region_of(first)), XMAP_REGION_DERIVE, &cmd));
	range_phase(first, n, PHASE_MAY_MISS | PHASE_MAY_REFUSE);
	MUST(mmap(page_at(self.slot, first), n * PAGE, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_FIXED, cmd.out_fd, cmd.offset));
	range_phase(first, n, PHASE_SOLID);
	dwell();
	range_phase(first, n, PHASE_MAY_MISS | PHASE_MAY_REFUSE);
	MUST(ioctl(cmd.out_fd, XMAP_REVOKE, &revoke));
	range_moved(first, n);
	range_phase(first, n, PHASE_GONE);
	dwell();
	range_phase(first, n, PHASE_MAY_MISS | PHASE_MAY_REFUSE);
	MUST(region_map(first, n));
	range_phase(first, n, PHASE_SOLID);
	close(cmd.out_fd);
}

static void resize(enum region region, unsigned int pages)
{
	struct xmap_cmd_region_resize cmd = { .size = sizeof(cmd), .length = pages * PAGE };

	MUST(ioctl(source_region(region), XMAP_REGION_RESIZE, &cmd));
}

void op_resize(unsigned int first, unsigned int n)
{
	const struct extent *e = &extents[REGION_SHARED];

	/* It does not become nothing. */
	first += first == e->first;
	n = e->first + e->pages - first;
	range_phase(first, n, PHASE_CHANGING);
	range_wiping(first, n);
	resize(REGION_SHARED, first - e->first);
	range_void(first, n);
	range_phase(first, n, PHASE_GONE);
	dwell();
	range_phase(first, n, PHASE_CHANGING);
	resize(REGION_SHARED, e->pages);
	refill(first, n);
}

void op_rebind(unsigned int first, unsigned int n)
{
	const struct extent *e = &extents[REGION_SHARED];
	struct xmap_cmd_region_rebind cmd = { .size = sizeof(cmd) };

	first = e->first;
	n = e->pages;
	range_phase(first, n, PHASE_MAY_ZERO);
	range_wiping(first, n);
	MUST(ioctl(source_region(REGION_SHARED), XMAP_REGION_REBIND, &cmd));
	range_void(first, n);
	refill(first, n);
}

/* Nobody has it, or somebody else for a moment; then it is as it was. */
void op_give(unsigned int first, unsigned int n)
{
	const struct extent *e = &extents[REGION_OWNED];
	struct xmap_cmd_region_give give = { .size = sizeof(give) };
	struct xmap_cmd_region_take take = { .size = sizeof(take) };
	unsigned int turns = rnd(60);

	first = e->first;
	n = e->pages;
	range_phase(first, n, PHASE_MAY_MISS | PHASE_MAY_REFUSE);
	MUST(ioctl(source_region(REGION_OWNED), XMAP_REGION_GIVE, &give));
	range_moved(first, n);
	range_phase(first, n, PHASE_GONE);
	while (turns-- && !stopping()) {
		answer();
		sched_yield();
	}
	range_phase(first, n, PHASE_MAY_MISS | PHASE_MAY_REFUSE);
	while (ioctl(source_region(REGION_OWNED), XMAP_REGION_TAKE, &take)) {
		if (errno != EBUSY)
			actor_failed("XMAP_REGION_TAKE");
		answer();
		sched_yield();
	}
	range_phase(first, n, PHASE_SOLID);
}
