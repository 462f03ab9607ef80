#ifndef PRIVSEP_PUBLISH_H
#define PRIVSEP_PUBLISH_H

struct daemon;

/* What tund-control is told unasked, for its clients. */

/*
 * The state as it is now, and the counters pages; later, by state_dirty, when
 * tund-control has not taken what was sent before.
 */
void publish_state(struct daemon *);
void publish_event(struct daemon *, const char *json);

#endif
