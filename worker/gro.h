#ifndef WORKER_GRO_H
#define WORKER_GRO_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/limits.h"
#include "worker/pkt.h"
#include "worker/vnet.h"

/*
 * Coalesces a burst of packets from peers into superpackets for the tun.
 * Nothing is copied: a frame is one rewritten header and views of the payloads
 * where they lie.  Append only, exact and reversible: the rules are those of
 * the kernel's own GRO (net/ipv4/tcp_offload.c, net/ipv4/udp_offload.c).
 */
#define GRO_SEGS_MAX 64	  /* of one superpacket; more is EINVAL for UDP */
#define GRO_LEN_MAX 65535 /* bytes of one superpacket with its headers */
#define GRO_BUCKETS 1024  /* a power of two, four times the packets */
#define GRO_GUESSES 256	  /* a power of two */
#define GRO_HDR_MAX 256	  /* longer headers are not merged */
#define GRO_MASK_LEN 100  /* an IPv6 and the longest TCP header */
#define GRO_NONE 0xffff

/* A packet of the burst. */
struct gro_packet {
	const uint8_t *data;
	uint32_t len;
	uint16_t next; /* of the same frame, or GRO_NONE */
};

/* A frame in the making: one packet or a superpacket. */
struct gro_item {
	struct pkt pkt;	     /* of the first packet */
	uint32_t hdr_len;    /* IP and transport */
	const uint8_t *data; /* the first packet */
	uint32_t size_max;   /* payload that it takes; 0: closed */
	uint32_t gso_size;
	uint32_t total;	   /* bytes so far, with one header */
	uint32_t next_seq; /* TCP */
	uint64_t pseudo;   /* csum_pseudo of all, from the second packet on */
	uint64_t tag;	   /* of the flow, see flow_tag */
	uint16_t first, last; /* packets */
	uint16_t count;
	uint16_t next_id; /* IPv4, from the second packet on */
	uint16_t id_step; /* 1: IDs rise, 0: they stay */
	uint16_t bucket;  /* of its flow, or GRO_NONE */
	bool psh;	  /* TCP: the last packet had PSH */
};

struct gro {
	bool tcp; /* merge TCP */
	bool udp; /* merge UDP */
	uint16_t packets;
	uint16_t items;
	struct gro_item *recent; /* of the last packet with ports, or NULL */
	/* bits that packets of an item share: IPv4, IPv6; TCP, UDP */
	uint8_t mask[2][2][GRO_MASK_LEN];
	uint16_t buckets[GRO_BUCKETS]; /* newest item of a flow, or none */
	struct gro_item *guesses[GRO_GUESSES]; /* may be it, see guess */
	struct gro_packet packet[BATCH_PACKETS];
	struct gro_item item[BATCH_PACKETS];
	uint8_t header[VNET_HDR_LEN + GRO_HDR_MAX];
};

/* One frame as it is to be written, gathered from iov. */
struct gro_frame {
	struct iovec iov[GRO_SEGS_MAX + 1];
	int iovcnt;
	size_t len;	  /* bytes, with the virtio_net_hdr */
	uint16_t count;	  /* packets in it */
	uint8_t gso_type; /* enum vnet_gso */
	uint16_t first;	  /* for gro_packet_of */
};

/* Before the first burst. */
void gro_init(struct gro *);
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
