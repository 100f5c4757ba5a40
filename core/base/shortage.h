/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that say nothing about a file. */
#ifndef CORE_BASE_SHORTAGE_H
#define CORE_BASE_SHORTAGE_H

#include <errno.h>
#include <stdbool.h>

/* Returns true for the negative errno of a lack of descriptors or memory. */
static inline bool is_shortage(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM;
}

#endif
