#include <errno.h>
#include <string.h>

#include "common/why.h"
#include "privsep/conf.h"
#include "privsep/daemon.h"
#include "privsep/iface.h"
#include "privsep/ports.h"
#include "privsep/udp.h"

/*
 * A reload opens the new beside the old: what one of ours listens on, which is
 * about to go, is not another's.
 */
static bool
is_ours(const struct iface *ifc)
{
	const struct iface *other;

	TAILQ_FOREACH (other, &ifc->daemon->ifaces, entry)
		if (other != ifc && other->state != IFACE_AWAY &&
		    conf_ports_meet(other->conf, ifc->conf))
			return true;
	return false;
}

void
ports_explain(
    const struct iface *ifc, const struct endpoint *local, struct why *why)
{
	char text[ENDPOINT_STRLEN];

	why_set(why,
	    "%s: %s is in use by another program; end that, or listen on "
	    "another port",
	    iface_name(ifc), endpoint_format(local, text));
}

/* What else may be wrong with it is told when it is used. */
static int
check(const struct iface *ifc, struct endpoint local, const char *device,
    struct why *why)
{
	uint32_t queue;

	if (local.port == 0)
		return 0;
	local.scope = udp_scope(&local);
	for (queue = 0; queue < ifc->conf->queues; queue++, local.port++) {
		if (udp_is_free(&local, device) || errno != EADDRINUSE)
			continue;
		ports_explain(ifc, &local, why);
		return -1;
	}
	return 0;
}

static int
check_both(const struct iface *ifc, const char *device, struct why *why)
{
	const struct conf_interface *c = ifc->conf;

	if (check(ifc, c->listen4, device, why) == -1)
		return -1;
	return check(ifc, c->listen6, device, why);
}

int
ports_check(struct iface *ifc, struct why *why)
{
	const struct conf_interface *c = ifc->conf;
	const char *device = c->bind_device;
	const struct conf_peer *p;

	if (is_ours(ifc))
		return 0;
	if (check_both(ifc, device, why) == -1)
		return -1;
	TAILQ_FOREACH (p, &c->peers, entry) {
		if (strcmp(p->bind_device, device) == 0)
			continue;
		device = p->bind_device;
		if (check_both(ifc, device, why) == -1)
			return -1;
	}
	return 0;
}
