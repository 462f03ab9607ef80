#ifndef WORKER_GRO_TRANSPORT_H
#define WORKER_GRO_TRANSPORT_H

#include "worker/gro_burst.h"

/*
 * What gro_item.c asks of the two transports.  The mask has the bits of the
 * header that all packets of an item share.  A candidate may be merged at all.
 * A packet of len bytes that shares those bits continues the item if the rest
 * fits, too.  start and append note in the item what TCP needs of a packet.
 */
#define GRO_TCP_HDR_MAX 60
extern const uint8_t gro_tcp_mask[GRO_TCP_HDR_MAX];
bool gro_tcp_candidate(const uint8_t *, const struct pkt *);
bool gro_tcp_continues(const struct gro_item *, const uint8_t *, size_t len);
void gro_tcp_start(struct gro_item *);
void gro_tcp_append(struct gro_item *, const uint8_t *, size_t len);
/* hdr: the superpacket's transport header, to be made true. */
void gro_tcp_finish(const struct gro_item *, uint8_t *hdr);

extern const uint8_t gro_udp_mask[UDP_HDR_LEN];
bool gro_udp_candidate(const uint8_t *, const struct pkt *);
bool gro_udp_continues(const struct gro_item *, const uint8_t *, size_t len);
void gro_udp_finish(const struct gro_item *, uint8_t *hdr);

/* Payload bytes of a parsed packet with a transport header. */
static inline uint32_t
gro_payload(const struct pkt *p)
{
	return p->len - p->l4 - p->l4_len;
}

#endif
