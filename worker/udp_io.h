#ifndef WORKER_UDP_IO_H
#define WORKER_UDP_IO_H

#include <sys/socket.h>
#include <sys/uio.h>

#include <stddef.h>
#include <stdint.h>

struct peer;
struct worker;

/*
 * The peer's slot gets its socket.  An earlier worker may have had it and left
 * a UDP_SEGMENT size set, which would cut larger packets.
 */
void udp_adopt(struct peer *, int fd);

/* Datagrams of size bytes each, the last perhaps smaller: one send. */
struct udp_run {
	const struct iovec *iov;
	int iovcnt;
	uint32_t size;
	uint32_t count; /* of datagrams */
	uint32_t bytes; /* in all */
};
/*
 * Sends them on the peer's socket.  0, or the errno of a refusal that the
 * caller may answer with single sends: of the run (EIO, EINVAL, EMSGSIZE), or
 * of its size, whatever it is.  All that is sent or lost for good is counted
 * here.
 */
int udp_send(struct worker *, struct peer *, const struct udp_run *);

/*
 * A receiver: buffers for one recvmmsg, reused for every peer.
 */
#define UDP_RX_MESSAGES 64
/*
 * One line more than 64 KiB, so that buffers do not share cache sets: without
 * it 0.96 of one TCP stream, less than the spread.
 */
#define UDP_RX_SIZE (65536 + 64)

struct udp_rx {
	struct mmsghdr msgs[UDP_RX_MESSAGES];
	struct iovec iov[UDP_RX_MESSAGES];
	/* two small control messages: UDP_GRO and SO_RXQ_OVFL */
	union {
		struct cmsghdr align;
		uint8_t bytes[64];
	} control[UDP_RX_MESSAGES];
	uint8_t *buffers;
	size_t used; /* messages that the last receive filled */
};

/* One message: one datagram, or a run of them that UDP_GRO made. */
struct udp_message {
	const uint8_t *data; /* NULL: it was cut short, and is counted */
	size_t len;
	size_t size; /* of each datagram; the last may be smaller */
};

/* Takes all memory; -1 when there is not enough. */
int udp_rx_init(struct udp_rx *);
/* Receives up to max messages from the peer's socket; how many came. */
size_t udp_receive(struct worker *, struct peer *, struct udp_rx *, size_t max);
/* Message i.  Counts what the kernel says it dropped. */
struct udp_message udp_message(
    struct worker *, struct peer *, struct udp_rx *, size_t i);

#endif
