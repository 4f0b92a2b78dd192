/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xmap(1) - what `xmap share` is made of. */
#ifndef XMAP_TOOL_OFFER_H
#define XMAP_TOOL_OFFER_H

#include "tool.h"

/**
 * struct offer_args - The terms as they stand on the command line; NULL if not given
 * @name: Name to find it by
 * @mode: Who may find it, octal
 * @group: Group of the mode
 * @process: Who alone may accept
 * @user: Which user alone may accept
 * @max: How often
 * @expires: For how many seconds
 * @write: Others may change it
 */
struct offer_args {
	const char *name;
	const char *mode;
	const char *group;
	const char *process;
	const char *user;
	const char *max;
	const char *expires;
	bool write;
};

/**
 * struct offer - What is offered
 * @dev: The library handle
 * @export: The offer
 * @terms: Its terms
 * @addr: The memory
 * @length: Bytes of it
 * @id: By which it can be found
 * @serial: By which it can be revoked
 * @receiver: The process of @pidfd
 * @pidfd: Who alone may accept, or -1
 */
struct offer {
	struct xmap_dev *dev;
	struct xmap_export *export;
	struct xmap_export_opts terms;
	char *addr;
	uint64_t length;
	uint64_t id;
	uint64_t serial;
	pid_t receiver;
	int pidfd;
};

int offer_terms(struct offer *o, const struct offer_args *args);
int offer_memory(struct offer *o, const char *path, const char *size_text);
int offer_make(struct offer *o);
void offer_end(struct offer *o);

#endif /* XMAP_TOOL_OFFER_H */
