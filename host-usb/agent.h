/* SPDX-License-Identifier: Apache-2.0 */
/* Asks ssh-agent(1) for keys and signatures. */
#ifndef HOST_USB_AGENT_H
#define HOST_USB_AGENT_H

#include "core/link/frame.h"

#include <stddef.h>
#include <stdint.h>

#define AGENT_KEYS_MAX 64

/* Connects to the socket. Returns a descriptor, which the caller closes, or a negative errno. */
int agent_open(const char *path);

/* The following functions wait a bounded time for the agent. They return -ETIMEDOUT after that, and
 * -EINTR if `signal_fd` (-1: none) becomes readable. */

/* Lists the Ed25519 keys of the agent, at most `max`. Returns their number or a negative errno. */
int agent_list(int fd, int signal_fd, uint8_t (*keys)[AUTH_KEY_SIZE], size_t max);

/* Signs `data` unchanged with the key in *response, and puts the signature there. The agent may ask
 * its user first. Returns 0, -EACCES if the agent refuses, or another negative errno. */
int agent_sign(
	int fd, int signal_fd, const uint8_t *data, size_t len, struct auth_response *response);

#endif
