// SPDX-License-Identifier: Apache-2.0
// Tests key files and signatures in both directions: ssh-keygen reads ours, we read its files.
#include "tests/unit/link_test.h"
#include "tests/unit/skip.h"

#include "core/base/log.h"
#include "core/link/ssh.h"
#include "host-usb/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARMOUR "-----BEGIN SSH SIGNATURE-----\n%s\n-----END SSH SIGNATURE-----\n"

static const uint8_t message[] = "what the key signs";
static char directory[] = "/tmp/test_ssh.XXXXXX";

static int make_directory(void **state)
{
	assert_non_null(mkdtemp(directory));
	return chdir(directory);
}

static int remove_directory(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

static bool have_ssh_keygen(void)
{
	return system("command -v ssh-keygen >/dev/null") == 0;
}

static void run(const char *command)
{
	assert_int_equal(system(command), 0);
}

static size_t read_file(const char *path, void *data, size_t room)
{
	FILE *in = fopen(path, "r");
	size_t n;

	assert_non_null(in);
	n = fread(data, 1, room, in);
	fclose(in);
	return n;
}

static void write_file(const char *path, const void *data, size_t len)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static void strings(void **state)
{
	static const uint8_t data[] = {0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 9, 'x'};
	struct ssh_in in = {.data = data, .size = sizeof(data)};
	uint8_t room[10];
	struct ssh_out out = {.data = room, .room = sizeof(room)};
	size_t len;

	assert_ptr_equal(ssh_get_string(&in, &len), data + 4);
	assert_int_equal(len, 2);
	ssh_get_text(&in, "");
	assert_false(in.failed);
	assert_null(ssh_get_string(&in, &len));
	assert_int_equal(len, 0);
	assert_true(in.failed);
	assert_int_equal(ssh_get_u32(&in), 0);
	ssh_put_text(&out, "ab");
	ssh_put_u32(&out, 0x01020304);
	assert_false(out.failed);
	assert_memory_equal(room, "\0\0\0\2ab\1\2\3\4", 10);
	ssh_put_bytes(&out, "c", 1);
	assert_true(out.failed);
	assert_int_equal(out.size, 10);
}

static void keys_as_text(void **state)
{
	uint8_t key[AUTH_KEY_SIZE], again[AUTH_KEY_SIZE];
	char text[SSH_KEY_TEXT_MAX + 10], fingerprint[SSH_FINGERPRINT_MAX];
	const char *rest;

	for (uint8_t i = 0; i < sizeof(key); i++)
		key[i] = i;
	ssh_key_put(text, key);
	assert_string_equal(text,
		"ssh-ed25519 "
		"AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f");
	assert_int_equal(ssh_key_get(text, strlen(text), again, &rest), 0);
	assert_memory_equal(key, again, sizeof(key));
	assert_ptr_equal(rest, text + strlen(text));
	for (size_t len = 0; len < strlen(text); len++)
		assert_int_equal(ssh_key_get(text, len, again, &rest),
			len < 11 ? -EPROTONOSUPPORT : -EBADMSG);
	strcat(text, "  me\n");
	assert_int_equal(ssh_key_get(text, strlen(text), again, &rest), 0);
	assert_string_equal(rest, "me\n");
	ssh_fingerprint(key, fingerprint);
	assert_string_equal(fingerprint, "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA");
}

/* Writes a signature into a file of the format that ssh-keygen reads. */
static void put_signature(const char *path, const struct auth_response *response)
{
	uint8_t data[400], blob[SSH_BLOB_SIZE], inner[4 + 11 + 4 + 64];
	struct ssh_out out = {.data = data, .room = sizeof(data)};
	struct ssh_out signature = {.data = inner, .room = sizeof(inner)};
	char base64[BASE64_SIZE(sizeof(data)) + 1] = "", text[1000];

	ssh_blob_put(blob, response->key);
	ssh_put_text(&signature, "ssh-ed25519");
	ssh_put_string(&signature, response->signature, AUTH_SIGNATURE_SIZE);
	ssh_put_bytes(&out, "SSHSIG", 6);
	ssh_put_u32(&out, 1);
	ssh_put_string(&out, blob, sizeof(blob));
	ssh_put_text(&out, SSH_NAMESPACE);
	ssh_put_text(&out, "");
	ssh_put_text(&out, "sha512");
	ssh_put_string(&out, inner, signature.size);
	assert_false(out.failed || signature.failed);
	base64_encode(base64, data, out.size);
	write_file(path, text, (size_t)snprintf(text, sizeof(text), ARMOUR, base64));
}

static void ssh_keygen_verifies(void **state)
{
	struct key_pair pair;
	struct auth_response response;
	char line[KEY_LINE_MAX];

	if (!have_ssh_keygen())
		skip_because("there is no ssh-keygen");
	assert_int_equal(key_file_make("ours", line), 0);
	assert_int_equal(key_file_read("ours", &pair), 0);
	memcpy(response.key, pair.key, sizeof(response.key));
	ssh_sign(pair.secret, message, sizeof(message), response.signature);
	put_signature("signature", &response);
	write_file("message", message, sizeof(message));
	write_file("signers", "me ", 3);
	run("cat ours.pub >>signers");
	run("ssh-keygen -q -Y verify -f signers -I me -n bpfd-usb -s signature <message "
	    ">/dev/null");
	/* The signature is not valid in another namespace. */
	assert_int_not_equal(
		system("ssh-keygen -q -Y verify -f signers -I me -n file -s signature <message "
		       ">/dev/null 2>&1"),
		0);
}

static void ssh_keygen_signs(void **state)
{
	struct auth_response response;
	struct key_pair pair;
	char text[2000] = "";
	const char *start;
	uint8_t data[1000];
	ssize_t size;
	size_t n = 0;

	if (!have_ssh_keygen())
		skip_because("there is no ssh-keygen");
	run("ssh-keygen -q -t ed25519 -N '' -C 'a comment' -f theirs");
	write_file("signed", message, sizeof(message));
	run("ssh-keygen -q -Y sign -f theirs -n bpfd-usb signed 2>/dev/null");
	read_file("signed.sig", text, sizeof(text) - 1);
	start = strchr(text, '\n');
	assert_non_null(start);
	for (; *start != '-'; start++)
		if (*start != '\n')
			text[n++] = *start;
	size = base64_decode(data, text, n);
	assert_true(size > AUTH_SIGNATURE_SIZE);
	assert_int_equal(key_file_read("theirs.pub", &pair), 0);
	assert_false(pair.has_secret);
	memcpy(response.key, pair.key, sizeof(response.key));
	memcpy(response.signature, data + size - AUTH_SIGNATURE_SIZE, AUTH_SIGNATURE_SIZE);
	assert_true(ssh_verify(&response, message, sizeof(message)));
	response.signature[0] ^= 1;
	assert_false(ssh_verify(&response, message, sizeof(message)));
}

static void files_of_ssh_keygen(void **state)
{
	struct key_pair pair, public;

	if (!have_ssh_keygen())
		skip_because("there is no ssh-keygen");
	/* Comments of each length modulo 8, the block size to which ssh-keygen pads. */
	run("for c in '' 1 12 123 1234 12345 123456 1234567 12345678; do rm -f key key.pub; "
	    "ssh-keygen -q -t ed25519 -N '' -C \"$c\" -f key || exit; cp key key.$c; done");
	for (int i = 0; i < 9; i++) {
		char path[20];

		snprintf(path, sizeof(path), "key.%.*s", i, "12345678");
		assert_int_equal(key_file_read(path, &pair), 0);
		assert_true(pair.has_secret);
	}
	assert_int_equal(key_file_read("key.pub", &public), 0);
	assert_memory_equal(pair.key, public.key, sizeof(pair.key));
	run("ssh-keygen -q -t ed25519 -N secret -f locked");
	assert_int_equal(key_file_read("locked", &pair), -EKEYREJECTED);
	run("ssh-keygen -q -t ecdsa -N '' -f ecdsa");
	assert_int_equal(key_file_read("ecdsa", &pair), -EPROTONOSUPPORT);
	assert_int_equal(key_file_read("ecdsa.pub", &pair), -EPROTONOSUPPORT);
	run("ssh-keygen -q -t ecdsa -m PEM -N '' -f pem");
	assert_int_equal(key_file_read("pem", &pair), -EPROTONOSUPPORT);
	assert_int_equal(chmod("key.", 0640), 0);
	assert_int_equal(key_file_read("key.", &pair), -EKEYREVOKED);
	assert_false(pair.has_secret);
}

static void made_keys(void **state)
{
	char line[KEY_LINE_MAX], text[200] = "";
	struct key_pair pair;
	struct stat st;

	assert_int_equal(key_file_make("made", line), 0);
	read_file("made.pub", text, sizeof(text) - 1);
	assert_string_equal(text, line);
	assert_int_equal(stat("made", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(key_file_read("made", &pair), 0);
	assert_true(pair.has_secret);
	if (have_ssh_keygen())
		run("test \"$(ssh-keygen -y -f made)\" = \"$(cat made.pub)\"");
	assert_int_equal(key_file_make("made", line), -EEXIST);
	assert_int_equal(key_file_make("nowhere/made", line), -ENOENT);
	assert_int_equal(mkdir("other.pub", 0700), 0);
	assert_int_equal(key_file_make("other", line), -EEXIST);
	assert_int_equal(access("other", F_OK), -1);
}

/* A private key file is cut at each byte and each byte is changed: it gives no key, or the same. */
static void files_that_are_damaged(void **state)
{
	char line[KEY_LINE_MAX], text[1000];
	struct key_pair pair, whole;
	size_t len;

	assert_int_equal(key_file_make("damaged", line), 0);
	len = read_file("damaged", text, sizeof(text));
	assert_int_equal(key_file_parse(text, len, &whole), 0);
	for (size_t i = 0; i + 1 < len; i++) { /* the last newline may be missing */
		assert_true(key_file_parse(text, i, &pair) < 0);
		assert_false(pair.has_secret);
	}
	for (size_t i = 0; i < len; i++) {
		char before = text[i];

		text[i] = before == 'A' ? 'B' : 'A';
		if (key_file_parse(text, len, &pair) == 0)
			assert_memory_equal(&pair, &whole, sizeof(pair));
		text[i] = before;
	}
	assert_int_equal(key_file_parse("", 0, &pair), -EPROTONOSUPPORT);
}

static void words_for_errors(void **state)
{
	assert_non_null(strstr(key_file_error(-EKEYREJECTED), "ssh-agent"));
	assert_non_null(strstr(key_file_error(-EPROTONOSUPPORT), "--keygen"));
	assert_string_equal(key_file_error(-ENOENT), strerror(ENOENT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings),
		cmocka_unit_test(keys_as_text),
		cmocka_unit_test(ssh_keygen_verifies),
		cmocka_unit_test(ssh_keygen_signs),
		cmocka_unit_test(files_of_ssh_keygen),
		cmocka_unit_test(made_keys),
		cmocka_unit_test(files_that_are_damaged),
		cmocka_unit_test(words_for_errors),
	};

	log_open("test", LOG_ERROR);
	return cmocka_run_group_tests_name("ssh", tests, make_directory, remove_directory);
}
