/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the serial number of the options or of the board. */
#include "configfs/serial.h"

#include "configfs/attr.h"
#include "configfs/gadget_tree.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/base/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MACHINE_ID_SIZE	 32    /* hexadecimal digits, machine-id(5) */
#define COUNTED_MIN	 5     /* shorter ones may be a number that happens to look so */
#define LANGUAGE_ENGLISH 0x409 /* United States; USB's list of language identifiers */

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

/* Copies letters and digits only, letters in lower case. Returns the length. */
static size_t fold(const char *serial, char folded[static SERIAL_MAX + 1])
{
	size_t len = 0;

	for (; *serial; serial++)
		if (isalnum((unsigned char)*serial))
			folded[len++] = (char)tolower((unsigned char)*serial);
	folded[len] = '\0';
	return len;
}

/* Returns true if one counts from `a` to `b` in decimal or hexadecimal digits or in the alphabet:
 * 1 to 2, 9 to 0 or to a, f to g or to 0, also 0 to a. */
static bool follows(char a, char b)
{
	return b == a + 1 || (a == '9' && (b == '0' || b == 'a')) || (a == 'f' && b == '0') ||
	       (a == '0' && b == 'a') || (a == 'z' && (b == 'a' || b == '0'));
}

/* Returns true if somebody counted, up or down: 12345, 0123456789ABCDEF, 9876543210. */
static bool is_counted(const char *text, size_t len)
{
	size_t up = 1, down = 1;

	for (size_t i = 1; i < len; i++) {
		up += follows(text[i - 1], text[i]);
		down += follows(text[i], text[i - 1]);
	}
	return len >= COUNTED_MIN && (up == len || down == len);
}

/* Returns true if the words describe a serial number or its absence. */
static bool is_description(const char *text, size_t len)
{
	static const char *const words[] = {"none", "null", "nil", "na", "invalid", "unknown",
		"empty", "unset", "undefined", "oem", "test", "sn", "blank"};
	static const char *const parts[] = {"serial", "tobefilled", "tobeset", "default",
		"specified", "applicable", "available", "notset", "placeholder", "changeme"};

	if (strcspn(text, "0123456789") != len)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(text, parts[i]))
			return true;
	return false;
}

/* Boards without a serial number have zeros, or a placeholder that their maker did not replace. Two
 * such boards would have the same name. */
static bool identifies(const char *serial)
{
	char folded[SERIAL_MAX + 1];
	size_t len;

	if (!serial_valid(serial))
		return false;
	len = fold(serial, folded);
	return strspn(folded, (char[]){folded[0], '\0'}) != len && !is_counted(folded, len) &&
	       !is_description(folded, len);
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

struct joined {
	char serial[SERIAL_MAX + 1];
	char language[NAME_MAX + 1];
	bool differs; /* another language has another serial number */
};

/* A gadget has a directory of strings for each language, named by a number in any base. Prefers
 * English (0x409), the language that hosts ask for if they can choose. */
static int read_language(void *arg, const char *path, const char *name)
{
	struct joined *joined = arg;
	char file[PATH_MAX], value[SERIAL_MAX + 2];
	bool is_first = !joined->serial[0];

	if (path_format(file, "%s/serialnumber", path) < 0 ||
		attr_read(file, value, sizeof(value)) <= 0 || strlen(value) > SERIAL_MAX ||
		!utf8_valid(value))
		return 0;
	joined->differs |= !is_first && strcmp(joined->serial, value) != 0;
	if (is_first || strtoul(name, NULL, 0) == LANGUAGE_ENGLISH) {
		memcpy(joined->serial, value, strlen(value) + 1);
		snprintf(joined->language, sizeof(joined->language), "%s", name);
	}
	return 0;
}

int serial_of_joined(const struct gadget_options *options, char serial[static SERIAL_MAX + 1])
{
	struct joined joined = {.serial = ""};
	char dir[PATH_MAX];
	int err = path_format(dir, "%s/usb_gadget/%s", options->configfs, options->join);

	if (err == 0)
		err = gadget_tree_languages(dir, read_language, &joined);
	if (err < 0)
		return err;
	if (joined.differs)
		log_warning("gadget %s: its serial number is not the same in all languages; a host "
			    "that "
			    "does not read %s from strings/%s cannot use a key",
			options->join, joined.serial, joined.language);
	memcpy(serial, joined.serial, sizeof(joined.serial));
	return serial[0] ? 0 : -ENOENT;
}
