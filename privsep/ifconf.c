#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "common/why.h"
#include "privsep/conf.h"
#include "privsep/daemon.h"
#include "privsep/iface.h"
#include "privsep/ifaddr.h"
#include "privsep/ifconf.h"
#include "privsep/link.h"
#include "privsep/mtu.h"
#include "privsep/netlink.h"
#include "privsep/netns.h"

/* A kernel that lacks the second is no reason to tell anybody. */
static int
set_lengths(struct iface *ifc, const struct conf_interface *c, struct why *why)
{
	struct nlsock *nl = ifc->daemon->netlink;
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

/* Those of an interface that this one takes the inherited descriptor from. */
static size_t
queues_taken_over(const struct iface *ifc)
{
	const struct iface *other;

	if (ifc->conf->device != CONF_DEVICE_FD)
		return 0;
	TAILQ_FOREACH (other, &ifc->daemon->ifaces, entry)
		if (other->conf->device == CONF_DEVICE_FD &&
		    other->conf->fd == ifc->conf->fd &&
		    other->state != IFACE_AWAY)
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
		    iface_name(ifc));
	else
		why_set(why, "%s has no number: %s", iface_name(ifc),
		    strerror(errno));
	return -1;
}

int
ifconf_apply(struct iface *ifc, struct why *why)
{
	const struct conf_interface *c = ifc->conf;
	struct nlsock *nl = ifc->daemon->netlink;

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
	if (mtu_set(ifc, ifc->mtu_asked, why) == -1 ||
	    ifaddr_add_addresses(ifc, c, NULL, why) == -1)
		return -1;
	if (netlink_set_up(nl, ifc->ifindex, true) == -1)
		return why_set(why, "%s cannot be set up: %s", iface_name(ifc),
		    strerror(errno));
	return ifaddr_add_routes(ifc, c, NULL, why);
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
	if (mtu_set(ifc, ifc->mtu_asked, &why) == -1)
		log_warnx("%s", why.text);
	if (netlink_set_up(ifc->daemon->netlink, ifc->ifindex, true) == -1)
		log_warn("%s cannot be set up", iface_name(ifc));
}

/* What is lacking then is tried again (retry.c). */
static int
restore(struct iface *ifc, const struct conf_interface *c, struct why *why)
{
	struct why first;
	size_t refused = 0;

	if (iface_is_here(ifc))
		refused = ifaddr_restore(ifc, c, &first);
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
	struct nlsock *nl = ifc->daemon->netlink;
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
	struct nlsock *nl = ifc->daemon->netlink;
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
		    mtu_set(ifc, undo->link.mtu, &why) == -1)
			log_warnx("%s", why.text);
		if (undo->all)
			undo_settings(ifc);
	}
	ifconf_settle(ifc);
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

	if (!iface_is_here(ifc))
		return 0;
	ifc->mtu_next = mtu_wanted(ifc, c);
	mtu = mtu_to_set(ifc, c, ifc->mtu_next);
	if (mtu >= MTU_MIN_IPV6)
		ifc->undo.link.mtu = mtu_of_link(ifc);
	else
		ifc->mtu_at_commit = mtu;
	if ((ifc->undo.link.mtu == 0 || mtu_set(ifc, mtu, why) == 0) &&
	    ifaddr_add_addresses(ifc, c, old, why) == 0 &&
	    ifaddr_add_routes(ifc, c, old, why) == 0)
		return 0;
	ifconf_abandon(ifc);
	return -1;
}

static bool
differ(const struct conf_interface *a, const struct conf_interface *b)
{
	return a->mtu != b->mtu || a->txqueuelen != b->txqueuelen ||
	       a->gso_max_segs != b->gso_max_segs || ifaddr_differ(a, b);
}

/* -1 if c asks for something that cannot be done now. */
static int
commit_later(struct iface *ifc, const struct conf_interface *c, struct why *why)
{
	ifconf_settle(ifc);
	/* the one of the file was none of the routes' */
	if (c->mtu == 0 && ifc->conf->mtu != 0)
		ifc->mtu_asked = 0;
	if (!c->monitored || !differ(ifc->conf, c))
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

	if (!iface_is_here(ifc))
		return commit_later(ifc, c, why);
	ifc->mtu_asked = ifc->mtu_next;
	ifaddr_remove(ifc, ifc->conf, c);
	if (ifc->mtu_at_commit != 0 &&
	    mtu_set(ifc, ifc->mtu_at_commit, why) == -1)
		r = -1;
	if (set_lengths(ifc, c, why) == -1)
		r = -1;
	/* as above; and an IPv6 address is there once, with one length */
	if ((ifaddr_loses(ifc->conf, c) || ifc->lacks || had_no_ipv6) &&
	    restore(ifc, c, why) == -1)
		r = -1;
	ifconf_settle(ifc);
	return r;
}
