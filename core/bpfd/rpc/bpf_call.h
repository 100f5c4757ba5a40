/* SPDX-License-Identifier: Apache-2.0 */
/* A call of bpf(2) for the client, for the files that implement it. */
#ifndef CORE_BPFD_RPC_BPF_CALL_H
#define CORE_BPFD_RPC_BPF_CALL_H

#include "core/messages/bpf_abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct handle;
struct map;
struct fd_object;
struct prog;
struct rpc;

#define BPF_GUARD 8 /* spare bytes after each buffer that the kernel gets */

/* A pointer in the attributes. */
struct call_ptr {
	const struct bpf_abi_ptr *abi;
	uint8_t direction; /* for the call's map: BPF_ABI_IN or BPF_ABI_OUT */
	bool present;	   /* the client's pointer is not NULL */
	uint32_t room;	   /* bytes that the client has for the result */
	const void *in;	   /* the client's data, within the message */
	size_t in_size;
	void *data; /* the buffer that the kernel gets; NULL if not present */
	size_t size;
};

struct bpf_call {
	struct rpc *rpc;
	const struct bpf_abi_command *command;
	/* The kernel gets the whole array: the client's attributes, then zeroes. */
	uint64_t attr[BPF_ABI_ATTR_MAX / sizeof(uint64_t)];
	size_t attr_size; /* bytes of the client's attributes */
	struct call_ptr ptrs[BPF_ABI_PTRS];
	unsigned int ptr_count;
	struct map *map; /* the map of the command's keys and values */

	/* The future owner of the new descriptor: one of these, or none yet. */
	struct map *new_map;
	struct prog *new_prog;
	struct fd_object *new_object;
};

/* Calls bpf(2). Returns its result or a negative errno. */
long rpc_sys_bpf(uint32_t number, void *attr, size_t size);

/* Calls BPF_OBJ_GET_INFO_BY_FD for *size bytes. *size becomes the kernel's size if that is less.
 * Returns 0 or a negative errno. */
int rpc_get_info(int fd, void *info, size_t *size);

/* Reads and writes numbers of the attributes. A field of the table is whole within the array even
 * if the client's attributes end before it or in it: the kernel would use such a part too. */
uint32_t bpf_call_get32(const struct bpf_call *call, size_t offset);
void bpf_call_set32(struct bpf_call *call, size_t offset, uint32_t value);

/* Takes from the budget what the object of the call will need. Returns 0, -ENOMEM, -E2BIG. */
int bpf_call_reserve(struct bpf_call *call);

/* Gives the new descriptor to the session. fd may be the negative errno of a failed call. Returns
 * the handle, or a negative errno: then the descriptor is closed and the budget is given back. */
int bpf_call_own(struct bpf_call *call, int fd);

/* Appends the description of a handle's object to the reply. */
void bpf_call_put_object(struct bpf_call *call, uint32_t number);

#endif
