// SPDX-License-Identifier: LGPL-2.1-or-later
// The library from C++: read a variable of this very process.
#include <unistd.h>

#include "xmap.h"

int main()
{
	XMAP_OPTS(xmap_open_opts, opts, .backend = XMAP_BACKEND_SYSCALLS);
	xmap_dev *dev = nullptr;
	xmap_target *target = nullptr;
	long secret = 4711;
	long copy = 0;

	if (xmap_open(&opts, &dev))
		return 1;
	if (xmap_target_open_pid(dev, getpid(), nullptr, &target))
		return 1;
	auto n = xmap_read(target, reinterpret_cast<uintptr_t>(&secret), &copy, sizeof(copy));
	xmap_target_close(target);
	xmap_close(dev);
	return n == sizeof(copy) && copy == secret ? 0 : 1;
}
