/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and creates key files in the format of OpenSSH's PROTOCOL.key. */
#include "host-usb/key_file.h"
#include "core/base/paths.h"

#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define BEGIN_LINE "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define END_LINE   "-----END OPENSSH PRIVATE KEY-----"
#define MAGIC	   "openssh-key-v1" /* with its NUL */
#define LINE_CHARS 70		    /* of base64, like ssh-keygen */
#define PAD_TO	   8		    /* bytes, without encryption */

const char *key_file_error(int err)
{
	switch (-err) {
	case EBADMSG:
		return "not a complete key in OpenSSH's format";
	case EPROTONOSUPPORT:
		return "not an Ed25519 key; make one with --keygen or ssh-keygen -t ed25519";
	case EKEYREJECTED:
		return "the key is encrypted; add it to ssh-agent with ssh-add and omit --key";
	case EKEYREVOKED:
		return "other users can access this private key; run chmod 600 on it";
	default:
		return strerror(-err);
	}
}

void key_pair_wipe(struct key_pair *pair)
{
	sodium_memzero(pair, sizeof(*pair));
}

/* Reads the private section. It begins with two equal numbers and ends with padding 1, 2, 3... */
static int take_private(struct ssh_in *in, struct key_pair *pair)
{
	uint32_t check = ssh_get_u32(in), check_again = ssh_get_u32(in);
	uint8_t seed[crypto_sign_SEEDBYTES], key[AUTH_KEY_SIZE];
	const uint8_t *public, *secret;
	size_t public_len, secret_len, len;

	if (in->failed || check != check_again)
		return -EBADMSG;
	ssh_get_text(in, SSH_ED25519);
	if (in->failed)
		return -EPROTONOSUPPORT;
	public = ssh_get_string(in, &public_len);
	secret = ssh_get_string(in, &secret_len);
	ssh_get_string(in, &len); /* the comment */
	if (in->failed || public_len != AUTH_KEY_SIZE || secret_len != SSH_SECRET_SIZE)
		return -EBADMSG;
	for (size_t i = 0; i < in->size; i++)
		if (in->data[i] != i + 1)
			return -EBADMSG;
	/* Signing with a public key that does not belong to the seed would reveal the seed. */
	memcpy(seed, secret, sizeof(seed));
	crypto_sign_seed_keypair(key, pair->secret, seed);
	sodium_memzero(seed, sizeof(seed));
	if (memcmp(key, public, sizeof(key)) != 0 ||
		sodium_memcmp(pair->secret, secret, SSH_SECRET_SIZE) != 0 ||
		memcmp(key, pair->key, sizeof(key)) != 0)
		return -EBADMSG;
	pair->has_secret = true;
	return 0;
}

static int take_binary(const uint8_t *data, size_t len, struct key_pair *pair)
{
	struct ssh_in in = {.data = data, .size = len}, private = {.failed = false};
	const uint8_t *cipher, *blob;
	size_t cipher_len, blob_len;
	int err;

	if (len < sizeof(MAGIC) || memcmp(data, MAGIC, sizeof(MAGIC)) != 0)
		return -EBADMSG;
	in.data += sizeof(MAGIC);
	in.size -= sizeof(MAGIC);
	cipher = ssh_get_string(&in, &cipher_len);
	if (in.failed)
		return -EBADMSG;
	if (cipher_len != strlen("none") || memcmp(cipher, "none", cipher_len) != 0)
		return -EKEYREJECTED;
	ssh_get_text(&in, "none"); /* key derivation function and its options: no encryption */
	ssh_get_text(&in, "");
	if (ssh_get_u32(&in) != 1)
		return -EBADMSG;
	blob = ssh_get_string(&in, &blob_len);
	private.data = ssh_get_string(&in, &private.size);
	if (in.failed || in.size || private.size % PAD_TO)
		return -EBADMSG;
	err = ssh_blob_get(blob, blob_len, pair->key);
	return err < 0 ? err : take_private(&private, pair);
}

/* Decodes the base64 between the first line and the last line. */
static int take_armour(const char *text, size_t len, struct key_pair *pair)
{
	char *data = malloc(len);
	size_t n = 0;
	ssize_t size;
	int err;

	if (!data)
		return -ENOMEM;
	for (size_t i = strlen(BEGIN_LINE); i < len && text[i] != '-'; i++)
		if (text[i] != '\n' && text[i] != '\r')
			data[n++] = text[i];
	err = -EBADMSG;
	if (memmem(text, len, END_LINE, strlen(END_LINE)) != NULL) {
		size = base64_decode(data, data, n);
		if (size >= 0)
			err = take_binary((uint8_t *)data, (size_t)size, pair);
	}
	sodium_memzero(data, len);
	free(data);
	return err;
}

int key_file_parse(const char *text, size_t len, struct key_pair *pair)
{
	static const char begin[] = BEGIN_LINE, any[] = "-----BEGIN ";
	const char *rest;
	int err;

	*pair = (struct key_pair){.has_secret = false};
	if (len >= sizeof(begin) - 1 && memcmp(text, begin, sizeof(begin) - 2) == 0)
		err = take_armour(text, len, pair);
	else if (len >= sizeof(any) - 1 && memcmp(text, any, sizeof(any) - 1) == 0)
		err = -EPROTONOSUPPORT; /* PEM: not written by OpenSSH, or not Ed25519 */
	else
		err = ssh_key_get(text, len, pair->key, &rest);
	if (err < 0)
		key_pair_wipe(pair);
	return err;
}

