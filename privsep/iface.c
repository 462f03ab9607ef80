#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "ipc/counters.h"
#include "privsep/daemon.h"
#include "privsep/iface.h"
#include "privsep/link.h"
#include "privsep/netlink.h"
#include "privsep/slots.h"
#include "privsep/workers.h"

/* Outer headers: IPv4 or IPv6, and UDP. */
#define OVERHEAD_IPV4 28
#define OVERHEAD_IPV6 48
#define MTU_FALLBACK 1420 /* no peer, or no route to any */
#define TUN_OFFLOADS                                                 \
	(OFFLOAD_BIT(OFFLOAD_TSO_TX) | OFFLOAD_BIT(OFFLOAD_USO_TX) | \
	    OFFLOAD_BIT(OFFLOAD_TSO_RX) | OFFLOAD_BIT(OFFLOAD_USO_RX))

/*
 * The smallest MTU on the way to any peer, less the transport's overhead, so
 * that no outer packet is fragmented.
 */
static uint32_t
mtu_from_routes(struct iface *ifc)
{
	const struct conf_peer *p;
	uint32_t best = 0, mtu, overhead;

	TAILQ_FOREACH (p, &ifc->conf->peers, entry) {
		if (netlink_route_mtu(
			ifc->daemon->netlink, &p->endpoint.addr, &mtu) == -1)
			continue;
		overhead = p->endpoint.addr.family == 4 ? OVERHEAD_IPV4
							: OVERHEAD_IPV6;
		if (mtu < overhead + MTU_MIN)
			continue;
		if (best == 0 || mtu - overhead < best)
			best = mtu - overhead;
	}
	if (best == 0)
		return MTU_FALLBACK;
	/* IPv6 in the tunnel wants 1280; the outer packet is fragmented */
	return best < 1280 ? 1280 : best;
}

static bool
has_prefix(const struct conf_prefixes *list, const struct prefix *p)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (prefix_equal(&list->list[i], p))
			return true;
	return false;
}

static bool
has_allowed(const struct conf_interface *c, const struct prefix *prefix)
{
	const struct conf_peer *p;

	if (!c->routes)
		return false;
	/* the parser sorted them: there may be ten thousand */
	TAILQ_FOREACH (p, &c->peers, entry)
		if (p->allow.count > 0 &&
		    bsearch(prefix, p->allow.list, p->allow.count,
			sizeof(*prefix), prefix_compare) != NULL)
			return true;
	return false;
}

/* Adds what c has and old has not (old NULL: all).  -1 after why. */
static int
add_addresses(struct iface *ifc, const struct conf_interface *c,
    const struct conf_interface *old, char *why, size_t whylen)
{
	char text[PREFIX_STRLEN];
	size_t i;

	for (i = 0; i < c->addresses.count; i++) {
		if (old != NULL &&
		    has_prefix(&old->addresses, &c->addresses.list[i]))
			continue;
		if (netlink_add_address(ifc->daemon->netlink, ifc->ifindex,
			&c->addresses.list[i]) == -1) {
			snprintf(why, whylen,
			    "%s: address %s cannot be added: %s",
			    iface_name(ifc),
			    prefix_format(&c->addresses.list[i], text),
			    strerror(errno));
			return -1;
		}
	}
	return 0;
}

static int
add_routes(struct iface *ifc, const struct conf_interface *c,
    const struct conf_interface *old, char *why, size_t whylen)
{
	const struct conf_peer *p;
	char text[PREFIX_STRLEN];
	size_t i;

	if (!c->routes)
		return 0;
	TAILQ_FOREACH (p, &c->peers, entry) {
		for (i = 0; i < p->allow.count; i++) {
			if (old != NULL && has_allowed(old, &p->allow.list[i]))
				continue;
			if (netlink_add_route(ifc->daemon->netlink,
				ifc->ifindex, &p->allow.list[i]) == 0)
				continue;
			snprintf(why, whylen,
			    "%s: route to %s cannot be added: %s",
			    iface_name(ifc),
			    prefix_format(&p->allow.list[i], text),
			    strerror(errno));
			return -1;
		}
	}
	return 0;
}

