/* SPDX-License-Identifier: Apache-2.0 */
/* The USB descriptors and strings of a lane, as FunctionFS takes them on ep0. */
#ifndef GADGET_DESCRIPTORS_H
#define GADGET_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

#define DESCRIPTORS_MAX 512 /* bytes, enough for the descriptors and for the strings */

/* Microsoft OS descriptors (compatible ID WINUSB), so that Windows needs no driver file. Kernels
 * accept different values of bcdVersion: new ones 0x0100, which is 1.00 as the specification has
 * it, old ones 0x0001. */
enum os_descriptors { OS_DESC_NONE, OS_DESC_0100, OS_DESC_0001 };

/* Writes full, high and super speed descriptors of one interface with a bulk OUT endpoint (file
 * ep1) and a bulk IN endpoint (file ep2). Returns the length in bytes. */
size_t descriptors_build(uint8_t out[static DESCRIPTORS_MAX], enum os_descriptors os);

/* Writes the only string, the name of the interface. Returns the length in bytes. */
size_t descriptors_build_strings(uint8_t out[static DESCRIPTORS_MAX]);

#endif
