/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of bpf(2) and perf_event_open(2) through the binary protocol, and small BPF programs. */
#ifndef TESTS_TOOLS_RPC_CALLS_H
#define TESTS_TOOLS_RPC_CALLS_H

#include "core/messages/bpf_abi.h"
#include "tests/tools/rpc_peer.h"

#include <linux/bpf.h>
#include <linux/perf_event.h>

/* A pointer of a call, in the order of the table of bpf_abi.h. */
struct call_arg {
	const void *in;	 /* data for the board, or NULL */
	size_t size;	 /* bytes of `in`, or room for the result */
	const void *out; /* set by the call: the result, within the reply */
	size_t out_size;
};

/* Calls bpf(2). The reply overwrites attr. Returns ret. */
static inline int peer_bpf(
	struct peer *peer, uint32_t cmd, union bpf_attr *attr, size_t size, struct call_arg *args)
{
	const struct bpf_abi_command *command = bpf_abi_find(cmd);
	struct bytes_out *out = peer_begin(peer, RPC_BPF);
	const void *back;
	size_t length;
	int ret;

	bytes_put_u32(out, cmd);
	rpc_put_bytes(out, attr, size);
	for (int i = 0; i < BPF_ABI_PTRS && command->ptrs[i].size; i++) {
		bool is_out = command->ptrs[i].direction == BPF_ABI_OUT;

		bytes_put_u8(out, args[i].in || (is_out && args[i].size));
		bytes_put_u32(out, is_out ? (uint32_t)args[i].size : 0);
		rpc_put_bytes(out, args[i].in, args[i].in ? args[i].size : 0);
	}
	ret = peer_call(peer);
	back = rpc_get_bytes(&peer->in, &length);
	if (length == size)
		memcpy(attr, back, size);
	for (int i = 0; i < BPF_ABI_PTRS && command->ptrs[i].size; i++)
		if (command->ptrs[i].direction == BPF_ABI_OUT)
			args[i].out = rpc_get_bytes(&peer->in, &args[i].out_size);
	return ret;
}

static inline int peer_map(struct peer *peer, uint32_t type, uint32_t key, uint32_t value,
	uint32_t max, uint32_t flags)
{
	union bpf_attr attr = {.map_type = type,
		.key_size = key,
		.value_size = value,
		.max_entries = max,
		.map_flags = flags};

	return peer_bpf(peer, BPF_MAP_CREATE, &attr, 20, NULL);
}

static inline int peer_update(struct peer *peer, int map, const void *key, size_t key_size,
	const void *value, size_t value_size)
{
	union bpf_attr attr = {.map_fd = (uint32_t)map};
	struct call_arg args[] = {{key, key_size, NULL, 0}, {value, value_size, NULL, 0}};

	return peer_bpf(peer, BPF_MAP_UPDATE_ELEM, &attr, 32, args);
}

static inline int peer_delete(struct peer *peer, int map, uint32_t key)
{
	union bpf_attr attr = {.map_fd = (uint32_t)map};
	struct call_arg args[] = {{&key, sizeof(key), NULL, 0}};

	return peer_bpf(peer, BPF_MAP_DELETE_ELEM, &attr, 16, args);
}

/* Returns the u64 value of a u32 key, or UINT64_MAX. */
static inline uint64_t peer_lookup(struct peer *peer, int map, uint32_t key)
{
	union bpf_attr attr = {.map_fd = (uint32_t)map};
	struct call_arg args[] = {{&key, sizeof(key), NULL, 0}, {NULL, 8, NULL, 0}};
	uint64_t value = UINT64_MAX;

	if (peer_bpf(peer, BPF_MAP_LOOKUP_ELEM, &attr, 32, args) == 0)
		memcpy(&value, args[1].out, sizeof(value));
	return value;
}

#define INSN(code, dst, src, off, imm)                    \
	{                                                 \
		(code), (dst), (src), (int16_t)(off), imm \
	}
#define LOAD_MAP(dst, map) \
	INSN(BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_FD, 0, map), INSN(0, 0, 0, 0, 0)
#define MOV(dst, imm)  INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define COPY(dst, src) INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define ADD(dst, imm)  INSN(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm)
#define CALL(helper)   INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define EXIT	       INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* Loads a program. log: NULL, or receives the verifier's log. Returns the handle or an errno. */
static inline int peer_load(struct peer *peer, uint32_t type, const struct bpf_insn *insns,
	size_t size, const char **log)
{
	union bpf_attr attr = {.prog_type = type,
		.insn_cnt = (uint32_t)(size / sizeof(*insns)),
		.prog_flags = type == BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0,
		.log_level = log != NULL,
		.log_size = log ? 65536 : 0};
	struct call_arg args[BPF_ABI_PTRS] = {
		{insns, size, NULL, 0}, {"GPL", 3, NULL, 0}, {NULL, attr.log_size, NULL, 0}};
	int ret;

	strcpy(attr.prog_name, "test_rpc");
	ret = peer_bpf(peer, BPF_PROG_LOAD, &attr, 72, args);
	if (ret == -EINVAL && !log) { /* kernels before 4.15 do not accept names */
		memset(attr.prog_name, 0, sizeof(attr.prog_name));
		ret = peer_bpf(peer, BPF_PROG_LOAD, &attr, 72, args);
	}
	if (log)
		*log = args[2].out_size ? args[2].out : "";
	return ret;
}

/* Loads a program that adds 1 to the u64 in slot 0 of an array. */
static inline int peer_load_count(struct peer *peer, uint32_t type, int map)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),
		COPY(2, 10),
		ADD(2, -4),
		LOAD_MAP(1, map),
		CALL(BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 0),
		MOV(1, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 0, 1, 0, BPF_ADD),
		MOV(0, 0),
		EXIT,
	};

	return peer_load(peer, type, insns, sizeof(insns), NULL);
}

