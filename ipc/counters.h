#ifndef IPC_COUNTERS_H
#define IPC_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/limits.h"

/*
 * The counters page: one memfd per worker, made by the parent, mapped
 * read-write by the worker and read-only by tund-control.  Each word has one
 * writer, so a relaxed 64-bit store is enough; a reader may see counters of two
 * moments, never half a counter.  The page outlives a worker: totals go on.
 */
#define COUNTERS_MAGIC 0x74756e64u /* "tund" */
#define COUNTERS_VERSION 2

/*
 * One line per counter: C name, JSON name, unit, help.  tx is tun to peer
 * (egress), rx is peer to tun (ingress).  A name with _drop_ counts packets
 * lost, one reason each.
 */
#define COUNTERS_TABLE(X)                                                     \
	X(TUN_READ_FRAMES, "tun_read_frames", "frames",                       \
	    "frames read from the tun device")                                \
	X(TUN_READ_BYTES, "tun_read_bytes", "bytes",                          \
	    "bytes read from the tun device, without the virtio_net_hdr")     \
	X(TUN_READ_TSO, "tun_read_tso_frames", "frames",                      \
	    "TCP superpackets read from the tun device")                      \
	X(TUN_READ_USO, "tun_read_uso_frames", "frames",                      \
	    "UDP superpackets read from the tun device")                      \
	X(TUN_READ_ERRORS, "tun_read_errors", "errors",                       \
	    "frames that the kernel could not hand over")                     \
	X(TUN_WRITE_FRAMES, "tun_write_frames", "frames",                     \
	    "frames written to the tun device")                               \
	X(TUN_WRITE_BYTES, "tun_write_bytes", "bytes",                        \
	    "bytes written to the tun device, without the virtio_net_hdr")    \
	X(TUN_WRITE_TSO, "tun_write_tso_frames", "frames",                    \
	    "TCP superpackets written to the tun device")                     \
	X(TUN_WRITE_USO, "tun_write_uso_frames", "frames",                    \
	    "UDP superpackets written to the tun device")                     \
	X(TX_PACKETS, "tx_packets", "packets",                                \
	    "packets handed to the kernel (drops in its queues not told)")    \
	X(TX_BYTES, "tx_bytes", "bytes",                                      \
	    "bytes of packets handed to the kernel")                          \
	X(TX_SENDS, "tx_sends", "calls", "sends on peers' sockets")           \
	X(TX_GSO_SENDS, "tx_gso_sends", "calls",                              \
	    "sends that carried several datagrams by UDP_SEGMENT")            \
	X(RX_PACKETS, "rx_packets", "packets", "packets received from peers") \
	X(RX_BYTES, "rx_bytes", "bytes", "bytes of packets received")         \
	X(RX_RECEIVES, "rx_receives", "messages",                             \
	    "messages received on peers' sockets")                            \
	X(RX_GRO_RECEIVES, "rx_gro_receives", "messages",                     \
	    "messages that held several datagrams by UDP_GRO")                \
	X(TX_DROP_SHORT, "tx_drop_short", "packets",                          \
	    "frame too short for its headers")                                \
	X(TX_DROP_VERSION, "tx_drop_version", "packets",                      \
	    "neither IPv4 nor IPv6")                                          \
	X(TX_DROP_LENGTH, "tx_drop_length", "packets",                        \
	    "length in the IP header contradicts the frame")                  \
	X(TX_DROP_CHECKSUM, "tx_drop_checksum", "packets",                    \
	    "checksum offsets outside the packet or inside its IP header")    \
	X(TX_DROP_HEADER, "tx_drop_header", "packets",                        \
	    "a transport header that cannot be")                              \
	X(TX_DROP_NO_PEER, "tx_drop_no_peer", "packets",                      \
	    "no peer has the destination in its prefixes")                    \
	X(TX_DROP_FULL, "tx_drop_full", "packets",                            \
	    "the peer's socket was full (EAGAIN, ENOBUFS)")                   \
	X(TX_DROP_REFUSED, "tx_drop_refused", "packets",                      \
	    "the peer's host refused or cannot be reached")                   \
	X(TX_DROP_NOT_AIMED, "tx_drop_not_aimed", "packets",                  \
	    "the peer's socket is not aimed: peers has the reason")           \
	X(TX_DROP_TOO_BIG, "tx_drop_too_big", "packets",                      \
	    "larger than one datagram may be (EMSGSIZE)")                     \
	X(TX_DROP_ERROR, "tx_drop_error", "packets",                          \
	    "another error on the peer's socket")                             \
	X(RX_DROP_SHORT, "rx_drop_short", "packets",                          \
	    "datagram too short for its headers")                             \
	X(RX_DROP_VERSION, "rx_drop_version", "packets",                      \
	    "neither IPv4 nor IPv6")                                          \
	X(RX_DROP_LENGTH, "rx_drop_length", "packets",                        \
	    "length in the IP header contradicts the datagram")               \
	X(RX_DROP_TRUNCATED, "rx_drop_truncated", "packets",                  \
	    "a datagram larger than any buffer, or its control data is")      \
	X(RX_DROP_SOURCE, "rx_drop_source", "packets",                        \
	    "inner source is not in the peer's prefixes")                     \
	X(RX_DROP_NO_PEER, "rx_drop_no_peer", "packets",                      \
	    "arrived on a socket that has no peer")                           \
	X(RX_DROP_DOWN, "rx_drop_down", "packets",                            \
	    "the interface is down (EIO)")                                    \
	X(RX_DROP_TUN_FULL, "rx_drop_tun_full", "packets",                    \
	    "the tun queue was full (EAGAIN, ENOBUFS)")                       \
	X(RX_DROP_TUN_REFUSED, "rx_drop_tun_refused", "packets",              \
	    "the kernel refused the packet (EINVAL)")                         \
	X(RX_DROP_TUN_ERROR, "rx_drop_tun_error", "packets",                  \
	    "another error on the tun device")                                \
	X(RX_SOCKET_OVERFLOW, "rx_socket_overflow", "messages",               \
	    "dropped by the kernel, each a datagram or a whole run of them: " \
	    "no buffer, bad checksum, not aimed")                             \
	X(RX_SOCKET_ERRORS, "rx_socket_errors", "errors",                     \
	    "errors of a peer's socket: ICMP, or a send without a route")     \
	X(FALLBACK_TUN_TSO, "fallback_tun_tso", "times",                      \
	    "merged TCP writes that the kernel refused")                      \
	X(FALLBACK_TUN_USO, "fallback_tun_uso", "times",                      \
	    "merged UDP writes that the kernel refused")                      \
	X(FALLBACK_UDP_GSO, "fallback_udp_gso", "times",                      \
	    "UDP_SEGMENT sends that the kernel refused")

