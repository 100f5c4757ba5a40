/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of the bridge. */
#ifndef HOST_USB_CLOCK_H
#define HOST_USB_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds. They stand still while this machine sleeps: whether a session outlived that is for
 * the board to say. */
static inline uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

#endif
