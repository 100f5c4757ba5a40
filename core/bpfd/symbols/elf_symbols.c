/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the symbols of one ELF file with libelf. */
#include "core/bpfd/symbols/elf_symbols.h"

#include "core/bpfd/symbols/debug_file.h"

#include <errno.h>
#include <gelf.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Big programs of a board have about 100,000 symbols. A hostile file can claim any number. */
#define SYMBOLS_MAX	(1U << 20)
#define ELF_NAMES_MAX	(32U << 20)
#define SEGMENTS_MAX	256
#define SYMBOL_SIZE_MAX ((1U << 28) - 1)

#define VERSION_HIDDEN 0x8000 /* in a symbol's version: not the default one of its name */

/* Symbols can lie inside others, such as labels in assembly code. A lookup examines at most this
 * many symbols below the address. */
#define NESTED_SYMBOLS_MAX 32

struct elf_symbol {
	uint64_t address;
	uint32_t size : 28; /* bytes; 0: unknown */
	uint32_t rank : 4;  /* of two symbols at one address, or of one name, the higher is found */
	uint32_t name;	    /* offset in names */
};

struct segment {
	uint64_t address, size; /* as mapped */
	uint64_t offset, file_size;
	bool executable;
};

struct elf_symbols {
	struct elf_symbol *symbols;
	size_t count, cap;
	char *names;
	size_t names_len;
	struct segment *segments;
	size_t segment_count;
	bool has_symtab;
	struct elf_debug debug;
};

static const struct segment *segment_of(const struct elf_symbols *symbols, uint64_t address)
{
	for (size_t i = 0; i < symbols->segment_count; i++) {
		const struct segment *segment = &symbols->segments[i];

		if (address - segment->address < segment->size)
			return segment;
	}
	return NULL;
}

/* Returns why libelf failed: an errno of a system call, or -ENOEXEC if the file is wrong. The
 * caller has set errno to 0 before. */
static int elf_failure(void)
{
	return errno ? -errno : -ENOEXEC;
}

static int read_segments(struct elf_symbols *symbols, Elf *elf)
{
	size_t count;

	errno = 0;
	if (elf_getphdrnum(elf, &count))
		return elf_failure();
	if (count > SEGMENTS_MAX)
		return -E2BIG;
	symbols->segments = calloc(count + 1, sizeof(*symbols->segments));
	if (!symbols->segments)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct segment *segment = &symbols->segments[symbols->segment_count];
		GElf_Phdr header;

		if (!gelf_getphdr(elf, (int)i, &header))
			return elf_failure();
		if (header.p_type != PT_LOAD)
			continue;
		segment->address = header.p_vaddr;
		segment->size = header.p_memsz;
		segment->offset = header.p_offset;
		segment->file_size = header.p_filesz;
		segment->executable = header.p_flags & PF_X;
		symbols->segment_count++;
	}
	return 0;
}

size_t elf_symbols_name_length(const char *name)
{
	const char *version = name[0] ? strchr(name + 1, '@') : NULL;

	return version ? (size_t)(version - name) : strlen(name);
}

/* True if a name ends with an old version, as in .symtab: "name@VERSION". The default version is
 * "name@@VERSION". */
static bool names_old_version(const char *name)
{
	const char *version = name + elf_symbols_name_length(name);

	return version[0] == '@' && version[1] != '@';
}

/* Ranks the symbols of one address or of one name. First counts a size, then global binding, then
 * not being an old version, which only programs from before the new one use, then not beginning
 * with two underscores: `write` rather than `__write`, like perf. */
static unsigned int rank_of(const GElf_Sym *sym, const char *name, bool old_version)
{
	unsigned int rank = sym->st_size ? 8 : 0;

	if (GELF_ST_BIND(sym->st_info) != STB_LOCAL)
		rank += 4;
	if (!old_version && !names_old_version(name))
		rank += 2;
	if (name[0] != '_' || name[1] != '_')
		rank++;
	return rank;
}

static bool is_wanted(const struct elf_symbols *symbols, const GElf_Sym *sym, const char *name)
{
	const struct segment *segment = segment_of(symbols, sym->st_value);

	/* Symbols in reserved sections are not addresses, for example a library's versions. */
	if (sym->st_shndx == SHN_UNDEF || !segment || !name[0] ||
		(sym->st_shndx >= SHN_LORESERVE && sym->st_shndx != SHN_XINDEX))
		return false;
	switch (GELF_ST_TYPE(sym->st_info)) {
	case STT_FUNC:
	case STT_GNU_IFUNC:
	case STT_OBJECT:
		return true;
	case STT_NOTYPE:
		/* Functions of assembly code, but not ARM's mapping symbols ($a, $d, $t, $x). */
		return segment->executable && name[0] != '$' && name[0] != '.';
	default:
		return false;
	}
}

