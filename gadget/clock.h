/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of leases and deadlines. */
#ifndef GADGET_CLOCK_H
#define GADGET_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds that go on while the board sleeps: a lease runs out in suspend too. */
static inline uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

#endif
