/* SPDX-License-Identifier: Apache-2.0 */
/* perf_event_open(2), and ioctl(2) of perf events. */
#include "core/base/log.h"
#include "core/messages/bpf_abi.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/process.h"
#include "host-usb/run/calls/usdt.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/open.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/mirror.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <string.h>
#include <unistd.h>

#define ATTR_SIZE_AT   offsetof(struct perf_event_attr, size)
#define IOCTL_DATA_MAX (64U << 10)

/* The upper half of a uprobe's config is the file offset of a USDT probe's semaphore. Kernels that
 * support it (Linux 4.20) have this file. */
#define SEMAPHORE_SHIFT	 32
#define SEMAPHORE_FORMAT "/sys/bus/event_source/devices/uprobe/format/ref_ctr_offset"

/* Bytes of struct perf_event_query_bpf before its array of ids. */
#define QUERY_HEADER (2 * sizeof(uint32_t))

static int read_attr(const struct call *call, uint64_t from, char *attr, uint32_t *size)
{
	int err = memory_read(call, from + ATTR_SIZE_AT, size, sizeof(*size));

	if (err)
		return err;
	if (*size == 0)
		*size = PERF_ATTR_SIZE_VER0;
	if (*size < PERF_ATTR_SIZE_VER0 || *size > RPC_ATTR_MAX)
		return -E2BIG;
	err = memory_read(call, from, attr, *size);
	memcpy(attr + ATTR_SIZE_AT, size, sizeof(*size));
	return err;
}

/* For kprobes and uprobes config1 points to a name. Reads the name and clears config1. Returns 1 if
 * there is a name, 0 if not, or a negative errno. */
static int take_name(
	const struct call *call, struct perf_event_attr *attr, char name[PATH_MAX], bool *is_path)
{
	const struct rpc_hello *board = &call->run->board;
	uint64_t from = attr->config1;
	ssize_t n;

	*is_path = attr->type == board->uprobe_type;
	if (attr->type < PERF_TYPE_MAX || !from ||
		(attr->type != board->kprobe_type && attr->type != board->uprobe_type))
		return 0;
	attr->config1 = 0;
	n = memory_read_string(call, from, name, PATH_MAX);
	return n < 0 ? (int)n : 1;
}

/* Adds the offset of the semaphore to the uprobe of a USDT probe, so that the board's kernel
 * increments the semaphore. `name` is the path of the program as the tool knows it. */
static int add_semaphore(const struct call *call, const char *name, struct perf_event_attr *attr)
{
	struct run *run = call->run;
	uint64_t semaphore = 0;
	int fd, found;

	if (!run->semaphores || attr->config >> SEMAPHORE_SHIFT)
		return 0;
	fd = open_program(run->opener, name);
	found = fd < 0 ? 0 : usdt_semaphore(fd, attr->config2, &semaphore);
	if (fd >= 0)
		close(fd);
	if (found <= 0)
		return 0;
	if (semaphore > UINT32_MAX || remote_access(run->remote, SEMAPHORE_FORMAT, F_OK)) {
		run_unsupported(call, "the semaphore of a USDT probe; the board needs Linux 4.20");
		return -EOPNOTSUPP;
	}
	attr->config |= semaphore << SEMAPHORE_SHIFT;
	return 0;
}

/* Checks whose events the tool wants to count. The board's kernel can count those of its own
 * processes, but not those of the tool's, which are here. Tools check whether an event is supported
 * with a disabled one of their own: the board may open that, but it cannot be enabled. */
static int check_target(const struct call *call, const struct perf_event_attr *attr)
{
	int pid = (int)call->args[1];

	if (call->args[4] & PERF_FLAG_PID_CGROUP) {
		run_unsupported(call, "events of a control group");
		return -EOPNOTSUPP;
	}
	if (pid < 0 || (pid > 0 && process_of_board(call, pid)))
		return 0;
	if (pid == 0 && attr->disabled && !attr->enable_on_exec)
		return 0;
	log_warning("process %d: it runs on this workstation, so the board's kernel cannot count "
		    "its events; choose a process of the board, or all",
		pid ? pid : (int)call->tid);
	return -ESRCH;
}

static int64_t give(const struct call *call, uint32_t handle, const struct perf_event_attr *attr,
	struct object *leader)
{
	struct object *object;
	int err = object_new(&object, call->run->objects, BPF_ABI_EVENT, handle);

	if (err)
		return err;
	object->format = record_format_of(attr);
	/* The records go to the leader's ring. */
	if (leader && (call->args[4] & PERF_FLAG_FD_OUTPUT))
		record_format_share(&leader->format, &object->format);
	object->of_tool = (int)call->args[1] == 0;
	mirrors_sync_at_end(object);
	return object_give(object, call, call->args[4] & PERF_FLAG_FD_CLOEXEC);
}

