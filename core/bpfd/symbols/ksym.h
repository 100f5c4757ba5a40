/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's symbols: an address to a name and a name to an address. */
#ifndef CORE_BPFD_SYMBOLS_KSYM_H
#define CORE_BPFD_SYMBOLS_KSYM_H

#include <stdint.h>

struct ksym;

struct ksym_name {
	const char *name;
	const char *module; /* "kernel" for the core image */
	uint64_t offset;    /* bytes from the symbol's address */
};

/* Prepares the reading of <proc>/kallsyms; nothing is read before the first lookup. proc is
 * not copied. Returns 0, -ENOMEM. */
int ksym_new(struct ksym **ksym, const char *proc);

/* The symbol that covers the address, of several the first in the kernel's order. The strings
 * are valid until the next call. Returns 0; -ENOENT: not a known kernel address; -EPERM: the
 * kernel hides its addresses (kernel.kptr_restrict); what reading kallsyms fails with. */
int ksym_find_address(struct ksym *ksym, uint64_t address, struct ksym_name *found);

/* The address of a symbol, the core image's before a module's. Errors as above. */
int ksym_find_name(struct ksym *ksym, const char *name, uint64_t *address);

/* Frees all; NULL is fine. */
void ksym_free(struct ksym *ksym);

#endif
