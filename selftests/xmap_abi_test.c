// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shape of the interface: struct sizes that grow, flags and reserved fields
 * that are refused, pointers that lead nowhere, commands that do not exist.
 *
 * Every command goes through the same tests: a variant per command says how a
 * call looks that succeeds, and each test spoils one thing of it.
 */
#include <dirent.h>
#include <limits.h>
#include <stddef.h>
#include <sys/eventfd.h>

#include "xmap_utils.h"

#define MAPS_ROOM 16384

/* A command that succeeds is undone, so that tests can be told apart by counts. */
static void close_open(void *cmd)
{
	close(((struct xmap_cmd_target_open *)cmd)->out_fd);
}

static void close_derive(void *cmd)
{
	close(((struct xmap_cmd_target_derive *)cmd)->out_fd);
}

static void close_export_create(void *cmd)
{
	close(((struct xmap_cmd_export_create *)cmd)->out_fd);
}

static void close_export_open(void *cmd)
{
	close(((struct xmap_cmd_export_open *)cmd)->out_fd);
}

static void close_export_accept(void *cmd)
{
	close(((struct xmap_cmd_export_accept *)cmd)->out_fd);
}

static void close_region_create(void *cmd)
{
	close(((struct xmap_cmd_region_create *)cmd)->out_fd);
}

static void close_region_open(void *cmd)
{
	close(((struct xmap_cmd_region_open *)cmd)->out_fd);
}

static void close_region_derive(void *cmd)
{
	close(((struct xmap_cmd_region_derive *)cmd)->out_fd);
}

#define REGION_NAME "xmap-abi.region"

/* The kinds of file that have commands. */
enum file_kind {
	ON_DEV,
	ON_TARGET,
	ON_EXPORT,
	ON_REGION,
	FILE_KINDS,
};

FIXTURE(command)
{
	int files[FILE_KINDS];
	int dev;
	int target;
	int pidfd;
	int eventfd;
	int fd;
	__u64 serial;
	__u64 id;
	__u8 *room;
	size_t room_size;
	__u8 *page;
	void *window;
	void *maps;
	struct xmap_list_entry list;
	struct xmap_transfer transfer;
};

FIXTURE_VARIANT(command)
{
	unsigned int nr;
	size_t size;
	enum file_kind on;
	/* It has no outputs, so that nothing can go wrong when they are written. */
	bool no_outputs;
	__u32 known_flags;
	/* Offset of the reserved field, or 0. */
	size_t reserved;
	void (*undo)(void *cmd);
};

FIXTURE_VARIANT_ADD(command, query)
{
	.nr = XMAP_CMD_QUERY,
	.size = sizeof(struct xmap_cmd_query),
	.reserved = offsetof(struct xmap_cmd_query, __reserved),
};

FIXTURE_VARIANT_ADD(command, list)
{
	.nr = XMAP_CMD_LIST,
	.size = sizeof(struct xmap_cmd_list),
};

FIXTURE_VARIANT_ADD(command, transfer)
{
	.nr = XMAP_CMD_TRANSFER,
	.size = sizeof(struct xmap_cmd_transfer),
};

FIXTURE_VARIANT_ADD(command, target_open)
{
	.nr = XMAP_CMD_TARGET_OPEN,
	.size = sizeof(struct xmap_cmd_target_open),
	.known_flags = XMAP_TARGET_OPEN_MEM,
	.undo = close_open,
};

FIXTURE_VARIANT_ADD(command, target_info)
{
	.nr = XMAP_CMD_TARGET_INFO,
	.size = sizeof(struct xmap_cmd_target_info),
	.on = ON_TARGET,
};

FIXTURE_VARIANT_ADD(command, target_derive)
{
	.nr = XMAP_CMD_TARGET_DERIVE,
	.size = sizeof(struct xmap_cmd_target_derive),
	.on = ON_TARGET,
	.undo = close_derive,
};

FIXTURE_VARIANT_ADD(command, target_maps)
{
	.nr = XMAP_CMD_TARGET_MAPS,
	.size = sizeof(struct xmap_cmd_target_maps),
	.on = ON_TARGET,
	.reserved = offsetof(struct xmap_cmd_target_maps, __reserved),
};

FIXTURE_VARIANT_ADD(command, target_prefault)
{
	.nr = XMAP_CMD_TARGET_PREFAULT,
	.size = sizeof(struct xmap_cmd_target_prefault),
	.on = ON_TARGET,
	.known_flags = XMAP_TARGET_PREFAULT_WRITE,
};

FIXTURE_VARIANT_ADD(command, export_create)
{
	.nr = XMAP_CMD_EXPORT_CREATE,
	.size = sizeof(struct xmap_cmd_export_create),
	.known_flags = XMAP_EXPORT_PUBLISH | XMAP_EXPORT_FOR_PROCESS | XMAP_EXPORT_FOR_USER,
	.undo = close_export_create,
};

FIXTURE_VARIANT_ADD(command, export_open)
{
	.nr = XMAP_CMD_EXPORT_OPEN,
	.size = sizeof(struct xmap_cmd_export_open),
	.undo = close_export_open,
};

FIXTURE_VARIANT_ADD(command, export_accept)
{
	.nr = XMAP_CMD_EXPORT_ACCEPT,
	.size = sizeof(struct xmap_cmd_export_accept),
	.on = ON_EXPORT,
	.undo = close_export_accept,
};

FIXTURE_VARIANT_ADD(command, export_info)
{
	.nr = XMAP_CMD_EXPORT_INFO,
	.size = sizeof(struct xmap_cmd_export_info),
	.reserved = offsetof(struct xmap_cmd_export_info, __reserved),
	.on = ON_EXPORT,
};

FIXTURE_VARIANT_ADD(command, revoke_by_number)
{
	.nr = XMAP_CMD_REVOKE,
	.size = sizeof(struct xmap_cmd_revoke),
	.no_outputs = true,
};

FIXTURE_VARIANT_ADD(command, revoke_target)
{
	.nr = XMAP_CMD_REVOKE,
	.size = sizeof(struct xmap_cmd_revoke),
	.on = ON_TARGET,
	.no_outputs = true,
};

FIXTURE_VARIANT_ADD(command, revoke_export)
{
	.nr = XMAP_CMD_REVOKE,
	.size = sizeof(struct xmap_cmd_revoke),
	.on = ON_EXPORT,
	.no_outputs = true,
};

FIXTURE_VARIANT_ADD(command, deny)
{
	.nr = XMAP_CMD_DENY,
	.size = sizeof(struct xmap_cmd_deny),
	.known_flags = XMAP_DENY_SET | XMAP_DENY_CLEAR | XMAP_DENY_FINAL,
	.reserved = offsetof(struct xmap_cmd_deny, __reserved),
};

