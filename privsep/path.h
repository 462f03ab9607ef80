#ifndef PRIVSEP_PATH_H
#define PRIVSEP_PATH_H

#include <stdint.h>

struct conf_interface;
struct iface;

/* What the host's routes to the peers of an interface say. */

/*
 * The smallest MTU on the way to any peer of c, less the transport's overhead,
 * so that no outer packet is fragmented; bytes.
 */
uint32_t path_mtu(struct iface *, const struct conf_interface *c);
/*
 * Warns of each peer whose endpoint is routed into the interface: its packets
 * would come out there again, without end.
 */
void path_warn_loops(struct iface *);

#endif
