#include "worker/gso.h"

#include "worker/csum.h"

/*
 * Theory of operation.  A superpacket is one header and a long payload.  Each
 * segment gets a copy of that header with what differs rewritten, and a view
 * of its part of the payload.  All that is the same in every segment is summed
 * once, so that a segment's checksum costs the pass over its payload and a
 * handful of additions.
 *
 * What the virtio_net_hdr claims is believed only as far as the packet bears
 * it out; hdr_len is not believed at all (on the forward path it is the length
 * of the linear head).  A whole packet whose gso fields are off goes out as
 * one packet with its checksum computed.
 */

/*
 * With longer headers a superpacket is one packet: a segment's must fit into
 * BATCH_HEADERS, or there would be no next one.
 */
#define GSO_HDR_MAX 2048

/* Does the type agree with what the packet is? */
static bool
gso_type_fits(uint8_t type, const struct pkt *p)
{
	switch (type) {
	case VNET_GSO_TCPV4:
		return p->version == 4 && p->proto == PKT_TCP;
	case VNET_GSO_TCPV6:
		return p->version == 6 && p->proto == PKT_TCP;
	case VNET_GSO_UDP_L4:
		return p->proto == PKT_UDP;
	}
	return false;
}

/*
 * Completes a partial checksum that may lie anywhere behind the IP header:
 * the field holds the folded sum of a pseudo-header that we need not know.
 */
static enum pkt_drop
csum_complete(uint8_t *data, const struct pkt *p, const struct vnet_hdr *h)
{
	size_t start = h->csum_start, field = start + h->csum_offset;
	uint16_t sum;

	if (start < p->l4 || field + 2 > p->len)
		return PKT_CHECKSUM;
	sum = (uint16_t)~csum_fold(csum_bytes(data + start, p->len - start));
	if (sum == 0 && h->csum_offset == UDP_CSUM)
		sum = 0xffff;
	pkt_store16(data + field, sum);
	return PKT_OK;
}

/* Do the checksum offsets name the transport header's own checksum? */
static bool
csum_is_transport(const struct pkt *p, const struct vnet_hdr *h)
{
	return h->csum_start == p->l4 && h->csum_offset == pkt_csum_offset(p);
}

/* Do they name one in the payload of a UDP datagram, a packet in a tunnel's? */
static bool
csum_is_inner(const struct pkt *p, const struct vnet_hdr *h)
{
	return p->proto == PKT_UDP && h->gso_type == VNET_GSO_NONE &&
	       h->csum_start >= (size_t)p->l4 + p->l4_len &&
	       (size_t)h->csum_start + h->csum_offset + 2 <= p->len;
}

/*
 * A packet that leaves as it came, but for its checksum.  Offsets that
 * contradict a whole TCP or UDP header are off, not the packet.
 */
static enum pkt_drop
gso_single(uint8_t *data, const struct pkt *p, const struct vnet_hdr *h)
{
	bool ports = p->proto == PKT_TCP || p->proto == PKT_UDP;

	if (p->fragment || (h->gso_type == VNET_GSO_NONE && !h->needs_csum))
		return PKT_OK;
	if (ports && p->l4_len == 0)
		return PKT_HEADER;
	if (h->needs_csum &&
	    (!ports || csum_is_inner(p, h) || csum_is_transport(p, h)))
		return csum_complete(data, p, h);
	if (ports)
		csum_transport_set(data, p);
	return PKT_OK;
}

/*
 * The folded sum of a header without the 16-bit words at these offsets: to
 * take a word away is to add its complement (RFC 1624).
 */
static uint64_t
sum_without(uint64_t sum, const uint8_t *p, const uint8_t *words, size_t n)
{
	size_t i;

	sum = csum_fold(sum);
	for (i = 0; i < n; i++)
		sum += 0xffffu - pkt_load16(p + words[i]);
	return csum_fold(sum);
}

/*
 * The pseudo-header's sum without its length.  Behind a source route or an IPv6
 * routing header the destination that counts is not the header's (RFC 791,
 * section 3.1; RFC 8200, section 8.1): with options or extension headers the
 * sum that the sender left in the checksum field is the truth.
 */
static uint64_t
pseudo_sum(const struct gso *g, const struct vnet_hdr *h)
{
	const struct pkt *p = &g->pkt;
	const uint8_t *l4 = g->data + p->l4;
	uint16_t len = (uint16_t)(p->len - p->l4);

	if (!p->extended || !h->needs_csum)
		return csum_pseudo(g->data, p);
	return pkt_load16(l4 + pkt_csum_offset(p)) + (0xffffu - csum_word(len));
}

/* Sums of the headers but for all that differs by segment. */
static void
gso_prepare(struct gso *g, const struct vnet_hdr *h)
{
	static const uint8_t ip_words[] = {2, 4, 10};
	static const uint8_t tcp_words[] = {
	    TCP_SEQ, TCP_SEQ + 2, TCP_FLAGS - 1, TCP_CSUM};
	static const uint8_t udp_words[] = {UDP_LENGTH, UDP_CSUM};
	const struct pkt *p = &g->pkt;
	const uint8_t *l4 = g->data + p->l4;

	if (p->version == 4) {
		g->id = pkt_be16(g->data + 4);
		g->ip_sum = sum_without(csum_bytes(g->data, p->l4), g->data,
		    ip_words, sizeof(ip_words));
	}
	g->l4_sum = csum_add(pseudo_sum(g, h), csum_bytes(l4, p->l4_len));
	if (p->proto == PKT_TCP) {
		g->seq = pkt_be32(l4 + TCP_SEQ);
		g->l4_sum =
		    sum_without(g->l4_sum, l4, tcp_words, sizeof(tcp_words));
	} else {
		g->l4_sum =
		    sum_without(g->l4_sum, l4, udp_words, sizeof(udp_words));
	}
}

