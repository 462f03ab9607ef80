#ifndef WORKER_GRO_INTERNAL_H
#define WORKER_GRO_INTERNAL_H

#include "worker/gro.h"

/*
 * What gro.c asks of the two transports.  For each: may this packet be merged
 * at all, does it continue the item (offsets and IP header are those of the
 * first packet already), and what of the item does it change.
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

/* Are len bytes, a multiple of four, equal where the mask has bits? */
static inline bool
gro_same(const uint8_t *a, const uint8_t *b, const uint8_t *mask, uint32_t len)
{
	uint64_t differ = 0;
	uint32_t i;

	for (i = 0; i + 8 <= len; i += 8)
		differ |= (pkt_load64(a + i) ^ pkt_load64(b + i)) &
			  pkt_load64(mask + i);
	if (i < len)
		differ |= (pkt_load32(a + i) ^ pkt_load32(b + i)) &
			  pkt_load32(mask + i);
	return differ == 0;
}

/* Payload bytes of a parsed packet with a transport header. */
static inline uint32_t
gro_payload(const struct pkt *p)
{
	return p->len - p->l4 - p->l4_len;
}

#endif
