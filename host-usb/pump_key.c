/* SPDX-License-Identifier: Apache-2.0 */
/* Shows keys to a board that asks for them. */
#include "core/base/clock.h"
#include "host-usb/identity.h"
#include "host-usb/pump_private.h"
#include "host-usb/status.h"

#include <errno.h>

/* Waiting for ssh-agent, which may ask its user, is the one wait that is not in pump_wait: before a
 * session is open there is nothing else to do. */
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
