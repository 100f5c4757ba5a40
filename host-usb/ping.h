/* SPDX-License-Identifier: Apache-2.0 */
/* bpfd-usb --ping: how long the link and bpfd take to answer, once a second, on stdout. */
#ifndef HOST_USB_PING_H
#define HOST_USB_PING_H

#include "host-usb/near.h"

#include <stdbool.h>
#include <stdint.h>

struct ping;

/* `board` is what its lines begin with, `title` says more of it once. `count` rounds, 0: without
 * end. Returns NULL when memory is short. */
struct ping *ping_new(const char *board, const char *title, uint64_t count);
void ping_free(struct ping *ping);

/* What pump_run is given in the place of stdin and stdout. */
const struct near_end *ping_near(const struct ping *ping);

/* Prints the summary, if the session was opened at all. `status` is what pump_run returned. Returns
 * the program's: 0 also for SIGINT when there were answers, as ping(8). */
int ping_end(struct ping *ping, int status);

#endif
