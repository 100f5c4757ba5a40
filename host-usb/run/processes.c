/* SPDX-License-Identifier: Apache-2.0 */
/* Reads about the tool's processes in /proc of the workstation. */
#include "host-usb/run/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS_MAX 256 /* tools do not start deeper process trees */

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

/* Returns the parent of a process or thread; 0 if /proc does not show it; -1: no such process. */
static pid_t parent_of(pid_t pid)
{
	char path[64], line[512], *at;
	int parent = 0, fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	line[n] = 0;
	at = strrchr(line, ')'); /* the name can contain any character */
	if (!at || sscanf(at + 1, " %*c %d", &parent) != 1)
		return 0;
	return parent;
}

/* Returns true for our descendants: the tool's own processes run on the workstation. If an ancestor
 * has exited meanwhile, its children have another parent, so the walk starts again. While a process
 * is removed, /proc shows 0 as its parent. */
static bool is_own_process(pid_t pid)
{
	pid_t at = pid, parent;

	for (int i = 0; at > 1 && i < STEPS_MAX; i++) {
		if (at == getpid())
			return true;
		parent = parent_of(at);
		if (parent <= 0 && at == pid)
			return false;
		at = parent <= 0 ? pid : parent;
	}
	return false;
}

bool process_is_board(pid_t pid)
{
	return pid > 0 && !is_own_process(pid);
}

bool process_group_is_board(pid_t group)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	bool own = false;

	while (!own && proc && (entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		own = pid > 0 && getpgid(pid) == group && is_own_process(pid);
	}
	if (proc)
		closedir(proc);
	return !own;
}

/* The command of --via is our descendant too, but does not have the tool's filter. */
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

		if (pid > 0 && !process_is_board(pid) && filters_of(pid) > own)
			kill(pid, number);
	}
	if (proc)
		closedir(proc);
}
