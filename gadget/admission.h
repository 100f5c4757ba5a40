/* SPDX-License-Identifier: Apache-2.0 */
/* Who may open a session, and what it may do: the policy behind the gate of board_session.h. */
#ifndef GADGET_ADMISSION_H
#define GADGET_ADMISSION_H

#include "core/link/board_session.h"

#include <sys/stat.h>
#include <sys/types.h>

/* What holds for all lanes. */
struct admission {
	const char *path; /* the list of keys */
	bool required;	  /* a host has to show a key, whether there is a list or not */
	bool *seen;	  /* a list was there; of all processes of the daemon together */
	bool read_only;	  /* all sessions */
	const char *serial;
	/* The command behind a session, NULL at its end; and one that may not change anything. */
	char *const *command, *const *read_only_command;
	struct timespec
		logged_change; /* when the list was changed last: its faults are told once */

	/* getrandom(2), but for tests. */
	ssize_t (*random)(void *data, size_t size, unsigned int flags);
};

/* What a lane's sessions have of it. */
struct admission_lane {
	struct admission *admission;
	struct board_gate gate; /* for the configuration of its session */
	bool read_only;		/* the session may not change anything */
};

/* Looks at the list when the daemon starts, before it forks, and tells who may connect. Returns 0,
 * or a negative errno, having logged the cause, if a key is required and there is none. */
int admission_start(struct admission *admission);

/* Prepares a lane, which must not move any more. */
void admission_lane_init(struct admission_lane *lane, struct admission *admission, uint8_t number);

/* The command for the session that was just admitted. */
char *const *admission_command(const struct admission_lane *lane);

#endif
