#ifndef WORKER_CSUM_H
#define WORKER_CSUM_H

#include <stddef.h>
#include <stdint.h>

#include "worker/pkt.h"

/*
 * Ones' complement sums, RFC 1071.  Sums are kept in 64 bits, in memory
 * order: what csum_fold returns is stored as it is (RFC 1071, section 2(B)).
 */

/* The sum of len bytes at any alignment; add it to others before folding. */
uint64_t csum_bytes(const uint8_t *, size_t len);
/* The same without vector instructions; what the others are held to. */
uint64_t csum_bytes_portable(const uint8_t *, size_t len);

/*
 * One row for each implementation that this machine can run; the last one
 * is the fastest.  csum_init chooses it; before that csum_bytes is portable.
 */
struct csum_impl {
	const char *name;
	uint64_t (*bytes)(const uint8_t *, size_t);
};
size_t csum_impls(const struct csum_impl **);
void csum_init(void);
const char *csum_name(void);

/* To 16 bits; not inverted. */
static inline uint16_t
csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/*
 * Does the sum of some data and their checksum fold to 0xffff?  The multiples
 * of 0xffff do but for 0, which is the sum of zeros alone: no header is that.
 * A multiplication in place of five additions that wait for each other: with
 * those, coalescing takes 1.05 to 1.14 times as long.
 */
static inline bool
csum_ok(uint64_t sum)
{
	return sum % 0xffff == 0;
}

/* Addition with the carry brought round. */
static inline uint64_t
csum_add(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

/* A 16-bit value in host order, as a summand. */
static inline uint64_t
csum_word(uint16_t v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	return pkt_load16(b);
}

/*
 * The pseudo-header's sum of a parsed packet but for the length: addresses
 * and protocol (RFC 9293, section 3.1; RFC 8200, section 8.1).
 */
static inline uint64_t
csum_pseudo(const uint8_t *data, const struct pkt *p)
{
	const uint8_t *a = pkt_src(data, p);
	uint64_t sum = csum_word(p->proto);
	size_t i, words = p->version == 4 ? 2 : 8;

	/* eight 32-bit words at most: no carry is lost in 64 bits */
	for (i = 0; i < words; i++)
		sum += pkt_load32(a + 4 * i);
	return sum;
}

/*
 * All that a TCP or UDP checksum is taken of: csum_pseudo, the length, and len
 * bytes from the transport header on.
 */
static inline uint64_t
csum_transport(uint64_t pseudo, const uint8_t *l4, size_t len)
{
	return csum_add(pseudo + csum_word((uint16_t)len), csum_bytes(l4, len));
}

/* Is the checksum in that transport header right? */
static inline bool
csum_transport_ok(uint64_t pseudo, const uint8_t *l4, size_t len)
{
	return csum_ok(csum_transport(pseudo, l4, len));
}

/* Is the checksum of an IPv4 header without options right? */
static inline bool
csum_ipv4_ok(const uint8_t *p)
{
	return csum_ok(csum_add(
	    csum_add(pkt_load64(p), pkt_load64(p + 8)), pkt_load32(p + 16)));
}

/* Computes and stores the checksum of a parsed packet (l4_len > 0) afresh. */
void csum_transport_set(uint8_t *, const struct pkt *);

#endif
