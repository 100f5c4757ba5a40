/* SPDX-License-Identifier: Apache-2.0 */
/* Collects measured values and reports minimum, median and maximum. */
#ifndef HOST_USB_SAMPLES_H
#define HOST_USB_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

/* An endless measurement keeps only the latest values, four hours of them at one per second. The
 * median covers the values kept, minimum and maximum cover all. */
#define SAMPLES_MAX 16384

/* The caller sets it to zero. */
struct samples {
	uint64_t values[SAMPLES_MAX];
	uint64_t count, min, max;
};

void samples_add(struct samples *samples, uint64_t value);

/* Returns the median of the values kept, the lower middle one if their number is even, or 0 if
 * there are none. Reorders the values kept. */
uint64_t samples_median(struct samples *samples);

#endif
