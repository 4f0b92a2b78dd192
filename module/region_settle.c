// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the pages of a region are taken away from those who had them.
 *
 * There are three ways to them, and each must be closed at once when a range is revoked,
 * given away, or sealed against writes:
 *
 *  - Page tables.  Everybody who is about to have a page mapped (region_map.c) takes
 *    the page's lock, asks "may I?", and the kernel sets the entry before it drops
 *    that lock.  Who takes away publishes first that the answer is no, then takes
 *    the lock of each page that there is.  Whoever had asked before has set his entry
 *    by then; whoever asks later is told no.  Only then are the entries cleared, all at
 *    one go: that also flushes what reclaim has unmapped and not flushed yet.
 *
 *    A page that comes into being meanwhile is not missed.  One side puts the page
 *    into the cache, then asks; the other publishes, then looks at the cache; a full
 *    barrier stands between the two steps of each.  So the one sees the answer, or
 *    the other the page.  (A page that is swapped out is in no page table, and
 *    comes back by the same way.)
 *
 *  - read() and write() on a handle copy under the same lock, after asking.
 *
 *  - References.  Whoever could reach a page may have had the kernel hold on to it:
 *    a direct read from a disk is under way to it, a pipe has it from vmsplice(), a
 *    ring of io_uring has it registered.  That cannot be called back.  But when no
 *    entry maps a page, under its lock, nobody can get at it anew (who walks page
 *    tables without locks takes his reference, then looks whether the entry is still
 *    there).  If there are more references then than the cache's and our own, the
 *    page is left to those who have them, and a copy takes its place in the region.
 *
 *    Those who keep their rights lose by that, too: what they have registered, or what
 *    is under way for them, is the region's no more.  So it is for those alone to cause
 *    who answer for the region (see xmap_region_revoke()); and a reference that goes
 *    away within a moment, as a futex has it, is waited for.  Not for long: whoever has
 *    references could keep us waiting.
 *
 *    The copy is charged to the memory cgroup of who takes away, or who has had it if
 *    it has one owner.  Otherwise somebody who has the memory for a while could have
 *    one copy after the other charged to whoever had paid for the first, and keep them
 *    all.
 *
 *    Swapping is no way round this.  Only a page is swapped out that is referenced by
 *    the page cache and by reclaim alone, once it is unmapped.
 *
 * A huge page (XMAP_REGION_HUGE) is one thing in all of this: it has one lock, and is
 * looked at, unmapped and replaced as a whole, even if only some of it is taken away.
 * So who maps it by one entry must be allowed all of it (region_map.c).  One that
 * others hold on to leaves the cache, and pages are made in its place as for a file
 * that was truncated, then filled from it.  From before it leaves until they are filled
 * the place is marked (remaking), and whoever has found a page there looks at the mark
 * under the page's lock, and steps back.  Nothing there may fail: its memory has been
 * committed when the region was made.
 *
 * A page that the hardware has spoilt is not read.  A small one stays as it is: all get
 * EIO.  What a huge one has lost is lost to the region (lost), which says EIO from then
 * on until it is rebound.
 */
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/shmem_fs.h>

#include "region.h"

/* How often a reference that may go away is waited for: of one page, and altogether. */
#define XMAP_SETTLE_TRIES 8
#define XMAP_SETTLE_PATIENCE 64

/**
 * struct xmap_settling - A range of a region is being settled
 * @region: The region
 * @spare: A page in stock, or NULL
 * @patience: How often it may still wait
 * @replaced: Pages that others held
 */
struct xmap_settling {
	struct xmap_region *region;
	struct page *spare;
	unsigned int patience;
	u64 replaced;
};

/* ---- Small pages ---- */

/* Put a copy in the place of a page that others hold.  Both are locked after. */
static void xmap_settle_replace(struct page *old, struct page *new)
{
	struct folio *folio = page_folio(new);
	/* Else it has been a file's, and is on the lists of reclaim. */
	bool fresh = !folio_test_swapbacked(folio);

	copy_highpage(new, old);
	lock_page(new);
	if (fresh) {
		__folio_set_swapbacked(folio);
		SetPageUptodate(new);
	}
	xmap_replace_cached(old, new);
	/* It is nowhere else: reclaim must not drop it as a page of zeroes. */
	set_page_dirty(new);
	if (fresh)
		folio_add_lru(folio);
}

/* ---- Huge pages ---- */

