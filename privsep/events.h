#ifndef PRIVSEP_EVENTS_H
#define PRIVSEP_EVENTS_H

#include <jansson.h>
#include <stdint.h>

struct daemon;

/*
 * Events: encoded as JSON once, here, and relayed by tund-control to every
 * subscriber.
 */

/*
 * Publishes one.  interface: its name when that happened; NULL: it is about
 * none.  Takes the reference of fields, an object with the new values, or NULL.
 */
void events_publish(
    struct daemon *, const char *event, const char *interface, json_t *fields);

#endif
