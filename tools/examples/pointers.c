// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pointers - a list with plain pointers in memory that has the same address in two
 * processes.  The one writes it, and later puts a new list on new pages in its place; the
 * other learns of that by an eventfd in its event loop, and knows the old list from the
 * new one by the memory's generation.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmap.h>

struct item {
	struct item *next;
	char word[24];
};

/* @first is set last: who finds it set finds all of the list. */
struct list {
	struct item *first;
	struct item items[8];
};

#define LENGTH 4096UL

static long check(const char *what, long rc)
{
	if (rc >= 0)
		return rc;
	fprintf(stderr, "pointers: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static void write_list(struct list *list, const char *const *words)
{
	struct item *item = list->items;

	for (; *words; words++, item++) {
		strcpy(item->word, *words);
		item->next = words[1] ? item + 1 : NULL;
	}
	__atomic_store_n(&list->first, list->items, __ATOMIC_RELEASE);
}

static uint64_t generation(struct xmap_region *region)
{
	struct xmap_cmd_region_info info;

	/* It also has poll() say POLLIN again for what happens from now on. */
	check("info", xmap_region_info(region, &info));
	return info.out_generation;
}

/* Return: is there a list that was not read yet? */
static int read_list(struct xmap_region *region, const struct list *list, uint64_t *next)
{
	uint64_t now = generation(region);
	const struct item *item;
	char text[256] = "";

	item = __atomic_load_n(&list->first, __ATOMIC_ACQUIRE);
	if (!item || now < *next)
		return 0;
	/* Where the writer is not trusted, each of them would have to be looked at first. */
	for (; item; item = item->next)
		strcat(strcat(text, " "), item->word);
	/* Pages that were changed meanwhile were not of one list. */
	if (generation(region) != now)
		return 0;
	printf("reader: at %p, generation %lu:%s\n", (void *)list, now, text);
	*next = now + 1;
	return 1;
}

/* Waits in one place for all that can happen: here, the region, and the writer's end. */
static void serve(struct xmap_region *region, int sock)
{
	int bell = check("eventfd", eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	int loop = check("epoll", epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event event = { .events = EPOLLIN };
	struct pollfd pfd = { .fd = xmap_region_fd(region), .events = POLLIN };
	uint64_t rings, next = 0;
	void *list;

	check("map", xmap_region_map(region, 0, LENGTH, PROT_READ, &list));
	check("bell", xmap_region_eventfd(region, bell));
	event.data.fd = bell;
	check("watch", epoll_ctl(loop, EPOLL_CTL_ADD, bell, &event));
	event.data.fd = sock;
	check("watch", epoll_ctl(loop, EPOLL_CTL_ADD, sock, &event));
	/* What had happened before there was a bell did not ring it: so look at once. */
	do {
		if (event.data.fd == bell)
			check("bell", read(bell, &rings, sizeof(rings)));
		else if (recv(sock, &rings, 1, MSG_DONTWAIT) == 0)
			return;
		poll(&pfd, 1, 0);
		if (pfd.revents & POLLHUP) {
			printf("reader: it was taken away\n");
			return;
		}
		if (read_list(region, list, &next))
			check("answer", write(sock, "", 1));
	} while (epoll_wait(loop, &event, 1, -1) == 1);
}

static void wait_for_reader(int sock)
{
	char c;

	if (read(sock, &c, 1) != 1)
		exit(1);
}

static const char *const first[] = { "fish", "soup", "bread", NULL };
static const char *const second[] = { "tea", "cake", NULL };

int main(void)
{
	XMAP_OPTS(struct xmap_region_opts, opts, .flags = XMAP_REGION_FIXED_ADDRESS);
	struct xmap_region *region, *lent;
	struct xmap_dev *dev;
	struct list *list;
	int socks[2], status;
	uint64_t now;
	void *addr;

	setvbuf(stdout, NULL, _IOLBF, 0);
	check("xmap", xmap_open(NULL, &dev));
	check("region", xmap_region_create(dev, LENGTH, &opts, &region));
	check("lend", xmap_region_derive(region, XMAP_RIGHT_READ, 0, 0, &lent));
	check("sockets", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks) ? -1 : 0);
	if (!fork()) {
		close(socks[0]);
		xmap_region_close(region);
		serve(lent, socks[1]);
		return 0;
	}
	close(socks[1]);

	/* No address is asked for: it has one. */
	check("map", xmap_region_map(region, 0, LENGTH, PROT_READ | PROT_WRITE, &addr));
	list = addr;
	printf("writer: at %p, the first item at %p\n", addr, (void *)list->items);
	write_list(list, first);
	check("notify", xmap_region_notify(region));
	wait_for_reader(socks[0]);

	check("rebind", xmap_region_rebind(region, &now));
	printf("writer: new pages, generation %lu, the first item: %s\n", now,
	       list->first ? "still there" : "none");
	write_list(list, second);
	check("notify", xmap_region_notify(region));
	wait_for_reader(socks[0]);

	check("revoke", xmap_region_revoke(lent, 0, 0));
	return wait(&status) < 0 || status;
}
