#include <errno.h>
#include <string.h>

#include "common/why.h"
#include "privsep/conf.h"
#include "privsep/daemon.h"
#include "privsep/iface.h"
#include "privsep/link.h"
#include "privsep/mtu.h"
#include "privsep/netlink.h"
#include "privsep/path.h"

uint32_t
mtu_wanted(struct iface *ifc, const struct conf_interface *c)
{
	return c->mtu != 0 ? c->mtu : path_mtu(ifc, c);
}

int
mtu_set(struct iface *ifc, uint32_t mtu, struct why *why)
{
	if (netlink_set_mtu(ifc->daemon->netlink, ifc->ifindex, mtu) == -1)
		return why_set(why, "%s: mtu %u cannot be set: %s",
		    iface_name(ifc), mtu, strerror(errno));
	ifc->mtu = mtu;
	return 0;
}

/* The monitor may not have heard of the last change yet. */
uint32_t
mtu_of_link(const struct iface *ifc)
{
	uint32_t mtu;

	if (netlink_link_mtu(ifc->daemon->netlink, ifc->ifindex, &mtu) == 0)
		return mtu;
	return ifc->link != NULL ? ifc->link->mtu : ifc->mtu;
}

int
mtu_set_by_request(struct iface *ifc, uint32_t mtu, struct why *why)
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
	return mtu_set(ifc, mtu, why);
}

/* Set by hand, or by routes when there was no IPv6 yet. */
static bool
lacks_ipv6_mtu(const struct iface *ifc, const struct conf_interface *c)
{
	return conf_find_ipv6(c) != NULL && mtu_of_link(ifc) < MTU_MIN_IPV6;
}

uint32_t
mtu_to_set(
    const struct iface *ifc, const struct conf_interface *c, uint32_t wanted)
{
	return c->mtu == ifc->conf->mtu && wanted == ifc->mtu_asked &&
		       !lacks_ipv6_mtu(ifc, c)
		   ? 0
		   : wanted;
}

uint32_t
mtu_change(struct iface *ifc, const struct conf_interface *c)
{
	uint32_t mtu;

	if (!iface_is_here(ifc))
		return 0;
	mtu = mtu_to_set(ifc, c, mtu_wanted(ifc, c));
	return mtu == mtu_of_link(ifc) ? 0 : mtu;
}
