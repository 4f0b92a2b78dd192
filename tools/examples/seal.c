// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * seal - give a child memory that nobody changes any more, not even who has written it.
 * The child makes sure of that, and reads it where it is, without a copy.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmap.h>

#define LENGTH 4096UL
#define SEALS (XMAP_REGION_SEAL_WRITE | XMAP_REGION_SEAL_SHRINK | XMAP_REGION_SEAL_GROW)

static long check(const char *what, long rc)
{
	if (rc >= 0)
		return rc;
	fprintf(stderr, "seal: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static void tell(const char *what, long rc)
{
	printf("%s: %s\n", what, rc < 0 ? strerror(-rc) : "done");
}

/*
 * What is sealed stays sealed, so this has to be asked only once.  The memory can still be
 * taken away as a whole: who wants to survive that has a handler for SIGBUS, or copies by
 * pread(2).
 */
static void use(struct xmap_region *region)
{
	struct xmap_cmd_region_info info;
	void *map;

	check("info", xmap_region_info(region, &info));
	if ((info.out_seals & SEALS) != SEALS)
		check("trust", -EPERM);
	check("map", xmap_region_map(region, 0, LENGTH, PROT_READ, &map));
	printf("child:  sealed, and says: %s\n", (const char *)map);
	tell("child:  map it to write", xmap_region_map(region, 0, LENGTH, PROT_WRITE, &map));
}

int main(void)
{
	struct xmap_region *region;
	struct xmap_dev *dev;
	int status;
	void *map;

	setvbuf(stdout, NULL, _IOLBF, 0);
	check("xmap", xmap_open(NULL, &dev));
	check("region", xmap_region_create(dev, LENGTH, NULL, &region));
	check("map", xmap_region_map(region, 0, LENGTH, PROT_READ | PROT_WRITE, &map));
	strcpy(map, "two and two are four");

	/* As long as there is a mapping that can change it, it cannot be promised. */
	tell("parent: seal it while it can write", xmap_region_seal(region, SEALS));
	check("unmap", munmap(map, LENGTH));
	check("seal", xmap_region_seal(region, SEALS | XMAP_REGION_SEAL_SEAL));
	tell("parent: write", pwrite(xmap_region_fd(region), "five", 4, 16) < 0 ? -errno : 0);
	tell("parent: put other pages in its place", xmap_region_rebind(region, NULL));
	tell("parent: make it longer", xmap_region_resize(region, 2 * LENGTH));
	if (!fork()) {
		use(region);
		return 0;
	}
	return wait(&status) < 0 || status;
}
