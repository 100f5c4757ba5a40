/* SPDX-License-Identifier: Apache-2.0 */
/* Results of measurements on stdout, line by line. */
#ifndef HOST_USB_PRINT_H
#define HOST_USB_PRINT_H

#include <stdbool.h>

/* Prints and flushes. Returns 0 or a negative errno. */
int print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* True if a line will not wait for stdout's reader. */
bool print_ready(void);

#endif
