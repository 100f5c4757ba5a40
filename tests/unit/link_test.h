/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded random numbers and transfers made by hand, for the tests of the link. */
#ifndef TESTS_UNIT_LINK_TEST_H
#define TESTS_UNIT_LINK_TEST_H

#include "core/link/link.h"

/* cmocka.h requires these four headers before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* splitmix64: small, and any seed is good. */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Returns 0 to limit - 1. */
static inline uint64_t random_below(uint64_t *state, uint64_t limit)
{
	return random_next(state) % limit;
}

/* Returns a new seed for each run and prints it: BPFD_TEST_SEED=N repeats a failure. */
static inline uint64_t random_seed(void)
{
	const char *given = getenv("BPFD_TEST_SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = given ? strtoull(given, NULL, 0)
		     : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	printf("# BPFD_TEST_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

/* A transfer made frame by frame, with any fault that a test needs. */
struct wire {
	uint8_t bytes[TRANSFER_MAX];
	size_t len;
	uint32_t seq;
};

/* Starts the next transfer; the frame numbers continue. */
static inline void wire_next(struct wire *w)
{
	w->len = 0;
}

static inline void wire_add(struct wire *w, enum frame_type type, const void *payload, size_t len)
{
	assert_true(w->len + FRAME_HEADER + len <= sizeof(w->bytes));
	frame_put_header(w->bytes + w->len, type, len, w->seq++);
	if (len > 0)
		memcpy(w->bytes + w->len + FRAME_HEADER, payload, len);
	w->len += FRAME_HEADER + len;
}

/* Makes a transfer of one frame. */
static inline void wire_only(struct wire *w, enum frame_type type, const void *payload, size_t len)
{
	wire_next(w);
	wire_add(w, type, payload, len);
}

static inline struct hello wire_hello_default(uint64_t nonce)
{
	return (struct hello){
		.major = LINK_MAJOR,
		.minor = LINK_MINOR,
		.max_transfer = 16384,
		.nonce = nonce,
		.lease_ms = LEASE_MS,
	};
}

/* Makes a transfer of a HELLO, with which frame numbers start again. */
static inline void wire_hello(struct wire *w, const struct hello *hello)
{
	uint8_t payload[FRAME_PAYLOAD_MAX];

	w->seq = 0;
	wire_only(w, FRAME_HELLO, payload, hello_put(payload, hello));
}

/* Takes the frame at *offset, which must be of this type. */
static inline struct frame wire_expect(
	const uint8_t *transfer, size_t len, size_t *offset, enum frame_type type)
{
	struct frame frame = {.len = 0};

	assert_int_equal(frame_next(transfer, len, offset, &frame), 1);
	assert_string_equal(frame_name(frame.type), frame_name(type));
	return frame;
}

#endif