FIXTURE_VARIANT_ADD(command, region_create)
{
	.nr = XMAP_CMD_REGION_CREATE,
	.size = sizeof(struct xmap_cmd_region_create),
	.known_flags = XMAP_REGION_SINGLE_OWNER | XMAP_REGION_FIXED_ADDRESS |
		       XMAP_REGION_PUBLISH | XMAP_REGION_PERSISTENT | XMAP_REGION_HUGE,
	.reserved = offsetof(struct xmap_cmd_region_create, __reserved),
	.undo = close_region_create,
};

FIXTURE_VARIANT_ADD(command, region_open)
{
	.nr = XMAP_CMD_REGION_OPEN,
	.size = sizeof(struct xmap_cmd_region_open),
	.undo = close_region_open,
};

FIXTURE_VARIANT_ADD(command, region_derive)
{
	.nr = XMAP_CMD_REGION_DERIVE,
	.size = sizeof(struct xmap_cmd_region_derive),
	.on = ON_REGION,
	.undo = close_region_derive,
};

FIXTURE_VARIANT_ADD(command, region_info)
{
	.nr = XMAP_CMD_REGION_INFO,
	.size = sizeof(struct xmap_cmd_region_info),
	.on = ON_REGION,
};

FIXTURE_VARIANT_ADD(command, region_seal)
{
	.nr = XMAP_CMD_REGION_SEAL,
	.size = sizeof(struct xmap_cmd_region_seal),
	.on = ON_REGION,
};

FIXTURE_VARIANT_ADD(command, region_resize)
{
	.nr = XMAP_CMD_REGION_RESIZE,
	.size = sizeof(struct xmap_cmd_region_resize),
	.on = ON_REGION,
	.no_outputs = true,
};

FIXTURE_VARIANT_ADD(command, region_give)
{
	.nr = XMAP_CMD_REGION_GIVE,
	.size = sizeof(struct xmap_cmd_region_give),
	.on = ON_REGION,
	.no_outputs = true,
};

FIXTURE_VARIANT_ADD(command, region_take)
{
	.nr = XMAP_CMD_REGION_TAKE,
	.size = sizeof(struct xmap_cmd_region_take),
	.on = ON_REGION,
	.no_outputs = true,
};

FIXTURE_VARIANT_ADD(command, region_rebind)
{
	.nr = XMAP_CMD_REGION_REBIND,
	.size = sizeof(struct xmap_cmd_region_rebind),
	.on = ON_REGION,
};

FIXTURE_VARIANT_ADD(command, region_unlink)
{
	.nr = XMAP_CMD_REGION_UNLINK,
	.size = sizeof(struct xmap_cmd_region_unlink),
	.on = ON_REGION,
	.no_outputs = true,
};

FIXTURE_VARIANT_ADD(command, region_notify)
{
	.nr = XMAP_CMD_REGION_NOTIFY,
	.size = sizeof(struct xmap_cmd_region_notify),
	.on = ON_REGION,
	.no_outputs = true,
};

FIXTURE_VARIANT_ADD(command, revoke_region)
{
	.nr = XMAP_CMD_REVOKE,
	.size = sizeof(struct xmap_cmd_revoke),
	.on = ON_REGION,
	.no_outputs = true,
};

FIXTURE_VARIANT_ADD(command, eventfd_target)
{
	.nr = XMAP_CMD_EVENTFD,
	.size = sizeof(struct xmap_cmd_eventfd),
	.on = ON_TARGET,
	.no_outputs = true,
	.reserved = offsetof(struct xmap_cmd_eventfd, __reserved),
};

FIXTURE_VARIANT_ADD(command, eventfd_export)
{
	.nr = XMAP_CMD_EVENTFD,
	.size = sizeof(struct xmap_cmd_eventfd),
	.on = ON_EXPORT,
	.no_outputs = true,
	.reserved = offsetof(struct xmap_cmd_eventfd, __reserved),
};

FIXTURE_VARIANT_ADD(command, eventfd_region)
{
	.nr = XMAP_CMD_EVENTFD,
	.size = sizeof(struct xmap_cmd_eventfd),
	.on = ON_REGION,
	.no_outputs = true,
	.reserved = offsetof(struct xmap_cmd_eventfd, __reserved),
};

#define COMMAND FIXTURE_DATA(command)
#define VARIANT FIXTURE_VARIANT(command)

/* A published export of all that one has. */
static int export_new(int dev, __u64 *out_id)
{
	struct xmap_cmd_export_create cmd = {
		.size = sizeof(cmd),
		.flags = XMAP_EXPORT_PUBLISH,
		.rights = XMAP_RIGHTS_RW,
		.mode = 0600,
		.gid = -1,
	};

	if (ioctl(dev, XMAP_EXPORT_CREATE, &cmd))
		return -1;
	*out_id = cmd.out_id;
	return cmd.out_fd;
}

/* A published region that is its maker's alone. */
static int region_new(int dev)
{
	struct xmap_cmd_region_create cmd = {
		.size = sizeof(cmd),
		.flags = XMAP_REGION_PUBLISH | XMAP_REGION_SINGLE_OWNER,
		.mode = 0600,
		.gid = -1,
		.length = 4096,
		.name = REGION_NAME,
	};

	return ioctl(dev, XMAP_REGION_CREATE, &cmd) ? -1 : cmd.out_fd;
}

/* The number of the first target that is listed: one's own. */
static __u64 first_target(int dev)
{
	struct xmap_list_entry e;
	__u64 cursor = 0;
	__u32 count;

	do {
		if (_test_list(dev, &e, 1, cursor, &count, &cursor) || !count)
			return 0;
	} while (e.kind != XMAP_LIST_TARGET && cursor);
	return e.serial;
}

FIXTURE_SETUP(command)
{
	long page = xmap_page_size();

	test_dev_open(&self->dev);
	self->pidfd = xmap_pidfd_open(getpid(), 0);
	ASSERT_LE(0, self->pidfd);
	self->eventfd = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, self->eventfd);
	test_target_open(self->dev, self->pidfd, getpid(), XMAP_RIGHTS_RW, 0, 0,
			 &self->target);
	self->files[ON_DEV] = self->dev;
	self->files[ON_TARGET] = self->target;
	self->files[ON_EXPORT] = export_new(self->dev, &self->id);
	ASSERT_LE(0, self->files[ON_EXPORT]);
	self->files[ON_REGION] = region_new(self->dev);
	ASSERT_LE(0, self->files[ON_REGION]);
	self->fd = self->files[variant->on];
	self->serial = first_target(self->dev);
	ASSERT_NE(0, self->serial);

	/* Room for a struct of more than a page, and nothing behind it. */
	self->room_size = 4 * page;
	self->room = mmap(NULL, self->room_size + page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->room);
	ASSERT_EQ(0, mprotect(self->room + self->room_size, page, PROT_NONE));

	self->page = mmap(NULL, page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->page);
	self->page[0] = 1;
	test_window_map(self->target, (uintptr_t)self->page, page,
			PROT_READ | PROT_WRITE, &self->window);
	self->maps = malloc(MAPS_ROOM);
	ASSERT_NE(NULL, self->maps);
}

