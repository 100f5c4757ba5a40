/* SPDX-License-Identifier: Apache-2.0 */
/* A readable record of the wire: frames both ways, claims and requests, failures; one a line. The
 * format is in bpfd-usb(1). A trace never holds or ends the session that it tells of: what its
 * reader does not take is counted, and after an error nothing more is written. */
#ifndef HOST_USB_TRACE_H
#define HOST_USB_TRACE_H

#include <stddef.h>
#include <stdint.h>

/* The second field of a line. */
#define TRACE_TO_BOARD	 '>'
#define TRACE_FROM_BOARD '<'
#define TRACE_HERE	 '=' /* between this program and its kernel */

struct trace;

/* Makes or empties the file; "-" is stderr. Returns 0 and *trace, or a negative errno. */
int trace_open(const char *path, struct trace **trace);

/* Waits a moment for a slow reader, and tells what was lost. NULL is fine here, and means no trace
 * in the calls below, which then cost a comparison. */
void trace_close(struct trace *trace);

/* The frames of a transfer, all with the same time. */
void trace_transfer(struct trace *trace, char direction, const uint8_t *data, size_t len);

/* Anything else. */
void trace_event(struct trace *trace, char direction, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
