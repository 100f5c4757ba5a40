/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of OpenSSH that keys and signatures come in: strings (RFC 4251), public keys of
 * Ed25519 (RFC 8709), and what a key signs that is used for something else than a login (OpenSSH's
 * PROTOCOL.sshsig). */
#ifndef CORE_LINK_SSH_H
#define CORE_LINK_SSH_H

#include "core/base/base64.h"
#include "core/link/frame.h"

#include <stdbool.h>

#define SSH_ED25519   "ssh-ed25519"
#define SSH_NAMESPACE "bpfd-usb" /* of signatures: those for it are good for nothing else */

/* What is read. Reading beyond its end sets `failed` and yields nothing. */
struct ssh_in {
	const uint8_t *data;
	size_t size; /* that is left */
	bool failed;
};

uint32_t ssh_get_u32(struct ssh_in *in);
/* A u32 length and so many bytes, which stay where they are. */
const uint8_t *ssh_get_string(struct ssh_in *in, size_t *len);
/* A string that has to be this text, or else `failed` is set. */
void ssh_get_text(struct ssh_in *in, const char *text);

/* What is written, into memory of the caller's. What does not fit sets `failed`. */
struct ssh_out {
	uint8_t *data;
	size_t size, room;
	bool failed;
};

void ssh_put_u32(struct ssh_out *out, uint32_t value);
void ssh_put_bytes(struct ssh_out *out, const void *data, size_t len);
void ssh_put_string(struct ssh_out *out, const void *data, size_t len);
void ssh_put_text(struct ssh_out *out, const char *text);

/* A public key as bytes: string "ssh-ed25519", string key. Get takes exactly these; returns 0, or
 * -EPROTONOSUPPORT for a key of another type, or -EBADMSG. */
#define SSH_BLOB_SIZE (4 + sizeof(SSH_ED25519) - 1 + 4 + AUTH_KEY_SIZE)
void ssh_blob_put(uint8_t blob[SSH_BLOB_SIZE], const uint8_t key[AUTH_KEY_SIZE]);
int ssh_blob_get(const uint8_t *blob, size_t len, uint8_t key[AUTH_KEY_SIZE]);

/* The same as text: "ssh-ed25519 BASE64". Get takes `text` up to `len`, with blanks between the two
 * and a comment behind them; *rest is where that starts, or the end. Returns as ssh_blob_get(). */
#define SSH_KEY_TEXT_MAX (sizeof(SSH_ED25519) + BASE64_SIZE(SSH_BLOB_SIZE) + 1)
void ssh_key_put(char text[SSH_KEY_TEXT_MAX], const uint8_t key[AUTH_KEY_SIZE]);
int ssh_key_get(const char *text, size_t len, uint8_t key[AUTH_KEY_SIZE], const char **rest);

/* What ssh-keygen -l shows of a key: "SHA256:...". */
#define SSH_FINGERPRINT_MAX (sizeof("SHA256:") + BASE64_SIZE(32))
void ssh_fingerprint(const uint8_t key[AUTH_KEY_SIZE], char text[SSH_FINGERPRINT_MAX]);

/* What is signed for a message, as `ssh-keygen -Y sign -n bpfd-usb` does; returns its length. */
#define SSH_SIGNED_SIZE (6 + 4 + sizeof(SSH_NAMESPACE) - 1 + 4 + 4 + 6 + 4 + 64)
size_t ssh_signed_data(uint8_t at[SSH_SIGNED_SIZE], const uint8_t *message, size_t len);

/* Signs a message in this way with a secret key as OpenSSH and libsodium have it: seed, then public
 * key. */
#define SSH_SECRET_SIZE 64
void ssh_sign(const uint8_t secret[SSH_SECRET_SIZE], const uint8_t *message, size_t len,
	uint8_t signature[AUTH_SIGNATURE_SIZE]);

/* Whether it is the key's signature of the message. */
bool ssh_verify(const struct auth_response *response, const uint8_t *message, size_t len);

#endif
