/* SPDX-License-Identifier: Apache-2.0 */
/* The near end of a session: what gives the board's process its input and takes its output. That is
 * stdin and stdout, or a measurement in their place. The pump drives it. */
#ifndef HOST_USB_NEAR_H
#define HOST_USB_NEAR_H

#include "core/link/frame.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pump;
struct tty;

struct near_end {
	void *context;	   /* given to each call */
	int in_fd, out_fd; /* to poll; -1: need not be waited for */
	bool accounts;	   /* when a session is cut off, its user must know what of it arrived */

	/* Gives up to `room` bytes of input. Returns their number, 0 at the end of the input, or a
	 * negative errno: -EAGAIN when there is none now. */
	ssize_t (*read)(void *context, void *data, size_t room);

	/* Takes output. Returns how much of it, or a negative errno: -EAGAIN for nothing now. */
	ssize_t (*write)(void *context, const void *data, size_t len);

	/* The process has ended and all its output was taken. Returns 0, or what went wrong with
	 * it. */
	int (*finish)(void *context);

	/* These may be NULL. The board answered HELLO; it answered one PING or more; time goes by:
	 * returns when it is to be called next at the latest, in ms, UINT64_MAX for never. */
	void (*opened)(void *context, struct pump *pump, const struct hello_reply *reply);
	void (*pong)(void *context);
	uint64_t (*tick)(void *context, uint64_t now_ms);
};

/* What a near end may ask of the pump, from opened on, in any of these calls. */

/* Sends a PING. */
void pump_ping(struct pump *pump);

/* Closes the session; pump_run will return this status. No effect on a session that is already
 * closing or over. */
void pump_close(struct pump *pump, int status);

/* stdout failed with this errno: tells it and closes the session. */
void pump_stdout_failed(struct pump *pump, int err);

/* stdin and stdout; `tty` is that of stdin. Returns NULL when memory is short. */
struct near_end *near_stdio_new(const struct tty *tty);
void near_stdio_free(struct near_end *near);

#endif
