/* SPDX-License-Identifier: Apache-2.0 */
/* BPF programs of the end-to-end tests: count, send records, take stacks.
 *
 * They do not use their context, so each can be loaded with any program type. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(key_size, 4);
	__uint(value_size, 127 * 8);
	__uint(max_entries, 1024);
} stacks SEC(".maps");

static __always_inline void bump(__u32 slot)
{
	__u64 *count = bpf_map_lookup_elem(&counts, &slot);

	if (count)
		__sync_fetch_and_add(count, 1);
}

SEC("test/count0")
int count0(void *ctx)
{
	bump(0);
	return 0;
}

SEC("test/count1")
int count1(void *ctx)
{
	bump(1);
	return 0;
}

/* Sends { u64 sequence, u32 tgid, u32 0 }; the sequence is counts[2]. */
SEC("test/emit")
int emit(void *ctx)
{
	struct {
		__u64 sequence;
		__u32 tgid, zero;
	} record = {0, bpf_get_current_pid_tgid() >> 32, 0};
	__u32 slot = 2;
	__u64 *count = bpf_map_lookup_elem(&counts, &slot);

	if (!count)
		return 0;
	/* Two steps, because kernels before 5.12 cannot fetch and add in one. That is safe, because
	 * only one process at a time sends. */
	record.sequence = *(volatile __u64 *)count;
	__sync_fetch_and_add(count, 1);
	bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &record, sizeof(record));
	return 0;
}

/* Stores the id of the last stack in counts[3]. */
SEC("test/stack")
int stack(void *ctx)
{
	__u32 slot = 3;
	__u64 *last = bpf_map_lookup_elem(&counts, &slot);
	long id = bpf_get_stackid(ctx, &stacks, BPF_F_REUSE_STACKID);

	if (last && id >= 0)
		*last = id;
	return 0;
}

char _license[] SEC("license") = "GPL";
