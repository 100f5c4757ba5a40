/* SPDX-License-Identifier: Apache-2.0 */
/* Formats paths that must not be cut. */
#include "core/base/paths.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int path_format(char path[static PATH_MAX], const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(path, PATH_MAX, format, args);
	va_end(args);
	if (len >= 0 && len < PATH_MAX)
		return 0;
	path[0] = '\0';
	return -ENAMETOOLONG;
}
