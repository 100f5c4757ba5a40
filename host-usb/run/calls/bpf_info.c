/* SPDX-License-Identifier: Apache-2.0 */
/* BPF_OBJ_GET_INFO_BY_FD, including the buffers that the info points to. */
#include "host-usb/run/calls/bpf_info.h"

#include "core/base/log.h"
#include "core/messages/bpf_abi.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/reply_check.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/btf.h"
#include "host-usb/run/files/cache.h"
#include "host-usb/run/objects/btf_known.h"
#include "host-usb/run/objects/btf_list.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct info_call {
	struct object *object;
	const struct call *call; /* of the tool; NULL: bpfd-run itself needs the info */
	uint64_t user;		 /* address of the info in the tool */
	size_t size;
	char data[BPF_ABI_INFO_MAX], asked[BPF_ABI_INFO_MAX]; /* asked: as the tool passed it */
	const struct bpf_abi_nested *table; /* all pointers of this kind of info */
	size_t table_count;
	uint64_t own[BPF_ABI_NESTED];			     /* their values in the tool's info */
	const struct bpf_abi_nested *nested[BPF_ABI_NESTED]; /* pointers to buffers with room */
	uint64_t pointer[BPF_ABI_NESTED], room[BPF_ABI_NESTED];
	uint8_t count;
};

/* Takes the pointers and the room of their buffers out of the info. */
static void take_nested(struct info_call *info)
{
	info->table =
		bpf_abi_nested(info->object->class, info->object->link_type, &info->table_count);
	for (size_t i = 0; i < info->table_count; i++) {
		const struct bpf_abi_nested *nested = &info->table[i];
		uint64_t pointer = bpf_abi_get64(info->data, info->size, nested->offset);
		uint64_t room = bpf_abi_nested_room(nested, info->data, info->size);

		info->own[i] = pointer;
		bpf_abi_set64(info->data, info->size, nested->offset, 0);
		if (!pointer || !room || room > RPC_INFO_MAX)
			continue;
		info->nested[info->count] = nested;
		info->pointer[info->count] = pointer;
		info->room[info->count++] = room;
	}
}

/* Asks the board. The counts and sizes of records in the info must be set. */
static int64_t ask(struct info_call *info, struct bytes_in *reply)
{
	struct client *client = info->object->run->client;
	struct bytes_out *out = client_begin(client, RPC_INFO);

	memcpy(info->asked, info->data, sizeof(info->asked));
	bytes_put_u32(out, info->object->handle);
	rpc_put_bytes(out, info->data, info->size);
	bytes_put_u8(out, info->count);
	for (size_t i = 0; i < info->count; i++) {
		bytes_put_u16(out, info->nested[i]->offset);
		bytes_put_u32(out, (uint32_t)info->room[i]);
	}
	client_note(client, "%u", info->object->handle);
	return client_call(client, reply);
}

/* The type of a link decides which pointers its info has; the board knows the type. */
static int64_t learn_link_type(struct object *object)
{
	struct info_call info = {.object = object, .size = sizeof(struct bpf_link_info)};
	struct bytes_in reply;
	const void *data;
	int64_t ret;
	size_t size;

	if (object->class != BPF_ABI_LINK || object->link_type)
		return 0;
	ret = ask(&info, &reply);
	if (ret < 0)
		return ret;
	data = rpc_get_bytes(&reply, &size);
	object->link_type = data ? bpf_abi_get32(data, size, 0) : 0;
	return 0;
}

/* Returns the kind of an object, for messages. */
static const char *kind_of(const struct object *object)
{
	switch (object->class) {
	case BPF_ABI_MAP:
		return "map";
	case BPF_ABI_PROG:
		return "program";
	case BPF_ABI_BTF:
		return "BTF";
	default:
		return "link";
	}
}

/* Takes the info and its lists out of the reply, and checks them. Returns 0 or -EIO after logging.
 * The lists are valid until the next request. */
