#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bursts.h"

/* splitmix64: small, and any seed is a good one. */
uint32_t
random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ z >> 31) >> 16);
}

uint32_t
random_below(struct random *r, uint32_t n)
{
	return random_next(r) % n;
}

bool
random_percent(struct random *r, uint32_t percent)
{
	return random_below(r, 100) < percent;
}

#define PICK(r, table) \
	((table)[random_below((r), sizeof(table) / sizeof(*(table)))])

/* ---- bursts ---- */

struct flow {
	struct packet_spec next;
	size_t size; /* payload of a full packet */
	int id_step; /* 2: at random */
};

static const uint8_t ext_types[] = {
    IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS};

static void
pick_ext(struct random *r, struct packet_spec *s)
{
	s->ext_count = (uint8_t)(1 + random_below(r, 3));
	for (size_t i = 0; i < s->ext_count; i++)
		s->ext[i] = PICK(r, ext_types);
	if (random_percent(r, 50))
		s->ext[0] = IPPROTO_HOPOPTS;
}

static struct packet_spec
pick_spec(struct random *r)
{
	static const uint32_t seqs[] = {1, 100000, 0x7ffffff0, 0xfffffff0};
	static const uint16_t ids[] = {0, 1000, 0xfffd};
	struct packet_spec s;

	s = packet_default(random_percent(r, 50) ? 4 : 6,
	    random_percent(r, 60) ? IPPROTO_TCP : IPPROTO_UDP);
	s.src = (uint8_t)(1 + random_below(r, 2));
	s.dst = (uint8_t)(3 + random_below(r, 2));
	s.sport = (uint16_t)(40000 + random_below(r, 3));
	s.seq = PICK(r, seqs);
	s.id = PICK(r, ids);
	s.df = s.version == 4 && random_percent(r, 60);
	if (random_percent(r, 20))
		s.tos = (uint8_t)random_below(r, 256);
	if (random_percent(r, 20))
		s.flow_label = random_next(r) & 0xfffff;
	if (random_percent(r, 40))
		s.tcp_options = (uint8_t)(4 * random_below(r, 11));
	if (s.version == 6 && random_percent(r, 25))
		pick_ext(r, &s);
	if (s.version == 4 && random_percent(r, 5))
		s.ip_options = (uint8_t)(4 * (1 + random_below(r, 10)));
	if (random_percent(r, 5))
		s.sums = SUM_NONE * (s.proto == IPPROTO_UDP);
	return s;
}

static void
pick_flow(struct random *r, bool big, struct flow *f)
{
	static const uint16_t sizes[] = {1, 2, 3, 48, 100, 101, 512, 1448};
	static const uint16_t big_sizes[] = {
	    1448, 8948, 16000, 21845, 32700, 65000};

	f->next = pick_spec(r);
	f->size = big ? PICK(r, big_sizes) : PICK(r, sizes);
	f->id_step = random_percent(r, 60) ? 1 : (int)random_below(r, 3);
}

/* What the sender's next packet differs in from this one. */
static void
advance(struct random *r, struct flow *f, size_t sent)
{
	f->next.seq += (uint32_t)sent;
	f->next.fill += (uint32_t)sent;
	if (f->id_step == 2)
		f->next.id = (uint16_t)random_next(r);
	else
		f->next.id = (uint16_t)(f->next.id + f->id_step);
}

static void
other_size(struct random *r, struct packet_spec *s)
{
	switch (random_below(r, 4)) {
	case 0:
		s->payload = 0;
		break;
	case 1:
		s->payload += 1 + random_below(r, 3);
		break;
	default:
		s->payload = random_below(r, (uint32_t)s->payload + 1);
		break;
	}
}

static void
other_flags(struct random *r, struct packet_spec *s)
{
	static const uint8_t flags[] = {TCP_ACK | TCP_FIN,
	    TCP_ACK | TCP_FIN | TCP_PSH, TCP_SYN, TCP_SYN | TCP_ACK, TCP_RST,
	    TCP_ACK | TCP_RST, TCP_ACK | TCP_URG, TCP_ACK | TCP_ECE,
	    TCP_ACK | TCP_CWR, 0, TCP_PSH};

	s->flags = PICK(r, flags);
}

