/* SPDX-License-Identifier: Apache-2.0 */
/* The serial number by which a host tells boards apart: given, or derived from the board. */
#ifndef CONFIGFS_SERIAL_H
#define CONFIGFS_SERIAL_H

#include "configfs/options.h"

#include <stdbool.h>

#define SERIAL_MAX 126 /* characters of a USB string */

/* Whether the text can be a serial number: 1 to SERIAL_MAX characters of printable ASCII, not all
 * of them spaces. */
bool serial_valid(const char *text);

/* Takes the serial of the options or else finds the board's own: of the device tree, the SoC, the
 * firmware (DMI), or a hash of the machine id. Returns 0, -EINVAL for a wrong one in the options,
 * or -ENOENT if the board has none; logged. */
int serial_find(const struct gadget_options *options, char serial[static SERIAL_MAX + 1]);

/* Copies the serial of the gadget that the options join, as the host sees it. Returns 0, or -ENOENT
 * if it has none. */
int serial_of_joined(const struct gadget_options *options, char serial[static SERIAL_MAX + 1]);

/* The same without logging; *source says where it is from. */
int serial_find_source(const struct gadget_options *options, char serial[static SERIAL_MAX + 1],
	const char **source);

#endif
