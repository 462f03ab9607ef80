#ifndef CONTROL_EVENTS_H
#define CONTROL_EVENTS_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Events from the parent, to every client that subscribed.  A subscriber
 * gets each event once, in order, from the sequence number of its snapshot
 * on; what it was too slow for is counted and told.
 */
struct client;
struct subscriber;

/* One event, JSON text.  false: it is no event. */
bool events_take(const char *text);
/* The published state shows all events up to this one. */
void events_settled(json_int_t sequence);

/*
 * From the event after this one on; a subscription that exists starts anew.
 * -1 if memory is short.
 */
int events_subscribe(struct client *, json_int_t sequence);
void events_unsubscribe(struct subscriber *); /* or NULL */
/* To be called when the client has read something. */
void events_tell_overflow(struct subscriber *);

#endif
