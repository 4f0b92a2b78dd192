// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * xmap share: offer memory to others, tell who takes it, take it back at the end.
 *
 * The memory is this process's own: a file that it maps, what it read from
 * standard input, or zeros.  While it runs, poll() on the export tells of those
 * who accept, and XMAP_LIST who they are.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "offer.h"

static bool json;
static const char *size_text;
static struct offer_args args;

static const struct opt opts[] = {
	{ "name", 'n', "NAME", "let others find it as @NAME; else they need its id",
	  NULL, &args.name },
	{ "write", 'w', NULL, "others may change it; a file is changed with it",
	  &args.write, NULL },
	{ "size", 's', "LENGTH", "share that many zero bytes, and no file", NULL, &size_text },
	{ "mode", 'm', "MODE", "who may find it, as a file's mode (600)", NULL, &args.mode },
	{ "group", 'g', "GROUP", "group of the mode (your own); the mode is then 660",
	  NULL, &args.group },
	{ "for", 'p', "PID|NAME", "for this process only; the mode is then 666",
	  NULL, &args.process },
	{ "for-user", 'u', "USER", "for this user only; the mode is then 666", NULL, &args.user },
	{ "max", 'x', "N", "can be accepted N times", NULL, &args.max },
	{ "expires", 'e', "SECONDS", "can be accepted for so long", NULL, &args.expires },
	{ "json", 'j', NULL, "one JSON object per line and event", &json, NULL },
	{ 0 },
};

/**
 * struct share - Its state while it lasts
 * @o: What is offered
 * @signals: Tells that the user wants an end
 * @seen: The last of those who accepted that was reported
 * @reported: How many were
 * @expired: It was said that nobody can accept any more
 */
struct share {
	struct offer o;
	int signals;
	uint64_t seen;
	uint64_t reported;
	bool expired;
};

static const char *rights_word(uint32_t rights)
{
	return !(rights & XMAP_RIGHT_WRITE) ? "to read" :
	       rights & XMAP_RIGHT_READ ? "to read and write" : "to write";
}

static void put_offer(const struct offer *o)
{
	const char *name = o->terms.name;

	if (json) {
		printf("{\"event\":\"offered\",\"serial\":%" PRIu64 ",\"id\":\"0x%016" PRIx64
		       "\",\"name\":", o->serial, o->id);
		if (name)
			json_string(stdout, name, strlen(name));
		else
			fputs("null", stdout);
		printf(",\"pid\":%d,\"address\":%" PRIu64 ",\"length\":%" PRIu64 ",\"write\":%s}\n",
		       getpid(), (uint64_t)(uintptr_t)o->addr, o->length,
		       json_bool(o->terms.rights & XMAP_RIGHT_WRITE));
	} else {
		printf("offered %" PRIu64 " bytes %s as @0x%016" PRIx64 "%s%s", o->length,
		       rights_word(o->terms.rights), o->id, name ? " or @" : "",
		       name ? name : "");
		printf(", serial %" PRIu64 "\n", o->serial);
		notice("interrupt (^C) takes it back");
	}
	fflush(stdout);
}

static void put_target(const struct xmap_list_entry *e)
{
	struct proc_stat st = { 0 };

	if (json) {
		printf("{\"event\":\"accepted\",\"serial\":%llu,", e->serial);
		json_who(stdout, "holder", e->holder_pid);
		printf(",\"uid\":%" PRIu32 ",\"length\":%llu,", e->holder_uid, e->length);
		json_rights(stdout, e->rights);
		fputs("}\n", stdout);
		return;
	}
	if (e->holder_pid)
		proc_stat(e->holder_pid, &st);
	printf("accepted by process %d (", e->holder_pid);
	put_text(stdout, st.comm, strlen(st.comm));
	printf(") of user %" PRIu32 ": %llu bytes %s, serial %llu\n", e->holder_uid, e->length,
	       rights_word(e->rights), e->serial);
}

static void put_event(const char *event, const char *text)
{
	if (json)
		printf("{\"event\":\"%s\"}\n", event);
	else
		printf("%s\n", text);
	fflush(stdout);
}

