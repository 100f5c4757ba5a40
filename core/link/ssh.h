/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSH's formats of keys and signatures.
 *
 * Strings are specified in RFC 4251, public keys of Ed25519 in RFC 8709, and signatures for other
 * purposes than a login in OpenSSH's PROTOCOL.sshsig. */
#ifndef CORE_LINK_SSH_H
#define CORE_LINK_SSH_H

#include "core/base/base64.h"
#include "core/link/frame.h"

#include <stdbool.h>

#define SSH_ED25519   "ssh-ed25519"
#define SSH_NAMESPACE "bpfd-usb" /* a signature is valid only in the namespace it was made for */

/* A reader. Reading beyond the end sets `failed` and returns 0 or NULL. */
struct ssh_in {
	const uint8_t *data;
	size_t size; /* bytes left */
	bool failed;
};

/* Reads a big-endian number. */
uint32_t ssh_get_u32(struct ssh_in *in);

/* Reads a string: a u32 length and `*len` bytes. Returns where they are in the reader's data. */
const uint8_t *ssh_get_string(struct ssh_in *in, size_t *len);

/* Reads a string and sets `failed` if it differs from `text`. */
void ssh_get_text(struct ssh_in *in, const char *text);

/* A writer into the caller's memory. A write that does not fit sets `failed`. */
struct ssh_out {
	uint8_t *data;
	size_t size; /* bytes written */
	size_t room; /* bytes that data has room for */
	bool failed;
};

/* Write a big-endian number, bytes as they are, and a string of bytes or of a C string. */
void ssh_put_u32(struct ssh_out *out, uint32_t value);
void ssh_put_bytes(struct ssh_out *out, const void *data, size_t len);
void ssh_put_string(struct ssh_out *out, const void *data, size_t len);
void ssh_put_text(struct ssh_out *out, const char *text);

/* A public key as bytes: string "ssh-ed25519", string key. Get returns 0; -EPROTONOSUPPORT for a
 * key of another type; -EBADMSG if the blob is malformed or has bytes after the key. */
#define SSH_BLOB_SIZE (4 + sizeof(SSH_ED25519) - 1 + 4 + AUTH_KEY_SIZE)
void ssh_blob_put(uint8_t blob[SSH_BLOB_SIZE], const uint8_t key[AUTH_KEY_SIZE]);
int ssh_blob_get(const uint8_t *blob, size_t len, uint8_t key[AUTH_KEY_SIZE]);

/* A public key as text: "ssh-ed25519 BASE64". Get reads `len` bytes of `text`: the two words,
 * blanks between them, and perhaps a comment. *rest is where the comment starts, or the end of the
 * text. Returns like ssh_blob_get(). */
#define SSH_KEY_TEXT_MAX (sizeof(SSH_ED25519) + BASE64_SIZE(SSH_BLOB_SIZE) + 1)
void ssh_key_put(char text[SSH_KEY_TEXT_MAX], const uint8_t key[AUTH_KEY_SIZE]);
int ssh_key_get(const char *text, size_t len, uint8_t key[AUTH_KEY_SIZE], const char **rest);

/* Writes the fingerprint that `ssh-keygen -l` shows for a key: "SHA256:...". */
#define SSH_FINGERPRINT_MAX (sizeof("SHA256:") + BASE64_SIZE(32))
void ssh_fingerprint(const uint8_t key[AUTH_KEY_SIZE], char text[SSH_FINGERPRINT_MAX]);

/* Writes the data that a key signs for a message, as in `ssh-keygen -Y sign -n bpfd-usb`. Returns
 * its length in bytes. */
#define SSH_SIGNED_SIZE (6 + 4 + sizeof(SSH_NAMESPACE) - 1 + 4 + 4 + 6 + 4 + 64)
size_t ssh_signed_data(uint8_t at[SSH_SIGNED_SIZE], const uint8_t *message, size_t len);

/* Signs that data. A secret key is a seed and the public key, as in OpenSSH and libsodium. */
#define SSH_SECRET_SIZE 64
void ssh_sign(const uint8_t secret[SSH_SECRET_SIZE], const uint8_t *message, size_t len,
	uint8_t signature[AUTH_SIGNATURE_SIZE]);

/* True if the response has its key's signature of `message`. */
bool ssh_verify(const struct auth_response *response, const uint8_t *message, size_t len);

#endif
