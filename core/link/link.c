/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers frames and builds transfers for both ends of the link. */
#include "core/link/link.h"

#include <errno.h>

void link_limit(struct link *link, size_t own_max, size_t peer_max)
{
	link->tx_limit = own_max < peer_max ? own_max : peer_max;
}

void link_open(struct link *link, size_t own_max, size_t peer_max)
{
	link->tx_seq = 0;
	link->rx_seq = 0;
	link_limit(link, own_max, peer_max);
}

size_t link_room(const struct link *link, const struct transfer *t)
{
	/* The second header is for the PAD. The 1 keeps the transfer shorter than the buffer that
	 * receives it, so that it ends with a short packet. */
	size_t taken = t->len + 2 * FRAME_HEADER + 1;

	return taken < link->tx_limit ? link->tx_limit - taken : 0;
}

uint8_t *link_payload(const struct transfer *t)
{
	return t->data + t->len + FRAME_HEADER;
}

void link_put(struct link *link, struct transfer *t, enum frame_type type, size_t len)
{
	frame_put_header(t->data + t->len, type, len, link->tx_seq++);
	t->len += FRAME_HEADER + len;
}

size_t link_finish(struct link *link, struct transfer *t)
{
	if (t->len % TRANSFER_QUANTUM == 0 && t->len > 0)
		link_put(link, t, FRAME_PAD, 0);
	return t->len;
}

int link_receive(struct link *link, const struct frame *frame)
{
	if (frame->seq != link->rx_seq)
		return -EBADMSG;
	link->rx_seq++;
	return 0;
}