FIXTURE_TEARDOWN(command)
{
	munmap(self->window, xmap_page_size());
	free(self->maps);
	close(self->files[ON_REGION]);
	close(self->files[ON_EXPORT]);
	close(self->target);
	close(self->eventfd);
	close(self->pidfd);
	close(self->dev);
}

static unsigned long request(const VARIANT *variant)
{
	return _IO(XMAP_TYPE, variant->nr);
}

/* Write a call that succeeds to cmd. */
static void fill(COMMAND *self,
		 const VARIANT *variant, void *cmd)
{
	union {
		struct xmap_cmd_list list;
		struct xmap_cmd_transfer transfer;
		struct xmap_cmd_target_open open;
		struct xmap_cmd_target_derive derive;
		struct xmap_cmd_target_maps maps;
		struct xmap_cmd_target_prefault prefault;
		struct xmap_cmd_export_create create;
		struct xmap_cmd_export_open export_open;
		struct xmap_cmd_export_accept accept;
		struct xmap_cmd_export_info info;
		struct xmap_cmd_revoke revoke;
		struct xmap_cmd_deny deny;
		struct xmap_cmd_region_create region_create;
		struct xmap_cmd_region_open region_open;
		struct xmap_cmd_region_derive region_derive;
		struct xmap_cmd_region_seal seal;
		struct xmap_cmd_region_resize resize;
		struct xmap_cmd_region_give give;
		struct xmap_cmd_eventfd eventfd;
		__u32 size;
	} u;

	memset(&u, 0, sizeof(u));
	switch (variant->nr) {
	case XMAP_CMD_LIST:
		u.list.entries = (uintptr_t)&self->list;
		u.list.count = 1;
		break;
	case XMAP_CMD_TRANSFER:
		self->transfer = (struct xmap_transfer){ .fd = self->target };
		u.transfer.entries = (uintptr_t)&self->transfer;
		u.transfer.count = 1;
		break;
	case XMAP_CMD_TARGET_OPEN:
		u.open.fd = self->pidfd;
		u.open.pid = getpid();
		u.open.rights = XMAP_RIGHT_READ;
		break;
	case XMAP_CMD_TARGET_DERIVE:
		u.derive.rights = XMAP_RIGHT_READ;
		break;
	case XMAP_CMD_TARGET_MAPS:
		u.maps.buf = (uintptr_t)self->maps;
		u.maps.buf_size = MAPS_ROOM;
		break;
	case XMAP_CMD_TARGET_PREFAULT:
		u.prefault.addr = (uintptr_t)self->window;
		u.prefault.length = xmap_page_size();
		break;
	case XMAP_CMD_EXPORT_CREATE:
		u.create.rights = XMAP_RIGHT_READ;
		break;
	case XMAP_CMD_EXPORT_OPEN:
		u.export_open.rights = XMAP_RIGHT_READ;
		u.export_open.id = self->id;
		break;
	case XMAP_CMD_EXPORT_ACCEPT:
		u.accept.rights = XMAP_RIGHT_READ;
		break;
	case XMAP_CMD_REVOKE:
		/* A byte that nobody has. */
		u.revoke.length = 1;
		if (variant->on == ON_DEV)
			u.revoke.serial = self->serial;
		break;
	case XMAP_CMD_REGION_CREATE:
		u.region_create.length = xmap_page_size();
		break;
	case XMAP_CMD_REGION_OPEN:
		u.region_open.rights = XMAP_RIGHT_READ;
		strcpy(u.region_open.name, REGION_NAME);
		break;
	case XMAP_CMD_REGION_DERIVE:
		u.region_derive.rights = XMAP_RIGHT_READ;
		break;
	case XMAP_CMD_REGION_SEAL:
		u.seal.seals = XMAP_REGION_SEAL_GROW;
		break;
	case XMAP_CMD_REGION_RESIZE:
		u.resize.length = xmap_page_size();
		break;
	case XMAP_CMD_REGION_GIVE:
	case XMAP_CMD_REGION_TAKE:
		/* What it takes for it to succeed; it may be so already. */
		u.give.size = sizeof(u.give);
		ioctl(self->files[ON_REGION], variant->nr == XMAP_CMD_REGION_GIVE ?
		      XMAP_REGION_TAKE : XMAP_REGION_GIVE, &u);
		break;
	case XMAP_CMD_REGION_UNLINK:
		/* One that has a name. */
		close(self->files[ON_REGION]);
		self->files[ON_REGION] = region_new(self->dev);
		break;
	case XMAP_CMD_EVENTFD:
		u.eventfd.fd = self->eventfd;
		break;
	}
	u.size = variant->size;
	memcpy(cmd, &u, variant->size);
}

/* Issue cmd; on failure no byte of the room may have changed. */
static int issue(struct __test_metadata *_metadata,
		 COMMAND *self,
		 const VARIANT *variant, void *cmd)
{
	__u8 *before = malloc(self->room_size);
	int ret, err;

	memcpy(before, self->room, self->room_size);
	ret = ioctl(self->fd, request(variant), cmd);
	err = errno;
	if (!ret && variant->undo)
		variant->undo(cmd);
	if (ret && memcmp(before, self->room, self->room_size))
		EXPECT_EQ(0, err)
		{
			TH_LOG("failed, but wrote to the struct");
		}
	free(before);
	errno = err;
	return ret;
}

#define EXPECT_ISSUE(cmd) EXPECT_EQ(0, issue(_metadata, self, variant, cmd))
#define EXPECT_ISSUE_ERRNO(err, cmd)                                           \
	EXPECT_ERRNO(err, issue(_metadata, self, variant, cmd))

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

