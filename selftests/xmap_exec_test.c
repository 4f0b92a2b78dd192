// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who opens a target while its process executes another program gets the one
 * that was asked about, or nothing: never the memory of a program that the
 * opener may not look into.
 *
 * A process executes two programs in turn.  One is an ordinary one; the other
 * is a file that its user can execute but not read, so the kernel lets nobody
 * of that user look into it.  Others of that user open the process again and
 * again, and see which program they got.
 */
#include <elf.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "xmap_utils.h"
#include "xmap_reader.h"

#define UID 1000
#define DIR "/run/xmap-exec-test"
#define OPENERS 3

enum program { READABLE = 1, SECRET };

static const char * const program_path[] = {
	[READABLE] = DIR "/readable",
	[SECRET] = DIR "/secret",
};

/* What came of the attempts. */
struct seen {
	__u64 got[SECRET + 1];
	__u64 gone;
	__u64 refused;
	__u64 again;
	__u64 wrong;
	__u64 stop;
};

static struct seen *seen;

/*
 * The programs, as small as programs can be, for this is about how often one takes
 * the other's place: which one it is, what to execute next, and code.  It sleeps
 * up to a millisecond, to wake up at a moment when an opener is in the middle of its
 * work, and go before it: that has a lower priority, on the same processor.
 */
struct image {
	Elf64_Ehdr elf;
	Elf64_Phdr load;
	__u64 program;
	char next[64];
	char code[128];
};

#define PLACE 0x100000000UL
#define PLACE_OF(member) (PLACE + offsetof(struct image, member))

/* Only ever copied: what it is called with is not what C says. */
static __attribute__((naked, noinline)) void exec_code(void)
{
	asm("rdtsc\n"
	    "and	$0xfffff, %eax\n"
	    "push	%rax\n"
	    "push	$0\n"
	    "mov	%rsp, %rdi\n"
	    "xor	%esi, %esi\n"
	    "mov	$35, %eax\n"
	    "syscall\n"
	    "movabs	$0x100000080, %rdi\n"
	    "push	$0\n"
	    "push	%rdi\n"
	    "mov	%rsp, %rsi\n"
	    "xor	%edx, %edx\n"
	    "mov	$59, %eax\n"
	    "syscall\n"
	    "mov	$1, %edi\n"
	    "mov	$60, %eax\n"
	    "syscall\n"
	    "hlt");
}

_Static_assert(PLACE_OF(next) == 0x100000080, "exec_code");
_Static_assert(SYS_nanosleep == 35 && SYS_execve == 59 && SYS_exit == 60, "exec_code");

/* Write a program to its file. */
static int install(enum program program, mode_t mode)
{
	struct image image = {
		.elf = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				     EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = PLACE_OF(code),
			.e_phoff = offsetof(struct image, load),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1,
		},
		.load = {
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_vaddr = PLACE,
			.p_filesz = sizeof(image),
			.p_memsz = sizeof(image),
			.p_align = 4096,
		},
		.program = program,
	};
	int fd, ret;

	strcpy(image.next, program_path[READABLE + SECRET - program]);
	memcpy(image.code, exec_code, sizeof(image.code));
	fd = open(program_path[program], O_WRONLY | O_CREAT | O_CLOEXEC, mode);
	if (fd < 0)
		return -1;
	ret = write(fd, &image, sizeof(image)) != sizeof(image) || fchmod(fd, mode);
	close(fd);
	return ret;
}

static void count(__u64 *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* Which program did we get?  Wait until it is mapped, or has ended. */
static void look(int fd)
{
	ssize_t ret;
	__u64 value;

	for (;;) {
		ret = pread(fd, &value, sizeof(value), PLACE_OF(program));
		if (ret == sizeof(value) && (value == READABLE || value == SECRET))
			return count(&seen->got[value]);
		if (ret < 0 && errno == ESRCH)
			return count(&seen->gone);
		if (ret >= 0 || errno != EFAULT)
			return count(&seen->wrong);
		sched_yield();
	}
}

static void open_again(int dev, pid_t pid)
{
	int pidfd = xmap_pidfd_open(pid, 0);
	int fd;

	while (!__atomic_load_n(&seen->stop, __ATOMIC_RELAXED)) {
		if (!_test_target_open(dev, pidfd, pid, XMAP_RIGHT_READ, 0, 0, &fd)) {
			look(fd);
			close(fd);
		} else {
			count(errno == EACCES ? &seen->refused :
			      errno == EAGAIN ? &seen->again : &seen->wrong);
		}
	}
}

static void become_user(void)
{
	if (setgroups(0, NULL) || setresgid(UID, UID, UID) || setresuid(UID, UID, UID) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL))
		_exit(1);
}

static void run_on_first_processor(void)
{
	cpu_set_t set;
	int i;

	sched_getaffinity(0, sizeof(set), &set);
	for (i = 0; !CPU_ISSET(i, &set); i++)
		;
	CPU_ZERO(&set);
	CPU_SET(i, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

FIXTURE(exec)
{
	pid_t source;
	pid_t opener[OPENERS];
};

FIXTURE_SETUP(exec)
{
	if (geteuid())
		SKIP(return, "needs root");
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, seen);
	mkdir(DIR, 0755);
	ASSERT_EQ(0, mount("tmpfs", DIR, "tmpfs", 0, "mode=755"));
	ASSERT_EQ(0, install(READABLE, 0755));
	ASSERT_EQ(0, install(SECRET, 0711));

	self->source = fork();
	ASSERT_LE(0, self->source);
	if (!self->source) {
		become_user();
		run_on_first_processor();
		execl(program_path[READABLE], program_path[READABLE], NULL);
		_exit(1);
	}
}

FIXTURE_TEARDOWN(exec)
{
	if (geteuid())
		return;
	kill(self->source, SIGKILL);
	waitpid(self->source, NULL, 0);
	EXPECT_EQ(0, umount(DIR));
	rmdir(DIR);
}

TEST_F_TIMEOUT(exec, never_the_program_that_was_not_asked_about, 120)
{
	__u64 until = test_now_ms() + 2 * test_seconds() * 1000;
	int dev, i, status;

	test_dev_open(&dev);
	for (i = 0; i < OPENERS; i++) {
		self->opener[i] = fork();
		ASSERT_LE(0, self->opener[i]);
		if (!self->opener[i]) {
			const struct sched_param param = { 0 };

			become_user();
			/* One beside the source, the others where there is room. */
			if (!i)
				run_on_first_processor();
			sched_setscheduler(0, SCHED_IDLE, &param);
			open_again(dev, self->source);
			_exit(0);
		}
	}
	/* Both programs have to come to their turn, whatever that takes. */
	while (test_now_ms() < until || seen->got[READABLE] < 10 || seen->refused < 10)
		usleep(100000);
	__atomic_store_n(&seen->stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < OPENERS; i++) {
		ASSERT_EQ(self->opener[i], waitpid(self->opener[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	TH_LOG("%llu readable, %llu secret, %llu gone, %llu refused, %llu again",
	       seen->got[READABLE], seen->got[SECRET], seen->gone, seen->refused, seen->again);
	EXPECT_EQ(0, seen->got[SECRET]);
	EXPECT_EQ(0, seen->wrong);
	/* It is still there, and still goes on. */
	EXPECT_EQ(0, waitpid(self->source, NULL, WNOHANG));
}

TEST_HARNESS_MAIN
