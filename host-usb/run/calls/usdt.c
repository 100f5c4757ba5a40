/* SPDX-License-Identifier: Apache-2.0 */
/* USDT probes in the notes of SystemTap's <sys/sdt.h>: wiki, "UserSpaceProbeImplementation". */
#include "host-usb/run/calls/usdt.h"

#include <errno.h>
#include <gelf.h>
#include <stdbool.h>
#include <string.h>

#define NOTE_TYPE 3

/* The addresses at the start of a note's description. */
enum { PROBE, BASE, SEMAPHORE, ADDRESSES };

/* Converts an address to a file offset. Returns false if no segment has it. */
static bool offset_of(Elf *elf, uint64_t address, uint64_t *offset)
{
	GElf_Phdr segment;
	size_t count;

	if (elf_getphdrnum(elf, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_type != PT_LOAD ||
			address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_memsz)
			continue;
		*offset = address - segment.p_vaddr + segment.p_offset;
		return true;
	}
	return false;
}

/* Returns the section of a name and its header, or NULL. */
static Elf_Scn *find_section(Elf *elf, const char *wanted, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;
	const char *name;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		name = gelf_getshdr(section, header) ? elf_strptr(elf, names, header->sh_name)
						     : NULL;
		if (name && strcmp(name, wanted) == 0)
			return section;
	}
	return NULL;
}

/* Reads the addresses of a note in the byte order and word size of the file. */
static bool take_addresses(Elf *elf, void *description, size_t size, uint64_t to[ADDRESSES])
{
	bool narrow = gelf_getclass(elf) == ELFCLASS32;
	union {
		Elf32_Addr narrow[ADDRESSES];
		Elf64_Addr wide[ADDRESSES];
	} u;
	size_t wanted = narrow ? sizeof(u.narrow) : sizeof(u.wide);
	Elf_Data from = {.d_buf = description,
		.d_type = ELF_T_ADDR,
		.d_version = EV_CURRENT,
		.d_size = wanted};
	Elf_Data into = {
		.d_buf = &u, .d_type = ELF_T_ADDR, .d_version = EV_CURRENT, .d_size = wanted};
	const char *ident = elf_getident(elf, NULL);

	if (size < wanted || !gelf_xlatetom(elf, &into, &from, (unsigned char)ident[EI_DATA]))
		return false;
	for (int i = 0; i < ADDRESSES; i++)
		to[i] = narrow ? u.narrow[i] : u.wide[i];
	return true;
}

static int find(Elf *elf, uint64_t location, uint64_t *semaphore)
{
	uint64_t address[ADDRESSES], at, moved;
	size_t offset = 0, name, description;
	GElf_Shdr notes, base;
	Elf_Scn *section = find_section(elf, ".note.stapsdt", &notes);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	bool has_base = find_section(elf, ".stapsdt.base", &base);
	GElf_Nhdr note;

	if (!data)
		return 0;
	while ((offset = gelf_getnote(data, offset, &note, &name, &description)) > 0) {
		char *bytes = data->d_buf;

		if (note.n_type != NOTE_TYPE || note.n_namesz != sizeof("stapsdt") ||
			memcmp(bytes + name, "stapsdt", sizeof("stapsdt")) != 0 ||
			!take_addresses(elf, bytes + description, note.n_descsz, address))
			continue;
		/* Prelinking moves the program but leaves the notes unchanged. */
		moved = has_base ? base.sh_addr - address[BASE] : 0;
		if (address[SEMAPHORE] && offset_of(elf, address[PROBE] + moved, &at) &&
			at == location)
			return offset_of(elf, address[SEMAPHORE] + moved, semaphore);
	}
	return 0;
}

int usdt_semaphore(int fd, uint64_t location, uint64_t *semaphore)
{
	Elf *elf;
	int ret = -ENOEXEC;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF)
		ret = find(elf, location, semaphore);
	elf_end(elf);
	return ret;
}