TEST_F(command, sizes)
{
	size_t page = xmap_page_size();
	const __u32 too_short[] = { 0, 1, 4, 8, variant->size - 8,
				    variant->size - 4, variant->size - 1 };
	const __u32 longer[] = { variant->size + 1, variant->size + 4,
				 variant->size + 8, variant->size + 64, page };
	const __u32 huge[] = { page + 1, 2 * page, 3 * page, 1U << 20,
			       0x7fffffff, 0x80000000, 0xffffffff };
	__u32 *size = (__u32 *)self->room;
	__u8 *room = self->room;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(too_short); i++) {
		if (too_short[i] == variant->size)
			continue;
		fill(self, variant, room);
		*size = too_short[i];
		EXPECT_ISSUE_ERRNO(EINVAL, room);
	}

	/* Exactly what the kernel knows: nothing after it is read or written. */
	memset(room, 0xaa, self->room_size);
	fill(self, variant, room);
	EXPECT_ISSUE(room);
	for (i = variant->size; i < variant->size + 256; i++)
		ASSERT_EQ(0xaa, room[i]);

	for (i = 0; i < ARRAY_SIZE(longer); i++) {
		memset(room, 0, self->room_size);
		fill(self, variant, room);
		*size = longer[i];
		EXPECT_ISSUE(room)
		{
			TH_LOG("zero tail, size %u: %s", longer[i],
			       strerror(errno));
		}
		EXPECT_EQ(longer[i], *size);
		for (j = variant->size; j < longer[i]; j++)
			ASSERT_EQ(0, room[j]);

		/* The first and the last byte of the tail count. */
		fill(self, variant, room);
		*size = longer[i];
		room[longer[i] - 1] = 1;
		EXPECT_ISSUE_ERRNO(E2BIG, room);
		room[longer[i] - 1] = 0;
		room[variant->size] = 0x80;
		EXPECT_ISSUE_ERRNO(E2BIG, room);
	}

	memset(room, 0, self->room_size);
	for (i = 0; i < ARRAY_SIZE(huge); i++) {
		fill(self, variant, room);
		*size = huge[i];
		EXPECT_ISSUE_ERRNO(E2BIG, room);
	}
}

TEST_F(command, flags)
{
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		if (variant->known_flags & (1U << bit))
			continue;
		fill(self, variant, self->room);
		((__u32 *)self->room)[1] = 1U << bit;
		EXPECT_ISSUE_ERRNO(EOPNOTSUPP, self->room)
		{
			TH_LOG("flag bit %u", bit);
		}
		/* Beside a known flag as well. */
		((__u32 *)self->room)[1] |= variant->known_flags;
		EXPECT_ISSUE_ERRNO(EOPNOTSUPP, self->room);
	}
}

TEST_F(command, reserved)
{
	unsigned int bit;

	for (bit = 0; variant->reserved && bit < 32; bit++) {
		fill(self, variant, self->room);
		*(__u32 *)(self->room + variant->reserved) = 1U << bit;
		EXPECT_ISSUE_ERRNO(EOPNOTSUPP, self->room);
	}
}

TEST_F(command, pointers)
{
	size_t page = xmap_page_size();
	__u8 *end = self->room + self->room_size;
	struct xmap_cmd_query before, after;
	unsigned int fds;

	EXPECT_ISSUE_ERRNO(EFAULT, NULL);
	EXPECT_ISSUE_ERRNO(EFAULT, (void *)8);
	EXPECT_ISSUE_ERRNO(EFAULT, (void *)0xffff888000000000UL);
	EXPECT_ISSUE_ERRNO(EFAULT, (void *)0xffffffff81000000UL);
	EXPECT_ISSUE_ERRNO(EFAULT, (void *)0x8000000000000000UL);
	EXPECT_ISSUE_ERRNO(EFAULT, (void *)-8UL);
	EXPECT_ISSUE_ERRNO(EFAULT, (void *)0x7ffffffff000UL);

	/* The struct, then its very size, runs into unmapped memory. */
	fill(self, variant, self->room);
	if (variant->size > 8) {
		memcpy(end - 8, self->room, 8);
		EXPECT_ISSUE_ERRNO(EFAULT, end - 8);
	}
	memcpy(end - variant->size + 1, self->room, variant->size - 1);
	EXPECT_ISSUE_ERRNO(EFAULT, end - variant->size + 1);
	EXPECT_ISSUE_ERRNO(EFAULT, end - 2);
	EXPECT_ISSUE_ERRNO(EFAULT, end);

	/* The tail that a longer size announces is not there. */
	memset(self->room, 0, self->room_size);
	fill(self, variant, end - variant->size);
	EXPECT_ISSUE(end - variant->size);
	fill(self, variant, end - variant->size);
	*(__u32 *)(end - variant->size) += 8;
	EXPECT_ISSUE_ERRNO(EFAULT, end - variant->size);

	/* Results cannot be written: nothing may be left of the command. */
	fill(self, variant, self->room);
	ASSERT_EQ(0, mprotect(self->room, page, PROT_READ));
	test_query(self->dev, &before);
	fds = count_fds();
	EXPECT_EQ(variant->no_outputs ? 0 : EFAULT,
		  XMAP_ERRNO(issue(_metadata, self, variant, self->room)));
	EXPECT_EQ(fds, count_fds());
	test_query(self->dev, &after);
	EXPECT_EQ(before.out_targets, after.out_targets);
	EXPECT_EQ(before.out_windows, after.out_windows);
	EXPECT_EQ(before.out_exports, after.out_exports);
	EXPECT_EQ(before.out_regions, after.out_regions);
	EXPECT_EQ(before.out_region_bytes, after.out_region_bytes);
}

/* What several kinds of file have: all can be asked to revoke, all that are polled rung. */
static bool on_others(const VARIANT *variant, int kind)
{
	return variant->nr == XMAP_CMD_REVOKE ||
	       (variant->nr == XMAP_CMD_EVENTFD && kind != ON_DEV);
}

TEST_F(command, wrong_file)
{
	int kind;

	fill(self, variant, self->room);
	for (kind = 0; kind < FILE_KINDS; kind++) {
		if (kind == (int)variant->on || on_others(variant, kind))
			continue;
		EXPECT_ERRNO(ENOTTY, ioctl(self->files[kind], request(variant), self->room));
		EXPECT_ERRNO(ENOTTY, ioctl(self->files[kind], request(variant), NULL));
	}
}

TEST_F(command, wrong_encoding)
{
	const unsigned long wrong[] = {
		_IO(XMAP_TYPE - 1, variant->nr),
		_IO(XMAP_TYPE + 1, variant->nr),
		_IO(0, variant->nr),
		_IOC(_IOC_READ, XMAP_TYPE, variant->nr, 0),
		_IOC(_IOC_WRITE, XMAP_TYPE, variant->nr, 0),
		_IOC(_IOC_READ | _IOC_WRITE, XMAP_TYPE, variant->nr, variant->size),
		_IOC(_IOC_NONE, XMAP_TYPE, variant->nr, 8),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		fill(self, variant, self->room);
		EXPECT_ERRNO(ENOTTY, ioctl(self->fd, wrong[i], self->room))
		{
			TH_LOG("request %#lx", wrong[i]);
		}
	}
}

