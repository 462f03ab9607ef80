#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/why.h"
#include "privsep/conf.h"
#include "privsep/daemon.h"
#include "privsep/iface.h"
#include "privsep/ifconf.h"
#include "privsep/link.h"
#include "privsep/netlink.h"
#include "privsep/netns.h"

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

/*
 * The smallest MTU on the way to any peer, less the transport's overhead, so
 * that no outer packet is fragmented.
 */
static uint32_t
mtu_from_routes(struct iface *ifc, const struct conf_interface *c)
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
	/* routes that are away for a while are no reason to change it */
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

static uint32_t
mtu_wanted(struct iface *ifc, const struct conf_interface *c)
{
	return c->mtu != 0 ? c->mtu : mtu_from_routes(ifc, c);
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
	TAILQ_FOREACH (p, &c->peers, entry)
		if (conf_allows(p, prefix))
			return true;
	return false;
}

static const char *
address_remedy(const struct prefix *p, int error)
{
	if (p->addr.family == 6 &&
	    (error == EACCES || error == EPERM || error == EOPNOTSUPP))
		return "; switch IPv6 on (net.ipv6.conf.*.disable_ipv6), or "
		       "remove the address";
	return "";
}

static int
add_address(struct iface *ifc, const struct prefix *p, struct why *why)
{
	int r = netlink_add_address(ifc->daemon->netlink, ifc->ifindex, p);
	char text[PREFIX_STRLEN];

	if (r == -1)
		return why_set(why, "%s: address %s cannot be added: %s%s",
		    iface_name(ifc), prefix_format(p, text), strerror(errno),
		    address_remedy(p, errno));
	/* what was there before is not ours to take away */
	if (r == 0)
		conf_prefixes_append(&ifc->undo.addresses, p);
	return 0;
}

/* Adds what c has and old has not (old NULL: all).  -1 after why. */
static int
add_addresses(struct iface *ifc, const struct conf_interface *c,
    const struct conf_interface *old, struct why *why)
{
	const struct prefix *p;
	size_t i;

	for (i = 0; i < c->addresses.count; i++) {
		p = &c->addresses.list[i];
		if ((old == NULL || !has_prefix(&old->addresses, p)) &&
		    add_address(ifc, p, why) == -1)
			return -1;
	}
	return 0;
}

/* For the network of an IPv4 address the kernel makes a route by itself. */
static bool
has_network(const struct conf_interface *c, const struct prefix *network)
{
	struct prefix p;
	size_t i;

	for (i = 0; i < c->addresses.count; i++) {
		p = c->addresses.list[i];
		prefix_mask(&p);
		if (p.addr.family == 4 && prefix_equal(&p, network))
			return true;
	}
	return false;
}

static bool
has_route(const struct conf_interface *c, const struct prefix *p)
{
	return has_allowed(c, p) || has_network(c, p);
}

/*
 * A prefix that another interface of ours loses in this reload: its route is
 * still there, and goes when the reload is certain.
 */
static bool
is_moving(const struct iface *ifc, const struct prefix *p)
{
	const struct daemon *d = ifc->daemon;
	const struct conf_interface *next;
	const struct iface *other;

	if (d->next == NULL)
		return false;
	TAILQ_FOREACH (other, &d->ifaces, entry) {
		if (other == ifc || !has_route(other->conf, p))
			continue;
		next = conf_find_interface(d->next, other->conf->name);
		if (next == NULL || !has_route(next, p))
			return true;
	}
	return false;
}

static const char *
route_remedy(const struct prefix *p, int error)
{
	if (error == EEXIST)
		return "; remove that route, or set \"routes off\"";
	/* with an MTU below 1280 the link has no IPv6 */
	if (p->addr.family == 6 && (error == EACCES || error == EPERM ||
				       error == ENODEV || error == EINVAL))
		return "; switch IPv6 on (net.ipv6.conf.*.disable_ipv6, an "
		       "mtu of 1280 or more), or set \"routes off\"";
	return "";
}

