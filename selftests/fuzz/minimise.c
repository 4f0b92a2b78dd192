// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a program that shows a fault to a small one that shows it: leave out what
 * is not needed, then make plain what need not be odd.
 */
#include <time.h>

#include "fuzz.h"

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

struct search {
	prog_test test;
	void *data;
	time_t end;
};

/* Keep the change if the fault is still there. */
static bool try_change(struct search *s, struct prog *p, const struct prog *changed)
{
	if (now() >= s->end || !s->test(changed, s->data))
		return false;
	*p = *changed;
	return true;
}

static bool drop_calls(struct search *s, struct prog *p)
{
	bool any = false;
	unsigned int len, i;

	/* Large pieces first; from the end, because what comes first is mostly needed. */
	for (len = (p->n + 1) / 2; len; len /= 2) {
		for (i = p->n; i-- > 0;) {
			struct prog less = *p;
			unsigned int n;

			if (i + len > p->n)
				continue;
			for (n = 0; n < len; n++)
				prog_drop(&less, i);
			if (less.n)
				any |= try_change(s, p, &less);
		}
	}
	return any;
}

static void plain_calls(struct search *s, struct prog *p)
{
	unsigned int i;
	int arg;

	for (i = 0; i < p->n; i++) {
		struct prog plain = *p;

		plain.call[i].mode = WAIT;
		if (p->call[i].mode != WAIT)
			try_change(s, p, &plain);
		plain = *p;
		plain.call[i].actor = MAIN;
		if (p->call[i].actor == RACER)
			try_change(s, p, &plain);
		for (arg = 0; arg < call_nargs(&calls[p->call[i].nr]); arg++) {
			plain = *p;
			plain.call[i].arg[arg] = prog_plain_arg(&plain.call[i], arg);
			if (plain.call[i].arg[arg] != p->call[i].arg[arg])
				try_change(s, p, &plain);
		}
	}
}

void prog_minimise(struct prog *p, prog_test test, void *data, unsigned int seconds)
{
	struct search s = { .test = test, .data = data, .end = now() + seconds };

	while (drop_calls(&s, p) && now() < s.end)
		continue;
	plain_calls(&s, p);
	drop_calls(&s, p);
}
