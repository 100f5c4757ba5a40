/* SPDX-License-Identifier: Apache-2.0 */
/* Demangles names of C++ and Rust. */
#ifndef CORE_BPFD_SYMBOLS_DEMANGLE_H
#define CORE_BPFD_SYMBOLS_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes the demangled name and a NUL to text. Returns false, with undefined text, if the name is
 * not a mangled C++ or Rust name, its demangled form needs more than size bytes, or bpfd was built
 * without libiberty. */
bool demangle(const char *name, char *text, size_t size);

#endif
