/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that consist of a descriptor only: BTF, links, perf events, files. */
#ifndef CORE_BPFD_BPF_FD_OBJECT_H
#define CORE_BPFD_BPF_FD_OBJECT_H

#include "core/bpfd/bpf/handle.h"

#include <stdint.h>

struct budget;
struct fd_object;

extern const struct handle_class btf_class, link_class, event_class, follow_class, other_class;

/* Makes an object without a descriptor, and takes its bytes from the budget. Returns 0, -ENOMEM. */
int fd_object_reserve(struct fd_object **object, uint64_t bytes, struct budget *budget);

/* Gives the object its descriptor, which it then owns. */
void fd_object_adopt(struct fd_object *object, int fd);

/* The id of an object that holds no descriptor; 0: it has none. */
void fd_object_set_id(struct fd_object *object, uint32_t id);
uint32_t fd_object_id(const struct fd_object *object);

/* Closes and frees the object. NULL is fine. */
void fd_object_free(struct fd_object *object);

/* The classes of enum bpf_abi_class that a handle belongs to; 0: none. */
unsigned int handle_abi_classes(const struct handle *handle);

/* The descriptor of a handle that belongs to one of these classes, or -EBADF. */
int handle_abi_fd(const struct handles *handles, int64_t number, unsigned int classes);

#endif
