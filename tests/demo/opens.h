/* SPDX-License-Identifier: Apache-2.0 */
/* Structures that the demo's BPF programs and its client share. */
#ifndef TESTS_DEMO_OPENS_H
#define TESTS_DEMO_OPENS_H

#include <linux/types.h>

#define OPEN_COMM_SIZE 16
#define OPEN_PATH_SIZE 104
#define LATENCY_SLOTS  24 /* powers of two of microseconds, up to 8 s */

/* An open that has finished: a record of the rings. */
struct open_event {
	__u64 time_ns; /* the board's monotonic clock */
	__u32 pid;
	__s32 result; /* file descriptor or negative errno */
	char comm[OPEN_COMM_SIZE];
	char path[OPEN_PATH_SIZE];
};

/* An open that has begun: a value of the map start. */
struct open_start {
	__u64 time_ns;
	__u64 path; /* address in the process */
};

#endif
