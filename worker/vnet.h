#ifndef WORKER_VNET_H
#define WORKER_VNET_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/limits.h"

/*
 * struct virtio_net_hdr of <linux/virtio_net.h>, as IFF_VNET_HDR devices
 * put before each packet.  Ten bytes, native byte order (the parent clears
 * the endianness flags).  The only code that knows the layout.
 */

enum vnet_gso {
	VNET_GSO_NONE = 0,
	VNET_GSO_TCPV4 = 1,
	VNET_GSO_TCPV6 = 4,
	VNET_GSO_UDP_L4 = 5,
};

struct vnet_hdr {
	bool needs_csum;     /* the checksum field holds the pseudo-header's */
	uint8_t gso_type;    /* enum vnet_gso, or a value that we do not know */
	uint16_t hdr_len;    /* a hint; never trusted */
	uint16_t gso_size;   /* bytes of payload in each segment */
	uint16_t csum_start; /* from the start of the packet */
	uint16_t csum_offset; /* from csum_start */
};

/* buf: VNET_HDR_LEN bytes.  The ECN bit is masked out of gso_type. */
void vnet_decode(const uint8_t *buf, struct vnet_hdr *);
void vnet_encode(uint8_t *buf, const struct vnet_hdr *);

#endif
