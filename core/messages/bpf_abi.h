/* SPDX-License-Identifier: Apache-2.0 */
/* The shape of bpf(2): which bytes of each command's attributes are descriptors, pointers or
 * answers. One table, from which the host packs a call and the board checks and runs it. The layout
 * is that of linux/bpf.h, which is the same for 32 and 64 bits. Pure. */
#ifndef CORE_MESSAGES_BPF_ABI_H
#define CORE_MESSAGES_BPF_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BPF_ABI_ATTR_MAX   256 /* bytes of attributes; linux/bpf.h of 6.18 has 168 */
#define BPF_ABI_INFO_MAX   1024
#define BPF_ABI_STRING_MAX 4096 /* bytes with the NUL: of a name, a licence, a path */
#define BPF_ABI_PTRS	   6
#define BPF_ABI_FDS	   3
#define BPF_ABI_OUTS	   5
#define BPF_ABI_NESTED	   9 /* of one kind of info, at most */

/* Kinds of objects behind descriptors, as bits. */
enum bpf_abi_class {
	BPF_ABI_MAP = 1,
	BPF_ABI_PROG = 2,
	BPF_ABI_BTF = 4,
	BPF_ABI_LINK = 8,
	BPF_ABI_EVENT = 16, /* of perf_event_open(2) */
	BPF_ABI_OTHER = 32, /* keeps something alive, nothing else */
};

/* What a call returns: a number, or a new descriptor of a class. */
#define BPF_ABI_NUMBER 0

/* A descriptor in the attributes, a u32. */
struct bpf_abi_fd {
	uint16_t offset;
	uint16_t classes; /* 0: this is the end of the list */
	bool optional;	  /* 0 means none */
};

/* How many bytes are behind a pointer. */
enum bpf_abi_size {
	BPF_ABI_END,	 /* of the list */
	BPF_ABI_KEY,	 /* of the map that the call names */
	BPF_ABI_VALUE,	 /* the same, for each possible CPU in a per-CPU map */
	BPF_ABI_TOKEN,	 /* of a batch: a key, at least 4 */
	BPF_ABI_KEYS,	 /* count keys */
	BPF_ABI_VALUES,	 /* count values */
	BPF_ABI_COUNT,	 /* the u32 at `count`, times `unit` */
	BPF_ABI_RECORDS, /* the u32 at `count`, times the u32 at `unit` */
	BPF_ABI_STRING,	 /* up to a NUL */
};

#define BPF_ABI_IN  1
#define BPF_ABI_OUT 2

struct bpf_abi_ptr {
	uint16_t offset; /* of the u64 */
	uint8_t direction;
	uint8_t size; /* enum bpf_abi_size */
	uint16_t count, unit;
};

/* A field that the kernel writes. */
struct bpf_abi_out {
	uint16_t offset, size; /* size 0: this is the end of the list */
};

struct bpf_abi_command {
	uint32_t number; /* enum bpf_cmd */
	const char *name;
	uint16_t returns; /* BPF_ABI_NUMBER or one class */
	bool reads;	  /* it changes nothing: a session that is read-only may call it */
	/* 1 + the offset of the flags of what is opened, which then are BPF_F_RDONLY. */
	uint16_t open_flags;
	uint16_t end; /* bytes that are known; what is beyond must be 0 */
	uint16_t map; /* 1 + the offset of the descriptor of the map that KEY and the like are of */
	struct bpf_abi_fd fds[BPF_ABI_FDS + 1];
	struct bpf_abi_ptr ptrs[BPF_ABI_PTRS + 1];
	struct bpf_abi_out outs[BPF_ABI_OUTS + 1];
};

/* The command, or NULL if it cannot be called from afar. BPF_OBJ_GET_INFO_BY_FD is not here: see
 * bpf_abi_nested(). */
const struct bpf_abi_command *bpf_abi_find(uint32_t number);

/* What a command's name is, also of those that cannot be called; NULL if it is unknown here. */
const char *bpf_abi_name(uint32_t number);

/* A pointer within what BPF_OBJ_GET_INFO_BY_FD fills in. */
struct bpf_abi_nested {
	uint16_t offset; /* of the u64 */
	uint16_t count;	 /* of the u32 that tells how much room there is, in units */
	uint16_t unit;	 /* bytes; 0: the u32 at unit_field */
	uint16_t unit_field;
};

/* The pointers in the info of an object, *count of them; link_type (enum bpf_link_type) matters for
 * links. */
const struct bpf_abi_nested *bpf_abi_nested(unsigned int class, uint32_t link_type, size_t *count);

/* Numbers in the attributes, which may be shorter than `size`: what is missing is 0. */
uint32_t bpf_abi_get32(const void *attr, size_t size, size_t offset);
uint64_t bpf_abi_get64(const void *attr, size_t size, size_t offset);

/* Whether a map of that type has a value for each CPU. */
bool bpf_abi_is_percpu(uint32_t map_type);

/* How many bytes a value has for user space: one for each possible CPU in per-CPU maps. */
uint64_t bpf_abi_value_size(uint32_t map_type, uint32_t value_size, uint32_t cpus);

/* How many bytes are behind a pointer of a call, by its attributes and its map's sizes (in bytes,
 * as user space sees them); 0 for BPF_ABI_STRING. Saturates at UINT64_MAX. */
uint64_t bpf_abi_ptr_size(const struct bpf_abi_command *command, const struct bpf_abi_ptr *ptr,
	const void *attr, size_t attr_size, uint64_t key_size, uint64_t value_size);

/* The classes of objects that the values of a map of that type name, or 0: they are plain data.
 * *offset is where in the value, a u32. UINT32_MAX for kinds that cannot be named from afar. */
uint32_t bpf_abi_value_classes(uint32_t map_type, uint32_t *offset);

#endif
