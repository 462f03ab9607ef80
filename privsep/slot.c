#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "privsep/iface.h"
#include "privsep/slot.h"

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
