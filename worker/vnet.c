#include <linux/virtio_net.h>
#include <string.h>

#include "worker/vnet.h"

_Static_assert(sizeof(struct virtio_net_hdr) == VNET_HDR_LEN, "vnet_hdr");

void
vnet_decode(const uint8_t *buf, struct vnet_hdr *h)
{
	struct virtio_net_hdr raw;

	memcpy(&raw, buf, sizeof(raw));
	h->needs_csum = (raw.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
	h->gso_type = raw.gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	h->hdr_len = raw.hdr_len;
	h->gso_size = raw.gso_size;
	h->csum_start = raw.csum_start;
	h->csum_offset = raw.csum_offset;
}

void
vnet_encode(uint8_t *buf, const struct vnet_hdr *h)
{
	struct virtio_net_hdr raw = {
	    .flags = h->needs_csum ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0,
	    .gso_type = h->gso_type,
	    .hdr_len = h->hdr_len,
	    .gso_size = h->gso_size,
	    .csum_start = h->csum_start,
	    .csum_offset = h->csum_offset,
	};

	memcpy(buf, &raw, sizeof(raw));
}
