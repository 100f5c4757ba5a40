/* SPDX-License-Identifier: Apache-2.0 */
/* A bpf(2) call of the tool as the board receives it: with handles and without pointers. */
#ifndef HOST_USB_RUN_CALLS_BPF_PACK_H
#define HOST_USB_RUN_CALLS_BPF_PACK_H

#include "core/messages/bpf_abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes_out;
struct call;
struct object;

#define BPF_ATTR_MAX 4096 /* bytes of attributes that the kernel looks at */

struct bpf_request {
	const struct call *call;
	const struct bpf_abi_command *command;
	uint64_t user_attr; /* where the attributes are in the tool */
	size_t size;
	char attr[BPF_ABI_ATTR_MAX];   /* as the tool has them */
	char packed[BPF_ABI_ATTR_MAX]; /* with handles, without pointers */
	struct object *map;	       /* that the call is about, or NULL */
	uint64_t room[BPF_ABI_PTRS];   /* of pointers that the kernel writes to */
};

/* Writes the call as the payload of RPC_BPF, with what its pointers point to, and sets `packed` and
 * `room`. Returns 0 or a negative errno, and then the payload is of no use. */
int bpf_pack(struct bpf_request *request, struct bytes_out *out);

/* Whether a pointer is that of a log, which may have more room than the kernel ever fills. */
bool bpf_pack_is_log(const struct bpf_request *request, const struct bpf_abi_ptr *ptr);

#endif
