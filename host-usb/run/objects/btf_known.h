/* SPDX-License-Identifier: Apache-2.0 */
/* BTF of programs and maps, as the board sent it first.
 *
 * A tool takes type ids from the info of a map or program, then loads the types. What it gets must
 * be the same types that the ids were checked against. */
#ifndef HOST_USB_RUN_OBJECTS_BTF_KNOWN_H
#define HOST_USB_RUN_OBJECTS_BTF_KNOWN_H

#include "host-usb/run/run.h"

#include <stdint.h>

struct btf_known;
struct btf_types;
struct object;

void btf_known_free(struct btf_known *known);

/* Returns the types with this id, valid until the end. If they are not known yet, fetches them with
 * the tool's `object`; if that is NULL, by their id. NULL: the board does not send them, or not
 * twice the same, or they are malformed. The reason is logged once. */
const struct btf_types *btf_known_get(struct run *run, uint32_t id, struct object *object);

#endif
