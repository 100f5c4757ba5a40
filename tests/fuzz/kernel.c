/* SPDX-License-Identifier: Apache-2.0 */
/* The fake kernel of the fuzzers: bpf(2), perf_event_open(2) and ioctl(2).
 *
 * Each map has the same few entries. A program with an odd first byte is refused, with a log. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seams.h"

#include "core/base/log.h"
#include "core/messages/bpf_abi.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS	    4096
#define CPUS	    4
#define ENTRIES	    3	      /* of each map */
#define OBJECT_SIZE (1 << 26) /* bytes that can be mapped; unwritten ones take no memory */

static struct {
	uint32_t type, key_size, value_size, max_entries, flags;
} maps[FDS];

int kernel_object(void)
{
	struct {
		struct perf_event_header header;
		uint32_t size;
		char data[12];
	} sample = {{PERF_RECORD_SAMPLE, 0, sizeof(sample)}, 12, "abcdefghijk"};
	const uint32_t ringbuf[4] = {8, 0, 'r', 'b'};
	const uint64_t head = sizeof(sample);
	const off_t page = sysconf(_SC_PAGESIZE);
	int fd = memfd_create("anon_inode:object", MFD_CLOEXEC);

	MUST(fd >= 0 && fd < FDS && !ftruncate(fd, OBJECT_SIZE));
	/* The object serves as any ring. A perf ring has its data in the second page. A BPF ring
	 * buffer has its data in the third page, and the second begins with the producer's
	 * position: those bytes are the header of the sample. */
	MUST(pwrite(fd, &head, 8, offsetof(struct perf_event_mmap_page, data_head)) == 8);
	MUST(pwrite(fd, &sample, sizeof(sample), page) == sizeof(sample));
	MUST(pwrite(fd, ringbuf, sizeof(ringbuf), 2 * page) == sizeof(ringbuf));
	return fd;
}

static int new_map(
	uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max_entries, uint32_t flags)
{
	const uint64_t produced = 16;
	int fd;

	if (!max_entries) {
		errno = EINVAL;
		return -1;
	}
	fd = kernel_object();
	if (type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
		type == BPF_MAP_TYPE_LRU_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE)
		value_size = (value_size + 7) / 8 * 8 * CPUS;
	if (type == BPF_MAP_TYPE_RINGBUF)
		MUST(pwrite(fd, &produced, 8, sysconf(_SC_PAGESIZE)) == 8);
	maps[fd].type = type;
	maps[fd].key_size = key_size;
	maps[fd].value_size = value_size;
	maps[fd].max_entries = max_entries;
	maps[fd].flags = flags;
	return fd;
}

/* The first byte of a key is its number, from 1. */
static int next_key(int fd, const uint8_t *key, uint8_t *next)
{
	uint8_t n = key && maps[fd].key_size ? key[0] : 0;

	if (n >= ENTRIES) {
		errno = ENOENT;
		return -1;
	}
	memset(next, 0, maps[fd].key_size);
	if (maps[fd].key_size)
		next[0] = (uint8_t)(n + 1);
	return 0;
}

static int lookup(int fd, const uint8_t *key, void *value)
{
	if (maps[fd].key_size && (!key[0] || key[0] > ENTRIES)) {
		errno = ENOENT;
		return -1;
	}
	memset(value, 'v', maps[fd].value_size);
	return 0;
}

static int lookup_batch(int fd, void *keys, void *values, uint32_t *count)
{
	for (uint32_t i = 0; i < ENTRIES && i < *count; i++) {
		memset((char *)keys + i * maps[fd].key_size, (int)i + 1, maps[fd].key_size);
		memset((char *)values + i * maps[fd].value_size, 'v', maps[fd].value_size);
	}
	*count = *count < ENTRIES ? *count : ENTRIES;
	errno = ENOENT;
	return -1;
}

