// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The process that xmap_tool_test works on.  Prints where its data is as one
 * JSON object, then obeys commands, one per line, and answers each with a line.
 *
 *	victim [--name NAME] [--file FILE]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PAGE 4096UL
#define BIG (8UL << 20)

/* Found by its symbol. */
uint64_t victim_counter = 1000;

static struct {
	uint8_t u8[2];
	int16_t i16;
	int32_t i32;
	float f32;
	uint32_t u32;
	int64_t i64;
	double f64[3];
	uint64_t u64;
	void *ptr;
	char text[64];
} data = {
	.u8 = { 254, 7 },
	.i16 = -2,
	.i32 = -3000000,
	.f32 = 1.5f,
	.u32 = 4000000000u,
	.i64 = INT64_MIN,
	.f64 = { -0.1, 1.0 / 0.0, 0.0 / 0.0 },
	.u64 = UINT64_MAX,
	.ptr = &data,
	.text = "say \"hi\"\\ \x1b[31m\xff caf\xc3\xa9\0second",
};

__attribute__((noinline)) int victim_function(void)
{
	return 42;
}

static void *map(size_t length, int prot, int flags, int fd)
{
	void *addr = mmap(NULL, length, prot, flags, fd, 0);

	if (addr == MAP_FAILED) {
		perror("victim: mmap");
		exit(1);
	}
	return addr;
}

static void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* One page of memory twice in a row: what is written to the first is overwritten. */
static char *map_twin(void)
{
	char *addr = map(2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int fd = memfd_create("twin", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, PAGE) ||
	    mmap(addr, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != addr ||
	    mmap(addr + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) !=
	    addr + PAGE) {
		perror("victim: twin");
		exit(1);
	}
	close(fd);
	return addr;
}

/* A pattern that repeats every 64 KiB. */
static void fill(unsigned char *big)
{
	size_t i;

	for (i = 0; i < 1 << 16; i++)
		big[i] = i * 7 + (i >> 8);
	for (; i < BIG; i *= 2)
		memcpy(big + i, big, i);
}

static void put(const char *key, const void *addr)
{
	printf("\"%s\":%lu,", key, (unsigned long)addr);
}

int main(int argc, char **argv)
{
	unsigned char *big = map(BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *hole = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	void *ro = map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	void *shared = map(PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1);
	void *none = map(PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *twin = map_twin();
	char line[64];
	pthread_t thread;
	size_t i;
	int fd;

	putchar('{');
	for (i = 1; i + 1 < (size_t)argc; i += 2) {
		if (!strcmp(argv[i], "--name")) {
			prctl(PR_SET_NAME, argv[i + 1]);
		} else {
			fd = open(argv[i + 1], O_RDONLY | O_CLOEXEC);
			put("file", map(PAGE, PROT_READ, MAP_PRIVATE, fd));
		}
	}
	memcpy(hole + PAGE - 8, "the end\0", 8);
	munmap(hole + PAGE, PAGE);
	pthread_create(&thread, NULL, idle, NULL);

	put("counter", &victim_counter);
	put("function", victim_function);
	put("u8", data.u8);
	put("i16", &data.i16);
	put("i32", &data.i32);
	put("f32", &data.f32);
	put("u32", &data.u32);
	put("i64", &data.i64);
	put("f64", data.f64);
	put("u64", &data.u64);
	put("ptr", &data.ptr);
	put("text", data.text);
	put("big", big);
	put("hole", hole + PAGE);
	put("ro", ro);
	put("shared", shared);
	put("none", none);
	put("twin", twin);
	printf("\"pid\":%d}\n", getpid());
	fflush(stdout);

	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "add\n"))
			__atomic_add_fetch(&victim_counter, 1, __ATOMIC_SEQ_CST);
		else if (!strcmp(line, "fill\n"))
			fill(big);
		else if (!strcmp(line, "unmap\n"))
			munmap(big, BIG);
		else if (!strcmp(line, "exec\n"))
			execl("/proc/self/exe", "victim", NULL);
		printf("%lu %d\n", (unsigned long)victim_counter, victim_function());
		fflush(stdout);
	}
	return 0;
}
