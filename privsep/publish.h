#ifndef PRIVSEP_PUBLISH_H
#define PRIVSEP_PUBLISH_H

struct daemon;

/* What tund-control is told unasked, for its clients. */

/*
 * The state as it is now, and the counters pages that tund-control does not
 * have; later, by state_dirty, when it has not taken what was sent before: once
 * a second, and not before it has taken an earlier state.
 */
void publish_state(struct daemon *);
/* The same to a tund-control that was just started, and has no page. */
void publish_anew(struct daemon *);
void publish_event(struct daemon *, const char *json);

#endif