static int add_symbol(struct elf_symbols *symbols, const GElf_Sym *sym, uint32_t name,
	bool old_version, unsigned int machine)
{
	struct elf_symbol *symbol;

	if (symbols->count == symbols->cap) {
		size_t cap = symbols->cap + symbols->cap / 2 + 256;
		struct elf_symbol *grown = realloc(symbols->symbols, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		symbols->symbols = grown;
		symbols->cap = cap;
	}
	if (symbols->count == SYMBOLS_MAX)
		return -E2BIG;
	symbol = &symbols->symbols[symbols->count++];
	symbol->address = sym->st_value;
	/* The lowest bit of the address of an ARM function marks Thumb code. */
	if (machine == EM_ARM && GELF_ST_TYPE(sym->st_info) == STT_FUNC)
		symbol->address &= ~1ULL;
	symbol->size = (uint32_t)(sym->st_size < SYMBOL_SIZE_MAX ? sym->st_size : SYMBOL_SIZE_MAX);
	symbol->rank = rank_of(sym, symbols->names + name, old_version) & 15;
	symbol->name = name;
	return 0;
}

/* Appends a string table and a NUL to the names. */
static int add_names(struct elf_symbols *symbols, const Elf_Data *strings)
{
	char *grown;

	if (symbols->names_len + strings->d_size + 1 > ELF_NAMES_MAX)
		return -E2BIG;
	grown = realloc(symbols->names, symbols->names_len + strings->d_size + 1);
	if (!grown)
		return -ENOMEM;
	symbols->names = grown;
	memcpy(grown + symbols->names_len, strings->d_buf, strings->d_size);
	symbols->names_len += strings->d_size + 1;
	grown[symbols->names_len - 1] = '\0';
	return 0;
}

/* Finds the section's bytes; NULL if it has none or more than limit, or if they are not in the
 * file. Returns 0, or a negative errno if they cannot be read now. */
static int section_data(Elf_Scn *section, uint64_t limit, Elf_Data **data)
{
	GElf_Shdr header;
	int err;

	*data = NULL;
	if (!section || !gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS ||
		!header.sh_size || header.sh_size > limit)
		return 0;
	errno = 0;
	*data = elf_getdata(section, NULL);
	if (!*data) {
		err = elf_failure();
		return err == -ENOEXEC ? 0 : err;
	}
	if (!(*data)->d_buf || !(*data)->d_size)
		*data = NULL;
	return 0;
}

/* Finds the versions of the symbols of .dynsym, a number for each; NULL if the file has none. */
static int find_versions(Elf *elf, Elf_Data **versions)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_GNU_versym)
			return section_data(
				section, (uint64_t)SYMBOLS_MAX * sizeof(GElf_Versym), versions);
	return 0;
}

static bool is_old_version(Elf_Data *versions, size_t i)
{
	GElf_Versym version;

	return versions && versions->d_type == ELF_T_HALF &&
	       gelf_getversym(versions, (int)i, &version) && version & VERSION_HIDDEN;
}

static int read_table(struct elf_symbols *symbols, Elf *elf, Elf_Scn *section,
	const GElf_Shdr *header, unsigned int machine)
{
	size_t base = symbols->names_len, count;
	Elf_Data *versions = NULL, *data, *strings;
	int err = 0;

	if (header->sh_size > (uint64_t)SYMBOLS_MAX * sizeof(GElf_Sym))
		return -E2BIG;
	if (header->sh_type == SHT_DYNSYM)
		err = find_versions(elf, &versions);
	if (!err)
		err = section_data(section, UINT64_MAX, &data);
	if (!err)
		err = section_data(
			elf_getscn(elf, header->sh_link), ELF_NAMES_MAX - base, &strings);
	if (err)
		return err;
	if (!data || !strings || data->d_type != ELF_T_SYM)
		return 0;
	err = add_names(symbols, strings);
	if (err)
		return err;
	count = data->d_size / gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
	if (count > INT_MAX)
		return -E2BIG;
	for (size_t i = 0; i < count; i++) {
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym) || sym.st_name >= strings->d_size)
			continue;
		if (!is_wanted(symbols, &sym, symbols->names + base + sym.st_name))
			continue;
		err = add_symbol(symbols, &sym, (uint32_t)(base + sym.st_name),
			is_old_version(versions, i), machine);
		if (err)
			return err;
	}
	return 0;
}

