#ifndef PRIVSEP_STATE_H
#define PRIVSEP_STATE_H

#include <jansson.h>
#include <stddef.h>

struct daemon;
struct prefix;

/*
 * Everything that an operator may see, as one JSON document in a sealed
 * memfd.  The descriptor is the caller's; -1 with errno.
 */
int state_memfd(struct daemon *);
/* Prefixes as the state and events have them: an array, the caller's. */
json_t *state_prefixes(const struct prefix *, size_t count);

#endif
