/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks of the workstation. */
#ifndef HOST_USB_CLOCK_H
#define HOST_USB_CLOCK_H

#include "core/base/clock.h"

/* Milliseconds. They stand still while this machine sleeps: whether a session outlived that is for
 * the board to say. */
static inline uint64_t clock_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

#endif
