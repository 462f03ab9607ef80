#ifndef PRIVSEP_LINKS_H
#define PRIVSEP_LINKS_H

#include "privsep/link.h"

struct daemon;

/* Turns the link monitor's changes into events; arg is the daemon. */
link_on_change links_on_change;

/*
 * Once a second: aims peers that had no route, or whose local address may be
 * gone, and makes again what was deleted under us.
 */
void links_tick(struct daemon *);

#endif
