/* SPDX-License-Identifier: Apache-2.0 */
/* Looks up the symbols of user processes, by address and by name. */
#ifndef CORE_BPFD_SYMBOLS_USYM_H
#define CORE_BPFD_SYMBOLS_USYM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct usym;

struct usym_name {
	const char *name;   /* printable, without ';' */
	const char *module; /* the file as the process sees it, or "[vdso]" */
	uint64_t offset;    /* bytes from the symbol's address */
};

/* Prepares lookups. proc is not copied. Returns 0, -ENOMEM. */
int usym_new(struct usym **usym, const char *proc);

/* Finds the symbol that covers an address of a process. The strings are valid until the next call.
 * Returns 0; -ENOENT: no such process, no file mapped there, or no symbol; -E2BIG: the process or
 * the file exceeds a limit; -ENOEXEC: not an ELF file; or the errno of reading the process or the
 * file, such as -EACCES. */
int usym_find_address(
	struct usym *usym, pid_t pid, uint64_t address, bool demangle, struct usym_name *found);

/* Finds the address of a symbol in one of the modules of a process. `module` is a path as the
 * process sees it, or the name of a file. Returns like usym_find_address(). */
int usym_find_name(
	struct usym *usym, pid_t pid, const char *name, const char *module, uint64_t *address);

/* Frees the caches. NULL is fine. */
void usym_free(struct usym *usym);

#endif
