/* SPDX-License-Identifier: Apache-2.0 */
/* BPF_OBJ_GET_INFO_BY_FD. */
#ifndef HOST_USB_RUN_BPF_INFO_H
#define HOST_USB_RUN_BPF_INFO_H

#include <stddef.h>
#include <stdint.h>

struct call;

/* Runs the call with these attributes. Returns as a handler does. */
int64_t bpf_info(const struct call *call, const void *attr, size_t attr_size);

#endif
