#ifndef WORKER_GRO_ITEM_H
#define WORKER_GRO_ITEM_H

#include "worker/gro_burst.h"

/* Fills in the masks. */
void gro_item_masks(struct gro *);
/* Adds the packet of len bytes to the item, or false: it does not take it. */
bool gro_item_add(
    struct gro *, struct gro_item *, const uint8_t *data, size_t len);
/* The packet begins an item; it takes others if it is of a kind that may. */
struct gro_item *gro_item_begin(
    struct gro *, const uint8_t *data, size_t len, const struct pkt *);
/*
 * Into g->header: what goes in front of the payloads of several packets, true
 * in every field.  Its length, with the virtio_net_hdr.
 */
size_t gro_item_header(
    struct gro *, const struct gro_item *, uint8_t *gso_type);

#endif