/* Is there more than one segment, as far as the packet bears the claim out? */
static bool
may_split(const struct gso *g, const struct vnet_hdr *h)
{
	const struct pkt *p = &g->pkt;

	return p->l4_len > 0 && g->hdr_len <= GSO_HDR_MAX &&
	       gso_type_fits(h->gso_type, p) && g->gso_size > 0 &&
	       p->len - g->hdr_len > g->gso_size &&
	       (!h->needs_csum || csum_is_transport(p, h));
}

enum pkt_drop
gso_start(struct gso *g, uint8_t *data, size_t len, const struct vnet_hdr *h)
{
	struct pkt *p = &g->pkt;
	enum pkt_drop drop = pkt_parse(data, len, p);

	g->split = false;
	if (drop != PKT_OK)
		return drop;
	g->data = data;
	g->done = false;
	g->hdr_len = p->l4 + p->l4_len;
	g->gso_size = h->gso_size;
	g->offset = g->hdr_len;
	if (h->gso_type != VNET_GSO_NONE && p->len != len)
		return PKT_LENGTH;
	if (!may_split(g, h))
		return gso_single(data, p, h);
	g->split = true;
	gso_prepare(g, h);
	return PKT_OK;
}

uint32_t
gso_left(const struct gso *g)
{
	if (!g->split)
		return g->done ? 0 : 1;
	return (g->pkt.len - g->offset + g->gso_size - 1) / g->gso_size;
}

/* Lengths, ID and checksum of a segment's IP header. */
static inline void
segment_ip(struct gso *g, uint8_t *hdr, uint32_t len)
{
	if (g->pkt.version == 6) {
		pkt_put16(hdr + 4, (uint16_t)(len - IPV6_HDR_LEN));
		return;
	}
	pkt_put16(hdr + 2, (uint16_t)len);
	pkt_put16(hdr + 4, g->id);
	pkt_store16(hdr + 10,
	    (uint16_t)~csum_fold(
		g->ip_sum + csum_word((uint16_t)len) + csum_word(g->id)));
	g->id++;
}

static inline void
segment_tcp(struct gso *g, uint8_t *tcp, uint32_t size, bool first, bool last)
{
	uint64_t sum;

	if (!first)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_FLAG_CWR;
	if (!last)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FLAG_FIN | TCP_FLAG_PSH);
	pkt_put32(tcp + TCP_SEQ, g->seq);
	sum = g->l4_sum + pkt_load32(tcp + TCP_SEQ) +
	      pkt_load16(tcp + TCP_FLAGS - 1) +
	      csum_word((uint16_t)(g->pkt.l4_len + size));
	sum = csum_add(sum, csum_bytes(g->data + g->offset, size));
	pkt_store16(tcp + TCP_CSUM, (uint16_t)~csum_fold(sum));
	g->seq += size;
}

static inline void
segment_udp(struct gso *g, uint8_t *udp, uint32_t size)
{
	uint64_t length = csum_word((uint16_t)(g->pkt.l4_len + size));
	uint16_t sum;

	pkt_put16(udp + UDP_LENGTH, (uint16_t)(g->pkt.l4_len + size));
	/* the length counts twice: in the header and before it */
	sum = (uint16_t)~csum_fold(csum_add(
	    g->l4_sum + 2 * length, csum_bytes(g->data + g->offset, size)));
	pkt_store16(udp + UDP_CSUM, sum == 0 ? 0xffff : sum);
}

/* The next segment; there is room for it. */
static inline void
segment_add(struct gso *g, struct batch *b, uint32_t stride)
{
	uint32_t left = g->pkt.len - g->offset;
	uint32_t size = left < g->gso_size ? left : g->gso_size;
	bool first = g->offset == g->hdr_len;
	uint8_t *hdr = b->headers + b->used;

	g->done = left == size;
	memcpy(hdr, g->data, g->hdr_len);
	if (g->pkt.proto == PKT_TCP)
		segment_tcp(g, hdr + g->pkt.l4, size, first, g->done);
	else
		segment_udp(g, hdr + g->pkt.l4, size);
	segment_ip(g, hdr, g->hdr_len + size);
	b->segs[b->count++] = (struct seg){.hdr = hdr,
	    .data = g->data + g->offset,
	    .hdr_len = g->hdr_len,
	    .data_len = size};
	b->used += stride;
	g->offset += size;
}

bool
gso_next(struct gso *g, struct batch *b)
{
	uint32_t stride = (g->hdr_len + 63) & ~63u;

	if (!g->split && !g->done && b->count < BATCH_PACKETS) {
		b->segs[b->count++] =
		    (struct seg){.data = g->data, .data_len = g->pkt.len};
		g->done = true;
	}
	while (g->split && !g->done && b->count < BATCH_PACKETS &&
	       b->used + stride <= BATCH_HEADERS)
		segment_add(g, b, stride);
	return g->done;
}
