// SPDX-License-Identifier: LGPL-2.1-or-later
/* xmap write: change memory of a process. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define CHUNK (256U << 10)

static bool force, verify, nul, json;
static const char *type_name, *hex_text, *file_name, *string_text;

static const struct opt opts[] = {
	{ "type", 't', "TYPE", "type of the values: u8 to u64, i8 to i64, f32, f64, ptr",
	  NULL, &type_name },
	{ "hex", 'x', "BYTES", "write bytes, such as \"90 cc\" or 90cc", NULL, &hex_text },
	{ "string", 's', "TEXT", "write a text, without a NUL at its end", NULL, &string_text },
	{ "nul", 0, NULL, "with --string: and a NUL", &nul, NULL },
	{ "file", 'f', "FILE", "write what a file holds; - for standard input", NULL, &file_name },
	{ "force", 'F', NULL, "write also what the process maps read-only", &force, NULL },
	{ "verify", 'v', NULL, "read it back and compare", &verify, NULL },
	{ "json", 'j', NULL, "one JSON object", &json, NULL },
	{ 0 },
};

struct job {
	struct session s;
	uint64_t addr;
	uint64_t done;
	/* What is written: bytes here, or a file. */
	uint8_t *data;
	size_t length;
	int fd;
};

/* One copy; with --force through XMAP_TRANSFER_FORCE, which nothing else implies. */
static ssize_t put(struct job *job, uint64_t addr, const void *buf, size_t n)
{
	struct xmap_copy copy = {
		.target = job->s.target,
		.flags = XMAP_TRANSFER_WRITE | XMAP_TRANSFER_FORCE,
		.addr = addr,
		.buf = (void *)buf,
		.length = n,
	};
	ssize_t rc;

	if (!force)
		return xmap_write(job->s.target, addr, buf, n);
	rc = xmap_transfer(job->s.dev, &copy, 1);
	return rc < 0 ? rc : copy.result;
}

static int compare(struct job *job, uint64_t addr, const uint8_t *buf, size_t n)
{
	size_t done = 0, i;
	uint8_t back[4096];
	ssize_t got;

	while (done < n) {
		got = n - done < sizeof(back) ? n - done : sizeof(back);
		got = xmap_read(job->s.target, addr + done, back, got);
		if (got <= 0)
			return session_fail(&job->s, got ? got : -EFAULT, addr + done, false);
		for (i = 0; i < (size_t)got; i++) {
			if (back[i] != buf[done + i])
				return fail(XC_VERIFY,
					    "0x%" PRIx64 " holds %02x, not %02x: it changed since",
					    addr + done + i, back[i], buf[done + i]);
		}
		done += got;
	}
	return XC_OK;
}

static int put_all(struct job *job, const uint8_t *buf, size_t n)
{
	uint64_t addr = job->addr + job->done;
	size_t done = 0;
	ssize_t now;

	if (n && addr + (n - 1) < addr)
		return fail(XC_USAGE, "0x%" PRIx64 " plus a length of %zu wraps around", addr, n);
	while (done < n) {
		now = put(job, addr + done, buf + done, n - done);
		if (now <= 0)
			return session_fail(&job->s, now ? now : -EFAULT, addr + done, true);
		done += now;
		job->done += now;
	}
	return verify ? compare(job, addr, buf, n) : XC_OK;
}

static int put_file(struct job *job)
{
	uint8_t *buf;
	int rc = XC_OK;
	ssize_t n;

	buf = malloc(CHUNK);
	if (!buf)
		return fail(XC_FAIL, "no memory for a buffer");
	while (!rc) {
		n = read(job->fd, buf, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = fail(XC_FAIL, "cannot read %s: %s", file_name, strerror(errno));
		if (n <= 0)
			break;
		rc = put_all(job, buf, n);
	}
	free(buf);
	return rc;
}

static int parse_hex(struct job *job)
{
	unsigned int byte;
	const char *p;

	job->data = malloc(strlen(hex_text) / 2 + 1);
	if (!job->data)
		return fail(XC_FAIL, "no memory");
	for (p = hex_text; *p; ) {
		if (isspace((unsigned char)*p)) {
			p++;
			continue;
		}
		if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]) ||
		    sscanf(p, "%2x", &byte) != 1)
			return fail(XC_USAGE, "`%s` is not a row of bytes such as 90cc", hex_text);
		job->data[job->length++] = byte;
		p += 2;
	}
	if (!job->length)
		return fail(XC_USAGE, "--hex holds no bytes");
	return XC_OK;
}

