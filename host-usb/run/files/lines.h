/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the board's files of lines that tools read into buffers of fixed size. */
#ifndef HOST_USB_RUN_FILES_LINES_H
#define HOST_USB_RUN_FILES_LINES_H

/* Removes from `fd`, the contents of the board's file at `path`, what no kernel would write or
 * tools have no room for, and logs that. This concerns maps and smaps of processes, names of
 * processes and the list of kernel symbols. Returns 0 or a negative errno. The position of fd
 * changes. */
int lines_check(const char *path, int fd);

#endif
