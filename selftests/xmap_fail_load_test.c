// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading the module while one allocation after the other fails, and where it
 * must not be loaded: it loads whole or not at all.
 */
#include <sched.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "xmap_fail_nth.h"

static const char * const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

static int module_remove(void)
{
	return syscall(SYS_delete_module, "xmap", O_NONBLOCK);
}

static int module_open(void)
{
	char path[256];
	struct utsname uts;

	uname(&uts);
	snprintf(path, sizeof(path), "build/%s/xmap.ko", uts.release);
	return open(getenv("XMAP_MODULE") ?: path, O_RDONLY | O_CLOEXEC);
}

static int module_insert(int fd)
{
	return syscall(SYS_finit_module, fd, "", 0);
}

/* Where a function of the kernel begins and the next one does: 0 if it is unknown. */
static unsigned long symbol_range(const char *name, unsigned long *end)
{
	unsigned long addr, start = 0;
	char line[256], found[128];
	FILE *f;

	*end = ~0UL;
	f = fopen("/proc/kallsyms", "r");
	if (!f)
		return 0;
	while (!start && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %*c %127s", &addr, found) == 2 && !strcmp(found, name))
			start = addr;
	}
	rewind(f);
	while (start && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %*c %127s", &addr, found) == 2 && addr > start && addr < *end)
			*end = addr;
	}
	fclose(f);
	return start;
}

/*
 * Only what is allocated below do_init_module(), which calls our init function,
 * is to fail: what the loader does before that is not ours, and some of it
 * warns (kernel/jump_label.c, jump_label_module_notify()).
 */
static bool only_below(unsigned long start, unsigned long end)
{
	char text[32];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(text, sizeof(text), "0x%lx", start);
		if (!nth_set(kinds[i], "require-start", text))
			return false;
		snprintf(text, sizeof(text), "0x%lx", end);
		if (!nth_set(kinds[i], "require-end", text) ||
		    !nth_set(kinds[i], "stacktrace-depth", "32"))
			return false;
	}
	return true;
}

FIXTURE(load)
{
	mode_t mode;
	int fd;
};

FIXTURE_SETUP(load)
{
	struct stat st;

	ASSERT_EQ(0, stat(XMAP_DEV, &st));
	self->mode = st.st_mode & 07777;
	self->fd = module_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, module_remove());
}

FIXTURE_TEARDOWN(load)
{
	EXPECT_TRUE(only_below(0, ~0UL));
	/* For the tests after this one. */
	module_insert(self->fd);
	chmod(XMAP_DEV, self->mode);
	close(self->fd);
}

TEST_F(load, whole_or_not_at_all)
{
	unsigned long start, end;
	struct nth nth = { .name = "load", .fd = nth_open() };
	int err;

	ASSERT_LE(0, nth.fd);
	start = symbol_range("do_init_module", &end);
	ASSERT_NE(0, start);
	ASSERT_TRUE(only_below(start, end));
	for (nth.n = 1; nth.n < NTH_LIMIT; nth.n++) {
		err = NTH_ERRNO(&nth, module_insert(self->fd));
		if (!err) {
			ASSERT_EQ(0, access(XMAP_DEV, F_OK));
			ASSERT_EQ(0, module_remove());
		} else {
			nth.failed++;
			ASSERT_EQ(ENOMEM, err);
		}
		ASSERT_EQ(-1, access(XMAP_DEV, F_OK));
		ASSERT_EQ(-1, access("/sys/module/xmap", F_OK));
		if (!nth.hit)
			break;
		nth.injected++;
	}
	ASSERT_EQ(0, err);
	ASSERT_LT(0, nth.failed);
	ksft_print_msg("load: injected %u failures, %u were fatal\n", nth.injected, nth.failed);
	close(nth.fd);
}

/* Its own view of processes would be that of the namespace. */
TEST_F(load, err_in_a_pid_namespace)
{
	pid_t child;
	int status;

	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		errno = 0;
		module_insert(self->fd);
		_exit(errno);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(EPERM, WEXITSTATUS(status));
	EXPECT_EQ(-1, access(XMAP_DEV, F_OK));
}

int main(int argc, char **argv)
{
	return nth_main(argc, argv);
}
