/* SPDX-License-Identifier: Apache-2.0 */
/* Adds and removes probe events in tracefs, for kernels without the kprobe and uprobe PMUs. */
#ifndef CORE_BPFD_BPF_PROBE_EVENT_H
#define CORE_BPFD_BPF_PROBE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROBE_GROUP_SIZE 48

struct paths;

enum probe_event_kind { PROBE_EVENT_KPROBE, PROBE_EVENT_UPROBE };

/* The files of both kinds, opened for writing before the process gives up the right to open files
 * for writing. */
struct event_files {
	int fd[2]; /* the descriptors, or the negative errno of opening one */
};

void event_files_open(struct event_files *event_files, const struct paths *paths);
void event_files_close(struct event_files *event_files);

/* Writes commands to the file of that kind in one write(2). Returns the number of bytes written or
 * a negative errno. */
ssize_t event_file_write(
	const struct paths *paths, enum probe_event_kind kind, const void *data, size_t size);

/* Reads the kernel's list of the events of that kind. Returns 0 and *text, which the caller frees,
 * or a negative errno. */
int event_file_read(const struct paths *paths, enum probe_event_kind kind, char **text);

/* The name of the file in tracefs. */
const char *probe_event_file(enum probe_event_kind kind);

/* The group of this process's events, "bpfd_PID_START". START is the process's start time, so that
 * a later process with the same PID has another group. Returns 0 or the errno of reading
 * <proc>/self/stat. */
int probe_event_group(const struct paths *paths, char group[PROBE_GROUP_SIZE]);

/* Adds an event. `definition` is one line for kprobe_events or uprobe_events, without a newline.
 * Returns 0 or the kernel's errno. */
int probe_event_add(const struct paths *paths, enum probe_event_kind kind, const char *definition);

/* Removes an event of this process. Returns 0; -EBUSY: it stayed in use for half a second; or the
 * kernel's errno. */
int probe_event_remove(
	const struct paths *paths, enum probe_event_kind kind, const char *group, const char *name);

/* The id of events/<category>/<name> for perf_event_open(2), or a negative errno; -EINVAL: a name
 * is not exactly one path component. */
int probe_event_id(const struct paths *paths, const char *category, const char *name);

/* Returns 1 if kprobe_events accepts the number of pending returns, as in "r16:group/event"
 * (Linux 4.12), 0 if it does not, or a negative errno. An older kernel creates an event of another
 * name instead. */
int probe_event_has_maxactive(const struct paths *paths);

/* Removes the events of dead bpfd processes. Events of other programs stay. */
void probe_event_clean(const struct paths *paths);

#endif
