#include "worker/gro.h"

#include "worker/csum.h"
#include "worker/gro_internal.h"

/*
 * Theory of operation.  A burst is at most BATCH_PACKETS packets.  Each packet
 * either continues the newest item of its flow or begins an item of its own;
 * items leave in the order in which they began.  Only the newest item of a
 * flow can grow, so a packet that may not be merged ends its flow's item by
 * becoming a newer one: nothing overtakes anything within a flow.  Where the
 * flow cannot be known (a fragment), every item of that address pair ends.
 *
 * Checksums are verified when a second packet would join: a packet that stays
 * alone is passed on as it came, and the kernel verifies it.
 */

static const struct {
	bool (*candidate)(const uint8_t *, const struct pkt *);
	bool (*continues)(
	    const struct gro_item *, const uint8_t *, const struct pkt *);
	void (*append)(struct gro_item *, const uint8_t *, const struct pkt *);
	void (*finish)(const struct gro_item *, uint8_t *);
	uint8_t csum_offset;
	uint8_t gso_type[2]; /* IPv4, IPv6 */
} transports[2] = {
    {gro_tcp_candidate, gro_tcp_continues, gro_tcp_append, gro_tcp_finish, 16,
	{VNET_GSO_TCPV4, VNET_GSO_TCPV6}},
    {gro_udp_candidate, gro_udp_continues, gro_udp_append, gro_udp_finish, 6,
	{VNET_GSO_UDP_L4, VNET_GSO_UDP_L4}},
};
#define IPV4_DF 0x40
#define IPV4_RESERVED 0x80
#define TRANSPORT(p) (&transports[(p)->proto == PKT_UDP])

void
gro_init(struct gro *g)
{
	size_t i;

	memset(g, 0, sizeof(*g));
	for (i = 0; i < GRO_BUCKETS; i++)
		g->buckets[i] = GRO_NONE;
	g->recent = GRO_NONE;
	g->tcp = g->udp = true;
}

void
gro_reset(struct gro *g)
{
	size_t i;

	for (i = 0; i < g->items; i++)
		if (g->item[i].hash != GRO_NONE)
			g->buckets[g->item[i].hash] = GRO_NONE;
	g->packets = g->items = 0;
	g->recent = GRO_NONE;
}

static inline bool
same_addresses(
    const struct gro_item *it, const uint8_t *data, const struct pkt *p)
{
	if (it->pkt.version != p->version)
		return false;
	if (p->version == 4)
		return pkt_load64(it->data + 12) == pkt_load64(data + 12);
	return memcmp(it->data + 8, data + 8, 32) == 0;
}

/*
 * Ports, protocol and addresses, by pairs of words: (a + r) (b + r'), added up
 * (NH of RFC 4418, section 5.2).  Should two flows have the same tag (one pair
 * in 2^32), then they end each other's items, and nothing worse.
 */
static inline uint64_t
flow_tag(const uint8_t *data, const struct pkt *p)
{
	static const uint32_t r[10] = {0x9e3779b9, 0xbf58476d, 0x94d049bb,
	    0xd6e8feb8, 0xc2b2ae3d, 0x27d4eb2f, 0xff51afd7, 0x85ebca77,
	    0xa0761d64, 0xe7037ed1};
	const uint8_t *addresses = pkt_src(data, p);
	size_t i, words = p->version == 4 ? 2 : 8;
	uint64_t tag, a, b;

	tag = (uint64_t)(pkt_load32(data + p->l4) + r[8]) * (p->proto + r[9]);
	for (i = 0; i < words; i += 2) {
		a = pkt_load32(addresses + 4 * i) + r[i];
		b = pkt_load32(addresses + 4 * i + 4) + r[i + 1];
		tag += a * b;
	}
	return tag;
}

/*
 * The bucket of the packet's flow: the flow's newest item, or GRO_NONE when
 * it has none.  Open addressing; there are four buckets to a packet.
 */
static inline uint16_t
flow_bucket(const struct gro *g, uint64_t tag)
{
	/* of the product the upper bits are the best mixed */
	uint16_t b = (uint16_t)(tag * 0x9e3779b97f4a7c15 >> 48);

	b %= GRO_BUCKETS;
	while (g->buckets[b] != GRO_NONE && g->item[g->buckets[b]].tag != tag)
		b = (b + 1) % GRO_BUCKETS;
	return b;
}

/*
 * Is the IP header that of the item's first packet, but for what differs by
 * packet?  IPv4: length, ID and checksum; IPv6: the length.  Words under a
 * mask in place of one comparison for each field: a burst of one flow takes
 * 6.1 us in place of 6.5.
 */
