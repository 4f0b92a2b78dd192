// SPDX-License-Identifier: LGPL-2.1-or-later
/* A target whose /proc/PID/maps has any content. */
#include <string.h>
#include <unistd.h>

#include "../../lib/internal.h"
#include "fuzz.h"
#include "wrap.h"

size_t fuzz_read_max;

static struct xmap_procmaps maps = { .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

ssize_t __wrap_read(int fd, void *buf, size_t length)
{
	if (fuzz_read_max && length > fuzz_read_max)
		length = fuzz_read_max;
	return __real_read(fd, buf, length);
}

struct xmap_target *fuzz_target(const char *text)
{
	/* Never looked into: xmap_proc_maps() below is all that knows it. */
	static struct xmap_target target = { .proc = (struct xmap_proc *)&maps };

	if (maps.fd >= 0)
		close(maps.fd);
	maps.fd = fuzz_file(text, strlen(text));
	target.addr = 0;
	target.length = UINT64_MAX;
	return &target;
}

ssize_t fuzz_allowed(uint64_t addr, size_t length, char right)
{
	return xmap_procmaps_allowed(&maps, addr, length, right);
}

/* What of the library is not linked: the module's side and the process itself. */
int xmap_proc_maps(const struct xmap_target *target, char **ret)
{
	must(target->proc == (struct xmap_proc *)&maps);
	return xmap_procmaps_text(&maps, ret);
}

int xmap_ioctl(int fd, unsigned long command, void *arg)
{
	fprintf(stderr, "ioctl(%d, 0x%lx, %p)\n", fd, command, arg);
	abort();
}
