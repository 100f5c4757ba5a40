/* SPDX-License-Identifier: Apache-2.0 */
/* Files of keys as ssh-keygen makes them: private ones, not encrypted, and public ones. */
#ifndef HOST_USB_KEY_FILE_H
#define HOST_USB_KEY_FILE_H

#include "core/link/ssh_key.h"

#define KEY_FILE_MAX 16384 /* bytes */

struct key_pair {
	uint8_t key[AUTH_KEY_SIZE];
	uint8_t secret[SSH_SECRET_SIZE];
	bool has_secret; /* false: the file was that of a public key */
};

/* Reads a file. Returns 0, or a negative errno, see key_file_error(): those of key_file_parse(),
 * and -EKEYREVOKED for a private key that others may read. */
int key_file_read(const char *path, struct key_pair *pair);

/* The same for its text in memory: -EBADMSG not a whole key, -EPROTONOSUPPORT not an Ed25519 key,
 * -EKEYREJECTED encrypted. */
int key_file_parse(const char *text, size_t len, struct key_pair *pair);

/* To be called when the pair is not needed any more. */
void key_pair_wipe(struct key_pair *pair);

/* One line for the user. */
const char *key_file_error(int err);

/* Makes a key: `path` (mode 0600) and `path`.pub, neither of which may exist. Returns 0 with the
 * line of the public key in `line`, or a negative errno, logged, with nothing left. */
#define KEY_LINE_MAX (SSH_KEY_TEXT_MAX + 320)
int key_file_make(const char *path, char line[KEY_LINE_MAX]);

#endif
