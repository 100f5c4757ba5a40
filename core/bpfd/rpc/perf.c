/* SPDX-License-Identifier: Apache-2.0 */
/* The operations PERF_OPEN and PERF_IOCTL: perf_event_open(2) and ioctls of its events. */
#include "core/bpfd/bpf/cpu_watch.h"
#include "core/bpfd/bpf/fd_object.h"
#include "core/bpfd/bpf/probe.h"
#include "core/bpfd/files/file.h"
#include "core/bpfd/rpc/operation.h"
#include "core/messages/bpf_abi.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EVENT_NAME_MAX 4096 /* bytes of a function or a file, with the NUL */
#define PROGRAMS_MAX   64   /* on one event, as in the kernel */
#define IDS_MAX	       ((2 + PROGRAMS_MAX) * sizeof(uint32_t)) /* struct perf_event_query_bpf */

/* The flag sigtrap of struct perf_event_attr (Linux 5.13): it sends signals to the caller, which is
 * this process. Bit fields start at either end. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define SIGTRAP_BIT 26
#else
#define SIGTRAP_BIT 37
#endif

/* Offsets of fields by their neighbours, because older headers lack some. */
#define AT_SIZE	   offsetof(struct perf_event_attr, size)
#define AT_FLAGS   (offsetof(struct perf_event_attr, read_format) + sizeof(uint64_t))
#define AT_CONFIG1 offsetof(struct perf_event_attr, bp_addr)

struct open_request {
	uint64_t attr[RPC_ATTR_MAX / sizeof(uint64_t)];
	size_t attr_size;
	int pid, cpu, group_fd;
	uint64_t flags;
	bool has_name;
	char name[EVENT_NAME_MAX];
};

static uint64_t get64(const struct open_request *request, size_t offset)
{
	return bpf_abi_get64(request->attr, request->attr_size, offset);
}

static int read_open(struct rpc *rpc, struct bytes_in *in, struct open_request *request)
{
	const void *attr = rpc_get_bytes(in, &request->attr_size);
	uint32_t group;

	request->pid = (int)bytes_get_u32(in);
	request->cpu = (int)bytes_get_u32(in);
	group = bytes_get_u32(in);
	request->flags = bytes_get_u64(in);
	request->has_name = bytes_get_u8(in);
	rpc_get_string(in, request->name, sizeof(request->name));
	if (!bytes_get_end(in) || (!request->has_name && *request->name))
		return -EBADMSG;
	if (request->attr_size > RPC_ATTR_MAX)
		return -E2BIG;
	if (request->attr_size < PERF_ATTR_SIZE_VER0)
		return -EINVAL;
	memcpy(request->attr, attr, request->attr_size);
	request->group_fd = group == RPC_NO_HANDLE
				    ? -1
				    : handle_abi_fd(rpc->bpfd->handles, group, BPF_ABI_EVENT);
	return group != RPC_NO_HANDLE && request->group_fd < 0 ? -EBADF : 0;
}

/* Returns 1 if the event is a probe PMU's, whose config1 is a pointer; 0 if not; a negative errno
 * if sysfs cannot be read, so that any PMU could be a probe PMU. */
static int is_probe(const struct paths *paths, uint32_t type)
{
	int kprobe = file_pmu_type(paths, "kprobe"), uprobe = file_pmu_type(paths, "uprobe");
	int software = file_pmu_type(paths, "software");

	if (type < PERF_TYPE_MAX)
		return false;
	if ((int)type == kprobe || (int)type == uprobe)
		return true;
	if (kprobe < 0 && kprobe != -ENOENT)
		return kprobe;
	if (uprobe < 0 && uprobe != -ENOENT)
		return uprobe;
	return software < 0 ? software : false;
}