/* Removes what c has and kept has not (kept NULL: all). */
static void
remove_extras(struct iface *ifc, const struct conf_interface *c,
    const struct conf_interface *kept)
{
	struct netlink *nl = ifc->daemon->netlink;
	const struct conf_peer *p;
	size_t i;

	for (i = 0; i < c->addresses.count; i++)
		if (kept == NULL ||
		    !has_prefix(&kept->addresses, &c->addresses.list[i]))
			netlink_del_address(
			    nl, ifc->ifindex, &c->addresses.list[i]);
	if (!c->routes)
		return;
	TAILQ_FOREACH (p, &c->peers, entry)
		for (i = 0; i < p->allow.count; i++)
			if (kept == NULL ||
			    !has_allowed(kept, &p->allow.list[i]))
				netlink_del_route(
				    nl, ifc->ifindex, &p->allow.list[i]);
}

/* Queue length and segments: a kernel that lacks one is no reason to fail. */
static void
set_lengths(struct iface *ifc, const struct conf_interface *c)
{
	struct netlink *nl = ifc->daemon->netlink;

	if (netlink_set_txqueuelen(nl, ifc->ifindex, c->txqueuelen) == -1)
		log_warn("%s: txqueuelen %u", iface_name(ifc), c->txqueuelen);
	if (netlink_set_gso_max_segs(nl, ifc->ifindex, c->gso_max_segs) == -1)
		log_debug("%s: gso-max-segs %u is not supported",
		    iface_name(ifc), c->gso_max_segs);
}

/*
 * More queues than ours mean that somebody else reads this device's packets.
 */
static int
check_queues(struct iface *ifc, char *why, size_t whylen)
{
	uint32_t queues;

	if (netlink_tun_queues(ifc->daemon->netlink, ifc->ifindex, &queues) ==
		-1 ||
	    queues <= ifc->queue_count)
		return 0;
	snprintf(why, whylen,
	    "%s has %u queues where we opened %zu: another process reads its "
	    "packets; end that process, or use another name",
	    iface_name(ifc), queues, ifc->queue_count);
	return -1;
}

static int
configure_link(struct iface *ifc, char *why, size_t whylen)
{
	const struct conf_interface *c = ifc->conf;
	struct netlink *nl = ifc->daemon->netlink;

	if (!c->monitored)
		return 0;
	if ((ifc->ifindex = if_nametoindex(ifc->tun.name)) == 0) {
		snprintf(why, whylen,
		    "%s is not in this network namespace; add \"unmonitored\" "
		    "to its device",
		    ifc->tun.name);
		return -1;
	}
	if (check_queues(ifc, why, whylen) == -1)
		return -1;
	set_lengths(ifc, c);
	if (iface_set_mtu(ifc, c->mtu != 0 ? c->mtu : mtu_from_routes(ifc), why,
		whylen) == -1 ||
	    add_addresses(ifc, c, NULL, why, whylen) == -1)
		return -1;
	if (netlink_set_up(nl, ifc->ifindex, 1) == -1) {
		snprintf(why, whylen, "%s cannot be set up: %s", ifc->tun.name,
		    strerror(errno));
		return -1;
	}
	return add_routes(ifc, c, NULL, why, whylen);
}

static int
open_queues(struct iface *ifc, char *why, size_t whylen)
{
	struct queue *q;
	uint32_t i;

	for (i = 0; i < ifc->conf->queues; i++) {
		q = &ifc->queue[i];
		q->iface = ifc;
		q->number = i;
		q->tun_fd = i == 0 ? ifc->tun.fd : tun_open_queue(&ifc->tun);
		q->counters_fd = counters_create((uint32_t)ifc->slot_count);
		ifc->queue_count = i + 1;
		if (q->tun_fd == -1 || q->counters_fd == -1) {
			snprintf(why, whylen, "%s: queue %u: %s",
			    iface_name(ifc), i, strerror(errno));
			return -1;
		}
	}
	return 0;
}

