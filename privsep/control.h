#ifndef PRIVSEP_CONTROL_H
#define PRIVSEP_CONTROL_H

struct daemon;
struct imsg;

/*
 * What the parent says to tund-control, and what it hears from it: numbers
 * alone, no byte of a client's.
 */

/* Makes the listening sockets; -1 after a line in the log. */
int control_listen(struct daemon *);
int control_start(struct daemon *);
/* Ends it and removes the sockets. */
void control_stop(struct daemon *);
/*
 * The state as it is now, and the counters pages; later, by state_dirty, when
 * tund-control has not taken what was sent before.
 */
void control_send_state(struct daemon *);
void control_send_event(struct daemon *, const char *json);
void control_send_log_level(struct daemon *);

#endif