static int by_address(const void *left, const void *right)
{
	const struct elf_symbol *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	/* A lookup finds the last symbol of an address: sort the first of its table last. */
	return a->name > b->name ? -1 : a->name < b->name;
}

static void sort_symbols(struct elf_symbols *symbols)
{
	struct elf_symbol *fit;

	if (!symbols->count)
		return;
	fit = realloc(symbols->symbols, symbols->count * sizeof(*fit));
	symbols->symbols = fit ? fit : symbols->symbols;
	symbols->cap = fit ? symbols->count : symbols->cap;
	qsort(symbols->symbols, symbols->count, sizeof(*fit), by_address);
}

/* Reads the tables of symbols of one type, or of both if it is 0. */
static int read_tables(struct elf_symbols *symbols, Elf *elf, unsigned int type)
{
	bool seen_dynsym = false;
	Elf_Scn *section = NULL;
	GElf_Ehdr header;
	int err = 0;

	errno = 0;
	if (!gelf_getehdr(elf, &header))
		return elf_failure();
	while (!err && (section = elf_nextscn(elf, section))) {
		GElf_Shdr shdr;
		bool *seen;

		errno = 0;
		if (!gelf_getshdr(section, &shdr))
			return elf_failure();
		/* In a file of symbols only, the table of the other file takes no space. */
		if ((shdr.sh_type != SHT_SYMTAB && shdr.sh_type != SHT_DYNSYM) ||
			(type && shdr.sh_type != type))
			continue;
		/* Only one of each, as ELF specifies: libelf keeps all that it reads in memory. */
		seen = shdr.sh_type == SHT_SYMTAB ? &symbols->has_symtab : &seen_dynsym;
		if (!*seen)
			err = read_table(symbols, elf, section, &shdr, header.e_machine);
		*seen = true;
	}
	return err;
}

static int read_elf(struct elf_symbols *symbols, Elf *elf)
{
	int err;

	if (elf_kind(elf) != ELF_K_ELF)
		return -ENOEXEC;
	err = read_segments(symbols, elf);
	if (!err)
		err = read_tables(symbols, elf, 0);
	if (err)
		return err;
	elf_debug_read(&symbols->debug, elf);
	sort_symbols(symbols);
	return 0;
}

/* libelf allocates an array of as many sections as the file claims to have: at most 65,535 in the
 * header. A larger number would be in section 0, with 64 bits; no sane file needs it. */
static bool counts_sections_in_header(const unsigned char *start, size_t size)
{
	Elf32_Ehdr header32;
	Elf64_Ehdr header64;

	if (size < sizeof(header32) || memcmp(start, ELFMAG, SELFMAG))
		return false;
	if (start[EI_CLASS] == ELFCLASS32) {
		memcpy(&header32, start, sizeof(header32));
		return header32.e_shnum || !header32.e_shoff;
	}
	if (start[EI_CLASS] != ELFCLASS64 || size < sizeof(header64))
		return false;
	memcpy(&header64, start, sizeof(header64));
	return header64.e_shnum || !header64.e_shoff;
}

static int finish(struct elf_symbols **symbols, Elf *elf)
{
	struct elf_symbols *new;
	int err;

	if (!elf)
		return elf_failure();
	new = calloc(1, sizeof(*new));
	err = new ? read_elf(new, elf) : -ENOMEM;
	elf_end(elf);
	if (err) {
		elf_symbols_free(new);
		return err;
	}
	*symbols = new;
	return 0;
}

static int begin(int fd, Elf **elf)
{
	unsigned char start[sizeof(Elf64_Ehdr)];
	ssize_t n = pread(fd, start, sizeof(start), 0);

	if (n < 0)
		return -errno;
	if (!counts_sections_in_header(start, (size_t)n))
		return -ENOEXEC;
	elf_version(EV_CURRENT);
	errno = 0;
	/* Not ELF_C_READ_MMAP: if the file's owner truncated it, we would get a SIGBUS. */
	*elf = elf_begin(fd, ELF_C_READ, NULL);
	return *elf ? 0 : elf_failure();
}

