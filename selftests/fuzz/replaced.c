// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds pages of a region by reference keeps them where others take away who do not
 * answer for the region.  XMAP_REGION_INFO counts the pages that were replaced; what one
 * call adds is only known if no other by which some can be replaced was under way.
 */
#include <sys/ioctl.h>

#include "actor.h"
#include "fuzz.h"

#define BEGUN (1UL << 32)

static bool pages_replaced(int fd, __u64 *pages)
{
	struct xmap_cmd_region_info info = { .size = sizeof(info) };

	if (ioctl(fd, XMAP_REGION_INFO, &info))
		return false;
	*pages = info.out_replaced;
	return true;
}

/* Before such a call. */
void replacing_begin(struct ctx *x, int fd, enum slot_kind kind, struct replaced *before)
{
	before->known = kind == KIND_REGION && pages_replaced(fd, &before->pages);
	before->began = __atomic_fetch_add(&x->run->replacing, BEGUN + 1, __ATOMIC_SEQ_CST);
	/* Who was under way may have been counted already, or not. */
	if ((__u32)before->began)
		before->known = false;
}

/*
 * May a revocation of this handle by the caller replace pages?  Not if he is no
 * administrator, and has made neither it nor what it was made from by the right to manage
 * the region.
 */
static bool may_replace(const struct run *r, const struct node *n)
{
	if (executor->uid == 0)
		return true;
	for (; n; n = node_find(r, n->parent)) {
		if (n->maker == getpid() && n->manages)
			return true;
		if (!n->parent)
			return n->flags & XMAP_REGION_SINGLE_OWNER;
	}
	/* It was there before the program. */
	return true;
}

/* After it.  Without @look: it may have replaced some. */
void replacing_end(struct ctx *x, int fd, const struct slot_look *look,
		   const struct replaced *before)
{
	__u64 all = __atomic_sub_fetch(&x->run->replacing, 1, __ATOMIC_SEQ_CST), pages;
	const struct node *n;

	if (!before->known || !look || !pages_replaced(fd, &pages))
		return;
	n = node_of(x->run, slot_node(look));
	if (!n || may_replace(x->run, n))
		return;
	/* And nobody has begun since. */
	if (all != before->began + BEGUN ||
	    __atomic_load_n(&x->run->replacing, __ATOMIC_SEQ_CST) != all)
		return;
	if (pages != before->pages)
		run_fail(x->run, BAD_RIGHTS,
			 "who does not manage it had %llu pages replaced by revoking %llu",
			 (unsigned long long)(pages - before->pages),
			 (unsigned long long)n->serial);
}
