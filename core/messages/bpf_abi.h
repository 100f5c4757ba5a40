/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of bpf(2): which attributes of a command are descriptors, pointers or results.
 *
 * One table: the host packs a call by it, the board checks and makes the call by it. The layout is
 * that of linux/bpf.h, which is the same for 32 and 64 bits. Pure. */
#ifndef CORE_MESSAGES_BPF_ABI_H
#define CORE_MESSAGES_BPF_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BPF_ABI_ATTR_MAX   256	/* bytes of attributes; linux/bpf.h of 6.18 has 168 */
#define BPF_ABI_INFO_MAX   1024 /* bytes that BPF_OBJ_GET_INFO_BY_FD fills in, without lists */
#define BPF_ABI_STRING_MAX 4096 /* bytes of a name, a licence or a path, with the NUL */

/* The most entries in the lists of one command, and of pointers in one kind of info. */
#define BPF_ABI_PTRS   6
#define BPF_ABI_FDS    3
#define BPF_ABI_OUTS   5
#define BPF_ABI_NESTED 9

/* Numbers that linux/bpf.h lacked until the kernel version named. Older numbers come from that
 * header: the table needs the header of 5.19. */
#define BPF_ABI_MAP_TYPE_USER_RINGBUF 31 /* 6.1 */
#define BPF_ABI_MAP_TYPE_ARENA	      33 /* 6.9 */
#define BPF_ABI_TRACE_UPROBE_MULTI    48 /* 6.6 */
#define BPF_ABI_LINK_UPROBE_MULTI     12 /* 6.6 */

/* Commands that linux/bpf.h lacked until the kernel version named. The protocol carries none. */
#define BPF_ABI_TOKEN_CREATE	       36 /* 6.9 */
#define BPF_ABI_PROG_STREAM_READ_BY_FD 37 /* 6.17 */
#define BPF_ABI_PROG_ASSOC_STRUCT_OPS  38 /* 7.0 */

/* The kinds of objects that a descriptor can stand for, as bits. */
enum bpf_abi_class {
	BPF_ABI_MAP = 1,
	BPF_ABI_PROG = 2,
	BPF_ABI_BTF = 4,
	BPF_ABI_LINK = 8,
	BPF_ABI_EVENT = 16, /* of perf_event_open(2) */
	BPF_ABI_OTHER = 32, /* only keeps something alive */
};

/* For `returns`: the call returns a number. Otherwise it returns a new descriptor of a class. */
#define BPF_ABI_NUMBER 0

/* A descriptor in the attributes, a u32. */
struct bpf_abi_fd {
	uint16_t offset;
	uint16_t classes; /* that the descriptor may have; 0 ends the list */
	bool optional;	  /* the value 0 stands for no descriptor */
};

/* How many bytes a pointer points to. */
enum bpf_abi_size {
	BPF_ABI_END,	 /* ends the list */
	BPF_ABI_KEY,	 /* a key of the call's map */
	BPF_ABI_VALUE,	 /* a value of the call's map, with the parts of all possible CPUs */
	BPF_ABI_TOKEN,	 /* a position of a batch: a key, but at least 4 bytes */
	BPF_ABI_KEYS,	 /* as many keys as the batch counts */
	BPF_ABI_VALUES,	 /* as many values as the batch counts */
	BPF_ABI_COUNT,	 /* the u32 at `count`, times `unit` */
	BPF_ABI_RECORDS, /* the u32 at `count`, times the u32 at `unit` */
	BPF_ABI_STRING,	 /* up to a NUL */
};

/* For `direction`: the kernel reads what the pointer points to, or writes it. */
#define BPF_ABI_IN  1
#define BPF_ABI_OUT 2

struct bpf_abi_ptr {
	uint16_t offset; /* of the pointer, a u64 */
	uint8_t direction;
	uint8_t size;	      /* enum bpf_abi_size */
	uint16_t count, unit; /* for BPF_ABI_COUNT and BPF_ABI_RECORDS */
};

/* A field that the kernel writes. */
struct bpf_abi_out {
	uint16_t offset, size; /* size 0 ends the list */
};

