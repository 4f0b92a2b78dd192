// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * debugger PID ADDRESS [VALUE]: show the word at an address, and what is mapped
 * there; set it.  Numbers are hexadecimal.  Works with and without the module.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <xmap.h>

int main(int argc, char **argv)
{
	XMAP_OPTS(struct xmap_target_opts, opts, .rights = XMAP_RIGHT_READ, .length = 8);
	unsigned long addr, old, value;
	const struct xmap_vma *vma;
	struct xmap_target *target;
	struct xmap_maps *maps;
	struct xmap_dev *dev;
	int pid, rc;
	char c;

	if (argc < 3 || argc > 4 || sscanf(argv[1], "%9d%c", &pid, &c) != 1 ||
	    sscanf(argv[2], "%lx%c", &addr, &c) != 1 ||
	    sscanf(argv[argc - 1], "%lx%c", &value, &c) != 1)
		errx(2, "usage: %s PID HEX-ADDRESS [HEX-VALUE]", argv[0]);
	opts.addr = addr;
	if (argc == 4)
		opts.rights |= XMAP_RIGHT_WRITE;

	rc = xmap_open(NULL, &dev);
	if (!rc)
		rc = xmap_target_open_pid(dev, pid, &opts, &target);
	if (!rc)
		rc = xmap_maps_open(target, &maps);
	if (rc)
		errx(1, "process %d at %#lx: %s", pid, addr, strerror(-rc));
	/* The target is 8 bytes long, so the first mapping is the one that they are in. */
	if (xmap_maps_next(maps, &vma) != 1 || xmap_read(target, addr, &old, 8) != 8)
		errx(1, "process %d has no 8 bytes to read at %#lx", pid, addr);
	printf("%#lx in %s\n", old, vma->name_len ? vma->name : "anonymous memory");
	if (argc == 4 && xmap_write(target, addr, &value, 8) != 8)
		errx(1, "process %d may not write 8 bytes at %#lx", pid, addr);
	return 0;
}
