/* SPDX-License-Identifier: Apache-2.0 */
/* What a path of the board opens as: the board's file, a kept copy of it, or the same file of this
 * workstation. */
#ifndef HOST_USB_RUN_FILES_OPEN_H
#define HOST_USB_RUN_FILES_OPEN_H

struct call;
struct opener;
struct run;

/* Makes an opener, which uses the run's `remote` and `cache`. Returns 0, -ENOMEM. */
int opener_new(struct opener **opener, struct run *run);
void opener_free(struct opener *opener);

/* Returns a descriptor from which the contents of the board's file can be read, from its start, or
 * a negative errno. */
int open_file(struct opener *opener, const char *path);

/* The same of a program as a tool names it for a uprobe: the workstation's or, below /proc, the
 * board's. */
int open_program(struct opener *opener, const char *path);

/* What the board calls a file that the tool names for a uprobe: a path below --sysroot loses that.
 * Reports it if the board's file is another one than the workstation's. Returns 0 and *name, which
 * is path or a part of it, or a negative errno. */
int open_board_path(const struct call *call, const char *path, const char **name);

#endif
