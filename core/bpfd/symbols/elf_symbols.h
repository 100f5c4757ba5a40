/* SPDX-License-Identifier: Apache-2.0 */
/* The symbols of one ELF file, sorted by address. The file is not trusted. */
#ifndef CORE_BPFD_SYMBOLS_ELF_SYMBOLS_H
#define CORE_BPFD_SYMBOLS_ELF_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct elf_symbols;

#define ELF_BUILD_ID_MAX 64

/* How a stripped file names the file that has its symbols. */
struct elf_debug {
	unsigned char build_id[ELF_BUILD_ID_MAX];
	size_t build_id_size; /* 0: none */
	char link[256];	      /* .gnu_debuglink: the name of a file; "": none */
	uint32_t crc;	      /* of that file */
};

/* Reads .symtab and .dynsym of a regular file; fd stays the caller's. Returns 0, also for a file
 * without symbols; -ENOEXEC: not an ELF file, or a damaged one; -E2BIG: too many symbols, names or
 * segments; -ENOMEM; or the errno of read(2). */
int elf_symbols_read(struct elf_symbols **symbols, int fd);

/* Like elf_symbols_read(), for a file in memory. It is not changed and may be freed afterwards. */
int elf_symbols_read_image(struct elf_symbols **symbols, void *image, size_t size);

/* Where the symbols of a stripped file are. NULL: the file has a .symtab itself. */
const struct elf_debug *elf_symbols_debug(const struct elf_symbols *symbols);

/* Adds the .symtab of the file that elf_symbols_debug() leads to. If both files have a build id, it
 * must be the same. Returns 0; -ENOENT: another build id, or no .symtab; or like
 * elf_symbols_read(). After an error the symbols are as before, or have some more. */
int elf_symbols_add(struct elf_symbols *symbols, int fd);

/* Computes *bias, the difference between addresses in a process and in the file, for an executable
 * mapping of the file from `offset` on that begins at `start`. Returns 0; -ENOENT: no executable
 * segment lies at that offset. */
int elf_symbols_bias(
	const struct elf_symbols *symbols, uint64_t start, uint64_t offset, uint64_t *bias);

/* The length of a name without the version that .symtab may add to it: "name@VERSION" of an old
 * version, "name@@VERSION" of the default one. */
size_t elf_symbols_name_length(const char *name);

/* Finds the symbol that covers an address of the file. Returns its name, which lives as long as the
 * symbols and may end with a version, and in *offset the distance from the symbol's address, or
 * NULL if there is none. */
const char *elf_symbols_find_address(
	const struct elf_symbols *symbols, uint64_t address, uint64_t *offset);

/* Finds the address in the file of the best symbol of that name. Of several versions of a name the
 * default one is best. Returns 0, -ENOENT. */
int elf_symbols_find_name(const struct elf_symbols *symbols, const char *name, uint64_t *address);

/* The memory they take, bytes. */
size_t elf_symbols_size(const struct elf_symbols *symbols);

/* Frees the symbols. NULL is fine. */
void elf_symbols_free(struct elf_symbols *symbols);

#endif