static int load(const uint8_t *insns, char *log, uint32_t log_size)
{
	if (!(insns[0] & 1))
		return kernel_object();
	if (log_size)
		snprintf(log, log_size, "R0 !read_ok\nprocessed 1 insns\n");
	errno = EINVAL;
	return -1;
}

static int get_info(int fd, void *info, uint32_t *size)
{
	const struct bpf_map_info map = {.type = maps[fd].type,
		.id = (__u32)fd,
		.key_size = maps[fd].key_size,
		.value_size = maps[fd].value_size,
		.max_entries = maps[fd].max_entries,
		.map_flags = maps[fd].flags};

	memcpy(info, &map, *size < sizeof(map) ? *size : sizeof(map));
	return 0;
}

static bool is_object(uint32_t fd)
{
	struct stat st;

	return fd < FDS && !fstat((int)fd, &st) && st.st_size == OBJECT_SIZE;
}

/* Checks that no number of the client has become a pointer or a descriptor: memory at a pointer
 * must be readable, and a descriptor must be that of an object. */
static void check_attr(int number, const void *given, size_t size)
{
	const struct bpf_abi_command *command = bpf_abi_find((uint32_t)number);
	uint8_t attr[BPF_ABI_ATTR_MAX] = {0};

	MUST(size <= sizeof(attr));
	memcpy(attr, given, size);
	for (int i = 0; command && command->ptrs[i].size != BPF_ABI_END; i++) {
		const volatile char *at = (const char *)(uintptr_t)bpf_abi_get64(
			attr, sizeof(attr), command->ptrs[i].offset);

		if (at)
			*at;
	}
	for (const struct bpf_abi_fd *fd = command ? command->fds : NULL; fd && fd->classes; fd++) {
		uint32_t descriptor = bpf_abi_get32(attr, sizeof(attr), fd->offset);

		MUST(descriptor == UINT32_MAX || (fd->optional && !descriptor) ||
			is_object(descriptor));
	}
}

/* bpf(2), as the board's side calls it without libbpf. */
static int sys_bpf(int command, const void *given, size_t size)
{
	union bpf_attr attr;
	uint32_t count;
	int ret;

	check_attr(command, given, size);
	memset(&attr, 0, sizeof(attr));
	memcpy(&attr, given, size < sizeof(attr) ? size : sizeof(attr));
	errno = EINVAL;
	if (command != BPF_MAP_CREATE && command != BPF_PROG_LOAD && command != BPF_BTF_LOAD &&
		attr.map_fd >= FDS)
		return -1;
	switch (command) {
	case BPF_MAP_CREATE:
		return new_map(attr.map_type, attr.key_size, attr.value_size, attr.max_entries,
			attr.map_flags);
	case BPF_MAP_LOOKUP_ELEM:
	case BPF_MAP_LOOKUP_AND_DELETE_ELEM:
		return attr.value ? lookup((int)attr.map_fd, (void *)attr.key, (void *)attr.value)
				  : -1;
	case BPF_MAP_GET_NEXT_KEY:
		return attr.next_key
			       ? next_key((int)attr.map_fd, (void *)attr.key, (void *)attr.next_key)
			       : -1;
	case BPF_MAP_LOOKUP_BATCH:
		count = attr.batch.count;
		if (!attr.batch.keys || !attr.batch.values)
			return -1;
		ret = lookup_batch((int)attr.batch.map_fd, (void *)attr.batch.keys,
			(void *)attr.batch.values, &count);
		((union bpf_attr *)given)->batch.count = count;
		return ret;
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_DELETE_ELEM:
	case BPF_MAP_FREEZE:
	case BPF_OBJ_PIN:
	case BPF_PROG_TEST_RUN:
		return 0;
	case BPF_PROG_LOAD:
		return attr.insns ? load((void *)attr.insns, (void *)attr.log_buf,
					    attr.log_level && attr.log_buf ? attr.log_size : 0)
				  : -1;
	case BPF_OBJ_GET_INFO_BY_FD:
		count = attr.info.info_len;
		return get_info((int)attr.info.bpf_fd, (void *)attr.info.info, &count);
	case BPF_BTF_GET_NEXT_ID:
		errno = ENOENT;
		((union bpf_attr *)given)->next_id = attr.start_id + 1;
		return attr.start_id < ENTRIES ? 0 : -1;
	case BPF_BTF_LOAD:
	case BPF_OBJ_GET:
	case BPF_LINK_CREATE:
	case BPF_RAW_TRACEPOINT_OPEN:
	case BPF_BTF_GET_FD_BY_ID:
	case BPF_MAP_GET_FD_BY_ID:
	case BPF_PROG_GET_FD_BY_ID:
		return kernel_object();
	default:
		return -1;
	}
}

