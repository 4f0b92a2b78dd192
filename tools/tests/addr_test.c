// SPDX-License-Identifier: LGPL-2.1-or-later
/* Symbolic addresses and numbers: what is accepted, and what each means. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static struct mapping mappings[] = {
	{ .start = 0x400000, .end = 0x401000, .name = "/usr/bin/prog" },
	{ .start = 0x401000, .end = 0x402000, .offset = 0x1000, .name = "/usr/bin/prog" },
	{ .start = 0x500000, .end = 0x510000, .name = "[heap]" },
	{ .start = 0x600000, .end = 0x601000, .name = "/lib/libstdc++.so.6" },
	{ .start = 0x610000, .end = 0x611000, .name = "/lib/libstdc++.so.6.0.30" },
	{ .start = 0x703000, .end = 0x704000, .offset = 0x3000, .name = "/ld-linux-x86-64.so.2" },
	{ .start = 0x800000, .end = 0x801000, .name = "/a/same.so" },
	{ .start = 0x810000, .end = 0x811000, .name = "/b/same.so" },
	{ .start = 0x900000, .end = 0x901000, .name = "/memfd:pool (deleted)" },
	{ .start = 0xa00000, .end = 0xa01000, .name = "/opt/7z.so" },
	{ .start = 0xa10000, .end = 0xa11000, .name = "/opt/0xabc" },
	{ .start = 0xb00000, .end = 0xb01000, .name = "" },
	{ .start = 0xfffffffffffff000, .end = 0xffffffffffffffff, .name = "[vsyscall]" },
};

static const struct maplist list = { mappings, ARRAY_SIZE(mappings) };

static int maps(void *arg, const struct maplist **ret)
{
	(void)arg;
	*ret = &list;
	return XC_OK;
}

static int symbol(void *arg, const struct mapping *file, const char *name, uint64_t *ret)
{
	(void)arg;
	if (file->name[0] != '/' || strcmp(name, "main"))
		return XC_MEMORY;
	*ret = 0x123;
	return XC_OK;
}

static const struct {
	const char *text;
	int status;
	uint64_t addr;
} addrs[] = {
	{ "0", 0, 0 },
	{ "4096", 0, 4096 },
	{ "010", 0, 10 },
	{ "0x7fFE", 0, 0x7ffe },
	{ "0XfF", 0, 0xff },
	{ "0xffffffffffffffff", 0, UINT64_MAX },
	{ "18446744073709551615", 0, UINT64_MAX },
	{ "1+2-3+0x10", 0, 16 },
	{ "prog", 0, 0x400000 },
	{ "/usr/bin/prog", 0, 0x400000 },
	{ "prog+0x10", 0, 0x400010 },
	{ "0x10+prog", 0, 0x400010 },
	{ "prog:main", 0, 0x400123 },
	{ "prog:main+8-4", 0, 0x400127 },
	{ "/usr/bin/prog:main", 0, 0x400123 },
	{ "exe", 0, 0x400000 },
	{ "exe:main+1", 0, 0x400124 },
	{ "[heap]", 0, 0x500000 },
	{ "[heap]+4-2", 0, 0x500002 },
	{ "libstdc++.so.6", 0, 0x600000 },
	{ "libstdc++.so.6+1", 0, 0x600001 },
	{ "libstdc++.so.6.0.30+1", 0, 0x610001 },
	{ "ld-linux-x86-64.so.2", 0, 0x700000 },
	{ "ld-linux-x86-64.so.2-0x10", 0, 0x6ffff0 },
	{ "/a/same.so+1", 0, 0x800001 },
	{ "memfd:pool+2", 0, 0x900002 },
	{ "/memfd:pool", 0, 0x900000 },
	{ "7z.so", 0, 0xa00000 },
	{ "/opt/0xabc", 0, 0xa10000 },
	{ "0xabc", 0, 0xabc },
	{ "prog-prog", 0, 0 },
	{ "[vsyscall]+0xfff", 0, UINT64_MAX },
	{ "", XC_USAGE, 0 },
	{ "+", XC_USAGE, 0 },
	{ "1+", XC_USAGE, 0 },
	{ "1++2", XC_USAGE, 0 },
	{ "-1", XC_USAGE, 0 },
	{ "1-2", XC_USAGE, 0 },
	{ "0x10000000000000000", XC_USAGE, 0 },
	{ "18446744073709551616", XC_USAGE, 0 },
	{ "0xffffffffffffffff+1", XC_USAGE, 0 },
	{ "[vsyscall]+0x1000", XC_USAGE, 0 },
	{ "same.so", XC_USAGE, 0 },
	{ "prog:", XC_USAGE, 0 },
	{ "prog:+1", XC_USAGE, 0 },
	{ "prog:nothing", XC_MEMORY, 0 },
	{ "[heap]:main", XC_MEMORY, 0 },
	{ "0x", XC_MEMORY, 0 },
	{ "0xzz", XC_MEMORY, 0 },
	{ "7f00", XC_MEMORY, 0 },
	{ "1 ", XC_MEMORY, 0 },
	{ " 1", XC_MEMORY, 0 },
	{ "pro", XC_MEMORY, 0 },
	{ "progg", XC_MEMORY, 0 },
	{ "usr/bin/prog", XC_MEMORY, 0 },
	{ "[heap", XC_MEMORY, 0 },
	{ "[stack]", XC_MEMORY, 0 },
};

static const struct {
	const char *text;
	int status;
	uint64_t size;
} sizes[] = {
	{ "1", 0, 1 },
	{ "0x10", 0, 16 },
	{ "4K", 0, 4096 },
	{ "4k", 0, 4096 },
	{ "0x10M", 0, 16 << 20 },
	{ "3G", 0, 3ULL << 30 },
	{ "2T", 0, 2ULL << 40 },
	{ "18446744073709551615", 0, UINT64_MAX },
	{ "16777215T", 0, 16777215ULL << 40 },
	{ "0", XC_USAGE, 0 },
	{ "0K", XC_USAGE, 0 },
	{ "", XC_USAGE, 0 },
	{ "K", XC_USAGE, 0 },
	{ "4KB", XC_USAGE, 0 },
	{ "4P", XC_USAGE, 0 },
	{ "-1", XC_USAGE, 0 },
	{ "+1", XC_USAGE, 0 },
	{ " 1", XC_USAGE, 0 },
	{ "1.5K", XC_USAGE, 0 },
	{ "16777216T", XC_USAGE, 0 },
	{ "18446744073709551616", XC_USAGE, 0 },
};

static const struct {
	const char *type;
	const char *text;
	int status;
	uint64_t bits;
} values[] = {
	{ "u8", "255", 0, 255 },
	{ "u8", "256", XC_USAGE, 0 },
	{ "u8", "-1", XC_USAGE, 0 },
	{ "u8", "-0", 0, 0 },
	{ "i8", "127", 0, 127 },
	{ "i8", "128", XC_USAGE, 0 },
	{ "i8", "-128", 0, 0x80 },
	{ "i8", "-129", XC_USAGE, 0 },
	{ "u16", "0xffff", 0, 0xffff },
	{ "u16", "65536", XC_USAGE, 0 },
	{ "i32", "-1", 0, 0xffffffff },
	{ "u32", "0x100000000", XC_USAGE, 0 },
	{ "u64", "18446744073709551615", 0, UINT64_MAX },
	{ "u64", "18446744073709551616", XC_USAGE, 0 },
	{ "i64", "-9223372036854775808", 0, 1ULL << 63 },
	{ "i64", "9223372036854775808", XC_USAGE, 0 },
	{ "f32", "1.5", 0, 0x3fc00000 },
	{ "f32", "1e39", XC_USAGE, 0 },
	{ "f32", "inf", 0, 0x7f800000 },
	{ "f64", "-2", 0, 0xc000000000000000 },
	{ "f64", "1.5x", XC_USAGE, 0 },
	{ "f64", "", XC_USAGE, 0 },
	{ "u32", "", XC_USAGE, 0 },
	{ "u32", "12x", XC_USAGE, 0 },
	{ "u32", "--1", XC_USAGE, 0 },
	{ "str", "1", XC_USAGE, 0 },
};

static int count, failed;

static void result(const char *what, const char *text, bool good)
{
	printf("%sok %d - %s `%s`\n", good ? "" : "not ", ++count, what, text);
	failed += !good;
}

static void test_values(void)
{
	const struct value_type *type = NULL;
	uint64_t bits;
	size_t i;
	int rc;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		bits = 0;
		if (value_type_find(values[i].type, &type))
			exit(1);
		rc = value_parse(type, values[i].text, &bits);
		result(values[i].type, values[i].text,
		       rc == values[i].status && (rc || bits == values[i].bits));
	}
}

/* What is meant by "export" where an export is looked at, and that it is a name elsewhere. */
static const struct {
	const char *text;
	int status;
	uint64_t addr;
} export_addrs[] = {
	{ "export", 0, 0x12345 },
	{ "export+0x10", 0, 0x12355 },
	{ "0x10+export-export", 0, 0x10 },
	{ "export-5+prog-prog", 0, 0x12340 },
	{ "prog", 0, 0x400000 },
	{ "export-0x12346", XC_USAGE, 0 },
	{ "exported", XC_MEMORY, 0 },
	{ "export:main", XC_MEMORY, 0 },
	{ "export+", XC_USAGE, 0 },
};

