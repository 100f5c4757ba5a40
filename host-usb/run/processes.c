/* SPDX-License-Identifier: Apache-2.0 */
/* The tool's processes, as the workstation's kernel tells of them. */
#include "host-usb/run/processes.h"

#include "host-usb/run/files/files.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

unsigned long long process_status(pid_t pid, const char *name, int base)
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
	return process_status(pid, "SigIgn:", 16) >> (number - 1) & 1;
}

/* The way to the board is below us as well, but not under the filter. */
static unsigned long long filters_of(pid_t pid)
{
	return process_status(pid, "Seccomp_filters:", 10);
}

void processes_kill(int number)
{
	unsigned long long own = filters_of(getpid());
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && !files_is_board_process(pid) && filters_of(pid) > own)
			kill(pid, number);
	}
	if (proc)
		closedir(proc);
}
