/* SPDX-License-Identifier: Apache-2.0 */
/* bpfd-usb --bench: measures the throughput of a session in both directions.
 *
 * The board needs only bpfd, and the protocols need no addition. Lines of blanks, which bpfd reads
 * and ignores, go to the board; the value of a map in base64 comes back. */
#ifndef HOST_USB_BENCH_H
#define HOST_USB_BENCH_H

#include "host-usb/lane.h"
#include "host-usb/near.h"

struct bench;

/* `title` names the board and must outlive the bench. Only the counts of `lane` are read.
 * `transfer` is the size of its buffers in bytes. Returns NULL if there is no memory. */
struct bench *bench_new(const char *title, const struct usb_lane *lane, size_t transfer);
void bench_free(struct bench *bench);

/* The near end for pump_run, instead of stdin and stdout. */
const struct near_end *bench_near(const struct bench *bench);

/* Prints minimum, median and maximum of each direction. `status` is the result of pump_run. Returns
 * the status of the program. */
int bench_end(struct bench *bench, int status);

#endif
