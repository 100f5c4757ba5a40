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

/* How long poll(2) has to wait for a time of clock_ms(); UINT64_MAX: for ever. */
static inline int clock_timeout(uint64_t deadline_ms)
{
	uint64_t now_ms = clock_ms();

	if (deadline_ms == UINT64_MAX)
		return -1;
	if (deadline_ms <= now_ms)
		return 0;
	return deadline_ms - now_ms > 60000 ? 60000 : (int)(deadline_ms - now_ms);
}

#endif
