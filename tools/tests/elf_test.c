// SPDX-License-Identifier: LGPL-2.1-or-later
/* Symbols of ELF files: those that a compiler does not make. */
#define _GNU_SOURCE
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tool.h"

#define TABLE_BYTES (24UL << 20)

static int count, failed;

static void result(const char *what, bool good)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++count, what);
	failed += !good;
}

struct file {
	Elf64_Ehdr head;
	Elf64_Phdr segment;
	Elf64_Sym symbol;
	char names[16];
};

/*
 * A file with @n sections of @type, all of them one symbol table of @bytes, whose
 * first symbol is "wanted" at 0x123; behind them its names.  Returns a descriptor.
 */
static int make_file(unsigned int n, unsigned int type, uint64_t bytes)
{
	uint64_t names_at = offsetof(struct file, names), sections_at = sizeof(struct file);
	Elf64_Shdr *sections = calloc(n + 1, sizeof(*sections));
	ssize_t sections_bytes = (n + 1) * sizeof(*sections);
	struct file file = {
		.head = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
			.e_phoff = offsetof(struct file, segment),
			.e_shoff = sections_at,
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1,
			.e_shentsize = sizeof(*sections),
			.e_shnum = n + 1,
		},
		.segment = { .p_type = PT_LOAD },
		.symbol = { .st_name = 1, .st_shndx = 1, .st_value = 0x123,
			    .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT) },
		.names = "\0wanted",
	};
	int fd = memfd_create("elf", MFD_CLOEXEC);
	unsigned int i;

	if (!sections || fd < 0)
		exit(1);
	for (i = 0; i < n; i++)
		sections[i] = (Elf64_Shdr){ .sh_type = type, .sh_link = n, .sh_size = bytes,
					    .sh_offset = offsetof(struct file, symbol),
					    .sh_entsize = sizeof(Elf64_Sym) };
	sections[n] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = names_at,
				    .sh_size = sizeof(file.names) };
	if (pwrite(fd, &file, sizeof(file), 0) != sizeof(file) ||
	    pwrite(fd, sections, sections_bytes, sections_at) != sections_bytes ||
	    ftruncate(fd, 2 * TABLE_BYTES))
		exit(1);
	free(sections);
	return fd;
}

static int look_up(int fd, const char *name, uint64_t *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return elf_symbol(path, name, ret);
}

static void test_one(const char *what, unsigned int type)
{
	int fd = make_file(1, type, sizeof(Elf64_Sym));
	uint64_t offset = 0;
	bool good;

	good = !look_up(fd, "wanted", &offset) && offset == 0x123;
	result(what, good && look_up(fd, "unwanted", &offset) == XC_MEMORY && offset == 0x123);
	close(fd);
}

/* Reading each of them would be terabytes. */
static void test_many(void)
{
	int fd = make_file(65000, SHT_SYMTAB, TABLE_BYTES);
	uint64_t offset = 0;

	result("thousands of symbol tables take no time",
	       look_up(fd, "unwanted", &offset) == XC_MEMORY && !offset);
	close(fd);
}

int main(void)
{
	/* The messages are not what is tested here. */
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	printf("TAP version 13\n1..3\n");
	test_one("a symbol of .symtab", SHT_SYMTAB);
	test_one("a symbol of .dynsym", SHT_DYNSYM);
	test_many();
	return failed ? 1 : 0;
}
