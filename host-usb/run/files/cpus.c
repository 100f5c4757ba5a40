/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the list of the board's possible CPUs.
 *
 * The number of CPUs in HELLO decides how many bytes we write into the tool for a value of a
 * per-CPU map. A tool that read a list of fewer CPUs would have a smaller buffer. */
#include "host-usb/run/files/cpus.h"

#include "core/base/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CPU_LIST_MAX 4096    /* bytes */
#define NUMBER_MAX   1000000 /* far more CPUs than Linux supports */

static bool take_number(const char **at, unsigned long *number)
{
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;
	*number = strtoul(*at, &end, 10);
	*at = end;
	return *number < NUMBER_MAX;
}

/* Returns the number of CPUs in a list such as "0,2-3\n". A list that the kernel would not write
 * counts as 0, because tools differ in how they read it. */
static uint32_t count(const char *list)
{
	unsigned long first, last, next = 0;
	uint32_t n = 0;

	do {
		if (n)
			list++; /* the comma */
		if (!take_number(&list, &first) || first < next)
			return 0;
		last = first;
		if (*list == '-') {
			list++;
			if (!take_number(&list, &last) || last <= first)
				return 0;
		}
		n += (uint32_t)(last - first + 1);
		next = last + 1;
	} while (*list == ',');
	return strcmp(list, "\n") == 0 ? n : 0;
}

static bool is_list_of(int fd, uint32_t possible)
{
	char list[CPU_LIST_MAX];
	ssize_t n = pread(fd, list, sizeof(list) - 1, 0);

	if (n <= 0 || !possible)
		return false;
	list[n] = 0;
	return strlen(list) == (size_t)n && count(list) == possible;
}

static int make_list(uint32_t possible)
{
	int fd = memfd_create("bpfd:file", MFD_CLOEXEC), n;

	if (fd < 0)
		return -errno;
	n = possible > 1 ? dprintf(fd, "0-%u\n", possible - 1) : dprintf(fd, "0\n");
	if (n < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		n = -errno;
		close(fd);
		return n;
	}
	return fd;
}

int cpus_open(int fd, uint32_t possible)
{
	if (fd >= 0 && is_list_of(fd, possible))
		return fd;
	if (fd >= 0) {
		log_warning(
			"%s: does not list the %u CPUs that the board announced; using that number",
			CPUS_POSSIBLE, possible);
		close(fd);
	}
	return make_list(possible);
}