static int take_reply(struct info_call *info, struct bytes_in *reply, struct info_reply *taken)
{
	size_t size;
	const void *data = rpc_get_bytes(reply, &size);
	bool is_good = data && size <= info->size;

	/* An older kernel may report less than the tool asks for, but of a map all of these. */
	if (is_good && info->object->class == BPF_ABI_MAP &&
		info->size >= offsetof(struct bpf_map_info, map_flags))
		is_good = size >= offsetof(struct bpf_map_info, map_flags);
	*taken = (struct info_reply){.object = info->object, .asked = info->asked};
	if (is_good) {
		memcpy(info->data, data, size);
		taken->data = info->data;
		taken->size = size;
	}
	for (; is_good && taken->count < info->count; taken->count++) {
		size_t i = taken->count;

		taken->nested[i] = info->nested[i];
		taken->list[i] = rpc_get_bytes(reply, &taken->list_size[i]);
		is_good = taken->list[i] && taken->list_size[i] <= info->room[i];
	}
	if (is_good && reply_info_is_possible(taken))
		return 0;
	log_error("%s %u: the board's description is malformed", kind_of(info->object),
		info->object->handle);
	return -EIO;
}

/* Moves the lists out of the reply, which the next request overwrites. The caller frees the result.
 * NULL: no memory. */
static char *copy_lists(struct info_reply *taken)
{
	size_t size = 0;
	char *copy, *at;

	for (size_t i = 0; i < taken->count; i++)
		size += taken->list_size[i];
	at = copy = malloc(size + 1);
	for (size_t i = 0; copy && i < taken->count; i++) {
		memcpy(at, taken->list[i], taken->list_size[i]);
		taken->list[i] = at;
		at += taken->list_size[i];
	}
	return copy;
}

/* Copies the checked reply into the tool's memory. All pointers in the info are the tool's own: it
 * would follow those of the board. */
static int write_reply(struct info_call *info, const struct info_reply *taken, uint64_t user_attr)
{
	uint32_t length = (uint32_t)taken->size;
	int err;

	if (!bpf_abi_link_is_plain_event(info->object->link_type, info->data, taken->size))
		for (size_t i = 0; i < info->table_count; i++)
			bpf_abi_set64(info->data, taken->size, info->table[i].offset, info->own[i]);
	err = memory_write(info->call, info->user, info->data, taken->size);
	if (!err)
		err = memory_write(info->call, user_attr + offsetof(union bpf_attr, info.info_len),
			&length, sizeof(length));
	for (size_t i = 0; !err && i < info->count; i++)
		err = memory_write(
			info->call, info->pointer[i], taken->list[i], taken->list_size[i]);
	return err;
}

/* Checks the reply and copies it into the tool's memory. */
static int unpack(struct info_call *info, struct bytes_in *reply, uint64_t user_attr)
{
	struct info_reply taken;
	int err = take_reply(info, reply, &taken);
	char *lists;

	if (err)
		return err;
	lists = copy_lists(&taken);
	if (!lists)
		return -ENOMEM;
	if (reply_info_check_types(&taken)) {
		reply_info_hold_counts(&taken, info->object);
		err = write_reply(info, &taken, user_attr);
	} else {
		log_error(
			"program %u: its functions are not among its types", info->object->handle);
		err = -EIO;
	}
	free(lists);
	return err;
}

/* Asks for info with the pointers that are set, and checks the reply. Returns like ask(), or -EIO.
 */
static int64_t ask_checked(struct info_call *info, struct info_reply *taken)
{
	struct bytes_in reply;
	int64_t ret;

	take_nested(info);
	ret = ask(info, &reply);
	return ret < 0 ? ret : take_reply(info, &reply, taken);
}

/* The name and size of BTF never change, so they are fetched once. */
static int64_t learn_btf(struct object *object)
{
	struct info_call info = {.object = object, .size = sizeof(struct bpf_btf_info)};
	struct bpf_btf_info btf = {.name = 1, .name_len = BTF_LIST_NAME_SIZE}; /* any, not NULL */
	struct info_reply taken;
	int64_t ret;

	if (object->btf_info)
		return 0;
	memcpy(info.data, &btf, sizeof(btf));
	ret = ask_checked(&info, &taken);
	if (ret < 0)
		return ret;
	memset(&btf, 0, sizeof(btf));
	memcpy(&btf, taken.data, taken.size);
	object->path = strdup(taken.list[0]); /* checked to have a NUL */
	object->btf_info = object->path ? malloc(sizeof(btf)) : NULL;
	if (!object->btf_info)
		return -ENOMEM;
	*object->btf_info = btf;
	return 0;
}

