// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is told of a target: to 32-bit and to 64-bit callers, of 64-bit and of
 * 32-bit processes.
 */
#include "compat.h"

/* ---- XMAP_TARGET_MAPS, poll, fdinfo ---- */

/* Compare what the arena holds with /proc/PID/maps; how many mappings agree, or -1. */
static int maps_compare(pid_t pid, const char *records, __u32 count)
{
	char path[64], line[PATH_MAX + 128];
	int agreed = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		const struct xmap_vma *vma = (const void *)records;
		unsigned int major, minor;
		__u64 start, end, offset, inode;
		char perms[5], *name;
		int at = 0;

		if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end, perms, &offset,
			   &major, &minor, &inode, &at) != 7 || !at)
			break;
		name = line + at;
		name[strcspn(name, "\n")] = '\0';
		/* The gate page is in no address space. */
		if (!strcmp(name, "[vsyscall]"))
			continue;
		if (!count-- || vma->start != start || vma->end != end || vma->inode != inode ||
		    (inode && (vma->offset != offset || vma->dev_major != major ||
			       vma->dev_minor != minor)) ||
		    !(vma->flags & XMAP_VMA_READ) != (perms[0] == '-') ||
		    !(vma->flags & XMAP_VMA_WRITE) != (perms[1] == '-') ||
		    !(vma->flags & XMAP_VMA_EXEC) != (perms[2] == '-') ||
		    !(vma->flags & XMAP_VMA_SHARED) != (perms[3] == 'p') ||
		    strcmp(vma->name, name)) {
			printf("# not so: %s", line);
			agreed = -1;
			break;
		}
		records += vma->size;
		agreed++;
	}
	fclose(file);
	return count ? -1 : agreed;
}

TEST_F(compat, maps)
{
	struct xmap_cmd_target_maps *cmd = maps_command(TWIN_ARENA + 65536);

	ASSERT_EQ(0, same_ioctl(&self->twin, SHARED_TARGET, XMAP_TARGET_MAPS, cmd));
	EXPECT_EQ(0, cmd->out_next);
	EXPECT_EQ(cmd->out_count, maps_compare(self->twin.pid, arena_at(65536), cmd->out_count));

	/* From above 4 GiB on, the pattern's mapping is the first. */
	*maps_command(TWIN_ARENA + 65536) = *cmd;
	cmd->addr = TWIN_HIGH;
	ASSERT_EQ(0, same_ioctl(&self->twin, SHARED_TARGET, XMAP_TARGET_MAPS, cmd));
	EXPECT_EQ(TWIN_HIGH, ((struct xmap_vma *)arena_at(65536))->start);
	cmd->buf_size = 8191;
	EXPECT_EQ(EINVAL, same_ioctl(&self->twin, SHARED_TARGET, XMAP_TARGET_MAPS, cmd));
}

static int poll_here(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

TEST_F(compat, poll_and_fdinfo)
{
	char path[64], here[512] = "";
	char *there = arena_at(0);
	ssize_t len;
	int fd;

	EXPECT_EQ(POLLIN | POLLOUT, poll_here(SHARED_TARGET));
	EXPECT_EQ(POLLIN | POLLOUT, twin_call(&self->twin, TWIN_POLL, SHARED_TARGET));

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", SHARED_TARGET);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	len = read(fd, here, sizeof(here) - 1);
	close(fd);
	ASSERT_LT(0, len);
	memset(there, 0, 512);
	ASSERT_EQ(len, twin_call(&self->twin, TWIN_FDINFO, SHARED_TARGET, TWIN_ARENA, 511));
	EXPECT_STREQ(here, there);
	EXPECT_NE(NULL, strstr(here, "xmap-rights:\trw-\n"));
}

/* ---- A 32-bit target ---- */

TEST_F(compat, narrow_target)
{
	struct xmap_cmd_target_maps *cmd;
	struct xmap_cmd_target_info info;
	struct peer peer;
	unsigned long mem;
	int fd;

	ASSERT_EQ(0, peer_spawn(&peer));
	mem = peer_map(&peer, PEER_ANON, PROT_READ | PROT_WRITE, TWIN_LENGTH, 7);
	ASSERT_NE(PEER_MAP_FAILED, mem);
	/* The 64-bit caller's own: it opens by this pidfd. */
	ASSERT_EQ(0, twin_share(&self->twin, dup(peer.pidfd), SHARED_PIDFD));
	ASSERT_EQ(0, open_same(&self->twin, (struct xmap_cmd_target_open){
		.fd = SHARED_PIDFD,
		.pid = peer.pid,
		.rights = XMAP_RIGHTS_RW,
	}, &fd));
	ASSERT_EQ(0, twin_share(&self->twin, fd, SHARED_TARGET));
	EXPECT_EQ(0, info_same(&self->twin, SHARED_TARGET, &info));
	EXPECT_EQ(peer.pid, info.out_pid);

	cmd = maps_command(TWIN_ARENA + 65536);
	ASSERT_EQ(0, same_ioctl(&self->twin, SHARED_TARGET, XMAP_TARGET_MAPS, cmd));
	EXPECT_EQ(cmd->out_count, maps_compare(peer.pid, arena_at(65536), cmd->out_count));

	EXPECT_EQ(TWIN_LENGTH, same_copy(&self->twin, false, SHARED_TARGET, TWIN_LENGTH, mem));
	EXPECT_EQ(0, peer_check_here(arena_at(0), TWIN_LENGTH, 7));
	peer_fill_here(arena_at(0), TWIN_LENGTH, 9);
	EXPECT_EQ(TWIN_LENGTH, same_copy(&self->twin, true, SHARED_TARGET, TWIN_LENGTH, mem));
	EXPECT_EQ(0, peer_check(&peer, mem, TWIN_LENGTH, 9));
	/* It has nothing there, however much the low bits look like it. */
	EXPECT_EQ(-EFAULT, same_copy(&self->twin, false, SHARED_TARGET, 8, mem | 1ULL << 32));
	EXPECT_EQ(-EFAULT, same_copy(&self->twin, false, SHARED_TARGET, 8, 0xffffe000));

	/* A window above 4 GiB on a process that ends below. */
	ASSERT_EQ(0, twin_call(&self->twin, TWIN_MAP, 0x900000000ULL, TWIN_LENGTH,
			       PROT_READ | PROT_WRITE, SHARED_TARGET, mem));
	EXPECT_EQ((__s64)peer_word(9, 0), twin_call(&self->twin, TWIN_LOAD, 0x900000000ULL));
	EXPECT_EQ(0, twin_call(&self->twin, TWIN_FILL, 0x900000000ULL, TWIN_LENGTH, 11));
	EXPECT_EQ(0, peer_check(&peer, mem, TWIN_LENGTH, 11));

	/* It becomes a 64-bit program: another address space, for both. */
	EXPECT_EQ(0, peer_start(&peer, peer_op_exec, 0));
	EXPECT_EQ(0, peer_await_gone(&peer));
	EXPECT_EQ(0, info_same(&self->twin, SHARED_TARGET, &info));
	EXPECT_EQ(XMAP_TARGET_DEAD, info.out_state);
	EXPECT_EQ(-ESRCH, same_copy(&self->twin, false, SHARED_TARGET, 8, mem));
	EXPECT_EQ(POLLIN | POLLOUT | POLLHUP, poll_here(SHARED_TARGET));
	EXPECT_EQ(POLLIN | POLLOUT | POLLHUP, twin_call(&self->twin, TWIN_POLL, SHARED_TARGET));
	peer_end(&peer);
}

TEST_HARNESS_MAIN
