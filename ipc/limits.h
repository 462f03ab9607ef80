#ifndef IPC_LIMITS_H
#define IPC_LIMITS_H

/*
 * Limits, and other numbers, that more than one process must agree on.
 */
#define PARENT_FD 3 /* in a child: its channel to the parent */
#define LIMIT_INTERFACES 32
#define LIMIT_QUEUES 16		      /* workers of one interface */
#define LIMIT_CPUS 1024		      /* numbers below, CPU_SETSIZE */
#define LIMIT_PEERS 256		      /* max-peers of one interface */
#define LIMIT_SLOTS (2 * LIMIT_PEERS) /* sockets: a pool per family */
#define LIMIT_PREFIXES 65536	      /* of one interface, all peers together */
#define LIMIT_ADDRESSES 64	      /* of one interface */
#define LIMIT_EVENT 12288	      /* bytes: three lists of addresses */
#define LIMIT_REQUEST 65536	      /* bytes of one client request */
#define LIMIT_MESSAGES 2000	      /* of a child to the parent in a second */
#define MTU_MIN 68
#define MTU_MIN_IPV6 1280 /* RFC 8200, section 5 */
#define MTU_MAX 65535
/* Of a batch; without a virtio_net_hdr it is one frame, or one message. */
#define BATCH_PACKETS 256
/*
 * Bytes of a virtio_net_hdr without num_buffers.  From 24 bytes on, Linux 6.17
 * reads tunnel fields from it.
 */
#define VNET_HDR_LEN 10

#endif
