/* SPDX-License-Identifier: Apache-2.0 */
/* The probe events that a client has defined in tracefs itself: they go when its session ends. */
#ifndef CORE_BPFD_BPF_EVENT_LIST_H
#define CORE_BPFD_BPF_EVENT_LIST_H

#include "core/bpfd/bpf/probe_event.h"

#include <stddef.h>

struct event_list;

/* Makes an empty list; paths is not copied. Returns 0, -ENOMEM. */
int event_list_new(struct event_list **list, const struct paths *paths);

/* Removes those of its events that are still there from tracefs, and frees it. What is attached to
 * them must be closed. NULL is fine. */
void event_list_free(struct event_list *list);

/* Around a write of commands to the file of that kind, of `size` bytes of text: notes the events
 * that the text defines and that were not there before. */
void event_list_before(struct event_list *list, enum probe_event_kind kind);
void event_list_after(
	struct event_list *list, enum probe_event_kind kind, const char *text, size_t size);

#endif
