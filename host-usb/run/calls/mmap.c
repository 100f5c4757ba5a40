/* SPDX-License-Identifier: Apache-2.0 */
/* mmap(2) of events and maps: prepares a memory file, which the workstation's kernel maps. */
#include "core/messages/bpf_abi.h"
#include "core/messages/rpc.h"
#include "host-usb/run/objects/mirror.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/objects/tool_ring.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

/* The length must be one page and 2^n pages of data, as in the kernel. */
static int64_t map_event(struct object *object, uint64_t length, uint64_t offset)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), size = length - page;
	int err;

	if (offset || length % page || length < 2 * page || size & (size - 1))
		return -EINVAL;
	if (object->ring)
		return tool_ring_size(object->ring) == size ? CALL_CONTINUE : -EINVAL;
	err = tool_ring_open_event(object, size);
	return err ? err : CALL_CONTINUE;
}

/* True if a mapping lies within the first `size` bytes, rounded up to pages, of a map's memory. The
 * memory file would let the tool map more. */
static bool is_within(const struct call *call, uint64_t size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), offset = call->args[5];
	uint64_t room = (size + page - 1) / page * page;

	return offset <= room && call->args[1] <= room - offset;
}

/* As in the kernel, only the page with the consumer's position can be written to. */
static int64_t map_ringbuf(const struct call *call, struct object *object, bool writable)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int err;

	if (writable && (call->args[5] || call->args[1] > page))
		return -EPERM;
	if (!is_within(call, 2 * page + 2 * (uint64_t)object->max_entries))
		return -EINVAL;
	err = object->ring ? 0 : tool_ring_open_map(object);
	return err ? err : CALL_CONTINUE;
}

static int64_t map_array(const struct call *call, struct object *object, bool writable)
{
	uint64_t element = (object->value_size + RPC_SYNC_WORD - 1) / RPC_SYNC_WORD * RPC_SYNC_WORD;
	int err;

	if (!(object->map_flags & BPF_F_MMAPABLE))
		return -EOPNOTSUPP;
	if (writable && object->frozen)
		return -EPERM;
	if (writable && object->map_flags & BPF_F_RDONLY_PROG)
		return -EACCES;
	if (!is_within(call, element * object->max_entries))
		return -EINVAL;
	err = mirror_open(object, writable);
	return err ? err : CALL_CONTINUE;
}

/* mmap(address, length, protection, flags, fd, offset) */
int64_t sys_mmap(const struct call *call)
{
	struct object *object = object_of_any(call, (int)call->args[4]);
	bool writable = call->args[2] & PROT_WRITE;

	if (!object || object->class & (OBJECT_DIRECTORY | OBJECT_WRITER | OBJECT_STREAM))
		return CALL_CONTINUE;
	if (object->class == BPF_ABI_EVENT)
		return map_event(object, call->args[1], call->args[5]);
	if (object->class != BPF_ABI_MAP)
		return -ENODEV;
	if (object->map_type == BPF_MAP_TYPE_RINGBUF)
		return map_ringbuf(call, object, writable);
	if (object->map_type == BPF_MAP_TYPE_ARRAY)
		return map_array(call, object, writable);
	run_unsupported(call, "mapping a map of this type");
	return -EOPNOTSUPP;
}
