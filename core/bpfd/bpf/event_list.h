/* SPDX-License-Identifier: Apache-2.0 */
/* Probe events that a client has defined in tracefs; they are removed with its session. */
#ifndef CORE_BPFD_BPF_EVENT_LIST_H
#define CORE_BPFD_BPF_EVENT_LIST_H

#include "core/bpfd/bpf/probe_event.h"

#include <stddef.h>

struct event_list;

/* Makes an empty list; paths is not copied. Returns 0, -ENOMEM. */
int event_list_new(struct event_list **list, const struct paths *paths);

/* Removes the events from tracefs, if they are still there, and frees the list. Probes on them must
 * be closed. NULL is fine. */
void event_list_free(struct event_list *list);

/* Call these before and after a write of `size` bytes of commands to the file of that kind. They
 * add to the list the new events that the text defines. Return 0 or a negative errno. If the first
 * one fails, do not write: the events of other programs would be unknown. If the second one fails,
 * it has removed new events which it could not add, or logged that they stay. */
int event_list_before(struct event_list *list, enum probe_event_kind kind);
int event_list_after(
	struct event_list *list, enum probe_event_kind kind, const char *text, size_t size);

#endif
