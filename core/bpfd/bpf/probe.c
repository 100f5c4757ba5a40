/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches BPF programs to kprobes, uprobes, tracepoints and perf events. */
#include "core/bpfd/bpf/probe.h"

#include "core/base/kprobe_state.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/bpfd/bpf/probe_event.h"
#include "core/bpfd/files/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Room for the kernel's longest symbol names, preceded by the name of a module. */
#define FUNCTION_MAX 600

/* The kernel takes lines of less than 4096 bytes. The rest is for the event's name and offset. */
#define UPROBE_PATH_MAX 3800

/* Event names in tracefs are C identifiers of at most 63 characters. */
#define TRACEFS_EVENT_SIZE 64

struct probe_set {
	const struct paths *paths;
	char group[PROBE_GROUP_SIZE]; /* empty before the first tracefs event */
	unsigned int next_event;
	bool has_warned; /* that kprobes do not run */
	struct probe *first;
};

struct probe {
	struct probe *next; /* in the set */
	struct probe_set *set;
	int fd;
	enum probe_kind kind;
	char *event;				/* the client's name for it; NULL: none */
	char tracefs_event[TRACEFS_EVENT_SIZE]; /* empty if there is none */
};

static const enum probe_event_kind tracefs_kinds[] = {
	[PROBE_KPROBE] = PROBE_EVENT_KPROBE,
	[PROBE_UPROBE] = PROBE_EVENT_UPROBE,
};

int probe_set_new(struct probe_set **set, const struct paths *paths)
{
	struct probe_set *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->paths = paths;
	probe_event_clean(paths);
	*set = new;
	return 0;
}

void probe_set_free(struct probe_set *set)
{
	free(set);
}

int probe_descriptor(const struct probe *probe)
{
	return probe->fd;
}

struct probe *probe_find(const struct probe_set *set, enum probe_kind kind, const char *event)
{
	struct probe *probe = set->first;

	while (probe && (probe->kind != kind || !probe->event || strcmp(probe->event, event)))
		probe = probe->next;
	return probe;
}

static int remove_tracefs_event(
	const struct probe_set *set, enum probe_event_kind kind, const char *name)
{
	int err = probe_event_remove(set->paths, kind, set->group, name);

	if (err)
		log_warning("probe: %s/%s: cannot remove: %s", set->group, name, strerror(-err));
	return err;
}

int probe_detach(struct probe *probe)
{
	struct probe **at = &probe->set->first;
	int err = 0;

	while (*at != probe)
		at = &(*at)->next;
	*at = probe->next;
	close(probe->fd);
	if (probe->tracefs_event[0])
		err = remove_tracefs_event(
			probe->set, tracefs_kinds[probe->kind], probe->tracefs_event);
	free(probe->event);
	free(probe);
	return err;
}

static int close_handle(void *object, int fd)
{
	return probe_detach(object); /* closes fd as well */
}

const struct handle_class probe_class = {.name = "probe", .close = close_handle};

