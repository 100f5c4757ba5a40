/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a readable trace of the wire: frames, claims, requests and failures, one per line.
 *
 * bpfd-usb(1) describes the format. A trace never delays or ends its session. Lines that its reader
 * does not take are dropped and counted, and after an error nothing more is written. */
#ifndef HOST_USB_TRACE_H
#define HOST_USB_TRACE_H

#include <stddef.h>
#include <stdint.h>

/* The second field of a line. */
#define TRACE_TO_BOARD	 '>'
#define TRACE_FROM_BOARD '<'
#define TRACE_HERE	 '=' /* between this program and the kernel of this machine */

struct trace;

/* Creates or empties the file; "-" is stderr. `path` must outlive the trace. Returns 0 and *trace,
 * or a negative errno. */
int trace_open(const char *path, struct trace **trace);

/* Waits up to a second for a slow reader, and logs if lines were lost. `trace` may be NULL here and
 * below, which means no trace. */
void trace_close(struct trace *trace);

/* Writes the frames of a transfer, all with the same time. */
void trace_transfer(struct trace *trace, char direction, const uint8_t *data, size_t len);

/* Writes any other event. */
void trace_event(struct trace *trace, char direction, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
