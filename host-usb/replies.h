/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the banner and the replies in the output of bpfd, or detects another program. */
#ifndef HOST_USB_REPLIES_H
#define HOST_USB_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLIES_LINE_MAX  128  /* bytes of a line that are kept */
#define REPLIES_BANNER_MS 5000 /* a slow board needs this long to start bpfd */

/* What the next line must be. FOREIGN: the output is not that of bpfd. */
enum replies_state { REPLIES_BANNER, REPLIES_BEGIN, REPLIES_FIRST, REPLIES_REST, REPLIES_FOREIGN };

/* The caller sets it to zero. */
struct replies {
	enum replies_state state;
	uint64_t count;			  /* complete replies so far */
	char first[REPLIES_LINE_MAX + 1]; /* first line of the last reply, raw; may be empty */
	char line[REPLIES_LINE_MAX + 1];
	size_t len;
};

/* Reads output up to the end of one reply. Returns the number of bytes read, which is more than 0
 * if `len` is. */
size_t replies_take(struct replies *replies, const void *data, size_t len);

/* True after the banner, until the output cannot be that of bpfd. */
bool replies_ready(const struct replies *replies);

#endif
