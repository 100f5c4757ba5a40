/* SPDX-License-Identifier: Apache-2.0 */
/* The client of ssh-agent's protocol (draft-miller-ssh-agent). */
#include "host-usb/agent.h"

#include "core/base/clock.h"
#include "core/link/link.h"
#include "core/link/ssh.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define AGENT_REPLY_MAX (256 * 1024) /* bytes, the limit of ssh */
#define LIST_MS		5000
#define SIGN_MS		(AUTH_MS - 5000) /* the board waits AUTH_MS for the signature */

enum {
	AGENT_FAILURE = 5,
	AGENT_REQUEST_IDENTITIES = 11,
	AGENT_IDENTITIES = 12,
	AGENT_SIGN_REQUEST = 13,
	AGENT_SIGN_RESPONSE = 14,
};

int agent_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* Waits until `end_ms` for the socket. Returns 0 if it is ready, -ETIMEDOUT, or -EINTR for a
 * signal. */
static int wait_for(int fd, int signal_fd, short events, uint64_t end_ms)
{
	struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = signal_fd, .events = POLLIN}};
	uint64_t now_ms;

	for (;;) {
		now_ms = clock_monotonic_ms();
		if (now_ms >= end_ms)
			return -ETIMEDOUT;
		if (poll(fds, 2, (int)(end_ms - now_ms)) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents)
			return -EINTR;
		if (fds[0].revents)
			return 0;
	}
}

static int transfer(int fd, int signal_fd, uint8_t *data, size_t len, bool out, uint64_t end_ms)
{
	size_t done = 0;
	ssize_t n;
	int err;

	while (done < len) {
		err = wait_for(fd, signal_fd, out ? POLLOUT : POLLIN, end_ms);
		if (err < 0)
			return err;
		n = out ? send(fd, data + done, len - done, MSG_NOSIGNAL)
			: recv(fd, data + done, len - done, 0);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Puts the length into the request, sends it, and receives the reply. Returns 0 with *reply, which
 * the caller frees, or a negative errno. */
static int ask(int fd, int signal_fd, struct ssh_out *request, unsigned int wait_ms,
	uint8_t **reply, size_t *len)
{
	struct ssh_out head = {.data = request->data, .room = 4};
	struct ssh_in in = {.size = 4};
	uint64_t end_ms = clock_monotonic_ms() + wait_ms;
	uint8_t length[4];
	int err;

	ssh_put_u32(&head, (uint32_t)request->size - 4);
	err = request->failed ? -E2BIG
			      : transfer(fd, signal_fd, request->data, request->size, true, end_ms);
	if (!err)
		err = transfer(fd, signal_fd, length, sizeof(length), false, end_ms);
	if (err)
		return err;
	in.data = length;
	*len = ssh_get_u32(&in);
	if (*len == 0 || *len > AGENT_REPLY_MAX)
		return -EBADMSG;
	*reply = malloc(*len);
	if (!*reply)
		return -ENOMEM;
	err = transfer(fd, signal_fd, *reply, *len, false, end_ms);
	if (err) {
		free(*reply);
		*reply = NULL;
	}
	return err;
}

static void begin(struct ssh_out *request, uint8_t type)
{
	ssh_put_u32(request, 0); /* the length: ask() fills it in */
	ssh_put_bytes(request, &type, 1);
}

int agent_list(int fd, int signal_fd, uint8_t (*keys)[AUTH_KEY_SIZE], size_t max)
{
	uint8_t data[8], *reply = NULL;
	struct ssh_out request = {.data = data, .room = sizeof(data)};
	struct ssh_in in = {.failed = false};
	size_t len, blob_len, found = 0;
	int err;

	begin(&request, AGENT_REQUEST_IDENTITIES);
	err = ask(fd, signal_fd, &request, LIST_MS, &reply, &len);
	if (err)
		return err;
	if (reply[0] != AGENT_IDENTITIES) {
		free(reply);
		return -EBADMSG;
	}
	in.data = reply + 1;
	in.size = len - 1;
	for (uint32_t left = ssh_get_u32(&in); left && !in.failed && found < max; left--) {
		const uint8_t *blob = ssh_get_string(&in, &blob_len);

		if (blob && ssh_blob_get(blob, blob_len, keys[found]) == 0)
			found++;
		ssh_get_string(&in, &blob_len); /* the comment */
	}
	free(reply);
	return in.failed ? -EBADMSG : (int)found;
}

static int take_signature(const uint8_t *reply, size_t len, uint8_t signature[AUTH_SIGNATURE_SIZE])
{
	struct ssh_in in = {.data = reply + 1, .size = len - 1}, inner = {.failed = false};
	const uint8_t *at;
	size_t size;

	if (reply[0] == AGENT_FAILURE)
		return -EACCES;
	if (reply[0] != AGENT_SIGN_RESPONSE)
		return -EBADMSG;
	inner.data = ssh_get_string(&in, &inner.size);
	ssh_get_text(&inner, SSH_ED25519);
	at = ssh_get_string(&inner, &size);
	if (in.failed || in.size || inner.failed || inner.size || size != AUTH_SIGNATURE_SIZE)
		return -EBADMSG;
	memcpy(signature, at, AUTH_SIGNATURE_SIZE);
	return 0;
}

int agent_sign(
	int fd, int signal_fd, const uint8_t *data, size_t len, struct auth_response *response)
{
	uint8_t buffer[512], blob[SSH_BLOB_SIZE], *reply = NULL;
	struct ssh_out request = {.data = buffer, .room = sizeof(buffer)};
	size_t reply_len;
	int err;

	ssh_blob_put(blob, response->key);
	begin(&request, AGENT_SIGN_REQUEST);
	ssh_put_string(&request, blob, sizeof(blob));
	ssh_put_string(&request, data, len);
	ssh_put_u32(&request, 0); /* flags */
	err = ask(fd, signal_fd, &request, SIGN_MS, &reply, &reply_len);
	if (!err)
		err = take_signature(reply, reply_len, response->signature);
	free(reply);
	return err;
}
