/* SPDX-License-Identifier: Apache-2.0 */
/* Asks ssh-agent(1) for keys and signatures. */
#ifndef HOST_USB_AGENT_H
#define HOST_USB_AGENT_H

#include "core/link/frame.h"

#include <stddef.h>
#include <stdint.h>

#define AGENT_KEYS_MAX 64

/* Connects to the socket. Calls wait a bounded time, and return -EINTR when `signal_fd` (-1: none)
 * becomes readable. Returns a descriptor or a negative errno. */
int agent_open(const char *path);

/* Lists its Ed25519 keys, at most `max`. Returns their number or a negative errno. */
int agent_list(int fd, int signal_fd, uint8_t (*keys)[AUTH_KEY_SIZE], size_t max);

/* Has it sign `data` as it is, with the key of the response; its user may have to agree first.
 * Returns 0, -EACCES if it refuses, or another negative errno. */
int agent_sign(
	int fd, int signal_fd, const uint8_t *data, size_t len, struct auth_response *response);

#endif