/* Copies the first `size` bytes of a file into the tool's memory. */
static int copy_file(const struct call *call, uint64_t to, int fd, uint64_t size)
{
	char data[16384];
	uint64_t done = 0;

	while (done < size) {
		size_t piece = size - done < sizeof(data) ? size - done : sizeof(data);
		ssize_t n = pread(fd, data, piece, (off_t)done);
		int err = n <= 0 ? -EIO : memory_write(call, to + done, data, (size_t)n);

		if (err)
			return err;
		done += (uint64_t)n;
	}
	return 0;
}

/* Writes the first `size` of `whole` bytes of BTF that has no types. */
static int write_no_types(const struct call *call, uint64_t to, uint32_t size, uint32_t whole)
{
	const struct btf_header header = {.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(header),
		.str_len = whole - (uint32_t)sizeof(header)};
	static const char zeros[16384];
	uint32_t done = size < sizeof(header) ? size : sizeof(header);
	int err;

	if (whole <= sizeof(header))
		return -EIO;
	err = memory_write(call, to, &header, done);
	while (!err && done < size) {
		uint32_t piece = size - done < sizeof(zeros) ? size - done : sizeof(zeros);

		err = memory_write(call, to + done, zeros, piece);
		done += piece;
	}
	return err;
}

/* Writes the first `size` bytes of the types of the kernel or a module. Returns 0 or a negative
 * errno, *why if there are no such types. */
static int write_kernel_types(const struct object *object, const struct call *call, uint64_t to,
	uint32_t size, const char **why)
{
	int fd = cache_open_btf(object->run->cache, object->path), err = -EIO;
	struct stat st;

	*why = NULL;
	if (fd < 0)
		*why = strerror(-fd);
	else if (fstat(fd, &st) < 0 || (uint64_t)st.st_size != object->btf_info->btf_size)
		*why = "its size is wrong"; /* a part of what was checked would not be checked */
	else
		err = copy_file(call, to, fd, size);
	if (fd >= 0)
		close(fd);
	return err;
}

/* The same for types of programs and maps. */
static int write_known_types(struct object *object, const struct call *call, uint64_t to,
	uint32_t size, const char **why)
{
	const struct btf_types *types = btf_known_get(object->run, object->btf_info->id, object);
	const void *data;
	size_t whole = 0;

	data = types ? btf_data(types, &whole) : NULL;
	*why = NULL;
	if (data && whole == object->btf_info->btf_size)
		return memory_write(call, to, data, size);
	*why = data ? "its size is wrong" : "refused";
	return -EIO;
}

/* Writes the first `size` bytes of types. If they cannot be fetched or are malformed, the tool gets
 * no types instead of an error, which no kernel returns here: bpftrace crashes then. */
static int write_types(struct object *object, const struct call *call, uint64_t to, uint32_t size)
{
	uint32_t whole = object->btf_info->btf_size;
	const char *why;
	int err;

	size = size < whole ? size : whole;
	if (object->btf_info->kernel_btf)
		err = write_kernel_types(object, call, to, size, &why);
	else
		err = write_known_types(object, call, to, size, &why);
	if (!why)
		return err;
	log_warning("BTF %u%s%s: %s; the tool gets none of these types", object->btf_info->id,
		*object->path ? " of " : "", object->path, why);
	return write_no_types(call, to, size, whole);
}

