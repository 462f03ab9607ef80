#ifndef WORKER_EGRESS_H
#define WORKER_EGRESS_H

struct worker;
struct egress;

/* The way from the tun to the peers.  NULL when memory is short. */
struct egress *egress_new(void);

enum egress_end {
	EGRESS_EMPTY, /* there was no more to read */
	EGRESS_MORE,  /* there may be */
	EGRESS_FULL,  /* the same, after as many bytes as a turn may have */
};
/*
 * One turn: reads frames and sends what is in them.  Of a superpacket of more
 * packets than a turn may have the rest goes in the next.
 */
enum egress_end egress_run(struct worker *);

#endif