struct bpf_abi_command {
	uint32_t number; /* enum bpf_cmd */
	const char *name;
	uint16_t returns; /* BPF_ABI_NUMBER, or the classes of the new descriptor */
	bool reads;	  /* changes nothing, so a read-only session may call it */
	/* 1 + the offset of the flags of the opened object; 0: the command has none. A read-only
	 * session sets them to BPF_F_RDONLY. */
	uint16_t open_flags;
	uint16_t end; /* of the known fields; all bytes after them must be 0 */
	uint16_t map; /* 1 + the offset of the descriptor of the call's map; 0: it has none */
	struct bpf_abi_fd fds[BPF_ABI_FDS + 1];
	struct bpf_abi_ptr ptrs[BPF_ABI_PTRS + 1];
	struct bpf_abi_out outs[BPF_ABI_OUTS + 1];
};

/* Returns the command of a number of enum bpf_cmd, or NULL if the protocol cannot carry it.
 * BPF_OBJ_GET_INFO_BY_FD is not in the table: see bpf_abi_nested(). */
const struct bpf_abi_command *bpf_abi_find(uint32_t number);

/* Returns the name of a command, also if the protocol cannot carry it; NULL: unknown. */
const char *bpf_abi_name(uint32_t number);

/* A pointer to a list, in the info that BPF_OBJ_GET_INFO_BY_FD fills in. */
struct bpf_abi_nested {
	uint16_t offset; /* of the pointer, a u64 */
	uint16_t count;	 /* offset of the u32 with the room of the list, in units */
	uint16_t unit;	 /* bytes; 0: the unit is the u32 at unit_field */
	uint16_t unit_field;
};

/* Returns the pointers in the info of an object, *count of them; NULL and 0: it has none. The
 * pointers of a link depend on link_type (enum bpf_link_type), which other classes ignore. */
const struct bpf_abi_nested *bpf_abi_nested(unsigned int class, uint32_t link_type, size_t *count);

/* True if this info of a link has a number where that of other perf events has a pointer to a name.
 */
bool bpf_abi_link_is_plain_event(uint32_t link_type, const void *info, size_t size);

/* Returns the room of a list in bytes, by the fields of an info of `size` bytes. */
uint64_t bpf_abi_nested_room(const struct bpf_abi_nested *nested, const void *info, size_t size);

/* Read a number of attributes that have `size` bytes. If the number is not whole within them, it is
 * 0. */
uint32_t bpf_abi_get32(const void *attr, size_t size, size_t offset);
uint64_t bpf_abi_get64(const void *attr, size_t size, size_t offset);

/* Write a number into attributes that have `size` bytes; nothing if it is not whole within them. */
void bpf_abi_set32(void *attr, size_t size, size_t offset, uint32_t value);
void bpf_abi_set64(void *attr, size_t size, size_t offset, uint64_t value);

/* True if the pointer is to the verifier's log, or BTF's. Its room may be any size: the kernel
 * fills what it needs. */
bool bpf_abi_is_log(const struct bpf_abi_command *command, const struct bpf_abi_ptr *ptr);

/* Returns BPF_ABI_IN or BPF_ABI_OUT. A bloom filter has no keys: its lookup reads the value. */
unsigned int bpf_abi_direction(
	const struct bpf_abi_command *command, const struct bpf_abi_ptr *ptr, uint32_t map_type);

/* True unless flags of an element can change how many bytes the kernel reads or writes. BPF_F_CPU
 * and BPF_F_ALL_CPUS (7.0) do, and so may flags of the future. */
bool bpf_abi_flags_known(uint64_t flags);

/* The same, for the flags in the attributes; true for commands without keys or values. */
bool bpf_abi_element_flags_known(
	const struct bpf_abi_command *command, const void *attr, size_t size);

/* True if a map of that type has a value for each CPU. */
bool bpf_abi_is_percpu(uint32_t map_type);

/* Returns the bytes of a value in user space: in per-CPU maps a part for each of `cpus` possible
 * CPUs, each rounded up to 8 bytes. */
uint64_t bpf_abi_value_size(uint32_t map_type, uint32_t value_size, uint32_t cpus);

/* Returns how many bytes a pointer of a call points to, by the call's attributes and the sizes of
 * its map, in bytes as user space sees them; 0 for BPF_ABI_STRING. Saturates at UINT64_MAX. */
uint64_t bpf_abi_ptr_size(const struct bpf_abi_command *command, const struct bpf_abi_ptr *ptr,
	const void *attr, size_t attr_size, uint64_t key_size, uint64_t value_size);

/* Returns the classes of the descriptor that values of that map type hold, a u32 at *offset.
 * 0: values are plain data. UINT32_MAX: the protocol cannot carry that kind of descriptor. */
uint32_t bpf_abi_value_classes(uint32_t map_type, uint32_t *offset);

#endif
