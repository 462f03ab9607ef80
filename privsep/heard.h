#ifndef PRIVSEP_HEARD_H
#define PRIVSEP_HEARD_H

struct iface;

/*
 * Notes in the counters pages the time, for each peer whose packets became more
 * since the last call.  It has no timer: who is awake anyway calls it, so that
 * it says when a peer was heard no better than he is awake.
 */
void heard_look(const struct iface *);

#endif
