/* SPDX-License-Identifier: Apache-2.0 */
/* Decides who may open a session and what it may do: a gate of board_session.h. */
#ifndef GADGET_ADMISSION_H
#define GADGET_ADMISSION_H

#include "core/link/board_session.h"

#include <sys/stat.h>
#include <sys/types.h>

/* The part that all lanes share. */
struct admission {
	const char *path; /* the list of keys */
	bool required;	  /* a host must prove a key even if there is no list */
	bool *seen;	  /* a list has existed; shared by all processes of the daemon */
	bool read_only;	  /* all sessions are read-only */
	const char *serial;
	/* The command of a session, and that of a read-only session; NULL ends each. */
	char *const *command, *const *read_only_command;
	struct timespec logged_change; /* change time of the list whose faults are logged */

	/* getrandom(2), except in tests. */
	ssize_t (*random)(void *data, size_t size, unsigned int flags);
};

/* The part of one lane. */
struct admission_lane {
	struct admission *admission;
	struct board_gate gate; /* for the lane's board session */
	bool read_only;		/* the admitted session is read-only */

	/* Keys that were refused in a row, when the last one was, and how long the lane waits. */
	unsigned int refused;
	uint64_t refused_ms, wait_ms;
};

/* Reads the list at the start of the daemon, before it forks, and logs who may connect. Returns 0,
 * or a negative errno, logged: -ENOENT or -ENOKEY if a key is required and there is none. */
int admission_start(struct admission *admission);

/* Prepares *lane, which must not move afterwards: its gate points to it. */
void admission_lane_init(struct admission_lane *lane, struct admission *admission, uint8_t number);

/* The command for the session that was just admitted. */
char *const *admission_command(const struct admission_lane *lane);

#endif
