#ifndef PRIVSEP_STATE_H
#define PRIVSEP_STATE_H

struct daemon;

/*
 * Everything that an operator may see, as one JSON document in a sealed
 * memfd.  The descriptor is the caller's; -1 with errno.
 */
int state_memfd(struct daemon *);

#endif
