/* SPDX-License-Identifier: Apache-2.0 */
/* Answers a board that asks for a key. */
#include "core/base/clock.h"
#include "host-usb/identity.h"
#include "host-usb/pump_private.h"
#include "host-usb/status.h"

#include <errno.h>

/* This may wait for ssh-agent, which may ask its user: the only wait outside pump_wait. It delays
 * nothing, because the session is not open yet. */
void pump_answer(struct pump *p)
{
	struct auth_response response;
	int err;

	do {
		err = identity_answer(
			p->options->identity, p->session, p->options->signal_fd, &response);
		p->now_ms = clock_monotonic_ms();
		if (err == -EINTR)
			pump_signals(p);
	} while (err == -EINTR && p->state == PUMP_RUNNING);
	if (err == 0)
		host_session_answer(p->session, &response, p->now_ms);
	else
		pump_close(p, STATUS_PERMISSION);
}
