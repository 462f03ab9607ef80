#include "worker/gro_transport.h"

/* A checksum, and a length that agrees with the IP header's. */
static inline bool
header_ok(const uint8_t *udp, size_t len)
{
	return pkt_load16(udp + UDP_CSUM) != 0 &&
	       pkt_be16(udp + UDP_LENGTH) == len;
}

bool
gro_udp_candidate(const uint8_t *data, const struct pkt *p)
{
	return gro_payload(p) > 0 && header_ok(data + p->l4, p->len - p->l4);
}

/* The ports. */
const uint8_t gro_udp_mask[UDP_HDR_LEN] = {[0 ... 3] = 0xff};

/* Datagrams have no order of their own: being next is enough. */
bool
gro_udp_continues(const struct gro_item *it, const uint8_t *data, size_t len)
{
	return header_ok(data + it->pkt.l4, len - it->pkt.l4);
}

void
gro_udp_finish(const struct gro_item *it, uint8_t *hdr)
{
	pkt_put16(hdr + UDP_LENGTH, (uint16_t)(it->total - it->pkt.l4));
}
