#ifndef TESTS_PACKETS_H
#define TESTS_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Builders of IP packets and of frames as a tun device gives and takes them.
 * What a test does not say has a harmless value, see packet_default().
 */
#define PACKET_MAX (65535 + 64)

enum {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80
};

/* Bits of packet_spec.sums: how checksums are made wrong, or left open. */
enum {
	SUM_BAD_IP = 0x01,
	SUM_BAD_L4 = 0x02,
	SUM_NONE = 0x04,      /* a UDP checksum of zero: not computed */
	SUM_PARTIAL = 0x08,   /* the folded pseudo-header sum alone */
	SUM_MINUS_ZERO = 0x10 /* what would be 0x0000 is sent as 0xffff */
};

struct packet_spec {
	uint8_t version;  /* 4 or 6 */
	uint8_t proto;	  /* IPPROTO_TCP, IPPROTO_UDP, others as they are */
	uint8_t src, dst; /* last byte of the addresses */
	uint8_t tos;	  /* or traffic class */
	uint8_t ttl;	  /* or hop limit */
	uint32_t flow_label;
	uint16_t id;
	bool df;
	uint16_t frag;	    /* other bits of the fragment word; for IPv6 both M
			       and offset as in a fragment header that is added */
	uint8_t ip_options; /* bytes of IPv4 options, a multiple of 4 */
	uint8_t ext[3];	    /* IPv6 extension headers, eight bytes each */
	uint8_t ext_count;
	uint8_t ext_fill; /* what is in their options */
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint16_t window, urgent;
	uint8_t flags;
	uint8_t reserved;    /* low four bits of the data offset byte */
	uint8_t tcp_options; /* bytes, a multiple of 4 */
	uint8_t tcp_fill;    /* what is in them */
	size_t payload;	     /* bytes */
	uint32_t fill;	     /* payload byte i is payload_byte(fill + i) */
	size_t trailing;     /* bytes behind the end of the packet */
	unsigned int sums;
};

struct vnet_spec {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
};

enum {
	VNET_LEN = 10,
	VNET_F_NEEDS_CSUM = 1,
	VNET_F_DATA_VALID = 2,
	GSO_NONE = 0,
	GSO_TCPV4 = 1,
	GSO_UFO = 3,
	GSO_TCPV6 = 4,
	GSO_UDP = 5, /* UDP_L4 */
	GSO_ECN = 0x80
};

/* A list of packets or of frames, all of it the list's own memory. */
struct item {
	uint8_t *data;
	size_t len;
};
struct list {
	struct item *items;
	size_t count, room;
};
void list_add(struct list *, const void *, size_t len);
void list_clear(struct list *);
bool item_equal(const struct item *, const struct item *);
/* Lines "# what[i]: hex of the first bytes" on standard error. */
void list_print(const char *what, const struct list *);

uint16_t get16(const uint8_t *);
uint32_t get32(const uint8_t *);
void put16(uint8_t *, uint16_t);
void put32(uint8_t *, uint32_t);
uint16_t get16le(const uint8_t *);
void put16le(uint8_t *, uint16_t);
/* As the machine has it: what a virtio_net_hdr holds. */
uint16_t get16host(const uint8_t *);
void put16host(uint8_t *, uint16_t);

/* One flow between two hosts: DF, ttl 64, TCP with ACK, 1,000 bytes. */
struct packet_spec packet_default(uint8_t version, uint8_t proto);
/* The packet that the same sender would send next. */
void packet_next(struct packet_spec *);
#define EACH(version, proto)                                            \
	for (uint8_t version = 4; version <= 6; version += 2)           \
		for (uint8_t proto = IPPROTO_TCP; proto <= IPPROTO_UDP; \
		     proto += IPPROTO_UDP - IPPROTO_TCP)
/* Bytes before the transport header, and before the payload. */
size_t packet_l4(const struct packet_spec *);
size_t packet_headers(const struct packet_spec *);
/* Into buf, at least PACKET_MAX bytes; returns the length. */
size_t packet_build(const struct packet_spec *, uint8_t *buf);
void packet_print(const struct packet_spec *);
uint8_t payload_byte(uint32_t);

/* The header that fits spec when its payload is cut at gso_size (0: not). */
struct vnet_spec vnet_for(const struct packet_spec *, uint16_t gso_size);
void vnet_put(const struct vnet_spec *, uint8_t *buf);
void vnet_get(const uint8_t *buf, struct vnet_spec *);
/* Header and packet into buf (VNET_LEN + PACKET_MAX); returns the length. */
size_t frame_build(
    const struct vnet_spec *, const struct packet_spec *, uint8_t *buf);

/*
 * A copy of len bytes that ends, or begins, at a page which cannot be touched,
 * so that a read beside it faults in any build.  The other side is open: what
 * bytes are given to is given both.  guard_free takes the same length.
 */
enum guard { GUARD_END, GUARD_FRONT, GUARD_COUNT };
uint8_t *guard_copy(const void *, size_t len, enum guard);
void guard_free(uint8_t *, size_t len);

#endif
