/* SPDX-License-Identifier: Apache-2.0 */
/* The USB descriptors and strings of a lane, as FunctionFS takes them on ep0. */
#ifndef GADGET_DESCRIPTORS_H
#define GADGET_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

#define DESCRIPTORS_MAX 512 /* bytes, enough for each of the two */

/* Microsoft OS descriptors (compatible ID WINUSB), so that Windows needs no driver file. Kernels
 * differ in the bcdVersion that they take: the specification's 1.00 is right for new ones, the
 * value 0x0001 for old ones. */
enum os_descriptors { OS_DESC_NONE, OS_DESC_0100, OS_DESC_0001 };

/* Writes full, high and super speed descriptors of one interface with a bulk OUT (file ep1) and a
 * bulk IN (file ep2) endpoint. Returns the length in bytes. */
size_t descriptors_build(uint8_t out[static DESCRIPTORS_MAX], enum os_descriptors os);

/* Writes the strings: the interface's name. Returns the length in bytes. */
size_t descriptors_build_strings(uint8_t out[static DESCRIPTORS_MAX]);

#endif
