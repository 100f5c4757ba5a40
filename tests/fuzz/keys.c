/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes key files: the list of a board, and the key files of a host. */
#include "gadget/keys.h"
#include "host-usb/key_file.h"

#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

/* Each accepted entry must be complete and printable. */
static void read_list(const char *text, size_t size)
{
	struct key_list list;

	MUST(keys_parse("list", text, size, false, &list) == 0);
	for (size_t i = 0; i < list.count; i++) {
		const struct key_entry *entry = &list.entries[i];

		MUST(entry->line > 0 && strlen(entry->name) < sizeof(entry->name));
		for (const char *c = entry->name; *c; c++)
			MUST(*c >= ' ' && *c <= '~');
		MUST(keys_find(&list, entry->key) <= entry);
	}
	keys_free(&list);
	MUST(list.count == 0);
}

static void read_key(const char *text, size_t size)
{
	static const struct key_pair none;
	uint8_t signature[AUTH_SIGNATURE_SIZE];
	struct auth_response response;
	struct key_pair pair;
	int err = key_file_parse(text, size, &pair);

	MUST(err == 0 || err == -EBADMSG || err == -EPROTONOSUPPORT || err == -EKEYREJECTED);
	if (err < 0)
		MUST(memcmp(&pair, &none, sizeof(pair)) == 0);
	if (err < 0 || !pair.has_secret)
		return;
	/* An accepted key can sign. */
	ssh_sign(pair.secret, signature, 0, response.signature);
	memcpy(response.key, pair.key, sizeof(response.key));
	MUST(ssh_verify(&response, signature, 0));
}

/* Reads the input as a binary key, as in the replies of ssh-agent. */
static void read_blob(const uint8_t *data, size_t size)
{
	uint8_t key[AUTH_KEY_SIZE], again[SSH_BLOB_SIZE];

	if (ssh_blob_get(data, size, key) < 0)
		return;
	MUST(size == SSH_BLOB_SIZE);
	ssh_blob_put(again, key);
	MUST(memcmp(again, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_list((const char *)data, size);
	read_key((const char *)data, size);
	read_blob(data, size);
	return 0;
}
