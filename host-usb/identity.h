/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the keys of this host and answers a board that asks for one. */
#ifndef HOST_USB_IDENTITY_H
#define HOST_USB_IDENTITY_H

#include "core/link/host_session.h"

struct identity;

/* With a `file`, uses only its key: a private key, or a public key whose private half ssh-agent
 * has. Without it, uses ~/.config/bpfd/id_ed25519, the keys of ssh-agent, and ~/.ssh/id_ed25519,
 * which are not read before a board asks. `file` must outlive the identity. Returns 0 and
 * *identity, or a negative errno after logging the cause. */
int identity_new(const char *file, struct identity **identity);
void identity_free(struct identity *identity);

/* Sets the serial number of the device, empty (the default) if it has none. A board that asks with
 * another serial number receives no answer. */
void identity_expect(struct identity *identity, const char *serial);

/* Answers the challenge of the session, each time with the next key. Returns 0 and *response.
 * Returns -EINTR if `signal_fd` became readable while ssh-agent worked: handle the signal and call
 * again. Returns -ENOKEY after logging the cause if there is no further key. */
int identity_answer(struct identity *identity, const struct host_session *session, int signal_fd,
	struct auth_response *response);

/* Logs that the board did not accept the last key, and what to do. */
void identity_refused(const struct identity *identity);

#endif
