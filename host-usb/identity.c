/* SPDX-License-Identifier: Apache-2.0 */
/* Searches for keys, and signs the challenge of a board. */
#include "host-usb/identity.h"
#include "core/base/paths.h"

#include "core/base/log.h"
#include "host-usb/agent.h"
#include "host-usb/key_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A key that may be shown to the board. */
struct candidate {
	struct key_pair pair; /* without the secret half if ssh-agent has it */
	char source[64];      /* for messages */
};

struct identity {
	const char *file;     /* NULL: search the usual places */
	struct key_pair pair; /* the key in `file` */
	char serial[LINK_SERIAL_MAX + 1];
	bool searched;
	struct candidate list[AGENT_KEYS_MAX + 2];
	size_t count, next; /* keys before `next` were shown */
	int agent;
};

int identity_new(const char *file, struct identity **result)
{
	struct identity *identity = calloc(1, sizeof(*identity));
	int err = identity ? 0 : -ENOMEM;

	if (!err && file)
		err = key_file_read(file, &identity->pair);
	if (err) {
		log_error("--key: %s: %s", file ? file : "", key_file_error(err));
		free(identity);
		return err;
	}
	identity->file = file;
	identity->agent = -1;
	*result = identity;
	return 0;
}

void identity_free(struct identity *identity)
{
	if (!identity)
		return;
	for (size_t i = 0; i < identity->count; i++)
		key_pair_wipe(&identity->list[i].pair);
	key_pair_wipe(&identity->pair);
	if (identity->agent >= 0)
		close(identity->agent);
	free(identity);
}

void identity_expect(struct identity *identity, const char *serial)
{
	snprintf(identity->serial, sizeof(identity->serial), "%s", serial);
}

static void add(struct identity *identity, const struct key_pair *pair, const char *source)
{
	struct candidate *candidate = &identity->list[identity->count];

	for (size_t i = 0; i < identity->count; i++)
		if (memcmp(identity->list[i].pair.key, pair->key, AUTH_KEY_SIZE) == 0)
			return;
	if (identity->count == sizeof(identity->list) / sizeof(identity->list[0]))
		return;
	candidate->pair = *pair;
	snprintf(candidate->source, sizeof(candidate->source), "%s", source);
	identity->count++;
}

/* Adds the key in one of the usual places. Skips a file that is missing or unusable. */
static void add_file(struct identity *identity, const char *directory, const char *name)
{
	char path[PATH_MAX];
	struct key_pair pair;
	int err;

	if (!directory || !*directory || path_format(path, "%s/%s", directory, name))
		return;
	err = key_file_read(path, &pair);
	if (err == 0 && pair.has_secret)
		add(identity, &pair, path);
	else if (err != -ENOENT && err != -ENOTDIR)
		log_info("%s: not used: %s", path, err ? key_file_error(err) : "not a private key");
	key_pair_wipe(&pair);
}

static int open_agent(struct identity *identity)
{
	const char *path = getenv("SSH_AUTH_SOCK");

	if (identity->agent >= 0)
		return 0;
	if (!path || !*path)
		return -ENOENT;
	identity->agent = agent_open(path);
	if (identity->agent >= 0)
		return 0;
	log_info("ssh-agent: %s: %s", path, strerror(-identity->agent));
	return identity->agent;
}

/* After an error the connection may be in the middle of a message, so it cannot be used again. */
static void close_agent(struct identity *identity)
{
	if (identity->agent >= 0)
		close(identity->agent);
	identity->agent = -1;
}

static int add_agent(struct identity *identity, int signal_fd)
{
	uint8_t keys[AGENT_KEYS_MAX][AUTH_KEY_SIZE];
	int n = open_agent(identity) < 0
			? 0
			: agent_list(identity->agent, signal_fd, keys, AGENT_KEYS_MAX);

	if (n < 0) {
		close_agent(identity);
		if (n == -EINTR)
			return n;
		log_info("ssh-agent: %s", strerror(-n));
	}
	for (int i = 0; i < n; i++) {
		struct key_pair pair = {.has_secret = false};

		memcpy(pair.key, keys[i], AUTH_KEY_SIZE);
		add(identity, &pair, "ssh-agent");
	}
	return 0;
}

/* Collects the keys. Returns 0, or -EINTR: call again. */
static int search(struct identity *identity, int signal_fd)
{
	const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
	int err;

	if (identity->file) {
		add(identity, &identity->pair, identity->file);
		identity->searched = true;
		return 0;
	}
	if (config && *config)
		add_file(identity, config, "bpfd/id_ed25519");
	else
		add_file(identity, home, ".config/bpfd/id_ed25519");
	err = add_agent(identity, signal_fd);
	if (err < 0)
		return err;
	add_file(identity, home, ".ssh/id_ed25519");
	identity->searched = true;
	return 0;
}

static int sign(struct identity *identity, const struct candidate *candidate,
	const struct host_session *session, int signal_fd, struct auth_response *response)
{
	uint8_t message[AUTH_MESSAGE_MAX], data[SSH_SIGNED_SIZE];
	size_t len = host_session_message(session, candidate->pair.key, message);
	int err;

	memcpy(response->key, candidate->pair.key, AUTH_KEY_SIZE);
	if (candidate->pair.has_secret) {
		ssh_sign(candidate->pair.secret, message, len, response->signature);
		return 0;
	}
	len = ssh_signed_data(data, message, len);
	err = open_agent(identity);
	if (!err)
		err = agent_sign(identity->agent, signal_fd, data, len, response);
	if (err && err != -EACCES)
		close_agent(identity);
	return err;
}

static void log_key(const struct identity *identity, enum log_level level, const char *what)
{
	const struct candidate *candidate = &identity->list[identity->next - 1];
	char fingerprint[SSH_FINGERPRINT_MAX];

	ssh_fingerprint(candidate->pair.key, fingerprint);
	log_write(level, "key %s of %s: %s", fingerprint, candidate->source, what);
}

/* A board that asks with another serial number may be forwarding the challenge of that board. */
static bool is_expected(const struct identity *identity, const struct auth_challenge *challenge)
{
	if (strcmp(identity->serial, challenge->serial) == 0)
		return true;
	log_error("board: it asks for a key in the name of %s, which is not its serial number; "
		  "not answered",
		challenge->serial[0] ? challenge->serial : "no board");
	return false;
}

int identity_answer(struct identity *identity, const struct host_session *session, int signal_fd,
	struct auth_response *response)
{
	int err;

	if (!is_expected(identity, host_session_challenge(session)))
		return -ENOKEY;
	err = identity->searched ? 0 : search(identity, signal_fd);
	if (err < 0)
		return err;
	if (identity->next > 0)
		log_key(identity, LOG_INFO, "the board does not accept it");
	while (identity->next < identity->count) {
		err = sign(identity, &identity->list[identity->next], session, signal_fd, response);
		if (err == -EINTR)
			return err;
		identity->next++;
		log_key(identity, err ? LOG_WARNING : LOG_DEBUG,
			err == -EACCES ? "ssh-agent refuses to sign with it"
			: err	       ? strerror(-err)
				       : "shown to the board");
		if (err == 0)
			return 0;
	}
	log_error("board: it asks for a key, and this host has no %s; see --key and --keygen in "
		  "bpfd-usb(1)",
		identity->next ? "other one" : "Ed25519 key");
	return -ENOKEY;
}

void identity_refused(const struct identity *identity)
{
	if (identity->next > 0)
		log_key(identity, LOG_ERROR, "the board does not accept it");
	log_error("board: add the public key of this host to its /etc/bpfd/authorized_keys, or "
		  "choose another key with --key");
}
