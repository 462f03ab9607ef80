#ifndef WORKER_INGRESS_H
#define WORKER_INGRESS_H

#include <stdbool.h>

struct worker;
struct peer;
struct ingress;

/* The way from the peers to the tun.  NULL when memory is short. */
struct ingress *ingress_new(void);
/*
 * Receives one batch from the peer's socket and writes all of it.  True when
 * there may be more to receive.
 */
bool ingress_run(struct worker *, struct peer *);
/* Throws away what waits on the socket of a slot that lost its peer. */
void ingress_drain(struct worker *, struct peer *);
/* The same for every slot that has none. */
void ingress_drain_unused(struct worker *);

#endif