static int parse_values(struct job *job, int argc, char **argv)
{
	const struct value_type *type;
	uint64_t addr;
	int i, rc;

	rc = value_type_find(type_name, &type);
	if (rc)
		return rc;
	job->data = malloc(argc * VALUE_MAX);
	if (!job->data)
		return fail(XC_FAIL, "no memory");
	for (i = 0; i < argc; i++) {
		if (type->kind == VALUE_PTR) {
			rc = session_addr(&job->s, argv[i], &addr);
			memcpy(job->data + job->length, &addr, sizeof(addr));
		} else {
			rc = value_parse(type, argv[i], job->data + job->length);
		}
		if (rc)
			return rc;
		job->length += type->size;
	}
	return XC_OK;
}

static int prepare(struct job *job, int argc, char **argv)
{
	if (hex_text)
		return parse_hex(job);
	if (string_text) {
		job->length = strlen(string_text) + nul;
		if (!job->length)
			return fail(XC_USAGE, "--string holds no bytes");
		job->data = (uint8_t *)strdup(string_text);
		return job->data ? XC_OK : fail(XC_FAIL, "no memory");
	}
	if (!file_name)
		return parse_values(job, argc, argv);
	if (!strcmp(file_name, "-")) {
		job->fd = STDIN_FILENO;
		return XC_OK;
	}
	job->fd = open(file_name, O_RDONLY | O_CLOEXEC);
	if (job->fd < 0)
		return fail(XC_FAIL, "cannot open %s: %s", file_name, strerror(errno));
	return XC_OK;
}

static int check_usage(int values)
{
	int ways = !!hex_text + !!string_text + !!file_name + !!values;

	if (ways != 1)
		return fail(XC_USAGE, "give one of: values, --hex, --string, --file");
	if (values && !type_name)
		return fail(XC_USAGE,
			    "give the --type of the value: it says how many bytes are written");
	if (!values && type_name)
		return fail(XC_USAGE,
			    "--type goes with values, not with --hex, --string or --file");
	if (nul && !string_text)
		return fail(XC_USAGE, "--nul goes with --string");
	return XC_OK;
}

static void report(const struct job *job, int rc)
{
	if (json)
		printf("{\"pid\":%d,\"address\":%" PRIu64 ",\"length\":%" PRIu64
		       ",\"complete\":%s,\"verified\":%s}\n",
		       job->s.pid, job->addr, job->done,
		       rc && rc != XC_VERIFY ? "false" : "true", verify && !rc ? "true" : "false");
	else if (job->done && !common.quiet)
		printf("wrote %" PRIu64 " bytes at 0x%" PRIx64 " of %s%s\n", job->done, job->addr,
		       job->s.who, verify && !rc ? ", verified" : "");
}

static int run(int argc, char **argv)
{
	uint32_t rights = XMAP_RIGHT_READ | XMAP_RIGHT_WRITE | (force ? XMAP_RIGHT_FORCE : 0);
	struct job job = { .fd = -1 };
	int rc;

	rc = check_usage(argc - 2);
	if (rc)
		return rc;
	rc = session_open(&job.s, argv[0], rights);
	if (rc)
		return rc;
	rc = session_addr(&job.s, argv[1], &job.addr);
	if (!rc)
		rc = prepare(&job, argc - 2, argv + 2);
	if (!rc) {
		rc = job.fd >= 0 ? put_file(&job) : put_all(&job, job.data, job.length);
		report(&job, rc);
	}
	if (job.fd > STDIN_FILENO)
		close(job.fd);
	free(job.data);
	session_close(&job.s);
	return rc;
}

const struct cmd cmd_write = {
	.name = "write",
	.args = "PROCESS ADDRESS [VALUE...]",
	.summary = "Change memory of a process",
	.details =
		"  xmap write 1234 0x7ffe1234 42 --type u32\n"
		"  xmap write 1234 libc.so.6+0x1d2a40 --hex \"90 90\" --verify\n"
		"A ptr value may be an address such as libc.so.6:environ.\n",
	.opts = opts,
	.min_args = 2,
	.max_args = -1,
	.run = run,
};
