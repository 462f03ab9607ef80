#ifndef WORKER_GRO_BURST_H
#define WORKER_GRO_BURST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/limits.h"
#include "worker/pkt.h"
#include "worker/vnet.h"

/* What a burst is made of: its packets, and the frames that they become. */
#define GRO_SEGS_MAX 64	  /* of one superpacket; more is EINVAL for UDP */
#define GRO_LEN_MAX 65535 /* bytes of one superpacket with its headers */
#define GRO_BUCKETS 1024  /* a power of two, four times the packets */
#define GRO_GUESSES 256	  /* a power of two */
#define GRO_HDR_MAX 256	  /* longer headers are not merged */
#define GRO_MASK_LEN 100  /* an IPv6 and the longest TCP header */
#define GRO_NONE 0xffff
#define GRO_KEY_WORDS 10 /* addresses, ports, protocol */

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
	/* the items that began open; some may have been closed since */
	struct gro_item *open[BATCH_PACKETS];
	uint16_t open_count;
	struct gro_packet packet[BATCH_PACKETS];
	struct gro_item item[BATCH_PACKETS];
	uint8_t header[VNET_HDR_LEN + GRO_HDR_MAX];
	uint32_t key[GRO_KEY_WORDS]; /* of flow tags */
};

#endif
