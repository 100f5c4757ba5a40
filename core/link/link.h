/* SPDX-License-Identifier: Apache-2.0 */
/* Numbering of frames and building of transfers, for both ends of the link. No I/O. */
#ifndef CORE_LINK_LINK_H
#define CORE_LINK_LINK_H

#include "core/link/frame.h"

/* Class codes of a lane's interface, by which the host finds it. */
#define LANE_CLASS    0xff /* vendor specific */
#define LANE_SUBCLASS 0xb7
#define LANE_PROTOCOL 0x01

/* Lanes of a configuration: USB has 15 endpoint addresses each way besides endpoint 0, and a lane
 * takes one each way. */
#define LANES_MAX 15

#define LEASE_MS     15000 /* a host silent for longer is gone; adb and iiod wait forever */
#define LEASE_MS_MIN 1000
#define LEASE_MS_MAX 600000
#define PING_MS	     3000	  /* five pings a lease: one lost or late ping ends no session */
#define AUTH_MS	     60000	  /* for an answer to AUTH_CHALLENGE: a person may have to agree */
#define AUTH_TRIES   6		  /* keys that a host may show in a session */
#define WINDOW_BYTES (256 * 1024) /* four times the bytes in flight on a 100 MB/s link */

/* Numbers of the next frames. Each direction of a session counts its frames from 0; the receiver
 * checks that none is missing. */
struct link {
	uint32_t tx_seq, rx_seq;
	size_t tx_limit; /* bytes; every transfer that this end sends is shorter */
};

/* A transfer under construction in the caller's buffer of at least link.tx_limit bytes. */
struct transfer {
	uint8_t *data;
	size_t len;
};

/* Starts a session: both counts become 0. `own_max` is the size of the buffers in which transfers
 * are built, `peer_max` the size of the other end's receive buffers, both in bytes. */
void link_open(struct link *link, size_t own_max, size_t peer_max);

/* Sets these sizes in a session that has started. */
void link_limit(struct link *link, size_t own_max, size_t peer_max);

/* Returns how many bytes of payload one more frame may carry. Room for a PAD is kept. */
size_t link_room(const struct link *link, const struct transfer *t);

/* Returns where the payload of the next frame goes. */
uint8_t *link_payload(const struct transfer *t);

/* Adds a frame whose payload of `len` bytes is already at link_payload(). */
void link_put(struct link *link, struct transfer *t, enum frame_type type, size_t len);

/* Ends a transfer: adds a PAD if its length is a multiple of TRANSFER_QUANTUM. Returns the length
 * to send in bytes; 0: there is nothing to send. */
size_t link_finish(struct link *link, struct transfer *t);

/* Checks the number of a received frame and counts it. Returns 0, or -EBADMSG for a gap. */
int link_receive(struct link *link, const struct frame *frame);

#endif