/* perf_event_open(attr, pid, cpu, group_fd, flags) */
int64_t sys_perf_event_open(const struct call *call)
{
	struct client *client = call->run->client;
	int pid = (int)call->args[1], cpu = (int)call->args[2], group = (int)call->args[3];
	union {
		struct perf_event_attr attr;
		char bytes[RPC_ATTR_MAX];
	} u = {.bytes = {0}};
	char name[PATH_MAX] = "";
	const char *board_name = name;
	struct object *leader = NULL;
	struct bytes_in reply;
	struct bytes_out *out;
	int has_name, err;
	bool is_path;
	uint32_t size;
	int64_t ret;

	err = read_attr(call, call->args[0], u.bytes, &size);
	if (!err)
		err = check_target(call, &u.attr);
	if (err)
		return err;
	has_name = take_name(call, &u.attr, name, &is_path);
	if (has_name < 0)
		return has_name;
	if (group >= 0) {
		leader = object_of(call, group, BPF_ABI_EVENT);
		if (!leader)
			return -EBADF;
	}
	if (has_name && is_path) {
		err = open_board_path(call, name, &board_name);
		if (!err)
			err = add_semaphore(call, name, &u.attr);
		if (err)
			return err;
	}
	out = client_begin(client, RPC_PERF_OPEN);
	rpc_put_bytes(out, u.bytes, size);
	bytes_put_u32(out, (uint32_t)pid);
	bytes_put_u32(out, (uint32_t)cpu);
	bytes_put_u32(out, leader ? leader->handle : RPC_NO_HANDLE);
	bytes_put_u64(out, call->args[4]);
	bytes_put_u8(out, (uint8_t)has_name);
	rpc_put_string(out, board_name);
	client_note(client, "type %u, config %llu, pid %d, cpu %d%s%s", u.attr.type,
		(unsigned long long)u.attr.config, pid, cpu, has_name ? ", " : "", board_name);
	ret = client_call(client, &reply);
	return ret < 0 ? ret : give(call, (uint32_t)ret, &u.attr, leader);
}

/* The data of an ioctl. */
struct ioctl_request {
	uint64_t arg;
	struct object *other; /* the object that the argument names, or NULL */
	size_t in, out;	      /* bytes that the kernel reads from and writes to the tool's buffer */
	char data[IOCTL_DATA_MAX];
};

static int take_fd(const struct call *call, unsigned int classes, struct ioctl_request *request)
{
	request->other = object_of(call, (int)call->args[2], classes);
	if (!request->other)
		return -EBADF;
	request->arg = request->other->handle;
	return 0;
}

/* -1 takes the ring of another event away from this one. */
static int take_output(const struct call *call, struct ioctl_request *request)
{
	request->arg = UINT64_MAX;
	return (int)call->args[2] == -1 ? 0 : take_fd(call, BPF_ABI_EVENT, request);
}

static int take_data(const struct call *call, size_t in, size_t out, struct ioctl_request *request)
{
	request->in = in;
	request->out = out;
	return memory_read(call, call->args[2], request->data, in);
}

static int take_query(const struct call *call, struct ioctl_request *request)
{
	uint32_t count;
	int err = memory_read(call, call->args[2], &count, sizeof(count));

	if (err)
		return err;
	if (count > (IOCTL_DATA_MAX - QUERY_HEADER) / sizeof(uint32_t))
		return -E2BIG;
	return take_data(call, QUERY_HEADER, QUERY_HEADER + count * sizeof(uint32_t), request);
}

static int take_request(const struct call *call, struct ioctl_request *request)
{
	ssize_t n;

	request->arg = call->args[2];
	request->other = NULL;
	request->in = request->out = 0;
	switch ((uint32_t)call->args[1]) {
	case PERF_EVENT_IOC_ENABLE:
	case PERF_EVENT_IOC_DISABLE:
	case PERF_EVENT_IOC_REFRESH:
	case PERF_EVENT_IOC_RESET:
	case PERF_EVENT_IOC_PAUSE_OUTPUT:
		return 0;
	case PERF_EVENT_IOC_SET_BPF:
		return take_fd(call, BPF_ABI_PROG, request);
	case PERF_EVENT_IOC_SET_OUTPUT:
		return take_output(call, request);
	case PERF_EVENT_IOC_PERIOD:
		return take_data(call, sizeof(uint64_t), 0, request);
	case PERF_EVENT_IOC_ID:
		return take_data(call, 0, sizeof(uint64_t), request);
	case PERF_EVENT_IOC_QUERY_BPF:
		return take_query(call, request);
	case PERF_EVENT_IOC_SET_FILTER:
		n = memory_read_string(call, call->args[2], request->data, RPC_FILTER_MAX);
		request->in = n < 0 ? 0 : (size_t)n;
		return n < 0 ? (int)n : 0;
	default:
		run_unsupported(call, "this request for a perf event");
		return -ENOTTY;
	}
}

/* Both enable an event. */
static bool is_enabling(const struct call *call)
{
	uint32_t request = (uint32_t)call->args[1];

	return request == PERF_EVENT_IOC_ENABLE || request == PERF_EVENT_IOC_REFRESH;
}

/* ioctl(fd, request, arg) of an event */
int64_t sys_perf_ioctl(const struct call *call)
{
	struct client *client = call->run->client;
	struct object *object = object_of(call, (int)call->args[0], BPF_ABI_EVENT);
	struct ioctl_request request;
	struct bytes_in reply;
	struct bytes_out *out;
	const void *data;
	size_t size;
	int64_t ret;

	if (!object)
		return CALL_CONTINUE;
	if (object->of_tool && is_enabling(call)) {
		run_unsupported(call, "events of the tool itself, which runs on this workstation");
		return -EOPNOTSUPP;
	}
	ret = take_request(call, &request);
	if (ret)
		return ret;
	/* SET_OUTPUT: records of this event go to the ring of the other one from now on. */
	if (request.other && request.other->class == BPF_ABI_EVENT)
		record_format_share(&request.other->format, &object->format);
	out = client_begin(client, RPC_PERF_IOCTL);
	bytes_put_u32(out, object->handle);
	bytes_put_u32(out, (uint32_t)call->args[1]);
	bytes_put_u64(out, request.arg);
	rpc_put_bytes(out, request.data, request.in);
	client_note(client, "%u request 0x%x, %lld", object->handle, (unsigned int)call->args[1],
		(long long)request.arg);
	ret = client_call(client, &reply);
	if (ret < 0 || !request.out)
		return ret;
	data = rpc_get_bytes(&reply, &size);
	if (!data || size > request.out)
		return -EIO;
	return memory_write(call, call->args[2], data, size);
}
