/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the kernel's clocks. */
#ifndef CORE_BASE_CLOCK_H
#define CORE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_TIMEOUT_MAX_MS 60000 /* poll(2) takes an int: longer waits are split */

/* Nanoseconds of a clock. */
static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec t = {0, 0};

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Milliseconds that stop while the machine is suspended. The workstation's deadlines use them: the
 * board decides whether a session survived a suspend. */
static inline uint64_t clock_monotonic_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

/* Milliseconds that go on while the machine is suspended. The board's deadlines use them: a lease
 * runs out in suspend too. */
static inline uint64_t clock_boottime_ms(void)
{
	return clock_ns(CLOCK_BOOTTIME) / 1000000;
}

/* The timeout for poll(2) until a time of clock_boottime_ms(): milliseconds, at most
 * CLOCK_TIMEOUT_MAX_MS; -1 for UINT64_MAX, which means forever. */
static inline int clock_boottime_timeout(uint64_t deadline_ms)
{
	uint64_t now_ms = clock_boottime_ms();

	if (deadline_ms == UINT64_MAX)
		return -1;
	if (deadline_ms <= now_ms)
		return 0;
	return deadline_ms - now_ms > CLOCK_TIMEOUT_MAX_MS ? CLOCK_TIMEOUT_MAX_MS
							   : (int)(deadline_ms - now_ms);
}

#endif
