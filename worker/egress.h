#ifndef WORKER_EGRESS_H
#define WORKER_EGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct worker;
struct egress;

/* The way from the tun to the peers.  NULL when memory is short. */
struct egress *egress_new(void);
/*
 * Reads one batch of frames and sends all of it.  True when there may be more
 * to read.
 */
bool egress_run(struct worker *);

#endif
