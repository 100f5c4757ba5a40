/* SPDX-License-Identifier: Apache-2.0 */
/* A bpf(2) call of the tool as the board receives it: handles, no pointers. */
#ifndef HOST_USB_RUN_CALLS_BPF_PACK_H
#define HOST_USB_RUN_CALLS_BPF_PACK_H

#include "core/messages/bpf_abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes_out;
struct call;
struct object;

#define BPF_ATTR_MAX 4096 /* bytes of attributes that the kernel reads */

struct bpf_request {
	const struct call *call;
	const struct bpf_abi_command *command;
	uint64_t user_attr; /* address of the attributes in the tool */
	size_t size;
	char attr[BPF_ABI_ATTR_MAX];   /* as the tool passed them */
	char packed[BPF_ABI_ATTR_MAX]; /* with handles, without pointers */
	struct object *map;	       /* the map that the call names, or NULL */
	uint64_t room[BPF_ABI_PTRS];   /* bytes of each buffer that the kernel fills */
};

/* Writes the call and the contents of its buffers as the payload of RPC_BPF. Sets `packed` and
 * `room`. Returns 0 or a negative errno; after an error the caller must drop the payload. */
int bpf_pack(struct bpf_request *request, struct bytes_out *out);

#endif