int elf_symbols_read(struct elf_symbols **symbols, int fd)
{
	Elf *elf;
	int err = begin(fd, &elf);

	return err ? err : finish(symbols, elf);
}

const struct elf_debug *elf_symbols_debug(const struct elf_symbols *symbols)
{
	return symbols->has_symtab ? NULL : &symbols->debug;
}

static int add_tables(struct elf_symbols *symbols, Elf *elf)
{
	struct elf_debug debug;
	int err;

	elf_debug_read(&debug, elf);
	if (debug.build_id_size && symbols->debug.build_id_size &&
		(debug.build_id_size != symbols->debug.build_id_size ||
			memcmp(debug.build_id, symbols->debug.build_id, debug.build_id_size)))
		return -ENOENT;
	err = read_tables(symbols, elf, SHT_SYMTAB);
	sort_symbols(symbols);
	return err || symbols->has_symtab ? err : -ENOENT;
}

int elf_symbols_add(struct elf_symbols *symbols, int fd)
{
	Elf *elf;
	int err = begin(fd, &elf);

	if (err)
		return err;
	err = elf_kind(elf) == ELF_K_ELF ? add_tables(symbols, elf) : -ENOEXEC;
	elf_end(elf);
	return err;
}

int elf_symbols_read_image(struct elf_symbols **symbols, void *image, size_t size)
{
	if (!counts_sections_in_header(image, size))
		return -ENOEXEC;
	elf_version(EV_CURRENT);
	errno = 0;
	return finish(symbols, elf_memory(image, size));
}

int elf_symbols_bias(
	const struct elf_symbols *symbols, uint64_t start, uint64_t offset, uint64_t *bias)
{
	for (size_t i = 0; i < symbols->segment_count; i++) {
		const struct segment *segment = &symbols->segments[i];
		/* A mapping begins at a page, a segment anywhere in that page. Pages have at most
		 * 64 KiB. */
		uint64_t slack = segment->offset & 0xffff;

		if (!segment->executable)
			continue;
		if (offset - (segment->offset - slack) >= segment->file_size + slack)
			continue;
		*bias = start - (offset - segment->offset + segment->address);
		return 0;
	}
	return -ENOENT;
}

const char *elf_symbols_find_address(
	const struct elf_symbols *symbols, uint64_t address, uint64_t *offset)
{
	const struct segment *segment = segment_of(symbols, address);
	const struct elf_symbol *all = symbols->symbols, *found = NULL;
	size_t first = 0, end = symbols->count;

	if (!segment)
		return NULL;
	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (all[middle].address <= address)
			first = middle + 1;
		else
			end = middle;
	}
	for (size_t i = first; i && first - i < NESTED_SYMBOLS_MAX; i--) {
		if (address - all[i - 1].address < all[i - 1].size) {
			found = &all[i - 1];
			break;
		}
	}
	/* A symbol without a size reaches to the next one, or to the end of its segment. */
	if (!found && first && !all[first - 1].size && all[first - 1].address >= segment->address)
		found = &all[first - 1];
	if (!found)
		return NULL;
	*offset = address - found->address;
	return symbols->names + found->name;
}

/* True if a symbol has the name, which may include a version, or not. */
static bool is_named(const char *symbol, const char *name)
{
	size_t length = elf_symbols_name_length(symbol);

	if (!strcmp(symbol, name))
		return true;
	return symbol[length] == '@' && !strncmp(symbol, name, length) && !name[length];
}

int elf_symbols_find_name(const struct elf_symbols *symbols, const char *name, uint64_t *address)
{
	const struct elf_symbol *found = NULL;

	for (size_t i = 0; i < symbols->count; i++) {
		const struct elf_symbol *symbol = &symbols->symbols[i];

		if (!is_named(symbols->names + symbol->name, name))
			continue;
		if (!found || symbol->rank > found->rank)
			found = symbol;
	}
	if (!found)
		return -ENOENT;
	*address = found->address;
	return 0;
}

size_t elf_symbols_size(const struct elf_symbols *symbols)
{
	return sizeof(*symbols) + symbols->cap * sizeof(*symbols->symbols) + symbols->names_len +
	       (symbols->segment_count + 1) * sizeof(*symbols->segments);
}

void elf_symbols_free(struct elf_symbols *symbols)
{
	if (!symbols)
		return;
	free(symbols->symbols);
	free(symbols->names);
	free(symbols->segments);
	free(symbols);
}
