/* SPDX-License-Identifier: Apache-2.0 */
/* The tool's processes, as the workstation's kernel tells of them. */
#include "host-usb/run/processes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number of /proc/PID/status, 0 if it has none of that name. */
static unsigned long long status_of(pid_t pid, const char *name, int base)
{
	size_t length = strlen(name);
	unsigned long long value = 0;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, length) != 0)
			continue;
		value = strtoull(line + length, NULL, base);
		break;
	}
	fclose(file);
	return value;
}

bool process_ignores(pid_t pid, int number)
{
	return status_of(pid, "SigIgn:", 16) >> (number - 1) & 1;
}