/* Answers like the kernel: copies as much as fits, and reports the full lengths. */
static int64_t answer_btf(struct info_call *info, uint64_t user_attr)
{
	const struct bpf_btf_info *known = info->object->btf_info;
	const char *name = info->object->path;
	uint32_t length = info->size < sizeof(*known) ? (uint32_t)info->size : sizeof(*known);
	struct bpf_btf_info wanted = {.id = 0}, answer = *known;
	size_t name_size = strlen(name) + 1;
	int err = 0;

	memcpy(&wanted, info->data, length);
	answer.btf = wanted.btf;
	answer.name = wanted.name;
	answer.name_len = (uint32_t)name_size - 1;
	if (!wanted.name != !wanted.name_len)
		return -EINVAL;
	if (wanted.btf && wanted.btf_size)
		err = write_types(info->object, info->call, wanted.btf, wanted.btf_size);
	if (!err && wanted.name)
		err = wanted.name_len < name_size
			      ? -ENOSPC
			      : memory_write(info->call, wanted.name, name, name_size);
	if (!err || err == -ENOSPC) {
		int failed = memory_write(info->call, info->user, &answer, length);

		if (!failed)
			failed = memory_write(info->call,
				user_attr + offsetof(union bpf_attr, info.info_len), &length,
				sizeof(length));
		err = failed ? failed : err;
	}
	return err;
}

int64_t bpf_info(const struct call *call, const void *attr, size_t attr_size)
{
	struct info_call info = {.call = call};
	struct bytes_in reply;
	int64_t ret;

	info.object = object_of(call,
		(int)bpf_abi_get32(attr, attr_size, offsetof(union bpf_attr, info.bpf_fd)),
		BPF_ABI_MAP | BPF_ABI_PROG | BPF_ABI_BTF | BPF_ABI_LINK);
	if (!info.object)
		return -EBADF;
	info.user = bpf_abi_get64(attr, attr_size, offsetof(union bpf_attr, info.info));
	info.size = bpf_abi_get32(attr, attr_size, offsetof(union bpf_attr, info.info_len));
	if (info.size > sizeof(info.data))
		return -E2BIG;
	ret = memory_read(call, info.user, info.data, info.size);
	if (!ret)
		ret = learn_link_type(info.object);
	if (!ret && info.object->class == BPF_ABI_BTF)
		ret = learn_btf(info.object);
	if (ret)
		return ret;
	if (info.object->class == BPF_ABI_BTF)
		return answer_btf(&info, call->args[1]);
	take_nested(&info);
	ret = ask(&info, &reply);
	return ret < 0 ? ret : unpack(&info, &reply, call->args[1]);
}

int bpf_info_types(struct object *object, struct btf_types **types)
{
	struct info_call info = {.object = object, .size = sizeof(struct bpf_btf_info)};
	struct bpf_btf_info btf = {.btf = 1}; /* any, not NULL */
	struct info_reply taken;
	const char *why;
	int64_t ret = learn_btf(object);
	int err;

	if (ret < 0)
		return (int)ret;
	btf.btf_size = object->btf_info->btf_size;
	memcpy(info.data, &btf, sizeof(btf));
	ret = ask_checked(&info, &taken);
	if (ret < 0)
		return (int)ret;
	if (!taken.count || taken.list_size[0] != btf.btf_size)
		return -EIO;
	err = btf_read(types, taken.list[0], btf.btf_size, NULL, &why);
	if (err == -EPROTO)
		log_error("BTF %u: the board's types are malformed: %s", object->btf_info->id, why);
	return err == -EPROTO ? -EIO : err;
}

int64_t bpf_info_program(
	struct object *object, struct bpf_prog_info *program, uint64_t *addresses, size_t max)
{
	struct info_call info = {.object = object, .size = sizeof(*program)};
	struct info_reply taken;
	size_t count;
	int64_t ret;

	memset(program, 0, sizeof(*program));
	program->nr_jited_ksyms = (uint32_t)max;
	program->jited_ksyms = 1; /* any pointer that is not NULL; it is not sent */
	memcpy(info.data, program, sizeof(*program));
	ret = ask_checked(&info, &taken);
	if (ret < 0)
		return ret;
	memcpy(program, info.data, taken.size);
	memcpy(addresses, taken.list[0], taken.list_size[0]);
	count = taken.list_size[0] / sizeof(*addresses);
	return program->nr_jited_ksyms < count ? program->nr_jited_ksyms : (int64_t)count;
}
