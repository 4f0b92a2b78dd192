// SPDX-License-Identifier: LGPL-2.1-or-later
/* Signals that end a command which holds something for others. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#include "tool.h"

int signals_catch(int *ret)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	*ret = signalfd(-1, &set, SFD_CLOEXEC);
	return *ret < 0 ? fail(XC_FAIL, "no signalfd: %s", strerror(errno)) : XC_OK;
}
