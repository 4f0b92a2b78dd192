// SPDX-License-Identifier: LGPL-2.1-or-later
/* Numbers, lengths with a unit, and typed values. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const struct value_type types[] = {
	{ "u8", VALUE_UNSIGNED, 1 }, { "u16", VALUE_UNSIGNED, 2 },
	{ "u32", VALUE_UNSIGNED, 4 }, { "u64", VALUE_UNSIGNED, 8 },
	{ "i8", VALUE_SIGNED, 1 }, { "i16", VALUE_SIGNED, 2 },
	{ "i32", VALUE_SIGNED, 4 }, { "i64", VALUE_SIGNED, 8 },
	{ "f32", VALUE_FLOAT, 4 }, { "f64", VALUE_FLOAT, 8 },
	{ "ptr", VALUE_PTR, 8 }, { "str", VALUE_STR, 1 },
};

/* Decimal or 0x..., nothing around it.  -errno, no message. */
static int digits_parse(const char *text, uint64_t *ret, const char **end)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	unsigned long long n;
	char *rest;

	/* strtoull() takes blanks, signs and a bare 0x as well. */
	if (hex ? !isxdigit((unsigned char)text[2]) : !isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &rest, hex ? 16 : 10);
	if (errno)
		return -errno;
	*ret = n;
	*end = rest;
	return 0;
}

int number_parse(const char *text, const char *what, uint64_t *ret)
{
	const char *end;
	uint64_t n;
	int rc;

	rc = digits_parse(text, &n, &end);
	if (rc == -ERANGE)
		return fail(XC_USAGE, "%s `%s` is too large", what, text);
	if (rc || *end)
		return fail(XC_USAGE, "%s `%s` is not a number (decimal or 0x...)", what, text);
	*ret = n;
	return XC_OK;
}

int size_parse(const char *text, const char *what, uint64_t *ret)
{
	static const char units[] = "KMGT";
	const char *end, *unit;
	unsigned int shift = 0;
	uint64_t n;
	int rc;

	rc = digits_parse(text, &n, &end);
	if (!rc && *end) {
		unit = strchr(units, toupper((unsigned char)*end));
		shift = unit ? (unit - units + 1) * 10 : 0;
		if (!unit || end[1])
			rc = -EINVAL;
		else if (n > UINT64_MAX >> shift)
			rc = -ERANGE;
	}
	if (rc == -ERANGE)
		return fail(XC_USAGE, "%s `%s` is too large", what, text);
	if (rc)
		return fail(XC_USAGE, "%s `%s` is not a size (a number, then K, M, G or T)",
			    what, text);
	if (!n)
		return fail(XC_USAGE, "%s must be 1 or more", what);
	*ret = n << shift;
	return XC_OK;
}

int interval_parse(const char *text, int *ret)
{
	double seconds;
	char *end;

	*ret = 1000;
	if (!text)
		return XC_OK;
	seconds = strtod(text, &end);
	if (end == text || *end || !isfinite(seconds) || seconds < 0.001 ||
	    seconds > INT_MAX / 1000)
		return fail(XC_USAGE, "interval `%s` is not a number of seconds from 0.001 to %d",
			    text, INT_MAX / 1000);
	*ret = (int)(seconds * 1000);
	return XC_OK;
}

int value_type_find(const char *name, const struct value_type **ret)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		if (!strcmp(types[i].name, name)) {
			*ret = &types[i];
			return XC_OK;
		}
	}
	return fail(XC_USAGE, "no type `%s`; there are u8 to u64, i8 to i64, f32, f64, ptr, str",
		    name);
}

static int float_parse(const struct value_type *type, const char *text, void *ret)
{
	double d;
	char *end;
	float f;

	d = strtod(text, &end);
	f = (float)d;
	if (end == text || *end || isspace((unsigned char)text[0]))
		return fail(XC_USAGE, "`%s` is not a number", text);
	if (isfinite(d) && !isfinite(f) && type->size == 4)
		return fail(XC_USAGE, "%s does not fit %s", text, type->name);
	if (type->size == 4)
		memcpy(ret, &f, 4);
	else
		memcpy(ret, &d, 8);
	return XC_OK;
}

/* The value's bytes as x86 stores them: the low ones first. */
int value_parse(const struct value_type *type, const char *text, void *ret)
{
	unsigned int bits = type->size * 8;
	bool minus = text[0] == '-';
	uint64_t n, max;
	const char *end;
	int rc;

	if (type->kind == VALUE_FLOAT)
		return float_parse(type, text, ret);
	if (type->kind == VALUE_STR)
		return fail(XC_USAGE, "a text is written with --string");
	rc = digits_parse(text + minus, &n, &end);
	if ((rc && rc != -ERANGE) || (!rc && *end))
		return fail(XC_USAGE, "`%s` is not a number (decimal or 0x...)", text);
	if (type->kind == VALUE_SIGNED)
		max = (UINT64_C(1) << (bits - 1)) - !minus;
	else
		max = minus ? 0 : UINT64_MAX >> (64 - bits);
	if (rc || n > max)
		return fail(XC_USAGE, "%s does not fit %s", text, type->name);
	if (minus)
		n = -n;
	memcpy(ret, &n, type->size);
	return XC_OK;
}

static void float_put(FILE *f, double d, int digits, bool json)
{
	if (isfinite(d))
		fprintf(f, "%.*g", digits, d);
	else
		fprintf(f, json ? "\"%s%s\"" : "%s%s", signbit(d) ? "-" : "",
			isnan(d) ? "nan" : "inf");
}

void value_put(FILE *f, const struct value_type *type, const void *bytes, bool json)
{
	unsigned int unused = 64 - type->size * 8;
	uint64_t n = 0;
	double d;
	float s;

	memcpy(&n, bytes, type->size);
	switch (type->kind) {
	case VALUE_UNSIGNED:
		fprintf(f, "%" PRIu64, n);
		break;
	case VALUE_SIGNED:
		fprintf(f, "%" PRId64, (int64_t)(n << unused) >> unused);
		break;
	case VALUE_PTR:
		fprintf(f, json ? "%" PRIu64 : "0x%" PRIx64, n);
		break;
	case VALUE_FLOAT:
		if (type->size == 4) {
			memcpy(&s, bytes, 4);
			float_put(f, s, 9, json);
		} else {
			memcpy(&d, bytes, 8);
			float_put(f, d, 17, json);
		}
		break;
	case VALUE_STR:
		break;
	}
}
