/* SPDX-License-Identifier: Apache-2.0 */
/* The list of the board's possible CPUs, from whose number tools size the values of per-CPU maps.
 */
#ifndef HOST_USB_RUN_FILES_CPUS_H
#define HOST_USB_RUN_FILES_CPUS_H

#include <stdint.h>

#define CPUS_POSSIBLE "/sys/devices/system/cpu/possible"

/* What the tool reads at CPUS_POSSIBLE: fd, the board's file, if it names `possible` CPUs; else, or
 * if fd is a negative errno, a list that does. Takes fd. Returns a descriptor, at its start, or a
 * negative errno. */
int cpus_open(int fd, uint32_t possible);

#endif