static void
init_offloads(struct iface *ifc)
{
	enum offload o;

	ifc->wanted = ifc->conf->offloads;
	ifc->granted = ifc->tun.granted & TUN_OFFLOADS;
	if (udp_has_gso())
		ifc->granted |= OFFLOAD_BIT(OFFLOAD_UDP_GSO);
	if (ifc->slot_count == 0 || ifc->slots[0].got.gro ||
	    !(ifc->wanted & OFFLOAD_BIT(OFFLOAD_UDP_GRO)))
		ifc->granted |= OFFLOAD_BIT(OFFLOAD_UDP_GRO);
	for (o = 0; o < OFFLOAD_COUNT; o++)
		if (!(ifc->granted & OFFLOAD_BIT(o)))
			strlcpy(ifc->reason[o],
			    ifc->tun.reason[0] != '\0' &&
				    (TUN_OFFLOADS & OFFLOAD_BIT(o))
				? ifc->tun.reason
				: "not granted by the kernel",
			    sizeof(ifc->reason[o]));
}

struct iface *
iface_open(struct daemon *d, struct conf_interface *c, char *why, size_t whylen)
{
	struct iface *ifc = calloc(1, sizeof(*ifc));
	size_t i;

	if (ifc == NULL) {
		strlcpy(why, "no memory", whylen);
		return NULL;
	}
	ifc->daemon = d;
	ifc->conf = c;
	ifc->id = d->next_iface++;
	ifc->tun.fd = -1;
	for (i = 0; i < LIMIT_QUEUES; i++)
		ifc->queue[i].tun_fd = ifc->queue[i].counters_fd = -1;
	if (tun_open(c, &ifc->tun, why, whylen) == -1 ||
	    slots_open(ifc, why, whylen) == -1 ||
	    open_queues(ifc, why, whylen) == -1 ||
	    configure_link(ifc, why, whylen) == -1 ||
	    slots_assign(ifc, c, why, whylen) == -1) {
		iface_close(ifc);
		return NULL;
	}
	init_offloads(ifc);
	iface_apply_offloads(ifc);
	return ifc;
}

int
iface_start(struct iface *ifc)
{
	if (ifc->conf->monitored) {
		ifc->link =
		    link_watch(ifc->daemon->links, ifc->ifindex, ifc->tun.fd);
		if (ifc->link == NULL)
			log_warn("%s cannot be watched", iface_name(ifc));
	}
	return workers_start(ifc);
}

void
iface_stop(struct iface *ifc)
{
	if (ifc->link != NULL)
		link_unwatch(ifc->daemon->links, ifc->ifindex);
	ifc->link = NULL;
	workers_stop(ifc);
}

void
iface_close(struct iface *ifc)
{
	size_t i;

	/* what we created goes with its last descriptor */
	if (ifc->ifindex != 0 && ifc->conf->device != CONF_DEVICE_CREATE)
		remove_extras(ifc, ifc->conf, NULL);
	slots_close(ifc);
	for (i = 0; i < ifc->queue_count; i++) {
		if (i > 0 && ifc->queue[i].tun_fd != -1)
			close(ifc->queue[i].tun_fd);
		if (ifc->queue[i].counters_fd != -1)
			close(ifc->queue[i].counters_fd);
	}
	if (ifc->tun.fd != -1)
		close(ifc->tun.fd);
	free(ifc);
}

uint32_t
iface_offloads(const struct iface *ifc)
{
	return ifc->wanted & ifc->granted & ~ifc->refused;
}

