#ifndef PRIVSEP_EVENTS_H
#define PRIVSEP_EVENTS_H

#include <jansson.h>
#include <stdint.h>

#include "ipc/msg.h"

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

/*
 * The kernel refused an offload that it had granted; peer: for that one alone,
 * or NULL.  A warning, and the event offload.off.
 */
void events_offload_off(struct daemon *, const char *interface, enum offload,
    const char *reason, const char *peer);

#endif
