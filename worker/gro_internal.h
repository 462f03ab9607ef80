#ifndef WORKER_GRO_INTERNAL_H
#define WORKER_GRO_INTERNAL_H

#include "worker/gro.h"

/*
 * What gro.c asks of the two transports.  For each: may this packet be merged
 * at all, does it continue the item, and what of the item does it change.
 */
bool gro_tcp_candidate(const uint8_t *, const struct pkt *);
bool gro_tcp_continues(
    const struct gro_item *, const uint8_t *, const struct pkt *);
void gro_tcp_start(struct gro_item *);
void gro_tcp_append(struct gro_item *, const uint8_t *, const struct pkt *);
/* hdr: the superpacket's transport header, to be made true. */
void gro_tcp_finish(const struct gro_item *, uint8_t *hdr);

bool gro_udp_candidate(const uint8_t *, const struct pkt *);
bool gro_udp_continues(
    const struct gro_item *, const uint8_t *, const struct pkt *);
void gro_udp_append(struct gro_item *, const uint8_t *, const struct pkt *);
void gro_udp_finish(const struct gro_item *, uint8_t *hdr);

/* Payload bytes of a parsed packet with a transport header. */
static inline uint32_t
gro_payload(const struct pkt *p)
{
	return p->len - p->l4 - p->l4_len;
}

#endif
