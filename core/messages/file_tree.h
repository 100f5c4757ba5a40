/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the board's file tree: who serves a path, and with which rights.
 *
 * bpfd takes from it what a client may do with a path of the board. bpfd-run takes from it which
 * paths of the tool it sends to the board. Pure.
 *
 * Paths are absolute and have no empty component, "." or "..", except that "/" is the root. */
#ifndef CORE_MESSAGES_FILE_TREE_H
#define CORE_MESSAGES_FILE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a client may do with a path of the board, as bits. */
enum tree_right {
	TREE_STAT = 1,
	TREE_READ = 2,	/* read the contents of a file */
	TREE_LIST = 4,	/* read the names in a directory */
	TREE_LINK = 8,	/* readlink(2) */
	TREE_CODE = 16, /* TREE_READ is for ELF files and the symbols of JIT compilers only */
};

/* Whose file a path of the tool is. */
enum tree_side {
	TREE_HOST,	   /* the workstation's */
	TREE_BOARD,	   /* the board's, as are all paths below it */
	TREE_BOARD_PROCESS /* the board's, as TREE_BOARD, unless the process is the workstation's */
};

/* One path and all paths below it that have no row of their own. */
struct file_tree_row {
	/* "" is the root. A component "#" stands for any decimal number, "*" for any name. */
	const char *path;
	uint8_t own, below; /* rights of the path, and of paths below it */
	uint8_t side;	    /* enum tree_side */
};

/* Returns the table, *count rows. */
const struct file_tree_row *file_tree_rows(size_t *count);

/* Returns the rights that the name of a path gives on the board. Directories of PMUs in
 * /sys/devices get theirs from the board's kernel: see tree_rights(). */
unsigned int file_tree_rights(const char *path);

/* Returns whose file a path of the tool is. For TREE_BOARD_PROCESS the caller looks the process up.
 */
enum tree_side file_tree_side(const char *path);

/* Returns the part of a path after a directory, with its slash: "" for the directory itself, NULL
 * if the path is not in it. */
const char *file_tree_below(const char *path, const char *directory);

/* The same for tracefs, at either of its mount points. */
const char *file_tree_tracefs(const char *path);

#endif
