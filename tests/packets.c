#include <sys/mman.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/packets.h"
#include "tests/reference.h"

static void *
must(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

void
list_add(struct list *l, const void *data, size_t len)
{
	struct item *it;

	if (l->count == l->room) {
		l->room = l->room == 0 ? 16 : 2 * l->room;
		l->items =
		    must(reallocarray(l->items, l->room, sizeof(*l->items)));
	}
	it = &l->items[l->count++];
	it->data = must(malloc(len == 0 ? 1 : len));
	it->len = len;
	if (len > 0)
		memcpy(it->data, data, len);
}

void
list_clear(struct list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i].data);
	free(l->items);
	memset(l, 0, sizeof(*l));
}

bool
item_equal(const struct item *a, const struct item *b)
{
	return a->len == b->len &&
	       (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

void
list_print(const char *what, const struct list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct item *it = &l->items[i];

		fprintf(stderr, "# %s[%zu], %zu bytes:", what, i, it->len);
		for (size_t b = 0; b < it->len && b < 96; b++)
			fprintf(stderr, "%s%02x", b % 4 == 0 ? " " : "",
			    it->data[b]);
		fprintf(stderr, "%s\n", it->len > 96 ? " ..." : "");
	}
}

uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

void
put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void
put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

uint16_t
get16le(const uint8_t *p)
{
	return (uint16_t)(p[1] << 8 | p[0]);
}

void
put16le(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

uint16_t
get16host(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

void
put16host(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

uint8_t
payload_byte(uint32_t i)
{
	return (uint8_t)(i * 2654435761u >> 24);
}

struct packet_spec
packet_default(uint8_t version, uint8_t proto)
{
	return (struct packet_spec){.version = version,
	    .proto = proto,
	    .src = 1,
	    .dst = 2,
	    .ttl = 64,
	    .id = 1000,
	    .df = version == 4,
	    .sport = 40000,
	    .dport = 5201,
	    .seq = 100000,
	    .ack = 7,
	    .window = 501,
	    .flags = TCP_ACK,
	    .payload = 1000};
}

void
packet_next(struct packet_spec *s)
{
	s->seq += (uint32_t)s->payload;
	s->fill += (uint32_t)s->payload;
	s->id++;
}

size_t
packet_l4(const struct packet_spec *s)
{
	if (s->version == 4)
		return 20 + s->ip_options;
	return 40 + 8 * (size_t)s->ext_count + (s->frag != 0 ? 8 : 0);
}

static size_t
l4_header(const struct packet_spec *s)
{
	switch (s->proto) {
	case IPPROTO_TCP:
		return 20 + s->tcp_options;
	case IPPROTO_UDP:
		return 8;
	default:
		return 0;
	}
}

size_t
packet_headers(const struct packet_spec *s)
{
	return packet_l4(s) + l4_header(s);
}

static void
build_ipv4(const struct packet_spec *s, uint8_t *p, size_t total)
{
	size_t hlen = packet_l4(s);

	p[0] = (uint8_t)(0x40 | hlen / 4);
	p[1] = s->tos;
	put16(p + 2, (uint16_t)total);
	put16(p + 4, s->id);
	put16(p + 6, (uint16_t)(s->frag | (s->df ? 0x4000 : 0)));
	p[8] = s->ttl;
	p[9] = s->proto;
	put32(p + 12, 0x0a090000u | s->src);
	put32(p + 16, 0x0a090000u | s->dst);
	memset(p + 20, 1, hlen - 20);
	put16(p + 10, (uint16_t)~ref_sum(p, hlen));
	if ((s->sums & SUM_BAD_IP) != 0)
		p[11] ^= 0x5a;
}

/* Padding options fill the option headers; unknown routing, none left. */
static void
build_ext(const struct packet_spec *s, uint8_t type, uint8_t *p)
{
	memset(p, 0, 8);
	if (type == IPPROTO_ROUTING) {
		p[2] = 253;
		p[4] = s->ext_fill;
		return;
	}
	p[2] = 0x1e; /* an experimental option that may be skipped */
	p[3] = 4;
	memset(p + 4, s->ext_fill, 4);
}

static void
build_ipv6(const struct packet_spec *s, uint8_t *p, size_t total)
{
	uint8_t *next = p + 6, *q = p + 40;

	put32(p, 6u << 28 | (uint32_t)s->tos << 20 | (s->flow_label & 0xfffff));
	put16(p + 4, (uint16_t)(total - 40));
	p[7] = s->ttl;
	memset(p + 8, 0, 32);
	p[8] = p[24] = 0xfd;
	p[9] = p[25] = 0x09;
	p[23] = s->src;
	p[39] = s->dst;
	for (size_t i = 0; i < s->ext_count; i++) {
		*next = s->ext[i];
		next = q;
		build_ext(s, s->ext[i], q);
		q += 8;
	}
	if (s->frag != 0) {
		*next = IPPROTO_FRAGMENT;
		next = q;
		memset(q, 0, 8);
		put16(q + 2, s->frag);
		put32(q + 4, s->id);
	}
	*next = s->proto;
}

static void
build_tcp(const struct packet_spec *s, uint8_t *p)
{
	memset(p, 0, 20);
	put16(p, s->sport);
	put16(p + 2, s->dport);
	put32(p + 4, s->seq);
	put32(p + 8, s->ack);
	p[12] = (uint8_t)((20 + s->tcp_options) / 4 << 4 | s->reserved);
	p[13] = s->flags;
	put16(p + 14, s->window);
	put16(p + 18, s->urgent);
	memset(p + 20, s->tcp_fill, s->tcp_options);
}

static void
build_udp(const struct packet_spec *s, uint8_t *p)
{
	put16(p, s->sport);
	put16(p + 2, s->dport);
	put16(p + 4, (uint16_t)(8 + s->payload));
	put16(p + 6, 0);
}

/* Turns the first payload bytes so that the computed checksum is zero. */
static void
turn_to_zero(uint8_t *payload, uint16_t sum)
{
	put16(payload, (uint16_t)~sum);
}

static void
l4_checksum(const struct packet_spec *s, uint8_t *p, size_t total)
{
	size_t l4 = packet_l4(s), len = total - l4;
	uint8_t *field = p + l4 + (s->proto == IPPROTO_TCP ? 16 : 6);
	uint8_t *payload = p + packet_headers(s);
	uint16_t pseudo = ref_pseudo(p, s->proto, len), sum;

	if ((s->sums & SUM_MINUS_ZERO) != 0 && s->payload >= 2) {
		put16(payload, 0);
		sum = ref_add(pseudo, ref_sum(p + l4, len));
		if (packet_headers(s) % 2 == l4 % 2)
			turn_to_zero(payload, sum);
	}
	sum = 0xffff - ref_add(pseudo, ref_sum(p + l4, len));
	if (sum == 0 &&
	    (s->proto == IPPROTO_UDP || (s->sums & SUM_MINUS_ZERO) != 0))
		sum = 0xffff;
	if ((s->sums & SUM_PARTIAL) != 0)
		sum = pseudo;
	if ((s->sums & SUM_BAD_L4) != 0)
		sum ^= 0x1234;
	if ((s->sums & SUM_NONE) != 0)
		sum = 0;
	put16(field, sum);
}

size_t
packet_build(const struct packet_spec *s, uint8_t *buf)
{
	size_t l4 = packet_l4(s), headers = packet_headers(s);
	size_t total = headers + s->payload;

	if (total + s->trailing > PACKET_MAX)
		abort();
	memset(buf, 0, headers);
	for (size_t i = 0; i < s->payload; i++)
		buf[headers + i] = payload_byte(s->fill + (uint32_t)i);
	memset(buf + total, 0xee, s->trailing);
	if (s->version == 4)
		build_ipv4(s, buf, total);
	else
		build_ipv6(s, buf, total);
	if (s->proto == IPPROTO_TCP)
		build_tcp(s, buf + l4);
	else if (s->proto == IPPROTO_UDP)
		build_udp(s, buf + l4);
	if (s->proto == IPPROTO_TCP || s->proto == IPPROTO_UDP)
		l4_checksum(s, buf, total);
	return total + s->trailing;
}

void
packet_print(const struct packet_spec *s)
{
	fprintf(stderr,
	    "# IPv%d proto %d %d:%d > %d:%d tos %x ttl %d label %x id %u%s "
	    "frag %x options %d ext %d(%d,%d,%d; %x) seq %u ack %u win %u "
	    "urg %u flags %x reserved %x tcp options %d(%x) payload %zu "
	    "fill %u trailing %zu sums %x\n",
	    s->version, s->proto, s->src, s->sport, s->dst, s->dport, s->tos,
	    s->ttl, s->flow_label, s->id, s->df ? " DF" : "", s->frag,
	    s->ip_options, s->ext_count, s->ext[0], s->ext[1], s->ext[2],
	    s->ext_fill, s->seq, s->ack, s->window, s->urgent, s->flags,
	    s->reserved, s->tcp_options, s->tcp_fill, s->payload, s->fill,
	    s->trailing, s->sums);
}

static uint8_t
gso_type_for(const struct packet_spec *s)
{
	if (s->proto == IPPROTO_UDP)
		return GSO_UDP;
	return s->version == 4 ? GSO_TCPV4 : GSO_TCPV6;
}

struct vnet_spec
vnet_for(const struct packet_spec *s, uint16_t gso_size)
{
	return (struct vnet_spec){.flags = VNET_F_NEEDS_CSUM,
	    .gso_type = gso_size == 0 ? GSO_NONE : gso_type_for(s),
	    .hdr_len = gso_size == 0 ? 0 : (uint16_t)packet_headers(s),
	    .gso_size = gso_size,
	    .csum_start = (uint16_t)packet_l4(s),
	    .csum_offset = s->proto == IPPROTO_TCP ? 16 : 6};
}

void
vnet_put(const struct vnet_spec *v, uint8_t *p)
{
	p[0] = v->flags;
	p[1] = v->gso_type;
	put16host(p + 2, v->hdr_len);
	put16host(p + 4, v->gso_size);
	put16host(p + 6, v->csum_start);
	put16host(p + 8, v->csum_offset);
}

void
vnet_get(const uint8_t *p, struct vnet_spec *v)
{
	v->flags = p[0];
	v->gso_type = p[1];
	v->hdr_len = get16host(p + 2);
	v->gso_size = get16host(p + 4);
	v->csum_start = get16host(p + 6);
	v->csum_offset = get16host(p + 8);
}

size_t
frame_build(
    const struct vnet_spec *v, const struct packet_spec *s, uint8_t *buf)
{
	vnet_put(v, buf);
	return VNET_LEN + packet_build(s, buf + VNET_LEN);
}

static size_t
guard_pages(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (len + page - 1) / page * page;
}

uint8_t *
guard_copy(const void *data, size_t len, enum guard side)
{
	size_t bytes = guard_pages(len);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p;

	p = mmap(NULL, bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1, 0);
	if (p == MAP_FAILED || (bytes > 0 && mprotect(p + page, bytes,
						 PROT_READ | PROT_WRITE) == -1))
		abort();
	p += side == GUARD_FRONT ? page : page + bytes - len;
	if (len > 0)
		memcpy(p, data, len);
	return p;
}

void
guard_free(uint8_t *p, size_t len)
{
	size_t bytes = guard_pages(len);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t into = (uintptr_t)p % page;

	/* at an end, unless it begins a page */
	if (into != 0)
		p -= bytes - len;
	if (munmap(p - page, bytes + 2 * page) == -1)
		abort();
}
