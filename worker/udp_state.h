#ifndef WORKER_UDP_STATE_H
#define WORKER_UDP_STATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A UDP_SEGMENT send stays one superpacket only while the whole frame is below
 * gso_max_size, 65,536.  One byte more is accepted too, but the kernel then
 * segments in software: 10.9 became 5.2 Gbit/s.
 */
#define UDP_SEND_MAX_IPV4 65493
#define UDP_SEND_MAX_IPV6 65473

/* What udp_io.c knows of a peer's socket. */
struct udp_state {
	uint32_t send_max;	  /* bytes that stay one superpacket */
	uint32_t overflow;	  /* last SO_RXQ_OVFL seen */
	uint16_t gso_size;	  /* UDP_SEGMENT as set on the socket */
	uint16_t gso_refused_min; /* smallest size of these, 0: none */
	uint8_t gso_refused;	  /* times in a row */
	bool gso_off;		  /* UDP_SEGMENT was refused too often */
	bool overflow_known;	  /* since the slot has its peer */
};

/*
 * The table of peers was replaced: what was refused is tried again.  What the
 * kernel dropped before a peer had the socket is not that peer's.
 */
static inline void
udp_state_renew(struct udp_state *s, unsigned int family, bool same_peer)
{
	s->send_max = family == 4 ? UDP_SEND_MAX_IPV4 : UDP_SEND_MAX_IPV6;
	s->gso_refused_min = 0;
	s->gso_refused = 0;
	s->gso_off = false;
	s->overflow_known = s->overflow_known && same_peer;
}

#endif
