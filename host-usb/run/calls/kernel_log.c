/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's log of the board: /dev/kmsg and syslog(2).
 *
 * The tool's descriptor of /dev/kmsg is a socket from which each read(2) takes one record. It is
 * one of the descriptors whose reads are notified, so it can be filled before the kernel reads from
 * it: a tool that does not wait then finds the end of the log only where the board's log ends. */
#include "host-usb/run/calls/kernel_log.h"

#include "core/base/log.h"
#include "core/messages/rpc.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/log_text.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/objects/tool_ring.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WINDOW	    (256U << 10) /* bytes of the log in flight, a power of 2 */
#define WHOLE	    (64U << 20)	 /* more than any log: the kernel's buffer has at most 32 MiB */
#define BUFFER_MIN  (64U << 10)	 /* bytes of the kernel's buffer, as reported to the tool */
#define PRINTK_TIME "/sys/module/printk/parameters/time"

/* Actions of syslog(2). */
enum { CLOSE = 0, OPEN = 1, READ_ALL = 3, SIZE_BUFFER = 10 };

/* Starts to follow the board's log. Returns its handle or a negative errno. */
static int64_t follow(const struct run *run, uint64_t credit, enum rpc_log_start start)
{
	struct bytes_out *out;
	struct bytes_in reply;

	if (run->board.minor < RPC_MINOR_LOG)
		return run_too_old(run, KERNEL_LOG, "reading");
	out = client_begin(run->client, RPC_FILE_FOLLOW);
	rpc_put_string(out, KERNEL_LOG);
	bytes_put_u64(out, credit);
	bytes_put_u32(out, start);
	client_note(run->client, KERNEL_LOG);
	return client_call(run->client, &reply);
}

/* Makes an object that receives the log in `fd`, which it takes over. */
static int make_log(
	struct object **object, struct run *run, int fd, uint64_t credit, enum rpc_log_start start)
{
	int64_t handle = follow(run, credit, start);
	int err = handle < 0 ? (int)handle : 0;

	if (!err)
		err = object_new(object, run->objects, OBJECT_STREAM, (uint32_t)handle);
	if (err) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	err = tool_ring_open_log(*object, fd, credit);
	if (err) {
		object_end(*object);
		return err;
	}
	(*object)->path = strdup(KERNEL_LOG);
	if ((*object)->path)
		return 0;
	object_end(*object);
	return -ENOMEM;
}

int64_t kernel_log_give(const struct call *call, int flags)
{
	struct object *object;
	int ends[2], err;
	int64_t ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	if ((flags & O_NONBLOCK) && fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
		err = -errno;
		close(ends[0]);
		close(ends[1]);
		return err;
	}
	err = make_log(&object, call->run, ends[1], WINDOW, RPC_LOG_FIRST);
	if (!err) {
		err = object_stands_for(object, ends[0]);
		ret = err ? err : notify_give_fd(call, ends[0], flags & O_CLOEXEC, true);
		if (ret != CALL_ANSWERED)
			object_end(object);
	} else {
		ret = err;
	}
	close(ends[0]);
	return ret;
}

/* read(fd, to, size) and readv: the kernel then reads from the socket. */
int64_t sys_read(const struct call *call)
{
	struct object *object = object_of(call, (int)call->args[0], OBJECT_STREAM);
	int err = object ? tool_ring_fill(object) : 0;

	return err ? err : CALL_CONTINUE;
}

/* Takes all records out of the tool's end. */
static int drain(const struct call *call, int fd)
{
	char record[RPC_LOG_RECORD_MAX];
	int copy = memory_get_fd(call, fd);

	if (copy < 0)
		return copy;
	while (recv(copy, record, sizeof(record), MSG_DONTWAIT) > 0)
		;
	close(copy);
	return 0;
}

int64_t kernel_log_seek(
	const struct call *call, struct object *object, int fd, int64_t offset, int whence)
{
	enum rpc_log_start start;
	int64_t handle;
	int err;

	if (offset)
		return -ESPIPE;
	switch (whence) {
	case SEEK_SET:
		start = RPC_LOG_FIRST;
		break;
	case SEEK_DATA:
		start = RPC_LOG_CLEARED;
		break;
	case SEEK_END:
		start = RPC_LOG_END;
		break;
	default:
		return -EINVAL;
	}
	client_close_handle(call->run->client, object->handle);
	object->handle = RPC_NO_HANDLE; /* data of the old one may still arrive */
	tool_ring_restart(object);
	err = drain(call, fd);
	handle = err ? err : follow(call->run, WINDOW, start);
	if (handle < 0)
		return handle;
	object->handle = (uint32_t)handle;
	return 0;
}

/* True if the board's kernel prints times into its log. */
static bool has_times(struct remote *remote)
{
	int fd = remote_open(remote, PRINTK_TIME);
	char value = 'Y';

	if (fd < 0)
		return true;
	if (read(fd, &value, 1) < 0)
		value = 'Y';
	close(fd);
	return value != 'N';
}

/* Fetches the log as text. Returns 0, with the text, which the caller frees; or a negative errno.
 */
static int fetch_text(struct run *run, char **text, size_t *size)
{
	struct object *object;
	const char *records;
	size_t length;
	int err = make_log(&object, run, -1, WHOLE, RPC_LOG_CLEARED);

	if (err)
		return err;
	err = tool_ring_fill(object);
	if (!err) {
		records = tool_ring_kept(object, &length);
		err = log_text(records, length, has_times(run->remote), text, size);
	}
	object_end(object);
	return err;
}

/* The board does not report the size of its buffer. The tool uses the size for READ_ALL, so this is
 * a size that has room for all and for messages that follow. */
static int64_t buffer_size(size_t text)
{
	uint64_t size = BUFFER_MIN;

	while (size < 2 * (uint64_t)text)
		size *= 2;
	return size > INT_MAX ? INT_MAX : (int64_t)size;
}

/* syslog(action, to, size) */
int64_t sys_syslog(const struct call *call)
{
	int action = (int)call->args[0], room = (int)call->args[2];
	const char *rest;
	int64_t ret;
	size_t size;
	char *text;

	if (action == CLOSE || action == OPEN)
		return 0;
	if (action != READ_ALL && action != SIZE_BUFFER) {
		log_warning("syslog: action %d is not supported: the tool can only read the whole "
			    "log of the board",
			action);
		return -EPERM;
	}
	if (action == READ_ALL && (room < 0 || !call->args[1]))
		return -EINVAL;
	ret = fetch_text(call->run, &text, &size);
	if (ret)
		return ret;
	if (action == SIZE_BUFFER) {
		ret = buffer_size(size);
	} else {
		rest = log_text_end(text, &size, (size_t)room);
		ret = memory_write(call, call->args[1], rest, size);
		ret = ret ? ret : (int64_t)size;
	}
	free(text);
	return ret;
}
