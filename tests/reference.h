#ifndef TESTS_REFERENCE_H
#define TESTS_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/packets.h"

/*
 * What split and coalesce should give, written a second time: slow, obvious,
 * from RFC 791, 768, 1071, 8200, 9293 and the kernel's rules for GSO and
 * GRO, without a line of the worker.
 */

/* The one's complement sum, folded and not inverted; an odd end counts as if
 * a zero byte followed. */
uint16_t ref_sum(const uint8_t *, size_t len);
uint16_t ref_add(uint16_t, uint16_t);
/* Of a packet's addresses, a protocol and a transport length. */
uint16_t ref_pseudo(const uint8_t *packet, uint8_t proto, size_t len);

/* Where things are in a packet, as far as they can be known. */
struct ref_layout {
	uint8_t version;
	size_t total;  /* bytes by the IP header */
	size_t ip_end; /* end of the IPv4 header or the fixed IPv6 one */
	size_t l4;     /* start of the transport header */
	uint8_t proto;
	bool fragment;
	bool chain;	/* every IPv6 extension header up to l4 is whole */
	bool whole;	/* TCP or UDP, and its fixed header lies inside */
	size_t payload; /* start of it, 0 if the transport header is bad */
};
/* NULL, or why this is no IP packet; trailing bytes are no reason. */
const char *ref_parse(const uint8_t *, size_t len, struct ref_layout *);

/* NULL if every length and checksum in the packet is true, else which. */
const char *ref_check(const uint8_t *, size_t len);

/* Have the two packets the same version and addresses? */
bool ref_same_pair(const uint8_t *, const uint8_t *);

/* A superpacket with longer headers than this goes out as it is. */
#define REF_HEADERS_MAX 2048
/* The packets of a frame that a tun device gave; NULL or why it is dropped. */
const char *ref_split(const uint8_t *frame, size_t len, struct list *out);

/* Longer headers than this are not merged. */
#define REF_MERGED_HEADERS_MAX 256
/* The frames for a tun device, of the packets of one burst. */
void ref_coalesce(const struct list *burst, struct list *frames);

/* May the bytes of b follow those of a in one superpacket of two? */
bool ref_may_merge(const struct item *a, const struct item *b);

#endif
