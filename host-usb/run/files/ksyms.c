/* SPDX-License-Identifier: Apache-2.0 */
/* Adds the tool's own programs to the list of kernel symbols.
 *
 * The cached kallsyms lasts for a boot of the board, but programs come and go. Without its entry, a
 * stack that starts in a program would show the name of an unrelated symbol below it. */
#include "host-usb/run/files/ksyms.h"

#include "host-usb/run/calls/bpf_info.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define FUNCTIONS_MAX 256 /* functions of a program; the kernel's limit */

static struct object *next_program(const struct run *run, const struct object *after)
{
	struct object *object = object_next(run->objects, after);

	while (object && object->class != BPF_ABI_PROG)
		object = object_next(run->objects, object);
	return object;
}

static int copy_all(int to, int from)
{
	struct stat st;
	off_t at = 0;

	if (fstat(from, &st) < 0)
		return -errno;
	while (at < st.st_size) {
		ssize_t n = sendfile(to, from, &at, (size_t)(st.st_size - at));

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
	}
	return 0;
}

/* The kernel names a program by tag and name. Functions that it calls have tags of their own, which
 * we do not know; tools do not look for them. */
static void write_program(int fd, struct object *program)
{
	uint64_t addresses[FUNCTIONS_MAX];
	char tag[2 * BPF_TAG_SIZE + 1] = "";
	struct bpf_prog_info info;
	int64_t n = bpf_info_program(program, &info, addresses, FUNCTIONS_MAX);

	for (size_t i = 0; n > 0 && i < BPF_TAG_SIZE; i++)
		snprintf(tag + 2 * i, 3, "%02x", info.tag[i]);
	for (int64_t i = 0; i < n; i++)
		if (addresses[i])
			dprintf(fd, "%016llx t bpf_prog_%s%s%.*s\t[bpf]\n",
				(unsigned long long)addresses[i], tag, i || info.name[0] ? "_" : "",
				(int)sizeof(info.name), i ? "F" : info.name);
}

int ksyms_open(struct run *run, int fd)
{
	struct object *program = next_program(run, NULL);
	int copy, err;

	if (!program) {
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		return copy < 0 ? -errno : copy;
	}
	copy = memfd_create("bpfd:kallsyms", MFD_CLOEXEC);
	if (copy < 0)
		return -errno;
	err = copy_all(copy, fd);
	if (err) {
		close(copy);
		return err;
	}
	for (; program; program = next_program(run, program))
		write_program(copy, program);
	return copy;
}
