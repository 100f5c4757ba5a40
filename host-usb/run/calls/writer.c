/* SPDX-License-Identifier: Apache-2.0 */
/* Writes files of the board: each write of the tool is one write there. The tool gets its error. */
#include "host-usb/run/calls/writer.h"

#include "core/base/log.h"
#include "core/messages/file_tree.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/objects.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define VECTOR_MAX 64

/* Reads as many whole lines as one write can have. Returns their size, 0 at the end of the file, or
 * a negative errno. */
static ssize_t read_lines(int fd, char data[RPC_WRITE_MAX + 1], off_t from)
{
	ssize_t n = pread(fd, data, RPC_WRITE_MAX, from);
	const char *last = n == RPC_WRITE_MAX ? memrchr(data, '\n', RPC_WRITE_MAX) : NULL;

	if (n < 0)
		return -errno;
	if (last)
		n = last + 1 - data;
	data[n] = 0;
	return n;
}

/* A shell moves the descriptor to a low number, where writes are not notified and go into the
 * memory file. When the tool has closed the file, this sends its contents to the board. */
static void write_late(struct object *object)
{
	char data[RPC_WRITE_MAX + 1];
	int64_t ret = 1;
	ssize_t n = 0;

	for (off_t at = 0; ret > 0; at += ret) {
		n = read_lines(object->fd, data, at);
		if (n <= 0)
			break;
		ret = remote_write(object->run->remote, object->path, data, (size_t)n);
	}
	if (n < 0)
		log_error("%s: %s", object->path, strerror((int)-n));
	if (ret <= 0)
		log_error("%s: the board refuses \"%.*s\": %s", object->path,
			(int)strcspn(data, "\n"), data, strerror(ret ? (int)-ret : EIO));
}

int writer_new(struct object **object, struct run *run, const char *path)
{
	int err = object_new(object, run->objects, OBJECT_WRITER, RPC_NO_HANDLE);

	if (err)
		return err;
	(*object)->path = strdup(path);
	if (!(*object)->path) {
		object_end(*object);
		return -ENOMEM;
	}
	(*object)->at_end = write_late;
	return 0;
}

int64_t writer_give(const struct call *call, const char *path, int flags)
{
	struct object *object;
	int err;

	err = remote_access(call->run->remote, path, W_OK);
	if (!err && file_tree_below(path, "/sys/fs/bpf")) /* it grants changes of names */
		err = -EACCES;
	if (err) {
		if (err == -EACCES)
			log_warning("%s: the board does not allow writing this file", path);
		return err;
	}
	if (flags & O_TRUNC) {
		/* This would remove the events of all tracers on the board. */
		log_warning("%s: not truncated: other tools may have events in it; append instead",
			path);
		return -EACCES;
	}
	err = writer_new(&object, call->run, path);
	return err ? err : object_give(object, call, flags & O_CLOEXEC);
}

static int64_t write_from(const struct call *call, const struct iovec *vector, size_t count)
{
	const struct object *object = object_of(call, (int)call->args[0], OBJECT_WRITER);
	size_t size = 0;
	int64_t ret = 0;
	char *data;

	if (!object)
		return CALL_CONTINUE;
	for (size_t i = 0; i < count; i++) {
		if (vector[i].iov_len > RPC_WRITE_MAX - size)
			return -EFBIG;
		size += vector[i].iov_len;
	}
	data = calloc(1, size + 1);
	if (!data)
		return -ENOMEM;
	size = 0;
	for (size_t i = 0; !ret && i < count; i++) {
		ret = memory_read(
			call, (uintptr_t)vector[i].iov_base, data + size, vector[i].iov_len);
		size += vector[i].iov_len;
	}
	if (!ret)
		ret = remote_write(call->run->remote, object->path, data, size);
	free(data);
	return ret;
}

/* write(fd, from, size), and pwrite64, whose offset these files ignore */
int64_t sys_write(const struct call *call)
{
	const struct iovec vector = {(void *)(uintptr_t)call->args[1], call->args[2]};

	return write_from(call, &vector, 1);
}

int64_t sys_pwrite64(const struct call *call)
{
	return sys_write(call);
}

/* writev(fd, vector, count) */
int64_t sys_writev(const struct call *call)
{
	struct iovec vector[VECTOR_MAX];
	size_t count = call->args[2];
	int err;

	if (!object_of(call, (int)call->args[0], OBJECT_WRITER))
		return CALL_CONTINUE;
	if (count > VECTOR_MAX)
		return -EINVAL;
	err = memory_read(call, call->args[1], vector, count * sizeof(vector[0]));
	return err ? err : write_from(call, vector, count);
}

/* Other calls that write a file, such as sendfile(2) and copy_file_range(2). Programs that use them
 * fall back to write(2). */
int64_t sys_write_other(const struct call *call)
{
	bool is_third = call->number == __NR_copy_file_range || call->number == __NR_splice;

	return object_of(call, (int)call->args[is_third ? 2 : 0], OBJECT_WRITER) ? -EINVAL
										 : CALL_CONTINUE;
}
