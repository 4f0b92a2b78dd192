// SPDX-License-Identifier: LGPL-2.1-or-later
/* Output: messages, foreign text, hexdumps, JSON. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "tool.h"

int fail(int status, const char *fmt, ...)
{
	va_list ap;

	/* What was found before the trouble comes first. */
	fflush(stdout);
	va_start(ap, fmt);
	fputs("xmap: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return status;
}

void notice(const char *fmt, ...)
{
	va_list ap;

	if (common.quiet)
		return;
	va_start(ap, fmt);
	fputs("xmap: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

/*
 * Length of the well-formed UTF-8 sequence at @s, 0 if there is none.  Control
 * characters of Latin-1 (U+0080 to U+009F) do not count: terminals obey them.
 */
static size_t utf8_len(const unsigned char *s, size_t len)
{
	uint32_t c;
	size_t n, i;

	if (s[0] < 0x80)
		return 1;
	n = s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 :
	    s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : 0;
	if (!n || n > len)
		return 0;
	c = s[0] & (0x7f >> n);
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < 0xa0 || (n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) ||
	    (c >= 0xd800 && c < 0xe000))
		return 0;
	return n;
}

void put_text(FILE *f, const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t i, n;

	for (i = 0; i < len; i += n) {
		n = utf8_len(s + i, len - i);
		if (!n || s[i] < 0x20 || s[i] == 0x7f || s[i] == '\\') {
			n = 1;
			if (s[i] == '\\')
				fputs("\\\\", f);
			else
				fprintf(f, "\\x%02x", s[i]);
		} else {
			fwrite(s + i, 1, n, f);
		}
	}
}

/* Bytes that are not UTF-8 become U+FFFD: JSON has no other way. */
void json_string(FILE *f, const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t i, n;

	fputc('"', f);
	for (i = 0; i < len; i += n) {
		n = utf8_len(s + i, len - i);
		if (!n) {
			n = 1;
			fputs("\\ufffd", f);
		} else if (s[i] == '"' || s[i] == '\\') {
			fprintf(f, "\\%c", s[i]);
		} else if (s[i] < 0x20 || s[i] == 0x7f) {
			fprintf(f, "\\u%04x", s[i]);
		} else {
			fwrite(s + i, 1, n, f);
		}
	}
	fputc('"', f);
}

void json_hex(FILE *f, const void *buf, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *s = buf;
	size_t i;

	for (i = 0; i < len; i++) {
		fputc(digits[s[i] >> 4], f);
		fputc(digits[s[i] & 15], f);
	}
}

const char *json_bool(bool set)
{
	return set ? "true" : "false";
}

void put_hexdump(FILE *f, uint64_t addr, const void *buf, size_t len)
{
	const unsigned char *s = buf;
	size_t row, i, n;

	for (row = 0; row < len; row += 16) {
		n = len - row < 16 ? len - row : 16;
		fprintf(f, "%012" PRIx64 " ", addr + row);
		for (i = 0; i < 16; i++) {
			if (i % 8 == 0)
				fputc(' ', f);
			if (i < n)
				fprintf(f, "%02x ", s[row + i]);
			else
				fputs("   ", f);
		}
		fputs(" |", f);
		for (i = 0; i < n; i++)
			fputc(s[row + i] >= 0x20 && s[row + i] < 0x7f ? s[row + i] : '.', f);
		fputs("|\n", f);
	}
}

/* The last thing: output that did not get out is an error of its own. */
int out_finish(int status)
{
	if (fflush(stdout) || ferror(stdout)) {
		int err = errno;

		return fail(status ? status : XC_FAIL, "cannot write the output: %s",
			    err ? strerror(err) : "an earlier error");
	}
	return status;
}
