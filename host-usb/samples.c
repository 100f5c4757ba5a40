/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the latest measured values in a ring. */
#include "host-usb/samples.h"

#include <stdlib.h>

void samples_add(struct samples *s, uint64_t value)
{
	if (s->count == 0 || value < s->min)
		s->min = value;
	if (s->count == 0 || value > s->max)
		s->max = value;
	s->values[s->count++ % SAMPLES_MAX] = value;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t samples_median(struct samples *s)
{
	size_t kept = s->count < SAMPLES_MAX ? (size_t)s->count : SAMPLES_MAX;

	if (kept == 0)
		return 0;
	qsort(s->values, kept, sizeof(s->values[0]), compare);
	return s->values[(kept - 1) / 2];
}
