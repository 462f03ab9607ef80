#ifndef PRIVSEP_LINKS_H
#define PRIVSEP_LINKS_H

#include "privsep/link.h"

struct daemon;

/* Turns the link monitor's changes into events; arg is the daemon. */
link_on_change links_on_change;

/*
 * Makes the timer, not yet running, that aims peers that had no route, or whose
 * local address may be gone, and makes again what was deleted under us.  -1: no
 * memory.
 */
int links_open(struct daemon *);
void links_close(struct daemon *);
/*
 * To be asked whenever something may have changed: the timer is set for the
 * next second if anything is to be tried again, else for a minute.
 */
void links_schedule(struct daemon *);

#endif
