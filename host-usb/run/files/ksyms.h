/* SPDX-License-Identifier: Apache-2.0 */
/* Adds the tool's own programs to the list of kernel symbols. */
#ifndef HOST_USB_RUN_FILES_KSYMS_H
#define HOST_USB_RUN_FILES_KSYMS_H

struct run;

/* Makes a copy of kallsyms (`fd`, which stays the caller's) that also lists the functions of the
 * programs that the tool has loaded, like the kernel does. Without such programs it duplicates
 * `fd`. Returns a descriptor or a negative errno. */
int ksyms_open(struct run *run, int fd);

#endif
