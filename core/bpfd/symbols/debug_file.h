/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the file that has the symbols of a stripped file. */
#ifndef CORE_BPFD_SYMBOLS_DEBUG_FILE_H
#define CORE_BPFD_SYMBOLS_DEBUG_FILE_H

#include "core/bpfd/symbols/elf_symbols.h"

#include <libelf.h>
#include <sys/types.h>

/* Reads the build id and .gnu_debuglink of a file. What it lacks is empty. */
void elf_debug_read(struct elf_debug *debug, Elf *elf);

/* Adds the symbols of a stripped file that process pid has mapped from `path`, as it sees it. They
 * are in the root of the process below /usr/lib/debug, by the build id or the name of the file, or
 * beside the file. Does nothing if the file is not stripped or there is no such file. Returns 0
 * or, if a file cannot be read now, a negative errno: the symbols may be incomplete. */
int debug_file_add(struct elf_symbols *symbols, const char *proc, pid_t pid, const char *path);

#endif
