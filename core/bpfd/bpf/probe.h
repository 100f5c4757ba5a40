/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches BPF programs to kprobes, uprobes, tracepoints and perf events. */
#ifndef CORE_BPFD_BPF_PROBE_H
#define CORE_BPFD_BPF_PROBE_H

#include "core/bpfd/bpf/handle.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct paths;

/* What a session's probes have in common. */
struct probe_set;

/* One attachment: a perf event and, on kernels without the PMU for it, a tracefs event. */
struct probe;

enum probe_kind { PROBE_KPROBE, PROBE_UPROBE, PROBE_TRACEPOINT, PROBE_PERF_EVENT };

/* Clients name the events of their kprobes and uprobes, to detach them by that name. */
#define PROBE_EVENT_MAX 4095

struct probe_kprobe {
	const char *function; /* or "module:function" */
	uint64_t offset;      /* bytes from the function's start */
	bool retprobe;
	unsigned int maxactive; /* of a retprobe; 0: the kernel's choice */
};

struct probe_uprobe {
	const char *path; /* absolute */
	uint64_t offset;  /* in the file, bytes */
	bool retprobe;
	pid_t pid; /* -1: all */
};

struct probe_perf_event {
	uint32_t type;
	uint64_t config;
	uint64_t period, freq; /* one of the two; events, or samples a second */
	pid_t pid;	       /* as for perf_event_open(2), and the next two */
	int cpu;
	int group_fd;
};

/* Makes the set of this process, and removes the tracefs events that a bpfd which is no more
 * has left behind. paths is not copied. Returns 0, -ENOMEM. */
int probe_set_new(struct probe_set **set, const struct paths *paths);

/* All probes of the set must be detached. NULL is fine. */
void probe_set_free(struct probe_set *set);

/* Attach the program prog_fd, which stays the caller's and may be closed after it; event (copied)
 * is what probe_find() finds it by. Return 0, or what the kernel refuses with; -EINVAL for a name
 * or path that cannot be told to the kernel; -ENAMETOOLONG: an event beyond PROBE_EVENT_MAX;
 * -ENOENT: no such function, file or event. A failed call leaves nothing behind. */
int probe_attach_kprobe(struct probe **probe, struct probe_set *set, int prog_fd, const char *event,
	const struct probe_kprobe *at);
int probe_attach_uprobe(struct probe **probe, struct probe_set *set, int prog_fd, const char *event,
	const struct probe_uprobe *at);
int probe_attach_tracepoint(struct probe **probe, struct probe_set *set, int prog_fd,
	const char *category, const char *name);
int probe_attach_perf_event(struct probe **probe, struct probe_set *set, int prog_fd,
	const struct probe_perf_event *at);

/* A probe of that kind and event ("category/name" of a tracepoint), or NULL. */
struct probe *probe_find(const struct probe_set *set, enum probe_kind kind, const char *event);

/* The perf event, which stays the probe's. */
int probe_descriptor(const struct probe *probe);

/* Of handles whose object is a probe. */
extern const struct handle_class probe_class;

/* Detaches and frees. Returns 0, or what the removal of the tracefs event failed with (it is
 * then tried again by the next bpfd); the probe is gone in any case. */
int probe_detach(struct probe *probe);

#endif
