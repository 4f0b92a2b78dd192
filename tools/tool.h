/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xmap(1) - what its source files share.
 *
 * A function that can fail prints one line with fail() where it knows most
 * about the trouble and returns the exit status of the command; callers only
 * pass it on.
 */
#ifndef XMAP_TOOL_H
#define XMAP_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "xmap.h"

#define TOOL_VERSION "0.1.0"
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Exit statuses: documented in xmap(1) and by `xmap --help`. */
enum exit_status {
	XC_OK = 0,
	XC_FAIL = 1,
	XC_USAGE = 2,
	XC_PROCESS = 3,
	XC_DENIED = 4,
	XC_MEMORY = 5,
	XC_MODULE = 6,
	XC_ENDED = 7,
	XC_VERIFY = 8,
};

/* ---- Options and commands: opts.c, main.c ---- */

/**
 * struct opt - One option of a command
 * @name: Long name without the dashes
 * @letter: Short name, or 0
 * @arg: What the argument is called in the help; NULL if there is none
 * @help: One line of help
 * @flag: Set to true if there is no argument
 * @value: Set to the argument
 */
struct opt {
	const char *name;
	char letter;
	const char *arg;
	const char *help;
	bool *flag;
	const char **value;
};

/**
 * struct cmd - One subcommand
 * @name: Its name
 * @args: Its arguments, for the help
 * @summary: What it does in a few words
 * @details: More help, or NULL
 * @opts: Its own options, ended by an entry without a name
 * @min_args: How many arguments it needs
 * @max_args: How many it takes, -1 for any number
 * @whole_export: An export needs no address: it begins somewhere
 * @run: Does it and returns the exit status
 */
struct cmd {
	const char *name;
	const char *args;
	const char *summary;
	const char *details;
	const struct opt *opts;
	int min_args;
	int max_args;
	bool whole_export;
	int (*run)(int argc, char **argv);
};

extern const struct cmd cmd_check;
extern const struct cmd cmd_maps;
extern const struct cmd cmd_read;
extern const struct cmd cmd_write;
extern const struct cmd cmd_watch;
extern const struct cmd cmd_ps;
extern const struct cmd cmd_top;
extern const struct cmd cmd_share;
extern const struct cmd cmd_revoke;
extern const struct cmd cmd_region;
extern const struct opt common_opts[];

/* The options that every command has. */
struct common {
	bool quiet;
	bool help;
	const char *backend;
};

extern struct common common;

int opts_parse(const struct opt *own, bool stop_at_arg, int *argc, char **argv);
void opts_help(FILE *f, const struct opt *opts);

/* ---- Output: out.c ---- */

__attribute__((format(printf, 2, 3)))
int fail(int status, const char *fmt, ...);
__attribute__((format(printf, 1, 2)))
void notice(const char *fmt, ...);
/* Text of a foreign process: control characters cannot reach the terminal. */
void put_text(FILE *f, const char *text, size_t len);
void put_hexdump(FILE *f, uint64_t addr, const void *buf, size_t len);
void json_string(FILE *f, const char *text, size_t len);
void json_hex(FILE *f, const void *buf, size_t len);
const char *json_bool(bool set);
int out_finish(int status);

/* ---- Numbers and typed values: value.c ---- */

enum value_kind { VALUE_UNSIGNED, VALUE_SIGNED, VALUE_FLOAT, VALUE_PTR, VALUE_STR };

struct value_type {
	const char *name;
	enum value_kind kind;
	size_t size;
};

#define VALUE_MAX 8

int number_parse(const char *text, const char *what, uint64_t *ret);
int size_parse(const char *text, const char *what, uint64_t *ret);
/* Seconds, NULL for one, as milliseconds. */
int interval_parse(const char *text, int *ret);
int value_type_find(const char *name, const struct value_type **ret);
int value_parse(const struct value_type *type, const char *text, void *ret);
void value_put(FILE *f, const struct value_type *type, const void *bytes, bool json);

/* ---- What is published, and who may find it: perm.c ---- */

bool is_digits(const char *text);
int u32_parse(const char *text, const char *what, uint32_t least, uint32_t *ret);
int name_parse(const char *text, const char **ret);
/* Octal, of the bits of 666. */
int mode_parse(const char *text, uint32_t *ret);
int group_parse(const char *text, uint32_t *ret);

/* ---- A target's mappings: maplist.c ---- */

struct mapping {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t page_size;
	uint32_t flags;
	size_t name_len;
	char *name;
};

struct maplist {
	struct mapping *v;
	size_t n;
};