long fuzz_syscall(long number, ...)
{
	long a[5];
	va_list ap;

	va_start(ap, number);
	for (size_t i = 0; i < 5; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	switch (number) {
	case SYS_bpf:
		return sys_bpf((int)a[0], (void *)a[1], (size_t)a[2]);
	case SYS_perf_event_open:
		return kernel_object();
	case SYS_pidfd_open:
	case SYS_pidfd_getfd:
		return syscall(number, a[0], a[1], a[2], a[3]);
	default:
		errno = ENOSYS;
		return -1;
	}
}

int fuzz_ioctl(int fd, unsigned long request, ...)
{
	return 0;
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap); /* reads all arguments */
	va_end(ap);
}

/* The limits of this process must not change. */
int fuzz_setrlimit(int resource, const void *limit)
{
	return 0;
}

/* The calls of libbpf that the board's side uses. */

int fuzz_map_create(enum bpf_map_type type, const char *name, __u32 key_size, __u32 value_size,
	__u32 max_entries, const struct bpf_map_create_opts *opts)
{
	int fd = new_map(type, key_size, value_size, max_entries, opts->map_flags);

	return fd < 0 ? -errno : fd;
}

int fuzz_map_lookup_elem(int fd, const void *key, void *value)
{
	return lookup(fd, key, value) ? -errno : 0;
}

int fuzz_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	return flags > 2 ? -EINVAL : 0;
}

int fuzz_map_delete_elem(int fd, const void *key)
{
	return 0;
}

int fuzz_map_get_next_key(int fd, const void *key, void *next)
{
	return next_key(fd, key, next) ? -errno : 0;
}

int fuzz_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *count,
	const struct bpf_map_batch_opts *opts)
{
	if (maps[fd].type == BPF_MAP_TYPE_ARRAY)
		return -EINVAL; /* like an old kernel without batch calls */
	return lookup_batch(fd, keys, values, count) ? -errno : 0;
}

int fuzz_map_lookup_and_delete_batch(int fd, void *in, void *out, void *keys, void *values,
	__u32 *count, const struct bpf_map_batch_opts *opts)
{
	return fuzz_map_lookup_batch(fd, in, out, keys, values, count, opts);
}

int fuzz_prog_load(enum bpf_prog_type type, const char *name, const char *license,
	const struct bpf_insn *insns, size_t count, const struct bpf_prog_load_opts *opts)
{
	int fd = load((const uint8_t *)insns, opts->log_buf, opts->log_buf ? opts->log_size : 0);

	return fd < 0 ? -errno : fd;
}

int fuzz_obj_get_info(int fd, void *info, __u32 *size)
{
	return get_info(fd, info, size);
}

/* Some closed maps still exist; ids of closed programs are not listed. */
int fuzz_map_get_next_id(__u32 id, __u32 *next)
{
	*next = id + 1 + (id & 1);
	return 0;
}

int fuzz_prog_get_next_id(__u32 id, __u32 *next)
{
	return -EPERM;
}

int fuzz_btf_get_next_id(__u32 id, __u32 *next)
{
	return -ENOENT;
}

int fuzz_num_possible_cpus(void)
{
	return CPUS;
}

/* The tool of bpfd-run is always still waiting for the reply. */
int seccomp_notify_id_valid(int fd, uint64_t id)
{
	return 0;
}
