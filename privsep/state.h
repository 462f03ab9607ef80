#ifndef PRIVSEP_STATE_H
#define PRIVSEP_STATE_H

struct daemon;

/*
 * Everything that an operator may see, as one JSON document in a sealed
 * memfd.  The descriptor is the caller's; -1 with errno.
 */
int state_memfd(struct daemon *);
/* Says that the state has changed: published when the loop comes round. */
void state_changed(struct daemon *);

#endif
