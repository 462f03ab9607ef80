#include "worker/pkt.h"

#define IPV4_MIN 20
#define IPV4_MF_OR_OFFSET 0x3fff
#define TCP_MIN 20

/* IPv6 next headers that lead on to another (RFC 8200, section 4). */
#define IPV6_HOP_BY_HOP 0
#define IPV6_ROUTING 43
#define IPV6_FRAGMENT 44
#define IPV6_DESTINATION 60
#define IPV6_NO_NEXT 59

static enum pkt_drop
parse_ipv4(const uint8_t *data, size_t len, struct pkt *p)
{
	if (len < IPV4_MIN)
		return PKT_SHORT;
	p->l4 = (data[0] & 0x0fu) * 4;
	p->len = pkt_be16(data + 2);
	if (p->l4 < IPV4_MIN || p->l4 > len)
		return PKT_SHORT;
	if (p->len > len || p->len < p->l4)
		return PKT_LENGTH;
	p->proto = data[9];
	p->fragment = (pkt_be16(data + 6) & IPV4_MF_OR_OFFSET) != 0;
	p->extended = p->l4 != IPV4_MIN;
	return PKT_OK;
}

static enum pkt_drop
parse_ipv6(const uint8_t *data, size_t len, struct pkt *p)
{
	uint8_t next;
	uint32_t size;

	if (len < IPV6_HDR_LEN)
		return PKT_SHORT;
	p->len = IPV6_HDR_LEN + (uint32_t)pkt_be16(data + 4);
	if (p->len > len)
		return PKT_LENGTH;
	p->l4 = IPV6_HDR_LEN;
	for (next = data[6]; next == IPV6_HOP_BY_HOP || next == IPV6_ROUTING ||
			     next == IPV6_DESTINATION || next == IPV6_FRAGMENT;
	     next = data[p->l4], p->l4 += size) {
		p->extended = true;
		if (next == IPV6_FRAGMENT)
			p->fragment = true;
		if (p->len - p->l4 < 8)
			break;
		size = next == IPV6_FRAGMENT ? 8 : (data[p->l4 + 1] + 1u) * 8;
		if (p->fragment || size > p->len - p->l4)
			break;
	}
	/* A chain that was cut short has no transport that we could know. */
	p->proto = next == IPV6_HOP_BY_HOP || next == IPV6_ROUTING ||
			   next == IPV6_DESTINATION || next == IPV6_FRAGMENT
		       ? IPV6_NO_NEXT
		       : next;
	return PKT_OK;
}

static uint32_t
transport_len(const uint8_t *data, const struct pkt *p)
{
	uint32_t size, room = p->len - p->l4;

	if (p->fragment)
		return 0;
	if (p->proto == PKT_UDP)
		return room >= UDP_HDR_LEN ? UDP_HDR_LEN : 0;
	if (p->proto != PKT_TCP || room < TCP_MIN)
		return 0;
	size = (data[p->l4 + 12] >> 4) * 4u;
	return size >= TCP_MIN && size <= room ? size : 0;
}

enum pkt_drop
pkt_parse(const uint8_t *data, size_t len, struct pkt *p)
{
	struct pkt out = {0};
	enum pkt_drop drop;

	if (len == 0)
		return PKT_SHORT;
	out.version = data[0] >> 4;
	if (out.version == 4)
		drop = parse_ipv4(data, len, &out);
	else if (out.version == 6)
		drop = parse_ipv6(data, len, &out);
	else
		return PKT_VERSION;
	if (drop != PKT_OK)
		return drop;
	out.l4_len = transport_len(data, &out);
	*p = out;
	return PKT_OK;
}
