/* SPDX-License-Identifier: Apache-2.0 */
/* The demo's BPF programs: they report each openat and count how long it took. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "tests/demo/opens.h"

/* The client makes the maps with text commands and puts their handles into the programs, so only
 * the names below matter. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u64);
	__type(value, struct open_start);
} start SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LATENCY_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} latency SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

/* Contexts of syscalls:sys_enter_openat and sys_exit_openat. Their layout is kernel ABI. */
struct enter_context {
	__u64 common, number;
	__u64 directory, path, flags, mode;
};
struct exit_context {
	__u64 common, number;
	__s64 result;
};

SEC("tracepoint/enter")
int open_enter(struct enter_context *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct open_start now = {bpf_ktime_get_ns(), ctx->path};

	bpf_map_update_elem(&start, &thread, &now, BPF_ANY);
	return 0;
}

static __always_inline __u32 slot_of(__u64 ns)
{
	__u64 us = ns / 1000;
	__u32 slot = 0;

#pragma unroll
	for (int i = 1; i < LATENCY_SLOTS; i++)
		if (us >> i)
			slot = i;
	return slot;
}

SEC("tracepoint/exit")
int open_exit(struct exit_context *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct open_event event = {};
	struct open_start *begun = bpf_map_lookup_elem(&start, &thread);
	__u64 *count;
	__u32 slot;

	if (!begun)
		return 0;
	event.time_ns = bpf_ktime_get_ns();
	event.pid = thread >> 32;
	event.result = ctx->result;
	slot = slot_of(event.time_ns - begun->time_ns);
	count = bpf_map_lookup_elem(&latency, &slot);
	if (count)
		__sync_fetch_and_add(count, 1);
	bpf_get_current_comm(event.comm, sizeof(event.comm));
	bpf_probe_read_user_str(event.path, sizeof(event.path), (void *)begun->path);
	bpf_map_delete_elem(&start, &thread);
	bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &event, sizeof(event));
	return 0;
}
