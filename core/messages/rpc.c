/* SPDX-License-Identifier: Apache-2.0 */
/* The codec of the binary protocol's messages. */
#include "core/messages/rpc.h"

#include <string.h>

const char *rpc_op_name(unsigned int op)
{
	switch (op) {
#define RPC_OP(number, name, answer, help) \
	case number:                       \
		return #name;
		RPC_OPS(RPC_OP)
#undef RPC_OP
	default:
		return NULL;
	}
}

bool rpc_op_is_silent(unsigned int op)
{
	switch (op) {
#define RPC_OP(number, name, answer, help) \
	case number:                       \
		return answer == RPC_SILENT;
		RPC_OPS(RPC_OP)
#undef RPC_OP
	default:
		return false;
	}
}

void rpc_header_put(uint8_t to[RPC_HEADER_SIZE], const struct rpc_header *header)
{
	struct bytes_out out = bytes_out_fixed(to, RPC_HEADER_SIZE);

	bytes_put_u32(&out, header->length);
	bytes_put_u32(&out, header->tag);
	bytes_put_u16(&out, header->op);
	bytes_put_u16(&out, header->flags);
}

void rpc_header_get(const uint8_t from[RPC_HEADER_SIZE], struct rpc_header *header)
{
	struct bytes_in in = {.data = from, .size = RPC_HEADER_SIZE};

	header->length = bytes_get_u32(&in);
	header->tag = bytes_get_u32(&in);
	header->op = bytes_get_u16(&in);
	header->flags = bytes_get_u16(&in);
}

size_t rpc_begin(struct bytes_out *out, unsigned int op, unsigned int flags, uint32_t tag)
{
	const struct rpc_header header = {.tag = tag, .op = (uint16_t)op, .flags = (uint16_t)flags};
	size_t start = out->size;
	uint8_t *to = bytes_put_room(out, RPC_HEADER_SIZE);

	if (to)
		rpc_header_put(to, &header);
	return start;
}

void rpc_end(struct bytes_out *out, size_t start)
{
	bytes_put_u32_at(out, start, (uint32_t)(out->size - start - RPC_HEADER_SIZE));
}

void rpc_put_bytes(struct bytes_out *out, const void *data, size_t size)
{
	void *to;

	bytes_put_u32(out, (uint32_t)size);
	to = bytes_put_room(out, size);
	if (!to || !size)
		return;
	if (data)
		memcpy(to, data, size);
	else
		memset(to, 0, size);
}

void rpc_put_string(struct bytes_out *out, const char *text)
{
	rpc_put_bytes(out, text, strlen(text));
}

const void *rpc_get_bytes(struct bytes_in *in, size_t *size)
{
	*size = bytes_get_u32(in);
	const void *from = bytes_get(in, *size);

	if (!from)
		*size = 0;
	return from;
}

bool rpc_get_string(struct bytes_in *in, char *text, size_t size)
{
	size_t length;
	const void *from = rpc_get_bytes(in, &length);

	*text = 0;
	if (!from || length >= size || memchr(from, 0, length)) {
		in->failed = true;
		return false;
	}
	memcpy(text, from, length);
	text[length] = 0;
	return true;
}

void rpc_put_stat(struct bytes_out *out, const struct rpc_stat *stat)
{
	bytes_put_u32(out, stat->mode);
	bytes_put_u32(out, stat->nlink);
	bytes_put_u32(out, stat->uid);
	bytes_put_u32(out, stat->gid);
	bytes_put_u64(out, stat->ino);
	bytes_put_u64(out, stat->size);
	bytes_put_u64(out, stat->blocks);
	bytes_put_u32(out, stat->dev_major);
	bytes_put_u32(out, stat->dev_minor);
	bytes_put_u32(out, stat->rdev_major);
	bytes_put_u32(out, stat->rdev_minor);
	bytes_put_u32(out, stat->block_size);
	bytes_put_u64(out, (uint64_t)stat->atime_s);
	bytes_put_u64(out, (uint64_t)stat->mtime_s);
	bytes_put_u64(out, (uint64_t)stat->ctime_s);
	bytes_put_u32(out, stat->atime_ns);
	bytes_put_u32(out, stat->mtime_ns);
	bytes_put_u32(out, stat->ctime_ns);
}

