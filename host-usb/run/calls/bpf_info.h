/* SPDX-License-Identifier: Apache-2.0 */
/* BPF_OBJ_GET_INFO_BY_FD: what the board's kernel knows about an object. */
#ifndef HOST_USB_RUN_CALLS_BPF_INFO_H
#define HOST_USB_RUN_CALLS_BPF_INFO_H

#include <stddef.h>
#include <stdint.h>

struct bpf_prog_info;
struct btf_types;
struct call;
struct object;

/* Runs the call with these attributes, of attr_size bytes. Returns 0 or a negative errno: that of
 * the board, or -EBADF: not an object of the board; -E2BIG: the info is too long; -EIO: the reply
 * is malformed. */
int64_t bpf_info(const struct call *call, const void *attr, size_t attr_size);

/* Fetches and checks BTF that is not the kernel's, a module's or based on these. Returns 0 and
 * *types, which the caller frees; or a negative errno, -EIO after logging if it is malformed. */
int bpf_info_types(struct object *object, struct btf_types **types);

/* Gets the info of a program of the tool, and the kernel addresses of its functions, at most `max`.
 * Returns the number of addresses written, or a negative errno. */
int64_t bpf_info_program(
	struct object *object, struct bpf_prog_info *info, uint64_t *addresses, size_t max);

#endif