static inline bool
same_ip_header(
    const struct gro_item *it, const uint8_t *data, const struct pkt *p)
{
	static const uint8_t ipv4[20] = {
	    [0 ... 1] = 0xff, [6 ... 9] = 0xff, [12 ... 19] = 0xff};
	static const uint8_t ipv6[40] = {[0 ... 3] = 0xff, [6 ... 39] = 0xff};
	const uint8_t *a = it->data;

	if (it->pkt.l4 != p->l4 || it->pkt.l4_len != p->l4_len)
		return false;
	if (p->version == 4 ? !gro_same(a, data, ipv4, sizeof(ipv4))
			    : !gro_same(a, data, ipv6, sizeof(ipv6)))
		return false;
	return !p->extended || memcmp(a + 40, data + 40, p->l4 - 40) == 0;
}

/* Rising by one, or, with DF, constant; one pattern for the superpacket. */
static inline bool
id_continues(const struct gro_item *it, const uint8_t *data,
    const struct pkt *p, bool *rises)
{
	uint16_t id;

	if (p->version == 6)
		return true;
	if (pkt_load16(data + 10) == 0xffff)
		return false;
	id = pkt_be16(data + 4);
	*rises = id == (uint16_t)(it->id + 1);
	if (!*rises && (id != it->id || (data[6] & IPV4_DF) == 0))
		return false;
	return it->count == 1 || *rises == it->id_rises;
}

static inline bool
is_candidate(
    const struct gro *g, const uint8_t *data, size_t len, const struct pkt *p)
{
	if (p->l4_len == 0 || p->len != len ||
	    p->l4 + p->l4_len > GRO_HDR_MAX ||
	    !(p->proto == PKT_TCP ? g->tcp : g->udp))
		return false;
	/*
	 * As the kernel: no options, and the reserved bit is clear.  A
	 * checksum of 0xffff verifies, but a split would give 0.
	 */
	if (p->version == 4 && (p->extended || (data[6] & IPV4_RESERVED) != 0 ||
				   pkt_load16(data + 10) == 0xffff))
		return false;
	return TRANSPORT(p)->candidate(data, p);
}

/* No options: 20 bytes. */
static inline uint64_t
ipv4_sum(const uint8_t *data)
{
	return csum_add(csum_add(pkt_load64(data), pkt_load64(data + 8)),
	    pkt_load32(data + 16));
}

static inline bool
checksums_ok(
    const struct gro_item *it, const uint8_t *data, const struct pkt *p)
{
	uint32_t len = p->len - p->l4;

	if (p->version == 4 && !csum_ok(ipv4_sum(data)))
		return false;
	return csum_ok(csum_add(it->pseudo + csum_word((uint16_t)len),
	    csum_bytes(data + p->l4, len)));
}

static bool
item_verify(struct gro_item *it)
{
	it->pseudo = csum_pseudo(it->data, &it->pkt);
	it->verified = checksums_ok(it, it->data, &it->pkt);
	if (!it->verified)
		it->closed = true;
	return it->verified;
}

/*
 * May the packet join?  The first packet is a candidate, so one with the same
 * header is too.  What does not depend on the payload comes first.
 */
static inline bool
item_takes(
    struct gro_item *it, const uint8_t *data, size_t len, const struct pkt *p)
{
	uint32_t size = gro_payload(p);
	bool rises = false;

	if (it->closed || !it->candidate || size == 0 || size > it->gso_size ||
	    p->len != len || it->count == GRO_SEGS_MAX ||
	    it->total + size > GRO_LEN_MAX || !same_ip_header(it, data, p) ||
	    !id_continues(it, data, p, &rises) ||
	    !TRANSPORT(p)->continues(it, data, p))
		return false;
	if (!it->verified && !item_verify(it))
		return false;
	if (!checksums_ok(it, data, p))
		return false;
	it->id_rises = rises;
	return true;
}

static inline void
item_append(
    struct gro *g, struct gro_item *it, uint16_t index, const struct pkt *p)
{
	const uint8_t *data = g->packet[index].data;

	g->packet[it->last].next = index;
	it->last = index;
	it->count++;
	it->total += gro_payload(p);
	if (p->version == 4)
		it->id = pkt_be16(data + 4);
	TRANSPORT(p)->append(it, data, p);
}

static void
item_begin(struct gro *g, uint16_t index, const struct pkt *p, uint64_t tag,
    uint16_t bucket, bool candidate)
{
	struct gro_item *it = &g->item[g->items];

	*it = (struct gro_item){.pkt = *p,
	    .data = g->packet[index].data,
	    .total = p->len,
	    .first = index,
	    .last = index,
	    .count = 1,
	    .hash = bucket,
	    .tag = tag,
	    .candidate = candidate};
	if (candidate) {
		it->gso_size = gro_payload(p);
		if (p->version == 4)
			it->id = pkt_be16(it->data + 4);
		if (p->proto == PKT_TCP)
			gro_tcp_start(it);
	}
	if (bucket != GRO_NONE)
		g->buckets[bucket] = g->items;
	g->recent = g->items++;
}

