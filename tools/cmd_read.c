// SPDX-License-Identifier: LGPL-2.1-or-later
/* xmap read: memory of a process as a hexdump, raw bytes, typed values or text. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* A multiple of the hexdump's row and of every type's size. */
#define CHUNK (256U << 10)
#define DUMP_DEFAULT 256
#define STRING_DEFAULT 4096

static bool json, raw;
static const char *type_name, *count_text;

static const struct opt opts[] = {
	{ "type", 't', "TYPE", "u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 ptr str", NULL, &type_name },
	{ "count", 'n', "N", "how many values of that type (1)", NULL, &count_text },
	{ "raw", 'r', NULL, "the bytes themselves", &raw, NULL },
	{ "json", 'j', NULL, "one JSON object", &json, NULL },
	{ 0 },
};

struct request {
	struct session *s;
	const struct value_type *type;
	uint64_t addr;
	uint64_t length;
	uint64_t count;
};

static void put_values(const struct request *req, const uint8_t *buf, size_t n, bool first)
{
	size_t i;

	for (i = 0; i + req->type->size <= n; i += req->type->size) {
		if (json && !(first && !i))
			putchar(',');
		value_put(stdout, req->type, buf + i, json);
		if (!json)
			putchar('\n');
	}
}

static void put_chunk(const struct request *req, uint64_t done, const uint8_t *buf, size_t n)
{
	if (raw)
		fwrite(buf, 1, n, stdout);
	else if (req->type)
		put_values(req, buf, n, !done);
	else if (json)
		json_hex(stdout, buf, n);
	else
		put_hexdump(stdout, req->addr + done, buf, n);
}

/* Fill @buf as far as there is memory.  Bytes, and in *err why there are not more. */
static size_t fill(const struct request *req, uint64_t addr, uint8_t *buf, size_t n, long *err)
{
	size_t done = 0;
	ssize_t got;

	*err = 0;
	while (done < n) {
		got = xmap_read(req->s->target, addr + done, buf + done, n - done);
		if (got <= 0) {
			*err = got ? got : -EFAULT;
			break;
		}
		done += got;
	}
	return done;
}

static void json_head(const struct request *req)
{
	printf("{\"pid\":%d,\"name\":", req->s->pid);
	json_string(stdout, req->s->name, strlen(req->s->name));
	printf(",\"address\":%" PRIu64, req->addr);
	if (req->type)
		printf(",\"type\":\"%s\",\"values\":[", req->type->name);
	else
		fputs(",\"hex\":\"", stdout);
}

/* However the reading ended, what was printed is a whole object. */
static void json_tail(const struct request *req, uint64_t done, bool complete)
{
	printf("%s,\"length\":%" PRIu64 ",\"complete\":%s}\n", req->type ? "]" : "\"", done,
	       complete ? "true" : "false");
}

static int read_bytes(const struct request *req)
{
	uint64_t done = 0;
	uint8_t *buf;
	long err = 0;
	size_t n;

	buf = malloc(CHUNK);
	if (!buf)
		return fail(XC_FAIL, "no memory for a buffer");
	if (json)
		json_head(req);
	while (done < req->length && !err && !ferror(stdout)) {
		n = req->length - done < CHUNK ? req->length - done : CHUNK;
		n = fill(req, req->addr + done, buf, n, &err);
		put_chunk(req, done, buf, n);
		done += n;
	}
	if (json)
		json_tail(req, done, !err);
	free(buf);
	return err ? session_fail(req->s, err, req->addr + done, false) : XC_OK;
}

