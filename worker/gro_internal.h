#ifndef WORKER_GRO_INTERNAL_H
#define WORKER_GRO_INTERNAL_H

#include "worker/gro.h"

/* What gro.c asks of gro_item.c. */
/* Fills in the masks. */
void gro_item_masks(struct gro *);
/* Adds the packet of len bytes to the item, or false: it does not take it. */
bool gro_item_add(
    struct gro *, struct gro_item *, const uint8_t *data, size_t len);
/* The packet begins an item; it takes others if it is of a kind that may. */
struct gro_item *gro_item_begin(
    struct gro *, const uint8_t *data, size_t len, const struct pkt *);
/*
 * Into g->header: what goes in front of the payloads of several packets, true
 * in every field.  Its length, with the virtio_net_hdr.
 */
size_t gro_item_header(
    struct gro *, const struct gro_item *, uint8_t *gso_type);

/*
 * What gro_item.c asks of the two transports.  For each: the bits of its header
 * that are those of the first packet in every packet of an item; may a packet
 * be merged at all; does one of len bytes, of which those bits are the same,
 * continue the item; and what of the item does it change.
 */
#define GRO_TCP_HDR_MAX 60
#define GRO_UDP_HDR_LEN 8
extern const uint8_t gro_tcp_mask[GRO_TCP_HDR_MAX];
bool gro_tcp_candidate(const uint8_t *, const struct pkt *);
bool gro_tcp_continues(const struct gro_item *, const uint8_t *, size_t len);
void gro_tcp_start(struct gro_item *);
void gro_tcp_append(struct gro_item *, const uint8_t *, size_t len);
/* hdr: the superpacket's transport header, to be made true. */
void gro_tcp_finish(const struct gro_item *, uint8_t *hdr);

extern const uint8_t gro_udp_mask[GRO_UDP_HDR_LEN];
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
