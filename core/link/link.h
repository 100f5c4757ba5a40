/* SPDX-License-Identifier: Apache-2.0 */
/* What both ends of the link share: numbering of frames and building of transfers. No I/O. */
#ifndef CORE_LINK_LINK_H
#define CORE_LINK_LINK_H

#include "core/link/frame.h"

/* What the interface of a lane says of itself: the host finds it by this. */
#define LANE_CLASS    0xff /* vendor specific */
#define LANE_SUBCLASS 0xb7
#define LANE_PROTOCOL 0x01

/* Lanes of a configuration: USB has 15 endpoint addresses each way besides endpoint 0, and a lane
 * takes one each way. */
#define LANES_MAX 15

#define LEASE_MS     15000 /* a host that sleeps this long is gone; adb and iiod wait for ever */
#define LEASE_MS_MIN 1000
#define LEASE_MS_MAX 600000
#define PING_MS	     3000	  /* five pings a lease: one lost or late ping ends nothing */
#define AUTH_MS	     60000	  /* for an answer to AUTH_CHALLENGE: people may have to agree */
#define AUTH_TRIES   6		  /* keys that a host may show in one session */
#define WINDOW_BYTES (256 * 1024) /* bytes; four times what a 100 MB/s link has under way */

/* One direction of a session counts its frames from 0; the other end checks that none is lost. */
struct link {
	uint32_t tx_seq, rx_seq;
	size_t tx_limit; /* a transfer that we send is shorter than this, bytes */
};

/* A transfer under construction in a buffer of the caller's, of at least link.tx_limit bytes. */
struct transfer {
	uint8_t *data;
	size_t len;
};

/* Starts a session: both counts are 0. peer_max is the receive buffer that the other end named,
 * own_max the size of the buffers that transfers are built in. */
void link_open(struct link *link, size_t own_max, size_t peer_max);

/* Sets the sizes of a session that goes on. */
void link_limit(struct link *link, size_t own_max, size_t peer_max);

/* Bytes of payload that one more frame may carry, the PAD that may be needed kept free. */
size_t link_room(const struct link *link, const struct transfer *t);

/* Where the payload of the next frame goes: fill it first, then call link_put. */
uint8_t *link_payload(const struct transfer *t);
void link_put(struct link *link, struct transfer *t, enum frame_type type, size_t len);

/* Ends a transfer: adds a PAD where its length would be a multiple of TRANSFER_QUANTUM. Returns
 * the length to send, 0 when there is nothing to send. */
size_t link_finish(struct link *link, struct transfer *t);

/* Checks the number of a received frame and counts it. Returns 0, or -EBADMSG for a gap. */
int link_receive(struct link *link, const struct frame *frame);

#endif