/* Texts end at their NUL, or after @length bytes; they follow each other in memory. */
static int read_strings(const struct request *req)
{
	uint64_t addr = req->addr, i;
	size_t n, len;
	uint8_t *buf;
	long err = 0;

	buf = malloc(req->length);
	if (!buf)
		return fail(XC_FAIL, "no memory for a text of %" PRIu64 " bytes", req->length);
	if (json)
		json_head(req);
	for (i = 0; i < req->count && !ferror(stdout); i++) {
		n = fill(req, addr, buf, req->length, &err);
		len = strnlen((char *)buf, n);
		/* Memory that ends after the NUL does no harm. */
		if (len < n)
			err = 0;
		if (err) {
			addr += n;
			break;
		}
		if (json) {
			if (i)
				putchar(',');
			json_string(stdout, (char *)buf, len);
		} else {
			put_text(stdout, (char *)buf, len);
			putchar('\n');
		}
		addr += len < n ? len + 1 : len;
	}
	if (json)
		json_tail(req, addr - req->addr, !err);
	free(buf);
	return err ? session_fail(req->s, err, addr, false) : XC_OK;
}

static int parse_length(struct request *req, const char *text)
{
	bool str = req->type && req->type->kind == VALUE_STR;
	int rc;

	req->count = 1;
	if (count_text) {
		if (!req->type)
			return fail(XC_USAGE, "--count counts values: give --type too");
		if (text && !str)
			return fail(XC_USAGE, "give a length or --count, not both");
		rc = size_parse(count_text, "count", &req->count);
		if (rc)
			return rc;
	}
	if (text) {
		rc = size_parse(text, "length", &req->length);
		if (rc)
			return rc;
	} else if (!req->type) {
		req->length = DUMP_DEFAULT;
	} else if (str) {
		req->length = STRING_DEFAULT;
	} else if (__builtin_mul_overflow(req->count, req->type->size, &req->length)) {
		return fail(XC_USAGE, "count %s is too large", count_text);
	}
	if (str && req->length > CHUNK)
		return fail(XC_USAGE, "length %s is too large for a text: at most 256K", text);
	if (req->type && req->length % req->type->size)
		return fail(XC_USAGE, "length %s is not a multiple of the %zu bytes of %s", text,
			    req->type->size, req->type->name);
	return XC_OK;
}

static int run(int argc, char **argv)
{
	struct request req = { 0 };
	struct session s;
	int rc;

	if (raw && (json || type_name))
		return fail(XC_USAGE, "--raw goes with neither --json nor --type");
	if (type_name) {
		rc = value_type_find(type_name, &req.type);
		if (rc)
			return rc;
	}
	rc = parse_length(&req, argc > 2 ? argv[2] : NULL);
	if (rc)
		return rc;
	rc = session_open(&s, argv[0], XMAP_RIGHT_READ);
	if (rc)
		return rc;
	req.s = &s;
	rc = session_addr(&s, argc > 1 ? argv[1] : NULL, &req.addr);
	if (!rc && s.is_export && argc < 3 && !type_name)
		rc = session_length(&s, req.addr, &req.length);
	if (!rc && req.addr + (req.length - 1) < req.addr)
		rc = fail(XC_USAGE, "0x%" PRIx64 " plus a length of %" PRIu64 " wraps around",
			  req.addr, req.length);
	if (!rc)
		rc = req.type && req.type->kind == VALUE_STR ? read_strings(&req) :
							       read_bytes(&req);
	session_close(&s);
	return rc;
}

const struct cmd cmd_read = {
	.name = "read",
	.args = "PROCESS ADDRESS [LENGTH]",
	.summary = "Print memory of a process",
	.details =
		"LENGTH is in bytes (K, M, G, T: times 1024, ...); 256 if not given.  ADDRESS is\n"
		"a number, a mapping's name or a symbol, with + and -:\n"
		"  0x7ffe1234  libc.so.6+0x1d2a40  [stack]+0x100  libc.so.6:environ  exe:main+4\n"
		"Of what somebody shares (see `xmap share --help`), @NAME or @0x... for its id, the\n"
		"beginning is called `export`, as in export+16; that, and all of it, is the default.\n",
	.opts = opts,
	.min_args = 2,
	.max_args = 3,
	.whole_export = true,
	.run = run,
};