static ssize_t read_all(int fd, char *text, size_t room)
{
	size_t size = 0;
	ssize_t n;

	while ((n = read(fd, text + size, room - size)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		size += (size_t)n;
		if (size == room)
			return -EFBIG;
	}
	return (ssize_t)size;
}

int key_file_read(const char *path, struct key_pair *pair)
{
	char text[KEY_FILE_MAX + 1];
	struct stat st;
	ssize_t size;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err;

	*pair = (struct key_pair){.has_secret = false};
	if (fd < 0)
		return -errno;
	size = fstat(fd, &st) < 0 ? -errno : read_all(fd, text, sizeof(text));
	close(fd);
	err = size < 0 ? (int)size : key_file_parse(text, (size_t)size, pair);
	/* The rule of ssh. */
	if (err == 0 && pair->has_secret && st.st_uid == geteuid() && (st.st_mode & 077)) {
		key_pair_wipe(pair);
		err = -EKEYREVOKED;
	}
	sodium_memzero(text, sizeof(text));
	return err;
}

static void put_private(struct ssh_out *out, const struct key_pair *pair, const char *comment)
{
	uint8_t data[512], blob[SSH_BLOB_SIZE];
	struct ssh_out private = {.data = data, .room = sizeof(data)};
	uint32_t check = 0;

	/* The two numbers only detect failed decryption, and this key is not encrypted. */
	ssh_put_u32(&private, check);
	ssh_put_u32(&private, check);
	ssh_put_text(&private, SSH_ED25519);
	ssh_put_string(&private, pair->key, AUTH_KEY_SIZE);
	ssh_put_string(&private, pair->secret, SSH_SECRET_SIZE);
	ssh_put_text(&private, comment);
	for (uint8_t pad = 1; private.size % PAD_TO; pad++)
		ssh_put_bytes(&private, &pad, 1);
	ssh_put_bytes(out, MAGIC, sizeof(MAGIC));
	ssh_put_text(out, "none");
	ssh_put_text(out, "none");
	ssh_put_text(out, "");
	ssh_put_u32(out, 1);
	ssh_blob_put(blob, pair->key);
	ssh_put_string(out, blob, sizeof(blob));
	ssh_put_string(out, private.data, private.size);
	out->failed = out->failed || private.failed;
	sodium_memzero(data, sizeof(data));
}

/* Formats the private key file. Returns the length, or 0 if it does not fit. */
static size_t put_text(const struct key_pair *pair, const char *comment, char *text, size_t room)
{
	uint8_t data[768];
	char base64[BASE64_SIZE(sizeof(data)) + 1];
	struct ssh_out out = {.data = data, .room = sizeof(data)};
	size_t n = 0, size;

	put_private(&out, pair, comment);
	size = BASE64_SIZE(out.size);
	if (!out.failed &&
		sizeof(BEGIN_LINE) + size + size / LINE_CHARS + 2 + sizeof(END_LINE) < room) {
		base64_encode(base64, data, out.size);
		n = (size_t)sprintf(text, BEGIN_LINE);
		for (size_t i = 0; i < size; i += LINE_CHARS)
			n += (size_t)sprintf(text + n, "%.*s\n",
				(int)(size - i < LINE_CHARS ? size - i : LINE_CHARS), base64 + i);
		n += (size_t)sprintf(text + n, END_LINE "\n");
	}
	sodium_memzero(data, sizeof(data));
	sodium_memzero(base64, sizeof(base64));
	return n;
}

/* Creates a new file. On failure removes it and logs the cause. */
static int write_file(const char *path, mode_t mode, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode), err = 0;
	size_t done = 0;
	ssize_t n;

	if (fd < 0) {
		err = -errno;
		log_error("%s: %s", path, strerror(-err));
		return err;
	}
	while (!err && done < len) {
		n = write(fd, text + done, len - done);
		if (n < 0 && errno != EINTR)
			err = -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	if (!err && fsync(fd) < 0 && errno != EINVAL)
		err = -errno;
	if (close(fd) < 0 && !err)
		err = -errno;
	if (err) {
		log_error("%s: %s", path, strerror(-err));
		unlink(path);
	}
	return err;
}

/* Makes a comment like ssh-keygen: user@host. */
static void find_comment(char comment[static 128])
{
	const struct passwd *user = getpwuid(geteuid());
	char host[64 + 1] = "";

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	snprintf(comment, 128, "%.40s@%s", user ? user->pw_name : "bpfd-usb", host);
}

int key_file_make(const char *path, char line[KEY_LINE_MAX])
{
	uint8_t seed[crypto_sign_SEEDBYTES];
	char text[2048], public_path[PATH_MAX], comment[128];
	struct key_pair pair = {.has_secret = true};
	size_t len;
	int err;

	err = path_format(public_path, "%s.pub", path);
	if (err) {
		log_error("%s: %s", path, strerror(-err));
		return err;
	}
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
		log_error("getrandom: %s", strerror(errno));
		return -EIO;
	}
	crypto_sign_seed_keypair(pair.key, pair.secret, seed);
	sodium_memzero(seed, sizeof(seed));
	find_comment(comment);
	ssh_key_put(line, pair.key);
	snprintf(line + strlen(line), KEY_LINE_MAX - strlen(line), " %s\n", comment);
	len = put_text(&pair, comment, text, sizeof(text));
	key_pair_wipe(&pair);
	err = len ? write_file(path, 0600, text, len) : -EOVERFLOW;
	sodium_memzero(text, sizeof(text));
	if (err)
		return err;
	err = write_file(public_path, 0644, line, strlen(line));
	if (err)
		unlink(path);
	return err;
}
