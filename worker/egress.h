#ifndef WORKER_EGRESS_H
#define WORKER_EGRESS_H

struct worker;
struct egress;

/* The way from the tun to the peers.  NULL when memory is short. */
struct egress *egress_new(void);

enum egress_end {
	EGRESS_EMPTY, /* there was no more to read */
	EGRESS_MORE,  /* there may be */
	EGRESS_FULL,  /* the same, after as many bytes as fit into a batch */
};
/* Reads one batch of frames and sends all of it. */
enum egress_end egress_run(struct worker *);

#endif
