// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Numbers, sizes and typed values.  The first line of the input is a type, the
 * second one a text.
 */
#include <math.h>
#include <string.h>

#include "fuzz.h"

static bool is_nan(const struct value_type *type, const void *bytes)
{
	double d;
	float f;

	if (type->kind != VALUE_FLOAT)
		return false;
	memcpy(&d, bytes, sizeof(d));
	memcpy(&f, bytes, sizeof(f));
	return type->size == 4 ? isnan(f) : isnan(d);
}

/* What is printed is what is accepted, and means the same. */
static void check_value(const struct value_type *type, const void *bytes)
{
	uint64_t again = 0;
	char *out = NULL;
	size_t len;
	FILE *f;

	f = open_memstream(&out, &len);
	must(f);
	value_put(f, type, bytes, false);
	fclose(f);
	must(!value_parse(type, out, &again));
	must(is_nan(type, bytes) ? is_nan(type, &again) : !memcmp(&again, bytes, 8));
	free(out);
}

static void check_number(const char *text)
{
	uint64_t n = 4711, size = 4711;
	int rc;

	rc = number_parse(text, "number", &n);
	must(!rc || (rc == XC_USAGE && n == 4711));
	if (!rc) {
		must(n == strtoull(text, NULL, strchr("xX", text[1] ? text[1] : '0') ? 16 : 10));
		rc = size_parse(text, "size", &size);
		must(n ? !rc && size == n : rc == XC_USAGE);
		return;
	}
	rc = size_parse(text, "size", &size);
	must(!rc || (rc == XC_USAGE && size == 4711));
	must(rc || size % 1024 == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_string(data, size), *rest = text;
	const char *name = fuzz_line(&rest);
	const char *value = fuzz_line(&rest);
	const struct value_type *type;
	uint64_t bytes = 0;
	int rc;

	check_number(value);
	if (!value_type_find(name, &type)) {
		rc = value_parse(type, value, &bytes);
		must(!rc || (rc == XC_USAGE && !bytes));
		must(type->size == 8 || !(bytes >> (8 * type->size)));
		/* Only what has a minus sign is negative. */
		if (!rc && type->kind == VALUE_SIGNED && value[0] != '-')
			must(!(bytes >> (8 * type->size - 1)));
		if (!rc)
			check_value(type, &bytes);
	}
	free(text);
	return 0;
}
