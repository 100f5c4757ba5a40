/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of the binary protocol: requests in, replies and streams out. */
#include "core/bpfd/rpc/server.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/bpfd/bpf/cpu_watch.h"
#include "core/bpfd/bpf/fd_object.h"
#include "core/bpfd/bpf/handle.h"
#include "core/bpfd/files/file.h"
#include "core/bpfd/line.h"
#include "core/bpfd/reply.h"
#include "core/bpfd/rpc/operation.h"
#include "core/bpfd/rpc/stream.h"
#include "core/bpfd/rpc/sync.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define INPUT_ROOM   (64 * 1024) /* bytes: a pipe; more only while a larger message needs it */
#define REQUESTS_RUN 16		 /* requests answered before the streams get their turn */

struct input {
	int fd;
	uint8_t *data;
	size_t room, from, to;
	uint64_t skip; /* bytes still to come of a refused message */
	bool ended;
};

static rpc_handler rpc_hello, rpc_close;

static const struct {
	rpc_handler *handler;
	bool reads; /* changes nothing, or checks that itself: allowed in a read-only session */
} operations[] = {
	[RPC_HELLO] = {rpc_hello, true},
	[RPC_BPF] = {rpc_bpf, true},
	[RPC_INFO] = {rpc_info, true},
	[RPC_CLOSE] = {rpc_close, true},
	[RPC_MAP_WALK] = {rpc_map_walk, true},
	[RPC_MAP_SYNC] = {rpc_map_sync, false},
	[RPC_PERF_OPEN] = {rpc_perf_open, false},
	[RPC_PERF_IOCTL] = {rpc_perf_ioctl, false},
	[RPC_RING_OPEN] = {rpc_ring_open, false},
	[RPC_RING_CREDIT] = {rpc_ring_credit, true},
	[RPC_FILE_STAT] = {rpc_file_stat, true},
	[RPC_FILE_ACCESS] = {rpc_file_access, true},
	[RPC_FILE_LINK] = {rpc_file_link, true},
	[RPC_FILE_READ] = {rpc_file_read, true},
	[RPC_FILE_LIST] = {rpc_file_list, true},
	[RPC_FILE_WRITE] = {rpc_file_write, false},
	[RPC_FILE_FOLLOW] = {rpc_file_follow, true},
	[RPC_BTF_LIST] = {rpc_btf_list, true},
	[RPC_FILE_REMOVE] = {rpc_file_remove, false},
	[RPC_FILE_MKDIR] = {rpc_file_mkdir, false},
	[RPC_FILE_RENAME] = {rpc_file_rename, false},
	[RPC_FILE_HASH] = {rpc_file_hash, true},
	[RPC_RING_SYNC] = {rpc_ring_sync, true},
};

/* Returns the type of a PMU, 0 if the kernel has none of that name, or a negative errno. */
static int pmu_type(const struct paths *paths, const char *pmu)
{
	int type = file_pmu_type(paths, pmu);

	return type == -ENOENT || type == -ENOTDIR || type == -EACCES ? 0 : type;
}

/* Returns 0, or a negative errno: a guess would be a wrong answer, the size of values for example.
 */
static int describe_board(const struct paths *paths, struct rpc_hello *hello)
{
	const uint16_t one = 1;
	struct utsname uts;
	char path[PATH_MAX];
	int cpus = libbpf_num_possible_cpus(), kprobe = pmu_type(paths, "kprobe"),
	    uprobe = pmu_type(paths, "uprobe"), err;

	*hello = (struct rpc_hello){.major = RPC_MAJOR,
		.minor = RPC_MINOR,
		.message_max = RPC_MESSAGE_MAX,
		.big_endian = !*(const uint8_t *)&one,
		.word_bits = 8 * sizeof(long),
		.page_size = (uint32_t)sysconf(_SC_PAGESIZE),
		.possible_cpus = cpus > 0 ? (uint32_t)cpus : 0,
		.kprobe_type = kprobe > 0 ? (uint32_t)kprobe : 0,
		.uprobe_type = uprobe > 0 ? (uint32_t)uprobe : 0,
		.realtime_ns = clock_ns(CLOCK_REALTIME),
		.monotonic_ns = clock_ns(CLOCK_MONOTONIC),
		.boottime_ns = clock_ns(CLOCK_BOOTTIME),
		.program = BPFD_USB_VERSION};
	uname(&uts);
	memcpy(hello->sysname, uts.sysname, sizeof(hello->sysname));
	memcpy(hello->nodename, uts.nodename, sizeof(hello->nodename));
	memcpy(hello->release, uts.release, sizeof(hello->release));
	memcpy(hello->version, uts.version, sizeof(hello->version));
	memcpy(hello->machine, uts.machine, sizeof(hello->machine));
	file_online_cpus(paths, hello->online);
	err = path_format(path, "%s/sys/kernel/random/boot_id", paths->proc);
	if (!err && file_read(path, hello->boot_id, sizeof(hello->boot_id)) < 0)
		hello->boot_id[0] = '\0'; /* the host then keeps nothing in its cache */
	hello->boot_id[strcspn(hello->boot_id, "\n")] = '\0';
	if (err)
		return err;
	if (cpus <= 0)
		return cpus ? cpus : -EINVAL;
	return kprobe < 0 ? kprobe : uprobe < 0 ? uprobe : 0;
}