static void
other_fragment(struct random *r, struct packet_spec *s)
{
	static const uint16_t ipv4[] = {0x2000, 0x2010, 0x0010, 0x8000};
	static const uint16_t ipv6[] = {0x0001, 0x0101, 0x0100};

	s->frag = s->version == 4 ? PICK(r, ipv4) : PICK(r, ipv6);
}

static void
other_header(struct random *r, struct packet_spec *s)
{
	switch (random_below(r, 12)) {
	case 0:
		s->ttl--;
		break;
	case 1:
		s->tos ^= (uint8_t)(1u << random_below(r, 8));
		break;
	case 2:
		s->df = !s->df && s->version == 4;
		break;
	case 3:
		s->flow_label ^= 1u << random_below(r, 20);
		break;
	case 4:
		s->ack++;
		break;
	case 5:
		s->window++;
		break;
	case 6:
		s->reserved ^= (uint8_t)(1u << random_below(r, 4));
		break;
	case 7:
		s->tcp_fill++;
		break;
	case 8:
		s->tcp_options = (uint8_t)((s->tcp_options + 4) % 44);
		break;
	case 9:
		s->ext_fill++;
		break;
	case 10:
		s->urgent++;
		break;
	default:
		s->id = (uint16_t)(s->id + random_below(r, 4));
		break;
	}
}

static void
other_checksum(struct random *r, struct packet_spec *s)
{
	static const uint8_t sums[] = {
	    SUM_BAD_IP, SUM_BAD_L4, SUM_MINUS_ZERO, SUM_NONE};

	s->sums = PICK(r, sums);
}

static void
other_kind(struct random *r, struct packet_spec *s)
{
	static const uint8_t protos[] = {IPPROTO_ICMP, IPPROTO_ICMPV6,
	    IPPROTO_ESP, IPPROTO_SCTP, IPPROTO_NONE};

	switch (random_below(r, 4)) {
	case 0:
		s->proto = PICK(r, protos);
		break;
	case 1:
		s->trailing = 1 + random_below(r, 40);
		break;
	case 2:
		if (s->version == 4)
			s->ip_options = 4;
		else
			pick_ext(r, s);
		break;
	default:
		s->seq += 1 + random_below(r, 2000);
		break;
	}
}

static void
odd_piece(struct random *r, struct piece *p)
{
	static void (*const odd[])(struct random *, struct packet_spec *) = {
	    other_size, other_size, other_flags, other_fragment, other_header,
	    other_header, other_checksum, other_kind};

	if (random_percent(r, 15)) {
		p->flip_at = random_below(r, 70);
		p->flip = (uint8_t)(1u << random_below(r, 8));
	} else if (random_percent(r, 5)) {
		p->cut = (uint8_t)(1 + random_below(r, 100));
	} else {
		PICK(r, odd)(r, &p->spec);
	}
}

/* How likely it is, in percent, that a packet is odd. */
static const uint32_t oddness[] = {0, 0, 2, 5, 10, 30};

static void
next_piece(struct random *r, struct flow *f, uint32_t odd, struct piece *p)
{
	size_t headers;

	memset(p, 0, sizeof(*p));
	p->spec = f->next;
	p->spec.payload = f->size;
	if (p->spec.proto == IPPROTO_TCP && random_percent(r, odd + 1))
		p->spec.flags |= TCP_PSH;
	if (random_percent(r, odd))
		odd_piece(r, p);
	headers = packet_headers(&p->spec);
	if (headers + p->spec.payload > 65535)
		p->spec.payload = 65535 - headers;
	if (p->flip == 0 && p->cut == 0 && random_percent(r, 50)) {
		/* What is odd remains so for the rest of the flow. */
		f->next = p->spec;
		f->next.flags = TCP_ACK;
		f->next.frag = 0;
		f->next.sums &= SUM_NONE;
		f->next.trailing = 0;
	}
	advance(r, f, p->spec.payload);
}

/* Duplicates one, or lets it overtake its neighbour. */
static void
disorder(struct random *r, struct burst *b)
{
	struct piece *last = &b->pieces[b->count - 1], other;

	if (random_percent(r, 50) && b->count < BURST_MAX) {
		b->pieces[b->count++] = *last;
	} else if (b->count > 1) {
		other = last[-1];
		last[-1] = *last;
		*last = other;
	}
}

