#ifndef PRIVSEP_WORKERS_H
#define PRIVSEP_WORKERS_H

struct iface;
struct queue;

/* What the parent says to workers, and what it hears from them. */

/* One for each queue; those that fall are started again.  -1: no memory. */
int workers_start(struct iface *);
void workers_stop(struct iface *);
/* The peers table as it is now, to every worker. */
void workers_send_peers(struct iface *);
/* What they were told before they locked themselves down has changed. */
void workers_restart(struct iface *);
void workers_send_offloads(struct iface *);
void workers_send_log_level(struct iface *);

#endif