void rpc_get_stat(struct bytes_in *in, struct rpc_stat *stat)
{
	stat->mode = bytes_get_u32(in);
	stat->nlink = bytes_get_u32(in);
	stat->uid = bytes_get_u32(in);
	stat->gid = bytes_get_u32(in);
	stat->ino = bytes_get_u64(in);
	stat->size = bytes_get_u64(in);
	stat->blocks = bytes_get_u64(in);
	stat->dev_major = bytes_get_u32(in);
	stat->dev_minor = bytes_get_u32(in);
	stat->rdev_major = bytes_get_u32(in);
	stat->rdev_minor = bytes_get_u32(in);
	stat->block_size = bytes_get_u32(in);
	stat->atime_s = (int64_t)bytes_get_u64(in);
	stat->mtime_s = (int64_t)bytes_get_u64(in);
	stat->ctime_s = (int64_t)bytes_get_u64(in);
	stat->atime_ns = bytes_get_u32(in);
	stat->mtime_ns = bytes_get_u32(in);
	stat->ctime_ns = bytes_get_u32(in);
}

/* The versions come first in every version of the protocol. */
void rpc_put_hello(struct bytes_out *out, const struct rpc_hello *hello)
{
	bytes_put_u16(out, hello->major);
	bytes_put_u16(out, hello->minor);
	rpc_put_string(out, hello->program);
	bytes_put_u32(out, hello->message_max);
	bytes_put_u8(out, hello->big_endian);
	bytes_put_u8(out, hello->word_bits);
	bytes_put_u32(out, hello->page_size);
	bytes_put_u32(out, hello->possible_cpus);
	bytes_put_u32(out, hello->kprobe_type);
	bytes_put_u32(out, hello->uprobe_type);
	bytes_put_u64(out, hello->realtime_ns);
	bytes_put_u64(out, hello->monotonic_ns);
	bytes_put_u64(out, hello->boottime_ns);
	rpc_put_string(out, hello->sysname);
	rpc_put_string(out, hello->nodename);
	rpc_put_string(out, hello->release);
	rpc_put_string(out, hello->version);
	rpc_put_string(out, hello->machine);
	rpc_put_string(out, hello->boot_id);
	rpc_put_string(out, hello->online);
}

void rpc_get_hello(struct bytes_in *in, struct rpc_hello *hello)
{
	hello->major = bytes_get_u16(in);
	hello->minor = bytes_get_u16(in);
	rpc_get_string(in, hello->program, sizeof(hello->program));
	hello->message_max = bytes_get_u32(in);
	hello->big_endian = bytes_get_u8(in);
	hello->word_bits = bytes_get_u8(in);
	hello->page_size = bytes_get_u32(in);
	hello->possible_cpus = bytes_get_u32(in);
	hello->kprobe_type = bytes_get_u32(in);
	hello->uprobe_type = bytes_get_u32(in);
	hello->realtime_ns = bytes_get_u64(in);
	hello->monotonic_ns = bytes_get_u64(in);
	hello->boottime_ns = bytes_get_u64(in);
	rpc_get_string(in, hello->sysname, sizeof(hello->sysname));
	rpc_get_string(in, hello->nodename, sizeof(hello->nodename));
	rpc_get_string(in, hello->release, sizeof(hello->release));
	rpc_get_string(in, hello->version, sizeof(hello->version));
	rpc_get_string(in, hello->machine, sizeof(hello->machine));
	rpc_get_string(in, hello->boot_id, sizeof(hello->boot_id));
	rpc_get_string(in, hello->online, sizeof(hello->online));
}
