/* SPDX-License-Identifier: Apache-2.0 */
/* The symbols of user processes: an address to a name and a name to an address. */
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

/* Prepares the lookups; proc is not copied. Returns 0, -ENOMEM. */
int usym_new(struct usym **usym, const char *proc);

/* The symbol that covers an address of a process; C++ names are demangled on wish. The strings
 * are valid until the next call. Returns 0; -ENOENT: no such process, no file mapped there, or
 * no symbol; -E2BIG: the process or the file is bigger than the limits; -ENOEXEC: not an ELF
 * file; -EACCES and the like: the process or the file may not be read. */
int usym_find_address(
	struct usym *usym, pid_t pid, uint64_t address, bool demangle, struct usym_name *found);

/* The address in a process of a symbol of one of its modules: a path as the process sees it, or
 * a file's name without a slash. Errors as above. */
int usym_find_name(
	struct usym *usym, pid_t pid, const char *name, const char *module, uint64_t *address);

/* Frees all; NULL is fine. */
void usym_free(struct usym *usym);

#endif
