#include "worker/gro_transport.h"

/*
 * ACK, perhaps PSH and ECE, and payload: everything else goes alone.  A
 * checksum of 0xffff verifies where 0 is the one that a split computes (RFC
 * 1624, section 3): the packet would not come back as it was.
 */
bool
gro_tcp_candidate(const uint8_t *data, const struct pkt *p)
{
	const uint8_t *tcp = data + p->l4;

	return (tcp[TCP_FLAGS] & ~(TCP_FLAG_PSH | TCP_FLAG_ECE)) ==
		   TCP_FLAG_ACK &&
	       gro_payload(p) > 0 && pkt_load16(tcp + TCP_CSUM) != 0xffff;
}

/* All but sequence number, PSH and checksum; the rest may be options. */
const uint8_t gro_tcp_mask[GRO_TCP_HDR_MAX] = {[0 ... 3] = 0xff,
    [8 ... 12] = 0xff,
    [TCP_FLAGS] = (uint8_t)~TCP_FLAG_PSH,
    [14 ... 15] = 0xff,
    [18 ... 59] = 0xff};

/* What differs is what a candidate's and the next one's would be. */
bool
gro_tcp_continues(const struct gro_item *it, const uint8_t *data, size_t len)
{
	const uint8_t *tcp = data + it->pkt.l4;

	(void)len;
	return pkt_be32(tcp + TCP_SEQ) == it->next_seq &&
	       pkt_load16(tcp + TCP_CSUM) != 0xffff;
}

void
gro_tcp_start(struct gro_item *it)
{
	it->next_seq = pkt_be32(it->data + it->pkt.l4 + TCP_SEQ);
	gro_tcp_append(it, it->data, it->pkt.len);
}

void
gro_tcp_append(struct gro_item *it, const uint8_t *data, size_t len)
{
	it->next_seq += (uint32_t)len - it->hdr_len;
	it->psh = (data[it->pkt.l4 + TCP_FLAGS] & TCP_FLAG_PSH) != 0;
	if (it->psh)
		it->size_max = 0;
}

void
gro_tcp_finish(const struct gro_item *it, uint8_t *hdr)
{
	if (it->psh)
		hdr[TCP_FLAGS] |= TCP_FLAG_PSH;
}
