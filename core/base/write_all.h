/* SPDX-License-Identifier: Apache-2.0 */
/* write(2) that continues after a signal and after a part. */
#ifndef CORE_BASE_WRITE_ALL_H
#define CORE_BASE_WRITE_ALL_H

#include <stddef.h>

/* Writes `size` bytes to a blocking descriptor. Returns 0, or a negative errno after writing some
 * of them. */
int write_all(int fd, const char *data, size_t size);

#endif
