// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies: pread and pwrite, XMAP_TRANSFER and io_uring.
 *
 * A copy finds its pages after it was asked for, and what is in them is at least as
 * new as when they were found.  So one look around the whole call is as sharp as the
 * look around a load.
 */
#include "stress.h"

#include <liburing.h>

#define MOST_PAGES 8

static char buffer[MOST_PAGES * PAGE] __attribute__((aligned(4096)));

static void copy_failed(const struct look *l, int err, bool store, const char *how)
{
	switch (err) {
	case EFAULT:
		look_missing(l, store, how);
		return;
	case ENOMEM:
		count(C_NO_MEMORY);
		return;
	case ESTALE:
		if (chain_excuses(l->chain)) {
			count(C_TAKEN_LOOKS);
			return;
		}
		break;
	case ESRCH:
		if (!owner_was_alive(l->slot, l->inc))
			return;
	}
	error_at(E_CALL, "actor %u: %s of actor %u.%llu page %u: %s", self.slot, how, l->slot,
		 l->inc, l->page, strerror(err));
}

static void check_copied_page(const struct look *l, const __u64 *page, const char *how)
{
	enum path via;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(source_words); i++)
		look_source_word(l, page[source_words[i]], how);
	for (via = 0; via < NR_PATHS; via++)
		look_own_word(l, via, page[reader_word(self.slot, via)], how);
	count(C_BULK);
}

/* Whole pages were asked for: those before the end are right, and the end is. */
static void check_copied(const struct look *looks, unsigned int n, long got, const char *how)
{
	unsigned int i;

	if (got < 0) {
		copy_failed(&looks[0], -got, false, how);
		return;
	}
	if (!got || got % PAGE || got > (long)(n * PAGE))
		error_at(E_CALL, "actor %u: %s of %u pages gave %ld bytes", self.slot, how, n, got);
	for (i = 0; i < got / PAGE && i < n; i++)
		check_copied_page(&looks[i], (__u64 *)(buffer + i * PAGE), how);
	if (i < n)
		look_missing(&looks[i], false, how);
}

static unsigned int pick_pages(unsigned int *first)
{
	const struct extent *e;
	unsigned int n = 1 + rnd(MOST_PAGES);

	*first = random_page();
	e = &extents[region_of(*first)];
	return *first + n > e->first + e->pages ? e->first + e->pages - *first : n;
}

static void looks_begin(struct look *looks, const struct target *t, unsigned int first,
			unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		look_begin(&looks[i], t->slot, t->inc, first + i, &t->chain);
}

/* ---- pread, pwrite ---- */

static void read_pages(struct target *t)
{
	struct look looks[MOST_PAGES];
	unsigned int first, n = pick_pages(&first);
	long got;

	looks_begin(looks, t, first, n);
	got = pread(t->fd, buffer, n * PAGE, (off_t)page_at(t->slot, first));
	check_copied(looks, n, got < 0 ? -errno : got, "pread");
	count(C_PREAD);
}

static off_t own_word_at(const struct target *t, unsigned int page)
{
	return (off_t)((__u64 *)page_at(t->slot, page) + reader_word(self.slot, PATH_COPY));
}

/* A page to write to. */
static unsigned int pick_page(void)
{
	unsigned int page;

	do {
		page = random_page();
	} while (!page_writable_by_readers(page));
	return page;
}

static __u64 own_stamp(const struct target *t, unsigned int page, __u64 seq)
{
	return reader_stamp(self.slot, PATH_COPY, t->slot, t->inc, page, seq);
}

static void written(const struct look *l, __u64 wipes, __u64 seq, long got, const char *how)
{
	if (got == sizeof(__u64)) {
		write_done(l, PATH_COPY, wipes, seq, how);
		count(C_COPIES_OUT);
	} else if (got < 0) {
		copy_failed(l, -got, true, how);
	} else {
		error_at(E_CALL, "actor %u: %s of a word gave %ld bytes", self.slot, how, got);
	}
}

