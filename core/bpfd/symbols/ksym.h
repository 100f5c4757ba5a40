/* SPDX-License-Identifier: Apache-2.0 */
/* Looks up the kernel's symbols, by address and by name. */
#ifndef CORE_BPFD_SYMBOLS_KSYM_H
#define CORE_BPFD_SYMBOLS_KSYM_H

#include <stdint.h>

struct ksym;

struct ksym_name {
	const char *name;
	const char *module; /* "kernel" for the core image */
	uint64_t offset;    /* bytes from the symbol's address */
};

/* Prepares lookups; the first one reads <proc>/kallsyms. proc is not copied. Returns 0, -ENOMEM. */
int ksym_new(struct ksym **ksym, const char *proc);

/* Finds the symbol that covers an address; if several do, the first in the kernel's order. The
 * strings are valid until the next call. Returns 0; -ENOENT: no symbol covers it; -EPERM: the
 * kernel hides its addresses (kernel.kptr_restrict); or the errno of reading kallsyms. */
int ksym_find_address(struct ksym *ksym, uint64_t address, struct ksym_name *found);

/* Finds the address of a symbol; a symbol of the core image wins over one of a module. Returns like
 * ksym_find_address(). */
int ksym_find_name(struct ksym *ksym, const char *name, uint64_t *address);

/* Frees the symbols. NULL is fine. */
void ksym_free(struct ksym *ksym);

#endif
