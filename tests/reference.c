#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "tests/reference.h"

uint16_t
ref_add(uint16_t a, uint16_t b)
{
	uint32_t sum = (uint32_t)a + b;

	return (uint16_t)(sum > 0xffff ? sum - 0xffff : sum);
}

uint16_t
ref_sum(const uint8_t *p, size_t len)
{
	uint16_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = ref_add(sum, (uint16_t)(i % 2 == 0 ? p[i] << 8 : p[i]));
	return sum;
}

uint16_t
ref_pseudo(const uint8_t *p, uint8_t proto, size_t len)
{
	uint16_t sum = p[0] >> 4 == 4 ? ref_sum(p + 12, 8) : ref_sum(p + 8, 32);

	sum = ref_add(sum, (uint16_t)(len >> 16));
	sum = ref_add(sum, (uint16_t)len);
	return ref_add(sum, proto);
}

static const char *
parse_ipv4(const uint8_t *p, size_t len, struct ref_layout *l)
{
	if (len < 20)
		return "short";
	l->ip_end = l->l4 = 4 * (size_t)(p[0] & 15);
	if (l->ip_end < 20 || l->ip_end > len)
		return "short";
	l->total = get16(p + 2);
	if (l->total < l->ip_end || l->total > len)
		return "length";
	l->proto = p[9];
	l->chain = true;
	l->fragment = (get16(p + 6) & 0x3fff) != 0;
	return NULL;
}

static const char *
parse_ipv6(const uint8_t *p, size_t len, struct ref_layout *l)
{
	if (len < 40)
		return "short";
	l->ip_end = l->l4 = 40;
	l->total = 40 + (size_t)get16(p + 4);
	if (l->total > len)
		return "length";
	l->proto = p[6];
	l->chain = true;
	while (l->proto == IPPROTO_HOPOPTS || l->proto == IPPROTO_ROUTING ||
	       l->proto == IPPROTO_DSTOPTS) {
		if (l->l4 + 8 > l->total ||
		    l->l4 + 8 + 8 * (size_t)p[l->l4 + 1] > l->total) {
			l->chain = false;
			return NULL;
		}
		l->proto = p[l->l4];
		l->l4 += 8 + 8 * (size_t)p[l->l4 + 1];
	}
	l->fragment = l->proto == IPPROTO_FRAGMENT;
	return NULL;
}

const char *
ref_parse(const uint8_t *p, size_t len, struct ref_layout *l)
{
	const char *why;

	memset(l, 0, sizeof(*l));
	if (len == 0)
		return "short";
	l->version = p[0] >> 4;
	if (l->version == 4)
		why = parse_ipv4(p, len, l);
	else if (l->version == 6)
		why = parse_ipv6(p, len, l);
	else
		why = "version";
	if (why != NULL || l->fragment || !l->chain)
		return why;
	if (l->proto == IPPROTO_TCP && l->l4 + 20 <= l->total) {
		size_t hlen = 4 * (size_t)(p[l->l4 + 12] >> 4);

		l->whole = true;
		if (hlen >= 20 && l->l4 + hlen <= l->total)
			l->payload = l->l4 + hlen;
	} else if (l->proto == IPPROTO_UDP && l->l4 + 8 <= l->total) {
		l->whole = true;
		l->payload = l->l4 + 8;
	}
	return NULL;
}

static size_t
field_of(uint8_t proto)
{
	return proto == IPPROTO_TCP ? 16 : 6;
}

const char *
ref_check(const uint8_t *p, size_t len)
{
	struct ref_layout l;
	const char *why = ref_parse(p, len, &l);

	if (why != NULL)
		return why;
	if (l.total != len)
		return "trailing bytes";
	if (l.version == 4 && ref_sum(p, l.ip_end) != 0xffff)
		return "IPv4 header checksum";
	if (!l.whole)
		return NULL;
	if (l.payload == 0)
		return "TCP data offset";
	if (l.proto == IPPROTO_UDP && get16(p + l.l4 + 4) != len - l.l4)
		return "UDP length";
	if (l.proto == IPPROTO_UDP && get16(p + l.l4 + 6) == 0)
		return l.version == 4 ? NULL : "UDP checksum of zero";
	if (ref_add(ref_pseudo(p, l.proto, len - l.l4),
		ref_sum(p + l.l4, len - l.l4)) != 0xffff)
		return "transport checksum";
	return NULL;
}