static int rpc_hello(struct rpc *rpc, struct bytes_in *in)
{
	uint16_t major = bytes_get_u16(in);
	struct rpc_hello hello;
	int err;

	bytes_get_u16(in); /* minor versions differ only in the number of operations */
	if (!bytes_get_end(in))
		return -EBADMSG;
	err = describe_board(&rpc->bpfd->config.paths, &hello);
	if (major != RPC_MAJOR)
		err = -EPROTONOSUPPORT;
	else if (err)
		return err;
	bytes_put_u32(&rpc->out, (uint32_t)err);
	rpc_put_hello(&rpc->out, &hello);
	return 0;
}

static int rpc_close(struct rpc *rpc, struct bytes_in *in)
{
	uint32_t number = bytes_get_u32(in);
	const struct handle *handle;

	if (!bytes_get_end(in))
		return -EBADMSG;
	handle = handle_any(rpc->bpfd->handles, number);
	if (!handle)
		return -EBADF;
	stream_close(rpc->streams, number);
	synced_map_close(rpc, number);
	return handle_close(rpc->bpfd->handles, number, handle->class);
}

/* Writes a reply, or the last part of one, that holds only an error. */
static void reply_failure(struct rpc *rpc, int err)
{
	bytes_out_free(&rpc->out);
	rpc_begin(&rpc->out, rpc->op, RPC_FLAG_REPLY, rpc->tag);
	bytes_put_u32(&rpc->out, (uint32_t)err);
	rpc_end(&rpc->out, 0);
}

/* Ring data produced by a call is sent before its reply: a local tool would find it in the ring as
 * soon as the call returns. */
static void send_streams_first(struct rpc *rpc)
{
	struct bytes_out answer = rpc->out;

	rpc->out = (struct bytes_out){.data = NULL};
	stream_set_send(rpc, rpc->streams);
	bytes_out_free(&rpc->out);
	rpc->out = answer;
}

static int answer(struct rpc *rpc, const struct rpc_header *header, const uint8_t *payload)
{
	struct bytes_in in = {.data = payload, .size = header->length};
	bool known = header->op < sizeof(operations) / sizeof(operations[0]) &&
		     operations[header->op].handler;
	int err = -ENOSYS;

	log_debug("request: %s, %u bytes", known ? rpc_op_name(header->op) : "unknown",
		header->length);
	rpc->op = header->op;
	rpc->tag = header->tag;
	rpc_begin(&rpc->out, rpc->op, RPC_FLAG_REPLY, rpc->tag);
	if (known && rpc->bpfd->config.read_only && !operations[header->op].reads)
		err = -EPERM;
	else if (known)
		err = operations[header->op].handler(rpc, &in);
	if (rpc_op_is_silent(header->op)) {
		rpc->out.size = 0;
		return 0;
	}
	if (!err && (rpc->out.failed || rpc->out.size - RPC_HEADER_SIZE > RPC_MESSAGE_MAX))
		err = rpc->out.failed ? -ENOMEM : -E2BIG;
	if (err)
		reply_failure(rpc, err);
	else
		rpc_end(&rpc->out, 0);
	if (rpc->out.failed)
		return -ENOMEM; /* not even for a header and an errno */
	if (rpc->op == RPC_BPF || rpc->op == RPC_PERF_IOCTL)
		send_streams_first(rpc);
	rpc_send(rpc);
	return reply_error(rpc->bpfd->reply);
}

/* Returns the size of the first message in the input, 0 if its header is incomplete, or -EPROTO. */
static int64_t message_size(const struct input *input, struct rpc_header *header)
{
	if (input->to - input->from < RPC_HEADER_SIZE)
		return 0;
	rpc_header_get(input->data + input->from, header);
	if (header->length > RPC_MESSAGE_MAX || header->flags) {
		log_error("message: %u bytes, flags %u: not a message of this protocol",
			header->length, header->flags);
		return -EPROTO;
	}
	return RPC_HEADER_SIZE + (int64_t)header->length;
}

