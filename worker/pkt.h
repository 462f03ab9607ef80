#ifndef WORKER_PKT_H
#define WORKER_PKT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Bounds-checked view of an IP packet: offsets, nothing copied.  RFC 791,
 * RFC 8200, RFC 9293, RFC 768.
 */
enum pkt_drop {
	PKT_OK,
	PKT_SHORT,    /* too short for its IP header */
	PKT_VERSION,  /* neither IPv4 nor IPv6 */
	PKT_LENGTH,   /* the IP length contradicts the bytes */
	PKT_CHECKSUM, /* checksum offsets outside, or in the IP header */
	PKT_HEADER,   /* a transport header that cannot be */
	PKT_DROP_COUNT
};

#define PKT_TCP 6
#define PKT_UDP 17

/* Lengths, offsets and bits in headers: RFC 8200, RFC 9293, RFC 768. */
#define IPV6_HDR_LEN 40
#define TCP_SEQ 4
#define TCP_FLAGS 13
#define TCP_CSUM 16
#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_PSH 0x08
#define TCP_FLAG_ACK 0x10
#define TCP_FLAG_ECE 0x40
#define TCP_FLAG_CWR 0x80
#define UDP_HDR_LEN 8
#define UDP_LENGTH 4
#define UDP_CSUM 6

struct pkt {
	uint8_t version; /* 4 or 6 */
	uint8_t proto;	 /* of the transport, behind extension headers */
	bool fragment;	 /* a fragment, the first one too */
	bool extended;	 /* IPv4 options or IPv6 extension headers */
	uint32_t len;	 /* what the IP header says, <= the bytes given */
	uint32_t l4;	 /* offset of the transport header, <= len */
	/*
	 * Bytes of the TCP or UDP header; 0 when it is neither, is a
	 * fragment, or its header is cut or cannot be.
	 */
	uint32_t l4_len;
};

/*
 * Parses len bytes.  PKT_OK, or why there is no packet: PKT_SHORT,
 * PKT_VERSION or PKT_LENGTH; *p is set only for PKT_OK.
 */
enum pkt_drop pkt_parse(const uint8_t *, size_t len, struct pkt *p);

/* Of the checksum, from the start of the TCP or UDP header. */
static inline uint16_t
pkt_csum_offset(const struct pkt *p)
{
	return p->proto == PKT_TCP ? TCP_CSUM : UDP_CSUM;
}

/* Address bytes, 4 or 16 of them, of a packet that was parsed. */
static inline const uint8_t *
pkt_src(const uint8_t *data, const struct pkt *p)
{
	return data + (p->version == 4 ? 12 : 8);
}

static inline const uint8_t *
pkt_dst(const uint8_t *data, const struct pkt *p)
{
	return data + (p->version == 4 ? 16 : 24);
}

/* Loads and stores at any alignment; be: network order. */
static inline uint16_t
pkt_load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
pkt_load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t
pkt_load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t
pkt_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
pkt_be32(const uint8_t *p)
{
	return (uint32_t)pkt_be16(p) << 16 | pkt_be16(p + 2);
}

static inline void
pkt_store16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void
pkt_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
pkt_put32(uint8_t *p, uint32_t v)
{
	pkt_put16(p, (uint16_t)(v >> 16));
	pkt_put16(p + 2, (uint16_t)v);
}

#endif
