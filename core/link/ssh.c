/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes OpenSSH's formats; libsodium does the arithmetic.
 *
 * sodium_init() is not called: it waits for the kernel's random numbers, which a board may lack for
 * minutes after power-on. It prepares random numbers and selects functions by processor; hashes and
 * Ed25519 need neither. */
#include "core/link/ssh.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

_Static_assert(crypto_sign_PUBLICKEYBYTES == AUTH_KEY_SIZE &&
		       crypto_sign_BYTES == AUTH_SIGNATURE_SIZE &&
		       crypto_sign_SECRETKEYBYTES == SSH_SECRET_SIZE,
	"Ed25519");

static const uint8_t *take(struct ssh_in *in, size_t len)
{
	const uint8_t *at = in->data;

	if (in->failed || len > in->size) {
		in->failed = true;
		return NULL;
	}
	in->data += len;
	in->size -= len;
	return at;
}

uint32_t ssh_get_u32(struct ssh_in *in)
{
	const uint8_t *at = take(in, 4);

	return at ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]
		  : 0;
}

const uint8_t *ssh_get_string(struct ssh_in *in, size_t *len)
{
	const uint8_t *at;

	*len = ssh_get_u32(in);
	at = take(in, *len);
	if (!at)
		*len = 0;
	return at;
}

void ssh_get_text(struct ssh_in *in, const char *text)
{
	size_t len;
	const uint8_t *at = ssh_get_string(in, &len);

	if (in->failed || len != strlen(text) || (len && memcmp(at, text, len) != 0))
		in->failed = true;
}

void ssh_put_bytes(struct ssh_out *out, const void *data, size_t len)
{
	if (out->failed || len > out->room - out->size) {
		out->failed = true;
		return;
	}
	if (len)
		memcpy(out->data + out->size, data, len);
	out->size += len;
}

void ssh_put_u32(struct ssh_out *out, uint32_t value)
{
	const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
		(uint8_t)(value >> 8), (uint8_t)value};

	ssh_put_bytes(out, bytes, sizeof(bytes));
}

void ssh_put_string(struct ssh_out *out, const void *data, size_t len)
{
	ssh_put_u32(out, (uint32_t)len);
	ssh_put_bytes(out, data, len);
}

void ssh_put_text(struct ssh_out *out, const char *text)
{
	ssh_put_string(out, text, strlen(text));
}

void ssh_blob_put(uint8_t blob[SSH_BLOB_SIZE], const uint8_t key[AUTH_KEY_SIZE])
{
	struct ssh_out out = {.data = blob, .room = SSH_BLOB_SIZE};

	ssh_put_text(&out, SSH_ED25519);
	ssh_put_string(&out, key, AUTH_KEY_SIZE);
}

int ssh_blob_get(const uint8_t *blob, size_t len, uint8_t key[AUTH_KEY_SIZE])
{
	struct ssh_in in = {.data = blob, .size = len};
	size_t size;
	const uint8_t *at = ssh_get_string(&in, &size);

	if (in.failed)
		return -EBADMSG;
	if (size != strlen(SSH_ED25519) || memcmp(at, SSH_ED25519, size) != 0)
		return -EPROTONOSUPPORT;
	at = ssh_get_string(&in, &size);
	if (in.failed || size != AUTH_KEY_SIZE || in.size)
		return -EBADMSG;
	memcpy(key, at, AUTH_KEY_SIZE);
	return 0;
}

void ssh_key_put(char text[SSH_KEY_TEXT_MAX], const uint8_t key[AUTH_KEY_SIZE])
{
	uint8_t blob[SSH_BLOB_SIZE];
	char *at = text + sizeof(SSH_ED25519);

	memcpy(text, SSH_ED25519 " ", sizeof(SSH_ED25519));
	ssh_blob_put(blob, key);
	base64_encode(at, blob, sizeof(blob));
	at[BASE64_SIZE(sizeof(blob))] = '\0';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int ssh_key_get(const char *text, size_t len, uint8_t key[AUTH_KEY_SIZE], const char **rest)
{
	static const char type[] = SSH_ED25519;
	const char *end = text + len, *word;
	/* Longer than a key by one base64 group, so that a longer text is found to be wrong. */
	uint8_t blob[SSH_BLOB_SIZE + 3];
	ssize_t size;

	*rest = end;
	for (word = text; word < end && !is_blank(*word); word++)
		;
	if ((size_t)(word - text) != sizeof(type) - 1 || memcmp(text, type, sizeof(type) - 1) != 0)
		return -EPROTONOSUPPORT;
	while (word < end && is_blank(*word))
		word++;
	for (text = word; word < end && !is_blank(*word); word++)
		;
	if ((size_t)(word - text) > BASE64_SIZE(sizeof(blob)))
		return -EBADMSG;
	size = base64_decode(blob, text, (size_t)(word - text));
	while (word < end && is_blank(*word))
		word++;
	*rest = word;
	/* A blob with a key of another type contradicts the first word: malformed too. */
	return size < 0 || ssh_blob_get(blob, (size_t)size, key) < 0 ? -EBADMSG : 0;
}

void ssh_fingerprint(const uint8_t key[AUTH_KEY_SIZE], char text[SSH_FINGERPRINT_MAX])
{
	uint8_t blob[SSH_BLOB_SIZE], hash[crypto_hash_sha256_BYTES];
	char *at = text + strlen("SHA256:");

	ssh_blob_put(blob, key);
	crypto_hash_sha256(hash, blob, sizeof(blob));
	memcpy(text, "SHA256:", strlen("SHA256:"));
	base64_encode(at, hash, sizeof(hash));
	at[BASE64_SIZE(sizeof(hash)) - 1] = '\0'; /* OpenSSH omits the padding, one '=' */
}

size_t ssh_signed_data(uint8_t at[SSH_SIGNED_SIZE], const uint8_t *message, size_t len)
{
	struct ssh_out out = {.data = at, .room = SSH_SIGNED_SIZE};
	uint8_t hash[crypto_hash_sha512_BYTES];

	crypto_hash_sha512(hash, message, len);
	ssh_put_bytes(&out, "SSHSIG", 6);
	ssh_put_text(&out, SSH_NAMESPACE);
	ssh_put_text(&out, ""); /* reserved */
	ssh_put_text(&out, "sha512");
	ssh_put_string(&out, hash, sizeof(hash));
	return out.size;
}

void ssh_sign(const uint8_t secret[SSH_SECRET_SIZE], const uint8_t *message, size_t len,
	uint8_t signature[AUTH_SIGNATURE_SIZE])
{
	uint8_t data[SSH_SIGNED_SIZE];

	crypto_sign_detached(signature, NULL, data, ssh_signed_data(data, message, len), secret);
}

bool ssh_verify(const struct auth_response *response, const uint8_t *message, size_t len)
{
	uint8_t data[SSH_SIGNED_SIZE];

	return crypto_sign_verify_detached(response->signature, data,
		       ssh_signed_data(data, message, len), response->key) == 0;
}
