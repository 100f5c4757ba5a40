/* SPDX-License-Identifier: Apache-2.0 */
/* A small client of bpfd: starts it through a command, sends lines, reads replies. */
#ifndef TESTS_DEMO_CLIENT_H
#define TESTS_DEMO_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct client;

/* Starts the command, a NULL-terminated argv such as bpfd or bpfd-usb, and waits for the banner.
 * Returns the client, which client_close() frees, or NULL with errno set. */
struct client *client_open(char *const *command);

/* Sends `line`, which has no newline, and reads the reply, whose lines client_next() then returns.
 * With `show`, prints the line and the beginning of the reply. Returns 0 or a negative errno,
 * -EPIPE if the command has exited. */
int client_command(struct client *client, bool show, const char *line);

/* Returns the next line of the last reply's body, without newline, or NULL at its end. The line is
 * valid until the next command. */
const char *client_next(struct client *client);

/* Sends a line, and prints it and the reply. Returns the number in the reply: a handle, 0, or a
 * negative errno; 0 if the reply has no number. client_next() then starts with the first line. */
long client_call(struct client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Ends the session and frees the client. Returns the exit status of the command, or -1 if a signal
 * killed it. */
int client_close(struct client *client);

#endif