/* The caller's buffers of these three lie elsewhere than the struct. */
TEST_F(command, buffers)
{
	const __u64 wrong[] = { 0, 8, 0xffff888000000000UL,
				0x8000000000000000UL, -8UL };
	size_t i, off;

	switch (variant->nr) {
	case XMAP_CMD_LIST:
		off = offsetof(struct xmap_cmd_list, entries);
		break;
	case XMAP_CMD_TRANSFER:
		off = offsetof(struct xmap_cmd_transfer, entries);
		break;
	case XMAP_CMD_TARGET_MAPS:
		off = offsetof(struct xmap_cmd_target_maps, buf);
		break;
	default:
		return;
	}
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		fill(self, variant, self->room);
		*(__u64 *)(self->room + off) = wrong[i];
		EXPECT_ISSUE_ERRNO(EFAULT, self->room)
		{
			TH_LOG("buffer %#llx", wrong[i]);
		}
	}
}

/* What is open and no eventfd, what is not open, and none. */
static void eventfd_values(struct __test_metadata *_metadata, COMMAND *self,
			   const VARIANT *variant)
{
	struct xmap_cmd_eventfd *cmd = (void *)self->room;
	const int others[] = { self->dev, self->target, self->pidfd, self->fd };
	const int closed[] = { -2, INT_MIN, INT_MAX };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		fill(self, variant, cmd);
		cmd->fd = others[i];
		EXPECT_ISSUE_ERRNO(EINVAL, cmd);
	}
	for (i = 0; i < ARRAY_SIZE(closed); i++) {
		fill(self, variant, cmd);
		cmd->fd = closed[i];
		EXPECT_ISSUE_ERRNO(EBADF, cmd);
	}
	/* There may be none to be taken away. */
	for (i = 0; i < 2; i++) {
		fill(self, variant, cmd);
		cmd->fd = -1;
		EXPECT_ISSUE(cmd);
	}
}

/* Other limits and values of the commands' own fields. */
TEST_F(command, values)
{
	switch (variant->nr) {
	case XMAP_CMD_LIST:
		test_err_list(EINVAL, self->dev, &self->list, 0, 0);
		break;
	case XMAP_CMD_TRANSFER:
		test_err_transfer(EINVAL, self->dev, &self->transfer, 0);
		break;
	case XMAP_CMD_TARGET_OPEN:
		test_err_target_open(EINVAL, self->dev, self->pidfd, 0,
				     XMAP_RIGHT_READ, 0, 0);
		test_err_target_open(EINVAL, self->dev, self->pidfd, -1,
				     XMAP_RIGHT_READ, 0, 0);
		break;
	case XMAP_CMD_TARGET_MAPS:
		test_err_target_maps(EINVAL, self->target, 0, self->maps, 0);
		test_err_target_maps(EINVAL, self->target, 0, self->maps, 8191);
		break;
	case XMAP_CMD_TARGET_PREFAULT:
		test_err_target_prefault(EINVAL, self->target, 0,
					 self->window + 1, xmap_page_size());
		test_err_target_prefault(EINVAL, self->target, 0, self->window,
					 xmap_page_size() - 1);
		test_err_target_prefault(EINVAL, self->target, 0, self->window,
					 2 * xmap_page_size());
		test_err_target_prefault(EINVAL, self->target, 0, self->page,
					 xmap_page_size());
		break;
	case XMAP_CMD_REVOKE:
		/* A number where there is a descriptor, none where there is none. */
		fill(self, variant, self->room);
		((struct xmap_cmd_revoke *)self->room)->serial =
			variant->on == ON_DEV ? 0 : self->serial;
		EXPECT_ISSUE_ERRNO(EINVAL, self->room);
		break;
	case XMAP_CMD_DENY:
		fill(self, variant, self->room);
		((struct xmap_cmd_deny *)self->room)->flags = XMAP_DENY_FINAL;
		EXPECT_ISSUE_ERRNO(EINVAL, self->room);
		break;
	case XMAP_CMD_EVENTFD:
		eventfd_values(_metadata, self, variant);
		break;
	}
}

/* Every number of the type that no command has, on all kinds of file. */
TEST(unknown_commands)
{
	struct xmap_cmd_query query;
	int dev, target, export, region;
	unsigned int nr;
	__u64 id;

	test_dev_open(&dev);
	test_target_open_pid(dev, getpid(), XMAP_RIGHT_READ, &target);
	export = export_new(dev, &id);
	ASSERT_LE(0, export);
	region = region_new(dev);
	ASSERT_LE(0, region);
	test_query(dev, &query);
	for (nr = 0; nr < 256; nr++) {
		if (nr >= XMAP_CMD_BASE && nr - XMAP_CMD_BASE < 64 &&
		    query.out_commands & (1ULL << (nr - XMAP_CMD_BASE)))
			continue;
		EXPECT_ERRNO(ENOTTY, ioctl(dev, _IO(XMAP_TYPE, nr), &query));
		EXPECT_ERRNO(ENOTTY, ioctl(target, _IO(XMAP_TYPE, nr), &query));
		EXPECT_ERRNO(ENOTTY, ioctl(export, _IO(XMAP_TYPE, nr), &query));
		EXPECT_ERRNO(ENOTTY, ioctl(region, _IO(XMAP_TYPE, nr), &query));
		EXPECT_ERRNO(ENOTTY, ioctl(dev, _IO(XMAP_TYPE, nr), NULL));
	}
	close(region);
	close(export);
	close(target);
	close(dev);
}

TEST(query)
{
	struct xmap_cmd_query query;
	int dev, target;

	test_dev_open(&dev);
	test_query(dev, &query);
	EXPECT_EQ(sizeof(query), query.size);
	EXPECT_EQ(0, query.flags);
	EXPECT_EQ(1, query.out_abi);
	EXPECT_EQ(xmap_read_long(XMAP_PARAMS "max_targets"), query.out_max_targets);
	EXPECT_EQ(xmap_read_long(XMAP_PARAMS "max_windows"), query.out_max_windows);
	EXPECT_LT(0, query.out_max_targets);
	EXPECT_LT(0, query.out_max_windows);
	EXPECT_EQ(0, query.__reserved);
	EXPECT_EQ(xmap_read_long(XMAP_PARAMS "max_exports"), query.out_max_exports);
	EXPECT_LT(0, query.out_max_exports);
	EXPECT_EQ(0x3ffffff, query.out_commands);
	EXPECT_EQ(0, query.out_errata);
	EXPECT_EQ(XMAP_FEATURE_WINDOW | XMAP_FEATURE_MEMFD | XMAP_FEATURE_EXPORT |
		  XMAP_FEATURE_REGION,
		  query.out_features & ~(__u64)XMAP_FEATURE_NOWAIT);

	test_target_open_pid(dev, getpid(), XMAP_RIGHT_READ, &target);
	EXPECT_EQ(0, close(target));
	close(dev);
}

