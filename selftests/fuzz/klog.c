// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's log: does it report a fault?  The patterns are those of selftests/vm/reports.py. */
#include <fcntl.h>
#include <regex.h>

#include "fuzz.h"
#include "patterns.h"

static regex_t report, user;
static int kmsg = -1;

void klog_open(void)
{
	if (regcomp(&report, REPORT_PATTERN, REG_EXTENDED | REG_NOSUB) ||
	    regcomp(&user, USER_PATTERN, REG_EXTENDED | REG_NOSUB)) {
		fprintf(stderr, "fuzz: the patterns of kernel reports do not compile\n");
		exit(1);
	}
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
}

/* The first report since the last call, or NULL. */
const char *klog_read(void)
{
	static char line[1024], found[1024];
	static bool oom;
	char *text;
	ssize_t n;

	found[0] = '\0';
	while (kmsg >= 0) {
		n = read(kmsg, line, sizeof(line) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		line[n] = '\0';
		text = strchr(line, ';');
		text = text ? text + 1 : line;
		text[strcspn(text, "\n")] = '\0';
		if (strstr(text, OOM_PATTERN))
			oom = true;
		else if (oom && strstr(text, "Call Trace"))
			oom = false;
		else if (!found[0] && !regexec(&report, text, 0, NULL, 0) &&
			 regexec(&user, text, 0, NULL, 0))
			memcpy(found, text, strlen(text) + 1);
	}
	return found[0] ? found : NULL;
}