static int open_event(struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd)
{
	long fd;

	attr->size = sizeof(*attr);
	attr->disabled = 1;
	fd = syscall(SYS_perf_event_open, attr, pid, cpu, group_fd, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

/* An attachment in progress. */
struct attach_request {
	struct probe_set *set;
	int prog_fd;
	enum probe_kind kind;
	const char *event; /* may be NULL */
	pid_t pid;
	int cpu, group_fd;
};

/* Opens the event and attaches the program. Returns 0 and the new probe, or a negative errno. */
static int attach(
	struct probe **probe, const struct attach_request *request, struct perf_event_attr *attr)
{
	struct probe *new;
	int err;

	if (request->event && strlen(request->event) > PROBE_EVENT_MAX)
		return -ENAMETOOLONG;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	if (request->event) {
		new->event = strdup(request->event);
		if (!new->event) {
			err = -ENOMEM;
			goto err_free;
		}
	}
	new->fd = open_event(attr, request->pid, request->cpu, request->group_fd);
	if (new->fd < 0) {
		err = new->fd;
		goto err_free;
	}
	if (ioctl(new->fd, PERF_EVENT_IOC_SET_BPF, request->prog_fd) ||
		ioctl(new->fd, PERF_EVENT_IOC_ENABLE, 0)) {
		err = -errno;
		goto err_close;
	}
	new->kind = request->kind;
	new->set = request->set;
	new->next = request->set->first;
	request->set->first = new;
	*probe = new;
	return 0;

err_close:
	close(new->fd);
err_free:
	free(new->event);
	free(new);
	return err;
}

/* The first online CPU. On some boards it is not 0. */
static int first_cpu(const struct probe_set *set)
{
	char path[PATH_MAX], text[64];
	int cpu;

	if (path_format(path, "%s/devices/system/cpu/online", set->paths->sysfs) < 0 ||
		file_read(path, text, sizeof(text)) < 0 || sscanf(text, "%d", &cpu) != 1)
		return 0;
	return cpu;
}

/* A probe of all processes is one event on the first CPU; its program runs on all CPUs. */
static struct attach_request probe_request(
	struct probe_set *set, int prog_fd, enum probe_kind kind, const char *event, pid_t pid)
{
	return (struct attach_request){
		.set = set,
		.prog_fd = prog_fd,
		.kind = kind,
		.event = event,
		.pid = pid > 0 ? pid : -1,
		.cpu = pid > 0 ? -1 : first_cpu(set),
		.group_fd = -1,
	};
}

/* Reads the number after a prefix from a file of a PMU. Returns it or a negative errno. */
static int read_pmu(
	const struct probe_set *set, const char *pmu, const char *file, const char *prefix)
{
	char path[PATH_MAX], text[64];
	ssize_t len;
	int err, value;

	err = path_format(path, "%s/bus/event_source/devices/%s/%s", set->paths->sysfs, pmu, file);
	if (err)
		return err;
	len = file_read(path, text, sizeof(text));
	if (len < 0)
		return (int)len;
	if (strncmp(text, prefix, strlen(prefix)) ||
		sscanf(text + strlen(prefix), "%d", &value) != 1 || value < 0)
		return -EINVAL;
	return value;
}

/* Attaches through a PMU. Returns -ENODEV if the kernel does not have that PMU. */
static int attach_pmu(struct probe **probe, const struct attach_request *request, const char *pmu,
	const char *name, uint64_t offset, bool retprobe)
{
	struct perf_event_attr attr = {.type = 0};
	int type, bit;

	type = read_pmu(request->set, pmu, "type", "");
	if (type < 0)
		return type == -ENOENT ? -ENODEV : type;
	if (retprobe) {
		bit = read_pmu(request->set, pmu, "format/retprobe", "config:");
		if (bit < 0 || bit > 63)
			return -ENODEV;
		attr.config = 1ULL << bit;
	}
	attr.type = (uint32_t)type;
	attr.config1 = (uintptr_t)name;
	attr.config2 = offset;
	return attach(probe, request, &attr);
}

static int attach_event(struct probe **probe, const struct attach_request *request,
	const char *category, const char *name)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT};
	int id = probe_event_id(request->set->paths, category, name);

	if (id < 0)
		return id;
	attr.config = (uint64_t)id;
	return attach(probe, request, &attr);
}

/* Makes a name of "e", a number that this process uses once, and the client's name. Its characters
 * that tracefs does not allow become '_'. The client's name is for people who look into tracefs. */
static void name_tracefs_event(
	char name[TRACEFS_EVENT_SIZE], unsigned int number, const char *event)
{
	int len = snprintf(name, TRACEFS_EVENT_SIZE, "e%u_%s", number, event);

	for (int i = 0; i < len && name[i]; i++) {
		if (!isalnum((unsigned char)name[i]))
			name[i] = '_';
	}
}

/* Attaches through an event in tracefs. `prefix` is "p", or "r" with an optional number; `place` is
 * the probed instruction. */
static int attach_tracefs(struct probe **probe, const struct attach_request *request,
	const char *prefix, const char *place)
{
	enum probe_event_kind kind = tracefs_kinds[request->kind];
	struct probe_set *set = request->set;
	char name[TRACEFS_EVENT_SIZE], *definition;
	int err = 0;

	if (!set->group[0])
		err = probe_event_group(set->paths, set->group);
	if (err)
		return err;
	name_tracefs_event(name, set->next_event++, request->event);
	if (asprintf(&definition, "%s:%s/%s %s", prefix, set->group, name, place) < 0)
		return -ENOMEM;
	err = probe_event_add(set->paths, kind, definition);
	free(definition);
	if (err)
		return err;
	err = attach_event(probe, request, set->group, name);
	if (err) {
		remove_tracefs_event(set, kind, name);
		return err;
	}
	memcpy((*probe)->tracefs_event, name, sizeof(name));
	return 0;
}

void probe_warn_kprobes(struct probe_set *set)
{
	const char *obstacle = kprobe_obstacle(set->paths->proc, set->paths->sysfs);

	if (obstacle && !set->has_warned)
		log_warning("kprobe: %s", obstacle);
	set->has_warned = obstacle != NULL;
}

/* Reads an address of the kernel: "0x" and at most 16 hexadecimal digits. */
static bool is_address(const char *text, uint64_t *address)
{
	size_t digits;

	if (strncmp(text, "0x", 2))
		return false;
	digits = strspn(text + 2, "0123456789abcdefABCDEF");
	if (!digits || digits > 16 || text[2 + digits])
		return false;
	*address = strtoull(text, NULL, 16);
	return *address;
}

