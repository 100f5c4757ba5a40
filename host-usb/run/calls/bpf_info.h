/* SPDX-License-Identifier: Apache-2.0 */
/* BPF_OBJ_GET_INFO_BY_FD. */
#ifndef HOST_USB_RUN_CALLS_BPF_INFO_H
#define HOST_USB_RUN_CALLS_BPF_INFO_H

#include <stddef.h>
#include <stdint.h>

struct bpf_prog_info;
struct call;
struct object;

/* Runs the call with these attributes. Returns as a handler does. */
int64_t bpf_info(const struct call *call, const void *attr, size_t attr_size);

/* What the board tells of a program of the tool, with the addresses of its functions, at most max
 * of them. Returns how many there are in `addresses`, or a negative errno. */
int64_t bpf_info_program(
	struct object *object, struct bpf_prog_info *info, uint64_t *addresses, size_t max);

#endif
