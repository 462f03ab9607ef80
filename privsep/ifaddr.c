#include <errno.h>
#include <string.h>

#include "common/why.h"
#include "privsep/conf.h"
#include "privsep/daemon.h"
#include "privsep/iface.h"
#include "privsep/ifaddr.h"
#include "privsep/netlink.h"

static bool
has_prefix(const struct conf_prefixes *list, const struct prefix *p)
{
	return prefix_is_among(p, list->list, list->count);
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

int
ifaddr_add_addresses(struct iface *ifc, const struct conf_interface *c,
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
		if (other == ifc || iface_is_gone(other) ||
		    !has_route(other->conf, p))
			continue;
		next = conf_find_interface(d->next, other->conf->name);
		if (next == NULL || !has_route(next, p))
			return true;
	}
	return false;
}

/* One that is there: the default route may be how its owner got here. */
static const char *
taken_remedy(const struct prefix *p)
{
	if (p->len > 0)
		return "; remove that route, or set \"routes off\"";
	return p->addr.family == 4
		   ? "; allow { 0.0.0.0/1, 128.0.0.0/1 } in its place, with a "
		     "route of its own to the endpoint, or set \"routes off\""
		   : "; allow { ::/1, 8000::/1 } in its place, with a route "
		     "of its own to the endpoint, or set \"routes off\"";
}

static const char *
route_remedy(const struct prefix *p, int error)
{
	if (error == EEXIST)
		return taken_remedy(p);
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
	struct nlsock *nl = ifc->daemon->netlink;
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

int
ifaddr_add_routes(struct iface *ifc, const struct conf_interface *c,
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
ifaddr_remove(struct iface *ifc, const struct conf_interface *c,
    const struct conf_interface *kept)
{
	struct nlsock *nl = ifc->daemon->netlink;
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

size_t
ifaddr_restore(
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

bool
ifaddr_loses(const struct conf_interface *c, const struct conf_interface *kept)
{
	size_t i;

	for (i = 0; i < c->addresses.count; i++)
		if (!has_prefix(&kept->addresses, &c->addresses.list[i]))
			return true;
	return false;
}

bool
ifaddr_differ(const struct conf_interface *a, const struct conf_interface *b)
{
	return ifaddr_loses(a, b) || ifaddr_loses(b, a) || loses_routes(a, b) ||
	       loses_routes(b, a);
}
