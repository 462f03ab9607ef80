#include <net/if.h>

#include "common/log.h"
#include "privsep/conf.h"
#include "privsep/daemon.h"
#include "privsep/iface.h"
#include "privsep/netlink.h"
#include "privsep/path.h"
#include "privsep/udp.h"

/* Outer headers: IPv4 or IPv6, and UDP. */
#define OVERHEAD_IPV4 28
#define OVERHEAD_IPV6 48
/* No peer, or no route to any: for a path that may be somewhat below 1500. */
#define MTU_FALLBACK 1420

static int
peer_route(
    struct iface *ifc, const struct conf_peer *p, struct netlink_route *route)
{
	/* 0 where there is no such device: then it is not bound to it either */
	uint32_t oif = p->endpoint.scope != 0 ? udp_scope(&p->endpoint)
					      : if_nametoindex(p->bind_device);

	return netlink_get_route(
	    ifc->daemon->netlink, &p->endpoint.addr, p->mark, oif, route);
}

uint32_t
path_mtu(struct iface *ifc, const struct conf_interface *c)
{
	const struct conf_peer *p;
	struct netlink_route route;
	uint32_t best = 0, most = conf_mtu_max(c, &p), overhead;

	TAILQ_FOREACH (p, &c->peers, entry) {
		if (peer_route(ifc, p, &route) == -1)
			continue;
		overhead = p->endpoint.addr.family == 4 ? OVERHEAD_IPV4
							: OVERHEAD_IPV6;
		if (route.mtu < overhead + MTU_MIN)
			continue;
		if (best == 0 || route.mtu - overhead < best)
			best = route.mtu - overhead;
	}
	/* that all are away for a while is no reason to change it */
	if (best == 0 && ifc->conf->mtu == 0)
		best = ifc->mtu_asked;
	if (best == 0)
		return MTU_FALLBACK;
	/* that of loopback is more than an IP packet can be */
	if (best > most)
		return most;
	/* IPv6 in the tunnel needs 1280; the outer packet is fragmented */
	return best < MTU_MIN_IPV6 && conf_find_ipv6(c) != NULL ? MTU_MIN_IPV6
								: best;
}

void
path_warn_loops(struct iface *ifc)
{
	const struct conf_peer *p;
	struct netlink_route route;
	char text[ENDPOINT_STRLEN];

	if (!iface_is_here(ifc))
		return;
	TAILQ_FOREACH (p, &ifc->conf->peers, entry)
		if (peer_route(ifc, p, &route) == 0 &&
		    route.ifindex == ifc->ifindex)
			log_warnx("%s: peer \"%s\": the route to its endpoint "
				  "%s leads into the tunnel itself, where "
				  "packets would loop; set bind-device, or "
				  "mark with a rule, or add a route to it",
			    iface_name(ifc), p->name,
			    endpoint_format(&p->endpoint, text));
}
