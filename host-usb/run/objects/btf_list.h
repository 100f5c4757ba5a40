/* SPDX-License-Identifier: Apache-2.0 */
/* BTF of the board's kernel and modules, fetched in one round trip.
 *
 * Tools ask for each module's BTF one by one, with three calls each. */
#ifndef HOST_USB_RUN_OBJECTS_BTF_LIST_H
#define HOST_USB_RUN_OBJECTS_BTF_LIST_H

#include "host-usb/run/run.h"

#include <stdint.h>

#define BTF_LIST_NAME_SIZE 64 /* bytes of a module's name with its NUL */

struct btf_list;
struct object;

void btf_list_free(struct btf_list *list);

/* Answers BPF_BTF_GET_NEXT_ID. Returns 0 and the id after `id` in *next; -ENOENT if `id` is the
 * last one; CALL_CONTINUE if the caller must ask the board. */
int64_t btf_list_next(struct run *run, uint32_t id, uint32_t *next);

/* Answers BPF_BTF_GET_FD_BY_ID for the kernel or a module. Returns 0 and an object with its BTF
 * info but no handle on the board; CALL_CONTINUE if the caller must ask the board; or a negative
 * errno. */
int64_t btf_list_object(struct run *run, uint32_t id, struct object **object);

/* Asks the board for a handle of BTF. Returns it, or a negative errno. */
int64_t btf_list_handle(struct run *run, uint32_t id);

/* Makes the handle of an object of btf_list_object(), unless it has one. Returns 0 or a negative
 * errno. */
int btf_list_need_handle(struct object *object);

#endif
