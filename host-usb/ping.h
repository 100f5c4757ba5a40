/* SPDX-License-Identifier: Apache-2.0 */
/* bpfd-usb --ping: measures round trips of the link and of bpfd once a second. */
#ifndef HOST_USB_PING_H
#define HOST_USB_PING_H

#include "host-usb/near.h"

#include <stdbool.h>
#include <stdint.h>

struct ping;

/* Each line begins with `board`; `title` describes the board in the first line. Both must outlive
 * the ping. `count` is the number of rounds, 0 for no limit. Returns NULL if there is no memory. */
struct ping *ping_new(const char *board, const char *title, uint64_t count);
void ping_free(struct ping *ping);

/* The near end for pump_run, instead of stdin and stdout. */
const struct near_end *ping_near(const struct ping *ping);

/* Prints the summary if the session was opened. `status` is the result of pump_run. Returns the
 * status of the program: like ping(8), 0 also for SIGINT after the first answer. */
int ping_end(struct ping *ping, int status);

#endif
