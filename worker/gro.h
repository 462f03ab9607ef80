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
#define GRO_HDR_MAX 256	  /* longer headers are not merged */
#define GRO_NONE 0xffff

/* A packet of the burst. */
struct gro_packet {
	const uint8_t *data;
	uint32_t len;
	uint32_t hdr_len; /* IP and transport */
	uint16_t next;	  /* of the same frame, or GRO_NONE */
};

/* A frame in the making: one packet or a superpacket. */
struct gro_item {
	struct pkt pkt;	     /* of the first packet */
	const uint8_t *data; /* the first packet */
	uint32_t total;	     /* bytes so far, with one header */
	uint32_t gso_size;
	uint32_t next_seq; /* TCP */
	uint64_t tag;	   /* of the flow, see flow_tag */
	uint64_t pseudo;   /* csum_pseudo of all its packets, once verified */
	uint16_t first, last; /* packets */
	uint16_t count;
	uint16_t id;	/* IPv4: of the last packet */
	uint16_t hash;	/* bucket */
	bool id_rises;	/* else constant; fixed by the second packet */
	bool closed;	/* nothing may be added */
	bool candidate; /* its kind may be merged at all */
	bool verified;	/* its first packet's checksums are right */
	bool psh;	/* TCP: the last packet had PSH */
};

struct gro {
	bool tcp; /* merge TCP */
	bool udp; /* merge UDP */
	uint16_t packets;
	uint16_t items;
	uint16_t recent; /* item that took the last packet, or GRO_NONE */
	uint16_t buckets[GRO_BUCKETS]; /* newest item of a flow, or none */
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
 * Adds a parsed packet of len bytes, which must stay where it is until
 * gro_reset.  There must be room.
 */
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
