#include "worker/gro_internal.h"

/* Offsets of RFC 768. */
#define UDP_LENGTH 4
#define UDP_CHECKSUM 6

/* Payload, a checksum, and a length that agrees with the IP header's. */
bool
gro_udp_candidate(const uint8_t *data, const struct pkt *p)
{
	const uint8_t *udp = data + p->l4;

	return gro_payload(p) > 0 && pkt_load16(udp + UDP_CHECKSUM) != 0 &&
	       pkt_be16(udp + UDP_LENGTH) == p->len - p->l4;
}

/* Datagrams have no order of their own: being next is enough. */
bool
gro_udp_continues(
    const struct gro_item *it, const uint8_t *data, const struct pkt *p)
{
	return pkt_load32(it->data + p->l4) == pkt_load32(data + p->l4) &&
	       gro_udp_candidate(data, p);
}

void
gro_udp_append(struct gro_item *it, const uint8_t *data, const struct pkt *p)
{
	(void)data;
	if (gro_payload(p) < it->gso_size)
		it->closed = true;
}

void
gro_udp_finish(const struct gro_item *it, uint8_t *hdr)
{
	pkt_put16(hdr + UDP_LENGTH, (uint16_t)(it->total - it->pkt.l4));
}