/* Answers up to REQUESTS_RUN complete requests. Returns how many, or a negative errno. */
static int answer_some(struct rpc *rpc, struct input *input)
{
	struct rpc_header header;
	int done;

	for (done = 0; done < REQUESTS_RUN; done++) {
		int64_t size = message_size(input, &header);
		int err;

		if (size < 0)
			return (int)size;
		if (!size || input->to - input->from < (size_t)size)
			break;
		err = answer(rpc, &header, input->data + input->from + RPC_HEADER_SIZE);
		if (err)
			return err;
		input->from += (size_t)size;
	}
	return done;
}

static int input_resize(struct input *input, size_t room)
{
	uint8_t *data = realloc(input->data, room);

	if (!data)
		return -ENOMEM;
	input->data = data;
	input->room = room;
	return 0;
}

/* Answers a message that is too large for the memory with -ENOMEM, and skips the rest of it. */
static int refuse_message(struct rpc *rpc, struct input *input)
{
	struct rpc_header header;
	int64_t size = message_size(input, &header);

	if (size < 0)
		return (int)size;
	input->skip = (uint64_t)size - input->to;
	input->to = 0;
	rpc->op = header.op;
	rpc->tag = header.tag;
	if (rpc_op_is_silent(header.op))
		return 0;
	reply_failure(rpc, -ENOMEM);
	if (rpc->out.failed)
		return -ENOMEM;
	rpc_send(rpc);
	return reply_error(rpc->bpfd->reply);
}

/* Reads once. The room grows with the bytes that have arrived, not with the length in a header. */
static int input_read(struct rpc *rpc, struct input *input)
{
	ssize_t n;

	memmove(input->data, input->data + input->from, input->to - input->from);
	input->to -= input->from;
	input->from = 0;
	if (input->to == input->room && input_resize(input, 2 * input->room))
		return refuse_message(rpc, input);
	if (input->room > INPUT_ROOM && input->to < INPUT_ROOM / 2)
		input_resize(input, INPUT_ROOM); /* without memory the larger one stays */
	n = read(input->fd, input->data + input->to, input->room - input->to);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	input->ended = n == 0;
	input->to += (size_t)n;
	if (input->skip) { /* then the input holds nothing else */
		input->from = input->skip < (uint64_t)n ? (size_t)input->skip : (size_t)n;
		input->skip -= input->from;
	}
	return 0;
}

static int input_open(struct input *input, struct line_reader *lines)
{
	const void *rest;
	size_t size = line_take_rest(lines, &rest);
	int err;

	*input = (struct input){.fd = line_fd(lines)};
	err = input_resize(input, size > INPUT_ROOM ? size : INPUT_ROOM);
	if (err)
		return err;
	memcpy(input->data, rest, size);
	input->to = size;
	return 0;
}

/* One turn: some requests, a piece of each stream, and then a wait for input or stream data. */
static int serve_once(struct rpc *rpc, struct input *input)
{
	const volatile sig_atomic_t *stop = rpc->bpfd->config.stop;
	bool sent;
	int err, done;

	done = answer_some(rpc, input);
	if (done < 0)
		return done;
	sent = stream_set_send(rpc, rpc->streams);
	cpu_watch_check(rpc->bpfd->cpus, clock_monotonic_ms());
	err = reply_error(rpc->bpfd->reply);
	if (err)
		return err;
	if (stop && *stop)
		return -EINTR;
	if (done == REQUESTS_RUN) /* there may be more requests */
		return 0;
	if (!sent && !input->ended) {
		err = reply_flush(rpc->bpfd->reply);
		if (err)
			return err;
	}
	if (input->ended) {
		bool within = input->to > input->from || input->skip;

		if (within)
			log_error("message: the input ends within a message");
		return within ? -EPROTO : -ENODATA;
	}
	err = stream_set_poll(rpc->streams, input->fd, !sent);
	return err > 0 ? input_read(rpc, input) : err;
}

int rpc_serve(struct bpfd *bpfd)
{
	struct rpc rpc = {.bpfd = bpfd};
	struct input input;
	int err;

	err = input_open(&input, bpfd->input);
	if (!err)
		err = stream_set_new(&rpc.streams, &bpfd->memory);
	while (!err)
		err = serve_once(&rpc, &input);
	if (err == -ENODATA)
		err = 0;
	if (err == -EPROTO) /* the replies to the requests before it are valid */
		reply_flush(bpfd->reply);
	synced_map_close_all(&rpc);
	stream_set_free(rpc.streams);
	bytes_out_free(&rpc.out);
	free(input.data);
	return err;
}