/* ---- split ---- */

/* Sums from start to the end and stores the result at field. */
static void
complete(uint8_t *p, size_t len, size_t start, size_t field)
{
	uint16_t sum = (uint16_t)~ref_sum(p + start, len - start);

	put16(p + field, sum);
}

static void
udp_zero(uint8_t *p, size_t field)
{
	if (get16(p + field) == 0)
		put16(p + field, 0xffff);
}

static void
checksum_afresh(uint8_t *p, const struct ref_layout *l, size_t len)
{
	size_t field = l->l4 + field_of(l->proto);

	put16(p + field, ref_pseudo(p, l->proto, len - l->l4));
	complete(p, len, l->l4, field);
	if (l->proto == IPPROTO_UDP)
		udp_zero(p, field);
}

/*
 * A packet that is not cut: its checksum is completed from the pseudo-header
 * sum in the field, or where that cannot be, computed afresh.
 */
static const char *
finish_one(uint8_t *p, const struct ref_layout *l, const struct vnet_spec *v)
{
	bool gso = (v->gso_type & 0x7f) != GSO_NONE;
	bool needed = (v->flags & VNET_F_NEEDS_CSUM) != 0;
	size_t start = v->csum_start, field = start + v->csum_offset;
	bool agrees = start == l->l4 && v->csum_offset == field_of(l->proto);
	bool inner = !gso && l->proto == IPPROTO_UDP && start >= l->l4 + 8 &&
		     field + 2 <= l->total;

	if (l->fragment || (!gso && !needed))
		return NULL;
	if ((l->proto == IPPROTO_TCP || l->proto == IPPROTO_UDP) && l->chain &&
	    l->payload == 0)
		return "header";
	if (l->whole && !inner && !(agrees && needed)) {
		checksum_afresh(p, l, l->total);
		return NULL;
	}
	if (!needed)
		return NULL;
	if (start < l->l4 || field + 2 > l->total)
		return "checksum";
	complete(p, l->total, start, field);
	if (v->csum_offset == 6)
		udp_zero(p, field);
	return NULL;
}

static bool
type_agrees(uint8_t gso, const struct ref_layout *l)
{
	switch (gso) {
	case GSO_TCPV4:
		return l->version == 4 && l->proto == IPPROTO_TCP;
	case GSO_TCPV6:
		return l->version == 6 && l->proto == IPPROTO_TCP;
	case GSO_UDP:
		return l->proto == IPPROTO_UDP;
	default:
		return false;
	}
}

/*
 * RFC 8200, section 8.1: the pseudo-header holds the final destination, which
 * options and extension headers may change.  The partial sum of the whole
 * packet knows it: without that packet's length and with the segment's it is
 * the segment's.
 */
static void
checksum_routed(
    uint8_t *p, const struct ref_layout *l, size_t len, uint16_t partial)
{
	size_t field = l->l4 + field_of(l->proto);

	partial = ref_add(partial, (uint16_t) ~(l->total - l->l4));
	put16(p + field, ref_add(partial, (uint16_t)(len - l->l4)));
	complete(p, len, l->l4, field);
	if (l->proto == IPPROTO_UDP)
		udp_zero(p, field);
}

