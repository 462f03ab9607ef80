#include <stddef.h>
#include <string.h>

#include "privsep/daemon.h"
#include "privsep/iface.h"
#include "privsep/link.h"
#include "privsep/link_msg.h"

/* Both what was told, after which things were done, and what was read count. */
bool
iface_is_here(const struct iface *ifc)
{
	const struct link_state *l = ifc->link;

	return ifc->conf->monitored && ifc->ifindex != 0 &&
	       !iface_is_gone(ifc) &&
	       (l == NULL || (!l->deleted && l->nsid == LINK_NSID_HOME &&
				 l->ifindex == ifc->ifindex));
}

bool
iface_is_deleted(const struct iface *ifc)
{
	return iface_is_gone(ifc) || (ifc->link != NULL && ifc->link->deleted);
}

bool
iface_is_gone(const struct iface *ifc)
{
	return ifc->state >= IFACE_GONE;
}

void
iface_set_gone(struct iface *ifc)
{
	if (!iface_is_gone(ifc))
		ifc->state = IFACE_GONE;
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
