#ifndef WORKER_GRO_H
#define WORKER_GRO_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/gro_burst.h"

/*
 * Coalesces a burst of packets from peers into superpackets for the tun.
 * Nothing is copied: a frame is one rewritten header and views of the payloads
 * where they lie.  Append only, exact and reversible: the rules are those of
 * the kernel's own GRO (net/ipv4/tcp_offload.c, net/ipv4/udp_offload.c), or
 * stricter.
 */

/* One frame as it is to be written, gathered from iov. */
struct gro_frame {
	struct iovec iov[GRO_SEGS_MAX + 1];
	int iovcnt;
	size_t len;	  /* bytes, with the virtio_net_hdr */
	uint16_t count;	  /* packets in it */
	uint8_t gso_type; /* enum vnet_gso */
	uint16_t first;	  /* for gro_packet_of */
};

/*
 * Before the first burst.  The key is that of the hash by which flows are
 * found: random bits that nobody else knows.
 */
void gro_init(struct gro *, const uint32_t key[GRO_KEY_WORDS]);
/* Packets that the burst can still take. */
static inline size_t
gro_room(const struct gro *g)
{
	return (size_t)BATCH_PACKETS - g->packets;
}

/*
 * Adds a packet of len bytes, which must stay where it is until gro_reset.
 * There must be room.  All packets of a burst come from one peer.
 *
 * gro_continue takes it, unparsed, if its headers are those of a frame of this
 * burst, which it goes on: what was found out about that frame's first packet,
 * its lengths and whether its source may be, holds for this one.  Else it
 * returns false, and the caller parses the packet and gives it to gro_push.
 */
bool gro_continue(struct gro *, const uint8_t *data, size_t len);
void gro_push(
    struct gro *, const uint8_t *data, size_t len, const struct pkt *);

/*
 * Frame i of gro_count(), in the order of first packets.  The frame's header
 * lives in g until the next call.
 */
static inline size_t
gro_count(const struct gro *g)
{
	return g->items;
}
void gro_frame(struct gro *, size_t i, struct gro_frame *);
/* The packets of a frame one by one: *p as it came, then the next index. */
uint16_t gro_packet_of(
    const struct gro *, uint16_t index, const struct gro_packet **p);
/* Ends the burst: forgets all packets. */
void gro_reset(struct gro *);

#endif