/* Segment n of those that begin at offset at of the payload. */
static void
cut_segment(const uint8_t *p, const struct ref_layout *l, size_t n, size_t at,
    size_t bytes, bool partial, struct list *out)
{
	uint8_t seg[PACKET_MAX];
	size_t len = l->payload + bytes;
	bool last = l->payload + at + bytes == l->total;

	memcpy(seg, p, l->payload);
	memcpy(seg + l->payload, p + l->payload + at, bytes);
	if (l->version == 4) {
		put16(seg + 2, (uint16_t)len);
		put16(seg + 4, (uint16_t)(get16(p + 4) + n));
		put16(seg + 10, 0);
		put16(seg + 10, (uint16_t)~ref_sum(seg, l->ip_end));
	} else
		put16(seg + 4, (uint16_t)(len - 40));
	if (l->proto == IPPROTO_TCP) {
		put32(seg + l->l4 + 4, get32(p + l->l4 + 4) + (uint32_t)at);
		if (n > 0)
			seg[l->l4 + 13] &= (uint8_t)~TCP_CWR;
		if (!last)
			seg[l->l4 + 13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	} else
		put16(seg + l->l4 + 4, (uint16_t)(len - l->l4));
	if (l->l4 > (l->version == 4 ? 20u : 40u) && partial)
		checksum_routed(
		    seg, l, len, get16(p + l->l4 + field_of(l->proto)));
	else
		checksum_afresh(seg, l, len);
	list_add(out, seg, len);
}

static void
cut(const uint8_t *p, const struct ref_layout *l, size_t size, bool partial,
    struct list *out)
{
	size_t all = l->total - l->payload, n = 0;

	for (size_t at = 0; at < all; at += size)
		cut_segment(p, l, n++, at, all - at < size ? all - at : size,
		    partial, out);
}

/* What the virtio_net_hdr says and what the packet is do agree. */
static bool
may_cut(const struct ref_layout *l, const struct vnet_spec *v)
{
	if (l->payload == 0 || !type_agrees(v->gso_type & 0x7f, l))
		return false;
	if ((v->flags & VNET_F_NEEDS_CSUM) != 0 &&
	    (v->csum_start != l->l4 || v->csum_offset != field_of(l->proto)))
		return false;
	return v->gso_size != 0 && l->total - l->payload > v->gso_size &&
	       l->payload <= REF_HEADERS_MAX;
}

static const char *
split_packet(
    uint8_t *p, size_t len, const struct vnet_spec *v, struct list *out)
{
	struct ref_layout l;
	const char *why = ref_parse(p, len, &l);

	if (why != NULL)
		return why;
	if ((v->gso_type & 0x7f) != GSO_NONE && l.total != len)
		return "length";
	if (may_cut(&l, v)) {
		cut(p, &l, v->gso_size, (v->flags & VNET_F_NEEDS_CSUM) != 0,
		    out);
		return NULL;
	}
	why = finish_one(p, &l, v);
	if (why == NULL)
		list_add(out, p, l.total);
	return why;
}

const char *
ref_split(const uint8_t *frame, size_t len, struct list *out)
{
	struct vnet_spec v;
	uint8_t *p;
	const char *why;

	if (len <= VNET_LEN)
		return "short";
	vnet_get(frame, &v);
	p = malloc(len - VNET_LEN);
	if (p == NULL)
		abort();
	memcpy(p, frame + VNET_LEN, len - VNET_LEN);
	why = split_packet(p, len - VNET_LEN, &v, out);
	free(p);
	return why;
}

/* ---- coalesce ---- */

/*
 * A checksum of 0xffff that should be 0x0000 is valid, but would not come
 * back from a split as it was.
 */
static bool
would_come_back(const uint8_t *p, const struct ref_layout *l)
{
	uint8_t *again = malloc(l->total);
	bool same;

	if (again == NULL)
		abort();
	memcpy(again, p, l->total);
	if (l->version == 4) {
		put16(again + 10, 0);
		put16(again + 10, (uint16_t)~ref_sum(again, l->ip_end));
	}
	checksum_afresh(again, l, l->total);
	same = memcmp(again, p, l->total) == 0;
	free(again);
	return same;
}

/* May this packet be one of several in a superpacket? */
static bool
candidate(const uint8_t *p, size_t len, const struct ref_layout *l)
{
	if (l->total != len || len > 65535 || l->fragment || !l->whole ||
	    l->payload == 0 || l->payload == len || ref_check(p, len) != NULL)
		return false;
	if (l->payload > REF_MERGED_HEADERS_MAX)
		return false;
	if (l->version == 4 && (l->ip_end != 20 || (p[6] & 0x80) != 0))
		return false;
	if (l->proto == IPPROTO_UDP && get16(p + l->l4 + 6) == 0)
		return false;
	if (l->proto == IPPROTO_TCP &&
	    (p[l->l4 + 13] & ~(TCP_PSH | TCP_ECE)) != TCP_ACK)
		return false;
	return would_come_back(p, l);
}

/* Every header byte that segments of one superpacket have in common. */
static bool
same_headers(const uint8_t *a, const uint8_t *b, const struct ref_layout *l)
{
	uint8_t x[PACKET_MAX], y[PACKET_MAX], *both[2] = {x, y};

	memcpy(x, a, l->payload);
	memcpy(y, b, l->payload);
	for (int i = 0; i < 2; i++) {
		uint8_t *p = both[i];

		if (l->version == 4) {
			put32(p + 2, 0); /* length, ID */
			put16(p + 10, 0);
		} else
			put16(p + 4, 0);
		put16(p + l->l4 + field_of(l->proto), 0);
		if (l->proto == IPPROTO_TCP) {
			put32(p + l->l4 + 4, 0);
			p[l->l4 + 13] &= (uint8_t)~TCP_PSH;
		} else
			put16(p + l->l4 + 4, 0);
	}
	return memcmp(x, y, l->payload) == 0;
}

enum id_pattern { ID_OPEN, ID_RISING, ID_CONSTANT };

struct group {
	const struct item **parts;
	size_t count;
	struct ref_layout l; /* of the first */
	size_t size;	     /* payload of the first */
	size_t total;	     /* bytes of the superpacket */
	bool closed;
	bool alone; /* was never open */
	enum id_pattern ids;
};

static bool
id_fits(const struct group *g, const uint8_t *b, enum id_pattern *ids)
{
	const uint8_t *last = g->parts[g->count - 1]->data;
	uint16_t step = (uint16_t)(get16(b + 4) - get16(last + 4));
	bool df = (b[6] & 0x40) != 0;

	if (g->l.version == 6)
		return true;
	if (step == 1)
		*ids = ID_RISING;
	else if (step == 0 && df)
		*ids = ID_CONSTANT;
	else
		return false;
	return g->ids == ID_OPEN || g->ids == *ids;
}

static bool
append(struct group *g, const struct item *it, const struct ref_layout *l)
{
	const uint8_t *first = g->parts[0]->data, *b = it->data;
	size_t bytes = it->len - l->payload;
	enum id_pattern ids = g->ids;

	if (g->closed || g->l.version != l->version || g->l.proto != l->proto ||
	    g->l.l4 != l->l4 || g->l.payload != l->payload ||
	    !same_headers(first, b, l) || bytes > g->size || g->count == 64 ||
	    g->total + bytes > 65535 || !id_fits(g, b, &ids))
		return false;
	if (l->proto == IPPROTO_TCP &&
	    get32(b + l->l4 + 4) !=
		get32(first + l->l4 + 4) + (uint32_t)(g->count * g->size))
		return false;
	g->ids = ids;
	g->parts[g->count++] = it;
	g->total += bytes;
	g->closed = bytes < g->size ||
		    (l->proto == IPPROTO_TCP && (b[l->l4 + 13] & TCP_PSH) != 0);
	return true;
}

bool
ref_same_pair(const uint8_t *a, const uint8_t *b)
{
	if (a[0] >> 4 != b[0] >> 4)
		return false;
	return a[0] >> 4 == 4 ? memcmp(a + 12, b + 12, 8) == 0
			      : memcmp(a + 8, b + 8, 32) == 0;
}

/* Is the flow of a packet that of the group, as far as can be told? */
static bool
touches(const struct group *g, const uint8_t *p, const struct ref_layout *l)
{
	const uint8_t *first = g->parts[0]->data;

	if (!ref_same_pair(first, p))
		return false;
	return l->payload == 0 ||
	       (l->proto == g->l.proto &&
		   memcmp(first + g->l.l4, p + l->l4, 4) == 0);
}

static void
put_group(const struct group *g, struct list *frames)
{
	uint8_t *buf = calloc(1, VNET_LEN + g->total), *p;
	size_t at;

	if (buf == NULL)
		abort();
	p = buf + VNET_LEN;
	memcpy(p, g->parts[0]->data, g->parts[0]->len);
	at = g->parts[0]->len;
	for (size_t i = 1; i < g->count; i++) {
		size_t bytes = g->parts[i]->len - g->l.payload;

		memcpy(p + at, g->parts[i]->data + g->l.payload, bytes);
		at += bytes;
	}
	if (g->count > 1) {
		const struct item *last = g->parts[g->count - 1];
		size_t l4 = g->l.l4, field = field_of(g->l.proto);
		bool tcp = g->l.proto == IPPROTO_TCP;

		if (g->l.version == 4) {
			put16(p + 2, (uint16_t)at);
			put16(p + 10, 0);
			put16(p + 10, (uint16_t)~ref_sum(p, 20));
		} else
			put16(p + 4, (uint16_t)(at - 40));
		if (tcp)
			p[l4 + 13] |= last->data[l4 + 13];
		else
			put16(p + l4 + 4, (uint16_t)(at - l4));
		put16(p + l4 + field, ref_pseudo(p, g->l.proto, at - l4));
		vnet_put(&(struct vnet_spec){.flags = VNET_F_NEEDS_CSUM,
			     .gso_type = !tcp		     ? GSO_UDP
					 : g->l.version == 4 ? GSO_TCPV4
							     : GSO_TCPV6,
			     .hdr_len = (uint16_t)g->l.payload,
			     .gso_size = (uint16_t)g->size,
			     .csum_start = (uint16_t)l4,
			     .csum_offset = (uint16_t)field},
		    buf);
	}
	list_add(frames, buf, VNET_LEN + g->total);
	free(buf);
}

static void
begin(struct group *g, const struct item *it, const struct ref_layout *l)
{
	g->parts = calloc(64, sizeof(*g->parts));
	if (g->parts == NULL)
		abort();
	g->parts[0] = it;
	g->count = 1;
	g->l = *l;
	g->total = it->len;
	g->size = it->len - l->payload;
	g->alone = !candidate(it->data, it->len, l);
	g->closed = g->alone || (l->proto == IPPROTO_TCP &&
				    (it->data[l->l4 + 13] & TCP_PSH) != 0);
}

/* To the newest group of its flow, or behind all groups that it touches. */
static void
take(struct group *groups, size_t *count, const struct item *it)
{
	struct ref_layout l;
	bool may;

	if (ref_parse(it->data, it->len, &l) != NULL)
		return;
	may = candidate(it->data, it->len, &l);
	for (size_t i = 0; i < *count; i++) {
		struct group *g = &groups[i];

		if (g->closed || !touches(g, it->data, &l))
			continue;
		if (may && append(g, it, &l))
			return;
		g->closed = true;
	}
	begin(&groups[(*count)++], it, &l);
}

void
ref_coalesce(const struct list *burst, struct list *frames)
{
	struct group *groups = calloc(burst->count + 1, sizeof(*groups));
	size_t count = 0;

	if (groups == NULL)
		abort();
	for (size_t i = 0; i < burst->count; i++)
		take(groups, &count, &burst->items[i]);
	for (size_t i = 0; i < count; i++) {
		put_group(&groups[i], frames);
		free(groups[i].parts);
	}
	free(groups);
}

bool
ref_may_merge(const struct item *a, const struct item *b)
{
	struct item both[2] = {*a, *b};
	struct list burst = {.items = both, .count = 2}, frames = {0};
	bool one;

	ref_coalesce(&burst, &frames);
	one = frames.count == 1 && frames.items[0].data[1] != GSO_NONE;
	list_clear(&frames);
	return one;
}
