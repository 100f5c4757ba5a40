/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and creates key files in OpenSSH's format: unencrypted private keys, and public keys. */
#ifndef HOST_USB_KEY_FILE_H
#define HOST_USB_KEY_FILE_H

#include "core/link/ssh.h"

#define KEY_FILE_MAX 16384 /* bytes */

struct key_pair {
	uint8_t key[AUTH_KEY_SIZE];
	uint8_t secret[SSH_SECRET_SIZE];
	bool has_secret; /* false: only the public key is known */
};

/* Reads a key file. Returns 0 and *pair, or a negative errno, see key_file_error(): an errno of
 * key_file_parse(), -EKEYREVOKED for a private key that other users can access, or an errno of
 * reading the file. */
int key_file_read(const char *path, struct key_pair *pair);

/* Reads a key from the text of its file. Returns 0 and *pair, or -EBADMSG if the key is not
 * complete, -EPROTONOSUPPORT if it is not an Ed25519 key, -EKEYREJECTED if it is encrypted, or
 * -ENOMEM. */
int key_file_parse(const char *text, size_t len, struct key_pair *pair);

/* Erases the pair from memory. The caller of the functions above must call it after use. */
void key_pair_wipe(struct key_pair *pair);

/* Describes an error of these functions to the user, in one line. */
const char *key_file_error(int err);

/* Creates a key in `path` (mode 0600) and `path`.pub; neither file may exist. Returns 0 and the
 * line of the public key in `line`. On failure removes what it created and returns a negative errno
 * after logging the cause. */
#define KEY_LINE_MAX (SSH_KEY_TEXT_MAX + 320)
int key_file_make(const char *path, char line[KEY_LINE_MAX]);

#endif
