/* SPDX-License-Identifier: Apache-2.0 */
/* The serial number that identifies a board to hosts, from the options or the board. */
#ifndef CONFIGFS_SERIAL_H
#define CONFIGFS_SERIAL_H

#include "configfs/options.h"

#include <stdbool.h>

#define SERIAL_MAX 126 /* characters of a USB string */

/* Returns true if the text can be a serial number: 1 to SERIAL_MAX printable ASCII characters, not
 * all of them spaces. */
bool serial_valid(const char *text);

/* Takes the serial number of the options, or else the board's own: of the device tree, the SoC or
 * the firmware (DMI), or a hash of the machine id. Returns 0, or a negative errno, logged: -EINVAL
 * if the options have an invalid one, -ENOENT if the board has none. */
int serial_find(const struct gadget_options *options, char serial[static SERIAL_MAX + 1]);

/* Copies the serial number of the gadget that the options join, as the host sees it: UTF-8, not
 * only ASCII, in whatever language the gadget has its strings. Returns 0, -ENOENT if the gadget has
 * none or an invalid one, or another negative errno. Logs if languages differ in it. */
int serial_of_joined(const struct gadget_options *options, char serial[static SERIAL_MAX + 1]);

/* Works like serial_find(), but does not log. *source describes the origin, as in "device tree". */
int serial_find_source(const struct gadget_options *options, char serial[static SERIAL_MAX + 1],
	const char **source);

#endif