void
iface_apply_offloads(struct iface *ifc)
{
	uint32_t use = iface_offloads(ifc);
	bool gro = (use & OFFLOAD_BIT(OFFLOAD_UDP_GRO)) != 0;
	char reason[128];
	size_t i, q;

	/* the device decides what it hands us, the worker all else */
	if (ifc->tun.vnet_hdr)
		tun_set_offloads(ifc->tun.fd,
		    use & (OFFLOAD_BIT(OFFLOAD_TSO_TX) |
			      OFFLOAD_BIT(OFFLOAD_USO_TX)),
		    reason, sizeof(reason));
	for (i = 0; i < ifc->slot_count; i++)
		for (q = 0; q < ifc->queue_count; q++)
			udp_set_gro(ifc->slots[i].fd[q], gro);
	workers_send_offloads(ifc);
}

int
iface_set_mtu(struct iface *ifc, uint32_t mtu, char *why, size_t whylen)
{
	if (!ifc->conf->monitored)
		snprintf(why, whylen,
		    "%s is unmonitored: its MTU is set by whoever made it",
		    iface_name(ifc));
	else if (ifc->link != NULL && ifc->link->nsid != LINK_NSID_HOME)
		snprintf(why, whylen,
		    "%s is in another network namespace: set its MTU there",
		    iface_name(ifc));
	else if (netlink_set_mtu(ifc->daemon->netlink, ifc->ifindex, mtu) == -1)
		snprintf(why, whylen, "%s: mtu %u: %s", iface_name(ifc), mtu,
		    strerror(errno));
	else {
		ifc->mtu = mtu;
		return 0;
	}
	return -1;
}

bool
iface_can_update(const struct iface *ifc, const struct conf_interface *c)
{
	const struct conf_interface *old = ifc->conf;

	return old->device == c->device && old->fd == c->fd &&
	       old->monitored == c->monitored && old->vnet_hdr == c->vnet_hdr &&
	       old->queues == c->queues && old->max_peers == c->max_peers &&
	       old->socket_buffer == c->socket_buffer &&
	       endpoint_equal(&old->listen4, &c->listen4) &&
	       endpoint_equal(&old->listen6, &c->listen6);
}

int
iface_update(
    struct iface *ifc, struct conf_interface *c, char *why, size_t whylen)
{
	struct conf_interface *old = ifc->conf;

	/* what may fail comes first, and is undone */
	if (slots_assign(ifc, c, why, whylen) == -1)
		return -1;
	if (c->monitored &&
	    (add_addresses(ifc, c, old, why, whylen) == -1 ||
		add_routes(ifc, c, old, why, whylen) == -1 ||
		(c->mtu != old->mtu &&
		    iface_set_mtu(ifc,
			c->mtu != 0 ? c->mtu : mtu_from_routes(ifc), why,
			whylen) == -1))) {
		char again[256];

		remove_extras(ifc, c, old);
		if (slots_assign(ifc, old, again, sizeof(again)) == -1)
			log_warnx("%s", again);
		return -1;
	}
	ifc->conf = c;
	if (c->monitored) {
		remove_extras(ifc, old, c);
		set_lengths(ifc, c);
	}
	if (c->offloads != old->offloads) {
		ifc->wanted = c->offloads;
		ifc->refused = 0;
		iface_apply_offloads(ifc);
	}
	workers_send_peers(ifc);
	return 0;
}

size_t
iface_aim_again(struct iface *ifc)
{
	return slots_aim(ifc, ifc->conf);
}

void
iface_peers_done(struct iface *ifc, struct queue *q, uint32_t generation)
{
	size_t i;

	q->generation_done = generation;
	for (i = 0; i < ifc->queue_count; i++)
		if (ifc->queue[i].generation_done != ifc->generation)
			return;
	slots_free_retired(ifc);
}

const char *
iface_name(const struct iface *ifc)
{
	if (ifc->link != NULL)
		return ifc->link->name;
	return ifc->tun.name[0] != '\0' ? ifc->tun.name : ifc->conf->name;
}

struct iface *
iface_find(struct daemon *d, uint32_t id)
{
	struct iface *ifc;

	TAILQ_FOREACH (ifc, &d->ifaces, entry)
		if (ifc->id == id)
			return ifc;
	return NULL;
}
