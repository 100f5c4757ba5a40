/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes lists of probe events: which are the session's, which are a dead bpfd's.
 * The input has three parts, separated by NUL: the list before a client's write, the written text,
 * and the list after it. Other programs may have defined some of the events. */
#include "core/bpfd/bpf/event_list.h"
#include "core/bpfd/bpf/probe_event.h"

#include "tests/fuzz/fuzz.h"

#include <string.h>

#define LIST "sys/kernel/tracing/kprobe_events"

static size_t part(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, 0, size) : NULL;

	return end ? (size_t)(end - data) : size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t before = part(data, size), written, after;
	struct event_list *list;
	const uint8_t *write;
	char *text;

	write = data + before + (before < size);
	written = part(write, (size_t)(data + size - write));
	after = (size_t)(data + size - write) - written;
	after -= after > 0;
	text = (char *)exact_copy(write, written);

	tree_put(LIST, data, before);
	MUST(!event_list_new(&list, tree_paths()));
	event_list_before(list, PROBE_EVENT_KPROBE);
	tree_put(LIST, data + size - after, after);
	event_list_after(list, PROBE_EVENT_KPROBE, text, written);
	event_list_before(list, PROBE_EVENT_KPROBE);
	event_list_after(list, PROBE_EVENT_KPROBE, text, written);
	event_list_free(list);
	free(text);
	probe_event_clean(tree_paths());
	return 0;
}