/* Loads a program that writes the time, 8 bytes, into a perf event array or a BPF ring buffer. */
static inline int peer_load_emit(struct peer *peer, uint32_t type, int map, bool ringbuf)
{
	const struct bpf_insn perf[] = {
		COPY(6, 1),
		CALL(BPF_FUNC_ktime_get_ns),
		INSN(BPF_STX | BPF_MEM | BPF_DW, 10, 0, -8, 0),
		COPY(1, 6),
		LOAD_MAP(2, map),
		INSN(BPF_ALU | BPF_MOV | BPF_K, 3, 0, 0, -1), /* BPF_F_CURRENT_CPU */
		COPY(4, 10),
		ADD(4, -8),
		MOV(5, 8),
		CALL(BPF_FUNC_perf_event_output),
		MOV(0, 0),
		EXIT,
	};
	const struct bpf_insn ring[] = {
		CALL(BPF_FUNC_ktime_get_ns),
		INSN(BPF_STX | BPF_MEM | BPF_DW, 10, 0, -8, 0),
		LOAD_MAP(1, map),
		COPY(2, 10),
		ADD(2, -8),
		MOV(3, 8),
		MOV(4, 0),
		CALL(BPF_FUNC_ringbuf_output),
		MOV(0, 0),
		EXIT,
	};

	return ringbuf ? peer_load(peer, type, ring, sizeof(ring), NULL)
		       : peer_load(peer, type, perf, sizeof(perf), NULL);
}

static inline int peer_perf_open(
	struct peer *peer, const struct perf_event_attr *attr, int pid, int cpu, const char *name)
{
	struct bytes_out *out = peer_begin(peer, RPC_PERF_OPEN);

	rpc_put_bytes(out, attr, sizeof(*attr));
	bytes_put_u32(out, (uint32_t)pid);
	bytes_put_u32(out, (uint32_t)cpu);
	bytes_put_u32(out, RPC_NO_HANDLE);
	bytes_put_u64(out, PERF_FLAG_FD_CLOEXEC);
	bytes_put_u8(out, name != NULL);
	rpc_put_string(out, name ? name : "");
	return peer_call(peer);
}

/* Opens an event on CPU 0 whose ring receives the output of programs. Returns it or an errno. */
static inline int peer_output_event(struct peer *peer)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_period = 1,
		.wakeup_events = 1,
		.sample_type = PERF_SAMPLE_RAW};

	return peer_perf_open(peer, &attr, -1, 0, NULL);
}

static inline int peer_ioctl(struct peer *peer, int event, uint32_t request, uint64_t arg)
{
	struct bytes_out *out = peer_begin(peer, RPC_PERF_IOCTL);

	bytes_put_u32(out, (uint32_t)event);
	bytes_put_u32(out, request);
	bytes_put_u64(out, arg);
	rpc_put_bytes(out, NULL, 0);
	return peer_call(peer);
}

/* Opens an event, attaches a program and enables the event. Returns the event or an errno. */
static inline int peer_attach(
	struct peer *peer, struct perf_event_attr *attr, int cpu, const char *name, int prog)
{
	int event, err;

	attr->size = sizeof(*attr);
	attr->disabled = 1;
	event = peer_perf_open(peer, attr, -1, cpu, name);
	if (event < 0)
		return event;
	err = peer_ioctl(peer, event, PERF_EVENT_IOC_SET_BPF, (uint64_t)prog);
	if (!err)
		err = peer_ioctl(peer, event, PERF_EVENT_IOC_ENABLE, 0);
	return err ? err : event;
}

static inline int peer_ring(struct peer *peer, int handle, uint64_t bytes, uint64_t credit)
{
	struct bytes_out *out = peer_begin(peer, RPC_RING_OPEN);

	bytes_put_u32(out, (uint32_t)handle);
	bytes_put_u64(out, bytes);
	bytes_put_u64(out, credit);
	return peer_call(peer);
}

static inline void peer_credit(struct peer *peer, int handle, uint64_t position)
{
	struct bytes_out *out = peer_begin(peer, RPC_RING_CREDIT);

	bytes_put_u32(out, (uint32_t)handle);
	bytes_put_u64(out, position);
	peer_send(peer);
}

static inline void peer_close(struct peer *peer, int handle)
{
	struct bytes_out *out = peer_begin(peer, RPC_CLOSE);

	bytes_put_u32(out, (uint32_t)handle);
	peer_send(peer);
}

/* Appends a whole file to `text`. Returns ret of the last part. */
static inline int peer_file(struct peer *peer, const char *path, struct bytes_out *text)
{
	struct bytes_out *out = peer_begin(peer, RPC_FILE_READ);
	bool more = true;
	int ret = 0;

	rpc_put_string(out, path);
	bytes_put_u64(out, 0);
	peer_send(peer);
	while (more) {
		const void *data;
		size_t size;
		void *to;

		ret = peer_part(peer, &more);
		data = rpc_get_bytes(&peer->in, &size);
		to = bytes_put_room(text, size);
		if (size)
			memcpy(to, data, size);
	}
	return ret;
}

static inline int peer_file_write(struct peer *peer, const char *path, const char *text)
{
	struct bytes_out *out = peer_begin(peer, RPC_FILE_WRITE);

	rpc_put_string(out, path);
	bytes_put_u32(out, RPC_APPEND);
	rpc_put_string(out, text);
	return peer_call(peer);
}

#endif