static int check_open(const struct paths *paths, struct open_request *request)
{
	uint32_t type = bpf_abi_get32(request->attr, request->attr_size, 0);
	uint32_t size = (uint32_t)request->attr_size;
	uint64_t name = request->has_name ? (uintptr_t)request->name : 0;
	int probe = is_probe(paths, type);

	if (probe < 0)
		return probe;
	if (request->flags & PERF_FLAG_PID_CGROUP || get64(request, AT_FLAGS) >> SIGTRAP_BIT & 1)
		return -EINVAL;
	if (!probe && request->has_name)
		return -EINVAL;
	if (probe && AT_CONFIG1 + sizeof(name) > request->attr_size)
		return -EINVAL;
	if (probe)
		bpf_abi_set64(request->attr, request->attr_size, AT_CONFIG1, name);
	bpf_abi_set32(request->attr, request->attr_size, AT_SIZE, size);
	request->flags |= PERF_FLAG_FD_CLOEXEC;
	return 0;
}

static int open_event(struct bpfd *bpfd, const struct open_request *request)
{
	struct fd_object *object;
	int err, number;
	long fd;

	err = fd_object_reserve(&object, 0, &bpfd->memory);
	if (err)
		return err;
	fd = syscall(SYS_perf_event_open, request->attr, request->pid, request->cpu,
		request->group_fd, (unsigned long)request->flags);
	if (fd < 0) {
		err = -errno;
		fd_object_free(object);
		return err;
	}
	fd_object_adopt(object, (int)fd);
	number = handle_add(bpfd->handles, &event_class, object, (int)fd);
	if (number < 0)
		fd_object_free(object);
	return number;
}

/* Programs of probes and tracepoints run on all CPUs, also if the event's own CPU is offline. */
static void note_event(struct bpfd *bpfd, const struct open_request *request)
{
	uint32_t type = bpf_abi_get32(request->attr, request->attr_size, 0);
	int kprobe = file_pmu_type(&bpfd->config.paths, "kprobe");

	if (kprobe >= 0 && type == (uint32_t)kprobe)
		probe_warn_kprobes(bpfd->probes);
	else if (type != PERF_TYPE_TRACEPOINT && !request->has_name)
		cpu_watch_add(bpfd->cpus, request->pid, request->cpu);
}

int rpc_perf_open(struct rpc *rpc, struct bytes_in *in)
{
	struct open_request *request = calloc(1, sizeof(*request));
	int ret;

	if (!request)
		return -ENOMEM;
	ret = read_open(rpc, in, request);
	if (!ret)
		ret = check_open(&rpc->bpfd->config.paths, request);
	if (!ret)
		ret = open_event(rpc->bpfd, request);
	if (ret >= 0)
		note_event(rpc->bpfd, request);
	free(request);
	if (ret < 0)
		return ret;
	bytes_put_u32(&rpc->out, (uint32_t)ret);
	return 0;
}

/* An ioctl with its data. */
struct control {
	int fd;
	uint32_t number; /* _IOC_NR of the request: the size of a pointer differs by board */
	uint64_t arg;
	const void *data;
	size_t size;
	struct rpc *rpc;
};

static int control_plain(const struct control *control, unsigned long request, unsigned long arg)
{
	int ret = ioctl(control->fd, request, arg);

	if (ret < 0)
		return -errno;
	bytes_put_u32(&control->rpc->out, (uint32_t)ret);
	rpc_put_bytes(&control->rpc->out, NULL, 0);
	return 0;
}

/* An ioctl that reads `data`, or with `out` fills in control->size bytes of it. */
static int control_data(const struct control *control, unsigned long request, void *data, bool out)
{
	int ret = ioctl(control->fd, request, data);

	if (ret < 0)
		return -errno;
	bytes_put_u32(&control->rpc->out, (uint32_t)ret);
	rpc_put_bytes(&control->rpc->out, data, out ? control->size : 0);
	return 0;
}

static int control_output(const struct control *control)
{
	const struct handles *handles = control->rpc->bpfd->handles;
	int fd;

	if (control->arg == UINT32_MAX || control->arg == UINT64_MAX)
		return control_plain(control, PERF_EVENT_IOC_SET_OUTPUT, (unsigned long)-1);
	fd = control->arg > UINT32_MAX
		     ? -EBADF
		     : handle_abi_fd(handles, (int64_t)control->arg, BPF_ABI_EVENT);
	return fd < 0 ? fd : control_plain(control, PERF_EVENT_IOC_SET_OUTPUT, (unsigned long)fd);
}