void
burst_generate(uint64_t seed, struct burst *b)
{
	static const uint32_t counts[] = {2, 3, 5, 20, 70, BURST_MAX};
	struct random r = {seed};
	struct flow flows[8];
	uint32_t n = 1 + random_below(&r, 8), now = 0;
	uint32_t count = 1 + random_below(&r, PICK(&r, counts));
	uint32_t odd = PICK(&r, oddness);
	uint32_t stay = random_percent(&r, 50) ? 90 : 30;
	bool big = count <= 20 && random_percent(&r, 30);

	for (uint32_t i = 0; i < n; i++)
		pick_flow(&r, big, &flows[i]);
	memset(b, 0, sizeof(*b));
	while (b->count < count) {
		if (!random_percent(&r, stay))
			now = random_below(&r, n);
		next_piece(&r, &flows[now], odd, &b->pieces[b->count++]);
		if (random_percent(&r, odd / 3))
			disorder(&r, b);
	}
}

static void
piece_build(const struct piece *p, struct list *l)
{
	uint8_t buf[PACKET_MAX];
	size_t len = packet_build(&p->spec, buf);

	len = p->cut < len ? len - p->cut : 1;
	if (p->flip_at < len)
		buf[p->flip_at] ^= p->flip;
	list_add(l, buf, len);
}

void
burst_build(const struct burst *b, struct list *l)
{
	for (size_t i = 0; i < b->count; i++)
		piece_build(&b->pieces[i], l);
}

void
burst_print(const struct burst *b)
{
	struct list l = {0};

	for (size_t i = 0; i < b->count; i++) {
		packet_print(&b->pieces[i].spec);
		if (b->pieces[i].flip != 0)
			fprintf(stderr, "#     byte %zu ^ %02x\n",
			    b->pieces[i].flip_at, b->pieces[i].flip);
		if (b->pieces[i].cut != 0)
			fprintf(stderr, "#     cut by %u bytes\n",
			    b->pieces[i].cut);
	}
	burst_build(b, &l);
	list_print("packet", &l);
	list_clear(&l);
}

/* ---- what is simpler ---- */

#define FIELD(name)                                         \
	{                                                   \
		offsetof(struct packet_spec, name),         \
		    sizeof(((struct packet_spec *)0)->name) \
	}
static const struct {
	size_t at, size;
} zeroed[] = {FIELD(tos), FIELD(flow_label), FIELD(id), FIELD(frag),
    FIELD(ip_options), FIELD(ext_count), FIELD(ext_fill), FIELD(urgent),
    FIELD(reserved), FIELD(tcp_options), FIELD(tcp_fill), FIELD(trailing)};

/* Ways in which a packet can be simpler; 16 of them take off payload. */
#define WAYS_SHORTER 16
#define WAYS_FIELD (sizeof(zeroed) / sizeof(zeroed[0]))
#define WAYS_FLAG 8
#define WAYS (WAYS_SHORTER + WAYS_FIELD + WAYS_FLAG)

/* Perhaps it is as it was. */
static void
spec_simplify(struct packet_spec *s, size_t way)
{
	if (way < WAYS_SHORTER) {
		s->payload -= s->payload >> way;
		return;
	}
	way -= WAYS_SHORTER;
	if (way < WAYS_FIELD)
		memset((uint8_t *)s + zeroed[way].at, 0, zeroed[way].size);
	else
		s->flags &= (uint8_t) ~(1u << (way - WAYS_FIELD));
}

static bool
same_flow(const struct packet_spec *a, const struct packet_spec *b)
{
	return a->version == b->version && a->proto == b->proto &&
	       a->src == b->src && a->dst == b->dst && a->sport == b->sport &&
	       a->dport == b->dport;
}

/* What its flow sends behind a packet that is shorter moves up. */
static void
piece_simplify(struct burst *b, size_t at, size_t way)
{
	struct packet_spec *s = &b->pieces[at].spec;
	size_t before = s->payload;

	spec_simplify(s, way);
	for (size_t i = at + 1; i < b->count && s->payload != before; i++)
		if (same_flow(s, &b->pieces[i].spec))
			b->pieces[i].spec.seq -=
			    (uint32_t)(before - s->payload);
}

static bool
burst_try(struct burst *b, const struct burst *next, burst_property *fails)
{
	size_t bytes = b->count * sizeof(b->pieces[0]);

	if (next->count == b->count &&
	    memcmp(next->pieces, b->pieces, bytes) == 0)
		return false;
	if (fails(next) == NULL)
		return false;
	memcpy(b, next, sizeof(*b));
	return true;
}

