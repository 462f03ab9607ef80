#include <stddef.h>

#include "privsep/daemon.h"
#include "privsep/iface.h"
#include "privsep/link.h"

uint32_t
iface_offloads(const struct iface *ifc)
{
	return ifc->wanted & ifc->granted & ~ifc->refused;
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
