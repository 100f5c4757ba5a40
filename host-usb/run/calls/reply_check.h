/* SPDX-License-Identifier: Apache-2.0 */
/* Checks replies to bpf(2) for numbers that no kernel returns. Tools size memory by them. */
#ifndef HOST_USB_RUN_CALLS_REPLY_CHECK_H
#define HOST_USB_RUN_CALLS_REPLY_CHECK_H

#include "core/messages/bpf_abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_request;
struct object;

/* Returns true if a kernel could leave these attributes in a call that returns `ret`. */
bool reply_attr_is_possible(const struct bpf_request *request, const void *attr, int64_t ret);

/* Returns true if a kernel could fill the buffer of this pointer with the data. */
bool reply_data_is_possible(
	const struct bpf_request *request, size_t ptr, const void *data, size_t size, int64_t ret);

/* An info in a reply, and the lists that the tool asked for. */
struct info_reply {
	const struct object *object;
	const char *asked; /* the info as the tool passed it, `size` bytes */
	char *data;	   /* the info in the reply, `size` bytes */
	size_t size;
	const struct bpf_abi_nested *nested[BPF_ABI_NESTED];
	const char *list[BPF_ABI_NESTED];
	size_t list_size[BPF_ABI_NESTED]; /* bytes */
	size_t count;			  /* number of lists */
};

/* Returns true if a kernel could return this info. */
bool reply_info_is_possible(const struct info_reply *info);

/* Returns the list of the info whose pointer is at the offset, and its size in bytes; NULL: the
 * tool has not asked for it. */
const char *reply_info_list(const struct info_reply *info, size_t offset, size_t *size);

/* Compares the type ids in a possible info with the types themselves, for which it may ask the
 * board: the lists must be copies. Removes the type ids of a map that do not fit.
 * Returns false if the functions of a program do not. */
bool reply_info_check_types(const struct info_reply *info);

/* A tool sizes a buffer by the count of a first reply and then uses the count of a second. If a
 * list has grown meanwhile beyond that buffer, changes the second count to the first. */
void reply_info_hold_counts(const struct info_reply *info, struct object *object);

#endif
