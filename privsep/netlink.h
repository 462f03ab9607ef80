#ifndef PRIVSEP_NETLINK_H
#define PRIVSEP_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"

/*
 * Requests to rtnetlink, answered before they return, in the namespace of the
 * socket, which need not listen to anything.  All return 0, or -1 with errno
 * as the kernel gave it.
 */
struct nlsock;

int netlink_set_up(struct nlsock *, uint32_t ifindex, bool up);
int netlink_set_mtu(struct nlsock *, uint32_t ifindex, uint32_t mtu);
int netlink_set_txqueuelen(struct nlsock *, uint32_t ifindex, uint32_t len);
int netlink_set_gso_max_segs(struct nlsock *, uint32_t ifindex, uint32_t segs);
/*
 * An IPv4 address that goes takes no other address of its subnet along.  The
 * kernel's default is that it does.
 */
int netlink_set_promote(struct nlsock *, uint32_t ifindex, bool on);
/*
 * Adding what is there already gives 1, and removing what is not there is no
 * error.
 */
int netlink_add_address(
    struct nlsock *, uint32_t ifindex, const struct prefix *);
int netlink_del_address(
    struct nlsock *, uint32_t ifindex, const struct prefix *);
int netlink_add_route(struct nlsock *, uint32_t ifindex, const struct prefix *);
int netlink_del_route(struct nlsock *, uint32_t ifindex, const struct prefix *);
/* Beside the same route by another device, which holds until it goes. */
int netlink_append_route(
    struct nlsock *, uint32_t ifindex, const struct prefix *);
/*
 * The way that a packet takes to dst with that fwmark and, where oif is not 0,
 * out of that device.  mtu: of the route if it has one, else of its device.
 */
struct netlink_route {
	uint32_t ifindex;
	uint32_t mtu;
};
int netlink_get_route(struct nlsock *, const struct addr *dst, uint32_t mark,
    uint32_t oif, struct netlink_route *);
int netlink_link_mtu(struct nlsock *, uint32_t ifindex, uint32_t *mtu);
/* What a link has now; what the kernel does not tell is 0. */
struct netlink_link {
	uint32_t mtu;
	uint32_t txqueuelen;
	uint32_t gso_max_segs;
	bool up;
	bool promote; /* as by netlink_set_promote */
};
int netlink_get_link(struct nlsock *, uint32_t ifindex, struct netlink_link *);
/* IFLA_TUN_NUM_QUEUES; -1 with ENOENT when the device does not tell. */
int netlink_tun_queues(struct nlsock *, uint32_t ifindex, uint32_t *queues);

#endif