/*
 * Old programs run with new modules for as long as these stand.  A struct may
 * grow at its tail, then its line here gets longer; nothing else may change.
 */
#define EXPECT_FIELD(offset, type, field)                                      \
	EXPECT_EQ(offset, offsetof(struct type, field))

TEST(layout_commands)
{
	EXPECT_EQ(88, sizeof(struct xmap_cmd_query));
	EXPECT_FIELD(0, xmap_cmd_query, size);
	EXPECT_FIELD(4, xmap_cmd_query, flags);
	EXPECT_FIELD(8, xmap_cmd_query, out_abi);
	EXPECT_FIELD(12, xmap_cmd_query, out_max_targets);
	EXPECT_FIELD(16, xmap_cmd_query, out_max_windows);
	EXPECT_FIELD(20, xmap_cmd_query, out_targets);
	EXPECT_FIELD(24, xmap_cmd_query, out_windows);
	EXPECT_FIELD(28, xmap_cmd_query, __reserved);
	EXPECT_FIELD(32, xmap_cmd_query, out_features);
	EXPECT_FIELD(40, xmap_cmd_query, out_commands);
	EXPECT_FIELD(48, xmap_cmd_query, out_errata);
	EXPECT_FIELD(56, xmap_cmd_query, out_max_exports);
	EXPECT_FIELD(60, xmap_cmd_query, out_exports);
	EXPECT_FIELD(64, xmap_cmd_query, out_max_regions);
	EXPECT_FIELD(68, xmap_cmd_query, out_regions);
	EXPECT_FIELD(72, xmap_cmd_query, out_max_region_bytes);
	EXPECT_FIELD(80, xmap_cmd_query, out_region_bytes);

	EXPECT_EQ(40, sizeof(struct xmap_cmd_target_open));
	EXPECT_FIELD(8, xmap_cmd_target_open, fd);
	EXPECT_FIELD(12, xmap_cmd_target_open, pid);
	EXPECT_FIELD(16, xmap_cmd_target_open, rights);
	EXPECT_FIELD(20, xmap_cmd_target_open, out_fd);
	EXPECT_FIELD(24, xmap_cmd_target_open, addr);
	EXPECT_FIELD(32, xmap_cmd_target_open, length);

	EXPECT_EQ(40, sizeof(struct xmap_cmd_target_info));
	EXPECT_FIELD(8, xmap_cmd_target_info, out_rights);
	EXPECT_FIELD(12, xmap_cmd_target_info, out_state);
	EXPECT_FIELD(16, xmap_cmd_target_info, out_pid);
	EXPECT_FIELD(20, xmap_cmd_target_info, out_windows);
	EXPECT_FIELD(24, xmap_cmd_target_info, out_addr);
	EXPECT_FIELD(32, xmap_cmd_target_info, out_length);

	EXPECT_EQ(32, sizeof(struct xmap_cmd_target_derive));
	EXPECT_FIELD(8, xmap_cmd_target_derive, rights);
	EXPECT_FIELD(12, xmap_cmd_target_derive, out_fd);
	EXPECT_FIELD(16, xmap_cmd_target_derive, addr);
	EXPECT_FIELD(24, xmap_cmd_target_derive, length);

	EXPECT_EQ(48, sizeof(struct xmap_cmd_target_maps));
	EXPECT_FIELD(8, xmap_cmd_target_maps, addr);
	EXPECT_FIELD(16, xmap_cmd_target_maps, buf);
	EXPECT_FIELD(24, xmap_cmd_target_maps, buf_size);
	EXPECT_FIELD(28, xmap_cmd_target_maps, out_count);
	EXPECT_FIELD(32, xmap_cmd_target_maps, out_used);
	EXPECT_FIELD(36, xmap_cmd_target_maps, __reserved);
	EXPECT_FIELD(40, xmap_cmd_target_maps, out_next);

	EXPECT_EQ(32, sizeof(struct xmap_cmd_target_prefault));
	EXPECT_FIELD(8, xmap_cmd_target_prefault, addr);
	EXPECT_FIELD(16, xmap_cmd_target_prefault, length);
	EXPECT_FIELD(24, xmap_cmd_target_prefault, out_length);

	EXPECT_EQ(24, sizeof(struct xmap_cmd_transfer));
	EXPECT_FIELD(8, xmap_cmd_transfer, entries);
	EXPECT_FIELD(16, xmap_cmd_transfer, count);
	EXPECT_FIELD(20, xmap_cmd_transfer, out_done);

	EXPECT_EQ(40, sizeof(struct xmap_cmd_list));
	EXPECT_FIELD(8, xmap_cmd_list, entries);
	EXPECT_FIELD(16, xmap_cmd_list, count);
	EXPECT_FIELD(20, xmap_cmd_list, out_count);
	EXPECT_FIELD(24, xmap_cmd_list, cursor);
	EXPECT_FIELD(32, xmap_cmd_list, out_cursor);
}

TEST(layout_exports)
{
	EXPECT_EQ(136, sizeof(struct xmap_cmd_export_create));
	EXPECT_FIELD(8, xmap_cmd_export_create, rights);
	EXPECT_FIELD(12, xmap_cmd_export_create, out_fd);
	EXPECT_FIELD(16, xmap_cmd_export_create, addr);
	EXPECT_FIELD(24, xmap_cmd_export_create, length);
	EXPECT_FIELD(32, xmap_cmd_export_create, expires);
	EXPECT_FIELD(40, xmap_cmd_export_create, max_accepts);
	EXPECT_FIELD(44, xmap_cmd_export_create, mode);
	EXPECT_FIELD(48, xmap_cmd_export_create, gid);
	EXPECT_FIELD(52, xmap_cmd_export_create, receiver_fd);
	EXPECT_FIELD(56, xmap_cmd_export_create, receiver_pid);
	EXPECT_FIELD(60, xmap_cmd_export_create, receiver_uid);
	EXPECT_FIELD(64, xmap_cmd_export_create, out_id);
	EXPECT_FIELD(72, xmap_cmd_export_create, name);
	EXPECT_EQ(64, sizeof(((struct xmap_cmd_export_create *)0)->name));

	EXPECT_EQ(88, sizeof(struct xmap_cmd_export_open));
	EXPECT_FIELD(8, xmap_cmd_export_open, rights);
	EXPECT_FIELD(12, xmap_cmd_export_open, out_fd);
	EXPECT_FIELD(16, xmap_cmd_export_open, id);
	EXPECT_FIELD(24, xmap_cmd_export_open, name);
	EXPECT_EQ(64, sizeof(((struct xmap_cmd_export_open *)0)->name));

	EXPECT_EQ(32, sizeof(struct xmap_cmd_export_accept));
	EXPECT_FIELD(8, xmap_cmd_export_accept, rights);
	EXPECT_FIELD(12, xmap_cmd_export_accept, out_fd);
	EXPECT_FIELD(16, xmap_cmd_export_accept, addr);
	EXPECT_FIELD(24, xmap_cmd_export_accept, length);

	EXPECT_EQ(72, sizeof(struct xmap_cmd_export_info));
	EXPECT_FIELD(8, xmap_cmd_export_info, out_rights);
	EXPECT_FIELD(12, xmap_cmd_export_info, out_state);
	EXPECT_FIELD(16, xmap_cmd_export_info, out_pid);
	EXPECT_FIELD(20, xmap_cmd_export_info, out_accepts);
	EXPECT_FIELD(24, xmap_cmd_export_info, out_max_accepts);
	EXPECT_FIELD(28, xmap_cmd_export_info, out_targets);
	EXPECT_FIELD(32, xmap_cmd_export_info, out_addr);
	EXPECT_FIELD(40, xmap_cmd_export_info, out_length);
	EXPECT_FIELD(48, xmap_cmd_export_info, out_expires);
	EXPECT_FIELD(56, xmap_cmd_export_info, out_id);
	EXPECT_FIELD(64, xmap_cmd_export_info, out_uid);
	EXPECT_FIELD(68, xmap_cmd_export_info, __reserved);

	EXPECT_EQ(32, sizeof(struct xmap_cmd_revoke));
	EXPECT_FIELD(8, xmap_cmd_revoke, serial);
	EXPECT_FIELD(16, xmap_cmd_revoke, addr);
	EXPECT_FIELD(24, xmap_cmd_revoke, length);

	EXPECT_EQ(16, sizeof(struct xmap_cmd_deny));
	EXPECT_FIELD(8, xmap_cmd_deny, out_flags);
	EXPECT_FIELD(12, xmap_cmd_deny, __reserved);
}

