/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of this host: found, and shown to a board that asks for one. */
#ifndef HOST_USB_IDENTITY_H
#define HOST_USB_IDENTITY_H

#include "core/link/host_session.h"

struct identity;

/* With a file, its key alone: a private one, or a public one whose private half ssh-agent has. Else
 * what there is: ~/.config/bpfd/id_ed25519, the keys of ssh-agent, ~/.ssh/id_ed25519. Nothing but
 * the file is read before a board asks. Returns 0, or a negative errno, logged. */
int identity_new(const char *file, struct identity **identity);
void identity_free(struct identity *identity);

/* The serial that the device shows, empty if it shows none, as before the call; a board that asks
 * in another name gets no answer. */
void identity_expect(struct identity *identity, const char *serial);

/* Answers a session that was asked, with the next key each time. `signal_fd` ends the waiting for
 * ssh-agent. Returns 0 with the response; -EINTR: a signal waits, call again after it was taken;
 * -ENOKEY: there is no key (any more), and why was logged. */
int identity_answer(struct identity *identity, const struct host_session *session, int signal_fd,
	struct auth_response *response);

/* Tells which key was shown last, as the board has not accepted it, and what to do. */
void identity_refused(const struct identity *identity);

#endif
