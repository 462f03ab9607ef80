#ifndef PRIVSEP_PORTS_H
#define PRIVSEP_PORTS_H

#include <stddef.h>

struct endpoint;
struct iface;
struct why;

/*
 * Are the ports of an interface that is being opened free, for each queue and
 * peer?  SO_REUSEPORT, which the peers' sockets need among themselves, would
 * let two daemons have one: who connects later would get what the other's peers
 * send.  0, or -1 after why.
 */
int ports_check(struct iface *, struct why *why);
/* What to do about EADDRINUSE at that address and port. */
void ports_explain(
    const struct iface *, const struct endpoint *local, struct why *why);

#endif