/* Drops runs of packets, long ones first, then single ones. */
static bool
burst_fewer(struct burst *b, burst_property *fails)
{
	static struct burst next;
	bool fewer = false;

	for (size_t run = b->count / 2; run > 0; run /= 2) {
		for (size_t at = 0; at + run <= b->count;) {
			next.count = b->count - run;
			memcpy(next.pieces, b->pieces, at * sizeof(*b->pieces));
			memcpy(next.pieces + at, b->pieces + at + run,
			    (next.count - at) * sizeof(*b->pieces));
			if (burst_try(b, &next, fails))
				fewer = true;
			else
				at += run;
		}
	}
	return fewer;
}

static bool
burst_simplify(struct burst *b, size_t from, size_t to, burst_property *fails)
{
	static struct burst next;
	bool simpler = false;

	for (size_t way = 0; way < WAYS; way++) {
		memcpy(&next, b, sizeof(next));
		for (size_t i = from; i < to; i++)
			piece_simplify(&next, i, way);
		simpler = burst_try(b, &next, fails) || simpler;
	}
	memcpy(&next, b, sizeof(next));
	for (size_t i = from; i < to; i++)
		next.pieces[i].flip_at = next.pieces[i].flip = 0;
	simpler = burst_try(b, &next, fails) || simpler;
	memcpy(&next, b, sizeof(next));
	for (size_t i = from; i < to; i++)
		next.pieces[i].cut = 0;
	return burst_try(b, &next, fails) || simpler;
}

/*
 * Until nothing can be taken away.  Packets of a flow may have to be alike, so
 * that first all are made simpler, then each.
 */
void
burst_shrink(struct burst *b, burst_property *fails)
{
	bool smaller;

	do {
		smaller = burst_fewer(b, fails);
		smaller = burst_simplify(b, 0, b->count, fails) || smaller;
		for (size_t i = 0; i < b->count; i++)
			smaller = burst_simplify(b, i, i + 1, fails) || smaller;
	} while (smaller);
}

/* ---- superpackets ---- */

void
super_generate_any(uint64_t seed, struct super *s)
{
	static const uint16_t sizes[] = {1, 7, 88, 536, 1200, 1448, 9000};
	static const uint8_t flags[] = {0, TCP_PSH, TCP_FIN, TCP_CWR, TCP_ECE,
	    TCP_PSH | TCP_FIN | TCP_CWR, TCP_URG, TCP_SYN};
	struct random r = {seed};
	size_t headers;
	uint16_t size = PICK(&r, sizes);

	memset(s, 0, sizeof(*s));
	s->spec = pick_spec(&r);
	s->spec.sums = SUM_PARTIAL;
	s->spec.flags |= PICK(&r, flags);
	headers = packet_headers(&s->spec);
	s->spec.payload = random_below(&r, 3 + random_below(&r, 66000));
	if (size < 88 && s->spec.payload > 8000)
		s->spec.payload %= 8000;
	if (headers + s->spec.payload > 65535)
		s->spec.payload = 65535 - headers;
	s->vnet = vnet_for(&s->spec, size);
	if (s->spec.proto == IPPROTO_TCP && (s->spec.flags & TCP_CWR) != 0)
		s->vnet.gso_type |= GSO_ECN;
}

void
super_generate(uint64_t seed, struct super *s)
{
	struct random r = {seed ^ 1};
	size_t headers, most;

	super_generate_any(seed, s);
	s->spec.flags &= TCP_ACK | TCP_PSH;
	s->spec.ip_options = 0;
	s->vnet = vnet_for(&s->spec, s->vnet.gso_size);
	headers = packet_headers(&s->spec);
	most = 64 * (size_t)s->vnet.gso_size;
	if (most > 65535 - headers)
		most = 65535 - headers;
	if (most < s->vnet.gso_size + 1u)
		most = s->vnet.gso_size + 1u;
	s->spec.payload = s->vnet.gso_size + 1u +
			  random_below(&r, (uint32_t)(most - s->vnet.gso_size));
	if (s->spec.payload > most)
		s->spec.payload = most;
}