TEST(layout_regions)
{
	EXPECT_EQ(120, sizeof(struct xmap_cmd_region_create));
	EXPECT_FIELD(8, xmap_cmd_region_create, mode);
	EXPECT_FIELD(12, xmap_cmd_region_create, gid);
	EXPECT_FIELD(16, xmap_cmd_region_create, length);
	EXPECT_FIELD(24, xmap_cmd_region_create, reserve);
	EXPECT_FIELD(32, xmap_cmd_region_create, addr);
	EXPECT_FIELD(40, xmap_cmd_region_create, out_addr);
	EXPECT_FIELD(48, xmap_cmd_region_create, out_fd);
	EXPECT_FIELD(52, xmap_cmd_region_create, __reserved);
	EXPECT_FIELD(56, xmap_cmd_region_create, name);

	EXPECT_EQ(80, sizeof(struct xmap_cmd_region_open));
	EXPECT_FIELD(8, xmap_cmd_region_open, rights);
	EXPECT_FIELD(12, xmap_cmd_region_open, out_fd);
	EXPECT_FIELD(16, xmap_cmd_region_open, name);

	EXPECT_EQ(32, sizeof(struct xmap_cmd_region_derive));
	EXPECT_FIELD(8, xmap_cmd_region_derive, rights);
	EXPECT_FIELD(12, xmap_cmd_region_derive, out_fd);
	EXPECT_FIELD(16, xmap_cmd_region_derive, offset);
	EXPECT_FIELD(24, xmap_cmd_region_derive, length);

	EXPECT_EQ(88, sizeof(struct xmap_cmd_region_info));
	EXPECT_FIELD(8, xmap_cmd_region_info, out_rights);
	EXPECT_FIELD(12, xmap_cmd_region_info, out_state);
	EXPECT_FIELD(16, xmap_cmd_region_info, out_flags);
	EXPECT_FIELD(20, xmap_cmd_region_info, out_seals);
	EXPECT_FIELD(24, xmap_cmd_region_info, out_owner);
	EXPECT_FIELD(28, xmap_cmd_region_info, out_mappings);
	EXPECT_FIELD(32, xmap_cmd_region_info, out_offset);
	EXPECT_FIELD(40, xmap_cmd_region_info, out_length);
	EXPECT_FIELD(48, xmap_cmd_region_info, out_region_length);
	EXPECT_FIELD(56, xmap_cmd_region_info, out_addr);
	EXPECT_FIELD(64, xmap_cmd_region_info, out_generation);
	EXPECT_FIELD(72, xmap_cmd_region_info, out_events);
	EXPECT_FIELD(80, xmap_cmd_region_info, out_replaced);

	EXPECT_EQ(16, sizeof(struct xmap_cmd_region_seal));
	EXPECT_FIELD(8, xmap_cmd_region_seal, seals);
	EXPECT_FIELD(12, xmap_cmd_region_seal, out_seals);

	EXPECT_EQ(16, sizeof(struct xmap_cmd_region_resize));
	EXPECT_FIELD(8, xmap_cmd_region_resize, length);
	EXPECT_EQ(8, sizeof(struct xmap_cmd_region_give));
	EXPECT_EQ(8, sizeof(struct xmap_cmd_region_take));

	EXPECT_EQ(16, sizeof(struct xmap_cmd_region_rebind));
	EXPECT_FIELD(8, xmap_cmd_region_rebind, out_generation);
	EXPECT_EQ(8, sizeof(struct xmap_cmd_region_unlink));
	EXPECT_EQ(8, sizeof(struct xmap_cmd_region_notify));

	EXPECT_EQ(16, sizeof(struct xmap_cmd_eventfd));
	EXPECT_FIELD(8, xmap_cmd_eventfd, fd);
	EXPECT_FIELD(12, xmap_cmd_eventfd, __reserved);
}

TEST(layout_records)
{
	EXPECT_EQ(56, sizeof(struct xmap_vma));
	EXPECT_FIELD(0, xmap_vma, size);
	EXPECT_FIELD(4, xmap_vma, flags);
	EXPECT_FIELD(8, xmap_vma, start);
	EXPECT_FIELD(16, xmap_vma, end);
	EXPECT_FIELD(24, xmap_vma, offset);
	EXPECT_FIELD(32, xmap_vma, inode);
	EXPECT_FIELD(40, xmap_vma, dev_major);
	EXPECT_FIELD(44, xmap_vma, dev_minor);
	EXPECT_FIELD(48, xmap_vma, page_size);
	EXPECT_FIELD(52, xmap_vma, name_len);
	EXPECT_FIELD(56, xmap_vma, name);

	EXPECT_EQ(40, sizeof(struct xmap_transfer));
	EXPECT_FIELD(0, xmap_transfer, fd);
	EXPECT_FIELD(4, xmap_transfer, flags);
	EXPECT_FIELD(8, xmap_transfer, remote);
	EXPECT_FIELD(16, xmap_transfer, local);
	EXPECT_FIELD(24, xmap_transfer, length);
	EXPECT_FIELD(32, xmap_transfer, out_result);

	EXPECT_EQ(80, sizeof(struct xmap_list_entry));
	EXPECT_FIELD(0, xmap_list_entry, kind);
	EXPECT_FIELD(4, xmap_list_entry, rights);
	EXPECT_FIELD(8, xmap_list_entry, holder_pid);
	EXPECT_FIELD(12, xmap_list_entry, holder_uid);
	EXPECT_FIELD(16, xmap_list_entry, target_pid);
	EXPECT_FIELD(20, xmap_list_entry, state);
	EXPECT_FIELD(24, xmap_list_entry, addr);
	EXPECT_FIELD(32, xmap_list_entry, length);
	EXPECT_FIELD(40, xmap_list_entry, local);
	EXPECT_FIELD(48, xmap_list_entry, count);
	EXPECT_FIELD(56, xmap_list_entry, since);
	EXPECT_FIELD(64, xmap_list_entry, serial);
	EXPECT_FIELD(72, xmap_list_entry, parent);
}

