/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that grow as symbols are read. */
#ifndef CORE_BPFD_SYMBOLS_ARRAY_H
#define CORE_BPFD_SYMBOLS_ARRAY_H

#include <stddef.h>

/* Both take the address of a pointer to the array, whose elements have `size` bytes each. */

/* Gives the array room for `count` elements. Returns 0; -ENOMEM: the array is unchanged. */
int array_resize(void *array, size_t count, size_t size);

/* Makes sure that the array has room for `wanted` elements, and half as many more if it grows. *cap
 * is the room that it has. Returns 0; -ENOMEM: the array is unchanged. */
int array_reserve(void *array, size_t *cap, size_t wanted, size_t size);

#endif
