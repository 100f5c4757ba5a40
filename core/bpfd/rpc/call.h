/* SPDX-License-Identifier: Apache-2.0 */
/* A call of bpf(2) that a client makes: for the files that implement it. */
#ifndef CORE_BPFD_RPC_CALL_H
#define CORE_BPFD_RPC_CALL_H

#include "core/messages/bpf_abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct handle;
struct map;
struct fd_object;
struct prog;
struct rpc;

/* A pointer of the attributes. */
struct call_ptr {
	const struct bpf_abi_ptr *abi;
	bool present;	/* not NULL */
	uint32_t room;	/* that the caller has */
	const void *in; /* within the message */
	size_t in_size;
	void *data; /* ours; NULL as long as not present */
	size_t size;
};

struct call {
	struct rpc *rpc;
	const struct bpf_abi_command *command;
	uint64_t attr[BPF_ABI_ATTR_MAX / sizeof(uint64_t)];
	size_t attr_size; /* as the caller has it; the kernel gets all, with zeroes behind it */
	struct call_ptr ptrs[BPF_ABI_PTRS];
	unsigned int ptr_count;
	struct map *map; /* that keys and values are of */

	/* What will own the descriptor that is made: one of these, or none yet. */
	struct map *new_map;
	struct prog *new_prog;
	struct fd_object *new_object;
};

/* bpf(2). Returns what it returns, or a negative errno. */
long rpc_sys_bpf(uint32_t number, void *attr, size_t size);

/* BPF_OBJ_GET_INFO_BY_FD of *size bytes, which becomes the kernel's size if that is less. */
int rpc_get_info(int fd, void *info, size_t *size);

/* Takes from the budget what a call that makes an object will need. Returns 0, -ENOMEM, -E2BIG. */
int call_reserve(struct call *call);

/* Gives the descriptor that the call has made to the session; after a failed call, a negative
 * errno, gives back what was reserved. Returns the handle or a negative errno; nothing is left
 * then. */
int call_own(struct call *call, int fd);

/* Appends what the object of a handle is. */
void call_put_object(struct call *call, uint32_t number);

#endif
