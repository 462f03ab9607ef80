#ifndef PRIVSEP_CONF_CHECK_H
#define PRIVSEP_CONF_CHECK_H

#include "privsep/conf_scope.h"

/*
 * What can be said, and filled in, only when the block is complete: a peer
 * inherits from its interface and its prefixes are sorted; without a
 * virtio_net_hdr the offloads of the tun are off.
 */
void check_interface(struct conf_errors *, const struct build_interfaces *,
    struct build_interface *);
void check_peer(struct conf_errors *, struct build_peer *);
void check_global(struct conf_errors *, const struct conf *,
    const struct scope *, struct conf_where end);

#endif
