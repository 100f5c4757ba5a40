/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that attach programs to events and detach them. */
#include "core/bpfd/bpf/cpu_watch.h"
#include "core/bpfd/bpf/handle.h"
#include "core/bpfd/bpf/probe.h"
#include "core/bpfd/bpf/prog.h"
#include "core/bpfd/bpf/ring.h"
#include "core/bpfd/text/command.h"

#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>

enum { TYPE_ENTRY, TYPE_RETURN };

/* The descriptor of a program, or -EBADF. */
static int program_fd(const struct bpfd *bpfd, int64_t number)
{
	const struct handle *handle = handle_get(bpfd->handles, number, &prog_class);

	return handle ? handle->fd : -EBADF;
}

/* Replies to an attach command. If it succeeded, gives the new probe a handle. */
static void answer_attach(struct bpfd *bpfd, const char *what, int result, struct probe *probe)
{
	if (!result) {
		result = handle_add(bpfd->handles, &probe_class, probe, probe_descriptor(probe));
		if (result < 0)
			probe_detach(probe);
	}
	reply_ret(bpfd->reply, what, result);
}

/* Detaches all probes of that event. Returns 0, also if there are none, or the first error. */
static int detach(struct bpfd *bpfd, enum probe_kind kind, const char *event)
{
	struct probe *probe;
	int result = 0;

	while ((probe = probe_find(bpfd->probes, kind, event))) {
		int number = handle_find(bpfd->handles, &probe_class, probe);
		int err = handle_close(bpfd->handles, number, &probe_class);

		if (err && !result)
			result = err;
	}
	return result;
}

/* Detaches the kprobes or uprobes of the event that the command names, and replies. */
static void detach_named(
	struct bpfd *bpfd, struct args *args, const char *what, enum probe_kind kind)
{
	const char *event = args_text(args, 1);

	if (args_wrong(args))
		return;
	reply_ret(bpfd->reply, what, detach(bpfd, kind, event));
}

/* FD TYPE EVENT FUNCTION [OFFSET [MAXACTIVE]] */
void cmd_attach_kprobe(struct bpfd *bpfd, struct args *args)
{
	int64_t number = args_handle(args, 1);
	bool retprobe = args_unsigned(args, 2, TYPE_ENTRY, TYPE_RETURN) == TYPE_RETURN;
	const char *event = args_text(args, 3);
	struct probe_kprobe at = {.function = args_text(args, 4), .retprobe = retprobe};
	struct probe *probe = NULL;
	int result;

	if (args->count > 5)
		at.offset = args_unsigned(args, 5, 0, UINT64_MAX);
	if (args->count > 6)
		at.maxactive = (unsigned int)args_unsigned(args, 6, 0, INT_MAX);
	if (args_wrong(args))
		return;
	/* Newer clients send MAXACTIVE for entry probes too, where it means nothing. */
	if (!retprobe)
		at.maxactive = 0;
	result = program_fd(bpfd, number);
	if (result >= 0)
		result = probe_attach_kprobe(&probe, bpfd->probes, result, event, &at);
	if (!result)
		probe_warn_kprobes(bpfd->probes);
	answer_attach(bpfd, "bpf_attach_kprobe", result, probe);
}

/* EVENT */
void cmd_detach_kprobe(struct bpfd *bpfd, struct args *args)
{
	detach_named(bpfd, args, "bpf_detach_kprobe", PROBE_KPROBE);
}

/* FD TYPE EVENT PATH OFFSET PID. A path may contain spaces: OFFSET and PID are the last fields. */
void cmd_attach_uprobe(struct bpfd *bpfd, struct args *args)
{
	unsigned int last = args->count - 1;
	int64_t number = args_handle(args, 1);
	bool retprobe = args_unsigned(args, 2, TYPE_ENTRY, TYPE_RETURN) == TYPE_RETURN;
	const char *event = args_text(args, 3);
	struct probe_uprobe at = {.retprobe = retprobe};
	struct probe *probe = NULL;
	int result;

	at.offset = args_unsigned(args, last - 1, 0, UINT64_MAX);
	at.pid = (pid_t)args_signed(args, last, -1, INT_MAX);
	at.path = args_join(args, 4, last - 2);
	if (args_wrong(args))
		return;
	result = program_fd(bpfd, number);
	if (result >= 0)
		result = probe_attach_uprobe(&probe, bpfd->probes, result, event, &at);
	answer_attach(bpfd, "bpf_attach_uprobe", result, probe);
}

