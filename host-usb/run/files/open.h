/* SPDX-License-Identifier: Apache-2.0 */
/* Decides what a path of the board opens: its file, a copy, or the workstation's. */
#ifndef HOST_USB_RUN_FILES_OPEN_H
#define HOST_USB_RUN_FILES_OPEN_H

struct call;
struct opener;
struct run;

/* Makes an opener. It uses `remote` and `cache` of the run. Returns 0 or -ENOMEM. */
int opener_new(struct opener **opener, struct run *run);
void opener_free(struct opener *opener);

/* Opens a file of the board for reading. Returns a descriptor at its start, or a negative errno. */
int open_file(struct opener *opener, const char *path);

/* Opens a program that the tool names for a uprobe: the workstation's file, or the board's for a
 * path below /proc. Returns like open_file(). */
int open_program(struct opener *opener, const char *path);

/* Translates a path that the tool names for a uprobe into the board's path: the prefix of --sysroot
 * is removed. Returns 0 and *name, a pointer into `path`. Returns an errno after logging: -ENOENT
 * if the board has no such file, -EINVAL if its file is another build than the workstation's. */
int open_board_path(const struct call *call, const char *path, const char **name);

#endif
