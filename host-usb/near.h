/* SPDX-License-Identifier: Apache-2.0 */
/* The near end of a session: stdin and stdout, or a measurement.
 *
 * It supplies the input of the board's process and receives its output. The pump calls it. */
#ifndef HOST_USB_NEAR_H
#define HOST_USB_NEAR_H

#include "core/link/frame.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pump;
struct tty;

struct near_end {
	void *context;	   /* the argument of each call */
	int in_fd, out_fd; /* to poll; -1: always ready */
	bool accounts;	   /* if the session is cut off, log how much of it arrived */

	/* Reads up to `room` bytes of input. Returns their number, 0 at the end of the input, or a
	 * negative errno: -EAGAIN if there is no input now. */
	ssize_t (*read)(void *context, void *data, size_t room);

	/* Takes output. Returns the number of bytes taken, or a negative errno: -EAGAIN if it can
	 * take nothing now. */
	ssize_t (*write)(void *context, const void *data, size_t len);

	/* Called after the process has ended and all its output was taken. Returns 0, or a negative
	 * errno if writing the output failed. */
	int (*finish)(void *context);

	/* These may be NULL. `opened` is called when the board has answered HELLO, `pong` when it
	 * has answered one PING or more. `tick` is called again and again. It returns the latest
	 * time for its next call, in ms, or UINT64_MAX for no limit. */
	void (*opened)(void *context, struct pump *pump, const struct hello_reply *reply);
	void (*pong)(void *context);
	uint64_t (*tick)(void *context, uint64_t now_ms);
};

/* A near end may call these functions from any of its own, after `opened`. */

/* Sends a PING. */
void pump_ping(struct pump *pump);

/* Closes the session; pump_run will return this status. No effect on a session that is already
 * closing or over. */
void pump_close(struct pump *pump, int status);

/* Logs that stdout failed with this negative errno, and closes the session. */
void pump_stdout_failed(struct pump *pump, int err);

/* The near end of stdin and stdout. `tty` is the terminal of stdin and must outlive it. Returns
 * NULL if there is no memory. */
struct near_end *near_stdio_new(const struct tty *tty);
void near_stdio_free(struct near_end *near);

#endif