enum counter {
#define X(c, json, unit, help) COUNTER_##c,
	COUNTERS_TABLE(X)
#undef X
	    COUNTER_COUNT
};

struct counter_info {
	const char *name;
	const char *unit;
	const char *help;
};
extern const struct counter_info counter_info[COUNTER_COUNT];

/* Per peer, by slot. */
struct peer_counters {
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t tx_dropped;
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t rx_dropped;
	uint64_t rx_overflow;	/* by the kernel, SO_RXQ_OVFL */
	uint64_t socket_errors; /* its share of COUNTER_RX_SOCKET_ERRORS */
};

/* When a peer was last heard, by slot: what the parent saw, and wrote. */
struct peer_heard {
	uint64_t time;	     /* of the look, seconds since 1970; 0: not yet */
	uint64_t rx_packets; /* as they were then */
};

struct counters {
	uint32_t magic;
	uint32_t version;
	uint32_t slots; /* places of peers[] that there are */
	uint32_t spare;
	uint64_t c[COUNTER_COUNT];
	struct peer_counters peers[LIMIT_SLOTS];
	struct peer_heard heard[LIMIT_SLOTS];
};

/*
 * Makes a zeroed page: the parent's fd, or -1 with errno.  Its size is
 * sealed.
 */
int counters_create(uint32_t slots);
/* Its head again, for the next worker: the last one could write there, too. */
int counters_write_head(int fd, uint32_t slots);
/* Those of the peer in a slot begin again; -1 with errno. */
int counters_zero_peer(int fd, size_t slot);
/* A read-only descriptor of the same page, for tund-control. */
int counters_reopen_readonly(int fd);
/*
 * Map it; NULL with errno: EINVAL for what is not of that size, EBADMSG for a
 * head of another version, or that a worker has overwritten.
 */
struct counters *counters_map(int fd);
const struct counters *counters_map_readonly(int fd);
void counters_unmap(const struct counters *);

static inline void
counter_set(uint64_t *c, uint64_t n)
{
	__atomic_store_n(c, n, __ATOMIC_RELAXED);
}

static inline void
counter_add(uint64_t *c, uint64_t n)
{
	counter_set(c, *c + n);
}

static inline uint64_t
counter_read(const uint64_t *c)
{
	return __atomic_load_n(c, __ATOMIC_RELAXED);
}

#endif
