/* SPDX-License-Identifier: Apache-2.0 */
/* The list of keys that may open a session: a file in the format of OpenSSH's authorized_keys. */
#ifndef GADGET_KEYS_H
#define GADGET_KEYS_H

#include "core/link/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYS_PATH     "/etc/bpfd/authorized_keys"
#define KEYS_SIZE_MAX 65536 /* bytes of the file: some 600 keys */

struct key_entry {
	uint8_t key[AUTH_KEY_SIZE];
	bool read_only;	   /* its sessions may not change anything */
	unsigned int line; /* in the file */
	char name[64 + 1]; /* the comment, printable, cut */
};

struct key_list {
	struct key_entry *entries;
	size_t count;
};

/* Reads the file. A line that is no key is told with `log_faults`, else at debug level, and is left
 * out. Returns 0; -ENOENT: there is no such file (nothing is said); or a negative errno after the
 * cause was logged: -EPERM when others than root or the caller may write it. *list is to be freed.
 */
int keys_read(const char *path, bool log_faults, struct key_list *list);
void keys_free(struct key_list *list);

/* The same for a text in memory; `path` is for messages. Returns 0 or -ENOMEM. */
int keys_parse(
	const char *path, const char *text, size_t size, bool log_faults, struct key_list *list);

/* The first line with the key, or NULL. */
const struct key_entry *keys_find(const struct key_list *list, const uint8_t key[AUTH_KEY_SIZE]);

#endif