TEST(numbers)
{
	EXPECT_EQ(0xb980, XMAP_QUERY);
	EXPECT_EQ(0xb981, XMAP_LIST);
	EXPECT_EQ(0xb982, XMAP_TRANSFER);
	EXPECT_EQ(0xb983, XMAP_TARGET_OPEN);
	EXPECT_EQ(0xb984, XMAP_TARGET_INFO);
	EXPECT_EQ(0xb985, XMAP_TARGET_DERIVE);
	EXPECT_EQ(0xb986, XMAP_TARGET_MAPS);
	EXPECT_EQ(0xb987, XMAP_TARGET_PREFAULT);
	EXPECT_EQ(0xb988, XMAP_REVOKE);
	EXPECT_EQ(0xb989, XMAP_EXPORT_CREATE);
	EXPECT_EQ(0xb98a, XMAP_EXPORT_OPEN);
	EXPECT_EQ(0xb98b, XMAP_EXPORT_ACCEPT);
	EXPECT_EQ(0xb98c, XMAP_EXPORT_INFO);
	EXPECT_EQ(0xb98d, XMAP_DENY);
	EXPECT_EQ(0xb98e, XMAP_REGION_CREATE);
	EXPECT_EQ(0xb98f, XMAP_REGION_OPEN);
	EXPECT_EQ(0xb990, XMAP_REGION_DERIVE);
	EXPECT_EQ(0xb991, XMAP_REGION_INFO);
	EXPECT_EQ(0xb992, XMAP_REGION_SEAL);
	EXPECT_EQ(0xb993, XMAP_REGION_RESIZE);
	EXPECT_EQ(0xb994, XMAP_REGION_GIVE);
	EXPECT_EQ(0xb995, XMAP_REGION_TAKE);
	EXPECT_EQ(0xb996, XMAP_REGION_REBIND);
	EXPECT_EQ(0xb997, XMAP_REGION_UNLINK);
	EXPECT_EQ(0xb998, XMAP_REGION_NOTIFY);
	EXPECT_EQ(1, XMAP_RIGHT_READ);
	EXPECT_EQ(2, XMAP_RIGHT_WRITE);
	EXPECT_EQ(4, XMAP_RIGHT_FORCE);
	EXPECT_EQ(8, XMAP_RIGHT_MANAGE);
	EXPECT_EQ(1, XMAP_TARGET_OPEN_MEM);
	EXPECT_EQ(1, XMAP_TRANSFER_WRITE);
	EXPECT_EQ(2, XMAP_TRANSFER_FORCE);
	EXPECT_EQ(1, XMAP_TARGET_PREFAULT_WRITE);
	EXPECT_EQ(1, XMAP_TARGET_ALIVE);
	EXPECT_EQ(2, XMAP_TARGET_DEAD);
	EXPECT_EQ(3, XMAP_TARGET_REVOKED);
	EXPECT_EQ(1, XMAP_LIST_TARGET);
	EXPECT_EQ(2, XMAP_LIST_WINDOW);
	EXPECT_EQ(3, XMAP_LIST_EXPORT);
	EXPECT_EQ(4, XMAP_LIST_REGION);
	EXPECT_EQ(5, XMAP_LIST_NAME);
	EXPECT_EQ(1, XMAP_EXPORT_PUBLISH);
	EXPECT_EQ(2, XMAP_EXPORT_FOR_PROCESS);
	EXPECT_EQ(4, XMAP_EXPORT_FOR_USER);
	EXPECT_EQ(64, XMAP_NAME_SIZE);
	EXPECT_EQ(1, XMAP_DENY_SET);
	EXPECT_EQ(2, XMAP_DENY_CLEAR);
	EXPECT_EQ(4, XMAP_DENY_FINAL);
	EXPECT_EQ(8, XMAP_FEATURE_EXPORT);
	EXPECT_EQ(16, XMAP_FEATURE_REGION);
	EXPECT_EQ(1, XMAP_REGION_SINGLE_OWNER);
	EXPECT_EQ(2, XMAP_REGION_FIXED_ADDRESS);
	EXPECT_EQ(4, XMAP_REGION_PUBLISH);
	EXPECT_EQ(8, XMAP_REGION_PERSISTENT);
	EXPECT_EQ(1, XMAP_REGION_OWNER_ALL);
	EXPECT_EQ(2, XMAP_REGION_OWNER_SELF);
	EXPECT_EQ(3, XMAP_REGION_OWNER_OTHER);
	EXPECT_EQ(4, XMAP_REGION_OWNER_NONE);
	EXPECT_EQ(F_SEAL_SEAL, XMAP_REGION_SEAL_SEAL);
	EXPECT_EQ(F_SEAL_SHRINK, XMAP_REGION_SEAL_SHRINK);
	EXPECT_EQ(F_SEAL_GROW, XMAP_REGION_SEAL_GROW);
	EXPECT_EQ(F_SEAL_WRITE, XMAP_REGION_SEAL_WRITE);
	EXPECT_EQ(F_SEAL_FUTURE_WRITE, XMAP_REGION_SEAL_FUTURE_WRITE);
}

/* The device's own file knows nothing but commands. */
TEST(device_file)
{
	char byte = 0;
	int dev;

	test_dev_open(&dev);
	EXPECT_ERRNO(EINVAL, read(dev, &byte, 1));
	EXPECT_ERRNO(EINVAL, write(dev, &byte, 1));
	EXPECT_ERRNO(ENODEV, mmap(NULL, xmap_page_size(), PROT_READ, MAP_SHARED,
				  dev, 0));
	close(dev);
	EXPECT_ERRNO(EBADF, ioctl(dev, XMAP_QUERY, &byte));
}

TEST_HARNESS_MAIN
