/* SPDX-License-Identifier: Apache-2.0 */
/* A small client of bpfd: runs a command that leads to one, sends lines, reads replies. */
#ifndef TESTS_DEMO_CLIENT_H
#define TESTS_DEMO_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct client;

/* Starts the command (a NULL-terminated argv, such as bpfd or bpfd-usb) and waits for the banner.
 * Returns NULL with errno set. */
struct client *client_open(char *const *command);

/* Sends one line, without its newline, and reads the reply, which client_next then goes through.
 * With `show`, the line and the reply's beginning are printed too. Returns 0 or a negative errno;
 * -EPIPE: the other side has ended. */
int client_command(struct client *client, bool show, const char *line);

/* The next line of the last reply's body, without newline; NULL at its end. Valid until the next
 * command. */
const char *client_next(struct client *client);

/* Sends a line, prints both sides and returns the number of the reply (a handle, 0, or a negative
 * errno), 0 if it has none; client_next then starts with the reply's first line. */
long client_call(struct client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Ends the session and returns the command's exit status, or -1 if it was killed. */
int client_close(struct client *client);

#endif