static int control_program(const struct control *control)
{
	const struct handles *handles = control->rpc->bpfd->handles;
	int fd = control->arg > UINT32_MAX
			 ? -EBADF
			 : handle_abi_fd(handles, (int64_t)control->arg, BPF_ABI_PROG);

	return control_plain(
		control, PERF_EVENT_IOC_SET_BPF, fd < 0 ? (unsigned long)-1 : (unsigned long)fd);
}

static int control_filter(const struct control *control)
{
	char text[RPC_FILTER_MAX];

	if (control->size >= sizeof(text) ||
		(control->size && memchr(control->data, 0, control->size)))
		return -EINVAL;
	if (control->size)
		memcpy(text, control->data, control->size);
	text[control->size] = '\0';
	return control_data(control, PERF_EVENT_IOC_SET_FILTER, text, false);
}

static int control_number(const struct control *control, unsigned long request, bool out)
{
	uint64_t value = 0;

	if (control->size != sizeof(value) && !(out && !control->size))
		return -EBADMSG;
	if (control->size)
		memcpy(&value, control->data, sizeof(value));
	if (!out)
		return control_data(control, request, &value, false);
	struct control whole = *control;

	whole.size = sizeof(value);
	return control_data(&whole, request, &value, true);
}

/* struct perf_event_query_bpf: the room in ids, the number of programs, the ids. */
static int control_query(const struct control *control)
{
	uint32_t query[IDS_MAX / sizeof(uint32_t)];

	if (control->size > sizeof(query) || control->size < 2 * sizeof(uint32_t))
		return -EINVAL;
	memcpy(query, control->data, control->size);
	if (query[0] > control->size / sizeof(uint32_t) - 2)
		return -EINVAL;
	return control_data(control, PERF_EVENT_IOC_QUERY_BPF, query, true);
}

static int control(const struct control *control)
{
	switch (control->number) {
	case _IOC_NR(PERF_EVENT_IOC_ENABLE):
		return control_plain(control, PERF_EVENT_IOC_ENABLE, (unsigned long)control->arg);
	case _IOC_NR(PERF_EVENT_IOC_DISABLE):
		return control_plain(control, PERF_EVENT_IOC_DISABLE, (unsigned long)control->arg);
	case _IOC_NR(PERF_EVENT_IOC_REFRESH):
		return control_plain(control, PERF_EVENT_IOC_REFRESH, (unsigned long)control->arg);
	case _IOC_NR(PERF_EVENT_IOC_RESET):
		return control_plain(control, PERF_EVENT_IOC_RESET, (unsigned long)control->arg);
	case _IOC_NR(PERF_EVENT_IOC_PAUSE_OUTPUT):
		return control_plain(
			control, PERF_EVENT_IOC_PAUSE_OUTPUT, (unsigned long)control->arg);
	case _IOC_NR(PERF_EVENT_IOC_PERIOD):
		return control_number(control, PERF_EVENT_IOC_PERIOD, false);
	case _IOC_NR(PERF_EVENT_IOC_SET_OUTPUT):
		return control_output(control);
	case _IOC_NR(PERF_EVENT_IOC_SET_FILTER):
		return control_filter(control);
	case _IOC_NR(PERF_EVENT_IOC_ID):
		return control_number(control, PERF_EVENT_IOC_ID, true);
	case _IOC_NR(PERF_EVENT_IOC_SET_BPF):
		return control_program(control);
	case _IOC_NR(PERF_EVENT_IOC_QUERY_BPF):
		return control_query(control);
	default:
		return -ENOTTY;
	}
}

int rpc_perf_ioctl(struct rpc *rpc, struct bytes_in *in)
{
	uint32_t handle = bytes_get_u32(in), request = bytes_get_u32(in);
	struct control what = {.rpc = rpc, .number = _IOC_NR(request), .arg = bytes_get_u64(in)};

	what.data = rpc_get_bytes(in, &what.size);
	if (!bytes_get_end(in))
		return -EBADMSG;
	what.fd = handle_abi_fd(rpc->bpfd->handles, handle, BPF_ABI_EVENT);
	if (what.fd < 0)
		return what.fd;
	if (_IOC_TYPE(request) != _IOC_TYPE(PERF_EVENT_IOC_ENABLE))
		return -ENOTTY;
	return control(&what);
}