/* Those who have let it go again by now are not in the list any more. */
static void put_gone(struct share *s, uint64_t accepts)
{
	if (accepts <= s->reported)
		return;
	if (json)
		printf("{\"event\":\"accepted_and_closed\",\"times\":%" PRIu64 "}\n",
		       accepts - s->reported);
	else
		printf("accepted, and closed again: %" PRIu64 " times\n", accepts - s->reported);
	s->reported = accepts;
}

static int report(struct share *s)
{
	struct xmap_cmd_export_info info;
	struct entries list;
	size_t i;
	int rc;

	/* This first: what comes after it wakes poll() up again. */
	rc = xmap_export_info(s->o.export, &info);
	if (!rc)
		rc = entries_load(s->o.dev, &list);
	if (rc)
		return fail(XC_FAIL, "cannot tell who accepted: %s", strerror(-rc));
	for (i = 0; i < list.n; i++) {
		if (list.v[i].parent != s->o.serial || list.v[i].serial <= s->seen ||
		    list.v[i].kind != XMAP_LIST_TARGET)
			continue;
		put_target(&list.v[i]);
		s->seen = list.v[i].serial;
		s->reported++;
	}
	entries_free(&list);
	put_gone(s, info.out_accepts);
	fflush(stdout);
	return XC_OK;
}

/* Milliseconds until it expires, -1 for never (again). */
static int time_left(const struct share *s)
{
	struct timespec now;
	uint64_t ns;

	if (!s->o.terms.expires || s->expired)
		return -1;
	clock_gettime(CLOCK_BOOTTIME, &now);
	ns = now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
	if (ns >= s->o.terms.expires)
		return 0;
	ns = (s->o.terms.expires - ns) / 1000000 + 1;
	return ns < INT_MAX ? (int)ns : INT_MAX;
}

static int take_back(struct share *s)
{
	int rc;

	rc = xmap_export_revoke(s->o.export, 0, 0);
	if (rc)
		return fail(XC_FAIL, "cannot revoke it: %s", strerror(-rc));
	put_event("revoked", "revoked: nobody else reaches it any more");
	return XC_OK;
}

static int serve(struct share *s)
{
	struct pollfd fds[] = {
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = xmap_export_fd(s->o.export), .events = POLLIN },
	};
	int rc, left;

	for (;;) {
		left = time_left(s);
		if (!left) {
			s->expired = true;
			put_event("expired", "expired: who has accepted keeps it until the end");
		}
		rc = poll(fds, ARRAY_SIZE(fds), left ? left : -1);
		if (rc < 0 && errno != EINTR)
			return fail(XC_FAIL, "cannot wait: %s", strerror(errno));
		if (rc <= 0)
			continue;
		rc = fds[1].revents & POLLIN ? report(s) : XC_OK;
		if (rc)
			return rc;
		if (fds[1].revents & POLLHUP)
			return fail(XC_ENDED, "somebody else revoked it");
		if (fds[0].revents)
			return take_back(s);
	}
}

static int run(int argc, char **argv)
{
	struct share s = { .signals = -1, .o.pidfd = -1 };
	int rc;

	if (!argc == !size_text)
		return fail(XC_USAGE, "give one of: a file, `-` for standard input, --size");
	rc = offer_terms(&s.o, &args);
	if (!rc)
		rc = module_open("has exports", &s.o.dev);
	if (!rc)
		rc = offer_memory(&s.o, argc ? argv[0] : NULL, size_text);
	if (!rc)
		rc = signals_catch(&s.signals);
	if (!rc)
		rc = offer_make(&s.o);
	if (!rc) {
		put_offer(&s.o);
		rc = serve(&s);
	}
	if (s.signals >= 0)
		close(s.signals);
	offer_end(&s.o);
	return rc;
}

const struct cmd cmd_share = {
	.name = "share",
	.args = "[FILE|-]",
	.summary = "Offer memory to others, and take it back",
	.details =
		"Maps a file, or reads standard input, and offers that memory until it is\n"
		"interrupted; then nobody else reaches it any more.  Others need no privilege:\n"
		"  xmap share --name menu --for-user alice menu.txt\n"
		"  xmap read @menu --raw\n"
		"They can copy it as long as they have it.  Needs the module.\n",
	.opts = opts,
	.max_args = 1,
	.run = run,
};
