/* SPDX-License-Identifier: Apache-2.0 */
/* Prints to stdout, and hears of its failure at once. */
#include "host-usb/print.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

int print(const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vprintf(format, ap);
	va_end(ap);
	return n < 0 || fflush(stdout) != 0 ? -errno : 0;
}

bool print_ready(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) != 0;
}
