// SPDX-License-Identifier: LGPL-2.1-or-later
/* Text of a foreign process on its way to the terminal or into JSON: the input. */
#include <ctype.h>
#include <string.h>

#include "fuzz.h"

/* Length of a UTF-8 sequence by the letter of RFC 3629; 0 if it is none. */
static size_t sequence(const unsigned char *s, size_t left)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 :
		   s[0] < 0xf5 ? 4 : 0;
	size_t i;

	if (n > left || (n > 1 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
				   (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))))
		return 0;
	for (i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0;
	}
	return n;
}

/* No terminal takes any of it for a command, and no reader for something else. */
static void check_clean(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t i, n;

	for (i = 0; i < len; i += n) {
		n = sequence(s + i, len - i);
		must(n);
		must(s[i] >= 0x20 && s[i] != 0x7f);
		must(n != 2 || s[i] != 0xc2 || s[i + 1] >= 0xa0);
	}
}

static int hex(char c)
{
	must(isxdigit((unsigned char)c) && !isupper((unsigned char)c));
	return isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10;
}

/* put_text() loses nothing: here is the way back. */
static void check_text(const char *out, size_t len, const uint8_t *data, size_t size)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++, n++) {
		int byte = (unsigned char)out[i];

		must(n < size);
		if (byte == '\\' && out[++i] != '\\') {
			must(out[i] == 'x' && i + 2 < len);
			byte = hex(out[i + 1]) << 4 | hex(out[i + 2]);
			i += 2;
		}
		must(byte == data[n]);
	}
	must(n == size);
}

static void check_json(const char *out, size_t len)
{
	size_t i, k;

	must(len >= 2 && out[0] == '"' && out[len - 1] == '"');
	for (i = 1; i < len - 1; i++) {
		must(out[i] != '"');
		if (out[i] != '\\')
			continue;
		i++;
		must(i < len - 1 && strchr("\"\\u", out[i]));
		for (k = 0; out[i] == 'u' && k < 4; k++)
			hex(out[i + 1 + k]);
	}
	must(i == len - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *out = NULL;
	size_t len, hexdump;
	FILE *f;

	f = open_memstream(&out, &len);
	must(f);
	put_text(f, (const char *)data, size);
	must(!fflush(f));
	check_clean(out, len);
	check_text(out, len, data, size);

	rewind(f);
	json_string(f, (const char *)data, size);
	must(!fflush(f));
	check_clean(out, len);
	check_json(out, len);

	rewind(f);
	json_hex(f, data, size);
	must(!fflush(f) && len == 2 * size);

	rewind(f);
	put_hexdump(f, 0xffffffffffffff00, data, size);
	must(!fflush(f));
	for (hexdump = 0; hexdump < len; hexdump++)
		must(out[hexdump] == '\n' || isprint((unsigned char)out[hexdump]));
	fclose(f);
	free(out);
	return 0;
}
