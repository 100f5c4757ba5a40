/* SPDX-License-Identifier: Apache-2.0 */
/* Results of measurements on stdout, line by line. */
#ifndef HOST_USB_PRINT_H
#define HOST_USB_PRINT_H

#include "host-usb/samples.h"

#include <stdbool.h>

/* Prints and flushes. Returns 0 or a negative errno. */
int print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints a line with minimum, median and maximum, if there are samples. The unit is a million of
 * theirs, as ms of ns; digits behind the point. Returns as print(). */
int print_samples(const char *name, struct samples *samples, int digits, const char *unit);

/* At the end of a measurement: the exit status, given that printing its summary returned err, which
 * is logged. */
int print_end(int status, int err);

/* True if a line will not wait for stdout's reader. */
bool print_ready(void);

#endif
