/* SPDX-License-Identifier: Apache-2.0 */
/* Demangles C++ names. */
#ifndef CORE_BPFD_SYMBOLS_DEMANGLE_H
#define CORE_BPFD_SYMBOLS_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes the demangled name and a NUL to text. Returns false, with undefined text, if the name is
 * not a mangled C++ name, its demangled form needs more than size bytes, or bpfd was built without
 * libiberty. */
bool demangle(const char *name, char *text, size_t size);

#endif