/* Page @index is lost.  Under the inode's lock, and before anybody is let there again. */
static void xmap_settle_lose(struct xmap_region *region, pgoff_t index)
{
	struct xmap_range lost = { .start = index, .end = index + 1 };

	/* What lies between is lost with it: no matter, after two such errors. */
	if (!xmap_range_empty(&region->lost)) {
		lost.start = min(lost.start, region->lost.start);
		lost.end = max(lost.end, region->lost.end);
	}
	pr_err_once("xmap: memory of a region is lost to a hardware error\n");
	WRITE_ONCE(region->lost.start, lost.start);
	WRITE_ONCE(region->lost.end, lost.end);
}

/* Is the page that there is at @index spoilt? */
static bool xmap_settle_spoilt(struct address_space *mapping, pgoff_t index)
{
	struct page *page = find_get_page(mapping, index);
	bool spoilt = page && PageHWPoison(page);

	if (page)
		put_page(page);
	return spoilt;
}

/* Make page @index, where none is, with what is in @from.  Returns false if it is lost. */
static bool xmap_settle_refill(struct address_space *mapping, pgoff_t index, struct page *from)
{
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	gfp_t gfp = xmap_memory_gfp(mapping);
	struct page *page;

	if (PageHWPoison(from))
		return false;
	for (;;) {
		page = shmem_read_mapping_page_gfp(mapping, index, gfp);
		if (IS_ERR(page)) {
			if (xmap_settle_spoilt(mapping, index))
				return false;
			/* None is at hand; or it was swapped out while empty, and is lost. */
			shmem_truncate_range(mapping->host, pos, pos + PAGE_SIZE - 1);
			gfp = mapping_gfp_mask(mapping) | __GFP_NOFAIL;
			continue;
		}
		lock_page(page);
		if (page_folio(page)->mapping == mapping)
			break;
		unlock_page(page);
		put_page(page);
	}
	copy_highpage(page, from);
	set_page_dirty(page);
	unlock_page(page);
	put_page(page);
	return true;
}

/*
 * Leave a huge page to those who hold it, and have the region continue with a copy.
 * The caller has a reference, for which nobody splits it or swaps it out.
 */
static void xmap_settle_remake(struct xmap_settling *settling, struct folio *old)
{
	struct xmap_region *region = settling->region;
	struct address_space *mapping = region->memory->f_mapping;
	struct inode *inode = mapping->host;
	pgoff_t index = old->index, end;
	bool there;
	long i;

	inode_lock(inode);
	folio_lock(old);
	/* Else it has left the cache already. */
	there = old->mapping == mapping;
	if (there)
		WRITE_ONCE(region->remaking, xmap_region_extent(index));
	folio_unlock(old);
	if (there) {
		shmem_truncate_range(inode, folio_pos(old), folio_pos(old) + folio_size(old) - 1);
		end = min_t(pgoff_t, index + folio_nr_pages(old),
			    DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE));
		for (i = 0; index + i < end; i++) {
			if (!xmap_settle_refill(mapping, index + i, folio_page(old, i)))
				xmap_settle_lose(region, index + i);
			cond_resched();
		}
		settling->replaced += folio_nr_pages(old);
		/* Pairs with xmap_memory_remade(): who is let there finds it complete. */
		smp_store_release(&region->remaking, 0);
		wake_up_all(&region->root->wq);
	}
	inode_unlock(inode);
}

/* ---- Any ---- */

/* Is a folio the cache's, and ours, alone?  It is locked, and nothing maps it. */
static bool xmap_settle_alone(struct folio *folio)
{
	/* The entries are gone: now look at the references.  See above. */
	smp_mb();
	return folio_ref_count(folio) <= folio_nr_pages(folio) + 1;
}

/*
 * May a reference too many go away soon?  Not if the kernel has yet to put the page on
 * its lists, which can be much later.
 */
static bool xmap_settle_wait(struct xmap_settling *settling, struct folio *folio,
			     unsigned int *tries)
{
	if (!folio_test_lru(folio) || *tries == XMAP_SETTLE_TRIES || !settling->patience)
		return false;
	(*tries)++;
	settling->patience--;
	return true;
}

