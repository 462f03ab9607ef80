#ifndef WORKER_GSO_H
#define WORKER_GSO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/limits.h"
#include "worker/pkt.h"
#include "worker/vnet.h"

/*
 * Splits what was read from the tun into packets that a peer can take:
 * superpackets into segments, partial checksums into whole ones.  Pure
 * functions on buffers.
 */

/* One packet: a header and a view of its payload, neither copied. */
struct seg {
	const uint8_t *hdr;
	const uint8_t *data; /* into the frame */
	uint32_t hdr_len;    /* 0: all of the packet is in data */
	uint32_t data_len;
	uint32_t slot; /* whose it is; for egress.c */
};

/*
 * Headers take 64 bytes each in the common case, one cache line: with one
 * behind the other a split takes 1.01 to 1.02 times as long.
 */
#define BATCH_HEADERS ((size_t)BATCH_PACKETS * 128)

/* What split produces; valid as long as the frames that were split. */
struct batch {
	size_t count;
	size_t used; /* bytes of headers */
	struct seg segs[BATCH_PACKETS];
	uint8_t headers[BATCH_HEADERS] __attribute__((aligned(64)));
};

/* A frame on its way through gso_next. */
struct gso {
	uint8_t *data;
	struct pkt pkt;
	bool split; /* else one packet, unchanged from here on */
	bool done;
	uint32_t hdr_len; /* IP and transport */
	uint32_t gso_size;
	uint32_t offset; /* of the payload still to go */
	uint32_t seq;	 /* TCP: of the next segment */
	uint16_t id;	 /* IPv4: of the next segment */
	uint64_t ip_sum; /* IPv4 header without length, ID and checksum */
	/*
	 * Pseudo-header without its length, and transport header without its
	 * checksum and, of TCP, sequence number and the word of flags, of UDP,
	 * the length.
	 */
	uint64_t l4_sum;
};

/*
 * Checks a frame of len bytes behind its virtio_net_hdr and prepares the
 * split.  A partial checksum is completed in place, after every check has
 * passed.  PKT_OK, or why the frame must be dropped, unchanged.
 */
enum pkt_drop gso_start(
    struct gso *, uint8_t *data, size_t len, const struct vnet_hdr *);

/* How many packets are still to go; after gso_start said PKT_OK. */
uint32_t gso_left(const struct gso *);

/*
 * Adds the frame's next packets to the batch.  True when all of them are
 * there; false when the batch is full and wants to be emptied first.
 */
bool gso_next(struct gso *, struct batch *);

static inline uint32_t
seg_len(const struct seg *s)
{
	return s->hdr_len + s->data_len;
}

#endif
