/* SPDX-License-Identifier: Apache-2.0 */
/* The type information of the board's kernel and its modules, learned in one round trip: tools ask
 * for it one by one, three times for each module. */
#ifndef HOST_USB_RUN_OBJECTS_BTF_LIST_H
#define HOST_USB_RUN_OBJECTS_BTF_LIST_H

#include "host-usb/run/run.h"

#include <stdint.h>

#define BTF_LIST_NAME_SIZE 64 /* bytes of a module's name with its NUL */

struct btf_list;
struct object;

void btf_list_free(struct btf_list *list);

/* BPF_BTF_GET_NEXT_ID. Returns 0 and *next; -ENOENT: there is none; CALL_CONTINUE: the board has to
 * be asked. */
int64_t btf_list_next(struct run *run, uint32_t id, uint32_t *next);

/* BPF_BTF_GET_FD_BY_ID of the kernel's or a module's: the board makes its handle when it is needed.
 * Returns 0 and an object that knows what it is; CALL_CONTINUE; or a negative errno. */
int64_t btf_list_object(struct run *run, uint32_t id, struct object **object);

/* Makes that handle, unless it is there. Returns 0 or a negative errno. */
int btf_list_need_handle(struct object *object);

#endif