static void
lie(struct random *r, struct super *s)
{
	static const uint16_t values[] = {
	    0, 1, 6, 16, 20, 39, 40, 41, 54, 60, 0x7fff, 0xfffe, 0xffff};
	static const uint8_t types[] = {
	    0, 1, 2, 3, 4, 5, 6, 0x7f, 0x80, 0x81, 0x84, 0x85, 0xff};
	uint16_t value = PICK(r, values);
	uint32_t slot;

	switch (random_below(r, 8)) {
	case 0:
		s->vnet.flags = (uint8_t)random_below(r, 4);
		break;
	case 1:
		s->vnet.gso_type = PICK(r, types);
		break;
	case 2:
		s->vnet.gso_size = value;
		break;
	case 3:
		s->vnet.csum_start = value;
		break;
	case 4:
		s->vnet.csum_offset = value;
		break;
	case 5:
		s->vnet.hdr_len = value;
		break;
	default:
		slot = random_below(r, 3);
		s->lies[slot].at = VNET_LEN + random_below(r, 70);
		s->lies[slot].flip = (uint8_t)(1u << random_below(r, 8));
		break;
	}
}

void
super_generate_lying(uint64_t seed, struct super *s)
{
	struct random r = {seed ^ 2};

	super_generate_any(seed, s);
	if (random_percent(&r, 30)) {
		s->vnet = vnet_for(&s->spec, 0);
		s->spec.payload %= 1500;
	}
	if (random_percent(&r, 10))
		s->spec.frag = 0x2000 >> (s->spec.version == 6 ? 13 : 0);
	if (random_percent(&r, 10))
		s->spec.proto = IPPROTO_ICMP;
	if (random_percent(&r, 10))
		s->spec.trailing = 1 + random_below(&r, 60);
	for (uint32_t n = 1 + random_below(&r, 3); n > 0; n--)
		lie(&r, s);
}

void
super_build(const struct super *s, struct list *l)
{
	uint8_t buf[VNET_LEN + PACKET_MAX];
	size_t len = frame_build(&s->vnet, &s->spec, buf);

	for (size_t i = 0; i < 3; i++)
		if (s->lies[i].at < len)
			buf[s->lies[i].at] ^= s->lies[i].flip;
	list_add(l, buf, len);
}

void
super_print(const struct super *s)
{
	struct list l = {0};

	packet_print(&s->spec);
	fprintf(stderr,
	    "# flags %x gso_type %x hdr_len %u gso_size %u csum_start %u "
	    "csum_offset %u\n",
	    s->vnet.flags, s->vnet.gso_type, s->vnet.hdr_len, s->vnet.gso_size,
	    s->vnet.csum_start, s->vnet.csum_offset);
	for (size_t i = 0; i < 3; i++)
		if (s->lies[i].flip != 0)
			fprintf(stderr, "#     byte %zu ^ %02x\n",
			    s->lies[i].at, s->lies[i].flip);
	super_build(s, &l);
	list_print("frame", &l);
	list_clear(&l);
}

/* What is true of its headers stays so. */
static void
super_simplify(struct super *s, size_t way)
{
	bool start = s->vnet.csum_start == packet_l4(&s->spec);
	bool headers = s->vnet.hdr_len == packet_headers(&s->spec);

	spec_simplify(&s->spec, way);
	if (start)
		s->vnet.csum_start = (uint16_t)packet_l4(&s->spec);
	if (headers)
		s->vnet.hdr_len = (uint16_t)packet_headers(&s->spec);
}

static bool
super_try(struct super *s, const struct super *next, super_property *fails)
{
	if (memcmp(next, s, sizeof(*s)) == 0 || fails(next) == NULL)
		return false;
	memcpy(s, next, sizeof(*s));
	return true;
}

static bool
super_truer(struct super *s, super_property *fails)
{
	struct super next;
	bool truer = false;

	for (size_t i = 0; i < sizeof(s->lies) / sizeof(s->lies[0]); i++) {
		memcpy(&next, s, sizeof(next));
		next.lies[i].at = next.lies[i].flip = 0;
		truer = super_try(s, &next, fails) || truer;
	}
	return truer;
}

void
super_shrink(struct super *s, super_property *fails)
{
	struct super next;
	bool smaller;

	do {
		smaller = super_truer(s, fails);
		for (size_t way = 0; way < WAYS; way++) {
			memcpy(&next, s, sizeof(next));
			super_simplify(&next, way);
			smaller = super_try(s, &next, fails) || smaller;
		}
	} while (smaller);
}
