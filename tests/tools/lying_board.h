/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a board that lies. */
#ifndef TESTS_TOOLS_LYING_BOARD_H
#define TESTS_TOOLS_LYING_BOARD_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

#define PROGRAM "/proc/4000000/root/usr/lib/program"

/* What the files contain. */
struct files {
	const char *root;    /* a directory; a file below it replaces the board's; or NULL */
	const char *online;  /* the list of CPUs */
	const char *program; /* contents of PROGRAM, or NULL */
	const char *types;   /* the file that has the kernel's types, or NULL */
	unsigned int seed;   /* of the changes in the types; 0: none */
	size_t path_size;    /* bytes of the path in /proc/PID/maps */
};

/* Prints what failed, with errno, and exits. */
_Noreturn void die(const char *what);

/* Returns the contents of a file with a NUL after them, which the caller frees; or NULL. */
char *files_read(const struct files *files, const char *path, size_t *size);

/* Returns true for a directory below `root`. */
bool files_is_directory(const struct files *files, const char *path);

/* Lists it as scandir(3), without "." and "..". */
int files_list(const struct files *files, const char *path, struct dirent ***entries);

#endif