static void write_word(struct target *t)
{
	unsigned int page = pick_page();
	__u64 seq, wipes, stamp;
	struct look l;
	long got;

	look_begin(&l, t->slot, t->inc, page, &t->chain);
	seq = write_begin(&l, PATH_COPY, &wipes);
	stamp = own_stamp(t, page, seq);
	got = pwrite(t->fd, &stamp, sizeof(stamp), own_word_at(t, page));
	written(&l, wipes, seq, got < 0 ? -errno : got, "pwrite");
	count(C_PWRITE);
}

/* ---- XMAP_TRANSFER ---- */

#define ENTRIES 6

/* Words of several pages at once: the even entries read, the odd ones write. */
static void transfer_words(struct target *t)
{
	struct xmap_transfer e[ENTRIES] = {};
	__u64 seq[ENTRIES], wipes[ENTRIES], word[ENTRIES];
	struct look looks[ENTRIES];
	unsigned int i, page;
	__u32 done;

	for (i = 0; i < ENTRIES; i++) {
		page = i % 2 ? pick_page() : random_page();
		look_begin(&looks[i], t->slot, t->inc, page, &t->chain);
		e[i].fd = t->fd;
		e[i].local = (uintptr_t)&word[i];
		e[i].length = 8;
		if (i % 2) {
			seq[i] = write_begin(&looks[i], PATH_COPY, &wipes[i]);
			word[i] = own_stamp(t, page, seq[i]);
			e[i].remote = own_word_at(t, page);
			e[i].flags = XMAP_TRANSFER_WRITE;
		} else {
			e[i].remote = (unsigned long)((__u64 *)page_at(t->slot, page) +
						      source_words[rnd(ARRAY_SIZE(source_words))]);
		}
	}
	count(C_TRANSFER);
	if (_test_transfer(self.dev, e, ENTRIES, &done)) {
		copy_failed(&looks[0], errno, false, "transfer");
		return;
	}
	if (done != ENTRIES)
		error_at(E_CALL, "actor %u: transfer did %u of %u", self.slot, done, ENTRIES);
	for (i = 0; i < done; i++) {
		if (i % 2)
			written(&looks[i], wipes[i], seq[i], e[i].out_result, "transfer");
		else if (e[i].out_result == 8)
			look_source_word(&looks[i], word[i], "transfer");
		else
			copy_failed(&looks[i], -e[i].out_result, false, "transfer");
	}
}

/* ---- io_uring ---- */

static struct io_uring ring;

/* Submit one request and wait for it; its result. */
static long ring_result(struct io_uring_sqe *sqe)
{
	struct io_uring_cqe *cqe;
	long res;

	if (rnd(2))
		io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
	res = io_uring_submit_and_wait(&ring, 1);
	if (res < 0)
		return res;
	res = io_uring_wait_cqe(&ring, &cqe);
	if (res)
		return res;
	res = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return res;
}

static void ring_use(struct target *t)
{
	struct look looks[MOST_PAGES];
	unsigned int page, n;
	__u64 seq, wipes, stamp;
	struct io_uring_sqe *sqe;
	int err;

	if (ring.ring_fd <= 0) {
		err = io_uring_queue_init(4, &ring, 0);
		if (err == -ENOMEM)
			count(C_NO_MEMORY);
		else if (err)
			error_at(E_CALL, "actor %u: io_uring: %s", self.slot, strerror(-err));
		if (err)
			return;
	}
	sqe = io_uring_get_sqe(&ring);
	if (rnd(2)) {
		n = pick_pages(&page);
		looks_begin(looks, t, page, n);
		io_uring_prep_read(sqe, t->fd, buffer, n * PAGE, (__u64)page_at(t->slot, page));
		check_copied(looks, n, ring_result(sqe), "io_uring read");
	} else {
		page = pick_page();
		look_begin(&looks[0], t->slot, t->inc, page, &t->chain);
		seq = write_begin(&looks[0], PATH_COPY, &wipes);
		stamp = own_stamp(t, page, seq);
		io_uring_prep_write(sqe, t->fd, &stamp, sizeof(stamp), own_word_at(t, page));
		written(&looks[0], wipes, seq, ring_result(sqe), "io_uring write");
	}
	count(C_URING);
}

void copies_step(struct target *t)
{
	switch (rnd(4)) {
	case 0:
		read_pages(t);
		break;
	case 1:
		write_word(t);
		break;
	case 2:
		transfer_words(t);
		break;
	default:
		ring_use(t);
	}
}
