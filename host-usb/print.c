/* SPDX-License-Identifier: Apache-2.0 */
/* Prints to stdout and flushes, so that a failure shows at once. */
#include "host-usb/print.h"

#include "core/base/log.h"
#include "host-usb/status.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
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

int print_samples(const char *name, struct samples *samples, int digits, const char *unit)
{
	if (samples->count == 0)
		return 0;
	return print("%s min/median/max = %.*f/%.*f/%.*f %s\n", name, digits,
		(double)samples->min / 1e6, digits, (double)samples_median(samples) / 1e6, digits,
		(double)samples->max / 1e6, unit);
}

int print_end(int status, int err)
{
	if (err < 0)
		log_error("stdout: %s", strerror(-err));
	return err < 0 && status == 0 ? STATUS_LOST : status;
}

bool print_ready(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) != 0;
}
