/* SPDX-License-Identifier: Apache-2.0 */
/* Files of this workstation that are opened for a name that the board may have chosen. */
#ifndef HOST_USB_RUN_FILES_LOCAL_H
#define HOST_USB_RUN_FILES_LOCAL_H

/* Opens for reading the file of `place`, an O_PATH descriptor. Refuses anything but a regular
 * file with -EACCES: opening a device can have an effect. Takes over `place`. */
int local_open_regular(int place);

/* Opens a program or a library of the system for reading. Looks at nothing outside the directories
 * for these. Returns a descriptor; -ENOENT: the name is elsewhere, or its file is not of that kind.
 */
int local_open_program(const char *path);

#endif
