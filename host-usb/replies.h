/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the banner and the replies in what a bpfd writes, or that it is none that writes. */
#ifndef HOST_USB_REPLIES_H
#define HOST_USB_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLIES_LINE_MAX  128  /* bytes of a line that are kept */
#define REPLIES_BANNER_MS 5000 /* for a slow board to start bpfd; it says the banner at once */

/* What the next line has to be. */
enum replies_state { REPLIES_BANNER, REPLIES_BEGIN, REPLIES_FIRST, REPLIES_REST, REPLIES_FOREIGN };

/* All zero to begin with. */
struct replies {
	enum replies_state state;
	uint64_t count;			  /* whole replies so far */
	char first[REPLIES_LINE_MAX + 1]; /* the first line of the last one, raw; may be empty */
	char line[REPLIES_LINE_MAX + 1];
	size_t len;
};

/* Takes output up to the end of one reply. Returns how many bytes it took, more than 0 if len is.
 */
size_t replies_take(struct replies *replies, const void *data, size_t len);

/* True from the banner on, until something comes that no bpfd writes. */
bool replies_ready(const struct replies *replies);

#endif
