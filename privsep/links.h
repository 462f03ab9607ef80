#ifndef PRIVSEP_LINKS_H
#define PRIVSEP_LINKS_H

#include "privsep/link.h"

struct daemon;

/* Turns the link monitor's changes into events; arg is the daemon. */
link_on_change links_on_change;

#endif