static int
add_route(struct iface *ifc, const struct prefix *p, struct why *why)
{
	struct netlink *nl = ifc->daemon->netlink;
	int r = is_moving(ifc, p) ? netlink_append_route(nl, ifc->ifindex, p)
				  : netlink_add_route(nl, ifc->ifindex, p);
	char text[PREFIX_STRLEN];

	/* somebody set it down: ifconf_restore adds them when it is up again */
	if (r == -1 && errno == ENETDOWN && ifc->link != NULL)
		return 0;
	if (r == -1)
		return why_set(why, "%s: route to %s cannot be added: %s%s",
		    iface_name(ifc), prefix_format(p, text), strerror(errno),
		    route_remedy(p, errno));
	if (r == 0)
		conf_prefixes_append(&ifc->undo.routes, p);
	return 0;
}

static int
add_routes(struct iface *ifc, const struct conf_interface *c,
    const struct conf_interface *old, struct why *why)
{
	const struct conf_peer *p;
	const struct prefix *to;
	size_t i;

	if (!c->routes)
		return 0;
	TAILQ_FOREACH (p, &c->peers, entry)
		for (i = 0; i < p->allow.count; i++) {
			to = &p->allow.list[i];
			if ((old == NULL || !has_allowed(old, to)) &&
			    add_route(ifc, to, why) == -1)
				return -1;
		}
	return 0;
}