/* Allows only characters of kernel symbols, because the name is written to kprobe_events. */
static bool is_function(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > FUNCTION_MAX || !(isalpha((unsigned char)name[0]) || name[0] == '_'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("_.$:-", name[i]))
			return false;
	}
	return true;
}

int probe_attach_kprobe(struct probe **probe, struct probe_set *set, int prog_fd, const char *event,
	const struct probe_kprobe *at)
{
	struct attach_request request = probe_request(set, prog_fd, PROBE_KPROBE, event, -1);
	char prefix[16], place[FUNCTION_MAX + 32];
	uint64_t offset = at->offset, address = 0;
	int err;

	if (at->maxactive && !at->retprobe)
		return -EINVAL;
	/* The kernel ignores the offset if it gets an address instead of a name. */
	if (is_address(at->function, &address)) {
		if (__builtin_add_overflow(address, offset, &offset))
			return -EINVAL;
	} else if (!is_function(at->function)) {
		return -EINVAL;
	}
	/* The PMU has no setting for the number of pending returns. */
	if (!at->maxactive) {
		err = attach_pmu(probe, &request, "kprobe", address ? NULL : at->function, offset,
			at->retprobe);
		if (err != -ENODEV)
			return err;
	}
	err = at->maxactive ? probe_event_has_maxactive(set->paths) : 0;
	if (err < 0)
		return err;
	if (err)
		snprintf(prefix, sizeof(prefix), "r%u", at->maxactive);
	else
		strcpy(prefix, at->retprobe ? "r" : "p");
	if (address)
		snprintf(place, sizeof(place), "0x%" PRIx64, offset);
	else if (offset)
		snprintf(place, sizeof(place), "%s+%" PRIu64, at->function, offset);
	else
		snprintf(place, sizeof(place), "%s", at->function);
	return attach_tracefs(probe, &request, prefix, place);
}

/* True if uprobe_events takes the path as it is. Its parser ends a line at '#' and a word at each
 * blank. 0xa0, a part of many UTF-8 characters, is a blank for it. Older kernels end the path at
 * its first colon instead of the last. */
static bool is_plain(const char *path)
{
	return strlen(path) <= UPROBE_PATH_MAX && !strpbrk(path, " \t\n\v\f\r\xa0:#");
}

static int attach_uprobe_tracefs(
	struct probe **probe, const struct attach_request *request, const struct probe_uprobe *at)
{
	char link[PATH_MAX];
	const char *path = at->path;
	int fd = -1, err = 0;
	char *place;

	/* The kernel follows the link while it adds the event, and then keeps the file. */
	if (!is_plain(path)) {
		fd = open(path, O_PATH | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		err = path_format(link, "%s/self/fd/%d", request->set->paths->proc, fd);
		path = link;
	}
	if (!err && asprintf(&place, "%s:0x%" PRIx64, path, at->offset) < 0)
		err = -ENOMEM;
	if (!err) {
		err = attach_tracefs(probe, request, at->retprobe ? "r" : "p", place);
		free(place);
	}
	if (fd >= 0)
		close(fd);
	return err;
}

int probe_attach_uprobe(struct probe **probe, struct probe_set *set, int prog_fd, const char *event,
	const struct probe_uprobe *at)
{
	struct attach_request request = probe_request(set, prog_fd, PROBE_UPROBE, event, at->pid);
	int err;

	if (at->path[0] != '/' || strlen(at->path) >= PATH_MAX)
		return -EINVAL;
	err = attach_pmu(probe, &request, "uprobe", at->path, at->offset, at->retprobe);
	/* Before Linux 6.13 the PMU needs CAP_SYS_ADMIN, but an event in tracefs does not. */
	if (err != -ENODEV && err != -EACCES)
		return err;
	return attach_uprobe_tracefs(probe, &request, at);
}

int probe_attach_tracepoint(struct probe **probe, struct probe_set *set, int prog_fd,
	const char *category, const char *name)
{
	struct attach_request request;
	char *event;
	int err;

	if (asprintf(&event, "%s/%s", category, name) < 0)
		return -ENOMEM;
	request = probe_request(set, prog_fd, PROBE_TRACEPOINT, event, -1);
	err = attach_event(probe, &request, category, name);
	free(event);
	return err;
}

int probe_attach_perf_event(
	struct probe **probe, struct probe_set *set, int prog_fd, const struct probe_perf_event *at)
{
	struct perf_event_attr attr = {.type = at->type, .config = at->config};
	struct attach_request request = {
		.set = set,
		.prog_fd = prog_fd,
		.kind = PROBE_PERF_EVENT,
		.pid = at->pid,
		.cpu = at->cpu,
		.group_fd = at->group_fd,
	};

	if (!at->period == !at->freq)
		return -EINVAL;
	attr.freq = at->freq != 0;
	attr.sample_period = at->freq ? at->freq : at->period;
	/* Includes threads that the process starts later. */
	attr.inherit = at->pid > 0;
	return attach(probe, &request, &attr);
}
