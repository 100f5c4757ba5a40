/* SPDX-License-Identifier: Apache-2.0 */
/* Measured values, of which the lowest, the middle and the highest are told. */
#ifndef HOST_USB_SAMPLES_H
#define HOST_USB_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

/* A measurement without end keeps the latest: the median is of these, the extremes are of all. At
 * one a second they last for four hours. */
#define SAMPLES_MAX 16384

/* All zero to begin with. */
struct samples {
	uint64_t values[SAMPLES_MAX];
	uint64_t count, min, max;
};

void samples_add(struct samples *samples, uint64_t value);

/* The median of what is kept, of an even number the lower one of the middle; 0 if there is none.
 * Reorders what is kept. */
uint64_t samples_median(struct samples *samples);

#endif
