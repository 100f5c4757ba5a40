/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's symbols with those of the tool's own programs. */
#ifndef HOST_USB_RUN_FILES_KSYMS_H
#define HOST_USB_RUN_FILES_KSYMS_H

struct run;

/* A descriptor of a copy of kallsyms (fd, which stays the caller's) that also has the functions of
 * the programs which the tool has loaded, as the kernel would list them; or a duplicate if there
 * are none. Returns it, or a negative errno. */
int ksyms_open(struct run *run, int fd);

#endif
