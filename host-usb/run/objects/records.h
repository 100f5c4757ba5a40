/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the records that a board puts into rings. Tools use the sizes in them unchecked. */
#ifndef HOST_USB_RUN_OBJECTS_RECORDS_H
#define HOST_USB_RUN_OBJECTS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct perf_event_attr;

/* The attributes of a perf event that decide what its samples contain. */
struct record_format {
	uint64_t sample_type, read_format, branch_type, user_registers;
	bool mixed; /* other events write samples of another format into the ring */
};

struct record_format record_format_of(const struct perf_event_attr *attr);

/* Events with these formats share the ring of the first. */
void record_format_share(struct record_format *ring, const struct record_format *other);

/* Return true if the data consists of whole records whose inner sizes fit: of a perf ring, and of a
 * BPF ring buffer. */
bool records_fit_event(const struct record_format *format, const char *data, size_t size);
bool records_fit_map(const char *data, size_t size);

/* Returns the size of the first record of the kernel's log, bytes; 0: malformed. A record is a
 * line, and the lines after it that start with a space. It consists of printable ASCII, because the
 * kernel escapes all else. */
size_t record_log_size(const char *data, size_t size);

/* Returns true if the data consists of whole records of the kernel's log. */
bool records_fit_log(const char *data, size_t size);

#endif
