/* SPDX-License-Identifier: Apache-2.0 */
/* C++ names as a person writes them. */
#ifndef CORE_BPFD_SYMBOLS_DEMANGLE_H
#define CORE_BPFD_SYMBOLS_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes the demangled name into text, ended by a NUL. Returns whether it is a mangled C++ name
 * whose demangled form fits into size bytes; if not, text is undefined. */
bool demangle(const char *name, char *text, size_t size);

#endif