void
ifconf_remove(struct iface *ifc, const struct conf_interface *c,
    const struct conf_interface *kept)
{
	struct netlink *nl = ifc->daemon->netlink;
	const struct conf_peer *p;
	size_t i;

	if (!iface_is_here(ifc))
		return;
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

/* A kernel that lacks the second is no reason to tell anybody. */
static int
set_lengths(struct iface *ifc, const struct conf_interface *c, struct why *why)
{
	struct netlink *nl = ifc->daemon->netlink;
	int r = 0;

	if (netlink_set_txqueuelen(nl, ifc->ifindex, c->txqueuelen) == -1)
		r = why_set(why, "%s: txqueuelen %u cannot be set: %s",
		    iface_name(ifc), c->txqueuelen, strerror(errno));
	if (netlink_set_gso_max_segs(nl, ifc->ifindex, c->gso_max_segs) == -1)
		log_debug("%s: gso-max-segs %u cannot be set: %s",
		    iface_name(ifc), c->gso_max_segs, strerror(errno));
	return r;
}

void
ifconf_set_lengths(struct iface *ifc, const struct conf_interface *c)
{
	struct why why;

	if (iface_is_here(ifc) && set_lengths(ifc, c, &why) == -1)
		log_warnx("%s", why.text);
}

static void
set_promote(struct iface *ifc)
{
	if (netlink_set_promote(ifc->daemon->netlink, ifc->ifindex, true) == -1)
		log_warn(
		    "%s: promote_secondaries cannot be set", iface_name(ifc));
}

static int
set_mtu(struct iface *ifc, uint32_t mtu, struct why *why)
{
	if (netlink_set_mtu(ifc->daemon->netlink, ifc->ifindex, mtu) == -1)
		return why_set(why, "%s: mtu %u cannot be set: %s",
		    iface_name(ifc), mtu, strerror(errno));
	ifc->mtu = mtu;
	return 0;
}

/* Those of an interface that this one takes the inherited descriptor from. */
static size_t
queues_taken_over(const struct iface *ifc)
{
	const struct iface *other;

	if (ifc->conf->device != CONF_DEVICE_FD)
		return 0;
	TAILQ_FOREACH (other, &ifc->daemon->ifaces, entry)
		if (other->conf->device == CONF_DEVICE_FD &&
		    other->conf->fd == ifc->conf->fd)
			return other->queue_count - 1; /* both have the first */
	return 0;
}

/*
 * More queues than ours mean that somebody else reads this device's packets.
 */
static int
check_queues(struct iface *ifc, struct why *why)
{
	uint32_t queues;

	if (netlink_tun_queues(ifc->daemon->netlink, ifc->ifindex, &queues) ==
		-1 ||
	    queues <= ifc->queue_count + queues_taken_over(ifc))
		return 0;
	return why_set(why,
	    "%s has %u queues where we opened %zu: another process reads its "
	    "packets; end that process, or use another name",
	    iface_name(ifc), queues, ifc->queue_count);
}

static int
find_index(struct iface *ifc, struct why *why)
{
	const int ours = netns_of_tun_is_ours(ifc->tun.fd);

	errno = ENODEV;
	/* another device may have its name here */
	if (ours != 0)
		ifc->ifindex = if_nametoindex(ifc->tun.name);
	if (ifc->ifindex != 0)
		return 0;
	if (errno == ENODEV)
		why_set(why,
		    "%s is not in this network namespace; add \"unmonitored\" "
		    "to its device",
		    ifc->tun.name);
	else
		why_set(why, "%s has no number: %s", ifc->tun.name,
		    strerror(errno));
	return -1;
}

int
ifconf_apply(struct iface *ifc, struct why *why)
{
	const struct conf_interface *c = ifc->conf;
	struct netlink *nl = ifc->daemon->netlink;

	if (!c->monitored)
		return 0;
	if (find_index(ifc, why) == -1)
		return -1;
	if (check_queues(ifc, why) == -1)
		return -1;
	/* one that was there before may have to be as it was */
	if (c->device != CONF_DEVICE_CREATE)
		ifc->undo.all =
		    netlink_get_link(nl, ifc->ifindex, &ifc->undo.link) == 0;
	ifconf_set_lengths(ifc, c);
	set_promote(ifc);
	ifc->mtu_asked = mtu_wanted(ifc, c);
	if (set_mtu(ifc, ifc->mtu_asked, why) == -1 ||
	    add_addresses(ifc, c, NULL, why) == -1)
		return -1;
	if (netlink_set_up(nl, ifc->ifindex, true) == -1)
		return why_set(why, "%s cannot be set up: %s", ifc->tun.name,
		    strerror(errno));
	return add_routes(ifc, c, NULL, why);
}

void
ifconf_return(struct iface *ifc)
{
	struct why why;

	if (!iface_is_here(ifc))
		return;
	ifconf_set_lengths(ifc, ifc->conf);
	set_promote(ifc);
	ifc->mtu_asked = mtu_wanted(ifc, ifc->conf);
	if (set_mtu(ifc, ifc->mtu_asked, &why) == -1)
		log_warnx("%s", why.text);
	if (netlink_set_up(ifc->daemon->netlink, ifc->ifindex, true) == -1)
		log_warn("%s cannot be set up", iface_name(ifc));
}

void
ifconf_warn_loops(struct iface *ifc)
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

/* All of c that there is not, also behind one that is refused. */
static size_t
add_what_can_be(
    struct iface *ifc, const struct conf_interface *c, struct why *first)
{
	const struct conf_peer *p;
	size_t i, refused = 0;
	struct why why;

	for (i = 0; i < c->addresses.count; i++)
		if (add_address(ifc, &c->addresses.list[i], &why) == -1 &&
		    refused++ == 0)
			*first = why;
	TAILQ_FOREACH (p, &c->peers, entry)
		for (i = 0; c->routes && i < p->allow.count; i++)
			if (add_route(ifc, &p->allow.list[i], &why) == -1 &&
			    refused++ == 0)
				*first = why;
	return refused;
}

/* What is lacking then is tried again (retry.c). */
static int
restore(struct iface *ifc, const struct conf_interface *c, struct why *why)
{
	struct why first;
	size_t refused = 0;

	if (iface_is_here(ifc))
		refused = add_what_can_be(ifc, c, &first);
	ifconf_settle(ifc);
	ifc->lacks = refused > 0;
	if (refused > 1)
		return why_set(
		    why, "%s (and %zu more)", first.text, refused - 1);
	return refused > 0 ? why_set(why, "%s", first.text) : 0;
}

void
ifconf_restore(struct iface *ifc)
{
	bool lacked = ifc->lacks;
	struct why why;

	if (restore(ifc, ifc->conf, &why) == -1 &&
	    why_is_news(&ifc->lacks_why, &why))
		log_warnx("%s; tried again later", why.text);
	/* of one that is down or away nothing is asked, so nothing is known */
	if (lacked && !ifc->lacks && iface_is_here(ifc) &&
	    (ifc->link == NULL || ifc->link->up)) {
		log_info(
		    "%s has its addresses and routes again", iface_name(ifc));
		ifc->lacks_why.text[0] = '\0';
		ifc->lacks_ticks = 0;
	}
}

void
ifconf_settle(struct iface *ifc)
{
	conf_prefixes_clear(&ifc->undo.addresses);
	conf_prefixes_clear(&ifc->undo.routes);
	ifc->undo.link.mtu = ifc->mtu_at_commit = 0;
	ifc->undo.all = false;
}

/*
 * A kernel that does not tell them has kept its own.  After the addresses that
 * were added are gone: without promote_secondaries one takes others along.
 */
static void
undo_settings(struct iface *ifc)
{
	struct netlink *nl = ifc->daemon->netlink;
	const struct netlink_link *was = &ifc->undo.link;

	netlink_set_txqueuelen(nl, ifc->ifindex, was->txqueuelen);
	if (was->gso_max_segs != 0)
		netlink_set_gso_max_segs(nl, ifc->ifindex, was->gso_max_segs);
	netlink_set_promote(nl, ifc->ifindex, was->promote);
	if (!was->up)
		netlink_set_up(nl, ifc->ifindex, false);
}

void
ifconf_undo(struct iface *ifc)
{
	struct netlink *nl = ifc->daemon->netlink;
	const struct iface_undo *undo = &ifc->undo;
	struct why why;
	size_t i;

	if (iface_is_here(ifc)) {
		for (i = 0; i < undo->routes.count; i++)
			netlink_del_route(
			    nl, ifc->ifindex, &undo->routes.list[i]);
		for (i = 0; i < undo->addresses.count; i++)
			netlink_del_address(
			    nl, ifc->ifindex, &undo->addresses.list[i]);
		if (undo->link.mtu != 0 &&
		    set_mtu(ifc, undo->link.mtu, &why) == -1)
			log_warnx("%s", why.text);
		if (undo->all)
			undo_settings(ifc);
	}
	ifconf_settle(ifc);
}

/* The monitor may not have heard of the last change yet. */
uint32_t
ifconf_mtu(const struct iface *ifc)
{
	uint32_t mtu;

	if (netlink_link_mtu(ifc->daemon->netlink, ifc->ifindex, &mtu) == 0)
		return mtu;
	return ifc->link != NULL && ifc->link->known ? ifc->link->mtu
						     : ifc->mtu;
}

int
ifconf_set_mtu(struct iface *ifc, uint32_t mtu, struct why *why)
{
	struct why wrong;

	if (!ifc->conf->monitored)
		return why_set(why,
		    "%s is unmonitored: its MTU is set by whoever made it",
		    iface_name(ifc));
	if (iface_is_deleted(ifc))
		return why_set(why,
		    "%s is deleted: set its MTU when it is there again",
		    iface_name(ifc));
	if (!iface_is_here(ifc))
		return why_set(why,
		    "%s is in another network namespace: set its MTU there",
		    iface_name(ifc));
	if (conf_mtu_check(ifc->conf, mtu, &wrong) == -1)
		return why_set(why, "%s: %s", iface_name(ifc), wrong.text);
	return set_mtu(ifc, mtu, why);
}

/* Set by hand, or by routes when there was no IPv6 yet. */
static bool
lacks_ipv6_mtu(const struct iface *ifc, const struct conf_interface *c)
{
	return conf_find_ipv6(c) != NULL && ifconf_mtu(ifc) < MTU_MIN_IPV6;
}

/*
 * What c, or the routes to its peers, ask for in place of what they did; 0:
 * nothing else.  While that is so, one that was set by hand stays.
 */
static uint32_t
mtu_to_set(
    const struct iface *ifc, const struct conf_interface *c, uint32_t next)
{
	return c->mtu == ifc->conf->mtu && next == ifc->mtu_asked &&
		       !lacks_ipv6_mtu(ifc, c)
		   ? 0
		   : next;
}

uint32_t
ifconf_mtu_change(struct iface *ifc, const struct conf_interface *c)
{
	uint32_t mtu;

	if (!iface_is_here(ifc))
		return 0;
	mtu = mtu_to_set(ifc, c, mtu_wanted(ifc, c));
	return mtu == ifconf_mtu(ifc) ? 0 : mtu;
}

/*
 * With less than 1280 IPv6 goes, also what others have there, and cannot come:
 * more is set before the addresses, less when there is no way back.
 */
int
ifconf_prepare(
    struct iface *ifc, const struct conf_interface *c, struct why *why)
{
	const struct conf_interface *old = ifc->conf;
	uint32_t mtu;

	if (!c->monitored)
		return 0;
	if (!iface_is_here(ifc))
		return 0;
	ifc->mtu_next = mtu_wanted(ifc, c);
	mtu = mtu_to_set(ifc, c, ifc->mtu_next);
	if (mtu >= MTU_MIN_IPV6)
		ifc->undo.link.mtu = ifconf_mtu(ifc);
	else
		ifc->mtu_at_commit = mtu;
	if ((ifc->undo.link.mtu == 0 || set_mtu(ifc, mtu, why) == 0) &&
	    add_addresses(ifc, c, old, why) == 0 &&
	    add_routes(ifc, c, old, why) == 0)
		return 0;
	ifconf_abandon(ifc);
	return -1;
}

static bool
loses_routes(const struct conf_interface *c, const struct conf_interface *kept)
{
	const struct conf_peer *p;
	size_t i;

	if (!c->routes)
		return false;
	TAILQ_FOREACH (p, &c->peers, entry)
		for (i = 0; i < p->allow.count; i++)
			if (!has_allowed(kept, &p->allow.list[i]))
				return true;
	return false;
}

static bool
loses_addresses(
    const struct conf_interface *c, const struct conf_interface *kept)
{
	size_t i;

	for (i = 0; i < c->addresses.count; i++)
		if (!has_prefix(&kept->addresses, &c->addresses.list[i]))
			return true;
	return false;
}

static bool
differs(const struct conf_interface *a, const struct conf_interface *b)
{
	return a->mtu != b->mtu || a->txqueuelen != b->txqueuelen ||
	       a->gso_max_segs != b->gso_max_segs || loses_addresses(a, b) ||
	       loses_addresses(b, a) || loses_routes(a, b) ||
	       loses_routes(b, a);
}

static int
explain_not_here(const struct iface *ifc, struct why *why)
{
	if (!ifc->conf->monitored)
		return 0;
	return why_set(why,
	    "%s is not here: its addresses, routes, MTU and lengths are set "
	    "when it comes back",
	    iface_name(ifc));
}

/*
 * What goes with an address: with the last IPv4 address of a link all IPv4
 * routes, with any the route to its network, which may have stood for one of
 * ours.
 */
void
ifconf_abandon(struct iface *ifc)
{
	bool lost = ifc->undo.addresses.count > 0;

	ifconf_undo(ifc);
	if (lost)
		ifconf_restore(ifc);
}

int
ifconf_commit(
    struct iface *ifc, const struct conf_interface *c, struct why *why)
{
	uint32_t before = ifc->undo.link.mtu;
	bool had_no_ipv6 = before > 0 && before < MTU_MIN_IPV6;
	int r = 0;

	if (!iface_is_here(ifc)) {
		ifconf_settle(ifc);
		return differs(ifc->conf, c) ? explain_not_here(ifc, why) : 0;
	}
	ifc->mtu_asked = ifc->mtu_next;
	ifconf_remove(ifc, ifc->conf, c);
	if (ifc->mtu_at_commit != 0 &&
	    set_mtu(ifc, ifc->mtu_at_commit, why) == -1)
		r = -1;
	if (set_lengths(ifc, c, why) == -1)
		r = -1;
	/* as above; and an IPv6 address is there once, with one length */
	if ((loses_addresses(ifc->conf, c) || ifc->lacks || had_no_ipv6) &&
	    restore(ifc, c, why) == -1)
		r = -1;
	ifconf_settle(ifc);
	return r;
}