/* Nobody maps the page at @index, nor holds it, when this returns; but who may by now. */
static void xmap_settle_detach(struct xmap_settling *settling, pgoff_t index)
{
	struct xmap_region *region = settling->region;
	struct address_space *mapping = region->memory->f_mapping;
	unsigned int tries = 0;
	struct folio *folio;
	struct page *page;
	bool large, wait;

	for (;;) {
		page = find_lock_page(mapping, index);
		if (!page)
			return;
		folio = page_folio(page);
		large = folio_test_large(folio);
		/* A huge one that is not to be nobody was ever given. */
		if (large && !xmap_region_huge(region))
			break;
		if (folio_mapped(folio))
			unmap_mapping_pages(mapping, folio->index, folio_nr_pages(folio), false);
		if (xmap_settle_alone(folio))
			break;
		if (!large && PageHWPoison(page))
			break;
		wait = xmap_settle_wait(settling, folio, &tries);
		if (!wait && !large && settling->spare) {
			xmap_settle_replace(page, settling->spare);
			unlock_page(settling->spare);
			put_page(settling->spare);
			settling->spare = NULL;
			settling->replaced++;
			break;
		}
		folio_unlock(folio);
		/* What must not fail waits for memory; not with a page locked. */
		if (!wait && large)
			xmap_settle_remake(settling, folio);
		folio_put(folio);
		if (wait) {
			usleep_range(20, 100);
			continue;
		}
		if (large)
			return;
		settling->spare = xmap_memory_spare();
	}
	folio_unlock(folio);
	folio_put(folio);
}

/* Whoever has asked about a page from @at to @last before has done what he may. */
static void xmap_settle_asked(struct address_space *mapping, pgoff_t at, pgoff_t last)
{
	struct folio_batch batch;
	unsigned int i;

	folio_batch_init(&batch);
	while (filemap_get_folios(mapping, &at, last, &batch)) {
		for (i = 0; i < folio_batch_count(&batch); i++) {
			/* Who locks it after this asks after it, too. */
			if (!folio_test_locked(batch.folios[i]))
				continue;
			folio_lock(batch.folios[i]);
			folio_unlock(batch.folios[i]);
		}
		folio_batch_release(&batch);
		cond_resched();
	}
	/* What they did before they unlocked is there to be seen. */
	smp_mb();
}

/* Does nobody have a page, as far as can be seen at once?  The caller has a reference. */
static bool xmap_settle_free(struct address_space *mapping, struct folio *folio)
{
	bool free;

	if (!folio_trylock(folio))
		return false;
	free = folio->mapping == mapping && !folio_mapped(folio) && xmap_settle_alone(folio);
	folio_unlock(folio);
	return free;
}

/* Take the pages that there are from @at to @last from those who hold them. */
static void xmap_settle_held(struct xmap_settling *settling, pgoff_t at, pgoff_t last)
{
	struct address_space *mapping = settling->region->memory->f_mapping;
	pgoff_t index[PAGEVEC_SIZE];
	struct folio_batch batch;
	unsigned int i, n;

	folio_batch_init(&batch);
	while (filemap_get_folios(mapping, &at, last, &batch)) {
		for (i = n = 0; i < folio_batch_count(&batch); i++) {
			if (!xmap_settle_free(mapping, batch.folios[i]))
				index[n++] = batch.folios[i]->index;
		}
		/* Our own references are not to count. */
		folio_batch_release(&batch);
		for (i = 0; i < n; i++)
			xmap_settle_detach(settling, index[i]);
		cond_resched();
	}
}

/**
 * xmap_memory_settle - Wait for those who have asked before
 * @region: The region
 * @range: Offsets
 * @from: From whom the pages are taken away; those who may have them map them anew as
 *	they touch them
 *
 * What is told to those who ask is changed, and published, before.
 *
 * Context: no page locks held; sleeps.
 * Return: were pages replaced, because others held them?
 */
bool xmap_memory_settle(struct xmap_region *region, const struct xmap_range *range,
			enum xmap_settle from)
{
	struct xmap_settling settling = { .region = region, .patience = XMAP_SETTLE_PATIENCE };
	struct address_space *mapping = region->memory->f_mapping;
	pgoff_t at = range->start >> PAGE_SHIFT;
	pgoff_t last = (range->end - 1) >> PAGE_SHIFT;

	/* It is published: now look at the cache.  Pairs with xmap_memory_page(). */
	smp_mb();
	xmap_settle_asked(mapping, at, last);
	if (from != XMAP_SETTLE_ASKED)
		unmap_mapping_pages(mapping, at, last - at + 1, false);
	if (from == XMAP_SETTLE_HELD)
		xmap_settle_held(&settling, at, last);
	if (settling.spare)
		put_page(settling.spare);
	atomic64_add(settling.replaced, &region->replaced);
	if (settling.replaced)
		WRITE_ONCE(region->forced, true);
	return settling.replaced;
}
