#ifndef PRIVSEP_LINK_EVENTS_H
#define PRIVSEP_LINK_EVENTS_H

#include "privsep/link.h"

struct daemon;

/* Turns the link monitor's changes into events; arg is the daemon. */
link_on_change link_events_on_change;

#endif
