/* SPDX-License-Identifier: Apache-2.0 */
/* The list of the board's possible CPUs. Tools size values of per-CPU maps by it. */
#ifndef HOST_USB_RUN_FILES_CPUS_H
#define HOST_USB_RUN_FILES_CPUS_H

#include <stdint.h>

#define CPUS_POSSIBLE "/sys/devices/system/cpu/possible"

/* Returns the file that the tool reads as CPUS_POSSIBLE. This is `fd`, the board's file, if it
 * names `possible` CPUs. Otherwise, or if `fd` is a negative errno, it is a memory file that names
 * that number. Takes over `fd`. Returns a descriptor at its start, or a negative errno. */
int cpus_open(int fd, uint32_t possible);

#endif
