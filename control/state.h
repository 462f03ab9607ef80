#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipc/counters.h"

/*
 * What the parent published last, and the counters pages of the workers.
 * All json_t that are returned are borrowed and good until the next message
 * from the parent.
 */

/*
 * Both take over fd.  false: it is not what it should be.  A page is sent once,
 * and stays until a state comes without its interface; id: as in msg.h.
 */
bool state_take(int fd);
bool state_take_counters(uint32_t id, int fd);

/* The state, NULL until the first came, and the sequence it shows. */
json_t *state_get(void);
json_int_t state_sequence(void);

/*
 * The state's interface of that name, or NULL.  Another in another network
 * namespace may have it: the one that the configuration gives it is meant.
 */
json_t *state_interface(const char *name);
/* Another has its name, which the configuration gives to neither. */
bool state_shares_name(const json_t *interface);
json_int_t state_id(const json_t *interface);

/* Does any worker of the interface have a page? */
bool state_has_counters(json_int_t id);
/* One counter, all queues together. */
uint64_t state_counter(json_int_t id, enum counter);
/* Of the peer in that slot, all queues together; false: no such slot. */
bool state_peer_counters(
    json_int_t id, json_int_t slot, struct peer_counters *);
/* When the parent last saw that it was heard, seconds since 1970; 0: never. */
uint64_t state_peer_heard(json_int_t id, json_int_t slot);
/* The pages of an interface, one by one, in the order of queues. */
const struct counters *state_page(json_int_t id, unsigned int queue);

#endif