/* Nothing of this address pair may grow any more. */
static void
close_addresses(struct gro *g, const uint8_t *data, const struct pkt *p)
{
	size_t i;

	for (i = 0; i < g->items; i++)
		if (same_addresses(&g->item[i], data, p))
			g->item[i].closed = true;
}

/*
 * A run as it is cut from one receive goes on where the last packet went: no
 * look-up, 7 % of a burst of one flow.  The ports are looked at before the
 * rest, so that flows that take turns lose only 1 %.
 */
static inline bool
recent_takes(
    struct gro *g, const uint8_t *data, size_t len, const struct pkt *p)
{
	struct gro_item *it = &g->item[g->recent];

	return p->l4_len != 0 && it->pkt.l4_len == p->l4_len &&
	       it->pkt.l4 == p->l4 &&
	       pkt_load32(it->data + p->l4) == pkt_load32(data + p->l4) &&
	       item_takes(it, data, len, p);
}

void
gro_push(struct gro *g, const uint8_t *data, size_t len, const struct pkt *p)
{
	uint16_t index = g->packets++, bucket = GRO_NONE, item;
	uint64_t tag = 0;

	g->packet[index] = (struct gro_packet){.data = data,
	    .len = (uint32_t)len,
	    .hdr_len = p->l4 + p->l4_len,
	    .next = GRO_NONE};
	if (g->recent != GRO_NONE && recent_takes(g, data, len, p)) {
		item_append(g, &g->item[g->recent], index, p);
		return;
	}
	if (p->l4_len != 0) {
		tag = flow_tag(data, p);
		bucket = flow_bucket(g, tag);
		item = g->buckets[bucket];
		if (item != GRO_NONE && item != g->recent &&
		    item_takes(&g->item[item], data, len, p)) {
			item_append(g, &g->item[item], index, p);
			g->recent = item;
			return;
		}
	} else {
		close_addresses(g, data, p);
	}
	item_begin(g, index, p, tag, bucket, is_candidate(g, data, len, p));
}

/* The superpacket's header in front of the payloads: true in every field. */
static size_t
item_header(struct gro *g, const struct gro_item *it)
{
	const struct pkt *p = &it->pkt;
	uint8_t *ip = g->header + VNET_HDR_LEN, *l4 = ip + p->l4;
	uint32_t hdr_len = p->l4 + p->l4_len;
	struct vnet_hdr vnet = {.needs_csum = true,
	    .gso_type = TRANSPORT(p)->gso_type[p->version == 6],
	    .hdr_len = (uint16_t)hdr_len,
	    .gso_size = (uint16_t)it->gso_size,
	    .csum_start = (uint16_t)p->l4,
	    .csum_offset = TRANSPORT(p)->csum_offset};

	vnet_encode(g->header, &vnet);
	memcpy(ip, it->data, hdr_len);
	if (p->version == 4) {
		pkt_put16(ip + 2, (uint16_t)it->total);
		pkt_store16(ip + 10, 0);
		pkt_store16(
		    ip + 10, (uint16_t)~csum_fold(csum_bytes(ip, p->l4)));
	} else {
		pkt_put16(ip + 4, (uint16_t)(it->total - 40));
	}
	TRANSPORT(p)->finish(it, l4);
	pkt_store16(l4 + vnet.csum_offset,
	    csum_fold(
		csum_pseudo(ip, p) + csum_word((uint16_t)(it->total - p->l4))));
	return VNET_HDR_LEN + hdr_len;
}

void
gro_frame(struct gro *g, size_t i, struct gro_frame *f)
{
	const struct gro_item *it = &g->item[i];
	const struct gro_packet *p;
	uint32_t skip = 0;
	uint16_t index;
	int n = 0;

	f->first = it->first;
	f->count = it->count;
	f->gso_type = VNET_GSO_NONE;
	f->iov[n].iov_base = g->header;
	f->iov[n].iov_len = VNET_HDR_LEN;
	if (it->count > 1) {
		f->gso_type =
		    TRANSPORT(&it->pkt)->gso_type[it->pkt.version == 6];
		f->iov[n].iov_len = item_header(g, it);
		skip = it->pkt.l4 + it->pkt.l4_len;
	} else {
		memset(g->header, 0, VNET_HDR_LEN);
	}
	f->len = f->iov[n++].iov_len;
	for (index = it->first; index != GRO_NONE; index = p->next) {
		p = &g->packet[index];
		/* an iovec has no const; a write only reads */
		f->iov[n].iov_base = (uint8_t *)(uintptr_t)p->data + skip;
		f->iov[n].iov_len = p->len - skip;
		f->len += f->iov[n++].iov_len;
	}
	f->iovcnt = n;
}

uint16_t
gro_packet_of(const struct gro *g, uint16_t index, const struct gro_packet **p)
{
	*p = &g->packet[index];
	return (*p)->next;
}
