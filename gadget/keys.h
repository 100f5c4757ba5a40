/* SPDX-License-Identifier: Apache-2.0 */
/* The list of keys that may open a session, in the format of OpenSSH's authorized_keys. */
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
	bool read_only;	   /* its sessions are read-only */
	unsigned int line; /* in the file */
	char name[64 + 1]; /* the comment in printable ASCII, cut to fit */
};

struct key_list {
	struct key_entry *entries;
	size_t count;
};

/* Reads the file. A line that is not a key is skipped, and logged as a warning if `log_faults` is
 * true, else at debug level. Returns 0; -ENOENT, not logged: there is no such file; or a negative
 * errno, logged: -EPERM if others than root and the user of this process can write the file. The
 * caller frees *list with keys_free(). */
int keys_read(const char *path, bool log_faults, struct key_list *list);
void keys_free(struct key_list *list);

/* Reads a list from memory; `path` is its name in messages. Returns 0, or -ENOMEM, logged. */
int keys_parse(
	const char *path, const char *text, size_t size, bool log_faults, struct key_list *list);

/* The first line with the key, or NULL. */
const struct key_entry *keys_find(const struct key_list *list, const uint8_t key[AUTH_KEY_SIZE]);

#endif