int maplist_load(struct xmap_target *target, struct maplist *ret);
void maplist_free(struct maplist *list);
const struct mapping *maplist_find(const struct maplist *list, uint64_t addr);

/* ---- Symbolic addresses: addr.c, elf.c ---- */

/**
 * struct addr_env - Where names in an address expression are looked up
 * @arg: Passed to the functions
 * @who: The process, for messages
 * @exe: Path of its program, or NULL
 * @export: Where the export begins, or NULL if it is all of a process
 * @maps: Get its mappings
 * @symbol: Get how far a symbol is from the start of a mapped file
 */
struct addr_env {
	void *arg;
	const char *who;
	const char *exe;
	const uint64_t *export;
	int (*maps)(void *arg, const struct maplist **ret);
	int (*symbol)(void *arg, const struct mapping *file, const char *symbol, uint64_t *ret);
};

int addr_parse(const char *text, const struct addr_env *env, uint64_t *ret);
int elf_symbol(const char *path, const char *symbol, uint64_t *ret);

/* ---- Processes: proc.c ---- */

/**
 * struct proc_stat - What /proc/PID/stat says
 * @comm: The name
 * @state: The letter
 * @flags: PF_ flags of the kernel
 */
struct proc_stat {
	char comm[64];
	char state;
	unsigned long flags;
};

int proc_stat(pid_t pid, struct proc_stat *ret);
bool proc_is_kernel_thread(const struct proc_stat *st);
bool proc_has_ended(pid_t pid);
int proc_find(const char *who, pid_t *ret);
int proc_yama_scope(void);
bool proc_have_cap_ptrace(void);
int proc_fail_denied(pid_t pid);
int proc_fail_gone(pid_t pid);

/* ---- Loads from a window: guard.c ---- */

bool guard_copy(void *to, const void *from, size_t length);

/* ---- Signals that are an order to end: signals.c ---- */

/* From now on they do nothing but make a descriptor readable. */
int signals_catch(int *ret);

/* ---- What XMAP_LIST says: entries.c ---- */

struct entries {
	struct xmap_list_entry *v;
	size_t n;
};

#define RIGHTS_SIZE 4

int entries_load(struct xmap_dev *dev, struct entries *ret);
void entries_free(struct entries *list);
const struct xmap_list_entry *entries_find(const struct entries *list, uint64_t serial);
/* The number of the region that a handle is of: that of the oldest handle known of it. */
uint64_t entries_region(const struct entries *list, const struct xmap_list_entry *e);
/* The last handle of a region that this process has made; NULL if there is none. */
const struct xmap_list_entry *entries_own_region(const struct entries *list);
const char *entry_kind(const struct xmap_list_entry *e);
const char *entry_state(const struct xmap_list_entry *e);
const char *rights_text(uint32_t rights, char buf[RIGHTS_SIZE]);
void json_rights(FILE *f, uint32_t rights);
void put_who(FILE *f, pid_t pid);
void json_who(FILE *f, const char *key, pid_t pid);

/* ---- The process or export that a command works on: session.c, accept.c ---- */

/**
 * struct session - The memory that a command works on
 * @dev: The library handle
 * @target: Access to it
 * @maps: Its mappings, once somebody asked for them
 * @have_maps: Somebody has
 * @pidfd: The process, or -1
 * @pid: Its number; of an export its owner's, or 0 if that is not visible
 * @is_export: It is what somebody offers
 * @start: Where the export begins
 * @length: How long it is
 * @name: The process's name
 * @who: What it is called in messages
 * @ref: What it is called on the command line
 */
struct session {
	struct xmap_dev *dev;
	struct xmap_target *target;
	struct maplist maps;
	bool have_maps;
	bool is_export;
	int pidfd;
	pid_t pid;
	uint64_t start;
	uint64_t length;
	char name[64];
	char who[96];
	char ref[80];
};

/* Would `modprobe xmap` find the module of the running kernel? */
bool module_installed(void);
int device_open(struct xmap_dev **ret);
/* For what has nothing to fall back on; @what is completed in "only the module ...". */
int module_open(const char *what, struct xmap_dev **ret);
int session_accept(struct session *s, const char *ref, uint32_t rights);
int session_open(struct session *s, const char *who, uint32_t rights);
void session_close(struct session *s);
int session_maps(struct session *s, const struct maplist **ret);
int session_addr(struct session *s, const char *text, uint64_t *ret);
bool session_has_window(const struct session *s);
int session_fail(struct session *s, long err, uint64_t addr, bool write);
int session_fail_ended(struct session *s);
int session_length(const struct session *s, uint64_t addr, uint64_t *ret);

#endif /* XMAP_TOOL_H */
