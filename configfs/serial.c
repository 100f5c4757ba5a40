/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the serial number of the options or of the board. */
#include "configfs/serial.h"
#include "core/base/paths.h"

#include "configfs/attr.h"
#include "core/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MACHINE_ID_SIZE 32 /* hexadecimal digits, machine-id(5) */

bool serial_valid(const char *text)
{
	size_t len = strlen(text);
	bool visible = false;

	if (len == 0 || len > SERIAL_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
		visible = visible || text[i] != ' ';
	}
	return visible;
}

/* Boards without a serial number have zeros, or a placeholder that their maker did not replace. */
static bool identifies(const char *serial)
{
	static const char *const placeholders[] = {"to be filled by o.e.m.", "default string",
		"system serial number", "serial number", "not specified", "not applicable",
		"not available", "none", "n/a", "na", "invalid", "unknown", "empty", "o.e.m.",
		"0123456789", "123456789", "1234567890", "chassis serial number"};

	if (!serial_valid(serial))
		return false;
	if (strspn(serial, (char[]){serial[0], '\0'}) == strlen(serial))
		return false;
	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
		if (strcasecmp(serial, placeholders[i]) == 0)
			return false;
	}
	return true;
}

/* machine-id(5) asks programs not to expose the id itself, so it is hashed with a text of our own.
 * The serial number is a name, not a secret. It must only differ between boards, for which FNV-1a
 * with 64 bits is enough. */
static uint64_t hash_machine_id(const char *id)
{
	static const char salt[] = "bpfd-usb serial number:";
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (const char *p = salt; *p; p++)
		hash = (hash ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	for (const char *p = id; *p; p++)
		hash = (hash ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	return hash;
}

static bool machine_id_valid(const char *id)
{
	return strlen(id) == MACHINE_ID_SIZE &&
	       strspn(id, "0123456789abcdefABCDEF") == MACHINE_ID_SIZE &&
	       strspn(id, "0") < MACHINE_ID_SIZE;
}

int serial_find_source(const struct gadget_options *options, char serial[static SERIAL_MAX + 1],
	const char **source)
{
	const struct {
		const char *root, *file, *source;
	} own[] = {
		{options->proc, "device-tree/serial-number", "device tree"},
		{options->sysfs, "devices/soc0/serial_number", "SoC"},
		{options->sysfs, "class/dmi/id/product_serial", "firmware (DMI)"},
		{options->sysfs, "class/dmi/id/board_serial", "mainboard (DMI)"},
	};
	/* One byte more than fits: a serial number that is too long is invalid, not cut. */
	char path[PATH_MAX], value[SERIAL_MAX + 2], id[MACHINE_ID_SIZE + 2];

	if (options->serial) {
		if (!serial_valid(options->serial))
			return -EINVAL;
		*source = "option";
		snprintf(serial, SERIAL_MAX + 1, "%s", options->serial);
		return 0;
	}
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (path_format(path, "%s/%s", own[i].root, own[i].file) < 0 ||
			attr_read(path, value, sizeof(value)) <= 0 || !identifies(value))
			continue;
		*source = own[i].source;
		memcpy(serial, value, strlen(value) + 1);
		return 0;
	}
	if (attr_read(options->machine_id, id, sizeof(id)) < 0 || !machine_id_valid(id))
		return -ENOENT;
	*source = "hash of machine-id";
	snprintf(serial, SERIAL_MAX + 1, "%016" PRIx64, hash_machine_id(id));
	return 0;
}

int serial_find(const struct gadget_options *options, char serial[static SERIAL_MAX + 1])
{
	const char *source;
	int err = serial_find_source(options, serial, &source);

	if (err == -EINVAL)
		log_error("serial number: not 1 to %d printable ASCII characters", SERIAL_MAX);
	else if (err < 0)
		log_error("serial number: the board has none and %s has no id; give one with "
			  "--serial",
			options->machine_id);
	else
		log_debug("serial number: %s, from the %s", serial, source);
	return err;
}

int serial_of_joined(const struct gadget_options *options, char serial[static SERIAL_MAX + 1])
{
	char path[PATH_MAX], value[SERIAL_MAX + 2];

	if (path_format(path, "%s/usb_gadget/%s/strings/0x409/serialnumber", options->configfs,
		    options->join) < 0 ||
		attr_read(path, value, sizeof(value)) <= 0 || !serial_valid(value))
		return -ENOENT;
	memcpy(serial, value, strlen(value) + 1);
	return 0;
}
