/* SPDX-License-Identifier: Apache-2.0 */
/* The symbols of one ELF file in order of address. The file may be anybody's: nothing in it is
 * believed. */
#ifndef CORE_BPFD_SYMBOLS_ELF_SYMBOLS_H
#define CORE_BPFD_SYMBOLS_ELF_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct elf_symbols;

/* Reads .symtab and .dynsym of the file, which must be regular; fd stays the caller's. Returns
 * 0; -ENOEXEC: not an ELF file, or a damaged one; -E2BIG: more than this is ready to hold;
 * -ENOMEM; read(2)'s errors. A file without symbols is no error. */
int elf_symbols_read(struct elf_symbols **symbols, int fd);

/* The same for a file in memory, which is not changed and may be freed after it. */
int elf_symbols_read_image(struct elf_symbols **symbols, void *image, size_t size);

/* What to add to the file's addresses, when an executable mapping begins at `start` and shows
 * the file from `offset` on. Returns 0, -ENOENT: no executable part of the file lies there. */
int elf_symbols_bias(
	const struct elf_symbols *symbols, uint64_t start, uint64_t offset, uint64_t *bias);

/* The symbol that covers an address of the file, and how far into it the address is; NULL if
 * there is none. The string lives as long as the symbols. */
const char *elf_symbols_find_address(
	const struct elf_symbols *symbols, uint64_t address, uint64_t *offset);

/* The address in the file of the best symbol of that name. Returns 0, -ENOENT. */
int elf_symbols_find_name(const struct elf_symbols *symbols, const char *name, uint64_t *address);

/* The memory they take, bytes. */
size_t elf_symbols_size(const struct elf_symbols *symbols);

/* NULL is fine. */
void elf_symbols_free(struct elf_symbols *symbols);

#endif
