#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "privsep/daemon.h"
#include "privsep/iface.h"
#include "privsep/link.h"
#include "privsep/link_msg.h"

uint32_t
iface_offloads(const struct iface *ifc)
{
	return ifc->wanted & ifc->granted & ~ifc->refused;
}

void
iface_forget_refusals(struct iface *ifc, uint32_t offload_bits)
{
	enum offload o;

	ifc->refused &= ~offload_bits;
	/* what was not granted keeps its reason */
	for (o = 0; o < OFFLOAD_COUNT; o++)
		if (offload_bits & ifc->granted & OFFLOAD_BIT(o))
			ifc->reason[o][0] = '\0';
}

/* Both what was told, after which things were done, and what was read count. */
bool
iface_is_here(const struct iface *ifc)
{
	const struct link_state *l = ifc->link;

	return ifc->conf->monitored && ifc->ifindex != 0 && !ifc->gone &&
	       (l == NULL || (!l->deleted && l->nsid == LINK_NSID_HOME &&
				 l->ifindex == ifc->ifindex));
}

bool
iface_is_deleted(const struct iface *ifc)
{
	return ifc->gone || (ifc->link != NULL && ifc->link->deleted);
}

void
iface_set_gone(struct iface *ifc)
{
	ifc->gone = true;
}

bool
iface_is_away(const struct iface *ifc)
{
	return ifc->gone && ifc->tun.fd == -1;
}

void
iface_set_place(struct iface *ifc, const struct link_state *now)
{
	ifc->ifindex =
	    now->nsid == LINK_NSID_HOME && !now->deleted ? now->ifindex : 0;
}

const char *
iface_name(const struct iface *ifc)
{
	static char name[IFNAMSIZ];

	if (ifc->link != NULL)
		return ifc->link->name;
	if (ifc->tun.name[0] == '\0')
		return ifc->conf->name;
	/* one that was handed to us may have any name */
	memcpy(name, ifc->tun.name, sizeof(name));
	link_name_clean(name);
	return name;
}

struct iface *
iface_of(struct daemon *d, const struct conf_interface *c)
{
	struct iface *ifc;

	TAILQ_FOREACH (ifc, &d->ifaces, entry)
		if (strcmp(ifc->conf->name, c->name) == 0)
			return ifc;
	return NULL;
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

const char *
slot_reason(
    const struct iface *ifc, const struct slot *s, char buf[SLOT_REASON_STRLEN])
{
	const struct conf_interface *c = ifc->conf;
	const struct addr *own =
	    s->family == 4 ? &c->listen4.addr : &c->listen6.addr;
	char text[ADDR_STRLEN];

	strlcpy(buf, strerror(s->aim_error), SLOT_REASON_STRLEN);
	if (s->aim_error == EADDRNOTAVAIL && !addr_is_unspecified(own))
		snprintf(buf, SLOT_REASON_STRLEN, "no %s on this host (listen)",
		    addr_format(own, text));
	return buf;
}
