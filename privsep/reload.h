#ifndef PRIVSEP_RELOAD_H
#define PRIVSEP_RELOAD_H

#include <jansson.h>
#include <stdbool.h>

struct daemon;

/*
 * Parses the configuration again, compares, and applies the difference, or
 * keeps the old one.  dry: only compares.  *result is the caller's: what
 * changed, or {"message", "hint"}.  0, or -1 when the old one stays.
 */
int reload(struct daemon *, bool dry, json_t **result);

#endif
