/* SPDX-License-Identifier: Apache-2.0 */
/* Prints results of measurements to stdout, line by line. */
#ifndef HOST_USB_PRINT_H
#define HOST_USB_PRINT_H

#include "host-usb/samples.h"

#include <stdbool.h>

/* Prints and flushes. Returns 0 or a negative errno. */
int print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints a line with minimum, median and maximum, if there are samples. `unit` names a million
 * units of the samples, such as ms if the samples are in ns. `digits` is the number of decimals.
 * Returns 0 or a negative errno. */
int print_samples(const char *name, struct samples *samples, int digits, const char *unit);

/* Logs `err`, the result of printing the summary, if it is negative. Returns the exit status of a
 * measurement: `status`, but not 0 if the summary was not printed. */
int print_end(int status, int err);

/* True if printing a line will not wait for the reader of stdout. */
bool print_ready(void);

#endif