static void test_exports(struct addr_env env)
{
	static const uint64_t start = 0x12345;
	uint64_t n;
	size_t i;
	int rc;

	result("address in a process", "export", addr_parse("export", &env, &n) == XC_MEMORY);
	env.export = &start;
	for (i = 0; i < ARRAY_SIZE(export_addrs); i++) {
		n = 0;
		rc = addr_parse(export_addrs[i].text, &env, &n);
		result("address in an export", export_addrs[i].text,
		       rc == export_addrs[i].status && n == export_addrs[i].addr);
	}
}

int main(void)
{
	const struct addr_env env = {
		.who = "process 1",
		.exe = "/usr/bin/prog",
		.maps = maps,
		.symbol = symbol,
	};
	uint64_t n;
	size_t i;
	int rc;

	/* The messages are not what is tested here. */
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	printf("TAP version 13\n1..%zu\n",
	       ARRAY_SIZE(addrs) + ARRAY_SIZE(sizes) + ARRAY_SIZE(values) + 1 +
	       ARRAY_SIZE(export_addrs));
	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		n = 0;
		rc = addr_parse(addrs[i].text, &env, &n);
		result("address", addrs[i].text, rc == addrs[i].status && n == addrs[i].addr);
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		n = 0;
		rc = size_parse(sizes[i].text, "size", &n);
		result("size", sizes[i].text, rc == sizes[i].status && n == sizes[i].size);
	}
	test_values();
	test_exports(env);
	return failed ? 1 : 0;
}
