#ifndef PRIVSEP_RETRY_H
#define PRIVSEP_RETRY_H

struct daemon;
struct retry;

/*
 * What could not be had, or was lost, is tried again: a device that was deleted
 * under us is made again, so is an interface that a failed reload could not put
 * back, a link that could not be watched is, and a peer is aimed that had no
 * route, or whose local address or bind-device may be gone.  The timer for that
 * belongs to the event loop of the daemon.  NULL: no memory.
 */
struct retry *retry_new(struct daemon *);
void retry_free(struct retry *); /* or NULL */
/*
 * To be asked whenever something may have changed: the timer is set for the
 * next second if anything is to be tried, else for a minute.
 */
void retry_schedule(struct retry *);

#endif
