// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the fuzzer of ELF files begins with, compiled: symbols of all kinds. */
int seed_data = 1;
__thread int seed_tls;

static int seed_local(int n)
{
	return n + seed_data;
}

int seed_function(void)
{
	return seed_local(seed_tls);
}

int seed_call(void)
{
	return seed_function() + seed_local(2);
}
