/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and removes probe events in tracefs, for kernels without the kprobe and uprobe PMUs. */
#ifndef CORE_BPFD_BPF_PROBE_EVENT_H
#define CORE_BPFD_BPF_PROBE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROBE_GROUP_SIZE 48

struct paths;

enum probe_event_kind { PROBE_EVENT_KPROBE, PROBE_EVENT_UPROBE };

/* The files of both kinds, opened to be written to: a process that may not open files so any more
 * still makes and removes events. */
struct event_files {
	int fd[2]; /* or what opening it failed with, as an errno */
};

void event_files_open(struct event_files *event_files, const struct paths *paths);
void event_files_close(struct event_files *event_files);

/* Writes commands to the file of that kind at once. Returns what write(2) does, or an errno. */
ssize_t event_file_write(
	const struct paths *paths, enum probe_event_kind kind, const void *data, size_t size);

/* The name of the file in tracefs. */
const char *probe_event_file(enum probe_event_kind kind);

/* The group of this process's events: "bpfd_PID_START", START being the process's start time,
 * so that a reused PID is another group. Returns 0, or what <proc>/self/stat fails with. */
int probe_event_group(const struct paths *paths, char group[PROBE_GROUP_SIZE]);

/* Adds an event; definition is one line of kprobe_events(5) or uprobe_events syntax without
 * its end. Returns 0 or what the kernel refuses with. */
int probe_event_add(const struct paths *paths, enum probe_event_kind kind, const char *definition);

/* Removes an event of this process. Returns 0, -EBUSY after some tries. */
int probe_event_remove(
	const struct paths *paths, enum probe_event_kind kind, const char *group, const char *name);

/* The id of events/<category>/<name> for perf_event_open(2), or a negative errno; -EINVAL: not
 * names of one path component each. */
int probe_event_id(const struct paths *paths, const char *category, const char *name);

/* Whether kprobe_events takes the number of pending returns in "r16:group/event" (Linux 4.12). A
 * kernel that does not makes an event of another name of it. */
bool probe_event_has_maxactive(const struct paths *paths);

/* Removes the events of processes that are no more; other programs' events are not touched. */
void probe_event_clean(const struct paths *paths);

#endif
