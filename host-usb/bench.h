/* SPDX-License-Identifier: Apache-2.0 */
/* bpfd-usb --bench: how fast a session moves bytes each way, on stdout. It needs nothing of the
 * board but its bpfd, and adds nothing to the protocols: lines of blanks, which bpfd reads and
 * passes over, go to the board; the value of a map, as base64, comes from it. */
#ifndef HOST_USB_BENCH_H
#define HOST_USB_BENCH_H

#include "host-usb/lane.h"
#include "host-usb/near.h"

struct bench;

/* `title` names the board. The lane is asked for its counts only; `transfer` is the size of its
 * buffers. Returns NULL when memory is short. */
struct bench *bench_new(const char *title, const struct usb_lane *lane, size_t transfer);
void bench_free(struct bench *bench);

/* What pump_run is given in the place of stdin and stdout. */
const struct near_end *bench_near(const struct bench *bench);

/* Prints the medians of what was measured. `status` is what pump_run returned; returns the
 * program's. */
int bench_end(struct bench *bench, int status);

#endif