/* EVENT */
void cmd_detach_uprobe(struct bpfd *bpfd, struct args *args)
{
	detach_named(bpfd, args, "bpf_detach_uprobe", PROBE_UPROBE);
}

/* FD CATEGORY NAME */
void cmd_attach_tracepoint(struct bpfd *bpfd, struct args *args)
{
	int64_t number = args_handle(args, 1);
	const char *category = args_text(args, 2), *name = args_text(args, 3);
	struct probe *probe = NULL;
	int result;

	if (args_wrong(args))
		return;
	result = program_fd(bpfd, number);
	if (result >= 0)
		result = probe_attach_tracepoint(&probe, bpfd->probes, result, category, name);
	answer_attach(bpfd, "bpf_attach_tracepoint", result, probe);
}

/* CATEGORY NAME */
void cmd_detach_tracepoint(struct bpfd *bpfd, struct args *args)
{
	const char *category = args_text(args, 1), *name = args_text(args, 2);
	char *event;
	int result;

	if (args_wrong(args))
		return;
	if (asprintf(&event, "%s/%s", category, name) < 0) {
		result = -ENOMEM;
	} else {
		result = detach(bpfd, PROBE_TRACEPOINT, event);
		free(event);
	}
	reply_ret(bpfd->reply, "bpf_detach_tracepoint", result);
}

/* FD TYPE CONFIG PERIOD FREQ PID CPU GROUP */
void cmd_attach_perf_event(struct bpfd *bpfd, struct args *args)
{
	int64_t number = args_handle(args, 1), group;
	struct probe_perf_event at = {.group_fd = -1};
	const struct handle *leader = NULL;
	struct probe *probe = NULL;
	int result;

	at.type = (uint32_t)args_unsigned(args, 2, 0, UINT32_MAX);
	at.config = args_unsigned(args, 3, 0, UINT64_MAX);
	at.period = args_unsigned(args, 4, 0, UINT64_MAX);
	at.freq = args_unsigned(args, 5, 0, UINT64_MAX);
	at.pid = (pid_t)args_signed(args, 6, -1, INT_MAX);
	at.cpu = (int)args_signed(args, 7, -1, INT_MAX);
	group = args_handle(args, 8);
	if (args_wrong(args))
		return;
	if (group != -1) {
		leader = handle_get(bpfd->handles, group, &probe_class);
		at.group_fd = leader ? leader->fd : -EBADF;
	}
	result = program_fd(bpfd, number);
	if (group != -1 && !leader)
		result = -EBADF;
	if (result >= 0)
		result = probe_attach_perf_event(&probe, bpfd->probes, result, &at);
	if (!result && at.type != PERF_TYPE_TRACEPOINT)
		cpu_watch_add(bpfd->cpus, at.pid, at.cpu);
	answer_attach(bpfd, "bpf_attach_perf_event", result, probe);
}

/* PFD: an attachment or a perf ring. Clients that failed to open one close -1. */
void cmd_close_perf_event_fd(struct bpfd *bpfd, struct args *args)
{
	int64_t number = args_handle(args, 1);
	int result = 0;

	if (args_wrong(args))
		return;
	if (number != -1) {
		if (handle_get(bpfd->handles, number, &ring_class))
			result = handle_close(bpfd->handles, number, &ring_class);
		else
			result = handle_close(bpfd->handles, number, &probe_class);
	}
	reply_ret(bpfd->reply, "bpf_close_perf_event_fd", result);
}
