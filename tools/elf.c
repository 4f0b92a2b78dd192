// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Find a symbol in an ELF file.
 *
 * The file belongs to a foreign process and may be anything: every offset and
 * size is checked against the file before it is used, and the file is read,
 * not mapped, so that one that shrinks is an error and not a signal.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

#define TABLE_MAX (256U << 20)

struct elf {
	int fd;
	const char *path;
	uint64_t size;
	Elf64_Ehdr head;
};

static void *load(const struct elf *elf, uint64_t offset, uint64_t len)
{
	uint64_t done = 0;
	ssize_t n;
	char *buf;

	if (!len || len > TABLE_MAX || offset > elf->size || len > elf->size - offset)
		return NULL;
	buf = malloc(len + 1);
	if (!buf)
		return NULL;
	while (done < len) {
		n = pread(elf->fd, buf + done, len - done, offset + done);
		if (n <= 0) {
			if (n < 0 && errno == EINTR)
				continue;
			free(buf);
			return NULL;
		}
		done += n;
	}
	/* A string table that lacks its last NUL. */
	buf[len] = '\0';
	return buf;
}

static int open_elf(struct elf *elf, const char *path)
{
	Elf64_Ehdr *head;
	struct stat st;
	int err;

	elf->path = path;
	/* A device or a FIFO in the place of the file must not hang us. */
	elf->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (elf->fd < 0) {
		err = errno;
		return fail(err == EACCES ? XC_DENIED : XC_FAIL, "cannot open %s: %s", path,
			    strerror(err));
	}
	if (fstat(elf->fd, &st) || !S_ISREG(st.st_mode))
		st.st_size = 0;
	elf->size = st.st_size;
	head = load(elf, 0, sizeof(elf->head));
	if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG) ||
	    head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_ident[EI_DATA] != ELFDATA2LSB) {
		free(head);
		close(elf->fd);
		return fail(XC_FAIL, "%s is not a 64-bit ELF file: it has no symbols", path);
	}
	elf->head = *head;
	free(head);
	return XC_OK;
}

/* The address that the file gives to its own first byte: not 0 in a program without PIE. */
static int link_base(const struct elf *elf, uint64_t *ret)
{
	Elf64_Phdr *ph;
	bool found = false;
	unsigned int i;

	if (elf->head.e_phentsize != sizeof(*ph))
		return -ENOEXEC;
	ph = load(elf, elf->head.e_phoff, elf->head.e_phnum * sizeof(*ph));
	if (!ph)
		return -ENOEXEC;
	for (i = 0; i < elf->head.e_phnum && !found; i++) {
		if (ph[i].p_type == PT_LOAD) {
			*ret = ph[i].p_vaddr - ph[i].p_offset;
			found = true;
		}
	}
	free(ph);
	return found ? 0 : -ENOEXEC;
}

static bool wanted(const Elf64_Sym *sym, const char *strings, uint64_t len, const char *name)
{
	const char *text = strings + sym->st_name;
	size_t n = strlen(name);
	int type = ELF64_ST_TYPE(sym->st_info);

	if (sym->st_shndx == SHN_UNDEF || type == STT_SECTION || type == STT_FILE ||
	    sym->st_name >= len)
		return false;
	/* .symtab spells versions: environ@@GLIBC_2.2.5 */
	return !strncmp(text, name, n) && (text[n] == '\0' || text[n] == '@');
}

/* Look in symbol table @i; a global symbol wins over a local one. */
static int look_in(const struct elf *elf, const Elf64_Shdr *sh, unsigned int i, const char *name,
		   Elf64_Sym *ret)
{
	const Elf64_Shdr *table = &sh[i];
	Elf64_Sym *syms = NULL;
	char *strings = NULL;
	bool found = false;
	uint64_t n, k;

	if (table->sh_entsize != sizeof(*syms) || table->sh_link >= elf->head.e_shnum)
		return -ENOENT;
	syms = load(elf, table->sh_offset, table->sh_size);
	strings = load(elf, sh[table->sh_link].sh_offset, sh[table->sh_link].sh_size);
	n = syms && strings ? table->sh_size / sizeof(*syms) : 0;
	for (k = 0; k < n; k++) {
		if (!wanted(&syms[k], strings, sh[table->sh_link].sh_size, name))
			continue;
		if (!found || ELF64_ST_BIND(syms[k].st_info) != STB_LOCAL) {
			*ret = syms[k];
			found = true;
			if (ELF64_ST_BIND(ret->st_info) != STB_LOCAL)
				break;
		}
	}
	free(strings);
	free(syms);
	return found ? 0 : -ENOENT;
}

static int find_symbol(const struct elf *elf, const char *name, Elf64_Sym *ret)
{
	static const unsigned int kinds[] = { SHT_DYNSYM, SHT_SYMTAB };
	Elf64_Shdr *sh = NULL;
	unsigned int i, k;
	int rc = -ENOENT;

	if (elf->head.e_shentsize == sizeof(*sh))
		sh = load(elf, elf->head.e_shoff, elf->head.e_shnum * sizeof(*sh));
	if (!sh)
		return -ENOENT;
	/* A file has one table of each kind; thousands of huge ones would only cost time. */
	for (k = 0; k < ARRAY_SIZE(kinds) && rc; k++) {
		for (i = 0; i < elf->head.e_shnum && sh[i].sh_type != kinds[k]; i++)
			;
		if (i < elf->head.e_shnum)
			rc = look_in(elf, sh, i, name, ret);
	}
	free(sh);
	return rc;
}

/* How far @symbol is from where offset 0 of the file is mapped. */
int elf_symbol(const char *path, const char *symbol, uint64_t *ret)
{
	Elf64_Sym sym = { 0 };
	uint64_t base = 0;
	struct elf elf;
	int rc;

	rc = open_elf(&elf, path);
	if (rc)
		return rc;
	if (find_symbol(&elf, symbol, &sym))
		rc = fail(XC_MEMORY, "%s has no symbol `%s`", path, symbol);
	else if (ELF64_ST_TYPE(sym.st_info) == STT_TLS)
		rc = fail(XC_MEMORY, "`%s` is thread-local: it has no single address", symbol);
	else if (link_base(&elf, &base))
		rc = fail(XC_FAIL, "%s has no program headers", path);
	else
		*ret = sym.st_value - base;
	close(elf.fd);
	return rc;
}
