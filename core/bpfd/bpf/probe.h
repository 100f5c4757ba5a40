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

/* One attachment: a perf event, and a tracefs event if the kernel lacks the PMU for it. */
struct probe;

enum probe_kind { PROBE_KPROBE, PROBE_UPROBE, PROBE_TRACEPOINT, PROBE_PERF_EVENT };

/* Longest name that a client may give to a kprobe or uprobe, to detach it by. */
#define PROBE_EVENT_MAX 4095

struct probe_kprobe {
	const char *function; /* or "module:function", or an address: "0x" and hexadecimal digits */
	uint64_t offset;      /* bytes from the function's start, or from the address */
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
	uint64_t period, freq; /* events, or samples per second; exactly one is not 0 */
	pid_t pid;	       /* this and the next two as for perf_event_open(2) */
	int cpu;
	int group_fd;
};

/* Makes the set of this process, and removes the tracefs events of dead bpfd processes. paths is
 * not copied. Returns 0, -ENOMEM. */
int probe_set_new(struct probe_set **set, const struct paths *paths);

/* Frees the set, whose probes must all be detached. NULL is fine. */
void probe_set_free(struct probe_set *set);

/* Attach the program prog_fd, which stays the caller's and may be closed afterwards. `event` is
 * copied; probe_find() finds the probe by it. Return 0 or the kernel's errno; -EINVAL: the kernel's
 * interfaces cannot express the name or path; -ENAMETOOLONG: the event is longer than
 * PROBE_EVENT_MAX; -ENOENT: no such function, file or event; -EADDRNOTAVAIL: several functions have
 * that name. A failed call changes nothing. */
int probe_attach_kprobe(struct probe **probe, struct probe_set *set, int prog_fd, const char *event,
	const struct probe_kprobe *at);
int probe_attach_uprobe(struct probe **probe, struct probe_set *set, int prog_fd, const char *event,
	const struct probe_uprobe *at);
int probe_attach_tracepoint(struct probe **probe, struct probe_set *set, int prog_fd,
	const char *category, const char *name);
int probe_attach_perf_event(struct probe **probe, struct probe_set *set, int prog_fd,
	const struct probe_perf_event *at);

/* Warns, once for the set, if the kernel attaches kprobes but does not run them now. */
void probe_warn_kprobes(struct probe_set *set);

/* A probe of that kind and event, or NULL. The event of a tracepoint is "category/name". */
struct probe *probe_find(const struct probe_set *set, enum probe_kind kind, const char *event);

/* The perf event, which stays the probe's. */
int probe_descriptor(const struct probe *probe);

/* The class of handles whose object is a probe. */
extern const struct handle_class probe_class;

/* Detaches and frees the probe. Returns 0, or the errno of removing its tracefs event, which the
 * next bpfd then removes. The probe is freed in any case. */
int probe_detach(struct probe *probe);

#endif
